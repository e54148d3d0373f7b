//! AWS: SageMaker endpoint variants, their scalable targets and CloudWatch alarms.
//!
//! The SDK's clients are created for the first request and kept. An observation takes one round trip if the endpoint's
//! configuration and ARN are cached or guessed correctly, two otherwise. A cold function cannot avoid the second one
//! for a configuration with another name and without a pair. Only `DescribeEndpoint` returns the active configuration's
//! name, and only `DescribeEndpointConfig` the type, by that name. The record, the ladder, the budget and the pair's
//! threshold need the type. The threshold of the alarm that fired does not replace it: which percentage it means is a
//! guess. A tag of stepladder could, but anybody who may tag can write it, and the first change would find none.

#![cfg(feature = "aws")]

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::BehaviorVersion;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sagemaker::operation::describe_endpoint::DescribeEndpointOutput;
use aws_sdk_sagemaker::primitives::DateTime;
use aws_sdk_sagemaker::types::{EndpointStatus, ManagedInstanceScalingStatus, ProductionVariantSummary};
use aws_smithy_http_client::tls;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::alarm::{CloudwatchAlarm, active};
use super::call::Call as AwsCall;
use super::id;
use crate::deployment::{Deployment, Lifecycle, ObservedAlarm};
use crate::platform::ObserveRequest;
use crate::platform::aws::variant::configuration::{find, floor, name, shape_of};
use crate::platform::aws::variant::metric::unpublished;
use crate::platform::aws::variant::{CountOwnership, Endpoint, NativeScaling, fixed};
use crate::platform::aws::variant::{Facts, Marker, TARGET, native, notes};
use crate::platform::web::client::Webhooks;
use crate::platform::{self, ActiveAlarm, Call, Client, Error, Observation, not_for, web};
use crate::size::{NO_SHAPE, Size};
use crate::tags;
use crate::tags::Tags;
use crate::target::{TargetId, TargetKind};

mod alarms;
mod bounds;
mod cloudwatch;
mod document;
mod errors;
mod pace;
mod parameter;
mod readings;
mod sagemaker;
mod scaling;
mod topics;

use alarms::{alarm_of, composite_definition, composite_state, metric_definition, metric_state, pair_of};
use bounds::bounded;

/// Four calls in a row must fit into the function's 30 seconds.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(6);
/// The timeout of one attempt. A healthy service needs a tenth of it.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(2500);

/// How many names that are taken a process remembers.
const MOST_TAKEN: usize = 64;

/// The AWS account and region that the environment names.
#[derive(Debug, Default)]
pub struct AwsClient {
    clients: OnceCell<Clients>,
    cache: Mutex<ShapeCache>,
    /// Names of copies that other configurations were found to have. Few: each was tried once.
    taken: Mutex<Vec<String>>,
}

#[derive(Debug)]
struct Clients {
    region: String,
    sagemaker: aws_sdk_sagemaker::Client,
    scaling: aws_sdk_applicationautoscaling::Client,
    alarms: cloudwatch::Alarms,
    topics: aws_sdk_sns::Client,
    parameters: aws_sdk_ssm::Client,
    web: Webhooks,
}

/// The shapes that a warm process has read, by endpoint. The endpoint's response always has its active configuration
/// and its time of creation. A cached shape is used only if both match.
#[derive(Debug, Default)]
struct ShapeCache(HashMap<String, CachedEndpoint>);

#[derive(Debug)]
struct CachedEndpoint {
    identity: EndpointIdentity,
    /// By variant.
    shapes: BTreeMap<String, String>,
}

impl ShapeCache {
    fn shape(&self, endpoint: &str, identity: &EndpointIdentity, variant: &str) -> Option<String> {
        let last = self.0.get(endpoint).filter(|last| last.identity == *identity)?;
        last.shapes.get(variant).cloned()
    }

    fn remember(&mut self, endpoint: &str, identity: &EndpointIdentity, variant: &str, shape: &str) {
        let last = self.0.remove(endpoint).filter(|last| last.identity == *identity);
        let mut last =
            last.unwrap_or_else(|| CachedEndpoint { identity: identity.clone(), shapes: BTreeMap::new() });
        last.shapes.insert(variant.to_owned(), shape.to_owned());
        self.0.insert(endpoint.to_owned(), last);
    }
}

/// An endpoint with its active configuration. The name of a deleted configuration or endpoint can be used again, so the
/// time of creation is part of the identity.
#[derive(Debug, Clone, PartialEq, Eq)]
struct EndpointIdentity {
    configuration: String,
    created: Option<Timestamp>,
}

impl EndpointIdentity {
    fn of(described: &DescribeEndpointOutput) -> Self {
        Self {
            configuration: described.endpoint_config_name().unwrap_or_default().to_owned(),
            created: described.creation_time().and_then(timestamp),
        }
    }
}

#[async_trait]
impl Client for AwsClient {
    fn serves(&self, kind: TargetKind) -> bool {
        kind == TARGET.kind
    }

    async fn connect(&self) {
        self.clients().await;
    }

    async fn observe(&self, request: &ObserveRequest<'_>) -> Result<Observation, Error> {
        let (endpoint, variant) = names(request.target)?;
        let clients = self.clients().await;
        clients.check_region(request)?;
        let changes_shape = request.changes_shape;
        let guess = self.guess(endpoint, variant, changes_shape);
        let (described, prefetched, tags, native, alarms, readings) = tokio::join!(
            sagemaker::describe_endpoint(&clients.sagemaker, endpoint),
            clients.prefetch(request, endpoint, guess.as_deref()),
            sagemaker::guessed_tags(&clients.sagemaker, guessed_arn(request, endpoint)),
            scaling::describe(&clients.scaling, request.target, changes_shape),
            cloudwatch::describe(&clients.alarms, request),
            cloudwatch::readings(&clients.alarms, request),
        );
        let (described, mut prefetched, native, alarms) = (described?, prefetched?, native?, alarms?);
        let summary = summary_of(&described, variant)?;
        let identity = EndpointIdentity::of(&described);
        let pair = pair_of(request, &alarms);
        let configuration =
            prefetched.configuration.take().filter(|found| name(found) == identity.configuration);
        let known = || {
            let warm = self.cache().shape(endpoint, &identity, variant);
            warm.or_else(|| shape_from_marker(&identity, pair.as_ref()))
        };
        let tags = sagemaker::tags(&clients.sagemaker, &described, tags);
        let (shape, tags, details) = if changes_shape {
            let details = clients.endpoint_details(request, &described, configuration, prefetched, &native);
            let (tags, details) = tokio::try_join!(tags, details)?;
            // The configuration of a running endpoint may have been deleted; then only the cache knows the shape.
            let deleted = details.configuration.is_null();
            let shape = if deleted { known() } else { Some(shape_in(&details.configuration, variant)?) };
            (shape.unwrap_or_else(|| NO_SHAPE.to_owned()), tags, Some(details))
        } else {
            let shape =
                configuration.and_then(|found| shape_of(&found, variant).map(str::to_owned)).or_else(known);
            let shape = clients.shape(shape, &identity.configuration, variant);
            let (tags, shape) = tokio::try_join!(tags, shape)?;
            (shape, tags, None)
        };
        if shape != NO_SHAPE {
            self.cache().remember(endpoint, &identity, variant, &shape);
        }
        let taken = self.taken().clone();
        let details = details.map(|details| Endpoint { tags: tags.clone(), taken, ..details });
        let readings = readings?;
        let found = ObservedVariant {
            described: &described,
            summary,
            identity,
            shape,
            native,
            tags,
            readings,
            details,
        };
        Ok(observation(request, found, alarm_of(request, &alarms), pair))
    }

    async fn policy_text(&self, name: &str) -> Result<String, Error> {
        parameter::read(&self.clients().await.parameters, name).await
    }

    async fn active_alarms(&self, action: Option<&str>, now: Timestamp) -> Result<Vec<ActiveAlarm>, Error> {
        let Some(action) = action else {
            return Err(Error::Refused {
                operation: "aws:DescribeAlarms".to_owned(),
                message:
                    "`STEPLADDER_ALARM_ACTION` is not set: expected the ARN that alarms notify to reach this function"
                        .to_owned(),
            });
        };
        let found = cloudwatch::describe_notifying(&self.clients().await.alarms, action).await?;
        let metric =
            found.metric_alarms().iter().map(|alarm| (metric_definition(alarm), metric_state(alarm)));
        let composite = found
            .composite_alarms()
            .iter()
            .map(|alarm| (composite_definition(alarm), composite_state(alarm)));
        // The API filters by prefix, so another function's action may match, too.
        let notifies_action =
            |definition: &CloudwatchAlarm| definition.actions.iter().any(|one| one == action);
        let ours = metric.chain(composite).filter(|(definition, _)| notifies_action(definition));
        Ok(ours.filter_map(|(definition, state)| active(&definition, state, now)).collect())
    }

    async fn send(&self, call: &Call) -> Result<String, Error> {
        let Clients { sagemaker: client, scaling: native, alarms, topics, web, .. } = self.clients().await;
        if let Call::Web(web::Call::Post { address, content_type, body }) = call {
            return web.post(address, content_type, body).await;
        }
        let Call::Aws(call) = call else { return Err(not_for("aws", call)) };
        match call {
            AwsCall::UpdateEndpointWeightsAndCapacities { endpoint, variant, instances } => {
                sagemaker::set_count(client, endpoint, variant, *instances).await
            }
            AwsCall::CreateEndpointConfig { body, .. } => {
                let created = sagemaker::create_configuration(client, body).await;
                if matches!(created, Err(Error::LostRace { .. })) {
                    self.note_taken(name(body));
                }
                created
            }
            AwsCall::UpdateEndpoint { endpoint, configuration, .. } => {
                sagemaker::update_endpoint(client, endpoint, configuration).await
            }
            AwsCall::DeleteEndpointConfig { name } => sagemaker::delete_configuration(client, name).await,
            AwsCall::AddTags { arn, tags } => sagemaker::add_tags(client, arn, tags).await,
            AwsCall::DeleteTags { arn, keys } => sagemaker::delete_tags(client, arn, keys).await,
            AwsCall::DeregisterScalableTarget { target } => scaling::deregister(native, target).await,
            AwsCall::RegisterScalableTarget { body } => scaling::register(native, body).await,
            AwsCall::PutScalingPolicy { body } => scaling::put_policy(native, body).await,
            AwsCall::PutScheduledAction { body } => scaling::put_scheduled_action(native, body).await,
            AwsCall::RepointAlarm { name, on, from, to } => {
                cloudwatch::repoint(alarms, name, on, from, to).await
            }
            AwsCall::PutMetricAlarm(alarm) => cloudwatch::put(alarms, alarm).await,
            AwsCall::DeleteAlarms { name } => cloudwatch::delete(alarms, name).await,
            AwsCall::Publish { topic, subject, message } => {
                topics::publish(topics, topic, subject, message).await
            }
        }
    }
}

impl AwsClient {
    async fn clients(&self) -> &Clients {
        self.clients.get_or_init(Clients::from_env).await
    }

    /// A poisoned lock is safe to use: each change of the cache is one call, so a panic elsewhere leaves none half
    /// done.
    fn cache(&self) -> MutexGuard<'_, ShapeCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn taken(&self) -> MutexGuard<'_, Vec<String>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers the latest names that are taken. One that is forgotten is tried and refused again.
    fn note_taken(&self, name: &str) {
        let mut taken = self.taken();
        if taken.len() >= MOST_TAKEN {
            taken.clear();
        }
        taken.push(name.to_owned());
    }

    /// The name of the configuration to read in parallel with the endpoint: the cached one, or else the endpoint's own
    /// name, which the SageMaker Python SDK gives it. `None` if only the type is needed, and cached.
    fn guess(&self, endpoint: &str, variant: &str, needs_all: bool) -> Option<String> {
        match self.cache().0.get(endpoint) {
            Some(last) if !needs_all && last.shapes.contains_key(variant) => None,
            Some(last) => Some(last.identity.configuration.clone()),
            None => Some(endpoint.to_owned()),
        }
    }
}

/// The variant's shape, from the marker of the paired alarm; `None` if that is of another configuration.
fn shape_from_marker(
    identity: &EndpointIdentity,
    pair: Option<&(ObservedAlarm, CloudwatchAlarm)>,
) -> Option<String> {
    let (_, alarm) = pair.filter(|(pair, _)| pair.ours)?;
    let marker = Marker::read(&alarm.description)?;
    let same = marker.configuration == identity.configuration && marker.created == identity.created;
    (same && marker.shape != NO_SHAPE).then(|| marker.shape.to_owned())
}

fn names(target: &TargetId) -> Result<(&str, &str), Error> {
    id::endpoint_and_variant(target).ok_or_else(|| Error::NotFound {
        operation: "aws:DescribeEndpoint".to_owned(),
        message: format!("`{target}` is not on AWS: expected `endpoint/<name>/variant/<name>`"),
    })
}

/// The endpoint's ARN, derived from the alarm's. SageMaker writes the names in ARNs in lower case.
fn guessed_arn(request: &ObserveRequest, endpoint: &str) -> Option<String> {
    let [partition, region, account] = arn_fields(&request.alarm.id)?;
    let resource = endpoint.to_lowercase();
    Some(format!("arn:{partition}:sagemaker:{region}:{account}:endpoint/{resource}"))
}

/// The partition, region and account of an ARN: `arn:partition:service:region:account:resource`.
fn arn_fields(arn: &str) -> Option<[&str; 3]> {
    let mut fields = arn.strip_prefix("arn:")?.split(':');
    let (partition, _service) = (fields.next()?, fields.next()?);
    Some([partition, fields.next()?, fields.next()?])
}

impl Clients {
    async fn from_env() -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_timeout(OPERATION_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .build();
        // All clients share it, because each separate one would read the root certificates again.
        let tls = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
        let http = aws_smithy_http_client::Builder::new().tls_provider(tls).build_https();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .timeout_config(timeouts)
            .load()
            .await;
        Self {
            region: config.region().map(ToString::to_string).unwrap_or_default(),
            sagemaker: bounded!(aws_sdk_sagemaker, &config),
            scaling: bounded!(aws_sdk_applicationautoscaling, &config),
            alarms: cloudwatch::Alarms::new(bounded!(aws_sdk_cloudwatch, &config)),
            topics: bounded!(aws_sdk_sns, &config),
            parameters: bounded!(aws_sdk_ssm, &config),
            web: Webhooks::default(),
        }
    }

    /// Refuses an alarm of another region, which is about another endpoint of the same name.
    fn check_region(&self, request: &ObserveRequest<'_>) -> Result<(), Error> {
        match arn_fields(&request.alarm.id) {
            Some([_, theirs, _])
                if !theirs.is_empty() && !self.region.is_empty() && theirs != self.region =>
            {
                Err(Error::Refused {
                    operation: "aws:DescribeEndpoint".to_owned(),
                    message: format!(
                        "the alarm is of region `{theirs}`, expected `{}`: send it to a function there",
                        self.region
                    ),
                })
            }
            _ => Ok(()),
        }
    }

    /// Reads configurations in parallel with the endpoint, before its response names the active one.
    async fn prefetch(
        &self,
        request: &ObserveRequest<'_>,
        endpoint: &str,
        guess: Option<&str>,
    ) -> Result<sagemaker::Prefetched, Error> {
        if request.changes_shape {
            sagemaker::prefetch_all(&self.sagemaker, endpoint, guess).await
        } else {
            Ok(sagemaker::prefetch_configuration(&self.sagemaker, guess).await)
        }
    }

    /// Adds to each policy the alarms that notify it, which are repointed when the policy gets a new ARN.
    async fn with_alarms(&self, mut native: NativeScaling) -> Result<NativeScaling, Error> {
        for policy in &mut native.policies {
            let arn = policy.get("PolicyARN").and_then(Value::as_str).unwrap_or_default();
            let alarms = cloudwatch::notifying(&self.alarms, arn).await?;
            policy["Alarms"] = alarms.into();
        }
        Ok(native)
    }

    /// A configuration; `None` if it has been deleted.
    async fn configuration(&self, name: &str) -> Result<Option<Value>, Error> {
        match sagemaker::describe_configuration(&self.sagemaker, name).await {
            Err(Error::NotFound { .. }) => Ok(None),
            found => found.map(Some),
        }
    }

    /// The variant's shape, read from the active configuration unless it is known. A deleted configuration is not
    /// reported as a missing endpoint.
    async fn shape(&self, known: Option<String>, active_name: &str, variant: &str) -> Result<String, Error> {
        if let Some(shape) = known {
            return Ok(shape);
        }
        let found = self.configuration(active_name).await?.ok_or_else(|| Error::Refused {
            operation: "aws:DescribeEndpointConfig".to_owned(),
            message: format!("the active configuration `{active_name}` has been deleted"),
        })?;
        shape_in(&found, variant)
    }

    /// Reads all that a change of type depends on.
    async fn endpoint_details(
        &self,
        request: &ObserveRequest<'_>,
        described: &DescribeEndpointOutput,
        configuration: Option<Value>,
        prefetched: sagemaker::Prefetched,
        native: &NativeScaling,
    ) -> Result<Endpoint, Error> {
        let active_name = described.endpoint_config_name().unwrap_or_default();
        let document = match configuration {
            Some(found) => found,
            None => self.configuration(active_name).await?.unwrap_or_default(),
        };
        let native = native.clone();
        let native = if request.suspends_native { self.with_alarms(native).await? } else { native };
        sagemaker::endpoint_details(&self.sagemaker, described, document, prefetched, native).await
    }
}

fn summary_of<'a>(
    described: &'a DescribeEndpointOutput,
    variant: &str,
) -> Result<&'a ProductionVariantSummary, Error> {
    let found = described.production_variants().iter().find(|found| found.variant_name() == Some(variant));
    found.ok_or_else(|| {
        let status = described.endpoint_status().map_or("", EndpointStatus::as_str);
        let operation = "aws:DescribeEndpoint".to_owned();
        let message = format!(
            "endpoint `{}` is `{status}` and has no variant `{variant}`",
            described.endpoint_name().unwrap_or_default()
        );
        // The variants of an endpoint that is being created are not listed yet.
        match TARGET.lifecycle(status) {
            Lifecycle::Settled => Error::NotFound { operation, message },
            Lifecycle::Busy | Lifecycle::Gone => Error::Refused { operation, message },
        }
    })
}

fn shape_in(configuration: &Value, variant: &str) -> Result<String, Error> {
    if find(configuration, variant).is_none() {
        return Err(Error::Refused {
            operation: "aws:DescribeEndpointConfig".to_owned(),
            message: format!("configuration `{}` has no variant `{variant}`", name(configuration)),
        });
    }
    Ok(shape_of(configuration, variant).unwrap_or(NO_SHAPE).to_owned())
}

/// All that was read about the variant itself.
struct ObservedVariant<'a> {
    described: &'a DescribeEndpointOutput,
    summary: &'a ProductionVariantSummary,
    identity: EndpointIdentity,
    shape: String,
    native: NativeScaling,
    /// The endpoint's tags, for all its variants.
    tags: Tags,
    readings: BTreeMap<String, f64>,
    details: Option<Endpoint>,
}

fn observation(
    request: &ObserveRequest,
    found: ObservedVariant,
    alarm: Option<ObservedAlarm>,
    pair: Option<(ObservedAlarm, CloudwatchAlarm)>,
) -> Observation {
    let ObservedVariant { described, summary, identity, shape, native, tags, readings, details } = found;
    let ownership = count_ownership(summary);
    // Without a count the axis is fixed, so this zero is never used.
    let running = ownership.instances.unwrap_or_default();
    let wanted = summary.desired_instance_count().and_then(|count| u32::try_from(count).ok());
    let wanted = wanted.unwrap_or(running);
    let status = described.endpoint_status().map_or("", EndpointStatus::as_str);
    let lifecycle = TARGET.lifecycle(status);
    let last_change = described.last_modified_time().and_then(timestamp);
    let (endpoint_name, variant) = id::endpoint_and_variant(request.target).unwrap_or_default();
    let settled = notes::SettledEndpoint {
        configuration: &identity.configuration,
        instances: running,
        last_change,
        capacity_backoff: request.capacity_backoff,
    };
    let settled = (lifecycle == Lifecycle::Settled).then_some(settled);
    let deployment = Deployment {
        target: request.target.clone(),
        size: Size::new(running, shape.clone()),
        heading: Size::new(wanted, shape),
        lifecycle,
        status: status.to_owned(),
        last_change,
        bounds: native::bounds(&native),
        fixed: fixed(ownership, details.as_ref(), variant),
        owners: native::owners(&native, &tags, request.target),
        pauses: native::pauses(&native),
        tags: tags::own(&tags, Some(variant)),
        readings,
        unpublished: unpublished(described.async_inference_config().is_some()),
        floor: details.as_ref().and_then(|details| floor(details, endpoint_name, variant)).map(str::to_owned),
        infeasible: notes::infeasible(&tags, variant, settled),
        alarm,
        pair: pair.as_ref().map(|(alarm, _)| alarm.clone()),
        // Alarm names are unique, so a pair has no duplicates.
        duplicates: Vec::new(),
    };
    let facts = Facts {
        configuration: identity.configuration.clone(),
        arn: described.endpoint_arn().unwrap_or_default().to_owned(),
        created: identity.created,
        endpoint: details.map(Box::new),
        pair: pair.filter(|(alarm, _)| alarm.ours).map(|(_, definition)| definition),
    };
    Observation { deployment, facts: platform::Facts::Aws(facts) }
}

/// What the endpoint's description shows of who determines the variant's count.
fn count_ownership(summary: &ProductionVariantSummary) -> CountOwnership {
    let managed = summary.managed_instance_scaling().and_then(|scaling| scaling.status());
    CountOwnership {
        is_serverless: summary.current_serverless_config().is_some(),
        is_managed: managed == Some(&ManagedInstanceScalingStatus::Enabled),
        has_pools: !summary.instance_pools().is_empty(),
        instances: summary.current_instance_count().and_then(|count| u32::try_from(count).ok()),
    }
}

/// An SDK time as a timestamp. SageMaker writes times as decimal seconds, whose digits below milliseconds are noise.
fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::from_millisecond(time.to_millis().ok()?).ok()
}
