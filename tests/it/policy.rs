//! The policy file: what is refused and how it is reported, what each key changes, and which rule answers which alarm.

use std::process::Command;
use stepladder::platform::aws::call::Call as AwsCall;
use stepladder::platform::oci::call::Call as OciCall;
use stepladder::platform::{aws, oci};

use rstest::rstest;
use serde_json::{Value, json};
use stepladder::decide::Decision;
use stepladder::ladder::Rung;
use stepladder::outcome::Outcome;
use stepladder::platform::Call;
use stepladder::platform::aws::alarm::CloudwatchAlarm;
use stepladder::platform::oci::alarm::OciAlarm;
use stepladder::platform::simulated::SimulatedCloud;
use stepladder::policy::{Policy, Setting};
use stepladder::report;
use stepladder::size::{Axis, Direction, Flex};

use crate::support::{
    CHURN, HIGH_BANDWIDTH, HIGH_CPU, HIGH_MEM, LOW_CPU, LOW_MEM, Notice, TICK, TOPIC_ARN, VARIANT, answer,
    at, batch, built_in, cloud, cloud_with, minute, notice, on, policy, reason, send,
};

// ---- what is refused ----

#[rstest]
// An unknown key: its line, its name, and the known one that is spelled most like it.
#[case::top("mod = \"act\"", &["line 1", "`mod`", "did you mean `mode`?"])]
#[case::rules("\n\n[[rules]]\nalarm = \"a\"", &["line 3", "`rules`", "did you mean `rule`?"])]
#[case::defaults("[defaults]\ninstanses = { min = 1, max = 3 }", &["line 2", "did you mean `instances`?"])]
#[case::bounds("[defaults]\ninstances = { min = 1, maks = 3 }", &["line 2", "`maks`", "did you mean `max`?"])]
#[case::rule("[[rule]]\nalarm = \"a\"\naxis = \"shape\"\nsteppe = 2", &["line 4", "`steppe`", "did you mean `step`?"])]
#[case::pair(
    "[[rule]]\nalarm = \"a\"\naxis = \"shape\"\npair = { alarm = \"x\", metric = \"m\", bellow = 1, window = \"5m\" }",
    &["line 4", "`bellow`", "did you mean `below`?"]
)]
#[case::ladder("[[ladder]]\nname = \"x\"\nrung = []", &["line 3", "`rung`", "did you mean `rungs`?"])]
#[case::rung(
    "[[ladder]]\nname = \"x\"\nrungs = [\n  { shape = \"a\", vcpu = 1, memory_gib = 1 },\n]",
    &["line 4", "`vcpu`", "did you mean `vcpus`?"]
)]
#[case::bandwidth("[defaults]\nbandwidths = { min = 10, max = 30 }", &["line 2", "`bandwidths`", "did you mean `bandwidth`?"])]
#[case::rule_bandwidth(
    "[[rule]]\nalarm = \"a\"\naxis = \"bandwidth\"\nbandwidth = { min = 10, maks = 30 }",
    &["line 4", "`maks`", "did you mean `max`?"]
)]
#[case::bandwidth_type("[defaults]\nbandwidth = 30", &["line 2", "`bandwidth`"])]
#[case::bandwidth_axis("[[rule]]\nalarm = \"a\"\naxis = \"bandwidths\"", &["line 3", "did you mean `bandwidth`?"])]
#[case::flex("[[flex]]\nshape = \"x\"\nocpu = { min = 1, max = 2 }", &["line 3", "`ocpu`", "did you mean `ocpus`?"])]
#[case::flex_memory(
    "[[flex]]\nshape = \"x\"\nocpus = { min = 1, max = 2 }\nmemory_gb = { min = 6, max = 9 }",
    &["line 4", "`memory_gb`", "did you mean `memory_gib`?"]
)]
#[case::no_flex_memory("[[flex]]\nshape = \"x\"\nocpus = { min = 1, max = 2 }", &["line 1", "missing field `memory_gib`"])]
#[case::flex_half("[[flex]]\nshape = \"x\"\nocpus = { min = 0.5, max = 2 }", &["line 3", "`min`"])]
#[case::flexes("\n[[flexes]]\nshape = \"x\"", &["line 2", "did you mean `flex`?"])]
// Nothing is spelled like it: what is known is listed.
#[case::warmup("[defaults]\nwarmup = \"0s\"", &["line 2", "`warmup`", "`instances`", "`evidence`"])]
// An unknown value.
#[case::mode("mode = \"observed\"", &["line 1", "`observed`", "did you mean `observe`?"])]
#[case::axis("[[rule]]\nalarm = \"a\"\naxis = \"instanses\"", &["line 3", "`instanses`", "did you mean `instances`?"])]
#[case::fresh("[defaults]\nevidence = \"windows\"", &["line 2", "`windows`", "did you mean `window`?"])]
// A value of another type: the key is named, not only the type.
#[case::alarm_type("[[rule]]\naxis = \"shape\"\nalarm = 3", &["line 3", "`alarm`"])]
#[case::step_type("[[rule]]\nalarm = \"a\"\naxis = \"shape\"\nstep = \"x\"", &["line 4", "`step`"])]
#[case::targets_type("targets = \"*\"", &["line 1", "`targets`"])]
#[case::topics_type("topics = \"*\"", &["line 1", "`topics`"])]
// As a number, an account would lose the zeros that it begins with.
#[case::accounts_type("accounts = [111122223333]", &["line 1", "`111122223333`", "expected a string"])]
#[case::topic("topic = []", &["line 1", "`topic`", "did you mean `topics`?"])]
#[case::below_type(
    "[[rule]]\nalarm = \"a\"\naxis = \"shape\"\npair = { alarm = \"x\", metric = \"m\", below = \"low\", window = \"5m\" }",
    &["line 4", "`below`"]
)]
#[case::negative_bound("[defaults]\ninstances = { min = -1, max = 3 }", &["line 2", "`min`"])]
// A key that is needed.
#[case::no_axis("[[rule]]\nalarm = \"a\"", &["line 1", "missing field `axis`"])]
#[case::no_alarm("\n[[rule]]\naxis = \"shape\"", &["line 2", "missing field `alarm`"])]
#[case::no_below(
    "[[rule]]\nalarm = \"a\"\naxis = \"shape\"\npair = { alarm = \"x\", metric = \"m\", window = \"5m\" }",
    &["line 4", "missing field `below`"]
)]
#[case::no_max("[defaults]\ninstances = { min = 1 }", &["line 2", "missing field `max`"])]
// No TOML at all.
#[case::no_toml("mode = \"act\"\nnot toml", &["line 2"])]
fn what_cannot_be_read_is_reported_with_its_line(#[case] text: &str, #[case] parts: &[&str]) {
    refused_with(text, parts);
}

fn refused_with(text: &str, parts: &[&str]) {
    let message = match Policy::parse(text) {
        Ok(policy) => panic!("accepted: {policy:?}"),
        Err(error) => error.to_string(),
    };
    for part in parts {
        assert!(message.contains(part), "{message}");
    }
    assert!(!message.contains('\n'), "{message}");
}

/// A rule with something else in it.
fn rule_with(key: &str) -> String {
    format!(
        "[[rule]]\nalarm = \"a\"\naxis = \"instances\"\n[[rule]]\nalarm = \"b\"\naxis = \"instances\"\n{key}"
    )
}

/// A rule whose pair has one key replaced.
fn pair_with(key: &str, value: &str) -> String {
    let pair = [
        ("alarm", "\"low\""),
        ("metric", "\"MemoryUtilization\""),
        ("below", "10"),
        ("window", "\"5m\""),
        ("repeat", "\"5m\""),
    ]
    .map(|(known, good)| format!("{known} = {}", if known == key { value } else { good }));
    rule_with(&format!("pair = {{ {} }}", pair.join(", ")))
}

#[rstest]
#[case::floor_of_nothing("instances = { min = 0, max = 3 }", &["`instances.min = 0`", "at least 1"])]
#[case::floor_above_ceiling("instances = { min = 5, max = 2 }", &["`instances.min = 5`", "`instances.max = 2`"])]
#[case::too_little("bandwidth = { min = 5, max = 20 }", &["`bandwidth = { min = 5, max = 20 }`", "expected 10 to 8000 Mbps"])]
#[case::too_much("bandwidth = { min = 10, max = 8001 }", &["max = 8001", "expected 10 to 8000 Mbps"])]
#[case::bandwidth_the_wrong_way("bandwidth = { min = 40, max = 20 }", &["`bandwidth.min = 40`", "`bandwidth.max = 20`"])]
#[case::step_of_nothing("step = 0", &["`step = 0`", "but not 0"])]
#[case::step_too_far("step = -2147483648", &["`step = -2147483648`", "expected -1000 to 1000"])]
fn a_rule_that_makes_no_sense_is_reported_with_its_number(#[case] key: &str, #[case] parts: &[&str]) {
    refused_with(&rule_with(key), &[&["rule 2 of the policy"], parts].concat());
}

#[rstest]
// It ends up in paths and in a marker of words.
#[case::slash("alarm", "\"a/b\"", "a/b")]
#[case::space("alarm", "\"a b\"", "a b")]
#[case::empty("alarm", "\"\"", "1 to 80 characters")]
#[case::long("alarm", &format!("\"{}\"", "a".repeat(81)), "1 to 80 characters")]
// It ends up in a query.
#[case::metric("metric", "\"Cpu-Utilization\"", "plain name")]
#[case::no_metric("metric", "\"\"", "plain name")]
#[case::query("metric", "\"x[1m] || y\"", "plain name")]
// Below nothing no alarm fires.
#[case::zero("below", "0", "above 0")]
#[case::negative("below", "-1.5", "above 0")]
#[case::nan("below", "nan", "above 0")]
#[case::infinite("below", "inf", "above 0")]
// Both services count in minutes.
#[case::seconds("window", "\"90s\"", "whole minutes")]
#[case::no_time("window", "\"0m\"", "whole minutes")]
#[case::more_than_a_day("window", "\"25h\"", "24h")]
#[case::no_duration("window", "\"soon\"", "no duration")]
#[case::rare("repeat", "\"721h\"", "720h")]
fn a_pair_that_makes_no_sense_is_reported_with_its_key(
    #[case] key: &str,
    #[case] value: &str,
    #[case] part: &str,
) {
    refused_with(&pair_with(key, value), &["rule 2 of the policy", &format!("`pair.{key}"), part]);
}

#[rstest]
#[case::longest_window("window", "\"24h\"")]
#[case::shortest_window("window", "\"1m\"")]
#[case::rarest_repeat("repeat", "\"720h\"")]
#[case::longest_name("alarm", &format!("\"{}\"", "a".repeat(80)))]
#[case::fraction("below", "0.5")]
fn a_pair_at_the_limits_is_accepted(#[case] key: &str, #[case] value: &str) {
    policy(&pair_with(key, value));
}

#[rstest]
#[case::empty("alarm = \"\"")]
#[case::blank("alarm = \" \"")]
#[case::no_globs("alarm = []")]
#[case::empty_globs("alarm = [\"\", \"\"]")]
fn a_rule_for_no_alarm_is_refused(#[case] alarm: &str) {
    refused_with(
        &format!("[[rule]]\n{alarm}\naxis = \"shape\""),
        &["rule 1 of the policy", "`alarm` is empty"],
    );
}

#[test]
fn bounds_that_make_no_sense_are_reported_where_they_are() {
    refused_with("[defaults]\ninstances = { min = 0, max = 3 }", &["`instances.min = 0`", "defaults"]);
    refused_with(
        "[defaults]\nbandwidth = { min = 9, max = 30 }",
        &["min = 9", "defaults", "10 to 8000 Mbps"],
    );
}

/// A flexible shape with one key replaced, in a policy that has a good one before it.
fn flex_with(key: &str, value: &str) -> String {
    let keys = [
        ("shape", "\"mine.Flex\""),
        ("ocpus", "{ min = 1, max = 8 }"),
        ("memory_gib", "{ min = 8, max = 128 }"),
        ("vcpus_per_ocpu", "2"),
        ("price_per_ocpu", "0.5"),
        ("price_per_gib", "0.25"),
    ];
    let keys = keys.map(|(known, usual)| format!("{known} = {}", if known == key { value } else { usual }));
    format!(
        "[[flex]]\nshape = \"good.Flex\"\nocpus = {{ min = 1, max = 1 }}\nmemory_gib = {{ min = 6, max = 6 }}\n\
         [[flex]]\n{}\n",
        keys.join("\n")
    )
}

#[rstest]
#[case::no_cores("ocpus", "{ min = 0, max = 8 }", "`ocpus = { min = 0, max = 8 }`: expected 1 or more")]
#[case::cores_the_wrong_way("ocpus", "{ min = 9, max = 8 }", "in order")]
#[case::no_memory("memory_gib", "{ min = 0, max = 8 }", "`memory_gib = { min = 0, max = 8 }`")]
#[case::memory_the_wrong_way("memory_gib", "{ min = 9, max = 8 }", "in order")]
#[case::no_threads("vcpus_per_ocpu", "0", "`vcpus_per_ocpu = 0`")]
#[case::price_of_a_core("price_per_ocpu", "-0.1", "price")]
#[case::price_of_memory("price_per_gib", "nan", "price")]
fn a_flexible_shape_that_makes_no_sense_is_reported_with_its_name(
    #[case] key: &str,
    #[case] value: &str,
    #[case] part: &str,
) {
    refused_with(&flex_with(key, value), &["flexible shape `mine.Flex`", part]);
}

#[rstest]
#[case::targets("targets = [\"endpoint/*\", \"\"]", &["`targets` 2: it is empty", "expected a glob on targets"])]
#[case::topics("topics = [\" \"]", &["`topics` 1: it is empty", "expected a glob on the ids of topics"])]
#[case::short("accounts = [\"11112222333\"]", &["`accounts`", "`11112222333` is not an account", "expected 12 digits"])]
#[case::long("accounts = [\"1111222233334\"]", &["`1111222233334` is not an account"])]
#[case::glob("accounts = [\"111122223333\", \"11112222*\"]", &["`11112222*` is not an account"])]
#[case::empty("accounts = [\"\"]", &["`` is not an account"])]
// Twelve digits, but none that an account is written in.
#[case::other_digits("accounts = [\"١١١١٢٢٢٢٣٣٣٣\"]", &["is not an account"])]
fn a_list_that_makes_no_sense_is_reported_with_its_key(#[case] text: &str, #[case] parts: &[&str]) {
    refused_with(text, parts);
}

fn notifying(to: &str) -> String {
    format!("[[notify]]\nto = \"{to}\"")
}

#[rstest]
#[case::ons("ocid1.onstopic.oc1.iad.example")]
// Some realms and older topics name no region.
#[case::no_region("ocid1.onstopic.oc1..example")]
#[case::sns("arn:aws:sns:us-east-1:111122223333:people")]
#[case::partition("arn:aws-us-gov:sns:us-gov-west-1:111122223333:people_2-b")]
#[case::https("https://example.org/hook?key=1")]
#[case::port("https://example.org:8443/hook")]
#[case::bare("https://example.org")]
// Nobody listens between a process and its own machine.
#[case::loopback("http://127.0.0.1:8080/hook")]
#[case::localhost("http://localhost/hook")]
#[case::ipv6("http://[::1]:8080/hook")]
fn a_destination_is_accepted(#[case] to: &str) {
    assert_eq!(policy(&notifying(to)).notify.len(), 1);
}

#[rstest]
#[case::scheme("ftp://example.org/SECRET", &["notify 1", "`to`: expected a topic's", "`https://`"])]
#[case::no_scheme("hooks.slack.com/services/SECRET", &["expected a topic's OCID or ARN"])]
#[case::backslashes(r"https:\\\\hooks.slack.com\\SECRET", &["expected a topic's OCID or ARN"])]
#[case::upper("HTTPS://example.org/SECRET", &["expected a topic's OCID or ARN"])]
#[case::empty("", &["expected a topic's OCID or ARN"])]
#[case::http("http://example.org/SECRET", &["`http://example.org/…` can be read on its way"])]
// Neither of these is this machine.
#[case::like_loopback("http://127.0.0.1.example.org/SECRET", &["can be read on its way"])]
#[case::login_as_loopback("http://127.0.0.1:80@example.org/SECRET", &["`http://example.org/…` holds a user's name"])]
#[case::login("https://me:SECRET@example.org/", &["`https://example.org/` holds a user's name"])]
#[case::no_host("https:///SECRET", &["has no host"])]
#[case::port("https://example.org:0/SECRET", &["has no host"])]
#[case::space("https://example.org/SECRET here", &["has a character in it"])]
#[case::fragment("https://example.org/SECRET#part", &["has a character in it"])]
// Other resources of the same clouds.
#[case::oci_alarm("ocid1.alarm.oc1.iad.example", &["expected a topic's OCID"])]
#[case::oci_short("ocid1.onstopic.oc1.iad", &["expected a topic's OCID"])]
#[case::oci_blank("ocid1.onstopic.oc1.iad.", &["expected a topic's OCID"])]
#[case::sqs("arn:aws:sqs:us-east-1:111122223333:people", &["expected the ARN of a standard SNS topic"])]
#[case::subscription("arn:aws:sns:us-east-1:111122223333:people:1", &["expected the ARN of a standard SNS topic"])]
#[case::account("arn:aws:sns:us-east-1:1111:people", &["expected the ARN of a standard SNS topic"])]
#[case::region("arn:aws:sns::111122223333:people", &["expected the ARN of a standard SNS topic"])]
#[case::no_name("arn:aws:sns:us-east-1:111122223333:", &["expected the ARN of a standard SNS topic"])]
#[case::fifo("arn:aws:sns:us-east-1:111122223333:people.fifo", &["expected the ARN of a standard SNS topic"])]
fn a_destination_that_makes_no_sense_is_reported_without_its_secret(
    #[case] to: &str,
    #[case] parts: &[&str],
) {
    let text = notifying(to);
    refused_with(&text, parts);
    assert!(!Policy::parse(&text).unwrap_err().to_string().contains("SECRET"));
}

#[rstest]
#[case::key("[[notify]]\nto = \"https://a.org\"\nfrom = \"slack\"", &["line 3", "`from`", "did you mean `form`?"])]
#[case::form("[[notify]]\nto = \"https://a.org\"\nform = \"slak\"", &["line 3", "did you mean `slack`?"])]
#[case::on("[[notify]]\nto = \"https://a.org\"\non = [\"fail\"]", &["line 3", "did you mean `failed`?"])]
#[case::on_nothing("[[notify]]\nto = \"https://a.org\"\non = []", &["notify 1", "`on` is empty"])]
#[case::no_to("[[notify]]\nform = \"slack\"", &["line 1", "missing field `to`"])]
// The second is meant.
#[case::slack_topic(
    "[[notify]]\nto = \"https://a.org\"\n[[notify]]\nto = \"ocid1.onstopic.oc1.iad.a\"\nform = \"slack\"",
    &["notify 2", "`form = \"slack\"`", "`to` is a topic"]
)]
// Addresses at wrong places: what the reader of TOML reports of them has their hosts alone.
#[case::no_table("notify = \"https://hooks.slack.com/SECRET\"", &["line 1", "`notify`", "https://hooks.slack.com/…"])]
#[case::list("notify = [\"https://me:SECRET@hooks.slack.com/SECRET\"]", &["line 1", "https://hooks.slack.com/…"])]
#[case::as_form("[[notify]]\nto = \"https://a.org\"\nform = \"https://b.org/SECRET\"", &["line 3", "https://b.org/…"])]
#[case::as_key("[[notify]]\n\"https://a.org/SECRET\" = 1", &["line 2", "https://a.org/…"])]
fn an_entry_that_makes_no_sense_is_reported(#[case] text: &str, #[case] parts: &[&str]) {
    refused_with(text, parts);
    assert!(!Policy::parse(text).unwrap_err().to_string().contains("SECRET"));
}

/// A rule for these alarms, and the name of its pair.
fn answering(alarm: &str, pair: Option<&str>, keys: &str) -> String {
    let pair = pair.map_or_else(String::new, |pair| {
        format!("pair = {{ alarm = \"{pair}\", metric = \"CpuUtilization\", below = 10, window = \"5m\" }}\n")
    });
    format!("[[rule]]\nalarm = {alarm}\naxis = \"instances\"\n{keys}\n{pair}")
}

#[rstest]
#[case::its_own(&[answering("\"load\"", Some("load"), "")], &["rule 1 of the policy", "also the `pair.alarm` of rule 1 of the policy"])]
// Names are compared without regard to case.
#[case::any_case(&[answering("\"Load\"", Some("load"), "")], &["line 2", "`alarm = \"Load\"`", "also the `pair.alarm` of rule 1 of the policy"])]
#[case::among_several(&[answering("[\"*busy\", \"load\"]", Some("load"), "")], &["`alarm = \"load\"`"])]
#[case::by_steps(&[answering("\"load\"", Some("load"), "steps = [{ above = 0, add = 1 }]")], &["`pair.alarm`"])]
#[case::tracking(&[answering("\"load\"", Some("load"), "track = 50")], &["also the `pair.alarm` of rule 1 of the policy"])]
#[case::another_rules(
    &[answering("\"busy\"", Some("load"), ""), answering("\"load\"", None, "step = 2")],
    &["line 7", "rule 2 of the policy", "also the `pair.alarm` of rule 1 of the policy", "another name"]
)]
// Whichever comes first: a pair never adds.
#[case::a_later_rules(
    &[answering("\"load\"", None, ""), answering("\"busy\"", Some("load"), "")],
    &["rule 1 of the policy", "also the `pair.alarm` of rule 2 of the policy"]
)]
#[case::tracked_after_it(
    &[answering("\"busy\"", Some("load"), ""), answering("\"load\"", None, "track = 50")],
    &["rule 2 of the policy", "also the `pair.alarm` of rule 1 of the policy"]
)]
#[case::on_some_of_its_targets(
    &[answering("\"busy\"", Some("load"), "target = \"endpoint/*\""), answering("\"load\"", None, "target = \"endpoint/a/*\"")],
    &["also the `pair.alarm` of rule 1 of the policy"]
)]
#[case::built_in(
    &[answering("\"model_deployment_low_cpu\"", None, "")],
    &["rule 1 of the policy", "also the `pair.alarm` of a built-in rule"]
)]
fn a_rule_that_adds_by_the_name_of_a_paired_alarm_is_refused(
    #[case] rules: &[String],
    #[case] parts: &[&str],
) {
    refused_with(&rules.concat(), parts);
}

#[rstest]
// The name of a pair counts before a glob that happens to match it.
#[case::glob(&[answering("\"*\"", Some("load"), "")])]
#[case::letter(&[answering("\"loa?\"", Some("load"), "")])]
#[case::another_rules_glob(&[answering("\"busy\"", Some("load"), ""), answering("\"load*\"", None, "step = 2")])]
// One's own answer to a scale-down alarm.
#[case::takes_back(&[answering("\"busy\"", Some("load"), ""), answering("\"load\"", None, "step = -1")])]
#[case::takes_back_itself(&[answering("\"load\"", Some("load"), "step = -1")])]
// What may go either way is answered as it is measured, where its rule comes first.
#[case::tracked(&[answering("\"load\"", None, "track = 50"), answering("\"busy\"", Some("load"), "")])]
#[case::other_targets(
    &[answering("\"busy\"", Some("load"), "target = \"ocid1.*\""), answering("\"load\"", None, "target = \"endpoint/*\"")]
)]
fn the_name_of_a_paired_alarm_may_be_answered_otherwise(#[case] rules: &[String]) {
    policy(&rules.concat());
}

#[rstest]
#[case::no_rungs("[]", "no rungs")]
#[case::twice(
    "[{ shape = \"a\", vcpus = 1, memory_gib = 1 }, { shape = \"a\", vcpus = 2, memory_gib = 2 }]",
    "`a` is on it twice"
)]
#[case::no_vcpus("[{ shape = \"a\", vcpus = 0, memory_gib = 1 }]", "`vcpus`")]
#[case::no_memory("[{ shape = \"a\", vcpus = 1, memory_gib = 0 }]", "`memory_gib`")]
#[case::odd_memory("[{ shape = \"a\", vcpus = 1, memory_gib = nan }]", "`memory_gib`")]
#[case::odd_price("[{ shape = \"a\", vcpus = 1, memory_gib = 1, price = -1 }]", "`price`")]
fn a_ladder_that_makes_no_sense_is_reported_with_its_name(#[case] rungs: &str, #[case] part: &str) {
    refused_with(&format!("[[ladder]]\nname = \"mine\"\nrungs = {rungs}"), &["ladder `mine`", part]);
}

// ---- every key has an effect ----

/// What a notice about the OCI deployment leads to.
fn outcome_with(text: &str, notice: &Notice) -> Outcome {
    send(notice, &cloud(), &policy(text))
}

fn instances_after(outcome: &Outcome) -> u32 {
    match &outcome.decision {
        Decision::Resize { to, .. } => to.instances,
        Decision::Hold(hold) => panic!("{hold:?}"),
    }
}

#[test]
fn mode() {
    let result = |text| report::record(&outcome_with(text, &notice(HIGH_CPU, CHURN)))["result"].clone();
    assert_eq!(
        [result(""), result("mode = \"act\""), result("mode = \"observe\"")],
        ["applied", "applied", "dry_run"]
    );
}

#[test]
fn a_record_shows_that_no_call_is_sent() {
    let mode = |text: &str, alarm| report::record(&outcome_with(text, &notice(alarm, CHURN)))["mode"].clone();
    let observes = "mode = \"observe\"";
    let table = format!("{observes}\n[[target]]\ntarget = \"*churn\"\nmode = \"act\"");
    let rows = [
        // one that sends its calls has no such field
        (mode("", HIGH_CPU), Value::Null),
        (mode(observes, HIGH_CPU), json!("observe")),
        // also where nothing is observed, because no rule matches
        (mode(observes, "unknown"), json!("observe")),
        (mode(&table, HIGH_CPU), Value::Null),
        (mode(&table, "unknown"), Value::Null),
    ];
    for (found, expected) in rows {
        assert_eq!(found, expected);
    }
}

#[rstest]
#[case::everything("", "resize")]
#[case::this_one("targets = [\"endpoint/*\", \"*churn\"]", "resize")]
#[case::others("targets = [\"endpoint/*\"]", "not_allowed")]
#[case::none("targets = []", "not_allowed")]
fn targets(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(reason(&outcome_with(text, &notice(HIGH_CPU, CHURN))), expected);
}

/// The ways on which one alarm message may arrive.
#[derive(Debug, Clone, Copy)]
enum Arrival {
    /// In an SNS record, through this topic.
    Sns(&'static str),
    /// In an SNS record that does not name its topic.
    SnsOfNoTopic,
    /// In an SNS envelope, as an SQS body or an HTTP delivery.
    Envelope(&'static str),
    Queued(&'static str),
    /// In SQS without an envelope.
    Raw,
    /// By the alarm's own action on the function, or through EventBridge.
    Action,
    Event,
}

fn arriving(arrival: Arrival) -> Value {
    let message = notice(HIGH_CPU, VARIANT).message().to_string();
    let envelope = |topic| json!({ "Type": "Notification", "TopicArn": topic, "Message": message });
    let record = |sns| json!({ "Records": [{ "EventSource": "aws:sns", "Sns": sns }] });
    let sample = |text: &str| serde_json::from_str(text).unwrap();
    match arrival {
        Arrival::Sns(topic) => record(json!({ "TopicArn": topic, "Message": message })),
        Arrival::SnsOfNoTopic => record(json!({ "Message": message })),
        Arrival::Envelope(topic) => envelope(topic),
        Arrival::Queued(topic) => batch(&[("m", envelope(topic).to_string().as_bytes())]),
        Arrival::Raw => batch(&[("m", message.as_bytes())]),
        Arrival::Action => sample(include_str!("../../events/cloudwatch/action.high-cpu.firing.json")),
        Arrival::Event => sample(include_str!("../../events/cloudwatch/event.high-cpu.firing.json")),
    }
}

/// What becomes of a payload, and why.
fn outcome_of(payload: &Value, text: &str) -> (&'static str, String) {
    let mut answer = answer(payload.to_string().as_bytes(), &cloud(), &policy(text), at(0));
    let outcome = answer.outcomes.remove(0);
    (reason(&outcome), report::explanation(&outcome))
}

const OTHERS: &str = "arn:aws:sns:us-east-1:111122223333:others";

#[rstest]
#[case::everything("", Arrival::Sns(OTHERS), "resize")]
#[case::this_one("topics = [\"*:others\", \"*:stepladder-*\"]", Arrival::Sns(TOPIC_ARN), "resize")]
#[case::other("topics = [\"*:stepladder-*\"]", Arrival::Sns(OTHERS), "not_allowed")]
#[case::none("topics = []", Arrival::Sns(TOPIC_ARN), "not_allowed")]
// The whole ARN, not a part of it, and as it is spelled.
#[case::part("topics = [\"stepladder-alarms\"]", Arrival::Sns(TOPIC_ARN), "not_allowed")]
#[case::any_case("topics = [\"*:STEPLADDER-*\"]", Arrival::Sns(TOPIC_ARN), "not_allowed")]
#[case::queued("topics = [\"*:stepladder-*\"]", Arrival::Queued(TOPIC_ARN), "resize")]
#[case::queued_other("topics = [\"*:stepladder-*\"]", Arrival::Queued(OTHERS), "not_allowed")]
#[case::envelope("topics = [\"*:stepladder-*\"]", Arrival::Envelope(TOPIC_ARN), "resize")]
#[case::envelope_other("topics = [\"*:stepladder-*\"]", Arrival::Envelope(OTHERS), "not_allowed")]
// It came through a topic and does not name it.
#[case::unnamed("topics = [\"arn:*\"]", Arrival::SnsOfNoTopic, "not_allowed")]
// What came through no topic that is known of is not subject to the list.
#[case::raw("topics = []", Arrival::Raw, "resize")]
#[case::action("topics = []", Arrival::Action, "resize")]
#[case::event("topics = []", Arrival::Event, "resize")]
fn topics(#[case] text: &str, #[case] arrival: Arrival, #[case] expected: &str) {
    assert_eq!(outcome_of(&arriving(arrival), text).0, expected);
}

#[rstest]
#[case::everything("", Arrival::Sns(TOPIC_ARN), "resize")]
#[case::this_one("accounts = [\"444455556666\", \"111122223333\"]", Arrival::Sns(TOPIC_ARN), "resize")]
#[case::none("accounts = []", Arrival::Sns(TOPIC_ARN), "not_allowed")]
#[case::sns("accounts = [\"444455556666\"]", Arrival::Sns(TOPIC_ARN), "not_allowed")]
#[case::queued("accounts = [\"444455556666\"]", Arrival::Queued(TOPIC_ARN), "not_allowed")]
#[case::raw("accounts = [\"444455556666\"]", Arrival::Raw, "not_allowed")]
#[case::action("accounts = [\"444455556666\"]", Arrival::Action, "not_allowed")]
#[case::event("accounts = [\"444455556666\"]", Arrival::Event, "not_allowed")]
#[case::allowed_raw("accounts = [\"111122223333\"]", Arrival::Raw, "resize")]
#[case::allowed_action("accounts = [\"111122223333\"]", Arrival::Action, "resize")]
#[case::allowed_event("accounts = [\"111122223333\"]", Arrival::Event, "resize")]
fn accounts(#[case] text: &str, #[case] arrival: Arrival, #[case] expected: &str) {
    assert_eq!(outcome_of(&arriving(arrival), text).0, expected);
}

#[test]
fn an_alarm_of_no_account_is_of_none_that_is_listed() {
    let mut message = notice(HIGH_CPU, VARIANT).message();
    message["AlarmArn"] = Value::Null;
    assert_eq!(outcome_of(&message, "").0, "resize");
    let (reason, because) = outcome_of(&message, "accounts = [\"111122223333\"]");
    assert_eq!(reason, "not_allowed");
    assert_eq!(because, "the policy's `accounts` do not include an alarm that names none");
    // OCI's alarms name no account and are not subject to the list.
    let oci = notice(HIGH_CPU, CHURN).message();
    assert_eq!(outcome_of(&oci, "accounts = []").0, "resize");
}

#[rstest]
#[case::targets(
    "targets = [\"x\"]",
    "the policy's `targets` do not include `endpoint/churn/variant/AllTraffic`"
)]
#[case::topics(
    "topics = []",
    "the policy's `topics` do not include `arn:aws:sns:us-east-1:111122223333:stepladder-alarms`"
)]
#[case::accounts("accounts = []", "the policy's `accounts` do not include `111122223333`")]
fn what_is_not_allowed_is_reported_with_its_list(#[case] text: &str, #[case] expected: &str) {
    let outcome = send(&notice(HIGH_CPU, VARIANT), &cloud(), &policy(text));
    assert_eq!(report::explanation(&outcome), expected);
    assert!(outcome.observed.is_none(), "nothing is even read");
    let last = outcome.checks.last().unwrap();
    assert!(last.blocked && expected.contains(last.input.clone().as_str()), "{last:?}");
}

#[test]
fn the_clock_is_subject_to_neither_list() {
    // It reads the alarms of the function's own account.
    let cloud = cloud();
    on(&cloud, VARIANT, |found| found.metrics.insert("CPUUtilization".to_owned(), 390.0));
    cloud.advance(minute(30));
    let outcomes = answer(TICK, &cloud, &policy("topics = []\naccounts = []"), minute(30)).outcomes;
    assert!(outcomes.iter().any(|outcome| reason(outcome) == "resize"), "{outcomes:?}");
}

#[rstest]
#[case::one_to_ten("", "resize")]
#[case::at_most_one("[defaults]\ninstances = { min = 1, max = 1 }", "at_ceiling")]
// It is for the built-in rules and for those of the policy that have none of their own.
#[case::own_rule(
    "[defaults]\ninstances = { min = 1, max = 1 }\n[[rule]]\nalarm = \"*\"\naxis = \"instances\"",
    "at_ceiling"
)]
fn defaults_instances(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(reason(&outcome_with(text, &notice(HIGH_CPU, CHURN))), expected);
}

/// A change was completed at the beginning, and the alarm fired a minute after it.
fn a_minute_after_a_change(text: &str) -> &'static str {
    let cloud = cloud();
    on(&cloud, CHURN, |found| found.last_change = Some(at(0)));
    reason(&send(&notice(HIGH_CPU, CHURN).at(at(60)), &cloud, &policy(text)))
}

#[test]
fn defaults_fresh() {
    let reasons = ["", "[defaults]\nevidence = \"window\"", "[defaults]\nevidence = \"fired\""]
        .map(a_minute_after_a_change);
    assert_eq!(reasons, ["stale", "stale", "resize"]);
}

#[test]
fn rule_fresh() {
    let with = |default: &str, own: &str| {
        let rule = "[[rule]]\nalarm = \"*high_cpu\"\naxis = \"instances\"\n";
        a_minute_after_a_change(&format!("[defaults]\nevidence = \"{default}\"\n{rule}{own}"))
    };
    assert_eq!(with("window", ""), "stale");
    assert_eq!(with("window", "evidence = \"fired\""), "resize");
    assert_eq!(with("fired", "evidence = \"window\""), "stale");
}

#[rstest]
#[case::one("\"disk_*\"", "resize")]
#[case::several("[\"queue_*\", \"disk_*\"]", "resize")]
// Names are compared without regard to case.
#[case::any_case("\"DISK_FULL\"", "resize")]
// The whole name, not a part of it.
#[case::part("\"disk\"", "no_rule")]
#[case::others("[\"queue_*\"]", "no_rule")]
fn rule_alarm(#[case] alarm: &str, #[case] expected: &str) {
    let text = format!("[[rule]]\nalarm = {alarm}\naxis = \"instances\"");
    assert_eq!(reason(&outcome_with(&text, &Notice::new("Disk_Full", CHURN))), expected);
}

#[rstest]
#[case::this_one("*churn", "resize")]
#[case::others("endpoint/*", "no_rule")]
fn rule_target(#[case] target: &str, #[case] expected: &str) {
    let text = format!("[[rule]]\nalarm = \"disk_full\"\ntarget = \"{target}\"\naxis = \"instances\"");
    assert_eq!(reason(&outcome_with(&text, &Notice::new("disk_full", CHURN))), expected);
}

#[rstest]
#[case("instances", Axis::Instances, 2, "VM.Standard2.1")]
#[case("shape", Axis::Shape, 1, "VM.Standard2.2")]
#[case("bandwidth", Axis::Bandwidth, 1, "VM.Standard2.1")]
fn rule_axis(#[case] key: &str, #[case] axis: Axis, #[case] instances: u32, #[case] shape: &str) {
    let text = format!("[[rule]]\nalarm = \"*high_cpu\"\naxis = \"{key}\"");
    let outcome = outcome_with(&text, &notice(HIGH_CPU, CHURN));
    let Decision::Resize { axis: along, to, .. } = &outcome.decision else {
        panic!("{:?}", outcome.decision)
    };
    assert_eq!((*along, to.instances, to.shape.as_str()), (axis, instances, shape));
}

#[rstest]
#[case("", HIGH_CPU, 5)]
#[case("step = 3", HIGH_CPU, 7)]
#[case("step = -2", LOW_CPU, 2)]
fn rule_step(#[case] key: &str, #[case] alarm: &str, #[case] expected: u32) {
    let policy = policy(&format!("[[rule]]\nalarm = \"*_cpu\"\naxis = \"instances\"\n{key}"));
    let notice = notice(alarm, CHURN).value(20.0);
    let outcome = send(&notice, &cloud_with(CHURN, 4, "VM.Standard2.1"), &policy);
    assert_eq!(instances_after(&outcome), expected);
}

#[rstest]
#[case::up("VM.Standard2.1", HIGH_MEM, Some("VM.Standard2.4"))]
#[case::down("VM.Standard2.8", LOW_MEM, Some("VM.Standard2.2"))]
// It stops at the ends.
#[case::up_to_the_top("VM.Standard2.16", HIGH_MEM, Some("VM.Standard2.24"))]
#[case::down_to_the_bottom("VM.Standard2.2", LOW_MEM, Some("VM.Standard2.1"))]
#[case::at_the_top("VM.Standard2.24", HIGH_MEM, None)]
fn a_step_of_several_rungs(#[case] from: &str, #[case] alarm: &str, #[case] expected: Option<&str>) {
    let text = "[[rule]]\nalarm = \"*high_mem\"\naxis = \"shape\"\nstep = 2\n\
                [[rule]]\nalarm = \"*low_mem\"\naxis = \"shape\"\nstep = -2";
    let cloud = cloud_with(CHURN, 1, from);
    on(&cloud, CHURN, |found| found.metrics.insert("CpuUtilization".to_owned(), 11.0));
    let outcome = send(&notice(alarm, CHURN), &cloud, &policy(text));
    let to = match &outcome.decision {
        Decision::Resize { to, .. } => Some(to.shape.as_str()),
        Decision::Hold(_) => None,
    };
    assert_eq!(to, expected);
}

#[rstest]
#[case("", "resize")]
#[case("instances = { min = 1, max = 1 }", "at_ceiling")]
fn rule_instances(#[case] key: &str, #[case] expected: &str) {
    // It goes before the default.
    let text = format!(
        "[defaults]\ninstances = {{ min = 1, max = 5 }}\n[[rule]]\nalarm = \"*high_cpu\"\naxis = \"instances\"\n{key}"
    );
    assert_eq!(reason(&outcome_with(&text, &notice(HIGH_CPU, CHURN))), expected);
}

#[rstest]
#[case::ten_to_eight_thousand("", "", Ok(40))]
#[case::of_all_rules("[defaults]\nbandwidth = { min = 10, max = 30 }", "", Ok(30))]
#[case::at_the_top("[defaults]\nbandwidth = { min = 10, max = 20 }", "", Err("at_ceiling"))]
// A rule's own goes before the default.
#[case::own("[defaults]\nbandwidth = { min = 10, max = 20 }", "bandwidth = { min = 10, max = 35 }", Ok(35))]
fn defaults_bandwidth_and_rule_bandwidth(
    #[case] defaults: &str,
    #[case] own: &str,
    #[case] expected: Result<u32, &str>,
) {
    let text = format!("{defaults}\n[[rule]]\nalarm = \"*high_bandwidth\"\naxis = \"bandwidth\"\n{own}");
    let cloud = cloud();
    on(&cloud, CHURN, |found| found.bandwidth_mbps = Some(20));
    let outcome = send(&notice(HIGH_BANDWIDTH, CHURN), &cloud, &policy(&text));
    let found = match &outcome.decision {
        Decision::Resize { to, .. } => Ok(to.bandwidth_mbps.unwrap()),
        Decision::Hold(hold) => Err(hold.reason()),
    };
    assert_eq!(found, expected);
}

/// The pair that is written on the way up, with one key of its own.
fn oci_pair(key: &str, value: &str) -> OciAlarm {
    let text = pair_with(key, value).replace("\"b\"", "\"*high_cpu\"");
    let outcome = outcome_with(&text, &notice(HIGH_CPU, CHURN));
    let Call::Oci(OciCall::CreateAlarm { alarm, .. }) = &outcome.calls[0].call else {
        panic!("no alarm is created first")
    };
    (**alarm).clone()
}

fn variants_pair(key: &str, value: &str) -> CloudwatchAlarm {
    let text = pair_with(key, value).replace("\"b\"", "\"*high_cpu\"");
    let outcome = outcome_with(&text, &notice(HIGH_CPU, VARIANT));
    let Call::Aws(AwsCall::PutMetricAlarm(alarm)) = &outcome.calls[0].call else {
        panic!("no alarm is put first")
    };
    (**alarm).clone()
}

#[test]
fn pair_alarm() {
    assert_eq!(oci_pair("alarm", "\"calm\"").name, "calm");
    assert_eq!(oci_pair("alarm", "\"calm\"").tags["stepladder:pair"], "calm");
    assert_eq!(variants_pair("alarm", "\"calm\"").name, format!("stepladder/{VARIANT}/calm"));
}

#[test]
fn pair_metric() {
    // In either cloud's spelling.
    for written in ["\"CpuUtilization\"", "\"CPUUtilization\""] {
        assert!(oci_pair("metric", written).query.starts_with("CpuUtilization[5m]"));
        let alarm = variants_pair("metric", written);
        assert_eq!(
            (alarm.metric.as_str(), alarm.namespace.as_ref()),
            ("CPUUtilization", "/aws/sagemaker/Endpoints")
        );
    }
    let alarm = variants_pair("metric", "\"InvocationsPerInstance\"");
    assert_eq!(
        (alarm.metric.as_str(), alarm.namespace.as_ref()),
        ("InvocationsPerInstance", "AWS/SageMaker")
    );
    assert!(oci_pair("metric", "\"PredictLatency\"").query.starts_with("PredictLatency[5m]"));
}

#[test]
fn pair_below() {
    assert!(oci_pair("below", "12.5").query.ends_with("< 12.5"));
    assert!((variants_pair("below", "12.5").threshold - 12.5).abs() < f64::EPSILON);
}

#[test]
fn pair_window() {
    assert!(oci_pair("window", "\"60m\"").query.starts_with("MemoryUtilization[60m]"));
    assert!(oci_pair("window", "\"2h\"").query.starts_with("MemoryUtilization[2h]"));
    let alarm = variants_pair("window", "\"15m\"");
    assert_eq!(alarm.period * alarm.evaluation_periods, 900);
}

#[test]
fn pair_repeat() {
    assert_eq!(oci_pair("repeat", "\"20m\"").repeat.as_deref(), Some("PT20M"));
    // Without it, as often as the window is long.
    let text = "[[rule]]\nalarm = \"*high_cpu\"\naxis = \"instances\"\n\
                pair = { alarm = \"low\", metric = \"PredictLatency\", below = 1, window = \"7m\" }";
    let outcome = outcome_with(text, &notice(HIGH_CPU, CHURN));
    let Call::Oci(OciCall::CreateAlarm { alarm, .. }) = &outcome.calls[0].call else {
        panic!("no alarm is created first")
    };
    assert_eq!(alarm.repeat.as_deref(), Some("PT7M"));
}

/// A ladder of two rungs, one key of the first set to this.
fn ladder_with(key: &str, value: &str) -> String {
    let rung = [
        ("shape", "\"mine.1\""),
        ("vcpus", "2"),
        ("memory_gib", "4"),
        ("gpus", "1"),
        ("accelerator", "\"A10\""),
        ("gpu_memory_gib", "24"),
        ("price", "0.5"),
    ]
    .map(|(known, usual)| format!("{known} = {}", if known == key { value } else { usual }));
    let name = if key == "name" { value } else { "\"mine\"" };
    let second = "{ shape = \"mine.2\", vcpus = 4, memory_gib = 8 }";
    format!("[[ladder]]\nname = {name}\nrungs = [{{ {} }}, {second}]\n", rung.join(", "))
}

#[test]
fn ladder_name() {
    let policy = policy(&ladder_with("name", "\"yours\""));
    let outcome = send(&notice(HIGH_MEM, CHURN), &cloud_with(CHURN, 1, "mine.2"), &policy);
    assert!(
        report::explanation(&outcome).contains("last rung of ladder `yours`"),
        "{}",
        report::explanation(&outcome)
    );
}

#[test]
fn ladder_rungs_shape() {
    let up_from = |shape: &str, text: &str| {
        let outcome = send(&notice(HIGH_MEM, CHURN), &cloud_with(CHURN, 1, shape), &policy(text));
        report::record(&outcome)["decision"].clone()
    };
    assert_eq!(up_from("mine.1", "")["reason"], "unlisted_shape");
    assert_eq!(up_from("mine.1", &ladder_with("", ""))["to"]["shape"], "mine.2");
    assert_eq!(up_from("other", &ladder_with("shape", "\"other\""))["to"]["shape"], "mine.2");
}

#[rstest]
#[case::usual("", "", Ok("mine.Flex:4:32"))]
#[case::shape("shape", "\"other.Flex\"", Err("unlisted_shape"))]
#[case::ocpus("ocpus", "{ min = 1, max = 3 }", Ok("mine.Flex:3:32"))]
#[case::memory("memory_gib", "{ min = 8, max = 24 }", Ok("mine.Flex:4:24"))]
// Cores at their end, memory not.
#[case::memory_alone("ocpus", "{ min = 1, max = 2 }", Ok("mine.Flex:2:32"))]
fn flex(#[case] key: &str, #[case] value: &str, #[case] expected: Result<&str, &str>) {
    let cloud = cloud_with(CHURN, 1, "mine.Flex");
    on(&cloud, CHURN, |found| found.flex = Some(Flex { ocpus: 2, memory_gib: 16 }));
    let outcome = send(&notice(HIGH_MEM, CHURN), &cloud, &policy(&flex_with(key, value)));
    let found = match &outcome.decision {
        Decision::Resize { to, .. } => Ok(to.rung().into_owned()),
        Decision::Hold(hold) => Err(hold.reason()),
    };
    assert_eq!(found, expected.map(str::to_owned));
}

#[rstest]
#[case("vcpus_per_ocpu", "4", "vcpus", json!(8))]
#[case("price_per_ocpu", "2", "price", json!(8.0))]
#[case("price_per_gib", "2", "price", json!(33.0))]
fn flex_of_its_rungs(
    #[case] key: &str,
    #[case] value: &str,
    #[case] resource: &str,
    #[case] expected: Value,
) {
    let rung = |text: &str| policy(text).ladders.rung("mine.Flex:2:16").unwrap().into_owned();
    let offered = |rung: &Rung| if resource == "vcpus" { json!(rung.vcpus) } else { json!(rung.price) };
    assert_eq!(offered(&rung(&flex_with(key, value))), expected);
    assert_ne!(offered(&rung(&flex_with("", ""))), expected);
}

/// The threshold of a variant's pair on the first rung of the ladder.
fn threshold(metric: &str, ladder: &str) -> f64 {
    let text = format!(
        "{ladder}{}",
        pair_with("metric", &format!("\"{metric}\"")).replace("\"b\"", "\"*high_cpu\"")
    );
    let outcome = send(&notice(HIGH_CPU, VARIANT), &cloud_with(VARIANT, 1, "mine.1"), &policy(&text));
    let Call::Aws(AwsCall::PutMetricAlarm(alarm)) = &outcome.calls[0].call else {
        panic!("no alarm is put first")
    };
    alarm.threshold
}

#[rstest]
#[case::vcpus("CPUUtilization", "vcpus", "6", 60.0)]
#[case::gpus("GPUUtilization", "gpus", "8", 80.0)]
fn ladder_rungs_of_thresholds(
    #[case] metric: &str,
    #[case] key: &str,
    #[case] value: &str,
    #[case] expected: f64,
) {
    assert!((threshold(metric, &ladder_with(key, value)) - expected).abs() < f64::EPSILON);
    assert!((threshold(metric, &ladder_with("", "")) - expected).abs() > f64::EPSILON);
}

#[rstest]
#[case("shape", "\"other\"", json!("other"))]
#[case("vcpus", "6", json!(6))]
#[case("memory_gib", "4.5", json!(4.5))]
#[case("gpus", "3", json!(3))]
#[case("accelerator", "\"L4\"", json!("L4"))]
#[case("gpu_memory_gib", "22.4", json!(22.4))]
#[case("price", "1.25", json!(1.25))]
fn every_key_of_a_rung_is_listed(#[case] key: &str, #[case] value: &str, #[case] expected: Value) {
    let listed = |text: &str| shapes(text)["ladders"][0]["rungs"][0][key].clone();
    assert_eq!(listed(&ladder_with(key, value)), expected);
    assert_ne!(listed(&ladder_with("", "")), expected);
}

/// What `stepladder shapes` lists of the policy's own ladder.
fn shapes(text: &str) -> Value {
    let run = Command::new(env!("CARGO_BIN_EXE_stepladder"))
        .args(["shapes", "mine", "--format", "json"])
        .env("STEPLADDER_POLICY", text)
        .output()
        .unwrap();
    serde_json::from_slice(&run.stdout).unwrap()
}

// ---- which rule answers ----

#[test]
fn the_first_match_wins() {
    let text = "[[rule]]\nalarm = \"*cpu\"\naxis = \"instances\"\nstep = 2\n\
                [[rule]]\nalarm = \"*high_cpu\"\naxis = \"instances\"\nstep = 3";
    assert_eq!(instances_after(&outcome_with(text, &notice(HIGH_CPU, CHURN))), 3);
}

#[test]
fn a_rule_of_the_policy_goes_before_the_built_in_ones() {
    let text = "[[rule]]\nalarm = \"*high_cpu\"\ntarget = \"endpoint/*\"\naxis = \"instances\"\nstep = 4";
    assert_eq!(instances_after(&outcome_with(text, &notice(HIGH_CPU, VARIANT))), 5);
    assert_eq!(
        instances_after(&outcome_with(text, &notice(HIGH_CPU, CHURN))),
        2,
        "another target: the built-in one"
    );
    let (own, built_in) = policy(text).rule_counts();
    assert_eq!((own, policy("").rule_counts()), (1, (0, built_in)));
}

const UP: Direction = Direction::Up;
const DOWN: Direction = Direction::Down;

#[rstest]
// The guide's four names, exactly.
#[case("model_deployment_high_cpu", Axis::Instances, UP)]
#[case("model_deployment_low_cpu", Axis::Instances, DOWN)]
#[case("model_deployment_high_mem", Axis::Shape, UP)]
#[case("model_deployment_low_mem", Axis::Shape, DOWN)]
// As suffixes.
#[case("churn-model_deployment_high_cpu", Axis::Instances, UP)]
#[case("churn-model_deployment_low_mem", Axis::Shape, DOWN)]
// Even when the rest of the name contradicts it: a suffix goes before a word in between.
#[case("low_mem_model_deployment_high_cpu", Axis::Instances, UP)]
#[case("high_cpu_model_deployment_low_mem", Axis::Shape, DOWN)]
// The usual spellings.
#[case("churn-high-cpu", Axis::Instances, UP)]
#[case("churn-cpu-high-5m", Axis::Instances, UP)]
#[case("cpu_high", Axis::Instances, UP)]
#[case("team/churn/low-cpu", Axis::Instances, DOWN)]
#[case("cpu-low", Axis::Instances, DOWN)]
#[case("churn-high-memory", Axis::Shape, UP)]
#[case("memory-high", Axis::Shape, UP)]
#[case("mem_low", Axis::Shape, DOWN)]
#[case("churn-low-memory-warning", Axis::Shape, DOWN)]
// In any case.
#[case("model_deployment_high_bandwidth", Axis::Bandwidth, UP)]
#[case("churn-low-bandwidth-2", Axis::Bandwidth, DOWN)]
#[case("MODEL_DEPLOYMENT_HIGH_CPU", Axis::Instances, UP)]
#[case("Model_Deployment_Low_Mem", Axis::Shape, DOWN)]
#[case("ChurnHighCPU", Axis::Instances, UP)]
#[case("ChurnCpuLow", Axis::Instances, DOWN)]
#[case("ChurnMemoryHigh", Axis::Shape, UP)]
#[case("ChurnMemoryLow", Axis::Shape, DOWN)]
fn the_built_in_rules_know_the_usual_names(
    #[case] alarm: &str,
    #[case] axis: Axis,
    #[case] direction: Direction,
) {
    let policy = built_in();
    let target = oci::id::model_deployment(CHURN).unwrap();
    let matched = policy.rule_for(alarm, &target).unwrap();
    assert_eq!((matched.rule.axis, matched.direction()), (axis, Some(direction)));
    let pair = matched.rule.pair.as_ref().unwrap();
    let expected = match axis {
        Axis::Instances => ("model_deployment_low_cpu", "CpuUtilization"),
        Axis::Shape => ("model_deployment_low_mem", "MemoryUtilization"),
        Axis::Bandwidth => ("model_deployment_low_bandwidth", "PredictBandwidth"),
    };
    assert_eq!((pair.alarm.as_str(), pair.metric.as_str()), expected);
    assert_eq!((pair.below.to_string().as_str(), pair.window.as_mins(), pair.repeat.as_mins()), ("10", 5, 5));
    assert_eq!((matched.rule.is.instances.min, matched.rule.is.instances.max), (1, 10));
}

#[rstest]
#[case("disk_full")]
#[case("highest_cpus")]
#[case("model_deployment_high_bandwith")]
#[case("")]
fn other_names_have_no_rule(#[case] alarm: &str) {
    assert!(built_in().rule_for(alarm, &oci::id::model_deployment(CHURN).unwrap()).is_none());
}

#[rstest]
#[case::built_in("")]
// A pair whose own name has neither high nor low.
#[case::calm(
    "[[rule]]\nalarm = \"*high?cpu*\"\naxis = \"instances\"\n\
     pair = { alarm = \"calm\", metric = \"CpuUtilization\", below = 10, window = \"5m\" }"
)]
fn the_pair_of_an_endpoint_called_high_cpu_model_is_a_low_alarm(#[case] text: &str) {
    let id = "endpoint/high-cpu-model/variant/AllTraffic";
    let target = aws::id::variant("high-cpu-model", "AllTraffic").unwrap();
    let policy = policy(text);
    let cloud = SimulatedCloud::new(stepladder::platform::simulated::World::default());
    // It scales up, and the pair that it writes sends an alarm about the same endpoint later.
    let up = send(&Notice::new("high_cpu", id), &cloud, &policy);
    let Call::Aws(AwsCall::PutMetricAlarm(pair)) = &up.calls[0].call else { panic!("no alarm is put first") };
    let matched = policy.rule_for(&pair.name, &target).unwrap();
    assert_eq!((matched.rule.axis, matched.direction()), (Axis::Instances, Some(DOWN)));
    crate::support::pass(&cloud, 60);
    let down = send(&Notice::new(&pair.name, id).value(4.2).at(at(3600)), &cloud, &policy);
    assert_eq!(instances_after(&down), 1);
}

#[test]
fn a_pair_removes_as_much_as_its_rule_adds() {
    let text = "[[rule]]\nalarm = \"*high_cpu\"\naxis = \"instances\"\nstep = 3\n\
                pair = { alarm = \"calm\", metric = \"CpuUtilization\", below = 10, window = \"5m\" }";
    let policy = policy(text);
    for (id, alarm) in [(CHURN, "calm".to_owned()), (VARIANT, format!("stepladder/{VARIANT}/calm"))] {
        let shape = if id == CHURN { "VM.Standard2.1" } else { "ml.m5.xlarge" };
        let outcome = send(&Notice::new(&alarm, id).value(4.2), &cloud_with(id, 8, shape), &policy);
        assert_eq!(instances_after(&outcome), 5, "{id}");
    }
}

#[rstest]
// A glob that is wider than it was meant to be: the rule's own pair must not make it grow.
#[case::on_oci(CHURN, "calm_cpu")]
#[case::on_sagemaker(VARIANT, "stepladder/endpoint/churn/variant/AllTraffic/calm_cpu")]
fn a_rules_own_pair_never_adds(#[case] id: &str, #[case] alarm: &str) {
    let policy = policy(
        "[[rule]]\nalarm = \"*cpu*\"\naxis = \"instances\"\n\
         pair = { alarm = \"calm_cpu\", metric = \"CpuUtilization\", below = 10, window = \"5m\" }",
    );
    let cloud = cloud();
    on(&cloud, id, |found| found.instances = 3);
    let outcome = send(&Notice::new(alarm, id).value(4.2), &cloud, &policy);
    assert_eq!(instances_after(&outcome), 2);
}

#[test]
fn somebody_elses_scale_down_alarm_scales_down_too() {
    let outcome = send(&notice(LOW_CPU, CHURN), &cloud_with(CHURN, 3, "VM.Standard2.1"), &built_in());
    assert_eq!(instances_after(&outcome), 2);
}

/// A ladder of one rung.
fn ladder_of(shape: &str) -> String {
    format!("[[ladder]]\nname = \"own\"\nrungs = [{{ shape = \"{shape}\", vcpus = 2, memory_gib = 16 }}]")
}

#[rstest]
// A flexible shape is nothing without its size.
#[case::no_size("VM.Standard.E4.Flex", "is flexible")]
#[case::half_a_size("VM.Standard.E4.Flex:4", "is flexible")]
#[case::no_whole_number("VM.Standard.E4.Flex:4:64.5", "is flexible")]
// The same size in other letters would be another rung.
#[case::leading_zero("VM.Standard.E4.Flex:02:32", "is flexible")]
// 6 to 64 GB for each core.
#[case::too_little("VM.Standard.E4.Flex:8:32", "6 to 64 GB")]
#[case::too_much("VM.Standard.E4.Flex:1:65", "6 to 64 GB")]
#[case::nothing("VM.Standard.E4.Flex:0:0", "6 to 64 GB")]
#[case::not_flexible("VM.Standard2.1:2:32", "is no flexible shape")]
fn a_rung_of_a_flexible_shape_needs_its_size(#[case] shape: &str, #[case] part: &str) {
    refused_with(&ladder_of(shape), &["ladder `own`", part]);
}

#[test]
fn a_rung_of_a_flexible_shape_with_its_size_is_one_like_others() {
    assert!(
        policy(&ladder_of("VM.Standard.E4.Flex:2:32")).ladders.rung("VM.Standard.E4.Flex:2:32").is_some()
    );
}

#[rstest]
// Above what calls for more, nothing would be tracked.
#[case::track("[[rule]]\nalarm = \"a\"\naxis = \"instances\"\ntrack = 80\npair = { alarm = \"x\", metric = \"CpuUtilization\", below = 10, window = \"5m\" }", &["line 4", "`track = 80` is not under 80"])]
// What a target has for itself counts as much as what a rule sets.
#[case::target("[[target]]\ntarget = \"*\"\nscale_up_threshold = 20", &["line 3", "target 1", "built-in rule", "`pair.below = 10` must flap", "20 on 1 instance", "18"])]
// On 3 instances and more it would be less.
#[case::floor("[[rule]]\nalarm = \"a\"\naxis = \"instances\"\npair = { alarm = \"x\", metric = \"CpuUtilization\", below = 54, window = \"5m\" }\ninstances = { min = 3, max = 9 }", &["`pair.below = 54` must flap", "54 on 4 instances would be 72 on 3 instances", "under 54"])]
#[case::shape("[[rule]]\nalarm = \"a\"\naxis = \"shape\"\npair = { alarm = \"x\", metric = \"MemoryUtilization\", below = 36, window = \"5m\" }", &["`pair.below = 36` must flap", "72 on one of half its size"])]
#[case::bandwidth("[[rule]]\nalarm = \"a\"\naxis = \"bandwidth\"\npair = { alarm = \"x\", metric = \"PredictBandwidth\", below = 36, window = \"5m\" }", &["`pair.below = 36` must flap", "72 on half of it"])]
#[case::ladder("[[rule]]\nalarm = \"a\"\naxis = \"shape\"\npair = { alarm = \"x\", metric = \"MemoryUtilization\", below = 20, window = \"5m\" }\n[[ladder]]\nname = \"steep\"\nrungs = [{ shape = \"s\", vcpus = 1, memory_gib = 1 }, { shape = \"l\", vcpus = 2, memory_gib = 4 }]", &["20 on `l` would be 80 on `s`"])]
#[case::cores("[[rule]]\nalarm = \"a\"\naxis = \"shape\"\npair = { alarm = \"x\", metric = \"CPUUtilization\", below = 20, window = \"5m\" }\n[[ladder]]\nname = \"steep\"\nrungs = [{ shape = \"s\", vcpus = 1, memory_gib = 1 }, { shape = \"l\", vcpus = 4, memory_gib = 2 }]", &["20 on `l` would be 80 on `s`"])]
fn a_policy_that_must_flap_is_refused_with_the_numbers(#[case] text: &str, #[case] parts: &[&str]) {
    refused_with(text, parts);
}

#[rstest]
#[case::under(
    "axis = \"instances\"\npair = { alarm = \"x\", metric = \"CpuUtilization\", below = 35.9, window = \"5m\" }"
)]
// Nothing is removed from a single possible count.
#[case::one_count(
    "axis = \"instances\"\ninstances = { min = 2, max = 2 }\npair = { alarm = \"x\", metric = \"CpuUtilization\", below = 70, window = \"5m\" }"
)]
// The head-room sees to it.
#[case::cheapest(
    "axis = \"cheapest\"\npair = { alarm = \"x\", metric = \"CpuUtilization\", below = 60, window = \"5m\" }"
)]
// Nobody knows what a metric without an end is measured against.
#[case::open(
    "axis = \"instances\"\npair = { alarm = \"x\", metric = \"InvocationsPerInstance\", below = 900, window = \"5m\" }"
)]
#[case::higher(
    "axis = \"instances\"\nscale_up_threshold = 95\npair = { alarm = \"x\", metric = \"CpuUtilization\", below = 42, window = \"5m\" }"
)]
fn a_policy_that_need_not_flap_is_accepted(#[case] keys: &str) {
    policy(&format!("[[rule]]\nalarm = \"a\"\n{keys}"));
}

#[test]
fn of_several_targets_and_schedules_the_last_word_is_shown() {
    let policy = policy(
        "[[target]]\ntarget = \"endpoint/b/*\"\nmode = \"observe\"\n\
         [[target]]\ntarget = \"endpoint/a/*\"\nmode = \"observe\"\n\
         [[schedule]]\ncron = \"0 20 * * *\"\nfor = \"1h\"\nmin = 3\nmax = 9\n\
         [[schedule]]\ncron = \"0 8 * * *\"\nfor = \"10h\"\nmin = 2\nmax = 9",
    );
    let target = aws::id::variant("a", "b").unwrap();
    let matched = policy.rule_for("model_deployment_high_cpu", &target).unwrap();
    let effective = policy.effective(matched, &target, "2026-03-02T12:00:00Z".parse().unwrap());
    let settings = policy.settings_of(&effective);
    let by =
        |key| settings.iter().find(|setting| setting.key == key).map(Setting::set_by).unwrap_or_default();
    assert_eq!(by("mode"), "`[[target]]` 2, `endpoint/a/*`");
    assert_eq!(by("instances.min"), "`[[schedule]]` 2, until 2026-03-02T18:00:00Z");
}
