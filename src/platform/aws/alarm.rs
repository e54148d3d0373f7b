//! CloudWatch alarms: their whole definition, and their state as an alarm that a tick evaluates.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::compared::{self, Compared, ComparedMetric, Operand};
use super::id;
use super::named::{Named, Names, Naming};
use super::state_reason::StateReason;
use super::variant::{self, Marker};
use crate::alarm::{Alarm, Coverage, Measurement, Reported, Side, Subject, TICK_SOURCE, Transition};
use crate::pair::pair_name;
use crate::platform::{ActiveAlarm, ApiWord};
use crate::target::TargetId;
use crate::text::number;

/// CloudWatch's word for periods without data that count as beyond the threshold.
pub const BREACHING: &str = "breaching";

/// The definition of an alarm: all that `PutMetricAlarm` sets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CloudwatchAlarm {
    /// Unique per region.
    pub name: String,
    /// Text for operators. The last line is the marker of stepladder's own alarms.
    pub description: String,
    /// The metric's namespace.
    pub namespace: ApiWord,
    /// The metric's name. Empty for alarms on metric math, which are never ours.
    pub metric: String,
    /// `Average`, `Maximum`, `p90`, …
    pub statistic: ApiWord,
    /// Their values by their names.
    pub dimensions: BTreeMap<ApiWord, String>,
    /// The length of a period, in seconds.
    pub period: i32,
    /// The number of most recent periods that are evaluated.
    pub evaluation_periods: i32,
    /// The threshold.
    pub threshold: f64,
    /// `LessThanThreshold`, …
    pub comparison: ApiWord,
    /// `missing`, `breaching`, …
    pub missing_data: ApiWord,
    /// The ARNs that the alarm notifies when it fires.
    pub actions: Vec<String>,
    /// Whether its actions are enabled.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// How many of the periods must breach; `None` for all of them.
    #[serde(default)]
    pub datapoints: Option<i32>,
    /// The metric's unit; `None` for any.
    #[serde(default)]
    pub unit: Option<String>,
    /// What an alarm on metric math compares; `None` for an alarm on one metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub math: Option<MetricMath>,
}

/// What an alarm on metric math compares.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricMath {
    /// The expression, or that of the band.
    pub expression: String,
    /// The metric, where all that it is over are of one name.
    #[serde(default)]
    pub metric: Option<String>,
}

impl CloudwatchAlarm {
    /// How far back the evaluated data reaches: period × evaluation periods.
    pub fn window(&self) -> Option<SignedDuration> {
        let period = SignedDuration::from_secs(i64::from(self.period));
        period.checked_mul(self.evaluation_periods).filter(SignedDuration::is_positive)
    }

    /// How many datapoints have to cross the threshold.
    fn needed(&self) -> Option<u32> {
        u32::try_from(self.datapoints.unwrap_or(self.evaluation_periods)).ok()
    }

    /// What it measures, by its definition: without a value. A comparison that fires on both sides has the side of the
    /// alarm's state, where that is known.
    pub fn measurement(&self, side_of_state: Option<Side>) -> Measurement {
        let operand = self.operand();
        let is_metric = matches!(operand, Operand::Metric(_));
        let period = SignedDuration::from_secs(i64::from(self.period));
        let threshold = is_metric.then_some(self.threshold);
        let side = comparison_side(&self.comparison).or(side_of_state);
        let of_math = self.math.as_ref().and_then(|math| math.metric.clone());
        Measurement {
            metric: if is_metric { Some(self.metric.clone()) } else { of_math },
            condition: Compared { operand, side, threshold, value: None }.condition(),
            coverage: Coverage::Full,
            statistic: compared::statistic(&self.statistic).filter(|_| is_metric),
            period: Some(period).filter(|period| is_metric && period.is_positive()),
            window: self.window(),
            since: None,
            reported: Reported { value: None, threshold },
        }
    }

    fn operand(&self) -> Operand<'_> {
        match &self.math {
            Some(math) if compared::is_band(&math.expression) => Operand::Band,
            Some(math) => Operand::Expression(&math.expression),
            None if self.metric.is_empty() => Operand::Nothing,
            None => Operand::Metric(ComparedMetric {
                name: &self.metric,
                statistic: compared::statistic(&self.statistic),
                period: Some(SignedDuration::from_secs(i64::from(self.period))),
                dimensions: self.dimensions.keys().map(AsRef::as_ref).collect(),
            }),
        }
    }
}

impl CloudwatchAlarm {
    /// What the alarm names, by its own dimensions or by its description.
    pub fn named(&self) -> Named {
        let [endpoint, variant] = ["EndpointName", "VariantName"].map(|name| self.dimensions.get(name));
        let (endpoint, variant) = (endpoint.map(String::as_str), variant.map(String::as_str));
        let metric = Names { endpoint, variant, account: None };
        Naming { metrics: &[metric], description: &self.description, ..Naming::default() }.read()
    }
}

impl fmt::Display for CloudwatchAlarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, metric, statistic, comparison, threshold, .. } = self;
        write!(f, "`{name}`: {statistic} {metric} {comparison} {}", number(*threshold))?;
        if self.missing_data == BREACHING { f.write_str(", missing data is breaching") } else { Ok(()) }
    }
}

/// The state of an alarm, as CloudWatch reports it.
#[derive(Debug)]
pub struct AlarmState {
    /// Its ARN, or its name.
    pub id: String,
    /// Its state as a transition: a repeat if it is firing.
    pub transition: Transition,
    /// When it entered that state.
    pub since: Option<Timestamp>,
    /// Whether its actions are suppressed.
    pub suppressed: bool,
    /// Why it entered that state.
    pub reason: StateReason,
    /// Its evaluation state, such as `PARTIAL_DATA`; `None` where CloudWatch reports none.
    pub evaluation: Option<String>,
    /// What it names.
    pub named: Named,
}

/// A CloudWatch alarm, as if it had notified stepladder now; `None` where CloudWatch does not allow its name.
pub fn active(definition: &CloudwatchAlarm, state: AlarmState, now: Timestamp) -> Option<ActiveAlarm> {
    let AlarmState { id, transition, since, suppressed, reason, evaluation, named } = state;
    let Named { targets, foreign_account } = named;
    let coverage = reason.coverage_in(evaluation.as_deref(), definition.needed()).unwrap_or_default();
    let at = evaluated_at(definition, since, now);
    let dimensions: BTreeMap<String, String> =
        definition.dimensions.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
    let dimensions = Some(dimensions).filter(|all| !all.is_empty());
    let alarm = Alarm {
        id,
        name: id::alarm_name(&definition.name)?,
        source: TICK_SOURCE,
        transition,
        muted: suppressed || !definition.enabled,
        measurement: Measurement { coverage, ..definition.measurement(reason.side()) },
        at,
        evidence: at.into(),
        targets,
        unknown_targets: Vec::new(),
        is_titled: false,
        subject: Subject { dimensions: dimensions.into_iter().collect(), foreign_account },
        topic: None,
        account: None,
    };
    let pair = is_a_pair(definition, &alarm.targets).then(|| variant::observed(definition, true));
    Some(ActiveAlarm { alarm, since, pair })
}

/// When an alarm's state was last confirmed: at its last evaluation, up to one period ago. An alarm that keeps its
/// state without data, or that has no metric, may not have been evaluated since. For these, only the time counts at
/// which they entered the state.
fn evaluated_at(alarm: &CloudwatchAlarm, since: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let period = SignedDuration::from_secs(i64::from(alarm.period));
    if alarm.missing_data == "ignore" || !period.is_positive() {
        return since;
    }
    now.checked_sub(period).ok()
}

/// Whether it is the paired alarm of the only target that it names: by its marker and by its name.
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

    fn state() -> AlarmState {
        AlarmState {
            id: "arn".to_owned(),
            transition: Transition::Repeat,
            since: Timestamp::from_second(1_000).ok(),
            suppressed: false,
            reason: StateReason::default(),
            evaluation: None,
            named: names("v"),
        }
    }

    fn names(variant: &str) -> Named {
        Named { targets: vec![id::variant("churn", variant).unwrap()], foreign_account: None }
    }

    fn pair_alarm() -> CloudwatchAlarm {
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
    fn the_evidence_is_as_old_as_the_last_evaluation_where_that_is_known() {
        let at = |definition: CloudwatchAlarm| active(&definition, state(), minute(100)).unwrap().alarm.at;
        // evaluated every minute
        assert_eq!(at(pair_alarm()), Some(minute(99)));
        // keeps its state when the metric stops: only the time of the last transition is certain
        let keeps = CloudwatchAlarm { missing_data: "ignore".into(), ..pair_alarm() };
        assert_eq!(at(keeps), state().since);
        // a composite alarm evaluates nothing itself
        assert_eq!(at(CloudwatchAlarm { period: 0, ..pair_alarm() }), state().since);
    }

    #[test]
    fn a_pair_is_identified_by_its_marker_its_name_and_its_target() {
        let is_a_pair = |definition: CloudwatchAlarm, state| {
            active(&definition, state, minute(0)).unwrap().pair.is_some()
        };
        assert!(is_a_pair(pair_alarm(), state()));
        // copied with its description, under another name
        let copied = CloudwatchAlarm { name: "churn_low".to_owned(), ..pair_alarm() };
        assert!(!is_a_pair(copied, state()));
        // pointed at another variant
        let elsewhere = AlarmState { named: names("w"), ..state() };
        assert!(!is_a_pair(pair_alarm(), elsewhere));
        // no marker
        assert!(!is_a_pair(CloudwatchAlarm { description: "x".to_owned(), ..pair_alarm() }, state()));
    }

    #[test]
    fn what_is_switched_off_or_suppressed_is_muted() {
        let muted =
            |definition: CloudwatchAlarm, state| active(&definition, state, minute(0)).unwrap().alarm.muted;
        assert!(!muted(pair_alarm(), state()));
        assert!(muted(CloudwatchAlarm { enabled: false, ..pair_alarm() }, state()));
        assert!(muted(pair_alarm(), AlarmState { suppressed: true, ..state() }));
    }
}
