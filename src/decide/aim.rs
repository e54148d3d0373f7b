//! How far a rule wants to go, before anybody objects.

use crate::alarm::Side;
use crate::deployment::{Axis, Deployment, Way};
use crate::ladder::Draw;
use crate::policy::{Adjustment, Policy, Steps, Stride};

use super::{Guards, Hold, Question, Saw, load, steps};

/// What a rule wants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Intent {
    pub(super) axis: Axis,
    pub(super) way: Way,
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
    Carry(Draw, f64),
}

pub(super) fn intent(
    guards: &mut Guards,
    question: &Question,
    seen: &Deployment,
    policy: &Policy,
) -> Result<Intent, Hold> {
    let axis = question.matched.rule.axis;
    let intent = match question.matched.stride() {
        Stride::Step(step) => fixed(axis, seen, *step),
        Stride::Steps(steps) => {
            let (beyond, side) = beyond(guards, question, seen)?;
            by_steps(guards, (axis, seen), steps, side, beyond)?
        }
        Stride::Track(target) => track(guards, question, seen, policy, *target)?,
        // Asked elsewhere, over both axes.
        Stride::Cheapest => fixed(axis, seen, 0),
    };
    measured_at_all(guards, question, intent.way)?;
    Ok(intent)
}

fn fixed(axis: Axis, seen: &Deployment, step: i32) -> Intent {
    let way = if step > 0 { Way::Up } else { Way::Down };
    let aim = match axis {
        Axis::Instances => Aim::Step(steps::adjusted(seen.size.instances, Adjustment::Change(step), 1)),
        Axis::Shape | Axis::Bandwidth => Aim::By(step.unsigned_abs()),
    };
    Intent { axis, way, aim }
}

/// An alarm that fires because nothing was measured is no reason to take anything away.
fn measured_at_all(guards: &mut Guards, question: &Question, way: Way) -> Result<(), Hold> {
    let missing = question.alarm.signal.missing && way == Way::Down;
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
fn beyond(guards: &mut Guards, question: &Question, seen: &Deployment) -> Result<(f64, Side), Hold> {
    let found = load::measured(question, seen).and_then(|(metric, value)| {
        let none = || Hold::NoData { missing: format!("the alarm on `{metric}` tells no threshold") };
        let threshold = question.alarm.signal.threshold.ok_or_else(none)?;
        // Where the alarm does not tell its side, the value does.
        let told = if value < threshold { Side::Below } else { Side::Above };
        Ok((value, threshold, question.alarm.signal.side.unwrap_or(told)))
    });
    let saw = match &found {
        Ok((value, threshold, _)) => Saw::Beyond { value: *value, threshold: *threshold },
        Err(_) => Saw::from("no value"),
    };
    let (value, threshold, side) = guards.ask_for("no_data", saw, found)?;
    Ok((value - threshold, side))
}

fn by_steps(
    guards: &mut Guards,
    (axis, seen): (Axis, &Deployment),
    steps: &Steps,
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
                let way = if to > now { Way::Up } else { Way::Down };
                let aim = if exact { Aim::To(to) } else { Aim::Step(to) };
                let changes = to != now;
                changes.then_some(Intent { axis, way, aim }).ok_or_else(|| {
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
    guards.ask_for("on_target", Saw::Away(beyond), wanted)
}

/// As far as it takes to bring the metric to its target: never against what the alarm asks for.
fn track(
    guards: &mut Guards,
    question: &Question,
    seen: &Deployment,
    policy: &Policy,
    target: f64,
) -> Result<Intent, Hold> {
    let axis = question.matched.rule.axis;
    let rung = policy.ladders.rung(&seen.size.rung());
    let found = load::measured(question, seen).and_then(|(metric, value)| {
        let unknown = || Hold::NoData {
            missing: format!("`{metric}` grows with the shape, and `{}` is on no ladder", seen.size.rung()),
        };
        Ok((metric, load::percent(question, metric, value, rung.as_deref()).ok_or_else(unknown)?))
    });
    let saw = found
        .as_ref()
        .map_or_else(|_| "no value".to_owned(), |(metric, value)| format!("{metric} at {value}"));
    let (metric, value) = guards.ask_for("no_data", saw, found)?;

    let times = value / target;
    let wanted = match axis {
        Axis::Instances => to_carry(axis, seen.size.instances, times),
        Axis::Bandwidth => to_carry(axis, seen.size.bandwidth_mbps.unwrap_or_default(), times),
        Axis::Shape => match (Draw::of(metric), &rung) {
            (Some(draw), Some(rung)) if draw != Draw::Bandwidth => {
                let way = if times > 1.0 { Way::Up } else { Way::Down };
                Some(Intent { axis, way, aim: Aim::Carry(draw, draw.offered(rung) * times) })
            }
            (Some(_), None) => Some(Intent { axis, way: Way::Up, aim: Aim::By(1) }),
            _ => {
                let why = format!("`{metric}` does not say what a shape must have more of");
                return Err(Hold::NotResizable { axis, why });
            }
        },
    };
    let asks = question.asks();
    let wanted = wanted.filter(|intent| asks.is_none_or(|asks| asks == intent.way));
    let why = || format!("{metric} is at {value} of {target}, and the alarm asks for {}", asked(asks));
    let wanted = wanted.ok_or_else(|| Hold::OnTarget { why: why() });
    guards.ask_for("on_target", Saw::Of { value, target }, wanted)
}

fn asked(asks: Option<Way>) -> &'static str {
    match asks {
        Some(Way::Up) => "more",
        Some(Way::Down) => "less",
        None => "neither more nor less",
    }
}

/// A millionth of one is the noise of a division.
const NOISE: f64 = 1e-6;

/// The least that carries so many times the load; `None` where that is what there is.
fn to_carry(axis: Axis, now: u32, times: f64) -> Option<Intent> {
    let wanted = (f64::from(now) * times - NOISE).ceil().max(0.0);
    let to = whole(wanted);
    let way = if to > now { Way::Up } else { Way::Down };
    (to != now).then_some(Intent { axis, way, aim: Aim::To(to) })
}

/// A number without a fraction; one beyond all counting is cut off, as by any bounds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the conversion saturates")]
pub(super) fn whole(number: f64) -> u32 {
    number as u32
}
