//! The look at what is provisioned: the topic, what listens to it, and the alarms.

use serde_json::Value;

use super::alarms;
use super::api::{Api, Ask, Service, segment};
use super::told::{stands, tags, word};
use crate::platform::Error;
use crate::platform::oci::provision::{self, Existing, ExistingSubscription, ExistingTopic, is_ours};
use crate::platform::oci::provision::{Desired, Topic};

/// Reads what stands: the topic, what listens to it, and the alarms beside it, ours whole.
pub(super) async fn look(api: &Api, wanted: &Desired) -> Result<Existing, Error> {
    let (topic, alarms) = tokio::join!(topic(api, wanted), alarms_of(api, wanted));
    let topic = topic?;
    let subscriptions = match &topic {
        Some(topic) => subscriptions(api, &wanted.compartment, &topic.id).await?,
        None => Vec::new(),
    };
    Ok(Existing { topic, subscriptions, alarms: alarms? })
}

async fn topic(api: &Api, wanted: &Desired) -> Result<Option<ExistingTopic>, Error> {
    match &wanted.topic {
        Topic::Named(name) => {
            let ask = Ask::get("oci:ListTopics", Service::Notifications, "/topics")
                .query("compartmentId", &wanted.compartment)
                .query("name", name);
            Ok(api.all_pages(ask).await?.iter().find_map(|item| seen_topic(item, None)))
        }
        Topic::Given(id) => {
            let path = format!("/topics/{}", segment(id));
            match api.ask(Ask::get("oci:GetTopic", Service::Notifications, path)).await {
                Ok(answer) => Ok(seen_topic(&answer.body, answer.etag)),
                Err(Error::Hidden { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        }
    }
}

fn seen_topic(told: &Value, etag: Option<String>) -> Option<ExistingTopic> {
    stands(told).then_some(())?;
    let etag = etag.or_else(|| word(told, "etag"));
    Some(ExistingTopic { id: word(told, "topicId")?, name: word(told, "name")?, etag, tags: tags(told) })
}

async fn subscriptions(
    api: &Api,
    compartment: &str,
    topic: &str,
) -> Result<Vec<ExistingSubscription>, Error> {
    let ask = Ask::get("oci:ListSubscriptions", Service::Notifications, "/subscriptions")
        .query("compartmentId", compartment)
        .query("topicId", topic);
    Ok(api.all_pages(ask).await?.iter().filter_map(seen_subscription).collect())
}

fn seen_subscription(told: &Value) -> Option<ExistingSubscription> {
    stands(told).then_some(())?;
    Some(ExistingSubscription {
        id: word(told, "id")?,
        topic: word(told, "topicId")?,
        protocol: word(told, "protocol")?,
        endpoint: word(told, "endpoint")?,
        etag: word(told, "etag"),
        tags: tags(told),
    })
}

/// A list leaves out how often an alarm repeats, among other things, so ours are read one by one.
async fn alarms_of(api: &Api, wanted: &Desired) -> Result<Vec<provision::ExistingAlarm>, Error> {
    let mut all = Vec::new();
    for compartment in wanted.alarm_homes() {
        all.extend(alarms::all(api, compartment).await?);
    }
    let mut found = Vec::new();
    for listed in all {
        let existing = if is_ours(wanted, &listed.alarm.tags) {
            alarms::get(api, &listed.id).await?
        } else {
            Some(listed)
        };
        // One that has been deleted since it was listed exists no more.
        found.extend(existing);
    }
    Ok(found)
}
