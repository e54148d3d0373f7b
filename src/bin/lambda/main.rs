//! The AWS Lambda host: answers each event, and logs the outcomes with their metrics.
//!
//! A permanent failure gets a reply, a log line and a metric, and is never retried. A failure that may succeed later is
//! returned as an error, so that Lambda delivers the event again. For a batch of SQS, the reply lists only the messages
//! that may succeed later, and the queue deletes the others.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use stepladder::batch::Batch;
use stepladder::config::{self, PolicySource};
use stepladder::host::panics::print_only_places;
use stepladder::host::stored_policy::{PolicyUnavailable, StoredPolicy};
use stepladder::host::{self, InvocationResult, Log, TIMEOUT_MESSAGE};
use stepladder::outcome::Outcome;
use stepladder::platform::aws::metrics;
use stepladder::platform::{self, Client};
use stepladder::policy::Policy;
use stepladder::report::OutcomeMetrics;
use stepladder::{report, source, text};
use tokio::sync::Mutex;

/// The time reserved at the end of an invocation to log and return a timeout.
const MARGIN: Duration = Duration::from_millis(500);

/// A deadline older than this is no deadline.
const OLDEST_DEADLINE_MS: u64 = 24 * 60 * 60 * 1000;

/// The timeout of an invocation without a deadline: the one in the template.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Where the function's settings are, for log lines.
const SETTINGS_PLACE: &str = "`STEPLADDER_MODE` is the parameter `Mode` of template.yaml";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_runtime::tracing::init_default_subscriber();
    print_only_places();
    let client: Arc<dyn Client> = Arc::from(platform::aws()?);
    connect_in_background(Arc::clone(&client));
    let policy = HostPolicy::from_env();
    let (client, policy) = (client.as_ref(), &policy);
    // Boxed: the state of an invocation is too large for the stack.
    lambda_runtime::run(service_fn(move |event| Box::pin(invoke(event, client, policy)))).await
}

/// Builds the SDK's clients while the function starts. Each client reads certificates, which takes longer than the rest of
/// the start, and Lambda gives a function more CPU during the start than later.
fn connect_in_background(client: Arc<dyn Client>) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        // Without a runtime, the first request builds the clients.
        if let Ok(runtime) = runtime {
            runtime.block_on(client.connect());
        }
    });
}

/// The source of the policy.
enum HostPolicy {
    /// The function's configuration, which cannot change while this process runs.
    Environment(Arc<Result<Policy, String>>),
    /// A parameter, which can change. The lock costs nothing, because Lambda sends one invocation at a time.
    Parameter(Mutex<StoredPolicy>),
}

impl HostPolicy {
    fn from_env() -> Self {
        match config::place() {
            PolicySource::Parameter(name) => {
                Self::Parameter(Mutex::new(StoredPolicy::new(name, SETTINGS_PLACE)))
            }
            PolicySource::BuiltIn | PolicySource::Text(_) | PolicySource::File(_) => {
                let policy = config::policy_from_env().map_err(|error| text::chain(&error));
                if let Ok(policy) = &policy {
                    host::log_mode(policy, SETTINGS_PLACE, &mut LambdaLog);
                }
                Self::Environment(Arc::new(policy))
            }
        }
    }

    /// The policy. Reading it may take half of the remaining time: the last valid policy needs the other half.
    async fn policy(
        &self,
        client: &dyn Client,
        deadline_ms: u64,
    ) -> Result<Arc<Result<Policy, String>>, InvocationError> {
        match self {
            Self::Environment(policy) => Ok(Arc::clone(policy)),
            Self::Parameter(stored) => {
                let mut stored = stored.lock().await;
                let now = wall_clock();
                let within = remaining_time(deadline_ms, now) / 2;
                stored.policy(client, now, within, &mut LambdaLog).await.map_err(InvocationError::from)
            }
        }
    }
}

impl From<PolicyUnavailable> for InvocationError {
    fn from(PolicyUnavailable { message, retryable }: PolicyUnavailable) -> Self {
        if retryable { Self::Retryable(message) } else { Self::Permanent(message) }
    }
}

/// Why an invocation fails. Lambda retries an asynchronous invocation for either type. The type shows an operator
/// whether a retry can help.
#[derive(Debug)]
enum InvocationError {
    /// The same event may succeed later.
    Retryable(String),
    /// Every event fails until an operator repairs the function's configuration.
    Permanent(String),
}

impl From<InvocationError> for Diagnostic {
    fn from(error: InvocationError) -> Self {
        let (error_type, error_message) = match error {
            InvocationError::Retryable(message) => ("Retryable", message),
            InvocationError::Permanent(message) => ("Permanent", message),
        };
        Self { error_type: error_type.to_owned(), error_message }
    }
}

/// Answers one invocation. A tick never fails: the next tick reads the same alarms, and a retry would only delay it.
async fn invoke(
    event: LambdaEvent<Box<RawValue>>,
    client: &dyn Client,
    policy: &HostPolicy,
) -> Result<Value, InvocationError> {
    let body = event.payload.get().as_bytes();
    if let Some(batch) = Batch::read(body) {
        return answer_batch(batch, event.context.deadline, client, policy).await;
    }
    let is_tick = source::parse(body).is_ok_and(|event| event.tick);
    match answer_event(event, client, policy).await {
        Err(InvocationError::Retryable(message) | InvocationError::Permanent(message)) if is_tick => {
            tracing::error!("{message}");
            Ok(json!({ "error": { "kind": "tick", "message": message } }))
        }
        result => result,
    }
}

async fn answer_event(
    event: LambdaEvent<Box<RawValue>>,
    client: &dyn Client,
    policy: &HostPolicy,
) -> Result<Value, InvocationError> {
    let policy = policy.policy(client, event.context.deadline).await?;
    let now = wall_clock();
    let remaining = remaining_time(event.context.deadline, now);
    let body = event.payload.get().as_bytes();
    match host::answer(body, client, &policy, now, remaining, &mut LambdaLog).await {
        InvocationResult::Handled(reply) => Ok(reply),
        InvocationResult::Failed(_, message) => Err(InvocationError::Retryable(message)),
        InvocationResult::PolicyUnusable(message) => Err(InvocationError::Permanent(message)),
        InvocationResult::TimedOut => Err(InvocationError::Retryable(TIMEOUT_MESSAGE.to_owned())),
    }
}

/// Answers a batch. A message with a final answer is never delivered again, even if the time runs out for the others.
async fn answer_batch(
    mut batch: Batch,
    deadline_ms: u64,
    client: &dyn Client,
    policy: &HostPolicy,
) -> Result<Value, InvocationError> {
    let policy = policy.policy(client, deadline_ms).await?;
    let now = wall_clock();
    let policy = host::usable_policy(&policy, &mut LambdaLog).map_err(InvocationError::Permanent)?;
    let mut log_outcome = |outcome: &Outcome| LambdaLog.outcome(outcome);
    let work = batch.answer(client, policy, now, &mut log_outcome);
    if tokio::time::timeout(remaining_time(deadline_ms, now), work).await.is_err() {
        tracing::error!("{TIMEOUT_MESSAGE}");
    }
    let remaining = remaining_time(deadline_ms, wall_clock());
    host::notify(&mut batch.answer, client, remaining, &mut LambdaLog).await;
    host::log_errors(&batch.answer, &mut LambdaLog);
    Ok(batch.reply())
}

/// The function's log: decision records with their metrics, and errors in the runtime's format.
struct LambdaLog;

impl Log for LambdaLog {
    fn outcome(&mut self, outcome: &Outcome) {
        if outcome.error.is_some() {
            let explanation = text::plain(&report::explanation(outcome));
            tracing::error!(alarm = outcome.alarm.name.as_str(), "{explanation}");
        }
        let now = wall_clock();
        let OutcomeMetrics { reason, alarm_to_call_seconds } = report::metrics(outcome, now);
        print_line(&metrics::decision_line(report::record(outcome), reason, alarm_to_call_seconds, now));
    }

    fn error(&mut self, kind: &str, message: &str) {
        tracing::error!(kind, "{}", text::plain(message));
        print_line(&metrics::rejection_line(kind, message, wall_clock()));
    }

    fn warn(&mut self, message: &str) {
        tracing::error!("{}", text::plain(message));
    }

    fn info(&mut self, message: &str) {
        tracing::info!("{}", text::plain(message));
    }
}

/// The time until the invocation must return. `cargo lambda watch` sends a deadline in 1970, which counts as none.
fn remaining_time(deadline_ms: u64, now: Timestamp) -> Duration {
    let now = u64::try_from(now.as_millisecond()).unwrap_or_default();
    if deadline_ms < now.saturating_sub(OLDEST_DEADLINE_MS) {
        return DEFAULT_TIMEOUT;
    }
    Duration::from_millis(deadline_ms.saturating_sub(now)).saturating_sub(MARGIN)
}

/// Prints one line of JSON to standard output. Lambda copies it to CloudWatch Logs unchanged.
fn print_line(line: &Value) {
    if let Err(error) = writeln!(io::stdout(), "{line}") {
        tracing::error!("a record could not be printed: {error}");
    }
}

#[expect(clippy::disallowed_methods, reason = "this is where time enters")]
fn wall_clock() -> Timestamp {
    Timestamp::now()
}
