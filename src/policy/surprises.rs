//! What works in a policy and still surprises: `stepladder policy check` warns of it, too.

use std::collections::BTreeSet;

use super::Policy;
use super::globs::may_meet;
use super::rule::Rule;
use crate::pair::Pair;
use crate::platform::{ProvisionTable, target};
use crate::scaling::ScalingPolicy;

impl Policy {
    /// Warnings, one sentence each.
    pub(super) fn surprises(&self) -> Vec<String> {
        let own = self.rules.get(..self.own_rules).unwrap_or_default();
        let of_rules = own.iter().filter_map(|rule| {
            of_unpublished_pair(rule).map(|warning| format!("{}: {warning}", rule.origin))
        });
        of_rules.chain(self.of_provisioned_alarms()).collect()
    }

    /// Alarms to provision whose numbers a rule with `steps` cannot use. Each is named once, for all its deployments.
    fn of_provisioned_alarms(&self) -> BTreeSet<String> {
        let alarms = self.provision.iter().flat_map(ProvisionTable::alarms_off_the_mean);
        let warnings = alarms.filter_map(|alarm| {
            let matched = self.rule_for(&alarm.name, &alarm.target)?;
            matches!(matched.rule.scaling_policy, ScalingPolicy::Steps(_)).then(|| {
                format!(
                    "alarm `{}` takes `{}` of `{}`, and {} has `steps`, which need the mean: every such alarm would hold \
                     with `no_data`; expected `statistic = \"mean\"`",
                    alarm.name, alarm.statistic, alarm.metric, matched.rule.origin
                )
            })
        });
        warnings.collect()
    }
}

/// A pair on a metric that no target of the rule publishes, so that it never fires.
fn of_unpublished_pair(rule: &Rule) -> Option<String> {
    let Pair { metric, .. } = rule.pair.as_ref()?;
    let glob = rule.target.to_string();
    let mut matched = target::all().filter(|row| may_meet(&glob, row.ids)).peekable();
    matched.peek()?;
    let is_published = matched.any(|row| row.metric(metric).is_some());
    (!is_published).then(|| {
        format!(
            "`pair.metric = \"{metric}\"` is not published for any target that `{glob}` matches, so the rule adds nothing: \
             its pair could never fire"
        )
    })
}
