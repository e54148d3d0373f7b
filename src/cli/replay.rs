//! `stepladder replay`: a series of payloads on the simulated cloud, each at its own time, told as a story.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use stepladder::handle::handle;
use stepladder::platform::simulated::{SimulatedCloud, World};
use stepladder::policy::Policy;
use stepladder::source;
use stepladder::source::Event;
use stepladder::text::plain;

use super::handle::{exit, text};
use super::{Failure, PolicyOption, Printed, read_event, read_world, wait};

/// How long a notification takes from the alarm to the function.
const DELIVERY: SignedDuration = SignedDuration::from_secs(5);

/// Play a series of payloads on the simulated cloud, each at its own time
#[derive(Debug, Args)]
#[command(
    after_help = "Each payload is answered at the time that its alarm tells. Updates take minutes of the \
simulated clock, none of yours. Exit codes: 0 all were answered; 1 something failed; 2 unusable input or policy.

Examples:
  stepladder replay events/oci/high-cpu.firing.json events/oci/high-cpu.firing.json
  stepladder replay --world events/replay/world.json events/replay/*.event.json"
)]
pub(super) struct Options {
    /// Files that hold one payload each, in the order in which they arrive
    #[arg(value_name = "EVENT", required = true)]
    events: Vec<PathBuf>,
    #[command(flatten)]
    policy: PolicyOption,
    /// The state to start from [default: whatever an event names is there]
    #[arg(long, value_name = "FILE")]
    world: Option<PathBuf>,
}

impl Options {
    pub(super) fn run(&self) -> Result<Printed, Failure> {
        let policy = self.policy.load()?;
        let world = self.world.as_deref().map_or_else(|| Ok(World::default()), read_world)?;
        let cloud = SimulatedCloud::new(world);
        let mut story = String::new();
        let mut exit = 0;
        for path in &self.events {
            let (text, told) = match read_event(path) {
                Ok(body) => play(&body, &cloud, &policy)?,
                Err(unread) => (format!("  not read: {}\n", unread.message), unread.exit),
            };
            let clock = cloud.snapshot().clock.strftime("%H:%M:%S");
            // Writing to a string cannot fail.
            let _ = writeln!(story, "{clock}  {}\n{text}", plain(&name(path)));
            // What broke counts more than what was of no use.
            exit = if exit == 1 || told == 1 { 1 } else { exit.max(told) };
        }
        story.push_str(&ending(&cloud));
        Ok(Printed { text: story, exit })
    }
}

/// Plays one payload at its own time. One that cannot be read is part of the story, too.
fn play(body: &[u8], cloud: &SimulatedCloud, policy: &Policy) -> Result<(String, u8), Failure> {
    let event = match source::parse(body) {
        Ok(event) => event,
        Err(error) => return Ok((format!("  not read: {error}\n"), 2)),
    };
    let now = arrival(&event, cloud);
    cloud.advance(now);
    let answer = wait(handle(body, cloud, policy, now))??;
    Ok((text(&answer), exit(&answer)))
}

/// Shortly after the latest of the payload's alarms, and never in the simulated past.
fn arrival(event: &Event, cloud: &SimulatedCloud) -> Timestamp {
    let clock = cloud.snapshot().clock;
    let told = event.alarms.iter().filter_map(|alarm| alarm.at).max().unwrap_or(clock);
    told.checked_add(DELIVERY).unwrap_or(told).max(clock)
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

fn ending(cloud: &SimulatedCloud) -> String {
    let world = cloud.snapshot();
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
