//! AWS: SageMaker endpoint variants, their scalable targets and CloudWatch alarms.
//!
//! Clients are built at the first question and kept. What is observed takes one round trip when the
//! endpoint's configuration is known or guessed right, two otherwise.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::BehaviorVersion;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_applicationautoscaling::types::{ScalableDimension, ScalableTarget, ServiceNamespace};
use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput;
use aws_sdk_cloudwatch::types::{AlarmType, ComparisonOperator, Dimension, StandardUnit, Statistic};
use aws_sdk_sagemaker::operation::describe_endpoint::DescribeEndpointOutput;
use aws_sdk_sagemaker::operation::describe_endpoint_config::DescribeEndpointConfigOutput;
use aws_sdk_sagemaker::primitives::DateTime;
use aws_sdk_sagemaker::types::{
    DesiredWeightAndCapacity, EndpointStatus, ManagedInstanceScalingStatus, ProductionVariantSummary,
};
use jiff::Timestamp;
use tokio::sync::OnceCell;

use super::{Cloud, Error};
use crate::alarm::TargetId;
use crate::call::{AlarmDefinition, Call, CloudwatchAlarm};
use crate::decide::Question;
use crate::deployment::{Axis, Bounds, Deployment, Facts, Lifecycle, SeenAlarm, Size};
use crate::repeat::Standing;
use crate::target::sagemaker_variant::{FIXED_SHAPE, Marker, TARGET};

mod alarms;
mod errors;

use alarms::{alarm_of, composite_definition, composite_told, metric_definition, metric_told, pair_of};
use errors::told;

/// Four calls in a row must fit into the function's 30 seconds.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(6);
/// One try; a service that is well answers in a tenth of it.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(2500);

/// The most alarms that `DescribeAlarms` returns at once.
const PAGE: i32 = 100;
/// How many pages are read at the most: two thousand alarms, in a good two seconds at the API's nine a second.
const MOST_PAGES: usize = 20;

/// The AWS account and region that the environment names.
#[derive(Debug, Default)]
pub struct AwsCloud {
    clients: OnceCell<Clients>,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Clients {
    region: String,
    sagemaker: aws_sdk_sagemaker::Client,
    scaling: aws_sdk_applicationautoscaling::Client,
    cloudwatch: aws_sdk_cloudwatch::Client,
}

/// What a warm process remembers of each endpoint. The endpoint's own answer always says which
/// configuration is in force and when the endpoint was created, so a memory is used only where both match.
#[derive(Debug, Default)]
struct Known(HashMap<String, Remembered>);

#[derive(Debug)]
struct Remembered {
    identity: Identity,
    /// By variant.
    shapes: BTreeMap<String, String>,
}

impl Known {
    fn shape(&self, endpoint: &str, identity: &Identity, variant: &str) -> Option<String> {
        let last = self.0.get(endpoint).filter(|last| last.identity == *identity)?;
        last.shapes.get(variant).cloned()
    }

    fn remember(&mut self, endpoint: &str, identity: &Identity, variant: &str, shape: &str) {
        let last = self.0.remove(endpoint).filter(|last| last.identity == *identity);
        let mut last =
            last.unwrap_or_else(|| Remembered { identity: identity.clone(), shapes: BTreeMap::new() });
        last.shapes.insert(variant.to_owned(), shape.to_owned());
        self.0.insert(endpoint.to_owned(), last);
    }
}

/// Which endpoint it is, and what it was configured with. A configuration's name may be used again once it
/// is deleted, and so may an endpoint's; both at once for an endpoint that goes on existing may not.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    configuration: String,
    created: Option<Timestamp>,
}

impl Identity {
    fn of(described: &DescribeEndpointOutput) -> Self {
        Self {
            configuration: described.endpoint_config_name().unwrap_or_default().to_owned(),
            created: described.creation_time().and_then(timestamp),
        }
    }
}

#[async_trait]
impl Cloud for AwsCloud {
    async fn observe(&self, question: &Question<'_>) -> Result<Deployment, Error> {
        let (endpoint, variant) = names(question.target)?;
        let clients = self.clients().await;
        clients.check_region(question)?;
        let guess = self.guess(endpoint, variant);
        let (described, configuration, scalable, alarms) = tokio::join!(
            clients.describe_endpoint(endpoint),
            clients.describe_guessed(guess.as_deref()),
            clients.describe_scalable_target(question.target),
            clients.describe_alarms(question),
        );
        let (described, scalable, alarms) = (described?, scalable?, alarms?);
        let identity = Identity::of(&described);
        let pair = pair_of(question, &alarms);
        let known = self.known().shape(endpoint, &identity, variant);
        let told = known.or_else(|| told_along(&identity, variant, configuration.as_ref(), pair.as_ref()));
        let shape = if let Some(shape) = told {
            shape
        } else {
            let found = clients.describe_endpoint_config(&identity.configuration).await;
            shape_in(&found.map_err(not_the_endpoint)?, variant)?
        };
        self.known().remember(endpoint, &identity, variant, &shape);
        let summary = summary_of(&described, variant)?;
        let found = Found { described: &described, summary, identity, shape, bounds: bounds(&scalable) };
        Ok(deployment(question, found, alarm_of(question, &alarms), pair))
    }

    async fn standing(&self, action: Option<&str>, now: Timestamp) -> Result<Vec<Standing>, Error> {
        let Some(action) = action else {
            return Err(Error::Refused {
                operation: "aws:DescribeAlarms".to_owned(),
                message:
                    "`STEPLADDER_ALARM_ACTION` is not set: expected the ARN that alarms call this function by"
                        .to_owned(),
            });
        };
        let found = self.clients().await.describe_calling_alarms(action).await?;
        let metric = found.metric_alarms().iter().map(|alarm| (metric_definition(alarm), metric_told(alarm)));
        let composite =
            found.composite_alarms().iter().map(|alarm| (composite_definition(alarm), composite_told(alarm)));
        // The filter is a prefix, and another function's action may begin like ours.
        let calls_us = |definition: &CloudwatchAlarm| definition.actions.iter().any(|one| one == action);
        let ours = metric.chain(composite).filter(|(definition, _)| calls_us(definition));
        Ok(ours.map(|(definition, told)| Standing::new(definition, told, now)).collect())
    }

    async fn send(&self, call: &Call) -> Result<String, Error> {
        let clients = self.clients().await;
        match call {
            Call::AwsUpdateEndpointWeightsAndCapacities { endpoint, variant, instances } => {
                clients.set_count(endpoint, variant, *instances).await
            }
            Call::AwsPutMetricAlarm(alarm) => clients.put_alarm(alarm).await,
            Call::AwsDeleteAlarms { name } => clients.delete_alarm(name).await,
            Call::OciUpdateModelDeployment { .. }
            | Call::OciCreateAlarm { .. }
            | Call::OciUpdateAlarm { .. }
            | Call::OciDeleteAlarm { .. } => Err(Error::Refused {
                operation: call.operation().to_owned(),
                message: "this is AWS: expected a call of its APIs".to_owned(),
            }),
        }
    }
}

impl AwsCloud {
    async fn clients(&self) -> &Clients {
        self.clients.get_or_init(Clients::from_env).await
    }

    /// A panic elsewhere cannot leave a memory half written: every touch is one call.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The configuration to read along with the endpoint, before the endpoint has told its name: the one
    /// it had last, or the one called like the endpoint, as the SageMaker Python SDK calls it. `None` when
    /// what it had last is known already.
    fn guess(&self, endpoint: &str, variant: &str) -> Option<String> {
        match self.known().0.get(endpoint) {
            Some(last) if last.shapes.contains_key(variant) => None,
            Some(last) => Some(last.identity.configuration.clone()),
            None => Some(endpoint.to_owned()),
        }
    }
}

/// The variant's shape, if a lucky guess or the paired alarm's marker tells it.
fn told_along(
    identity: &Identity,
    variant: &str,
    guessed: Option<&DescribeEndpointConfigOutput>,
    pair: Option<&SeenAlarm>,
) -> Option<String> {
    let right = |found: &&DescribeEndpointConfigOutput| {
        found.endpoint_config_name() == Some(identity.configuration.as_str())
    };
    let marked = || match &pair.filter(|pair| pair.ours)?.definition {
        AlarmDefinition::Cloudwatch(alarm) => Marker::read(&alarm.description),
        AlarmDefinition::Oci(_) => None,
    };
    let same = |marker: &Marker| {
        marker.configuration == identity.configuration && marker.created == identity.created
    };
    guessed
        .filter(right)
        .and_then(|found| shape_in(found, variant).ok())
        .or_else(|| marked().filter(same).map(|marker| marker.shape))
}

/// A configuration that is gone does not mean that the endpoint is.
fn not_the_endpoint(error: Error) -> Error {
    if let Error::NotFound { operation, message } = error {
        return Error::Refused { operation, message };
    }
    error
}

fn names(target: &TargetId) -> Result<(&str, &str), Error> {
    target.endpoint_and_variant().ok_or_else(|| Error::NotFound {
        operation: "aws:DescribeEndpoint".to_owned(),
        message: format!("`{target}` is not on AWS: expected `endpoint/<name>/variant/<name>`"),
    })
}

impl Clients {
    async fn from_env() -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_timeout(OPERATION_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .build();
        let config = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts).load().await;
        Self {
            region: config.region().map(ToString::to_string).unwrap_or_default(),
            sagemaker: aws_sdk_sagemaker::Client::new(&config),
            scaling: aws_sdk_applicationautoscaling::Client::new(&config),
            cloudwatch: aws_sdk_cloudwatch::Client::new(&config),
        }
    }

    /// An alarm of another region speaks of another endpoint of the same name.
    fn check_region(&self, question: &Question<'_>) -> Result<(), Error> {
        // arn:partition:cloudwatch:region:account:alarm:name
        let theirs = question.alarm.id.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(2));
        match theirs {
            Some(theirs) if !theirs.is_empty() && !self.region.is_empty() && theirs != self.region => {
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

    async fn describe_endpoint(&self, endpoint: &str) -> Result<DescribeEndpointOutput, Error> {
        let sent = self.sagemaker.describe_endpoint().endpoint_name(endpoint).send().await;
        sent.map_err(|error| told("aws:DescribeEndpoint", &error))
    }

    async fn describe_endpoint_config(&self, name: &str) -> Result<DescribeEndpointConfigOutput, Error> {
        let sent = self.sagemaker.describe_endpoint_config().endpoint_config_name(name).send().await;
        sent.map_err(|error| told("aws:DescribeEndpointConfig", &error))
    }

    /// A guess that fails, for whatever reason, is no more than a wrong guess.
    async fn describe_guessed(&self, guess: Option<&str>) -> Option<DescribeEndpointConfigOutput> {
        self.describe_endpoint_config(guess?).await.ok()
    }

    async fn describe_scalable_target(&self, target: &TargetId) -> Result<Vec<ScalableTarget>, Error> {
        let sent = self
            .scaling
            .describe_scalable_targets()
            .service_namespace(ServiceNamespace::Sagemaker)
            .resource_ids(&target.id)
            .scalable_dimension(ScalableDimension::SageMakerVariantDesiredInstanceCount)
            .send()
            .await;
        let found = sent.map_err(|error| told("aws:DescribeScalableTargets", &error))?;
        Ok(found.scalable_targets.unwrap_or_default())
    }

    /// The alarm that called and the paired one, by their names. Without the types, composite alarms
    /// would be left out.
    async fn describe_alarms(&self, question: &Question<'_>) -> Result<DescribeAlarmsOutput, Error> {
        let pair = question.matched.rule.pair.as_ref().map(|pair| pair.name_for(question.target));
        // The paired alarm may well be the one that called.
        let pair = pair.filter(|pair| *pair != question.alarm.name);
        let names = [Some(question.alarm.name.clone()), pair].into_iter().flatten().collect();
        let sent = self
            .cloudwatch
            .describe_alarms()
            .set_alarm_names(Some(names))
            .alarm_types(AlarmType::MetricAlarm)
            .alarm_types(AlarmType::CompositeAlarm)
            .send()
            .await;
        sent.map_err(|error| told("aws:DescribeAlarms", &error))
    }

    /// Every alarm that notifies the action, page by page.
    async fn describe_calling_alarms(&self, action: &str) -> Result<DescribeAlarmsOutput, Error> {
        let mut all = DescribeAlarmsOutput::builder().build();
        let mut next = None;
        for _ in 0..MOST_PAGES {
            let sent = self
                .cloudwatch
                .describe_alarms()
                .action_prefix(action)
                .alarm_types(AlarmType::MetricAlarm)
                .alarm_types(AlarmType::CompositeAlarm)
                .max_records(PAGE)
                .set_next_token(next)
                .send()
                .await;
            let page = sent.map_err(|error| told("aws:DescribeAlarms", &error))?;
            all.metric_alarms.get_or_insert_default().extend(page.metric_alarms.unwrap_or_default());
            all.composite_alarms.get_or_insert_default().extend(page.composite_alarms.unwrap_or_default());
            next = page.next_token;
            if next.is_none() {
                break;
            }
        }
        Ok(all)
    }

    async fn set_count(&self, endpoint: &str, variant: &str, instances: u32) -> Result<String, Error> {
        let operation = "aws:UpdateEndpointWeightsAndCapacities";
        let refused = |message: String| Error::Refused { operation: operation.to_owned(), message };
        let count =
            i32::try_from(instances).map_err(|_| refused(format!("`{instances}` instances are too many")))?;
        let wanted =
            DesiredWeightAndCapacity::builder().variant_name(variant).desired_instance_count(count).build();
        let sent = self
            .sagemaker
            .update_endpoint_weights_and_capacities()
            .endpoint_name(endpoint)
            .desired_weights_and_capacities(wanted)
            .send()
            .await;
        sent.map(|_| "accepted, Updating".to_owned()).map_err(|error| told(operation, &error))
    }

    async fn put_alarm(&self, alarm: &CloudwatchAlarm) -> Result<String, Error> {
        let dimensions =
            alarm.dimensions.iter().map(|(name, value)| Dimension::builder().name(name).value(value).build());
        let sent = self
            .cloudwatch
            .put_metric_alarm()
            .alarm_name(&alarm.name)
            .alarm_description(&alarm.description)
            .namespace(&alarm.namespace)
            .metric_name(&alarm.metric)
            .statistic(Statistic::from(alarm.statistic.as_str()))
            .set_dimensions(Some(dimensions.collect()))
            .period(alarm.period)
            .evaluation_periods(alarm.evaluation_periods)
            .threshold(alarm.threshold)
            .comparison_operator(ComparisonOperator::from(alarm.comparison.as_str()))
            .treat_missing_data(&alarm.missing_data)
            .set_alarm_actions(Some(alarm.actions.clone()))
            .actions_enabled(alarm.enabled)
            .set_datapoints_to_alarm(alarm.datapoints)
            .set_unit(alarm.unit.as_deref().map(StandardUnit::from))
            .send()
            .await;
        sent.map(|_| "written".to_owned()).map_err(|error| told("aws:PutMetricAlarm", &error))
    }

    async fn delete_alarm(&self, name: &str) -> Result<String, Error> {
        let Err(error) = self.cloudwatch.delete_alarms().alarm_names(name).send().await else {
            return Ok("deleted".to_owned());
        };
        let error = told("aws:DeleteAlarms", &error);
        if matches!(error, Error::NotFound { .. }) { Ok("gone already".to_owned()) } else { Err(error) }
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
        // While an endpoint is being made its variants are not listed yet.
        match TARGET.lifecycle(status) {
            Lifecycle::Settled => Error::NotFound { operation, message },
            Lifecycle::Busy | Lifecycle::Gone => Error::Refused { operation, message },
        }
    })
}

fn shape_in(configuration: &DescribeEndpointConfigOutput, variant: &str) -> Result<String, Error> {
    let found =
        configuration.production_variants().iter().find(|found| found.variant_name() == Some(variant));
    let Some(found) = found else {
        return Err(Error::Refused {
            operation: "aws:DescribeEndpointConfig".to_owned(),
            message: format!(
                "configuration `{}` has no variant `{variant}`",
                configuration.endpoint_config_name().unwrap_or_default()
            ),
        });
    };
    // A serverless variant and one of several instance pools have none; their axes are marked as fixed.
    Ok(found.instance_type().map_or_else(|| "none".to_owned(), |kind| kind.as_str().to_owned()))
}

/// A scalable target's own bounds. Capacity outside them would be pulled back in at once.
fn bounds(targets: &[ScalableTarget]) -> Option<Bounds> {
    let found = targets.first()?;
    let min = u32::try_from(found.min_capacity()).ok()?;
    let max = u32::try_from(found.max_capacity()).ok()?;
    Some(Bounds { min, max })
}

/// What was found of the variant itself.
struct Found<'a> {
    described: &'a DescribeEndpointOutput,
    summary: &'a ProductionVariantSummary,
    identity: Identity,
    shape: String,
    bounds: Option<Bounds>,
}

fn deployment(
    question: &Question,
    found: Found,
    alarm: Option<SeenAlarm>,
    pair: Option<SeenAlarm>,
) -> Deployment {
    let Found { described, summary, identity, shape, bounds } = found;
    let count = |count: Option<i32>| count.and_then(|count| u32::try_from(count).ok());
    // Without a count the axis is marked as fixed, so that nothing is ever reckoned from this zero.
    let running = count(summary.current_instance_count()).unwrap_or_default();
    let wanted = count(summary.desired_instance_count()).unwrap_or(running);
    let status = described.endpoint_status().map_or("", EndpointStatus::as_str);
    Deployment {
        target: question.target.clone(),
        size: Size { instances: running, shape: shape.clone() },
        heading: Size { instances: wanted, shape },
        lifecycle: TARGET.lifecycle(status),
        status: status.to_owned(),
        last_change: described.last_modified_time().and_then(timestamp),
        bounds,
        fixed: fixed(summary),
        alarm,
        pair,
        facts: Facts::SagemakerVariant { configuration: identity.configuration, created: identity.created },
    }
}

/// Axes that somebody else owns, or that are not there.
fn fixed(summary: &ProductionVariantSummary) -> BTreeMap<Axis, String> {
    let mut fixed = BTreeMap::from([(Axis::Shape, FIXED_SHAPE.to_owned())]);
    let managed = summary.managed_instance_scaling().and_then(|scaling| scaling.status());
    let why = if summary.current_serverless_config().is_some() {
        Some("the variant is serverless")
    } else if managed == Some(&ManagedInstanceScalingStatus::Enabled) {
        Some("its managed instance scaling owns the count")
    } else if summary.current_instance_count().is_none() {
        Some("SageMaker tells no instance count for it")
    } else {
        None
    };
    fixed.extend(why.map(|why| (Axis::Instances, why.to_owned())));
    fixed
}

/// SageMaker writes times as decimal seconds; below the millisecond they are noise.
fn timestamp(time: &DateTime) -> Option<Timestamp> {
    Timestamp::from_millisecond(time.to_millis().ok()?).ok()
}
