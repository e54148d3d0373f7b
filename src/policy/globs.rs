//! Which targets two globs have in common, as far as the globs tell that.

use wildmatch::WildMatch;

/// Whether every target of one glob is one of the other's.
pub(super) fn covers(wide: &WildMatch, narrow: &WildMatch) -> bool {
    wide.matches(&narrow.to_string())
}

/// Whether all targets of either are the other's, too. Of globs that merely overlap nobody knows whether a target is in both.
pub(super) fn meet(one: &WildMatch, other: &WildMatch) -> bool {
    covers(one, other) || covers(other, one)
}
