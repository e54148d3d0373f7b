//! A SageMaker endpoint as a change of type needs to know it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::tags::Tags;

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
