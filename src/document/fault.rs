//! What a check finds wrong in a table, and with which of the table's keys.

use std::ops::Range;

use super::Node;

/// One thing that is wrong in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The path from the table to the place.
    path: Vec<Segment>,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment {
    Key(&'static str),
    Nth(usize),
}

impl Fault {
    /// Something wrong with a key, which may be dotted: `pair.below`.
    pub fn of(key: &'static str, message: impl Into<String>) -> Self {
        Self { path: key.split('.').map(Segment::Key).collect(), message: message.into() }
    }

    /// Something wrong with the table as a whole.
    pub fn whole(message: impl Into<String>) -> Self {
        Self { path: Vec::new(), message: message.into() }
    }

    /// The same, seen from the table in which a key holds the table.
    #[must_use]
    pub fn within(mut self, key: &'static str) -> Self {
        self.path.splice(0..0, key.split('.').map(Segment::Key));
        self
    }

    /// The same, seen from the list in which the table is the element of this index.
    #[must_use]
    pub fn nth(mut self, index: usize) -> Self {
        self.path.insert(0, Segment::Nth(index));
        self
    }

    /// The same, with the name of the table before its message.
    #[must_use]
    pub fn about(self, name: &str) -> Self {
        Self { message: format!("{name}: {}", self.message), path: self.path }
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The place in the text, as far as the path is written there.
    pub(super) fn span(&self, table: &Node<'_>, text: &str) -> Range<usize> {
        let mut node = table.clone();
        for segment in &self.path {
            let next = match segment {
                Segment::Key(key) => node.key(key),
                Segment::Nth(index) => node.nth(*index),
            };
            let Some(next) = next else { break };
            node = next;
        }
        node.span(text)
    }
}

/// The result of a check, with the key that it is about.
pub fn keyed<T>(key: &'static str, checked: Result<T, String>) -> Result<T, Fault> {
    checked.map_err(|message| Fault::of(key, message))
}

/// Everything that is wrong in a table.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// The value of a check that went well. Otherwise its fault is kept.
    pub fn note<T>(&mut self, checked: Result<T, Fault>) -> Option<T> {
        checked.map_err(|fault| self.0.push(fault)).ok()
    }

    /// The same, for a check that may find several faults.
    pub fn note_all<T>(&mut self, checked: Result<T, Faults>) -> Option<T> {
        checked.map_err(|faults| self.0.extend(faults.0)).ok()
    }

    /// Keeps a fault.
    pub fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Nothing, unless something is wrong.
    pub fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }

    /// The same, with the name of the table before each message.
    #[must_use]
    pub fn about(self, name: &str) -> Self {
        self.map(|fault| fault.about(name))
    }

    /// Each fault, changed.
    #[must_use]
    pub fn map(self, change: impl Fn(Fault) -> Fault) -> Self {
        Self(self.0.into_iter().map(change).collect())
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

impl IntoIterator for Faults {
    type Item = Fault;
    type IntoIter = std::vec::IntoIter<Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
