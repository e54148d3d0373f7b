//! How far a rule wants to go, before anybody objects.

use crate::alarm::Side;
use crate::deployment::Deployment;
use crate::ladder::Resource;
use crate::policy::Policy;
use crate::scaling::{Adjustment, ScalingPolicy, StepAdjustments};
use crate::size::{Axis, Direction};

use super::{CheckInput, Evaluation, Guards, Hold, load, steps};

/// What a rule wants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Intent {
    pub(super) axis: Axis,
    pub(super) direction: Direction,
    pub(super) aim: Aim,
}

/// How far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Aim {
    /// So many instances in all, as a step from those that there are: what was added since a cooldown began is not
    /// added again.
    Step(u32),
    /// So many instances or Mbps in all, whatever there is.
    To(u32),
    /// So many rungs or doublings further.
    By(u32),
    /// To the first rung that offers this much.
    Carry(Resource, f64),
}

pub(super) fn intent(
    guards: &mut Guards,
    evaluation: &Evaluation,
    seen: &Deployment,
    policy: &Policy,
) -> Result<Intent, Hold> {
    let axis = evaluation.matched.rule.axis;
    let intent = match evaluation.matched.scaling_policy() {
        ScalingPolicy::Step(step) => fixed(axis, seen, *step),
        ScalingPolicy::Steps(steps) => {
            let (beyond, side) = beyond(guards, evaluation, seen)?;
            by_steps(guards, (axis, seen), steps, side, beyond)?
        }
        ScalingPolicy::Track(target) => track(guards, evaluation, seen, policy, *target)?,
        // Asked elsewhere, over both axes.
        ScalingPolicy::Cheapest => fixed(axis, seen, 0),
    };
    measured_at_all(guards, evaluation, intent.direction)?;
    Ok(intent)
}

fn fixed(axis: Axis, seen: &Deployment, step: i32) -> Intent {
    let direction = if step > 0 { Direction::Up } else { Direction::Down };
    let aim = match axis {
        Axis::Instances => Aim::Step(steps::adjusted(seen.size.instances, Adjustment::Change(step), 1)),
        Axis::Shape | Axis::Bandwidth => Aim::By(step.unsigned_abs()),
    };
    Intent { axis, direction, aim }
}

/// An alarm that fires because nothing was measured is no reason to take anything away.
fn measured_at_all(guards: &mut Guards, evaluation: &Evaluation, direction: Direction) -> Result<(), Hold> {
    let missing = evaluation.alarm.measurement.missing && direction == Direction::Down;
    let hold = missing.then(|| Hold::NoData {
        missing: "the alarm fires because no data came, which its `TreatMissingData` takes for a breach"
            .to_owned(),
    });
    match hold {
        Some(hold) => guards.ask("no_data", "no data", Some(hold)),
        None => Ok(()),
    }
}

/// How far the value is beyond the threshold, and on which side the alarm fires.
fn beyond(guards: &mut Guards, evaluation: &Evaluation, seen: &Deployment) -> Result<(f64, Side), Hold> {
    let found = load::measured(evaluation, seen).and_then(|(metric, value)| {
        let none = || Hold::NoData { missing: format!("the alarm on `{metric}` tells no threshold") };
        let threshold = evaluation.alarm.measurement.threshold.ok_or_else(none)?;
        // Where the alarm does not tell its side, the value does.
        let told = if value < threshold { Side::Below } else { Side::Above };
        Ok((value, threshold, evaluation.alarm.measurement.side.unwrap_or(told)))
    });
    let saw = match &found {
        Ok((value, threshold, _)) => CheckInput::Beyond { value: *value, threshold: *threshold },
        Err(_) => CheckInput::from("no value"),
    };
    let (value, threshold, side) = guards.ask_for("no_data", saw, found)?;
    Ok((value - threshold, side))
}

fn by_steps(
    guards: &mut Guards,
    (axis, seen): (Axis, &Deployment),
    steps: &StepAdjustments,
    side: Side,
    beyond: f64,
) -> Result<Intent, Hold> {
    let found = steps::step(steps, side, beyond);
    let nothing = |why: String| Hold::OnTarget { why };
    let wanted = match found.map(|step| step.adjustment) {
        None => Err(nothing(format!("no step holds a distance of {beyond} from the threshold"))),
        Some(adjustment) => match axis {
            Axis::Instances => {
                let now = seen.size.instances;
                let to = steps::adjusted(now, adjustment, steps.min_step);
                let exact = matches!(adjustment, Adjustment::Exact(_));
                let direction = if to > now { Direction::Up } else { Direction::Down };
                let aim = if exact { Aim::To(to) } else { Aim::Step(to) };
                let changes = to != now;
                changes.then_some(Intent { axis, direction, aim }).ok_or_else(|| {
                    nothing(format!("the step at a distance of {beyond} from the threshold leaves {now}"))
                })
            }
            Axis::Shape | Axis::Bandwidth => match adjustment {
                Adjustment::Change(0) => Err(nothing(format!(
                    "the step at a distance of {beyond} from the threshold changes nothing"
                ))),
                Adjustment::Change(by) => Ok(fixed(axis, seen, by)),
                // The policy has none on these axes.
                Adjustment::Percent(_) | Adjustment::Exact(_) => {
                    Err(nothing("only instances are counted in percent".to_owned()))
                }
            },
        },
    };
    guards.ask_for("on_target", CheckInput::Away(beyond), wanted)
}

/// As far as it takes to bring the metric to its target: never against what the alarm asks for.
fn track(
    guards: &mut Guards,
    evaluation: &Evaluation,
    seen: &Deployment,
    policy: &Policy,
    target: f64,
) -> Result<Intent, Hold> {
    let axis = evaluation.matched.rule.axis;
    let rung = policy.ladders.rung(&seen.size.rung());
    let found = load::measured(evaluation, seen).and_then(|(metric, value)| {
        let unknown = || Hold::NoData {
            missing: format!("`{metric}` grows with the shape, and `{}` is on no ladder", seen.size.rung()),
        };
        Ok((metric, load::percent(evaluation, metric, value, rung.as_deref()).ok_or_else(unknown)?))
    });
    let saw = found
        .as_ref()
        .map_or_else(|_| "no value".to_owned(), |(metric, value)| format!("{metric} at {value}"));
    let (metric, value) = guards.ask_for("no_data", saw, found)?;

    let times = value / target;
    let wanted = match axis {
        Axis::Instances => to_carry(axis, seen.size.instances, times),
        Axis::Bandwidth => to_carry(axis, seen.size.bandwidth_mbps.unwrap_or_default(), times),
        Axis::Shape => match (Resource::of(metric), &rung) {
            (Some(resource), Some(rung)) if resource != Resource::Bandwidth => {
                let direction = if times > 1.0 { Direction::Up } else { Direction::Down };
                Some(Intent { axis, direction, aim: Aim::Carry(resource, resource.offered(rung) * times) })
            }
            (Some(_), None) => Some(Intent { axis, direction: Direction::Up, aim: Aim::By(1) }),
            _ => {
                let why = format!("`{metric}` does not say what a shape must have more of");
                return Err(Hold::NotResizable { axis, why });
            }
        },
    };
    let asks = evaluation.asks();
    let wanted = wanted.filter(|intent| asks.is_none_or(|asks| asks == intent.direction));
    let why = || format!("{metric} is at {value} of {target}, and the alarm asks for {}", asked(asks));
    let wanted = wanted.ok_or_else(|| Hold::OnTarget { why: why() });
    guards.ask_for("on_target", CheckInput::Of { value, target }, wanted)
}

fn asked(asks: Option<Direction>) -> &'static str {
    match asks {
        Some(Direction::Up) => "more",
        Some(Direction::Down) => "less",
        None => "neither more nor less",
    }
}

/// A millionth of one is the noise of a division.
const NOISE: f64 = 1e-6;

/// The least that carries so many times the load; `None` where that is what there is.
fn to_carry(axis: Axis, now: u32, times: f64) -> Option<Intent> {
    let wanted = (f64::from(now) * times - NOISE).ceil().max(0.0);
    let to = whole(wanted);
    let direction = if to > now { Direction::Up } else { Direction::Down };
    (to != now).then_some(Intent { axis, direction, aim: Aim::To(to) })
}

/// A number without a fraction; one beyond all counting is cut off, as by any bounds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the conversion saturates")]
pub(super) fn whole(number: f64) -> u32 {
    number as u32
}
