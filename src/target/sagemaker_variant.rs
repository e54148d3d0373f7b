//! SageMaker endpoint variants: decisions as requests of the SageMaker and CloudWatch APIs.
//!
//! The paired alarm carries its marker in the last line of its description, which the reading call
//! returns anyway.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{PairContext, Target};
use crate::alarm::{TargetId, TargetKind};
use crate::call::{AlarmDefinition, Call, CloudwatchAlarm};
use crate::deployment::{Axis, Deployment, Facts, SeenAlarm, Size};
use crate::ladder::Rung;

/// Its row in the table.
pub const TARGET: Target = Target {
    kind: TargetKind::SagemakerVariant,
    settled: &SETTLED,
    gone: &GONE,
    reads: &[
        ("aws:DescribeEndpoint", "sagemaker:DescribeEndpoint"),
        ("aws:DescribeEndpointConfig", "sagemaker:DescribeEndpointConfig"),
        ("aws:DescribeScalableTargets", "application-autoscaling:DescribeScalableTargets"),
        ("aws:DescribeAlarms", "cloudwatch:DescribeAlarms"),
    ],
    resize,
    keep_pair,
    delete_pair,
};

/// The endpoint states in which the service takes an update.
const SETTLED: [&str; 1] = ["InService"];

/// The endpoint states out of which no alarm brings an endpoint.
const GONE: [&str; 4] = ["Deleting", "Failed", "OutOfService", "UpdateRollbackFailed"];

/// Why a variant's shape stays as it is.
pub const FIXED_SHAPE: &str = "stepladder changes the instance count of SageMaker variants only";

/// The namespace of the metrics that an endpoint's instances publish.
pub const INSTANCE_NAMESPACE: &str = "/aws/sagemaker/Endpoints";
/// The namespace of the metrics that an endpoint's invocations publish.
const INVOCATION_NAMESPACE: &str = "AWS/SageMaker";

/// CloudWatch's period for both namespaces, which are published once a minute.
const PERIOD: i32 = 60;

/// A metric of a variant: where it is published, how it is summed up, and what its range grows with.
struct Metric {
    name: &'static str,
    namespace: &'static str,
    statistic: &'static str,
    range: Range,
}

/// What a metric's range grows with.
#[derive(Clone, Copy, PartialEq)]
enum Range {
    /// 0 to 100.
    Percent,
    /// 0 to 100 × vCPUs.
    Vcpus,
    /// 0 to 100 × GPUs.
    Gpus,
    /// No range: a count or a time.
    Open,
}

const fn instance(name: &'static str, range: Range) -> Metric {
    // The average over all instances of the variant: one idle replica is not an idle deployment.
    Metric { name, namespace: INSTANCE_NAMESPACE, statistic: "Average", range }
}

const fn invocation(name: &'static str, statistic: &'static str) -> Metric {
    Metric { name, namespace: INVOCATION_NAMESPACE, statistic, range: Range::Open }
}

/// The metrics that a paired alarm may watch.
/// See <https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html>.
const METRICS: &[Metric] = &[
    instance("CPUUtilization", Range::Vcpus),
    instance("MemoryUtilization", Range::Percent),
    instance("DiskUtilization", Range::Percent),
    instance("GPUUtilization", Range::Gpus),
    instance("GPUMemoryUtilization", Range::Gpus),
    // Each request contributes one, or one over the number of instances: an average would say nothing.
    invocation("Invocations", "Sum"),
    invocation("InvocationsPerInstance", "Sum"),
    invocation("ConcurrentRequestsPerModel", "Maximum"),
    invocation("ModelLatency", "Average"),
    invocation("OverheadLatency", "Average"),
];

impl Range {
    fn factor(self, rung: &Rung) -> u32 {
        match self {
            Self::Percent | Self::Open => 1,
            Self::Vcpus => rung.vcpus,
            Self::Gpus => rung.gpus.max(1),
        }
    }

    /// Whether it can only be told with the shape's rung.
    fn needs_rung(self) -> bool {
        matches!(self, Self::Vcpus | Self::Gpus)
    }

    fn unit(self) -> &'static str {
        if self == Self::Open { "" } else { " % of its capacity" }
    }
}

fn resize(seen: &Deployment, axis: Axis, to: &Size) -> Vec<Call> {
    let Some((endpoint, variant)) = seen.target.endpoint_and_variant() else { return Vec::new() };
    match axis {
        Axis::Instances => vec![Call::AwsUpdateEndpointWeightsAndCapacities {
            endpoint: endpoint.to_owned(),
            variant: variant.to_owned(),
            instances: to.instances,
        }],
        // An observation marks this axis as fixed, so no decision asks for it.
        Axis::Shape => Vec::new(),
    }
}

fn keep_pair(context: &PairContext, standing: Option<&SeenAlarm>, notes: &mut Vec<String>) -> Option<Call> {
    let alarm = pair(context, notes);
    let as_it_should_be =
        standing.is_some_and(|seen| seen.definition == AlarmDefinition::Cloudwatch(alarm.clone()));
    (!as_it_should_be).then_some(Call::AwsPutMetricAlarm(alarm))
}

fn pair(context: &PairContext, notes: &mut Vec<String>) -> CloudwatchAlarm {
    let PairContext { pair, seen, rung, notifies, .. } = context;
    let target = &seen.target;
    let known = METRICS.iter().find(|known| known.name.eq_ignore_ascii_case(&pair.metric));
    let unknown = Metric { name: "", ..instance("", Range::Percent) };
    let Metric { namespace, statistic, range, .. } = known.unwrap_or(&unknown);
    let metric = known.map_or(pair.metric.as_str(), |known| known.name);
    if known.is_none() {
        notes.push(format!("`{metric}` is no metric of SageMaker that stepladder knows: see `pair.metric`"));
    }
    if range.needs_rung() && rung.is_none() {
        notes.push(format!(
            "shape `{}` is on no ladder, so `{metric}` below {} is taken of one core: add a `[[ladder]]` \
             that holds it",
            seen.size.shape, pair.below
        ));
    }
    let factor = rung.map_or(1, |rung| range.factor(rung));
    CloudwatchAlarm {
        name: pair.name_for(target),
        description: format!(
            "Takes back what stepladder added to {target}: {metric} below {}{} for {} minutes.
{}",
            pair.below,
            range.unit(),
            pair.window.as_mins(),
            Marker::of(target, &pair.alarm, seen)
        ),
        namespace: (*namespace).to_owned(),
        metric: metric.to_owned(),
        statistic: (*statistic).to_owned(),
        dimensions: dimensions(target),
        period: PERIOD,
        evaluation_periods: i32::try_from(pair.window.as_mins()).unwrap_or(i32::MAX),
        threshold: pair.below * f64::from(factor),
        comparison: "LessThanThreshold".to_owned(),
        // A metric that has gone missing is no reason to shrink.
        missing_data: "missing".to_owned(),
        actions: notifies.clone(),
        enabled: true,
        datapoints: None,
        unit: None,
    }
}

fn dimensions(target: &TargetId) -> BTreeMap<String, String> {
    let (endpoint, variant) = target.endpoint_and_variant().unwrap_or_default();
    [("EndpointName", endpoint), ("VariantName", variant)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

fn delete_pair(seen: &SeenAlarm) -> Call {
    Call::AwsDeleteAlarms { name: seen.definition.name().to_owned() }
}

/// The last line of a paired alarm's description. It makes the alarm ours, and it remembers the endpoint
/// configuration and the shape in it, so that an observation which finds the same configuration of the same
/// endpoint again need not read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// The pair's name in the policy.
    pub pair: String,
    /// The target's id.
    pub target: String,
    /// The endpoint configuration that was in force when the alarm was written.
    pub configuration: String,
    /// The variant's shape in it.
    pub shape: String,
    /// When the endpoint was created.
    pub created: Option<Timestamp>,
}

impl Marker {
    fn of(target: &TargetId, pair: &str, seen: &Deployment) -> Self {
        let (configuration, created) = match &seen.facts {
            Facts::SagemakerVariant { configuration, created } => (configuration.clone(), *created),
            Facts::OciModelDeployment { .. } => (String::new(), None),
        };
        let shape = seen.size.shape.clone();
        Self { pair: pair.to_owned(), target: target.id.clone(), configuration, shape, created }
    }

    /// Reads the marker of an alarm's description; `None` when there is none.
    pub fn read(description: &str) -> Option<Self> {
        let line = description.lines().last()?.strip_prefix("stepladder: ")?;
        let field = |name: &str| {
            line.split(' ').find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
        };
        Some(Self {
            pair: field("pair")?,
            target: field("target")?,
            configuration: field("config")?,
            shape: field("shape")?,
            created: field("created").and_then(|time| time.parse().ok()),
        })
    }

    /// Whether it marks the paired alarm of this target.
    pub fn is_for(&self, target: &TargetId, pair: &str) -> bool {
        self.target == target.id && self.pair == pair
    }
}

impl std::fmt::Display for Marker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { pair, target, configuration, shape, created } = self;
        write!(f, "stepladder: pair={pair} target={target} config={configuration} shape={shape}")?;
        created.map_or(Ok(()), |created| write!(f, " created={created}"))
    }
}

/// Whether an alarm is the paired alarm of a target.
pub fn is_ours(alarm: &CloudwatchAlarm, target: &TargetId, pair: &str) -> bool {
    Marker::read(&alarm.description).is_some_and(|marker| marker.is_for(target, pair))
}
