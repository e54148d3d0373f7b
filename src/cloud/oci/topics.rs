//! Notifications' topics: what is told to whoever subscribes to one.

use hyper::Method;
use serde_json::json;

use super::api::{Again, Api, Ask, Service, segment};
use crate::cloud::Error;

/// Publishes a message. Sent again only where it surely has not arrived: every message reaches people.
pub(super) async fn publish(api: &Api, topic: &str, title: &str, body: &str) -> Result<String, Error> {
    let path = format!("/topics/{}/messages", segment(topic));
    let ask = Ask::new("oci:PublishMessage", Service::Notifications, Method::POST, path)
        .body(json!({ "title": title, "body": body }))
        .again(Again::Unsent);
    let answer = api.ask(ask).await?;
    let id = answer.body.get("messageId").and_then(|id| id.as_str()).unwrap_or_default();
    Ok(format!("message {id}"))
}
