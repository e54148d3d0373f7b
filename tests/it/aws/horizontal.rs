//! The main job on AWS: up by an instance with a paired alarm, nothing twice, down again, pair gone.

use aws_sdk_sagemaker::types::{EndpointStatus, ProductionVariant};
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

use super::emulators::{ALARM_ACTION, Emulators, sequential};
use super::function::Function;

pub(super) const ENDPOINT: &str = "churn";
pub(super) const VARIANT: &str = "AllTraffic";
pub(super) const PAIR: &str = "stepladder/endpoint/churn/variant/AllTraffic/model_deployment_low_cpu";

/// Longer ago than the window of any alarm of these tests.
const AN_HOUR: u32 = 3600;

pub(super) struct Account {
    pub(super) emulators: Emulators,
    pub(super) sagemaker: aws_sdk_sagemaker::Client,
    pub(super) cloudwatch: aws_sdk_cloudwatch::Client,
}

impl Account {
    /// An account with one endpoint, whose last change is an hour ago.
    pub(super) async fn with_endpoint(configuration: &str) -> Option<Self> {
        Self::with_endpoint_on(configuration, "ml.m5.xlarge").await
    }

    /// The same with an instance of another shape.
    pub(super) async fn with_endpoint_on(configuration: &str, shape: &str) -> Option<Self> {
        let account = Self::empty()?;
        let sagemaker = &account.sagemaker;
        let role = "arn:aws:iam::000000000000:role/model";
        sagemaker.create_model().model_name("model").execution_role_arn(role).send().await.unwrap();
        let variant = ProductionVariant::builder()
            .variant_name(VARIANT)
            .model_name("model")
            .initial_instance_count(1)
            .instance_type(shape.into())
            .build();
        sagemaker
            .create_endpoint_config()
            .endpoint_config_name(configuration)
            .production_variants(variant)
            .send()
            .await
            .unwrap();
        account.create_endpoint(configuration).await;
        Some(account)
    }

    /// An account with nothing in it.
    pub(super) fn empty() -> Option<Self> {
        let emulators = Emulators::start()?;
        let (sagemaker, cloudwatch) = (emulators.sagemaker(), emulators.cloudwatch());
        Some(Self { emulators, sagemaker, cloudwatch })
    }

    /// Creates the endpoint, an hour ago.
    pub(super) async fn create_endpoint(&self, configuration: &str) {
        let create = self.sagemaker.create_endpoint().endpoint_name(ENDPOINT);
        create.endpoint_config_name(configuration).send().await.unwrap();
        self.age();
        self.emulators.forget_requests();
    }

    /// Waits for the change under way, and returns how many instances run then.
    pub(super) async fn settle(&self) -> i32 {
        let deadline = Instant::now() + Duration::from_mins(2);
        loop {
            let seen = self.sagemaker.describe_endpoint().endpoint_name(ENDPOINT).send().await.unwrap();
            if seen.endpoint_status() == Some(&EndpointStatus::InService) {
                self.emulators.forget_requests();
                return seen.production_variants()[0].current_instance_count().unwrap();
            }
            assert!(Instant::now() < deadline, "the endpoint does not settle");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Lets the last change lie an hour back, so that new evidence is fresh.
    pub(super) fn age(&self) {
        self.emulators.age(ENDPOINT, AN_HOUR);
    }

    /// Every metric alarm of the account.
    pub(super) async fn alarms(&self) -> Vec<aws_sdk_cloudwatch::types::MetricAlarm> {
        self.cloudwatch.describe_alarms().send().await.unwrap().metric_alarms.unwrap_or_default()
    }

    pub(super) fn round_trips(&self) -> usize {
        sequential(&self.emulators.requests())
    }
}

/// A sample payload whose alarm has fired just now, in the emulators' account.
pub(super) fn sample(name: &str) -> Vec<u8> {
    const FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.3f%z";
    let path = super::emulators::root().join("events/cloudwatch").join(name);
    let mut event: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let message = &mut event["Records"][0]["Sns"]["Message"];
    let mut alarm: Value = serde_json::from_str(message.as_str().unwrap()).unwrap();
    let now = Timestamp::now();
    let since =
        now.duration_since(Timestamp::strptime(FORMAT, alarm["StateChangeTime"].as_str().unwrap()).unwrap());
    alarm["StateChangeTime"] = json!(now.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string());
    alarm["NewStateReason"] = json!(later(alarm["NewStateReason"].as_str().unwrap(), since));
    *message = json!(alarm.to_string().replace("111122223333", "000000000000"));
    event.to_string().into_bytes()
}

/// The moments of datapoints in text, as CloudWatch writes them in fields, as much later.
pub(super) fn moments_later(text: &str, by: SignedDuration) -> String {
    const FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.3f%z";
    let later = |part: &str| {
        let moment = Timestamp::strptime(FORMAT, part).ok()? + by;
        Some(moment.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string())
    };
    let parts: Vec<String> =
        text.split('"').map(|part| later(part).unwrap_or_else(|| part.to_owned())).collect();
    parts.join("\"")
}

/// The reason of an alarm's state, with the moments of its datapoints as much later.
pub(super) fn later(reason: &str, by: SignedDuration) -> String {
    const FORMAT: &str = "%d/%m/%y %H:%M:%S";
    let later = |part: &str| {
        let (moment, rest) = part.split_once(')')?;
        let moment = DateTime::strptime(FORMAT, moment).ok()? + by;
        Some(format!("{}){rest}", moment.strftime(FORMAT)))
    };
    let parts: Vec<String> =
        reason.split('(').map(|part| later(part).unwrap_or_else(|| part.to_owned())).collect();
    parts.join("(")
}

pub(super) fn outcome(reply: &Value) -> &Value {
    let outcomes = reply["outcomes"].as_array().unwrap_or_else(|| panic!("{reply:#}"));
    assert_eq!(outcomes.len(), 1, "{reply:#}");
    &outcomes[0]
}

#[tokio::test]
async fn up_once_with_a_pair_then_down_to_the_floor_and_the_pair_is_gone() {
    let Some(account) = Account::with_endpoint("churn").await else { return };
    let function = Function::start(&account.emulators);
    account.emulators.slow_down();
    let high = sample("sns.high-cpu.firing.json");

    // Up: the pair first, then the count.
    let reply = function.invoke(&high);
    assert_eq!(outcome(&reply)["result"], "applied", "{reply:#}");
    let calls: Vec<&str> =
        outcome(&reply)["calls"].as_array().unwrap().iter().map(|c| c["call"].as_str().unwrap()).collect();
    assert_eq!(calls, ["aws:PutMetricAlarm", "aws:UpdateEndpointWeightsAndCapacities"]);
    assert!(account.round_trips() <= 3, "{} round trips", account.round_trips());

    // The same event while the change is under way, and after it: nothing.
    assert_eq!(outcome(&function.invoke(&high))["decision"]["reason"], "busy");
    assert_eq!(account.settle().await, 2);
    assert_eq!(outcome(&function.invoke(&high))["decision"]["reason"], "stale");
    assert_eq!(account.settle().await, 2);

    // Exactly one scale-down alarm, and it has stepladder's mark.
    let alarms = account.alarms().await;
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    assert_eq!(alarms[0].alarm_name(), Some(PAIR));
    assert_eq!(alarms[0].threshold(), Some(40.0), "10 % of four vCPUs");
    assert_eq!(alarms[0].alarm_actions(), [ALARM_ACTION]);
    let marker = "stepladder: pair=model_deployment_low_cpu target=endpoint/churn/variant/AllTraffic";
    assert!(alarms[0].alarm_description().unwrap().lines().last().unwrap().starts_with(marker));

    // Down by the scale-down alarm.
    account.age();
    account.emulators.forget_requests();
    let low = sample("sns.low-cpu.firing.json");
    let reply = function.invoke(&low);
    assert_eq!(outcome(&reply)["decision"]["to"]["instances"], 1, "{reply:#}");
    assert!(account.round_trips() <= 2, "{} round trips", account.round_trips());
    assert_eq!(account.alarms().await.len(), 1, "the floor is not yet observed");
    assert_eq!(account.settle().await, 1);

    // Seen at the floor: the pair goes, and nothing else happens.
    let reply = function.invoke(&low);
    assert_eq!(outcome(&reply)["decision"]["reason"], "stale", "{reply:#}");
    assert_eq!(outcome(&reply)["calls"][0]["call"], "aws:DeleteAlarms");
    assert!(account.alarms().await.is_empty());
    assert_eq!(account.settle().await, 1);
}

#[tokio::test]
async fn every_outcome_is_one_record_with_metrics() {
    let Some(account) = Account::with_endpoint("churn").await else { return };
    let function = Function::start(&account.emulators);
    function.invoke(&sample("sns.high-cpu.firing.json"));

    let log = function.log();
    let records: Vec<Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|record: &Value| record["Decisions"] == 1)
        .collect();
    let [record] = records.as_slice() else { panic!("expected one record in:\n{log}") };
    assert_eq!(record["result"], "applied");
    assert_eq!(record["reason"], "resize");
    assert!(record["AlarmToCallSeconds"].is_f64());
    let metrics = &record["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(metrics["Namespace"], "stepladder");
    // The template's alarm on failed decisions watches the second of these.
    let dimensions = serde_json::json!([["result", "reason"], ["result"], []]);
    assert_eq!(metrics["Dimensions"], dimensions);
}

#[tokio::test]
async fn a_configuration_of_another_name_costs_one_round_trip_once() {
    let Some(account) = Account::with_endpoint("churn-2026-03-02").await else { return };
    let function = Function::start(&account.emulators);
    account.emulators.slow_down();
    let reply = function.invoke(&sample("sns.high-cpu.firing.json"));
    assert_eq!(outcome(&reply)["result"], "applied", "{reply:#}");
    assert_eq!(account.round_trips(), 4);

    // Now the warm process knows it.
    assert_eq!(account.settle().await, 2);
    account.age();
    account.emulators.forget_requests();
    let reply = function.invoke(&sample("sns.high-cpu.firing.json"));
    assert_eq!(outcome(&reply)["result"], "applied", "{reply:#}");
    assert_eq!(account.round_trips(), 2);
    assert_eq!(account.settle().await, 3);

    // A cold process finds it in the pair's marker.
    account.age();
    let cold = Function::start(&account.emulators);
    let reply = cold.invoke(&sample("sns.high-cpu.firing.json"));
    assert_eq!(outcome(&reply)["result"], "applied", "{reply:#}");
    assert_eq!(account.round_trips(), 2);
}
