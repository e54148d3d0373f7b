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
    /// When the payload was taken up.
    pub taken_up: Timestamp,
}

/// Answers one payload.
pub async fn handle(
    body: &[u8],
    cloud: &dyn Cloud,
    policy: &Policy,
    now: Timestamp,
) -> Result<Answer, source::Error> {
    let event = source::parse(body)?;
    let mut outcomes = Vec::new();
    // One after the other: two alarms of a payload may well speak of one deployment.
    for alarm in &event.alarms {
        if alarm.targets.is_empty() {
            outcomes.push(Outcome::without_look(alarm, None, Decided::unknown_target(alarm)));
        }
        for target in &alarm.targets {
            outcomes.push(answer(alarm, target, cloud, policy).await);
        }
    }
    Ok(Answer { outcomes, rejected: event.rejected, taken_up: now })
}

async fn answer(alarm: &Alarm, target: &TargetId, cloud: &dyn Cloud, policy: &Policy) -> Outcome {
    let (question, guards) = match worth_a_look(alarm, target, policy) {
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
