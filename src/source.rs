//! The table of alarm sources, and the parser that turns bytes into alarms.
//!
//! Every payload is hostile until read. Size, depth and the number of targets are bounded. No path or address in it is
//! ever followed. Parsing sends nothing.

use serde_json::Value;

use crate::alarm::Alarm;
use crate::target::{LONGEST_ID, TargetId};

mod cloudwatch;
mod cloudwatch_action;
mod cloudwatch_detail;
mod cloudwatch_event;
mod cloudwatch_message;
mod cloudwatch_state;
mod dimensions;
mod endpoint_state;
mod error;
mod failed_invocation;
mod field;
mod limits;
mod not_an_alarm;
mod oci_message;
mod reason_data;
mod records;
mod sns_envelope;
mod tick;

pub use error::Error;

/// The largest payload that is parsed, in bytes. SNS, ONS and EventBridge stop at 256 KiB; an asynchronous Lambda event
/// may reach 1 MiB.
pub const MAX_BYTES: usize = 1024 * 1024;

/// The deepest nesting that is parsed, in levels. A genuine alarm nests about ten levels.
pub const MAX_DEPTH: usize = 64;

/// The most deployments that one payload may name, over all its alarms. OCI sends at most 100 streams.
pub const MAX_TARGETS: usize = 100;

/// The most records that one payload may hold: the largest batch that SQS delivers to a function.
pub const MAX_RECORDS: usize = 10_000;

/// The largest batch of a queue that is parsed, in bytes: the most that Lambda passes to a function at once.
pub const MAX_BATCH_BYTES: usize = 6 * 1024 * 1024;

/// The content of one payload.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Event {
    /// The alarms that could be read, in the payload's order.
    pub alarms: Vec<Alarm>,
    /// The deployments that have settled, where a platform reported a change of state. Empty while one is still
    /// changing.
    pub settled: Option<Vec<TargetId>>,
    /// Whether this is a tick, the scheduled reconcile: every firing alarm is read and evaluated.
    pub tick: bool,
    /// Records of the payload that could not be read. The others are answered anyway.
    pub rejected: Vec<Error>,
}

impl Event {
    /// Whether the alarms that are firing now are read and evaluated as repeats.
    pub fn requests_repeats(&self) -> bool {
        self.tick || self.settled.as_ref().is_some_and(|settled| !settled.is_empty())
    }
}

/// One message of a queue's batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMessage {
    /// Its id in the queue; `None` for a text that no queue assigns.
    pub id: Option<String>,
    /// The message as a payload of its own.
    pub payload: Vec<u8>,
}

/// One shape of payload: how to recognise it, and how to read it.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// Its name in decision records.
    pub name: &'static str,
    /// Whether a payload has this shape. Cheap; the first row of the table that claims a payload reads it.
    pub claims: fn(&Value) -> bool,
    /// Reads a payload of this shape.
    pub read: fn(&Value) -> Result<Event, Error>,
}

/// Every supported shape, outermost first. The content of an envelope is offered only to the rows below it, so
/// envelopes nest no deeper than this table is long.
pub const SOURCES: &[Source] = &[
    records::SOURCE,
    sns_envelope::SOURCE,
    failed_invocation::SOURCE,
    // The batch that a failed invocation was about.
    records::FAILED,
    // Before the direct action: only an event has a `detail-type` that distinguishes the two.
    cloudwatch_event::SOURCE,
    cloudwatch_action::SOURCE,
    cloudwatch_detail::SOURCE,
    cloudwatch_message::SOURCE,
    endpoint_state::SOURCE,
    oci_message::SOURCE,
    tick::SOURCE,
];

/// Reads one payload.
///
/// Records that cannot be read are listed in [`Event::rejected`] if at least one alarm could be read.
///
/// # Errors
///
/// The first failure, if nothing in the payload could be read.
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
/// assert_eq!(event.alarms[0].measurement.reported.threshold, Some(80.0));
/// # Ok::<(), stepladder::source::Error>(())
/// ```
pub fn parse(body: &[u8]) -> Result<Event, Error> {
    limits::at_most("bytes", body.len(), MAX_BYTES)?;
    let text = std::str::from_utf8(body).map_err(|error| Error::NotUtf8 { at: error.valid_up_to() })?;
    let mut event = read(&limits::decode(text)?, SOURCES)?;
    event.alarms.iter_mut().for_each(drop_endless);
    Ok(event)
}

/// The longest metric name in bytes. CloudWatch and OCI Monitoring stop at 255 characters of ASCII.
pub const LONGEST_METRIC: usize = 255;

/// The longest id of an alarm in bytes: an ARN of CloudWatch with a name of 255 characters of four bytes. OCIDs are shorter.
pub const LONGEST_ALARM_ID: usize = 1200;

/// Leaves out what no service writes so long. It would be copied into every record of the payload, and into requests.
fn drop_endless(alarm: &mut Alarm) {
    let Alarm { id, measurement, unknown_targets, topic, account, .. } = alarm;
    measurement.metric.take_if(|metric| metric.len() > LONGEST_METRIC);
    if id.len() > LONGEST_ALARM_ID {
        id.clear();
    }
    unknown_targets.retain(|target| target.len() <= LONGEST_ID);
    // What should be known and is not is empty: a list without `*` then refuses the alarm.
    for text in [topic, account].into_iter().flatten().filter(|text| text.len() > LONGEST_ID) {
        text.clear();
    }
}

/// The messages of a queue's batch, each of which can be redelivered alone; `None` for every other payload.
pub fn messages(body: &[u8]) -> Option<Vec<QueueMessage>> {
    let text = std::str::from_utf8(body).ok().filter(|text| text.len() <= MAX_BATCH_BYTES)?;
    records::messages(&limits::decode(text).ok()?)
}

/// Reads a payload by the first of `rows` that claims it.
fn read(payload: &Value, rows: &[Source]) -> Result<Event, Error> {
    match rows.iter().find(|row| (row.claims)(payload)) {
        Some(row) => (row.read)(payload),
        None => Err(Error::NotAnAlarm { found: not_an_alarm::describe(payload) }),
    }
}

/// Reads the content of an envelope that the row `outer` claimed. The clouds send a document inside a string; people
/// write the document itself.
fn read_carried(outer: &str, carried: &Value) -> Result<Event, Error> {
    let below = SOURCES.iter().position(|row| row.name == outer).map_or(SOURCES.len(), |at| at + 1);
    let rows = SOURCES.get(below..).unwrap_or_default();
    match carried.as_str() {
        Some(text) if !limits::looks_like_json(text) => {
            Err(Error::NotAnAlarm { found: not_an_alarm::describe_text(text) })
        }
        Some(text) => read(&limits::decode(text)?, rows),
        None => read(carried, rows),
    }
}
