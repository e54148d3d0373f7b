//! What an alarm is about: its name, its target, whose metric it measures, and the source that it comes from.

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use stepladder::outcome::Outcome;
use stepladder::platform::simulated::{SimulatedCloud, World, WorldAlarm};
use stepladder::platform::{self, AlarmDefinition, aws, oci};
use stepladder::policy::Policy;
use stepladder::report;
use stepladder::source::{messages, parse};
use stepladder::target::TargetId;

use crate::support::{
    CHURN, HIGH_CPU, LOW_CPU, TICK, TOPIC_ARN, VARIANT, answer, at, built_in, cloud, cloud_with, existing,
    heading, minute, notice, on, pass, policy, reason,
};

const OWN: &str = "111122223333";
const OTHER: &str = "444455556666";
const LINE: &str = "For people.\nstepladder: target=endpoint/churn/variant/AllTraffic";

fn target() -> TargetId {
    aws::id::variant("churn", "AllTraffic").unwrap()
}

/// Sets what is at these places of a document.
fn with(mut document: Value, places: &[(&str, Value)]) -> Value {
    for (place, value) in places {
        let (parent, key) = place.rsplit_once('/').unwrap();
        document.pointer_mut(parent).unwrap()[key] = value.clone();
    }
    document
}

/// A CloudWatch message of an alarm with this name that fires on this side.
fn message(name: &str, comparison: &str) -> Value {
    let message = notice(HIGH_CPU, VARIANT).message();
    with(
        message,
        &[
            ("/AlarmName", json!(name)),
            ("/AlarmArn", json!(format!("arn:aws:cloudwatch:us-east-1:{OWN}:alarm:{name}"))),
            ("/Trigger/ComparisonOperator", json!(comparison)),
        ],
    )
}

/// The outcome for three instances.
fn of_three(payload: &Value, policy: &Policy) -> Outcome {
    let cloud = cloud_with(VARIANT, 3, "ml.m5.xlarge");
    answer(payload.to_string().as_bytes(), &cloud, policy, at(0)).outcomes.remove(0)
}

// ---- names match whole words ----

#[rstest]
#[case::underscore("churn_high_cpu_prod", Some(true))]
#[case::hyphen("churn-high-cpu", Some(true))]
#[case::joined("churn-highcpu", Some(true))]
#[case::capitals("ChurnHighCPUAlarm", Some(true))]
#[case::capitals_other_way("CPUHigh", Some(true))]
#[case::small_word_of_capitals("churnHighCpu", Some(true))]
#[case::in_brackets("[prod] high-cpu (churn)", Some(true))]
#[case::with_a_digit("high-cpu2", Some(true))]
#[case::memory("churn-high-memory", Some(true))]
#[case::metric_of_capitals("HighCPUUtilization", Some(true))]
#[case::low("churn-low-cpu", Some(false))]
#[case::low_in_capitals("LowCPU", Some(false))]
#[case::low_memory("churn_low_memory", Some(false))]
#[case::guides("churn-model_deployment_low_cpu", Some(false))]
#[case::tensorflow("tensorflow-cpu", None)]
#[case::tensorflow_in_capitals("TensorFlow-CPU", None)]
#[case::tensorflow_misspelt("TensorFLow-cpu-slow", None)]
#[case::tensorflow_joined("tensorflowcpu", None)]
#[case::mlflow("mlflow_memory", None)]
#[case::airflow("airflow-mem-usage", None)]
#[case::bellow("bellow_cpu", None)]
#[case::yellow("yellow-bandwidth", None)]
#[case::lower("cpu-lower-bound", None)]
#[case::plural("low-cpus", None)]
#[case::members("low-members", None)]
#[case::memcached("high-memcached-evictions", None)]
#[case::cpufreq("high-cpufreq", None)]
#[case::gpu("high-gpu", None)]
#[case::between("high-gpu-cpu", None)]
fn a_built_in_rule_matches_whole_words(#[case] name: &str, #[case] adds: Option<bool>) {
    let policy = built_in();
    let matched = policy.rule_for(name, &target());
    let direction = matched.and_then(|matched| matched.direction());
    assert_eq!(direction.map(|direction| direction.to_string() == "up"), adds, "{name}");
}

#[test]
fn the_globs_of_a_policy_match_anywhere() {
    let policy = policy("[[rule]]\nalarm = \"*low-cpu*\"\nstep = -1\naxis = \"instances\"");
    assert!(policy.rule_for("tensorflow-cpu", &target()).is_some());
}

// ---- a rule never acts against the alarm's own comparison ----

const TAKES: &str = "[[rule]]\nalarm = \"*\"\naxis = \"instances\"\nstep = -1";
const ADDS: &str = "[[rule]]\nalarm = \"*\"\naxis = \"instances\"\npair = { alarm = \"quiet\", metric = \"CPUUtilization\", \
                    below = 10, window = \"5m\" }";

#[rstest]
#[case::built_in_low_above("", "churn-low-cpu", "GreaterThanThreshold", "on_target")]
#[case::built_in_low_at_or_above("", "churn-low-cpu", "GreaterThanOrEqualToThreshold", "on_target")]
#[case::built_in_low_above_a_band("", "churn-low-cpu", "GreaterThanUpperThreshold", "on_target")]
#[case::built_in_low_memory_above("", "churn-low-mem", "GreaterThanThreshold", "on_target")]
#[case::built_in_low_below("", "churn-low-cpu", "LessThanThreshold", "resize")]
#[case::built_in_high_below("", "churn-high-cpu", "LessThanThreshold", "on_target")]
#[case::built_in_high_below_a_band("", "churn-high-cpu", "LessThanLowerThreshold", "on_target")]
#[case::built_in_high_above("", "churn-high-cpu", "GreaterThanThreshold", "resize")]
#[case::own_rule_above(TAKES, "latency", "GreaterThanThreshold", "on_target")]
#[case::own_rule_below(TAKES, "latency", "LessThanThreshold", "resize")]
#[case::own_rule_adds_below_a_band(ADDS, "latency", "LessThanLowerThreshold", "on_target")]
#[case::own_rule_adds_above(ADDS, "latency", "GreaterThanThreshold", "resize")]
#[case::pair_by_its_short_name("", "model_deployment_low_cpu", "GreaterThanThreshold", "on_target")]
#[case::steps_say_so(
    "[[rule]]\nalarm = \"*\"\naxis = \"instances\"\nsteps = [{ above = 0, remove = 1 }]",
    "free",
    "GreaterThanThreshold",
    "resize"
)]
fn a_rule_never_acts_against_the_comparison(
    #[case] rules: &str,
    #[case] name: &str,
    #[case] comparison: &str,
    #[case] expected: &str,
) {
    // Above the pair's tenth of four cores; below, so little that nothing flaps.
    let is_above = comparison.starts_with("Greater");
    let [value, threshold] = if is_above { ["60.0", "50.0"] } else { ["20.0", "40.0"] };
    let threshold: f64 = threshold.parse().unwrap();
    let quiet = [
        ("/NewStateReason", json!(format!("Threshold Crossed: 5 datapoints [{value} (02/03/26 12:00:00)]"))),
        ("/Trigger/Threshold", json!(threshold)),
    ];
    let outcome = of_three(&with(message(name, comparison), &quiet), &policy(rules));
    assert_eq!(reason(&outcome), expected, "{}", report::explanation(&outcome));
    if expected == "on_target" {
        assert!(report::explanation(&outcome).contains("its threshold"), "{}", report::explanation(&outcome));
    }
}

#[test]
fn an_oci_alarm_above_its_threshold_takes_nothing() {
    let mut payload: Value = serde_json::from_slice(&notice(HIGH_CPU, CHURN).body()).unwrap();
    payload["title"] = json!("churn-low_cpu");
    let cloud = cloud_with(CHURN, 3, "VM.Standard2.1");
    let outcome = answer(payload.to_string().as_bytes(), &cloud, &built_in(), at(0)).outcomes.remove(0);
    assert_eq!((reason(&outcome), heading(&cloud, CHURN).instances), ("on_target", 3));
}

#[test]
fn an_hour_of_ticks_takes_nothing_for_an_alarm_above_its_threshold() {
    let mut policy = built_in();
    policy.alarm_action = Some(TOPIC_ARN.to_owned());
    // the support's own alarms all fire above
    let alarm = existing("churn-low_cpu", VARIANT, Some(3));
    let cloud = SimulatedCloud::new(World {
        alarms: vec![alarm],
        ..cloud_with(VARIANT, 6, "ml.m5.xlarge").snapshot()
    });
    on(&cloud, VARIANT, |found| found.metrics.insert("CPUUtilization".to_owned(), 300.0));
    for minutes in 1..60 {
        pass(&cloud, 1);
        answer(TICK, &cloud, &policy, minute(minutes));
        assert_eq!(heading(&cloud, VARIANT).instances, 6);
    }
}

fn comparisons() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "GreaterThanThreshold",
        "GreaterThanOrEqualToThreshold",
        "GreaterThanUpperThreshold",
        "LessThanThreshold",
        "LessThanOrEqualToThreshold",
        "LessThanLowerThreshold",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_alarm_above_its_threshold_ever_shrinks_and_none_below_grows(
        words in prop::collection::vec(prop::sample::select(vec!["low", "high", "cpu", "mem", "Low", "CPU", "flow", "memory"]), 1..5),
        joint in prop::sample::select(vec!["-", "_", ""]),
        comparison in comparisons(),
        step in prop::sample::select(vec!["", "step = -1", "step = -3", "step = 2", "track = 60"]),
        value in 1.0..400.0_f64,
    ) {
        let name = words.join(joint);
        let rules = if step.is_empty() { String::new() } else { format!("[[rule]]\nalarm = \"*\"\naxis = \"instances\"\n{step}") };
        let mut payload = message(&name, comparison);
        payload["NewStateReason"] = json!(format!("Threshold Crossed: 1 datapoint [{value} (02/03/26 12:00:00)]"));
        let cloud = cloud_with(VARIANT, 3, "ml.m5.xlarge");
        let before = heading(&cloud, VARIANT);
        answer(payload.to_string().as_bytes(), &cloud, &policy(&rules), at(0));
        let after = heading(&cloud, VARIANT);
        let rank = |shape: &str| ["ml.m5.large", "ml.m5.xlarge", "ml.m5.2xlarge"].iter().position(|one| *one == shape);
        if comparison.starts_with("Greater") {
            prop_assert!(after.instances >= before.instances && rank(&after.shape) >= rank(&before.shape), "{name}: {after}");
        } else {
            prop_assert!(after.instances <= before.instances && rank(&after.shape) <= rank(&before.shape), "{name}: {after}");
        }
    }
}

// ---- whose metric it is ----

fn metric(account: &Value) -> Value {
    json!({
        "Id": "m1", "AccountId": account, "ReturnData": true,
        "MetricStat": {
            "Metric": {
                "MetricName": "CPUUtilization", "Namespace": "/aws/sagemaker/Endpoints",
                "Dimensions": [{ "name": "EndpointName", "value": "churn" }, { "name": "VariantName", "value": "AllTraffic" }],
            },
            "Period": 60, "Stat": "Average",
        },
    })
}

/// An alarm's message with these metrics.
fn measuring(metrics: &Value) -> Value {
    let mut payload = message("churn-high-cpu", "GreaterThanThreshold");
    payload["Trigger"] = json!({ "Metrics": metrics, "Period": 60, "EvaluationPeriods": 3, "Threshold": 160.0,
        "ComparisonOperator": "GreaterThanThreshold" });
    payload
}

/// The same in the spelling of events.
fn block(metrics: &Value, contributor: &Value) -> Value {
    json!({
        "alarmName": "churn-high-cpu",
        "alarmContributor": { "attributes": contributor },
        "configuration": { "metrics": metrics },
        "state": { "value": "ALARM", "timestamp": "2026-03-02T12:00:00.000+0000",
                   "reason": "Threshold Crossed: 1 datapoint [300.0 (02/03/26 11:59:00)] was greater than the threshold (160.0)" },
    })
}

fn camel_metric(account: &str) -> Value {
    let dimensions = json!({ "EndpointName": "churn", "VariantName": "AllTraffic" });
    let metric = json!({ "namespace": "/aws/sagemaker/Endpoints", "name": "CPUUtilization", "dimensions": dimensions });
    json!([{ "id": "m1", "accountId": account, "returnData": true,
             "metricStat": { "metric": metric, "period": 60, "stat": "Average" } }])
}

fn event(detail: &Value) -> Value {
    json!({ "source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change", "account": OWN,
            "time": "2026-03-02T12:00:00Z", "resources": [format!("arn:aws:cloudwatch:us-east-1:{OWN}:alarm:a")],
            "detail": detail })
}

fn action(block: &Value) -> Value {
    json!({ "source": "aws.cloudwatch", "alarmArn": format!("arn:aws:cloudwatch:us-east-1:{OWN}:alarm:a"),
            "accountId": OWN, "time": "2026-03-02T12:00:00.000+0000", "region": "us-east-1", "alarmData": block })
}

#[rstest]
#[case::message(measuring(&json!([metric(&json!(OTHER))])), Some(OTHER))]
#[case::message_of_its_own(measuring(&json!([metric(&json!(OWN))])), None)]
#[case::message_without(measuring(&json!([metric(&Value::Null)])), None)]
#[case::one_of_two(measuring(&json!([metric(&json!(OWN)), metric(&json!(OTHER))])), Some(OTHER))]
#[case::unreadable(measuring(&json!([metric(&json!(444_455_556_666_u64))])), Some("that cannot be read"))]
#[case::event(event(&block(&camel_metric(OTHER), &json!({}))), Some(OTHER))]
#[case::event_of_its_own(event(&block(&camel_metric(OWN), &json!({}))), None)]
#[case::direct_action(action(&block(&camel_metric(OTHER), &json!({}))), Some(OTHER))]
#[case::contributor(
    event(&block(&json!([]), &json!({ "AWS.AccountId": OTHER, "EndpointName": "churn", "VariantName": "AllTraffic" }))),
    Some(OTHER)
)]
#[case::contributor_of_its_own(
    event(&block(&json!([]), &json!({ "AWS.AccountId": OWN, "EndpointName": "churn", "VariantName": "AllTraffic" }))),
    None
)]
// The detail alone has no account to compare with.
#[case::detail_alone(block(&camel_metric(OWN), &json!({})), Some(OWN))]
fn a_metric_of_another_account_is_refused(#[case] payload: Value, #[case] foreign: Option<&str>) {
    let outcome = of_three(&payload, &built_in());
    let expected = if foreign.is_some() { "not_allowed" } else { "resize" };
    assert_eq!(reason(&outcome), expected, "{}", report::explanation(&outcome));
    if let Some(account) = foreign {
        assert!(report::explanation(&outcome).contains(account));
        assert_eq!(outcome.target, Some(target()), "the record names the target that is left alone");
    }
}

#[test]
fn a_listed_account_does_not_make_its_endpoints_local() {
    let listed = policy(&format!("accounts = [\"{OWN}\", \"{OTHER}\"]"));
    let outcome = of_three(&measuring(&json!([metric(&json!(OTHER))])), &listed);
    assert_eq!(reason(&outcome), "not_allowed");
}

// ---- the line that names a target ----

fn without_variant(description: &str) -> Value {
    let mut payload = message("churn-high-cpu", "GreaterThanThreshold");
    payload["AlarmDescription"] = json!(description);
    payload["Trigger"]["Dimensions"] = json!([{ "name": "EndpointName", "value": "churn" }]);
    payload
}

fn insights(description: &str) -> Value {
    let query = json!([{ "id": "q1", "expression": "SELECT MAX(CPUUtilization) FROM SCHEMA(\"x\")", "period": 60,
                         "returnData": true }]);
    let mut block = block(&query, &json!({}));
    block["configuration"]["description"] = json!(description);
    block
}

fn elsewhere(description: &str) -> Value {
    let mut payload = without_variant(description);
    payload["Trigger"]["Dimensions"] = json!([{ "name": "QueueName", "value": "orders" }]);
    payload
}

#[rstest]
#[case::endpoint_alone(without_variant(LINE), Some(VARIANT))]
#[case::another_metric(elsewhere(LINE), Some(VARIANT))]
#[case::metrics_insights(event(&insights(LINE)), Some(VARIANT))]
#[case::metrics_insights_by_direct_action(action(&insights(LINE)), Some(VARIANT))]
#[case::metrics_insights_by_its_detail(insights(LINE), Some(VARIANT))]
#[case::composite(with(message("a", "GreaterThanThreshold"), &[("/Trigger", Value::Null), ("/AlarmDescription", json!(LINE))]), Some(VARIANT))]
#[case::copied_to_another_variant(
    with(message("a", "GreaterThanThreshold"), &[("/AlarmDescription", json!("stepladder: target=endpoint/fraud/variant/blue"))]),
    Some(VARIANT)
)]
#[case::copied_to_another_endpoint(without_variant("stepladder: target=endpoint/fraud/variant/blue"), None)]
#[case::not_a_line_of_its_own(
    without_variant("see stepladder: target=endpoint/churn/variant/AllTraffic"),
    None
)]
#[case::no_id(without_variant("stepladder: target=endpoint/churn/variant/All\"Traffic"), None)]
#[case::an_ocid(without_variant(&format!("stepladder: target={CHURN}")), None)]
#[case::without(without_variant("For people."), None)]
fn an_alarm_that_names_no_target_may_describe_it(#[case] payload: Value, #[case] expected: Option<&str>) {
    let alarm = parse(payload.to_string().as_bytes()).unwrap().alarms.remove(0);
    let targets: Vec<&str> = alarm.targets.iter().map(TargetId::as_str).collect();
    assert_eq!(targets, Vec::from_iter(expected));
}

fn oci_message(namespace: &str, resource: &str, body: &str) -> Value {
    let mut payload: Value = serde_json::from_slice(&notice(HIGH_CPU, CHURN).body()).unwrap();
    let query = format!("HttpRequests[1m]{{resourceId = \"{resource}\"}}.rate() > 50");
    payload["body"] = json!(body);
    payload["alarmMetaData"][0]["namespace"] = json!(namespace);
    payload["alarmMetaData"][0]["query"] = json!(query);
    payload["alarmMetaData"][0]["dimensions"] = json!([{ "resourceId": resource }]);
    payload
}

const BALANCER: &str = "ocid1.loadbalancer.oc1.iad.exampleuniqueid";
const RANKING: &str = "ocid1.datasciencemodeldeployment.oc1.iad.exampleuniqueidranking";

#[rstest]
#[case::load_balancer("oci_lbaas", BALANCER, &format!("Busy.\nstepladder: target={CHURN}"), &[CHURN])]
#[case::own_namespace("queues", "orders", &format!("stepladder: target={CHURN}"), &[CHURN])]
#[case::unusable_resource("queues", "a/b", &format!("stepladder: target={CHURN}"), &[CHURN])]
#[case::copied("oci_datascience_modeldeploy", RANKING, &format!("stepladder: target={CHURN}"), &[RANKING])]
#[case::a_variant("oci_lbaas", BALANCER, &format!("stepladder: target={VARIANT}"), &[BALANCER])]
#[case::no_id("oci_lbaas", BALANCER, &format!("stepladder: target={CHURN}\"}}"), &[BALANCER])]
#[case::without("oci_lbaas", BALANCER, "Busy.", &[BALANCER])]
fn an_oci_alarm_may_describe_its_target_in_its_body(
    #[case] namespace: &str,
    #[case] resource: &str,
    #[case] body: &str,
    #[case] expected: &[&str],
) {
    let payload = oci_message(namespace, resource, body);
    let alarm = parse(payload.to_string().as_bytes()).unwrap().alarms.remove(0);
    let unknown = alarm.unknown_targets.iter().map(String::as_str);
    assert_eq!(alarm.targets.iter().map(TargetId::as_str).chain(unknown).collect::<Vec<_>>(), expected);
}

#[test]
fn a_tick_finds_the_target_that_a_description_names() {
    let mut policy = built_in();
    policy.alarm_action = Some(TOPIC_ARN.to_owned());
    let mut alarm = existing("churn-backlog-high_cpu", VARIANT, Some(1));
    let AlarmDefinition::Aws(definition) = &mut alarm.definition else { panic!("{alarm:?}") };
    definition.dimensions.remove("VariantName");
    LINE.clone_into(&mut definition.description);
    alarm.notified = Some(at(0));
    let tick = |alarm: &WorldAlarm| {
        let cloud = SimulatedCloud::new(World { alarms: vec![alarm.clone()], ..cloud().snapshot() });
        answer(TICK, &cloud, &policy, minute(1)).outcomes
    };
    assert_eq!(tick(&alarm).iter().map(reason).collect::<Vec<_>>(), ["resize"]);
    let AlarmDefinition::Aws(definition) = &mut alarm.definition else { panic!("{alarm:?}") };
    definition.description.clear();
    assert!(tick(&alarm).is_empty(), "an alarm without a target was reported when it notified");
}

// ---- every source ----

fn sns_record(message: &Value) -> Value {
    json!({ "EventSource": "aws:sns", "Sns": { "TopicArn": TOPIC_ARN, "Message": message.to_string() } })
}

fn sqs_record(body: &Value) -> Value {
    json!({ "eventSource": "aws:sqs", "messageId": "m", "body": body.to_string() })
}

fn in_records(record: &Value) -> Value {
    json!({ "Records": [record] })
}

fn failed(payload: &Value, condition: &str) -> Value {
    let context = json!({ "requestId": "r", "functionArn": "arn:aws:lambda:us-east-1:111122223333:function:f",
                          "condition": condition, "approximateInvokeCount": 3 });
    json!({ "version": "1.0", "timestamp": "2026-03-02T12:10:00.000Z", "requestContext": context,
            "requestPayload": payload, "responseContext": { "statusCode": 200, "functionError": "Unhandled" },
            "responsePayload": null })
}

fn on_the_bus(record: &Value) -> Value {
    json!({ "version": "0", "source": "lambda", "detail-type": "Lambda Function Invocation Result - Failure",
            "detail": record })
}

fn envelope(message: &Value) -> Value {
    json!({ "Type": "Notification", "TopicArn": TOPIC_ARN, "Message": message.to_string() })
}

/// The same message from every source.
fn sources(message: &Value) -> Vec<(&'static str, Value)> {
    let delivered = in_records(&sns_record(message));
    let record = failed(&delivered, "RetriesExhausted");
    vec![
        ("as it is", message.clone()),
        ("SNS", delivered.clone()),
        ("SNS, one record", sns_record(message)),
        ("SQS", in_records(&sqs_record(message))),
        ("SQS, one record", sqs_record(message)),
        ("SQS behind SNS", in_records(&sqs_record(&envelope(message)))),
        ("a message of `receive-message`", json!({ "MessageId": "m", "Body": message.to_string() })),
        (
            "all of `receive-message`",
            json!({ "Messages": [{ "MessageId": "m", "Body": envelope(message).to_string() }] }),
        ),
        ("a pipe from a queue", json!([sqs_record(message)])),
        ("a pipe from a queue behind SNS", json!([sqs_record(&envelope(message))])),
        ("a pipe of payloads", json!([message])),
        ("a pipe of texts", json!([message.to_string()])),
        ("the record of a failure", record.clone()),
        ("one of an aged event", failed(&delivered, "EventAgeExceeded")),
        ("one of a message", failed(message, "RetriesExhausted")),
        ("one of a pipe", failed(&json!([sqs_record(message)]), "RetriesExhausted")),
        ("one of a record that failed again", failed(&record, "RetriesExhausted")),
        ("one in SQS", in_records(&sqs_record(&record))),
        ("one in SQS behind SNS", in_records(&sqs_record(&envelope(&record)))),
        ("one in SNS", in_records(&sns_record(&record))),
        ("one on a bus", on_the_bus(&record)),
        ("one on a bus, in SQS", in_records(&sqs_record(&on_the_bus(&record)))),
        (
            "one in `receive-message`",
            json!({ "Messages": [{ "MessageId": "m", "Body": record.to_string() }] }),
        ),
        ("a dead letter in SQS", in_records(&sqs_record(&delivered))),
        ("a dead letter in SNS", in_records(&sns_record(&delivered))),
        ("a dead letter in SQS behind SNS", in_records(&sqs_record(&envelope(&delivered)))),
    ]
}

#[test]
fn the_same_alarm_by_every_source_decides_the_same() {
    let oci: Value = serde_json::from_slice(&notice(HIGH_CPU, CHURN).body()).unwrap();
    let messages = [
        notice(HIGH_CPU, VARIANT).message(),
        notice(LOW_CPU, VARIANT).message(),
        oci,
        event(&block(&camel_metric(OWN), &json!({}))),
        action(&block(&camel_metric(OWN), &json!({}))),
        insights(LINE),
        without_variant(LINE),
    ];
    for message in messages {
        let decided = |payload: &Value| {
            let answer = answer(payload.to_string().as_bytes(), &cloud(), &built_in(), at(0));
            assert_eq!(answer.rejected, [], "{payload}");
            let each = answer.outcomes.iter().map(report::record);
            each.map(|record| {
                json!([record["alarm"], record["decision"], record["because"], record["calls"]])
            })
            .collect::<Vec<_>>()
        };
        let expected = decided(&message);
        assert_eq!(expected.len(), 1);
        for (source, payload) in sources(&message) {
            assert_eq!(decided(&payload), expected, "{source}");
        }
    }
}

#[test]
fn a_tick_and_a_settled_endpoint_are_read_from_the_same_sources() {
    let settled = json!({ "EndpointName": "churn", "EndpointArn": "arn", "EndpointStatus": "IN_SERVICE" });
    for (source, payload) in sources(&settled) {
        assert_eq!(
            parse(payload.to_string().as_bytes()).unwrap().settled.map(|all| all.len()),
            Some(1),
            "{source}"
        );
    }
    for (source, payload) in sources(&json!({ "stepladder": "tick" })) {
        assert!(parse(payload.to_string().as_bytes()).unwrap().tick, "{source}");
    }
}

#[test]
fn the_messages_of_a_pipe_are_redelivered_one_by_one() {
    let message = notice(HIGH_CPU, VARIANT).message();
    let record = failed(&in_records(&sns_record(&message)), "RetriesExhausted");
    let ids = |payload: &Value| {
        let messages = messages(payload.to_string().as_bytes())?;
        Some(messages.into_iter().map(|message| message.id).collect::<Vec<_>>())
    };
    let one = Some(vec![Some("m".to_owned())]);
    assert_eq!(ids(&json!([sqs_record(&message)])), one);
    assert_eq!(ids(&in_records(&sqs_record(&record))), one);
    assert_eq!(ids(&sqs_record(&message)), one);
    for no_batch in [json!([message]), record, in_records(&sns_record(&message)), json!([])] {
        assert_eq!(ids(&no_batch), None, "{no_batch}");
    }
}

#[rstest]
// A function that is sent its own successes would answer for ever.
#[case::success(failed(&json!({ "stepladder": "tick" }), "Success"), "an invocation that ended in `Success`")]
#[case::success_again(failed(&failed(&json!({ "stepladder": "tick" }), "Success"), "RetriesExhausted"), "`Success`")]
#[case::nothing_in_it(failed(&json!({}), "RetriesExhausted"), "an empty object")]
#[case::no_payload(json!({ "requestContext": { "functionArn": "a", "condition": "RetriesExhausted" }, "version": "1.0" }),
    "the record of an invocation without its event (`requestPayload`)")]
#[case::api_gateway(json!({ "requestContext": { "http": {} }, "rawPath": "/" }), "an HTTP request")]
#[case::pipe_of_something_else(json!([{ "eventSource": "aws:kinesis" }]), "a JSON array of 1 items")]
#[case::pipe_of_numbers(json!([1, 2]), "a JSON array of 2 items")]
#[case::pipe_of_words(json!(["hello"]), "a plain text message `hello`")]
fn what_cannot_be_replayed_is_called_what_it_is(#[case] payload: Value, #[case] words: &str) {
    let error = parse(payload.to_string().as_bytes()).unwrap_err();
    assert!(error.to_string().contains(words), "{error}");
}

// ---- titles ----

/// The small world's OCI alarm, with a message whose title is this.
fn titled(title: &str) -> Value {
    let mut payload: Value = serde_json::from_slice(&notice(HIGH_CPU, CHURN).body()).unwrap();
    payload["title"] = json!(title);
    payload
}

#[rstest]
#[case::plain("Heads up", Some(HIGH_CPU), "resize")]
#[case::with_a_time("CRITICAL since 2026-03-02 12:00", Some(HIGH_CPU), "resize")]
#[case::another_language("Zu viel Last", Some(HIGH_CPU), "resize")]
// The title matches a rule, so nothing is read.
#[case::like_a_name("on fire: high-cpu", Some("something else"), "resize")]
// The alarm's own name matches no rule either.
#[case::no_rule_for_either("Heads up", Some("churn-errors"), "no_rule")]
#[case::unknown_alarm("Heads up", None, "no_rule")]
fn an_alarm_with_a_title_is_found_by_its_id(
    #[case] title: &str,
    #[case] name: Option<&str>,
    #[case] expected: &str,
) {
    let payload = titled(title);
    let id = payload["alarmMetaData"][0]["id"].as_str().unwrap();
    let named = name.map(|name| {
        let alarm = existing(name, CHURN, Some(5));
        WorldAlarm::new(id, alarm.definition)
    });
    let cloud = SimulatedCloud::new(World { alarms: named.into_iter().collect(), ..cloud().snapshot() });
    let outcome = answer(payload.to_string().as_bytes(), &cloud, &built_in(), at(0)).outcomes.remove(0);
    assert_eq!(reason(&outcome), expected, "{}", report::explanation(&outcome));
    let shown = if expected == "resize" && title != "on fire: high-cpu" { name.unwrap() } else { title };
    let shown = if name == Some("churn-errors") { "churn-errors" } else { shown };
    assert_eq!(outcome.alarm.name.as_str(), shown);
    let because = report::explanation(&outcome);
    assert_eq!(because.contains("title"), name.is_none(), "{because}");
}

#[test]
fn a_title_is_looked_up_only_for_an_alarm_that_fires_and_is_allowed() {
    let mut cleared = titled("Heads up");
    cleared["type"] = json!("FIRING_TO_OK");
    let rows =
        [(cleared, "", "not_firing"), (titled("Heads up"), "targets = [\"endpoint/*\"]", "not_allowed")];
    for (payload, rules, expected) in rows {
        let outcome =
            answer(payload.to_string().as_bytes(), &cloud(), &policy(rules), at(0)).outcomes.remove(0);
        assert_eq!((reason(&outcome), outcome.alarm.name.as_str()), (expected, "Heads up"));
    }
}

// ---- a name that no rule matches ----

#[test]
fn a_hold_without_a_rule_names_the_ways_out() {
    let outcome = of_three(&message("churn-cpu-utilization", "GreaterThanThreshold"), &built_in());
    assert_eq!(reason(&outcome), "no_rule");
    insta::assert_snapshot!(
        report::explanation(&outcome),
        @r#"no rule matches the alarm's name `churn-cpu-utilization`: rename it (rules match `*high_cpu*`, `*low_cpu*`, `*high_mem*`, `*low_mem*`, `*high_bandwidth*`, `*low_bandwidth*`), or add a `[[rule]]` with `alarm = "churn-cpu-utilization"`"#
    );
    let own = policy(
        "[[rule]]\nalarm = [\"*-busy\", \"x\"]\naxis = \"instances\"\n[[rule]]\nalarm = \"*_load\"\naxis = \"instances\"\ntarget = \"ocid1.*\"",
    );
    let outcome = of_three(&message("churn-cpu-utilization", "GreaterThanThreshold"), &own);
    insta::assert_snapshot!(
        report::explanation(&outcome),
        @r#"no rule matches the alarm's name `churn-cpu-utilization`: rename it (rules match `*-busy`, `*high_cpu*`, `*low_cpu*`, `*high_mem*`, `*low_mem*`, `*high_bandwidth*`, `*low_bandwidth*`), or add a `[[rule]]` with `alarm = "churn-cpu-utilization"`"#
    );
}

// ---- ids ----

#[rstest]
#[case::quotes("ocid1.datasciencemodeldeployment.oc1.iad.a\"}.max()>0||CpuUtilization[1m]{a=\"b")]
#[case::braces("ocid1.datasciencemodeldeployment.oc1.iad.a}b{c")]
#[case::parentheses("ocid1.datasciencemodeldeployment.oc1.iad.a(b)")]
#[case::path("ocid1.datasciencemodeldeployment.oc1.iad.a/../b")]
#[case::query("ocid1.datasciencemodeldeployment.oc1.iad.a?b=c")]
#[case::too_short("ocid1.datasciencemodeldeployment.oc1.iad")]
#[case::blank_end("ocid1.datasciencemodeldeployment.oc1.iad.a ")]
#[case::another_kind("ocid1.datasciencemodel.oc1.iad.a")]
#[case::placeholder("<YOUR_ID>")]
#[case::variant_with_quotes("endpoint/churn/variant/All\"Traffic")]
#[case::variant_with_braces("endpoint/ch{urn}/variant/AllTraffic")]
#[case::variant_that_climbs("endpoint/../variant/AllTraffic")]
#[case::variant_with_more("endpoint/churn/variant/AllTraffic/x")]
#[case::variant_with_a_line("endpoint/churn/variant/AllTraffic\n")]
#[case::variant_without("endpoint/churn/variant/")]
fn nothing_but_an_id_is_a_target(#[case] id: &str) {
    assert_eq!(platform::target_id(id), None);
    let line = format!("stepladder: target={id}");
    for payload in [without_variant(&line), oci_message("oci_lbaas", BALANCER, &line)] {
        let event = parse(payload.to_string().as_bytes()).unwrap();
        // White space ends an id in a line.
        assert!(event.alarms[0].targets.is_empty() || id.trim() != id, "{event:?}");
    }
}

#[test]
fn an_ocid_that_ends_a_query_is_no_target_of_a_message() {
    let id = "ocid1.datasciencemodeldeployment.oc1.iad.a}.max()>0||CpuUtilization[1m]{a";
    let payload = oci_message("oci_datascience_modeldeploy", id, "");
    assert!(parse(payload.to_string().as_bytes()).is_err());
    assert_eq!(oci::id::model_deployment(id), None);
}

// ---- what `parse` shows ----

#[test]
fn the_dimensions_are_shown() {
    let dimensions = |payload: &Value| {
        let event = parse(payload.to_string().as_bytes()).unwrap();
        report::parsed(&event)["alarms"][0]["dimensions"].clone()
    };
    assert_eq!(dimensions(&elsewhere("")), json!([{ "QueueName": "orders" }]));
    assert_eq!(
        dimensions(&event(&block(&camel_metric(OWN), &json!({ "EndpointName": "churn" })))),
        json!([{ "EndpointName": "churn" }, { "EndpointName": "churn", "VariantName": "AllTraffic" }])
    );
    assert_eq!(dimensions(&oci_message("oci_lbaas", BALANCER, "")), json!([{ "resourceId": BALANCER }]));
    assert_eq!(dimensions(&insights(LINE)), json!([]));
}
