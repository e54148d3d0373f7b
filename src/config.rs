//! The only reader of environment variables.

use std::path::{Path, PathBuf};

use thiserror::Error as ThisError;

use crate::policy::{self, Policy};

/// The policy: a path, the TOML itself, or `ssm:` and the name of a parameter that holds it.
pub const POLICY: &str = "STEPLADDER_POLICY";
/// What paired alarms notify: a topic's or a function's ARN.
pub const ALARM_ACTION: &str = "STEPLADDER_ALARM_ACTION";

/// How a policy begins that is kept in SSM Parameter Store.
const SSM: &str = "ssm:";

/// Where a policy is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicySource {
    /// Nowhere: the built-in one counts.
    BuiltIn,
    /// Here, as TOML.
    Text(String),
    /// In a file.
    File(PathBuf),
    /// In a parameter of SSM Parameter Store, by its name or ARN.
    Parameter(String),
}

impl PolicySource {
    /// What a variable's value means.
    pub fn read(value: Option<String>) -> Self {
        match value {
            None => Self::BuiltIn,
            // A TOML document has a line break or an assignment; names have neither.
            Some(text) if text.contains(['\n', '=']) => Self::Text(text),
            Some(name) => match name.trim().strip_prefix(SSM) {
                Some(name) => Self::Parameter(name.trim().to_owned()),
                None => Self::File(PathBuf::from(name)),
            },
        }
    }
}

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
    /// The policy is where this cannot look.
    #[error(
        "policy `{SSM}{0}` is in SSM Parameter Store, which is read on AWS alone: expected a file's path or the TOML itself"
    )]
    Elsewhere(String),
}

/// The place that the environment names.
pub fn place() -> PolicySource {
    PolicySource::read(variable(POLICY))
}

/// The policy that the environment names, or the built-in one.
pub fn policy_from_env() -> Result<Policy, Error> {
    let mut policy = match place() {
        PolicySource::BuiltIn => read_policy(POLICY, ""),
        PolicySource::Text(text) => read_policy(POLICY, &text),
        PolicySource::File(path) => policy_file(&path),
        PolicySource::Parameter(name) => Err(Error::Elsewhere(name)),
    }?;
    policy.alarm_action = variable(ALARM_ACTION);
    Ok(policy)
}

/// The policy that a parameter holds.
pub fn policy_from_parameter(name: &str, text: &str) -> Result<Policy, Error> {
    let mut policy = read_policy(&parameter(name), text)?;
    policy.alarm_action = variable(ALARM_ACTION);
    Ok(policy)
}

/// A parameter as the environment names it.
pub fn parameter(name: &str) -> String {
    format!("{SSM}{name}")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_apart() {
        let file = |path: &str| PolicySource::File(PathBuf::from(path));
        let parameter = |name: &str| PolicySource::Parameter(name.to_owned());
        let rows = [
            ("policy.toml", file("policy.toml")),
            // a text may well speak of parameters
            ("mode = \"act\" # ssm:", PolicySource::Text("mode = \"act\" # ssm:".to_owned())),
            ("ssm:/stepladder/policy", parameter("/stepladder/policy")),
            ("ssm: policy ", parameter("policy")),
            (
                "ssm:arn:aws:ssm:us-east-1:000000000000:parameter/policy",
                parameter("arn:aws:ssm:us-east-1:000000000000:parameter/policy"),
            ),
        ];
        for (value, place) in rows {
            assert_eq!(PolicySource::read(Some(value.to_owned())), place, "{value}");
        }
        assert_eq!(PolicySource::read(None), PolicySource::BuiltIn);
    }
}
