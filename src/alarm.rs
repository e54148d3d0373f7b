//! What happened, in our words: the one shape that every alarm source is read into.
//!
//! Knows no cloud's field names and decides nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::target::TargetId;

/// The source of alarms that no payload brought, in decision records: they were read as they are now.
pub const TICK_SOURCE: &str = "tick";

/// The name of the alarm that requests the floor of a deployment's schedule, and for nothing else.
pub const SCHEDULE_ALARM: &str = "stepladder_schedule";

/// One alarm's notice about one or more deployments.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    /// The platform's own id of the alarm. Empty when the payload has none.
    pub id: String,
    /// The name that rules match on.
    pub name: AlarmName,
    /// Whether the name is the title of the message, which may be another text than the alarm's own name.
    pub is_titled: bool,
    /// Which shape of payload it came in: the name of a row of [`crate::source::SOURCES`].
    pub source: &'static str,
    /// The change of the alarm's state.
    pub transition: Transition,
    /// Whether its actions are muted or suppressed. Then it reaches only services that receive changes of state.
    pub muted: bool,
    /// The targets that it names, each once.
    pub targets: Vec<TargetId>,
    /// What it names besides, and stepladder cannot resize, as the payload spells it.
    pub unknown_targets: Vec<String>,
    /// What it measures, as its service identifies it.
    pub subject: Subject,
    /// What was measured.
    pub measurement: Measurement,
    /// When the alarm changed state or repeated, for records; `None` when the payload does not report it.
    pub at: Option<Timestamp>,
    /// When the data ends that it was evaluated on. Decides whether the evidence is newer than the last change.
    pub evidence: EvidenceTime,
    /// The topic that it came through: empty when its envelope does not name it, `None` when it came through no known
    /// topic.
    pub topic: Option<String>,
    /// The account that it belongs to: empty when the payload has none, `None` where alarms name no account.
    pub account: Option<String>,
}

impl Alarm {
    /// Whether it names one thing and no other, so that its value is that of this one. Of several it is the value of
    /// the worst.
    pub fn names_one(&self) -> bool {
        self.targets.len() + self.unknown_targets.len() == 1
    }

    /// Every target; and `None` once, where it names none, or something besides that is none.
    pub fn evaluated_targets(&self) -> Vec<Option<&TargetId>> {
        let unknown = self.targets.is_empty() || !self.unknown_targets.is_empty();
        self.targets.iter().map(Some).chain(unknown.then_some(None)).collect()
    }
}

/// The longest alarm name in bytes: CloudWatch's 255 characters of up to four bytes, and as much for a notification
/// title of OCI. A name is copied into every record.
pub const LONGEST_NAME: usize = 1024;

/// An alarm's name. Each platform makes its own, in its `id.rs`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct AlarmName(String);

impl AlarmName {
    /// A name; `None` where it is blank or longer than [`LONGEST_NAME`].
    pub fn new(name: &str) -> Option<Self> {
        let legal = !name.trim().is_empty() && name.len() <= LONGEST_NAME;
        legal.then(|| Self(name.to_owned()))
    }

    /// The name as its platform spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for AlarmName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AlarmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// When the data ends that an alarm was evaluated on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvidenceTime {
    /// At a moment of the payload.
    At(Timestamp),
    /// When the payload was received: its source repeats an alarm that still fires without a new time.
    OnReceipt,
    /// It is unknown. Such evidence is never newer than a change.
    Unknown,
}

impl EvidenceTime {
    /// The moment, for evidence that is received now. Evidence from the future is as good as today's.
    pub fn moment(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at.min(now)),
            Self::OnReceipt => Some(now),
            Self::Unknown => None,
        }
    }
}

/// The moment of a payload, if it has one.
impl From<Option<Timestamp>> for EvidenceTime {
    fn from(at: Option<Timestamp>) -> Self {
        at.map_or(Self::Unknown, Self::At)
    }
}

/// A change of an alarm's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transition {
    /// The threshold has just been crossed.
    Firing,
    /// It is still crossed: the alarm notifies again.
    Repeat,
    /// It is crossed no longer.
    Cleared,
    /// The metric has gone missing. Not zero and not fine.
    NoData,
    /// A person or the platform tests the path.
    Test,
}

impl Transition {
    /// Only for a breach that holds now the deployment is observed.
    pub fn is_firing(self) -> bool {
        matches!(self, Self::Firing | Self::Repeat)
    }
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Firing => "firing",
            Self::Repeat => "repeat",
            Self::Cleared => "cleared",
            Self::NoData => "no_data",
            Self::Test => "test",
        })
    }
}

/// What an alarm measures, as its service identifies it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Subject {
    /// The dimensions of the metrics or streams, by their names. They are shown, and decide nothing.
    pub dimensions: Vec<BTreeMap<String, String>>,
    /// The account that a metric of its targets belongs to, where that is not known to be the alarm's own.
    pub foreign_account: Option<String>,
}

/// The measurement: what an alarm compares, and what was measured, as far as its payload or its definition has it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measurement {
    /// The metric that it is about, as the cloud spells it.
    pub metric: Option<String>,
    /// What it compares, as far as decisions use it.
    pub condition: Condition,
    /// How much of the data that it needs was there.
    pub coverage: Coverage,
    /// How each datapoint was computed; `None` where the payload does not report it.
    pub statistic: Option<Statistic>,
    /// The length of a datapoint; `None` where the payload does not report it.
    pub period: Option<SignedDuration>,
    /// The time span of the data that the alarm was evaluated on: the interval of its query, or its period times its
    /// evaluation periods.
    pub window: Option<SignedDuration>,
    /// When the first of the evaluated datapoints begins, by their own moments; `None` where the payload has none.
    pub since: Option<Timestamp>,
    /// The numbers as the payload reports them. For people: a decision uses those of the condition.
    pub reported: Reported,
}

/// The numbers of a payload as people know them, in the alarm's own unit.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Reported {
    /// The latest value; with several streams the one furthest beyond the threshold.
    pub value: Option<f64>,
    /// The alarm's threshold.
    pub threshold: Option<f64>,
}

/// What an alarm compares.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Condition {
    /// One metric, by a statistic that a decision can use: the numbers are the metric's own.
    Plain(Comparison),
    /// One metric in another way: a band, a percentile of a utilization, one instance, one part of several. It fires
    /// on this side, and its numbers are no numbers of the metric.
    Sided(Side),
    /// Anything else: arithmetic, the absence of data, or nothing that the payload reports.
    #[default]
    Unknown,
}

/// A plain comparison of one metric. Its numbers have the unit that rules use: a sum is one over a minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// The alarm's threshold.
    pub threshold: f64,
    /// On which side of it the alarm fires.
    pub side: Side,
    /// The mean of the datapoints that the alarm was evaluated on; `None` where the payload has none.
    pub value: Option<f64>,
}

/// How much of the data that an alarm needs was there when it fired.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Coverage {
    /// As much as it needs, as far as the payload reports it.
    #[default]
    Full,
    /// Less than it needs.
    Partial,
    /// Nothing was measured: it fires because data is missing.
    Nothing,
}

/// How a datapoint is computed from what was measured in its period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statistic {
    /// The mean.
    Mean,
    /// The sum.
    Sum,
    /// The number of measurements.
    Count,
    /// Any other, as its service spells it: a percentile, the largest, the smallest.
    Other(String),
}

impl Measurement {
    /// The plain comparison, where it is one.
    pub fn comparison(&self) -> Option<&Comparison> {
        match &self.condition {
            Condition::Plain(comparison) => Some(comparison),
            Condition::Sided(_) | Condition::Unknown => None,
        }
    }

    /// The same measurement with the value of one datapoint in the alarm's own unit. Only a plain comparison has one.
    #[must_use]
    pub fn with_value(mut self, value: Option<f64>) -> Self {
        let minutes = minutes_of_a_sum(self.statistic.as_ref(), self.period);
        if let Condition::Plain(comparison) = &mut self.condition {
            comparison.value = value.map(|value| value / minutes);
        }
        self
    }

    /// On which side the alarm fires; `None` where that is unknown, or it fires on both.
    pub fn side(&self) -> Option<Side> {
        match self.condition {
            Condition::Plain(Comparison { side, .. }) | Condition::Sided(side) => Some(side),
            Condition::Unknown => None,
        }
    }
}

impl Condition {
    /// The same condition in the unit that rules use, for datapoints of this statistic over this period.
    #[must_use]
    pub fn per_minute(self, statistic: Option<&Statistic>, period: Option<SignedDuration>) -> Self {
        match self {
            Self::Plain(of) => {
                let minutes = minutes_of_a_sum(statistic, period);
                let value = of.value.map(|value| value / minutes);
                Self::Plain(Comparison { threshold: of.threshold / minutes, value, ..of })
            }
            Self::Sided(_) | Self::Unknown => self,
        }
    }
}

/// How many minutes a datapoint sums up; 1 where it is no sum, so that it stays as it is.
fn minutes_of_a_sum(statistic: Option<&Statistic>, period: Option<SignedDuration>) -> f64 {
    match (statistic, period) {
        (Some(Statistic::Sum | Statistic::Count), Some(period)) if period.is_positive() => {
            period.as_secs_f64() / 60.0
        }
        _ => 1.0,
    }
}

impl Coverage {
    /// Whether all the data was there that the alarm needs.
    pub fn is_full(self) -> bool {
        self == Self::Full
    }
}

/// On which side of its threshold an alarm fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Above it: there is too little of the deployment.
    Above,
    /// Below it: the deployment is larger than it needs to be.
    Below,
}
