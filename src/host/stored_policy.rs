//! Reads a policy from the cloud's parameter store, caches it and refreshes it.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use thiserror::Error as ThisError;

use super::panics::{PANIC_MESSAGE, Panicked, caught};
use super::{Log, log_mode};
use crate::config::{self, PolicyParameter};
use crate::platform::{self, Client};
use crate::policy::{Mode, Policy};
use crate::text;

/// How long a policy is cached. A change becomes active at the next tick or the one after, and one read a minute is far
/// below the store's free quota.
pub const REFRESH_INTERVAL: SignedDuration = SignedDuration::from_mins(1);

/// Why there is no policy.
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
#[error("{message}")]
pub struct PolicyUnavailable {
    /// The error, with the parameter's name.
    pub message: String,
    /// Whether a retry of the same event may find a policy.
    pub retryable: bool,
}

/// The cached copy of a policy in the store.
#[derive(Debug)]
pub struct StoredPolicy {
    parameter: PolicyParameter,
    /// Where this host's settings are, in words.
    settings_place: &'static str,
    /// The last valid policy, in the form that [`super::answer`] takes.
    last_valid: Option<Arc<Result<Policy, String>>>,
    /// When the policy was last read, with or without success.
    last_read: Option<Timestamp>,
}

impl StoredPolicy {
    /// The policy in this parameter, not read yet. Log lines name the place of this host's settings.
    pub fn new(parameter: PolicyParameter, settings_place: &'static str) -> Self {
        Self { parameter, settings_place, last_valid: None, last_read: None }
    }

    /// The current policy. If it cannot be read again in the given time or is invalid, the last valid one stays active, and
    /// each failure is logged once. Without a last valid one, this fails.
    pub async fn policy(
        &mut self,
        client: &dyn Client,
        now: Timestamp,
        within: Duration,
        log: &mut dyn Log,
    ) -> Result<Arc<Result<Policy, String>>, PolicyUnavailable> {
        if let Some(policy) = self.last_valid.as_ref().filter(|_| !is_due(self.last_read, now)) {
            return Ok(Arc::clone(policy));
        }
        self.last_read = Some(now);
        let unavailable = match tokio::time::timeout(within, read(&self.parameter, client)).await {
            Ok(Ok(policy)) => {
                if !self.observes() {
                    log_mode(&policy, self.settings_place, log);
                }
                return Ok(Arc::clone(self.last_valid.insert(Arc::new(Ok(policy)))));
            }
            Ok(Err(unavailable)) => unavailable,
            Err(_) => too_late(&self.parameter, within),
        };
        let Some(policy) = &self.last_valid else {
            log.error("policy", &unavailable.message);
            return Err(unavailable);
        };
        log.warn(&format!("{}; the last valid policy stays active", unavailable.message));
        Ok(Arc::clone(policy))
    }

    /// Whether the last valid policy lets no call be sent, which is logged once.
    fn observes(&self) -> bool {
        let last_valid = self.last_valid.as_deref().and_then(|policy| policy.as_ref().ok());
        last_valid.is_some_and(|policy| policy.mode == Mode::Observe)
    }
}

/// Reads and parses the policy in a parameter.
pub async fn read(parameter: &PolicyParameter, client: &dyn Client) -> Result<Policy, PolicyUnavailable> {
    let text = client.policy_text(&parameter.name).await.map_err(|error| read_error(parameter, &error))?;
    // Not even a defect of the reader may discard the last valid policy.
    let parsed = caught(async { config::policy_from_parameter(parameter, &text) }).await;
    let message = match parsed {
        Ok(Ok(policy)) => return Ok(policy),
        Ok(Err(error)) => text::chain(&error),
        Err(Panicked) => format!("policy `{parameter}`: {PANIC_MESSAGE}"),
    };
    Err(PolicyUnavailable { message, retryable: false })
}

fn too_late(parameter: &PolicyParameter, within: Duration) -> PolicyUnavailable {
    let message = format!("policy `{parameter}` cannot be read: no answer within {within:?}");
    PolicyUnavailable { message, retryable: true }
}

fn read_error(parameter: &PolicyParameter, error: &platform::Error) -> PolicyUnavailable {
    let hint = error.hint().map_or_else(String::new, |hint| format!("; {hint}"));
    let message = format!("policy `{parameter}` cannot be read: {error}{hint}");
    PolicyUnavailable { message, retryable: error.is_retryable() }
}

/// Whether a policy from that time must be read again. A clock that was set back must not delay the refresh.
fn is_due(last_read: Option<Timestamp>, now: Timestamp) -> bool {
    last_read.is_none_or(|read| now < read || now.duration_since(read) >= REFRESH_INTERVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_cached_for_a_minute() {
        let second = |second| Timestamp::from_second(second).unwrap();
        assert!(is_due(None, second(0)));
        assert!(!is_due(Some(second(100)), second(100)));
        assert!(!is_due(Some(second(100)), second(159)));
        assert!(is_due(Some(second(100)), second(160)));
        assert!(is_due(Some(second(100)), second(99)));
    }
}
