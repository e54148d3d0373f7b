//! Every payload below `events/`: its contents, and the outcome with the built-in policy.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use stepladder::alarm::{Alarm, EvidenceTime};
use stepladder::decide::Decision;
use stepladder::handle::handle;
use stepladder::outcome::Outcome;
use stepladder::platform::simulated::{SimulatedCloud, World};
use stepladder::policy::Policy;
use stepladder::report;
use stepladder::source::Event;
use stepladder::source::parse;

/// The time of payloads without one.
const NOON: &str = "2026-03-02T12:00:00Z";

#[test]
fn every_payload_is_read_and_answered() {
    insta::glob!("../../events", "*/*.json", |path| {
        // These are one sequence; `cli::the_replay_prints_every_decision` plays them in order.
        if directory(path) != "replay" {
            insta::assert_snapshot!("payload", shown_event(&fs::read(path).unwrap()));
        }
    });
}

#[test]
fn everything_below_events_is_an_alarm_except_in_some_directories() {
    let (rejected, alarms): (Vec<_>, Vec<_>) =
        payloads().into_iter().partition(|p| directory(p) == "rejected");
    assert!(alarms.len() >= 12, "only {} payloads", alarms.len());
    for path in alarms {
        let event =
            parse(&fs::read(&path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let measurement = event.tick || event.settled.is_some();
        let right = if directory(&path) == "signals" { measurement } else { !event.alarms.is_empty() };
        assert!(right, "{} does not belong into its directory", path.display());
    }
    assert!(!rejected.is_empty(), "nothing shows what is no alarm");
    for path in rejected {
        assert!(parse(&fs::read(&path).unwrap()).is_err(), "{} is an alarm after all", path.display());
    }
}

/// Every payload, without the world file of the replay.
fn payloads() -> Vec<PathBuf> {
    let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("events");
    let entries =
        |dir: &Path| fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let mut files: Vec<PathBuf> = entries(&events).iter().flat_map(|dir| entries(dir)).collect();
    files.retain(|file| !file.ends_with("world.json"));
    files
}

fn directory(path: &Path) -> &str {
    path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap()
}

fn shown_event(body: &[u8]) -> String {
    let event = match parse(body) {
        Ok(event) => event,
        Err(error) => return format!("{}: {error}", error.kind()),
    };
    let mut text = String::new();
    for alarm in &event.alarms {
        writeln!(text, "{}", read(alarm)).unwrap();
    }
    for target in event.settled.iter().flatten() {
        writeln!(text, "{target} is settled\n").unwrap();
    }
    if event.tick {
        writeln!(text, "a tick\n").unwrap();
    }
    for error in &event.rejected {
        writeln!(text, "not read: {}: {error}\n", error.kind()).unwrap();
    }
    for outcome in answers(body, &event) {
        writeln!(text, "{}", decided(&outcome)).unwrap();
    }
    text
}

fn read(alarm: &Alarm) -> String {
    // Destructured so that a new field cannot be forgotten here.
    let Alarm {
        id,
        name,
        is_titled: _,
        source,
        transition,
        muted,
        targets,
        unknown_targets,
        subject,
        measurement,
        at,
        evidence,
        topic,
        account,
    } = alarm;
    assert!(
        *evidence == EvidenceTime::from(*at) || *evidence == EvidenceTime::OnReceipt,
        "the data ends at the time in the payload, or when it is received: {evidence:?}"
    );
    let mut text = format!("{name}\n");
    let mut line =
        |label: &str, value: &dyn std::fmt::Display| writeln!(text, "  {label:<10} {value}").unwrap();
    line("reports", &format!("{transition}, by {source}, at {}", shown(at.as_ref())));
    line("id", id);
    if *muted {
        line("muted", muted);
    }
    for dimensions in &subject.dimensions {
        let named: Vec<String> = dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
        line("dimensions", &named.join(", "));
    }
    if let Some(account) = &subject.foreign_account {
        line("metric of", account);
    }
    line("metric", &shown(measurement.metric.as_ref()));
    line(
        "value",
        &format!(
            "{} of {}",
            shown(measurement.reported.value.as_ref()),
            shown(measurement.reported.threshold.as_ref())
        ),
    );
    line("window", &measurement.window.map_or_else(|| "-".to_owned(), |window| format!("{window:#}")));
    for target in targets {
        line("target", &format!("{target} ({})", target.kind()));
    }
    for unknown in unknown_targets {
        line("target", &format!("{unknown} (unknown)"));
    }
    let origin = [("topic", topic), ("account", account)];
    origin
        .into_iter()
        .filter_map(|(label, value)| Some((label, value.as_ref()?)))
        .for_each(|(label, value)| line(label, value));
    text
}

fn shown(value: Option<&impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), ToString::to_string)
}

fn answers(body: &[u8], event: &Event) -> Vec<Outcome> {
    let fired = event.alarms.iter().filter_map(|alarm| alarm.at).max();
    let now: Timestamp = fired.unwrap_or_else(|| NOON.parse().unwrap());
    let cloud = SimulatedCloud::new(World::default());
    cloud.advance(now);
    let policy = Policy::built_in().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(handle(body, &cloud, &policy, now)).unwrap().outcomes
}

fn decided(outcome: &Outcome) -> String {
    let target = outcome.target.as_ref().map_or("nothing", |target| target.as_str());
    let decision = match &outcome.decision {
        Decision::Resize { axis, from, to } => format!("resize {axis} from {from} to {to}"),
        Decision::Hold(hold) => format!("hold {}", hold.reason()),
    };
    let mut text = format!("{} on {target}\n  {decision}\n", outcome.alarm.name);
    writeln!(text, "  because {}", report::explanation(outcome)).unwrap();
    for call_record in &outcome.calls {
        writeln!(text, "  call {}: {}", call_record.call.operation(), call_record.call).unwrap();
    }
    for note in &outcome.notes {
        writeln!(text, "  note {note}").unwrap();
    }
    writeln!(text, "  {}", report::ending_text(outcome.result)).unwrap();
    text
}
