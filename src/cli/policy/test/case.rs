//! The files of `stepladder policy test`: their keys, and the cases that they describe.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use stepladder::alarm::{AlarmName, Side, Transition};
use stepladder::document::{Document, Errors, Fault, Faults, Node, Problems, keyed};
use stepladder::platform::simulated::{GivenAlarm, SimulatedDeployment, World};
use stepladder::size::Flex;
use stepladder::source::{self, Event};
use stepladder::target::TargetId;
use stepladder::{duration, platform};

use super::expectation::Expectation;
use crate::cli::input::{self, FileKind, file_name, read_event};
use crate::cli::{CommandError, parse_time, read_world};

/// The delay of a notification between the alarm and the function.
const DELIVERY: SignedDuration = SignedDuration::from_secs(5);

/// The time of a case that sets none: noon of a Monday.
const USUAL_NOW: &str = "2026-01-05T12:00:00Z";

/// The window of an alarm that sets none.
const USUAL_WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// A file of cases.
pub(super) struct CaseFile {
    /// The policy that it tests; `None` for the built-in one.
    pub(super) policy: Option<PathBuf>,
    pub(super) cases: Vec<Case>,
}

/// One case, ready to run.
pub(super) struct Case {
    pub(super) name: String,
    /// The line of the file where it begins.
    pub(super) line: usize,
    /// The payload.
    pub(super) body: Vec<u8>,
    pub(super) now: Timestamp,
    pub(super) world: World,
    pub(super) then: Expectation,
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFileText {
    policy: Option<PathBuf>,
    #[serde(default)]
    case: Vec<CaseText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseText {
    name: String,
    given: GivenText,
    then: Expectation,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenText {
    event: Option<PathBuf>,
    alarm: Option<GivenAlarmText>,
    deployment: Option<DeploymentText>,
    world: Option<PathBuf>,
    now: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenAlarmText {
    name: String,
    target: String,
    metric: String,
    value: f64,
    threshold: f64,
    window: Option<String>,
    fires: Option<SideWord>,
    transition: Option<Transition>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SideWord {
    Above,
    Below,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeploymentText {
    instances: Option<u32>,
    shape: Option<String>,
    bandwidth_mbps: Option<u32>,
    metrics: Option<BTreeMap<String, f64>>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    status: Option<String>,
    last_change: Option<String>,
}

impl CaseFile {
    /// Reads a file, and every payload and world that it names.
    pub(super) fn read(path: &Path) -> Result<Self, CommandError> {
        let name = file_name(path);
        let unusable = |message: String| CommandError::invalid_input("test_file", message);
        let text = input::read_text(path)
            .map_err(|error| unusable(format!("test file `{name}` cannot be read: {error}")))?;
        let directory = path.parent().unwrap_or(Path::new(""));
        parse(&text, directory).map_err(|errors| match input::mistaken(FileKind::Cases, path, &text) {
            Some(advice) => unusable(format!("test file `{name}` is not valid: {advice}")),
            None => CommandError::invalid_file(["test_file", "test file"], &name, &errors),
        })
    }
}

fn parse(text: &str, directory: &Path) -> Result<CaseFile, Errors> {
    let document = Document::parse(text)?;
    let mut problems = Problems::new(&document);
    let read = document.read::<CaseFileText>(&[], &mut problems);
    let Some(read) = read else {
        problems.into_result()?;
        return Ok(CaseFile { policy: None, cases: Vec::new() });
    };
    let root = document.root();
    let list = root.key("case");
    let mut cases = Vec::new();
    for (node, case) in read.skipped.beside(list.as_ref(), read.value.case) {
        let line = line_of(text, &node);
        match case.map(|case| case.checked(line, directory)) {
            Some(Ok(case)) => cases.push(case),
            Some(Err(faults)) => faults.into_iter().for_each(|fault| problems.add(&node, &fault)),
            None => {}
        }
    }
    if cases.is_empty() && problems.is_empty() {
        problems.add(&root, &Fault::whole("it has no `[[case]]`, so it tests nothing"));
    }
    problems.into_result()?;
    Ok(CaseFile { policy: read.value.policy.map(|policy| directory.join(policy)), cases })
}

/// The line in which a table begins, counted from 1.
fn line_of(text: &str, node: &Node<'_>) -> usize {
    let start = node.span(text).start;
    text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1
}

impl CaseText {
    fn checked(self, line: usize, directory: &Path) -> Result<Case, Faults> {
        let Self { name, given, then } = self;
        let mut faults = Faults::default();
        if name.trim().is_empty() {
            faults.push(Fault::of("name", "expected the name of the case, found none"));
        }
        faults.note_all(then.check().map_err(|faults| faults.map(|fault| fault.within("then"))));
        let given = faults
            .note_all(given.checked(directory).map_err(|faults| faults.map(|fault| fault.within("given"))));
        faults.into_result()?;
        let Some((body, now, world)) = given else { return Err(Fault::whole("it cannot be read").into()) };
        Ok(Case { name, line, body, now, world, then })
    }
}

impl GivenText {
    /// The payload, the current time and the cloud.
    fn checked(self, directory: &Path) -> Result<(Vec<u8>, Timestamp, World), Faults> {
        let Self { event, alarm, deployment, world, now } = self;
        let now = now.map(|text| keyed("now", parse_time(&text))).transpose()?;
        let body = match (event, alarm) {
            (Some(path), None) => {
                read_event(&directory.join(path)).map_err(|error| Fault::of("event", error.message))?
            }
            (None, Some(alarm)) => alarm
                .checked(now)
                .and_then(|alarm| alarm.payload().map_err(|message| Fault::of("transition", message)))
                .map_err(|fault| fault.within("alarm"))?,
            (Some(_), Some(_)) => {
                return Err(Fault::of("alarm", "`event` is there, too: expected one of them").into());
            }
            (None, None) => return Err(Fault::whole("expected `event` or `alarm`, found neither").into()),
        };
        let event = source::parse(&body).map_err(|error| Fault::of("event", error.to_string()))?;
        let now = now.or_else(|| arrival(&event)).unwrap_or_else(usual_now);
        let mut cloud = match world {
            Some(path) => {
                read_world(&directory.join(path)).map_err(|error| Fault::of("world", error.message))?
            }
            None => World { clock: now, ..World::default() },
        };
        if let Some(deployment) = deployment {
            let added = deployment.added_to(&mut cloud, &event);
            added.map_err(|fault| fault.within("deployment"))?;
        }
        Ok((body, now, cloud))
    }
}

/// The time at which a payload arrives: shortly after its latest alarm.
fn arrival(event: &Event) -> Option<Timestamp> {
    let fired = event.alarms.iter().filter_map(|alarm| alarm.at).max()?;
    fired.checked_add(DELIVERY).ok()
}

fn usual_now() -> Timestamp {
    USUAL_NOW.parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

impl GivenAlarmText {
    fn checked(self, now: Option<Timestamp>) -> Result<GivenAlarm, Fault> {
        let Self { name, target, metric, value, threshold, window, fires, transition } = self;
        let transition = transition.unwrap_or(Transition::Firing);
        let name =
            AlarmName::new(&name).ok_or_else(|| Fault::of("name", "expected an alarm's name, found none"))?;
        let target = target_id(&target)?;
        let window = window.map(|window| keyed("window", duration::window("window", &window))).transpose()?;
        let is_above = (value < threshold) == (transition == Transition::Cleared);
        let side = match fires {
            Some(SideWord::Above) => Side::Above,
            None if is_above => Side::Above,
            Some(SideWord::Below) | None => Side::Below,
        };
        let at = match now {
            Some(now) => now.checked_sub(DELIVERY).unwrap_or(now),
            None => usual_now(),
        };
        let window = window.unwrap_or(USUAL_WINDOW);
        Ok(GivenAlarm { name, target, metric, value, threshold, side, window, transition, at })
    }
}

fn target_id(text: &str) -> Result<TargetId, Fault> {
    let known: Vec<&str> = platform::target::all().map(|target| target.ids).collect();
    platform::target_id(text).ok_or_else(|| {
        let expected = known.join("` or `");
        Fault::of("target", format!("`{text}` is the id of no target: expected `{expected}`"))
    })
}

impl DeploymentText {
    /// Puts it into a world, as each target that the event names.
    fn added_to(self, world: &mut World, event: &Event) -> Result<(), Fault> {
        let targets =
            event.alarms.iter().flat_map(|alarm| &alarm.targets).chain(event.settled.iter().flatten());
        let targets: Vec<&TargetId> = targets.collect();
        if targets.is_empty() {
            return Err(Fault::whole("the event names no target: describe its deployments as a `world`"));
        }
        let last_change = self.last_change.as_deref().map(|text| keyed("last_change", parse_time(text)));
        let last_change = last_change.transpose()?;
        for target in targets {
            let deployment = self.as_target(target, event, last_change);
            world.deployments.insert(target.to_string(), deployment);
        }
        Ok(())
    }

    fn as_target(
        &self,
        target: &TargetId,
        event: &Event,
        last_change: Option<Timestamp>,
    ) -> SimulatedDeployment {
        let usual = SimulatedDeployment::usual(target.kind());
        let usual = usual.unwrap_or_else(|| SimulatedDeployment::new(1, ""));
        let (shape, flex) = self.shape.as_deref().map_or((usual.shape.as_str(), None), |shape| {
            Flex::read(shape).map_or((shape, None), |(shape, flex)| (shape, Some(flex)))
        });
        let mut metrics = self.metrics.clone().unwrap_or(usual.metrics);
        for (metric, value) in measured(target, event) {
            let is_same = |known: &String| known.eq_ignore_ascii_case(metric);
            if !self.metrics.iter().flatten().any(|(known, _)| is_same(known)) {
                metrics.retain(|known, _| !is_same(known));
                metrics.insert(metric.to_owned(), value);
            }
        }
        SimulatedDeployment {
            flex,
            bandwidth_mbps: self.bandwidth_mbps,
            tags: self.tags.clone(),
            status: self.status.clone(),
            last_change,
            metrics,
            ..SimulatedDeployment::new(self.instances.unwrap_or(usual.instances), shape)
        }
    }
}

/// The values that an event reports of a target, in the unit of the world's metrics.
fn measured<'a>(target: &'a TargetId, event: &'a Event) -> impl Iterator<Item = (&'a str, f64)> {
    let of_target =
        event.alarms.iter().filter(move |alarm| alarm.names_one() && alarm.targets.contains(target));
    of_target.filter_map(|alarm| {
        let value = alarm.measurement.comparison()?.value?;
        Some((alarm.measurement.metric.as_deref()?, value))
    })
}
