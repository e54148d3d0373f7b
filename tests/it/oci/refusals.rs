//! What fails: credentials, permissions, compartments, faults, and what is reported of each.

use std::path::Path;
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::{Value, json};

use super::emulators::{DEPLOYMENT, Emulator, Request, deployment};
use super::function::{Answer, Function};
use super::tenancy::{Tenancy, calls, only_outcome, operators_alarm, outcome, sample};

const HIGH: &str = "high-cpu.firing.json";

fn called(function: &Function, event: &Value) -> Answer {
    function.call(event.to_string().as_bytes(), &[])
}

fn count(requests: &[Request], operation: &str) -> usize {
    requests.iter().filter(|request| request.operation == operation).count()
}

#[rstest]
// Before the next call.
#[case::between_two_calls("now", false)]
// The files are read, and refused, and only then are there new ones.
#[case::in_the_middle_of_one("on_refusal", true)]
fn keys_are_changed(#[case] write: &str, #[case] refused: bool) {
    let Some(tenancy) = Tenancy::new() else { return };
    let function = tenancy.function();
    outcome(&function, &sample("high-cpu.cleared.json", &tenancy.high));
    outcome(&function, &sample(HIGH, &tenancy.high));
    tenancy.finish_long_ago();
    tenancy.requests();
    tenancy.emulator.rotate(write);
    let record = outcome(&function, &sample("high-cpu.repeat.json", &tenancy.high));
    assert_eq!(record["result"], "applied", "{record:#}");
    let requests = tenancy.requests();
    assert_eq!(requests.iter().any(|request| request.status == 401), refused, "{requests:#?}");
}

#[test]
fn an_unknown_function_reports_that_it_is_not_set_up() {
    let Some(tenancy) = Tenancy::new() else { return };
    // A key that does not go with the token.
    let key = Path::new(tenancy.emulator.announced("config")).with_file_name("api_key.pem");
    let wrong = [("OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM", key.to_str().unwrap())];
    let function = tenancy.emulator.function(&wrong);
    let record = outcome(&function, &sample(HIGH, &tenancy.high));
    assert_eq!(
        (&record["result"], &record["error"]["kind"]),
        (&json!("failed"), &json!("unconfigured")),
        "{record:#}"
    );
    assert!(record["error"]["message"].as_str().unwrap().contains("NotAuthenticated"), "{record:#}");
    let requests = tenancy.emulator.requests_of("GetModelDeployment");
    assert_eq!(requests.len(), 4, "the key is read anew each time: {requests:#?}");
}

/// What the function may not do, and what is left then.
#[rstest]
#[case::looking("GetModelDeployment", "manage data-science-model-deployments", 0)]
#[case::finding_pairs("ListAlarms", "manage alarms", 0)]
// No capacity without an alarm that removes it.
#[case::pairing("CreateAlarm", "manage alarms", 0)]
#[case::changing("UpdateModelDeployment", "manage data-science-model-deployments", 1)]
fn what_is_hidden_names_the_policy(#[case] operation: &str, #[case] statement: &str, #[case] pairs: usize) {
    let Some(tenancy) = Tenancy::new() else { return };
    tenancy.emulator.deny(operation, true);
    let function = tenancy.function();
    let record = outcome(&function, &sample(HIGH, &tenancy.high));
    assert_eq!(record["error"]["kind"], "not_found_or_denied", "{record:#}");
    assert_eq!(record["error"]["retryable"], false);
    assert!(record["error"]["hint"].as_str().unwrap().contains(statement), "{record:#}");
    assert_eq!(tenancy.pairs().len(), pairs);
    assert_eq!(tenancy.document()["lifecycleState"], "ACTIVE");
    // With the policy the next message goes through.
    tenancy.emulator.deny(operation, false);
    assert_eq!(outcome(&function, &sample(HIGH, &tenancy.high))["result"], "applied");
    assert_eq!(tenancy.pairs().len(), 1);
}

#[test]
fn a_pair_of_an_unreadable_alarm_notifies_the_functions_own_topic() {
    let Some(tenancy) = Tenancy::new() else { return };
    tenancy.emulator.deny("GetAlarm", true);
    let record = outcome(&tenancy.function(), &sample(HIGH, &tenancy.high));
    assert_eq!(record["decision"]["reason"], "no_pair_action", "{record:#}");
    let topic = tenancy.emulator.announced("topic");
    let function = tenancy.emulator.function(&[("STEPLADDER_ALARM_ACTION", topic)]);
    let record = outcome(&function, &sample(HIGH, &tenancy.high));
    assert_eq!(record["result"], "applied", "{record:#}");
    assert_eq!(tenancy.pair()["destinations"], json!([topic]));
}

#[test]
fn a_deployment_that_is_gone_is_reported() {
    let Some(tenancy) = Tenancy::new() else { return };
    tenancy.emulator.remove(DEPLOYMENT);
    let record = outcome(&tenancy.function(), &sample(HIGH, &tenancy.high));
    assert_eq!(
        (&record["result"], &record["decision"]["reason"]),
        (&json!("failed"), &json!("not_observed")),
        "{record:#}"
    );
}

#[rstest]
#[case::the_alarm("ocid1.compartment.oc1..operators", "ocid1.compartment.oc1..emulator")]
#[case::the_deployment("ocid1.compartment.oc1..emulator", "ocid1.compartment.oc1..models")]
#[case::both("ocid1.compartment.oc1..operators", "ocid1.compartment.oc1..models")]
fn another_compartment_costs_one_round_trip_once(#[case] of_alarm: &str, #[case] of_deployment: &str) {
    let mut document = deployment();
    document["compartmentId"] = json!(of_deployment);
    let Some(tenancy) = Tenancy::with(&document) else { return };
    let mut alarm = operators_alarm(&tenancy.emulator);
    alarm["compartmentId"] = json!(of_alarm);
    alarm["metricCompartmentId"] = json!(of_deployment);
    let high = tenancy.emulator.put_alarm(&alarm);
    tenancy.emulator.slow_down();
    let function = tenancy.function();
    let first = sample(HIGH, &high);
    let record = outcome(&function, &first);
    assert_eq!(record["result"], "applied", "{record:#}");
    assert_eq!(tenancy.round_trips(), 4);
    let pair = tenancy.pair();
    assert_eq!(
        (&pair["compartmentId"], &pair["metricCompartmentId"]),
        (&json!(of_alarm), &json!(of_deployment))
    );

    // What was done to it is found there, too; and the process knows the way.
    tenancy.finish();
    assert_eq!(outcome(&function, &first)["decision"]["reason"], "stale");
    assert_eq!(tenancy.round_trips(), 1);
    tenancy.finish_long_ago();
    let record = outcome(&function, &sample("high-cpu.repeat.json", &high));
    assert_eq!(record["decision"]["to"]["instances"], 3, "{record:#}");
    assert_eq!(tenancy.round_trips(), 2);
}

/// What passes is waited for.
#[rstest]
#[case::slow_down("GetModelDeployment", json!({ "status": 429, "times": 2 }))]
#[case::not_now("GetModelDeployment", json!({ "status": 503, "times": 2 }))]
#[case::alarms_slow_down("ListAlarms", json!({ "status": 429, "times": 2 }))]
#[case::the_alarm_not_now("GetAlarm", json!({ "status": 500, "times": 2 }))]
#[case::creating_slow_down("CreateAlarm", json!({ "status": 429, "times": 2 }))]
#[case::created_without_an_answer("CreateAlarm", json!({ "close": true, "after": true }))]
#[case::created_and_failed("CreateAlarm", json!({ "status": 500, "after": true }))]
#[case::update_slow_down("UpdateModelDeployment", json!({ "status": 429, "times": 2 }))]
#[case::update_not_now("UpdateModelDeployment", json!({ "status": 503, "times": 2 }))]
#[case::update_locked("UpdateModelDeployment", json!({ "status": 409, "code": "LockConflict" }))]
// Somebody has changed it since the observation: observe and decide again.
#[case::update_too_late("UpdateModelDeployment", json!({ "status": 412 }))]
#[case::hung_up("GetModelDeployment", json!({ "close": true }))]
#[case::work_requests_not_now("ListWorkRequests", json!({ "status": 503, "times": 2 }))]
fn what_passes_is_no_failure(#[case] operation: &str, #[case] fault: Value) {
    let Some(tenancy) = Tenancy::new() else { return };
    let function = tenancy.function();
    inject(&tenancy.emulator, operation, &fault);
    let record = outcome(&function, &sample(HIGH, &tenancy.high));
    assert_eq!(record["result"], "applied", "{record:#}");
    assert_eq!(tenancy.pairs().len(), 1);
    tenancy.finish();
    assert_eq!(tenancy.instances(), 2);
    // A second request for the pair has the same token.
    let mut tokens: Vec<Option<String>> = tenancy.requests().into_iter().map(|one| one.retry_token).collect();
    tokens.retain(Option::is_some);
    tokens.dedup();
    assert_eq!(tokens.len(), 1, "{tokens:?}");
}

fn inject(emulator: &Emulator, operation: &str, fault: &Value) {
    let mut fault = fault.clone();
    fault["operation"] = json!(operation);
    emulator.fail(&fault);
}

/// An update may have arrived without an answer: the deployment is read, and the update is never carried out twice.
#[rstest]
#[case::without_a_word(json!({ "close": true, "after": true }))]
#[case::with_a_failure(json!({ "status": 500, "after": true }))]
fn an_answer_that_is_lost_is_no_second_update(#[case] fault: Value) {
    let Some(tenancy) = Tenancy::new() else { return };
    let function = tenancy.function();
    inject(&tenancy.emulator, "UpdateModelDeployment", &fault);
    let record = outcome(&function, &sample(HIGH, &tenancy.high));
    assert_eq!(record["result"], "applied", "{record:#}");
    tenancy.finish_long_ago();
    assert_eq!(tenancy.instances(), 2);
    let done = tenancy.emulator.state()["workRequests"].as_array().unwrap().len();
    assert_eq!(done, 1);
}

/// A fault that does not pass is reported as what it is: worth another delivery, or not.
#[rstest]
#[case::never_well("GetModelDeployment", json!({ "status": 503, "times": 99 }), 502, "unavailable", 4)]
#[case::always_too_much("GetModelDeployment", json!({ "status": 429, "times": 99 }), 502, "throttled", 4)]
#[case::update_never_well("UpdateModelDeployment", json!({ "status": 503, "times": 99 }), 502, "unavailable", 4)]
#[case::creating_never_well("CreateAlarm", json!({ "status": 503, "times": 99 }), 502, "unavailable", 4)]
// Without it an old alarm could pass for a new one.
#[case::work_requests_never_well("ListWorkRequests", json!({ "status": 503, "times": 99 }), 502, "unavailable", 4)]
// Somebody is always faster: once more, and then another time.
#[case::always_too_late("UpdateModelDeployment", json!({ "status": 412, "times": 99 }), 502, "lost_race", 2)]
// It will not be had, with tags or without.
#[case::refused("UpdateModelDeployment", json!({ "status": 400, "times": 99 }), 200, "refused", 2)]
#[case::no_such_thing("UpdateModelDeployment", json!({ "status": 501, "times": 99 }), 200, "refused", 2)]
#[case::too_many("UpdateModelDeployment", json!({ "status": 400, "code": "LimitExceeded", "times": 99 }), 200, "over_quota", 1)]
#[case::no_room("UpdateModelDeployment", json!({ "status": 500, "code": "OutOfHostCapacity", "times": 99 }), 200, "over_quota", 1)]
fn what_does_not_pass_is_reported(
    #[case] operation: &str,
    #[case] fault: Value,
    #[case] status: u16,
    #[case] kind: &str,
    #[case] tries: usize,
) {
    let Some(tenancy) = Tenancy::new() else { return };
    let function = tenancy.function();
    inject(&tenancy.emulator, operation, &fault);
    let answer = called(&function, &sample(HIGH, &tenancy.high));
    assert_eq!(answer.status, status, "{answer:#?}");
    let record = only_outcome(answer.body);
    assert_eq!((&record["result"], &record["error"]["kind"]), (&json!("failed"), &json!(kind)), "{record:#}");
    assert_eq!(record["error"]["retryable"], status == 502);
    assert_eq!(count(&tenancy.requests(), operation), tries);
    assert_eq!(tenancy.document()["lifecycleState"], "ACTIVE");
    assert!(function.stderr().contains(kind), "{}", function.stderr());

    // It heals as soon as the service does.
    tenancy.emulator.fail(&json!({ "operation": operation, "times": 0 }));
    assert_eq!(outcome(&function, &sample(HIGH, &tenancy.high))["result"], "applied");
    assert_eq!(tenancy.pairs().len(), 1);
}

#[test]
fn a_quota_is_reported_and_not_requested_again() {
    let Some(tenancy) = Tenancy::new() else { return };
    tenancy.emulator.set(&json!({ "quotas": { "VM.Standard2.4": 0 } }));
    let function = tenancy.function();
    let record = outcome(&function, &sample("high-mem.firing.json", &tenancy.high));
    assert_eq!(
        (&record["result"], &record["error"]["kind"]),
        (&json!("failed"), &json!("over_quota")),
        "{record:#}"
    );
    assert!(record["error"]["message"].as_str().unwrap().contains("VM.Standard2.4"));
    // A shape that was unavailable may be recorded, but is not requested again.
    let mut asked = tenancy.requests();
    asked.retain(|request| !request.body["modelDeploymentConfigurationDetails"].is_null());
    assert_eq!(asked.len(), 1, "{asked:#?}");
}

#[test]
fn an_update_that_is_refused_for_another_is_held() {
    let Some(tenancy) = Tenancy::new() else { return };
    let function = tenancy.function();
    inject(&tenancy.emulator, "UpdateModelDeployment", &json!({ "status": 409 }));
    let record = outcome(&function, &sample(HIGH, &tenancy.high));
    assert_eq!(
        (&record["result"], &record["decision"]["reason"]),
        (&json!("held"), &json!("busy")),
        "{record:#}"
    );
    assert_eq!(calls(&record), ["oci:CreateAlarm", "oci:UpdateModelDeployment"]);
    assert_eq!(count(&tenancy.requests(), "UpdateModelDeployment"), 1);
}

/// An answer must be there before the deadline, or the agent ends the process.
#[rstest]
#[case::looking("GetModelDeployment", silent())]
#[case::finding_pairs("ListAlarms", silent())]
#[case::what_is_read_beside("ListWorkRequests", silent())]
#[case::pairing("CreateAlarm", silent())]
#[case::changing("UpdateModelDeployment", silent())]
#[case::failing_slowly("GetModelDeployment", json!({ "status": 503, "hang": 1, "times": 99 }))]
#[case::failing_fast("UpdateModelDeployment", json!({ "status": 503, "times": 99 }))]
fn what_hangs_is_given_up_in_time(#[case] operation: &str, #[case] fault: Value) {
    let Some(tenancy) = Tenancy::new() else { return };
    let function = tenancy.function();
    inject(&tenancy.emulator, operation, &fault);
    // The agent's deadline has whole seconds.
    let deadline = Timestamp::now() + SignedDuration::from_secs(8);
    let header = deadline.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let answer =
        function.call(sample(HIGH, &tenancy.high).to_string().as_bytes(), &[("Fn-Deadline", &header)]);
    assert!(Timestamp::now() < deadline, "too late: {answer:#?}");
    assert!([502, 504].contains(&answer.status), "{answer:#?}");
    // The process is as good as before.
    tenancy.emulator.fail(&json!({ "operation": operation, "times": 0 }));
    assert_eq!(called(&function, &sample("high-cpu.cleared.json", &tenancy.high)).status, 200);
}

/// A service that answers nothing.
fn silent() -> Value {
    json!({ "hang": 30, "times": 99 })
}

/// Between two calls the process is frozen, and what it was connected to does not wait.
#[test]
fn a_frozen_process_connects_again() {
    let Some(tenancy) = Tenancy::new() else { return };
    let function = tenancy.function();
    outcome(&function, &sample(HIGH, &tenancy.high));
    signal(&function, "STOP");
    tenancy.finish_long_ago();
    tenancy.emulator.hang_up();
    signal(&function, "CONT");
    tenancy.requests();
    let record = outcome(&function, &sample("high-cpu.repeat.json", &tenancy.high));
    assert_eq!(record["result"], "applied", "{record:#}");
    let requests = tenancy.requests();
    assert_eq!(count(&requests, "GetModelDeployment"), 1, "{requests:#?}");
}

fn signal(function: &Function, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", function.id())]).status().unwrap();
    assert!(sent.success());
}
