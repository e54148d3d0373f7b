//! The event that a CloudWatch alarm calls a Lambda function with, directly.

use serde_json::Value;

use super::field::{moment, text};
use super::{Error, Source, cloudwatch_state};
use crate::alarm::Event;

/// This shape's row.
pub(super) const SOURCE: Source = Source { name: "cloudwatch-action", claims, read };

fn claims(payload: &Value) -> bool {
    payload.get("alarmData").is_some()
}

fn read(payload: &Value) -> Result<Event, Error> {
    let block = payload.get("alarmData").unwrap_or(&Value::Null);
    let id = text(payload, &["alarmArn"]);
    cloudwatch_state::read("CloudWatch alarm action", SOURCE.name, id, block, moment(payload.get("time")))
}
