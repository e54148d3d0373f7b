//! `stepladder policy`: checks a policy file.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use stepladder::policy::Mode;
use stepladder::{config, report};

use super::{Failure, Printed};

/// Check a policy file
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Say whether a policy file can be used, and what is wrong with it
    #[command(after_help = "Exit codes: 0 it can be used; 2 it cannot.

Examples:
  stepladder policy check stepladder.toml")]
    Check {
        /// The policy file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

impl Options {
    pub(super) fn run(&self) -> Result<Printed, Failure> {
        let Verb::Check { file } = &self.verb;
        let policy = config::policy_from_file(file)
            .map_err(|error| Failure::unusable("policy", report::chain(&error)))?;
        let sends = match policy.mode {
            Mode::Act => "sends calls",
            Mode::Observe => "sends nothing (mode `observe`)",
        };
        let (own, built_in) = policy.rule_counts();
        let rules = if own == 1 { "rule" } else { "rules" };
        Ok(Printed::done(format!(
            "`{}` can be used: it {sends} and has {own} {rules} of its own before the {built_in} built-in ones\n",
            file.display()
        )))
    }
}
