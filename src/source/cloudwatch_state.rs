//! The block `{alarmName, state, configuration}` that the direct Lambda action and EventBridge share.
//!
//! The block itself has no threshold and no number of evaluation periods. Only the state's `reasonData` may have them.

use jiff::Timestamp;
use serde_json::Value;

use super::Error;
use super::cloudwatch::{About, AlarmMetric, Evaluated, NamedTargets, field, name, transition};
use super::field::{malformed, moment, text};
use super::reason_data::ReasonData;
use crate::alarm::{Alarm, Measurement};
use crate::platform::aws::state_reason::StateReason;
use crate::source::Event;

/// Reads the block. `envelope_time` is used for a state without a time of its own.
pub(super) fn read(
    shape: &'static str,
    source: &'static str,
    id: &str,
    account: String,
    block: &Value,
    envelope_time: Option<Timestamp>,
) -> Result<Event, Error> {
    let name = name(shape, block, "alarmName")?;
    let state = block.get("state").filter(|state| state.is_object());
    let state = state.ok_or_else(|| malformed(shape, "state", "the alarm's state", block.get("state")))?;
    let configuration = block.get("configuration");
    let metrics =
        configuration.and_then(|all| field(all, "metrics")).map(AlarmMetric::list).unwrap_or_default();
    let contributor = block.get("alarmContributor").and_then(|contributor| contributor.get("attributes"));
    let about = About {
        account: &account,
        metrics: &metrics,
        contributor,
        description: configuration.and_then(|all| text(all, &["description"])),
    };
    let NamedTargets { targets, subject } = about.read()?;
    let at = moment(state.get("timestamp")).or(envelope_time);
    let alarm = Alarm {
        id: id.to_owned(),
        name,
        is_titled: false,
        source,
        transition: transition(shape, state, "value")?,
        muted: block.get("muteDetail").is_some_and(Value::is_object)
            || text(state, &["actionsSuppressedBy"]).is_some(),
        targets,
        unknown_targets: Vec::new(),
        subject,
        measurement: measurement(state, &metrics, at),
        at,
        evidence: at.into(),
        topic: None,
        account: Some(account),
    };
    Ok(Event { alarms: vec![alarm], ..Event::default() })
}

fn measurement(state: &Value, metrics: &[AlarmMetric<'_>], at: Option<Timestamp>) -> Measurement {
    let data = ReasonData::read(state);
    let reason = text(state, &["reason"]).map(StateReason::read).unwrap_or_default();
    // The sentence is the same in every envelope, so its datapoints come first.
    let mean = reason.mean(data.threshold).or_else(|| data.mean(reason.side()));
    let since = [reason.since(), data.since].into_iter().flatten().min();
    let evaluated = Evaluated {
        metrics,
        has_band: false,
        side: reason.side(),
        threshold: data.threshold,
        latest: data.latest.or_else(|| reason.latest()),
        mean,
        coverage: reason
            .coverage_in(text(state, &["evaluationState"]), None)
            .unwrap_or_else(|| data.coverage()),
        window: data.window(at),
        since: since.filter(|since| at.is_none_or(|at| *since < at)),
    };
    evaluated.measurement()
}
