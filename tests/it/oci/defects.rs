//! What only shows between the real function and a service: the rest of the table in `crate::defects`.

use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::{Value, json};

use super::emulators::{DEPLOYMENT, Emulator, Request, deployment};
use super::function::Answer;

/// Metric, name of the high alarm, name of the low one, and what a step up leads to.
type Pressure = (&'static str, &'static str, &'static str, (u64, &'static str));

const CPU: Pressure =
    ("CpuUtilization", "model_deployment_high_cpu", "model_deployment_low_cpu", (2, "VM.Standard2.2"));
const MEMORY: Pressure =
    ("MemoryUtilization", "model_deployment_high_mem", "model_deployment_low_mem", (1, "VM.Standard2.4"));

/// An emulator with a deployment of one instance.
fn tenancy() -> Option<Emulator> {
    let emulator = Emulator::start()?;
    emulator.put(&deployment());
    Some(emulator)
}

/// An alarm as somebody would make it at the console.
fn alarm(emulator: &Emulator, name: &str, query: &str) -> Value {
    json!({
        "displayName": name,
        "compartmentId": emulator.told("compartment"),
        "metricCompartmentId": emulator.told("compartment"),
        "namespace": "oci_datascience_modeldeploy",
        "query": query,
        "severity": "CRITICAL",
        "destinations": [emulator.told("topic")],
        "isEnabled": true,
    })
}

/// The message of a new high alarm, as Notifications hands it over.
fn firing(emulator: &Emulator, (metric, name, ..): Pressure) -> Vec<u8> {
    let query = format!("{metric}[5m]{{resourceId = \"{DEPLOYMENT}\"}}.mean() > 80");
    let id = emulator.put_alarm(&alarm(emulator, name, &query));
    let message = json!({
        "dedupeKey": id,
        "title": name,
        "type": "OK_TO_FIRING",
        "severity": "CRITICAL",
        "timestampEpochMillis": Timestamp::now().as_millisecond(),
        "alarmMetaData": [{
            "id": id,
            "status": "FIRING",
            "severity": "CRITICAL",
            "namespace": "oci_datascience_modeldeploy",
            "query": query,
            "totalMetricsFiring": 1,
            "dimensions": [{ "resourceId": DEPLOYMENT, "instanceId": "instance:1" }],
        }],
        "version": 1.5,
    });
    message.to_string().into_bytes()
}

/// The only record of an answer.
fn record(answer: &Answer) -> &Value {
    assert_eq!(answer.header("content-type"), Some("application/json"), "{answer:?}");
    &answer.body["outcomes"][0]
}

fn size(emulator: &Emulator) -> (u64, String) {
    emulator.finish(DEPLOYMENT);
    let told = emulator.document(DEPLOYMENT);
    let settings = &told["modelDeploymentConfigurationDetails"]["modelConfigurationDetails"];
    let shape = settings["instanceConfiguration"]["instanceShapeName"].as_str().unwrap();
    (settings["scalingPolicy"]["instanceCount"].as_u64().unwrap(), shape.to_owned())
}

/// The alarms of a name, each with whether it is ours.
fn called(emulator: &Emulator, name: &str) -> Vec<bool> {
    let alarms = emulator.alarms();
    let named = alarms.iter().filter(|alarm| alarm["displayName"] == name);
    named.map(|alarm| alarm["freeformTags"]["stepladder:target"] == DEPLOYMENT).collect()
}

fn carried_out(emulator: &Emulator) -> Vec<String> {
    let done = |request: &Request| (200..300).contains(&request.status) && !is_read(request);
    emulator.requests().into_iter().filter(done).map(|request| request.operation).collect()
}

fn is_read(request: &Request) -> bool {
    request.operation.starts_with("Get") || request.operation.starts_with("List")
}

/// Defect 1: the answer about a low alarm that existed was asked for a member that it does not have, whosever
/// alarm of that name it was.
#[rstest]
#[case::cpu(CPU)]
#[case::memory(MEMORY)]
fn a_low_alarm_that_exists_already_does_not_stop_a_scale_up(#[case] pressure: Pressure) {
    let Some(emulator) = tenancy() else { return };
    let (metric, _, low, (instances, shape)) = pressure;
    let query = format!(
        "{metric}[5m]{{resourceId = \"ocid1.datasciencemodeldeployment.oc1.iad.other\"}}.mean() < 10"
    );
    emulator.put_alarm(&alarm(&emulator, low, &query));
    let function = emulator.function(&[]);
    let first = function.call(&firing(&emulator, pressure), &[]);
    assert_eq!((first.status, &record(&first)["result"]), (200, &json!("applied")), "{first:?}");
    assert_eq!(size(&emulator), (instances, shape.to_owned()));
    assert_eq!(called(&emulator, low), [false, true], "the other's is the other's");
    // Nor does our own, when it goes up again.
    emulator.age(DEPLOYMENT, 3600);
    emulator.forget_requests();
    let second = function.call(&firing(&emulator, pressure), &[]);
    assert_eq!(record(&second)["result"], "applied", "{second:?}");
    assert_eq!(carried_out(&emulator), ["UpdateModelDeployment"]);
}

/// Defect 2: what the creation of the low alarm answered could not be printed, and the update came after that.
#[rstest]
#[case::cpu(CPU)]
#[case::memory(MEMORY)]
fn a_scale_up_reaches_the_update_although_the_pair_is_made_first(#[case] pressure: Pressure) {
    let Some(emulator) = tenancy() else { return };
    let (_, _, low, (instances, shape)) = pressure;
    let answer = emulator.function(&[]).call(&firing(&emulator, pressure), &[]);
    assert_eq!(answer.status, 200, "{answer:?}");
    let told = record(&answer);
    assert_eq!(told["result"], "applied", "{told}");
    let calls: Vec<&Value> = told["calls"].as_array().unwrap().iter().map(|call| &call["call"]).collect();
    assert_eq!(calls, ["oci:CreateAlarm", "oci:UpdateModelDeployment"]);
    assert_eq!(carried_out(&emulator), ["CreateAlarm", "UpdateModelDeployment"]);
    // It says which alarm it was, and that the update is only under way.
    let [created, updated] = [0, 1].map(|at| told["calls"][at]["detail"].as_str().unwrap());
    assert!(created.contains("ocid1.alarm."), "{created}");
    assert!(updated.contains("accepted, work request ocid1."), "{updated}");
    assert_eq!(emulator.document(DEPLOYMENT)["lifecycleState"], "UPDATING");
    assert_eq!(size(&emulator), (instances, shape.to_owned()));
    assert_eq!(called(&emulator, low), [true]);
}

/// Defect 11, too: of the list of alarms only the first page was read, so that there was soon a second one.
#[test]
fn a_pair_on_a_later_page_is_found() {
    let Some(emulator) = tenancy() else { return };
    let function = emulator.function(&[]);
    function.call(&firing(&emulator, CPU), &[]);
    emulator.finish(DEPLOYMENT);
    emulator.age(DEPLOYMENT, 3600);
    let (.., low, _) = CPU;
    // Others of the same name, before ours and after it.
    for other in 0..6 {
        let query = format!("CpuUtilization[5m]{{resourceId = \"other-{other}\"}}.mean() < 10");
        emulator.put_alarm(&alarm(&emulator, low, &query));
    }
    emulator.set(&json!({ "page_size": 1, "empty_pages": true }));
    emulator.forget_requests();
    let answer = function.call(&firing(&emulator, CPU), &[]);
    assert_eq!(record(&answer)["result"], "applied", "{answer:?}");
    assert_eq!(carried_out(&emulator), ["UpdateModelDeployment"], "the pair was found");
    assert!(emulator.requests_of("ListAlarms").len() > 6);
    assert_eq!(called(&emulator, low).iter().filter(|ours| **ours).count(), 1);
}

/// Defect 18: of two clients one waited for as long as three invocations, and the other not at all.
#[test]
fn a_throttled_call_is_tried_again_and_one_that_takes_minutes_is_not() {
    let Some(emulator) = tenancy() else { return };
    let function = emulator.function(&[]);
    // Too many calls of the tenancy in this second: the next one will do.
    for operation in ["GetAlarm", "ListAlarms", "CreateAlarm"] {
        let fault = json!({ "operation": operation, "status": 429, "code": "TooManyRequests", "times": 2 });
        emulator.fail(&fault);
    }
    // Somebody else's change is under way, which takes minutes.
    let fault =
        json!({ "operation": "UpdateModelDeployment", "status": 409, "code": "IncorrectState", "times": 9 });
    emulator.fail(&fault);
    let answer = function.call(&firing(&emulator, CPU), &[]);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(record(&answer)["decision"]["reason"], "busy", "{answer:?}");
    let tries = |operation| emulator.requests_of(operation).len();
    assert_eq!([tries("GetAlarm"), tries("CreateAlarm"), tries("UpdateModelDeployment")], [3, 3, 1]);
    // One that would answer too late is not waited for: Notifications calls again.
    emulator.fail(&json!({ "operation": "GetModelDeployment", "hang": 20, "times": 1 }));
    let deadline = (Timestamp::now() + SignedDuration::from_secs(3)).to_string();
    let late = function.call(&firing(&emulator, CPU), &[("Fn-Deadline", &deadline)]);
    assert_eq!(late.status, 502, "{late:?}");
    let error = &record(&late)["error"];
    assert_eq!((&error["kind"], &error["retryable"]), (&json!("unavailable"), &json!(true)));
}
