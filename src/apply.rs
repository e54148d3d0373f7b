//! Sends a plan's calls in order and stops at the first that fails. Sends notices last, all at once. Chooses nothing.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use crate::decide::{Decision, DecisionTrace, Evaluation, Hold, is_new_event};
use crate::outcome::{CallRecord, Ending, Outcome, Status, is_resize_done};
use crate::plan::Plan;
use crate::platform::{Call, Client, Error, Observation};
use crate::policy::Mode;
use crate::text::of_service;

/// Carries out a plan. In the mode `observe` no call is sent.
pub async fn apply(
    evaluation: &Evaluation<'_>,
    observed: Option<Observation>,
    plan: Plan,
    client: &dyn Client,
    mode: Mode,
) -> Outcome {
    let Plan { mut trace, calls, notes } = plan;
    let dry_run = |call| CallRecord::new(call, Status::DryRun);
    let (calls, mut error) = match mode {
        Mode::Act => send_all(calls, client).await,
        Mode::Observe => (calls.into_iter().map(dry_run).collect(), None),
    };
    if !is_resize_done(&calls)
        && let Some(Error::InProgress { message, .. }) = error
    {
        hold_as_busy(&mut trace, message);
        error = None;
    }
    let result = ending(&trace.decision, &calls, error.as_ref());
    Outcome {
        alarm: evaluation.alarm.clone(),
        target: Some(evaluation.target.clone()),
        observed,
        decision: trace.decision,
        checks: trace.checks,
        calls,
        notices: Vec::new(),
        notes,
        error,
        result,
        is_news: is_new_event(evaluation.alarm),
        mode: Some(mode),
    }
}

/// Sends the calls after a rejected change. A failure of theirs is on record and changes nothing else.
pub async fn send_after_rejection(mut outcome: Outcome, calls: Vec<Call>, client: &dyn Client) -> Outcome {
    let (records, _) = send_all(calls, client).await;
    outcome.calls.extend(records);
    outcome
}

/// Sends calls in order until one fails, and returns a record of each with the failure.
async fn send_all(calls: Vec<Call>, client: &dyn Client) -> (Vec<CallRecord>, Option<Error>) {
    let mut records = Vec::new();
    let mut failure = None;
    for call in calls {
        if failure.is_some() {
            records.push(CallRecord::new(call, Status::NotSent));
            continue;
        }
        match client.send(&call).await {
            Ok(answer) => {
                records.push(CallRecord { call, status: Status::Done, answer: Some(of_service(&answer)) });
            }
            Err(error) => {
                let answer = Some(of_service(&error.to_string()));
                records.push(CallRecord { call, status: Status::Failed, answer });
                failure = Some(error);
            }
        }
    }
    (records, failure)
}

/// Sends every notice that is due, all at once, and waits at most so long for each. A failure is on record and changes
/// nothing else.
pub async fn notify(outcomes: &mut [Outcome], client: &dyn Client, within: Duration) {
    let notices = outcomes.iter_mut().flat_map(|outcome| &mut outcome.notices);
    let due = notices.filter(|notice| notice.status == Status::Due);
    join_all(due.map(|notice| send_notice(notice, client, within)).collect()).await;
}

async fn send_notice(notice: &mut CallRecord, client: &dyn Client, within: Duration) {
    let sent = tokio::time::timeout(within, client.send(&notice.call)).await;
    (notice.status, notice.answer) = match sent {
        Ok(Ok(answer)) => (Status::Done, Some(of_service(&answer))),
        Ok(Err(error)) => (Status::Failed, Some(of_service(&error.to_string()))),
        Err(_) => (Status::Failed, Some(format!("no answer within {within:?}"))),
    };
}

/// Waits for all futures at the same time.
async fn join_all(futures: Vec<impl Future<Output = ()>>) {
    let mut pending: Vec<_> = futures.into_iter().map(Box::pin).collect();
    poll_fn(|context| {
        pending.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if pending.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn ending(decision: &Decision, calls: &[CallRecord], error: Option<&Error>) -> Ending {
    match (error, decision) {
        (Some(_), _) => Ending::Failed,
        (None, _) if calls.iter().any(|call_record| call_record.status == Status::DryRun) => Ending::DryRun,
        (None, Decision::Resize { .. }) => Ending::Applied,
        (None, Decision::Hold(_)) => Ending::Held,
    }
}

/// Turns the update API's refusal "in progress" into a hold: somebody else changed the deployment first, which is no
/// failure.
fn hold_as_busy(trace: &mut DecisionTrace, message: String) {
    let checks = std::mem::take(&mut trace.checks);
    *trace = DecisionTrace::held_by(Hold::Busy { status: message.clone() }, message, checks);
}
