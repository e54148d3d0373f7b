//! Reads an OCI alarm's MQL query: `CpuUtilization[5m]{resourceId = "x"}.grouping().mean() > 80`.
//!
//! This is not a parser of the whole language. Each reader returns `None` for what it does not understand.

use jiff::SignedDuration;

mod condition;
mod text;

pub(crate) use condition::{FiringSide, Streams, comparison, measurement};
use text::mask;

/// The metric's name: the text before the first `[`.
pub(crate) fn metric(query: &str) -> Option<&str> {
    let before = query.split_once('[')?.0.trim_end();
    let name = match before.strip_suffix(['"', '\'']) {
        Some(quoted) => quoted.rsplit(['"', '\'']).next()?,
        // A joined query may open with a parenthesis.
        None => before.rsplit(|c: char| !(c.is_alphanumeric() || "_.-$".contains(c))).next()?,
    };
    // A name begins with a letter, so the `100-` of `100-CpuUtilization[5m]` is arithmetic.
    let name = if name.starts_with(|c: char| c.is_ascii_digit()) { name.rsplit('-').next()? } else { name };
    (!name.is_empty()).then_some(name)
}

/// The longest of the intervals in square brackets, which is how far back the evaluated data reaches.
pub(crate) fn window(query: &str) -> Option<SignedDuration> {
    mask(query).split('[').skip(1).filter_map(|rest| interval(rest.split_once(']')?.0.trim())).max()
}

/// The length of an interval such as `5m`.
pub(crate) fn interval(text: &str) -> Option<SignedDuration> {
    let unit = match text.chars().last()? {
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let count: u32 = text.get(..text.len() - 1)?.trim().parse().ok()?;
    (count > 0).then(|| SignedDuration::from_secs(i64::from(count) * unit))
}

/// The plain query of an alarm that also fires when its metric is absent: `A[5m].sum() < 10 || A[5m].absent(3d)`. `None`
/// for any other query, and where the two parts are not about the same streams.
pub(crate) fn low_or_absent(query: &str) -> Option<&str> {
    let (low, absent) = query.split_once(" || ")?;
    let (streams, period) = absent.rsplit_once(".absent(")?;
    let is_whole = period.strip_suffix(')').is_some_and(|period| period.chars().all(char::is_alphanumeric));
    let of_streams = low.strip_prefix(streams)?.starts_with('.');
    let is_low = comparison(low)?.side == FiringSide::Below;
    (is_whole && of_streams && is_low).then_some(low)
}

/// The deployments that the query's predicates name exactly: `resourceId = "x"`. Stops after `most` + 1 of them.
pub(crate) fn resource_ids(query: &str, most: usize) -> Vec<&str> {
    const KEY: &str = "resourceid";
    let folded = query.to_ascii_lowercase();
    let mut ids = Vec::new();
    for (at, _) in folded.match_indices(KEY) {
        if ids.len() > most {
            break;
        }
        let after = query.get(at + KEY.len()..).unwrap_or_default().trim_start();
        let inside_a_word =
            query.get(..at).unwrap_or_default().ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let value = after.strip_prefix('=').map(|rest| rest.strip_prefix('=').unwrap_or(rest).trim_start());
        if let (false, Some(id)) = (inside_a_word, value.and_then(quoted_text)) {
            ids.push(id);
        }
    }
    ids
}

fn quoted_text(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (id, _) = text.get(1..)?.split_once(quote)?;
    (!id.trim().is_empty()).then(|| id.trim())
}

#[cfg(test)]
mod tests {
    use super::condition::QueryComparison;
    use super::*;

    const PLAIN: &str = "CpuUtilization[5m]{resourceId = \"ocid1.x\"}.grouping().mean() > 80";

    #[test]
    fn a_plain_query_is_read_completely() {
        assert_eq!(metric(PLAIN), Some("CpuUtilization"));
        assert_eq!(window(PLAIN), Some(SignedDuration::from_mins(5)));
        assert_eq!(comparison(PLAIN), Some(QueryComparison { side: FiringSide::Above, threshold: 80.0 }));
        assert_eq!(resource_ids(PLAIN, 100), ["ocid1.x"]);
    }

    #[test]
    fn metrics_and_windows() {
        assert_eq!(metric("(A.b-c_d [1m].sum() / B[1h].sum()) * 100 > 1"), Some("A.b-c_d"));
        assert_eq!(metric("\"my metric\"[1m].mean() > 1"), Some("my metric"));
        assert_eq!(metric("100-CpuUtilization[5m].mean() > 1"), Some("CpuUtilization"));
        assert_eq!(metric("bytes-in[5m].mean() > 1"), Some("bytes-in"));
        assert_eq!(metric("no interval"), None);
        assert_eq!(metric("[5m]"), None);
        assert_eq!(window("A[1m].sum() > 1 && B[1h].sum() > 1"), Some(SignedDuration::from_hours(1)));
        assert_eq!(window("A[1d]{name = \"[9d]\"}.sum() > 1"), Some(SignedDuration::from_hours(24)));
        assert_eq!(window("A[99999999999d].sum()"), None);
        assert_eq!(window("A[0m].sum()"), None);
        assert_eq!(window("A[é].sum()"), None);
    }

    #[test]
    fn only_exact_predicates_name_a_deployment() {
        assert_eq!(
            resource_ids("A[1m]{RESOURCEID='x', b = \"c\"} || B[1m]{resourceID == \"y\"}", 100),
            ["x", "y"]
        );
        for none in [
            "A{resourceId =~ \"x*\"}",
            "A{resourceId != \"x\"}",
            "A{myresourceId = \"x\"}",
            "resourceId = \"",
        ] {
            assert!(resource_ids(none, 100).is_empty(), "{none}");
        }
    }
}
