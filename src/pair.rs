//! The paired alarm: the scale-down alarm that removes what a rule has added.

use std::fmt;

use jiff::SignedDuration;

use crate::scaling::ScalingPolicy;
use crate::target::TargetId;

/// The scale-down alarm that removes what a rule adds.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Its name, or the last part of it where names are unique per region.
    pub alarm: String,
    /// The metric, in any platform's spelling.
    pub metric: String,
    /// It fires below this: percent of the capacity, or so much a minute of what is counted.
    pub below: f64,
    /// How long it must stay below.
    pub window: SignedDuration,
    /// How often it notifies again, where the service can repeat.
    pub repeat: SignedDuration,
    /// How far it scales down.
    pub scaling_policy: ScalingPolicy,
}

impl Pair {
    /// The name under which the alarm of one target is kept where names are unique per region.
    pub fn name_for(&self, target: &TargetId) -> String {
        pair_name(target, &self.alarm)
    }

    /// Whether it is about this metric, in any spelling.
    pub fn is_on(&self, metric: &str) -> bool {
        self.metric.eq_ignore_ascii_case(metric)
    }
}

/// The beginning of every paired alarm's name where names are unique per region.
pub const PAIR_PREFIX: &str = "stepladder/";

/// The name of a paired alarm of a target where names are unique per region.
pub fn pair_name(target: &TargetId, pair: &str) -> String {
    [PAIR_PREFIX, target.as_str(), "/", pair].concat()
}

/// Whether an alarm has a name that only paired alarms of a target have.
pub fn is_pair_name(alarm: &str, target: &TargetId) -> bool {
    let rest = alarm.strip_prefix(PAIR_PREFIX).and_then(|rest| rest.strip_prefix(target.as_str()));
    rest.is_some_and(|rest| rest.starts_with('/'))
}

/// The threshold of the scale-up alarm, as its pair records it: by this the pair knows what would undo its step down when
/// it fires itself.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaleUpThreshold {
    /// The metric of both alarms, as its platform spells it.
    pub metric: String,
    /// The scale-up alarm fires above this, in the metric's own unit.
    pub above: f64,
}

/// The thresholds that are recorded: no metric has a million million, or a millionth.
const SMALLEST: f64 = 1e-6;
const LARGEST: f64 = 1e12;

/// The longest name of a metric: CloudWatch's limit.
const LONGEST_METRIC: usize = 255;

impl ScaleUpThreshold {
    /// A threshold; `None` where it is no plain number above zero.
    pub fn new(metric: &str, above: f64) -> Option<Self> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let named = (1..=LONGEST_METRIC).contains(&metric.len()) && metric.chars().all(is_plain);
        let is_number = (SMALLEST..=LARGEST).contains(&above);
        (named && is_number).then(|| Self { metric: metric.to_owned(), above })
    }

    /// Reads a record; `None` for what stepladder would not have written.
    ///
    /// ```
    /// use stepladder::pair::ScaleUpThreshold;
    /// let recorded = ScaleUpThreshold::read("CPUUtilization:320").unwrap();
    /// assert_eq!((recorded.metric.as_str(), recorded.above), ("CPUUtilization", 320.0));
    /// assert_eq!(recorded.to_string(), "CPUUtilization:320");
    /// assert_eq!(ScaleUpThreshold::read("CPUUtilization:-1"), None);
    /// ```
    pub fn read(text: &str) -> Option<Self> {
        let (metric, above) = text.split_once(':')?;
        let read = Self::new(metric, above.parse().ok()?)?;
        (read.to_string() == text).then_some(read)
    }
}

/// The record.
impl fmt::Display for ScaleUpThreshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.metric, self.above)
    }
}
