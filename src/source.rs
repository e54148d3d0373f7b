//! The table of alarm sources, and the way from bytes to alarms.
//!
//! Every payload is hostile until read: size, depth and the number of targets are bounded, and no path
//! or address in it is ever followed. Sends nothing.

use serde_json::Value;

use crate::alarm::Alarm;

use crate::target::TargetId;

mod cloudwatch;
mod cloudwatch_action;
mod cloudwatch_event;
mod cloudwatch_message;
mod cloudwatch_state;
mod endpoint_state;
mod error;
mod field;
mod limits;
mod not_an_alarm;
mod oci_message;
mod records;
mod sns_envelope;
mod state_reason;
mod tick;

pub use error::Error;

/// The largest payload that is looked at. SNS, ONS and EventBridge stop at 256 KiB; an asynchronous
/// Lambda event may reach 1 MiB.
pub const MAX_BYTES: usize = 1024 * 1024;

/// The deepest nesting that is looked at. A genuine alarm nests about ten levels.
pub const MAX_DEPTH: usize = 64;

/// The most deployments that one payload may name, over all its alarms. OCI sends at most 100 streams.
pub const MAX_TARGETS: usize = 100;

/// The most records that one payload may hold: the largest batch that SQS hands to a function.
pub const MAX_RECORDS: usize = 10_000;

/// The largest batch of a queue that is looked at: all that Lambda hands to a function at once.
pub const MAX_BATCH_BYTES: usize = 6 * 1024 * 1024;

/// What one payload said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Event {
    /// The alarms that could be read, in the payload's order.
    pub alarms: Vec<Alarm>,
    /// Deployments that have come to rest, when a platform told of a change of state; empty while one is
    /// still changing.
    pub settled: Option<Vec<TargetId>>,
    /// Whether the clock has called: everything that fires is to be looked at.
    pub tick: bool,
    /// Records of the payload that could not be read. They never keep the others from being answered.
    pub rejected: Vec<Error>,
}

impl Event {
    /// Whether it calls for the alarms that fire now.
    pub fn asks_for_repeats(&self) -> bool {
        self.tick || self.settled.as_ref().is_some_and(|settled| !settled.is_empty())
    }
}

/// One message of a queue's batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMessage {
    /// By which the queue knows it; `None` when that is no id that a queue gives.
    pub id: Option<String>,
    /// The message as a payload of its own.
    pub payload: Vec<u8>,
}

/// One shape of payload: how to know it, and how to read it.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// Its name in decision records.
    pub name: &'static str,
    /// Whether a payload has this shape. Cheap; the first row of the table that claims a payload reads it.
    pub claims: fn(&Value) -> bool,
    /// Reads a payload of this shape.
    pub read: fn(&Value) -> Result<Event, Error>,
}

/// Every shape that is understood, outermost first: what an envelope carries is only offered to the rows
/// below it, so envelopes nest no deeper than this table is long.
pub const SOURCES: &[Source] = &[
    records::SOURCE,
    sns_envelope::SOURCE,
    // Before the direct action: only here does the name of an event say which of the two it is.
    cloudwatch_event::SOURCE,
    cloudwatch_action::SOURCE,
    cloudwatch_message::SOURCE,
    endpoint_state::SOURCE,
    oci_message::SOURCE,
    tick::SOURCE,
];

/// Reads one payload.
///
/// Records that cannot be read stand in [`Event::rejected`] as long as at least one alarm could be read;
/// otherwise the first failure is the error.
///
/// ```
/// use stepladder::alarm::Transition;
///
/// let body = br#"{"title": "model_deployment_high_cpu", "type": "REPEAT", "alarmMetaData": [{
///     "namespace": "oci_datascience_modeldeploy",
///     "query": "CpuUtilization[5m].mean() > 80",
///     "dimensions": [{"resourceId": "ocid1.datasciencemodeldeployment.oc1.iad.example"}]}]}"#;
/// let event = stepladder::source::parse(body)?;
/// assert_eq!(event.alarms[0].transition, Transition::Repeat);
/// assert_eq!(event.alarms[0].measurement.threshold, Some(80.0));
/// # Ok::<(), stepladder::source::Error>(())
/// ```
pub fn parse(body: &[u8]) -> Result<Event, Error> {
    limits::at_most("bytes", body.len(), MAX_BYTES)?;
    let text = std::str::from_utf8(body).map_err(|error| Error::NotUtf8 { at: error.valid_up_to() })?;
    read(&limits::decode(text)?, SOURCES)
}

/// The messages of a queue's batch, each of which may be delivered again by itself; `None` for every other
/// payload.
pub fn messages(body: &[u8]) -> Option<Vec<QueueMessage>> {
    let text = std::str::from_utf8(body).ok().filter(|text| text.len() <= MAX_BATCH_BYTES)?;
    records::messages(&limits::decode(text).ok()?)
}

/// Reads a payload by the first of `rows` that claims it.
fn read(payload: &Value, rows: &[Source]) -> Result<Event, Error> {
    match rows.iter().find(|row| (row.claims)(payload)) {
        Some(row) => (row.read)(payload),
        None => Err(Error::NotAnAlarm { seen: not_an_alarm::describe(payload) }),
    }
}

/// Reads what the envelope of the row `outer` carries: a document written into a string, as the clouds
/// send it, or the document itself, as people write it by hand.
fn read_carried(outer: &str, carried: &Value) -> Result<Event, Error> {
    let below = SOURCES.iter().position(|row| row.name == outer).map_or(SOURCES.len(), |at| at + 1);
    let rows = SOURCES.get(below..).unwrap_or_default();
    match carried.as_str() {
        Some(text) if !limits::looks_like_json(text) => {
            Err(Error::NotAnAlarm { seen: not_an_alarm::describe_text(text) })
        }
        Some(text) => read(&limits::decode(text)?, rows),
        None => read(carried, rows),
    }
}
