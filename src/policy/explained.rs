//! The effective policy for one target at one time, and the origin of each setting, as data. Nothing is observed.

use std::borrow::Cow;

use jiff::Timestamp;

use super::rule::BUILT_IN;
use super::tags::{Pause, TagSettings, UnreadableTag, tag_of};
use super::{MatchedRule, Origin, Policy, Role, Rule, Schedule};
use crate::platform::target::{self, tag_scope};
use crate::size::{Axis, Direction};
use crate::tags::{self, Tags};
use crate::target::TargetId;

/// One target at one time, with its tags.
#[derive(Debug, Clone, Copy)]
pub struct ExplainRequest<'a> {
    /// The target.
    pub target: &'a TargetId,
    /// The time.
    pub now: Timestamp,
    /// Its tags on the platform.
    pub tags: &'a Tags,
}

/// The effective policy for one target.
#[derive(Debug)]
pub struct Explained<'a> {
    /// Whether the policy's lists allow any change of it.
    pub allowed: bool,
    /// The active schedules.
    pub schedules: Vec<ActiveSchedule<'a>>,
    /// The pause that its tags set.
    pub pause: Option<Pause>,
    /// A tag that cannot be read. While it exists, nothing changes the target.
    pub unreadable: Option<UnreadableTag>,
    /// The rules that may match, in order.
    pub rules: Vec<ExplainedRule<'a>>,
}

/// A schedule that is active.
#[derive(Debug, Clone, Copy)]
pub struct ActiveSchedule<'a> {
    /// Its place in the policy, counted from 1.
    pub place: usize,
    /// The schedule.
    pub schedule: &'a Schedule,
    /// Its end; `None` for more than a year.
    pub until: Option<Timestamp>,
}

/// A rule with its effective settings.
#[derive(Debug)]
pub struct ExplainedRule<'a> {
    /// The rule, and why it matches.
    pub matched: MatchedRule<'a>,
    /// Every setting.
    pub settings: Vec<Setting>,
}

/// One effective setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its key in the policy.
    pub key: &'static str,
    /// Its value, in words.
    pub value: String,
    /// Its origin, in words; `None` for a built-in default.
    pub by: Option<String>,
    /// Its value without the deployment's tags, where that differs.
    pub without_tags: Option<String>,
}

impl ActiveSchedule<'_> {
    /// How long it stays active.
    pub fn lasts(&self) -> String {
        lasts(self.until)
    }
}

fn lasts(until: Option<Timestamp>) -> String {
    until.map_or_else(|| "for more than a year".to_owned(), |until| format!("until {until:.0}"))
}

impl Setting {
    /// Whether the policy or a tag sets it.
    pub fn is_set(&self) -> bool {
        self.by.is_some()
    }

    /// Its origin, in words.
    pub fn set_by(&self) -> String {
        self.by.clone().unwrap_or_else(|| "built-in default".to_owned())
    }
}

/// The bounds along an axis that only some kinds of target have.
const BANDWIDTH: &str = "bandwidth";

/// The one setting that has a key of its own at the top of the file.
const MODE: &str = "mode";

impl Policy {
    /// The effective policy for one target: the rule that matches an alarm of this name, or else every rule for the
    /// target.
    pub fn explain<'a>(&'a self, of: &ExplainRequest<'_>, alarm: Option<&str>) -> Explained<'a> {
        let ExplainRequest { target, now, tags } = *of;
        let tags = tags::own(tags, tag_scope(target));
        let (tag_settings, unreadable) = match super::tags::read(&tags) {
            Ok(settings) => (settings, None),
            Err(unreadable) => (TagSettings::default(), Some(unreadable)),
        };
        let matched: Vec<MatchedRule> = match alarm {
            Some(alarm) => self.rule_for(alarm, target).into_iter().collect(),
            None => self.rules_for(target).map(matching).collect(),
        };
        let rules = matched.into_iter().map(|matched| {
            let untagged = self.effective(matched, target, now);
            let mut matched = untagged.clone();
            matched.narrow(&tag_settings.settings, &|key| Origin::Tag(tag_of(key, &tags)));
            let mut settings = differing(self.settings_of(&matched), &self.settings_of(&untagged));
            settings.retain(|setting| setting.key != BANDWIDTH || has_axis(target, Axis::Bandwidth));
            ExplainedRule { matched, settings }
        });
        Explained {
            allowed: self.allows(target),
            schedules: self.active_schedules(target, now),
            pause: tag_settings.pause,
            unreadable,
            rules: rules.collect(),
        }
    }

    /// The rules for a target. Of the built-in ones, only those that change what a target of its kind has.
    fn rules_for(&self, target: &TargetId) -> impl Iterator<Item = &Rule> {
        let can_change = |rule: &Rule| rule.origin != BUILT_IN || has_axis(target, rule.axis);
        self.rules.iter().filter(move |rule| rule.is_for(target) && can_change(rule))
    }

    /// Every effective setting of a rule, and its origin.
    pub fn settings_of(&self, MatchedRule { rule, .. }: &MatchedRule) -> Vec<Setting> {
        let described = rule.is.described().into_iter();
        let setting = |(key, value): (&'static str, String)| Setting {
            key,
            value: if key == MODE { rule.is.mode.unwrap_or(self.mode).to_string() } else { value },
            by: rule.origins.get(key).map(|origin| self.shown(origin)).or_else(|| self.origin_of_mode(key)),
            without_tags: None,
        };
        described.map(setting).collect()
    }

    /// An origin in words; of a schedule, also how long it stays active.
    fn shown(&self, origin: &Origin) -> String {
        let Origin::Schedule(place, now) = origin else { return origin.to_string() };
        let schedule = place.checked_sub(1).and_then(|place| self.schedules.get(place));
        schedule.map_or_else(
            || origin.to_string(),
            |schedule| format!("{origin}, {}", lasts(schedule.until(*now))),
        )
    }

    /// The origin of the mode where no rule sets it: the policy's own key or the host's setting, where one is set.
    fn origin_of_mode(&self, key: &str) -> Option<String> {
        (key == MODE && !self.mode_set_by.is_empty()).then(|| self.mode_set_by.join(" and "))
    }

    /// The active schedules for a target.
    fn active_schedules(&self, target: &TargetId, now: Timestamp) -> Vec<ActiveSchedule<'_>> {
        let mut active = Vec::new();
        for (i, schedule) in self.schedules.iter().enumerate() {
            if schedule.is_active(target, now) {
                active.push(ActiveSchedule { place: i + 1, schedule, until: schedule.until(now) });
            }
        }
        active
    }

    /// How many of each kind of table the file has, by their keys; without those that it has none of.
    pub fn counts(&self) -> Vec<(&'static str, usize)> {
        let counts = [
            ("rule", self.own_rules),
            ("target", self.targets.len()),
            ("schedule", self.schedules.len()),
            ("ladder", self.own_ladders),
            ("notify", self.notify.len()),
        ];
        counts.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// The rules of the file that never match: rules before them have all their globs, for the same targets. Beside each
    /// is the last of those.
    pub fn shadowed(&self) -> Vec<(&Rule, &Rule)> {
        let own = self.rules.get(..self.own_rules).unwrap_or_default();
        let mut shadowed = Vec::new();
        for (i, rule) in own.iter().enumerate() {
            let before = |glob| {
                let mut before = own.iter().take(i).filter(|earlier| earlier.target == rule.target);
                before.find(|earlier| earlier.alarm.contains(glob))
            };
            let all: Option<Vec<&Rule>> = rule.alarm.iter().map(before).collect();
            shadowed.extend(all.and_then(|all| all.last().map(|by| (rule, *by))));
        }
        shadowed
    }

    /// The rules of the file that add what nothing removes: they have no pair, and no rule of the file for the same
    /// targets removes along their axis.
    pub fn unpaired(&self) -> Vec<&Rule> {
        let own = self.rules.get(..self.own_rules).unwrap_or_default();
        let is_removed = |rule: &Rule| {
            let is_for = |other: &Rule| other.target == rule.target || other.targets() == "*";
            let removes = |other: &&Rule| other.scaling_policy.direction() == Some(Direction::Down);
            own.iter().filter(removes).any(|other| other.axis == rule.axis && is_for(other))
        };
        own.iter().filter(|rule| rule.pair.is_none() && rule.adds() && !is_removed(rule)).collect()
    }
}

/// Whether a target of this kind has a size along an axis.
fn has_axis(target: &TargetId, axis: Axis) -> bool {
    target::of(target.kind()).is_none_or(|row| row.axes.contains(&axis))
}

/// Notes the value without tags where they change it.
fn differing(tagged: Vec<Setting>, untagged: &[Setting]) -> Vec<Setting> {
    let with = |(setting, before): (Setting, &Setting)| {
        let without_tags = (setting.value != before.value).then(|| before.value.clone());
        Setting { without_tags, ..setting }
    };
    tagged.into_iter().zip(untagged).map(with).collect()
}

fn matching(rule: &Rule) -> MatchedRule<'_> {
    MatchedRule { rule: Cow::Borrowed(rule), role: Role::Rule, by: rule.alarms().join("`, `") }
}
