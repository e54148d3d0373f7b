//! Above the floor there is a paired alarm that can fire: on which metrics, below which threshold, and what its silence
//! means.

use std::ops::Range;

use jiff::Timestamp;
use rstest::rstest;
use serde_json::{Value, json};
use stepladder::outcome::Outcome;
use stepladder::platform::aws::alarm::CloudwatchAlarm;
use stepladder::platform::aws::call::Call as AwsCall;
use stepladder::platform::metric::Metric;
use stepladder::platform::oci::call::Call as OciCall;
use stepladder::platform::simulated::{Delivery, SimulatedCloud, WorldAlarm, WorldConfiguration};
use stepladder::platform::target::{self, Target};
use stepladder::platform::{self, AlarmDefinition, Call};
use stepladder::policy::Policy;
use stepladder::report;

use crate::support::{
    CHURN, TICK, TOPIC_ARN, TOPIC_OCID, VARIANT, answer, at, cloud_of, minute, on, policy, reason, size,
};

const BUSY: &str = "churn-busy";

/// A policy whose rule answers `churn-busy`, with a pair on a metric.
fn paired(metric: &str, rule: &str, below: f64) -> Policy {
    policy(&format!(
        "[[rule]]\nalarm = \"*busy\"\naxis = \"instances\"\n{rule}\n\
         pair = {{ alarm = \"quiet\", metric = \"{metric}\", below = {below:?}, window = \"5m\" }}"
    ))
}

/// The endpoint has a queue.
fn with_queue(cloud: &SimulatedCloud) {
    let shape = size(cloud, VARIANT).shape;
    let document = json!({ "EndpointConfigName": "churn", "AsyncInferenceConfig": { "OutputConfig": {} },
        "ProductionVariants": [{ "VariantName": "AllTraffic", "ModelName": "m", "InstanceType": shape,
            "InitialInstanceCount": 1 }] });
    let known = WorldConfiguration {
        document,
        tags: std::collections::BTreeMap::new(),
        created: Timestamp::UNIX_EPOCH,
    };
    cloud.with(|world| world.configurations.insert("churn".to_owned(), known));
}

/// What an alarm reports.
#[derive(Clone)]
struct Report<'a> {
    name: &'a str,
    target: &'a str,
    metric: &'a str,
    value: Option<f64>,
    threshold: f64,
    above: bool,
}

impl Report<'_> {
    fn body(&self, at: Timestamp) -> Vec<u8> {
        let body = if self.target == VARIANT { self.cloudwatch(at) } else { self.oci(at) };
        body.to_string().into_bytes()
    }

    fn cloudwatch(&self, at: Timestamp) -> Value {
        let moment = at.strftime("%d/%m/%y %H:%M:%S");
        let reason = match self.value {
            Some(value) => format!(
                "Threshold Crossed: 1 out of the last 1 datapoints [{value:?} ({moment})] was {} than the threshold \
                 ({:?}) (minimum 1 datapoint for OK -> ALARM transition).",
                if self.above { "greater" } else { "less" },
                self.threshold
            ),
            None => "Threshold Crossed: no datapoints were received for 5 periods and 5 missing datapoints were treated \
                     as [Breaching]."
                .to_owned(),
        };
        json!({
            "AlarmName": self.name,
            "AlarmArn": format!("arn:aws:cloudwatch:us-east-1:111122223333:alarm:{}", self.name),
            "AWSAccountId": "111122223333",
            "NewStateValue": "ALARM",
            "NewStateReason": reason,
            "StateChangeTime": at,
            "AlarmActions": [TOPIC_ARN],
            "Trigger": {
                "MetricName": self.metric,
                "Namespace": published(VARIANT, self.metric).namespace,
                "StatisticType": "Statistic",
                "Statistic": published(VARIANT, self.metric).statistic.to_uppercase(),
                "Dimensions": [
                    { "name": "EndpointName", "value": "churn" },
                    { "name": "VariantName", "value": "AllTraffic" },
                ],
                "Period": 60,
                "EvaluationPeriods": 1,
                "ComparisonOperator": if self.above { "GreaterThanThreshold" } else { "LessThanThreshold" },
                "Threshold": self.threshold,
                "TreatMissingData": "breaching",
            },
        })
    }

    fn oci(&self, at: Timestamp) -> Value {
        let Self { metric, target, threshold, .. } = self;
        let sign = if self.above { ">" } else { "<" };
        let statistic = published(CHURN, metric).statistic;
        json!({
            "dedupeKey": "d1",
            "title": self.name,
            "type": "OK_TO_FIRING",
            "severity": "CRITICAL",
            "timestampEpochMillis": at.as_millisecond(),
            "alarmMetaData": [{
                "id": format!("ocid1.alarm.oc1.iad.{}", self.name),
                "status": "FIRING",
                "namespace": "oci_datascience_modeldeploy",
                "query": format!("{metric}[1m]{{resourceId = \"{target}\"}}.groupBy(resourceId).{statistic}() {sign} {threshold}"),
                "totalMetricsFiring": 1,
                "dimensions": [{ "resourceId": target }],
                "metricValues": self.value.map(|value| json!([{ *metric: value.to_string() }])),
            }],
            "version": 1.5,
        })
    }
}

/// A metric as its platform publishes it.
fn published(target: &str, name: &str) -> &'static Metric {
    target::of(platform::target_id(target).unwrap().kind()).unwrap().metric(name).expect("it is published")
}

/// An alarm of the operator on a metric fires above its threshold.
fn busy<'a>(target: &'a str, metric: &'a str, value: f64, threshold: f64) -> Report<'a> {
    Report { name: BUSY, target, metric, value: Some(value), threshold, above: true }
}

fn reported(cloud: &SimulatedCloud, policy: &Policy, report: &Report, at: Timestamp) -> Outcome {
    let mut answer = answer(&report.body(at), cloud, policy, at);
    assert_eq!(answer.outcomes.len(), 1, "one alarm, one target");
    answer.outcomes.remove(0)
}

fn put(outcome: &Outcome) -> Option<CloudwatchAlarm> {
    outcome.calls.iter().find_map(|sent| {
        let Call::Aws(AwsCall::PutMetricAlarm(alarm)) = &sent.call else { return None };
        Some((**alarm).clone())
    })
}

fn query(outcome: &Outcome) -> Option<String> {
    outcome.calls.iter().find_map(|sent| {
        let Call::Oci(OciCall::CreateAlarm { alarm, .. } | OciCall::UpdateAlarm { alarm, .. }) = &sent.call
        else {
            return None;
        };
        Some(alarm.query.clone())
    })
}

// ---- what a pair watches ----

#[rstest]
// What instances publish all the time: silence is no load that is known.
#[case::cpu("CpuUtilization", "/aws/sagemaker/Endpoints", "Average", "notBreaching")]
#[case::memory("MemoryUtilization", "/aws/sagemaker/Endpoints", "Average", "notBreaching")]
#[case::disk("DiskUtilization", "/aws/sagemaker/Endpoints", "Average", "notBreaching")]
// What is published with the requests only.
#[case::requests("Invocations", "AWS/SageMaker", "Sum", "breaching")]
#[case::requests_each("InvocationsPerInstance", "AWS/SageMaker", "Sum", "breaching")]
#[case::concurrency("concurrentrequestspermodel", "AWS/SageMaker", "Maximum", "breaching")]
#[case::latency("ModelLatency", "AWS/SageMaker", "Average", "breaching")]
#[case::overhead("OverheadLatency", "AWS/SageMaker", "Average", "breaching")]
fn a_pair_of_a_variant_watches(
    #[case] metric: &str,
    #[case] namespace: &str,
    #[case] statistic: &str,
    #[case] missing: &str,
) {
    let cloud = cloud_of(VARIANT, 2, "ml.m5.xlarge");
    let outcome =
        reported(&cloud, &paired(metric, "", 5.0), &busy(VARIANT, "DiskUtilization", 90.0, 80.0), at(0));
    let alarm = put(&outcome).expect("a pair");
    assert_eq!((alarm.namespace.as_ref(), alarm.statistic.as_ref()), (namespace, statistic));
    assert_eq!(alarm.missing_data, missing);
    assert_eq!(alarm.dimensions.len(), 2);
}

#[test]
fn a_pair_on_the_queue_watches_the_whole_endpoint_and_is_still_the_variants() {
    let metric = "ApproximateBacklogSizePerInstance";
    let cloud = cloud_of(VARIANT, 1, "ml.m5.xlarge");
    with_queue(&cloud);
    on(&cloud, VARIANT, |found| found.metrics.insert(metric.to_owned(), 0.0));
    let mut policy = paired(metric, "", 1.0);
    policy.alarm_action = Some(TOPIC_ARN.to_owned());
    let outcome = reported(&cloud, &policy, &busy(VARIANT, "CPUUtilization", 380.0, 320.0), at(0));
    let alarm = put(&outcome).expect("a pair");
    assert_eq!((alarm.namespace.as_ref(), alarm.missing_data.as_ref()), ("AWS/SageMaker", "notBreaching"));
    assert_eq!(alarm.dimensions.keys().collect::<Vec<_>>(), ["EndpointName"]);
    live(&cloud, &policy, 1..60);
    assert_eq!(size(&cloud, VARIANT).instances, 1, "a tick finds the target in the marker");
}

#[rstest]
#[case::cpu("CPUUtilization", "CpuUtilization[5m]{id}.groupBy(resourceId).mean() < 5")]
#[case::bandwidth("predictbandwidth", "PredictBandwidth[5m]{id}.groupBy(resourceId).mean() < 5")]
// A sum grows with its window, and the policy counts by the minute.
#[case::requests(
    "PredictRequestCount",
    "PredictRequestCount[5m]{id}.groupBy(resourceId).sum() < 25 || PredictRequestCount[5m]{id}.groupBy(resourceId).absent(3d)"
)]
#[case::responses(
    "PredictResponse",
    "PredictResponse[5m]{id}.groupBy(resourceId).count() < 25 || PredictResponse[5m]{id}.groupBy(resourceId).absent(3d)"
)]
#[case::latency(
    "PredictLatency",
    "PredictLatency[5m]{id}.groupBy(resourceId).mean() < 5 || PredictLatency[5m]{id}.groupBy(resourceId).absent(3d)"
)]
fn a_pair_of_a_model_deployment_watches(#[case] metric: &str, #[case] expected: &str) {
    let cloud = cloud_of(CHURN, 2, "VM.Standard2.2");
    let outcome =
        reported(&cloud, &paired(metric, "", 5.0), &busy(CHURN, "MemoryUtilization", 90.0, 80.0), at(0));
    let id = format!("{{resourceId = \"{CHURN}\"}}");
    assert_eq!(query(&outcome), Some(expected.replace("{id}", &id)));
}

// ---- what could never fire adds nothing ----

#[rstest]
// Another platform's metric.
#[case::of_another_platform(VARIANT, "ml.m5.xlarge", "PredictLatency", "pair_cannot_fire")]
#[case::of_another_platform_too(CHURN, "VM.Standard2.2", "InvocationsPerInstance", "pair_cannot_fire")]
#[case::of_another_platforms_queue(CHURN, "VM.Standard2.2", "ApproximateBacklogSize", "pair_cannot_fire")]
// The endpoint has no queue.
#[case::queue(VARIANT, "ml.m5.xlarge", "ApproximateBacklogSizePerInstance", "pair_cannot_fire")]
#[case::age_of_the_queue(VARIANT, "ml.m5.xlarge", "ApproximateAgeOfOldestRequest", "pair_cannot_fire")]
// A share of an unknown capacity.
#[case::unknown_cores(VARIANT, "ml.x9.xlarge", "CPUUtilization", "unlisted_shape")]
#[case::unknown_gpus(VARIANT, "ml.x9.xlarge", "GPUUtilization", "unlisted_shape")]
// The shape has no accelerators.
#[case::gpus_of_none(VARIANT, "ml.m5.xlarge", "GPUUtilization", "pair_cannot_fire")]
#[case::gpu_memory_of_none(VARIANT, "ml.c6i.2xlarge", "GPUMemoryUtilization", "pair_cannot_fire")]
#[case::gpu_cores_of_none(CHURN, "VM.Standard2.2", "GPUCoreUtilization", "pair_cannot_fire")]
#[case::gpus(VARIANT, "ml.g5.xlarge", "GPUUtilization", "resize")]
#[case::gpu_cores(CHURN, "VM.GPU.A10.1", "GPUCoreUtilization", "resize")]
// A percentage needs no capacity, and neither does a count.
#[case::memory(VARIANT, "ml.x9.xlarge", "MemoryUtilization", "resize")]
#[case::requests(VARIANT, "ml.x9.xlarge", "InvocationsPerInstance", "resize")]
#[case::cpu_in_percent(CHURN, "VM.Standard1.9", "CpuUtilization", "resize")]
fn a_pair_that_cannot_fire_is_no_pair(
    #[case] target: &str,
    #[case] shape: &str,
    #[case] metric: &str,
    #[case] expected: &str,
) {
    let cloud = cloud_of(target, 2, shape);
    let before = cloud.snapshot().deployments;
    let outcome =
        reported(&cloud, &paired(metric, "", 5.0), &busy(target, "MemoryUtilization", 95.0, 80.0), at(0));
    assert_eq!(reason(&outcome), expected, "{}", report::explanation(&outcome));
    assert_eq!(cloud.snapshot().deployments == before, expected != "resize");
    assert_eq!(outcome.calls.is_empty(), expected != "resize");
    if expected != "resize" {
        let text = format!("{} {}", report::explanation(&outcome), outcome.notes.join(" "));
        assert!(text.contains(if expected == "unlisted_shape" { shape } else { metric }), "{text}");
    }
}

#[rstest]
#[case::requests("InvocationsPerInstance")]
#[case::all_requests("Invocations")]
#[case::overhead("OverheadLatency")]
fn an_asynchronous_endpoint_does_not_publish_its_requests(#[case] metric: &str) {
    // Their silence would be low for ever.
    let cloud = cloud_of(VARIANT, 2, "ml.m5.xlarge");
    with_queue(&cloud);
    let outcome =
        reported(&cloud, &paired(metric, "", 5.0), &busy(VARIANT, "CPUUtilization", 390.0, 320.0), at(0));
    assert_eq!(reason(&outcome), "pair_cannot_fire");
}

// A threshold of 320 is 80 % of four cores.
#[rstest]
#[case::four_cores("ml.m5.xlarge", "resize")]
#[case::sixteen_cores("ml.m5.4xlarge", "resize")]
#[case::forty_eight_cores("ml.m5.12xlarge", "pair_cannot_fire")]
#[case::ninety_six_cores("ml.m5.24xlarge", "pair_cannot_fire")]
fn an_alarm_that_fires_below_its_pair_adds_nothing(#[case] shape: &str, #[case] expected: &str) {
    let cloud = cloud_of(VARIANT, 2, shape);
    let policy = paired("CPUUtilization", "", 10.0);
    let outcome = reported(&cloud, &policy, &busy(VARIANT, "CPUUtilization", 371.0, 320.0), at(0));
    assert_eq!(reason(&outcome), expected, "{}", report::explanation(&outcome));
    assert_eq!(report::explanation(&outcome).contains("`pair.below`"), expected != "resize");
}

#[test]
fn what_removes_needs_no_pair_that_can_fire() {
    let policy = policy(
        "[[rule]]\nalarm = \"*busy\"\naxis = \"instances\"\nstep = -1\n\
         pair = { alarm = \"quiet\", metric = \"PredictLatency\", below = 5, window = \"5m\" }",
    );
    let cloud = cloud_of(VARIANT, 2, "ml.x9.xlarge");
    let low = Report {
        above: false,
        value: Some(3.0),
        threshold: 5.0,
        ..busy(VARIANT, "DiskUtilization", 0.0, 0.0)
    };
    let outcome = reported(&cloud, &policy, &low, at(0));
    assert_eq!(reason(&outcome), "resize");
    assert!(put(&outcome).is_none());
}

#[rstest]
#[case::normalized("CPUUtilizationNormalized")]
#[case::reserved("MemoryReservation")]
#[case::of_containers("ContainerCpuUtilization")]
#[case::misspelt("GPUCoreUtilisation")]
#[case::misspelt_requests("InvocationPerInstance")]
#[case::misspelt_queue("ApproximateBacklogSizePerInstances")]
fn a_metric_that_nothing_publishes_is_refused(#[case] metric: &str) {
    let text = format!(
        "[[rule]]\nalarm = \"x\"\naxis = \"instances\"\n\
         pair = {{ alarm = \"quiet\", metric = \"{metric}\", below = 5, window = \"5m\" }}"
    );
    let errors = Policy::parse(&text).expect_err("it is refused").to_string();
    assert!(errors.contains(&format!("`pair.metric = \"{metric}\"`")), "{errors}");
    assert!(errors.contains("would never fire") || errors.contains("did you mean"), "{errors}");
}

// ---- what its silence means ----

/// Lets time pass, and delivers the alarms' notifications and, on AWS, a tick every minute.
fn live(cloud: &SimulatedCloud, policy: &Policy, minutes: Range<i64>) {
    for now in minutes.map(minute) {
        for Delivery { body, .. } in cloud.advance(now) {
            answer(&body, cloud, policy, now);
        }
        answer(TICK, cloud, policy, now);
    }
}

/// The kinds of target, with a deployment of each.
fn deployments() -> [(&'static Target, &'static str, &'static str, &'static str); 2] {
    let row = |id: &str| target::of(platform::target_id(id).unwrap().kind()).unwrap();
    [(row(VARIANT), VARIANT, "ml.g5.xlarge", TOPIC_ARN), (row(CHURN), CHURN, "VM.Standard2.2", TOPIC_OCID)]
}

/// The load ends: what is used falls to nothing, and what comes with the requests is published no more.
fn ends(cloud: &SimulatedCloud, target: &str, metric: &Metric) {
    on(cloud, target, |found| {
        found.metrics.clear();
        if !metric.stops_with_traffic() {
            found.metrics.insert(metric.name.to_owned(), 0.0);
        }
    });
}

#[rstest]
#[case::one_more("step = 1")]
#[case::three_more("step = 3")]
#[case::tracked("track = 60")]
#[case::by_steps("steps = [{ above = 0, add = 2 }]")]
fn what_is_added_is_removed_when_the_load_ends_whatever_the_metric(#[case] rule: &str) {
    for (row, target, shape, topic) in deployments() {
        for metric in row.metrics {
            let cloud = cloud_of(target, 1, shape);
            let is_of_queue = target == VARIANT && metric.dimensions.len() == 1;
            if is_of_queue {
                with_queue(&cloud);
            }
            let mut policy = paired(metric.name, rule, 5.0);
            policy.alarm_action = Some(topic.to_owned());
            let full = metric.full(policy.ladders.rung(shape).as_deref()).unwrap_or(100.0);
            reported(&cloud, &policy, &busy(target, metric.name, 1.3 * full, 0.8 * full), at(0));
            let added = cloud.snapshot().deployments[target].heading().instances;
            assert!(added > 1, "{target} {} {rule}: nothing is added", metric.name);
            ends(&cloud, target, metric);
            live(&cloud, &policy, 1..240);
            assert_eq!(size(&cloud, target).instances, 1, "{target} {} {rule}", metric.name);
        }
    }
}

#[rstest]
#[case::requests(VARIANT, "InvocationsPerInstance")]
#[case::latency(VARIANT, "ModelLatency")]
#[case::requests_on_oci(CHURN, "PredictRequestCount")]
#[case::latency_on_oci(CHURN, "PredictLatency")]
fn while_requests_come_nothing_is_removed(#[case] target: &str, #[case] metric: &str) {
    let (_, _, shape, topic) = deployments().into_iter().find(|(_, id, ..)| *id == target).unwrap();
    let cloud = cloud_of(target, 1, shape);
    let mut policy = paired(metric, "step = 1", 5.0);
    policy.alarm_action = Some(topic.to_owned());
    reported(&cloud, &policy, &busy(target, metric, 130.0, 80.0), at(0));
    on(&cloud, target, |found| found.metrics.insert(metric.to_owned(), 40.0));
    live(&cloud, &policy, 1..120);
    assert_eq!(size(&cloud, target).instances, 2);
}

/// An endpoint of three instances that has its pair on a metric.
fn with_pair(metric: &str) -> (SimulatedCloud, Policy) {
    let cloud = cloud_of(VARIANT, 2, "ml.m5.xlarge");
    let policy = paired(metric, "step = 1", 5.0);
    reported(&cloud, &policy, &busy(VARIANT, "DiskUtilization", 95.0, 80.0), at(0));
    cloud.advance(minute(30));
    assert_eq!(size(&cloud, VARIANT).instances, 3);
    (cloud, policy)
}

#[rstest]
// The pair on requests: none came.
#[case::pair_on_requests(
    "InvocationsPerInstance",
    "stepladder/endpoint/churn/variant/AllTraffic/quiet",
    "resize"
)]
#[case::pair_on_latency("ModelLatency", "stepladder/endpoint/churn/variant/AllTraffic/quiet", "resize")]
// Utilization that is missing is never low.
#[case::pair_on_cpu("CPUUtilization", "stepladder/endpoint/churn/variant/AllTraffic/quiet", "no_data")]
#[case::pair_on_memory("MemoryUtilization", "stepladder/endpoint/churn/variant/AllTraffic/quiet", "no_data")]
// An alarm of somebody else that has the pair's short name.
#[case::not_ours("InvocationsPerInstance", "quiet", "no_data")]
fn silence_is_low_only_for_stepladders_pair_on_requests(
    #[case] metric: &str,
    #[case] name: &str,
    #[case] expected: &str,
) {
    let (cloud, policy) = with_pair(metric);
    let silent = Report { name, target: VARIANT, metric, value: None, threshold: 5.0, above: false };
    let outcome = reported(&cloud, &policy, &silent, minute(60));
    assert_eq!(reason(&outcome), expected, "{}", report::explanation(&outcome));
}

#[test]
fn a_pair_that_was_written_for_another_metric_does_not_fire_on_silence() {
    let (cloud, _) = with_pair("CPUUtilization");
    let name = "stepladder/endpoint/churn/variant/AllTraffic/quiet";
    let policy = paired("InvocationsPerInstance", "step = 1", 5.0);
    let silent = Report {
        name,
        target: VARIANT,
        metric: "CPUUtilization",
        value: None,
        threshold: 20.0,
        above: false,
    };
    assert_eq!(reason(&reported(&cloud, &policy, &silent, minute(60))), "no_data");
}

// ---- the scale-up alarm's own threshold ----

#[rstest]
// 80 % of four cores: the policy's threshold is low enough.
#[case::eighty_percent("ml.m5.xlarge", 1, 320.0, 390.0, Some(40.0))]
// 200 of 1600 is 12.5 %: on two instances 5.62 is as much as 11.24 on one.
#[case::an_eighth_of_sixteen_cores("ml.m5.4xlarge", 1, 200.0, 350.0, Some(89.76))]
// From four to three a third comes on top: 8.43 %.
#[case::an_eighth_of_sixteen_cores_on_four("ml.m5.4xlarge", 3, 200.0, 350.0, Some(134.72))]
// 80 of 400 is a fifth of what there is, nearly 9 % on two.
#[case::eighty_of_four_cores("ml.m5.xlarge", 1, 80.0, 350.0, Some(35.96))]
// 60 of 1600 is 3.75 %, and the pair fires below 10 %: both would fire.
#[case::below_the_pairs("ml.m5.4xlarge", 1, 60.0, 92.0, None)]
// No load at all uses as much: nothing is low enough.
#[case::no_room("ml.m5.4xlarge", 1, 10.0, 92.0, None)]
fn the_pair_fires_below_what_the_alarm_itself_would_undo(
    #[case] shape: &str,
    #[case] instances: u32,
    #[case] threshold: f64,
    #[case] value: f64,
    #[case] expected: Option<f64>,
) {
    let cloud = cloud_of(VARIANT, instances, shape);
    let policy = paired("CPUUtilization", "step = 1", 10.0);
    let outcome = reported(&cloud, &policy, &busy(VARIANT, "CPUUtilization", value, threshold), at(0));
    let put = put(&outcome);
    let written = put.as_ref().map(|alarm| (alarm.threshold * 100.0).round() / 100.0);
    assert_eq!(written, expected, "{}", report::explanation(&outcome));
    assert_eq!(reason(&outcome), if expected.is_some() { "resize" } else { "pair_cannot_fire" });
    let is_noted = outcome.notes.iter().any(|note| note.contains("fires below"));
    assert_eq!(
        is_noted,
        expected.is_some_and(|below| below < 10.0 / 100.0 * full(shape)),
        "{:?}",
        outcome.notes
    );
}

fn full(shape: &str) -> f64 {
    let policy = policy("");
    100.0 * f64::from(policy.ladders.rung(shape).unwrap().vcpus)
}

#[rstest]
#[case::percentages(CHURN, "CpuUtilization", 20.0, "< 8.99")]
#[case::usual(CHURN, "CpuUtilization", 80.0, "< 10")]
#[case::latency(CHURN, "PredictLatency", 10.5, "< 9.45 ||")]
fn so_it_does_on_oci(
    #[case] target: &str,
    #[case] metric: &str,
    #[case] threshold: f64,
    #[case] expected: &str,
) {
    let cloud = cloud_of(target, 1, "VM.Standard2.2");
    let policy = paired(metric, "step = 1", 10.0);
    let outcome = reported(&cloud, &policy, &busy(target, metric, 95.0, threshold), at(0));
    let query = query(&outcome).expect("a pair");
    assert!(query.contains(&format!("mean() {expected}")), "{query}");
}

#[rstest]
// 7.5 % on two is 15 % on one, above the alarm's own 12.5 %.
#[case::undone(120.0, "would_flap")]
#[case::not_undone(60.0, "resize")]
fn when_the_pair_fires_it_remembers_the_threshold(#[case] value: f64, #[case] expected: &str) {
    let cloud = cloud_of(VARIANT, 1, "ml.m5.4xlarge");
    let policy = paired("CPUUtilization", "step = 1", 10.0);
    reported(&cloud, &policy, &busy(VARIANT, "CPUUtilization", 350.0, 200.0), at(0));
    cloud.advance(minute(30));
    let low = Report {
        name: "stepladder/endpoint/churn/variant/AllTraffic/quiet",
        value: Some(value),
        threshold: 160.0,
        above: false,
        ..busy(VARIANT, "CPUUtilization", 0.0, 0.0)
    };
    let outcome = reported(&cloud, &policy, &low, minute(60));
    assert_eq!(reason(&outcome), expected, "{}", report::explanation(&outcome));
}

#[rstest]
#[case::higher("above=CPUUtilization:99999", "resize")]
#[case::lower("above=CPUUtilization:60", "would_flap")]
#[case::of_another_metric("above=MemoryUtilization:1", "resize")]
#[case::no_number("above=CPUUtilization:NaN", "resize")]
#[case::negative("above=CPUUtilization:-5", "resize")]
#[case::none("", "resize")]
fn a_recorded_threshold_only_ever_holds(#[case] record: &str, #[case] expected: &str) {
    let cloud = cloud_of(VARIANT, 1, "ml.m5.4xlarge");
    let policy = paired("CPUUtilization", "step = 1", 10.0);
    reported(&cloud, &policy, &busy(VARIANT, "CPUUtilization", 1500.0, 1280.0), at(0));
    cloud.advance(minute(30));
    cloud.with(|world| {
        for WorldAlarm { definition, .. } in &mut world.alarms {
            let AlarmDefinition::Aws(alarm) = definition else { panic!("an alarm of CloudWatch") };
            alarm.description = alarm.description.replace("above=CPUUtilization:1280", record);
        }
    });
    let low = Report {
        name: "stepladder/endpoint/churn/variant/AllTraffic/quiet",
        value: Some(46.0),
        threshold: 160.0,
        above: false,
        ..busy(VARIANT, "CPUUtilization", 0.0, 0.0)
    };
    assert_eq!(reason(&reported(&cloud, &policy, &low, minute(60))), expected);
}

#[test]
fn neither_scales_up_and_down_for_ever() {
    // The load of one instance, at any threshold of the operator's alarm.
    for threshold in [20.0, 60.0, 200.0, 800.0, 1280.0] {
        let cloud = cloud_of(VARIANT, 1, "ml.m5.4xlarge");
        let mut policy = paired("CPUUtilization", "step = 1", 10.0);
        policy.alarm_action = Some(TOPIC_ARN.to_owned());
        let load = threshold * 1.3;
        let mut changes = 0;
        let mut before = 1;
        for now in (0..600).map(minute) {
            let instances = size(&cloud, VARIANT).instances;
            changes += u32::from(instances != before);
            before = instances;
            let each = load / f64::from(instances);
            on(&cloud, VARIANT, |found| found.metrics.insert("CPUUtilization".to_owned(), each));
            if each > threshold {
                reported(&cloud, &policy, &busy(VARIANT, "CPUUtilization", each, threshold), now);
            }
            for Delivery { body, .. } in cloud.advance(now) {
                answer(&body, &cloud, &policy, now);
            }
            answer(TICK, &cloud, &policy, now);
        }
        assert!(changes <= 1, "{changes} changes in ten hours at a threshold of {threshold}");
    }
}

// ---- alarms that do not repeat ----

#[rstest]
#[case::busy_once(Some("UPDATING"), None, Some("what it requests is lost"))]
#[case::busy_and_repeating(Some("UPDATING"), Some("PT5M"), None)]
#[case::applied_once(None, None, Some("a further step is lost"))]
#[case::applied_and_repeating(None, Some("PT5M"), None)]
fn an_alarm_that_does_not_repeat_is_called_so(
    #[case] status: Option<&str>,
    #[case] repeat: Option<&str>,
    #[case] expected: Option<&str>,
) {
    let cloud = cloud_of(CHURN, 2, "VM.Standard2.2");
    let policy = paired("CpuUtilization", "step = 1", 5.0);
    let report = busy(CHURN, "CpuUtilization", 95.0, 80.0);
    let WorldAlarm { definition: AlarmDefinition::Oci(alarm), .. } =
        crate::support::existing(BUSY, CHURN, Some(1))
    else {
        panic!("an alarm of Monitoring")
    };
    let definition =
        stepladder::platform::oci::alarm::OciAlarm { repeat: repeat.map(str::to_owned), ..alarm };
    let id = format!("ocid1.alarm.oc1.iad.{BUSY}");
    cloud.with(|world| world.alarms.push(WorldAlarm::new(&id, AlarmDefinition::Oci(definition))));
    on(&cloud, CHURN, |found| found.status = status.map(str::to_owned));
    let outcome = reported(&cloud, &policy, &report, at(0));
    let note = outcome.notes.iter().find(|note| note.contains("does not repeat"));
    assert_eq!(note.is_some(), expected.is_some(), "{:?}", outcome.notes);
    assert!(note.is_none_or(|note| note.contains(expected.unwrap_or_default())), "{note:?}");
}

// ---- a rule that adds and has no pair ----

#[rstest]
#[case::step("axis = \"instances\"", "", true)]
#[case::track("axis = \"instances\"\ntrack = 60", "", true)]
#[case::shape("axis = \"shape\"", "", true)]
#[case::cheapest("axis = \"cheapest\"", "", true)]
#[case::steps_up("axis = \"instances\"\nsteps = [{ above = 0, add = 1 }]", "", true)]
// It adds nothing.
#[case::down("axis = \"instances\"\nstep = -1", "", false)]
// It goes both ways by itself.
#[case::both_ways(
    "axis = \"instances\"\nsteps = [{ above = 0, add = 1 }, { below = 0, remove = 1 }]",
    "",
    false
)]
#[case::paired(
    "axis = \"instances\"\npair = { alarm = \"x\", metric = \"CpuUtilization\", below = 10, window = \"5m\" }",
    "",
    false
)]
// Another rule removes.
#[case::by_another(
    "axis = \"instances\"",
    "[[rule]]\nalarm = \"idle\"\naxis = \"instances\"\nstep = -1",
    false
)]
#[case::on_another_axis(
    "axis = \"instances\"",
    "[[rule]]\nalarm = \"idle\"\naxis = \"shape\"\nstep = -1",
    true
)]
#[case::for_other_targets(
    "axis = \"instances\"",
    "[[rule]]\nalarm = \"idle\"\ntarget = \"endpoint/a/*\"\naxis = \"instances\"\nstep = -1",
    true
)]
fn what_adds_and_is_never_removed_is_known(#[case] rule: &str, #[case] more: &str, #[case] expected: bool) {
    let policy = policy(&format!("[[rule]]\nalarm = \"busy\"\n{rule}\n{more}"));
    assert_eq!(policy.unpaired().len(), usize::from(expected));
}
