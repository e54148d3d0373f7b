//! CloudWatch alarms in full: what is set when one is written.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::id;
use super::variant::{self, Marker};
use crate::alarm::{ASKED_FOR, Alarm, Measurement, Side, Transition};
use crate::pair::pair_name;
use crate::platform::{ActiveAlarm, ApiWord};
use crate::target::TargetId;

/// What `PutMetricAlarm` sets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CloudwatchAlarm {
    /// Unique per region.
    pub name: String,
    /// For people, and a last line that makes the alarm ours.
    pub description: String,
    /// The metric's namespace.
    pub namespace: ApiWord,
    /// The metric's name. Empty for alarms on metric math, which are never ours.
    pub metric: String,
    /// `Average`, `Maximum`, …
    pub statistic: ApiWord,
    /// Name to value.
    pub dimensions: BTreeMap<ApiWord, String>,
    /// In seconds.
    pub period: i32,
    /// How many periods in a row.
    pub evaluation_periods: i32,
    /// The threshold.
    pub threshold: f64,
    /// `LessThanThreshold`, …
    pub comparison: ApiWord,
    /// `missing`, `breaching`, …
    pub missing_data: ApiWord,
    /// What to notify on ALARM.
    pub actions: Vec<String>,
    /// Whether it notifies at all.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// How many of the periods must breach; `None` for all of them.
    #[serde(default)]
    pub datapoints: Option<i32>,
    /// The metric's unit; `None` for any.
    #[serde(default)]
    pub unit: Option<String>,
}

impl CloudwatchAlarm {
    /// How long the data reaches back that it is evaluated on: period × evaluation periods.
    pub fn window(&self) -> Option<SignedDuration> {
        let period = SignedDuration::from_secs(i64::from(self.period));
        period.checked_mul(self.evaluation_periods).filter(SignedDuration::is_positive)
    }
}

impl fmt::Display for CloudwatchAlarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, metric, statistic, comparison, threshold, .. } = self;
        write!(f, "`{name}`: {statistic} {metric} {comparison} {threshold}")
    }
}

/// What CloudWatch tells of an alarm's state.
#[derive(Debug)]
pub struct AlarmState {
    /// Its ARN, or its name.
    pub id: String,
    /// A repeat when it fires.
    pub transition: Transition,
    /// Since when it is in that state.
    pub since: Option<Timestamp>,
    /// Whether its actions are suppressed.
    pub suppressed: bool,
    /// The targets that it names.
    pub targets: Vec<TargetId>,
}

/// A CloudWatch alarm as if it had called now; `None` for one whose name no alarm has.
pub fn active(definition: CloudwatchAlarm, state: AlarmState, now: Timestamp) -> Option<ActiveAlarm> {
    let AlarmState { id, transition, since, suppressed, targets } = state;
    let is_measured = !definition.metric.is_empty();
    let at = evaluated_at(&definition, since, now);
    let alarm = Alarm {
        id,
        name: id::alarm_name(&definition.name)?,
        source: ASKED_FOR,
        transition,
        muted: suppressed || !definition.enabled,
        measurement: Measurement {
            metric: is_measured.then(|| definition.metric.clone()),
            value: None,
            threshold: is_measured.then_some(definition.threshold),
            side: comparison_side(&definition.comparison),
            missing: false,
            window: definition.window(),
        },
        at,
        evidence: at.into(),
        targets,
        unknown_targets: Vec::new(),
        topic: None,
        account: None,
    };
    let pair = is_a_pair(&definition, &alarm.targets).then(|| variant::observed(&definition, true));
    Some(ActiveAlarm { alarm, since, pair })
}

/// When an alarm's state was last found to be so: at its last evaluation, up to a period ago. Where that cannot be told,
/// because it keeps its state without data or measures nothing itself, only the moment counts at which it took its state.
fn evaluated_at(alarm: &CloudwatchAlarm, since: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let period = SignedDuration::from_secs(i64::from(alarm.period));
    if alarm.missing_data == "ignore" || !period.is_positive() {
        return since;
    }
    now.checked_sub(period).ok()
}

/// Whether it is the paired alarm of the very target that it names: by its marker and by its name.
fn is_a_pair(alarm: &CloudwatchAlarm, targets: &[TargetId]) -> bool {
    Marker::read(&alarm.description).is_some_and(|marker| {
        let own = |target: &TargetId| {
            marker.target == target.as_str() && alarm.name == pair_name(target, marker.pair)
        };
        matches!(targets, [only] if own(only))
    })
}

/// The side of a comparison as CloudWatch names it: `GreaterThanThreshold`, `LessThanLowerThreshold` and so on.
pub fn comparison_side(operator: &str) -> Option<Side> {
    if operator.starts_with("GreaterThan") {
        Some(Side::Above)
    } else if operator.starts_with("LessThan") {
        Some(Side::Below).filter(|_| !operator.contains("OrGreaterThan"))
    } else {
        None
    }
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(minutes: i64) -> Timestamp {
        Timestamp::from_second(minutes * 60).unwrap()
    }

    fn told() -> AlarmState {
        AlarmState {
            id: "arn".to_owned(),
            transition: Transition::Repeat,
            since: Timestamp::from_second(1_000).ok(),
            suppressed: false,
            targets: vec![id::variant("churn", "v").unwrap()],
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
        let at = |definition| active(definition, told(), minute(100)).unwrap().alarm.at;
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
        let is_a_pair = |definition, told| active(definition, told, minute(0)).unwrap().pair.is_some();
        assert!(is_a_pair(low_alarm(), told()));
        // copied with its description, under another name
        let copied = CloudwatchAlarm { name: "churn_low".to_owned(), ..low_alarm() };
        assert!(!is_a_pair(copied, told()));
        // pointed at another variant
        let elsewhere = AlarmState { targets: vec![id::variant("churn", "w").unwrap()], ..told() };
        assert!(!is_a_pair(low_alarm(), elsewhere));
        // no marker
        assert!(!is_a_pair(CloudwatchAlarm { description: "x".to_owned(), ..low_alarm() }, told()));
    }

    #[test]
    fn what_is_switched_off_or_suppressed_is_muted() {
        let muted = |definition, told| active(definition, told, minute(0)).unwrap().alarm.muted;
        assert!(!muted(low_alarm(), told()));
        assert!(muted(CloudwatchAlarm { enabled: false, ..low_alarm() }, told()));
        assert!(muted(low_alarm(), AlarmState { suppressed: true, ..told() }));
    }
}
