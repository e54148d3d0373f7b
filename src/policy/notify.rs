//! `[[notify]]`: the destinations that learn of a resize, checked.

use serde::Deserialize;

use crate::address::{self, Address};
use crate::document::{Fault, Faults, keyed};
use crate::platform::{Destination, PLATFORMS};

/// One destination, and which outcomes it learns of.
#[derive(Debug, Clone, PartialEq)]
pub struct Notify {
    /// Where to.
    pub to: Destination,
    /// How the message is written.
    pub form: Form,
    /// Which outcomes.
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
    /// The form that Slack's incoming webhooks accept.
    Slack,
}

/// An outcome that a destination can learn of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// A resize was sent.
    Applied,
    /// A resize was decided, and something failed.
    Failed,
}

/// A destination that learns of a resize.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct NotifyText {
    /// A topic's id, or a webhook's address that begins with `https://`.
    to: String,
    /// What a webhook reads.
    #[serde(default)]
    form: Form,
    /// Which outcomes it learns of.
    #[serde(default = "every_occasion")]
    on: Vec<Occasion>,
}

fn every_occasion() -> Vec<Occasion> {
    vec![Occasion::Applied, Occasion::Failed]
}

impl NotifyText {
    /// Checks one entry.
    pub(super) fn checked(self) -> Result<Notify, Faults> {
        let Self { to, form, on } = self;
        let mut faults = Faults::default();
        if on.is_empty() {
            faults.push(Fault::of("on", "`on` is empty: expected `applied`, `failed` or both"));
        }
        let to = faults.note(keyed("to", destination(&to)));
        if form == Form::Slack && to.as_ref().is_some_and(|to| !matches!(to, Destination::Web(_))) {
            let message = "`form = \"slack\"`: expected `cloudevents`, because `to` is a topic";
            faults.push(Fault::of("form", message));
        }
        let Some(to) = to else { return Err(faults) };
        faults.into_result().map(|()| Notify { to, form, on })
    }
}

fn destination(to: &str) -> Result<Destination, String> {
    if let Some(topic) = PLATFORMS.iter().find_map(|platform| (platform.topic)(to)) {
        return topic.map_err(|problem| format!("`to = \"{}\"`: {problem}", address::shown(to)));
    }
    if to.starts_with("https://") || to.starts_with("http://") {
        return Address::checked(to).map(Destination::Web).map_err(|problem| format!("`to`: {problem}"));
    }
    let ids: Vec<&str> = PLATFORMS.iter().map(|platform| platform.topic_id).collect();
    // It may be an address with a typing error. Its path is a secret.
    Err(format!("`to`: expected a topic's {}, or an address that begins with `https://`", ids.join(" or ")))
}
