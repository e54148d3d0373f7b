//! A TOML document whose every key and value is known by its place in the text.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

mod fault;
mod problem;
mod read;
mod snippet;
mod words;

pub use fault::{Fault, Faults, keyed};
pub use problem::{Errors, Problem, Problems};
pub use read::{PartialRead, Skipped};
pub use snippet::Style;
pub use words::did_you_mean;

/// A document that is well-formed TOML.
#[derive(Debug)]
pub struct Document<'a> {
    text: &'a str,
    root: Spanned<DeValue<'a>>,
}

impl<'a> Document<'a> {
    /// Reads a text. What is no TOML is one problem: nothing after it can be trusted.
    pub fn parse(text: &'a str) -> Result<Self, Errors> {
        match DeTable::parse(text) {
            Ok(root) => {
                let span = root.span();
                Ok(Self { text, root: Spanned::new(span, DeValue::Table(root.into_inner())) })
            }
            Err(error) => {
                let span = error.span().unwrap_or(0..0);
                Err(Errors::one(text, span, &words::of_syntax(text, &error)))
            }
        }
    }

    /// The table that is the whole document.
    pub fn root(&self) -> Node<'_> {
        Node { key: None, value: &self.root }
    }

    /// The document as it is written.
    pub fn text(&self) -> &str {
        self.text
    }
}

/// One value of a document, and the key that it has there.
#[derive(Debug, Clone)]
pub struct Node<'d> {
    key: Option<Range<usize>>,
    value: &'d Spanned<DeValue<'d>>,
}

impl<'d> Node<'d> {
    /// The value of a key; `None` where it is not written.
    pub fn key(&self, key: &str) -> Option<Node<'d>> {
        let (key, value) = self.value.get_ref().as_table()?.get_key_value(key)?;
        Some(Node { key: Some(key.span()), value })
    }

    /// One element of a list, counted from 0.
    pub fn nth(&self, index: usize) -> Option<Node<'d>> {
        let value = self.value.get_ref().as_array()?.get(index)?;
        Some(Node { key: None, value })
    }

    /// The value where it is a string.
    pub fn as_str(&self) -> Option<&'d str> {
        self.value.get_ref().as_str()
    }

    /// Every element of a list; none of anything else.
    pub fn elements(&self) -> impl Iterator<Item = Node<'d>> + use<'d> {
        let list = self.value.get_ref().as_array();
        list.into_iter().flatten().map(|value| Node { key: None, value })
    }

    /// Where a caret belongs: under the value, or under its key where the value has several lines.
    pub fn span(&self, text: &str) -> Range<usize> {
        let span = self.value.span();
        let has_lines = text.get(span.clone()).is_some_and(|value| value.contains('\n'));
        match &self.key {
            Some(key) if has_lines => key.clone(),
            _ => span,
        }
    }

    /// Where the value begins.
    fn start(&self) -> usize {
        self.value.span().start
    }
}
