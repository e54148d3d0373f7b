//! Data Science's model deployments: read with what was last done to them, and changed.

use hyper::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::api::{Again, Api, Ask, Service, segment};
use super::told::{tags, word};
use crate::platform::Error;
use crate::platform::oci::call::Unchanged;
use crate::platform::oci::model_deployment::notes::{self, Finished};
use crate::platform::oci::model_deployment::{TAG_CHANGED, configuration};
use crate::tags::Tags;

/// A deployment as the service tells of it.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) etag: String,
    pub(super) body: Value,
}

impl Described {
    pub(super) fn word(&self, path: &str) -> &str {
        self.body.pointer(path).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn compartment(&self) -> &str {
        self.word("/compartmentId")
    }

    pub(super) fn configuration(&self) -> &Value {
        self.body.get("modelDeploymentConfigurationDetails").unwrap_or(&Value::Null)
    }

    /// How many instances there are, whatever its configuration asks for.
    pub(super) fn running(&self) -> Option<u32> {
        let count = self.body.pointer("/modelDeploymentSystemData/currentInstanceCount")?.as_u64()?;
        u32::try_from(count).ok()
    }

    pub(super) fn tags(&self) -> Tags {
        tags(&self.body)
    }
}

pub(super) async fn get(api: &Api, id: &str) -> Result<Described, Error> {
    let operation = "oci:GetModelDeployment";
    let answer = api.ask(Ask::get(operation, Service::DataScience, path(id))).await?;
    let Some(etag) = answer.etag else {
        // Without it nobody could tell whether somebody else was faster.
        let message = "the answer has no `etag`: expected one for `if-match`".to_owned();
        return Err(Error::Refused { operation: operation.to_owned(), message });
    };
    Ok(Described { etag, body: answer.body })
}

/// The states of a work request that is not over.
const UNDER_WAY: [&str; 3] = ["ACCEPTED", "IN_PROGRESS", "CANCELING"];

/// No update takes longer. A request that says so has been forgotten by the service.
const LONGEST_WORK: SignedDuration = SignedDuration::from_hours(6);

/// What is being done to a deployment, and what was done last.
#[derive(Debug, Clone, Default)]
pub(super) struct Work {
    /// The state of what is under way.
    pub(super) under_way: Option<String>,
    pub(super) finished: Option<Finished>,
}

/// What is done to a deployment, as far as that may be read: work requests take a permission of their own, and a stamp
/// takes their place.
pub(super) async fn work(api: &Api, id: &str, compartment: &str, now: Timestamp) -> Result<Work, Error> {
    let ask = Ask::get("oci:ListWorkRequests", Service::DataScience, "/workRequests")
        .query("compartmentId", compartment)
        .query("resourceId", id)
        .query("sortBy", "timeAccepted")
        .query("sortOrder", "DESC")
        .query("limit", "20");
    let listed = match api.ask(ask).await {
        Ok(answer) => answer.body,
        Err(Error::Hidden { .. } | Error::Denied { .. } | Error::NotFound { .. } | Error::Refused { .. }) => {
            return Ok(Work::default());
        }
        // What may be read is read: without it an old alarm could pass for a new one.
        Err(error) => return Err(error),
    };
    let listed = listed.as_array().map(Vec::as_slice).unwrap_or_default();
    let about = || listed.iter().filter(|item| concerns(item, id));
    // The latest comes first.
    let under_way = about().next().and_then(|latest| under_way(latest, now));
    Ok(Work { under_way, finished: about().filter_map(finished).max_by_key(|finished| finished.at) })
}

fn under_way(item: &Value, now: Timestamp) -> Option<String> {
    let state = word(item, "status").filter(|state| UNDER_WAY.contains(&state.as_str()))?;
    let forgotten = moment(item, "timeAccepted").is_some_and(|at| now.duration_since(at) > LONGEST_WORK);
    (!forgotten).then_some(state)
}

fn moment(item: &Value, key: &str) -> Option<Timestamp> {
    word(item, key)?.parse().ok()
}

fn finished(item: &Value) -> Option<Finished> {
    let (at, accepted) = (moment(item, "timeFinished")?, moment(item, "timeAccepted"));
    let update = word(item, "operationType").is_none_or(|kind| kind == "MODEL_DEPLOYMENT_UPDATE");
    let failed = update && word(item, "status").is_some_and(|status| status == "FAILED");
    Some(Finished { accepted, at, failed })
}

/// Whether a work request is about a deployment; one that names nothing was asked for by the deployment's id.
fn concerns(item: &Value, id: &str) -> bool {
    let resources = item.get("resources").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut named = resources.iter().filter_map(|resource| word(resource, "identifier"));
    resources.is_empty() || named.any(|named| named.eq_ignore_ascii_case(id))
}

/// Asks for a configuration, and for the tags in the same update. An answer that was lost is looked for: the stamp
/// among the tags, or the size, tells whether the update was taken.
pub(super) async fn update(
    api: &Api,
    id: &str,
    if_match: &str,
    (configuration, tags): (&Value, Option<&Tags>),
) -> Result<Option<String>, Error> {
    let mut body = json!({ "modelDeploymentConfigurationDetails": configuration });
    if let Some(tags) = tags {
        body["freeformTags"] = json!(tags);
    }
    match api.ask_and_tell(put(id, Some(if_match), body)).await {
        Ok(answer) => Ok(answer.work_request),
        Err(unsure) if unsure.may_be_done => {
            let found = get(api, id).await?;
            let stamped = tags.is_some_and(|tags| tags.get(TAG_CHANGED) == found.tags().get(TAG_CHANGED));
            let size = |of: &Value| configuration::read(of, None).size;
            let taken = stamped || size(found.configuration()) == size(configuration);
            if taken { Ok(None) } else { Err(unsure.error) }
        }
        Err(unsure) => Err(unsure.error),
    }
}

/// Adds what is ours to the tags, and leaves the others as they are now.
pub(super) async fn tag(api: &Api, id: &str, tags: &Tags) -> Result<(), Error> {
    let found = get(api, id).await?;
    let tags = notes::caught_up(&found.tags(), tags);
    let ask = put(id, Some(&found.etag), json!({ "freeformTags": tags })).again(Again::Never);
    api.ask(ask).await.map(|_| ())
}

/// Whether a deployment is still as it was observed.
pub(super) async fn unchanged(api: &Api, Unchanged { id, etag }: &Unchanged) -> Result<(), Error> {
    let found = get(api, id).await?;
    if found.etag == *etag {
        return Ok(());
    }
    let message = format!("`{id}` has changed since it was observed");
    Err(Error::LostRace { operation: "oci:GetModelDeployment".to_owned(), message })
}

fn put<'a>(id: &str, if_match: Option<&'a str>, body: Value) -> Ask<'a> {
    Ask::new("oci:UpdateModelDeployment", Service::DataScience, Method::PUT, path(id))
        .header("if-match", if_match)
        .body(body)
}

fn path(id: &str) -> String {
    format!("/modelDeployments/{}", segment(id))
}
