//! What an alarm means for a deployment that was looked at: a resize, or a reason to hold.
//!
//! Guards are asked one after the other, in the order in which they stand in [`worth_a_look`] and
//! [`decide`]; the first that objects holds. Pure: no clock, no cloud, no log.

use std::convert::Infallible;

use jiff::{SignedDuration, Timestamp};

use crate::alarm::{Alarm, TargetId, TargetKind};
use crate::deployment::{Axis, Bounds, Deployment, Infeasible, Lifecycle, Pause, Size};
use crate::policy::{Fresh, Matched, Native, Policy, is_pair_name};
use crate::target;

mod hold;

pub use hold::Hold;

/// The window that is assumed where neither the payload nor the alarm's own service tells one: that of
/// the guide's alarms.
const ASSUMED_WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// One alarm about one target, and the rule that answers it. What a cloud is asked to look at.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// What happened.
    pub alarm: &'a Alarm,
    /// To which deployment.
    pub target: &'a TargetId,
    /// The rule, and which way it goes.
    pub matched: Matched<'a>,
    /// The time that it is.
    pub now: Timestamp,
}

impl Question<'_> {
    /// Whether no rule knows the alarm, so that only what was begun is finished.
    pub fn is_caretaking(&self) -> bool {
        self.matched.step == 0
    }

    /// Whether a paired alarm of ours calls, which takes back what was added and nothing else. Other low alarms
    /// are somebody's own, and mean what they say.
    pub fn is_taking_back(&self) -> bool {
        let pair = self.matched.rule.pair.as_ref();
        pair.is_some() && is_pair_name(&self.alarm.name, self.target)
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Change the size along one axis.
    Resize {
        /// Which one.
        axis: Axis,
        /// The observed size.
        from: Size,
        /// The size to ask for. Absolute: asking twice asks for the same.
        to: Size,
    },
    /// Change nothing.
    Hold(Hold),
}

/// One guard's answer, for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The guard: the reason it would hold with.
    pub guard: &'static str,
    /// Whether it held.
    pub held: bool,
    /// What it looked at.
    pub saw: String,
}

/// A decision, and how it came about.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// The decision.
    pub decision: Decision,
    /// Every guard that was asked, in order.
    pub guards: Vec<Verdict>,
}

impl Decided {
    /// The answer to an alarm that names no target at all; only a firing one is worth a complaint.
    pub fn unknown_target(alarm: &Alarm) -> Self {
        let mut guards = Guards::default();
        let transition = alarm.transition;
        let not_firing = (!transition.is_firing()).then_some(Hold::NotFiring(transition));
        let nobody = || Err::<Infallible, _>(Hold::UnknownTarget);
        let Err(hold) = guards
            .ask("not_firing", transition.to_string(), not_firing)
            .and_then(|()| guards.ask_for("unknown_target", "none".to_owned(), nobody()));
        Self { decision: Decision::Hold(hold), guards: guards.0 }
    }
}

/// Collects verdicts until one holds.
#[derive(Default)]
struct Guards(Vec<Verdict>);

impl Guards {
    fn ask(&mut self, guard: &'static str, saw: String, hold: Option<Hold>) -> Result<(), Hold> {
        self.ask_for(guard, saw, hold.map_or(Ok(()), Err))
    }

    /// A guard that hands on what it found.
    fn ask_for<T>(&mut self, guard: &'static str, saw: String, found: Result<T, Hold>) -> Result<T, Hold> {
        self.0.push(Verdict { guard, held: found.is_err(), saw });
        found
    }
}

/// The guards that need no look at the deployment: what they hold costs no call.
pub fn worth_a_look<'a>(
    alarm: &'a Alarm,
    target: &'a TargetId,
    policy: &'a Policy,
    now: Timestamp,
) -> Result<(Question<'a>, Vec<Verdict>), Box<Decided>> {
    let mut guards = Guards::default();
    match first_guards(&mut guards, alarm, target, policy) {
        Ok(matched) => Ok((Question { alarm, target, matched, now }, guards.0)),
        Err(hold) => Err(Box::new(Decided { decision: Decision::Hold(hold), guards: guards.0 })),
    }
}

/// The question about a deployment whose paired alarm is only to be looked after: it does not fire, or no rule
/// knows it any more.
pub fn worth_mending<'a>(
    alarm: &'a Alarm,
    target: &'a TargetId,
    policy: &'a Policy,
    now: Timestamp,
) -> Option<(Question<'a>, Vec<Verdict>)> {
    if !policy.allows(target) {
        return None;
    }
    let held = !alarm.transition.is_firing();
    let verdict = Verdict { guard: "not_firing", held, saw: alarm.transition.to_string() };
    let matched = policy.rule_for(&alarm.name, target).unwrap_or_else(|| policy.caretaker());
    Some((Question { alarm, target, matched, now }, vec![verdict]))
}

fn first_guards<'a>(
    guards: &mut Guards,
    alarm: &Alarm,
    target: &TargetId,
    policy: &'a Policy,
) -> Result<Matched<'a>, Hold> {
    let transition = alarm.transition;
    let hold = (!transition.is_firing()).then_some(Hold::NotFiring(transition));
    guards.ask("not_firing", transition.to_string(), hold)?;

    let saw = if alarm.muted { "muted" } else { "not muted" };
    guards.ask("muted", saw.to_owned(), alarm.muted.then_some(Hold::Muted))?;

    let hold = (target.kind == TargetKind::Unknown).then_some(Hold::UnknownTarget);
    guards.ask("unknown_target", target.to_string(), hold)?;

    let left_out = policy.leaves_out(alarm, target);
    let (list, saw) = left_out.unwrap_or(("targets", &target.id));
    let hold = left_out.map(|_| Hold::NotAllowed { list, value: saw.to_owned() });
    let saw = if saw.is_empty() { "none" } else { saw };
    guards.ask("not_allowed", saw.to_owned(), hold)?;

    let matched = policy.rule_for(&alarm.name, target);
    let saw = matched.as_ref().map_or_else(|| alarm.name.clone(), ToString::to_string);
    guards.ask_for("no_rule", saw, matched.ok_or(Hold::NoRule))
}

/// What the alarm means for the deployment as it was seen.
pub fn decide(question: &Question, asked: Vec<Verdict>, seen: &Deployment, policy: &Policy) -> Decided {
    let mut guards = Guards(asked);
    let transition = question.alarm.transition;
    let size = if !transition.is_firing() {
        Err(Hold::NotFiring(transition))
    } else if question.is_caretaking() {
        let saw = question.alarm.name.clone();
        guards.ask_for("no_rule", saw, Err(Hold::NoRule))
    } else {
        size_for(&mut guards, question, seen, policy)
    };
    let decision = match size {
        Ok(to) => Decision::Resize { axis: question.matched.rule.axis, from: seen.size.clone(), to },
        Err(hold) => Decision::Hold(hold),
    };
    Decided { decision, guards: guards.0 }
}

fn size_for(
    guards: &mut Guards,
    question: &Question,
    seen: &Deployment,
    policy: &Policy,
) -> Result<Size, Hold> {
    settled(guards, seen)?;
    fresh(guards, question, seen)?;
    resizable(guards, question, seen)?;
    ours_to_change(guards, question, seen, policy)?;
    not_paused(guards, question, seen)?;
    let to = match question.matched.rule.axis {
        Axis::Instances => within_bounds(guards, question, seen)?,
        Axis::Shape => on_ladder(guards, question, seen, policy)?,
        Axis::Bandwidth => within_bandwidth(guards, question, seen)?,
    };
    feasible(guards, question, seen, &to)?;
    if question.matched.step > 0 || parks(question, seen) {
        taken_back(guards, question, seen, policy)?;
    }
    Ok(to)
}

/// Only a settled deployment is changed.
fn settled(guards: &mut Guards, seen: &Deployment) -> Result<(), Hold> {
    let busy = seen.lifecycle != Lifecycle::Settled;
    guards.ask("busy", seen.status.clone(), busy.then(|| Hold::Busy { status: seen.status.clone() }))
}

/// Evidence must be newer than the last change.
fn fresh(guards: &mut Guards, question: &Question, seen: &Deployment) -> Result<(), Hold> {
    let Some(changed) = seen.last_change else {
        return guards.ask("stale", "no change on record".to_owned(), None);
    };
    let since = evidence_begins(question, seen);
    let stale = since.is_none_or(|since| since < changed);
    let begins = since.map_or_else(|| "at an unknown time".to_owned(), |since| since.to_string());
    let saw = format!("data begins {begins}, last change completed {changed}");
    guards.ask("stale", saw, stale.then_some(Hold::Stale { since, changed }))
}

/// When the data begins that the alarm was evaluated on. Evidence from the future is as good as today's.
fn evidence_begins(question: &Question, seen: &Deployment) -> Option<Timestamp> {
    let at = question.alarm.at?.min(question.now);
    match question.matched.rule.fresh {
        Fresh::Fired => Some(at),
        Fresh::Window => {
            let told = question.alarm.signal.window.or(seen.alarm.as_ref().and_then(|alarm| alarm.window));
            at.checked_sub(told.unwrap_or(ASSUMED_WINDOW)).ok()
        }
    }
}

/// Some deployments cannot be changed along some axis.
fn resizable(guards: &mut Guards, question: &Question, seen: &Deployment) -> Result<(), Hold> {
    let axis = question.matched.rule.axis;
    let has = target::of(seen.target.kind).is_some_and(|target| target.axes.contains(&axis));
    let has_none = (!has).then(|| "deployments of this kind have none".to_owned());
    let why = has_none.or_else(|| seen.fixed.get(&axis).cloned());
    let saw = why.clone().unwrap_or_else(|| axis.to_string());
    guards.ask("not_resizable", saw, why.map(|why| Hold::NotResizable { axis, why }))
}

/// Whether a change is one for which another owner is parked.
fn parks(question: &Question, seen: &Deployment) -> bool {
    let rule = question.matched.rule;
    rule.native == Native::Park && seen.owners.get(&rule.axis).is_some_and(|owner| owner.can_be_parked)
}

/// Another owner is reported, never fought. It is parked only where the clock is sure to bring the look that
/// puts it back.
fn ours_to_change(
    guards: &mut Guards,
    question: &Question,
    seen: &Deployment,
    policy: &Policy,
) -> Result<(), Hold> {
    let rule = question.matched.rule;
    let owner = seen.owners.get(&rule.axis);
    let saw = owner.map_or_else(|| "nobody else".to_owned(), |owner| owner.who.clone());
    let parked = parks(question, seen) && rule.pair.is_some() && policy.alarm_action.is_some();
    let hold = owner.filter(|_| !parked).map(|owner| Hold::OwnedElsewhere {
        axis: rule.axis,
        who: owner.who.clone(),
        can_be_parked: owner.can_be_parked,
    });
    guards.ask("owned_elsewhere", saw, hold)
}

/// What an operator has paused stays as it is.
fn not_paused(guards: &mut Guards, question: &Question, seen: &Deployment) -> Result<(), Hold> {
    let Matched { rule, step, .. } = &question.matched;
    let stops = |pause: &&Pause| pause.axis == rule.axis && if *step > 0 { pause.up } else { pause.down };
    let pause = seen.pauses.iter().find(stops);
    let saw = pause.map_or_else(|| "no pause".to_owned(), |pause| pause.by.clone());
    guards.ask("paused", saw, pause.map(|pause| Hold::Paused { by: pause.by.clone() }))
}

/// A shape that could not be had is not asked for again at once.
fn feasible(guards: &mut Guards, question: &Question, seen: &Deployment, to: &Size) -> Result<(), Hold> {
    if question.matched.rule.axis != Axis::Shape {
        return Ok(());
    }
    let rung = to.rung();
    let known = seen.infeasible.iter().find(|known| known.shape == rung && known.until > question.now);
    let saw = known.map_or_else(|| format!("{rung} was not refused lately"), |known| known.why.clone());
    let hold = known.map(|Infeasible { shape, until, why }| Hold::Infeasible {
        shape: shape.clone(),
        until: *until,
        why: why.clone(),
    });
    guards.ask("infeasible", saw, hold)
}

/// The bounds on the count: the policy's, intersected with the platform's own.
pub fn bounds(question: &Question, seen: &Deployment) -> Bounds {
    question.matched.rule.instances.intersect(seen.bounds)
}

fn within_bounds(guards: &mut Guards, question: &Question, seen: &Deployment) -> Result<Size, Hold> {
    let bounds = bounds(question, seen);
    let (now, step) = (seen.size.instances, question.matched.step);
    within(guards, question, now, bounds)?;
    let instances = if step > 0 {
        now.saturating_add(step.unsigned_abs()).min(bounds.max)
    } else {
        now.saturating_sub(step.unsigned_abs()).max(bounds.min)
    };
    Ok(Size { instances, ..seen.size.clone() })
}

/// Something is left between a number and the end of its bounds. One outside of them is never moved further
/// out, nor against the alarm's direction.
fn within(guards: &mut Guards, question: &Question, now: u32, bounds: Bounds) -> Result<(), Hold> {
    let axis = question.matched.rule.axis;
    let saw = format!("{now} of {bounds}");
    let has = if axis == Axis::Instances { "runs" } else { "has" };
    if question.matched.step > 0 {
        let limit = || format!("it {has} {now}, and {} is its ceiling", bounds.max);
        let hold = (now >= bounds.max).then(|| Hold::AtCeiling { axis, limit: limit() });
        guards.ask("at_ceiling", saw, hold)
    } else {
        let limit = || format!("it {has} {now}, and {} is its floor", bounds.min);
        let hold = (now <= bounds.min).then(|| Hold::AtFloor { axis, limit: limit() });
        guards.ask("at_floor", saw, hold)
    }
}

/// A step doubles or halves the bandwidth: what it takes is not told by an alarm on a percentage.
fn within_bandwidth(guards: &mut Guards, question: &Question, seen: &Deployment) -> Result<Size, Hold> {
    let bounds = question.matched.rule.bandwidth;
    let unknown = || Hold::NotResizable { axis: Axis::Bandwidth, why: "it tells none".to_owned() };
    let now = seen.size.bandwidth_mbps.ok_or_else(unknown)?;
    within(guards, question, now, bounds)?;
    let step = question.matched.step;
    let times = 2_u32.saturating_pow(step.unsigned_abs());
    let bandwidth = if step > 0 {
        now.saturating_mul(times).min(bounds.max)
    } else {
        now.div_ceil(times).max(bounds.min)
    };
    Ok(Size { bandwidth_mbps: Some(bandwidth), ..seen.size.clone() })
}

fn on_ladder(
    guards: &mut Guards,
    question: &Question,
    seen: &Deployment,
    policy: &Policy,
) -> Result<Size, Hold> {
    let shape = seen.size.rung();
    let shape = shape.as_ref();
    let found = policy.ladders.holding(shape);
    let on = found.as_ref().map_or_else(String::new, |ladder| format!(" on {}", ladder.name));
    let unlisted = || {
        let nearest = policy.ladders.nearest(shape).map(str::to_owned);
        Hold::UnlistedShape { shape: shape.to_owned(), nearest }
    };
    let ladder = guards.ask_for("unlisted_shape", format!("{shape}{on}"), found.ok_or_else(unlisted))?;

    let axis = Axis::Shape;
    let (bottom, top) = ladder.ends();
    let step = question.matched.step;
    if question.is_taking_back() && !ladder.is_above(shape, seen.floor.as_deref()) {
        let limit = format!("`{shape}` is what it was deployed with, or less");
        return guards.ask_for("at_floor", shape.to_owned(), Err(Hold::AtFloor { axis, limit }));
    }
    let floor = seen.floor.as_deref().filter(|_| question.is_taking_back());
    let to = ladder.climb(shape, step).map(|to| ladder.not_below(to, floor));
    let (guard, end) = if step > 0 { ("at_ceiling", top) } else { ("at_floor", bottom) };
    let limit = format!("`{shape}` is the last rung of ladder `{}`", ladder.name);
    let at_end = if step > 0 { Hold::AtCeiling { axis, limit } } else { Hold::AtFloor { axis, limit } };
    let to = guards.ask_for(guard, format!("{shape}, the ladder ends at {end}"), to.ok_or(at_end))?;
    Ok(seen.size.on_rung(&to.shape))
}

/// What goes up must have something that takes it back.
fn taken_back(
    guards: &mut Guards,
    question: &Question,
    seen: &Deployment,
    policy: &Policy,
) -> Result<(), Hold> {
    let Some(pair) = &question.matched.rule.pair else { return Ok(()) };
    let foreign = seen.pair.as_ref().filter(|found| !found.ours);
    let saw = foreign
        .map_or_else(|| format!("`{}` is ours to write", pair.alarm), |f| f.definition.name().to_owned());
    let hold = foreign.map(|found| Hold::PairTaken { name: found.definition.name().to_owned() });
    guards.ask("pair_taken", saw, hold)?;

    let notified = pair_notifies(seen, policy);
    let hold = notified.is_empty().then_some(Hold::NoPairAction);
    guards.ask("no_pair_action", format!("it notifies {}", notified.len()), hold)
}

/// What the paired alarm notifies: what the function was told to, else what it notifies already, else the
/// topics and functions that the alarm which called notifies, as its own service describes it. Never what a
/// payload claims, and never an Auto Scaling policy: that would add what the pair is there to take back.
pub fn pair_notifies(seen: &Deployment, policy: &Policy) -> Vec<String> {
    if let Some(action) = &policy.alarm_action {
        return vec![action.clone()];
    }
    let standing = seen.pair.as_ref().filter(|alarm| alarm.ours);
    let known = [standing, seen.alarm.as_ref()].into_iter().flatten();
    let notified =
        known.map(|alarm| alarm.definition.notifies().iter().filter(|id| takes_events(id)).cloned());
    notified.map(Iterator::collect).find(|actions: &Vec<String>| !actions.is_empty()).unwrap_or_default()
}

/// OCI alarms notify topics and nothing else; CloudWatch alarms may do many other things.
fn takes_events(id: &str) -> bool {
    !id.starts_with("arn:") || id.contains(":sns:") || id.contains(":lambda:")
}
