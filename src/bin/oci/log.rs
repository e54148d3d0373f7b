//! What is printed: the frame that tells the log whose lines follow, records, and errors.
//!
//! Records go to standard output and errors to standard error, each as one line of JSON. No payload and no
//! credentials are among them.

use std::io;

use hyper::HeaderMap;
use serde_json::{Value, json};
use stepladder::host::Log;
use stepladder::outcome::Outcome;
use stepladder::{environment, report};

/// By which the lines of a call are found in the log, where the agent asks for that.
#[derive(Debug)]
pub(crate) struct Frame(Option<Names>);

#[derive(Debug)]
struct Names {
    name: String,
    header: String,
}

impl Frame {
    /// The frame that the agent asks for.
    pub(crate) fn from_env() -> Self {
        let name = environment::variable("FN_LOGFRAME_NAME");
        let header = environment::variable("FN_LOGFRAME_HDR");
        Self(name.zip(header).map(|(name, header)| Names { name, header }))
    }

    /// Begins the lines of a call, in both streams.
    pub(crate) fn begin(&self, headers: &HeaderMap) {
        let Some(Names { name, header }) = &self.0 else { return };
        let Some(value) = headers.get(header).and_then(|value| value.to_str().ok()) else { return };
        let frame = format!("\n{name}={value}\n");
        print(&mut io::stdout(), &frame);
        print(&mut io::stderr(), &frame);
    }
}

/// The log of what happens in a call.
pub(crate) struct Lines;

impl Log for Lines {
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

    fn untold(&mut self, message: &str) {
        error("notice", message);
    }
}

/// Prints one record.
pub(crate) fn record(record: &Value) {
    print(&mut io::stdout(), &format!("{record}\n"));
}

/// Prints one error, and returns it as a reply tells it.
pub(crate) fn error(kind: &str, message: &str) -> Value {
    let error = reply(kind, message);
    print(&mut io::stderr(), &format!("{error}\n"));
    error
}

/// An error as a reply tells it.
pub(crate) fn reply(kind: &str, message: &str) -> Value {
    json!({ "error": { "kind": kind, "message": message } })
}

/// At once, for the process may be frozen next. A log that takes nothing more is no reason to fail.
fn print(stream: &mut dyn io::Write, text: &str) {
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
}
