//! The policy: which alarm changes which deployment, how far, and which alarm undoes it.
//!
//! A file is checked whole when it is loaded, so nothing later has to doubt it. Reads no file and no environment: text in,
//! policy out.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;

use crate::alarm::{Alarm, SCHEDULE_ALARM};
use crate::ladder::Ladders;
use crate::pair::is_pair_name;
use crate::platform::ProvisionTable;
use crate::size::Direction;
use crate::target::TargetId;

mod effective;
mod explained;
mod file;
pub mod flap;
mod globs;
mod lists;
mod name_glob;
mod names;
mod narrowing;
mod notify;
mod pair;
mod provisioned;
mod rule;
mod schedule;
mod scheduled;
mod schema;
mod settings;
mod shapes;
mod steps;
mod surprises;
pub mod tags;
mod target;
mod warnings;

pub use crate::document::{Errors, Problem, Style};
pub use explained::{ActiveSchedule, ExplainRequest, Explained, ExplainedRule, Setting};
use lists::Lists;
use name_glob::NameGlob;
pub use notify::{Form, Notify, Occasion};
pub use rule::{MatchedRule, Role, Rule};
pub use schedule::Schedule;
pub use schema::SCHEMA;
pub use settings::{Cooldown, EffectiveSettings, LONGEST_CAPACITY_BACKOFF, Origin, Origins, Settings};
use target::TargetSettings;

/// The built-in rules, written as any policy is.
const BUILT_IN: &str = include_str!("policy/built_in.toml");

/// A checked policy.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Whether calls are sent at all.
    pub mode: Mode,
    /// What sets the mode, in words; empty where it is the default.
    mode_set_by: Vec<String>,
    /// Which targets may change, and whose alarms count.
    lists: Lists,
    /// The rules of the file, then the built-in ones. The first that matches counts.
    rules: Vec<Rule>,
    own_rules: usize,
    own_ladders: usize,
    /// For paired alarms whose rule is no longer in the policy.
    reconcile_only: Rule,
    /// Settings for the targets of a glob. The first that sets something counts.
    targets: Vec<TargetSettings>,
    /// Times at which the count has other bounds. The first that sets something counts.
    schedules: Vec<Schedule>,
    /// Every active shape table.
    pub ladders: Ladders,
    /// The destinations that are notified of a resize.
    pub notify: Vec<Notify>,
    /// What paired alarms notify, where that is fixed for the whole function. Otherwise they notify what the firing alarm
    /// does.
    pub alarm_action: Option<String>,
    /// Whether the host answers one event after the other, where that is known. Then no other event can need a pair
    /// that is no longer needed here.
    pub one_at_a_time: Option<bool>,
    /// What `stepladder provision` sets up, by platform. The function itself does not use it.
    pub provision: Vec<ProvisionTable>,
}

/// Whether calls are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Calls are sent.
    #[default]
    Act,
    /// Everything runs, except that no call is sent.
    Observe,
}

/// Which part of the evidence must be newer than the completion of the last change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// All the data that the alarm was evaluated on.
    #[default]
    Window,
    /// The moment it fired.
    Fired,
}

/// What happens to native autoscaling that prevents a change of shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NativeAutoscaling {
    /// It stays, and the record names it.
    #[default]
    Respect,
    /// It is suspended for the time of the change.
    Suspend,
}

impl Policy {
    /// The built-in rules and ladders alone.
    pub fn built_in() -> Result<Self, Errors> {
        Self::parse("")
    }

    /// Reads and checks a policy file. The built-in rules and ladders follow its own.
    ///
    /// ```
    /// use stepladder::policy::Policy;
    /// let errors = Policy::parse("[defaults]\ninstanses = { min = 1, max = 3 }\nmin_savings = -1").unwrap_err();
    /// assert!(errors.to_string().contains("`instances`"), "{errors}");
    /// assert_eq!(errors.in_one_line().split("; ").next(), Some("line 2, column 1: unknown field `instanses`, \
    ///     expected one of `instances`, `bandwidth`, `evidence`, `native_autoscaling`, `capacity_backoff`, `cooldown`, \
    ///     `scale_up_threshold`, `headroom`, `min_savings`, `allow_cost_surge`, `max_hourly_cost`, \
    ///     `max_changes_per_hour`"));
    /// ```
    pub fn parse(text: &str) -> Result<Self, Errors> {
        file::read(text)
    }

    /// The same policy in mode `observe`, for every target, because a setting of this name requires it.
    #[must_use]
    pub fn observing_by(mut self, setting: &str) -> Self {
        if self.mode == Mode::Act {
            self.mode_set_by.clear();
        }
        self.mode_set_by.push(format!("`{setting}`"));
        self.observing()
    }

    /// The same policy in mode `observe`, for every target.
    #[must_use]
    pub fn observing(mut self) -> Self {
        self.mode = Mode::Observe;
        for table in &mut self.targets {
            table.settings.mode = None;
        }
        self
    }

    /// What must be set to `act` before calls are sent; `None` where the mode sends them.
    pub fn observes_because_of(&self) -> Option<String> {
        (self.mode == Mode::Observe).then(|| self.mode_set_by.join(" and "))
    }

    /// The mode for a target before its tags are read.
    pub fn mode_for(&self, target: Option<&TargetId>) -> Mode {
        let of_tables = target.and_then(|target| {
            let mut tables = self.targets.iter().filter(|table| table.is_for(target));
            tables.find_map(|table| table.settings.mode)
        });
        of_tables.unwrap_or(self.mode)
    }

    /// How many `[[target]]` tables have another mode than the policy.
    pub fn tables_in_another_mode(&self) -> usize {
        let is_other = |mode: Mode| mode != self.mode;
        self.targets.iter().filter(|table| table.settings.mode.is_some_and(is_other)).count()
    }

    /// Whether the policy's lists allow any change of a target.
    pub fn allows(&self, target: &TargetId) -> bool {
        self.lists.hold_target(target)
    }

    /// The first of its lists that leaves out an alarm about a target, and what is not on it.
    pub fn leaves_out<'a>(&self, alarm: &'a Alarm, target: &'a TargetId) -> Option<(&'static str, &'a str)> {
        self.lists.leaving_out(alarm, target)
    }

    /// The rule for a deployment whose paired alarm no rule matches any more. It completes an unfinished change, and
    /// changes nothing else.
    pub fn reconcile_only(&self) -> MatchedRule<'_> {
        let rule = Cow::Borrowed(&self.reconcile_only);
        MatchedRule { rule, role: Role::ReconcileOnly, by: String::new() }
    }

    /// How many rules are the policy's own, and how many are built in.
    pub fn rule_counts(&self) -> (usize, usize) {
        (self.own_rules, self.rules.len() - self.own_rules)
    }

    /// Whether a rule of this policy is in its file, and not built in.
    fn is_own(&self, rule: &Rule) -> bool {
        self.rules.iter().take(self.own_rules).any(|own| std::ptr::eq(own, rule))
    }

    /// The first rule for an alarm on a target.
    ///
    /// An alarm with the name of a pair never scales up, however wide a glob is: a target may be called `high-cpu-model`,
    /// and then its pair has that name, too. A pair that stepladder made belongs to its own rule only.
    pub fn rule_for(&self, alarm: &str, target: &TargetId) -> Option<MatchedRule<'_>> {
        if alarm == SCHEDULE_ALARM {
            return self.schedule_rule(target);
        }
        let here = || self.rules.iter().filter(|rule| rule.is_for(target));
        let is_ours = is_pair_name(alarm, target);
        let is_pair = here().any(|rule| rule.is_paired_with(alarm, target));
        here().find_map(|rule| {
            let matched = |role, by| Some(MatchedRule { rule: Cow::Borrowed(rule), role, by });
            if rule.is_paired_with(alarm, target) {
                return matched(Role::Pair, alarm.to_owned());
            }
            let glob = rule.alarm.iter().find(|glob| !is_ours && glob.matches(alarm))?;
            // A rule in both directions matches: the measurement decides.
            let adds = rule.scaling_policy.direction() == Some(Direction::Up);
            if adds && is_pair { None } else { matched(Role::Rule, glob.to_string()) }
        })
    }

    /// The globs by which rules match the names of a target's alarms: the first of each rule, at most so many, without
    /// those that another one covers.
    pub(crate) fn globs_for(&self, target: &TargetId, most: usize) -> Vec<String> {
        let globs =
            self.rules.iter().filter(|rule| rule.is_for(target)).filter_map(|rule| rule.alarm.first());
        let globs: Vec<&NameGlob> = globs.collect();
        let is_covered = |glob: &NameGlob| globs.iter().any(|other| *other != glob && other.covers(glob));
        globs.iter().filter(|glob| !is_covered(glob)).take(most).map(ToString::to_string).collect()
    }

    /// Whether a rule for a target needs the record of recent changes. A `[[target]]` table is effective for every
    /// rule, and so for this one, too.
    pub(crate) fn records_changes(&self, target: &TargetId) -> bool {
        self.rules.iter().any(|rule| rule.records_changes() && rule.is_for(target))
    }

    /// Whether any rule or table of the policy suspends native autoscaling of a target.
    pub(crate) fn suspends_native(&self, target: &TargetId) -> bool {
        let suspends = |settings: &Settings| settings.native_autoscaling == Some(NativeAutoscaling::Suspend);
        let by_rule = |rule: &&Rule| rule.is.native_autoscaling == NativeAutoscaling::Suspend;
        self.rules.iter().filter(by_rule).any(|rule| rule.is_for(target))
            || self.targets.iter().any(|table| table.is_for(target) && suspends(&table.settings))
    }

    /// The rule with the settings of this target at this time.
    pub fn effective<'a>(
        &'a self,
        mut matched: MatchedRule<'a>,
        target: &TargetId,
        now: Timestamp,
    ) -> MatchedRule<'a> {
        // The first table wins, so it comes last.
        for (i, table) in self.targets.iter().enumerate().rev().filter(|(_, table)| table.is_for(target)) {
            matched.apply(&table.settings, &|_| Origin::Target(i + 1, table.glob.to_string()));
        }
        let usual = matched.rule.is.instances.min;
        for (i, schedule) in self.schedules.iter().enumerate().rev() {
            if schedule.is_active(target, now) {
                matched.apply(&schedule.settings(), &|_| Origin::Schedule(i + 1, now));
            }
        }
        if let Some(floor) = self.schedules.iter().filter_map(|schedule| schedule.floor(target)).min() {
            matched.rule.to_mut().is.lowest = Some(floor.min(usual));
        }
        matched
    }
}

macro_rules! shown_as_written {
    ($($type:ident { $($variant:ident => $word:literal),* })*) => {
        $(impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $word,)*
                })
            }
        })*
    };
}
shown_as_written! {
    Mode { Act => "act", Observe => "observe" }
    Evidence { Window => "window", Fired => "fired" }
    NativeAutoscaling { Respect => "respect", Suspend => "suspend" }
}
