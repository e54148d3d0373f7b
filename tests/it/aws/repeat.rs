//! The clock on AWS: what fires on is answered again, and what is left behind is cleared away.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension, StateValue, Statistic};
use jiff::Timestamp;
use serde_json::Value;

use super::emulators::{ALARM_ACTION, Request, root, sequential};
use super::function::Function;
use super::horizontal::{Account, ENDPOINT, PAIR};

pub(super) const HIGH: &str = "churn-model_deployment_high_cpu";

fn measurement(name: &str) -> Vec<u8> {
    std::fs::read(root().join("events/signals").join(name)).unwrap()
}

/// The reason of each hold, or how it ended.
fn reasons(reply: &Value) -> Vec<&str> {
    let has_reason = |outcome: &'_ Value| outcome["decision"]["reason"].is_string();
    let field =
        |outcome| if has_reason(outcome) { &outcome["decision"]["reason"] } else { &outcome["result"] };
    reply["outcomes"].as_array().unwrap().iter().map(|outcome| field(outcome).as_str().unwrap()).collect()
}

/// A scale-up alarm that notifies somebody.
pub(super) async fn put_high_alarm(account: &Account, name: &str, action: &str) {
    let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
    account
        .cloudwatch
        .put_metric_alarm()
        .alarm_name(name)
        .namespace("/aws/sagemaker/Endpoints")
        .metric_name("CPUUtilization")
        .statistic(Statistic::Average)
        .dimensions(dimension("EndpointName", ENDPOINT))
        .dimensions(dimension("VariantName", "AllTraffic"))
        .period(60)
        .evaluation_periods(3)
        .threshold(320.0)
        .comparison_operator(ComparisonOperator::GreaterThanThreshold)
        .alarm_actions(action)
        .send()
        .await
        .unwrap();
}

pub(super) async fn set(account: &Account, alarm: &str, state: StateValue) {
    account
        .cloudwatch
        .set_alarm_state()
        .alarm_name(alarm)
        .state_value(state)
        .state_reason("set by the test")
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn what_fires_on_is_answered_again_until_nothing_is_left() {
    let Some(account) = Account::with_endpoint("churn").await else { return };
    let function = Function::start(&account.emulators);
    account.emulators.slow_down();
    let tick = measurement("tick.json");

    // Nothing fires: one call, and nothing to report. An alarm whose action only begins like the function's is not its
    // own.
    put_high_alarm(&account, HIGH, ALARM_ACTION).await;
    put_high_alarm(&account, "other-high-cpu", &format!("{ALARM_ACTION}-of-others")).await;
    set(&account, "other-high-cpu", StateValue::Alarm).await;
    account.emulators.forget_requests();
    assert_eq!(reasons(&function.invoke(&tick)), Vec::<&str>::new());
    assert_eq!(sequential(&account.emulators.requests()), 1);

    // It fires, and fires on.
    set(&account, HIGH, StateValue::Alarm).await;
    assert_eq!(reasons(&function.invoke(&tick)), ["applied"]);
    assert_eq!(account.settle().await, 2);
    assert_eq!(reasons(&function.invoke(&tick)), ["stale"]);
    account.age();
    assert_eq!(reasons(&function.invoke(&tick)), ["applied"]);
    assert_eq!(account.settle().await, 3);

    // The load has gone: the scale-down alarm notifies once, and is answered until the floor.
    set(&account, HIGH, StateValue::Ok).await;
    set(&account, PAIR, StateValue::Alarm).await;
    for left in [2, 1] {
        account.age();
        assert_eq!(reasons(&function.invoke(&tick)), ["applied"]);
        assert_eq!(account.settle().await, left);
    }

    // At rest at the floor: the pair has served.
    assert_eq!(reasons(&function.invoke(&measurement("endpoint-settled.json"))), ["stale"]);
    let names: Vec<_> = account.alarms().await.into_iter().filter_map(|alarm| alarm.alarm_name).collect();
    assert_eq!(names, [HIGH, "other-high-cpu"]);
}

#[tokio::test]
async fn a_pair_whose_endpoint_is_deleted_goes_with_it() {
    let Some(account) = Account::with_endpoint("churn").await else { return };
    let function = Function::start(&account.emulators);
    put_high_alarm(&account, HIGH, ALARM_ACTION).await;
    set(&account, HIGH, StateValue::Alarm).await;
    assert_eq!(reasons(&function.invoke(&measurement("tick.json"))), ["applied"]);
    account.settle().await;
    set(&account, HIGH, StateValue::Ok).await;
    account.sagemaker.delete_endpoint().endpoint_name(ENDPOINT).send().await.unwrap();
    assert_eq!(reasons(&function.invoke(&measurement("tick.json"))), ["target_gone"]);
    assert_eq!(account.alarms().await.len(), 1, "the scale-up alarm is the operator's");
}

// ---- a thousand alarms at once ----

const ENDPOINTS: usize = 40;
const ALARMS: usize = 1000;

/// So many endpoints with the configuration of the first, and so many alarms about them that all fire.
async fn let_everything_fire(account: &Account) {
    account.emulators.create_topic();
    for number in 0..ENDPOINTS {
        let create = account.sagemaker.create_endpoint().endpoint_name(format!("crowd-{number}"));
        create.endpoint_config_name(ENDPOINT).send().await.unwrap();
        account.emulators.age(&format!("crowd-{number}"), 3 * 3600);
    }
    let mut writing = tokio::task::JoinSet::new();
    for number in 0..ALARMS {
        let client = account.cloudwatch.clone();
        writing.spawn(async move { put_firing_alarm(&client, number).await });
        if writing.len() >= 6 {
            writing.join_next().await.unwrap().unwrap();
        }
    }
    while let Some(written) = writing.join_next().await {
        written.unwrap();
    }
}

/// An alarm that keeps the state that it is given.
async fn put_firing_alarm(client: &aws_sdk_cloudwatch::Client, number: usize) {
    let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
    let name = format!("crowd-{number:04}-high-cpu");
    client
        .put_metric_alarm()
        .alarm_name(&name)
        .namespace("/aws/sagemaker/Endpoints")
        .metric_name("CPUUtilization")
        .statistic(Statistic::Average)
        .dimensions(dimension("EndpointName", &format!("crowd-{}", number % ENDPOINTS)))
        .dimensions(dimension("VariantName", "AllTraffic"))
        .period(3600)
        .evaluation_periods(1)
        .threshold(320.0)
        .comparison_operator(ComparisonOperator::GreaterThanThreshold)
        .treat_missing_data("ignore")
        .alarm_actions(ALARM_ACTION)
        .send()
        .await
        .unwrap();
    let fire = client.set_alarm_state().alarm_name(name).state_value(StateValue::Alarm);
    fire.state_reason("set by the test").send().await.unwrap();
}

/// The names of the alarms that a tick has answered.
fn answered(reply: &Value) -> BTreeSet<String> {
    let outcomes = reply["outcomes"].as_array().unwrap();
    outcomes.iter().map(|outcome| outcome["alarm"]["name"].as_str().unwrap().to_owned()).collect()
}

/// The most requests of an operation that began within any one second.
fn most_in_a_second(requests: &[Request], operation: &str) -> usize {
    let mut starts: Vec<f64> =
        requests.iter().filter(|one| one.operation == operation).map(|one| one.start).collect();
    starts.sort_by(f64::total_cmp);
    let within = |first: &f64| starts.iter().filter(|start| (*first..first + 1.0).contains(start)).count();
    starts.iter().map(within).max().unwrap_or_default()
}

fn minute() -> i64 {
    Timestamp::now().as_second() / 60
}

#[tokio::test]
async fn a_thousand_alarms_are_answered_a_few_at_a_time_inside_the_limits() {
    let Some(account) = Account::with_endpoint("churn").await else { return };
    let_everything_fire(&account).await;
    let function = Function::start(&account.emulators);
    account.emulators.forget_requests();
    let tick = measurement("tick.json");

    let began = minute();
    let reply = function.invoke(&tick);
    let first = answered(&reply);
    assert_eq!(first.len(), 20, "{:#}", reply["error"]);
    let results: BTreeSet<&str> = reasons(&reply).into_iter().collect();
    assert_eq!(results, ["applied"].into(), "each of another endpoint");
    let requests = account.emulators.requests();
    assert!(most_in_a_second(&requests, "DescribeAlarms") <= 9, "nine a second are allowed");
    assert!(most_in_a_second(&requests, "PutMetricAlarm") <= 3, "three a second are allowed");

    // The next minute goes on where this one has stopped.
    let deadline = Instant::now() + Duration::from_secs(90);
    while minute() == began {
        assert!(Instant::now() < deadline, "the minute does not end");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let next = answered(&function.invoke(&tick));
    // The pairs of the first twenty exist now, too, and do not fire.
    assert_eq!(next.iter().filter(|name| name.starts_with("crowd-")).count(), 20, "{next:?}");
    assert!(next.is_disjoint(&first), "{next:?}");
}
