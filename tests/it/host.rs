//! The result and the log lines of one invocation, which every host shares.

use std::sync::Mutex;
use std::time::{Duration, Instant};
use stepladder::platform::{ActiveAlarm, Observation, ObserveRequest};

use async_trait::async_trait;
use jiff::Timestamp;
use rstest::rstest;
use stepladder::config::PolicyParameter;
use stepladder::host::stored_policy::{REFRESH_INTERVAL, StoredPolicy};
use stepladder::host::{InvocationResult, Log, answer};
use stepladder::outcome::Outcome;
use stepladder::platform::Call;
use stepladder::platform::simulated::SimulatedCloud;
use stepladder::platform::{Client, Error};
use stepladder::policy::{Mode, Policy};
use stepladder::report;

use crate::support::{Blind, CHURN, HIGH_CPU, Notice, at, built_in, cloud, heading, notice};

/// Longer than any answer takes that does not wait.
const AMPLE: Duration = Duration::from_mins(1);

/// A log that keeps its entries in order: results of outcomes and kinds of errors.
#[derive(Default)]
struct TestLog(Vec<String>);

/// What is logged where no call is sent.
const OBSERVES: &str = "stepladder observes: it sends no call, and each decision record shows the calls that it would \
    send; to act, set the policy's `mode` to `act` (in the settings)";

impl Log for TestLog {
    fn outcome(&mut self, outcome: &Outcome) {
        self.0.push(report::ending_text(outcome.result).to_owned());
    }

    fn error(&mut self, kind: &str, _: &str) {
        self.0.push(kind.to_owned());
    }

    fn warn(&mut self, _: &str) {
        self.0.push("warned".to_owned());
    }

    fn info(&mut self, message: &str) {
        assert_eq!(message, OBSERVES);
        self.0.push("observes".to_owned());
    }
}

fn ended(
    body: &[u8],
    cloud: &dyn Client,
    policy: &Result<Policy, String>,
    left: Duration,
) -> (InvocationResult, Vec<String>) {
    let mut log = TestLog::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let ended = runtime.block_on(answer(body, cloud, policy, at(0), left, &mut log));
    (ended, log.0)
}

fn high() -> Vec<u8> {
    notice(HIGH_CPU, CHURN).body()
}

fn throttled() -> Error {
    Error::Throttled { operation: "oci:GetModelDeployment".to_owned(), message: "slow down".to_owned() }
}

fn unconfigured() -> Error {
    Error::Unconfigured { operation: "oci:GetModelDeployment".to_owned(), message: "who asks?".to_owned() }
}

#[test]
fn an_answered_payload_is_not_retried() {
    let (ended, log) = ended(&high(), &cloud(), &Ok(built_in()), AMPLE);
    let InvocationResult::Handled(reply) = ended else { panic!("{ended:?}") };
    assert_eq!(reply["outcomes"][0]["result"], "applied");
    assert_eq!(log, ["applied"]);
}

#[rstest]
// The service may be less busy later.
#[case(throttled(), true)]
// The configuration stays incomplete.
#[case(unconfigured(), false)]
fn a_failure_is_retried_if_that_may_help(#[case] error: Error, #[case] again: bool) {
    let (ended, log) = ended(&high(), &Blind(error), &Ok(built_in()), AMPLE);
    let (reply, found) = match ended {
        InvocationResult::Failed(reply, why) => (reply, why.contains("slow down")),
        InvocationResult::Handled(reply) => (reply, false),
        other @ (InvocationResult::PolicyUnusable(_) | InvocationResult::TimedOut) => panic!("{other:?}"),
    };
    assert_eq!(found, again);
    assert_eq!(reply["outcomes"][0]["error"]["retryable"], again);
    assert_eq!(log, ["failed"]);
}

#[test]
fn an_unreadable_payload_is_not_retried() {
    let (ended, log) = ended(b"{", &cloud(), &Ok(built_in()), AMPLE);
    let InvocationResult::Handled(reply) = ended else { panic!("{ended:?}") };
    assert_eq!(reply["error"]["kind"], "not_json");
    assert_eq!(log, ["not_json"]);
}

#[rstest]
// An alarm, and an unreadable payload: without a policy neither is parsed.
#[case(&high())]
#[case(b"{")]
fn without_a_policy_nothing_starts(#[case] body: &[u8]) {
    let cloud = cloud();
    let (ended, log) = ended(body, &cloud, &Err("no such mode".to_owned()), AMPLE);
    assert_eq!(ended, InvocationResult::PolicyUnusable("no such mode".to_owned()));
    assert_eq!(log, ["policy"]);
    assert_eq!(heading(&cloud, CHURN).instances, 1);
}

#[test]
fn without_time_nothing_starts() {
    let cloud = cloud();
    let (ended, log) = ended(&high(), &cloud, &Ok(built_in()), Duration::ZERO);
    assert_eq!((ended, log.len()), (InvocationResult::TimedOut, 0));
    assert_eq!(heading(&cloud, CHURN).instances, 1);
}

/// A cloud that never answers about one deployment, and records the deadline.
struct Stuck<'a> {
    cloud: &'a SimulatedCloud,
    begun: Mutex<Option<Instant>>,
}

#[async_trait]
impl Client for Stuck<'_> {
    fn begin(&self, deadline: Option<Instant>) {
        *self.begun.lock().unwrap() = deadline;
    }

    async fn observe(&self, request: &ObserveRequest<'_>) -> Result<Observation, Error> {
        if request.target.as_str() != CHURN {
            std::future::pending::<()>().await;
        }
        self.cloud.observe(request).await
    }

    async fn active_alarms(&self, action: Option<&str>, now: Timestamp) -> Result<Vec<ActiveAlarm>, Error> {
        self.cloud.active_alarms(action, now).await
    }

    async fn send(&self, call: &Call) -> Result<String, Error> {
        self.cloud.send(call).await
    }
}

#[test]
fn outcomes_before_a_timeout_are_logged() {
    let stuck = "ocid1.datasciencemodeldeployment.oc1.iad.exampleuniqueidstuck";
    let mut event: serde_json::Value = serde_json::from_slice(&high()).unwrap();
    let other: serde_json::Value = serde_json::from_slice(&Notice::new(HIGH_CPU, stuck).body()).unwrap();
    let alarms = event["alarmMetaData"].as_array_mut().unwrap();
    alarms.push(other["alarmMetaData"][0].clone());

    let simulated = cloud();
    let cloud = Stuck { cloud: &simulated, begun: Mutex::default() };
    let before = Instant::now();
    let left = Duration::from_millis(100);
    let (ended, log) = ended(event.to_string().as_bytes(), &cloud, &Ok(built_in()), left);
    assert_eq!((ended, log), (InvocationResult::TimedOut, vec!["applied".to_owned()]));
    let deadline = cloud.begun.lock().unwrap().expect("the cloud gets the deadline");
    assert!(deadline >= before + left);
}

/// A cloud whose client has a defect.
struct Defective;

#[async_trait]
impl Client for Defective {
    async fn observe(&self, _: &ObserveRequest<'_>) -> Result<Observation, Error> {
        panic!("a secret of the request");
    }

    async fn active_alarms(&self, _: Option<&str>, _: Timestamp) -> Result<Vec<ActiveAlarm>, Error> {
        Err(unconfigured())
    }

    async fn send(&self, _: &Call) -> Result<String, Error> {
        Err(unconfigured())
    }
}

#[test]
fn an_invocation_that_panics_is_answered_and_delivered_again() {
    let (ended, log) = ended(&high(), &Defective, &Ok(built_in()), AMPLE);
    let InvocationResult::Failed(reply, why) = ended else { panic!("{ended:?}") };
    assert_eq!((reply["error"]["kind"].as_str(), log), (Some("panic"), vec!["panic".to_owned()]));
    assert!(!why.contains("secret"), "{why}");
}

/// A store that holds one policy; `None` where it never answers.
#[derive(Default)]
struct Store(Mutex<Option<Result<&'static str, Error>>>);

impl Store {
    fn holds(&self, policy: Result<&'static str, Error>) {
        *self.0.lock().unwrap() = Some(policy);
    }
}

#[async_trait]
impl Client for Store {
    async fn observe(&self, _: &ObserveRequest<'_>) -> Result<Observation, Error> {
        Err(unconfigured())
    }

    async fn active_alarms(&self, _: Option<&str>, _: Timestamp) -> Result<Vec<ActiveAlarm>, Error> {
        Err(unconfigured())
    }

    async fn send(&self, _: &Call) -> Result<String, Error> {
        Err(unconfigured())
    }

    async fn policy_text(&self, _: &str) -> Result<String, Error> {
        let held = self.0.lock().unwrap().clone();
        match held {
            Some(policy) => policy.map(str::to_owned),
            None => std::future::pending().await,
        }
    }
}

#[tokio::test]
async fn a_store_that_does_not_answer_takes_no_more_than_its_time() {
    let brief = Duration::from_millis(50);
    let new = || StoredPolicy::new(PolicyParameter::read("ssm:policy").unwrap(), "in the settings");
    let (store, mut stored, mut log) = (Store::default(), new(), TestLog::default());
    store.holds(Ok("mode = \"observe\""));
    let policy = stored.policy(&store, at(0), AMPLE, &mut log).await.unwrap();
    assert_eq!(policy.as_ref().as_ref().unwrap().mode, Mode::Observe);
    let store = Store::default();
    let policy = stored.policy(&store, at(3600), brief, &mut log).await.unwrap();
    assert_eq!(policy.as_ref().as_ref().unwrap().mode, Mode::Observe);
    assert_eq!(log.0, ["observes", "warned"]);
    // Without a policy so far, the event is delivered again.
    let failed = new().policy(&store, at(0), brief, &mut TestLog::default()).await.unwrap_err();
    assert!(failed.retryable && failed.message.contains("no answer within 50ms"), "{failed:?}");
}

/// The time, the store's content, the active mode, and the log.
type Read = (i64, Result<&'static str, Error>, Mode, &'static [&'static str]);

#[tokio::test]
async fn a_stored_policy_is_refreshed_and_the_last_valid_one_stays_active() {
    let store = Store::default();
    store.holds(Err(throttled()));
    let mut stored = StoredPolicy::new(PolicyParameter::read("ssm:policy").unwrap(), "in the settings");
    let minute = REFRESH_INTERVAL.as_secs();

    // No policy yet, and the same event may find one later.
    let mut log = TestLog::default();
    let failed = stored.policy(&store, at(0), AMPLE, &mut log).await.unwrap_err();
    assert!(failed.retryable && failed.message.contains("`ssm:policy`"), "{failed:?}");
    // An invalid policy, which no retry makes valid.
    store.holds(Ok("mode = \"act\"\nmood = \"act\""));
    let failed = stored.policy(&store, at(0), AMPLE, &mut log).await.unwrap_err();
    assert!(!failed.retryable, "{failed:?}");
    assert!(
        failed.message.contains("`ssm:policy`") && failed.message.contains("line 2, column 1: "),
        "{failed:?}"
    );
    assert_eq!(log.0, ["policy", "policy"]);

    let rows: [Read; 8] = [
        // as soon as there is one
        (0, Ok("mode = \"observe\""), Mode::Observe, &["observes"]),
        // not read again so soon
        (minute - 1, Ok("mode = \"act\""), Mode::Observe, &[]),
        (minute, Ok("mode = \"act\""), Mode::Act, &[]),
        // a failure is logged once, and the store is not read again so soon
        (2 * minute, Err(throttled()), Mode::Act, &["warned"]),
        (2 * minute + 1, Err(throttled()), Mode::Act, &[]),
        // an invalid policy does not become active
        (3 * minute, Ok("mode = 1"), Mode::Act, &["warned"]),
        // that it observes is logged once, and again after it has acted
        (4 * minute, Ok("mode = \"observe\""), Mode::Observe, &["observes"]),
        (5 * minute, Ok("mode = \"observe\"\n"), Mode::Observe, &[]),
    ];
    for (time, holds, mode, expected) in rows {
        store.holds(holds);
        let mut log = TestLog::default();
        let policy = stored.policy(&store, at(time), AMPLE, &mut log).await.unwrap();
        assert_eq!(policy.as_ref().as_ref().unwrap().mode, mode, "{time}");
        assert_eq!(log.0, expected, "{time}");
    }
}
