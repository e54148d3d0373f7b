//! The command line: reads arguments, calls one verb, prints what it returns.
//!
//! Data goes to standard output, talk to standard error. Exit codes: 0 done, 1 failed, 2 unusable input.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
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
mod explain;
mod handle;
mod parse;
mod policy;
mod provision;
mod replay;
mod shapes;

/// Turns alarms into the right change of size, and shows how.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Handle(handle::Options),
    Explain(explain::Options),
    Replay(replay::Options),
    Parse(parse::Options),
    Shapes(shapes::Options),
    Policy(policy::Options),
    Provision(provision::Provision),
    Teardown(provision::Teardown),
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Which policy applies.
#[derive(Debug, Args)]
struct PolicyOption {
    /// The policy file [default: the one that `STEPLADDER_POLICY` names, else the built-in rules]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

impl PolicyOption {
    fn load(&self) -> Result<Policy, Failure> {
        let policy = match (&self.policy, config::place()) {
            (Some(path), _) => config::policy_from_file(path),
            (None, PolicySource::Parameter(parameter)) => return stored(&parameter),
            (None, PolicySource::BuiltIn | PolicySource::Text(_) | PolicySource::File(_)) => {
                config::policy_from_env()
            }
        };
        policy.map_err(|error| match error {
            config::Error::Policy { origin, errors } => Failure::invalid_policy(&origin, &errors),
            other @ (config::Error::Unreadable { .. }
            | config::Error::Elsewhere(_)
            | config::Error::OneAtATime(_)) => Failure::unusable("policy", text::chain(&other)),
        })
    }
}

/// The policy that a parameter on AWS holds.
fn stored(parameter: &PolicyParameter) -> Result<Policy, Failure> {
    let unusable = |message: String| Failure::unusable("policy", message);
    let cloud =
        platform::aws().map_err(|error| unusable(format!("policy `{parameter}` cannot be read: {error}")))?;
    wait(stored_policy::read(parameter, cloud.as_ref()))?.map_err(|failed| unusable(failed.message))
}

/// What a verb returns: the text to print, and whether all went well.
struct Printed {
    text: String,
    exit: u8,
}

impl Printed {
    fn done(text: String) -> Self {
        Self { text, exit: 0 }
    }

    fn json(value: &Value) -> Self {
        Self::done(format!("{value:#}\n"))
    }
}

/// Why a verb could not do its work.
struct Failure {
    kind: &'static str,
    message: String,
    exit: u8,
    problems: Option<Problems>,
}

/// Every problem of a policy, for people and for programs.
struct Problems {
    snippets: String,
    values: Vec<Value>,
}

impl Failure {
    /// The input is of no use, and the same input will be of no use again.
    fn unusable(kind: &'static str, message: String) -> Self {
        Self { kind, message, exit: 2, problems: None }
    }

    fn broken(kind: &'static str, message: String) -> Self {
        Self { kind, message, exit: 1, problems: None }
    }

    /// A policy with problems, each with its line and a caret.
    fn invalid_policy(file: &str, errors: &policy_file::Errors) -> Self {
        let style = if io::stderr().is_terminal() { Style::Terminal } else { Style::Plain };
        let value = |Problem { line, column, message, .. }: &Problem| json!({ "file": file, "line": line, "column": column, "message": message });
        let problems = Problems {
            snippets: errors.with_snippets(file, style),
            values: errors.problems().iter().map(value).collect(),
        };
        let message = format!("policy `{file}` is not valid: {}", errors.in_one_line(file));
        Self { problems: Some(problems), ..Self::unusable("policy", text::plain(&message)) }
    }
}

impl From<source::Error> for Failure {
    fn from(error: source::Error) -> Self {
        Self::unusable(error.kind(), error.to_string())
    }
}

/// Runs the command line that the process was started with.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    let format = match &cli.command {
        Command::Handle(options) => options.format,
        Command::Parse(options) => options.format,
        Command::Shapes(options) => options.format,
        Command::Provision(verb) => verb.options.format,
        Command::Teardown(verb) => verb.options.format,
        Command::Policy(options) => options.format(),
        Command::Explain(options) => options.format,
        Command::Replay(_) => Format::Text,
    };
    let printed = match cli.command {
        Command::Handle(options) => options.run(),
        Command::Explain(options) => options.run(),
        Command::Replay(options) => options.run(),
        Command::Parse(options) => options.run(),
        Command::Shapes(options) => options.run(),
        Command::Policy(options) => options.run(),
        Command::Provision(verb) => verb.run(),
        Command::Teardown(verb) => verb.run(),
    };
    let printed = printed.unwrap_or_else(|failure| reported(&failure, format));
    let text = match format {
        Format::Json => printed.text,
        Format::Text => text::plain_lines(&printed.text),
    };
    match io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush()) {
        Ok(()) => ExitCode::from(printed.exit),
        // The reader has gone, as `head` does; there is nobody left to tell.
        Err(_) => ExitCode::FAILURE,
    }
}

/// Prints why a verb failed: for people on standard error, for programs on standard output.
fn reported(failure: &Failure, format: Format) -> Printed {
    let Failure { kind, message, exit, problems } = failure;
    let text = match format {
        Format::Json => {
            let mut error = json!({ "kind": kind, "message": message });
            if let Some(problems) = problems {
                error["problems"] = json!(problems.values);
            }
            format!("{:#}\n", json!({ "error": error }))
        }
        Format::Text => {
            let text = match problems {
                Some(problems) => problems.snippets.clone(),
                None => format!("error: {}", text::plain_lines(message)),
            };
            // Nobody reads it when standard error is closed.
            let _ = writeln!(io::stderr(), "{text}");
            String::new()
        }
    };
    Printed { text, exit: *exit }
}

/// Reads an event from a file, or from standard input for `-`. Never more than one byte beyond what is
/// accepted.
fn read_event(path: &Path) -> Result<Vec<u8>, Failure> {
    let limit = source::MAX_BYTES as u64 + 1;
    let mut body = Vec::new();
    let read = if path.as_os_str() == "-" {
        io::stdin().take(limit).read_to_end(&mut body)
    } else {
        File::open(path).and_then(|file| file.take(limit).read_to_end(&mut body))
    };
    let shown = shown(path);
    read.map_err(|error| {
        Failure::unusable("unreadable_file", format!("event `{shown}` cannot be read: {error}"))
    })?;
    Ok(body)
}

/// A file's name, in one line.
fn shown(path: &Path) -> String {
    text::plain(&path.display().to_string())
}

fn read_world(path: &Path) -> Result<World, Failure> {
    let shown = shown(path);
    let unusable = |message: String| Failure::unusable("world", format!("world `{shown}`: {message}"));
    let text = std::fs::read(path).map_err(|error| unusable(format!("it cannot be read: {error}")))?;
    World::from_json(&text).map_err(|error| unusable(text::chain(&error)))
}

fn write_world(path: &Path, cloud: &SimulatedCloud) -> Result<(), Failure> {
    let shown = shown(path);
    let broken = |error: &dyn std::error::Error| {
        Failure::broken("world", format!("world `{shown}` cannot be written: {}", text::chain(error)))
    };
    let text = cloud.snapshot().to_json().map_err(|error| broken(&error))?;
    std::fs::write(path, text + "\n").map_err(|error| broken(&error))
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "expected a time such as `2026-03-02T09:00:00Z`".to_owned())
}

/// The wall clock. Only the command line and the hosts read it; everything below is given the time.
#[expect(clippy::disallowed_methods, reason = "this is where time enters")]
fn wall_clock() -> Timestamp {
    Timestamp::now()
}

/// A duration as it is shown.
fn whole_seconds(duration: SignedDuration) -> SignedDuration {
    SignedDuration::from_secs(duration.as_secs())
}

fn observing(policy: Policy, dry_run: bool) -> Policy {
    if dry_run { policy.observing() } else { policy }
}

/// A runtime for the one call that waits.
fn wait<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::broken("runtime", format!("no runtime could be started: {error}")))?;
    Ok(runtime.block_on(work))
}
