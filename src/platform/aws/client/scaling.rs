//! Reads and changes a variant's state in Application Auto Scaling.

use aws_sdk_applicationautoscaling::Client;
use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace};
use serde_json::Value;

use super::document::{RawResponse, sent_as};
use super::errors::service_error;
use crate::platform::Error;
use crate::platform::aws::variant::NativeScaling;
use crate::target::TargetId;

/// The scalable dimension of a variant.
const DIMENSION: ScalableDimension = ScalableDimension::SageMakerVariantDesiredInstanceCount;

/// Reading stops beyond this many policies or actions: they do not fit into tags, so they cannot be suspended.
const MOST: usize = 60;

/// Reads the scalable target, its policies and, if requested, its scheduled actions, which are only needed to suspend
/// it.
pub(super) async fn describe(
    client: &Client,
    target: &TargetId,
    with_actions: bool,
) -> Result<NativeScaling, Error> {
    let (targets, policies, scheduled) = tokio::join!(
        targets(client, target),
        policies(client, target),
        scheduled(client, target, with_actions)
    );
    Ok(NativeScaling { target: targets?.into_iter().next(), policies: policies?, scheduled: scheduled? })
}

async fn targets(client: &Client, target: &TargetId) -> Result<Vec<Value>, Error> {
    let response = RawResponse::default();
    let request = client
        .describe_scalable_targets()
        .service_namespace(ServiceNamespace::Sagemaker)
        .resource_ids(target.as_str())
        .scalable_dimension(DIMENSION);
    let sent = request.customize().interceptor(response.clone()).send().await;
    sent.map_err(|error| service_error("aws:DescribeScalableTargets", &error))?;
    Ok(listed(response.take(), "ScalableTargets"))
}

async fn policies(client: &Client, target: &TargetId) -> Result<Vec<Value>, Error> {
    let mut all = Vec::new();
    let mut next = None;
    loop {
        let response = RawResponse::default();
        let request = client
            .describe_scaling_policies()
            .service_namespace(ServiceNamespace::Sagemaker)
            .resource_id(target.as_str())
            .scalable_dimension(DIMENSION)
            .set_next_token(next);
        let sent = request.customize().interceptor(response.clone()).send().await;
        let page = sent.map_err(|error| service_error("aws:DescribeScalingPolicies", &error))?;
        all.extend(listed(response.take(), "ScalingPolicies"));
        next = page.next_token;
        if next.is_none() || all.len() > MOST {
            return Ok(all);
        }
    }
}

async fn scheduled(client: &Client, target: &TargetId, with_actions: bool) -> Result<Vec<Value>, Error> {
    let mut all = Vec::new();
    if !with_actions {
        return Ok(all);
    }
    let mut next = None;
    loop {
        let response = RawResponse::default();
        let request = client
            .describe_scheduled_actions()
            .service_namespace(ServiceNamespace::Sagemaker)
            .resource_id(target.as_str())
            .scalable_dimension(DIMENSION)
            .set_next_token(next);
        let sent = request.customize().interceptor(response.clone()).send().await;
        let page = sent.map_err(|error| service_error("aws:DescribeScheduledActions", &error))?;
        all.extend(listed(response.take(), "ScheduledActions"));
        next = page.next_token;
        if next.is_none() || all.len() > MOST {
            return Ok(all);
        }
    }
}

fn listed(mut response: Value, member: &str) -> Vec<Value> {
    match response.get_mut(member).map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

pub(super) async fn deregister(client: &Client, target: &str) -> Result<String, Error> {
    let sent = client
        .deregister_scalable_target()
        .service_namespace(ServiceNamespace::Sagemaker)
        .resource_id(target)
        .scalable_dimension(DIMENSION)
        .send()
        .await;
    match sent.map_err(|error| service_error("aws:DeregisterScalableTarget", &error)) {
        Ok(_) => Ok("deregistered, with its policies and actions".to_owned()),
        Err(Error::NotFound { .. }) => Ok("out already".to_owned()),
        Err(error) => Err(error),
    }
}

pub(super) async fn register(client: &Client, body: &Value) -> Result<String, Error> {
    let sent = sent_as!(client.register_scalable_target(), body).send().await;
    sent.map(|_| "registered".to_owned()).map_err(|error| service_error("aws:RegisterScalableTarget", &error))
}

pub(super) async fn put_policy(client: &Client, body: &Value) -> Result<String, Error> {
    let sent = sent_as!(client.put_scaling_policy(), body).send().await;
    sent.map(|_| "written".to_owned()).map_err(|error| service_error("aws:PutScalingPolicy", &error))
}

pub(super) async fn put_scheduled_action(client: &Client, body: &Value) -> Result<String, Error> {
    let sent = sent_as!(client.put_scheduled_action(), body).send().await;
    sent.map(|_| "written".to_owned()).map_err(|error| service_error("aws:PutScheduledAction", &error))
}
