//! SageMaker's part: what is asked about an endpoint and its configurations, and what is sent to it.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_sagemaker::Client;
use aws_sdk_sagemaker::operation::describe_endpoint::DescribeEndpointOutput;
use aws_sdk_sagemaker::types::{DesiredWeightAndCapacity, Tag};
use jiff::Timestamp;
use serde_json::Value;

use super::document::{Answer, sent_as};
use super::errors::told;
use super::timestamp;
use crate::platform::Error;
use crate::platform::aws::variant::configuration::{TAG_ORIGINAL, is_ours, prefix};
use crate::platform::aws::variant::{Endpoint, NativeScaling};
use crate::tags::Tags;

/// A new configuration can be invisible to an update for a moment. Seven tries in a good four seconds.
const INVISIBLE_FOR: [u64; 6] = [100, 200, 400, 800, 1200, 1600];

/// How many copies that have served are looked at in one event. Each step leaves one at the most.
const MOST_SUPERSEDED: usize = 3;

/// Configurations that are read along with the endpoint, before it has told which are needed.
#[derive(Debug, Default)]
pub(super) struct Along {
    /// The one that is guessed to be in force.
    pub(super) configuration: Option<Value>,
    /// Copies of ours, in force or not.
    copies: Vec<Copied>,
}

/// A configuration that is called like our copies for an endpoint.
#[derive(Debug)]
struct Copied {
    name: String,
    arn: String,
    created: Option<Timestamp>,
}

pub(super) async fn describe_endpoint(
    client: &Client,
    endpoint: &str,
) -> Result<DescribeEndpointOutput, Error> {
    let sent = client.describe_endpoint().endpoint_name(endpoint).send().await;
    sent.map_err(|error| told("aws:DescribeEndpoint", &error))
}

/// A configuration, as the API tells it.
pub(super) async fn describe_configuration(client: &Client, name: &str) -> Result<Value, Error> {
    let answer = Answer::default();
    let asked = client.describe_endpoint_config().endpoint_config_name(name);
    let sent = asked.customize().interceptor(answer.clone()).send().await;
    sent.map_err(|error| told("aws:DescribeEndpointConfig", &error))?;
    Ok(answer.take())
}

/// A guess that fails, for whatever reason, is no more than a wrong guess.
pub(super) async fn guessed(client: &Client, guess: Option<&str>) -> Along {
    let configuration = match guess {
        Some(name) => describe_configuration(client, name).await.ok(),
        None => None,
    };
    Along { configuration, ..Along::default() }
}

/// All that a change of type depends on and that can be asked for at once.
pub(super) async fn guessed_whole(
    client: &Client,
    endpoint: &str,
    guess: Option<&str>,
) -> Result<Along, Error> {
    let (along, copies) = tokio::join!(guessed(client, guess), list_copies(client, endpoint));
    Ok(Along { copies: copies?, ..along })
}

/// Tags that were asked for by an ARN which may turn out to be another's.
#[derive(Debug)]
pub(super) struct GuessedTags {
    arn: String,
    found: Result<Tags, Error>,
}

/// The tags of an endpoint whose ARN is guessed; what became of it counts only where the guess was right.
pub(super) async fn guessed_tags(client: &Client, arn: Option<String>) -> Option<GuessedTags> {
    let arn = arn?;
    let found = list_tags(client, &arn).await;
    Some(GuessedTags { arn, found })
}

/// The endpoint's tags, now that its ARN is known. They may say that it is to stay as it is, so a read that fails is
/// never taken for no tags.
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

/// What is left to ask once the endpoint has told its configuration. Its own tags are read elsewhere.
pub(super) async fn whole(
    client: &Client,
    described: &DescribeEndpointOutput,
    configuration: Value,
    along: Along,
    native: NativeScaling,
) -> Result<Endpoint, Error> {
    let endpoint_name = described.endpoint_name().unwrap_or_default();
    let arn = described.endpoint_arn().unwrap_or_default().to_owned();
    let effective = described.endpoint_config_name().unwrap_or_default();
    let configuration_arn = configuration.get("EndpointConfigArn").and_then(Value::as_str);
    let (configuration_tags, superseded) = tokio::join!(
        tags_of_configuration(client, configuration_arn),
        superseded(client, endpoint_name, effective, along.copies),
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
        native,
    })
}

/// None where it has been deleted under its endpoint.
async fn tags_of_configuration(client: &Client, arn: Option<&str>) -> Result<Tags, Error> {
    match arn {
        Some(arn) => Ok(existing(list_tags(client, arn).await)?.unwrap_or_default()),
        None => Ok(Tags::new()),
    }
}

/// Copies that are not in force, and whose tags say that they were made for this endpoint.
async fn superseded(
    client: &Client,
    endpoint: &str,
    effective: &str,
    copies: Vec<Copied>,
) -> Result<Vec<(String, Option<Timestamp>)>, Error> {
    let mut ours = Vec::new();
    for copy in copies.into_iter().filter(|copy| copy.name != effective).take(MOST_SUPERSEDED) {
        if existing(list_tags(client, &copy.arn).await)?.is_some_and(|tags| is_ours(&tags, endpoint)) {
            ours.push((copy.name, copy.created));
        }
    }
    Ok(ours)
}

/// What was there a moment ago may be gone now, and that is an answer, too.
fn existing<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn list_tags(client: &Client, arn: &str) -> Result<Tags, Error> {
    let sent = client.list_tags().resource_arn(arn).send().await;
    let found = sent.map_err(|error| told("aws:ListTags", &error))?;
    let pair = |tag: &Tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()));
    Ok(found.tags().iter().filter_map(pair).collect())
}

async fn list_copies(client: &Client, endpoint: &str) -> Result<Vec<Copied>, Error> {
    let beginning = prefix(endpoint);
    let sent = client.list_endpoint_configs().name_contains(&beginning).send().await;
    let found = sent.map_err(|error| told("aws:ListEndpointConfigs", &error))?;
    let listed = found.endpoint_configs().iter().filter_map(|one| {
        Some(Copied {
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
    sent.map(|_| "accepted, Updating".to_owned()).map_err(|error| told(operation, &error))
}

pub(super) async fn create_configuration(client: &Client, body: &Value) -> Result<String, Error> {
    let operation = "aws:CreateEndpointConfig";
    let Err(error) = sent_as!(client.create_endpoint_config(), body).send().await else {
        return Ok("created".to_owned());
    };
    let error = told(operation, &error);
    // The name tells what is in it, so this is the same one.
    let exists = error.to_string().contains("already existing endpoint configuration");
    if exists { Ok("exists already".to_owned()) } else { Err(error) }
}

/// Counts, weights and guardrails stay as they are now, not as they were when the configuration was written.
pub(super) async fn put_in_force(
    client: &Client,
    endpoint: &str,
    configuration: &str,
) -> Result<String, Error> {
    let mut waits = INVISIBLE_FOR.iter();
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
        let error = told("aws:UpdateEndpoint", &error);
        if matches!(error, Error::InProgress { .. }) && is_under_way(client, endpoint, configuration).await {
            return Ok("under way already".to_owned());
        }
        let Error::NotFound { operation, message } = error else { return Err(error) };
        if !message.contains("endpoint configuration") {
            return Err(Error::NotFound { operation, message });
        }
        match waits.next() {
            Some(wait) => tokio::time::sleep(Duration::from_millis(*wait)).await,
            // It was created or seen a moment ago: another delivery will find it, or look again.
            None => return Err(Error::Unavailable { operation, message }),
        }
    }
}

/// Whether the change that is in the way is this very one: an answer may have been lost, or come twice.
async fn is_under_way(client: &Client, endpoint: &str, configuration: &str) -> bool {
    let described = describe_endpoint(client, endpoint).await;
    let pending = described.as_ref().ok().and_then(|described| described.pending_deployment_summary());
    pending.is_some_and(|pending| pending.endpoint_config_name() == Some(configuration))
}

pub(super) async fn delete_configuration(client: &Client, name: &str) -> Result<String, Error> {
    let sent = client.delete_endpoint_config().endpoint_config_name(name).send().await;
    deleted(sent.map_err(|error| told("aws:DeleteEndpointConfig", &error)))
}

pub(super) async fn add_tags(
    client: &Client,
    arn: &str,
    tags: &BTreeMap<String, String>,
) -> Result<String, Error> {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    let sent = client.add_tags().resource_arn(arn).set_tags(Some(tags.collect())).send().await;
    sent.map(|_| "noted".to_owned()).map_err(|error| told("aws:AddTags", &error))
}

pub(super) async fn delete_tags(client: &Client, arn: &str, keys: &[String]) -> Result<String, Error> {
    let sent = client.delete_tags().resource_arn(arn).set_tag_keys(Some(keys.to_vec())).send().await;
    deleted(sent.map_err(|error| told("aws:DeleteTags", &error)))
}

/// Deleting what is gone is done.
pub(super) fn deleted<T>(sent: Result<T, Error>) -> Result<String, Error> {
    match sent {
        Ok(_) => Ok("deleted".to_owned()),
        Err(Error::NotFound { .. }) => Ok("gone already".to_owned()),
        Err(error) => Err(error),
    }
}
