//! An alarm that a test of a policy describes, as the message that its service would send.

use jiff::{SignedDuration, Timestamp};

use super::{AlarmEvent, FiringAlarm, World, WorldAlarm};
use crate::alarm::{Alarm, AlarmName, Coverage, EvidenceTime, Measurement, Side, Subject, Transition};
use crate::platform::{ObserveRequest, of};
use crate::size::Axis;
use crate::target::TargetId;

/// The length of a datapoint, in seconds: every service has it.
const PERIOD: i32 = 60;

/// An alarm in the words of a test.
#[derive(Debug, Clone, PartialEq)]
pub struct GivenAlarm {
    /// Its name, which rules match.
    pub name: AlarmName,
    /// The deployment that it measures.
    pub target: TargetId,
    /// Its metric.
    pub metric: String,
    /// The value of each datapoint, in the alarm's own unit.
    pub value: f64,
    /// Its threshold.
    pub threshold: f64,
    /// On which side of the threshold it fires.
    pub side: Side,
    /// The time span that it was evaluated on.
    pub window: SignedDuration,
    /// The change of its state.
    pub transition: Transition,
    /// When its state changed.
    pub at: Timestamp,
}

impl GivenAlarm {
    /// The payload that its service sends; otherwise why it sends none.
    pub fn payload(&self) -> Result<Vec<u8>, String> {
        let Some(platform) = of(self.target.kind()) else { return Err("it has no platform".to_owned()) };
        let alarm = self.alarm();
        let request = ObserveRequest {
            alarm: &alarm,
            target: &self.target,
            pair: None,
            axis: Axis::Instances,
            changes_shape: false,
            suspends_native: false,
            direction: None,
            metrics: Vec::new(),
            capacity_backoff: SignedDuration::ZERO,
            now: self.at,
        };
        let fired = FiringAlarm {
            metric: self.metric.clone(),
            threshold: self.threshold,
            minutes: self.window.as_mins(),
            period: PERIOD,
            above: self.side == Side::Above,
            is_pair: false,
        };
        let mut world = World::default();
        let definition = (platform.simulation.firing_alarm)(&world, &request, &fired);
        let id = (platform.simulation.alarm_id)(&mut world, &request);
        let repeats = definition.measured().is_some_and(|measured| measured.repeat.is_some());
        let event = event(self.transition, repeats)?;
        let alarm = WorldAlarm::new(&id, definition);
        let message = alarm.definition.message(&alarm, event, self.at, Some(self.value));
        Ok(message.to_string().into_bytes())
    }

    /// The part of it that a definition needs.
    fn alarm(&self) -> Alarm {
        Alarm {
            id: String::new(),
            name: self.name.clone(),
            is_titled: false,
            source: "test",
            transition: self.transition,
            muted: false,
            targets: vec![self.target.clone()],
            unknown_targets: Vec::new(),
            subject: Subject::default(),
            measurement: Measurement {
                metric: Some(self.metric.clone()),
                coverage: Coverage::Full,
                ..Measurement::default()
            },
            at: Some(self.at),
            evidence: EvidenceTime::At(self.at),
            topic: None,
            account: None,
        }
    }
}

fn event(transition: Transition, repeats: bool) -> Result<AlarmEvent, String> {
    match transition {
        Transition::Firing => Ok(AlarmEvent::Fired),
        Transition::Repeat if repeats => Ok(AlarmEvent::Repeated),
        Transition::Repeat => Err("its service never repeats a notification: expected `firing`".to_owned()),
        Transition::Cleared => Ok(AlarmEvent::Cleared),
        Transition::NoData | Transition::Test => Err(format!(
            "expected `firing`, `repeat` or `cleared`, found `{transition}`: for that one give the payload as `event`"
        )),
    }
}
