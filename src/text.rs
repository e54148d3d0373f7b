//! Makes text from outside safe to print.

use std::fmt::Write as _;

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
