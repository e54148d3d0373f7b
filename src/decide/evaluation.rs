//! One evaluation: one alarm about one target, the rule that applies, and the time.

use jiff::Timestamp;

use crate::alarm::{Alarm, Side};
use crate::pair::is_pair_name;
use crate::platform::ObserveRequest;
use crate::policy::tags::{self, Pause, UnreadableTag};
use crate::policy::{MatchedRule, Mode, NativeAutoscaling, Origin, Policy, Role};
use crate::size::{Axis, Direction};
use crate::tags::Tags;
use crate::target::TargetId;

use super::check::Checks;
use super::{Check, Decision, Hold, precheck};

/// One alarm about one target, and the rule that applies to it now.
#[derive(Debug, Clone)]
pub struct Evaluation<'a> {
    /// The alarm.
    pub alarm: &'a Alarm,
    /// The deployment that the alarm is about.
    pub target: &'a TargetId,
    /// The rule, with the settings that the policy has for this target and this time.
    pub matched: MatchedRule<'a>,
    /// The pause that the deployment's tags set; `None` until they are read.
    pub pause: Option<Pause>,
    /// The deployment's tag that cannot be read; `None` until the tags are read.
    pub unreadable_tag: Option<UnreadableTag>,
    /// The current time.
    pub now: Timestamp,
    /// The checks that ran before the observation.
    pub checks: Vec<Check>,
}

impl<'a> Evaluation<'a> {
    /// An evaluation before any check and any observation.
    pub fn new(alarm: &'a Alarm, target: &'a TargetId, matched: MatchedRule<'a>, now: Timestamp) -> Self {
        Self { alarm, target, matched, pause: None, unreadable_tag: None, now, checks: Vec::new() }
    }

    /// An evaluation that repairs the paired alarm of a target, although the alarm does not fire or no rule matches
    /// it any more. `None` where the policy excludes the target.
    pub fn for_repair(
        alarm: &'a Alarm,
        target: &'a TargetId,
        policy: &'a Policy,
        now: Timestamp,
    ) -> Option<Self> {
        if !policy.allows(target) {
            return None;
        }
        let mut checks = Checks::default();
        // A repair goes on after this check blocks: `decide` holds with the same reason.
        let _ = precheck::not_firing(&mut checks, alarm);
        let matched = policy.rule_for(&alarm.name, target).unwrap_or_else(|| policy.reconcile_only());
        let matched = policy.effective(matched, target, now);
        Some(Self { checks: checks.into_vec(), ..Self::new(alarm, target, matched, now) })
    }

    /// The same evaluation, narrowed by the settings that the deployment's own tags have.
    #[must_use]
    pub fn with_tags(&self, tags: &Tags) -> Self {
        let mut evaluation = self.clone();
        match tags::read(tags) {
            Ok(read) => {
                evaluation.pause = read.pause;
                evaluation.matched.narrow(&read.settings, &|key| Origin::Tag(tags::tag_of(key, tags)));
            }
            Err(unreadable) => evaluation.unreadable_tag = Some(unreadable),
        }
        evaluation
    }

    /// What the platform must observe for this evaluation.
    pub fn request(&self) -> ObserveRequest<'_> {
        let rule = &self.matched.rule;
        ObserveRequest {
            alarm: self.alarm,
            target: self.target,
            pair: rule.pair.as_ref(),
            axis: rule.axis,
            changes_shape: rule.touches(Axis::Shape),
            suspends_native: rule.is.native_autoscaling == NativeAutoscaling::Suspend,
            direction: self.matched.direction(),
            metrics: self.metrics_to_read(),
            capacity_backoff: rule.is.capacity_backoff,
            now: self.now,
        }
    }

    /// Whether calls are sent: the target's own mode, or else the policy's.
    pub fn mode(&self, policy: &Policy) -> Mode {
        self.matched.rule.is.mode.unwrap_or(policy.mode)
    }

    /// Whether a decision allows no call at all, not even a repair: it holds because of a pause, an operator pauses
    /// both directions, or a tag cannot be read.
    pub fn forbids_calls(&self, decision: &Decision) -> bool {
        let pauses = |direction| self.pause.as_ref().is_some_and(|pause| pause.stops(direction, self.now));
        let is_paused = matches!(decision, Decision::Hold(Hold::Paused { .. }));
        is_paused || self.unreadable_tag.is_some() || (pauses(Direction::Up) && pauses(Direction::Down))
    }

    /// Whether no rule matches, so that earlier changes are completed and nothing else changes.
    pub fn has_no_rule(&self) -> bool {
        self.matched.role == Role::ReconcileOnly
    }

    /// Whether the alarm is a paired alarm that stepladder wrote. Such an alarm removes only what a rule added;
    /// other scale-down alarms go down to the policy's own floor.
    pub(super) fn is_from_written_pair(&self) -> bool {
        self.matched.rule.pair.is_some() && is_pair_name(&self.alarm.name, self.target)
    }

    /// The direction that the alarm itself requests: an alarm that fires above its threshold requests more capacity.
    /// `None` where the alarm does not report its side.
    pub(super) fn alarm_direction(&self) -> Option<Direction> {
        match self.matched.role {
            Role::Pair | Role::Schedule => self.matched.direction(),
            Role::Rule | Role::ReconcileOnly => self.compared_direction(),
        }
    }

    /// The direction that the alarm's own comparison requests, whatever rule matches its name.
    pub(super) fn compared_direction(&self) -> Option<Direction> {
        self.alarm.measurement.side().map(direction_of)
    }

    /// Whether the alarm can lead to more capacity, which then needs the paired alarm.
    pub(crate) fn may_scale_up(&self) -> bool {
        !self.has_no_rule() && self.likely_direction() != Some(Direction::Down)
    }

    /// The direction of the change as far as it is known before the observation: the rule's, or else the alarm's.
    pub(super) fn likely_direction(&self) -> Option<Direction> {
        self.matched.direction().or_else(|| self.alarm_direction())
    }
}

/// The direction that an alarm requests which fires on this side of its threshold.
pub(super) fn direction_of(side: Side) -> Direction {
    match side {
        Side::Above => Direction::Up,
        Side::Below => Direction::Down,
    }
}
