//! Everything that this program can ever send to an account. Nothing else is ever sent.
//!
//! A call is complete: names, numbers and texts are all in it. Sending one twice leaves the account as
//! sending it once; a message that is sent twice has the same id, by which its receiver knows it again.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher as _, Hash};

use rustc_hash::FxBuildHasher;
use serde_json::Value;

use crate::address::Address;
use crate::platform::oci::model_deployment::configuration::Update;
use crate::platform::oci::model_deployment::notes::Stamp;

mod alarm;

pub use alarm::{AlarmDefinition, CloudwatchAlarm, OciAlarm, Word};

/// One request that changes something.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// Changes one leaf of a model deployment's configuration.
    OciUpdateModelDeployment {
        /// The deployment's OCID.
        id: String,
        /// Only if it is still as it was observed.
        if_match: String,
        /// The configuration to be.
        configuration: Update,
        /// The freeform tags to be, which remember when this was asked for. Where the service does not take them
        /// together with a change of size, they follow it.
        stamp: Stamp,
    },
    /// Writes the freeform tags of a model deployment: what stepladder remembers of it.
    OciTagModelDeployment {
        /// The deployment's OCID.
        id: String,
        /// All of them.
        tags: BTreeMap<String, String>,
    },
    /// Creates the paired alarm.
    OciCreateAlarm {
        /// The whole alarm.
        alarm: OciAlarm,
        /// Equal for whatever sees the deployment as it is now: the second creates no second alarm.
        retry_token: RetryToken,
        /// In its place where the alarm of that token has been deleted since, which blocks the token for a day.
        /// Equal for deliveries of one event.
        next_token: RetryToken,
    },
    /// Writes the paired alarm anew.
    OciUpdateAlarm {
        /// Its OCID.
        id: String,
        /// Only if it is still as it was observed.
        if_match: Option<String>,
        /// The whole alarm.
        alarm: OciAlarm,
    },
    /// Deletes the paired alarm. Already gone is success.
    OciDeleteAlarm {
        /// Its OCID.
        id: String,
        /// Only if it is still as it was observed.
        if_match: Option<String>,
        /// Its name, for the reader.
        name: String,
        /// Only if the deployment that it served is still as it was observed: whoever changes it needs the alarm.
        unless_changed: Option<Unchanged>,
    },
    /// Creates the topic that alarms notify.
    OciCreateTopic {
        /// Unique in the tenancy.
        name: String,
        /// Where it lives.
        compartment: String,
        /// `freeformTags`: carry the marker that makes it ours.
        tags: BTreeMap<String, String>,
        /// Equal for attempts of one run: the second creates no second topic.
        retry_token: RetryToken,
    },
    /// Deletes a topic of ours. Already gone is success.
    OciDeleteTopic {
        /// Its OCID.
        id: String,
        /// Only if it is still as it was observed.
        if_match: Option<String>,
        /// Its name, for the reader.
        name: String,
    },
    /// Lets a topic call a function.
    OciCreateSubscription {
        /// The topic's OCID.
        topic: String,
        /// Where the subscription lives.
        compartment: String,
        /// The function's OCID.
        function: String,
        /// `freeformTags`: carry the marker that makes it ours.
        tags: BTreeMap<String, String>,
        /// Equal for attempts of one run: the second creates no second subscription.
        retry_token: RetryToken,
    },
    /// Deletes a subscription of ours. Already gone is success.
    OciDeleteSubscription {
        /// Its OCID.
        id: String,
        /// Only if it is still as it was observed.
        if_match: Option<String>,
        /// What it calls, for the reader.
        function: String,
    },
    /// Sets the number of instances of one variant.
    AwsUpdateEndpointWeightsAndCapacities {
        /// The endpoint's name.
        endpoint: String,
        /// The variant's name.
        variant: String,
        /// How many instances there shall be.
        instances: u32,
    },
    /// Creates an endpoint configuration: a copy with another instance type. Already there is success, because
    /// its name tells what is in it.
    AwsCreateEndpointConfig {
        /// The request's body, name and tags included.
        body: Value,
        /// What the copy changes, for the reader.
        change: String,
    },
    /// Puts another configuration in force; counts, weights and the way of deploying stay as they are.
    AwsUpdateEndpoint {
        /// The endpoint's name.
        endpoint: String,
        /// The configuration's name.
        configuration: String,
        /// What it changes, for the reader.
        change: String,
    },
    /// Deletes an endpoint configuration of ours. Already gone is success.
    AwsDeleteEndpointConfig {
        /// Its name.
        name: String,
    },
    /// Puts tags on an endpoint.
    AwsAddTags {
        /// The endpoint's ARN.
        arn: String,
        /// What to remember.
        tags: BTreeMap<String, String>,
    },
    /// Takes tags off an endpoint. Already gone is success.
    AwsDeleteTags {
        /// The endpoint's ARN.
        arn: String,
        /// Which ones.
        keys: Vec<String>,
    },
    /// Takes a variant out of Application Auto Scaling for the time of a change. Already out is success.
    AwsDeregisterScalableTarget {
        /// The variant's id.
        target: String,
    },
    /// Puts a variant back under Application Auto Scaling.
    AwsRegisterScalableTarget {
        /// The request's body.
        body: Value,
    },
    /// Puts a scaling policy back.
    AwsPutScalingPolicy {
        /// The request's body.
        body: Value,
    },
    /// Puts a scheduled action back.
    AwsPutScheduledAction {
        /// The request's body.
        body: Value,
    },
    /// Lets an alarm call a scaling policy by its new ARN; nothing else of the alarm changes.
    AwsRepointAlarm {
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
    AwsPutMetricAlarm(CloudwatchAlarm),
    /// Deletes the paired alarm. Already gone is success.
    AwsDeleteAlarms {
        /// Its name.
        name: String,
    },
    /// Tells a topic of OCI Notifications.
    OciPublishMessage {
        /// Its OCID.
        topic: String,
        /// The subject of an e-mail.
        title: String,
        /// The message.
        body: String,
    },
    /// Tells a topic of SNS.
    AwsPublish {
        /// Its ARN.
        topic: String,
        /// The subject of an e-mail.
        subject: String,
        /// The message.
        message: String,
    },
    /// Tells a webhook.
    WebPost {
        /// Where it listens.
        address: Address,
        /// What the body is.
        content_type: &'static str,
        /// The message.
        body: String,
    },
}

/// `opc-retry-token`. Equal in all processes of one build, which is as far as deliveries of an event are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RetryToken(u64);

impl RetryToken {
    /// The token of what asks for this.
    pub fn of(asked: impl Hash) -> Self {
        Self(FxBuildHasher.hash_one(asked))
    }
}

impl fmt::Display for RetryToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stepladder-{:016x}", self.0)
    }
}

/// A deployment as it was observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchanged {
    /// Its OCID.
    pub id: String,
    /// Its etag.
    pub etag: String,
}

/// Every operation that a [`Call`] can be, in the APIs' own spelling, with the permission that it needs.
/// The deployment templates are checked against this list.
pub const PERMISSIONS: &[(&str, &str)] = &[
    ("oci:UpdateModelDeployment", "manage data-science-model-deployments"),
    ("oci:CreateAlarm", "manage alarms"),
    ("oci:UpdateAlarm", "manage alarms"),
    ("oci:DeleteAlarm", "manage alarms"),
    ("oci:CreateTopic", "manage ons-topics"),
    ("oci:DeleteTopic", "manage ons-topics"),
    ("oci:CreateSubscription", "manage ons-subscriptions"),
    ("oci:DeleteSubscription", "manage ons-subscriptions"),
    ("aws:UpdateEndpointWeightsAndCapacities", "sagemaker:UpdateEndpointWeightsAndCapacities"),
    ("aws:CreateEndpointConfig", "sagemaker:CreateEndpointConfig"),
    ("aws:UpdateEndpoint", "sagemaker:UpdateEndpoint"),
    ("aws:DeleteEndpointConfig", "sagemaker:DeleteEndpointConfig"),
    ("aws:AddTags", "sagemaker:AddTags"),
    ("aws:DeleteTags", "sagemaker:DeleteTags"),
    ("aws:DeregisterScalableTarget", "application-autoscaling:DeregisterScalableTarget"),
    ("aws:RegisterScalableTarget", "application-autoscaling:RegisterScalableTarget"),
    ("aws:PutScalingPolicy", "application-autoscaling:PutScalingPolicy"),
    ("aws:PutScheduledAction", "application-autoscaling:PutScheduledAction"),
    ("aws:PutMetricAlarm", "cloudwatch:PutMetricAlarm"),
    ("aws:DeleteAlarms", "cloudwatch:DeleteAlarms"),
    ("oci:PublishMessage", "use ons-topics"),
    ("aws:Publish", "sns:Publish"),
    // Whoever knows the address may.
    ("web:Post", "no permission"),
];

/// Operations that only a person sends, to set up or to take down what the function works with. No function is
/// granted them.
pub const OPERATORS_OWN: &[&str] =
    &["oci:CreateTopic", "oci:DeleteTopic", "oci:CreateSubscription", "oci:DeleteSubscription"];

/// What an operation takes besides its own permission.
pub const FURTHER_PERMISSIONS: &[(&str, &str)] = &[
    // An alarm shows what it measures: who reads or writes one must be allowed to read its metric.
    ("oci:GetAlarm", "read metrics"),
    ("oci:CreateAlarm", "read metrics"),
    ("oci:UpdateAlarm", "read metrics"),
    // Nobody may let a topic call what he may not call himself.
    ("oci:CreateSubscription", "use fn-invocation"),
    // A configuration may name a role that its containers run under.
    ("aws:CreateEndpointConfig", "iam:PassRole"),
    // A configuration may name a key for its instances' volumes.
    ("aws:UpdateEndpoint", "kms:CreateGrant"),
    // Application Auto Scaling's own role is made with the account's first scalable target of a service.
    ("aws:RegisterScalableTarget", "iam:CreateServiceLinkedRole"),
    // A policy may be kept in a parameter; it is read by the host, and is no call of a plan.
    ("aws:GetParameter", "ssm:GetParameter"),
];

impl Call {
    /// `cloud:ApiOperation`, in the API's own spelling.
    pub fn operation(&self) -> &'static str {
        match self {
            Self::OciUpdateModelDeployment { .. } | Self::OciTagModelDeployment { .. } => {
                "oci:UpdateModelDeployment"
            }
            Self::OciCreateAlarm { .. } => "oci:CreateAlarm",
            Self::OciUpdateAlarm { .. } => "oci:UpdateAlarm",
            Self::OciDeleteAlarm { .. } => "oci:DeleteAlarm",
            Self::OciCreateTopic { .. } => "oci:CreateTopic",
            Self::OciDeleteTopic { .. } => "oci:DeleteTopic",
            Self::OciCreateSubscription { .. } => "oci:CreateSubscription",
            Self::OciDeleteSubscription { .. } => "oci:DeleteSubscription",
            Self::AwsUpdateEndpointWeightsAndCapacities { .. } => "aws:UpdateEndpointWeightsAndCapacities",
            Self::AwsCreateEndpointConfig { .. } => "aws:CreateEndpointConfig",
            Self::AwsUpdateEndpoint { .. } => "aws:UpdateEndpoint",
            Self::AwsDeleteEndpointConfig { .. } => "aws:DeleteEndpointConfig",
            Self::AwsAddTags { .. } => "aws:AddTags",
            Self::AwsDeleteTags { .. } => "aws:DeleteTags",
            Self::AwsDeregisterScalableTarget { .. } => "aws:DeregisterScalableTarget",
            Self::AwsRegisterScalableTarget { .. } => "aws:RegisterScalableTarget",
            Self::AwsPutScalingPolicy { .. } => "aws:PutScalingPolicy",
            Self::AwsPutScheduledAction { .. } => "aws:PutScheduledAction",
            Self::AwsPutMetricAlarm(_) | Self::AwsRepointAlarm { .. } => "aws:PutMetricAlarm",
            Self::AwsDeleteAlarms { .. } => "aws:DeleteAlarms",
            Self::OciPublishMessage { .. } => "oci:PublishMessage",
            Self::AwsPublish { .. } => "aws:Publish",
            Self::WebPost { .. } => "web:Post",
        }
    }

    /// What the caller must be allowed to do: an IAM action, or an OCI verb and resource type.
    pub fn permission(&self) -> &'static str {
        let operation = self.operation();
        PERMISSIONS.iter().find(|(name, _)| *name == operation).map_or("", |(_, permission)| permission)
    }

    /// Whether this call changes the deployment itself, or makes something ready for nothing but that.
    pub fn serves_a_resize(&self) -> bool {
        let prepares =
            matches!(self, Self::AwsCreateEndpointConfig { .. } | Self::AwsDeregisterScalableTarget { .. });
        prepares || self.resizes()
    }

    /// Whether this call changes the deployment itself, not only an alarm.
    pub fn resizes(&self) -> bool {
        match self {
            Self::OciUpdateModelDeployment { .. }
            | Self::AwsUpdateEndpointWeightsAndCapacities { .. }
            | Self::AwsUpdateEndpoint { .. } => true,
            Self::OciTagModelDeployment { .. }
            | Self::OciCreateAlarm { .. }
            | Self::OciUpdateAlarm { .. }
            | Self::OciDeleteAlarm { .. }
            | Self::OciCreateTopic { .. }
            | Self::OciDeleteTopic { .. }
            | Self::OciCreateSubscription { .. }
            | Self::OciDeleteSubscription { .. }
            | Self::AwsCreateEndpointConfig { .. }
            | Self::AwsDeleteEndpointConfig { .. }
            | Self::AwsAddTags { .. }
            | Self::AwsDeleteTags { .. }
            | Self::AwsDeregisterScalableTarget { .. }
            | Self::AwsRegisterScalableTarget { .. }
            | Self::AwsPutScalingPolicy { .. }
            | Self::AwsPutScheduledAction { .. }
            | Self::AwsRepointAlarm { .. }
            | Self::AwsPutMetricAlarm(_)
            | Self::AwsDeleteAlarms { .. }
            | Self::OciPublishMessage { .. }
            | Self::AwsPublish { .. }
            | Self::WebPost { .. } => false,
        }
    }
}

/// What the call does, for an operator.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OciUpdateModelDeployment { configuration, .. } => write!(f, "set {configuration}"),
            Self::OciTagModelDeployment { .. } => f.write_str("remember it in the deployment's tags"),
            Self::OciCreateAlarm { alarm, .. } => write!(f, "create {alarm}"),
            Self::OciUpdateAlarm { alarm, .. } => write!(f, "rewrite {alarm}"),
            Self::OciDeleteAlarm { name, .. } | Self::AwsDeleteAlarms { name } => {
                write!(f, "delete `{name}`")
            }
            Self::OciCreateTopic { name, .. } => write!(f, "create topic `{name}`"),
            Self::OciDeleteTopic { name, .. } => write!(f, "delete topic `{name}`"),
            Self::OciCreateSubscription { function, .. } => write!(f, "let the topic call `{function}`"),
            Self::OciDeleteSubscription { function, .. } => {
                write!(f, "let the topic call `{function}` no more")
            }
            Self::AwsUpdateEndpointWeightsAndCapacities { variant, instances, .. } => {
                let plural = if *instances == 1 { "" } else { "s" };
                write!(f, "set variant `{variant}` to {instances} instance{plural}")
            }
            Self::AwsCreateEndpointConfig { body, change } => {
                write!(f, "create `{}`: {change}", named(body, "EndpointConfigName"))
            }
            Self::AwsUpdateEndpoint { configuration, change, .. } => {
                write!(f, "put `{configuration}` in force: {change}")
            }
            Self::AwsDeleteEndpointConfig { name } => write!(f, "delete `{name}`"),
            Self::AwsAddTags { tags, .. } => write!(f, "remember {}", list(tags.keys())),
            Self::AwsDeleteTags { keys, .. } => write!(f, "forget {}", list(keys.iter())),
            Self::AwsDeregisterScalableTarget { target } => write!(f, "park `{target}`"),
            Self::AwsRegisterScalableTarget { body } => {
                write!(f, "put `{}` back", named(body, "ResourceId"))
            }
            Self::AwsPutScalingPolicy { body } => write!(f, "put `{}` back", named(body, "PolicyName")),
            Self::AwsPutScheduledAction { body } => {
                write!(f, "put `{}` back", named(body, "ScheduledActionName"))
            }
            Self::AwsRepointAlarm { name, to, .. } => write!(f, "let `{name}` call `{to}`"),
            Self::AwsPutMetricAlarm(alarm) => write!(f, "put {alarm}"),
            Self::OciPublishMessage { topic, .. } | Self::AwsPublish { topic, .. } => {
                write!(f, "tell `{topic}`")
            }
            Self::WebPost { address, .. } => write!(f, "tell `{address}`"),
        }
    }
}

fn named<'a>(body: &'a Value, field: &str) -> &'a str {
    body.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
