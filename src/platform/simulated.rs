//! The simulated cloud: in memory, with the platforms' own semantics. Updates take time and exclude each other, etags
//! change, alarms fire as in their service, and the clock is virtual.
//!
//! This file has what all platforms share; each platform's `simulated.rs` has its own states and messages. The command
//! line uses it by default, and `stepladder replay` runs on it. Its [`World`] is a small JSON file.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    ActiveAlarm, AlarmDefinition, Call, Client, Desired, Error, Existing, Observation, ObserveRequest,
    ScaleUpAlarm, aws, oci, of, target, web,
};
use crate::alarm::{Alarm, AlarmName, Condition, Measurement, Reported, Side};
use crate::deployment::{Lifecycle, ObservedAlarm};
use crate::size::Direction;

mod alarms;
mod given;
mod world;

pub use alarms::Delivery;
pub use given::GivenAlarm;
pub use world::{
    PendingUpdate, SentMessage, SimulatedDeployment, World, WorldAlarm, WorldConfiguration, WorldEndpoint,
    WorldError,
};

/// What a platform adds to the simulated cloud.
pub(crate) struct Simulation {
    /// The shape of a deployment that an event names but the world does not contain: one rung above the lowest, so that
    /// it can scale both up and down.
    pub(super) shape: &'static str,
    /// What the metrics of its cores and its memory read: neither high nor low, and a smaller shape can carry it.
    pub(super) load: [(&'static str, f64); 2],
    /// The platform's names of two states: settled, and being updated.
    pub(super) states: [&'static str; 2],
    /// Observes a deployment of the world.
    pub(super) observe: fn(&World, &SimulatedDeployment, &ObserveRequest) -> Observation,
    /// Completes pending updates of other resources that are due by now.
    pub(super) settle: fn(&mut World, Timestamp),
    /// The definition of the alarm that fired, reconstructed from the event.
    pub(super) firing_alarm: fn(&World, &ObserveRequest, &FiringAlarm) -> AlarmDefinition,
    /// The id of such an alarm.
    pub(super) alarm_id: fn(&mut World, &ObserveRequest) -> String,
}

/// What all platforms need to reconstruct the alarm that fired.
pub(super) struct FiringAlarm {
    pub(super) metric: String,
    pub(super) threshold: f64,
    pub(super) minutes: i64,
    /// The length of a datapoint, in seconds.
    pub(super) period: i32,
    pub(super) above: bool,
    /// Whether it has the paired alarm's name, and so is the paired alarm.
    pub(super) is_pair: bool,
}

impl FiringAlarm {
    fn of(request: &ObserveRequest) -> Self {
        let ObserveRequest { alarm, target, pair, direction, .. } = request;
        let measurement = &alarm.measurement;
        let rises = *direction == Some(Direction::Up);
        let named = |name: &str| name == alarm.name.as_str();
        Self {
            metric: measurement.metric.clone().unwrap_or_default(),
            threshold: measurement.reported.threshold.unwrap_or(ScaleUpAlarm::DEFAULT_THRESHOLD),
            minutes: measurement.window.map_or(5, |window| window.as_mins()),
            period: measurement.period.and_then(|period| i32::try_from(period.as_secs()).ok()).unwrap_or(60),
            above: measurement.side().map_or(rises, |side| side == Side::Above),
            is_pair: pair.is_some_and(|pair| named(&pair.alarm) || named(&pair.name_for(target))),
        }
    }
}

/// What an alarm measures, by its definition.
pub(super) struct Measured<'a> {
    pub(super) target: String,
    pub(super) metric: &'a str,
    pub(super) above: bool,
    pub(super) threshold: f64,
    pub(super) window: SignedDuration,
    /// How often it notifies again while it fires; `None` where its service does not repeat.
    pub(super) repeat: Option<SignedDuration>,
    /// Whether it also fires while the metric has no data.
    pub(super) silence_breaches: bool,
}

/// What an alarm's evaluation reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AlarmEvent {
    Fired,
    Repeated,
    Cleared,
}

impl AlarmDefinition {
    /// What it measures; `None` for an alarm that the simulated cloud cannot evaluate.
    fn measured(&self) -> Option<Measured<'_>> {
        match self {
            Self::Aws(alarm) => aws::simulated::measured(alarm),
            Self::Oci(alarm) => oci::simulated::measured(alarm),
        }
    }

    /// The payload with which its service reports that it has fired or cleared.
    fn message(&self, alarm: &WorldAlarm, event: AlarmEvent, now: Timestamp, value: Option<f64>) -> Value {
        match self {
            Self::Aws(definition) => aws::simulated::message(definition, event, now, value),
            Self::Oci(definition) => oci::simulated::message(definition, alarm, event, now, value),
        }
    }

    /// Whether it carries the marker of any pair.
    fn is_a_pair(&self) -> bool {
        match self {
            Self::Aws(alarm) => aws::simulated::is_a_pair(alarm),
            Self::Oci(alarm) => oci::simulated::is_a_pair(alarm),
        }
    }
}

/// The simulated cloud.
#[derive(Debug, Default)]
pub struct SimulatedCloud {
    world: Mutex<World>,
}

impl SimulatedCloud {
    /// A cloud with this state.
    pub fn new(world: World) -> Self {
        Self { world: Mutex::new(world) }
    }

    /// Advances the clock: updates complete, and alarms are evaluated once a minute. Returns what the alarms sent,
    /// oldest first. The clock never runs backwards.
    pub fn advance(&self, to: Timestamp) -> Vec<Delivery> {
        self.world().advance(to)
    }

    /// A copy of its current state.
    pub fn snapshot(&self) -> World {
        self.world().clone()
    }

    /// Reads or changes its state directly, as an operator at a console would.
    pub fn with<T>(&self, access: impl FnOnce(&mut World) -> T) -> T {
        access(&mut self.world())
    }

    /// A poisoned lock is safe to use: each change of the world is one call, so a panic elsewhere leaves none half
    /// done.
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Client for SimulatedCloud {
    async fn observe(&self, request: &ObserveRequest<'_>) -> Result<Observation, Error> {
        let mut world = self.world();
        world.furnish(request);
        let not_found = || Error::NotFound {
            operation: read_operation(request).to_owned(),
            message: format!("the simulated world holds no `{}`", request.target),
        };
        let platform = of(request.target.kind()).ok_or_else(not_found)?;
        let found = world.deployments.get(request.target.as_str()).ok_or_else(not_found)?;
        Ok((platform.simulation.observe)(&world, found, request))
    }

    async fn active_alarms(&self, action: Option<&str>, now: Timestamp) -> Result<Vec<ActiveAlarm>, Error> {
        let world = self.world();
        let active = |alarm: &WorldAlarm| match &alarm.definition {
            AlarmDefinition::Aws(definition) => aws::simulated::active(alarm, definition, action, now),
            // OCI's alarms repeat by themselves, so a tick does not read them.
            AlarmDefinition::Oci(_) => None,
        };
        Ok(world.alarms.iter().filter_map(active).collect())
    }

    async fn alarm_name(&self, alarm: &Alarm) -> Result<Option<AlarmName>, Error> {
        let world = self.world();
        let found = world.alarms.iter().find(|existing| existing.id == alarm.id);
        Ok(found.and_then(|found| AlarmName::new(found.definition.name())))
    }

    async fn existing(&self, desired: Desired<'_>) -> Result<Existing, Error> {
        match desired {
            Desired::Oci(desired) => Ok(Existing::Oci(oci::simulated::existing(&self.world(), desired))),
        }
    }

    async fn send(&self, call: &Call) -> Result<String, Error> {
        let mut world = self.world();
        match call {
            Call::Aws(call) => aws::simulated::send(&mut world, call),
            Call::Oci(call) => oci::simulated::send(&mut world, call),
            Call::Web(web::Call::Post { address, body, .. }) => Ok(world.receive(&address.to_string(), body)),
        }
    }
}

/// The operation that reads the deployment itself, which is the first in its target's list.
fn read_operation(request: &ObserveRequest) -> &'static str {
    let target = target::of(request.target.kind());
    target.and_then(|target| target.reads.first()).map_or("observe", |read| read.name)
}

/// The values of the requested metrics.
pub(super) fn readings(found: &SimulatedDeployment, request: &ObserveRequest) -> BTreeMap<String, f64> {
    let read = |metric: &str| {
        let same = |(name, _): &(&String, &f64)| name.eq_ignore_ascii_case(metric);
        found.metrics.iter().find(same).map(|(_, value)| (metric.to_owned(), *value))
    };
    request.metrics.iter().copied().filter_map(read).collect()
}

/// The state in the platform's own word, and its meaning.
pub(super) fn lifecycle(found: &SimulatedDeployment, request: &ObserveRequest) -> (String, Lifecycle) {
    let kind = request.target.kind();
    let status = found.status(of(kind).map_or(["", ""], |platform| platform.simulation.states));
    let lifecycle = target::of(kind).map_or(Lifecycle::Busy, |target| target.lifecycle(&status));
    (status, lifecycle)
}

impl World {
    /// The alarm that an event names, by its id or else by its name.
    pub(super) fn fired(&self, alarm: &Alarm) -> Option<&WorldAlarm> {
        let by_id = self.alarms.iter().find(|existing| !alarm.id.is_empty() && existing.id == alarm.id);
        by_id
            .or_else(|| self.alarms.iter().find(|existing| existing.definition.name() == alarm.name.as_str()))
    }

    /// The alarm that fired, as an observation reports it.
    pub(super) fn observed_firing(&self, alarm: &Alarm) -> Option<ObservedAlarm> {
        self.fired(alarm).map(|alarm| alarm.observed(false))
    }

    /// Deletes an alarm by its id.
    pub(super) fn delete_alarm(
        &mut self,
        operation: &str,
        id: &str,
        if_match: Option<&str>,
    ) -> Result<String, Error> {
        let Some(found) = self.alarms.iter().find(|alarm| alarm.id == id) else {
            return Ok("gone already".to_owned());
        };
        check_revision(operation, &found.revision.to_string(), if_match)?;
        self.alarms.retain(|alarm| alarm.id != id);
        Ok("deleted".to_owned())
    }
}

impl WorldAlarm {
    /// The alarm as an observation reports it.
    pub(super) fn observed(&self, ours: bool) -> ObservedAlarm {
        let observed = match &self.definition {
            AlarmDefinition::Aws(alarm) => aws::variant::observed(alarm, ours),
            AlarmDefinition::Oci(alarm) => oci::model_deployment::observed("", None, alarm, ours),
        };
        let measurement = self.known_measurement(observed.measurement);
        ObservedAlarm { id: self.id.clone(), etag: Some(self.revision.to_string()), measurement, ..observed }
    }

    /// What it measures, without a comparison that was made up.
    pub(super) fn known_measurement(&self, defined: Measurement) -> Measurement {
        if !self.is_reconstructed {
            return defined;
        }
        Measurement { condition: Condition::Unknown, reported: Reported::default(), ..defined }
    }
}

/// Refuses a call that is based on another revision.
pub(super) fn check_revision(operation: &str, found: &str, if_match: Option<&str>) -> Result<(), Error> {
    match if_match {
        Some(expected) if expected != found => Err(Error::LostRace {
            operation: operation.to_owned(),
            message: format!("412 NoEtagMatch: expected etag `{expected}`, found `{found}`"),
        }),
        _ => Ok(()),
    }
}
