//! The paired alarm: the scale-down alarm that removes what a rule has added.

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
    /// It fires below this: percent of the capacity.
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
