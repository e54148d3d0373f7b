//! The policy file: which alarm moves which deployment, how far, and what takes it back.
//!
//! Validated whole when it is loaded, so that nothing later has to doubt it. Reads no file and no
//! environment: text in, policy out.

use std::borrow::Cow;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::alarm::Alarm;
use crate::ladder::{FlexShape, Ladder, Ladders};
use crate::pair::is_pair_name;
use crate::platform::oci::provision::{Desired, OciText};
use crate::size::Direction;
use crate::target::TargetId;

pub(crate) mod effective;
mod error;
mod explained;
pub mod flap;
mod globs;
mod kinds;
mod lists;
mod names;
mod notify;
mod pair;
mod place;
mod rule;
mod schedule;
mod schema;
mod settings;
mod shapes;
mod steps;
mod target;

pub use error::Error;
pub use explained::{ActiveSchedule, ExplainRequest, Explained, ExplainedRule, Setting};
use lists::Lists;
use notify::NotifyText;
pub use notify::{Form, Notify, Occasion};
use rule::RuleText;
pub use rule::{MatchedRule, Role, Rule};
pub use schedule::Schedule;
use schedule::ScheduleText;
pub use schema::SCHEMA;
use settings::Defaults;
pub use settings::{Cooldown, EffectiveSettings, Origin, Origins, Settings};
pub(crate) use settings::{above_nothing, cooldown, max_changes};
use target::{TargetSettings, TargetText};

/// The built-in rules, written as any policy is.
const BUILT_IN: &str = include_str!("policy/built_in.toml");

/// CloudWatch evaluates at most a day of one-minute periods; OCI queries know windows up to a day.
pub(crate) const LONGEST_WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// OCI repeats a notification at most every minute and at least every thirty days.
pub(crate) const LONGEST_REPEAT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Everything that may be configured, checked.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Whether calls are sent at all.
    pub mode: Mode,
    /// Whether the policy says so itself.
    mode_is_said: bool,
    /// Which targets are ever touched, and whose alarms may ask for it.
    lists: Lists,
    /// The policy's rules, then the built-in ones. The first that matches counts.
    rules: Vec<Rule>,
    own_rules: usize,
    pub(crate) own_ladders: usize,
    /// For paired alarms whose rule has left the policy.
    caretaker: Rule,
    /// What targets have for themselves. The first that says something of it counts.
    pub(crate) own: Vec<TargetSettings>,
    /// Times at which the count has other bounds. The first that says something of it counts.
    pub(crate) schedules: Vec<Schedule>,
    /// Every shape table in force.
    pub ladders: Ladders,
    /// Who hears of a resize.
    pub notify: Vec<Notify>,
    /// What paired alarms notify when it is fixed for the whole function; otherwise they notify what the
    /// firing alarm does.
    pub alarm_action: Option<String>,
    /// Whether the host answers one event after the other, where it says so: then no other event may be about to need a
    /// pair that serves nothing any more.
    pub one_at_a_time: Option<bool>,
    /// What `stepladder provision` sets up on OCI. The function itself has no use for it.
    pub oci: Option<Desired>,
}

/// Whether calls are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Calls are sent.
    #[default]
    Act,
    /// Everything runs but the calls.
    Observe,
}

/// How fresh the evidence must be, measured from the completion of the last change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// All the data that the alarm was evaluated on is newer.
    #[default]
    Window,
    /// The moment it fired is newer.
    Fired,
}

/// What to do where the platform's own autoscaling is in the way of a change of shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NativeAutoscaling {
    /// Leave it alone, and say so.
    #[default]
    Respect,
    /// Take it out for the time of the change, and put it back.
    Suspend,
}

impl Policy {
    /// The built-in rules and ladders alone.
    pub fn built_in() -> Result<Self, Error> {
        Self::parse("")
    }

    /// Reads and checks a policy file. The built-in rules and ladders follow its own.
    ///
    /// ```
    /// use stepladder::policy::Policy;
    /// let error = Policy::parse("[defaults]\ninstanses = { min = 1, max = 3 }").unwrap_err();
    /// assert!(error.to_string().contains("`instances`"), "{error}");
    /// ```
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::read(text).map_err(|error| error.located(text))
    }

    fn read(text: &str) -> Result<Self, Error> {
        kinds::check(text)?;
        let own = File::read(text)?;
        let built_in = File::read(BUILT_IN)?;
        let defaults = own.defaults.checked();
        let defaults = defaults.map_err(|problem| Error::invalid("defaults".to_owned(), problem))?;
        let ladders = Ladders::built_in()?;
        let flex = shapes::checked_flex(own.flex, &ladders)?;
        let own_ladders = shapes::checked_ladders(own.ladder)?;
        let mut rules = Vec::new();
        for (i, rule) in own.rule.into_iter().enumerate() {
            rules.push(rule.checked(format!("rule {} of the policy", i + 1), &defaults)?);
        }
        let own_rules = rules.len();
        for rule in built_in.rule {
            rules.push(rule.checked(rule::BUILT_IN.to_owned(), &defaults)?);
        }
        for (i, rule) in rules.iter().enumerate() {
            let own = i < own_rules;
            // What is built in cannot be written otherwise; on a steep ladder the guard keeps it from flapping.
            let flaps = flap::check(rule, own_ladders.iter().filter(|_| own));
            flaps.map_err(|problem| flapping(rule, own, problem))?;
            let named = names::check(i, &rules);
            named.map_err(|problem| Error::invalid(rule.origin.clone(), problem))?;
        }
        let own_ladder_count = own_ladders.len();
        let ladders = ladders.after(own_ladders, flex);
        shapes::sizes_of_flexible_rungs(&ladders)?;
        let targets = target::checked(own.target)?;
        target::check_beside(&targets, &rules)?;
        let schedules = schedule::checked(own.schedule)?;
        for (i, schedule) in schedules.iter().enumerate() {
            let checked = schedule.check_beside(&targets, &rules);
            checked.map_err(|problem| Error::invalid(format!("schedule {}", i + 1), problem))?;
        }
        let lists = Lists::checked(own.targets, own.topics, own.accounts)?;
        let mut policy = Self {
            mode: own.mode.unwrap_or_default(),
            mode_is_said: own.mode.is_some(),
            lists,
            rules,
            own_rules,
            own_ladders: own_ladder_count,
            caretaker: Rule::caretaker(),
            own: targets,
            schedules,
            ladders,
            notify: notify::checked(own.notify)?,
            alarm_action: None,
            one_at_a_time: None,
            oci: None,
        };
        policy.oci = own.oci.map(|written| written.checked(&policy)).transpose()?;
        Ok(policy)
    }

    /// The same policy, with nothing of it sent, whatever it says of a target.
    #[must_use]
    pub fn observing(mut self) -> Self {
        self.mode = Mode::Observe;
        for own in &mut self.own {
            own.settings.mode = None;
        }
        self
    }

    /// Whether the policy lets this target be touched at all.
    pub fn allows(&self, target: &TargetId) -> bool {
        self.lists.hold_target(target)
    }

    /// The first of its lists that leaves out an alarm about a target, and what is not on it.
    pub fn leaves_out<'a>(&self, alarm: &'a Alarm, target: &'a TargetId) -> Option<(&'static str, &'a str)> {
        self.lists.leaving_out(alarm, target)
    }

    /// What is left to do about a deployment whose paired alarm no rule knows any more: to finish what was begun,
    /// and to change nothing else. Its step is none.
    pub fn caretaker(&self) -> MatchedRule<'_> {
        MatchedRule { rule: Cow::Borrowed(&self.caretaker), role: Role::ReconcileOnly, by: String::new() }
    }

    /// How many rules are the policy's own, and how many are built in.
    pub fn rule_counts(&self) -> (usize, usize) {
        (self.own_rules, self.rules.len() - self.own_rules)
    }

    /// Whether a rule of this policy stands in its file, and is not built in.
    pub(crate) fn is_own(&self, rule: &Rule) -> bool {
        self.rules.iter().take(self.own_rules).any(|own| std::ptr::eq(own, rule))
    }

    /// The first rule for an alarm on a target.
    ///
    /// What is called like a paired alarm never adds anything, however wide a glob is: an endpoint may well
    /// be called `high-cpu-model`, and its low alarm must not be taken for a high one. One that stepladder has
    /// made is known to the rule that it was made for, and to no other.
    pub fn rule_for(&self, alarm: &str, target: &TargetId) -> Option<MatchedRule<'_>> {
        let here = || self.rules.iter().filter(|rule| rule.target.matches(target.as_str()));
        let ours = is_pair_name(alarm, target);
        let takes_back = here().any(|rule| rule.is_paired_with(alarm, target));
        here().find_map(|rule| {
            let matched = |role, by| Some(MatchedRule { rule: Cow::Borrowed(rule), role, by });
            if rule.is_paired_with(alarm, target) {
                return matched(Role::Pair, alarm.to_owned());
            }
            let glob = rule.alarm.iter().find(|glob| !ours && glob.matches(alarm))?;
            // What may go either way is answered as it is measured.
            let adds = rule.scaling_policy.direction() == Some(Direction::Up);
            if adds && takes_back { None } else { matched(Role::Rule, glob.to_string()) }
        })
    }

    /// Whether a rule for a target has to know what was changed lately. What a table says of the target is in force for every
    /// rule, and so for the one that asks.
    pub(crate) fn records_changes(&self, target: &TargetId) -> bool {
        self.rules.iter().any(|rule| rule.records_changes() && rule.is_for(target))
    }

    /// The same rule with what the policy says of this target, and of this time.
    pub fn effective<'a>(
        &'a self,
        mut matched: MatchedRule<'a>,
        target: &TargetId,
        now: Timestamp,
    ) -> MatchedRule<'a> {
        // The first has the last word.
        for (i, own) in self.own.iter().enumerate().rev().filter(|(_, own)| own.is_for(target)) {
            matched.take(&own.settings, &|_| Origin::Target(i + 1, own.glob.to_string()));
        }
        let usual = matched.rule.is.instances.min;
        for (i, schedule) in self.schedules.iter().enumerate().rev() {
            if schedule.runs(target, now) {
                matched.take(&schedule.settings(), &|_| Origin::Schedule(i + 1, now));
            }
        }
        if let Some(floor) = self.schedules.iter().filter_map(|schedule| schedule.floor(target)).min() {
            matched.rule.to_mut().is.lowest = Some(floor.min(usual));
        }
        matched
    }
}

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct File {
    /// Whether calls are sent (default: `act`).
    mode: Option<Mode>,
    /// Globs on the targets that may be touched (default: every target).
    targets: Option<Vec<String>>,
    /// Globs on the ARNs of the SNS topics that are listened to (default: every topic).
    topics: Option<Vec<String>>,
    /// The AWS accounts whose alarms are listened to (default: every account).
    accounts: Option<Vec<String>>,
    /// What holds where no rule says otherwise.
    #[serde(default)]
    defaults: Defaults,
    /// What the alarms of a name do. The first that matches counts, then the built-in ones.
    #[serde(default)]
    rule: Vec<RuleText>,
    /// What the targets of a glob have for themselves, whatever rule answers. The first that says something counts.
    #[serde(default)]
    target: Vec<TargetText>,
    /// Times at which the count has other bounds. The first that says something counts.
    #[serde(default)]
    schedule: Vec<ScheduleText>,
    /// Ordered tables of shapes, searched before the built-in ones.
    #[serde(default)]
    ladder: Vec<Ladder>,
    /// Flexible shapes of OCI, and how large they may be made.
    #[serde(default)]
    flex: Vec<FlexShape>,
    /// Who hears of a resize.
    #[serde(default)]
    notify: Vec<NotifyText>,
    /// What `stepladder provision` sets up on OCI.
    oci: Option<OciText>,
}

impl File {
    fn read(text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|error| Error::unreadable(text, &error))
    }
}

/// Of a built-in rule nobody wrote the numbers: it is what the defaults say that does not fit.
fn flapping(rule: &Rule, own: bool, problem: String) -> Error {
    match rule.is.scale_up_threshold.filter(|_| !own) {
        Some(above) => Error::invalid(
            "defaults".to_owned(),
            format!("`scale_up_threshold = {above}` is too low for a built-in rule: {problem}"),
        ),
        None => Error::invalid(rule.origin.clone(), problem),
    }
}

/// A duration in whole minutes: what both alarm services can count in.
pub(crate) fn minutes(key: &str, text: &str, longest: SignedDuration) -> Result<SignedDuration, String> {
    let expected = format!("expected whole minutes from `1m` to `{}h`", longest.as_hours());
    let duration: SignedDuration = text
        .parse()
        .map_err(|_| format!("`{key} = \"{text}\"` is no duration in hours and minutes: {expected}"))?;
    let whole = duration.as_secs() % 60 == 0 && duration.subsec_nanos() == 0;
    if !whole || duration < SignedDuration::from_mins(1) || duration > longest {
        return Err(format!("`{key} = \"{text}\"`: {expected}"));
    }
    Ok(duration)
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
