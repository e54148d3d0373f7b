//! `docs/policy.md`: the tables of keys follow from the schema, which follows from the types.
//!
//! A table is between `<!-- keys: NAME -->` and `<!-- end of keys -->`. `make bless` writes it anew.

use std::fmt::Write as _;
use std::fs;

use serde_json::{Map, Value};
use stepladder::policy::SCHEMA;

use super::links::{headings, slug};
use super::{Page, is_blessed, page, reasons, root};

const PAGE: &str = "docs/policy.md";
const BEGIN: &str = "<!-- keys: ";
const END: &str = "<!-- end of keys -->";

/// The file itself, among the tables of the schema.
const FILE: &str = "policy";

#[test]
fn the_tables_of_keys_follow_from_the_schema() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let page = page(PAGE);
    let (first, rest) = page.text.split_once(BEGIN).expect("a table of keys");
    let mut text = first.to_owned();
    let mut names = Vec::new();
    for part in rest.split(BEGIN) {
        let (name, rest) = part.split_once(" -->").expect("a name");
        let (_, after) = rest.split_once(END).expect("the end of a table");
        // Writing to a string cannot fail.
        let _ = write!(text, "{BEGIN}{name} -->\n\n{}\n{END}{after}", table(&schema, name));
        names.push(name);
    }
    if is_blessed() {
        fs::write(root().join(PAGE), &text).unwrap();
    } else {
        assert!(text == page.text, "a table of {PAGE} is not what the schema has: `make bless`");
    }
    let mut expected: Vec<&str> = tables(&schema).chain([FILE]).collect();
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected, "each table of the policy once");
}

/// The names of the tables of a policy, except the file itself.
fn tables(schema: &Value) -> impl Iterator<Item = &str> {
    let definitions = schema["$defs"].as_object().unwrap().iter();
    definitions.filter(|(_, definition)| definition["type"] == "object").map(|(name, _)| name.as_str())
}

fn properties(table: &Value) -> &Map<String, Value> {
    table["properties"].as_object().unwrap()
}

/// The keys of a table, as a table of Markdown. The settings of `[defaults]` are in one table only.
fn table(schema: &Value, name: &str) -> String {
    let definition = if name == FILE { schema } else { &schema["$defs"][name] };
    let settings = properties(&schema["$defs"]["defaults"]);
    let keys = properties(definition);
    let has_settings = name != "defaults" && settings.keys().all(|key| keys.contains_key(key));
    let required: Vec<&str> =
        definition["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut rows = String::from("| key | value | meaning |\n|---|---|---|\n");
    for (key, value) in keys.iter().filter(|(key, _)| !has_settings || !settings.contains_key(*key)) {
        let must = if required.contains(&key.as_str()) { ", required" } else { "" };
        let meaning = meaning(schema, value);
        let _ = writeln!(rows, "| `{key}` | {}{must} | {meaning} |", kind(schema, value));
    }
    if has_settings {
        rows.push_str(
            "\nEvery setting of [`[defaults]`](#settings-and-which-of-them-counts) may be here, too.\n",
        );
    }
    rows
}

/// The definition that a value refers to, with its name.
fn referred<'a>(schema: &'a Value, value: &'a Value) -> (Option<&'a str>, &'a Value) {
    match value["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
        Some(name) => (Some(name), &schema["$defs"][name]),
        None => (None, value),
    }
}

/// What a key may be, in words.
fn kind(schema: &Value, value: &Value) -> String {
    let (name, value) = referred(schema, value);
    if let Some(words) = words(value) {
        let of_holds = reasons::reasons();
        let (holds, others): (Vec<&str>, Vec<&str>) = words.iter().partition(|word| of_holds.contains(word));
        let mut words: Vec<String> = others.iter().map(|word| format!("`\"{word}\"`")).collect();
        if !holds.is_empty() {
            words.push("a [hold reason](decisions.md#every-hold-reason)".to_owned());
        }
        return words.join(", ");
    }
    if let Some(several) = value["anyOf"].as_array() {
        let mut kinds: Vec<String> = several.iter().map(|one| kind(schema, one)).collect();
        kinds.dedup();
        return kinds.join(", or ");
    }
    match value["type"].as_str().expect("a type") {
        "object" => {
            format!("table [`{0}`](#{1})", name.unwrap_or_default(), section(name.unwrap_or_default()))
        }
        "array" => format!("list: {}", kind(schema, &value["items"])),
        "string" => "text".to_owned(),
        "integer" => "whole number".to_owned(),
        "number" => "number".to_owned(),
        "boolean" => "`true` or `false`".to_owned(),
        other => panic!("`{other}` has no words here"),
    }
}

/// The section of the page that has a table of this name.
fn section(name: &str) -> String {
    let page = page(PAGE);
    let mark = format!("{BEGIN}{name} -->");
    let at = page.text.find(&mark).unwrap_or_else(|| panic!("no table `{name}`"));
    let before = Page { text: page.text[..at].to_owned(), ..page };
    let headings = headings(&before);
    slug(headings.last().expect("a heading"))
}

/// The words that a value may be, where it is one of several words.
fn words(value: &Value) -> Option<Vec<&str>> {
    if let Some(words) = value["enum"].as_array() {
        return words.iter().map(Value::as_str).collect();
    }
    value["oneOf"].as_array()?.iter().map(|one| one["const"].as_str()).collect()
}

/// What a key is for, and each of its words.
fn meaning(schema: &Value, value: &Value) -> String {
    let own = value["description"].as_str().expect("a description");
    let (_, referred) = referred(schema, value);
    let words = referred["oneOf"].as_array().into_iter().flatten();
    let words = words.map(|one| {
        let (word, means) = (one["const"].as_str().unwrap(), one["description"].as_str().unwrap());
        format!(" `\"{word}\"`: {means}")
    });
    format!("{own}{}", words.collect::<String>()).replace('|', "\\|")
}
