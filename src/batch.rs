//! A queue's batch, answered message by message: only those come again that another delivery may help.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::handle::handle_each;
use crate::outcome::Answer;
use crate::outcome::Outcome;
use crate::platform::Client;
use crate::policy::Policy;
use crate::report;
use crate::source::{self, QueueMessage};

/// A batch, and what has become of it so far.
#[derive(Debug)]
pub struct Batch {
    /// What has become of its messages, as if they were one payload.
    pub answer: Answer,
    messages: Vec<QueueMessage>,
    /// Of each message, whether it is answered for good.
    done: Vec<bool>,
}

impl Batch {
    /// A batch of which nothing is answered yet; `None` for every other payload.
    pub fn read(body: &[u8]) -> Option<Self> {
        let messages = source::messages(body)?;
        Some(Self { answer: Answer::default(), done: vec![false; messages.len()], messages })
    }

    /// Answers one message after the other, each as if it had come alone. What is answered stays so when
    /// there is no time for the rest. Notices are due then; [`Answer::notify`] sends those of all messages.
    pub async fn answer(
        &mut self,
        cloud: &dyn Client,
        policy: &Policy,
        now: Timestamp,
        told: &mut (dyn FnMut(&Outcome) + Send),
    ) {
        let Answer { outcomes, rejected, error } = &mut self.answer;
        for (message, done) in self.messages.iter().zip(&mut self.done) {
            let mut kept = |outcome: &Outcome| {
                told(outcome);
                outcomes.push(outcome.clone());
            };
            match handle_each(&message.payload, cloud, policy, now, &mut kept).await {
                Ok(answer) => {
                    *done = report::retry_reason(&answer).is_none();
                    rejected.extend(answer.rejected);
                    *error = answer.error.or(error.take());
                }
                Err(unreadable) => {
                    *done = true;
                    rejected.push(unreadable);
                }
            }
        }
    }

    /// The messages that are to be delivered again: those that may succeed then, and those that were not
    /// reached.
    pub fn to_deliver_again(&self) -> BTreeSet<&str> {
        let open = self.messages.iter().zip(&self.done).filter(|(_, done)| !**done);
        open.filter_map(|(message, _)| message.id.as_deref()).collect()
    }

    /// The reply: that of a payload, and besides the messages that are to be delivered again, as the queue wants to be
    /// told.
    pub fn reply(&self) -> Value {
        let mut reply = report::reply(&self.answer);
        if let Value::Object(members) = &mut reply {
            let again = self.to_deliver_again().into_iter().map(|id| json!({ "itemIdentifier": id }));
            members.insert("batchItemFailures".to_owned(), again.collect());
        }
        reply
    }
}
