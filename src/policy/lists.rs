//! The policy's lists: which deployments may be touched at all, and whose alarms may ask for it.

use wildmatch::WildMatch;

use super::Error;
use crate::alarm::Alarm;
use crate::target::TargetId;

/// What is listed. A list that is not there leaves nothing out.
#[derive(Debug, Clone)]
pub(super) struct Lists {
    targets: Option<Vec<WildMatch>>,
    topics: Option<Vec<WildMatch>>,
    accounts: Option<Vec<String>>,
}

impl Lists {
    /// Checks what is written.
    pub(super) fn checked(
        targets: Option<Vec<String>>,
        topics: Option<Vec<String>>,
        accounts: Option<Vec<String>>,
    ) -> Result<Self, Error> {
        let targets = globs("targets", targets, "expected a glob on targets")?;
        let topics = globs("topics", topics, "expected a glob on the ARNs of topics")?;
        let is_account = |text: &String| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        if let Some((i, other)) = first(accounts.as_deref(), |account| !is_account(account)) {
            let problem = format!("`{other}` is no account: expected 12 digits");
            return Err(Error::invalid(format!("`accounts` {}", i + 1), problem));
        }
        Ok(Self { targets, topics, accounts })
    }

    /// Whether the target is listed.
    pub(super) fn hold_target(&self, target: &TargetId) -> bool {
        self.targets.as_ref().is_none_or(|globs| matches_any(globs, target.as_str()))
    }

    /// The first list that leaves out an alarm about a target, and what is not on it.
    pub(super) fn leaving_out<'a>(
        &self,
        alarm: &'a Alarm,
        target: &'a TargetId,
    ) -> Option<(&'static str, &'a str)> {
        if !self.hold_target(target) {
            return Some(("targets", target.as_str()));
        }
        // What came through no topic, and what is of no account, is subject to neither list.
        let unlisted = |topic: &&str| self.topics.as_ref().is_some_and(|globs| !matches_any(globs, topic));
        if let Some(topic) = alarm.topic.as_deref().filter(unlisted) {
            return Some(("topics", topic));
        }
        let unlisted =
            |account: &&str| self.accounts.as_ref().is_some_and(|all| !all.iter().any(|one| one == account));
        alarm.account.as_deref().filter(unlisted).map(|account| ("accounts", account))
    }
}

fn globs(key: &str, globs: Option<Vec<String>>, expected: &str) -> Result<Option<Vec<WildMatch>>, Error> {
    if let Some((i, _)) = first(globs.as_deref(), |glob| glob.trim().is_empty()) {
        return Err(Error::invalid(format!("`{key}` {}", i + 1), format!("it is empty: {expected}")));
    }
    Ok(globs.map(|globs| globs.iter().map(|glob| WildMatch::new(glob)).collect()))
}

/// The first of them that is so, and its place.
fn first(listed: Option<&[String]>, is: impl Fn(&String) -> bool) -> Option<(usize, &String)> {
    listed?.iter().enumerate().find(|(_, one)| is(one))
}

fn matches_any(globs: &[WildMatch], text: &str) -> bool {
    globs.iter().any(|glob| glob.matches(text))
}
