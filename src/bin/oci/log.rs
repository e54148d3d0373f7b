//! Prints the function's log: decision records, errors, and the frame that marks the lines of each call.
//!
//! Records go to standard output and errors to standard error, each as one line of JSON. The log never contains a payload
//! or credentials.

use std::io;

use hyper::HeaderMap;
use serde_json::{Value, json};
use stepladder::host::Log;
use stepladder::outcome::Outcome;
use stepladder::{environment, report};

/// The frame line before the lines of each call, if the agent requests one: the log groups lines by it.
#[derive(Debug)]
pub(crate) struct LogFrame(Option<FrameSettings>);

#[derive(Debug)]
struct FrameSettings {
    name: String,
    header: String,
}

impl LogFrame {
    /// The frame that the agent requests in the environment.
    pub(crate) fn from_env() -> Self {
        let name = environment::variable("FN_LOGFRAME_NAME");
        let header = environment::variable("FN_LOGFRAME_HDR");
        Self(name.zip(header).map(|(name, header)| FrameSettings { name, header }))
    }

    /// Prints the frame line of a call to both streams.
    pub(crate) fn begin(&self, headers: &HeaderMap) {
        let Some(FrameSettings { name, header }) = &self.0 else { return };
        let Some(value) = headers.get(header).and_then(|value| value.to_str().ok()) else { return };
        let frame = format!("\n{name}={value}\n");
        print(&mut io::stdout(), &frame);
        print(&mut io::stderr(), &frame);
    }
}

/// The log of the function's calls.
pub(crate) struct FunctionLog;

impl Log for FunctionLog {
    fn outcome(&mut self, outcome: &Outcome) {
        if let Some(failure) = &outcome.error {
            let message = format!("alarm `{}`: {}", outcome.alarm.name, report::explanation(outcome));
            error(failure.kind(), &message);
        }
        record(&report::record(outcome));
    }

    fn error(&mut self, kind: &str, message: &str) {
        error(kind, message);
    }

    fn warn(&mut self, message: &str) {
        error("notice", message);
    }

    fn info(&mut self, message: &str) {
        record(&json!({ "info": message }));
    }
}

/// Prints one record.
pub(crate) fn record(record: &Value) {
    print(&mut io::stdout(), &format!("{record}\n"));
}

/// Prints one error, and returns it as a reply.
pub(crate) fn error(kind: &str, message: &str) -> Value {
    let error = reply(kind, message);
    print(&mut io::stderr(), &format!("{error}\n"));
    error
}

/// The reply for an error.
pub(crate) fn reply(kind: &str, message: &str) -> Value {
    json!({ "error": { "kind": kind, "message": message } })
}

/// Prints and flushes at once, because the platform may freeze the process next. A closed log must not fail the call.
fn print(stream: &mut dyn io::Write, text: &str) {
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
}
