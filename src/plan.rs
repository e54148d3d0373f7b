//! Every call that a decision takes, in order, with every name and number in it.
//!
//! The paired alarm is written before the capacity that it will take back, and deleted only when the
//! deployment is seen settled at its floor: stopping after any call strands nothing. Sends nothing.

use crate::decide::{
    Check, Decision, Evaluated, Evaluation, Hold, cheapest, floor, keeps_a_record, pair_notifies, remembered,
};
use crate::deployment::{Deployment, Infeasible, Lifecycle, ObservedAlarm};
use crate::platform::target::{
    self, FollowUp, PairRequest, PairSupport, RejectedUpdate, Resize, SettledDeployment,
};
use crate::platform::{self, Call, Observation};
use crate::policy::{NativeAutoscaling, Policy};
use crate::scaling::ScalingPolicy;
use crate::size::{Axis, Direction, Size};

/// A decision, and the calls that carry it out.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What was decided, and how.
    pub decided: Evaluated,
    /// What to send, in this order.
    pub calls: Vec<Call>,
    /// What an operator should know besides.
    pub notes: Vec<String>,
}

/// A change that was sent and not accepted.
#[derive(Debug)]
pub struct RejectedChange<'a> {
    /// The deployment as it was seen.
    pub seen: &'a Observation,
    /// Along which axis it would have been changed; `None` when somebody else's change was in the way.
    pub axis: Option<Axis>,
    /// Why the shape cannot be had, and which; `None` when the shape is not to blame.
    pub shape: Option<(String, &'a str)>,
}

/// What shall become of the paired alarm.
#[derive(PartialEq)]
enum PairAction {
    /// There is capacity to take back: it must stand as the policy says.
    Keep,
    /// The deployment rests at its floor: nothing is left to take back.
    Delete,
    /// It cannot be told, or it is nobody's business here.
    Leave,
}

/// The pair, and the change.
const USUALLY: usize = 2;

/// Turns a decision into calls: the pair that must stand, then the change or what earlier changes have left to
/// do, and only when nothing is left the end of a pair that has served.
pub fn plan(evaluation: &Evaluation, seen: &Observation, decided: Evaluated, policy: &Policy) -> Plan {
    let Some(target) = target::of(seen.target.kind()) else {
        return Plan { decided, calls: Vec::new(), notes: Vec::new() };
    };
    if evaluation.leaves_alone(&decided.decision) {
        return Plan { decided, calls: Vec::new(), notes: Vec::new() };
    }
    let mut calls = Vec::with_capacity(USUALLY);
    let mut notes = Vec::new();
    let pair_action = pair_action(target, evaluation, seen, &decided.decision, policy);
    if pair_action == PairAction::Keep {
        let size = match &decided.decision {
            Decision::Resize { to, .. } => to,
            Decision::Hold(_) => &seen.size,
        };
        calls.extend(kept(target, evaluation, (seen, size), policy, &mut notes));
    }
    let left = match &decided.decision {
        Decision::Resize { axis, to, .. } => {
            let direction = decided.direction.unwrap_or(Direction::Up);
            resized(target, evaluation, seen, (*axis, direction, to), policy, (&mut calls, &mut notes));
            FollowUp::default()
        }
        Decision::Hold(_) => left_over(target, evaluation, seen),
    };
    calls.extend(left.calls);
    notes.extend(left.notes);
    if let PairSupport::Written { delete, .. } = target.pair {
        if pair_action == PairAction::Delete && !left.goes_on {
            calls.extend(ours(seen).map(|alarm| delete(alarm, Some(seen))));
        }
        if pair_action != PairAction::Leave {
            calls.extend(seen.duplicates.iter().map(|alarm| delete(alarm, None)));
        }
    }
    Plan { decided, calls, notes }
}

fn resized(
    target: &target::Target,
    evaluation: &Evaluation,
    seen: &Observation,
    (axis, direction, to): (Axis, Direction, &Size),
    policy: &Policy,
    (calls, notes): (&mut Vec<Call>, &mut Vec<String>),
) {
    let recent = remembered(evaluation, seen, policy, (axis, direction, to.instances));
    let ladders = &policy.ladders;
    (target.resize)(Resize { seen, axis, to, ladders, recent, now: evaluation.now }, calls, notes);
    let rule = &evaluation.matched.rule;
    if direction == Direction::Up && rule.pair.is_none() {
        notes.push(format!("{} has no `pair`: nothing of ours takes this back", rule.origin));
    }
}

/// Only at rest is it certain that earlier changes are over.
fn left_over(target: &target::Target, evaluation: &Evaluation, seen: &Observation) -> FollowUp {
    if seen.lifecycle != Lifecycle::Settled {
        return FollowUp::default();
    }
    let capacity_backoff = evaluation.matched.rule.is.capacity_backoff;
    (target.finish)(&SettledDeployment { seen, capacity_backoff, now: evaluation.now })
}

/// What a change that was not accepted leaves to do: nothing is to be taken for a change that was tried, and a shape
/// that could not be had is remembered.
pub fn after_rejection(evaluation: &Evaluation, refused: &RejectedChange, policy: &Policy) -> Vec<Call> {
    let Some(target) = target::of(evaluation.target.kind()) else { return Vec::new() };
    let rule = &evaluation.matched.rule;
    let of_shape = refused.axis.map_or_else(|| rule.touches(Axis::Shape), |axis| axis == Axis::Shape);
    let on_record = keeps_a_record(evaluation, policy);
    let until = evaluation.now.checked_add(rule.is.capacity_backoff).unwrap_or(evaluation.now);
    let infeasible = refused.shape.as_ref().map(|(shape, why)| Infeasible {
        shape: shape.clone(),
        until,
        why: (*why).to_owned(),
    });
    (target.after_rejection)(&RejectedUpdate {
        seen: refused.seen,
        of_shape,
        infeasible: infeasible.as_ref(),
        on_record,
    })
}

/// What is left to do about a deployment that is gone: its paired alarm goes, too.
pub fn delete_orphan(evaluation: &Evaluation, pair: &ObservedAlarm, guards: Vec<Check>) -> Plan {
    let calls = target::of(evaluation.target.kind()).and_then(|target| match target.pair {
        PairSupport::Written { delete, .. } => Some(delete(pair, None)),
        PairSupport::Verified => None,
    });
    let decided = Evaluated::held(Hold::TargetGone, guards);
    Plan { decided, calls: calls.into_iter().collect(), notes: Vec::new() }
}

/// The paired alarm's fate follows from where the deployment is and where it goes.
fn pair_action(
    target: &target::Target,
    evaluation: &Evaluation,
    seen: &Deployment,
    decision: &Decision,
    policy: &Policy,
) -> PairAction {
    let rule = &evaluation.matched.rule;
    if rule.pair.is_some() && target.deleted.contains(&seen.status.as_str()) {
        return PairAction::Delete;
    }
    // Where the cheapest size is looked for, the count alone is enough to go by.
    let axis = if rule.scaling_policy == ScalingPolicy::Cheapest { Axis::Instances } else { rule.axis };
    let untouched = seen.fixed.contains_key(&axis) || seen.lifecycle == Lifecycle::Gone;
    // What somebody else has added is not ours to take back, but what was parked is ours to put back.
    let puts_back =
        rule.is.native_autoscaling == NativeAutoscaling::Suspend && target.unfinished.contains(&rule.axis);
    let owned = seen.owners.contains_key(&axis) && !puts_back;
    if rule.pair.is_none() || untouched || (owned && ours(seen).is_none()) {
        return PairAction::Leave;
    }
    // Elsewhere an alarm that asks for more may be being answered right now, by what needs the pair.
    let serves_nobody = one_at_a_time(evaluation, policy) || !evaluation.may_ask_for_more();
    let above = |sizes: &[&Size]| above_floor(evaluation, seen, sizes, policy);
    match decision {
        Decision::Hold(Hold::PairTaken { .. } | Hold::NoPairAction) => PairAction::Leave,
        // It brings the look that finishes what the change leaves to do, and goes with it.
        Decision::Resize { axis, .. } if target.unfinished.contains(axis) => PairAction::Keep,
        // On the last step down there is nothing left for a new alarm to take back; one that stands goes
        // when the floor is observed.
        Decision::Resize { to, .. } => match (above(&[to]), ours(seen)) {
            (Some(true), _) | (_, Some(_)) => PairAction::Keep,
            (Some(false) | None, None) => PairAction::Leave,
        },
        Decision::Hold(_) => match above(&[&seen.size, &seen.heading]) {
            Some(true) => PairAction::Keep,
            Some(false) if seen.lifecycle == Lifecycle::Settled && serves_nobody => PairAction::Delete,
            Some(false) | None => PairAction::Leave,
        },
    }
}

/// Whether no other event may be being answered right now: as the host says, or else as the platform's usual host does.
fn one_at_a_time(evaluation: &Evaluation, policy: &Policy) -> bool {
    let usual = || platform::of(evaluation.target.kind()).is_some_and(|platform| platform.one_at_a_time);
    policy.one_at_a_time.unwrap_or_else(usual)
}

/// Whether any of the sizes is above the floor. `None` when the shape's ladder is unknown.
fn above_floor(evaluation: &Evaluation, seen: &Deployment, sizes: &[&Size], policy: &Policy) -> Option<bool> {
    if evaluation.matched.rule.scaling_policy == ScalingPolicy::Cheapest {
        return cheapest::above_floor(evaluation, seen, sizes, policy);
    }
    match evaluation.matched.rule.axis {
        Axis::Instances => {
            let floor = floor(evaluation, seen);
            Some(sizes.iter().any(|size| size.instances > floor))
        }
        Axis::Shape => {
            let mut above = false;
            for size in sizes {
                let rung = size.rung();
                above |= policy.ladders.holding(&rung)?.is_above(&rung, seen.floor.as_deref());
            }
            Some(above)
        }
        Axis::Bandwidth => {
            let floor = evaluation.matched.rule.is.bandwidth.min;
            let mut told = sizes.iter().filter_map(|size| size.bandwidth_mbps).peekable();
            told.peek()?;
            Some(told.any(|bandwidth| bandwidth > floor))
        }
    }
}

fn ours(seen: &Deployment) -> Option<&ObservedAlarm> {
    seen.pair.as_ref().filter(|alarm| alarm.ours)
}

/// The call that makes the paired alarm what it should be; none when it already is.
fn kept(
    target: &target::Target,
    evaluation: &Evaluation,
    (seen, size): (&Observation, &Size),
    policy: &Policy,
    notes: &mut Vec<String>,
) -> Option<Call> {
    let rule = &evaluation.matched.rule;
    let pair = rule.pair.as_ref()?;
    let cheaper = if rule.scaling_policy == ScalingPolicy::Cheapest {
        cheapest::pair(evaluation, seen, size, policy)
    } else {
        None
    };
    let pair = cheaper.as_ref().unwrap_or(pair);
    let notifies: Vec<String> = pair_notifies(seen, policy).cloned().collect();
    let foreign = seen.pair.as_ref().is_some_and(|alarm| !alarm.ours);
    if foreign || notifies.is_empty() {
        return None;
    }
    let fired = evaluation.alarm.at.or(Some(evaluation.now));
    let ladders = &policy.ladders;
    match target.pair {
        PairSupport::Written { ensure, .. } => {
            ensure(PairRequest { pair, seen, ladders, notifies, fired }, notes)
        }
        PairSupport::Verified => None,
    }
}
