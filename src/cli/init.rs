//! `stepladder init`: writes a commented policy for a platform, after a few questions on a terminal.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use stepladder::platform::{PLATFORMS, Platform};
use stepladder::policy::{Mode, Policy};
use stepladder::text::plain;

use self::draft::{Draft, InitMetric};
use super::{CommandError, CommandOutput, file_name, print_unchanged, terminal};

mod draft;
mod questions;

/// Write a commented policy for a platform, in observe mode
#[derive(Debug, Args)]
#[command(
    after_help = "On a terminal it asks for what no option sets. In a pipe, or with --yes, it uses the defaults and \
prints them on standard error. It never overwrites a file without --force.

Exit codes: 0 written; 1 the file cannot be written; 2 the options make no valid policy, or the file exists.

Examples:
  stepladder init
  stepladder init --platform oci --metric cpu,memory --max 6 --yes
  stepladder init - --platform aws --metric requests --target 'endpoint/shop-*' > stepladder.toml"
)]
pub(super) struct InitOptions {
    /// The file to write, or `-` for standard output
    #[arg(value_name = "FILE", default_value = "stepladder.toml")]
    file: PathBuf,
    /// Where the deployments are [default: aws]
    #[arg(long, value_enum)]
    platform: Option<InitPlatform>,
    /// What the alarms measure; several with commas [default: cpu,memory]
    #[arg(long = "metric", value_enum, value_name = "METRIC", value_delimiter = ',')]
    metrics: Vec<InitMetric>,
    /// The fewest instances of a deployment [default: 1]
    #[arg(long, value_name = "N")]
    min: Option<u32>,
    /// The most instances of a deployment [default: 4, or the minimum where that is more]
    #[arg(long, value_name = "N")]
    max: Option<u32>,
    /// A glob on the ids of the deployments that may change [default: every deployment of the platform]
    #[arg(long, value_name = "GLOB")]
    target: Option<String>,
    /// Whether calls are sent
    #[arg(long, value_enum, default_value_t)]
    mode: InitMode,
    /// Ask nothing
    #[arg(long, short)]
    yes: bool,
    /// Overwrite the file
    #[arg(long)]
    force: bool,
}

/// The platform of a new policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum InitPlatform {
    /// SageMaker endpoints
    Aws,
    /// OCI Data Science model deployments
    Oci,
}

/// The mode of a new policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum InitMode {
    /// Decides and records, and sends no call
    #[default]
    Observe,
    /// Sends the calls
    Act,
}

impl InitPlatform {
    /// Its row in the platforms' table.
    fn row(self) -> Option<&'static Platform> {
        let name = match self {
            Self::Aws => "aws",
            Self::Oci => "oci",
        };
        PLATFORMS.iter().find(|platform| platform.name == name)
    }

    /// A glob that all ids of its deployments match.
    fn every_target(self) -> &'static str {
        self.row().and_then(|platform| platform.targets.first()).map_or("*", |target| target.ids)
    }
}

/// The fewest instances where no option sets them.
const MIN: u32 = 1;

/// The most instances where no option sets them: enough to see scaling, and no great bill.
const MAX: u32 = 4;

impl InitOptions {
    pub(super) fn run(mut self) -> Result<CommandOutput, CommandError> {
        let to_stdout = self.file.as_os_str() == "-";
        if !to_stdout && !self.force && self.file.exists() {
            return Err(exists(&self.file));
        }
        let asks = !self.yes && io::stdin().is_terminal() && io::stderr().is_terminal();
        if asks {
            questions::ask(&mut self, &mut io::stdin().lock(), &mut io::stderr()).map_err(|error| {
                CommandError::failed("terminal", format!("no answer can be read: {error}"))
            })?;
        } else {
            self.report_defaults();
        }
        let draft = self.draft()?;
        let text = draft.text();
        let warnings = checked(&text)?;
        for warning in warnings {
            terminal::warning(&plain(&warning));
        }
        if to_stdout {
            return print_unchanged(text.as_bytes());
        }
        self.write(&text)?;
        Ok(CommandOutput::success(next_steps(&file_name(&self.file), &draft)))
    }

    /// Prints the defaults of the options that were neither set nor asked for.
    fn report_defaults(&self) {
        let platform = self.platform.unwrap_or(InitPlatform::Aws);
        let metrics = InitMetric::USUAL.map(InitMetric::word).join(",");
        let (min, max) = self.bounds();
        let defaults = [
            (self.platform.is_none(), "--platform aws".to_owned()),
            (self.metrics.is_empty(), format!("--metric {metrics}")),
            (self.min.is_none(), format!("--min {min}")),
            (self.max.is_none(), format!("--max {max}")),
            (self.target.is_none(), format!("--target '{}'", platform.every_target())),
        ];
        let used: Vec<String> =
            defaults.into_iter().filter(|(is_used, _)| *is_used).map(|(_, option)| option).collect();
        if !used.is_empty() {
            // Nobody reads it when standard error is closed.
            let _ = writeln!(io::stderr(), "using the defaults {}", used.join(" "));
        }
    }

    fn bounds(&self) -> (u32, u32) {
        let min = self.min.unwrap_or(MIN);
        (min, self.max.unwrap_or_else(|| MAX.max(min)))
    }

    fn draft(&self) -> Result<Draft, CommandError> {
        let platform = self.platform.unwrap_or(InitPlatform::Aws);
        let (min, max) = self.bounds();
        if min == 0 || min > max {
            let message =
                format!("expected a minimum from 1 to the maximum, found --min {min} and --max {max}");
            return Err(CommandError::invalid_input("usage", message));
        }
        let mut metrics = Vec::new();
        for metric in if self.metrics.is_empty() { &InitMetric::USUAL[..] } else { &self.metrics } {
            if !metric.is_of(platform) {
                return Err(CommandError::invalid_input("usage", unoffered(*metric, platform)));
            }
            if !metrics.contains(metric) {
                metrics.push(*metric);
            }
        }
        let target = self.target.clone().unwrap_or_else(|| platform.every_target().to_owned());
        let mode = match self.mode {
            InitMode::Observe => Mode::Observe,
            InitMode::Act => Mode::Act,
        };
        Ok(Draft { platform, metrics, min, max, target, mode })
    }

    /// Writes the file. Without `--force` it is never one that exists, even if it was created a moment ago.
    fn write(&self, text: &str) -> Result<(), CommandError> {
        let mut options = OpenOptions::new();
        options.write(true);
        if self.force {
            options.create(true).truncate(true)
        } else {
            options.create_new(true)
        };
        let written = options.open(&self.file).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| {
            if error.kind() == io::ErrorKind::AlreadyExists {
                return exists(&self.file);
            }
            let message = format!("policy `{}` cannot be written: {error}", file_name(&self.file));
            CommandError::failed("unwritable_file", message)
        })
    }
}

fn exists(path: &Path) -> CommandError {
    let message = format!("`{}` exists: name another file, or overwrite it with --force", file_name(path));
    CommandError::invalid_input("file_exists", message)
}

fn unoffered(metric: InitMetric, platform: InitPlatform) -> String {
    let offered: Vec<&str> = InitMetric::all(platform).map(InitMetric::word).collect();
    let platform = platform.row().map_or("", |platform| platform.name);
    format!(
        "`{}` is not a metric of the platform `{platform}`: expected one of `{}`",
        metric.word(),
        offered.join("`, `")
    )
}

/// Checks a policy as `stepladder policy check` does, and returns its warnings.
fn checked(text: &str) -> Result<Vec<String>, CommandError> {
    let policy = Policy::parse(text).map_err(|errors| {
        let message = format!("these options make no valid policy: {}", errors.in_one_line());
        CommandError::invalid_input("policy", plain(&message))
    })?;
    Ok(policy.warnings())
}

fn next_steps(file: &str, draft: &Draft) -> String {
    let of_mode = match draft.mode {
        Mode::Observe => "It sends no call until its `mode` is `act`.",
        Mode::Act => "It sends calls: try it with `mode = \"observe\"` first.",
    };
    format!(
        "`{file}` is written: {}. {of_mode}

Next:
  stepladder policy check {file}
  stepladder explain EVENT --policy {file}
  stepladder policy test CASES --policy {file}

EVENT is a file that holds an alarm's payload. CASES is a file that you write: `stepladder policy test --help` shows one.
",
        draft.summary()
    )
}
