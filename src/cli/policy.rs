//! `stepladder policy`: whether a policy can be used, what it means for one target, and its schema for editors.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;
use stepladder::policy::{Mode, Policy, SCHEMA};
use stepladder::text::plain;
use stepladder::{config, environment};

use super::{Failure, Format, PolicyOption, Printed};

mod explain;

/// Check a policy, tell what it means for one target, or print its schema
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Check(CheckOptions),
    Explain(explain::Options),
    /// Print the JSON Schema of policy files, by which an editor completes keys and tells what they mean
    #[command(
        after_help = "An editor with a language server for TOML, such as taplo or Even Better TOML, finds it by the \
first line of a policy: `#:schema ./policy.schema.json`

Examples:
  stepladder policy schema > policy.schema.json"
    )]
    Schema,
}

/// Say whether a policy can be used, and what is wrong with it
#[derive(Debug, Args)]
#[command(
    after_help = "A rule that can never answer, because rules before it have all its globs, is told on standard \
error. Exit codes: 0 it can be used; 2 it cannot.

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

impl Options {
    pub(super) fn format(&self) -> Format {
        match &self.verb {
            Verb::Check(check) => check.format,
            Verb::Explain(options) => options.format,
            Verb::Schema => Format::Text,
        }
    }

    pub(super) fn run(self) -> Result<Printed, Failure> {
        match self.verb {
            Verb::Check(check) => check.run(),
            Verb::Explain(options) => options.run(),
            Verb::Schema => Ok(Printed::done(SCHEMA.to_owned())),
        }
    }
}

impl CheckOptions {
    fn run(self) -> Result<Printed, Failure> {
        let named = match &self.file {
            Some(file) => Some(file.display().to_string()),
            None => environment::variable(config::POLICY).map(|_| config::POLICY.to_owned()),
        };
        let policy = PolicyOption { policy: self.file }.load()?;
        let warnings: Vec<String> = warnings(&policy);
        Ok(match self.format {
            Format::Json => {
                let (_, built_in) = policy.rule_counts();
                let own: serde_json::Map<_, _> =
                    policy.counts().into_iter().map(|(key, count)| (key.to_owned(), json!(count))).collect();
                Printed::json(
                    &json!({ "valid": true, "policy": named, "mode": policy.mode.to_string(), "own": own,
                                       "built_in_rules": built_in, "warnings": warnings }),
                )
            }
            Format::Text => {
                for warning in warnings {
                    // Nobody is left to be told when standard error is gone.
                    let _ = writeln!(io::stderr(), "warning: {}", plain(&warning));
                }
                let named = named
                    .map_or_else(|| "the built-in policy".to_owned(), |named| format!("`{}`", plain(&named)));
                Printed::done(format!("{named} can be used: {}\n", summary(&policy)))
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
    let besides = policy.counts().into_iter().filter(|(key, _)| *key != "rule");
    let besides: Vec<String> = besides.map(|(key, count)| format!("{count} `[[{key}]]`")).collect();
    let besides =
        if besides.is_empty() { String::new() } else { format!("; besides, {}", besides.join(", ")) };
    format!("it {sends} and has {own} {rules} of its own before the {built_in} built-in ones{besides}")
}

/// What can be used and is surely not meant.
fn warnings(policy: &Policy) -> Vec<String> {
    let shadowed = policy.shadowed().into_iter().map(|(rule, by)| {
        format!(
            "{} never answers: {} has the same `alarm` and `target`, and comes first",
            rule.origin, by.origin
        )
    });
    shadowed.collect()
}
