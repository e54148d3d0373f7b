//! Application Auto Scaling as the other owner: a registered variant keeps its type. So it is taken out for
//! the time of a change and put back afterwards, with its bounds, policies, scheduled actions and alarms.
//!
//! What was taken out is written into the endpoint's tags before it is, so that no crash loses it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::configuration::MOST_OTHER_TAGS;
use crate::deployment::{Owner, SuspendedScaling};
use crate::platform::aws::call::Call;
use crate::platform::aws::variant::{Endpoint, NativeScaling};
use crate::size::{Axis, Bounds};
use crate::tags::Tags;

/// The tags of what is parked; a variant's name and a number follow.
const PARKED: &str = "stepladder:parked/";

/// The longest value of a tag.
const CHUNK: usize = 256;

/// What the API tells of a target, a policy or an action and does not take.
const TOLD_ONLY: [&str; 6] =
    ["CreationTime", "ScalableTargetARN", "PredictedCapacity", "PolicyARN", "Alarms", "ScheduledActionARN"];

/// What was taken out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Parked {
    target: Value,
    policies: Vec<ParkedPolicy>,
    scheduled: Vec<Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct ParkedPolicy {
    /// Its ARN as it was; put back, it gets another.
    arn: String,
    /// The alarms of its owner that called it.
    alarms: Vec<Caller>,
    request: Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Caller {
    name: String,
    /// The lists of actions in which it names the policy.
    on: Vec<String>,
}

/// What is to be done about an endpoint at rest, and whether anything will be left to do after it.
#[derive(Debug, Default)]
pub(super) struct Restoring {
    pub(super) calls: Vec<Call>,
    pub(super) notes: Vec<String>,
    pub(super) is_incomplete: bool,
}

/// Who changes what besides us.
pub fn owners(native: &NativeScaling, tags: &Tags, variant: &str) -> BTreeMap<Axis, Owner> {
    let mut owners = BTreeMap::new();
    if let Some(policy) = native.policies.first() {
        let who = format!("the scaling policy `{}` of Application Auto Scaling", text(policy, "PolicyName"));
        owners.insert(Axis::Instances, Owner { who, can_be_suspended: false });
    }
    if is_parked(tags, variant) {
        let who = "Application Auto Scaling, which is being put back".to_owned();
        let owner = Owner { who, can_be_suspended: false };
        owners.extend([(Axis::Shape, owner.clone()), (Axis::Instances, owner)]);
    } else if native.target.is_some() {
        let who = "Application Auto Scaling, where the variant is registered".to_owned();
        let fits = |chunks: &Tags| tags.len() + chunks.len() <= MOST_OTHER_TAGS;
        let can_be_suspended = chunks(native, variant).as_ref().is_some_and(fits);
        owners.insert(Axis::Shape, Owner { who, can_be_suspended });
    }
    owners
}

/// The bounds of the scalable target. Capacity outside them would be pulled back in at once.
pub fn bounds(native: &NativeScaling) -> Option<Bounds> {
    let target = native.target.as_ref()?;
    let number = |field: &str| u32::try_from(target.get(field)?.as_u64()?).ok();
    Some(Bounds { min: number("MinCapacity")?, max: number("MaxCapacity")? })
}

/// Directions of the count that are suspended.
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

/// The tags that keep what is about to be taken out; `None` when it is more than tags hold.
pub(super) fn chunks(native: &NativeScaling, variant: &str) -> Option<Tags> {
    let text = BASE64.encode(serde_json::to_vec(&parked(native)?).ok()?);
    let count = text.len().div_ceil(CHUNK);
    let key = |number: usize| format!("{PARKED}{variant}/{number}");
    let chunk = |number: usize| text.get(number * CHUNK..text.len().min((number + 1) * CHUNK));
    (count <= MOST_OTHER_TAGS)
        .then(|| (0..count).filter_map(|number| Some((key(number), chunk(number)?.to_owned()))).collect())
}

/// What is taken out, in one line: it is in the log, too, should somebody clear the tags away.
pub(super) fn told(native: &NativeScaling) -> Option<String> {
    Some(format!("parked: {}", serde_json::to_string(&parked(native)?).ok()?))
}

fn parked(native: &NativeScaling) -> Option<Parked> {
    Some(Parked {
        target: own_role_left_out(request(native.target.as_ref()?)),
        policies: native.policies.iter().map(parked_policy).collect(),
        scheduled: native.scheduled.iter().map(request).collect(),
    })
}

/// A policy calls its own alarms; those of a tracking policy come and go with it.
fn parked_policy(policy: &Value) -> ParkedPolicy {
    let owned = text(policy, "PolicyType") == "TargetTrackingScaling";
    let alarms = policy.get("Alarms").and_then(Value::as_array).filter(|_| !owned).into_iter().flatten();
    ParkedPolicy {
        arn: text(policy, "PolicyARN").to_owned(),
        alarms: alarms.map(caller).collect(),
        request: request(policy),
    }
}

fn caller(alarm: &Value) -> Caller {
    let on = alarm.get("On").and_then(Value::as_array).into_iter().flatten();
    let on = on.filter_map(Value::as_str).map(str::to_owned).collect();
    Caller { name: text(alarm, "AlarmName").to_owned(), on }
}

/// What the API takes of what it tells.
fn request(told: &Value) -> Value {
    let Value::Object(members) = told else { return told.clone() };
    let taken = |name: &str, value: &Value| !TOLD_ONLY.contains(&name) && !value.is_null();
    let kept = members.iter().filter(|(name, value)| taken(name, value));
    Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// The service uses its own linked role, and needs no one to pass it.
fn own_role_left_out(mut target: Value) -> Value {
    if let Value::Object(members) = &mut target {
        members.remove("RoleARN");
    }
    target
}

fn is_parked(tags: &Tags, variant: &str) -> bool {
    !keys(tags, variant).is_empty()
}

fn keys(tags: &Tags, variant: &str) -> Vec<String> {
    let prefix = format!("{PARKED}{variant}/");
    tags.keys().filter(|key| key.starts_with(&prefix)).cloned().collect()
}

fn read(tags: &Tags, variant: &str) -> Option<Parked> {
    let piece = |number: usize| tags.get(&format!("{PARKED}{variant}/{number}")).map(String::as_str);
    let text: String = (0..MOST_OTHER_TAGS).map_while(piece).collect();
    serde_json::from_slice(&BASE64.decode(text).ok()?).ok()
}

/// Puts back what is parked and not there, and points the alarms at the policies that are; the tags go when
/// nothing is missing.
pub(super) fn restore(endpoint: &Endpoint, variant: &str, now: Timestamp) -> Restoring {
    let Endpoint { arn, tags, native, .. } = endpoint;
    if !is_parked(tags, variant) {
        return Restoring::default();
    }
    let Some(parked) = read(tags, variant) else {
        let note = format!(
            "what is parked in the tags `{PARKED}{variant}/` cannot be read: put it back, and \
                            remove them"
        );
        return Restoring { notes: vec![note], ..Restoring::default() };
    };
    let missing = missing(&parked, native, now);
    let is_incomplete = !missing.is_empty();
    // What stands is finished first: one piece that is refused must not keep the others waiting.
    let (target, rest): (Vec<Call>, Vec<Call>) =
        missing.into_iter().partition(|call| matches!(call, Call::RegisterScalableTarget { .. }));
    let mut calls = [target, repointed(&parked, native), rest].concat();
    if !is_incomplete {
        calls.push(Call::DeleteTags { arn: arn.clone(), keys: keys(tags, variant) });
    }
    Restoring { calls, notes: Vec::new(), is_incomplete }
}

fn missing(parked: &Parked, native: &NativeScaling, now: Timestamp) -> Vec<Call> {
    let stands = |standing: &[Value], field: &str, wanted: &Value| {
        standing.iter().any(|one| text(one, field) == text(wanted, field))
    };
    let mut calls = Vec::new();
    if native.target.is_none() {
        calls.push(Call::RegisterScalableTarget { body: parked.target.clone() });
    }
    let policies = parked.policies.iter().map(|policy| &policy.request);
    for body in policies.filter(|policy| !stands(&native.policies, "PolicyName", policy)) {
        calls.push(Call::PutScalingPolicy { body: body.clone() });
    }
    let scheduled = parked.scheduled.iter().filter(|action| !is_over(action, now));
    for body in scheduled.filter(|action| !stands(&native.scheduled, "ScheduledActionName", action)) {
        calls.push(Call::PutScheduledAction { body: begun(body.clone(), now) });
    }
    calls
}

/// A start that has passed means nothing any more, and might be refused.
fn begun(mut action: Value, now: Timestamp) -> Value {
    let begun = action.get("StartTime").and_then(Value::as_f64).is_some_and(|start| start <= seconds(now));
    if let Value::Object(members) = &mut action
        && begun
    {
        members.remove("StartTime");
    }
    action
}

/// The service drops an action once its time has come or its end has passed, and would not take it again.
/// See <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScheduledAction.html>.
fn is_over(action: &Value, now: Timestamp) -> bool {
    let ended = action.get("EndTime").and_then(Value::as_f64).is_some_and(|end| end <= seconds(now));
    let once = text(action, "Schedule").strip_prefix("at(").and_then(|rest| rest.strip_suffix(')'));
    let zone = action.get("Timezone").and_then(Value::as_str).unwrap_or("UTC");
    // In another time zone it may be up to a day off: better put back a moment too often than never.
    let slack = SignedDuration::from_hours(if zone == "UTC" { 0 } else { 24 });
    let at = once.and_then(|time| format!("{time}Z").parse::<Timestamp>().ok());
    ended || at.is_some_and(|at| at.checked_add(slack).is_ok_and(|at| at <= now))
}

#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
fn seconds(now: Timestamp) -> f64 {
    now.as_second() as f64
}

fn repointed(parked: &Parked, native: &NativeScaling) -> Vec<Call> {
    let mut calls = Vec::new();
    for policy in &parked.policies {
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

fn text<'a>(document: &'a Value, field: &str) -> &'a str {
    document.get(field).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn native() -> NativeScaling {
        NativeScaling {
            target: Some(json!({
                "ResourceId": "endpoint/e/variant/v", "MinCapacity": 1, "MaxCapacity": 4,
                "RoleARN": "arn:role", "CreationTime": 1.5, "ScalableTargetARN": "arn:target",
                "SuspendedState": { "DynamicScalingInSuspended": true },
            })),
            policies: vec![json!({
                "PolicyName": "step", "PolicyARN": "old", "PolicyType": "StepScaling", "CreationTime": 2.0,
                "Alarms": [{ "AlarmName": "busy", "On": ["AlarmActions"] }],
            })],
            scheduled: vec![json!({ "ScheduledActionName": "night", "ScheduledActionARN": "arn:night" })],
        }
    }

    fn second(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn operations(restoring: &Restoring) -> Vec<&'static str> {
        restoring.calls.iter().map(Call::operation).collect()
    }

    fn restore(native: &NativeScaling, tags: &Tags, variant: &str) -> Restoring {
        let (native, tags) = (native.clone(), tags.clone());
        super::restore(&Endpoint { tags, native, ..Endpoint::default() }, variant, second(1_000))
    }

    #[test]
    fn what_is_parked_is_put_back_piece_by_piece() {
        let tags = chunks(&native(), "v").unwrap();
        let nothing = restore(&NativeScaling::default(), &tags, "v");
        let all = ["aws:RegisterScalableTarget", "aws:PutScalingPolicy", "aws:PutScheduledAction"];
        assert_eq!((operations(&nothing), nothing.is_incomplete), (all.to_vec(), true));
        let Call::RegisterScalableTarget { body } = &nothing.calls[0] else { panic!("{nothing:?}") };
        let expected = json!({ "ResourceId": "endpoint/e/variant/v", "MinCapacity": 1, "MaxCapacity": 4,
            "SuspendedState": { "DynamicScalingInSuspended": true } });
        assert_eq!(*body, expected);
        // cut short after the first
        let part =
            restore(&NativeScaling { target: native().target, ..NativeScaling::default() }, &tags, "v");
        assert_eq!((operations(&part), part.is_incomplete), (all[1..].to_vec(), true));
        // everything stands: the alarms follow, and nothing is kept
        let mut back = native();
        back.policies[0]["PolicyARN"] = json!("new");
        let done = restore(&back, &tags, "v");
        assert_eq!(
            (operations(&done), done.is_incomplete),
            (vec!["aws:PutMetricAlarm", "aws:DeleteTags"], false)
        );
        let expected = Call::RepointAlarm {
            name: "busy".to_owned(),
            on: vec!["AlarmActions".to_owned()],
            from: "old".to_owned(),
            to: "new".to_owned(),
        };
        assert_eq!(done.calls[0], expected);
        // one is missing: the alarms of those that stand are told all the same
        back.scheduled.clear();
        let part = restore(&back, &tags, "v");
        let calls = vec!["aws:PutMetricAlarm", "aws:PutScheduledAction"];
        assert_eq!((operations(&part), part.is_incomplete), (calls, true));
    }

    #[test]
    fn an_action_whose_time_has_passed_is_not_put_back() {
        let rows = [
            // recurring
            (json!({ "Schedule": "cron(0 18 * * ? *)" }), false),
            // over since a second ago, and not yet
            (json!({ "Schedule": "cron(0 18 * * ? *)", "EndTime": 999.5 }), true),
            (json!({ "Schedule": "cron(0 18 * * ? *)", "EndTime": 1001.0 }), false),
            // once, before and after
            (json!({ "Schedule": "at(1970-01-01T00:16:39)" }), true),
            (json!({ "Schedule": "at(1970-01-01T00:16:41)" }), false),
            // in a time zone that may lie behind
            (json!({ "Schedule": "at(1970-01-01T00:16:39)", "Timezone": "Pacific/Honolulu" }), false),
        ];
        for (action, over) in rows {
            assert_eq!(is_over(&action, second(1_000)), over, "{action}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let tags = [(format!("{PARKED}v/0"), "no document".to_owned())].into();
        let told = restore(&NativeScaling::default(), &tags, "v");
        assert!(told.calls.is_empty() && told.notes[0].contains("cannot be read"), "{told:?}");
    }

    #[test]
    fn the_endpoints_own_tags_need_room_too() {
        let others = |count: usize| (0..count).map(|number| (number.to_string(), String::new())).collect();
        let can_be_suspended = |tags: &Tags| owners(&native(), tags, "v")[&Axis::Shape].can_be_suspended;
        assert!(can_be_suspended(&others(40)) && !can_be_suspended(&others(47)));
    }

    #[test]
    fn every_tag_is_short_enough_and_too_much_is_refused() {
        let with = |policies: usize| NativeScaling {
            policies: vec![native().policies[0].clone(); policies],
            ..native()
        };
        for policies in 0..20 {
            let tags = chunks(&with(policies), "v").unwrap();
            assert!(tags.values().all(|value| value.len() <= CHUNK));
            assert_eq!(read(&tags, "v").unwrap().policies.len(), policies);
        }
        assert_eq!(chunks(&with(200), "v"), None);
        assert!(!owners(&with(200), &Tags::new(), "v")[&Axis::Shape].can_be_suspended);
    }

    #[test]
    fn owners_and_pauses_are_told() {
        let owners_of = |native: &NativeScaling, tags: &Tags| owners(native, tags, "v");
        assert_eq!(owners_of(&NativeScaling::default(), &Tags::new()), BTreeMap::new());
        let owned = owners_of(&native(), &Tags::new());
        assert!(owned[&Axis::Shape].can_be_suspended && owned[&Axis::Instances].who.contains("`step`"));
        let parked = owners_of(&NativeScaling::default(), &chunks(&native(), "v").unwrap());
        assert!(!parked[&Axis::Shape].can_be_suspended);
        assert_eq!(pauses(&NativeScaling::default()), []);
        assert_eq!(pauses(&native()).iter().map(|p| (p.up, p.down)).collect::<Vec<_>>(), [(false, true)]);
    }

    #[test]
    fn alarms_of_tracking_policies_are_left_to_them() {
        let mut tracking = native();
        tracking.policies[0]["PolicyType"] = json!("TargetTrackingScaling");
        let parked = read(&chunks(&tracking, "v").unwrap(), "v").unwrap();
        assert_eq!(parked.policies[0].alarms, []);
    }
}
