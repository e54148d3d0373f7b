//! Who hears of a resize: the destinations of a policy, checked.

use serde::Deserialize;

use super::Error;
use crate::address::{self, Address};
use crate::platform::{Destination, PLATFORMS};

/// One destination, and what it hears of.
#[derive(Debug, Clone, PartialEq)]
pub struct Notify {
    /// Where to.
    pub to: Destination,
    /// How the message is written.
    pub form: Form,
    /// What of.
    pub on: Vec<Occasion>,
}

/// How a notice is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A `CloudEvents` envelope around the decision record.
    #[default]
    Cloudevents,
    /// What Slack's incoming webhooks take.
    Slack,
}

/// What a destination can hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// A resize was sent.
    Applied,
    /// A resize was decided, and something failed.
    Failed,
}

/// Who hears of a resize, and of which.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct NotifyText {
    /// A topic's OCID or ARN, or a webhook's address that begins with `https://`.
    to: String,
    /// What a webhook reads.
    #[serde(default)]
    form: Form,
    /// What it hears of.
    #[serde(default = "every_occasion")]
    on: Vec<Occasion>,
}

fn every_occasion() -> Vec<Occasion> {
    vec![Occasion::Applied, Occasion::Failed]
}

/// Checks every entry.
pub(super) fn checked(entries: Vec<NotifyText>) -> Result<Vec<Notify>, Error> {
    let check = |(i, entry): (usize, NotifyText)| {
        entry.checked().map_err(|problem| Error::invalid(format!("notify {}", i + 1), problem))
    };
    entries.into_iter().enumerate().map(check).collect()
}

impl NotifyText {
    fn checked(self) -> Result<Notify, String> {
        let Self { to, form, on } = self;
        if on.is_empty() {
            return Err("`on` is empty: expected `applied`, `failed` or both".to_owned());
        }
        let to = destination(&to)?;
        if form == Form::Slack && !matches!(to, Destination::Web(_)) {
            return Err("`form = \"slack\"`: expected `cloudevents`, because `to` is a topic".to_owned());
        }
        Ok(Notify { to, form, on })
    }
}

fn destination(to: &str) -> Result<Destination, String> {
    if let Some(topic) = PLATFORMS.iter().find_map(|platform| (platform.topic)(to)) {
        return topic.map_err(|problem| format!("`to = \"{}\"`: {problem}", address::shown(to)));
    }
    if to.starts_with("https://") || to.starts_with("http://") {
        return Address::checked(to).map(Destination::Web).map_err(|problem| format!("`to`: {problem}"));
    }
    let expected = "expected a topic's OCID or ARN, or an address that begins with `https://`";
    // It may be an address with a slip of the pen, whose rest nobody should see.
    Err(format!("`to`: {expected}"))
}
