//! The place of the policy, and the settings of the host.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error as ThisError;

use crate::environment::variable;
use crate::platform::{PLATFORMS, PolicyStore};
use crate::policy::{self, Mode, Policy};

/// The policy: a path, the TOML itself, or the name of a parameter that holds it, after the prefix of its store.
pub const POLICY: &str = "STEPLADDER_POLICY";
/// The most that this host does, whatever the policy allows: `observe` or `act`.
pub const MODE: &str = "STEPLADDER_MODE";
/// What paired alarms notify: the id of a topic or a function.
pub const ALARM_ACTION: &str = "STEPLADDER_ALARM_ACTION";
/// Whether this host answers one event after the other: `true` or `false`.
pub const ONE_AT_A_TIME: &str = "STEPLADDER_ONE_AT_A_TIME";

/// A parameter that holds a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyParameter {
    store: PolicyStore,
    /// Its name in the store.
    pub name: String,
}

impl PolicyParameter {
    /// The parameter that a text names; `None` where the text begins with the prefix of no store.
    pub fn read(text: &str) -> Option<Self> {
        let mut stores = PLATFORMS.iter().filter_map(|platform| platform.policy_store);
        stores.find_map(|store| {
            let name = text.trim().strip_prefix(store.prefix)?.trim().to_owned();
            Some(Self { store, name })
        })
    }
}

/// As the environment names it.
impl fmt::Display for PolicyParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.store.prefix, self.name)
    }
}

/// Where a policy is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicySource {
    /// Nowhere: the built-in one counts.
    BuiltIn,
    /// Here, as TOML.
    Text(String),
    /// In a file.
    File(PathBuf),
    /// In a parameter of a platform's store.
    Parameter(PolicyParameter),
}

impl PolicySource {
    /// The meaning of a variable's value.
    pub fn read(value: Option<String>) -> Self {
        match value {
            None => Self::BuiltIn,
            // A TOML document has a line break or an assignment; names have neither.
            Some(text) if text.contains(['\n', '=']) => Self::Text(text),
            Some(name) => match PolicyParameter::read(&name) {
                Some(parameter) => Self::Parameter(parameter),
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
        source: io::Error,
    },
    /// The policy cannot be used.
    #[error("policy `{origin}` is not valid: {}", errors.in_one_line())]
    Policy {
        /// Its path, or the variable's name.
        origin: String,
        /// Everything that is wrong with it.
        errors: policy::Errors,
    },
    /// The policy is in a store that this program cannot read.
    #[error(
        "policy `{0}` is in {store}, which is read on {platform} alone: expected a file's path or the TOML itself",
        store = .0.store.name, platform = .0.store.platform
    )]
    Elsewhere(PolicyParameter),
    /// The environment variable that sets whether events are answered one after the other has another value.
    #[error("`{ONE_AT_A_TIME}` is `{0}`: expected `true` or `false`")]
    OneAtATime(String),
    /// The environment names no mode.
    #[error("`{MODE}` is `{0}`: expected `observe` or `act`")]
    Mode(String),
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
        PolicySource::Parameter(parameter) => Err(Error::Elsewhere(parameter)),
    }?;
    with_host(policy)
}

/// The policy that a parameter holds.
pub fn policy_from_parameter(parameter: &PolicyParameter, text: &str) -> Result<Policy, Error> {
    with_host(read_policy(&parameter.to_string(), text)?)
}

/// The policy that a text is; `origin` is where the text comes from, in words.
pub fn policy_from_text(origin: &str, text: &str) -> Result<Policy, Error> {
    with_host(read_policy(origin, text)?)
}

/// The error of reading a file, with what to do about it where its own message does not say.
pub fn with_advice(error: io::Error) -> io::Error {
    let advice = if error.kind() == io::ErrorKind::InvalidData {
        "it is not UTF-8 text: save it as UTF-8"
    } else if error.kind() == io::ErrorKind::IsADirectory {
        "it is a directory: name a file in it"
    } else {
        return error;
    };
    io::Error::new(error.kind(), advice)
}

/// The policy with the host's settings from the environment.
fn with_host(mut policy: Policy) -> Result<Policy, Error> {
    policy.alarm_action = variable(ALARM_ACTION);
    policy.one_at_a_time = one_at_a_time(variable(ONE_AT_A_TIME).as_deref())?;
    Ok(with_mode(policy, mode(variable(MODE).as_deref())?))
}

/// The policy in the more careful of its own mode and the host's.
fn with_mode(policy: Policy, host: Option<Mode>) -> Policy {
    match host {
        Some(Mode::Observe) => policy.observing_by(MODE),
        Some(Mode::Act) | None => policy,
    }
}

/// The mode that a variable's value means; `None` where it is not set, and the policy's own counts alone.
fn mode(value: Option<&str>) -> Result<Option<Mode>, Error> {
    match value.map(str::trim) {
        None => Ok(None),
        Some("observe") => Ok(Some(Mode::Observe)),
        Some("act") => Ok(Some(Mode::Act)),
        Some(unknown) => Err(Error::Mode(unknown.to_owned())),
    }
}

/// What a variable's value means; `None` where it is not set, and the platform's usual host counts.
fn one_at_a_time(value: Option<&str>) -> Result<Option<bool>, Error> {
    let Some(text) = value else { return Ok(None) };
    let known = text.trim().parse().map_err(|_| Error::OneAtATime(text.to_owned()))?;
    Ok(Some(known))
}

fn policy_file(path: &Path) -> Result<Policy, Error> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::Unreadable { path: shown.clone(), source: with_advice(error) })?;
    read_policy(&shown, &text)
}

fn read_policy(origin: &str, text: &str) -> Result<Policy, Error> {
    Policy::parse(text).map_err(|errors| Error::Policy { origin: origin.to_owned(), errors })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_sets_whether_it_answers_one_event_after_the_other() {
        let read = |value| one_at_a_time(value).map_err(|error| error.to_string());
        assert_eq!(read(None), Ok(None));
        assert_eq!(read(Some("true")), Ok(Some(true)));
        assert_eq!(read(Some(" false ")), Ok(Some(false)));
        let expected = "`STEPLADDER_ONE_AT_A_TIME` is `no`: expected `true` or `false`";
        assert_eq!(read(Some("no")), Err(expected.to_owned()));
    }

    #[test]
    fn the_more_careful_mode_counts() {
        const TABLE: &str = "mode = \"observe\"\n[[target]]\ntarget = \"*\"\nmode = \"act\"";
        let target = crate::platform::target_id("endpoint/churn/variant/AllTraffic").unwrap();
        // The variable, the policy, what that means for the target, and what must be set to `act` first.
        let rows = [
            (None, "", Mode::Act, None),
            (None, "mode = \"act\"", Mode::Act, None),
            (None, "mode = \"observe\"", Mode::Observe, Some("the policy's `mode`")),
            (Some("act"), "", Mode::Act, None),
            (Some("act"), "mode = \"act\"", Mode::Act, None),
            (Some("act"), "mode = \"observe\"", Mode::Observe, Some("the policy's `mode`")),
            (Some(" observe "), "", Mode::Observe, Some("`STEPLADDER_MODE`")),
            (Some("observe"), "mode = \"act\"", Mode::Observe, Some("`STEPLADDER_MODE`")),
            (
                Some("observe"),
                "mode = \"observe\"",
                Mode::Observe,
                Some("the policy's `mode` and `STEPLADDER_MODE`"),
            ),
            // A table of the policy may act within its own mode, and never within the host's.
            (None, TABLE, Mode::Act, Some("the policy's `mode`")),
            (Some("observe"), TABLE, Mode::Observe, Some("the policy's `mode` and `STEPLADDER_MODE`")),
        ];
        for (value, text, expected, because) in rows {
            let policy = with_mode(Policy::parse(text).unwrap(), mode(value).unwrap());
            let found = (policy.mode_for(Some(&target)), policy.observes_because_of());
            assert_eq!(found, (expected, because.map(str::to_owned)), "{value:?} {text}");
        }
        for unknown in ["Act", "dry-run", "true"] {
            let error = mode(Some(unknown)).unwrap_err().to_string();
            assert_eq!(error, format!("`STEPLADDER_MODE` is `{unknown}`: expected `observe` or `act`"));
        }
    }

    #[test]
    fn places_are_distinguished() {
        let file = |path: &str| PolicySource::File(PathBuf::from(path));
        let parameter =
            |name: &str| PolicySource::Parameter(PolicyParameter::read(&format!("ssm:{name}")).unwrap());
        let rows = [
            ("policy.toml", file("policy.toml")),
            // a text may hold the prefix of a store
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
