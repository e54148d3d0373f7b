//! The search for the cheapest count and shape that carry a load.

use std::cmp::Ordering;

use crate::decide::limits::COST_NOISE;
use crate::decide::proposal::whole;
use crate::ladder::{Ladder, Resource, Rung};
use crate::size::{Axis, Bounds};

/// What the size must carry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Demand {
    /// Virtual CPUs, of all instances together.
    pub vcpus: f64,
    /// Memory in GiB, of each instance.
    pub memory_gib: f64,
}

impl Demand {
    /// The fewest instances of a rung whose virtual CPUs carry the demand.
    fn instances_of(self, rung: &Rung) -> u32 {
        whole((self.vcpus / f64::from(rung.vcpus) - NOISE).ceil())
    }
}

/// One size: a rung and a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// The rung, by its position on the ladder, counted from 0.
    pub rung: usize,
    /// How many instances.
    pub instances: u32,
}

/// A candidate and its cost.
#[derive(Debug, Clone, Copy)]
struct Priced {
    candidate: Candidate,
    /// US dollars per hour of all instances.
    cost: f64,
}

/// The part of a demand that a candidate carries where none carries all of it.
#[derive(Debug, Clone, Copy)]
struct Partial {
    priced: Priced,
    memory_gib: f64,
    vcpus: f64,
}

/// The sizes to search.
#[derive(Debug)]
pub struct Candidates<'a> {
    /// The ladder.
    pub ladder: &'a Ladder,
    /// For each rung of the ladder, whether the shape may be requested.
    pub usable: Vec<bool>,
    /// The bounds of the count.
    pub bounds: Bounds,
    /// The current size.
    pub current: Candidate,
    /// What another shape must save, in US dollars per hour, to be worth a change of shape.
    pub min_savings: f64,
}

impl Candidates<'_> {
    /// The cheapest candidate that carries the demand; where none does, the one that carries most of it. `None` where
    /// no rung has a price.
    pub fn cheapest(&self, demand: Demand) -> Option<Candidate> {
        let all = || self.rungs().filter_map(|(at, rung)| self.fewest(at, rung, demand));
        let same_shape = all().find(|priced| priced.candidate.rung == self.current.rung);
        let best = all().min_by(|a, b| self.by_cost(a, b));
        let chosen = match (same_shape, best) {
            (Some(same), Some(best)) if same.cost - best.cost <= self.min_savings + COST_NOISE => Some(same),
            (_, best) => best,
        };
        chosen.map(|priced| priced.candidate).or_else(|| self.closest(demand))
    }

    /// The largest share of the current capacity that a cheaper candidate offers.
    pub(super) fn largest_cheaper_share(&self, resource: Resource) -> Option<f64> {
        let current = self.ladder.rungs.get(self.current.rung)?;
        let cost = current.price? * f64::from(self.current.instances);
        let offered = |rung: &Rung, instances: u32| match resource {
            Resource::Cpu => resource.offered(rung) * f64::from(instances),
            Resource::Memory | Resource::Gpu | Resource::Bandwidth => resource.offered(rung),
        };
        let cheaper = self.rungs().filter_map(|(at, rung)| {
            let saved = if at == self.current.rung { 0.0 } else { self.min_savings };
            let instances = whole((cost - saved - COST_NOISE) / rung.price?).min(self.bounds.max);
            (instances >= self.bounds.min.max(1)).then(|| offered(rung, instances))
        });
        Some(cheaper.max_by(f64::total_cmp)? / offered(current, self.current.instances))
    }

    /// The rungs to search, with their positions. Accelerators are not measured, so every instance keeps its number.
    fn rungs(&self) -> impl Iterator<Item = (usize, &Rung)> {
        let current = self.ladder.rungs.get(self.current.rung);
        let is_candidate = move |(at, rung): &(usize, &Rung)| {
            let is_usable = *at == self.current.rung || self.usable.get(*at) == Some(&true);
            is_usable && rung.price.is_some() && current.is_some_and(|current| rung.gpus == current.gpus)
        };
        self.ladder.rungs.iter().enumerate().filter(is_candidate)
    }

    /// The fewest instances of a rung that carry the demand, within the bounds.
    fn fewest(&self, at: usize, rung: &Rung, demand: Demand) -> Option<Priced> {
        if rung.memory_gib + NOISE < demand.memory_gib {
            return None;
        }
        let instances = demand.instances_of(rung).max(self.bounds.min);
        let cost = rung.price? * f64::from(instances);
        let candidate = Candidate { rung: at, instances };
        (instances <= self.bounds.max).then_some(Priced { candidate, cost })
    }

    /// The order by cost; of equal costs the candidate closer to the current rung comes first.
    fn by_cost(&self, a: &Priced, b: &Priced) -> Ordering {
        let is_equal = (a.cost - b.cost).abs() <= COST_NOISE;
        let by_cost = if is_equal { Ordering::Equal } else { a.cost.total_cmp(&b.cost) };
        let distance =
            |Candidate { rung, instances }: Candidate| (rung.abs_diff(self.current.rung), instances);
        by_cost.then_with(|| distance(a.candidate).cmp(&distance(b.candidate)))
    }

    /// The candidate that carries most of a demand that none carries in full. Memory counts first, because no number of
    /// instances makes up for it, then virtual CPUs, then cost.
    fn closest(&self, demand: Demand) -> Option<Candidate> {
        let partial = self.rungs().filter_map(|(at, rung)| {
            let enough = demand.instances_of(rung);
            let instances = enough.min(self.bounds.max).max(self.bounds.min);
            let cost = rung.price? * f64::from(instances);
            let offered = f64::from(rung.vcpus) * f64::from(instances);
            Some(Partial {
                priced: Priced { candidate: Candidate { rung: at, instances }, cost },
                memory_gib: rung.memory_gib.min(demand.memory_gib),
                vcpus: if instances < enough { offered } else { demand.vcpus },
            })
        });
        let best = partial.max_by(|a, b| {
            let by_memory = a.memory_gib.total_cmp(&b.memory_gib);
            let by_vcpus = || a.vcpus.total_cmp(&b.vcpus);
            by_memory.then_with(by_vcpus).then_with(|| self.by_cost(&b.priced, &a.priced))
        });
        best.map(|partial| partial.priced.candidate)
    }
}

/// The axis to change first. Instances are added before the shape changes and removed after it, so that no size in
/// between carries less than both ends. `None` where nothing changes.
pub fn next_axis(current: Candidate, desired: Candidate) -> Option<Axis> {
    match (current.rung == desired.rung, desired.instances.cmp(&current.instances)) {
        (true, Ordering::Equal) => None,
        (true, _) | (false, Ordering::Greater) => Some(Axis::Instances),
        (false, _) => Some(Axis::Shape),
    }
}

/// The noise of a floating-point division: a millionth of one vCPU, GiB or instance.
const NOISE: f64 = 1e-6;
