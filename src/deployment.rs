//! What was seen of a deployment, once, before anything is decided.
//!
//! Filled by a cloud's `observe`, read by everything after it. Holds no way to look again.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::alarm::TargetId;
use crate::call::{AlarmDefinition, CloudwatchAlarm};

/// One deployment as its cloud described it.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// Which one.
    pub target: TargetId,
    /// The size that runs now.
    pub size: Size,
    /// The size it is on its way to; equal to `size` when it is settled.
    pub heading: Size,
    /// Whether it may be changed.
    pub lifecycle: Lifecycle,
    /// The platform's own word for its state.
    pub status: String,
    /// When the last change was completed, as far as the resource itself knows.
    pub last_change: Option<Timestamp>,
    /// The platform's own bounds on the count, where it has some.
    pub bounds: Option<Bounds>,
    /// Axes that cannot be changed on this deployment, with the reason.
    pub fixed: BTreeMap<Axis, String>,
    /// Axes that somebody else changes.
    pub owners: BTreeMap<Axis, Owner>,
    /// Directions of the count in which the platform's own autoscaling is suspended.
    pub pauses: Vec<SuspendedScaling>,
    /// Its own tags that stepladder knows: what its operator says of it, and what was changed lately. See
    /// [`crate::tags`].
    pub tags: Tags,
    /// What its metrics read over the alarm's window, by the names that the question asked for. One that is not here has
    /// no data.
    pub readings: BTreeMap<String, f64>,
    /// Shapes that could not be had lately.
    pub infeasible: Vec<Infeasible>,
    /// The shape that its operator gave it, where that is known: what is above it was added here. Elsewhere
    /// the ladder's lowest counts as such.
    pub floor: Option<String>,
    /// The alarm that called, as its own service describes it; `None` when it could not be found.
    pub alarm: Option<SeenAlarm>,
    /// The alarm found where the paired alarm of the matching rule belongs.
    pub pair: Option<SeenAlarm>,
    /// Alarms that carry the same pair's marker besides, where names are not unique. One too many.
    pub duplicates: Vec<SeenAlarm>,
    /// What only this kind of target needs for its calls.
    pub facts: Facts,
}

/// How much of a deployment there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Size {
    /// How many instances.
    pub instances: u32,
    /// What each of them is: an instance shape or type.
    pub shape: String,
    /// How large a flexible shape is made.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub flex: Option<Flex>,
    /// The bandwidth of its load balancer in Mbps; told only where the question is about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bandwidth_mbps: Option<u32>,
}

/// The size of an instance of a flexible shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Flex {
    /// Cores.
    pub ocpus: u32,
    /// Memory in GB.
    pub memory_gib: u32,
}

impl Size {
    /// So many instances of a shape that has one size.
    pub fn new(instances: u32, shape: impl Into<String>) -> Self {
        Self { instances, shape: shape.into(), flex: None, bandwidth_mbps: None }
    }

    /// Its place on a ladder: the shape, and for a flexible one how large it is made.
    ///
    /// ```
    /// use stepladder::deployment::{Flex, Size};
    /// let flex = Some(Flex { ocpus: 2, memory_gib: 32 });
    /// let size = Size { flex, ..Size::new(1, "VM.Standard.E4.Flex") };
    /// assert_eq!(size.rung(), "VM.Standard.E4.Flex:2:32");
    /// assert_eq!(Size::new(1, "VM.Standard2.1").on_rung("VM.Standard.E4.Flex:2:32"), size);
    /// ```
    pub fn rung(&self) -> Cow<'_, str> {
        let Self { shape, flex, .. } = self;
        flex.map_or(Cow::Borrowed(shape), |flex| Cow::Owned(flex.rung(shape)))
    }

    /// The same, on another place of a ladder.
    #[must_use]
    pub fn on_rung(&self, rung: &str) -> Self {
        let (shape, flex) = Flex::read(rung).map_or((rung, None), |(shape, flex)| (shape, Some(flex)));
        Self { instances: self.instances, shape: shape.to_owned(), flex, bandwidth_mbps: self.bandwidth_mbps }
    }
}

impl Flex {
    /// The place on a ladder of a shape that is made this large.
    pub fn rung(self, shape: &str) -> String {
        format!("{shape}:{}:{}", self.ocpus, self.memory_gib)
    }

    /// The shape of such a place, and how large it is made; `None` for every other shape.
    pub fn read(rung: &str) -> Option<(&str, Self)> {
        let (rest, memory) = rung.rsplit_once(':')?;
        let (shape, ocpus) = rest.rsplit_once(':')?;
        Some((shape, Self { ocpus: ocpus.parse().ok()?, memory_gib: memory.parse().ok()? }))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} × {}", self.instances, self.shape)?;
        if let Some(Flex { ocpus, memory_gib }) = self.flex {
            write!(f, " ({ocpus} OCPU, {memory_gib} GB)")?;
        }
        self.bandwidth_mbps.map_or(Ok(()), |bandwidth| write!(f, " at {bandwidth} Mbps"))
    }
}

/// The ways to give a deployment more. One of them per update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Horizontal: more of the same.
    Instances,
    /// Vertical: the next rung of the shape's ladder.
    Shape,
    /// The bandwidth of the load balancer in front of it.
    Bandwidth,
}

impl Axis {
    /// Its word in policies and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instances => "instances",
            Self::Shape => "shape",
            Self::Bandwidth => "bandwidth",
        }
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which way a change goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To more.
    Up,
    /// To less.
    Down,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Down => "down",
        })
    }
}

/// Whether a deployment may be changed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    /// At rest: the platform accepts an update.
    Settled,
    /// A change is under way, or the platform takes no update for another reason that will pass.
    Busy,
    /// It is broken, stopped or being deleted: nothing here brings it back.
    Gone,
}

/// Inclusive bounds on the number of instances, or on a bandwidth in Mbps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, expecting = "a table such as `{ min = 1, max = 10 }`")]
pub struct Bounds {
    /// The least.
    pub min: u32,
    /// The most.
    pub max: u32,
}

impl Bounds {
    /// The bounds that satisfy both. Where the two do not overlap, the floor lies above the ceiling: then
    /// nothing may go up and nothing may go down.
    #[must_use]
    pub fn intersect(self, other: Option<Self>) -> Self {
        let Some(other) = other else { return self };
        Self { min: self.min.max(other.min), max: self.max.min(other.max) }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.min, self.max)
    }
}

/// Who else changes a deployment along an axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its name and what it is.
    pub who: String,
    /// Whether it can be taken out for the time of a change, and put back.
    pub can_be_suspended: bool,
}

/// Scaling along an axis that somebody has paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuspendedScaling {
    /// Along which axis.
    pub axis: Axis,
    /// Whether nothing may go up.
    pub up: bool,
    /// Whether nothing may go down.
    pub down: bool,
    /// Where it says so.
    pub by: String,
}

/// A shape that the platform would not give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Infeasible {
    /// The shape.
    pub shape: String,
    /// Until when it is not asked for again.
    pub until: Timestamp,
    /// What happened.
    pub why: String,
}

/// An alarm as its own service describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenAlarm {
    /// The id to address it by: an OCID, or the name where the name is the id.
    pub id: String,
    /// Its etag, where the service has one.
    pub etag: Option<String>,
    /// Whether it carries the marker of the paired alarm that was looked for. What is not ours is never
    /// rewritten or deleted.
    pub ours: bool,
    /// Everything that a rewrite would set.
    pub definition: AlarmDefinition,
    /// How long the data reaches back that it is evaluated on.
    pub window: Option<SignedDuration>,
}

impl SeenAlarm {
    /// A CloudWatch alarm, whose id is its name.
    pub fn cloudwatch(definition: CloudwatchAlarm, ours: bool) -> Self {
        Self {
            id: definition.name.clone(),
            etag: None,
            ours,
            window: definition.window(),
            definition: AlarmDefinition::Cloudwatch(definition),
        }
    }
}

/// What only one kind of target needs for its calls.
#[derive(Debug, Clone, PartialEq)]
pub enum Facts {
    /// An OCI model deployment.
    OciModelDeployment {
        /// For `if-match`.
        etag: String,
        /// Where it lives; its paired alarm lives there when the firing alarm cannot be read.
        compartment: String,
        /// `modelDeploymentConfigurationDetails` as it was read. An update is this with one leaf changed.
        configuration: Arc<Value>,
        /// Its freeform tags. An update writes them whole.
        tags: Arc<Tags>,
    },
    /// A production variant of a SageMaker endpoint.
    SagemakerVariant {
        /// The name of the endpoint configuration in force.
        configuration: String,
        /// The endpoint's ARN, by which it is tagged.
        arn: String,
        /// When the endpoint was created: tells it from an earlier one of the same name.
        created: Option<Timestamp>,
        /// All that a change of type depends on; read only where the question is about the shape.
        endpoint: Option<Box<Endpoint>>,
    },
}

/// Names and values, as a resource is tagged with them.
pub type Tags = BTreeMap<String, String>;

/// A SageMaker endpoint as a change of type needs to know it. Documents are what the APIs answered, whole, so
/// that members which nobody here has heard of survive being copied.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Endpoint {
    /// Its ARN.
    pub arn: String,
    /// Its own tags: what stepladder remembers of it.
    pub tags: Tags,
    /// The configuration in force.
    /// Null when somebody has deleted it, which leaves the endpoint running.
    pub configuration: Value,
    /// The tags of that configuration.
    pub configuration_tags: Tags,
    /// The configuration that the one in force goes back to, when it is of ours and that one still exists.
    pub original: Option<Value>,
    /// Configurations of ours for this endpoint that are not in force, and when they were created.
    pub superseded: Vec<(String, Option<Timestamp>)>,
    /// The variant's place in Application Auto Scaling.
    pub native: NativeScaling,
}

/// What Application Auto Scaling knows of a variant, in its own documents.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NativeScaling {
    /// The scalable target; `None` when the variant is not registered.
    pub target: Option<Value>,
    /// Its scaling policies; `Alarms` lists the alarms that call one, and `On` the lists in which each does.
    pub policies: Vec<Value>,
    /// Its scheduled actions.
    pub scheduled: Vec<Value>,
}
