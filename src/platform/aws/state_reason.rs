//! The sentence in which CloudWatch says why an alarm has its state.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::alarm::{CloudwatchAlarm, comparison_side};
use crate::alarm::{Coverage, Side};

/// What the sentence says. Whatever it does not say is empty.
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
    /// How much was measured, where it says that data is missing.
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
        Self {
            points: points(sentence),
            crossed: number_before(sentence, " out of the last ").or_else(|| count_of_all(sentence)),
            evaluated: number_after(sentence, " out of the last ").or_else(|| count_of_all(sentence)),
            needed: number_after(sentence, "(minimum "),
            side: side(sentence),
            missing: missing(sentence),
        }
    }

    /// The side of the threshold that it names. Payloads without a comparison have it nowhere else.
    pub fn side(&self) -> Option<Side> {
        self.side
    }

    /// The latest datapoint. CloudWatch lists the newest first, so the first of equals counts.
    pub fn latest(&self) -> Option<f64> {
        let later = |latest: Datapoint, other| if newer(&other, &latest) { other } else { latest };
        self.points.iter().copied().reduce(later).map(|point| point.value)
    }

    /// When the first of the listed datapoints begins.
    pub fn since(&self) -> Option<Timestamp> {
        self.points.iter().map(|point| point.begins).min()
    }

    /// How much of the data was there that the alarm needs: `needed` of its datapoints at least, where the payload
    /// reports how many. `None` where the sentence does not say.
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

/// The mean of some values; `None` where there are none.
pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    // Counted as a float, because a length would need a lossy conversion.
    let (sum, count) = values.into_iter().fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then_some(sum / count)
}

fn newer(one: &Datapoint, other: &Datapoint) -> bool {
    one.begins > other.begins
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

fn side(sentence: &str) -> Option<Side> {
    match (sentence.contains("greater than"), sentence.contains("less than")) {
        (true, false) => Some(Side::Above),
        (false, true) => Some(Side::Below),
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
        // the alarm needs more than the sentence says
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
