//! Text that comes from elsewhere, as it may be shown.

use std::fmt::Write as _;

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
