//! Slips in a policy: what is refused or warned of, with the word that would be right.

use rstest::rstest;
use stepladder::policy::Policy;

use crate::support::policy;

fn rule(keys: &str) -> String {
    format!("[[rule]]\nalarm = \"*-busy\"\naxis = \"instances\"\n{keys}\n")
}

fn paired(keys: &str, metric: &str, below: &str) -> String {
    let pair =
        format!("pair = {{ alarm = \"idle\", metric = \"{metric}\", below = {below}, window = \"5m\" }}");
    rule(&format!("{keys}\n{pair}"))
}

fn schedule(keys: &str) -> String {
    format!("[[schedule]]\ncron = \"0 8 * * *\"\nfor = \"1h\"\n{keys}\n")
}

fn provisioning(deployment: &str) -> String {
    format!(
        "[oci]\ncompartment = \"ocid1.compartment.oc1..x\"\nfunction = \"ocid1.fnfunc.oc1.iad.x\"\n\
         deployments = [\"{deployment}\"]\n"
    )
}

const CHURN: &str = "ocid1.datasciencemodeldeployment.oc1.iad.churn";

#[rstest]
// An amount below nothing.
#[case::minus_one(rule("steps = [{ below = 0, add = -1 }]"), "`steps.add = -1`: expected `remove = 1`")]
#[case::minus_percent(
    rule("steps = [{ below = 0, add = \"-50%\" }]"),
    "`steps.add = \"-50%\"`: expected `remove = \"50%\"`"
)]
#[case::minus_percent_with_blanks(
    rule("steps = [{ below = 0, add = \" -50 %\" }]"),
    "expected `remove = \"50%\"`"
)]
#[case::removes_minus_two(
    rule("steps = [{ above = 0, remove = -2 }]"),
    "`steps.remove = -2`: expected `add = 2`"
)]
#[case::in_a_pair(
    paired("", "CpuUtilization", "10, steps = [{ below = 0, add = -1 }]"),
    "`pair.steps.add = -1`: expected `remove = 1`"
)]
#[case::far_below(
    rule("steps = [{ below = 0, add = -9223372036854775808 }]"),
    "expected `remove = 9223372036854775807`"
)]
// A fraction of a metric that is a percentage.
#[case::threshold(
    paired("scale_up_threshold = 0.8", "CPUUtilization", "0.1"),
    "`scale_up_threshold = 0.8`: `CPUUtilization` is a percentage; did you mean `80`?"
)]
#[case::threshold_of_all("[defaults]\nscale_up_threshold = 1".to_owned(), "did you mean `100`?")]
#[case::threshold_by_default("[defaults]\nscale_up_threshold = 0.85".to_owned(), "did you mean `85`?")]
#[case::threshold_of_a_target(
    "[[target]]\ntarget = \"*\"\nscale_up_threshold = 0.7".to_owned(),
    "did you mean `70`?"
)]
// The alarm's own threshold where a percentage is meant.
#[case::threshold_of_four_cores(
    paired("scale_up_threshold = 320", "CPUUtilization", "10"),
    "`scale_up_threshold = 320`: `CPUUtilization` is in percent of the capacity here"
)]
#[case::threshold_above_all(paired("scale_up_threshold = 100.5", "MemoryUtilization", "10"), "at most 100")]
#[case::threshold_of_cores_by_default(
    "[defaults]\nscale_up_threshold = 160".to_owned(),
    "`scale_up_threshold = 160` is too high for a built-in rule"
)]
#[case::threshold_of_cores_of_a_target(
    "[[target]]\ntarget = \"*\"\nscale_up_threshold = 640".to_owned(),
    "expected at most 100"
)]
#[case::track(
    paired("track = 0.6", "CPUUtilization", "10"),
    "`track = 0.6`: `CPUUtilization` is a percentage; did you mean `60`?"
)]
#[case::track_of_gpus(paired("track = 0.55", "GPUUtilization", "10"), "did you mean `55`?")]
#[case::provisioned(
    provisioning(CHURN)
        + "[[oci.alarm]]\nname = \"a_high_cpu\"\nmetric = \"CpuUtilization\"\nscale_up_threshold = 0.8",
    "`scale_up_threshold = 0.8`: `CpuUtilization` is a percentage; did you mean `80`?"
)]
// Distances that are written as values.
#[case::below_as_a_value(rule("steps = [{ below = 40, remove = 1 }]"), "distances from the threshold")]
#[case::above_as_a_value(
    rule("steps = [{ above = -5, below = 0, remove = 1 }]"),
    "distances from the threshold"
)]
// The name of the alarm that keeps schedules is taken.
#[case::name_of_schedules(
    provisioning(CHURN) + "[[oci.alarm]]\nname = \"stepladder_schedule\"\nmetric = \"CpuUtilization\"",
    "expected another name"
)]
fn a_slip_is_refused(#[case] text: String, #[case] expected: &str) {
    let errors = Policy::parse(&text).unwrap_err().to_string();
    assert!(errors.contains(expected), "{errors}");
    assert!(!has_long_number(&errors), "{errors}");
}

#[rstest]
// Steps that begin away from the threshold.
#[case::values(
    paired(
        "steps = [{ above = 240, below = 300, add = 1 }, { above = 300, add = 2 }]",
        "CPUUtilization",
        "10"
    ),
    "rule 1 of the policy: `steps` begin at 240, above the threshold",
    "`above = 0`"
)]
#[case::one_value(
    rule("steps = [{ above = 85, set = 4 }]"),
    "`steps` begin at 85",
    "distances from the alarm's"
)]
#[case::values_below(
    rule("steps = [{ below = -10, remove = 1 }]"),
    "`steps` end at -10, below the threshold",
    "`below = 0`"
)]
#[case::values_of_a_pair(
    paired("", "CpuUtilization", "20, steps = [{ below = -10, remove = 1 }]"),
    "`pair.steps` end at -10",
    "`below = 0`"
)]
// Fractions where a small percentage is possible.
#[case::below(
    paired("", "CpuUtilization", "0.1"),
    "`pair.below = 0.1`: a utilization is in percent",
    "did you mean `10`?"
)]
#[case::track(rule("track = 0.6"), "`track = 0.6`", "did you mean `60`?")]
// Globs that match nothing.
#[case::endpoint_alone(
    rule("target = \"churn\""),
    "rule 1 of the policy: `target`: `churn` matches no target",
    "did you mean `endpoint/churn/variant/*`?"
)]
#[case::endpoint_without_variant(
    rule("target = \"endpoint/churn\""),
    "`endpoint/churn` matches no target",
    "did you mean `endpoint/churn/*`?"
)]
#[case::beginning(
    rule("target = \"prod-*\""),
    "`prod-*` matches no target",
    "did you mean `endpoint/prod-*/variant/*`?"
)]
#[case::arn(
    "targets = [\"arn:aws:sagemaker:eu-west-1:111122223333:endpoint/churn\"]".to_owned(),
    "`targets`: `arn:aws:sagemaker:eu-west-1:111122223333:endpoint/churn` matches no target",
    "`endpoint/*/variant/*`"
)]
#[case::another_resource(
    "[[target]]\ntarget = \"ocid1.instance.oc1.iad.x\"\nmode = \"observe\"".to_owned(),
    "target 1: `target`: `ocid1.instance.oc1.iad.x` matches no target",
    "`ocid1.datasciencemodeldeployment.*`"
)]
#[case::in_upper_case(
    rule("target = \"Endpoint/*\""),
    "`Endpoint/*` matches no target",
    "`endpoint/*/variant/*`"
)]
#[case::of_a_schedule(
    schedule("target = \"churn\"\nmax = 2"),
    "schedule 1: `target`: `churn` matches no target",
    "did you mean"
)]
#[case::topic("topics = [\"stepladder-alarms\"]".to_owned(), "`topics`: `stepladder-alarms` matches no topic", "ARN")]
// Regular expressions.
#[case::regular(
    rule("").replace("*-busy", "^prod-.*cpu$"),
    "`alarm = \"^prod-.*cpu$\"` is a glob",
    "only `*` and `?`"
)]
#[case::alternatives(rule("").replace("*-busy", "cpu|mem"), "`alarm = \"cpu|mem\"` is a glob", "only `*` and `?`")]
#[case::anything(rule("").replace("*-busy", ".*cpu.*"), "`alarm = \".*cpu.*\"` is a glob", "only `*` and `?`")]
// A scheduled minimum that nothing reaches at its time.
#[case::minimum(
    schedule("min = 3"),
    "schedule 1: nothing brings the count to `min = 3` at its time",
    "[oci]"
)]
#[case::minimum_of_endpoints(
    schedule("min = 3\ntarget = \"endpoint/*\""),
    "nothing brings the count to `min = 3`",
    "name the variant"
)]
#[case::minimum_of_a_deployment(
    schedule(&format!("min = 3\ntarget = \"{CHURN}-other\"")).replace("-other", "*"),
    "nothing brings the count to `min = 3`",
    "`stepladder provision`"
)]
#[case::minimum_of_one_deployment(
    schedule(&format!("min = 3\ntarget = \"{CHURN}\"")),
    "nothing brings the count to `min = 3`",
    "`stepladder provision`"
)]
// Tables that `targets` exclude.
#[case::excluded_schedule(
    only_churn() + &schedule("min = 3\ntarget = \"endpoint/other/variant/AllTraffic\""),
    "schedule 1: the policy's `targets` do not include `endpoint/other/variant/AllTraffic`",
    "so nothing reaches its minimum"
)]
#[case::excluded_maximum(
    only_churn() + &schedule("max = 3\ntarget = \"endpoint/other/*\""),
    "schedule 1: the policy's `targets` do not include `endpoint/other/*`",
    "so nothing reaches its maximum"
)]
#[case::excluded_settings(
    only_churn() + "[[target]]\ntarget = \"endpoint/other/*\"\nevidence = \"fired\"",
    "target 1: the policy's `targets` do not include `endpoint/other/*`",
    "so its settings apply to nothing"
)]
#[case::excluded_rule(
    only_churn() + &rule("target = \"ocid1.datasciencemodeldeployment.*\""),
    "rule 1 of the policy: the policy's `targets` do not include `ocid1.datasciencemodeldeployment.*`",
    "so it never answers"
)]
#[case::excluded_by_an_empty_list(
    "targets = []\n".to_owned() + &rule("target = \"endpoint/*\""),
    "rule 1 of the policy: the policy's `targets` do not include `endpoint/*`",
    "so it never answers"
)]
// A pair that cannot fire.
#[case::metric_of_another_platform(
    paired("target = \"endpoint/*\"", "PredictRequestCount", "10"),
    "rule 1 of the policy: `pair.metric = \"PredictRequestCount\"` is not published for any target",
    "`endpoint/*`"
)]
// An alarm whose numbers the rule cannot use.
#[case::steps_on_a_maximum(
    paired("steps = [{ above = 0, add = 1 }]", "CpuUtilization", "10")
        + &provisioning(CHURN)
        + "[[oci.alarm]]\nname = \"churn-busy\"\nmetric = \"CpuUtilization\"",
    "alarm `churn-busy` takes `max()` of `CpuUtilization`",
    "expected `statistic = \"mean\"`"
)]
// As before.
#[case::shadowed(rule("") + &rule("step = 2"), "rule 2 of the policy never answers", "rule 1 of the policy")]
fn a_slip_is_warned_of(#[case] text: String, #[case] expected: &str, #[case] right: &str) {
    let warnings = policy(&text).warnings();
    let is_right = |warning: &String| warning.contains(expected) && warning.contains(right);
    assert_eq!(warnings.iter().filter(|warning| is_right(warning)).count(), 1, "{warnings:#?}");
    assert!(!has_long_number(&warnings.join("\n")), "{warnings:#?}");
}

/// The one target that a policy's list includes.
fn only_churn() -> String {
    "targets = [\"endpoint/churn/*\"]\n".to_owned()
}

/// A schedule for every target raises no question about a platform that `targets` exclude.
#[test]
fn a_minimum_is_not_asked_for_where_nothing_may_change() {
    let warnings = policy(&(only_churn() + &schedule("min = 3"))).warnings().join("\n");
    assert!(warnings.contains("name the variant") && !warnings.contains("[oci]"), "{warnings}");
}

#[rstest]
#[case::nothing(String::new())]
#[case::steps(rule("steps = [{ above = 0, below = 10, add = 1 }, { above = 10, add = 2 }]"))]
#[case::steps_of_both(rule(
    "steps = [{ below = -5, remove = 1 }, { above = -5, below = 5, add = 0 }, { above = 5, add = 1 }]"
))]
// A metric in its own unit may be small.
#[case::own_unit(paired("track = 0.5", "InvocationsPerInstance", "0.1"))]
#[case::own_threshold(paired("scale_up_threshold = 0.8", "InvocationsPerInstance", "0.1"))]
#[case::percentages(paired("track = 60", "CPUUtilization", "20"))]
// Globs that match something.
#[case::any(rule("target = \"*\""))]
#[case::suffix(rule("target = \"*/AllTraffic\""))]
#[case::endpoints(rule("target = \"endpoint/prod-*\""))]
#[case::variant(rule("target = \"endpoint/churn/variant/AllTraffic\""))]
#[case::deployments(rule("target = \"ocid1.datasciencemodeldeployment.oc1.iad.*\""))]
#[case::inside(rule("target = \"*churn*\""))]
#[case::topics("topics = [\"arn:aws:sns:*:111122223333:prod-*\", \"arn:aws:sns:us-east-1:111122223333:a\"]".to_owned())]
#[case::metric_of_its_platform(paired("target = \"endpoint/*\"", "InvocationsPerInstance", "10"))]
#[case::steps_on_the_mean(
    paired("steps = [{ above = 0, add = 1 }]", "CpuUtilization", "10")
        + &provisioning(CHURN)
        + "[[oci.alarm]]\nname = \"churn-busy\"\nmetric = \"CpuUtilization\"\nstatistic = \"mean\""
)]
#[case::step_on_a_maximum(
    paired("step = 1", "CpuUtilization", "10")
        + &provisioning(CHURN)
        + "[[oci.alarm]]\nname = \"churn-busy\"\nmetric = \"CpuUtilization\""
)]
#[case::dotted(rule("").replace("*-busy", "prod.*"))]
// A minimum that something reaches, and a maximum, which needs nothing.
#[case::maximum(schedule("max = 3"))]
#[case::minimum_of_a_variant(schedule("min = 3\ntarget = \"endpoint/churn/variant/AllTraffic\""))]
#[case::minimum_of_a_listed_variant(only_churn() + &schedule("min = 3\ntarget = \"endpoint/churn/variant/AllTraffic\""))]
// Tables that `targets` include, wholly or in part.
#[case::included_settings(only_churn() + "[[target]]\ntarget = \"*/AllTraffic\"\nevidence = \"fired\"")]
#[case::included_rule(only_churn() + &rule("target = \"endpoint/ch*\""))]
#[case::minimum_of_a_provisioned_deployment(
    schedule("min = 3\ntarget = \"ocid1.datasciencemodeldeployment.*\"") + &provisioning(CHURN)
)]
fn what_is_right_is_not_warned_of(#[case] text: String) {
    let mut warnings = policy(&text).warnings();
    // The rules here are short, and nothing removes what they add.
    warnings.retain(|warning| !warning.contains("has no `pair`"));
    assert!(warnings.is_empty(), "{warnings:#?}");
}

/// A digit, a dot and seven digits: a number that is not rounded.
fn has_long_number(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    text.match_indices('.')
        .any(|(at, _)| at > 0 && is_digit(at - 1) && (1..=7).all(|more| is_digit(at + more)))
}

#[test]
fn no_text_that_a_person_reads_has_an_unrounded_number() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/snapshots");
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let long: Vec<&str> = text.lines().filter(|line| has_long_number(line)).collect();
        assert!(long.is_empty(), "{}: {long:#?}", path.display());
    }
    assert!(has_long_number("55.00000000000001") && !has_long_number("1.234567 at 2026-03-02T09:15:00.5Z"));
}
