//! Reads and writes the alarms of OCI Monitoring.

use hyper::Method;
use serde_json::{Value, json};

use super::api::{Api, ApiRequest, Service, segment};
use super::errors::token_is_spent;
use super::members::{exists, tags, word};
use crate::platform::Error;
use crate::platform::ObserveRequest;
use crate::platform::oci::alarm::OciAlarm;
use crate::platform::oci::call::RetryToken;
use crate::platform::oci::model_deployment::{TAG_PREFIX, is_ours};
use crate::platform::oci::provision::ExistingAlarm;

/// Reads an alarm by its OCID; `None` if it does not exist or cannot be read, as for a hand-written message.
pub(super) async fn get(api: &Api, id: &str) -> Result<Option<ExistingAlarm>, Error> {
    if id.is_empty() {
        return Ok(None);
    }
    let api_request = ApiRequest::get("oci:GetAlarm", Service::Monitoring, path(id));
    match api.send(api_request).await {
        Ok(answer) => Ok(read_alarm(&answer.body, answer.etag)),
        // A missing permission is not reported here: listing alarms needs the same one, and reports it.
        Err(Error::Hidden { .. } | Error::NotFound { .. } | Error::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Every alarm in a compartment, with the members that a list contains.
pub(super) async fn all(api: &Api, compartment: &str) -> Result<Vec<ExistingAlarm>, Error> {
    let api_request =
        ApiRequest::get("oci:ListAlarms", Service::Monitoring, "/alarms").query("compartmentId", compartment);
    Ok(api.all_pages(api_request).await?.iter().filter_map(|item| read_alarm(item, None)).collect())
}

/// The paired alarms of a request's target in a compartment: more than one if there are duplicates.
pub(super) async fn pairs(
    api: &Api,
    request: &ObserveRequest<'_>,
    compartment: &str,
) -> Result<Vec<ExistingAlarm>, Error> {
    let Some(pair) = request.pair else { return Ok(Vec::new()) };
    let api_request = ApiRequest::get("oci:ListAlarms", Service::Monitoring, "/alarms")
        .query("compartmentId", compartment)
        .query("displayName", &pair.alarm);
    let listed = api.all_pages(api_request).await?;
    let alarms = listed.iter().filter_map(|item| read_alarm(item, None));
    Ok(alarms.filter(|alarm| is_pair(alarm, request)).collect())
}

/// Whether an alarm carries the marker of the request's pair.
pub(super) fn is_pair(alarm: &ExistingAlarm, request: &ObserveRequest) -> bool {
    request.pair.is_some_and(|pair| is_ours(&alarm.alarm, request.target, &pair.alarm))
}

/// Creates an alarm. All observations of the deployment in its current state have the same token, so it is created
/// once.
pub(super) async fn create(api: &Api, alarm: &OciAlarm, tokens: [RetryToken; 2]) -> Result<String, Error> {
    let [token, next] = tokens;
    let created = match create_with(api, alarm, token).await {
        Err(error) if token_is_spent(&error) => create_with(api, alarm, next).await,
        created => created,
    };
    created.map_err(|error| if token_is_spent(&error) { lost_race(error) } else { error })
}

/// Both tokens' alarms were created and deleted since the observation, so it is outdated.
fn lost_race(error: Error) -> Error {
    let Error::Refused { operation, message } = error else { return error };
    Error::LostRace { operation, message }
}

async fn create_with(api: &Api, alarm: &OciAlarm, token: RetryToken) -> Result<String, Error> {
    let token = token.to_string();
    let api_request = ApiRequest::new("oci:CreateAlarm", Service::Monitoring, Method::POST, "/alarms")
        .header("opc-retry-token", Some(&token))
        .body(details(alarm));
    let answer = api.send(api_request).await?;
    Ok(format!("alarm {}", word(&answer.body, "id").unwrap_or_default()))
}

/// Replaces an alarm. One that is only known from a list is read first, because it may have been edited since.
pub(super) async fn update(
    api: &Api,
    id: &str,
    if_match: Option<&str>,
    alarm: &OciAlarm,
) -> Result<String, Error> {
    let Some(Precondition { etag }) = precondition(api, "oci:UpdateAlarm", id, if_match).await? else {
        let message = format!("`{id}` has been deleted since");
        return Err(Error::LostRace { operation: "oci:UpdateAlarm".to_owned(), message });
    };
    let api_request = ApiRequest::new("oci:UpdateAlarm", Service::Monitoring, Method::PUT, path(id))
        .header("if-match", etag.as_deref())
        .body(details(alarm));
    match api.send(api_request).await {
        Ok(_) => Ok(format!("alarm {id}")),
        // It existed when it was observed, so it has been deleted since, or the permission is missing.
        Err(Error::Hidden { operation, message, .. }) if get(api, id).await?.is_none() => {
            Err(Error::LostRace { operation, message })
        }
        Err(error) => Err(error),
    }
}

/// Deletes an alarm. If it does not exist, that is success. If it exists and cannot be deleted, that is an error.
pub(super) async fn delete(api: &Api, id: &str, if_match: Option<&str>) -> Result<String, Error> {
    let Some(Precondition { etag }) = precondition(api, "oci:DeleteAlarm", id, if_match).await? else {
        return Ok("gone already".to_owned());
    };
    let api_request = ApiRequest::new("oci:DeleteAlarm", Service::Monitoring, Method::DELETE, path(id))
        .header("if-match", etag.as_deref());
    match api.send(api_request).await {
        Ok(_) => Ok("deleted".to_owned()),
        // Reading it distinguishes a concurrent deletion from a missing permission.
        Err(Error::Hidden { .. }) if get(api, id).await?.is_none() => Ok("gone already".to_owned()),
        Err(error) => Err(error),
    }
}

/// The etag of an existing alarm, for `if-match`.
struct Precondition {
    etag: Option<String>,
}

/// The observed etag, or else the current one if the alarm is still marked as ours. `None` if it does not exist.
async fn precondition(
    api: &Api,
    operation: &'static str,
    id: &str,
    observed: Option<&str>,
) -> Result<Option<Precondition>, Error> {
    if let Some(etag) = observed {
        return Ok(Some(Precondition { etag: Some(etag.to_owned()) }));
    }
    let Some(ExistingAlarm { etag, alarm, .. }) = get(api, id).await? else { return Ok(None) };
    if alarm.tags.keys().any(|key| key.starts_with(TAG_PREFIX)) {
        return Ok(Some(Precondition { etag }));
    }
    let message = format!("`{id}` is not marked as stepladder's any more");
    Err(Error::LostRace { operation: operation.to_owned(), message })
}

fn path(id: &str) -> String {
    format!("/alarms/{}", segment(id))
}

/// Reads an alarm of Monitoring. In a list, an alarm has fewer members and no etag.
fn read_alarm(resource: &Value, etag: Option<String>) -> Option<ExistingAlarm> {
    exists(resource).then_some(())?;
    let word = |key: &str| word(resource, key);
    let id = word("id")?;
    let alarm = OciAlarm {
        name: word("displayName")?,
        compartment: word("compartmentId")?,
        metric_compartment: word("metricCompartmentId")?,
        namespace: word("namespace")?.into(),
        query: word("query")?,
        severity: word("severity").unwrap_or_default().into(),
        destinations: words(resource.get("destinations")),
        repeat: word("repeatNotificationDuration"),
        pending: word("pendingDuration").map(Into::into),
        enabled: resource.get("isEnabled").and_then(Value::as_bool).unwrap_or(true),
        body: word("body"),
        tags: tags(resource),
    };
    Some(ExistingAlarm { id, etag, alarm })
}

fn words(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The body of `CreateAlarm` and `UpdateAlarm`.
fn details(alarm: &OciAlarm) -> Value {
    // Destructured so that a new field cannot be forgotten here.
    let OciAlarm {
        name,
        compartment,
        metric_compartment,
        namespace,
        query,
        severity,
        destinations,
        repeat,
        pending,
        enabled,
        body,
        tags,
    } = alarm;
    let mut details = json!({
        "displayName": name,
        "compartmentId": compartment,
        "metricCompartmentId": metric_compartment,
        "namespace": namespace,
        "query": query,
        "severity": severity,
        "destinations": destinations,
        "isEnabled": enabled,
        "freeformTags": tags,
    });
    let (repeat, pending, body) = (repeat.as_deref(), pending.as_deref(), body.as_deref());
    for (key, value) in [("repeatNotificationDuration", repeat), ("pendingDuration", pending), ("body", body)]
    {
        if let Some(value) = value {
            details[key] = json!(value);
        }
    }
    details
}
