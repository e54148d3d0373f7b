//! Amazon Web Services: everything that knows it.

#[cfg(feature = "aws")]
pub mod client;
mod simulated;
pub mod variant;
