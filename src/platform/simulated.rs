//! An in-memory cloud with the real clouds' semantics: updates take time and refuse company, etags
//! change, alarms fire as their service makes them fire, and the clock is virtual.
//!
//! The default of the command line, and the ground for simulation. Its [`World`] is a small JSON file.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Client, Error};
use crate::alarm::{Alarm, TargetKind, Transition};
use crate::call::{AlarmDefinition, Call, CloudwatchAlarm, OciAlarm, RetryToken, Unchanged};
use crate::decide::Evaluation;
use crate::deployment::{Axis, Deployment, Endpoint, Facts, Lifecycle, SeenAlarm, Tags};
use crate::platform::aws::variant::{self as sagemaker, configuration, native, notes};
use crate::platform::oci::model_deployment as oci;
use crate::platform::oci::provision::Desired;
use crate::platform::oci::provision::Existing;
use crate::platform::target;
use crate::reconcile::{ActiveAlarm, AlarmState};
use crate::source::variant_named;
use crate::tags;

mod alarms;
pub(in crate::platform) mod world;

pub use alarms::Delivery;
pub use world::{
    PendingUpdate, SentMessage, SimulatedDeployment, World, WorldAlarm, WorldConfiguration, WorldEndpoint,
    WorldError,
};

/// The simulated cloud.
#[derive(Debug, Default)]
pub struct SimulatedCloud {
    world: Mutex<World>,
}

impl SimulatedCloud {
    /// A cloud in this state.
    pub fn new(world: World) -> Self {
        Self { world: Mutex::new(world) }
    }

    /// Moves the clock: changes complete, alarms are evaluated once a minute. Returns what alarms sent
    /// meanwhile, oldest first. The clock never runs backwards.
    pub fn advance(&self, to: Timestamp) -> Vec<Delivery> {
        self.world().advance(to)
    }

    /// Its state as it is now.
    pub fn snapshot(&self) -> World {
        self.world().clone()
    }

    /// Looks at or changes its state directly, as an operator at a console would.
    pub fn with<T>(&self, touch: impl FnOnce(&mut World) -> T) -> T {
        touch(&mut self.world())
    }

    /// A panic elsewhere cannot leave a world half changed: every touch is one call.
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Client for SimulatedCloud {
    async fn observe(&self, evaluation: &Evaluation<'_>) -> Result<Deployment, Error> {
        let mut world = self.world();
        world.furnish(evaluation);
        describe(&world, evaluation)
    }

    async fn standing(&self, action: Option<&str>, now: Timestamp) -> Result<Vec<ActiveAlarm>, Error> {
        let world = self.world();
        Ok(world.alarms.iter().filter_map(|alarm| standing(alarm, action, now)).collect())
    }

    async fn setup(&self, wanted: &Desired) -> Result<Existing, Error> {
        Ok(self.world().setup(wanted))
    }

    async fn send(&self, call: &Call) -> Result<String, Error> {
        let mut world = self.world();
        match call {
            Call::OciUpdateModelDeployment { id, if_match, configuration, stamp } => {
                update_model_deployment(&mut world, id, if_match, (&configuration.body(), stamp.tags()))
            }
            Call::OciTagModelDeployment { id, tags } => Ok(world.tag_deployment(id, tags)),
            Call::AwsUpdateEndpointWeightsAndCapacities { instances, endpoint, variant } => {
                let id = crate::alarm::TargetId::sagemaker_variant(endpoint, variant).id;
                update_variant(&mut world, &id, *instances)
            }
            Call::OciCreateAlarm { alarm, retry_token, next_token } => {
                world.create_alarm(alarm, [*retry_token, *next_token])
            }
            Call::OciUpdateAlarm { id, if_match, alarm } => {
                world.update_alarm(id, if_match.as_deref(), alarm)
            }
            Call::OciDeleteAlarm { id, if_match, unless_changed, .. } => world
                .unchanged(unless_changed.as_ref())
                .and_then(|()| world.delete_alarm(id, if_match.as_deref())),
            Call::OciCreateTopic { name, tags, retry_token, .. } => {
                world.create_topic(name, tags, *retry_token)
            }
            Call::OciDeleteTopic { id, .. } => Ok(world.delete_topic(id)),
            Call::OciCreateSubscription { topic, function, tags, .. } => {
                world.create_subscription(topic, function, tags)
            }
            Call::OciDeleteSubscription { id, .. } => Ok(world.delete_subscription(id)),
            Call::AwsCreateEndpointConfig { body, .. } => Ok(world.create_endpoint_config(body)),
            Call::AwsUpdateEndpoint { endpoint, configuration, .. } => {
                world.update_endpoint(endpoint, configuration)
            }
            Call::AwsDeleteEndpointConfig { name } => Ok(world.delete_endpoint_config(name)),
            Call::AwsAddTags { arn, tags } => Ok(world.retag(arn, |known| known.extend(tags.clone()))),
            Call::AwsDeleteTags { arn, keys } => {
                Ok(world.retag(arn, |known| known.retain(|key, _| !keys.contains(key))))
            }
            Call::AwsDeregisterScalableTarget { target } => Ok(world.deregister(target)),
            Call::AwsRegisterScalableTarget { body } => Ok(world.register(body)),
            Call::AwsPutScalingPolicy { body } => Ok(world.put_scaling_policy(body)),
            Call::AwsPutScheduledAction { body } => Ok(world.put_scheduled_action(body)),
            Call::AwsRepointAlarm { name, from, to, .. } => Ok(world.repoint_alarm(name, from, to)),
            Call::AwsPutMetricAlarm(alarm) => Ok(world.put_metric_alarm(alarm)),
            Call::AwsDeleteAlarms { name } => world.delete_alarm(name, None),
            Call::OciPublishMessage { topic, body, .. } => Ok(world.hear(topic, body)),
            Call::AwsPublish { topic, message, .. } => Ok(world.hear(topic, message)),
            Call::WebPost { address, body, .. } => Ok(world.hear(&address.to_string(), body)),
        }
    }
}

fn describe(world: &World, evaluation: &Evaluation) -> Result<Deployment, Error> {
    let id = &evaluation.target.id;
    let found = world.deployments.get(id).ok_or_else(|| Error::NotFound {
        operation: read_operation(evaluation.target.kind).to_owned(),
        message: format!("the simulated world holds no `{id}`"),
    })?;
    let status = found.status_of(evaluation.target.kind);
    let lifecycle = lifecycle(evaluation.target.kind, &status);
    let (endpoint_name, variant) = evaluation.target.endpoint_and_variant().unwrap_or_default();
    let endpoint = world.whole_endpoint(evaluation.target);
    let native = world.native(evaluation.target);
    let whole = endpoint.as_ref();
    let mut fixed: BTreeMap<Axis, String> = BTreeMap::new();
    fixed.extend(
        whole.and_then(|known| configuration::why_fixed(known, variant)).map(|why| (Axis::Shape, why)),
    );
    let mut owners = whole.map(|known| native::owners(&native, &known.tags, variant)).unwrap_or_default();
    let (mut size, mut heading) = (found.size(), found.heading());
    if evaluation.target.kind == TargetKind::OciModelDeployment {
        let told = found.told();
        size = told.size_for(evaluation.matched.rule.axis);
        heading = if found.change.is_some() { heading } else { size.clone() };
        fixed.extend(told.fixed);
        owners.extend(told.owners);
    }
    let capacity_backoff = evaluation.matched.rule.is.capacity_backoff;
    let rest = whole.filter(|_| lifecycle == Lifecycle::Settled).map(|known| notes::SettledEndpoint {
        configuration: configuration::name(&known.configuration),
        instances: found.instances,
        last_change: found.last_change,
        capacity_backoff,
    });
    Ok(Deployment {
        target: evaluation.target.clone(),
        size,
        heading,
        lifecycle,
        status,
        last_change: found.last_change,
        bounds: found.bounds.or_else(|| native::bounds(&native)),
        fixed,
        owners,
        pauses: native::pauses(&native),
        tags: own_tags(evaluation, found, whole),
        readings: readings(evaluation, found),
        infeasible: whole.map_or_else(
            || oci::notes::infeasible(&found.tags, &found.size(), None, capacity_backoff),
            |known| notes::infeasible(&known.tags, variant, rest),
        ),
        floor: whole.and_then(|known| configuration::floor(known, endpoint_name, variant)).map(str::to_owned),
        alarm: world.alarm_that_called(evaluation.alarm).map(|alarm| seen(alarm, false)),
        pair: world.pairs_of(evaluation).next(),
        duplicates: world.pairs_of(evaluation).skip(1).collect(),
        facts: facts(evaluation.target.kind, found, endpoint),
    })
}

/// What a deployment's own tags say: those of an endpoint are its variants' all.
fn own_tags(
    evaluation: &Evaluation,
    found: &world::SimulatedDeployment,
    endpoint: Option<&Endpoint>,
) -> Tags {
    let variant = evaluation.target.endpoint_and_variant().map(|(_, variant)| variant);
    let mut tags = found.tags.clone();
    tags.extend(endpoint.into_iter().flat_map(|endpoint| endpoint.tags.clone()));
    tags::own(&tags, variant)
}

/// What the metrics read that the question asks for.
fn readings(evaluation: &Evaluation, found: &world::SimulatedDeployment) -> BTreeMap<String, f64> {
    let read = |asked: &str| {
        let same = |(name, _): &(&String, &f64)| name.eq_ignore_ascii_case(asked);
        found.metrics.iter().find(same).map(|(_, value)| (asked.to_owned(), *value))
    };
    evaluation.readings().into_iter().filter_map(read).collect()
}

pub(in crate::platform) fn lifecycle(kind: TargetKind, status: &str) -> Lifecycle {
    target::of(kind).map_or(Lifecycle::Busy, |target| target.lifecycle(status))
}

fn read_operation(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::OciModelDeployment => "oci:GetModelDeployment",
        TargetKind::SagemakerVariant | TargetKind::Unknown => "aws:DescribeEndpoint",
    }
}

fn facts(kind: TargetKind, found: &SimulatedDeployment, endpoint: Option<Endpoint>) -> Facts {
    match kind {
        TargetKind::OciModelDeployment => Facts::OciModelDeployment {
            etag: found.etag(),
            compartment: world::COMPARTMENT.to_owned(),
            configuration: Arc::new(found.configuration()),
            tags: Arc::new(found.tags.clone()),
        },
        TargetKind::SagemakerVariant | TargetKind::Unknown => Facts::SagemakerVariant {
            configuration: endpoint
                .as_ref()
                .map(|known| configuration::name(&known.configuration).to_owned())
                .unwrap_or_default(),
            arn: endpoint.as_ref().map(|known| known.arn.clone()).unwrap_or_default(),
            created: None,
            endpoint: endpoint.map(Box::new),
        },
    }
}

fn seen(alarm: &WorldAlarm, ours: bool) -> SeenAlarm {
    SeenAlarm {
        id: alarm.id.clone(),
        etag: Some(alarm.revision.to_string()),
        ours,
        definition: alarm.definition.clone(),
        window: alarms::window(&alarm.definition),
    }
}

impl World {
    /// The alarm that an event says has called.
    fn alarm_that_called(&self, alarm: &Alarm) -> Option<&WorldAlarm> {
        let by_id = self.alarms.iter().find(|known| !alarm.id.is_empty() && known.id == alarm.id);
        by_id.or_else(|| self.alarms.iter().find(|known| known.definition.name() == alarm.name))
    }

    /// The alarm in the place of the paired one: by tags on OCI, by name on CloudWatch.
    fn pairs_of(&self, evaluation: &Evaluation) -> impl Iterator<Item = SeenAlarm> {
        let target = evaluation.target;
        let rule = &evaluation.matched.rule;
        self.alarms.iter().filter_map(move |alarm| {
            let pair = rule.pair.as_ref()?;
            match &alarm.definition {
                AlarmDefinition::Oci(found) => {
                    oci::is_ours(found, target, &pair.alarm).then(|| seen(alarm, true))
                }
                AlarmDefinition::Cloudwatch(found) => (found.name == pair.name_for(target))
                    .then(|| seen(alarm, sagemaker::is_ours(found, target, &pair.alarm))),
            }
        })
    }

    /// A token whose alarm has been deleted since is spent, and the next one counts.
    fn create_alarm(&mut self, alarm: &OciAlarm, tokens: [RetryToken; 2]) -> Result<String, Error> {
        for token in tokens.map(|token| token.to_string()) {
            let Some(id) = self.tokens.get(&token) else {
                let id = self.next_alarm_id();
                self.tokens.insert(token, id.clone());
                self.alarms.push(WorldAlarm::new(&id, AlarmDefinition::Oci(alarm.clone())));
                return Ok(format!("alarm {id}"));
            };
            if self.alarms.iter().any(|known| known.id == *id) {
                return Ok(format!("alarm {id} exists already"));
            }
        }
        Err(Error::RejectedChange {
            operation: "oci:CreateAlarm".to_owned(),
            message: "409 InvalidatedRetryToken: its alarm has been deleted since".to_owned(),
        })
    }

    fn update_alarm(&mut self, id: &str, if_match: Option<&str>, alarm: &OciAlarm) -> Result<String, Error> {
        // It stood when it was observed, so somebody has deleted it since.
        let found = self.alarms.iter_mut().find(|known| known.id == id).ok_or_else(|| Error::LostRace {
            operation: "oci:UpdateAlarm".to_owned(),
            message: format!("404 NotAuthorizedOrNotFound: `{id}`"),
        })?;
        check_revision("oci:UpdateAlarm", &found.revision.to_string(), if_match)?;
        found.definition = AlarmDefinition::Oci(alarm.clone());
        found.revision += 1;
        Ok(format!("alarm {id}"))
    }

    fn delete_alarm(&mut self, id: &str, if_match: Option<&str>) -> Result<String, Error> {
        let Some(at) = self.alarms.iter().position(|known| known.id == id) else {
            return Ok("gone already".to_owned());
        };
        if let Some(found) = self.alarms.get(at) {
            check_revision("oci:DeleteAlarm", &found.revision.to_string(), if_match)?;
        }
        self.alarms.remove(at);
        Ok("deleted".to_owned())
    }

    fn unchanged(&self, observed: Option<&Unchanged>) -> Result<(), Error> {
        let found =
            observed.and_then(|Unchanged { id, etag }| Some((etag, self.deployments.get(id)?.etag())));
        found.map_or(Ok(()), |(etag, found)| check_revision("oci:DeleteAlarm", &found, Some(etag)))
    }

    fn tag_deployment(&mut self, id: &str, tags: &Tags) -> String {
        if let Some(found) = self.deployments.get_mut(id) {
            found.tags.clone_from(tags);
            found.revision += 1;
        }
        "tagged".to_owned()
    }

    fn repoint_alarm(&mut self, name: &str, from: &str, to: &str) -> String {
        let Some(known) = self.alarms.iter_mut().find(|known| known.id == name) else {
            return "gone already".to_owned();
        };
        if let AlarmDefinition::Cloudwatch(alarm) = &mut known.definition {
            alarm.actions.retain(|action| action != from && action != to);
            alarm.actions.push(to.to_owned());
        }
        "calls it".to_owned()
    }

    /// CloudWatch replaces the whole configuration and leaves the state as it is.
    fn put_metric_alarm(&mut self, alarm: &CloudwatchAlarm) -> String {
        let definition = AlarmDefinition::Cloudwatch(alarm.clone());
        match self.alarms.iter_mut().find(|known| known.id == alarm.name) {
            Some(known) => {
                known.definition = definition;
                known.revision += 1;
            }
            None => self.alarms.push(WorldAlarm::new(&alarm.name, definition)),
        }
        format!("alarm {}", alarm.name)
    }
}

/// Only CloudWatch has to be asked: OCI alarms repeat by themselves.
fn standing(known: &WorldAlarm, action: Option<&str>, now: Timestamp) -> Option<ActiveAlarm> {
    let AlarmDefinition::Cloudwatch(alarm) = &known.definition else { return None };
    let calls_us = action.is_none_or(|action| alarm.actions.iter().any(|ours| ours == action));
    let named = |name: &str| alarm.dimensions.get(name);
    let target = named("EndpointName").zip(named("VariantName"));
    let told = AlarmState {
        id: known.id.clone(),
        transition: if known.notified.is_some() { Transition::Repeat } else { Transition::Cleared },
        since: known.breaching_since,
        suppressed: false,
        targets: target
            .and_then(|(endpoint, variant)| variant_named(endpoint, variant))
            .into_iter()
            .collect(),
    };
    calls_us.then(|| ActiveAlarm::new(alarm.clone(), told, now))
}

fn check_revision(operation: &str, found: &str, if_match: Option<&str>) -> Result<(), Error> {
    match if_match {
        Some(expected) if expected != found => Err(Error::LostRace {
            operation: operation.to_owned(),
            message: format!("412 NoEtagMatch: expected etag `{expected}`, found `{found}`"),
        }),
        _ => Ok(()),
    }
}

fn update_model_deployment(
    world: &mut World,
    id: &str,
    if_match: &str,
    (configuration, tags): (&serde_json::Value, Tags),
) -> Result<String, Error> {
    let operation = "oci:UpdateModelDeployment";
    let now = world.clock;
    let takes = world.update_takes();
    let found = world.deployments.get_mut(id).ok_or_else(|| Error::NotFound {
        operation: operation.to_owned(),
        message: format!("404 NotAuthorizedOrNotFound: `{id}`"),
    })?;
    let status = found.status_of(TargetKind::OciModelDeployment);
    if lifecycle(TargetKind::OciModelDeployment, &status) != Lifecycle::Settled {
        let message = format!("409 IncorrectState: {status}");
        return Err(Error::InProgress { operation: operation.to_owned(), message });
    }
    check_revision(operation, &found.etag(), Some(if_match))?;
    let completes = now.checked_add(takes).unwrap_or(now);
    let Some(change) = found.asked_for(configuration, completes) else {
        return Err(Error::RejectedChange {
            operation: operation.to_owned(),
            message: "400 InvalidParameter: change the count, the shape or the bandwidth, and one of them"
                .to_owned(),
        });
    };
    let (from, to) = (found.told().size, change.size());
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

fn update_variant(world: &mut World, id: &str, instances: u32) -> Result<String, Error> {
    let operation = "aws:UpdateEndpointWeightsAndCapacities";
    let now = world.clock;
    let takes = world.update_takes();
    let refused = |message: String| Error::RejectedChange { operation: operation.to_owned(), message };
    let found = world
        .deployments
        .get_mut(id)
        .ok_or_else(|| refused(format!("ValidationException: Could not find endpoint \"{id}\"")))?;
    let status = found.status_of(TargetKind::SagemakerVariant);
    if lifecycle(TargetKind::SagemakerVariant, &status) == Lifecycle::Busy {
        let message = format!("ValidationException: Cannot update in-progress endpoint \"{id}\"");
        return Err(Error::InProgress { operation: operation.to_owned(), message });
    }
    if instances == 0 {
        return Err(refused("ValidationException: DesiredInstanceCount must be at least 1".to_owned()));
    }
    let completes = now.checked_add(takes).unwrap_or(now);
    let shape = found.shape.clone();
    found.begin(PendingUpdate::new(instances, &shape, completes));
    Ok("accepted, Updating".to_owned())
}
