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
    /// that moves a terminal's cursor.
    pub(crate) fn new(kind: TargetKind, id: String) -> Option<Self> {
        let legal = !id.is_empty() && id.len() <= LONGEST_ID && !id.contains(char::is_control);
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

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}
