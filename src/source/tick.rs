//! The tick: the scheduled event that starts a reconcile, once a minute by default.

use serde_json::Value;

use super::field::text;
use super::{Error, Source};
use crate::source::Event;

/// This shape's row.
pub(super) const SOURCE: Source = Source { name: "tick", claims, read };

/// `{"stepladder": "tick"}`, as the template's schedule sends it, or EventBridge's own scheduled event.
fn claims(payload: &Value) -> bool {
    let scheduled = || {
        text(payload, &["detail-type"]) == Some("Scheduled Event")
            && matches!(text(payload, &["source"]), Some("aws.events" | "aws.scheduler"))
    };
    text(payload, &["stepladder"]) == Some("tick") || scheduled()
}

#[expect(clippy::unnecessary_wraps, reason = "every row reads with this signature")]
fn read(_payload: &Value) -> Result<Event, Error> {
    Ok(Event { tick: true, ..Event::default() })
}
