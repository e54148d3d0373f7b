//! The AWS Lambda host: hands each event to the flow and tells what became of it.
//!
//! What would fail again is answered, logged and counted, never retried. What may succeed later is
//! returned as an error, so that Lambda delivers the event again; of a queue's batch, only the messages that
//! may succeed later are named, and the others are done with.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use stepladder::apply::{Outcome, Status};
use stepladder::batch::Batch;
use stepladder::cloud::{self, Cloud};
use stepladder::config;
use stepladder::handle::{Answer, NOTICES_WITHIN, handle_each};
use stepladder::policy::Policy;
use stepladder::{report, source};

/// What is left of the invocation when work is given up, so that there is time to say so.
const MARGIN: Duration = Duration::from_millis(500);

/// The time that an invocation without a deadline is given: that of the template.
const WITHOUT_DEADLINE: Duration = Duration::from_secs(30);

/// What is told when work is given up.
const TIME_IS_UP: &str = "the invocation's time is up: allow it more, or see what is slow";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let cloud: Arc<dyn Cloud> = Arc::from(cloud::aws()?);
    connect_ahead(Arc::clone(&cloud));
    let policy = config::policy_from_env().map_err(|error| report::chain(&error));
    let (cloud, policy) = (cloud.as_ref(), &policy);
    lambda_runtime::run(service_fn(move |event| invoked(event, cloud, policy))).await
}

/// Clients read certificates when they are built, which takes longer than all the rest of the start. While it
/// starts, a function has more of a processor than it is given later, so it is done then, beside the start itself.
fn connect_ahead(cloud: Arc<dyn Cloud>) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        // Without a runtime the first question does it.
        if let Ok(runtime) = runtime {
            runtime.block_on(cloud.connect());
        }
    });
}

/// Why an invocation fails. Lambda retries an asynchronous one whatever the type; the type tells an
/// operator whether that can help.
#[derive(Debug)]
enum Failure {
    /// The same event may succeed later.
    Retryable(String),
    /// Nothing will work until somebody mends the function's configuration.
    Permanent(String),
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        let (error_type, error_message) = match failure {
            Failure::Retryable(message) => ("Retryable", message),
            Failure::Permanent(message) => ("Permanent", message),
        };
        Self { error_type: error_type.to_owned(), error_message }
    }
}

/// A tick never fails: the next one asks for the same, and retries of the last would only be in its way.
async fn invoked(
    event: LambdaEvent<Box<RawValue>>,
    cloud: &dyn Cloud,
    policy: &Result<Policy, String>,
) -> Result<Value, Failure> {
    let body = event.payload.get().as_bytes();
    if let Some(batch) = Batch::read(body) {
        return batch_answered(batch, event.context.deadline, cloud, policy).await;
    }
    let is_tick = source::parse(body).is_ok_and(|event| event.tick);
    match answered(event, cloud, policy).await {
        Err(Failure::Retryable(message) | Failure::Permanent(message)) if is_tick => {
            tracing::error!("{message}");
            Ok(json!({ "error": { "kind": "tick", "message": message } }))
        }
        answered => answered,
    }
}

async fn answered(
    event: LambdaEvent<Box<RawValue>>,
    cloud: &dyn Cloud,
    policy: &Result<Policy, String>,
) -> Result<Value, Failure> {
    let now = wall_clock();
    let policy = usable(policy, now)?;
    let body = event.payload.get().as_bytes();
    let mut told = told;
    let work = handle_each(body, cloud, policy, now, &mut told);
    let Ok(done) = tokio::time::timeout(time_left(event.context.deadline, now), work).await else {
        return Err(Failure::Retryable(TIME_IS_UP.to_owned()));
    };
    match done {
        Ok(mut answer) => {
            notify(&mut answer, cloud, event.context.deadline).await;
            reply(&answer, now)
        }
        Err(error) => {
            rejected(error.kind(), &error.to_string(), now);
            Ok(report::unreadable(&error))
        }
    }
}

/// Of a batch, no message is delivered again that is answered for good, even when there was no time for the
/// rest.
async fn batch_answered(
    mut batch: Batch,
    deadline_ms: u64,
    cloud: &dyn Cloud,
    policy: &Result<Policy, String>,
) -> Result<Value, Failure> {
    let now = wall_clock();
    let policy = usable(policy, now)?;
    let mut told = told;
    let work = batch.answer(cloud, policy, now, &mut told);
    if tokio::time::timeout(time_left(deadline_ms, now), work).await.is_err() {
        tracing::error!("{TIME_IS_UP}");
    }
    notify(&mut batch.answer, cloud, deadline_ms).await;
    tell_rejected(&batch.answer, now);
    Ok(report::batch_reply(&batch))
}

fn usable(policy: &Result<Policy, String>, now: Timestamp) -> Result<&Policy, Failure> {
    policy.as_ref().map_err(|message| {
        rejected("policy", message, now);
        Failure::Permanent(message.clone())
    })
}

/// Prints an outcome's record.
fn told(outcome: &Outcome) {
    if outcome.error.is_some() {
        tracing::error!(alarm = outcome.alarm.name, "{}", report::because(outcome));
    }
    print(&report::metric_line(outcome, wall_clock()));
}

/// Sends the notices, in what is left of the time. The records are printed by now, so those that failed are told by
/// themselves.
async fn notify(answer: &mut Answer, cloud: &dyn Cloud, deadline_ms: u64) {
    let within = NOTICES_WITHIN.min(time_left(deadline_ms, wall_clock()));
    answer.notify(cloud, within).await;
    for outcome in &answer.outcomes {
        let failed = outcome.notices.iter().filter(|notice| notice.status == Status::Failed);
        for notice in failed {
            let why = notice.answer.as_deref().unwrap_or_default();
            tracing::error!(alarm = outcome.alarm.name, "not told: {}: {why}", notice.call);
        }
    }
}

fn rejected(kind: &str, message: &str, now: Timestamp) {
    tracing::error!(kind, "{message}");
    print(&report::rejection_line(kind, message, now));
}

fn tell_rejected(answer: &Answer, now: Timestamp) {
    for error in &answer.rejected {
        rejected(error.kind(), &error.to_string(), now);
    }
    if let Some(error) = &answer.error {
        rejected(error.kind(), &error.to_string(), now);
    }
}

/// The reply; a failure only where another delivery may help.
fn reply(answer: &Answer, now: Timestamp) -> Result<Value, Failure> {
    tell_rejected(answer, now);
    match report::worth_another_delivery(answer) {
        Some(message) => Err(Failure::Retryable(message)),
        None => Ok(report::reply(answer)),
    }
}

/// The time until the invocation must have answered. `cargo lambda watch` tells a deadline of 1970, which
/// is as good as none.
fn time_left(deadline_ms: u64, now: Timestamp) -> Duration {
    let now = u64::try_from(now.as_millisecond()).unwrap_or_default();
    match deadline_ms.checked_sub(now) {
        Some(left) => Duration::from_millis(left).saturating_sub(MARGIN),
        None => WITHOUT_DEADLINE,
    }
}

/// One line of JSON on standard output, which Lambda hands to CloudWatch Logs as it is.
fn print(line: &Value) {
    if let Err(error) = writeln!(io::stdout(), "{line}") {
        tracing::error!("a record could not be printed: {error}");
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where time enters")]
fn wall_clock() -> Timestamp {
    Timestamp::now()
}
