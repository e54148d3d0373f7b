//! The clouds behind one trait, and the only place that knows which of them are compiled in.

use std::time::Instant;

use async_trait::async_trait;
use jiff::Timestamp;
use thiserror::Error as ThisError;

use crate::call::Call;
use crate::decide::Evaluation;
use crate::deployment::Deployment;
use crate::platform::oci::provision::{Desired, Existing};
use crate::reconcile::ActiveAlarm;

pub mod aws;
pub mod oci;
pub mod simulated;
pub mod target;
mod web;

#[cfg(any(feature = "aws", feature = "oci"))]
#[cfg_attr(not(feature = "oci"), allow(dead_code, reason = "a webhook needs less of it than OCI does"))]
mod http;

/// A cloud as this program sees it: one way to look, one way to act.
#[async_trait]
pub trait Client: Send + Sync {
    /// Gets ready to be asked, ahead of the first question, which otherwise does the same.
    async fn connect(&self) {}

    /// An invocation begins, and nothing is begun any more that cannot be answered by its deadline. What may have
    /// changed while the process slept, such as credentials and open connections, is taken afresh.
    fn begin(&self, _deadline: Option<Instant>) {}

    /// Reads the deployment, the alarm that called and the place of the paired alarm, in parallel where
    /// the API allows. Changes nothing. [`Error::NotFound`] when there is no such deployment.
    async fn observe(&self, evaluation: &Evaluation<'_>) -> Result<Deployment, Error>;

    /// The alarms that call this function, whatever their state: those that notify `action`. One round trip
    /// per hundred.
    async fn standing(&self, action: Option<&str>, now: Timestamp) -> Result<Vec<ActiveAlarm>, Error>;

    /// Sends one call and returns what the API answered, in a few words. Sending it twice leaves the
    /// account as sending it once; deleting what is gone succeeds.
    async fn send(&self, call: &Call) -> Result<String, Error>;

    /// The text of the policy that a parameter of the cloud's own store holds.
    async fn policy_text(&self, _parameter: &str) -> Result<String, Error> {
        Err(Error::RejectedChange {
            operation: "policy".to_owned(),
            message: "this cloud keeps no policies: expected a file's path or the TOML itself".to_owned(),
        })
    }

    /// What stands of what the policy wants provisioned. Changes nothing.
    async fn setup(&self, _wanted: &Desired) -> Result<Existing, Error> {
        Err(Error::RejectedChange {
            operation: "provision".to_owned(),
            message: "nothing is provisioned on this cloud".to_owned(),
        })
    }
}

/// What a cloud may answer instead of doing as asked.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum Error {
    /// Too many requests. The same request may succeed later.
    #[error("{operation} was throttled: {message}")]
    Throttled {
        /// The API operation.
        operation: String,
        /// The service's own words.
        message: String,
    },
    /// The service failed, could not be reached or did not answer in time.
    #[error("{operation} got no answer: {message}")]
    Unavailable {
        /// The API operation.
        operation: String,
        /// The service's own words, or the transport's.
        message: String,
    },
    /// The caller lacks a permission.
    #[error("{operation} was denied: {message}")]
    Denied {
        /// The API operation.
        operation: String,
        /// What the caller must be allowed to do.
        permission: String,
        /// The service's own words.
        message: String,
    },
    /// There is no such thing, or the caller may not see it: some services do not tell which.
    #[error("{operation} found nothing, or may not see it: {message}")]
    Hidden {
        /// The API operation.
        operation: String,
        /// What the caller must be allowed to do.
        permission: String,
        /// The service's own words.
        message: String,
    },
    /// There is no such thing.
    #[error("{operation} found nothing: {message}")]
    NotFound {
        /// The API operation.
        operation: String,
        /// The service's own words.
        message: String,
    },
    /// Somebody else changed it since it was observed.
    #[error("{operation} came too late: {message}")]
    LostRace {
        /// The API operation.
        operation: String,
        /// The service's own words.
        message: String,
    },
    /// The deployment is being changed and takes no update now.
    #[error("{operation} was refused while a change is under way: {message}")]
    InProgress {
        /// The API operation.
        operation: String,
        /// The service's own words.
        message: String,
    },
    /// A quota does not allow it. Asking again soon is of no use.
    #[error("{operation} exceeds a quota: {message}")]
    OverQuota {
        /// The API operation.
        operation: String,
        /// The service's own words.
        message: String,
    },
    /// There is nobody to ask: a region or credentials are missing.
    #[error("{operation} could not be sent: {message}")]
    Unconfigured {
        /// The API operation.
        operation: String,
        /// What the client says.
        message: String,
    },
    /// The service will not have it for any other reason.
    #[error("{operation} was refused: {message}")]
    RejectedChange {
        /// The API operation.
        operation: String,
        /// The service's own words.
        message: String,
    },
}

impl Error {
    /// The stable name in decision records and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Throttled { .. } => "throttled",
            Self::Unavailable { .. } => "unavailable",
            Self::Denied { .. } => "denied",
            Self::Hidden { .. } => "not_found_or_denied",
            Self::NotFound { .. } => "not_found",
            Self::LostRace { .. } => "lost_race",
            Self::InProgress { .. } => "in_progress",
            Self::OverQuota { .. } => "over_quota",
            Self::Unconfigured { .. } => "unconfigured",
            Self::RejectedChange { .. } => "refused",
        }
    }

    /// Whether the same event may succeed when it is delivered again.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Throttled { .. } | Self::Unavailable { .. } | Self::LostRace { .. } => true,
            Self::Denied { .. }
            | Self::Hidden { .. }
            | Self::NotFound { .. }
            | Self::InProgress { .. }
            | Self::OverQuota { .. }
            | Self::Unconfigured { .. }
            | Self::RejectedChange { .. } => false,
        }
    }

    /// What the operator can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Denied { permission, .. } => Some(format!("allow `{permission}`")),
            Self::OverQuota { .. } => Some(
                "raise the quota, or lower what the policy may reach: bounds, ladder or `[[flex]]`"
                    .to_owned(),
            ),
            Self::Hidden { permission, .. } => Some(format!(
                "check the OCID; if there is such a thing, add the policy statement \
                 `Allow dynamic-group <the function's> to {permission} in compartment <its own>`"
            )),
            Self::Unconfigured { .. } => {
                Some("set a region and credentials, as for the cloud's own command line".to_owned())
            }
            Self::NotFound { .. } => Some("check the name, the region and the account".to_owned()),
            Self::Throttled { .. }
            | Self::Unavailable { .. }
            | Self::LostRace { .. }
            | Self::InProgress { .. }
            | Self::RejectedChange { .. } => None,
        }
    }
}

/// The cloud's client was left out of this build.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[error("this build has no `{0}` client: build stepladder with `--features {0}`")]
pub struct NotCompiled(pub &'static str);

/// The cryptography that a client of this build brings: one is enough.
#[cfg(feature = "oci")]
fn crypto() -> rustls::crypto::CryptoProvider {
    rustls::crypto::ring::default_provider()
}

/// The cryptography that the AWS SDK brings.
#[cfg(all(feature = "aws", not(feature = "oci")))]
fn crypto() -> rustls::crypto::CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

/// AWS, with the environment's region and credentials. Connects when it is first asked something.
#[cfg(feature = "aws")]
pub fn aws() -> Result<Box<dyn Client>, NotCompiled> {
    Ok(Box::new(aws::client::AwsClient::default()))
}

/// AWS: not in this build.
#[cfg(not(feature = "aws"))]
pub fn aws() -> Result<Box<dyn Client>, NotCompiled> {
    Err(NotCompiled("aws"))
}

/// OCI, as the function's resource principal or with the API key of `~/.oci/config`. Connects when it is first
/// asked something.
#[cfg(feature = "oci")]
pub fn oci() -> Result<Box<dyn Client>, NotCompiled> {
    Ok(Box::new(oci::client::OciClient::default()))
}

/// OCI: not in this build.
#[cfg(not(feature = "oci"))]
pub fn oci() -> Result<Box<dyn Client>, NotCompiled> {
    Err(NotCompiled("oci"))
}
