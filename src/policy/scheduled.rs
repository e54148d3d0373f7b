//! What brings a count to a scheduled minimum at its time: an alarm of its own name, and the rule that answers it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;

use super::rule::{MatchedRule, Role, Rule};
use super::{Policy, Schedule, globs};
use crate::alarm::SCHEDULE_ALARM;
use crate::platform::{self, ProvisionTable};
use crate::scaling::ScalingPolicy;
use crate::size::{Axis, Direction};
use crate::target::TargetId;

impl Policy {
    /// The targets that the policy names, and whose count an active schedule raises. What a glob matches is unknown
    /// before an alarm names it.
    pub fn scheduled_targets(&self, now: Timestamp) -> BTreeSet<TargetId> {
        let raises = |target: &TargetId| {
            self.schedules.iter().any(|schedule| schedule.min.is_some() && schedule.is_active(target, now))
        };
        let of_schedules = self.schedules.iter().map(Schedule::target);
        let of_tables = self.targets.iter().map(|table| &table.glob);
        let own_rules = self.rules.iter().take(self.own_rules).map(|rule| &rule.target);
        let globs = of_schedules.chain(of_tables).chain(own_rules).chain(self.lists.targets());
        let named = globs.filter(|glob| globs::is_exact(glob)).map(ToString::to_string);
        let named = named.filter_map(|id| platform::target_id(&id));
        let provisioned = self.provision.iter().flat_map(ProvisionTable::targets);
        named.chain(provisioned).filter(|target| self.allows(target) && raises(target)).collect()
    }

    /// The rule for the alarm that requests a schedule's floor: the first rule that adds instances to the target, with
    /// its settings and its pair, and without a step of its own.
    pub(super) fn schedule_rule(&self, target: &TargetId) -> Option<MatchedRule<'_>> {
        let adds_instances = |rule: &&Rule| {
            let is_up = rule.scaling_policy.direction() != Some(Direction::Down);
            rule.is_for(target) && rule.axis == Axis::Instances && is_up
        };
        let rule = self.rules.iter().find(adds_instances)?;
        let rule = Cow::Owned(Rule { scaling_policy: ScalingPolicy::Step(1), ..rule.clone() });
        Some(MatchedRule { rule, role: Role::Schedule, by: SCHEDULE_ALARM.to_owned() })
    }
}
