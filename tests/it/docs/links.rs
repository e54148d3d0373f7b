//! Every link inside the repository leads to a file that exists, and to an anchor that is on its page.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Tag, TagEnd};

use super::{Page, none, page, pages, root};

#[test]
fn every_link_leads_somewhere() {
    let mut anchors: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut faults = Vec::new();
    for page in pages() {
        for (link, line) in links(&page) {
            let fault = fault(&page.path, &link, &mut anchors);
            faults.extend(fault.map(|fault| format!("{}:{line}: `{link}` {fault}", page.path)));
        }
    }
    none(&faults, "a link that leads nowhere");
}

/// What is wrong with a link of a page.
fn fault(page_path: &str, link: &str, anchors: &mut BTreeMap<String, BTreeSet<String>>) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let target = if file.is_empty() { PathBuf::from(page_path) } else { beside(Path::new(page_path), file) };
    if !root().join(&target).exists() {
        return Some(format!("is no file: {}", target.display()));
    }
    let target = target.to_str().unwrap();
    let anchor = anchor?;
    let known = anchors.entry(target.to_owned()).or_insert_with(|| anchors_of(&page(target)));
    (!known.contains(anchor)).then(|| format!("is no anchor of {target}"))
}

/// A path that a page names, relative to the top.
fn beside(page: &Path, file: &str) -> PathBuf {
    let mut path = page.parent().unwrap_or(Path::new("")).to_path_buf();
    for part in Path::new(file).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(name) => path.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    path
}

/// The links and pictures of a page, with their lines. Pictures may be written in HTML.
fn links(page: &Page) -> Vec<(String, usize)> {
    let mut links = Vec::new();
    for (event, range) in page.parser().into_offset_iter() {
        let line = page.line(range.start);
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                links.push((dest_url.to_string(), line));
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                for name in ["href", "src", "srcset"] {
                    links.extend(attributes(&html, name).into_iter().map(|link| (link, line)));
                }
            }
            _ => {}
        }
    }
    links
}

/// The values of an attribute in HTML.
fn attributes(html: &str, name: &str) -> Vec<String> {
    let begin = format!(" {name}=\"");
    let rest = html.split(&begin).skip(1);
    rest.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

/// The headings of a page, as text.
pub(super) fn headings(page: &Page) -> Vec<String> {
    let mut headings = Vec::new();
    let mut open: Option<String> = None;
    for event in page.parser() {
        match (event, &mut open) {
            (Event::Start(Tag::Heading { .. }), _) => open = Some(String::new()),
            (Event::Text(text) | Event::Code(text), Some(heading)) => heading.push_str(&text),
            (Event::End(TagEnd::Heading(_)), _) => headings.extend(open.take()),
            _ => {}
        }
    }
    headings
}

/// The anchors of a page: its headings as GitHub names them, and those that are written as HTML.
fn anchors_of(page: &Page) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for heading in headings(page) {
        let name = slug(&heading);
        let again = (1..).map(|count| format!("{name}-{count}"));
        let free = std::iter::once(name.clone()).chain(again).find(|name| !anchors.contains(name));
        anchors.extend(free);
    }
    for event in page.parser() {
        if let Event::Html(html) | Event::InlineHtml(html) = event {
            for name in ["id", "name"] {
                anchors.extend(attributes(&html, name));
            }
        }
    }
    anchors
}

/// The anchor that GitHub makes of a heading.
pub(super) fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).flat_map(char::to_lowercase).collect()
}

#[test]
fn anchors_are_those_of_github() {
    let text = "# How `would_flap` works: a `step`, an end\n<a id=\"x\"></a>\n\n## Twice\n\n## Twice\n";
    let page = Page { path: "a.md".to_owned(), text: text.to_owned() };
    let expected = ["how-would_flap-works-a-step-an-end", "twice", "twice-1", "x"];
    assert_eq!(anchors_of(&page), expected.map(str::to_owned).into());
}
