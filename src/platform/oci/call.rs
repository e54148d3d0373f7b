//! Everything that stepladder can send to OCI, and what its caller must be allowed to do.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher as _, Hash};

use rustc_hash::FxBuildHasher;

use super::alarm::OciAlarm;
use super::model_deployment::configuration::Update;
use super::model_deployment::notes::Stamp;
use crate::platform::{self, Operation};

/// One request that changes something.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// Changes one leaf of a model deployment's configuration.
    UpdateModelDeployment {
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
    TagModelDeployment {
        /// The deployment's OCID.
        id: String,
        /// All of them.
        tags: BTreeMap<String, String>,
    },
    /// Creates the paired alarm.
    CreateAlarm {
        /// The whole alarm.
        alarm: OciAlarm,
        /// Equal for whatever sees the deployment as it is now: the second creates no second alarm.
        retry_token: RetryToken,
        /// In its place where the alarm of that token has been deleted since, which blocks the token for a day.
        /// Equal for deliveries of one event.
        next_token: RetryToken,
    },
    /// Writes the paired alarm anew.
    UpdateAlarm {
        /// Its OCID.
        id: String,
        /// Only if it is still as it was observed.
        if_match: Option<String>,
        /// The whole alarm.
        alarm: OciAlarm,
    },
    /// Deletes the paired alarm. Already gone is success.
    DeleteAlarm {
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
    CreateTopic {
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
    DeleteTopic {
        /// Its OCID.
        id: String,
        /// Only if it is still as it was observed.
        if_match: Option<String>,
        /// Its name, for the reader.
        name: String,
    },
    /// Lets a topic call a function.
    CreateSubscription {
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
    DeleteSubscription {
        /// Its OCID.
        id: String,
        /// Only if it is still as it was observed.
        if_match: Option<String>,
        /// What it calls, for the reader.
        function: String,
    },
    /// Tells a topic of OCI Notifications.
    PublishMessage {
        /// Its OCID.
        topic: String,
        /// The subject of an e-mail.
        title: String,
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

/// Every operation that a [`Call`] can be. The statements of `provision` follow from this list.
///
/// An alarm shows what it measures: who writes one must be allowed to read its metric.
pub const OPERATIONS: &[Operation] = &[
    Operation::new("oci:UpdateModelDeployment", &["manage data-science-model-deployments"]),
    Operation::new("oci:CreateAlarm", &["manage alarms", "read metrics"]),
    Operation::new("oci:UpdateAlarm", &["manage alarms", "read metrics"]),
    Operation::new("oci:DeleteAlarm", &["manage alarms"]),
    Operation::of_operator("oci:CreateTopic", &["manage ons-topics"]),
    Operation::of_operator("oci:DeleteTopic", &["manage ons-topics"]),
    // Nobody may let a topic call what he may not call himself.
    Operation::of_operator("oci:CreateSubscription", &["manage ons-subscriptions", "use fn-invocation"]),
    Operation::of_operator("oci:DeleteSubscription", &["manage ons-subscriptions"]),
    Operation::new("oci:PublishMessage", &["use ons-topics"]),
];

impl From<Call> for platform::Call {
    fn from(call: Call) -> Self {
        Self::Oci(call)
    }
}

impl Call {
    /// `oci:ApiOperation`, in the API's own spelling.
    pub fn operation(&self) -> &'static str {
        match self {
            Self::UpdateModelDeployment { .. } | Self::TagModelDeployment { .. } => {
                "oci:UpdateModelDeployment"
            }
            Self::CreateAlarm { .. } => "oci:CreateAlarm",
            Self::UpdateAlarm { .. } => "oci:UpdateAlarm",
            Self::DeleteAlarm { .. } => "oci:DeleteAlarm",
            Self::CreateTopic { .. } => "oci:CreateTopic",
            Self::DeleteTopic { .. } => "oci:DeleteTopic",
            Self::CreateSubscription { .. } => "oci:CreateSubscription",
            Self::DeleteSubscription { .. } => "oci:DeleteSubscription",
            Self::PublishMessage { .. } => "oci:PublishMessage",
        }
    }

    /// Whether this call changes the deployment itself. Nothing else is ever made ready for that.
    pub fn resizes(&self) -> bool {
        match self {
            Self::UpdateModelDeployment { .. } => true,
            Self::TagModelDeployment { .. }
            | Self::CreateAlarm { .. }
            | Self::UpdateAlarm { .. }
            | Self::DeleteAlarm { .. }
            | Self::CreateTopic { .. }
            | Self::DeleteTopic { .. }
            | Self::CreateSubscription { .. }
            | Self::DeleteSubscription { .. }
            | Self::PublishMessage { .. } => false,
        }
    }
}

/// What the call does, for an operator.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UpdateModelDeployment { configuration, .. } => write!(f, "set {configuration}"),
            Self::TagModelDeployment { .. } => f.write_str("remember it in the deployment's tags"),
            Self::CreateAlarm { alarm, .. } => write!(f, "create {alarm}"),
            Self::UpdateAlarm { alarm, .. } => write!(f, "rewrite {alarm}"),
            Self::DeleteAlarm { name, .. } => write!(f, "delete `{name}`"),
            Self::CreateTopic { name, .. } => write!(f, "create topic `{name}`"),
            Self::DeleteTopic { name, .. } => write!(f, "delete topic `{name}`"),
            Self::CreateSubscription { function, .. } => write!(f, "let the topic call `{function}`"),
            Self::DeleteSubscription { function, .. } => write!(f, "let the topic call `{function}` no more"),
            Self::PublishMessage { topic, .. } => write!(f, "tell `{topic}`"),
        }
    }
}
