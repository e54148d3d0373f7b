//! The `stepladder` command as its user meets it: the real program, its output and its exit codes.

use std::fmt::{self, Write as _};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

const HIGH_CPU: &str = "events/oci/high-cpu.firing.json";
const CHURN: &str = "ocid1.datasciencemodeldeployment.oc1.iad.exampleuniqueidchurn";
const FIVE_SECONDS_LATER: &str = "2026-03-02T09:15:05Z";

/// A finished run.
pub(crate) struct Ran {
    args: String,
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.err, "", "data only");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in:\n{}", self.out))
    }

    /// The only outcome of `handle --format json`.
    fn outcome(&self) -> Value {
        let reply = self.json();
        let outcomes = reply["outcomes"].as_array().unwrap();
        assert_eq!(outcomes.len(), 1, "{reply}");
        outcomes[0].clone()
    }

    /// With the name of a temporary directory taken out.
    pub(crate) fn without(self, dir: &TempDir) -> Self {
        let clean = |text: &str| text.replace(dir.path().to_str().unwrap(), "[dir]");
        Self { args: clean(&self.args), out: clean(&self.out), err: clean(&self.err), ..self }
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ stepladder {}\n{}", self.args, self.out.trim_end_matches('\n'))?;
        if !self.err.is_empty() {
            writeln!(f, "[standard error]\n{}", self.err.trim_end_matches('\n'))?;
        }
        write!(f, "[exit {}]", self.code)
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program in an empty environment, at the top of the repository.
fn stepladder(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepladder"));
    command.args(args).env_clear().current_dir(root());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn run(args: &[&str]) -> Ran {
    ran(args, &mut stepladder(args), b"")
}

/// A run with something on its standard input.
pub(crate) fn run_with(args: &[&str], input: &[u8]) -> Ran {
    ran(args, &mut stepladder(args), input)
}

fn ran(args: &[&str], command: &mut Command, input: &[u8]) -> Ran {
    let mut child = command.spawn().unwrap();
    feed(&mut child, input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().expect("it ends by itself, not by a signal");
    let (out, err) = (text(output.stdout), text(output.stderr));
    for said in [&out, &err] {
        assert!(!said.contains('\u{1b}'), "colours belong on a terminal only: {said:?}");
        assert!(!said.contains("panicked"), "{said}");
    }
    Ran { args: args.join(" "), code, out, err }
}

/// The program may well stop reading before everything is written.
fn feed(child: &mut Child, input: &[u8]) {
    let _ = child.stdin.take().unwrap().write_all(input);
}

pub(crate) fn write(dir: &TempDir, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

#[rstest]
#[case::stepladder("")]
#[case::handle("handle")]
#[case::explain("explain")]
#[case::replay("replay")]
#[case::parse("parse")]
#[case::shapes("shapes")]
#[case::policy("policy")]
#[case::policy_check("policy check")]
#[case::policy_explain("policy explain")]
#[case::policy_schema("policy schema")]
#[case::provision("provision")]
#[case::teardown("teardown")]
fn help_lists_every_option(#[case] verb: &str) {
    let args: Vec<&str> = verb.split_whitespace().chain(["--help"]).collect();
    let name = format!("help {verb}").trim().replace(' ', "-");
    insta::assert_snapshot!(name, run(&args).to_string());
}

#[test]
fn without_arguments_help_is_printed_and_the_exit_code_is_2() {
    let ran = run(&[]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("Usage: stepladder <COMMAND>"), "{}", ran.err);
}

#[test]
fn the_version_is_that_of_the_package() {
    assert_eq!(run(&["--version"]).out, concat!("stepladder ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[rstest]
#[case::parse_text("parse_text", "parse events/oci/high-cpu.firing.json")]
#[case::parse_json("parse_json", "parse events/oci/high-cpu.firing.json --format json")]
#[case::parse_two_records("parse_two_records", "parse events/cloudwatch/sns.two-records.json")]
#[case::handle_text("handle_text", "handle events/oci/high-cpu.firing.json --now 2026-03-02T09:15:05Z")]
#[case::handle_json(
    "handle_json",
    "handle events/oci/high-cpu.firing.json --now 2026-03-02T09:15:05Z --format json"
)]
#[case::handle_two_alarms(
    "handle_two_alarms",
    "handle events/cloudwatch/sns.two-records.json --now 2026-03-02T09:19:00Z"
)]
#[case::handle_dry_run(
    "handle_dry_run",
    "handle events/oci/high-mem.firing.json --now 2026-03-02T09:30:00Z --dry-run"
)]
#[case::explain_resize(
    "explain_resize",
    "explain events/cloudwatch/sns.high-cpu.firing.json --now 2026-03-02T09:19:00Z"
)]
#[case::explain_hold("explain_hold", "explain events/oci/high-cpu.cleared.json --now 2026-03-02T09:56:00Z")]
#[case::explain_vertical(
    "explain_vertical",
    "explain events/cloudwatch/action.high-mem.firing.json --now 2026-03-02T09:19:00Z"
)]
#[case::shapes_text("shapes_text", "shapes VM.Standard2")]
#[case::shapes_by_shape("shapes_by_shape", "shapes ml.g5.xlarge")]
#[case::shapes_json("shapes_json", "shapes VM.Standard2.4 --format json")]
#[case::shapes_unknown("shapes_unknown", "shapes VM.Standrad2")]
#[case::save_without_world("save_without_world", "handle events/oci/high-cpu.firing.json --save")]
#[case::time_is_no_time("time_is_no_time", "handle events/oci/high-cpu.firing.json --now tomorrow")]
#[case::world_is_missing("world_is_missing", "handle events/oci/high-cpu.firing.json --world nowhere.json")]
#[case::world_is_no_world("world_is_no_world", "handle events/oci/high-cpu.firing.json --world Cargo.toml")]
#[case::world_without_the_target(
    "world_without_the_target",
    "handle events/oci/high-cpu.firing.json --world events/replay/world.json --now 2026-03-02T09:15:05Z"
)]
fn what_the_user_sees(#[case] name: &str, #[case] line: &str) {
    insta::assert_snapshot!(name, run(&line.split(' ').collect::<Vec<_>>()).to_string());
}

#[test]
fn the_destinations_of_notices_are_printed() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("policy.toml");
    let topic = "[[notify]]\nto = \"ocid1.onstopic.oc1.iad.exampleuniqueidpeople\"\n";
    let slack = "[[notify]]\nto = \"https://hooks.slack.com/services/secret\"\nform = \"slack\"\n";
    fs::write(&path, [topic, slack].concat()).unwrap();
    let more = ["--policy", path.to_str().unwrap(), "--now", FIVE_SECONDS_LATER];
    let printed = |verb: &[&str]| run(&[verb, &more].concat()).without(&dir).to_string();
    insta::assert_snapshot!("handle_told", printed(&["handle", HIGH_CPU]));
    insta::assert_snapshot!("explain_told", printed(&["explain", HIGH_CPU]));
}

#[test]
fn the_replay_prints_every_decision() {
    let ran = run(&replay().iter().map(String::as_str).collect::<Vec<_>>());
    let decisions: Vec<&str> = ran.out.lines().filter_map(|line| line.strip_prefix("  decision  ")).collect();
    let expected = [
        "resize instances: 1 × VM.Standard2.2 → 2 × VM.Standard2.2",
        "resize shape: 2 × VM.Standard2.2 → 2 × VM.Standard2.4",
        "hold: stale",
        "hold: at_ceiling",
        "resize instances: 2 × ml.m5.xlarge → 3 × ml.m5.xlarge",
        "resize instances: 2 × VM.Standard2.2 → 1 × VM.Standard2.2",
        "hold: at_floor",
        "hold: not_firing",
    ];
    assert_eq!(decisions, expected);
    insta::assert_snapshot!("replay", ran.to_string());
}

#[test]
fn the_replay_is_data_for_programs_too() {
    let args = replay().into_iter().chain(["--format".to_owned(), "json".to_owned()]).collect::<Vec<_>>();
    let reply = run(&args.iter().map(String::as_str).collect::<Vec<_>>()).json();
    let events = reply["events"].as_array().unwrap();
    assert_eq!(events.len(), 8, "{reply}");
    assert_eq!(events[0]["event"], "01-forecast-high-cpu.event.json");
    assert_eq!(events[0]["clock"], "2026-03-02T09:05:05Z");
    assert_eq!(events[0]["outcomes"][0]["result"], "applied");
    assert!(reply["world"]["deployments"].is_object(), "{reply}");
}

#[test]
fn a_payload_that_cannot_be_read_is_one_entry_of_a_replay() {
    let args = ["replay", "events/rejected/s3.json", HIGH_CPU, "--format", "json"];
    let ran = run(&args);
    let reply = ran.json();
    assert_eq!((ran.code, &reply["events"][0]["error"]["kind"]), (2, &json!("not_an_alarm")), "{ran}");
    assert_eq!(reply["events"][1]["outcomes"][0]["result"], "applied", "{ran}");
}

/// The arguments of `make run`; the shell sorts the files by name.
fn replay() -> Vec<String> {
    let files = fs::read_dir(root().join("events/replay")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut events: Vec<String> = names.filter(|name| name.ends_with(".event.json")).collect();
    events.sort();
    ["replay", "--world", "events/replay/world.json"]
        .into_iter()
        .map(str::to_owned)
        .chain(events.iter().map(|name| format!("events/replay/{name}")))
        .collect()
}

#[test]
fn the_replays_duplicate_is_the_very_same_message() {
    let read = |name: &str| fs::read(root().join("events/replay").join(name)).unwrap();
    assert_eq!(read("01-forecast-high-cpu.event.json"), read("03-forecast-high-cpu-again.event.json"));
}

/// Invalid events, each with a name and the kind of its error.
fn unusable(dir: &TempDir) -> Vec<(&'static str, String, &'static str)> {
    let deep = [b"[".repeat(10_000), b"]".repeat(10_000)].concat();
    let large = [b"{\"title\": \"".as_slice(), &b"x".repeat(2 * 1024 * 1024), b"\"}"].concat();
    vec![
        ("an empty file", write(dir, "empty.json", ""), "empty"),
        ("white space", write(dir, "blank.json", " \r\n\t"), "empty"),
        ("null", write(dir, "null.json", "null"), "not_an_alarm"),
        ("an empty array", write(dir, "array.json", "[]"), "not_an_alarm"),
        ("an empty object", write(dir, "object.json", "{}"), "not_an_alarm"),
        ("no JSON", write(dir, "text.json", "CPU is high"), "not_json"),
        ("half an alarm", write(dir, "half.json", "{\"title\": \"high"), "not_json"),
        ("an S3 event", "events/rejected/s3.json".to_owned(), "not_an_alarm"),
        ("10,000 levels", write(dir, "deep.json", deep), "too_deep"),
        ("invalid UTF-8", write(dir, "latin1.json", b"{\"title\": \"\xe9\"}"), "not_utf8"),
        ("2 MiB", write(dir, "large.json", large), "too_large"),
        ("a missing file", write_nothing(dir, "missing.json"), "unreadable_file"),
        ("a directory", dir.path().to_str().unwrap().to_owned(), "unreadable_file"),
    ]
}

fn write_nothing(dir: &TempDir, name: &str) -> String {
    dir.path().join(name).to_str().unwrap().to_owned()
}

#[test]
fn unusable_input_gets_one_clear_error() {
    let dir = TempDir::new().unwrap();
    let mut errors = String::new();
    for (what, path, _) in unusable(&dir) {
        let ran = run(&["parse", &path]).without(&dir);
        write!(errors, "{what}\n  {}", ran.err).unwrap();
    }
    insta::assert_snapshot!("unusable-input", errors);
}

#[rstest]
#[case::parse(&["parse"])]
#[case::handle(&["handle"])]
#[case::explain(&["explain"])]
fn unusable_input_ends_with_2_and_one_line_on_standard_error(#[case] verb: &[&str]) {
    let dir = TempDir::new().unwrap();
    for (what, path, _) in unusable(&dir) {
        let ran = run(&[verb, &[&path]].concat());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{what}: {ran}");
        assert_eq!(ran.err.lines().count(), 1, "{what}: {ran}");
        assert!(ran.err.starts_with("error: "), "{what}: {ran}");
    }
}

#[rstest]
#[case::parse(&["parse", "--format", "json"])]
#[case::handle(&["handle", "--format", "json"])]
fn unusable_input_is_an_error_object_for_programs(#[case] verb: &[&str]) {
    let dir = TempDir::new().unwrap();
    for (what, path, kind) in unusable(&dir) {
        let ran = run(&[verb, &[&path]].concat());
        assert_eq!(ran.code, 2, "{what}: {ran}");
        let reply = ran.json();
        assert_eq!(reply["error"]["kind"], kind, "{what}");
        let text = run(&["parse", &path]).err;
        assert_eq!(format!("error: {}\n", reply["error"]["message"].as_str().unwrap()), text, "{what}");
        assert_eq!(
            (reply.as_object().unwrap().len(), reply["error"].as_object().unwrap().len()),
            (1, 2),
            "{what}"
        );
    }
}

#[test]
fn an_alarm_that_names_no_target_is_unusable() {
    let mut event = high_cpu();
    event["alarmMetaData"][0]["query"] = json!("CpuUtilization[5m].mean() > 80");
    event["alarmMetaData"][0]["dimensions"] = json!([]);
    let args = ["handle", "-"];
    let ran = ran(&args, &mut stepladder(&args), event.to_string().as_bytes());
    insta::assert_snapshot!("no-target", ran.to_string());
}

#[test]
fn an_unreadable_record_does_not_affect_the_others() {
    let path = root().join("events/cloudwatch/sns.two-records.json");
    let mut event: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    event["Records"][1]["Sns"]["Message"] = json!("all is well");
    let args = ["handle", "-", "--now", "2026-03-02T09:19:00Z"];
    let text = ran(&args, &mut stepladder(&args), event.to_string().as_bytes());
    insta::assert_snapshot!("one-record-rejected", text.to_string());

    let args = [args.as_slice(), &["--format", "json"]].concat();
    let ran = ran(&args, &mut stepladder(&args), event.to_string().as_bytes());
    assert_eq!((ran.code, &ran.outcome()["result"]), (2, &json!("applied")), "{ran}");
    assert_eq!(ran.json()["rejected"][0]["kind"], "not_an_alarm", "{ran}");
}

fn high_cpu() -> Value {
    serde_json::from_slice(&fs::read(root().join(HIGH_CPU)).unwrap()).unwrap()
}

#[test]
fn an_event_is_read_from_standard_input() {
    let body = fs::read(root().join(HIGH_CPU)).unwrap();
    for verb in [["parse", "-"].as_slice(), &["handle", "--now", FIVE_SECONDS_LATER, "-"]] {
        let from_file: Vec<&str> = verb.iter().map(|arg| if *arg == "-" { HIGH_CPU } else { arg }).collect();
        let ran = ran(verb, &mut stepladder(verb), &body);
        assert_eq!((ran.code, ran.out), (0, run(&from_file).out));
    }
    let nothing = run(&["parse", "-"]);
    assert_eq!(nothing.code, 2, "{nothing}");
}

#[test]
fn an_alarms_name_cannot_forge_output() {
    let mut event = high_cpu();
    event["title"] = json!("x\u{1b}[2J\n  result    forged\nmodel_deployment_high_cpu");
    let body = event.to_string();
    for verb in [["parse", "-"].as_slice(), &["explain", "-"], &["replay", "-"], &["handle", "-"]] {
        // No escape sequence either: that is asserted of every run.
        let ran = ran(verb, &mut stepladder(verb), body.as_bytes());
        assert!(!ran.out.lines().any(|line| line.starts_with("  result    forged")), "{ran}");
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_panic() {
    let args = ["handle", "-"];
    let mut child = stepladder(&args).spawn().unwrap();
    // It has nothing to print before its input ends, so its reader is gone by then for certain.
    drop(child.stdout.take());
    feed(&mut child, &fs::read(root().join(HIGH_CPU)).unwrap());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn a_saved_world_remembers_the_first_delivery() {
    let dir = TempDir::new().unwrap();
    let world = write(&dir, "world.json", r#"{"furnish": true}"#);
    let deliver =
        |now: &str| run(&["handle", HIGH_CPU, "--world", &world, "--save", "--now", now, "--format", "json"]);
    let first = deliver(FIVE_SECONDS_LATER);
    assert_eq!((first.code, &first.outcome()["result"]), (0, &json!("applied")), "{first}");

    let soon = deliver("2026-03-02T09:16:00Z");
    assert_eq!(soon.outcome()["decision"], json!({ "kind": "hold", "reason": "busy" }), "{soon}");

    let late = deliver("2026-03-02T09:30:00Z");
    assert_eq!((late.code, &late.outcome()["result"]), (0, &json!("held")), "{late}");
    assert_eq!(late.outcome()["decision"], json!({ "kind": "hold", "reason": "stale" }), "{late}");
    assert_eq!(late.outcome()["observed"]["instances"], 2, "{late}");
    assert_eq!(late.outcome()["calls"], json!([]), "the pair exists already");

    let saved: Value = serde_json::from_slice(&fs::read(&world).unwrap()).unwrap();
    assert_eq!(saved["deployments"][CHURN]["instances"], 2, "{saved}");
}

#[test]
fn without_save_the_world_stays_as_it_is_and_so_it_does_on_unusable_input() {
    let dir = TempDir::new().unwrap();
    let written = r#"{"furnish": true}"#;
    let world = write(&dir, "world.json", written);
    assert_eq!(run(&["handle", HIGH_CPU, "--world", &world, "--now", FIVE_SECONDS_LATER]).code, 0);
    assert_eq!(run(&["handle", "events/rejected/s3.json", "--world", &world, "--save"]).code, 2);
    assert_eq!(fs::read_to_string(&world).unwrap(), written);
}

#[test]
fn a_dry_run_shows_the_calls_and_sends_none() {
    let dir = TempDir::new().unwrap();
    let world = write(&dir, "world.json", r#"{"furnish": true}"#);
    let wet = run(&["handle", HIGH_CPU, "--now", FIVE_SECONDS_LATER, "--format", "json"]);
    let args = ["handle", HIGH_CPU, "--now", FIVE_SECONDS_LATER, "--format", "json"];
    let dry = run(&[args.as_slice(), &["--dry-run", "--world", &world, "--save"]].concat());
    assert_eq!((dry.code, &dry.outcome()["result"]), (0, &json!("dry_run")), "{dry}");
    assert_eq!(dry.outcome()["decision"], wet.outcome()["decision"]);
    assert_eq!(calls(&dry, "call"), calls(&wet, "call"), "the same calls");
    assert_eq!(calls(&dry, "status"), ["dry_run", "dry_run"]);

    let saved: Value = serde_json::from_slice(&fs::read(&world).unwrap()).unwrap();
    assert_eq!(saved["deployments"][CHURN]["instances"], 1, "{saved}");
    assert_eq!(saved["deployments"][CHURN]["change"], Value::Null, "{saved}");
    assert_eq!(saved["created"], 0, "{saved}");
}

/// One field of each call of the only outcome.
fn calls(ran: &Ran, field: &str) -> Vec<String> {
    let outcome = ran.outcome();
    let calls = outcome["calls"].as_array().unwrap();
    calls.iter().map(|call| call[field].as_str().unwrap().to_owned()).collect()
}

/// Arguments for a cloud whose client may not be compiled in.
const ON_AWS: [&str; 4] = ["handle", HIGH_CPU, "--cloud", "aws"];

#[test]
fn an_absent_client_reports_how_to_build_it() {
    // Most test builds contain the client, so the error's text is compared with the snapshot in every build.
    let message = stepladder::platform::NotCompiled("aws").to_string();
    assert!(include_str!("snapshots/it__cli__cloud-not-compiled.snap").contains(&message), "{message}");
    if cfg!(not(feature = "aws")) {
        insta::assert_snapshot!("cloud-not-compiled", run(&ON_AWS).to_string());
    }
}

#[test]
fn a_world_belongs_to_the_simulated_cloud() {
    let with_world = run(&[ON_AWS.as_slice(), &["--world", "events/replay/world.json"]].concat());
    insta::assert_snapshot!("cloud-with-world", with_world.to_string());
}

#[rstest]
#[case::good(
    "good",
    "mode = \"observe\"\n\n[[rule]]\nalarm = \"payments-*\"\naxis = \"instances\"\nstep = 2\n\n\
     [[rule]]\nalarm = \"idle-*\"\naxis = \"instances\"\nstep = -1\n"
)]
#[case::empty("empty", "")]
#[case::unknown_key("unknown_key", "mode = \"act\"\n\n[defaults]\ninstanses = { min = 1, max = 3 }\n")]
#[case::unknown_key_in_pair(
    "unknown_key_in_pair",
    "[[rule]]\nalarm = \"x\"\naxis = \"instances\"\npair = { alarm = \"y\", metric = \"z\", below = 10, windw = \"5m\" }\n"
)]
#[case::unknown_value("unknown_value", "mode = \"perhaps\"\n")]
#[case::no_toml("no_toml", "[[rule]]\nalarm = \"x\"\naxis = \"instances\"\nstep = = 3\n")]
#[case::wrong_type("wrong_type", "[[rule]]\nalarm = 3\naxis = \"instances\"\n")]
#[case::missing_key("missing_key", "[[rule]]\nalarm = \"x\"\n")]
#[case::impossible_bounds(
    "impossible_bounds",
    "[[rule]]\nalarm = \"x\"\naxis = \"instances\"\ninstances = { min = 5, max = 3 }\n"
)]
fn a_policy_is_checked(#[case] name: &str, #[case] text: &str) {
    let dir = TempDir::new().unwrap();
    let path = write(&dir, "stepladder.toml", text);
    let ran = run(&["policy", "check", &path]).without(&dir);
    assert_eq!(ran.code == 0, ran.err.is_empty(), "{ran}");
    insta::assert_snapshot!(format!("policy-{name}"), ran.to_string());
}

#[test]
fn a_policy_that_is_no_file_is_unusable() {
    let dir = TempDir::new().unwrap();
    let missing = write_nothing(&dir, "missing.toml");
    for args in [
        ["policy", "check", &missing].as_slice(),
        &["handle", HIGH_CPU, "--policy", &missing],
        &["shapes", "--policy", &missing],
    ] {
        let ran = run(args).without(&dir);
        assert_eq!(ran.code, 2, "{ran}");
        assert_eq!(
            ran.err,
            "error: policy `[dir]/missing.toml` cannot be read: No such file or directory (os error 2)\n"
        );
    }
}

/// How the event ends with the policy that the environment names.
fn result_with(policy: &str, more: &[&str]) -> Value {
    let args =
        [["handle", HIGH_CPU, "--now", FIVE_SECONDS_LATER, "--format", "json"].as_slice(), more].concat();
    ran(&args, stepladder(&args).env("STEPLADDER_POLICY", policy), b"").outcome()["result"].clone()
}

#[test]
fn the_environment_names_the_policy_by_path_or_holds_it() {
    let dir = TempDir::new().unwrap();
    let path = write(&dir, "stepladder.toml", "mode = \"observe\"\n");
    assert_eq!(result_with(&path, &[]), "dry_run", "a path");
    assert_eq!(result_with("mode = \"observe\"", &[]), "dry_run", "the text itself");
    assert_eq!(result_with(" ", &[]), "applied", "nothing");

    let acting = write(&dir, "acting.toml", "mode = \"act\"\n");
    assert_eq!(result_with(&path, &["--policy", &acting]), "applied", "the option is stronger");
}

#[test]
fn the_environment_sets_the_mode_of_every_policy() {
    let args = ["handle", HIGH_CPU, "--now", FIVE_SECONDS_LATER, "--format", "json"];
    let result = |more: &[&str], mode: &str| {
        let args = [args.as_slice(), more].concat();
        ran(&args, stepladder(&args).env("STEPLADDER_MODE", mode), b"").outcome()["result"].clone()
    };
    let dir = TempDir::new().unwrap();
    let acting = write(&dir, "acting.toml", "mode = \"act\"\n");
    assert_eq!(result(&[], "observe"), "dry_run", "the built-in policy");
    assert_eq!(result(&["--policy", &acting], "observe"), "dry_run", "a file");
    assert_eq!(result(&["--policy", &acting], "act"), "applied");
    assert_eq!(result(&[], " "), "applied", "not set");

    let ran = ran(&args, stepladder(&args).env("STEPLADDER_MODE", "acts"), b"");
    let message = "`STEPLADDER_MODE` is `acts`: expected `observe` or `act`";
    assert_eq!((ran.code, ran.json()["error"]["message"].as_str()), (2, Some(message)));
}

#[test]
fn a_bad_policy_in_the_environment_is_named_by_its_variable() {
    let args = ["handle", HIGH_CPU, "--format", "json"];
    let ran = ran(&args, stepladder(&args).env("STEPLADDER_POLICY", "mode = \"perhaps\""), b"");
    let problem = "`mode`: unknown variant `perhaps`, expected `act` or `observe`";
    let message = format!("policy `STEPLADDER_POLICY` is not valid: line 1, column 8: {problem}");
    let place = json!({ "file": "STEPLADDER_POLICY", "line": 1, "column": 8, "message": problem });
    let error = json!({ "kind": "policy", "message": message, "problems": [place] });
    assert_eq!((ran.code, ran.json()), (2, json!({ "error": error })));
}

/// The messages of Oracle's guide, unchanged.
#[rstest]
#[case::cpu(
    "test-alarm-scale-cpu-up.json",
    json!({ "kind": "resize", "axis": "instances",
            "from": { "instances": 1, "shape": "VM.Standard2.2" }, "to": { "instances": 2, "shape": "VM.Standard2.2" } }),
    "create `model_deployment_low_cpu`: CpuUtilization[5m]"
)]
#[case::mem(
    "test-alarm-scale-mem-up.json",
    json!({ "kind": "resize", "axis": "shape",
            "from": { "instances": 1, "shape": "VM.Standard2.2" }, "to": { "instances": 1, "shape": "VM.Standard2.4" } }),
    "create `model_deployment_low_mem`: MemoryUtilization[5m]"
)]
fn the_guides_own_messages_scale_up(#[case] file: &str, #[case] decision: Value, #[case] pair: &str) {
    let path = shared().join("fixtures/oci").join(file);
    if !path.is_file() {
        println!("skipped: the guide's message {} is not here", path.display());
        return;
    }
    let ran = run(&["handle", path.to_str().unwrap(), "--now", "2022-07-08T22:45:05Z", "--format", "json"]);
    assert_eq!((ran.code, &ran.outcome()["result"]), (0, &json!("applied")), "{ran}");
    assert_eq!(ran.outcome()["decision"], decision);
    assert_eq!(calls(&ran, "call"), ["oci:CreateAlarm", "oci:UpdateModelDeployment"], "the pair first");
    assert!(calls(&ran, "detail")[0].starts_with(pair), "{ran}");
}

/// Where things lie that are not part of the repository.
#[expect(clippy::disallowed_methods, reason = "a variable names where the samples of a test are")]
fn shared() -> PathBuf {
    std::env::var_os("STEPLADDER_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from)
}

/// What cannot be read is refused, never taken for a variable that is not set.
#[cfg(unix)]
#[rstest]
#[case::a_path("STEPLADDER_POLICY", b"d\xff/p.toml")]
#[case::a_host("STEPLADDER_ONE_AT_A_TIME", b"\xff")]
fn a_variable_that_is_no_text_is_refused(#[case] name: &str, #[case] value: &[u8]) {
    use std::os::unix::ffi::OsStrExt as _;
    let args = ["policy", "check"];
    let mut command = stepladder(&args);
    command.env(name, std::ffi::OsStr::from_bytes(value));
    let ran = ran(&args, &mut command, b"");
    assert_eq!(ran.code, 2, "{ran}");
    assert!(ran.err.starts_with("error: "), "{ran}");
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_reported() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = stepladder(&["shapes"]).stdout(full).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.starts_with("error: standard output cannot be written: "), "{err}");
}
