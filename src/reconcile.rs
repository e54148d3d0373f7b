//! What a tick, or a deployment that has settled, makes due: the active alarms, and the pairs to repair.
//!
//! A CloudWatch alarm notifies once per transition. So the alarms that still fire are listed and handled as repeats, and
//! changes that were held, interrupted or incomplete are reconciled. Pure: the listed alarms are an argument.

use jiff::{SignedDuration, Timestamp};

use crate::alarm::{
    Alarm, AlarmName, EvidenceTime, Measurement, SCHEDULE_ALARM, Subject, TICK_SOURCE, Transition,
};
use crate::platform::ActiveAlarm;
use crate::policy::Policy;
use crate::source::Event;
use crate::target::TargetId;

/// The most firing alarms that one event handles. Each takes up to four calls; at five of these a second they fit into
/// half of the function's 30 seconds.
pub const MOST_FIRING: usize = 20;

/// The most paired alarms that do not fire and that one event repairs.
pub const MOST_QUIET: usize = 5;

/// The alarms that an event makes due: firing alarms, the longest-firing first, then pairs that do not fire.
///
/// A bounded number of each. Where there are more, each minute continues where the minute before stopped.
pub fn due(event: &Event, active: Vec<ActiveAlarm>, now: Timestamp) -> Vec<ActiveAlarm> {
    let mut due: Vec<ActiveAlarm> =
        active.into_iter().filter(|active| concerns(event, &active.alarm.targets)).collect();
    due.sort_by(|a, b| (a.since, &a.alarm.name).cmp(&(b.since, &b.alarm.name)));
    let (firing, quiet): (Vec<_>, Vec<_>) =
        due.into_iter().partition(|active| active.alarm.transition.is_firing());
    let pairs: Vec<ActiveAlarm> = quiet.into_iter().filter(|active| active.pair.is_some()).collect();
    let minute = usize::try_from(now.as_second() / 60).unwrap_or_default();
    portion(firing, MOST_FIRING, minute).chain(portion(pairs, MOST_QUIET, minute)).collect()
}

/// The alarms by which a tick requests the floors of active schedules, as many as there may be of firing alarms.
pub fn scheduled(event: &Event, policy: &Policy, now: Timestamp) -> Vec<ActiveAlarm> {
    let Some(name) = AlarmName::new(SCHEDULE_ALARM).filter(|_| event.tick) else { return Vec::new() };
    let targets: Vec<TargetId> = policy.scheduled_targets(now).into_iter().collect();
    let minute = usize::try_from(now.as_second() / 60).unwrap_or_default();
    let alarms = portion(targets, MOST_FIRING, minute).map(|target| Alarm {
        id: String::new(),
        name: name.clone(),
        is_titled: false,
        source: TICK_SOURCE,
        transition: Transition::Repeat,
        muted: false,
        targets: vec![target],
        unknown_targets: Vec::new(),
        subject: Subject::default(),
        // A schedule needs no measurement, so no change makes it stale.
        measurement: Measurement { window: Some(SignedDuration::ZERO), ..Measurement::default() },
        at: None,
        evidence: EvidenceTime::OnReceipt,
        topic: None,
        account: None,
    });
    alarms.map(ActiveAlarm::from).collect()
}

/// Whether an event is about any of an alarm's targets. An alarm without a target was reported when it notified.
fn concerns(event: &Event, targets: &[TargetId]) -> bool {
    let settled = event.settled.as_deref().unwrap_or_default();
    let has_settled = |target: &TargetId| settled.iter().any(|settled| settled.covers(target));
    (event.tick && !targets.is_empty()) || targets.iter().any(has_settled)
}

/// At most so many of them, beginning where the minute before stopped.
fn portion<T>(all: Vec<T>, most: usize, minute: usize) -> impl Iterator<Item = T> {
    let count = all.len();
    let begin = if count > most { minute.wrapping_mul(most) % count } else { 0 };
    let (before, after) = all.into_iter().enumerate().partition::<Vec<_>, _>(|(i, _)| *i < begin);
    after.into_iter().chain(before).map(|(_, each)| each).take(most)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::deployment::ObservedAlarm;
    use crate::target::TargetKind;

    fn active_alarm(number: i64, fires: bool) -> ActiveAlarm {
        let name = format!("alarm-{number:04}");
        let pair = ObservedAlarm {
            id: name.clone(),
            etag: None,
            ours: true,
            name: name.clone(),
            notifies: Vec::new(),
            fires_once: false,
            scale_up: None,
            repeat: None,
            measurement: Measurement::default(),
        };
        ActiveAlarm {
            alarm: Alarm {
                id: String::new(),
                name: AlarmName::new(&name).unwrap(),
                source: "test",
                transition: if fires { Transition::Repeat } else { Transition::Cleared },
                muted: false,
                targets: vec![variant(&format!("e{number}"))],
                measurement: Measurement::default(),
                unknown_targets: Vec::new(),
                is_titled: false,
                subject: Subject::default(),
                at: None,
                evidence: EvidenceTime::Unknown,
                topic: None,
                account: None,
            },
            since: Timestamp::from_second(1_000_000 - number).ok(),
            pair: (!fires).then_some(pair),
        }
    }

    fn target_id(id: &str) -> TargetId {
        TargetId::new(TargetKind::new("test"), id.to_owned()).unwrap()
    }

    fn variant(endpoint: &str) -> TargetId {
        target_id(&format!("endpoint/{endpoint}/variant/v"))
    }

    fn minute(minutes: i64) -> Timestamp {
        Timestamp::from_second(minutes * 60).unwrap()
    }

    fn tick() -> Event {
        Event { tick: true, ..Event::default() }
    }

    #[test]
    fn the_longest_firing_come_first_and_quiet_pairs_last() {
        let all = vec![active_alarm(1, true), active_alarm(2, false), active_alarm(3, true)];
        let names: Vec<String> =
            due(&tick(), all, minute(0)).into_iter().map(|one| one.alarm.name.to_string()).collect();
        assert_eq!(names, ["alarm-0003", "alarm-0001", "alarm-0002"]);
    }

    #[test]
    fn a_thousand_alarms_are_all_answered_within_an_hour_and_never_too_many_at_once() {
        let all: Vec<ActiveAlarm> = (0..1000).map(|number| active_alarm(number, true)).collect();
        let mut answered = BTreeSet::new();
        for at in 0..50 {
            let due = due(&tick(), all.clone(), minute(at));
            assert_eq!(due.len(), MOST_FIRING);
            answered.extend(due.into_iter().map(|one| one.alarm.name));
        }
        assert_eq!(answered.len(), 1000);
    }

    #[test]
    fn a_settled_endpoint_concerns_its_own_variants_only() {
        let all = vec![active_alarm(1, true), active_alarm(12, true), active_alarm(1, false)];
        let event = Event { settled: Some(vec![target_id("endpoint/e1")]), ..Event::default() };
        assert_eq!(due(&event, all.clone(), minute(0)).len(), 2);
        let event = Event { settled: Some(vec![target_id("endpoint/e1/variant/w")]), ..Event::default() };
        assert_eq!(due(&event, all, minute(0)).len(), 0);
    }

    #[test]
    fn an_alarm_without_a_target_is_not_complained_about_every_minute() {
        let mut nobody = active_alarm(1, true);
        nobody.alarm.targets.clear();
        assert!(due(&tick(), vec![nobody], minute(0)).is_empty());
    }

    #[test]
    fn quiet_alarms_of_others_are_left_out() {
        let quiet = ActiveAlarm { pair: None, ..active_alarm(1, false) };
        assert!(due(&tick(), vec![quiet], minute(0)).is_empty());
    }
}
