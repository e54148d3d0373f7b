//! A policy that is kept in the cloud's own store: read at the first invocation, and again as it may have changed.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use thiserror::Error as ThisError;

use super::Log;
use crate::config::{self, PolicyParameter};
use crate::platform::{self, Client};
use crate::policy::Policy;
use crate::text;

/// How long a policy counts before it is looked at again: whoever changes one sees it at the next tick or the one after,
/// and a read a minute is far below what the store allows for nothing.
pub const COUNTS_FOR: SignedDuration = SignedDuration::from_mins(1);

/// Why there is no policy.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[error("{message}")]
pub struct PolicyUnavailable {
    /// What happened, with the parameter's name.
    pub message: String,
    /// Whether the same event may find one when it is delivered again.
    pub retryable: bool,
}

/// A policy that is kept elsewhere, as far as it is known here.
#[derive(Debug)]
pub struct StoredPolicy {
    parameter: PolicyParameter,
    /// As a host takes it.
    good: Option<Arc<Result<Policy, String>>>,
    /// When it was last asked for, with or without success.
    asked: Option<Timestamp>,
}

impl StoredPolicy {
    /// One that is not known yet, in this parameter.
    pub fn new(parameter: PolicyParameter) -> Self {
        Self { parameter, good: None, asked: None }
    }

    /// The policy as it is now. Where it cannot be read anew, or is of no use, the last good one goes on counting, and
    /// each failure is told once; where there is none yet, this fails.
    pub async fn policy(
        &mut self,
        cloud: &dyn Client,
        now: Timestamp,
        log: &mut dyn Log,
    ) -> Result<Arc<Result<Policy, String>>, PolicyUnavailable> {
        if let Some(good) = self.good.as_ref().filter(|_| !is_due(self.asked, now)) {
            return Ok(Arc::clone(good));
        }
        self.asked = Some(now);
        let failed = match read(&self.parameter, cloud).await {
            Ok(policy) => return Ok(Arc::clone(self.good.insert(Arc::new(Ok(policy))))),
            Err(failed) => failed,
        };
        let Some(good) = &self.good else {
            log.error("policy", &failed.message);
            return Err(failed);
        };
        log.untold(&format!("{}; the policy as it was read before goes on counting", failed.message));
        Ok(Arc::clone(good))
    }
}

/// The policy that a parameter holds.
pub async fn read(parameter: &PolicyParameter, cloud: &dyn Client) -> Result<Policy, PolicyUnavailable> {
    let text = cloud.policy_text(&parameter.name).await.map_err(|error| unread(parameter, &error))?;
    config::policy_from_parameter(parameter, &text)
        .map_err(|error| PolicyUnavailable { message: text::chain(&error), retryable: false })
}

fn unread(parameter: &PolicyParameter, error: &platform::Error) -> PolicyUnavailable {
    let hint = error.hint().map_or_else(String::new, |hint| format!("; {hint}"));
    let message = format!("policy `{parameter}` cannot be read: {error}{hint}");
    PolicyUnavailable { message, retryable: error.is_retryable() }
}

/// Whether what was asked for then has to be asked for again. A clock that was put back does not make it wait.
fn is_due(asked: Option<Timestamp>, now: Timestamp) -> bool {
    asked.is_none_or(|asked| now < asked || now.duration_since(asked) >= COUNTS_FOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_counts_for_a_minute() {
        let second = |second| Timestamp::from_second(second).unwrap();
        assert!(is_due(None, second(0)));
        assert!(!is_due(Some(second(100)), second(100)));
        assert!(!is_due(Some(second(100)), second(159)));
        assert!(is_due(Some(second(100)), second(160)));
        assert!(is_due(Some(second(100)), second(99)));
    }
}
