//! `stepladder policy`: checks and tests a policy, explains it for one target, and prints its schema.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use stepladder::policy::{Mode, Policy, SCHEMA};
use stepladder::text::plain;
use stepladder::{config, environment};

use super::input::raw_name;
use super::{CommandError, CommandOutput, Format, PolicyOption, terminal};

mod explain;
mod test;

/// Check or test a policy, explain it for one target, or print its schema
#[derive(Debug, Args)]
pub(super) struct PolicyCommand {
    #[command(subcommand)]
    subcommand: PolicySubcommand,
}

#[derive(Debug, Subcommand)]
enum PolicySubcommand {
    Check(CheckOptions),
    Explain(explain::PolicyExplainOptions),
    Test(test::PolicyTestOptions),
    /// Print the JSON Schema of policy files, with which an editor completes and explains keys
    #[command(
        after_help = "An editor with a language server for TOML, such as taplo or Even Better TOML, finds it by the \
first line of a policy: `#:schema ./policy.schema.json`

Examples:
  stepladder policy schema > policy.schema.json"
    )]
    Schema,
}

/// Check whether a policy is valid, and warn of what works but surprises
#[derive(Debug, Args)]
#[command(
    after_help = "Warnings go to standard error. They name rules that never apply or never remove what they add, pairs that \
cannot fire and globs that match nothing. They also name fractions in place of percentages, values in place of \
distances, alarms whose statistic steps cannot use, and scheduled minimums that nothing reaches in time.

Exit codes: 0 valid; 2 invalid, or a warning with --deny warnings.

Examples:
  stepladder policy check
  stepladder policy check stepladder.toml
  stepladder policy check stepladder.toml --deny warnings
  stepladder policy check stepladder.toml --format json"
)]
struct CheckOptions {
    /// The policy file, or `-` for standard input [default: the one that `STEPLADDER_POLICY` names, else the built-in rules]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Exit with code 2 where there are warnings
    #[arg(long, value_enum, value_name = "KIND")]
    deny: Option<Denied>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What `--deny` turns into an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Denied {
    /// Every warning
    Warnings,
}

impl PolicyCommand {
    pub(super) fn format(&self) -> Format {
        match &self.subcommand {
            PolicySubcommand::Check(options) => options.format,
            PolicySubcommand::Explain(options) => options.format,
            PolicySubcommand::Test(options) => options.format,
            PolicySubcommand::Schema => Format::Json,
        }
    }

    pub(super) fn run(self) -> Result<CommandOutput, CommandError> {
        match self.subcommand {
            PolicySubcommand::Check(options) => options.run(),
            PolicySubcommand::Explain(options) => options.run(),
            PolicySubcommand::Test(options) => options.run(),
            PolicySubcommand::Schema => Ok(CommandOutput::success(SCHEMA.to_owned())),
        }
    }
}

impl CheckOptions {
    fn run(self) -> Result<CommandOutput, CommandError> {
        let source = match &self.file {
            Some(file) => Some(raw_name(file)),
            None => environment::variable(config::POLICY).map(|_| config::POLICY.to_owned()),
        };
        let policy = PolicyOption { policy: self.file }.load()?;
        let warnings = policy.warnings();
        let is_denied = self.deny.is_some() && !warnings.is_empty();
        let text = match self.format {
            Format::Json => {
                let (_, built_in) = policy.rule_counts();
                let own: serde_json::Map<_, _> =
                    policy.counts().into_iter().map(|(key, count)| (key.to_owned(), json!(count))).collect();
                let value = json!({ "valid": true, "policy": source, "mode": policy.mode.to_string(), "own": own,
                                    "built_in_rules": built_in, "warnings": warnings });
                format!("{value:#}\n")
            }
            Format::Text => {
                for warning in &warnings {
                    terminal::warning(&plain(warning));
                }
                let name = source.map_or_else(
                    || "The built-in policy".to_owned(),
                    |source| format!("`{}`", plain(&source)),
                );
                if is_denied {
                    let count = warnings.len();
                    let warnings = if count == 1 { "warning" } else { "warnings" };
                    terminal::error(&format!(
                        "{name} has {count} {warnings}, which `--deny warnings` rejects"
                    ));
                    String::new()
                } else {
                    format!("{name} is valid: {}\n", summary(&policy))
                }
            }
        };
        Ok(CommandOutput { text, exit_code: if is_denied { 2 } else { 0 } })
    }
}

fn summary(policy: &Policy) -> String {
    let sends = sends(policy);
    let (own, built_in) = policy.rule_counts();
    let rules = if own == 1 { "rule" } else { "rules" };
    let other_keys = policy.counts().into_iter().filter(|(key, _)| *key != "rule");
    let counts: Vec<String> = other_keys.map(|(key, count)| format!("{count} `[[{key}]]`")).collect();
    let others = if counts.is_empty() { String::new() } else { format!(", {}", counts.join(", ")) };
    format!("{sends}, {own} {rules} before the {built_in} built-in ones{others}")
}

/// The policy's mode, and how many tables have the other one: that of a `[[target]]` wins.
fn sends(policy: &Policy) -> String {
    let mode = policy.mode;
    let verb = match (mode, policy.tables_in_another_mode()) {
        (Mode::Act, 0) => return format!("mode `{mode}`"),
        (Mode::Observe, 0) => return format!("mode `{mode}`, which sends no call"),
        (Mode::Act, 1) => "observes",
        (Mode::Act, _) => "observe",
        (Mode::Observe, 1) => "acts",
        (Mode::Observe, _) => "act",
    };
    format!("mode `{mode}`, except for {} `[[target]]`, which {verb}", policy.tables_in_another_mode())
}
