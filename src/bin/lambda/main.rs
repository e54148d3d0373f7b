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
use stepladder::batch::Batch;
use stepladder::config::{self, PolicySource};
use stepladder::host::stored_policy::{PolicyUnavailable, StoredPolicy};
use stepladder::host::{self, Ended, Log, TIME_IS_UP};
use stepladder::outcome::Outcome;
use stepladder::platform::aws::metrics;
use stepladder::platform::{self, Client};
use stepladder::policy::Policy;
use stepladder::report::OutcomeMetrics;
use stepladder::{report, source, text};
use tokio::sync::Mutex;

/// What is left of the invocation when work is given up, so that there is time to say so.
const MARGIN: Duration = Duration::from_millis(500);

/// A deadline so long ago was never meant as one.
const A_DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The time that an invocation without a deadline is given: that of the template.
const WITHOUT_DEADLINE: Duration = Duration::from_secs(30);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let cloud: Arc<dyn Client> = Arc::from(platform::aws()?);
    connect_ahead(Arc::clone(&cloud));
    let source = HostPolicy::from_env();
    let (cloud, policy) = (cloud.as_ref(), &source);
    // What an invocation keeps is more than a stack should carry.
    lambda_runtime::run(service_fn(move |event| Box::pin(invoked(event, cloud, policy)))).await
}

/// Clients read certificates when they are built, which takes longer than all the rest of the start. While it
/// starts, a function has more of a processor than it is given later, so it is done then, beside the start itself.
fn connect_ahead(cloud: Arc<dyn Client>) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        // Without a runtime the first question does it.
        if let Ok(runtime) = runtime {
            runtime.block_on(cloud.connect());
        }
    });
}

/// Where the policy comes from.
enum HostPolicy {
    /// The function's own configuration, which cannot change under it.
    Environment(Arc<Result<Policy, String>>),
    /// A parameter, which can. Invocations come one after the other; whatever else came would wait for its reading.
    Parameter(Mutex<StoredPolicy>),
}

impl HostPolicy {
    fn from_env() -> Self {
        match config::place() {
            PolicySource::Parameter(name) => Self::Parameter(Mutex::new(StoredPolicy::new(name))),
            PolicySource::BuiltIn | PolicySource::Text(_) | PolicySource::File(_) => {
                Self::Environment(Arc::new(config::policy_from_env().map_err(|error| text::chain(&error))))
            }
        }
    }

    async fn policy(&self, cloud: &dyn Client) -> Result<Arc<Result<Policy, String>>, Failure> {
        match self {
            Self::Environment(policy) => Ok(Arc::clone(policy)),
            Self::Parameter(kept) => {
                kept.lock().await.policy(cloud, wall_clock(), &mut Lines).await.map_err(Failure::from)
            }
        }
    }
}

impl From<PolicyUnavailable> for Failure {
    fn from(PolicyUnavailable { message, retryable }: PolicyUnavailable) -> Self {
        if retryable { Self::Retryable(message) } else { Self::Permanent(message) }
    }
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
    cloud: &dyn Client,
    policy: &HostPolicy,
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
    cloud: &dyn Client,
    policy: &HostPolicy,
) -> Result<Value, Failure> {
    let policy = policy.policy(cloud).await?;
    let now = wall_clock();
    let left = time_left(event.context.deadline, now);
    let body = event.payload.get().as_bytes();
    match host::answer(body, cloud, &policy, now, left, &mut Lines).await {
        Ended::Handled(reply) => Ok(reply),
        Ended::Failed(_, message) => Err(Failure::Retryable(message)),
        Ended::Unusable(message) => Err(Failure::Permanent(message)),
        Ended::TimeIsUp => Err(Failure::Retryable(TIME_IS_UP.to_owned())),
    }
}

/// Of a batch, no message is delivered again that is answered for good, even when there was no time for the
/// rest.
async fn batch_answered(
    mut batch: Batch,
    deadline_ms: u64,
    cloud: &dyn Client,
    policy: &HostPolicy,
) -> Result<Value, Failure> {
    let policy = policy.policy(cloud).await?;
    let now = wall_clock();
    let policy = host::usable(&policy, &mut Lines).map_err(Failure::Permanent)?;
    let mut told = |outcome: &Outcome| Lines.outcome(outcome);
    let work = batch.answer(cloud, policy, now, &mut told);
    if tokio::time::timeout(time_left(deadline_ms, now), work).await.is_err() {
        tracing::error!("{TIME_IS_UP}");
    }
    host::notify(&mut batch.answer, cloud, time_left(deadline_ms, wall_clock()), &mut Lines).await;
    host::tell_errors(&batch.answer, &mut Lines);
    Ok(batch.reply())
}

/// The log: records with their metrics, and errors as the runtime writes them.
struct Lines;

impl Log for Lines {
    fn outcome(&mut self, outcome: &Outcome) {
        if outcome.error.is_some() {
            tracing::error!(alarm = outcome.alarm.name.as_str(), "{}", report::explanation(outcome));
        }
        let now = wall_clock();
        let OutcomeMetrics { reason, alarm_to_call_seconds } = report::metrics(outcome, now);
        print(&metrics::decision_line(report::record(outcome), reason, alarm_to_call_seconds, now));
    }

    fn error(&mut self, kind: &str, message: &str) {
        tracing::error!(kind, "{message}");
        print(&metrics::rejection_line(kind, message, wall_clock()));
    }

    fn untold(&mut self, message: &str) {
        tracing::error!("{message}");
    }
}

/// The time until the invocation must have answered. `cargo lambda watch` tells a deadline of 1970, which
/// is as good as none.
fn time_left(deadline_ms: u64, now: Timestamp) -> Duration {
    let now = u64::try_from(now.as_millisecond()).unwrap_or_default();
    if deadline_ms < now.saturating_sub(A_DAY_MS) {
        return WITHOUT_DEADLINE;
    }
    Duration::from_millis(deadline_ms.saturating_sub(now)).saturating_sub(MARGIN)
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
