//! SageMaker endpoint variants: turns decisions into calls of the SageMaker and CloudWatch APIs.
//!
//! A change of the count is one call. A change of the type copies the endpoint's configuration and makes the copy
//! active; the follow-up cleans up when the endpoint has settled. The marker of a paired alarm is the last line of its
//! description, which `DescribeAlarms` returns anyway.

use jiff::{SignedDuration, Timestamp};

use super::alarm::{BREACHING, CloudwatchAlarm};
use super::call::Call;
use super::id;
use crate::deployment::ObservedAlarm;
use crate::ladder::Ladders;
use crate::pair::ScaleUpThreshold;
use crate::platform::metric::{Metric, Range};
use crate::platform::target::{
    FollowUp, PairRequest, PairSupport, RejectedUpdate, Resize, SettledDeployment, Target, written,
};
use crate::platform::{self, Error, Observation, Operation};
use crate::size::{Axis, Size};
use crate::tags::{self, Tags};
use crate::target::TargetId;

pub mod configuration;
mod endpoint;
mod fixed;
pub mod metric;
pub mod native;
pub mod notes;
mod suspended;

pub use endpoint::{Endpoint, NativeScaling};
pub use fixed::{CountOwnership, fixed};
pub use metric::{PERIOD, dimensions, metric};
use notes::TypeChange;

/// The row of this kind of target.
pub const TARGET: Target = Target {
    kind: id::VARIANT,
    ids: "endpoint/*/variant/*",
    is_ticked: true,
    at_its_time: "for an endpoint, name the variant as the schedule's `target`, so that the tick does",
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
    metrics: metric::METRICS,
    gpu_utilization: &["GPUUtilization", "GPUMemoryUtilization"],
    tag_scope: |target| id::endpoint_and_variant(target).map(|(_, variant)| variant),
    axes: &[Axis::Instances, Axis::Shape],
    resize,
    follow_up_axes: &[Axis::Shape],
    follow_up,
    after_rejection,
    pair: PairSupport::Written { ensure: ensure_pair, delete: delete_pair },
};

/// The part of an observation that only the calls of a variant need.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The name of the active endpoint configuration.
    pub configuration: String,
    /// The endpoint's ARN, which its tagging calls need.
    pub arn: String,
    /// When the endpoint was created, which distinguishes it from an earlier one of the same name.
    pub created: Option<Timestamp>,
    /// All that a change of type depends on; read only where the rule may change the shape.
    pub endpoint: Option<Box<Endpoint>>,
    /// The paired alarm's definition, if it exists and is ours.
    pub pair: Option<CloudwatchAlarm>,
}

impl Facts {
    fn of(observed: &Observation) -> Option<&Self> {
        let platform::Facts::Aws(facts) = &observed.facts else { return None };
        Some(facts)
    }
}

/// An alarm, from its definition. Its id is its name. Only topics and functions among its actions count: others cannot
/// invoke stepladder, and a pair must not inherit an action that scales.
pub fn observed(alarm: &CloudwatchAlarm, ours: bool) -> ObservedAlarm {
    let takes_events =
        |id: &&String| id.contains(":sns:") || id.contains(":lambda:") || !id.starts_with("arn:");
    ObservedAlarm {
        id: alarm.name.clone(),
        etag: None,
        ours,
        name: alarm.name.clone(),
        notifies: alarm.actions.iter().filter(takes_events).cloned().collect(),
        // The scheduled reconcile reads the alarms that fire.
        fires_once: false,
        scale_up: Marker::read(&alarm.description).filter(|_| ours).and_then(|marker| marker.scale_up),
        // The tick repeats it.
        repeat: None,
        measurement: alarm.measurement(None),
    }
}

/// The endpoint states in which the service takes an update.
const SETTLED: [&str; 1] = ["InService"];

/// The endpoint states that no alarm can change: failed, stopped or being deleted.
const GONE: [&str; 4] = ["Deleting", "Failed", "OutOfService", "UpdateRollbackFailed"];

/// How long a copy that was never active is kept: longer than the function that created it can run.
const ABANDONED: SignedDuration = SignedDuration::from_mins(15);

fn resize(change: Resize, calls: &mut Vec<platform::Call>, notes: &mut Vec<String>) {
    let Some((endpoint, variant)) = id::endpoint_and_variant(&change.observed.target) else { return };
    match change.axis {
        Axis::Instances => {
            let instances = change.to.instances;
            calls.extend(record_call(change, variant));
            let (endpoint, variant) = (endpoint.to_owned(), variant.to_owned());
            calls.push(Call::UpdateEndpointWeightsAndCapacities { endpoint, variant, instances }.into());
        }
        Axis::Shape => change_type(change, endpoint, variant, calls, notes),
        // A variant has no bandwidth.
        Axis::Bandwidth => {}
    }
}

/// The call that records the change in a tag: an update of the count accepts no tags.
fn record_call(change: Resize, variant: &str) -> Option<platform::Call> {
    let Facts { arn, .. } = Facts::of(change.observed)?;
    let recent = change.recent?;
    Some(Call::AddTags { arn: arn.clone(), tags: [(recent_key(variant), recent)].into() }.into())
}

fn recent_key(variant: &str) -> String {
    format!("{}/{variant}", tags::RECENT)
}

/// Adds the calls for another type: the copy, the record of the change, then the update. Each can be repeated, and only
/// the last changes the endpoint.
fn change_type(
    change: Resize,
    endpoint_name: &str,
    variant: &str,
    calls: &mut Vec<platform::Call>,
    notes: &mut Vec<String>,
) {
    let Resize { observed, to, now, ladders, recent, .. } = change;
    let Some(Facts { configuration, endpoint: Some(endpoint), .. }) = Facts::of(observed) else { return };
    let next = configuration::next(endpoint, endpoint_name, variant, &to.shape, now);
    let summary = format!("variant `{variant}` {} → {}", observed.size.shape, to.shape);
    let step = TypeChange {
        from: configuration.clone(),
        to: next.name.clone(),
        shape: to.shape.clone(),
        instances: observed.size.instances,
        at: now,
    };
    let mut tags: Tags = [notes::step_tag(variant, &step)].into();
    tags.extend(recent.map(|recent| (recent_key(variant), recent)));
    let suspended = native::suspended_tags(&endpoint.native, &observed.target);
    let suspends_native = suspended.is_some();
    tags.extend(suspended.into_iter().flatten());

    notes.extend(next.notes);
    notes.extend(native::suspended_note(&endpoint.native, &observed.target));
    notes.extend(threshold_note(&observed.size, to, ladders));
    calls.extend(next.body.map(|body| Call::CreateEndpointConfig { body, change: summary.clone() }.into()));
    calls.push(Call::AddTags { arn: endpoint.arn.clone(), tags }.into());
    if suspends_native {
        calls.push(Call::DeregisterScalableTarget { target: observed.target.to_string() }.into());
    }
    let (endpoint, configuration) = (endpoint_name.to_owned(), next.name);
    calls.push(Call::UpdateEndpoint { endpoint, configuration, change: summary }.into());
}

/// The error where a configuration with another content has a copy's name. Somebody who can foresee the copy's content
/// may have created it. The next observation knows that the name is taken.
pub fn name_taken(name: &str) -> Error {
    let message = format!("a configuration `{name}` with another content exists already, and is not used");
    Error::LostRace { operation: "aws:CreateEndpointConfig".to_owned(), message }
}

/// A note for operators: only stepladder's own alarms get new thresholds for another type.
fn threshold_note(from: &Size, to: &Size, ladders: &Ladders) -> Option<String> {
    let shape = &to.shape;
    let (from, to) = (ladders.rung(&from.rung())?, ladders.rung(&to.rung())?);
    let range_change = |what: &str, from: u32, to: u32| {
        (from != to).then(|| format!("{what} runs to {} instead of {}", 100 * to, 100 * from))
    };
    let changed: Vec<String> = [
        range_change("CPUUtilization", from.vcpus, to.vcpus),
        range_change("GPUUtilization", from.gpus, to.gpus),
    ]
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

/// The follow-up of a change of type: records its result, restores suspended native autoscaling, and deletes inactive
/// copies.
fn follow_up(settled: &SettledDeployment) -> FollowUp {
    let observed = settled.observed;
    let Some(Facts { configuration, endpoint: Some(endpoint), .. }) = Facts::of(observed) else {
        return FollowUp::default();
    };
    let Some((_, variant)) = id::endpoint_and_variant(&observed.target) else { return FollowUp::default() };
    let notes::TagChanges { add, remove, note } =
        notes::tag_changes(&endpoint.tags, variant, configuration, settled);
    let restoration = native::restore(endpoint, &observed.target, settled.suspends_native, settled.now);
    let arn = &endpoint.arn;
    // Native autoscaling is restored first. Tags are removed before others are added, because their number is limited.
    let mut calls = restoration.calls;
    if !remove.is_empty() {
        calls.push(Call::DeleteTags { arn: arn.clone(), keys: remove });
    }
    if !add.is_empty() {
        calls.push(Call::AddTags { arn: arn.clone(), tags: add });
    }
    let (unused, recent): (Vec<_>, Vec<_>) =
        endpoint.superseded.iter().partition(|(_, created)| is_unused(settled, *created));
    calls.extend(unused.iter().map(|(name, _)| Call::DeleteEndpointConfig { name: name.clone() }));
    FollowUp {
        calls: calls.into_iter().map(Into::into).collect(),
        notes: restoration.notes.into_iter().chain(note).collect(),
        is_incomplete: restoration.is_incomplete || !recent.is_empty(),
    }
}

/// Whether an inactive copy can be deleted. One that is newer than the endpoint's last change may be about to become
/// active.
fn is_unused(settled: &SettledDeployment, created: Option<Timestamp>) -> bool {
    let Some(created) = created else { return false };
    let changed_since = settled.observed.last_change.is_some_and(|changed| changed > created);
    changed_since || settled.now.duration_since(created) >= ABANDONED
}

/// Undoes the tags of a rejected change, because they are written before it.
fn after_rejection(rejected: &RejectedUpdate) -> Vec<platform::Call> {
    let RejectedUpdate { observed, of_shape, infeasible, on_record } = rejected;
    let Some(Facts { arn, .. }) = Facts::of(observed) else { return Vec::new() };
    let Some((_, variant)) = id::endpoint_and_variant(&observed.target) else { return Vec::new() };
    let mut keys = Vec::new();
    let mut tags = Tags::new();
    if *of_shape {
        keys.push(notes::step_key(variant));
        tags.extend(infeasible.map(|infeasible| notes::infeasible_tag(variant, infeasible)));
    }
    if *on_record {
        match tags::find(&observed.tags, tags::RECENT) {
            Some((_, before)) => tags.extend([(recent_key(variant), before.to_owned())]),
            None => keys.push(recent_key(variant)),
        }
    }
    let remove = (!keys.is_empty()).then(|| Call::DeleteTags { arn: arn.clone(), keys });
    let add = (!tags.is_empty()).then(|| Call::AddTags { arn: arn.clone(), tags });
    remove.into_iter().chain(add).map(Into::into).collect()
}

fn ensure_pair(request: PairRequest) -> Option<platform::Call> {
    let existing = Facts::of(request.observed).and_then(|facts| facts.pair.as_ref());
    let alarm = pair(request)?;
    (existing != Some(&alarm)).then(|| Call::PutMetricAlarm(Box::new(alarm)).into())
}

/// The paired alarm; `None` where SageMaker does not publish its metric for a variant, or the range of the metric is not
/// known.
fn pair(request: PairRequest) -> Option<CloudwatchAlarm> {
    let PairRequest { pair, observed, ladders, notifies, scale_up, .. } = request;
    let target = &observed.target;
    let metric = metric(&pair.metric)?;
    let factor = metric.factor(ladders.rung(&observed.size.rung()).as_deref())?;
    Some(CloudwatchAlarm {
        name: pair.name_for(target),
        description: [
            "Removes the capacity that stepladder added to ",
            target.as_str(),
            ": ",
            metric.name,
            " below ",
            &written(pair.below),
            if metric.range == Range::Open { "" } else { " % of its capacity" },
            " for ",
            &pair.window.as_mins().to_string(),
            " minutes.\n",
            &Marker { scale_up, ..Marker::of(target, &pair.alarm, observed) }.line(),
        ]
        .concat(),
        namespace: metric.namespace.into(),
        metric: metric.name.to_owned(),
        statistic: metric.statistic.into(),
        dimensions: dimensions(metric, target),
        period: PERIOD,
        evaluation_periods: i32::try_from(pair.window.as_mins()).unwrap_or(i32::MAX),
        threshold: pair.below * f64::from(factor),
        comparison: "LessThanThreshold".into(),
        missing_data: missing_data(metric).into(),
        actions: notifies,
        enabled: true,
        datapoints: None,
        unit: None,
        math: None,
    })
}

/// How the pair treats periods without data. A utilization that is missing never scales down, and counts as one that is
/// not low: left `missing`, CloudWatch fires on one datapoint that is low and missing ones behind it. Requests that are
/// missing were not made. Not by `FILL(metric, 0)`, which takes data that is a minute late for zero: CloudWatch treats
/// data as missing only where a longer time than the window has too little of it.
pub(super) fn missing_data(metric: &Metric) -> &'static str {
    if metric.stops_with_traffic() { BREACHING } else { "notBreaching" }
}

fn delete_pair(alarm: &ObservedAlarm, _of: Option<&Observation>) -> platform::Call {
    Call::DeleteAlarms { name: alarm.name.clone() }.into()
}

/// The last line of a paired alarm's description. It marks the alarm as ours. It also caches the shape of the endpoint
/// configuration, so that an observation need not read the configuration again while both stay the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Marker<'a> {
    /// The pair's name in the policy.
    pub pair: &'a str,
    /// The target's id.
    pub target: &'a str,
    /// The endpoint configuration that was active when the alarm was written.
    pub configuration: &'a str,
    /// The variant's shape in it.
    pub shape: &'a str,
    /// When the endpoint was created.
    pub created: Option<Timestamp>,
    /// The threshold of the scale-up alarm on the pair's metric.
    pub scale_up: Option<ScaleUpThreshold>,
}

impl<'a> Marker<'a> {
    fn of(target: &'a TargetId, pair: &'a str, observed: &'a Observation) -> Self {
        let facts = Facts::of(observed);
        let (configuration, created) =
            facts.map_or(("", None), |facts| (facts.configuration.as_str(), facts.created));
        let (target, shape) = (target.as_str(), observed.size.shape.as_str());
        Self { pair, target, configuration, shape, created, scale_up: None }
    }

    /// The line itself.
    pub fn line(&self) -> String {
        let Self { pair, target, configuration, shape, created, scale_up } = self;
        let created = created.map_or_else(String::new, |created| format!(" created={created}"));
        let scale_up = scale_up.as_ref().map_or_else(String::new, |above| format!(" above={above}"));
        let fields =
            ["stepladder: pair=", pair, " target=", target, " config=", configuration, " shape=", shape];
        fields.concat() + &created + &scale_up
    }

    /// Reads the marker of an alarm's description; `None` if it has none.
    pub fn read(description: &'a str) -> Option<Self> {
        let line = description.lines().last()?.strip_prefix("stepladder: ")?;
        let field = |name: &str| field(line, name);
        Some(Self {
            pair: field("pair")?,
            target: field("target")?,
            configuration: field("config")?,
            shape: field("shape")?,
            created: field("created").and_then(|time| time.parse().ok()),
            scale_up: field("above").and_then(ScaleUpThreshold::read),
        })
    }

    /// Whether it marks the paired alarm of this target.
    pub fn is_for(&self, target: &TargetId, pair: &str) -> bool {
        self.target == target.as_str() && self.pair == pair
    }
}

/// A field of a line of `name=value` pairs, which is the form of markers and tag records.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split(' ').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
}

/// Whether an alarm is the paired alarm of a target.
pub fn is_ours(alarm: &CloudwatchAlarm, target: &TargetId, pair: &str) -> bool {
    Marker::read(&alarm.description).is_some_and(|marker| marker.is_for(target, pair))
}
