//! One metric of a kind of target: where its platform publishes it, what its values mean, and what its silence means.

use crate::alarm::{Measurement, Statistic};
use crate::ladder::{Resource, Rung};

/// A metric that a platform publishes for one kind of target. The tables of them are in the platforms' folders.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Its name, as its platform spells it.
    pub name: &'static str,
    /// The namespace that it is published in.
    pub namespace: &'static str,
    /// The names of the dimensions that select it for one deployment.
    pub dimensions: &'static [&'static str],
    /// The statistic that decisions use, in the platform's own word: the mean of a utilization, the sum of a count.
    pub statistic: &'static str,
    /// Its range.
    pub range: Range,
    /// How its value depends on the number of instances.
    pub sharing: Sharing,
    /// What it means when it is not published.
    pub silence: Silence,
}

/// The range of a metric, and what it scales with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// 0 to 100.
    Percent,
    /// 0 to 100 × vCPUs.
    Vcpus,
    /// 0 to 100 × GPUs.
    Gpus,
    /// Unbounded: a count or a duration.
    Open,
}

/// How the value of a metric depends on the number of instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// The instances share it: with half of them it doubles.
    Shared,
    /// It does not follow from the number of instances: a count of the whole deployment, or a duration.
    Unshared,
}

/// What it means when a metric is not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// Nobody knows: it is published all the time, so something is broken.
    NoData,
    /// There is no traffic: it is published with the requests only, so its silence is the lowest value that it has.
    NoTraffic,
}

/// What decisions use of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// A share of a capacity: the mean over its instances.
    Utilization,
    /// Requests that are published as numbers: their sum.
    Sum,
    /// Requests that are published one by one: how many there are.
    Count,
    /// A level or a duration, whose sum means nothing.
    Level,
    /// A metric that the platform does not publish for this kind of target: anything that its own threshold can be held
    /// against.
    Other,
}

impl Usage {
    /// What decisions use of a metric of this table. One that is not in it is a utilization by its name.
    pub fn of(metrics: &'static [Metric], name: &str) -> Self {
        match find(metrics, name) {
            Some(metric) => metric.usage(),
            None if name.to_ascii_lowercase().contains("utilization") => Self::Utilization,
            None => Self::Other,
        }
    }

    /// Whether decisions use this statistic of it.
    pub fn takes(self, statistic: &Statistic) -> bool {
        match self {
            Self::Utilization => *statistic == Statistic::Mean,
            Self::Sum => *statistic == Statistic::Sum,
            Self::Count => *statistic == Statistic::Count,
            Self::Level => !matches!(statistic, Statistic::Sum | Statistic::Count),
            Self::Other => *statistic != Statistic::Count,
        }
    }

    /// The statistic to read a metric by for an alarm: of the alarm's own level or duration the alarm's own, with which its
    /// threshold compares. `None` for that of the metric.
    pub fn statistic_of_alarm<'a>(self, metric: &str, alarm: &'a Measurement) -> Option<&'a Statistic> {
        let is_own = alarm.metric.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(metric));
        alarm.statistic.as_ref().filter(|_| is_own && matches!(self, Self::Level | Self::Other))
    }
}

impl Metric {
    /// What decisions use of it.
    pub fn usage(&self) -> Usage {
        match (self.range, self.statistic) {
            (Range::Percent | Range::Vcpus | Range::Gpus, _) => Usage::Utilization,
            (Range::Open, "Sum" | "sum") => Usage::Sum,
            (Range::Open, "count") => Usage::Count,
            (Range::Open, _) => Usage::Level,
        }
    }

    /// Its value when all is used that a rung offers; `None` where it has no such end, or where only a rung that is not
    /// known would define it.
    pub fn full(&self, rung: Option<&Rung>) -> Option<f64> {
        match self.range {
            Range::Open => None,
            Range::Percent | Range::Vcpus | Range::Gpus => {
                self.range.factor(rung).map(|factor| 100.0 * f64::from(factor))
            }
        }
    }

    /// A value in percent of what a rung offers; the value itself where the metric has no end. `None` where only a rung
    /// that is not known would define it.
    pub fn percent(&self, value: f64, rung: Option<&Rung>) -> Option<f64> {
        match self.range {
            Range::Open => Some(value),
            Range::Percent | Range::Vcpus | Range::Gpus => Some(value / self.full(rung)? * 100.0),
        }
    }

    /// By how much its values grow with the rung; `None` where that depends on a rung that is not known.
    pub fn factor(&self, rung: Option<&Rung>) -> Option<u32> {
        self.range.factor(rung)
    }

    /// Whether it stops with the traffic, so that its silence is low.
    pub fn stops_with_traffic(&self) -> bool {
        self.silence == Silence::NoTraffic
    }
}

impl Range {
    fn factor(self, rung: Option<&Rung>) -> Option<u32> {
        match self {
            Self::Percent | Self::Open => Some(1),
            Self::Vcpus => rung.map(|rung| rung.vcpus),
            Self::Gpus => rung.map(|rung| rung.gpus.max(1)),
        }
    }
}

/// The metric of a table with this name, in any case, or else the one of the same resource: platforms have different names
/// for it.
pub fn find(metrics: &'static [Metric], name: &str) -> Option<&'static Metric> {
    let resource = Resource::of(name);
    let is_same = |metric: &&Metric| resource.is_some() && Resource::of(metric.name) == resource;
    let of_name = metrics.iter().find(|metric| metric.name.eq_ignore_ascii_case(name));
    of_name.or_else(|| metrics.iter().find(is_same))
}

/// The mean of some values; `None` where there are none.
pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    // Counted as a float, because a length would need a lossy conversion.
    let (sum, count) = values.into_iter().fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then_some(sum / count)
}
