//! What a rule proposes, before any limit: a direction and a magnitude.

use crate::alarm::{Comparison, Coverage, Side};
use crate::ladder::Resource;
use crate::policy::Role;
use crate::scaling::{Adjustment, ScalingPolicy, StepAdjustments};
use crate::size::{Axis, Direction};
use crate::text::number;

use super::metrics::Reading;
use super::{Context, Hold, steps};

/// What a rule proposes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Proposal {
    pub(super) axis: Axis,
    pub(super) direction: Direction,
    pub(super) magnitude: Magnitude,
}

/// How far a proposal goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Magnitude {
    /// To this count, as a step from the observed one. Instances added since a cooldown began count toward it.
    StepTo(u32),
    /// To this count, or to so many Mbps, whatever exists now.
    Exactly(u32),
    /// By so many rungs, or by so many times double or half the bandwidth.
    By(u32),
    /// To the first rung that offers this much of a resource.
    Offering(Resource, f64),
}

/// The value of the alarm's metric, and the threshold that it crossed.
#[derive(Clone, Copy)]
struct Breach {
    value: f64,
    threshold: f64,
    side: Side,
}

/// The proposal of the rule's scaling policy. Holds as `no_data` or `on_target`.
pub(super) fn propose(context: &mut Context) -> Result<Proposal, Hold> {
    at_scheduled_floor(context)?;
    let proposal = match to_floor(context) {
        Some(to_floor) => at_least(context, to_floor)?,
        None => by_scaling_policy(context)?,
    };
    no_data(context, proposal.direction)?;
    Ok(proposal)
}

/// A proposal that does not depend on the threshold never goes against the alarm's own comparison (`on_target`): a rule
/// knows an alarm by its name alone, and the name may be wrong.
fn with_the_comparison(context: &mut Context, proposal: Proposal) -> Result<Proposal, Hold> {
    let (side, wants) = match context.compared_direction() {
        Some(Direction::Up) if proposal.direction == Direction::Down => ("above", "remove capacity"),
        Some(Direction::Down) if proposal.direction == Direction::Up => ("below", "add capacity"),
        Some(Direction::Up | Direction::Down) | None => return Ok(proposal),
    };
    let why = format!(
        "the alarm fires {side} its threshold, where the rule would {wants}; only a rule with `steps` may do that"
    );
    context.check_result("on_target", format!("fires {side} its threshold"), Err(on_target(why)))
}

fn by_scaling_policy(context: &mut Context) -> Result<Proposal, Hold> {
    match context.evaluation.matched.scaling_policy() {
        ScalingPolicy::Step(step) => with_the_comparison(context, by_step(context, *step)),
        ScalingPolicy::Steps(steps) => by_step_adjustment(context, steps),
        ScalingPolicy::Track(target) => by_target_tracking(context, *target),
        // `cheapest` decides these over both axes.
        ScalingPolicy::Cheapest => Ok(by_step(context, 0)),
    }
}

/// The change to the floor, where the count is below it and the alarm requests more. The load on each instance does not
/// show what is needed there: without any instance nothing is measured, and zero times any factor is zero.
fn to_floor(context: &Context) -> Option<Proposal> {
    let (axis, direction) = (context.rule().axis, Direction::Up);
    let floor = context.missing_to_floor().filter(|_| axis == Axis::Instances)?;
    Some(Proposal { axis, direction, magnitude: Magnitude::Exactly(floor) })
}

/// What the scaling policy proposes, where that adds something; otherwise the change to the floor.
fn at_least(context: &mut Context, to_floor: Proposal) -> Result<Proposal, Hold> {
    let proposed = by_scaling_policy(&mut context.without_checks()).ok();
    let proposal = proposed.filter(|proposal| proposal.direction == Direction::Up).unwrap_or(to_floor);
    context.check("on_target", "fewer instances than the floor", None)?;
    Ok(proposal)
}

/// The alarm of a schedule requests the schedule's floor, and no more.
fn at_scheduled_floor(context: &mut Context) -> Result<(), Hold> {
    if context.evaluation.matched.role != Role::Schedule {
        return Ok(());
    }
    let (current, floor) = (context.observed.size.instances, context.instance_bounds().min);
    if current < floor {
        return Ok(());
    }
    let hold = on_target(format!("it runs {current}, and its floor is {floor} now"));
    context.check("on_target", format!("{current} of at least {floor}"), Some(hold))
}

/// An alarm that fires because data is missing, or with less data than it needs, never removes capacity.
pub(super) fn no_data(context: &mut Context, direction: Direction) -> Result<(), Hold> {
    let (input, missing) = match context.evaluation.alarm.measurement.coverage {
        _ if direction == Direction::Up => return Ok(()),
        Coverage::Full if context.is_measured() => return Ok(()),
        Coverage::Full => {
            ("no value", "the alarm compares something else than its metric, which has no value")
        }
        // Without traffic there is nothing to measure.
        _ if context.silence_is_low() => return Ok(()),
        Coverage::Partial => ("a part of the data", "the alarm fires with less data than it needs"),
        Coverage::Nothing => ("no data", "the alarm fires because data is missing"),
    };
    let hold = Hold::NoData { missing: missing.to_owned() };
    context.check("no_data", input, Some(hold))
}

/// A fixed step: so many instances, rungs or doublings.
fn by_step(context: &Context, step: i32) -> Proposal {
    let axis = context.rule().axis;
    let direction = if step > 0 { Direction::Up } else { Direction::Down };
    let magnitude = match axis {
        Axis::Instances => {
            let current = context.observed.size.instances;
            Magnitude::StepTo(steps::adjusted(current, Adjustment::Change(step), 1))
        }
        Axis::Shape | Axis::Bandwidth => Magnitude::By(step.unsigned_abs()),
    };
    Proposal { axis, direction, magnitude }
}

/// A step adjustment: the further the value is beyond the threshold, the larger the step.
fn by_step_adjustment(context: &mut Context, steps: &StepAdjustments) -> Result<Proposal, Hold> {
    let breach = breach(context)?;
    let distance = breach.value - breach.threshold;
    let proposal = match steps::step(steps, breach.side, distance) {
        Some(step) => adjusted_by(context, step.adjustment, steps.min_step, distance),
        None => {
            Err(on_target(format!("no step holds a distance of {} from the threshold", number(distance))))
        }
    };
    context.check_result("on_target", format!("{:+} from the threshold", number(distance)), proposal)
}

/// The value, the threshold and the side of the alarm, or a hold where one of them is missing.
fn breach(context: &mut Context) -> Result<Breach, Hold> {
    let breach = read_breach(context);
    let input = match &breach {
        Ok(Breach { value, threshold, .. }) => {
            let distance = number(value - threshold);
            format!("{}, {distance:+} from the threshold of {}", number(*value), number(*threshold))
        }
        Err(_) => "no value".to_owned(),
    };
    context.check_result("no_data", input, breach)
}

fn read_breach(context: &Context) -> Result<Breach, Hold> {
    let Reading { metric, value } = context.own_reading()?;
    let no_threshold = || Hold::NoData {
        missing: format!(
            "neither the alarm nor its service reports a threshold that is one of `{metric}` itself"
        ),
    };
    let Comparison { threshold, side, .. } = *context.comparison().ok_or_else(no_threshold)?;
    Ok(Breach { value, threshold, side })
}

/// What one adjustment proposes on the rule's axis.
fn adjusted_by(
    context: &Context,
    adjustment: Adjustment,
    min_step: u32,
    distance: f64,
) -> Result<Proposal, Hold> {
    let axis = context.rule().axis;
    let no_change = |what: &str| {
        on_target(format!("the step at a distance of {} from the threshold {what}", number(distance)))
    };
    match (axis, adjustment) {
        (Axis::Instances, _) => {
            let current = context.observed.size.instances;
            let to = steps::adjusted(current, adjustment, min_step);
            let is_exact = matches!(adjustment, Adjustment::Exact(_));
            let magnitude = if is_exact { Magnitude::Exactly(to) } else { Magnitude::StepTo(to) };
            let proposal = toward(axis, current, to, magnitude);
            proposal.ok_or_else(|| no_change(&format!("leaves {current}")))
        }
        (Axis::Shape | Axis::Bandwidth, Adjustment::Change(0)) => Err(no_change("changes nothing")),
        (Axis::Shape | Axis::Bandwidth, Adjustment::Change(by)) => Ok(by_step(context, by)),
        // The policy refuses these on the two axes when it is loaded.
        (Axis::Shape | Axis::Bandwidth, Adjustment::Percent(_) | Adjustment::Exact(_)) => {
            Err(on_target("only instances are counted in percent".to_owned()))
        }
    }
}

/// Target tracking: as far as brings the metric to its target. Never against the direction of the alarm.
fn by_target_tracking(context: &mut Context, target: f64) -> Result<Proposal, Hold> {
    let reading = utilization(context)?;
    let Reading { metric, value } = reading;
    let proposal = match toward_target(context, metric, value / target) {
        Ok(proposal) => proposal,
        Err(hold) => return context.check_result("not_resizable", metric, Err(hold)),
    };
    let direction = context.alarm_direction();
    let allowed = |proposal: &Proposal| direction.is_none_or(|direction| direction == proposal.direction);
    let proposal = proposal.filter(allowed).ok_or_else(|| {
        let wanted = match direction {
            Some(Direction::Up) => "more",
            Some(Direction::Down) => "less",
            None => "neither more nor less",
        };
        let (value, target) = (number(value), number(target));
        on_target(format!("{metric} is at {value} of {target}, and the alarm requests {wanted}"))
    });
    context.check_result("on_target", format!("{} of {}", number(value), number(target)), proposal)
}

/// The value of the alarm's metric in percent of the capacity that exists, or a hold where it is missing.
fn utilization<'a>(context: &mut Context<'a>) -> Result<Reading<'a>, Hold> {
    let reading = context.own_reading().and_then(|reading| {
        let rung = context.observed_rung();
        let percent = context.percent_of_capacity(&reading, rung.as_deref());
        let metric = reading.metric;
        let unknown = || Hold::NoData {
            missing: format!(
                "`{metric}` grows with the shape, and `{}` is on no ladder",
                context.observed.size.rung()
            ),
        };
        Ok(Reading { metric, value: percent.ok_or_else(unknown)? })
    });
    let input = match &reading {
        Ok(Reading { metric, value }) => format!("{metric} at {}", number(*value)),
        Err(_) => "no value".to_owned(),
    };
    context.check_result("no_data", input, reading)
}

/// What carries so many times the observed load at the target; `None` where that is what exists.
fn toward_target(context: &Context, metric: &str, times: f64) -> Result<Option<Proposal>, Hold> {
    let axis = context.rule().axis;
    let observed = &context.observed.size;
    match axis {
        Axis::Instances => Ok(least_for(axis, observed.instances, times)),
        Axis::Bandwidth => Ok(least_for(axis, observed.bandwidth_mbps.unwrap_or_default(), times)),
        Axis::Shape => match (Resource::of(metric), context.observed_rung()) {
            (Some(resource), Some(rung)) if resource != Resource::Bandwidth => {
                let direction = if times > 1.0 { Direction::Up } else { Direction::Down };
                let magnitude = Magnitude::Offering(resource, resource.offered(&rung) * times);
                Ok(Some(Proposal { axis, direction, magnitude }))
            }
            (Some(_), None) => {
                Ok(Some(Proposal { axis, direction: Direction::Up, magnitude: Magnitude::By(1) }))
            }
            (Some(_), Some(_)) | (None, _) => {
                let why = format!("`{metric}` measures no resource that a shape has more or less of");
                Err(Hold::NotResizable { axis, why })
            }
        },
    }
}

/// The noise of a floating-point division: a millionth of one instance or Mbps.
const NOISE: f64 = 1e-6;

/// The least count or bandwidth that carries so many times the load; `None` where that is the current one.
fn least_for(axis: Axis, current: u32, times: f64) -> Option<Proposal> {
    let to = whole((f64::from(current) * times - NOISE).ceil().max(0.0));
    toward(axis, current, to, Magnitude::Exactly(to))
}

/// A proposal from one number to another; `None` where they are equal.
fn toward(axis: Axis, current: u32, to: u32, magnitude: Magnitude) -> Option<Proposal> {
    let direction = if to > current { Direction::Up } else { Direction::Down };
    (to != current).then_some(Proposal { axis, direction, magnitude })
}

fn on_target(why: String) -> Hold {
    Hold::OnTarget { why }
}

/// The whole part of a number, at most `u32::MAX`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the conversion saturates")]
pub(super) fn whole(number: f64) -> u32 {
    number as u32
}
