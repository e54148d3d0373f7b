//! `[[schedule]]`: times at which the count has other bounds.
//!
//! A schedule moves bounds, never a count: the bounds at a moment follow from the moment alone. It begins by the wall
//! clock of its zone and lasts for a fixed time. A change of clocks makes it neither shorter nor longer. It never skips a
//! day. A time that clocks show twice is one beginning where the hour is named, and two where every hour is meant.

use cronp::{CivilDateTime, Vixie};
use jiff::civil::{Date, DateTime, date};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use wildmatch::WildMatch;

use super::globs::{narrower, of_targets};
use super::settings::{Origin, Settings};
use super::target::TargetSettings;
use super::{Rule, effective, flap};
use crate::document::{Fault, Faults, did_you_mean, keyed};
use crate::duration::minutes;
use crate::size::{Axis, Bounds};
use crate::target::TargetId;

/// A longer schedule is a setting without a schedule.
const LONGEST: SignedDuration = SignedDuration::from_hours(31 * 24);

/// How far ahead the end is searched for. What lasts longer has none.
const AS_GOOD_AS_ALWAYS: SignedDuration = SignedDuration::from_hours(366 * 24);

/// Jaro-Winkler likeness from 0 to 1: a zone with a wrong or missing letter is above it, another zone mostly below.
const ALIKE: f64 = 0.8;

/// After so many years every day of the year has been every day of the week, the 29th of February too.
const FIRST_OF_EVERY_KIND: Date = date(2000, 1, 1);
const DAYS_OF_EVERY_KIND: usize = 28 * 366;

/// Minute, hour, day of the month, month, day of the week.
type Cron = cronp::Schedule<Vixie>;

/// The times of a wall clock at which a schedule begins.
#[derive(Debug, Clone)]
struct Beginnings {
    cron: Cron,
    /// Whether the hour is a wildcard: then it follows the time that passes, and a repeated hour is one hour more.
    any_hour: bool,
}

/// Other bounds at some times.
#[derive(Debug, Clone)]
pub struct Schedule {
    target: WildMatch,
    /// By a wall clock, without its changes.
    begins: Beginnings,
    zone: TimeZone,
    lasts: SignedDuration,
    /// The floor of the count, where it is another.
    pub min: Option<u32>,
    /// The ceiling of the count, where it is another.
    pub max: Option<u32>,
}

/// A time at which the count has other bounds.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ScheduleText {
    /// When it begins: minute, hour, day of the month, month and day of the week, as cron has them.
    cron: String,
    /// The time zone of `cron`, by its name in the IANA database (default: `UTC`).
    zone: Option<String>,
    /// How long it lasts: whole minutes, as in `10h`.
    #[serde(rename = "for")]
    lasts: String,
    /// A glob on the target (default: every target).
    target: Option<String>,
    /// The lower bound of the count while it lasts.
    min: Option<u32>,
    /// The upper bound of the count while it lasts.
    max: Option<u32>,
}

impl ScheduleText {
    /// Checks one entry.
    pub(super) fn checked(self) -> Result<Schedule, Faults> {
        let mut faults = Faults::default();
        faults.note(self.check_bounds());
        let Self { cron, zone, lasts, target, min, max } = self;
        let name = zone.as_deref().unwrap_or("UTC");
        let zone = faults.note(TimeZone::get(name).map_err(|_| {
            let expected = "expected a time zone such as `Europe/Berlin`";
            Fault::of("zone", format!("`zone = \"{name}\"`: {expected}{}", nearest(name)))
        }));
        let begins = faults.note(keyed("cron", begins(&cron)));
        let lasts = faults.note(keyed("for", minutes("for", &lasts, LONGEST)));
        let target = faults.note(of_targets(target.as_deref()));
        let (Some(zone), Some(begins), Some(lasts), Some(target)) = (zone, begins, lasts, target) else {
            return Err(faults);
        };
        faults.into_result().map(|()| Schedule { target, begins, zone, lasts, min, max })
    }

    fn check_bounds(&self) -> Result<(), Fault> {
        match (self.min, self.max) {
            (None, None) => Err(Fault::whole("it changes nothing: expected `min`, `max` or both")),
            (Some(0), _) => Err(Fault::of("min", "`min = 0`: expected at least 1")),
            (_, Some(0)) => Err(Fault::of("max", "`max = 0`: expected at least 1")),
            (Some(min), Some(max)) if min > max => {
                Err(Fault::of("min", format!("`min = {min}` is above `max = {max}`")))
            }
            (Some(_), _) | (_, Some(_)) => Ok(()),
        }
    }
}

/// The times that five fields of cron name.
fn begins(text: &str) -> Result<Beginnings, String> {
    let expected =
        "expected five fields such as `0 8 * * MON-FRI`: minute, hour, day, month, day of the week";
    let fields = text.split_whitespace().count();
    if fields != 5 {
        return Err(format!("`cron = \"{text}\"` has {fields}: {expected}"));
    }
    let cron =
        Cron::parse(text).map_err(|_| format!("`cron = \"{text}\"` has a field out of range: {expected}"))?;
    let hour = text.split_whitespace().nth(1).unwrap_or_default();
    let begins = Beginnings { any_hour: is_wildcard(hour) || begins_in_every_hour(&cron), cron };
    let every_day = std::iter::successors(Some(FIRST_OF_EVERY_KIND), |day| day.tomorrow().ok());
    if every_day.take(DAYS_OF_EVERY_KIND).all(|day| begins.times(day).next().is_none()) {
        return Err(format!("`cron = \"{text}\"` never begins: there is no such day"));
    }
    Ok(begins)
}

/// Whether a field of cron names no value of its own: `*`, `*/2`, and a range that is as much.
fn is_wildcard(hour: &str) -> bool {
    hour.starts_with('*') || hour.starts_with("0-23")
}

fn begins_in_every_hour(cron: &Cron) -> bool {
    cron.calendar().is_some_and(|fields| (0..24).all(|hour| fields.admits_hour(hour)))
}

impl Beginnings {
    /// The times of a day, by the wall clock.
    fn times(&self, day: Date) -> impl Iterator<Item = DateTime> {
        let fields = self.cron.calendar();
        // Most hours and minutes need no further check.
        let hours = (0..24_u8).filter(move |hour| fields.is_none_or(|fields| fields.admits_hour(*hour)));
        let minutes =
            (0..60_u8).filter(move |minute| fields.is_none_or(|fields| fields.admits_minute(*minute)));
        let of_hour = move |hour: u8| {
            minutes.clone().map(move |minute| day.at(hour.cast_signed(), minute.cast_signed(), 0, 0))
        };
        hours.flat_map(of_hour).filter(|time| shown(*time).is_some_and(|shown| self.cron.matches(shown)))
    }

    /// The moments of a day in a zone, the earliest first. A time that clocks skip comes as much later. Of a time that
    /// they show twice the first moment counts, and the second one, too, where the hour is a wildcard.
    fn moments(&self, day: Date, zone: &TimeZone) -> Vec<Timestamp> {
        let each = |time: DateTime| {
            let ambiguous = zone.to_ambiguous_timestamp(time);
            let repeated = self.any_hour && matches!(ambiguous.offset(), AmbiguousOffset::Fold { .. });
            let later = repeated.then(|| ambiguous.later().ok()).flatten();
            ambiguous.compatible().ok().into_iter().chain(later)
        };
        let mut moments: Vec<Timestamp> = self.times(day).flat_map(each).collect();
        moments.sort_unstable();
        moments
    }
}

fn shown(time: DateTime) -> Option<CivilDateTime> {
    let small = |number: i8| u8::try_from(number).ok();
    let year = u16::try_from(time.year()).ok()?;
    let (month, day) = (small(time.month())?, small(time.day())?);
    CivilDateTime::new(year, month, day, small(time.hour())?, small(time.minute())?, 0).ok()
}

/// The zone that is spelled most like it, for messages.
fn nearest(zone: &str) -> String {
    let names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    did_you_mean(zone, &names, ALIKE)
}

impl Schedule {
    /// Whether it is active for a target.
    pub(super) fn is_active(&self, target: &TargetId, now: Timestamp) -> bool {
        self.is_for(target) && self.begun(now, now).any(|began| began <= now)
    }

    /// When it ends, seen from a moment at which it is active. Times that follow each other without a gap are one.
    /// `None` for more than a year.
    pub(super) fn until(&self, now: Timestamp) -> Option<Timestamp> {
        let horizon = now.checked_add(AS_GOOD_AS_ALWAYS).ok()?;
        let mut end = now;
        for began in self.begun(now, horizon) {
            if began > end {
                break;
            }
            end = began.checked_add(self.lasts).ok()?.max(end);
        }
        (end < horizon).then_some(end)
    }

    /// Its beginnings that have not ended now, and those that follow until a day.
    fn begun(&self, now: Timestamp, until: Timestamp) -> impl Iterator<Item = Timestamp> {
        let ended = now.checked_sub(self.lasts).unwrap_or(Timestamp::MIN);
        let day = |at: Timestamp| self.zone.to_datetime(at).date();
        let last = day(until).tomorrow().unwrap_or(Date::MAX);
        let days = std::iter::successors(day(ended).yesterday().ok(), |day| day.tomorrow().ok());
        let days = days.take_while(move |day| *day <= last);
        days.flat_map(|day| self.begins.moments(day, &self.zone)).filter(move |began| *began > ended)
    }

    /// The floor that it sets for a target, whenever it is active.
    pub(super) fn floor(&self, target: &TargetId) -> Option<u32> {
        self.min.filter(|_| self.is_for(target))
    }

    /// The settings while it is active.
    pub(super) fn settings(&self) -> Settings {
        Settings { min: self.min, max: self.max, ..Settings::default() }
    }

    /// A rule as it is while this is active.
    pub(super) fn during(&self, rule: &Rule) -> Rule {
        let mut rule = rule.clone();
        // No check reads the origins.
        rule.apply(&self.settings(), &|_| Origin::Rule);
        rule
    }

    /// The glob on its targets.
    pub(super) fn target(&self) -> &WildMatch {
        &self.target
    }

    /// Whether it is for a target.
    pub(super) fn is_for(&self, target: &TargetId) -> bool {
        self.target.matches(target.as_str())
    }

    /// Refuses bounds that the rules for its targets cannot keep, with the settings of `[[target]]` tables.
    pub(super) fn check_beside(&self, tables: &[TargetSettings], rules: &[Rule]) -> Result<(), Fault> {
        let narrower = tables.iter().filter_map(|table| narrower(&table.glob, &self.target));
        for targets in std::iter::once(&self.target).chain(narrower) {
            for rule in effective::on(targets, rules, tables).filter(|rule| rule.touches(Axis::Instances)) {
                self.check_against(&rule)?;
                let flaps = flap::check(&self.during(&rule), [], flap::THRESHOLD);
                flaps.map_err(|fault| {
                    let key = if self.min.is_some() { "min" } else { "max" };
                    Fault::of(key, format!("with it, in {}, {}", rule.name(), fault.message()))
                })?;
            }
        }
        Ok(())
    }

    fn check_against(&self, rule: &Rule) -> Result<(), Fault> {
        let Bounds { min, max } = rule.is.instances;
        let (floor, ceiling) = (self.min.unwrap_or(min), self.max.unwrap_or(max));
        if floor <= ceiling {
            return Ok(());
        }
        let of = match rule.origins.get("instances.max") {
            Some(Origin::Target(place, _)) => format!("target {place}"),
            _ => rule.name().to_owned(),
        };
        let (key, number) = if self.min.is_some() { ("min", floor) } else { ("max", ceiling) };
        let problem = format!("leaves nothing between {floor} and {ceiling}, with the bounds of {of}");
        Err(Fault::of(key, format!("`{key} = {number}` {problem}: expected both `min` and `max`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::TargetKind;

    fn schedule(cron: &str, zone: &str, lasts: &str) -> Schedule {
        let text = ScheduleText {
            cron: cron.to_owned(),
            zone: Some(zone.to_owned()),
            lasts: lasts.to_owned(),
            target: None,
            min: Some(2),
            max: None,
        };
        text.checked().unwrap()
    }

    #[test]
    fn it_is_active_from_its_beginning_until_it_has_lasted() {
        let berlin = ("0 8 * * *", "Europe/Berlin", "10h");
        let new_york = ("30 1 * * *", "America/New_York", "1h");
        let rows = [
            // eight in the morning is seven by UTC in winter; the end does not belong to it
            (berlin, "2026-01-15T06:59:59Z", None),
            (berlin, "2026-01-15T07:00:00Z", Some("2026-01-15T17:00:00Z")),
            (berlin, "2026-01-15T16:59:59Z", Some("2026-01-15T17:00:00Z")),
            (berlin, "2026-01-15T17:00:00Z", None),
            // and six by UTC in summer
            (berlin, "2026-07-15T05:59:59Z", None),
            (berlin, "2026-07-15T06:00:00Z", Some("2026-07-15T16:00:00Z")),
            // the day on which clocks go forward: the beginning follows the wall clock
            (berlin, "2026-03-29T05:59:59Z", None),
            (berlin, "2026-03-29T06:00:00Z", Some("2026-03-29T16:00:00Z")),
            // a night that is an hour longer: it still lasts ten hours
            (("0 22 * * *", "Europe/Berlin", "10h"), "2026-10-25T05:59:59Z", Some("2026-10-25T06:00:00Z")),
            (("0 22 * * *", "Europe/Berlin", "10h"), "2026-10-25T06:00:00Z", None),
            // half past one comes twice when clocks go back: it begins once, with the first of them
            (new_york, "2026-11-01T05:29:59Z", None),
            (new_york, "2026-11-01T05:30:00Z", Some("2026-11-01T06:30:00Z")),
            (new_york, "2026-11-01T06:30:00Z", None),
            // but where every hour is meant, it begins with each of them
            (("30 * * * *", "America/New_York", "20m"), "2026-11-01T06:30:00Z", Some("2026-11-01T06:50:00Z")),
            (("0 */2 * * *", "Europe/Berlin", "1h"), "2026-10-25T00:30:00Z", Some("2026-10-25T02:00:00Z")),
            (("0 * * * *", "Europe/Berlin", "1h"), "2026-07-15T06:00:00Z", Some("always")),
            // half past two does not come at all when they go forward: it begins as much later as clocks are moved
            (("30 2 * * *", "America/New_York", "1h"), "2026-03-08T07:29:59Z", None),
            (("30 2 * * *", "America/New_York", "1h"), "2026-03-08T07:30:00Z", Some("2026-03-08T08:30:00Z")),
            // it begins anew before it has ended, and again when it ends
            (("0 6-8 * * *", "UTC", "2h"), "2026-01-15T06:30:00Z", Some("2026-01-15T10:00:00Z")),
            (("0 6-8 * * *", "UTC", "1h"), "2026-01-15T06:30:00Z", Some("2026-01-15T09:00:00Z")),
            // a minute later there is a gap
            (("0 6-8 * * *", "UTC", "59m"), "2026-01-15T06:30:00Z", Some("2026-01-15T06:59:00Z")),
            // over the end of a month
            (("* * * 1 *", "UTC", "2m"), "2026-01-15T07:00:30Z", Some("2026-02-01T00:01:00Z")),
            // always, except the hour by which one night is longer
            (("0 0 * * *", "UTC", "24h"), "2026-01-15T07:00:30Z", Some("always")),
            (("0 0 * * *", "Europe/Berlin", "24h"), "2026-07-15T06:00:00Z", Some("2026-10-25T22:00:00Z")),
            // only on workdays: Friday and Saturday
            (("0 8 * * MON-FRI", "UTC", "1h"), "2026-01-16T08:30:00Z", Some("2026-01-16T09:00:00Z")),
            (("0 8 * * MON-FRI", "UTC", "1h"), "2026-01-17T08:30:00Z", None),
            // over midnight and the end of the year
            (("0 20 31 12 *", "UTC", "12h"), "2027-01-01T07:59:00Z", Some("2027-01-01T08:00:00Z")),
        ];
        let target = TargetId::new(TargetKind::new("test"), "x".to_owned()).unwrap();
        for ((cron, zone, lasts), now, expected) in rows {
            let (schedule, moment) = (schedule(cron, zone, lasts), now.parse().unwrap());
            let until = schedule.is_active(&target, moment).then(|| schedule.until(moment));
            let until = until.map(|until| until.map_or("always".to_owned(), |until| until.to_string()));
            assert_eq!(until.as_deref(), expected, "{cron} {zone} at {now}");
        }
    }
}
