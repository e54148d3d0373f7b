//! Puts a situation to the program, and compares what is decided, recorded and planned with the oracle's answer.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::OnceLock;

use jiff::SignedDuration;
use stepladder::alarm::{Comparison, Condition, Coverage, EvidenceTime, Measurement};
use stepladder::decide::{Check, Decision};
use stepladder::deployment::{Lifecycle, ObservedAlarm, SuspendedScaling};
use stepladder::plan::Plan;
use stepladder::size::Axis;

use super::rules::{self, Answer, Pair};
use super::situation::{
    Adjustment, Change, Cloud, Evidence, LADDER, Metric, PairAlarm, Recorded, Rule, Scaling, Situation, State,
};
use crate::docs::documented_reasons;
use crate::golden::case::{self, Case};
use crate::support::at;

/// Every way in which the program differs from the oracle.
pub(super) fn differences(situation: &Situation) -> Vec<String> {
    let plan = case(situation).planned();
    let mut found = Vec::new();
    let expected = rules::answer(situation);
    let decided = answer_of(situation, &plan.trace.decision);
    if decided != expected {
        found.push(format!("decided {decided:?}, expected {expected:?}"));
    }
    found.extend(record_faults(&plan.trace.decision, &plan.trace.checks));
    let pair = pair_of(situation, &plan);
    let wanted = rules::pair(situation, expected);
    if wanted != Pair::Free && pair != wanted {
        found.push(format!("the pair is {pair:?}, expected {wanted:?}"));
    }
    found
}

fn answer_of(situation: &Situation, decision: &Decision) -> Answer {
    let to = match decision {
        Decision::Hold(hold) => return Answer::Hold(hold.reason()),
        Decision::Resize { to, .. } => to,
    };
    let rung = LADDER.iter().position(|step| shape(situation.observed.cloud, step) == to.shape);
    Answer::Resize(match situation.policy.axis {
        Axis::Instances => to.instances,
        Axis::Shape => u32::try_from(rung.unwrap()).unwrap(),
        Axis::Bandwidth => to.bandwidth_mbps.unwrap(),
    })
}

fn shape(cloud: Cloud, step: &super::situation::Step) -> &'static str {
    if cloud == Cloud::Oci { step.oci } else { step.aws }
}

/// The guards in the order of `docs/decisions.md`.
fn documented_order() -> &'static [String] {
    static ORDER: OnceLock<Vec<String>> = OnceLock::new();
    ORDER.get_or_init(documented_reasons)
}

/// What is wrong with a record: a hold has one guard that blocks, which is its reason and the last one; no guard comes
/// twice; and the order is the documented one.
pub(crate) fn record_faults(decision: &Decision, checks: &[Check]) -> Vec<String> {
    let mut faults = Vec::new();
    let names: Vec<&str> = checks.iter().map(|check| check.guard).collect();
    let blocked: Vec<&str> = checks.iter().filter(|check| check.blocked).map(|check| check.guard).collect();
    let expected = match decision {
        Decision::Hold(hold) => vec![hold.reason()],
        Decision::Resize { .. } => Vec::new(),
    };
    let is_last = expected.last().is_none_or(|reason| names.last() == Some(reason));
    if blocked != expected || !is_last {
        faults.push(format!("the guards that block are {blocked:?}, expected {expected:?}, last: {names:?}"));
    }
    if names.iter().collect::<BTreeSet<_>>().len() != names.len() {
        faults.push(format!("a guard comes twice: {names:?}"));
    }
    let place = |name: &&str| documented_order().iter().position(|known| known == name);
    let places: Vec<Option<usize>> = names.iter().map(place).collect();
    if places.contains(&None) || !places.is_sorted() {
        faults.push(format!("not the documented order: {names:?}"));
    }
    faults
}

/// What the plan does to the pair.
fn pair_of(situation: &Situation, plan: &Plan) -> Pair {
    let operations: Vec<&str> = plan.calls.iter().map(stepladder::platform::Call::operation).collect();
    let is_written =
        |name: &&str| ["oci:CreateAlarm", "oci:UpdateAlarm", "aws:PutMetricAlarm"].contains(name);
    let is_deleted = |name: &&str| ["oci:DeleteAlarm", "aws:DeleteAlarms"].contains(name);
    match (operations.iter().position(is_written), operations.iter().any(is_deleted)) {
        (Some(0), false) => Pair::Written,
        (None, true) => Pair::Deleted,
        (None, false) => Pair::Untouched,
        _ => panic!("{operations:?} for {situation}"),
    }
}

/// The situation as the program has it.
fn case(situation: &Situation) -> Case {
    let Situation { policy, observed, fired } = situation;
    let step = &LADDER[observed.rung];
    let case = Case::new("", &rule_text(policy)).policy(&ladder_text());
    let case = match observed.cloud {
        Cloud::Oci => case.count(observed.instances).shape(step.oci),
        Cloud::Aws => case.variant(observed.instances, step.aws),
    };
    let case = observe(case, situation);
    case.with_alarm(|alarm| {
        alarm.transition = fired.transition;
        alarm.muted = fired.is_muted;
        let measurement = &mut alarm.measurement;
        measurement.metric = Some(rules::metric_name(fired, observed.cloud).to_owned());
        measurement.condition = match (fired.side, fired.threshold) {
            (Some(side), Some(threshold)) => {
                Condition::Plain(Comparison { threshold, side, value: fired.value })
            }
            (Some(side), None) => Condition::Sided(side),
            (None, _) => Condition::Unknown,
        };
        measurement.coverage = if fired.is_missing { Coverage::Nothing } else { Coverage::Full };
        measurement.window = fired.window_minutes.map(|minutes| SignedDuration::from_mins(minutes.into()));
        alarm.evidence = match fired.evidence {
            Evidence::Ago(seconds) => EvidenceTime::At(at(-i64::from(seconds))),
            Evidence::OnReceipt => EvidenceTime::OnReceipt,
            Evidence::Unknown => EvidenceTime::Unknown,
        };
    })
}

fn observe(case: Case, situation: &Situation) -> Case {
    let Situation { policy, observed, fired } = situation;
    let mut case = case;
    if let Some(mbps) = observed.mbps {
        case = case.bandwidth(mbps);
    }
    if let Some(seconds) = observed.changed {
        case = case.changed(seconds.into());
    }
    if let Some([min, max]) = observed.platform {
        case = case.platform(min, max);
    }
    if observed.is_fixed {
        case = case.fixed(policy.axis);
    }
    if observed.is_owned {
        case = case.owned(policy.axis);
    }
    if let Some((rung, seconds)) = observed.refused {
        case = case.refused(shape(observed.cloud, &LADDER[rung]), seconds.into());
    }
    if let Some(value) = observed.reading {
        case = case.reads(rules::metric_name(fired, observed.cloud), value);
    }
    // The other resource of a shape has hardly any load.
    let other = if fired.metric == Metric::Memory { Metric::Cpu } else { Metric::Memory };
    let other = super::situation::Fired { metric: other, ..fired.clone() };
    case = case.reads(rules::metric_name(&other, observed.cloud), 0.5);
    tagged(case, situation).observed(|deployment| {
        deployment.lifecycle = match observed.state {
            State::Settled => Lifecycle::Settled,
            State::Busy => Lifecycle::Busy,
            State::Gone => Lifecycle::Gone,
        };
        let [up, down] = observed.suspended;
        let by = "the platform".to_owned();
        deployment.pauses = vec![SuspendedScaling { axis: Axis::Instances, up, down, by }];
        deployment.alarm = Some(alarm(case::BUSY, false, observed.notifies));
        deployment.pair = match observed.pair {
            PairAlarm::Missing => None,
            PairAlarm::Ours => Some(alarm(case::QUIET, true, true)),
            PairAlarm::Foreign => Some(alarm(case::QUIET, false, true)),
        };
    })
}

fn tagged(case: Case, situation: &Situation) -> Case {
    let observed = &situation.observed;
    let mut case = case;
    if let Some(pause) = observed.pause {
        let until = pause.until.map(|seconds| format!(" until={}", at(seconds.into())));
        case = case.tag("pause", &(pause.word.to_owned() + &until.unwrap_or_default()));
    }
    if observed.has_odd_tag {
        case = case.tag("max", "many");
    }
    let words = observed.recorded.iter().map(|Recorded { seconds_ago, axis, added }| {
        let letter = if *axis == Axis::Instances { 'i' } else { 's' };
        (i64::from(*seconds_ago), format!("{letter}{added:+}"))
    });
    let words: Vec<(i64, String)> = words.collect();
    let words: Vec<(i64, &str)> = words.iter().map(|(ago, what)| (*ago, what.as_str())).collect();
    if words.is_empty() { case } else { case.remembers(&words) }
}

fn alarm(name: &str, ours: bool, notifies: bool) -> ObservedAlarm {
    let notifies = if notifies { vec!["topic".to_owned()] } else { Vec::new() };
    ObservedAlarm {
        id: name.to_owned(),
        etag: None,
        ours,
        name: name.to_owned(),
        notifies,
        fires_once: false,
        scale_up: None,
        repeat: None,
        measurement: Measurement::default(),
    }
}

/// The whole policy, to be used as it is.
pub(super) fn policy_text(rule: &Rule) -> String {
    format!("{}\n{}", ladder_text(), case::rule(&rule_text(rule)))
}

fn ladder_text() -> String {
    [Cloud::Oci, Cloud::Aws]
        .map(|cloud| {
            let rungs = LADDER.iter().map(|step| {
                let (vcpus, memory, price) = (step.vcpus, step.memory, f64::from(step.cents) / 100.0);
                let shape = shape(cloud, step);
                format!("{{ shape = \"{shape}\", vcpus = {vcpus}, memory_gib = {memory}, price = {price} }}")
            });
            let rungs = rungs.collect::<Vec<_>>().join(", ");
            format!("[[ladder]]\nname = \"{cloud:?}\"\nrungs = [{rungs}]\n")
        })
        .concat()
}

/// The keys of a rule.
fn rule_text(rule: &Rule) -> String {
    let ([min, max], [narrowest, widest], [up, down]) = (rule.instances, rule.bandwidth, rule.cooldown);
    let mut text = format!(
        "axis = \"{}\"\ninstances = {{ min = {min}, max = {max} }}\nbandwidth = {{ min = {narrowest}, max = {widest} }}\n\
         cooldown = {{ up = \"{up}s\", down = \"{down}s\" }}\nevidence = \"{}\"\n{}\n",
        rule.axis,
        if rule.is_window_evidence { "window" } else { "fired" },
        scaling_text(&rule.scaling),
    );
    // Writing to a string cannot fail.
    if let Some(most) = rule.max_changes {
        let _ = writeln!(text, "max_changes_per_hour = {most}");
    }
    if let Some(cents) = rule.max_cents {
        let _ = writeln!(text, "max_hourly_cost = {}", f64::from(cents) / 100.0);
    }
    if let Some(threshold) = rule.threshold {
        let _ = writeln!(text, "scale_up_threshold = {threshold}");
    }
    if rule.has_pair {
        let metric = match rule.axis {
            Axis::Instances => "CpuUtilization",
            Axis::Shape => "MemoryUtilization",
            Axis::Bandwidth => "PredictBandwidth",
        };
        text += &case::pair(metric, "");
    }
    text
}

fn scaling_text(scaling: &Scaling) -> String {
    match scaling {
        Scaling::Step(step) => format!("step = {step}"),
        Scaling::Track(target) => format!("track = {target}"),
        Scaling::Steps { adjustments, least } => {
            let rows = adjustments.iter().map(adjustment_text).collect::<Vec<_>>().join(", ");
            let least = if *least > 1 { format!("\nmin_step = {least}") } else { String::new() };
            format!("steps = [{rows}]{least}")
        }
    }
}

fn adjustment_text(Adjustment { above, below, change }: &Adjustment) -> String {
    let end = |name: &str, end: Option<i32>| end.map(|end| format!("{name} = {end}, ")).unwrap_or_default();
    let change = match change {
        Change::By(by) if *by > 0 => format!("add = {by}"),
        Change::By(by) => format!("remove = {}", by.abs()),
        Change::Percent(percent) if *percent > 0 => format!("add = \"{percent}%\""),
        Change::Percent(percent) => format!("remove = \"{}%\"", percent.abs()),
        Change::To(count) => format!("set = {count}"),
    };
    format!("{{ {}{}{change} }}", end("above", *above), end("below", *below))
}
