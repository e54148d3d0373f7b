//! What all shapes of a CloudWatch alarm share: states, metrics, and the SageMaker variants that they name.

use serde_json::Value;

use super::Error;
use super::field::{malformed, number, required, text};
use super::limits::Targets;
use crate::alarm::{AlarmName, Transition};
use crate::platform::aws::id;
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

/// The transition that the name of a state stands for.
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

/// The two dimensions that name a SageMaker variant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Variant<'a> {
    endpoint: Option<&'a str>,
    variant: Option<&'a str>,
}

impl<'a> Variant<'a> {
    /// Reads dimensions or contributor attributes: a map, or a list of `{name, value}` in either case.
    pub(super) fn read(dimensions: Option<&'a Value>) -> Self {
        let named = |wanted: &str| {
            let dimensions = dimensions?;
            let Some(list) = dimensions.as_array() else { return text(dimensions, &[wanted]) };
            let entry = list.iter().find(|entry| text(entry, &["name", "Name"]) == Some(wanted))?;
            text(entry, &["value", "Value"])
        };
        Self { endpoint: named("EndpointName"), variant: named("VariantName") }
    }

    /// The same, with missing names taken from the other.
    fn or(self, other: Self) -> Self {
        Self { endpoint: self.endpoint.or(other.endpoint), variant: self.variant.or(other.variant) }
    }

    /// The target, if both names exist and SageMaker allows them.
    fn target(self) -> Option<TargetId> {
        let (endpoint, variant) = (self.endpoint?, self.variant?);
        id::variant(endpoint, variant)
    }
}

/// One entry of an alarm's metrics: a metric, or an expression over others.
#[derive(Debug, Clone, Copy)]
pub(super) struct AlarmMetric<'a> {
    name: Option<&'a str>,
    label: Option<&'a str>,
    returned: bool,
    period: Option<f64>,
    variant: Variant<'a>,
}

impl<'a> AlarmMetric<'a> {
    /// The only metric of an alarm: its fields are in the SNS message's `Trigger` itself.
    pub(super) fn alone(trigger: &'a Value) -> Option<Self> {
        let name = text(trigger, &["MetricName"])?;
        Some(Self {
            name: Some(name),
            label: None,
            returned: true,
            period: trigger.get("Period").and_then(number),
            variant: Variant::read(trigger.get("Dimensions")),
        })
    }

    /// The entries of `Metrics` (SNS) or `metrics` (direct action, EventBridge).
    pub(super) fn list(list: &'a Value) -> Vec<Self> {
        list.as_array().into_iter().flatten().map(Self::entry).collect()
    }

    fn entry(entry: &'a Value) -> Self {
        let stat = field(entry, "metricStat");
        let metric = stat.and_then(|stat| field(stat, "metric"));
        let period = stat.and_then(|stat| field(stat, "period")).or_else(|| field(entry, "period"));
        Self {
            name: metric.and_then(|metric| text(metric, &["name", "MetricName"])),
            label: text(entry, &["label", "Label", "id", "Id"]),
            returned: field(entry, "returnData").and_then(Value::as_bool).unwrap_or(false),
            period: period.and_then(number),
            variant: Variant::read(metric.and_then(|metric| field(metric, "dimensions"))),
        }
    }
}

/// The name of what an alarm on these metrics measures: its only metric, or else the label of its expression.
pub(super) fn measured(metrics: &[AlarmMetric<'_>]) -> Option<String> {
    let mut names = metrics.iter().filter_map(|metric| metric.name);
    let single = names.next().filter(|first| names.all(|other| other == *first));
    let returned = || metrics.iter().find(|metric| metric.returned)?.label;
    single.or_else(returned).map(str::to_owned)
}

/// The longest period of the metrics, in seconds.
pub(super) fn longest_period(metrics: &[AlarmMetric<'_>]) -> Option<f64> {
    metrics.iter().filter_map(|metric| metric.period).max_by(f64::total_cmp)
}

/// The SageMaker variants that an alarm names, each once. They come from the contributor, if the message is about one,
/// else from the metrics, else (for a composite alarm) from the description.
pub(super) fn targets(
    metrics: &[AlarmMetric<'_>],
    contributor: Variant<'_>,
    description: Option<&str>,
) -> Result<Vec<TargetId>, Error> {
    let mut targets = Targets::default();
    if let Some(target) = contributor.target() {
        targets.add(target)?;
    } else if metrics.is_empty() {
        for target in description.unwrap_or_default().lines().filter_map(id::described) {
            targets.add(target)?;
        }
    } else {
        for target in metrics.iter().filter_map(|metric| contributor.or(metric.variant).target()) {
            targets.add(target)?;
        }
    }
    Ok(targets.into_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn dimensions_come_in_three_spellings() {
        let both = Variant { endpoint: Some("churn"), variant: Some("blue") };
        for dimensions in [
            json!({"EndpointName": "churn", "VariantName": "blue"}),
            json!([{"value": "churn", "name": "EndpointName"}, {"value": "blue", "name": "VariantName"}]),
            json!([{"Name": "VariantName", "Value": "blue"}, {"Name": "EndpointName", "Value": "churn"}]),
        ] {
            assert_eq!(Variant::read(Some(&dimensions)), both, "{dimensions}");
        }
        for none in [json!(null), json!("churn"), json!([1, {}]), json!({"EndpointName": 5})] {
            assert_eq!(Variant::read(Some(&none)), Variant::default(), "{none}");
        }
    }
}
