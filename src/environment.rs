//! The only reader of environment variables.

/// An environment variable. A blank variable counts as not set. One that is not UTF-8 is set: its reader refuses what the
/// replacement characters make of it.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?.to_string_lossy().into_owned();
    Some(value).filter(|value| !value.trim().is_empty())
}
