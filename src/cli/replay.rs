//! `stepladder replay`: answers a series of payloads on the simulated cloud, each at its own time.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use stepladder::handle::handle;
use stepladder::outcome::Answer;
use stepladder::platform::simulated::{SimulatedCloud, World};
use stepladder::policy::Policy;
use stepladder::report;
use stepladder::source::{self, Event};
use stepladder::text::plain;

use super::cloud::SIMULATED;
use super::handle::{exit_code, text};
use super::{CommandError, CommandOutput, Format, PolicyOption, read_event, simulated_cloud, wait};

/// The delay of a notification between the alarm and the function.
const DELIVERY: SignedDuration = SignedDuration::from_secs(5);

/// Play a series of payloads on the simulated cloud, each at its own time
#[derive(Debug, Args)]
#[command(after_help = "Each payload is handled at the time of its alarm. Updates take minutes of the \
simulated clock, and no real time. Exit codes: 0 all were handled; 1 something failed; 2 unusable input or policy.

Examples:
  stepladder replay events/oci/high-cpu.firing.json events/oci/high-cpu.firing.json
  stepladder replay --world events/replay/world.json events/replay/*.event.json
  stepladder replay alarm.json --policy stepladder.toml --format json")]
pub(super) struct ReplayOptions {
    /// Files that hold one payload each, in the order in which they arrive
    #[arg(value_name = "EVENT", required = true)]
    events: Vec<PathBuf>,
    #[command(flatten)]
    policy: PolicyOption,
    /// The state to start from [default: every deployment that an event names, with one instance]
    #[arg(long, value_name = "FILE")]
    world: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

/// One payload, the simulated time after it, and the answer to it.
struct Replayed {
    file: String,
    clock: Timestamp,
    result: Result<Answer, CommandError>,
}

impl ReplayOptions {
    pub(super) fn run(&self) -> Result<CommandOutput, CommandError> {
        let policy = self.policy.load()?;
        let simulated = simulated_cloud(self.world.as_deref())?;
        let replay_file = |path: &PathBuf| {
            let result = read_event(path).and_then(|body| replay(&body, &simulated, &policy));
            Replayed { file: file_name(path), clock: simulated.snapshot().clock, result }
        };
        let replayed: Vec<Replayed> = self.events.iter().map(replay_file).collect();
        let world = simulated.snapshot();
        let text = match self.format {
            Format::Text => {
                let answers: String = replayed.iter().map(Replayed::text).collect();
                SIMULATED.to_owned() + &answers + &final_state(&world)
            }
            Format::Json => {
                let events: Vec<Value> = replayed.iter().map(Replayed::value).collect();
                format!("{:#}\n", json!({ "cloud": "simulated", "events": events, "world": world }))
            }
        };
        Ok(CommandOutput { text, exit_code: exit_code_of_all(&replayed) })
    }
}

impl Replayed {
    fn text(&self) -> String {
        let Self { file, clock, result } = self;
        let answer = match result {
            Ok(answer) => text(answer),
            Err(error) => format!("  This payload cannot be read: {}\n", plain(&error.message)),
        };
        format!("{}  {file}\n{answer}\n", clock.strftime("%H:%M:%S"))
    }

    fn value(&self) -> Value {
        let mut value = match &self.result {
            Ok(answer) => report::reply(answer),
            Err(CommandError { kind, message, .. }) => {
                json!({ "error": { "kind": kind, "message": message } })
            }
        };
        value["event"] = json!(self.file);
        value["clock"] = json!(self.clock);
        value
    }

    fn exit_code(&self) -> u8 {
        match &self.result {
            Ok(answer) => exit_code(answer),
            Err(error) => error.exit_code,
        }
    }
}

/// The exit code of the whole series. A failure takes precedence over invalid input.
fn exit_code_of_all(replayed: &[Replayed]) -> u8 {
    replayed.iter().map(Replayed::exit_code).fold(0, |before, this| match (before, this) {
        (1, _) | (_, 1) => 1,
        (before, this) => before.max(this),
    })
}

/// Answers one payload at its own time.
fn replay(body: &[u8], simulated: &SimulatedCloud, policy: &Policy) -> Result<Answer, CommandError> {
    let now = arrival(&source::parse(body)?, simulated);
    simulated.advance(now);
    Ok(wait(handle(body, simulated, policy, now))??)
}

/// The time at which a payload arrives: shortly after its latest alarm, and never in the simulated past.
fn arrival(event: &Event, simulated: &SimulatedCloud) -> Timestamp {
    let clock = simulated.snapshot().clock;
    let fired = event.alarms.iter().filter_map(|alarm| alarm.at).max().unwrap_or(clock);
    fired.checked_add(DELIVERY).unwrap_or(fired).max(clock)
}

fn file_name(path: &Path) -> String {
    let name = path
        .file_name()
        .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    plain(&name)
}

fn final_state(world: &World) -> String {
    let mut text = "Final state\n".to_owned();
    if world.deployments.is_empty() {
        text.push_str("  no deployment\n");
    }
    for (id, deployment) in &world.deployments {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {id}: {}", deployment.heading());
    }
    for alarm in world.alarms.iter().filter(|alarm| alarm.is_ours()) {
        let _ = writeln!(text, "  paired alarm {}", alarm.definition);
    }
    text
}
