//! Whether tables stand where a policy has tables, and strings where it has words, as its schema says.
//!
//! The types that a policy is read into take more: a table's values as a list in the order of its keys, and a word as a
//! table with that key. Nobody means either, and what is wrong inside would be told in words that nobody has written.

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Error;
use super::place::line_at;
use super::schema::SCHEMA;

/// What is wrong with a value, and where it begins.
type Misplaced = (usize, String);

/// Refuses the first list in the place of a table, and the first list or table in the place of a string. Whatever else is
/// wrong, the reader tells.
pub(super) fn check(text: &str) -> Result<(), Error> {
    let document = DeTable::parse(text).ok().filter(|document| !document.get_ref().is_empty());
    let Some(document) = document else { return Ok(()) };
    let schema = serde_json::from_str(SCHEMA).unwrap_or_default();
    let kinds = Kinds { text, schema: &schema };
    let checked = kinds.table(document.get_ref(), &schema);
    checked.map_err(|(at, problem)| Error::Unreadable { line: line_at(text, at), problem })
}

/// A policy's text, and the whole schema.
struct Kinds<'a> {
    text: &'a str,
    schema: &'a Value,
}

impl Kinds<'_> {
    fn table(&self, table: &DeTable, schema: &Value) -> Result<(), Misplaced> {
        let known = &schema["properties"];
        table
            .iter()
            .try_for_each(|(key, value)| self.value(key.get_ref(), value, &known[key.get_ref().as_ref()]))
    }

    fn value(&self, key: &str, value: &Spanned<DeValue>, schema: &Value) -> Result<(), Misplaced> {
        let schema = self.named(schema);
        // Words that are told one by one stand beside each other.
        let kind = schema["type"].as_str().or_else(|| schema["oneOf"][0]["type"].as_str());
        let wrong = |expected: &str, found: &str| {
            Err((value.span().start, format!("`{key}`: expected {expected}, found {found}")))
        };
        match (kind, value.get_ref()) {
            (Some("object"), DeValue::Table(table)) => self.table(table, schema),
            (Some("array"), DeValue::Array(several)) => {
                several.iter().try_for_each(|one| self.value(key, one, &schema["items"]))
            }
            (Some("object"), DeValue::Array(several)) => {
                match several.first().and_then(|one| self.header(one)) {
                    Some((at, name)) => Err((
                        at,
                        format!("`[[{name}]]` should be `[{name}]`: expected a table, found a list"),
                    )),
                    None => wrong("a table", "a list"),
                }
            }
            (Some("string"), DeValue::Array(_)) => wrong("a string", "a list"),
            (Some("string"), DeValue::Table(_)) => wrong("a string", "a table"),
            _ => Ok(()),
        }
    }

    /// The schema itself, or what it refers to.
    fn named<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let name = schema["$ref"].as_str().and_then(|name| name.strip_prefix('#'));
        name.and_then(|name| self.schema.pointer(name)).unwrap_or(schema)
    }

    /// The name by which one of several tables is headed, and where.
    fn header(&self, one: &Spanned<DeValue>) -> Option<(usize, &str)> {
        let at = one.span().start;
        let name = self.text.get(at..)?.strip_prefix("[[")?.split(']').next()?;
        one.get_ref().is_table().then_some((at, name.trim()))
    }
}
