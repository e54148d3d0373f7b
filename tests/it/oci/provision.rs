//! The real command against the emulator: plan, apply, again, drift, what is in the way, and taking down.

use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::emulators::{DEPLOYMENT, Emulator};
use crate::cli::write;

/// A topic of our own, besides the one that the emulator has.
const OURS: &str = "topic = \"pressure\"";

/// An emulator, and the operator who provisions on it.
struct Operator {
    emulator: Emulator,
    dir: TempDir,
}

impl Operator {
    fn start() -> Option<Self> {
        Some(Self { emulator: Emulator::start()?, dir: TempDir::new().unwrap() })
    }

    fn announced(&self, key: &str) -> &str {
        self.emulator.announced(key)
    }

    /// Runs a verb on a policy whose table has these keys, too; returns the exit code and what it prints as JSON.
    fn run(&self, verb: &str, keys: &str, more: &[&str]) -> (i32, Value) {
        self.run_in(self.announced("compartment"), verb, keys, more)
    }

    /// The same in another compartment.
    fn run_in(&self, compartment: &str, verb: &str, keys: &str, more: &[&str]) -> (i32, Value) {
        let function = self.announced("function");
        let policy = write(
            &self.dir,
            "stepladder.toml",
            format!(
                "[oci]\ncompartment = \"{compartment}\"\ndeployments = [\"{DEPLOYMENT}\"]\nfunction = \"{function}\"\n{keys}\n"
            ),
        );
        let output = Command::new(env!("CARGO_BIN_EXE_stepladder"))
            .args([verb, "--cloud", "oci", "--format", "json", "--policy", &policy])
            .args(more)
            .env_clear()
            .envs(self.emulator.profile())
            .output()
            .unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        let shown = || format!("{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
        let value: Value =
            serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {}", shown()));
        (output.status.code().unwrap(), value)
    }

    /// What exists, as the service has it.
    fn state(&self) -> Value {
        self.emulator.state()
    }

    /// Every operation that was requested since the last time, reads included.
    fn requested(&self) -> Vec<String> {
        let requests = self.emulator.requests();
        self.emulator.forget_requests();
        assert!(requests.iter().all(|request| request.sdk_equal == Some(true)), "signed as the SDK signs");
        requests.into_iter().map(|request| request.operation).collect()
    }
}

/// The calls of a report that are done, or else planned.
fn calls<'a>(report: &'a Value, status: &str) -> Vec<&'a str> {
    let steps = report["steps"].as_array().unwrap().iter().filter(|step| step["status"] == status);
    steps.map(|step| step["call"].as_str().unwrap()).collect()
}

/// How much exists there with stepladder's mark.
fn marked(state: &Value, kind: &str) -> usize {
    let all = state[kind].as_array().unwrap();
    all.iter().filter(|one| one["freeformTags"]["stepladder:provisioned"] == "pressure").count()
}

#[test]
fn everything_is_set_up_once_put_right_and_taken_down() {
    let Some(operator) = Operator::start() else { return };
    let all = ["oci:CreateTopic", "oci:CreateSubscription", "oci:CreateAlarm", "oci:CreateAlarm"];
    let before = operator.state();

    let (code, planned) = operator.run("provision", OURS, &[]);
    assert_eq!((code, calls(&planned, "planned")), (0, all.to_vec()), "{planned:#}");
    assert_eq!(operator.state(), before, "a plan changes nothing");

    let (code, applied) = operator.run("provision", OURS, &["--apply"]);
    assert_eq!((code, calls(&applied, "done")), (0, all.to_vec()), "{applied:#}");
    let state = operator.state();
    let ours = ["topics", "subscriptions", "alarms"].map(|kind| marked(&state, kind));
    assert_eq!(ours, [1, 1, 2], "{state:#}");
    let topic = &applied["configuration"]["STEPLADDER_ALARM_ACTION"];
    assert_eq!(state["alarms"][0]["destinations"], json!([topic]));
    assert_eq!(state["alarms"][0]["repeatNotificationDuration"], "PT5M");

    operator.requested();
    let (code, again) = operator.run("provision", OURS, &["--apply"]);
    assert_eq!((code, &again["nothing_left"], &again["steps"]), (0, &json!(true), &json!([])));
    let reads = ["GetAlarm", "ListAlarms", "ListSubscriptions", "ListTopics"];
    let requested = operator.requested();
    assert!(requested.iter().all(|operation| reads.contains(&operation.as_str())), "{requested:?}");
    assert_eq!(operator.state(), state);

    let alarm = "[[oci.alarm]]\nname = \"model_deployment_high_cpu\"\nmetric = \"CpuUtilization\"\nscale_up_threshold = 95";
    let (code, other) = operator.run("provision", &format!("{OURS}\n{alarm}"), &["--apply"]);
    let done = ["oci:UpdateAlarm", "oci:DeleteAlarm"];
    assert_eq!((code, calls(&other, "done")), (0, done.to_vec()), "{other:#}");
    assert_eq!(other["steps"][0]["changes"][0]["field"], "query");
    let (code, back) = operator.run("provision", OURS, &["--apply"]);
    let done = ["oci:UpdateAlarm", "oci:CreateAlarm"];
    assert_eq!((code, calls(&back, "done")), (0, done.to_vec()), "{back:#}");

    let (code, gone) = operator.run("teardown", OURS, &["--apply"]);
    let reverse = ["oci:DeleteAlarm", "oci:DeleteAlarm", "oci:DeleteSubscription", "oci:DeleteTopic"];
    assert_eq!((code, calls(&gone, "done")), (0, reverse.to_vec()), "{gone:#}");
    assert_eq!(operator.state(), before);
    let (code, again) = operator.run("teardown", OURS, &["--apply"]);
    assert_eq!((code, &again["steps"]), (0, &json!([])));

    let (code, anew) = operator.run("provision", OURS, &["--apply"]);
    assert_eq!((code, &anew["nothing_left"]), (0, &json!(true)), "no spent token is in the way: {anew:#}");
}

#[test]
fn a_topic_of_somebody_else_is_in_the_way_or_used_as_it_is() {
    let Some(operator) = Operator::start() else { return };
    let before = operator.state();
    // The emulator's own topic carries no tag of stepladder.
    let (code, refused) = operator.run("provision", "", &["--apply"]);
    assert_eq!((code, refused["conflicts"].as_array().unwrap().len()), (1, 1), "{refused:#}");
    assert_eq!(operator.state(), before);

    let topic = format!("topic = \"{}\"", operator.announced("topic"));
    let (code, used) = operator.run("provision", &topic, &["--apply"]);
    let done = ["oci:CreateAlarm", "oci:CreateAlarm"];
    assert_eq!((code, calls(&used, "done")), (0, done.to_vec()), "its function is subscribed: {used:#}");
    let (code, gone) = operator.run("teardown", &topic, &["--apply"]);
    assert_eq!((code, calls(&gone, "done").len()), (0, 2), "{gone:#}");
    assert_eq!(operator.state(), before);

    let (code, missing) = operator.run("provision", &topic.replace("emulator", "nothing"), &["--apply"]);
    assert_eq!((code, missing["conflicts"].as_array().unwrap().len()), (1, 1), "{missing:#}");
}

#[test]
fn a_name_that_is_taken_in_another_compartment_is_in_the_way() {
    let Some(operator) = Operator::start() else { return };
    let elsewhere = "ocid1.compartment.oc1..exampleuniqueidelsewhere";
    let (code, there) = operator.run_in(elsewhere, "provision", OURS, &["--apply"]);
    assert_eq!((code, &there["cloud"]), (0, &json!("oci")), "{there:#}");
    let before = operator.state();
    let (code, refused) = operator.run("provision", OURS, &["--apply"]);
    assert_eq!((code, &refused["error"], calls(&refused, "done")), (1, &Value::Null, vec![]), "{refused:#}");
    let conflict = refused["conflicts"][0].as_str().unwrap();
    assert!(conflict.contains("`pressure` elsewhere in the tenancy"), "{conflict}");
    assert_eq!(operator.state(), before);
}

#[test]
fn a_pair_beside_its_deployment_is_found_and_that_of_another_set_stays() {
    let Some(operator) = Operator::start() else { return };
    let models = "ocid1.compartment.oc1..exampleuniqueidmodels";
    let keys = format!("{OURS}\nmetric_compartment = \"{models}\"");
    let (code, applied) = operator.run("provision", &keys, &["--apply"]);
    assert_eq!(code, 0, "{applied:#}");
    let ours = &applied["configuration"]["STEPLADDER_ALARM_ACTION"];
    let pair = |name: &str, topic: &Value| {
        json!({
            "displayName": name,
            "compartmentId": models,
            "metricCompartmentId": models,
            "namespace": "oci_datascience_modeldeploy",
            "query": format!("CpuUtilization[5m]{{resourceId = \"{DEPLOYMENT}\"}}.mean() < 10"),
            "severity": "INFO",
            "destinations": [topic],
            "isEnabled": true,
            "freeformTags": { "stepladder:target": DEPLOYMENT, "stepladder:pair": name }
        })
    };
    operator.emulator.put_alarm(&pair("ours", ours));
    operator.emulator.put_alarm(&pair("another", &json!(operator.announced("topic"))));
    let (code, gone) = operator.run("teardown", &keys, &["--apply"]);
    assert_eq!((code, &gone["nothing_left"]), (0, &json!(true)), "{gone:#}");
    let left: Vec<Value> =
        operator.emulator.alarms().iter_mut().map(|alarm| alarm["displayName"].take()).collect();
    assert_eq!(left, ["another"]);
}

#[test]
fn what_failed_is_finished_by_the_next_run() {
    let Some(operator) = Operator::start() else { return };
    let fault = json!({ "operation": "CreateAlarm", "status": 400, "code": "LimitExceeded", "skip": 1 });
    operator.emulator.fail(&fault);
    let (code, broken) = operator.run("provision", OURS, &["--apply"]);
    assert_eq!((code, &broken["error"]["kind"]), (1, &json!("over_quota")), "{broken:#}");
    assert_eq!(calls(&broken, "done"), ["oci:CreateTopic", "oci:CreateSubscription", "oci:CreateAlarm"]);
    let (code, rest) = operator.run("provision", OURS, &["--apply"]);
    assert_eq!((code, calls(&rest, "done")), (0, vec!["oci:CreateAlarm"]), "{rest:#}");
}

#[test]
fn without_a_permission_the_statement_is_reported() {
    let Some(operator) = Operator::start() else { return };
    operator.emulator.deny("ListTopics", true);
    let (code, denied) = operator.run("provision", OURS, &[]);
    let message = denied["error"]["message"].as_str().unwrap();
    let statement = format!(
        "you need `Allow group <yours> to inspect ons-topics in compartment id {}`",
        operator.announced("compartment")
    );
    assert!(code == 1 && message.ends_with(&statement), "{code}: {message}");
}
