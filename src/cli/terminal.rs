//! Prints text for people: on a terminal with lines that fit and with colours, in a pipe unchanged.

use std::borrow::Cow;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use terminal_size::{Height, Width, terminal_size_of};
use textwrap::{Options, WordSeparator, WordSplitter, wrap};

/// A line on a narrower terminal is still this wide, so that a text beside its label is readable.
const NARROWEST: usize = 40;

/// A line on a wider terminal is not wider, because longer lines are hard to read. The same as for `--help`.
const WIDEST: usize = 120;

/// What is coloured where it is a column of its own.
const COLOURED: [(&str, AnsiColor); 7] = [
    ("applied", AnsiColor::Green),
    ("done", AnsiColor::Green),
    ("passed", AnsiColor::Green),
    ("held", AnsiColor::Yellow),
    ("blocked", AnsiColor::Yellow),
    ("dry run", AnsiColor::Cyan),
    ("failed", AnsiColor::Red),
];

/// Prints the result of a subcommand on standard output.
pub(super) fn print(text: &str) -> io::Result<()> {
    let lines = fitted(text, width(terminal_size_of(io::stdout())));
    // It leaves out the colours in a pipe and with `NO_COLOR`.
    let mut stdout = anstream::stdout();
    stdout.write_all(coloured(&lines).as_bytes())?;
    stdout.flush()
}

/// Prints an error on standard error.
pub(super) fn error(message: &str) {
    report("error", AnsiColor::Red, message);
}

/// Prints a warning on standard error.
pub(super) fn warning(message: &str) {
    report("warning", AnsiColor::Yellow, message);
}

fn report(label: &str, colour: AnsiColor, message: &str) {
    let text = format!("{label}: {message}");
    let lines = fitted(&text, width(terminal_size_of(io::stderr())));
    let rest = lines.strip_prefix(label).unwrap_or(&lines);
    let style = Style::new().bold().fg_color(Some(colour.into()));
    // Nobody reads it when standard error is closed.
    let _ = writeln!(anstream::stderr(), "{style}{label}{style:#}{rest}");
}

/// Whether standard error shows colours.
pub(super) fn is_stderr_coloured() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

/// How wide lines may be; `None` in a pipe.
fn width(size: Option<(Width, Height)>) -> Option<usize> {
    size.map(|(Width(width), _)| usize::from(width).clamp(NARROWEST, WIDEST))
}

/// The same text in lines of at most this width, as far as its words allow it.
fn fitted(text: &str, width: Option<usize>) -> Cow<'_, str> {
    let Some(width) = width else { return Cow::Borrowed(text) };
    let lines = text.split('\n').flat_map(|line| {
        let Hanging { begins, head, rest } = hanging(line, width / 2);
        let indent = " ".repeat(begins);
        // Ids and names stay whole, so that they can be copied.
        let options = Options::new(width)
            .initial_indent(head)
            .subsequent_indent(&indent)
            .break_words(false)
            .word_separator(WordSeparator::AsciiSpace)
            .word_splitter(WordSplitter::NoHyphenation);
        wrap(rest, options).into_iter().map(Cow::into_owned).collect::<Vec<_>>()
    });
    Cow::Owned(lines.collect::<Vec<_>>().join("\n"))
}

/// A line in two parts.
struct Hanging<'a> {
    /// The column at which its following lines begin.
    begins: usize,
    /// Its label and the blanks around it, which stay on the first line with the first word of the rest.
    head: &'a str,
    rest: &'a str,
}

/// The following lines begin below the text, which comes after a label and two blanks or more.
fn hanging(line: &str, most: usize) -> Hanging<'_> {
    let first = line.len() - line.trim_start().len();
    let ends_of_blanks = line.match_indices("  ").filter_map(|(at, blanks)| {
        let text = line.get(at + blanks.len()..)?.trim_start();
        Some(line.len() - text.len()).filter(|end| *end > first)
    });
    let column = |end: usize| line.get(..end).map_or(0, |head| head.chars().count());
    let label = ends_of_blanks.filter(|end| column(*end) <= most).max();
    let (head, rest) = line.split_at_checked(label.unwrap_or(first)).unwrap_or(("", line));
    Hanging { begins: label.map_or(first + 2, column), head, rest }
}

/// The same text with colours.
fn coloured(text: &str) -> String {
    text.split('\n').map(coloured_line).collect::<Vec<_>>().join("\n")
}

fn coloured_line(line: &str) -> Cow<'_, str> {
    let found = COLOURED.iter().find_map(|(word, colour)| {
        let (before, after) = line.split_once(word)?;
        let is_column = before.ends_with("  ");
        let is_whole = after.is_empty() || after.starts_with("  ") || after.starts_with(':');
        (is_column && is_whole).then_some((before, word, after, colour))
    });
    let Some((before, word, after, colour)) = found else { return Cow::Borrowed(line) };
    let style = Style::new().bold().fg_color(Some((*colour).into()));
    Cow::Owned(format!("{before}{style}{word}{style:#}{after}"))
}

#[cfg(test)]
mod tests {
    use super::{coloured, fitted};

    #[test]
    fn the_rest_of_a_line_begins_below_its_text() {
        let rows = [
            ("  because   one two three four", "  because   one two\n            three four"),
            ("  a sentence without any label", "  a sentence without\n    any label"),
            (
                "  target    an-id.that-is-longer.than-the-line",
                "  target    an-id.that-is-longer.than-the-line",
            ),
            ("short", "short"),
            ("an-id.that-is-longer.than-the-line", "an-id.that-is-longer.than-the-line"),
            ("", ""),
        ];
        for (line, expected) in rows {
            assert_eq!(fitted(line, Some(24)), expected, "{line}");
            assert_eq!(fitted(line, None), line);
        }
    }

    #[test]
    fn only_a_result_in_its_column_is_coloured() {
        for line in ["  because   it failed", "  alarm     `applied`", "applied", "  docs      failed-over"] {
            assert_eq!(coloured(line), line);
        }
        assert_eq!(coloured("  result    held"), "  result    \u{1b}[1m\u{1b}[33mheld\u{1b}[0m");
    }
}
