//! OCI: Data Science model deployments and Monitoring alarms, over plain signed HTTP.
//!
//! What is observed takes one round trip where the compartments are known or guessed right, two otherwise.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use super::call::Call as OciCall;
use super::model_deployment::{Facts, observed};
use super::provision::ExistingAlarm;
use crate::deployment::{Deployment, Lifecycle};
use crate::platform::ObserveRequest;
use crate::platform::oci::model_deployment::TARGET;
use crate::platform::oci::model_deployment::configuration::{self, ConfiguredSize};
use crate::platform::oci::model_deployment::notes;
use crate::platform::web::client::Webhooks;
use crate::platform::{self, ActiveAlarm, Call, Client, Error, Observation, not_for, web};
use crate::tags::Tags;
use crate::{environment, tags};
use deployments::{Described, Work};

mod alarms;
mod api;
mod deployments;
mod errors;
mod identity;
mod readings;
mod setup;
mod signature;
mod told;
mod topics;

use api::Api;

/// The region and the identity that the environment names.
#[derive(Debug, Default)]
pub struct OciClient {
    /// Found at the first question.
    api: OnceLock<Result<Api, String>>,
    known: Mutex<HashMap<String, Known>>,
    webhooks: Webhooks,
}

/// What a warm process remembers of a deployment. The answers always say what is so; this only tells where to look.
#[derive(Debug, Clone, Default)]
struct Known {
    /// Where its alarms live.
    alarms: Option<String>,
    /// Where it lives itself.
    home: Option<String>,
    /// What its tags should say of the last change, where the service did not take them with it.
    stamp: Tags,
    /// Whether the service has refused tags together with its size, so that they follow it.
    tags_follow: bool,
}

/// All that was read about one deployment.
struct Found {
    described: Described,
    alarm: Option<ExistingAlarm>,
    pairs: Vec<ExistingAlarm>,
    work: Work,
    readings: BTreeMap<String, f64>,
    /// What its tags should say of the last change, where only this process may know.
    stamp: Tags,
}

#[async_trait]
impl Client for OciClient {
    async fn connect(&self) {
        // What is wrong with the environment is told by the first question.
        let _ = self.api("oci:GetModelDeployment");
    }

    fn begin(&self, deadline: Option<Instant>) {
        if let Ok(api) = self.api("oci:GetModelDeployment") {
            api.begin(deadline);
        }
    }

    async fn observe(&self, request: &ObserveRequest<'_>) -> Result<Observation, Error> {
        let api = self.api("oci:GetModelDeployment")?;
        let found = Box::pin(self.look(api, request)).await?;
        Ok(observation(request, found))
    }

    /// OCI's alarms repeat by themselves: nothing has to be asked for.
    async fn active_alarms(&self, _action: Option<&str>, _now: Timestamp) -> Result<Vec<ActiveAlarm>, Error> {
        Ok(Vec::new())
    }

    async fn existing(&self, desired: platform::Desired<'_>) -> Result<platform::Existing, Error> {
        let platform::Desired::Oci(desired) = desired;
        setup::look(self.api("oci:ListTopics")?, desired).await.map(platform::Existing::Oci)
    }

    async fn send(&self, call: &Call) -> Result<String, Error> {
        if let Call::Web(web::Call::Post { address, content_type, body }) = call {
            return self.webhooks.post(address, content_type, body).await;
        }
        let Call::Oci(call) = call else { return Err(not_for("oci", call)) };
        let api = self.api(call.operation())?;
        match call {
            OciCall::UpdateModelDeployment { id, if_match, configuration, stamp } => {
                self.update(api, id, if_match, &configuration.body(), &stamp.tags()).await
            }
            OciCall::TagModelDeployment { id, tags } => {
                deployments::tag(api, id, tags).await.map(|()| "tagged".to_owned())
            }
            OciCall::CreateAlarm { alarm, retry_token, next_token } => {
                alarms::create(api, alarm, [*retry_token, *next_token]).await
            }
            OciCall::UpdateAlarm { id, if_match, alarm } => {
                alarms::update(api, id, if_match.as_deref(), alarm).await
            }
            OciCall::DeleteAlarm { id, if_match, unless_changed, .. } => {
                if let Some(observed) = unless_changed {
                    deployments::unchanged(api, observed).await?;
                }
                alarms::delete(api, id, if_match.as_deref()).await
            }
            OciCall::CreateTopic { name, compartment, tags, retry_token } => {
                topics::create_topic(api, (name, compartment), tags, *retry_token).await
            }
            OciCall::DeleteTopic { id, if_match, .. } => {
                topics::delete_topic(api, id, if_match.as_deref()).await
            }
            OciCall::CreateSubscription { topic, compartment, function, tags, retry_token } => {
                topics::create_subscription(api, (topic, function), compartment, tags, *retry_token).await
            }
            OciCall::DeleteSubscription { id, if_match, .. } => {
                topics::delete_subscription(api, id, if_match.as_deref()).await
            }
            OciCall::PublishMessage { topic, title, body } => topics::publish(api, topic, title, body).await,
        }
    }
}

impl OciClient {
    /// The region and the identity that `variable` tells instead of the environment.
    pub fn reading(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        Self { api: OnceLock::from(Api::find(variable)), ..Self::default() }
    }

    fn api(&self, operation: &str) -> Result<&Api, Error> {
        let found = self.api.get_or_init(|| Api::find(&environment::variable));
        found.as_ref().map_err(|message| Error::Unconfigured {
            operation: operation.to_owned(),
            message: message.clone(),
        })
    }

    /// Reads all at once. Where alarms and deployments live is only told by the answers, so it is guessed: where
    /// they were the last time, else where the function itself lives. What was guessed wrong is read again.
    async fn look(&self, api: &Api, request: &ObserveRequest<'_>) -> Result<Found, Error> {
        let id = request.target.as_str();
        let Guess { alarms: at, home } = self.guess(api, id);
        let (described, alarm, pairs, work, readings) = tokio::join!(
            deployments::get(api, id),
            alarms::get(api, &request.alarm.id),
            pairs_in(api, request, at.as_deref()),
            work_on(api, request, home.as_deref()),
            readings_of(api, request, home.as_deref()),
        );
        let (described, stamp) = (described?, self.recall(id).stamp);
        if TARGET.lifecycle(described.word("/lifecycleState")) != Lifecycle::Settled {
            // Nothing is decided about it now, so what could not be read besides is no reason to fail.
            let (alarm, pairs) = (alarm.unwrap_or_default(), pairs.unwrap_or_default());
            let (work, readings) = (work.unwrap_or_default(), readings.unwrap_or_default());
            return Ok(Found { described, alarm, pairs, work, readings, stamp });
        }
        let alarm = alarm?;
        let really_home = described.compartment().to_owned();
        let really_at = alarm.as_ref().map_or(&really_home, |known| &known.alarm.compartment).clone();
        let (at_right, home_right) = (at.as_ref() == Some(&really_at), home.as_ref() == Some(&really_home));
        let (pairs, work, readings) = tokio::join!(
            or_again(pairs, at_right, pairs_in(api, request, Some(&really_at))),
            or_again(work, home_right, work_on(api, request, Some(&really_home))),
            or_again(readings, home_right, readings_of(api, request, Some(&really_home))),
        );
        let (pairs, work, readings) = (pairs?, work?, readings?);
        self.remember(id, |known| {
            known.alarms = Some(really_at);
            known.home = Some(really_home);
        });
        Ok(Found { described, alarm, pairs, work, readings, stamp })
    }

    fn guess(&self, api: &Api, id: &str) -> Guess {
        let known = self.recall(id);
        let own = || api.identity().ok().and_then(|identity| identity.compartment.clone());
        Guess { alarms: known.alarms.or_else(own), home: known.home.or_else(own) }
    }

    /// Size and stamp in one update. Where the service does not take both at once the size goes alone, and the stamp
    /// follows it.
    async fn update(
        &self,
        api: &Api,
        id: &str,
        if_match: &str,
        configuration: &Value,
        tags: &Tags,
    ) -> Result<String, Error> {
        if !self.recall(id).tags_follow {
            match deployments::update(api, id, if_match, (configuration, Some(tags))).await {
                // Whatever it is that was not accepted, the size alone will tell.
                Err(Error::Refused { .. }) => {}
                answered => return answered.map(accepted),
            }
        }
        let work_request = deployments::update(api, id, if_match, (configuration, None)).await?;
        self.remember(id, |known| {
            known.tags_follow = true;
            known.stamp = notes::of_the_change(tags);
        });
        let stamped = deployments::tag(api, id, tags).await;
        let told =
            stamped.map_or_else(|error| format!(", not stamped: {error}"), |()| ", stamped".to_owned());
        Ok(accepted(work_request) + &told)
    }

    fn remember(&self, id: &str, touch: impl FnOnce(&mut Known)) {
        touch(self.known().entry(id.to_owned()).or_default());
    }

    fn recall(&self, id: &str) -> Known {
        self.known().get(id).cloned().unwrap_or_default()
    }

    /// A panic elsewhere cannot leave it half changed: every touch is one step.
    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where to look for a deployment's alarms, and for its work requests and metrics.
struct Guess {
    alarms: Option<String>,
    home: Option<String>,
}

async fn pairs_in(
    api: &Api,
    request: &ObserveRequest<'_>,
    at: Option<&str>,
) -> Result<Vec<ExistingAlarm>, Error> {
    match at {
        Some(compartment) => alarms::pairs(api, request, compartment).await,
        None => Ok(Vec::new()),
    }
}

async fn work_on(api: &Api, request: &ObserveRequest<'_>, home: Option<&str>) -> Result<Work, Error> {
    match home {
        Some(compartment) => deployments::work(api, request.target.as_str(), compartment, request.now).await,
        None => Ok(Work::default()),
    }
}

async fn readings_of(
    api: &Api,
    request: &ObserveRequest<'_>,
    home: Option<&str>,
) -> Result<BTreeMap<String, f64>, Error> {
    match home {
        Some(compartment) => readings::all(api, request, compartment, &request.metrics).await,
        None => Ok(BTreeMap::new()),
    }
}

/// What was read where it was guessed to be, or else what is read where it is.
async fn or_again<T>(
    guessed: Result<T, Error>,
    right: bool,
    again: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    if right { guessed } else { again.await }
}

fn accepted(work_request: Option<String>) -> String {
    work_request.map_or_else(|| "accepted".to_owned(), |id| format!("accepted, work request {id}"))
}

fn observation(request: &ObserveRequest, found: Found) -> Observation {
    let Found { described, alarm, mut pairs, work: Work { under_way, finished }, readings, stamp } = found;
    let tags = described.tags();
    let mut status = described.word("/lifecycleState").to_owned();
    let mut lifecycle = TARGET.lifecycle(&status);
    // The state lags behind what is asked for.
    if let (Lifecycle::Settled, Some(state)) = (lifecycle, under_way) {
        lifecycle = Lifecycle::Busy;
        status = format!("{status}, its work request {state}");
    }
    let told = configuration::read(described.configuration(), described.running());
    let size = told.size_for(request.axis);
    let ConfiguredSize { fixed, owners, .. } = told;
    // The list tells less of an alarm than its own description.
    let calling = alarm.as_ref().filter(|alarm| alarms::marked(alarm, request)).cloned();
    if let Some(calling) = calling {
        match pairs.iter_mut().find(|pair| pair.id == calling.id) {
            Some(listed) => *listed = calling,
            None => pairs.push(calling),
        }
    }
    // Whoever looks keeps the same one.
    pairs.sort_by(|a, b| a.id.cmp(&b.id));
    let mut seen = pairs.iter().map(|pair| observed(&pair.id, pair.etag.clone(), &pair.alarm, true));
    let deployment = Deployment {
        target: request.target.clone(),
        last_change: notes::last_change(&tags, finished).max(notes::asked_at(&stamp)),
        infeasible: notes::infeasible(&tags, &size, finished, request.capacity_backoff),
        heading: size.clone(),
        size,
        lifecycle,
        status,
        bounds: None,
        fixed,
        owners,
        pauses: Vec::new(),
        tags: tags::own(&notes::joined(&tags, &stamp), None),
        readings,
        floor: None,
        alarm: alarm.as_ref().map(|alarm| observed(&alarm.id, alarm.etag.clone(), &alarm.alarm, false)),
        pair: seen.next(),
        duplicates: seen.collect(),
    };
    let facts = Facts {
        compartment: described.compartment().to_owned(),
        configuration: Arc::new(described.configuration().clone()),
        tags: Arc::new(tags),
        etag: described.etag,
        alarm: alarm.map(|known| known.alarm),
        pair: pairs.into_iter().next().map(|known| known.alarm),
    };
    Observation { deployment, facts: platform::Facts::Oci(facts) }
}
