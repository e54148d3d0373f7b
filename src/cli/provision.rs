//! `stepladder provision` and `stepladder teardown`: create and delete the topic and alarms of the policy on OCI.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use stepladder::platform::oci::provision::{
    Access, Desired, PlannedCall, Planner, Report, Topic, carry_out, desired, is_ours, plan as provisioning,
    propose, removal,
};
use stepladder::platform::{self, Client};
use stepladder::{config, text};

use super::cloud::SIMULATED;
use super::{
    CommandError, CommandOutput, Format, PolicyOption, simulated_cloud, terminal, wait, wall_clock,
    write_world,
};

/// The cloud to provision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ProvisionCloud {
    /// An in-memory cloud: needs no account
    Simulated,
    /// Oracle Cloud Infrastructure
    Oci,
}

impl ProvisionCloud {
    /// What comes before the text of a report.
    fn heading(self) -> &'static str {
        match self {
            Self::Simulated => SIMULATED,
            Self::Oci => "Oracle Cloud Infrastructure\n\n",
        }
    }
}

/// Create the topic, its subscription and the alarms of the policy's table `[oci]`
#[derive(Debug, Args)]
#[command(
    after_help = "Shows what exists, what would be created or changed, and the policy statements that an administrator has to add. \
--apply sends the calls; a second run then finds nothing to do. Resources that stepladder did not create are never \
changed or deleted. Only the compartments in the table are read.

Exit codes: 0 done, or no conflict; 1 a failure or a conflict; 2 unusable policy.

Examples:
  stepladder provision --policy stepladder.toml --cloud oci
  stepladder provision --policy stepladder.toml --cloud oci --apply
  stepladder provision --policy stepladder.toml --world world.json --save --apply"
)]
pub(super) struct Provision {
    #[command(flatten)]
    pub(super) options: ProvisionOptions,
}

/// Delete what `provision` created, and the paired alarms of its deployments
#[derive(Debug, Args)]
#[command(
    after_help = "Shows what would be deleted; --apply deletes it. Only resources with stepladder's marker are deleted. A topic stays \
if `provision` did not create it, or if another alarm or subscription in its compartment uses it. Other compartments \
are not checked. Deployments keep their size.

Exit codes: 0 done, or nothing to do; 1 a failure; 2 unusable policy.

Examples:
  stepladder teardown --policy stepladder.toml --cloud oci
  stepladder teardown --policy stepladder.toml --cloud oci --apply"
)]
pub(super) struct Teardown {
    #[command(flatten)]
    pub(super) options: ProvisionOptions,
}

#[derive(Debug, Args)]
pub(super) struct ProvisionOptions {
    #[command(flatten)]
    policy: PolicyOption,
    /// The cloud to use
    #[arg(long, value_enum, default_value_t = ProvisionCloud::Simulated)]
    cloud: ProvisionCloud,
    /// Send the calls [default: only show them]
    #[arg(long)]
    apply: bool,
    /// The simulated cloud's state to start from [default: an empty cloud]
    #[arg(long, value_name = "FILE")]
    world: Option<PathBuf>,
    /// Write the simulated cloud's state back to the file of --world
    #[arg(long, requires = "world")]
    save: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

impl Provision {
    pub(super) fn run(&self) -> Result<CommandOutput, CommandError> {
        let (desired, report) = self.options.run(provisioning)?;
        let access = Access::of(&desired);
        let action = alarm_action(&desired, &report);
        Ok(match self.options.format {
            Format::Json => {
                let mut value = self.options.value(&desired, &report);
                value["configuration"] = json!({ config::ALARM_ACTION: action });
                value["matching_rule"] = json!(access.matching_rule);
                value["statements"] = json!(access.function);
                value["operator_statements"] = json!(access.operator);
                CommandOutput {
                    exit_code: exit_code(&report, self.options.apply),
                    ..CommandOutput::json(&value)
                }
            }
            Format::Text => {
                let action = action.unwrap_or("the topic's OCID, known when it is created");
                let text =
                    format!("{}\n{}", self.options.text(&desired, &report), setup_text(action, &access));
                CommandOutput { text, exit_code: exit_code(&report, self.options.apply) }
            }
        })
    }
}

impl Teardown {
    pub(super) fn run(&self) -> Result<CommandOutput, CommandError> {
        let (desired, report) = self.options.run(removal)?;
        let exit_code = exit_code(&report, self.options.apply);
        Ok(match self.options.format {
            Format::Json => {
                CommandOutput { exit_code, ..CommandOutput::json(&self.options.value(&desired, &report)) }
            }
            Format::Text => CommandOutput { text: self.options.text(&desired, &report), exit_code },
        })
    }
}

impl ProvisionOptions {
    fn run(&self, planner: Planner) -> Result<(Desired, Report), CommandError> {
        let desired = desired(&self.policy.load()?.provision).cloned().ok_or_else(|| {
            let message =
                "the policy has no table `[oci]`: add one with `compartment`, `deployments` and `function`";
            CommandError::invalid_input("policy", message.to_owned())
        })?;
        let report = match self.cloud {
            ProvisionCloud::Simulated => {
                self.warn_of_discarded_state();
                let simulated = simulated_cloud(self.world.as_deref())?;
                let report = self.run_on(&simulated, &desired, planner)?;
                if let (true, Some(path)) = (self.save, &self.world) {
                    write_world(path, &simulated)?;
                }
                report
            }
            ProvisionCloud::Oci if self.world.is_some() => {
                let message =
                    "`--world` is the state of the simulated cloud: remove it, or remove `--cloud oci`";
                return Err(CommandError::invalid_input("usage", message.to_owned()));
            }
            ProvisionCloud::Oci => {
                let client = platform::oci()
                    .map_err(|error| CommandError::invalid_input("cloud", error.to_string()))?;
                self.run_on(client.as_ref(), &desired, planner)?
            }
        };
        Ok((desired, report))
    }

    /// Warns that `--apply` without `--world` changes nothing lasting. Its output looks like that of a real cloud.
    fn warn_of_discarded_state(&self) {
        if self.apply && self.world.is_none() {
            let message = "the simulated cloud is discarded when the command ends: use `--cloud oci` for OCI, or \
                        `--world FILE --save` to keep the simulated state";
            terminal::warning(message);
        }
    }

    fn run_on(
        &self,
        client: &dyn Client,
        desired: &Desired,
        planner: Planner,
    ) -> Result<Report, CommandError> {
        let now = wall_clock();
        let report = if self.apply {
            wait(carry_out(desired, planner, client, now))?
        } else {
            wait(propose(desired, planner, client, now))?
        };
        report.map_err(|error| CommandError::failed(error.kind(), error_text(&error, desired)))
    }

    fn value(&self, desired: &Desired, report: &Report) -> Value {
        let sent = report.sent.iter().map(|sent| match &sent.answer {
            Ok(answer) => step_value(&sent.step, "done", Some(answer)),
            Err(error) => step_value(&sent.step, "failed", Some(&error.to_string())),
        });
        let status = if self.apply { "left" } else { "planned" };
        let left = report.left.iter().map(|step| step_value(step, status, None));
        json!({
            "cloud": self.cloud.to_possible_value().map(|cloud| cloud.get_name().to_owned()),
            "standing": report.plan.existing,
            "steps": sent.chain(left).collect::<Vec<_>>(),
            "conflicts": report.plan.conflicts,
            "notes": report.plan.notes,
            "nothing_left": report.nothing_left(),
            "error": report.error.as_ref().map(|error| json!({ "kind": error.kind(), "message": error_text(error, desired) })),
        })
    }

    fn text(&self, desired: &Desired, report: &Report) -> String {
        let mut text = self.cloud.heading().to_owned();
        section(&mut text, "Exists already", report.plan.existing.iter().map(|line| vec![line.clone()]));
        let sent = report.sent.iter().map(|sent| {
            let mut lines = step_lines(&sent.step);
            lines.push(match &sent.answer {
                Ok(answer) => format!("  done: {answer}"),
                Err(error) => format!("  failed: {error}"),
            });
            lines
        });
        section(&mut text, "Sent", sent);
        let heading = if self.apply { "Not done" } else { "To do" };
        section(&mut text, heading, report.left.iter().map(step_lines));
        section(&mut text, "Conflicts", report.plan.conflicts.iter().map(|line| vec![line.clone()]));
        section(&mut text, "Notes", report.plan.notes.iter().map(|line| vec![line.clone()]));
        text.push_str(&self.summary(desired, report));
        text
    }

    /// The result, in a sentence.
    fn summary(&self, desired: &Desired, report: &Report) -> String {
        let sentence = match &report.error {
            Some(error) => {
                format!("Failed: {}. Run the command again to continue.", error_text(error, desired))
            }
            None if !report.plan.conflicts.is_empty() => {
                "No call is sent while there are conflicts.".to_owned()
            }
            None if report.left.is_empty() && report.sent.is_empty() => "Nothing to do.".to_owned(),
            None if report.left.is_empty() => "Done.".to_owned(),
            None if self.apply => {
                "Not every change is visible yet: run the command again in a minute to verify.".to_owned()
            }
            None => "No call was sent: add `--apply` to send them.".to_owned(),
        };
        format!("{}\n", text::plain(&sentence))
    }
}

fn exit_code(report: &Report, apply: bool) -> u8 {
    let succeeded = if apply {
        report.nothing_left()
    } else {
        report.plan.conflicts.is_empty() && report.error.is_none()
    };
    u8::from(!succeeded)
}

/// The error and its remedy. Here the operator lacks the permission, not the function, so the operator's statement is
/// named.
fn error_text(error: &platform::Error, desired: &Desired) -> String {
    let missing_statement = if let platform::Error::Denied { operation, .. }
    | platform::Error::Hidden { operation, .. } = error
    {
        Access::lacking(desired, operation)
    } else {
        None
    };
    match missing_statement.map(|statement| format!("you need `{statement}`")).or_else(|| error.hint()) {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}

/// The topic for the function's configuration, if it exists.
fn alarm_action<'a>(desired: &'a Desired, report: &'a Report) -> Option<&'a str> {
    match (&desired.topic, &report.topic) {
        (Topic::Given(id), _) => Some(id),
        (Topic::Named(_), Some(existing)) if is_ours(desired, &existing.tags) => Some(&existing.id),
        (Topic::Named(_), _) => None,
    }
}

/// What the operator has to configure besides: the function, its dynamic group and the policy statements.
fn setup_text(action: &str, access: &Access) -> String {
    let mut text = String::new();
    let entries = |lines: &[String]| lines.iter().map(|line| vec![line.clone()]).collect::<Vec<_>>();
    section(
        &mut text,
        "The function's configuration",
        [vec![format!("{} = {action}", config::ALARM_ACTION)]].into_iter(),
    );
    section(
        &mut text,
        "The matching rule of its dynamic group `stepladder`",
        [vec![access.matching_rule.clone()]].into_iter(),
    );
    section(
        &mut text,
        "The policy statements that the function needs",
        entries(&access.function).into_iter(),
    );
    section(
        &mut text,
        "The policy statements that you need to provision",
        entries(&access.operator).into_iter(),
    );
    text.trim_end().to_owned() + "\n"
}

/// Appends a heading and its entries, of one line or more each; appends nothing without entries.
fn section(text: &mut String, heading: &str, entries: impl Iterator<Item = Vec<String>>) {
    let mut entries = entries.peekable();
    if entries.peek().is_none() {
        return;
    }
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{heading}");
    for line in entries.flatten() {
        let _ = writeln!(text, "  {}", text::plain(&line));
    }
    text.push('\n');
}

fn step_lines(step: &PlannedCall) -> Vec<String> {
    let mut lines = vec![format!("{} ({})", step.call, step.call.operation())];
    let display = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    lines.extend(
        step.changes
            .iter()
            .map(|change| format!("  {}: {} → {}", change.field, display(&change.from), display(&change.to))),
    );
    lines
}

fn step_value(step: &PlannedCall, status: &str, answer: Option<&str>) -> Value {
    json!({
        "call": step.call.operation(),
        "detail": step.call.to_string(),
        "status": status,
        "answer": answer,
        "changes": step.changes,
    })
}
