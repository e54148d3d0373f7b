//! What speaks against a change that could be made: pauses, cooldowns, too many changes, flapping and cost.

use jiff::{SignedDuration, Timestamp};

use crate::deployment::{Axis, Deployment, Pause, Way};
use crate::ladder::{Draw, Rung};
use crate::policy::Policy;
use crate::policy::flap::{MARGIN, high_threshold};
use crate::tagged::{self, HOUR, Recent};

use super::aim::{Aim, Intent};
use super::size::Goal;
use super::{Guards, Hold, Question, load};

/// What an operator has paused stays as it is.
pub(super) fn not_paused(
    guards: &mut Guards,
    question: &Question,
    seen: &Deployment,
    (axis, way): (Axis, Way),
) -> Result<(), Hold> {
    let paused = question.pause.as_ref().filter(|pause| pause.stops(way, question.now));
    let tagged = paused.map(ToString::to_string);
    let stops = |pause: &&Pause| pause.axis == axis && if way == Way::Up { pause.up } else { pause.down };
    let by = tagged.or_else(|| seen.pauses.iter().find(stops).map(|pause| pause.by.clone()));
    match by {
        Some(by) => guards.ask("paused", by.clone(), Some(Hold::Paused { by })),
        None => guards.ask("paused", "no pause", None),
    }
}

/// After a change nothing is changed for a while. A larger step up adds what it is larger by.
pub(super) fn cooled(
    guards: &mut Guards,
    question: &Question,
    seen: &Deployment,
    intent: Intent,
) -> Result<Intent, Hold> {
    let way = intent.way;
    let Some(until) = cooling_until(question, seen, way) else {
        guards.ask("cooling_down", RESTED, None)?;
        return Ok(intent);
    };
    let credit = if way == Way::Up { credit(question, seen) } else { 0 };
    let more = match intent.aim {
        Aim::Step(to) if credit > 0 => {
            let to = to.saturating_sub(credit.unsigned_abs());
            (to > seen.size.instances).then_some(Intent { aim: Aim::Step(to), ..intent })
        }
        Aim::Step(_) | Aim::To(_) | Aim::By(_) | Aim::Carry(..) => None,
    };
    let saw = format!("until {until}, {credit} added since it began");
    guards.ask_for("cooling_down", saw, more.ok_or(Hold::CoolingDown { way, until, credit }))
}

/// After a change nothing is changed for a while.
pub(super) fn rested(
    guards: &mut Guards,
    question: &Question,
    seen: &Deployment,
    way: Way,
) -> Result<(), Hold> {
    match cooling_until(question, seen, way) {
        None => guards.ask("cooling_down", RESTED, None),
        Some(until) => guards.ask(
            "cooling_down",
            format!("until {until}"),
            Some(Hold::CoolingDown { way, until, credit: 0 }),
        ),
    }
}

/// What is seen of a cooldown that is over.
const RESTED: &str = "the last change is long enough ago";

/// Until when nothing goes that way after the last change. What was taken away last keeps nothing from being added.
fn cooling_until(question: &Question, seen: &Deployment, way: Way) -> Option<Timestamp> {
    let cooldown = question.matched.rule.is.cooldown;
    let lasts = if way == Way::Up { cooldown.up } else { cooldown.down };
    if !lasts.is_positive() {
        return None;
    }
    let until = seen.last_change?.checked_add(lasts).ok()?;
    let last_went_down = || last_recorded(seen).is_some_and(|last| last.way() == Way::Down);
    (question.now < until && !(way == Way::Up && last_went_down())).then_some(until)
}

/// No update takes longer from being asked for to being completed.
const LONGEST_UPDATE: SignedDuration = HOUR;

/// What is on record of the last change. Somebody else's is on none, and neither is one on record that came to nothing.
fn last_recorded(seen: &Deployment) -> Option<Recent> {
    let completed = seen.last_change?;
    let last = tagged::recent(&seen.tags).pop()?;
    (SignedDuration::ZERO..=LONGEST_UPDATE).contains(&completed.duration_since(last.at)).then_some(last)
}

/// How many instances were added since the cooldown began.
fn credit(question: &Question, seen: &Deployment) -> i32 {
    let last = last_recorded(seen).filter(|last| last.axis == Axis::Instances && last.way() == Way::Up);
    let cools = cooling_until(question, seen, Way::Up).is_some();
    last.filter(|_| cools).map_or(0, |last| last.added)
}

/// Whether changes of a deployment are remembered: as soon as one rule for it has to know them, because it has to know those
/// that other rules make as well.
pub(crate) fn keeps_a_record(question: &Question, policy: &Policy) -> bool {
    question.matched.rule.keeps_a_record() || policy.keeps_a_record(question.target)
}

/// The line that remembers a change together with those before it.
pub(crate) fn remembered(
    question: &Question,
    seen: &Deployment,
    policy: &Policy,
    (axis, way, to): (Axis, Way, u32),
) -> Option<String> {
    if !keeps_a_record(question, policy) {
        return None;
    }
    let sign = if way == Way::Up { 1 } else { -1 };
    let added = match axis {
        Axis::Instances => {
            let difference = i64::from(to) - i64::from(seen.size.instances);
            let difference = i32::try_from(difference).unwrap_or(sign);
            if way == Way::Up { difference.saturating_add(credit(question, seen)) } else { difference }
        }
        Axis::Shape | Axis::Bandwidth => sign,
    };
    let next = Recent { at: question.now, axis, added };
    Some(tagged::with_recent(&tagged::recent(&seen.tags), next))
}

/// Nothing is changed more often than the policy lets it be.
pub(super) fn not_too_often(guards: &mut Guards, question: &Question, seen: &Deployment) -> Result<(), Hold> {
    let Some(most) = question.matched.rule.is.max_changes_per_hour else { return Ok(()) };
    let known = tagged::recent(&seen.tags);
    let counts = |recent: &&Recent| question.now.duration_since(recent.at) < HOUR;
    let within: Vec<&Recent> = known.iter().filter(counts).collect();
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
    question: &Question,
    seen: &Deployment,
    policy: &Policy,
    (way, goal): (Way, Goal<'a>),
) -> Result<Goal<'a>, Hold> {
    if way == Way::Up {
        return Ok(goal);
    }
    let Some((metric, value, above)) = at_stake(question, seen, policy, &goal) else {
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
    question: &'a Question,
    seen: &Deployment,
    policy: &Policy,
    goal: &Goal,
) -> Option<(Option<&'a str>, f64, f64)> {
    let metric = question.metric();
    let above = high_threshold(question.matched.rule.is.above, metric)?;
    let name = metric.unwrap_or_default();
    // A low alarm that does not tell its value has at least found it under its threshold.
    let value = load::value(question, seen, name).or(question.alarm.signal.threshold)?;
    let looked_up;
    let rung = if let Some((rung, _)) = goal.rungs() {
        Some(rung)
    } else {
        looked_up = policy.ladders.rung(&seen.size.rung());
        looked_up.as_deref()
    };
    Some((metric, load::percent(question, name, value, rung)?, above))
}

/// By how much the load on each grows.
fn ratio(metric: Option<&str>, goal: &Goal) -> f64 {
    match goal {
        Goal::Number { now, to, .. } => f64::from(*now) / f64::from((*to).max(1)),
        Goal::Rung { .. } => {
            let grows = |(from, to): (&Rung, &Rung)| match metric.and_then(Draw::of) {
                Some(draw) => draw.ratio(from, to),
                // Whatever it draws on, it grows by no more than that.
                None => Draw::Cpu.ratio(from, to).max(Draw::Memory.ratio(from, to)),
            };
            goal.rungs().map_or(1.0, grows)
        }
    }
}

/// What is added must be paid for. A smaller step is taken where that one can be.
pub(super) fn affordable<'a>(
    guards: &mut Guards,
    question: &Question,
    seen: &Deployment,
    policy: &Policy,
    (way, goal): (Way, Goal<'a>),
) -> Result<Goal<'a>, Hold> {
    let Some(most) = question.matched.rule.is.max_hourly_cost else { return Ok(goal) };
    if way == Way::Down || matches!(goal, Goal::Number { axis: Axis::Bandwidth, .. }) {
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
