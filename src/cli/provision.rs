//! `stepladder provision` and `stepladder teardown`: what the function works with on OCI, from the policy file.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use stepladder::platform::oci::provision::{
    Access, PlannedCall, Planner, Report, carry_out, is_ours, plan as provisioning, propose, removal,
};
use stepladder::platform::oci::provision::{Desired, Topic, desired};
use stepladder::platform::simulated::{SimulatedCloud, World};
use stepladder::platform::{self, Client};
use stepladder::{config, text};

use super::{Failure, Format, PolicyOption, Printed, read_world, wait, wall_clock, write_world};

/// Where it shall stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// An in-memory cloud: needs no account
    Simulated,
    /// Oracle Cloud Infrastructure
    Oci,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Simulated => "the simulated cloud",
            Self::Oci => "OCI",
        })
    }
}

/// Set up the alarms, the topic and its subscription that the policy's table `[oci]` names
#[derive(Debug, Args)]
#[command(
    after_help = "It shows what stands, what would be created or changed, and what an administrator has to allow.
With --apply it does so; a second run finds nothing to do. What it did not make itself it never
changes or deletes. It looks at the compartments that the table names, and at no others.

Exit codes: 0 done, or nothing is in the way; 1 something failed or is in the way; 2 unusable policy.

Examples:
  stepladder provision --policy stepladder.toml --cloud oci
  stepladder provision --policy stepladder.toml --cloud oci --apply
  stepladder provision --policy stepladder.toml --world world.json --save --apply"
)]
pub(super) struct Provision {
    #[command(flatten)]
    pub(super) options: Options,
}

/// Remove what `provision` has set up, and the paired alarms of its deployments
#[derive(Debug, Args)]
#[command(
    after_help = "It shows what would be deleted, and with --apply deletes it: only what is marked as stepladder's own.
A topic that something else in the same compartment listens to or notifies, or that was not created
by `provision`, stays: what uses it from other compartments is not seen. Deployments keep the size
that they have.

Exit codes: 0 done, or nothing is in the way; 1 something failed; 2 unusable policy.

Examples:
  stepladder teardown --policy stepladder.toml --cloud oci
  stepladder teardown --policy stepladder.toml --cloud oci --apply"
)]
pub(super) struct Teardown {
    #[command(flatten)]
    pub(super) options: Options,
}

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    policy: PolicyOption,
    /// Where it shall stand
    #[arg(long, value_enum, default_value_t = Kind::Simulated)]
    cloud: Kind,
    /// Send the calls; without it they are only shown
    #[arg(long)]
    apply: bool,
    /// The simulated cloud's state to start from [default: nothing stands]
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
    pub(super) fn run(&self) -> Result<Printed, Failure> {
        let (wanted, report) = self.options.run(provisioning)?;
        let access = Access::of(&wanted);
        let action = alarm_action(&wanted, &report);
        Ok(match self.options.format {
            Format::Json => {
                let mut value = self.options.value(&wanted, &report);
                value["configuration"] = json!({ config::ALARM_ACTION: action });
                value["matching_rule"] = json!(access.matching_rule);
                value["statements"] = json!(access.function);
                value["operator_statements"] = json!(access.operator);
                Printed { exit: exit(&report, self.options.apply), ..Printed::json(&value) }
            }
            Format::Text => {
                let action = action.unwrap_or("the topic's OCID, known when it is created");
                let text = format!("{}\n{}", self.options.text(&wanted, &report), rest(action, &access));
                Printed { text, exit: exit(&report, self.options.apply) }
            }
        })
    }
}

impl Teardown {
    pub(super) fn run(&self) -> Result<Printed, Failure> {
        let (wanted, report) = self.options.run(removal)?;
        let exit = exit(&report, self.options.apply);
        Ok(match self.options.format {
            Format::Json => Printed { exit, ..Printed::json(&self.options.value(&wanted, &report)) },
            Format::Text => Printed { text: self.options.text(&wanted, &report), exit },
        })
    }
}

impl Options {
    fn run(&self, planner: Planner) -> Result<(Desired, Report), Failure> {
        let wanted = desired(&self.policy.load()?.provision).cloned().ok_or_else(|| {
            let message =
                "the policy has no table `[oci]`: expected `compartment`, `deployments` and `function` in it";
            Failure::unusable("policy", message.to_owned())
        })?;
        let report = match self.cloud {
            Kind::Simulated => {
                self.warn_of_replay();
                let world = self.world.as_deref().map_or_else(|| Ok(World::default()), read_world)?;
                let cloud = SimulatedCloud::new(world);
                let report = self.on(&cloud, &wanted, planner)?;
                if let (true, Some(path)) = (self.save, &self.world) {
                    write_world(path, &cloud)?;
                }
                report
            }
            Kind::Oci if self.world.is_some() => {
                let message = "`--world` belongs to the simulated cloud: leave it out with `--cloud oci`";
                return Err(Failure::unusable("usage", message.to_owned()));
            }
            Kind::Oci => {
                let cloud = platform::oci().map_err(|error| Failure::unusable("cloud", error.to_string()))?;
                self.on(cloud.as_ref(), &wanted, planner)?
            }
        };
        Ok((wanted, report))
    }

    /// What happens on a simulated cloud that is kept nowhere is easily taken for the real thing.
    fn warn_of_replay(&self) {
        if self.apply && self.world.is_none() {
            let told = "this is the simulated cloud, and nothing of it is kept: `--cloud oci` works on OCI, \
                        `--world FILE --save` keeps a replay";
            // Nobody is left to be told when standard error is gone.
            let _ = writeln!(io::stderr(), "warning: {told}");
        }
    }

    fn on(&self, cloud: &dyn Client, wanted: &Desired, planner: Planner) -> Result<Report, Failure> {
        let run = wall_clock();
        let report = if self.apply {
            wait(carry_out(wanted, planner, cloud, run))?
        } else {
            wait(propose(wanted, planner, cloud, run))?
        };
        report.map_err(|error| Failure::broken(error.kind(), told(&error, wanted)))
    }

    fn value(&self, wanted: &Desired, report: &Report) -> Value {
        let sent = report.sent.iter().map(|sent| match &sent.answer {
            Ok(answer) => step_value(&sent.step, "done", Some(answer)),
            Err(error) => step_value(&sent.step, "failed", Some(&error.to_string())),
        });
        let word = if self.apply { "left" } else { "planned" };
        let left = report.left.iter().map(|step| step_value(step, word, None));
        json!({
            "cloud": self.cloud.to_possible_value().map(|kind| kind.get_name().to_owned()),
            "standing": report.plan.standing,
            "steps": sent.chain(left).collect::<Vec<_>>(),
            "conflicts": report.plan.conflicts,
            "notes": report.plan.notes,
            "nothing_left": report.nothing_left(),
            "error": report.error.as_ref().map(|error| json!({ "kind": error.kind(), "message": told(error, wanted) })),
        })
    }

    fn text(&self, wanted: &Desired, report: &Report) -> String {
        let mut text = format!("On {}\n\n", self.cloud);
        section(&mut text, "Stands already", report.plan.standing.iter().map(|line| vec![line.clone()]));
        let sent = report.sent.iter().map(|sent| {
            let mut lines = step_lines(&sent.step);
            lines.push(match &sent.answer {
                Ok(answer) => format!("  done: {answer}"),
                Err(error) => format!("  failed: {error}"),
            });
            lines
        });
        section(&mut text, "Sent", sent);
        let word = if self.apply { "Left to do" } else { "To do" };
        section(&mut text, word, report.left.iter().map(step_lines));
        section(&mut text, "In the way", report.plan.conflicts.iter().map(|line| vec![line.clone()]));
        section(&mut text, "Notes", report.plan.notes.iter().map(|line| vec![line.clone()]));
        text.push_str(&self.ending(wanted, report));
        text
    }

    /// How it ended, in a sentence.
    fn ending(&self, wanted: &Desired, report: &Report) -> String {
        let sentence = match &report.error {
            Some(error) => format!("It failed: {}. Run it again to go on.", told(error, wanted)),
            None if !report.plan.conflicts.is_empty() => {
                "Nothing is sent while something is in the way.".to_owned()
            }
            None if report.left.is_empty() && report.sent.is_empty() => "Nothing is to be done.".to_owned(),
            None if report.left.is_empty() => "Done.".to_owned(),
            None if self.apply => {
                "Not all of it can be seen yet: run it again in a minute to make sure.".to_owned()
            }
            None => "Nothing was sent: run it with `--apply` to do so.".to_owned(),
        };
        format!("{}\n", text::plain(&sentence))
    }
}

fn exit(report: &Report, apply: bool) -> u8 {
    let well = if apply {
        report.nothing_left()
    } else {
        report.plan.conflicts.is_empty() && report.error.is_none()
    };
    u8::from(!well)
}

/// The error with what can be done about it. It is a person who lacks a permission here, not the function.
fn told(error: &platform::Error, wanted: &Desired) -> String {
    let lacking = if let platform::Error::Denied { operation, .. }
    | platform::Error::Hidden { operation, .. } = error
    {
        Access::lacking(wanted, operation)
    } else {
        None
    };
    match lacking.map(|statement| format!("you need `{statement}`")).or_else(|| error.hint()) {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}

/// What the function is to be told.
fn alarm_action<'a>(wanted: &'a Desired, report: &'a Report) -> Option<&'a str> {
    match (&wanted.topic, &report.topic) {
        (Topic::Given(id), _) => Some(id),
        (Topic::Named(_), Some(seen)) if is_ours(wanted, &seen.tags) => Some(&seen.id),
        (Topic::Named(_), _) => None,
    }
}

fn rest(action: &str, access: &Access) -> String {
    let mut text = String::new();
    let lines = |all: &[String]| all.iter().map(|line| vec![line.clone()]).collect::<Vec<_>>();
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
    section(&mut text, "The policy statements that the function needs", lines(&access.function).into_iter());
    section(
        &mut text,
        "The policy statements that you need to provision",
        lines(&access.operator).into_iter(),
    );
    text.trim_end().to_owned() + "\n"
}

/// A heading and its entries, of one line or several; nothing where there are none.
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
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    lines.extend(
        step.changes
            .iter()
            .map(|change| format!("  {}: {} → {}", change.field, shown(&change.from), shown(&change.to))),
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
