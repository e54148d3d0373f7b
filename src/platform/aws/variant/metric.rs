//! The metrics that SageMaker publishes for a variant: what a paired alarm may watch, and what is read for alarms without a
//! value.
//!
//! See <https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html>, and for asynchronous endpoints
//! <https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-monitor.html>.

use std::collections::BTreeMap;

use crate::platform::ApiWord;
use crate::platform::aws::id;
use crate::platform::metric::{Metric, Range, Sharing, Silence, Usage, find};
use crate::target::TargetId;

/// The namespace of the metrics that an endpoint's instances publish.
pub const INSTANCE_NAMESPACE: &str = "/aws/sagemaker/Endpoints";
/// The namespace of the metrics that an endpoint's invocations and its queue publish.
const ENDPOINT_NAMESPACE: &str = "AWS/SageMaker";

/// CloudWatch's period for both namespaces, which are published once a minute.
pub const PERIOD: i32 = 60;

const OF_VARIANT: &[&str] = &[ENDPOINT_NAME, VARIANT_NAME];
const OF_ENDPOINT: &[&str] = &[ENDPOINT_NAME];
const ENDPOINT_NAME: &str = "EndpointName";
const VARIANT_NAME: &str = "VariantName";

/// A utilization that every instance publishes, busy or not.
const fn instance(name: &'static str, range: Range) -> Metric {
    Metric {
        name,
        namespace: INSTANCE_NAMESPACE,
        dimensions: OF_VARIANT,
        // The average over all instances of the variant: one idle replica is not an idle deployment.
        statistic: "Average",
        range,
        sharing: Sharing::Shared,
        silence: Silence::NoData,
    }
}

/// A metric that is published with the requests only.
const fn invocation(name: &'static str, statistic: &'static str, sharing: Sharing) -> Metric {
    Metric {
        name,
        namespace: ENDPOINT_NAMESPACE,
        dimensions: OF_VARIANT,
        statistic,
        range: Range::Open,
        sharing,
        silence: Silence::NoTraffic,
    }
}

/// A metric of the queue of an asynchronous endpoint, which has one variant.
const fn queue(name: &'static str, sharing: Sharing) -> Metric {
    Metric {
        name,
        namespace: ENDPOINT_NAMESPACE,
        dimensions: OF_ENDPOINT,
        statistic: "Average",
        range: Range::Open,
        sharing,
        silence: Silence::NoData,
    }
}

/// The use of the cores.
pub(in crate::platform::aws) const CPU: Metric = instance("CPUUtilization", Range::Vcpus);

/// Every metric that a decision or a paired alarm can use.
pub(super) const METRICS: &[Metric] = &[
    CPU,
    instance("MemoryUtilization", Range::Percent),
    instance("DiskUtilization", Range::Percent),
    instance("GPUUtilization", Range::Gpus),
    instance("GPUMemoryUtilization", Range::Gpus),
    // Each request adds 1, or 1 divided by the number of instances, so an average is meaningless.
    invocation("Invocations", "Sum", Sharing::Unshared),
    invocation("InvocationsPerInstance", "Sum", Sharing::Shared),
    invocation("ConcurrentRequestsPerModel", "Maximum", Sharing::Shared),
    invocation("ModelLatency", "Average", Sharing::Unshared),
    invocation("OverheadLatency", "Average", Sharing::Unshared),
    queue("ApproximateBacklogSize", Sharing::Unshared),
    queue("ApproximateBacklogSizePerInstance", Sharing::Shared),
    queue("ApproximateAgeOfOldestRequest", Sharing::Unshared),
];

/// What an asynchronous endpoint does not publish, although its variants serve requests.
const NOT_OF_ASYNCHRONOUS: [&str; 4] =
    ["Invocations", "InvocationsPerInstance", "ConcurrentRequestsPerModel", "OverheadLatency"];

/// A metric by its name; `None` for one that SageMaker does not publish for a variant.
pub fn metric(name: &str) -> Option<&'static Metric> {
    find(METRICS, name)
}

/// The metrics that an endpoint does not publish, with the reason.
pub fn unpublished(is_asynchronous: bool) -> BTreeMap<String, String> {
    let why = if is_asynchronous {
        "asynchronous endpoints do not publish it"
    } else {
        "only asynchronous endpoints publish it"
    };
    let is_missing = |metric: &&Metric| {
        if is_asynchronous {
            NOT_OF_ASYNCHRONOUS.contains(&metric.name)
        } else {
            metric.dimensions == OF_ENDPOINT
        }
    };
    METRICS.iter().filter(is_missing).map(|metric| (metric.name.to_owned(), why.to_owned())).collect()
}

/// The dimensions that select a metric of a variant.
pub fn dimensions(metric: &Metric, target: &TargetId) -> BTreeMap<ApiWord, String> {
    let (endpoint, variant) = id::endpoint_and_variant(target).unwrap_or_default();
    let value = |name: &str| if name == VARIANT_NAME { variant } else { endpoint };
    metric.dimensions.iter().map(|name| (ApiWord::from(*name), value(name).to_owned())).collect()
}

/// What decisions use of a metric.
pub(crate) fn usage(name: &str) -> Usage {
    Usage::of(METRICS, name)
}
