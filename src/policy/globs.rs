//! Globs on targets: as a table writes one, and what two have in common, as far as the globs alone decide that.

use wildmatch::WildMatch;

use crate::document::Fault;

/// The glob that a table has in `target`, which matches every target where it is left out.
pub(super) fn of_targets(written: Option<&str>) -> Result<WildMatch, Fault> {
    if written.is_some_and(|glob| glob.trim().is_empty()) {
        return Err(Fault::of("target", "`target` is empty: expected a glob on the target"));
    }
    Ok(WildMatch::new(written.unwrap_or("*")))
}

/// Whether a glob has no wildcard, so that it is a name.
pub(super) fn is_exact(glob: &WildMatch) -> bool {
    !glob.to_string().contains(['*', '?'])
}

/// Whether any text is matched by both of two globs.
pub(super) fn may_meet(one: &str, other: &str) -> bool {
    let other: Vec<char> = other.chars().collect();
    // For each beginning of the other glob, whether it meets the letters of the first so far.
    let mut meets = vec![true];
    for known in &other {
        let before = meets.last() == Some(&true);
        meets.push(before && *known == '*');
    }
    for letter in one.chars() {
        let mut next = vec![letter == '*' && meets.first() == Some(&true)];
        for (known, shorter) in other.iter().zip(meets.windows(2)) {
            let [without_both, without_letter] = *shorter else { continue };
            let without_known = next.last() == Some(&true);
            next.push(if letter == '*' || *known == '*' {
                // It matches any part of the other, or nothing.
                without_letter || without_known
            } else {
                without_both && (letter == *known || letter == '?' || *known == '?')
            });
        }
        meets = next;
    }
    meets.last() == Some(&true)
}

/// Whether everything that one glob matches is matched by the other.
pub(super) fn covers(wide: &WildMatch, narrow: &WildMatch) -> bool {
    wide.matches(&narrow.to_string())
}

/// The one of two globs whose targets all match the other. Of globs that merely overlap, no target is known that matches
/// both.
pub(super) fn narrower<'a>(one: &'a WildMatch, other: &'a WildMatch) -> Option<&'a WildMatch> {
    if covers(one, other) { Some(other) } else { covers(other, one).then_some(one) }
}

#[cfg(test)]
mod tests {
    use super::may_meet;

    #[test]
    fn two_globs_meet_where_a_text_matches_both() {
        let rows = [
            ("*", "endpoint/*/variant/*", true),
            ("endpoint/prod-*", "endpoint/*/variant/*", true),
            ("endpoint/churn", "endpoint/*/variant/*", false),
            ("endpoint/churn/*", "endpoint/*/variant/*", true),
            ("churn", "endpoint/*/variant/*", false),
            ("*churn*", "endpoint/*/variant/*", true),
            ("prod-*", "endpoint/*/variant/*", false),
            ("*/AllTraffic", "endpoint/*/variant/*", true),
            ("*/Al?Traffic", "endpoint/*/variant/*", true),
            ("Endpoint/*", "endpoint/*/variant/*", false),
            ("endpoint/?/variants/?", "endpoint/*/variant/*", false),
            ("*.iad.*", "ocid1.deployment.*", true),
            ("ocid1.instance.*", "ocid1.deployment.*", false),
            ("ocid?.*", "ocid1.deployment.*", true),
            ("", "a*", false),
            ("", "*", true),
            ("a", "", false),
            ("??", "a", false),
            ("?", "?", true),
            ("a*b", "*c*", true),
            ("a*b", "*c", false),
        ];
        for (one, other, meet) in rows {
            assert_eq!(may_meet(one, other), meet, "{one} {other}");
            assert_eq!(may_meet(other, one), meet, "{other} {one}");
        }
    }
}
