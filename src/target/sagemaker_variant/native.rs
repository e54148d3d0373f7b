//! Application Auto Scaling as the other owner: a registered variant keeps its type. So it is taken out for
//! the time of a change and put back afterwards, with its bounds, policies, scheduled actions and alarms.
//!
//! What was taken out is written into the endpoint's tags before it is, so that no crash loses it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::Call;
use crate::deployment::{Axis, Bounds, Endpoint, Native, Owner, Pause, Tags};

/// The tags of what is parked; a variant's name and a number follow.
const PARKED: &str = "stepladder:parked/";

/// The longest value of a tag.
const CHUNK: usize = 256;

/// A resource has at most 50 tags, and some of them are its owner's.
const MOST_CHUNKS: usize = 30;

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
    alarms: Vec<String>,
    request: Value,
}

/// What is to be done about an endpoint at rest, and whether anything will be left to do after it.
#[derive(Debug, Default)]
pub(super) struct Restoring {
    pub(super) calls: Vec<Call>,
    pub(super) goes_on: bool,
}

/// Who changes what besides us.
pub fn owners(native: &Native, tags: &Tags, variant: &str) -> BTreeMap<Axis, Owner> {
    let mut owners = BTreeMap::new();
    if let Some(policy) = native.policies.first() {
        let who = format!("the scaling policy `{}` of Application Auto Scaling", text(policy, "PolicyName"));
        owners.insert(Axis::Instances, Owner { who, can_be_parked: false });
    }
    if is_parked(tags, variant) {
        let who = "Application Auto Scaling, which is being put back".to_owned();
        owners.insert(Axis::Shape, Owner { who, can_be_parked: false });
    } else if native.target.is_some() {
        let who = "Application Auto Scaling, where the variant is registered".to_owned();
        owners.insert(Axis::Shape, Owner { who, can_be_parked: chunks(native, variant).is_some() });
    }
    owners
}

/// The bounds of the scalable target. Capacity outside them would be pulled back in at once.
pub fn bounds(native: &Native) -> Option<Bounds> {
    let target = native.target.as_ref()?;
    let number = |field: &str| u32::try_from(target.get(field)?.as_u64()?).ok();
    Some(Bounds { min: number("MinCapacity")?, max: number("MaxCapacity")? })
}

/// Directions of the count that are suspended.
pub fn pauses(native: &Native) -> Vec<Pause> {
    let suspended = |direction: &str| {
        let target = native.target.as_ref();
        target.and_then(|target| target.pointer(&format!("/SuspendedState/{direction}"))?.as_bool())
    };
    let up = suspended("DynamicScalingOutSuspended").unwrap_or_default();
    let down = suspended("DynamicScalingInSuspended").unwrap_or_default();
    let by = "the scalable target's suspended state".to_owned();
    if up || down { vec![Pause { axis: Axis::Instances, up, down, by }] } else { Vec::new() }
}

/// The tags that keep what is about to be taken out; `None` when it is more than tags hold.
pub(super) fn chunks(native: &Native, variant: &str) -> Option<Tags> {
    let parked = Parked {
        target: own_role_left_out(request(native.target.as_ref()?)),
        policies: native.policies.iter().map(parked_policy).collect(),
        scheduled: native.scheduled.iter().map(request).collect(),
    };
    let text = BASE64.encode(serde_json::to_vec(&parked).ok()?);
    let count = text.len().div_ceil(CHUNK);
    let key = |number: usize| format!("{PARKED}{variant}/{number}");
    let chunk = |number: usize| text.get(number * CHUNK..text.len().min((number + 1) * CHUNK));
    (count <= MOST_CHUNKS)
        .then(|| (0..count).filter_map(|number| Some((key(number), chunk(number)?.to_owned()))).collect())
}

/// A policy calls its own alarms; those of a tracking policy come and go with it.
fn parked_policy(policy: &Value) -> ParkedPolicy {
    let owned = text(policy, "PolicyType") == "TargetTrackingScaling";
    let alarms = policy.get("Alarms").and_then(Value::as_array).filter(|_| !owned).into_iter().flatten();
    ParkedPolicy {
        arn: text(policy, "PolicyARN").to_owned(),
        alarms: alarms.map(|alarm| text(alarm, "AlarmName").to_owned()).collect(),
        request: request(policy),
    }
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
    let text: String = (0..MOST_CHUNKS).map_while(piece).collect();
    serde_json::from_slice(&BASE64.decode(text).ok()?).ok()
}

/// Puts back what is parked and not there; once all is there, alarms are told the policies' new ARNs, and the
/// tags go.
pub(super) fn restore(endpoint: &Endpoint, variant: &str) -> Restoring {
    let Endpoint { arn, tags, native, .. } = endpoint;
    if !is_parked(tags, variant) {
        return Restoring::default();
    }
    let missing = read(tags, variant).map(|parked| (missing(&parked, native), parked));
    match missing {
        Some((calls, _)) if !calls.is_empty() => Restoring { calls, goes_on: true },
        // What cannot be read cannot be put back, and is kept for a person to look at.
        None => Restoring { calls: Vec::new(), goes_on: false },
        Some((_, parked)) => {
            let mut calls = repointed(&parked, native);
            calls.push(Call::AwsDeleteTags { arn: arn.clone(), keys: keys(tags, variant) });
            Restoring { calls, goes_on: false }
        }
    }
}

fn missing(parked: &Parked, native: &Native) -> Vec<Call> {
    let stands = |standing: &[Value], field: &str, wanted: &Value| {
        standing.iter().any(|one| text(one, field) == text(wanted, field))
    };
    let mut calls = Vec::new();
    if native.target.is_none() {
        calls.push(Call::AwsRegisterScalableTarget { body: parked.target.clone() });
    }
    let policies = parked.policies.iter().map(|policy| &policy.request);
    for body in policies.filter(|policy| !stands(&native.policies, "PolicyName", policy)) {
        calls.push(Call::AwsPutScalingPolicy { body: body.clone() });
    }
    let scheduled = parked.scheduled.iter();
    for body in scheduled.filter(|action| !stands(&native.scheduled, "ScheduledActionName", action)) {
        calls.push(Call::AwsPutScheduledAction { body: body.clone() });
    }
    calls
}

fn repointed(parked: &Parked, native: &Native) -> Vec<Call> {
    let mut calls = Vec::new();
    for policy in &parked.policies {
        let name = text(&policy.request, "PolicyName");
        let now = native.policies.iter().find(|one| text(one, "PolicyName") == name);
        let Some(to) = now.map(|now| text(now, "PolicyARN")).filter(|to| *to != policy.arn) else { continue };
        calls.extend(policy.alarms.iter().map(|alarm| Call::AwsRepointAlarm {
            name: alarm.clone(),
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

    fn native() -> Native {
        Native {
            target: Some(json!({
                "ResourceId": "endpoint/e/variant/v", "MinCapacity": 1, "MaxCapacity": 4,
                "RoleARN": "arn:role", "CreationTime": 1.5, "ScalableTargetARN": "arn:target",
                "SuspendedState": { "DynamicScalingInSuspended": true },
            })),
            policies: vec![json!({
                "PolicyName": "step", "PolicyARN": "old", "PolicyType": "StepScaling", "CreationTime": 2.0,
                "Alarms": [{ "AlarmName": "busy", "AlarmARN": "arn:busy" }],
            })],
            scheduled: vec![json!({ "ScheduledActionName": "night", "ScheduledActionARN": "arn:night" })],
        }
    }

    fn operations(restoring: &Restoring) -> Vec<&'static str> {
        restoring.calls.iter().map(Call::operation).collect()
    }

    fn restore(native: &Native, tags: &Tags, variant: &str) -> Restoring {
        let (native, tags) = (native.clone(), tags.clone());
        super::restore(&Endpoint { tags, native, ..Endpoint::default() }, variant)
    }

    #[test]
    fn what_is_parked_is_put_back_piece_by_piece() {
        let tags = chunks(&native(), "v").unwrap();
        let nothing = restore(&Native::default(), &tags, "v");
        let all = ["aws:RegisterScalableTarget", "aws:PutScalingPolicy", "aws:PutScheduledAction"];
        assert_eq!((operations(&nothing), nothing.goes_on), (all.to_vec(), true));
        let Call::AwsRegisterScalableTarget { body } = &nothing.calls[0] else { panic!("{nothing:?}") };
        let expected = json!({ "ResourceId": "endpoint/e/variant/v", "MinCapacity": 1, "MaxCapacity": 4,
            "SuspendedState": { "DynamicScalingInSuspended": true } });
        assert_eq!(*body, expected);
        // cut short after the first
        let part = restore(&Native { target: native().target, ..Native::default() }, &tags, "v");
        assert_eq!((operations(&part), part.goes_on), (all[1..].to_vec(), true));
        // everything stands: the alarms follow, and nothing is kept
        let mut back = native();
        back.policies[0]["PolicyARN"] = json!("new");
        let done = restore(&back, &tags, "v");
        assert_eq!((operations(&done), done.goes_on), (vec!["aws:PutMetricAlarm", "aws:DeleteTags"], false));
        let expected =
            Call::AwsRepointAlarm { name: "busy".to_owned(), from: "old".to_owned(), to: "new".to_owned() };
        assert_eq!(done.calls[0], expected);
    }

    #[test]
    fn every_tag_is_short_enough_and_too_much_is_refused() {
        let with =
            |policies: usize| Native { policies: vec![native().policies[0].clone(); policies], ..native() };
        for policies in 0..20 {
            let tags = chunks(&with(policies), "v").unwrap();
            assert!(tags.values().all(|value| value.len() <= CHUNK));
            assert_eq!(read(&tags, "v").unwrap().policies.len(), policies);
        }
        assert_eq!(chunks(&with(200), "v"), None);
        assert!(!owners(&with(200), &Tags::new(), "v")[&Axis::Shape].can_be_parked);
    }

    #[test]
    fn owners_and_pauses_are_told() {
        let owners_of = |native: &Native, tags: &Tags| owners(native, tags, "v");
        assert_eq!(owners_of(&Native::default(), &Tags::new()), BTreeMap::new());
        let owned = owners_of(&native(), &Tags::new());
        assert!(owned[&Axis::Shape].can_be_parked && owned[&Axis::Instances].who.contains("`step`"));
        let parked = owners_of(&Native::default(), &chunks(&native(), "v").unwrap());
        assert!(!parked[&Axis::Shape].can_be_parked);
        assert_eq!(pauses(&Native::default()), []);
        assert_eq!(pauses(&native()).iter().map(|p| (p.up, p.down)).collect::<Vec<_>>(), [(false, true)]);
    }

    #[test]
    fn alarms_of_tracking_policies_are_left_to_them() {
        let mut tracking = native();
        tracking.policies[0]["PolicyType"] = json!("TargetTrackingScaling");
        let parked = read(&chunks(&tracking, "v").unwrap(), "v").unwrap();
        assert_eq!(parked.policies[0].alarms, Vec::<String>::new());
    }
}
