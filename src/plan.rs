//! Every call that a decision takes, in order, with every name and number in it.
//!
//! The paired alarm is written before the capacity that it will take back, and deleted only when the
//! deployment is seen settled at its floor: stopping after any call strands nothing. Sends nothing.

use crate::apply::Refused;
use crate::call::Call;
use crate::decide::{
    Decided, Decision, Hold, Question, Verdict, cheapest, floor, keeps_a_record, pair_notifies, remembered,
};
use crate::deployment::{Axis, Deployment, Infeasible, Lifecycle, SeenAlarm, Size, Way};
use crate::policy::{Native, Policy, Stride};
use crate::target::{self, Finish, PairContext, Resize, Rest, Undone};

/// A decision, and the calls that carry it out.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What was decided, and how.
    pub decided: Decided,
    /// What to send, in this order.
    pub calls: Vec<Call>,
    /// What an operator should know besides.
    pub notes: Vec<String>,
}

/// What shall become of the paired alarm.
#[derive(PartialEq)]
enum Fate {
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
pub fn plan(question: &Question, seen: &Deployment, decided: Decided, policy: &Policy) -> Plan {
    let Some(target) = target::of(seen.target.kind) else {
        return Plan { decided, calls: Vec::new(), notes: Vec::new() };
    };
    if question.leaves_alone(&decided.decision) {
        return Plan { decided, calls: Vec::new(), notes: Vec::new() };
    }
    let mut calls = Vec::with_capacity(USUALLY);
    let mut notes = Vec::new();
    let fate = fate(target, question, seen, &decided.decision, policy);
    if fate == Fate::Keep {
        let size = match &decided.decision {
            Decision::Resize { to, .. } => to,
            Decision::Hold(_) => &seen.size,
        };
        calls.extend(kept(target, question, (seen, size), policy, &mut notes));
    }
    let left = match &decided.decision {
        Decision::Resize { axis, to, .. } => {
            let way = decided.way.unwrap_or(Way::Up);
            resized(target, question, seen, (*axis, way, to), policy, (&mut calls, &mut notes));
            Finish::default()
        }
        Decision::Hold(_) => left_over(target, question, seen),
    };
    calls.extend(left.calls);
    notes.extend(left.notes);
    if fate == Fate::Delete && !left.goes_on {
        calls.extend(ours(seen).map(|alarm| (target.delete_pair)(alarm, Some(seen))));
    }
    if fate != Fate::Leave {
        calls.extend(seen.strays.iter().map(|alarm| (target.delete_pair)(alarm, None)));
    }
    Plan { decided, calls, notes }
}

fn resized(
    target: &target::Target,
    question: &Question,
    seen: &Deployment,
    (axis, way, to): (Axis, Way, &Size),
    policy: &Policy,
    (calls, notes): (&mut Vec<Call>, &mut Vec<String>),
) {
    let recent = remembered(question, seen, policy, (axis, way, to.instances));
    let ladders = &policy.ladders;
    (target.resize)(Resize { seen, axis, to, ladders, recent, now: question.now }, calls, notes);
    let rule = &question.matched.rule;
    if way == Way::Up && rule.pair.is_none() {
        notes.push(format!("{} has no `pair`: nothing of ours takes this back", rule.origin));
    }
}

/// Only at rest is it certain that earlier changes are over.
fn left_over(target: &target::Target, question: &Question, seen: &Deployment) -> Finish {
    if seen.lifecycle != Lifecycle::Settled {
        return Finish::default();
    }
    let infeasible_for = question.matched.rule.is.infeasible_for;
    (target.finish)(&Rest { seen, infeasible_for, now: question.now })
}

/// What a change that was not accepted leaves to do: nothing is to be taken for a change that was tried, and a shape
/// that could not be had is remembered.
pub fn undone(question: &Question, refused: &Refused, policy: &Policy) -> Vec<Call> {
    let Some(target) = target::of(question.target.kind) else { return Vec::new() };
    let rule = &question.matched.rule;
    let of_shape = refused.axis.map_or_else(|| rule.touches(Axis::Shape), |axis| axis == Axis::Shape);
    let on_record = keeps_a_record(question, policy);
    let until = question.now.checked_add(rule.is.infeasible_for).unwrap_or(question.now);
    let infeasible = refused.shape.as_ref().map(|(shape, why)| Infeasible {
        shape: shape.clone(),
        until,
        why: (*why).to_owned(),
    });
    (target.undone)(&Undone { seen: refused.seen, of_shape, infeasible: infeasible.as_ref(), on_record })
}

/// What is left to do about a deployment that is gone: its paired alarm goes, too.
pub fn farewell(question: &Question, pair: &SeenAlarm, guards: Vec<Verdict>) -> Plan {
    let calls = target::of(question.target.kind).map(|target| (target.delete_pair)(pair, None));
    let decided = Decided::held(Hold::TargetGone, guards);
    Plan { decided, calls: calls.into_iter().collect(), notes: Vec::new() }
}

/// The paired alarm's fate follows from where the deployment is and where it goes.
fn fate(
    target: &target::Target,
    question: &Question,
    seen: &Deployment,
    decision: &Decision,
    policy: &Policy,
) -> Fate {
    let rule = &question.matched.rule;
    if rule.pair.is_some() && target.deleted.contains(&seen.status.as_str()) {
        return Fate::Delete;
    }
    // Where the cheapest size is looked for, the count alone is enough to go by.
    let axis = if rule.stride == Stride::Cheapest { Axis::Instances } else { rule.axis };
    let untouched = seen.fixed.contains_key(&axis) || seen.lifecycle == Lifecycle::Gone;
    // What somebody else has added is not ours to take back, but what was parked is ours to put back.
    let puts_back = rule.is.native == Native::Park && target.unfinished.contains(&rule.axis);
    let owned = seen.owners.contains_key(&axis) && !puts_back;
    if rule.pair.is_none() || untouched || (owned && ours(seen).is_none()) {
        return Fate::Leave;
    }
    // Elsewhere an alarm that asks for more may be being answered right now, by what needs the pair.
    let serves_nobody = target.one_at_a_time || !question.may_ask_for_more();
    let above = |sizes: &[&Size]| above_floor(question, seen, sizes, policy);
    match decision {
        Decision::Hold(Hold::PairTaken { .. } | Hold::NoPairAction) => Fate::Leave,
        // It brings the look that finishes what the change leaves to do, and goes with it.
        Decision::Resize { axis, .. } if target.unfinished.contains(axis) => Fate::Keep,
        // On the last step down there is nothing left for a new alarm to take back; one that stands goes
        // when the floor is observed.
        Decision::Resize { to, .. } => match (above(&[to]), ours(seen)) {
            (Some(true), _) | (_, Some(_)) => Fate::Keep,
            (Some(false) | None, None) => Fate::Leave,
        },
        Decision::Hold(_) => match above(&[&seen.size, &seen.heading]) {
            Some(true) => Fate::Keep,
            Some(false) if seen.lifecycle == Lifecycle::Settled && serves_nobody => Fate::Delete,
            Some(false) | None => Fate::Leave,
        },
    }
}

/// Whether any of the sizes is above the floor. `None` when the shape's ladder is unknown.
fn above_floor(question: &Question, seen: &Deployment, sizes: &[&Size], policy: &Policy) -> Option<bool> {
    if question.matched.rule.stride == Stride::Cheapest {
        return cheapest::above_floor(question, seen, sizes, policy);
    }
    match question.matched.rule.axis {
        Axis::Instances => {
            let floor = floor(question, seen);
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
            let floor = question.matched.rule.is.bandwidth.min;
            let mut told = sizes.iter().filter_map(|size| size.bandwidth_mbps).peekable();
            told.peek()?;
            Some(told.any(|bandwidth| bandwidth > floor))
        }
    }
}

fn ours(seen: &Deployment) -> Option<&SeenAlarm> {
    seen.pair.as_ref().filter(|alarm| alarm.ours)
}

/// The call that makes the paired alarm what it should be; none when it already is.
fn kept(
    target: &target::Target,
    question: &Question,
    (seen, size): (&Deployment, &Size),
    policy: &Policy,
    notes: &mut Vec<String>,
) -> Option<Call> {
    let rule = &question.matched.rule;
    let pair = rule.pair.as_ref()?;
    let cheaper =
        if rule.stride == Stride::Cheapest { cheapest::pair(question, seen, size, policy) } else { None };
    let pair = cheaper.as_ref().unwrap_or(pair);
    let notifies: Vec<String> = pair_notifies(seen, policy).cloned().collect();
    let foreign = seen.pair.as_ref().is_some_and(|alarm| !alarm.ours);
    if foreign || notifies.is_empty() {
        return None;
    }
    let fired = question.alarm.at.or(Some(question.now));
    let ladders = &policy.ladders;
    (target.keep_pair)(PairContext { pair, seen, ladders, notifies, fired }, ours(seen), notes)
}
