//! Readers of single fields. They are lenient, because no two versions of a payload agree on types.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Error;
use super::error::found;

/// The first of the named fields that is a text and not empty.
pub(super) fn text<'a>(object: &'a Value, names: &[&str]) -> Option<&'a str> {
    names.iter().filter_map(|name| object.get(name)?.as_str()).map(str::trim).find(|text| !text.is_empty())
}

/// A text that the shape requires.
pub(super) fn required<'a>(
    shape: &'static str,
    object: &'a Value,
    name: &'static str,
    expected: &'static str,
) -> Result<&'a str, Error> {
    text(object, &[name]).ok_or_else(|| malformed(shape, name, expected, object.get(name)))
}

/// The error for a field that holds an unexpected value.
pub(super) fn malformed(
    shape: &'static str,
    field: &'static str,
    expected: &'static str,
    value: Option<&Value>,
) -> Error {
    Error::MalformedAlarm { shape, field, expected, found: found(value) }
}

/// A finite number, which may be written as a string.
pub(super) fn number(value: &Value) -> Option<f64> {
    let number = match value.as_str() {
        Some(text) => text.trim().parse().ok()?,
        None => value.as_f64()?,
    };
    number.is_finite().then_some(number)
}

/// A whole number that is not negative, which may be written as a string.
pub(super) fn whole(value: &Value) -> Option<u32> {
    match value.as_str() {
        Some(text) => text.trim().parse().ok(),
        None => value.as_u64().and_then(|number| u32::try_from(number).ok()),
    }
}

/// A duration of this many seconds; `None` unless it is positive.
pub(super) fn seconds(seconds: f64) -> Option<SignedDuration> {
    SignedDuration::try_from_secs_f64(seconds).ok().filter(SignedDuration::is_positive)
}

/// A timestamp as any of the clouds writes it: RFC 3339, `+0000` without a colon, or with extra spaces. Never an error:
/// an alarm without a time is still an alarm.
pub(super) fn moment(value: Option<&Value>) -> Option<Timestamp> {
    let text = value?.as_str()?;
    // A genuine test message of OCI has `22: 45: 00Z`. A date and a time with a space between them have no `T`.
    let joined: String = if text.contains(['T', 't']) {
        text.chars().filter(|c| !c.is_whitespace()).collect()
    } else {
        text.trim().to_owned()
    };
    joined.parse().ok()
}

/// A timestamp in milliseconds since 1970, which may be written as a string.
pub(super) fn moment_in_millis(value: Option<&Value>) -> Option<Timestamp> {
    let value = value?;
    let whole = value.as_i64().or_else(|| value.as_str()?.trim().parse().ok());
    match whole {
        Some(millis) => Timestamp::from_millisecond(millis).ok(),
        None => Timestamp::from_duration(seconds(number(value)? / 1000.0)?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Option<String> {
        moment(Some(&json!(text))).map(|at| at.to_string())
    }

    #[test]
    fn moments_are_read_in_every_spelling() {
        let at = Some("2026-03-02T09:45:00Z".to_owned());
        assert_eq!(read("2026-03-02T09:45:00Z"), at);
        assert_eq!(read("2026-03-02T09:45:00.000+0000"), at);
        assert_eq!(read("2026-03-02T11:45:00+02:00"), at);
        assert_eq!(read("2026-03-02T09: 45: 00Z"), at);
        assert_eq!(read(" 2026-03-02 09:45:00Z "), at);
        assert_eq!(moment_in_millis(Some(&json!(1_772_444_700_000_i64))).map(|at| at.to_string()), at);
        assert_eq!(moment_in_millis(Some(&json!("1772444700000"))).map(|at| at.to_string()), at);
        assert_eq!(moment_in_millis(Some(&json!(1_772_444_700_000.0))).map(|at| at.to_string()), at);
    }

    #[test]
    fn an_unreadable_moment_is_none() {
        for text in
            ["", "soon", "T", "2026-03-02T09:45:00", "2026-13-45T99:99:99Z", "9999999999-01-01T00:00:00Z"]
        {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(moment_in_millis(Some(&json!(i64::MAX))), None);
        assert_eq!(moment_in_millis(Some(&json!(1e300))), None);
        assert_eq!(moment_in_millis(Some(&json!("soon"))), None);
    }

    #[test]
    fn numbers_are_finite() {
        assert_eq!(number(&json!(" 92.5 ")), Some(92.5));
        assert_eq!(number(&json!(92)), Some(92.0));
        for json in [json!("NaN"), json!("inf"), json!(""), json!(null), json!(true), json!([1])] {
            assert_eq!(number(&json), None, "{json}");
        }
    }
}
