//! The flow: parse, observe, decide, plan, apply. Every host and the command line call this and nothing else.

use crate::outcome::Answer;

use jiff::Timestamp;

use crate::alarm::Alarm;
use crate::apply::{apply, follow_up, notify};
use crate::decide::{Check, Evaluated, Evaluation, asks_for_more, decide, worth_a_look, worth_mending};
use crate::notice::notices;
use crate::outcome::Outcome;
use crate::plan::{after_rejection, delete_orphan, plan};
use crate::platform::{self, ActiveAlarm, Client};
use crate::policy::Policy;
use crate::reconcile::due;
use crate::size::Axis;
use crate::source;
use crate::source::Event;
use crate::target::TargetId;

pub use crate::platform::web::ANSWERS_WITHIN as NOTICES_WITHIN;

/// Answers one payload, and tells the policy's destinations of what was resized.
pub async fn handle(
    body: &[u8],
    cloud: &dyn Client,
    policy: &Policy,
    now: Timestamp,
) -> Result<Answer, source::Error> {
    let mut answer = handle_each(body, cloud, policy, now, &mut |_| {}).await?;
    notify(&mut answer.outcomes, cloud, NOTICES_WITHIN).await;
    Ok(answer)
}

/// Answers one payload, and tells each outcome as soon as it is there: what was done is known even when
/// there is no time for the rest. Notices are due then; [`Answer::notify`] sends them.
pub async fn handle_each(
    body: &[u8],
    cloud: &dyn Client,
    policy: &Policy,
    now: Timestamp,
    told: &mut (dyn FnMut(&Outcome) + Send),
) -> Result<Answer, source::Error> {
    let mut event = source::parse(body)?;
    let (repeats, error) = match repeats(&event, cloud, policy, now).await {
        Ok(repeats) => (repeats, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let own = std::mem::take(&mut event.alarms).into_iter().map(ActiveAlarm::from);
    let mut called: Vec<ActiveAlarm> = own.chain(repeats).collect();
    // One after the other: two alarms may well speak of one deployment, and then more wins over less.
    called.sort_by_key(|one| (one.is_quiet_pair(), !asks_for_more(&one.alarm, policy)));
    let mut outcomes: Vec<Outcome> = Vec::new();
    for one in called {
        for target in one.alarm.evaluated_targets() {
            let wins = |earlier: &&Outcome| {
                target.is_some_and(|target| {
                    earlier.target.as_ref() == Some(target) && wins(earlier, &one, target, policy)
                })
            };
            let earlier = outcomes.iter().find(wins).map(|earlier| earlier.alarm.name.to_string());
            // What has just been resized has just been looked at, and its pair with it.
            if one.is_quiet_pair() && earlier.is_some() {
                continue;
            }
            let outcome = match earlier {
                Some(by) => {
                    let decided = Evaluated::superseded(&one.alarm, &by);
                    Some(Outcome::without_look(&one.alarm, target, decided))
                }
                None => take_up(&one, target, cloud, policy, now).await,
            };
            if let Some(outcome) = outcome {
                let notices = notices(&outcome, policy, now);
                let outcome = outcome.with_notices(notices);
                told(&outcome);
                outcomes.push(outcome);
            }
        }
    }
    Ok(Answer { outcomes, rejected: event.rejected, error })
}

/// Whether an alarm waits for an earlier one about the same deployment. One change at a time; and where more was asked for
/// and could not be had, nothing is taken away that would make it worse. Anything less does where instances were asked for;
/// where a shape or a bandwidth was, only less of the same.
fn wins(earlier: &Outcome, later: &ActiveAlarm, target: &TargetId, policy: &Policy) -> bool {
    if earlier.changes() || later.is_quiet_pair() {
        return earlier.changes();
    }
    let later = &later.alarm;
    if !asks_for_more(&earlier.alarm, policy) || asks_for_more(later, policy) {
        return false;
    }
    let touches = |alarm: &Alarm, axis| {
        policy.rule_for(&alarm.name, target).is_some_and(|matched| matched.rule.touches(axis))
    };
    let alike = |axis| touches(&earlier.alarm, axis) && touches(later, axis);
    let worse = touches(&earlier.alarm, Axis::Instances) || alike(Axis::Shape) || alike(Axis::Bandwidth);
    earlier.failed_to_change() || (worse && earlier.asked_in_vain())
}

/// The alarms that a tick, or a deployment at rest, calls for.
async fn repeats(
    event: &Event,
    cloud: &dyn Client,
    policy: &Policy,
    now: Timestamp,
) -> Result<Vec<ActiveAlarm>, platform::Error> {
    if !event.asks_for_repeats() {
        return Ok(Vec::new());
    }
    let active = cloud.active_alarms(policy.alarm_action.as_deref(), now).await?;
    Ok(due(event, active, now))
}

/// An alarm is answered; a paired alarm of ours that does not fire is mended, which is worth a record only
/// where there was something to do. A pair whose deployment is gone goes with it.
async fn take_up(
    one: &ActiveAlarm,
    target: Option<&TargetId>,
    cloud: &dyn Client,
    policy: &Policy,
    now: Timestamp,
) -> Option<Outcome> {
    let alarm = &one.alarm;
    let Some(target) = target else {
        return Some(Outcome::without_look(alarm, None, Evaluated::unknown_target(alarm)));
    };
    let Some(pair) = &one.pair else {
        return Some(answer(one, target, cloud, policy, now).await);
    };
    let (evaluation, to_mend) = worth_mending(alarm, target, policy, now)?;
    let outcome = if one.is_quiet_pair() || evaluation.is_caretaking() {
        attempt(&evaluation, to_mend, cloud, policy).await
    } else {
        answer(one, target, cloud, policy, now).await
    };
    if let (Some(platform::Error::NotFound { .. }), None) = (&outcome.error, &outcome.seen) {
        let plan = delete_orphan(&evaluation, pair, outcome.guards);
        return Some(apply(&evaluation, None, plan, cloud, evaluation.mode(policy)).await);
    }
    let worth_telling = !one.is_quiet_pair() || !outcome.calls.is_empty() || outcome.error.is_some();
    worth_telling.then_some(outcome)
}

async fn answer(
    one: &ActiveAlarm,
    target: &TargetId,
    cloud: &dyn Client,
    policy: &Policy,
    now: Timestamp,
) -> Outcome {
    let (evaluation, asked) = match worth_a_look(&one.alarm, target, policy, now) {
        Ok(evaluation) => evaluation,
        Err(held) => return Outcome::without_look(&one.alarm, Some(target), *held),
    };
    let outcome = attempt(&evaluation, asked.clone(), cloud, policy).await;
    if outcome.lost_race() {
        // Whoever won may have done what was asked: look again, decide again, once.
        return attempt(&evaluation, asked, cloud, policy).await.after(outcome);
    }
    outcome
}

async fn attempt(
    evaluation: &Evaluation<'_>,
    asked: Vec<Check>,
    cloud: &dyn Client,
    policy: &Policy,
) -> Outcome {
    let seen = match cloud.observe(&evaluation.request()).await {
        Ok(seen) => seen,
        Err(error) => return Outcome::blind(evaluation, asked, error),
    };
    let evaluation = &evaluation.with_tags(&seen.tags);
    let decided = decide(evaluation, asked, &seen, policy);
    let plan = plan(evaluation, &seen, decided, policy);
    let outcome = apply(evaluation, Some(seen), plan, cloud, evaluation.mode(policy)).await;
    let after_rejection =
        outcome.refused().map(|refused| after_rejection(evaluation, &refused, policy)).unwrap_or_default();
    follow_up(outcome, after_rejection, cloud).await
}
