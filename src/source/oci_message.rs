//! The OCI Monitoring alarm message, as Notifications hands it to a function: the bare JSON.
//!
//! Versions 1.0 to 1.5, raw or pretty. A payload's shape is told by its fields, never by its title, which is free
//! text; the title is the alarm's name, which rules match, unless the alarm has a notification title of its own.

use serde_json::Value;

use super::field::{malformed, moment, moment_in_millis, number, required, text};
use super::limits::{Targets, gather};
use super::{Error, MAX_TARGETS, Source};
use crate::alarm::{Alarm, Event, Measurement, TargetId, Transition};
use crate::platform::oci::mql;

/// This shape's row.
pub(super) const SOURCE: Source = Source { name: "oci", claims, read };

const SHAPE: &str = "OCI alarm message";

/// OCI's own limit on the length of an OCID.
const MAX_ID_BYTES: usize = 255;

/// Every alarm of a message carries the title, so it has to be short. OCI stops at 255 before variables.
const MAX_TITLE_BYTES: usize = 1024;

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
        let (targets, rejected) = targets(entry)?;
        let alarm = Alarm {
            id: text(entry, &["id"]).unwrap_or_default().to_owned(),
            name: name.to_owned(),
            source: SOURCE.name,
            transition: if is_ok(entry) && transition.is_firing() { Transition::Cleared } else { transition },
            muted: false,
            targets,
            measurement: measurement(entry, shared_values),
            at,
            topic: None,
            account: None,
        };
        Ok(Event { alarms: vec![alarm], rejected, ..Event::default() })
    })
}

fn title(payload: &Value) -> Result<&str, Error> {
    const TITLE: &str = "the notification's title in at most 1024 bytes";
    let title = required(SHAPE, payload, "title", TITLE)?;
    let short = title.len() <= MAX_TITLE_BYTES;
    short.then_some(title).ok_or_else(|| malformed(SHAPE, "title", TITLE, payload.get("title")))
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

/// The deployments of one entry, and what stood where a deployment's id should. An unusable id beside
/// usable ones leaves those alone; an entry with nothing else is an error.
fn targets(entry: &Value) -> Result<(Vec<TargetId>, Vec<Error>), Error> {
    let namespace = text(entry, &["namespace"]);
    let in_query = mql::resource_ids(text(entry, &["query"]).unwrap_or_default());
    let mut ids = in_dimensions(entry);
    if ids.is_empty() {
        ids.clone_from(&in_query);
    }
    let mut targets = Targets::default();
    let mut rejected = Vec::new();
    for id in ids {
        let id = as_the_cloud_spells_it(id, &in_query);
        if is_usable(&id) {
            targets.add(identified(id, namespace))?;
        } else {
            let expected = "an OCID without spaces and `/`";
            let error = malformed(SHAPE, "resourceId", expected, Some(&Value::String(id)));
            // A hostile payload may hold any number of bad ids; the first of them tell enough.
            if rejected.len() < MAX_TARGETS && !rejected.contains(&error) {
                rejected.push(error);
            }
        }
    }
    let targets = targets.into_vec();
    match rejected.first() {
        Some(first) if targets.is_empty() => Err(first.clone()),
        _ => Ok((targets, rejected)),
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

/// The id will stand in the path of a URL and inside the quotes of a query: nothing in it may lead out.
fn is_usable(id: &str) -> bool {
    let harmless = |c: char| c.is_ascii_graphic() && !r#"/?#%\"'"#.contains(c);
    // An OCID without a region has two dots in a row, and no path can be made of that.
    let no_step_up = id != "." && (is_ocid(id) || !id.contains(".."));
    id.len() <= MAX_ID_BYTES && id.chars().all(harmless) && no_step_up
}

fn is_ocid(id: &str) -> bool {
    id.split_once('.').is_some_and(|(first, _)| first.eq_ignore_ascii_case("ocid1"))
}

fn identified(id: String, namespace: Option<&str>) -> TargetId {
    let mut parts = id.split('.').skip(1);
    let is_deployment = match (is_ocid(&id), namespace) {
        (_, Some(namespace)) if namespace.eq_ignore_ascii_case("oci_datascience_modeldeploy") => true,
        (true, _) => parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("datasciencemodeldeployment")),
        // Version 1.0 has no namespace, and a test message no OCID: nothing speaks against a deployment.
        (false, None) => true,
        (false, Some(_)) => false,
    };
    if is_deployment { TargetId::oci_model_deployment(id) } else { TargetId::unknown(id) }
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
    fn an_id_cannot_lead_out_of_a_path_or_a_query() {
        assert!(is_usable("ocid1.datasciencemodeldeployment.oc1.iad.example"));
        assert!(is_usable("ocid1.datasciencemodeldeployment.oc1..example"));
        assert!(is_usable("<YOUR_ID>"));
        assert!(is_usable(&"a".repeat(255)));
        assert!(!is_usable(&"a".repeat(256)));
        for bad in [
            "a/b", "a?b", "a#b", "a%2fb", "a b", "a\tb", "a\0b", "..", "a..b", ".", "a\\b", "a\"b", "a'b",
            "é",
        ] {
            assert!(!is_usable(bad), "{bad:?}");
        }
    }

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
            |id: &str, namespace| identified(id.to_owned(), namespace) == TargetId::oci_model_deployment(id);
        let modeldeploy = Some("oci_datascience_modeldeploy");
        assert!(deployment("<YOUR_ID>", modeldeploy));
        assert!(deployment("<YOUR_ID>", None));
        assert!(deployment("ocid1.dataSciencemodeldeployment.oc1..x", Some("oci_computeagent")));
        assert!(!deployment("ocid1.instance.oc1..x", None));
        assert!(!deployment("ocid1.instance.oc1..x", Some("oci_computeagent")));
        assert!(!deployment("bucket", Some("oci_objectstorage")));
    }
}
