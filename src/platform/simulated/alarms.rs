//! The alarm engine of the simulated cloud: evaluates each alarm once a minute, and sends its service's own messages.

use jiff::{SignedDuration, Timestamp};

use super::world::{World, WorldAlarm};
use super::{AlarmEvent, Measured};
use crate::platform::{AlarmDefinition, PLATFORMS};

/// Every service evaluates alarms once a minute.
const EVALUATION_PERIOD: SignedDuration = SignedDuration::from_mins(1);

/// The clock may advance by years; alarms are evaluated over the last week of it at most.
const LONGEST_EVALUATION: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What an alarm sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// When it was sent.
    pub at: Timestamp,
    /// The payload as its service writes it.
    pub body: Vec<u8>,
}

impl World {
    pub(super) fn advance(&mut self, to: Timestamp) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        // Only a call changes a definition, and reading one is slow beside the minutes of a week.
        let definitions: Vec<AlarmDefinition> =
            self.alarms.iter().map(|alarm| alarm.definition.clone()).collect();
        let measured: Vec<Option<Measured>> = definitions.iter().map(AlarmDefinition::measured).collect();
        if let Some(begin) = to.checked_sub(LONGEST_EVALUATION).ok().filter(|begin| *begin > self.clock) {
            self.set_clock(begin);
        }
        while let Some(next) = self.clock.checked_add(EVALUATION_PERIOD).ok().filter(|next| *next <= to) {
            self.set_clock(next);
            self.evaluate(&measured, &mut deliveries);
        }
        if to > self.clock {
            self.set_clock(to);
        }
        deliveries
    }

    fn set_clock(&mut self, now: Timestamp) {
        self.clock = now;
        for found in self.deployments.values_mut() {
            found.settle(now);
        }
        for platform in PLATFORMS {
            (platform.simulation.settle)(self, now);
        }
    }

    fn evaluate(&mut self, measured: &[Option<Measured>], deliveries: &mut Vec<Delivery>) {
        let now = self.clock;
        for (alarm, measured) in self.alarms.iter_mut().zip(measured) {
            let Some(measured) = measured else { continue };
            let value = self.deployments.get(&measured.target).and_then(|d| d.metrics.get(measured.metric));
            let value = value.copied();
            // Missing data keeps the state, unless the alarm takes it for a breach: it is not the end of one.
            let Some(breached) = measured.is_breached_by(value) else { continue };
            let (window, repeat) = (measured.window, measured.repeat);
            if let Some(event) = alarm.evaluate(now, breached, window, repeat) {
                let body = alarm.definition.message(alarm, event, now, value);
                deliveries.push(Delivery { at: now, body: body.to_string().into_bytes() });
            }
        }
    }
}

impl WorldAlarm {
    fn evaluate(
        &mut self,
        now: Timestamp,
        breached: bool,
        window: SignedDuration,
        repeat: Option<SignedDuration>,
    ) -> Option<AlarmEvent> {
        if !breached {
            self.breaching_since = None;
            return self.notified.take().map(|_| AlarmEvent::Cleared);
        }
        let since = *self.breaching_since.get_or_insert(now);
        match self.notified {
            None if now.duration_since(since) >= window => {
                self.notified = Some(now);
                Some(AlarmEvent::Fired)
            }
            Some(last) if repeat.is_some_and(|repeat| now.duration_since(last) >= repeat) => {
                self.notified = Some(now);
                Some(AlarmEvent::Repeated)
            }
            _ => None,
        }
    }
}

impl Measured<'_> {
    fn is_breached_by(&self, value: Option<f64>) -> Option<bool> {
        match value {
            Some(value) if self.above => Some(value > self.threshold),
            Some(value) => Some(value < self.threshold),
            None => self.silence_breaches.then_some(true),
        }
    }
}
