//! Who hears of a resize: the destinations of a policy, checked.

use serde::Deserialize;

use super::Error;
use crate::address::{self, Address};

/// SNS allows 256 characters.
const LONGEST_TOPIC: usize = 256;

/// One destination, and what it hears of.
#[derive(Debug, Clone, PartialEq)]
pub struct Notify {
    /// Where to.
    pub to: Destination,
    /// What of.
    pub on: Vec<Occasion>,
}

/// Where a notice goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Destination {
    /// A topic of OCI Notifications, by its OCID.
    OnsTopic(String),
    /// A topic of SNS, by its ARN.
    SnsTopic(String),
    /// A webhook, and what it reads.
    Webhook(Address, Form),
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
        let destination = destination(&to, form)?;
        if form == Form::Slack && !matches!(destination, Destination::Webhook(..)) {
            return Err("`form = \"slack\"`: expected `cloudevents`, because `to` is a topic".to_owned());
        }
        Ok(Notify { to: destination, on })
    }
}

fn destination(to: &str, form: Form) -> Result<Destination, String> {
    if to.starts_with("ocid1.") {
        return ons_topic(to).map(Destination::OnsTopic);
    }
    if to.starts_with("arn:") {
        return sns_topic(to).map(Destination::SnsTopic);
    }
    if to.starts_with("https://") || to.starts_with("http://") {
        return Address::checked(to)
            .map(|address| Destination::Webhook(address, form))
            .map_err(|problem| format!("`to`: {problem}"));
    }
    let expected = "expected a topic's OCID or ARN, or an address that begins with `https://`";
    // It may be an address with a slip of the pen, whose rest nobody should see.
    Err(format!("`to`: {expected}"))
}

fn ons_topic(to: &str) -> Result<String, String> {
    let parts: Vec<&str> = to.split('.').collect();
    // `ocid1.onstopic.<realm>.<region>.<unique>`; the region may be empty, and more may stand before the last.
    let of_a_topic = parts.get(1) == Some(&"onstopic") && parts.len() >= 5;
    let plain = to.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if of_a_topic && plain && parts.last().is_some_and(|unique| !unique.is_empty()) {
        return Ok(to.to_owned());
    }
    Err(format!("`to = \"{}\"`: expected a topic's OCID, `ocid1.onstopic.…`", address::shown(to)))
}

fn sns_topic(to: &str) -> Result<String, String> {
    let fields: Vec<&str> = to.split(':').collect();
    let [_, partition, service, region, account, name] = fields.as_slice() else {
        return Err(no_sns_topic(to));
    };
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    // A FIFO topic has a dot in its name; it wants a group for each message, and reaches queues alone.
    let named = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let placed = partition.starts_with("aws") && !region.is_empty();
    if placed && *service == "sns" && is_account && named && (1..=LONGEST_TOPIC).contains(&name.len()) {
        return Ok(to.to_owned());
    }
    Err(no_sns_topic(to))
}

fn no_sns_topic(to: &str) -> String {
    let expected = "expected the ARN of a standard SNS topic, `arn:aws:sns:<region>:<account>:<name>`";
    format!("`to = \"{}\"`: {expected}", address::shown(to))
}
