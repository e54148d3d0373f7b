//! The statements that `provision` prints, as the emulator's only grants: enough for all that the function does, and no more.

use std::collections::BTreeSet;
use std::process::Command;

use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::emulators::{DEPLOYMENT, Request, deployment};
use super::tenancy::{Tenancy, sample};
use crate::cli::write;

const ANOTHER: &str = "ocid1.datasciencemodeldeployment.oc1.iad.another";

/// What the function sends, and what it reads.
const OPERATIONS: [&str; 10] = [
    "CreateAlarm",
    "DeleteAlarm",
    "GetAlarm",
    "GetModelDeployment",
    "ListAlarms",
    "ListWorkRequests",
    "PublishMessage",
    "SummarizeMetricsData",
    "UpdateAlarm",
    "UpdateModelDeployment",
];

/// The statements for the function, as the command prints them. An administrator fills in where the topic is.
fn printed(tenancy: &Tenancy) -> Vec<String> {
    let emulator = &tenancy.emulator;
    let [compartment, function, topic] =
        ["compartment", "function", "topic"].map(|key| emulator.announced(key));
    let dir = TempDir::new().unwrap();
    let policy = write(
        &dir,
        "stepladder.toml",
        format!(
            "[oci]\ncompartment = \"{compartment}\"\ndeployments = [\"{DEPLOYMENT}\"]\nfunction = \"{function}\"\n\
             topic = \"{topic}\"\n[[notify]]\nto = \"{topic}\"\n"
        ),
    );
    let output = Command::new(env!("CARGO_BIN_EXE_stepladder"))
        .args(["provision", "--cloud", "oci", "--format", "json", "--policy", &policy])
        .env_clear()
        .envs(emulator.profile())
        .output()
        .unwrap();
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    let statements = plan["statements"].as_array().unwrap_or_else(|| panic!("{plan:#}")).iter();
    let place = format!("id {compartment}");
    let filled = |one: &Value| one.as_str().unwrap().replace(&format!("<of topic {topic}>"), &place);
    statements.map(filled).collect()
}

fn grant(tenancy: &Tenancy, statements: &[String]) {
    tenancy.emulator.control("POST", "/grant", &json!({ "statements": statements }));
}

/// Scales up and down along both axes, with a pair that is created, rewritten and deleted. Returns the function's requests.
fn a_day(tenancy: &Tenancy) -> Vec<Request> {
    tenancy.emulator.gauge(DEPLOYMENT, "CpuUtilization", 4.0);
    let notify = format!("[[notify]]\nto = \"{}\"\n", tenancy.emulator.announced("topic"));
    let function = |pair: &str| {
        let policy = format!("[defaults]\nevidence = \"fired\"\n{pair}\n{notify}");
        tenancy.emulator.function(&[("STEPLADDER_POLICY", &policy)])
    };
    let lower = "[[rule]]\nalarm = \"*high_cpu\"\naxis = \"instances\"\npair = { alarm = \"model_deployment_low_cpu\", \
                 metric = \"CpuUtilization\", below = 8, window = \"5m\", repeat = \"5m\" }";
    let (first, second) = (function(""), function(lower));
    tenancy.emulator.forget_requests();
    for (function, event) in [
        (&first, "high-cpu.firing.json"),
        (&second, "high-cpu.firing.json"),
        (&first, "high-mem.firing.json"),
        (&first, "low-mem.firing.json"),
        (&first, "low-cpu.repeat.json"),
        (&first, "low-cpu.repeat.json"),
        (&first, "low-cpu.repeat.json"),
    ] {
        let event = sample(event, &tenancy.high);
        function.call(event.to_string().as_bytes(), &[]);
        tenancy.finish_long_ago();
    }
    tenancy.requests()
}

fn refused(requests: &[Request]) -> Vec<&Request> {
    requests.iter().filter(|request| request.status == 404).collect()
}

#[test]
fn the_statements_are_enough() {
    let Some(tenancy) = Tenancy::new() else { return };
    grant(&tenancy, &printed(&tenancy));
    let requests = a_day(&tenancy);
    let asked: BTreeSet<&str> = requests.iter().map(|request| request.operation.as_str()).collect();
    assert_eq!(asked, OPERATIONS.into(), "the day has all that the function does");
    assert_eq!(refused(&requests).len(), 0, "{:#?}", refused(&requests));
    assert_eq!(tenancy.instances(), 1);
}

#[test]
fn each_statement_is_needed() {
    let Some(tenancy) = Tenancy::new() else { return };
    let statements = printed(&tenancy);
    for left_out in 0..statements.len() {
        let Some(tenancy) = Tenancy::new() else { return };
        let mut fewer = statements.clone();
        let missing = fewer.remove(left_out);
        grant(&tenancy, &fewer);
        assert!(!refused(&a_day(&tenancy)).is_empty(), "nothing is refused without `{missing}`");
    }
}

// Who can write alarms, messages or tags can name anything: what is elsewhere is out of reach.
#[rstest]
#[case::a_deployment_elsewhere("high-cpu.firing.json")]
#[case::memory_of_a_deployment_elsewhere("high-mem.firing.json")]
#[case::a_deployment_elsewhere_to_shrink("low-cpu.repeat.json")]
fn what_is_elsewhere_is_out_of_reach(#[case] event: &str) {
    let Some(tenancy) = Tenancy::new() else { return };
    let mut elsewhere = deployment();
    elsewhere["id"] = json!(ANOTHER);
    elsewhere["compartmentId"] = json!("ocid1.compartment.oc1..elsewhere");
    elsewhere["modelDeploymentConfigurationDetails"]["modelConfigurationDetails"]["scalingPolicy"]["instanceCount"] =
        json!(3);
    tenancy.emulator.put(&elsewhere);
    let statements = printed(&tenancy);
    grant(&tenancy, &statements);
    let before = tenancy.emulator.state();
    let function = tenancy.function();
    let event = sample(event, &tenancy.high).to_string();
    let forged = event.replace(DEPLOYMENT, ANOTHER);
    assert!(forged.contains(ANOTHER), "{forged}");
    tenancy.emulator.forget_requests();
    function.call(forged.as_bytes(), &[]);
    let requests = tenancy.requests();
    let read = requests.iter().find(|request| request.operation == "GetModelDeployment");
    assert_eq!(read.map(|request| request.status), Some(404), "{requests:#?}");
    assert_eq!(tenancy.emulator.state(), before, "nothing is changed");
}
