//! The guards on the deployment's state: whether it can be changed, by this rule, now.
//!
//! Each guard has the name of the hold reason that it gives. The guards follow in the order in which they run.

use jiff::{SignedDuration, Timestamp};

use crate::deployment::{Infeasible, Lifecycle};
use crate::policy::Evidence;
use crate::policy::tags::UnreadableTag;
use crate::size::Axis;

use super::{Context, Evaluation, Hold, SizeChange, precheck};

/// The evaluation window that is assumed where neither the payload nor the alarm's service reports one: the five
/// minutes of the alarms in Oracle's guide.
const ASSUMED_WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// An alarm that no rule matches any more changes nothing.
pub(super) fn no_rule(context: &mut Context) -> Result<(), Hold> {
    if context.evaluation.has_no_rule() {
        let Evaluation { alarm, target, .. } = context.evaluation;
        let hold = precheck::no_rule_hold(alarm, target, context.policy);
        return context.check("no_rule", alarm.name.to_string(), Some(hold));
    }
    Ok(())
}

/// A tag of stepladder's that cannot be read may be a pause or a limit, so nothing changes until it is corrected.
pub(super) fn unreadable_tag(context: &mut Context) -> Result<(), Hold> {
    let Some(UnreadableTag { tag, problem }) = &context.evaluation.unreadable_tag else { return Ok(()) };
    let hold = Hold::UnreadableTag { tag: tag.clone(), problem: problem.clone() };
    context.check("unreadable_tag", format!("`{tag}`: {problem}"), Some(hold))
}

/// Only a settled deployment is changed.
pub(super) fn busy(context: &mut Context) -> Result<(), Hold> {
    let status = &context.observed.status;
    let busy = context.observed.lifecycle != Lifecycle::Settled;
    context.check("busy", status.clone(), busy.then(|| Hold::Busy { status: status.clone() }))
}

/// The alarm's evidence must be newer than the last change.
pub(super) fn stale(context: &mut Context) -> Result<(), Hold> {
    let Some(changed) = context.observed.last_change else {
        return context.check("stale", "no change on record", None);
    };
    let since = evidence_start(context);
    let input = match since {
        Some(since) => format!("data begins {since:.0}, last change completed {changed:.0}"),
        None => format!("data begins at an unknown time, last change completed {changed:.0}"),
    };
    let stale = since.is_none_or(|since| since < changed);
    context.check("stale", input, stale.then_some(Hold::Stale { since, changed }))
}

/// When the data begins that the alarm was evaluated on; `None` where the alarm does not report when it fired.
pub(super) fn evidence_start(context: &Context) -> Option<Timestamp> {
    let alarm = context.evaluation.alarm;
    let fired = alarm.evidence.moment(context.evaluation.now)?;
    match context.settings().evidence {
        Evidence::Fired => Some(fired),
        Evidence::Window => {
            let observed = context.observed.alarm.as_ref().and_then(|alarm| alarm.measurement.window);
            let window = alarm.measurement.window.or(observed).unwrap_or(ASSUMED_WINDOW);
            let begin = fired.checked_sub(window).ok()?;
            // The moments of the datapoints themselves are known better than those that follow from the window.
            Some(alarm.measurement.since.map_or(begin, |since| since.min(begin)))
        }
    }
}

/// The deployment must have the axis, and the platform must be able to change it.
pub(super) fn not_resizable(context: &mut Context, axis: Axis) -> Result<(), Hold> {
    let observed = context.observed;
    let has_axis = context.target.is_some_and(|target| target.axes.contains(&axis));
    let is_unknown = axis == Axis::Bandwidth && observed.size.bandwidth_mbps.is_none();
    let why = if !has_axis {
        Some("deployments of this kind have none".to_owned())
    } else if is_unknown && !observed.fixed.contains_key(&axis) {
        Some("it reports none".to_owned())
    } else {
        observed.fixed.get(&axis).cloned()
    };
    let input = why.clone().unwrap_or_else(|| axis.to_string());
    context.check("not_resizable", input, why.map(|why| Hold::NotResizable { axis, why }))
}

/// An axis that another autoscaler changes is left to it, unless the policy suspends that autoscaler.
pub(super) fn owned_elsewhere(context: &mut Context, axis: Axis) -> Result<(), Hold> {
    let owner = context.observed.owners.get(&axis);
    let input = owner.map_or("nobody else", |owner| &owner.who);
    let hold = owner.filter(|_| !context.may_suspend_native(axis)).map(|owner| Hold::OwnedElsewhere {
        axis,
        who: owner.who.clone(),
        can_be_suspended: owner.can_be_suspended,
    });
    context.check("owned_elsewhere", input, hold)
}

/// A shape that the platform refused lately is not requested again before its backoff ends.
pub(super) fn infeasible(context: &mut Context, change: &SizeChange) -> Result<(), Hold> {
    if change.axis != Axis::Shape {
        return Ok(());
    }
    let refused = context.refused(&change.to.rung());
    let input = refused.map_or("not refused lately", |known| &known.why);
    let hold = refused.map(|Infeasible { shape, until, why }| Hold::Infeasible {
        shape: shape.clone(),
        until: *until,
        why: why.clone(),
    });
    context.check("infeasible", input, hold)
}

/// The paired alarm's name must not belong to an alarm that stepladder did not make.
pub(super) fn pair_taken(context: &mut Context) -> Result<(), Hold> {
    let foreign = context.foreign_pair();
    let input = foreign.map_or("the pair is ours to write", |alarm| &alarm.name);
    let hold = foreign.map(|alarm| Hold::PairTaken { name: alarm.name.clone() });
    context.check("pair_taken", input, hold)
}

/// The paired alarm must notify something, or the added capacity is never removed.
pub(super) fn no_pair_action(context: &mut Context) -> Result<(), Hold> {
    let count = context.pair_notifies().len();
    let hold = (count == 0).then_some(Hold::NoPairAction);
    context.check("no_pair_action", format!("it notifies {count}"), hold)
}
