//! The simulated cloud's topics and subscriptions, and the look at what is provisioned.

use std::collections::BTreeMap;

use crate::call::{AlarmDefinition, RetryToken};
use crate::platform::Error;
use crate::platform::oci::provision::{Desired, Topic};
use crate::platform::oci::provision::{
    Existing, ExistingAlarm, ExistingSubscription, ExistingTopic, FUNCTIONS,
};

use crate::platform::simulated::{World, WorldAlarm};

impl World {
    pub(in crate::platform) fn setup(&self, wanted: &Desired) -> Existing {
        let is_it = |seen: &&ExistingTopic| match &wanted.topic {
            Topic::Named(name) => seen.name == *name,
            Topic::Given(id) => seen.id == *id,
        };
        let topic = self.topics.iter().find(is_it).cloned();
        let listens =
            |seen: &&ExistingSubscription| topic.as_ref().is_some_and(|topic| topic.id == seen.topic);
        let subscriptions = self.subscriptions.iter().filter(listens).cloned().collect();
        let alarms = self.alarms.iter().filter_map(|alarm| seen(alarm, &wanted.alarm_homes())).collect();
        Existing { topic, subscriptions, alarms }
    }

    /// A topic's name is unique, so a second one is refused, but for a retry.
    pub(in crate::platform) fn create_topic(
        &mut self,
        name: &str,
        tags: &BTreeMap<String, String>,
        retry_token: RetryToken,
    ) -> Result<String, Error> {
        if let Some(id) = self.tokens.get(&retry_token.to_string()) {
            return Ok(format!("topic {id} exists already"));
        }
        if self.topics.iter().any(|known| known.name == name) {
            return Err(Error::RejectedChange {
                operation: "oci:CreateTopic".to_owned(),
                message: format!("409 Conflict: there is a topic `{name}`"),
            });
        }
        let id = self.next_id("onstopic");
        self.tokens.insert(retry_token.to_string(), id.clone());
        let told = format!("topic {id}");
        self.topics.push(ExistingTopic { id, name: name.to_owned(), etag: None, tags: tags.clone() });
        Ok(told)
    }

    /// A topic's subscriptions go with it.
    pub(in crate::platform) fn delete_topic(&mut self, id: &str) -> String {
        self.topics.retain(|known| known.id != id);
        self.subscriptions.retain(|known| known.topic != id);
        "deleted".to_owned()
    }

    pub(in crate::platform) fn create_subscription(
        &mut self,
        topic: &str,
        function: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<String, Error> {
        if !self.topics.iter().any(|known| known.id == topic) {
            return Err(Error::NotFound {
                operation: "oci:CreateSubscription".to_owned(),
                message: format!("404 NotAuthorizedOrNotFound: `{topic}`"),
            });
        }
        let id = self.next_id("onssubscription");
        let told = format!("subscription {id}");
        self.subscriptions.push(ExistingSubscription {
            id,
            topic: topic.to_owned(),
            protocol: FUNCTIONS.to_owned(),
            endpoint: function.to_owned(),
            etag: None,
            tags: tags.clone(),
        });
        Ok(told)
    }

    pub(in crate::platform) fn delete_subscription(&mut self, id: &str) -> String {
        self.subscriptions.retain(|known| known.id != id);
        "deleted".to_owned()
    }
}

fn seen(known: &WorldAlarm, compartments: &[&str]) -> Option<ExistingAlarm> {
    let AlarmDefinition::Oci(alarm) = &known.definition else { return None };
    compartments.contains(&alarm.compartment.as_str()).then(|| ExistingAlarm {
        id: known.id.clone(),
        etag: Some(known.revision.to_string()),
        alarm: alarm.clone(),
    })
}
