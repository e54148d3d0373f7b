//! What speaks against a change that could be made: pauses, cooldowns, too many changes, flapping and cost.

use jiff::{SignedDuration, Timestamp};

use crate::deployment::{Deployment, SuspendedScaling};
use crate::ladder::{Resource, Rung};
use crate::policy::Policy;
use crate::policy::flap::{MARGIN, high_threshold};
use crate::size::{Axis, Direction};
use crate::tags::{self, HOUR, RecentChange};

use super::aim::{Aim, Intent};
use super::size::Goal;
use super::{Evaluation, Guards, Hold, load};

/// What an operator has paused stays as it is.
pub(super) fn not_paused(
    guards: &mut Guards,
    evaluation: &Evaluation,
    seen: &Deployment,
    (axis, direction): (Axis, Direction),
) -> Result<(), Hold> {
    let paused = evaluation.pause.as_ref().filter(|pause| pause.stops(direction, evaluation.now));
    let tagged = paused.map(ToString::to_string);
    let stops = |pause: &&SuspendedScaling| {
        pause.axis == axis && if direction == Direction::Up { pause.up } else { pause.down }
    };
    let by = tagged.or_else(|| seen.pauses.iter().find(stops).map(|pause| pause.by.clone()));
    match by {
        Some(by) => guards.ask("paused", by.clone(), Some(Hold::Paused { by })),
        None => guards.ask("paused", "no pause", None),
    }
}

/// After a change nothing is changed for a while. A larger step up adds what it is larger by.
pub(super) fn cooled(
    guards: &mut Guards,
    evaluation: &Evaluation,
    seen: &Deployment,
    intent: Intent,
) -> Result<Intent, Hold> {
    let direction = intent.direction;
    let Some(until) = cooling_until(evaluation, seen, direction) else {
        guards.ask("cooling_down", RESTED, None)?;
        return Ok(intent);
    };
    let credit = if direction == Direction::Up { credit(evaluation, seen) } else { 0 };
    let more = match intent.aim {
        Aim::Step(to) if credit > 0 => {
            let to = to.saturating_sub(credit.unsigned_abs());
            (to > seen.size.instances).then_some(Intent { aim: Aim::Step(to), ..intent })
        }
        Aim::Step(_) | Aim::To(_) | Aim::By(_) | Aim::Carry(..) => None,
    };
    let saw = format!("until {until}, {credit} added since it began");
    guards.ask_for("cooling_down", saw, more.ok_or(Hold::CoolingDown { direction, until, credit }))
}

/// After a change nothing is changed for a while.
pub(super) fn rested(
    guards: &mut Guards,
    evaluation: &Evaluation,
    seen: &Deployment,
    direction: Direction,
) -> Result<(), Hold> {
    match cooling_until(evaluation, seen, direction) {
        None => guards.ask("cooling_down", RESTED, None),
        Some(until) => guards.ask(
            "cooling_down",
            format!("until {until}"),
            Some(Hold::CoolingDown { direction, until, credit: 0 }),
        ),
    }
}

/// What is seen of a cooldown that is over.
const RESTED: &str = "the last change is long enough ago";

/// Until when nothing goes that way after the last change. What was taken away last keeps nothing from being added.
fn cooling_until(evaluation: &Evaluation, seen: &Deployment, direction: Direction) -> Option<Timestamp> {
    let cooldown = evaluation.matched.rule.is.cooldown;
    let lasts = if direction == Direction::Up { cooldown.up } else { cooldown.down };
    if !lasts.is_positive() {
        return None;
    }
    let until = seen.last_change?.checked_add(lasts).ok()?;
    let last_went_down = || last_recorded(seen).is_some_and(|last| last.direction() == Direction::Down);
    (evaluation.now < until && !(direction == Direction::Up && last_went_down())).then_some(until)
}

/// No update takes longer from being asked for to being completed.
const LONGEST_UPDATE: SignedDuration = HOUR;

/// What is on record of the last change. Somebody else's is on none, and neither is one on record that came to nothing.
fn last_recorded(seen: &Deployment) -> Option<RecentChange> {
    let completed = seen.last_change?;
    let last = tags::recent(&seen.tags).pop()?;
    (SignedDuration::ZERO..=LONGEST_UPDATE).contains(&completed.duration_since(last.at)).then_some(last)
}

/// How many instances were added since the cooldown began.
fn credit(evaluation: &Evaluation, seen: &Deployment) -> i32 {
    let last =
        last_recorded(seen).filter(|last| last.axis == Axis::Instances && last.direction() == Direction::Up);
    let cools = cooling_until(evaluation, seen, Direction::Up).is_some();
    last.filter(|_| cools).map_or(0, |last| last.added)
}

/// Whether changes of a deployment are remembered: as soon as one rule for it has to know them, because it has to know those
/// that other rules make as well.
pub(crate) fn keeps_a_record(evaluation: &Evaluation, policy: &Policy) -> bool {
    evaluation.matched.rule.keeps_a_record() || policy.keeps_a_record(evaluation.target)
}

/// The line that remembers a change together with those before it.
pub(crate) fn remembered(
    evaluation: &Evaluation,
    seen: &Deployment,
    policy: &Policy,
    (axis, direction, to): (Axis, Direction, u32),
) -> Option<String> {
    if !keeps_a_record(evaluation, policy) {
        return None;
    }
    let sign = if direction == Direction::Up { 1 } else { -1 };
    let added = match axis {
        Axis::Instances => {
            let difference = i64::from(to) - i64::from(seen.size.instances);
            let difference = i32::try_from(difference).unwrap_or(sign);
            if direction == Direction::Up {
                difference.saturating_add(credit(evaluation, seen))
            } else {
                difference
            }
        }
        Axis::Shape | Axis::Bandwidth => sign,
    };
    let next = RecentChange { at: evaluation.now, axis, added };
    Some(tags::with_recent(&tags::recent(&seen.tags), next))
}

/// Nothing is changed more often than the policy lets it be.
pub(super) fn not_too_often(
    guards: &mut Guards,
    evaluation: &Evaluation,
    seen: &Deployment,
) -> Result<(), Hold> {
    let Some(most) = evaluation.matched.rule.is.max_changes_per_hour else { return Ok(()) };
    let known = tags::recent(&seen.tags);
    let counts = |recent: &&RecentChange| evaluation.now.duration_since(recent.at) < HOUR;
    let within: Vec<&RecentChange> = known.iter().filter(counts).collect();
    let most_kept = usize::try_from(most).unwrap_or(usize::MAX);
    // The next may come when only so many are left that one more is allowed.
    let oldest = within.len().checked_sub(most_kept).and_then(|at| within.get(at));
    let until = oldest.and_then(|oldest| oldest.at.checked_add(HOUR).ok());
    let saw = format!("{} of {most} within an hour", within.len());
    guards.ask("too_many_changes", saw, until.map(|until| Hold::TooManyChanges { most, until }))
}

/// What is taken away must leave the load well under the threshold of the alarm that adds. A smaller step is taken where
/// that one does.
pub(super) fn stays_down<'a>(
    guards: &mut Guards,
    evaluation: &Evaluation,
    seen: &Deployment,
    policy: &Policy,
    (direction, goal): (Direction, Goal<'a>),
) -> Result<Goal<'a>, Hold> {
    if direction == Direction::Up {
        return Ok(goal);
    }
    let Some((metric, value, above)) = at_stake(evaluation, seen, policy, &goal) else {
        guards.ask("would_flap", "nobody knows what calls for more", None)?;
        return Ok(goal);
    };
    let most = above * MARGIN;
    let after = |goal: &Goal| value * ratio(metric, goal);
    let wanted = after(&goal);
    // Within so many steps it is known how far it may go: by one at a time.
    let safe = nearest_well(goal, value, most).shortened(|goal| after(goal) < most);
    if let Some(goal) = safe {
        let saw = format!("{value} would be {} of {most}", round(after(&goal)));
        guards.ask("would_flap", saw, None)?;
        Ok(goal)
    } else {
        let why = format!(
            "{} at {value} would be {}, and the alarm that adds fires above {above}, less a tenth {most}",
            metric.unwrap_or("the load"),
            round(wanted)
        );
        guards.ask_for("would_flap", why.clone(), Err(Hold::WouldFlap { why }))
    }
}

/// A count may have many steps to go: the first that leaves enough is reckoned, not searched for.
fn nearest_well(goal: Goal<'_>, value: f64, most: f64) -> Goal<'_> {
    match goal {
        Goal::Number { axis, now, to } => {
            let least = super::aim::whole((f64::from(now) * value / most).floor());
            Goal::Number { axis, now, to: to.max(least).min(now.saturating_sub(1).max(to)) }
        }
        rung @ Goal::Rung { .. } => rung,
    }
}

/// The metric, what it reads now and the threshold of the alarm that adds: in percent, or in the metric's own unit where
/// it has no end.
fn at_stake<'a>(
    evaluation: &'a Evaluation,
    seen: &Deployment,
    policy: &Policy,
    goal: &Goal,
) -> Option<(Option<&'a str>, f64, f64)> {
    let metric = evaluation.metric();
    let above = high_threshold(evaluation.matched.rule.is.scale_up_threshold, metric)?;
    let name = metric.unwrap_or_default();
    // A low alarm that does not tell its value has at least found it under its threshold.
    let value = load::value(evaluation, seen, name).or(evaluation.alarm.measurement.threshold)?;
    let looked_up;
    let rung = if let Some((rung, _)) = goal.rungs() {
        Some(rung)
    } else {
        looked_up = policy.ladders.rung(&seen.size.rung());
        looked_up.as_deref()
    };
    Some((metric, load::percent(evaluation, name, value, rung)?, above))
}

/// By how much the load on each grows.
fn ratio(metric: Option<&str>, goal: &Goal) -> f64 {
    match goal {
        Goal::Number { now, to, .. } => f64::from(*now) / f64::from((*to).max(1)),
        Goal::Rung { .. } => {
            let grows = |(from, to): (&Rung, &Rung)| match metric.and_then(Resource::of) {
                Some(resource) => resource.ratio(from, to),
                // Whatever it draws on, it grows by no more than that.
                None => Resource::Cpu.ratio(from, to).max(Resource::Memory.ratio(from, to)),
            };
            goal.rungs().map_or(1.0, grows)
        }
    }
}

/// What is added must be paid for. A smaller step is taken where that one can be.
pub(super) fn affordable<'a>(
    guards: &mut Guards,
    evaluation: &Evaluation,
    seen: &Deployment,
    policy: &Policy,
    (direction, goal): (Direction, Goal<'a>),
) -> Result<Goal<'a>, Hold> {
    let Some(most) = evaluation.matched.rule.is.max_hourly_cost else { return Ok(goal) };
    if direction == Direction::Down || matches!(goal, Goal::Number { axis: Axis::Bandwidth, .. }) {
        return Ok(goal);
    }
    let cost = |goal: &Goal| policy.ladders.cost(&goal.size(seen));
    let wanted = cost(&goal);
    let within = goal.shortened(|goal| cost(goal).is_some_and(|cost| cost <= most + CENT));
    if let Some(goal) = within {
        let saw = format!("{} USD an hour of {most}", round(cost(&goal).unwrap_or_default()));
        guards.ask("over_budget", saw, None)?;
        Ok(goal)
    } else {
        let saw = wanted
            .map_or_else(|| "no price".to_owned(), |cost| format!("{} USD an hour of {most}", round(cost)));
        guards.ask_for("over_budget", saw, Err(Hold::OverBudget { cost: wanted, most }))
    }
}

/// A ten-thousandth of a cent is the noise of adding prices.
pub(super) const CENT: f64 = 1e-6;

/// As it is shown.
pub(super) fn round(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}
