//! What a guard looked at, put into words only when somebody is told.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::caution::round;
use crate::size::Bounds;

/// What a guard looked at.
#[derive(Debug, Clone, PartialEq)]
pub enum CheckInput {
    /// In words.
    Text(Cow<'static, str>),
    /// When the evidence begins, and when the last change was completed.
    Evidence {
        /// `None` when the alarm does not say.
        since: Option<Timestamp>,
        /// The completion.
        changed: Timestamp,
    },
    /// What a metric reads, and the threshold that it is measured against.
    Beyond {
        /// What it reads.
        value: f64,
        /// The threshold.
        threshold: f64,
    },
    /// How far a value is from the threshold.
    Away(f64),
    /// What a value is, and what it shall be.
    Of {
        /// What it is.
        value: f64,
        /// What it shall be.
        target: f64,
    },
    /// What the metrics of cores and memory read.
    Used {
        /// Their names.
        metrics: &'static [&'static str; 2],
        /// What they read.
        values: [f64; 2],
    },
    /// The ladder that holds the shape.
    Ladder(Arc<str>),
    /// A place on a ladder, counted from 1, and how many there are.
    Rung {
        /// The place.
        at: usize,
        /// How many there are.
        of: usize,
    },
    /// What there is, and the cheapest that carries the load.
    Cheapest(Box<[PricedSize; 2]>),
    /// How many topics and functions a paired alarm notifies.
    Notifies(usize),
    /// A number and its bounds.
    Within {
        /// The number.
        now: u32,
        /// Its bounds.
        bounds: Bounds,
    },
}

/// A size and its price.
#[derive(Debug, Clone, PartialEq)]
pub struct PricedSize {
    /// How many instances.
    pub instances: u32,
    /// Of which shape.
    pub shape: String,
    /// US dollars per hour of all of them.
    pub cost: f64,
}

impl fmt::Display for PricedSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} × {}", self.instances, self.shape)
    }
}

impl From<&'static str> for CheckInput {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for CheckInput {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl fmt::Display for CheckInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // As a text, so that it can be padded.
            Self::Text(text) => f.pad(text),
            Self::Evidence { since: Some(since), changed } => {
                write!(f, "data begins {since}, last change completed {changed}")
            }
            Self::Evidence { since: None, changed } => {
                write!(f, "data begins at an unknown time, last change completed {changed}")
            }
            Self::Beyond { value, threshold } => {
                write!(f, "{value}, {:+} from the threshold of {threshold}", value - threshold)
            }
            Self::Away(by) => write!(f, "{by:+} from the threshold"),
            Self::Of { value, target } => write!(f, "{value} of {target}"),
            Self::Used { metrics: [cpu, memory], values } => {
                let [used, held] = values.map(round);
                write!(f, "{cpu} at {used}, {memory} at {held}")
            }
            Self::Ladder(name) => write!(f, "on ladder {name}"),
            Self::Rung { at, of } => write!(f, "rung {at} of {of}"),
            Self::Cheapest(offers) => {
                let [now, cheapest] = &**offers;
                let [cost, least] = [now, cheapest].map(|offer| round(offer.cost));
                write!(f, "{now} at {cost} USD an hour, the cheapest is {cheapest} at {least}")
            }
            Self::Notifies(count) => write!(f, "it notifies {count}"),
            Self::Within { now, bounds } => write!(f, "{now} of {bounds}"),
        }
    }
}
