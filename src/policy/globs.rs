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

/// Whether everything that one glob matches is matched by the other.
pub(super) fn covers(wide: &WildMatch, narrow: &WildMatch) -> bool {
    wide.matches(&narrow.to_string())
}

/// The one of two globs whose targets all match the other. Of globs that merely overlap, no target is known that matches
/// both.
pub(super) fn narrower<'a>(one: &'a WildMatch, other: &'a WildMatch) -> Option<&'a WildMatch> {
    if covers(one, other) { Some(other) } else { covers(other, one).then_some(one) }
}
