//! The EventBridge event by which SageMaker reports that an endpoint has changed its state, whole or its detail alone.
//!
//! Only a settled endpoint matters: nothing is done while an endpoint is being updated.

use serde_json::Value;

use super::field::{malformed, required, text};
use super::{Error, Source};
use crate::platform::aws::id;
use crate::source::Event;
use crate::target::TargetId;

/// This shape's row.
pub(super) const SOURCE: Source = Source { name: "endpoint-state", claims, read };

const SHAPE: &str = "SageMaker endpoint event";

/// The states in which an endpoint takes an update again.
const SETTLED: [&str; 1] = ["IN_SERVICE"];

fn claims(payload: &Value) -> bool {
    is_event(payload)
        || ["EndpointName", "EndpointArn", "EndpointStatus"].into_iter().all(|key| payload.get(key).is_some())
}

fn is_event(payload: &Value) -> bool {
    text(payload, &["detail-type"]) == Some("SageMaker Endpoint State Change")
        && text(payload, &["source"]) == Some("aws.sagemaker")
}

fn read(payload: &Value) -> Result<Event, Error> {
    let detail = if is_event(payload) { payload.get("detail").unwrap_or(&Value::Null) } else { payload };
    let endpoint = required(SHAPE, detail, "EndpointName", "the endpoint's name")?;
    if !id::is_name(endpoint) {
        return Err(malformed(SHAPE, "EndpointName", "the endpoint's name", detail.get("EndpointName")));
    }
    let status = required(SHAPE, detail, "EndpointStatus", "the endpoint's state")?;
    let settled = if SETTLED.contains(&status) { variants(endpoint, detail) } else { Vec::new() };
    Ok(Event { settled: Some(settled), ..Event::default() })
}

/// The variants that the event names; the endpoint as a whole when it names none, as it may.
fn variants(endpoint: &str, detail: &Value) -> Vec<TargetId> {
    let listed = detail.get("ProductionVariants").and_then(Value::as_array).into_iter().flatten();
    let named: Vec<TargetId> =
        listed.filter_map(|variant| id::variant(endpoint, text(variant, &["VariantName"])?)).collect();
    if named.is_empty() { id::endpoint(endpoint).into_iter().collect() } else { named }
}
