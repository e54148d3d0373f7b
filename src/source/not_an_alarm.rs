//! Describes a payload that is not an alarm, so that an operator can find its sender.

use serde_json::Value;

use super::error::quoted;
use super::field::text;

/// How many keys of an unknown object a message lists.
const KEYS: usize = 5;

/// Describes a whole payload.
pub(super) fn describe(payload: &Value) -> String {
    let recognised = || {
        let descriptions = [
            records,
            sns,
            eventbridge,
            oci_event,
            cloud_event,
            azure_alert,
            alertmanager,
            invocation,
            http_request,
            logs,
        ];
        descriptions.into_iter().find_map(|describe| describe(payload))
    };
    match payload {
        Value::Null => "JSON `null`".to_owned(),
        Value::Bool(_) => "a JSON boolean".to_owned(),
        Value::Number(_) => "a JSON number".to_owned(),
        Value::String(_) => "a JSON string".to_owned(),
        Value::Array(items) => format!("a JSON array of {} items", items.len()),
        Value::Object(_) => recognised().unwrap_or_else(|| keys(payload)),
    }
}

/// Describes the content of an envelope that is not JSON.
pub(super) fn describe_text(message: &str) -> String {
    match message.trim() {
        "" => "an empty message".to_owned(),
        message => format!("a plain text message {}", quoted(message)),
    }
}

/// Describes one record of a batch.
pub(super) fn describe_record(record: &Value) -> String {
    match text(record, &["eventSource", "EventSource"]) {
        Some("aws:s3") => "an S3 event".to_owned(),
        Some("aws:dynamodb") => "a DynamoDB stream event".to_owned(),
        Some("aws:kinesis") => "a Kinesis event".to_owned(),
        Some("aws:ses") => "an SES event".to_owned(),
        Some(other) => format!("a record of {}", quoted(other)),
        None => "a record without `eventSource`".to_owned(),
    }
}

fn records(payload: &Value) -> Option<String> {
    let records = payload.get("Records").or_else(|| payload.get("records"))?;
    if text(payload, &["eventSource"]).is_some_and(|source| source.ends_with("kafka")) {
        return Some("a Kafka event".to_owned());
    }
    if payload.get("deliveryStreamArn").is_some() {
        return Some("a Firehose event".to_owned());
    }
    match records.as_array()?.first() {
        Some(first) => Some(describe_record(first)),
        None => Some("an object with an empty `Records`".to_owned()),
    }
}

fn sns(payload: &Value) -> Option<String> {
    match text(payload, &["Type"])? {
        "SubscriptionConfirmation" => {
            Some("an SNS `SubscriptionConfirmation`, which has to be confirmed by hand".to_owned())
        }
        "UnsubscribeConfirmation" => Some("an SNS `UnsubscribeConfirmation`".to_owned()),
        "Notification" if payload.get("Message").is_some() => {
            Some("an SNS notification inside another".to_owned())
        }
        "Notification" => Some("an SNS notification without a `Message`".to_owned()),
        _ => None,
    }
}

fn eventbridge(payload: &Value) -> Option<String> {
    let name = text(payload, &["detail-type"])?;
    let from = text(payload, &["source"]).map_or("nowhere".to_owned(), quoted);
    Some(match (name, from.as_str()) {
        ("CloudWatch Alarm Configuration Change", "`aws.cloudwatch`") => {
            "a CloudWatch alarm's edit (`CloudWatch Alarm Configuration Change`), not a change of its state"
                .to_owned()
        }
        _ => format!("an EventBridge event {} from {from}", quoted(name)),
    })
}

fn oci_event(payload: &Value) -> Option<String> {
    let name = text(payload, &["eventType"]).filter(|name| name.starts_with("com.oraclecloud."))?;
    Some(format!("an OCI event {}", quoted(name)))
}

fn cloud_event(payload: &Value) -> Option<String> {
    text(payload, &["specversion"])?;
    Some(format!("a CloudEvents event {}", quoted(text(payload, &["type"])?)))
}

fn azure_alert(payload: &Value) -> Option<String> {
    match text(payload, &["schemaId"])? {
        "azureMonitorCommonAlertSchema" => Some("an Azure Monitor alert (common alert schema)".to_owned()),
        other if other.starts_with("AzureMonitor") => {
            Some(format!("an Azure Monitor alert ({})", quoted(other)))
        }
        _ => None,
    }
}

fn alertmanager(payload: &Value) -> Option<String> {
    let is_webhook = payload.get("groupKey").is_some() || payload.get("receiver").is_some();
    (payload.get("alerts")?.is_array() && is_webhook).then(|| "an Alertmanager webhook".to_owned())
}

fn invocation(payload: &Value) -> Option<String> {
    let context = payload.get("requestContext")?;
    let is_record = context.get("functionArn").is_some() || context.get("condition").is_some();
    is_record.then(|| {
        "the record of an invocation without its event (`requestPayload`), as a failed poll of a queue or stream leaves it"
            .to_owned()
    })
}

fn http_request(payload: &Value) -> Option<String> {
    let is_request =
        ["httpMethod", "requestContext", "rawPath"].into_iter().any(|key| payload.get(key).is_some());
    is_request.then(|| "an HTTP request of API Gateway, a load balancer or a function URL".to_owned())
}

fn logs(payload: &Value) -> Option<String> {
    payload.get("awslogs").map(|_| "a batch of CloudWatch Logs".to_owned())
}

fn keys(payload: &Value) -> String {
    let all: Vec<&String> = payload.as_object().into_iter().flat_map(serde_json::Map::keys).collect();
    let shown: Vec<String> = all.iter().take(KEYS).map(|key| quoted(key)).collect();
    match all.len() {
        0 => "an empty object".to_owned(),
        1 => format!("an object with the key {}", shown.join(", ")),
        2..=KEYS => format!("an object with the keys {}", shown.join(", ")),
        more => format!("an object with the keys {} and {} more", shown.join(", "), more - KEYS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn payloads_of_other_kinds_are_named() {
        for (payload, words) in [
            (json!(null), "JSON `null`"),
            (json!("x"), "a JSON string"),
            (json!([1, 2]), "a JSON array of 2 items"),
            (json!({"Records": []}), "an object with an empty `Records`"),
            (json!({"Records": [{"eventSource": "aws:s3"}]}), "an S3 event"),
            (json!({"Records": [{"eventSource": "aws:new"}]}), "a record of `aws:new`"),
            (json!({"eventSource": "aws:kafka", "records": {}}), "a Kafka event"),
            (json!({"deliveryStreamArn": "x", "records": []}), "a Firehose event"),
            (json!({"Type": "Notification"}), "an SNS notification without a `Message`"),
            (json!({"detail-type": "A", "source": "b"}), "an EventBridge event `A` from `b`"),
            (json!({"detail-type": "A"}), "an EventBridge event `A` from nowhere"),
            (json!({"eventType": "com.oraclecloud.x"}), "an OCI event `com.oraclecloud.x`"),
            (json!({"specversion": "1.0", "type": "t"}), "a CloudEvents event `t`"),
            (json!({"alerts": [], "receiver": "r"}), "an Alertmanager webhook"),
            (json!({"awslogs": {}}), "a batch of CloudWatch Logs"),
            (
                json!({"requestContext": {"functionArn": "a"}}),
                "the record of an invocation without its event (`requestPayload`), as a failed poll of a queue or stream leaves it",
            ),
            (json!({}), "an empty object"),
            (json!({"a": 1}), "an object with the key `a`"),
            (json!({"a": 1, "b": 1}), "an object with the keys `a`, `b`"),
        ] {
            assert_eq!(describe(&payload), words, "{payload}");
        }
        let many: Value = (0..7).map(|n| (n.to_string(), json!(n))).collect();
        assert_eq!(describe(&many), "an object with the keys `0`, `1`, `2`, `3`, `4` and 2 more");
    }
}
