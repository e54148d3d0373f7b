//! What every guard and the plan read: the evaluation, the observed deployment and the policy.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::deployment::{Deployment, Infeasible, ObservedAlarm};
use crate::ladder::Rung;
use crate::platform::target::{self, Target};
use crate::policy::{EffectiveSettings, LONGEST_CAPACITY_BACKOFF, NativeAutoscaling, Policy, Rule};
use crate::size::{Axis, Bounds, Direction};

use super::check::Checks;
use super::{Check, Evaluation, Hold, SizeChange};

/// Everything that a decision depends on, and the checks so far.
pub(crate) struct Context<'a> {
    /// The alarm, the target and the rule.
    pub(crate) evaluation: &'a Evaluation<'a>,
    /// The deployment as it was observed.
    pub(crate) observed: &'a Deployment,
    /// The policy.
    pub(crate) policy: &'a Policy,
    /// The target's row in the platform's table; `None` where no platform has such targets.
    pub(crate) target: Option<&'a Target>,
    /// The checks so far.
    checks: Checks,
}

impl<'a> Context<'a> {
    /// A context without any check.
    pub(crate) fn new(evaluation: &'a Evaluation<'a>, observed: &'a Deployment, policy: &'a Policy) -> Self {
        let target = target::of(evaluation.target.kind());
        Self { evaluation, observed, policy, target, checks: Checks::default() }
    }

    /// The same context without any check, to try what a policy would propose.
    pub(super) fn without_checks(&self) -> Self {
        Self::new(self.evaluation, self.observed, self.policy)
    }

    /// Records a check that blocks if there is a hold.
    pub(super) fn check(
        &mut self,
        guard: &'static str,
        input: impl Into<String>,
        hold: Option<Hold>,
    ) -> Result<(), Hold> {
        self.checks.check(guard, input, hold)
    }

    /// Records a check that passes on what it found, or blocks.
    pub(super) fn check_result<T>(
        &mut self,
        guard: &'static str,
        input: impl Into<String>,
        result: Result<T, Hold>,
    ) -> Result<T, Hold> {
        self.checks.check_result(guard, input, result)
    }

    /// The checks, in the order in which they ran.
    pub(super) fn into_checks(self) -> Vec<Check> {
        self.checks.into_vec()
    }

    /// The rule that applies.
    pub(crate) fn rule(&self) -> &'a Rule {
        &self.evaluation.matched.rule
    }

    /// The rule's settings, as they are effective for this target now.
    pub(crate) fn settings(&self) -> &'a EffectiveSettings {
        &self.rule().is
    }

    /// The rung of the observed shape; `None` where no ladder has it.
    pub(super) fn observed_rung(&self) -> Option<Cow<'a, Rung>> {
        self.policy.ladders.rung(&self.observed.size.rung())
    }

    /// The bounds of the count: the policy's, intersected with the platform's own.
    pub(super) fn instance_bounds(&self) -> Bounds {
        self.settings().instances.intersect(self.observed.bounds)
    }

    /// The floor of the count, where fewer instances run and the alarm requests more.
    pub(super) fn missing_to_floor(&self) -> Option<u32> {
        let Bounds { min, max } = self.instance_bounds();
        let directions = [self.evaluation.matched.direction(), self.alarm_direction()];
        let requests_more = directions.contains(&Some(Direction::Up));
        let requests_less = directions.contains(&Some(Direction::Down));
        let is_missing = self.observed.size.instances < min && min <= max;
        (is_missing && requests_more && !requests_less).then_some(min)
    }

    /// The count at which the paired alarm has nothing left to remove: the lowest floor of any schedule. A floor that
    /// a schedule raised leaves its instances behind when the schedule ends, and they need the pair.
    pub(crate) fn lowest_floor(&self) -> u32 {
        let settings = self.settings();
        let lowest = settings.lowest.unwrap_or(settings.instances.min);
        self.observed.bounds.map_or(lowest, |bounds| lowest.max(bounds.min))
    }

    /// The shape's entry among those that the platform refused lately; `None` where it may be requested. An entry that
    /// lasts longer than any policy lets it is not stepladder's own.
    pub(super) fn refused(&self, shape: &str) -> Option<&'a Infeasible> {
        let now = self.evaluation.now;
        let is_current =
            |until: Timestamp| until > now && until.duration_since(now) <= LONGEST_CAPACITY_BACKOFF;
        self.observed.infeasible.iter().find(|known| known.shape == shape && is_current(known.until))
    }

    /// Whether native autoscaling of an axis is suspended for a change.
    pub(super) fn suspends_native(&self, axis: Axis) -> bool {
        let suspend = self.settings().native_autoscaling == NativeAutoscaling::Suspend;
        suspend && self.observed.owners.get(&axis).is_some_and(|owner| owner.can_be_suspended)
    }

    /// Whether native autoscaling of an axis may be suspended. Only the scheduled reconcile resumes it for certain,
    /// and that finds the deployment through its pair and the alarm action.
    pub(super) fn may_suspend_native(&self, axis: Axis) -> bool {
        self.suspends_native(axis) && self.rule().pair.is_some() && self.policy.alarm_action.is_some()
    }

    /// Whether the rule has a paired alarm that stepladder writes. A pair that is only verified is never written.
    pub(crate) fn writes_pair(&self) -> bool {
        self.rule().pair.is_some() && self.target.is_none_or(|target| target.pair.is_written())
    }

    /// Whether the paired alarm must be written before a change. Capacity that is added needs an alarm that removes
    /// it, and a suspended owner needs one that resumes it.
    pub(crate) fn needs_written_pair(&self, change: &SizeChange) -> bool {
        self.writes_pair() && (change.direction == Direction::Up || self.suspends_native(change.axis))
    }

    /// The paired alarm, where stepladder wrote it.
    pub(crate) fn written_pair(&self) -> Option<&'a ObservedAlarm> {
        self.observed.pair.as_ref().filter(|alarm| alarm.ours)
    }

    /// The alarm that has the paired alarm's name and that stepladder did not make.
    pub(crate) fn foreign_pair(&self) -> Option<&'a ObservedAlarm> {
        self.observed.pair.as_ref().filter(|alarm| !alarm.ours)
    }

    /// What the paired alarm notifies: the policy's alarm action, else what the pair notifies already, else what the
    /// alarm that fired notifies according to its own service. A payload's own claim never counts.
    pub(crate) fn pair_notifies(&self) -> Vec<String> {
        if let Some(action) = &self.policy.alarm_action {
            return vec![action.clone()];
        }
        let alarms = [self.written_pair(), self.observed.alarm.as_ref()].into_iter().flatten();
        let mut notified = alarms.map(|alarm| &alarm.notifies);
        notified.find(|notified| !notified.is_empty()).cloned().unwrap_or_default()
    }
}
