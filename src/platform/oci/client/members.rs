//! Readers for the members that resources of all OCI services share.

use serde_json::Value;

use crate::tags::Tags;

/// The states of a deleted resource.
const DELETED: [&str; 2] = ["DELETING", "DELETED"];

pub(super) fn word(resource: &Value, key: &str) -> Option<String> {
    resource.get(key).and_then(Value::as_str).map(str::to_owned)
}

pub(super) fn tags(resource: &Value) -> Tags {
    resource
        .get("freeformTags")
        .and_then(|tags| serde_json::from_value(tags.clone()).ok())
        .unwrap_or_default()
}

/// Whether a resource exists and is not being deleted.
pub(super) fn exists(resource: &Value) -> bool {
    resource.get("lifecycleState").and_then(Value::as_str).is_none_or(|state| !DELETED.contains(&state))
}
