//! Payloads in, alarms out: every shape, every known irregularity, and everything that is no alarm.

use std::path::PathBuf;
use stepladder::platform::oci;

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use stepladder::alarm::{Alarm, Reported, Transition};
use stepladder::source::Event;
use stepladder::source::{Error, MAX_BYTES, MAX_TARGETS, SOURCES, messages, parse};
use stepladder::target::TargetId;

const CHURN: &str = "ocid1.datasciencemodeldeployment.oc1.iad.exampleuniqueidchurn";
const RANKING: &str = "ocid1.datasciencemodeldeployment.oc1.iad.exampleuniqueidranking";
const VARIANT: &str = "endpoint/churn/variant/AllTraffic";
const ARN: &str = "arn:aws:cloudwatch:us-east-1:111122223333:alarm:a";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn bytes(file: &str) -> Vec<u8> {
    let path = root().join("events").join(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn sample(file: &str) -> Value {
    serde_json::from_slice(&bytes(file)).unwrap()
}

/// The alarm's message inside a sample of an SNS delivery.
fn message(file: &str) -> Value {
    let written = sample(file);
    serde_json::from_str(written.pointer("/Records/0/Sns/Message").unwrap().as_str().unwrap()).unwrap()
}

fn read(payload: &Value) -> Result<Event, Error> {
    parse(payload.to_string().as_bytes())
}

/// The only alarm of a payload that is read without a complaint.
fn one(payload: &Value) -> Alarm {
    let event = read(payload).unwrap();
    assert_eq!((event.alarms.len(), event.rejected.as_slice()), (1, [].as_slice()), "{event:?}");
    event.alarms.into_iter().next().unwrap()
}

fn ids(alarm: &Alarm) -> Vec<&str> {
    let unknown = alarm.unknown_targets.iter().map(String::as_str);
    alarm.targets.iter().map(TargetId::as_str).chain(unknown).collect()
}

fn in_records(messages: &[Value]) -> Value {
    let record = |message: &Value| json!({"EventSource": "aws:sns", "Sns": {"Message": message.to_string()}});
    json!({"Records": messages.iter().map(record).collect::<Vec<_>>()})
}

fn in_queue(body: &Value) -> Value {
    json!({"Records": [{"eventSource": "aws:sqs", "messageId": "m", "body": body.to_string()}]})
}

/// One line with everything that was read, with short names for the three targets of the samples.
fn summary(alarm: &Alarm) -> String {
    let Alarm { name, source, transition, measurement, at, .. } = alarm;
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| value.to_string());
    let window = measurement.window.map_or("-".to_owned(), |window| window.as_secs().to_string());
    let at = at.map_or("-".to_owned(), |at| at.strftime("%H:%M:%S").to_string());
    let metric = measurement.metric.as_deref().unwrap_or("-");
    let (value, threshold) = (number(measurement.reported.value), number(measurement.reported.threshold));
    let targets = ids(alarm)
        .join(" ")
        .replace(CHURN, "churn")
        .replace(RANKING, "ranking")
        .replace(VARIANT, "AllTraffic");
    format!("{source} {transition} {at} {name} | {metric} {value} of {threshold} in {window}s | {targets}")
}

/// The same as separate fields.
fn pieces(alarm: &Alarm) -> Value {
    let measurement = &alarm.measurement;
    json!({
        "summary": summary(alarm), "id": alarm.id, "name": alarm.name, "source": alarm.source,
        "transition": alarm.transition, "targets": ids(alarm), "kinds": kinds(alarm),
        "at": alarm.at.map(|at| at.to_string()), "metric": measurement.metric, "value": measurement.reported.value,
        "threshold": measurement.reported.threshold, "window": measurement.window.map(|window| window.as_secs()),
        "topic": alarm.topic, "account": alarm.account,
    })
}

fn kinds(alarm: &Alarm) -> Vec<String> {
    let unknown = alarm.unknown_targets.iter().map(|_| "unknown".to_owned());
    alarm.targets.iter().map(|target| target.kind().to_string()).chain(unknown).collect()
}

#[rstest]
#[case(
    "oci/high-cpu.firing",
    "oci firing 09:15:00 churn-model_deployment_high_cpu | CpuUtilization 91.4 of 80 in 300s | churn"
)]
#[case(
    "oci/high-cpu.repeat",
    "oci repeat 09:25:00 churn-model_deployment_high_cpu | CpuUtilization 93.75 of 80 in 300s | churn"
)]
#[case(
    "oci/high-cpu.cleared",
    "oci cleared 09:55:00 churn-model_deployment_high_cpu | CpuUtilization 41.5 of 80 in 300s | churn"
)]
#[case(
    "oci/high-cpu.reset",
    "oci no_data 10:40:00 churn-model_deployment_high_cpu | CpuUtilization - of 80 in 300s | churn"
)]
#[case(
    "oci/high-mem.firing",
    "oci firing 09:30:00 churn-model_deployment_high_mem | MemoryUtilization - of 85 in 300s | churn"
)]
#[case(
    "oci/high-bandwidth.firing",
    "oci firing 09:35:00 churn-model_deployment_high_bandwidth | PredictBandwidth - of 85 in 300s | churn"
)]
#[case(
    "oci/low-cpu.repeat",
    "oci repeat 11:00:00 churn-model_deployment_low_cpu | CpuUtilization 3.2 of 10 in 300s | churn"
)]
#[case(
    "oci/low-mem.firing",
    "oci firing 11:20:00 churn-model_deployment_low_mem | MemoryUtilization 6.8 of 10 in 300s | churn"
)]
#[case(
    "oci/pretty-v1.firing",
    "oci firing 10:10:00 model_deployment_high_mem | MemoryUtilization - of 80 in 60s | churn"
)]
#[case(
    "oci/shouted-ocid.repeat",
    "oci repeat 09:35:00 churn-model_deployment_high_cpu | CpuUtilization 95.5 of 80 in 300s | churn"
)]
#[case(
    "oci/two-deployments.firing",
    "oci firing 09:40:00 all-model_deployment_high_cpu | CpuUtilization 97.6 of 80 in 300s | churn ranking"
)]
#[case(
    "oci/two-alarms.repeat",
    "oci repeat 10:05:00 churn high-cpu or high-mem | CpuUtilization 90 of 80 in 300s | churn\n\
    oci cleared 10:05:00 churn high-cpu or high-mem | MemoryUtilization 60.5 of 85 in 300s | churn"
)]
#[case("cloudwatch/sns.high-cpu.firing", HIGH)]
#[case(
    "cloudwatch/sns.low-cpu.firing",
    "cloudwatch-sns firing 10:45:22 stepladder/endpoint/churn/variant/AllTraffic/model_deployment_low_cpu | CPUUtilization 4.1 of 20 in 300s | AllTraffic"
)]
#[case("cloudwatch/sns.two-records", &[HIGH, "cloudwatch-sns firing 09:18:43 churn-model_deployment_high_mem | MemoryUtilization 91.2 of 85 in 180s | AllTraffic"].join("\n"))]
#[case(
    "cloudwatch/sns.metric-math",
    "cloudwatch-sns firing 09:34:40 churn-cpu-per-core-model_deployment_high_cpu | CPUUtilization - of - in 120s | AllTraffic"
)]
#[case(
    "cloudwatch/sns.composite",
    "cloudwatch-sns firing 09:48:41 churn-slow-and-high-cpu | - - of - in -s | AllTraffic"
)]
#[case(
    "cloudwatch/sns.anomaly",
    "cloudwatch-sns firing 10:06:12 churn-unusual-high-cpu | CPUUtilization 151.8 of - in 300s | AllTraffic"
)]
#[case(
    "cloudwatch/message.high-cpu.cleared",
    "cloudwatch-sns cleared 09:53:41 churn-model_deployment_high_cpu | CPUUtilization 72.5 of 160 in 180s | AllTraffic"
)]
#[case(
    "cloudwatch/action.high-cpu.firing",
    "cloudwatch-action firing 09:18:41 churn-model_deployment_high_cpu | CPUUtilization 187.34 of 160 in 221s | AllTraffic"
)]
#[case(
    "cloudwatch/action.high-mem.firing",
    "cloudwatch-action firing 09:18:43 churn-model_deployment_high_mem | MemoryUtilization 91.2 of 85 in 223s | AllTraffic"
)]
#[case("cloudwatch/event.high-cpu.firing", EVENT)]
#[case("cloudwatch/detail.high-cpu.firing", DETAIL)]
#[case("cloudwatch/failed.sns", HIGH)]
#[case("cloudwatch/failed.sqs", HIGH)]
#[case("cloudwatch/failed.event", EVENT)]
#[case("cloudwatch/sqs.dead-letter", HIGH)]
#[case("cloudwatch/pipe.sqs", HIGH)]
#[case(
    "cloudwatch/sns.target-line",
    "cloudwatch-sns firing 09:18:41 churn-backlog-high_cpu | HasBacklogWithoutCapacity 1 of 1 in 60s | AllTraffic"
)]
#[case(
    "oci/target-line.firing",
    "oci firing 09:15:00 churn-requests-high_cpu | HttpRequests 77.5 of 50 in 60s | churn"
)]
#[case(
    "oci/titled.firing",
    "oci firing 09:15:00 Model deployment under load: CRITICAL | CpuUtilization 91.4 of 80 in 300s | churn"
)]
#[case(
    "cloudwatch/event.contributor",
    "cloudwatch-event firing 09:18:44 endpoints-model_deployment_high_cpu | q1 - of - in -s | AllTraffic"
)]
#[case(
    "cloudwatch/event.insufficient-data",
    "cloudwatch-event no_data 11:18:41 churn-model_deployment_high_cpu | CPUUtilization - of 160 in -s | AllTraffic"
)]
#[case("cloudwatch/sqs.sns-envelope", HIGH)]
#[case("cloudwatch/sqs.raw", HIGH)]
#[case("cloudwatch/sqs.event", EVENT)]
fn every_sample_contains_what_its_name_promises(#[case] file: &str, #[case] expected: &str) {
    let event = parse(&bytes(&format!("{file}.json"))).unwrap();
    assert_eq!(event.alarms.iter().map(summary).collect::<Vec<_>>().join("\n"), expected);
    assert_eq!(event.rejected, []);
    assert!(event.alarms.iter().all(|alarm| SOURCES.iter().any(|row| row.name == alarm.source)));
    // The ARN is in the event around the detail.
    let has_none = |alarm: &Alarm| alarm.source == "cloudwatch-detail" && alarm.id.is_empty();
    let has_id = |alarm: &Alarm| alarm.id.starts_with("ocid1.alarm.") || alarm.id.starts_with("arn:");
    assert!(event.alarms.iter().all(|alarm| has_id(alarm) || has_none(alarm)));
}

const HIGH: &str = "cloudwatch-sns firing 09:18:41 churn-model_deployment_high_cpu | CPUUtilization 187.34 of 160 in 180s | AllTraffic";
const EVENT: &str = "cloudwatch-event firing 09:18:41 churn-model_deployment_high_cpu | CPUUtilization 187.34 of 160 in 221s | AllTraffic";

const DETAIL: &str = "cloudwatch-detail firing 09:18:41 churn-model_deployment_high_cpu | CPUUtilization 187.34 of 160 in 221s | AllTraffic";

#[test]
fn every_sample_is_in_the_table_above_or_rejected() {
    let (mut read, mut refused) = (0, 0);
    for file in samples() {
        if file.starts_with(root().join("events/rejected")) {
            let error = parse(&std::fs::read(&file).unwrap()).unwrap_err();
            assert_eq!(error.kind(), "not_an_alarm", "{}", file.display());
            refused += 1;
        } else {
            parse(&std::fs::read(&file).unwrap()).unwrap();
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            assert!(include_str!("parse.rs").contains(&format!("/{name}\"")), "{name} has no row");
            read += 1;
        }
    }
    assert!(read >= 16 && refused >= 2, "{read} and {refused}");
}

fn samples() -> Vec<PathBuf> {
    // A replay is a story of many payloads, and a signal names no alarm.
    let is_of_alarms = |folder: &PathBuf| !folder.ends_with("replay") && !folder.ends_with("signals");
    let folders = std::fs::read_dir(root().join("events")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = folders
        .filter(|folder| folder.is_dir() && is_of_alarms(folder))
        .flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files
}

/// Applies changes: `{"/path": value}` sets, `{"-/path": 0}` removes.
fn changed(mut payload: Value, changes: &Value) -> Value {
    for (path, value) in changes.as_object().unwrap() {
        let (parent, key) = path.rsplit_once('/').unwrap();
        let parent = payload.pointer_mut(parent.trim_start_matches('-')).unwrap();
        match parent.as_array_mut() {
            Some(list) if key == "+" => list.push(value.clone()),
            Some(list) => list[key.parse::<usize>().unwrap()] = value.clone(),
            None if path.starts_with('-') => drop(parent.as_object_mut().unwrap().remove(key).unwrap()),
            None => parent[key] = value.clone(),
        }
    }
    payload
}

/// Compares the pieces that are expected, and no others.
fn shows(payload: &Value, expected: &Value) {
    let pieces = pieces(&one(payload));
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&pieces[name], value, "{name} of {pieces}");
    }
}

#[rstest]
#[case::composite_without_trigger(json!({"-/Trigger": 0}), json!({"targets": [], "metric": null, "window": null}))]
#[case::null_trigger(json!({"/Trigger": null}), json!({"targets": [], "metric": null, "window": null}))]
#[case::missing_description(json!({"-/AlarmDescription": 0}), json!({"summary": HIGH}))]
#[case::missing_arn(json!({"-/AlarmArn": 0}), json!({"summary": HIGH, "id": "", "account": "111122223333"}))]
#[case::account_in_the_arn_only(json!({"-/AWSAccountId": 0}), json!({"summary": HIGH, "account": "111122223333"}))]
#[case::account_that_is_no_text(json!({"/AWSAccountId": 111_122_223_333_u64}), json!({"summary": HIGH, "account": "111122223333"}))]
#[case::no_account(json!({"-/AWSAccountId": 0, "/AlarmArn": "arn:aws:cloudwatch:us-east-1:root:alarm:x"}), json!({"account": ""}))]
#[case::lower_case_state(json!({"/NewStateValue": "alarm"}), json!({"summary": HIGH}))]
#[case::same_state_as_before(json!({"/OldStateValue": "ALARM"}), json!({"summary": HIGH}))]
#[case::no_state_before(json!({"-/OldStateValue": 0}), json!({"summary": HIGH}))]
#[case::odd_treatment(json!({"/Trigger/TreatMissingData": "- TreatMissingData:                    missing"}), json!({"summary": HIGH}))]
#[case::dimensions_as_map(json!({"/Trigger/Dimensions": {"EndpointName": "churn", "VariantName": "AllTraffic"}}), json!({"summary": HIGH}))]
#[case::dimensions_in_pascal_case(json!({"/Trigger/Dimensions": [{"Name": "EndpointName", "Value": "churn"},
    {"Name": "VariantName", "Value": "AllTraffic"}]}), json!({"summary": HIGH}))]
#[case::other_dimensions(json!({"/Trigger/Dimensions": [{"name": "AutoScalingGroupName", "value": "w"}]}), json!({"targets": []}))]
#[case::no_variant(json!({"/Trigger/Dimensions": [{"name": "EndpointName", "value": "churn"}]}), json!({"targets": []}))]
#[case::endpoint_that_climbs(json!({"/Trigger/Dimensions/1/value": "../churn"}), json!({"targets": []}))]
#[case::numbers_as_text(json!({"/Trigger/Threshold": "160.0", "/Trigger/Period": "60"}), json!({"summary": HIGH}))]
#[case::a_period_of_a_day(json!({"/Trigger/Period": 86_400}), json!({"window": 259_200}))]
#[case::absurd_period(json!({"/Trigger/Period": 1e300}), json!({"window": null}))]
#[case::percentile(json!({"/Trigger/StatisticType": "ExtendedStatistic", "/Trigger/ExtendedStatistic": "p99"}), json!({"summary": HIGH}))]
#[case::time_with_colon(json!({"/StateChangeTime": "2026-03-02T09:18:41.377+00:00"}), json!({"summary": HIGH}))]
#[case::time_with_spaces(json!({"/StateChangeTime": "2026-03-02T09: 18: 41.377 +0000"}), json!({"summary": HIGH}))]
#[case::unreadable_time(json!({"/StateChangeTime": "yesterday"}), json!({"at": null}))]
#[case::time_of_another_type(json!({"/StateChangeTime": [1]}), json!({"at": null}))]
#[case::reason_without_datapoints(json!({"/NewStateReason": "testing"}), json!({"value": null, "threshold": 160.0}))]
#[case::threshold_of_a_band(json!({"/Trigger/ThresholdMetricId": "ad1"}), json!({"threshold": null}))]
#[case::contributor(json!({"/AlarmContributorAttributes": {"EndpointName": "fraud", "VariantName": "blue"}}), json!({"targets": ["endpoint/fraud/variant/blue"]}))]
#[case::contributor_of_one_name(json!({"/AlarmContributorAttributes": {"VariantName": "blue"}}), json!({"targets": ["endpoint/churn/variant/blue"]}))]
#[case::unrelated_contributor(json!({"/AlarmContributorAttributes": {"host": "a"}}), json!({"summary": HIGH}))]
fn a_cloudwatch_message_may_be_irregular(#[case] changes: Value, #[case] expected: Value) {
    let message = changed(message("cloudwatch/sns.high-cpu.firing.json"), &changes);
    for wrapped in [in_records(std::slice::from_ref(&message)), in_queue(&message), message] {
        shows(&wrapped, &expected);
    }
}

#[rstest]
#[case::two_metrics_go_by_the_label(json!({"/Trigger/Metrics/+": {"Id": "m2", "MetricStat": {"Metric": {"MetricName": "Invocations"}, "Period": 300}}}),
    json!({"metric": "CPU per core", "window": 600}))]
#[case::without_a_label_by_the_id(json!({"/Trigger/Metrics": [{"Id": "e1", "Expression": "SELECT 1", "Label": "", "ReturnData": true}]}), json!({"metric": "e1"}))]
#[case::each_variant_once(json!({"/Trigger/Metrics/0": {"MetricStat": {"Metric": {"Dimensions": {"EndpointName": "churn", "VariantName": "AllTraffic"}}}}}),
    json!({"targets": [VARIANT]}))]
#[case::several_variants(json!({"/Trigger/Metrics/+": {"MetricStat": {"Metric": {"Dimensions": {"EndpointName": "churn", "VariantName": "blue"}}}}}),
    json!({"targets": [VARIANT, "endpoint/churn/variant/blue"]}))]
#[case::metrics_of_no_use(json!({"/Trigger/Metrics": [null, 1, "x", {}]}), json!({"metric": null, "targets": []}))]
fn metric_math_may_be_irregular(#[case] changes: Value, #[case] expected: Value) {
    shows(&changed(message("cloudwatch/sns.metric-math.json"), &changes), &expected);
}

#[rstest]
#[case::no_state_before(json!({"-/previousState": 0}), json!({"threshold": 160.0}))]
#[case::same_state_as_before(json!({"/previousState/value": "ALARM"}), json!({"transition": "firing"}))]
#[case::no_reason_data(json!({"-/state/reasonData": 0}), json!({"value": 187.34, "threshold": null, "window": null}))]
#[case::broken_reason_data(json!({"/state/reasonData": "{\"threshold\":"}), json!({"threshold": null}))]
#[case::deep_reason_data(json!({"/state/reasonData": "[".repeat(10_000)}), json!({"threshold": null}))]
#[case::reason_data_of_a_band(json!({"/state/reasonData": r#"{"recentDatapoints":[151.8],"recentUpperThresholds":[118.4]}"#}), json!({"value": 151.8, "threshold": null}))]
#[case::data_that_starts_nowhere(json!({"/state/reasonData": r#"{"period":60,"recentDatapoints":[1.0,2.0]}"#}), json!({"value": 2.0, "window": null}))]
#[case::unreadable_time(json!({"/state/timestamp": "soon", "-/state/reasonData": 0}), json!({"transition": "firing"}))]
#[case::no_configuration(json!({"-/configuration": 0}), json!({"targets": [], "metric": null}))]
#[case::composite(json!({"/configuration": {"alarmRule": "ALARM(a)", "description": "x\r\nstepladder: target=endpoint/churn/variant/blue\r\n"}}),
    json!({"targets": ["endpoint/churn/variant/blue"]}))]
#[case::a_description_beside_metrics(json!({"/configuration/description": "stepladder: target=endpoint/fraud/variant/blue"}), json!({"targets": [VARIANT]}))]
#[case::metric_math(json!({"/configuration/metrics/+": {"id": "e1", "expression": "m1 / 2", "returnData": true, "period": 60}}), json!({"metric": "CPUUtilization"}))]
#[case::a_period_of_a_day(json!({"/configuration/metrics/0/metricStat/period": 86_400}), json!({"targets": [VARIANT], "window": 221}))]
#[case::no_dimensions(json!({"-/configuration/metrics/0/metricStat/metric/dimensions": 0}), json!({"targets": []}))]
fn the_shared_block_may_be_irregular(#[case] changes: Value, #[case] expected: Value) {
    for (file, at) in [("action", "/alarmData"), ("event", "/detail")] {
        let mut payload = sample(&format!("cloudwatch/{file}.high-cpu.firing.json"));
        let block = payload.pointer_mut(at).unwrap();
        *block = changed(block.take(), &changes);
        shows(&payload, &expected);
    }
}

#[rstest]
#[case::lower_case_type(json!({"/type": "ok_to_firing"}), json!({"transition": "firing"}))]
#[case::other_dedupe_key(json!({"-/dedupeKey": 0, "/dedupekey": "k"}), json!({"transition": "firing"}))]
#[case::free_title(json!({"/title": "{{severity}}: whatever"}), json!({"name": "{{severity}}: whatever"}))]
#[case::millis_as_text(json!({"/timestampEpochMillis": "1772443500000"}), json!({"at": "2026-03-02T09:25:00Z"}))]
#[case::millis_come_first(json!({"/timestamp": "2026-03-02T11: 45: 00Z"}), json!({"at": "2026-03-02T09:15:00Z"}))]
#[case::timestamp_alone(json!({"/timestampEpochMillis": null, "/timestamp": "2026-03-02T11: 45: 00Z"}), json!({"at": "2026-03-02T11:45:00Z"}))]
#[case::no_time(json!({"/timestampEpochMillis": u64::MAX, "/timestamp": "?"}), json!({"at": null}))]
#[case::no_id_of_the_alarm(json!({"-/alarmMetaData/0/id": 0}), json!({"id": ""}))]
#[case::only_in_the_query(json!({"/alarmMetaData/0/dimensions": []}), json!({"targets": [CHURN]}))]
#[case::dimensions_without_an_id(json!({"/alarmMetaData/0/dimensions": [{"instanceId": "x"}, null, 1]}), json!({"targets": [CHURN]}))]
#[case::dimensions_as_one_object(json!({"/alarmMetaData/0/dimensions": {"resourceId": RANKING}}), json!({"targets": [RANKING]}))]
#[case::nowhere(json!({"-/alarmMetaData/0/dimensions": 0, "-/alarmMetaData/0/query": 0}), json!({"targets": [], "metric": null, "value": 91.4}))]
#[case::spelled_as_in_the_query(json!({"/alarmMetaData/0/dimensions/0/resourceId": CHURN.to_uppercase()}), json!({"targets": [CHURN]}))]
#[case::other_resources(json!({"/alarmMetaData/0/namespace": "oci_computeagent", "/alarmMetaData/0/dimensions/0/resourceId": "ocid1.instance.oc1..x"}),
    json!({"targets": ["ocid1.instance.oc1..x"], "kinds": ["unknown"]}))]
#[case::another_namespace(json!({"/alarmMetaData/0/namespace": "custom"}), json!({"kinds": ["oci_model_deployment"]}))]
#[case::values_as_numbers(json!({"/alarmMetaData/0/metricValues": [{"a": 81}, {"b": 99.5}]}), json!({"value": 99.5}))]
#[case::values_of_no_use(json!({"/alarmMetaData/0/metricValues": [{"a": "NaN"}, null, 7]}), json!({"value": null}))]
#[case::range(json!({"/alarmMetaData/0/query": "CpuUtilization[1h].mean() in (20, 80)"}), json!({"threshold": null, "window": 3600}))]
#[case::version_as_text(json!({"/version": "1.3"}), json!({"transition": "firing"}))]
#[case::no_version(json!({"-/version": 0, "-/body": 0, "-/severity": 0}), json!({"transition": "firing"}))]
fn an_oci_message_may_be_irregular(#[case] changes: Value, #[case] expected: Value) {
    shows(&changed(sample("oci/high-cpu.firing.json"), &changes), &expected);
}

#[test]
fn the_lowest_stream_counts_below_a_threshold() {
    let mut low = sample("oci/low-cpu.repeat.json");
    low["alarmMetaData"][0]["metricValues"] = json!([{"a": "3.2"}, {"a": "0.5"}, {"a": "7"}]);
    assert_eq!(one(&low).measurement.reported.value, Some(0.5));
}

#[test]
fn a_byte_order_mark_and_white_space_do_no_harm() {
    let plain = bytes("oci/high-cpu.firing.json");
    let marked = [b"\xef\xbb\xbf \r\n".as_slice(), &plain, b"\n\n"].concat();
    assert_eq!(parse(&marked), parse(&plain));
    let carried = format!("\u{feff}{}", message("cloudwatch/sns.high-cpu.firing.json"));
    let record = json!({"Records": [{"eventSource": "aws:sqs", "messageId": "m", "body": carried}]});
    assert_eq!(summary(&one(&record)), HIGH);
}

#[test]
fn a_direct_action_dressed_up_as_an_event_is_a_direct_action() {
    let mut action = sample("cloudwatch/action.high-cpu.firing.json");
    action["detail-type"] = json!("CloudWatch Alarm State Change");
    assert_eq!(one(&action).source, "cloudwatch-action");
}

#[test]
fn an_unreadable_record_leaves_the_others_alone() {
    let high = message("cloudwatch/sns.high-cpu.firing.json");
    let mut mixed =
        in_records(&[json!("no alarm"), high.clone(), json!({"AlarmName": "x", "NewStateValue": "?"})]);
    let others = [json!({"eventSource": "aws:s3"}), json!({"eventSource": "aws:sqs"})];
    mixed["Records"].as_array_mut().unwrap().extend(others);
    let event = read(&mixed).unwrap();
    assert_eq!(event.alarms.iter().map(summary).collect::<Vec<_>>(), [HIGH]);
    let kinds: Vec<_> = event.rejected.iter().map(Error::kind).collect();
    assert_eq!(kinds, ["not_an_alarm", "malformed_alarm", "not_an_alarm", "malformed_alarm"]);
    mixed["Records"].as_array_mut().unwrap().remove(1);
    assert_eq!(read(&mixed), Err(event.rejected[0].clone()));
}

#[test]
fn an_unusable_id_leaves_the_others_alone() {
    let mut two = sample("oci/two-deployments.firing.json");
    two["alarmMetaData"][0]["dimensions"][0]["resourceId"] = json!("../../20190101/models/x");
    let event = read(&two).unwrap();
    assert_eq!(ids(&event.alarms[0]), [RANKING]);
    assert_eq!(event.rejected.iter().map(Error::kind).collect::<Vec<_>>(), ["malformed_alarm"]);
    two["alarmMetaData"][0]["dimensions"].as_array_mut().unwrap().remove(1);
    assert_eq!(read(&two), Err(event.rejected[0].clone()));
}

#[rstest]
#[case("<YOUR_MODEL_DEPLOYMENT_OCID>", Some("oci_datascience_modeldeploy"))]
#[case("<YOUR_MODEL_DEPLOYMENT_OCID>", None)]
fn a_placeholder_is_a_deployment(#[case] id: &str, #[case] namespace: Option<&str>) {
    let entry = json!({"namespace": namespace, "dimensions": [{"resourceId": id}]});
    let payload = json!({"title": "t", "type": "REPEAT", "alarmMetaData": [entry]});
    assert_eq!(one(&payload).targets, [oci::id::model_deployment(id).unwrap()]);
}

fn streams(count: usize) -> Vec<Value> {
    (0..count).map(|n| json!({"resourceId": format!("ocid1.datasciencemodeldeployment.oc1..x{n}")})).collect()
}

#[test]
fn a_hundred_targets_are_read_in_all_and_the_rest_is_rejected() {
    let of = |counts: &[usize]| {
        let entries: Vec<_> = counts.iter().map(|count| json!({"dimensions": streams(*count)})).collect();
        read(&json!({"title": "t", "type": "REPEAT", "alarmMetaData": entries}))
    };
    assert_eq!(of(&[100]).unwrap().alarms[0].targets.len(), 100);
    assert_eq!(of(&[101]), Err(Error::TooManyTargets { found: 101, limit: 100 }));
    let split = of(&[60, 41, 40]).unwrap();
    assert_eq!(split.alarms.iter().map(|alarm| alarm.targets.len()).collect::<Vec<_>>(), [60, 40]);
    assert_eq!(split.rejected, [Error::TooManyTargets { found: 101, limit: 100 }]);
}

/// JSON inside a string, again and again.
fn envelopes(depth: usize) -> Vec<u8> {
    let nest = |inner: String, _| json!({"Type": "Notification", "Message": inner}).to_string();
    (0..depth).fold("{}".to_owned(), nest).into_bytes()
}

#[rstest]
#[case::empty(b"".to_vec(), "empty", "payload is empty")]
#[case::blank(b" \r\n\t".to_vec(), "empty", "payload is empty")]
#[case::null(b"null".to_vec(), "not_an_alarm", "JSON `null`")]
#[case::no_items(b"[]".to_vec(), "not_an_alarm", "a JSON array of 0 items")]
#[case::string(b"\"x\"".to_vec(), "not_an_alarm", "a JSON string")]
#[case::number(b"1".to_vec(), "not_an_alarm", "a JSON number")]
#[case::cut_off(b"{\"Records\":".to_vec(), "not_json", "line 1 column 11")]
#[case::two_documents(b"{} {}".to_vec(), "not_json", "trailing characters")]
#[case::not_utf8(b"{\"a\":\"\xff\"}".to_vec(), "not_utf8", "at byte 6")]
#[case::utf16(b"\xff\xfe{\0}\0".to_vec(), "not_utf8", "at byte 0")]
#[case::deep("[".repeat(10_000).into_bytes(), "too_deep", "deeper than 64 levels")]
#[case::deep_objects("{\"a\":".repeat(65).into_bytes(), "too_deep", "deeper than 64 levels")]
#[case::deep_inside(in_queue(&json!("[".repeat(10_000))).to_string().into_bytes(), "not_an_alarm", "a JSON string")]
#[case::deep_body(json!({"Records": [{"eventSource": "aws:sqs", "body": "[".repeat(10_000)}]}).to_string().into_bytes(), "too_deep", "deeper")]
#[case::two_mebibytes(vec![b' '; 2 * MAX_BYTES], "too_large", "more than 1048576 bytes")]
#[case::a_swarm_of_records(json!({"Records": vec![json!({"eventSource": "aws:sqs"}); 10_001]}).to_string().into_bytes(), "too_large", "more than 10000 records")]
#[case::message_without_id(json!({"Records": [{"eventSource": "aws:sqs", "body": "{\"stepladder\":\"tick\"}"}]}).to_string().into_bytes(), "malformed_alarm", "the SQS record has nothing in `messageId`")]
#[case::two_accounts(json!({"AlarmName": "a", "NewStateValue": "OK", "AWSAccountId": "444455556666", "AlarmArn": ARN}).to_string().into_bytes(), "malformed_alarm", "has `444455556666` in `AWSAccountId`, expected the account of the alarm's ARN")]
#[case::two_accounts_in_an_action(json!({"alarmData": {"alarmName": "a", "state": {"value": "OK"}}, "accountId": "444455556666", "alarmArn": ARN}).to_string().into_bytes(), "malformed_alarm", "has `444455556666` in `accountId`")]
#[case::two_accounts_in_an_event(json!({"source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change", "detail": {"alarmName": "a", "state": {"value": "OK"}}, "account": "444455556666", "resources": [ARN]}).to_string().into_bytes(), "malformed_alarm", "has `444455556666` in `account`")]
#[case::envelopes(envelopes(2), "not_an_alarm", "an SNS notification inside another")]
#[case::many_envelopes(envelopes(14), "not_an_alarm", "an SNS notification inside another")]
#[case::s3(bytes("rejected/s3.json"), "not_an_alarm", "found an S3 event")]
#[case::subscription(bytes("rejected/subscription.json"), "not_an_alarm", "`SubscriptionConfirmation`")]
#[case::budget(
    bytes("rejected/budget-text.json"),
    "not_an_alarm",
    "a plain text message `AWS Budget Notification March 02, 2026\\nAWS Account 111122223…`"
)]
#[case::edit(bytes("rejected/alarm-edited.json"), "not_an_alarm", "a CloudWatch alarm's edit")]
#[case::oci_event(
    bytes("rejected/oci-event.json"),
    "not_an_alarm",
    "an OCI event `com.oraclecloud.objectstorage.createobject`"
)]
#[case::unsubscribed(br#"{"Type": "UnsubscribeConfirmation"}"#.to_vec(), "not_an_alarm", "`UnsubscribeConfirmation`")]
#[case::endpoint(br#"{"detail-type": "SageMaker Endpoint State Change", "source": "aws.sagemaker"}"#.to_vec(), "malformed_alarm", "nothing in `EndpointName`")]
#[case::other_event(br#"{"detail-type": "CloudWatch Alarm State Change", "source": "mine"}"#.to_vec(), "not_an_alarm", "from `mine`")]
#[case::request(br#"{"rawPath": "/", "requestContext": {}}"#.to_vec(), "not_an_alarm", "an HTTP request")]
#[case::azure(br#"{"schemaId": "azureMonitorCommonAlertSchema", "data": {}}"#.to_vec(), "not_an_alarm", "an Azure Monitor alert")]
#[case::alertmanager(br#"{"version": "4", "groupKey": "g", "alerts": []}"#.to_vec(), "not_an_alarm", "an Alertmanager webhook")]
#[case::other(br#"{"b": 1, "a": 2}"#.to_vec(), "not_an_alarm", "an object with the keys `a`, `b`")]
#[case::unknown_type(br#"{"dedupeKey": "k", "type": "FOO"}"#.to_vec(), "malformed_alarm", "the OCI alarm message has `FOO` in `type`, expected `OK_TO_FIRING`, `REPEAT`, `FIRING_TO_OK` or `RESET`")]
#[case::no_title(br#"{"type": "RESET", "alarmMetaData": []}"#.to_vec(), "malformed_alarm", "has nothing in `title`")]
#[case::endless_title(json!({"title": "t".repeat(1025), "type": "RESET", "alarmMetaData": [{}]}).to_string().into_bytes(), "malformed_alarm", "t…` in `title`")]
#[case::no_entries(br#"{"title": "t", "type": "RESET", "alarmMetaData": []}"#.to_vec(), "malformed_alarm", "an empty array in `alarmMetaData`")]
#[case::odd_entries(br#"{"title": "t", "type": "RESET", "alarmMetaData": [3]}"#.to_vec(), "malformed_alarm", "`3` in `alarmMetaData`")]
#[case::unknown_state(br#"{"AlarmName": "a", "NewStateValue": "BAD"}"#.to_vec(), "malformed_alarm", "`BAD` in `NewStateValue`, expected `ALARM`, `OK` or `INSUFFICIENT_DATA`")]
#[case::no_name(br#"{"AlarmName": null, "NewStateValue": "OK"}"#.to_vec(), "malformed_alarm", "`null` in `AlarmName`")]
#[case::no_state(br#"{"alarmData": {"alarmName": "a", "state": "ALARM"}}"#.to_vec(), "malformed_alarm", "`ALARM` in `state`")]
#[case::no_detail(br#"{"source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change"}"#.to_vec(), "malformed_alarm", "nothing in `alarmName`")]
fn bad_input_gets_one_clear_error(#[case] body: Vec<u8>, #[case] kind: &str, #[case] part: &str) {
    let error = parse(&body).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(part), "{error}");
    assert_eq!(in_style(&error), Ok(()));
}

/// Lower case, no full stop, one line, no novel.
fn in_style(error: &Error) -> Result<(), String> {
    let message = error.to_string();
    let first = message.chars().next().unwrap();
    let fine = first.is_lowercase()
        && !message.ends_with('.')
        && message.contains("; ")
        && message.len() < 4096
        && !message.contains(char::is_control);
    if fine { Ok(()) } else { Err(message) }
}

#[test]
fn the_test_messages_of_the_oci_guide_are_read() {
    let shared =
        std::env::var_os("STEPLADDER_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    for (file, name) in [("cpu", "model_deployment_high_cpu"), ("mem", "model_deployment_high_mem")] {
        let path = shared.join(format!("fixtures/oci/test-alarm-scale-{file}-up.json"));
        let Ok(body) = std::fs::read(&path) else {
            println!("skipped: {} is not there", path.display());
            continue;
        };
        let alarm = parse(&body).unwrap().alarms.remove(0);
        assert_eq!((alarm.name.as_str(), alarm.transition), (name, Transition::Firing));
        assert_eq!(alarm.targets, [oci::id::model_deployment("<YOUR_MODEL_DEPLOYMENT_OCID>").unwrap()]);
        assert_eq!(alarm.measurement.reported.threshold, Some(80.0));
        assert_eq!(alarm.at.unwrap().to_string(), "2022-07-08T22:45:00Z");
    }
}

/// What holds for every payload there is.
fn holds(body: &[u8]) -> Result<(), TestCaseError> {
    for message in messages(body).into_iter().flatten() {
        let harmless = |id: &String| id.chars().count() <= 100 && !id.contains(char::is_control);
        prop_assert!(message.id.as_ref().is_none_or(harmless), "{:?}", message.id);
        // A message without an id is not answered, because its failure could not be reported.
        prop_assert!(message.id.is_some() || parse(&message.payload).is_err());
    }
    let event = match parse(body) {
        Ok(event) => event,
        Err(error) => return in_style(&error).map_err(TestCaseError::fail),
    };
    prop_assert!(!event.alarms.is_empty() || event.settled.is_some() || event.tick);
    prop_assert!(event.alarms.iter().map(|alarm| alarm.targets.len()).sum::<usize>() <= MAX_TARGETS);
    for alarm in &event.alarms {
        let Reported { value, threshold } = alarm.measurement.reported;
        let compared = alarm.measurement.comparison();
        let of_comparison = compared.map(|plain| [Some(plain.threshold), plain.value]).into_iter().flatten();
        let numbers = [value, threshold].into_iter().chain(of_comparison);
        prop_assert!(numbers.flatten().all(f64::is_finite));
        prop_assert!(alarm.measurement.window.is_none_or(|window| window.is_positive()));
        let harmless = |id: &str| {
            !id.is_empty()
                && id.len() <= 255
                && (id.starts_with("ocid1.") || !id.contains(".."))
                && id.bytes().all(|b| b.is_ascii_graphic())
        };
        prop_assert!(alarm.targets.iter().all(|target| harmless(target.as_str())), "{:?}", alarm.targets);
    }
    event.rejected.iter().try_for_each(|error| in_style(error).map_err(TestCaseError::fail))
}

/// Texts that mean something somewhere, and any other.
fn words(known: &'static str) -> impl Strategy<Value = String> + Clone {
    let known: Vec<&str> = known.split(' ').collect();
    prop_oneof![prop::sample::select(known).prop_map(str::to_owned), any::<String>()]
}

/// Any JSON, also inside strings.
fn any_json() -> impl Strategy<Value = Value> {
    let keys = words(
        "Records Sns Message TopicArn body messageId EventSource eventSource Type detail-type source detail alarmData alarmName \
         state value reasonData configuration metrics AlarmName NewStateValue NewStateReason Trigger Metrics \
         Dimensions Period AccountId requestPayload requestContext condition Messages Body type title dedupeKey alarmMetaData dimensions resourceId query metricValues",
    );
    let texts = words(
        "ALARM OK REPEAT aws:sns aws:sqs Notification aws.cloudwatch a..b A[5m]{resourceId='x'}.mean()>80",
    );
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        texts.prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        let map = prop::collection::btree_map(keys.clone(), inner.clone(), 0..8);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            map.prop_map(|map| map.into_iter().collect()),
            inner.prop_map(|value| Value::from(value.to_string())),
        ]
    })
}

/// Puts something else at one place of a document, also inside the JSON of its strings.
fn replaced(document: &mut Value, place: &mut usize, with: &Value) {
    if *place == 0 {
        *document = with.clone();
    }
    *place = place.wrapping_sub(1);
    if let Some(Ok(mut inner)) =
        document.as_str().filter(|text| text.starts_with('{')).map(serde_json::from_str)
    {
        replaced(&mut inner, place, with);
        *document = Value::from(inner.to_string());
    }
    document.as_array_mut().into_iter().flatten().for_each(|item| replaced(item, place, with));
    document.as_object_mut().into_iter().flatten().for_each(|(_, value)| replaced(value, place, with));
}

#[test]
fn a_metric_that_no_service_has_is_left_out() {
    let metric = |length: usize| {
        let mut payload = sample("cloudwatch/action.high-cpu.firing.json");
        let path = "/alarmData/configuration/metrics/0/metricStat/metric/name";
        *payload.pointer_mut(path).unwrap() = json!("m".repeat(length));
        parse(payload.to_string().as_bytes()).unwrap().alarms.remove(0).measurement.metric
    };
    assert_eq!(metric(255).map(|metric| metric.len()), Some(255));
    assert_eq!(metric(256), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(body in prop::collection::vec(any::<u8>(), 0..512)) {
        holds(&body)?;
    }

    #[test]
    fn any_json_is_survived(payload in any_json()) {
        holds(payload.to_string().as_bytes())?;
    }

    #[test]
    fn any_sample_with_other_bytes_is_survived(
        file in prop::sample::select(samples()),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..8),
    ) {
        let mut body = std::fs::read(file)?;
        for (at, byte, kind) in edits {
            let at = at.index(body.len());
            match kind {
                0 => body[at] = byte,
                1 => body.insert(at, byte),
                _ => body.truncate(at.max(1)),
            }
        }
        holds(&body)?;
    }

    #[test]
    fn any_sample_with_another_part_is_survived(
        file in prop::sample::select(samples()),
        place in 0..120_usize,
        with in any_json(),
    ) {
        let mut document = serde_json::from_slice(&std::fs::read(file)?).unwrap();
        replaced(&mut document, &mut { place }, &with);
        holds(document.to_string().as_bytes())?;
    }
}
