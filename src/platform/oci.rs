//! Oracle Cloud Infrastructure: everything that knows it.

#[cfg(feature = "oci")]
pub mod client;
pub mod model_deployment;
pub(crate) mod mql;
pub mod provision;
mod simulated;
