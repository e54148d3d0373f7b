//! `stepladder parse`: prints the contents of a payload.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use stepladder::alarm::Alarm;
use stepladder::source::Event;
use stepladder::target::TargetId;
use stepladder::{report, source, text};

use super::{CommandError, CommandOutput, Format, read_event, whole_seconds};

/// Show the contents of a payload, without a decision
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stepladder parse events/oci/high-cpu.firing.json
  stepladder parse --format json - < event.json")]
pub(super) struct ParseOptions {
    /// A file that holds the payload, or `-` for standard input
    #[arg(value_name = "EVENT")]
    event: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

impl ParseOptions {
    pub(super) fn run(&self) -> Result<CommandOutput, CommandError> {
        let event = source::parse(&read_event(&self.event)?)?;
        let text = match self.format {
            Format::Json => format!("{:#}\n", report::parsed(&event)),
            Format::Text => text(&event),
        };
        Ok(CommandOutput { text, exit_code: if event.rejected.is_empty() { 0 } else { 2 } })
    }
}

fn text(event: &Event) -> String {
    let mut text = event.alarms.iter().map(alarm_text).collect::<Vec<_>>().join("\n");
    // Writing to a string cannot fail.
    for target in event.settled.iter().flatten() {
        let _ = writeln!(text, "{} is settled", text::plain(target.as_str()));
    }
    if event.settled.as_ref().is_some_and(Vec::is_empty) {
        let _ = writeln!(text, "an endpoint has begun to change");
    }
    if event.tick {
        let _ = writeln!(text, "a tick: the scheduled reconcile");
    }
    for error in &event.rejected {
        let _ = writeln!(text, "One record cannot be read: {error}");
    }
    text
}

fn alarm_text(alarm: &Alarm) -> String {
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let targets: Vec<&str> = alarm.targets.iter().map(TargetId::as_str).collect();
    let number = |value: Option<f64>| value.map(|value| value.to_string());
    let measurement = &alarm.measurement;
    let rows = [
        ("source", alarm.source.to_owned()),
        ("transition", alarm.transition.to_string()),
        ("targets", or_dash((!targets.is_empty()).then(|| targets.join(", ")))),
        ("dimensions", or_dash(dimensions(alarm))),
        ("metric", or_dash(measurement.metric.clone())),
        ("value", or_dash(number(measurement.reported.value))),
        ("threshold", or_dash(number(measurement.reported.threshold))),
        ("window", or_dash(measurement.window.map(|window| format!("{:#}", whole_seconds(window))))),
        ("at", or_dash(alarm.at.map(|at| at.to_string()))),
        ("topic", or_dash(alarm.topic.clone().filter(|topic| !topic.is_empty()))),
        ("account", or_dash(alarm.account.clone().filter(|account| !account.is_empty()))),
    ];
    let mut text = format!("{}\n", text::plain(&alarm.name));
    for (label, value) in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {label:<10} {}", text::plain(&value));
    }
    text
}

/// The dimensions of each metric or stream; `None` where there are none.
fn dimensions(alarm: &Alarm) -> Option<String> {
    let one = |dimensions: &BTreeMap<String, String>| {
        let named: Vec<String> = dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
        named.join(", ")
    };
    let all: Vec<String> = alarm.subject.dimensions.iter().map(one).collect();
    (!all.is_empty()).then(|| all.join("; "))
}
