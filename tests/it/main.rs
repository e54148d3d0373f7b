//! The one test binary: everything outside the crate's own unit tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test that cannot be set up has failed, and reports it"
)]

#[cfg(feature = "aws")]
mod aws;
mod axes;
mod batch;
#[cfg_attr(
    not(any(feature = "aws", feature = "oci")),
    expect(dead_code, reason = "the emulators' stages use the rest")
)]
mod chart;
mod cli;
mod defects;
mod distrust;
mod docs;
mod events;
mod explained;
mod fuzzed;
mod golden;
mod host;
mod init;
mod invariants;
mod keys;
mod ladders;
mod limits;
mod measured;
mod mistaken;
mod named;
#[cfg(any(feature = "aws", feature = "oci"))]
mod narrator;
mod notice;
#[cfg(feature = "oci")]
mod oci;
mod oracle;
mod ownership;
mod pages;
mod pairing;
mod parse;
mod picture;
mod policy;
mod policy_tests;
mod problems;
mod properties;
mod provision;
mod records;
mod repair;
mod repeat;
mod router;
mod rules;
mod schedules;
#[cfg(any(feature = "aws", feature = "oci"))]
mod server;
mod shapes;
mod slips;
#[cfg_attr(
    not(any(feature = "aws", feature = "oci")),
    expect(dead_code, reason = "the emulators' stages use the rest")
)]
mod story;
mod support;
mod terminal;
mod tidy;
mod vertical;
