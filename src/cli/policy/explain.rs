//! `stepladder policy explain`: prints the active rules and settings of one target, and the origin of each.

use std::fmt::Write as _;

use clap::Args;
use comfy_table::{Table, presets};
use jiff::Timestamp;
use serde_json::{Value, json};
use stepladder::pair::Pair;
use stepladder::platform::{self, target};
use stepladder::policy::tags::UnreadableTag;
use stepladder::policy::{
    ActiveSchedule, ExplainRequest, Explained, ExplainedRule, MatchedRule, Role, Setting,
};
use stepladder::scaling::{ScalingPolicy, StepAdjustment, StepAdjustments};
use stepladder::size::{Axis, Direction};
use stepladder::tags::{self, Tags};
use stepladder::target::TargetId;
use stepladder::text::{number, plain};

use super::super::{CommandError, CommandOutput, Format, PolicyOption, parse_time, wall_clock};

/// Show the rules and settings that are active for one target, and the origin of each
#[derive(Debug, Args)]
#[command(
    after_help = "The deployment is not observed: pass its tags with --tag. `stepladder explain` also shows the platform's \
own bounds. Exit codes: 0 explained, also where no rule applies; 2 unusable target, tag or policy.

Examples:
  stepladder policy explain endpoint/churn/variant/AllTraffic --policy stepladder.toml
  stepladder policy explain endpoint/churn/variant/AllTraffic --alarm churn-high-cpu
  stepladder policy explain endpoint/churn/variant/AllTraffic --at 2026-03-29T06:30:00Z
  stepladder policy explain endpoint/churn/variant/AllTraffic --tag stepladder:min=3"
)]
pub(super) struct PolicyExplainOptions {
    /// The target: a model deployment's OCID, or `endpoint/<name>/variant/<name>`
    #[arg(value_name = "TARGET")]
    target: String,
    /// Only the rule for an alarm of this name [default: every rule that may apply]
    #[arg(long, value_name = "NAME")]
    alarm: Option<String>,
    /// The current time, for schedules and pauses [default: now]
    #[arg(long, value_name = "RFC3339", value_parser = parse_time)]
    at: Option<Timestamp>,
    /// A tag of the deployment; may be given several times
    #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = parse_tag)]
    tags: Vec<(String, String)>,
    #[command(flatten)]
    policy: PolicyOption,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

fn parse_tag(text: &str) -> Result<(String, String), String> {
    let (name, value) =
        text.split_once('=').ok_or("expected a name and a value, as in `stepladder:min=3`")?;
    if !tags::is_ours(name) {
        return Err(format!("expected a name that begins with `{}`, as in `stepladder:min=3`", tags::PREFIX));
    }
    Ok((name.to_owned(), value.to_owned()))
}

impl PolicyExplainOptions {
    pub(super) fn run(self) -> Result<CommandOutput, CommandError> {
        let Some(target) = platform::target_id(&self.target) else {
            let expected = "expected a model deployment's OCID, `ocid1.datasciencemodeldeployment.…`, or \
                            `endpoint/<name>/variant/<name>`";
            let found = plain(&self.target);
            return Err(CommandError::invalid_input(
                "target",
                format!("`{found}` is not a target: {expected}"),
            ));
        };
        let policy = self.policy.load()?;
        let tags: Tags = self.tags.into_iter().collect();
        let now = self.at.unwrap_or_else(wall_clock);
        let explained =
            policy.explain(&ExplainRequest { target: &target, now, tags: &tags }, self.alarm.as_deref());
        let explanation =
            TargetExplanation { target: &target, now, alarm: self.alarm.as_deref(), explained: &explained };
        Ok(match self.format {
            Format::Json => CommandOutput::json(&explanation.value()),
            Format::Text => CommandOutput::success(explanation.text()),
        })
    }
}

/// An explained policy, and the target, time and alarm that it was explained for.
struct TargetExplanation<'a> {
    target: &'a TargetId,
    now: Timestamp,
    alarm: Option<&'a str>,
    explained: &'a Explained<'a>,
}

impl TargetExplanation<'_> {
    fn text(&self) -> String {
        let mut parts = vec![self.heading()];
        let rules = &self.explained.rules;
        for (i, rule) in rules.iter().enumerate() {
            let previous = i.checked_sub(1).and_then(|previous| rules.get(previous));
            let same_settings = previous.is_some_and(|previous| previous.settings == rule.settings);
            parts.push(rule_text(rule, self.target, same_settings));
        }
        if rules.is_empty() {
            let alarm =
                self.alarm.map_or_else(|| "any alarm".to_owned(), |alarm| format!("`{}`", plain(alarm)));
            parts.push(format!("No rule applies to {alarm} on this target.\n"));
        }
        parts.join("\n")
    }

    /// The part that is the same for every rule.
    fn heading(&self) -> String {
        let Explained { allowed, schedules, pause, unreadable, .. } = self.explained;
        let mut text = plain(&format!("{} at {:.0}", self.target, self.now)) + "\n";
        // Writing to a string cannot fail.
        let mut line = |line: String| {
            let _ = writeln!(text, "  {}", plain(&line));
        };
        if !allowed {
            line("the policy's list `targets` does not include it, so no alarm changes it".to_owned());
        }
        for active in schedules {
            let ActiveSchedule { place, schedule, .. } = active;
            let bounds = [
                schedule.min.map(|min| format!("at least {min}")),
                schedule.max.map(|max| format!("at most {max}")),
            ];
            let bounds = bounds.into_iter().flatten().collect::<Vec<_>>().join(" and ");
            line(format!("`[[schedule]]` {place} is active {}: {bounds}", active.lasts()));
        }
        if let Some(pause) = pause {
            let expired = [Direction::Up, Direction::Down]
                .into_iter()
                .all(|direction| !pause.stops(direction, self.now));
            line(format!("scaling {} paused by {pause}", if expired { "is no longer" } else { "is" }));
        }
        if let Some(unreadable) = unreadable {
            let UnreadableTag { tag, problem } = unreadable;
            line(format!("its tag `{tag}` cannot be read, so nothing would be changed: {problem}"));
        }
        text
    }

    fn value(&self) -> Value {
        let Explained { allowed, schedules, pause, unreadable, rules } = self.explained;
        let schedule = |ActiveSchedule { place, schedule, until }: &ActiveSchedule| json!({ "schedule": place, "min": schedule.min, "max": schedule.max, "until": until });
        let paused = pause.as_ref().map(|pause| {
            json!({ "by": pause.to_string(), "up": pause.stops(Direction::Up, self.now), "down": pause.stops(Direction::Down, self.now) })
        });
        json!({
            "target": self.target.as_str(),
            "kind": self.target.kind().to_string(),
            "at": self.now,
            "alarm": self.alarm,
            "allowed": allowed,
            "schedules": schedules.iter().map(schedule).collect::<Vec<_>>(),
            "paused": paused,
            "unreadable_tag": unreadable.as_ref().map(|unreadable| json!({ "tag": unreadable.tag, "problem": unreadable.problem })),
            "rules": rules.iter().map(|rule| rule_value(rule, self.target)).collect::<Vec<_>>(),
        })
    }
}

fn rule_text(
    ExplainedRule { matched, settings }: &ExplainedRule,
    target: &TargetId,
    same_settings: bool,
) -> String {
    let MatchedRule { rule, role, by } = matched;
    let targets = rule.targets();
    let on = if targets == "*" { String::new() } else { format!(" on `{targets}`") };
    let heading = match role {
        Role::Pair => format!("{} scales back on `{by}`, its pair", rule.origin),
        Role::Rule | Role::Schedule | Role::ReconcileOnly => format!("{} answers `{by}`{on}", rule.origin),
    };
    let mut text = plain(&heading) + "\n";
    // Writing to a string cannot fail.
    let mut line = |label: &str, value: &str| {
        let _ = writeln!(text, "  {label:<20} {}", plain(value));
    };
    line("changes", &changes_of(matched, target));
    if let Some(pair) = &rule.pair {
        line("pair", &pair_text(pair, target, rule.axis));
    }
    let bounds = rule.is.instances;
    if bounds.min > bounds.max {
        line("count", "its floor lies above its ceiling, so one of them cannot be kept");
    }
    if same_settings {
        line("settings", "the same as above");
    } else {
        for setting in settings {
            line(setting.key, &setting_text(setting));
        }
    }
    text + &steps_text(matched)
}

/// The step adjustments of the rule, and those of its pair.
fn steps_text(matched: &MatchedRule) -> String {
    let pair = matched.rule.pair.as_ref().filter(|_| matched.role != Role::Pair);
    let of_pair = pair.map(|pair| ("steps of the pair", &pair.scaling_policy));
    let scaling_policies = [Some(("steps from the threshold", matched.scaling_policy())), of_pair];
    let mut text = String::new();
    for (title, scaling_policy) in scaling_policies.into_iter().flatten() {
        if let ScalingPolicy::Steps(steps) = scaling_policy {
            // Writing to a string cannot fail.
            let _ = write!(text, "  {title}\n{}", steps_table(steps));
        }
    }
    text
}

fn setting_text(setting: &Setting) -> String {
    let replaced =
        setting.without_tags.as_ref().map_or_else(String::new, |value| format!(", instead of {value}"));
    format!("{:<28} {}{replaced}", setting.value, setting.set_by())
}

fn changes(axis: Axis, scaling_policy: &ScalingPolicy) -> String {
    match scaling_policy {
        ScalingPolicy::Cheapest => format!("count and shape, {scaling_policy}"),
        ScalingPolicy::Step(_) | ScalingPolicy::Steps(_) | ScalingPolicy::Track(_) => {
            format!("{axis} {scaling_policy}")
        }
    }
}

/// What a rule changes on a target; nothing where a target of its kind has no such axis.
fn changes_of(matched: &MatchedRule, target: &TargetId) -> String {
    let axis = matched.rule.axis;
    match target::of(target.kind()) {
        Some(row) if !row.axes.contains(&axis) => format!("nothing: a target of this kind has no {axis}"),
        Some(_) | None => changes(axis, matched.scaling_policy()),
    }
}

fn pair_text(pair: &Pair, target: &TargetId, axis: Axis) -> String {
    let name = platform::pair_name(target, &pair.alarm);
    let (metric, below, window) = (metric_name(pair, target), number(pair.below), pair.window);
    let again = repeat(pair, target).map_or_else(String::new, |repeat| format!(", again every {repeat}"));
    let changes = changes(axis, &pair.scaling_policy);
    format!("`{name}`: {metric} below {below} over {window:#}{again}: {changes}")
}

/// The pair's metric, as the target's platform spells it.
fn metric_name<'a>(pair: &'a Pair, target: &TargetId) -> &'a str {
    let known = target::of(target.kind()).and_then(|row| row.metric(&pair.metric));
    known.map_or(&pair.metric, |metric| metric.name)
}

/// How often the pair notifies again while it fires. `None` where its service notifies once, and the tick repeats it.
fn repeat(pair: &Pair, target: &TargetId) -> Option<String> {
    let is_ticked = target::of(target.kind()).is_some_and(|row| row.is_ticked);
    (!is_ticked).then(|| format!("{:#}", pair.repeat))
}

fn steps_table(steps: &StepAdjustments) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["    above", "below", "change"]);
    let bound = |bound: Option<f64>| {
        bound.map_or_else(
            || "no end".to_owned(),
            |bound| if bound == 0.0 { "0".to_owned() } else { format!("{:+}", number(bound)) },
        )
    };
    for step in &steps.steps {
        table.add_row([format!("    {}", bound(step.above)), bound(step.below), step.adjustment.to_string()]);
    }
    let least = if steps.min_step > 1 { format!("    at least {}\n", steps.min_step) } else { String::new() };
    format!("{}\n{least}", table.trim_fmt())
}

fn rule_value(ExplainedRule { matched, settings }: &ExplainedRule, target: &TargetId) -> Value {
    let MatchedRule { rule, role, by } = matched;
    let (role, by) = match role {
        Role::Pair => ("pair", json!(by)),
        Role::Rule | Role::Schedule | Role::ReconcileOnly => ("answers", Value::Null),
    };
    let setting = |setting: &Setting| json!({ "key": setting.key, "value": setting.value, "by": setting.set_by(), "instead_of": setting.without_tags });
    json!({
        "rule": rule.origin,
        "role": role,
        "pair_alarm": by,
        "alarm": rule.alarms(),
        "target": rule.targets(),
        "axis": axis_text(rule.axis, &rule.scaling_policy),
        "scaling_policy": scaling_policy_value(matched.scaling_policy()),
        "pair": rule.pair.as_ref().map(|pair| json!({
            "name": platform::pair_name(target, &pair.alarm),
            "metric": metric_name(pair, target),
            "below": pair.below,
            "window": format!("{:#}", pair.window),
            "repeat": repeat(pair, target),
            "scaling_policy": scaling_policy_value(&pair.scaling_policy),
        })),
        "settings": settings.iter().map(setting).collect::<Vec<_>>(),
    })
}

/// The axis, with the policy's spelling.
fn axis_text(axis: Axis, scaling_policy: &ScalingPolicy) -> String {
    if matches!(scaling_policy, ScalingPolicy::Cheapest) { "cheapest".to_owned() } else { axis.to_string() }
}

/// The scaling policy, with the policy file's spelling. Steps are printed with both bounds.
fn scaling_policy_value(scaling_policy: &ScalingPolicy) -> Value {
    match scaling_policy {
        ScalingPolicy::Step(step) => json!({ "step": step }),
        ScalingPolicy::Track(to) => json!({ "track": to }),
        ScalingPolicy::Cheapest => json!("cheapest"),
        ScalingPolicy::Steps(steps) => {
            let step = |step: &StepAdjustment| json!({ "above": step.above, "below": step.below, "change": step.adjustment.to_string() });
            json!({ "steps": steps.steps.iter().map(step).collect::<Vec<_>>(), "min_step": steps.min_step })
        }
    }
}
