//! The cheapest count and shape that carry the load, and the next change toward them.
//!
//! All instances share the load on their virtual CPUs. They do not share memory: a model that fills one instance fills
//! every other one. So the virtual CPUs of all instances together must carry the load, and each instance the memory.

use crate::alarm::Coverage;
use crate::deployment::Lifecycle;
use crate::ladder::{Ladder, Resource, Rung};
use crate::pair::Pair;
use crate::policy::flap::{MARGIN, high_threshold};
use crate::size::{Axis, Bounds, Direction, Size};
use crate::text::number;

use super::desired_size::{DesiredSize, unlisted_shape};
use super::hold::how_to_price;
use super::limits::COST_NOISE;
use super::metrics::{Reading, no_value};
use super::{Context, Hold, SizeChange, guards, limits, proposal};

mod search;

pub use search::{Candidate, Candidates, Demand, next_axis, next_candidate};

/// Runs the guards of a rule with `cheapest`, in this order.
pub(super) fn size_change(context: &mut Context) -> Result<SizeChange, Hold> {
    guards::not_resizable(context, Axis::Instances)?;
    guards::owned_elsewhere(context, Axis::Instances)?;
    if let Some(floor) = floor_without_load(context) {
        return change_to_floor(context, floor);
    }
    let demand = no_data(context)?;
    let observed = &context.observed.size;
    let ladder = match context.policy.ladders.holding(&observed.rung()) {
        Some(ladder) => ladder,
        None => unlisted_shape(context, &observed.rung())?,
    };
    let candidates = candidates(context, observed, &ladder);
    let choice = choice(context, &candidates, demand)?;
    let goal = choice.goal;
    on_target(context, &candidates, goal)?;
    whole_data(context, &candidates, goal)?;
    let axis = next_axis(candidates.current, goal).unwrap_or(Axis::Instances);
    let direction = direction(&candidates, goal, axis);
    limits::paused(context, axis, direction)?;
    limits::cooling_down(context, direction)?;
    limits::too_many_changes(context)?;
    unlisted_shape(context, &observed.rung())?;
    let to = candidates.size(observed, next_candidate(candidates.current, goal));
    if choice.can_be_paid {
        limits::over_budget_at(context, direction, &to)?;
    } else {
        let goal = candidates.size(observed, goal);
        limits::over_budget_on_the_way(context, [&to, &goal])?;
    }
    Ok(SizeChange { axis, direction, to })
}

/// The size to reach, and whether it can be paid.
struct Choice {
    goal: Candidate,
    can_be_paid: bool,
}

/// The best size that can be paid. Where that is the current one, and only the budget excludes a better one, the goal is
/// the better one, so that the record shows what it would cost.
fn choice(context: &mut Context, candidates: &Candidates, demand: Demand) -> Result<Choice, Hold> {
    let Some(payable) = candidates.cheapest(demand) else {
        let how = how_to_price(&context.observed.size.shape);
        let why = format!("no rung of ladder `{}` has a price: {how}", candidates.ladder.name);
        let hold = Hold::NotResizable { axis: Axis::Shape, why };
        return context.check_result("not_resizable", "no prices", Err(hold));
    };
    if payable != candidates.current && !is_against_alarm(context, candidates, payable) {
        return Ok(Choice { goal: payable, can_be_paid: true });
    }
    let without_budget = Candidates { max_hourly_cost: None, ..candidates.clone() };
    let wanted = without_budget.cheapest(demand).unwrap_or(payable);
    Ok(Choice { goal: wanted, can_be_paid: wanted == payable })
}

/// Whether an alarm that requests more would get no more of either resource.
fn is_against_alarm(context: &Context, candidates: &Candidates, candidate: Candidate) -> bool {
    let [now, then] =
        [candidates.current, candidate].map(|candidate| Offer::of(candidate, candidates.ladder));
    let requests_more = context.alarm_direction() == Some(Direction::Up);
    requests_more && then.vcpus <= now.vcpus && then.memory_gib <= now.memory_gib
}

/// The floor, where fewer instances run, the alarm requests more, and the load is unknown: without any instance nothing
/// is measured.
fn floor_without_load(context: &Context) -> Option<u32> {
    let is_unknown = context.observed.size.instances == 0 || demand(context).is_err();
    context.missing_to_floor().filter(|_| is_unknown)
}

/// The change of the count to its floor, on the shape that exists.
fn change_to_floor(context: &mut Context, floor: u32) -> Result<SizeChange, Hold> {
    let (axis, direction) = (Axis::Instances, Direction::Up);
    context.check("on_target", "fewer instances than the floor", None)?;
    limits::paused(context, axis, direction)?;
    limits::cooling_down(context, direction)?;
    limits::too_many_changes(context)?;
    let observed = &context.observed.size;
    let desired = DesiredSize::Number { axis, current: observed.instances, desired: floor };
    let to = limits::over_budget(context, direction, desired)?.applied_to(observed);
    Ok(SizeChange { axis, direction, to })
}

/// Whether an axis can be changed: the platform allows it, and no other autoscaler keeps it.
fn can_change(context: &Context, axis: Axis) -> bool {
    let is_owned = context.observed.owners.contains_key(&axis) && !context.may_suspend_native(axis);
    !is_owned && !context.observed.fixed.contains_key(&axis)
}

/// The candidates of a deployment of this size.
fn candidates<'l>(context: &Context, size: &Size, ladder: &'l Ladder) -> Candidates<'l> {
    let shape_can_change = can_change(context, Axis::Shape);
    let is_usable = |rung: &Rung| shape_can_change && context.refused(&rung.shape).is_none();
    let rung = ladder.position(&size.rung()).unwrap_or_default();
    Candidates {
        ladder,
        usable: ladder.rungs.iter().map(is_usable).collect(),
        bounds: context.instance_bounds(),
        current: Candidate { rung, instances: size.instances },
        min_savings: context.settings().min_savings,
        max_hourly_cost: context.settings().max_hourly_cost,
        allows_cost_surge: context.settings().allow_cost_surge,
    }
}

/// The share of a capacity that may be used: the headroom stays free, and the scale-up alarm must not fire.
fn usable_share(context: &Context, metric: &str) -> f64 {
    let settings = context.settings();
    let threshold = high_threshold(settings.scale_up_threshold, Some(metric));
    let below_threshold = threshold.map_or(1.0, |threshold| threshold * MARGIN / 100.0);
    (1.0 - settings.headroom).min(below_threshold)
}

/// The load on virtual CPUs and memory must both be known: they give the demand.
fn no_data(context: &mut Context) -> Result<Demand, Hold> {
    let input = match load(context) {
        Ok([cpu, memory]) => {
            format!("{} at {}, {} at {}", cpu.metric, number(cpu.value), memory.metric, number(memory.value))
        }
        Err(_) => "not both of cores and memory".to_owned(),
    };
    let demand = demand(context);
    context.check_result("no_data", input, demand)
}

/// What the size must carry, headroom included.
fn demand(context: &Context) -> Result<Demand, Hold> {
    let [cpu, memory] = load(context)?;
    let rung = context.observed_rung();
    let offered = |resource: Resource| rung.as_ref().map_or(0.0, |rung| resource.offered(rung));
    let usable = usable_share(context, cpu.metric);
    let instances = f64::from(context.observed.size.instances);
    Ok(Demand {
        vcpus: cpu.value / 100.0 * offered(Resource::Cpu) * instances / usable,
        memory_gib: memory.value / 100.0 * offered(Resource::Memory) / usable,
    })
}

/// The load on virtual CPUs and on memory, in percent of the capacity.
fn load<'a>(context: &Context<'a>) -> Result<[Reading<'a>; 2], Hold> {
    let [cpu, memory] = context.target.map_or([""; 2], |target| target.utilization);
    let reading = |metric| utilization(context, metric).map(|value| Reading { metric, value });
    Ok([reading(cpu)?, reading(memory)?])
}

/// A metric in percent of the capacity that exists; its own value where the capacity is unknown.
fn utilization(context: &Context, metric: &str) -> Result<f64, Hold> {
    let is_missing = context.evaluation.alarm.measurement.coverage == Coverage::Nothing;
    let value = context.value(metric).filter(|_| !is_missing).ok_or_else(|| no_value(metric))?;
    let rung = context.observed_rung();
    Ok(context.percent_of_capacity(&Reading { metric, value }, rung.as_deref()).unwrap_or(value))
}

/// What a candidate offers, and its cost.
struct Offer {
    /// The count and the shape, in words.
    size: String,
    vcpus: u32,
    memory_gib: f64,
    /// US dollars per hour.
    cost: f64,
}

impl Offer {
    fn of(candidate: Candidate, ladder: &Ladder) -> Self {
        let Candidate { rung, instances } = candidate;
        let rung = ladder.rungs.get(rung);
        Self {
            size: format!("{instances} × {}", rung.map_or("", |rung| &rung.shape)),
            vcpus: rung.map_or(0, |rung| rung.vcpus).saturating_mul(instances),
            memory_gib: rung.map_or(0.0, |rung| rung.memory_gib),
            cost: rung.and_then(|rung| rung.price).unwrap_or_default() * f64::from(instances),
        }
    }
}

/// The desired size must differ, and must match the alarm: an alarm that requests more never leads to less of both
/// resources, and one that requests less never to a higher cost.
fn on_target(context: &mut Context, candidates: &Candidates, desired: Candidate) -> Result<(), Hold> {
    let [now, then] = [candidates.current, desired].map(|candidate| Offer::of(candidate, candidates.ladder));
    let why = match context.alarm_direction() {
        _ if desired == candidates.current => Some("no other size carries as much of the load for less"),
        Some(Direction::Up) if is_against_alarm(context, candidates, desired) => {
            Some("the alarm requests more, but a smaller size carries the load")
        }
        Some(Direction::Down) if then.cost > now.cost + COST_NOISE => {
            Some("the alarm requests less, but no cheaper size carries the load")
        }
        Some(Direction::Up | Direction::Down) | None => None,
    };
    let input = format!(
        "{} at {} USD an hour, the cheapest is {} at {}",
        now.size,
        number(now.cost),
        then.size,
        number(then.cost)
    );
    context.check("on_target", input, why.map(|why| Hold::OnTarget { why: why.to_owned() }))
}

/// An alarm that fires with less data than it needs never leads to less of either resource.
fn whole_data(context: &mut Context, candidates: &Candidates, desired: Candidate) -> Result<(), Hold> {
    let [now, then] = [candidates.current, desired].map(|candidate| Offer::of(candidate, candidates.ladder));
    let is_less = then.vcpus < now.vcpus || then.memory_gib < now.memory_gib;
    let direction = if is_less { Direction::Down } else { Direction::Up };
    proposal::no_data(context, direction)
}

/// Whether a change on an axis leads to a higher price per instance, or to more instances.
fn direction(candidates: &Candidates, desired: Candidate, axis: Axis) -> Direction {
    let current = candidates.current;
    let is_more = match axis {
        Axis::Shape => {
            let rungs = &candidates.ladder.rungs;
            let price = |at: usize| rungs.get(at).and_then(|rung| rung.price).unwrap_or_default();
            price(desired.rung) > price(current.rung)
        }
        Axis::Instances | Axis::Bandwidth => desired.instances > current.instances,
    };
    if is_more { Direction::Up } else { Direction::Down }
}

/// The pair of a rule with `cheapest`. Its alarm fires as soon as a cheaper size would carry the load, but never while
/// the scale-up alarm may fire. `None` where the policy's own threshold is higher.
pub(crate) fn pair(context: &Context, size: &Size) -> Option<Pair> {
    let pair = context.rule().pair.as_ref()?;
    let resource = Resource::of(&pair.metric)?;
    let ladder = context.policy.ladders.holding(&size.rung())?;
    let candidates = candidates(context, size, &ladder);
    let bounds = Bounds { min: context.lowest_floor(), ..candidates.bounds };
    let share = Candidates { bounds, ..candidates }.largest_cheaper_share(resource)?;
    let below = share.min(1.0) * usable_share(context, &pair.metric) * 100.0;
    // Rounded down, so that a load which just fires the alarm does fit.
    let below = (below * 10.0).floor() / 10.0;
    (below > pair.below).then(|| Pair { below, ..pair.clone() })
}

/// Whether capacity can be removed at any of the sizes: more than the fewest instances, or a shape that is not the
/// cheapest. `None` where a shape is on no ladder.
pub(crate) fn is_above_floor(context: &Context, sizes: &[&Size]) -> Option<bool> {
    let floor = context.lowest_floor();
    let observed = context.observed;
    let mut is_above = sizes.iter().any(|size| size.instances > floor);
    if observed.lifecycle == Lifecycle::Gone || observed.fixed.contains_key(&Axis::Shape) {
        return Some(is_above);
    }
    for size in sizes {
        let rung = size.rung();
        let ladder = context.policy.ladders.holding(&rung)?;
        let this = ladder.rung(&rung)?;
        let is_cheaper = |other: &Rung| {
            other.gpus == this.gpus && other.price.zip(this.price).is_some_and(|(other, this)| other < this)
        };
        is_above |= ladder.rungs.iter().any(is_cheaper);
    }
    Some(is_above)
}
