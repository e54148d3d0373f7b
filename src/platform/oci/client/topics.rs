//! Creates and deletes topics and subscriptions of OCI Notifications, and publishes messages.

use hyper::Method;
use serde_json::json;

use super::api::{Api, ApiRequest, Retry, Service, segment};
use super::members::word;
use crate::platform::Error;
use crate::platform::oci::call::RetryToken;
use crate::platform::oci::provision::FUNCTIONS;
use crate::tags::Tags;

/// Publishes a message. It is retried only if it certainly has not arrived, because people receive each one.
pub(super) async fn publish(api: &Api, topic: &str, title: &str, body: &str) -> Result<String, Error> {
    let path = format!("/topics/{}/messages", segment(topic));
    let request = ApiRequest::new("oci:PublishMessage", Service::Notifications, Method::POST, path)
        .body(json!({ "title": title, "body": body }))
        .retry(Retry::Unsent);
    let answer = api.send(request).await?;
    Ok(format!("message {}", word(&answer.body, "messageId").unwrap_or_default()))
}

/// Creates a topic, once per token.
pub(super) async fn create_topic(
    api: &Api,
    name: &str,
    compartment: &str,
    tags: &Tags,
    token: RetryToken,
) -> Result<String, Error> {
    let token = token.to_string();
    let description = "Alarms that call stepladder.";
    let request = ApiRequest::new("oci:CreateTopic", Service::Notifications, Method::POST, "/topics")
        .header("opc-retry-token", Some(&token))
        .body(json!({ "name": name, "compartmentId": compartment, "description": description, "freeformTags": tags }));
    let answer = api.send(request).await?;
    Ok(format!("topic {}", word(&answer.body, "topicId").unwrap_or_default()))
}

/// Subscribes a function to a topic, once per token. A function needs no confirmation.
pub(super) async fn create_subscription(
    api: &Api,
    topic: &str,
    function: &str,
    compartment: &str,
    tags: &Tags,
    token: RetryToken,
) -> Result<String, Error> {
    let token = token.to_string();
    let request =
        ApiRequest::new("oci:CreateSubscription", Service::Notifications, Method::POST, "/subscriptions")
            .header("opc-retry-token", Some(&token))
            .body(json!({
                "topicId": topic,
                "compartmentId": compartment,
                "protocol": FUNCTIONS,
                "endpoint": function,
                "freeformTags": tags,
            }));
    let answer = api.send(request).await?;
    Ok(format!("subscription {}", word(&answer.body, "id").unwrap_or_default()))
}

/// Deletes a topic with its subscriptions. If it does not exist, that is success.
pub(super) async fn delete_topic(api: &Api, id: &str, if_match: Option<&str>) -> Result<String, Error> {
    delete(api, "oci:DeleteTopic", format!("/topics/{}", segment(id)), if_match).await
}

/// Deletes a subscription. If it does not exist, that is success.
pub(super) async fn delete_subscription(
    api: &Api,
    id: &str,
    if_match: Option<&str>,
) -> Result<String, Error> {
    delete(api, "oci:DeleteSubscription", format!("/subscriptions/{}", segment(id)), if_match).await
}

async fn delete(
    api: &Api,
    operation: &'static str,
    path: String,
    if_match: Option<&str>,
) -> Result<String, Error> {
    let request =
        ApiRequest::new(operation, Service::Notifications, Method::DELETE, path).header("if-match", if_match);
    match api.send(request).await {
        Ok(_) => Ok("deleted".to_owned()),
        Err(Error::Hidden { .. }) => Ok("gone already".to_owned()),
        Err(error) => Err(error),
    }
}
