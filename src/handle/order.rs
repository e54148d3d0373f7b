//! The order of several alarms of one event, and which of them supersedes another about the same deployment.

use crate::decide::scales_up;
use crate::outcome::Outcome;
use crate::platform::ActiveAlarm;
use crate::policy::Policy;
use crate::size::Axis;
use crate::target::TargetId;

/// Sorts the alarms of one event: scale-up alarms first, then scale-down alarms, then pairs that do not fire.
pub(super) fn sort(alarms: &mut [ActiveAlarm], policy: &Policy) {
    alarms.sort_by_key(|active| (active.is_quiet_pair(), !scales_up(&active.alarm, policy)));
}

/// The name of the earlier alarm that supersedes this one about a target, if any does.
pub(super) fn superseded_by<'a>(
    earlier: &'a [Outcome],
    alarm: &ActiveAlarm,
    target: &TargetId,
    policy: &Policy,
) -> Option<&'a str> {
    let same_target = earlier.iter().filter(|outcome| outcome.target.as_ref() == Some(target));
    let mut superseding = same_target.filter(|outcome| supersedes(outcome, alarm, target, policy));
    superseding.next().map(|outcome| outcome.alarm.name.as_str())
}

/// Whether an alarm must wait because of an earlier one about the same deployment. A deployment changes once per event.
/// And where more capacity was needed and not provided, nothing is removed that would make the shortage worse.
fn supersedes(earlier: &Outcome, later: &ActiveAlarm, target: &TargetId, policy: &Policy) -> bool {
    if earlier.resized_or_would() {
        return true;
    }
    if later.is_quiet_pair() || !scales_up(&earlier.alarm, policy) || scales_up(&later.alarm, policy) {
        return false;
    }
    earlier.failed_to_resize()
        || (earlier.leaves_demand_unmet() && worsens_shortage(earlier, later, target, policy))
}

/// Whether a scale-down adds to the shortage that a scale-up alarm reports. Every scale-down does where instances are
/// short; where a shape or a bandwidth is, only a scale-down of the same axis does.
fn worsens_shortage(earlier: &Outcome, later: &ActiveAlarm, target: &TargetId, policy: &Policy) -> bool {
    let touches = |alarm: &str, axis: Axis| {
        policy.rule_for(alarm, target).is_some_and(|matched| matched.rule.touches(axis))
    };
    let (earlier, later) = (&earlier.alarm.name, &later.alarm.name);
    let both_touch = |axis: Axis| touches(earlier, axis) && touches(later, axis);
    touches(earlier, Axis::Instances) || both_touch(Axis::Shape) || both_touch(Axis::Bandwidth)
}
