//! Webhooks: the one call that posts a notice to a URL.

use std::fmt;
use std::time::Duration;

use crate::address::Address;
use crate::platform::{self, Operation};

pub(super) mod client;

/// The timeout of a webhook. A healthy one answers a new connection in half a second.
pub const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// One request to a webhook.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// Posts a message.
    Post {
        /// The webhook's URL.
        address: Address,
        /// The media type of the body.
        content_type: &'static str,
        /// The message.
        body: String,
    },
}

/// Every operation that a [`Call`] can be.
pub const OPERATIONS: &[Operation] =
    // Knowing the URL is all that a caller needs.
    &[Operation::new("web:Post", &[NO_PERMISSION])];

/// What is in the place of a permission, for a call that needs none.
pub const NO_PERMISSION: &str = "no permission";

impl From<Call> for platform::Call {
    fn from(call: Call) -> Self {
        Self::Web(call)
    }
}

impl Call {
    /// The operation's name in decision records.
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
            Self::Post { address, .. } => write!(f, "notify `{address}`"),
        }
    }
}
