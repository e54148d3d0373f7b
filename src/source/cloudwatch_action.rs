//! The event with which a CloudWatch alarm invokes a Lambda function directly.

use serde_json::Value;

use super::cloudwatch::account;
use super::field::{moment, text};
use super::{Error, Source, cloudwatch_state};
use crate::source::Event;

/// This shape's row.
pub(super) const SOURCE: Source = Source { name: "cloudwatch-action", claims, read };

const SHAPE: &str = "CloudWatch alarm action";

fn claims(payload: &Value) -> bool {
    payload.get("alarmData").is_some()
}

fn read(payload: &Value) -> Result<Event, Error> {
    let block = payload.get("alarmData").unwrap_or(&Value::Null);
    let id = text(payload, &["alarmArn"]).unwrap_or_default();
    let account = account(SHAPE, payload, "accountId", id)?;
    cloudwatch_state::read(SHAPE, SOURCE.name, id, account, block, moment(payload.get("time")))
}
