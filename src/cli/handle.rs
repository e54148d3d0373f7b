//! `stepladder handle`: answers one payload, from parsing to sending the calls.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use stepladder::handle::handle;
use stepladder::outcome::{Answer, Ending, Outcome};
use stepladder::report;
use stepladder::text::plain;

use super::cloud::CloudOption;
use super::{CommandError, CommandOutput, Format, PolicyOption, parse_time, read_event, wait, wall_clock};

/// Handle one alarm payload: parse, observe, decide, plan, apply
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 applied, held or dry run; 1 something failed; 2 unusable input or policy.

Examples:
  stepladder handle events/oci/high-cpu.firing.json
  stepladder handle alarm.json --world world.json --save --now 2026-03-02T09:30:00Z
  stepladder handle alarm.json --cloud aws --dry-run --format json"
)]
pub(super) struct HandleOptions {
    /// A file that holds the payload, or `-` for standard input
    #[arg(value_name = "EVENT")]
    event: PathBuf,
    #[command(flatten)]
    policy: PolicyOption,
    #[command(flatten)]
    cloud: CloudOption,
    /// Write the simulated cloud's state back to the file of --world
    #[arg(long, requires = "world")]
    save: bool,
    /// Do everything except send calls
    #[arg(long)]
    dry_run: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
    /// The current time [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = parse_time)]
    now: Option<Timestamp>,
}

impl HandleOptions {
    pub(super) fn run(&self) -> Result<CommandOutput, CommandError> {
        let policy = self.policy.load()?;
        let policy = if self.dry_run { policy.observing() } else { policy };
        let body = read_event(&self.event)?;
        let now = self.now.unwrap_or_else(wall_clock);
        let client = self.cloud.open(now)?;
        let answer = wait(handle(&body, client.as_client(), &policy, now))??;
        if self.save {
            self.cloud.save(&client)?;
        }
        let text = match self.format {
            Format::Json => {
                let mut reply = report::reply(&answer);
                reply["cloud"] = json!(self.cloud.name());
                format!("{reply:#}\n")
            }
            Format::Text => client.heading().to_owned() + &text(&answer),
        };
        Ok(CommandOutput { text, exit_code: exit_code(&answer) })
    }
}

pub(super) fn text(answer: &Answer) -> String {
    let mut text = answer.outcomes.iter().map(report::text).collect::<Vec<_>>().join("\n");
    if let Some(error) = &answer.error {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "The active alarms cannot be listed: {}", plain(&error.to_string()));
    }
    if answer.outcomes.is_empty() && answer.error.is_none() && answer.rejected.is_empty() {
        text.push_str("Nothing to do: no active alarm, and no pair that needs repair.\n");
    }
    for error in &answer.rejected {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "One record cannot be read: {}", plain(&error.to_string()));
    }
    text
}

/// The exit code of an answer. A failure takes precedence over invalid input.
pub(super) fn exit_code(answer: &Answer) -> u8 {
    if answer.error.is_some() {
        return 1;
    }
    let failed = |outcome: &&Outcome| outcome.result == Ending::Failed;
    let mut failures = answer.outcomes.iter().filter(failed).peekable();
    if failures.peek().is_none() {
        return if answer.rejected.is_empty() { 0 } else { 2 };
    }
    if failures.all(report::is_unusable_input) { 2 } else { 1 }
}
