//! Application Auto Scaling's part: what it knows of a variant, and what is taken out and put back.

use aws_sdk_applicationautoscaling::Client;
use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace};
use serde_json::Value;

use super::document::{Answer, sent_as};
use super::errors::told;
use crate::platform::Error;
use crate::platform::aws::variant::NativeScaling;
use crate::target::TargetId;

/// The dimension by which a variant is registered.
const DIMENSION: ScalableDimension = ScalableDimension::SageMakerVariantDesiredInstanceCount;

/// More policies or actions than could ever be kept in tags are not counted.
const MOST: usize = 60;

/// Scheduled actions are asked for only where they might have to be kept.
pub(super) async fn describe(
    client: &Client,
    target: &TargetId,
    whole: bool,
) -> Result<NativeScaling, Error> {
    let (targets, policies, scheduled) =
        tokio::join!(targets(client, target), policies(client, target), scheduled(client, target, whole));
    Ok(NativeScaling { target: targets?.into_iter().next(), policies: policies?, scheduled: scheduled? })
}

async fn targets(client: &Client, target: &TargetId) -> Result<Vec<Value>, Error> {
    let answer = Answer::default();
    let asked = client
        .describe_scalable_targets()
        .service_namespace(ServiceNamespace::Sagemaker)
        .resource_ids(target.as_str())
        .scalable_dimension(DIMENSION);
    let sent = asked.customize().interceptor(answer.clone()).send().await;
    sent.map_err(|error| told("aws:DescribeScalableTargets", &error))?;
    Ok(listed(answer.take(), "ScalableTargets"))
}

async fn policies(client: &Client, target: &TargetId) -> Result<Vec<Value>, Error> {
    let mut all = Vec::new();
    let mut next = None;
    loop {
        let answer = Answer::default();
        let asked = client
            .describe_scaling_policies()
            .service_namespace(ServiceNamespace::Sagemaker)
            .resource_id(target.as_str())
            .scalable_dimension(DIMENSION)
            .set_next_token(next);
        let sent = asked.customize().interceptor(answer.clone()).send().await;
        let page = sent.map_err(|error| told("aws:DescribeScalingPolicies", &error))?;
        all.extend(listed(answer.take(), "ScalingPolicies"));
        next = page.next_token;
        if next.is_none() || all.len() > MOST {
            return Ok(all);
        }
    }
}

async fn scheduled(client: &Client, target: &TargetId, whole: bool) -> Result<Vec<Value>, Error> {
    let mut all = Vec::new();
    if !whole {
        return Ok(all);
    }
    let mut next = None;
    loop {
        let answer = Answer::default();
        let asked = client
            .describe_scheduled_actions()
            .service_namespace(ServiceNamespace::Sagemaker)
            .resource_id(target.as_str())
            .scalable_dimension(DIMENSION)
            .set_next_token(next);
        let sent = asked.customize().interceptor(answer.clone()).send().await;
        let page = sent.map_err(|error| told("aws:DescribeScheduledActions", &error))?;
        all.extend(listed(answer.take(), "ScheduledActions"));
        next = page.next_token;
        if next.is_none() || all.len() > MOST {
            return Ok(all);
        }
    }
}

fn listed(mut answer: Value, member: &str) -> Vec<Value> {
    match answer.get_mut(member).map(Value::take) {
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
    match sent.map_err(|error| told("aws:DeregisterScalableTarget", &error)) {
        Ok(_) => Ok("taken out, with its policies and actions".to_owned()),
        Err(Error::NotFound { .. }) => Ok("out already".to_owned()),
        Err(error) => Err(error),
    }
}

pub(super) async fn register(client: &Client, body: &Value) -> Result<String, Error> {
    let sent = sent_as!(client.register_scalable_target(), body).send().await;
    sent.map(|_| "registered".to_owned()).map_err(|error| told("aws:RegisterScalableTarget", &error))
}

pub(super) async fn put_policy(client: &Client, body: &Value) -> Result<String, Error> {
    let sent = sent_as!(client.put_scaling_policy(), body).send().await;
    sent.map(|_| "written".to_owned()).map_err(|error| told("aws:PutScalingPolicy", &error))
}

pub(super) async fn put_scheduled_action(client: &Client, body: &Value) -> Result<String, Error> {
    let sent = sent_as!(client.put_scheduled_action(), body).send().await;
    sent.map(|_| "written".to_owned()).map_err(|error| told("aws:PutScheduledAction", &error))
}
