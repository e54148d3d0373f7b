//! OCI Data Science model deployments: turns decisions into calls of the Data Science and Monitoring APIs.
//!
//! An update sends the configuration as it was read, with one setting changed, so that nothing else is reset.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::alarm::OciAlarm;
use super::call::{Call, RetryToken, Unchanged};
use super::id;
use super::mql::{self, Streams};
use crate::deployment::{Lifecycle, ObservedAlarm};
use crate::pair::{Pair, ScaleUpThreshold};
use crate::platform::target::{PairRequest, PairSupport, RejectedUpdate, Resize, Target, no_follow_up};
use crate::platform::{self, Observation, Operation};
use crate::size::Axis;
use crate::tags::{self, Tags};
use crate::target::TargetId;

pub mod configuration;
pub mod metric;
pub mod notes;

use configuration::Update;
pub use metric::NAMESPACE;
use notes::Stamp;

/// The row of this kind of target.
pub const TARGET: Target = Target {
    kind: id::MODEL_DEPLOYMENT,
    ids: "ocid1.datasciencemodeldeployment.*",
    is_ticked: false,
    at_its_time: "for an OCI deployment, list it in `[oci]` and run `stepladder provision`",
    settled: &SETTLED,
    gone: &GONE,
    deleted: &["DELETING", "DELETED"],
    reads: &[
        Operation::new("oci:GetModelDeployment", &["manage data-science-model-deployments"]),
        // Reading an alarm needs the permission to read its metric.
        Operation::new("oci:GetAlarm", &["manage alarms", "read metrics"]),
        Operation::new("oci:ListAlarms", &["manage alarms"]),
        Operation::new("oci:ListWorkRequests", &["read data-science-work-requests"]),
        Operation::new("oci:SummarizeMetricsData", &["read metrics"]),
    ],
    utilization: ["CpuUtilization", "MemoryUtilization"],
    metrics: metric::METRICS,
    gpu_utilization: &["GPUCoreUtilization"],
    tag_scope: |_| None,
    axes: &[Axis::Instances, Axis::Shape, Axis::Bandwidth],
    resize,
    follow_up_axes: &[],
    follow_up: no_follow_up,
    after_rejection,
    pair: PairSupport::Written { ensure: ensure_pair, delete: delete_pair },
};

/// The part of an observation that only the calls of a model deployment need.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The deployment's etag, for `if-match`.
    pub etag: String,
    /// Its compartment. A new paired alarm is created here if the firing alarm cannot be read.
    pub compartment: String,
    /// `modelDeploymentConfigurationDetails` as it was read. An update changes one setting of it.
    pub configuration: Arc<Value>,
    /// Its freeform tags. An update replaces all of them.
    pub tags: Arc<Tags>,
    /// The definition of the alarm that fired, if it could be read.
    pub alarm: Option<OciAlarm>,
    /// The definition of the paired alarm, if it exists.
    pub pair: Option<OciAlarm>,
}

impl Facts {
    fn of(observed: &Observation) -> Option<&Self> {
        let platform::Facts::Oci(facts) = &observed.facts else { return None };
        Some(facts)
    }
}

/// An alarm, from its definition. It only notifies topics.
pub fn observed(id: &str, etag: Option<String>, alarm: &OciAlarm, ours: bool) -> ObservedAlarm {
    ObservedAlarm {
        id: id.to_owned(),
        etag,
        ours,
        name: alarm.name.clone(),
        notifies: alarm.destinations.clone(),
        fires_once: alarm.repeat.is_none(),
        scale_up: alarm.tags.get(TAG_SCALE_UP).filter(|_| ours).and_then(|text| ScaleUpThreshold::read(text)),
        repeat: alarm.repeat.as_deref().and_then(|repeat| repeat.parse().ok()),
        measurement: mql::measurement(&alarm.query, Streams::OfInstances),
    }
}

/// The prefix of every freeform tag that stepladder writes.
pub const TAG_PREFIX: &str = tags::PREFIX;
/// The freeform tags that mark an alarm as ours, with its target and its pair.
pub const TAG_TARGET: &str = "stepladder:target";
/// See [`TAG_TARGET`].
pub const TAG_PAIR: &str = "stepladder:pair";
/// The freeform tag of a paired alarm that records the threshold of the scale-up alarm.
pub const TAG_SCALE_UP: &str = "stepladder:above";
/// The freeform tag of a deployment that records when its last change was requested, and to which shape.
pub const TAG_CHANGED: &str = "stepladder:changed";
/// The freeform tag of a deployment that records an infeasible shape.
pub const TAG_INFEASIBLE: &str = "stepladder:infeasible";

/// The beginnings of refusals that are not about the shape.
const NOT_THE_SHAPE: [&str; 3] = ["401 ", "403 ", "409 "];

/// The lifecycle states in which the service accepts an update. See the reference of `UpdateModelDeployment`.
const SETTLED: [&str; 2] = ["ACTIVE", "NEEDS_ATTENTION"];

/// The lifecycle states that no alarm can change: failed, stopped or being deleted.
const GONE: [&str; 4] = ["DELETING", "DELETED", "FAILED", "INACTIVE"];

fn resize(change: Resize, calls: &mut Vec<platform::Call>, _notes: &mut Vec<String>) {
    let Resize { observed, axis, to, recent, now, .. } = change;
    let Some(Facts { etag, configuration, tags, .. }) = Facts::of(observed) else { return };
    let Some(configuration) = Update::to(configuration, axis, to) else { return };
    let shape = (axis == Axis::Shape).then(|| to.rung().into_owned());
    let update = Call::UpdateModelDeployment {
        id: observed.target.to_string(),
        if_match: etag.clone(),
        configuration,
        stamp: Stamp::of(tags, &observed.infeasible, shape, now, recent),
    };
    calls.push(update.into());
}

/// Records an infeasible shape. Other rejected updates need no follow-up, because they have changed nothing.
fn after_rejection(rejected: &RejectedUpdate) -> Vec<platform::Call> {
    let RejectedUpdate { observed, infeasible, .. } = rejected;
    let (Some(Facts { tags, .. }), Some(infeasible)) = (Facts::of(observed), infeasible) else {
        return Vec::new();
    };
    // A missing permission or a conflict is no evidence about the shape.
    if NOT_THE_SHAPE.iter().any(|status| infeasible.why.starts_with(status)) {
        return Vec::new();
    }
    let mut tags = Tags::clone(tags);
    tags.extend([notes::infeasible_tag(infeasible)]);
    vec![Call::TagModelDeployment { id: observed.target.to_string(), tags }.into()]
}

fn ensure_pair(request: PairRequest) -> Option<platform::Call> {
    let PairRequest { pair, observed, fired, .. } = request;
    let alarm = pair_alarm(request)?;
    let existing = observed.pair.as_ref().filter(|pair| pair.ours);
    let definition = Facts::of(observed).and_then(|facts| facts.pair.as_ref());
    match existing {
        Some(pair) if definition.is_some_and(|found| is_up_to_date(found, pair.etag.is_some(), &alarm)) => {
            None
        }
        Some(ObservedAlarm { id, etag, .. }) => {
            Some(Call::UpdateAlarm { id: id.clone(), if_match: etag.clone(), alarm: Box::new(alarm) }.into())
        }
        // A concurrent change creates the alarm before it sends its update, perhaps after this observation.
        None if observed.lifecycle != Lifecycle::Settled => None,
        None => {
            let [retry_token, next_token] = retry_tokens(pair, observed, fired);
            Some(Call::CreateAlarm { alarm: Box::new(alarm), retry_token, next_token }.into())
        }
    }
}

/// Whether an alarm has the desired definition. One from a list is incomplete: it has no etag and lacks some members.
fn is_up_to_date(found: &OciAlarm, is_complete: bool, desired: &OciAlarm) -> bool {
    let mut found = found.clone();
    if !is_complete {
        found.repeat.clone_from(&desired.repeat);
        found.pending.clone_from(&desired.pending);
        found.body.clone_from(&desired.body);
    }
    found.is_equivalent(desired)
}

/// The paired alarm as the policy defines it. It is grouped over instances, because one idle replica is not an idle
/// deployment. A new pair takes compartments and severity from the firing alarm; an existing pair keeps them. `None` where
/// the metric is not published for a model deployment.
fn pair_alarm(request: PairRequest) -> Option<OciAlarm> {
    let PairRequest { pair, observed, notifies, scale_up, .. } = request;
    let metric = metric::metric(&pair.metric)?;
    let facts = Facts::of(observed);
    let existing = facts.and_then(|facts| facts.pair.as_ref());
    let template = existing.or(facts.and_then(|facts| facts.alarm.as_ref()));
    let home = facts.map_or("", |facts| facts.compartment.as_str());
    let target = &observed.target;
    // An operator's own tags stay.
    let mut tags = existing.map(|alarm| alarm.tags.clone()).unwrap_or_default();
    tags.extend(marker(target, &pair.alarm));
    tags.extend(scale_up.map(|above| (TAG_SCALE_UP.to_owned(), above.to_string())));
    Some(OciAlarm {
        name: pair.alarm.clone(),
        compartment: template.map_or(home, |alarm| &alarm.compartment).to_owned(),
        metric_compartment: template.map_or(home, |alarm| &alarm.metric_compartment).to_owned(),
        namespace: NAMESPACE.into(),
        query: metric::low_query(metric, pair.window, target, pair.below),
        severity: template.map_or("INFO".into(), |alarm| alarm.severity.clone()),
        destinations: notifies,
        repeat: Some(["PT", &pair.repeat.as_mins().to_string(), "M"].concat()),
        // The query's interval already delays the alarm, so the pending duration is Monitoring's minimum.
        pending: Some("PT1M".into()),
        enabled: true,
        body: Some(["Removes the capacity that stepladder added to ", target.as_str(), "."].concat()),
        tags,
    })
}

/// An interval of a query: `1m` to `60m`, `1h` to `24h`, `1d`.
/// See <https://docs.oracle.com/en-us/iaas/Content/Monitoring/Reference/mql.htm>.
pub fn interval(window: SignedDuration) -> String {
    match window.as_mins() {
        minutes if minutes <= 60 => minutes.to_string() + "m",
        minutes => (minutes / 60).to_string() + "h",
    }
}

/// The tags that mark the paired alarm of a target.
pub fn marker(target: &TargetId, pair: &str) -> [(String, String); 2] {
    [(TAG_TARGET, target.as_str()), (TAG_PAIR, pair)].map(|(key, value)| (key.to_owned(), value.to_owned()))
}

/// Whether an alarm is the paired alarm of a target: its tags decide, never its name. Anybody who may tag an alarm
/// could mark any alarm as stepladder's, to have it overwritten or deleted. So it must also be about model deployments,
/// as every pair is.
pub fn is_ours(alarm: &OciAlarm, target: &TargetId, pair: &str) -> bool {
    alarm.namespace.as_ref() == NAMESPACE
        && marker(target, pair).iter().all(|(key, value)| alarm.tags.get(key) == Some(value))
}

/// The tokens of the call that creates a pair. All observations of the deployment in its current state must create one
/// alarm, so the etag is part of the first. If its alarm has been deleted since, the service refuses that token for a
/// day, so the second depends on the event, too.
fn retry_tokens(pair: &Pair, observed: &Observation, fired: Option<Timestamp>) -> [RetryToken; 2] {
    let token = RetryToken::of((observed.target.as_str(), &pair.alarm, etag(observed)));
    [token, RetryToken::of((token, fired.unwrap_or_default()))]
}

fn etag(observed: &Observation) -> &str {
    Facts::of(observed).map_or("", |facts| facts.etag.as_str())
}

fn delete_pair(alarm: &ObservedAlarm, observed: Option<&Observation>) -> platform::Call {
    let unless_changed = observed
        .map(|observed| Unchanged { id: observed.target.to_string(), etag: etag(observed).to_owned() });
    Call::DeleteAlarm {
        unless_changed,
        id: alarm.id.clone(),
        if_match: alarm.etag.clone(),
        name: alarm.name.clone(),
    }
    .into()
}
