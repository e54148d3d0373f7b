//! Sends a plan's calls in order and stops at the first that fails; notices after all, and all at once. Chooses
//! nothing.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use crate::decide::{Check, Decision, Evaluated, Evaluation, Hold};
use crate::outcome::{CallRecord, Ending, Outcome, Status, has_resized};
use crate::plan::Plan;
use crate::platform::Call;
use crate::platform::{Client, Error, Observation};
use crate::policy::Mode;

/// Carries a plan out.
pub async fn apply(
    evaluation: &Evaluation<'_>,
    seen: Option<Observation>,
    plan: Plan,
    cloud: &dyn Client,
    mode: Mode,
) -> Outcome {
    let Plan { decided, calls, notes } = plan;
    let (calls, error) = match mode {
        Mode::Act => send_all(calls, cloud).await,
        Mode::Observe => {
            (calls.into_iter().map(|call| CallRecord::new(call, Status::DryRun)).collect(), None)
        }
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
            receipts.push(CallRecord::new(call, Status::NotSent));
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

fn ending(decision: &Decision, calls: &[CallRecord], error: Option<&Error>) -> Ending {
    match (error, decision) {
        (Some(Error::InProgress { .. }), _) if !has_resized(calls) => Ending::Held,
        (Some(_), _) => Ending::Failed,
        (None, _) if calls.iter().any(|call_record| call_record.status == Status::DryRun) => Ending::DryRun,
        (None, Decision::Resize { .. }) => Ending::Applied,
        (None, Decision::Hold(_)) => Ending::Held,
    }
}

/// The update API's own "in progress" is an answer, not a failure: somebody else got there first.
fn refused_as_busy(mut decided: Evaluated, error: Option<Error>) -> (Evaluated, Option<Error>) {
    let Some(Error::InProgress { message, .. }) = error else { return (decided, error) };
    decided.guards.push(Check { guard: "busy", held: true, saw: message.clone().into() });
    decided.decision = Decision::Hold(Hold::Busy { status: message });
    (decided, None)
}
