//! The one test binary: everything outside the crate's own unit tests.

#[cfg(feature = "aws")]
mod aws;
mod cli;
mod events;
mod parse;
mod policy;
mod properties;
mod repair;
mod rules;
mod support;
mod tidy;
