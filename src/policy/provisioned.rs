//! The alarms of a platform's table beside the rules that must match them.

use wildmatch::WildMatch;

use super::flap::{self, THRESHOLD};
use super::rule::Rule;
use super::{Policy, effective};
use crate::document::{Fault, Faults};
use crate::ladder::Resource;
use crate::pair::Pair;
use crate::platform::{ProvisionTable, ScaleUpAlarm, WrittenTable};
use crate::size::{Axis, Direction};
use crate::text::number;

/// Refuses an alarm that no rule matches, that would scale down, or that a pair would undo. An alarm for one axis alone is
/// left out where no rule of the file changes that.
pub(super) fn checked(written: WrittenTable, policy: &Policy) -> Result<ProvisionTable, Faults> {
    let WrittenTable { table, alarms, .. } = written;
    let is_kept = |alarm: &ScaleUpAlarm| alarm.only_for.is_none_or(|axis| has_own_rule(alarm, axis, policy));
    let kept: Vec<bool> = alarms.iter().map(is_kept).collect();
    let mut faults = Faults::default();
    for (alarm, _) in alarms.iter().zip(&kept).filter(|(_, kept)| **kept) {
        faults.note(check(alarm, policy));
    }
    faults.into_result()?;
    let destinations = policy.notify.iter().map(|notify| &notify.to);
    let is_scheduled = |target: &_| policy.schedules.iter().any(|schedule| schedule.floor(target).is_some());
    Ok(table.with_alarms(&kept).with_schedules(&is_scheduled).with_destinations(destinations))
}

/// Whether the rule for an alarm is in the file and changes an axis.
fn has_own_rule(alarm: &ScaleUpAlarm, axis: Axis, policy: &Policy) -> bool {
    let matched = policy.rule_for(&alarm.name, &alarm.target).filter(|matched| matched.rule.axis == axis);
    matched.is_some_and(|matched| policy.is_own(&matched.rule))
}

/// An alarm that no rule matches changes nothing.
fn check(alarm: &ScaleUpAlarm, policy: &Policy) -> Result<(), Fault> {
    let ScaleUpAlarm { name, target, .. } = alarm;
    let wrong_name = |problem: String| Err(alarm.fault("name", problem));
    if !policy.allows(target) {
        return wrong_name(format!("`{name}` would change nothing: `targets` leaves out `{target}`"));
    }
    let Some(matched) = policy.rule_for(name, target) else {
        return wrong_name(format!(
            "`{name}` would change nothing: no rule answers an alarm of this name on `{target}`; \
             expected a rule with such a glob in `alarm`, or another `name`"
        ));
    };
    if matched.direction() == Some(Direction::Down) {
        return wrong_name(format!(
            "`{name}` would fire under load and remove capacity: {matched}; expected a rule that adds"
        ));
    }
    match &matched.rule.pair {
        Some(pair) if alarm.keeps_range && alarm.metric.eq_ignore_ascii_case(&pair.metric) => {
            check_apart(alarm, pair)?;
            check_flapping(alarm, &matched.rule, policy)
        }
        Some(_) | None => Ok(()),
    }
}

/// Refuses a threshold that is not above that of the pair: both alarms would fire at once.
fn check_apart(alarm: &ScaleUpAlarm, pair: &Pair) -> Result<(), Fault> {
    let (threshold, Pair { alarm: low, below, .. }) = (alarm.threshold, pair);
    if threshold > *below {
        return Ok(());
    }
    let (threshold, below) = (number(threshold), number(*below));
    let problem = format!(
        "`{THRESHOLD} = {threshold}`: the paired alarm `{low}` fires below {below}, so between {threshold} and {below} both would \
         fire, and the size would change up and down for ever; expected more than {below}, or a rule whose pair has a lower `below`"
    );
    Err(alarm.fault(THRESHOLD, problem))
}

/// Refuses a threshold at which the alarm undoes a step down of the pair, at any hour. The alarm's own threshold counts,
/// not that of the rule. Nothing is known of a metric that is no utilization.
fn check_flapping(alarm: &ScaleUpAlarm, rule: &Rule, policy: &Policy) -> Result<(), Fault> {
    if Resource::of(&alarm.metric).is_none() {
        return Ok(());
    }
    let target = WildMatch::new(alarm.target.as_str());
    let mut usual = effective::with_tables(rule, &target, &policy.targets);
    usual.is.scale_up_threshold = Some(alarm.threshold);
    let schedules = policy.schedules.iter().filter(|schedule| schedule.is_for(&alarm.target));
    let check = |at_a_time: &Rule| {
        let ladders = policy.ladders.iter().take(policy.own_ladders).filter(|_| policy.is_own(rule));
        flap::check(at_a_time, ladders, THRESHOLD).map_err(|fault| {
            let problem =
                format!("`{THRESHOLD} = {}` is too low for {}", number(alarm.threshold), rule.name());
            alarm.fault(THRESHOLD, format!("{problem}: {}", fault.message()))
        })
    };
    check(&usual)?;
    schedules.map(|schedule| schedule.during(&usual)).try_for_each(|rule| check(&rule))
}
