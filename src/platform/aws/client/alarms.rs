//! Maps CloudWatch's descriptions of alarms to definitions and states.

use std::collections::BTreeSet;

use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput;
use aws_sdk_cloudwatch::types::{
    ComparisonOperator, CompositeAlarm, Dimension, EvaluationState, Metric, MetricAlarm, MetricDataQuery,
    MetricStat, StateValue, Statistic,
};

use super::timestamp;
use crate::alarm::Transition;
use crate::deployment::ObservedAlarm;
use crate::platform::ObserveRequest;
use crate::platform::aws::alarm::{AlarmState, CloudwatchAlarm, MetricMath};
use crate::platform::aws::compared::is_band;
use crate::platform::aws::named::{Names, Naming};
use crate::platform::aws::state_reason::StateReason;
use crate::platform::aws::variant::{is_ours, observed};

/// The alarm that fired.
pub(super) fn alarm_of(request: &ObserveRequest, found: &DescribeAlarmsOutput) -> Option<ObservedAlarm> {
    definition(found, &request.alarm.name).map(|alarm| observed(&alarm, false))
}

/// The alarm with the paired alarm's name, and its definition.
pub(super) fn pair_of(
    request: &ObserveRequest,
    found: &DescribeAlarmsOutput,
) -> Option<(ObservedAlarm, CloudwatchAlarm)> {
    let pair = request.pair?;
    let alarm = definition(found, &pair.name_for(request.target))?;
    let ours = is_ours(&alarm, request.target, &pair.alarm);
    Some((observed(&alarm, ours), alarm))
}

/// The state of a metric alarm.
pub(super) fn metric_state<'a>(alarm: &'a MetricAlarm) -> AlarmState {
    // A failed evaluation keeps the state, so the state is not evidence.
    let failed = matches!(
        alarm.evaluation_state(),
        Some(EvaluationState::EvaluationError | EvaluationState::EvaluationFailure)
    );
    let id = alarm.alarm_arn().unwrap_or_default();
    let of_query = |query: &'a MetricDataQuery| {
        let metric = query.metric_stat().and_then(MetricStat::metric);
        Names { account: query.account_id(), ..names(metric.map(Metric::dimensions).unwrap_or_default()) }
    };
    let metrics: Vec<Names> =
        std::iter::once(names(alarm.dimensions())).chain(alarm.metrics().iter().map(of_query)).collect();
    let naming = Naming {
        account: id.split(':').nth(4).unwrap_or_default(),
        metrics: &metrics,
        description: alarm.alarm_description().unwrap_or_default(),
        ..Naming::default()
    };
    AlarmState {
        id: id.to_owned(),
        transition: if failed { Transition::NoData } else { transition(alarm.state_value()) },
        since: alarm.state_transitioned_timestamp().and_then(timestamp),
        suppressed: false,
        reason: alarm.state_reason().map(StateReason::read).unwrap_or_default(),
        evaluation: alarm.evaluation_state().map(|state| state.as_str().to_owned()),
        named: naming.read(),
    }
}

/// The state of a composite alarm.
pub(super) fn composite_state(alarm: &CompositeAlarm) -> AlarmState {
    AlarmState {
        id: alarm.alarm_arn().unwrap_or_default().to_owned(),
        transition: transition(alarm.state_value()),
        since: alarm.state_transitioned_timestamp().and_then(timestamp),
        suppressed: alarm.actions_suppressed_by().is_some(),
        // It has no data of its own: its reason names other alarms.
        reason: StateReason::default(),
        evaluation: None,
        named: Naming { description: alarm.alarm_description().unwrap_or_default(), ..Naming::default() }
            .read(),
    }
}

fn transition(state: Option<&StateValue>) -> Transition {
    match state {
        Some(StateValue::Alarm) => Transition::Repeat,
        Some(StateValue::Ok) => Transition::Cleared,
        _ => Transition::NoData,
    }
}

fn names(dimensions: &[Dimension]) -> Names<'_> {
    let named = |name: &str| dimensions.iter().find(|one| one.name() == Some(name))?.value();
    Names { endpoint: named("EndpointName"), variant: named("VariantName"), account: None }
}

fn definition(found: &DescribeAlarmsOutput, name: &str) -> Option<CloudwatchAlarm> {
    let metric = found.metric_alarms().iter().find(|alarm| alarm.alarm_name() == Some(name));
    let composite = || found.composite_alarms().iter().find(|alarm| alarm.alarm_name() == Some(name));
    match metric {
        Some(alarm) => Some(metric_definition(alarm)),
        None => composite().map(composite_definition),
    }
}

/// The definition of a metric alarm.
pub(super) fn metric_definition(alarm: &MetricAlarm) -> CloudwatchAlarm {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    // Metric math has one period per metric; the longest determines how far back the data reaches.
    let of_stats = alarm.metrics().iter().filter_map(|query| query.metric_stat()?.period());
    let of_queries = alarm.metrics().iter().filter_map(MetricDataQuery::period);
    let period = alarm.period().or_else(|| of_stats.chain(of_queries).max());
    // An alarm on one metric may be defined by a list with that metric alone.
    let compared = compared_query(alarm);
    let stat = compared.filter(|query| query.expression().is_none()).and_then(MetricDataQuery::metric_stat);
    let metric = stat.and_then(MetricStat::metric);
    let dimensions = metric.map_or(alarm.dimensions(), Metric::dimensions);
    let statistic = stat.and_then(MetricStat::stat).or(alarm.extended_statistic());
    let period = stat.and_then(MetricStat::period).or(period);
    CloudwatchAlarm {
        name: text(alarm.alarm_name()),
        description: text(alarm.alarm_description()),
        namespace: text(metric.map_or(alarm.namespace(), Metric::namespace)).into(),
        metric: text(metric.map_or(alarm.metric_name(), Metric::metric_name)),
        statistic: text(statistic.or(alarm.statistic().map(Statistic::as_str))).into(),
        dimensions: dimensions.iter().map(|d| (text(d.name()).into(), text(d.value()))).collect(),
        period: period.unwrap_or_default(),
        evaluation_periods: alarm.evaluation_periods().unwrap_or_default(),
        threshold: alarm.threshold().unwrap_or_default(),
        comparison: text(alarm.comparison_operator().map(ComparisonOperator::as_str)).into(),
        missing_data: text(alarm.treat_missing_data()).into(),
        actions: alarm.alarm_actions().to_vec(),
        enabled: alarm.actions_enabled().unwrap_or(true),
        // Without it, all periods must breach, so the same number means the same.
        datapoints: alarm.datapoints_to_alarm().filter(|n| Some(*n) != alarm.evaluation_periods()),
        unit: alarm.unit().map(|unit| unit.as_str().to_owned()),
        math: (!alarm.metrics().is_empty() && stat.is_none()).then(|| math_of(alarm, compared)),
    }
}

/// The entry of an alarm's list of metrics that is compared with a plain threshold; `None` where it is a band.
fn compared_query(alarm: &MetricAlarm) -> Option<&MetricDataQuery> {
    let has_band = alarm.threshold_metric_id().is_some();
    match alarm.metrics() {
        _ if has_band => None,
        [only] => Some(only),
        several => several.iter().find(|query| query.return_data() == Some(true)),
    }
}

/// What an alarm on metric math compares.
fn math_of(alarm: &MetricAlarm, compared: Option<&MetricDataQuery>) -> MetricMath {
    let band = || alarm.metrics().iter().filter_map(MetricDataQuery::expression).find(|one| is_band(one));
    let expression = compared.and_then(MetricDataQuery::expression).or_else(band).unwrap_or_default();
    let names = alarm.metrics().iter().filter_map(|query| query.metric_stat()?.metric()?.metric_name());
    let names: BTreeSet<&str> = names.collect();
    let only = names.first().filter(|_| names.len() == 1);
    MetricMath { expression: expression.to_owned(), metric: only.map(|name| (*name).to_owned()) }
}

/// The definition of a composite alarm. It has no metric, so only its name, its description and its actions are set.
pub(super) fn composite_definition(alarm: &CompositeAlarm) -> CloudwatchAlarm {
    CloudwatchAlarm {
        name: alarm.alarm_name().unwrap_or_default().to_owned(),
        description: alarm.alarm_description().unwrap_or_default().to_owned(),
        actions: alarm.alarm_actions().to_vec(),
        enabled: alarm.actions_enabled().unwrap_or(true),
        ..CloudwatchAlarm::default()
    }
}
