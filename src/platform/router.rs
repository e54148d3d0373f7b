//! One client for several platforms: each request goes to the platform of its target, its call or its alarm.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::alarm::{Alarm, AlarmName};
use crate::target::TargetKind;

use super::{ActiveAlarm, Call, Client, Desired, Error, Existing, Observation, ObserveRequest, of};

/// The clients of one process, by the names of their platforms.
#[derive(Default)]
pub struct Router {
    clients: Vec<(&'static str, Arc<dyn Client>)>,
}

impl Router {
    /// The same, with one platform more. Of two clients of one platform the first counts.
    #[must_use]
    pub fn with(mut self, platform: &'static str, client: Arc<dyn Client>) -> Self {
        self.clients.push((platform, client));
        self
    }

    fn client(&self, platform: &str, operation: &str) -> Result<&dyn Client, Error> {
        let found = self.clients.iter().find(|(name, _)| *name == platform);
        found.map(|(_, client)| client.as_ref()).ok_or_else(|| Error::Unconfigured {
            operation: operation.to_owned(),
            message: format!("this process has no client for `{platform}`"),
        })
    }

    /// Webhooks are everybody's: any client posts to them.
    fn client_for(&self, call: &Call) -> Result<&dyn Client, Error> {
        let operation = call.operation();
        match (call, self.clients.first()) {
            (Call::Web(_), Some((_, client))) => Ok(client.as_ref()),
            _ => self.client(operation.split(':').next().unwrap_or_default(), operation),
        }
    }
}

#[async_trait]
impl Client for Router {
    async fn connect(&self) {
        for (_, client) in &self.clients {
            client.connect().await;
        }
    }

    fn serves(&self, kind: TargetKind) -> bool {
        let platform = of(kind).map_or("", |platform| platform.name);
        self.clients.iter().any(|(name, _)| *name == platform)
    }

    fn begin(&self, deadline: Option<Instant>) {
        self.clients.iter().for_each(|(_, client)| client.begin(deadline));
    }

    async fn observe(&self, request: &ObserveRequest<'_>) -> Result<Observation, Error> {
        let platform = of(request.target.kind()).map_or("", |platform| platform.name);
        self.client(platform, "observe")?.observe(request).await
    }

    /// Those of all platforms. One platform that fails must not hide the alarms of the others.
    async fn active_alarms(&self, action: Option<&str>, now: Timestamp) -> Result<Vec<ActiveAlarm>, Error> {
        let mut alarms = Vec::new();
        let mut failed = None;
        for (_, client) in &self.clients {
            match client.active_alarms(action, now).await {
                Ok(found) => alarms.extend(found),
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) if alarms.is_empty() => Err(error),
            _ => Ok(alarms),
        }
    }

    async fn alarm_name(&self, alarm: &Alarm) -> Result<Option<AlarmName>, Error> {
        let platform = alarm.targets.first().and_then(|target| of(target.kind()));
        match self.client(platform.map_or("", |platform| platform.name), "alarm_name") {
            Ok(client) => client.alarm_name(alarm).await,
            Err(_) => Ok(None),
        }
    }

    async fn send(&self, call: &Call) -> Result<String, Error> {
        self.client_for(call)?.send(call).await
    }

    /// The first that keeps policies.
    async fn policy_text(&self, parameter: &str) -> Result<String, Error> {
        let mut failed = Error::Unconfigured {
            operation: "policy".to_owned(),
            message: "this process has no client at all".to_owned(),
        };
        for (_, client) in &self.clients {
            match client.policy_text(parameter).await {
                Ok(text) => return Ok(text),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    async fn existing(&self, desired: Desired<'_>) -> Result<Existing, Error> {
        match desired {
            Desired::Oci(_) => self.client("oci", "provision")?.existing(desired).await,
        }
    }
}
