//! OCI: Data Science model deployments and Monitoring alarms, over plain signed HTTP.
//!
//! An observation takes one round trip if the compartments are cached or guessed correctly, two otherwise.

#![cfg(feature = "oci")]

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use super::call::Call as OciCall;
use super::id;
use super::model_deployment::{Facts, observed};
use super::provision::ExistingAlarm;
use crate::alarm::{Alarm, AlarmName};
use crate::deployment::{Deployment, Lifecycle};
use crate::platform::ObserveRequest;
use crate::platform::oci::model_deployment::TARGET;
use crate::platform::oci::model_deployment::configuration::{self, ConfiguredSize};
use crate::platform::oci::model_deployment::notes;
use crate::platform::web::client::Webhooks;
use crate::platform::{self, ActiveAlarm, Call, Client, Error, Observation, not_for, web};
use crate::tags::Tags;
use crate::target::TargetKind;
use crate::{environment, tags};
use deployments::{Described, Work};

mod alarms;
mod api;
mod deployments;
mod errors;
mod identity;
mod members;
mod readings;
mod setup;
mod signature;
mod topics;

use api::Api;

/// The client for the region and the identity that the environment names.
#[derive(Debug, Default)]
pub struct OciClient {
    /// Created for the first request.
    api: OnceLock<Result<Api, String>>,
    cache: Mutex<HashMap<String, CachedDeployment>>,
    webhooks: Webhooks,
}

/// What a warm process caches about a deployment: mainly compartments, which only save a round trip.
#[derive(Debug, Clone, Default)]
struct CachedDeployment {
    /// The compartment of its alarms.
    alarms: Option<String>,
    /// Its own compartment.
    home: Option<String>,
    /// The tags that record the last change, if the service did not accept them together with it.
    stamp: Tags,
    /// Whether the service has refused tags together with a size, so that a second request writes them.
    tags_follow: bool,
}

/// All that was read about one deployment.
struct ObservedDeployment {
    described: Described,
    alarm: Option<ExistingAlarm>,
    pairs: Vec<ExistingAlarm>,
    work: Work,
    readings: BTreeMap<String, f64>,
    /// The tags that record the last change, if only this process may have them.
    stamp: Tags,
}

#[async_trait]
impl Client for OciClient {
    async fn connect(&self) {
        // The first request reports an error in the environment.
        let _ = self.api("oci:GetModelDeployment");
    }

    fn serves(&self, kind: TargetKind) -> bool {
        kind == TARGET.kind
    }

    fn begin(&self, deadline: Option<Instant>) {
        if let Ok(api) = self.api("oci:GetModelDeployment") {
            api.begin(deadline);
        }
    }

    async fn observe(&self, request: &ObserveRequest<'_>) -> Result<Observation, Error> {
        let api = self.api("oci:GetModelDeployment")?;
        let found = Box::pin(self.read_all(api, request)).await?;
        Ok(observation(request, found))
    }

    /// None: OCI's alarms repeat by themselves, so a tick need not read them.
    async fn active_alarms(&self, _action: Option<&str>, _now: Timestamp) -> Result<Vec<ActiveAlarm>, Error> {
        Ok(Vec::new())
    }

    async fn alarm_name(&self, alarm: &Alarm) -> Result<Option<AlarmName>, Error> {
        let found = alarms::get(self.api("oci:GetAlarm")?, &alarm.id).await?;
        Ok(found.and_then(|existing| id::alarm_name(&existing.alarm.name)))
    }

    async fn existing(&self, desired: platform::Desired<'_>) -> Result<platform::Existing, Error> {
        let platform::Desired::Oci(desired) = desired;
        setup::read_existing(self.api("oci:ListTopics")?, desired).await.map(platform::Existing::Oci)
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
                topics::create_topic(api, name, compartment, tags, *retry_token).await
            }
            OciCall::DeleteTopic { id, if_match, .. } => {
                topics::delete_topic(api, id, if_match.as_deref()).await
            }
            OciCall::CreateSubscription { topic, compartment, function, tags, retry_token } => {
                topics::create_subscription(api, topic, function, compartment, tags, *retry_token).await
            }
            OciCall::DeleteSubscription { id, if_match, .. } => {
                topics::delete_subscription(api, id, if_match.as_deref()).await
            }
            OciCall::PublishMessage { topic, title, body } => topics::publish(api, topic, title, body).await,
        }
    }
}

impl OciClient {
    /// A client that reads its region and identity from `variable` instead of the environment.
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

    /// Reads everything in parallel. Only the responses contain the compartments, so they are guessed: the cached ones,
    /// or else the function's own. Whatever was read in a wrong compartment is read again.
    async fn read_all(&self, api: &Api, request: &ObserveRequest<'_>) -> Result<ObservedDeployment, Error> {
        let id = request.target.as_str();
        let GuessedCompartments { alarms: guessed_place, home: guessed_home } = self.guess(api, id);
        let (described, alarm, pairs, work, readings) = tokio::join!(
            deployments::get(api, id),
            alarms::get(api, &request.alarm.id),
            pairs_in(api, request, guessed_place.as_deref()),
            work_on(api, request, guessed_home.as_deref()),
            readings_of(api, request, guessed_home.as_deref()),
        );
        let (described, stamp) = (described?, self.recall(id).stamp);
        if TARGET.lifecycle(described.word("/lifecycleState")) != Lifecycle::Settled {
            // An unsettled deployment is not changed, so failures of the other reads do not matter.
            let (alarm, pairs) = (alarm.unwrap_or_default(), pairs.unwrap_or_default());
            let (work, readings) = (work.unwrap_or_default(), readings.unwrap_or_default());
            return Ok(ObservedDeployment { described, alarm, pairs, work, readings, stamp });
        }
        let alarm = alarm?;
        let home = described.compartment().to_owned();
        let place = alarm.as_ref().map_or(&home, |alarm| &alarm.alarm.compartment).clone();
        let place_is_right = guessed_place.as_ref() == Some(&place);
        let home_is_right = guessed_home.as_ref() == Some(&home);
        let (pairs, work, readings) = tokio::join!(
            or_reread(pairs, place_is_right, pairs_in(api, request, Some(&place))),
            or_reread(work, home_is_right, work_on(api, request, Some(&home))),
            or_reread(readings, home_is_right, readings_of(api, request, Some(&home))),
        );
        let (pairs, work, readings) = (pairs?, work?, readings?);
        self.remember(id, |cached| {
            cached.alarms = Some(place);
            cached.home = Some(home);
        });
        Ok(ObservedDeployment { described, alarm, pairs, work, readings, stamp })
    }

    fn guess(&self, api: &Api, id: &str) -> GuessedCompartments {
        let cached = self.recall(id);
        let own = || api.identity().ok().and_then(|identity| identity.compartment.clone());
        GuessedCompartments { alarms: cached.alarms.or_else(own), home: cached.home.or_else(own) }
    }

    /// Updates size and stamp in one request. If the service does not accept both together, the size is updated alone,
    /// and a second request writes the stamp.
    async fn update(
        &self,
        api: &Api,
        id: &str,
        if_match: &str,
        configuration: &Value,
        tags: &Tags,
    ) -> Result<String, Error> {
        if !self.recall(id).tags_follow {
            match deployments::update(api, id, if_match, configuration, Some(tags)).await {
                // Updating the size alone shows whether the tags were the reason.
                Err(Error::Refused { .. }) => {}
                result => return result.map(accepted),
            }
        }
        let work_request = deployments::update(api, id, if_match, configuration, None).await?;
        self.remember(id, |cached| {
            cached.tags_follow = true;
            cached.stamp = notes::of_the_change(tags);
        });
        let stamped = deployments::tag(api, id, tags).await;
        let suffix =
            stamped.map_or_else(|error| format!(", not stamped: {error}"), |()| ", stamped".to_owned());
        Ok(accepted(work_request) + &suffix)
    }

    fn remember(&self, id: &str, change: impl FnOnce(&mut CachedDeployment)) {
        change(self.cache().entry(id.to_owned()).or_default());
    }

    fn recall(&self, id: &str) -> CachedDeployment {
        self.cache().get(id).cloned().unwrap_or_default()
    }

    /// A poisoned lock is safe to use: each change is one step, so a panic elsewhere leaves none half done.
    fn cache(&self) -> MutexGuard<'_, HashMap<String, CachedDeployment>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The guessed compartments of a deployment's alarms, and of the deployment itself with its work requests and metrics.
struct GuessedCompartments {
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

/// The result from the guessed compartment if the guess was right, or else that of reading again.
async fn or_reread<T>(
    guessed: Result<T, Error>,
    is_right: bool,
    reread: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    if is_right { guessed } else { reread.await }
}

fn accepted(work_request: Option<String>) -> String {
    work_request.map_or_else(|| "accepted".to_owned(), |id| format!("accepted, work request {id}"))
}

fn observation(request: &ObserveRequest, found: ObservedDeployment) -> Observation {
    let ObservedDeployment {
        described,
        alarm,
        mut pairs,
        work: Work { under_way, finished },
        readings,
        stamp,
    } = found;
    let tags = described.tags();
    let mut status = described.word("/lifecycleState").to_owned();
    let mut lifecycle = TARGET.lifecycle(&status);
    // The lifecycle state lags behind an accepted update.
    if let (Lifecycle::Settled, Some(state)) = (lifecycle, under_way) {
        lifecycle = Lifecycle::Busy;
        status = format!("{status}, its work request {state}");
    }
    let configured = configuration::read(described.configuration(), described.running());
    let size = configured.size_for(request.axis);
    let ConfiguredSize { fixed, owners, .. } = configured;
    // The firing alarm was read completely, but the list has only some members of it.
    let firing_pair = alarm.as_ref().filter(|alarm| alarms::is_pair(alarm, request)).cloned();
    if let Some(firing_pair) = firing_pair {
        match pairs.iter_mut().find(|pair| pair.id == firing_pair.id) {
            Some(listed) => *listed = firing_pair,
            None => pairs.push(firing_pair),
        }
    }
    // Sorted, so that all observers keep the same one of several.
    pairs.sort_by(|a, b| a.id.cmp(&b.id));
    let mut observed_pairs =
        pairs.iter().map(|pair| observed(&pair.id, pair.etag.clone(), &pair.alarm, true));
    let deployment = Deployment {
        target: request.target.clone(),
        last_change: notes::last_change(&tags, finished).max(notes::requested_at(&stamp)),
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
        unpublished: BTreeMap::new(),
        floor: None,
        alarm: alarm.as_ref().map(|alarm| observed(&alarm.id, alarm.etag.clone(), &alarm.alarm, false)),
        pair: observed_pairs.next(),
        duplicates: observed_pairs.collect(),
    };
    let facts = Facts {
        compartment: described.compartment().to_owned(),
        configuration: Arc::new(described.configuration().clone()),
        tags: Arc::new(tags),
        etag: described.etag,
        alarm: alarm.map(|existing| existing.alarm),
        pair: pairs.into_iter().next().map(|existing| existing.alarm),
    };
    Observation { deployment, facts: platform::Facts::Oci(facts) }
}
