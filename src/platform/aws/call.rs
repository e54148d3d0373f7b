//! Everything that stepladder can send to AWS, and what its caller must be allowed to do.

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
        /// How many instances there shall be.
        instances: u32,
    },
    /// Creates an endpoint configuration: a copy with another instance type. Already there is success, because
    /// its name tells what is in it.
    CreateEndpointConfig {
        /// The request's body, name and tags included.
        body: Value,
        /// What the copy changes, for the reader.
        change: String,
    },
    /// Puts another configuration in force; counts, weights and the way of deploying stay as they are.
    UpdateEndpoint {
        /// The endpoint's name.
        endpoint: String,
        /// The configuration's name.
        configuration: String,
        /// What it changes, for the reader.
        change: String,
    },
    /// Deletes an endpoint configuration of ours. Already gone is success.
    DeleteEndpointConfig {
        /// Its name.
        name: String,
    },
    /// Puts tags on an endpoint.
    AddTags {
        /// The endpoint's ARN.
        arn: String,
        /// What to remember.
        tags: BTreeMap<String, String>,
    },
    /// Takes tags off an endpoint. Already gone is success.
    DeleteTags {
        /// The endpoint's ARN.
        arn: String,
        /// Which ones.
        keys: Vec<String>,
    },
    /// Takes a variant out of Application Auto Scaling for the time of a change. Already out is success.
    DeregisterScalableTarget {
        /// The variant's id.
        target: String,
    },
    /// Puts a variant back under Application Auto Scaling.
    RegisterScalableTarget {
        /// The request's body.
        body: Value,
    },
    /// Puts a scaling policy back.
    PutScalingPolicy {
        /// The request's body.
        body: Value,
    },
    /// Puts a scheduled action back.
    PutScheduledAction {
        /// The request's body.
        body: Value,
    },
    /// Lets an alarm call a scaling policy by its new ARN; nothing else of the alarm changes.
    RepointAlarm {
        /// The alarm's name.
        name: String,
        /// The lists of actions that name the policy: `AlarmActions`, `OKActions`, `InsufficientDataActions`.
        on: Vec<String>,
        /// The ARN that it called, if it still does.
        from: String,
        /// The ARN that it shall call.
        to: String,
    },
    /// Writes the paired alarm whole, new or not.
    PutMetricAlarm(CloudwatchAlarm),
    /// Deletes the paired alarm. Already gone is success.
    DeleteAlarms {
        /// Its name.
        name: String,
    },
    /// Tells a topic of SNS.
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
    // A configuration may name a role that its containers run under.
    Operation::new("aws:CreateEndpointConfig", &["sagemaker:CreateEndpointConfig", "iam:PassRole"]),
    // A configuration may name a key for its instances' volumes.
    Operation::new("aws:UpdateEndpoint", &["sagemaker:UpdateEndpoint", "kms:CreateGrant"]),
    Operation::new("aws:DeleteEndpointConfig", &["sagemaker:DeleteEndpointConfig"]),
    Operation::new("aws:AddTags", &["sagemaker:AddTags"]),
    Operation::new("aws:DeleteTags", &["sagemaker:DeleteTags"]),
    Operation::new("aws:DeregisterScalableTarget", &["application-autoscaling:DeregisterScalableTarget"]),
    // Application Auto Scaling's own role is made with the account's first scalable target of a service.
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

/// Every read that belongs to no target: a policy may be kept in a parameter.
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

    /// Whether this call makes something ready for nothing but a change of the deployment.
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
                write!(f, "put `{configuration}` in force: {change}")
            }
            Self::DeleteEndpointConfig { name } | Self::DeleteAlarms { name } => write!(f, "delete `{name}`"),
            Self::AddTags { tags, .. } => write!(f, "remember {}", list(tags.keys())),
            Self::DeleteTags { keys, .. } => write!(f, "forget {}", list(keys.iter())),
            Self::DeregisterScalableTarget { target } => write!(f, "park `{target}`"),
            Self::RegisterScalableTarget { body } => write!(f, "put `{}` back", named(body, "ResourceId")),
            Self::PutScalingPolicy { body } => write!(f, "put `{}` back", named(body, "PolicyName")),
            Self::PutScheduledAction { body } => {
                write!(f, "put `{}` back", named(body, "ScheduledActionName"))
            }
            Self::RepointAlarm { name, to, .. } => write!(f, "let `{name}` call `{to}`"),
            Self::PutMetricAlarm(alarm) => write!(f, "put {alarm}"),
            Self::Publish { topic, .. } => write!(f, "tell `{topic}`"),
        }
    }
}

fn named<'a>(body: &'a Value, field: &str) -> &'a str {
    body.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
