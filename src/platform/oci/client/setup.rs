//! Reads the resources that `provision` manages: the topic, its subscriptions, and the alarms.

use serde_json::Value;

use super::alarms;
use super::api::{Api, ApiRequest, Service, segment};
use super::members::{exists, tags, word};
use crate::platform::Error;
use crate::platform::oci::provision::{self, Existing, ExistingSubscription, ExistingTopic, is_ours};
use crate::platform::oci::provision::{Desired, Topic};

/// Reads the existing topic, its subscriptions, and the alarms in its compartments.
pub(super) async fn read_existing(api: &Api, desired: &Desired) -> Result<Existing, Error> {
    let (topic, alarms) = tokio::join!(topic(api, desired), alarms_of(api, desired));
    let topic = topic?;
    let subscriptions = match &topic {
        Some(topic) => subscriptions(api, &desired.compartment, &topic.id).await?,
        None => Vec::new(),
    };
    Ok(Existing { topic, subscriptions, alarms: alarms? })
}

async fn topic(api: &Api, desired: &Desired) -> Result<Option<ExistingTopic>, Error> {
    match &desired.topic {
        Topic::Named(name) => {
            let request = ApiRequest::get("oci:ListTopics", Service::Notifications, "/topics")
                .query("compartmentId", &desired.compartment)
                .query("name", name);
            Ok(api.all_pages(request).await?.iter().find_map(|item| read_topic(item, None)))
        }
        Topic::Given(id) => {
            let path = format!("/topics/{}", segment(id));
            match api.send(ApiRequest::get("oci:GetTopic", Service::Notifications, path)).await {
                Ok(answer) => Ok(read_topic(&answer.body, answer.etag)),
                Err(Error::Hidden { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        }
    }
}

fn read_topic(resource: &Value, etag: Option<String>) -> Option<ExistingTopic> {
    exists(resource).then_some(())?;
    let etag = etag.or_else(|| word(resource, "etag"));
    Some(ExistingTopic {
        id: word(resource, "topicId")?,
        name: word(resource, "name")?,
        etag,
        tags: tags(resource),
    })
}

async fn subscriptions(
    api: &Api,
    compartment: &str,
    topic: &str,
) -> Result<Vec<ExistingSubscription>, Error> {
    let request = ApiRequest::get("oci:ListSubscriptions", Service::Notifications, "/subscriptions")
        .query("compartmentId", compartment)
        .query("topicId", topic);
    Ok(api.all_pages(request).await?.iter().filter_map(read_subscription).collect())
}

fn read_subscription(resource: &Value) -> Option<ExistingSubscription> {
    exists(resource).then_some(())?;
    Some(ExistingSubscription {
        id: word(resource, "id")?,
        topic: word(resource, "topicId")?,
        protocol: word(resource, "protocol")?,
        endpoint: word(resource, "endpoint")?,
        etag: word(resource, "etag"),
        tags: tags(resource),
    })
}

/// The alarms. A list leaves out some members, such as the repeat interval, so ours are read one by one.
async fn alarms_of(api: &Api, desired: &Desired) -> Result<Vec<provision::ExistingAlarm>, Error> {
    let mut all = Vec::new();
    for compartment in desired.alarm_homes() {
        all.extend(alarms::all(api, compartment).await?);
    }
    let mut found = Vec::new();
    for listed in all {
        let existing = if is_ours(desired, &listed.alarm.tags) {
            alarms::get(api, &listed.id).await?
        } else {
            Some(listed)
        };
        // `None` if it has been deleted since it was listed.
        found.extend(existing);
    }
    Ok(found)
}
