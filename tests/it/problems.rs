//! Everything that is wrong with a policy: all of it at once, in file order, each with its column and a caret.

use rstest::rstest;
use serde_json::{Value, json};
use stepladder::policy::{Policy, Style};
use tempfile::TempDir;

use crate::cli::{run, write};

/// A problem of each kind, each on a line of its own.
const MANY: &str = r#"mode = "act"
mod = "observe"
accounts = [
  "111122223333",
  "12",
]

[defaults]
scale_up_threshold = -1
min_savings = -2

[[rule]]
alarm = "a"
axis = "instances"
steps = [
  { above = 0, below = 20, add = 1 },
  { above = 20, add = "x%" },
  { above = 30, add = 1001 },
]

[[rule]]
alarm = "b"
axis = 3
step = "x"

[[rule]]
alarm = "c"
axis = "instances"
step = 0
pair = { alarm = "x y", metric = "CpuUtilization", below = 10, window = "90s" }

[[ladder]]
name = "x"
rungs = [
  { shape = "a", vcpus = 0, memory_gib = 1 },
  { shape = "a", vcpus = 1, memory_gib = 1 },
]

[[notify]]
to = "hooks.example/SECRET"

[oci]
compartment = "x"
deployments = ["ocid1.datasciencemodeldeployment.oc1.iad.x"]
function = "ocid1.fnfunc.oc1.iad.x"
[[oci.alarm]]
name = "p"
metric = "CpuUtilization"
[[oci.alarm]]
name = "q"
metric = "CpuUtilisation"
scale_up_threshold = 3
"#;

/// The lines and columns of a policy's problems.
fn places(text: &str) -> Vec<(usize, usize)> {
    let errors = Policy::parse(text).unwrap_err();
    errors.problems().iter().map(|problem| (problem.line, problem.column)).collect()
}

fn shown(text: &str) -> String {
    Policy::parse(text).unwrap_err().with_snippets("policy.toml", Style::Plain)
}

#[test]
fn all_are_reported_in_the_order_of_the_file() {
    insta::assert_snapshot!("problems-many", shown(MANY));
    let places = places(MANY);
    assert!(places.is_sorted(), "{places:?}");
    assert_eq!(places.len(), Policy::parse(MANY).unwrap_err().to_string().lines().count());
}

#[test]
fn rules_are_compared_once_each_of_them_is_right() {
    let two = r#"[[rule]]
alarm = "low"
axis = "instances"
pair = { alarm = "low", metric = "CpuUtilization", below = 10, window = "5m" }
[[rule]]
alarm = "b"
axis = "instances"
pair = { alarm = "calm", metric = "CpuUtilization", below = 70, window = "5m" }
"#;
    insta::assert_snapshot!("problems-between-rules", shown(two));
    assert_eq!(places(&two.replace("below = 10", "below = -10")), [(4, 60)]);
}

#[rstest]
#[case::letters_of_two_bytes(
    "letters_of_two_bytes",
    "[[rule]]\nalarm = \"ü\"\naxis = \"instances\"\nsteps = [{ above = 0, add = \"é%\" }]"
)]
#[case::a_comment_before("a_comment_before", "# é\u{1F600}\nmode = \"act\"\nkey = 1")]
#[case::returns("returns", "mode = \"act\"\r\n[defaults]\r\nmin_savings = -2\r\n")]
#[case::tabs("tabs", "[defaults]\n\tmin_savings\t= -2")]
#[case::a_value_of_several_lines("a_value_of_several_lines", "[defaults]\ninstances = [\n  1,\n  2,\n]")]
#[case::a_table_without_a_key("a_table_without_a_key", "\n[[rule]]\nalarm = \"a\"")]
#[case::a_threshold_of_a_table(
    "a_threshold_of_a_table",
    "[oci]\ncompartment = \"ocid1.compartment.oc1..x\"\nfunction = \"ocid1.fnfunc.oc1.iad.x\"\n\
     deployments = [\"ocid1.datasciencemodeldeployment.oc1.iad.x\"]\n\
     [[oci.alarm]]\nname = \"model_deployment_high_cpu\"\nmetric = \"CpuUtilization\"\nscale_up_threshold = 12"
)]
#[case::an_address(
    "an_address",
    "[[notify]]\nto = \"http://hooks.example/SECRET?key=SECRET\"\nform = \"slak\""
)]
// Nothing after a syntax error can be trusted.
#[case::a_syntax_error("a_syntax_error", "mod = 1\nmode = \"act\" x\n[defaults]\nmin_savings = -2")]
#[case::a_key_twice("a_key_twice", "mod = 1\n[defaults]\nmin_savings = -2\nmin_savings = -3")]
fn a_caret_is_under_the_place(#[case] name: &str, #[case] text: &str) {
    insta::assert_snapshot!(format!("problems-{name}"), shown(text));
    assert!(!shown(text).contains("SECRET"), "{}", shown(text));
    assert!(!format!("{:?}", Policy::parse(text)).contains("SECRET"), "{name}");
}

#[rstest]
#[case::letters_of_two_bytes("# é\nmode = \"äöü\" # é", &[(2, 8)])]
#[case::behind_letters_of_two_bytes("[[rule]]\nalarm = \"é\"\naxis = \"shape\"\npair = { alarm = \"é é\", metric = \"é\", below = 1, window = \"5m\" }", &[(4, 18), (4, 34)])]
#[case::returns("mode = \"act\"\r\nmod = 1\r\nmood = 2\r\n", &[(2, 1), (3, 1)])]
#[case::tabs("\tmod = 1\n\t\tmood = 2", &[(1, 2), (2, 3)])]
#[case::two_types("[[rule]]\nalarm = 1\naxis = 2", &[(2, 9), (3, 8)])]
#[case::two_words("mode = \"x\"\n[defaults]\nevidence = \"x\"", &[(1, 8), (3, 12)])]
// A misspelled key is not missing besides.
#[case::misspelled("[[rule]]\nalarm = \"a\"\naxsi = \"shape\"", &[(3, 1)])]
#[case::missing_besides("[[rule]]\nalarm = \"a\"\nqqq = \"shape\"", &[(1, 1), (3, 1)])]
// A table that could not be read whole is not checked.
#[case::incomplete("[[rule]]\nalarm = \"a\"\naxis = \"instances\"\nsteps = 2\nmin_step = 3", &[(4, 9)])]
// An element that could not be read leaves the numbers of the others as they are.
#[case::numbers("[[rule]]\n[[rule]]\nalarm = \"a\"\naxis = \"instances\"\nstep = 0", &[(1, 1), (5, 8)])]
fn every_place_is_reported(#[case] text: &str, #[case] expected: &[(usize, usize)]) {
    assert_eq!(places(text), expected, "{}", shown(text));
}

#[test]
fn an_element_keeps_its_number_behind_one_that_cannot_be_read() {
    let text = "[[rule]]\n[[rule]]\nalarm = \"a\"\naxis = \"instances\"\nstep = 0";
    assert!(Policy::parse(text).unwrap_err().to_string().contains("rule 2 of the policy: `step = 0`"));
    let text = "[[ladder]]\nname = 1\n[[ladder]]\nname = \"x\"\nrungs = [{ shape = \"a\", vcpus = 1, memory_gib = 1 }]";
    assert_eq!(places(text), [(2, 8)]);
}

#[test]
fn a_file_of_another_kind_is_given_up() {
    let text = (0..500).map(|i| format!("key{i} = {i}\n")).collect::<Vec<_>>().concat();
    let count = places(&text).len();
    assert!((100..=102).contains(&count), "{count}");
}

#[rstest]
#[case::accounts("accounts = [\"https://hooks.example/SECRET\"]")]
#[case::pair(
    "[[rule]]\nalarm = \"a\"\naxis = \"instances\"\npair = { alarm = \"b\", metric = \"CpuUtilization\", below = 1, window = \"https://hooks.example/SECRET\" }"
)]
#[case::cooldown("[defaults]\ncooldown = { up = \"https://hooks.example/SECRET\" }")]
#[case::shape("[[flex]]\nshape = \"https://hooks.example/SECRET\"\nocpus = { min = 1, max = 2 }")]
#[case::cron("[[schedule]]\ncron = \"https://hooks.example/SECRET\"\nfor = \"1h\"\nmin = 1")]
#[case::compartment("[oci]\ncompartment = \"https://hooks.example/SECRET\"")]
fn an_address_at_any_place_is_shown_up_to_its_host(#[case] text: &str) {
    let errors = Policy::parse(text).unwrap_err();
    for shown in [errors.to_string(), errors.in_one_line(), shown(text)] {
        assert!(!shown.contains("SECRET"), "{shown}");
    }
}

#[test]
fn a_value_without_end_is_not_repeated_whole() {
    let text = format!("mode = \"{}\"", "é".repeat(500_000));
    let message = Policy::parse(&text).unwrap_err().to_string();
    assert!(message.chars().count() < 1100, "{}", message.chars().count());
    assert!(message.starts_with("line 1, column 8: ") && message.ends_with("expected `act` or `observe`"));
}

#[test]
fn the_mark_of_the_byte_order_is_no_column() {
    assert_eq!(places("\u{feff}mod = 1"), [(1, 1)]);
}

#[test]
fn problems_that_are_left_out_are_announced() {
    let text = (0..500).map(|i| format!("key{i} = {i}\n")).collect::<Vec<_>>().concat();
    let message = Policy::parse(&text).unwrap_err().to_string();
    assert!(
        message.ends_with("there may be more problems: these are the first that were found"),
        "{message}"
    );
}

#[test]
fn the_command_prints_all_of_them() {
    let dir = TempDir::new().unwrap();
    let path = write(&dir, "policy.toml", "mod = 1\n[defaults]\nmin_savings = -2\n");
    insta::assert_snapshot!("problems-check", run(&["policy", "check", &path]).without(&dir).to_string());
    let ran = run(&["policy", "check", &path, "--format", "json"]);
    let problem = |line: u32, column: u32, message: &str| json!({ "file": path, "line": line, "column": column, "message": message });
    let problems: &Value = &ran.json()["error"]["problems"];
    assert_eq!(problems[1], problem(3, 15, "defaults: `min_savings = -2`: expected 0 or more"), "{ran}");
    assert_eq!((problems[0]["line"].as_u64(), problems[0]["column"].as_u64()), (Some(1), Some(1)), "{ran}");
    assert_eq!(problems.as_array().unwrap().len(), 2, "{ran}");
    let message = ran.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("line 3, column 15: defaults: ") && !message.contains('\n'), "{message}");
}
