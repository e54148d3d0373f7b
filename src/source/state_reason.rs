//! The values in CloudWatch's reason for a state: those of the sentence for people, and those of `reasonData`.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::field::{moment, number};
use super::limits;
use crate::alarm::Side;

/// The most recent value in `... datapoints [12.3 (02/03/26 09:15:00), 11.0 (02/03/26 09:14:00)] were ...`.
pub(super) fn latest_value(reason: &str) -> Option<f64> {
    let lists = reason.split('[').skip(1).filter_map(|rest| rest.split_once(']'));
    let points = lists.flat_map(|(list, _)| list.split(',').filter_map(datapoint));
    // CloudWatch lists the newest first, so the first of equals counts. `max_by_key` would return the last.
    points.reduce(|latest, other| if other.0 > latest.0 { other } else { latest }).map(|(_, value)| value)
}

/// Whether the alarm fires because data is missing: `no datapoints were received for 5 periods and 5 missing datapoints
/// were treated as [Breaching]`.
pub(super) fn nothing_measured(reason: &str) -> bool {
    reason.contains("no datapoints were received") && reason.contains("[Breaching]")
}

/// The side of the threshold that the sentence names. Payloads without a comparison have it nowhere else.
pub(super) fn side(reason: &str) -> Option<Side> {
    match (reason.contains("greater than"), reason.contains("less than")) {
        (true, false) => Some(Side::Above),
        (false, true) => Some(Side::Below),
        _ => None,
    }
}

/// A value and its sortable time: year, month, day, time of day.
fn datapoint(text: &str) -> Option<([&str; 4], f64)> {
    let (value, moment) = text.trim().strip_suffix(')')?.split_once('(')?;
    let (date, time) = moment.trim().split_once(' ')?;
    let mut date = date.split('/');
    let (day, month, year) = (date.next()?, date.next()?, date.next()?);
    let value: f64 = value.trim().parse().ok()?;
    value.is_finite().then_some(([year, month, day, time.trim()], value))
}

/// The content of a state's `reasonData`.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ReasonData {
    /// The alarm's threshold; `None` for an anomaly band.
    pub(super) threshold: Option<f64>,
    /// The latest datapoint.
    pub(super) value: Option<f64>,
    /// When the state was evaluated.
    pub(super) queried: Option<Timestamp>,
    /// When the oldest evaluated datapoint begins.
    since: Option<Timestamp>,
}

impl ReasonData {
    /// Reads the data, which is JSON inside a string. Unreadable data is empty, not an error: the alarm has changed its
    /// state all the same.
    pub(super) fn read(state: &Value) -> Self {
        let data = match state.get("reasonData") {
            Some(Value::String(text)) => limits::decode(text).ok(),
            Some(other) => Some(other.clone()),
            None => None,
        };
        data.as_ref().map(Self::of).unwrap_or_default()
    }

    fn of(data: &Value) -> Self {
        let points = |name: &str| data.get(name).and_then(Value::as_array).into_iter().flatten();
        // `recentDatapoints` runs from old to new, `evaluatedDatapoints` from new to old.
        let recent = points("recentDatapoints").last().and_then(number);
        let evaluated = || points("evaluatedDatapoints").find_map(|point| number(point.get("value")?));
        Self {
            threshold: data.get("threshold").and_then(number),
            value: recent.or_else(evaluated),
            queried: moment(data.get("queryDate")),
            since: moment(data.get("startDate")),
        }
    }

    /// How far the data reaches back from `at`; `None` without a start. The number of datapoints times their period
    /// would be too short if one is missing. A window that is too short lets stale evidence pass.
    pub(super) fn window(&self, at: Option<Timestamp>) -> Option<SignedDuration> {
        // No alarm evaluates more than a week of data; one hour is added for late evaluation.
        const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24 + 1);
        let window = at.or(self.queried)?.duration_since(self.since?);
        (window.is_positive() && window <= LONGEST).then_some(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_most_recent_datapoint_counts_in_any_order() {
        let one = "Threshold Crossed: 1 out of the last 1 datapoints [99.5 (02/03/26 09:15:00)] was greater \
                   than the threshold (80.0) (minimum 1 datapoint for OK -> ALARM transition).";
        assert_eq!(latest_value(one), Some(99.5));
        assert_eq!(latest_value("[1.0 (02/03/26 09:15:00), 2.0 (02/03/26 09:14:00)]"), Some(1.0));
        assert_eq!(latest_value("[1.0 (28/02/26 23:59:00), 2.0 (01/03/26 00:00:00)]"), Some(2.0));
        assert_eq!(latest_value("[1.5E-4 (02/03/26 09:15:00), 2.0 (02/03/26 09:15:00)]"), Some(1.5e-4));
    }

    #[test]
    fn a_reason_without_datapoints_has_no_value() {
        for none in [
            "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as [Breaching].",
            "6 out of 6 time series evaluated to ALARM",
            "[NaN (02/03/26 09:15:00)]",
            "[12.3]",
            "][",
            "",
        ] {
            assert_eq!(latest_value(none), None, "{none}");
        }
    }

    #[test]
    fn a_reason_names_the_side_and_missing_data() {
        let high = "1 datapoint [99.5 (02/03/26 09:15:00)] was greater than or equal to the threshold (80.0)";
        assert_eq!((side(high), nothing_measured(high)), (Some(Side::Above), false));
        assert_eq!(
            side("1 datapoint [4.1 (02/03/26 09:15:00)] was less than the threshold"),
            Some(Side::Below)
        );
        // a value can leave a band on either side
        assert_eq!(side("was less than the lower thresholds or greater than the upper thresholds"), None);
        let missing = "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as [Breaching].";
        assert_eq!((side(missing), nothing_measured(missing)), (None, true));
        let harmless =
            "no datapoints were received for 1 period and 1 missing datapoint was treated as [NonBreaching].";
        assert!(!nothing_measured(harmless));
    }

    #[test]
    fn reason_data_is_read_from_its_string() {
        let data = json!({"queryDate": "2026-03-02T09:20:30.000+0000", "startDate": "2026-03-02T09:15:00.000+0000",
            "period": 60, "recentDatapoints": [1.0, 2.0], "threshold": "80",
            "evaluatedDatapoints": [{"timestamp": "2026-03-02T09:16:00.000+0000", "value": 3.0}]});
        let read = ReasonData::read(&json!({"reasonData": data.to_string()}));
        assert_eq!((read.threshold, read.value), (Some(80.0), Some(2.0)));
        assert_eq!(read.window(None), Some(SignedDuration::from_secs(330)));
        assert_eq!(ReasonData::read(&json!({"reasonData": data})), read);
    }

    #[test]
    fn reason_data_may_be_empty() {
        for state in [json!({}), json!({"reasonData": "{"}), json!({"reasonData": null}), json!("x")] {
            assert_eq!(ReasonData::read(&state), ReasonData::default(), "{state}");
        }
        let empty = ReasonData::of(
            &json!({"recentDatapoints": [], "evaluatedDatapoints": [{"timestamp": "x"}, {"value": 7}]}),
        );
        assert_eq!((empty.value, empty.window(None)), (Some(7.0), None));
    }

    #[test]
    fn an_impossible_window_is_none() {
        let data = ReasonData::of(
            &json!({"startDate": "2026-03-02T09:15:00Z", "queryDate": "2026-03-02T09:00:00Z"}),
        );
        assert_eq!(data.window(None), None);
        assert_eq!(data.window("2026-04-02T09:00:00Z".parse().ok()), None);
    }
}
