//! Reads a deployment's metrics from OCI Monitoring, for alarms that do not contain a value.

use std::collections::BTreeMap;

use hyper::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::api::{Api, ApiRequest, Service};
use super::members::word;
use crate::platform::Error;
use crate::platform::ObserveRequest;
use crate::platform::metric::Metric;
use crate::platform::oci::model_deployment::NAMESPACE;
use crate::platform::oci::model_deployment::metric::{metric, minutes_added_up, query_by, statistic_to_read};

/// The distance between windows, as for alarms, so that the latest ended at most a minute ago. Set explicitly, because
/// the documentation has two different defaults.
const RESOLUTION: &str = "1m";

/// The window that is read if the alarm has none.
const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// How long Monitoring's own alarms wait for late data.
const LATE: SignedDuration = SignedDuration::from_mins(3);

/// The values of these metrics, read in parallel. Metrics without data are left out.
pub(super) async fn all(
    api: &Api,
    request: &ObserveRequest<'_>,
    compartment: &str,
    metrics: &[&str],
) -> Result<BTreeMap<String, f64>, Error> {
    let [metric, others @ ..] = metrics else { return Ok(BTreeMap::new()) };
    let others = Box::pin(all(api, request, compartment, others));
    let (value, others) = tokio::join!(one(api, request, compartment, metric), others);
    let (value, mut read) = (value?, others?);
    read.extend(value.map(|value| ((*metric).to_owned(), value)));
    Ok(read)
}

async fn one(
    api: &Api,
    request: &ObserveRequest<'_>,
    compartment: &str,
    name: &str,
) -> Result<Option<f64>, Error> {
    let Some(metric) = metric(name) else { return Ok(None) };
    let path = "/metrics/actions/summarizeMetricsData";
    let api_request = ApiRequest::new("oci:SummarizeMetricsData", Service::Monitoring, Method::POST, path)
        .query("compartmentId", compartment)
        .body(details(request, metric));
    let value = latest(&api.send(api_request).await?.body);
    Ok(value.map(|value| value / minutes_added_up(metric, window(request))))
}

/// The alarm's window.
fn window(request: &ObserveRequest) -> SignedDuration {
    request.alarm.measurement.window.unwrap_or(WINDOW)
}

/// The body of a query for the metric over all instances, in the alarm's window.
fn details(request: &ObserveRequest, metric: &Metric) -> Value {
    let window = window(request);
    let whole = |time: Timestamp| Timestamp::from_second(time.as_second()).unwrap_or(time);
    let end = whole(request.now);
    let start = end.checked_sub(window.max(LATE)).unwrap_or(end);
    let statistic = statistic_to_read(metric.name, &request.alarm.measurement);
    json!({
        "namespace": NAMESPACE,
        "query": query_by(&statistic, metric, window, request.target),
        "startTime": start.to_string(),
        "endTime": end.to_string(),
        "resolution": RESOLUTION,
    })
}

/// The value of the window that ended last.
fn latest(answer: &Value) -> Option<f64> {
    let series = answer.as_array()?.iter();
    let points = series.filter_map(|one| one.get("aggregatedDatapoints")?.as_array()).flatten();
    let read = points.filter_map(|point| {
        let at: Timestamp = word(point, "timestamp")?.parse().ok()?;
        Some((at, point.get("value")?.as_f64()?))
    });
    read.max_by_key(|(at, _)| *at).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_window_counts() {
        let point = |at: &str, value: Value| json!({ "timestamp": at, "value": value });
        let rows = [
            // no such metric, or no recent data
            (json!([]), None),
            (json!([{ "aggregatedDatapoints": [] }]), None),
            // in whatever order they come
            (
                json!([{ "aggregatedDatapoints": [
                    point("2026-03-02T09:14:00.000Z", json!(2.5)),
                    point("2026-03-02T09:15:00Z", json!(91)),
                    point("2026-03-02T09:13:00.000Z", json!(1)),
                ] }]),
                Some(91.0),
            ),
            // unreadable points are skipped
            (
                json!([{ "aggregatedDatapoints": [
                    point("2026-03-02T09:14:00.000Z", json!(2.5)),
                    point("2026-03-02T09:15:00Z", Value::Null),
                    point("soon", json!(7)),
                ] }, {}]),
                Some(2.5),
            ),
            (json!({ "code": "x" }), None),
        ];
        for (answer, expected) in rows {
            assert_eq!(latest(&answer), expected, "{answer}");
        }
    }
}
