//! Monitoring's alarms: found by their tags, read and written whole.

use hyper::Method;
use serde_json::{Value, json};

use super::api::{Api, Ask, Service, segment};
use super::errors::token_is_spent;
use super::told::{stands, tags, word};
use crate::platform::Error;
use crate::platform::ObserveRequest;
use crate::platform::oci::alarm::OciAlarm;
use crate::platform::oci::call::RetryToken;
use crate::platform::oci::model_deployment::{TAG_PREFIX, is_ours};
use crate::platform::oci::provision::ExistingAlarm;

/// The alarm of an OCID; `None` when it cannot be seen, as that of a message that was written by hand.
pub(super) async fn get(api: &Api, id: &str) -> Result<Option<ExistingAlarm>, Error> {
    if id.is_empty() {
        return Ok(None);
    }
    let ask = Ask::get("oci:GetAlarm", Service::Monitoring, path(id));
    match api.ask(ask).await {
        Ok(answer) => Ok(seen(&answer.body, answer.etag)),
        // Whether the permission is missing is told by the list of alarms, which takes the same one.
        Err(Error::Hidden { .. } | Error::NotFound { .. } | Error::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Every alarm in a compartment, as far as a list tells of it.
pub(super) async fn all(api: &Api, compartment: &str) -> Result<Vec<ExistingAlarm>, Error> {
    let ask = Ask::get("oci:ListAlarms", Service::Monitoring, "/alarms").query("compartmentId", compartment);
    Ok(api.all_pages(ask).await?.iter().filter_map(|item| seen(item, None)).collect())
}

/// The alarms in a compartment that are the paired alarm a question asks about: one, or too many.
pub(super) async fn pairs(
    api: &Api,
    request: &ObserveRequest<'_>,
    compartment: &str,
) -> Result<Vec<ExistingAlarm>, Error> {
    let Some(pair) = request.pair else { return Ok(Vec::new()) };
    let ask = Ask::get("oci:ListAlarms", Service::Monitoring, "/alarms")
        .query("compartmentId", compartment)
        .query("displayName", &pair.alarm);
    let listed = api.all_pages(ask).await?;
    let seen = listed.iter().filter_map(|item| seen(item, None));
    Ok(seen.filter(|alarm| marked(alarm, request)).collect())
}

/// Whether an alarm carries the marker of the pair that a question asks about.
pub(super) fn marked(alarm: &ExistingAlarm, request: &ObserveRequest) -> bool {
    request.pair.is_some_and(|pair| is_ours(&alarm.alarm, request.target, &pair.alarm))
}

/// Creates an alarm, once: whoever sees the deployment as it is now has the same token.
pub(super) async fn create(api: &Api, alarm: &OciAlarm, tokens: [RetryToken; 2]) -> Result<String, Error> {
    let [token, next] = tokens;
    let created = match create_with(api, alarm, token).await {
        Err(error) if token_is_spent(&error) => create_with(api, alarm, next).await,
        created => created,
    };
    created.map_err(|error| if token_is_spent(&error) { outrun(error) } else { error })
}

/// Others have made the alarm with either token, and deleted it again, since the look.
fn outrun(error: Error) -> Error {
    let Error::Refused { operation, message } = error else { return error };
    Error::LostRace { operation, message }
}

async fn create_with(api: &Api, alarm: &OciAlarm, token: RetryToken) -> Result<String, Error> {
    let token = token.to_string();
    let ask = Ask::new("oci:CreateAlarm", Service::Monitoring, Method::POST, "/alarms")
        .header("opc-retry-token", Some(&token))
        .body(details(alarm));
    let answer = api.ask(ask).await?;
    Ok(format!("alarm {}", word(&answer.body, "id").unwrap_or_default()))
}

/// Writes an alarm anew. One that is only known from a list is read first: it may have been edited since.
pub(super) async fn update(
    api: &Api,
    id: &str,
    if_match: Option<&str>,
    alarm: &OciAlarm,
) -> Result<String, Error> {
    let Some(Condition { etag }) = standing(api, "oci:UpdateAlarm", id, if_match).await? else {
        let message = format!("`{id}` has been deleted since");
        return Err(Error::LostRace { operation: "oci:UpdateAlarm".to_owned(), message });
    };
    let ask = Ask::new("oci:UpdateAlarm", Service::Monitoring, Method::PUT, path(id))
        .header("if-match", etag.as_deref())
        .body(details(alarm));
    match api.ask(ask).await {
        Ok(_) => Ok(format!("alarm {id}")),
        // It stood when it was observed: either somebody has deleted it since, or it may not be written.
        Err(Error::Hidden { operation, message, .. }) if get(api, id).await?.is_none() => {
            Err(Error::LostRace { operation, message })
        }
        Err(error) => Err(error),
    }
}

/// Deletes an alarm. Already gone is success; what can be seen and not deleted is not.
pub(super) async fn delete(api: &Api, id: &str, if_match: Option<&str>) -> Result<String, Error> {
    let Some(Condition { etag }) = standing(api, "oci:DeleteAlarm", id, if_match).await? else {
        return Ok("gone already".to_owned());
    };
    let ask = Ask::new("oci:DeleteAlarm", Service::Monitoring, Method::DELETE, path(id))
        .header("if-match", etag.as_deref());
    match api.ask(ask).await {
        Ok(_) => Ok("deleted".to_owned()),
        // Whether somebody was faster, or it may not be deleted, is told by a look at it.
        Err(Error::Hidden { .. }) if get(api, id).await?.is_none() => Ok("gone already".to_owned()),
        Err(error) => Err(error),
    }
}

/// An alarm that stands, and the etag under which it is changed.
struct Condition {
    etag: Option<String>,
}

/// The alarm as it was observed, or as it is now as long as it is still marked as ours. `None` when it is gone.
async fn standing(
    api: &Api,
    operation: &'static str,
    id: &str,
    observed: Option<&str>,
) -> Result<Option<Condition>, Error> {
    if let Some(etag) = observed {
        return Ok(Some(Condition { etag: Some(etag.to_owned()) }));
    }
    let Some(ExistingAlarm { etag, alarm, .. }) = get(api, id).await? else { return Ok(None) };
    if alarm.tags.keys().any(|key| key.starts_with(TAG_PREFIX)) {
        return Ok(Some(Condition { etag }));
    }
    let message = format!("`{id}` is not marked as stepladder's any more");
    Err(Error::LostRace { operation: operation.to_owned(), message })
}

fn path(id: &str) -> String {
    format!("/alarms/{}", segment(id))
}

/// An alarm as Monitoring tells of it; in a list it tells less, and no etag.
fn seen(told: &Value, etag: Option<String>) -> Option<ExistingAlarm> {
    stands(told).then_some(())?;
    let word = |key: &str| word(told, key);
    let id = word("id")?;
    let alarm = OciAlarm {
        name: word("displayName")?,
        compartment: word("compartmentId")?,
        metric_compartment: word("metricCompartmentId")?,
        namespace: word("namespace")?.into(),
        query: word("query")?,
        severity: word("severity").unwrap_or_default().into(),
        destinations: words(told.get("destinations")),
        repeat: word("repeatNotificationDuration"),
        pending: word("pendingDuration").map(Into::into),
        enabled: told.get("isEnabled").and_then(Value::as_bool).unwrap_or(true),
        body: word("body"),
        tags: tags(told),
    };
    Some(ExistingAlarm { id, etag, alarm })
}

fn words(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// An alarm as `CreateAlarm` and `UpdateAlarm` want to be told it.
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
