//! Builds the notices of an outcome: with a policy it becomes the messages to send.
//!
//! A resize is worth a notice, whether it was sent or failed. A hold is worth one where a destination requests it, and
//! once: [`crate::decide::is_news`] decides when.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::alarm::{SCHEDULE_ALARM, Transition};
use crate::decide::{Decision, Hold};
use crate::outcome::{Ending, Outcome};
use crate::platform::{Call, Message};
use crate::policy::{Form, Notify, Occasion, Policy};
use crate::size::{Axis, Size};
use crate::{report, text};

/// SNS refuses a subject of 100 characters; it must be ASCII, on one line.
const LONGEST_SUBJECT: usize = 99;

/// Half of a SHA-256 digest is long enough that two ids never collide by chance.
const ID_BYTES: usize = 16;

/// The notices of an outcome: one for each destination that receives it.
pub fn notices(outcome: &Outcome, policy: &Policy, now: Timestamp) -> Vec<Call> {
    let Some(notice) = Notice::of(outcome) else { return Vec::new() };
    let subscribed = policy.notify.iter().filter(|notify| notice.is_for(notify));
    subscribed.map(|notify| notice.message(notify, now)).collect()
}

/// An outcome that destinations are notified of.
struct Notice<'a> {
    outcome: &'a Outcome,
    occurrence: Occurrence<'a>,
}

/// What a notice is about.
enum Occurrence<'a> {
    /// A resize, and how it ended.
    Resize { occasion: Occasion, axis: Axis, from: &'a Size, to: &'a Size },
    /// An alarm that changes nothing.
    Hold(&'a Hold),
}

impl<'a> Notice<'a> {
    fn of(outcome: &'a Outcome) -> Option<Self> {
        let occurrence = match &outcome.decision {
            Decision::Resize { axis, from, to } => {
                Occurrence::Resize { occasion: occasion(outcome.result)?, axis: *axis, from, to }
            }
            // The alarm that requests a schedule's floor mostly finds it reached.
            Decision::Hold(Hold::OnTarget { .. }) if outcome.alarm.name.as_str() == SCHEDULE_ALARM => {
                return None;
            }
            Decision::Hold(hold) if outcome.is_news => Occurrence::Hold(hold),
            Decision::Hold(_) => return None,
        };
        Some(Self { outcome, occurrence })
    }

    fn is_for(&self, notify: &Notify) -> bool {
        match &self.occurrence {
            Occurrence::Resize { occasion, .. } => notify.learns_of(*occasion),
            Occurrence::Hold(hold) => notify.learns_of_hold(hold.reason()),
        }
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
            "type": self.event_type(),
            "subject": self.about(),
            "time": now,
            "datacontenttype": "application/json",
            "data": report::record(self.outcome),
        })
    }

    /// What happened, in the form of `CloudEvents`.
    fn event_type(&self) -> String {
        match &self.occurrence {
            Occurrence::Resize { occasion, .. } => format!("stepladder.resize.{}", occasion.word()),
            Occurrence::Hold(hold) => format!("stepladder.hold.{}", hold.reason()),
        }
    }

    /// The same for each delivery of one event with the same result, so that a receiver can deduplicate. A hold that
    /// begins while its alarm goes on firing is that since the last change.
    fn id(&self) -> String {
        let alarm = &self.outcome.alarm;
        let parts = match &self.occurrence {
            Occurrence::Resize { occasion, axis, from, to } => {
                json!([self.target(), alarm.id, alarm.name, alarm.at, axis, from, to, occasion.word()])
            }
            Occurrence::Hold(hold) => {
                let changed = self.outcome.observed.as_ref().and_then(|observed| observed.last_change);
                let begins = if alarm.transition == Transition::Repeat { changed } else { alarm.at };
                json!([self.target(), alarm.name, begins, hold.reason()])
            }
        };
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

    /// What happened, as the beginning of a sentence.
    fn result_text(&self) -> String {
        match &self.occurrence {
            Occurrence::Resize { occasion: Occasion::Failed, .. } if self.outcome.resized() => {
                // The update succeeded, and a later call failed.
                "resized, but could not finish".to_owned()
            }
            Occurrence::Resize { occasion: Occasion::Failed, .. } => "could not resize".to_owned(),
            Occurrence::Resize { .. } => "resized".to_owned(),
            Occurrence::Hold(hold) => format!("held ({})", hold.reason()),
        }
    }

    /// The target, or else the alarm, which always has a name.
    fn about(&self) -> &str {
        self.outcome.target.as_ref().map_or(self.outcome.alarm.name.as_str(), |target| target.as_str())
    }

    fn subject(&self) -> String {
        let subject = format!("stepladder {} {}", self.result_text(), self.about());
        let ascii = |c: char| if c.is_ascii() && !c.is_control() { c } else { '?' };
        subject.chars().map(ascii).take(LONGEST_SUBJECT).collect()
    }

    /// Two lines in Slack's markup. The record's text is escaped, so it cannot become a mention or a link.
    fn slack(&self) -> String {
        let change = match &self.occurrence {
            Occurrence::Resize { from, to, .. } => format!(": {from} → {to}"),
            Occurrence::Hold(_) => {
                let observed = self.outcome.observed.as_ref();
                observed.map_or_else(String::new, |observed| format!(": {}", observed.size))
            }
        };
        let (result, explanation) = (self.result_text(), report::explanation(self.outcome));
        let [about, explanation] = [self.about(), &explanation].map(|text| escaped(&text::plain(text)));
        format!("*stepladder {result}* `{about}`{change}\n{explanation}")
    }
}

/// How a resize ended.
fn occasion(result: Ending) -> Option<Occasion> {
    match result {
        // A dry run shows the notice of a successful resize.
        Ending::Applied | Ending::DryRun => Some(Occasion::Applied),
        Ending::Failed => Some(Occasion::Failed),
        Ending::Held => None,
    }
}

/// Slack treats `&`, `<` and `>` as markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
