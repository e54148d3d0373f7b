//! Plans the calls that remove what stepladder provisioned. Pure.

use jiff::Timestamp;

use super::plan::{
    Existing, ExistingAlarm, ExistingSubscription, ExistingTopic, ProvisionPlan, delete_alarm,
    delete_subscription, is_ours, ours, whose,
};
use crate::platform::oci::call::Call;
use crate::platform::oci::model_deployment::{TAG_PAIR, TAG_TARGET};
use crate::platform::oci::provision::{Desired, Topic};

/// Every call that removes what stepladder provisioned, and nothing else.
pub fn removal(wanted: &Desired, existing: &Existing, _run: Timestamp) -> ProvisionPlan {
    let mut plan = ProvisionPlan::default();
    // What calls goes before what is called.
    for found in ours(wanted, existing) {
        plan.add(delete_alarm(found), true);
    }
    remove_pairs(wanted, existing, &mut plan);
    let (mine, others): (Vec<_>, Vec<_>) =
        existing.subscriptions.iter().partition(|found| is_ours(wanted, &found.tags));
    let callers = other_callers(wanted, existing);
    if callers.is_empty() {
        for found in mine {
            plan.add(delete_subscription(found), true);
        }
    } else if !mine.is_empty() {
        let callers = callers.join(", ");
        plan.notes.push(format!("the subscription stays: {callers} may call the function through it"));
    }
    if let Some(found) = &existing.topic {
        remove_topic(wanted, (found, &callers), &others, &mut plan);
    }
    plan
}

/// The alarms that notify our topic and stay.
fn other_callers(wanted: &Desired, existing: &Existing) -> Vec<String> {
    let goes =
        |found: &ExistingAlarm| is_ours(wanted, &found.alarm.tags) || paired_with(wanted, found).is_some();
    let calls = |found: &&ExistingAlarm| notifies(wanted, existing, found) && !goes(found);
    existing.alarms.iter().filter(calls).map(|found| format!("alarm `{}`", found.alarm.name)).collect()
}

/// A deployment may be in several sets: only the pairs that call this one's function are its own.
fn remove_pairs(wanted: &Desired, existing: &Existing, plan: &mut ProvisionPlan) {
    for found in &existing.alarms {
        let Some(deployment) = paired_with(wanted, found) else { continue };
        let name = &found.alarm.name;
        if notifies(wanted, existing, found) {
            plan.add(delete_alarm(found), true);
            plan.notes.push(format!(
                "without `{name}`, nothing removes what was added to `{deployment}`: it keeps its size"
            ));
        } else {
            let topic = wanted.topic.as_str();
            plan.notes.push(format!("`{name}` on `{deployment}` does not notify topic `{topic}` and stays"));
        }
    }
}

/// The deployment of the policy for which the function has written this scale-down alarm.
fn paired_with<'a>(wanted: &Desired, found: &'a ExistingAlarm) -> Option<&'a String> {
    let tags = &found.alarm.tags;
    let target = tags.get(TAG_TARGET).filter(|_| tags.contains_key(TAG_PAIR));
    target.filter(|target| wanted.deployments.contains(target))
}

/// Whether an alarm notifies the topic of this set.
fn notifies(wanted: &Desired, existing: &Existing, found: &ExistingAlarm) -> bool {
    let topic = match (&wanted.topic, &existing.topic) {
        (_, Some(topic)) => &topic.id,
        (Topic::Given(id), None) => id,
        (Topic::Named(_), None) => return false,
    };
    found.alarm.destinations.contains(topic)
}

fn remove_topic(
    wanted: &Desired,
    (topic, callers): (&ExistingTopic, &[String]),
    listeners: &[&ExistingSubscription],
    plan: &mut ProvisionPlan,
) {
    let ExistingTopic { id, name, etag, tags } = topic;
    if matches!(wanted.topic, Topic::Given(_)) || !is_ours(wanted, tags) {
        plan.notes.push(format!("topic `{name}` is {} and stays", whose(wanted, tags)));
        return;
    }
    let listeners = listeners.iter().map(|found| format!("`{}`", found.endpoint));
    let users: Vec<String> = callers.iter().cloned().chain(listeners).collect();
    if users.is_empty() {
        plan.add(Call::DeleteTopic { id: id.clone(), if_match: etag.clone(), name: name.clone() }, true);
    } else {
        plan.notes.push(format!("topic `{name}` is in use and stays: {}", users.join(", ")));
    }
}
