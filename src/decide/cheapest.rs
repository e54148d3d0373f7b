//! The cheapest count and shape that carry the load, and the next step on the way there.
//!
//! Cores are shared by all instances, memory is not: a model that fills an instance fills every other as well. So the
//! cores of all together must carry what is computed, and the memory of each what is held. Accelerators are not measured, so
//! as many stay in each as there are.

use std::cmp::Ordering;

use crate::deployment::{Deployment, Lifecycle};
use crate::ladder::{Ladder, Resource, Rung};
use crate::pair::Pair;
use crate::platform::target;
use crate::policy::Policy;
use crate::policy::flap::{MARGIN, high_threshold};
use crate::size::{Axis, Bounds, Direction, Size};

use super::aim::whole;
use super::caution::{CENT, not_paused, not_too_often, round};
use super::check::PricedSize;
use super::size::{Goal, bounds, floor, listed};
use super::{CheckInput, Evaluation, Guards, Hold, SizeChange, caution, load, may_suspend_native};

/// What has to be carried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demand {
    /// Virtual CPUs, of all instances together.
    pub vcpus: f64,
    /// Memory in GiB, of each instance.
    pub memory_gib: f64,
}

/// One place to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// The rung, by its position on the ladder.
    pub rung: usize,
    /// How many instances.
    pub instances: u32,
}

/// What may be chosen from.
#[derive(Debug)]
pub struct Choice<'a> {
    /// The ladder.
    pub ladder: &'a Ladder,
    /// Of its rungs, those that can be had: one for each.
    pub usable: Vec<bool>,
    /// The bounds on the count.
    pub bounds: Bounds,
    /// Where it is.
    pub now: Candidate,
    /// What another shape must save in an hour.
    pub min_savings: f64,
}

impl Demand {
    /// The fewest instances of a rung whose cores carry it.
    fn instances(self, rung: &Rung) -> u32 {
        whole((self.vcpus / f64::from(rung.vcpus) - NOISE).ceil())
    }
}

impl Choice<'_> {
    /// The cheapest place that carries the demand; where none does, the one that comes nearest. `None` where no rung
    /// has a price.
    pub fn cheapest(&self, demand: Demand) -> Option<Candidate> {
        let places = || self.rungs().filter_map(|(at, rung)| self.least(at, rung, demand));
        let stays = places().find(|(place, _)| place.rung == self.now.rung);
        let best = places().min_by(|a, b| self.order(*a, *b));
        let chosen = match (stays, best) {
            (Some(stays), Some(best)) if stays.1 - best.1 <= self.min_savings + CENT => Some(stays),
            (_, best) => best,
        };
        chosen.map(|(place, _)| place).or_else(|| self.nearest(demand))
    }

    fn rungs(&self) -> impl Iterator<Item = (usize, &Rung)> {
        let here = self.ladder.rungs.get(self.now.rung);
        let usable = move |(at, rung): &(usize, &Rung)| {
            let can_be_had = *at == self.now.rung || self.usable.get(*at) == Some(&true);
            can_be_had && rung.price.is_some() && here.is_some_and(|here| rung.gpus == here.gpus)
        };
        self.ladder.rungs.iter().enumerate().filter(usable)
    }

    /// The fewest instances of a rung that carry the demand, and what they cost.
    fn least(&self, at: usize, rung: &Rung, demand: Demand) -> Option<(Candidate, f64)> {
        if rung.memory_gib + NOISE < demand.memory_gib {
            return None;
        }
        let instances = demand.instances(rung).max(self.bounds.min);
        let cost = rung.price? * f64::from(instances);
        (instances <= self.bounds.max).then_some((Candidate { rung: at, instances }, cost))
    }

    /// How much of it the largest place offers that is cheaper than where it is, as a part of what there is.
    fn most_of_cheaper(&self, resource: Resource) -> Option<f64> {
        let here = self.ladder.rungs.get(self.now.rung)?;
        let cost = here.price? * f64::from(self.now.instances);
        let of = |rung: &Rung, instances: u32| match resource {
            Resource::Cpu => resource.offered(rung) * f64::from(instances),
            Resource::Memory | Resource::Gpu | Resource::Bandwidth => resource.offered(rung),
        };
        let cheaper = self.rungs().filter_map(|(at, rung)| {
            let spared = if at == self.now.rung { 0.0 } else { self.min_savings };
            let affordable = whole((cost - spared - CENT) / rung.price?).min(self.bounds.max);
            (affordable >= self.bounds.min.max(1)).then(|| of(rung, affordable))
        });
        Some(cheaper.max_by(f64::total_cmp)? / of(here, self.now.instances))
    }

    /// By cost; of equals the one nearest to what is.
    fn order(&self, (a, cost_of_a): (Candidate, f64), (b, cost_of_b): (Candidate, f64)) -> Ordering {
        let by_cost = if (cost_of_a - cost_of_b).abs() <= CENT {
            Ordering::Equal
        } else {
            cost_of_a.total_cmp(&cost_of_b)
        };
        let away = |place: Candidate| (place.rung.abs_diff(self.now.rung), place.instances);
        by_cost.then_with(|| away(a).cmp(&away(b)))
    }

    /// What comes nearest to a demand that nothing carries: enough memory first, which no number of instances makes up for,
    /// then the most cores. Of equals the cheapest.
    fn nearest(&self, demand: Demand) -> Option<Candidate> {
        let rated = self.rungs().filter_map(|(at, rung)| {
            let enough = demand.instances(rung);
            let instances = enough.min(self.bounds.max).max(self.bounds.min);
            let cost = rung.price? * f64::from(instances);
            let memory = rung.memory_gib.min(demand.memory_gib);
            let all = f64::from(rung.vcpus) * f64::from(instances);
            let cores = if instances < enough { all } else { demand.vcpus };
            Some(((Candidate { rung: at, instances }, cost), memory, cores))
        });
        let best = rated
            .max_by(|a, b| a.1.total_cmp(&b.1).then(a.2.total_cmp(&b.2)).then_with(|| self.order(b.0, a.0)));
        best.map(|((place, _), ..)| place)
    }
}

/// A millionth is the noise of a division.
const NOISE: f64 = 1e-6;

/// The next change on the way, one dimension at a time, each as safe as what is: what grows comes first, so that nothing
/// in between carries less than both ends.
pub fn next(now: Candidate, goal: Candidate) -> Option<Axis> {
    match (now.rung == goal.rung, goal.instances.cmp(&now.instances)) {
        (true, Ordering::Equal) => None,
        (true, _) | (false, Ordering::Greater) => Some(Axis::Instances),
        (false, _) => Some(Axis::Shape),
    }
}

pub(super) fn step(
    guards: &mut Guards,
    evaluation: &Evaluation,
    seen: &Deployment,
    policy: &Policy,
) -> Result<SizeChange, Hold> {
    if !moves(evaluation, seen, policy, Axis::Instances) {
        super::resizable(guards, seen, Axis::Instances)?;
        super::ours_to_change(guards, evaluation, seen, policy, Axis::Instances)?;
    }
    let shape = seen.size.rung();
    let demand = demand(guards, evaluation, seen, policy)?;
    let ladder = listed(guards, &shape, policy)?;
    let choice = choice(evaluation, seen, policy, (&seen.size, &ladder));
    let now = choice.now;
    let goal = choice.cheapest(demand).ok_or_else(|| Hold::NotResizable {
        axis: Axis::Shape,
        why: format!("no rung of ladder `{}` has a price", ladder.name),
    })?;
    let goal = only_as_asked(guards, evaluation, &ladder, (now, goal))?;
    let axis = next(now, goal).unwrap_or(Axis::Instances);
    let direction = direction(&ladder, now, goal, axis);
    not_paused(guards, evaluation, seen, (axis, direction))?;
    caution::rested(guards, evaluation, seen, direction)?;
    not_too_often(guards, evaluation, seen)?;
    let to = match axis {
        Axis::Shape => {
            let rung = ladder.rungs.get(goal.rung).map_or(shape.as_ref(), |rung| rung.shape.as_str());
            let to = seen.size.on_rung(rung);
            within_budget(guards, evaluation, policy, direction, &to)?;
            to
        }
        Axis::Instances | Axis::Bandwidth => {
            let axis = Axis::Instances;
            let goal = Goal::Number { axis, now: now.instances, to: goal.instances };
            caution::affordable(guards, evaluation, seen, policy, (direction, goal))?.size(seen)
        }
    };
    Ok(SizeChange { axis, direction, to })
}

/// Whether a deployment can be changed along an axis, and is nobody else's, or is parked for it.
fn moves(evaluation: &Evaluation, seen: &Deployment, policy: &Policy, axis: Axis) -> bool {
    let owned = seen.owners.contains_key(&axis) && !may_suspend_native(evaluation, seen, policy, axis);
    !owned && !seen.fixed.contains_key(&axis)
}

fn choice<'a>(
    evaluation: &Evaluation,
    seen: &Deployment,
    policy: &Policy,
    (size, ladder): (&Size, &'a Ladder),
) -> Choice<'a> {
    let shape_moves = moves(evaluation, seen, policy, Axis::Shape);
    let refused = |rung: &Rung| {
        seen.infeasible.iter().any(|known| known.shape == rung.shape && known.until > evaluation.now)
    };
    Choice {
        ladder,
        usable: ladder.rungs.iter().map(|rung| shape_moves && !refused(rung)).collect(),
        bounds: bounds(evaluation, seen),
        now: Candidate { rung: ladder.position(&size.rung()).unwrap_or_default(), instances: size.instances },
        min_savings: evaluation.matched.rule.is.min_savings,
    }
}

/// The part of what there is that may be used: head-room is at least what keeps the high alarm quiet.
fn usable(evaluation: &Evaluation, metric: &str) -> f64 {
    let rule = &evaluation.matched.rule.is;
    let quiet =
        high_threshold(rule.scale_up_threshold, Some(metric)).map_or(1.0, |above| above * MARGIN / 100.0);
    (1.0 - rule.headroom).min(quiet)
}

/// The pair of a rule that looks for the cheapest size: it calls as soon as something cheaper would carry what is
/// computed, so that no place on the way is where it ends; but never while the high alarm may call. `None` where the
/// policy's own threshold is higher.
pub(crate) fn pair(evaluation: &Evaluation, seen: &Deployment, size: &Size, policy: &Policy) -> Option<Pair> {
    let pair = evaluation.matched.rule.pair.as_ref()?;
    let resource = Resource::of(&pair.metric)?;
    let rung = size.rung();
    let ladder = policy.ladders.holding(&rung)?;
    let choice = choice(evaluation, seen, policy, (size, &ladder));
    let bounds = Bounds { min: floor(evaluation, seen), ..choice.bounds };
    let choice = Choice { bounds, ..choice };
    let most = choice.most_of_cheaper(resource)?;
    let below = most.min(1.0) * usable(evaluation, &pair.metric) * 100.0;
    // Cut off, so that what just fires it does fit.
    let below = (below * 10.0).floor() / 10.0;
    (below > pair.below).then(|| Pair { below, ..pair.clone() })
}

/// What the metrics say has to be carried, head-room included. Head-room is at least what keeps the high alarm quiet.
fn demand(
    guards: &mut Guards,
    evaluation: &Evaluation,
    seen: &Deployment,
    policy: &Policy,
) -> Result<Demand, Hold> {
    let metrics = target::of(seen.target.kind()).map_or(&[""; 2], |target| &target.utilization);
    let rung = policy.ladders.rung(&seen.size.rung());
    let read = |metric: &str| {
        let value = load::value(evaluation, seen, metric).filter(|_| !evaluation.alarm.measurement.missing);
        let missing = || Hold::NoData {
            missing: format!("`{metric}` has no value, neither in the alarm nor by a look"),
        };
        let value = value.ok_or_else(missing)?;
        Ok(load::percent(evaluation, metric, value, rung.as_deref()).unwrap_or(value))
    };
    let [cpu, memory] = *metrics;
    let found = read(cpu).and_then(|cpu| Ok((cpu, read(memory)?)));
    let saw = match &found {
        Ok((used, held)) => CheckInput::Used { metrics, values: [*used, *held] },
        Err(_) => CheckInput::from("not both of cores and memory"),
    };
    let (used, held) = guards.ask_for("no_data", saw, found)?;
    let usable = usable(evaluation, cpu);
    let [vcpus, memory_gib] = [Resource::Cpu, Resource::Memory]
        .map(|resource| rung.as_ref().map_or(0.0, |rung| resource.offered(rung)));
    Ok(Demand {
        vcpus: used / 100.0 * vcpus * f64::from(seen.size.instances) / usable,
        memory_gib: held / 100.0 * memory_gib / usable,
    })
}

/// An alarm that asks for more is never answered with less of both, and one that asks for less never with a higher cost.
fn only_as_asked(
    guards: &mut Guards,
    evaluation: &Evaluation,
    ladder: &Ladder,
    (now, goal): (Candidate, Candidate),
) -> Result<Candidate, Hold> {
    let offered = |place: Candidate| {
        let rung = ladder.rungs.get(place.rung);
        let cores = rung.map_or(0, |rung| rung.vcpus).saturating_mul(place.instances);
        let cost = rung.and_then(|rung| rung.price).unwrap_or_default() * f64::from(place.instances);
        (cores, rung.map_or(0.0, |rung| rung.memory_gib), cost)
    };
    let ((cores, memory, cost), (cores_then, memory_then, cost_then)) = (offered(now), offered(goal));
    let offer = |Candidate { rung, instances }: Candidate, cost: f64| {
        let shape = ladder.rungs.get(rung).map_or_else(String::new, |rung| rung.shape.clone());
        PricedSize { instances, shape, cost }
    };
    let saw = CheckInput::Cheapest(Box::new([offer(now, cost), offer(goal, cost_then)]));
    let unfit = match evaluation.asks() {
        _ if goal == now => Some("no other size carries as much of the load for less"),
        Some(Direction::Up) if cores_then <= cores && memory_then <= memory => {
            Some("the alarm asks for more, and what it measures is carried by less")
        }
        Some(Direction::Down) if cost_then > cost + CENT => {
            Some("the alarm asks for less, and nothing cheaper carries the load")
        }
        _ => None,
    };
    let hold = unfit.map(|why| Hold::OnTarget { why: why.to_owned() });
    guards.ask("on_target", saw, hold)?;
    Ok(goal)
}

/// Whether a step costs more or less.
fn direction(ladder: &Ladder, now: Candidate, goal: Candidate, axis: Axis) -> Direction {
    let more = match axis {
        Axis::Shape => {
            let price = |at: usize| ladder.rungs.get(at).and_then(|rung| rung.price).unwrap_or_default();
            price(goal.rung) > price(now.rung)
        }
        Axis::Instances | Axis::Bandwidth => goal.instances > now.instances,
    };
    if more { Direction::Up } else { Direction::Down }
}

fn within_budget(
    guards: &mut Guards,
    evaluation: &Evaluation,
    policy: &Policy,
    direction: Direction,
    to: &Size,
) -> Result<(), Hold> {
    let Some(most) = evaluation.matched.rule.is.max_hourly_cost.filter(|_| direction == Direction::Up) else {
        return Ok(());
    };
    let cost = policy.ladders.cost(to);
    let beyond = cost.is_none_or(|cost| cost > most + CENT);
    let saw =
        cost.map_or_else(|| "no price".to_owned(), |cost| format!("{} USD an hour of {most}", round(cost)));
    guards.ask("over_budget", saw, beyond.then_some(Hold::OverBudget { cost, most }))
}

/// Whether there is something to take back: more than the fewest instances, or a shape that is not the cheapest.
pub(crate) fn above_floor(
    evaluation: &Evaluation,
    seen: &Deployment,
    sizes: &[&Size],
    policy: &Policy,
) -> Option<bool> {
    let floor = floor(evaluation, seen);
    let mut above = sizes.iter().any(|size| size.instances > floor);
    if seen.lifecycle == Lifecycle::Gone || seen.fixed.contains_key(&Axis::Shape) {
        return Some(above);
    }
    for size in sizes {
        let rung = size.rung();
        let ladder = policy.ladders.holding(&rung)?;
        let this = ladder.rung(&rung)?;
        let cheaper = |other: &Rung| {
            other.gpus == this.gpus && other.price.zip(this.price).is_some_and(|(other, this)| other < this)
        };
        above |= ladder.rungs.iter().any(cheaper);
    }
    Some(above)
}
