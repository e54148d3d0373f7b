//! The axes of a variant that cannot be changed, and why: one answer for the real client and for the simulated cloud.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Endpoint;
use super::configuration::{enables_managed_scaling, has, pools, why_fixed};
use crate::size::Axis;

/// The part of a variant's description that shows who determines its count. `DescribeEndpoint` returns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountOwnership {
    /// Whether the variant is serverless, and so has no instances.
    pub is_serverless: bool,
    /// Whether SageMaker's managed instance scaling is enabled.
    pub is_managed: bool,
    /// Whether its instances come from pools of several types.
    pub has_pools: bool,
    /// How many instances run; `None` where SageMaker reports no count.
    pub instances: Option<u32>,
}

impl CountOwnership {
    /// What `DescribeEndpoint` returns for a variant with this entry in its configuration and so many instances.
    pub fn of_entry(entry: Option<&Value>, instances: u32) -> Self {
        let is_serverless = entry.is_some_and(|entry| has(entry, "ServerlessConfig"));
        Self {
            is_serverless,
            is_managed: entry.is_some_and(enables_managed_scaling),
            has_pools: entry.is_some_and(|entry| !pools(entry).is_empty()),
            instances: (!is_serverless).then_some(instances),
        }
    }

    /// Why the count cannot be changed; `None` if it can.
    fn why_fixed(self) -> Option<&'static str> {
        if self.is_serverless {
            Some("the variant is serverless")
        } else if self.is_managed {
            Some("its managed instance scaling owns the count")
        } else if self.has_pools {
            Some("its instance pools own the count")
        } else if self.instances.is_none() {
            Some("SageMaker reports no instance count for it")
        } else {
            None
        }
    }
}

/// The axes that cannot be changed, with the reasons. The type is judged only where the endpoint's details were read,
/// which is where the rule may change it.
pub fn fixed(count: CountOwnership, details: Option<&Endpoint>, variant: &str) -> BTreeMap<Axis, String> {
    let count = count.why_fixed().map(|why| (Axis::Instances, why.to_owned()));
    let shape = details.and_then(|details| why_fixed(details, variant));
    count.into_iter().chain(shape.map(|why| (Axis::Shape, why))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn some_variants_have_a_fixed_count() {
        let rows = [
            (json!({ "InstanceType": "ml.m5.large" }), None),
            (json!({ "ServerlessConfig": { "MaxConcurrency": 5 } }), Some("serverless")),
            (json!({ "ManagedInstanceScaling": { "Status": "ENABLED" } }), Some("managed")),
            (json!({ "InstancePools": [{ "InstanceType": "ml.m5.large" }] }), Some("pools")),
            // what is switched off, null or empty does not own anything
            (json!({ "ManagedInstanceScaling": { "Status": "DISABLED" } }), None),
            (json!({ "ServerlessConfig": null, "InstancePools": [] }), None),
        ];
        for (entry, expected) in rows {
            let fixed = fixed(CountOwnership::of_entry(Some(&entry), 2), None, "a");
            let why = fixed.get(&Axis::Instances);
            let is_right = expected.map_or(why.is_none(), |word| why.is_some_and(|why| why.contains(word)));
            assert!(is_right, "{entry}: {why:?}");
        }
        // a configuration that has been deleted under its endpoint
        assert_eq!(fixed(CountOwnership::of_entry(None, 2), None, "a"), BTreeMap::new());
    }
}
