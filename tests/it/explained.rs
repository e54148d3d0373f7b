//! `stepladder policy` and `stepladder explain`: what is effective and where it is set, what blocks a change, and what
//! it costs.

use std::fs;

use rstest::rstest;
use serde_json::{Value, json};
use stepladder::policy::Policy;
use tempfile::TempDir;

use crate::cli::{Ran, run, write};

const VARIANT: &str = "endpoint/churn/variant/AllTraffic";
const CHURN: &str = "ocid1.datasciencemodeldeployment.oc1.iad.exampleuniqueidchurn";

/// One of each kind of setting.
const POLICY: &str = r#"#:schema ./policy.schema.json
targets = ["endpoint/churn/*", "ocid1.*"]

[defaults]
instances = { min = 1, max = 8 }

[[rule]]
alarm    = ["*-busy", "*_busy"]
target   = "endpoint/*"
axis     = "instances"
steps    = [{ below = 20, add = 1 }, { above = 20, below = 40, add = "30%" }, { above = 40, add = 4 }]
min_step = 2
cooldown = { up = "60s" }
pair     = { alarm = "calm", metric = "CpuUtilization", below = 20, window = "10m" }

[[rule]]
alarm = "*-full"
axis  = "cheapest"
pair  = { alarm = "idle", metric = "CpuUtilization", below = 20, window = "10m" }

[[target]]
target          = "endpoint/churn/*"
instances       = { min = 2, max = 12 }
max_hourly_cost = 3.5

[[schedule]]
cron = "0 8 * * *"
zone = "Europe/Berlin"
for  = "10h"
min  = 4
"#;

fn explained(dir: &TempDir, line: &str) -> Ran {
    let policy = write(dir, "policy.toml", POLICY);
    let args: Vec<&str> =
        ["policy", "explain", "--policy", &policy].into_iter().chain(line.split(' ')).collect();
    run(&args)
}

/// A line in which a blank separates the arguments.
fn shown(line: &str) -> String {
    let dir = TempDir::new().unwrap();
    explained(&dir, line).without(&dir).to_string()
}

/// On the day on which clocks go forward, half an hour after the schedule has begun.
#[rstest]
#[case::own("own", &format!("{VARIANT} --alarm churn-busy --at 2026-03-29T06:30:00Z --tag stepladder:min=5"))]
#[case::json(
    "json",
    &format!("{VARIANT} --alarm churn-busy --at 2026-03-29T06:30:00Z --tag stepladder:min=5 --format json")
)]
#[case::taken_back(
    "taken-back",
    &format!("{VARIANT} --alarm stepladder/{VARIANT}/idle --at 2026-03-28T06:30:00Z --tag stepladder:pause=all")
)]
#[case::every_rule("every-rule", &format!("{CHURN} --at 2026-03-28T06:30:00Z"))]
#[case::left_out("left-out", "endpoint/other/variant/a --alarm nobodys --at 2026-03-28T06:30:00Z")]
#[case::unreadable("unreadable", &format!("{VARIANT} --alarm x-full --tag stepladder:maxx=3 --at 2026-03-28T06:30:00Z"))]
#[case::floor_above_ceiling(
    "floor-above-ceiling",
    &format!("{VARIANT} --alarm x-full --tag stepladder:max=3 --at 2026-03-29T06:30:00Z")
)]
#[case::no_target("no-target", "churn")]
#[case::no_target_json("no-target-json", "endpoint/churn --format json")]
#[case::no_tag("no-tag", &format!("{VARIANT} --tag min=3"))]
fn effective_settings_are_shown(#[case] name: &str, #[case] line: &str) {
    insta::assert_snapshot!(format!("policy-explain-{name}"), shown(line));
}

/// A target of one platform is explained without what only the other one has.
#[test]
fn what_another_platform_has_is_not_shown() {
    let of =
        |target: &str, more: &[&str]| run(&[["policy", "explain", target].as_slice(), more].concat()).out;
    let of_variant = of(VARIANT, &[]) + &of(VARIANT, &["--format", "json"]);
    for word in ["CpuUtilization", "PredictBandwidth", "bandwidth", "again every", "\"repeat\": \"5m\""] {
        assert!(!of_variant.contains(word), "{word} in {of_variant}");
    }
    assert!(of_variant.contains("CPUUtilization below 10 over 5m: instances -1"), "{of_variant}");
    let of_deployment = of(CHURN, &[]);
    for words in
        ["CpuUtilization below 10 over 5m, again every 5m", "PredictBandwidth", "bandwidth            "]
    {
        assert!(of_deployment.contains(words), "{words} in {of_deployment}");
    }
    // A rule of the policy is shown, so that its author learns that it does nothing there.
    let dir = TempDir::new().unwrap();
    let policy = write(&dir, "policy.toml", "[[rule]]\nalarm = \"*wide\"\naxis = \"bandwidth\"");
    let own = of(VARIANT, &["--policy", &policy]);
    assert!(own.contains("changes              nothing: a target of this kind has no bandwidth"), "{own}");
}

#[rstest]
// eight in the morning in Berlin: by UTC seven in winter, and six in summer
#[case::winter("2026-03-28T06:30:00Z", "2", "`[[target]]` 1, `endpoint/churn/*`")]
#[case::summer("2026-03-29T06:30:00Z", "4", "`[[schedule]]` 1, until 2026-03-29T16:00:00Z")]
fn a_schedule_keeps_to_the_clock_on_the_wall(#[case] at: &str, #[case] min: &str, #[case] by: &str) {
    let dir = TempDir::new().unwrap();
    let explained = explained(&dir, &format!("{VARIANT} --alarm churn-busy --format json --at {at}")).json();
    let setting = &explained["rules"][0]["settings"][0];
    assert_eq!(
        (&setting["key"], &setting["value"], &setting["by"]),
        (&json!("instances.min"), &json!(min), &json!(by))
    );
    assert_eq!(explained["schedules"].as_array().unwrap().len(), usize::from(min == "4"));
}

#[rstest]
// of a variant's own tag, and of its endpoint's
#[case::variants_own(
    "",
    "stepladder:min/AllTraffic=3",
    "instances.min        3                            the deployment's tag `stepladder:min/AllTraffic`, instead of 1"
)]
#[case::endpoints("", "stepladder:min=3", "the deployment's tag `stepladder:min`, instead of 1")]
#[case::pause(
    "",
    "stepladder:pause/AllTraffic=up",
    "scaling is paused by the tag `stepladder:pause/AllTraffic = up`"
)]
#[case::unreadable("", "stepladder:min/AllTraffic=x", "its tag `stepladder:min/AllTraffic` cannot be read")]
// shown as it is written, though its hundredth is no binary fraction
#[case::headroom("[defaults]\nheadroom = \"29%\"\n", "stepladder:max=9", "headroom             29%  ")]
#[case::seven("[defaults]\nheadroom = \"7%\"\n", "stepladder:max=9", "headroom             7%  ")]
#[case::fraction("[defaults]\nheadroom = \"12.5%\"\n", "stepladder:max=9", "headroom             12.5%  ")]
// what follows without a gap
#[case::hourly(
    "[[schedule]]\ncron = \"0 6-8 * * *\"\nfor = \"2h\"\nmin = 4\n",
    "stepladder:max=9",
    "`[[schedule]]` 1 is active until 2026-03-28T10:00:00Z: at least 4"
)]
#[case::always(
    "[[schedule]]\ncron = \"0 * * * *\"\nfor = \"2h\"\nmin = 4\n",
    "stepladder:max=9",
    "instances.min        4                            `[[schedule]]` 1, for more than a year"
)]
// a policy that sets nothing does not set the mode either
#[case::nobody("", "stepladder:max=9", "mode                 act                          built-in default")]
#[case::somebody(
    "mode = \"act\"\n",
    "stepladder:max=9",
    "mode                 act                          the policy's `mode`"
)]
fn what_is_shown_is_so(#[case] policy: &str, #[case] tag: &str, #[case] line: &str) {
    let dir = TempDir::new().unwrap();
    let policy = write(&dir, "policy.toml", policy);
    let at = ["--at", "2026-03-28T06:30:00Z", "--alarm", "model_deployment_high_cpu", "--tag", tag];
    let ran = run(&[["policy", "explain", VARIANT, "--policy", &policy].as_slice(), &at].concat());
    assert!(ran.out.contains(line), "{line}\n{ran}");
}

const SHADOWED: &str = "[[rule]]\nalarm = \"*busy*\"\naxis = \"instances\"\n\n[[rule]]\nalarm = [\"*busy*\"]\naxis = \"shape\"\n";

#[rstest]
#[case::well("well", POLICY, &[])]
#[case::well_json("well-json", POLICY, &["--format", "json"])]
#[case::shadowed("shadowed", SHADOWED, &[])]
#[case::shadowed_json("shadowed-json", SHADOWED, &["--format", "json"])]
#[case::denied("denied", SHADOWED, &["--deny", "warnings"])]
#[case::denied_json("denied-json", SHADOWED, &["--deny", "warnings", "--format", "json"])]
#[case::denied_without_any("denied-without-any", POLICY, &["--deny", "warnings"])]
#[case::misspelt("misspelt", "mode = \"act\"\n\n[[rule]]\nalarm = \"a\"\naxis = \"shape\"\ncooldwon = { up = \"1m\" }\n", &[])]
#[case::misspelt_json("misspelt-json", "[defaults]\ninstanses = { min = 1, max = 2 }\n", &["--format", "json"])]
#[case::wrong("wrong", "[[rule]]\nalarm = \"a\"\naxis = \"instances\"\nsteps = [\n  { above = 0, below = 5, add = 1 },\n  { above = 9, add = 2 },\n]\n", &[])]
fn a_policy_is_checked(#[case] name: &str, #[case] policy: &str, #[case] more: &[&str]) {
    let dir = TempDir::new().unwrap();
    let file = write(&dir, "policy.toml", policy);
    let args: Vec<&str> = ["policy", "check", &file].iter().chain(more).copied().collect();
    insta::assert_snapshot!(format!("policy-check-{name}"), run(&args).without(&dir).to_string());
}

/// The mode of a `[[target]]` wins over the policy's, so the check names it.
#[rstest]
#[case::act("", "valid: mode `act`, 0 rules")]
#[case::observe("mode = \"observe\"\n", "valid: mode `observe`, which sends no call, 0 rules")]
#[case::one_acts(
    "mode = \"observe\"\n[[target]]\ntarget = \"endpoint/a/*\"\nmode = \"act\"\n",
    "valid: mode `observe`, except for 1 `[[target]]`, which acts, 0 rules"
)]
#[case::two_act(
    "mode = \"observe\"\n[[target]]\ntarget = \"endpoint/a/*\"\nmode = \"act\"\n[[target]]\ntarget = \"endpoint/b/*\"\nmode = \"act\"\n",
    "valid: mode `observe`, except for 2 `[[target]]`, which act, 0 rules"
)]
#[case::one_observes(
    "[[target]]\ntarget = \"endpoint/a/*\"\nmode = \"observe\"\n[[target]]\ntarget = \"*\"\nmode = \"act\"\n",
    "valid: mode `act`, except for 1 `[[target]]`, which observes, 0 rules"
)]
fn a_check_names_the_mode_of_every_target(#[case] policy: &str, #[case] expected: &str) {
    let dir = TempDir::new().unwrap();
    let ran = run(&["policy", "check", &write(&dir, "policy.toml", policy)]);
    assert!(ran.out.contains(expected), "{ran}");
}

/// No text of a policy moves the cursor, rings a bell, or forges another line; the program's own lines stay.
#[rstest]
#[case::mode("mode = \"a\\u001b[31mred\\u0007\"\n", "check", r"`a\u{1b}[31mred\u{7}`")]
#[case::pair(&paired("").replace("\"x\"", "\"a/\\u001b\""), "check", r#"`pair.alarm = "a/\u{1b}"`"#)]
#[case::zone(&schedule("cron = \"0 8 * * *\"\nmin = 2\nzone = \"\\u001b\""), "check", r#"`zone = "\u{1b}"`"#)]
#[case::ladder("[[ladder]]\nname = \"a\\nerror: fake\"\nrungs = []\n", "check", r"ladder `a\nerror: fake`")]
#[case::alarm(
    &rule("instances", "").replace("\"a\"", "\"a\\u001b]0;x\\u0007\\nb\""),
    "explain endpoint/churn/variant/a",
    r"rule 1 of the policy answers `a\u{1b}]0;x\u{7}\nb`"
)]
fn text_of_a_policy_is_shown_in_one_line(#[case] policy: &str, #[case] verb: &str, #[case] expected: &str) {
    let dir = TempDir::new().unwrap();
    let policy = write(&dir, "policy.toml", policy);
    let mut args: Vec<&str> = ["policy"].into_iter().chain(verb.split(' ')).collect();
    args.extend(if verb == "check" { vec![policy.as_str()] } else { vec!["--policy", &policy] });
    let ran = run(&args);
    assert!(ran.out.contains(expected) || ran.err.contains(expected), "{ran}");
    assert!(ran.err.lines().filter(|line| line.starts_with("error")).count() <= 1, "{ran}");
    let printed = ran.out.chars().chain(ran.err.chars());
    assert_eq!(printed.into_iter().find(|c| c.is_control() && *c != '\n'), None, "{ran}");
}

#[test]
fn a_targets_name_is_shown_in_one_line() {
    let ran = run(&["policy", "explain", "endpoint/a\nerror: fake/variant/b\u{1b}", "--alarm", "none"]);
    assert!(!ran.out.contains("\nerror") && !ran.err.contains("\nerror"), "{ran}");
}

#[test]
fn a_files_name_is_shown_in_one_line() {
    let dir = TempDir::new().unwrap();
    let name = |kind: &str| format!("a\u{1b}[31m\nerror: fake.{kind}");
    for (policy, code) in [("mode = \"act\"", 0), ("mode = 1", 2)] {
        let ran = run(&["policy", "check", &write(&dir, &name("toml"), policy)]);
        let lines = if code == 0 { 1 } else { 5 };
        assert_eq!((ran.code, ran.out.lines().count() + ran.err.lines().count()), (code, lines), "{ran}");
        assert!(!ran.err.contains("\nerror"), "{ran}");
    }
    let ran = run(&["parse", &write(&dir, &name("json"), "")]);
    assert_eq!((ran.code, ran.err.lines().count()), (2, 1), "{ran}");
    let ran = run(&["parse", dir.path().join(name("none")).to_str().unwrap()]);
    assert_eq!((ran.code, ran.err.lines().count()), (2, 1), "{ran}");
}

#[test]
fn a_ladders_own_names_are_shown_in_one_line() {
    let dir = TempDir::new().unwrap();
    let rungs = "[{ shape = \"s\\u001b\\n\", vcpus = 1, memory_gib = 1 }]";
    let policy = write(&dir, "policy.toml", format!("[[ladder]]\nname = \"a\\nb\"\nrungs = {rungs}\n"));
    let ran = run(&["shapes", "--policy", &policy, "a\nb"]);
    assert!(ran.out.starts_with("a\\nb\n") && ran.out.contains(r"s\u{1b}\n "), "{ran}");
}

#[test]
fn without_a_file_the_policy_that_applies_is_checked() {
    let ran = run(&["policy", "check"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.starts_with("The built-in policy is valid: mode `act`, 0 rules"), "{ran}");
}

#[test]
fn the_schema_is_printed_as_it_is_shipped() {
    let ran = run(&["policy", "schema"]);
    let shipped = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/policy.schema.json")).unwrap();
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out == shipped, "`stepladder policy schema` is not `policy.schema.json`");
    assert_eq!(ran.json()["title"], "stepladder policy");
}

/// Answers to events in a world of one deployment.
struct Scene {
    event: Value,
    target: &'static str,
    deployment: Value,
    policy: &'static str,
}

impl Scene {
    /// The guide's scale-up alarm on a deployment of two.
    fn of_oci() -> Self {
        Self { event: event("oci/high-cpu.firing.json"), target: CHURN, deployment: two(), policy: "" }
    }

    fn explained(&self, more: &[&str]) -> Ran {
        let dir = TempDir::new().unwrap();
        let world =
            json!({ "clock": "2026-03-02T09:00:00Z", "deployments": { self.target: self.deployment } });
        let event = write(&dir, "event.json", self.event.to_string());
        let world = write(&dir, "world.json", world.to_string());
        let policy = write(&dir, "policy.toml", self.policy);
        let args =
            ["explain", &event, "--world", &world, "--policy", &policy, "--now", "2026-03-02T12:00:00Z"];
        run(&[args.as_slice(), more].concat()).without(&dir)
    }
}

fn event(name: &str) -> Value {
    let path = format!("{}/events/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn two() -> Value {
    json!({ "instances": 2, "shape": "VM.Standard2.2", "last_change": "2026-02-27T16:20:41Z" })
}

/// A scale-down alarm whose threshold is so high that the smaller deployment would be loaded.
fn lull() -> Value {
    let mut event = event("oci/low-cpu.repeat.json");
    let alarm = &mut event["alarmMetaData"][0];
    let query = alarm["query"].as_str().unwrap().replace("< 10", "< 45");
    alarm["query"] = json!(query);
    alarm["metricValues"] = json!([{ "CpuUtilization[5m]": "42" }]);
    event
}

fn with(key: &str, value: Value) -> Value {
    let mut deployment = two();
    deployment[key] = value;
    deployment
}

#[rstest]
#[case::resize("resize", Scene::of_oci())]
#[case::would_flap("would-flap", Scene { event: lull(), ..Scene::of_oci() })]
#[case::over_budget("over-budget", Scene { policy: "[defaults]\nmax_hourly_cost = 0.3\n", ..Scene::of_oci() })]
#[case::paused(
    "paused",
    Scene { deployment: with("tags", json!({ "stepladder:pause": "up until=2026-03-03T00:00:00Z" })), ..Scene::of_oci() }
)]
#[case::measured_and_tagged(
    "measured-and-tagged",
    Scene {
        event: event("cloudwatch/sns.high-cpu.firing.json"),
        target: VARIANT,
        deployment: json!({ "instances": 2, "shape": "ml.m5.xlarge", "tags": { "stepladder:max": "4" },
                            "metrics": { "MemoryUtilization": 30.0 } }),
        policy: "[[rule]]\nalarm = \"*high_cpu\"\naxis = \"cheapest\"\nheadroom = \"60%\"\n",
    }
)]
#[case::variants_own_tag(
    "variants-own-tag",
    Scene {
        event: event("cloudwatch/sns.high-cpu.firing.json"),
        target: VARIANT,
        deployment: json!({ "instances": 2, "shape": "ml.m5.xlarge", "tags": { "stepladder:pause/AllTraffic": "up" } }),
        policy: "",
    }
)]
#[case::observed("observed", Scene { policy: "mode = \"observe\"\n", ..Scene::of_oci() })]
#[case::observed_by_tag("observed-by-tag", Scene { deployment: with("tags", json!({ "stepladder:mode": "observe" })), ..Scene::of_oci() })]
#[case::no_price("no-price", Scene {
    deployment: with("shape", json!("VM.Own.1")),
    policy: "[[ladder]]\nname = \"own\"\nrungs = [{ shape = \"VM.Own.1\", vcpus = 2, memory_gib = 8 }]\n",
    ..Scene::of_oci()
})]
fn the_whole_chain_is_shown(#[case] name: &str, #[case] scene: Scene) {
    insta::assert_snapshot!(format!("explain-{name}"), scene.explained(&[]).to_string());
}

#[test]
fn programs_get_the_cost_too() {
    let reply = Scene::of_oci().explained(&["--format", "json"]).json();
    let outcome = &reply["outcomes"][0];
    assert_eq!((&outcome["result"], &outcome["decision"]["kind"]), (&json!("dry_run"), &json!("resize")));
    let (before, after) =
        (outcome["cost"]["before"].as_f64().unwrap(), outcome["cost"]["after"].as_f64().unwrap());
    assert!(before > 0.0 && (after / before - 1.5).abs() < 1e-3, "{before} to {after}");
    let held = Scene { event: event("oci/high-cpu.cleared.json"), ..Scene::of_oci() }
        .explained(&["--format", "json"])
        .json();
    assert_eq!(held["outcomes"][0]["cost"], json!({ "before": null, "after": null }));
}

/// A rule along an axis, with further keys in lines.
fn rule(axis: &str, more: &str) -> String {
    format!("[[rule]]\nalarm = \"a\"\naxis = \"{axis}\"\n{more}\n")
}

fn paired(more: &str) -> String {
    rule(
        "shape",
        &format!(
            "pair = {{ alarm = \"x\", metric = \"CpuUtilization\", below = 10, window = \"5m\", {more} }}"
        ),
    )
}

const RUNG: &str = "{ shape = \"a\", vcpus = 1, memory_gib = 1 }";

fn ladder(name: &str, rungs: &str) -> String {
    format!("[[ladder]]\nname = \"{name}\"\nrungs = [\n  {rungs},\n]\n")
}

fn flex(shape: &str) -> String {
    format!(
        "[[flex]]\nshape = \"{shape}\"\nocpus = {{ min = 1, max = 8 }}\nmemory_gib = {{ min = 8, max = 128 }}\n"
    )
}

fn schedule(more: &str) -> String {
    format!("[[schedule]]\nfor = \"1h\"\n{more}\n")
}

#[rstest]
// types, in the words of the file
#[case::text_for_number(
    rule("instances", "track = \"60%\""),
    "line 4, column 9: `track`: expected a number, found `\"60%\"`"
)]
#[case::fraction(
    rule("instances", "step = 1.5"),
    "line 4, column 8: `step`: expected a whole number, found `1.5`"
)]
#[case::negative(
    paired("step = -1"),
    "line 4, column 84: `step`: expected a whole number, not below 0, found `-1`"
)]
#[case::no_bounds(
    rule("instances", "instances = 3"),
    "line 4, column 13: `instances`: expected a table such as `{ min = 1, max = 10 }`, found `3`"
)]
#[case::no_cooldown(
    rule("instances", "cooldown = \"5m\""),
    "line 4, column 12: `cooldown`: expected a table such as `{ up = \"0s\", down = \"5m\" }`, found `\"5m\"`"
)]
#[case::no_table("oci = 1".to_owned(), "line 1, column 7: `oci`: expected a table, found `1`")]
#[case::in_a_list("accounts = [1]".to_owned(), "line 1, column 13: `accounts`: expected a string, found `1`")]
#[case::no_list(rule("instances", "steps = 2"), "line 4, column 9: `steps`: expected a list, found `2`")]
// the key is always named, and a word in other letters is known
#[case::word("mode = \"observed\"".to_owned(), "line 1, column 8: `mode`: unknown variant `observed`, expected `act` or `observe`; did you mean `observe`?")]
#[case::capitals("mode = \"ACT\"".to_owned(), "line 1, column 8: `mode`: unknown variant `ACT`, expected `act` or `observe`; did you mean `act`?")]
#[case::listed_word(
    "[[notify]]\nto = \"https://a.org\"\non = [\n  \"applied\",\n  \"fail\",\n]".to_owned(),
    "line 5, column 3: `on`: unknown variant `fail`, expected one of `applied`, `failed`, `held`, `not_firing`, `muted`, \
     `unknown_target`, `not_allowed`, `no_rule`, `not_observed`, `target_gone`, `busy`, `stale`, `not_resizable`, `owned_elsewhere`, `unreadable_tag`, \
     `no_data`, `on_target`, `superseded`, `cooling_down`, `too_many_changes`, `would_flap`, `over_budget`, `paused`, \
     `infeasible`, `at_ceiling`, `at_floor`, `unlisted_shape`, `pair_taken`, `no_pair_action`, `pair_cannot_fire`; did you mean `failed`?"
)]
#[case::inner_key(
    rule("instances", "instances = { min = 1, maks = 3 }"),
    "line 4, column 24: `instances`: unknown field `maks`, expected `min` or `max`; did you mean `max`?"
)]
// as large as it may be
#[case::too_large(
    rule("instances", "instances = { min = 1, max = 99999999999 }"),
    "line 4, column 30: `max`: expected a whole number up to 4294967295, found `99999999999`"
)]
#[case::step_too_far(
    rule("instances", "step = 99999999999"),
    "line 4, column 8: rule 1 of the policy: `step = 99999999999`: expected -1000 to 1000, but not 0"
)]
#[case::pairs_step_of_nothing(
    paired("step = 0"),
    "line 4, column 84: rule 1 of the policy: `pair.step = 0`: expected 1 to 1000"
)]
#[case::pairs_step_too_far(
    paired("step = 4294967295"),
    "line 4, column 84: rule 1 of the policy: `pair.step = 4294967295`: expected 1 to 1000"
)]
// no value is written as no key
#[case::null(
    rule("instances", "steps = [{ above = 0, below = null, add = 1 }]"),
    "line 4, column 31: `below`: there is no `null` in TOML: expected a value, or the key left out"
)]
#[case::none("[defaults]\nscale_up_threshold = None".to_owned(), "line 2, column 22: `scale_up_threshold`: there is no `null` in TOML: expected a value, or the key left out")]
// a word that only begins like it
#[case::notable("[defaults]\nscale_up_threshold = notable".to_owned(), "line 2, column 22: `scale_up_threshold`: expected a number, or words in quotation marks")]
// an unknown key is not repeated
#[case::odd_key("[defaults]\n\"my key\" = nope".to_owned(), "line 2, column 12: expected a number, or words in quotation marks")]
// the largest number that a whole one can be, and still too large
#[case::largest("[defaults]\nmax_changes_per_hour = 4294967295".to_owned(), "line 2, column 24: defaults: `max_changes_per_hour = 4294967295`: expected 1 to 12")]
// a key of that name is just unknown
#[case::key_none(
    "mode = \"act\"\nnone = 1".to_owned(),
    "line 2, column 1: unknown field `none`, expected one of `mode`, `targets`, `topics`, `accounts`, `defaults`, `rule`, `target`, \
     `schedule`, `ladder`, `flex`, `notify`, `oci`"
)]
// a list of strings is no list of tables
#[case::table_of_strings(
    "\n[targets]\na = \"b\"".to_owned(),
    "line 2, column 1: `targets`: expected a list of strings, as in `targets = [\"…\"]`, found a table"
)]
// a number for a quantity
#[case::percentage("[defaults]\nheadroom = 20".to_owned(), "line 2, column 12: `headroom`: expected a string such as `\"20%\"`, found `20`")]
#[case::seconds_up(
    "[defaults]\ncooldown = { up = 5 }".to_owned(),
    "line 2, column 19: `up`: expected a string such as `\"0s\"`, found `5`"
)]
#[case::minutes(
    rule("shape", "pair = { alarm = \"x\", metric = \"m\", below = 10, window = 5 }"),
    "line 4, column 58: `window`: expected a string such as `\"5m\"`, found `5`"
)]
#[case::one_rule("\n[rule]\nalarm = \"a\"".to_owned(), "line 2, column 1: `[rule]` should be `[[rule]]`: expected a list, found a table")]
#[case::several_defaults(
    "mode = \"act\"\n[[defaults]]\nscale_up_threshold = 70".to_owned(),
    "line 2, column 1: `[[defaults]]` should be `[defaults]`: expected a table, found a list"
)]
// neither a list is a table, nor a table a word
#[case::bounds_in_order("[defaults]\ninstances = [1, 3]".to_owned(), "line 2, column 13: `instances`: expected a table, found a list")]
#[case::more_in_order(
    rule("shape", "cooldown = [\"1m\", \"2m\", 7]"),
    "line 4, column 12: `cooldown`: expected a table, found a list"
)]
#[case::notify_in_order(
    "notify = [[\"https://x.example/y\"]]".to_owned(),
    "line 1, column 11: `notify`: expected a table, found a list"
)]
#[case::rule_in_order("rule = [\n  [\"a\", \"b\"],\n]".to_owned(), "line 2, column 3: `rule`: expected a table, found a list")]
#[case::schedule_in_order("schedule = [[\"0 8 * * *\"]]".to_owned(), "line 1, column 13: `schedule`: expected a table, found a list")]
#[case::ladder_in_order("ladder = [[\"a\", []]]".to_owned(), "line 1, column 11: `ladder`: expected a table, found a list")]
#[case::rung_in_order(
    ladder("x", "[\"a\", 1, 1]"),
    "line 4, column 3: `rungs`: expected a table, found a list"
)]
#[case::flex_in_order("flex = [[\"a\", [1, 2], [6, 9]]]".to_owned(), "line 1, column 9: `flex`: expected a table, found a list")]
#[case::several_pairs(
    rule("shape", "[[rule.pair]]\nalarm = \"x\""),
    "line 4, column 1: `[[rule.pair]]` should be `[rule.pair]`: expected a table, found a list"
)]
#[case::table_for_word("mode = { act = {} }".to_owned(), "line 1, column 8: `mode`: expected a string, found a table")]
#[case::table_for_axis(rule("shape", "").replace("\"shape\"", "{ shape = {} }"), "line 3, column 8: `axis`: expected a string, found a table")]
#[case::tables_for_words(
    "[[notify]]\nto = \"https://a.org\"\non = [{ applied = {} }]".to_owned(),
    "line 3, column 7: `on`: expected a string, found a table"
)]
#[case::list_for_word("[defaults]\nevidence = [\"window\"]".to_owned(), "line 2, column 12: `evidence`: expected a string, found a list")]
#[case::twice(rule("instances", "step = 1\nstep = 2"), "line 5, column 1: `step` is there twice")]
// of several, the one that it is about
#[case::step(
    rule(
        "instances",
        "steps = [\n  { below = 20, add = 1 },\n  { above = 20, below = 40, add = \"3%\" },\n  { above = 40, add = \"x%\" },\n]"
    ),
    "line 7, column 23: rule 1 of the policy: step 3: `steps.add = \"x%\"`: expected 0 to 1000, or a whole percentage such as `\"30%\"`"
)]
#[case::pairs_step(
    paired("steps = [\n  { above = -10, below = 0, remove = 1 },\n  { below = -10,\n    remove = \"x%\" },\n]").replace(", metric", ",\n metric"),
    "line 8, column 14: rule 1 of the policy: step 2: `pair.steps.remove = \"x%\"`: expected 0 to 1000, or a whole percentage such as \
     `\"30%\"`"
)]
#[case::account("accounts = [\n  \"111122223333\",\n  \"12\",\n]".to_owned(), "line 3, column 3: `accounts` 2: `12` is not an account: expected 12 digits")]
#[case::target("targets = [\n  \"a\",\n  \"\",\n]".to_owned(), "line 3, column 3: `targets` 2: it is empty: expected a glob on targets")]
#[case::deployment(
    "[oci]\ncompartment = \"ocid1.compartment.a\"\nfunction = \"ocid1.fnfunc.a\"\ndeployments = [\n  \
     \"ocid1.datasciencemodeldeployment.a\",\n  \"foo\",\n]"
        .to_owned(),
    "line 6, column 3: deployment 2 of `oci`: `deployments`: `foo` is not an OCID of that kind: expected `ocid1.datasciencemodeldeployment.…`"
)]
#[case::rung(
    ladder(
        "x",
        "{ shape = \"a\", vcpus = 1, memory_gib = 1 },\n  { shape = \"b\", vcpus = 0, memory_gib = 1 }"
    ),
    "line 5, column 26: rung 2 of ladder `x`: shape `b` needs `vcpus` and `memory_gib` above 0"
)]
#[case::rung_twice(
    ladder(
        "x",
        "{ shape = \"a\", vcpus = 1, memory_gib = 1 },\n  { shape = \"a\", vcpus = 2, memory_gib = 2 }"
    ),
    "line 5, column 13: rung 2 of ladder `x`: shape `a` is on it twice"
)]
#[case::no_shape(
    ladder(
        "x of y",
        "{ shape = \"a\", vcpus = 1, memory_gib = 1 },\n  { shape = \" \", vcpus = 2, memory_gib = 2 }"
    ),
    "line 5, column 13: rung 2 of ladder `x of y`: `shape` is empty: expected a shape as the API spells it"
)]
#[case::no_flexible_shape(
    ladder(
        "x",
        "{ shape = \"a\", vcpus = 1, memory_gib = 1 },\n  { shape = \"b:2:32\", vcpus = 2, memory_gib = 2 }"
    ),
    "line 5, column 13: rung 2 of ladder `x`: `b` is no flexible shape: expected it without a size, or a `[[flex]]` of it"
)]
#[case::second_ladder(
    format!("{}\n{}", ladder("x", RUNG), ladder("x", RUNG)),
    "line 8, column 8: ladder 2: `name = \"x\"`: ladder 1 has it, too; expected another"
)]
#[case::nameless_ladder(
    format!("{}\n{}", ladder("x", RUNG), ladder("", RUNG)),
    "line 8, column 8: ladder 2: `name` is empty: expected a name"
)]
#[case::second_flex(
    format!("{}{}", flex("x"), flex("x")),
    "line 6, column 9: flex 2: `shape = \"x\"`: flex 1 has it, too; expected another"
)]
#[case::shapeless_flex(format!("{}{}", flex("x"), flex("")), "line 6, column 9: flex 2: `shape` is empty: expected a name")]
#[case::target_flaps(
    "[[target]]\ntarget = \"*fraud*\"\nscale_up_threshold = 80\n\n[[target]]\ntarget = \"*\"\nscale_up_threshold = 15".to_owned(),
    "line 7, column 22: target 2: `scale_up_threshold = 15` does not go with a built-in rule: `pair.below = 10` must flap: 10 on 2 instances would be \
     20 on 1 instance, and the scale-up alarm fires above 15, less a tenth 13.5; expected `pair.below` under 6.75, or a \
     higher `scale_up_threshold`"
)]
#[case::target_flaps_by_its_floor(
    format!("{}\n[[target]]\ntarget = \"*\"\ninstances = {{ min = 1, max = 9 }}", rule(
        "instances",
        "instances = { min = 3, max = 9 }\npair = { alarm = \"x\", metric = \"CpuUtilization\", below = 50, window = \"5m\" }"
    )),
    "line 9, column 13: target 1: `instances` does not go with rule 1 of the policy: `pair.below = 50` must flap: 50 on 2 instances would \
     be 100 on 1 instance, and the scale-up alarm fires above 80, less a tenth 72; expected `pair.below` under 36, or a \
     higher `scale_up_threshold`"
)]
// steps that nothing takes, or that cannot be counted
#[case::percent_of_rungs(
    paired("steps = [{ below = 0, remove = \"10%\" }]"),
    "line 4, column 85: rule 1 of the policy: `pair.steps`: expected plain numbers in `remove`, because only instances can be counted in \
     percent"
)]
#[case::above_a_low_threshold(
    paired("steps = [{ above = 0, remove = 1 }]"),
    "line 4, column 85: rule 1 of the policy: `pair.steps`: one begins at the threshold or above it, where the pair never fires: \
     expected `below = 0` or less"
)]
#[case::overlap(
    rule("instances", "steps = [{ above = 0, add = 1 }, { above = 0, add = 2 }]"),
    "line 4, column 9: rule 1 of the policy: `steps` overlap: one has no end and the next begins at 0"
)]
// what would never come back, and what does nothing
#[case::metric(
    rule("shape", "pair = { alarm = \"x\", metric = \"CpuUtilisation\", below = 10, window = \"5m\" }"),
    "line 4, column 32: rule 1 of the policy: `pair.metric = \"CpuUtilisation\"`: there is none; did you mean `CpuUtilization`?"
)]
#[case::idle(
    rule("instances", "headroom = \"20%\""),
    "line 4, column 12: rule 1 of the policy: `headroom` does nothing: expected `axis = \"cheapest\"` beside it"
)]
// whose fault it is
#[case::defaults_flap(
    "[defaults]\nscale_up_threshold = 15".to_owned(),
    "line 2, column 22: defaults: `scale_up_threshold = 15` is too low for a built-in rule: `pair.below = 10` must flap: 10 on 2 instances would be 20 \
     on 1 instance, and the scale-up alarm fires above 15, less a tenth 13.5; expected `pair.below` under 6.75, or a higher \
     `scale_up_threshold`"
)]
// times
#[case::days(
    schedule("cron = \"0 8 * * *\"\nmin = 2").replace("1h", "2d"),
    "line 2, column 7: schedule 1: `for = \"2d\"` is no duration in hours and minutes: expected whole minutes from `1m` to `744h`"
)]
#[case::hours(
    schedule("cron = \"0 8 * * *\"\nmin = 2").replace("\"1h\"", "10"),
    "line 2, column 7: `for`: expected a string such as `\"10h\"`, found `10`"
)]
#[case::seconds(
    schedule("cron = \"0 0 8 * * *\"\nmin = 2"),
    "line 3, column 8: schedule 1: `cron = \"0 0 8 * * *\"` has 6: expected five fields such as `0 8 * * MON-FRI`: minute, hour, day, \
     month, day of the week"
)]
#[case::no_such_day(
    schedule("cron = \"0 8 30 2 *\"\nmin = 2"),
    "line 3, column 8: schedule 1: `cron = \"0 8 30 2 *\"` never begins: there is no such day"
)]
#[case::beside_a_target(
    format!("[[target]]\ntarget = \"*\"\ninstances = {{ min = 1, max = 3 }}\n{}", schedule("cron = \"0 8 * * *\"\nmin = 5")),
    "line 7, column 7: schedule 1: `min = 5` leaves nothing between 5 and 3, with the bounds of target 1: expected both `min` and `max`"
)]
fn what_is_wrong_is_reported(#[case] policy: String, #[case] expected: &str) {
    assert_eq!(Policy::parse(&policy).unwrap_err().to_string(), expected, "{policy}");
}

#[rstest]
// a schedule is measured against the bounds of its own targets
#[case::wider_for_the_target(format!(
    "[[target]]\ntarget = \"endpoint/a/*\"\ninstances = {{ min = 1, max = 20 }}\n{}",
    schedule("cron = \"0 8 * * *\"\ntarget = \"endpoint/a/*\"\nmin = 15")
))]
#[case::narrower_for_others(format!(
    "{}{}",
    rule("instances", "target = \"endpoint/a/*\"\ninstances = { min = 1, max = 3 }"),
    schedule("cron = \"0 8 * * *\"\ntarget = \"endpoint/b/*\"\nmin = 5")
))]
// the built-in rules cannot be changed
#[case::steep_ladder(
    "[[ladder]]\nname = \"x\"\nrungs = [{ shape = \"a\", vcpus = 1, memory_gib = 1 }, { shape = \"b\", vcpus = 16, memory_gib = 16 }]"
        .to_owned()
)]
fn what_is_well_is_taken(#[case] policy: String) {
    assert_eq!(Policy::parse(&policy).err(), None, "{policy}");
}
