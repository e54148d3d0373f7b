//! Decides what an alarm means for an observed deployment: a resize, or a reason to hold.
//!
//! A guard is one check that can block a resize. Guards run in the order in which [`precheck`](fn@precheck) and
//! [`decide`](fn@decide) list them, and the first guard that blocks gives the [`Hold`]. Each guard function has the name of
//! its hold reason. Pure: no clock, no platform, no log.

use crate::deployment::Deployment;
use crate::policy::Policy;
use crate::scaling::ScalingPolicy;
use crate::size::{Axis, Direction, Size};

pub mod cheapest;
mod check;
mod context;
mod desired_size;
mod evaluation;
mod guards;
mod hold;
mod limits;
mod loads;
mod metrics;
mod news;
mod pairing;
mod precheck;
mod proposal;
mod recent_changes;
mod steps;

pub use check::{Check, DecisionTrace};
pub(crate) use context::Context;
pub use evaluation::Evaluation;
pub use hold::{Hold, REASONS, UnmatchedName};
pub use news::{is_new_event, is_news};
pub use precheck::{precheck, scales_up};
pub(crate) use recent_changes::records_changes;

/// What happens to a deployment.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// The size changes along one axis.
    Resize {
        /// The axis that changes.
        axis: Axis,
        /// The observed size.
        from: Size,
        /// The size to request. It is absolute, so a repeated request has the same effect as one.
        to: Size,
    },
    /// Nothing changes.
    Hold(Hold),
}

/// One change of size along one axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SizeChange {
    /// The axis that changes.
    pub(crate) axis: Axis,
    /// Whether capacity is added or removed.
    pub(crate) direction: Direction,
    /// The size after the change.
    pub(crate) to: Size,
}

/// Decides what the alarm means for the deployment as it was observed.
pub fn decide(evaluation: &Evaluation, observed: &Deployment, policy: &Policy) -> DecisionTrace {
    let mut context = Context::new(evaluation, observed, policy);
    let transition = evaluation.alarm.transition;
    let change = if transition.is_firing() {
        guards::no_rule(&mut context).and_then(|()| size_change(&mut context))
    } else {
        // `not_firing` is recorded already: `Evaluation::for_repair` checked it.
        Err(Hold::NotFiring(transition))
    };
    let mut checks = evaluation.checks.clone();
    checks.extend(context.into_checks());
    match change {
        Ok(change) => DecisionTrace::resize(observed.size.clone(), change, checks),
        Err(hold) => DecisionTrace::hold(hold, checks),
    }
}

/// Runs every guard that needs the observation, in this order.
fn size_change(context: &mut Context) -> Result<SizeChange, Hold> {
    guards::unreadable_tag(context)?;
    guards::busy(context)?;
    guards::stale(context)?;
    let change = match context.evaluation.matched.scaling_policy() {
        ScalingPolicy::Cheapest => cheapest::size_change(context)?,
        ScalingPolicy::Step(_) | ScalingPolicy::Steps(_) | ScalingPolicy::Track(_) => {
            size_change_on_axis(context)?
        }
    };
    guards::infeasible(context, &change)?;
    if context.needs_written_pair(&change) {
        pairing::unlisted_shape(context, &change)?;
        pairing::pair_cannot_fire(context, &change)?;
        guards::pair_taken(context)?;
        guards::no_pair_action(context)?;
    }
    Ok(change)
}

/// Runs the guards of a rule that changes one axis. Each step names the hold reasons that it can give.
fn size_change_on_axis(context: &mut Context) -> Result<SizeChange, Hold> {
    let axis = context.rule().axis;
    guards::not_resizable(context, axis)?;
    guards::owned_elsewhere(context, axis)?;
    // no_data, on_target
    let proposal = proposal::propose(context)?;
    let direction = proposal.direction;
    limits::paused(context, axis, direction)?;
    let proposal = limits::cooling_down_for(context, proposal)?;
    limits::too_many_changes(context)?;
    // at_ceiling, at_floor, unlisted_shape, on_target
    let desired = desired_size::within_limits(context, &proposal)?;
    let desired = limits::would_flap(context, direction, desired)?;
    let desired = limits::over_budget(context, direction, desired)?;
    Ok(SizeChange { axis, direction, to: desired.applied_to(&context.observed.size) })
}
