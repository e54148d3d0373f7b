//! OCI Data Science model deployments: decisions as requests of the Data Science and Monitoring APIs.
//!
//! The configuration is sent back as it was read with one leaf changed, so that nothing else is reset.

use jiff::{SignedDuration, Timestamp};

use crate::alarm::{TargetId, TargetKind};
use crate::call::{AlarmDefinition, Call, OciAlarm, RetryToken, Unchanged};
use crate::deployment::{Axis, Deployment, Facts, Lifecycle, SeenAlarm, Tags};
use crate::ladder::{Resource, Rung};
use crate::platform::target::{PairRequest, RejectedUpdate, Resize, Target, nothing_left, written};
use crate::policy::Pair;

pub mod configuration;
pub mod notes;

use configuration::Update;
use notes::Stamp;

/// Its row in the table.
pub const TARGET: Target = Target {
    kind: TargetKind::OciModelDeployment,
    settled: &SETTLED,
    gone: &GONE,
    deleted: &["DELETING", "DELETED"],
    one_at_a_time: false,
    reads: &[
        ("oci:GetModelDeployment", "manage data-science-model-deployments"),
        ("oci:GetAlarm", "manage alarms"),
        ("oci:ListAlarms", "manage alarms"),
        ("oci:ListWorkRequests", "read data-science-work-requests"),
        ("oci:SummarizeMetricsData", "read metrics"),
    ],
    utilization: ["CpuUtilization", "MemoryUtilization"],
    full,
    axes: &[Axis::Instances, Axis::Shape, Axis::Bandwidth],
    resize,
    unfinished: &[],
    finish: nothing_left,
    after_rejection,
    ensure_pair,
    delete_pair,
};

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

fn resize(change: Resize, calls: &mut Vec<Call>, _notes: &mut Vec<String>) {
    let Resize { seen, axis, to, recent, now, .. } = change;
    let Facts::OciModelDeployment { etag, configuration, tags, .. } = &seen.facts else { return };
    let Some(configuration) = Update::to(configuration, axis, to) else { return };
    calls.push(Call::OciUpdateModelDeployment {
        id: seen.target.id.clone(),
        if_match: etag.clone(),
        configuration,
        stamp: Stamp::of(tags, &seen.infeasible, (axis, to), now, recent),
    });
}

/// A shape that was refused is remembered; of what else was not accepted nothing is left.
fn after_rejection(RejectedUpdate { seen, infeasible, .. }: &RejectedUpdate) -> Vec<Call> {
    let (Facts::OciModelDeployment { tags, .. }, Some(infeasible)) = (&seen.facts, infeasible) else {
        return Vec::new();
    };
    // Of a permission, or of a conflict, the shape is not to blame.
    if NOT_THE_SHAPE.iter().any(|status| infeasible.why.starts_with(status)) {
        return Vec::new();
    }
    let mut tags = Tags::clone(tags);
    tags.extend([notes::noted(infeasible)]);
    vec![Call::OciTagModelDeployment { id: seen.target.id.clone(), tags }]
}

fn ensure_pair(context: PairRequest, standing: Option<&SeenAlarm>, _notes: &mut Vec<String>) -> Option<Call> {
    let PairRequest { pair, seen, fired, .. } = context;
    let alarm = paired(context);
    match standing {
        Some(known) if says(known, &alarm) => None,
        Some(known) => {
            Some(Call::OciUpdateAlarm { id: known.id.clone(), if_match: known.etag.clone(), alarm })
        }
        // Whoever changes the deployment now has written the alarm before, perhaps after this look at it.
        None if seen.lifecycle != Lifecycle::Settled => None,
        None => {
            let [retry_token, next_token] = retry_tokens(pair, seen, fired);
            Some(Call::OciCreateAlarm { alarm, retry_token, next_token })
        }
    }
}

/// Whether an alarm is what it should be. A list, which tells no etag, leaves some members out.
fn says(seen: &SeenAlarm, alarm: &OciAlarm) -> bool {
    let AlarmDefinition::Oci(known) = &seen.definition else { return false };
    let mut known = known.clone();
    if seen.etag.is_none() {
        known.repeat.clone_from(&alarm.repeat);
        known.pending.clone_from(&alarm.pending);
        known.body.clone_from(&alarm.body);
    }
    known.says_the_same(alarm)
}

/// The low alarm: grouped over instances, because one idle replica is not an idle deployment. Compartments
/// and severity are those of the firing alarm at first, and then stay what they are.
fn paired(context: PairRequest) -> OciAlarm {
    let PairRequest { pair, seen, notifies, .. } = context;
    let standing = seen.pair.as_ref().filter(|alarm| alarm.ours);
    let like = standing.or(seen.alarm.as_ref()).and_then(|alarm| match &alarm.definition {
        AlarmDefinition::Oci(definition) => Some(definition),
        AlarmDefinition::Cloudwatch(_) => None,
    });
    let home = match &seen.facts {
        Facts::OciModelDeployment { compartment, .. } => compartment.as_str(),
        Facts::SagemakerVariant { .. } => "",
    };
    let metric = spelled(&pair.metric);
    let target = &seen.target;
    // What an operator has tagged it with besides stays.
    let mut tags = standing.and(like).map(|alarm| alarm.tags.clone()).unwrap_or_default();
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
            &target.id,
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
        body: Some(["Takes back what stepladder added to ", &target.id, "."].concat()),
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
    [(TAG_TARGET, target.id.as_str()), (TAG_PAIR, pair)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
}

/// Whether an alarm is the paired alarm of a target: by its tags, never by its name.
pub fn is_ours(alarm: &OciAlarm, target: &TargetId, pair: &str) -> bool {
    marker(target, pair).iter().all(|(key, value)| alarm.tags.get(key) == Some(value))
}

/// Whatever sees the deployment as it is now must create one alarm, so its etag makes the token. The next token
/// is that of an event besides: one whose alarm was deleted since is refused for a day.
fn retry_tokens(pair: &Pair, seen: &Deployment, fired: Option<Timestamp>) -> [RetryToken; 2] {
    let token = RetryToken::of((&seen.target.id, &pair.alarm, etag(seen)));
    [token, RetryToken::of((token, fired.unwrap_or_default()))]
}

fn etag(seen: &Deployment) -> &str {
    match &seen.facts {
        Facts::OciModelDeployment { etag, .. } => etag,
        Facts::SagemakerVariant { .. } => "",
    }
}

fn delete_pair(seen: &SeenAlarm, of: Option<&Deployment>) -> Call {
    let unless_changed = of.map(|of| Unchanged { id: of.target.id.clone(), etag: etag(of).to_owned() });
    Call::OciDeleteAlarm {
        unless_changed,
        id: seen.id.clone(),
        if_match: seen.etag.clone(),
        name: seen.definition.name().to_owned(),
    }
}
