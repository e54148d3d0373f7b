//! `stepladder policy test`: runs the given/then cases of a file through the whole flow, on the simulated cloud.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use stepladder::handle::handle;
use stepladder::outcome::{Answer, Outcome};
use stepladder::platform::simulated::SimulatedCloud;
use stepladder::policy::Policy;
use stepladder::report;
use stepladder::text::plain;

use self::case::{Case, CaseFile};
use self::expectation::Difference;
use crate::cli::cloud::SIMULATED;
use crate::cli::{CommandError, CommandOutput, Format, PolicyOption, file_name, wait};

mod case;
mod expectation;

/// Test a policy: run given/then cases from TOML files
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct PolicyTestOptions {
    /// Files of cases
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Test this policy, whatever the files name
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

const HELP: &str = r#"Each case runs the whole flow on a simulated cloud of its own. Paths in a file are relative to it.

A whole file:
  policy = "stepladder.toml"   # default: built-in rules

  [[case]]
  name = "CPU pressure adds an instance"
  [case.given.alarm]
  name = "churn-high-cpu"
  target = "endpoint/churn/variant/AllTraffic"
  metric = "CPUUtilization"
  value = 350
  threshold = 320
  [case.given.deployment]
  instances = 2
  shape = "ml.m5.xlarge"
  [case.then]
  decision = "resize"
  instances = 3

  [[case]]
  name = "a paused deployment stays as it is"
  [case.given]
  event = "alarm.json"         # a payload's file
  now = "2026-03-02T09:20:00Z"
  deployment = { tags = { "stepladder:pause" = "all" } }
  [case.then]
  reason = "paused"

Keys of `given`:
  event       the file of a payload, in place of `alarm`
  alarm       name, target, metric, value and threshold; also window (default: "5m"),
              fires ("above" or "below"; default: the side of the value),
              transition ("firing", "repeat" or "cleared"; default: "firing");
              on AWS it belongs to the account 111122223333
  deployment  each deployment that the event names: instances (default: 1), shape (one of
              flexible size as "VM.Standard.E4.Flex:2:32"), bandwidth_mbps, tags, status,
              last_change, metrics (default: a moderate load; the alarm's value is added)
  world       the file of a simulated cloud, for several deployments
  now         the current time (default: 5 seconds after the alarm; without an alarm's time,
              2026-01-05T12:00:00Z, a Monday)

Keys of `then`, which are compared where they are written:
  decision    "resize" or "hold"
  reason      the reason of a hold
  axis        "instances", "shape" or "bandwidth"
  instances, shape, bandwidth_mbps
              the size after the decision
  calls       every operation, in order
  result      "applied", "held", "dry_run" or "failed"
  alarm, target
              which decision is meant, where an event leads to several

Exit codes: 0 every case passes; 1 a case fails; 2 a file is not usable.

Examples:
  stepladder policy test policy.test.toml
  stepladder policy test tests/*.test.toml --policy next.toml --format json"#;

/// A file, its policy and what became of its cases.
struct TestedFile {
    file: String,
    policy: Option<String>,
    cases: Vec<TestedCase>,
}

/// What became of a case.
struct TestedCase {
    name: String,
    line: usize,
    differences: Vec<Difference>,
    because: String,
}

impl PolicyTestOptions {
    pub(super) fn run(self) -> Result<CommandOutput, CommandError> {
        // A file that is not usable stops the command before any case runs, so that its error is not overlooked.
        let files = self.files.iter().map(|path| CaseFile::read(path));
        let files: Vec<CaseFile> = files.collect::<Result<_, CommandError>>()?;
        let tested = self.files.iter().zip(files).map(|(path, file)| self.test(path, file));
        let tested: Vec<TestedFile> = tested.collect::<Result<_, _>>()?;
        let failed = tested.iter().flat_map(|file| &file.cases).filter(|case| !case.passes()).count();
        let text = match self.format {
            Format::Json => format!("{:#}\n", value(&tested, failed)),
            Format::Text => text(&tested, failed),
        };
        Ok(CommandOutput { text, exit_code: u8::from(failed > 0) })
    }

    fn test(&self, path: &Path, file: CaseFile) -> Result<TestedFile, CommandError> {
        let of_policy = self.policy.clone().or(file.policy);
        let name = of_policy.as_deref().map(file_name);
        let policy = match of_policy {
            Some(path) => PolicyOption { policy: Some(path) }.load()?,
            // Not the policy of the environment: the cases of a file have the same results everywhere.
            None => Policy::built_in().map_err(|errors| CommandError::invalid_policy("built-in", &errors))?,
        };
        let cases = file.cases.into_iter().map(|case| test_case(case, &policy)).collect::<Result<_, _>>()?;
        Ok(TestedFile { file: file_name(path), policy: name, cases })
    }
}

fn test_case(case: Case, policy: &Policy) -> Result<TestedCase, CommandError> {
    let Case { name, line, body, now, world, then } = case;
    let simulated = SimulatedCloud::new(world);
    simulated.advance(now);
    let answer = wait(handle(&body, &simulated, policy, now))??;
    let outcomes: Vec<&Outcome> = answer.outcomes.iter().filter(|outcome| then.is_about(outcome)).collect();
    let (differences, because) = match outcomes.as_slice() {
        [outcome] => (then.differences(outcome), report::explanation(outcome)),
        several => {
            let because = if several.is_empty() {
                "the event leads to no decision that `then` is about"
            } else {
                "the event leads to several decisions: name the `target` or the `alarm` of one in `then`"
            };
            (vec![Difference::of_count(&found(&answer))], because.to_owned())
        }
    };
    Ok(TestedCase { name, line, differences, because })
}

/// Everything that an answer is about, for a case that is about none of its decisions or about several.
fn found(answer: &Answer) -> Vec<String> {
    let of_outcome = |outcome: &Outcome| {
        let target = outcome.target.as_ref().map_or("no target", |target| target.as_str());
        format!("{} of {target}", outcome.alarm.name)
    };
    let outcomes = answer.outcomes.iter().map(of_outcome);
    let errors = answer.error.iter().map(ToString::to_string);
    let rejected = answer.rejected.iter().map(ToString::to_string);
    outcomes.chain(errors).chain(rejected).collect()
}

impl TestedCase {
    fn passes(&self) -> bool {
        self.differences.is_empty()
    }

    fn result(&self) -> &'static str {
        if self.passes() { "passed" } else { "failed" }
    }

    fn text(&self, file: &str) -> String {
        let mut text = format!("  {}  {}\n", self.result(), plain(&self.name));
        if self.passes() {
            return text;
        }
        let mut line = |label: &str, value: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "          {label:<11} {}", plain(value));
        };
        for Difference { key, expected, found } in &self.differences {
            let found = if found.is_null() { "none".to_owned() } else { found.to_string() };
            line(key, &format!("expected {expected}, found {found}"));
        }
        line("because", &self.because);
        line("case", &format!("{file}:{}", self.line));
        text
    }

    fn value(&self) -> Value {
        let differences = self.differences.iter().map(Difference::value);
        json!({ "name": self.name, "line": self.line, "result": self.result(),
                "differences": differences.collect::<Vec<_>>(), "because": self.because })
    }
}

fn value(tested: &[TestedFile], failed: usize) -> Value {
    let of_file = |TestedFile { file, policy, cases }: &TestedFile| json!({ "file": file, "policy": policy, "cases": cases.iter().map(TestedCase::value).collect::<Vec<_>>() });
    let files: Vec<Value> = tested.iter().map(of_file).collect();
    json!({ "cloud": "simulated", "files": files, "passed": count(tested) - failed, "failed": failed })
}

fn text(tested: &[TestedFile], failed: usize) -> String {
    let of_file = |TestedFile { file, policy, cases }: &TestedFile| {
        let policy =
            policy.as_ref().map_or_else(|| "the built-in policy".to_owned(), |policy| format!("`{policy}`"));
        let cases: String = cases.iter().map(|case| case.text(file)).collect();
        format!("{file}, with {policy}\n{cases}\n")
    };
    let files: String = tested.iter().map(of_file).collect();
    let passed = count(tested) - failed;
    format!("{SIMULATED}{files}{passed} passed, {failed} failed\n")
}

fn count(tested: &[TestedFile]) -> usize {
    tested.iter().map(|file| file.cases.len()).sum()
}
