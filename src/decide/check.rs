//! Records how a decision came about: every check, in order.

use crate::alarm::Alarm;
use crate::policy::Policy;
use crate::size::{Direction, Size};
use crate::target::TargetId;

use super::{Decision, Hold, SizeChange, precheck};

/// What one guard checked, and whether it blocked.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// The guard's name, which is the hold reason that it gives.
    pub guard: &'static str,
    /// Whether the guard blocked the resize.
    pub blocked: bool,
    /// What the guard read, in words.
    pub input: String,
}

/// A decision, and every check that led to it.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionTrace {
    /// The decision.
    pub decision: Decision,
    /// The checks, in the order in which they ran.
    pub checks: Vec<Check>,
    /// The direction of a resize; `None` for a hold.
    pub direction: Option<Direction>,
}

impl DecisionTrace {
    /// A decision to change nothing.
    pub fn hold(hold: Hold, checks: Vec<Check>) -> Self {
        Self { decision: Decision::Hold(hold), checks, direction: None }
    }

    /// A decision to change the observed size.
    pub(super) fn resize(from: Size, change: SizeChange, checks: Vec<Check>) -> Self {
        let SizeChange { axis, direction, to } = change;
        Self { decision: Decision::Resize { axis, from, to }, checks, direction: Some(direction) }
    }

    /// The hold for a reason that came up outside the guards. The checks that passed before it stay; the reason itself
    /// is the last one, and the only one that blocks.
    pub(crate) fn held_by(hold: Hold, input: impl Into<String>, mut checks: Vec<Check>) -> Self {
        checks.retain(|check| !check.blocked);
        record(&mut checks, Check { guard: hold.reason(), blocked: true, input: input.into() });
        Self::hold(hold, checks)
    }

    /// The hold of an alarm whose deployment another alarm of the same event already changes. A reason that the alarm
    /// itself gives comes first: an alarm that would not be answered anyway is not waiting for another one.
    pub fn superseded(alarm: &Alarm, target: &TargetId, policy: &Policy, by: &str) -> Self {
        let mut checks = Checks::default();
        let Err(hold) = precheck::run(&mut checks, alarm, target, policy)
            .and_then(|_| precheck::superseded(&mut checks, by));
        Self::hold(hold, checks.into_vec())
    }

    /// The hold of an alarm that names no known target. An alarm that does not fire holds as `not_firing`.
    pub fn unknown_target(alarm: &Alarm) -> Self {
        let mut checks = Checks::default();
        let Err(hold) = precheck::not_firing(&mut checks, alarm)
            .and_then(|()| precheck::unknown_target(&mut checks, alarm));
        Self::hold(hold, checks.into_vec())
    }

    /// The change of size, where there is one.
    pub(crate) fn size_change(&self) -> Option<SizeChange> {
        match (&self.decision, self.direction) {
            (Decision::Resize { axis, to, .. }, Some(direction)) => {
                Some(SizeChange { axis: *axis, direction, to: to.clone() })
            }
            (Decision::Resize { .. }, None) | (Decision::Hold(_), _) => None,
        }
    }
}

/// Adds a check to a list in which each guard has one. A guard that runs again keeps its place. Where it blocks, it
/// ends the list there: the checks after it were for a change that is not made.
fn record(checks: &mut Vec<Check>, check: Check) {
    match checks.iter().position(|earlier| earlier.guard == check.guard) {
        Some(place) if check.blocked => {
            checks.truncate(place);
            checks.push(check);
        }
        Some(place) => {
            if let Some(earlier) = checks.get_mut(place) {
                *earlier = check;
            }
        }
        None => checks.push(check),
    }
}

/// The checks so far. A check that blocks ends the list.
#[derive(Debug, Clone, Default)]
pub(super) struct Checks(Vec<Check>);

impl Checks {
    /// Records a check that blocks if there is a hold.
    pub(super) fn check(
        &mut self,
        guard: &'static str,
        input: impl Into<String>,
        hold: Option<Hold>,
    ) -> Result<(), Hold> {
        self.check_result(guard, input, hold.map_or(Ok(()), Err))
    }

    /// Records a check that passes on what it found, or blocks.
    pub(super) fn check_result<T>(
        &mut self,
        guard: &'static str,
        input: impl Into<String>,
        result: Result<T, Hold>,
    ) -> Result<T, Hold> {
        record(&mut self.0, Check { guard, blocked: result.is_err(), input: input.into() });
        result
    }

    /// The checks, in the order in which they ran.
    pub(super) fn into_vec(self) -> Vec<Check> {
        self.0
    }
}
