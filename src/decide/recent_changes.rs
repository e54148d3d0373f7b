//! The changes of the last hour, as a tag of the deployment keeps them: the last one, its credit, the next entry.

use jiff::SignedDuration;

use crate::policy::Policy;
use crate::size::{Axis, Direction};
use crate::tags::{self, HOUR, RecentChange};

use super::{Context, Evaluation, SizeChange};

/// The longest time from the request for an update to its completion.
const LONGEST_UPDATE: SignedDuration = HOUR;

/// Whether changes of a deployment are recorded. They are as soon as one rule for it needs the record, because that
/// rule needs the changes that other rules make as well.
pub(crate) fn records_changes(evaluation: &Evaluation, policy: &Policy) -> bool {
    evaluation.matched.rule.records_changes() || policy.records_changes(evaluation.target)
}

impl Context<'_> {
    /// The last change, where it is on record. A change that somebody else made is on no record, and neither counts an
    /// entry whose change never completed.
    pub(super) fn last_recorded_change(&self) -> Option<RecentChange> {
        let completed = self.observed.last_change?;
        let last = tags::recent(&self.observed.tags).pop()?;
        let took = completed.duration_since(last.at);
        (SignedDuration::ZERO..=LONGEST_UPDATE).contains(&took).then_some(last)
    }

    /// How many instances were added since the scale-out cooldown began: they count toward the next step.
    pub(super) fn cooldown_credit(&self) -> i32 {
        let scaled_out =
            |last: &RecentChange| last.axis == Axis::Instances && last.direction() == Direction::Up;
        let is_cooling_down = self.cooldown_end(Direction::Up).is_some();
        let last = self.last_recorded_change().filter(|last| is_cooling_down && scaled_out(last));
        last.map_or(0, |last| last.added)
    }

    /// The value of the tag that records a change together with those before it; `None` where changes are not recorded.
    pub(crate) fn recent_changes_with(&self, change: &SizeChange) -> Option<String> {
        if !records_changes(self.evaluation, self.policy) {
            return None;
        }
        let entry = RecentChange { at: self.evaluation.now, axis: change.axis, added: self.added_by(change) };
        Some(tags::with_recent(&tags::recent(&self.observed.tags), entry))
    }

    /// How many instances a change adds, with those since the cooldown began; 1 or -1 on the other axes.
    fn added_by(&self, change: &SizeChange) -> i32 {
        let sign = if change.direction == Direction::Up { 1 } else { -1 };
        if change.axis != Axis::Instances {
            return sign;
        }
        let added = i64::from(change.to.instances) - i64::from(self.observed.size.instances);
        let added = i32::try_from(added).unwrap_or(sign);
        match change.direction {
            Direction::Up => added.saturating_add(self.cooldown_credit()),
            Direction::Down => added,
        }
    }
}
