//! Notifications' topics and subscriptions, created and deleted, and what is told to whoever subscribes to one.

use hyper::Method;
use serde_json::json;

use super::api::{Again, Api, Ask, Service, segment};
use super::told::word;
use crate::platform::Error;
use crate::platform::oci::call::RetryToken;
use crate::platform::oci::provision::FUNCTIONS;
use crate::tags::Tags;

/// Publishes a message. Sent again only where it surely has not arrived: every message reaches people.
pub(super) async fn publish(api: &Api, topic: &str, title: &str, body: &str) -> Result<String, Error> {
    let path = format!("/topics/{}/messages", segment(topic));
    let ask = Ask::new("oci:PublishMessage", Service::Notifications, Method::POST, path)
        .body(json!({ "title": title, "body": body }))
        .again(Again::Unsent);
    let answer = api.ask(ask).await?;
    Ok(format!("message {}", word(&answer.body, "messageId").unwrap_or_default()))
}

/// Creates a topic, once per token.
pub(super) async fn create_topic(
    api: &Api,
    (name, compartment): (&str, &str),
    tags: &Tags,
    token: RetryToken,
) -> Result<String, Error> {
    let token = token.to_string();
    let description = "Alarms that call stepladder.";
    let ask = Ask::new("oci:CreateTopic", Service::Notifications, Method::POST, "/topics")
        .header("opc-retry-token", Some(&token))
        .body(json!({ "name": name, "compartmentId": compartment, "description": description, "freeformTags": tags }));
    let answer = api.ask(ask).await?;
    Ok(format!("topic {}", word(&answer.body, "topicId").unwrap_or_default()))
}

/// Lets a topic call a function, once per token. A function needs no confirmation.
pub(super) async fn create_subscription(
    api: &Api,
    (topic, function): (&str, &str),
    compartment: &str,
    tags: &Tags,
    token: RetryToken,
) -> Result<String, Error> {
    let token = token.to_string();
    let ask = Ask::new("oci:CreateSubscription", Service::Notifications, Method::POST, "/subscriptions")
        .header("opc-retry-token", Some(&token))
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
        Ok(_) => Ok("deleted".to_owned()),
        Err(Error::Hidden { .. }) => Ok("gone already".to_owned()),
        Err(error) => Err(error),
    }
}
