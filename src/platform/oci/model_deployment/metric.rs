//! The metrics that OCI publishes for a model deployment: what a paired alarm may watch, and what is read for alarms
//! without a value.
//!
//! See <https://docs.oracle.com/en-us/iaas/data-science/using/metrics-model-deploy.htm>.

use jiff::SignedDuration;

use super::interval;
use crate::alarm::{Measurement, Statistic};
use crate::platform::metric::{Metric, Range, Sharing, Silence, Usage, find};
use crate::platform::target::written;
use crate::target::TargetId;

/// The namespace of a model deployment's metrics.
pub const NAMESPACE: &str = "oci_datascience_modeldeploy";

/// How long an alarm fires on a metric that has stopped: the longest that the service allows, because every step down
/// needs a notification of its own. See
/// <https://docs.oracle.com/iaas/Content/Monitoring/Tasks/create-edit-alarm-query-absence-detection-period.htm>.
const ABSENCE: &str = "3d";

const OF_DEPLOYMENT: &[&str] = &["resourceId"];

/// A percentage that is published all the time.
const fn percentage(name: &'static str) -> Metric {
    Metric {
        name,
        namespace: NAMESPACE,
        dimensions: OF_DEPLOYMENT,
        // Over all instances: one idle replica is not an idle deployment.
        statistic: "mean",
        range: Range::Percent,
        sharing: Sharing::Shared,
        silence: Silence::NoData,
    }
}

/// A metric that is published with the requests only.
const fn of_requests(name: &'static str, statistic: &'static str) -> Metric {
    Metric {
        name,
        namespace: NAMESPACE,
        dimensions: OF_DEPLOYMENT,
        statistic,
        range: Range::Open,
        sharing: Sharing::Unshared,
        silence: Silence::NoTraffic,
    }
}

/// Every metric that a decision or a paired alarm can use.
pub(in crate::platform::oci) const METRICS: &[Metric] = &[
    percentage("CpuUtilization"),
    percentage("MemoryUtilization"),
    percentage("PredictBandwidth"),
    percentage("GPUCoreUtilization"),
    of_requests("PredictRequestCount", "sum"),
    // A stream per status: their number counts, not their mean.
    of_requests("PredictResponse", "count"),
    of_requests("PredictLatency", "mean"),
    Metric { range: Range::Open, ..percentage("NetworkBytes") },
];

/// A metric by its name; `None` for one that is not of this namespace.
pub fn metric(name: &str) -> Option<&'static Metric> {
    find(METRICS, name)
}

/// What decisions use of a metric.
pub fn usage(name: &str) -> Usage {
    Usage::of(METRICS, name)
}

/// A metric's name as its namespace spells it; the name itself if it is not a metric of this namespace.
pub fn spelled(name: &str) -> &str {
    metric(name).map_or(name, |metric| metric.name)
}

/// How many minutes of a window add up in the value of a query: a sum grows with its window, a mean does not. Policies
/// count by the minute.
pub fn minutes_added_up(metric: &Metric, window: SignedDuration) -> f64 {
    let adds_up = matches!(metric.usage(), Usage::Sum | Usage::Count);
    if adds_up { window.as_secs_f64() / 60.0 } else { 1.0 }
}

/// The statistic to read a metric by for an alarm, as MQL spells it.
pub fn statistic_to_read(name: &str, alarm: &Measurement) -> String {
    match usage(name).statistic_of_alarm(name, alarm) {
        Some(Statistic::Other(own)) => own.clone(),
        Some(Statistic::Mean | Statistic::Sum | Statistic::Count) | None => {
            [metric(name).map_or("mean", |metric| metric.statistic), "()"].concat()
        }
    }
}

/// The query of a metric over all instances of a deployment.
pub fn query(metric: &Metric, window: SignedDuration, target: &TargetId) -> String {
    query_by(&[metric.statistic, "()"].concat(), metric, window, target)
}

/// The same query by another statistic.
pub fn query_by(statistic: &str, metric: &Metric, window: SignedDuration, target: &TargetId) -> String {
    format!("{}.{statistic}", grouped(metric, window, target))
}

/// The query of a paired alarm. A metric that stops with the traffic is low when it is absent, too.
pub fn low_query(metric: &Metric, window: SignedDuration, target: &TargetId, below: f64) -> String {
    let below = written(below * minutes_added_up(metric, window));
    let low = format!("{} < {below}", query(metric, window, target));
    if !metric.stops_with_traffic() {
        return low;
    }
    format!("{low} || {}.absent({ABSENCE})", grouped(metric, window, target))
}

fn grouped(metric: &Metric, window: SignedDuration, target: &TargetId) -> String {
    let Metric { name, .. } = metric;
    format!("{name}[{}]{{resourceId = \"{target}\"}}.groupBy(resourceId)", interval(window))
}
