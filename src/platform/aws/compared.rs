//! What a CloudWatch alarm compares, whatever its source: of which alarms decisions may use the numbers.

use jiff::SignedDuration;

use super::variant::metric::usage;
use crate::alarm::{Comparison, Condition, Side, Statistic};

/// What an alarm compares, as its payload or its definition spells it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Compared<'a> {
    /// What is left of the comparison operator.
    pub(crate) operand: Operand<'a>,
    /// On which side it fires.
    pub(crate) side: Option<Side>,
    /// The threshold.
    pub(crate) threshold: Option<f64>,
    /// The mean of its datapoints.
    pub(crate) value: Option<f64>,
}

/// What an alarm compares with its threshold.
#[derive(Debug, Clone, Default)]
pub(crate) enum Operand<'a> {
    /// One metric.
    Metric(ComparedMetric<'a>),
    /// One metric, with a band of anomaly detection.
    Band,
    /// An expression over metrics.
    Expression(&'a str),
    /// Nothing that is known: the states of other alarms, for instance.
    #[default]
    Nothing,
}

/// One metric as an alarm reads it.
#[derive(Debug, Clone, Default)]
pub(crate) struct ComparedMetric<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// Its statistic; `None` where the payload has none.
    pub(crate) statistic: Option<Statistic>,
    /// Its period.
    pub(crate) period: Option<SignedDuration>,
    /// The names of its dimensions.
    pub(crate) dimensions: Vec<&'a str>,
}

impl Compared<'_> {
    /// The condition, as far as decisions use it.
    pub(crate) fn condition(&self) -> Condition {
        let sided = || self.side.map_or(Condition::Unknown, Condition::Sided);
        match &self.operand {
            Operand::Metric(metric) if metric.counts_samples() => {
                if self.side == Some(Side::Above) {
                    sided()
                } else {
                    Condition::Unknown
                }
            }
            Operand::Metric(metric) => match (metric.is_usable(), self.side, self.threshold) {
                (true, Some(side), Some(threshold)) => {
                    let plain = Condition::Plain(Comparison { threshold, side, value: self.value });
                    plain.per_minute(metric.statistic.as_ref(), metric.period)
                }
                _ => sided(),
            },
            Operand::Band => sided(),
            Operand::Expression(expression) if grows_with_its_metric(expression) => sided(),
            Operand::Expression(_) | Operand::Nothing => Condition::Unknown,
        }
    }
}

/// Dimensions of which each names one part of a deployment.
const PARTS: [&str; 6] =
    ["InstanceId", "ContainerId", "GpuId", "AcceleratorId", "Host", "InferenceComponentName"];

impl ComparedMetric<'_> {
    /// Whether its numbers are those of the whole deployment, by a statistic that decisions use.
    fn is_usable(&self) -> bool {
        self.is_of_the_whole()
            && self.statistic.as_ref().is_none_or(|statistic| usage(self.name).takes(statistic))
    }

    fn is_of_the_whole(&self) -> bool {
        let has = |name: &str| self.dimensions.iter().any(|dimension| dimension.eq_ignore_ascii_case(name));
        !PARTS.into_iter().any(has)
    }

    /// The number of measurements is no measure of the load.
    fn counts_samples(&self) -> bool {
        self.statistic == Some(Statistic::Count)
    }
}

/// The longest name of a statistic: `WM(10.5%:99.5%)` and such are shorter.
const LONGEST_STATISTIC: usize = 40;

/// A statistic as CloudWatch spells it, in capitals (SNS) or not; `None` for a text that is none.
pub(crate) fn statistic(text: &str) -> Option<Statistic> {
    let is_sign = |c: char| c.is_ascii_alphanumeric() || "().%:_".contains(c);
    let is_spelled = (1..=LONGEST_STATISTIC).contains(&text.len()) && text.chars().all(is_sign);
    Some(match text.to_ascii_lowercase().as_str() {
        _ if !is_spelled => return None,
        "average" => Statistic::Mean,
        "sum" => Statistic::Sum,
        "samplecount" => Statistic::Count,
        "maximum" => Statistic::Other("Maximum".to_owned()),
        "minimum" => Statistic::Other("Minimum".to_owned()),
        _ => Statistic::Other(text.to_owned()),
    })
}

/// The expression that begins a band of anomaly detection.
const BAND: &str = "ANOMALY_DETECTION_BAND";

/// Whether an expression is a band.
pub(crate) fn is_band(expression: &str) -> bool {
    expression.trim_start().to_ascii_uppercase().starts_with(BAND)
}

/// Whether an expression is one metric filled up or scaled, so that it grows with it: `m1`, `FILL(m1, 0)`, `m1 / 4`,
/// `m1 * 100`. Of any other, such as `100 - m1`, it is unknown in which direction it points.
fn grows_with_its_metric(expression: &str) -> bool {
    let lower = expression.trim().to_ascii_lowercase();
    let inner = lower.strip_prefix("fill(").and_then(|rest| rest.split_once(','));
    let (id, rest) = match inner {
        Some((id, rest)) => (id, rest.split_once(')').map_or("-", |(_, rest)| rest)),
        None => lower.split_at(lower.find(['*', '/']).unwrap_or(lower.len())),
    };
    let id = id.trim();
    let is_id = id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_id && rest.split_inclusive(['*', '/']).map(str::trim).all(is_factor)
}

/// Whether this is a positive number with an operator behind it, or the first operator alone.
fn is_factor(text: &str) -> bool {
    let number = text.trim_end_matches(['*', '/']).trim();
    number.is_empty() || number.parse::<f64>().is_ok_and(|number| number > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn above_80(metric: ComparedMetric) -> Condition {
        let operand = Operand::Metric(metric);
        Compared { operand, side: Some(Side::Above), threshold: Some(80.0), value: Some(92.0) }.condition()
    }

    fn of<'a>(name: &'a str, stat: &str) -> ComparedMetric<'a> {
        let dimensions = vec!["EndpointName", "VariantName"];
        let period = Some(SignedDuration::from_mins(1));
        ComparedMetric { name, statistic: statistic(stat), period, dimensions }
    }

    const PLAIN: Condition =
        Condition::Plain(Comparison { threshold: 80.0, side: Side::Above, value: Some(92.0) });
    const SIDED: Condition = Condition::Sided(Side::Above);

    #[test]
    fn only_a_statistic_that_decisions_use_is_plain() {
        let rows = [
            ("CPUUtilization", "AVERAGE", PLAIN),
            ("CPUUtilization", "Average", PLAIN),
            // a payload without a statistic
            ("CPUUtilization", "", PLAIN),
            ("CPUUtilization", "SUM", SIDED),
            ("CPUUtilization", "Maximum", SIDED),
            ("CPUUtilization", "Minimum", SIDED),
            ("CPUUtilization", "p90", SIDED),
            ("CPUUtilization", "tm99", SIDED),
            ("CPUUtilization", "SampleCount", SIDED),
            ("GPUMemoryUtilization", "Maximum", SIDED),
            // of another namespace, and still a utilization
            ("ClusterUtilization", "Maximum", SIDED),
            ("CPUUtilizationNormalized", "Average", PLAIN),
            ("InvocationsPerInstance", "Sum", PLAIN),
            ("InvocationsPerInstance", "Average", SIDED),
            ("Invocations", "SampleCount", SIDED),
            // a latency is what its own threshold is held against
            ("ModelLatency", "p99", PLAIN),
            ("ModelLatency", "Average", PLAIN),
            ("ModelLatency", "Sum", SIDED),
            ("ApproximateBacklogSizePerInstance", "Average", PLAIN),
            ("ApproximateBacklogSizePerInstance", "Maximum", PLAIN),
        ];
        for (name, stat, expected) in rows {
            assert_eq!(above_80(of(name, stat)), expected, "{name} {stat}");
        }
    }

    #[test]
    fn one_part_of_a_deployment_is_not_the_whole() {
        for part in PARTS {
            let dimensions = vec!["EndpointName", part];
            assert_eq!(
                above_80(ComparedMetric { dimensions, ..of("CPUUtilization", "Average") }),
                SIDED,
                "{part}"
            );
        }
    }

    #[test]
    fn fewer_samples_mean_nothing() {
        let operand = Operand::Metric(of("CPUUtilization", "SampleCount"));
        let fewer = Compared { operand, side: Some(Side::Below), threshold: Some(2.0), value: Some(1.0) };
        assert_eq!(fewer.condition(), Condition::Unknown);
    }

    #[test]
    fn a_sum_is_one_over_a_minute() {
        let five = |stat: &str| {
            let period = Some(SignedDuration::from_mins(5));
            above_80(ComparedMetric { period, ..of("InvocationsPerInstance", stat) })
        };
        let minute = Comparison { threshold: 16.0, side: Side::Above, value: Some(92.0 / 5.0) };
        assert_eq!(five("Sum"), Condition::Plain(minute));
        assert_eq!(five(""), PLAIN);
    }

    #[test]
    fn an_expression_points_the_way_of_its_metric_or_nowhere() {
        for grows in ["m1", " m1 / 4 ", "m1*100", "m1/4*2.5", "FILL(m1, 0)", "FILL(m1,REPEAT)/60", "cpu_1"] {
            assert!(grows_with_its_metric(grows), "{grows}");
        }
        for other in [
            "100 - m1",
            "m1-m2",
            "m1+m2",
            "4/m1",
            "m1/m2",
            "m1*-1",
            "m1/0",
            "-m1",
            "FILL(m1",
            "SELECT 1",
            "",
            "ANOMALY_DETECTION_BAND(m1, 2)",
            "IF(m1 > 5, 0, 1)",
            "RATE(m1)",
            "1",
        ] {
            assert!(!grows_with_its_metric(other), "{other}");
        }
    }
}
