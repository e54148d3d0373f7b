//! Scaling policies: how far an alarm moves a deployment.

use std::fmt;

use crate::size::Direction;
use crate::text::number;

/// How far a rule goes.
#[derive(Debug, Clone, PartialEq)]
pub enum ScalingPolicy {
    /// So many instances, rungs or doublings; negative to scale down.
    Step(i32),
    /// By how far the metric is beyond the alarm's threshold.
    Steps(StepAdjustments),
    /// As far as it takes to bring the metric to this: percent of the capacity that there is.
    Track(f64),
    /// To the cheapest count and shape that carry the load.
    Cheapest,
}

impl ScalingPolicy {
    /// Its direction; `None` where only a measurement decides it.
    pub fn direction(&self) -> Option<Direction> {
        let adds = match self {
            Self::Step(step) => Some(*step > 0),
            Self::Steps(steps) => steps.adds(),
            Self::Track(_) | Self::Cheapest => None,
        };
        adds.map(|adds| if adds { Direction::Up } else { Direction::Down })
    }
}

impl fmt::Display for ScalingPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(step) => write!(f, "{step:+}"),
            Self::Steps(steps) => write!(f, "by {} step adjustments", steps.steps.len()),
            Self::Track(target) => write!(f, "to bring it to {}", number(*target)),
            Self::Cheapest => f.write_str("to the cheapest size"),
        }
    }
}

/// Step adjustments that are checked: they touch each other and do not overlap.
#[derive(Debug, Clone, PartialEq)]
pub struct StepAdjustments {
    /// From the lowest to the highest.
    pub steps: Vec<StepAdjustment>,
    /// The least that a percentage changes: `MinAdjustmentMagnitude`.
    pub min_step: u32,
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepAdjustment {
    /// Where it begins, measured from the threshold; `None` for no beginning.
    pub above: Option<f64>,
    /// Where it ends; `None` for no end.
    pub below: Option<f64>,
    /// What it changes.
    pub adjustment: Adjustment,
}

/// What a step changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adjustment {
    /// So many more, or fewer: `ChangeInCapacity`.
    Change(i32),
    /// So many percent of what there is: `PercentChangeInCapacity`.
    Percent(i32),
    /// To so many: `ExactCapacity`.
    Exact(u32),
}

impl StepAdjustments {
    /// Whether every step adds or changes nothing (`Some(true)`), removes or changes nothing (`Some(false)`), or
    /// neither is known before the measurement.
    pub fn adds(&self) -> Option<bool> {
        let signs = || self.steps.iter().map(|step| step.adjustment.sign());
        if signs().all(|sign| sign.is_some_and(|sign| sign >= 0)) {
            Some(true)
        } else if signs().all(|sign| sign.is_some_and(|sign| sign <= 0)) {
            Some(false)
        } else {
            None
        }
    }

    /// Whether rungs and doublings can be counted by them: a percentage of a ladder is nothing.
    pub(crate) fn are_plain(&self) -> bool {
        self.steps.iter().all(|step| matches!(step.adjustment, Adjustment::Change(_)))
    }
}

impl Adjustment {
    /// Its direction; `None` where it depends on the current count.
    fn sign(self) -> Option<i32> {
        match self {
            Self::Change(by) | Self::Percent(by) => Some(by.signum()),
            Self::Exact(_) => None,
        }
    }
}

impl fmt::Display for Adjustment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Change(by) => write!(f, "{by:+}"),
            Self::Percent(percent) => write!(f, "{percent:+}%"),
            Self::Exact(count) => write!(f, "to {count}"),
        }
    }
}
