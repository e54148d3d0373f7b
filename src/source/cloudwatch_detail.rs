//! The detail of a CloudWatch alarm's event alone, as an EventBridge rule with the input path `$.detail` delivers it.

use serde_json::Value;

use super::field::text;
use super::{Error, Source, cloudwatch_state};
use crate::source::Event;

/// This shape's row.
pub(super) const SOURCE: Source = Source { name: "cloudwatch-detail", claims, read };

const SHAPE: &str = "detail of a CloudWatch alarm event";

fn claims(payload: &Value) -> bool {
    let has_state = payload.get("state").is_some_and(|state| text(state, &["value"]).is_some());
    text(payload, &["alarmName"]).is_some() && has_state
}

/// Only the event around it has the alarm's ARN and account.
fn read(payload: &Value) -> Result<Event, Error> {
    cloudwatch_state::read(SHAPE, SOURCE.name, "", String::new(), payload, None)
}
