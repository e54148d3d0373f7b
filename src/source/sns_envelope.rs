//! The envelope that SNS puts around a message for everyone but Lambda: an SQS body, an HTTP delivery.

use serde_json::Value;

use super::{Error, Source, read_carried};
use crate::source::Event;

/// This shape's row.
pub(super) const SOURCE: Source = Source { name: "sns-envelope", claims, read };

/// A topic's name has at most 256 characters. The ARN is copied into every record, so it must not be endless.
const LONGEST_ARN: usize = 512;

fn claims(payload: &Value) -> bool {
    payload.get("Type").and_then(Value::as_str) == Some("Notification") && payload.get("Message").is_some()
}

fn read(payload: &Value) -> Result<Event, Error> {
    let event = read_carried(SOURCE.name, payload.get("Message").unwrap_or(&Value::Null))?;
    Ok(through(payload.get("TopicArn"), event))
}

/// An event that came through a topic. What an inner envelope claims does not count: that is part of the
/// message, and whoever may publish can write it.
pub(super) fn through(topic: Option<&Value>, mut event: Event) -> Event {
    let arn = topic.and_then(Value::as_str).filter(|arn| arn.len() <= LONGEST_ARN).unwrap_or_default();
    for alarm in &mut event.alarms {
        alarm.topic = Some(arn.to_owned());
    }
    event
}
