//! Publishes notices to SNS topics.

use aws_sdk_sns::Client;
use aws_sdk_sns::config::{Config, Region};

use super::arn_fields;
use super::errors::service_error;
use crate::platform::Error;

/// Publishes a message in the topic's own region, which may differ from the function's.
pub(super) async fn publish(
    client: &Client,
    topic: &str,
    subject: &str,
    message: &str,
) -> Result<String, Error> {
    let region = arn_fields(topic).map(|[_, region, _]| Region::new(region.to_owned()));
    let sent = client
        .publish()
        .topic_arn(topic)
        .subject(subject)
        .message(message)
        .customize()
        .config_override(Config::builder().region(region))
        .send()
        .await;
    let answer = sent.map_err(|error| service_error("aws:Publish", &error))?;
    Ok(format!("message {}", answer.message_id().unwrap_or_default()))
}
