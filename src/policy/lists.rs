//! The policy's lists: which deployments may change at all, and whose alarms may cause it.

use wildmatch::WildMatch;

use super::globs::may_meet;
use crate::alarm::Alarm;
use crate::document::{Fault, Faults};
use crate::platform::PLATFORMS;
use crate::target::TargetId;

/// What is listed. A list that is not there leaves nothing out.
#[derive(Debug, Clone)]
pub(super) struct Lists {
    targets: Option<Vec<WildMatch>>,
    topics: Option<Vec<WildMatch>>,
    accounts: Option<Vec<String>>,
}

impl Lists {
    /// Checks the lists of a file.
    pub(super) fn checked(
        targets: Option<Vec<String>>,
        topics: Option<Vec<String>>,
        accounts: Option<Vec<String>>,
    ) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let targets = faults.note_all(globs("targets", targets, "expected a glob on targets"));
        let topics = faults.note_all(globs("topics", topics, "expected a glob on the ids of topics"));
        let formats: Vec<_> = PLATFORMS.iter().filter_map(|platform| platform.account).collect();
        for (i, account) in accounts.iter().flatten().enumerate() {
            if formats.iter().any(|format| (format.is)(account)) {
                continue;
            }
            let expected: Vec<&str> = formats.iter().map(|format| format.expected).collect();
            let problem = format!("`{account}` is not an account: expected {}", expected.join(" or "));
            faults.push(in_list("accounts", i, &problem));
        }
        let (Some(targets), Some(topics)) = (targets, topics) else { return Err(faults) };
        faults.into_result().map(|()| Self { targets, topics, accounts })
    }

    /// The globs on targets.
    pub(super) fn targets(&self) -> &[WildMatch] {
        self.targets.as_deref().unwrap_or_default()
    }

    /// The globs on topics.
    pub(super) fn topics(&self) -> &[WildMatch] {
        self.topics.as_deref().unwrap_or_default()
    }

    /// Whether the target is listed.
    pub(super) fn hold_target(&self, target: &TargetId) -> bool {
        self.targets.as_ref().is_none_or(|globs| matches_any(globs, target.as_str()))
    }

    /// Whether a target that a glob matches may be listed.
    pub(super) fn may_hold(&self, glob: &str) -> bool {
        self.targets.as_ref().is_none_or(|listed| listed.iter().any(|own| may_meet(&own.to_string(), glob)))
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

fn globs(
    key: &'static str,
    globs: Option<Vec<String>>,
    expected: &str,
) -> Result<Option<Vec<WildMatch>>, Faults> {
    let mut faults = Faults::default();
    for (i, glob) in globs.iter().flatten().enumerate() {
        if glob.trim().is_empty() {
            faults.push(in_list(key, i, &format!("it is empty: {expected}")));
        }
    }
    faults.into_result()?;
    Ok(globs.map(|globs| globs.iter().map(|glob| WildMatch::new(glob)).collect()))
}

fn in_list(key: &'static str, index: usize, problem: &str) -> Fault {
    Fault::whole(format!("`{key}` {}: {problem}", index + 1)).nth(index).within(key)
}

fn matches_any(globs: &[WildMatch], text: &str) -> bool {
    globs.iter().any(|glob| glob.matches(text))
}
