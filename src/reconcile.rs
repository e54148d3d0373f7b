//! What the clock, or an endpoint that has come to rest, calls for: the alarms that fire now, and the pairs
//! to mend.
//!
//! CloudWatch calls once per transition of an alarm. So what still fires is asked for and answered as a
//! repeat, and what was held, cut short or left behind is put right. Pure: the alarms that stand are given.

use jiff::Timestamp;

use crate::platform::ActiveAlarm;
use crate::source::Event;
use crate::target::TargetId;

/// The most alarms that fire which one event answers. Each takes up to four calls; at five of these a second
/// they fit into half of the function's 30 seconds.
pub const MOST_FIRING: usize = 20;

/// The most paired alarms at rest that one event looks after.
pub const MOST_QUIET: usize = 5;

/// What an event calls for: alarms that fire, the longest-firing first, then pairs of ours that do not.
///
/// A bounded number of each. Where there are more, each minute goes on where the last one stopped.
pub fn due(event: &Event, standing: Vec<ActiveAlarm>, now: Timestamp) -> Vec<ActiveAlarm> {
    let mut called: Vec<ActiveAlarm> =
        standing.into_iter().filter(|one| concerns(event, &one.alarm.targets)).collect();
    called.sort_by(|a, b| (a.since, &a.alarm.name).cmp(&(b.since, &b.alarm.name)));
    let (firing, quiet): (Vec<_>, Vec<_>) =
        called.into_iter().partition(|one| one.alarm.transition.is_firing());
    let quiet: Vec<ActiveAlarm> = quiet.into_iter().filter(|one| one.pair.is_some()).collect();
    let minute = usize::try_from(now.as_second() / 60).unwrap_or_default();
    portion(firing, MOST_FIRING, minute).chain(portion(quiet, MOST_QUIET, minute)).collect()
}

fn concerns(event: &Event, targets: &[TargetId]) -> bool {
    let settled = event.settled.as_deref().unwrap_or_default();
    // One that names no target has been told so when it called.
    (event.tick && !targets.is_empty())
        || targets.iter().any(|target| settled.iter().any(|settled| settled.covers(target)))
}

/// So many of them, beginning where the minute before left off.
fn portion(all: Vec<ActiveAlarm>, most: usize, minute: usize) -> impl Iterator<Item = ActiveAlarm> {
    let count = all.len();
    let begin = if count > most { minute.wrapping_mul(most) % count } else { 0 };
    let (before, after) = all.into_iter().enumerate().partition::<Vec<_>, _>(|(i, _)| *i < begin);
    after.into_iter().chain(before).map(|(_, one)| one).take(most)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::alarm::{Alarm, AlarmName, EvidenceTime, Measurement, Transition};
    use crate::deployment::ObservedAlarm;
    use crate::target::TargetKind;

    fn standing(number: i64, fires: bool) -> ActiveAlarm {
        let name = format!("alarm-{number:04}");
        let pair = ObservedAlarm {
            id: name.clone(),
            etag: None,
            ours: true,
            name: name.clone(),
            notifies: Vec::new(),
            window: None,
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
    fn the_longest_firing_come_first_and_pairs_at_rest_last() {
        let all = vec![standing(1, true), standing(2, false), standing(3, true)];
        let names: Vec<String> =
            due(&tick(), all, minute(0)).into_iter().map(|one| one.alarm.name.to_string()).collect();
        assert_eq!(names, ["alarm-0003", "alarm-0001", "alarm-0002"]);
    }

    #[test]
    fn a_thousand_alarms_are_all_answered_within_an_hour_and_never_too_many_at_once() {
        let all: Vec<ActiveAlarm> = (0..1000).map(|number| standing(number, true)).collect();
        let mut answered = BTreeSet::new();
        for at in 0..50 {
            let due = due(&tick(), all.clone(), minute(at));
            assert_eq!(due.len(), MOST_FIRING);
            answered.extend(due.into_iter().map(|one| one.alarm.name));
        }
        assert_eq!(answered.len(), 1000);
    }

    #[test]
    fn an_endpoint_at_rest_concerns_its_own_variants_only() {
        let all = vec![standing(1, true), standing(12, true), standing(1, false)];
        let event = Event { settled: Some(vec![target_id("endpoint/e1")]), ..Event::default() };
        assert_eq!(due(&event, all.clone(), minute(0)).len(), 2);
        let event = Event { settled: Some(vec![target_id("endpoint/e1/variant/w")]), ..Event::default() };
        assert_eq!(due(&event, all, minute(0)).len(), 0);
    }

    #[test]
    fn an_alarm_without_a_target_is_not_complained_about_every_minute() {
        let mut nobody = standing(1, true);
        nobody.alarm.targets.clear();
        assert!(due(&tick(), vec![nobody], minute(0)).is_empty());
    }

    #[test]
    fn other_peoples_alarms_at_rest_are_nobodys_business() {
        let quiet = ActiveAlarm { pair: None, ..standing(1, false) };
        assert!(due(&tick(), vec![quiet], minute(0)).is_empty());
    }
}
