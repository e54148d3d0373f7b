//! Formats an outcome: the decision record, one sentence, the text for an operator, and metrics.
//!
//! Other programs depend on the record's field names, so a name never changes. This module sends and decides nothing.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::alarm::{Alarm, TICK_SOURCE, Transition};
use crate::decide::{Check, Decision, Hold};
use crate::deployment::Deployment;
use crate::outcome::{Answer, CallRecord, Ending, Outcome, Status};
use crate::platform;
use crate::policy::Mode;
use crate::source::{self, Event};
use crate::target::TargetId;
use crate::text::{number, plain};

/// The reply of every host to a payload.
pub fn reply(answer: &Answer) -> Value {
    let mut reply = Map::new();
    reply.insert("outcomes".to_owned(), answer.outcomes.iter().map(record).collect());
    if let Some(error) = &answer.error {
        reply.insert("error".to_owned(), failure(error));
    }
    if !answer.rejected.is_empty() {
        reply.insert("rejected".to_owned(), answer.rejected.iter().map(rejection).collect());
    }
    Value::Object(reply)
}

/// Why a payload should be delivered again; `None` if a retry would not help.
pub fn retry_reason(answer: &Answer) -> Option<String> {
    let unread_alarms = answer.error.as_ref().filter(|error| error.is_retryable()).map(ToString::to_string);
    let failed = || answer.outcomes.iter().find(|outcome| outcome.is_retryable()).map(explanation);
    unread_alarms.or_else(failed)
}

/// The reply to a payload that cannot be read.
pub fn unreadable_payload(error: &source::Error) -> Value {
    json!({ "error": rejection(error) })
}

fn rejection(error: &source::Error) -> Value {
    json!({ "kind": error.kind(), "message": error.to_string() })
}

/// The decision record of one alarm and one target.
pub fn record(outcome: &Outcome) -> Value {
    // Destructured, so that the compiler rejects a new field that is missing here.
    let Outcome {
        alarm,
        target,
        observed,
        decision,
        checks,
        calls,
        notices,
        notes,
        error,
        result,
        is_news: _,
        mode,
    } = outcome;
    let mut record = json!({
        "alarm": {
            "name": alarm.name,
            "source": alarm.source,
            "transition": alarm.transition,
            "target": target.as_ref().map(TargetId::as_str),
            "at": alarm.at,
        },
        "observed": observed.as_deref().map(observed_value),
        "decision": decision_value(decision),
        "because": explanation(outcome),
        "guards": checks.iter().map(check_value).collect::<Vec<_>>(),
        "calls": calls.iter().map(call_value).collect::<Vec<_>>(),
        "result": result,
    });
    if *mode == Some(Mode::Observe) {
        record["mode"] = json!(Mode::Observe.to_string());
    }
    if !notices.is_empty() {
        record["notices"] = notices.iter().map(call_value).collect();
    }
    if !notes.is_empty() {
        record["notes"] = json!(notes);
    }
    if let Some(error) = error {
        record["error"] = failure(error);
    } else if let Decision::Hold(hold @ Hold::UnknownTarget) = decision {
        record["error"] = json!({ "kind": hold.reason(), "message": hold.to_string(), "retryable": false });
    }
    record
}

fn observed_value(deployment: &Deployment) -> Value {
    let mut observed = json!(deployment.size);
    observed["status"] = json!(deployment.status);
    observed["last_change"] = json!(deployment.last_change);
    observed
}

fn check_value(check: &Check) -> Value {
    json!({ "guard": check.guard, "held": check.blocked, "saw": check.input })
}

fn failure(error: &platform::Error) -> Value {
    json!({ "kind": error.kind(), "message": error.to_string(), "retryable": error.is_retryable(),
            "hint": error.hint() })
}

fn decision_value(decision: &Decision) -> Value {
    match decision {
        Decision::Resize { axis, from, to } => {
            json!({ "kind": "resize", "axis": axis, "from": from, "to": to })
        }
        Decision::Hold(hold) => json!({ "kind": "hold", "reason": hold.reason() }),
    }
}

fn call_value(call_record: &CallRecord) -> Value {
    let CallRecord { call, status, answer } = call_record;
    let detail = match answer {
        Some(answer) => format!("{call}: {answer}"),
        None => call.to_string(),
    };
    json!({ "call": call.operation(), "status": status, "detail": detail })
}

/// The reason for the decision, in one sentence.
pub fn explanation(outcome: &Outcome) -> String {
    if let Some(error) = &outcome.error {
        return match error.hint() {
            Some(hint) => format!("{error}; {hint}"),
            None => error.to_string(),
        };
    }
    match &outcome.decision {
        Decision::Hold(hold) => hold.to_string(),
        Decision::Resize { from, to, .. } => {
            let rule = outcome.checks.iter().find(|check| check.guard == "no_rule");
            let rule = rule.map_or_else(String::new, |check| check.input.clone());
            format!("{}, so {from} becomes {to} ({rule})", measurement_text(&outcome.alarm))
        }
    }
}

/// The alarm's measurement, in words.
fn measurement_text(alarm: &Alarm) -> String {
    let measurement = &alarm.measurement;
    let metric = measurement.metric.as_deref().unwrap_or("the alarm's metric");
    // With several targets the value belongs to the worst one, and the payload does not name it.
    let value = measurement.reported.value.filter(|_| alarm.names_one());
    match (value.map(number), measurement.reported.threshold.map(number)) {
        (Some(value), Some(threshold)) => format!("{metric} is at {value} with a threshold of {threshold}"),
        (Some(value), None) => format!("{metric} is at {value}"),
        (None, Some(threshold)) => format!("{metric} has crossed its threshold of {threshold}"),
        (None, None) => format!("{metric} has crossed its threshold"),
    }
}

/// The contents of a parsed payload.
pub fn parsed(event: &Event) -> Value {
    let Event { alarms, settled, tick, rejected } = event;
    let mut value = Map::new();
    value.insert("alarms".to_owned(), alarms.iter().map(parsed_alarm).collect());
    if let Some(settled) = settled {
        value.insert("settled".to_owned(), settled.iter().map(ToString::to_string).collect());
    }
    if *tick {
        value.insert("tick".to_owned(), json!(true));
    }
    if !rejected.is_empty() {
        value.insert("rejected".to_owned(), rejected.iter().map(rejection).collect());
    }
    Value::Object(value)
}

fn parsed_alarm(alarm: &Alarm) -> Value {
    let unknown = alarm.unknown_targets.iter().map(String::as_str);
    json!({
        "name": alarm.name,
        "source": alarm.source,
        "transition": alarm.transition,
        "targets": alarm.targets.iter().map(TargetId::as_str).chain(unknown).collect::<Vec<_>>(),
        "dimensions": alarm.subject.dimensions,
        "metric": alarm.measurement.metric,
        "value": alarm.measurement.reported.value,
        "threshold": alarm.measurement.reported.threshold,
        "at": alarm.at,
        "topic": alarm.topic,
        "account": alarm.account,
    })
}

/// One outcome, as text for an operator.
pub fn text(outcome: &Outcome) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {label:<9} {}", plain(value));
    };
    line("alarm", &alarm_sentence(&outcome.alarm));
    if let Some(target) = &outcome.target {
        line("target", target.as_str());
    }
    if let Some(observed) = &outcome.observed {
        let changed = observed.last_change.map_or_else(String::new, |at| format!(", last changed {at:.0}"));
        line("observed", &format!("{}, {}{changed}", observed.size, observed.status));
    }
    line("decision", &decision_text(&outcome.decision));
    line("because", &explanation(outcome));
    for (i, CallRecord { call, status, .. }) in outcome.calls.iter().enumerate() {
        let label = if i == 0 { "calls" } else { "" };
        line(label, &format!("{} {}: {call}", call.operation(), status_text(*status)));
    }
    for (i, CallRecord { call, status, answer }) in outcome.notices.iter().enumerate() {
        let label = if i == 0 { "notices" } else { "" };
        // The outcome's error explains a failed call. Only this line explains a failed notice.
        let why = answer.as_ref().filter(|_| *status == Status::Failed);
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        line(label, &format!("{} {}: {call}{why}", call.operation(), status_text(*status)));
    }
    for note in &outcome.notes {
        line("note", note);
    }
    line("result", ending_text(outcome.result));
    if let Decision::Hold(hold) = &outcome.decision {
        line("docs", &hold.docs());
    }
    text
}

/// The alarm's name and its transition: the beginning of a sentence.
pub fn alarm_sentence(alarm: &Alarm) -> String {
    let verb = match alarm.transition {
        Transition::Firing => "fires",
        Transition::Repeat => "still fires",
        Transition::Cleared => "has cleared",
        Transition::NoData => "has no data",
        Transition::Test => "is a test",
    };
    let at = alarm.at.map_or_else(String::new, |at| format!(" at {at:.0}"));
    format!("`{}` {verb}{at}", alarm.name)
}

fn decision_text(decision: &Decision) -> String {
    match decision {
        Decision::Resize { axis, from, to } => format!("resize {axis}: {from} → {to}"),
        Decision::Hold(hold) => format!("hold: {}", hold.reason()),
    }
}

fn status_text(status: Status) -> &'static str {
    match status {
        Status::Done => "done",
        Status::Failed => "failed",
        Status::NotSent => "not sent",
        Status::DryRun => "not sent (dry run)",
        Status::Due => "due",
    }
}

/// The word for a result.
pub fn ending_text(ending: Ending) -> &'static str {
    match ending {
        Ending::Applied => "applied",
        Ending::Held => "held",
        Ending::DryRun => "dry run",
        Ending::Failed => "failed",
    }
}

/// The metrics of one outcome, the same for every host.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutcomeMetrics {
    /// The reason for the result: a hold's reason, an error's kind, or `resize`.
    pub reason: &'static str,
    /// Seconds from the alarm to the call, if a resize was sent.
    pub alarm_to_call_seconds: Option<f64>,
}

/// The metrics of an outcome. An alarm that a tick found sent no notification, so it has no delay to measure.
pub fn metrics(outcome: &Outcome, now: Timestamp) -> OutcomeMetrics {
    let notified = outcome.resized() && outcome.alarm.source != TICK_SOURCE;
    // A clock that is ahead of this one reports an alarm of the future: no time has passed since.
    let seconds = |at: Timestamp| now.duration_since(at).as_secs_f64().max(0.0);
    let reason = match (&outcome.error, &outcome.decision) {
        (Some(error), _) => error.kind(),
        (None, Decision::Resize { .. }) => "resize",
        (None, Decision::Hold(hold)) => hold.reason(),
    };
    OutcomeMetrics { reason, alarm_to_call_seconds: outcome.alarm.at.filter(|_| notified).map(seconds) }
}

/// Whether an outcome failed because of the payload, and not because of a failure.
pub fn is_unusable_input(outcome: &Outcome) -> bool {
    outcome.decision == Decision::Hold(Hold::UnknownTarget)
}
