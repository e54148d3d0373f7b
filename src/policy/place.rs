//! Where in a policy's text something stands that an error speaks of.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The line of the key that a problem begins with, as far as it is written: `pair.below` in "`pair.below = 90` must…"
/// of "rule 2 of the policy". The line of the table where the key is left out.
pub(super) fn line(text: &str, place: &str, problem: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let (mut at, mut table) = entry(document.get_ref(), place)?;
    for key in keys(problem) {
        let Some((name, value)) = table.and_then(|table| table.get_key_value(key)) else { break };
        at = name.span().start;
        table = first_table(value.get_ref());
    }
    Some(line_at(text, at))
}

/// A table that is there once at most and is written as one of several, and its line.
pub(super) fn several(text: &str) -> Option<(&'static str, usize)> {
    let document = DeTable::parse(text).ok()?;
    let written = |name: &&str| document.get_ref().get(*name).is_some_and(|value| value.get_ref().is_array());
    let name = ["defaults", "oci"].into_iter().find(written)?;
    let at = document.get_ref().get_key_value(name).map_or(0, |(key, _)| key.span().start);
    Some((name, line_at(text, at)))
}

/// Counted from 1.
pub(super) fn line_at(text: &str, byte: usize) -> usize {
    text.get(..byte).unwrap_or_default().matches('\n').count() + 1
}

/// The words of a dotted key that stands in backticks: `pair`, `below` of "`pair.below = 90`".
fn keys(problem: &str) -> impl Iterator<Item = &str> {
    let quoted = problem.strip_prefix('`').and_then(|rest| rest.split('`').next()).unwrap_or_default();
    quoted.split(' ').next().unwrap_or_default().split('.')
}

/// A table of the document and where it begins, by the words that errors have for it.
fn entry<'a>(document: &'a DeTable<'a>, place: &str) -> Option<(usize, Option<&'a DeTable<'a>>)> {
    let of = |key: &str| document.get(key).map(|value| (value.span().start, first_table(value.get_ref())));
    let numbered = |key: &str, number: &str| {
        let number: usize = number.split(' ').next()?.parse().ok()?;
        listed(document, key).nth(number.checked_sub(1)?)
    };
    let named = |key: &str, name: &str, value: &str| {
        let is = |table: &DeTable| table.get(name).and_then(|name| name.get_ref().as_str()) == Some(value);
        listed(document, key).find(|(_, table)| table.is_some_and(is))
    };
    if let Some(rest) = place.strip_prefix("ladder `") {
        return named("ladder", "name", rest.trim_end_matches('`'));
    }
    if let Some(rest) = place.strip_prefix("flexible shape `") {
        return named("flex", "shape", rest.trim_end_matches('`'));
    }
    if let Some(rest) = place.strip_prefix("alarm ").filter(|rest| rest.ends_with("of `oci`")) {
        let (_, oci) = of("oci")?;
        let number: usize = rest.split(' ').next()?.parse().ok()?;
        return listed(oci?, "alarm").nth(number.checked_sub(1)?);
    }
    let mut words = place.splitn(2, ' ');
    match (words.next()?, words.next()) {
        (key, Some(number)) => numbered(key, number),
        (key, None) => of(key.trim_matches('`')),
    }
}

/// The tables of an array, and where they begin.
fn listed<'a>(table: &'a DeTable<'a>, key: &str) -> impl Iterator<Item = (usize, Option<&'a DeTable<'a>>)> {
    let array = table.get(key).and_then(|value| value.get_ref().as_array());
    let entries = array.into_iter().flat_map(|array| array.iter());
    entries.map(|entry: &Spanned<DeValue>| (entry.span().start, entry.get_ref().as_table()))
}

/// The table itself, or the first of several.
fn first_table<'a>(value: &'a DeValue<'a>) -> Option<&'a DeTable<'a>> {
    value.as_table().or_else(|| value.as_array()?.iter().next()?.get_ref().as_table())
}
