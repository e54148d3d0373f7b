//! OCI Data Science model deployments: decisions as requests of the Data Science and Monitoring APIs.
//!
//! The configuration is sent back as it was read with one leaf changed, so that nothing else is reset.

use jiff::{SignedDuration, Timestamp};

use std::sync::Arc;

use serde_json::Value;

use super::alarm::OciAlarm;
use super::call::{Call, RetryToken, Unchanged};
use super::{id, mql};
use crate::deployment::{Lifecycle, ObservedAlarm};
use crate::ladder::{Resource, Rung};
use crate::pair::Pair;
use crate::platform::target::{
    PairRequest, PairSupport, RejectedUpdate, Resize, Target, no_follow_up, written,
};
use crate::platform::{self, Observation, Operation};
use crate::size::Axis;
use crate::tags::Tags;
use crate::target::TargetId;

pub mod configuration;
pub mod notes;

use configuration::Update;
use notes::Stamp;

/// Its row in the table.
pub const TARGET: Target = Target {
    kind: id::MODEL_DEPLOYMENT,
    settled: &SETTLED,
    gone: &GONE,
    deleted: &["DELETING", "DELETED"],
    reads: &[
        Operation::new("oci:GetModelDeployment", &["manage data-science-model-deployments"]),
        // An alarm shows what it measures: who reads one must be allowed to read its metric.
        Operation::new("oci:GetAlarm", &["manage alarms", "read metrics"]),
        Operation::new("oci:ListAlarms", &["manage alarms"]),
        Operation::new("oci:ListWorkRequests", &["read data-science-work-requests"]),
        Operation::new("oci:SummarizeMetricsData", &["read metrics"]),
    ],
    utilization: ["CpuUtilization", "MemoryUtilization"],
    full,
    tag_scope: |_| None,
    axes: &[Axis::Instances, Axis::Shape, Axis::Bandwidth],
    resize,
    follow_up_axes: &[],
    follow_up: no_follow_up,
    after_rejection,
    pair: PairSupport::Written { ensure: ensure_pair, delete: delete_pair },
};

/// What only a model deployment needs of an observation, for its calls.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// For `if-match`.
    pub etag: String,
    /// Where it lives; its paired alarm lives there when the firing alarm cannot be read.
    pub compartment: String,
    /// `modelDeploymentConfigurationDetails` as it was read. An update is this with one leaf changed.
    pub configuration: Arc<Value>,
    /// Its freeform tags. An update writes them whole.
    pub tags: Arc<Tags>,
    /// The alarm that fired as it is set, where it could be read.
    pub alarm: Option<OciAlarm>,
    /// The paired alarm as it is set.
    pub pair: Option<OciAlarm>,
}

impl Facts {
    fn of(observed: &Observation) -> Option<&Self> {
        let platform::Facts::Oci(facts) = &observed.facts else { return None };
        Some(facts)
    }
}

/// An alarm as Monitoring describes it. It notifies topics and nothing else.
pub fn observed(id: &str, etag: Option<String>, alarm: &OciAlarm, ours: bool) -> ObservedAlarm {
    ObservedAlarm {
        id: id.to_owned(),
        etag,
        ours,
        name: alarm.name.clone(),
        notifies: alarm.destinations.clone(),
        window: mql::window(&alarm.query),
    }
}

/// The namespace of a model deployment's metrics.
pub const NAMESPACE: &str = "oci_datascience_modeldeploy";

/// How every freeform tag of ours begins.
pub const TAG_PREFIX: &str = "stepladder:";
/// The freeform tags that make an alarm ours: which target it serves, and as which pair.
pub const TAG_TARGET: &str = "stepladder:target";
/// See [`TAG_TARGET`].
pub const TAG_PAIR: &str = "stepladder:pair";
/// The freeform tag of a deployment that says when its last change was asked for, and to which shape.
pub const TAG_CHANGED: &str = "stepladder:changed";
/// The freeform tag of a deployment that says which shape could not be had.
pub const TAG_INFEASIBLE: &str = "stepladder:infeasible";

/// How refusals begin that say nothing of the shape.
const NOT_THE_SHAPE: [&str; 3] = ["401 ", "403 ", "409 "];

/// The lifecycle states in which the service takes an update. See the reference of `UpdateModelDeployment`.
const SETTLED: [&str; 2] = ["ACTIVE", "NEEDS_ATTENTION"];

/// The lifecycle states out of which no alarm brings a deployment.
const GONE: [&str; 4] = ["DELETING", "DELETED", "FAILED", "INACTIVE"];

/// Metric names as this namespace spells them; policies may write them in either cloud's way.
const METRICS: [&str; 3] = ["CpuUtilization", "MemoryUtilization", "PredictBandwidth"];

/// The service's utilizations are percentages, of any shape.
fn full(metric: &str, _rung: Option<&Rung>) -> Option<f64> {
    Resource::of(metric).map(|_| 100.0)
}

fn resize(change: Resize, calls: &mut Vec<platform::Call>, _notes: &mut Vec<String>) {
    let Resize { observed, axis, to, recent, now, .. } = change;
    let Some(Facts { etag, configuration, tags, .. }) = Facts::of(observed) else { return };
    let Some(configuration) = Update::to(configuration, axis, to) else { return };
    let update = Call::UpdateModelDeployment {
        id: observed.target.to_string(),
        if_match: etag.clone(),
        configuration,
        stamp: Stamp::of(tags, &observed.infeasible, (axis, to), now, recent),
    };
    calls.push(update.into());
}

/// A shape that was refused is remembered; of what else was not accepted nothing is left.
fn after_rejection(RejectedUpdate { observed, infeasible, .. }: &RejectedUpdate) -> Vec<platform::Call> {
    let (Some(Facts { tags, .. }), Some(infeasible)) = (Facts::of(observed), infeasible) else {
        return Vec::new();
    };
    // Of a permission, or of a conflict, the shape is not to blame.
    if NOT_THE_SHAPE.iter().any(|status| infeasible.why.starts_with(status)) {
        return Vec::new();
    }
    let mut tags = Tags::clone(tags);
    tags.extend([notes::noted(infeasible)]);
    vec![Call::TagModelDeployment { id: observed.target.to_string(), tags }.into()]
}

fn ensure_pair(request: PairRequest, _notes: &mut Vec<String>) -> Option<platform::Call> {
    let PairRequest { pair, observed, fired, .. } = request;
    let alarm = paired(request);
    let existing = observed.pair.as_ref().filter(|known| known.ours);
    let set = Facts::of(observed).and_then(|facts| facts.pair.as_ref());
    match existing {
        Some(known) if set.is_some_and(|set| is_as_wanted(set, known.etag.is_some(), &alarm)) => None,
        Some(ObservedAlarm { id, etag, .. }) => {
            Some(Call::UpdateAlarm { id: id.clone(), if_match: etag.clone(), alarm }.into())
        }
        // Whoever changes the deployment now has written the alarm before, perhaps after this observation of it.
        None if observed.lifecycle != Lifecycle::Settled => None,
        None => {
            let [retry_token, next_token] = retry_tokens(pair, observed, fired);
            Some(Call::CreateAlarm { alarm, retry_token, next_token }.into())
        }
    }
}

/// Whether an alarm is what it should be. A list, which tells no etag, leaves some members out.
fn is_as_wanted(set: &OciAlarm, is_whole: bool, alarm: &OciAlarm) -> bool {
    let mut set = set.clone();
    if !is_whole {
        set.repeat.clone_from(&alarm.repeat);
        set.pending.clone_from(&alarm.pending);
        set.body.clone_from(&alarm.body);
    }
    set.says_the_same(alarm)
}

/// The low alarm: grouped over instances, because one idle replica is not an idle deployment. Compartments
/// and severity are those of the firing alarm at first, and then stay what they are.
fn paired(request: PairRequest) -> OciAlarm {
    let PairRequest { pair, observed, notifies, .. } = request;
    let facts = Facts::of(observed);
    let existing = facts.and_then(|facts| facts.pair.as_ref());
    let like = existing.or(facts.and_then(|facts| facts.alarm.as_ref()));
    let home = facts.map_or("", |facts| facts.compartment.as_str());
    let metric = spelled(&pair.metric);
    let target = &observed.target;
    // What an operator has tagged it with besides stays.
    let mut tags = existing.map(|alarm| alarm.tags.clone()).unwrap_or_default();
    tags.extend(marker(target, &pair.alarm));
    OciAlarm {
        name: pair.alarm.clone(),
        compartment: like.map_or(home, |alarm| &alarm.compartment).to_owned(),
        metric_compartment: like.map_or(home, |alarm| &alarm.metric_compartment).to_owned(),
        namespace: NAMESPACE.into(),
        query: [
            metric,
            "[",
            &interval(pair.window),
            "]{resourceId = \"",
            target.as_str(),
            "\"}.groupBy(resourceId).mean() < ",
            &written(pair.below),
        ]
        .concat(),
        severity: like.map_or("INFO".into(), |alarm| alarm.severity.clone()),
        destinations: notifies,
        repeat: Some(["PT", &pair.repeat.as_mins().to_string(), "M"].concat()),
        // The interval of the query is what it has to wait for; Monitoring's least comes on top.
        pending: Some("PT1M".into()),
        enabled: true,
        body: Some(["Takes back what stepladder added to ", target.as_str(), "."].concat()),
        tags,
    }
}

/// A metric as its namespace spells it, where it is one of those known.
pub fn spelled(metric: &str) -> &str {
    METRICS.iter().find(|known| known.eq_ignore_ascii_case(metric)).copied().unwrap_or(metric)
}

/// An interval of a query: `1m` to `60m`, `1h` to `24h`, `1d`.
/// See <https://docs.oracle.com/en-us/iaas/Content/Monitoring/Reference/mql.htm>.
pub fn interval(window: SignedDuration) -> String {
    match window.as_mins() {
        minutes if minutes <= 60 => minutes.to_string() + "m",
        minutes => (minutes / 60).to_string() + "h",
    }
}

/// The tags of the paired alarm of a target.
pub fn marker(target: &TargetId, pair: &str) -> [(String, String); 2] {
    [(TAG_TARGET, target.as_str()), (TAG_PAIR, pair)].map(|(key, value)| (key.to_owned(), value.to_owned()))
}

/// Whether an alarm is the paired alarm of a target: by its tags, never by its name.
pub fn is_ours(alarm: &OciAlarm, target: &TargetId, pair: &str) -> bool {
    marker(target, pair).iter().all(|(key, value)| alarm.tags.get(key) == Some(value))
}

/// Whatever sees the deployment as it is now must create one alarm, so its etag makes the token. The next token
/// is that of an event besides: one whose alarm was deleted since is refused for a day.
fn retry_tokens(pair: &Pair, observed: &Observation, fired: Option<Timestamp>) -> [RetryToken; 2] {
    let token = RetryToken::of((observed.target.as_str(), &pair.alarm, etag(observed)));
    [token, RetryToken::of((token, fired.unwrap_or_default()))]
}

fn etag(observed: &Observation) -> &str {
    Facts::of(observed).map_or("", |facts| facts.etag.as_str())
}

fn delete_pair(alarm: &ObservedAlarm, of: Option<&Observation>) -> platform::Call {
    let unless_changed = of.map(|of| Unchanged { id: of.target.to_string(), etag: etag(of).to_owned() });
    Call::DeleteAlarm {
        unless_changed,
        id: alarm.id.clone(),
        if_match: alarm.etag.clone(),
        name: alarm.name.clone(),
    }
    .into()
}
