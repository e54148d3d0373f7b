//! What an alarm means for a deployment that was looked at: a resize, or a reason to hold.
//!
//! Guards are asked one after the other, in the order in which they stand in [`worth_a_look`] and
//! [`decide`]; the first that objects holds. Pure: no clock, no cloud, no log.

use std::convert::Infallible;

use jiff::{SignedDuration, Timestamp};

use crate::alarm::{Alarm, Side};
use crate::deployment::{Deployment, Infeasible, Lifecycle};
use crate::pair::is_pair_name;
use crate::platform::{ObserveRequest, target};
use crate::policy::{Evidence, MatchedRule, Mode, NativeAutoscaling, Origin, Policy, Role};
use crate::scaling::ScalingPolicy;
use crate::size::{Axis, Direction, Size};
use crate::tags::Tags;
use crate::tags::{self, Unreadable};
use crate::target::TargetId;

mod aim;
mod caution;
pub mod cheapest;
mod check;
mod hold;
mod load;
mod size;
mod steps;

pub(crate) use caution::{keeps_a_record, remembered};
pub use check::{CheckInput, PricedSize};
pub use hold::Hold;
pub use size::{bounds, floor};

/// The window that is assumed where neither the payload nor the alarm's own service tells one: that of
/// the guide's alarms.
const ASSUMED_WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// One alarm about one target, and the rule that answers it. What a cloud is asked to look at.
#[derive(Debug, Clone)]
pub struct Evaluation<'a> {
    /// What happened.
    pub alarm: &'a Alarm,
    /// To which deployment.
    pub target: &'a TargetId,
    /// The rule, with what the policy says of this target and this time.
    pub matched: MatchedRule<'a>,
    /// What the deployment's own tags pause, once they are seen.
    pub pause: Option<tags::Pause>,
    /// The tag that cannot be read, once they are seen.
    pub unreadable: Option<Unreadable>,
    /// The time that it is.
    pub now: Timestamp,
}

impl<'a> Evaluation<'a> {
    /// The question as it is asked before anything is seen.
    pub fn new(alarm: &'a Alarm, target: &'a TargetId, matched: MatchedRule<'a>, now: Timestamp) -> Self {
        Self { alarm, target, matched, pause: None, unreadable: None, now }
    }

    /// The same question, with what the deployment's own tags say.
    #[must_use]
    pub fn with_tags(&self, tags: &Tags) -> Self {
        let mut evaluation = self.clone();
        match tags::read(tags) {
            Ok(said) => {
                evaluation.pause = said.pause;
                evaluation.matched.take(&said.settings, &|key| Origin::Tag(tags::tag_of(key, tags)));
            }
            Err(unreadable) => evaluation.unreadable = Some(unreadable),
        }
        evaluation
    }

    /// Whether nothing at all is sent: its operator has paused it, or has said something that nobody can read.
    pub fn leaves_alone(&self, decision: &Decision) -> bool {
        let paused = self.pause.as_ref().is_some_and(|pause| {
            [Direction::Up, Direction::Down].iter().all(|direction| pause.stops(*direction, self.now))
        });
        let held = matches!(decision, Decision::Hold(Hold::Paused { .. } | Hold::UnreadableTag { .. }));
        paused || held || self.unreadable.is_some()
    }

    /// What is asked of the platform.
    pub fn request(&self) -> ObserveRequest<'_> {
        let rule = &self.matched.rule;
        ObserveRequest {
            alarm: self.alarm,
            target: self.target,
            pair: rule.pair.as_ref(),
            axis: rule.axis,
            changes_shape: rule.touches(Axis::Shape),
            suspends_native: rule.is.native_autoscaling == NativeAutoscaling::Suspend,
            direction: self.matched.direction(),
            metrics: self.readings(),
            capacity_backoff: rule.is.capacity_backoff,
            now: self.now,
        }
    }

    /// Whether calls are sent: as the policy says, or what is nearer to the target.
    pub fn mode(&self, policy: &Policy) -> Mode {
        self.matched.rule.is.mode.unwrap_or(policy.mode)
    }

    /// Whether no rule knows the alarm, so that only what was begun is finished.
    pub fn is_caretaking(&self) -> bool {
        self.matched.role == Role::ReconcileOnly
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
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// The guard: the reason it would hold with.
    pub guard: &'static str,
    /// Whether it held.
    pub held: bool,
    /// What it looked at.
    pub saw: CheckInput,
}

/// A change of size.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SizeChange {
    axis: Axis,
    direction: Direction,
    to: Size,
}

/// A decision, and how it came about.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    /// The decision.
    pub decision: Decision,
    /// Every guard that was asked, in order.
    pub guards: Vec<Check>,
    /// Which way a resize goes.
    pub direction: Option<Direction>,
}

impl Evaluated {
    /// Nothing happens.
    pub fn held(hold: Hold, guards: Vec<Check>) -> Self {
        Self { decision: Decision::Hold(hold), guards, direction: None }
    }

    /// The answer to an alarm whose deployment another alarm of the same event changes already.
    pub fn superseded(alarm: &Alarm, by: &str) -> Self {
        let mut guards = Guards::default();
        let transition = alarm.transition;
        let not_firing = (!transition.is_firing()).then_some(Hold::NotFiring(transition));
        let superseded = Some(Hold::Superseded { by: by.to_owned() });
        match guards
            .ask("not_firing", transition.to_string(), not_firing)
            .and_then(|()| guards.ask("superseded", by.to_owned(), superseded))
        {
            Err(hold) => Self::held(hold, guards.0),
            Ok(()) => Self::held(Hold::Superseded { by: by.to_owned() }, guards.0),
        }
    }

    /// The answer to an alarm that names no target at all; only a firing one is worth a complaint.
    pub fn unknown_target(alarm: &Alarm) -> Self {
        let mut guards = Guards::default();
        let transition = alarm.transition;
        let not_firing = (!transition.is_firing()).then_some(Hold::NotFiring(transition));
        let named = if alarm.unknown_targets.is_empty() {
            "none".to_owned()
        } else {
            alarm.unknown_targets.join(", ")
        };
        let nobody = || Err::<Infallible, _>(Hold::UnknownTarget);
        let Err(hold) = guards
            .ask("not_firing", transition.to_string(), not_firing)
            .and_then(|()| guards.ask_for("unknown_target", named, nobody()));
        Self::held(hold, guards.0)
    }
}

/// Collects verdicts until one holds.
#[derive(Default)]
struct Guards(Vec<Check>);

impl Guards {
    fn ask(
        &mut self,
        guard: &'static str,
        saw: impl Into<CheckInput>,
        hold: Option<Hold>,
    ) -> Result<(), Hold> {
        self.ask_for(guard, saw, hold.map_or(Ok(()), Err))
    }

    /// A guard that hands on what it found.
    fn ask_for<T>(
        &mut self,
        guard: &'static str,
        saw: impl Into<CheckInput>,
        found: Result<T, Hold>,
    ) -> Result<T, Hold> {
        self.0.push(Check { guard, held: found.is_err(), saw: saw.into() });
        found
    }
}

/// The guards that need no look at the deployment: what they hold costs no call.
pub fn worth_a_look<'a>(
    alarm: &'a Alarm,
    target: &'a TargetId,
    policy: &'a Policy,
    now: Timestamp,
) -> Result<(Evaluation<'a>, Vec<Check>), Box<Evaluated>> {
    let mut guards = Guards::default();
    match first_guards(&mut guards, alarm, target, policy) {
        Ok(matched) => {
            let matched = policy.effective(matched, target, now);
            Ok((Evaluation::new(alarm, target, matched, now), guards.0))
        }
        Err(hold) => Err(Box::new(Evaluated::held(hold, guards.0))),
    }
}

/// Whether an alarm asks for more of any of its deployments: of several about one deployment those come first.
pub fn asks_for_more(alarm: &Alarm, policy: &Policy) -> bool {
    let more = |matched: MatchedRule| match matched.direction() {
        Some(direction) => direction == Direction::Up,
        None => alarm.measurement.side == Some(Side::Above),
    };
    alarm.targets.iter().filter_map(|target| policy.rule_for(&alarm.name, target)).any(more)
}

/// The question about a deployment whose paired alarm is only to be looked after: it does not fire, or no rule
/// knows it any more.
pub fn worth_mending<'a>(
    alarm: &'a Alarm,
    target: &'a TargetId,
    policy: &'a Policy,
    now: Timestamp,
) -> Option<(Evaluation<'a>, Vec<Check>)> {
    if !policy.allows(target) {
        return None;
    }
    let held = !alarm.transition.is_firing();
    let check = Check { guard: "not_firing", held, saw: alarm.transition.to_string().into() };
    let matched = policy.rule_for(&alarm.name, target).unwrap_or_else(|| policy.caretaker());
    let matched = policy.effective(matched, target, now);
    Some((Evaluation::new(alarm, target, matched, now), vec![check]))
}

fn first_guards<'a>(
    guards: &mut Guards,
    alarm: &Alarm,
    target: &TargetId,
    policy: &'a Policy,
) -> Result<MatchedRule<'a>, Hold> {
    let transition = alarm.transition;
    let hold = (!transition.is_firing()).then_some(Hold::NotFiring(transition));
    guards.ask("not_firing", transition.to_string(), hold)?;

    let saw = if alarm.muted { "muted" } else { "not muted" };
    guards.ask("muted", saw, alarm.muted.then_some(Hold::Muted))?;

    guards.ask("unknown_target", target.to_string(), None)?;

    let left_out = policy.leaves_out(alarm, target);
    let (list, saw) = left_out.unwrap_or(("targets", target.as_str()));
    let hold = left_out.map(|_| Hold::NotAllowed { list, value: saw.to_owned() });
    let saw = if saw.is_empty() { "none" } else { saw };
    guards.ask("not_allowed", saw.to_owned(), hold)?;

    let matched = policy.rule_for(&alarm.name, target);
    let saw = matched.as_ref().map_or_else(|| alarm.name.to_string(), ToString::to_string);
    guards.ask_for("no_rule", saw, matched.ok_or(Hold::NoRule))
}

/// Few rules ask more guards after a look.
const USUAL_GUARDS: usize = 14;

/// What the alarm means for the deployment as it was seen.
pub fn decide(evaluation: &Evaluation, asked: Vec<Check>, seen: &Deployment, policy: &Policy) -> Evaluated {
    let mut asked = asked;
    asked.reserve(USUAL_GUARDS);
    let mut guards = Guards(asked);
    let transition = evaluation.alarm.transition;
    let step = if !transition.is_firing() {
        Err(Hold::NotFiring(transition))
    } else if evaluation.is_caretaking() {
        let saw = evaluation.alarm.name.to_string();
        guards.ask_for("no_rule", saw, Err(Hold::NoRule))
    } else {
        step_for(&mut guards, evaluation, seen, policy)
    };
    match step {
        Ok(SizeChange { axis, direction, to }) => Evaluated {
            decision: Decision::Resize { axis, from: seen.size.clone(), to },
            guards: guards.0,
            direction: Some(direction),
        },
        Err(hold) => Evaluated::held(hold, guards.0),
    }
}

/// What the rule wants, and then everything that may speak against it, in this order.
fn step_for(
    guards: &mut Guards,
    evaluation: &Evaluation,
    seen: &Deployment,
    policy: &Policy,
) -> Result<SizeChange, Hold> {
    readable(guards, evaluation)?;
    settled(guards, seen)?;
    fresh(guards, evaluation, seen)?;
    let step = match evaluation.matched.scaling_policy() {
        ScalingPolicy::Cheapest => cheapest::step(guards, evaluation, seen, policy)?,
        ScalingPolicy::Step(_) | ScalingPolicy::Steps(_) | ScalingPolicy::Track(_) => {
            along_one_axis(guards, evaluation, seen, policy)?
        }
    };
    feasible(guards, evaluation, seen, &step)?;
    if step.direction == Direction::Up || suspends_native(evaluation, seen, step.axis) {
        taken_back(guards, evaluation, seen, policy)?;
    }
    Ok(step)
}

fn along_one_axis(
    guards: &mut Guards,
    evaluation: &Evaluation,
    seen: &Deployment,
    policy: &Policy,
) -> Result<SizeChange, Hold> {
    let axis = evaluation.matched.rule.axis;
    resizable(guards, seen, axis)?;
    ours_to_change(guards, evaluation, seen, policy, axis)?;
    let intent = aim::intent(guards, evaluation, seen, policy)?;
    let direction = intent.direction;
    caution::not_paused(guards, evaluation, seen, (axis, direction))?;
    let intent = caution::cooled(guards, evaluation, seen, intent)?;
    caution::not_too_often(guards, evaluation, seen)?;
    let goal = size::goal(guards, evaluation, seen, policy, &intent)?;
    let goal = caution::stays_down(guards, evaluation, seen, policy, (direction, goal))?;
    let goal = caution::affordable(guards, evaluation, seen, policy, (direction, goal))?;
    Ok(SizeChange { axis, direction, to: goal.size(seen) })
}

/// What a tag of ours says must be known before anything is done.
fn readable(guards: &mut Guards, evaluation: &Evaluation) -> Result<(), Hold> {
    let Some(Unreadable { tag, problem }) = &evaluation.unreadable else { return Ok(()) };
    let hold = Hold::UnreadableTag { tag: tag.clone(), problem: problem.clone() };
    guards.ask("unreadable_tag", format!("`{tag}`: {problem}"), Some(hold))
}

/// Only a settled deployment is changed.
fn settled(guards: &mut Guards, seen: &Deployment) -> Result<(), Hold> {
    let status = &seen.status;
    let busy = seen.lifecycle != Lifecycle::Settled;
    let words = target::of(seen.target.kind()).map_or(&[][..], |target| target.settled);
    let known = words.iter().find(|word| **word == status);
    let saw = known.map_or_else(|| CheckInput::from(status.clone()), |word| CheckInput::from(*word));
    guards.ask("busy", saw, busy.then(|| Hold::Busy { status: status.clone() }))
}

/// Evidence must be newer than the last change.
fn fresh(guards: &mut Guards, evaluation: &Evaluation, seen: &Deployment) -> Result<(), Hold> {
    let Some(changed) = seen.last_change else {
        return guards.ask("stale", "no change on record", None);
    };
    let since = evidence_begins(evaluation, seen);
    let stale = since.is_none_or(|since| since < changed);
    guards.ask(
        "stale",
        CheckInput::Evidence { since, changed },
        stale.then_some(Hold::Stale { since, changed }),
    )
}

/// When the data begins that the alarm was evaluated on. Evidence from the future is as good as today's.
fn evidence_begins(evaluation: &Evaluation, seen: &Deployment) -> Option<Timestamp> {
    let at = evaluation.alarm.evidence.moment(evaluation.now)?;
    match evaluation.matched.rule.is.evidence {
        Evidence::Fired => Some(at),
        Evidence::Window => {
            let told =
                evaluation.alarm.measurement.window.or(seen.alarm.as_ref().and_then(|alarm| alarm.window));
            at.checked_sub(told.unwrap_or(ASSUMED_WINDOW)).ok()
        }
    }
}

/// Some deployments cannot be changed along some axis.
fn resizable(guards: &mut Guards, seen: &Deployment, axis: Axis) -> Result<(), Hold> {
    let has = target::of(seen.target.kind()).is_some_and(|target| target.axes.contains(&axis));
    let has_none = (!has).then(|| "deployments of this kind have none".to_owned());
    let why = has_none.or_else(|| seen.fixed.get(&axis).cloned());
    let saw = why.clone().map_or_else(|| CheckInput::from(axis.as_str()), CheckInput::from);
    guards.ask("not_resizable", saw, why.map(|why| Hold::NotResizable { axis, why }))
}

/// Whether a change is one for which another owner is parked.
fn suspends_native(evaluation: &Evaluation, seen: &Deployment, axis: Axis) -> bool {
    let park = evaluation.matched.rule.is.native_autoscaling == NativeAutoscaling::Suspend;
    park && seen.owners.get(&axis).is_some_and(|owner| owner.can_be_suspended)
}

/// Whether another owner may be parked: only where the clock is sure to bring the look that puts it back.
fn may_suspend_native(evaluation: &Evaluation, seen: &Deployment, policy: &Policy, axis: Axis) -> bool {
    suspends_native(evaluation, seen, axis)
        && evaluation.matched.rule.pair.is_some()
        && policy.alarm_action.is_some()
}

/// Another owner is reported, never fought; or parked.
fn ours_to_change(
    guards: &mut Guards,
    evaluation: &Evaluation,
    seen: &Deployment,
    policy: &Policy,
    axis: Axis,
) -> Result<(), Hold> {
    let owner = seen.owners.get(&axis);
    let saw = owner.map_or_else(|| CheckInput::from("nobody else"), |owner| owner.who.clone().into());
    let parked = may_suspend_native(evaluation, seen, policy, axis);
    let hold = owner.filter(|_| !parked).map(|owner| Hold::OwnedElsewhere {
        axis,
        who: owner.who.clone(),
        can_be_suspended: owner.can_be_suspended,
    });
    guards.ask("owned_elsewhere", saw, hold)
}

/// A shape that could not be had is not asked for again at once.
fn feasible(
    guards: &mut Guards,
    evaluation: &Evaluation,
    seen: &Deployment,
    step: &SizeChange,
) -> Result<(), Hold> {
    if step.axis != Axis::Shape {
        return Ok(());
    }
    let rung = step.to.rung();
    let known = seen.infeasible.iter().find(|known| known.shape == rung && known.until > evaluation.now);
    let saw = known.map_or(CheckInput::from("not refused lately"), |known| known.why.clone().into());
    let hold = known.map(|Infeasible { shape, until, why }| Hold::Infeasible {
        shape: shape.clone(),
        until: *until,
        why: why.clone(),
    });
    guards.ask("infeasible", saw, hold)
}

/// What goes up must have something that takes it back.
fn taken_back(
    guards: &mut Guards,
    evaluation: &Evaluation,
    seen: &Deployment,
    policy: &Policy,
) -> Result<(), Hold> {
    if evaluation.matched.rule.pair.is_none() {
        return Ok(());
    }
    let foreign = seen.pair.as_ref().filter(|found| !found.ours);
    let saw =
        foreign.map_or(CheckInput::from("the pair is ours to write"), |found| found.name.clone().into());
    let hold = foreign.map(|found| Hold::PairTaken { name: found.name.clone() });
    guards.ask("pair_taken", saw, hold)?;

    let notified = pair_notifies(seen, policy).count();
    let hold = (notified == 0).then_some(Hold::NoPairAction);
    guards.ask("no_pair_action", CheckInput::Notifies(notified), hold)
}

/// What the paired alarm notifies: what the function was told to, else what it notifies already, else the topics and
/// functions that the alarm which fired notifies, as its own service describes it. Never what a payload claims.
pub fn pair_notifies<'a>(seen: &'a Deployment, policy: &'a Policy) -> impl Iterator<Item = &'a String> {
    let told = policy.alarm_action.as_ref();
    let existing = seen.pair.as_ref().filter(|alarm| alarm.ours);
    let known = [existing, seen.alarm.as_ref()].into_iter().flatten().filter(move |_| told.is_none());
    let first = known.map(|alarm| &alarm.notifies).find(|listed| !listed.is_empty());
    told.into_iter().chain(first.into_iter().flatten())
}
