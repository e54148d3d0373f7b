//! Why a payload could not be read. Sending the same payload again never helps.

use serde_json::Value;

/// Why a payload, or one record of it, could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing, or nothing but white space.
    #[error("payload is empty, expected the JSON of an alarm; send the alarm's message as the body")]
    Empty,
    /// The payload is larger than the limit.
    #[error("payload has more than {limit} {what}, more than any alarm has; send fewer alarms at once")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The largest amount that is parsed.
        limit: usize,
    },
    /// The payload nests deeper than the limit.
    #[error(
        "payload nests deeper than {limit} levels, expected about ten; send the alarm's message unchanged"
    )]
    TooDeep {
        /// The deepest level that is parsed.
        limit: usize,
    },
    /// The payload is not UTF-8 text.
    #[error("payload is not UTF-8 at byte {at}, expected JSON text; send it as UTF-8, not compressed")]
    NotUtf8 {
        /// How many bytes at the start are valid.
        at: usize,
    },
    /// The payload is text, but not JSON.
    #[error("payload is not JSON: {detail}; send the alarm's message unchanged")]
    NotJson {
        /// The JSON parser's message, with line and column.
        detail: String,
    },
    /// The payload is JSON, but not an alarm.
    #[error("expected an alarm of CloudWatch or OCI Monitoring, found {found}; send only alarms here")]
    NotAnAlarm {
        /// A short description of the payload.
        found: String,
    },
    /// The payload has the shape of an alarm, but a required field is wrong.
    #[error("the {shape} has {found} in `{field}`, expected {expected}; send the alarm's message unchanged")]
    MalformedAlarm {
        /// The shape that it was read as.
        shape: &'static str,
        /// The field that is wrong.
        field: &'static str,
        /// What the field should hold.
        expected: &'static str,
        /// What the field holds.
        found: String,
    },
    /// The payload names more deployments than the limit.
    #[error(
        "payload names {found} or more deployments, expected at most {limit}; use an alarm per deployment"
    )]
    TooManyTargets {
        /// How many were counted before the parser stopped.
        found: usize,
        /// How many one payload may name.
        limit: usize,
    },
}

impl Error {
    /// A stable word for records, metrics and replies.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLarge { .. } => "too_large",
            Self::TooDeep { .. } => "too_deep",
            Self::NotUtf8 { .. } => "not_utf8",
            Self::NotJson { .. } => "not_json",
            Self::NotAnAlarm { .. } => "not_an_alarm",
            Self::MalformedAlarm { .. } => "malformed_alarm",
            Self::TooManyTargets { .. } => "too_many_targets",
        }
    }
}

/// How many characters of a payload's own text a message repeats.
const SHOWN: usize = 60;

/// Text of the payload, made safe for a message: truncated, and escaped so that it cannot forge a line of a log.
pub(super) fn quoted(text: &str) -> String {
    let mut shown = String::from("`");
    for c in text.chars().take(SHOWN) {
        match c {
            '`' => shown.push('\''),
            '"' | '\'' | '\\' => shown.push(c),
            other => shown.extend(other.escape_debug()),
        }
    }
    shown.push_str(if text.chars().nth(SHOWN).is_some() { "…`" } else { "`" });
    shown
}

/// A value of the payload, made safe for a message.
pub(super) fn found(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::String(text)) => quoted(text),
        Some(Value::Array(items)) if items.is_empty() => "an empty array".to_owned(),
        Some(Value::Array(_)) => "an array".to_owned(),
        Some(Value::Object(_)) => "an object".to_owned(),
        Some(scalar @ (Value::Null | Value::Bool(_) | Value::Number(_))) => quoted(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payloads_text_is_cut_and_cannot_forge_a_line() {
        assert_eq!(quoted("a\nb\u{1b}[31m`c`"), "`a\\nb\\u{1b}[31m'c'`");
        assert_eq!(quoted("\u{202e}"), "`\\u{202e}`", "text that would run backwards on a terminal");
        let long = quoted(&"é".repeat(61));
        assert_eq!(long, format!("`{}…`", "é".repeat(60)));
    }

    #[test]
    fn a_value_is_named_by_its_kind() {
        let shown = |json: &str| found(Some(&serde_json::from_str(json).unwrap()));
        assert_eq!(found(None), "nothing");
        assert_eq!(shown("null"), "`null`");
        assert_eq!(shown("1.5"), "`1.5`");
        assert_eq!(shown("[]"), "an empty array");
        assert_eq!(shown("[1]"), "an array");
        assert_eq!(shown("{}"), "an object");
    }
}
