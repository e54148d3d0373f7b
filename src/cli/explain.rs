//! `stepladder explain`: explains in prose what a payload would cause, and sends nothing.

use std::fmt::Write as _;
use std::iter;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use stepladder::alarm::Alarm;
use stepladder::decide::{Decision, Evaluation};
use stepladder::deployment::Deployment;
use stepladder::handle::handle;
use stepladder::outcome::{Answer, CallRecord, Outcome};
use stepladder::platform::web::NO_PERMISSION;
use stepladder::platform::{Call, target};
use stepladder::policy::tags::OPERATORS;
use stepladder::policy::{Mode, Policy, Setting};
use stepladder::size::Size;
use stepladder::{report, tags, text};

use super::cloud::CloudOption;
use super::handle::exit_code;
use super::{
    CommandError, CommandOutput, Format, PolicyOption, parse_time, read_event, wait, wall_clock,
    whole_seconds,
};

/// Explain what a payload would cause: the rule, every check and the calls, without sending any
#[derive(Debug, Args)]
#[command(
    after_help = "No call is sent on any cloud, so each alarm of a payload is decided on the deployment as it is now. The \
simulated cloud without --world has one settled instance of the deployment. Costs are computed with the ladders' \
prices. Exit codes: 0 explained; 1 something would fail; 2 unusable input or policy.

Examples:
  stepladder explain events/cloudwatch/sns.high-cpu.firing.json
  stepladder explain alarm.json --policy stepladder.toml --world world.json
  stepladder explain alarm.json --cloud aws --format json"
)]
pub(super) struct ExplainOptions {
    /// A file that holds the payload, or `-` for standard input
    #[arg(value_name = "EVENT")]
    event: PathBuf,
    #[command(flatten)]
    policy: PolicyOption,
    #[command(flatten)]
    cloud: CloudOption,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
    /// The current time [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = parse_time)]
    now: Option<Timestamp>,
}

impl ExplainOptions {
    pub(super) fn run(&self) -> Result<CommandOutput, CommandError> {
        let policy = self.policy.load()?;
        let body = read_event(&self.event)?;
        let now = self.now.unwrap_or_else(wall_clock);
        let client = self.cloud.open(now)?;
        let answer = wait(handle(&body, client.as_client(), &policy.clone().observing(), now))??;
        let text = match self.format {
            Format::Json => {
                let mut reply = with_costs(&answer, &policy);
                reply["cloud"] = json!(self.cloud.name());
                format!("{reply:#}\n")
            }
            Format::Text => client.heading().to_owned() + &text(&answer, &policy, now),
        };
        Ok(CommandOutput { text, exit_code: exit_code(&answer) })
    }
}

/// The usual reply, with the cost of each deployment.
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

/// The cost of an hour before and after the decision.
fn costs(outcome: &Outcome, policy: &Policy) -> (Option<f64>, Option<f64>) {
    let observed = outcome.observed.as_ref();
    let before = observed.and_then(|deployment| policy.ladders.cost(&deployment.size)).map(rounded);
    match &outcome.decision {
        Decision::Resize { to, .. } => (before, policy.ladders.cost(to).map(rounded)),
        Decision::Hold(_) => (before, before),
    }
}

/// A cost to four decimals: prices have no more.
fn rounded(cost: f64) -> f64 {
    (cost * 10_000.0).round() / 10_000.0
}

fn text(answer: &Answer, policy: &Policy, now: Timestamp) -> String {
    let paragraphs = answer.outcomes.iter().map(|outcome| prose(outcome, policy, now));
    let mut text = paragraphs.collect::<Vec<_>>().join("\n");
    // Writing to a string cannot fail.
    if let Some(error) = &answer.error {
        let _ = writeln!(text, "The active alarms cannot be listed: {}.", text::plain(&error.to_string()));
    }
    if answer.outcomes.is_empty() && answer.rejected.is_empty() && answer.error.is_none() {
        text.push_str("No active alarm needs an answer now, and no pair needs repair.\n");
    }
    for error in &answer.rejected {
        let _ = writeln!(text, "\nOne record cannot be read: {}.", text::plain(&error.to_string()));
    }
    text
}

fn prose(outcome: &Outcome, policy: &Policy, now: Timestamp) -> String {
    let evaluation = evaluation(outcome, policy, now);
    let paragraphs = [
        situation(outcome, policy, evaluation.as_ref()),
        guards(outcome),
        conclusion(outcome, policy, evaluation.as_ref()),
    ];
    let paragraph =
        |lines: Vec<String>| -> String { lines.iter().map(|line| text::plain(line) + "\n").collect() };
    alarm_text(&outcome.alarm) + &paragraphs.map(paragraph).join("\n")
}

/// What the alarm is about, the rule that applies and the deployment.
fn situation(outcome: &Outcome, policy: &Policy, evaluation: Option<&Evaluation>) -> Vec<String> {
    let mut lines = vec![match &outcome.target {
        Some(target) => format!("Target: `{target}`."),
        None => "Target: none, because the alarm names no deployment.".to_owned(),
    }];
    if let Some(rule) = outcome.checks.iter().find(|check| check.guard == "no_rule" && !check.blocked) {
        lines.push(format!("Rule: {}.", rule.input));
    }
    if let Some(observed) = &outcome.observed {
        let changed = observed.last_change.map_or_else(String::new, |at| format!(", last changed {at:.0}"));
        lines.push(format!("Deployment: {}, `{}`{changed}.", observed.size, observed.status));
        lines.extend(measurements(outcome, observed, policy));
        lines.extend(tags_and_settings(observed, policy, evaluation));
    }
    lines
}

/// The guards, in the order in which they ran.
fn guards(outcome: &Outcome) -> Vec<String> {
    let checks = outcome.checks.iter().map(|check| {
        let word = if check.blocked { "blocked" } else { "passed" };
        format!("  {:<16} {word:<7} {}", check.guard, check.input)
    });
    iter::once("Checks, in order:".to_owned()).chain(checks).collect()
}

/// The decision, its cost and the calls.
fn conclusion(outcome: &Outcome, policy: &Policy, evaluation: Option<&Evaluation>) -> Vec<String> {
    let decision = match (&outcome.error, &outcome.decision) {
        (Some(_), _) => format!("The deployment cannot be observed: {}.", report::explanation(outcome)),
        (None, Decision::Resize { axis, from, to }) => {
            format!("Decision: change {axis} from {from} to {to}.")
        }
        (None, Decision::Hold(hold)) => format!("Decision: hold, because {hold}."),
    };
    // What has no instances of its own has no price by the hour either.
    let priced = outcome.observed.as_ref().filter(|observed| observed.size.has_shape());
    let cost = priced.map(|observed| cost_text(outcome, observed, policy));
    let mode = evaluation.map_or(policy.mode, |evaluation| evaluation.mode(policy));
    let heading = match mode {
        _ if outcome.calls.is_empty() => "No call would be sent.".to_owned(),
        Mode::Act => "These calls would be sent, in this order:".to_owned(),
        Mode::Observe => {
            format!("Mode `{mode}` sends no call. Mode `{}` would send these, in this order:", Mode::Act)
        }
    };
    let calls = outcome.calls.iter().enumerate().map(|(i, CallRecord { call, .. })| {
        format!("  {}. {} (needs {}): {call}", i + 1, call.operation(), permission(call))
    });
    let notices = outcome.notices.iter().map(|CallRecord { call, .. }| {
        format!("Afterwards, {} (needs {}): {call}.", call.operation(), permission(call))
    });
    let notes = outcome.notes.iter().map(|note| format!("Note: {note}."));
    let docs = match &outcome.decision {
        Decision::Hold(hold) => Some(format!("See {}.", hold.docs())),
        Decision::Resize { .. } => None,
    };
    iter::once(decision)
        .chain(docs)
        .chain(cost)
        .chain([heading])
        .chain(calls)
        .chain(notices)
        .chain(notes)
        .collect()
}

/// What the caller must be allowed to do, as words.
fn permission(call: &Call) -> String {
    match call.permission() {
        NO_PERMISSION => NO_PERMISSION.to_owned(),
        permission => format!("`{permission}`"),
    }
}

/// The measured values. A value in the metric's own unit is also shown as a share of the capacity.
fn measurements(outcome: &Outcome, observed: &Deployment, policy: &Policy) -> Vec<String> {
    let rung = policy.ladders.rung(&observed.size.rung());
    let full = |metric: &str| {
        target::of(observed.target.kind()).and_then(|target| target.full(metric, rung.as_deref()))
    };
    let share = |metric: &str, value: f64| {
        let full = full(metric).filter(|full| (full - 100.0).abs() > f64::EPSILON)?;
        Some(format!("{}% of the capacity", (value / full * 1000.0).round() / 10.0))
    };
    let measurement = &outcome.alarm.measurement;
    let value = measurement.comparison().and_then(|comparison| comparison.value);
    let reported = measurement.metric.as_deref().zip(value).filter(|_| outcome.alarm.names_one());
    let reported = reported.and_then(|(metric, value)| {
        Some(format!("{metric} at {} is {}.", text::number(value), share(metric, value)?))
    });
    let read = observed.readings.iter().map(|(metric, value)| match share(metric, *value) {
        Some(share) => format!("{metric} was read: {}, which is {share}.", text::number(*value)),
        None => format!("{metric} was read: {}.", text::number(*value)),
    });
    reported.into_iter().chain(read).collect()
}

/// The evaluation of the alarm, with the target's schedules and tags applied.
fn evaluation<'a>(outcome: &'a Outcome, policy: &'a Policy, now: Timestamp) -> Option<Evaluation<'a>> {
    let (target, observed) = outcome.target.as_ref().zip(outcome.observed.as_ref())?;
    let matched = policy.effective(policy.rule_for(&outcome.alarm.name, target)?, target, now);
    Some(Evaluation::new(&outcome.alarm, target, matched, now).with_tags(&observed.tags))
}

/// The deployment's stepladder tags, and the settings that differ from the built-in defaults.
fn tags_and_settings(observed: &Deployment, policy: &Policy, evaluation: Option<&Evaluation>) -> Vec<String> {
    let is_shown = |(name, _): &(&String, &String)| {
        let name = tags::name_of(name);
        OPERATORS.contains(&name) || name == tags::RECENT
    };
    let tags = observed.tags.iter().filter(is_shown);
    let tags = tags.map(|(name, value)| format!("Tag: `{name} = {value}`."));
    let settings = evaluation.map(|evaluation| policy.settings_of(&evaluation.matched)).unwrap_or_default();
    let settings = settings.into_iter().filter(Setting::is_set);
    let settings: Vec<String> = settings
        .map(|setting| format!("  {:<20} {:<15} {}", setting.key, setting.value, setting.set_by()))
        .collect();
    let heading =
        (!settings.is_empty()).then(|| "Settings that differ from the built-in defaults:".to_owned());
    tags.chain(heading).chain(settings).collect()
}

/// The cost of an hour before and after the decision, as a sentence.
fn cost_text(outcome: &Outcome, observed: &Deployment, policy: &Policy) -> String {
    let no_price = |size: &Size| format!("no price is known for `{}`", size.rung());
    let price = |size: &Size| policy.ladders.cost(size).map(|cost| format!("{cost:.4} USD an hour"));
    match (price(&observed.size), &outcome.decision) {
        (None, Decision::Resize { to, .. }) => match price(to) {
            Some(after) => {
                format!("Cost: {after} afterwards; the cost now is unknown: {}.", no_price(&observed.size))
            }
            None => format!("Cost: unknown, because {}.", no_price(to)),
        },
        (None, Decision::Hold(_)) => format!("Cost: unknown, because {}.", no_price(&observed.size)),
        (Some(before), Decision::Hold(_)) => format!("Cost: {before}."),
        (Some(before), Decision::Resize { to, .. }) => match price(to) {
            Some(after) => format!("Cost: {before} now, {after} afterwards."),
            None => format!("Cost: {before} now; the cost afterwards is unknown: {}.", no_price(to)),
        },
    }
}

/// The alarm and its measurement, as a sentence.
fn alarm_text(alarm: &Alarm) -> String {
    let measurement = &alarm.measurement;
    let mut text = format!("Alarm {} ({})", report::alarm_sentence(alarm), alarm.source);
    // Writing to a string cannot fail.
    if let Some(metric) = &measurement.metric {
        let _ = write!(text, ": {metric}");
    }
    if let Some(value) = measurement.reported.value {
        let _ = write!(text, " at {}", text::number(value));
    }
    if let Some(threshold) = measurement.reported.threshold {
        let _ = write!(text, ", threshold {}", text::number(threshold));
    }
    if let Some(window) = measurement.window {
        let _ = write!(text, ", over {:#}", whole_seconds(window));
    }
    format!("{}.\n", text::plain(&text))
}
