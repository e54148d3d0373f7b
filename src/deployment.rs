//! What was seen of a deployment, once, before anything is decided.
//!
//! A platform's `observe` fills it, and everything after that reads it. It cannot observe again.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::alarm::Measurement;
use crate::pair::ScaleUpThreshold;
use crate::size::{Axis, Bounds, Size};
use crate::tags::Tags;
use crate::target::TargetId;

/// One deployment as its cloud described it.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// Which one.
    pub target: TargetId,
    /// The size that runs now.
    pub size: Size,
    /// The size after the current change; equal to `size` when it is settled.
    pub heading: Size,
    /// Whether it may be changed.
    pub lifecycle: Lifecycle,
    /// The platform's own word for its state.
    pub status: String,
    /// When the last change was completed, as far as the resource itself knows.
    pub last_change: Option<Timestamp>,
    /// The platform's own bounds on the count, where it has some.
    pub bounds: Option<Bounds>,
    /// Axes that cannot be changed on this deployment, with the reason.
    pub fixed: BTreeMap<Axis, String>,
    /// Axes that somebody else changes.
    pub owners: BTreeMap<Axis, Owner>,
    /// Directions of the count in which the platform's own autoscaling is suspended.
    pub pauses: Vec<SuspendedScaling>,
    /// Its tags that stepladder knows: settings of its operator, and the record of recent changes. See
    /// [`crate::tags`].
    pub tags: Tags,
    /// What its metrics read over the alarm's window, by the names that the evaluation requested. One that is not here
    /// has no data.
    pub readings: BTreeMap<String, f64>,
    /// The metrics of its kind that are not published for this very one, as their platform spells them, with the
    /// reason.
    pub unpublished: BTreeMap<String, String>,
    /// Shapes that could not be had lately.
    pub infeasible: Vec<Infeasible>,
    /// The shape that its operator gave it, where that is known: what is above it was added here. Elsewhere
    /// the ladder's lowest counts as such.
    pub floor: Option<String>,
    /// The alarm that notified stepladder, as its own service describes it; `None` when it could not be found.
    pub alarm: Option<ObservedAlarm>,
    /// The alarm found where the paired alarm of the matching rule belongs.
    pub pair: Option<ObservedAlarm>,
    /// Alarms that carry the same pair's marker besides, where names are not unique. One too many.
    pub duplicates: Vec<ObservedAlarm>,
}

/// Whether a deployment may be changed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    /// Settled: the platform accepts an update.
    Settled,
    /// A change is in progress, or the platform accepts no update for another reason that will pass.
    Busy,
    /// It is broken, stopped or being deleted: nothing here brings it back.
    Gone,
}

/// Who else changes a deployment along an axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its name and what it is.
    pub who: String,
    /// Whether it can be suspended for the time of a change.
    pub can_be_suspended: bool,
}

/// Scaling along an axis that somebody has paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuspendedScaling {
    /// Along which axis.
    pub axis: Axis,
    /// Whether scaling up and out is paused.
    pub up: bool,
    /// Whether scaling down and in is paused.
    pub down: bool,
    /// The place that pauses it.
    pub by: String,
}

/// A shape that the platform would not give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Infeasible {
    /// The shape.
    pub shape: String,
    /// Until when it is not requested again.
    pub until: Timestamp,
    /// What happened.
    pub why: String,
}

/// An alarm as its own service describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedAlarm {
    /// Its id in the service's API, which may be its name.
    pub id: String,
    /// Its etag, where the service has one.
    pub etag: Option<String>,
    /// Whether it carries the marker of the paired alarm that was read. What is not ours is never rewritten or deleted.
    pub ours: bool,
    /// Its name.
    pub name: String,
    /// The topics and functions that it notifies, by their ids: what can take the events of a pair as well.
    pub notifies: Vec<String>,
    /// Whether it notifies once and never again while it fires, although its service can repeat.
    pub fires_once: bool,
    /// The threshold of the scale-up alarm, where it is stepladder's pair and records one.
    pub scale_up: Option<ScaleUpThreshold>,
    /// How often it notifies again while it fires; `None` where it does not, or where that is unknown.
    pub repeat: Option<SignedDuration>,
    /// What it measures, by its definition: its metric, its comparison, and how far its data reaches back. Without a
    /// value.
    pub measurement: Measurement,
}
