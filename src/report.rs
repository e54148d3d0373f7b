//! What is told about an outcome: the decision record, one sentence, the text an operator reads, metrics.
//!
//! The record's field names are a contract with other programs. Sends nothing, decides nothing.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::alarm::{Alarm, Event, Transition};
use crate::apply::{CallRecord, Ending, Outcome, Status};
use crate::batch::Batch;
use crate::decide::{Decision, Hold};
use crate::handle::Answer;
use crate::platform;
use crate::{reconcile, source};

/// The namespace of the metrics that stepladder publishes.
pub const METRIC_NAMESPACE: &str = "stepladder";

/// The reply of every host.
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

/// The reply about a queue's batch: besides, the messages that are to be delivered again, as SQS wants to be
/// told.
pub fn batch_reply(batch: &Batch) -> Value {
    let mut told = reply(&batch.answer);
    if let Value::Object(told) = &mut told {
        let again = batch.to_deliver_again().into_iter().map(|id| json!({ "itemIdentifier": id }));
        told.insert("batchItemFailures".to_owned(), again.collect());
    }
    told
}

/// Why a payload should be delivered again; `None` where that would not help.
pub fn worth_another_delivery(answer: &Answer) -> Option<String> {
    let unasked = answer.error.as_ref().filter(|error| error.is_retryable()).map(ToString::to_string);
    let failed = || answer.outcomes.iter().find(|outcome| outcome.is_retryable()).map(because);
    unasked.or_else(failed)
}

/// The reply to a payload that cannot be read.
pub fn unreadable(error: &source::Error) -> Value {
    json!({ "error": rejection(error) })
}

fn rejection(error: &source::Error) -> Value {
    json!({ "kind": error.kind(), "message": error.to_string() })
}

/// The decision record of one alarm and target.
pub fn record(outcome: &Outcome) -> Value {
    // Destructured so that a new field cannot be forgotten here.
    let Outcome { alarm, target, seen, decision, guards, calls, notices, notes, error, result } = outcome;
    let observed = seen.as_ref().map(|seen| {
        let mut observed = json!(seen.size);
        observed["status"] = json!(seen.status);
        observed["last_change"] = json!(seen.last_change);
        observed
    });
    let guards: Vec<Value> = guards
        .iter()
        .map(|v| json!({ "guard": v.guard, "held": v.held, "saw": v.saw.to_string() }))
        .collect();
    let mut record = json!({
        "alarm": {
            "name": alarm.name,
            "source": alarm.source,
            "transition": alarm.transition,
            "target": target.as_ref().map(|target| &target.id),
            "at": alarm.at,
        },
        "observed": observed,
        "decision": decision_value(decision),
        "because": because(outcome),
        "guards": guards,
        "calls": calls.iter().map(call_value).collect::<Vec<_>>(),
        "result": result,
    });
    if let Value::Object(record) = &mut record {
        if !notices.is_empty() {
            record.insert("notices".to_owned(), notices.iter().map(call_value).collect());
        }
        if !notes.is_empty() {
            record.insert("notes".to_owned(), json!(notes));
        }
        if let Some(error) = error {
            record.insert("error".to_owned(), failure(error));
        } else if let Decision::Hold(hold @ Hold::UnknownTarget) = decision {
            let value = json!({ "kind": hold.reason(), "message": hold.to_string(), "retryable": false });
            record.insert("error".to_owned(), value);
        }
    }
    record
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

/// Why it was decided so, in one sentence.
pub fn because(outcome: &Outcome) -> String {
    if let Some(error) = &outcome.error {
        return match error.hint() {
            Some(hint) => format!("{error}; {hint}"),
            None => error.to_string(),
        };
    }
    match &outcome.decision {
        Decision::Hold(hold) => hold.to_string(),
        Decision::Resize { from, to, .. } => {
            let rule = outcome.guards.iter().find(|check| check.guard == "no_rule");
            let rule = rule.map_or_else(String::new, |check| check.saw.to_string());
            format!("{}, so {from} becomes {to} ({rule})", measured(&outcome.alarm))
        }
    }
}

/// What the alarm measured, in words.
fn measured(alarm: &Alarm) -> String {
    let measurement = &alarm.measurement;
    let metric = measurement.metric.as_deref().unwrap_or("the alarm's metric");
    // With several targets the value is that of the worst, whichever that is.
    let value = measurement.value.filter(|_| alarm.targets.len() == 1);
    match (value, measurement.threshold) {
        (Some(value), Some(threshold)) => format!("{metric} is at {value} with a threshold of {threshold}"),
        (Some(value), None) => format!("{metric} is at {value}"),
        (None, Some(threshold)) => format!("{metric} has crossed its threshold of {threshold}"),
        (None, None) => format!("{metric} has crossed its threshold"),
    }
}

/// What a payload says, and nothing else.
pub fn parsed(event: &Event) -> Value {
    let Event { alarms, settled, tick, rejected } = event;
    let mut value = Map::new();
    value.insert("alarms".to_owned(), alarms.iter().map(parsed_alarm).collect());
    if let Some(settled) = settled {
        value.insert("settled".to_owned(), settled.iter().map(|target| target.id.clone()).collect());
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
    json!({
        "name": alarm.name,
        "source": alarm.source,
        "transition": alarm.transition,
        "targets": alarm.targets.iter().map(|target| &target.id).collect::<Vec<_>>(),
        "metric": alarm.measurement.metric,
        "value": alarm.measurement.value,
        "threshold": alarm.measurement.threshold,
        "at": alarm.at,
        "topic": alarm.topic,
        "account": alarm.account,
    })
}

/// One outcome as an operator reads it.
pub fn text(outcome: &Outcome) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {label:<9} {}", plain(value));
    };
    line("alarm", &announced(&outcome.alarm));
    if let Some(target) = &outcome.target {
        line("target", &target.id);
    }
    if let Some(seen) = &outcome.seen {
        let changed = seen.last_change.map_or_else(String::new, |at| format!(", last changed {at}"));
        line("seen", &format!("{}, {}{changed}", seen.size, seen.status));
    }
    line("decision", &decision_text(&outcome.decision));
    line("because", &because(outcome));
    for (i, CallRecord { call, status, .. }) in outcome.calls.iter().enumerate() {
        let label = if i == 0 { "calls" } else { "" };
        line(label, &format!("{} {}: {call}", call.operation(), status_text(*status)));
    }
    for (i, CallRecord { call, status, answer }) in outcome.notices.iter().enumerate() {
        let label = if i == 0 { "notices" } else { "" };
        // What is wrong with a call stands in the outcome's error; what is wrong with a notice only here.
        let why = answer.as_ref().filter(|_| *status == Status::Failed);
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        line(label, &format!("{} {}: {call}{why}", call.operation(), status_text(*status)));
    }
    for note in &outcome.notes {
        line("note", note);
    }
    line("result", ending_text(outcome.result));
    text
}

/// What an alarm says has happened, as a sentence without its end.
pub fn announced(alarm: &Alarm) -> String {
    let verb = match alarm.transition {
        Transition::Firing => "fires",
        Transition::Repeat => "fires still",
        Transition::Cleared => "is clear again",
        Transition::NoData => "has no data",
        Transition::Test => "is being tried out",
    };
    let at = alarm.at.map_or_else(String::new, |at| format!(" at {at}"));
    format!("`{}` {verb}{at}", alarm.name)
}

/// Text that may come from a payload, as it may stand on a line of a terminal or a log: nothing in it can
/// move the cursor, turn the writing around or forge another line.
pub fn plain(text: &str) -> String {
    let harmful = |c: char| {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let breaks = matches!(c, '\u{2028}' | '\u{2029}');
        c.is_control() || turns || breaks
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if harmful(c) { shown.extend(c.escape_debug()) } else { shown.push(c) }
    }
    shown
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

/// The word for how it ended.
pub fn ending_text(ending: Ending) -> &'static str {
    match ending {
        Ending::Applied => "applied",
        Ending::Held => "held",
        Ending::DryRun => "dry run",
        Ending::Failed => "failed",
    }
}

/// The record as one line in CloudWatch's embedded metric format: the record itself, and the metrics
/// `Decisions{result,reason}` and, where a resize was sent, `AlarmToCallSeconds`.
pub fn metric_line(outcome: &Outcome, now: Timestamp) -> Value {
    let mut line = record(outcome);
    let mut metrics = vec![json!({ "Name": "Decisions", "Unit": "Count" })];
    // What was asked for has not called, so there is nothing to measure from.
    let called = outcome.resized() && outcome.alarm.source != reconcile::SOURCE;
    let waited = outcome.alarm.at.filter(|_| called).map(|at| now.duration_since(at).as_secs_f64());
    if waited.is_some() {
        metrics.push(json!({ "Name": "AlarmToCallSeconds", "Unit": "Seconds" }));
    }
    let reason = match &outcome.decision {
        _ if outcome.error.is_some() => outcome.error.as_ref().map_or("", |error| error.kind()),
        Decision::Resize { .. } => "resize",
        Decision::Hold(hold) => hold.reason(),
    };
    if let Value::Object(line) = &mut line {
        line.insert("reason".to_owned(), json!(reason));
        line.insert("Decisions".to_owned(), json!(1));
        if let Some(waited) = waited {
            line.insert("AlarmToCallSeconds".to_owned(), json!(waited));
        }
        line.insert(
            "_aws".to_owned(),
            embedded(&json!([["result", "reason"], ["result"], []]), &metrics, now),
        );
    }
    line
}

/// A payload that cannot be read, as one line with the metric `Rejected{kind}`.
pub fn rejection_line(kind: &str, message: &str, now: Timestamp) -> Value {
    let metrics = [json!({ "Name": "Rejected", "Unit": "Count" })];
    json!({
        "error": { "kind": kind, "message": message },
        "kind": kind,
        "Rejected": 1,
        "_aws": embedded(&json!([["kind"], []]), &metrics, now),
    })
}

fn embedded(dimensions: &Value, metrics: &[Value], now: Timestamp) -> Value {
    json!({
        "Timestamp": now.as_millisecond(),
        "CloudWatchMetrics": [{ "Namespace": METRIC_NAMESPACE, "Dimensions": dimensions, "Metrics": metrics }],
    })
}

/// The same for several lines that are ours to break; what they are filled with is made [`plain`] before.
pub fn plain_lines(text: &str) -> String {
    text.split('\n').map(plain).collect::<Vec<_>>().join("\n")
}

/// An error and everything that caused it, in one line, whatever a policy or a payload has brought into it.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    plain(&text)
}

/// Whether an outcome failed because the payload was of no use, not because something broke.
pub fn is_unusable_input(outcome: &Outcome) -> bool {
    outcome.decision == Decision::Hold(Hold::UnknownTarget)
}
