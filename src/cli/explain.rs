//! `stepladder explain`: what a payload would lead to, in prose. Sends nothing.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use stepladder::alarm::Alarm;
use stepladder::apply::Outcome;
use stepladder::cloud::rehearsed::{Rehearsed, World};
use stepladder::decide::Decision;
use stepladder::handle::handle;
use stepladder::report;

use super::handle::exit;
use super::{
    Failure, PolicyOption, Printed, observing, parse_time, read_event, read_world, wait, wall_clock,
    whole_seconds,
};

/// Tell in prose what a payload says, which rule answers it and what would be called
#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is sent, so each alarm of a payload sees the deployment as it is now. Without --world the
deployment is imagined: one instance, at rest. Exit codes: 0 told; 1 something would fail; 2 unusable input or
policy.

Examples:
  stepladder explain events/cloudwatch/sns.high-cpu.firing.json
  stepladder explain alarm.json --policy stepladder.toml --world world.json"
)]
pub(super) struct Options {
    /// A file that holds the payload, or `-` for standard input
    #[arg(value_name = "EVENT")]
    event: PathBuf,
    #[command(flatten)]
    policy: PolicyOption,
    /// The rehearsed cloud's state to look at
    #[arg(long, value_name = "FILE")]
    world: Option<PathBuf>,
    /// The time that it is [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = parse_time)]
    now: Option<jiff::Timestamp>,
}

impl Options {
    pub(super) fn run(&self) -> Result<Printed, Failure> {
        let policy = observing(self.policy.load()?, true);
        let body = read_event(&self.event)?;
        let world = self.world.as_deref().map_or_else(|| Ok(World::default()), read_world)?;
        let now = self.now.unwrap_or_else(wall_clock);
        let cloud = Rehearsed::new(world);
        cloud.advance(now);
        let answer = wait(handle(&body, &cloud, &policy, now))??;
        let mut text = answer.outcomes.iter().map(prose).collect::<Vec<_>>().join("\n");
        if answer.outcomes.is_empty() && answer.rejected.is_empty() {
            text.push_str("No alarm fires that would be answered now, and no pair is to be mended.\n");
        }
        for error in &answer.rejected {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "\nOne record cannot be read: {error}.");
        }
        Ok(Printed { text, exit: exit(&answer) })
    }
}

fn prose(outcome: &Outcome) -> String {
    let mut text = said(&outcome.alarm);
    // Writing to a string cannot fail.
    let mut say = |sentence: String| {
        let _ = writeln!(text, "{}", report::plain(&sentence));
    };
    match &outcome.target {
        Some(target) => say(format!("It speaks of `{target}`.")),
        None => say("It names no target.".to_owned()),
    }
    if let Some(rule) = outcome.guards.iter().find(|verdict| verdict.guard == "no_rule" && !verdict.held) {
        say(format!("The rule that answers it: {}.", rule.saw));
    }
    if let Some(seen) = &outcome.seen {
        say(format!("The deployment is seen as {}, `{}`.", seen.size, seen.status));
    }
    say(String::new());
    say("Guards, in order:".to_owned());
    for verdict in &outcome.guards {
        let word = if verdict.held { "holds" } else { "passes" };
        say(format!("  {:<15} {word:<7} {}", verdict.guard, verdict.saw));
    }
    say(String::new());
    match (&outcome.error, &outcome.decision) {
        (Some(_), _) => say(format!("It cannot be looked at: {}.", report::because(outcome))),
        (None, Decision::Resize { axis, from, to }) => {
            say(format!("So its {axis} would go from {from} to {to}."));
        }
        (None, Decision::Hold(hold)) => say(format!("So it would stay as it is: {hold}.")),
    }
    if outcome.calls.is_empty() {
        say("Nothing would be called.".to_owned());
    } else {
        say("These calls would be sent, in this order:".to_owned());
        for (i, receipt) in outcome.calls.iter().enumerate() {
            let call = &receipt.call;
            say(format!("  {}. {} (needs `{}`): {call}", i + 1, call.operation(), call.permission()));
        }
    }
    for notice in &outcome.notices {
        let call = &notice.call;
        say(format!("Afterwards, {} (needs `{}`): {call}.", call.operation(), call.permission()));
    }
    text
}

fn said(alarm: &Alarm) -> String {
    let signal = &alarm.signal;
    let mut text = format!("Alarm {} ({})", report::announced(alarm), alarm.source);
    // Writing to a string cannot fail.
    if let Some(metric) = &signal.metric {
        let _ = write!(text, ": {metric}");
    }
    if let Some(value) = signal.value {
        let _ = write!(text, " at {value}");
    }
    if let Some(threshold) = signal.threshold {
        let _ = write!(text, ", threshold {threshold}");
    }
    if let Some(window) = signal.window {
        let _ = write!(text, ", over {:#}", whole_seconds(window));
    }
    format!("{}.\n", report::plain(&text))
}
