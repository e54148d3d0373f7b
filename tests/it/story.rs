//! A story: a load that rises and falls, the deployment that serves it, and the samples. Each cloud has its own stage.

use std::collections::BTreeMap;

use stepladder::ladder::Rung;
use stepladder::size::{Axis, Size};

/// A load, and the deployment that serves it.
pub(crate) struct Script<'a> {
    pub(crate) name: &'static str,
    /// Where it is drawn, below `target/`.
    pub(crate) folder: &'static str,
    pub(crate) policy: &'a str,
    /// What is expected to change.
    pub(crate) axis: Axis,
    /// The shape to begin with, once.
    pub(crate) shape: &'a str,
    pub(crate) metric: &'a str,
    /// The operator's own scale-up alarm: its name and its threshold.
    pub(crate) alarm: &'a str,
    pub(crate) above: f64,
    /// The scale-down alarm that stepladder is expected to make.
    pub(crate) pair: &'a str,
    /// The unit of the load.
    pub(crate) load: &'a str,
    /// The metric of a load on a size.
    pub(crate) measured: fn(f64, &Size, &Rung) -> f64,
    pub(crate) acts: Vec<Act>,
}

/// A load that lasts until a sample meets a condition.
pub(crate) struct Act {
    pub(crate) name: &'static str,
    pub(crate) load: f64,
    pub(crate) until: fn(&Sample) -> bool,
}

/// The observation at one moment.
pub(crate) struct Sample {
    /// Seconds since the story began.
    pub(crate) at: f64,
    pub(crate) act: &'static str,
    pub(crate) load: f64,
    pub(crate) measured: f64,
    pub(crate) size: Size,
    pub(crate) alarms: BTreeMap<String, Alarm>,
    /// Other resources that a change has created, by name.
    pub(crate) leftovers: Vec<String>,
    /// Nothing is being changed.
    pub(crate) settled: bool,
}

/// An alarm at one moment.
pub(crate) struct Alarm {
    /// The cloud's own name of the state.
    pub(crate) state: String,
    pub(crate) threshold: f64,
}

impl Script<'_> {
    /// What a size is along the axis that changes.
    pub(crate) fn level(&self, size: &Size) -> String {
        match self.axis {
            Axis::Instances => size.instances.to_string(),
            Axis::Shape => size.shape.clone(),
            // No story is about one.
            Axis::Bandwidth => String::new(),
        }
    }

    /// The sizes along that axis, one after the other.
    pub(crate) fn levels(&self, samples: &[Sample]) -> Vec<String> {
        let mut levels: Vec<String> = samples.iter().map(|sample| self.level(&sample.size)).collect();
        levels.dedup();
        levels
    }
}

impl Sample {
    /// Alarms have been evaluated, and none fires.
    pub(crate) fn is_quiet(&self) -> bool {
        self.alarms.values().all(|alarm| alarm.state == "OK")
    }

    /// The operator's own alarm is the only one, and it is quiet; nothing else is left.
    pub(crate) fn is_tidy(&self) -> bool {
        self.is_quiet() && self.alarms.len() == 1 && self.leftovers.is_empty()
    }
}

impl Alarm {
    pub(crate) fn fires(&self) -> bool {
        ["ALARM", "FIRING"].contains(&self.state.as_str())
    }
}

/// Seconds as minutes and seconds.
pub(crate) fn clock(seconds: f64) -> String {
    format!("{}:{:02}", (seconds / 60.0).floor(), (seconds % 60.0).floor())
}
