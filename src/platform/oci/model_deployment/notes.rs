//! What a deployment's own freeform tags remember of its changes: when the last was asked for, and the shape that
//! could not be had.
//!
//! A service that takes an update may still fail to carry it out, minutes later. Its work request tells.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{TAG_CHANGED, TAG_INFEASIBLE};
use crate::deployment::Infeasible;
use crate::size::{Axis, Size};
use crate::tags;
use crate::tags::Tags;

/// OCI's limit on the length of a tag's value.
const LONGEST_VALUE: usize = 256;

/// A stamp and the work request of its update are at most so far apart: clocks differ, and a request may be tried
/// more than once.
const AROUND: SignedDuration = SignedDuration::from_mins(5);

/// How the latest update of a deployment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// When it was accepted, where that is told.
    pub accepted: Option<Timestamp>,
    /// When it was over.
    pub at: Timestamp,
    /// Whether it came to nothing.
    pub failed: bool,
}

/// What is remembered of a change that is asked for, beside what the tags said before. It is spelled out only when it is
/// sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Stamp {
    read: Arc<Tags>,
    at: Timestamp,
    /// The place on a ladder that is asked for.
    shape: Option<String>,
    infeasible: Option<Infeasible>,
    recent: Option<String>,
}

impl Stamp {
    /// That of a change which is asked for now. It takes the place of one that may say which shape could not be had, so
    /// that is kept.
    pub(super) fn of(
        read: &Arc<Tags>,
        known: &[Infeasible],
        (axis, to): (Axis, &Size),
        now: Timestamp,
        recent: Option<String>,
    ) -> Self {
        let known = known.iter().filter(|known| known.until > now);
        Self {
            read: Arc::clone(read),
            at: now,
            shape: (axis == Axis::Shape).then(|| to.rung().into_owned()),
            infeasible: known.max_by_key(|known| known.until).cloned(),
            recent,
        }
    }

    /// The freeform tags to be. What is over is left out.
    pub fn tags(&self) -> Tags {
        let Self { read, at, shape, infeasible, recent } = self;
        let mut tags = Tags::clone(read);
        tags.remove(TAG_INFEASIBLE);
        tags.extend(infeasible.as_ref().map(noted));
        let stamp = shape.as_ref().map_or_else(|| at.to_string(), |shape| format!("{at} {shape}"));
        tags.insert(TAG_CHANGED.to_owned(), stamp);
        tags.extend(recent.clone().map(|recent| (tags::RECENT.to_owned(), recent)));
        tags
    }
}

/// The tag that notes a shape which could not be had.
pub(super) fn noted(Infeasible { shape, until, why }: &Infeasible) -> (String, String) {
    let note = format!("{until} {shape} {why}").chars().take(LONGEST_VALUE).collect();
    (TAG_INFEASIBLE.to_owned(), note)
}

/// What tags say of the last change alone: everything else in them may have been edited since.
pub fn of_the_change(tags: &Tags) -> Tags {
    let said = [TAG_CHANGED, tags::RECENT].into_iter().filter_map(|key| tags.get_key_value(key));
    said.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The tags with the changes that others know of.
pub fn joined(tags: &Tags, others: &Tags) -> Tags {
    let mut all = tags.clone();
    all.extend(tags::with_both(tags, others).map(|recent| (tags::RECENT.to_owned(), recent)));
    all
}

/// The tags as they are now with what is ours in those that could not go with an update: an operator may have edited his
/// own since, and somebody else may have asked for a change.
pub fn caught_up(now: &Tags, meant: &Tags) -> Tags {
    let mut tags = joined(now, meant);
    let ours = [TAG_CHANGED, TAG_INFEASIBLE].into_iter().filter_map(|key| meant.get_key_value(key));
    let later = asked_at(now) > asked_at(meant);
    let ours = ours.filter(|(key, _)| !(later && key.as_str() == TAG_CHANGED));
    tags.extend(ours.map(|(key, value)| (key.clone(), value.clone())));
    tags
}

/// When the change of a stamp was asked for.
pub fn asked_at(tags: &Tags) -> Option<Timestamp> {
    tags.get(TAG_CHANGED)?.split(' ').next()?.parse().ok()
}

/// When the last change was completed, as far as a deployment knows: its latest work request has ended then, or it
/// was at least asked for.
pub fn last_change(tags: &Tags, finished: Option<Finished>) -> Option<Timestamp> {
    finished.map(|finished| finished.at).max(asked_at(tags))
}

/// The shapes that could not be had: the one that is written down, and the one of a stamp whose update has failed.
pub fn infeasible(
    tags: &Tags,
    size: &Size,
    finished: Option<Finished>,
    capacity_backoff: SignedDuration,
) -> Vec<Infeasible> {
    let of_the_stamp = |finished: &Finished| {
        let apart = |asked| finished.accepted.map(|accepted| accepted.duration_since(asked).abs());
        asked_at(tags)
            .is_some_and(|asked| finished.at >= asked && apart(asked).is_none_or(|apart| apart <= AROUND))
    };
    let failed = finished.filter(|finished| finished.failed && of_the_stamp(finished));
    let failed = failed.and_then(|finished| {
        let (_, shape) = tags.get(TAG_CHANGED)?.split_once(' ')?;
        let until = finished.at.checked_add(capacity_backoff).ok()?;
        let why = "the update of the deployment has failed".to_owned();
        (shape != size.rung()).then(|| Infeasible { shape: shape.to_owned(), until, why })
    });
    read(tags).into_iter().chain(failed).collect()
}

fn read(tags: &Tags) -> Option<Infeasible> {
    let mut words = tags.get(TAG_INFEASIBLE)?.splitn(3, ' ');
    let (until, shape) = (words.next()?.parse().ok()?, words.next()?.to_owned());
    Some(Infeasible { shape, until, why: words.next().unwrap_or_default().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn second(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn stamped(tags: &Tags, known: &[Infeasible], axis: Axis, to: &Size, now: Timestamp) -> Tags {
        Stamp::of(&Arc::new(tags.clone()), known, (axis, to), now, None).tags()
    }

    fn shapes(tags: &Tags, shape: &str, finished: Option<(i64, bool)>) -> Vec<(String, i64)> {
        let accepted = |at| second(if at < 2000 { 101 } else { at - 30 });
        let finished =
            finished.map(|(at, failed)| Finished { accepted: Some(accepted(at)), at: second(at), failed });
        let known = infeasible(tags, &Size::new(1, shape), finished, HOUR);
        known.into_iter().map(|known| (known.shape, known.until.as_second())).collect()
    }

    #[test]
    fn a_shape_whose_update_has_failed_could_not_be_had() {
        let to = Size::new(1, "VM.Standard2.4");
        let shape = stamped(&Tags::new(), &[], Axis::Shape, &to, second(100));
        let count = stamped(&Tags::new(), &[], Axis::Instances, &to, second(100));
        let failed = vec![("VM.Standard2.4".to_owned(), 400 + 3600)];
        let rows = [
            (&shape, "VM.Standard2.2", Some((400, true)), failed),
            // it is there all the same: somebody has tried again
            (&shape, "VM.Standard2.4", Some((400, true)), vec![]),
            // it went well, and somebody has gone back since
            (&shape, "VM.Standard2.2", Some((400, false)), vec![]),
            // an earlier one failed, and this one is still under way
            (&shape, "VM.Standard2.2", Some((90, true)), vec![]),
            // another update has failed, much later
            (&shape, "VM.Standard2.2", Some((5000, true)), vec![]),
            // nobody may read how it ended
            (&shape, "VM.Standard2.2", None, vec![]),
            // a count that failed says nothing of shapes
            (&count, "VM.Standard2.2", Some((400, true)), vec![]),
        ];
        for (tags, shape, finished, expected) in rows {
            assert_eq!(shapes(tags, shape, finished), expected, "{shape} {finished:?}");
        }
    }

    #[test]
    fn a_note_is_kept_until_it_is_over() {
        let why = "400 LimitExceeded: no more of these".to_owned();
        let known = Infeasible { shape: "VM.Standard2.4".to_owned(), until: second(500), why };
        let tags = Tags::from([("team".to_owned(), "a".to_owned()), noted(&known)]);
        let size = Size::new(1, "VM.Standard2.2");
        assert_eq!(infeasible(&tags, &size, None, HOUR), std::slice::from_ref(&known));
        let to = Size::new(2, "VM.Standard2.2");
        let at = |now| stamped(&tags, std::slice::from_ref(&known), Axis::Instances, &to, second(now));
        assert!(at(499).contains_key(TAG_INFEASIBLE) && !at(500).contains_key(TAG_INFEASIBLE));
        assert_eq!(at(500)["team"], "a");
        // What only a stamp told is written down before another stamp takes its place.
        let told = Infeasible { shape: "VM.Standard2.8".to_owned(), ..known.clone() };
        let next = stamped(&Tags::new(), std::slice::from_ref(&told), Axis::Instances, &to, second(400));
        assert_eq!(infeasible(&next, &to, None, HOUR), [told]);
        let endless = Infeasible { why: "x".repeat(400), ..known };
        assert_eq!(noted(&endless).1.len(), LONGEST_VALUE);
    }

    #[test]
    fn a_stamp_tells_when_it_was_asked_for() {
        let tags = stamped(&Tags::new(), &[], Axis::Shape, &Size::new(1, "A"), second(100));
        assert_eq!(asked_at(&tags), Some(second(100)));
        let later = Finished { accepted: None, at: second(300), failed: false };
        assert_eq!(last_change(&tags, Some(later)), Some(second(300)));
        assert_eq!(last_change(&tags, None), Some(second(100)));
        assert_eq!(last_change(&Tags::new(), None), None);
    }

    #[test]
    fn tags_that_follow_a_size_leave_an_operators_alone() {
        let tags = |pairs: &[(&str, &str)]| -> Tags {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let observed = tags(&[("stepladder:pause", "up"), ("stepladder:max", "3"), (tags::RECENT, "40i+1")]);
        let to = Size::new(2, "A");
        let recent = Some("40i+1 100i+1".to_owned());
        let meant = Stamp::of(&Arc::new(observed), &[], (Axis::Instances, &to), second(100), recent).tags();
        // Meanwhile he has let go of the pause, and lowered the ceiling.
        let now = tags(&[("stepladder:max", "2"), ("team", "a"), (tags::RECENT, "40i+1")]);
        let expected = [
            (TAG_CHANGED, "1970-01-01T00:01:40Z"),
            ("stepladder:max", "2"),
            ("team", "a"),
            (tags::RECENT, "40i+1 100i+1"),
        ];
        assert_eq!(caught_up(&now, &meant), tags(&expected));
        // Somebody else has asked for a change since.
        let since = tags(&[(TAG_CHANGED, "1970-01-01T00:02:00Z"), (tags::RECENT, "40i+1 120i-1")]);
        let expected = tags(&[(TAG_CHANGED, "1970-01-01T00:02:00Z"), (tags::RECENT, "40i+1 100i+1 120i-1")]);
        assert_eq!(caught_up(&since, &meant), expected);
        assert_eq!(caught_up(&now, &Tags::new()), now);
    }
}
