//! The flow: parse, observe, decide, plan, apply. Every host and the command line call this and nothing else.

use jiff::Timestamp;

use crate::alarm::{Alarm, TargetId};
use crate::apply::{Outcome, apply};
use crate::cloud::Cloud;
use crate::decide::{Decided, Question, Verdict, decide, worth_a_look};
use crate::plan::plan;
use crate::policy::Policy;
use crate::source;

/// What became of one payload.
#[derive(Debug)]
pub struct Answer {
    /// One per alarm and target, in the payload's order.
    pub outcomes: Vec<Outcome>,
    /// Records of the payload that could not be read.
    pub rejected: Vec<source::Error>,
}

/// Answers one payload.
pub async fn handle(
    body: &[u8],
    cloud: &dyn Cloud,
    policy: &Policy,
    now: Timestamp,
) -> Result<Answer, source::Error> {
    handle_each(body, cloud, policy, now, &mut |_| {}).await
}

/// Answers one payload, and tells each outcome as soon as it is there: what was done is known even when
/// there is no time for the rest.
pub async fn handle_each(
    body: &[u8],
    cloud: &dyn Cloud,
    policy: &Policy,
    now: Timestamp,
    told: &mut (dyn FnMut(&Outcome) + Send),
) -> Result<Answer, source::Error> {
    let event = source::parse(body)?;
    let mut outcomes = Vec::new();
    // One after the other: two alarms of a payload may well speak of one deployment.
    for (alarm, target) in event.alarms.iter().flat_map(asks) {
        let outcome = match target {
            Some(target) => answer(alarm, target, cloud, policy, now).await,
            None => Outcome::without_look(alarm, None, Decided::unknown_target(alarm)),
        };
        told(&outcome);
        outcomes.push(outcome);
    }
    Ok(Answer { outcomes, rejected: event.rejected })
}

/// Every target of an alarm; nobody once, when it names none.
fn asks(alarm: &Alarm) -> Vec<(&Alarm, Option<&TargetId>)> {
    if alarm.targets.is_empty() {
        return vec![(alarm, None)];
    }
    alarm.targets.iter().map(|target| (alarm, Some(target))).collect()
}

async fn answer(
    alarm: &Alarm,
    target: &TargetId,
    cloud: &dyn Cloud,
    policy: &Policy,
    now: Timestamp,
) -> Outcome {
    let (question, guards) = match worth_a_look(alarm, target, policy, now) {
        Ok(question) => question,
        Err(held) => return Outcome::without_look(alarm, Some(target), held),
    };
    let outcome = attempt(&question, guards.clone(), cloud, policy).await;
    if outcome.lost_race() {
        // Whoever won may have done what was asked: look again, decide again, once.
        return attempt(&question, guards, cloud, policy).await.after(outcome);
    }
    outcome
}

async fn attempt(
    question: &Question<'_>,
    guards: Vec<Verdict>,
    cloud: &dyn Cloud,
    policy: &Policy,
) -> Outcome {
    let seen = match cloud.observe(question).await {
        Ok(seen) => seen,
        Err(error) => return Outcome::blind(question, guards, error),
    };
    let decided = decide(question, guards, &seen, policy);
    let plan = plan(question, &seen, decided, policy);
    apply(question, seen, plan, cloud, policy.mode).await
}
