//! The batches that Lambda delivers from SNS and from SQS, record by record.

use serde_json::Value;

use super::field::{malformed, text};
use super::limits::gather;
use super::sns_envelope::through;
use super::{Error, Source, not_an_alarm, read_carried};
use crate::alarm::Event;

/// This shape's row.
pub(super) const SOURCE: Source = Source { name: "records", claims, read };

/// Where SNS and SQS keep what they carry.
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
            let event = inside("SNS record", "Sns.Message", record.pointer("/Sns/Message"))?;
            Ok(through(record.pointer("/Sns/TopicArn"), event))
        }
        Some(Carrier::Sqs) => inside("SQS record", "body", record.get("body")),
        None => Err(Error::NotAnAlarm { seen: not_an_alarm::describe_record(record) }),
    }
}

fn inside(shape: &'static str, field: &'static str, carried: Option<&Value>) -> Result<Event, Error> {
    let carried = carried.ok_or_else(|| malformed(shape, field, "an alarm's message", None))?;
    read_carried(SOURCE.name, carried)
}
