//! SageMaker endpoint variants: decisions as requests of the SageMaker and CloudWatch APIs.
//!
//! Another count is one call. Another type is a copy of the endpoint's configuration, put in force; what that
//! leaves behind is cleared away when the endpoint is at rest again. The paired alarm carries its marker in the
//! last line of its description, which the reading call returns anyway.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::alarm::CloudwatchAlarm;
use super::call::Call;
use super::id;
use crate::deployment::ObservedAlarm;
use crate::ladder::{Ladders, Rung};
use crate::platform::target::{
    FollowUp, PairRequest, PairSupport, RejectedUpdate, Resize, SettledDeployment, Target, written,
};
use crate::platform::{self, ApiWord, Observation, Operation};
use crate::size::{Axis, Size};
use crate::tags::{self, Tags};
use crate::target::TargetId;

pub mod configuration;
mod endpoint;
pub mod native;
pub mod notes;

pub use endpoint::{Endpoint, NativeScaling};
use notes::TypeChange;

/// Its row in the table.
pub const TARGET: Target = Target {
    kind: id::VARIANT,
    settled: &SETTLED,
    gone: &GONE,
    deleted: &["Deleting"],
    reads: &[
        Operation::new("aws:DescribeEndpoint", &["sagemaker:DescribeEndpoint"]),
        Operation::new("aws:DescribeEndpointConfig", &["sagemaker:DescribeEndpointConfig"]),
        Operation::new("aws:ListEndpointConfigs", &["sagemaker:ListEndpointConfigs"]),
        Operation::new("aws:ListTags", &["sagemaker:ListTags"]),
        Operation::new("aws:DescribeScalableTargets", &["application-autoscaling:DescribeScalableTargets"]),
        Operation::new("aws:DescribeScalingPolicies", &["application-autoscaling:DescribeScalingPolicies"]),
        Operation::new("aws:DescribeScheduledActions", &["application-autoscaling:DescribeScheduledActions"]),
        Operation::new("aws:DescribeAlarms", &["cloudwatch:DescribeAlarms"]),
        Operation::new("aws:GetMetricData", &["cloudwatch:GetMetricData"]),
    ],
    utilization: ["CPUUtilization", "MemoryUtilization"],
    full,
    tag_scope: |target| id::endpoint_and_variant(target).map(|(_, variant)| variant),
    axes: &[Axis::Instances, Axis::Shape],
    resize,
    follow_up_axes: &[Axis::Shape],
    follow_up,
    after_rejection,
    pair: PairSupport::Written { ensure: ensure_pair, delete: delete_pair },
};

/// What only a variant needs of an observation, for its calls.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The name of the endpoint configuration that is active.
    pub configuration: String,
    /// The endpoint's ARN, by which it is tagged.
    pub arn: String,
    /// When the endpoint was created: tells it from an earlier one of the same name.
    pub created: Option<Timestamp>,
    /// All that a change of type depends on; read only where the rule may change the shape.
    pub endpoint: Option<Box<Endpoint>>,
    /// The paired alarm as it is set, where it is ours.
    pub pair: Option<CloudwatchAlarm>,
}

impl Facts {
    fn of(observed: &Observation) -> Option<&Self> {
        let platform::Facts::Aws(facts) = &observed.facts else { return None };
        Some(facts)
    }
}

/// An alarm as CloudWatch describes it. Its name is its id; of its actions only topics and functions take events, and an
/// Auto Scaling policy would add what a pair is there to remove.
pub fn observed(alarm: &CloudwatchAlarm, ours: bool) -> ObservedAlarm {
    let takes_events =
        |id: &&String| id.contains(":sns:") || id.contains(":lambda:") || !id.starts_with("arn:");
    ObservedAlarm {
        id: alarm.name.clone(),
        etag: None,
        ours,
        name: alarm.name.clone(),
        notifies: alarm.actions.iter().filter(takes_events).cloned().collect(),
        window: alarm.window(),
    }
}

/// The endpoint states in which the service takes an update.
const SETTLED: [&str; 1] = ["InService"];

/// The endpoint states out of which no alarm brings an endpoint.
const GONE: [&str; 4] = ["Deleting", "Failed", "OutOfService", "UpdateRollbackFailed"];

/// How long a copy that was never put in force is left alone: longer than any function that made it runs.
const ABANDONED: SignedDuration = SignedDuration::from_mins(15);

/// The namespace of the metrics that an endpoint's instances publish.
pub const INSTANCE_NAMESPACE: &str = "/aws/sagemaker/Endpoints";
/// The namespace of the metrics that an endpoint's invocations publish.
const INVOCATION_NAMESPACE: &str = "AWS/SageMaker";

/// CloudWatch's period for both namespaces, which are published once a minute.
pub const PERIOD: i32 = 60;

/// A metric of a variant: where it is published, how it is summed up, and what its range grows with.
#[derive(Debug)]
pub struct Metric {
    /// Its name, as SageMaker spells it.
    pub name: &'static str,
    /// Where it is published.
    pub namespace: &'static str,
    /// How a period of it is summed up.
    pub statistic: &'static str,
    range: Range,
}

/// What a metric's range grows with.
#[derive(Debug, Clone, Copy, PartialEq)]
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

/// The metrics that a paired alarm may watch, and that are read where an alarm does not tell its value.
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

/// A metric by its name; `None` for one that SageMaker does not publish for a variant.
pub fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|known| known.name.eq_ignore_ascii_case(name))
}

/// What a metric reads when all is used: `CPUUtilization` runs to 100 for each vCPU.
fn full(name: &str, rung: Option<&Rung>) -> Option<f64> {
    match metric(name)?.range {
        Range::Open => None,
        Range::Percent => Some(100.0),
        range @ (Range::Vcpus | Range::Gpus) => rung.map(|rung| 100.0 * f64::from(range.factor(rung))),
    }
}

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

fn resize(change: Resize, calls: &mut Vec<platform::Call>, notes: &mut Vec<String>) {
    let Some((endpoint, variant)) = id::endpoint_and_variant(&change.observed.target) else { return };
    match change.axis {
        Axis::Instances => {
            let instances = change.to.instances;
            calls.extend(noted(change, variant));
            let (endpoint, variant) = (endpoint.to_owned(), variant.to_owned());
            calls.push(Call::UpdateEndpointWeightsAndCapacities { endpoint, variant, instances }.into());
        }
        Axis::Shape => retyped(change, (endpoint, variant), calls, notes),
        // No axis of it.
        Axis::Bandwidth => {}
    }
}

/// What is remembered of the change: an update of the count takes no tags.
fn noted(change: Resize, variant: &str) -> Option<platform::Call> {
    let Facts { arn, .. } = Facts::of(change.observed)?;
    let recent = change.recent?;
    Some(Call::AddTags { arn: arn.clone(), tags: [(recent_key(variant), recent)].into() }.into())
}

fn recent_key(variant: &str) -> String {
    format!("{}/{variant}", tags::RECENT)
}

/// The copy first, then a note of what is tried, and only then the change itself: each can be repeated, and
/// none before the last changes the endpoint.
fn retyped(change: Resize, names: (&str, &str), calls: &mut Vec<platform::Call>, notes: &mut Vec<String>) {
    let Resize { observed, to, now, ladders, recent, .. } = change;
    let Some(Facts { configuration, endpoint: Some(endpoint), .. }) = Facts::of(observed) else { return };
    let next = configuration::next(endpoint, names, &to.shape);
    let (endpoint_name, variant) = names;
    let summary = format!("variant `{variant}` {} → {}", observed.size.shape, to.shape);
    let step = TypeChange {
        from: configuration.clone(),
        to: next.name.clone(),
        shape: to.shape.clone(),
        instances: observed.size.instances,
        at: now,
    };
    let mut tags: Tags = [notes::begun(variant, &step)].into();
    tags.extend(recent.map(|recent| (recent_key(variant), recent)));
    let parked = native::chunks(&endpoint.native, variant);
    let suspends_native = parked.is_some();
    tags.extend(parked.into_iter().flatten());

    notes.extend(next.notes);
    notes.extend(native::told(&endpoint.native));
    notes.extend(thresholds_stay(&observed.size, to, ladders));
    calls.extend(next.body.map(|body| Call::CreateEndpointConfig { body, change: summary.clone() }.into()));
    calls.push(Call::AddTags { arn: endpoint.arn.clone(), tags }.into());
    if suspends_native {
        calls.push(Call::DeregisterScalableTarget { target: observed.target.to_string() }.into());
    }
    let (endpoint, configuration) = (endpoint_name.to_owned(), next.name);
    calls.push(Call::UpdateEndpoint { endpoint, configuration, change: summary }.into());
}

/// Alarms of ours are written anew for another type; those of other people are theirs to change.
fn thresholds_stay(from: &Size, to: &Size, ladders: &Ladders) -> Option<String> {
    let shape = &to.shape;
    let (from, to) = (ladders.rung(&from.rung())?, ladders.rung(&to.rung())?);
    let grown = |what: &str, from: u32, to: u32| {
        (from != to).then(|| format!("{what} runs to {} instead of {}", 100 * to, 100 * from))
    };
    let changed: Vec<String> =
        [grown("CPUUtilization", from.vcpus, to.vcpus), grown("GPUUtilization", from.gpus, to.gpus)]
            .into_iter()
            .flatten()
            .collect();
    (!changed.is_empty()).then(|| {
        format!(
            "on `{shape}`, {}: alarms that stepladder did not make keep their thresholds",
            changed.join(" and ")
        )
    })
}

/// What a change of type leaves to do: to write down how it ended, to put back what was parked, and to delete
/// the copies that are not in force any more.
fn follow_up(rest: &SettledDeployment) -> FollowUp {
    let observed = rest.observed;
    let Some(Facts { configuration, endpoint: Some(endpoint), .. }) = Facts::of(observed) else {
        return FollowUp::default();
    };
    let Some((_, variant)) = id::endpoint_and_variant(&observed.target) else { return FollowUp::default() };
    let notes::Settled { write, forget, told } = notes::settle(&endpoint.tags, variant, configuration, rest);
    let restoring = native::restore(endpoint, variant, rest.now);
    let arn = &endpoint.arn;
    // What somebody else is missing comes first, and room is made before it is taken.
    let mut calls = restoring.calls;
    if !forget.is_empty() {
        calls.push(Call::DeleteTags { arn: arn.clone(), keys: forget });
    }
    if !write.is_empty() {
        calls.push(Call::AddTags { arn: arn.clone(), tags: write });
    }
    let (served, young): (Vec<_>, Vec<_>) =
        endpoint.superseded.iter().partition(|(_, created)| has_served(rest, *created));
    calls.extend(served.iter().map(|(name, _)| Call::DeleteEndpointConfig { name: name.clone() }));
    FollowUp {
        calls: calls.into_iter().map(Into::into).collect(),
        notes: restoring.notes.into_iter().chain(told).collect(),
        is_incomplete: restoring.is_incomplete || !young.is_empty(),
    }
}

/// A copy that is younger than the endpoint's last change may be about to be put in force.
fn has_served(rest: &SettledDeployment, created: Option<Timestamp>) -> bool {
    let Some(created) = created else { return false };
    let changed_since = rest.observed.last_change.is_some_and(|changed| changed > created);
    changed_since || rest.now.duration_since(created) >= ABANDONED
}

/// The note of a change and its record are written ahead of it.
fn after_rejection(rejected: &RejectedUpdate) -> Vec<platform::Call> {
    let RejectedUpdate { observed, of_shape, infeasible, on_record } = rejected;
    let Some(Facts { arn, .. }) = Facts::of(observed) else { return Vec::new() };
    let Some((_, variant)) = id::endpoint_and_variant(&observed.target) else { return Vec::new() };
    let mut keys = Vec::new();
    let mut tags = Tags::new();
    if *of_shape {
        keys.push(notes::step_key(variant));
        tags.extend(infeasible.map(|infeasible| notes::note(variant, infeasible)));
    }
    if *on_record {
        match tags::find(&observed.tags, tags::RECENT) {
            Some((_, before)) => tags.extend([(recent_key(variant), before.to_owned())]),
            None => keys.push(recent_key(variant)),
        }
    }
    let forget = (!keys.is_empty()).then(|| Call::DeleteTags { arn: arn.clone(), keys });
    let write = (!tags.is_empty()).then(|| Call::AddTags { arn: arn.clone(), tags });
    forget.into_iter().chain(write).map(Into::into).collect()
}

fn ensure_pair(request: PairRequest, notes: &mut Vec<String>) -> Option<platform::Call> {
    let existing = Facts::of(request.observed).and_then(|facts| facts.pair.as_ref());
    let alarm = pair(request, notes);
    (existing != Some(&alarm)).then(|| Call::PutMetricAlarm(alarm).into())
}

fn pair(context: PairRequest, notes: &mut Vec<String>) -> CloudwatchAlarm {
    let PairRequest { pair, observed, ladders, notifies, .. } = context;
    let target = &observed.target;
    let known = metric(&pair.metric);
    let unknown = Metric { name: "", ..instance("", Range::Percent) };
    let Metric { namespace, statistic, range, .. } = known.unwrap_or(&unknown);
    let metric = known.map_or(pair.metric.as_str(), |known| known.name);
    if known.is_none() {
        notes.push(format!("`{metric}` is no metric of SageMaker that stepladder knows: see `pair.metric`"));
    }
    let rung = if range.needs_rung() { ladders.rung(&observed.size.rung()) } else { None };
    if range.needs_rung() && rung.is_none() {
        notes.push(format!(
            "shape `{}` is on no ladder, so `{metric}` below {} is taken of one core: add a `[[ladder]]` \
             that holds it",
            observed.size.shape, pair.below
        ));
    }
    let factor = rung.map_or(1, |rung| range.factor(&rung));
    CloudwatchAlarm {
        name: pair.name_for(target),
        description: [
            "Takes back what stepladder added to ",
            target.as_str(),
            ": ",
            metric,
            " below ",
            &written(pair.below),
            range.unit(),
            " for ",
            &pair.window.as_mins().to_string(),
            " minutes.\n",
            &Marker::of(target, &pair.alarm, observed).line(),
        ]
        .concat(),
        namespace: (*namespace).into(),
        metric: metric.to_owned(),
        statistic: (*statistic).into(),
        dimensions: dimensions(target),
        period: PERIOD,
        evaluation_periods: i32::try_from(pair.window.as_mins()).unwrap_or(i32::MAX),
        threshold: pair.below * f64::from(factor),
        comparison: "LessThanThreshold".into(),
        // A metric that has gone missing is no reason to shrink.
        missing_data: "missing".into(),
        actions: notifies,
        enabled: true,
        datapoints: None,
        unit: None,
    }
}

/// What tells a variant's metrics from those of others.
pub fn dimensions(target: &TargetId) -> BTreeMap<ApiWord, String> {
    let (endpoint, variant) = id::endpoint_and_variant(target).unwrap_or_default();
    [("EndpointName", endpoint), ("VariantName", variant)]
        .map(|(name, value)| (ApiWord::from(name), value.to_owned()))
        .into()
}

fn delete_pair(alarm: &ObservedAlarm, _of: Option<&Observation>) -> platform::Call {
    Call::DeleteAlarms { name: alarm.name.clone() }.into()
}

/// The last line of a paired alarm's description. It makes the alarm ours, and it remembers the endpoint
/// configuration and the shape in it, so that an observation which finds the same configuration of the same
/// endpoint again need not read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker<'a> {
    /// The pair's name in the policy.
    pub pair: &'a str,
    /// The target's id.
    pub target: &'a str,
    /// The endpoint configuration that was in force when the alarm was written.
    pub configuration: &'a str,
    /// The variant's shape in it.
    pub shape: &'a str,
    /// When the endpoint was created.
    pub created: Option<Timestamp>,
}

impl<'a> Marker<'a> {
    fn of(target: &'a TargetId, pair: &'a str, observed: &'a Observation) -> Self {
        let facts = Facts::of(observed);
        let (configuration, created) =
            facts.map_or(("", None), |facts| (facts.configuration.as_str(), facts.created));
        Self { pair, target: target.as_str(), configuration, shape: &observed.size.shape, created }
    }

    /// The line itself.
    pub fn line(&self) -> String {
        let Self { pair, target, configuration, shape, created } = self;
        let created = created.map_or_else(String::new, |created| format!(" created={created}"));
        let fields =
            ["stepladder: pair=", pair, " target=", target, " config=", configuration, " shape=", shape];
        fields.concat() + &created
    }

    /// Reads the marker of an alarm's description; `None` when there is none.
    pub fn read(description: &'a str) -> Option<Self> {
        let line = description.lines().last()?.strip_prefix("stepladder: ")?;
        let field = |name: &str| field(line, name);
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
        self.target == target.as_str() && self.pair == pair
    }
}

/// A field of a line of `name=value`, as markers and notes are written.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split(' ').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

/// Whether an alarm is the paired alarm of a target.
pub fn is_ours(alarm: &CloudwatchAlarm, target: &TargetId, pair: &str) -> bool {
    Marker::read(&alarm.description).is_some_and(|marker| marker.is_for(target, pair))
}
