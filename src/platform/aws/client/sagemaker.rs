//! Reads and changes SageMaker endpoints and their configurations.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sagemaker::Client;
use aws_sdk_sagemaker::operation::describe_endpoint::DescribeEndpointOutput;
use aws_sdk_sagemaker::types::{DesiredWeightAndCapacity, Tag};
use jiff::Timestamp;
use serde_json::Value;

use super::document::{RawResponse, sent_as};
use super::errors::service_error;
use super::timestamp;
use crate::platform::Error;
use crate::platform::aws::variant::configuration::{TAG_ORIGINAL, is_ours, is_the_copy, name, prefix};
use crate::platform::aws::variant::{Endpoint, NativeScaling, name_taken};
use crate::tags::Tags;

/// The waits before another attempt, in milliseconds. A new configuration can be invisible to an update for a moment:
/// this makes seven attempts in little more than four seconds.
const VISIBILITY_WAITS: [u64; 6] = [100, 200, 400, 800, 1200, 1600];

/// How many inactive copies are read in one event. Each change leaves at most one.
const MOST_SUPERSEDED: usize = 3;

/// Configurations that are read in parallel with the endpoint, before its response names the active one.
#[derive(Debug, Default)]
pub(super) struct Prefetched {
    /// The one that is guessed to be active.
    pub(super) configuration: Option<Value>,
    /// Copies that stepladder made, active or not.
    copies: Vec<CopiedConfiguration>,
}

/// A configuration with the name of one of our copies for an endpoint.
#[derive(Debug)]
struct CopiedConfiguration {
    name: String,
    arn: String,
    created: Option<Timestamp>,
}

pub(super) async fn describe_endpoint(
    client: &Client,
    endpoint: &str,
) -> Result<DescribeEndpointOutput, Error> {
    let sent = client.describe_endpoint().endpoint_name(endpoint).send().await;
    sent.map_err(|error| service_error("aws:DescribeEndpoint", &error))
}

/// A configuration, as the whole document that the API returns.
pub(super) async fn describe_configuration(client: &Client, name: &str) -> Result<Value, Error> {
    let answer = RawResponse::default();
    let request = client.describe_endpoint_config().endpoint_config_name(name);
    let sent = request.customize().interceptor(answer.clone()).send().await;
    sent.map_err(|error| service_error("aws:DescribeEndpointConfig", &error))?;
    Ok(answer.take())
}

/// Reads the configuration that is guessed to be active. A failure counts as a wrong guess.
pub(super) async fn prefetch_configuration(client: &Client, guess: Option<&str>) -> Prefetched {
    let configuration = match guess {
        Some(name) => describe_configuration(client, name).await.ok(),
        None => None,
    };
    Prefetched { configuration, ..Prefetched::default() }
}

/// Reads all that a change of type needs and that does not depend on the endpoint's response.
pub(super) async fn prefetch_all(
    client: &Client,
    endpoint: &str,
    guess: Option<&str>,
) -> Result<Prefetched, Error> {
    let (prefetched, copies) =
        tokio::join!(prefetch_configuration(client, guess), list_copies(client, endpoint));
    Ok(Prefetched { copies: copies?, ..prefetched })
}

/// Tags that were read by a guessed ARN.
#[derive(Debug)]
pub(super) struct GuessedTags {
    arn: String,
    found: Result<Tags, Error>,
}

/// Reads the tags by a guessed ARN. The result, an error included, only counts if the guess was right.
pub(super) async fn guessed_tags(client: &Client, arn: Option<String>) -> Option<GuessedTags> {
    let arn = arn?;
    let found = list_tags(client, &arn).await;
    Some(GuessedTags { arn, found })
}

/// The endpoint's tags, now that its ARN is known. They may pause stepladder, so a failed read never counts as no tags.
pub(super) async fn tags(
    client: &Client,
    described: &DescribeEndpointOutput,
    guessed: Option<GuessedTags>,
) -> Result<Tags, Error> {
    let arn = described.endpoint_arn().unwrap_or_default();
    match guessed {
        Some(guessed) if guessed.arn == arn => guessed.found,
        _ => list_tags(client, arn).await,
    }
}

/// Reads the rest of what a change of type needs, now that the active configuration is known. The endpoint's own tags
/// are read separately.
pub(super) async fn endpoint_details(
    client: &Client,
    described: &DescribeEndpointOutput,
    configuration: Value,
    prefetched: Prefetched,
    native: NativeScaling,
) -> Result<Endpoint, Error> {
    let endpoint_name = described.endpoint_name().unwrap_or_default();
    let arn = described.endpoint_arn().unwrap_or_default().to_owned();
    let active = described.endpoint_config_name().unwrap_or_default();
    let configuration_arn = configuration.get("EndpointConfigArn").and_then(Value::as_str);
    let (configuration_tags, superseded) = tokio::join!(
        tags_of_configuration(client, configuration_arn),
        superseded(client, endpoint_name, active, prefetched.copies),
    );
    let configuration_tags = configuration_tags?;
    let original = match configuration_tags.get(TAG_ORIGINAL) {
        Some(original) => existing(describe_configuration(client, original).await)?,
        None => None,
    };
    Ok(Endpoint {
        arn,
        tags: Tags::new(),
        configuration,
        configuration_tags,
        original,
        superseded: superseded?,
        taken: Vec::new(),
        native,
    })
}

/// The tags of a configuration; none if it has been deleted.
async fn tags_of_configuration(client: &Client, arn: Option<&str>) -> Result<Tags, Error> {
    match arn {
        Some(arn) => Ok(existing(list_tags(client, arn).await)?.unwrap_or_default()),
        None => Ok(Tags::new()),
    }
}

/// The inactive copies whose tags mark them as ours for this endpoint.
async fn superseded(
    client: &Client,
    endpoint: &str,
    active: &str,
    copies: Vec<CopiedConfiguration>,
) -> Result<Vec<(String, Option<Timestamp>)>, Error> {
    let mut ours = Vec::new();
    for copy in copies.into_iter().filter(|copy| copy.name != active).take(MOST_SUPERSEDED) {
        if existing(list_tags(client, &copy.arn).await)?.is_some_and(|tags| is_ours(&tags, endpoint)) {
            ours.push((copy.name, copy.created));
        }
    }
    Ok(ours)
}

/// `None` if the resource does not exist, which is not an error: it may have been deleted since it was listed.
fn existing<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn list_tags(client: &Client, arn: &str) -> Result<Tags, Error> {
    let sent = client.list_tags().resource_arn(arn).send().await;
    let found = sent.map_err(|error| service_error("aws:ListTags", &error))?;
    let pair = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()));
    Ok(found.tags().iter().filter_map(pair).collect())
}

async fn list_copies(client: &Client, endpoint: &str) -> Result<Vec<CopiedConfiguration>, Error> {
    let beginning = prefix(endpoint);
    let sent = client.list_endpoint_configs().name_contains(&beginning).send().await;
    let found = sent.map_err(|error| service_error("aws:ListEndpointConfigs", &error))?;
    let listed = found.endpoint_configs().iter().filter_map(|one| {
        Some(CopiedConfiguration {
            name: one.endpoint_config_name()?.to_owned(),
            arn: one.endpoint_config_arn()?.to_owned(),
            created: one.creation_time().and_then(timestamp),
        })
    });
    Ok(listed.filter(|copy| copy.name.starts_with(&beginning)).collect())
}

pub(super) async fn set_count(
    client: &Client,
    endpoint: &str,
    variant: &str,
    instances: u32,
) -> Result<String, Error> {
    let operation = "aws:UpdateEndpointWeightsAndCapacities";
    let refused = |message: String| Error::Refused { operation: operation.to_owned(), message };
    let count =
        i32::try_from(instances).map_err(|_| refused(format!("`{instances}` instances are too many")))?;
    let wanted =
        DesiredWeightAndCapacity::builder().variant_name(variant).desired_instance_count(count).build();
    let sent = client
        .update_endpoint_weights_and_capacities()
        .endpoint_name(endpoint)
        .desired_weights_and_capacities(wanted)
        .send()
        .await;
    sent.map(|_| "accepted, Updating".to_owned()).map_err(|error| service_error(operation, &error))
}

pub(super) async fn create_configuration(client: &Client, body: &Value) -> Result<String, Error> {
    let operation = "aws:CreateEndpointConfig";
    let Err(error) = sent_as!(client.create_endpoint_config(), body).send().await else {
        return Ok("created".to_owned());
    };
    let error = service_error(operation, &error);
    if !error.to_string().contains("already existing endpoint configuration") {
        return Err(error);
    }
    let is_the_copy = is_existing_copy(client, body).await?;
    if is_the_copy { Ok("exists already".to_owned()) } else { Err(name_taken(name(body))) }
}

/// Whether the configuration that has a copy's name is that copy. Everybody can foresee the name, so somebody else may
/// have created another under it.
async fn is_existing_copy(client: &Client, body: &Value) -> Result<bool, Error> {
    let Some(found) = existing(describe_configuration(client, name(body)).await)? else { return Ok(false) };
    let arn = found.get("EndpointConfigArn").and_then(Value::as_str);
    let tags = tags_of_configuration(client, arn).await?;
    Ok(is_the_copy(&found, &tags, body))
}

/// Makes a configuration active. Counts, weights and the deployment configuration stay as they are now, not as in the
/// configuration.
pub(super) async fn update_endpoint(
    client: &Client,
    endpoint: &str,
    configuration: &str,
) -> Result<String, Error> {
    let mut waits = VISIBILITY_WAITS.iter();
    loop {
        let sent = client
            .update_endpoint()
            .endpoint_name(endpoint)
            .endpoint_config_name(configuration)
            .retain_all_variant_properties(true)
            .retain_deployment_config(true)
            .send()
            .await;
        let Err(error) = sent else { return Ok("accepted, Updating".to_owned()) };
        let error = service_error("aws:UpdateEndpoint", &error);
        if matches!(error, Error::InProgress { .. }) && is_under_way(client, endpoint, configuration).await {
            return Ok("under way already".to_owned());
        }
        let Error::NotFound { operation, message } = error else { return Err(error) };
        if !message.contains("endpoint configuration") {
            return Err(Error::NotFound { operation, message });
        }
        match waits.next() {
            Some(wait) => tokio::time::sleep(Duration::from_millis(*wait)).await,
            // The configuration existed a moment ago, so a redelivery of the event finds it, or observes again.
            None => return Err(Error::Unavailable { operation, message }),
        }
    }
}

/// Whether the update in progress is this one: its response may have been lost, or the request sent twice.
async fn is_under_way(client: &Client, endpoint: &str, configuration: &str) -> bool {
    let described = describe_endpoint(client, endpoint).await;
    let pending = described.as_ref().ok().and_then(|described| described.pending_deployment_summary());
    pending.is_some_and(|pending| pending.endpoint_config_name() == Some(configuration))
}

pub(super) async fn delete_configuration(client: &Client, name: &str) -> Result<String, Error> {
    let sent = client.delete_endpoint_config().endpoint_config_name(name).send().await;
    deleted(sent.map_err(|error| service_error("aws:DeleteEndpointConfig", &error)))
}

pub(super) async fn add_tags(
    client: &Client,
    arn: &str,
    tags: &BTreeMap<String, String>,
) -> Result<String, Error> {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    let sent = client.add_tags().resource_arn(arn).set_tags(Some(tags.collect())).send().await;
    sent.map(|_| "noted".to_owned()).map_err(|error| service_error("aws:AddTags", &error))
}

pub(super) async fn delete_tags(client: &Client, arn: &str, keys: &[String]) -> Result<String, Error> {
    let sent = client.delete_tags().resource_arn(arn).set_tag_keys(Some(keys.to_vec())).send().await;
    deleted(sent.map_err(|error| service_error("aws:DeleteTags", &error)))
}

/// Maps the result of a deletion. If the resource did not exist, that is success.
pub(super) fn deleted<T>(sent: Result<T, Error>) -> Result<String, Error> {
    match sent {
        Ok(_) => Ok("deleted".to_owned()),
        Err(Error::NotFound { .. }) => Ok("gone already".to_owned()),
        Err(error) => Err(error),
    }
}
