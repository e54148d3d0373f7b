//! `stepladder man`: prints the manual page, or writes a page for each subcommand, made by clap.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory as _};
use clap_mangen::Man;
use roff::{Roff, bold, roman};

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
            let page = page(&built()).map_err(|error| unwritable("standard output", &error))?;
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

/// The command line, in which each subcommand has its whole name: that is the name of its page.
fn built() -> clap::Command {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    command
}

/// Writes a page for each subcommand, and returns their number.
fn write_pages(directory: &Path) -> io::Result<usize> {
    std::fs::create_dir_all(directory)?;
    write_page(&built(), directory)
}

fn write_page(command: &clap::Command, directory: &Path) -> io::Result<usize> {
    let name = Man::new(command.clone()).get_filename();
    std::fs::write(directory.join(name), page(command)?)?;
    let pages = command.get_subcommands().map(|subcommand| write_page(subcommand, directory));
    pages.sum::<io::Result<usize>>().map(|pages| pages + 1)
}

/// The page of one command. Its sections are clap's, except for two: clap's synopsis leaves out the values of options, and
/// its section for the text after the options refills tables and examples.
fn page(command: &clap::Command) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone()).source(concat!("stepladder ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    synopsis(command).to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(text) = command.get_after_help() {
        notes(&text.to_string()).to_writer(&mut page)?;
    }
    Ok(page)
}

/// The command with every argument and its value.
fn synopsis(command: &clap::Command) -> Roff {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let mut words = vec![bold(name)];
    for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
        words.extend([roman(" "), roman(shown(argument))]);
    }
    if command.has_subcommands() {
        words.push(roman(" <COMMAND>"));
    }
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]).text(words);
    roff
}

/// An argument as a synopsis shows it: in brackets where it may be left out, with dots where it may be repeated.
fn shown(argument: &clap::Arg) -> String {
    let takes_value = argument.get_action().takes_values();
    let value = argument.get_value_names().and_then(|names| names.first()).filter(|_| takes_value);
    let text = match (argument.get_long(), value) {
        (Some(long), Some(value)) => format!("--{long} <{value}>"),
        (Some(long), None) => format!("--{long}"),
        (None, Some(value)) => format!("<{value}>"),
        (None, None) => argument.get_id().to_string(),
    };
    let text = if argument.is_required_set() { text } else { format!("[{text}]") };
    if matches!(argument.get_action(), clap::ArgAction::Append) { text + "..." } else { text }
}

/// The text after the options: paragraphs are filled, and indented lines stay as they are.
fn notes(text: &str) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["NOTES"]);
    let mut is_table = false;
    for line in text.lines() {
        let is_indented = line.starts_with(' ') || (is_table && line.is_empty());
        if is_indented != is_table {
            roff.control(if is_indented { "nf" } else { "fi" }, []);
            is_table = is_indented;
        }
        if line.is_empty() && !is_table {
            roff.control("PP", []);
        } else {
            roff.text([roman(line)]);
        }
    }
    if is_table {
        roff.control("fi", []);
    }
    roff
}
