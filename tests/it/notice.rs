//! Notices of resizes and holds: when they are sent, what they contain, and that nothing else depends on them.

use std::future::pending;
use std::time::Duration;
use stepladder::platform::aws::call::Call as AwsCall;
use stepladder::platform::aws::metrics;
use stepladder::platform::oci::call::Call as OciCall;
use stepladder::platform::web;
use stepladder::platform::{ActiveAlarm, Observation, ObserveRequest};

use async_trait::async_trait;
use jiff::Timestamp;
use rstest::rstest;
use serde_json::{Value, json};
use stepladder::alarm::Transition;
use stepladder::batch::Batch;
use stepladder::handle::handle_each;
use stepladder::outcome::Answer;
use stepladder::outcome::{CallRecord, Ending, Outcome, Status};
use stepladder::platform::Call;
use stepladder::platform::simulated::SimulatedCloud;
use stepladder::platform::{Client, Error};
use stepladder::policy::{Occasion, Policy};
use stepladder::report;
use tokio::sync::Barrier;

use crate::docs::documented_reasons;
use crate::support::{
    self, Blind, CHURN, HIGH_CPU, HIGH_MEM, Interrupted, Notice, VARIANT, at, batch, cloud, cloud_with,
    minute, notice, policy, send,
};

const ONS: &str = "ocid1.onstopic.oc1.iad.exampleuniqueidpeople";
const SNS: &str = "arn:aws:sns:us-east-1:111122223333:people";
const SLACK: &str = "https://hooks.slack.com/services/T0/B0/secret-of-slack";

/// Long enough for a cloud in memory, and short enough to wait for one that never answers.
const SHORTLY: Duration = Duration::from_millis(50);

fn notify_table(to: &str, more: &str) -> String {
    format!("[[notify]]\nto = \"{to}\"\n{more}\n")
}

/// Every kind of destination, in this order: ONS, SNS, a webhook, Slack.
fn notify_all() -> Policy {
    let slack = notify_table(SLACK, "form = \"slack\"");
    policy(
        &[notify_table(ONS, ""), notify_table(SNS, ""), notify_table("https://example.org/hook", ""), slack]
            .concat(),
    )
}

/// The messages that were sent, oldest first: the destination and the body.
fn sent_messages(cloud: &SimulatedCloud) -> Vec<(String, Value)> {
    cloud.snapshot().messages.into_iter().map(|message| (message.to, message.body)).collect()
}

/// The only message that was sent.
fn envelope(cloud: &SimulatedCloud) -> Value {
    let mut sent = sent_messages(cloud);
    assert_eq!(sent.len(), 1, "{sent:?}");
    sent.remove(0).1
}

fn high() -> Notice {
    notice(HIGH_CPU, CHURN)
}

fn refusal() -> Error {
    Error::Refused { operation: "oci:CreateAlarm".to_owned(), message: "no".to_owned() }
}

fn throttling() -> Error {
    Error::Throttled { operation: "oci:CreateAlarm".to_owned(), message: "slower".to_owned() }
}

// ---- what sends a notice ----

#[rstest]
// One instance more, on either cloud.
#[case::oci(high(), None, Some("applied"))]
#[case::sagemaker(notice(HIGH_CPU, VARIANT), None, Some("applied"))]
// Another shape.
#[case::shape(notice(HIGH_MEM, CHURN), None, Some("applied"))]
// Decided, and the service refused it.
#[case::refused(high(), Some(refusal()), Some("failed"))]
// Decided, and the next delivery may succeed.
#[case::throttled(high(), Some(throttling()), Some("failed"))]
// Another change is in progress: that is a hold.
#[case::busy(high(), Some(Error::InProgress { operation: "any".to_owned(), message: "UPDATING".to_owned() }), None)]
// A cleared alarm changes nothing.
#[case::cleared(high().with_transition(Transition::Cleared), None, None)]
// No rule answers it.
#[case::no_rule(Notice::new("disk-full", CHURN), None, None)]
// A failure without a decision to resize.
#[case::not_found(Notice::new(HIGH_CPU, "ocid1.datasciencemodeldeployment.oc1.iad.nobody"), None, None)]
fn only_a_resize_sends_a_notice(
    #[case] notice: Notice,
    #[case] error: Option<Error>,
    #[case] expected: Option<&str>,
) {
    let cloud = cloud();
    let policy = policy(&notify_table(ONS, ""));
    let outcome = match error {
        Some(error) => send(&notice, &Interrupted::by(error, &cloud), &policy),
        None => send(&notice, &cloud, &policy),
    };
    let types: Vec<Value> = sent_messages(&cloud).into_iter().map(|(_, body)| body["type"].clone()).collect();
    let expected: Vec<Value> =
        expected.into_iter().map(|word| json!(format!("stepladder.resize.{word}"))).collect();
    assert_eq!(types, expected, "{outcome:?}");
}

#[test]
fn a_failed_observation_sends_no_notice() {
    // This cloud panics on any call.
    let outcome = send(&high(), &Blind(throttling()), &policy(&notify_table(ONS, "")));
    assert_eq!((outcome.result, outcome.notices.len()), (Ending::Failed, 0));
}

#[rstest]
// Both by default.
#[case::default("", 1, 1)]
#[case::both("on = [\"applied\", \"failed\"]", 1, 1)]
#[case::applied("on = [\"applied\"]", 1, 0)]
#[case::failed("on = [\"failed\"]", 0, 1)]
fn occasions(#[case] key: &str, #[case] of_success: usize, #[case] of_failure: usize) {
    let policy = policy(&notify_table(ONS, key));
    let (good, bad) = (cloud(), cloud());
    send(&high(), &good, &policy);
    send(&high(), &Interrupted::by(refusal(), &bad), &policy);
    assert_eq!((sent_messages(&good).len(), sent_messages(&bad).len()), (of_success, of_failure));
}

#[test]
fn every_destination_is_notified_in_its_own_format() {
    let cloud = cloud();
    let outcome = send(&high(), &cloud, &notify_all());
    let operations: Vec<&str> = outcome.notices.iter().map(|notice| notice.call.operation()).collect();
    assert_eq!(operations, ["oci:PublishMessage", "aws:Publish", "web:Post", "web:Post"]);
    assert!(outcome.notices.iter().all(|notice| notice.status == Status::Done), "{outcome:?}");
    let sent = sent_messages(&cloud);
    let to: Vec<&str> = sent.iter().map(|(to, _)| to.as_str()).collect();
    assert_eq!(to, [ONS, SNS, "https://example.org/…", "https://hooks.slack.com/…"]);
    assert_eq!(sent[0].1, sent[1].1);
    assert_eq!(sent[0].1, sent[2].1);
    let type_of = |notice: &CallRecord| {
        let Call::Web(web::Call::Post { content_type, .. }) = &notice.call else { return None };
        Some(*content_type)
    };
    let types: Vec<&str> = outcome.notices.iter().filter_map(type_of).collect();
    assert_eq!(types, ["application/cloudevents+json; charset=utf-8", "application/json; charset=utf-8"]);
}

// ---- in which words ----

/// What the specification of `CloudEvents` 1.0 and its JSON schema require of an event.
fn check_envelope(event: &Value) {
    let members = event.as_object().unwrap();
    for name in members.keys() {
        let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        assert!(plain && (1..=20).contains(&name.len()), "`{name}` is no name of an attribute");
    }
    for required in ["specversion", "id", "source", "type"] {
        assert!(event[required].as_str().is_some_and(|text| !text.is_empty()), "`{required}` in {event:#}");
    }
    assert_eq!(event["specversion"], "1.0");
    // Optional ones are left out or not empty, never null.
    for optional in ["subject", "datacontenttype", "time"] {
        assert!(event[optional].as_str().is_some_and(|text| !text.is_empty()), "`{optional}` in {event:#}");
    }
    let source = event["source"].as_str().unwrap();
    assert!(
        source.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.~".contains(c)),
        "no reference: {source}"
    );
    assert!(event["time"].as_str().unwrap().parse::<Timestamp>().is_ok(), "{event:#}");
    assert_eq!(event["datacontenttype"], "application/json");
    assert!(event["data"].is_object() && !members.contains_key("data_base64"), "{event:#}");
}

#[rstest]
#[case::oci(CHURN, "/stepladder/oci")]
#[case::sagemaker(VARIANT, "/stepladder/cloudwatch-sns")]
fn the_envelope_is_a_cloud_event(#[case] target: &str, #[case] source: &str) {
    let cloud = cloud();
    let mut outcome = send(&notice(HIGH_CPU, target), &cloud, &policy(&notify_table(ONS, "")));
    let event = envelope(&cloud);
    check_envelope(&event);
    assert_eq!((&event["subject"], &event["source"]), (&json!(target), &json!(source)));
    assert_eq!(event["time"], json!(at(0)));
    outcome.notices.clear();
    assert_eq!(event["data"], report::record(&outcome));
}

fn id_of(notice: &Notice, cloud: &SimulatedCloud) -> String {
    send(notice, cloud, &policy(&notify_table(ONS, "")));
    envelope(cloud)["id"].as_str().unwrap().to_owned()
}

#[test]
fn the_same_end_of_the_same_event_has_the_same_id() {
    assert_eq!(id_of(&high(), &cloud()), id_of(&high(), &cloud()));
    let grown = cloud_with(CHURN, 2, "VM.Standard2.1");
    let refused = cloud();
    send(&high(), &Interrupted::by(refusal(), &refused), &policy(&notify_table(ONS, "")));
    let others = [
        // the alarm of another time
        id_of(&high().at(minute(1)), &cloud()),
        // another target
        id_of(&notice(HIGH_CPU, VARIANT), &cloud()),
        // another step
        id_of(&high(), &grown),
        // another axis
        id_of(&notice(HIGH_MEM, CHURN), &cloud()),
        // another end
        envelope(&refused)["id"].as_str().unwrap().to_owned(),
    ];
    assert!(!others.contains(&id_of(&high(), &cloud())), "{others:?}");
}

#[test]
fn a_subject_fits_into_an_e_mail() {
    let outcome = send(&high(), &cloud(), &notify_all());
    for notice in &outcome.notices {
        if let Call::Oci(OciCall::PublishMessage { title: subject, .. })
        | Call::Aws(AwsCall::Publish { subject, .. }) = &notice.call
        {
            assert!(subject.starts_with("stepladder resized ocid1."), "{subject}");
            assert!(subject.is_ascii() && subject.len() < 100, "{subject}");
        }
    }
}

fn slack_text(notice: &Notice, error: Option<Error>) -> String {
    let cloud = cloud();
    let policy = policy(&notify_table(SLACK, "form = \"slack\""));
    match error {
        Some(error) => send(notice, &Interrupted::by(error, &cloud), &policy),
        None => send(notice, &cloud, &policy),
    };
    let body = envelope(&cloud);
    assert_eq!(body.as_object().unwrap().len(), 1, "Slack takes `text`: {body}");
    body["text"].as_str().unwrap().to_owned()
}

#[test]
fn slack_reads_a_sentence() {
    let text = slack_text(&notice(HIGH_CPU, VARIANT), None);
    let expected =
        "*stepladder resized* `endpoint/churn/variant/AllTraffic`: 1 × ml.m5.xlarge → 2 × ml.m5.xlarge\n";
    assert!(text.starts_with(expected), "{text}");
    assert!(slack_text(&high(), Some(refusal())).starts_with("*stepladder could not resize* `ocid1."));
}

#[test]
fn nothing_of_a_record_is_markup_to_slack() {
    let message = "<!channel> & <https://example.org|here>\u{202e}\nforged".to_owned();
    let text = slack_text(&high(), Some(Error::Refused { operation: "any".to_owned(), message }));
    assert!(text.contains("&lt;!channel&gt; &amp; &lt;https://example.org|here&gt;"), "{text}");
    assert!(!text.contains(['<', '>', '\u{202e}']) && text.lines().count() == 2, "{text}");
}

// ---- nothing depends on it ----

/// A cloud that accepts every call except some messages.
struct FailingDestination<'a> {
    cloud: &'a SimulatedCloud,
    how: How,
    /// Which of them.
    operation: &'static str,
}

enum How {
    /// They are answered with this.
    Errs(Error),
    /// They are never answered.
    Hangs,
    /// They are accepted once that many are waiting.
    Awaits(Barrier),
}

#[async_trait]
impl Client for FailingDestination<'_> {
    async fn observe(&self, request: &ObserveRequest<'_>) -> Result<Observation, Error> {
        self.cloud.observe(request).await
    }

    async fn active_alarms(&self, action: Option<&str>, now: Timestamp) -> Result<Vec<ActiveAlarm>, Error> {
        self.cloud.active_alarms(action, now).await
    }

    async fn send(&self, call: &Call) -> Result<String, Error> {
        match &self.how {
            _ if call.operation() != self.operation => {}
            How::Errs(error) => return Err(error.clone()),
            How::Hangs => pending().await,
            How::Awaits(all) => {
                all.wait().await;
            }
        }
        self.cloud.send(call).await
    }
}

fn answered(body: &[u8], cloud: &dyn Client, policy: &Policy) -> Answer {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut answer = handle_each(body, cloud, policy, at(0), &mut |_| {}).await.unwrap();
        stepladder::apply::notify(&mut answer.outcomes, cloud, SHORTLY).await;
        answer
    })
}

#[rstest]
// It fails permanently.
#[case::refused(Some(refusal()), "was refused: no")]
// It fails in a way that would make an update retryable.
#[case::throttled(Some(throttling()), "was throttled: slower")]
#[case::lost(Some(Error::LostRace { operation: "any".to_owned(), message: "gone".to_owned() }), "came too late")]
// It fails in a way that would turn an update into a hold.
#[case::in_progress(Some(Error::InProgress { operation: "any".to_owned(), message: "later".to_owned() }), "later")]
// It never answers.
#[case::hanging(None, "no answer within 50ms")]
fn a_destination_that_fails_changes_nothing(#[case] error: Option<Error>, #[case] why: &str) {
    let (notified, failed) = (cloud(), cloud());
    let policy = notify_all();
    let how = error.map_or(How::Hangs, How::Errs);
    let failing = FailingDestination { cloud: &failed, how, operation: "aws:Publish" };
    let expected = answered(&high().body(), &notified, &policy);
    let found = answered(&high().body(), &failing, &policy);
    let statuses: Vec<Status> = found.outcomes[0].notices.iter().map(|notice| notice.status).collect();
    assert_eq!(statuses, [Status::Done, Status::Failed, Status::Done, Status::Done]);
    assert_eq!(sent_messages(&failed).len(), 3, "the others are notified all the same");
    assert_eq!(report::retry_reason(&found), None);
    assert!(report::text(&found.outcomes[0]).contains(why), "{}", report::text(&found.outcomes[0]));
    let record = report::record(&found.outcomes[0]);
    assert!(record["notices"][1]["detail"].as_str().unwrap().contains(why), "{record:#}");

    // Except for the one message, nothing differs from a run without the failure.
    let quiet = |answer: &Answer| {
        let mut outcome = answer.outcomes[0].clone();
        outcome.notices.clear();
        report::record(&outcome)
    };
    assert_eq!(quiet(&found), quiet(&expected));
    for world in [&notified, &failed] {
        world.with(|world| world.messages.clear());
    }
    assert_eq!(failed.snapshot(), notified.snapshot());
}

#[test]
fn whether_a_failed_resize_is_delivered_again_is_its_own_affair() {
    let policy = policy(&notify_table(ONS, ""));
    let retried = |error| {
        let cloud = cloud();
        let answer = answered(&high().body(), &Interrupted::by(error, &cloud), &policy);
        assert_eq!(answer.outcomes[0].notices[0].status, Status::Done);
        report::retry_reason(&answer).is_some()
    };
    assert_eq!((retried(throttling()), retried(refusal())), (true, false));
}

#[test]
fn observe_mode_sends_no_notice_and_shows_it() {
    let cloud = cloud();
    let before = cloud.snapshot();
    let outcome = send(&high(), &cloud, &policy(&format!("mode = \"observe\"\n{}", notify_table(SNS, ""))));
    assert_eq!(cloud.snapshot(), before);
    assert_eq!(outcome.result, Ending::DryRun);
    let shown = &report::record(&outcome)["notices"];
    assert_eq!(
        *shown,
        json!([{ "call": "aws:Publish", "status": "dry_run", "detail": format!("notify `{SNS}`") }])
    );
}

#[test]
fn notices_are_sent_after_all_alarms_are_answered() {
    let cloud = cloud();
    let policy = notify_all();
    let (first, second) = (high().body(), notice(HIGH_CPU, VARIANT).message().to_string().into_bytes());
    let mut batch = Batch::read(batch(&[("a", &first), ("b", &second)]).to_string().as_bytes()).unwrap();
    let mut printed: Vec<Outcome> = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(batch.answer(&cloud, &policy, at(0), &mut |outcome| printed.push(outcome.clone())));
    // The records are printed, and contain the notices as due.
    assert_eq!(printed.len(), 2);
    for outcome in &printed {
        assert_eq!(outcome.result, Ending::Applied);
        assert!(outcome.notices.iter().all(|notice| notice.status == Status::Due), "{outcome:?}");
    }
    assert_eq!(sent_messages(&cloud), []);

    runtime.block_on(stepladder::apply::notify(&mut batch.answer.outcomes, &cloud, SHORTLY));
    assert_eq!(sent_messages(&cloud).len(), 8);
    // A notice that was sent is not sent again.
    runtime.block_on(stepladder::apply::notify(&mut batch.answer.outcomes, &cloud, SHORTLY));
    assert_eq!(sent_messages(&cloud).len(), 8);
}

#[test]
fn all_destinations_are_notified_concurrently() {
    let world = cloud();
    let hooks = 20;
    let policy: String = (0..hooks).map(|i| notify_table(&format!("https://example.org/{i}"), "")).collect();
    // The destinations answer only once all have a message: sent one after the other, none would ever end.
    let failing =
        FailingDestination { cloud: &world, how: How::Awaits(Barrier::new(hooks)), operation: "web:Post" };
    let answer = answered(&high().body(), &failing, &support::policy(&policy));
    let is_done = |notice: &CallRecord| notice.status == Status::Done;
    assert!(answer.outcomes[0].notices.iter().all(is_done), "{answer:?}");
    assert_eq!(sent_messages(&world).len(), hooks);
}

// ---- what is never shown ----

#[test]
fn the_address_of_a_webhook_is_never_shown_whole() {
    let policy = notify_all();
    let (notified, failed) = (cloud(), cloud());
    let failing = FailingDestination { cloud: &failed, how: How::Errs(refusal()), operation: "web:Post" };
    for (cloud, world) in [(&notified as &dyn Client, &notified), (&failing, &failed)] {
        let answer = answered(&high().body(), cloud, &policy);
        let outcome = &answer.outcomes[0];
        let shown = [
            report::reply(&answer).to_string(),
            metrics::decision_line(report::record(outcome), "resize", None, at(0)).to_string(),
            report::text(outcome),
            format!("{answer:?}"),
            format!("{policy:?}"),
        ];
        for text in shown {
            assert!(text.contains("hooks.slack.com") && !text.contains("secret-of-slack"), "{text}");
        }
        assert!(!world.snapshot().to_json().unwrap().contains("secret-of-slack"));
    }
}

// ---- holds that matter ----

/// A cloud on which the deployment has its ten instances, changed so many minutes before the beginning.
fn at_its_ceiling(minutes_ago: i64) -> SimulatedCloud {
    let cloud = cloud_with(CHURN, 10, "VM.Standard2.1");
    support::on(&cloud, CHURN, |found| found.last_change = Some(minute(-minutes_ago)));
    cloud
}

fn repeat(minutes: i64) -> Notice {
    high().with_transition(Transition::Repeat).at(minute(minutes))
}

fn types(cloud: &SimulatedCloud) -> Vec<String> {
    let text = |(_, body): (String, Value)| body["type"].as_str().unwrap().to_owned();
    sent_messages(cloud).into_iter().map(text).collect()
}

#[rstest]
#[case::default("", 0)]
#[case::resizes("on = [\"applied\", \"failed\"]", 0)]
#[case::held("on = [\"held\"]", 1)]
#[case::reason("on = [\"at_ceiling\"]", 1)]
#[case::among_others("on = [\"applied\", \"over_budget\", \"at_ceiling\"]", 1)]
#[case::both("on = [\"held\", \"at_ceiling\"]", 1)]
#[case::another_reason("on = [\"over_budget\", \"paused\"]", 0)]
fn a_hold_is_reported_to_destinations_that_request_it(#[case] key: &str, #[case] expected: usize) {
    let cloud = at_its_ceiling(60);
    send(&high(), &cloud, &policy(&notify_table(ONS, key)));
    assert_eq!(types(&cloud), vec!["stepladder.hold.at_ceiling"; expected]);
}

#[test]
fn a_hold_is_reported_when_its_alarm_fires_and_not_with_every_repeat() {
    let cloud = at_its_ceiling(60);
    let policy = policy(&notify_table(ONS, "on = [\"held\"]"));
    send(&high(), &cloud, &policy);
    for minutes in [5, 10, 15, 600] {
        let outcome = send(&repeat(minutes), &cloud, &policy);
        assert_eq!((support::reason(&outcome), outcome.notices.len()), ("at_ceiling", 0), "{minutes}");
    }
    // It fires anew: another notice, which a receiver does not take for a duplicate.
    send(&high().at(minute(700)), &cloud, &policy);
    let ids: Vec<Value> = sent_messages(&cloud).into_iter().map(|(_, body)| body["id"].clone()).collect();
    assert!(ids.len() == 2 && ids[0] != ids[1], "{ids:?}");
}

#[test]
fn a_hold_that_begins_while_its_alarm_goes_on_firing_is_reported_once() {
    // The last change was completed at the beginning, and the alarm repeats every five minutes.
    let cloud = at_its_ceiling(0);
    let policy = policy(&notify_table(ONS, "on = [\"at_ceiling\"]"));
    let notified: Vec<(&str, usize)> = [2, 7, 12, 17, 22]
        .map(|minutes| {
            let outcome = send(&repeat(minutes), &cloud, &policy);
            (support::reason(&outcome), outcome.notices.len())
        })
        .into();
    let quiet = ("at_ceiling", 0);
    assert_eq!(notified, [("stale", 0), ("at_ceiling", 1), quiet, quiet, quiet]);
    assert_eq!(types(&cloud), ["stepladder.hold.at_ceiling"]);
}

#[test]
fn a_hold_that_a_cooldown_hides_is_reported_after_it() {
    let cloud = at_its_ceiling(0);
    let text = format!("{}[defaults]\ncooldown = {{ up = \"20m\" }}\n", notify_table(ONS, "on = [\"held\"]"));
    let policy = policy(&text);
    let notified: Vec<(&str, usize)> = [7, 12, 17, 22, 27]
        .map(|minutes| {
            let outcome = send(&repeat(minutes), &cloud, &policy);
            (support::reason(&outcome), outcome.notices.len())
        })
        .into();
    let cooling = |notices| ("cooling_down", notices);
    assert_eq!(notified, [cooling(1), cooling(0), cooling(0), ("at_ceiling", 1), ("at_ceiling", 0)]);
}

#[rstest]
#[case::no_rule(Notice::new("disk-full", CHURN), "no_rule")]
#[case::on_target(high().value(55.0), "on_target")]
#[case::not_observed(
    Notice::new(HIGH_CPU, "ocid1.datasciencemodeldeployment.oc1.iad.nobody"),
    "not_observed"
)]
fn other_holds_are_reported_as_well(#[case] notice: Notice, #[case] expected: &str) {
    let cloud = cloud();
    let text = format!(
        "{}[[rule]]\nalarm = \"*high_cpu\"\naxis = \"instances\"\ntrack = 60\n",
        notify_table(ONS, "on = [\"held\"]")
    );
    send(&notice, &cloud, &policy(&text));
    assert_eq!(types(&cloud), [format!("stepladder.hold.{expected}")]);
    check_envelope(&envelope(&cloud));
}

#[rstest]
// A cleared alarm requests nothing, so `held` leaves it out.
#[case::cleared("held", Transition::Cleared, 0)]
#[case::cleared_by_its_reason("not_firing", Transition::Cleared, 1)]
#[case::missing("held", Transition::NoData, 0)]
fn an_alarm_that_does_not_fire_is_no_hold_that_matters(
    #[case] on: &str,
    #[case] transition: Transition,
    #[case] expected: usize,
) {
    let cloud = cloud();
    send(
        &high().with_transition(transition),
        &cloud,
        &policy(&notify_table(ONS, &format!("on = [\"{on}\"]"))),
    );
    assert_eq!(types(&cloud).len(), expected);
}

#[test]
fn nothing_is_sent_of_a_hold_where_the_policy_only_observes() {
    let cloud = at_its_ceiling(60);
    let text = format!("mode = \"observe\"\n{}", notify_table(ONS, "on = [\"at_ceiling\"]"));
    let outcome = send(&high(), &cloud, &policy(&text));
    assert_eq!(outcome.notices.iter().map(|notice| notice.status).collect::<Vec<_>>(), [Status::DryRun]);
    assert!(sent_messages(&cloud).is_empty());
}

#[test]
fn a_hold_is_two_lines_in_slack() {
    let cloud = at_its_ceiling(60);
    let on = "form = \"slack\"\non = [\"held\"]";
    send(&high(), &cloud, &policy(&notify_table(SLACK, on)));
    let text = envelope(&cloud)["text"].as_str().unwrap().to_owned();
    let first = format!("*stepladder held (at_ceiling)* `{CHURN}`: 10 × VM.Standard2.1\n");
    assert!(text.starts_with(&first) && text.lines().count() == 2, "{text}");
}

#[test]
fn every_reason_of_a_hold_is_a_word_of_on() {
    let words: Vec<&str> = Occasion::ALL.iter().map(|occasion| occasion.word()).collect();
    for reason in documented_reasons() {
        assert!(words.contains(&reason.as_str()), "{reason}");
    }
}

#[test]
fn an_unknown_reason_names_the_nearest() {
    let errors = Policy::parse(&notify_table(ONS, "on = [\"at_cieling\"]")).unwrap_err().to_string();
    assert!(errors.contains("did you mean `at_ceiling`?"), "{errors}");
}
