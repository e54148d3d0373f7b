//! The files of a command: reads them, and names the kind of a file that the command cannot use.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use serde_json::Value;
use stepladder::{config, source, text};

use super::CommandError;

/// Standard input, in place of a file.
const STDIN: &str = "-";

/// A kind of file that some command reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    Event,
    World,
    Policy,
    Cases,
}

/// The keys that only a file of cases has, and those that only a policy has.
const KEYS_OF_CASES: [&str; 1] = ["case"];
const KEYS_OF_POLICIES: [&str; 11] = [
    "mode", "defaults", "rule", "target", "schedule", "ladder", "flex", "notify", "targets", "topics",
    "accounts",
];

impl FileKind {
    /// The kind of a text; `None` where it could be anything else.
    fn of(text: &str) -> Option<Self> {
        if let Ok(json) = serde_json::from_str::<Value>(text) {
            let is_world = json.get("deployments").is_some_and(Value::is_object);
            let is_event = || source::parse(text.as_bytes()).is_ok();
            return if is_world { Some(Self::World) } else { is_event().then_some(Self::Event) };
        }
        let table: toml::Table = toml::from_str(text).ok()?;
        let has_one = |keys: &[&str]| keys.iter().any(|key| table.contains_key(*key));
        match (has_one(&KEYS_OF_CASES), has_one(&KEYS_OF_POLICIES)) {
            (true, false) => Some(Self::Cases),
            (false, true) => Some(Self::Policy),
            (true, true) | (false, false) => None,
        }
    }

    /// What it looks like, and what to do with it.
    fn advice(self, file: &str) -> String {
        match self {
            Self::Event => format!("this looks like an alarm's payload: use `stepladder explain {file}`"),
            Self::World => "this looks like a world file: pass it with `--world`".to_owned(),
            Self::Policy => format!(
                "this looks like a policy: use `stepladder policy check {file}`, or pass it with `--policy`"
            ),
            Self::Cases => {
                format!("this looks like a file of cases: use `stepladder policy test {file}`")
            }
        }
    }
}

/// The advice on a text that is not of the expected kind; `None` where it is, or where nothing tells its kind.
pub(super) fn mistaken(expected: FileKind, path: &Path, text: &str) -> Option<String> {
    let found = FileKind::of(text).filter(|found| *found != expected)?;
    Some(found.advice(&text::plain(&path.display().to_string())))
}

/// A file's name, escaped for one line.
pub(super) fn file_name(path: &Path) -> String {
    text::plain(&raw_name(path))
}

/// A file's name as it is.
pub(super) fn raw_name(path: &Path) -> String {
    if is_stdin(path) { "standard input".to_owned() } else { path.display().to_string() }
}

pub(super) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == STDIN
}

/// Reads a text from a file, or from standard input for `-`.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    let read = if is_stdin(path) { io::read_to_string(io::stdin()) } else { std::fs::read_to_string(path) };
    read.map_err(config::with_advice)
}

/// Reads an event from a file, or from standard input for `-`. One byte more than the limit is enough to reject a larger
/// event.
pub(super) fn read_event(path: &Path) -> Result<Vec<u8>, CommandError> {
    let limit = source::MAX_BYTES as u64 + 1;
    let mut body = Vec::new();
    let read = if is_stdin(path) {
        io::stdin().take(limit).read_to_end(&mut body)
    } else {
        File::open(path).and_then(|file| file.take(limit).read_to_end(&mut body))
    };
    let name = file_name(path);
    read.map_err(config::with_advice).map_err(|error| {
        CommandError::invalid_input("unreadable_file", format!("event `{name}` cannot be read: {error}"))
    })?;
    match source::parse(&body) {
        Err(source::Error::Empty) => {
            let message = format!("event `{name}` is empty: expected the JSON of an alarm");
            Err(CommandError::invalid_input("empty", message))
        }
        Err(error) => {
            match std::str::from_utf8(&body).ok().and_then(|text| mistaken(FileKind::Event, path, text)) {
                Some(advice) => Err(CommandError::invalid_input(
                    error.kind(),
                    format!("`{name}` is not an alarm's payload: {advice}"),
                )),
                None => Ok(body),
            }
        }
        Ok(_) => Ok(body),
    }
}
