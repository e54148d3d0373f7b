//! Simulated OCI: model deployments with etags and tags, Monitoring alarms, which repeat, and Notifications.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::alarm::OciAlarm;
use super::call::{Call, RetryToken, Unchanged};
use super::model_deployment::configuration::{self, ConfiguredSize};
use super::model_deployment::metric;
use super::model_deployment::notes;
use super::model_deployment::{self, NAMESPACE, TAG_PAIR, TARGET};
use super::mql;
use super::provision::{
    Desired, Existing, ExistingAlarm, ExistingSubscription, ExistingTopic, FUNCTIONS, Topic,
};
use crate::deployment::{Deployment, Lifecycle, ObservedAlarm};
use crate::platform::simulated::{
    AlarmEvent, FiringAlarm, Measured, PendingUpdate, SimulatedDeployment, Simulation, World, WorldAlarm,
    check_revision, lifecycle, readings,
};
use crate::platform::{AlarmDefinition, Error, Facts, Observation, ObserveRequest};
use crate::tags::{self, Tags};

/// The part of OCI in the simulated cloud.
pub(super) const SIMULATION: Simulation = Simulation {
    shape: "VM.Standard2.2",
    load: [("CpuUtilization", 30.0), ("MemoryUtilization", 30.0)],
    states: STATES,
    observe,
    settle: |_, _| {},
    firing_alarm,
    alarm_id,
};

/// The deployment states settled and being updated.
const STATES: [&str; 2] = ["ACTIVE", "UPDATING"];

/// The compartment of all simulated resources.
const COMPARTMENT: &str = "ocid1.compartment.oc1..simulated";

/// The topic that simulated alarms notify.
const TOPIC: &str = "ocid1.onstopic.oc1..simulated";

/// The default bandwidth of a load balancer, in Mbps.
const BANDWIDTH: u32 = 10;

/// Sends one call.
pub(in crate::platform) fn send(world: &mut World, call: &Call) -> Result<String, Error> {
    match call {
        Call::UpdateModelDeployment { id, if_match, configuration, stamp } => {
            update_model_deployment(world, id, if_match, &configuration.body(), stamp.tags())
        }
        Call::TagModelDeployment { id, tags } => Ok(world.tag_deployment(id, tags)),
        Call::CreateAlarm { alarm, retry_token, next_token } => {
            world.create_alarm(alarm, [*retry_token, *next_token])
        }
        Call::UpdateAlarm { id, if_match, alarm } => world.update_alarm(id, if_match.as_deref(), alarm),
        Call::DeleteAlarm { id, if_match, unless_changed, .. } => world
            .unchanged(unless_changed.as_ref())
            .and_then(|()| world.delete_alarm("oci:DeleteAlarm", id, if_match.as_deref())),
        Call::CreateTopic { name, tags, retry_token, .. } => world.create_topic(name, tags, *retry_token),
        Call::DeleteTopic { id, .. } => Ok(world.delete_topic(id)),
        Call::CreateSubscription { topic, function, tags, .. } => {
            world.create_subscription(topic, function, tags)
        }
        Call::DeleteSubscription { id, .. } => Ok(world.delete_subscription(id)),
        Call::PublishMessage { topic, body, .. } => Ok(world.receive(topic, body)),
    }
}

/// Observes a model deployment.
fn observe(world: &World, found: &SimulatedDeployment, request: &ObserveRequest) -> Observation {
    let (status, lifecycle) = lifecycle(found, request);
    let configured = configured(found);
    let size = configured.size_for(request.axis);
    let heading = if found.change.is_some() { found.heading() } else { size.clone() };
    let pairs = world.pairs_of(request);
    let mut observed = pairs.iter().map(|(alarm, _)| alarm.clone());
    let deployment = Deployment {
        target: request.target.clone(),
        size,
        heading,
        lifecycle,
        status,
        last_change: found.last_change,
        bounds: found.bounds,
        fixed: configured.fixed,
        owners: configured.owners,
        pauses: Vec::new(),
        tags: tags::own(&found.tags, None),
        readings: readings(found, request),
        unpublished: BTreeMap::new(),
        infeasible: notes::infeasible(&found.tags, &found.size(), None, request.capacity_backoff),
        floor: None,
        alarm: world.observed_firing(request.alarm),
        pair: observed.next(),
        duplicates: observed.collect(),
    };
    let fired = world.fired(request.alarm).and_then(|alarm| {
        let AlarmDefinition::Oci(definition) = &alarm.definition else { return None };
        Some(definition.clone())
    });
    let facts = model_deployment::Facts {
        etag: found.etag(),
        compartment: COMPARTMENT.to_owned(),
        configuration: Arc::new(configuration_of(found)),
        tags: Arc::new(found.tags.clone()),
        alarm: fired,
        pair: pairs.into_iter().next().map(|(_, definition)| definition),
    };
    Observation { deployment, facts: Facts::Oci(facts) }
}

/// The definition of the alarm that fired; for a pair, with the marker.
fn firing_alarm(_world: &World, request: &ObserveRequest, fired: &FiringAlarm) -> AlarmDefinition {
    let FiringAlarm { metric, threshold, minutes, above, is_pair, .. } = fired;
    let target = request.target;
    let pair = request.pair.filter(|_| *is_pair);
    AlarmDefinition::Oci(OciAlarm {
        name: request.alarm.name.to_string(),
        compartment: COMPARTMENT.to_owned(),
        metric_compartment: COMPARTMENT.to_owned(),
        namespace: NAMESPACE.into(),
        query: format!(
            "{metric}[{minutes}m]{{resourceId = \"{target}\"}}.groupBy(resourceId).{} {} {threshold}",
            metric::statistic_to_read(metric, &request.alarm.measurement),
            if *above { ">" } else { "<" }
        ),
        severity: "INFO".into(),
        destinations: vec![TOPIC.to_owned()],
        repeat: Some("PT5M".to_owned()),
        pending: Some("PT1M".into()),
        enabled: true,
        body: None,
        tags: pair.map(|pair| model_deployment::marker(target, &pair.alarm).into()).unwrap_or_default(),
    })
}

fn alarm_id(world: &mut World, request: &ObserveRequest) -> String {
    match request.alarm.id.as_str() {
        "" => world.next_id("alarm"),
        id => id.to_owned(),
    }
}

/// What an alarm measures.
pub(in crate::platform) fn measured(alarm: &OciAlarm) -> Option<Measured<'_>> {
    let (query, silence_breaches) = match mql::low_or_absent(&alarm.query) {
        Some(low) => (low, true),
        None => (alarm.query.as_str(), false),
    };
    let comparison = mql::comparison(query)?;
    let metric = mql::metric(query)?;
    let added_up = metric::metric(metric).zip(mql::window(query));
    let minutes = added_up.map_or(1.0, |(metric, window)| metric::minutes_added_up(metric, window));
    Some(Measured {
        target: (*mql::resource_ids(query, 1).first()?).to_owned(),
        metric,
        above: comparison.side == mql::FiringSide::Above,
        // The world's metrics are by the minute.
        threshold: comparison.threshold / minutes,
        window: mql::window(query)?,
        repeat: alarm.repeat.as_deref().and_then(|text| text.parse().ok()),
        silence_breaches,
    })
}

/// The message that Notifications delivers.
pub(in crate::platform) fn message(
    alarm: &OciAlarm,
    world_alarm: &WorldAlarm,
    event: AlarmEvent,
    now: Timestamp,
    value: Option<f64>,
) -> Value {
    let (kind, status) = match event {
        AlarmEvent::Fired => ("OK_TO_FIRING", "FIRING"),
        AlarmEvent::Repeated => ("REPEAT", "FIRING"),
        AlarmEvent::Cleared => ("FIRING_TO_OK", "OK"),
    };
    json!({
        "dedupeKey": world_alarm.id,
        "title": alarm.name,
        "type": kind,
        "severity": alarm.severity,
        "timestampEpochMillis": now.as_millisecond(),
        "timestamp": now.to_string(),
        "alarmMetaData": [{
            "id": world_alarm.id,
            "status": status,
            "severity": alarm.severity,
            "namespace": alarm.namespace,
            "query": alarm.query,
            "totalMetricsFiring": 1,
            "dimensions": [{ "resourceId": mql::resource_ids(&alarm.query, 1).first() }],
            // An absent metric has no value, and its query the value 1.
            "metricValues": [{ mql::metric(&alarm.query).unwrap_or("metric"): value.unwrap_or(1.0).to_string() }],
        }],
        "version": 1.5,
    })
}

/// Whether an alarm carries the marker of any pair.
pub(in crate::platform) fn is_a_pair(alarm: &OciAlarm) -> bool {
    alarm.tags.contains_key(TAG_PAIR)
}

/// The existing resources among those that `provision` manages.
pub(in crate::platform) fn existing(world: &World, desired: &Desired) -> Existing {
    let is_desired = |found: &&ExistingTopic| match &desired.topic {
        Topic::Named(name) => found.name == *name,
        Topic::Given(id) => found.id == *id,
    };
    let topic = world.topics.iter().find(is_desired).cloned();
    let of_topic =
        |found: &&ExistingSubscription| topic.as_ref().is_some_and(|topic| topic.id == found.topic);
    let subscriptions = world.subscriptions.iter().filter(of_topic).cloned().collect();
    let alarms = world.alarms.iter().filter_map(|alarm| existing_alarm(alarm, &desired.alarm_homes()));
    Existing { topic, subscriptions, alarms: alarms.collect() }
}

fn existing_alarm(world_alarm: &WorldAlarm, compartments: &[&str]) -> Option<ExistingAlarm> {
    let AlarmDefinition::Oci(alarm) = &world_alarm.definition else { return None };
    compartments.contains(&alarm.compartment.as_str()).then(|| ExistingAlarm {
        id: world_alarm.id.clone(),
        etag: Some(world_alarm.revision.to_string()),
        alarm: alarm.clone(),
    })
}

/// The configuration that `GetModelDeployment` returns.
fn configuration_of(found: &SimulatedDeployment) -> Value {
    if let Some(configuration) = &found.configuration {
        return configuration.clone();
    }
    let flex = found.flex.map(|flex| json!({ "ocpus": flex.ocpus, "memoryInGBs": flex.memory_gib }));
    let mut instance = json!({ "instanceShapeName": found.shape });
    if let Some(flex) = flex {
        instance["modelDeploymentInstanceShapeConfigDetails"] = flex;
    }
    json!({
        "deploymentType": "SINGLE_MODEL",
        "modelConfigurationDetails": {
            "modelId": "ocid1.datasciencemodel.oc1..simulated",
            "bandwidthMbps": found.bandwidth_mbps.unwrap_or(BANDWIDTH),
            "instanceConfiguration": instance,
            "scalingPolicy": { "policyType": "FIXED_SIZE", "instanceCount": found.instances },
        },
    })
}

/// The size in its configuration.
fn configured(found: &SimulatedDeployment) -> ConfiguredSize {
    configuration::read(&configuration_of(found), Some(found.instances))
}

/// The update to a requested configuration; `None` if it changes more than one axis.
fn pending_update(
    found: &SimulatedDeployment,
    requested: &Value,
    completes: Timestamp,
) -> Option<PendingUpdate> {
    let (before, after) =
        (configured(found).size, configuration::read(requested, Some(found.instances)).size);
    let changes = [
        before.instances != after.instances,
        before.rung() != after.rung(),
        before.bandwidth_mbps != after.bandwidth_mbps,
    ];
    let one = changes.into_iter().filter(|change| *change).count() <= 1;
    one.then(|| PendingUpdate {
        instances: after.instances,
        flex: after.flex,
        bandwidth_mbps: if changes[2] { after.bandwidth_mbps } else { found.bandwidth_mbps },
        configuration: found.configuration.as_ref().map(|_| requested.clone()),
        shape: after.shape,
        completes,
    })
}

fn update_model_deployment(
    world: &mut World,
    id: &str,
    if_match: &str,
    configuration: &Value,
    tags: Tags,
) -> Result<String, Error> {
    let operation = "oci:UpdateModelDeployment";
    let completes = world.update_completes();
    let found = world.deployments.get_mut(id).ok_or_else(|| Error::NotFound {
        operation: operation.to_owned(),
        message: format!("404 NotAuthorizedOrNotFound: `{id}`"),
    })?;
    let status = found.status(STATES);
    if TARGET.lifecycle(&status) != Lifecycle::Settled {
        let message = format!("409 IncorrectState: {status}");
        return Err(Error::InProgress { operation: operation.to_owned(), message });
    }
    check_revision(operation, &found.etag(), Some(if_match))?;
    let Some(change) = pending_update(found, configuration, completes) else {
        return Err(Error::Refused {
            operation: operation.to_owned(),
            message: "400 InvalidParameter: change the count, the shape or the bandwidth, and one of them"
                .to_owned(),
        });
    };
    let (from, to) = (configured(found).size, change.size());
    let beyond =
        |shape: &String| [to.shape.as_str(), &to.rung()].contains(&shape.as_str()) && *shape != from.shape;
    if from.rung() != to.rung() && world.unavailable.iter().any(beyond) {
        let message = format!("400 LimitExceeded: `{}` is beyond the quota", to.rung());
        return Err(Error::OverQuota { operation: operation.to_owned(), message });
    }
    found.tags = tags;
    found.begin(change);
    Ok("accepted, UPDATING".to_owned())
}

impl World {
    /// Creates a topic. Its name is unique, so a second one is refused, unless it is a retry.
    fn create_topic(&mut self, name: &str, tags: &Tags, retry_token: RetryToken) -> Result<String, Error> {
        if let Some(id) = self.tokens.get(&retry_token.to_string()) {
            return Ok(format!("topic {id} exists already"));
        }
        if self.topics.iter().any(|topic| topic.name == name) {
            return Err(Error::Refused {
                operation: "oci:CreateTopic".to_owned(),
                message: format!("409 Conflict: there is a topic `{name}`"),
            });
        }
        let id = self.next_id("onstopic");
        self.tokens.insert(retry_token.to_string(), id.clone());
        let answer = format!("topic {id}");
        self.topics.push(ExistingTopic { id, name: name.to_owned(), etag: None, tags: tags.clone() });
        Ok(answer)
    }

    /// Deletes a topic with its subscriptions.
    fn delete_topic(&mut self, id: &str) -> String {
        self.topics.retain(|topic| topic.id != id);
        self.subscriptions.retain(|subscription| subscription.topic != id);
        "deleted".to_owned()
    }

    fn create_subscription(&mut self, topic: &str, function: &str, tags: &Tags) -> Result<String, Error> {
        if !self.topics.iter().any(|existing| existing.id == topic) {
            return Err(Error::NotFound {
                operation: "oci:CreateSubscription".to_owned(),
                message: format!("404 NotAuthorizedOrNotFound: `{topic}`"),
            });
        }
        let id = self.next_id("onssubscription");
        let answer = format!("subscription {id}");
        self.subscriptions.push(ExistingSubscription {
            id,
            topic: topic.to_owned(),
            protocol: FUNCTIONS.to_owned(),
            endpoint: function.to_owned(),
            etag: None,
            tags: tags.clone(),
        });
        Ok(answer)
    }

    fn delete_subscription(&mut self, id: &str) -> String {
        self.subscriptions.retain(|subscription| subscription.id != id);
        "deleted".to_owned()
    }

    /// The alarms that carry the marker of the pair. Their names are not unique.
    fn pairs_of(&self, request: &ObserveRequest) -> Vec<(ObservedAlarm, OciAlarm)> {
        let Some(pair) = request.pair else { return Vec::new() };
        let paired = |alarm: &WorldAlarm| {
            let AlarmDefinition::Oci(definition) = &alarm.definition else { return None };
            let ours = model_deployment::is_ours(definition, request.target, &pair.alarm);
            ours.then(|| (alarm.observed(true), definition.clone()))
        };
        self.alarms.iter().filter_map(paired).collect()
    }

    /// Creates an alarm, once per token. If the alarm of a token has been deleted since, the next token is used.
    fn create_alarm(&mut self, alarm: &OciAlarm, tokens: [RetryToken; 2]) -> Result<String, Error> {
        for token in tokens.map(|token| token.to_string()) {
            let Some(id) = self.tokens.get(&token) else {
                let id = self.next_id("alarm");
                self.tokens.insert(token, id.clone());
                self.alarms.push(WorldAlarm::new(&id, AlarmDefinition::Oci(alarm.clone())));
                return Ok(format!("alarm {id}"));
            };
            if self.alarms.iter().any(|existing| existing.id == *id) {
                return Ok(format!("alarm {id} exists already"));
            }
        }
        Err(Error::Refused {
            operation: "oci:CreateAlarm".to_owned(),
            message: "409 InvalidatedRetryToken: its alarm has been deleted since".to_owned(),
        })
    }

    fn update_alarm(&mut self, id: &str, if_match: Option<&str>, alarm: &OciAlarm) -> Result<String, Error> {
        // It existed when it was observed, so it has been deleted since.
        let found =
            self.alarms.iter_mut().find(|existing| existing.id == id).ok_or_else(|| Error::LostRace {
                operation: "oci:UpdateAlarm".to_owned(),
                message: format!("404 NotAuthorizedOrNotFound: `{id}`"),
            })?;
        check_revision("oci:UpdateAlarm", &found.revision.to_string(), if_match)?;
        found.definition = AlarmDefinition::Oci(alarm.clone());
        found.revision = found.revision.saturating_add(1);
        Ok(format!("alarm {id}"))
    }

    fn unchanged(&self, observed: Option<&Unchanged>) -> Result<(), Error> {
        let found =
            observed.and_then(|Unchanged { id, etag }| Some((etag, self.deployments.get(id)?.etag())));
        found.map_or(Ok(()), |(etag, found)| check_revision("oci:DeleteAlarm", &found, Some(etag)))
    }

    fn tag_deployment(&mut self, id: &str, tags: &Tags) -> String {
        if let Some(found) = self.deployments.get_mut(id) {
            found.tags.clone_from(tags);
            found.revision = found.revision.saturating_add(1);
        }
        "tagged".to_owned()
    }

    fn next_id(&mut self, kind: &str) -> String {
        format!("ocid1.{kind}.oc1..simulated{}", self.next_number())
    }
}
