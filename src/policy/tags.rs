//! What a deployment's tags set: a pause, and settings of its own.
//!
//! A tag that cannot be read is never ignored: nothing changes its deployment until somebody corrects it.

use std::fmt;

use jiff::Timestamp;

use super::settings::{above_nothing, cooldown, max_changes};
use super::{Evidence, Mode, Settings};
use crate::size::Direction;
use crate::tags::{PREFIX, Tags, after_misspelt_prefix, find, name_of};

/// `all`, `up` or `down`, and perhaps `until=<time>` after a blank or a semicolon.
pub const PAUSE: &str = "stepladder:pause";

/// The names of settings. Values are written as in the policy.
const MIN: &str = "stepladder:min";
const MAX: &str = "stepladder:max";
const MODE: &str = "stepladder:mode";
const EVIDENCE: &str = "stepladder:evidence";
const COOLDOWN_UP: &str = "stepladder:cooldown-up";
const COOLDOWN_DOWN: &str = "stepladder:cooldown-down";
const MAX_HOURLY_COST: &str = "stepladder:max-hourly-cost";
const MAX_CHANGES: &str = "stepladder:max-changes-per-hour";

/// Every tag that an operator may set.
pub const OPERATORS: &[&str] =
    &[PAUSE, MIN, MAX, MODE, EVIDENCE, COOLDOWN_UP, COOLDOWN_DOWN, MAX_HOURLY_COST, MAX_CHANGES];

/// The other tags that stepladder writes, without the prefix: on deployments, and on what belongs to them.
const ITS_OWN: &[&str] = &[
    "recent",
    "changed",
    "infeasible",
    "step",
    "parked",
    "target",
    "pair",
    "above",
    "deployed",
    "endpoint",
    "original",
    "provisioned",
    "alarm",
];

/// Words that an operator may take for the name of the pause.
const MEANT_AS_PAUSE: &[&str] = &[
    "paused",
    "until",
    "disable",
    "disabled",
    "enable",
    "enabled",
    "off",
    "stop",
    "stopped",
    "suspend",
    "suspended",
    "freeze",
    "frozen",
    "hold",
    "skip",
    "ignore",
];

/// Jaro-Winkler likeness from 0 to 1: a letter wrong or missing in a long name is above it, another word is below.
const ALIKE: f64 = 0.85;

/// The letters that may be wrong, missing, additional or swapped in a short name.
const SLIP: usize = 1;

/// The tag that sets a setting, by the setting's key, among those of [`tags::own`](crate::tags::own).
pub fn tag_of(key: &'static str, tags: &Tags) -> String {
    let name = match key {
        "instances.min" => MIN,
        "instances.max" => MAX,
        "evidence" => EVIDENCE,
        "cooldown.up" => COOLDOWN_UP,
        "cooldown.down" => COOLDOWN_DOWN,
        "max_hourly_cost" => MAX_HOURLY_COST,
        "max_changes_per_hour" => MAX_CHANGES,
        "mode" => MODE,
        _ => PREFIX,
    };
    find(tags, name).map_or(name, |(tag, _)| tag).to_owned()
}

/// A tag that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableTag {
    /// Its name.
    pub tag: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Scaling that an operator has paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// The name of its tag.
    pub tag: String,
    /// Its direction; `None` for both.
    pub direction: Option<Direction>,
    /// Its end; `None` for as long as the tag exists.
    pub until: Option<Timestamp>,
}

impl Pause {
    /// Whether it stops a change in a direction now.
    pub fn stops(&self, direction: Direction, now: Timestamp) -> bool {
        self.direction.is_none_or(|paused| paused == direction) && self.until.is_none_or(|until| now < until)
    }
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = match self.direction {
            None => "all",
            Some(Direction::Up) => "up",
            Some(Direction::Down) => "down",
        };
        write!(f, "the tag `{} = {direction}`", self.tag)?;
        self.until.map_or(Ok(()), |until| write!(f, " until {until}"))
    }
}

/// Everything that tags set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TagSettings {
    /// The pause.
    pub pause: Option<Pause>,
    /// The settings.
    pub settings: Settings,
}

/// Reads the tags of [`tags::own`](crate::tags::own).
pub fn read(tags: &Tags) -> Result<TagSettings, UnreadableTag> {
    let mut read = TagSettings::default();
    for (tag, text) in tags {
        read.add(tag, text.trim()).map_err(|problem| UnreadableTag { tag: tag.clone(), problem })?;
    }
    if let (Some(min), Some(max)) = (read.settings.min, read.settings.max)
        && min > max
    {
        let problem = format!("`{min}` is above `{} = {max}`", tag_of("instances.max", tags));
        return Err(UnreadableTag { tag: tag_of("instances.min", tags), problem });
    }
    Ok(read)
}

impl TagSettings {
    fn add(&mut self, tag: &str, text: &str) -> Result<(), String> {
        let settings = &mut self.settings;
        if let Some(rest) = after_misspelt_prefix(tag) {
            return not_meant_by(rest);
        }
        match name_of(tag) {
            PAUSE => self.pause = Some(read_pause(tag, text)?),
            MIN => settings.min = Some(count(text)?),
            MAX => settings.max = Some(count(text)?),
            MODE => settings.mode = Some(mode(text)?),
            EVIDENCE => settings.evidence = Some(evidence(text)?),
            COOLDOWN_UP => settings.cooldown_up = Some(cooldown(tag, text)?),
            COOLDOWN_DOWN => settings.cooldown_down = Some(cooldown(tag, text)?),
            MAX_HOURLY_COST => settings.max_hourly_cost = Some(amount(tag, text)?),
            MAX_CHANGES => settings.max_changes_per_hour = Some(max_changes(tag, count(text)?)?),
            other => not_meant(other)?,
        }
        Ok(())
    }
}

/// Refuses a name under our prefix that is not known. Nobody else has tags there, so it is meant for stepladder.
fn not_meant(tag: &str) -> Result<(), String> {
    let word = tag.get(PREFIX.len()..).unwrap_or(tag).to_lowercase();
    if ITS_OWN.contains(&word.as_str()) {
        return Ok(());
    }
    let rate = |known: &&'static str| {
        let name = known.strip_prefix(PREFIX)?;
        is_like(&word, name).then(|| (strsim::jaro_winkler(&word, name), *known))
    };
    let nearest =
        OPERATORS.iter().filter_map(rate).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known);
    let meant = if MEANT_AS_PAUSE.contains(&word.as_str()) { Some(PAUSE) } else { nearest };
    Err(meant.map_or_else(
        || format!("there is no such tag: expected one of `{}`", OPERATORS.join("`, `")),
        no_such_tag,
    ))
}

/// Refuses a name of an operator's tag after a prefix that is nearly ours. Any other name may be somebody else's.
fn not_meant_by(rest: &str) -> Result<(), String> {
    let word = name_of(rest).trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let word = word.replace(|c: char| !c.is_alphanumeric(), "-");
    let is_this = |known: &&&str| known.strip_prefix(PREFIX).is_some_and(|name| is_surely(&word, name));
    let meant = if MEANT_AS_PAUSE.contains(&word.as_str()) {
        Some(PAUSE)
    } else {
        OPERATORS.iter().filter(is_this).max_by_key(|known| known.len()).copied()
    };
    meant.map_or(Ok(()), |meant| Err(no_such_tag(meant)))
}

fn no_such_tag(meant: &str) -> String {
    format!("there is no such tag; did you mean `{meant}`?")
}

/// Whether a word is an operator's tag without doubt: its name, perhaps with something after it. Only in a long name a
/// letter may be wrong: `model` is another word than `mode`.
fn is_surely(word: &str, name: &str) -> bool {
    let slips = if name.len() > MODE.len() - PREFIX.len() { SLIP } else { 0 };
    strsim::osa_distance(word, name) <= slips
        || word.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
}

fn is_like(word: &str, name: &str) -> bool {
    // `max_instances`, and `instances.max` as the policy has it.
    let holds = || word.split(|c: char| !c.is_alphanumeric()).any(|part| part.starts_with(name));
    strsim::osa_distance(word, name) <= SLIP || strsim::jaro_winkler(word, name) > ALIKE || holds()
}

fn count(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| *number >= 1);
    number.ok_or_else(|| format!("`{text}`: expected a whole number, at least 1"))
}

fn amount(tag: &str, text: &str) -> Result<f64, String> {
    let number = text.parse().map_err(|_| format!("`{text}`: expected an amount in US dollars"))?;
    above_nothing(tag, number)
}

/// A tag only narrows: somebody who may tag a deployment must not be able to enable calls that the policy disables.
fn mode(text: &str) -> Result<Mode, String> {
    match text {
        "observe" => Ok(Mode::Observe),
        _ => Err(format!("`{text}`: expected `observe`; only the policy can set `act`")),
    }
}

fn evidence(text: &str) -> Result<Evidence, String> {
    match text {
        "window" => Ok(Evidence::Window),
        "fired" => Ok(Evidence::Fired),
        _ => Err(format!("`{text}`: expected `window` or `fired`")),
    }
}

fn read_pause(tag: &str, text: &str) -> Result<Pause, String> {
    let expected = || {
        format!(
            "`{text}`: expected `all`, `up` or `down`, and perhaps `until=2026-03-02T09:00:00Z` after a blank"
        )
    };
    // Some platforms allow no semicolon in a tag.
    let mut words = text.split([';', ' ']).filter(|word| !word.is_empty());
    let direction = match words.next() {
        Some("all") => None,
        Some("up") => Some(Direction::Up),
        Some("down") => Some(Direction::Down),
        _ => return Err(expected()),
    };
    let until = match words.next() {
        None => None,
        Some(word) => {
            let time = word.strip_prefix("until=").and_then(|time| time.parse().ok());
            Some(time.ok_or_else(expected)?)
        }
    };
    if words.next().is_some() {
        return Err(expected());
    }
    Ok(Pause { tag: tag.to_owned(), direction, until })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::tags::{RECENT, own, recent};

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn second(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn pause(direction: Option<Direction>, until: Option<i64>) -> Pause {
        Pause { tag: PAUSE.to_owned(), direction, until: until.map(second) }
    }

    #[test]
    fn a_pause_is_read_in_either_spelling() {
        let rows = [
            ("all", Some((None, None))),
            ("up", Some((Some(Direction::Up), None))),
            ("down; until=1970-01-01T00:01:40Z", Some((Some(Direction::Down), Some(100)))),
            ("down;until=1970-01-01T00:01:40Z", Some((Some(Direction::Down), Some(100)))),
            // without a semicolon, which some platforms do not allow
            ("all until=1970-01-01T00:01:40Z", Some((None, Some(100)))),
            // nothing of it is guessed
            ("", None),
            ("yes", None),
            ("all until=tomorrow", None),
            ("all 2026-01-01T00:00:00Z", None),
            ("all until=1970-01-01T00:01:40Z please", None),
        ];
        for (text, expected) in rows {
            let read = read(&tags(&[(PAUSE, text)]));
            let expected = expected.map(|(direction, until)| pause(direction, until));
            assert_eq!(read.ok().and_then(|read| read.pause), expected, "{text}");
        }
    }

    #[test]
    fn a_pause_stops_its_direction_until_it_ends() {
        let down = pause(Some(Direction::Down), Some(100));
        assert!(down.stops(Direction::Down, second(99)));
        assert!(!down.stops(Direction::Down, second(100)));
        assert!(!down.stops(Direction::Up, second(99)));
        assert!(pause(None, None).stops(Direction::Up, second(99)));
    }

    #[test]
    fn a_tag_keeps_its_own_name() {
        let all = tags(&[
            ("stepladder:min/blue", "3"),
            ("stepladder:max", "2"),
            ("stepladder:recent/blue", "7i+1"),
        ]);
        assert_eq!(tag_of("instances.min", &all), "stepladder:min/blue");
        assert_eq!(tag_of("instances.max", &all), "stepladder:max");
        assert_eq!(recent(&all).len(), 1);
        for (tag, text, part) in [
            ("stepladder:pause/blue", "maybe", "`maybe`"),
            ("stepladder:maxx/blue", "3", "did you mean `stepladder:max`?"),
            ("stepladder:cooldown-up/blue", "soon", "`stepladder:cooldown-up/blue = \"soon\"`"),
            ("stepladder:max-hourly-cost/blue", "0", "`stepladder:max-hourly-cost/blue = 0`"),
        ] {
            let problem = read(&tags(&[(tag, text)])).unwrap_err();
            assert!(problem.tag == tag && problem.problem.contains(part), "{problem:?}");
        }
        let problem = read(&all).unwrap_err();
        assert_eq!(
            (problem.tag.as_str(), problem.problem.as_str()),
            ("stepladder:min/blue", "`3` is above `stepladder:max = 2`")
        );
        let tag_settings = read(&tags(&[("stepladder:pause/blue", "up")])).unwrap();
        assert_eq!(
            tag_settings.pause.map(|pause| pause.to_string()).as_deref(),
            Some("the tag `stepladder:pause/blue = up`")
        );
    }

    #[test]
    fn settings_are_read_and_slips_are_refused() {
        let tag_settings = read(&tags(&[
            (MIN, "2"),
            (MAX, "5"),
            (MODE, "observe"),
            (EVIDENCE, "fired"),
            (COOLDOWN_UP, "90s"),
            (COOLDOWN_DOWN, "10m"),
            (MAX_HOURLY_COST, "12.5"),
            (MAX_CHANGES, "4"),
            (RECENT, "no matter"),
        ]));
        let expected = Settings {
            min: Some(2),
            max: Some(5),
            mode: Some(Mode::Observe),
            evidence: Some(Evidence::Fired),
            cooldown_up: Some(SignedDuration::from_secs(90)),
            cooldown_down: Some(SignedDuration::from_mins(10)),
            max_hourly_cost: Some(12.5),
            max_changes_per_hour: Some(4),
            ..Settings::default()
        };
        assert_eq!(tag_settings.map(|read| read.settings), Ok(expected));
        for (tag, text, part) in [
            (MIN, "0", "at least 1"),
            (MAX, "many", "whole number"),
            // a tag only narrows
            (MODE, "act", "only the policy"),
            (EVIDENCE, "new", "`window` or `fired`"),
            (COOLDOWN_UP, "soon", "no duration"),
            (MAX_HOURLY_COST, "-1", "above 0"),
            (MAX_HOURLY_COST, "x", "US dollars"),
            (MAX_CHANGES, "13", "1 to 12"),
            ("stepladder:puase", "all", "did you mean `stepladder:pause`?"),
            ("stepladder:maxx", "3", "did you mean `stepladder:max`?"),
        ] {
            let problem = read(&tags(&[(tag, text)])).unwrap_err();
            assert!(problem.tag == tag && problem.problem.contains(part), "{problem:?}");
        }
        assert!(read(&tags(&[(MIN, "5"), (MAX, "2")])).is_err());
    }

    #[test]
    fn a_name_close_to_a_tag_of_stepladder_is_a_slip() {
        let rows = [
            // in other letters: to one cloud the same key, to the other another
            ("stepladder:PAUSE", Some(PAUSE)),
            ("stepladder:MODE", Some(MODE)),
            ("stepladder:Mode", Some(MODE)),
            ("stepladder:Max", Some(MAX)),
            ("stepladder:MAX", Some(MAX)),
            ("Stepladder:pause", Some(PAUSE)),
            ("STEPLADDER:MIN", Some(MIN)),
            ("Stepladder:Max-Hourly-Cost", Some(MAX_HOURLY_COST)),
            // one variant's alone
            ("Stepladder:PAUSE/blue", Some(PAUSE)),
            ("stepladder:mx/blue", Some(MAX)),
            // a letter wrong, missing, too many, or swapped with the next
            ("stepladder:mux", Some(MAX)),
            ("stepladder:mx", Some(MAX)),
            ("stepladder:maxx", Some(MAX)),
            ("stepladder:mni", Some(MIN)),
            ("stepladder:puase", Some(PAUSE)),
            ("stepladder:evidnce", Some(EVIDENCE)),
            // as settings are called in the policy, and elsewhere
            ("stepladder:max_instances", Some(MAX)),
            ("stepladder:min_instances", Some(MIN)),
            ("stepladder:instances.max", Some(MAX)),
            ("stepladder:maxInstances", Some(MAX)),
            ("stepladder:minimum", Some(MIN)),
            ("stepladder:cooldown.up", Some(COOLDOWN_UP)),
            ("stepladder:max_hourly_cost", Some(MAX_HOURLY_COST)),
            ("stepladder:max_changes_per_hour", Some(MAX_CHANGES)),
            ("stepladder:paused-until", Some(PAUSE)),
            // what stepladder itself writes
            (RECENT, None),
            ("stepladder:Recent", None),
            ("stepladder:recent/blue", None),
            ("stepladder:changed", None),
            ("stepladder:infeasible", None),
            ("stepladder:infeasible/blue/ml.m5.large", None),
            ("stepladder:step/blue", None),
            ("stepladder:parked/blue/1", None),
            ("stepladder:deployed/blue", None),
            ("stepladder:target", None),
            ("stepladder:pair", None),
            ("stepladder:endpoint", None),
            ("stepladder:original", None),
            ("stepladder:provisioned", None),
            ("stepladder:alarm", None),
            // another separator, or none
            ("stepladder-pause", Some(PAUSE)),
            ("stepladder_pause", Some(PAUSE)),
            ("stepladder/pause", Some(PAUSE)),
            ("stepladder.pause", Some(PAUSE)),
            ("stepladder pause", Some(PAUSE)),
            ("stepladder::pause", Some(PAUSE)),
            (" stepladder:pause", Some(PAUSE)),
            ("StepladderPause", Some(PAUSE)),
            ("stepladder-Max", Some(MAX)),
            ("stepladder_max_instances", Some(MAX)),
            ("stepladder_cooldown_up", Some(COOLDOWN_UP)),
            ("stepladder/pause/blue", Some(PAUSE)),
            // another spelling of the prefix
            ("steplader:pause", Some(PAUSE)),
            ("stepladders:pause", Some(PAUSE)),
            ("step-ladder:pause", Some(PAUSE)),
            ("step_ladder-pause", Some(PAUSE)),
            ("Step Ladder: Pause", Some(PAUSE)),
            ("setpladder:puase", Some(PAUSE)),
            ("step-ladder:max-hourly-cots", Some(MAX_HOURLY_COST)),
            // words for a pause
            ("stepladder:until", Some(PAUSE)),
            ("stepladder:Disabled", Some(PAUSE)),
            ("stepladder-disabled", Some(PAUSE)),
            ("steplader:suspended", Some(PAUSE)),
            // another variant, and other people's
            ("stepladder:PAUSE/green", None),
            ("stepladder-pause/green", None),
            ("stepladder", None),
            ("stepladder-controller", None),
            ("stepladder-model", None),
            ("stepladder_env", None),
            ("stepladder.io/team", None),
            ("stepladder-app:max-size", None),
            ("stepladders:team", None),
            ("step:pause", None),
            ("ladder:pause", None),
            ("stepfunctions:pause", None),
            ("stairladder:pause", None),
            ("max", None),
            ("pause", None),
            ("team:PAUSE", None),
            // its eleventh byte is in the middle of a letter
            ("stepladderä", None),
        ];
        for (tag, meant) in rows {
            let problem = read(&own(&tags(&[(tag, "x")]), Some("blue"))).err().map(|slip| slip.problem);
            let expected = meant.map(|meant| format!("there is no such tag; did you mean `{meant}`?"));
            assert_eq!(problem, expected, "{tag}");
        }
    }

    #[test]
    fn an_unknown_name_under_our_prefix_is_refused() {
        for tag in ["stepladder:team", "stepladder:model-name", "Stepladder:x"] {
            let problem = read(&own(&tags(&[(tag, "x")]), None)).unwrap_err();
            assert_eq!(problem.tag, tag);
            assert!(problem.problem.starts_with("there is no such tag"), "{problem:?}");
            assert!(problem.problem.contains("`stepladder:"), "{problem:?}");
        }
    }
}
