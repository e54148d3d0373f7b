//! Starts the OCI emulator for one test, steers it by its control server, and stops it with the test.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use stepladder::platform::oci::client::OciClient;

use super::function::Function;
pub(super) use crate::server::root;
use crate::server::{self, Server};

/// No update ends by itself within a test, and no minute passes: the test decides when.
const WHEN_TOLD: Pace = Pace { update_seconds: 3600.0, minute_seconds: 0.0 };

/// The deployment that [`deployment`] describes.
pub(super) const DEPLOYMENT: &str = "ocid1.datasciencemodeldeployment.oc1.iad.exampleuniqueidchurn";

/// How long things take.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    pub(super) update_seconds: f64,
    /// A minute of Monitoring; none passes by itself where it is 0.
    pub(super) minute_seconds: f64,
}

/// A running emulator. It stops when its standard input closes.
pub(super) struct Emulator {
    _server: Server,
    ready: Value,
}

/// One request that the emulator has answered.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) operation: String,
    /// 0 where the connection was closed instead.
    pub(super) status: u64,
    pub(super) start: f64,
    pub(super) end: f64,
    /// With its query.
    pub(super) path: String,
    pub(super) if_match: Option<String>,
    pub(super) retry_token: Option<String>,
    pub(super) body: Value,
    /// Whether Oracle's SDK signs the same request alike; none where the signature was refused.
    pub(super) sdk_equal: Option<bool>,
}

impl Emulator {
    /// Starts one in which nothing happens by itself. Where it is not installed, prints that the test is skipped.
    pub(super) fn start() -> Option<Self> {
        Self::start_at(WHEN_TOLD)
    }

    /// Starts one in which time passes.
    pub(super) fn start_at(pace: Pace) -> Option<Self> {
        interpreter().map(|python| Self::run(&python, pace))
    }

    fn run(python: &Path, pace: Pace) -> Self {
        let server = Server::start(
            Command::new(python)
                .arg(root().join("tests/emulators/oci/emulator.py"))
                .args(["--update-seconds", &pace.update_seconds.to_string()])
                .args(["--minute-seconds", &pace.minute_seconds.to_string()]),
        );
        let ready = serde_json::from_str(&server.ready).expect("the emulator prints where it listens");
        Self { _server: server, ready }
    }

    /// What it printed at its start: an address of a service, a file's path, or an OCID.
    pub(super) fn announced(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {}", self.ready))
    }

    /// What a process needs in its environment to be a function of the emulator's OCI.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let principal = [
            ("OCI_RESOURCE_PRINCIPAL_VERSION", "2.2"),
            ("OCI_RESOURCE_PRINCIPAL_RPST", self.announced("rpst")),
            ("OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM", self.announced("pem")),
            ("OCI_RESOURCE_PRINCIPAL_REGION", self.announced("region")),
        ];
        self.services().into_iter().chain(principal).map(|(name, value)| (name, value.to_owned())).collect()
    }

    /// The same for a person with an API key.
    pub(super) fn profile(&self) -> Vec<(&'static str, String)> {
        let profile = ("OCI_CONFIG_FILE", self.announced("config"));
        self.services().into_iter().chain([profile]).map(|(name, value)| (name, value.to_owned())).collect()
    }

    fn services(&self) -> [(&'static str, &str); 3] {
        [
            ("STEPLADDER_OCI_DATASCIENCE_ENDPOINT", self.announced("datascience")),
            ("STEPLADDER_OCI_MONITORING_ENDPOINT", self.announced("monitoring")),
            ("STEPLADDER_OCI_NOTIFICATION_ENDPOINT", self.announced("notifications")),
        ]
    }

    /// The real function, which takes the emulator for OCI; with more in its environment.
    pub(super) fn function(&self, more: &[(&str, &str)]) -> Function {
        let own = self.environment();
        let own = own.iter().map(|(name, value)| (*name, value.as_str()));
        Function::start_with(&own.chain(more.iter().copied()).collect::<Vec<_>>())
    }

    /// OCI as the function sees it, in this process.
    pub(super) fn cloud(&self) -> OciClient {
        let environment = self.environment();
        OciClient::reading(&|name| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
        })
    }

    /// Puts a deployment: the whole body of a `GetModelDeployment`.
    pub(super) fn put(&self, document: &Value) {
        self.control("POST", "/deployments", document);
    }

    /// Takes a deployment away.
    pub(super) fn remove(&self, id: &str) {
        self.control("DELETE", "/deployments", &json!({ "id": id }));
    }

    /// A deployment as it is now.
    pub(super) fn document(&self, id: &str) -> Value {
        self.state()["deployments"][id]["document"].take()
    }

    /// Ends the update under way.
    pub(super) fn finish(&self, id: &str) {
        self.control("POST", "/finish", &json!({ "id": id }));
    }

    /// Moves all that was done to a deployment into the past: its work requests, and the stamp in its tags.
    pub(super) fn age(&self, id: &str, seconds: i64) {
        self.control("POST", "/age", &json!({ "id": id, "seconds": seconds }));
        let mut document = self.document(id);
        if let Some(stamp) = document.pointer_mut("/freeformTags/stepladder:changed") {
            // What the change was for may follow.
            let text = stamp.as_str().unwrap().to_owned();
            let (at, rest) = text.split_at(text.find(' ').unwrap_or(text.len()));
            let changed: jiff::Timestamp = at.parse().unwrap();
            *stamp = json!(format!("{}{rest}", changed - jiff::SignedDuration::from_secs(seconds)));
            self.put(&document);
        }
    }

    /// Lets the next update of a deployment fail, and leave it in that state.
    pub(super) fn fail_update(&self, id: &str, state: &str) {
        self.control("POST", "/fail-update", &json!({ "id": id, "state": state }));
    }

    /// Puts an alarm, as `CreateAlarm` takes it, and returns its OCID.
    pub(super) fn put_alarm(&self, alarm: &Value) -> String {
        self.control("POST", "/alarms", alarm)["id"].as_str().unwrap().to_owned()
    }

    /// Every alarm, each with its `status`.
    pub(super) fn alarms(&self) -> Vec<Value> {
        let mut state = self.state();
        state["alarms"].as_array_mut().unwrap().split_off(0)
    }

    /// All that the emulator holds.
    pub(super) fn state(&self) -> Value {
        self.control("GET", "/state", &Value::Null)
    }

    /// Changes settings: where the API's documentation leaves something open, they have the other way.
    pub(super) fn set(&self, settings: &Value) {
        self.control("POST", "/settings", settings);
    }

    /// Lets calls of an operation fail, hang or break off.
    pub(super) fn fail(&self, fault: &Value) {
        self.control("POST", "/fail", fault);
    }

    /// Whether an operation is hidden behind a policy that is not there.
    pub(super) fn deny(&self, operation: &str, denied: bool) {
        self.control("POST", "/deny", &json!({ "operation": operation, "denied": denied }));
    }

    /// Makes every request take a while, so that those which wait for one another can be distinguished.
    pub(super) fn slow_down(&self) {
        self.control("POST", "/delay", &json!({ "seconds": 0.05 }));
    }

    /// Closes every connection to the services, as servers do with idle ones.
    pub(super) fn hang_up(&self) {
        self.control("POST", "/hang-up", &Value::Null);
    }

    /// Puts a new key and token in place; with `on_refusal` the files change only when a request is refused.
    pub(super) fn rotate(&self, write: &str) {
        self.control("POST", "/rotate", &json!({ "write": write }));
    }

    /// From now on a metric of a deployment has this value in every minute.
    pub(super) fn gauge(&self, id: &str, metric: &str, value: f64) {
        let dimensions = json!({ "resourceId": id, "instanceId": "instance:1" });
        self.control("POST", "/gauge", &json!({ "name": metric, "dimensions": dimensions, "value": value }));
    }

    /// Ends so many minutes now, and returns the messages that alarms send.
    pub(super) fn evaluate(&self, times: u32) -> Value {
        self.control("POST", "/evaluate", &json!({ "times": times }))
    }

    /// Tells Notifications where the function listens that is subscribed to the ready topic.
    pub(super) fn deliver_to(&self, url: &str) {
        self.control("POST", "/functions", &json!({ "functions": { self.announced("function"): url } }));
    }

    /// Every attempt to deliver a message.
    pub(super) fn deliveries(&self) -> Vec<Value> {
        self.control("GET", "/deliveries", &Value::Null).as_array().unwrap().clone()
    }

    /// All requests so far, in order of arrival.
    pub(super) fn requests(&self) -> Vec<Request> {
        let answer = self.control("GET", "/requests", &Value::Null);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let read = |request: &Value| Request {
            operation: text(&request["operation"]).unwrap_or_default(),
            status: request["status"].as_u64().unwrap(),
            start: request["start"].as_f64().unwrap(),
            end: request["end"].as_f64().unwrap(),
            path: text(&request["path"]).unwrap(),
            if_match: text(&request["if-match"]),
            retry_token: text(&request["opc-retry-token"]),
            body: request["body"].clone(),
            sdk_equal: request["sdk_equal"].as_bool(),
        };
        answer.as_array().unwrap().iter().map(read).collect()
    }

    /// The requests of one operation.
    pub(super) fn requests_of(&self, operation: &str) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.operation == operation).collect()
    }

    /// Forgets the requests so far.
    pub(super) fn forget_requests(&self) {
        self.control("DELETE", "/requests", &Value::Null);
    }

    /// Asks the control server.
    pub(super) fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        server::control(self.announced("control"), method, path, body)
    }
}

/// How many requests had to wait for one another: requests that overlap in time count as one.
pub(super) fn sequential(requests: &[Request]) -> usize {
    server::sequential(requests.iter().map(|request| (request.start, request.end)))
}

/// A deployment with one instance and every member that an update could lose, in the emulator's compartment.
pub(super) fn deployment() -> Value {
    json!({
        "id": DEPLOYMENT,
        "compartmentId": "ocid1.compartment.oc1..emulator",
        "projectId": "ocid1.datascienceproject.oc1.iad.churn",
        "displayName": "churn",
        "description": "who is about to leave",
        "createdBy": "ocid1.user.oc1..somebody",
        "modelDeploymentUrl": "https://modeldeployment.us-ashburn-1.oci.customer-oci.com/churn",
        "lifecycleState": "ACTIVE",
        "lifecycleDetails": "Model Deployment is Active.",
        "freeformTags": { "team": "forecast" },
        "definedTags": { "Costs": { "Center": "42" } },
        "modelDeploymentSystemData": { "systemInfraType": "INSTANCE_POOL", "currentInstanceCount": 1 },
        "categoryLogDetails": {
            "access": { "logId": "ocid1.log.oc1.iad.access", "logGroupId": "ocid1.loggroup.oc1.iad.churn" },
            "predict": { "logId": "ocid1.log.oc1.iad.predict", "logGroupId": "ocid1.loggroup.oc1.iad.churn" }
        },
        "modelDeploymentConfigurationDetails": {
            "deploymentType": "SINGLE_MODEL",
            "modelConfigurationDetails": {
                "modelId": "ocid1.datasciencemodel.oc1.iad.churn",
                "modelArtifactSignatureId": "ocid1.datasciencemodelartifactsignature.oc1.iad.churn",
                "bandwidthMbps": 20,
                "maximumBandwidthMbps": 40,
                "instanceConfiguration": {
                    "instanceShapeName": "VM.Standard2.2",
                    "modelDeploymentInstanceShapeConfigDetails": null,
                    "subnetId": "ocid1.subnet.oc1.iad.churn",
                    "privateEndpointId": "ocid1.datascienceprivateendpoint.oc1.iad.churn",
                    "networkAccessType": "PRIVATE",
                    "capacityReservationIds": ["ocid1.capacityreservation.oc1.iad.churn"]
                },
                "scalingPolicy": { "policyType": "FIXED_SIZE", "instanceCount": 1 }
            },
            "environmentConfigurationDetails": {
                "environmentConfigurationType": "OCIR_CONTAINER",
                "image": "iad.ocir.io/tenancy/churn:1",
                "serverPort": 8080,
                "environmentVariables": { "LOG_LEVEL": "info" }
            }
        }
    })
}

/// The Python of the emulators, where they are installed.
pub(super) fn interpreter() -> Option<PathBuf> {
    server::interpreter(&root().join("target/oci-venv"), "emulators-oci")
}
