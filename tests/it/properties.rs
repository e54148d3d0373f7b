//! What holds after any history of events: bounds, one change at a time, and a pair for all that went up.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed};
use stepladder::alarm::Transition;
use stepladder::decide::Decision;
use stepladder::outcome::{Ending, Outcome};
use stepladder::platform::simulated::{SimulatedCloud, World, WorldAlarm};
use stepladder::policy::Policy;
use stepladder::size::{Axis, Flex, Size};

use crate::support::{
    BANDWIDTH_PAIR, CHURN, CPU_PAIR, HIGH_BANDWIDTH, HIGH_CPU, HIGH_MEM, LOW_BANDWIDTH, LOW_CPU, LOW_MEM,
    MEM_PAIR, OCI_RUNGS, VARIANT, Watched, answer, cloud_with, existing, heading, notice, on, pairs, pass,
    policy, send, size,
};

const VARIANT_RUNGS: &[&str] =
    &["ml.m5.large", "ml.m5.xlarge", "ml.m5.2xlarge", "ml.m5.4xlarge", "ml.m5.12xlarge", "ml.m5.24xlarge"];

/// Sizes of flexible shapes; a history may lead between them, too.
const FLEXIBLE: &[&str] = &[
    "VM.Standard.E4.Flex:1:6",
    "VM.Standard.E4.Flex:2:32",
    "VM.Standard.E4.Flex:3:50",
    "VM.Standard.E4.Flex:40:1000",
    "VM.Optimized3.Flex:18:256",
];

/// The bounds in all of these histories: on the count, and on the bandwidth.
const MIN: u32 = 1;
const MAX: u32 = 4;
const NARROWEST: u32 = 10;
const WIDEST: u32 = 80;

fn config(seed: u64) -> Config {
    Config { cases: 160, failure_persistence: None, rng_seed: RngSeed::Fixed(seed), ..Config::default() }
}

fn rungs(id: &str) -> &'static [&'static str] {
    if id == CHURN { &OCI_RUNGS } else { VARIANT_RUNGS }
}

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    /// An alarm's notice, about a moment so many minutes ago.
    Notify { alarm: &'static str, transition: Transition, minutes_ago: i64, twice: bool },
    /// Time passes.
    Pass(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let alarm = select(vec![HIGH_CPU, LOW_CPU, HIGH_MEM, LOW_MEM, HIGH_BANDWIDTH, LOW_BANDWIDTH]);
    // Most of what comes is a breach, and most of it comes at once.
    let transition = prop_oneof![
        4 => Just(Transition::Firing),
        2 => Just(Transition::Repeat),
        1 => Just(Transition::Cleared),
        1 => Just(Transition::NoData),
    ];
    let ago = prop_oneof![3 => Just(0_i64), 1 => 0..40_i64];
    let notify =
        (alarm, transition, ago, any::<bool>()).prop_map(|(alarm, transition, minutes_ago, twice)| {
            Step::Notify { alarm, transition, minutes_ago, twice }
        });
    let step = prop_oneof![3 => notify, 2 => select(vec![1_i64, 4, 5, 6, 10, 30]).prop_map(Step::Pass)];
    prop::collection::vec(step, 1..40)
}

/// Where a history begins.
#[derive(Debug, Clone)]
struct Start {
    id: &'static str,
    instances: u32,
    rung: &'static str,
    bandwidth: Option<u32>,
    evidence: &'static str,
}

impl Start {
    fn cloud(&self) -> SimulatedCloud {
        let Size { shape, flex, .. } = Size::new(self.instances, "").on_rung(self.rung);
        let cloud = cloud_with(self.id, self.instances, &shape);
        on(&cloud, self.id, |found| (found.flex, found.bandwidth_mbps) = (flex, self.bandwidth));
        for alarm in [HIGH_BANDWIDTH, LOW_BANDWIDTH] {
            let alarm = existing(notice(alarm, self.id).name(), self.id, Some(5));
            cloud.with(|world| world.alarms.push(alarm));
        }
        cloud
    }

    fn policy(&self, mode: &str) -> Policy {
        policy(&self.text(mode))
    }

    /// The policy that acts, with a destination of notices.
    fn notifying(&self) -> Policy {
        policy(&(self.text("act") + "\n[[notify]]\nto = \"https://example.org/hook\""))
    }

    fn text(&self, mode: &str) -> String {
        let evidence = self.evidence;
        format!(
            "mode = \"{mode}\"\n[defaults]\nevidence = \"{evidence}\"\ninstances = {{ min = {MIN}, max = {MAX} }}\n\
             bandwidth = {{ min = {NARROWEST}, max = {WIDEST} }}"
        )
    }
}

fn starts() -> impl Strategy<Value = Start> {
    let on_oci = select([&OCI_RUNGS, FLEXIBLE].concat());
    let on_oci = (on_oci, NARROWEST..=WIDEST).prop_map(|(rung, mbps)| (CHURN, rung, Some(mbps)));
    let on_sagemaker = select(VARIANT_RUNGS).prop_map(|rung| (VARIANT, rung, None));
    let place = prop_oneof![2 => on_oci, 1 => on_sagemaker];
    (place, MIN..=MAX, select(vec!["window", "fired"])).prop_map(
        |((id, rung, bandwidth), instances, evidence)| Start { id, instances, rung, bandwidth, evidence },
    )
}

/// The position of a size on an axis; `None` if it has left its ladder, or has no such axis.
fn height(id: &str, size: &Size, axis: Axis) -> Option<usize> {
    let number = |number: u32| usize::try_from(number).ok();
    match (axis, size.flex) {
        (Axis::Instances, _) => number(size.instances),
        (Axis::Bandwidth, _) => size.bandwidth_mbps.and_then(number),
        (Axis::Shape, None) => rungs(id).iter().position(|rung| *rung == size.shape),
        // No step makes one of the two larger and the other smaller.
        (Axis::Shape, Some(flex)) => number(flex.ocpus + flex.memory_gib),
    }
}

/// A variant goes back to the type that it was deployed with, a model deployment to the end of its ladder.
fn floor(start: &Start, axis: Axis) -> usize {
    let end = |rung: &str| height(start.id, &Size::new(1, "").on_rung(rung), axis).unwrap();
    match axis {
        Axis::Instances => 1,
        Axis::Bandwidth => usize::try_from(NARROWEST).unwrap(),
        Axis::Shape if start.id == VARIANT => end(start.rung),
        Axis::Shape if start.rung.contains(".Flex:") => end("VM.Standard.E4.Flex:1:6"),
        Axis::Shape => 0,
    }
}

fn pair_of(axis: Axis) -> &'static str {
    match axis {
        Axis::Instances => CPU_PAIR,
        Axis::Shape => MEM_PAIR,
        Axis::Bandwidth => BANDWIDTH_PAIR,
    }
}

fn sizes(world: &World, id: &str) -> [Size; 2] {
    let found = &world.deployments[id];
    [found.size(), found.heading()]
}

/// The lowest that a deployment has ever been, and what it goes back to: what is above both was added by us.
struct Lowest {
    instances: usize,
    shape: usize,
    bandwidth: usize,
    floor: usize,
}

impl Lowest {
    fn of(&mut self, axis: Axis) -> &mut usize {
        match axis {
            Axis::Instances => &mut self.instances,
            Axis::Shape => &mut self.shape,
            Axis::Bandwidth => &mut self.bandwidth,
        }
    }
}

/// The axes along which a deployment has a size.
fn axes(id: &str) -> &'static [Axis] {
    let all = &[Axis::Instances, Axis::Shape, Axis::Bandwidth];
    if id == CHURN { all } else { &all[..2] }
}

/// What the service lets a flexible shape be made.
fn is_possible(shape: &str, Flex { ocpus, memory_gib }: Flex) -> bool {
    let (cores, memory) = if shape.contains("Optimized3") { (18, 256) } else { (64, 1024) };
    let each = (6 * ocpus..=64 * ocpus).contains(&memory_gib);
    each && (1..=cores).contains(&ocpus) && (6..=memory).contains(&memory_gib)
}

/// What holds at every moment, also between the calls of one plan.
fn at_any_moment(world: &World, id: &str, lowest: &mut Lowest) -> Result<(), TestCaseError> {
    let sizes = sizes(world, id);
    for size in &sizes {
        prop_assert!((MIN..=MAX).contains(&size.instances), "{size}");
        prop_assert!(size.bandwidth_mbps.is_none_or(|mbps| (NARROWEST..=WIDEST).contains(&mbps)), "{size}");
        prop_assert!(size.flex.is_none_or(|flex| is_possible(&size.shape, flex)), "{size}");
    }
    for axis in axes(id) {
        let heights = sizes.each_ref().map(|size| height(id, size, *axis));
        let [Some(now), Some(then)] = heights else { return Err(TestCaseError::fail(format!("{sizes:?}"))) };
        let floor = if *axis == Axis::Shape { lowest.floor } else { 0 };
        let lowest = lowest.of(*axis);
        *lowest = now.min(*lowest);
        let added_from = floor.max(*lowest);
        let existing = pairs(world, id, pair_of(*axis)).len();
        prop_assert!(existing <= 1, "{existing} pairs of {axis}");
        prop_assert!(now.max(then) <= added_from || existing == 1, "{axis} was added and nothing removes it");
    }
    Ok(())
}

/// What one call may change.
fn by_one_call(before: &World, after: &World, id: &str) -> Result<(), TestCaseError> {
    let ([_, from], [_, to]) = (sizes(before, id), sizes(after, id));
    let changes =
        [from.instances != to.instances, from.rung() != to.rung(), from.bandwidth_mbps != to.bandwidth_mbps];
    prop_assert!(changes.iter().filter(|change| **change).count() <= 1, "{from} → {to}");
    let pairs_of = |world: &World| [CPU_PAIR, MEM_PAIR, BANDWIDTH_PAIR].map(|pair| pairs(world, id, pair));
    prop_assert!(from == to || pairs_of(before) == pairs_of(after), "a call changes the size or an alarm");
    Ok(())
}

/// What holds after an event about a settled deployment was answered.
fn once_answered(
    outcome: &Outcome,
    cloud: &SimulatedCloud,
    start: &Start,
    axis: Axis,
) -> Result<(), TestCaseError> {
    let id = start.id;
    let world = cloud.snapshot();
    if outcome.observed.is_none() || world.deployments[id].change.is_some() {
        return Ok(());
    }
    let above = height(id, &size(cloud, id), axis).is_some_and(|height| height > floor(start, axis));
    let existing = pairs(&world, id, pair_of(axis)).len();
    // On OCI a scale-up alarm does not delete a pair that is no longer needed: another delivery may need it.
    let spared = id == CHURN && [HIGH_CPU, HIGH_MEM].contains(&outcome.alarm.name.as_str());
    prop_assert!(
        existing == usize::from(above) || (existing == 1 && spared),
        "settled, above the floor: {}, pairs: {}",
        above,
        existing
    );
    Ok(())
}

/// A running history: the events that have resized, and the lowest size so far.
struct History<'a> {
    start: &'a Start,
    cloud: SimulatedCloud,
    policy: Policy,
    resized: BTreeSet<Vec<u8>>,
    lowest: Lowest,
}

impl<'a> History<'a> {
    fn new(start: &'a Start) -> Self {
        let cloud = start.cloud();
        let policy = start.policy("act");
        let floor = floor(start, Axis::Shape);
        let lowest = Lowest { instances: usize::MAX, shape: usize::MAX, bandwidth: usize::MAX, floor };
        Self { start, cloud, policy, resized: BTreeSet::new(), lowest }
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Pass(minutes) => pass(&self.cloud, *minutes),
            Step::Notify { twice, .. } => {
                self.notify(step)?;
                if *twice {
                    let before = heading(&self.cloud, self.start.id);
                    let first = self.notify(step)?;
                    prop_assert!(!first || before == heading(&self.cloud, self.start.id));
                }
            }
        }
        at_any_moment(&self.cloud.snapshot(), self.start.id, &mut self.lowest)
    }

    /// Answers one event, and returns whether it had resized before.
    fn notify(&mut self, step: &Step) -> Result<bool, TestCaseError> {
        let Some((notice, axis)) = notice_of(step, &self.cloud, self.start.id) else { return Ok(false) };
        let watched = Watched::new(&self.cloud);
        let outcome = send(&notice, &watched, &self.policy);
        for (before, after) in watched.steps() {
            by_one_call(&before, &after, self.start.id)?;
            at_any_moment(&after, self.start.id, &mut self.lowest)?;
        }
        prop_assert_ne!(outcome.result, Ending::Failed, "{:?}", outcome);
        once_answered(&outcome, &self.cloud, self.start, axis)?;
        let resizes = matches!(outcome.decision, Decision::Resize { .. });
        let had_resized = self.resized.contains(&notice.body());
        prop_assert!(!(resizes && had_resized), "one event has resized twice");
        if resizes {
            self.resized.insert(notice.body());
        }
        Ok(had_resized)
    }
}

fn notice_of(step: &Step, cloud: &SimulatedCloud, id: &str) -> Option<(crate::support::Notice, Axis)> {
    let Step::Notify { alarm, transition, minutes_ago, .. } = step else { return None };
    let at = cloud.with(|world| world.clock) - jiff::SignedDuration::from_mins(*minutes_ago);
    let axis = match *alarm {
        HIGH_MEM | LOW_MEM => Axis::Shape,
        HIGH_BANDWIDTH | LOW_BANDWIDTH => Axis::Bandwidth,
        _ => Axis::Instances,
    };
    Some((notice(alarm, id).with_transition(*transition).at(at), axis))
}

/// The metrics that a deployment on OCI always has.
const PUBLISHED: [&str; 3] = ["CpuUtilization", "MemoryUtilization", "PredictBandwidth"];

/// The load on a deployment: what some of its metrics read. The others read no more than what calls for nothing.
fn load(cloud: &SimulatedCloud, metrics: &[&str], percent: f64) {
    let value = |metric| if metrics.contains(&metric) { percent } else { percent.min(30.0) };
    on(cloud, CHURN, |found| {
        found.metrics = PUBLISHED.map(|metric| (metric.to_owned(), value(metric))).into();
    });
}

/// No load, no change in progress, and no capacity left to scale down.
fn idle(cloud: &SimulatedCloud, smallest: &Size) -> bool {
    cloud.with(|world| {
        let found = &world.deployments[CHURN];
        found.size() == *smallest
            && found.change.is_none()
            && found.metrics.values().all(|percent| *percent < 10.0)
            && !world.alarms.iter().any(WorldAlarm::is_ours)
    })
}

/// Lets time pass minute by minute, and delivers the alarms' notifications at once. Returns the largest size along each
/// axis.
fn live(
    cloud: &SimulatedCloud,
    policy: &Policy,
    smallest: &Size,
    minutes: i64,
) -> Result<[usize; 3], TestCaseError> {
    let mut peak = [0; 3];
    for _ in 0..minutes {
        if idle(cloud, smallest) {
            break;
        }
        let next = cloud.with(|world| world.clock) + jiff::SignedDuration::from_mins(1);
        for notice in cloud.advance(next) {
            for outcome in answer(&notice.body, cloud, policy, notice.at).outcomes {
                prop_assert_ne!(outcome.result, Ending::Failed, "{:?}", outcome);
            }
        }
        let now = size(cloud, CHURN);
        for (peak, axis) in peak.iter_mut().zip(axes(CHURN)) {
            *peak = height(CHURN, &now, *axis).unwrap_or(usize::MAX).max(*peak);
        }
    }
    Ok(peak)
}

proptest! {
    #![proptest_config(config(1))]

    #[test]
    fn any_history_stays_in_bounds_and_strands_nothing(start in starts(), steps in steps()) {
        let mut history = History::new(&start);
        for step in &steps {
            history.step(step)?;
        }
    }

    #[test]
    fn a_dry_run_changes_nothing_at_all(start in starts(), steps in steps()) {
        let cloud = start.cloud();
        let (dry, real) = (start.policy("observe"), start.policy("act"));
        for step in &steps {
            if let Step::Pass(minutes) = step {
                pass(&cloud, *minutes);
            }
            let Some((notice, _)) = notice_of(step, &cloud, start.id) else { continue };
            let before = cloud.snapshot();
            let shown = send(&notice, &cloud, &dry);
            prop_assert_eq!(cloud.snapshot(), before);
            // And what it shows is what happens next.
            let sent = send(&notice, &cloud, &real);
            let calls = |outcome: &Outcome| outcome.calls.iter().map(|sent| sent.call.clone()).collect::<Vec<_>>();
            prop_assert_eq!(calls(&shown), calls(&sent));
        }
    }

    #[test]
    fn notices_change_nothing_else(start in starts(), steps in steps()) {
        let (notified, quiet) = (start.cloud(), start.cloud());
        let policy = start.policy("act");
        let notifying = start.notifying();
        let mut resized = 0;
        for step in &steps {
            if let Step::Pass(minutes) = step {
                pass(&notified, *minutes);
                pass(&quiet, *minutes);
            }
            let Some((notice, _)) = notice_of(step, &notified, start.id) else { continue };
            let outcome = send(&notice, &notified, &notifying);
            resized += usize::from(outcome.resized());
            prop_assert_eq!(outcome.decision, send(&notice, &quiet, &policy).decision);
        }
        let messages = notified.with(|world| std::mem::take(&mut world.messages));
        prop_assert_eq!(messages.len(), resized);
        prop_assert_eq!(notified.snapshot(), quiet.snapshot());
    }

    #[test]
    fn the_same_event_twice_in_a_row_resizes_at_most_once(start in starts(), steps in steps(), later in 0..90_i64) {
        let (cloud, policy) = (start.cloud(), start.policy("act"));
        for step in &steps {
            if let Step::Pass(minutes) = step {
                pass(&cloud, *minutes);
            }
            let Some((notice, _)) = notice_of(step, &cloud, start.id) else { continue };
            let before = heading(&cloud, start.id);
            send(&notice, &cloud, &policy);
            let once = heading(&cloud, start.id);
            pass(&cloud, later);
            send(&notice, &cloud, &policy);
            let twice = heading(&cloud, start.id);
            prop_assert!(before == once || once == twice, "{} → {} → {}", before, once, twice);
        }
    }
}

proptest! {
    #![proptest_config(config(2))]

    #[test]
    fn every_scale_up_is_scaled_down_again(
        metrics in prop::sample::subsequence(
            PUBLISHED.to_vec(), 1..=3,
        ),
        rung in select(vec!["VM.Standard2.1", "VM.Standard.E4.Flex:1:6"]),
        busy_minutes in 12..180_i64,
        update_seconds in 60..900_u32,
    ) {
        let smallest = Size { bandwidth_mbps: Some(NARROWEST), ..Size::new(MIN, "").on_rung(rung) };
        let cloud = cloud_with(CHURN, MIN, &smallest.shape);
        on(&cloud, CHURN, |found| {
            (found.flex, found.bandwidth_mbps) = (smallest.flex, smallest.bandwidth_mbps);
        });
        cloud.with(|world| {
            world.update_seconds = update_seconds;
            world.alarms.retain(|alarm| !alarm.id.starts_with("variant-"));
            world.alarms.push(existing(HIGH_BANDWIDTH, CHURN, Some(5)));
        });
        let policy = policy("[defaults]\ninstances = { min = 1, max = 4 }");
        load(&cloud, &metrics, 95.0);
        let busy = live(&cloud, &policy, &smallest, busy_minutes)?;
        load(&cloud, &metrics, 3.0);
        // One change may still be under way.
        let late = live(&cloud, &policy, &smallest, 900)?;
        let went_up = axes(CHURN).iter().zip(busy).zip(late).any(|((axis, busy), late)| {
            busy.max(late) > height(CHURN, &smallest, *axis).unwrap()
        });
        prop_assert!(went_up, "it never went up");
        let world = cloud.snapshot();
        prop_assert_eq!(size(&cloud, CHURN), smallest);
        prop_assert_eq!(heading(&cloud, CHURN), size(&cloud, CHURN));
        for pair in [CPU_PAIR, MEM_PAIR, BANDWIDTH_PAIR] {
            prop_assert_eq!(pairs(&world, CHURN, pair), []);
        }
    }
}
