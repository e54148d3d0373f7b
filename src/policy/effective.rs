//! The effective rules for all targets of a glob: each rule that may match there, with the settings of `[[target]]` tables.

use wildmatch::WildMatch;

use super::globs::{covers, narrower};
use super::rule::Rule;
use super::settings::Origin;
use super::target::TargetSettings;

/// The rules that match some targets of a glob, with the settings that all of those have.
pub(super) fn on(
    targets: &WildMatch,
    rules: &[Rule],
    tables: &[TargetSettings],
) -> impl Iterator<Item = Rule> {
    rules.iter().enumerate().filter_map(move |(at, rule)| {
        let targets = narrower(&rule.target, targets)?;
        let before = rules.get(..at).unwrap_or_default();
        is_reached(rule, targets, before).then(|| with_tables(rule, targets, tables))
    })
}

/// Whether an alarm may reach a rule: the rules before it do not match all of its names.
fn is_reached(rule: &Rule, targets: &WildMatch, before: &[Rule]) -> bool {
    let here = || before.iter().filter(|other| covers(&other.target, targets));
    let is_matched = |name| here().any(|other| other.alarm.iter().any(|glob| glob.covers(name)));
    !rule.alarm.iter().all(is_matched)
}

/// A rule with the settings of every table that is for a whole glob. The first table wins.
pub(super) fn with_tables(rule: &Rule, targets: &WildMatch, tables: &[TargetSettings]) -> Rule {
    let mut rule = rule.clone();
    for (i, table) in tables.iter().enumerate().rev().filter(|(_, table)| covers(&table.glob, targets)) {
        rule.apply(&table.settings, &|_| Origin::Target(i + 1, table.glob.to_string()));
    }
    rule
}
