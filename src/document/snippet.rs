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
    let source = harmless(text);
    let span = problem.span();
    let end = span.end.min(source.len()).max(span.start);
    let mark = AnnotationKind::Primary.span(span.start.min(source.len())..end);
    let snippet = Snippet::source(source).path(plain(file)).annotation(mark);
    renderer.render(&[Level::ERROR.primary_title(title).element(snippet)])
}

/// Nobody is to move the cursor, and what is a tab or the end of a line stays that. Everything keeps its place.
fn harmless(text: &str) -> String {
    let is_harmful = |c: char| c.is_control() && !"\t\r\n".contains(c);
    let mut source = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) { source.extend((0..c.len_utf8()).map(|_| ' ')) } else { source.push(c) }
    }
    source
}

#[cfg(test)]
mod tests {
    use super::{Style, harmless};
    use crate::policy::Policy;

    #[test]
    fn what_is_blanked_moves_nothing() {
        assert_eq!(harmless("a\u{1b}b\u{85}\té\n"), "a b  \té\n");
        // a control character of two bytes, and a place that ends after a letter of two
        let errors = Policy::parse("# \u{85}\nmode = \"é\"").unwrap_err();
        let shown = errors.with_snippets("p.toml", Style::Plain);
        assert!(shown.ends_with("2 | mode = \"é\"\n  |        ^^^"), "{shown}");
    }
}
