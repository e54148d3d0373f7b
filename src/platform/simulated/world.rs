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
use crate::target::TargetKind;

pub use crate::platform::aws::simulated::{WorldConfiguration, WorldEndpoint};

/// How long an update takes by default, in seconds: every platform needs minutes to start an instance behind a load
/// balancer.
const UPDATE_TAKES: u32 = 300;

/// The state of a simulated cloud.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// The virtual time.
    #[serde(default)]
    pub clock: Timestamp,
    /// How long an update takes, in seconds.
    #[serde(default = "update_takes_default")]
    pub update_seconds: u32,
    /// Whether to add a deployment that an event names but the world does not contain.
    #[serde(default)]
    pub furnish: bool,
    /// By id: an OCID, or `endpoint/<name>/variant/<name>`.
    #[serde(default)]
    pub deployments: BTreeMap<String, SimulatedDeployment>,
    /// Every existing alarm.
    #[serde(default)]
    pub alarms: Vec<WorldAlarm>,
    /// Topics of OCI.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<ExistingTopic>,
    /// The subscriptions to these topics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscriptions: Vec<ExistingSubscription>,
    /// How many alarms, topics and subscriptions were ever created. Their ids are made from it.
    #[serde(default)]
    pub created: u64,
    /// Endpoints whose configuration has been changed, by name. Any other endpoint has a configuration of its own name,
    /// which follows from its variants.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub endpoints: BTreeMap<String, WorldEndpoint>,
    /// Endpoint configurations, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub configurations: BTreeMap<String, WorldConfiguration>,
    /// Names of copies that were refused, as a client remembers them: other configurations have them.
    #[serde(skip)]
    pub taken: Vec<String>,
    /// The state of Application Auto Scaling, by the variant's id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scalable: BTreeMap<String, NativeScaling>,
    /// Shapes that are beyond the account's quota.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unavailable: Vec<String>,
    /// The retry tokens of OCI, and what they created.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tokens: BTreeMap<String, String>,
    /// The messages that topics and webhooks received, oldest first.
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
    /// How many instances run.
    pub instances: u32,
    /// The shape that they run on.
    pub shape: String,
    /// The size of a flexible shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flex: Option<Flex>,
    /// The bandwidth of an OCI deployment's load balancer, in Mbps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth_mbps: Option<u32>,
    /// The whole `modelDeploymentConfigurationDetails` of an OCI deployment. If set, it determines the size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Value>,
    /// The freeform tags of an OCI deployment; for a variant, the initial tags of its endpoint.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// A state other than settled or being updated, in the platform's own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// When the last change was completed.
    #[serde(default)]
    pub last_change: Option<Timestamp>,
    /// The pending update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<PendingUpdate>,
    /// The platform's own bounds on the count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Bounds>,
    /// Increases with every update; the etag is made from it.
    #[serde(default)]
    pub revision: u64,
    /// The values of its metrics, by the metric's name. Any other metric has no data.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
}

/// An update that has been accepted and is not complete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingUpdate {
    /// The requested count.
    pub instances: u32,
    /// The requested shape.
    pub shape: String,
    /// The requested size of a flexible shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flex: Option<Flex>,
    /// The requested bandwidth, in Mbps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth_mbps: Option<u32>,
    /// The whole requested configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Value>,
    /// When it will be complete.
    pub completes: Timestamp,
}

impl PendingUpdate {
    /// An update to this count and shape.
    pub fn new(instances: u32, shape: &str, completes: Timestamp) -> Self {
        let shape = shape.to_owned();
        Self { instances, shape, flex: None, bandwidth_mbps: None, configuration: None, completes }
    }

    /// The requested size.
    pub fn size(&self) -> Size {
        let Self { instances, shape, flex, bandwidth_mbps, .. } = self.clone();
        Size { instances, shape, flex, bandwidth_mbps }
    }
}

/// One alarm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorldAlarm {
    /// Its OCID on OCI, its name on AWS.
    pub id: String,
    /// Its whole definition.
    pub definition: AlarmDefinition,
    /// Increases with every update; the etag is made from it.
    #[serde(default)]
    pub revision: u64,
    /// Since when the value is beyond the threshold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaching_since: Option<Timestamp>,
    /// When it last notified that it fires; `None` while it does not fire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notified: Option<Timestamp>,
    /// Why it is in its state, as its service describes it to a tick; `None` where no tick reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether its comparison was made up, because the event that names it reports none. Nobody reads such numbers.
    #[serde(default, rename = "reconstructed", skip_serializing_if = "std::ops::Not::not")]
    pub is_reconstructed: bool,
}

/// A message that a topic or a webhook received.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentMessage {
    /// A topic's OCID or ARN, or a webhook's host.
    pub to: String,
    /// The message itself.
    pub body: Value,
}

/// Why a world cannot be used.
#[derive(Debug, ThisError)]
pub enum WorldError {
    /// The file is not a valid world.
    #[error(
        "it is not a world file: expected JSON such as `{{\"deployments\": {{\"endpoint/a/variant/b\": {{\"instances\": 1, \"shape\": \"ml.m5.xlarge\"}}}}}}`"
    )]
    Unreadable(#[source] serde_json::Error),
}

impl Default for World {
    /// A world that adds each deployment that an event names, with one instance.
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
            taken: Vec::new(),
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
        // `serde` would accept a list as the fields in their order, so the map is checked first.
        serde_json::from_slice::<Map<String, Value>>(text).map_err(WorldError::Unreadable)?;
        serde_json::from_slice(text).map_err(WorldError::Unreadable)
    }

    /// Writes a world file.
    pub fn to_json(&self) -> Result<String, WorldError> {
        serde_json::to_string_pretty(self).map_err(WorldError::Unreadable)
    }

    /// When an update will be complete that is accepted now.
    pub(in crate::platform) fn update_completes(&self) -> Timestamp {
        let takes = SignedDuration::from_secs(i64::from(self.update_seconds));
        self.clock.checked_add(takes).unwrap_or(self.clock)
    }

    pub(in crate::platform) fn receive(&mut self, to: &str, body: &str) -> String {
        let body = serde_json::from_str(body).unwrap_or_else(|_| Value::from(body));
        self.messages.push(SentMessage { to: to.to_owned(), body });
        format!("message {}", self.messages.len())
    }

    /// The next free number for an id.
    pub(in crate::platform) fn next_number(&mut self) -> u64 {
        self.created = self.created.saturating_add(1);
        self.created
    }

    /// Adds what an event implies: the alarm that fired, and the deployment if the field `furnish` is set.
    pub(in crate::platform) fn furnish(&mut self, request: &ObserveRequest) {
        let Some(platform) = of(request.target.kind()) else { return };
        let simulation = &platform.simulation;
        if self.furnish
            && let Some(new) = SimulatedDeployment::usual(request.target.kind())
        {
            self.deployments.entry(request.target.to_string()).or_insert(new);
        }
        if self.fired(request.alarm).is_none() {
            let definition = (simulation.firing_alarm)(self, request, &FiringAlarm::of(request));
            let id = (simulation.alarm_id)(self, request);
            let is_reconstructed = request.alarm.measurement.comparison().is_none();
            self.alarms.push(WorldAlarm { is_reconstructed, ..WorldAlarm::new(&id, definition) });
        }
    }
}

impl SimulatedDeployment {
    /// The deployment that replaces one that an event names and the world does not contain: one instance, with a load
    /// that is neither high nor low. `None` for a kind of no platform.
    pub fn usual(kind: TargetKind) -> Option<Self> {
        let simulation = &of(kind)?.simulation;
        let load = simulation.load.iter().map(|(metric, value)| ((*metric).to_owned(), *value));
        Some(Self { metrics: load.collect(), ..Self::new(1, simulation.shape) })
    }

    /// A settled deployment.
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

    /// The current size.
    pub fn size(&self) -> Size {
        let (flex, bandwidth_mbps) = (self.flex, self.bandwidth_mbps);
        Size { instances: self.instances, shape: self.shape.clone(), flex, bandwidth_mbps }
    }

    /// The size after the pending update; the current size without one.
    pub fn heading(&self) -> Size {
        self.change.as_ref().map_or_else(|| self.size(), PendingUpdate::size)
    }

    pub(in crate::platform) fn begin(&mut self, change: PendingUpdate) {
        self.revision = self.revision.saturating_add(1);
        self.change = Some(change);
    }

    /// Completes the pending update if it is due by now.
    pub(in crate::platform) fn settle(&mut self, now: Timestamp) {
        if let Some(done) = self.change.take_if(|change| change.completes <= now) {
            self.instances = done.instances;
            self.shape = done.shape;
            self.flex = done.flex;
            self.bandwidth_mbps = done.bandwidth_mbps;
            self.configuration = done.configuration;
            self.last_change = Some(done.completes);
            self.revision = self.revision.saturating_add(1);
        }
    }

    /// The state in the platform's own word. Its two arguments name the states settled and being updated.
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
    /// Whether stepladder created it, by the marker of a pair.
    pub fn is_ours(&self) -> bool {
        self.definition.is_a_pair()
    }

    /// An alarm that is not firing.
    pub fn new(id: &str, definition: AlarmDefinition) -> Self {
        Self {
            id: id.to_owned(),
            definition,
            revision: 0,
            breaching_since: None,
            notified: None,
            reason: None,
            is_reconstructed: false,
        }
    }
}
