//! What was measured of one deployment: by the alarm where it tells, else by the look.

use crate::alarm::Side;
use crate::deployment::Deployment;
use crate::ladder::{Resource, Rung};
use crate::platform::target;
use crate::policy::Role;
use crate::scaling::ScalingPolicy;
use crate::size::Direction;

use super::{Evaluation, Hold};

impl Evaluation<'_> {
    /// The metrics that the look has to read: those that the rule needs and the alarm does not tell. Of the alarm's own
    /// metric the name as it spells it, of others as their platform does.
    pub fn readings(&self) -> Vec<&str> {
        if !self.alarm.transition.is_firing() {
            return Vec::new();
        }
        let metric = self.metric().filter(|_| self.told().is_none());
        match self.matched.scaling_policy() {
            ScalingPolicy::Steps(_) | ScalingPolicy::Track(_) => metric.into_iter().collect(),
            ScalingPolicy::Cheapest => {
                let both = target::of(self.target.kind()).map_or([""; 2], |target| target.utilization);
                let told = |metric: &&str| {
                    self.told().is_some() && self.metric().is_some_and(|own| own.eq_ignore_ascii_case(metric))
                };
                both.into_iter().filter(|metric| !metric.is_empty() && !told(metric)).collect()
            }
            ScalingPolicy::Step(_) => Vec::new(),
        }
    }

    /// What the alarm is about.
    pub(super) fn metric(&self) -> Option<&str> {
        let of_the_pair = || {
            let pair = self.matched.rule.pair.as_ref().filter(|_| self.matched.role == Role::Pair);
            pair.map(|pair| pair.metric.as_str())
        };
        self.alarm.measurement.metric.as_deref().or_else(of_the_pair)
    }

    /// The value that the alarm tells of this deployment. Of several targets it tells the worst, whichever that is.
    fn told(&self) -> Option<f64> {
        self.alarm
            .measurement
            .value
            .filter(|value| !self.alarm.measurement.missing && self.alarm.names_one() && value.is_finite())
    }

    /// Which way an alarm asks for, where it tells: one that fires above its threshold never takes anything away.
    pub(super) fn asks(&self) -> Option<Direction> {
        if self.matched.role == Role::Pair {
            return Some(Direction::Down);
        }
        self.alarm.measurement.side.map(|side| match side {
            Side::Above => Direction::Up,
            Side::Below => Direction::Down,
        })
    }

    /// Whether it may ask for more, so that somebody may be about to need the pair.
    pub(crate) fn may_ask_for_more(&self) -> bool {
        match self.matched.role {
            Role::ReconcileOnly | Role::Pair => false,
            Role::Rule => match self.matched.direction() {
                Some(direction) => direction == Direction::Up,
                None => self.asks() != Some(Direction::Down),
            },
        }
    }
}

/// What a metric reads of this deployment, in its own unit.
pub(super) fn value(evaluation: &Evaluation, seen: &Deployment, metric: &str) -> Option<f64> {
    let own = evaluation.metric().is_some_and(|own| own.eq_ignore_ascii_case(metric));
    let read =
        || seen.readings.iter().find(|(name, _)| name.eq_ignore_ascii_case(metric)).map(|(_, value)| *value);
    evaluation.told().filter(|_| own).or_else(read).filter(|value| value.is_finite() && *value >= 0.0)
}

/// What the alarm's own metric reads, or why nobody knows.
pub(super) fn measured<'a>(evaluation: &'a Evaluation, seen: &Deployment) -> Result<(&'a str, f64), Hold> {
    let missing = |missing: String| Hold::NoData { missing };
    let metric =
        evaluation.metric().ok_or_else(|| missing("the alarm does not tell what it measures".to_owned()))?;
    let value = value(evaluation, seen, metric)
        .ok_or_else(|| missing(format!("`{metric}` has no value, neither in the alarm nor by a look")))?;
    Ok((metric, value))
}

/// A value in percent of the capacity that there is; a metric without an end as it is. `None` where only a rung that is
/// on no ladder would tell.
pub(super) fn percent(evaluation: &Evaluation, metric: &str, value: f64, rung: Option<&Rung>) -> Option<f64> {
    let target = target::of(evaluation.target.kind())?;
    match (target.full)(metric, rung) {
        Some(full) => Some(value / full * 100.0),
        None if Resource::of(metric).is_none() => Some(value),
        None => None,
    }
}
