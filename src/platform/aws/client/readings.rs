//! What CloudWatch has measured of a variant, for alarms that do not tell it themselves.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric as Published, MetricDataQuery, MetricStat};
use jiff::{SignedDuration, Timestamp};

use super::errors::told;
use crate::platform::Error;
use crate::platform::ObserveRequest;
use crate::platform::aws::variant::{Metric, PERIOD, dimensions, metric};
use crate::target::TargetId;

/// What is read where nobody tells a window: that of the guide's alarms.
const ASSUMED_WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// SageMaker publishes a minute up to two minutes late, so that the last ones may be missing; of three, one is there.
const LEAST_WINDOW: SignedDuration = SignedDuration::from_mins(3);

/// The mean of each metric that the question has to know, over the alarm's window. One that is not published, or has
/// no data, is not among them; where none is asked for, nothing is called.
pub(super) async fn readings(
    client: &Client,
    request: &ObserveRequest<'_>,
) -> Result<BTreeMap<String, f64>, Error> {
    let asked = request.metrics.iter().copied();
    let known: Vec<(&str, &Metric)> = asked.filter_map(|name| Some((name, metric(name)?))).collect();
    if known.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (begin, end) = window(request.alarm.measurement.window, request.now);
    // The service asks for ids that begin with a small letter.
    let queries = known.iter().enumerate().map(|(at, (_, metric))| {
        MetricDataQuery::builder().id(format!("m{at}")).metric_stat(stat(metric, request.target)).build()
    });
    let sent = client
        .get_metric_data()
        .set_metric_data_queries(Some(queries.collect()))
        .start_time(DateTime::from_secs(begin.as_second()))
        .end_time(DateTime::from_secs(end.as_second()))
        .send()
        .await;
    let found = sent.map_err(|error| told("aws:GetMetricData", &error))?;
    let mean_of = |at: usize| {
        let id = format!("m{at}");
        let result = found.metric_data_results().iter().find(|result| result.id() == Some(&id))?;
        mean(result.values())
    };
    let read =
        known.iter().enumerate().filter_map(|(at, (name, _))| Some(((*name).to_owned(), mean_of(at)?)));
    Ok(read.collect())
}

fn stat(metric: &Metric, target: &TargetId) -> MetricStat {
    let dimensions = dimensions(target);
    let dimensions =
        dimensions.iter().map(|(name, value)| Dimension::builder().name(name.as_ref()).value(value).build());
    let published = Published::builder()
        .namespace(metric.namespace)
        .metric_name(metric.name)
        .set_dimensions(Some(dimensions.collect()))
        .build();
    MetricStat::builder().metric(published).period(PERIOD).stat(metric.statistic).build()
}

/// Whole minutes only: the sum of one that has not ended would be too small.
fn window(told: Option<SignedDuration>, now: Timestamp) -> (Timestamp, Timestamp) {
    let minute = i64::from(PERIOD);
    let end = now.as_second().div_euclid(minute) * minute;
    let seconds = told.unwrap_or(ASSUMED_WINDOW).max(LEAST_WINDOW).as_secs();
    let begin = (end - seconds).div_euclid(minute) * minute;
    let at = |second| Timestamp::from_second(second).unwrap_or(now);
    (at(begin), at(end))
}

fn mean(values: &[f64]) -> Option<f64> {
    // Counted as it is summed: a length would have to be converted.
    let (sum, count) = values.iter().fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then_some(sum / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_minutes_are_read_and_enough_of_them() {
        let second = |second| Timestamp::from_second(second).unwrap();
        let minutes = |minutes| Some(SignedDuration::from_mins(minutes));
        let rows = [
            // as the alarm looks back
            (minutes(5), 6030, (5700, 6000)),
            // nobody tells
            (None, 6000, (5700, 6000)),
            // the last minute may not be published yet
            (minutes(1), 6059, (5820, 6000)),
            // what is no whole minute begins with one
            (Some(SignedDuration::from_secs(200)), 6000, (5760, 6000)),
        ];
        for (told, now, (begin, end)) in rows {
            assert_eq!(window(told, second(now)), (second(begin), second(end)), "{told:?} {now}");
        }
    }

    #[test]
    fn no_data_is_no_reading() {
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[1.0, 2.0, 6.0]), Some(3.0));
    }
}
