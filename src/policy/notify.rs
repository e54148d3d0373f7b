//! `[[notify]]`: the destinations that are notified of resizes and holds, checked.

use serde::Deserialize;

use crate::address::{self, Address};
use crate::document::{Fault, Faults, keyed};
use crate::platform::{Destination, PLATFORMS};

/// One destination, and which outcomes it is notified of.
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

/// Makes the enum of what a destination can be notified of, with the word of each in a policy.
macro_rules! occasions {
    ($($occasion:ident => $word:literal,)*) => {
        /// An occasion for a notice: how a resize ended, or why an alarm changes nothing.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[expect(missing_docs, reason = "the words of the policy and the reasons of holds, which the documentation explains")]
        pub enum Occasion {
            $(#[serde(rename = $word)] $occasion,)*
        }

        impl Occasion {
            /// Every occasion.
            pub const ALL: &[Self] = &[$(Self::$occasion),*];

            /// As the policy spells it: the reason of a hold has its own name.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$occasion => $word,)*
                }
            }
        }
    };
}

occasions! {
    Applied => "applied",
    Failed => "failed",
    Held => "held",
    NotFiring => "not_firing",
    Muted => "muted",
    UnknownTarget => "unknown_target",
    NotAllowed => "not_allowed",
    NoRule => "no_rule",
    NotObserved => "not_observed",
    TargetGone => "target_gone",
    Busy => "busy",
    Stale => "stale",
    NotResizable => "not_resizable",
    OwnedElsewhere => "owned_elsewhere",
    UnreadableTag => "unreadable_tag",
    NoData => "no_data",
    OnTarget => "on_target",
    Superseded => "superseded",
    CoolingDown => "cooling_down",
    TooManyChanges => "too_many_changes",
    WouldFlap => "would_flap",
    OverBudget => "over_budget",
    Paused => "paused",
    Infeasible => "infeasible",
    AtCeiling => "at_ceiling",
    AtFloor => "at_floor",
    UnlistedShape => "unlisted_shape",
    PairTaken => "pair_taken",
    NoPairAction => "no_pair_action",
    PairCannotFire => "pair_cannot_fire",
}

/// The reasons that `held` leaves out: an alarm that requests nothing, and one that another of its event supersedes.
const NOT_NOTIFIED: [Occasion; 2] = [Occasion::NotFiring, Occasion::Superseded];

impl Notify {
    /// Whether it is notified of a resize that ended so.
    pub fn learns_of(&self, occasion: Occasion) -> bool {
        self.on.contains(&occasion)
    }

    /// Whether it is notified of a hold for this reason.
    pub fn learns_of_hold(&self, reason: &str) -> bool {
        let in_general = !NOT_NOTIFIED.iter().any(|occasion| occasion.word() == reason);
        self.on
            .iter()
            .any(|occasion| occasion.word() == reason || (in_general && *occasion == Occasion::Held))
    }
}

/// A destination that is notified of resizes and holds.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct NotifyText {
    /// A topic's id, or a webhook's address that begins with `https://`.
    to: String,
    /// The form of the notice (default: `cloudevents`).
    #[serde(default)]
    form: Form,
    /// What it is notified of: `applied` and `failed` resizes (default: both), every hold (`held`), or holds for single
    /// reasons.
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
            faults.push(Fault::of("on", "`on` is empty: expected `applied`, `failed`, `held`, or reasons of holds such as `at_ceiling`"));
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
