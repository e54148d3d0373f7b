//! The documents for users: what they show is true, what they link to exists, and how they are written.

#![expect(clippy::wildcard_enum_match_arm, reason = "of the events of a document, few matter")]

use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

mod console;
mod data;
mod examples;
mod keys;
mod links;
mod prose;
mod reasons;

pub(crate) use reasons::documented_reasons;

/// One Markdown file of the repository.
pub(crate) struct Page {
    /// Its path, relative to the top.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

/// One fenced block of code.
pub(crate) struct Block {
    /// The page and the line, for messages.
    pub(crate) at: String,
    /// The first word of the info string, such as `console`.
    pub(crate) language: String,
    /// The other words of the info string.
    pub(crate) marks: Vec<String>,
    /// What is inside.
    pub(crate) text: String,
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page that users read, sorted by its path.
pub(crate) fn pages() -> Vec<Page> {
    let mut paths: Vec<PathBuf> =
        ["CHANGELOG.md", "CONTRIBUTING.md", "README.md", "SECURITY.md"].map(PathBuf::from).into();
    paths.extend(entries("docs").into_iter().filter(|path| is_markdown(path)));
    paths.push(PathBuf::from("examples/README.md"));
    paths.extend(entries("examples").iter().map(|example| example.join("README.md")));
    paths.retain(|path| root().join(path).is_file());
    paths.sort();
    paths.iter().map(|path| page(path.to_str().unwrap())).collect()
}

/// One page by its path.
pub(crate) fn page(path: &str) -> Page {
    let text = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    Page { path: path.to_owned(), text }
}

/// What a directory holds, relative to the top; empty where there is none.
pub(crate) fn entries(directory: &str) -> Vec<PathBuf> {
    let read = fs::read_dir(root().join(directory)).into_iter().flatten();
    let mut paths: Vec<PathBuf> =
        read.map(|entry| Path::new(directory).join(entry.unwrap().file_name())).collect();
    paths.sort();
    paths
}

fn is_markdown(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "md")
}

/// Whether the tests write what they would otherwise compare, as `make bless` asks.
pub(crate) fn is_blessed() -> bool {
    std::env::var("INSTA_UPDATE").is_ok_and(|asked| asked == "always")
}

impl Page {
    /// A reader of the page. Tables and HTML are what GitHub renders.
    pub(crate) fn parser(&self) -> Parser<'_> {
        Parser::new_ext(&self.text, Options::ENABLE_TABLES)
    }

    /// The number of the line that holds this byte.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.text[..offset].matches('\n').count() + 1
    }

    /// Every fenced block of code.
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        for (event, range) in self.parser().into_offset_iter() {
            match (event, &mut open) {
                (Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))), _) => {
                    let mut words = info.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned);
                    let at = format!("{}:{}", self.path, self.line(range.start));
                    let language = words.next().unwrap_or_default();
                    open = Some(Block { at, language, marks: words.collect(), text: String::new() });
                }
                (Event::Text(text), Some(block)) => block.text.push_str(&text),
                (Event::End(TagEnd::CodeBlock), _) => blocks.extend(open.take()),
                _ => {}
            }
        }
        blocks
    }
}

/// The blocks of one language, of all pages.
pub(crate) fn blocks(language: &str) -> Vec<Block> {
    let all = pages();
    let blocks = all.iter().flat_map(Page::blocks);
    blocks.filter(|block| block.language == language).collect()
}

pub(crate) fn none(faults: &[String], rule: &str) {
    assert!(faults.is_empty(), "{rule}:\n  {}", faults.join("\n  "));
}
