//! `stepladder explain`: what a payload would lead to, in prose. Sends nothing.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use stepladder::alarm::Alarm;
use stepladder::decide::{Decision, Evaluation};
use stepladder::deployment::Deployment;
use stepladder::handle::handle;
use stepladder::outcome::Answer;
use stepladder::outcome::Outcome;
use stepladder::platform::target;
use stepladder::policy::tags::OPERATORS;
use stepladder::policy::{Mode, Policy, Setting};
use stepladder::size::Size;
use stepladder::{report, tags, text};

use super::cloud::CloudOption;
use super::handle::exit;
use super::{
    Failure, Format, PolicyOption, Printed, observing, parse_time, read_event, wait, wall_clock,
    whole_seconds,
};

/// Tell in prose what a payload says, which rule answers it, what speaks against it and what would be called
#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is sent, on no cloud, so each alarm of a payload sees the deployment as it is now. On the \
simulated cloud without --world the deployment is imagined: one instance, at rest. Costs are those of the ladders' \
prices. Exit codes: 0 told; 1 something would fail; 2 unusable input or policy.

Examples:
  stepladder explain events/cloudwatch/sns.high-cpu.firing.json
  stepladder explain alarm.json --policy stepladder.toml --world world.json
  stepladder explain alarm.json --cloud aws --format json"
)]
pub(super) struct Options {
    /// A file that holds the payload, or `-` for standard input
    #[arg(value_name = "EVENT")]
    event: PathBuf,
    #[command(flatten)]
    policy: PolicyOption,
    #[command(flatten)]
    on: CloudOption,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
    /// The time that it is [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = parse_time)]
    now: Option<Timestamp>,
}

impl Options {
    pub(super) fn run(&self) -> Result<Printed, Failure> {
        let policy = self.policy.load()?;
        let body = read_event(&self.event)?;
        let now = self.now.unwrap_or_else(wall_clock);
        let cloud = self.on.open(now)?;
        let answer = wait(handle(&body, cloud.as_cloud(), &observing(policy.clone(), true), now))??;
        let text = match self.format {
            Format::Json => format!("{:#}\n", with_costs(&answer, &policy)),
            Format::Text => text(&answer, &policy, now),
        };
        Ok(Printed { text, exit: exit(&answer) })
    }
}

/// The usual reply, and what each deployment costs.
fn with_costs(answer: &Answer, policy: &Policy) -> Value {
    let mut reply = report::reply(answer);
    let costs = answer.outcomes.iter().map(|outcome| costs(outcome, policy));
    if let Some(Value::Array(outcomes)) = reply.get_mut("outcomes") {
        for (outcome, (before, after)) in outcomes.iter_mut().zip(costs) {
            outcome["cost"] = json!({ "before": before, "after": after });
        }
    }
    reply
}

/// What an hour costs now and would cost then.
fn costs(outcome: &Outcome, policy: &Policy) -> (Option<f64>, Option<f64>) {
    let before =
        outcome.observed.as_ref().and_then(|observed| policy.ladders.cost(&observed.size)).map(rounded);
    match &outcome.decision {
        Decision::Resize { to, .. } => (before, policy.ladders.cost(to).map(rounded)),
        Decision::Hold(_) => (before, before),
    }
}

/// Prices have no more than four digits that mean something.
fn rounded(cost: f64) -> f64 {
    (cost * 10_000.0).round() / 10_000.0
}

fn text(answer: &Answer, policy: &Policy, now: Timestamp) -> String {
    let told = answer.outcomes.iter().map(|outcome| prose(outcome, policy, now));
    let mut text = told.collect::<Vec<_>>().join("\n");
    // Writing to a string cannot fail.
    if let Some(error) = &answer.error {
        let _ = writeln!(text, "The alarms that fire cannot be asked for: {error}.");
    }
    if answer.outcomes.is_empty() && answer.rejected.is_empty() && answer.error.is_none() {
        text.push_str("No alarm fires that would be answered now, and no pair is to be mended.\n");
    }
    for error in &answer.rejected {
        let _ = writeln!(text, "\nOne record cannot be read: {error}.");
    }
    text
}

fn prose(outcome: &Outcome, policy: &Policy, now: Timestamp) -> String {
    let mut text = said(&outcome.alarm);
    let evaluation = evaluation(outcome, policy, now);
    // Writing to a string cannot fail.
    let mut say = |sentence: String| {
        let _ = writeln!(text, "{}", text::plain(&sentence));
    };
    match &outcome.target {
        Some(target) => say(format!("It speaks of `{target}`.")),
        None => say("It names no target.".to_owned()),
    }
    if let Some(rule) = outcome.checks.iter().find(|check| check.guard == "no_rule" && !check.blocked) {
        say(format!("The rule that answers it: {}.", rule.input));
    }
    if let Some(observed) = &outcome.observed {
        let changed = observed.last_change.map_or_else(String::new, |at| format!(", last changed {at}"));
        say(format!("The deployment is seen as {}, `{}`{changed}.", observed.size, observed.status));
        measured(outcome, observed, policy).into_iter().for_each(&mut say);
        effective(observed, policy, evaluation.as_ref()).into_iter().for_each(&mut say);
    }
    say(String::new());
    say("Guards, in order:".to_owned());
    for check in &outcome.checks {
        let word = if check.blocked { "holds" } else { "passes" };
        say(format!("  {:<15} {word:<7} {}", check.guard, check.input));
    }
    say(String::new());
    match (&outcome.error, &outcome.decision) {
        (Some(_), _) => say(format!("It cannot be looked at: {}.", report::explanation(outcome))),
        (None, Decision::Resize { axis, from, to }) => {
            say(format!("So its {axis} would go from {from} to {to}."));
        }
        (None, Decision::Hold(hold)) => say(format!("So it would stay as it is: {hold}.")),
    }
    if let Some(observed) = &outcome.observed {
        say(cost(outcome, observed, policy));
    }
    if outcome.calls.is_empty() {
        say("Nothing would be called.".to_owned());
    } else {
        let mode = evaluation.map_or(policy.mode, |evaluation| evaluation.mode(policy));
        say(match mode {
            Mode::Act => "These calls would be sent, in this order:".to_owned(),
            Mode::Observe => format!(
                "In the mode `{mode}` nothing is sent. In `{}` these calls would be, in this order:",
                Mode::Act
            ),
        });
        for (i, call_record) in outcome.calls.iter().enumerate() {
            let call = &call_record.call;
            say(format!("  {}. {} (needs `{}`): {call}", i + 1, call.operation(), call.permission()));
        }
    }
    for notice in &outcome.notices {
        let call = &notice.call;
        say(format!("Afterwards, {} (needs `{}`): {call}.", call.operation(), call.permission()));
    }
    text
}

/// What was measured by the look, and the part of all that there is where that is another number.
fn measured(outcome: &Outcome, observed: &Deployment, policy: &Policy) -> Vec<String> {
    let rung = policy.ladders.rung(&observed.size.rung());
    let full = |metric: &str| {
        target::of(observed.target.kind()).and_then(|target| (target.full)(metric, rung.as_deref()))
    };
    let part = |metric: &str, value: f64| {
        let full = full(metric).filter(|full| (full - 100.0).abs() > f64::EPSILON)?;
        Some(format!("{}% of the capacity that there is", (value / full * 1000.0).round() / 10.0))
    };
    let measurement = &outcome.alarm.measurement;
    let told = measurement.metric.as_deref().zip(measurement.value).filter(|_| outcome.alarm.names_one());
    let told =
        told.and_then(|(metric, value)| Some(format!("{metric} at {value} is {}.", part(metric, value)?)));
    let read = observed.readings.iter().map(|(metric, value)| match part(metric, *value) {
        Some(part) => format!("{metric} reads {value}, which is {part}."),
        None => format!("{metric} reads {value}."),
    });
    told.into_iter().chain(read).collect()
}

/// The question that was answered, with all that is said of the target.
fn evaluation<'a>(outcome: &'a Outcome, policy: &'a Policy, now: Timestamp) -> Option<Evaluation<'a>> {
    let (target, observed) = outcome.target.as_ref().zip(outcome.observed.as_ref())?;
    let matched = policy.effective(policy.rule_for(&outcome.alarm.name, target)?, target, now);
    Some(Evaluation::new(&outcome.alarm, target, matched, now).with_tags(&observed.tags))
}

/// What its tags say, and what somebody has said of the settings.
fn effective(observed: &Deployment, policy: &Policy, evaluation: Option<&Evaluation>) -> Vec<String> {
    let ours = |(name, _): &(&String, &String)| {
        let name = tags::name_of(name);
        OPERATORS.contains(&name) || name == tags::RECENT
    };
    let tags =
        observed.tags.iter().filter(ours).map(|(name, value)| format!("Its tag `{name}` says `{value}`."));
    let settings = evaluation.map(|evaluation| policy.settings_of(&evaluation.matched)).unwrap_or_default();
    let said = settings.into_iter().filter(Setting::is_set);
    let said: Vec<String> =
        said.map(|said| format!("  {:<20} {:<15} {}", said.key, said.value, said.set_by())).collect();
    let heading = (!said.is_empty()).then(|| "In force besides the built-in defaults:".to_owned());
    tags.chain(heading).chain(said).collect()
}

/// What it costs, and would cost.
fn cost(outcome: &Outcome, observed: &Deployment, policy: &Policy) -> String {
    let none = |size: &Size| format!("no price is known for `{}`", size.rung());
    let shown = |size: &Size| policy.ladders.cost(size).map(|cost| format!("{cost:.4} USD an hour"));
    match (shown(&observed.size), &outcome.decision) {
        (None, Decision::Resize { to, .. }) => match shown(to) {
            Some(then) => {
                format!("It would cost {then}; what it costs now is unknown: {}.", none(&observed.size))
            }
            None => format!("What it costs is unknown: {}.", none(to)),
        },
        (None, Decision::Hold(_)) => format!("What it costs is unknown: {}.", none(&observed.size)),
        (Some(now), Decision::Hold(_)) => format!("It costs {now}."),
        (Some(now), Decision::Resize { to, .. }) => match shown(to) {
            Some(then) => format!("It costs {now} and would cost {then}."),
            None => format!("It costs {now}; what it would cost is unknown: {}.", none(to)),
        },
    }
}

fn said(alarm: &Alarm) -> String {
    let measurement = &alarm.measurement;
    let mut text = format!("Alarm {} ({})", report::alarm_sentence(alarm), alarm.source);
    // Writing to a string cannot fail.
    if let Some(metric) = &measurement.metric {
        let _ = write!(text, ": {metric}");
    }
    if let Some(value) = measurement.value {
        let _ = write!(text, " at {value}");
    }
    if let Some(threshold) = measurement.threshold {
        let _ = write!(text, ", threshold {threshold}");
    }
    if let Some(window) = measurement.window {
        let _ = write!(text, ", over {:#}", whole_seconds(window));
    }
    format!("{}.\n", text::plain(&text))
}
