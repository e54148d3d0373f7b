//! What only shows between the real function and a service: the rest of the table in `crate::defects`.

use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::{Value, json};

use super::emulators::{DEPLOYMENT, Request};
use super::tenancy::{Tenancy, operators_alarm, outcome, sample};

/// The sample of a scale-up alarm, the name of its pair, and the size to which it leads.
type Pressure = (&'static str, &'static str, (u64, &'static str));

const CPU: Pressure = ("high-cpu.firing.json", "model_deployment_low_cpu", (2, "VM.Standard2.2"));
const MEMORY: Pressure = ("high-mem.firing.json", "model_deployment_low_mem", (1, "VM.Standard2.4"));

/// Puts a scale-down alarm of that name which is about another deployment.
fn put_another(tenancy: &Tenancy, name: &str) {
    let mut alarm = operators_alarm(&tenancy.emulator);
    let query = alarm["query"].as_str().unwrap().replace(DEPLOYMENT, "another").replace("> 80", "< 10");
    (alarm["displayName"], alarm["query"]) = (json!(name), json!(query));
    tenancy.emulator.put_alarm(&alarm);
}

/// The alarms of a name, each with whether it is stepladder's.
fn called(tenancy: &Tenancy, name: &str) -> Vec<bool> {
    let alarms = tenancy.emulator.alarms();
    let named = alarms.iter().filter(|alarm| alarm["displayName"] == name);
    named.map(|alarm| alarm["freeformTags"]["stepladder:target"] == DEPLOYMENT).collect()
}

/// The changes that were carried out since the last such question.
fn carried_out(tenancy: &Tenancy) -> Vec<String> {
    let changes = |operation: &str| !operation.starts_with("Get") && !operation.starts_with("List");
    let done = |request: &Request| (200..300).contains(&request.status) && changes(&request.operation);
    tenancy.requests().into_iter().filter(done).map(|request| request.operation).collect()
}

fn size(tenancy: &Tenancy) -> (u64, String) {
    tenancy.finish_long_ago();
    (tenancy.instances(), tenancy.shape())
}

/// Defect 1: a member was read that the answer about an existing scale-down alarm does not have, no matter who owned
/// the alarm of that name.
#[rstest]
#[case::cpu(CPU)]
#[case::memory(MEMORY)]
fn a_low_alarm_that_exists_already_does_not_stop_a_scale_up(#[case] pressure: Pressure) {
    let Some(tenancy) = Tenancy::new() else { return };
    let (event, low, (instances, shape)) = pressure;
    put_another(&tenancy, low);
    let function = tenancy.emulator.function(&[]);
    let record = outcome(&function, &sample(event, &tenancy.high));
    assert_eq!(record["result"], "applied", "{record:#}");
    assert_eq!(size(&tenancy), (instances, shape.to_owned()));
    assert_eq!(called(&tenancy, low), [false, true], "the other's is the other's");
    // Nor does stepladder's own, when it scales up again. A new process remembers no change of its own.
    let function = tenancy.emulator.function(&[]);
    tenancy.emulator.forget_requests();
    let record = outcome(&function, &sample(event, &tenancy.high));
    assert_eq!(record["result"], "applied", "{record:#}");
    assert_eq!(carried_out(&tenancy), ["UpdateModelDeployment"]);
}

/// Defect 2: what the creation of the scale-down alarm answered could not be printed, and the update came after that.
#[rstest]
#[case::cpu(CPU)]
#[case::memory(MEMORY)]
fn a_scale_up_reaches_the_update_although_the_pair_is_made_first(#[case] pressure: Pressure) {
    let Some(tenancy) = Tenancy::new() else { return };
    let (event, low, (instances, shape)) = pressure;
    let record = outcome(&tenancy.emulator.function(&[]), &sample(event, &tenancy.high));
    assert_eq!(record["result"], "applied", "{record}");
    let calls: Vec<&Value> = record["calls"].as_array().unwrap().iter().map(|call| &call["call"]).collect();
    assert_eq!(calls, ["oci:CreateAlarm", "oci:UpdateModelDeployment"]);
    assert_eq!(carried_out(&tenancy), ["CreateAlarm", "UpdateModelDeployment"]);
    // It names the alarm, and reports that the update is only in progress.
    let [created, updated] = [0, 1].map(|at| record["calls"][at]["detail"].as_str().unwrap());
    assert!(created.contains("ocid1.alarm."), "{created}");
    assert!(updated.contains("accepted, work request ocid1."), "{updated}");
    assert_eq!(tenancy.document()["lifecycleState"], "UPDATING");
    assert_eq!(size(&tenancy), (instances, shape.to_owned()));
    assert_eq!(called(&tenancy, low), [true]);
}

/// Defect 11, too: of the list of alarms only the first page was read, so that there was soon a second one.
#[test]
fn a_pair_on_a_later_page_is_found() {
    let Some(tenancy) = Tenancy::new() else { return };
    let (event, low, _) = CPU;
    // Others of the same name, before ours and after it.
    (0..3).for_each(|_| put_another(&tenancy, low));
    let function = tenancy.emulator.function(&[]);
    outcome(&function, &sample(event, &tenancy.high));
    tenancy.finish_long_ago();
    (0..3).for_each(|_| put_another(&tenancy, low));
    tenancy.emulator.set(&json!({ "page_size": 1, "empty_pages": true }));
    // A new process remembers no change of its own.
    let function = tenancy.emulator.function(&[]);
    tenancy.emulator.forget_requests();
    let record = outcome(&function, &sample(event, &tenancy.high));
    assert_eq!(record["result"], "applied", "{record:#}");
    assert!(tenancy.emulator.requests_of("ListAlarms").len() > 6);
    assert_eq!(carried_out(&tenancy), ["UpdateModelDeployment"], "the pair was found");
    assert_eq!(called(&tenancy, low), [false, false, false, true, false, false, false]);
}

/// Defect 18: of two clients one waited for as long as three invocations, and the other not at all.
#[test]
fn a_throttled_call_is_tried_again_and_one_that_takes_minutes_is_not() {
    let Some(tenancy) = Tenancy::new() else { return };
    let emulator = &tenancy.emulator;
    let function = emulator.function(&[]);
    let fails = |operation: &str, status: u16, code: &str, times: u16| {
        emulator.fail(&json!({ "operation": operation, "status": status, "code": code, "times": times }));
    };
    // Too many calls of the tenancy in this second: the next one will do.
    for operation in ["GetAlarm", "ListAlarms", "CreateAlarm"] {
        fails(operation, 429, "TooManyRequests", 2);
    }
    // Somebody else's change is under way, which takes minutes.
    fails("UpdateModelDeployment", 409, "IncorrectState", 9);
    let event = sample("high-cpu.firing.json", &tenancy.high);
    let record = outcome(&function, &event);
    assert_eq!(record["decision"]["reason"], "busy", "{record}");
    let tries = |operation| emulator.requests_of(operation).len();
    assert_eq!([tries("GetAlarm"), tries("CreateAlarm"), tries("UpdateModelDeployment")], [3, 3, 1]);
    // One that would answer too late is not waited for: Notifications calls again.
    emulator.fail(&json!({ "operation": "GetModelDeployment", "hang": 20, "times": 1 }));
    let deadline = (Timestamp::now() + SignedDuration::from_secs(6)).to_string();
    let late = function.call(event.to_string().as_bytes(), &[("Fn-Deadline", &deadline)]);
    assert_eq!(late.status, 502, "{late:?}");
    let error = &late.body["outcomes"][0]["error"];
    assert_eq!((&error["kind"], &error["retryable"]), (&json!("unavailable"), &json!(true)));
}
