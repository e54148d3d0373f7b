//! Metrics in log lines, in CloudWatch's embedded metric format.
//!
//! See <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use jiff::Timestamp;
use serde_json::{Value, json};

/// The namespace of the metrics that stepladder publishes.
pub const NAMESPACE: &str = "stepladder";

/// A decision record as one line, with the metrics `Decisions{result,reason}` and, where a resize was sent,
/// `AlarmToCallSeconds`.
pub fn decision_line(
    record: Value,
    reason: &str,
    alarm_to_call_seconds: Option<f64>,
    now: Timestamp,
) -> Value {
    let mut line = record;
    let mut metrics = vec![json!({ "Name": "Decisions", "Unit": "Count" })];
    if alarm_to_call_seconds.is_some() {
        metrics.push(json!({ "Name": "AlarmToCallSeconds", "Unit": "Seconds" }));
    }
    if let Value::Object(line) = &mut line {
        line.insert("reason".to_owned(), json!(reason));
        line.insert("Decisions".to_owned(), json!(1));
        if let Some(seconds) = alarm_to_call_seconds {
            line.insert("AlarmToCallSeconds".to_owned(), json!(seconds));
        }
        let dimensions = json!([["result", "reason"], ["result"], []]);
        line.insert("_aws".to_owned(), embedded(&dimensions, &metrics, now));
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
        "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics }],
    })
}
