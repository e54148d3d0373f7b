//! `stepladder man`: prints the manual page, or writes a page for each subcommand, made by clap.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory as _};
use clap_mangen::Man;

use super::{Cli, CommandError, CommandOutput, file_name, print_unchanged};

/// Print the manual page, or write those of all subcommands to a directory
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  stepladder man > stepladder.1
  stepladder man ~/.local/share/man/man1
  man stepladder-policy-test")]
pub(super) struct ManOptions {
    /// The directory that gets a page for each subcommand; it is created where it is missing [default: only the main page,
    /// on standard output]
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
}

impl ManOptions {
    pub(super) fn run(&self) -> Result<CommandOutput, CommandError> {
        let Some(directory) = &self.directory else {
            let mut page = Vec::new();
            Man::new(Cli::command())
                .render(&mut page)
                .map_err(|error| unwritable("standard output", &error))?;
            return print_unchanged(&page);
        };
        let name = file_name(directory);
        let written = write_pages(directory).map_err(|error| unwritable(&name, &error))?;
        Ok(CommandOutput::success(format!("{written} pages are written to `{name}`\n")))
    }
}

fn unwritable(name: &str, error: &io::Error) -> CommandError {
    CommandError::failed("unwritable_file", format!("manual pages cannot be written to `{name}`: {error}"))
}

/// Writes a page for each subcommand, and returns their number.
fn write_pages(directory: &Path) -> io::Result<usize> {
    std::fs::create_dir_all(directory)?;
    let mut command = Cli::command().disable_help_subcommand(true);
    // It gives each subcommand its whole name, which is the name of its page.
    command.build();
    write_page(&command, directory)
}

fn write_page(command: &clap::Command, directory: &Path) -> io::Result<usize> {
    Man::new(command.clone()).generate_to(directory)?;
    let pages = command.get_subcommands().map(|subcommand| write_page(subcommand, directory));
    pages.sum::<io::Result<usize>>().map(|pages| pages + 1)
}
