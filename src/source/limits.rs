//! The limits of a payload: length, depth, number of records and number of targets.

use serde_json::Value;

use super::{Error, MAX_DEPTH, MAX_RECORDS, MAX_TARGETS};
use crate::source::Event;
use crate::target::TargetId;

/// Refuses more than `limit` of something.
pub(super) fn at_most(what: &'static str, found: usize, limit: usize) -> Result<(), Error> {
    if found > limit { Err(Error::TooLarge { what, limit }) } else { Ok(()) }
}

/// Parses JSON, at any layer, after checking its depth.
pub(super) fn decode(text: &str) -> Result<Value, Error> {
    let text = trimmed(text);
    if text.is_empty() {
        return Err(Error::Empty);
    }
    if depth(text.as_bytes()) > MAX_DEPTH {
        return Err(Error::TooDeep { limit: MAX_DEPTH });
    }
    serde_json::from_str(text).map_err(|error| Error::NotJson { detail: error.to_string() })
}

/// Whether the text in an envelope was meant as JSON. A budget's warning, for example, is not.
pub(super) fn looks_like_json(text: &str) -> bool {
    let text = trimmed(text);
    text.starts_with(['{', '[']) || serde_json::from_str::<Value>(text).is_ok()
}

/// The text without surrounding white space and byte order mark.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c == '\u{feff}' || c.is_whitespace())
}

/// How deep arrays and objects nest, counted without recursion.
fn depth(json: &[u8]) -> usize {
    let (mut now, mut deepest) = (0_usize, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                now += 1;
                deepest = deepest.max(now);
            }
            b']' | b'}' => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Distinct targets in the order of the payload, at most [`MAX_TARGETS`].
#[derive(Debug, Default)]
pub(super) struct Targets(Vec<TargetId>);

impl Targets {
    /// Adds a target, unless it is already in the list.
    pub(super) fn add(&mut self, target: TargetId) -> Result<(), Error> {
        if self.0.contains(&target) {
            return Ok(());
        }
        if self.0.len() == MAX_TARGETS {
            return Err(Error::TooManyTargets { found: MAX_TARGETS + 1, limit: MAX_TARGETS });
        }
        self.0.push(target);
        Ok(())
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The targets.
    pub(super) fn into_vec(self) -> Vec<TargetId> {
        self.0
    }
}

/// Reads the parts of one payload. A part is rejected alone if it cannot be read or exceeds the limit on targets. If no
/// part can be read, the first failure is the error.
pub(super) fn gather<'a>(
    parts: &'a [Value],
    read: impl Fn(&'a Value) -> Result<Event, Error>,
) -> Result<Event, Error> {
    at_most("records", parts.len(), MAX_RECORDS)?;
    let mut all = Event::default();
    // An alarm without a target gets an outcome, too, so it counts as one target.
    let mut targets = 0;
    for part in parts {
        match read(part) {
            Ok(event) => {
                all.tick |= event.tick;
                if let Some(settled) = event.settled {
                    add_settled(all.settled.get_or_insert_default(), settled);
                }
                event.rejected.into_iter().for_each(|error| reject(&mut all, error));
                for alarm in event.alarms {
                    let found = targets + (alarm.targets.len() + alarm.unknown_targets.len()).max(1);
                    if found > MAX_TARGETS {
                        reject(&mut all, Error::TooManyTargets { found, limit: MAX_TARGETS });
                    } else {
                        targets = found;
                        all.alarms.push(alarm);
                    }
                }
            }
            Err(error) => reject(&mut all, error),
        }
    }
    match all.rejected.first() {
        Some(first) if all.alarms.is_empty() && all.settled.is_none() && !all.tick => Err(first.clone()),
        _ => Ok(all),
    }
}

/// Keeps the first settled deployments only, each once.
fn add_settled(all: &mut Vec<TargetId>, settled: Vec<TargetId>) {
    for target in settled {
        if all.len() < MAX_TARGETS && !all.contains(&target) {
            all.push(target);
        }
    }
}

/// Keeps the first failures only: a batch of thousands needs no more to be diagnosed.
fn reject(event: &mut Event, error: Error) {
    if event.rejected.len() < MAX_TARGETS {
        event.rejected.push(error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_strings_only() {
        assert_eq!(depth(br#"{"a": ["[[[[", "\"[[", {}]}"#), 3);
        assert_eq!(depth(b"]]]][["), 2);
        assert_eq!(depth(b"1"), 0);
    }

    #[test]
    fn sixty_four_levels_are_read_and_one_more_is_not() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(decode(&nested(64)).is_ok());
        assert_eq!(decode(&nested(65)), Err(Error::TooDeep { limit: 64 }));
    }

    #[test]
    fn text_is_distinguished_from_json() {
        assert!(looks_like_json(" \u{feff}{\"broken"));
        assert!(looks_like_json("null"));
        assert!(!looks_like_json("Your budget has been exceeded"));
    }
}
