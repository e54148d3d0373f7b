//! The only reader of environment variables.

use std::path::Path;

use thiserror::Error as ThisError;

use crate::policy::{self, Policy};

/// The policy: a path, or the TOML itself.
pub const POLICY: &str = "STEPLADDER_POLICY";
/// What paired alarms notify: a topic's or a function's ARN.
pub const ALARM_ACTION: &str = "STEPLADDER_ALARM_ACTION";

/// Why the configuration cannot be used.
#[derive(Debug, ThisError)]
pub enum Error {
    /// The policy file cannot be read.
    #[error("policy `{path}` cannot be read")]
    Unreadable {
        /// Its path.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The policy cannot be used.
    #[error("policy `{origin}` is not valid")]
    Policy {
        /// Its path, or the variable's name.
        origin: String,
        /// Why.
        #[source]
        source: policy::Error,
    },
}

/// The policy that the environment names, or the built-in one.
pub fn policy_from_env() -> Result<Policy, Error> {
    let mut policy = match variable(POLICY) {
        None => read_policy(POLICY, ""),
        // A TOML document has a line break or an assignment; a path has neither.
        Some(text) if text.contains(['\n', '=']) => read_policy(POLICY, &text),
        Some(path) => policy_file(Path::new(&path)),
    }?;
    policy.alarm_action = variable(ALARM_ACTION);
    Ok(policy)
}

/// The policy in a file.
pub fn policy_from_file(path: &Path) -> Result<Policy, Error> {
    let mut policy = policy_file(path)?;
    policy.alarm_action = variable(ALARM_ACTION);
    Ok(policy)
}

fn policy_file(path: &Path) -> Result<Policy, Error> {
    let shown = path.display().to_string();
    let text =
        std::fs::read_to_string(path).map_err(|source| Error::Unreadable { path: shown.clone(), source })?;
    read_policy(&shown, &text)
}

fn read_policy(origin: &str, text: &str) -> Result<Policy, Error> {
    Policy::parse(text).map_err(|source| Error::Policy { origin: origin.to_owned(), source })
}

/// A variable of the environment; one that is blank counts as not set.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}
