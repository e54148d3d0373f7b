//! Sends a plan's calls in order and stops at the first that fails; notices after all, and all at once. Chooses
//! nothing.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use crate::alarm::{Alarm, TargetId};
use crate::call::Call;
use crate::decide::{Check, Decision, Evaluated, Evaluation, Hold};
use crate::deployment::{Axis, Deployment};
use crate::plan::Plan;
use crate::platform::{Client, Error};
use crate::policy::Mode;

/// All there is to say about one alarm and one target when everything is over.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What happened.
    pub alarm: Alarm,
    /// To which deployment; `None` when the alarm names none.
    pub target: Option<TargetId>,
    /// The deployment as it was seen; `None` when no look was needed or none was possible.
    pub seen: Option<Deployment>,
    /// What was decided.
    pub decision: Decision,
    /// Every guard that was asked, in order.
    pub guards: Vec<Check>,
    /// Every call of the plan, in order, and what became of it.
    pub calls: Vec<CallRecord>,
    /// What the policy's destinations are told of it, and what became of that. Changes nothing else here.
    pub notices: Vec<CallRecord>,
    /// What an operator should know besides.
    pub notes: Vec<String>,
    /// What stopped it.
    pub error: Option<Error>,
    /// How it ended.
    pub result: Ending,
}

/// One call and what became of it.
#[derive(Debug, Clone)]
pub struct CallRecord {
    /// The call.
    pub call: Call,
    /// What became of it.
    pub status: Status,
    /// What the API answered.
    pub answer: Option<String>,
}

/// A change that was sent and not accepted.
#[derive(Debug)]
pub struct RejectedChange<'a> {
    /// The deployment as it was seen.
    pub seen: &'a Deployment,
    /// Along which axis it would have been changed; `None` when somebody else's change was in the way.
    pub axis: Option<Axis>,
    /// Why the shape cannot be had, and which; `None` when the shape is not to blame.
    pub shape: Option<(String, &'a str)>,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The API accepted it.
    Done,
    /// The API refused it or did not answer.
    Failed,
    /// A call before it failed.
    NotSent,
    /// Nothing is sent in this mode.
    DryRun,
    /// It is sent when everything else is done.
    Due,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// A resize was sent.
    Applied,
    /// Nothing was to be resized; the pair may have been repaired.
    Held,
    /// There were calls, and none was sent because the mode says so.
    DryRun,
    /// Something that should have happened did not.
    Failed,
}

impl Outcome {
    /// An alarm that needs no look at its deployment.
    pub fn without_look(alarm: &Alarm, target: Option<&TargetId>, decided: Evaluated) -> Self {
        let unknown = decided.decision == Decision::Hold(Hold::UnknownTarget);
        Self {
            alarm: alarm.clone(),
            target: target.cloned(),
            seen: None,
            decision: decided.decision,
            guards: decided.guards,
            calls: Vec::new(),
            notices: Vec::new(),
            notes: Vec::new(),
            error: None,
            result: if unknown { Ending::Failed } else { Ending::Held },
        }
    }

    /// A deployment that could not be looked at.
    pub fn blind(evaluation: &Evaluation, guards: Vec<Check>, error: Error) -> Self {
        let decided = Evaluated::held(Hold::NotObserved, guards);
        let held = Self::without_look(evaluation.alarm, Some(evaluation.target), decided);
        Self { error: Some(error), result: Ending::Failed, ..held }
    }

    /// Whether a change of the deployment itself was sent.
    pub fn resized(&self) -> bool {
        has_resized(&self.calls)
    }

    /// Whether it has changed the deployment itself, or would have if calls were sent.
    pub fn changes(&self) -> bool {
        self.resized() || (self.result == Ending::DryRun && matches!(self.decision, Decision::Resize { .. }))
    }

    /// Whether it would have changed the deployment, and something went wrong.
    pub fn failed_to_change(&self) -> bool {
        self.result == Ending::Failed && matches!(self.decision, Decision::Resize { .. })
    }

    /// Whether the alarm asked for a change rightly, and got none.
    pub fn asked_in_vain(&self) -> bool {
        matches!(&self.decision, Decision::Hold(hold) if hold.is_in_vain())
    }

    /// Whether somebody else changed the deployment or its pair between the look and the call.
    pub fn lost_race(&self) -> bool {
        matches!(self.error, Some(Error::LostRace { .. }))
    }

    /// The same outcome, with the calls of an earlier attempt before its own: what was sent stays on record.
    #[must_use]
    pub fn after(mut self, earlier: Self) -> Self {
        let sent = earlier.calls.into_iter().filter(|call_record| call_record.status != Status::NotSent);
        self.calls.splice(0..0, sent);
        self
    }

    /// The change that was sent and surely not accepted, if that is how it ended. What may have been accepted, or
    /// may be the next time, is none.
    pub fn refused(&self) -> Option<RejectedChange<'_>> {
        let failed = self.calls.iter().find(|call_record| call_record.status == Status::Failed)?;
        let seen = self.seen.as_ref().filter(|_| failed.call.serves_a_resize())?;
        match (&self.error, &self.decision) {
            (
                Some(
                    Error::OverQuota { message, .. }
                    | Error::RejectedChange { message, .. }
                    | Error::Denied { message, .. },
                ),
                Decision::Resize { axis, to, .. },
            ) => {
                let shape = (*axis == Axis::Shape).then(|| (to.rung().into_owned(), message.as_str()));
                Some(RejectedChange { seen, axis: Some(*axis), shape })
            }
            (None, Decision::Hold(Hold::Busy { .. })) => {
                Some(RejectedChange { seen, axis: None, shape: None })
            }
            _ => None,
        }
    }

    /// The same outcome, with what is to be told of it.
    #[must_use]
    pub fn with_notices(mut self, notices: Vec<Call>) -> Self {
        let status = if self.result == Ending::DryRun { Status::DryRun } else { Status::Due };
        self.notices = notices.into_iter().map(|call| call_record(call, status)).collect();
        self
    }

    /// Whether the platform should deliver the event again.
    pub fn is_retryable(&self) -> bool {
        self.error.as_ref().is_some_and(Error::is_retryable)
    }
}

/// Carries a plan out.
pub async fn apply(
    evaluation: &Evaluation<'_>,
    seen: Option<Deployment>,
    plan: Plan,
    cloud: &dyn Client,
    mode: Mode,
) -> Outcome {
    let Plan { decided, calls, notes } = plan;
    let (calls, error) = match mode {
        Mode::Act => send_all(calls, cloud).await,
        Mode::Observe => (calls.into_iter().map(|call| call_record(call, Status::DryRun)).collect(), None),
    };
    let result = ending(&decided.decision, &calls, error.as_ref());
    let (decided, error) =
        if has_resized(&calls) { (decided, error) } else { refused_as_busy(decided, error) };
    Outcome {
        alarm: evaluation.alarm.clone(),
        target: Some(evaluation.target.clone()),
        seen,
        decision: decided.decision,
        guards: decided.guards,
        calls,
        notices: Vec::new(),
        notes,
        error,
        result,
    }
}

/// Sends what a plan that failed leaves to do. Its own failure is on record and changes nothing else.
pub async fn follow_up(mut outcome: Outcome, calls: Vec<Call>, cloud: &dyn Client) -> Outcome {
    let (receipts, _) = send_all(calls, cloud).await;
    outcome.calls.extend(receipts);
    outcome
}

async fn send_all(calls: Vec<Call>, cloud: &dyn Client) -> (Vec<CallRecord>, Option<Error>) {
    let mut receipts = Vec::with_capacity(calls.len());
    let mut stopped = None;
    for call in calls {
        if stopped.is_some() {
            receipts.push(call_record(call, Status::NotSent));
            continue;
        }
        match cloud.send(&call).await {
            Ok(answer) => receipts.push(CallRecord { call, status: Status::Done, answer: Some(answer) }),
            Err(error) => {
                receipts.push(CallRecord { call, status: Status::Failed, answer: Some(error.to_string()) });
                stopped = Some(error);
            }
        }
    }
    (receipts, stopped)
}

/// Sends every notice that is due, all at once, and waits no longer than so for any of them. What becomes of them
/// is on record and changes nothing else.
pub async fn notify(outcomes: &mut [Outcome], cloud: &dyn Client, within: Duration) {
    let notices = outcomes.iter_mut().flat_map(|outcome| &mut outcome.notices);
    let due = notices.filter(|notice| notice.status == Status::Due);
    together(due.map(|notice| send_notice(notice, cloud, within)).collect()).await;
}

async fn send_notice(notice: &mut CallRecord, cloud: &dyn Client, within: Duration) {
    let sent = tokio::time::timeout(within, cloud.send(&notice.call)).await;
    (notice.status, notice.answer) = match sent {
        Ok(Ok(answer)) => (Status::Done, Some(answer)),
        Ok(Err(error)) => (Status::Failed, Some(error.to_string())),
        Err(_) => (Status::Failed, Some(format!("no answer within {within:?}"))),
    };
}

/// Waits for all of them at the same time.
async fn together(work: Vec<impl Future<Output = ()>>) {
    let mut open: Vec<_> = work.into_iter().map(Box::pin).collect();
    poll_fn(|context| {
        open.retain_mut(|one| one.as_mut().poll(context).is_pending());
        if open.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn call_record(call: Call, status: Status) -> CallRecord {
    CallRecord { call, status, answer: None }
}

fn ending(decision: &Decision, calls: &[CallRecord], error: Option<&Error>) -> Ending {
    match (error, decision) {
        (Some(Error::InProgress { .. }), _) if !has_resized(calls) => Ending::Held,
        (Some(_), _) => Ending::Failed,
        (None, _) if calls.iter().any(|call_record| call_record.status == Status::DryRun) => Ending::DryRun,
        (None, Decision::Resize { .. }) => Ending::Applied,
        (None, Decision::Hold(_)) => Ending::Held,
    }
}

/// Whether the change of size itself was accepted, whatever became of the rest.
fn has_resized(calls: &[CallRecord]) -> bool {
    calls.iter().any(|call_record| call_record.status == Status::Done && call_record.call.resizes())
}

/// The update API's own "in progress" is an answer, not a failure: somebody else got there first.
fn refused_as_busy(mut decided: Evaluated, error: Option<Error>) -> (Evaluated, Option<Error>) {
    let Some(Error::InProgress { message, .. }) = error else { return (decided, error) };
    decided.guards.push(Check { guard: "busy", held: true, saw: message.clone().into() });
    decided.decision = Decision::Hold(Hold::Busy { status: message });
    (decided, None)
}
