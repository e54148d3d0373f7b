//! Reads and writes CloudWatch alarms, inside CloudWatch's rate limits.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput;
use aws_sdk_cloudwatch::types::{
    AlarmType, ComparisonOperator, Dimension, MetricAlarm, StandardUnit, Statistic,
};

use serde_json::{Value, json};

use super::errors::service_error;
use super::pace::{DESCRIBE_ALARMS, RateLimiter, WRITE_ALARMS};
use super::sagemaker::deleted;
use crate::platform::Error;
use crate::platform::ObserveRequest;
use crate::platform::aws::alarm::CloudwatchAlarm;

/// The most alarms that `DescribeAlarms` returns in one page.
const PAGE: i32 = 100;
/// The most pages that are read: two thousand alarms, in little more than two seconds at eight requests per second.
const MOST_PAGES: usize = 20;

/// The client, with the rate limiters of its operations.
#[derive(Debug)]
pub(super) struct Alarms {
    client: aws_sdk_cloudwatch::Client,
    describes: RateLimiter,
    puts: RateLimiter,
    deletes: RateLimiter,
}

impl Alarms {
    pub(super) fn new(client: aws_sdk_cloudwatch::Client) -> Self {
        let (describes, puts) = (RateLimiter::new(DESCRIBE_ALARMS), RateLimiter::new(WRITE_ALARMS));
        Self { client, describes, puts, deletes: RateLimiter::new(WRITE_ALARMS) }
    }

    async fn to_describe(&self) -> &aws_sdk_cloudwatch::Client {
        self.describes.wait().await;
        &self.client
    }

    async fn to_put(&self) -> &aws_sdk_cloudwatch::Client {
        self.puts.wait().await;
        &self.client
    }

    async fn to_delete(&self) -> &aws_sdk_cloudwatch::Client {
        self.deletes.wait().await;
        &self.client
    }
}

/// Reads the alarm that fired and the paired one, by their names. Without the types, the API leaves out composite
/// alarms.
pub(super) async fn describe(
    alarms: &Alarms,
    request: &ObserveRequest<'_>,
) -> Result<DescribeAlarmsOutput, Error> {
    let pair = request.pair.map(|pair| pair.name_for(request.target));
    // The paired alarm may be the one that fired.
    let pair = pair.filter(|pair| *pair != request.alarm.name.as_str());
    let names = [Some(request.alarm.name.to_string()), pair].into_iter().flatten().collect();
    named(alarms, names).await
}

/// The values of the requested metrics.
pub(super) async fn readings(
    alarms: &Alarms,
    request: &ObserveRequest<'_>,
) -> Result<BTreeMap<String, f64>, Error> {
    // `GetMetricData` allows 500 requests per second, so it needs no limiter.
    super::readings::readings(&alarms.client, request).await
}

async fn named(alarms: &Alarms, names: Vec<String>) -> Result<DescribeAlarmsOutput, Error> {
    let sent = alarms
        .to_describe()
        .await
        .describe_alarms()
        .set_alarm_names(Some(names))
        .alarm_types(AlarmType::MetricAlarm)
        .alarm_types(AlarmType::CompositeAlarm)
        .send()
        .await;
    sent.map_err(|error| service_error("aws:DescribeAlarms", &error))
}

/// Every alarm with an action that begins like this one, page by page.
pub(super) async fn describe_notifying(alarms: &Alarms, action: &str) -> Result<DescribeAlarmsOutput, Error> {
    let mut all = DescribeAlarmsOutput::builder().build();
    let mut next = None;
    for _ in 0..MOST_PAGES {
        let sent = alarms
            .to_describe()
            .await
            .describe_alarms()
            .action_prefix(action)
            .alarm_types(AlarmType::MetricAlarm)
            .alarm_types(AlarmType::CompositeAlarm)
            .max_records(PAGE)
            .set_next_token(next)
            .send()
            .await;
        let page = sent.map_err(|error| service_error("aws:DescribeAlarms", &error))?;
        all.metric_alarms.get_or_insert_default().extend(page.metric_alarms.unwrap_or_default());
        all.composite_alarms.get_or_insert_default().extend(page.composite_alarms.unwrap_or_default());
        next = page.next_token;
        if next.is_none() {
            break;
        }
    }
    Ok(all)
}

/// All alarms that notify a scaling policy, with the lists of actions that name it.
pub(super) async fn notifying(alarms: &Alarms, policy: &str) -> Result<Vec<Value>, Error> {
    let found = describe_notifying(alarms, policy).await?;
    let listed = |alarm: &MetricAlarm| {
        let mut alarm = alarm.clone();
        let on: Vec<&str> = lists(&mut alarm)
            .into_iter()
            .filter(|(_, actions)| actions.iter().any(|action| action == policy))
            .map(|(list, _)| list)
            .collect();
        (!on.is_empty()).then(|| json!({ "AlarmName": alarm.alarm_name, "On": on }))
    };
    Ok(found.metric_alarms().iter().filter_map(listed).collect())
}

pub(super) async fn put(alarms: &Alarms, alarm: &CloudwatchAlarm) -> Result<String, Error> {
    let dimensions = alarm
        .dimensions
        .iter()
        .map(|(name, value)| Dimension::builder().name(name.as_ref()).value(value).build());
    let sent = alarms
        .to_put()
        .await
        .put_metric_alarm()
        .alarm_name(&alarm.name)
        .alarm_description(&alarm.description)
        .namespace(alarm.namespace.as_ref())
        .metric_name(&alarm.metric)
        .statistic(Statistic::from(alarm.statistic.as_ref()))
        .set_dimensions(Some(dimensions.collect()))
        .period(alarm.period)
        .evaluation_periods(alarm.evaluation_periods)
        .threshold(alarm.threshold)
        .comparison_operator(ComparisonOperator::from(alarm.comparison.as_ref()))
        .treat_missing_data(alarm.missing_data.as_ref())
        .set_alarm_actions(Some(alarm.actions.clone()))
        .actions_enabled(alarm.enabled)
        .set_datapoints_to_alarm(alarm.datapoints)
        .set_unit(alarm.unit.as_deref().map(StandardUnit::from))
        .send()
        .await;
    sent.map(|_| "written".to_owned()).map_err(|error| service_error("aws:PutMetricAlarm", &error))
}

/// Writes an alarm back with one action replaced. The API replaces whole alarms, so every member is repeated.
pub(super) async fn repoint(
    alarms: &Alarms,
    name: &str,
    on: &[String],
    from: &str,
    to: &str,
) -> Result<String, Error> {
    let found = named(alarms, vec![name.to_owned()]).await?;
    let existing = found.metric_alarms.unwrap_or_default().into_iter().next();
    let Some(existing) = existing else { return Ok("gone already".to_owned()) };
    let Some(alarm) = repointed(existing, on, from, to) else { return Ok("notifies it already".to_owned()) };
    let sent = alarms
        .to_put()
        .await
        .put_metric_alarm()
        .set_alarm_name(alarm.alarm_name)
        .set_alarm_description(alarm.alarm_description)
        .set_actions_enabled(alarm.actions_enabled)
        .set_ok_actions(alarm.ok_actions)
        .set_alarm_actions(alarm.alarm_actions)
        .set_insufficient_data_actions(alarm.insufficient_data_actions)
        .set_metric_name(alarm.metric_name)
        .set_namespace(alarm.namespace)
        .set_statistic(alarm.statistic)
        .set_extended_statistic(alarm.extended_statistic)
        .set_dimensions(alarm.dimensions)
        .set_period(alarm.period)
        .set_unit(alarm.unit)
        .set_evaluation_periods(alarm.evaluation_periods)
        .set_datapoints_to_alarm(alarm.datapoints_to_alarm)
        .set_threshold(alarm.threshold)
        .set_comparison_operator(alarm.comparison_operator)
        .set_treat_missing_data(alarm.treat_missing_data)
        .set_evaluate_low_sample_count_percentile(alarm.evaluate_low_sample_count_percentile)
        .set_metrics(alarm.metrics)
        .set_threshold_metric_id(alarm.threshold_metric_id)
        .set_evaluation_window(alarm.evaluation_window)
        .set_warm_up_configuration(alarm.warm_up_configuration)
        .set_evaluation_criteria(alarm.evaluation_criteria)
        .set_evaluation_interval(alarm.evaluation_interval)
        .set_action_configuration(alarm.action_configuration)
        .send()
        .await;
    sent.map(|_| "written".to_owned()).map_err(|error| service_error("aws:PutMetricAlarm", &error))
}

/// The alarm with the new action in place of the old one; `None` if it has it already. The service may have removed the
/// old action when its policy was deleted.
fn repointed(mut alarm: MetricAlarm, on: &[String], from: &str, to: &str) -> Option<MetricAlarm> {
    let mut changed = false;
    for (list, actions) in lists(&mut alarm) {
        let before = actions.clone();
        actions.retain(|action| action != from);
        if on.iter().any(|wanted| wanted == list) && !actions.iter().any(|action| action == to) {
            actions.push(to.to_owned());
        }
        changed |= *actions != before;
    }
    changed.then_some(alarm)
}

/// The lists of actions of an alarm, by the API's names of them.
fn lists(alarm: &mut MetricAlarm) -> [(&'static str, &mut Vec<String>); 3] {
    [
        ("AlarmActions", alarm.alarm_actions.get_or_insert_default()),
        ("OKActions", alarm.ok_actions.get_or_insert_default()),
        ("InsufficientDataActions", alarm.insufficient_data_actions.get_or_insert_default()),
    ]
}

pub(super) async fn delete(alarms: &Alarms, name: &str) -> Result<String, Error> {
    let sent = alarms.to_delete().await.delete_alarms().alarm_names(name).send().await;
    deleted(sent.map_err(|error| service_error("aws:DeleteAlarms", &error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_action_replaces_the_old_one() {
        let alarm = |alarm: &[&str], ok: &[&str]| {
            let texts = |actions: &[&str]| Some(actions.iter().map(|action| (*action).to_owned()).collect());
            MetricAlarm::builder().set_alarm_actions(texts(alarm)).set_ok_actions(texts(ok)).build()
        };
        let on = ["AlarmActions".to_owned()];
        let actions = |alarm: MetricAlarm| {
            let found = repointed(alarm, &on, "old", "new")?;
            Some((found.alarm_actions().to_vec(), found.ok_actions().to_vec()))
        };
        let owned = |actions: &[&str]| actions.iter().map(|action| (*action).to_owned()).collect::<Vec<_>>();
        // it still names the old one
        assert_eq!(actions(alarm(&["old", "people"], &[])), Some((owned(&["people", "new"]), vec![])));
        // the service has removed the old one
        assert_eq!(
            actions(alarm(&["people"], &["people"])),
            Some((owned(&["people", "new"]), owned(&["people"])))
        );
        // done already
        assert_eq!(actions(alarm(&["new"], &[])), None);
    }
}
