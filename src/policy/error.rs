//! What can be wrong with a policy, told with the line and the nearest known name.

use thiserror::Error as ThisError;

use super::place;
use crate::address::masked;

/// Why a policy cannot be used.
#[derive(Debug, Clone, PartialEq, ThisError)]
pub enum Error {
    /// It is no TOML, or a key or a value is none that exists.
    #[error("line {line}: {problem}")]
    Unreadable {
        /// Counted from 1.
        line: usize,
        /// What was found and what was expected.
        problem: String,
    },
    /// It can be read but makes no sense.
    #[error("{}{place}: {problem}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
    Invalid {
        /// Counted from 1: that of the key where it is written, else that of its table.
        line: Option<usize>,
        /// Which rule or ladder.
        place: String,
        /// What was found and what was expected.
        problem: String,
    },
}

impl Error {
    /// Something at a place that can be read but makes no sense.
    pub(crate) fn invalid(place: String, problem: String) -> Self {
        Self::Invalid { line: None, place, problem }
    }

    /// The same, with the line in the policy's text.
    pub(super) fn located(self, text: &str) -> Self {
        match self {
            Self::Invalid { line: None, place, problem } => {
                Self::Invalid { line: place::line(text, &place, &problem), place, problem }
            }
            known @ (Self::Unreadable { .. } | Self::Invalid { .. }) => known,
        }
    }

    /// Turns the TOML reader's error into one with a line and a suggestion.
    pub fn unreadable(text: &str, error: &toml::de::Error) -> Self {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.get(..start).unwrap_or_default();
        let line = place::line_at(text, start);
        let key = error.span().and_then(|span| place::key_at(text, span.start)).filter(|key| is_plain(key));
        let key = key.as_deref().or_else(|| key_of_value(before));
        // A value at a wrong place may well be a webhook's address.
        let message = in_our_words(&masked(error.message().trim()));
        let named = |message: String| match key {
            Some(key) => format!("`{key}`: {}", with_example(&message, key)),
            None => message,
        };
        let problem = match nearest_known(&message) {
            _ if message.starts_with("duplicate key") => {
                let key = error.span().and_then(|span| text.get(span)).unwrap_or_default();
                format!("`{}` is there twice", masked(key.trim()))
            }
            _ if message == ONE_TABLE => {
                no_list(key.unwrap_or_default(), text.get(start..).unwrap_or_default())
            }
            _ if message.starts_with("invalid float") && is_null(text.get(start..).unwrap_or_default()) => {
                named("there is no `null` in TOML: expected a value, or the key left out".to_owned())
            }
            // What begins like `nan` or `inf` is taken for one of them.
            _ if message.starts_with("invalid float") => {
                named("expected a number, or words in quotation marks".to_owned())
            }
            Some(known) => named(format!("{message}; did you mean `{known}`?")),
            None => named(message),
        };
        Self::Unreadable { line, problem }
    }
}

/// What is told of a table in the place of several.
const ONE_TABLE: &str = "expected a list, found a table";

/// The lists that hold no tables.
const LISTS_OF_STRINGS: [&str; 5] = ["targets", "topics", "accounts", "deployments", "on"];

/// How strings are written that stand for a quantity; whoever writes a number for one sees no other way.
const EXAMPLES: [(&str, &str); 8] = [
    ("headroom", "20%"),
    ("capacity_backoff", "1h"),
    ("up", "0s"),
    ("down", "5m"),
    ("window", "5m"),
    ("repeat", "5m"),
    ("pending", "1m"),
    ("for", "10h"),
];

/// What is expected of a key, with an example where a number is easily taken for it.
fn with_example(message: &str, key: &str) -> String {
    let known = EXAMPLES.iter().find(|(known, _)| *known == key);
    let Some((_, example)) = known else { return message.to_owned() };
    message.replace("expected a string", &format!("expected a string such as `\"{example}\"`"))
}

/// Whether a value is what other formats have for none.
fn is_null(value: &str) -> bool {
    let word = value.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    ["null", "nil", "none"].iter().any(|none| word.eq_ignore_ascii_case(none))
}

/// How a list is written where a table is, by its key and the text that begins with the table: "`[rule]` should be
/// `[[rule]]`".
fn no_list(key: &str, table: &str) -> String {
    if LISTS_OF_STRINGS.contains(&key) {
        return format!("`{key}`: expected a list of strings, as in `{key} = [\"…\"]`, found a table");
    }
    let line = table.lines().next().unwrap_or_default();
    match line.trim().strip_prefix('[').and_then(|rest| rest.split(']').next()) {
        Some(name) => format!("`[{name}]` should be `[[{name}]]`: {ONE_TABLE}"),
        None => format!("one table should be several, as in `[{{ … }}]`: {ONE_TABLE}"),
    }
}

/// What the TOML reader says of a type, without the words of its language.
fn in_our_words(message: &str) -> String {
    let Some(rest) =
        ["invalid type: ", "invalid value: "].iter().find_map(|start| message.strip_prefix(start))
    else {
        return message.replace("wanted string or table", "expected a string");
    };
    let Some((found, expected)) = rest.rsplit_once(", expected ") else { return message.to_owned() };
    let expected = match expected {
        "f32" | "f64" => "a number",
        "i32" | "i64" => "a whole number",
        "u32" if is_too_large(found) => "a whole number up to 4294967295",
        "u32" | "u64" | "usize" => "a whole number, not below 0",
        "a sequence" => "a list",
        other if other.starts_with("struct ") => "a table",
        other => other,
    };
    let found = match found {
        "map" => "a table",
        "sequence" => "a list",
        other => {
            let value = other.strip_prefix("string ").map(|text| format!("`{text}`"));
            let value = value.or_else(|| Some(format!("`{}`", other.split('`').nth(1)?)));
            return format!("expected {expected}, found {}", value.as_deref().unwrap_or(other));
        }
    };
    format!("expected {expected}, found {found}")
}

fn is_too_large(found: &str) -> bool {
    let number =
        found.strip_prefix("integer ").and_then(|number| number.trim_matches('`').parse::<i64>().ok());
    number.is_some_and(|number| number > i64::from(u32::MAX))
}

/// The key whose value begins where the text ends: `step` for `step = `, and `accounts` for `accounts = [`.
fn key_of_value(before: &str) -> Option<&str> {
    let line = before.lines().next_back()?.trim_end();
    let key =
        line.strip_suffix('=').or_else(|| line.rsplit_once('[')?.0.trim_end().strip_suffix('='))?.trim_end();
    key.rsplit(|c: char| !(c.is_alphanumeric() || c == '_')).next().filter(|key| !key.is_empty())
}

/// Whether a key may be one that somebody knows.
fn is_plain(key: &str) -> bool {
    key.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// Jaro-Winkler likeness from 0 to 1: a letter wrong or missing is above it, another word is below.
const ALIKE: f64 = 0.7;

/// The known name most like the unknown one. Both are in the message, in backticks, the unknown one first.
fn nearest_known(message: &str) -> Option<&str> {
    if !message.starts_with("unknown ") {
        return None;
    }
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = names.next()?;
    names
        .map(|known| (strsim::jaro_winkler(&unknown.to_lowercase(), &known.to_lowercase()), known))
        .filter(|(likeness, _)| *likeness > ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}
