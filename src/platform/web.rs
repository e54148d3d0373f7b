//! Webhooks: the platform of everything that listens on the web.

#[cfg(any(feature = "aws", feature = "oci"))]
pub(super) mod client;
