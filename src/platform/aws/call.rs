//! Every call that stepladder can send to AWS, with the permissions that it needs.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::alarm::CloudwatchAlarm;
use crate::platform::{self, Operation};

/// One request that changes something.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// Sets the number of instances of one variant.
    UpdateEndpointWeightsAndCapacities {
        /// The endpoint's name.
        endpoint: String,
        /// The variant's name.
        variant: String,
        /// The desired number of instances.
        instances: u32,
    },
    /// Creates an endpoint configuration: a copy with another instance type. If the name exists already with the same
    /// content, that is success, because the name is derived from the content. With another content it is a lost race.
    CreateEndpointConfig {
        /// The request's body, name and tags included.
        body: Value,
        /// What the copy changes, for an operator.
        change: String,
    },
    /// Makes another configuration active; counts, weights and the deployment configuration stay as they are.
    UpdateEndpoint {
        /// The endpoint's name.
        endpoint: String,
        /// The configuration's name.
        configuration: String,
        /// What it changes, for an operator.
        change: String,
    },
    /// Deletes one of stepladder's endpoint configurations. If it does not exist, that is success.
    DeleteEndpointConfig {
        /// Its name.
        name: String,
    },
    /// Puts tags on an endpoint.
    AddTags {
        /// The endpoint's ARN.
        arn: String,
        /// The tags to put.
        tags: BTreeMap<String, String>,
    },
    /// Removes tags from an endpoint. If they do not exist, that is success.
    DeleteTags {
        /// The endpoint's ARN.
        arn: String,
        /// The keys of the tags to remove.
        keys: Vec<String>,
    },
    /// Deregisters a variant from Application Auto Scaling for the duration of a change. If it is not registered, that
    /// is success.
    DeregisterScalableTarget {
        /// The variant's id.
        target: String,
    },
    /// Registers a variant with Application Auto Scaling again.
    RegisterScalableTarget {
        /// The request's body.
        body: Value,
    },
    /// Restores a scaling policy.
    PutScalingPolicy {
        /// The request's body.
        body: Value,
    },
    /// Restores a scheduled action.
    PutScheduledAction {
        /// The request's body.
        body: Value,
    },
    /// Replaces the ARN of a scaling policy in an alarm's actions; nothing else of the alarm changes.
    RepointAlarm {
        /// The alarm's name.
        name: String,
        /// The lists of actions that name the policy: `AlarmActions`, `OKActions`, `InsufficientDataActions`.
        on: Vec<String>,
        /// The policy's former ARN, which the alarm may still name.
        from: String,
        /// The policy's new ARN.
        to: String,
    },
    /// Creates the paired alarm, or replaces it as a whole.
    PutMetricAlarm(Box<CloudwatchAlarm>),
    /// Deletes the paired alarm. If it does not exist, that is success.
    DeleteAlarms {
        /// Its name.
        name: String,
    },
    /// Publishes a message to an SNS topic.
    Publish {
        /// Its ARN.
        topic: String,
        /// The subject of an e-mail.
        subject: String,
        /// The message.
        message: String,
    },
}

/// Every operation that a [`Call`] can be. The template is checked against this list.
pub const OPERATIONS: &[Operation] = &[
    Operation::new(
        "aws:UpdateEndpointWeightsAndCapacities",
        &["sagemaker:UpdateEndpointWeightsAndCapacities"],
    ),
    // A configuration may name an execution role for its containers.
    Operation::new("aws:CreateEndpointConfig", &["sagemaker:CreateEndpointConfig", "iam:PassRole"]),
    // A configuration may name a key for its instances' volumes.
    Operation::new("aws:UpdateEndpoint", &["sagemaker:UpdateEndpoint", "kms:CreateGrant"]),
    Operation::new("aws:DeleteEndpointConfig", &["sagemaker:DeleteEndpointConfig"]),
    Operation::new("aws:AddTags", &["sagemaker:AddTags"]),
    Operation::new("aws:DeleteTags", &["sagemaker:DeleteTags"]),
    Operation::new("aws:DeregisterScalableTarget", &["application-autoscaling:DeregisterScalableTarget"]),
    // The account's first scalable target of a service creates Application Auto Scaling's service-linked role.
    Operation::new(
        "aws:RegisterScalableTarget",
        &["application-autoscaling:RegisterScalableTarget", "iam:CreateServiceLinkedRole"],
    ),
    Operation::new("aws:PutScalingPolicy", &["application-autoscaling:PutScalingPolicy"]),
    Operation::new("aws:PutScheduledAction", &["application-autoscaling:PutScheduledAction"]),
    Operation::new("aws:PutMetricAlarm", &["cloudwatch:PutMetricAlarm"]),
    Operation::new("aws:DeleteAlarms", &["cloudwatch:DeleteAlarms"]),
    Operation::new("aws:Publish", &["sns:Publish"]),
];

/// Every read that belongs to no target: a parameter may hold the policy.
pub const READS: &[Operation] = &[Operation::new("aws:GetParameter", &["ssm:GetParameter"])];

impl From<Call> for platform::Call {
    fn from(call: Call) -> Self {
        Self::Aws(call)
    }
}

impl Call {
    /// `aws:ApiOperation`, in the API's own spelling.
    pub fn operation(&self) -> &'static str {
        match self {
            Self::UpdateEndpointWeightsAndCapacities { .. } => "aws:UpdateEndpointWeightsAndCapacities",
            Self::CreateEndpointConfig { .. } => "aws:CreateEndpointConfig",
            Self::UpdateEndpoint { .. } => "aws:UpdateEndpoint",
            Self::DeleteEndpointConfig { .. } => "aws:DeleteEndpointConfig",
            Self::AddTags { .. } => "aws:AddTags",
            Self::DeleteTags { .. } => "aws:DeleteTags",
            Self::DeregisterScalableTarget { .. } => "aws:DeregisterScalableTarget",
            Self::RegisterScalableTarget { .. } => "aws:RegisterScalableTarget",
            Self::PutScalingPolicy { .. } => "aws:PutScalingPolicy",
            Self::PutScheduledAction { .. } => "aws:PutScheduledAction",
            Self::PutMetricAlarm(_) | Self::RepointAlarm { .. } => "aws:PutMetricAlarm",
            Self::DeleteAlarms { .. } => "aws:DeleteAlarms",
            Self::Publish { .. } => "aws:Publish",
        }
    }

    /// Whether this call only prepares a change of the deployment.
    pub fn prepares_a_resize(&self) -> bool {
        matches!(self, Self::CreateEndpointConfig { .. } | Self::DeregisterScalableTarget { .. })
    }

    /// Whether this call changes the deployment itself.
    pub fn resizes(&self) -> bool {
        match self {
            Self::UpdateEndpointWeightsAndCapacities { .. } | Self::UpdateEndpoint { .. } => true,
            Self::CreateEndpointConfig { .. }
            | Self::DeleteEndpointConfig { .. }
            | Self::AddTags { .. }
            | Self::DeleteTags { .. }
            | Self::DeregisterScalableTarget { .. }
            | Self::RegisterScalableTarget { .. }
            | Self::PutScalingPolicy { .. }
            | Self::PutScheduledAction { .. }
            | Self::RepointAlarm { .. }
            | Self::PutMetricAlarm(_)
            | Self::DeleteAlarms { .. }
            | Self::Publish { .. } => false,
        }
    }
}

/// What the call does, for an operator.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UpdateEndpointWeightsAndCapacities { variant, instances, .. } => {
                let plural = if *instances == 1 { "" } else { "s" };
                write!(f, "set variant `{variant}` to {instances} instance{plural}")
            }
            Self::CreateEndpointConfig { body, change } => {
                write!(f, "create `{}`: {change}", named(body, "EndpointConfigName"))
            }
            Self::UpdateEndpoint { configuration, change, .. } => {
                write!(f, "activate `{configuration}`: {change}")
            }
            Self::DeleteEndpointConfig { name } | Self::DeleteAlarms { name } => write!(f, "delete `{name}`"),
            Self::AddTags { tags, .. } => write!(f, "set {}", tag_names(tags.keys())),
            Self::DeleteTags { keys, .. } => write!(f, "remove {}", tag_names(keys.iter())),
            Self::DeregisterScalableTarget { target } => write!(f, "suspend the scaling of `{target}`"),
            Self::RegisterScalableTarget { body } => write!(f, "restore `{}`", named(body, "ResourceId")),
            Self::PutScalingPolicy { body } => write!(f, "restore `{}`", named(body, "PolicyName")),
            Self::PutScheduledAction { body } => {
                write!(f, "restore `{}`", named(body, "ScheduledActionName"))
            }
            Self::RepointAlarm { name, to, .. } => write!(f, "point `{name}` to `{to}`"),
            Self::PutMetricAlarm(alarm) => write!(f, "put {alarm}"),
            Self::Publish { topic, .. } => write!(f, "notify `{topic}`"),
        }
    }
}

fn named<'a>(body: &'a Value, field: &str) -> &'a str {
    body.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn tag_names<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    let noun = if names.len() == 1 { "tag" } else { "tags" };
    format!("{noun} {}", names.join(", "))
}
