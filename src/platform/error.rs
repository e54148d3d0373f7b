//! What a platform may answer instead of doing as asked.

use thiserror::Error as ThisError;

/// What a platform may answer instead of doing as asked.
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
    /// There is no such thing, or the caller may not see it: some services do not distinguish the two.
    #[error("{operation} found nothing, or may not see it: {message}")]
    Hidden {
        /// The API operation.
        operation: String,
        /// What to check, and who may grant the permission.
        hint: String,
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
    /// A quota does not allow it. An early retry would fail, too.
    #[error("{operation} exceeds a quota: {message}")]
    OverQuota {
        /// The API operation.
        operation: String,
        /// The service's own words.
        message: String,
    },
    /// No request can be sent: a region or credentials are missing.
    #[error("{operation} could not be sent: {message}")]
    Unconfigured {
        /// The API operation.
        operation: String,
        /// The client's own words.
        message: String,
    },
    /// The service will not have it for any other reason.
    #[error("{operation} was refused: {message}")]
    Refused {
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
            Self::Refused { .. } => "refused",
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
            | Self::Refused { .. } => false,
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
            Self::Hidden { hint, .. } => Some(hint.clone()),
            Self::Unconfigured { .. } => {
                Some("set a region and credentials, as for the cloud's own command line".to_owned())
            }
            Self::NotFound { .. } => Some("check the name, the region and the account".to_owned()),
            Self::Throttled { .. }
            | Self::Unavailable { .. }
            | Self::LostRace { .. }
            | Self::InProgress { .. }
            | Self::Refused { .. } => None,
        }
    }
}
