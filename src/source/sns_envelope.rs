//! The envelope that SNS puts around a message for everyone but Lambda: an SQS body, an HTTP delivery.

use serde_json::Value;

use super::{Error, Source, read_carried};
use crate::alarm::Event;

/// This shape's row.
pub(super) const SOURCE: Source = Source { name: "sns-envelope", claims, read };

fn claims(payload: &Value) -> bool {
    payload.get("Type").and_then(Value::as_str) == Some("Notification") && payload.get("Message").is_some()
}

fn read(payload: &Value) -> Result<Event, Error> {
    read_carried(SOURCE.name, payload.get("Message").unwrap_or(&Value::Null))
}
