//! What the clock, or an endpoint that has come to rest, calls for: the alarms that fire now, and the pairs
//! to mend.
//!
//! CloudWatch calls once per transition of an alarm. So what still fires is asked for and answered as a
//! repeat, and what was held, cut short or left behind is put right. Pure: the alarms that stand are given.

use jiff::{SignedDuration, Timestamp};

use crate::alarm::{Alarm, Event, Measurement, Side, TargetId, Transition};
use crate::call::CloudwatchAlarm;
use crate::deployment::SeenAlarm;
use crate::platform::aws::variant::Marker;
use crate::policy::pair_name;

/// The most alarms that fire which one event answers. Each takes up to four calls; at five of these a second
/// they fit into half of the function's 30 seconds.
pub const MOST_FIRING: usize = 20;

/// The most paired alarms at rest that one event looks after.
pub const MOST_QUIET: usize = 5;

/// What decision records call alarms that were asked for.
pub const SOURCE: &str = "tick";

/// An alarm that calls this function, whatever its state.
#[derive(Debug, Clone, PartialEq)]
pub struct ActiveAlarm {
    /// What it says; one that was asked for speaks as if it had called now.
    pub alarm: Alarm,
    /// Since when it is in its state.
    pub since: Option<Timestamp>,
    /// The alarm itself when it is a paired alarm of ours.
    pub pair: Option<SeenAlarm>,
}

/// An alarm that has called by itself.
impl From<Alarm> for ActiveAlarm {
    fn from(alarm: Alarm) -> Self {
        Self { alarm, since: None, pair: None }
    }
}

/// What a service tells of an alarm that calls this function.
#[derive(Debug)]
pub struct AlarmState {
    /// Its ARN, or its name.
    pub id: String,
    /// Its state: a repeat when it fires.
    pub transition: Transition,
    /// Since when it is in that state.
    pub since: Option<Timestamp>,
    /// Whether its actions are suppressed.
    pub suppressed: bool,
    /// The deployments it speaks of.
    pub targets: Vec<TargetId>,
}

impl ActiveAlarm {
    /// Whether it is a paired alarm of ours that does not fire, and is only looked after.
    pub fn is_at_rest(&self) -> bool {
        self.pair.is_some() && !self.alarm.transition.is_firing()
    }

    /// A CloudWatch alarm as if it had called now.
    pub fn new(definition: CloudwatchAlarm, told: AlarmState, now: Timestamp) -> Self {
        let AlarmState { id, transition, since, suppressed, targets } = told;
        let measured = !definition.metric.is_empty();
        let alarm = Alarm {
            id,
            name: definition.name.clone(),
            source: SOURCE,
            transition,
            muted: suppressed || !definition.enabled,
            measurement: Measurement {
                metric: measured.then(|| definition.metric.clone()),
                value: None,
                threshold: measured.then_some(definition.threshold),
                side: Side::of_comparison(&definition.comparison),
                missing: false,
                window: definition.window(),
            },
            at: spoken_at(&definition, since, now),
            targets,
            topic: None,
            account: None,
        };
        let pair = is_a_pair(&definition, &alarm.targets).then(|| SeenAlarm::cloudwatch(definition, true));
        Self { alarm, since, pair }
    }
}

/// When an alarm's state was last found to be so: at its last evaluation, up to a period ago. Where that
/// cannot be told, because it keeps its state without data or measures nothing itself, only the moment
/// counts at which it took its state.
fn spoken_at(alarm: &CloudwatchAlarm, since: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let period = SignedDuration::from_secs(i64::from(alarm.period));
    if alarm.missing_data == "ignore" || !period.is_positive() {
        return since;
    }
    now.checked_sub(period).ok()
}

/// Whether it is the paired alarm of the very target that it speaks of: by its marker and by its name.
fn is_a_pair(alarm: &CloudwatchAlarm, targets: &[TargetId]) -> bool {
    Marker::read(&alarm.description).is_some_and(|marker| {
        let own =
            |target: &TargetId| marker.target == target.id && alarm.name == pair_name(target, marker.pair);
        matches!(targets, [only] if own(only))
    })
}

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

    fn standing(number: i64, fires: bool) -> ActiveAlarm {
        let name = format!("alarm-{number:04}");
        let definition = CloudwatchAlarm { name: name.clone(), ..CloudwatchAlarm::default() };
        let pair = SeenAlarm::cloudwatch(definition, true);
        ActiveAlarm {
            alarm: Alarm {
                id: String::new(),
                name,
                source: "test",
                transition: if fires { Transition::Repeat } else { Transition::Cleared },
                muted: false,
                targets: vec![TargetId::sagemaker_variant(&format!("e{number}"), "v")],
                measurement: Measurement::default(),
                at: None,
                topic: None,
                account: None,
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

    fn told() -> AlarmState {
        AlarmState {
            id: "arn".to_owned(),
            transition: Transition::Repeat,
            since: Timestamp::from_second(1_000).ok(),
            suppressed: false,
            targets: vec![TargetId::sagemaker_variant("churn", "v")],
        }
    }

    fn low_alarm() -> CloudwatchAlarm {
        CloudwatchAlarm {
            name: "stepladder/endpoint/churn/variant/v/low".to_owned(),
            description: "x\nstepladder: pair=low target=endpoint/churn/variant/v config=c shape=s"
                .to_owned(),
            metric: "CPUUtilization".to_owned(),
            period: 60,
            evaluation_periods: 5,
            missing_data: "missing".into(),
            enabled: true,
            ..CloudwatchAlarm::default()
        }
    }

    #[test]
    fn an_alarm_speaks_as_of_its_last_evaluation_where_that_can_be_told() {
        let at = |definition| ActiveAlarm::new(definition, told(), minute(100)).alarm.at;
        // evaluated every minute
        assert_eq!(at(low_alarm()), Some(minute(99)));
        // keeps its state when the metric stops: only when it took the state is sure
        let keeps = CloudwatchAlarm { missing_data: "ignore".into(), ..low_alarm() };
        assert_eq!(at(keeps), told().since);
        // a composite alarm evaluates nothing itself
        assert_eq!(at(CloudwatchAlarm { period: 0, ..low_alarm() }), told().since);
    }

    #[test]
    fn a_pair_is_known_by_its_marker_and_its_name_and_its_target() {
        let is_a_pair = |definition, told| ActiveAlarm::new(definition, told, minute(0)).pair.is_some();
        assert!(is_a_pair(low_alarm(), told()));
        // copied with its description, under another name
        let copied = CloudwatchAlarm { name: "churn_low".to_owned(), ..low_alarm() };
        assert!(!is_a_pair(copied, told()));
        // pointed at another variant
        let elsewhere = AlarmState { targets: vec![TargetId::sagemaker_variant("churn", "w")], ..told() };
        assert!(!is_a_pair(low_alarm(), elsewhere));
        // no marker
        assert!(!is_a_pair(CloudwatchAlarm { description: "x".to_owned(), ..low_alarm() }, told()));
    }

    #[test]
    fn what_is_switched_off_or_suppressed_is_muted() {
        let muted = |definition, told| ActiveAlarm::new(definition, told, minute(0)).alarm.muted;
        assert!(!muted(low_alarm(), told()));
        assert!(muted(CloudwatchAlarm { enabled: false, ..low_alarm() }, told()));
        assert!(muted(low_alarm(), AlarmState { suppressed: true, ..told() }));
    }

    #[test]
    fn other_peoples_alarms_at_rest_are_nobodys_business() {
        let quiet = ActiveAlarm { pair: None, ..standing(1, false) };
        assert!(due(&tick(), vec![quiet], minute(0)).is_empty());
    }
}
