//! What the TOML reader finds wrong, in the words of a policy's author.

/// Jaro-Winkler likeness from 0 to 1: one wrong or missing letter is above it, another word is below.
const ALIKE: f64 = 0.7;

/// Quantities that are written as strings. A number in their place needs an example.
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

/// A syntax error: the TOML parser's message, the key that it is about, and what to do.
pub(super) fn of_syntax(text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let key = key_of_value(text.get(..start).unwrap_or_default());
    let rest = text.get(start..).unwrap_or_default();
    let message = error.message().trim();
    if message.starts_with("duplicate key") {
        let key = error.span().and_then(|span| text.get(span)).unwrap_or_default();
        return format!("`{}` is there twice", key.trim());
    }
    let message = match message.starts_with("invalid float") {
        true if is_null(rest) => {
            "there is no `null` in TOML: expected a value, or the key left out".to_owned()
        }
        // The parser takes what begins like `nan` or `inf` for one of them.
        true => "expected a number, or words in quotation marks".to_owned(),
        false => message.to_owned(),
    };
    about(key, &message)
}

/// A message about the value of a key. A key with other characters than a known one has is not repeated.
pub(super) fn about(key: Option<&str>, message: &str) -> String {
    match key.filter(|key| key.chars().all(|c| c.is_alphanumeric() || c == '_')) {
        Some(key) => format!("`{key}`: {message}"),
        None => message.to_owned(),
    }
}

/// The example of a key whose quantity is a string.
pub(super) fn example(key: &str) -> Option<&'static str> {
    EXAMPLES.iter().find(|(known, _)| *known == key).map(|(_, example)| *example)
}

/// An unknown name, what is known, and the nearest of that.
pub(super) fn unknown(what: &str, found: &str, known: &[&str]) -> String {
    let quoted: Vec<String> = known.iter().map(|known| format!("`{known}`")).collect();
    let expected = match quoted.as_slice() {
        [] => format!("there are no {what}s"),
        [one] => format!("expected {one}"),
        [one, other] => format!("expected {one} or {other}"),
        several => format!("expected one of {}", several.join(", ")),
    };
    format!("unknown {what} `{found}`, {expected}{}", did_you_mean(found, known, ALIKE))
}

/// Whether an unknown name may be a known one with a typing error.
pub(super) fn is_like(found: &str, known: &str) -> bool {
    likeness(found, known) > ALIKE
}

fn likeness(found: &str, known: &str) -> f64 {
    strsim::jaro_winkler(&found.to_lowercase(), &known.to_lowercase())
}

/// The end of a message about an unknown name: the known one that is spelled most like it, if any is so much alike.
pub fn did_you_mean<T: AsRef<str>>(found: &str, known: &[T], alike: f64) -> String {
    let rated = known.iter().map(|known| (likeness(found, known.as_ref()), known.as_ref()));
    let best = rated.filter(|(likeness, _)| *likeness > alike).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map_or_else(String::new, |(_, known)| format!("; did you mean `{known}`?"))
}

/// Whether a value is another format's word for no value.
fn is_null(value: &str) -> bool {
    let word = value.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    ["null", "nil", "none"].iter().any(|none| word.eq_ignore_ascii_case(none))
}

/// The key whose value begins where the text ends: `step` for `step = `, and `accounts` for `accounts = [`.
fn key_of_value(before: &str) -> Option<&str> {
    let line = before.lines().next_back()?.trim_end();
    let key =
        line.strip_suffix('=').or_else(|| line.rsplit_once('[')?.0.trim_end().strip_suffix('='))?.trim_end();
    key.rsplit(|c: char| !(c.is_alphanumeric() || c == '_')).next().filter(|key| !key.is_empty())
}
