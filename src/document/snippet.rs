//! Shows problems as compilers do: the line of the document, and a caret under the place.
//!
//! Only the command shows them so. A function's log has one line for all of them.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::{Errors, Problem};
use crate::text::plain;

/// Where it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// On a terminal, with colours.
    Terminal,
    /// In a file or a pipe.
    Plain,
}

/// Every problem, with a blank line between two of them.
pub(super) fn rendered(errors: &Errors, file: &str, text: &str, style: Style) -> String {
    let renderer = match style {
        Style::Terminal => Renderer::styled(),
        Style::Plain => Renderer::plain(),
    };
    let each = errors.problems().iter().map(|problem| one(problem, &renderer, file, text));
    each.collect::<Vec<_>>().join("\n\n")
}

fn one(problem: &Problem, renderer: &Renderer, file: &str, text: &str) -> String {
    let title = plain(&problem.message);
    // Nobody is to move the cursor, and what is a tab or the end of a line stays that.
    let harmless = |c: char| if c.is_control() && !"\t\r\n".contains(c) { ' ' } else { c };
    let source: String = text.chars().map(harmless).collect();
    let span = problem.span();
    let end = span.end.min(source.len()).max(span.start);
    let mark = AnnotationKind::Primary.span(span.start.min(source.len())..end);
    let snippet = Snippet::source(source).path(plain(file)).annotation(mark);
    renderer.render(&[Level::ERROR.primary_title(title).element(snippet)])
}
