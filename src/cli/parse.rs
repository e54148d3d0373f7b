//! `stepladder parse`: what a payload says, and nothing else.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use stepladder::alarm::Alarm;
use stepladder::source::Event;
use stepladder::target::TargetId;
use stepladder::{report, source, text};

use super::{Failure, Format, Printed, read_event, whole_seconds};

/// Show what a payload says, and nothing else
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stepladder parse events/oci/high-cpu.firing.json
  stepladder parse --format json - < event.json")]
pub(super) struct Options {
    /// A file that holds the payload, or `-` for standard input
    #[arg(value_name = "EVENT")]
    event: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

impl Options {
    pub(super) fn run(&self) -> Result<Printed, Failure> {
        let event = source::parse(&read_event(&self.event)?)?;
        let text = match self.format {
            Format::Json => format!("{:#}\n", report::parsed(&event)),
            Format::Text => text(&event),
        };
        Ok(Printed { text, exit: if event.rejected.is_empty() { 0 } else { 2 } })
    }
}

fn text(event: &Event) -> String {
    let mut text = event.alarms.iter().map(alarm_text).collect::<Vec<_>>().join("\n");
    // Writing to a string cannot fail.
    for target in event.settled.iter().flatten() {
        let _ = writeln!(text, "{} has come to rest", text::plain(target.as_str()));
    }
    if event.settled.as_ref().is_some_and(Vec::is_empty) {
        let _ = writeln!(text, "an endpoint is changing");
    }
    if event.tick {
        let _ = writeln!(text, "the clock calls");
    }
    for error in &event.rejected {
        let _ = writeln!(text, "not read: {error}");
    }
    text
}

fn alarm_text(alarm: &Alarm) -> String {
    let shown = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let targets: Vec<&str> = alarm.targets.iter().map(TargetId::as_str).collect();
    let number = |value: Option<f64>| value.map(|value| value.to_string());
    let measurement = &alarm.measurement;
    let rows = [
        ("source", alarm.source.to_owned()),
        ("transition", alarm.transition.to_string()),
        ("targets", shown((!targets.is_empty()).then(|| targets.join(", ")))),
        ("metric", shown(measurement.metric.clone())),
        ("value", shown(number(measurement.value))),
        ("threshold", shown(number(measurement.threshold))),
        ("window", shown(measurement.window.map(|window| format!("{:#}", whole_seconds(window))))),
        ("at", shown(alarm.at.map(|at| at.to_string()))),
        ("topic", shown(alarm.topic.clone().filter(|topic| !topic.is_empty()))),
        ("account", shown(alarm.account.clone().filter(|account| !account.is_empty()))),
    ];
    let mut text = format!("{}\n", text::plain(&alarm.name));
    for (label, value) in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {label:<10} {}", text::plain(&value));
    }
    text
}
