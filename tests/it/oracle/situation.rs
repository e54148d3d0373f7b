//! Random situations as plain data: a policy, a deployment and an alarm, and how each of them is made simpler.

use std::fmt;

use stepladder::alarm::{Side, Transition};
use stepladder::size::Axis;

/// A generator of numbers that a seed determines: `SplitMix64`.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0, under a limit.
    fn below(&mut self, limit: u32) -> u32 {
        u32::try_from(self.next() % u64::from(limit)).unwrap()
    }

    /// A number between two, both included.
    pub(super) fn between(&mut self, least: u32, most: u32) -> u32 {
        least + self.below(most - least + 1)
    }

    /// True so many times of a hundred.
    pub(super) fn is(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.next() % of.len() as u64).unwrap()]
    }

    /// Something, so many times of a hundred.
    fn maybe<T>(&mut self, percent: u32, some: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.is(percent).then(|| some(self))
    }
}

/// One rung of the ladder in all situations. Each has more of something than the one before it, and none has less.
pub(super) struct Step {
    pub(super) oci: &'static str,
    pub(super) aws: &'static str,
    pub(super) vcpus: u32,
    pub(super) memory: u32,
    pub(super) cents: u32,
}

const fn step(oci: &'static str, aws: &'static str, vcpus: u32, memory: u32, cents: u32) -> Step {
    Step { oci, aws, vcpus, memory, cents }
}

pub(super) const LADDER: [Step; 5] = [
    step("VM.Odd.1", "ml.odd.large", 1, 4, 10),
    step("VM.Odd.2", "ml.odd.xlarge", 2, 8, 20),
    step("VM.Odd.2M", "ml.odd.2xlarge", 2, 16, 25),
    step("VM.Odd.4", "ml.odd.3xlarge", 4, 16, 35),
    step("VM.Odd.8", "ml.odd.4xlarge", 8, 32, 90),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cloud {
    Oci,
    Aws,
}

/// What one step adjustment changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Change {
    By(i32),
    Percent(i32),
    To(u32),
}

/// One step adjustment, with its ends measured from the threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Adjustment {
    pub(super) above: Option<i32>,
    pub(super) below: Option<i32>,
    pub(super) change: Change,
}

/// How far a rule goes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scaling {
    Step(i32),
    Steps { adjustments: Vec<Adjustment>, least: u32 },
    Track(u32),
}

/// The one rule of a policy.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    pub(super) axis: Axis,
    /// Whether its alarm fires above the threshold.
    pub(super) is_high: bool,
    pub(super) scaling: Scaling,
    pub(super) instances: [u32; 2],
    pub(super) bandwidth: [u32; 2],
    /// Seconds, before a scale-up and before a scale-down.
    pub(super) cooldown: [u32; 2],
    pub(super) is_window_evidence: bool,
    pub(super) max_changes: Option<u32>,
    pub(super) max_cents: Option<u32>,
    pub(super) threshold: Option<u32>,
    pub(super) has_pair: bool,
}

/// A requested change on record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Recorded {
    pub(super) seconds_ago: u32,
    pub(super) axis: Axis,
    pub(super) added: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Settled,
    Busy,
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PairAlarm {
    Missing,
    Ours,
    Foreign,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pause {
    pub(super) word: &'static str,
    /// Seconds from now; negative for one that is over.
    pub(super) until: Option<i32>,
}

/// A deployment as it is observed.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
pub(super) struct Observed {
    pub(super) cloud: Cloud,
    pub(super) instances: u32,
    pub(super) rung: usize,
    pub(super) mbps: Option<u32>,
    pub(super) state: State,
    /// Seconds since the last change was completed.
    pub(super) changed: Option<u32>,
    pub(super) platform: Option<[u32; 2]>,
    /// Whether the rule's axis cannot be changed, or is somebody else's.
    pub(super) is_fixed: bool,
    pub(super) is_owned: bool,
    pub(super) pause: Option<Pause>,
    /// The platform's own pause of the count, up and down.
    pub(super) suspended: [bool; 2],
    pub(super) recorded: Vec<Recorded>,
    pub(super) reading: Option<f64>,
    pub(super) pair: PairAlarm,
    /// Whether the alarm notifies something, as its service describes it.
    pub(super) notifies: bool,
    /// A rung that could not be had, and for how many seconds more.
    pub(super) refused: Option<(usize, i32)>,
    pub(super) has_odd_tag: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metric {
    Cpu,
    Memory,
    Bandwidth,
    Latency,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    /// So many seconds ago; negative for a clock that is ahead.
    Ago(i32),
    OnReceipt,
    Unknown,
}

/// An alarm as its payload reports it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fired {
    pub(super) transition: Transition,
    pub(super) is_muted: bool,
    pub(super) metric: Metric,
    pub(super) value: Option<f64>,
    pub(super) threshold: Option<f64>,
    pub(super) side: Option<Side>,
    pub(super) is_missing: bool,
    pub(super) window_minutes: Option<u32>,
    pub(super) evidence: Evidence,
}

/// A policy, a deployment and an alarm.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Situation {
    pub(super) policy: Rule,
    pub(super) observed: Observed,
    pub(super) fired: Fired,
}

/// A random policy.
pub(super) fn policy(random: &mut Random) -> Rule {
    let axis =
        random.pick(&[Axis::Instances, Axis::Instances, Axis::Instances, Axis::Shape, Axis::Bandwidth]);
    let is_high = random.is(60);
    let least = random.between(1, 4);
    let narrow = random.pick(&[10, 10, 20, 50]);
    Rule {
        axis,
        is_high,
        scaling: scaling(random, axis, is_high),
        instances: [least, random.between(least, 12)],
        bandwidth: [narrow, random.pick(&[80, 100, 400])],
        cooldown: [random.pick(&[0, 0, 60, 600]), random.pick(&[0, 300, 900])],
        is_window_evidence: random.is(60),
        max_changes: random.maybe(30, |random| random.between(1, 4)),
        max_cents: random.maybe(35, |random| random.between(10, 400)),
        threshold: random.maybe(30, |random| random.pick(&[70, 90, 95])),
        has_pair: random.is(70),
    }
}

fn scaling(random: &mut Random, axis: Axis, is_high: bool) -> Scaling {
    let sign = if is_high { 1 } else { -1 };
    match random.between(0, 2) {
        0 => Scaling::Step(sign * random.pick(&[1, 1, 2, 3, 7])),
        1 => Scaling::Track(random.pick(&[20, 40, 50, 60])),
        _ => {
            let adjustments = adjustments(random, axis, sign);
            let is_percent = |one: &Adjustment| matches!(one.change, Change::Percent(_));
            let may_round = adjustments.iter().any(is_percent) && random.is(40);
            Scaling::Steps { least: if may_round { random.between(1, 3) } else { 1 }, adjustments }
        }
    }
}

/// Adjustments that touch each other, away from the threshold; sometimes with a gap next to it.
fn adjustments(random: &mut Random, axis: Axis, sign: i32) -> Vec<Adjustment> {
    let mut ends = vec![if random.is(80) { 0 } else { 5 }];
    for _ in 0..random.between(0, 2) {
        ends.push(ends.last().unwrap() + random.pick(&[5, 10, 20]));
    }
    let mut all: Vec<Adjustment> = (0..ends.len())
        .map(|at| {
            let (near, far) = (ends[at], ends.get(at + 1).copied());
            let (above, below) =
                if sign > 0 { (Some(near), far) } else { (far.map(|far| -far), Some(-near)) };
            Adjustment { above, below, change: change(random, axis, sign) }
        })
        .collect();
    if sign < 0 {
        all.reverse();
    }
    all
}

fn change(random: &mut Random, axis: Axis, sign: i32) -> Change {
    let by = Change::By(sign * random.pick(&[1, 1, 2, 4]));
    if axis != Axis::Instances {
        return by;
    }
    match random.between(0, 5) {
        0 => Change::Percent(sign * random.pick(&[5, 10, 30, 50, 100])),
        1 => Change::To(random.between(1, 9)),
        _ => by,
    }
}

impl Situation {
    /// A random situation of a policy. Most of what could hold is absent, or little would be resized.
    pub(super) fn any(random: &mut Random, policy: &Rule) -> Self {
        let metric = match policy.axis {
            Axis::Bandwidth => Metric::Bandwidth,
            Axis::Shape => random.pick(&[Metric::Memory, Metric::Memory, Metric::Cpu]),
            Axis::Instances => {
                random.pick(&[Metric::Cpu, Metric::Cpu, Metric::Cpu, Metric::Memory, Metric::Latency])
            }
        };
        let observed = observed(random, policy, metric);
        let fired = fired(random, policy, metric, &observed);
        Self { policy: policy.clone(), observed, fired }
    }

    /// How much of its metric's unit is one percent.
    pub(super) fn unit(cloud: Cloud, metric: Metric, rung: usize) -> f64 {
        match (cloud, metric) {
            (Cloud::Aws, Metric::Cpu) => f64::from(LADDER[rung].vcpus),
            _ => 1.0,
        }
    }
}

/// A value in percent: mostly on the side of the alarm.
fn percent(random: &mut Random, is_high: bool) -> f64 {
    let whole = if is_high { random.between(30, 130) } else { random.between(0, 60) };
    f64::from(whole) + random.pick(&[0.0, 0.0, 0.5, 0.25])
}

fn observed(random: &mut Random, policy: &Rule, metric: Metric) -> Observed {
    let is_wide = policy.axis == Axis::Bandwidth;
    let cloud = if is_wide || random.is(60) { Cloud::Oci } else { Cloud::Aws };
    let rung = usize::try_from(random.between(0, 4)).unwrap();
    let changed =
        random.maybe(50, |random| random.pick(&[0, 30, 59, 60, 200, 300, 301, 599, 600, 900, 5000]));
    let low = random.between(1, 5);
    let reading = percent(random, policy.is_high) * Situation::unit(cloud, metric, rung);
    let state = match random.between(0, 29) {
        0 => State::Busy,
        1 => State::Gone,
        _ => State::Settled,
    };
    Observed {
        cloud,
        instances: if random.is(4) { 0 } else { random.between(1, 13) },
        rung,
        mbps: if is_wide && random.is(95) {
            Some(random.pick(&[10, 15, 20, 40, 75, 80, 100, 300]))
        } else {
            None
        },
        state,
        changed,
        platform: random.maybe(20, |random| [low, random.between(low, 10)]),
        is_fixed: random.is(3),
        is_owned: random.is(3),
        pause: random.maybe(8, |random| Pause {
            word: random.pick(&["all", "up", "down"]),
            until: random.maybe(50, |random| random.pick(&[-60, 0, 60])),
        }),
        suspended: [random.is(4), random.is(4)],
        recorded: recorded(random, changed),
        reading: random.maybe(60, |_| reading),
        pair: random.pick(&[
            PairAlarm::Missing,
            PairAlarm::Missing,
            PairAlarm::Ours,
            PairAlarm::Ours,
            PairAlarm::Foreign,
        ]),
        notifies: random.is(85),
        refused: random.maybe(10, |random| (random.pick(&[1, 2, 3, 4]), random.pick(&[-1, 0, 1, 600]))),
        has_odd_tag: random.is(2),
    }
}

/// Changes on record, oldest first; the last one may be the one that was completed last.
fn recorded(random: &mut Random, changed: Option<u32>) -> Vec<Recorded> {
    let mut all: Vec<Recorded> = Vec::new();
    let mut ago = changed.unwrap_or(0) + random.pick(&[0, 20, 120, 3599, 3600, 3601]);
    for _ in 0..random.pick(&[0, 0, 1, 1, 2, 4]) {
        let axis = random.pick(&[Axis::Instances, Axis::Instances, Axis::Instances, Axis::Shape]);
        let sign = if random.is(75) { 1 } else { -1 };
        let added = if axis == Axis::Instances { sign * random.pick(&[1, 1, 2, 3]) } else { sign };
        all.insert(0, Recorded { seconds_ago: ago, axis, added });
        ago += random.pick(&[60, 400, 1700, 3000]);
    }
    all
}

fn fired(random: &mut Random, policy: &Rule, metric: Metric, observed: &Observed) -> Fired {
    let unit = Situation::unit(observed.cloud, metric, observed.rung);
    let value = percent(random, policy.is_high) * unit;
    let threshold = f64::from(random.pick(&[30_u32, 40, 50, 60])) * unit;
    let side = if policy.is_high { Side::Above } else { Side::Below };
    let (transition, evidence) = (
        random.pick(&[
            Transition::Firing,
            Transition::Firing,
            Transition::Firing,
            Transition::Firing,
            Transition::Firing,
            Transition::Firing,
            Transition::Repeat,
            Transition::Repeat,
            Transition::Repeat,
            Transition::Cleared,
            Transition::NoData,
            Transition::Test,
        ]),
        match random.between(0, 9) {
            0 => Evidence::Unknown,
            1..=3 => Evidence::OnReceipt,
            _ => Evidence::Ago(random.pick(&[-30, 0, 0, 0, 5, 60, 299, 300, 600])),
        },
    );
    // An alarm whose threshold is none of the metric has no value of it either.
    let threshold = random.maybe(92, |_| threshold);
    let value = random.maybe(85, |_| value).filter(|_| threshold.is_some());
    Fired {
        transition,
        is_muted: random.is(2),
        metric,
        value,
        threshold,
        side: Some(side),
        is_missing: random.is(5),
        window_minutes: random.maybe(70, |random| random.pick(&[1, 3, 5, 10])),
        evidence,
    }
}

/// The same situation with one part made ordinary, for each part that is not.
pub(super) fn simpler(situation: &Situation) -> Vec<Situation> {
    const PARTS: &[fn(&mut Situation)] = &[
        |one| one.policy.cooldown = [0, 0],
        |one| one.policy.is_window_evidence = false,
        |one| one.policy.max_changes = None,
        |one| one.policy.max_cents = None,
        |one| one.policy.threshold = None,
        |one| one.policy.has_pair = false,
        |one| one.policy.instances = [1, 12],
        |one| one.policy.bandwidth = [10, 400],
        |one| {
            if let Scaling::Steps { adjustments, .. } = &mut one.policy.scaling {
                let nearest = if one.policy.is_high { adjustments.first() } else { adjustments.last() };
                let mut only = *nearest.unwrap();
                if one.policy.is_high {
                    only.below = None;
                } else {
                    only.above = None;
                }
                *adjustments = vec![only];
            }
        },
        |one| one.observed.state = State::Settled,
        |one| one.observed.changed = None,
        |one| one.observed.platform = None,
        |one| one.observed.is_fixed = false,
        |one| one.observed.is_owned = false,
        |one| one.observed.pause = None,
        |one| one.observed.suspended = [false, false],
        |one| one.observed.recorded.clear(),
        |one| one.observed.recorded.truncate(1),
        |one| one.observed.reading = None,
        |one| one.observed.pair = PairAlarm::Missing,
        |one| one.observed.notifies = true,
        |one| one.observed.refused = None,
        |one| one.observed.has_odd_tag = false,
        |one| one.fired.transition = Transition::Firing,
        |one| one.fired.is_muted = false,
        |one| one.fired.is_missing = false,
        |one| one.fired.window_minutes = None,
        |one| one.fired.evidence = Evidence::OnReceipt,
        |one| one.fired.value = one.fired.value.map(f64::round),
        |one| one.observed.instances = one.observed.instances.min(3),
        |one| one.observed.instances = one.observed.instances.min(2),
    ];
    let changed = PARTS.iter().map(|part| {
        let mut one = situation.clone();
        part(&mut one);
        one
    });
    changed.filter(|one| one != situation).collect()
}

/// The situation as something to reproduce: the policy's text, and the rest as it is.
impl fmt::Display for Situation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", super::compare::policy_text(&self.policy))?;
        writeln!(f, "{:#?}\n{:#?}", self.observed, self.fired)
    }
}
