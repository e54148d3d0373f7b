//! Reads and updates the model deployments of OCI Data Science, with their work requests.

use hyper::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::api::{Api, ApiRequest, Retry, Service, segment};
use super::members::{tags, word};
use crate::platform::Error;
use crate::platform::oci::call::Unchanged;
use crate::platform::oci::model_deployment::notes::{self, Finished};
use crate::platform::oci::model_deployment::{TAG_CHANGED, configuration};
use crate::tags::Tags;

/// A deployment, as the service describes it.
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

    /// The current number of instances, which may differ from the configured one.
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
    let answer = api.send(ApiRequest::get(operation, Service::DataScience, path(id))).await?;
    let Some(etag) = answer.etag else {
        // Without it an update could overwrite a concurrent change.
        let message = "the answer has no `etag`: expected one for `if-match`".to_owned();
        return Err(Error::Refused { operation: operation.to_owned(), message });
    };
    Ok(Described { etag, body: answer.body })
}

/// The states of a work request that has not ended.
const UNDER_WAY: [&str; 3] = ["ACCEPTED", "IN_PROGRESS", "CANCELING"];

/// The longest time that an update takes. An older work request in progress is a leftover of the service.
const LONGEST_WORK: SignedDuration = SignedDuration::from_hours(6);

/// The current and the latest finished work on a deployment.
#[derive(Debug, Clone, Default)]
pub(super) struct Work {
    /// The state of the work request in progress.
    pub(super) under_way: Option<String>,
    pub(super) finished: Option<Finished>,
}

/// The work on a deployment. Reading work requests needs a separate permission; without it, the stamp is used instead.
pub(super) async fn work(api: &Api, id: &str, compartment: &str, now: Timestamp) -> Result<Work, Error> {
    let request = ApiRequest::get("oci:ListWorkRequests", Service::DataScience, "/workRequests")
        .query("compartmentId", compartment)
        .query("resourceId", id)
        .query("sortBy", "timeAccepted")
        .query("sortOrder", "DESC")
        .query("limit", "20");
    let listed = match api.send(request).await {
        Ok(answer) => answer.body,
        Err(Error::Hidden { .. } | Error::Denied { .. } | Error::NotFound { .. } | Error::Refused { .. }) => {
            return Ok(Work::default());
        }
        // Any other failure is an error: without the work, stale evidence could pass as new.
        Err(error) => return Err(error),
    };
    let listed = listed.as_array().map(Vec::as_slice).unwrap_or_default();
    let about = || listed.iter().filter(|item| concerns(item, id));
    // The list is sorted, the latest first.
    let under_way = about().next().and_then(|latest| under_way(latest, now));
    Ok(Work { under_way, finished: about().filter_map(finished).max_by_key(|finished| finished.at) })
}

fn under_way(item: &Value, now: Timestamp) -> Option<String> {
    let state = word(item, "status").filter(|state| UNDER_WAY.contains(&state.as_str()))?;
    let is_leftover = moment(item, "timeAccepted").is_some_and(|at| now.duration_since(at) > LONGEST_WORK);
    (!is_leftover).then_some(state)
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

/// Whether a work request is about a deployment. One without resources is, because the list was filtered by the
/// deployment's id.
fn concerns(item: &Value, id: &str) -> bool {
    let resources = item.get("resources").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut named = resources.iter().filter_map(|resource| word(resource, "identifier"));
    resources.is_empty() || named.any(|named| named.eq_ignore_ascii_case(id))
}

/// Updates the configuration, and the tags with it. If the response was lost, the stamp in the tags or the size shows
/// whether the update was accepted.
pub(super) async fn update(
    api: &Api,
    id: &str,
    if_match: &str,
    configuration: &Value,
    tags: Option<&Tags>,
) -> Result<Option<String>, Error> {
    let mut body = json!({ "modelDeploymentConfigurationDetails": configuration });
    if let Some(tags) = tags {
        body["freeformTags"] = json!(tags);
    }
    match api.try_send(put(id, Some(if_match), body)).await {
        Ok(answer) => Ok(answer.work_request),
        Err(failed) if failed.may_have_succeeded => {
            let found = get(api, id).await?;
            let stamped = tags.is_some_and(|tags| tags.get(TAG_CHANGED) == found.tags().get(TAG_CHANGED));
            let size = |of: &Value| configuration::read(of, None).size;
            let accepted = stamped || size(found.configuration()) == size(configuration);
            if accepted { Ok(None) } else { Err(failed.error) }
        }
        Err(failed) => Err(failed.error),
    }
}

/// Writes our tags, and keeps all others as they are now.
pub(super) async fn tag(api: &Api, id: &str, tags: &Tags) -> Result<(), Error> {
    let found = get(api, id).await?;
    let tags = notes::caught_up(&found.tags(), tags);
    let request = put(id, Some(&found.etag), json!({ "freeformTags": tags })).retry(Retry::Never);
    api.send(request).await.map(|_| ())
}

/// Checks that a deployment is still as it was observed.
pub(super) async fn unchanged(api: &Api, Unchanged { id, etag }: &Unchanged) -> Result<(), Error> {
    let found = get(api, id).await?;
    if found.etag == *etag {
        return Ok(());
    }
    let message = format!("`{id}` has changed since it was observed");
    Err(Error::LostRace { operation: "oci:GetModelDeployment".to_owned(), message })
}

fn put<'a>(id: &str, if_match: Option<&'a str>, body: Value) -> ApiRequest<'a> {
    ApiRequest::new("oci:UpdateModelDeployment", Service::DataScience, Method::PUT, path(id))
        .header("if-match", if_match)
        .body(body)
}

fn path(id: &str) -> String {
    format!("/modelDeployments/{}", segment(id))
}
