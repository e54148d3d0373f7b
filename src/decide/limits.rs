//! The guards on a change that could be made: pauses, cooldowns, change rate, flapping and cost.
//!
//! Each guard has the name of the hold reason that it gives. The guards follow in the order in which they run.

use jiff::Timestamp;

use crate::deployment::SuspendedScaling;
use crate::ladder::{Resource, Rung};
use crate::policy::flap::{MARGIN, high_threshold};
use crate::size::{Axis, Direction, Size};
use crate::tags::{self, HOUR, RecentChange};
use crate::text::number;

use super::desired_size::DesiredSize;
use super::loads::{objection, other_loads};
use super::metrics::Reading;
use super::proposal::{Magnitude, Proposal};
use super::{Context, Hold};

/// Scaling that an operator or the platform has paused stays paused.
pub(super) fn paused(context: &mut Context, axis: Axis, direction: Direction) -> Result<(), Hold> {
    let now = context.evaluation.now;
    let by_tag = context.evaluation.pause.as_ref().filter(|pause| pause.stops(direction, now));
    let suspends = |suspended: &&SuspendedScaling| {
        let suspended_direction = if direction == Direction::Up { suspended.up } else { suspended.down };
        suspended.axis == axis && suspended_direction
    };
    let by_platform = || context.observed.pauses.iter().find(suspends).map(|suspended| suspended.by.clone());
    let by = by_tag.map(ToString::to_string).or_else(by_platform);
    let input = by.clone().unwrap_or_else(|| "no pause".to_owned());
    context.check("paused", input, by.map(|by| Hold::Paused { by }))
}

/// The check input where no cooldown runs.
const NO_COOLDOWN: &str = "the last change is long enough ago";

/// A direction holds for its cooldown after the last change.
pub(super) fn cooling_down(context: &mut Context, direction: Direction) -> Result<(), Hold> {
    let Some(until) = context.cooldown_end(direction) else {
        return context.check("cooling_down", NO_COOLDOWN, None);
    };
    let hold = Hold::CoolingDown { direction, until, credit: 0 };
    context.check("cooling_down", format!("until {until:.0}"), Some(hold))
}

/// A direction holds for its cooldown after the last change. A step out that is larger than what was added since the
/// cooldown began adds the difference, as step scaling of Application Auto Scaling does.
pub(super) fn cooling_down_for(context: &mut Context, proposal: Proposal) -> Result<Proposal, Hold> {
    let direction = proposal.direction;
    let Some(until) = context.cooldown_end(direction) else {
        context.check("cooling_down", NO_COOLDOWN, None)?;
        return Ok(proposal);
    };
    let credit = if direction == Direction::Up { context.cooldown_credit() } else { 0 };
    let difference = match proposal.magnitude {
        Magnitude::StepTo(to) if credit > 0 => {
            let to = to.saturating_sub(credit.unsigned_abs());
            let adds = to > context.observed.size.instances;
            adds.then_some(Proposal { magnitude: Magnitude::StepTo(to), ..proposal })
        }
        Magnitude::StepTo(_) | Magnitude::Exactly(_) | Magnitude::By(_) | Magnitude::Offering(..) => None,
    };
    let input = format!("until {until:.0}, {credit} added since it began");
    let result = difference.ok_or(Hold::CoolingDown { direction, until, credit });
    context.check_result("cooling_down", input, result)
}

impl Context<'_> {
    /// When the cooldown of a direction ends; `None` where none runs. A change that removed capacity starts no cooldown
    /// for adding it.
    pub(super) fn cooldown_end(&self, direction: Direction) -> Option<Timestamp> {
        let cooldown = self.settings().cooldown.before(direction);
        if !cooldown.is_positive() {
            return None;
        }
        let end = self.observed.last_change?.checked_add(cooldown).ok()?;
        let removed = || self.last_recorded_change().is_some_and(|last| last.direction() == Direction::Down);
        let is_running = self.evaluation.now < end && !(direction == Direction::Up && removed());
        is_running.then_some(end)
    }
}

/// A deployment changes at most as often within an hour as the policy allows.
pub(super) fn too_many_changes(context: &mut Context) -> Result<(), Hold> {
    let Some(most) = context.settings().max_changes_per_hour else { return Ok(()) };
    let now = context.evaluation.now;
    let recent = tags::recent(&context.observed.tags);
    // Clocks differ by less than an hour. What is further in the future is not stepladder's own record.
    let is_within_hour = |change: &&RecentChange| now.duration_since(change.at).abs() < HOUR;
    let recent: Vec<&RecentChange> = recent.iter().filter(is_within_hour).collect();
    // One more change is allowed when the change at this place is an hour old.
    let allowed = usize::try_from(most).unwrap_or(usize::MAX);
    let blocking = recent.len().checked_sub(allowed).and_then(|at| recent.get(at));
    let until = blocking.and_then(|change| change.at.checked_add(HOUR).ok());
    let input = format!("{} of {most} within an hour", recent.len());
    context.check("too_many_changes", input, until.map(|until| Hold::TooManyChanges { most, until }))
}

/// The load of the scale-down alarm's metric, and the threshold of the scale-up alarm: in percent, or in the metric's
/// own unit where it has no maximum.
struct Load<'a> {
    metric: Option<&'a str>,
    value: f64,
    scale_up_threshold: f64,
}

/// A step down must leave the load a margin below the scale-up threshold; on a smaller shape, the load on every other
/// resource, too. A shorter step is taken where the whole one would not.
pub(super) fn would_flap<'a>(
    context: &mut Context<'a>,
    direction: Direction,
    desired: DesiredSize<'a>,
) -> Result<DesiredSize<'a>, Hold> {
    if direction == Direction::Up {
        return Ok(desired);
    }
    let (own, others) = (load(context), other_loads(context, &desired));
    let why_not = |desired: &DesiredSize| {
        own.as_ref().and_then(|load| load.objection(desired)).or_else(|| objection(&others, desired))
    };
    let why = why_not(&desired);
    let Some(desired) = desired.shortened(|desired| why_not(desired).is_none()) else {
        let why = why.unwrap_or_default();
        return context.check_result("would_flap", why.clone(), Err(Hold::WouldFlap { why }));
    };
    let input = own.as_ref().map(|load| load.input(&desired));
    context.check(
        "would_flap",
        input.unwrap_or_else(|| "the scale-up alarm is not known".to_owned()),
        None,
    )?;
    Ok(desired)
}

impl Load<'_> {
    /// What the load must stay below.
    fn most(&self) -> f64 {
        self.scale_up_threshold * MARGIN
    }

    /// The load after the change.
    fn after(&self, desired: &DesiredSize) -> f64 {
        self.value * growth(self.metric, desired)
    }

    fn input(&self, desired: &DesiredSize) -> String {
        format!("{} would be {} of {}", number(self.value), number(self.after(desired)), number(self.most()))
    }

    /// Why the change would be undone; `None` where the load stays low enough.
    fn objection(&self, desired: &DesiredSize) -> Option<String> {
        let Self { metric, value, scale_up_threshold } = self;
        let (after, most) = (self.after(desired), self.most());
        let why = || {
            format!(
                "{} at {} would be {}, and the scale-up alarm fires above {}, less a tenth {}",
                metric.unwrap_or("the load"),
                number(*value),
                number(after),
                number(*scale_up_threshold),
                number(most)
            )
        };
        (after >= most).then(why)
    }
}

/// The load that a step down is held against; `None` where the value or the scale-up threshold is unknown.
fn load<'a>(context: &Context<'a>) -> Option<Load<'a>> {
    let evaluation = context.evaluation;
    let metric = evaluation.metric();
    let rung = context.observed_rung();
    let assumed = high_threshold(context.settings().scale_up_threshold, metric);
    let recorded = context.recorded_percent(metric, rung.as_deref());
    // What the pair records only ever makes it more careful.
    let scale_up_threshold = assumed.into_iter().chain(recorded).reduce(f64::min)?;
    let name = metric.unwrap_or_default();
    // A scale-down alarm that reports no value has at least found it below its own threshold.
    let value = context.value(name).or(context.comparison().map(|comparison| comparison.threshold))?;
    let value = context.percent_of_capacity(&Reading { metric: name, value }, rung.as_deref())?;
    Some(Load { metric, value, scale_up_threshold })
}

/// The factor by which the load on each instance grows.
fn growth(metric: Option<&str>, desired: &DesiredSize) -> f64 {
    let between_rungs = |from: &Rung, to: &Rung| match metric.and_then(Resource::of) {
        Some(resource) => resource.ratio(from, to),
        // A metric of no known resource grows by no more than the larger of these.
        None => Resource::Cpu.ratio(from, to).max(Resource::Memory.ratio(from, to)),
    };
    match desired {
        DesiredSize::Number { current, desired, .. } => f64::from(*current) / f64::from((*desired).max(1)),
        DesiredSize::Rung { .. } => desired.rungs().map_or(1.0, |(from, to)| between_rungs(from, to)),
    }
}

/// A step up must stay within the policy's cost per hour. A shorter step is taken where the whole one would not.
pub(super) fn over_budget<'a>(
    context: &mut Context<'a>,
    direction: Direction,
    desired: DesiredSize<'a>,
) -> Result<DesiredSize<'a>, Hold> {
    let is_free = matches!(desired, DesiredSize::Number { axis: Axis::Bandwidth, .. });
    let Some(most) = context.settings().max_hourly_cost else { return Ok(desired) };
    if direction == Direction::Down || is_free {
        return Ok(desired);
    }
    let (ladders, observed) = (&context.policy.ladders, &context.observed.size);
    let cost = |desired: &DesiredSize| ladders.cost(&desired.applied_to(observed));
    let wanted = cost(&desired);
    let shape = desired.applied_to(observed).rung().into_owned();
    let shortened = desired.shortened(|desired| cost(desired).is_some_and(|cost| is_within(cost, most)));
    let cost = shortened.as_ref().map_or(wanted, cost);
    cost_within(context, &shape, cost, most)?;
    shortened.ok_or(Hold::OverBudget { shape, cost, most })
}

/// A step up to a size must stay within the policy's cost per hour.
pub(super) fn over_budget_at(context: &mut Context, direction: Direction, to: &Size) -> Result<(), Hold> {
    match context.settings().max_hourly_cost {
        Some(most) if direction == Direction::Up => {
            let cost = context.policy.ladders.cost(to);
            cost_within(context, &to.rung(), cost, most)
        }
        Some(_) | None => Ok(()),
    }
}

/// The dearest of several sizes on the way to one must stay within the policy's cost per hour.
pub(super) fn over_budget_on_the_way(context: &mut Context, sizes: [&Size; 2]) -> Result<(), Hold> {
    let Some(most) = context.settings().max_hourly_cost else { return Ok(()) };
    let costs = sizes.map(|size| context.policy.ladders.cost(size));
    let dearest = costs.into_iter().flatten().max_by(f64::total_cmp);
    let [_, goal] = sizes;
    cost_within(context, &goal.rung(), dearest, most)
}

/// Holds as `over_budget` where a cost is unknown or above the most that the policy allows, in US dollars per hour.
fn cost_within(context: &mut Context, shape: &str, cost: Option<f64>, most: f64) -> Result<(), Hold> {
    let input = match cost {
        Some(cost) => format!("{} USD an hour of {}", number(cost), number(most)),
        None => "no price".to_owned(),
    };
    let is_within = cost.is_some_and(|cost| is_within(cost, most));
    let hold = || Hold::OverBudget { shape: shape.to_owned(), cost, most };
    context.check("over_budget", input, (!is_within).then(hold))
}

fn is_within(cost: f64, most: f64) -> bool {
    cost <= most + COST_NOISE
}

/// The noise of adding prices as floating-point numbers: a ten-thousandth of a cent.
pub(super) const COST_NOISE: f64 = 1e-6;
