//! Makes text from outside safe to print, and numbers short.

use std::fmt::{self, Write as _};

mod secrets;

pub use secrets::of_service;

/// Escapes text for one line of a terminal or a log. The text may come from a payload, so it must not be able to
/// move the cursor, reverse the text direction or forge another line.
pub fn plain(text: &str) -> String {
    let is_harmful = |c: char| {
        let is_bidi_control =
            matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let is_line_break = matches!(c, '\u{2028}' | '\u{2029}');
        c.is_control() || is_bidi_control || is_line_break
    };
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) { escaped.extend(c.escape_debug()) } else { escaped.push(c) }
    }
    escaped
}

/// Escapes each line of a text that stepladder composed, and keeps the line breaks. Apply [`plain`] to foreign text
/// before it goes into a line.
pub fn plain_lines(text: &str) -> String {
    text.split('\n').map(plain).collect::<Vec<_>>().join("\n")
}

/// A number in a sentence: without the last digits that a computation leaves.
///
/// ```
/// use stepladder::text::number;
/// assert_eq!(number(57.499_999_999_999_99).to_string(), "57.5");
/// assert_eq!(format!("{:+}", number(2.0)), "+2");
/// ```
pub fn number(value: f64) -> ShortNumber {
    ShortNumber(value)
}

/// What [`number`] shows.
#[derive(Debug, Clone, Copy)]
pub struct ShortNumber(f64);

/// Below this, four decimals would leave too little of a number; from [`LARGE`] on it has no decimals.
const SMALL: f64 = 1e-3;
const LARGE: f64 = 1e15;

impl fmt::Display for ShortNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value) = *self;
        let size = value.abs();
        if f.sign_plus() && value >= 0.0 {
            f.write_str("+")?;
        }
        if value == 0.0 {
            f.write_str("0")
        } else if size < SMALL {
            let short = format!("{value:.3e}");
            write!(f, "{:e}", short.parse().unwrap_or(value))
        } else if size < LARGE {
            write!(f, "{}", (value * 1e4).round() / 1e4)
        } else if value.is_finite() {
            write!(f, "{value:e}")
        } else {
            write!(f, "{value}")
        }
    }
}

/// An error and all its causes, escaped for one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    plain(&text)
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn a_number_in_a_sentence_is_short() {
        let rows = [
            (55.000_000_000_000_01, "55"),
            (0.720_000_000_000_000_1, "0.72"),
            (57.499_999_999_999_99, "57.5"),
            (1.0 / 3.0, "0.3333"),
            (-1.0 / 3.0, "-0.3333"),
            (0.001, "0.001"),
            // what four decimals would hide keeps four digits
            (0.000_123_456_789, "1.235e-4"),
            (1e-6, "1e-6"),
            (0.0, "0"),
            (-0.0, "0"),
            (80.0, "80"),
            (123_456_789.123_456_79, "123456789.1235"),
            (1e300, "1e300"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "NaN"),
        ];
        for (value, expected) in rows {
            assert_eq!(number(value).to_string(), expected, "{value}");
        }
        for (value, expected) in [(1.0 / 3.0, "+0.3333"), (-2.5, "-2.5"), (0.0, "+0")] {
            assert_eq!(format!("{:+}", number(value)), expected, "{value}");
        }
    }
}
