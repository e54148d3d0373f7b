//! What must hold of any input. The fuzz targets call these with libFuzzer's inputs, and the tests with those of a property.

use std::sync::LazyLock;

use jiff::Timestamp;
use stepladder::address::{Address, hidden, masked, shown};
use stepladder::batch::Batch;
use stepladder::handle::handle;
use stepladder::platform::aws;
use stepladder::platform::simulated::{SimulatedCloud, World};
use stepladder::policy::{ExplainRequest, Policy};
use stepladder::report;
use stepladder::source::{self, MAX_TARGETS};
use stepladder::tags::Tags;

static NARROW: LazyLock<Policy> =
    LazyLock::new(|| read("[defaults]\nmax_hourly_cost = 9\nmax_changes_per_hour = 3"));
static SUSPENDING: LazyLock<Policy> = LazyLock::new(|| read("[defaults]\nnative_autoscaling = \"suspend\""));

fn read(policy: &str) -> Policy {
    Policy::parse(policy).unwrap_or_else(|errors| panic!("{errors}"))
}

/// A payload becomes alarms or an error, and never more targets than allowed.
pub(super) fn parse(body: &[u8]) {
    match source::parse(body) {
        Ok(event) => {
            let has_content = !event.alarms.is_empty() || event.settled.is_some() || event.tick;
            assert!(has_content, "a valid payload contains an alarm, a settled target or a tick");
            let targets: usize = event.alarms.iter().map(|alarm| alarm.targets.len()).sum();
            assert!(targets <= MAX_TARGETS, "{targets} targets");
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error:?}"),
    }
}

/// A policy is accepted or refused with a message, in which no address shows more than its host.
pub(super) fn policy(body: &[u8]) {
    let text = String::from_utf8_lossy(body);
    assert_eq!(hidden(&text).len(), text.len(), "what is hidden keeps its place");
    // What is masked twice is masked once.
    let once = masked(&text);
    assert_eq!(masked(&once), once);
    assert!(shown(&text).len() <= text.len() + "/…".len());
    if let Err(message) = Address::checked(&text) {
        assert!(message.len() <= text.len() + 200, "{message}");
    }
    match Policy::parse(&text) {
        Ok(policy) => explain(&policy, &Tags::new()),
        Err(errors) => assert!(!errors.in_one_line().contains('\n'), "{errors:?}"),
    }
}

/// Tags, one `key=value` a line, narrow what the policy allows, and never widen it.
pub(super) fn tags(body: &[u8]) {
    let text = String::from_utf8_lossy(body);
    let tags = text.lines().filter_map(|line| line.split_once('='));
    let tags: Tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    explain(&NARROW, &tags);
}

fn explain(policy: &Policy, tags: &Tags) {
    let Some(target) = aws::id::variant("churn", "blue") else { return };
    let now = Timestamp::UNIX_EPOCH;
    let with = policy.explain(&ExplainRequest { target: &target, now, tags }, None);
    let without = policy.explain(&ExplainRequest { target: &target, now, tags: &Tags::new() }, None);
    for (with, without) in with.rules.iter().zip(&without.rules) {
        let (with, without) = (&with.matched.rule.is, &without.matched.rule.is);
        assert!(with.instances.min >= without.instances.min && with.instances.max <= without.instances.max);
        assert!(with.cooldown.up >= without.cooldown.up && with.cooldown.down >= without.cooldown.down);
        let least = |one: Option<f64>, other: f64| one.is_some_and(|one| one <= other);
        assert!(without.max_hourly_cost.is_none_or(|cost| least(with.max_hourly_cost, cost)));
    }
}

/// A world of any content is observed, changed and written back, and what is sent keeps within the policy's bounds.
pub(super) fn world(body: &[u8]) {
    let Ok(world) = World::from_json(body) else { return };
    let cloud = SimulatedCloud::new(world);
    let high = br#"{"AlarmName": "model_deployment_high_mem", "NewStateValue": "ALARM", "Trigger": {
        "MetricName": "MemoryUtilization", "Namespace": "/aws/sagemaker/Endpoints", "Statistic": "AVERAGE",
        "Dimensions": [{"name": "EndpointName", "value": "churn"}, {"name": "VariantName", "value": "AllTraffic"}],
        "ComparisonOperator": "GreaterThanThreshold", "Threshold": 80.0}, "StateChangeTime": "2026-03-02T09:15:00Z"}"#;
    for body in [high.as_slice(), br#"{"stepladder": "tick"}"#] {
        host(&cloud, &SUSPENDING, body);
    }
    let written = cloud.snapshot().to_json();
    assert!(written.is_ok(), "{written:?}");
}

/// A host answers whatever arrives, in bounded length.
pub(super) fn invocation(body: &[u8]) {
    host(&SimulatedCloud::default(), &NARROW, body);
    if let Some(batch) = Batch::read(body) {
        assert!(batch.reply().is_object());
    }
}

/// The longest record of one alarm and one target, in bytes: a name of 1,024 occurs in it a few times, each sign of which
/// may take six bytes of JSON.
const LONGEST_RECORD: usize = 128 * 1024;

fn host(cloud: &SimulatedCloud, policy: &Policy, body: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let Ok(runtime) = runtime else { return };
    let answer = runtime.block_on(handle(body, cloud, policy, cloud.with(|world| world.clock)));
    let reply = match answer {
        Ok(answer) => report::reply(&answer),
        Err(error) => report::unreadable_payload(&error),
    };
    let length = reply.to_string().len();
    assert!(length <= 2 * MAX_TARGETS * LONGEST_RECORD, "{length} bytes of reply for {} bytes", body.len());
}
