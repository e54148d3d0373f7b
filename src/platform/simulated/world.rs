//! The simulated cloud's state: deployments, alarms and a clock, as a small JSON file.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use thiserror::Error as ThisError;

use crate::alarm::{Side, TargetId, TargetKind};
use crate::call::{AlarmDefinition, CloudwatchAlarm, OciAlarm};
use crate::decide::Evaluation;
use crate::deployment::{Bounds, Direction, Flex, NativeScaling, Size, Tags};
use crate::platform::aws::variant::{INSTANCE_NAMESPACE, Marker};
use crate::platform::oci::model_deployment::configuration::{self, ConfiguredSize};
use crate::platform::oci::model_deployment::{self as oci, NAMESPACE, TAG_PAIR};
use crate::platform::oci::provision::{ExistingSubscription, ExistingTopic};
use crate::policy::Pair;

/// The compartment of everything on the simulated OCI.
pub(in crate::platform) const COMPARTMENT: &str = "ocid1.compartment.oc1..simulated";

/// The topics that simulated alarms notify.
const TOPIC_OCID: &str = "ocid1.onstopic.oc1..simulated";
const TOPIC_ARN: &str = "arn:aws:sns:us-east-1:111122223333:simulated";

/// Both platforms take minutes to bring up an instance behind a load balancer.
const UPDATE_TAKES: u32 = 300;

/// What a furnished deployment starts with: one instance, one rung above the lowest, so that both
/// directions can be tried.
const OCI_SHAPE: &str = "VM.Standard2.2";
const SAGEMAKER_SHAPE: &str = "ml.m5.xlarge";

/// What OCI gives a load balancer that is not told otherwise, in Mbps.
const BANDWIDTH: u32 = 10;

/// The state of a simulated cloud.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// The virtual time.
    #[serde(default)]
    pub clock: Timestamp,
    /// How long an update takes.
    #[serde(default = "update_takes_default")]
    pub update_seconds: u32,
    /// Whether a deployment that an event names but the world does not hold is put there.
    #[serde(default)]
    pub furnish: bool,
    /// By id: an OCID, or `endpoint/<name>/variant/<name>`.
    #[serde(default)]
    pub deployments: BTreeMap<String, SimulatedDeployment>,
    /// Every alarm that stands.
    #[serde(default)]
    pub alarms: Vec<WorldAlarm>,
    /// Topics of OCI.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<ExistingTopic>,
    /// What listens to them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscriptions: Vec<ExistingSubscription>,
    /// How many alarms, topics and subscriptions were ever created; makes their ids.
    #[serde(default)]
    pub created: u64,
    /// Endpoints whose configuration has been changed, by name. One that is not here has the configuration
    /// that its variants make up, under its own name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub endpoints: BTreeMap<String, WorldEndpoint>,
    /// Endpoint configurations, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub configurations: BTreeMap<String, WorldConfiguration>,
    /// What Application Auto Scaling knows, by the variant's id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scalable: BTreeMap<String, NativeScaling>,
    /// Shapes that the account may not have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unavailable: Vec<String>,
    /// The retry tokens of OCI, and what they created.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tokens: BTreeMap<String, String>,
    /// What topics and webhooks were told, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<SentMessage>,
}

fn update_takes_default() -> u32 {
    UPDATE_TAKES
}

/// One deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulatedDeployment {
    /// What runs.
    pub instances: u32,
    /// On what.
    pub shape: String,
    /// How large a flexible shape is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flex: Option<Flex>,
    /// The bandwidth of an OCI deployment's load balancer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth_mbps: Option<u32>,
    /// The whole `modelDeploymentConfigurationDetails` of an OCI deployment; then its size is what that says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Value>,
    /// The freeform tags of an OCI deployment; of a variant, those of its endpoint before anything has changed that.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// A state other than the usual ones, in the platform's own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// When the last change was completed.
    #[serde(default)]
    pub last_change: Option<Timestamp>,
    /// The change under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<PendingUpdate>,
    /// The platform's own bounds on the count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Bounds>,
    /// Changes with every update; the etag.
    #[serde(default)]
    pub revision: u64,
    /// What its metrics read, by the metric's name. A metric that is not here has no data.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
}

/// A SageMaker endpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldEndpoint {
    /// The configuration in force.
    pub configuration: String,
    /// The one that is being put in force, and when that is done.
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
    /// What `DescribeEndpointConfig` tells.
    pub document: Value,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
    /// When it was created.
    #[serde(default)]
    pub created: Timestamp,
}

/// A change under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingUpdate {
    /// The count that was asked for.
    pub instances: u32,
    /// The shape that was asked for.
    pub shape: String,
    /// How large it was asked to be, where it is flexible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flex: Option<Flex>,
    /// The bandwidth that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth_mbps: Option<u32>,
    /// The whole configuration that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Value>,
    /// When it will be done.
    pub completes: Timestamp,
}

impl PendingUpdate {
    /// A change to so many instances of a shape.
    pub fn new(instances: u32, shape: &str, completes: Timestamp) -> Self {
        let shape = shape.to_owned();
        Self { instances, shape, flex: None, bandwidth_mbps: None, configuration: None, completes }
    }

    /// What was asked for.
    pub fn size(&self) -> Size {
        let Self { instances, shape, flex, bandwidth_mbps, .. } = self.clone();
        Size { instances, shape, flex, bandwidth_mbps }
    }
}

/// One alarm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldAlarm {
    /// An OCID, or the name.
    pub id: String,
    /// Everything that was set.
    pub definition: AlarmDefinition,
    /// Changes with every update; the etag.
    #[serde(default)]
    pub revision: u64,
    /// Since when its threshold is crossed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaching_since: Option<Timestamp>,
    /// When it last notified that it fires; `None` while it does not fire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified: Option<Timestamp>,
}

/// What a topic or a webhook was told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentMessage {
    /// A topic's OCID or ARN, or a webhook's host.
    pub to: String,
    /// What it was told.
    pub body: Value,
}

/// Why a world cannot be used.
#[derive(Debug, ThisError)]
pub enum WorldError {
    /// The file is no world.
    #[error(
        "it is no world: expected JSON such as `{{\"deployments\": {{\"endpoint/a/variant/b\": {{\"instances\": 1, \"shape\": \"ml.m5.xlarge\"}}}}}}`"
    )]
    Unreadable(#[source] serde_json::Error),
}

impl Default for World {
    /// An obliging world: whatever an event names is there, at one instance.
    fn default() -> Self {
        Self {
            clock: Timestamp::UNIX_EPOCH,
            update_seconds: UPDATE_TAKES,
            furnish: true,
            deployments: BTreeMap::new(),
            alarms: Vec::new(),
            topics: Vec::new(),
            subscriptions: Vec::new(),
            created: 0,
            endpoints: BTreeMap::new(),
            configurations: BTreeMap::new(),
            scalable: BTreeMap::new(),
            unavailable: Vec::new(),
            tokens: BTreeMap::new(),
            messages: Vec::new(),
        }
    }
}

impl World {
    /// Reads a world file.
    pub fn from_json(text: &[u8]) -> Result<Self, WorldError> {
        // A list would be read as the fields in their order.
        serde_json::from_slice::<Map<String, Value>>(text).map_err(WorldError::Unreadable)?;
        serde_json::from_slice(text).map_err(WorldError::Unreadable)
    }

    /// Writes a world file.
    pub fn to_json(&self) -> Result<String, WorldError> {
        serde_json::to_string_pretty(self).map_err(WorldError::Unreadable)
    }

    pub(in crate::platform) fn update_takes(&self) -> SignedDuration {
        SignedDuration::from_secs(i64::from(self.update_seconds))
    }

    pub(in crate::platform) fn hear(&mut self, to: &str, body: &str) -> String {
        let body = serde_json::from_str(body).unwrap_or_else(|_| Value::from(body));
        self.messages.push(SentMessage { to: to.to_owned(), body });
        format!("message {}", self.messages.len())
    }

    pub(in crate::platform) fn next_alarm_id(&mut self) -> String {
        self.next_id("alarm")
    }

    pub(in crate::platform) fn next_id(&mut self, kind: &str) -> String {
        self.created += 1;
        format!("ocid1.{kind}.oc1..simulated{}", self.created)
    }

    /// Puts there what must be there for the event to have happened: the alarm that called always, the
    /// deployment only in an obliging world.
    pub(in crate::platform) fn furnish(&mut self, evaluation: &Evaluation) {
        let target = evaluation.target;
        if self.furnish {
            let shape = match target.kind {
                TargetKind::OciModelDeployment => OCI_SHAPE,
                TargetKind::SagemakerVariant | TargetKind::Unknown => SAGEMAKER_SHAPE,
            };
            self.deployments.entry(target.id.clone()).or_insert_with(|| SimulatedDeployment::new(1, shape));
        }
        let alarm = evaluation.alarm;
        let known = |known: &WorldAlarm| known.id == alarm.id || known.definition.name() == alarm.name;
        if !self.alarms.iter().any(known) {
            let definition = caller(evaluation, self);
            let id = match (&definition, alarm.id.as_str()) {
                // CloudWatch addresses alarms by their name.
                (AlarmDefinition::Cloudwatch(definition), _) => definition.name.clone(),
                (AlarmDefinition::Oci(_), "") => self.next_alarm_id(),
                (AlarmDefinition::Oci(_), id) => id.to_owned(),
            };
            self.alarms.push(WorldAlarm::new(&id, definition));
        }
    }
}

/// The alarm that must have called, as far as the event tells. When it has a paired alarm's own name it
/// is taken for that one, and carries the marker.
fn caller(evaluation: &Evaluation, world: &World) -> AlarmDefinition {
    let (alarm, target) = (evaluation.alarm, evaluation.target);
    let pair = evaluation.matched.rule.pair.as_ref();
    let pair = pair.filter(|pair| [pair.alarm.clone(), pair.name_for(target)].contains(&alarm.name));
    let metric = alarm.measurement.metric.clone().unwrap_or_default();
    let threshold = alarm.measurement.threshold.unwrap_or(80.0);
    let window = alarm.measurement.window.map_or(5, |window| window.as_mins());
    let rises = evaluation.matched.direction() == Some(Direction::Up);
    let up = alarm.measurement.side.map_or(rises, |side| side == Side::Above);
    match target.kind {
        TargetKind::OciModelDeployment => AlarmDefinition::Oci(OciAlarm {
            name: alarm.name.clone(),
            compartment: COMPARTMENT.to_owned(),
            metric_compartment: COMPARTMENT.to_owned(),
            namespace: NAMESPACE.into(),
            query: format!(
                "{metric}[{window}m]{{resourceId = \"{target}\"}}.max() {} {threshold}",
                if up { ">" } else { "<" }
            ),
            severity: "INFO".into(),
            destinations: vec![TOPIC_OCID.to_owned()],
            repeat: Some("PT5M".to_owned()),
            pending: Some("PT1M".into()),
            enabled: true,
            body: None,
            tags: pair.map(|pair| oci::marker(target, &pair.alarm).into()).unwrap_or_default(),
        }),
        TargetKind::SagemakerVariant | TargetKind::Unknown => {
            let (endpoint, variant) = target.endpoint_and_variant().unwrap_or_default();
            let dimensions = [("EndpointName", endpoint), ("VariantName", variant)];
            AlarmDefinition::Cloudwatch(CloudwatchAlarm {
                name: alarm.name.clone(),
                description: pair.map(|pair| marker(target, pair, world)).unwrap_or_default(),
                namespace: INSTANCE_NAMESPACE.into(),
                metric,
                statistic: "Average".into(),
                dimensions: dimensions.map(|(name, value)| (name.into(), value.to_owned())).into(),
                period: 60,
                evaluation_periods: i32::try_from(window).unwrap_or(5),
                threshold,
                comparison: if up { "GreaterThanThreshold" } else { "LessThanThreshold" }.into(),
                missing_data: "missing".into(),
                actions: vec![TOPIC_ARN.to_owned()],
                enabled: true,
                datapoints: None,
                unit: None,
            })
        }
    }
}

fn marker(target: &TargetId, pair: &Pair, world: &World) -> String {
    let (endpoint, _) = target.endpoint_and_variant().unwrap_or_default();
    let marker = Marker {
        pair: &pair.alarm,
        target: &target.id,
        configuration: &world.endpoint(endpoint).configuration,
        shape: world.deployments.get(&target.id).map_or("", |found| &found.shape),
        created: None,
    };
    marker.line()
}

impl SimulatedDeployment {
    /// A deployment at rest.
    pub fn new(instances: u32, shape: &str) -> Self {
        Self {
            instances,
            shape: shape.to_owned(),
            flex: None,
            bandwidth_mbps: None,
            configuration: None,
            tags: Tags::new(),
            status: None,
            last_change: None,
            change: None,
            bounds: None,
            revision: 0,
            metrics: BTreeMap::new(),
        }
    }

    /// What runs.
    pub fn size(&self) -> Size {
        let (flex, bandwidth_mbps) = (self.flex, self.bandwidth_mbps);
        Size { instances: self.instances, shape: self.shape.clone(), flex, bandwidth_mbps }
    }

    /// What will run when the change under way is done.
    pub fn heading(&self) -> Size {
        self.change.as_ref().map_or_else(|| self.size(), PendingUpdate::size)
    }

    pub(in crate::platform) fn begin(&mut self, change: PendingUpdate) {
        self.revision += 1;
        self.change = Some(change);
    }

    /// Completes the change under way if its time has come.
    pub(in crate::platform) fn settle(&mut self, now: Timestamp) {
        if let Some(done) = self.change.take_if(|change| change.completes <= now) {
            self.instances = done.instances;
            self.shape = done.shape;
            self.flex = done.flex;
            self.bandwidth_mbps = done.bandwidth_mbps;
            self.configuration = done.configuration;
            self.last_change = Some(done.completes);
            self.revision += 1;
        }
    }

    /// The state in the platform's own word.
    pub fn status_of(&self, kind: TargetKind) -> String {
        let (rest, updating) = match kind {
            TargetKind::OciModelDeployment => ("ACTIVE", "UPDATING"),
            TargetKind::SagemakerVariant | TargetKind::Unknown => ("InService", "Updating"),
        };
        if self.change.is_some() {
            return updating.to_owned();
        }
        self.status.clone().unwrap_or_else(|| rest.to_owned())
    }

    pub(in crate::platform) fn etag(&self) -> String {
        format!("etag-{}", self.revision)
    }

    /// What `GetModelDeployment` would tell of its configuration.
    pub(in crate::platform) fn configuration(&self) -> Value {
        if let Some(configuration) = &self.configuration {
            return configuration.clone();
        }
        let flex = self.flex.map(|flex| json!({ "ocpus": flex.ocpus, "memoryInGBs": flex.memory_gib }));
        let mut instance = json!({ "instanceShapeName": self.shape });
        if let Some(flex) = flex {
            instance["modelDeploymentInstanceShapeConfigDetails"] = flex;
        }
        json!({
            "deploymentType": "SINGLE_MODEL",
            "modelConfigurationDetails": {
                "modelId": "ocid1.datasciencemodel.oc1..simulated",
                "bandwidthMbps": self.bandwidth_mbps.unwrap_or(BANDWIDTH),
                "instanceConfiguration": instance,
                "scalingPolicy": { "policyType": "FIXED_SIZE", "instanceCount": self.instances },
            },
        })
    }

    /// What its configuration tells.
    pub(in crate::platform) fn told(&self) -> ConfiguredSize {
        configuration::read(&self.configuration(), Some(self.instances))
    }

    /// Asks for what a configuration tells; `None` where that is more than one change.
    pub(in crate::platform) fn asked_for(
        &self,
        asked: &Value,
        completes: Timestamp,
    ) -> Option<PendingUpdate> {
        let (before, after) = (self.told().size, configuration::read(asked, Some(self.instances)).size);
        let changes = [
            before.instances != after.instances,
            before.rung() != after.rung(),
            before.bandwidth_mbps != after.bandwidth_mbps,
        ];
        let one = changes.into_iter().filter(|change| *change).count() <= 1;
        one.then(|| PendingUpdate {
            instances: after.instances,
            flex: after.flex,
            bandwidth_mbps: if changes[2] { after.bandwidth_mbps } else { self.bandwidth_mbps },
            configuration: self.configuration.as_ref().map(|_| asked.clone()),
            shape: after.shape,
            completes,
        })
    }
}

impl WorldAlarm {
    /// Whether stepladder made it: whether it carries the marker of any pair.
    pub fn is_ours(&self) -> bool {
        match &self.definition {
            AlarmDefinition::Oci(alarm) => alarm.tags.contains_key(TAG_PAIR),
            AlarmDefinition::Cloudwatch(alarm) => Marker::read(&alarm.description).is_some(),
        }
    }

    /// An alarm that does not fire.
    pub fn new(id: &str, definition: AlarmDefinition) -> Self {
        Self { id: id.to_owned(), definition, revision: 0, breaching_since: None, notified: None }
    }
}
