//! Amazon Web Services: its modules, and its row in the table of platforms.

use super::{AccountFormat, Platform, PolicyStore};

pub mod alarm;
pub mod call;
pub mod client;
pub(crate) mod compared;
pub mod id;
pub mod metrics;
pub mod named;
pub(super) mod simulated;
pub mod state_reason;
pub mod variant;

pub use variant::Facts;

/// The row of AWS.
pub(super) const PLATFORM: Platform = Platform {
    name: "aws",
    targets: &[variant::TARGET],
    target_id: id::read,
    targets_are_named_by: "the dimensions `EndpointName` and `VariantName`",
    ladders: include_str!("aws/ladder.toml"),
    flexible: None,
    operations: call::OPERATIONS,
    reads: call::READS,
    topic_id: "ARN",
    account: Some(AccountFormat { is: id::is_account, expected: "12 digits" }),
    policy_store: Some(PolicyStore { prefix: "ssm:", name: "SSM Parameter Store", platform: "AWS" }),
    provision: None,
    topic: id::topic,
    pair_name: crate::pair::pair_name,
    one_at_a_time: true,
    simulation: simulated::SIMULATION,
};
