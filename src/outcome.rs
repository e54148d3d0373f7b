//! What became of an alarm: the decision, the calls and how it ended.

use crate::alarm::Alarm;
use crate::decide::{Check, Decision, Evaluated, Evaluation, Hold};
use crate::plan::RejectedChange;
use crate::platform::Call;
use crate::platform::{self, Error, Observation};
use crate::size::Axis;
use crate::source;
use crate::target::TargetId;

/// All there is to say about one alarm and one target when everything is over.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What happened.
    pub alarm: Alarm,
    /// To which deployment; `None` when the alarm names none.
    pub target: Option<TargetId>,
    /// The deployment as it was seen; `None` when no look was needed or none was possible.
    pub seen: Option<Observation>,
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

impl CallRecord {
    /// A call that nothing has answered yet.
    pub fn new(call: Call, status: Status) -> Self {
        Self { call, status, answer: None }
    }
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
                    | Error::Refused { message, .. }
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
        self.notices = notices.into_iter().map(|call| CallRecord::new(call, status)).collect();
        self
    }

    /// Whether the platform should deliver the event again.
    pub fn is_retryable(&self) -> bool {
        self.error.as_ref().is_some_and(Error::is_retryable)
    }
}

/// What became of one payload.
#[derive(Debug, Default)]
pub struct Answer {
    /// One per alarm and target, in the order in which they were answered.
    pub outcomes: Vec<Outcome>,
    /// Records of the payload that could not be read.
    pub rejected: Vec<source::Error>,
    /// Why the alarms that fire could not be asked for.
    pub error: Option<platform::Error>,
}

/// Whether the change of size itself was accepted, whatever became of the rest.
pub fn has_resized(calls: &[CallRecord]) -> bool {
    calls.iter().any(|call_record| call_record.status == Status::Done && call_record.call.resizes())
}
