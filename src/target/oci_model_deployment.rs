//! OCI Data Science model deployments: decisions as requests of the Data Science and Monitoring APIs.
//!
//! The configuration is sent back as it was read with one leaf changed, so that nothing else is reset.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{PairContext, Resize, Target, forgetful, nothing_left};
use crate::alarm::{TargetId, TargetKind};
use crate::call::{AlarmDefinition, Call, OciAlarm};
use crate::deployment::{Axis, Facts, SeenAlarm};

/// Its row in the table.
pub const TARGET: Target = Target {
    kind: TargetKind::OciModelDeployment,
    settled: &SETTLED,
    gone: &GONE,
    reads: &[
        ("oci:GetModelDeployment", "manage data-science-model-deployments"),
        ("oci:GetAlarm", "manage alarms"),
        ("oci:ListAlarms", "manage alarms"),
    ],
    resize,
    unfinished: &[],
    finish: nothing_left,
    undone: forgetful,
    keep_pair,
    delete_pair,
};

/// The namespace of a model deployment's metrics.
pub const NAMESPACE: &str = "oci_datascience_modeldeploy";

/// The freeform tags that make an alarm ours: which target it serves, and as which pair.
pub const TAG_TARGET: &str = "stepladder:target";
/// See [`TAG_TARGET`].
pub const TAG_PAIR: &str = "stepladder:pair";

/// The lifecycle states in which the service takes an update. See the reference of `UpdateModelDeployment`.
const SETTLED: [&str; 2] = ["ACTIVE", "NEEDS_ATTENTION"];

/// The lifecycle states out of which no alarm brings a deployment.
const GONE: [&str; 4] = ["DELETING", "DELETED", "FAILED", "INACTIVE"];

/// Where the count stands in a deployment's configuration.
pub const COUNT: &str = "/modelConfigurationDetails/scalingPolicy/instanceCount";
/// Where the shape stands in a deployment's configuration.
pub const SHAPE: &str = "/modelConfigurationDetails/instanceConfiguration/instanceShapeName";

/// Metric names as this namespace spells them; policies may write them in either cloud's way.
const METRICS: [&str; 3] = ["CpuUtilization", "MemoryUtilization", "PredictBandwidth"];

fn resize(change: &Resize, _notes: &mut Vec<String>) -> Vec<Call> {
    let Resize { seen, axis, to, .. } = change;
    let Facts::OciModelDeployment { etag, configuration, .. } = &seen.facts else { return Vec::new() };
    let (leaf, value, change) = match axis {
        Axis::Instances => {
            (COUNT, json!(to.instances), format!("instanceCount {} → {}", seen.size.instances, to.instances))
        }
        Axis::Shape => {
            (SHAPE, json!(to.shape), format!("instanceShapeName {} → {}", seen.size.shape, to.shape))
        }
    };
    let mut changed = updatable(configuration);
    if let Some(place) = changed.pointer_mut(leaf) {
        *place = value;
    }
    vec![Call::OciUpdateModelDeployment {
        id: seen.target.id.clone(),
        if_match: etag.clone(),
        body: json!({ "modelDeploymentConfigurationDetails": changed }),
        change,
    }]
}

fn keep_pair(context: &PairContext, standing: Option<&SeenAlarm>, _notes: &mut Vec<String>) -> Option<Call> {
    let alarm = pair(context);
    match standing {
        Some(seen) if seen.definition == AlarmDefinition::Oci(alarm.clone()) => None,
        Some(seen) => Some(Call::OciUpdateAlarm { id: seen.id.clone(), if_match: seen.etag.clone(), alarm }),
        None => Some(Call::OciCreateAlarm { retry_token: retry_token(context), alarm }),
    }
}

/// The low alarm: grouped over instances, because one idle replica is not an idle deployment. Compartments
/// and severity are those of the firing alarm at first, and then stay what they are.
fn pair(context: &PairContext) -> OciAlarm {
    let PairContext { pair, seen, notifies, .. } = context;
    let standing = seen.pair.as_ref().filter(|alarm| alarm.ours);
    let like = standing.or(seen.alarm.as_ref()).and_then(|alarm| match &alarm.definition {
        AlarmDefinition::Oci(definition) => Some(definition),
        AlarmDefinition::Cloudwatch(_) => None,
    });
    let home = match &seen.facts {
        Facts::OciModelDeployment { compartment, .. } => compartment.as_str(),
        Facts::SagemakerVariant { .. } => "",
    };
    let metric = METRICS
        .iter()
        .find(|known| known.eq_ignore_ascii_case(&pair.metric))
        .copied()
        .unwrap_or(&pair.metric);
    let target = &seen.target;
    OciAlarm {
        name: pair.alarm.clone(),
        compartment: like.map_or(home, |alarm| &alarm.compartment).to_owned(),
        metric_compartment: like.map_or(home, |alarm| &alarm.metric_compartment).to_owned(),
        namespace: NAMESPACE.to_owned(),
        query: format!(
            "{metric}[{}]{{resourceId = \"{target}\"}}.groupBy(resourceId).mean() < {}",
            interval(pair.window),
            pair.below
        ),
        severity: like.map_or("INFO", |alarm| &alarm.severity).to_owned(),
        destinations: notifies.clone(),
        pending: None,
        repeat: Some(format!("PT{}M", pair.repeat.as_mins())),
        body: Some(format!("Takes back what stepladder added to {target}.")),
        tags: marker(target, &pair.alarm),
    }
}

/// An interval of a query: `1m` to `60m`, `1h` to `24h`, `1d`.
/// See <https://docs.oracle.com/en-us/iaas/Content/Monitoring/Reference/mql.htm>.
pub fn interval(window: SignedDuration) -> String {
    match window.as_mins() {
        minutes if minutes <= 60 => format!("{minutes}m"),
        minutes => format!("{}h", minutes / 60),
    }
}

/// The tags of the paired alarm of a target.
pub fn marker(target: &TargetId, pair: &str) -> BTreeMap<String, String> {
    [(TAG_TARGET, target.id.as_str()), (TAG_PAIR, pair)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// Whether an alarm is the paired alarm of a target: by its tags, never by its name.
pub fn is_ours(alarm: &OciAlarm, target: &TargetId, pair: &str) -> bool {
    marker(target, pair).iter().all(|(key, value)| alarm.tags.get(key) == Some(value))
}

/// Two deliveries of one event must create one alarm, so what they have in common makes the token: when the
/// alarm fired, and the etag of the deployment that they see. Another event must have another token: one
/// whose alarm was deleted since is refused for a day.
fn retry_token(context: &PairContext) -> String {
    let PairContext { pair, seen, fired, .. } = context;
    let etag = match &seen.facts {
        Facts::OciModelDeployment { etag, .. } => etag.as_str(),
        Facts::SagemakerVariant { .. } => "",
    };
    // Equal in all processes of one build, which is as far as deliveries of one event are spread.
    let mut hasher = DefaultHasher::new();
    (&seen.target.id, &pair.alarm, etag, fired).hash(&mut hasher);
    format!("stepladder-{:016x}", hasher.finish())
}

fn delete_pair(seen: &SeenAlarm) -> Call {
    Call::OciDeleteAlarm {
        id: seen.id.clone(),
        if_match: seen.etag.clone(),
        name: seen.definition.name().to_owned(),
    }
}

/// What of a deployment's description is kept for its updates.
pub fn updatable(configuration: &Value) -> Value {
    json!({
        "deploymentType": configuration.get("deploymentType"),
        "modelConfigurationDetails": configuration.get("modelConfigurationDetails"),
    })
}
