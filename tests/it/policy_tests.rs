//! `stepladder policy test`: the cases of a file against the decisions of the flow, and what is wrong with a file.

use std::fs;
use std::path::Path;

use rstest::rstest;
use serde_json::json;
use stepladder::decide::REASONS;
use tempfile::TempDir;

use crate::cli::{run, write};

const CHURN: &str = "endpoint/churn/variant/AllTraffic";
const MODEL: &str = "ocid1.datasciencemodeldeployment.oc1.iad.exampleuniqueidchurn";

/// A case with an alarm on CPU pressure of two instances.
fn high_cpu(given: &str, then: &str) -> String {
    format!(
        "[[case]]\nname = \"the case\"\n[case.given]\nalarm = {{ name = \"churn-high-cpu\", target = \"{CHURN}\", \
         metric = \"CPUUtilization\", value = 350, threshold = 320 }}\n{given}\n[case.then]\n{then}\n"
    )
}

const TWO: &str = "deployment = { instances = 2, shape = \"ml.m5.xlarge\" }";

/// The run of a file of cases beside a policy that observes.
fn tested(cases: &str, more: &[&str]) -> crate::cli::Ran {
    let dir = TempDir::new().unwrap();
    write(&dir, "observe.toml", "mode = \"observe\"\n[defaults]\ninstances = { min = 1, max = 2 }\n");
    write(&dir, "broken.toml", "mode = \"watch\"\n");
    write(
        &dir,
        "world.json",
        json!({ "deployments": { CHURN: { "instances": 4, "shape": "ml.m5.large" } } }).to_string(),
    );
    let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    for (from, to) in
        [("oci/two-deployments.firing.json", "two.json"), ("cloudwatch/sns.high-cpu.firing.json", "sns.json")]
    {
        write(&dir, to, fs::read(events.join(from)).unwrap());
    }
    let file = write(&dir, "cases.toml", cases);
    let more: Vec<String> =
        more.iter().map(|arg| arg.replace("[dir]", dir.path().to_str().unwrap())).collect();
    let args = ["policy", "test", &file].into_iter().chain(more.iter().map(String::as_str));
    run(&args.collect::<Vec<_>>()).without(&dir)
}

#[test]
fn help_has_a_whole_example_that_passes() {
    let help = run(&["policy", "test", "--help"]);
    insta::assert_snapshot!("help-policy-test", help.to_string());
    let (_, example) = help.out.split_once("A whole file:\n").unwrap();
    let (example, _) = example.split_once("\nKeys of `given`:").unwrap();
    let dir = TempDir::new().unwrap();
    write(&dir, "stepladder.toml", "");
    let payload = Path::new(env!("CARGO_MANIFEST_DIR")).join("events/cloudwatch/sns.high-cpu.firing.json");
    write(&dir, "alarm.json", fs::read(payload).unwrap());
    let file = write(&dir, "cases.toml", example);
    let ran = run(&["policy", "test", &file]);
    assert_eq!(ran.code, 0, "{ran}");
    assert!(ran.out.ends_with("\n2 passed, 0 failed\n"), "{ran}");
}

#[rstest]
#[case::resize(
    TWO,
    "decision = \"resize\"\naxis = \"instances\"\ninstances = 3\nshape = \"ml.m5.xlarge\"\nresult = \"applied\""
)]
#[case::calls(TWO, "calls = [\"aws:PutMetricAlarm\", \"aws:UpdateEndpointWeightsAndCapacities\"]")]
// The size after a hold is the observed one.
#[case::hold(
    "deployment = { instances = 10 }",
    "decision = \"hold\"\nreason = \"at_ceiling\"\ninstances = 10\nresult = \"held\""
)]
#[case::busy("deployment = { status = \"Updating\" }", "reason = \"busy\"\ncalls = []")]
#[case::tag("deployment = { tags = { \"stepladder:pause\" = \"up\" } }", "reason = \"paused\"")]
// The evidence is the window before the alarm, five seconds before `now`.
#[case::stale(
    "now = \"2026-03-02T09:20:00Z\"\ndeployment = { last_change = \"2026-03-02T09:15:00Z\" }",
    "reason = \"stale\""
)]
#[case::not_stale(
    "now = \"2026-03-02T09:20:00Z\"\ndeployment = { last_change = \"2026-03-02T09:14:00Z\" }",
    "decision = \"resize\""
)]
#[case::world("world = \"world.json\"", "instances = 5\nshape = \"ml.m5.large\"")]
// Without a word about it, one instance with a moderate load.
#[case::nothing("", "instances = 2")]
fn a_case_that_holds_passes(#[case] given: &str, #[case] then: &str) {
    let ran = tested(&high_cpu(given, then), &[]);
    assert_eq!(ran.code, 0, "{ran}");
    assert!(ran.out.contains("  passed  the case\n"), "{ran}");
}

#[rstest]
// A scale-down alarm by the side of its value, and the world's unit of a sum, which is by the minute.
#[case::low("name = \"x-low-cpu\", metric = \"CpuUtilization\", value = 4, threshold = 10", "instances = 1")]
#[case::repeats(
    "name = \"x-high-mem\", metric = \"MemoryUtilization\", value = 91, threshold = 80, transition = \"repeat\"",
    "axis = \"shape\"\nshape = \"VM.Standard2.4\""
)]
#[case::cleared(
    "name = \"x-high-cpu\", metric = \"CpuUtilization\", value = 40, threshold = 80, transition = \"cleared\"",
    "reason = \"not_firing\""
)]
#[case::side(
    "name = \"x-high-cpu\", metric = \"CpuUtilization\", value = 90, threshold = 95, fires = \"below\"",
    "decision = \"hold\""
)]
fn an_alarm_is_what_its_service_would_send(#[case] alarm: &str, #[case] then: &str) {
    let given = format!(
        "[case.given]\nalarm = {{ target = \"{MODEL}\", {alarm} }}\ndeployment = {{ instances = 2 }}"
    );
    let ran = tested(&format!("[[case]]\nname = \"a\"\n{given}\n[case.then]\n{then}\n"), &[]);
    assert_eq!(ran.code, 0, "{ran}");
}

#[test]
fn the_shape_of_a_flexible_size_is_compared_with_or_without_it() {
    let case = |then: &str| {
        format!(
            "[[case]]\nname = \"{then}\"\n[case.given]\nalarm = {{ name = \"high_mem\", target = \"{MODEL}\", metric = \
             \"MemoryUtilization\", value = 91, threshold = 80 }}\ndeployment = {{ shape = \"VM.Standard.E4.Flex:2:32\" \
             }}\n[case.then]\nshape = \"{then}\"\n"
        )
    };
    let ran = tested(&[case("VM.Standard.E4.Flex"), case("VM.Standard.E4.Flex:4:64")].concat(), &[]);
    assert_eq!(ran.code, 0, "{ran}");
}

#[rstest]
#[case::one_line_each("failures", &[])]
#[case::for_programs("failures-json", &["--format", "json"])]
// Its ceiling is 2, and it sends no call.
#[case::another_policy("failures-policy", &["--policy", "[dir]/observe.toml"])]
fn a_case_that_fails_shows_what_was_decided(#[case] name: &str, #[case] more: &[&str]) {
    let passes = high_cpu(TWO, "instances = 3");
    let fails = high_cpu(TWO, "decision = \"hold\"\nreason = \"at_ceiling\"\ninstances = 2\ncalls = []");
    let several =
        "[[case]]\nname = \"two targets\"\ngiven.event = \"two.json\"\nthen.decision = \"resize\"\n";
    let absent = "[[case]]\nname = \"no such alarm\"\ngiven.event = \"sns.json\"\nthen = { alarm = \"x\", reason = \"stale\" }\n";
    let ran = tested(&[&passes, &fails, several, absent].concat(), more);
    assert_eq!(ran.code, 1, "{ran}");
    insta::assert_snapshot!(format!("policy-test-{name}"), ran.to_string());
}

#[rstest]
#[case::unknown_keys(
    "unknown-keys",
    "polcy = \"x\"\n[[case]]\nname = \"a\"\n[case.given]\nevnt = \"sns.json\"\n[case.then]\nresaon = \"stale\"\n"
)]
#[case::unknown_words(
    "unknown-words",
    "[[case]]\nname = \"a\"\n[case.given]\nevent = \"sns.json\"\n[case.then]\nreason = \"cooldown\"\ndecision = \"rezise\"\n\
     [[case]]\nname = \"b\"\n[case.given]\nevent = \"sns.json\"\n[case.then]\nreason = \"cooling\"\ncalls = [\"aws:PutMetricAlarms\"]\n"
)]
#[case::wrong_values(
    "wrong-values",
    "[[case]]\nname = \" \"\n[case.given]\nnow = \"yesterday\"\nevent = \"sns.json\"\n[case.then]\n\
     [[case]]\nname = \"b\"\n[case.given]\nalarm = { name = \"a\", target = \"churn\", metric = \"m\", value = 1, threshold = 2 }\n\
     [case.then]\ndecision = \"resize\"\nreason = \"stale\"\n\
     [[case]]\nname = \"c\"\n[case.given]\nevent = \"none.json\"\n[case.then]\nreason = \"stale\"\n\
     [[case]]\nname = \"d\"\ngiven = {}\nthen.reason = \"stale\"\n\
     [[case]]\nname = \"e\"\ngiven = { event = \"world.json\" }\nthen.reason = \"stale\"\n"
)]
#[case::no_repeat(
    "no-repeat",
    "[[case]]\nname = \"a\"\n[case.given.alarm]\nname = \"a\"\ntarget = \"endpoint/a/variant/b\"\nmetric = \"CPUUtilization\"\nvalue = 1\nthreshold = 2\ntransition = \"repeat\"\n[case.then]\nreason = \"stale\"\n"
)]
#[case::no_case("no-case", "policy = \"observe.toml\"\n")]
#[case::no_toml("no-toml", "policy =\n")]
#[case::no_policy(
    "no-policy",
    "policy = \"none.toml\"\n[[case]]\nname = \"a\"\ngiven.event = \"sns.json\"\nthen.reason = \"stale\"\n"
)]
#[case::broken_policy(
    "broken-policy",
    "policy = \"broken.toml\"\n[[case]]\nname = \"a\"\ngiven.event = \"sns.json\"\nthen.reason = \"stale\"\n"
)]
fn a_file_that_is_not_usable_is_reported_with_its_place(#[case] name: &str, #[case] cases: &str) {
    let ran = tested(cases, &[]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran}");
    insta::assert_snapshot!(format!("policy-test-{name}"), ran.to_string());
}

#[test]
fn errors_are_data_too() {
    let ran = tested("polcy = \"x\"\n", &["--format", "json"]);
    insta::assert_snapshot!("policy-test-error-json", ran.to_string());
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let ran = run(&["policy", "test", "none.test.toml"]);
    assert_eq!(ran.code, 2, "{ran}");
    assert!(ran.err.starts_with("error: test file `none.test.toml` cannot be read: "), "{ran}");
}

/// Every word that a hold's `reason` may be, from the text of the function.
#[test]
fn the_list_of_reasons_is_whole() {
    let source =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/decide/hold.rs")).unwrap();
    let (_, body) = source.split_once("pub fn reason(").unwrap();
    let (body, _) = body.split_once("\n    }\n").unwrap();
    let mut found: Vec<&str> = body.split('"').skip(1).step_by(2).collect();
    found.dedup();
    assert_eq!(found, REASONS);
}
