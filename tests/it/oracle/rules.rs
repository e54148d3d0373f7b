//! The oracle: what the rules of `docs/decisions.md` demand of a situation, in tables and by trying what there is.

use stepladder::alarm::{Side, Transition};
use stepladder::size::Axis;

use super::situation::{
    Adjustment, Change, Cloud, Evidence, Fired, LADDER, Metric, Observed, PairAlarm, Pause, Recorded, Rule,
    Scaling, Situation, State,
};

/// What must be decided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Answer {
    Hold(&'static str),
    /// So many instances, the rung at this place, or so many Mbps.
    Resize(u32),
}

use Answer::{Hold, Resize};

/// Up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
}

/// A guard, and when it holds.
type Guard = (&'static str, fn(&Situation) -> bool);

/// The guards before anything is proposed, in the order of `docs/decisions.md`.
const BEFORE: &[Guard] = &[
    ("not_firing", |s| !matches!(s.fired.transition, Transition::Firing | Transition::Repeat)),
    ("muted", |s| s.fired.is_muted),
    ("unreadable_tag", |s| s.observed.has_odd_tag),
    ("busy", |s| s.observed.state != State::Settled),
    ("stale", is_stale),
    ("not_resizable", |s| {
        s.observed.is_fixed || (s.policy.axis == Axis::Bandwidth && s.observed.mbps.is_none())
    }),
    ("owned_elsewhere", |s| s.observed.is_owned),
];

/// What must be decided.
pub(super) fn answer(situation: &Situation) -> Answer {
    for (name, holds) in BEFORE {
        if holds(situation) {
            return Hold(name);
        }
    }
    match proposed(situation) {
        Ok(proposal) => limited(situation, &proposal),
        Err(reason) => Hold(reason),
    }
}

/// The evidence begins before the last change was completed, or at an unknown time.
fn is_stale(s: &Situation) -> bool {
    let Some(changed) = s.observed.changed else { return false };
    let ends = match s.fired.evidence {
        Evidence::Ago(seconds) => i64::from(seconds.max(0)),
        Evidence::OnReceipt => 0,
        Evidence::Unknown => return true,
    };
    let window = i64::from(s.fired.window_minutes.unwrap_or(5)) * 60;
    let begins = ends + if s.policy.is_window_evidence { window } else { 0 };
    begins > i64::from(changed)
}

/// A change that a rule requests.
struct Proposal {
    way: Way,
    /// The number or the place to reach, before any limit.
    to: u32,
    /// Whether it is relative to what exists, so that what was added since a cooldown began counts toward it.
    is_step: bool,
    /// Whether it is the rung that a load needs, and not a number of rungs.
    is_for_load: bool,
}

/// The current number of what the rule changes.
pub(super) fn current(policy: &Rule, observed: &Observed) -> u32 {
    match policy.axis {
        Axis::Instances => observed.instances,
        Axis::Shape => u32::try_from(observed.rung).unwrap(),
        Axis::Bandwidth => observed.mbps.unwrap(),
    }
}

/// The bounds of the count, the policy's and the platform's together.
fn count_bounds(s: &Situation) -> [u32; 2] {
    let [min, max] = s.policy.instances;
    s.observed.platform.map_or([min, max], |[low, high]| [min.max(low), max.min(high)])
}

/// What is requested: `no_data` or `on_target` where it is nothing.
fn proposed(s: &Situation) -> Result<Proposal, &'static str> {
    let proposal = by_scaling(s);
    let [floor, ceiling] = count_bounds(s);
    let is_short = s.policy.axis == Axis::Instances && s.observed.instances < floor && floor <= ceiling;
    // Fewer than the floor, and the alarm requests more: the floor at least, whatever is measured.
    if is_short && s.policy.is_high {
        let to_floor = Proposal { way: Way::Up, to: floor, is_step: false, is_for_load: false };
        return Ok(proposal.ok().filter(|proposal| proposal.way == Way::Up).unwrap_or(to_floor));
    }
    let proposal = proposal?;
    // Nothing is known to be measured: that removes nothing.
    let is_measured = !s.fired.is_missing && (is_plain(s) || value(s).is_some());
    if proposal.way == Way::Up || is_measured { Ok(proposal) } else { Err("no_data") }
}

/// Whether the alarm's own comparison shows what was measured. Only a utilization is published all the time.
fn is_plain(s: &Situation) -> bool {
    let Fired { side, threshold, metric, .. } = &s.fired;
    (side.is_some() && threshold.is_some()) || *metric == Metric::Latency
}

fn by_scaling(s: &Situation) -> Result<Proposal, &'static str> {
    let now = current(&s.policy, &s.observed);
    match &s.policy.scaling {
        Scaling::Step(step) => Ok(by(s, now, *step)),
        Scaling::Steps { adjustments, least } => {
            let (value, threshold) = value(s).zip(s.fired.threshold).ok_or("no_data")?;
            let side = s.fired.side.unwrap_or(if value < threshold { Side::Below } else { Side::Above });
            let distance = value - threshold;
            let found = adjustments.iter().find(|one| contains(one, side, distance)).ok_or("on_target")?;
            adjusted(s, found, *least)
        }
        Scaling::Track(target) => tracked(s, f64::from(*target)),
    }
}

/// A step of so many instances, rungs or doublings.
fn by(s: &Situation, now: u32, step: i32) -> Proposal {
    let axis = s.policy.axis;
    let way = if step > 0 { Way::Up } else { Way::Down };
    let size = step.unsigned_abs();
    let to = match (axis, way) {
        // So many rungs, each with more of what is measured than the one before.
        (Axis::Shape, Way::Up) => (0..size)
            .fold(now, |at, _| (at + 1..=TOP).find(|to| offers(s, *to) > offers(s, at)).unwrap_or(at)),
        (Axis::Bandwidth, Way::Up) => now * 2_u32.pow(size),
        (Axis::Bandwidth, Way::Down) => now.div_ceil(2_u32.pow(size)),
        (_, Way::Up) => now + size,
        (_, Way::Down) => now.saturating_sub(size),
    };
    Proposal { way, to, is_step: axis == Axis::Instances, is_for_load: false }
}

/// Whether a step holds a distance: its lower end belongs to it where the alarm fires above, its upper one below.
fn contains(one: &Adjustment, side: Side, distance: f64) -> bool {
    let after = one.above.is_none_or(|end| match side {
        Side::Above => distance >= f64::from(end),
        Side::Below => distance > f64::from(end),
    });
    let before = one.below.is_none_or(|end| match side {
        Side::Above => distance < f64::from(end),
        Side::Below => distance <= f64::from(end),
    });
    after && before
}

/// One adjustment, as Application Auto Scaling makes it.
fn adjusted(s: &Situation, one: &Adjustment, least: u32) -> Result<Proposal, &'static str> {
    let now = current(&s.policy, &s.observed);
    let to = match one.change {
        Change::By(step) if s.policy.axis != Axis::Instances => return Ok(by(s, now, step)),
        Change::By(step) => now.saturating_add_signed(step),
        Change::To(to) => to,
        Change::Percent(percent) => percent_of(now, percent, least),
    };
    let is_step = !matches!(one.change, Change::To(_));
    toward(now, to, is_step).ok_or("on_target")
}

fn toward(now: u32, to: u32, is_step: bool) -> Option<Proposal> {
    let way = if to > now { Way::Up } else { Way::Down };
    (to != now).then_some(Proposal { way, to, is_step, is_for_load: false })
}

/// Fractions above one are cut off, those below are one, and the least magnitude counts.
fn percent_of(now: u32, percent: i32, least: u32) -> u32 {
    let hundredths = u64::from(now) * u64::from(percent.unsigned_abs());
    if hundredths == 0 {
        return now;
    }
    let change = u32::try_from(hundredths / 100).unwrap().max(1).max(least);
    if percent > 0 { now + change } else { now.saturating_sub(change) }
}

/// The value: the alarm's own, or what the cloud reads.
fn value(s: &Situation) -> Option<f64> {
    s.fired.value.filter(|_| !s.fired.is_missing).or(s.observed.reading)
}

/// The value in percent of the capacity, or in the metric's unit where it has no end.
fn percent(s: &Situation, value: f64) -> f64 {
    value / Situation::unit(s.observed.cloud, s.fired.metric, s.observed.rung)
}

fn tracked(s: &Situation, target: f64) -> Result<Proposal, &'static str> {
    let load = percent(s, value(s).ok_or("no_data")?);
    let now = current(&s.policy, &s.observed);
    let proposal = match s.policy.axis {
        Axis::Shape => Some(rung_for(s, load / target)),
        Axis::Instances | Axis::Bandwidth => {
            // The least number with which each carries no more than the target, except for the noise of a division.
            let least = (0..=100_000).find(|to| f64::from(*to) + 1e-6 >= f64::from(now) * (load / target));
            toward(now, least.unwrap(), false)
        }
    };
    let asked = s.fired.side.map(|side| if side == Side::Above { Way::Up } else { Way::Down });
    proposal.filter(|proposal| asked.is_none_or(|asked| asked == proposal.way)).ok_or("on_target")
}

/// The rung that carries so many times the load: up to the first one with enough, down as long as all have enough.
fn rung_for(s: &Situation, times: f64) -> Proposal {
    let now = u32::try_from(s.observed.rung).unwrap();
    let needed = f64::from(offers(s, now)) * times;
    let enough = |at: &u32| f64::from(offers(s, *at)) >= needed;
    let (way, to) = if times > 1.0 {
        // Where none has enough, the first of those with most.
        let most = (now..=TOP).find(|at| offers(s, *at) == offers(s, TOP)).unwrap();
        (Way::Up, (now + 1..=TOP).find(enough).unwrap_or(most))
    } else {
        (Way::Down, (0..now).rev().take_while(enough).last().unwrap_or(now))
    };
    Proposal { way, to, is_step: false, is_for_load: true }
}

/// The last rung.
const TOP: u32 = 4;

/// How much of what is measured a rung has.
fn offers(s: &Situation, at: u32) -> u32 {
    let step = &LADDER[usize::try_from(at).unwrap()];
    if s.fired.metric == Metric::Memory { step.memory } else { step.vcpus }
}

/// What is left of a proposal: pauses, cooldowns and rates, then bounds, flapping and the budget.
fn limited(s: &Situation, proposal: &Proposal) -> Answer {
    let way = proposal.way;
    if is_paused(s, way) {
        return Hold("paused");
    }
    let Some(wanted) = after_cooldown(s, proposal) else { return Hold("cooling_down") };
    let within_hour = s.observed.recorded.iter().filter(|one| one.seconds_ago < 3600).count();
    if s.policy.max_changes.is_some_and(|most| within_hour >= usize::try_from(most).unwrap()) {
        return Hold("too_many_changes");
    }
    let wanted = match bounded(s, proposal, wanted) {
        Ok(wanted) => wanted,
        Err(reason) => return Hold(reason),
    };
    let now = current(&s.policy, &s.observed);
    // The largest change that is acceptable, tried one after the other.
    let mut sizes: Vec<u32> =
        if way == Way::Up { (now + 1..=wanted).collect() } else { (wanted..now).collect() };
    if way == Way::Up {
        sizes.reverse();
    }
    let acceptable: fn(&Situation, u32) -> bool = if way == Way::Up { is_worth_its_cost } else { is_steady };
    let Some(to) = sizes.into_iter().find(|to| acceptable(s, *to)) else {
        return Hold(if way == Way::Up { "over_budget" } else { "would_flap" });
    };
    match AFTER.iter().find(|(_, holds)| holds(s, way, to)) {
        Some((reason, _)) => Hold(reason),
        None => Resize(to),
    }
}

/// Whether a guard holds a change that goes this way, to this size.
type Holds = fn(&Situation, Way, u32) -> bool;

/// The guards on a change that is left, in the order of `docs/decisions.md`.
const AFTER: &[(&str, Holds)] = &[
    ("infeasible", |s, _, to| {
        let refused =
            s.observed.refused.is_some_and(|(at, seconds)| u32::try_from(at) == Ok(to) && seconds > 0);
        s.policy.axis == Axis::Shape && refused
    }),
    ("pair_taken", |s, way, _| needs_pair(s, way) && s.observed.pair == PairAlarm::Foreign),
    ("no_pair_action", |s, way, _| needs_pair(s, way) && !pair_notifies(s)),
];

/// What is added needs an alarm that removes it.
fn needs_pair(s: &Situation, way: Way) -> bool {
    s.policy.has_pair && way == Way::Up
}

/// A pair notifies what it notifies already, or what the alarm does.
pub(super) fn pair_notifies(s: &Situation) -> bool {
    s.observed.notifies || s.observed.pair == PairAlarm::Ours
}

fn is_paused(s: &Situation, way: Way) -> bool {
    let by_tag = s.observed.pause.is_some_and(|Pause { word, until }| {
        let stops = word == "all" || (word == "up") == (way == Way::Up);
        stops && until.is_none_or(|until| until > 0)
    });
    let [up, down] = s.observed.suspended;
    by_tag || (s.policy.axis == Axis::Instances && if way == Way::Up { up } else { down })
}

/// What a cooldown leaves of a proposal.
fn after_cooldown(s: &Situation, proposal: &Proposal) -> Option<u32> {
    let Proposal { way, to, is_step, .. } = *proposal;
    let [up, down] = s.policy.cooldown;
    let cooldown = if way == Way::Up { up } else { down };
    let Some(changed) = s.observed.changed.filter(|changed| *changed < cooldown) else { return Some(to) };
    // The change that was completed last, where it is on record: it was requested up to an hour before.
    let last = s.observed.recorded.last().copied();
    let last = last.filter(|last| (changed..=changed + 3600).contains(&last.seconds_ago));
    match (way, last) {
        (Way::Up, Some(Recorded { added, .. })) if added < 0 => Some(to),
        (Way::Up, Some(Recorded { added, axis: Axis::Instances, .. })) if is_step => {
            let rest = to.saturating_sub(added.unsigned_abs());
            (rest > s.observed.instances).then_some(rest)
        }
        _ => None,
    }
}

/// The number within its bounds, or the rung on its ladder.
fn bounded(s: &Situation, proposal: &Proposal, wanted: u32) -> Result<u32, &'static str> {
    let now = current(&s.policy, &s.observed);
    let [min, max] = match s.policy.axis {
        Axis::Instances => count_bounds(s),
        Axis::Bandwidth => s.policy.bandwidth,
        Axis::Shape => [0, TOP],
    };
    match proposal.way {
        Way::Up if now >= max => Err("at_ceiling"),
        // No rung above has more of what is measured.
        Way::Up if s.policy.axis == Axis::Shape && wanted == now => Err("at_ceiling"),
        Way::Down if now <= min => Err("at_floor"),
        // No rung below carries the load.
        Way::Down if proposal.is_for_load && wanted == now => Err("on_target"),
        Way::Up => Ok(wanted.max(min).min(max)),
        Way::Down => Ok(wanted.max(min)),
    }
}

/// A size up is in the budget, and a rung has more of what is measured than each rung from the current one up to it.
fn is_worth_its_cost(s: &Situation, to: u32) -> bool {
    let now = current(&s.policy, &s.observed);
    let has_more = s.policy.axis != Axis::Shape || (now..to).all(|at| offers(s, to) > offers(s, at));
    has_more && is_in_budget(s, to)
}

/// A size up must not cost more than the policy allows. Bandwidth costs nothing.
fn is_in_budget(s: &Situation, to: u32) -> bool {
    let Observed { instances, rung, .. } = s.observed;
    let cents = |rung: usize, count: u32| LADDER[rung].cents * count;
    let cost = match s.policy.axis {
        Axis::Instances => cents(rung, to),
        Axis::Shape => cents(usize::try_from(to).unwrap(), instances),
        Axis::Bandwidth => return true,
    };
    s.policy.max_cents.is_none_or(|most| cost <= most)
}

/// A size down must leave the load a tenth under the threshold of the scale-up alarm, where both are known.
fn is_steady(s: &Situation, to: u32) -> bool {
    let usual = (s.fired.metric != Metric::Latency).then_some(80);
    let Some(threshold) = s.policy.threshold.or(usual) else { return true };
    let Some(value) = value(s).or(s.fired.threshold) else { return true };
    let now = current(&s.policy, &s.observed);
    let ratio = match (s.policy.axis, s.fired.metric) {
        (Axis::Instances | Axis::Bandwidth, _) => f64::from(now) / f64::from(to.max(1)),
        (Axis::Shape, Metric::Memory) => shape_ratio(now, to, |at| LADDER[at].memory),
        (Axis::Shape, _) => shape_ratio(now, to, |at| LADDER[at].vcpus),
    };
    percent(s, value) * ratio < f64::from(threshold) * 0.9
}

fn shape_ratio(from: u32, to: u32, offers: impl Fn(usize) -> u32) -> f64 {
    let at = |rung: u32| f64::from(offers(usize::try_from(rung).unwrap()));
    at(from) / at(to)
}

/// What must happen to the paired alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pair {
    /// It is written.
    Written,
    /// It is deleted.
    Deleted,
    /// No call is about it.
    Untouched,
    /// Either is right.
    Free,
}

/// What must happen to the paired alarm: above its floor a deployment has one, at its floor none.
pub(super) fn pair(s: &Situation, answer: Answer) -> Pair {
    let has_answered = !matches!(answer, Hold("not_firing" | "muted"));
    let stops_all = s
        .observed
        .pause
        .is_some_and(|pause| pause.word == "all" && pause.until.is_none_or(|until| until > 0));
    if !has_answered || !s.policy.has_pair || stops_all || s.observed.has_odd_tag || answer == Hold("paused")
    {
        return Pair::Untouched;
    }
    let is_left = s.observed.state == State::Gone || s.observed.is_fixed;
    let belongs_elsewhere = s.observed.is_owned && s.observed.pair != PairAlarm::Ours;
    if is_left || belongs_elsewhere || s.observed.pair == PairAlarm::Foreign {
        return Pair::Untouched;
    }
    let now = match (s.policy.axis, s.observed.mbps) {
        (Axis::Bandwidth, None) => return Pair::Untouched,
        _ => current(&s.policy, &s.observed),
    };
    let is_changing = s.observed.state == State::Busy && s.observed.cloud == Cloud::Oci;
    let after = if let Resize(to) = answer { to } else { now };
    let is_above = |number: u32| number > floor(s);
    match answer {
        Hold("no_pair_action") => Pair::Untouched,
        // The process that changes it now has written the pair before, or is about to: a second one must not exist.
        Hold(_) if is_changing && s.observed.pair == PairAlarm::Missing => Pair::Untouched,
        // No pair is written without an action.
        _ if !pair_notifies(s) => Pair::Untouched,
        Resize(_) if is_above(after) => Pair::Written,
        Resize(_) => Pair::Free,
        Hold(_) if is_above(now) => Pair::Written,
        Hold(_) if s.observed.pair != PairAlarm::Ours => Pair::Untouched,
        // Another delivery may be about to need it.
        Hold(_) if s.policy.is_high || s.observed.state != State::Settled => Pair::Free,
        Hold(_) => Pair::Deleted,
    }
}

/// The number at which nothing is left to remove.
fn floor(s: &Situation) -> u32 {
    match s.policy.axis {
        Axis::Instances => s.policy.instances[0].max(s.observed.platform.map_or(0, |[low, _]| low)),
        Axis::Bandwidth => s.policy.bandwidth[0],
        Axis::Shape => 0,
    }
}

/// The metric's name, as its cloud spells it.
pub(super) fn metric_name(fired: &Fired, cloud: Cloud) -> &'static str {
    match (fired.metric, cloud) {
        (Metric::Cpu, Cloud::Oci) => "CpuUtilization",
        (Metric::Cpu, Cloud::Aws) => "CPUUtilization",
        (Metric::Memory, _) => "MemoryUtilization",
        (Metric::Bandwidth, _) => "PredictBandwidth",
        (Metric::Latency, Cloud::Oci) => "PredictLatency",
        (Metric::Latency, Cloud::Aws) => "ModelLatency",
    }
}
