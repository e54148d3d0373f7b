//! Provisioning on OCI: the desired state of the policy's table, the calls, and that foreign resources stay unchanged.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use stepladder::platform::{ActiveAlarm, Observation, ObserveRequest};

use async_trait::async_trait;
use jiff::Timestamp;
use rstest::rstest;
use serde_json::{Value, json};
use stepladder::platform::oci::alarm::OciAlarm;
use stepladder::platform::oci::call::OPERATIONS;
use stepladder::platform::oci::provision::{
    Access, Existing, ExistingSubscription, ExistingTopic, OPERATORS_TOO, Planner, READS, REQUESTED, Report,
    carry_out, of_function, of_operator, plan, propose, removal,
};
use stepladder::platform::oci::provision::{Desired, desired};
use stepladder::platform::simulated::{SimulatedCloud, World, WorldAlarm};
use stepladder::platform::{self, operations};
use stepladder::platform::{AlarmDefinition, Call};
use stepladder::platform::{Client, Error};
use stepladder::policy::Policy;
use tempfile::TempDir;

use crate::cli::{run, write};
use crate::support::{CHURN, at, minute, policy};

const RANKING: &str = "ocid1.datasciencemodeldeployment.oc1.iad.exampleuniqueidranking";
const COMPARTMENT: &str = "ocid1.compartment.oc1..exampleuniqueidcompartment";
const METRICS_HOME: &str = "ocid1.compartment.oc1..exampleuniqueidmodels";
const FUNCTION: &str = "ocid1.fnfunc.oc1.iad.exampleuniqueidfunction";
const TOPIC: &str = "ocid1.onstopic.oc1.iad.exampleuniqueidtopic";
const HIGH_CPU: &str = "model_deployment_high_cpu";
const HIGH_MEM: &str = "model_deployment_high_mem";

/// The smallest table, with more keys after its own, and what follows the table.
fn table(keys: &str, after: &str) -> String {
    format!(
        "[oci]\ncompartment = \"{COMPARTMENT}\"\ndeployments = [\"{CHURN}\"]\nfunction = \"{FUNCTION}\"\n{keys}\n{after}\n"
    )
}

/// A rule whose pair fires below what the default alarm fires above.
const PAIRED_BELOW_90: &str = "[[rule]]\nalarm = \"*high_cpu\"\naxis = \"instances\"\n\
    pair = { alarm = \"quiet\", metric = \"CPUUtilization\", below = 90, window = \"5m\" }";

const FROM_FIVE: &str = "[[rule]]\nalarm = \"*high_cpu\"\naxis = \"instances\"\ninstances = { min = 5, max = 9 }\n\
    pair = { alarm = \"quiet\", metric = \"CPUUtilization\", below = 10, window = \"5m\" }";

/// A rule for a ladder whose second rung has four times the cores of the first.
const STEEP: &str = "[[rule]]\nalarm = \"*high_cpu\"\naxis = \"shape\"\n\
    pair = { alarm = \"quiet\", metric = \"CPUUtilization\", below = 10, window = \"5m\" }\n\
    [[ladder]]\nname = \"steep\"\n\
    rungs = [{ shape = \"s\", vcpus = 1, memory_gib = 1 }, { shape = \"l\", vcpus = 4, memory_gib = 2 }]";

fn wanted(text: &str) -> Desired {
    desired(&policy(text).provision).unwrap().clone()
}

/// The smallest table.
fn small() -> Desired {
    wanted(&table("", ""))
}

/// A table with one alarm, which has more keys than it needs.
fn one_alarm(keys: &str) -> String {
    table("", &format!("[[oci.alarm]]\nname = \"{HIGH_CPU}\"\nmetric = \"CpuUtilization\"\n{keys}"))
}

fn now<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

fn apply(wanted: &Desired, planner: Planner, cloud: &dyn Client) -> Report {
    apply_at(wanted, planner, cloud, at(0))
}

fn apply_at(wanted: &Desired, planner: Planner, cloud: &dyn Client, run: Timestamp) -> Report {
    now(carry_out(wanted, planner, cloud, run)).unwrap()
}

/// A cloud without any resource.
fn empty() -> SimulatedCloud {
    SimulatedCloud::new(World { furnish: false, ..World::default() })
}

/// A cloud on which the smallest table has been provisioned.
fn provisioned() -> SimulatedCloud {
    let cloud = empty();
    assert!(apply(&small(), plan, &cloud).nothing_left());
    cloud
}

/// What a run sent, by operation.
fn sent(report: &Report) -> Vec<&'static str> {
    report.sent.iter().map(|sent| sent.step.call.operation()).collect()
}

fn alarms(cloud: &SimulatedCloud) -> Vec<OciAlarm> {
    let definition = |known: WorldAlarm| {
        let AlarmDefinition::Oci(alarm) = known.definition else { panic!("{known:?} is on OCI") };
        alarm
    };
    cloud.snapshot().alarms.into_iter().map(definition).collect()
}

/// The one alarm that a table leads to.
fn the_alarm(text: &str) -> OciAlarm {
    let cloud = empty();
    let report = apply(&wanted(text), plan, &cloud);
    assert!(report.nothing_left(), "{report:?}");
    alarms(&cloud).into_iter().next().unwrap()
}

/// Changes an alarm, as an operator does at the console.
fn edit(cloud: &SimulatedCloud, at: usize, touch: impl FnOnce(&mut OciAlarm)) {
    cloud.with(|world| {
        let AlarmDefinition::Oci(alarm) = &mut world.alarms[at].definition else { panic!("not on OCI") };
        touch(alarm);
    });
}

/// Adds an alarm of another owner.
fn stranger(cloud: &SimulatedCloud, name: &str, query: &str) {
    let alarm = OciAlarm {
        name: name.to_owned(),
        query: query.to_owned(),
        tags: [("owner".to_owned(), "somebody".to_owned())].into(),
        ..the_alarm(&table("", ""))
    };
    let id = format!("ocid1.alarm.oc1..stranger{}", cloud.snapshot().alarms.len());
    cloud.with(|world| world.alarms.push(WorldAlarm::new(&id, AlarmDefinition::Oci(alarm))));
}

fn topic(id: &str, name: &str) -> ExistingTopic {
    ExistingTopic { id: id.to_owned(), name: name.to_owned(), etag: None, tags: [].into() }
}

fn subscription(topic: &str, protocol: &str, endpoint: &str) -> ExistingSubscription {
    ExistingSubscription {
        id: format!("ocid1.onssubscription.oc1..{protocol}"),
        topic: topic.to_owned(),
        protocol: protocol.to_owned(),
        endpoint: endpoint.to_owned(),
        etag: None,
        tags: [].into(),
    }
}

// ---- the table ----

#[rstest]
// An unknown key is reported with its line and the nearest known key, as everywhere in the policy.
#[case::key(&table("compartmnt = \"x\"", ""), &["line 5", "did you mean `compartment`?"])]
#[case::alarm_key(&one_alarm("repeats = \"5m\""), &["line 9", "did you mean `repeat`?"])]
#[case::severity(&one_alarm("severity = \"INFOS\""), &["line 9", "did you mean `INFO`?"])]
#[case::statistic(&one_alarm("statistic = \"maxx\""), &["line 9", "did you mean `max`?"])]
#[case::no_function("[oci]\ncompartment = \"x\"\ndeployments = []", &["line 1", "missing field `function`"])]
// An OCID of something else.
#[case::compartment(&table("", "").replace(COMPARTMENT, TOPIC), &["`compartment`", "`ocid1.compartment.…`"])]
#[case::function(&table("", "").replace(FUNCTION, CHURN), &["`function`", "`ocid1.fnfunc.…`"])]
#[case::deployment(&table("", "").replace(CHURN, FUNCTION), &["`deployments`", "`ocid1.datasciencemodeldeployment.…`"])]
#[case::metric_compartment(&table("metric_compartment = \"models\"", ""), &["`metric_compartment`", "`models`"])]
#[case::topic_ocid(&table(&format!("topic = \"{FUNCTION}\""), ""), &["`topic`", "`ocid1.onstopic.…`"])]
// It ends up in a query.
#[case::quoted(&table("", "").replace("churn\"", "churn' || \""), &["`deployments`"])]
#[case::metric(&one_alarm("").replace("CpuUtilization", "Cpu[1m]"), &["alarm 1 of `oci`", "plain name"])]
// It makes no sense.
#[case::topic_name(&table("topic = \"a b\"", ""), &["`topic = \"a b\"`", "letters, digits"])]
#[case::nothing(&table("", "").replace(&format!("\"{CHURN}\""), ""), &["`deployments` is empty"])]
#[case::twice(&table("", "").replace(&format!("\"{CHURN}\""), &format!("\"{CHURN}\", \"{CHURN}\"")), &["twice"])]
#[case::above(&one_alarm("scale_up_threshold = inf"), &["`scale_up_threshold = inf`"])]
// A query spells a number out.
#[case::huge(&one_alarm("scale_up_threshold = 1e300").replace("CpuUtilization", "QueueLength"), &["`scale_up_threshold = 1e300`", "a million million"])]
#[case::tiny(&one_alarm("scale_up_threshold = 1e-300").replace("CpuUtilization", "QueueLength"), &["`scale_up_threshold = 1e-300`", "a millionth"])]
// A percentage is never above 100, and always above nothing.
#[case::percent(&one_alarm("scale_up_threshold = 100"), &["`scale_up_threshold = 100`", "percentage"])]
#[case::nothing_at_all(&one_alarm("scale_up_threshold = 0\nstatistic = \"mean\""), &["`scale_up_threshold = 0`", "between 0 and 100"])]
// A value that is high and low at once scales up and down for ever; the built-in pair fires below 10.
#[case::flaps(&one_alarm("scale_up_threshold = 8"), &["`scale_up_threshold = 8`", "`model_deployment_low_cpu` fires below 10", "8 and 10"])]
// A scale-down must not trigger the next scale-up: 10 on two instances are 20 on one.
#[case::flaps_after_a_step(
    &one_alarm("scale_up_threshold = 12"),
    &["alarm 1 of `oci`: `scale_up_threshold = 12` is too low for a built-in rule", "10 on 2 instances would be 20 on 1 instance", "less a tenth 10.8"]
)]
// On five instances and more it is less.
#[case::flaps_on_more(
    &one_alarm(&format!("scale_up_threshold = 13\n{FROM_FIVE}")),
    &["`scale_up_threshold = 13` is too low for rule 1 of the policy", "10 on 6 instances would be 12 on 5 instances", "less a tenth 11.7"]
)]
// The rule assumes a higher threshold than the alarm's, whose default is 80.
#[case::flaps_by_default(
    &one_alarm(&PAIRED_BELOW_90.replace("90", "36").replace("\npair", "\nscale_up_threshold = 95\npair")),
    &["`scale_up_threshold = 80` is too low for rule 1 of the policy", "36 on 2 instances would be 72 on 1 instance"]
)]
#[case::flaps_on_a_ladder(
    &one_alarm(&format!("scale_up_threshold = 40\n{STEEP}")),
    &["`scale_up_threshold = 40` is too low for rule 1 of the policy", "10 on `l` would be 40 on `s`"]
)]
// On as few as a table or a schedule allows.
#[case::flaps_by_a_table(
    &one_alarm(&format!("scale_up_threshold = 20\n{FROM_FIVE}\n[[target]]\ntarget = \"{CHURN}\"\ninstances = {{ min = 1, max = 9 }}")),
    &["`scale_up_threshold = 20` is too low for rule 1 of the policy", "10 on 2 instances would be 20 on 1 instance"]
)]
#[case::flaps_at_night(
    &one_alarm(&format!("scale_up_threshold = 20\n{FROM_FIVE}\n[[schedule]]\ncron = \"0 20 * * *\"\nfor = \"10h\"\nmin = 1")),
    &["`scale_up_threshold = 20` is too low for rule 1 of the policy", "10 on 2 instances would be 20 on 1 instance"]
)]
#[case::flaps_by_a_rule(
    &one_alarm(PAIRED_BELOW_90),
    &["`pair.below = 90` must flap", "90 on 2 instances would be 180 on 1 instance", "under 36"]
)]
// The service would take it, and the alarm never fires.
#[case::metric_misspelt(&one_alarm("").replace("CpuUtilization", "CpuUtilisation"), &["did you mean `CpuUtilization`?"])]
#[case::metric_letter(&one_alarm("").replace("CpuUtilization", "PredictLatncy"), &["did you mean `PredictLatency`?"])]
#[case::window(&one_alarm("window = \"90s\""), &["`window = \"90s\"`", "whole minutes"])]
#[case::window_of_hours(&one_alarm("window = \"90m\""), &["whole hours above `60m`"])]
#[case::pending(&one_alarm("pending = \"2h\""), &["`pending = \"2h\"`", "from `1m` to `1h`"])]
#[case::repeat(&one_alarm("repeat = \"never\""), &["`repeat = \"never\"` is no duration"])]
#[case::no_name(&one_alarm("").replace(HIGH_CPU, " "), &["`name = \" \"`", "1 to 255 characters"])]
#[case::same_name(
    &table("", &format!("[[oci.alarm]]\nname = \"{HIGH_CPU}\"\nmetric = \"A\"\n[[oci.alarm]]\nname = \"{HIGH_CPU}\"\nmetric = \"B\"")),
    &["alarm 2 of `oci`", "another alarm is called `model_deployment_high_cpu`"]
)]
// An alarm that no rule answers would have no effect.
#[case::no_rule(&one_alarm("").replace(HIGH_CPU, "busy"), &["alarm 1 of `oci`", "`busy` would change nothing: no rule"])]
#[case::left_out(&format!("targets = [\"other*\"]\n{}", table("", "")), &["would change nothing: `targets` leaves out"])]
#[case::a_rule_elsewhere(
    &one_alarm(&format!("[[rule]]\nalarm = \"busy\"\ntarget = \"{RANKING}\"\naxis = \"shape\"")).replace(HIGH_CPU, "busy"),
    &["`busy` would change nothing"]
)]
// Its rule must not scale down.
#[case::downwards(&one_alarm("").replace(HIGH_CPU, "model_deployment_low_cpu"), &["remove capacity", "expected a rule that adds"])]
fn an_invalid_table_is_reported(#[case] text: &str, #[case] parts: &[&str]) {
    let message =
        Policy::parse(text).map_or_else(|error| error.to_string(), |policy| format!("accepted: {policy:?}"));
    for part in parts {
        assert!(message.contains(part), "{message}\nlacks {part}");
    }
}

#[rstest]
// A metric of one's own, and one that is known to no list here.
#[case::own_metric("metric = \"QueueLength\"\nscale_up_threshold = 5000")]
#[case::gpu("metric = \"GpuUtilization\"")]
// A sum of percentages may be more than 100, and is no matter of the pair's.
#[case::sum("metric = \"CpuUtilization\"\nstatistic = \"sum\"\nscale_up_threshold = 300")]
#[case::count("metric = \"CpuUtilization\"\nstatistic = \"count\"\nscale_up_threshold = 3")]
// The pair measures something else.
#[case::another_metric("metric = \"PredictLatency\"\nscale_up_threshold = 5")]
// High enough above the pair that a scale-down triggers no scale-up.
#[case::far_enough("metric = \"CpuUtilization\"\nscale_up_threshold = 22.5")]
fn a_threshold_of_its_own_is_accepted(#[case] keys: &str) {
    let text = one_alarm("").replace("metric = \"CpuUtilization\"", keys);
    assert_eq!(wanted(&text).alarms.len(), 1);
}

/// What exists of what is wanted.
fn existing(cloud: &SimulatedCloud, wanted: &Desired) -> Existing {
    let platform::Existing::Oci(existing) = now(cloud.existing(platform::Desired::Oci(wanted))).unwrap();
    existing
}

#[test]
fn a_metric_is_spelled_as_the_service_does() {
    let text = one_alarm("").replace("CpuUtilization", "CPUUtilization");
    assert_eq!(wanted(&text).alarms[0].metric, "CpuUtilization");
}

#[test]
fn without_the_table_nothing_is_wanted() {
    assert_eq!(policy("").provision, []);
}

#[test]
fn the_guides_alarms_are_the_default() {
    let cloud = provisioned();
    let query = |metric: &str| format!("{metric}[5m]{{resourceId = \"{CHURN}\"}}.max() > 80");
    let expected = |name: &str, metric: &str| OciAlarm {
        name: name.to_owned(),
        compartment: COMPARTMENT.to_owned(),
        metric_compartment: COMPARTMENT.to_owned(),
        namespace: "oci_datascience_modeldeploy".into(),
        query: query(metric),
        severity: "INFO".into(),
        destinations: vec!["ocid1.onstopic.oc1..simulated1".to_owned()],
        repeat: Some("PT5M".to_owned()),
        pending: Some("PT1M".into()),
        enabled: true,
        body: Some(format!("Asks stepladder for more of {CHURN}.")),
        tags: [
            ("stepladder:provisioned", "stepladder-alarms"),
            ("stepladder:target", CHURN),
            ("stepladder:alarm", name),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into(),
    };
    let both = [expected(HIGH_CPU, "CpuUtilization"), expected(HIGH_MEM, "MemoryUtilization")];
    assert_eq!(alarms(&cloud), both);
}

#[rstest]
#[case::name("name = \"x-high-cpu\"", "name", "x-high-cpu")]
#[case::metric(
    "metric = \"PredictLatency\"",
    "query",
    "PredictLatency[5m]{resourceId = \"CHURN\"}.max() > 80"
)]
#[case::above(
    "scale_up_threshold = 62.5",
    "query",
    "CpuUtilization[5m]{resourceId = \"CHURN\"}.max() > 62.5"
)]
#[case::window("window = \"2h\"", "query", "CpuUtilization[2h]{resourceId = \"CHURN\"}.max() > 80")]
#[case::statistic("statistic = \"mean\"", "query", "CpuUtilization[5m]{resourceId = \"CHURN\"}.mean() > 80")]
#[case::pending("pending = \"3m\"", "pending", "PT3M")]
#[case::repeat("repeat = \"10m\"", "repeat", "PT10M")]
#[case::severity("severity = \"CRITICAL\"", "severity", "CRITICAL")]
fn every_key_of_an_alarm_has_its_effect(#[case] key: &str, #[case] field: &str, #[case] expected: &str) {
    let (name, _) = key.split_once(" =").unwrap();
    let others = one_alarm("");
    let others: Vec<&str> = others.lines().filter(|line| !line.starts_with(&format!("{name} ="))).collect();
    let alarm = the_alarm(&format!("{}\n{key}", others.join("\n")));
    let alarm = serde_json::to_value(alarm).unwrap();
    assert_eq!(alarm[field], expected.replace("CHURN", CHURN));
}

#[test]
fn every_key_of_the_table_has_its_effect() {
    let text = table(&format!("metric_compartment = \"{METRICS_HOME}\"\ntopic = \"pressure\""), "")
        .replace(&format!("\"{CHURN}\""), &format!("\"{CHURN}\", \"{RANKING}\""));
    let cloud = empty();
    assert!(apply(&wanted(&text), plan, &cloud).nothing_left());
    let world = cloud.snapshot();
    assert_eq!(world.topics[0].name, "pressure");
    assert_eq!(world.topics[0].tags["stepladder:provisioned"], "pressure");
    assert_eq!(
        (world.subscriptions[0].protocol.as_str(), world.subscriptions[0].endpoint.as_str()),
        ("ORACLE_FUNCTIONS", FUNCTION)
    );
    let homes = |alarm: &OciAlarm| (alarm.compartment.clone(), alarm.metric_compartment.clone());
    let all = alarms(&cloud);
    assert!(
        all.iter().all(|alarm| homes(alarm) == (COMPARTMENT.to_owned(), METRICS_HOME.to_owned())),
        "{all:?}"
    );
    let kinds: BTreeSet<_> =
        all.iter().map(|alarm| (alarm.name.as_str(), alarm.tags["stepladder:target"].as_str())).collect();
    let expected = [(HIGH_CPU, CHURN), (HIGH_CPU, RANKING), (HIGH_MEM, CHURN), (HIGH_MEM, RANKING)];
    assert_eq!(kinds, expected.into(), "one per deployment and kind");
}

#[test]
fn an_alarm_on_bandwidth_is_created_if_the_policy_enables_it() {
    let on_bandwidth = |rule: &str| {
        let text = table("", rule).replace(&format!("\"{CHURN}\"]"), &format!("\"{CHURN}\", \"{RANKING}\"]"));
        let alarms = wanted(&text).alarms.into_iter().filter(|alarm| alarm.metric == "PredictBandwidth");
        alarms.map(|alarm| (alarm.name, alarm.deployment)).collect::<Vec<_>>()
    };
    let rule = |alarm: &str, axis: &str| {
        format!("[[rule]]\nalarm = \"{alarm}\"\ntarget = \"{CHURN}\"\naxis = \"{axis}\"")
    };
    let expected = [("model_deployment_high_bandwidth".to_owned(), CHURN.to_owned())];
    assert_eq!(on_bandwidth(&rule("*high_bandwidth", "bandwidth")), expected);
    assert_eq!(on_bandwidth(""), [], "the built-in rules need none");
    assert_eq!(on_bandwidth(&rule("*", "instances")), [], "a rule for everything is none about bandwidth");
}

// ---- from nothing, and again ----

#[test]
fn everything_is_created_once() {
    let cloud = empty();
    let all = ["oci:CreateTopic", "oci:CreateSubscription", "oci:CreateAlarm", "oci:CreateAlarm"];

    let proposed = now(propose(&small(), plan, &cloud, at(0))).unwrap();
    let shown: Vec<_> = proposed.left.iter().map(|step| step.call.operation()).collect();
    assert_eq!(
        (shown.as_slice(), sent(&proposed)),
        (all.as_slice(), vec![]),
        "the whole plan, and nothing is sent"
    );
    assert_eq!(cloud.snapshot(), empty().snapshot());

    let first = apply(&small(), plan, &cloud);
    assert_eq!((sent(&first), first.nothing_left()), (all.to_vec(), true));

    let before = cloud.snapshot();
    let second = apply_at(&small(), plan, &cloud, minute(1));
    assert_eq!((sent(&second), second.nothing_left(), second.plan.existing.len()), (vec![], true, 4));
    assert_eq!(cloud.snapshot(), before);
}

#[test]
fn what_was_torn_down_can_be_provisioned_again_at_once() {
    let cloud = provisioned();
    apply_at(&small(), removal, &cloud, minute(1));
    let again = apply_at(&small(), plan, &cloud, minute(2));
    assert!(again.nothing_left(), "{again:?}");
    assert_eq!(alarms(&cloud).len(), 2);
}

#[test]
fn an_alarm_that_somebody_deleted_is_created_again() {
    let cloud = provisioned();
    cloud.with(|world| world.alarms.remove(0));
    let report = apply_at(&small(), plan, &cloud, minute(1));
    assert_eq!((sent(&report), report.nothing_left()), (vec!["oci:CreateAlarm"], true));
}

// ---- what has changed ----

#[rstest]
#[case::name("name", json!("renamed"))]
#[case::threshold("query", json!("CpuUtilization[5m]{resourceId = \"x\"}.max() > 95"))]
#[case::metric_compartment("metric_compartment", json!(METRICS_HOME))]
#[case::severity("severity", json!("CRITICAL"))]
#[case::destinations("destinations", json!([TOPIC]))]
// Without it there is no second step.
#[case::repeat("repeat", Value::Null)]
#[case::pending("pending", json!("PT10M"))]
#[case::enabled("enabled", json!(false))]
#[case::body("body", json!("hello"))]
fn what_somebody_changed_is_put_back(#[case] field: &str, #[case] value: Value) {
    let cloud = provisioned();
    let before = alarms(&cloud);
    edit(&cloud, 0, |alarm| {
        let mut fields = serde_json::to_value(&*alarm).unwrap();
        fields[field] = value.clone();
        *alarm = serde_json::from_value(fields).unwrap();
    });
    let report = apply(&small(), plan, &cloud);
    assert_eq!((sent(&report), report.nothing_left()), (vec!["oci:UpdateAlarm"], true));
    assert_eq!(alarms(&cloud), before);
    let changes = &report.sent[0].step.changes;
    let expected = serde_json::to_value(&before[0]).unwrap()[field].clone();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!((changes[0].field.as_str(), &changes[0].from, &changes[0].to), (field, &value, &expected));
}

#[rstest]
// The service may write a duration its own way.
#[case::hour("repeat = \"1h\"", |alarm: &mut OciAlarm| alarm.repeat = Some("PT1H".to_owned()))]
#[case::day("repeat = \"24h\"", |alarm: &mut OciAlarm| alarm.repeat = Some("P1D".to_owned()))]
#[case::seconds("pending = \"5m\"", |alarm: &mut OciAlarm| alarm.pending = Some("PT300S".into()))]
fn a_duration_counts_by_its_length(#[case] key: &str, #[case] respell: fn(&mut OciAlarm)) {
    let cloud = empty();
    let wanted = wanted(&one_alarm(key));
    apply(&wanted, plan, &cloud);
    let before = alarms(&cloud);
    edit(&cloud, 0, respell);
    assert_ne!(alarms(&cloud), before);
    assert_eq!(sent(&apply(&wanted, plan, &cloud)), [] as [&str; 0]);
    // Only the other changes are reported.
    edit(&cloud, 0, |alarm| alarm.severity = "ERROR".into());
    let report = apply(&wanted, plan, &cloud);
    assert_eq!(sent(&report), ["oci:UpdateAlarm"]);
    let fields: Vec<_> = report.sent[0].step.changes.iter().map(|change| change.field.as_str()).collect();
    assert_eq!(fields, ["severity"]);
}

#[test]
fn somebodys_own_tags_stay_on_our_alarm() {
    let cloud = provisioned();
    edit(&cloud, 0, |alarm| drop(alarm.tags.insert("owner".to_owned(), "team".to_owned())));
    assert_eq!(sent(&apply(&small(), plan, &cloud)), [] as [&str; 0]);
    apply(
        &wanted(
            &table("", "").replace("[oci]", "[oci]\nmetric_compartment = \"ocid1.compartment.oc1..other\""),
        ),
        plan,
        &cloud,
    );
    assert_eq!(alarms(&cloud)[0].tags["owner"], "team");
}

#[test]
fn an_alarm_that_left_the_policy_is_deleted() {
    let both = table("", "").replace(&format!("\"{CHURN}\""), &format!("\"{CHURN}\", \"{RANKING}\""));
    let cloud = empty();
    apply(&wanted(&both), plan, &cloud);
    let report = apply_at(&wanted(&one_alarm("")), plan, &cloud, minute(1));
    assert_eq!(sent(&report), ["oci:DeleteAlarm"; 3]);
    assert!(report.nothing_left());
    let left = alarms(&cloud);
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!((left[0].name.as_str(), left[0].tags["stepladder:target"].as_str()), (HIGH_CPU, CHURN));
}

#[test]
fn of_twins_one_is_kept() {
    let cloud = provisioned();
    cloud.with(|world| {
        let twin = WorldAlarm { id: "ocid1.alarm.oc1..twin".to_owned(), ..world.alarms[0].clone() };
        world.alarms.push(twin);
    });
    let report = apply(&small(), plan, &cloud);
    assert_eq!((sent(&report), report.nothing_left()), (vec!["oci:DeleteAlarm"], true));
    assert_eq!(alarms(&cloud).len(), 2);
}

#[test]
fn another_function_takes_the_place_of_the_first() {
    let other = FUNCTION.replace("function", "other");
    let wanted = wanted(&table("", "").replace(FUNCTION, &other));
    // The old subscription stays until the new one exists.
    let troubled = Troubled::new(provisioned(), Some(0), Vec::new());
    let report = apply(&wanted, plan, &troubled);
    assert_eq!((sent(&report), report.nothing_left()), (vec!["oci:CreateSubscription"], false));
    assert_eq!(troubled.cloud.snapshot().subscriptions[0].endpoint, FUNCTION);

    let report = apply_at(&wanted, plan, &troubled.cloud, minute(1));
    assert_eq!(sent(&report), ["oci:CreateSubscription", "oci:DeleteSubscription"]);
    let left = troubled.cloud.snapshot().subscriptions;
    assert_eq!((left.len(), left[0].endpoint.as_str()), (1, other.as_str()));
}

#[test]
fn the_old_function_is_subscribed_until_the_new_one_is_visible() {
    let other = FUNCTION.replace("function", "other");
    let wanted = wanted(&table("", "").replace(FUNCTION, &other));
    let cloud = provisioned();
    let late = existing(&cloud, &wanted);
    let troubled = Troubled::new(cloud, None, vec![late.clone(), late]);
    let report = apply(&wanted, plan, &troubled);
    assert_eq!(sent(&report), ["oci:CreateSubscription", "oci:DeleteSubscription"]);
    assert!(report.nothing_left());
}

// ---- foreign resources ----

#[test]
fn a_foreign_topic_of_that_name_is_a_conflict() {
    let cloud = empty();
    cloud.with(|world| world.topics.push(topic(TOPIC, "stepladder-alarms")));
    let before = cloud.snapshot();
    let report = apply(&small(), plan, &cloud);
    assert_eq!((sent(&report), report.nothing_left()), (vec![], false));
    assert!(
        report.plan.conflicts[0].contains(&format!("or its OCID `{TOPIC}`")),
        "{:?}",
        report.plan.conflicts
    );
    assert_eq!(cloud.snapshot(), before);
}

#[rstest]
#[case::another_name("other")]
#[case::the_same_ones_ocid("ocid1.onstopic.oc1..simulated1")]
fn a_conflict_with_another_set_is_reported_with_its_name(#[case] topic: &str) {
    let cloud = provisioned();
    let before = cloud.snapshot();
    let renamed = wanted(&table(&format!("topic = \"{topic}\""), ""));
    let report = apply(&renamed, plan, &cloud);
    assert_eq!((sent(&report), report.plan.conflicts.len()), (vec![], 2));
    for conflict in &report.plan.conflicts {
        assert!(conflict.contains("belongs to the set `stepladder-alarms`"), "{conflict}");
        assert!(
            conflict.contains("tear that down first, with `topic = \"stepladder-alarms\"`"),
            "{conflict}"
        );
    }
    assert_eq!(cloud.snapshot(), before);
}

#[test]
fn a_set_moves_to_another_name_by_way_of_a_teardown() {
    let cloud = provisioned();
    let renamed = wanted(&table("topic = \"other\"", ""));
    apply(&small(), removal, &cloud);
    assert!(apply_at(&renamed, plan, &cloud, minute(1)).nothing_left());
    assert_eq!(cloud.snapshot().topics[0].name, "other");
}

#[test]
fn a_topic_that_carries_another_sets_mark_is_not_taken_over() {
    let cloud = empty();
    let tags = [("stepladder:provisioned".to_owned(), "other".to_owned())].into();
    cloud.with(|world| world.topics.push(ExistingTopic { tags, ..topic(TOPIC, "stepladder-alarms") }));
    let report = apply(&small(), plan, &cloud);
    assert_eq!((sent(&report), report.plan.conflicts.len()), (vec![], 1));
    assert!(report.plan.conflicts[0].contains("belongs to the set `other`"), "{:?}", report.plan.conflicts);
}

#[test]
fn a_name_in_use_elsewhere_in_the_tenancy_is_a_conflict() {
    let cloud = empty();
    cloud.with(|world| world.topics.push(topic(TOPIC, "stepladder-alarms")));
    // The topic is in a compartment that is not read.
    let troubled = Troubled::new(cloud, None, vec![Existing::default()]);
    let report = apply(&small(), plan, &troubled);
    assert_eq!(sent(&report), ["oci:CreateTopic"]);
    assert_eq!(report.error, None);
    let conflict = report.plan.conflicts.join("");
    assert!(conflict.contains("`stepladder-alarms`") && conflict.contains("in the tenancy"), "{conflict}");
    assert!(!report.nothing_left());
}

#[test]
fn a_topic_given_by_its_ocid_is_used_and_never_deleted() {
    let given = wanted(&table(&format!("topic = \"{TOPIC}\""), ""));
    let cloud = empty();
    let missing = apply(&given, plan, &cloud);
    assert_eq!((sent(&missing), missing.plan.conflicts.len()), (vec![], 1));

    cloud.with(|world| world.topics.push(topic(TOPIC, "pressure")));
    let report = apply(&given, plan, &cloud);
    assert_eq!(sent(&report), ["oci:CreateSubscription", "oci:CreateAlarm", "oci:CreateAlarm"]);
    assert_eq!(alarms(&cloud)[0].destinations, [TOPIC]);

    let gone = apply(&given, removal, &cloud);
    assert_eq!(sent(&gone), ["oci:DeleteAlarm", "oci:DeleteAlarm", "oci:DeleteSubscription"]);
    assert_eq!(gone.plan.notes, ["topic `pressure` is not ours and stays"]);
    assert_eq!(cloud.snapshot().topics, [topic(TOPIC, "pressure")]);
    assert!(gone.nothing_left());
}

#[rstest]
// One made by hand after the guide: a breach would notify twice.
#[case::the_guides(HIGH_CPU, &format!("CpuUtilization[5m]{{resourceId = \"{CHURN}\"}}.max() > 80"), true)]
// The service writes OCIDs in capitals at times.
#[case::shouted(HIGH_CPU, &format!("CpuUtilization[5m]{{resourceId = \"{}\"}}.max() > 80", CHURN.to_uppercase()), true)]
// It covers every deployment, so this one too.
#[case::of_all(HIGH_CPU, "CpuUtilization[5m].max() > 80", true)]
#[case::of_another(HIGH_CPU, &format!("CpuUtilization[5m]{{resourceId = \"{RANKING}\"}}.max() > 80"), false)]
#[case::another_name("cpu", &format!("CpuUtilization[5m]{{resourceId = \"{CHURN}\"}}.max() > 80"), false)]
fn somebody_elses_alarm_is_never_touched(#[case] name: &str, #[case] query: &str, #[case] in_the_way: bool) {
    let cloud = empty();
    stranger(&cloud, name, query);
    let before = alarms(&cloud);
    let report = apply(&small(), plan, &cloud);
    assert_eq!(!report.plan.conflicts.is_empty(), in_the_way, "{:?}", report.plan.conflicts);
    assert_eq!(report.sent.is_empty(), in_the_way, "nothing at all is sent while something is in the way");
    assert_eq!(alarms(&cloud)[0], before[0]);
    apply(&small(), removal, &cloud);
    assert_eq!(alarms(&cloud), before);
}

#[test]
fn a_subscription_that_somebody_made_will_do() {
    let given = wanted(&table(&format!("topic = \"{TOPIC}\""), ""));
    let cloud = empty();
    cloud.with(|world| {
        world.topics.push(topic(TOPIC, "pressure"));
        world.subscriptions.push(subscription(TOPIC, "ORACLE_FUNCTIONS", FUNCTION));
    });
    let before = cloud.snapshot().subscriptions;
    assert_eq!(sent(&apply(&given, plan, &cloud)), ["oci:CreateAlarm", "oci:CreateAlarm"]);
    assert_eq!(sent(&apply(&given, removal, &cloud)), ["oci:DeleteAlarm", "oci:DeleteAlarm"]);
    assert_eq!(cloud.snapshot().subscriptions, before);
}

// ---- taking down ----

#[test]
fn a_teardown_deletes_all_that_was_provisioned_and_a_second_run_finds_nothing() {
    let cloud = provisioned();
    let report = apply(&small(), removal, &cloud);
    let all = ["oci:DeleteAlarm", "oci:DeleteAlarm", "oci:DeleteSubscription", "oci:DeleteTopic"];
    assert_eq!((sent(&report), report.nothing_left()), (all.to_vec(), true));
    let world = cloud.snapshot();
    assert_eq!((world.alarms.len(), world.subscriptions.len(), world.topics.len()), (0, 0, 0));
    let again = apply(&small(), removal, &cloud);
    assert_eq!((sent(&again), again.nothing_left()), (vec![], true));
}

/// The scale-down alarm that the function has written for a deployment, which notifies a topic.
fn pair(name: &str, target: &str, topic: &str) -> OciAlarm {
    OciAlarm {
        name: name.to_owned(),
        tags: [("stepladder:target", target), ("stepladder:pair", name)]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        destinations: vec![topic.to_owned()],
        ..alarms(&provisioned())[0].clone()
    }
}

fn put(cloud: &SimulatedCloud, alarm: &OciAlarm) {
    let id = format!("{} of {}", alarm.name, alarm.tags["stepladder:target"]);
    cloud.with(|world| world.alarms.push(WorldAlarm::new(&id, AlarmDefinition::Oci(alarm.clone()))));
}

#[test]
fn a_pair_is_deleted_with_a_note_about_the_size_and_another_deployments_stays() {
    let cloud = provisioned();
    let given = TOPIC;
    let ours = cloud.snapshot().topics[0].id.clone();
    let low = "model_deployment_low_cpu";
    put(&cloud, &pair(low, CHURN, &ours));
    put(&cloud, &pair(low, RANKING, given));
    // Provisioning leaves both alone.
    assert_eq!(sent(&apply(&small(), plan, &cloud)), [] as [&str; 0]);

    let report = apply(&small(), removal, &cloud);
    let note = format!("without `{low}`, nothing removes what was added to `{CHURN}`: it keeps its size");
    assert_eq!(report.plan.notes, [note]);
    assert_eq!(alarms(&cloud), [pair(low, RANKING, given)]);
}

#[test]
fn the_pair_of_another_set_stays_and_is_named() {
    let set = |topic: &str, alarm: &str, metric: &str| {
        let alarm = format!("[[oci.alarm]]\nname = \"{alarm}\"\nmetric = \"{metric}\"");
        wanted(&table(&format!("topic = \"{topic}\""), &alarm))
    };
    let (a, b) = (set("a", HIGH_CPU, "CpuUtilization"), set("b", HIGH_MEM, "MemoryUtilization"));
    let cloud = empty();
    assert!(apply(&a, plan, &cloud).nothing_left());
    assert!(apply_at(&b, plan, &cloud, minute(1)).nothing_left(), "two sets share a deployment");
    let topics: Vec<String> = cloud.snapshot().topics.into_iter().map(|topic| topic.id).collect();
    put(&cloud, &pair("model_deployment_low_cpu", CHURN, &topics[0]));
    put(&cloud, &pair("model_deployment_low_mem", CHURN, &topics[1]));

    let report = apply(&a, removal, &cloud);
    let all = ["oci:DeleteAlarm", "oci:DeleteAlarm", "oci:DeleteSubscription", "oci:DeleteTopic"];
    assert_eq!((sent(&report), report.nothing_left()), (all.to_vec(), true));
    let left: Vec<String> = alarms(&cloud).into_iter().map(|alarm| alarm.name).collect();
    assert_eq!(left, [HIGH_MEM, "model_deployment_low_mem"]);
    assert_eq!(
        report.plan.notes[1],
        format!("`model_deployment_low_mem` on `{CHURN}` does not notify topic `a` and stays")
    );
}

#[test]
fn a_pair_in_the_deployments_compartment_is_deleted_too() {
    let wanted = wanted(&table(&format!("metric_compartment = \"{METRICS_HOME}\""), ""));
    let cloud = empty();
    apply(&wanted, plan, &cloud);
    let ours = cloud.snapshot().topics[0].id.clone();
    let low = pair("model_deployment_low_cpu", CHURN, &ours);
    put(&cloud, &OciAlarm { compartment: METRICS_HOME.to_owned(), ..low });
    let report = apply(&wanted, removal, &cloud);
    assert_eq!((alarms(&cloud), cloud.snapshot().topics), (vec![], vec![]), "{report:?}");
}

#[rstest]
#[case::listened_to(true, "`ops@example.com`")]
#[case::notified(false, "alarm `disk`")]
fn a_topic_that_others_use_stays(#[case] listened_to: bool, #[case] user: &str) {
    let cloud = provisioned();
    let id = cloud.snapshot().topics[0].id.clone();
    if listened_to {
        cloud.with(|world| world.subscriptions.push(subscription(&id, "EMAIL", "ops@example.com")));
    } else {
        stranger(&cloud, "disk", "DiskUtilization[5m].max() > 80");
    }
    let report = apply(&small(), removal, &cloud);
    let in_use = format!("topic `stepladder-alarms` is in use and stays: {user}");
    assert_eq!(report.plan.notes.last(), Some(&in_use));
    assert_eq!(cloud.snapshot().topics.len(), 1);
    // Foreign alarms may use the function's subscription on purpose, so it stays. A foreign subscription does not need it.
    let left = cloud
        .snapshot()
        .subscriptions
        .iter()
        .filter(|subscription| subscription.endpoint.contains("fnfunc"))
        .count();
    assert_eq!(left, usize::from(!listened_to), "{report:?}");
    assert!(report.nothing_left());
}

// ---- a cloud that goes wrong ----

/// A simulated cloud that refuses one call, or whose reads lag behind its writes.
struct Troubled {
    cloud: SimulatedCloud,
    calls: AtomicUsize,
    refused: Option<usize>,
    late: Mutex<Vec<Existing>>,
}

impl Troubled {
    fn new(cloud: SimulatedCloud, refused: Option<usize>, late: Vec<Existing>) -> Self {
        Self { cloud, calls: AtomicUsize::new(0), refused, late: Mutex::new(late) }
    }
}

#[async_trait]
impl Client for Troubled {
    async fn observe(&self, request: &ObserveRequest<'_>) -> Result<Observation, Error> {
        self.cloud.observe(request).await
    }

    async fn active_alarms(&self, action: Option<&str>, now: Timestamp) -> Result<Vec<ActiveAlarm>, Error> {
        self.cloud.active_alarms(action, now).await
    }

    async fn existing(&self, desired: platform::Desired<'_>) -> Result<platform::Existing, Error> {
        let late = self.late.lock().unwrap().pop();
        match late {
            Some(late) => Ok(platform::Existing::Oci(late)),
            None => self.cloud.existing(desired).await,
        }
    }

    async fn send(&self, call: &Call) -> Result<String, Error> {
        let number = self.calls.fetch_add(1, SeqCst);
        if self.refused == Some(number) {
            let (operation, message) = (call.operation().to_owned(), "503".to_owned());
            return Err(Error::Unavailable { operation, message });
        }
        self.cloud.send(call).await
    }
}

#[rstest]
fn a_run_that_was_broken_off_is_finished_by_the_next(
    #[values(0, 1, 2, 3)] refused: usize,
    #[values(false, true)] down: bool,
) {
    let (planner, start): (Planner, _) = if down { (removal, provisioned()) } else { (plan, empty()) };
    let troubled = Troubled::new(start, Some(refused), Vec::new());
    let broken = apply(&small(), planner, &troubled);
    assert!(broken.error.is_some() && !broken.nothing_left());
    assert_eq!(broken.sent.len(), refused + 1, "nothing is sent after a failure");
    let next = apply_at(&small(), planner, &troubled.cloud, minute(1));
    assert!(next.nothing_left(), "{next:?}");
    assert_eq!(broken.sent.len() - 1 + next.sent.len(), 4, "nothing is done twice");
}

#[test]
fn what_is_not_listed_yet_is_not_sent_twice() {
    // Neither the first read nor the one after the topic's creation contains it.
    let troubled = Troubled::new(empty(), None, vec![Existing::default(), Existing::default()]);
    let report = apply(&small(), plan, &troubled);
    let all = ["oci:CreateTopic", "oci:CreateSubscription", "oci:CreateAlarm", "oci:CreateAlarm"];
    assert_eq!((sent(&report), report.nothing_left()), (all.to_vec(), true));
}

#[test]
fn a_change_that_never_becomes_visible_is_sent_once() {
    let cloud = provisioned();
    let read = |etag: usize| {
        let mut setup = existing(&cloud, &small());
        setup.alarms[0].alarm.severity = "ERROR".into();
        // The first read returns the real one.
        if etag > 0 {
            setup.alarms[0].etag = Some(format!("later{etag}"));
        }
        setup
    };
    let late = (0..3).rev().map(read).collect();
    let troubled = Troubled::new(cloud, None, late);
    let report = apply(&small(), plan, &troubled);
    assert_eq!((sent(&report), report.nothing_left()), (vec!["oci:UpdateAlarm"], true));
}

#[test]
fn a_cloud_without_provisioning_reports_it() {
    struct Elsewhere;
    #[async_trait]
    impl Client for Elsewhere {
        async fn observe(&self, _: &ObserveRequest<'_>) -> Result<Observation, Error> {
            panic!("nobody asks")
        }
        async fn active_alarms(&self, _: Option<&str>, _: Timestamp) -> Result<Vec<ActiveAlarm>, Error> {
            Ok(Vec::new())
        }
        async fn send(&self, _: &Call) -> Result<String, Error> {
            panic!("nothing is sent")
        }
    }
    let error = now(carry_out(&small(), plan, &Elsewhere, at(0))).unwrap_err();
    assert_eq!(error.to_string(), "provision was refused: nothing is provisioned on this cloud");
}

// ---- who must be allowed what ----

/// The permission of each statement.
fn granted(statements: &[String]) -> Vec<(usize, String)> {
    let permission = |statement: &String| {
        let (_, rest) = statement.split_once(" to ").unwrap();
        let (permission, _) = rest.split_once(" in ").unwrap();
        strength(permission)
    };
    statements.iter().map(permission).collect()
}

fn strength(permission: &str) -> (usize, String) {
    let (verb, resource) = permission.split_once(' ').unwrap();
    let rank = ["inspect", "read", "use", "manage"].iter().position(|known| *known == verb);
    (rank.unwrap_or_else(|| panic!("no verb: {permission}")), resource.to_owned())
}

/// Every permission is granted at its own strength or above, and nothing is granted that is not needed.
fn exactly(statements: &[String], needed: &[&str]) {
    let granted = granted(statements);
    let needed: Vec<_> = needed.iter().map(|permission| strength(permission)).collect();
    for (rank, resource) in &needed {
        assert!(
            granted.iter().any(|(given, on)| on == resource && given >= rank),
            "{resource}: {statements:?}"
        );
    }
    for grant in &granted {
        assert!(needed.contains(grant), "{grant:?} is needed for nothing: {statements:?}");
    }
    let resources: BTreeSet<_> = granted.iter().map(|(_, resource)| resource).collect();
    assert_eq!(resources.len(), granted.len(), "each resource once: {statements:?}");
}

#[test]
fn the_statements_grant_exactly_what_is_called() {
    let access = Access::of(&small());
    exactly(&access.function, &of_function());
    exactly(&access.operator, &of_operator());
    let functions: BTreeSet<_> = operations()
        .filter(|operation| operation.name.starts_with("oci:") && !operation.is_operators_own)
        .flat_map(|operation| operation.permissions)
        .copied()
        .collect();
    assert_eq!(functions, of_function().into_iter().collect());
    assert_eq!(access.matching_rule, format!("resource.id = '{FUNCTION}'"));
    let topics =
        |statements: &[String]| statements.iter().any(|statement| statement.contains("to manage ons-"));
    assert!(!topics(&access.function), "what only a person sends is not granted to the function");
    assert!(topics(&access.operator));
}

/// The permissions that a statement's condition names.
fn requested(statement: &str) -> BTreeSet<&str> {
    statement.split('\'').skip(1).step_by(2).collect()
}

#[test]
fn a_verb_that_holds_more_is_granted_only_for_what_the_function_sends() {
    let access = Access::of(&small());
    let of_function =
        || operations().filter(|operation| operation.name.starts_with("oci:") && !operation.is_operators_own);
    for statement in &access.function {
        let (need, _) = statement.split_once(" to ").unwrap().1.split_once(" in ").unwrap();
        let needed: BTreeSet<&str> = of_function()
            .filter(|operation| operation.permissions.contains(&need) && need.starts_with("manage "))
            .map(|operation| {
                let known = REQUESTED.iter().find(|(name, _)| *name == operation.name);
                known.unwrap_or_else(|| panic!("`{}` needs no permission", operation.name)).1
            })
            .collect();
        assert_eq!(requested(statement), needed, "{statement}");
    }
    let named = REQUESTED.iter().all(|(name, _)| of_function().any(|operation| operation.name == *name));
    assert!(named, "a permission of an operation that the function does not send");
    let all: BTreeSet<&str> = access.function.iter().flat_map(|statement| requested(statement)).collect();
    for too_much in [
        "DATA_SCIENCE_MODEL_DEPLOYMENT_DELETE",
        "DATA_SCIENCE_MODEL_DEPLOYMENT_CREATE",
        "DATA_SCIENCE_MODEL_DEPLOYMENT_PREDICT",
        "ALARM_MOVE",
    ] {
        assert!(!all.contains(too_much), "{too_much}");
    }
}

#[test]
fn a_person_sends_nothing_else() {
    let cloud = empty();
    let mut operations: BTreeSet<&str> = BTreeSet::new();
    operations.extend(sent(&apply(&small(), plan, &cloud)));
    edit(&cloud, 0, |alarm| alarm.severity = "ERROR".into());
    operations.extend(sent(&apply(&small(), plan, &cloud)));
    operations.extend(sent(&apply(&small(), removal, &cloud)));
    let own =
        OPERATIONS.iter().filter(|operation| operation.is_operators_own).map(|operation| operation.name);
    assert_eq!(operations, own.chain(OPERATORS_TOO.iter().copied()).collect());
    for operation in operations {
        assert!(OPERATIONS.iter().any(|known| known.name == operation), "{operation}");
    }
    assert!(READS.iter().all(|read| of_operator().contains(&read.permission())));
}

#[test]
fn a_denied_call_reports_the_missing_statement() {
    let expected =
        |need: &str| Some(format!("Allow group <yours> to {need} in compartment id {COMPARTMENT}"));
    assert_eq!(Access::lacking(&small(), "oci:ListTopics"), expected("inspect ons-topics"));
    assert_eq!(Access::lacking(&small(), "oci:CreateAlarm"), expected("manage alarms"));
    assert_eq!(Access::lacking(&small(), "oci:Nothing"), None);
}

#[test]
fn each_permission_is_granted_where_the_thing_is() {
    let text = table(&format!("metric_compartment = \"{METRICS_HOME}\""), "");
    let access = Access::of(&wanted(&text));
    let place = |resource: &str| {
        let all = access.function.iter().chain(&access.operator);
        let found: BTreeSet<_> = all
            .filter(|statement| statement.contains(&format!(" {resource} in ")))
            .filter_map(|statement| place_of(statement).map(str::to_owned))
            .collect();
        found.into_iter().collect::<Vec<_>>().join(" and ")
    };
    // A pair is made beside its deployment where the firing alarm cannot be read.
    assert_eq!(place("alarms"), format!("compartment id {COMPARTMENT} and compartment id {METRICS_HOME}"));
    assert_eq!(place("ons-topics"), format!("compartment id {COMPARTMENT}"));
    assert_eq!(place("metrics"), format!("compartment id {METRICS_HOME}"));
    assert_eq!(place("data-science-model-deployments"), format!("compartment id {METRICS_HOME}"));
    let root = Access::of(&wanted(&table("", "").replace(COMPARTMENT, "ocid1.tenancy.oc1..exampleuniqueid")));
    assert!(
        root.function.iter().all(|statement| place_of(statement) == Some("tenancy")),
        "{:?}",
        root.function
    );
}

/// The place of a statement, without its condition.
fn place_of(statement: &str) -> Option<&str> {
    let (_, place) = statement.split_once(" in ")?;
    Some(place.split_once(" where ").map_or(place, |(place, _)| place))
}

#[test]
fn a_topic_that_may_be_anywhere_is_named_in_its_statement() {
    let about_topics = |text: &str| {
        let access = Access::of(&wanted(text));
        let of = |statements: Vec<String>| {
            let all = statements.into_iter().filter(|statement| statement.contains("ons-topics"));
            all.filter_map(|statement| statement.split_once(" to ").map(|(_, rest)| rest.to_owned()))
                .collect()
        };
        let statements: [Vec<String>; 2] = [of(access.function), of(access.operator)];
        statements
    };
    let other = TOPIC.replace("exampleuniqueidtopic", "people");
    let notify = format!("[[notify]]\nto = \"{other}\"\n[[notify]]\nto = \"https://example.com/hook\"");
    let home = format!("in compartment id {COMPARTMENT}");
    assert_eq!(
        about_topics(&table("", &notify)),
        [
            vec![
                format!("use ons-topics {home}"),
                format!("use ons-topics in compartment <of topic {other}>")
            ],
            vec![format!("manage ons-topics {home}")]
        ]
    );
    // A given topic needs only the permission to use it. If notices go to the same topic, it is listed once.
    let given = format!("use ons-topics in compartment <of topic {TOPIC}>");
    let notify = format!("[[notify]]\nto = \"{TOPIC}\"");
    assert_eq!(
        about_topics(&table(&format!("topic = \"{TOPIC}\""), &notify)),
        [vec![given.clone()], vec![given]]
    );
}

// ---- the command ----

#[test]
fn the_command_plans_applies_and_takes_down() {
    let dir = TempDir::new().unwrap();
    let policy = write(&dir, "stepladder.toml", table("", ""));
    let world = write(&dir, "world.json", "{}");
    let line = |verb: &'static str, more: &[&'static str]| {
        let args: Vec<&str> = [verb, "--policy", &policy, "--world", &world, "--save"]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
        run(&args).without(&dir)
    };
    insta::assert_snapshot!("provision-plan", line("provision", &[]).to_string());
    insta::assert_snapshot!("provision-apply", line("provision", &["--apply"]).to_string());
    insta::assert_snapshot!(
        "provision-again",
        line("provision", &["--apply", "--format", "json"]).to_string()
    );
    let drifted = std::fs::read_to_string(&world).unwrap().replacen("> 80", "> 95", 1);
    std::fs::write(&world, drifted).unwrap();
    insta::assert_snapshot!("provision-drift", line("provision", &[]).to_string());
    insta::assert_snapshot!("teardown-plan", line("teardown", &[]).to_string());
    insta::assert_snapshot!("teardown-apply", line("teardown", &["--apply", "--format", "json"]).to_string());
    insta::assert_snapshot!("teardown-again", line("teardown", &["--apply"]).to_string());
}

#[test]
fn the_output_names_the_cloud_and_warns_of_a_simulation() {
    let dir = TempDir::new().unwrap();
    let policy = write(&dir, "stepladder.toml", table("", ""));
    let world = write(&dir, "world.json", "{}");
    for verb in ["provision", "teardown"] {
        let planned = run(&[verb, "--policy", &policy, "--format", "json"]);
        assert_eq!(planned.json()["cloud"], "simulated");
        let text = run(&[verb, "--policy", &policy]);
        assert!(text.out.starts_with("Simulated cloud: "), "{text}");
        // Without a world file the simulated changes are lost.
        let applied = run(&[verb, "--policy", &policy, "--apply"]);
        assert!(applied.err.starts_with("warning: ") && applied.err.contains("`--cloud oci`"), "{applied}");
        assert_eq!(applied.code, 0);
        let kept = run(&[verb, "--policy", &policy, "--apply", "--world", &world]);
        assert_eq!(kept.err, "");
    }
}

#[test]
fn a_conflict_exits_with_1() {
    let dir = TempDir::new().unwrap();
    let policy = write(&dir, "stepladder.toml", table("", ""));
    let world = json!({ "topics": [{ "id": TOPIC, "name": "stepladder-alarms" }] }).to_string();
    let world = write(&dir, "world.json", world);
    let ran = run(&["provision", "--policy", &policy, "--world", &world, "--apply"]).without(&dir);
    insta::assert_snapshot!("provision-conflict", ran.to_string());
    assert_eq!(run(&["provision", "--policy", &policy, "--world", &world]).code, 1);
}

#[test]
fn what_cannot_be_used_ends_with_2() {
    let dir = TempDir::new().unwrap();
    let none = write(&dir, "none.toml", "");
    let good = write(&dir, "good.toml", table("", ""));
    let bad = write(&dir, "bad.toml", one_alarm("").replace(HIGH_CPU, "busy"));
    let mut text = String::new();
    for args in [
        ["provision", "--policy", &none].as_slice(),
        &["teardown", "--policy", &none, "--format", "json"],
        &["provision", "--policy", &bad],
        &["provision", "--policy", &good, "--cloud", "oci", "--world", "world.json"],
        &["teardown", "--policy", &good, "--save"],
    ] {
        let ran = run(args).without(&dir);
        assert_eq!(ran.code, 2, "{ran}");
        writeln!(text, "{ran}\n").unwrap();
    }
    insta::assert_snapshot!("provision-unusable", text);
}
