//! One kind of target in the platforms' table: what its states mean, and how a decision becomes calls.
//!
//! Pure, and compiled for every platform.

use jiff::{SignedDuration, Timestamp};

use super::metric::{self, Metric};
use super::{Call, Observation, Operation, PLATFORMS};
use crate::deployment::{Infeasible, Lifecycle, ObservedAlarm};
use crate::ladder::{Ladders, Rung};
use crate::pair::{Pair, ScaleUpThreshold};
use crate::size::{Axis, Size};
use crate::target::{TargetId, TargetKind};

/// Every kind of target, of every platform.
pub fn all() -> impl Iterator<Item = &'static Target> {
    PLATFORMS.iter().flat_map(|platform| platform.targets)
}

/// Which part of a tagged resource a target is.
pub fn tag_scope(target: &TargetId) -> Option<&str> {
    of(target.kind()).and_then(|row| (row.tag_scope)(target))
}

/// The row for a kind.
pub fn of(kind: TargetKind) -> Option<&'static Target> {
    all().find(|target| target.kind == kind)
}

/// How one kind of target is changed.
pub struct Target {
    /// Which kind.
    pub kind: TargetKind,
    /// A glob that every id of it matches.
    pub ids: &'static str,
    /// Whether a tick comes every minute where its function is set up as it is usually.
    pub is_ticked: bool,
    /// How its count reaches a scheduled minimum at its time, as advice.
    pub at_its_time: &'static str,
    /// The platform's words for a settled deployment, which accepts an update.
    pub settled: &'static [&'static str],
    /// The platform's words for a deployment that is broken, stopped or being deleted.
    pub gone: &'static [&'static str],
    /// Those of them out of which it never comes back.
    pub deleted: &'static [&'static str],
    /// The reads that an observation of it takes.
    pub reads: &'static [Operation],
    /// The metrics of its cores and its memory, as its platform spells them.
    pub utilization: [&'static str; 2],
    /// Every metric that its platform publishes for it, as far as decisions and paired alarms can use it.
    pub metrics: &'static [Metric],
    /// The metrics of its accelerators and of their memory, as far as its platform publishes them.
    pub gpu_utilization: &'static [&'static str],
    /// Which part of a tagged resource it is: a variant shares the tags of its endpoint. `None` for the whole of it.
    pub tag_scope: fn(&TargetId) -> Option<&str>,
    /// The axes along which it has a size.
    pub axes: &'static [Axis],
    /// Adds the calls that bring it to a size, one axis at a time, and what an operator should know of them.
    pub resize: fn(Resize, &mut Vec<Call>, &mut Vec<String>),
    /// The axes on which a change needs further calls when the deployment is settled again.
    pub follow_up_axes: &'static [Axis],
    /// The further calls of earlier changes, which must not be sent before those are completed.
    pub follow_up: fn(&SettledDeployment) -> FollowUp,
    /// The calls after a rejected change: they remove its record, and record a shape that could not be provided.
    pub after_rejection: fn(&RejectedUpdate) -> Vec<Call>,
    /// How its paired alarm comes to exist.
    pub pair: PairSupport,
}

/// How a paired alarm comes to exist.
pub enum PairSupport {
    /// Its service has an API for alarms: stepladder writes and deletes it.
    Written {
        /// The call that creates or updates the paired alarm as the policy defines it; none when it is so already, or
        /// could never fire.
        ensure: fn(PairRequest) -> Option<Call>,
        /// The call that deletes a paired alarm: that of the observed deployment, or one that is no longer needed.
        delete: fn(&ObservedAlarm, Option<&Observation>) -> Call,
    },
    /// It is a rule in files that no API writes: the operator who provisions it checks that it exists and notifies stepladder.
    /// No plan has a call for it.
    Verified,
}

/// All that a change of size depends on.
#[derive(Debug)]
pub struct Resize<'a> {
    /// The deployment as it was observed.
    pub observed: &'a Observation,
    /// Along which axis.
    pub axis: Axis,
    /// The size to request.
    pub to: &'a Size,
    /// What the shapes offer.
    pub ladders: &'a Ladders,
    /// The record of the changes of the last hour, with this one; `None` where changes are not recorded.
    pub recent: Option<String>,
    /// The current time.
    pub now: Timestamp,
}

/// A change that was sent and not accepted.
#[derive(Debug)]
pub struct RejectedUpdate<'a> {
    /// The deployment as it was observed before.
    pub observed: &'a Observation,
    /// Whether it was one of shape.
    pub of_shape: bool,
    /// The shape that could not be provided, where that is what was wrong.
    pub infeasible: Option<&'a Infeasible>,
    /// Whether its record was written ahead of it.
    pub on_record: bool,
}

/// Everything that a follow-up depends on.
#[derive(Debug)]
pub struct SettledDeployment<'a> {
    /// The deployment as it was observed, settled.
    pub observed: &'a Observation,
    /// How long a shape without capacity is not requested again.
    pub capacity_backoff: SignedDuration,
    /// Whether the policy suspends native autoscaling here. Only then can there be anything to restore.
    pub suspends_native: bool,
    /// The current time.
    pub now: Timestamp,
}

/// What earlier changes left to do.
#[derive(Debug, Default)]
pub struct FollowUp {
    /// What to send now.
    pub calls: Vec<Call>,
    /// Notes for the operator on how the earlier changes ended.
    pub notes: Vec<String>,
    /// Whether a later observation will find more to do.
    pub is_incomplete: bool,
}

/// The follow-up of a target whose changes need no further calls.
pub(super) fn no_follow_up(_: &SettledDeployment) -> FollowUp {
    FollowUp::default()
}

/// All that a paired alarm and its calls depend on.
pub struct PairRequest<'a> {
    /// Its definition in the policy.
    pub pair: &'a Pair,
    /// The deployment as it was observed.
    pub observed: &'a Observation,
    /// What its shape offers.
    pub ladders: &'a Ladders,
    /// What it notifies.
    pub notifies: Vec<String>,
    /// The threshold of the scale-up alarm on its metric, which it records; `None` where it is not known.
    pub scale_up: Option<ScaleUpThreshold>,
    /// When the alarm fired. Distinguishes a redelivery from another event; the paired alarm
    /// itself does not depend on it.
    pub fired: Option<Timestamp>,
}

impl PairSupport {
    /// Whether stepladder writes and deletes the paired alarm itself.
    pub fn is_written(&self) -> bool {
        match self {
            Self::Written { .. } => true,
            Self::Verified => false,
        }
    }

    /// The call that creates or updates the paired alarm as the policy defines it; `None` where it is so already, or is
    /// only verified.
    pub fn ensure(&self, request: PairRequest) -> Option<Call> {
        match self {
            Self::Written { ensure, .. } => ensure(request),
            Self::Verified => None,
        }
    }

    /// The call that deletes a paired alarm; `None` where it is only verified.
    pub fn delete(&self, alarm: &ObservedAlarm, observed: Option<&Observation>) -> Option<Call> {
        match self {
            Self::Written { delete, .. } => Some(delete(alarm, observed)),
            Self::Verified => None,
        }
    }
}

impl Target {
    /// A metric by its name, in any case; `None` for one that its platform does not publish for this kind of target.
    pub fn metric(&self, name: &str) -> Option<&'static Metric> {
        metric::find(self.metrics, name)
    }

    /// What a metric reads when all that a rung offers is used; `None` where it has no such end, or where only a rung
    /// that is not known would define it.
    pub fn full(&self, metric: &str, rung: Option<&Rung>) -> Option<f64> {
        self.metric(metric)?.full(rung)
    }

    /// What a state in the platform's own word means.
    pub fn lifecycle(&self, status: &str) -> Lifecycle {
        if self.settled.contains(&status) {
            Lifecycle::Settled
        } else if self.gone.contains(&status) {
            Lifecycle::Gone
        } else {
            Lifecycle::Busy
        }
    }
}

/// A number as a person reads it. Most are whole, so they need no search for the shortest form.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the conversion saturates")]
pub(super) fn written(number: f64) -> String {
    let cut_off = number as u32;
    if f64::from(cut_off).to_bits() == number.to_bits() { cut_off.to_string() } else { number.to_string() }
}

#[cfg(test)]
mod tests {
    use super::written;

    #[test]
    fn a_number_is_written_with_the_fewest_digits() {
        let numbers = [0.0, -0.0, 10.0, 12.5, -3.0, 0.1, 4_294_967_295.0, 4_294_967_296.0, 1e21, f64::NAN];
        for number in numbers {
            assert_eq!(written(number), number.to_string());
        }
    }
}
