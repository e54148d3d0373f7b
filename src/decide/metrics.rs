//! What the metrics of a deployment read: the alarm's own report where it is the metric's own, or else the observation.

use crate::alarm::{Comparison, Coverage, Measurement};
use crate::ladder::{Resource, Rung};
use crate::platform::target::{self, Target};
use crate::policy::Role;
use crate::scaling::ScalingPolicy;
use crate::size::{Axis, Direction};

use super::evaluation::direction_of;
use super::{Context, Evaluation, Hold};

/// One metric and its latest value.
pub(super) struct Reading<'a> {
    /// The metric, as the alarm or the policy spells it.
    pub(super) metric: &'a str,
    /// Its value, in the metric's own unit.
    pub(super) value: f64,
}

impl Evaluation<'_> {
    /// The metrics that the observation must read: the rule needs them, and the alarm does not report them. The alarm's
    /// own metric is spelled as the alarm spells it, every other as its platform does.
    pub fn metrics_to_read(&self) -> Vec<&str> {
        if !self.alarm.transition.is_firing() {
            return Vec::new();
        }
        match self.matched.scaling_policy() {
            ScalingPolicy::Step(step) if *step > 0 => Vec::new(),
            // Whether a step down would flap depends on the value, too.
            ScalingPolicy::Step(_) | ScalingPolicy::Steps(_) | ScalingPolicy::Track(_) => {
                let own = self.metric().filter(|_| self.reported_value().is_none());
                own.into_iter().chain(self.loads_to_read()).collect()
            }
            ScalingPolicy::Cheapest => {
                let utilization = target::of(self.target.kind()).map_or([""; 2], |target| target.utilization);
                let is_reported = |metric: &str| self.reported_value().is_some() && self.is_about(metric);
                let needed = utilization.into_iter().filter(|metric| !metric.is_empty());
                needed.filter(|metric| !is_reported(metric)).collect()
            }
        }
    }

    /// The metrics of every other resource, which a smaller shape must have enough of, too.
    fn loads_to_read(&self) -> Vec<&str> {
        if self.matched.rule.axis != Axis::Shape || self.likely_direction() == Some(Direction::Up) {
            return Vec::new();
        }
        let target = target::of(self.target.kind()).into_iter();
        target.flat_map(Target::utilizations).filter(|metric| !self.is_about(metric)).collect()
    }

    /// The metric that the alarm is about: the alarm's own, or that of the pair it belongs to.
    pub(super) fn metric(&self) -> Option<&str> {
        let pair = self.matched.rule.pair.as_ref().filter(|_| self.matched.role == Role::Pair);
        let of_pair = pair.map(|pair| pair.metric.as_str());
        self.alarm.measurement.metric.as_deref().or(of_pair)
    }

    /// Whether the alarm is about this metric.
    fn is_about(&self, metric: &str) -> bool {
        self.metric().is_some_and(|own| own.eq_ignore_ascii_case(metric))
    }

    /// The value of the metric that the alarm reports for this deployment; `None` where it compares anything but the
    /// plain metric. An alarm with several targets reports the worst of them without its name, which is no value of
    /// this one.
    fn reported_value(&self) -> Option<f64> {
        let Measurement { coverage, .. } = self.alarm.measurement;
        let is_this_deployments = coverage != Coverage::Nothing && self.alarm.names_one();
        let value = self.alarm.measurement.comparison()?.value;
        value.filter(|value| is_this_deployments && value.is_finite())
    }
}

impl<'a> Context<'a> {
    /// The plain comparison of the alarm's metric: as the alarm reports it, or else as its service defines it.
    pub(super) fn comparison(&self) -> Option<&'a Comparison> {
        let reported = self.evaluation.alarm.measurement.comparison();
        reported.or_else(|| self.defined()?.comparison())
    }

    /// The direction that the alarm requests, by its report or else by its definition.
    pub(super) fn alarm_direction(&self) -> Option<Direction> {
        self.evaluation.alarm_direction().or_else(|| self.defined_direction())
    }

    /// The direction that the alarm's own comparison requests, by its report or else by its definition.
    pub(super) fn compared_direction(&self) -> Option<Direction> {
        self.evaluation.compared_direction().or_else(|| self.defined_direction())
    }

    fn defined_direction(&self) -> Option<Direction> {
        self.defined()?.side().map(direction_of)
    }

    /// What the alarm measures by its definition, where that is the metric that it reports.
    fn defined(&self) -> Option<&'a Measurement> {
        let defined = &self.observed.alarm.as_ref()?.measurement;
        defined.metric.as_deref().is_some_and(|metric| self.evaluation.is_about(metric)).then_some(defined)
    }

    /// The value of a metric, in its own unit; `None` where neither the alarm nor the observation has one.
    pub(super) fn value(&self, metric: &str) -> Option<f64> {
        let reported = self.evaluation.reported_value().filter(|_| self.evaluation.is_about(metric));
        let mut readings = self.observed.readings.iter();
        let read = readings.find(|(name, _)| name.eq_ignore_ascii_case(metric)).map(|(_, value)| *value);
        let is_silent = || !self.evaluation.alarm.measurement.coverage.is_full() && self.silence_is_low();
        let silent = || self.evaluation.is_about(metric).then_some(0.0).filter(|_| is_silent());
        reported.or(read).or_else(silent).filter(|value| value.is_finite() && *value >= 0.0)
    }

    /// Whether anything was measured of the utilization that the alarm is about. What compares it otherwise than plainly
    /// may fire without data, as `FILL(m1, 0)` does, or on the other side, as `100 - m1`: only its own value shows that.
    pub(super) fn is_measured(&self) -> bool {
        let utilization = self.evaluation.metric().filter(|metric| Resource::of(metric).is_some());
        self.comparison().is_some() || utilization.is_none_or(|metric| self.value(metric).is_some())
    }

    /// The value of the alarm's own metric, or a hold without data.
    pub(super) fn own_reading(&self) -> Result<Reading<'a>, Hold> {
        let metric = self.evaluation.metric().ok_or_else(|| Hold::NoData {
            missing: "the alarm does not report what it measures".to_owned(),
        })?;
        // The metric was read, because the alarm does not report it.
        let silent = || self.silence_is_low().then_some(0.0);
        let value = self.value(metric).or_else(silent).ok_or_else(|| no_value(metric))?;
        Ok(Reading { metric, value })
    }

    /// A value in percent of the capacity that exists; the value itself where the metric has no maximum. `None` where
    /// the maximum depends on a rung that is unknown.
    pub(super) fn percent_of_capacity(&self, reading: &Reading, rung: Option<&Rung>) -> Option<f64> {
        match self.target?.metric(reading.metric) {
            Some(metric) => metric.percent(reading.value, rung),
            None => Some(reading.value).filter(|_| Resource::of(reading.metric).is_none()),
        }
    }
}

/// The hold for a metric without a value.
pub(super) fn no_value(metric: &str) -> Hold {
    Hold::NoData { missing: format!("`{metric}` has no value, neither in the alarm nor in its service") }
}
