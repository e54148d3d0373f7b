//! The envelope that SNS puts around a message for all subscribers except Lambda: an SQS body, an HTTP delivery.

use serde_json::Value;

use super::{Error, Source, read_carried};
use crate::source::Event;

/// This shape's row.
pub(super) const SOURCE: Source = Source { name: "sns-envelope", claims, read };

/// A topic's name has at most 256 characters. The ARN is copied into every record, so its length is bounded.
const LONGEST_ARN: usize = 512;

fn claims(payload: &Value) -> bool {
    payload.get("Type").and_then(Value::as_str) == Some("Notification") && payload.get("Message").is_some()
}

fn read(payload: &Value) -> Result<Event, Error> {
    let event = read_carried(SOURCE.name, payload.get("Message").unwrap_or(&Value::Null))?;
    Ok(with_topic(payload.get("TopicArn"), event))
}

/// Records the topic that delivered an event. It overrides the topic of an inner envelope: that one is part of the
/// message, so any publisher can forge it.
pub(super) fn with_topic(topic: Option<&Value>, mut event: Event) -> Event {
    let arn = topic.and_then(Value::as_str).filter(|arn| arn.len() <= LONGEST_ARN).unwrap_or_default();
    for alarm in &mut event.alarms {
        alarm.topic = Some(arn.to_owned());
    }
    event
}
