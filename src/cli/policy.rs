//! `stepladder policy`: checks a policy, explains it for one target, and prints its schema.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use stepladder::policy::{Mode, Policy, SCHEMA};
use stepladder::text::plain;
use stepladder::{config, environment};

use super::{CommandError, CommandOutput, Format, PolicyOption};

mod explain;
mod test;

/// Check a policy, show what it means for one target, or print its schema
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
    /// Print the JSON Schema of policy files, by which an editor completes keys and shows what they mean
    #[command(
        after_help = "An editor with a language server for TOML, such as taplo or Even Better TOML, finds it by the \
first line of a policy: `#:schema ./policy.schema.json`

Examples:
  stepladder policy schema > policy.schema.json"
    )]
    Schema,
}

/// Check whether a policy can be used, and report what is wrong with it
#[derive(Debug, Args)]
#[command(
    after_help = "What is valid and surely a mistake is reported on standard error: a rule that can never answer, because \
earlier rules have the same globs, a glob that matches nothing, a fraction in the place of a percentage, steps written as \
values, a scheduled minimum that nothing reaches at its time. Exit codes: 0 it can be used; 2 it cannot.

Examples:
  stepladder policy check
  stepladder policy check stepladder.toml
  stepladder policy check stepladder.toml --format json"
)]
struct CheckOptions {
    /// The policy file [default: the one that `STEPLADDER_POLICY` names, else the built-in rules]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl PolicyCommand {
    pub(super) fn format(&self) -> Format {
        match &self.subcommand {
            PolicySubcommand::Check(options) => options.format,
            PolicySubcommand::Explain(options) => options.format,
            PolicySubcommand::Test(options) => options.format,
            PolicySubcommand::Schema => Format::Text,
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
            Some(file) => Some(file.display().to_string()),
            None => environment::variable(config::POLICY).map(|_| config::POLICY.to_owned()),
        };
        let policy = PolicyOption { policy: self.file }.load()?;
        let warnings = policy.warnings();
        Ok(match self.format {
            Format::Json => {
                let (_, built_in) = policy.rule_counts();
                let own: serde_json::Map<_, _> =
                    policy.counts().into_iter().map(|(key, count)| (key.to_owned(), json!(count))).collect();
                CommandOutput::json(
                    &json!({ "valid": true, "policy": source, "mode": policy.mode.to_string(), "own": own,
                                       "built_in_rules": built_in, "warnings": warnings }),
                )
            }
            Format::Text => {
                for warning in warnings {
                    // A closed standard error leaves no way to report the warning.
                    let _ = writeln!(io::stderr(), "warning: {}", plain(&warning));
                }
                let name = source.map_or_else(
                    || "the built-in policy".to_owned(),
                    |source| format!("`{}`", plain(&source)),
                );
                CommandOutput::success(format!("{name} can be used: {}\n", summary(&policy)))
            }
        })
    }
}

fn summary(policy: &Policy) -> String {
    let sends = match policy.mode {
        Mode::Act => "sends calls",
        Mode::Observe => "sends nothing (mode `observe`)",
    };
    let (own, built_in) = policy.rule_counts();
    let rules = if own == 1 { "rule" } else { "rules" };
    let other_keys = policy.counts().into_iter().filter(|(key, _)| *key != "rule");
    let counts: Vec<String> = other_keys.map(|(key, count)| format!("{count} `[[{key}]]`")).collect();
    let besides = if counts.is_empty() { String::new() } else { format!("; besides, {}", counts.join(", ")) };
    format!("it {sends} and has {own} {rules} of its own before the {built_in} built-in ones{besides}")
}
