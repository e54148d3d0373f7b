//! What is ours, as calls that remove it. Pure.

use jiff::Timestamp;

use super::plan::{
    Existing, ExistingAlarm, ExistingSubscription, ExistingTopic, ProvisionPlan, delete_alarm,
    delete_subscription, is_ours, ours, whose,
};
use crate::platform::oci::call::Call;
use crate::platform::oci::model_deployment::{TAG_PAIR, TAG_TARGET};
use crate::platform::oci::provision::{Desired, Topic};

/// Every call that removes what is ours, and nothing else.
pub fn removal(wanted: &Desired, setup: &Existing, _run: Timestamp) -> ProvisionPlan {
    let mut plan = ProvisionPlan::default();
    // What calls goes before what is called.
    for seen in ours(wanted, setup) {
        plan.add(delete_alarm(seen), true);
    }
    remove_pairs(wanted, setup, &mut plan);
    let (mine, others): (Vec<_>, Vec<_>) =
        setup.subscriptions.iter().partition(|seen| is_ours(wanted, &seen.tags));
    let callers = other_callers(wanted, setup);
    if callers.is_empty() {
        for seen in mine {
            plan.add(delete_subscription(seen), true);
        }
    } else if !mine.is_empty() {
        let callers = callers.join(", ");
        plan.notes.push(format!("the subscription stays: {callers} may call the function through it"));
    }
    if let Some(seen) = &setup.topic {
        remove_topic(wanted, (seen, &callers), &others, &mut plan);
    }
    plan
}

/// The alarms that notify our topic and stay.
fn other_callers(wanted: &Desired, setup: &Existing) -> Vec<String> {
    let goes =
        |seen: &ExistingAlarm| is_ours(wanted, &seen.alarm.tags) || paired_with(wanted, seen).is_some();
    let calls = |seen: &&ExistingAlarm| notifies(wanted, setup, seen) && !goes(seen);
    setup.alarms.iter().filter(calls).map(|seen| format!("alarm `{}`", seen.alarm.name)).collect()
}

/// A deployment may be in several sets: only the pairs that call this one's function are its own.
fn remove_pairs(wanted: &Desired, setup: &Existing, plan: &mut ProvisionPlan) {
    for seen in &setup.alarms {
        let Some(deployment) = paired_with(wanted, seen) else { continue };
        let name = &seen.alarm.name;
        if notifies(wanted, setup, seen) {
            plan.add(delete_alarm(seen), true);
            plan.notes.push(format!(
                "`{name}` would have taken back what was added to `{deployment}`: it keeps the size that it has"
            ));
        } else {
            let topic = wanted.topic.as_str();
            plan.notes.push(format!("`{name}` on `{deployment}` does not notify topic `{topic}` and stays"));
        }
    }
}

/// The deployment of the policy for which the function has written this low alarm.
fn paired_with<'a>(wanted: &Desired, seen: &'a ExistingAlarm) -> Option<&'a String> {
    let tags = &seen.alarm.tags;
    let target = tags.get(TAG_TARGET).filter(|_| tags.contains_key(TAG_PAIR));
    target.filter(|target| wanted.deployments.contains(target))
}

/// Whether an alarm notifies the topic of this set.
fn notifies(wanted: &Desired, setup: &Existing, seen: &ExistingAlarm) -> bool {
    let topic = match (&wanted.topic, &setup.topic) {
        (_, Some(topic)) => &topic.id,
        (Topic::Given(id), None) => id,
        (Topic::Named(_), None) => return false,
    };
    seen.alarm.destinations.contains(topic)
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
    let listeners = listeners.iter().map(|seen| format!("`{}`", seen.endpoint));
    let users: Vec<String> = callers.iter().cloned().chain(listeners).collect();
    if users.is_empty() {
        plan.add(Call::DeleteTopic { id: id.clone(), if_match: etag.clone(), name: name.clone() }, true);
    } else {
        plan.notes.push(format!("topic `{name}` is in use and stays: {}", users.join(", ")));
    }
}
