//! The names of tags that stepladder knows, and the record of recent changes.
//!
//! A tag of a resource with several targets may have `/<target>` after its name: then it is for that target alone. What
//! tags set, [`crate::policy::tags`] reads.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use crate::size::{Axis, Direction};

/// Names and values, as a resource is tagged with them.
pub type Tags = BTreeMap<String, String>;

/// How every tag of stepladder begins.
pub const PREFIX: &str = "stepladder:";
/// The record of recent changes, in one line. Written by stepladder itself.
pub const RECENT: &str = "stepladder:recent";

/// Whether a tag is one of stepladder's, in upper or lower case: some platforms ignore case in tags, and others do not.
pub fn is_ours(key: &str) -> bool {
    key.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// The prefix without its separator.
const NAME: &str = "stepladder";

/// The letters of the prefix that may be wrong, missing, additional or swapped.
const SLIPS: usize = 2;

/// What a name holds after a prefix that is nearly ours: another separator, or a letter wrong. `None` for our own prefix,
/// and for a name that has nothing to do with it.
pub fn after_misspelt_prefix(key: &str) -> Option<&str> {
    if is_ours(key) {
        return None;
    }
    let is_separator = |c: char| !c.is_alphanumeric();
    let split = |(at, _): (usize, &str)| {
        let (head, rest) = key.split_at_checked(at)?;
        let letters: String = head.chars().filter(|c| c.is_alphanumeric()).collect();
        let is_near = letters.len().abs_diff(NAME.len()) <= SLIPS
            && strsim::osa_distance(&letters.to_lowercase(), NAME) <= SLIPS;
        is_near.then(|| rest.trim_start_matches(is_separator))
    };
    let without_separator = || {
        let (head, rest) = key.split_at_checked(NAME.len())?;
        head.eq_ignore_ascii_case(NAME).then_some(rest)
    };
    key.match_indices(is_separator).find_map(split).or_else(without_separator).filter(|rest| !rest.is_empty())
}

/// Whether a tag whose name is nearly one of stepladder's is about a part of the resource, or about the whole.
fn is_slip_of(key: &str, part: Option<&str>) -> bool {
    after_misspelt_prefix(key).is_some_and(|rest| {
        let of = rest.split_once('/').map(|(_, of)| of);
        of.is_none() || of == part
    })
}

/// Our tags among all, and those that are nearly called so. Those of one part of the resource replace those of the whole.
/// Names stay as they are, so that an operator finds them again.
pub fn own(tags: &Tags, part: Option<&str>) -> Tags {
    let of = |tag: &str| tag.split_once('/').map(|(_, of)| of.to_owned());
    let is_own = |tag: &str| match (of(tag), part) {
        (None, Some(part)) => !tags.contains_key(&format!("{tag}/{part}")),
        (None, None) => true,
        (of, part) => of.as_deref() == part,
    };
    let ours = tags.iter().filter(|(tag, _)| (is_ours(tag) && is_own(tag)) || is_slip_of(tag, part));
    ours.map(|(tag, value)| (tag.clone(), value.clone())).collect()
}

/// The name of a tag without the part of the resource.
pub fn name_of(tag: &str) -> &str {
    tag.split('/').next().unwrap_or(tag)
}

/// The tag of a name among those of [`own`], and its value.
pub(crate) fn find<'a>(tags: &'a Tags, name: &str) -> Option<(&'a str, &'a str)> {
    let mut tags = tags.iter().map(|(tag, text)| (tag.as_str(), text.as_str()));
    tags.find(|(tag, _)| name_of(tag) == name)
}

/// One requested change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecentChange {
    /// The time of the request.
    pub at: Timestamp,
    /// The axis.
    pub axis: Axis,
    /// How many instances it added, with those of earlier changes in the same cooldown. Negative for a scale-down; only
    /// the sign counts on other axes.
    pub added: i32,
}

impl RecentChange {
    /// Its direction.
    pub fn direction(&self) -> Direction {
        if self.added > 0 { Direction::Up } else { Direction::Down }
    }
}

/// The time within which changes are counted.
pub const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The recent changes, oldest first, without those that cannot be read.
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

/// So many changes always fit into the 256 characters of a tag. No policy counts more.
const MOST_RECENT: usize = 15;

/// The line with one more change, without those that are older than an hour.
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

/// The line with the changes of both records of one deployment; `None` where neither has any.
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
