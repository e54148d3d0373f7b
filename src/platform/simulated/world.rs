//! The simulated cloud's state: deployments, alarms and a clock, as a small JSON file.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error as ThisError;

use super::FiringAlarm;
use crate::platform::aws::variant::NativeScaling;
use crate::platform::oci::provision::{ExistingSubscription, ExistingTopic};
use crate::platform::{AlarmDefinition, ObserveRequest, of};
use crate::size::{Bounds, Flex, Size};
use crate::tags::Tags;

pub use crate::platform::aws::simulated::{WorldConfiguration, WorldEndpoint};

/// Every platform takes minutes to bring up an instance behind a load balancer.
const UPDATE_TAKES: u32 = 300;

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

    pub(in crate::platform) fn receive(&mut self, to: &str, body: &str) -> String {
        let body = serde_json::from_str(body).unwrap_or_else(|_| Value::from(body));
        self.messages.push(SentMessage { to: to.to_owned(), body });
        format!("message {}", self.messages.len())
    }

    /// The next free number, which makes an id.
    pub(in crate::platform) fn next_number(&mut self) -> u64 {
        self.created += 1;
        self.created
    }

    /// Puts there what must be there for the event to have happened: the alarm that fired always, the deployment only
    /// in an obliging world.
    pub(in crate::platform) fn furnish(&mut self, request: &ObserveRequest) {
        let Some(platform) = of(request.target.kind()) else { return };
        let simulation = &platform.simulation;
        if self.furnish {
            let new = || SimulatedDeployment::new(1, simulation.shape);
            self.deployments.entry(request.target.to_string()).or_insert_with(new);
        }
        if self.fired(request.alarm).is_none() {
            let definition = (simulation.firing_alarm)(self, request, &FiringAlarm::of(request));
            let id = (simulation.alarm_id)(self, request);
            self.alarms.push(WorldAlarm::new(&id, definition));
        }
    }
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

    /// The state in the platform's own word: one of its own, or of these for a settled deployment and for one that is
    /// being changed.
    pub fn status(&self, [settled, updating]: [&str; 2]) -> String {
        if self.change.is_some() {
            return updating.to_owned();
        }
        self.status.clone().unwrap_or_else(|| settled.to_owned())
    }

    pub(in crate::platform) fn etag(&self) -> String {
        format!("etag-{}", self.revision)
    }
}

impl WorldAlarm {
    /// Whether stepladder made it: whether it carries the marker of any pair.
    pub fn is_ours(&self) -> bool {
        self.definition.is_a_pair()
    }

    /// An alarm that does not fire.
    pub fn new(id: &str, definition: AlarmDefinition) -> Self {
        Self { id: id.to_owned(), definition, revision: 0, breaching_since: None, notified: None }
    }
}
