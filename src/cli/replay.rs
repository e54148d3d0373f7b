//! `stepladder replay`: answers a series of payloads on the simulated cloud, each at its own time.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use stepladder::handle::handle;
use stepladder::platform::simulated::SimulatedCloud;
use stepladder::policy::Policy;
use stepladder::source::{self, Event};
use stepladder::text::plain;

use super::handle::{exit_code, text};
use super::{CommandError, CommandOutput, PolicyOption, read_event, simulated_cloud, wait};

/// The delay of a notification between the alarm and the function.
const DELIVERY: SignedDuration = SignedDuration::from_secs(5);

/// Play a series of payloads on the simulated cloud, each at its own time
#[derive(Debug, Args)]
#[command(after_help = "Each payload is answered at the time of its alarm. Updates take minutes of the \
simulated clock, none of yours. Exit codes: 0 all were answered; 1 something failed; 2 unusable input or policy.

Examples:
  stepladder replay events/oci/high-cpu.firing.json events/oci/high-cpu.firing.json
  stepladder replay --world events/replay/world.json events/replay/*.event.json")]
pub(super) struct ReplayOptions {
    /// Files that hold one payload each, in the order in which they arrive
    #[arg(value_name = "EVENT", required = true)]
    events: Vec<PathBuf>,
    #[command(flatten)]
    policy: PolicyOption,
    /// The state to start from [default: whatever an event names is there]
    #[arg(long, value_name = "FILE")]
    world: Option<PathBuf>,
}

impl ReplayOptions {
    pub(super) fn run(&self) -> Result<CommandOutput, CommandError> {
        let policy = self.policy.load()?;
        let simulated = simulated_cloud(self.world.as_deref())?;
        let mut transcript = String::new();
        let mut exit_code = 0;
        for path in &self.events {
            let output = match read_event(path) {
                Ok(body) => replay(&body, &simulated, &policy)?,
                Err(error) => CommandOutput {
                    text: format!("  not read: {}\n", plain(&error.message)),
                    exit_code: error.exit_code,
                },
            };
            let clock = simulated.snapshot().clock.strftime("%H:%M:%S");
            // Writing to a string cannot fail.
            let _ = writeln!(transcript, "{clock}  {}\n{}", plain(&name(path)), output.text);
            // A failure takes precedence over invalid input.
            exit_code = match (exit_code, output.exit_code) {
                (1, _) | (_, 1) => 1,
                (before, this) => before.max(this),
            };
        }
        transcript.push_str(&final_state(&simulated));
        Ok(CommandOutput { text: transcript, exit_code })
    }
}

/// Answers one payload at its own time. The transcript includes a payload that cannot be read.
fn replay(body: &[u8], simulated: &SimulatedCloud, policy: &Policy) -> Result<CommandOutput, CommandError> {
    let event = match source::parse(body) {
        Ok(event) => event,
        Err(error) => {
            return Ok(CommandOutput {
                text: format!("  not read: {}\n", plain(&error.to_string())),
                exit_code: 2,
            });
        }
    };
    let now = arrival(&event, simulated);
    simulated.advance(now);
    let answer = wait(handle(body, simulated, policy, now))??;
    Ok(CommandOutput { text: text(&answer), exit_code: exit_code(&answer) })
}

/// The time at which a payload arrives: shortly after its latest alarm, and never in the simulated past.
fn arrival(event: &Event, simulated: &SimulatedCloud) -> Timestamp {
    let clock = simulated.snapshot().clock;
    let fired = event.alarms.iter().filter_map(|alarm| alarm.at).max().unwrap_or(clock);
    fired.checked_add(DELIVERY).unwrap_or(fired).max(clock)
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

fn final_state(simulated: &SimulatedCloud) -> String {
    let world = simulated.snapshot();
    let mut text = "In the end\n".to_owned();
    for (id, deployment) in &world.deployments {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {id}: {}", deployment.heading());
    }
    for alarm in world.alarms.iter().filter(|alarm| alarm.is_ours()) {
        let _ = writeln!(text, "  paired alarm {}", alarm.definition);
    }
    text
}
