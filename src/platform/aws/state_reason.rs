//! The sentence in which CloudWatch explains why an alarm has its state.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::alarm::{CloudwatchAlarm, comparison_side};
use crate::alarm::{Coverage, Side};
use crate::platform::metric::mean;

/// What the sentence reports. Whatever it does not report is empty.
///
/// ```text
/// Threshold Crossed: 3 out of the last 5 datapoints [372.0 (05/10/26 08:10:00), …] were greater than the threshold
/// (320.0) (minimum 3 datapoints for OK -> ALARM transition).
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StateReason {
    /// The datapoints that crossed the threshold, newest first. At most the five most recent are listed.
    points: Vec<Datapoint>,
    /// How many crossed it.
    crossed: Option<u32>,
    /// Of how many.
    evaluated: Option<u32>,
    /// How many have to cross it.
    needed: Option<u32>,
    /// The side of the threshold that it names.
    side: Option<Side>,
    /// How much was measured, where it reports that data is missing.
    missing: Option<Coverage>,
}

/// One datapoint.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Datapoint {
    value: f64,
    /// When its period begins.
    begins: Timestamp,
}

impl StateReason {
    /// Reads a sentence.
    pub fn read(sentence: &str) -> Self {
        let points = points(sentence);
        Self {
            side: side(sentence, &points),
            points,
            crossed: number_before(sentence, " out of the last ").or_else(|| count_of_all(sentence)),
            evaluated: number_after(sentence, " out of the last ").or_else(|| count_of_all(sentence)),
            needed: number_after(sentence, "(minimum "),
            missing: missing(sentence),
        }
    }

    /// The side of the threshold that it names. Payloads without a comparison have it nowhere else, and neither has a
    /// band that fires on both sides.
    pub fn side(&self) -> Option<Side> {
        self.side
    }

    /// The latest datapoint. CloudWatch lists the newest first, so the first of equals counts.
    pub fn latest(&self) -> Option<f64> {
        latest(&self.points).map(|(_, point)| point.value)
    }

    /// When the first of the listed datapoints begins.
    pub fn since(&self) -> Option<Timestamp> {
        self.points.iter().map(|point| point.begins).min()
    }

    /// The same as [`coverage`](Self::coverage), for an alarm in this evaluation state: `PARTIAL_DATA` is never full.
    pub fn coverage_in(&self, evaluation_state: Option<&str>, needed: Option<u32>) -> Option<Coverage> {
        let is_partial = evaluation_state.is_some_and(|state| state.eq_ignore_ascii_case("PARTIAL_DATA"));
        match self.coverage(needed) {
            Some(Coverage::Nothing) => Some(Coverage::Nothing),
            _ if is_partial => Some(Coverage::Partial),
            found => found,
        }
    }

    /// How much of the data was there that the alarm needs: `needed` of its datapoints at least, where the payload
    /// reports how many. `None` where the sentence does not report it.
    pub fn coverage(&self, needed: Option<u32>) -> Option<Coverage> {
        let of_count = |crossed| {
            if Some(crossed) < self.needed.max(needed) { Coverage::Partial } else { Coverage::Full }
        };
        self.missing.or_else(|| self.crossed.map(of_count))
    }

    /// The mean of the datapoints that the alarm was evaluated on. Those that are not listed did not cross the
    /// threshold, and count as the threshold itself: so an alarm that fires is always beyond it, and every delivery of
    /// it, with more datapoints or fewer, has the same value.
    pub fn mean(&self, threshold: Option<f64>) -> Option<f64> {
        let listed = mean(self.points.iter().map(|point| point.value))?;
        let (crossed, evaluated) = (self.crossed?, self.evaluated?);
        match threshold {
            Some(threshold) if crossed < evaluated && self.coverage(None) == Some(Coverage::Full) => {
                let part = f64::from(crossed) / f64::from(evaluated);
                Some(listed * part + threshold * (1.0 - part))
            }
            _ => Some(listed),
        }
        .filter(|value| value.is_finite())
    }
}

/// The latest datapoint, and its place in the list.
fn latest(points: &[Datapoint]) -> Option<(usize, Datapoint)> {
    let later = |(_, one): &(usize, Datapoint), (_, other): &(usize, Datapoint)| other.begins > one.begins;
    let all = points.iter().copied().enumerate();
    all.reduce(|latest, other| if later(&latest, &other) { other } else { latest })
}

/// The datapoints in `[12.3 (02/03/26 09:15:00), 11.0 (02/03/26 09:14:00)]`.
fn points(sentence: &str) -> Vec<Datapoint> {
    let lists = sentence.split('[').skip(1).filter_map(|rest| rest.split_once(']'));
    lists.flat_map(|(list, _)| list.split(',').filter_map(datapoint)).collect()
}

fn datapoint(text: &str) -> Option<Datapoint> {
    let (value, moment) = text.trim().strip_suffix(')')?.split_once('(')?;
    let value: f64 = value.trim().parse().ok()?;
    let at = DateTime::strptime("%d/%m/%y %H:%M:%S", moment.trim()).ok()?;
    let begins = at.to_zoned(TimeZone::UTC).ok()?.timestamp();
    value.is_finite().then_some(Datapoint { value, begins })
}

/// The number of datapoints in the form `3 datapoints [… ] were greater than`, of which all crossed.
fn count_of_all(sentence: &str) -> Option<u32> {
    let (before, rest) = sentence.split_once(" datapoint")?;
    let listed = rest.trim_start_matches('s').trim_start().starts_with('[');
    listed.then(|| last_number(before))?
}

fn number_before(sentence: &str, words: &str) -> Option<u32> {
    last_number(sentence.split_once(words)?.0)
}

fn number_after(sentence: &str, words: &str) -> Option<u32> {
    sentence.split_once(words)?.1.split_whitespace().next()?.parse().ok()
}

fn last_number(text: &str) -> Option<u32> {
    text.split_whitespace().next_back()?.parse().ok()
}

fn side(sentence: &str, points: &[Datapoint]) -> Option<Side> {
    match (sentence.contains("greater than"), sentence.contains("less than")) {
        (true, false) => Some(Side::Above),
        (false, true) => Some(Side::Below),
        (true, true) => side_of_band(sentence, points),
        (false, false) => None,
    }
}

/// The side of a band on which the latest datapoint is: `less than the lower thresholds [12.0, 11.5] or greater than the
/// upper thresholds [80.0, 81.5]`, with one threshold for each datapoint. `None` inside it.
fn side_of_band(sentence: &str, points: &[Datapoint]) -> Option<Side> {
    let (at, Datapoint { value, .. }) = latest(points)?;
    let threshold = |of: &str| {
        let (list, _) = sentence.split_once(of)?.1.split_once(']')?;
        let thresholds: Vec<f64> = list.split(',').map_while(|one| one.trim().parse().ok()).collect();
        thresholds.get(at).copied().filter(|_| thresholds.len() == points.len())
    };
    let (lower, upper) = (threshold("lower thresholds [")?, threshold("upper thresholds [")?);
    match (value < lower, value > upper) {
        (true, false) => Some(Side::Below),
        (false, true) => Some(Side::Above),
        _ => None,
    }
}

/// `no datapoints were received for 5 periods and 5 missing datapoints were treated as [Breaching]`, or fewer than it
/// needs.
fn missing(sentence: &str) -> Option<Coverage> {
    let is_missing = sentence.contains(" missing datapoint");
    let nothing = || sentence.contains("no datapoints were received");
    is_missing.then(|| if nothing() { Coverage::Nothing } else { Coverage::Partial })
}

/// The most datapoints that a sentence lists.
const MOST_LISTED: i32 = 5;

/// The sentence of an alarm whose datapoints all have one value, the last of which has just ended, or that has none.
pub(super) fn sentence(
    alarm: &CloudwatchAlarm,
    has_cleared: bool,
    now: Timestamp,
    value: Option<f64>,
) -> String {
    let (periods, period) = (alarm.evaluation_periods.max(1), i64::from(alarm.period.max(1)));
    let Some(value) = value else {
        return format!(
            "Threshold Crossed: no datapoints were received for {periods} periods and {periods} missing datapoints \
             were treated as [Breaching]."
        );
    };
    let begins = |back: i32| {
        let second = now.as_second() - (i64::from(back) + 1) * period;
        Timestamp::from_second(second.div_euclid(period) * period).unwrap_or(now)
    };
    let datapoint = |back: i32| format!("{value:?} ({})", begins(back).strftime("%d/%m/%y %H:%M:%S"));
    let listed: Vec<String> = (0..periods.min(MOST_LISTED)).map(datapoint).collect();
    let (were, change) = if has_cleared { ("were not", "ALARM -> OK") } else { ("were", "OK -> ALARM") };
    let side = if comparison_side(&alarm.comparison) == Some(Side::Below) { "less" } else { "greater" };
    format!(
        "Threshold Crossed: {periods} out of the last {periods} datapoints [{}] {were} {side} than the threshold ({:?}) \
         (minimum {} datapoints for {change} transition).",
        listed.join(", "),
        alarm.threshold,
        alarm.datapoints.unwrap_or(periods)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE_OF_FIVE: &str = "Threshold Crossed: 3 out of the last 5 datapoints [372.0 (05/10/26 08:10:00), 365.0 \
        (05/10/26 08:09:00), 359.0 (05/10/26 08:07:00)] were greater than the threshold (320.0) (minimum 3 datapoints \
        for OK -> ALARM transition).";

    fn latest(sentence: &str) -> Option<f64> {
        StateReason::read(sentence).latest()
    }

    #[test]
    fn the_most_recent_datapoint_is_found_in_any_order() {
        let one = "Threshold Crossed: 1 out of the last 1 datapoints [99.5 (02/03/26 09:15:00)] was greater \
                   than the threshold (80.0) (minimum 1 datapoint for OK -> ALARM transition).";
        assert_eq!(latest(one), Some(99.5));
        assert_eq!(latest("[1.0 (02/03/26 09:15:00), 2.0 (02/03/26 09:14:00)]"), Some(1.0));
        assert_eq!(latest("[1.0 (28/02/26 23:59:00), 2.0 (01/03/26 00:00:00)]"), Some(2.0));
        assert_eq!(latest("[1.5E-4 (02/03/26 09:15:00), 2.0 (02/03/26 09:15:00)]"), Some(1.5e-4));
    }

    #[test]
    fn a_reason_without_datapoints_has_no_value() {
        for none in [
            "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as [Breaching].",
            "6 out of 6 time series evaluated to ALARM",
            "[NaN (02/03/26 09:15:00)]",
            "[12.3]",
            "[12.3 (31/02/26 09:15:00)]",
            "][",
            "",
        ] {
            let read = StateReason::read(none);
            assert_eq!((read.latest(), read.mean(Some(1.0)), read.since()), (None, None, None), "{none}");
        }
    }

    #[test]
    fn the_side_is_the_one_that_is_named() {
        let side = |sentence: &str| StateReason::read(sentence).side();
        let high = "1 datapoint [99.5 (02/03/26 09:15:00)] was greater than or equal to the threshold (80.0)";
        assert_eq!(side(high), Some(Side::Above));
        assert_eq!(
            side("1 datapoint [4.1 (02/03/26 09:15:00)] was less than the threshold"),
            Some(Side::Below)
        );
        // a value can leave a band on either side
        assert_eq!(side("was less than the lower thresholds or greater than the upper thresholds"), None);
    }

    #[test]
    fn a_band_was_left_on_the_side_of_the_latest_datapoint() {
        let side = |newest: &str, other: &str| {
            let short = format!(
                "Thresholds Crossed: 2 out of the last 2 datapoints [{newest} (05/10/26 08:10:00), {other} (05/10/26 \
                 08:09:00)] were less than the lower thresholds [12.5, 30.0] or greater than the upper thresholds \
                 [20.5, 40.0] (minimum 2 datapoints for OK -> ALARM transition)."
            );
            let long = format!(
                "Thresholds Crossed: 7 out of the last 9 datapoints were less than the lower thresholds or greater than \
                 the upper thresholds. Recent datapoints [{newest} (05/10/26 08:10:00), {other} (05/10/26 08:09:00)] \
                 crossed the lower thresholds [12.5, 30.0] or upper thresholds [20.5, 40.0] (minimum 7 datapoints for \
                 OK -> ALARM transition)."
            );
            let [short, long] = [short, long].map(|sentence| StateReason::read(&sentence).side());
            assert_eq!(short, long, "{newest} {other}");
            short
        };
        assert_eq!(side("21.0", "41.0"), Some(Side::Above));
        assert_eq!(side("21.0", "3.0"), Some(Side::Above));
        assert_eq!(side("-3.5", "29.0"), Some(Side::Below));
        assert_eq!(side("1.2E-4", "41.0"), Some(Side::Below));
        // on its edge and inside
        for inside in ["12.5", "20.5", "15.0"] {
            assert_eq!(side(inside, "41.0"), None, "{inside}");
        }
        // whose thresholds are whose is not known
        assert_eq!(side("NaN", "41.0"), None);
    }

    #[test]
    fn data_is_complete_partial_or_missing() {
        let low = "[22.0 (05/10/26 08:10:00)] was less than the threshold (40.0)";
        let rows = [
            (
                "3 out of the last 3 datapoints [1 (05/10/26 08:10:00)] were less than the threshold",
                Coverage::Full,
            ),
            (THREE_OF_FIVE, Coverage::Full),
            // one of the three that it needs
            (
                &format!(
                    "1 out of the last 3 datapoints {low} (minimum 3 datapoints for OK -> ALARM transition)."
                ),
                Coverage::Partial,
            ),
            (
                &format!(
                    "1 out of the last 1 datapoints {low} (minimum 2 datapoints for OK -> ALARM transition)."
                ),
                Coverage::Partial,
            ),
            (
                "1 datapoint was received for 3 periods and 2 missing datapoints were treated as [Breaching].",
                Coverage::Partial,
            ),
            (
                "2 datapoints were received for 3 periods and 1 missing datapoint was treated as [Breaching].",
                Coverage::Partial,
            ),
            (
                "no datapoints were received for 5 periods and 5 missing datapoints were treated as [Breaching].",
                Coverage::Nothing,
            ),
        ];
        for (sentence, expected) in rows {
            assert_eq!(StateReason::read(sentence).coverage(None), Some(expected), "{sentence}");
        }
        // the alarm needs more than the sentence reports
        let one = StateReason::read(&format!("1 out of the last 1 datapoints {low}."));
        assert_eq!(one.coverage(Some(1)), Some(Coverage::Full));
        assert_eq!(one.coverage(Some(3)), Some(Coverage::Partial));
        // written by hand
        assert_eq!(StateReason::read("trying it").coverage(Some(3)), None);
    }

    #[test]
    fn datapoints_that_did_not_cross_count_as_the_threshold() {
        let near = |found: Option<f64>, wanted: f64| found.is_some_and(|found| (found - wanted).abs() < 1e-9);
        let read = StateReason::read(THREE_OF_FIVE);
        assert!(near(read.mean(Some(320.0)), (372.0 + 365.0 + 359.0 + 320.0 + 320.0) / 5.0));
        assert!(near(read.mean(None), (372.0 + 365.0 + 359.0) / 3.0));
        assert_eq!(read.since(), "2026-10-05T08:07:00Z".parse().ok());
        // more crossed than are listed
        let ten = "10 out of the last 10 datapoints were greater than the threshold (80.0). The most recent datapoints \
                   which crossed the threshold: [96.0 (05/10/26 08:10:00), 94.0 (05/10/26 08:09:00)] (minimum 10 \
                   datapoints for OK -> ALARM transition).";
        assert!(near(StateReason::read(ten).mean(Some(80.0)), 95.0));
        // of partial data only what was measured counts
        let one = "1 out of the last 3 datapoints [400.0 (05/10/26 08:10:00)] was greater than the threshold (320.0) \
                   (minimum 3 datapoints for OK -> ALARM transition).";
        assert!(near(StateReason::read(one).mean(Some(320.0)), 400.0));
        // the old form, in which all crossed
        let all = "Threshold Crossed: 2 datapoints [4.0 (05/10/26 08:10:00), 2.0 (05/10/26 08:09:00)] were less than";
        assert!(near(StateReason::read(all).mean(Some(9.0)), 3.0));
    }
}
