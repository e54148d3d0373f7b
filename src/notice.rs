//! Builds the notices about a resize, from an outcome and the policy's destinations.
//!
//! Only a resize leads to notices: one that was sent, and one that was decided and failed. A hold never does.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::decide::Decision;
use crate::outcome::{Ending, Outcome};
use crate::platform::{Call, Message};
use crate::policy::{Form, Notify, Occasion, Policy};
use crate::size::{Axis, Size};
use crate::{report, text};

/// SNS refuses a subject of 100 characters; it must be ASCII, on one line.
const LONGEST_SUBJECT: usize = 99;

/// Half of a SHA-256, which makes collisions by chance impossible in practice.
const ID_BYTES: usize = 16;

/// The messages about an outcome: one per destination that is configured for its occasion.
pub fn notices(outcome: &Outcome, policy: &Policy, now: Timestamp) -> Vec<Call> {
    let Some(news) = News::of(outcome) else { return Vec::new() };
    let configured = policy.notify.iter().filter(|notify| notify.on.contains(&news.occasion));
    configured.map(|notify| news.message(notify, now)).collect()
}

/// A resize to report.
struct News<'a> {
    outcome: &'a Outcome,
    occasion: Occasion,
    axis: Axis,
    from: &'a Size,
    to: &'a Size,
}

impl<'a> News<'a> {
    fn of(outcome: &'a Outcome) -> Option<Self> {
        let Decision::Resize { axis, from, to } = &outcome.decision else { return None };
        let occasion = match outcome.result {
            // A dry run shows the notice of a resize that succeeds.
            Ending::Applied | Ending::DryRun => Occasion::Applied,
            Ending::Failed => Occasion::Failed,
            Ending::Held => return None,
        };
        Some(Self { outcome, occasion, axis: *axis, from, to })
    }

    fn message(&self, Notify { to: destination, form, .. }: &Notify, now: Timestamp) -> Call {
        let message = match form {
            Form::Cloudevents => Message {
                subject: self.subject(),
                content_type: "application/cloudevents+json; charset=utf-8",
                body: self.envelope(now).to_string(),
            },
            Form::Slack => Message {
                subject: self.subject(),
                content_type: "application/json; charset=utf-8",
                body: json!({ "text": self.slack() }).to_string(),
            },
        };
        destination.deliver(message)
    }

    /// A `CloudEvents` 1.0 event in JSON, around the decision record.
    fn envelope(&self, now: Timestamp) -> Value {
        json!({
            "specversion": "1.0",
            "id": self.id(),
            "source": format!("/stepladder/{}", self.outcome.alarm.source),
            "type": match self.occasion {
                Occasion::Applied => "stepladder.resize.applied",
                Occasion::Failed => "stepladder.resize.failed",
            },
            "subject": self.target(),
            "time": now,
            "datacontenttype": "application/json",
            "data": report::record(self.outcome),
        })
    }

    /// The same id for every delivery of one event that ends the same, so that a receiver recognises a duplicate.
    fn id(&self) -> String {
        let alarm = &self.outcome.alarm;
        let occasion = match self.occasion {
            Occasion::Applied => "applied",
            Occasion::Failed => "failed",
        };
        let (axis, from, to) = (self.axis, self.from, self.to);
        let parts = json!([self.target(), alarm.id, alarm.name, alarm.at, axis, from, to, occasion]);
        let digest = Sha256::digest(parts.to_string().as_bytes());
        digest.iter().take(ID_BYTES).fold(String::new(), |mut id, byte| {
            // Writing to a string cannot fail.
            let _ = write!(id, "{byte:02x}");
            id
        })
    }

    fn target(&self) -> &str {
        self.outcome.target.as_ref().map_or("", |target| target.as_str())
    }

    /// The result, as the beginning of a sentence.
    fn what(&self) -> &'static str {
        match self.occasion {
            Occasion::Applied => "resized",
            // The update itself succeeded, and a call after it failed.
            Occasion::Failed if self.outcome.resized() => "resized, but could not finish",
            Occasion::Failed => "could not resize",
        }
    }

    fn subject(&self) -> String {
        let subject = format!("stepladder {} {}", self.what(), self.target());
        let ascii = |c: char| if c.is_ascii() && !c.is_control() { c } else { '?' };
        subject.chars().map(ascii).take(LONGEST_SUBJECT).collect()
    }

    /// Two lines in Slack's own markup. The record's text is escaped, so that it cannot become a mention or a link.
    fn slack(&self) -> String {
        let (what, target, from, to) = (self.what(), self.target(), self.from, self.to);
        let because = report::explanation(self.outcome);
        let [target, because] = [target, &because].map(|text| escaped(&text::plain(text)));
        format!("*stepladder {what}* `{target}`: {from} → {to}\n{because}")
    }
}

/// Escapes `&`, `<` and `>`, which are markup to Slack.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
