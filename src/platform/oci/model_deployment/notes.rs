//! The records in a deployment's own freeform tags: when its last change was requested, and the infeasible shape.
//!
//! An accepted update may still fail minutes later. Its work request reports that.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{TAG_CHANGED, TAG_INFEASIBLE};
use crate::deployment::Infeasible;
use crate::size::Size;
use crate::tags::{self, Tags};

/// OCI's limit on the length of a tag's value.
const LONGEST_VALUE: usize = 256;

/// The longest time between a stamp and the acceptance of its update: clocks differ, and a request may be retried.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// How the latest update of a deployment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    /// When it was accepted, if that is known.
    pub accepted: Option<Timestamp>,
    /// When it ended.
    pub at: Timestamp,
    /// Whether it failed.
    pub failed: bool,
}

/// The record of a requested change, to be added to the observed tags. The tags are only built when they are sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Stamp {
    read: Arc<Tags>,
    at: Timestamp,
    /// The requested rung, for a change of shape.
    shape: Option<String>,
    infeasible: Option<Infeasible>,
    recent: Option<String>,
}

impl Stamp {
    /// The stamp of a change that is requested now; `shape` is its rung if it changes the shape. It replaces an earlier
    /// stamp, which may be the only record of an infeasible shape, so it keeps that one.
    pub(super) fn of(
        read: &Arc<Tags>,
        infeasible: &[Infeasible],
        shape: Option<String>,
        now: Timestamp,
        recent: Option<String>,
    ) -> Self {
        let current = infeasible.iter().filter(|found| found.until > now);
        Self {
            read: Arc::clone(read),
            at: now,
            shape,
            infeasible: current.max_by_key(|found| found.until).cloned(),
            recent,
        }
    }

    /// The new freeform tags. An expired record of an infeasible shape is left out.
    pub fn tags(&self) -> Tags {
        let Self { read, at, shape, infeasible, recent } = self;
        let mut tags = Tags::clone(read);
        tags.remove(TAG_INFEASIBLE);
        tags.extend(infeasible.as_ref().map(infeasible_tag));
        let stamp = shape.as_ref().map_or_else(|| at.to_string(), |shape| format!("{at} {shape}"));
        tags.insert(TAG_CHANGED.to_owned(), stamp);
        tags.extend(recent.clone().map(|recent| (tags::RECENT.to_owned(), recent)));
        tags
    }
}

/// The tag that records an infeasible shape.
pub(super) fn infeasible_tag(Infeasible { shape, until, why }: &Infeasible) -> (String, String) {
    let value = format!("{until} {shape} {why}").chars().take(LONGEST_VALUE).collect();
    (TAG_INFEASIBLE.to_owned(), value)
}

/// The tags that record the last change. All other tags may have been edited since.
pub fn of_the_change(tags: &Tags) -> Tags {
    let records = [TAG_CHANGED, tags::RECENT].into_iter().filter_map(|key| tags.get_key_value(key));
    records.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The tags, with the recent changes of both sets.
pub fn joined(tags: &Tags, others: &Tags) -> Tags {
    let mut all = tags.clone();
    all.extend(tags::with_both(tags, others).map(|recent| (tags::RECENT.to_owned(), recent)));
    all
}

/// The current tags, with our records from `intended`, which could not be written together with an update. Everything
/// else stays, because an operator may have edited it since. A later stamp stays, too.
pub fn caught_up(now: &Tags, intended: &Tags) -> Tags {
    let mut tags = joined(now, intended);
    let ours = [TAG_CHANGED, TAG_INFEASIBLE].into_iter().filter_map(|key| intended.get_key_value(key));
    let later = requested_at(now) > requested_at(intended);
    let ours = ours.filter(|(key, _)| !(later && key.as_str() == TAG_CHANGED));
    tags.extend(ours.map(|(key, value)| (key.clone(), value.clone())));
    tags
}

/// When the stamped change was requested.
pub fn requested_at(tags: &Tags) -> Option<Timestamp> {
    tags.get(TAG_CHANGED)?.split(' ').next()?.parse().ok()
}

/// When the last change was completed: the end of the latest work request, or the time of the stamp if that is later.
pub fn last_change(tags: &Tags, finished: Option<Finished>) -> Option<Timestamp> {
    finished.map(|finished| finished.at).max(requested_at(tags))
}

/// The infeasible shapes: the recorded one, and the one of a stamp whose update has failed.
pub fn infeasible(
    tags: &Tags,
    size: &Size,
    finished: Option<Finished>,
    capacity_backoff: SignedDuration,
) -> Vec<Infeasible> {
    let matches_stamp = |finished: &Finished| {
        let distance = |stamp| finished.accepted.map(|accepted| accepted.duration_since(stamp).abs());
        requested_at(tags).is_some_and(|stamp| {
            finished.at >= stamp && distance(stamp).is_none_or(|distance| distance <= TOLERANCE)
        })
    };
    let failed = finished.filter(|finished| finished.failed && matches_stamp(finished));
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

    /// The tags after a change to a shape, or of another axis, was requested.
    fn stamped(tags: &Tags, infeasible: &[Infeasible], shape: Option<&str>, now: Timestamp) -> Tags {
        Stamp::of(&Arc::new(tags.clone()), infeasible, shape.map(str::to_owned), now, None).tags()
    }

    fn shapes(tags: &Tags, shape: &str, finished: Option<(i64, bool)>) -> Vec<(String, i64)> {
        let accepted = |at| second(if at < 2000 { 101 } else { at - 30 });
        let finished =
            finished.map(|(at, failed)| Finished { accepted: Some(accepted(at)), at: second(at), failed });
        let known = infeasible(tags, &Size::new(1, shape), finished, HOUR);
        known.into_iter().map(|known| (known.shape, known.until.as_second())).collect()
    }

    #[test]
    fn a_shape_whose_update_failed_is_infeasible() {
        let shape = stamped(&Tags::new(), &[], Some("VM.Standard2.4"), second(100));
        let count = stamped(&Tags::new(), &[], None, second(100));
        let failed = vec![("VM.Standard2.4".to_owned(), 400 + 3600)];
        let rows = [
            (&shape, "VM.Standard2.2", Some((400, true)), failed),
            // the deployment has that shape now: another attempt has succeeded
            (&shape, "VM.Standard2.4", Some((400, true)), vec![]),
            // it succeeded, and the shape has been changed back since
            (&shape, "VM.Standard2.2", Some((400, false)), vec![]),
            // an earlier one failed, and this one is still under way
            (&shape, "VM.Standard2.2", Some((90, true)), vec![]),
            // another update has failed, much later
            (&shape, "VM.Standard2.2", Some((5000, true)), vec![]),
            // work requests cannot be read
            (&shape, "VM.Standard2.2", None, vec![]),
            // a failed change of the count is no evidence about shapes
            (&count, "VM.Standard2.2", Some((400, true)), vec![]),
        ];
        for (tags, shape, finished, expected) in rows {
            assert_eq!(shapes(tags, shape, finished), expected, "{shape} {finished:?}");
        }
    }

    #[test]
    fn a_record_is_kept_until_it_expires() {
        let why = "400 LimitExceeded: no more of these".to_owned();
        let known = Infeasible { shape: "VM.Standard2.4".to_owned(), until: second(500), why };
        let tags = Tags::from([("team".to_owned(), "a".to_owned()), infeasible_tag(&known)]);
        let size = Size::new(1, "VM.Standard2.2");
        assert_eq!(infeasible(&tags, &size, None, HOUR), std::slice::from_ref(&known));
        let at = |now| stamped(&tags, std::slice::from_ref(&known), None, second(now));
        assert!(at(499).contains_key(TAG_INFEASIBLE) && !at(500).contains_key(TAG_INFEASIBLE));
        assert_eq!(at(500)["team"], "a");
        // An infeasible shape that only a stamp records gets its own tag before another stamp replaces that one.
        let other = Infeasible { shape: "VM.Standard2.8".to_owned(), ..known.clone() };
        let next = stamped(&Tags::new(), std::slice::from_ref(&other), None, second(400));
        assert_eq!(infeasible(&next, &size, None, HOUR), [other]);
        let endless = Infeasible { why: "x".repeat(400), ..known };
        assert_eq!(infeasible_tag(&endless).1.len(), LONGEST_VALUE);
    }

    #[test]
    fn a_stamp_has_the_time_of_its_request() {
        let tags = stamped(&Tags::new(), &[], Some("A"), second(100));
        assert_eq!(requested_at(&tags), Some(second(100)));
        let later = Finished { accepted: None, at: second(300), failed: false };
        assert_eq!(last_change(&tags, Some(later)), Some(second(300)));
        assert_eq!(last_change(&tags, None), Some(second(100)));
        assert_eq!(last_change(&Tags::new(), None), None);
    }

    #[test]
    fn tags_that_follow_a_size_keep_an_operators_edits() {
        let tags = |pairs: &[(&str, &str)]| -> Tags {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let observed = tags(&[("stepladder:pause", "up"), ("stepladder:max", "3"), (tags::RECENT, "40i+1")]);
        let recent = Some("40i+1 100i+1".to_owned());
        let intended = Stamp::of(&Arc::new(observed), &[], None, second(100), recent).tags();
        // Meanwhile the operator has removed the pause, and lowered the ceiling.
        let now = tags(&[("stepladder:max", "2"), ("team", "a"), (tags::RECENT, "40i+1")]);
        let expected = [
            (TAG_CHANGED, "1970-01-01T00:01:40Z"),
            ("stepladder:max", "2"),
            ("team", "a"),
            (tags::RECENT, "40i+1 100i+1"),
        ];
        assert_eq!(caught_up(&now, &intended), tags(&expected));
        // Another change has been requested since.
        let since = tags(&[(TAG_CHANGED, "1970-01-01T00:02:00Z"), (tags::RECENT, "40i+1 120i-1")]);
        let expected = tags(&[(TAG_CHANGED, "1970-01-01T00:02:00Z"), (tags::RECENT, "40i+1 100i+1 120i-1")]);
        assert_eq!(caught_up(&since, &intended), expected);
        assert_eq!(caught_up(&now, &Tags::new()), now);
    }
}
