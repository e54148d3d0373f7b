//! A queue's batch: which messages are delivered again, and which are done with.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Waker};
use stepladder::platform::aws;
use stepladder::platform::{ActiveAlarm, Observation, ObserveRequest};

use async_trait::async_trait;
use jiff::Timestamp;
use rstest::rstest;
use serde_json::{Value, json};
use stepladder::batch::Batch;
use stepladder::platform::Call;
use stepladder::platform::simulated::SimulatedCloud;
use stepladder::platform::{Client, Error};
use stepladder::{report, source};

use crate::support::{
    Blind, CHURN, HIGH_CPU, HIGH_MEM, Notice, TICK, VARIANT, at, batch, built_in, cloud, existing, heading,
    minute, notice, on, policy,
};

/// Answers a batch as far as it gets without waiting, and returns its reply.
fn reply(payload: &Value, cloud: &dyn Client) -> Value {
    let mut batch = Batch::read(payload.to_string().as_bytes()).expect("a batch");
    let mut logged = Vec::new();
    {
        let policy = built_in();
        let mut log = |outcome: &stepladder::outcome::Outcome| logged.push(report::record(outcome));
        let work = pin!(batch.answer(cloud, &policy, at(0), &mut log));
        // Only a call that never ends waits here: dropping it is the timeout.
        let _ = work.poll(&mut Context::from_waker(Waker::noop()));
    }
    let reply = batch.reply();
    assert_eq!(reply["outcomes"], json!(logged), "what was logged is in the reply, and nothing else");
    reply
}

fn again(reply: &Value) -> Vec<&str> {
    let failures = reply["batchItemFailures"].as_array().expect("always there");
    failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap()).collect()
}

fn results(reply: &Value) -> Vec<&str> {
    reply["outcomes"].as_array().unwrap().iter().map(|one| one["result"].as_str().unwrap()).collect()
}

fn high() -> Vec<u8> {
    notice(HIGH_CPU, VARIANT).message().to_string().into_bytes()
}

/// An alarm about a deployment that does not answer in time, or not at all.
fn high_on(endpoint: &str) -> Vec<u8> {
    let target = format!("endpoint/{endpoint}/variant/AllTraffic");
    Notice::new("high-cpu", &target).message().to_string().into_bytes()
}

/// Whether an observation of an endpoint ends in time or never, by the endpoint's name.
struct Uneven<'a> {
    cloud: &'a SimulatedCloud,
    asked: Result<(), Error>,
}

fn throttled() -> Error {
    Error::Throttled { operation: "aws:DescribeEndpoint".to_owned(), message: "slow down".to_owned() }
}

fn denied() -> Error {
    Error::Denied {
        operation: "aws:DescribeAlarms".to_owned(),
        permission: "cloudwatch:DescribeAlarms".to_owned(),
        message: "no".to_owned(),
    }
}

impl<'a> Uneven<'a> {
    fn new(cloud: &'a SimulatedCloud) -> Self {
        Self { cloud, asked: Ok(()) }
    }
}

#[async_trait]
impl Client for Uneven<'_> {
    async fn observe(&self, request: &ObserveRequest<'_>) -> Result<Observation, Error> {
        match aws::id::endpoint_and_variant(request.target) {
            Some(("throttled", _)) => Err(throttled()),
            Some(("slow", _)) => std::future::pending().await,
            _ => self.cloud.observe(request).await,
        }
    }

    async fn active_alarms(&self, action: Option<&str>, now: Timestamp) -> Result<Vec<ActiveAlarm>, Error> {
        self.asked.clone()?;
        self.cloud.active_alarms(action, now).await
    }

    async fn send(&self, call: &Call) -> Result<String, Error> {
        self.cloud.send(call).await
    }
}

#[test]
fn only_what_may_succeed_later_is_delivered_again() {
    let cloud = cloud();
    let mut two: Value = serde_json::from_slice(&high_on("throttled")).unwrap();
    two["Trigger"]["Metrics"] = json!([
        { "MetricStat": { "Metric": { "Dimensions": { "EndpointName": "throttled", "VariantName": "a" } } } },
        { "MetricStat": { "Metric": { "Dimensions": { "EndpointName": "nobody", "VariantName": "a" } } } },
    ]);
    let two = two.to_string().into_bytes();
    let payload = batch(&[
        ("done", &high()),
        ("not an alarm", b"all is well"),
        ("throttled", &high_on("throttled")),
        // The next delivery would find no such endpoint either.
        ("not there", &high_on("nobody")),
        // One of its two targets is enough.
        ("throttled and not there", &two),
        ("held", &high()),
    ]);
    let reply = reply(&payload, &Uneven::new(&cloud));
    assert_eq!(again(&reply), ["throttled", "throttled and not there"]);
    assert_eq!(results(&reply), ["applied", "failed", "failed", "failed", "failed", "held"]);
    assert_eq!(reply["rejected"].as_array().unwrap().len(), 1);
    assert_eq!(reply["rejected"][0]["kind"], "not_an_alarm");
    assert_eq!(heading(&cloud, VARIANT).instances, 2);
}

#[test]
fn a_batch_without_failures_lists_none() {
    let reply = reply(&batch(&[("a", &high()), ("b", TICK)]), &cloud());
    assert_eq!(reply["batchItemFailures"], json!([]));
}

#[test]
fn a_batch_that_cannot_be_read_is_rejected_message_by_message() {
    let reply = reply(&batch(&[("a", b"{}"), ("b", b""), ("c", b"{\"AlarmName")]), &cloud());
    let kinds: Vec<&Value> =
        reply["rejected"].as_array().unwrap().iter().map(|error| &error["kind"]).collect();
    assert_eq!(kinds, ["not_an_alarm", "not_an_alarm", "not_json"]);
    assert_eq!((&reply["outcomes"], &reply["batchItemFailures"]), (&json!([]), &json!([])));
}

#[test]
fn messages_answered_before_a_timeout_are_not_retried() {
    let cloud = cloud();
    let mut half: Value = serde_json::from_slice(&high_on("slow")).unwrap();
    half["Trigger"]["Metrics"] = json!([
        { "MetricStat": { "Metric": { "Dimensions": { "EndpointName": "nobody", "VariantName": "a" } } } },
        { "MetricStat": { "Metric": { "Dimensions": { "EndpointName": "slow", "VariantName": "a" } } } },
    ]);
    let half = half.to_string().into_bytes();
    let payload = batch(&[
        ("1 done", &high()),
        ("2 unreadable", b"all is well"),
        ("3 throttled", &high_on("throttled")),
        // Cut short: its first outcome stays in the reply.
        ("4 half", &half),
        ("5 not reached", &high_on("nobody")),
        ("6 not read", b"all is well"),
    ]);
    let reply = reply(&payload, &Uneven::new(&cloud));
    assert_eq!(again(&reply), ["3 throttled", "4 half", "5 not reached", "6 not read"]);
    assert_eq!(results(&reply), ["applied", "failed", "failed"]);
    assert_eq!(reply["rejected"].as_array().unwrap().len(), 1);
}

#[rstest]
// The active alarms could not be read, and the next delivery may read them.
#[case::tick(TICK, Err(throttled()), &["asks"])]
#[case::settled(SETTLED, Err(throttled()), &["asks"])]
// Another delivery would be denied too.
#[case::denied(TICK, Err(denied()), &[])]
// The active alarms were read, and one of them could not be answered.
#[case::repeat(TICK, Ok(()), &["asks"])]
// It does not concern that alarm.
#[case::elsewhere(SETTLED, Ok(()), &[])]
fn a_queued_reconcile_that_fails_is_delivered_again(
    #[case] event: &[u8],
    #[case] asked: Result<(), Error>,
    #[case] expected: &[&str],
) {
    let cloud = cloud();
    let target = "endpoint/throttled/variant/AllTraffic";
    cloud.with(|world| {
        world.deployments.insert(target.to_owned(), world.deployments[VARIANT].clone());
        world.alarms.push(existing("throttled-high-cpu", target, Some(5)));
    });
    on(&cloud, target, |found| found.metrics.insert("CPUUtilization".to_owned(), 390.0));
    cloud.advance(minute(30));
    let payload = batch(&[("asks", event), ("alarm", &high())]);
    let reply = reply(&payload, &Uneven { cloud: &cloud, asked });
    assert_eq!(again(&reply), expected, "{reply:#}");
}

const SETTLED: &[u8] = br#"{
    "detail-type": "SageMaker Endpoint State Change", "source": "aws.sagemaker",
    "detail": { "EndpointName": "churn", "EndpointStatus": "IN_SERVICE" }
}"#;

#[test]
fn a_large_batch_has_room_for_every_message() {
    // Together they name more deployments than one payload may.
    let ids: Vec<String> = (0..source::MAX_TARGETS * 2).map(|number| format!("{number:04}")).collect();
    let body = high();
    let messages: Vec<(&str, &[u8])> = ids.iter().map(|id| (id.as_str(), body.as_slice())).collect();
    let payload = batch(&messages);
    let answered = reply(&payload, &cloud());
    assert_eq!((results(&answered).len(), again(&answered).len()), (ids.len(), 0));
    let failed = reply(&payload, &Blind(throttled()));
    assert_eq!(again(&failed), ids);
}

#[test]
fn a_batch_beyond_the_size_of_a_payload_is_read() {
    let padded = |mut body: Vec<u8>| {
        body.resize(source::MAX_BYTES / 2, b' ');
        body
    };
    let (first, second) = (padded(high()), padded(high_on("throttled")));
    let whole = vec![b' '; source::MAX_BYTES];
    let payload = batch(&[("a", &first), ("b", &second), ("too large by itself", &whole)]);
    let cloud = cloud();
    let reply = reply(&payload, &Uneven::new(&cloud));
    assert_eq!(again(&reply), ["b"]);
    assert_eq!(results(&reply), ["applied", "failed"]);
    assert_eq!(reply["rejected"][0]["kind"], "too_large");
}

#[test]
fn a_message_delivered_twice_is_listed_once() {
    let payload = batch(&[("a", &high_on("throttled")), ("a", &high_on("throttled"))]);
    let cloud = cloud();
    assert_eq!(again(&reply(&payload, &Uneven::new(&cloud))), ["a"]);
}

#[rstest]
#[case::uuid("ca02135e-92b1-43f2-8ede-0d7ac3baea9e", true)]
#[case::at_the_limit(&"é".repeat(100), true)]
// White space is kept: the queue would not know the id without it.
#[case::spaced(" a ", true)]
#[case::beyond_the_limit(&"a".repeat(101), false)]
#[case::empty("", false)]
#[case::blank(" ", false)]
#[case::line("a\nb", false)]
#[case::escape("a\u{1b}[31mb", false)]
fn a_messages_id_is_hostile_text(#[case] id: &str, #[case] accepted: bool) {
    let payload = batch(&[(id, &high_on("throttled")), ("b", &high_on("throttled"))]);
    let cloud = cloud();
    let reply = reply(&payload, &Uneven::new(&cloud));
    if accepted {
        assert!(again(&reply).contains(&id), "{reply:#}");
        assert_eq!(reply.get("rejected"), None);
    } else {
        assert_eq!(again(&reply), ["b"], "{reply:#}");
        assert_eq!(reply["rejected"][0]["kind"], "malformed_alarm");
    }
}

#[rstest]
#[case::number(json!(7))]
#[case::nothing(Value::Null)]
#[case::list(json!(["a"]))]
fn a_message_without_an_id_is_rejected(#[case] id: Value) {
    let mut payload = batch(&[("", &high_on("throttled"))]);
    payload["Records"][0]["messageId"] = id;
    let cloud = cloud();
    let reply = reply(&payload, &Uneven::new(&cloud));
    assert_eq!(reply["rejected"][0]["kind"], "malformed_alarm");
    assert_eq!(again(&reply), Vec::<&str>::new());
}

#[rstest]
#[case::sns(serde_json::from_slice(&notice(HIGH_MEM, VARIANT).body()).unwrap())]
#[case::oci(notice(HIGH_CPU, CHURN).message())]
#[case::nothing(json!({ "Records": [] }))]
#[case::no_list(json!({ "Records": "aws:sqs" }))]
// No service sends both at once: the list of failures of one of the two would not be read.
#[case::mixed(json!({ "Records": [{ "eventSource": "aws:sqs" }, { "EventSource": "aws:sns" }] }))]
fn everything_else_is_no_batch(#[case] payload: Value) {
    assert!(Batch::read(payload.to_string().as_bytes()).is_none());
}

#[rstest]
#[case::no_json(b"{\"Records\":".to_vec())]
#[case::no_text(b"\xff".to_vec())]
#[case::too_large(vec![b' '; source::MAX_BATCH_BYTES + 1])]
fn what_cannot_be_read_at_all_is_no_batch(#[case] body: Vec<u8>) {
    assert!(Batch::read(&body).is_none());
}

#[test]
fn observing_a_batch_sends_nothing() {
    let cloud = cloud();
    let before = cloud.snapshot();
    let mut batch = Batch::read(batch(&[("a", &high())]).to_string().as_bytes()).unwrap();
    let policy = policy("mode = \"observe\"");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(batch.answer(&cloud, &policy, at(0), &mut |_| {}));
    assert_eq!(results(&batch.reply()), ["dry_run"]);
    assert_eq!(cloud.snapshot(), before);
}
