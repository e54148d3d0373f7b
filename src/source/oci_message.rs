//! The OCI Monitoring alarm message, as Notifications sends it to a function: JSON without an envelope.
//!
//! Versions 1.0 to 1.5, raw or pretty. The fields identify the shape, never the title, which is free text. The title is
//! the alarm's name, which rules match, unless the alarm has a notification title of its own. The body is the alarm's own
//! text, in which it may name its target.

use serde_json::Value;

use super::Event;
use super::field::{malformed, moment, moment_in_millis, number, required, text};
use super::limits::{Targets, gather};
use super::{Error, MAX_TARGETS, Source, dimensions};
use crate::alarm::{Alarm, AlarmName, Measurement, Reported, Subject, Transition};
use crate::platform::oci::id;
use crate::platform::oci::model_deployment::NAMESPACE;
use crate::platform::oci::mql::{self, Streams};
use crate::target::{TargetId, described_ids};

/// This shape's row.
pub(super) const SOURCE: Source = Source { name: "oci", claims, read };

const SHAPE: &str = "OCI alarm message";

fn claims(payload: &Value) -> bool {
    let has = |key: &str| payload.get(key).is_some();
    has("alarmMetaData") || (has("type") && (has("dedupeKey") || has("dedupekey")))
}

fn read(payload: &Value) -> Result<Event, Error> {
    const ENTRIES: &str = "a list with an entry per alarm";
    let transition = transition(payload)?;
    let name = title(payload)?;
    let wrong = || malformed(SHAPE, "alarmMetaData", ENTRIES, payload.get("alarmMetaData"));
    let entries = payload.get("alarmMetaData").and_then(Value::as_array).filter(|all| !all.is_empty());
    let entries = entries.ok_or_else(wrong)?;
    // Values outside the entries belong to an entry only if there is exactly one.
    let shared_values = if entries.len() == 1 { payload.get("metricValues") } else { None };
    let at =
        moment_in_millis(payload.get("timestampEpochMillis")).or_else(|| moment(payload.get("timestamp")));
    let described = text(payload, &["body"]).and_then(|body| described_ids(body).next()).and_then(id::read);
    gather(entries, |entry| {
        if !entry.is_object() {
            return Err(malformed(SHAPE, "alarmMetaData", ENTRIES, Some(entry)));
        }
        let NamedResources { targets, others, rejected } = named_resources(entry, described.as_ref())?;
        let alarm = Alarm {
            id: text(entry, &["id"]).unwrap_or_default().to_owned(),
            name: name.clone(),
            is_titled: true,
            source: SOURCE.name,
            transition: if is_ok(entry) && transition.is_firing() { Transition::Cleared } else { transition },
            muted: false,
            targets: targets.into_vec(),
            unknown_targets: others,
            subject: Subject { dimensions: dimensions::all(streams(entry)), foreign_account: None },
            measurement: measurement(entry, shared_values),
            at,
            evidence: at.into(),
            topic: None,
            account: None,
        };
        Ok(Event { alarms: vec![alarm], rejected, ..Event::default() })
    })
}

fn title(payload: &Value) -> Result<AlarmName, Error> {
    const TITLE: &str = "the notification's title in at most 1024 bytes";
    let title = required(SHAPE, payload, "title", TITLE)?;
    id::alarm_name(title).ok_or_else(|| malformed(SHAPE, "title", TITLE, payload.get("title")))
}

/// The transition that the message reports. `RESET` means that the metric is missing, not that all is well.
fn transition(payload: &Value) -> Result<Transition, Error> {
    const TYPES: &str = "`OK_TO_FIRING`, `REPEAT`, `FIRING_TO_OK` or `RESET`";
    let kind = required(SHAPE, payload, "type", TYPES)?;
    match kind.to_ascii_uppercase().as_str() {
        "OK_TO_FIRING" => Ok(Transition::Firing),
        "REPEAT" => Ok(Transition::Repeat),
        "FIRING_TO_OK" => Ok(Transition::Cleared),
        "RESET" => Ok(Transition::NoData),
        _ => Err(malformed(SHAPE, "type", TYPES, payload.get("type"))),
    }
}

fn is_ok(entry: &Value) -> bool {
    text(entry, &["status"]).is_some_and(|status| status.eq_ignore_ascii_case("OK"))
}

/// The resources that one entry names.
#[derive(Default)]
struct NamedResources {
    targets: Targets,
    /// Resources that are not deployments.
    others: Vec<String>,
    /// Errors for ids that cannot be used.
    rejected: Vec<Error>,
}

/// The resources that one entry names. An unusable id is rejected alone; an entry with unusable ids only is an error.
/// Where no deployment is among them, the one that the alarm's body describes is meant.
fn named_resources(entry: &Value, described: Option<&TargetId>) -> Result<NamedResources, Error> {
    let namespace = text(entry, &["namespace"]);
    let in_query = mql::resource_ids(text(entry, &["query"]).unwrap_or_default(), MAX_TARGETS);
    let mut ids = in_dimensions(entry);
    if ids.is_empty() {
        ids.clone_from(&in_query);
    }
    let mut named = NamedResources::default();
    for id in ids {
        named.add(as_the_api_spells_it(id, &in_query), namespace)?;
    }
    if let Some(described) = described.filter(|_| named.targets.is_empty()) {
        named = NamedResources::default();
        named.targets.add(described.clone())?;
    }
    match named.rejected.first() {
        Some(first) if named.targets.is_empty() && named.others.is_empty() => Err(first.clone()),
        _ => Ok(named),
    }
}

impl NamedResources {
    fn add(&mut self, id: String, namespace: Option<&str>) -> Result<(), Error> {
        if !id::is_usable(&id) {
            let expected = "an OCID without spaces and `/`";
            let error = malformed(SHAPE, "resourceId", expected, Some(&Value::String(id)));
            // A hostile payload may hold any number of bad ids; the first few are enough for a diagnosis.
            if self.rejected.len() < MAX_TARGETS && !self.rejected.contains(&error) {
                self.rejected.push(error);
            }
            return Ok(());
        }
        match deployment_of(&id, namespace) {
            Some(target) => self.targets.add(target),
            None if self.others.contains(&id) => Ok(()),
            None if self.others.len() == MAX_TARGETS => {
                Err(Error::TooManyTargets { found: MAX_TARGETS + 1, limit: MAX_TARGETS })
            }
            None => {
                self.others.push(id);
                Ok(())
            }
        }
    }
}

/// Every stream's resource, in the payload's order. A grouped message has several, even several instances of one
/// deployment.
fn in_dimensions<'a>(entry: &'a Value) -> Vec<&'a str> {
    let resource = |stream: &'a Value| {
        let mut fields = stream.as_object()?.iter();
        // Most services write `resourceId`, some write `resourceID`.
        fields.find(|(key, _)| key.eq_ignore_ascii_case("resourceId"))?.1.as_str()
    };
    streams(entry).iter().filter_map(resource).map(str::trim).filter(|id| !id.is_empty()).collect()
}

/// The dimensions of every stream.
fn streams(entry: &Value) -> &[Value] {
    match entry.get("dimensions") {
        Some(Value::Array(streams)) => streams.as_slice(),
        Some(single) => std::slice::from_ref(single),
        None => &[],
    }
}

/// The OCID as the API spells it. Monitoring sometimes writes OCIDs in upper case, but the API accepts lower case only.
/// The query is the alarm's author's own text, so its spelling comes first.
fn as_the_api_spells_it(id: &str, in_query: &[&str]) -> String {
    let id = in_query.iter().find(|other| other.eq_ignore_ascii_case(id)).copied().unwrap_or(id);
    let upper_case = id.starts_with("OCID1.") && !id.contains(|c: char| c.is_ascii_lowercase());
    if upper_case { id.to_ascii_lowercase() } else { id.to_owned() }
}

/// The model deployment that an id names; `None` for any other resource.
fn deployment_of(id: &str, namespace: Option<&str>) -> Option<TargetId> {
    let is_deployment = match (id::is_ocid(id), namespace) {
        (_, Some(namespace)) if namespace.eq_ignore_ascii_case(NAMESPACE) => true,
        (true, _) => id::names_model_deployment(id),
        // Version 1.0 has no namespace, and a test message no OCID: either may be about a deployment.
        (false, None) => true,
        (false, Some(_)) => false,
    };
    if is_deployment { id::model_deployment(id) } else { None }
}

fn measurement(entry: &Value, shared_values: Option<&Value>) -> Measurement {
    let query = text(entry, &["query"]).unwrap_or_default();
    let values = values(entry.get("metricValues").or(shared_values));
    let only = match values.as_slice() {
        [only] => Some(*only),
        _ => None,
    };
    let streams = if names_instances(entry) { Streams::OfInstances } else { Streams::OfDeployments };
    let defined = mql::measurement(query, streams).with_value(only);
    // Without a threshold, no stream is known to be the worst. Without a query, it is unknown what the value is not.
    let worst = mql::comparison(query).and_then(|comparison| comparison.worst(values.iter().copied()));
    let shown = worst.or(only.filter(|_| query.is_empty()));
    Measurement { reported: Reported { value: shown, ..defined.reported }, ..defined }
}

/// Whether the streams of an entry are those of single instances.
fn names_instances(entry: &Value) -> bool {
    let is_instance = |stream: &Value| {
        stream
            .as_object()
            .is_some_and(|stream| stream.keys().any(|key| key.eq_ignore_ascii_case("instanceId")))
    };
    streams(entry).iter().any(is_instance)
}

/// The latest value of each stream: a list of objects with one key each, or one object with all of them.
fn values(metric_values: Option<&Value>) -> Vec<f64> {
    let streams = match metric_values {
        Some(Value::Array(streams)) => streams.as_slice(),
        Some(single) => std::slice::from_ref(single),
        None => &[],
    };
    streams
        .iter()
        .filter_map(Value::as_object)
        .flat_map(|stream| stream.values().filter_map(number))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spelling_of_the_query_comes_first() {
        let upper_case = "OCID1.DATASCIENCEMODELDEPLOYMENT.OC1.IAD.EXAMPLE";
        assert_eq!(
            as_the_api_spells_it(upper_case, &["ocid1.datasciencemodeldeployment.oc1.iad.Example"]),
            "ocid1.datasciencemodeldeployment.oc1.iad.Example"
        );
        assert_eq!(as_the_api_spells_it(upper_case, &[]), upper_case.to_ascii_lowercase());
        assert_eq!(as_the_api_spells_it("OCID1.Mixed", &["other"]), "OCID1.Mixed");
        assert_eq!(as_the_api_spells_it("<YOUR_ID>", &[]), "<YOUR_ID>");
    }

    #[test]
    fn an_id_names_a_deployment_or_another_resource() {
        let deployment =
            |id: &str, namespace| deployment_of(id, namespace).is_some_and(|target| target.as_str() == id);
        let modeldeploy = Some("oci_datascience_modeldeploy");
        assert!(deployment("<YOUR_ID>", modeldeploy));
        assert!(deployment("<YOUR_ID>", None));
        assert!(deployment("ocid1.dataSciencemodeldeployment.oc1..x", Some("oci_computeagent")));
        assert!(!deployment("ocid1.instance.oc1..x", None));
        assert!(!deployment("ocid1.instance.oc1..x", Some("oci_computeagent")));
        assert!(!deployment("bucket", Some("oci_objectstorage")));
    }
}
