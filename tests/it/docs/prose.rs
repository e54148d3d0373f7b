//! How the product writes: sentences that one can read, in the words of its field.
//!
//! Checked are the documents, the descriptions of the policy's keys, the help of the command, and messages.

use std::fs;

use pulldown_cmark::{Event, Tag, TagEnd};
use serde_json::Value;
use stepladder::policy::SCHEMA;

use super::{Page, none, pages, reasons, root};
use crate::cli::run;
use crate::tidy::rust_files;

/// The words of the longest sentence.
const LONGEST: usize = 35;

/// The most words that a page's sentences have on average.
const MEAN: f64 = 17.0;

/// Words and turns to avoid, each with what to write. They are compared with whole words in lower case.
const AVOIDED: [(&str, &str); 38] = [
    ("what is told of", "name the subject"),
    ("is told of", "names"),
    ("but for", "except, unless"),
    ("speaks of", "names"),
    ("speak of", "name"),
    ("whoever", "name the person"),
    ("takes back", "removes, scales down"),
    ("take back", "remove, scale down"),
    ("taken back", "removed"),
    ("takes it back", "removes it"),
    ("take it back", "remove it"),
    ("in force", "active, effective"),
    ("stands for", "means"),
    ("stands in", "is in"),
    ("at rest", "settled"),
    ("rests", "is settled"),
    ("mend", "repair"),
    ("mends", "repairs"),
    ("mended", "repaired"),
    ("stray", "orphan, duplicate"),
    ("strays", "orphans, duplicates"),
    ("farewell", "delete_orphan"),
    ("verdict", "check"),
    ("verdicts", "checks"),
    ("stride", "scaling policy"),
    ("how far it goes", "scaling policy"),
    ("the clock calls", "the scheduled reconcile"),
    ("rehearse", "replay"),
    ("rehearsed", "simulated"),
    ("outranked", "superseded"),
    ("low alarm of ours", "scale-down alarm, its pair"),
    ("the alarm says", "the alarm reports"),
    ("the alarm tells", "the alarm reports"),
    ("an alarm says", "an alarm reports"),
    ("an alarm tells", "an alarm reports"),
    ("alarm calls", "alarm notifies"),
    ("hears of", "is notified of"),
    ("hear of", "are notified of"),
];

/// A sentence, and where it is.
struct Sentence {
    at: String,
    text: String,
    /// Whether it counts for the mean: running text does, a cell of a table does not.
    is_running: bool,
}

impl Sentence {
    fn words(&self) -> usize {
        self.text.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count()
    }
}

/// What is wrong with sentences, whatever they belong to.
fn faults(sentences: &[Sentence]) -> Vec<String> {
    let mut faults = Vec::new();
    for sentence in sentences {
        let Sentence { at, text, .. } = sentence;
        let words = sentence.words();
        if words > LONGEST {
            faults.push(format!("{at}: {words} words: {text}"));
        }
        for (avoided, better) in avoided(text) {
            faults.push(format!("{at}: `{avoided}` ({better}): {text}"));
        }
    }
    faults
}

fn avoided(sentence: &str) -> Vec<(&'static str, &'static str)> {
    let plain: String = sentence.chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    let plain = plain.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let padded = format!(" {plain} ");
    AVOIDED.into_iter().filter(|(word, _)| padded.contains(&format!(" {word} "))).collect()
}

/// The sentences of a page. Code is one word, and headings are none.
fn sentences(page: &Page) -> Vec<Sentence> {
    let mut sentences = Vec::new();
    let mut text = String::new();
    let mut line = 1;
    let (mut silent, mut cells) = (0, 0);
    for (event, range) in page.parser().into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(_) | Tag::Heading { .. } | Tag::HtmlBlock) => silent += 1,
            Event::End(TagEnd::CodeBlock | TagEnd::Heading(_) | TagEnd::HtmlBlock) => silent -= 1,
            Event::Text(words) if silent == 0 => text.push_str(&words),
            Event::Code(_) if silent == 0 => text.push_str("`code`"),
            Event::SoftBreak | Event::HardBreak => text.push(' '),
            Event::Start(Tag::Paragraph | Tag::Item | Tag::TableCell) => {
                // The text of an item ends where a list inside it begins.
                add(&mut sentences, &mut text, &format!("{}:{line}", page.path), cells == 0);
                line = page.line(range.start);
            }
            Event::Start(Tag::Table(_)) => cells += 1,
            Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::TableCell) => {
                add(&mut sentences, &mut text, &format!("{}:{line}", page.path), cells == 0);
            }
            Event::End(TagEnd::Table) => cells -= 1,
            _ => {}
        }
    }
    sentences
}

/// Adds the sentences of a text, and empties it.
fn add(sentences: &mut Vec<Sentence>, text: &mut String, at: &str, is_running: bool) {
    let whole = std::mem::take(text);
    for sentence in split(&whole) {
        sentences.push(Sentence { at: at.to_owned(), text: sentence, is_running });
    }
}

/// The sentences of a text: each ends with a mark before a blank and a capital, or anything that is no letter.
fn split(text: &str) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut rest = text.trim();
    while let Some(end) = rest.match_indices(['.', '?', '!']).map(|(at, mark)| at + mark.len()).find(|end| {
        let after = &rest[*end..];
        let next = after.trim_start();
        after.len() > next.len() && !next.starts_with(|c: char| c.is_lowercase())
    }) {
        sentences.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    if !rest.is_empty() {
        sentences.push(rest.to_owned());
    }
    sentences
}

#[expect(clippy::cast_precision_loss, reason = "no page has that many words")]
fn mean(sentences: &[Sentence]) -> f64 {
    let running: Vec<usize> =
        sentences.iter().filter(|sentence| sentence.is_running).map(Sentence::words).collect();
    running.iter().sum::<usize>() as f64 / running.len().max(1) as f64
}

#[test]
fn the_documents_are_easy_to_read() {
    let mut found = Vec::new();
    for page in pages() {
        let sentences = sentences(&page);
        found.extend(faults(&sentences));
        let mean = mean(&sentences);
        if mean > MEAN {
            found.push(format!("{}: {mean:.1} words a sentence, expected {MEAN} at most", page.path));
        }
    }
    none(&found, "prose");
}

/// The sentences of a text that belongs to a program.
fn of_text(at: &str, text: &str) -> Vec<Sentence> {
    let sentence = |text: String| Sentence { at: at.to_owned(), text, is_running: true };
    split(text).into_iter().map(sentence).collect()
}

#[test]
fn the_keys_of_the_policy_are_described_in_plain_words() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let mut descriptions = Vec::new();
    described(&schema, &mut descriptions);
    assert!(descriptions.len() > 100, "{}", descriptions.len());
    let sentences: Vec<Sentence> =
        descriptions.iter().flat_map(|text| of_text("policy.schema.json", text)).collect();
    none(&faults(&sentences), "prose");
    assert!(mean(&sentences) <= MEAN, "{}", mean(&sentences));
}

fn described(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(table) => {
            found.extend(table.get("description").and_then(Value::as_str).map(str::to_owned));
            table.values().for_each(|value| described(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| described(value, found)),
        _ => {}
    }
}

#[test]
fn the_sentences_of_holds_are_plain() {
    let sentences: Vec<Sentence> =
        reasons::examples().iter().flat_map(|hold| of_text(hold.reason(), &hold.to_string())).collect();
    none(&faults(&sentences), "prose");
}

#[test]
fn the_help_of_every_command_is_plain() {
    let mut sentences = Vec::new();
    help(&[], &mut sentences);
    assert!(sentences.len() > 100, "{}", sentences.len());
    none(&faults(&sentences), "prose");
}

/// The help of a command, and of those below it. An option, an example and a paragraph are texts of their own.
fn help(command: &[&str], found: &mut Vec<Sentence>) {
    let ran = run(&[command, &["--help"]].concat());
    let (at, mut paragraph, mut subcommands, mut lists) =
        (format!("stepladder {} --help", command.join(" ")), String::new(), Vec::new(), false);
    let mut depth = 0;
    for line in ran.out.lines() {
        let indent = line.len() - line.trim_start().len();
        let begins_option = line.trim_start().starts_with('-') || line.contains("  ") && indent == 2;
        if line.trim().is_empty() || begins_option || indent < depth {
            found.extend(of_text(&at, &std::mem::take(&mut paragraph)));
        }
        depth = indent;
        if lists && indent == 2 {
            subcommands
                .extend(line.split_whitespace().next().filter(|name| *name != "help").map(str::to_owned));
        }
        if indent == 0 {
            lists = line == "Commands:";
        }
        // The name of an option, and what it is for, are two columns.
        let words =
            if begins_option { line.trim().split_once("  ").map_or("", |(_, words)| words) } else { line };
        paragraph.push_str(words.trim());
        paragraph.push(' ');
    }
    found.extend(of_text(&at, &paragraph));
    for name in &subcommands {
        help(&[command, &[name.as_str()]].concat(), found);
    }
}

// Messages, comments and names: what a user or a contributor reads of the code.
#[test]
fn the_code_avoids_the_same_words() {
    let mut found = Vec::new();
    for path in rust_files("src") {
        let text = fs::read_to_string(root().join(&path)).unwrap();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_start().trim_start_matches('/');
            found.extend(avoided(line).iter().map(|(word, better)| {
                format!("{path}:{}: `{word}` ({better}): {}", number + 1, line.trim())
            }));
        }
    }
    none(&found, "prose");
}

#[test]
fn sentences_end_where_a_reader_ends_them() {
    let text =
        "One. `two.three` is 3.5 e.g. this? (Yes.) Four: five\n\n- six. Seven\n\n| a. B |\n|---|\n| c |\n";
    let page = Page { path: "a.md".to_owned(), text: text.to_owned() };
    let split: Vec<String> = sentences(&page).into_iter().map(|sentence| sentence.text).collect();
    let expected = ["One.", "`code` is 3.5 e.g. this?", "(Yes.) Four: five", "six.", "Seven", "a.", "B", "c"];
    assert_eq!(split, expected);
    assert_eq!(avoided("It takes\nback, but for one.").len(), 2);
    assert!(avoided("it takes backups").is_empty());
    assert!(faults(&sentences(&page)).is_empty());
}
