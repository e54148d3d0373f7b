//! Starts the AWS emulators for one test, talks to their control server, and stops them with the test.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

pub(super) use crate::server::root;
use crate::server::{self, Server, exchange, interpreter};

/// A topic in the account of both emulators.
pub(super) const ALARM_ACTION: &str = "arn:aws:sns:us-east-1:000000000000:stepladder-alarms";

/// Running emulators. They stop when their standard input closes.
pub(super) struct Emulators {
    _server: Server,
    sagemaker: String,
    cloudwatch: String,
    control: String,
}

/// One request that an emulator has answered.
pub(super) struct Request {
    pub(super) operation: String,
    pub(super) start: f64,
    pub(super) end: f64,
}

/// What an endpoint configuration with every member has, as paths like `ProductionVariants[].ModelName`.
pub(super) struct EveryMember {
    pub(super) arn: String,
    pub(super) covered: Vec<String>,
    pub(super) missing: Vec<String>,
}

impl Emulators {
    /// Starts them, where they are installed.
    pub(super) fn start() -> Option<Self> {
        interpreter(&virtual_environment(), "emulators").map(|python| Self::run(&python))
    }

    fn run(python: &Path) -> Self {
        let script = root().join("tests/emulators/aws.py");
        let server = Server::start(Command::new(python).arg(script).args(["--update-seconds", "1"]));
        let ready: Value =
            serde_json::from_str(&server.ready).expect("the emulators print where they listen");
        let address = |name: &str| ready[name].as_str().unwrap().to_owned();
        Self {
            sagemaker: address("sagemaker"),
            cloudwatch: address("cloudwatch"),
            control: address("control"),
            _server: server,
        }
    }

    /// What a process needs in its environment to take the emulators for AWS.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.sagemaker.clone()),
            ("AWS_ENDPOINT_URL_CLOUDWATCH", self.cloudwatch.clone()),
            ("AWS_ENDPOINT_URL_SNS", self.cloudwatch.clone()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("STEPLADDER_ALARM_ACTION", ALARM_ACTION.to_owned()),
        ]
    }

    /// Gives the function the role of the template, as it is with this environment. Nothing else may be sent from now on.
    pub(super) fn grant(&self, environment: &[(&str, &str)]) {
        let set: String = environment.iter().map(|(_, value)| *value).collect();
        let notified = set.split('"').find(|one| one.starts_with("arn:aws:sns:")).unwrap_or_default();
        let parameter =
            set.strip_prefix("ssm:").and_then(|place| place.rsplit(":parameter/").next()).unwrap_or_default();
        let conditions = [
            ("SuspendsScaling", set.contains("native_autoscaling")),
            ("Notifies", !notified.is_empty()),
            ("HasPolicyParameter", !parameter.is_empty()),
        ];
        let conditions: Vec<&str> = conditions.into_iter().filter(|one| one.1).map(|one| one.0).collect();
        let role = json!({
            "conditions": conditions,
            "AlarmTopic": ALARM_ACTION,
            "NotifyTopicArn": notified,
            "PolicyParameter": parameter,
        });
        self.control("POST", "/grant", &role);
    }

    /// What the function sent and its role does not allow.
    pub(super) fn refused(control: &str) -> Value {
        server::control(control, "GET", "/refused", &Value::Null)
    }

    /// The address of the control server.
    pub(super) fn control_url(&self) -> &str {
        &self.control
    }

    /// Where CloudWatch is, and SNS and SQS with it.
    pub(super) fn cloudwatch_url(&self) -> &str {
        &self.cloudwatch
    }

    /// A SageMaker client of the official SDK, for arranging and checking.
    pub(super) fn sagemaker(&self) -> aws_sdk_sagemaker::Client {
        let config = aws_sdk_sagemaker::Config::builder()
            .behavior_version(aws_sdk_sagemaker::config::BehaviorVersion::latest())
            .region(aws_sdk_sagemaker::config::Region::new("us-east-1"))
            .credentials_provider(credentials())
            .endpoint_url(&self.sagemaker)
            .build();
        aws_sdk_sagemaker::Client::from_conf(config)
    }

    /// A CloudWatch client of the official SDK, for arranging and checking.
    pub(super) fn cloudwatch(&self) -> aws_sdk_cloudwatch::Client {
        let config = aws_sdk_cloudwatch::Config::builder()
            .behavior_version(aws_sdk_cloudwatch::config::BehaviorVersion::latest())
            .region(aws_sdk_cloudwatch::config::Region::new("us-east-1"))
            .credentials_provider(credentials())
            .endpoint_url(&self.cloudwatch)
            .build();
        aws_sdk_cloudwatch::Client::from_conf(config)
    }

    /// An Application Auto Scaling client of the official SDK, for arranging.
    pub(super) fn scaling(&self) -> aws_sdk_applicationautoscaling::Client {
        let config = aws_sdk_applicationautoscaling::Config::builder()
            .behavior_version(aws_sdk_applicationautoscaling::config::BehaviorVersion::latest())
            .region(aws_sdk_applicationautoscaling::config::Region::new("us-east-1"))
            .credentials_provider(credentials())
            .endpoint_url(&self.sagemaker)
            .build();
        aws_sdk_applicationautoscaling::Client::from_conf(config)
    }

    /// An SSM client of the official SDK, for arranging.
    pub(super) fn parameters(&self) -> aws_sdk_ssm::Client {
        let config = aws_sdk_ssm::Config::builder()
            .behavior_version(aws_sdk_ssm::config::BehaviorVersion::latest())
            .region(aws_sdk_ssm::config::Region::new("us-east-1"))
            .credentials_provider(credentials())
            .endpoint_url(&self.sagemaker)
            .build();
        aws_sdk_ssm::Client::from_conf(config)
    }

    /// Moves an endpoint's last change into the past.
    pub(super) fn age(&self, endpoint: &str, seconds: u32) {
        self.control("POST", "/age", &json!({ "endpoint": endpoint, "seconds": seconds }));
    }

    /// Lets the next requests of an operation fail.
    pub(super) fn fail(&self, operation: &str, status: u16, times: u32, code: &str) {
        let body = json!({ "__type": code, "message": "injected by the test" });
        let fault = json!({ "operation": operation, "status": status, "times": times, "body": body });
        self.control("POST", "/fail", &fault);
    }

    /// Lets every request take as long as it would over a network, so that requests which are sent
    /// together also show as such.
    pub(super) fn slow_down(&self) {
        self.control("POST", "/delay", &json!({ "seconds": 0.1 }));
    }

    /// Forgets the requests so far.
    pub(super) fn forget_requests(&self) {
        self.control("DELETE", "/requests", &Value::Null);
    }

    /// The requests since then.
    pub(super) fn requests(&self) -> Vec<Request> {
        let answer = self.control("GET", "/requests", &Value::Null);
        let read = |request: &Value| Request {
            operation: request["operation"].as_str().unwrap_or_default().to_owned(),
            start: request["start"].as_f64().unwrap(),
            end: request["end"].as_f64().unwrap(),
        };
        answer.as_array().unwrap().iter().map(read).collect()
    }

    /// Lets the next `UpdateEndpoint` of an endpoint fail half-way and be rolled back.
    pub(super) fn rollback(&self, endpoint: &str) {
        self.control("POST", "/rollback", &json!({ "endpoint": endpoint }));
    }

    /// Limits how many instances of a type all endpoints may have together; `None` lifts the limit.
    pub(super) fn quota(&self, instance_type: &str, instances: Option<u32>) {
        self.control("POST", "/quota", &json!({ "type": instance_type, "instances": instances }));
    }

    /// Lets `UpdateEndpoint` not find an endpoint configuration before it is that old.
    pub(super) fn visibility(&self, seconds: f64) {
        self.control("POST", "/visibility", &json!({ "seconds": seconds }));
    }

    /// Puts a tag on an endpoint or its configuration as AWS does it: its keys may begin with `aws:`.
    pub(super) fn tag(&self, arn: &str, key: &str, value: &str) {
        self.control("POST", "/tag", &json!({ "arn": arn, "key": key, "value": value }));
    }

    /// Creates an endpoint configuration, and its models, with every member that the API knows. One variant
    /// of it may change its type: the named one, of the given type, at two instances.
    pub(super) fn every_member(
        &self,
        name: &str,
        variant: &str,
        instance_type: &str,
        shadows: bool,
    ) -> EveryMember {
        let wanted = json!({ "name": name, "variant": variant, "type": instance_type, "shadows": shadows });
        let made = self.control("POST", "/every-member", &wanted);
        EveryMember {
            arn: made["arn"].as_str().unwrap().to_owned(),
            covered: texts(&made["covered"]),
            missing: texts(&made["missing"]),
        }
    }

    /// The paths of the members in which two endpoint configurations differ, like
    /// `ProductionVariants[1].InstanceType`; name, ARN and age do not count, and tags are no members.
    pub(super) fn differences(&self, left: &str, right: &str) -> Vec<String> {
        texts(&self.control("POST", "/differences", &json!({ "left": left, "right": right })))
    }

    /// Creates the topic that alarms notify, without a subscription.
    pub(super) fn create_topic(&self) {
        self.topic(ALARM_ACTION.rsplit(':').next().unwrap());
    }

    fn topic(&self, name: &str) {
        let form = "Content-Type: application/x-www-form-urlencoded";
        self.ask("sns", form, &format!("Action=CreateTopic&Version=2010-03-31&Name={name}"));
    }

    /// Creates a topic, and a queue of this name that subscribes to it.
    pub(super) fn create_topic_with_queue(&self, name: &str) {
        self.topic(name);
        self.queue("CreateQueue", &json!({ "QueueName": name }));
        let form = "Content-Type: application/x-www-form-urlencoded";
        let arn = |service: &str| format!("arn:aws:{service}:us-east-1:000000000000:{name}");
        let (topic, queue) = (arn("sns"), arn("sqs"));
        let subscribe =
            format!("Action=Subscribe&Version=2010-03-31&Protocol=sqs&TopicArn={topic}&Endpoint={queue}");
        self.ask("sns", form, &subscribe);
    }

    /// The next message of such a queue: SNS's envelope around what was published.
    pub(super) fn received(&self, name: &str) -> Value {
        let queue = self.queue("GetQueueUrl", &json!({ "QueueName": name }));
        let wanted = json!({ "QueueUrl": queue["QueueUrl"], "WaitTimeSeconds": 10 });
        let received = self.queue("ReceiveMessage", &wanted);
        let body = received["Messages"][0]["Body"].as_str().unwrap_or_else(|| panic!("{received}"));
        serde_json::from_str(body).unwrap()
    }

    fn queue(&self, operation: &str, body: &Value) -> Value {
        let target =
            format!("Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.{operation}");
        serde_json::from_str(&self.ask("sqs", &target, &body.to_string())).unwrap()
    }

    /// Asks one of the services beside CloudWatch, and returns the body of its answer.
    fn ask(&self, service: &str, headers: &str, body: &str) -> String {
        let host = self.cloudwatch.strip_prefix("http://").unwrap();
        let signed = format!("AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request");
        let answer = exchange(
            host,
            &format!(
                "POST / HTTP/1.1\r\nHost: {host}\r\nAuthorization: {signed}\r\n{headers}\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            ),
        );
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        body.to_owned()
    }

    fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        server::control(&self.control, method, path, body)
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// How many requests had to wait for one another: requests that overlap in time count as one.
pub(super) fn sequential(requests: &[Request]) -> usize {
    server::sequential(requests.iter().map(|request| (request.start, request.end)))
}

fn credentials() -> aws_sdk_sagemaker::config::Credentials {
    aws_sdk_sagemaker::config::Credentials::new("test", "test", None, None, "test")
}

/// Where `make emulators` puts Python and cargo-lambda.
pub(super) fn virtual_environment() -> PathBuf {
    root().join("target/venv")
}
