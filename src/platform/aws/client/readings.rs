//! Reads a variant's metrics from CloudWatch, for alarms that do not contain a value.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric as Published, MetricDataQuery, MetricStat};
use jiff::{SignedDuration, Timestamp};

use super::errors::service_error;
use crate::alarm::Statistic;
use crate::platform::Error;
use crate::platform::ObserveRequest;
use crate::platform::aws::variant::{PERIOD, dimensions, metric};
use crate::platform::metric::{Metric, mean};

/// The window that is read if the alarm has none: that of the alarms in the guide.
const ASSUMED_WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// The shortest window. SageMaker publishes each minute up to two minutes late, so of three minutes at least one has
/// data.
const LEAST_WINDOW: SignedDuration = SignedDuration::from_mins(3);

/// The mean of each requested metric over the alarm's window. Metrics that are unknown or have no data are left out.
/// Without a known metric, no call is sent.
pub(super) async fn readings(
    client: &Client,
    request: &ObserveRequest<'_>,
) -> Result<BTreeMap<String, f64>, Error> {
    let requested = request.metrics.iter().copied();
    let known: Vec<(&str, &Metric)> = requested.filter_map(|name| Some((name, metric(name)?))).collect();
    if known.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (begin, end) = window(request.alarm.measurement.window, request.now);
    // The service requires ids that begin with a lower-case letter.
    let queries = known.iter().enumerate().map(|(at, (_, metric))| {
        MetricDataQuery::builder().id(format!("m{at}")).metric_stat(stat(metric, request)).build()
    });
    let sent = client
        .get_metric_data()
        .set_metric_data_queries(Some(queries.collect()))
        .start_time(DateTime::from_secs(begin.as_second()))
        .end_time(DateTime::from_secs(end.as_second()))
        .send()
        .await;
    let found = sent.map_err(|error| service_error("aws:GetMetricData", &error))?;
    let mean_of = |at: usize| {
        let id = format!("m{at}");
        let result = found.metric_data_results().iter().find(|result| result.id() == Some(&id))?;
        mean(result.values().iter().copied())
    };
    let read =
        known.iter().enumerate().filter_map(|(at, (name, _))| Some(((*name).to_owned(), mean_of(at)?)));
    Ok(read.collect())
}

fn stat(metric: &Metric, request: &ObserveRequest<'_>) -> MetricStat {
    let dimensions = dimensions(metric, request.target);
    let dimensions =
        dimensions.iter().map(|(name, value)| Dimension::builder().name(name.as_ref()).value(value).build());
    let published = Published::builder()
        .namespace(metric.namespace)
        .metric_name(metric.name)
        .set_dimensions(Some(dimensions.collect()))
        .build();
    MetricStat::builder().metric(published).period(PERIOD).stat(statistic(metric, request)).build()
}

/// The statistic to read a metric by.
fn statistic<'a>(metric: &'a Metric, request: &'a ObserveRequest<'_>) -> &'a str {
    match metric.usage().statistic_of_alarm(metric.name, &request.alarm.measurement) {
        Some(Statistic::Other(own)) => own,
        Some(Statistic::Mean) => "Average",
        Some(Statistic::Sum | Statistic::Count) | None => metric.statistic,
    }
}

/// The start and the end of the data to read. Whole minutes only, because the sum of an incomplete one is too small.
fn window(alarm_window: Option<SignedDuration>, now: Timestamp) -> (Timestamp, Timestamp) {
    let minute = i64::from(PERIOD);
    let end = now.as_second().div_euclid(minute) * minute;
    let seconds = alarm_window.unwrap_or(ASSUMED_WINDOW).max(LEAST_WINDOW).as_secs();
    let begin = (end - seconds).div_euclid(minute) * minute;
    let at = |second| Timestamp::from_second(second).unwrap_or(now);
    (at(begin), at(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_minutes_are_read_and_enough_of_them() {
        let second = |second| Timestamp::from_second(second).unwrap();
        let minutes = |minutes| Some(SignedDuration::from_mins(minutes));
        let rows = [
            // the alarm's own window
            (minutes(5), 6030, (5700, 6000)),
            // no window
            (None, 6000, (5700, 6000)),
            // the last minute may not be published yet
            (minutes(1), 6059, (5820, 6000)),
            // a part of a minute is extended to the whole minute
            (Some(SignedDuration::from_secs(200)), 6000, (5760, 6000)),
        ];
        for (alarm_window, now, (begin, end)) in rows {
            let read = window(alarm_window, second(now));
            assert_eq!(read, (second(begin), second(end)), "{alarm_window:?} {now}");
        }
    }

    #[test]
    fn no_data_is_no_reading() {
        assert_eq!(mean([]), None);
        assert_eq!(mean([1.0, 2.0, 6.0]), Some(3.0));
    }
}
