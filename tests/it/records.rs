//! What every decision record keeps to: one reason, no guard twice, the documented order, and nothing hidden.

use jiff::SignedDuration;
use rstest::rstest;
use serde_json::{Value, json};
use stepladder::alarm::Transition;
use stepladder::outcome::{Ending, Outcome};
use stepladder::platform::simulated::SimulatedCloud;
use stepladder::platform::{Client, Error};
use stepladder::report;

use crate::oracle::record_faults;
use crate::support::{
    Blind, CHURN, HIGH_CPU, HIGH_MEM, Interrupted, LOW_CPU, Notice, TICK, VARIANT, answer, at, built_in,
    cloud, cloud_with, notice, on, policy, reason, send,
};

fn is_consistent(outcome: &Outcome) {
    let faults = record_faults(&outcome.decision, &outcome.checks);
    assert_eq!(faults, Vec::<String>::new(), "{}", reason(outcome));
}

fn in_progress() -> Error {
    Error::InProgress { operation: "any".to_owned(), message: "somebody was faster".to_owned() }
}

fn throttled() -> Error {
    Error::Throttled { operation: "any".to_owned(), message: "slow down".to_owned() }
}

#[test]
fn a_refused_update_holds_as_busy_and_as_nothing_else() {
    let cloud = cloud();
    // The pair is written; the update itself is refused.
    let refusing = Interrupted::at(1, in_progress(), &cloud);
    let outcome = send(&notice(HIGH_CPU, CHURN), &refusing, &built_in());
    assert_eq!(reason(&outcome), "busy");
    is_consistent(&outcome);
}

#[rstest]
#[case::not_observed(throttled(), "not_observed")]
#[case::not_found(Error::NotFound { operation: "any".to_owned(), message: "gone".to_owned() }, "not_observed")]
fn what_cannot_be_observed_is_reported_last(#[case] error: Error, #[case] expected: &str) {
    let outcome = send(&notice(HIGH_CPU, CHURN), &Blind(error), &built_in());
    assert_eq!(reason(&outcome), expected);
    is_consistent(&outcome);
}

#[test]
fn a_pair_whose_deployment_is_gone_has_one_reason() {
    let cloud = cloud_with(VARIANT, 1, "ml.m5.xlarge");
    let mut policy = built_in();
    policy.alarm_action = Some(crate::support::TOPIC_ARN.to_owned());
    send(&notice(HIGH_CPU, VARIANT), &cloud, &policy);
    cloud.with(|world| world.deployments.remove(VARIANT));
    let outcomes = answer(TICK, &cloud, &policy, at(60)).outcomes;
    assert!(outcomes.iter().any(|outcome| reason(outcome) == "target_gone"), "{outcomes:?}");
    outcomes.iter().for_each(is_consistent);
}

const TRACKED_SHAPE: &str = "[[rule]]\nalarm = \"*\"\naxis = \"shape\"\ntrack = 60";
const TRACKED_DOWN: &str = "[[rule]]\nalarm = \"*\"\naxis = \"instances\"\ntrack = 60";

#[rstest]
// a metric that does not depend on a shape
#[case::no_resource(TRACKED_SHAPE, HIGH_CPU, "PredictLatency", 95.0, "not_resizable")]
// a rung that does not carry the load
#[case::no_rung(TRACKED_SHAPE, LOW_CPU, "CpuUtilization", 50.0, "on_target")]
#[case::on_target(TRACKED_DOWN, LOW_CPU, "CpuUtilization", 59.0, "on_target")]
fn a_guard_that_runs_again_is_on_record_once(
    #[case] text: &str,
    #[case] alarm: &str,
    #[case] metric: &str,
    #[case] value: f64,
    #[case] expected: &str,
) {
    let cloud = cloud_with(CHURN, 3, "VM.Standard2.4");
    let body = notice(alarm, CHURN).value(value).body();
    let body = String::from_utf8(body).unwrap().replace("CpuUtilization", metric);
    let outcomes = answer(body.as_bytes(), &cloud, &policy(text), at(0)).outcomes;
    assert_eq!(reason(&outcomes[0]), expected);
    is_consistent(&outcomes[0]);
}

fn together(notices: &[Notice]) -> Value {
    let records = notices.iter().map(|notice| {
        let body: Value = serde_json::from_slice(&notice.body()).unwrap();
        body["Records"][0].clone()
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

fn answered(notices: &[Notice], cloud: &dyn Client, text: &str) -> Vec<Outcome> {
    answer(together(notices).to_string().as_bytes(), cloud, &policy(text), at(0)).outcomes
}

#[rstest]
// Nobody would answer it, with or without the other alarm.
#[case::no_rule("nobody_knows_this_alarm", "", "no_rule")]
#[case::not_allowed(LOW_CPU, "accounts = [\"999999999999\"]", "not_allowed")]
#[case::superseded(LOW_CPU, "", "superseded")]
#[case::superseded_by_another_axis(HIGH_MEM, "", "superseded")]
fn superseded_hides_no_other_reason(#[case] second: &str, #[case] text: &str, #[case] expected: &str) {
    let cloud = cloud_with(VARIANT, 3, "ml.m5.xlarge");
    let outcomes = answered(&[notice(HIGH_CPU, VARIANT), notice(second, VARIANT)], &cloud, text);
    assert_eq!(reason(&outcomes[1]), expected);
    outcomes.iter().for_each(is_consistent);
}

#[test]
fn an_alarm_that_clears_beside_a_resize_is_not_firing() {
    let cloud = cloud_with(VARIANT, 3, "ml.m5.xlarge");
    let cleared = notice(LOW_CPU, VARIANT).with_transition(Transition::Cleared);
    let outcomes = answered(&[notice(HIGH_CPU, VARIANT), cleared], &cloud, "");
    assert_eq!(outcomes.iter().map(reason).collect::<Vec<_>>(), ["resize", "not_firing"]);
}

/// A cloud whose first observation fails.
struct BlindOnce<'a> {
    cloud: &'a SimulatedCloud,
    failed: std::sync::atomic::AtomicBool,
}

#[async_trait::async_trait]
impl Client for BlindOnce<'_> {
    async fn observe(
        &self,
        request: &stepladder::platform::ObserveRequest<'_>,
    ) -> Result<stepladder::platform::Observation, Error> {
        if self.failed.swap(true, std::sync::atomic::Ordering::SeqCst) {
            return self.cloud.observe(request).await;
        }
        Err(throttled())
    }

    async fn active_alarms(
        &self,
        action: Option<&str>,
        now: jiff::Timestamp,
    ) -> Result<Vec<stepladder::platform::ActiveAlarm>, Error> {
        self.cloud.active_alarms(action, now).await
    }

    async fn send(&self, call: &stepladder::platform::Call) -> Result<String, Error> {
        self.cloud.send(call).await
    }
}

#[test]
fn nothing_is_removed_beside_a_scale_up_that_could_not_be_judged() {
    let cloud = cloud_with(VARIANT, 3, "ml.m5.xlarge");
    let blind = BlindOnce { cloud: &cloud, failed: false.into() };
    let outcomes = answered(&[notice(LOW_CPU, VARIANT), notice(HIGH_CPU, VARIANT)], &blind, "");
    let reasons: Vec<_> = outcomes.iter().map(reason).collect();
    assert_eq!(reasons, ["not_observed", "superseded"]);
    assert_eq!(outcomes[0].result, Ending::Failed);
    outcomes.iter().for_each(is_consistent);
}

#[rstest]
#[case::on_time(5, 5.0)]
#[case::at_once(0, 0.0)]
#[case::from_the_future(-30, 0.0)]
fn no_time_in_a_metric_is_negative(#[case] seconds: i64, #[case] expected: f64) {
    let outcome = send(&notice(HIGH_CPU, CHURN), &cloud(), &built_in());
    let now = at(0) + SignedDuration::from_secs(seconds);
    assert_eq!(report::metrics(&outcome, now).alarm_to_call_seconds, Some(expected));
}

#[test]
fn each_line_of_text_is_one_line_whatever_the_cloud_answers() {
    let cloud = cloud();
    on(&cloud, CHURN, |found| found.status = Some("ACTIVE\nresult applied".to_owned()));
    let forged = Error::Refused {
        operation: "any".to_owned(),
        message: "no\n  result    applied\u{2028}x".to_owned(),
    };
    let outcomes = [
        send(&notice(HIGH_CPU, CHURN), &cloud, &built_in()),
        send(&notice(HIGH_CPU, CHURN), &Blind(forged), &built_in()),
    ];
    for outcome in outcomes {
        let text = report::text(&outcome);
        let labels =
            ["alarm", "target", "observed", "decision", "because", "calls", "note", "result", "docs"];
        for line in text.lines() {
            let label = line.split_whitespace().next().unwrap();
            assert!(labels.contains(&label), "{line:?} in\n{text}");
        }
        assert!(!text.contains('\u{2028}'), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("  result")).count(), 1, "{text}");
    }
}
