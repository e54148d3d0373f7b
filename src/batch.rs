//! Answers a batch of queue messages one by one, and lists the messages that the queue should deliver again.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::handle::handle_each;
use crate::handle::panics::{Panicked, caught};
use crate::outcome::{Answer, Outcome};
use crate::platform::Client;
use crate::policy::Policy;
use crate::report;
use crate::source::{self, QueueMessage};

/// A batch and the results so far.
#[derive(Debug)]
pub struct Batch {
    /// The results of all messages, as if they were one payload.
    pub answer: Answer,
    messages: Vec<QueueMessage>,
    /// For each message, whether it needs no other delivery.
    done: Vec<bool>,
}

impl Batch {
    /// A batch with no message answered yet; `None` for any other payload.
    pub fn read(body: &[u8]) -> Option<Self> {
        let messages = source::messages(body)?;
        Some(Self { answer: Answer::default(), done: vec![false; messages.len()], messages })
    }

    /// Answers the messages in order, each as if it had arrived alone. If the time runs out, the answers so far
    /// remain. The notices of all messages are still due: [`notify`](crate::apply::notify) sends them.
    pub async fn answer(
        &mut self,
        client: &dyn Client,
        policy: &Policy,
        now: Timestamp,
        on_outcome: &mut (dyn FnMut(&Outcome) + Send),
    ) {
        let Answer { outcomes, rejected, error } = &mut self.answer;
        for (message, done) in self.messages.iter().zip(&mut self.done) {
            let mut record = |outcome: &Outcome| {
                on_outcome(outcome);
                outcomes.push(outcome.clone());
            };
            let work = Box::pin(handle_each(&message.payload, client, policy, now, &mut record));
            match caught(work).await {
                // It is delivered again, and the others are answered.
                Err(Panicked) => {}
                Ok(Ok(answer)) => {
                    *done = report::retry_reason(&answer).is_none();
                    rejected.extend(answer.rejected);
                    *error = answer.error.or(error.take());
                }
                Ok(Err(unreadable)) => {
                    *done = true;
                    rejected.push(unreadable);
                }
            }
        }
    }

    /// The messages to deliver again: those that failed and may succeed later, and those not yet answered.
    pub fn messages_to_retry(&self) -> BTreeSet<&str> {
        let unfinished = self.messages.iter().zip(&self.done).filter(|(_, done)| !**done);
        unfinished.filter_map(|(message, _)| message.id.as_deref()).collect()
    }

    /// The reply to a payload, with the messages to deliver again in the format that the queue expects.
    pub fn reply(&self) -> Value {
        let mut reply = report::reply(&self.answer);
        if let Value::Object(members) = &mut reply {
            let failures = self.messages_to_retry().into_iter().map(|id| json!({ "itemIdentifier": id }));
            members.insert("batchItemFailures".to_owned(), failures.collect());
        }
        reply
    }
}
