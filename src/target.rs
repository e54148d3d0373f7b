//! The id of what is resized, and the kind of thing that it is.

use std::fmt;

/// No platform has a longer id: Azure's resource ids end at two thousand characters. Every id is copied into
/// records, queries and paths, so it must not be endless.
pub const LONGEST_ID: usize = 2048;

/// What kind of thing a target is: the name of its row in [`crate::platform::target::all`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetKind(&'static str);

impl TargetKind {
    /// A kind that a platform has.
    pub(crate) const fn new(name: &'static str) -> Self {
        Self(name)
    }
}

impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The full id of something that can be resized. Each platform makes its own, in its `id.rs`, and only legal ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetId {
    kind: TargetKind,
    id: String,
}

impl TargetId {
    /// An id that its platform has checked; `None` where it is empty, longer than [`LONGEST_ID`], or holds a character
    /// that ends a quoted text, a query or a path, or moves a terminal's cursor.
    pub(crate) fn new(kind: TargetKind, id: String) -> Option<Self> {
        let ends_text = |c: char| !c.is_ascii_graphic() || r#"'"`\{}[]()?#%&|;"#.contains(c);
        let legal = !id.is_empty() && id.len() <= LONGEST_ID && !id.contains(ends_text);
        legal.then_some(Self { kind, id })
    }

    /// What kind of thing it is.
    pub fn kind(&self) -> TargetKind {
        self.kind
    }

    /// The id as its platform spells it.
    pub fn as_str(&self) -> &str {
        &self.id
    }

    /// Whether the other is this very target, or a part of it: an endpoint covers its variants.
    pub fn covers(&self, other: &Self) -> bool {
        let rest = other.id.strip_prefix(&self.id);
        self.kind == other.kind && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The ids that a text names in lines of their own, `stepladder: target=<id>`. An alarm that measures something else
/// than its target names it so.
pub fn described_ids(text: &str) -> impl Iterator<Item = &str> {
    let settings = text.lines().filter_map(|line| line.trim().strip_prefix("stepladder:"));
    settings.filter_map(|line| line.split_whitespace().find_map(|setting| setting.strip_prefix("target=")))
}

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_named_in_a_line_of_the_exact_form() {
        let first = |text: &'static str| described_ids(text).next();
        assert_eq!(first("stepladder: target=a/b"), Some("a/b"));
        assert_eq!(first("What it is for.\r\n  stepladder:target=a/b owner=ml\r\nmore"), Some("a/b"));
        assert_eq!(first("stepladder: owner=ml target=a"), Some("a"));
        for none in [
            "target=a",
            "see stepladder: target=a",
            "stepladder: to=a",
            "stepladder:",
            "Stepladder: target=a",
            "",
        ] {
            assert_eq!(first(none), None, "{none}");
        }
        assert_eq!(described_ids("stepladder: target=a\nx\nstepladder: target=b").count(), 2);
    }

    #[test]
    fn no_id_holds_a_character_that_ends_the_text_around_it() {
        let is_legal = |id: &str| TargetId::new(TargetKind::new("test"), id.to_owned()).is_some();
        for good in ["a", "endpoint/a/variant/b", "ocid1.x.oc1..a-b_c", "<YOUR_ID>"] {
            assert!(is_legal(good), "{good}");
        }
        for bad in [
            "", "a b", "a\"b", "a'b", "a`b", "a{b", "a}b", "a(b", "a[b", "a?b", "a#b", "a%2fb", "a\\b",
            "a\nb", "é",
        ] {
            assert!(!is_legal(bad), "{bad:?}");
        }
        assert!(is_legal(&"a".repeat(LONGEST_ID)) && !is_legal(&"a".repeat(LONGEST_ID + 1)));
    }
}
