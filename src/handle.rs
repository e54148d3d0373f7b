//! The flow: parse, observe, decide, plan, apply. Every host and the command line call this and nothing else.

use std::time::Duration;

use jiff::Timestamp;

use crate::alarm::{Alarm, Event, TargetId};
use crate::apply::{Outcome, apply, follow_up, notify};
use crate::cloud::{self, Cloud};
use crate::decide::{Decided, Question, Verdict, asks_for_more, decide, worth_a_look, worth_mending};
use crate::deployment::Axis;
use crate::notice::notices;
use crate::plan::{farewell, plan, undone};
use crate::policy::Policy;
use crate::repeat::{Standing, due};
use crate::source;

/// How long notices may take: a topic or a webhook that is well answers a new connection in half a second.
pub const NOTICES_WITHIN: Duration = Duration::from_secs(2);

/// What became of one payload.
#[derive(Debug, Default)]
pub struct Answer {
    /// One per alarm and target, in the order in which they were answered.
    pub outcomes: Vec<Outcome>,
    /// Records of the payload that could not be read.
    pub rejected: Vec<source::Error>,
    /// Why the alarms that fire could not be asked for.
    pub error: Option<cloud::Error>,
}

impl Answer {
    /// Tells the policy's destinations what is due, and gives up after so long. Comes when all alarms are answered
    /// and their records are printed, so that nothing waits for it and nothing is lost by it.
    pub async fn notify(&mut self, cloud: &dyn Cloud, within: Duration) {
        notify(&mut self.outcomes, cloud, within).await;
    }
}

/// Answers one payload, and tells the policy's destinations of what was resized.
pub async fn handle(
    body: &[u8],
    cloud: &dyn Cloud,
    policy: &Policy,
    now: Timestamp,
) -> Result<Answer, source::Error> {
    let mut answer = handle_each(body, cloud, policy, now, &mut |_| {}).await?;
    answer.notify(cloud, NOTICES_WITHIN).await;
    Ok(answer)
}

/// Answers one payload, and tells each outcome as soon as it is there: what was done is known even when
/// there is no time for the rest. Notices are due then; [`Answer::notify`] sends them.
pub async fn handle_each(
    body: &[u8],
    cloud: &dyn Cloud,
    policy: &Policy,
    now: Timestamp,
    told: &mut (dyn FnMut(&Outcome) + Send),
) -> Result<Answer, source::Error> {
    let mut event = source::parse(body)?;
    let (repeats, error) = match repeats(&event, cloud, policy, now).await {
        Ok(repeats) => (repeats, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let own = std::mem::take(&mut event.alarms).into_iter().map(Standing::from);
    let mut called: Vec<Standing> = own.chain(repeats).collect();
    // One after the other: two alarms may well speak of one deployment, and then more wins over less.
    called.sort_by_key(|one| (one.is_at_rest(), !asks_for_more(&one.alarm, policy)));
    let mut outcomes: Vec<Outcome> = Vec::new();
    for one in called {
        for target in one.alarm.asked_about() {
            let wins = |earlier: &&Outcome| {
                target.is_some_and(|target| {
                    earlier.target.as_ref() == Some(target) && wins(earlier, &one, target, policy)
                })
            };
            let earlier = outcomes.iter().find(wins).map(|earlier| earlier.alarm.name.clone());
            // What has just been resized has just been looked at, and its pair with it.
            if one.is_at_rest() && earlier.is_some() {
                continue;
            }
            let outcome = match earlier {
                Some(by) => {
                    let decided = Decided::outranked(&one.alarm, &by);
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
fn wins(earlier: &Outcome, later: &Standing, target: &TargetId, policy: &Policy) -> bool {
    if earlier.changes() || later.is_at_rest() {
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
    cloud: &dyn Cloud,
    policy: &Policy,
    now: Timestamp,
) -> Result<Vec<Standing>, cloud::Error> {
    if !event.asks_for_repeats() {
        return Ok(Vec::new());
    }
    let standing = cloud.standing(policy.alarm_action.as_deref(), now).await?;
    Ok(due(event, standing, now))
}

/// An alarm is answered; a paired alarm of ours that does not fire is mended, which is worth a record only
/// where there was something to do. A pair whose deployment is gone goes with it.
async fn take_up(
    one: &Standing,
    target: Option<&TargetId>,
    cloud: &dyn Cloud,
    policy: &Policy,
    now: Timestamp,
) -> Option<Outcome> {
    let alarm = &one.alarm;
    let Some(target) = target else {
        return Some(Outcome::without_look(alarm, None, Decided::unknown_target(alarm)));
    };
    let Some(pair) = &one.pair else {
        return Some(answer(one, target, cloud, policy, now).await);
    };
    let (question, to_mend) = worth_mending(alarm, target, policy, now)?;
    let outcome = if one.is_at_rest() || question.is_caretaking() {
        attempt(&question, to_mend, cloud, policy).await
    } else {
        answer(one, target, cloud, policy, now).await
    };
    if let (Some(cloud::Error::NotFound { .. }), None) = (&outcome.error, &outcome.seen) {
        let plan = farewell(&question, pair, outcome.guards);
        return Some(apply(&question, None, plan, cloud, question.mode(policy)).await);
    }
    let worth_telling = !one.is_at_rest() || !outcome.calls.is_empty() || outcome.error.is_some();
    worth_telling.then_some(outcome)
}

async fn answer(
    one: &Standing,
    target: &TargetId,
    cloud: &dyn Cloud,
    policy: &Policy,
    now: Timestamp,
) -> Outcome {
    let (question, asked) = match worth_a_look(&one.alarm, target, policy, now) {
        Ok(question) => question,
        Err(held) => return Outcome::without_look(&one.alarm, Some(target), *held),
    };
    let outcome = attempt(&question, asked.clone(), cloud, policy).await;
    if outcome.lost_race() {
        // Whoever won may have done what was asked: look again, decide again, once.
        return attempt(&question, asked, cloud, policy).await.after(outcome);
    }
    outcome
}

async fn attempt(
    question: &Question<'_>,
    asked: Vec<Verdict>,
    cloud: &dyn Cloud,
    policy: &Policy,
) -> Outcome {
    let seen = match cloud.observe(question).await {
        Ok(seen) => seen,
        Err(error) => return Outcome::blind(question, asked, error),
    };
    let question = &question.with_tags(&seen.tags);
    let decided = decide(question, asked, &seen, policy);
    let plan = plan(question, &seen, decided, policy);
    let outcome = apply(question, Some(seen), plan, cloud, question.mode(policy)).await;
    let undone = outcome.refused().map(|refused| undone(question, &refused, policy)).unwrap_or_default();
    follow_up(outcome, undone, cloud).await
}
