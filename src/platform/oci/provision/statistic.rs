//! How an alarm makes the values of a window one: the words of the policy, and those of a query.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error};

/// How the values of a window are combined.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[expect(missing_docs, reason = "the query language's own words")]
pub enum AlarmStatistic {
    #[default]
    Max,
    Mean,
    Min,
    Sum,
    Count,
    Rate,
    /// So many percent of the values are not above it: `p95`.
    Percentile(f64),
}

/// What may be written. Any other percentile may, too.
const WORDS: [&str; 10] = ["max", "mean", "min", "sum", "count", "rate", "p50", "p90", "p95", "p99"];

impl AlarmStatistic {
    /// Reads the word of a policy: a percentile as `p95` or `p99.9`.
    fn read(word: &str) -> Option<Self> {
        Some(match word {
            "max" => Self::Max,
            "mean" => Self::Mean,
            "min" => Self::Min,
            "sum" => Self::Sum,
            "count" => Self::Count,
            "rate" => Self::Rate,
            other => Self::Percentile(percentile(other.strip_prefix('p')?)?),
        })
    }

    /// Whether its result lies among the values that it is made of: a sum of percentages is none.
    pub(super) fn keeps_the_range(self) -> bool {
        matches!(self, Self::Max | Self::Mean | Self::Min | Self::Percentile(_))
    }
}

/// A number of percent between 0 and 100, written plainly.
fn percentile(text: &str) -> Option<f64> {
    let is_plain = text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    text.parse().ok().filter(|percent: &f64| is_plain && *percent > 0.0 && *percent < 100.0)
}

/// The call in a query: `max()`, `percentile(0.95)`.
impl fmt::Display for AlarmStatistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Max => "max()",
            Self::Mean => "mean()",
            Self::Min => "min()",
            Self::Sum => "sum()",
            Self::Count => "count()",
            Self::Rate => "rate()",
            // Rounded, because a hundredth of a number is mostly not one of the machine.
            Self::Percentile(percent) => {
                return write!(f, "percentile({})", (percent * 10_000.0).round() / 1e6);
            }
        })
    }
}

impl<'de> Deserialize<'de> for AlarmStatistic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = Cow::<str>::deserialize(deserializer)?;
        Self::read(&word).ok_or_else(|| D::Error::unknown_variant(&word, &WORDS))
    }
}

#[cfg(test)]
impl schemars::JsonSchema for AlarmStatistic {
    fn schema_name() -> Cow<'static, str> {
        "Statistic".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "How the values of a window are combined; a percentile is written as `p95`.",
            "anyOf": [{ "type": "string", "enum": WORDS }, { "type": "string", "pattern": r"^p[0-9]{1,2}(\.[0-9]+)?$" }]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_number_between_0_and_100() {
        let query = |word: &str| AlarmStatistic::read(word).map(|statistic| statistic.to_string());
        assert_eq!(query("p95").as_deref(), Some("percentile(0.95)"));
        assert_eq!(query("p99.9").as_deref(), Some("percentile(0.999)"));
        assert_eq!(query("p7").as_deref(), Some("percentile(0.07)"));
        assert_eq!(query("max").as_deref(), Some("max()"));
        for none in ["p", "p0", "p100", "p-5", "p1e1", "pinf", "p.5", "P95", "95", "percentile(0.95)", ""] {
            assert_eq!(query(none), None, "{none}");
        }
    }
}
