//! The batches that Lambda delivers from SNS and from SQS, read record by record.

use serde_json::{Value, json};

use super::field::{malformed, text};
use super::limits::gather;
use super::sns_envelope::with_topic;
use super::{Error, QueueMessage, Source, not_an_alarm, read_carried};
use crate::source::Event;

/// This shape's row.
pub(super) const SOURCE: Source = Source { name: "records", claims, read };

/// SQS assigns UUIDs. The reply repeats an id, so its length is bounded.
const LONGEST_ID: usize = 100;

/// The service that delivered a record.
enum Carrier {
    Sns,
    Sqs,
}

fn claims(payload: &Value) -> bool {
    records(payload).iter().any(|record| carrier(record).is_some())
}

fn read(payload: &Value) -> Result<Event, Error> {
    gather(records(payload), read_record)
}

fn records(payload: &Value) -> &[Value] {
    payload.get("Records").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn carrier(record: &Value) -> Option<Carrier> {
    // SNS writes the key in upper case, every other source in lower case.
    match text(record, &["EventSource", "eventSource"])? {
        "aws:sns" => Some(Carrier::Sns),
        "aws:sqs" => Some(Carrier::Sqs),
        _ => None,
    }
}

fn read_record(record: &Value) -> Result<Event, Error> {
    match carrier(record) {
        Some(Carrier::Sns) => {
            let event = read_content("SNS record", "Sns.Message", record.pointer("/Sns/Message"))?;
            Ok(with_topic(record.pointer("/Sns/TopicArn"), event))
        }
        Some(Carrier::Sqs) => {
            let event = read_content("SQS record", "body", record.get("body"))?;
            message_id(record).map(|_| event)
        }
        None => Err(Error::NotAnAlarm { found: not_an_alarm::describe_record(record) }),
    }
}

fn read_content(shape: &'static str, field: &'static str, content: Option<&Value>) -> Result<Event, Error> {
    let content = content.ok_or_else(|| malformed(shape, field, "an alarm's message", None))?;
    read_carried(SOURCE.name, content)
}

/// The messages of a batch; `None` unless every record comes from a queue.
pub(super) fn messages(payload: &Value) -> Option<Vec<QueueMessage>> {
    let records = records(payload);
    let all_queued = records.iter().all(|record| matches!(carrier(record), Some(Carrier::Sqs)));
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
