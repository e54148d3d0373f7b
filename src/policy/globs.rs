//! The targets that two globs have in common, as far as the globs alone decide that.

use wildmatch::WildMatch;

/// Whether everything that one glob matches is matched by the other.
pub(super) fn covers(wide: &WildMatch, narrow: &WildMatch) -> bool {
    wide.matches(&narrow.to_string())
}

/// The one of two globs whose targets all match the other. Of globs that merely overlap, no target is known that matches
/// both.
pub(super) fn narrower<'a>(one: &'a WildMatch, other: &'a WildMatch) -> Option<&'a WildMatch> {
    if covers(one, other) { Some(other) } else { covers(other, one).then_some(one) }
}
