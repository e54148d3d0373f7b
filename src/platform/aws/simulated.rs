//! Simulated AWS: SageMaker endpoints with configurations and tags, Application Auto Scaling, and CloudWatch alarms.
//!
//! A CloudWatch alarm notifies once per transition.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::alarm::CloudwatchAlarm;
use super::call::Call;
use super::state_reason::StateReason;
use super::variant::configuration::{self, TAG_ORIGINAL};
use super::variant::{self, Endpoint, Marker, NativeScaling, TARGET, metric, native, notes};
use super::{alarm, id, state_reason};
use crate::alarm::Transition;
use crate::deployment::{Deployment, Lifecycle, ObservedAlarm};
use crate::platform::simulated::{
    AlarmEvent, FiringAlarm, Measured, PendingUpdate, SimulatedDeployment, Simulation, World, WorldAlarm,
    lifecycle, readings,
};
use crate::platform::{ActiveAlarm, AlarmDefinition, Error, Facts, Observation, ObserveRequest};
use crate::size::{NO_SHAPE, Size};
use crate::tags::{self, Tags};
use crate::target::TargetId;

/// The part of AWS in the simulated cloud.
pub(super) const SIMULATION: Simulation = Simulation {
    shape: "ml.m5.xlarge",
    // 30 % of four vCPUs.
    load: [("CPUUtilization", 120.0), ("MemoryUtilization", 30.0)],
    states: STATES,
    observe,
    settle,
    firing_alarm,
    // CloudWatch addresses alarms by their name.
    alarm_id: |_, request| request.alarm.name.to_string(),
};

/// The endpoint states settled and being updated.
const STATES: [&str; 2] = ["InService", "Updating"];

/// The topic that simulated alarms notify.
const TOPIC: &str = "arn:aws:sns:us-east-1:111122223333:simulated";

/// A SageMaker endpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldEndpoint {
    /// The name of the active configuration.
    pub configuration: String,
    /// The name of the configuration that becomes active, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<(String, Timestamp)>,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

/// An endpoint configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldConfiguration {
    /// The response of `DescribeEndpointConfig`.
    pub document: Value,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
    /// When it was created.
    #[serde(default)]
    pub created: Timestamp,
}

/// Sends one call.
pub(in crate::platform) fn send(world: &mut World, call: &Call) -> Result<String, Error> {
    match call {
        Call::UpdateEndpointWeightsAndCapacities { endpoint, variant, instances } => {
            update_variant(world, endpoint, variant, *instances)
        }
        Call::CreateEndpointConfig { body, .. } => world.create_endpoint_config(body),
        Call::UpdateEndpoint { endpoint, configuration, .. } => {
            world.update_endpoint(endpoint, configuration)
        }
        Call::DeleteEndpointConfig { name } => Ok(world.delete_endpoint_config(name)),
        Call::AddTags { arn, tags } => Ok(world.retag(arn, |existing| existing.extend(tags.clone()))),
        Call::DeleteTags { arn, keys } => {
            Ok(world.retag(arn, |existing| existing.retain(|key, _| !keys.contains(key))))
        }
        Call::DeregisterScalableTarget { target } => Ok(world.deregister(target)),
        Call::RegisterScalableTarget { body } => Ok(world.register(body)),
        Call::PutScalingPolicy { body } => Ok(world.put_scaling_policy(body)),
        Call::PutScheduledAction { body } => Ok(world.put_scheduled_action(body)),
        Call::RepointAlarm { name, from, to, .. } => Ok(world.repoint_alarm(name, from, to)),
        Call::PutMetricAlarm(alarm) => Ok(world.put_metric_alarm(alarm)),
        Call::DeleteAlarms { name } => world.delete_alarm("aws:DeleteAlarms", name, None),
        Call::Publish { topic, message, .. } => Ok(world.receive(topic, message)),
    }
}

/// Observes a variant. What is read only where the rule may change the shape is not read here either.
fn observe(world: &World, found: &SimulatedDeployment, request: &ObserveRequest) -> Observation {
    let target = request.target;
    let (endpoint_name, variant) = id::endpoint_and_variant(target).unwrap_or_default();
    let endpoint = world.endpoint_details(endpoint_name, target);
    let native = &endpoint.native;
    let entry = configuration::find(&endpoint.configuration, variant);
    let ownership = variant::CountOwnership::of_entry(entry, found.instances);
    let details = Some(&endpoint).filter(|_| request.changes_shape);
    let (status, lifecycle) = lifecycle(found, request);
    let configuration = configuration::name(&endpoint.configuration);
    let settled = (lifecycle == Lifecycle::Settled).then_some(notes::SettledEndpoint {
        configuration,
        instances: found.instances,
        last_change: found.last_change,
        capacity_backoff: request.capacity_backoff,
    });
    let mut all_tags = found.tags.clone();
    all_tags.extend(endpoint.tags.clone());
    let pair = world.pair_of(request);
    let deployment = Deployment {
        target: target.clone(),
        size: as_configured(found.size(), entry, ownership),
        heading: as_configured(found.heading(), entry, ownership),
        lifecycle,
        status,
        last_change: found.last_change,
        bounds: found.bounds.or_else(|| native::bounds(native)),
        fixed: variant::fixed(ownership, details, variant),
        owners: native::owners(native, &endpoint.tags, target),
        pauses: native::pauses(native),
        tags: tags::own(&all_tags, Some(variant)),
        readings: readings(found, request),
        unpublished: variant::metric::unpublished(is_asynchronous(&endpoint, request)),
        infeasible: notes::infeasible(&endpoint.tags, variant, settled),
        floor: details
            .and_then(|details| configuration::floor(details, endpoint_name, variant))
            .map(str::to_owned),
        alarm: world.observed_firing(request.alarm),
        pair: pair.as_ref().map(|(alarm, _)| alarm.clone()),
        duplicates: Vec::new(),
    };
    let facts = variant::Facts {
        configuration: configuration.to_owned(),
        arn: endpoint.arn.clone(),
        created: None,
        pair: pair.filter(|(alarm, _)| alarm.ours).map(|(_, definition)| definition),
        endpoint: details.cloned().map(Box::new),
    };
    Observation { deployment, facts: Facts::Aws(facts) }
}

/// A size as SageMaker reports it: a variant whose entry has no type has none, and a serverless one no instances.
fn as_configured(size: Size, entry: Option<&Value>, ownership: variant::CountOwnership) -> Size {
    let has_no_type = entry.is_some_and(|entry| entry.get("InstanceType").is_none_or(Value::is_null));
    let shape = if has_no_type { NO_SHAPE.to_owned() } else { size.shape };
    Size { instances: ownership.instances.map_or(0, |_| size.instances), shape, ..size }
}

/// Whether an endpoint has a queue: by its configuration, or because an alarm on the queue fires.
fn is_asynchronous(endpoint: &Endpoint, request: &ObserveRequest) -> bool {
    let is_of_queue = |name: &String| metric::unpublished(false).contains_key(name);
    let measured = request.alarm.measurement.metric.as_ref();
    endpoint.configuration.get("AsyncInferenceConfig").is_some_and(Value::is_object)
        || measured.is_some_and(is_of_queue)
}

/// Makes the pending configurations active that are due by now.
fn settle(world: &mut World, now: Timestamp) {
    for endpoint in world.endpoints.values_mut() {
        if let Some((name, _)) = endpoint.next.take_if(|(_, completes)| *completes <= now) {
            endpoint.configuration = name;
        }
    }
}

/// The definition of the alarm that fired; for a pair, with the marker.
fn firing_alarm(world: &World, request: &ObserveRequest, fired: &FiringAlarm) -> AlarmDefinition {
    let pair = request.pair.filter(|_| fired.is_pair);
    let description = pair.map(|pair| marker(request.target, &pair.alarm, world)).unwrap_or_default();
    let measured = metric::metric(&fired.metric).unwrap_or(&metric::CPU);
    AlarmDefinition::Aws(CloudwatchAlarm {
        name: request.alarm.name.to_string(),
        description,
        namespace: measured.namespace.into(),
        metric: fired.metric.clone(),
        statistic: measured.statistic.into(),
        dimensions: variant::dimensions(measured, request.target),
        period: fired.period,
        evaluation_periods: i32::try_from(fired.minutes * 60 / i64::from(fired.period.max(1)))
            .unwrap_or(5)
            .max(1),
        threshold: fired.threshold,
        comparison: if fired.above { "GreaterThanThreshold" } else { "LessThanThreshold" }.into(),
        missing_data: if pair.is_some() { variant::missing_data(measured) } else { "missing" }.into(),
        actions: vec![TOPIC.to_owned()],
        enabled: true,
        datapoints: None,
        unit: None,
        math: None,
    })
}

fn marker(target: &TargetId, pair: &str, world: &World) -> String {
    let (endpoint, _) = id::endpoint_and_variant(target).unwrap_or_default();
    let marker = Marker {
        pair,
        target: target.as_str(),
        configuration: &world.endpoint(endpoint).configuration,
        shape: world.deployments.get(target.as_str()).map_or("", |found| &found.shape),
        created: None,
        scale_up: None,
    };
    marker.line()
}

/// What an alarm measures. CloudWatch notifies once per transition, so nothing repeats.
pub(in crate::platform) fn measured(alarm: &CloudwatchAlarm) -> Option<Measured<'_>> {
    Some(Measured {
        target: alarm.named().targets.first()?.to_string(),
        metric: &alarm.metric,
        above: alarm.comparison.starts_with("Greater"),
        threshold: alarm.threshold,
        window: alarm.window()?,
        repeat: None,
        silence_breaches: alarm.missing_data == alarm::BREACHING,
    })
}

/// The message that CloudWatch publishes.
pub(in crate::platform) fn message(
    alarm: &CloudwatchAlarm,
    event: AlarmEvent,
    now: Timestamp,
    value: Option<f64>,
) -> Value {
    let (from, to) = match event {
        AlarmEvent::Fired | AlarmEvent::Repeated => ("OK", "ALARM"),
        AlarmEvent::Cleared => ("ALARM", "OK"),
    };
    let dimensions: Vec<Value> =
        alarm.dimensions.iter().map(|(name, value)| json!({ "value": value, "name": name })).collect();
    json!({
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": "111122223333",
        "NewStateValue": to,
        "OldStateValue": from,
        "NewStateReason": state_reason::sentence(alarm, event == AlarmEvent::Cleared, now, value),
        "StateChangeTime": now.strftime("%Y-%m-%dT%H:%M:%S.000+0000").to_string(),
        "Region": "US East (N. Virginia)",
        "AlarmArn": format!("arn:aws:cloudwatch:us-east-1:111122223333:alarm:{}", alarm.name),
        "AlarmActions": alarm.actions,
        "Trigger": {
            "MetricName": alarm.metric,
            "Namespace": alarm.namespace,
            "StatisticType": "Statistic",
            "Statistic": alarm.statistic.to_uppercase(),
            "Dimensions": dimensions,
            "Period": alarm.period,
            "EvaluationPeriods": alarm.evaluation_periods,
            "ComparisonOperator": alarm.comparison,
            "Threshold": alarm.threshold,
            "TreatMissingData": alarm.missing_data,
        },
    })
}

/// Whether an alarm carries the marker of any pair.
pub(in crate::platform) fn is_a_pair(alarm: &CloudwatchAlarm) -> bool {
    Marker::read(&alarm.description).is_some()
}

/// An alarm as a tick reads it; `None` if it does not notify the action.
pub(in crate::platform) fn active(
    alarm: &WorldAlarm,
    definition: &CloudwatchAlarm,
    action: Option<&str>,
    now: Timestamp,
) -> Option<ActiveAlarm> {
    let notifies_action = action.is_none_or(|action| definition.actions.iter().any(|ours| ours == action));
    let state = alarm::AlarmState {
        id: alarm.id.clone(),
        transition: if alarm.notified.is_some() { Transition::Repeat } else { Transition::Cleared },
        since: alarm.breaching_since,
        suppressed: false,
        reason: alarm.reason.as_deref().map(StateReason::read).unwrap_or_default(),
        evaluation: None,
        named: definition.named(),
    };
    let mut active = notifies_action.then(|| alarm::active(definition, state, now))??;
    active.alarm.measurement = alarm.known_measurement(active.alarm.measurement);
    Some(active)
}

/// The start of an endpoint's ARN, with the account and region of all simulated resources.
const ARN: &str = "arn:aws:sagemaker:us-east-1:111122223333:endpoint/";

impl World {
    /// An endpoint. One that was never changed has a configuration of its own name.
    fn endpoint(&self, name: &str) -> WorldEndpoint {
        let unchanged = || WorldEndpoint { configuration: name.to_owned(), ..WorldEndpoint::default() };
        self.endpoints.get(name).cloned().unwrap_or_else(unchanged)
    }

    /// A configuration by its name. That of an unchanged endpoint is derived from its variants.
    fn configuration(&self, name: &str) -> Option<WorldConfiguration> {
        let derived = || {
            let entry = |id: &TargetId, shape: &str, instances: u32| {
                let (_, variant) = id::endpoint_and_variant(id)?;
                Some(json!({ "VariantName": variant, "ModelName": "simulated", "InstanceType": shape,
                    "InitialInstanceCount": instances }))
            };
            let variants: Vec<Value> = self
                .variants(name)
                .filter_map(|(id, found)| entry(&id, &found.shape, found.instances))
                .collect();
            (!variants.is_empty()).then(|| WorldConfiguration {
                document: json!({ "EndpointConfigName": name, "ProductionVariants": variants }),
                tags: Tags::new(),
                created: Timestamp::UNIX_EPOCH,
            })
        };
        let is_changed = self.endpoints.contains_key(name);
        self.configurations.get(name).cloned().or_else(|| if is_changed { None } else { derived() })
    }

    fn variants<'a>(
        &'a self,
        endpoint: &'a str,
    ) -> impl Iterator<Item = (TargetId, &'a SimulatedDeployment)> {
        self.deployments.iter().filter_map(move |(id, found)| {
            let target = id::read(id)?;
            let matches = id::endpoint_and_variant(&target).is_some_and(|(name, _)| name == endpoint);
            matches.then_some((target, found))
        })
    }

    /// An endpoint, with all that a change of type depends on.
    fn endpoint_details(&self, name: &str, target: &TargetId) -> Endpoint {
        let WorldEndpoint { configuration: active, next, tags } = self.endpoint(name);
        let deleted = || WorldConfiguration { document: Value::Null, tags: Tags::new(), created: self.clock };
        let current = self.configuration(&active).unwrap_or_else(deleted);
        let original = current.tags.get(TAG_ORIGINAL).and_then(|name| self.configuration(name));
        let next = next.map(|(name, _)| name);
        let ours = |(name_of, found): &(&String, &WorldConfiguration)| {
            configuration::is_ours(&found.tags, name)
                && **name_of != active
                && Some(*name_of) != next.as_ref()
        };
        let superseded = self.configurations.iter().filter(ours);
        Endpoint {
            arn: format!("{ARN}{name}"),
            tags,
            configuration: current.document,
            configuration_tags: current.tags,
            original: original.map(|found| found.document),
            taken: self.taken.clone(),
            superseded: superseded.map(|(name, found)| (name.clone(), Some(found.created))).collect(),
            native: self.native(target),
        }
    }

    /// A variant's state in Application Auto Scaling, with the alarms that notify its policies now.
    fn native(&self, target: &TargetId) -> NativeScaling {
        let mut native = self.scalable.get(target.as_str()).cloned().unwrap_or_default();
        for policy in &mut native.policies {
            let arn = policy.get("PolicyARN").and_then(Value::as_str).unwrap_or_default();
            let notifies =
                |alarm: &&WorldAlarm| alarm.definition.notifies().iter().any(|action| action == arn);
            let alarms: Vec<Value> = self
                .alarms
                .iter()
                .filter(notifies)
                .map(|alarm| json!({ "AlarmName": alarm.id, "On": [] }))
                .collect();
            if let Value::Object(members) = policy {
                members.insert("Alarms".to_owned(), json!(alarms));
            }
        }
        native
    }

    fn create_endpoint_config(&mut self, body: &Value) -> Result<String, Error> {
        let name = configuration::name(body).to_owned();
        if let Some(existing) = self.configurations.get(&name) {
            if configuration::is_the_copy(&existing.document, &existing.tags, body) {
                return Ok("exists already".to_owned());
            }
            self.taken.push(name.clone());
            return Err(variant::name_taken(&name));
        }
        let tags = body.get("Tags").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let tags = configuration::tags_from(tags);
        let mut document = body.clone();
        if let Value::Object(members) = &mut document {
            members.remove("Tags");
        }
        self.configurations.insert(name, WorldConfiguration { document, tags, created: self.clock });
        Ok("created".to_owned())
    }

    fn update_endpoint(&mut self, endpoint: &str, name: &str) -> Result<String, Error> {
        let operation = "aws:UpdateEndpoint";
        let refused = |message: String| Error::Refused { operation: operation.to_owned(), message };
        let found = self.configuration(name).ok_or_else(|| {
            refused(format!("ValidationException: Could not find endpoint configuration \"{name}\""))
        })?;
        let completes = self.update_completes();
        let mut changes = Vec::new();
        for (id, now) in self.variants(endpoint) {
            if TARGET.lifecycle(&now.status(STATES)) == Lifecycle::Busy {
                let message =
                    format!("ValidationException: Cannot update in-progress endpoint \"{ARN}{endpoint}\"");
                return Err(Error::InProgress { operation: operation.to_owned(), message });
            }
            let (_, variant) = id::endpoint_and_variant(&id).unwrap_or_default();
            let shape = configuration::shape_of(&found.document, variant).unwrap_or(&now.shape);
            self.check_change(&id, &now.shape, shape)?;
            changes.push((id.to_string(), PendingUpdate::new(now.instances, shape, completes)));
        }
        self.store_endpoint(endpoint);
        for (id, change) in changes {
            if let Some(resource) = self.deployments.get_mut(&id) {
                resource.begin(change);
            }
        }
        if let Some(endpoint) = self.endpoints.get_mut(endpoint) {
            endpoint.next = Some((name.to_owned(), completes));
        }
        Ok("accepted, Updating".to_owned())
    }

    fn check_change(&self, id: &TargetId, from: &str, to: &str) -> Result<(), Error> {
        let operation = "aws:UpdateEndpoint".to_owned();
        if from != to && self.native(id).target.is_some() {
            let message = format!("ValidationException: `{id}` is registered as a scalable target");
            return Err(Error::Refused { operation, message });
        }
        if from != to && self.unavailable.iter().any(|shape| shape == to) {
            let message = format!(
                "ResourceLimitExceeded: The account-level service limit '{to} for endpoint usage' is 0 Instances"
            );
            return Err(Error::OverQuota { operation, message });
        }
        Ok(())
    }

    /// Stores an endpoint and its derived configuration, before the endpoint is changed.
    fn store_endpoint(&mut self, name: &str) {
        let endpoint = self.endpoint(name);
        if let Some(found) = self.configuration(&endpoint.configuration) {
            self.configurations.entry(endpoint.configuration.clone()).or_insert(found);
        }
        self.endpoints.entry(name.to_owned()).or_insert(endpoint);
    }

    fn delete_endpoint_config(&mut self, name: &str) -> String {
        let missing = self.configurations.remove(name).is_none();
        if missing { "gone already" } else { "deleted" }.to_owned()
    }

    /// Changes the tags of the endpoint with this ARN.
    fn retag(&mut self, arn: &str, change: impl FnOnce(&mut Tags)) -> String {
        let name = arn.strip_prefix(ARN).unwrap_or(arn).to_owned();
        self.store_endpoint(&name);
        self.endpoints.entry(name).and_modify(|endpoint| change(&mut endpoint.tags));
        "noted".to_owned()
    }

    /// Deletes the policies with their target, and removes them from the actions of alarms.
    fn deregister(&mut self, target: &str) -> String {
        let Some(removed) = self.scalable.remove(target) else { return "out already".to_owned() };
        let of_policy = |action: &String| {
            removed
                .policies
                .iter()
                .any(|policy| policy.get("PolicyARN").and_then(Value::as_str) == Some(action))
        };
        for alarm in &mut self.alarms {
            if let AlarmDefinition::Aws(alarm) = &mut alarm.definition {
                alarm.actions.retain(|action| !of_policy(action));
            }
        }
        "deregistered, with its policies and actions".to_owned()
    }

    fn register(&mut self, body: &Value) -> String {
        self.scalable.entry(resource_id(body)).or_default().target = Some(body.clone());
        "registered".to_owned()
    }

    fn put_scaling_policy(&mut self, body: &Value) -> String {
        let mut policy = body.clone();
        let (resource, name) = (resource_id(body), body.get("PolicyName").and_then(Value::as_str));
        let arn = format!(
            "arn:aws:autoscaling:us-east-1:111122223333:scalingPolicy:{}:resource/sagemaker/{resource}:policyName/{}",
            self.next_number(),
            name.unwrap_or_default()
        );
        if let Value::Object(members) = &mut policy {
            members.insert("PolicyARN".to_owned(), json!(arn));
        }
        replace(&mut self.scalable.entry(resource).or_default().policies, "PolicyName", policy);
        "written".to_owned()
    }

    fn put_scheduled_action(&mut self, body: &Value) -> String {
        let actions = &mut self.scalable.entry(resource_id(body)).or_default().scheduled;
        replace(actions, "ScheduledActionName", body.clone());
        "written".to_owned()
    }

    /// The alarm with the paired alarm's name, and its definition.
    fn pair_of(&self, request: &ObserveRequest) -> Option<(ObservedAlarm, CloudwatchAlarm)> {
        let (pair, target) = (request.pair?, request.target);
        let name = pair.name_for(target);
        self.alarms.iter().find_map(|alarm| {
            let AlarmDefinition::Aws(definition) = &alarm.definition else { return None };
            let ours = variant::is_ours(definition, target, &pair.alarm);
            (definition.name == name).then(|| (alarm.observed(ours), definition.clone()))
        })
    }

    fn repoint_alarm(&mut self, name: &str, from: &str, to: &str) -> String {
        let Some(existing) = self.alarms.iter_mut().find(|alarm| alarm.id == name) else {
            return "gone already".to_owned();
        };
        if let AlarmDefinition::Aws(alarm) = &mut existing.definition {
            alarm.actions.retain(|action| action != from && action != to);
            alarm.actions.push(to.to_owned());
        }
        "notifies it".to_owned()
    }

    /// Creates or replaces an alarm. As in CloudWatch, the whole definition is replaced, and the state is kept.
    fn put_metric_alarm(&mut self, alarm: &CloudwatchAlarm) -> String {
        let definition = AlarmDefinition::Aws(alarm.clone());
        match self.alarms.iter_mut().find(|existing| existing.id == alarm.name) {
            Some(existing) => {
                existing.definition = definition;
                existing.revision = existing.revision.saturating_add(1);
                existing.is_reconstructed = false;
            }
            None => self.alarms.push(WorldAlarm::new(&alarm.name, definition)),
        }
        format!("alarm {}", alarm.name)
    }
}

fn update_variant(world: &mut World, endpoint: &str, variant: &str, instances: u32) -> Result<String, Error> {
    let operation = "aws:UpdateEndpointWeightsAndCapacities";
    let id = format!("endpoint/{endpoint}/variant/{variant}");
    let completes = world.update_completes();
    let refused = |message: String| Error::Refused { operation: operation.to_owned(), message };
    let found = world
        .deployments
        .get_mut(&id)
        .ok_or_else(|| refused(format!("ValidationException: Could not find endpoint \"{id}\"")))?;
    if TARGET.lifecycle(&found.status(STATES)) == Lifecycle::Busy {
        let message = format!("ValidationException: Cannot update in-progress endpoint \"{id}\"");
        return Err(Error::InProgress { operation: operation.to_owned(), message });
    }
    if instances == 0 {
        return Err(refused("ValidationException: DesiredInstanceCount must be at least 1".to_owned()));
    }
    let change = PendingUpdate::new(instances, &found.shape, completes);
    found.begin(change);
    Ok("accepted, Updating".to_owned())
}

fn replace(all: &mut Vec<Value>, key: &str, one: Value) {
    all.retain(|existing| existing.get(key) != one.get(key));
    all.push(one);
}

fn resource_id(body: &Value) -> String {
    body.get("ResourceId").and_then(Value::as_str).unwrap_or_default().to_owned()
}
