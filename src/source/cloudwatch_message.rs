//! The message that a CloudWatch alarm publishes to SNS, in whatever envelope it arrives.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::cloudwatch::{
    About, AlarmMetric, Evaluated, NamedTargets, account, longest_period, name, transition,
};
use super::field::{moment, number, seconds, text, whole};
use super::{Error, Source};
use crate::alarm::{Alarm, Measurement};
use crate::platform::aws::alarm::comparison_side;
use crate::platform::aws::state_reason::StateReason;
use crate::source::Event;

/// This shape's row.
pub(super) const SOURCE: Source = Source { name: "cloudwatch-sns", claims, read };

const SHAPE: &str = "CloudWatch alarm message";

fn claims(payload: &Value) -> bool {
    payload.get("AlarmName").is_some() && payload.get("NewStateValue").is_some()
}

fn read(payload: &Value) -> Result<Event, Error> {
    let metrics = metrics(payload.get("Trigger"));
    let id = text(payload, &["AlarmArn"]).unwrap_or_default();
    let account = account(SHAPE, payload, "AWSAccountId", id)?;
    let about = About {
        account: &account,
        metrics: &metrics,
        contributor: payload.get("AlarmContributorAttributes"),
        description: text(payload, &["AlarmDescription"]),
    };
    let NamedTargets { targets, subject } = about.read()?;
    let at = moment(payload.get("StateChangeTime"));
    let alarm = Alarm {
        id: id.to_owned(),
        name: name(SHAPE, payload, "AlarmName")?,
        is_titled: false,
        source: SOURCE.name,
        transition: transition(SHAPE, payload, "NewStateValue")?,
        muted: false,
        targets,
        unknown_targets: Vec::new(),
        subject,
        measurement: measurement(payload, &metrics, at),
        at,
        evidence: at.into(),
        topic: None,
        account: Some(account),
    };
    Ok(Event { alarms: vec![alarm], ..Event::default() })
}

/// A composite alarm has no trigger, metric math has a list, and any other alarm is one metric.
fn metrics(trigger: Option<&Value>) -> Vec<AlarmMetric<'_>> {
    let Some(trigger) = trigger else { return Vec::new() };
    match trigger.get("Metrics") {
        Some(list) if list.is_array() => AlarmMetric::list(list),
        _ => AlarmMetric::alone(trigger).into_iter().collect(),
    }
}

fn measurement(payload: &Value, metrics: &[AlarmMetric<'_>], at: Option<Timestamp>) -> Measurement {
    let of_trigger = |name: &str| payload.get("Trigger")?.get(name);
    // The band of anomaly detection moves, so its threshold is not a number, whatever the other fields contain.
    let has_band = of_trigger("ThresholdMetricId").is_some_and(Value::is_string);
    let threshold = if has_band { None } else { of_trigger("Threshold").and_then(number) };
    let reason = text(payload, &["NewStateReason"]).map(StateReason::read).unwrap_or_default();
    let operator = payload.pointer("/Trigger/ComparisonOperator").and_then(Value::as_str);
    let period = [of_trigger("Period").and_then(number), longest_period(metrics)];
    let period = period.into_iter().flatten().max_by(f64::total_cmp);
    let periods = of_trigger("EvaluationPeriods").and_then(number);
    let needed =
        ["DatapointsToAlarm", "EvaluationPeriods"].into_iter().find_map(|name| whole(of_trigger(name)?));
    let window = period.zip(periods).and_then(|(period, periods)| seconds(period * periods));
    let evaluated = Evaluated {
        metrics,
        has_band,
        side: operator.and_then(comparison_side).or(reason.side()),
        threshold,
        latest: reason.latest(),
        mean: reason.mean(threshold),
        coverage: reason.coverage(needed).unwrap_or_default(),
        window,
        since: begin(&reason, at.zip(window), period),
    };
    evaluated.measurement()
}

/// When the first evaluated datapoint begins: the first of those that are listed, or, of those that did not cross the
/// threshold, as many periods before the change of state. `None` where none is listed.
fn begin(
    reason: &StateReason,
    evaluated: Option<(Timestamp, SignedDuration)>,
    period: Option<f64>,
) -> Option<Timestamp> {
    let listed = reason.since()?;
    let first = || {
        let (at, window) = evaluated?;
        let period = seconds(period?)?.as_secs().max(1);
        let begin = at.checked_sub(window).ok()?.as_second();
        // Datapoints begin at whole periods.
        Timestamp::from_second(begin.div_euclid(period) * period).ok()
    };
    Some(first().map_or(listed, |first| first.min(listed)))
}
