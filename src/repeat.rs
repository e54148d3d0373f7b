//! What the clock, or an endpoint that has come to rest, calls for: the alarms that fire now, and the pairs
//! to mend.
//!
//! CloudWatch calls once per transition of an alarm. So what still fires is asked for and answered as a
//! repeat, and what was held, cut short or left behind is put right. Pure: the alarms that stand are given.

use jiff::{SignedDuration, Timestamp};

use crate::alarm::{Alarm, Event, Signal, TargetId, Transition};
use crate::call::CloudwatchAlarm;
use crate::deployment::SeenAlarm;
use crate::source::target_in;

/// The most alarms that fire which one tick answers. Each takes up to four calls; at five of these a second
/// they fit into half of the function's 30 seconds.
pub const MOST_FIRING: usize = 20;

/// The most paired alarms at rest that one tick looks after.
pub const MOST_QUIET: usize = 5;

/// An alarm that calls this function, whatever its state.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// What it says; one that was asked for speaks as if it had called now.
    pub alarm: Alarm,
    /// Since when it is in its state.
    pub since: Option<Timestamp>,
    /// The alarm itself when it is a paired alarm of ours.
    pub pair: Option<SeenAlarm>,
}

/// An alarm that has called by itself.
impl From<Alarm> for Standing {
    fn from(alarm: Alarm) -> Self {
        Self { alarm, since: None, pair: None }
    }
}

/// A CloudWatch alarm as if it had called now. Its state is that of its last evaluation, up to a period ago.
pub fn called(alarm: &CloudwatchAlarm, id: &str, fires: bool, now: Timestamp) -> Alarm {
    let period = SignedDuration::from_secs(i64::from(alarm.period));
    Alarm {
        id: id.to_owned(),
        name: alarm.name.clone(),
        source: "tick",
        transition: if fires { Transition::Repeat } else { Transition::Cleared },
        muted: !alarm.enabled,
        targets: targets(alarm),
        signal: Signal {
            metric: Some(alarm.metric.clone()).filter(|metric| !metric.is_empty()),
            value: None,
            threshold: Some(alarm.threshold).filter(|_| !alarm.metric.is_empty()),
            window: alarm.window(),
        },
        at: now.checked_sub(period).ok(),
    }
}

/// The variant of its dimensions; for an alarm that measures nothing itself, that of its description.
fn targets(alarm: &CloudwatchAlarm) -> Vec<TargetId> {
    let named = |name: &str| alarm.dimensions.get(name);
    match (named("EndpointName"), named("VariantName")) {
        (Some(endpoint), Some(variant)) => vec![TargetId::sagemaker_variant(endpoint, variant)],
        _ if alarm.metric.is_empty() => target_in(&alarm.description).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// What an event calls for: alarms that fire, the longest-firing first, then pairs of ours that do not.
///
/// A tick takes a bounded number of each. Where there are more, each minute goes on where the last one
/// stopped.
pub fn due(event: &Event, standing: Vec<Standing>, now: Timestamp) -> Vec<Standing> {
    let mut called: Vec<Standing> =
        standing.into_iter().filter(|one| concerns(event, &one.alarm.targets)).collect();
    called.sort_by(|a, b| (a.since, &a.alarm.name).cmp(&(b.since, &b.alarm.name)));
    let (firing, quiet): (Vec<_>, Vec<_>) =
        called.into_iter().partition(|one| one.alarm.transition.is_firing());
    let quiet: Vec<Standing> = quiet.into_iter().filter(|one| one.pair.is_some()).collect();
    if !event.tick {
        return firing.into_iter().chain(quiet).collect();
    }
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
fn portion(all: Vec<Standing>, most: usize, minute: usize) -> impl Iterator<Item = Standing> {
    let count = all.len();
    let begin = if count > most { minute.wrapping_mul(most) % count } else { 0 };
    let (before, after) = all.into_iter().enumerate().partition::<Vec<_>, _>(|(i, _)| *i < begin);
    after.into_iter().chain(before).map(|(_, one)| one).take(most)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::call::AlarmDefinition;

    fn standing(number: i64, fires: bool) -> Standing {
        let name = format!("alarm-{number:04}");
        let definition = AlarmDefinition::Cloudwatch(CloudwatchAlarm::default());
        let pair = SeenAlarm { id: name.clone(), etag: None, ours: true, definition, window: None };
        Standing {
            alarm: Alarm {
                id: String::new(),
                name,
                source: "test",
                transition: if fires { Transition::Repeat } else { Transition::Cleared },
                muted: false,
                targets: vec![TargetId::sagemaker_variant(&format!("e{number}"), "v")],
                signal: Signal::default(),
                at: None,
            },
            since: Timestamp::from_second(1_000_000 - number).ok(),
            pair: (!fires).then_some(pair),
        }
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
        let names: Vec<String> = due(&tick(), all, minute(0)).into_iter().map(|one| one.alarm.name).collect();
        assert_eq!(names, ["alarm-0003", "alarm-0001", "alarm-0002"]);
    }

    #[test]
    fn a_thousand_alarms_are_all_answered_within_an_hour_and_never_too_many_at_once() {
        let all: Vec<Standing> = (0..1000).map(|number| standing(number, true)).collect();
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
        let event = Event { settled: Some(vec![TargetId::sagemaker_endpoint("e1")]), ..Event::default() };
        assert_eq!(due(&event, all.clone(), minute(0)).len(), 2);
        let event = Event { settled: Some(vec![TargetId::sagemaker_variant("e1", "w")]), ..Event::default() };
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
        let quiet = Standing { pair: None, ..standing(1, false) };
        assert!(due(&tick(), vec![quiet], minute(0)).is_empty());
    }
}
