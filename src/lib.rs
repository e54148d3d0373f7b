//! One small function that turns an alarm into the right change of size.
//!
//! ```text
//! bytes ─parse─► Alarm ─observe─► Deployment ─decide─► Decision ─plan─► calls ─apply─► Outcome
//!        (pure)   (one read, in parallel)     (pure)          (pure)   (a loop, no choices)
//! ```
//!
//! [`handle`](handle::handle) is the whole program; every host and the command call it and nothing else.
//!
//! # Layers
//!
//! A module imports only what is above it in this table. A test keeps it so.
//!
//! | module | what it holds |
//! |---|---|
//! | [`text`] | text that comes from elsewhere, as it may be shown |
//! | [`environment`] | the only reader of environment variables |
//! | [`address`] | the address of a webhook; never shown whole |
//! | [`duration`] | durations as a file writes them, and how long they may be |
//! | [`document`] | a TOML document, and everything that is wrong with it, each with its place |
//! | [`size`] | how large a deployment is, and along which axes that changes |
//! | [`scaling`] | scaling policies: how far an alarm moves a deployment |
//! | [`target`] | the id of what is resized |
//! | [`pair`] | the paired alarm, which scales down what a rule has added |
//! | [`alarm`] | what happened, in one shape for every source |
//! | [`tags`] | the names of our tags, and the record of recent changes in them |
//! | [`ladder`] | ordered tables of shapes |
//! | [`deployment`] | what one observation found, without a word of its platform |
//! | [`platform`] | the platforms: one folder each, their table, and the clients |
//! | [`source`] | one file per payload shape, and their table |
//! | [`policy`] | the policy file, validated when it is loaded |
//! | [`config`] | where the policy is, and what the host adds to it |
//! | [`decide`](mod@decide) | guards in order, then a resize or a reason to hold |
//! | [`plan`](mod@plan) | every call that a decision takes, in order |
//! | [`outcome`] | what became of an alarm |
//! | [`apply`](mod@apply) | sends a plan, stops at the first failure |
//! | [`report`] | records, sentences, measures |
//! | [`notice`] | which destinations are notified of an outcome |
//! | [`reconcile`] | the alarms that a tick or a settled deployment requests |
//! | [`handle`](mod@handle) | the flow |
//! | [`batch`] | a queue's batch, message by message |
//! | [`host`] | what every host does with a payload |
//!
//! # Invariants
//!
//! - What knows a platform is below `platform`, `source` or a host, strings included.
//! - Sources and targets never meet: both know only [`alarm`] and what is above it, and the ids of a platform.
//! - `parse`, `decide` and `plan` are pure: no clock, environment, log, network or randomness.
//! - A plan leaves nothing to choose. `apply` is a loop.
//! - The paired alarm is written before the capacity that it will remove, and deleted only when the deployment is
//!   observed settled at its floor. So a crash at any point strands nothing.
//! - Doing nothing is an answer, with a reason. It is never an error.
//! - Notices are sent last: nothing waits for them, and nothing depends on them.
//! - A platform's client is compiled only with its feature. Parsing, deciding and planning always are.

// No input ends the program: a slice of a text panics inside a letter of several bytes.
#![cfg_attr(not(test), deny(clippy::string_slice))]

pub mod address;
pub mod alarm;
pub mod apply;
pub mod batch;
pub mod config;
pub mod decide;
pub mod deployment;
pub mod document;
pub mod duration;
pub mod environment;
pub mod handle;
pub mod host;
pub mod ladder;
pub mod notice;
pub mod outcome;
pub mod pair;
pub mod plan;
pub mod platform;
pub mod policy;
pub mod reconcile;
pub mod report;
pub mod scaling;
pub mod size;
pub mod source;
pub mod tags;
pub mod target;
pub mod text;
