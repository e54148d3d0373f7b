//! Application Auto Scaling: suspended for a change of type, because a registered variant must keep its type.
//!
//! The variant is deregistered for the change. Afterwards its bounds, policies, scheduled actions and alarms are
//! restored. They are written into the endpoint's tags before it is deregistered, so that no crash loses them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::configuration::MOST_OTHER_TAGS;
use super::suspended::{SUSPENDED_TAG, SuspendedTarget, is_suspended, keys, text};
use crate::deployment::{Owner, SuspendedScaling};
use crate::platform::aws::call::Call;
use crate::platform::aws::variant::{Endpoint, NativeScaling};
use crate::size::{Axis, Bounds};
use crate::tags::Tags;
use crate::target::TargetId;

/// The calls that restore the suspended scaling of a settled endpoint.
#[derive(Debug, Default)]
pub(super) struct Restoration {
    pub(super) calls: Vec<Call>,
    pub(super) notes: Vec<String>,
    /// Whether more is left to restore after these calls.
    pub(super) is_incomplete: bool,
}

/// The other owners of a variant's axes.
pub fn owners(native: &NativeScaling, tags: &Tags, target: &TargetId) -> BTreeMap<Axis, Owner> {
    let mut owners = BTreeMap::new();
    if let Some(policy) = native.policies.first() {
        let who = format!("the scaling policy `{}` of Application Auto Scaling", text(policy, "PolicyName"));
        owners.insert(Axis::Instances, Owner { who, can_be_suspended: false });
    }
    if is_suspended(tags, target) {
        let who = format!("Application Auto Scaling, whose settings the tags `{SUSPENDED_TAG}…` hold");
        let owner = Owner { who, can_be_suspended: false };
        owners.extend([(Axis::Shape, owner.clone()), (Axis::Instances, owner)]);
    } else if native.target.is_some() {
        let who = "Application Auto Scaling, where the variant is registered".to_owned();
        let fits = |suspended_tags: &Tags| tags.len() + suspended_tags.len() <= MOST_OTHER_TAGS;
        let can_be_suspended = suspended_tags(native, target).as_ref().is_some_and(fits);
        owners.insert(Axis::Shape, Owner { who, can_be_suspended });
    }
    owners
}

/// The bounds of the scalable target. Application Auto Scaling corrects a count outside of them at once.
pub fn bounds(native: &NativeScaling) -> Option<Bounds> {
    let target = native.target.as_ref()?;
    let number = |field: &str| u32::try_from(target.get(field)?.as_u64()?).ok();
    Some(Bounds { min: number("MinCapacity")?, max: number("MaxCapacity")? })
}

/// The directions in which scaling of the count is suspended.
pub fn pauses(native: &NativeScaling) -> Vec<SuspendedScaling> {
    let suspended = |direction: &str| {
        let target = native.target.as_ref();
        target.and_then(|target| target.pointer(&format!("/SuspendedState/{direction}"))?.as_bool())
    };
    let up = suspended("DynamicScalingOutSuspended").unwrap_or_default();
    let down = suspended("DynamicScalingInSuspended").unwrap_or_default();
    let by = "the scalable target's suspended state".to_owned();
    if up || down { vec![SuspendedScaling { axis: Axis::Instances, up, down, by }] } else { Vec::new() }
}

/// The tags that save the scaling to be suspended; `None` if it does not fit into tags, or there is none.
pub(super) fn suspended_tags(native: &NativeScaling, target: &TargetId) -> Option<Tags> {
    SuspendedTarget::of(native, target)?.tags(target)
}

/// A note with the suspended scaling in one line. It goes to the log, in case somebody removes the tags.
pub(super) fn suspended_note(native: &NativeScaling, target: &TargetId) -> Option<String> {
    let suspended = SuspendedTarget::of(native, target)?;
    Some(format!("suspended: {}", serde_json::to_string(&suspended).ok()?))
}

/// Restores what is missing of the suspended scaling, and repoints alarms to restored policies. The tags are removed
/// when nothing is missing. What the tags hold counts only where the policy suspends native scaling, and only if
/// stepladder could have written it for this variant: anybody who may tag the endpoint could have written it, too.
pub(super) fn restore(
    endpoint: &Endpoint,
    target: &TargetId,
    suspends_native: bool,
    now: Timestamp,
) -> Restoration {
    let Endpoint { arn, tags, native, .. } = endpoint;
    if !is_suspended(tags, target) {
        return Restoration::default();
    }
    if !suspends_native {
        return ignored(
            "nothing in the policy suspends native scaling here (`native_autoscaling = \"suspend\"`)",
        );
    }
    let Some(suspended) = SuspendedTarget::read(tags, target) else {
        return ignored("they hold no record that stepladder writes for this variant");
    };
    let missing = missing(&suspended, native, now);
    let is_incomplete = !missing.is_empty();
    // Alarms of existing policies come before missing policies and actions: a refused one must not delay them.
    let (registration, rest): (Vec<Call>, Vec<Call>) =
        missing.into_iter().partition(|call| matches!(call, Call::RegisterScalableTarget { .. }));
    let mut calls = [registration, repoint_calls(&suspended, native), rest].concat();
    if !is_incomplete {
        calls.push(Call::DeleteTags { arn: arn.clone(), keys: keys(tags, target) });
    }
    Restoration { calls, notes: Vec::new(), is_incomplete }
}

/// A note instead of calls.
fn ignored(why: &str) -> Restoration {
    let note = format!(
        "what the tags `{SUSPENDED_TAG}…` hold is not restored: {why}; restore the scaling by hand where it is missing, \
         and remove the tags"
    );
    Restoration { notes: vec![note], ..Restoration::default() }
}

fn missing(suspended: &SuspendedTarget, native: &NativeScaling, now: Timestamp) -> Vec<Call> {
    let exists = |existing: &[Value], field: &str, wanted: &Value| {
        existing.iter().any(|one| text(one, field) == text(wanted, field))
    };
    let mut calls = Vec::new();
    if native.target.is_none() {
        calls.push(Call::RegisterScalableTarget { body: suspended.target.clone() });
    }
    let policies = suspended.policies.iter().map(|policy| &policy.request);
    for body in policies.filter(|policy| !exists(&native.policies, "PolicyName", policy)) {
        calls.push(Call::PutScalingPolicy { body: body.clone() });
    }
    let scheduled = suspended.scheduled.iter().filter(|action| !is_over(action, now));
    for body in scheduled.filter(|action| !exists(&native.scheduled, "ScheduledActionName", action)) {
        calls.push(Call::PutScheduledAction { body: without_past_start(body.clone(), now) });
    }
    calls
}

/// The action without a start time in the past, which has no effect and might be refused.
fn without_past_start(mut action: Value, now: Timestamp) -> Value {
    let has_started =
        action.get("StartTime").and_then(Value::as_f64).is_some_and(|start| start <= seconds(now));
    if let Value::Object(members) = &mut action
        && has_started
    {
        members.remove("StartTime");
    }
    action
}

/// Whether a scheduled action has expired. The service deletes an action after its only run or its end time, and
/// refuses to create it again.
/// See <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScheduledAction.html>.
fn is_over(action: &Value, now: Timestamp) -> bool {
    let ended = action.get("EndTime").and_then(Value::as_f64).is_some_and(|end| end <= seconds(now));
    let once = text(action, "Schedule").strip_prefix("at(").and_then(|rest| rest.strip_suffix(')'));
    let zone = action.get("Timezone").and_then(Value::as_str).unwrap_or("UTC");
    // Another time zone may differ by up to a day. Restoring an expired action is harmless; losing one is not.
    let slack = SignedDuration::from_hours(if zone == "UTC" { 0 } else { 24 });
    let at = once.and_then(|time| format!("{time}Z").parse::<Timestamp>().ok());
    ended || at.is_some_and(|at| at.checked_add(slack).is_ok_and(|at| at <= now))
}

#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
fn seconds(now: Timestamp) -> f64 {
    now.as_second() as f64
}

fn repoint_calls(suspended: &SuspendedTarget, native: &NativeScaling) -> Vec<Call> {
    let mut calls = Vec::new();
    for policy in &suspended.policies {
        let name = text(&policy.request, "PolicyName");
        let now = native.policies.iter().find(|one| text(one, "PolicyName") == name);
        let Some(to) = now.map(|now| text(now, "PolicyARN")).filter(|to| *to != policy.arn) else { continue };
        calls.extend(policy.alarms.iter().map(|alarm| Call::RepointAlarm {
            name: alarm.name.clone(),
            on: alarm.on.clone(),
            from: policy.arn.clone(),
            to: to.to_owned(),
        }));
    }
    calls
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::platform::aws::id;
    use crate::platform::aws::variant::suspended::CHUNK;

    const RESOURCE: &str = "endpoint/e/variant/v";
    const OLD: &str = "arn:aws:autoscaling:us-east-1:111122223333:scalingPolicy:old:resource/sagemaker/endpoint/e/variant/v:policyName/step";

    fn target() -> TargetId {
        id::variant("e", "v").unwrap()
    }

    fn suspended_tags(native: &NativeScaling) -> Option<Tags> {
        super::suspended_tags(native, &target())
    }

    fn native() -> NativeScaling {
        NativeScaling {
            target: Some(json!({
                "ResourceId": RESOURCE, "MinCapacity": 1, "MaxCapacity": 4,
                "RoleARN": "arn:role", "CreationTime": 1.5, "ScalableTargetARN": "arn:target",
                "SuspendedState": { "DynamicScalingInSuspended": true },
            })),
            policies: vec![json!({
                "PolicyName": "step", "PolicyARN": OLD, "PolicyType": "StepScaling", "CreationTime": 2.0,
                "ResourceId": RESOURCE,
                "Alarms": [{ "AlarmName": "busy", "On": ["AlarmActions"] }],
            })],
            scheduled: vec![
                json!({ "ScheduledActionName": "night", "ScheduledActionARN": "arn:night", "ResourceId": RESOURCE }),
            ],
        }
    }

    fn read(tags: &Tags) -> SuspendedTarget {
        SuspendedTarget::read(tags, &target()).unwrap()
    }

    fn second(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn operations(restoration: &Restoration) -> Vec<&'static str> {
        restoration.calls.iter().map(Call::operation).collect()
    }

    fn restore(native: &NativeScaling, tags: &Tags) -> Restoration {
        restore_where(true, native, tags)
    }

    fn restore_where(suspends_native: bool, native: &NativeScaling, tags: &Tags) -> Restoration {
        let (native, tags) = (native.clone(), tags.clone());
        let endpoint = Endpoint { tags, native, ..Endpoint::default() };
        super::restore(&endpoint, &target(), suspends_native, second(1_000))
    }

    #[test]
    fn suspended_scaling_is_restored_piece_by_piece() {
        let tags = suspended_tags(&native()).unwrap();
        let nothing = restore(&NativeScaling::default(), &tags);
        let all = ["aws:RegisterScalableTarget", "aws:PutScalingPolicy", "aws:PutScheduledAction"];
        assert_eq!((operations(&nothing), nothing.is_incomplete), (all.to_vec(), true));
        let Call::RegisterScalableTarget { body } = &nothing.calls[0] else { panic!("{nothing:?}") };
        let expected = json!({ "ResourceId": "endpoint/e/variant/v", "MinCapacity": 1, "MaxCapacity": 4,
            "SuspendedState": { "DynamicScalingInSuspended": true } });
        assert_eq!(*body, expected);
        // cut short after the first
        let part = restore(&NativeScaling { target: native().target, ..NativeScaling::default() }, &tags);
        assert_eq!((operations(&part), part.is_incomplete), (all[1..].to_vec(), true));
        // everything exists: the alarms follow, and the tags are removed
        let mut back = native();
        back.policies[0]["PolicyARN"] = json!("new");
        let done = restore(&back, &tags);
        assert_eq!(
            (operations(&done), done.is_incomplete),
            (vec!["aws:PutMetricAlarm", "aws:DeleteTags"], false)
        );
        let expected = Call::RepointAlarm {
            name: "busy".to_owned(),
            on: vec!["AlarmActions".to_owned()],
            from: OLD.to_owned(),
            to: "new".to_owned(),
        };
        assert_eq!(done.calls[0], expected);
        // one is missing: the alarms of existing policies are repointed anyway
        back.scheduled.clear();
        let part = restore(&back, &tags);
        let calls = vec!["aws:PutMetricAlarm", "aws:PutScheduledAction"];
        assert_eq!((operations(&part), part.is_incomplete), (calls, true));
    }

    #[test]
    fn an_expired_action_is_not_restored() {
        let rows = [
            // recurring
            (json!({ "Schedule": "cron(0 18 * * ? *)" }), false),
            // over since a second ago, and not yet
            (json!({ "Schedule": "cron(0 18 * * ? *)", "EndTime": 999.5 }), true),
            (json!({ "Schedule": "cron(0 18 * * ? *)", "EndTime": 1001.0 }), false),
            // once, before and after
            (json!({ "Schedule": "at(1970-01-01T00:16:39)" }), true),
            (json!({ "Schedule": "at(1970-01-01T00:16:41)" }), false),
            // in a time zone that may be behind UTC
            (json!({ "Schedule": "at(1970-01-01T00:16:39)", "Timezone": "Pacific/Honolulu" }), false),
        ];
        for (action, over) in rows {
            assert_eq!(is_over(&action, second(1_000)), over, "{action}");
        }
    }

    #[test]
    fn unreadable_tags_are_reported() {
        let tags = [(format!("{SUSPENDED_TAG}v/0"), "no document".to_owned())].into();
        let restoration = restore(&NativeScaling::default(), &tags);
        assert!(restoration.calls.is_empty(), "{restoration:?}");
        assert!(restoration.notes[0].contains("no record that stepladder writes"), "{restoration:?}");
    }

    #[test]
    fn nothing_is_restored_where_the_policy_suspends_nothing() {
        let tags = suspended_tags(&native()).unwrap();
        let restoration = restore_where(false, &NativeScaling::default(), &tags);
        assert!(restoration.calls.is_empty() && !restoration.is_incomplete, "{restoration:?}");
        assert!(restoration.notes[0].contains("is not restored"), "{restoration:?}");
    }

    #[test]
    fn the_endpoints_own_tags_need_room_too() {
        let others = |count: usize| (0..count).map(|number| (number.to_string(), String::new())).collect();
        let can_be_suspended =
            |tags: &Tags| owners(&native(), tags, &target())[&Axis::Shape].can_be_suspended;
        assert!(can_be_suspended(&others(40)) && !can_be_suspended(&others(47)));
    }

    #[test]
    fn every_tag_is_short_enough_and_too_much_is_refused() {
        let with = |policies: usize| NativeScaling {
            policies: vec![native().policies[0].clone(); policies],
            ..native()
        };
        for policies in 0..20 {
            let tags = suspended_tags(&with(policies)).unwrap();
            assert!(tags.values().all(|value| value.len() <= CHUNK));
            assert_eq!(read(&tags).policies.len(), policies);
        }
        assert_eq!(suspended_tags(&with(200)), None);
        assert!(!owners(&with(200), &Tags::new(), &target())[&Axis::Shape].can_be_suspended);
    }

    #[test]
    fn owners_and_pauses_are_reported() {
        let owners_of = |native: &NativeScaling, tags: &Tags| owners(native, tags, &target());
        assert_eq!(owners_of(&NativeScaling::default(), &Tags::new()), BTreeMap::new());
        let owned = owners_of(&native(), &Tags::new());
        assert!(owned[&Axis::Shape].can_be_suspended && owned[&Axis::Instances].who.contains("`step`"));
        let suspended = owners_of(&NativeScaling::default(), &suspended_tags(&native()).unwrap());
        assert!(!suspended[&Axis::Shape].can_be_suspended);
        assert_eq!(pauses(&NativeScaling::default()), []);
        assert_eq!(pauses(&native()).iter().map(|p| (p.up, p.down)).collect::<Vec<_>>(), [(false, true)]);
    }

    #[test]
    fn alarms_of_tracking_policies_are_left_to_them() {
        let mut tracking = native();
        tracking.policies[0]["PolicyType"] = json!("TargetTrackingScaling");
        let suspended = read(&suspended_tags(&tracking).unwrap());
        assert_eq!(suspended.policies[0].alarms, []);
    }
}
