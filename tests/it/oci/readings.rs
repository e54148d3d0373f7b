//! Rules that go by a value: the message's own, or else what Monitoring has measured.

use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::{Value, json};

use super::emulators::{DEPLOYMENT, Request, deployment};
use super::function::Function;
use super::tenancy::{Tenancy, calls, operators_alarm, outcome, with_count, with_value};

const HIGH: &str = "high-cpu.firing.json";
const SUMMARIZE: &str = "SummarizeMetricsData";

const TRACK: &str = "[[rule]]\nalarm = \"*high_cpu\"\nevidence = \"fired\"\naxis = \"instances\"\ntrack = 60\n\
                     pair = { alarm = \"low\", metric = \"CpuUtilization\", below = 10, window = \"5m\" }\n";
const CHEAPEST: &str = "[[rule]]\nalarm = [\"*high_cpu\", \"*high_mem\"]\nevidence = \"fired\"\naxis = \"cheapest\"\n\
                        allow_cost_surge = true\n";

fn function(tenancy: &Tenancy, policy: &str) -> Function {
    tenancy.emulator.function(&[("STEPLADDER_POLICY", policy)])
}

fn summaries(requests: &[Request]) -> Vec<&Request> {
    requests.iter().filter(|request| request.operation == SUMMARIZE).collect()
}

/// Where the message has the value, nothing is read; where it does not, Monitoring is read beside everything else.
#[rstest]
// 3 × 91.4 / 60 is 4.57
#[case::the_messages_own(Some("91.4"), 5, 0)]
// 3 × 62 / 60 is 3.1
#[case::what_was_measured(None, 4, 1)]
fn a_metric_is_brought_to_its_target_in_one_step(
    #[case] value: Option<&str>,
    #[case] instances: u64,
    #[case] read: usize,
) {
    let Some(tenancy) = Tenancy::with(&with_count(3)) else { return };
    tenancy.emulator.gauge(DEPLOYMENT, "CpuUtilization", 62.0);
    tenancy.emulator.slow_down();
    let function = function(&tenancy, TRACK);
    let record = outcome(&function, &with_value(HIGH, &tenancy.high, value));
    assert_eq!(record["decision"]["to"]["instances"], instances, "{record:#}");
    assert_eq!(calls(&record), ["oci:CreateAlarm", "oci:UpdateModelDeployment"]);
    let requests = tenancy.requests();
    assert_eq!(summaries(&requests).len(), read);
    assert_eq!(super::emulators::sequential(&requests), 3, "{requests:#?}");
    tenancy.finish();
    assert_eq!(tenancy.instances(), instances);
}

#[test]
fn monitoring_is_queried_for_the_alarms_window() {
    let Some(tenancy) = Tenancy::new() else { return };
    tenancy.emulator.gauge(DEPLOYMENT, "CpuUtilization", 90.0);
    outcome(&function(&tenancy, TRACK), &with_value(HIGH, &tenancy.high, None));
    let requests = tenancy.requests();
    let [asked] = summaries(&requests)[..] else { panic!("{requests:#?}") };
    let query = format!("CpuUtilization[5m]{{resourceId = \"{DEPLOYMENT}\"}}.groupBy(resourceId).mean()");
    assert_eq!(asked.body["query"], query);
    assert_eq!(asked.body["namespace"], "oci_datascience_modeldeploy");
    assert_eq!(asked.body["resolution"], "1m");
    let time = |key: &str| asked.body[key].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert_eq!(time("endTime").duration_since(time("startTime")), SignedDuration::from_mins(5));
    let ago = Timestamp::now().duration_since(time("endTime"));
    assert!(!ago.is_negative() && ago < SignedDuration::from_mins(1), "{ago}");
}

/// Of a deployment that lives elsewhere it is read where that lives.
#[test]
fn metrics_are_read_where_the_deployment_lives() {
    let mut document = deployment();
    document["compartmentId"] = json!("ocid1.compartment.oc1..models");
    let Some(tenancy) = Tenancy::with(&document) else { return };
    let metric = |compartment: &str, value: f64| {
        let dimensions = json!({ "resourceId": DEPLOYMENT, "instanceId": "instance:1" });
        let gauge = json!({ "name": "CpuUtilization", "dimensions": dimensions, "compartmentId": compartment, "value": value });
        tenancy.emulator.control("POST", "/gauge", &gauge);
    };
    metric("ocid1.compartment.oc1..models", 100.0);
    // Another's of the same name.
    metric("ocid1.compartment.oc1..emulator", 300.0);
    let function = function(&tenancy, TRACK);
    tenancy.emulator.slow_down();
    let record = outcome(&function, &with_value(HIGH, &tenancy.high, None));
    assert_eq!(record["decision"]["to"]["instances"], 2, "{record:#}");
    assert_eq!(tenancy.round_trips(), 4);
    // The process knows the way.
    tenancy.finish_long_ago();
    let record = outcome(&function, &with_value(HIGH, &tenancy.high, None));
    assert_eq!(record["decision"]["to"]["instances"], 4, "{record:#}");
    assert_eq!(tenancy.round_trips(), 2);
}

#[rstest]
#[case::of_one(TRACK, None)]
// The cores are reported, and the memory is not known.
#[case::of_one_of_two(CHEAPEST, Some("91.4"))]
fn without_data_nothing_is_changed(#[case] policy: &str, #[case] value: Option<&str>) {
    let Some(tenancy) = Tenancy::new() else { return };
    let function = function(&tenancy, policy);
    let before = tenancy.document();
    tenancy.emulator.slow_down();
    let record = outcome(&function, &with_value(HIGH, &tenancy.high, value));
    assert_eq!(
        (&record["result"], &record["decision"]["reason"]),
        (&json!("held"), &json!("no_data")),
        "{record:#}"
    );
    assert_eq!(calls(&record), [""; 0]);
    let requests = tenancy.requests();
    assert_eq!(super::emulators::sequential(&requests), 1, "{requests:#?}");
    let reads = ["Get", "List", SUMMARIZE];
    assert!(requests.iter().all(|request| reads.iter().any(|read| request.operation.starts_with(read))));
    assert_eq!(tenancy.document(), before);
    assert!(tenancy.pairs().is_empty());
}

/// Four virtual CPUs at 91.4 %, with room up to 72 %, are 5.1; the memory of each at 20 %, 60 % and 80 % of 30 GiB is
/// 8.4, 25 and 33.4.
#[rstest]
// Three of two CPUs cost least: first the count, then the shape.
#[case::three_small_ones(20.0, 3, "VM.Standard2.2")]
// Two of four cost as much as one of eight, and are nearer.
#[case::two_of_the_same(60.0, 2, "VM.Standard2.2")]
// Only the next shape has the memory.
#[case::one_that_is_larger(80.0, 1, "VM.Standard2.4")]
fn the_cheapest_size_takes_cpu_and_memory(
    #[case] memory: f64,
    #[case] instances: u64,
    #[case] shape: &str,
    #[values(Some("91.4"), None)] value: Option<&str>,
) {
    let Some(tenancy) = Tenancy::new() else { return };
    tenancy.emulator.gauge(DEPLOYMENT, "MemoryUtilization", memory);
    tenancy.emulator.gauge(DEPLOYMENT, "CpuUtilization", 91.4);
    tenancy.emulator.slow_down();
    let function = function(&tenancy, CHEAPEST);
    let read = 1 + usize::from(value.is_none());
    let record = outcome(&function, &with_value(HIGH, &tenancy.high, value));
    assert_eq!(record["result"], "applied", "{record:#}");
    let requests = tenancy.requests();
    assert_eq!(summaries(&requests).len(), read);
    assert_eq!(super::emulators::sequential(&requests), 2, "{requests:#?}");
    tenancy.finish();
    assert_eq!((tenancy.instances(), tenancy.shape().as_str()), (instances, shape));
}

#[test]
fn without_permission_to_read_metrics_the_statement_is_reported() {
    let Some(tenancy) = Tenancy::new() else { return };
    tenancy.emulator.deny(SUMMARIZE, true);
    let function = function(&tenancy, TRACK);
    let record = outcome(&function, &with_value(HIGH, &tenancy.high, None));
    assert_eq!(record["error"]["kind"], "not_found_or_denied", "{record:#}");
    assert!(record["error"]["hint"].as_str().unwrap().contains("read metrics"), "{record:#}");
    assert!(tenancy.pairs().is_empty());
    // A message with its value needs none.
    let record = outcome(&function, &with_value(HIGH, &tenancy.high, Some("91.4")));
    assert_eq!(record["result"], "applied", "{record:#}");
    // Nor does what changes already: it is left alone whatever it measures.
    let record = outcome(&function, &with_value(HIGH, &tenancy.high, None));
    assert_eq!(record["decision"]["reason"], "busy", "{record:#}");
}

#[rstest]
#[case::slow_down(json!({ "status": 429, "times": 2 }))]
#[case::not_now(json!({ "status": 503, "times": 2 }))]
#[case::hung_up(json!({ "close": true }))]
fn a_reading_is_requested_again(#[case] fault: Value) {
    let Some(tenancy) = Tenancy::new() else { return };
    tenancy.emulator.gauge(DEPLOYMENT, "CpuUtilization", 90.0);
    let mut fault = fault;
    fault["operation"] = json!(SUMMARIZE);
    tenancy.emulator.fail(&fault);
    let record = outcome(&function(&tenancy, TRACK), &with_value(HIGH, &tenancy.high, None));
    assert_eq!(record["decision"]["to"]["instances"], 2, "{record:#}");
}

/// An alarm with a window of one minute: late data is waited for as Monitoring itself does.
#[test]
fn data_that_is_late_counts() {
    let Some(tenancy) = Tenancy::new() else { return };
    let mut alarm = operators_alarm(&tenancy.emulator);
    alarm["query"] = json!(alarm["query"].as_str().unwrap().replace("[5m]", "[1m]"));
    let high = tenancy.emulator.put_alarm(&alarm);
    let dimensions = json!({ "resourceId": DEPLOYMENT, "instanceId": "instance:1" });
    let metric = json!({ "name": "CpuUtilization", "dimensions": dimensions, "values": [110.0] });
    tenancy.emulator.control("POST", "/metrics", &metric);
    // Two minutes have passed without any.
    tenancy.emulator.evaluate(2);
    let mut event = with_value(HIGH, &high, None);
    event["alarmMetaData"][0]["query"] = alarm["query"].clone();
    let record = outcome(&function(&tenancy, TRACK), &event);
    assert_eq!(record["decision"]["to"]["instances"], 2, "{record:#}");
}
