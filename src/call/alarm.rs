//! Alarms in full: what is set when one is created or written anew, in its own cloud's terms.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::{Deserialize, Serialize};

/// A word of an API: one of a few, and mostly one that is known here.
pub type Word = Cow<'static, str>;

/// An alarm in full, in its own cloud's terms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmDefinition {
    /// OCI Monitoring.
    Oci(OciAlarm),
    /// CloudWatch.
    Cloudwatch(CloudwatchAlarm),
}

impl AlarmDefinition {
    /// The alarm's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Oci(alarm) => &alarm.name,
            Self::Cloudwatch(alarm) => &alarm.name,
        }
    }

    /// What it notifies: topic OCIDs, or ARNs.
    pub fn notifies(&self) -> &[String] {
        match self {
            Self::Oci(alarm) => &alarm.destinations,
            Self::Cloudwatch(alarm) => &alarm.actions,
        }
    }
}

/// The alarm in one line: its name and when it fires.
impl fmt::Display for AlarmDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oci(alarm) => alarm.fmt(f),
            Self::Cloudwatch(alarm) => alarm.fmt(f),
        }
    }
}

impl fmt::Display for OciAlarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.name, self.query)
    }
}

impl fmt::Display for CloudwatchAlarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, metric, statistic, comparison, threshold, .. } = self;
        write!(f, "`{name}`: {statistic} {metric} {comparison} {threshold}")
    }
}

/// What `CreateAlarm` and `UpdateAlarm` set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OciAlarm {
    /// `displayName`. Not unique: an alarm of ours is known by its tags.
    pub name: String,
    /// `compartmentId`: where the alarm lives.
    pub compartment: String,
    /// `metricCompartmentId`: where the measured resource lives.
    pub metric_compartment: String,
    /// The metric's namespace.
    pub namespace: Word,
    /// The MQL query with its threshold.
    pub query: String,
    /// `CRITICAL`, `ERROR`, `WARNING` or `INFO`.
    pub severity: Word,
    /// Topic OCIDs.
    pub destinations: Vec<String>,
    /// `repeatNotificationDuration`, ISO 8601.
    pub repeat: Option<String>,
    /// `pendingDuration`, ISO 8601: how long the condition must hold before it fires.
    #[serde(default)]
    pub pending: Option<Word>,
    /// `isEnabled`.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// `body`: what a person reads in the message.
    pub body: Option<String>,
    /// `freeformTags`: carry the marker that makes the alarm ours.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

impl OciAlarm {
    /// Whether it is set as another one is. A service may write a duration its own way, so they count by length.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.clone().spelled_like(other) == *other
    }

    /// The same alarm; durations that are as long as the other's are written as they are there.
    #[must_use]
    pub fn spelled_like(mut self, other: &Self) -> Self {
        if as_long(self.repeat.as_deref(), other.repeat.as_deref()) {
            self.repeat.clone_from(&other.repeat);
        }
        if as_long(self.pending.as_deref(), other.pending.as_deref()) {
            self.pending.clone_from(&other.pending);
        }
        self
    }
}

/// How long an ISO 8601 duration is; `P1D` is 24 hours.
fn length(duration: Option<&str>) -> Option<SignedDuration> {
    let span: Span = duration?.parse().ok()?;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()
}

fn as_long(one: Option<&str>, other: Option<&str>) -> bool {
    length(one).is_some_and(|long| length(other) == Some(long))
}

/// What `PutMetricAlarm` sets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CloudwatchAlarm {
    /// Unique per region.
    pub name: String,
    /// For people, and a last line that makes the alarm ours.
    pub description: String,
    /// The metric's namespace.
    pub namespace: Word,
    /// The metric's name. Empty for alarms on metric math, which are never ours.
    pub metric: String,
    /// `Average`, `Maximum`, …
    pub statistic: Word,
    /// Name to value.
    pub dimensions: BTreeMap<Word, String>,
    /// In seconds.
    pub period: i32,
    /// How many periods in a row.
    pub evaluation_periods: i32,
    /// The threshold.
    pub threshold: f64,
    /// `LessThanThreshold`, …
    pub comparison: Word,
    /// `missing`, `breaching`, …
    pub missing_data: Word,
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

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeating(repeat: Option<&str>) -> OciAlarm {
        OciAlarm {
            name: "busy".to_owned(),
            compartment: String::new(),
            metric_compartment: String::new(),
            namespace: Word::default(),
            query: String::new(),
            severity: Word::default(),
            destinations: Vec::new(),
            repeat: repeat.map(str::to_owned),
            pending: Some("PT1M".into()),
            enabled: true,
            body: None,
            tags: BTreeMap::new(),
        }
    }

    #[test]
    fn durations_count_by_their_length() {
        let rows = [
            // as it was written
            (Some("PT5M"), Some("PT5M"), true),
            // as a service may write it
            (Some("PT60M"), Some("PT1H"), true),
            (Some("PT1440M"), Some("P1D"), true),
            (Some("PT5M"), Some("PT300S"), true),
            // another length
            (Some("PT5M"), Some("PT5H"), false),
            // none at all repeats never
            (Some("PT5M"), None, false),
            (None, None, true),
            // what is no duration is the same only as itself
            (Some("soon"), Some("soon"), true),
            (Some("soon"), Some("later"), false),
        ];
        for (one, other, same) in rows {
            let (one, other) = (repeating(one), repeating(other));
            assert_eq!(one.says_the_same(&other), same, "{:?} and {:?}", one.repeat, other.repeat);
            assert_eq!(other.says_the_same(&one), same, "{:?} and {:?}", other.repeat, one.repeat);
        }
        let louder = OciAlarm { severity: "ERROR".into(), ..repeating(None) };
        assert!(!louder.says_the_same(&repeating(None)));
    }
}
