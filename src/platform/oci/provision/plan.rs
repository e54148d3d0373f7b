//! What is wanted against what exists, as calls. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::platform::oci::alarm::OciAlarm;
use crate::platform::oci::call::{Call, RetryToken};
use crate::platform::oci::model_deployment::{NAMESPACE, TAG_TARGET, interval};
use crate::platform::oci::provision::{Desired, HighAlarm, Topic};
use crate::tags::Tags;

/// The freeform tag that makes something ours: its value is the policy's `topic`, which names everything that is
/// provisioned together.
pub const TAG_PROVISIONED: &str = "stepladder:provisioned";
/// The freeform tag that identifies which of the policy's alarms this is, whatever its name is now.
pub const TAG_ALARM: &str = "stepladder:alarm";

/// The protocol of a subscription that calls a function.
pub const FUNCTIONS: &str = "ORACLE_FUNCTIONS";

/// What exists, as far as it concerns the policy.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Existing {
    /// The topic of the policy's name or OCID. One that is being deleted does not exist any more.
    pub topic: Option<ExistingTopic>,
    /// Its subscriptions.
    pub subscriptions: Vec<ExistingSubscription>,
    /// The alarms in the compartment: those that stepladder provisioned as a whole, the others as far as a listing
    /// describes them.
    pub alarms: Vec<ExistingAlarm>,
}

/// A topic that exists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExistingTopic {
    /// Its OCID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Changes with every update.
    #[serde(default)]
    pub etag: Option<String>,
    /// Its freeform tags.
    #[serde(default)]
    pub tags: Tags,
}

/// A subscription that exists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExistingSubscription {
    /// Its OCID.
    pub id: String,
    /// The OCID of the topic that it listens to.
    pub topic: String,
    /// The protocol: `ORACLE_FUNCTIONS`, `EMAIL`, …
    pub protocol: String,
    /// Who is notified: a function's OCID, an address, …
    pub endpoint: String,
    /// Changes with every update.
    #[serde(default)]
    pub etag: Option<String>,
    /// Its freeform tags.
    #[serde(default)]
    pub tags: Tags,
}

/// An alarm that exists.
#[derive(Debug, Clone, PartialEq)]
pub struct ExistingAlarm {
    /// Its OCID.
    pub id: String,
    /// Changes with every update; `None` where a listing does not report it.
    pub etag: Option<String>,
    /// What it is set to.
    pub alarm: OciAlarm,
}

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProvisionPlan {
    /// In this order.
    pub steps: Vec<PlannedCall>,
    /// What exists as it should.
    pub existing: Vec<String>,
    /// What is in the way and belongs to somebody else. Nothing is sent while anything is.
    pub conflicts: Vec<String>,
    /// What an operator should know besides.
    pub notes: Vec<String>,
}

/// One call, and what it changes.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedCall {
    /// The call.
    pub call: Call,
    /// Every field that it changes, when it changes something that exists.
    pub changes: Vec<FieldChange>,
    /// Whether everything in it is known; otherwise it waits for a call before it.
    pub ready: bool,
}

/// One field before and after.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldChange {
    /// The field.
    pub field: String,
    /// Its value now.
    pub from: Value,
    /// Its value after the call.
    pub to: Value,
}

impl ProvisionPlan {
    pub(super) fn add(&mut self, call: Call, ready: bool) {
        self.steps.push(PlannedCall { call, changes: Vec::new(), ready });
    }
}

/// The OCID of the topic, or words in its place while there is none.
struct AlarmTopic {
    id: String,
    known: bool,
}

/// Every call between what exists and what is wanted. `run` distinguishes the attempts of one run from those of
/// another: a retry token whose alarm has been deleted since is refused for a day.
pub fn plan(wanted: &Desired, existing: &Existing, run: Timestamp) -> ProvisionPlan {
    let mut plan = ProvisionPlan::default();
    let Some(topic) = keep_topic(wanted, existing, run, &mut plan) else { return plan };
    keep_subscription(wanted, existing, &topic, run, &mut plan);
    for high in &wanted.alarms {
        keep_alarm(wanted, existing, high, &topic, run, &mut plan);
    }
    let is_superfluous = |found: &&ExistingAlarm| !wanted.alarms.iter().any(|high| is_this(found, high));
    for found in ours(wanted, existing).filter(is_superfluous) {
        plan.add(delete_alarm(found), true);
    }
    plan
}

fn keep_topic(
    wanted: &Desired,
    existing: &Existing,
    run: Timestamp,
    plan: &mut ProvisionPlan,
) -> Option<AlarmTopic> {
    match (&wanted.topic, &existing.topic) {
        (Topic::Given(_), Some(found)) => {
            plan.existing.push(format!(
                "topic `{}`, {} and left as it is",
                found.name,
                whose(wanted, &found.tags)
            ));
            Some(AlarmTopic { id: found.id.clone(), known: true })
        }
        (Topic::Given(id), None) => {
            plan.conflicts.push(format!(
                "there is no topic `{id}`: check the OCID and the region, or give a name as `topic` and one is created"
            ));
            None
        }
        (Topic::Named(_), Some(found)) if is_ours(wanted, &found.tags) => {
            plan.existing.push(format!("topic `{}`", found.name));
            Some(AlarmTopic { id: found.id.clone(), known: true })
        }
        (Topic::Named(name), Some(found)) => {
            let id = &found.id;
            plan.conflicts.push(match set_of(&found.tags) {
                Some(set) => format!("the topic `{name}` {}", of_another(set)),
                None => format!(
                    "stepladder did not make the topic `{name}`: give another name as `topic`, or its OCID `{id}`, \
                     and it is used as it is and never deleted"
                ),
            });
            None
        }
        (Topic::Named(name), None) => {
            let call = Call::CreateTopic {
                name: name.clone(),
                compartment: wanted.compartment.clone(),
                tags: marker(wanted),
                retry_token: RetryToken::of(("topic", name, &wanted.compartment, run)),
            };
            plan.add(call, true);
            Some(AlarmTopic { id: format!("the OCID of topic {name}"), known: false })
        }
    }
}

fn keep_subscription(
    wanted: &Desired,
    existing: &Existing,
    topic: &AlarmTopic,
    run: Timestamp,
    plan: &mut ProvisionPlan,
) {
    let function = &wanted.function;
    let calls_it = |found: &&ExistingSubscription| found.protocol == FUNCTIONS && found.endpoint == *function;
    let is_there = existing.subscriptions.iter().any(|found| calls_it(&found));
    if is_there {
        plan.existing.push(format!("subscription that calls `{function}`"));
    } else {
        let call = Call::CreateSubscription {
            topic: topic.id.clone(),
            compartment: wanted.compartment.clone(),
            function: function.clone(),
            tags: marker(wanted),
            retry_token: RetryToken::of(("subscription", &topic.id, function, run)),
        };
        plan.add(call, topic.known);
    }
    let other = |found: &&ExistingSubscription| is_ours(wanted, &found.tags) && !calls_it(found);
    for found in existing.subscriptions.iter().filter(other) {
        // Until the new one is observed to exist the alarms need the old one.
        plan.add(delete_subscription(found), is_there);
    }
}

fn keep_alarm(
    wanted: &Desired,
    existing: &Existing,
    high: &HighAlarm,
    topic: &AlarmTopic,
    run: Timestamp,
    plan: &mut ProvisionPlan,
) {
    let mut matching = ours(wanted, existing).filter(|found| is_this(found, high));
    let alarm = alarm(wanted, high, topic);
    let Some(found) = matching.next() else {
        create_alarm(wanted, existing, high, alarm, topic, run, plan);
        return;
    };
    // Somebody's own tags stay on it.
    let mut tags = found.alarm.tags.clone();
    tags.extend(alarm.tags.clone());
    let alarm = OciAlarm { tags, ..alarm }.spelled_like(&found.alarm);
    if found.alarm == alarm {
        plan.existing.push(format!("alarm {alarm}"));
    } else {
        let changes = differences(&found.alarm, &alarm);
        let call =
            Call::UpdateAlarm { id: found.id.clone(), if_match: found.etag.clone(), alarm: Box::new(alarm) };
        plan.steps.push(PlannedCall { call, changes, ready: topic.known });
    }
    for twin in matching {
        plan.add(delete_alarm(twin), true);
    }
}

/// An alarm of the same name on the same deployment would call twice for one breach.
fn create_alarm(
    wanted: &Desired,
    existing: &Existing,
    high: &HighAlarm,
    alarm: OciAlarm,
    topic: &AlarmTopic,
    run: Timestamp,
    plan: &mut ProvisionPlan,
) {
    if let Some(other) = existing.alarms.iter().find(|found| is_rival(wanted, found, high)) {
        let (name, deployment) = (&high.name, &high.deployment);
        plan.conflicts.push(match set_of(&other.alarm.tags) {
            Some(set) => format!(
                "the alarm `{name}` on `{deployment}` {}, or give yours another name in `[[oci.alarm]]`",
                of_another(set)
            ),
            None => format!(
                "stepladder did not make the alarm `{name}` on `{deployment}`: delete `{}`, or give yours another \
                 name in `[[oci.alarm]]`",
                other.id
            ),
        });
        return;
    }
    // Two operators who provision at once create one alarm; one that was deleted since is created again.
    let identity = ("alarm", &high.name, &high.deployment, &topic.id);
    let (token, next_token) = (RetryToken::of(identity), RetryToken::of((identity, run)));
    plan.add(Call::CreateAlarm { alarm: Box::new(alarm), retry_token: token, next_token }, topic.known);
}

/// Whether it is another's alarm of this name on the deployment: its query names the OCID, or covers every deployment.
fn is_rival(wanted: &Desired, found: &ExistingAlarm, high: &HighAlarm) -> bool {
    let query = found.alarm.query.to_ascii_lowercase();
    let covers = query.contains(&high.deployment.to_ascii_lowercase()) || !query.contains("resourceid");
    let alike = found.alarm.name == high.name && found.alarm.namespace == NAMESPACE;
    alike && covers && !is_ours(wanted, &found.alarm.tags)
}

/// The scale-up alarm, as the policy defines it.
fn alarm(wanted: &Desired, high: &HighAlarm, topic: &AlarmTopic) -> OciAlarm {
    let HighAlarm { deployment, name, metric, statistic, threshold, window, pending, repeat, severity } =
        high;
    let window = interval(*window);
    let mut tags = marker(wanted);
    tags.extend([(TAG_TARGET, deployment), (TAG_ALARM, name)].map(|(k, v)| (k.to_owned(), v.clone())));
    OciAlarm {
        name: name.clone(),
        compartment: wanted.compartment.clone(),
        metric_compartment: wanted.metric_compartment.clone(),
        namespace: NAMESPACE.into(),
        query: format!("{metric}[{window}]{{resourceId = \"{deployment}\"}}.{statistic} > {threshold}"),
        severity: severity.as_str().into(),
        destinations: vec![topic.id.clone()],
        repeat: Some(format!("PT{}M", repeat.as_mins())),
        pending: Some(format!("PT{}M", pending.as_mins()).into()),
        enabled: true,
        body: Some(if high.is_of_schedules() {
            format!("Lets stepladder keep the schedules of {deployment}.")
        } else {
            format!("Asks stepladder for more of {deployment}.")
        }),
        tags,
    }
}

/// Every field in which two alarms differ.
fn differences(found: &OciAlarm, wanted: &OciAlarm) -> Vec<FieldChange> {
    let fields = |alarm| match serde_json::to_value::<&OciAlarm>(alarm) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let found = fields(found);
    let differs = |(field, to): (String, Value)| {
        let from = found.get(&field).cloned().unwrap_or_default();
        (from != to).then_some(FieldChange { field, from, to })
    };
    fields(wanted).into_iter().filter_map(differs).collect()
}

pub(super) fn delete_alarm(found: &ExistingAlarm) -> Call {
    Call::DeleteAlarm {
        id: found.id.clone(),
        if_match: found.etag.clone(),
        name: found.alarm.name.clone(),
        unless_changed: None,
    }
}

pub(super) fn delete_subscription(found: &ExistingSubscription) -> Call {
    Call::DeleteSubscription {
        id: found.id.clone(),
        if_match: found.etag.clone(),
        function: found.endpoint.clone(),
    }
}

/// The tags of everything that stepladder provisioned.
fn marker(wanted: &Desired) -> Tags {
    [(TAG_PROVISIONED.to_owned(), wanted.topic.as_str().to_owned())].into()
}

/// Whether these are the tags of something that stepladder provisioned. Tags identify it, never its name.
pub fn is_ours(wanted: &Desired, tags: &Tags) -> bool {
    set_of(tags) == Some(wanted.topic.as_str())
}

/// The set that something was provisioned with: the `topic` of its policy.
fn set_of(tags: &Tags) -> Option<&str> {
    tags.get(TAG_PROVISIONED).map(String::as_str)
}

fn of_another(set: &str) -> String {
    format!("belongs to the set `{set}`: tear that down first, with `topic = \"{set}\"`")
}

/// Whose a thing is that is not ours to delete, for an operator.
pub(super) fn whose(wanted: &Desired, tags: &Tags) -> String {
    match set_of(tags) {
        Some(set) if !is_ours(wanted, tags) => format!("of the set `{set}`"),
        _ => "not ours".to_owned(),
    }
}

pub(super) fn ours<'a>(
    wanted: &'a Desired,
    existing: &'a Existing,
) -> impl Iterator<Item = &'a ExistingAlarm> {
    existing.alarms.iter().filter(|found| is_ours(wanted, &found.alarm.tags))
}

/// Whether it is this alarm of the policy, given that stepladder provisioned it.
fn is_this(found: &ExistingAlarm, high: &HighAlarm) -> bool {
    let tag = |key: &str, value: &str| found.alarm.tags.get(key).is_some_and(|text| text == value);
    tag(TAG_TARGET, &high.deployment) && tag(TAG_ALARM, &high.name)
}
