//! Every call that stepladder can send to OCI, with the permissions that it needs.

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
    /// Changes one setting of a model deployment's configuration.
    UpdateModelDeployment {
        /// The deployment's OCID.
        id: String,
        /// Only if it is still as it was observed.
        if_match: String,
        /// The new configuration.
        configuration: Update,
        /// The new freeform tags, which record the time of this request. Where the service does not accept them
        /// together with a change of size, a second request writes them.
        stamp: Stamp,
    },
    /// Writes the freeform tags of a model deployment, which hold stepladder's records.
    TagModelDeployment {
        /// The deployment's OCID.
        id: String,
        /// All tags, not only those of stepladder.
        tags: BTreeMap<String, String>,
    },
    /// Creates the paired alarm.
    CreateAlarm {
        /// The whole alarm.
        alarm: Box<OciAlarm>,
        /// Equal for all observations of the deployment in its current state, so that only one of them creates the
        /// alarm.
        retry_token: RetryToken,
        /// The token to use if the first one's alarm has been deleted since, which blocks that token for a day. Equal
        /// for all deliveries of one event.
        next_token: RetryToken,
    },
    /// Replaces the definition of the paired alarm.
    UpdateAlarm {
        /// Its OCID.
        id: String,
        /// Only if it is still as it was observed.
        if_match: Option<String>,
        /// The whole alarm.
        alarm: Box<OciAlarm>,
    },
    /// Deletes the paired alarm. If it does not exist, that is success.
    DeleteAlarm {
        /// Its OCID.
        id: String,
        /// Only if it is still as it was observed.
        if_match: Option<String>,
        /// Its name, for an operator.
        name: String,
        /// Only if its deployment is still as it was observed, because a concurrent change of that needs the alarm.
        unless_changed: Option<Unchanged>,
    },
    /// Creates the topic that alarms notify.
    CreateTopic {
        /// Unique in the tenancy.
        name: String,
        /// Its compartment's OCID.
        compartment: String,
        /// `freeformTags`: carry the marker that makes it stepladder's.
        tags: BTreeMap<String, String>,
        /// Equal for all attempts of one run, so that only one of them creates the topic.
        retry_token: RetryToken,
    },
    /// Deletes a topic that stepladder created. If it does not exist, that is success.
    DeleteTopic {
        /// Its OCID.
        id: String,
        /// Only if it is still as it was observed.
        if_match: Option<String>,
        /// Its name, for an operator.
        name: String,
    },
    /// Subscribes a function to a topic.
    CreateSubscription {
        /// The topic's OCID.
        topic: String,
        /// The OCID of the subscription's compartment.
        compartment: String,
        /// The function's OCID.
        function: String,
        /// `freeformTags`: carry the marker that makes it stepladder's.
        tags: BTreeMap<String, String>,
        /// Equal for all attempts of one run, so that only one of them creates the subscription.
        retry_token: RetryToken,
    },
    /// Deletes a subscription that stepladder created. If it does not exist, that is success.
    DeleteSubscription {
        /// Its OCID.
        id: String,
        /// Only if it is still as it was observed.
        if_match: Option<String>,
        /// The subscribed function, for an operator.
        function: String,
    },
    /// Publishes a message to a topic of OCI Notifications.
    PublishMessage {
        /// Its OCID.
        topic: String,
        /// The subject of an e-mail.
        title: String,
        /// The message.
        body: String,
    },
}

/// `opc-retry-token`. Equal inputs give equal tokens in all processes of one build, which covers all deliveries of an
/// event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RetryToken(u64);

impl RetryToken {
    /// The token that identifies a request.
    pub fn of(request: impl Hash) -> Self {
        Self(FxBuildHasher.hash_one(request))
    }
}

impl fmt::Display for RetryToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stepladder-{:016x}", self.0)
    }
}

/// The state in which a deployment was observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchanged {
    /// Its OCID.
    pub id: String,
    /// Its etag.
    pub etag: String,
}

/// Every operation that a [`Call`] can be. `provision` derives its policy statements from this list.
///
/// Writing an alarm needs the permission to read its metric.
pub const OPERATIONS: &[Operation] = &[
    Operation::new("oci:UpdateModelDeployment", &["manage data-science-model-deployments"]),
    Operation::new("oci:CreateAlarm", &["manage alarms", "read metrics"]),
    Operation::new("oci:UpdateAlarm", &["manage alarms", "read metrics"]),
    Operation::new("oci:DeleteAlarm", &["manage alarms"]),
    Operation::of_operator("oci:CreateTopic", &["manage ons-topics"]),
    Operation::of_operator("oci:DeleteTopic", &["manage ons-topics"]),
    // Creating a subscription needs the permission to invoke the function.
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

    /// Whether this call changes the deployment itself. No other call prepares such a change.
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
            Self::CreateSubscription { function, .. } => write!(f, "subscribe `{function}` to the topic"),
            Self::DeleteSubscription { function, .. } => write!(f, "unsubscribe `{function}` from the topic"),
            Self::PublishMessage { topic, .. } => write!(f, "notify `{topic}`"),
        }
    }
}
