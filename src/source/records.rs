//! Batches, read record by record: what Lambda delivers from SNS and SQS, what a pipe delivers, and what an operator
//! takes out of a queue.

use serde_json::{Value, json};

use super::field::{malformed, text};
use super::limits::gather;
use super::sns_envelope::with_topic;
use super::{Error, QueueMessage, Source, not_an_alarm, read_carried};
use crate::source::Event;

/// This shape's row.
pub(super) const SOURCE: Source = Source { name: "records", claims, read };

/// The row of a batch inside the record of a failed invocation, or inside a message: the queue of failed events of a
/// function holds whole batches.
pub(super) const FAILED: Source = Source { name: "failed-records", claims, read: read_failed };

/// SQS assigns UUIDs. The reply repeats an id, so its length is bounded.
const LONGEST_ID: usize = 100;

/// What delivered a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carrier {
    Sns,
    Sqs,
    /// A message as `aws sqs receive-message` prints it.
    Received,
    /// A pipe, of which each item is a payload of its own.
    Pipe,
}

fn claims(payload: &Value) -> bool {
    records(payload).iter().any(|record| carrier(payload, record).is_some())
}

fn read(payload: &Value) -> Result<Event, Error> {
    gather(records(payload), |record| read_record(SOURCE.name, payload, record))
}

fn read_failed(payload: &Value) -> Result<Event, Error> {
    gather(records(payload), |record| read_record(FAILED.name, payload, record))
}

/// The records: those of `Records`, the messages of `aws sqs receive-message`, the items of a pipe, or one record alone.
fn records(payload: &Value) -> &[Value] {
    let list = payload.get("Records").or_else(|| payload.get("Messages")).unwrap_or(payload);
    match list.as_array() {
        Some(list) => list,
        None if carrier(payload, payload).is_some() => std::slice::from_ref(payload),
        None => &[],
    }
}

fn carrier(payload: &Value, record: &Value) -> Option<Carrier> {
    // SNS writes the key in upper case, every other source in lower case.
    match text(record, &["EventSource", "eventSource"]) {
        Some("aws:sns") => Some(Carrier::Sns),
        Some("aws:sqs") => Some(Carrier::Sqs),
        None if record.get("MessageId").is_some() && record.get("Body").is_some() => Some(Carrier::Received),
        None if payload.is_array() && (record.is_object() || record.is_string()) => Some(Carrier::Pipe),
        Some(_) | None => None,
    }
}

fn read_record(row: &'static str, payload: &Value, record: &Value) -> Result<Event, Error> {
    let content = |shape: &'static str, field: &'static str, content: Option<&Value>| {
        let content = content.ok_or_else(|| malformed(shape, field, "an alarm's message", None))?;
        read_carried(row, content)
    };
    match carrier(payload, record) {
        Some(Carrier::Sns) => {
            let event = content("SNS record", "Sns.Message", record.pointer("/Sns/Message"))?;
            Ok(with_topic(record.pointer("/Sns/TopicArn"), event))
        }
        Some(Carrier::Sqs) => {
            let event = content("SQS record", "body", record.get("body"))?;
            message_id(record).map(|_| event)
        }
        Some(Carrier::Received) => content("SQS message", "Body", record.get("Body")),
        Some(Carrier::Pipe) => read_carried(row, record),
        None => Err(Error::NotAnAlarm { found: not_an_alarm::describe_record(record) }),
    }
}

/// The messages of a batch; `None` unless every record comes from a queue.
pub(super) fn messages(payload: &Value) -> Option<Vec<QueueMessage>> {
    let records = records(payload);
    let all_queued = records.iter().all(|record| carrier(payload, record) == Some(Carrier::Sqs));
    let message = |record: &Value| QueueMessage {
        id: message_id(record).ok().map(str::to_owned),
        payload: json!({ "Records": [record] }).to_string().into_bytes(),
    };
    (all_queued && !records.is_empty()).then(|| records.iter().map(message).collect())
}

/// The id by which the reply reports a failed message to the queue. The reply repeats it exactly, so even surrounding
/// white space is kept.
fn message_id(record: &Value) -> Result<&str, Error> {
    let id = record.get("messageId").and_then(Value::as_str);
    let is_valid = |id: &&str| {
        !id.trim().is_empty() && id.chars().nth(LONGEST_ID).is_none() && !id.contains(char::is_control)
    };
    let expected = "the id of a queue's message, of at most 100 characters";
    id.filter(is_valid).ok_or_else(|| malformed("SQS record", "messageId", expected, record.get("messageId")))
}
