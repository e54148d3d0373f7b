//! One metric of a kind of target: where its platform publishes it, what its values mean, and what its silence means.

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

impl Metric {
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

    /// By how much its values grow with the rung; `None` where only a rung that is not known would tell.
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

/// Whether a metric is a share of a capacity. One that is not in the table is one by its name.
pub fn is_utilization(metrics: &'static [Metric], name: &str) -> bool {
    let is_called_so = || name.to_ascii_lowercase().contains("utilization");
    find(metrics, name).map_or_else(is_called_so, |metric| metric.range != Range::Open)
}
