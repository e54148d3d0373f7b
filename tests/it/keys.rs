//! Every key of the policy file changes something that somebody sees: a record, a call, an alarm or a message.
//!
//! The keys are those of the schema, which follows from the types that the file is read into: a key that is added without
//! an effect, or without a row here, fails.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};
use stepladder::platform::oci::provision::carry_out;
use stepladder::platform::simulated::{SimulatedCloud, World};
use stepladder::report;

use crate::support::{
    CHURN, HIGH_BANDWIDTH, HIGH_CPU, HIGH_MEM, LOW_BANDWIDTH, LOW_CPU, TOPIC_ARN, VARIANT, answer, at,
    cloud_with, notice, on, policy, scaled_natively,
};

/// One event on one world.
#[derive(Clone, Copy)]
struct Probe {
    alarm: &'static str,
    target: &'static str,
    value: f64,
    /// When the last change was completed, in seconds from now.
    changed: Option<i64>,
    now: &'static str,
}

const HIGH: Probe =
    Probe { alarm: HIGH_CPU, target: CHURN, value: 91.4, changed: None, now: "2026-03-02T12:00:00Z" };
const LOW: Probe = Probe { alarm: LOW_CPU, value: 4.2, ..HIGH };
const MEM: Probe = Probe { alarm: HIGH_MEM, ..HIGH };
const WIDE: Probe = Probe { alarm: HIGH_BANDWIDTH, ..HIGH };
const NARROW: Probe = Probe { alarm: LOW_BANDWIDTH, value: 4.2, ..HIGH };
const ON_AWS: Probe = Probe { target: VARIANT, ..HIGH };

impl Probe {
    fn world(&self) -> SimulatedCloud {
        let cloud =
            cloud_with(self.target, 4, if self.target == CHURN { "VM.Standard2.2" } else { "ml.m5.xlarge" });
        on(&cloud, CHURN, |found| {
            found.bandwidth_mbps = Some(40);
            found.tags.insert("stepladder:recent".to_owned(), format!("{}i+1", at(-600).as_second()));
        });
        for id in [CHURN, VARIANT] {
            let changed = self.changed.map(at);
            on(&cloud, id, |found| {
                found.last_change = changed;
                found.metrics = [("CpuUtilization", 91.4), ("MemoryUtilization", 50.0)]
                    .map(|(name, value)| (name.to_owned(), value))
                    .into();
            });
        }
        cloud
    }

    /// Everything that is seen of it: the reply, the alarms that stand, what was told, and the tags.
    fn outputs(&self, text: &str, prepared: fn(&SimulatedCloud)) -> String {
        let mut policy = policy(text);
        policy.alarm_action = Some(TOPIC_ARN.to_owned());
        let cloud = self.world();
        prepared(&cloud);
        let now: Timestamp = self.now.parse().unwrap();
        let told = notice(self.alarm, self.target).value(self.value).at(now);
        let reply = report::reply(&answer(&told.body(), &cloud, &policy, now));
        let world = cloud.snapshot();
        json!({ "reply": reply, "world": serde_json::from_str::<Value>(&world.to_json().unwrap()).unwrap() })
            .to_string()
    }
}

/// A key, two policies that differ in it alone, and where the difference shows.
struct Row {
    path: String,
    texts: [String; 2],
    seen: Seen,
}

enum Seen {
    Told(Probe, fn(&SimulatedCloud)),
    /// What `stepladder provision` sets up.
    Provisioned,
    /// What `stepladder shapes` lists.
    Listed(&'static str),
}

impl Row {
    fn new(path: &str, texts: [&str; 2], seen: Seen) -> Self {
        Self { path: path.to_owned(), texts: texts.map(str::to_owned), seen }
    }

    fn outputs(&self) -> [String; 2] {
        self.texts.each_ref().map(|text| match &self.seen {
            Seen::Told(probe, prepared) => probe.outputs(text, *prepared),
            Seen::Provisioned => provisioned(text),
            Seen::Listed(shape) => format!("{:?}", policy(text).ladders.holding(shape)),
        })
    }
}

fn nothing(_: &SimulatedCloud) {}

fn told(path: &str, texts: [&str; 2], probe: Probe) -> Row {
    Row::new(path, texts, Seen::Told(probe, nothing))
}

fn provisioned(text: &str) -> String {
    let wanted = policy(text).oci.unwrap();
    let cloud = SimulatedCloud::new(World { furnish: false, ..World::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let report = runtime
        .block_on(carry_out(&wanted, stepladder::platform::oci::provision::plan, &cloud, at(0)))
        .unwrap();
    let steps: Vec<String> = report.sent.iter().map(|sent| format!("{:?}", sent.step.call)).collect();
    format!("{}{}", steps.join("\n"), cloud.snapshot().to_json().unwrap())
}

/// A setting, two values of it, the rule that goes by it, the event, and what is done to the world before.
type Setting = (&'static str, [&'static str; 2], &'static str, Probe, fn(&SimulatedCloud));

/// What may be said in three places: in all of them it counts.
#[expect(clippy::too_many_lines, reason = "a table")]
fn settings() -> Vec<Row> {
    let cheap = "axis = \"cheapest\"";
    let ladder = "[[ladder]]\nname = \"t\"\nrungs = [{ shape = \"VM.Standard2.2\", vcpus = 2, memory_gib = 4, price = 0.10 }, \
                  { shape = \"VM.Standard2.4\", vcpus = 4, memory_gib = 8, price = 0.18 }]\n";
    let count = "axis = \"instances\"";
    let less = "axis = \"instances\"\nstep = -1";
    let bandwidth = "axis = \"bandwidth\"";
    let narrower = "axis = \"bandwidth\"\nstep = -1";
    let shape = "axis = \"shape\"\npair = { alarm = \"quiet\", metric = \"MemoryUtilization\", below = 10, window = \"5m\" }";
    let changed = |seconds: i64, probe: Probe| Probe { changed: Some(seconds), ..probe };
    let natively: fn(&SimulatedCloud) = |cloud| scaled_natively(cloud, &json!({}), 1);
    let unavailable: fn(&SimulatedCloud) =
        |cloud| cloud.with(|world| world.unavailable.push("VM.Standard2.4".to_owned()));
    let rows: [Setting; 16] = [
        (
            "instances.min",
            ["instances = { min = 1, max = 9 }", "instances = { min = 4, max = 9 }"],
            less,
            LOW,
            nothing,
        ),
        (
            "instances.max",
            ["instances = { min = 1, max = 9 }", "instances = { min = 1, max = 4 }"],
            count,
            HIGH,
            nothing,
        ),
        (
            "bandwidth.min",
            ["bandwidth = { min = 10, max = 90 }", "bandwidth = { min = 40, max = 90 }"],
            narrower,
            NARROW,
            nothing,
        ),
        (
            "bandwidth.max",
            ["bandwidth = { min = 10, max = 90 }", "bandwidth = { min = 10, max = 40 }"],
            bandwidth,
            WIDE,
            nothing,
        ),
        ("evidence", ["evidence = \"window\"", "evidence = \"fired\""], count, changed(-60, HIGH), nothing),
        (
            "native_autoscaling",
            ["native_autoscaling = \"respect\"", "native_autoscaling = \"suspend\""],
            shape,
            Probe { alarm: HIGH_MEM, ..ON_AWS },
            natively,
        ),
        (
            "capacity_backoff",
            ["capacity_backoff = \"1h\"", "capacity_backoff = \"6h\""],
            shape,
            MEM,
            unavailable,
        ),
        (
            "cooldown.up",
            ["cooldown = { up = \"0s\" }", "cooldown = { up = \"10m\" }"],
            count,
            changed(-400, HIGH),
            nothing,
        ),
        (
            "cooldown.down",
            ["cooldown = { down = \"5m\" }", "cooldown = { down = \"10m\" }"],
            less,
            changed(-400, LOW),
            nothing,
        ),
        (
            "scale_up_threshold",
            ["scale_up_threshold = 80", "scale_up_threshold = 23"],
            less,
            Probe { value: 17.0, ..LOW },
            nothing,
        ),
        ("headroom", ["headroom = \"20%\"", "headroom = \"60%\""], cheap, HIGH, nothing),
        ("min_savings", ["min_savings = 0", "min_savings = 9"], cheap, HIGH, nothing),
        ("max_hourly_cost", ["max_hourly_cost = 9", "max_hourly_cost = 0.1"], count, HIGH, nothing),
        (
            "max_changes_per_hour",
            ["max_changes_per_hour = 2", "max_changes_per_hour = 1"],
            count,
            HIGH,
            nothing,
        ),
        // Beside the keys with two parts: that one part alone may be said.
        (
            "cooldown.up",
            ["scale_up_threshold = 80", "cooldown = { up = \"10m\", down = \"5m\" }"],
            count,
            changed(-400, HIGH),
            nothing,
        ),
        (
            "cooldown.down",
            ["scale_up_threshold = 80", "cooldown = { up = \"0s\", down = \"10m\" }"],
            less,
            changed(-400, LOW),
            nothing,
        ),
    ];
    let mut all = Vec::new();
    for (key, values, rule, probe, prepared) in rows {
        let alarm = "alarm = \"*\"";
        let in_place = |place: &str, value: &str| match place {
            "defaults" => format!("{ladder}[defaults]\n{value}\n[[rule]]\n{alarm}\n{rule}"),
            "rule" => format!("{ladder}[[rule]]\n{alarm}\n{rule}\n{value}"),
            _ => format!("{ladder}[[target]]\ntarget = \"*\"\n{value}\n[[rule]]\n{alarm}\n{rule}"),
        };
        for place in ["defaults", "rule", "target"] {
            let texts = values.map(|value| in_place(place, value));
            all.push(Row { path: format!("{place}.{key}"), texts, seen: Seen::Told(probe, prepared) });
        }
    }
    all
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn rules() -> Vec<Row> {
    let rule = |keys: &str| {
        format!("[[rule]]\nalarm = \"*\"\naxis = \"instances\"\ninstances = {{ min = 1, max = 99 }}\n{keys}")
    };
    let row = |path: &str, keys: [&str; 2], probe: Probe| Row {
        path: path.to_owned(),
        texts: keys.map(rule),
        seen: Seen::Told(probe, nothing),
    };
    let pair = |more: &str| {
        format!(
            "pair = {{ alarm = \"quiet\", metric = \"CpuUtilization\", below = 10, window = \"5m\"{more} }}"
        )
    };
    let paired = |path: &str, more: [&str; 2], probe: Probe| Row {
        path: path.to_owned(),
        texts: more.map(|more| rule(&pair(more))),
        seen: Seen::Told(probe, nothing),
    };
    let takes_back = Probe { alarm: "quiet", value: 4.2, ..HIGH };
    vec![
        told(
            "rule.alarm",
            ["[[rule]]\nalarm = \"*\"\naxis = \"shape\"", "[[rule]]\nalarm = \"x\"\naxis = \"shape\""],
            HIGH,
        ),
        told(
            "rule.target",
            [
                "[[rule]]\nalarm = \"*\"\ntarget = \"*\"\naxis = \"shape\"",
                "[[rule]]\nalarm = \"*\"\ntarget = \"x\"\naxis = \"shape\"",
            ],
            HIGH,
        ),
        told(
            "rule.axis",
            ["[[rule]]\nalarm = \"*\"\naxis = \"instances\"", "[[rule]]\nalarm = \"*\"\naxis = \"shape\""],
            HIGH,
        ),
        row("rule.step", ["step = 1", "step = 2"], HIGH),
        row("rule.track", ["track = 60", "track = 30"], HIGH),
        row(
            "rule.steps.above",
            ["steps = [{ above = 0, add = 2 }]", "steps = [{ above = 50, add = 2 }]"],
            HIGH,
        ),
        row(
            "rule.steps.below",
            ["steps = [{ below = 0, remove = 2 }]", "steps = [{ below = -50, remove = 2 }]"],
            LOW,
        ),
        row(
            "rule.steps.add",
            ["steps = [{ above = 0, add = 2 }]", "steps = [{ above = 0, add = \"100%\" }]"],
            HIGH,
        ),
        row(
            "rule.steps.remove",
            ["steps = [{ below = 0, remove = 1 }]", "steps = [{ below = 0, remove = \"50%\" }]"],
            LOW,
        ),
        row("rule.steps.set", ["steps = [{ above = 0, set = 7 }]", "steps = [{ above = 0, set = 8 }]"], HIGH),
        row(
            "rule.min_step",
            [
                "steps = [{ above = 0, add = \"10%\" }]",
                "steps = [{ above = 0, add = \"10%\" }]\nmin_step = 3",
            ],
            HIGH,
        ),
        paired("rule.pair.step", ["", ", step = 2"], takes_back),
        paired(
            "rule.pair.steps.above",
            [
                ", steps = [{ above = -90, below = 0, remove = 1 }, { below = -90, remove = 3 }]",
                ", steps = [{ above = -1, below = 0, remove = 1 }, { below = -1, remove = 3 }]",
            ],
            takes_back,
        ),
        paired(
            "rule.pair.steps.below",
            [", steps = [{ below = 0, remove = 2 }]", ", steps = [{ below = -90, remove = 2 }]"],
            takes_back,
        ),
        paired(
            "rule.pair.steps.remove",
            [", steps = [{ below = 0, remove = 1 }]", ", steps = [{ below = 0, remove = 2 }]"],
            takes_back,
        ),
        paired(
            "rule.pair.min_step",
            [
                ", steps = [{ below = 0, remove = \"10%\" }]",
                ", steps = [{ below = 0, remove = \"10%\" }], min_step = 2",
            ],
            takes_back,
        ),
        told("rule.pair.alarm", [&rule(&pair("")), &rule(&pair("").replace("quiet", "calm"))], HIGH),
        told(
            "rule.pair.metric",
            [&rule(&pair("")), &rule(&pair("").replace("CpuUtilization", "MemoryUtilization"))],
            HIGH,
        ),
        told(
            "rule.pair.below",
            [&rule(&pair("")), &rule(&pair("").replace("below = 10", "below = 11"))],
            HIGH,
        ),
        told("rule.pair.window", [&rule(&pair("")), &rule(&pair("").replace("5m", "6m"))], HIGH),
        paired("rule.pair.repeat", [", repeat = \"5m\"", ", repeat = \"6m\""], HIGH),
    ]
}

fn the_rest() -> Vec<Row> {
    let schedule = |keys: &str| format!("[[schedule]]\n{keys}");
    let row = |path: &str, keys: [&str; 2]| Row {
        path: path.to_owned(),
        texts: keys.map(schedule),
        seen: Seen::Told(HIGH, nothing),
    };
    let notify = |keys: &str| format!("[[notify]]\n{keys}");
    let hook = "to = \"https://example.org/hook\"";
    let rungs = |rung: &str| {
        format!(
            "[[ladder]]\nname = \"mine\"\nrungs = [{{ shape = \"VM.Standard2.2\", vcpus = 4, memory_gib = 30, gpus = 0, price = 0.1 }}, {rung}]"
        )
    };
    let next = "{ shape = \"VM.Standard2.8\", vcpus = 16, memory_gib = 120, gpus = 0, price = 0.5 }";
    let listed = |path: &str, from: &str, to: &str| {
        Row::new(path, [&rungs(next), &rungs(&next.replace(from, to))], Seen::Listed("VM.Standard2.2"))
    };
    let flex = "[[flex]]\nshape = \"VM.Standard.E4.Flex\"\nocpus = { min = 1, max = 8 }\nmemory_gib = { min = 16, max = 128 }\nvcpus_per_ocpu = 2\nprice_per_ocpu = 0.025\nprice_per_gib = 0.0015";
    let made = |path: &str, from: &str, to: &str| {
        Row::new(path, [flex, &flex.replace(from, to)], Seen::Listed("VM.Standard.E4.Flex:2:32"))
    };
    let minimum = "min = 6";
    let mut rows = vec![
        told("mode", ["mode = \"act\"", "mode = \"observe\""], HIGH),
        told("targets", ["targets = [\"*\"]", "targets = [\"x\"]"], HIGH),
        told("topics", ["topics = [\"*\"]", "topics = [\"x\"]"], ON_AWS),
        told("accounts", ["accounts = [\"111122223333\"]", "accounts = [\"999999999999\"]"], ON_AWS),
        told(
            "target.target",
            [
                "[[target]]\ntarget = \"*\"\nmode = \"observe\"",
                "[[target]]\ntarget = \"x\"\nmode = \"observe\"",
            ],
            HIGH,
        ),
        told(
            "target.mode",
            ["[[target]]\ntarget = \"*\"\nmode = \"act\"", "[[target]]\ntarget = \"*\"\nmode = \"observe\""],
            HIGH,
        ),
        row(
            "schedule.cron",
            [
                &format!("cron = \"0 11 * * *\"\nfor = \"2h\"\n{minimum}"),
                &format!("cron = \"0 9 * * *\"\nfor = \"2h\"\n{minimum}"),
            ],
        ),
        row(
            "schedule.for",
            [
                &format!("cron = \"0 11 * * *\"\nfor = \"2h\"\n{minimum}"),
                &format!("cron = \"0 11 * * *\"\nfor = \"1h\"\n{minimum}"),
            ],
        ),
        row(
            "schedule.zone",
            [
                &format!("cron = \"0 12 * * *\"\nfor = \"1h\"\n{minimum}"),
                &format!("cron = \"0 12 * * *\"\nzone = \"Asia/Tokyo\"\nfor = \"1h\"\n{minimum}"),
            ],
        ),
        row(
            "schedule.target",
            [
                &format!("cron = \"0 12 * * *\"\nfor = \"1h\"\n{minimum}"),
                &format!("cron = \"0 12 * * *\"\nfor = \"1h\"\ntarget = \"x\"\n{minimum}"),
            ],
        ),
        row(
            "schedule.min",
            ["cron = \"0 12 * * *\"\nfor = \"1h\"\nmin = 6", "cron = \"0 12 * * *\"\nfor = \"1h\"\nmin = 7"],
        ),
        row(
            "schedule.max",
            ["cron = \"0 12 * * *\"\nfor = \"1h\"\nmax = 4", "cron = \"0 12 * * *\"\nfor = \"1h\"\nmax = 9"],
        ),
        told("notify.to", [&notify(hook), &notify("to = \"https://example.com/hook\"")], HIGH),
        told("notify.form", [&notify(hook), &notify(&format!("{hook}\nform = \"slack\""))], HIGH),
        told("notify.on", [&notify(hook), &notify(&format!("{hook}\non = [\"failed\"]"))], HIGH),
        listed("ladder.name", "mine", "mine"),
        listed("ladder.rungs.shape", "VM.Standard2.8", "VM.Standard2.16"),
        listed("ladder.rungs.vcpus", "vcpus = 16", "vcpus = 12"),
        listed("ladder.rungs.memory_gib", "memory_gib = 120", "memory_gib = 100"),
        listed("ladder.rungs.gpus", "gpus = 0", "gpus = 1"),
        listed("ladder.rungs.price", "price = 0.5", "price = 0.6"),
        made("flex.shape", "VM.Standard.E4.Flex", "VM.Standard.E9.Flex"),
        made("flex.ocpus.min", "ocpus = { min = 1", "ocpus = { min = 2"),
        made("flex.ocpus.max", "max = 8", "max = 4"),
        made("flex.memory_gib.min", "min = 16", "min = 32"),
        made("flex.memory_gib.max", "max = 128", "max = 64"),
        made("flex.vcpus_per_ocpu", "vcpus_per_ocpu = 2", "vcpus_per_ocpu = 1"),
        made("flex.price_per_ocpu", "price_per_ocpu = 0.025", "price_per_ocpu = 0.03"),
        made("flex.price_per_gib", "price_per_gib = 0.0015", "price_per_gib = 0.002"),
    ];
    // A ladder's name is told by whatever speaks of it.
    let named = rows.iter_mut().find(|row| row.path == "ladder.name").unwrap();
    named.texts[1] = named.texts[0].replace("mine", "other");
    rows
}

fn on_oci() -> Vec<Row> {
    let home = "ocid1.compartment.oc1..exampleuniqueidhome";
    let table = format!(
        "[oci]\ncompartment = \"{home}\"\nmetric_compartment = \"{home}\"\ndeployments = [\"{CHURN}\"]\n\
         function = \"ocid1.fnfunc.oc1.iad.exampleuniqueid\"\ntopic = \"alarms\"\n[[oci.alarm]]\nname = \"churn_high_cpu\"\n\
         metric = \"CpuUtilization\"\nstatistic = \"max\"\nabove = 80\nwindow = \"5m\"\npending = \"1m\"\nrepeat = \"5m\"\n\
         severity = \"INFO\""
    );
    let row = |path: &str, from: &str, to: &str| {
        assert!(table.contains(from), "{from}");
        Row::new(path, [&table, &table.replacen(from, to, 1)], Seen::Provisioned)
    };
    vec![
        row(
            "oci.compartment",
            "compartment = \"ocid1.compartment.oc1..exampleuniqueidhome\"",
            "compartment = \"ocid1.compartment.oc1..exampleuniqueidother\"",
        ),
        row(
            "oci.metric_compartment",
            "metric_compartment = \"ocid1.compartment.oc1..exampleuniqueidhome\"",
            "metric_compartment = \"ocid1.compartment.oc1..exampleuniqueidother\"",
        ),
        row("oci.deployments", CHURN, &format!("{CHURN}2")),
        row("oci.function", "ocid1.fnfunc.oc1.iad.exampleuniqueid", "ocid1.fnfunc.oc1.iad.exampleuniqueid2"),
        row("oci.topic", "topic = \"alarms\"", "topic = \"other\""),
        row("oci.alarm.name", "churn_high_cpu", "other_high_cpu"),
        row("oci.alarm.metric", "CpuUtilization", "MemoryUtilization"),
        row("oci.alarm.statistic", "\"max\"", "\"mean\""),
        row("oci.alarm.above", "above = 80", "above = 70"),
        row("oci.alarm.window", "window = \"5m\"", "window = \"6m\""),
        row("oci.alarm.pending", "pending = \"1m\"", "pending = \"2m\""),
        row("oci.alarm.repeat", "repeat = \"5m\"", "repeat = \"6m\""),
        row("oci.alarm.severity", "INFO", "ERROR"),
    ]
}

fn rows() -> Vec<Row> {
    settings().into_iter().chain(rules()).chain(the_rest()).chain(on_oci()).collect()
}

#[test]
fn every_key_changes_something_that_somebody_sees() {
    let idle: Vec<String> = rows()
        .iter()
        .filter(|row| {
            let [before, after] = row.outputs();
            before == after
        })
        .map(|row| format!("{}:\n{}", row.path, row.texts[1]))
        .collect();
    assert!(idle.is_empty(), "these change nothing:\n{}", idle.join("\n\n"));
}

#[test]
fn every_key_of_the_schema_has_a_row() {
    let tried: BTreeSet<String> = rows().into_iter().map(|row| row.path).collect();
    let schema: Value = serde_json::from_str(include_str!("../../policy.schema.json")).unwrap();
    let mut known = BTreeSet::new();
    leaves(&schema, &schema, "", &mut known);
    // A pair takes back: what it may not say is refused, and a test of the policy says so.
    known.retain(|key| !["rule.pair.steps.add", "rule.pair.steps.set"].contains(&key.as_str()));
    assert!(known.len() > 90, "{known:?}");
    let untried: Vec<&String> = known.difference(&tried).collect();
    let unknown: Vec<&String> = tried.difference(&known).collect();
    assert!(untried.is_empty() && unknown.is_empty(), "without a row: {untried:?}; no keys: {unknown:?}");
}

/// The keys below a node that have no keys of their own.
fn leaves(schema: &Value, node: &Value, path: &str, found: &mut BTreeSet<String>) {
    if let Some(name) = node["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
        return leaves(schema, &schema["$defs"][name], path, found);
    }
    let several = ["anyOf", "oneOf", "allOf"].iter().filter_map(|word| node[*word].as_array()).flatten();
    for one in several {
        leaves(schema, one, path, found);
    }
    if !node["items"].is_null() {
        return leaves(schema, &node["items"], path, found);
    }
    if let Some(keys) = node["properties"].as_object() {
        for (key, below) in keys {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            leaves(schema, below, &path, found);
        }
    } else if !path.is_empty() {
        found.insert(path.to_owned());
        // What only an alternative has below it is no leaf.
        if node["anyOf"].as_array().is_some_and(|all| all.iter().any(|one| has_keys(schema, one))) {
            found.remove(path);
        }
    }
}

fn has_keys(schema: &Value, node: &Value) -> bool {
    if let Some(name) = node["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
        return has_keys(schema, &schema["$defs"][name]);
    }
    !node["properties"].is_null() || has_keys_below(schema, &node["items"])
}

fn has_keys_below(schema: &Value, node: &Value) -> bool {
    !node.is_null() && has_keys(schema, node)
}
