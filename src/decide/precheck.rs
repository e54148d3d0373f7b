//! The guards that need no observation: an alarm that one of them blocks costs no API call.

use std::convert::Infallible;

use jiff::Timestamp;

use crate::alarm::{Alarm, Side};
use crate::policy::{MatchedRule, Policy};
use crate::size::Direction;
use crate::target::TargetId;

use super::check::{Checks, DecisionTrace};
use super::{Evaluation, Hold, UnmatchedName};

/// Runs the guards that need no observation, and matches the alarm with its rule.
pub fn precheck<'a>(
    alarm: &'a Alarm,
    target: &'a TargetId,
    policy: &'a Policy,
    now: Timestamp,
) -> Result<Evaluation<'a>, Box<DecisionTrace>> {
    let mut checks = Checks::default();
    match run(&mut checks, alarm, target, policy) {
        Ok(matched) => {
            let matched = policy.effective(matched, target, now);
            let checks = checks.into_vec();
            Ok(Evaluation { checks, ..Evaluation::new(alarm, target, matched, now) })
        }
        Err(hold) => Err(Box::new(DecisionTrace::hold(hold, checks.into_vec()))),
    }
}

/// Whether an alarm requests more capacity for any of its targets.
pub fn scales_up(alarm: &Alarm, policy: &Policy) -> bool {
    let scales_up = |matched: MatchedRule| match matched.direction() {
        Some(direction) => direction == Direction::Up,
        None => alarm.measurement.side() == Some(Side::Above),
    };
    alarm.targets.iter().filter_map(|target| policy.rule_for(&alarm.name, target)).any(scales_up)
}

/// Runs the guards in order, and records each.
pub(super) fn run<'a>(
    checks: &mut Checks,
    alarm: &Alarm,
    target: &TargetId,
    policy: &'a Policy,
) -> Result<MatchedRule<'a>, Hold> {
    not_firing(checks, alarm)?;
    muted(checks, alarm)?;
    checks.check("unknown_target", target.to_string(), None)?;
    not_allowed(checks, alarm, target, policy)?;
    no_rule(checks, alarm, target, policy)
}

/// Only a threshold that is crossed now triggers a change.
pub(super) fn not_firing(checks: &mut Checks, alarm: &Alarm) -> Result<(), Hold> {
    let transition = alarm.transition;
    let hold = (!transition.is_firing()).then_some(Hold::NotFiring(transition));
    checks.check("not_firing", transition.to_string(), hold)
}

/// An alarm whose actions are muted or suppressed changes nothing.
fn muted(checks: &mut Checks, alarm: &Alarm) -> Result<(), Hold> {
    let input = if alarm.muted { "muted" } else { "not muted" };
    checks.check("muted", input, alarm.muted.then_some(Hold::Muted))
}

/// An alarm without a known target changes nothing: this guard always blocks.
pub(super) fn unknown_target(checks: &mut Checks, alarm: &Alarm) -> Result<Infallible, Hold> {
    let unknown = &alarm.unknown_targets;
    let input = if unknown.is_empty() { "none".to_owned() } else { unknown.join(", ") };
    checks.check_result("unknown_target", input, Err(Hold::UnknownTarget))
}

/// An alarm waits while another alarm of the same event changes its deployment: this guard always blocks.
pub(super) fn superseded(checks: &mut Checks, by: &str) -> Result<Infallible, Hold> {
    checks.check_result("superseded", by, Err(Hold::Superseded { by: by.to_owned() }))
}

/// The policy's lists must include the target, and the alarm's topic and account; and the target's metric must belong to
/// that account.
fn not_allowed(checks: &mut Checks, alarm: &Alarm, target: &TargetId, policy: &Policy) -> Result<(), Hold> {
    let excluded = policy.leaves_out(alarm, target);
    let foreign = alarm.subject.foreign_account.as_deref();
    let of_foreign = || foreign.map(|account| Hold::ForeignMetric { account: account.to_owned() });
    let hold =
        excluded.map(|(list, value)| Hold::NotAllowed { list, value: value.to_owned() }).or_else(of_foreign);
    let input = match (excluded, foreign) {
        (None, None) => target.as_str(),
        (None, Some(account)) => account,
        (Some((_, "")), _) => "none",
        (Some((_, value)), _) => value,
    };
    checks.check("not_allowed", input, hold)
}

/// The first rule that matches the alarm's name and the target applies.
fn no_rule<'a>(
    checks: &mut Checks,
    alarm: &Alarm,
    target: &TargetId,
    policy: &'a Policy,
) -> Result<MatchedRule<'a>, Hold> {
    let matched = policy.rule_for(&alarm.name, target);
    let input = matched.as_ref().map_or_else(|| alarm.name.to_string(), ToString::to_string);
    checks.check_result("no_rule", input, matched.ok_or_else(|| no_rule_hold(alarm, target, policy)))
}

/// The hold of an alarm that no rule matches, with the names that one would match.
pub(super) fn no_rule_hold(alarm: &Alarm, target: &TargetId, policy: &Policy) -> Hold {
    let Alarm { name, is_titled, .. } = alarm;
    Hold::NoRule(UnmatchedName {
        name: name.to_string(),
        is_titled: *is_titled,
        globs: policy.globs_for(target, MOST_GLOBS),
    })
}

/// How many globs a hold lists: those of the built-in rules, and as many more.
const MOST_GLOBS: usize = 12;
