//! The record that Lambda keeps of an event that a function could not answer, wherever such records are sent: to a queue,
//! to a topic, or to an event bus. An operator sends it again when the failure is repaired.

use serde_json::Value;

use super::error::quoted;
use super::field::text;
use super::{Error, Source, read_carried};
use crate::source::Event;

/// This shape's row.
pub(super) const SOURCE: Source = Source { name: "failed-invocation", claims, read };

/// A record that is sent again and fails again is in a record of its own. Nobody tries more often than this.
const MOST: usize = 8;

fn claims(payload: &Value) -> bool {
    record(payload).is_some()
}

/// The record itself; from an event bus it is the detail of an event.
fn record(payload: &Value) -> Option<&Value> {
    let is_record = |record: &&Value| {
        let context = record.get("requestContext");
        let has = |key: &str| context.and_then(|context| context.get(key)).is_some();
        record.get("requestPayload").is_some() && (has("functionArn") || has("condition"))
    };
    let in_event = || payload.get("detail").filter(|_| text(payload, &["source"]) == Some("lambda"));
    Some(payload).filter(is_record).or_else(|| in_event().filter(is_record))
}

fn read(payload: &Value) -> Result<Event, Error> {
    let mut carried = payload;
    for _ in 0..MOST {
        let Some(record) = record(carried) else { break };
        refuse_success(record)?;
        carried = record.get("requestPayload").unwrap_or(&Value::Null);
    }
    read_carried(SOURCE.name, carried)
}

/// An event that was answered must not be answered again: a function that is sent its own successes would never stop.
fn refuse_success(record: &Value) -> Result<(), Error> {
    let condition = record.get("requestContext").and_then(|context| text(context, &["condition"]));
    match condition {
        Some("Success") => {
            let found = format!("the record of an invocation that ended in {}", quoted("Success"));
            Err(Error::NotAnAlarm { found })
        }
        _ => Ok(()),
    }
}
