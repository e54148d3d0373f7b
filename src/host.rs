//! What every host does with a payload: runs the flow in the time there is, and finds out how it ended.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use crate::handle::{NOTICES_WITHIN, handle_each};
use crate::outcome::Answer;
use crate::outcome::{Outcome, Status};
use crate::platform::Client;
use crate::policy::Policy;
use crate::{apply, report, text};

pub mod stored_policy;

/// What is told when work is given up.
pub const TIME_IS_UP: &str = "the invocation's time is up: allow it more, or see what is slow";

/// Where a host tells what happens, as it happens.
pub trait Log: Send {
    /// An alarm was answered.
    fn outcome(&mut self, outcome: &Outcome);

    /// A payload, or a part of it, could not be; the kind is a stable word.
    fn error(&mut self, kind: &str, message: &str);

    /// Somebody could not be told of an outcome, which changes nothing else.
    fn untold(&mut self, message: &str);
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// For good: another delivery would end no better. This is the reply.
    Handled(Value),
    /// In a way that another delivery may change: the reply, and why.
    Failed(Value, String),
    /// Before it began, and it will until somebody mends the policy. Nothing may vanish for that.
    Unusable(String),
    /// Before it was through.
    TimeIsUp,
}

/// Answers one payload in the time that is left. Nothing is begun when there is none.
pub async fn answer(
    body: &[u8],
    cloud: &dyn Client,
    policy: &Result<Policy, String>,
    now: Timestamp,
    left: Duration,
    log: &mut dyn Log,
) -> Ended {
    let policy = match usable(policy, log) {
        Ok(policy) => policy,
        Err(message) => return Ended::Unusable(message),
    };
    if left.is_zero() {
        return Ended::TimeIsUp;
    }
    let begun = Instant::now();
    cloud.begin(begun.checked_add(left));
    let mut told = |outcome: &Outcome| log.outcome(outcome);
    let work = handle_each(body, cloud, policy, now, &mut told);
    match tokio::time::timeout(left, work).await {
        Ok(Ok(mut answer)) => {
            notify(&mut answer, cloud, left.saturating_sub(begun.elapsed()), log).await;
            ended(&answer, log)
        }
        Ok(Err(error)) => {
            log.error(error.kind(), &error.to_string());
            Ended::Handled(report::unreadable_payload(&error))
        }
        Err(_) => Ended::TimeIsUp,
    }
}

/// The policy, or why there is none, which is told.
pub fn usable<'a>(policy: &'a Result<Policy, String>, log: &mut dyn Log) -> Result<&'a Policy, String> {
    policy.as_ref().map_err(|message| {
        log.error("policy", message);
        message.clone()
    })
}

/// Tells what of a payload was not answered.
pub fn tell_errors(answer: &Answer, log: &mut dyn Log) {
    for error in &answer.rejected {
        log.error(error.kind(), &error.to_string());
    }
    if let Some(error) = &answer.error {
        log.error(error.kind(), &error.to_string());
    }
}

/// Sends the notices, in what is left of the time. The records are told by now, so those that failed are told by
/// themselves.
pub async fn notify(answer: &mut Answer, cloud: &dyn Client, left: Duration, log: &mut dyn Log) {
    apply::notify(&mut answer.outcomes, cloud, NOTICES_WITHIN.min(left)).await;
    for notice in answer.outcomes.iter().flat_map(|outcome| &outcome.notices) {
        if notice.status == Status::Failed {
            let why = notice.answer.as_deref().unwrap_or_default();
            log.untold(&text::plain(&format!("not told: {}: {why}", notice.call)));
        }
    }
}

fn ended(answer: &Answer, log: &mut dyn Log) -> Ended {
    tell_errors(answer, log);
    let reply = report::reply(answer);
    match report::retry_reason(answer) {
        Some(message) => Ended::Failed(reply, message),
        None => Ended::Handled(reply),
    }
}
