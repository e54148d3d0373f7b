//! What an answer of OCI tells of a thing, member by member. Every service writes these alike.

use serde_json::Value;

use crate::tags::Tags;

/// The states of a thing that is on its way out.
const GOING: [&str; 2] = ["DELETING", "DELETED"];

pub(super) fn word(told: &Value, key: &str) -> Option<String> {
    told.get(key).and_then(Value::as_str).map(str::to_owned)
}

pub(super) fn tags(told: &Value) -> Tags {
    told.get("freeformTags").and_then(|tags| serde_json::from_value(tags.clone()).ok()).unwrap_or_default()
}

/// Whether it stands, and is not about to be gone.
pub(super) fn stands(told: &Value) -> bool {
    told.get("lifecycleState").and_then(Value::as_str).is_none_or(|state| !GOING.contains(&state))
}
