//! Where the policy is, and what the host says besides.

use std::path::{Path, PathBuf};

use thiserror::Error as ThisError;

use crate::environment::variable;
use crate::policy::{self, Policy};

/// The policy: a path, the TOML itself, or `ssm:` and the name of a parameter that holds it.
pub const POLICY: &str = "STEPLADDER_POLICY";
/// What paired alarms notify: a topic's or a function's ARN.
pub const ALARM_ACTION: &str = "STEPLADDER_ALARM_ACTION";
/// Whether this host answers one event after the other: `true` or `false`.
pub const ONE_AT_A_TIME: &str = "STEPLADDER_ONE_AT_A_TIME";

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
    /// The environment does not say whether events are answered one after the other.
    #[error("`{ONE_AT_A_TIME}` is `{0}`: expected `true` or `false`")]
    OneAtATime(String),
}

/// The place that the environment names.
pub fn place() -> PolicySource {
    PolicySource::read(variable(POLICY))
}

/// The policy that the environment names, or the built-in one.
pub fn policy_from_env() -> Result<Policy, Error> {
    let policy = match place() {
        PolicySource::BuiltIn => read_policy(POLICY, ""),
        PolicySource::Text(text) => read_policy(POLICY, &text),
        PolicySource::File(path) => policy_file(&path),
        PolicySource::Parameter(name) => Err(Error::Elsewhere(name)),
    }?;
    with_host(policy)
}

/// The policy that a parameter holds.
pub fn policy_from_parameter(name: &str, text: &str) -> Result<Policy, Error> {
    with_host(read_policy(&parameter(name), text)?)
}

/// A parameter as the environment names it.
pub fn parameter(name: &str) -> String {
    format!("{SSM}{name}")
}

/// The policy in a file.
pub fn policy_from_file(path: &Path) -> Result<Policy, Error> {
    with_host(policy_file(path)?)
}

/// The policy with what the environment says of this host.
fn with_host(mut policy: Policy) -> Result<Policy, Error> {
    policy.alarm_action = variable(ALARM_ACTION);
    policy.one_at_a_time = one_at_a_time(variable(ONE_AT_A_TIME).as_deref())?;
    Ok(policy)
}

/// What a variable's value means; `None` where it is not set, and the platform's usual host counts.
fn one_at_a_time(value: Option<&str>) -> Result<Option<bool>, Error> {
    let Some(text) = value else { return Ok(None) };
    let known = text.trim().parse().map_err(|_| Error::OneAtATime(text.to_owned()))?;
    Ok(Some(known))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_says_whether_it_answers_one_event_after_the_other() {
        let read = |value| one_at_a_time(value).map_err(|error| error.to_string());
        assert_eq!(read(None), Ok(None));
        assert_eq!(read(Some("true")), Ok(Some(true)));
        assert_eq!(read(Some(" false ")), Ok(Some(false)));
        let expected = "`STEPLADDER_ONE_AT_A_TIME` is `no`: expected `true` or `false`";
        assert_eq!(read(Some("no")), Err(expected.to_owned()));
    }

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
