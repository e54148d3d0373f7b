//! Every key of the policy file changes something that somebody sees: a record, a call, an alarm or a message.
//!
//! The keys are those of the schema, which follows from the types that the file is read into: a key that is added without
//! an effect, or without a row here, fails.

use std::collections::BTreeSet;
use std::process::{ExitCode, Termination};

use jiff::Timestamp;
use serde_json::{Value, json};
use stepladder::platform::oci::provision::{carry_out, desired};
use stepladder::platform::simulated::{SimulatedCloud, World};
use stepladder::report;

use crate::golden::case::rows;
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

    /// Everything that is seen of it: the reply, the alarms that exist, what was sent, and the tags.
    fn outputs(&self, text: &str, prepared: fn(&SimulatedCloud)) -> String {
        let mut policy = policy(text);
        policy.alarm_action = Some(TOPIC_ARN.to_owned());
        let cloud = self.world();
        prepared(&cloud);
        let now: Timestamp = self.now.parse().unwrap();
        let sent = notice(self.alarm, self.target).value(self.value).at(now);
        let reply = report::reply(&answer(&sent.body(), &cloud, &policy, now));
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
    Sent(Probe, fn(&SimulatedCloud)),
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
            Seen::Sent(probe, prepared) => probe.outputs(text, *prepared),
            Seen::Provisioned => provisioned(text),
            Seen::Listed(shape) => format!("{:?}", policy(text).ladders.holding(shape)),
        })
    }
}

fn none_is_idle(rows: &[Row]) -> ExitCode {
    let idle: Vec<String> = rows
        .iter()
        .filter(|row| {
            let [before, after] = row.outputs();
            before == after
        })
        .map(|row| format!("{}:\n{}", row.path, row.texts[1]))
        .collect();
    assert!(idle.is_empty(), "these change nothing:\n{}", idle.join("\n\n"));
    ExitCode::SUCCESS
}

/// A test that returns its row passes where the key changes something.
impl Termination for Row {
    fn report(self) -> ExitCode {
        none_is_idle(&[self])
    }
}

/// The rows of a key that may be set in three places: in all of them it counts.
struct Everywhere([Row; 3]);

impl Termination for Everywhere {
    fn report(self) -> ExitCode {
        none_is_idle(&self.0)
    }
}

fn nothing(_: &SimulatedCloud) {}

fn row_of(path: &str, texts: [&str; 2], probe: Probe) -> Row {
    Row::new(path, texts, Seen::Sent(probe, nothing))
}

fn provisioned(text: &str) -> String {
    let wanted = desired(&policy(text).provision).unwrap().clone();
    let cloud = SimulatedCloud::new(World { furnish: false, ..World::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let report = runtime
        .block_on(carry_out(&wanted, stepladder::platform::oci::provision::plan, &cloud, at(0)))
        .unwrap();
    let steps: Vec<String> = report.sent.iter().map(|sent| format!("{:?}", sent.step.call)).collect();
    format!("{}{}", steps.join("\n"), cloud.snapshot().to_json().unwrap())
}

mod settings {
    use serde_json::json;

    use super::{
        Everywhere, HIGH, LOW, MEM, NARROW, ON_AWS, Probe, Row, Seen, SimulatedCloud, WIDE, nothing, rows,
        scaled_natively,
    };
    use crate::support::HIGH_MEM;

    const CHEAP: &str = "axis = \"cheapest\"";
    const SURGE: &str = "axis = \"cheapest\"\nallow_cost_surge = true";
    const COUNT: &str = "axis = \"instances\"";
    const LESS: &str = "axis = \"instances\"\nstep = -1";
    const BANDWIDTH: &str = "axis = \"bandwidth\"";
    const NARROWER: &str = "axis = \"bandwidth\"\nstep = -1";
    const SHAPE: &str = "axis = \"shape\"\npair = { alarm = \"quiet\", metric = \"MemoryUtilization\", below = 10, window = \"5m\" }";
    const LADDER: &str = "[[ladder]]\nname = \"t\"\nrungs = [{ shape = \"VM.Standard2.2\", vcpus = 2, memory_gib = 4, price = 0.10 }, \
                          { shape = \"VM.Standard2.4\", vcpus = 4, memory_gib = 8, price = 0.18 }]\n";

    fn changed(seconds: i64, probe: Probe) -> Probe {
        Probe { changed: Some(seconds), ..probe }
    }

    fn natively(cloud: &SimulatedCloud) {
        scaled_natively(cloud, &json!({}), 1);
    }

    fn unavailable(cloud: &SimulatedCloud) {
        cloud.with(|world| world.unavailable.push("VM.Standard2.4".to_owned()));
    }

    /// A setting with two values, in all of its places: the rule goes by it, and the world is prepared for the event.
    fn setting(
        key: &str,
        values: [&str; 2],
        rule: &str,
        probe: Probe,
        prepared: fn(&SimulatedCloud),
    ) -> Everywhere {
        let alarm = "alarm = \"*\"";
        let in_place = |place: &str, value: &str| match place {
            "defaults" => format!("{LADDER}[defaults]\n{value}\n[[rule]]\n{alarm}\n{rule}"),
            "rule" => format!("{LADDER}[[rule]]\n{alarm}\n{rule}\n{value}"),
            _ => format!("{LADDER}[[target]]\ntarget = \"*\"\n{value}\n[[rule]]\n{alarm}\n{rule}"),
        };
        Everywhere(["defaults", "rule", "target"].map(|place| Row {
            path: format!("{place}.{key}"),
            texts: values.map(|value| in_place(place, value)),
            seen: Seen::Sent(probe, prepared),
        }))
    }

    rows![
        Everywhere,
        instances_min = setting(
            "instances.min",
            ["instances = { min = 1, max = 9 }", "instances = { min = 4, max = 9 }"],
            LESS,
            LOW,
            nothing,
        ),
        instances_max = setting(
            "instances.max",
            ["instances = { min = 1, max = 9 }", "instances = { min = 1, max = 4 }"],
            COUNT,
            HIGH,
            nothing,
        ),
        bandwidth_min = setting(
            "bandwidth.min",
            ["bandwidth = { min = 10, max = 90 }", "bandwidth = { min = 40, max = 90 }"],
            NARROWER,
            NARROW,
            nothing,
        ),
        bandwidth_max = setting(
            "bandwidth.max",
            ["bandwidth = { min = 10, max = 90 }", "bandwidth = { min = 10, max = 40 }"],
            BANDWIDTH,
            WIDE,
            nothing,
        ),
        evidence = setting(
            "evidence",
            ["evidence = \"window\"", "evidence = \"fired\""],
            COUNT,
            changed(-60, HIGH),
            nothing
        ),
        native_autoscaling = setting(
            "native_autoscaling",
            ["native_autoscaling = \"respect\"", "native_autoscaling = \"suspend\""],
            SHAPE,
            Probe { alarm: HIGH_MEM, ..ON_AWS },
            natively,
        ),
        capacity_backoff = setting(
            "capacity_backoff",
            ["capacity_backoff = \"1h\"", "capacity_backoff = \"6h\""],
            SHAPE,
            MEM,
            unavailable,
        ),
        cooldown_up = setting(
            "cooldown.up",
            ["cooldown = { up = \"0s\" }", "cooldown = { up = \"10m\" }"],
            COUNT,
            changed(-400, HIGH),
            nothing,
        ),
        cooldown_down = setting(
            "cooldown.down",
            ["cooldown = { down = \"5m\" }", "cooldown = { down = \"10m\" }"],
            LESS,
            changed(-400, LOW),
            nothing,
        ),
        scale_up_threshold = setting(
            "scale_up_threshold",
            ["scale_up_threshold = 80", "scale_up_threshold = 23"],
            LESS,
            Probe { value: 17.0, ..LOW },
            nothing,
        ),
        headroom = setting("headroom", ["headroom = \"20%\"", "headroom = \"60%\""], CHEAP, HIGH, nothing),
        min_savings = setting("min_savings", ["min_savings = 0", "min_savings = 9"], SURGE, HIGH, nothing),
        allow_cost_surge = setting(
            "allow_cost_surge",
            ["allow_cost_surge = false", "allow_cost_surge = true"],
            CHEAP,
            HIGH,
            nothing,
        ),
        max_hourly_cost = setting(
            "max_hourly_cost",
            ["max_hourly_cost = 9", "max_hourly_cost = 0.1"],
            COUNT,
            HIGH,
            nothing
        ),
        max_changes_per_hour = setting(
            "max_changes_per_hour",
            ["max_changes_per_hour = 2", "max_changes_per_hour = 1"],
            COUNT,
            HIGH,
            nothing,
        ),
        // Beside the keys with two parts: that one part alone may be set.
        cooldown_up_where_none_was_said = setting(
            "cooldown.up",
            ["scale_up_threshold = 80", "cooldown = { up = \"10m\", down = \"5m\" }"],
            COUNT,
            changed(-400, HIGH),
            nothing,
        ),
        cooldown_down_where_none_was_said = setting(
            "cooldown.down",
            ["scale_up_threshold = 80", "cooldown = { up = \"0s\", down = \"10m\" }"],
            LESS,
            changed(-400, LOW),
            nothing,
        ),
    ];
}

mod rules {
    use super::{HIGH, LOW, Probe, Row, Seen, nothing, row_of, rows};

    const TAKES_BACK: Probe = Probe { alarm: "quiet", value: 4.2, ..HIGH };

    fn rule(keys: &str) -> String {
        format!("[[rule]]\nalarm = \"*\"\naxis = \"instances\"\ninstances = {{ min = 1, max = 99 }}\n{keys}")
    }

    fn row(path: &str, keys: [&str; 2], probe: Probe) -> Row {
        Row { path: path.to_owned(), texts: keys.map(rule), seen: Seen::Sent(probe, nothing) }
    }

    fn pair(more: &str) -> String {
        format!(
            "pair = {{ alarm = \"quiet\", metric = \"CpuUtilization\", below = 10, window = \"5m\"{more} }}"
        )
    }

    fn paired(path: &str, more: [&str; 2], probe: Probe) -> Row {
        Row {
            path: path.to_owned(),
            texts: more.map(|more| rule(&pair(more))),
            seen: Seen::Sent(probe, nothing),
        }
    }

    rows![
        Row,
        alarm = row_of(
            "rule.alarm",
            ["[[rule]]\nalarm = \"*\"\naxis = \"shape\"", "[[rule]]\nalarm = \"x\"\naxis = \"shape\""],
            HIGH,
        ),
        target = row_of(
            "rule.target",
            [
                "[[rule]]\nalarm = \"*\"\ntarget = \"*\"\naxis = \"shape\"",
                "[[rule]]\nalarm = \"*\"\ntarget = \"x\"\naxis = \"shape\"",
            ],
            HIGH,
        ),
        axis = row_of(
            "rule.axis",
            ["[[rule]]\nalarm = \"*\"\naxis = \"instances\"", "[[rule]]\nalarm = \"*\"\naxis = \"shape\""],
            HIGH,
        ),
        step = row("rule.step", ["step = 1", "step = 2"], HIGH),
        track = row("rule.track", ["track = 60", "track = 30"], HIGH),
        steps_above = row(
            "rule.steps.above",
            ["steps = [{ above = 0, add = 2 }]", "steps = [{ above = 50, add = 2 }]"],
            HIGH,
        ),
        steps_below = row(
            "rule.steps.below",
            ["steps = [{ below = 0, remove = 2 }]", "steps = [{ below = -50, remove = 2 }]"],
            LOW,
        ),
        steps_add = row(
            "rule.steps.add",
            ["steps = [{ above = 0, add = 2 }]", "steps = [{ above = 0, add = \"100%\" }]"],
            HIGH,
        ),
        steps_remove = row(
            "rule.steps.remove",
            ["steps = [{ below = 0, remove = 1 }]", "steps = [{ below = 0, remove = \"50%\" }]"],
            LOW,
        ),
        steps_set = row(
            "rule.steps.set",
            ["steps = [{ above = 0, set = 7 }]", "steps = [{ above = 0, set = 8 }]"],
            HIGH
        ),
        min_step = row(
            "rule.min_step",
            [
                "steps = [{ above = 0, add = \"10%\" }]",
                "steps = [{ above = 0, add = \"10%\" }]\nmin_step = 3",
            ],
            HIGH,
        ),
        pair_step = paired("rule.pair.step", ["", ", step = 2"], TAKES_BACK),
        pair_steps_above = paired(
            "rule.pair.steps.above",
            [
                ", steps = [{ above = -90, below = 0, remove = 1 }, { below = -90, remove = 3 }]",
                ", steps = [{ above = -1, below = 0, remove = 1 }, { below = -1, remove = 3 }]",
            ],
            TAKES_BACK,
        ),
        pair_steps_below = paired(
            "rule.pair.steps.below",
            [", steps = [{ below = 0, remove = 2 }]", ", steps = [{ below = -90, remove = 2 }]"],
            TAKES_BACK,
        ),
        pair_steps_remove = paired(
            "rule.pair.steps.remove",
            [", steps = [{ below = 0, remove = 1 }]", ", steps = [{ below = 0, remove = 2 }]"],
            TAKES_BACK,
        ),
        pair_min_step = paired(
            "rule.pair.min_step",
            [
                ", steps = [{ below = 0, remove = \"10%\" }]",
                ", steps = [{ below = 0, remove = \"10%\" }], min_step = 2",
            ],
            TAKES_BACK,
        ),
        pair_alarm =
            row_of("rule.pair.alarm", [&rule(&pair("")), &rule(&pair("").replace("quiet", "calm"))], HIGH),
        pair_metric = row_of(
            "rule.pair.metric",
            [&rule(&pair("")), &rule(&pair("").replace("CpuUtilization", "MemoryUtilization"))],
            HIGH,
        ),
        pair_below = row_of(
            "rule.pair.below",
            [&rule(&pair("")), &rule(&pair("").replace("below = 10", "below = 11"))],
            HIGH,
        ),
        pair_window =
            row_of("rule.pair.window", [&rule(&pair("")), &rule(&pair("").replace("5m", "6m"))], HIGH),
        pair_repeat = paired("rule.pair.repeat", [", repeat = \"5m\"", ", repeat = \"6m\""], HIGH),
    ];
}

mod the_rest {
    use super::{HIGH, ON_AWS, Row, Seen, nothing, row_of, rows};

    const HOOK: &str = "to = \"https://example.org/hook\"";
    const MINIMUM: &str = "min = 6";
    const NEXT: &str = "{ shape = \"VM.Standard2.8\", vcpus = 16, memory_gib = 120, gpus = 0, price = 0.5 }";
    const FLEX: &str = "[[flex]]\nshape = \"VM.Standard.E4.Flex\"\nocpus = { min = 1, max = 8 }\nmemory_gib = { min = 16, max = 128 }\nvcpus_per_ocpu = 2\nprice_per_ocpu = 0.025\nprice_per_gib = 0.0015";

    fn row(path: &str, keys: [&str; 2]) -> Row {
        Row {
            path: path.to_owned(),
            texts: keys.map(|keys| format!("[[schedule]]\n{keys}")),
            seen: Seen::Sent(HIGH, nothing),
        }
    }

    fn notify(keys: &str) -> String {
        format!("[[notify]]\n{keys}")
    }

    fn ladder(rung: &str) -> String {
        format!(
            "[[ladder]]\nname = \"mine\"\nrungs = [{{ shape = \"VM.Standard2.2\", vcpus = 4, memory_gib = 30, gpus = 0, price = 0.1 }}, {rung}]"
        )
    }

    fn listed(path: &str, from: &str, to: &str) -> Row {
        Row::new(path, [&ladder(NEXT), &ladder(&NEXT.replace(from, to))], Seen::Listed("VM.Standard2.2"))
    }

    fn made(path: &str, from: &str, to: &str) -> Row {
        Row::new(path, [FLEX, &FLEX.replace(from, to)], Seen::Listed("VM.Standard.E4.Flex:2:32"))
    }

    rows![
        Row,
        mode = row_of("mode", ["mode = \"act\"", "mode = \"observe\""], HIGH),
        targets = row_of("targets", ["targets = [\"*\"]", "targets = [\"x\"]"], HIGH),
        topics = row_of("topics", ["topics = [\"*\"]", "topics = [\"x\"]"], ON_AWS),
        accounts =
            row_of("accounts", ["accounts = [\"111122223333\"]", "accounts = [\"999999999999\"]"], ON_AWS),
        target_target = row_of(
            "target.target",
            [
                "[[target]]\ntarget = \"*\"\nmode = \"observe\"",
                "[[target]]\ntarget = \"x\"\nmode = \"observe\"",
            ],
            HIGH,
        ),
        target_mode = row_of(
            "target.mode",
            ["[[target]]\ntarget = \"*\"\nmode = \"act\"", "[[target]]\ntarget = \"*\"\nmode = \"observe\""],
            HIGH,
        ),
        schedule_cron = row(
            "schedule.cron",
            [
                &format!("cron = \"0 11 * * *\"\nfor = \"2h\"\n{MINIMUM}"),
                &format!("cron = \"0 9 * * *\"\nfor = \"2h\"\n{MINIMUM}"),
            ],
        ),
        schedule_for = row(
            "schedule.for",
            [
                &format!("cron = \"0 11 * * *\"\nfor = \"2h\"\n{MINIMUM}"),
                &format!("cron = \"0 11 * * *\"\nfor = \"1h\"\n{MINIMUM}"),
            ],
        ),
        schedule_zone = row(
            "schedule.zone",
            [
                &format!("cron = \"0 12 * * *\"\nfor = \"1h\"\n{MINIMUM}"),
                &format!("cron = \"0 12 * * *\"\nzone = \"Asia/Tokyo\"\nfor = \"1h\"\n{MINIMUM}"),
            ],
        ),
        schedule_target = row(
            "schedule.target",
            [
                &format!("cron = \"0 12 * * *\"\nfor = \"1h\"\n{MINIMUM}"),
                &format!("cron = \"0 12 * * *\"\nfor = \"1h\"\ntarget = \"x\"\n{MINIMUM}"),
            ],
        ),
        schedule_min = row(
            "schedule.min",
            ["cron = \"0 12 * * *\"\nfor = \"1h\"\nmin = 6", "cron = \"0 12 * * *\"\nfor = \"1h\"\nmin = 7"],
        ),
        schedule_max = row(
            "schedule.max",
            ["cron = \"0 12 * * *\"\nfor = \"1h\"\nmax = 4", "cron = \"0 12 * * *\"\nfor = \"1h\"\nmax = 9"],
        ),
        notify_to = row_of("notify.to", [&notify(HOOK), &notify("to = \"https://example.com/hook\"")], HIGH),
        notify_form =
            row_of("notify.form", [&notify(HOOK), &notify(&format!("{HOOK}\nform = \"slack\""))], HIGH),
        notify_on =
            row_of("notify.on", [&notify(HOOK), &notify(&format!("{HOOK}\non = [\"failed\"]"))], HIGH),
        // A ladder's name appears wherever the ladder is named.
        ladder_name = Row::new(
            "ladder.name",
            [&ladder(NEXT), &ladder(NEXT).replace("mine", "other")],
            Seen::Listed("VM.Standard2.2"),
        ),
        ladder_rungs_shape = listed("ladder.rungs.shape", "VM.Standard2.8", "VM.Standard2.16"),
        ladder_rungs_vcpus = listed("ladder.rungs.vcpus", "vcpus = 16", "vcpus = 12"),
        ladder_rungs_memory_gib = listed("ladder.rungs.memory_gib", "memory_gib = 120", "memory_gib = 100"),
        ladder_rungs_gpus = listed("ladder.rungs.gpus", "gpus = 0", "gpus = 1"),
        ladder_rungs_accelerator =
            listed("ladder.rungs.accelerator", "gpus = 0", "gpus = 1, accelerator = \"A10\"",),
        ladder_rungs_gpu_memory_gib =
            listed("ladder.rungs.gpu_memory_gib", "gpus = 0", "gpus = 1, gpu_memory_gib = 24",),
        ladder_rungs_price = listed("ladder.rungs.price", "price = 0.5", "price = 0.6"),
        flex_shape = made("flex.shape", "VM.Standard.E4.Flex", "VM.Standard.E9.Flex"),
        flex_ocpus_min = made("flex.ocpus.min", "ocpus = { min = 1", "ocpus = { min = 2"),
        flex_ocpus_max = made("flex.ocpus.max", "max = 8", "max = 4"),
        flex_memory_gib_min = made("flex.memory_gib.min", "min = 16", "min = 32"),
        flex_memory_gib_max = made("flex.memory_gib.max", "max = 128", "max = 64"),
        flex_vcpus_per_ocpu = made("flex.vcpus_per_ocpu", "vcpus_per_ocpu = 2", "vcpus_per_ocpu = 1"),
        flex_price_per_ocpu = made("flex.price_per_ocpu", "price_per_ocpu = 0.025", "price_per_ocpu = 0.03"),
        flex_price_per_gib = made("flex.price_per_gib", "price_per_gib = 0.0015", "price_per_gib = 0.002"),
    ];
}

mod on_oci {
    use super::{CHURN, Row, Seen, rows};

    fn row(path: &str, from: &str, to: &str) -> Row {
        let home = "ocid1.compartment.oc1..exampleuniqueidhome";
        let table = format!(
            "[oci]\ncompartment = \"{home}\"\nmetric_compartment = \"{home}\"\ndeployments = [\"{CHURN}\"]\n\
             function = \"ocid1.fnfunc.oc1.iad.exampleuniqueid\"\ntopic = \"alarms\"\n[[oci.alarm]]\nname = \"churn_high_cpu\"\n\
             metric = \"CpuUtilization\"\nstatistic = \"max\"\nscale_up_threshold = 80\nwindow = \"5m\"\npending = \"1m\"\nrepeat = \"5m\"\n\
             severity = \"INFO\""
        );
        assert!(table.contains(from), "{from}");
        Row::new(path, [&table, &table.replacen(from, to, 1)], Seen::Provisioned)
    }

    rows![
        Row,
        compartment = row(
            "oci.compartment",
            "compartment = \"ocid1.compartment.oc1..exampleuniqueidhome\"",
            "compartment = \"ocid1.compartment.oc1..exampleuniqueidother\"",
        ),
        metric_compartment = row(
            "oci.metric_compartment",
            "metric_compartment = \"ocid1.compartment.oc1..exampleuniqueidhome\"",
            "metric_compartment = \"ocid1.compartment.oc1..exampleuniqueidother\"",
        ),
        deployments = row("oci.deployments", CHURN, &format!("{CHURN}2")),
        function = row(
            "oci.function",
            "ocid1.fnfunc.oc1.iad.exampleuniqueid",
            "ocid1.fnfunc.oc1.iad.exampleuniqueid2"
        ),
        topic = row("oci.topic", "topic = \"alarms\"", "topic = \"other\""),
        alarm_name = row("oci.alarm.name", "churn_high_cpu", "other_high_cpu"),
        alarm_metric = row("oci.alarm.metric", "CpuUtilization", "MemoryUtilization"),
        alarm_statistic = row("oci.alarm.statistic", "\"max\"", "\"mean\""),
        alarm_threshold =
            row("oci.alarm.scale_up_threshold", "scale_up_threshold = 80", "scale_up_threshold = 70"),
        alarm_window = row("oci.alarm.window", "window = \"5m\"", "window = \"6m\""),
        alarm_pending = row("oci.alarm.pending", "pending = \"1m\"", "pending = \"2m\""),
        alarm_repeat = row("oci.alarm.repeat", "repeat = \"5m\"", "repeat = \"6m\""),
        alarm_severity = row("oci.alarm.severity", "INFO", "ERROR"),
    ];
}

#[test]
fn every_key_of_the_schema_has_a_row() {
    let settings = settings::ROWS.iter().flat_map(|row| row().0);
    let others = [rules::ROWS, the_rest::ROWS, on_oci::ROWS].concat();
    let rows = settings.chain(others.iter().map(|row| row()));
    let tried: BTreeSet<String> = rows.map(|row| row.path).collect();
    let schema: Value = serde_json::from_str(include_str!("../../policy.schema.json")).unwrap();
    let mut known = BTreeSet::new();
    leaves(&schema, &schema, "", &mut known);
    // A pair scales down: keys that it may not have are refused, and a test of the policy checks that.
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
