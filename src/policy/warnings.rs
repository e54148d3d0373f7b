//! What is valid in a policy and surely a mistake: `stepladder policy check` warns of it.

use wildmatch::WildMatch;

use super::globs::{is_exact, may_meet};
use super::rule::Rule;
use super::{Policy, Schedule};
use crate::ladder::Resource;
use crate::platform::target::{self, Target};
use crate::platform::{PLATFORMS, ProvisionTable, target_id};
use crate::scaling::{ScalingPolicy, StepAdjustments};
use crate::text::number;

/// A percentage up to this may be meant as a fraction: 1 is all of it then.
const LARGEST_FRACTION: f64 = 1.0;

/// What only a regular expression has, and no name of an alarm.
const OF_REGULAR_EXPRESSIONS: [&str; 6] = ["^", "$", "|", "\\", ".+", "(?"];

/// The percentage that a fraction means; `None` for a number that is no fraction.
pub(super) fn meant_by_fraction(value: f64) -> Option<f64> {
    (value > 0.0 && value <= LARGEST_FRACTION).then_some(value * 100.0)
}

impl Policy {
    /// Warnings, one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let of_rules = self.rules.iter().take(self.own_rules).flat_map(|rule| {
            let of_target = self.of_target(&rule.target, "it never answers");
            let warnings = of_rule(rule).into_iter().chain(of_target);
            warnings.map(|warning| format!("{}: {warning}", rule.origin))
        });
        let of_tables = self.targets.iter().enumerate().filter_map(|(i, table)| {
            let warning = self.of_target(&table.glob, "its settings apply to nothing")?;
            Some(format!("target {}: {warning}", i + 1))
        });
        let of_schedules = self.schedules.iter().enumerate().filter_map(|(i, schedule)| {
            let bounds = if schedule.min.is_some() { "minimum" } else { "maximum" };
            let of_target = self.of_target(schedule.target(), &format!("nothing reaches its {bounds}"));
            let warning = of_target.or_else(|| self.unreached(schedule))?;
            Some(format!("schedule {}: {warning}", i + 1))
        });
        let of_several = self.of_several_rules().chain(self.of_lists());
        of_several.chain(of_rules).chain(of_tables).chain(of_schedules).chain(self.surprises()).collect()
    }

    /// Rules that never answer, or that nothing undoes, because of the rules beside them.
    fn of_several_rules(&self) -> impl Iterator<Item = String> {
        let shadowed = self.shadowed().into_iter().map(|(rule, by)| {
            let (rule, by) = (&rule.origin, &by.origin);
            format!("{rule} never answers: {by} has the same `alarm` and `target`, and comes first")
        });
        let unpaired = self.unpaired().into_iter().map(|rule| {
            format!(
                "{} adds and has no `pair`: nothing removes what it adds; expected a `pair`, or a rule that scales down \
                 on the same axis",
                rule.origin
            )
        });
        shadowed.chain(unpaired)
    }

    /// A table's glob that matches no target, or none that the policy's `targets` include.
    fn of_target(&self, glob: &WildMatch, so: &str) -> Option<String> {
        let text = glob.to_string();
        of_target_glob(glob, "target").or_else(|| {
            let is_included = self.lists.may_hold(&text);
            (!is_included).then(|| format!("the policy's `targets` do not include `{text}`, so {so}"))
        })
    }

    /// Globs of the lists that match nothing.
    fn of_lists(&self) -> impl Iterator<Item = String> {
        let targets = self.lists.targets().iter().filter_map(|glob| of_target_glob(glob, "targets"));
        let topics = self.lists.topics().iter().filter(|glob| is_exact(glob)).filter_map(|glob| {
            let id = glob.to_string();
            let is_topic = PLATFORMS.iter().any(|platform| matches!((platform.topic)(&id), Some(Ok(_))));
            let ids: Vec<&str> = PLATFORMS.iter().map(|platform| platform.topic_id).collect();
            (!is_topic).then(|| {
                format!(
                    "`topics`: `{id}` matches no topic: expected its {}, or a glob on that",
                    ids.join(" or ")
                )
            })
        });
        targets.chain(topics)
    }

    /// A floor that nothing brings the count to at its time. A glob names no deployment that a tick could observe.
    fn unreached(&self, schedule: &Schedule) -> Option<String> {
        let min = schedule.min?;
        let is_reached = |row: &&Target| {
            let glob = schedule.target();
            let is_provisioned = |table: &ProvisionTable| {
                table.targets().iter().any(|target| target.kind() == row.kind && schedule.is_for(target))
            };
            !may_meet(&glob.to_string(), row.ids)
                || !self.lists.may_hold(row.ids)
                || (row.is_ticked && is_exact(glob))
                || self.provision.iter().any(is_provisioned)
        };
        let ways: Vec<&str> =
            target::all().filter(|row| !is_reached(row)).map(|row| row.at_its_time).collect();
        (!ways.is_empty()).then(|| {
            format!(
                "nothing brings the count to `min = {min}` at its time, only the next scale-up alarm; {}",
                ways.join("; ")
            )
        })
    }
}

/// What is wrong with one rule by itself, except for its `target`.
fn of_rule(rule: &Rule) -> Vec<String> {
    [of_numbers(rule), of_steps(rule), of_alarm_globs(rule)].concat()
}

/// Fractions where a percentage is meant. Those that are surely wrong are errors already.
fn of_numbers(rule: &Rule) -> Vec<String> {
    let metric = rule.pair.as_ref().map(|pair| pair.metric.as_str());
    let may_be_percent = metric.is_none_or(|metric| Resource::of(metric).is_some());
    let fraction = |key: &str, value: f64| {
        let meant = meant_by_fraction(value).filter(|_| may_be_percent)?;
        Some(format!(
            "`{key} = {}`: a utilization is in percent; did you mean `{}`?",
            number(value),
            number(meant)
        ))
    };
    let track = match rule.scaling_policy {
        ScalingPolicy::Track(target) => fraction("track", target),
        ScalingPolicy::Step(_) | ScalingPolicy::Steps(_) | ScalingPolicy::Cheapest => None,
    };
    let below = rule.pair.as_ref().and_then(|pair| fraction("pair.below", pair.below));
    [track, below].into_iter().flatten().collect()
}

/// Steps that leave a gap between the threshold and the first of them, as values in their place do.
fn of_steps(rule: &Rule) -> Vec<String> {
    let pair = rule.pair.as_ref().map(|pair| &pair.scaling_policy);
    let policies = [("steps", Some(&rule.scaling_policy)), ("pair.steps", pair)];
    let warning = |(key, policy): (&str, Option<&ScalingPolicy>)| {
        let Some(ScalingPolicy::Steps(steps)) = policy else { return None };
        let (edge, side) = gap(steps)?;
        let (first, bound) = if edge > 0.0 { ("begin", "above = 0") } else { ("end", "below = 0") };
        Some(format!(
            "`{key}` {first} at {}, {side} the threshold, so an alarm that fires nearer to it changes nothing: they are \
             distances from the alarm's threshold, not values of its metric; expected a step with `{bound}`",
            number(edge)
        ))
    };
    policies.into_iter().filter_map(warning).collect()
}

/// Where the steps begin or end, if that is not at the threshold, and on which side of it.
fn gap(steps: &StepAdjustments) -> Option<(f64, &'static str)> {
    let begins = steps.steps.first().and_then(|step| step.above).filter(|begins| *begins > 0.0);
    let ends = steps.steps.last().and_then(|step| step.below).filter(|ends| *ends < 0.0);
    begins.map(|begins| (begins, "above")).or(ends.map(|ends| (ends, "below")))
}

/// Globs on the names of alarms that are written as regular expressions.
fn of_alarm_globs(rule: &Rule) -> Vec<String> {
    let is_regular = |glob: &&String| {
        glob.starts_with(".*") || OF_REGULAR_EXPRESSIONS.iter().any(|part| glob.contains(part))
    };
    let alarms = rule.alarms();
    let warning = |glob: &String| {
        format!("`alarm = \"{glob}\"` is a glob, not a regular expression: only `*` and `?` are special")
    };
    alarms.iter().filter(is_regular).map(warning).collect()
}

/// A glob that matches no id of a target.
fn of_target_glob(glob: &WildMatch, key: &str) -> Option<String> {
    let text = glob.to_string();
    let matches_some = |text: &str| {
        if is_exact(&WildMatch::new(text)) {
            target_id(text).is_some()
        } else {
            target::all().any(|row| may_meet(text, row.ids))
        }
    };
    if matches_some(&text) {
        return None;
    }
    let expected: Vec<String> = target::all().map(|row| format!("`{}`", row.ids)).collect();
    let meant = meant_by_name(&text).into_iter().find(|candidate| matches_some(candidate));
    let meant = meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
    Some(format!(
        "`{key}`: `{text}` matches no target: expected an id or a glob such as {}{meant}",
        expected.join(" or ")
    ))
}

/// What a name of a part of a target, or a glob on it, may be meant as.
fn meant_by_name(text: &str) -> Vec<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '*' | '?');
    let mut candidates = vec![text.to_lowercase(), format!("{text}/*")];
    if text.chars().all(is_name) {
        let has_parts = |row: &&Target| row.ids.matches('*').count() > 1;
        candidates.extend(target::all().filter(has_parts).map(|row| row.ids.replacen('*', text, 1)));
    }
    candidates
}
