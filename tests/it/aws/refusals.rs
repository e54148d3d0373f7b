//! What goes wrong on AWS: what is retried, what is answered, and what an operator is notified of.

use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace};
use serde_json::Value;

use super::emulators::root;
use super::function::Function;
use super::horizontal::{Account, sample};

fn only(reply: &Value) -> &Value {
    &reply["outcomes"][0]
}

#[tokio::test]
async fn faults_are_distinguished() {
    let Some(account) = Account::with_endpoint("churn").await else { return };
    let function = Function::start(&account.emulators);
    let high = sample("sns.high-cpu.firing.json");

    // A request to a service that fails once is retried within the invocation.
    account.emulators.fail("DescribeEndpoint", 503, 1, "ServiceUnavailable");
    // A denied call is answered with the permission that is missing, and not retried.
    account.emulators.fail("PutMetricAlarm", 403, 1, "AccessDenied");
    let reply = function.invoke(&high);
    assert_eq!(only(&reply)["result"], "failed", "{reply:#}");
    assert_eq!(only(&reply)["error"]["kind"], "denied");
    assert_eq!(only(&reply)["error"]["hint"], "allow `cloudwatch:PutMetricAlarm`");
    let statuses: Vec<&Value> =
        only(&reply)["calls"].as_array().unwrap().iter().map(|c| &c["status"]).collect();
    assert_eq!(statuses, ["failed", "not_sent"], "what was not paired is not added");
    assert_eq!(account.settle().await, 1);

    // A service that goes on failing is left to the platform's next delivery.
    account.emulators.fail("UpdateEndpointWeightsAndCapacities", 503, 9, "ServiceUnavailable");
    let error = function.invoke_failing(&high);
    assert!(error.contains("Retryable") && error.contains("UpdateEndpointWeightsAndCapacities"), "{error}");
    account.emulators.fail("UpdateEndpointWeightsAndCapacities", 503, 0, "ServiceUnavailable");

    // So is one that throttles.
    account.emulators.fail("DescribeAlarms", 400, 9, "ThrottlingException");
    let error = function.invoke_failing(&high);
    assert!(error.contains("Retryable") && error.contains("throttled"), "{error}");
    account.emulators.fail("DescribeAlarms", 400, 0, "ThrottlingException");

    // A tick is never retried: the next one does the same.
    account.emulators.fail("DescribeAlarms", 503, 9, "ServiceUnavailable");
    let tick = std::fs::read(root().join("events/signals/tick.json")).unwrap();
    assert_eq!(function.invoke(&tick)["error"]["kind"], "tick");
    account.emulators.fail("DescribeAlarms", 503, 0, "ServiceUnavailable");

    // The same delivery succeeds when the service is well again.
    assert_eq!(only(&function.invoke(&high))["result"], "applied");
    assert_eq!(account.settle().await, 2);
}

#[tokio::test]
async fn quotas_bounds_and_strangers() {
    let Some(account) = Account::with_endpoint("churn").await else { return };
    let function = Function::start(&account.emulators);
    let high = sample("sns.high-cpu.firing.json");

    // A quota is permanent until somebody raises it.
    account.emulators.fail("UpdateEndpointWeightsAndCapacities", 400, 1, "ResourceLimitExceeded");
    let reply = function.invoke(&high);
    assert_eq!(only(&reply)["error"]["kind"], "over_quota", "{reply:#}");
    assert_eq!(only(&reply)["error"]["retryable"], false);

    // The platform's own bounds count.
    let target = "endpoint/churn/variant/AllTraffic";
    account
        .emulators
        .scaling()
        .register_scalable_target()
        .service_namespace(ServiceNamespace::Sagemaker)
        .resource_id(target)
        .scalable_dimension(ScalableDimension::SageMakerVariantDesiredInstanceCount)
        .min_capacity(1)
        .max_capacity(1)
        .send()
        .await
        .unwrap();
    let reply = function.invoke(&high);
    assert_eq!(only(&reply)["decision"]["reason"], "at_ceiling", "{reply:#}");

    // A registered variant keeps its type.
    let text = String::from_utf8(high.clone()).unwrap().replace("_high_cpu", "_high_mem");
    let reply = function.invoke(text.as_bytes());
    assert_eq!(only(&reply)["decision"]["reason"], "owned_elsewhere", "{reply:#}");

    // An endpoint that does not exist is reported, not retried.
    let text = String::from_utf8(high).unwrap().replace("\\\"churn\\\"", "\\\"nobody\\\"");
    let reply = function.invoke(text.as_bytes());
    assert_eq!(only(&reply)["error"]["kind"], "not_found", "{reply:#}");

    // What is no alarm is answered, and nothing is called for it.
    account.emulators.forget_requests();
    let s3 = std::fs::read(root().join("events/rejected/s3.json")).unwrap();
    assert_eq!(function.invoke(&s3)["error"]["kind"], "not_an_alarm");
    assert!(account.emulators.requests().is_empty());
}

/// Every sample is answered: with outcomes, or with an error that a retry would not cure.
#[tokio::test]
async fn every_sample_gets_a_reply() {
    let Some(account) = Account::with_endpoint("churn").await else { return };
    let function = Function::start(&account.emulators);
    for (folder, field) in
        [("cloudwatch", "outcomes"), ("oci", "outcomes"), ("signals", "outcomes"), ("rejected", "error")]
    {
        let files = std::fs::read_dir(root().join("events").join(folder)).unwrap();
        for file in files.map(|file| file.unwrap().path()) {
            let reply = function.invoke(&std::fs::read(&file).unwrap());
            assert!(reply.get(field).is_some(), "{}: {reply:#}", file.display());
        }
    }
}

#[tokio::test]
async fn the_command_sees_the_same_account() {
    let Some(account) = Account::with_endpoint("churn").await else { return };
    let scratch = tempfile::tempdir().unwrap();
    let event = scratch.path().join("event.json");
    std::fs::write(&event, sample("sns.high-cpu.firing.json")).unwrap();
    let run = |dry: &[&str]| -> Value {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_stepladder"))
            .args(["handle", "--cloud", "aws", "--format", "json"])
            .arg(&event)
            .args(dry)
            .env_clear()
            .envs(account.emulators.environment())
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    };

    let reply = run(&["--dry-run"]);
    assert_eq!(only(&reply)["result"], "dry_run", "{reply:#}");
    let mutating = |name: &str| !["Describe", "List"].iter().any(|read| name.starts_with(read));
    assert!(!account.emulators.requests().iter().any(|request| mutating(&request.operation)));
    assert_eq!(only(&run(&[]))["result"], "applied");
    assert_eq!(account.settle().await, 2);
}

#[tokio::test]
async fn an_alarm_of_another_region_speaks_of_another_endpoint() {
    let Some(account) = Account::with_endpoint("churn").await else { return };
    let function = Function::start(&account.emulators);
    let high = String::from_utf8(sample("sns.high-cpu.firing.json")).unwrap();
    let reply = function.invoke(high.replace("us-east-1", "eu-west-1").as_bytes());
    assert_eq!(only(&reply)["error"]["kind"], "refused", "{reply:#}");
    let message = only(&reply)["error"]["message"].as_str().unwrap();
    assert!(message.contains("`eu-west-1`") && message.contains("`us-east-1`"), "{message}");
    assert!(account.emulators.requests().is_empty());
}

#[test]
fn without_a_region_or_credentials_it_reports_what_to_set() {
    for environment in [vec![], vec![("AWS_REGION", "us-east-1"), ("AWS_EC2_METADATA_DISABLED", "true")]] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_stepladder"))
            .args(["handle", "--cloud", "aws", "--format", "json"])
            .arg(root().join("events/cloudwatch/sns.high-cpu.firing.json"))
            .env_clear()
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(environment.clone())
            .output()
            .unwrap();
        let reply: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(only(&reply)["error"]["kind"], "unconfigured", "{environment:?}: {reply:#}");
        let hint = "set a region and credentials, as for the cloud's own command line";
        assert_eq!(only(&reply)["error"]["hint"], hint);
    }
}
