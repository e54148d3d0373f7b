//! Data Science's model deployments: read with what was last done to them, and changed.

use hyper::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::api::{Again, Api, Ask, Service, segment};
use crate::cloud::Error;
use crate::deployment::Tags;
use crate::target::oci_model_deployment::memory::Finished;

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
        let tags = self.body.get("freeformTags").cloned().unwrap_or_default();
        serde_json::from_value(tags).unwrap_or_default()
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

/// When and how the last update of a deployment was completed, as far as that can be read: work requests take a
/// permission of their own, and a stamp takes their place. One that is not completed counts from when it was accepted:
/// the deployment, which is read at the same time, may be told as it is a moment later.
pub(super) async fn last_finished(api: &Api, id: &str, compartment: &str) -> Option<Finished> {
    let ask = Ask::get("oci:ListWorkRequests", Service::DataScience, "/workRequests")
        .query("compartmentId", compartment)
        .query("resourceId", id)
        .query("operationType", "MODEL_DEPLOYMENT_UPDATE")
        .query("sortBy", "timeAccepted")
        .query("sortOrder", "DESC")
        .query("limit", "10")
        .again(Again::Never);
    let answer = api.ask(ask).await.ok()?;
    let ended = answer.body.as_array()?.iter().filter(|item| concerns(item, id)).filter_map(finished);
    ended.max_by_key(|finished| finished.at)
}

fn finished(item: &Value) -> Option<Finished> {
    let word = |key: &str| item.get(key).and_then(Value::as_str);
    let at: Timestamp = word("timeFinished").or_else(|| word("timeAccepted"))?.parse().ok()?;
    Some(Finished { at, failed: word("status") == Some("FAILED") })
}

/// Whether a work request is about a deployment; one that names nothing was asked for by the deployment's id.
fn concerns(item: &Value, id: &str) -> bool {
    let resources = item.get("resources").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let named = |resource: &Value| resource.get("identifier").and_then(Value::as_str).map(str::to_owned);
    resources.is_empty() || resources.iter().filter_map(named).any(|named| named.eq_ignore_ascii_case(id))
}

/// Asks for a configuration, and for the tags in the same update.
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
    let answer = api.ask(put(id, Some(if_match), body)).await?;
    Ok(answer.work_request)
}

/// Writes the tags alone.
pub(super) async fn tag(api: &Api, id: &str, tags: &Tags) -> Result<(), Error> {
    let ask = put(id, None, json!({ "freeformTags": tags })).again(Again::Never);
    api.ask(ask).await.map(|_| ())
}

fn put<'a>(id: &str, if_match: Option<&'a str>, body: Value) -> Ask<'a> {
    Ask::new("oci:UpdateModelDeployment", Service::DataScience, Method::PUT, path(id))
        .header("if-match", if_match)
        .body(body)
}

fn path(id: &str) -> String {
    format!("/modelDeployments/{}", segment(id))
}
