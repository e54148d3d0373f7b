//! A tenancy with one deployment and its operator's alarm, and what the tests need of it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::emulators::{DEPLOYMENT, Emulator, Request, deployment, root, sequential};
use super::function::Function;

/// Longer ago than the window of any alarm of these tests.
const AN_HOUR: i64 = 3600;

/// With this, evidence counts from the moment at which the alarm fired: a process remembers what it has done, and
/// no test makes that older.
pub(super) const FIRED: (&str, &str) = ("STEPLADDER_POLICY", "[defaults]\nevidence = \"fired\"\n");

/// A tenancy whose deployment has not been changed yet.
pub(super) struct Tenancy {
    pub(super) emulator: Emulator,
    /// The OCID of the operator's own alarm.
    pub(super) high: String,
}

impl Tenancy {
    /// One with the usual deployment.
    pub(super) fn new() -> Option<Self> {
        Self::with(&deployment())
    }

    /// One with this deployment.
    pub(super) fn with(document: &Value) -> Option<Self> {
        let emulator = Emulator::start()?;
        emulator.put(document);
        let high = emulator.put_alarm(&operators_alarm(&emulator));
        Some(Self { emulator, high })
    }

    /// The real function, for which evidence counts from the moment at which the alarm fired.
    pub(super) fn function(&self) -> Function {
        self.emulator.function(&[FIRED])
    }

    /// The deployment as it is now.
    pub(super) fn document(&self) -> Value {
        self.emulator.document(DEPLOYMENT)
    }

    /// How many instances it requests.
    pub(super) fn instances(&self) -> u64 {
        let document = self.document();
        let count = document.pointer(
            "/modelDeploymentConfigurationDetails/modelConfigurationDetails/scalingPolicy/instanceCount",
        );
        count.unwrap().as_u64().unwrap()
    }

    /// Which shape.
    pub(super) fn shape(&self) -> String {
        let path = "/modelDeploymentConfigurationDetails/modelConfigurationDetails/instanceConfiguration/\
                    instanceShapeName";
        self.document().pointer(path).unwrap().as_str().unwrap().to_owned()
    }

    /// Ends the update under way.
    pub(super) fn finish(&self) {
        self.emulator.finish(DEPLOYMENT);
    }

    /// Ends the update under way an hour ago, so that new evidence is fresh.
    pub(super) fn finish_long_ago(&self) {
        self.finish();
        self.emulator.age(DEPLOYMENT, AN_HOUR);
    }

    /// The alarms that stepladder made.
    pub(super) fn pairs(&self) -> Vec<Value> {
        let ours = |alarm: &Value| alarm["freeformTags"]["stepladder:target"] == DEPLOYMENT;
        self.emulator.alarms().into_iter().filter(ours).collect()
    }

    /// The one alarm that stepladder made.
    pub(super) fn pair(&self) -> Value {
        let pairs = self.pairs();
        assert_eq!(pairs.len(), 1, "{pairs:#?}");
        pairs.into_iter().next().unwrap()
    }

    /// The requests since they were counted last. Each accepted one is signed as Oracle's SDK signs it.
    pub(super) fn requests(&self) -> Vec<Request> {
        let requests = self.emulator.requests();
        self.emulator.forget_requests();
        for request in &requests {
            let signed = request.sdk_equal == Some(true) || request.status == 401;
            assert!(signed, "{request:#?}");
        }
        requests
    }

    /// How many of them had to wait for one another.
    pub(super) fn round_trips(&self) -> usize {
        sequential(&self.requests())
    }
}

/// An alarm as an operator makes it, in the compartment of the function.
pub(super) fn operators_alarm(emulator: &Emulator) -> Value {
    json!({
        "displayName": "model_deployment_high_cpu",
        "compartmentId": emulator.announced("compartment"),
        "metricCompartmentId": emulator.announced("compartment"),
        "namespace": "oci_datascience_modeldeploy",
        "query": format!("CpuUtilization[5m]{{resourceId = \"{DEPLOYMENT}\"}}.groupBy(resourceId).mean() > 80"),
        "severity": "WARNING",
        "destinations": [emulator.announced("topic")],
        "isEnabled": true,
        "repeatNotificationDuration": "PT5M",
        "body": "The churn model has too little CPU."
    })
}

/// A sample payload of an alarm that has fired just now.
pub(super) fn sample(name: &str, alarm: &str) -> Value {
    let path = root().join("events/oci").join(name);
    let event = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    fired_now(event, alarm)
}

/// The same with another value of its metric, or with none.
pub(super) fn with_value(name: &str, alarm: &str, value: Option<&str>) -> Value {
    let mut event = sample(name, alarm);
    let entry = event["alarmMetaData"][0].as_object_mut().unwrap();
    match value {
        Some(value) => {
            let name = entry["metricValues"][0].as_object().unwrap().keys().next().unwrap().clone();
            entry["metricValues"] = json!([{ name: value }]);
        }
        None => {
            entry.remove("metricValues");
        }
    }
    event
}

/// The usual deployment with so many instances.
pub(super) fn with_count(instances: u32) -> Value {
    let mut document = deployment();
    document["modelDeploymentSystemData"]["currentInstanceCount"] = json!(instances);
    document["modelDeploymentConfigurationDetails"]["modelConfigurationDetails"]["scalingPolicy"]["instanceCount"] =
        json!(instances);
    document
}

/// The same with more tags.
pub(super) fn with_tags(instances: u32, tags: &[(&str, &str)]) -> Value {
    let mut document = with_count(instances);
    for (key, value) in tags {
        document["freeformTags"][*key] = json!(value);
    }
    document
}

/// The payload as a message of this alarm, which was sent just now.
pub(super) fn fired_now(mut event: Value, alarm: &str) -> Value {
    event["timestampEpochMillis"] = json!(Timestamp::now().as_millisecond());
    event["alarmMetaData"][0]["id"] = json!(alarm);
    event
}

/// What the function answers to a payload about one deployment.
pub(super) fn outcome(function: &Function, event: &Value) -> Value {
    let answer = function.call(event.to_string().as_bytes(), &[]);
    assert_eq!(answer.status, 200, "{answer:#?}");
    only_outcome(answer.body)
}

/// The one outcome of a reply.
pub(super) fn only_outcome(mut reply: Value) -> Value {
    let outcomes = reply["outcomes"].as_array_mut().unwrap_or_else(|| panic!("no outcomes"));
    assert_eq!(outcomes.len(), 1, "{outcomes:#?}");
    outcomes.remove(0)
}

/// The calls of an outcome, by name.
pub(super) fn calls(outcome: &Value) -> Vec<&str> {
    outcome["calls"].as_array().into_iter().flatten().map(|call| call["call"].as_str().unwrap()).collect()
}

/// The paths at which two documents differ.
pub(super) fn differences(before: &Value, after: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(before, after, "", &mut found);
    found
}

fn compare(before: &Value, after: &Value, at: &str, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(one), Value::Object(other)) => {
            for key in one.keys().chain(other.keys().filter(|key| !one.contains_key(*key))) {
                let (before, after) = (&before[key], &after[key]);
                compare(before, after, &format!("{at}/{key}"), found);
            }
        }
        _ if before != after => found.push(at.to_owned()),
        _ => {}
    }
}
