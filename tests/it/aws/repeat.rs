//! The clock on AWS: what fires on is answered again, and what is left behind is cleared away.

use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension, StateValue, Statistic};
use serde_json::Value;

use super::emulators::{ALARM_ACTION, root, sequential};
use super::function::Function;
use super::horizontal::{Account, ENDPOINT, PAIR};

const HIGH: &str = "churn-model_deployment_high_cpu";

fn signal(name: &str) -> Vec<u8> {
    std::fs::read(root().join("events/signals").join(name)).unwrap()
}

/// The reason of each hold, or how it ended.
fn reasons(reply: &Value) -> Vec<&str> {
    let told = |outcome: &'_ Value| outcome["decision"]["reason"].is_string();
    let field = |outcome| if told(outcome) { &outcome["decision"]["reason"] } else { &outcome["result"] };
    reply["outcomes"].as_array().unwrap().iter().map(|outcome| field(outcome).as_str().unwrap()).collect()
}

/// A high alarm that calls somebody.
async fn put_high_alarm(account: &Account, name: &str, action: &str) {
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

async fn set(account: &Account, alarm: &str, state: StateValue) {
    account
        .cloudwatch
        .set_alarm_state()
        .alarm_name(alarm)
        .state_value(state)
        .state_reason("told by the test")
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn what_fires_on_is_answered_again_until_nothing_is_left() {
    let Some(account) = Account::with_endpoint("churn").await else { return };
    let function = Function::start(&account.emulators);
    account.emulators.slow_down();
    let tick = signal("tick.json");

    // Nothing fires: one call, and nothing to tell. An alarm whose action only begins like ours is not ours.
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

    // The load has gone: the low alarm calls once, and is answered until the floor.
    set(&account, HIGH, StateValue::Ok).await;
    set(&account, PAIR, StateValue::Alarm).await;
    for left in [2, 1] {
        account.age();
        assert_eq!(reasons(&function.invoke(&tick)), ["applied"]);
        assert_eq!(account.settle().await, left);
    }

    // At rest at the floor: the pair has served.
    assert_eq!(reasons(&function.invoke(&signal("endpoint-at-rest.json"))), ["stale"]);
    let names: Vec<_> = account.alarms().await.into_iter().filter_map(|alarm| alarm.alarm_name).collect();
    assert_eq!(names, [HIGH, "other-high-cpu"]);
}

#[tokio::test]
async fn a_pair_whose_endpoint_is_deleted_goes_with_it() {
    let Some(account) = Account::with_endpoint("churn").await else { return };
    let function = Function::start(&account.emulators);
    put_high_alarm(&account, HIGH, ALARM_ACTION).await;
    set(&account, HIGH, StateValue::Alarm).await;
    assert_eq!(reasons(&function.invoke(&signal("tick.json"))), ["applied"]);
    account.settle().await;
    set(&account, HIGH, StateValue::Ok).await;
    account.sagemaker.delete_endpoint().endpoint_name(ENDPOINT).send().await.unwrap();
    assert_eq!(reasons(&function.invoke(&signal("tick.json"))), ["target_gone"]);
    assert_eq!(account.alarms().await.len(), 1, "the high alarm is not ours");
}
