//! What all shapes of a CloudWatch alarm share: states, metrics, and the SageMaker variants that they name.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::field::{malformed, number, required, seconds, text};
use super::limits::Targets;
use super::{Error, dimensions};
use crate::alarm::{AlarmName, Coverage, Measurement, Reported, Side, Statistic, Subject, Transition};
use crate::platform::aws::compared::{self, Compared, ComparedMetric, Operand};
use crate::platform::aws::id;
use crate::platform::aws::named::{Named, Names, Naming};
use crate::target::TargetId;

/// The alarm's name.
pub(super) fn name(shape: &'static str, object: &Value, field: &'static str) -> Result<AlarmName, Error> {
    const EXPECTED: &str = "the alarm's name, of at most 255 characters";
    let name = required(shape, object, field, EXPECTED)?;
    id::alarm_name(name).ok_or_else(|| malformed(shape, field, EXPECTED, object.get(field)))
}

/// The AWS account of an alarm: from the payload's own field, or from the alarm's ARN. Empty if neither has one. An
/// error if the two differ, because such a payload is forged.
pub(super) fn account(
    shape: &'static str,
    object: &Value,
    field: &'static str,
    arn: &str,
) -> Result<String, Error> {
    let of_field = text(object, &[field]).filter(|account| id::is_account(account));
    let of_arn = arn.split(':').nth(4).filter(|account| id::is_account(account));
    match (of_field, of_arn) {
        (Some(of_field), Some(of_arn)) if of_field != of_arn => {
            Err(malformed(shape, field, "the account of the alarm's ARN", object.get(field)))
        }
        (of_field, of_arn) => Ok(of_field.or(of_arn).unwrap_or_default().to_owned()),
    }
}

/// The transition that the name of a state means.
pub(super) fn transition(
    shape: &'static str,
    object: &Value,
    field: &'static str,
) -> Result<Transition, Error> {
    const STATES: &str = "`ALARM`, `OK` or `INSUFFICIENT_DATA`";
    match required(shape, object, field, STATES)?.to_ascii_uppercase().as_str() {
        "ALARM" => Ok(Transition::Firing),
        "OK" => Ok(Transition::Cleared),
        "INSUFFICIENT_DATA" => Ok(Transition::NoData),
        _ => Err(malformed(shape, field, STATES, object.get(field))),
    }
}

/// A field by its `camelCase` name, or by the `PascalCase` name that the same field has inside SNS messages.
pub(super) fn field<'a>(object: &'a Value, camel: &str) -> Option<&'a Value> {
    object.get(camel).or_else(|| {
        let mut letters = camel.chars();
        let first = letters.next()?.to_ascii_uppercase();
        object.get(format!("{first}{}", letters.as_str()))
    })
}

/// The account that a metric names; `None` where it names none, and so belongs to that of the alarm.
fn metric_account(metric: &Value) -> Option<&str> {
    let written = field(metric, "accountId").filter(|written| !written.is_null())?;
    Some(written.as_str().filter(|account| id::is_account(account)).unwrap_or("that cannot be read"))
}

/// How dimensions or contributor attributes name a target.
pub(super) fn names(dimensions: Option<&Value>) -> Names<'_> {
    let named = |wanted: &str| dimensions::of_one(dimensions?).find(|one| one.name == wanted)?.value;
    // A query over several accounts groups by this label.
    let account = named("AWS.AccountId");
    Names { endpoint: named("EndpointName"), variant: named("VariantName"), account }
}

/// One entry of an alarm's metrics: a metric, or an expression over others.
#[derive(Debug, Clone, Copy)]
pub(super) struct AlarmMetric<'a> {
    name: Option<&'a str>,
    label: Option<&'a str>,
    expression: Option<&'a str>,
    returned: bool,
    statistic: Option<&'a str>,
    period: Option<f64>,
    dimensions: Option<&'a Value>,
    account: Option<&'a str>,
}

impl<'a> AlarmMetric<'a> {
    /// The only metric of an alarm: its fields are in the SNS message's `Trigger` itself.
    pub(super) fn alone(trigger: &'a Value) -> Option<Self> {
        let name = text(trigger, &["MetricName"])?;
        Some(Self {
            name: Some(name),
            label: None,
            expression: None,
            returned: true,
            statistic: trigger_statistic(trigger),
            period: trigger.get("Period").and_then(number),
            dimensions: trigger.get("Dimensions"),
            account: metric_account(trigger),
        })
    }

    /// The entries of `Metrics` (SNS) or `metrics` (direct action, EventBridge).
    pub(super) fn list(list: &'a Value) -> Vec<Self> {
        list.as_array().into_iter().flatten().map(Self::entry).collect()
    }

    /// How it names a target.
    fn names(&self) -> Names<'a> {
        let names = names(self.dimensions);
        Names { account: self.account.or(names.account), ..names }
    }

    fn entry(entry: &'a Value) -> Self {
        let stat = field(entry, "metricStat");
        let metric = stat.and_then(|stat| field(stat, "metric"));
        let period = stat.and_then(|stat| field(stat, "period")).or_else(|| field(entry, "period"));
        Self {
            name: metric.and_then(|metric| text(metric, &["name", "MetricName"])),
            label: text(entry, &["label", "Label", "id", "Id"]),
            expression: text(entry, &["expression", "Expression"]),
            returned: field(entry, "returnData").and_then(Value::as_bool).unwrap_or(false),
            statistic: stat.and_then(|stat| text(stat, &["stat", "Stat"])),
            period: period.and_then(number),
            dimensions: metric.and_then(|metric| field(metric, "dimensions")),
            account: metric_account(entry),
        }
    }

    fn statistic(&self) -> Option<Statistic> {
        compared::statistic(self.statistic?)
    }

    fn period(&self) -> Option<SignedDuration> {
        seconds(self.period?)
    }

    fn compared(&self, name: &'a str) -> ComparedMetric<'a> {
        let dimensions =
            self.dimensions.into_iter().flat_map(dimensions::of_one).map(|one| one.name).collect();
        ComparedMetric { name, statistic: self.statistic(), period: self.period(), dimensions }
    }
}

/// The statistic of an alarm on one metric: a percentile has a field of its own.
fn trigger_statistic(trigger: &Value) -> Option<&str> {
    let extended = text(trigger, &["StatisticType"]) == Some("ExtendedStatistic");
    let names =
        if extended { ["ExtendedStatistic", "Statistic"] } else { ["Statistic", "ExtendedStatistic"] };
    text(trigger, &names)
}

/// All that a payload reports of an alarm's data, whatever its envelope.
pub(super) struct Evaluated<'a> {
    /// Its metrics.
    pub(super) metrics: &'a [AlarmMetric<'a>],
    /// Whether its threshold is a band, as far as the payload reports it besides its metrics.
    pub(super) has_band: bool,
    /// On which side it fires.
    pub(super) side: Option<Side>,
    /// Its threshold.
    pub(super) threshold: Option<f64>,
    /// The latest and the mean value.
    pub(super) latest: Option<f64>,
    /// The mean of its datapoints.
    pub(super) mean: Option<f64>,
    /// How much of its data there was.
    pub(super) coverage: Coverage,
    /// How far back it reaches.
    pub(super) window: Option<SignedDuration>,
    /// When the first datapoint begins.
    pub(super) since: Option<Timestamp>,
}

impl Evaluated<'_> {
    /// The measurement. Its numbers are those of the metric only where the alarm compares just that.
    pub(super) fn measurement(self) -> Measurement {
        let (operand, one) = operand(self.metrics, self.has_band);
        let is_band = matches!(operand, Operand::Band);
        let is_expression = matches!(operand, Operand::Expression(_));
        let condition = Compared { operand, side: self.side, threshold: self.threshold, value: self.mean };
        Measurement {
            metric: measured(self.metrics),
            condition: condition.condition(),
            coverage: self.coverage,
            statistic: one.and_then(AlarmMetric::statistic),
            period: one.and_then(AlarmMetric::period),
            window: self.window,
            since: self.since,
            reported: Reported {
                value: self.latest.filter(|_| !is_expression),
                threshold: self.threshold.filter(|_| !is_expression && !is_band),
            },
        }
    }
}

/// What an alarm on these metrics compares, and the metric where it is one alone.
fn operand<'a, 'b>(
    metrics: &'b [AlarmMetric<'a>],
    has_band: bool,
) -> (Operand<'a>, Option<&'b AlarmMetric<'a>>) {
    let is_band = |metric: &AlarmMetric| metric.expression.is_some_and(compared::is_band);
    if has_band || metrics.iter().any(is_band) {
        return (Operand::Band, None);
    }
    let compared = match metrics {
        [only] => Some(only),
        several => several.iter().find(|metric| metric.returned),
    };
    match compared {
        Some(AlarmMetric { expression: Some(expression), .. }) => (Operand::Expression(expression), None),
        Some(one @ AlarmMetric { name: Some(name), .. }) => (Operand::Metric(one.compared(name)), Some(one)),
        // Which of several is compared is not known.
        _ if metrics.len() > 1 => (Operand::Expression(""), None),
        _ => (Operand::Nothing, None),
    }
}

/// The name of what an alarm on these metrics measures: its only metric, or else the label of its expression.
pub(super) fn measured(metrics: &[AlarmMetric<'_>]) -> Option<String> {
    let mut names = metrics.iter().filter_map(|metric| metric.name);
    let single = names.next().filter(|first| names.all(|other| other == *first));
    // One of several that is compared alone is the one.
    let returned = || metrics.iter().find(|metric| metric.returned).and_then(|it| it.name.or(it.label));
    single.or_else(returned).map(str::to_owned)
}

/// The longest period of the metrics, in seconds.
pub(super) fn longest_period(metrics: &[AlarmMetric<'_>]) -> Option<f64> {
    metrics.iter().filter_map(|metric| metric.period).max_by(f64::total_cmp)
}

/// Every part of a payload that names what its alarm is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    /// The account of the alarm; empty where the payload has none.
    pub(super) account: &'a str,
    /// Its metrics.
    pub(super) metrics: &'a [AlarmMetric<'a>],
    /// The attributes of the contributor that it is about.
    pub(super) contributor: Option<&'a Value>,
    /// Its description.
    pub(super) description: Option<&'a str>,
}

/// The targets of an alarm, and what it measures.
#[derive(Debug)]
pub(super) struct NamedTargets {
    pub(super) targets: Vec<TargetId>,
    pub(super) subject: Subject,
}

impl About<'_> {
    /// The SageMaker variants that the alarm names, each once.
    pub(super) fn read(self) -> Result<NamedTargets, Error> {
        let metrics: Vec<Names> = self.metrics.iter().map(AlarmMetric::names).collect();
        let naming = Naming {
            account: self.account,
            metrics: &metrics,
            contributor: names(self.contributor),
            description: self.description.unwrap_or_default(),
        };
        let Named { targets, foreign_account } = naming.read();
        let mut bounded = Targets::default();
        targets.into_iter().try_for_each(|target| bounded.add(target))?;
        let written =
            self.contributor.into_iter().chain(self.metrics.iter().filter_map(|metric| metric.dimensions));
        let subject = Subject { dimensions: dimensions::all(written), foreign_account };
        Ok(NamedTargets { targets: bounded.into_vec(), subject })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn dimensions_come_in_three_spellings() {
        let both = Names { endpoint: Some("churn"), variant: Some("blue"), account: None };
        for dimensions in [
            json!({"EndpointName": "churn", "VariantName": "blue"}),
            json!([{"value": "churn", "name": "EndpointName"}, {"value": "blue", "name": "VariantName"}]),
            json!([{"Name": "VariantName", "Value": "blue"}, {"Name": "EndpointName", "Value": "churn"}]),
        ] {
            assert_eq!(names(Some(&dimensions)), both, "{dimensions}");
        }
        for none in [json!(null), json!("churn"), json!([1, {}]), json!({"EndpointName": 5})] {
            assert_eq!(names(Some(&none)), Names::default(), "{none}");
        }
    }
}
