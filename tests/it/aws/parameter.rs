//! A policy in Parameter Store, as the function and the command read it.

use std::process::Command;

use aws_sdk_ssm::types::ParameterType;
use serde_json::Value;

use super::emulators::Emulators;
use super::function::Function;
use super::horizontal::{Account, outcome, sample};

const NAME: &str = "/stepladder/policy";
const KEPT: &str = "ssm:/stepladder/policy";

async fn put(emulators: &Emulators, policy: &str) {
    let put = emulators.parameters().put_parameter().name(NAME).value(policy).overwrite(true);
    put.r#type(ParameterType::String).send().await.unwrap();
}

fn high() -> Vec<u8> {
    sample("sns.high-cpu.firing.json")
}

#[tokio::test]
async fn the_function_answers_by_the_parameters_policy_and_reads_it_once_a_minute() {
    let Some(account) = Account::with_endpoint("churn").await else { return };
    put(&account.emulators, "mode = \"observe\"").await;
    let function = Function::start_with(&account.emulators, &[("STEPLADDER_POLICY", KEPT)]);
    for _ in 0..2 {
        let reply = function.invoke(&high());
        assert_eq!(outcome(&reply)["result"], "dry_run", "{reply:#}");
    }
    let read = |request: &&super::emulators::Request| request.operation == "GetParameter";
    assert_eq!(account.emulators.requests().iter().filter(read).count(), 0, "it was read at the first event");

    // By its ARN, and with what may be secret.
    let arn = format!("ssm:arn:aws:ssm:us-east-1:000000000000:parameter{NAME}");
    let function = Function::start_with(&account.emulators, &[("STEPLADDER_POLICY", &arn)]);
    assert_eq!(outcome(&function.invoke(&high()))["result"], "dry_run");
}

#[tokio::test]
async fn without_a_usable_parameter_the_function_reports_which_and_why() {
    let Some(account) = Account::with_endpoint("churn").await else { return };
    let function = Function::start_with(&account.emulators, &[("STEPLADDER_POLICY", KEPT)]);
    let failing = |parts: &[&str]| {
        // It is shown with a margin, and broken into lines.
        let error = function.invoke_failing(&high()).replace('│', " ");
        let error = error.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(parts.iter().all(|part| error.contains(part)), "{parts:?} in {error}");
    };
    // It is not there.
    failing(&["Permanent", KEPT, "check the name"]);
    // It may not be read.
    account.emulators.fail("GetParameter", 400, 1, "AccessDeniedException");
    failing(&["Permanent", KEPT, "ssm:GetParameter"]);
    // Nobody answers just now.
    account.emulators.fail("GetParameter", 400, 9, "ThrottlingException");
    failing(&["Retryable", KEPT, "throttled"]);
    account.emulators.fail("GetParameter", 400, 0, "ThrottlingException");
    // It is invalid.
    put(&account.emulators, "mode = \"act\"\n\ninstances = 3\n").await;
    failing(&["Permanent", KEPT, "line 3, column 1: "]);
    // It is repaired, and the next event is answered.
    put(&account.emulators, "mode = \"act\"").await;
    assert_eq!(outcome(&function.invoke(&high()))["result"], "applied");
}

#[tokio::test]
async fn the_command_reads_it_too() {
    let Some(account) = Account::with_endpoint("churn").await else { return };
    let scratch = tempfile::tempdir().unwrap();
    let event = scratch.path().join("event.json");
    std::fs::write(&event, high()).unwrap();
    let run = || {
        Command::new(env!("CARGO_BIN_EXE_stepladder"))
            .args(["handle", "--cloud", "aws", "--format", "json"])
            .arg(&event)
            .env_clear()
            .envs(account.emulators.environment())
            .env("STEPLADDER_POLICY", KEPT)
            .output()
            .unwrap()
    };
    let missing = run();
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stdout).contains(KEPT));

    put(&account.emulators, "mode = \"observe\"").await;
    let reply: Value = serde_json::from_slice(&run().stdout).unwrap();
    assert_eq!(outcome(&reply)["result"], "dry_run", "{reply:#}");
}
