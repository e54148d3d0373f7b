//! Where in a policy's text something stands that an error speaks of.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The line of the key that a problem begins with, as far as it is written: `pair.below` in "`pair.below = 90` must…"
/// of "rule 2 of the policy". The line of the table where the key is left out. Of several steps, that of the one which the
/// problem begins with, as in "step 2: `steps.add = 1001`…".
pub(super) fn line(text: &str, place: &str, problem: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let (mut at, mut table) = entry(document.get_ref(), place)?;
    let (step, problem) = step(problem);
    for key in keys(problem) {
        let Some((name, value)) = table.and_then(|table| table.get_key_value(key)) else { break };
        at = name.span().start;
        table = value.get_ref().as_table();
        if let Some((start, one)) = step.and_then(|step| nth(value.get_ref(), step)) {
            (at, table) = (start, one);
        }
    }
    Some(line_at(text, at))
}

/// The number of a step that a problem begins with, and the rest of it.
fn step(problem: &str) -> (Option<usize>, &str) {
    let split = problem.strip_prefix("step ").and_then(|rest| rest.split_once(": "));
    let read = split.and_then(|(number, rest)| Some((number.parse().ok()?, rest)));
    read.map_or((None, problem), |(number, rest)| (Some(number), rest))
}

/// The key in whose value a byte of the text stands; of several, the innermost.
pub(super) fn key_at(text: &str, byte: usize) -> Option<String> {
    let document = DeTable::parse(text).ok()?;
    key_within(document.get_ref(), byte).map(str::to_owned)
}

fn key_within<'a>(table: &'a DeTable<'a>, byte: usize) -> Option<&'a str> {
    table.iter().find_map(|(key, value)| {
        let here = value.span().contains(&byte).then(|| key.get_ref().as_ref());
        key_within_value(value.get_ref(), byte).or(here)
    })
}

fn key_within_value<'a>(value: &'a DeValue<'a>, byte: usize) -> Option<&'a str> {
    match value.as_table() {
        Some(table) => key_within(table, byte),
        None => value.as_array()?.iter().find_map(|one| key_within_value(one.get_ref(), byte)),
    }
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

/// Where something of the document begins, and what it is if that is a table.
type Entry<'a> = (usize, Option<&'a DeTable<'a>>);

/// An entry of the document, by the words that errors have for it: "rule 2 of the policy", "ladder `x`", and "rung 3 of
/// ladder `x`".
fn entry<'a>(document: &'a DeTable<'a>, place: &str) -> Option<Entry<'a>> {
    let inner = place.split_once(" of ").filter(|(_, outer)| *outer != "the policy");
    if let Some((inner, outer)) = inner.filter(|(inner, _)| !inner.contains('`')) {
        let (_, outer) = entry(document, outer)?;
        let (what, number) = inner.split_once(' ')?;
        let several = outer?.get(what).or_else(|| outer?.get(&*format!("{what}s")))?;
        return nth(several.get_ref(), number.parse().ok()?);
    }
    let named = |key: &str, name: &str, value: &str| {
        let is = |table: &DeTable| table.get(name).and_then(|name| name.get_ref().as_str()) == Some(value);
        let listed = document.get(key)?.get_ref().as_array()?.iter().map(of_value);
        listed.into_iter().find(|(_, table)| table.is_some_and(is))
    };
    if let Some(rest) = place.strip_prefix("ladder `") {
        return named("ladder", "name", rest.trim_end_matches('`'));
    }
    if let Some(rest) = place.strip_prefix("flexible shape `") {
        return named("flex", "shape", rest.trim_end_matches('`'));
    }
    let mut words = place.split(' ');
    let value = document.get(words.next()?.trim_matches('`'))?;
    match words.next() {
        Some(number) => nth(value.get_ref(), number.parse().ok()?),
        None => Some(of_value(value)),
    }
}

/// One of several, counted from 1.
fn nth<'a>(several: &'a DeValue<'a>, number: usize) -> Option<Entry<'a>> {
    several.as_array()?.get(number.checked_sub(1)?).map(of_value)
}

fn of_value<'a>(value: &'a Spanned<DeValue<'a>>) -> Entry<'a> {
    (value.span().start, value.get_ref().as_table())
}
