//! The EventBridge event of a CloudWatch alarm's change of state, or of one contributor's change.

use serde_json::Value;

use super::cloudwatch::account;
use super::field::{moment, text};
use super::{Error, Source, cloudwatch_state};
use crate::source::Event;

/// This shape's row.
pub(super) const SOURCE: Source = Source { name: "cloudwatch-event", claims, read };

const SHAPE: &str = "CloudWatch alarm event";

/// The edit of an alarm is an event, too, with another name. It is not a change of state.
const CHANGES: [&str; 2] = ["CloudWatch Alarm State Change", "CloudWatch Alarm Contributor State Change"];

fn claims(payload: &Value) -> bool {
    let is_change = text(payload, &["detail-type"]).is_some_and(|name| CHANGES.contains(&name));
    // A direct action with the fields of an event has no detail; its own row reads it.
    let has_detail = payload.get("detail").is_some() || payload.get("alarmData").is_none();
    is_change && has_detail && text(payload, &["source"]) == Some("aws.cloudwatch")
}

fn read(payload: &Value) -> Result<Event, Error> {
    let detail = payload.get("detail").unwrap_or(&Value::Null);
    let id = payload.pointer("/resources/0").and_then(Value::as_str).unwrap_or_default();
    let account = account(SHAPE, payload, "account", id)?;
    cloudwatch_state::read(SHAPE, SOURCE.name, id, account, detail, moment(payload.get("time")))
}
