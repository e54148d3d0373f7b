//! One small function that turns an alarm into the right change of size.
//!
//! ```text
//! bytes ─parse─► Alarm ─observe─► Deployment ─decide─► Decision ─plan─► calls ─apply─► Outcome
//!        (pure)   (one look, reads in parallel)  (pure)          (pure)   (a loop, no choices)
//! ```
//!
//! [`handle`](handle::handle) is the whole program; every host and the command line call it and nothing else.
//!
//! # Where things are
//!
//! | module | what it holds |
//! |---|---|
//! | [`alarm`] | what happened, in our words |
//! | [`source`] | one file per payload shape, and their table |
//! | [`deployment`] | what was seen, once |
//! | [`ladder`] | ordered shape tables |
//! | [`tagged`] | what a deployment's own tags say |
//! | [`policy`] | the policy file, validated when it is loaded |
//! | [`decide`](mod@decide) | guards in order, then a resize or a reason to hold |
//! | [`call`] | everything that can ever be sent |
//! | [`notice`] | what is told of a resize, and to whom |
//! | [`address`] | where webhooks listen; never shown whole |
//! | [`plan`](mod@plan) | every call that a decision takes, in order |
//! | [`target`] | one file per kind of target, and their table |
//! | [`apply`](mod@apply) | sends a plan, stops at the first failure |
//! | [`batch`] | a queue's batch, message by message |
//! | [`cloud`] | the clouds behind one trait |
//! | [`host`] | what every host does with a payload |
//! | [`repeat`] | what the clock and an endpoint at rest call for |
//! | [`provision`] | the alarms, topic and permissions that the function works with on OCI |
//! | [`report`] | records, sentences, metrics |
//! | [`config`] | the only reader of environment variables |
//!
//! # Invariants
//!
//! - Sources and targets never meet: both only know [`alarm`] and what is above it.
//! - `parse`, `decide` and `plan` are pure: no clock, environment, log, network or randomness.
//! - A plan leaves nothing to choose. `apply` is a loop.
//! - The paired alarm is written before the capacity that it will take back, and deleted only when the
//!   deployment is seen settled at its floor. So a crash at any point strands nothing.
//! - Doing nothing is an answer, with a reason. It is never an error.
//! - Whoever is told of a resize is told last: nothing waits for it, and nothing depends on it.
//! - A cloud's client is compiled only with its feature. Parsing, deciding and planning always are.

pub mod address;
pub mod alarm;
pub mod apply;
pub mod batch;
pub mod call;
pub mod config;
pub mod decide;
pub mod deployment;
pub mod handle;
pub mod host;
pub mod ladder;
pub mod notice;
pub mod plan;
pub mod platform;
pub mod policy;
pub mod reconcile;
pub mod report;
pub mod source;
pub mod tags;
