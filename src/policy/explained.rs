//! What is in force for one target at one time, and who has said it, as data. Nothing is looked at.

use std::borrow::Cow;

use jiff::Timestamp;

use super::{MatchedRule, Origin, Policy, Role, Rule, Schedule};
use crate::platform::target::tag_scope;
use crate::tags::Tags;
use crate::tags::{self, Pause, Unreadable};
use crate::target::TargetId;

/// One target at one time, and what its tags say.
#[derive(Debug, Clone, Copy)]
pub struct ExplainRequest<'a> {
    /// Which one.
    pub target: &'a TargetId,
    /// When.
    pub now: Timestamp,
    /// Its tags, as the platform has them.
    pub tags: &'a Tags,
}

/// All that a policy says of one target.
#[derive(Debug)]
pub struct Explained<'a> {
    /// Whether the policy lets it be touched at all.
    pub allowed: bool,
    /// The schedules that are in force.
    pub schedules: Vec<ActiveSchedule<'a>>,
    /// What its tags pause.
    pub pause: Option<Pause>,
    /// A tag of it that cannot be read, so that it would be left alone.
    pub unreadable: Option<Unreadable>,
    /// The rules that may answer, in order.
    pub rules: Vec<ExplainedRule<'a>>,
}

/// A schedule that is in force.
#[derive(Debug, Clone, Copy)]
pub struct ActiveSchedule<'a> {
    /// Its place in the policy, counted from 1.
    pub place: usize,
    /// What it says.
    pub schedule: &'a Schedule,
    /// Until when; `None` for more than a year.
    pub until: Option<Timestamp>,
}

/// A rule, with all that is said of the target.
#[derive(Debug)]
pub struct ExplainedRule<'a> {
    /// The rule, and in which part it answers.
    pub matched: MatchedRule<'a>,
    /// Every setting.
    pub settings: Vec<Setting>,
}

/// One setting as it is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its key in the policy.
    pub key: &'static str,
    /// In words.
    pub value: String,
    /// Who has said it, in words; `None` for nobody.
    pub by: Option<String>,
    /// What would hold without the deployment's tags, where that is something else.
    pub otherwise: Option<String>,
}

impl ActiveSchedule<'_> {
    /// How long it goes on being in force.
    pub fn lasts(&self) -> String {
        lasts(self.until)
    }
}

fn lasts(until: Option<Timestamp>) -> String {
    until.map_or_else(|| "for more than a year".to_owned(), |until| format!("until {until}"))
}

impl Setting {
    /// Whether somebody has said it.
    pub fn is_said(&self) -> bool {
        self.by.is_some()
    }

    /// Who has said it, in words.
    pub fn said_by(&self) -> String {
        self.by.clone().unwrap_or_else(|| "built-in default".to_owned())
    }
}

/// The one setting that has a key of its own at the top of the file.
const MODE: &str = "mode";

impl Policy {
    /// What is in force for one target: of the rule that an alarm of this name gets, else of every rule that answers any.
    pub fn explain<'a>(&'a self, of: &ExplainRequest<'_>, alarm: Option<&str>) -> Explained<'a> {
        let ExplainRequest { target, now, tags } = *of;
        let tags = tags::own(tags, tag_scope(target));
        let (said, unreadable) = match tags::read(&tags) {
            Ok(said) => (said, None),
            Err(unreadable) => (tags::TagSettings::default(), Some(unreadable)),
        };
        let matched: Vec<MatchedRule> = match alarm {
            Some(alarm) => self.rule_for(alarm, target).into_iter().collect(),
            None => self.rules.iter().filter(|rule| rule.is_for(target)).map(answering).collect(),
        };
        let rules = matched.into_iter().map(|matched| {
            let untagged = self.effective(matched, target, now);
            let mut matched = untagged.clone();
            matched.take(&said.settings, &|key| Origin::Tag(tags::tag_of(key, &tags)));
            let settings = differing(self.settings_of(&matched), &self.settings_of(&untagged));
            ExplainedRule { matched, settings }
        });
        Explained {
            allowed: self.allows(target),
            schedules: self.running(target, now),
            pause: said.pause,
            unreadable,
            rules: rules.collect(),
        }
    }

    /// Every setting of a rule as it is in force, and who has said it.
    pub fn settings_of(&self, MatchedRule { rule, .. }: &MatchedRule) -> Vec<Setting> {
        let told = rule.is.told().into_iter();
        let setting = |(key, value): (&'static str, String)| Setting {
            key,
            value: if key == MODE { rule.is.mode.unwrap_or(self.mode).to_string() } else { value },
            by: rule.origins.get(key).map(|origin| self.who(origin)).or_else(|| self.says_mode(key)),
            otherwise: None,
        };
        told.map(setting).collect()
    }

    /// Who has said something, and of a schedule, how long that holds.
    fn who(&self, origin: &Origin) -> String {
        let Origin::Schedule(place, now) = origin else { return origin.to_string() };
        let schedule = place.checked_sub(1).and_then(|place| self.schedules.get(place));
        schedule.map_or_else(
            || origin.to_string(),
            |schedule| format!("{origin}, {}", lasts(schedule.until(*now))),
        )
    }

    /// What no rule says of the mode, the policy's own key does, where it is written.
    fn says_mode(&self, key: &str) -> Option<String> {
        (key == MODE && self.mode_is_said).then(|| "the policy's `mode`".to_owned())
    }

    /// The schedules in force for a target.
    fn running(&self, target: &TargetId, now: Timestamp) -> Vec<ActiveSchedule<'_>> {
        let mut running = Vec::new();
        for (i, schedule) in self.schedules.iter().enumerate() {
            if schedule.runs(target, now) {
                running.push(ActiveSchedule { place: i + 1, schedule, until: schedule.until(now) });
            }
        }
        running
    }

    /// How many of each the policy has of its own, by their keys; what it has none of is not here.
    pub fn counts(&self) -> Vec<(&'static str, usize)> {
        let counts = [
            ("rule", self.own_rules),
            ("target", self.own.len()),
            ("schedule", self.schedules.len()),
            ("ladder", self.own_ladders),
            ("notify", self.notify.len()),
        ];
        counts.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// Those of the policy's own rules that never answer: rules before them have all their globs, for the same targets.
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
}

/// What the tags have changed tells what it was.
fn differing(tagged: Vec<Setting>, untagged: &[Setting]) -> Vec<Setting> {
    let with = |(setting, before): (Setting, &Setting)| {
        let otherwise = (setting.value != before.value).then(|| before.value.clone());
        Setting { otherwise, ..setting }
    };
    tagged.into_iter().zip(untagged).map(with).collect()
}

fn answering(rule: &Rule) -> MatchedRule<'_> {
    MatchedRule { rule: Cow::Borrowed(rule), role: Role::Rule, by: rule.alarms().join("`, `") }
}
