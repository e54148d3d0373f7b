//! What a deployment's own tags say: a pause, settings of its own, and what was changed lately.
//!
//! Tags of an OCI deployment, or of a SageMaker endpoint, where `/<variant>` after a name makes it that variant's alone.
//! What cannot be read is never taken for nothing: its deployment is left alone until somebody looks.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use crate::policy::{Evidence, Mode, Settings, above_nothing, cooldown, max_changes};
use crate::size::{Axis, Direction};

/// Names and values, as a resource is tagged with them.
pub type Tags = BTreeMap<String, String>;

/// How every name of ours begins.
pub const PREFIX: &str = "stepladder:";
/// `all`, `up` or `down`, and perhaps `until=<time>` after a blank or a semicolon.
pub const PAUSE: &str = "stepladder:pause";
/// What was changed lately, in one line. Written by stepladder itself.
pub const RECENT: &str = "stepladder:recent";

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

/// What stepladder itself writes besides: the first words after the prefix.
const ITS_OWN: &[&str] = &["recent", "changed", "infeasible", "step", "parked", "target", "pair", "deployed"];

/// Jaro-Winkler likeness from 0 to 1: a letter wrong or missing in a long name is above it, another word is below.
const ALIKE: f64 = 0.85;

/// Of a short name every letter counts for more than that: so many wrong, missing, too many or swapped are a slip.
const SLIP: usize = 1;

/// The tag that states a setting, by the setting's key, as it stands among those that [`own`] gives.
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

/// Whether a tag is one of ours. Case matters to one cloud and not to the other; whoever wrote it meant us in either.
pub fn is_ours(key: &str) -> bool {
    key.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// The tags of ours among all, with those of the one variant in the place of its endpoint's. Their names are kept as they
/// stand, so that whoever is told of one finds it.
pub fn own(tags: &Tags, variant: Option<&str>) -> Tags {
    let of = |tag: &str| tag.split_once('/').map(|(_, of)| of.to_owned());
    let is_own = |tag: &str| match (of(tag), variant) {
        (None, Some(variant)) => !tags.contains_key(&format!("{tag}/{variant}")),
        (None, None) => true,
        (of, variant) => of.as_deref() == variant,
    };
    let ours = tags.iter().filter(|(tag, _)| is_ours(tag) && is_own(tag));
    ours.map(|(tag, value)| (tag.clone(), value.clone())).collect()
}

/// What a tag is called for an endpoint and for its variant alike.
pub fn name_of(tag: &str) -> &str {
    tag.split('/').next().unwrap_or(tag)
}

/// The tag of a name, as it stands among those that [`own`] gives, and what it says.
pub(crate) fn find<'a>(tags: &'a Tags, name: &str) -> Option<(&'a str, &'a str)> {
    let mut tags = tags.iter().map(|(tag, text)| (tag.as_str(), text.as_str()));
    tags.find(|(tag, _)| name_of(tag) == name)
}

/// A tag that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its name.
    pub tag: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Scaling that an operator has paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// The tag that says so, as it stands.
    pub tag: String,
    /// Which way; `None` for both.
    pub direction: Option<Direction>,
    /// Until when; `None` for as long as the tag is there.
    pub until: Option<Timestamp>,
}

impl Pause {
    /// Whether it stops a change this way now.
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

/// Everything that tags say, but for what was changed lately.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TagSettings {
    /// What is paused.
    pub pause: Option<Pause>,
    /// The settings.
    pub settings: Settings,
}

/// Reads tags as [`own`] gives them.
pub fn read(tags: &Tags) -> Result<TagSettings, Unreadable> {
    let mut said = TagSettings::default();
    for (tag, text) in tags {
        said.take(tag, text.trim()).map_err(|problem| Unreadable { tag: tag.clone(), problem })?;
    }
    if let (Some(min), Some(max)) = (said.settings.min, said.settings.max)
        && min > max
    {
        let problem = format!("`{min}` is above `{} = {max}`", tag_of("instances.max", tags));
        return Err(Unreadable { tag: tag_of("instances.min", tags), problem });
    }
    Ok(said)
}

impl TagSettings {
    fn take(&mut self, tag: &str, text: &str) -> Result<(), String> {
        let settings = &mut self.settings;
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

/// A name that is nearly one of those that mean something is a slip of the pen.
fn not_meant(tag: &str) -> Result<(), String> {
    let word = tag.get(PREFIX.len()..).unwrap_or(tag).to_lowercase();
    if ITS_OWN.contains(&word.as_str()) {
        return Ok(());
    }
    let rate = |known: &&'static str| {
        let name = known.strip_prefix(PREFIX)?;
        is_like(&word, name).then(|| (strsim::jaro_winkler(&word, name), *known))
    };
    match OPERATORS.iter().filter_map(rate).max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((_, known)) => Err(format!("there is no such tag; did you mean `{known}`?")),
        None => Ok(()),
    }
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

/// Tags only ever hold back: whoever may tag a deployment must not be able to let loose what the policy only watches.
fn mode(text: &str) -> Result<Mode, String> {
    match text {
        "observe" => Ok(Mode::Observe),
        _ => Err(format!("`{text}`: expected `observe`; only the policy says `act`")),
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
    // A semicolon is not among the characters that AWS lets a tag have.
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

/// One change that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecentChange {
    /// When.
    pub at: Timestamp,
    /// Along which axis.
    pub axis: Axis,
    /// How many instances it has added together with those before it in the same cooldown, negative for what it took
    /// away; a sign alone on the other axes.
    pub added: i32,
}

impl RecentChange {
    /// Which way it went.
    pub fn direction(&self) -> Direction {
        if self.added > 0 { Direction::Up } else { Direction::Down }
    }
}

/// The hour within which changes are counted.
pub const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What was changed lately, oldest first. What cannot be read is not there.
pub fn recent(tags: &Tags) -> Vec<RecentChange> {
    let text = find(tags, RECENT).map_or("", |(_, text)| text);
    text.split(' ').filter_map(read_recent).collect()
}

/// `1772452800i+2`: seconds, the axis by its first letter, and what was added.
fn read_recent(word: &str) -> Option<RecentChange> {
    let letter = word.find(['i', 's', 'b'])?;
    let (seconds, rest) = word.split_at_checked(letter)?;
    let axis = match rest.chars().next()? {
        'i' => Axis::Instances,
        's' => Axis::Shape,
        _ => Axis::Bandwidth,
    };
    let at = Timestamp::from_second(seconds.parse().ok()?).ok()?;
    let added = rest.get(1..)?.parse().ok().filter(|added| *added != 0)?;
    Some(RecentChange { at, axis, added })
}

/// So many changes fit into the 256 characters of a tag, whatever they are; no policy counts more.
const MOST_RECENT: usize = 15;

/// The line with one more change in it, and without those that no hour counts any more.
pub fn with_recent(known: &[RecentChange], next: RecentChange) -> String {
    let counts = |recent: &&RecentChange| next.at.duration_since(recent.at) < HOUR;
    let known: Vec<&RecentChange> = known.iter().filter(counts).collect();
    let too_many = known.len().saturating_sub(MOST_RECENT - 1);
    let mut line = String::new();
    for RecentChange { at, axis, added } in known.into_iter().skip(too_many).chain([&next]) {
        let letter = match axis {
            Axis::Instances => 'i',
            Axis::Shape => 's',
            Axis::Bandwidth => 'b',
        };
        let blank = if line.is_empty() { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = write!(line, "{blank}{}{letter}{added:+}", at.as_second());
    }
    line
}

/// The line with what either knows of one deployment; `None` where neither knows anything.
pub fn with_both(one: &Tags, other: &Tags) -> Option<String> {
    let mut all = [recent(one), recent(other)].concat();
    all.sort_by_key(|recent| recent.at);
    all.dedup();
    let last = all.pop()?;
    Some(with_recent(&all, last))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            // as AWS lets it be written
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
            assert_eq!(read.ok().and_then(|said| said.pause), expected, "{text}");
        }
    }

    #[test]
    fn a_pause_stops_its_way_until_it_is_over() {
        let down = pause(Some(Direction::Down), Some(100));
        assert!(down.stops(Direction::Down, second(99)));
        assert!(!down.stops(Direction::Down, second(100)));
        assert!(!down.stops(Direction::Up, second(99)));
        assert!(pause(None, None).stops(Direction::Up, second(99)));
    }

    #[test]
    fn a_variants_own_tag_takes_the_place_of_its_endpoints() {
        let all = tags(&[
            ("stepladder:min", "2"),
            ("stepladder:min/blue", "3"),
            ("stepladder:max/green", "9"),
            ("stepladder:step/blue", "from=a"),
            ("stepladder:mode", "observe"),
            ("team", "a"),
        ]);
        let blue = [
            ("stepladder:min/blue", "3"),
            ("stepladder:step/blue", "from=a"),
            ("stepladder:mode", "observe"),
        ];
        assert_eq!(own(&all, Some("blue")), tags(&blue));
        assert_eq!(own(&all, None), tags(&[("stepladder:min", "2"), ("stepladder:mode", "observe")]));
    }

    #[test]
    fn a_tag_is_told_as_it_stands() {
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
        let said = read(&tags(&[("stepladder:pause/blue", "up")])).unwrap();
        assert_eq!(
            said.pause.map(|pause| pause.to_string()).as_deref(),
            Some("the tag `stepladder:pause/blue = up`")
        );
    }

    #[test]
    fn settings_are_read_and_slips_are_told() {
        let said = read(&tags(&[
            (MIN, "2"),
            (MAX, "5"),
            (MODE, "observe"),
            (EVIDENCE, "fired"),
            (COOLDOWN_UP, "90s"),
            (COOLDOWN_DOWN, "10m"),
            (MAX_HOURLY_COST, "12.5"),
            (MAX_CHANGES, "4"),
            (RECENT, "no matter"),
            ("stepladder:team", "mine"),
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
        assert_eq!(said.map(|said| said.settings), Ok(expected));
        for (tag, text, part) in [
            (MIN, "0", "at least 1"),
            (MAX, "many", "whole number"),
            // nobody who may only tag lets it loose
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
    fn what_is_nearly_called_like_a_tag_of_ours_is_a_slip() {
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
            // another word, another variant, and other people's
            ("stepladder:team", None),
            ("stepladder:PAUSE/green", None),
            ("stepladder", None),
            ("max", None),
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
    fn what_was_changed_lately_is_written_in_one_line() {
        let first = RecentChange { at: second(1000), axis: Axis::Instances, added: 1 };
        let second = RecentChange { at: second(1060), axis: Axis::Shape, added: -1 };
        let line = with_recent(&[first], second);
        assert_eq!(line, "1000i+1 1060s-1");
        assert_eq!(recent(&tags(&[(RECENT, &line)])), [first, second]);
        // an hour later the first counts no more
        let third = RecentChange { at: self::second(4600), axis: Axis::Bandwidth, added: 3 };
        assert_eq!(with_recent(&[first, second], third), "1060s-1 4600b+3");
        assert_eq!(recent(&tags(&[(RECENT, "x 12 i+1 5i+0 7i+1")])).len(), 1);
    }

    #[test]
    fn a_line_fits_into_a_tag() {
        let of =
            |at: i64| RecentChange { at: second(1_772_452_800 + at), axis: Axis::Instances, added: -1000 };
        let known: Vec<RecentChange> = (0..40).map(of).collect();
        let line = with_recent(&known, of(40));
        assert!(line.len() <= 256, "{}", line.len());
        assert_eq!(recent(&tags(&[(RECENT, &line)])).last(), Some(&of(40)));
    }

    #[test]
    fn what_two_know_is_one_line() {
        let both = |one: &str, other: &str| with_both(&tags(&[(RECENT, one)]), &tags(&[(RECENT, other)]));
        assert_eq!(both("1000i+1 1060s-1", "1000i+1 1030i+2").as_deref(), Some("1000i+1 1030i+2 1060s-1"));
        assert_eq!(both("", "1000i+1").as_deref(), Some("1000i+1"));
        assert_eq!(both("", "x"), None);
    }
}
