//! What is in force on all targets of a glob: each rule that may answer there, with what tables say of them.

use wildmatch::WildMatch;

use super::globs::{covers, narrower};
use super::rule::Rule;
use super::settings::Origin;
use super::target::TargetSettings;

/// The rules that answer on some targets of a glob, as they are in force on all that are the rule's, too.
pub(crate) fn on(
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

/// Whether an alarm may come to a rule, or those before it answer all of its names.
fn is_reached(rule: &Rule, targets: &WildMatch, before: &[Rule]) -> bool {
    let here = || before.iter().filter(|other| covers(&other.target, targets));
    let is_taken = |name| here().any(|other| other.alarm.iter().any(|glob| covers(glob, name)));
    !rule.alarm.iter().all(is_taken)
}

/// A rule with what is said of every target of a glob. The first table has the last word.
pub(crate) fn with_tables(rule: &Rule, targets: &WildMatch, tables: &[TargetSettings]) -> Rule {
    let mut rule = rule.clone();
    for (i, own) in tables.iter().enumerate().rev().filter(|(_, own)| covers(&own.glob, targets)) {
        rule.is.take(&own.settings, &mut rule.origins, &|_| Origin::Target(i + 1, own.glob.to_string()));
    }
    rule
}
