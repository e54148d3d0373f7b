//! Oracle Cloud Infrastructure: its modules, and its row in the table of platforms.

use super::{Platform, ProvisionRow};

pub mod alarm;
pub mod call;
pub mod client;
pub mod id;
pub mod model_deployment;
pub(crate) mod mql;
pub mod provision;
pub(super) mod simulated;

pub use model_deployment::Facts;

/// The row of OCI.
pub(super) const PLATFORM: Platform = Platform {
    name: "oci",
    targets: &[model_deployment::TARGET],
    target_id: id::read,
    targets_are_named_by: "an OCI model deployment's `resourceId`",
    ladders: include_str!("oci/ladder.toml"),
    flexible: Some(".Flex"),
    operations: call::OPERATIONS,
    reads: &[],
    topic_id: "OCID",
    account: None,
    policy_store: None,
    provision: Some(ProvisionRow {
        key: provision::TABLE,
        read: provision::read_table,
        #[cfg(test)]
        schema: provision::schema,
    }),
    topic: id::topic,
    // Alarm names are not unique on OCI: tags identify the pair.
    pair_name: |_, pair| pair.to_owned(),
    one_at_a_time: false,
    simulation: simulated::SIMULATION,
};
