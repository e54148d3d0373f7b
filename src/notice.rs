//! Builds the notices of a resize: an outcome and a policy become the messages to send.
//!
//! Only a resize is worth a notice, whether it was sent or failed. A hold sends none.

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

/// Half of a SHA-256 digest is long enough that two ids never collide by chance.
const ID_BYTES: usize = 16;

/// The notices of an outcome: one for each destination that subscribes to its occasion.
pub fn notices(outcome: &Outcome, policy: &Policy, now: Timestamp) -> Vec<Call> {
    let Some(resize) = ResizeNotice::of(outcome) else { return Vec::new() };
    let subscribed = policy.notify.iter().filter(|notify| notify.on.contains(&resize.occasion));
    subscribed.map(|notify| resize.message(notify, now)).collect()
}

/// A resize that destinations are notified of.
struct ResizeNotice<'a> {
    outcome: &'a Outcome,
    occasion: Occasion,
    axis: Axis,
    from: &'a Size,
    to: &'a Size,
}

impl<'a> ResizeNotice<'a> {
    fn of(outcome: &'a Outcome) -> Option<Self> {
        let Decision::Resize { axis, from, to } = &outcome.decision else { return None };
        let occasion = match outcome.result {
            // A dry run shows the notice of a successful resize.
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

    /// A `CloudEvents` 1.0 event in JSON, with the decision record as its data.
    fn envelope(&self, now: Timestamp) -> Value {
        json!({
            "specversion": "1.0",
            "id": self.id(),
            "source": format!("/stepladder/{}", self.outcome.alarm.source),
            "type": format!("stepladder.resize.{}", self.occasion_text()),
            "subject": self.target(),
            "time": now,
            "datacontenttype": "application/json",
            "data": report::record(self.outcome),
        })
    }

    /// The same for each delivery of one event with the same result, so that a receiver can deduplicate.
    fn id(&self) -> String {
        let alarm = &self.outcome.alarm;
        let (axis, from, to, occasion) = (self.axis, self.from, self.to, self.occasion_text());
        let parts = json!([self.target(), alarm.id, alarm.name, alarm.at, axis, from, to, occasion]);
        let digest = Sha256::digest(parts.to_string().as_bytes());
        digest.iter().take(ID_BYTES).fold(String::new(), |mut id, byte| {
            // Writing to a string cannot fail.
            let _ = write!(id, "{byte:02x}");
            id
        })
    }

    /// The occasion, as the policy spells it.
    fn occasion_text(&self) -> &'static str {
        match self.occasion {
            Occasion::Applied => "applied",
            Occasion::Failed => "failed",
        }
    }

    fn target(&self) -> &str {
        self.outcome.target.as_ref().map_or("", |target| target.as_str())
    }

    /// The result of the resize, as the beginning of a sentence.
    fn result_text(&self) -> &'static str {
        match self.occasion {
            Occasion::Applied => "resized",
            // The update succeeded, and a later call failed.
            Occasion::Failed if self.outcome.resized() => "resized, but could not finish",
            Occasion::Failed => "could not resize",
        }
    }

    fn subject(&self) -> String {
        let subject = format!("stepladder {} {}", self.result_text(), self.target());
        let ascii = |c: char| if c.is_ascii() && !c.is_control() { c } else { '?' };
        subject.chars().map(ascii).take(LONGEST_SUBJECT).collect()
    }

    /// Two lines in Slack's markup. The record's text is escaped, so it cannot become a mention or a link.
    fn slack(&self) -> String {
        let (result, target, from, to) = (self.result_text(), self.target(), self.from, self.to);
        let explanation = report::explanation(self.outcome);
        let [target, explanation] = [target, &explanation].map(|text| escaped(&text::plain(text)));
        format!("*stepladder {result}* `{target}`: {from} → {to}\n{explanation}")
    }
}

/// Slack treats `&`, `<` and `>` as markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
