//! The search for the cheapest count and shape that carry a load.

use std::cmp::Ordering;

use crate::decide::limits::COST_NOISE;
use crate::decide::proposal::whole;
use crate::ladder::{Ladder, Resource, Rung};
use crate::size::{Axis, Bounds, Size};

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
    /// US dollars per hour of all instances; for another shape with what it must save.
    cost: f64,
}

/// The part of a demand that a candidate carries where none carries all of it.
#[derive(Debug, Clone, Copy)]
struct Partial {
    priced: Priced,
    carried: Carried,
}

/// The sizes to search.
#[derive(Debug, Clone)]
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
    /// What a size may cost, in US dollars per hour; `None` for no limit. A current size that costs more may stay.
    pub max_hourly_cost: Option<f64>,
    /// Whether a size on the way may cost more than the current and the desired one.
    pub allows_cost_surge: bool,
}

/// The counts of one rung that can be paid and reached, both ends included.
#[derive(Debug, Clone, Copy)]
struct Counts {
    least: u32,
    most: u32,
}

/// What a candidate carries of a demand.
#[derive(Debug, Clone, Copy)]
struct Carried {
    memory_gib: f64,
    vcpus: f64,
}

impl Carried {
    /// Whether it is no less than another one, of both resources.
    fn is_at_least(self, other: Self) -> bool {
        self.memory_gib + NOISE >= other.memory_gib && self.vcpus + NOISE >= other.vcpus
    }
}

impl Candidates<'_> {
    /// The cheapest candidate that carries the demand; where none does, the one that carries most of it. Of the
    /// candidates that cost the same or less, none carries more. `None` where no rung has a price.
    pub fn cheapest(&self, demand: Demand) -> Option<Candidate> {
        let all = self.rungs().filter_map(|(at, rung)| self.fewest(at, rung, demand));
        let best = all.min_by(|a, b| self.by_cost(a, b)).map(|priced| priced.candidate);
        best.or_else(|| self.closest(demand)).or_else(|| self.rungs().next().map(|_| self.current))
    }

    /// The size that is a candidate.
    pub(super) fn size(&self, observed: &Size, candidate: Candidate) -> Size {
        let Candidate { rung, instances } = candidate;
        let is_other = rung != self.current.rung;
        let rung = self.ladder.rungs.get(rung).filter(|_| is_other);
        let size = rung.map_or_else(|| observed.clone(), |rung| observed.on_rung(&rung.shape));
        Size { instances, ..size }
    }

    /// The largest share of the current capacity that a cheaper candidate offers.
    pub(super) fn largest_cheaper_share(&self, resource: Resource) -> Option<f64> {
        let current = self.current_rung()?;
        let cost = current.price? * f64::from(self.current.instances);
        let offered = |rung: &Rung, instances: u32| match resource {
            Resource::Cpu => resource.offered(rung) * f64::from(instances),
            Resource::Memory | Resource::Gpu | Resource::GpuMemory | Resource::Bandwidth => {
                resource.offered(rung)
            }
        };
        let cheaper = self.rungs().filter_map(|(at, rung)| {
            let saved = if at == self.current.rung { 0.0 } else { self.min_savings };
            let Counts { least, most } = self.counts(at, rung)?;
            let instances = whole((cost - saved - COST_NOISE) / rung.price?).min(most);
            (instances >= least.max(1)).then(|| offered(rung, instances))
        });
        Some(cheaper.max_by(f64::total_cmp)? / offered(current, self.current.instances))
    }

    /// The rungs to search, with their positions. Accelerators are not measured, so every instance keeps its number.
    fn rungs(&self) -> impl Iterator<Item = (usize, &Rung)> {
        let current = self.current_rung();
        let is_candidate = move |(at, rung): &(usize, &Rung)| {
            let is_usable = *at == self.current.rung || self.usable.get(*at) == Some(&true);
            is_usable && rung.price.is_some() && current.is_some_and(|current| rung.gpus == current.gpus)
        };
        self.ladder.rungs.iter().enumerate().filter(is_candidate)
    }

    /// The counts of a rung that can be paid and reached. `None` where there are none. They do not depend on the demand,
    /// so more demand never leads to a size that less demand would not have been given, only because it is smaller.
    fn counts(&self, at: usize, rung: &Rung) -> Option<Counts> {
        let price = rung.price?;
        let now = self.current.instances;
        let Bounds { min, max } = self.bounds.reachable_from(now);
        let most = max.min(self.payable(price));
        let is_current = at == self.current.rung;
        let counts = if is_current {
            Counts { least: min, most }
        } else {
            // Instances are removed after the shape has changed: until then all of them run on the new one.
            let can_remove = price * f64::from(now) <= self.most_on_the_way() + COST_NOISE;
            let least = if can_remove { min } else { min.max(now) };
            Counts { least, most: most.min(self.most_before_change(price)) }
        };
        (counts.least <= counts.most).then_some(counts)
    }

    /// The most instances on the current shape before it changes to one with this price. They are added first, and so
    /// cost the current price for a while.
    fn most_before_change(&self, price: f64) -> u32 {
        let can_add = match self.current_price() {
            Some(current) if self.allows_cost_surge => self.payable(current),
            Some(current) if current <= price + COST_NOISE => u32::MAX,
            None if self.allows_cost_surge && self.max_hourly_cost.is_none() => u32::MAX,
            Some(_) | None => 0,
        };
        can_add.max(self.current.instances)
    }

    /// What a size on the way with fewer instances to come may cost.
    fn most_on_the_way(&self) -> f64 {
        if self.allows_cost_surge { self.most_cost() } else { self.current_cost() }
    }

    /// The most instances that can be paid at a price.
    fn payable(&self, price: f64) -> u32 {
        whole((self.most_cost() + COST_NOISE) / price)
    }

    /// What a size may cost.
    fn most_cost(&self) -> f64 {
        self.max_hourly_cost.map_or(f64::INFINITY, |most| most.max(self.current_cost()))
    }

    /// What the current size costs; nothing where its price is unknown.
    fn current_cost(&self) -> f64 {
        self.current_price().unwrap_or_default() * f64::from(self.current.instances)
    }

    fn current_rung(&self) -> Option<&Rung> {
        self.ladder.rungs.get(self.current.rung)
    }

    /// US dollars per hour of one instance now.
    fn current_price(&self) -> Option<f64> {
        self.current_rung()?.price
    }

    /// The fewest instances of a rung that carry the demand, among those that can be paid and reached.
    fn fewest(&self, at: usize, rung: &Rung, demand: Demand) -> Option<Priced> {
        if rung.memory_gib + NOISE < demand.memory_gib {
            return None;
        }
        let Counts { least, most } = self.counts(at, rung)?;
        let instances = demand.instances_of(rung).max(least);
        (instances <= most).then(|| self.priced(Candidate { rung: at, instances }, rung))
    }

    /// A candidate with its cost. One of another shape must save something in addition, which counts as a part of it.
    fn priced(&self, candidate: Candidate, rung: &Rung) -> Priced {
        let cost = rung.price.unwrap_or_default() * f64::from(candidate.instances);
        let is_current = candidate.rung == self.current.rung;
        Priced { candidate, cost: if is_current { cost } else { cost + self.min_savings } }
    }

    /// The order by cost; of equal costs the candidate closer to the current rung comes first.
    fn by_cost(&self, a: &Priced, b: &Priced) -> Ordering {
        let is_equal = (a.cost - b.cost).abs() <= COST_NOISE;
        let by_cost = if is_equal { Ordering::Equal } else { a.cost.total_cmp(&b.cost) };
        let distance =
            |Candidate { rung, instances }: Candidate| (rung.abs_diff(self.current.rung), instances);
        by_cost.then_with(|| distance(a.candidate).cmp(&distance(b.candidate)))
    }

    /// The candidate that carries most of a demand that none carries in full, and no less than the current size does.
    /// Memory counts first, because no number of instances makes up for it, then virtual CPUs, then cost.
    fn closest(&self, demand: Demand) -> Option<Candidate> {
        let now = self.carried(self.current, demand);
        let partial = self.rungs().filter_map(|(at, rung)| {
            let Counts { least, most } = self.counts(at, rung)?;
            let instances = demand.instances_of(rung).clamp(least, most);
            let priced = self.priced(Candidate { rung: at, instances }, rung);
            Some(Partial { priced, carried: self.carried(priced.candidate, demand) })
        });
        let best = partial.filter(|partial| partial.carried.is_at_least(now)).max_by(|a, b| {
            let by_memory = a.carried.memory_gib.total_cmp(&b.carried.memory_gib);
            let by_vcpus = || a.carried.vcpus.total_cmp(&b.carried.vcpus);
            by_memory.then_with(by_vcpus).then_with(|| self.by_cost(&b.priced, &a.priced))
        });
        best.map(|partial| partial.priced.candidate)
    }

    /// What a candidate carries of a demand.
    fn carried(&self, candidate: Candidate, demand: Demand) -> Carried {
        let Candidate { rung, instances } = candidate;
        let Some(rung) = self.ladder.rungs.get(rung) else { return Carried { memory_gib: 0.0, vcpus: 0.0 } };
        let is_enough = instances >= demand.instances_of(rung);
        let offered = f64::from(rung.vcpus) * f64::from(instances);
        Carried {
            memory_gib: rung.memory_gib.min(demand.memory_gib),
            vcpus: if is_enough { demand.vcpus } else { offered.min(demand.vcpus) },
        }
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

/// The next size on the way.
pub fn next_candidate(current: Candidate, desired: Candidate) -> Candidate {
    match next_axis(current, desired) {
        Some(Axis::Shape) => Candidate { rung: desired.rung, ..current },
        Some(Axis::Instances | Axis::Bandwidth) | None => {
            Candidate { instances: desired.instances, ..current }
        }
    }
}

/// The noise of a floating-point division: a millionth of one vCPU, GiB or instance.
const NOISE: f64 = 1e-6;
