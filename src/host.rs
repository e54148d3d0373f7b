//! Runs one invocation for every host: answers the payload before the deadline and reports the result.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::handle::{NOTICES_WITHIN, handle_each};
use crate::outcome::{Answer, Outcome, Status};
use crate::platform::Client;
use crate::policy::Policy;
use crate::{apply, report, text};

pub mod stored_policy;

pub use crate::handle::panics;
use panics::{PANIC_MESSAGE, Panicked, caught};

/// The error message of an invocation that runs out of time.
pub const TIMEOUT_MESSAGE: &str = "the invocation's time is up: allow it more, or see what is slow";

/// The log of a host.
pub trait Log: Send {
    /// Logs the outcome of an alarm.
    fn outcome(&mut self, outcome: &Outcome);

    /// Logs why a payload, or a part of it, was not answered. The kind is a stable identifier.
    fn error(&mut self, kind: &str, message: &str);

    /// Logs a failure that changes no outcome, such as a notice that was not delivered.
    fn warn(&mut self, message: &str);

    /// Logs what an operator should know although nothing is wrong.
    fn info(&mut self, message: &str);
}

/// Logs that a policy lets no call be sent, and how to change that. `place` is where this host's settings are.
pub fn log_mode(policy: &Policy, place: &str, log: &mut dyn Log) {
    if let Some(settings) = policy.observes_because_of() {
        log.info(&format!(
            "stepladder observes: it sends no call, and each decision record shows the calls that it would send; to \
             act, set {settings} to `act` ({place})"
        ));
    }
}

/// The result of an invocation.
#[derive(Debug, Clone, PartialEq)]
pub enum InvocationResult {
    /// The payload was handled, and a retry would not help. Holds the reply.
    Handled(Value),
    /// The payload failed, and a retry may succeed. Holds the reply and the reason.
    Failed(Value, String),
    /// The policy is invalid, so every invocation fails until an operator repairs it. No event may get lost meanwhile.
    PolicyUnusable(String),
    /// The time ran out before the payload was handled.
    TimedOut,
}

/// Answers one payload in the remaining time, and starts nothing if no time remains.
pub async fn answer(
    body: &[u8],
    client: &dyn Client,
    policy: &Result<Policy, String>,
    now: Timestamp,
    remaining: Duration,
    log: &mut dyn Log,
) -> InvocationResult {
    let policy = match usable_policy(policy, log) {
        Ok(policy) => policy,
        Err(message) => return InvocationResult::PolicyUnusable(message),
    };
    if remaining.is_zero() {
        return InvocationResult::TimedOut;
    }
    let started = Instant::now();
    client.begin(started.checked_add(remaining));
    let mut log_outcome = |outcome: &Outcome| log.outcome(outcome);
    let work = Box::pin(handle_each(body, client, policy, now, &mut log_outcome));
    match tokio::time::timeout(remaining, caught(work)).await {
        Ok(Ok(Ok(mut answer))) => {
            notify(&mut answer, client, remaining.saturating_sub(started.elapsed()), log).await;
            invocation_result(&answer, log)
        }
        Ok(Ok(Err(error))) => {
            log.error(error.kind(), &error.to_string());
            InvocationResult::Handled(report::unreadable_payload(&error))
        }
        Ok(Err(Panicked)) => {
            log.error("panic", PANIC_MESSAGE);
            let reply = json!({ "error": { "kind": "panic", "message": PANIC_MESSAGE } });
            InvocationResult::Failed(reply, PANIC_MESSAGE.to_owned())
        }
        Err(_) => InvocationResult::TimedOut,
    }
}

/// The policy. If it is unusable, logs the error and returns it.
pub fn usable_policy<'a>(
    policy: &'a Result<Policy, String>,
    log: &mut dyn Log,
) -> Result<&'a Policy, String> {
    policy.as_ref().map_err(|message| {
        log.error("policy", message);
        message.clone()
    })
}

/// Logs the parts of a payload that were not answered.
pub fn log_errors(answer: &Answer, log: &mut dyn Log) {
    for error in &answer.rejected {
        log.error(error.kind(), &error.to_string());
    }
    if let Some(error) = &answer.error {
        log.error(error.kind(), &error.to_string());
    }
}

/// Sends the notices in the remaining time. The decision records are logged already, so each failed notice gets its own
/// log line.
pub async fn notify(answer: &mut Answer, client: &dyn Client, remaining: Duration, log: &mut dyn Log) {
    apply::notify(&mut answer.outcomes, client, NOTICES_WITHIN.min(remaining)).await;
    for notice in answer.outcomes.iter().flat_map(|outcome| &outcome.notices) {
        if notice.status == Status::Failed {
            let why = notice.answer.as_deref().unwrap_or_default();
            log.warn(&text::plain(&format!("not sent: {}: {why}", notice.call)));
        }
    }
}

fn invocation_result(answer: &Answer, log: &mut dyn Log) -> InvocationResult {
    log_errors(answer, log);
    let reply = report::reply(answer);
    match report::retry_reason(answer) {
        Some(message) => InvocationResult::Failed(reply, message),
        None => InvocationResult::Handled(reply),
    }
}
