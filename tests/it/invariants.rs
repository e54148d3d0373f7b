//! What holds of every decision, whatever the policy, the deployment and the alarm.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed};
use stepladder::alarm::{Coverage, Transition};
use stepladder::decide::cheapest::{Candidate, Candidates, Demand, next_axis, next_candidate};
use stepladder::decide::{Decision, DecisionTrace, Hold};
use stepladder::ladder::{Ladder, Rung};
use stepladder::size::{Axis, Bounds, Size};

use crate::golden::case::Case;
use crate::support::OCI_RUNGS;

const MIN: u32 = 1;
const MAX: u32 = 12;

/// Scaling policies of rules that scale up with the load.
const SCALE_UP_RULES: [&str; 9] = [
    "axis = \"instances\"\nstep = 1",
    "axis = \"instances\"\nstep = 5",
    "axis = \"instances\"\ntrack = 60",
    "axis = \"instances\"\nsteps = [{ above = 0, add = 1 }, { above = 10, add = \"50%\" }, { above = 30, add = 9 }]",
    "axis = \"shape\"\nstep = 1",
    "axis = \"shape\"\ntrack = 60",
    "axis = \"shape\"\nsteps = [{ above = 0, add = 1 }, { above = 10, add = 3 }]",
    "axis = \"bandwidth\"\nstep = 2",
    "axis = \"bandwidth\"\ntrack = 60",
];

/// Scaling policies of rules that scale down.
const SCALE_DOWN_RULES: [&str; 7] = [
    "axis = \"instances\"\nstep = -1",
    "axis = \"instances\"\nstep = -5",
    "axis = \"instances\"\ntrack = 60",
    "axis = \"instances\"\nsteps = [{ above = -20, below = 0, remove = 1 }, { below = -20, remove = \"50%\" }]",
    "axis = \"shape\"\nstep = -2",
    "axis = \"shape\"\ntrack = 60",
    "axis = \"bandwidth\"\nstep = -1",
];

fn config(seed: u64) -> Config {
    Config { cases: 256, failure_persistence: None, rng_seed: RngSeed::Fixed(seed), ..Config::default() }
}

fn metric(keys: &str) -> &'static str {
    if keys.contains("shape") {
        "MemoryUtilization"
    } else if keys.contains("bandwidth") {
        "PredictBandwidth"
    } else {
        "CpuUtilization"
    }
}

#[derive(Debug, Clone)]
struct Start {
    keys: &'static str,
    instances: u32,
    rung: usize,
    mbps: u32,
    high: bool,
}

impl Start {
    fn case(&self, value: f64) -> Case {
        let keys = format!(
            "{}\ninstances = {{ min = {MIN}, max = {MAX} }}\nbandwidth = {{ min = 10, max = 80 }}",
            self.keys
        );
        let case = Case::new("", &keys).count(self.instances).shape(OCI_RUNGS[self.rung]);
        let case = if self.keys.contains("bandwidth") { case.bandwidth(self.mbps) } else { case };
        let metric = metric(self.keys);
        if self.high { case.high(metric, value, 40.0) } else { case.low(metric, value, 60.0) }
    }
}

fn starts() -> impl Strategy<Value = Start> {
    let keys = prop_oneof![
        select(SCALE_UP_RULES.to_vec()).prop_map(|keys| (keys, true)),
        select(SCALE_DOWN_RULES.to_vec()).prop_map(|keys| (keys, false)),
    ];
    (keys, MIN..=MAX, 0..OCI_RUNGS.len(), 10..=80_u32)
        .prop_map(|((keys, high), instances, rung, mbps)| Start { keys, instances, rung, mbps, high })
}

fn size_after(decided: &DecisionTrace, before: &Size) -> Size {
    match &decided.decision {
        Decision::Resize { to, .. } => to.clone(),
        Decision::Hold(_) => before.clone(),
    }
}

/// How much there is, along every axis.
fn capacity(size: &Size) -> (u32, usize, u32) {
    let rung = OCI_RUNGS.iter().position(|rung| *rung == size.shape).unwrap();
    (size.instances, rung, size.bandwidth_mbps.unwrap_or_default())
}

fn shrinks(from: &Size, to: &Size) -> bool {
    let (from, to) = (capacity(from), capacity(to));
    to.0 < from.0 || to.1 < from.1 || to.2 < from.2
}

fn resize(decided: &DecisionTrace) -> Option<(&Axis, &Size, &Size)> {
    match &decided.decision {
        Decision::Resize { axis, from, to } => Some((axis, from, to)),
        Decision::Hold(_) => None,
    }
}

proptest! {
    #![proptest_config(config(11))]

    #[test]
    fn every_size_is_in_bounds_on_its_ladder_and_one_step_from_what_is(start in starts(), value in 0.0..400.0_f64) {
        let case = start.case(value);
        let Some((axis, from, to)) = resize(&case.decided()).map(|(a, f, t)| (*a, f.clone(), t.clone())) else {
            return Ok(());
        };
        prop_assert!((MIN..=MAX).contains(&to.instances), "{to}");
        prop_assert!(to.bandwidth_mbps.is_none_or(|mbps| (10..=80).contains(&mbps)), "{to}");
        prop_assert!(OCI_RUNGS.contains(&to.shape.as_str()), "{to}");
        let changed = [
            (Axis::Instances, from.instances != to.instances),
            (Axis::Shape, from.shape != to.shape),
            (Axis::Bandwidth, from.bandwidth_mbps != to.bandwidth_mbps),
        ];
        for (other, changed) in changed {
            prop_assert_eq!(changed, other == axis, "{} {} → {}", axis, from, to);
        }
        prop_assert!(start.high != shrinks(&from, &to), "a scale-up alarm adds, a scale-down alarm removes: {from} → {to}");
    }

    #[test]
    fn more_load_never_leads_to_less(start in starts(), a in 0.0..400.0_f64, b in 0.0..400.0_f64) {
        let before = start.case(a);
        let [less, more] = [a.min(b), a.max(b)].map(|value| {
            let decided = start.case(value).decided();
            capacity(&size_after(&decided, before.size()))
        });
        prop_assert!(less.0 <= more.0 && less.1 <= more.1 && less.2 <= more.2, "{less:?} for less, {more:?} for more");
    }

    #[test]
    fn missing_stale_or_partial_data_never_scales_down(start in starts(), value in 0.0..60.0_f64, kind in 0..4_usize) {
        let case = start.case(value);
        let case = match kind {
            // The alarm fires because data is missing.
            0 => case.covered(Coverage::Nothing),
            // The data is older than the last change.
            1 => case.changed(60),
            // The metric has gone missing.
            2 => case.with_alarm(|alarm| alarm.transition = Transition::NoData),
            // The payload contains neither the value nor the threshold.
            _ => case.without_value().covered(Coverage::Nothing),
        };
        let decided = case.decided();
        prop_assert!(resize(&decided).is_none_or(|(_, from, to)| !shrinks(from, to)), "{:?}", decided.decision);
    }

    #[test]
    fn a_pause_stops_its_direction_and_no_other(start in starts(), value in 0.0..400.0_f64, word in select(vec!["all", "up", "down"])) {
        let free = start.case(value).decided();
        let paused = start.case(value).tag("pause", word).decided();
        let stopped = match resize(&free) {
            Some((_, from, to)) => word == "all" || (word == "down") == shrinks(from, to),
            None => false,
        };
        if stopped {
            prop_assert!(matches!(paused.decision, Decision::Hold(Hold::Paused { .. })), "{:?}", paused.decision);
        } else if resize(&free).is_some() {
            prop_assert_eq!(paused.decision, free.decision);
        } else {
            prop_assert!(resize(&paused).is_none());
        }
    }

    #[test]
    fn what_was_decided_is_not_decided_again(start in starts(), value in 0.0..400.0_f64) {
        let case = start.case(value);
        let decided = case.decided();
        let Some((_, _, to)) = resize(&decided) else { return Ok(()) };
        // The change is done, and the alarm comes again.
        let again = case.clone().sized(to).changed(0).decided();
        prop_assert!(matches!(again.decision, Decision::Hold(Hold::Stale { .. })), "{:?}", again.decision);
    }

    #[test]
    fn what_is_tracked_is_on_target_afterwards(instances in 1..=12_u32, value in 1.0..400.0_f64) {
        let tracked = |instances, value| {
            let keys = "axis = \"instances\"\ntrack = 60\ninstances = { min = 1, max = 999 }\ncooldown = { down = \"0s\" }";
            Case::new("", keys).count(instances).sideless().high("CpuUtilization", value, 60.0).sideless()
        };
        let decided = tracked(instances, value).decided();
        let Some((_, _, to)) = resize(&decided) else { return Ok(()) };
        let after = value * f64::from(instances) / f64::from(to.instances);
        prop_assert!(after <= 60.0 + 1e-3, "{after}");
        let again = tracked(to.instances, after).decided();
        prop_assert!(matches!(again.decision, Decision::Hold(Hold::OnTarget { .. } | Hold::AtFloor { .. })), "{:?}", again.decision);
    }
}

fn ladders() -> impl Strategy<Value = Vec<(u32, u32, Option<u32>)>> {
    prop::collection::vec((1..=16_u32, 1..=32_u32, prop::option::weighted(0.9, 1..=60_u32)), 1..=5)
}

fn ladder(rungs: &[(u32, u32, Option<u32>)]) -> Ladder {
    let rung = |(at, (vcpus, memory, price)): (usize, &(u32, u32, Option<u32>))| Rung {
        shape: format!("r{at}"),
        vcpus: *vcpus,
        memory_gib: f64::from(*memory),
        gpus: 0,
        accelerator: None,
        gpu_memory_gib: None,
        price: price.map(|price| f64::from(price) / 8.0),
    };
    Ladder { name: "small".into(), rungs: rungs.iter().enumerate().map(rung).collect() }
}

/// Everything that could be had, tried one after the other.
fn brute_force(choice: &Candidates, demand: Demand) -> Option<f64> {
    let mut best: Option<f64> = None;
    for (at, rung) in choice.ladder.rungs.iter().enumerate() {
        let Some(price) = rung.price else { continue };
        if at != choice.current.rung && !choice.usable[at] {
            continue;
        }
        for instances in choice.bounds.min..=choice.bounds.max {
            let carries =
                f64::from(rung.vcpus * instances) >= demand.vcpus && rung.memory_gib >= demand.memory_gib;
            let cost = price * f64::from(instances);
            if carries && best.is_none_or(|best| cost < best) {
                best = Some(cost);
            }
        }
    }
    best
}

/// How much of a demand a place carries: memory, then cores.
fn carried(ladder: &Ladder, place: Candidate, demand: Demand) -> (f64, f64) {
    let rung = &ladder.rungs[place.rung];
    (rung.memory_gib.min(demand.memory_gib), f64::from(rung.vcpus * place.instances).min(demand.vcpus))
}

/// The most that can be carried of a demand, and the least that it costs.
fn nearest(choice: &Candidates, demand: Demand) -> Option<((f64, f64), f64)> {
    let rungs = 0..choice.ladder.rungs.len();
    let had = rungs.filter(|at| *at == choice.current.rung || choice.usable[*at]);
    let priced = had.filter(|at| choice.ladder.rungs[*at].price.is_some());
    let places = priced.flat_map(|rung| {
        (choice.bounds.min..=choice.bounds.max).map(move |instances| Candidate { rung, instances })
    });
    let rated = places.map(|place| (carried(choice.ladder, place, demand), cost(choice.ladder, place)));
    let now = carried(choice.ladder, choice.current, demand);
    let rated = rated.filter(|(carried, _)| carried.0 >= now.0 && carried.1 >= now.1);
    rated.reduce(|best, next| {
        let better = next.0 > best.0 || (next.0 == best.0 && next.1 < best.1);
        if better { next } else { best }
    })
}

fn cost(ladder: &Ladder, place: Candidate) -> f64 {
    ladder.rungs[place.rung].price.unwrap() * f64::from(place.instances)
}

/// The cost, or nothing where the price is unknown.
fn cost_of(ladder: &Ladder, place: Candidate) -> f64 {
    ladder.rungs[place.rung].price.unwrap_or_default() * f64::from(place.instances)
}

/// What a place offers: cores of all instances, and memory of each.
fn offers(ladder: &Ladder, place: Candidate) -> (u32, f64) {
    let rung = &ladder.rungs[place.rung];
    (rung.vcpus * place.instances, rung.memory_gib)
}

fn carries(ladder: &Ladder, place: Candidate, demand: Demand) -> bool {
    let rung = &ladder.rungs[place.rung];
    f64::from(rung.vcpus * place.instances) >= demand.vcpus && rung.memory_gib >= demand.memory_gib
}

proptest! {
    #![proptest_config(Config { cases: 2000, ..config(12) })]

    #[test]
    fn the_cheapest_is_what_trying_everything_finds(
        rungs in ladders(), now in (0..5_usize, 1..=6_u32), max in 1..=6_u32,
        vcpus in 0..=100_u32, memory_gib in 0..=34_u32, usable in prop::collection::vec(prop::bool::weighted(0.8), 5),
        churn in 0..=8_u32,
    ) {
        let ladder = ladder(&rungs);
        let now = Candidate { rung: now.0 % rungs.len(), instances: now.1 };
        let demand = Demand { vcpus: f64::from(vcpus), memory_gib: f64::from(memory_gib) };
        let min_savings = f64::from(churn) / 8.0;
        let choice = |min_savings| Candidates {
            ladder: &ladder, usable: usable[..rungs.len()].to_vec(), bounds: Bounds { min: 1, max }, current: now, min_savings,
            max_hourly_cost: None, allows_cost_surge: true,
        };
        let found = choice(0.0).cheapest(demand);
        if let Some(best) = brute_force(&choice(0.0), demand) {
            let found = found.unwrap();
            prop_assert!(carries(&ladder, found, demand));
            prop_assert!((cost(&ladder, found) - best).abs() < 1e-9, "{} instead of {best}", cost(&ladder, found));
            // What it costs to change the shape is saved, or the shape stays.
            let stays = choice(min_savings).cheapest(demand).unwrap();
            prop_assert!(carries(&ladder, stays, demand));
            prop_assert!(cost(&ladder, stays) <= best + min_savings + 1e-5);
            if stays.rung != now.rung {
                let own: Vec<bool> = vec![false; rungs.len()];
                let only_own = Candidates { usable: own, ..choice(0.0) };
                let without = brute_force(&only_own, demand);
                prop_assert!(without.is_none_or(|without| without - cost(&ladder, stays) > min_savings - 1e-5));
            }
        } else {
            let rated = found.map(|found| (carried(&ladder, found, demand), cost_of(&ladder, found)));
            let nearest = nearest(&choice(0.0), demand);
            let same = match (rated, nearest) {
                (Some((carried, cost)), Some((most, least))) => carried == most && (cost - least).abs() < 1e-5,
                // What carries less than the current size is no better: it stays.
                (rated, None) => rated.is_none() || found == Some(now),
                (None, Some(_)) => false,
            };
            prop_assert!(same, "{rated:?} instead of {nearest:?}");
        }
    }

    #[test]
    fn every_step_on_the_way_carries_what_its_ends_do(
        rungs in ladders(), now in (0..5_usize, 1..=6_u32), goal in (0..5_usize, 1..=6_u32),
        vcpus in 0..=100_u32, memory_gib in 0..=34_u32,
    ) {
        let ladder = ladder(&rungs);
        let place = |(rung, instances): (usize, u32)| Candidate { rung: rung % rungs.len(), instances };
        let (mut at, goal) = (place(now), place(goal));
        let demand = Demand { vcpus: f64::from(vcpus), memory_gib: f64::from(memory_gib) };
        let safe = |at: Candidate| carries(&ladder, at, demand);
        let both = safe(at) && safe(goal);
        let mut steps = 0;
        while let Some(axis) = next_axis(at, goal) {
            at = match axis {
                Axis::Shape => Candidate { rung: goal.rung, ..at },
                Axis::Instances | Axis::Bandwidth => Candidate { instances: goal.instances, ..at },
            };
            prop_assert!(!both || safe(at), "{at:?} on the way to {goal:?}");
            steps += 1;
            prop_assert!(steps <= 2);
        }
        prop_assert_eq!(at, goal);
    }

    #[test]
    fn more_demand_never_costs_less(rungs in ladders(), now in (0..5_usize, 1..=6_u32), max in 1..=6_u32,
        a in (0..=100_u32, 0..=34_u32), b in (0..=100_u32, 0..=34_u32)) {
        let ladder = ladder(&rungs);
        let choice = Candidates {
            ladder: &ladder, usable: vec![true; rungs.len()], bounds: Bounds { min: 1, max },
            current: Candidate { rung: now.0 % rungs.len(), instances: now.1 }, min_savings: 0.0,
            max_hourly_cost: None, allows_cost_surge: true,
        };
        let demand = |vcpus: u32, memory_gib: u32| Demand { vcpus: f64::from(vcpus), memory_gib: f64::from(memory_gib) };
        let (less, more) = (demand(a.0.min(b.0), a.1.min(b.1)), demand(a.0.max(b.0), a.1.max(b.1)));
        let is_priced = |place: &Candidate| ladder.rungs[place.rung].price.is_some();
        let carries = |place: &Candidate, demand| is_priced(place) && carries(&ladder, *place, demand);
        let carried = |demand| choice.cheapest(demand).filter(|place| carries(place, demand));
        if let (Some(less), Some(more)) = (carried(less), carried(more)) {
            prop_assert!(cost(&ladder, less) <= cost(&ladder, more) + 1e-9);
        }
    }

    #[test]
    fn a_budget_bounds_every_size_and_no_load_is_given_less_for_being_more(
        rungs in ladders(), now in (0..5_usize, 1..=6_u32), max in 1..=8_u32, budget in prop::option::of(1..=200_u32),
        surge in any::<bool>(), savings in 0..=8_u32,
        a in (0..=100_u32, 0..=34_u32), b in (0..=100_u32, 0..=34_u32),
    ) {
        let ladder = ladder(&rungs);
        let now = Candidate { rung: now.0 % rungs.len(), instances: now.1 };
        let budget = budget.map(|eighths| f64::from(eighths) / 8.0);
        let choice = Candidates {
            ladder: &ladder, usable: vec![true; rungs.len()], bounds: Bounds { min: 1, max }, current: now,
            min_savings: f64::from(savings) / 8.0, max_hourly_cost: budget, allows_cost_surge: surge,
        };
        let demand = |vcpus: u32, memory_gib: u32| Demand { vcpus: f64::from(vcpus), memory_gib: f64::from(memory_gib) };
        let (less, more) = (demand(a.0.min(b.0), a.1.min(b.1)), demand(a.0.max(b.0), a.1.max(b.1)));
        let (Some(for_less), Some(for_more)) = (choice.cheapest(less), choice.cheapest(more)) else { return Ok(()) };
        let before = cost_of(&ladder, now);
        let most = budget.map_or(f64::INFINITY, |budget| budget.max(before)) + 1e-5;
        for (demand, chosen) in [(less, for_less), (more, for_more)] {
            let after = cost_of(&ladder, chosen);
            prop_assert!(after <= most, "{chosen:?} costs {after} of {most}");
            let between = cost_of(&ladder, next_candidate(now, chosen));
            let peak = if surge { most } else { before.max(after) + 1e-5 };
            prop_assert!(between <= peak, "{between} on the way to {chosen:?}");
            let (kept, had) = (carried(&ladder, chosen, demand), carried(&ladder, now, demand));
            prop_assert!(kept.0 >= had.0 && kept.1 >= had.1, "{chosen:?} carries {kept:?} instead of {had:?}");
        }
        let (few, many) = (offers(&ladder, for_less), offers(&ladder, for_more));
        let is_less = many.0 <= few.0 && many.1 <= few.1 && many != few;
        prop_assert!(!is_less, "{for_less:?} for {less:?}, {for_more:?} for {more:?}");
    }
}
