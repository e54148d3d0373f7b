//! `stepladder init`: every policy that it writes is valid, raises no warning, and contains what its options set.

use std::fs;

use rstest::rstest;
use stepladder::platform;
use stepladder::policy::{ExplainRequest, Mode, Policy, Rule};
use stepladder::size::{Axis, Direction};
use stepladder::tags::Tags;
use tempfile::TempDir;

use crate::cli::{Ran, run, write};
use crate::support::at;

/// Metrics that a platform publishes.
const OF_AWS: [&str; 4] = ["cpu", "memory", "requests", "gpu"];
const OF_OCI: [&str; 5] = ["cpu", "memory", "requests", "gpu", "bandwidth"];

/// A run with a path in a temporary directory as its file.
fn initialized(dir: &TempDir, more: &str) -> Ran {
    let file = dir.path().join("new.toml");
    let args = ["init", file.to_str().unwrap()].into_iter().chain(more.split_whitespace());
    run(&args.collect::<Vec<_>>())
}

/// Every list of metrics, one for each number in bits.
fn subsets(metrics: &[&str]) -> Vec<String> {
    let chosen = |bits: usize| {
        let kept = metrics.iter().enumerate().filter(|(i, _)| bits >> i & 1 == 1);
        kept.map(|(_, metric)| *metric).collect::<Vec<_>>().join(",")
    };
    (1..1 << metrics.len()).map(chosen).collect()
}

/// The lines of a table that is a comment, as a policy has them.
fn uncommented(policy: &str) -> String {
    let Some((before, table)) = policy.split_once("\n# [oci]\n") else { return policy.to_owned() };
    let lines = table.lines().map(|line| line.trim_start_matches('#').trim_start());
    format!("{before}\n[oci]\n{}\n", lines.collect::<Vec<_>>().join("\n"))
}

#[rstest]
#[case::aws("aws", &OF_AWS)]
#[case::oci("oci", &OF_OCI)]
fn every_combination_is_valid_and_raises_no_warning(#[case] platform: &str, #[case] metrics: &[&str]) {
    for metrics in subsets(metrics) {
        for bounds in ["--min 1 --max 4", "--min 1 --max 1", "--min 2 --max 2", "--min 5 --max 50"] {
            for mode in ["observe", "act"] {
                let line = format!(
                    "init - --platform {platform} --metric {metrics} {bounds} --mode {mode} --target *"
                );
                let ran = run(&line.split(' ').collect::<Vec<_>>());
                assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran}");
                for text in [ran.out.clone(), uncommented(&ran.out)] {
                    let policy =
                        Policy::parse(&text).unwrap_or_else(|errors| panic!("{line}: {errors}\n{text}"));
                    assert_eq!(policy.warnings(), [""; 0], "{line}\n{text}");
                    assert_eq!(policy.rule_counts().0, metrics.split(',').count(), "{line}");
                    assert_eq!(policy.mode == Mode::Act, mode == "act", "{line}");
                }
            }
        }
    }
}

/// The names of alarms in the comments are those that the rules match: each metric once through the whole flow.
#[rstest]
#[case::aws("aws", "endpoint/churn/variant/AllTraffic", &[("cpu", "CPUUtilization", 350, 320), ("requests", "InvocationsPerInstance", 900, 700), ("gpu", "GPUUtilization", 90, 80), ("memory", "MemoryUtilization", 90, 80)])]
#[case::oci("oci", "ocid1.datasciencemodeldeployment.oc1.iad.example", &[("cpu", "CpuUtilization", 90, 80), ("requests", "PredictRequestCount", 18000, 15000), ("gpu", "GPUCoreUtilization", 90, 80), ("memory", "MemoryUtilization", 90, 80), ("bandwidth", "PredictBandwidth", 90, 80)])]
fn the_alarms_of_the_comments_scale(
    #[case] platform: &str,
    #[case] target: &str,
    #[case] metrics: &[(&str, &str, u32, u32)],
) {
    let dir = TempDir::new().unwrap();
    let words: Vec<&str> = metrics.iter().map(|(word, ..)| *word).collect();
    let ran = initialized(&dir, &format!("--platform {platform} --metric {} --yes", words.join(",")));
    assert_eq!(ran.code, 0, "{ran}");
    let case = |(word, metric, value, threshold): &(&str, &str, u32, u32)| {
        let name = if *word == "memory" { "mem" } else { word };
        format!(
            "[[case]]\nname = \"{word}\"\n[case.given]\nalarm = {{ name = \"churn-high_{name}\", target = \"{target}\", \
             metric = \"{metric}\", value = {value}, threshold = {threshold} }}\n[case.then]\ndecision = \
             \"resize\"\nresult = \"dry_run\"\n"
        )
    };
    let cases: String = metrics.iter().map(case).collect();
    let cases = write(&dir, "cases.toml", format!("policy = \"new.toml\"\n{cases}"));
    let ran = run(&["policy", "test", &cases]);
    assert_eq!(ran.code, 0, "{ran}");
}

/// Its rules answer every alarm that a built-in rule would add capacity for: template.yaml's own, the defaults of
/// `provision`, and all usual spellings.
#[rstest]
#[case::aws("aws", "endpoint/churn/variant/AllTraffic", "cpu,memory")]
#[case::oci("oci", "ocid1.datasciencemodeldeployment.oc1.iad.example", "cpu,memory,bandwidth")]
fn no_built_in_rule_answers_in_its_place(
    #[case] platform: &str,
    #[case] target: &str,
    #[case] metrics: &str,
) {
    let written = run(&["init", "-", "--platform", platform, "--metric", metrics, "--yes"]);
    let policy = Policy::parse(&written.out).unwrap();
    let target = platform::target_id(target).unwrap();
    let (now, tags) = (at(0), Tags::new());
    let built_in = Policy::built_in().unwrap();
    let built_in = built_in.explain(&ExplainRequest { target: &target, now, tags: &tags }, None).rules;
    let has_axis = |rule: &&Rule| rule.axis != Axis::Bandwidth || metrics.contains("bandwidth");
    let adds = |rule: &&Rule| rule.scaling_policy.direction() == Some(Direction::Up) && has_axis(rule);
    let rules: Vec<&Rule> = built_in.iter().map(|rule| &*rule.matched.rule).filter(adds).collect();
    for rule in rules {
        for glob in rule.alarms() {
            let name = glob.replacen('*', "churn-", 1).replace('*', "");
            let matched = policy.rule_for(&name, &target).unwrap();
            assert_ne!(matched.rule.origin, "built-in rule", "{name}");
            assert_eq!(matched.rule.axis, rule.axis, "{name}");
        }
    }
}

#[rstest]
#[case::defaults("init-defaults", "")]
#[case::oci("init-oci", "--platform oci --metric cpu,requests --min 2 --max 6 --yes")]
#[case::act("init-act", "--platform aws --metric memory --max 2 --target endpoint/shop-* --mode act")]
fn what_is_written(#[case] name: &str, #[case] more: &str) {
    let dir = TempDir::new().unwrap();
    let ran = initialized(&dir, more);
    assert_eq!(ran.code, 0, "{ran}");
    let text = fs::read_to_string(dir.path().join("new.toml")).unwrap();
    insta::assert_snapshot!(name, format!("{}\n\n{text}", ran.without(&dir)));
}

#[test]
fn help() {
    insta::assert_snapshot!("help-init", run(&["init", "--help"]).to_string());
}

#[test]
fn a_file_is_overwritten_only_by_force() {
    let dir = TempDir::new().unwrap();
    let file = write(&dir, "new.toml", "mine");
    let refused = initialized(&dir, "--yes");
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    insta::assert_snapshot!("init-exists", refused.without(&dir).to_string());
    let forced = initialized(&dir, "--yes --force");
    assert_eq!(forced.code, 0, "{forced}");
    assert!(Policy::parse(&fs::read_to_string(&file).unwrap()).is_ok());
}

#[rstest]
#[case::metric("init-metric", "--platform aws --metric cpu,bandwidth --min 1 --max 2 --target *")]
#[case::bounds("init-bounds", "--platform aws --metric cpu --min 5 --max 2 --target *")]
#[case::no_minimum("init-no-minimum", "--platform aws --metric cpu --min 0 --max 2 --target *")]
#[case::unknown_metric("init-unknown-metric", "--metric disk")]
fn options_that_make_no_policy_write_nothing(#[case] name: &str, #[case] more: &str) {
    let dir = TempDir::new().unwrap();
    let ran = initialized(&dir, more);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran}");
    assert!(!dir.path().join("new.toml").exists());
    insta::assert_snapshot!(name, ran.without(&dir).to_string());
}

/// A glob with quotes is still one text, and one that matches nothing is warned of, as by `policy check`.
#[rstest]
#[case::quoted("endpoint/\"x\"/*", "")]
#[case::nothing("churn", "warning: ")]
fn a_target_is_taken_as_it_is(#[case] target: &str, #[case] warning: &str) {
    let ran = run(&[
        "init",
        "-",
        "--platform",
        "aws",
        "--metric",
        "cpu",
        "--min",
        "1",
        "--max",
        "2",
        "--target",
        target,
    ]);
    assert_eq!(ran.code, 0, "{ran}");
    assert!(ran.err.starts_with(warning) || warning.is_empty(), "{ran}");
    assert!(Policy::parse(&ran.out).is_ok(), "{ran}");
}

#[test]
fn a_directory_that_is_not_there_is_a_failure() {
    let ran = run(&["init", "none/stepladder.toml", "--yes"]);
    assert_eq!(ran.code, 1, "{ran}");
    assert!(ran.err.contains("policy `none/stepladder.toml` cannot be written: "), "{ran}");
}

/// What is written after these answers on a terminal, and what the terminal shows.
///
/// Each answer is typed when its question is there, or else the terminal would show it in the midst of the question.
#[cfg(unix)]
fn answered(more: &[&str], answers: &[&str]) -> (String, Option<String>) {
    use std::io::{Read as _, Write as _};

    let dir = TempDir::new().unwrap();
    let (mut terminal, other_end) = pty_process::blocking::open().unwrap();
    let command = pty_process::blocking::Command::new(env!("CARGO_BIN_EXE_stepladder"));
    let command = command.args(["init", "new.toml"]).args(more).env_clear().current_dir(dir.path());
    let mut child = command.spawn(other_end).unwrap();
    let (mut shown, mut part, mut answers) = (Vec::new(), [0; 256], answers.iter());
    // Linux reports the end of the program as an error.
    while let Ok(read @ 1..) = terminal.read(&mut part) {
        shown.extend_from_slice(&part[..read]);
        if let Some(answer) = shown.ends_with(b"] ").then(|| answers.next()).flatten() {
            terminal.write_all(answer.as_bytes()).unwrap();
        }
    }
    child.wait().unwrap();
    let shown = String::from_utf8(shown).unwrap().replace("\r\n", "\n");
    (shown, fs::read_to_string(dir.path().join("new.toml")).ok())
}

#[cfg(unix)]
#[test]
fn on_a_terminal_it_asks_for_what_no_option_sets() {
    let (shown, written) =
        answered(&["--max", "6"], &["azure\n", "oci\n", "cpu, bandwidth\n", "0\n", "2\n", "\n"]);
    let questions = [
        "Platform: aws or oci [aws] ",
        "expected `aws` or `oci`, found `azure`\n",
        "Metrics of your alarms: cpu, memory, requests, gpu, bandwidth [cpu,memory] ",
        "Fewest instances [1] ",
        "expected a whole number from 1, found `0`\n",
        "Deployments that may change, as a glob [ocid1.datasciencemodeldeployment.*] ",
        "`new.toml` is written: cpu, bandwidth; 2 to 6 instances",
    ];
    let mut rest = shown.as_str();
    for question in questions {
        let (_, after) = rest.split_once(question).unwrap_or_else(|| panic!("`{question}` in {shown}"));
        rest = after;
    }
    assert!(!shown.contains("Most instances"), "{shown}");
    assert!(written.unwrap().contains("instances = { min = 2, max = 6 }"));
}

#[cfg(unix)]
#[test]
fn empty_answers_take_the_defaults_and_yes_asks_nothing() {
    let (_, asked) = answered(&[], &["\n"; 5]);
    let (shown, unasked) = answered(&["--yes"], &[]);
    assert!(asked.is_some() && asked == unasked, "{shown}");
    assert!(!shown.contains('['), "{shown}");
}

/// Control and D: the end of the input.
#[cfg(unix)]
#[test]
fn the_end_of_the_answers_takes_the_defaults() {
    let (shown, written) = answered(&["--platform", "aws"], &["\u{4}"; 4]);
    assert!(written.is_some(), "{shown}");
}
