//! The values of a CloudWatch state's `reasonData`.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::field::{moment, number};
use super::limits;
use crate::alarm::{Coverage, Side};
use crate::platform::metric::mean;

/// The content of a state's `reasonData`.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ReasonData {
    /// The alarm's threshold; `None` for an anomaly band.
    pub(super) threshold: Option<f64>,
    /// The latest datapoint.
    pub(super) latest: Option<f64>,
    /// When the state was evaluated.
    pub(super) queried: Option<Timestamp>,
    /// When the evaluated data begins.
    start: Option<Timestamp>,
    /// When the oldest of the evaluated datapoints begins.
    pub(super) since: Option<Timestamp>,
    /// Whether one of the evaluated datapoints has no value.
    has_gaps: bool,
    /// The datapoints, from old to new.
    recent: Vec<f64>,
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
        let recent: Vec<f64> = points("recentDatapoints").filter_map(number).collect();
        let evaluated = || points("evaluatedDatapoints").find_map(|point| number(point.get("value")?));
        let begins = points("evaluatedDatapoints").filter_map(|point| moment(point.get("timestamp")));
        let start = moment(data.get("startDate"));
        let since = begins.chain(start).min();
        Self {
            threshold: data.get("threshold").and_then(number),
            latest: recent.last().copied().or_else(evaluated),
            queried: moment(data.get("queryDate")),
            start,
            since,
            has_gaps: points("evaluatedDatapoints")
                .any(|point| point.get("value").is_none_or(Value::is_null)),
            recent,
        }
    }

    /// The mean of the datapoints. Those that did not cross the threshold count as the threshold itself, as in
    /// `StateReason::mean`.
    pub(super) fn mean(&self, side: Option<Side>) -> Option<f64> {
        let beyond = |value: &f64| match (side, self.threshold) {
            (Some(Side::Above), Some(threshold)) => value.max(threshold),
            (Some(Side::Below), Some(threshold)) => value.min(threshold),
            (None, _) | (_, None) => *value,
        };
        mean(self.recent.iter().map(beyond)).or(self.latest)
    }

    /// How much was measured, as far as the data reports it.
    pub(super) fn coverage(&self) -> Coverage {
        if self.has_gaps { Coverage::Partial } else { Coverage::Full }
    }

    /// How far the data reaches back from `at`; `None` without a start. The number of datapoints times their period
    /// would be too short if one is missing. A window that is too short lets stale evidence pass.
    pub(super) fn window(&self, at: Option<Timestamp>) -> Option<SignedDuration> {
        // No alarm evaluates more than a week of data; one hour is added for late evaluation.
        const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24 + 1);
        let window = at.or(self.queried)?.duration_since(self.start?);
        (window.is_positive() && window <= LONGEST).then_some(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reason_data_is_read_from_its_string() {
        let data = json!({"queryDate": "2026-03-02T09:20:30.000+0000", "startDate": "2026-03-02T09:15:00.000+0000",
            "period": 60, "recentDatapoints": [1.0, 2.0], "threshold": "80",
            "evaluatedDatapoints": [{"timestamp": "2026-03-02T09:16:00.000+0000", "value": 3.0}]});
        let read = ReasonData::read(&json!({"reasonData": data.to_string()}));
        assert_eq!((read.threshold, read.latest), (Some(80.0), Some(2.0)));
        assert_eq!(read.window(None), Some(SignedDuration::from_secs(330)));
        assert_eq!((read.mean(Some(Side::Above)), read.coverage()), (Some(80.0), Coverage::Full));
        assert_eq!(read.mean(Some(Side::Below)), Some(1.5));
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
        assert_eq!((empty.latest, empty.window(None)), (Some(7.0), None));
        assert_eq!((empty.mean(None), empty.coverage()), (Some(7.0), Coverage::Partial));
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
