//! `stepladder completions`: prints the completions of a shell, made by clap.

use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate};

use super::{Cli, CommandError, CommandOutput, print_unchanged};

/// Print the completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stepladder completions bash > ~/.local/share/bash-completion/completions/stepladder
  stepladder completions zsh > ~/.zfunc/_stepladder     # a directory of your fpath
  stepladder completions fish > ~/.config/fish/completions/stepladder.fish")]
pub(super) struct CompletionsOptions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl CompletionsOptions {
    pub(super) fn run(&self) -> Result<CommandOutput, CommandError> {
        let mut script = Vec::new();
        generate(self.shell, &mut Cli::command(), "stepladder", &mut script);
        print_unchanged(&script)
    }
}
