//! The command line: parses arguments, runs one subcommand and prints its output.
//!
//! Results go to standard output, errors and warnings to standard error. Exit codes: 0 success, 1 failure, 2 invalid
//! input.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use stepladder::config::{self, PolicyParameter, PolicySource};
use stepladder::host::stored_policy;
use stepladder::platform::simulated::{SimulatedCloud, World};
use stepladder::policy::{self as policy_file, Policy, Problem, Style};
use stepladder::{platform, source, text};

mod cloud;
mod completions;
mod explain;
mod handle;
mod init;
mod input;
mod man;
mod parse;
mod policy;
mod provision;
mod replay;
mod shapes;
mod terminal;

use input::{FileKind, file_name, read_event};

/// Turns cloud alarms into changes of size of model deployments, and explains each decision.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Handle(handle::HandleOptions),
    Explain(explain::ExplainOptions),
    Replay(replay::ReplayOptions),
    Parse(parse::ParseOptions),
    Shapes(shapes::ShapesOptions),
    Policy(policy::PolicyCommand),
    Init(init::InitOptions),
    Provision(provision::Provision),
    Teardown(provision::Teardown),
    Completions(completions::CompletionsOptions),
    Man(man::ManOptions),
}

/// The output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// The policy to apply.
#[derive(Debug, Args)]
struct PolicyOption {
    /// The policy file [default: the one that `STEPLADDER_POLICY` names, else the built-in rules]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

impl PolicyOption {
    fn load(&self) -> Result<Policy, CommandError> {
        let policy = match (&self.policy, config::place()) {
            (Some(path), _) => return policy_from_file(path),
            (None, PolicySource::Parameter(parameter)) => return policy_from_parameter(&parameter),
            (None, PolicySource::BuiltIn | PolicySource::Text(_) | PolicySource::File(_)) => {
                config::policy_from_env()
            }
        };
        policy.map_err(CommandError::from)
    }
}

/// Reads the policy from a file, or from standard input for `-`.
fn policy_from_file(path: &Path) -> Result<Policy, CommandError> {
    let name = file_name(path);
    let text = input::read_text(path).map_err(|error| {
        CommandError::invalid_input("policy", format!("policy `{name}` cannot be read: {error}"))
    })?;
    // An empty file means the built-in rules. An empty pipe means that the program before it failed.
    if input::is_stdin(path) && text.trim().is_empty() {
        let message = "standard input is empty: expected a policy as TOML";
        return Err(CommandError::invalid_input("policy", message.to_owned()));
    }
    let policy = config::policy_from_text(&input::raw_name(path), &text);
    policy.map_err(|error| match input::mistaken(FileKind::Policy, path, &text) {
        Some(advice) if matches!(error, config::Error::Policy { .. }) => {
            CommandError::invalid_input("policy", format!("policy `{name}` is not valid: {advice}"))
        }
        Some(_) | None => error.into(),
    })
}

/// Reads the policy from a parameter on AWS.
fn policy_from_parameter(parameter: &PolicyParameter) -> Result<Policy, CommandError> {
    let unusable = |message: String| CommandError::invalid_input("policy", message);
    let client =
        platform::aws().map_err(|error| unusable(format!("policy `{parameter}` cannot be read: {error}")))?;
    wait(stored_policy::read(parameter, client.as_ref()))?
        .map_err(|unavailable| unusable(unavailable.message))
}

/// The result of a subcommand: the text to print, and the exit code.
struct CommandOutput {
    text: String,
    exit_code: u8,
}

impl CommandOutput {
    fn success(text: String) -> Self {
        Self { text, exit_code: 0 }
    }

    fn json(value: &Value) -> Self {
        Self::success(format!("{value:#}\n"))
    }
}

/// Why a subcommand failed.
struct CommandError {
    kind: &'static str,
    message: String,
    exit_code: u8,
    problems: Option<ProblemReport>,
}

/// Every problem of a policy, for people and for programs.
struct ProblemReport {
    snippets: String,
    values: Vec<Value>,
}

impl CommandError {
    /// The input is invalid, so the same command fails again.
    fn invalid_input(kind: &'static str, message: String) -> Self {
        Self { kind, message, exit_code: 2, problems: None }
    }

    /// Something else failed, so the same command may succeed later.
    fn failed(kind: &'static str, message: String) -> Self {
        Self { kind, message, exit_code: 1, problems: None }
    }

    /// A policy with problems, each with its line and a caret.
    fn invalid_policy(file: &str, errors: &policy_file::Errors) -> Self {
        Self::invalid_file(["policy", "policy"], file, errors)
    }

    /// A TOML file with problems, each with its line and a caret: the error's kind, and what the file is in words.
    fn invalid_file([kind, what]: [&'static str; 2], file: &str, errors: &policy_file::Errors) -> Self {
        let style = if terminal::is_stderr_coloured() { Style::Terminal } else { Style::Plain };
        let value = |Problem { line, column, message, .. }: &Problem| json!({ "file": file, "line": line, "column": column, "message": message });
        let problems = ProblemReport {
            snippets: errors.with_snippets(file, style),
            values: errors.problems().iter().map(value).collect(),
        };
        let message = format!("{what} `{file}` is not valid: {}", errors.in_one_line());
        Self { problems: Some(problems), ..Self::invalid_input(kind, text::plain(&message)) }
    }
}

impl From<config::Error> for CommandError {
    fn from(error: config::Error) -> Self {
        match error {
            config::Error::Policy { origin, errors } => Self::invalid_policy(&origin, &errors),
            other @ (config::Error::Unreadable { .. }
            | config::Error::Elsewhere(_)
            | config::Error::OneAtATime(_)
            | config::Error::Mode(_)) => Self::invalid_input("policy", text::chain(&other)),
        }
    }
}

impl From<source::Error> for CommandError {
    fn from(error: source::Error) -> Self {
        Self::invalid_input(error.kind(), error.to_string())
    }
}

/// Runs the command line that the process was started with.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    let format = match &cli.command {
        Command::Handle(options) => options.format,
        Command::Parse(options) => options.format,
        Command::Shapes(options) => options.format,
        Command::Provision(provision) => provision.options.format,
        Command::Teardown(teardown) => teardown.options.format,
        Command::Policy(policy) => policy.format(),
        Command::Explain(options) => options.format,
        Command::Replay(options) => options.format,
        Command::Init(_) | Command::Completions(_) | Command::Man(_) => Format::Text,
    };
    let result = match cli.command {
        Command::Handle(options) => options.run(),
        Command::Explain(options) => options.run(),
        Command::Replay(options) => options.run(),
        Command::Parse(options) => options.run(),
        Command::Shapes(options) => options.run(),
        Command::Policy(policy) => policy.run(),
        Command::Init(options) => options.run(),
        Command::Provision(provision) => provision.run(),
        Command::Teardown(teardown) => teardown.run(),
        Command::Completions(options) => options.run(),
        Command::Man(options) => options.run(),
    };
    let output = result.unwrap_or_else(|error| report_error(&error, format));
    let printed = match format {
        Format::Json => io::stdout().write_all(output.text.as_bytes()).and_then(|()| io::stdout().flush()),
        Format::Text => terminal::print(&text::plain_lines(&output.text)),
    };
    match printed {
        Ok(()) => ExitCode::from(output.exit_code),
        // The reader has closed the pipe, as `head` does, and has what it wanted.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(error) => {
            // Nobody reads it when standard error is closed.
            let _ = writeln!(io::stderr(), "error: standard output cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints an error to standard error, or returns it as JSON for standard output.
fn report_error(error: &CommandError, format: Format) -> CommandOutput {
    let CommandError { kind, message, exit_code, problems } = error;
    let text = match format {
        Format::Json => {
            let mut error = json!({ "kind": kind, "message": message });
            if let Some(problems) = problems {
                error["problems"] = json!(problems.values);
            }
            format!("{:#}\n", json!({ "error": error }))
        }
        Format::Text => {
            match problems {
                // Nobody reads it when standard error is closed.
                Some(problems) => drop(writeln!(io::stderr(), "{}", problems.snippets)),
                None => terminal::error(&text::plain_lines(message)),
            }
            String::new()
        }
    };
    CommandOutput { text, exit_code: *exit_code }
}

/// Prints a document that a program or an editor reads: byte by byte, on a terminal, too.
fn print_unchanged(document: &[u8]) -> Result<CommandOutput, CommandError> {
    let printed = io::stdout().write_all(document).and_then(|()| io::stdout().flush());
    printed.map(|()| CommandOutput::success(String::new())).map_err(|error| {
        CommandError::failed("standard_output", format!("standard output cannot be written: {error}"))
    })
}

/// A simulated cloud in the state that a file holds; an empty one without a file.
fn simulated_cloud(path: Option<&Path>) -> Result<SimulatedCloud, CommandError> {
    let world = path.map_or_else(|| Ok(World::default()), read_world)?;
    Ok(SimulatedCloud::new(world))
}

fn read_world(path: &Path) -> Result<World, CommandError> {
    let name = file_name(path);
    let unusable =
        |message: String| CommandError::invalid_input("world", format!("world `{name}`: {message}"));
    let text = input::read_text(path).map_err(|error| unusable(format!("it cannot be read: {error}")))?;
    World::from_json(text.as_bytes()).map_err(|error| {
        unusable(input::mistaken(FileKind::World, path, &text).unwrap_or_else(|| text::chain(&error)))
    })
}

fn write_world(path: &Path, simulated: &SimulatedCloud) -> Result<(), CommandError> {
    let name = file_name(path);
    let failed = |error: &dyn std::error::Error| {
        CommandError::failed("world", format!("world `{name}` cannot be written: {}", text::chain(error)))
    };
    let text = simulated.snapshot().to_json().map_err(|error| failed(&error))?;
    std::fs::write(path, text + "\n").map_err(|error| failed(&error))
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "expected a time such as `2026-03-02T09:00:00Z`".to_owned())
}

/// The current time. Only the command line and the hosts read the clock, so that all else is testable at any time.
#[expect(clippy::disallowed_methods, reason = "this is where time enters")]
fn wall_clock() -> Timestamp {
    Timestamp::now()
}

/// A duration in whole seconds, for display.
fn whole_seconds(duration: SignedDuration) -> SignedDuration {
    SignedDuration::from_secs(duration.as_secs())
}

/// Runs one future to its end, on a runtime of its own.
fn wait<T>(work: impl Future<Output = T>) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::failed("runtime", format!("no runtime could be started: {error}")))?;
    Ok(runtime.block_on(work))
}
