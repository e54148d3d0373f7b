//! Everything that is wrong with a document, in the order of the text.

use std::fmt;
use std::fmt::Write as _;
use std::ops::Range;

use super::{Document, Fault, Node, snippet};
use crate::address;

/// One thing that is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    span: Range<usize>,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// What was found and what was expected, after the table that it is about.
    pub message: String,
}

/// Why a document cannot be used: at least one problem. A webhook's address is shown up to its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors {
    /// What is shown of the document.
    text: String,
    problems: Vec<Problem>,
}

impl Errors {
    /// One problem.
    pub(super) fn one(text: &str, span: Range<usize>, message: &str) -> Self {
        let problem = Problem::new(text, span, message);
        Self { text: address::hidden(text), problems: vec![problem] }
    }

    /// Something wrong with what no document holds.
    pub(crate) fn elsewhere(message: &str) -> Self {
        Self::one("", 0..0, message)
    }

    /// Each problem, in the order of the text.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Each problem with its line and column, in one line. The sentence around it names the file.
    pub fn in_one_line(&self) -> String {
        self.problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ")
    }

    /// Each problem with the line of the document that it is in, and a caret under the place.
    pub fn with_snippets(&self, file: &str, style: snippet::Style) -> String {
        snippet::rendered(self, file, &self.text, style)
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_char('\n')?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

/// The longest message in characters: a value is repeated in it, and a value may be as long as the file.
const LONGEST_MESSAGE: usize = 1000;

/// A message without the secrets of addresses. Of one that is too long the middle is left out: what was expected is at
/// the end.
fn shown(message: &str) -> String {
    let message = address::masked(message);
    let length = message.chars().count();
    if length <= LONGEST_MESSAGE {
        return message;
    }
    let begin: String = message.chars().take(LONGEST_MESSAGE / 2).collect();
    let end: String = message.chars().skip(length - LONGEST_MESSAGE / 2).collect();
    format!("{begin}…{end}")
}

impl Problem {
    fn new(text: &str, span: Range<usize>, message: &str) -> Self {
        let message = shown(message);
        // An editor shows no column for the mark of the byte order.
        let before = text.get(..span.start).unwrap_or(text).trim_start_matches('\u{feff}');
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let line = before.matches('\n').count() + 1;
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        Self { span, line, column, message }
    }

    /// The place as a part of the text.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

/// Collects what is wrong with one document.
#[derive(Debug)]
pub struct Problems<'d> {
    document: &'d Document<'d>,
    found: Vec<Problem>,
}

impl<'d> Problems<'d> {
    /// Nothing is wrong yet.
    pub fn new(document: &'d Document<'d>) -> Self {
        Self { document, found: Vec::new() }
    }

    /// Adds what a check found in a table.
    pub fn add(&mut self, table: &Node<'_>, fault: &Fault) {
        self.push(fault.span(table, self.document.text()), fault.message());
    }

    /// Adds a complete message.
    pub(super) fn push(&mut self, span: Range<usize>, message: &str) {
        let problem = Problem::new(self.document.text(), span, message);
        if !self.found.contains(&problem) {
            self.found.push(problem);
        }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All that is wrong, in the order of the text.
    pub fn into_result(mut self) -> Result<(), Errors> {
        if self.found.is_empty() {
            return Ok(());
        }
        self.found.sort_by_key(|problem| problem.span.start);
        Err(Errors { text: address::hidden(self.document.text()), problems: self.found })
    }
}
