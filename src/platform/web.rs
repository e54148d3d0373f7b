//! Webhooks: what listens on the web, whoever runs it.

use std::fmt;
use std::time::Duration;

use crate::address::Address;
use crate::platform::{self, Operation};

#[cfg(any(feature = "aws", feature = "oci"))]
pub(super) mod client;

/// How long a webhook may take: one that is well answers a new connection in half a second.
pub const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// One request to a webhook.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// Posts a message.
    Post {
        /// Where it listens.
        address: Address,
        /// What the body is.
        content_type: &'static str,
        /// The message.
        body: String,
    },
}

/// Every operation that a [`Call`] can be.
pub const OPERATIONS: &[Operation] =
    // Whoever knows the address may.
    &[Operation::new("web:Post", &["no permission"])];

impl From<Call> for platform::Call {
    fn from(call: Call) -> Self {
        Self::Web(call)
    }
}

impl Call {
    /// What it is called in records.
    pub fn operation(&self) -> &'static str {
        match self {
            Self::Post { .. } => "web:Post",
        }
    }
}

/// What the call does, for an operator.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Post { address, .. } => write!(f, "tell `{address}`"),
        }
    }
}
