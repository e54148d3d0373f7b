//! Notifications' topics and subscriptions, and the look at what is provisioned.

use std::collections::BTreeMap;

use hyper::Method;
use serde_json::{Value, json};

use super::alarms;
use super::api::{Answer, Api, Ask, Service, segment};
use crate::call::AlarmDefinition;
use crate::cloud::Error;
use crate::deployment::Tags;
use crate::policy::{Topic, Wanted};
use crate::provision::{self, FUNCTIONS, SeenSubscription, SeenTopic, Setup, is_ours};

/// Words for what is on its way out.
const GOING: [&str; 2] = ["DELETING", "DELETED"];

/// Reads what stands: the topic, what listens to it, and the alarms beside it, ours whole.
pub(super) async fn look(api: &Api, wanted: &Wanted) -> Result<Setup, Error> {
    let (topic, alarms) = tokio::join!(topic(api, wanted), alarms_of(api, wanted));
    let topic = topic?;
    let subscriptions = match &topic {
        Some(topic) => subscriptions(api, &wanted.compartment, &topic.id).await?,
        None => Vec::new(),
    };
    Ok(Setup { topic, subscriptions, alarms: alarms? })
}

async fn topic(api: &Api, wanted: &Wanted) -> Result<Option<SeenTopic>, Error> {
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

fn seen_topic(told: &Value, etag: Option<String>) -> Option<SeenTopic> {
    stands(told).then_some(())?;
    let etag = etag.or_else(|| word(told, "etag"));
    Some(SeenTopic { id: word(told, "topicId")?, name: word(told, "name")?, etag, tags: tags(told) })
}

async fn subscriptions(api: &Api, compartment: &str, topic: &str) -> Result<Vec<SeenSubscription>, Error> {
    let ask = Ask::get("oci:ListSubscriptions", Service::Notifications, "/subscriptions")
        .query("compartmentId", compartment)
        .query("topicId", topic);
    Ok(api.all_pages(ask).await?.iter().filter_map(seen_subscription).collect())
}

fn seen_subscription(told: &Value) -> Option<SeenSubscription> {
    stands(told).then_some(())?;
    Some(SeenSubscription {
        id: word(told, "id")?,
        topic: word(told, "topicId")?,
        protocol: word(told, "protocol")?,
        endpoint: word(told, "endpoint")?,
        etag: word(told, "etag"),
        tags: tags(told),
    })
}

/// A list leaves out how often an alarm repeats, among other things, so ours are read one by one.
async fn alarms_of(api: &Api, wanted: &Wanted) -> Result<Vec<provision::SeenAlarm>, Error> {
    let mut all = Vec::new();
    for compartment in wanted.alarm_homes() {
        all.extend(alarms::all(api, compartment).await?);
    }
    let mut found = Vec::new();
    for listed in all {
        let AlarmDefinition::Oci(definition) = &listed.definition else { continue };
        let seen = if is_ours(wanted, &definition.tags) {
            alarms::get(api, &listed.id).await?
        } else {
            Some(listed)
        };
        // One that is gone since it was listed stands no more.
        let Some(seen) = seen else { continue };
        if let AlarmDefinition::Oci(alarm) = seen.definition {
            found.push(provision::SeenAlarm { id: seen.id, etag: seen.etag, alarm });
        }
    }
    Ok(found)
}

/// Creates a topic, once per token.
pub(super) async fn create_topic(
    api: &Api,
    (name, compartment): (&str, &str),
    tags: &BTreeMap<String, String>,
    token: &str,
) -> Result<String, Error> {
    let description = "Alarms that call stepladder.";
    let ask = Ask::new("oci:CreateTopic", Service::Notifications, Method::POST, "/topics")
        .header("opc-retry-token", Some(token))
        .body(json!({ "name": name, "compartmentId": compartment, "description": description, "freeformTags": tags }));
    let answer = api.ask(ask).await?;
    Ok(format!("topic {}", word(&answer.body, "topicId").unwrap_or_default()))
}

/// Lets a topic call a function, once per token. A function needs no confirmation.
pub(super) async fn create_subscription(
    api: &Api,
    (topic, function): (&str, &str),
    compartment: &str,
    tags: &BTreeMap<String, String>,
    token: &str,
) -> Result<String, Error> {
    let ask = Ask::new("oci:CreateSubscription", Service::Notifications, Method::POST, "/subscriptions")
        .header("opc-retry-token", Some(token))
        .body(json!({
            "topicId": topic,
            "compartmentId": compartment,
            "protocol": FUNCTIONS,
            "endpoint": function,
            "freeformTags": tags,
        }));
    let answer = api.ask(ask).await?;
    Ok(format!("subscription {}", word(&answer.body, "id").unwrap_or_default()))
}

/// Deletes a topic, and with it what listens to it. Already gone is success.
pub(super) async fn delete_topic(api: &Api, id: &str, if_match: Option<&str>) -> Result<String, Error> {
    deleted(api, ("oci:DeleteTopic", format!("/topics/{}", segment(id))), if_match).await
}

/// Deletes a subscription. Already gone is success.
pub(super) async fn delete_subscription(
    api: &Api,
    id: &str,
    if_match: Option<&str>,
) -> Result<String, Error> {
    deleted(api, ("oci:DeleteSubscription", format!("/subscriptions/{}", segment(id))), if_match).await
}

async fn deleted(
    api: &Api,
    (operation, path): (&'static str, String),
    if_match: Option<&str>,
) -> Result<String, Error> {
    let ask = Ask::new(operation, Service::Notifications, Method::DELETE, path).header("if-match", if_match);
    match api.ask(ask).await {
        Ok(Answer { .. }) => Ok("deleted".to_owned()),
        Err(Error::Hidden { .. }) => Ok("gone already".to_owned()),
        Err(error) => Err(error),
    }
}

fn stands(told: &Value) -> bool {
    told.get("lifecycleState").and_then(Value::as_str).is_none_or(|state| !GOING.contains(&state))
}

fn word(told: &Value, key: &str) -> Option<String> {
    told.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn tags(told: &Value) -> Tags {
    told.get("freeformTags").and_then(|tags| serde_json::from_value(tags.clone()).ok()).unwrap_or_default()
}
