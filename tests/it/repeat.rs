//! Ticks and events of settled endpoints: further steps, scale-downs, and repaired pairs.

use rstest::rstest;
use serde_json::{Value, json};
use stepladder::outcome::{Outcome, Status};
use stepladder::platform::simulated::{Delivery, SimulatedCloud};
use stepladder::policy::Policy;
use stepladder::report;

use crate::support::{
    Blind, CHURN, CPU_PAIR, HIGH_CPU, LOW_CPU, TICK, TOPIC_ARN, VARIANT, answer, built_in, cloud, cloud_with,
    minute, notice, on, operations, pairs, pass, policy, reason, send, size,
};

fn in_service(endpoint: &str) -> Vec<u8> {
    settled(endpoint, "IN_SERVICE", &json!([{ "VariantName": "AllTraffic" }])).to_string().into_bytes()
}

fn settled(endpoint: &str, status: &str, variants: &Value) -> Value {
    json!({
        "detail-type": "SageMaker Endpoint State Change",
        "source": "aws.sagemaker",
        "detail": { "EndpointName": endpoint, "EndpointStatus": status, "ProductionVariants": variants },
    })
}

/// The policy of a function behind the alarms' topic.
fn with_topic(mut policy: Policy) -> Policy {
    policy.alarm_action = Some(TOPIC_ARN.to_owned());
    policy
}

/// Lets time pass, and delivers the alarms' notifications and a tick every minute.
fn live(cloud: &SimulatedCloud, policy: &Policy, minutes: std::ops::Range<i64>) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for at in minutes.map(minute) {
        for Delivery { body, .. } in cloud.advance(at) {
            outcomes.extend(answer(&body, cloud, policy, at).outcomes);
        }
        outcomes.extend(answer(TICK, cloud, policy, at).outcomes);
    }
    outcomes
}

/// The variant's metric, which all of its alarms watch.
fn load(cloud: &SimulatedCloud, value: f64) {
    on(cloud, VARIANT, |found| found.metrics.insert("CPUUtilization".to_owned(), value));
}

#[test]
fn a_lasting_load_scales_to_the_ceiling_and_no_load_scales_to_the_floor() {
    let policy = with_topic(policy("[defaults]\ninstances = { min = 1, max = 4 }"));
    let cloud = cloud();
    load(&cloud, 390.0);
    live(&cloud, &policy, 0..60);
    assert_eq!(size(&cloud, VARIANT).instances, 4, "one notice, and the clock does the rest");
    assert_eq!(pairs(&cloud.snapshot(), VARIANT, CPU_PAIR).len(), 1);

    load(&cloud, 1.0);
    live(&cloud, &policy, 60..180);
    assert_eq!(size(&cloud, VARIANT).instances, 1);
    assert_eq!(pairs(&cloud.snapshot(), VARIANT, CPU_PAIR), [], "nothing is left over");
}

#[test]
fn a_low_alarm_that_came_too_early_is_not_lost() {
    // It fires while the endpoint is still changing, is held as busy, and would never notify again.
    let policy = with_topic(built_in());
    let cloud = cloud();
    cloud.with(|world| world.update_seconds = 20 * 60);
    send(&notice(HIGH_CPU, VARIANT), &cloud, &policy);
    load(&cloud, 1.0);
    let outcomes = live(&cloud, &policy, 1..15);
    assert!(outcomes.iter().any(|outcome| reason(outcome) == "busy"));
    live(&cloud, &policy, 15..60);
    assert_eq!(size(&cloud, VARIANT).instances, 1);
    assert_eq!(pairs(&cloud.snapshot(), VARIANT, CPU_PAIR), []);
}

#[test]
fn a_settled_endpoint_at_its_floor_loses_its_pair_at_once() {
    let policy = with_topic(built_in());
    let cloud = cloud();
    send(&notice(HIGH_CPU, VARIANT), &cloud, &policy);
    pass(&cloud, 60);
    send(&notice(LOW_CPU, VARIANT).at(minute(60)), &cloud, &policy);
    pass(&cloud, 60);
    let outcomes = answer(&in_service("churn"), &cloud, &policy, minute(120)).outcomes;
    assert_eq!(outcomes.iter().flat_map(operations).collect::<Vec<_>>(), ["aws:DeleteAlarms"]);
    assert_eq!(pairs(&cloud.snapshot(), VARIANT, CPU_PAIR), []);
}

#[rstest]
// Another endpoint, whose name begins the same.
#[case::other(in_service("churn-2"))]
// It is still changing.
#[case::changing(settled("churn", "UPDATING", &json!([])).to_string().into_bytes())]
fn what_does_not_concern_a_target_leaves_it_alone(#[case] event: Vec<u8>) {
    let policy = with_topic(built_in());
    let cloud = cloud();
    send(&notice(HIGH_CPU, VARIANT), &cloud, &policy);
    on(&cloud, VARIANT, |found| found.change = None);
    let before = cloud.snapshot();
    assert!(answer(&event, &cloud, &policy, minute(60)).outcomes.is_empty());
    assert_eq!(cloud.snapshot(), before);
}

#[test]
fn a_pair_whose_endpoint_is_gone_goes_too() {
    let policy = with_topic(built_in());
    let cloud = cloud();
    send(&notice(HIGH_CPU, VARIANT), &cloud, &policy);
    cloud.with(|world| world.deployments.remove(VARIANT));
    let outcomes = answer(TICK, &cloud, &policy, minute(60)).outcomes;
    assert_eq!(outcomes.iter().map(reason).collect::<Vec<_>>(), ["target_gone"]);
    assert_eq!(outcomes.iter().flat_map(operations).collect::<Vec<_>>(), ["aws:DeleteAlarms"]);
    assert_eq!(pairs(&cloud.snapshot(), VARIANT, CPU_PAIR), []);
}

#[test]
fn an_account_without_active_alarms_gets_no_outcome() {
    let policy = with_topic(built_in());
    let cloud = cloud();
    let before = cloud.snapshot();
    assert!(answer(TICK, &cloud, &policy, minute(1)).outcomes.is_empty());
    assert_eq!(cloud.snapshot(), before);
}

#[test]
fn alarms_that_notify_another_topic_are_not_answered() {
    let mut policy = built_in();
    policy.alarm_action = Some("arn:aws:sns:us-east-1:111122223333:others".to_owned());
    let cloud = cloud();
    load(&cloud, 390.0);
    cloud.advance(minute(30));
    assert!(answer(TICK, &cloud, &policy, minute(30)).outcomes.is_empty());
}

#[test]
fn a_tick_in_observe_mode_sends_nothing() {
    let policy = with_topic(policy("mode = \"observe\""));
    let cloud = cloud();
    load(&cloud, 390.0);
    cloud.advance(minute(30));
    let before = cloud.snapshot();
    let outcomes = answer(TICK, &cloud, &policy, minute(30)).outcomes;
    assert_eq!(report::record(&outcomes[0])["result"], "dry_run");
    assert!(outcomes.iter().flat_map(|one| &one.calls).all(|sent| sent.status == Status::DryRun));
    assert_eq!(cloud.snapshot(), before);
}

#[test]
fn oci_alarms_repeat_by_themselves_and_are_not_read_by_a_tick() {
    let cloud = cloud_with(CHURN, 3, "VM.Standard2.1");
    on(&cloud, CHURN, |found| found.metrics.insert("CpuUtilization".to_owned(), 1.0));
    cloud.advance(minute(30));
    assert!(answer(TICK, &cloud, &built_in(), minute(30)).outcomes.is_empty());
}

#[test]
fn a_failure_to_read_the_active_alarms_is_reported() {
    let error = stepladder::platform::Error::Throttled {
        operation: "aws:DescribeAlarms".to_owned(),
        message: "Rate exceeded".to_owned(),
    };
    let answer = answer(TICK, &Blind(error), &built_in(), minute(0));
    let reply = report::reply(&answer);
    assert_eq!(reply["error"]["kind"], "throttled");
    assert_eq!(reply["error"]["retryable"], true);
}

#[rstest]
#[case::variants(settled("churn", "IN_SERVICE", &json!([{ "VariantName": "a" }, { "VariantName": "b" }])),
    json!({ "alarms": [], "settled": ["endpoint/churn/variant/a", "endpoint/churn/variant/b"] }))]
// The event may leave the names of its variants out.
#[case::nameless(settled("churn", "IN_SERVICE", &json!([{ "DesiredInstanceCount": 1.0 }])),
    json!({ "alarms": [], "settled": ["endpoint/churn"] }))]
#[case::changing(settled("churn", "UPDATING", &json!([{ "VariantName": "a" }])),
    json!({ "alarms": [], "settled": [] }))]
#[case::tick(json!({ "stepladder": "tick" }), json!({ "alarms": [], "tick": true }))]
#[case::schedule(json!({ "detail-type": "Scheduled Event", "source": "aws.events", "detail": {} }),
    json!({ "alarms": [], "tick": true }))]
// As a queue delivers it, beside something that is no alarm.
#[case::queued(
    json!({ "Records": [
        { "eventSource": "aws:sqs", "messageId": "m", "body": settled("churn", "IN_SERVICE", &json!([])).to_string() },
    ] }),
    json!({ "alarms": [], "settled": ["endpoint/churn"] })
)]
fn events_that_are_no_alarms_are_parsed(#[case] payload: Value, #[case] expected: Value) {
    let event = stepladder::source::parse(payload.to_string().as_bytes()).unwrap();
    assert_eq!(report::parsed(&event), expected);
}
