//! The outcome of an alarm: the decision, the calls and how it ended.

use crate::alarm::Alarm;
use crate::decide::{Check, Decision, DecisionTrace, Evaluation, Hold, is_new_event};
use crate::plan::{RejectedChange, RejectedShape};
use crate::platform::{self, Call, Error, Observation};
use crate::policy::Mode;
use crate::size::Axis;
use crate::source;
use crate::target::TargetId;

/// Everything that one alarm about one target led to.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The alarm.
    pub alarm: Alarm,
    /// The deployment that the alarm is about; `None` where the alarm names no known one.
    pub target: Option<TargetId>,
    /// The deployment as it was observed; `None` where it was not, or could not be.
    pub observed: Option<Observation>,
    /// The decision.
    pub decision: Decision,
    /// Every check that led to the decision, in order.
    pub checks: Vec<Check>,
    /// Every call of the plan, in order, and its status.
    pub calls: Vec<CallRecord>,
    /// The notices to the policy's destinations, and their status. A notice that fails changes nothing else here.
    pub notices: Vec<CallRecord>,
    /// Notes for the operator.
    pub notes: Vec<String>,
    /// The error that stopped it, if one did.
    pub error: Option<Error>,
    /// How it ended.
    pub result: Ending,
    /// Whether it is reported: a hold is reported when it begins, as far as that can be seen.
    pub is_news: bool,
    /// The mode in which it was handled; `None` where nothing was observed, and the policy's counts.
    pub mode: Option<Mode>,
}

/// One call and its status.
#[derive(Debug, Clone)]
pub struct CallRecord {
    /// The call.
    pub call: Call,
    /// Its status.
    pub status: Status,
    /// The API's answer; `None` where there is none.
    pub answer: Option<String>,
}

impl CallRecord {
    /// A call without an answer.
    pub fn new(call: Call, status: Status) -> Self {
        Self { call, status, answer: None }
    }
}

/// The status of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The API accepted it.
    Done,
    /// The API rejected it or did not answer.
    Failed,
    /// A call before it failed.
    NotSent,
    /// Nothing is sent in this mode.
    DryRun,
    /// It will be sent when everything else is done.
    Due,
}

/// How an outcome ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// A resize was sent.
    Applied,
    /// No resize was sent; the pair may have been repaired.
    Held,
    /// There were calls, and the mode let none be sent.
    DryRun,
    /// A call or the observation failed.
    Failed,
}

impl Outcome {
    /// The outcome of an alarm whose deployment is not observed.
    pub fn without_observation(alarm: &Alarm, target: Option<&TargetId>, trace: DecisionTrace) -> Self {
        let unknown = trace.decision == Decision::Hold(Hold::UnknownTarget);
        Self {
            alarm: alarm.clone(),
            target: target.cloned(),
            observed: None,
            decision: trace.decision,
            checks: trace.checks,
            calls: Vec::new(),
            notices: Vec::new(),
            notes: Vec::new(),
            error: None,
            result: if unknown { Ending::Failed } else { Ending::Held },
            is_news: is_new_event(alarm),
            mode: None,
        }
    }

    /// The outcome where the observation fails.
    pub fn not_observed(evaluation: &Evaluation, error: Error) -> Self {
        let trace = DecisionTrace::held_by(Hold::NotObserved, error.to_string(), evaluation.checks.clone());
        let held = Self::without_observation(evaluation.alarm, Some(evaluation.target), trace);
        Self { error: Some(error), result: Ending::Failed, ..held }
    }

    /// Whether the observation found no such deployment.
    pub fn found_no_deployment(&self) -> bool {
        self.observed.is_none() && matches!(self.error, Some(Error::NotFound { .. }))
    }

    /// Whether the platform accepted a change of the deployment itself.
    pub fn resized(&self) -> bool {
        is_resize_done(&self.calls)
    }

    /// Whether the platform accepted a change of the deployment itself, or a dry run planned one.
    pub fn resized_or_would(&self) -> bool {
        let would = self.result == Ending::DryRun && matches!(self.decision, Decision::Resize { .. });
        would || self.resized()
    }

    /// Whether a resize was decided and something failed, or what would have been decided is unknown.
    pub fn failed_to_resize(&self) -> bool {
        let may_resize = matches!(self.decision, Decision::Resize { .. } | Decision::Hold(Hold::NotObserved));
        self.result == Ending::Failed && may_resize
    }

    /// Whether the deployment needs the requested change and does not get it.
    pub fn leaves_demand_unmet(&self) -> bool {
        matches!(&self.decision, Decision::Hold(hold) if hold.leaves_demand_unmet())
    }

    /// Whether somebody else changed the deployment or its pair between the observation and the call.
    pub fn lost_race(&self) -> bool {
        matches!(self.error, Some(Error::LostRace { .. }))
    }

    /// The same outcome, with the sent calls of an earlier attempt before its own.
    #[must_use]
    pub fn with_earlier_calls(mut self, earlier: Self) -> Self {
        let sent = earlier.calls.into_iter().filter(|call_record| call_record.status != Status::NotSent);
        self.calls.splice(0..0, sent);
        self
    }

    /// The change that was sent and that the platform certainly rejected; `None` where it was, or may still be,
    /// accepted.
    pub fn rejected_change(&self) -> Option<RejectedChange<'_>> {
        let failed = self.calls.iter().find(|call_record| call_record.status == Status::Failed)?;
        let observed = self.observed.as_ref().filter(|_| failed.call.serves_a_resize())?;
        match (&self.error, &self.decision) {
            (
                Some(
                    Error::OverQuota { message, .. }
                    | Error::Refused { message, .. }
                    | Error::Denied { message, .. },
                ),
                Decision::Resize { axis, to, .. },
            ) => {
                let shape = RejectedShape { shape: to.rung().into_owned(), message };
                let shape = (*axis == Axis::Shape).then_some(shape);
                Some(RejectedChange { observed, axis: Some(*axis), shape })
            }
            (None, Decision::Hold(Hold::Busy { .. })) => {
                Some(RejectedChange { observed, axis: None, shape: None })
            }
            _ => None,
        }
    }

    /// The same outcome, with the notices to send about it. `mode` is the policy's for this target.
    #[must_use]
    pub fn with_notices(mut self, notices: Vec<Call>, mode: Mode) -> Self {
        let status = match *self.mode.get_or_insert(mode) {
            Mode::Observe => Status::DryRun,
            Mode::Act => Status::Due,
        };
        self.notices = notices.into_iter().map(|call| CallRecord::new(call, status)).collect();
        self
    }

    /// Whether the platform should deliver the event again.
    pub fn is_retryable(&self) -> bool {
        self.error.as_ref().is_some_and(Error::is_retryable)
    }
}

/// The outcomes of one payload.
#[derive(Debug, Default)]
pub struct Answer {
    /// One outcome per alarm and target, in the order in which they were handled.
    pub outcomes: Vec<Outcome>,
    /// Records of the payload that could not be read.
    pub rejected: Vec<source::Error>,
    /// Why the active alarms could not be listed, or an alarm's own name not be found.
    pub error: Option<platform::Error>,
}

/// Whether the platform accepted the change of size itself, whatever the other calls led to.
pub fn is_resize_done(calls: &[CallRecord]) -> bool {
    calls.iter().any(|call_record| call_record.status == Status::Done && call_record.call.resizes())
}
