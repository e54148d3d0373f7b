//! The record of suspended scaling in an endpoint's tags: written, and read back only if stepladder could have written it.
//!
//! Anybody who may tag the endpoint can write such tags. So a record counts only where everything in it is about this
//! very variant: its scalable target without a role, its policies with their former ARNs, its scheduled actions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::NativeScaling;
use super::configuration::MOST_OTHER_TAGS;
use crate::pair::PAIR_PREFIX;
use crate::platform::aws::id;
use crate::tags::Tags;
use crate::target::TargetId;

/// The prefix of the tags with the suspended scaling; a variant's name and a number follow.
pub(super) const SUSPENDED_TAG: &str = "stepladder:parked/";

/// AWS's limit on the length of a tag's value.
pub(super) const CHUNK: usize = 256;

/// The members of targets, policies and actions that the API returns and does not accept.
const READ_ONLY: [&str; 6] =
    ["CreationTime", "ScalableTargetARN", "PredictedCapacity", "PolicyARN", "Alarms", "ScheduledActionARN"];

/// The members that name what a document is about, and the values that they must have.
const NAMESPACE: (&str, &str) = ("ServiceNamespace", "sagemaker");
const DIMENSION: (&str, &str) = ("ScalableDimension", "sagemaker:variant:DesiredInstanceCount");
const RESOURCE: &str = "ResourceId";

/// The other members of each kind of document. A role is none of them: the service uses its service-linked role.
const OF_TARGETS: &[&str] = &["MinCapacity", "MaxCapacity", "SuspendedState"];
const OF_POLICIES: &[&str] = &[
    "PolicyName",
    "PolicyType",
    "StepScalingPolicyConfiguration",
    "TargetTrackingScalingPolicyConfiguration",
    "PredictiveScalingPolicyConfiguration",
];
const OF_ACTIONS: &[&str] =
    &["ScheduledActionName", "Schedule", "Timezone", "StartTime", "EndTime", "ScalableTargetAction"];

/// The most alarms that a record may name. A policy has one or two; each costs two requests of a limited rate.
const MOST_ALARMS: usize = 20;

/// The lists of actions of an alarm.
const LISTS: [&str; 3] = ["AlarmActions", "OKActions", "InsufficientDataActions"];

/// A suspended scalable target, with all that belongs to it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SuspendedTarget {
    pub(super) target: Value,
    pub(super) policies: Vec<SuspendedPolicy>,
    pub(super) scheduled: Vec<Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SuspendedPolicy {
    /// Its former ARN; empty where it was none of this variant's. A restored policy gets another.
    pub(super) arn: String,
    /// The alarms of its owner that notified it.
    pub(super) alarms: Vec<PolicyAlarm>,
    pub(super) request: Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyAlarm {
    pub(super) name: String,
    /// The lists of actions that name the policy.
    pub(super) on: Vec<String>,
}

impl SuspendedTarget {
    /// What a variant has in Application Auto Scaling; `None` where it has nothing, or something that a record cannot
    /// hold.
    pub(super) fn of(native: &NativeScaling, target: &TargetId) -> Option<Self> {
        let suspended = Self {
            target: without_role(request(native.target.as_ref()?)),
            policies: native.policies.iter().map(|policy| SuspendedPolicy::of(policy, target)).collect(),
            scheduled: native.scheduled.iter().map(request).collect(),
        };
        suspended.is_about(target).then_some(suspended)
    }

    /// Whether stepladder could have written it for this variant.
    fn is_about(&self, target: &TargetId) -> bool {
        let alarms: usize = self.policies.iter().map(|policy| policy.alarms.len()).sum();
        is_about(&self.target, OF_TARGETS, target)
            && alarms <= MOST_ALARMS
            && self.policies.iter().all(|policy| policy.is_about(target))
            && self.scheduled.iter().all(|action| is_about(action, OF_ACTIONS, target))
    }

    /// The tags that hold the record; `None` if it does not fit into tags.
    pub(super) fn tags(&self, target: &TargetId) -> Option<Tags> {
        let prefix = prefix(target);
        let text = BASE64.encode(serde_json::to_vec(self).ok()?);
        let count = text.len().div_ceil(CHUNK);
        let key = |number: usize| format!("{prefix}{number}");
        let chunk = |number: usize| text.get(number * CHUNK..text.len().min((number + 1) * CHUNK));
        (count <= MOST_OTHER_TAGS)
            .then(|| (0..count).filter_map(|number| Some((key(number), chunk(number)?.to_owned()))).collect())
    }

    /// Reads the record of a variant; `None` where it is none, or none that stepladder could have written.
    pub(super) fn read(tags: &Tags, target: &TargetId) -> Option<Self> {
        let prefix = prefix(target);
        let piece = |number: usize| tags.get(&format!("{prefix}{number}")).map(String::as_str);
        let text: String = (0..MOST_OTHER_TAGS).map_while(piece).collect();
        let read: Self = serde_json::from_slice(&BASE64.decode(text).ok()?).ok()?;
        read.is_about(target).then_some(read)
    }
}

impl SuspendedPolicy {
    /// The service deletes and creates the alarms of a target-tracking policy, so they are not saved.
    fn of(policy: &Value, target: &TargetId) -> Self {
        let arn =
            Some(text(policy, "PolicyARN")).filter(|arn| is_policy(arn, text(policy, "PolicyName"), target));
        let tracks_target = text(policy, "PolicyType") == "TargetTrackingScaling";
        let has_own_alarms = arn.is_some() && !tracks_target;
        let alarms = policy.get("Alarms").and_then(Value::as_array).filter(|_| has_own_alarms);
        let alarms = alarms.into_iter().flatten().map(policy_alarm);
        Self {
            arn: arn.unwrap_or_default().to_owned(),
            alarms: alarms.filter(PolicyAlarm::is_an_owners).collect(),
            request: request(policy),
        }
    }

    fn is_about(&self, target: &TargetId) -> bool {
        let name = text(&self.request, "PolicyName");
        is_about(&self.request, OF_POLICIES, target)
            && (is_policy(&self.arn, name, target) || (self.arn.is_empty() && self.alarms.is_empty()))
            && self.alarms.iter().all(PolicyAlarm::is_an_owners)
    }
}

impl PolicyAlarm {
    /// Whether it may be an alarm of the policy's owner. Our own alarms never notify a policy.
    fn is_an_owners(&self) -> bool {
        let is_list = |on: &String| LISTS.contains(&on.as_str());
        !self.name.is_empty() && !self.name.starts_with(PAIR_PREFIX) && self.on.iter().all(is_list)
    }
}

fn policy_alarm(alarm: &Value) -> PolicyAlarm {
    let on = alarm.get("On").and_then(Value::as_array).into_iter().flatten();
    let on = on.filter_map(Value::as_str).map(str::to_owned).collect();
    PolicyAlarm { name: text(alarm, "AlarmName").to_owned(), on }
}

/// Whether a document is a request about this variant with no other members than these.
fn is_about(document: &Value, members: &[&str], target: &TargetId) -> bool {
    let Value::Object(found) = document else { return false };
    let is_expected = |(name, value): (&String, &Value)| {
        let named = [NAMESPACE, DIMENSION, (RESOURCE, target.as_str())];
        match named.iter().find(|(member, _)| *member == name.as_str()) {
            Some((_, expected)) => value.as_str() == Some(*expected),
            None => members.contains(&name.as_str()),
        }
    };
    found.contains_key(RESOURCE) && found.iter().all(is_expected)
}

/// Whether an ARN is that of a policy of this variant:
/// `arn:aws:autoscaling:<region>:<account>:scalingPolicy:<id>:resource/sagemaker/<variant>:policyName/<name>`.
fn is_policy(arn: &str, name: &str, target: &TargetId) -> bool {
    let parts: Vec<&str> = arn.splitn(8, ':').collect();
    let ["arn", _, "autoscaling", _, _, "scalingPolicy", _, rest] = parts.as_slice() else { return false };
    let named = rest.split_once(":policyName/");
    named.is_some_and(|(resource, policy)| {
        let resource = resource.strip_prefix("resource/sagemaker/");
        // SageMaker writes names in ARNs in lower case.
        let is_this = resource.is_some_and(|resource| resource.eq_ignore_ascii_case(target.as_str()));
        let suffix = policy.strip_prefix(name);
        is_this && suffix.is_some_and(|suffix| suffix.is_empty() || suffix.starts_with(":createdBy/"))
    })
}

/// A request body from a described document: its members, without the read-only ones.
fn request(described: &Value) -> Value {
    let Value::Object(members) = described else { return described.clone() };
    let accepted = |name: &str, value: &Value| !READ_ONLY.contains(&name) && !value.is_null();
    let kept = members.iter().filter(|(name, value)| accepted(name, value));
    Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// The target without its role. The service uses its service-linked role, and passing one needs a permission.
fn without_role(mut target: Value) -> Value {
    if let Value::Object(members) = &mut target {
        members.remove("RoleARN");
    }
    target
}

/// Whether any tag is of the record of a variant.
pub(super) fn is_suspended(tags: &Tags, target: &TargetId) -> bool {
    !keys(tags, target).is_empty()
}

/// The keys of the tags of a variant's record.
pub(super) fn keys(tags: &Tags, target: &TargetId) -> Vec<String> {
    let prefix = prefix(target);
    tags.keys().filter(|key| key.starts_with(&prefix)).cloned().collect()
}

fn prefix(target: &TargetId) -> String {
    let (_, variant) = id::endpoint_and_variant(target).unwrap_or_default();
    format!("{SUSPENDED_TAG}{variant}/")
}

/// A text member of a document; empty where it is none.
pub(super) fn text<'a>(document: &'a Value, field: &str) -> &'a str {
    document.get(field).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:autoscaling:us-east-1:111122223333:scalingPolicy:1:resource/sagemaker/endpoint/e/variant/v:policyName/step";

    fn target() -> TargetId {
        id::variant("e", "v").unwrap()
    }

    /// A record as stepladder writes it, with something changed.
    fn record(pointer: &str, value: Value) -> Value {
        let resource = target().to_string();
        let mut record = json!({
            "target": { "ServiceNamespace": "sagemaker", "ResourceId": resource, "MinCapacity": 1, "MaxCapacity": 4,
                "ScalableDimension": "sagemaker:variant:DesiredInstanceCount" },
            "policies": [{ "arn": ARN, "alarms": [{ "name": "busy", "on": ["AlarmActions"] }],
                "request": { "PolicyName": "step", "ResourceId": resource, "PolicyType": "StepScaling" } }],
            "scheduled": [{ "ScheduledActionName": "night", "ResourceId": resource }],
        });
        let (parent, member) = pointer.rsplit_once('/').unwrap_or_default();
        if let Some(parent) = record.pointer_mut(parent).filter(|_| !member.is_empty()) {
            parent[member] = value;
        }
        record
    }

    fn is_read(record: &Value) -> bool {
        let text = BASE64.encode(record.to_string());
        let chunks = text.as_bytes().chunks(CHUNK).map(|chunk| String::from_utf8_lossy(chunk).into_owned());
        let key = |number: usize| format!("{SUSPENDED_TAG}v/{number}");
        let tags: Tags = chunks.enumerate().map(|(number, chunk)| (key(number), chunk)).collect();
        SuspendedTarget::read(&tags, &target()).is_some()
    }

    #[test]
    fn a_record_counts_only_if_stepladder_could_have_written_it() {
        let pager = "arn:aws:sns:us-east-1:111122223333:pager";
        let of_another = ARN.replace("variant/v", "variant/w");
        let of_another_name = ARN.replace("policyName/step", "policyName/other");
        let rows = [
            ("", json!(null), true),
            // as the service writes it in an ARN
            ("/policies/0/arn", json!(ARN.replace("variant/v", "variant/V")), true),
            ("/policies/0/arn", json!(format!("{ARN}:createdBy/1")), true),
            // without its former ARN no alarm can be known to be its own
            ("/policies/0/arn", json!(""), false),
            ("/target/SuspendedState", json!({ "DynamicScalingInSuspended": true }), true),
            // another endpoint, service or dimension
            ("/target/ResourceId", json!("endpoint/other/variant/v"), false),
            ("/target/ResourceId", json!("endpoint/e/variant/w"), false),
            ("/target/ResourceId", json!(null), false),
            ("/target/ServiceNamespace", json!("ecs"), false),
            ("/target/ScalableDimension", json!("sagemaker:inference-component:DesiredCopyCount"), false),
            ("/policies/0/request/ResourceId", json!("endpoint/other/variant/v"), false),
            ("/scheduled/0/ResourceId", json!("endpoint/other/variant/v"), false),
            // a role that the service would be passed, and whatever else is no member of a request
            ("/target/RoleARN", json!("arn:aws:iam::111122223333:role/admin"), false),
            ("/policies/0/request/RoleARN", json!("arn:aws:iam::111122223333:role/admin"), false),
            ("/scheduled/0/Tags", json!([]), false),
            ("/more", json!(1), false),
            // what would be replaced is no policy of this variant
            ("/policies/0/arn", json!(pager), false),
            ("/policies/0/arn", json!(of_another), false),
            ("/policies/0/arn", json!(of_another_name), false),
            ("/policies/0/arn", json!(ARN.replace("scalingPolicy", "scheduledAction")), false),
            // one of our own alarms, and a list that no alarm has
            ("/policies/0/alarms/0/name", json!("stepladder/endpoint/other/variant/v/low_cpu"), false),
            ("/policies/0/alarms/0/name", json!(""), false),
            ("/policies/0/alarms/0/on", json!(["Dimensions"]), false),
            // more alarms than a record may name
            ("/policies/0/alarms", json!(vec![json!({ "name": "busy", "on": [] }); 20]), true),
            ("/policies/0/alarms", json!(vec![json!({ "name": "busy", "on": [] }); 21]), false),
            ("/target", json!("x"), false),
        ];
        for (pointer, value, expected) in rows {
            let record = record(pointer, value.clone());
            assert_eq!(is_read(&record), expected, "{pointer} = {value}");
        }
    }

    #[test]
    fn what_a_record_cannot_hold_is_not_suspended() {
        let resource = target().to_string();
        let with = |target_of: Value| NativeScaling { target: Some(target_of), ..NativeScaling::default() };
        let known = with(json!({ "ResourceId": resource, "RoleARN": "arn:role", "CreationTime": 1.5 }));
        assert!(SuspendedTarget::of(&known, &target()).is_some());
        let unknown = with(json!({ "ResourceId": resource, "Unheard": 1 }));
        assert_eq!(SuspendedTarget::of(&unknown, &target()), None);
    }
}
