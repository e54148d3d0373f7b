//! A SageMaker endpoint, with all that a change of its instance type depends on.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::tags::Tags;

/// A SageMaker endpoint, with all that a change of its instance type depends on. Documents are complete API responses,
/// so that a copy keeps members which this version does not know.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Endpoint {
    /// Its ARN.
    pub arn: String,
    /// Its own tags, which hold stepladder's records about it.
    pub tags: Tags,
    /// The active configuration. Null if it has been deleted, which leaves the endpoint running.
    pub configuration: Value,
    /// The tags of the active configuration.
    pub configuration_tags: Tags,
    /// The configuration that the active one was first copied from, if the active one is ours and the original exists.
    pub original: Option<Value>,
    /// Inactive configurations that stepladder created for this endpoint, with the times of their creation.
    pub superseded: Vec<(String, Option<Timestamp>)>,
    /// Names that stepladder's copies would have, and configurations with another content have.
    pub taken: Vec<String>,
    /// The variant's state in Application Auto Scaling.
    pub native: NativeScaling,
}

/// The state of a variant in Application Auto Scaling, as documents of its API.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NativeScaling {
    /// The scalable target; `None` when the variant is not registered.
    pub target: Option<Value>,
    /// Its scaling policies. `Alarms` lists the alarms that notify a policy, and `On` the lists of actions that name
    /// it.
    pub policies: Vec<Value>,
    /// Its scheduled actions.
    pub scheduled: Vec<Value>,
}
