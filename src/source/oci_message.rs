//! The OCI Monitoring alarm message, as Notifications hands it to a function: the bare JSON.
//!
//! Versions 1.0 to 1.5, raw or pretty. A payload's shape is told by its fields, never by its title, which is free
//! text; the title is the alarm's name, which rules match, unless the alarm has a notification title of its own.

use serde_json::Value;

use super::Event;
use super::field::{malformed, moment, moment_in_millis, number, required, text};
use super::limits::{Targets, gather};
use super::{Error, MAX_TARGETS, Source};
use crate::alarm::{Alarm, AlarmName, Measurement, Transition};
use crate::platform::oci::model_deployment::NAMESPACE;
use crate::platform::oci::{id, mql};
use crate::target::TargetId;

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
    // Values beside the entries can only be told apart when there is one entry.
    let shared_values = if entries.len() == 1 { payload.get("metricValues") } else { None };
    let at =
        moment_in_millis(payload.get("timestampEpochMillis")).or_else(|| moment(payload.get("timestamp")));
    gather(entries, |entry| {
        if !entry.is_object() {
            return Err(malformed(SHAPE, "alarmMetaData", ENTRIES, Some(entry)));
        }
        let Named { targets, others, rejected } = named(entry)?;
        let alarm = Alarm {
            id: text(entry, &["id"]).unwrap_or_default().to_owned(),
            name: name.clone(),
            source: SOURCE.name,
            transition: if is_ok(entry) && transition.is_firing() { Transition::Cleared } else { transition },
            muted: false,
            targets: targets.into_vec(),
            unknown_targets: others,
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

/// What the message says has happened. `RESET` says that the metric has gone missing, not that all is well.
fn transition(payload: &Value) -> Result<Transition, Error> {
    const TYPES: &str = "`OK_TO_FIRING`, `REPEAT`, `FIRING_TO_OK` or `RESET`";
    let written = required(SHAPE, payload, "type", TYPES)?;
    match written.to_ascii_uppercase().as_str() {
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

/// What one entry is about.
#[derive(Default)]
struct Named {
    targets: Targets,
    /// Resources that are no deployments.
    others: Vec<String>,
    /// What stood where an id should.
    rejected: Vec<Error>,
}

/// What one entry names. An unusable id beside usable ones leaves those alone; an entry with nothing else is an error.
fn named(entry: &Value) -> Result<Named, Error> {
    let namespace = text(entry, &["namespace"]);
    let in_query = mql::resource_ids(text(entry, &["query"]).unwrap_or_default(), MAX_TARGETS);
    let mut ids = in_dimensions(entry);
    if ids.is_empty() {
        ids.clone_from(&in_query);
    }
    let mut named = Named::default();
    for id in ids {
        named.add(as_the_cloud_spells_it(id, &in_query), namespace)?;
    }
    match named.rejected.first() {
        Some(first) if named.targets.is_empty() && named.others.is_empty() => Err(first.clone()),
        _ => Ok(named),
    }
}

impl Named {
    fn add(&mut self, id: String, namespace: Option<&str>) -> Result<(), Error> {
        if !id::is_usable(&id) {
            let expected = "an OCID without spaces and `/`";
            let error = malformed(SHAPE, "resourceId", expected, Some(&Value::String(id)));
            // A hostile payload may hold any number of bad ids; the first of them tell enough.
            if self.rejected.len() < MAX_TARGETS && !self.rejected.contains(&error) {
                self.rejected.push(error);
            }
            return Ok(());
        }
        match identified(&id, namespace) {
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

/// Every stream's resource, in the payload's order; a grouped message has several, and several instances
/// of one deployment.
fn in_dimensions<'a>(entry: &'a Value) -> Vec<&'a str> {
    let streams = match entry.get("dimensions") {
        Some(Value::Array(streams)) => streams.as_slice(),
        Some(single) => std::slice::from_ref(single),
        None => &[],
    };
    let resource = |stream: &'a Value| {
        let mut fields = stream.as_object()?.iter();
        // `resourceId`, but `resourceID` of some services.
        fields.find(|(key, _)| key.eq_ignore_ascii_case("resourceId"))?.1.as_str()
    };
    streams.iter().filter_map(resource).map(str::trim).filter(|id| !id.is_empty()).collect()
}

/// Monitoring writes OCIDs in upper case at times, but the API only knows them in lower case. The query
/// was written by whoever made the alarm, so its spelling comes first.
fn as_the_cloud_spells_it(id: &str, in_query: &[&str]) -> String {
    let id = in_query.iter().find(|other| other.eq_ignore_ascii_case(id)).copied().unwrap_or(id);
    let shouted = id.starts_with("OCID1.") && !id.contains(|c: char| c.is_ascii_lowercase());
    if shouted { id.to_ascii_lowercase() } else { id.to_owned() }
}

/// The deployment of an id, where that is one.
fn identified(id: &str, namespace: Option<&str>) -> Option<TargetId> {
    let mut parts = id.split('.').skip(1);
    let is_deployment = match (id::is_ocid(id), namespace) {
        (_, Some(namespace)) if namespace.eq_ignore_ascii_case(NAMESPACE) => true,
        (true, _) => parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("datasciencemodeldeployment")),
        // Version 1.0 has no namespace, and a test message no OCID: nothing speaks against a deployment.
        (false, None) => true,
        (false, Some(_)) => false,
    };
    if is_deployment { id::model_deployment(id) } else { None }
}

fn measurement(entry: &Value, shared_values: Option<&Value>) -> Measurement {
    let query = text(entry, &["query"]).unwrap_or_default();
    let comparison = mql::comparison(query);
    let values = values(entry.get("metricValues").or(shared_values));
    let value = match (comparison, values.as_slice()) {
        (_, [only]) => Some(*only),
        (Some(comparison), many) => comparison.worst(many.iter().copied()),
        // Without a threshold nobody can say which of the streams matters.
        (None, _) => None,
    };
    Measurement {
        metric: mql::metric(query).map(str::to_owned),
        value,
        threshold: comparison.map(|found| found.threshold),
        side: comparison.and_then(|found| found.side.one()),
        missing: false,
        window: mql::window(query),
    }
}

/// The latest value of each stream: a list of objects with one key each, or one object with all of them.
fn values(written: Option<&Value>) -> Vec<f64> {
    let streams = match written {
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
        let shouted = "OCID1.DATASCIENCEMODELDEPLOYMENT.OC1.IAD.EXAMPLE";
        assert_eq!(
            as_the_cloud_spells_it(shouted, &["ocid1.datasciencemodeldeployment.oc1.iad.Example"]),
            "ocid1.datasciencemodeldeployment.oc1.iad.Example"
        );
        assert_eq!(as_the_cloud_spells_it(shouted, &[]), shouted.to_ascii_lowercase());
        assert_eq!(as_the_cloud_spells_it("OCID1.Mixed", &["other"]), "OCID1.Mixed");
        assert_eq!(as_the_cloud_spells_it("<YOUR_ID>", &[]), "<YOUR_ID>");
    }

    #[test]
    fn what_kind_of_thing_an_id_names() {
        let deployment =
            |id: &str, namespace| identified(id, namespace).is_some_and(|target| target.as_str() == id);
        let modeldeploy = Some("oci_datascience_modeldeploy");
        assert!(deployment("<YOUR_ID>", modeldeploy));
        assert!(deployment("<YOUR_ID>", None));
        assert!(deployment("ocid1.dataSciencemodeldeployment.oc1..x", Some("oci_computeagent")));
        assert!(!deployment("ocid1.instance.oc1..x", None));
        assert!(!deployment("ocid1.instance.oc1..x", Some("oci_computeagent")));
        assert!(!deployment("bucket", Some("oci_objectstorage")));
    }
}
