//! Alarms of OCI Monitoring: their whole definition, and its comparison.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::{Deserialize, Serialize};

use crate::platform::ApiWord;

/// The definition of an alarm: all that `CreateAlarm` and `UpdateAlarm` set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OciAlarm {
    /// `displayName`. Not unique: its tags identify stepladder's own alarms.
    pub name: String,
    /// `compartmentId`: the compartment of the alarm.
    pub compartment: String,
    /// `metricCompartmentId`: the compartment of the measured resource.
    pub metric_compartment: String,
    /// The metric's namespace.
    pub namespace: ApiWord,
    /// The MQL query with its threshold.
    pub query: String,
    /// `CRITICAL`, `ERROR`, `WARNING` or `INFO`.
    pub severity: ApiWord,
    /// Topic OCIDs.
    pub destinations: Vec<String>,
    /// `repeatNotificationDuration`, ISO 8601.
    pub repeat: Option<String>,
    /// `pendingDuration`, ISO 8601: how long the condition must hold before it fires.
    #[serde(default)]
    pub pending: Option<ApiWord>,
    /// `isEnabled`.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// `body`: the text for the readers of a message.
    pub body: Option<String>,
    /// `freeformTags`: carry the marker that makes the alarm ours.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

impl OciAlarm {
    /// Whether two definitions are equivalent. Durations are compared by length, because the service may rewrite them.
    pub fn is_equivalent(&self, other: &Self) -> bool {
        self.clone().spelled_like(other) == *other
    }

    /// The same alarm, with each duration spelled like the other's if both are equally long.
    #[must_use]
    pub fn spelled_like(mut self, other: &Self) -> Self {
        if as_long(self.repeat.as_deref(), other.repeat.as_deref()) {
            self.repeat.clone_from(&other.repeat);
        }
        if as_long(self.pending.as_deref(), other.pending.as_deref()) {
            self.pending.clone_from(&other.pending);
        }
        self
    }
}

/// The length of an ISO 8601 duration; `P1D` is 24 hours.
fn length(duration: Option<&str>) -> Option<SignedDuration> {
    let span: Span = duration?.parse().ok()?;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()
}

fn as_long(one: Option<&str>, other: Option<&str>) -> bool {
    length(one).is_some_and(|long| length(other) == Some(long))
}

impl fmt::Display for OciAlarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.name, self.query)
    }
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeating(repeat: Option<&str>) -> OciAlarm {
        OciAlarm {
            name: "busy".to_owned(),
            compartment: String::new(),
            metric_compartment: String::new(),
            namespace: ApiWord::default(),
            query: String::new(),
            severity: ApiWord::default(),
            destinations: Vec::new(),
            repeat: repeat.map(str::to_owned),
            pending: Some("PT1M".into()),
            enabled: true,
            body: None,
            tags: BTreeMap::new(),
        }
    }

    #[test]
    fn durations_count_by_their_length() {
        let rows = [
            // as it was written
            (Some("PT5M"), Some("PT5M"), true),
            // as a service may write it
            (Some("PT60M"), Some("PT1H"), true),
            (Some("PT1440M"), Some("P1D"), true),
            (Some("PT5M"), Some("PT300S"), true),
            // another length
            (Some("PT5M"), Some("PT5H"), false),
            // without a duration it never repeats
            (Some("PT5M"), None, false),
            (None, None, true),
            // an invalid duration only equals itself
            (Some("soon"), Some("soon"), true),
            (Some("soon"), Some("later"), false),
        ];
        for (one, other, same) in rows {
            let (one, other) = (repeating(one), repeating(other));
            assert_eq!(one.is_equivalent(&other), same, "{:?} and {:?}", one.repeat, other.repeat);
            assert_eq!(other.is_equivalent(&one), same, "{:?} and {:?}", other.repeat, one.repeat);
        }
        let severe = OciAlarm { severity: "ERROR".into(), ..repeating(None) };
        assert!(!severe.is_equivalent(&repeating(None)));
    }
}
