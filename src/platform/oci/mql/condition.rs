//! What an MQL query compares: of which queries decisions may use the numbers.

use jiff::SignedDuration;

use super::text::{QueryText, mask};
use super::{interval, low_or_absent, metric, window};
use crate::alarm::{self, Condition, Coverage, Measurement, Reported, Side, Statistic};
use crate::ladder::Resource;
use crate::platform::metric::{Metric, Usage};
use crate::platform::oci::model_deployment::metric::{metric as known, usage};

/// The side of the threshold on which an alarm fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FiringSide {
    /// `>` and `>=`.
    Above,
    /// `<` and `<=`.
    Below,
    /// `==` and `!=`.
    Either,
}

impl FiringSide {
    /// The side, if it is exactly one.
    pub(crate) fn one(self) -> Option<Side> {
        match self {
            Self::Above => Some(Side::Above),
            Self::Below => Some(Side::Below),
            Self::Either => None,
        }
    }
}

/// The comparison at the end of a query: `> 80`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct QueryComparison {
    /// The side on which the alarm fires.
    pub(crate) side: FiringSide,
    /// The number compared with.
    pub(crate) threshold: f64,
}

impl QueryComparison {
    /// How far a value is beyond the threshold; a greater excess is worse.
    fn excess(self, value: f64) -> f64 {
        match self.side {
            FiringSide::Above => value - self.threshold,
            FiringSide::Below => self.threshold - value,
            FiringSide::Either => (value - self.threshold).abs(),
        }
    }

    /// The value that is furthest beyond the threshold.
    pub(crate) fn worst(self, values: impl Iterator<Item = f64>) -> Option<f64> {
        values.max_by(|a, b| self.excess(*a).total_cmp(&self.excess(*b)))
    }
}

/// What is known of the streams that a query leaves apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streams {
    /// Each may be of one instance, where the metric has a stream for each.
    OfInstances,
    /// They are of whole deployments, as in a message.
    OfDeployments,
}

/// The only comparison of a query with a number, whatever its statistic; `None` for any other query. A range
/// (`in (20, 80)`) and `absent()` have none.
pub(crate) fn comparison(query: &str) -> Option<QueryComparison> {
    let masked = mask(query);
    let compared = QueryText::new(query, &masked).bare().compared()?;
    Stream::read(&compared.left.bare().compact())?;
    Some(QueryComparison { side: side_of(compared.sign)?, threshold: number(&compared.right)? })
}

/// What an alarm with this query measures, without a value.
pub(crate) fn measurement(query: &str, streams: Streams) -> Measurement {
    // Requests that are absent were not made: their silence is as low as any number.
    let silent = low_or_absent(query)
        .filter(|low| metric(low).and_then(known).is_some_and(Metric::stops_with_traffic));
    let query = silent.unwrap_or(query);
    let masked = mask(query);
    let part = Part::read(QueryText::new(query, &masked), streams);
    let is_about_absence = QueryText::new(query, &masked).compact().contains(".absent(");
    Measurement {
        metric: part.metric.map(str::to_owned),
        condition: part.condition.per_minute(part.statistic.as_ref(), part.period),
        coverage: if is_about_absence { Coverage::Nothing } else { Coverage::Full },
        statistic: part.statistic,
        period: part.period,
        window: window(query),
        since: None,
        reported: Reported { value: None, threshold: comparison(query).map(|found| found.threshold) },
    }
}

/// One part of a query, and what decisions may use of it.
#[derive(Debug, Default)]
struct Part<'a> {
    metric: Option<&'a str>,
    /// In the query's own unit.
    condition: Condition,
    statistic: Option<Statistic>,
    period: Option<SignedDuration>,
}

impl<'a> Part<'a> {
    fn read(text: QueryText<'a>, streams: Streams) -> Self {
        let text = text.bare();
        let parts = text.joined();
        if parts.len() > 1 {
            let parts: Vec<Self> = parts.into_iter().map(|part| Self::read(part, streams)).collect();
            return Self::decisive(&parts);
        }
        Self::of_comparison(text, streams).unwrap_or_else(|| Self::of(text, Condition::Unknown))
    }

    fn of(text: QueryText<'a>, condition: Condition) -> Self {
        Self { metric: metric(text.raw), condition, ..Self::default() }
    }

    /// The part of a joined query that a decision follows, with its own metric and its own side: one that requests
    /// more, of a utilization, if there is one. Its numbers are no numbers of the whole.
    fn decisive(parts: &[Self]) -> Self {
        let is_utilization =
            |part: &&Self| part.metric.is_some_and(|metric| usage(metric) == Usage::Utilization);
        let requests_more = |part: &Self| part.side() == Some(Side::Above);
        // Where any part is about a utilization, it is one of those, whichever way it points.
        let of_use: Vec<&Self> = parts.iter().filter(is_utilization).collect();
        let candidates = if of_use.is_empty() { parts.iter().collect() } else { of_use };
        let best = candidates.into_iter().min_by_key(|part| !requests_more(part));
        let condition = best.and_then(Self::side).map_or(Condition::Unknown, Condition::Sided);
        Self { metric: best.and_then(|part| part.metric), condition, ..Self::default() }
    }

    fn side(&self) -> Option<Side> {
        match self.condition {
            Condition::Plain(alarm::Comparison { side, .. }) | Condition::Sided(side) => Some(side),
            Condition::Unknown => None,
        }
    }

    fn of_comparison(text: QueryText<'a>, streams: Streams) -> Option<Self> {
        let compared = text.compared()?;
        let (side, threshold) = (side_of(compared.sign)?.one(), number(&compared.right)?);
        let sided = || side.map_or(Condition::Unknown, Condition::Sided);
        let left = compared.left.bare();
        let compact = left.compact();
        if let Some(stream) = Stream::read(&compact) {
            return Some(Self::of_stream(text, &stream, side.zip(Some(threshold)), streams));
        }
        if let Some(nested) =
            compared.left.parenthesized().filter(|nested| nested.rest.compact().starts_with('.'))
        {
            return Some(Self::nested(&Self::read(nested.inner, streams), side));
        }
        let is_scaled = left.scaled().is_some_and(|[stream, factor]| {
            Stream::read(&stream.bare().compact()).is_some()
                && number(&factor).is_some_and(|factor| factor > 0.0)
        });
        Some(Self::of(text, if is_scaled { sided() } else { Condition::Unknown }))
    }

    /// A count of what crosses another threshold: it only shows that there are many above.
    fn nested(inner: &Self, side: Option<Side>) -> Self {
        let many_above = (inner.side(), side) == (Some(Side::Above), Some(Side::Above));
        let condition = if many_above { Condition::Sided(Side::Above) } else { Condition::Unknown };
        Self { metric: inner.metric, condition, ..Self::default() }
    }

    fn of_stream(
        text: QueryText<'a>,
        stream: &Stream<'_>,
        compared: Option<(Side, f64)>,
        streams: Streams,
    ) -> Self {
        let metric = metric(text.raw);
        let statistic = stream.statistic();
        let is_plain = metric.is_some_and(|metric| stream.is_plain(metric, statistic.as_ref(), streams))
            && !is_of_one_instance(text.raw);
        let condition = match compared {
            Some((side, threshold)) if is_plain => {
                Condition::Plain(alarm::Comparison { threshold, side, value: None })
            }
            // Few measurements, or none, are no measure of the load.
            Some((Side::Below, _)) if statistic.is_none() || statistic == Some(Statistic::Count) => {
                Condition::Unknown
            }
            Some((side, _)) => Condition::Sided(side),
            None => Condition::Unknown,
        };
        Self { metric, condition, statistic, period: interval(stream.interval) }
    }
}

/// Whether the query is about single instances: by a predicate, or by how it groups.
fn is_of_one_instance(query: &str) -> bool {
    query.to_ascii_lowercase().contains("instanceid")
}

/// One metric's stream: `cpuutilization[5m].grouping().mean()`, in lower case and without predicates.
struct Stream<'a> {
    interval: &'a str,
    /// Whether it is one over all instances.
    is_grouped: bool,
    function: &'a str,
    arguments: &'a str,
}

impl<'a> Stream<'a> {
    fn read(compact: &'a str) -> Option<Self> {
        let (name, rest) = compact.split_once('[')?;
        let is_name = name.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || "_.-$".contains(c));
        let (interval, rest) = rest.split_once(']')?;
        let (first, rest) = StreamFunction::read(rest)?;
        let groups = ["grouping", "groupby"].contains(&first.function);
        let (last, rest) = if groups { StreamFunction::read(rest)? } else { (first, rest) };
        (is_name && rest.is_empty()).then_some(Self {
            interval,
            is_grouped: groups,
            function: last.function,
            arguments: last.arguments,
        })
    }

    fn statistic(&self) -> Option<Statistic> {
        match self.function {
            "mean" | "avg" => Some(Statistic::Mean),
            "sum" => Some(Statistic::Sum),
            "count" => Some(Statistic::Count),
            // It is requested as written, so only a number may be in it.
            "max" | "min" | "percentile"
                if self.arguments.chars().all(|c| c.is_ascii_digit() || c == '.') =>
            {
                Some(Statistic::Other([self.function, "(", self.arguments, ")"].concat()))
            }
            _ => None,
        }
    }

    /// Whether its numbers are those of the whole deployment, by a statistic that decisions use.
    fn is_plain(&self, metric: &str, statistic: Option<&Statistic>, streams: Streams) -> bool {
        let is_whole =
            self.is_grouped || streams == Streams::OfDeployments || !has_a_stream_per_instance(metric);
        is_whole && statistic.is_some_and(|statistic| usage(metric).takes(statistic))
    }
}

/// Whether each instance has its own stream of a metric: all utilizations but that of the load balancer.
fn has_a_stream_per_instance(metric: &str) -> bool {
    usage(metric) == Usage::Utilization && Resource::of(metric) != Some(Resource::Bandwidth)
}

/// One function of a stream.
struct StreamFunction<'a> {
    function: &'a str,
    arguments: &'a str,
}

impl<'a> StreamFunction<'a> {
    /// The first one, and the rest behind it.
    fn read(text: &'a str) -> Option<(Self, &'a str)> {
        let (function, rest) = text.strip_prefix('.')?.split_once('(')?;
        let (arguments, rest) = rest.split_once(')')?;
        let is_function = !function.is_empty() && function.chars().all(|c| c.is_ascii_lowercase());
        (is_function && !arguments.contains('(')).then_some((Self { function, arguments }, rest))
    }
}

fn side_of(sign: &str) -> Option<FiringSide> {
    match sign {
        ">" | ">=" => Some(FiringSide::Above),
        "<" | "<=" => Some(FiringSide::Below),
        "==" | "!=" => Some(FiringSide::Either),
        _ => None,
    }
}

/// A number alone, perhaps in parentheses.
fn number(text: &QueryText<'_>) -> Option<f64> {
    text.bare().compact().parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons() {
        let read = |query: &str| comparison(query).map(|found| (found.side, found.threshold));
        assert_eq!(read("A[1m].mean() >= 80.5"), Some((FiringSide::Above, 80.5)));
        assert_eq!(read("A[1m].mean()<-10"), Some((FiringSide::Below, -10.0)));
        assert_eq!(read("A[1m].mean() <= 1e3"), Some((FiringSide::Below, 1000.0)));
        assert_eq!(read("(A[1m].mean() > (80))"), Some((FiringSide::Above, 80.0)));
        assert_eq!(read("bytes-in[1m].mean() > 80"), Some((FiringSide::Above, 80.0)));
        assert_eq!(read("A[1m].mean() != 0"), Some((FiringSide::Either, 0.0)));
        assert_eq!(read("\"my metric\"[1m].mean() > 80"), Some((FiringSide::Above, 80.0)));
        for none in [
            "A[1m].mean() > 80 && B[1m].mean() < 10",
            "A[1m].mean() in (20, 80)",
            "A[1m].mean() not in(20,80)",
            "A[1m]{x = \"> 5\"}.absent()",
            "A[1m].mean() > B[1m].mean()",
            "A[1m].mean() > 5 * 3",
            "A[1m].mean() = 3",
            "A[1m].mean() > NaN",
            "A[1m].mean() >",
            "",
        ] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    #[test]
    fn the_furthest_beyond_the_threshold() {
        let worst =
            |side, threshold| QueryComparison { side, threshold }.worst([85.0, 92.0, 5.0].into_iter());
        assert_eq!(worst(FiringSide::Above, 80.0), Some(92.0));
        assert_eq!(worst(FiringSide::Below, 90.0), Some(5.0));
        assert_eq!(worst(FiringSide::Either, 80.0), Some(5.0));
    }

    fn read(query: &str) -> Measurement {
        measurement(query, Streams::OfInstances)
    }

    fn plain(threshold: f64, side: Side) -> Condition {
        Condition::Plain(alarm::Comparison { threshold, side, value: None })
    }

    #[test]
    fn only_a_plain_comparison_has_numbers() {
        let rows = [
            ("CpuUtilization[5m]{resourceId = \"x\"}.grouping().mean() > 80", plain(80.0, Side::Above)),
            (
                "CpuUtilization[5m]{resourceId = \"x\"}.groupBy(resourceId).avg() >= 80",
                plain(80.0, Side::Above),
            ),
            ("(CpuUtilization[5m].grouping().mean()) < (10)", plain(10.0, Side::Below)),
            ("PredictBandwidth[5m].mean() > 85", plain(85.0, Side::Above)),
            ("PredictLatency[5m].percentile(.95) > 300", plain(300.0, Side::Above)),
            // a sum is one over a minute
            ("PredictRequestCount[5m].grouping().sum() > 5000", plain(1000.0, Side::Above)),
            // one stream for each instance
            ("CpuUtilization[5m].mean() > 80", Condition::Sided(Side::Above)),
            ("CpuUtilization[5m].groupBy(instanceId).mean() > 80", Condition::Sided(Side::Above)),
            ("CpuUtilization[5m]{instanceId = \"i\"}.grouping().mean() > 80", Condition::Sided(Side::Above)),
            // not the mean of a utilization
            ("CpuUtilization[5m].grouping().sum() > 80", Condition::Sided(Side::Above)),
            ("CpuUtilization[5m].grouping().max() > 80", Condition::Sided(Side::Above)),
            ("GPUCoreUtilization[5m].grouping().percentile(.9) < 80", Condition::Sided(Side::Below)),
            ("PredictRequestCount[5m].grouping().mean() > 5", Condition::Sided(Side::Above)),
            // a sum of durations, which grows with the requests
            ("PredictLatency[5m].grouping().sum() > 300", Condition::Sided(Side::Above)),
            // how much was measured
            ("CpuUtilization[5m].grouping().count() > 180", Condition::Sided(Side::Above)),
            ("CpuUtilization[5m].grouping().count() < 3", Condition::Unknown),
            // a count of those above another threshold
            (
                "(CpuUtilization[1m].groupBy(instanceId).mean() > 80).grouping().sum() >= 2",
                Condition::Sided(Side::Above),
            ),
            ("(CpuUtilization[1m].groupBy(instanceId).mean() > 80).grouping().sum() < 2", Condition::Unknown),
            ("(CpuUtilization[1m].groupBy(instanceId).mean() < 10).grouping().sum() > 2", Condition::Unknown),
            // arithmetic
            ("100 - CpuUtilization[5m].grouping().mean() > 85", Condition::Unknown),
            ("100-CpuUtilization[5m].grouping().mean() < 15", Condition::Unknown),
            ("CpuUtilization[5m].grouping().mean() + 5 > 85", Condition::Unknown),
            ("CpuUtilization[5m].grouping().mean() / 4 > 20", Condition::Sided(Side::Above)),
            (
                "CpuUtilization[5m].grouping().mean() / MemoryUtilization[5m].grouping().mean() > 2",
                Condition::Unknown,
            ),
            (
                "CpuUtilization[5m].grouping().mean() > MemoryUtilization[5m].grouping().mean()",
                Condition::Unknown,
            ),
            ("CpuUtilization[5m].grouping().mean() > 5 * 3", Condition::Unknown),
            // no side, or no number
            ("CpuUtilization[5m].grouping().mean() != 0", Condition::Unknown),
            ("CpuUtilization[5m].grouping().mean() in (20, 80)", Condition::Unknown),
            ("CpuUtilization[5m].grouping().absent()", Condition::Unknown),
            ("", Condition::Unknown),
        ];
        for (query, expected) in rows {
            assert_eq!(read(query).condition, expected, "{query}");
        }
    }

    #[test]
    fn a_message_may_show_that_a_stream_is_of_the_whole_deployment() {
        let whole = measurement("CpuUtilization[5m].mean() > 80", Streams::OfDeployments);
        assert_eq!(whole.condition, plain(80.0, Side::Above));
    }

    #[test]
    fn a_joined_query_has_the_metric_and_the_side_of_one_part() {
        let (cpu, memory) =
            ("CpuUtilization[5m].grouping().mean()", "MemoryUtilization[5m].grouping().mean()");
        let requests = "PredictRequestCount[5m].grouping().sum()";
        let rows = [
            (format!("{cpu} > 80 && {memory} < 40"), "CpuUtilization", Some(Side::Above)),
            (format!("{memory} < 40 && {cpu} > 80"), "CpuUtilization", Some(Side::Above)),
            (format!("{memory} > 85 || {cpu} > 80"), "MemoryUtilization", Some(Side::Above)),
            (format!("({cpu} < 15) && ({requests} > 0)"), "CpuUtilization", Some(Side::Below)),
            (format!("{requests} > 0 && {cpu} < 15"), "CpuUtilization", Some(Side::Below)),
            (format!("{cpu} < 15 && {memory} < 20"), "CpuUtilization", Some(Side::Below)),
            (format!("{requests} > 100 && {requests} < 900"), "PredictRequestCount", Some(Side::Above)),
            (format!("100 - {cpu} > 80 && {requests} > 5"), "CpuUtilization", None),
        ];
        for (query, metric, side) in rows {
            let found = read(&query);
            assert_eq!((found.metric.as_deref(), found.side()), (Some(metric), side), "{query}");
            assert_eq!((found.comparison(), found.reported), (None, Reported::default()), "{query}");
        }
    }

    #[test]
    fn absence_measures_nothing() {
        for query in [
            "A[5m].absent()",
            "A[5m]{r = \"x\"}.groupBy(r) .absent(2h) == 1",
            "A[5m].mean() < 1 || A[5m].absent()",
        ] {
            assert_eq!(read(query).coverage, Coverage::Nothing, "{query}");
        }
        assert_eq!(read("A[5m]{r = \".absent()\"}.mean() < 1").coverage, Coverage::Full);
    }
}
