//! Files that a command cannot use: the error names their kind and the command that reads it, or what to do instead.

use rstest::rstest;
use tempfile::TempDir;

use crate::cli::{run, run_with, write};

const EVENT: &str = include_str!("../../events/cloudwatch/sns.high-cpu.firing.json");
const WORLD: &str = r#"{ "deployments": {} }"#;
const POLICY: &str = "mode = \"observe\"\n";
const CASES: &str = "[[case]]\nname = \"a\"\n";

const AS_EVENT: &str = "this looks like an alarm's payload: use `stepladder explain [dir]/file`";
const AS_WORLD: &str = "this looks like a world file: pass it with `--world`";
const AS_POLICY: &str =
    "this looks like a policy: use `stepladder policy check [dir]/file`, or pass it with `--policy`";
const AS_CASES: &str = "this looks like a file of cases: use `stepladder policy test [dir]/file`";

#[rstest]
#[case::event_as_policy("policy check FILE", EVENT, AS_EVENT)]
#[case::world_as_policy("policy check FILE", WORLD, AS_WORLD)]
#[case::cases_as_policy("policy check FILE", CASES, AS_CASES)]
#[case::event_as_active_policy(
    "explain events/cloudwatch/sns.high-cpu.firing.json --policy FILE",
    EVENT,
    AS_EVENT
)]
#[case::policy_as_event("explain FILE", POLICY, AS_POLICY)]
#[case::cases_as_event("handle FILE", CASES, AS_CASES)]
#[case::world_as_event("parse FILE", WORLD, AS_WORLD)]
#[case::policy_as_cases("policy test FILE", POLICY, AS_POLICY)]
#[case::event_as_cases("policy test FILE", EVENT, AS_EVENT)]
#[case::event_as_world("explain events/cloudwatch/sns.high-cpu.firing.json --world FILE", EVENT, AS_EVENT)]
#[case::policy_as_world("explain events/cloudwatch/sns.high-cpu.firing.json --world FILE", POLICY, AS_POLICY)]
fn a_file_of_another_kind_is_named(#[case] line: &str, #[case] text: &str, #[case] advice: &str) {
    let dir = TempDir::new().unwrap();
    let file = write(&dir, "file", text);
    let args: Vec<&str> = line.split(' ').map(|word| if word == "FILE" { &file } else { word }).collect();
    let ran = run(&args).without(&dir);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran}");
    assert!(ran.err.starts_with("error: ") && ran.err.contains(advice), "{ran}");
}

/// A policy with a problem is no other kind of file, whatever the problem is.
#[rstest]
#[case::misspelt("mod = \"observe\"\n", "unknown field `mod`")]
#[case::with_cases("mode = \"act\"\n[[case]]\nname = \"a\"\n", "unknown field `case`")]
#[case::of_another_tool("{ \"a\": 1 }", "error: ")]
fn a_problem_is_still_shown_in_its_line(#[case] text: &str, #[case] expected: &str) {
    let dir = TempDir::new().unwrap();
    let ran = run(&["policy", "check", &write(&dir, "file", text)]);
    assert_eq!(ran.code, 2, "{ran}");
    assert!(ran.err.contains(expected) && ran.err.contains("file:1:") | ran.err.contains("file:2:"), "{ran}");
    assert!(!ran.err.contains("looks like"), "{ran}");
}

#[rstest]
#[case::policy("policy check FILE")]
#[case::cases("policy test FILE")]
#[case::world("explain events/cloudwatch/sns.high-cpu.firing.json --world FILE")]
fn what_cannot_be_read_comes_with_advice(#[case] line: &str) {
    let dir = TempDir::new().unwrap();
    let file = write(&dir, "file", b"mode = \"\xff\"");
    let of = |file: &str| {
        let args: Vec<&str> = line.split(' ').map(|word| if word == "FILE" { file } else { word }).collect();
        run(&args)
    };
    let ran = of(&file);
    assert!(ran.code == 2 && ran.err.contains("it is not UTF-8 text: save it as UTF-8"), "{ran}");
    let ran = of(dir.path().to_str().unwrap());
    assert!(ran.code == 2 && ran.err.contains("it is a directory: name a file in it"), "{ran}");
}

#[test]
fn an_event_that_is_empty_or_a_directory_comes_with_advice() {
    let dir = TempDir::new().unwrap();
    let ran = run_with(&["explain", "-"], b" \n");
    assert_eq!(ran.err, "error: event `standard input` is empty: expected the JSON of an alarm\n");
    let ran = run(&["explain", &write(&dir, "file", "")]).without(&dir);
    assert_eq!(ran.err, "error: event `[dir]/file` is empty: expected the JSON of an alarm\n");
    let ran = run(&["explain", dir.path().to_str().unwrap()]);
    assert!(ran.code == 2 && ran.err.contains("it is a directory: name a file in it"), "{ran}");
}

/// `-` is standard input, for a policy and for cases, too.
#[test]
fn a_policy_and_cases_are_read_from_standard_input() {
    let ran = run_with(&["policy", "check", "-"], POLICY.as_bytes());
    assert_eq!(ran.code, 0, "{ran}");
    assert!(ran.out.starts_with("`standard input` is valid: mode `observe`"), "{ran}");
    let ran = run_with(&["policy", "check", "-"], b"mod = 1");
    assert!(ran.code == 2 && ran.err.contains("--> standard input:1:1"), "{ran}");
    let event = "events/cloudwatch/sns.high-cpu.firing.json";
    for args in [&["policy", "check", "-"][..], &["handle", event, "--policy", "-"]] {
        let ran = run_with(args, b" \n");
        assert_eq!(ran.code, 2, "{ran}");
        assert_eq!(ran.err, "error: standard input is empty: expected a policy as TOML\n");
    }
    let ran = run_with(&["handle", event, "--policy", "-"], POLICY.as_bytes());
    assert!(ran.code == 0 && ran.out.contains("observe"), "{ran}");
    let case = "[[case]]\nname = \"it fires\"\ngiven.event = \"events/cloudwatch/sns.high-cpu.firing.json\"\n\
                then.decision = \"resize\"\n";
    let ran = run_with(&["policy", "test", "-"], case.as_bytes());
    assert_eq!(ran.code, 0, "{ran}");
}
