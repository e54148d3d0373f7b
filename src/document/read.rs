//! Reads a document into types, and finds every problem in one pass.
//!
//! A key or an element that cannot be read is skipped, and the rest is read again without it. A list in the place of a
//! table is refused, and a table in the place of a word: the types alone would accept both.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt::{self, Display};
use std::ops::Range;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, IntoDeserializer as _, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use toml::Spanned;
use toml::de::DeValue;

use super::{Document, Node, Problems, words};
/// The most problems that reading finds: a document with more of them is another kind of file.
const SKIPPED_AT_MOST: usize = 100;

/// The part of a document that could be read.
#[derive(Debug)]
pub struct PartialRead<T> {
    /// The value.
    pub value: T,
    /// What could not be read.
    pub skipped: Skipped,
}

/// Where the keys and elements begin that could not be read.
#[derive(Debug)]
pub struct Skipped(BTreeSet<usize>);

impl Skipped {
    /// Whether a value was read whole.
    pub fn is_whole(&self, node: &Node<'_>) -> bool {
        self.0.is_empty() || !self.is_skipped(node.start()) && self.holds_no_skipped(node)
    }

    fn holds_no_skipped(&self, node: &Node<'_>) -> bool {
        let mut inner = node.elements();
        if !inner.all(|element| self.is_whole(&element)) {
            return false;
        }
        let table = node.value.get_ref().as_table();
        table.into_iter().flatten().all(|(key, value)| {
            !self.is_skipped(key.span().start) && self.is_whole(&Node { key: Some(key.span()), value })
        })
    }

    fn is_skipped(&self, start: usize) -> bool {
        self.0.contains(&start)
    }

    /// Each element of a list beside what was read of it; `None` for one that was not read whole.
    pub fn beside<'d, E>(&self, list: Option<&Node<'d>>, read: Vec<E>) -> Vec<(Node<'d>, Option<E>)> {
        let mut read = read.into_iter();
        let elements = list.into_iter().flat_map(Node::elements);
        let of = |node: Node<'d>| {
            let element = if self.is_skipped(node.start()) { None } else { read.next() };
            let element = element.filter(|_| self.is_whole(&node));
            (node, element)
        };
        elements.map(of).collect()
    }
}

impl Document<'_> {
    /// Reads the whole document except the top-level keys `elsewhere`; `None` where nothing of it can be read.
    pub fn read<T: DeserializeOwned>(
        &self,
        elsewhere: &[&'static str],
        problems: &mut Problems<'_>,
    ) -> Option<PartialRead<T>> {
        let root = self.root();
        let mut skipped = BTreeSet::new();
        skipped.extend(elsewhere.iter().filter_map(|key| Some(root.key(key)?.key?.start)));
        self.read_node(&root, &skipped, elsewhere, problems)
    }

    /// Reads one value of the document.
    pub fn read_value<T: DeserializeOwned>(
        &self,
        node: &Node<'_>,
        problems: &mut Problems<'_>,
    ) -> Option<PartialRead<T>> {
        self.read_node(node, &BTreeSet::new(), &[], problems)
    }

    fn read_node<T: DeserializeOwned>(
        &self,
        node: &Node<'_>,
        elsewhere: &BTreeSet<usize>,
        more_keys: &[&'static str],
        problems: &mut Problems<'_>,
    ) -> Option<PartialRead<T>> {
        let mut skipped = elsewhere.clone();
        let name = node.key.clone().and_then(|key| self.text().get(key));
        loop {
            let input = Input { text: self.text(), skipped: &skipped, more_keys };
            let value = Reader { input: &input, key: name, value: node.value };
            match T::deserialize(value) {
                Ok(value) => {
                    let skipped = skipped.difference(elsewhere).copied().collect();
                    return Some(PartialRead { value, skipped: Skipped(skipped) });
                }
                Err(error) => {
                    if let Some((span, message)) = error.described(&input) {
                        problems.push(span, &message);
                    }
                    let again = error.skip.is_some_and(|start| skipped.insert(start));
                    if !again {
                        return None;
                    }
                    if skipped.len() > SKIPPED_AT_MOST {
                        let end = self.text().len();
                        problems.push(
                            end..end,
                            "there may be more problems: these are the first that were found",
                        );
                        return None;
                    }
                }
            }
        }
    }
}

/// The part that all readers of one document share.
struct Input<'i> {
    text: &'i str,
    skipped: &'i BTreeSet<usize>,
    /// Top-level keys besides those of the type.
    more_keys: &'i [&'static str],
}

/// What does not fit the types, and its place.
#[derive(Debug)]
struct ReadError {
    fault: ReadFault,
    span: Option<Range<usize>>,
    /// The key in whose value it is.
    key: Option<String>,
    /// The start of the key or the element without which the rest can be read.
    skip: Option<usize>,
    /// Whether it is about a key of the whole document.
    is_top_level: bool,
    /// Whether it follows from a problem that is known: a key is missing because it was skipped.
    follows: bool,
}

#[derive(Debug)]
enum ReadFault {
    UnknownField(String, &'static [&'static str]),
    UnknownWord(String, &'static [&'static str]),
    Missing(&'static str),
    Type {
        found: String,
        expected: String,
    },
    /// A complete message, without the key before it.
    Complete(String),
    Custom(String),
}

impl ReadError {
    fn new(fault: ReadFault) -> Self {
        Self { fault, span: None, key: None, skip: None, is_top_level: false, follows: false }
    }

    fn in_value(mut self, key: Option<&str>, span: Range<usize>) -> Self {
        if self.span.is_none() {
            self.span = Some(span);
            self.key = key.map(str::to_owned);
        }
        self
    }

    fn skipping(mut self, start: usize) -> Self {
        self.skip.get_or_insert(start);
        self
    }

    /// The place and the message; `None` where it follows from a known problem.
    fn described(&self, input: &Input<'_>) -> Option<(Range<usize>, String)> {
        if self.follows {
            return None;
        }
        let key = self.key.as_deref();
        let message = match &self.fault {
            ReadFault::UnknownField(found, known) => {
                let more = if self.is_top_level { input.more_keys } else { &[] };
                let all: Vec<&str> = known.iter().chain(more).copied().collect();
                words::about(key, &words::unknown("field", found, &all))
            }
            ReadFault::UnknownWord(found, known) => {
                words::about(key, &words::unknown("variant", found, known))
            }
            ReadFault::Missing(field) => words::about(key, &format!("missing field `{field}`")),
            ReadFault::Type { found, expected } => {
                let example = key.and_then(words::example).filter(|_| expected == "a string");
                let example = example.map_or_else(String::new, |example| format!(" such as `\"{example}\"`"));
                words::about(key, &format!("expected {expected}{example}, found {found}"))
            }
            ReadFault::Complete(message) => message.clone(),
            ReadFault::Custom(message) => words::about(key, message),
        };
        Some((self.place(input.text), message))
    }

    /// The place in the text. That of a table with lines below its header is the header.
    fn place(&self, text: &str) -> Range<usize> {
        let span = self.span.clone().unwrap_or_default();
        match text.get(span.clone()).and_then(|table| table.split_once('\n')) {
            Some((header, _)) => span.start..span.start + header.trim_end().len(),
            None => span,
        }
    }
}

impl Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.fault)
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(ReadFault::Custom(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(ReadFault::Type {
            expected: expectation(&expected.to_string(), found),
            found: shown(found),
        })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(found: &str, known: &'static [&'static str]) -> Self {
        Self::new(ReadFault::UnknownWord(found.to_owned(), known))
    }

    fn unknown_field(found: &str, known: &'static [&'static str]) -> Self {
        Self::new(ReadFault::UnknownField(found.to_owned(), known))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(ReadFault::Missing(field))
    }
}

/// The expectation of a type, without the words of its language.
fn expectation(expected: &str, found: Unexpected<'_>) -> String {
    let is_too_large = matches!(found, Unexpected::Signed(number) if number > i64::from(u32::MAX));
    match expected {
        "f32" | "f64" => "a number",
        "i32" | "i64" => "a whole number",
        "u32" if is_too_large => "a whole number up to 4294967295",
        "u32" | "u64" | "usize" => "a whole number, not below 0",
        "a sequence" => "a list",
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
    .to_owned()
}

fn shown(found: Unexpected<'_>) -> String {
    if let Unexpected::Str(text) = found {
        return format!("`\"{text}\"`");
    }
    match found.to_string().as_str() {
        "map" => "a table".to_owned(),
        "sequence" => "a list".to_owned(),
        // A number or a truth value: its kind, and then itself.
        other => format!("`{}`", other.split('`').nth(1).unwrap_or(other)),
    }
}

/// A value that no type here holds.
fn unreadable(found: impl Display, expected: &dyn de::Expected) -> ReadError {
    de::Error::invalid_type(Unexpected::Other(&format!("`{found}`")), expected)
}

/// Reads one value.
#[derive(Clone, Copy)]
struct Reader<'i> {
    input: &'i Input<'i>,
    /// The innermost key that holds it.
    key: Option<&'i str>,
    value: &'i Spanned<DeValue<'i>>,
}

impl<'i> Reader<'i> {
    /// Whether a key of the table, or one with a typing error, was skipped.
    fn skips(&self, field: &str) -> bool {
        let table = self.value.get_ref().as_table();
        table.into_iter().flatten().any(|(key, _)| {
            self.input.skipped.contains(&key.span().start) && words::is_like(key.get_ref(), field)
        })
    }

    fn wrong_kind(&self, expected: &str, found: &str) -> ReadError {
        let (expected, found) = (expected.to_owned(), found.to_owned());
        ReadError::new(ReadFault::Type { expected, found }).in_value(self.key, self.value.span())
    }

    /// The name in the header of a table, `[rule]` or `[[rule]]`, where it has one.
    fn header(&self, brackets: &str) -> Option<&'i str> {
        let header = self.input.text.get(self.value.span().start..)?.strip_prefix(brackets)?;
        Some(header.split(']').next()?.trim())
    }

    fn list_for_table(&self, first: Option<&'i Spanned<DeValue<'i>>>) -> ReadError {
        let first =
            first.filter(|first| first.get_ref().is_table()).map(|first| Reader { value: first, ..*self });
        let Some((first, name)) = first.and_then(|first| Some((first, first.header("[[")?))) else {
            return self.wrong_kind("a table", "a list");
        };
        let message = format!("`[[{name}]]` should be `[{name}]`: expected a table, found a list");
        ReadError::new(ReadFault::Complete(message)).in_value(None, first.value.span())
    }

    fn table_for_list<V: Visitor<'i>>(&self, visitor: V) -> ReadError {
        const FOUND: &str = "expected a list, found a table";
        let of_tables = Cell::new(false);
        let _ = visitor.visit_seq(Probe { of_tables: &of_tables });
        let message = match (of_tables.get(), self.key, self.header("[")) {
            (false, Some(key), _) => {
                format!("`{key}`: expected a list of strings, as in `{key} = [\"…\"]`, found a table")
            }
            (_, _, Some(name)) => format!("`[{name}]` should be `[[{name}]]`: {FOUND}"),
            _ => words::about(self.key, &format!("one table should be several, as in `[{{ … }}]`: {FOUND}")),
        };
        ReadError::new(ReadFault::Complete(message)).in_value(None, self.value.span())
    }

    fn any<V: Visitor<'i>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.value.get_ref() {
            DeValue::String(text) => visitor.visit_str(text),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => visitor.visit_i64(number),
                Err(_) => Err(unreadable(number, &visitor)),
            },
            DeValue::Float(number) => match number.as_str().parse() {
                Ok(number) => visitor.visit_f64(number),
                Err(_) => Err(unreadable(number, &visitor)),
            },
            DeValue::Boolean(value) => visitor.visit_bool(*value),
            DeValue::Datetime(time) => Err(unreadable(time, &visitor)),
            DeValue::Array(list) => {
                let values = list.iter();
                visitor.visit_seq(Elements { input: self.input, key: self.key, values })
            }
            DeValue::Table(table) => {
                let pairs = table.iter();
                visitor.visit_map(Entries { reader: self, pairs, next: None })
            }
        }
        .map_err(|error| error.in_value(self.key, self.value.span()))
    }
}

impl<'i> de::Deserializer<'i> for Reader<'i> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'i>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.any(visitor)
    }

    fn deserialize_option<V: Visitor<'i>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'i>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'i>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if let Some(list) = self.value.get_ref().as_array() {
            return Err(self.list_for_table(list.iter().next()));
        }
        self.any(visitor).map_err(|mut error| {
            let is_own = error.span.as_ref() == Some(&self.value.span());
            if let ReadFault::Missing(field) = error.fault
                && is_own
                && fields.contains(&field)
            {
                error.follows |= self.skips(field);
            }
            error
        })
    }

    fn deserialize_seq<V: Visitor<'i>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if self.value.get_ref().is_table() {
            return Err(self.table_for_list(visitor));
        }
        self.any(visitor)
    }

    fn deserialize_str<V: Visitor<'i>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.value.get_ref() {
            DeValue::Array(_) => Err(self.wrong_kind("a string", "a list")),
            DeValue::Table(_) => Err(self.wrong_kind("a string", "a table")),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => self.any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'i>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_enum<V: Visitor<'i>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.value.get_ref() {
            DeValue::String(word) => {
                let word: StrDeserializer<'_, ReadError> = word.as_ref().into_deserializer();
                visitor.visit_enum(word).map_err(|error| error.in_value(self.key, self.value.span()))
            }
            DeValue::Array(_) => Err(self.wrong_kind("a string", "a list")),
            DeValue::Table(_) => Err(self.wrong_kind("a string", "a table")),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
                let found = self.input.text.get(self.value.span()).unwrap_or_default();
                Err(self.wrong_kind("a string", &format!("`{found}`")))
            }
        }
    }

    forward_to_deserialize_any! {
        <V: Visitor<'i>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct
        map identifier ignored_any
    }
}

/// The elements of a list that are not skipped.
struct Elements<'i, I> {
    input: &'i Input<'i>,
    key: Option<&'i str>,
    values: I,
}

impl<'i, I: Iterator<Item = &'i Spanned<DeValue<'i>>>> SeqAccess<'i> for Elements<'i, I> {
    type Error = ReadError;

    fn next_element_seed<S: DeserializeSeed<'i>>(&mut self, seed: S) -> Result<Option<S::Value>, ReadError> {
        let Self { input, key, values } = self;
        let Some(value) = values.find(|value| !input.skipped.contains(&value.span().start)) else {
            return Ok(None);
        };
        let read = seed.deserialize(Reader { input, key: *key, value });
        read.map(Some).map_err(|error| error.in_value(*key, value.span()).skipping(value.span().start))
    }
}

/// The entries of a table that are not skipped.
struct Entries<'i, I> {
    reader: Reader<'i>,
    pairs: I,
    /// The value whose key was read, and where the key begins.
    next: Option<(Reader<'i>, usize)>,
}

impl<'i, K, I> MapAccess<'i> for Entries<'i, I>
where
    K: AsRef<str> + 'i,
    I: Iterator<Item = (&'i Spanned<K>, &'i Spanned<DeValue<'i>>)>,
{
    type Error = ReadError;

    fn next_key_seed<S: DeserializeSeed<'i>>(&mut self, seed: S) -> Result<Option<S::Value>, ReadError> {
        let Reader { input, key: holder, value: table } = self.reader;
        let Some((key, value)) = self.pairs.find(|(key, _)| !input.skipped.contains(&key.span().start))
        else {
            return Ok(None);
        };
        let name = key.get_ref().as_ref();
        self.next = Some((Reader { input, key: Some(name), value }, key.span().start));
        let read: Result<S::Value, ReadError> = seed.deserialize(StrDeserializer::new(name));
        // The keys below a header need no other key before them.
        let holder = holder.filter(|_| table.span().contains(&key.span().start));
        read.map(Some).map_err(|error| {
            let is_top_level = self.reader.key.is_none();
            ReadError { is_top_level, ..error }.in_value(holder, key.span()).skipping(key.span().start)
        })
    }

    fn next_value_seed<S: DeserializeSeed<'i>>(&mut self, seed: S) -> Result<S::Value, ReadError> {
        let Some((reader, start)) = self.next.take() else {
            return Err(de::Error::custom("a value without a key"));
        };
        let read = seed.deserialize(reader);
        read.map_err(|error| error.in_value(reader.key, reader.value.span()).skipping(start))
    }
}

/// Finds out the type of a list's elements: the list's own type requests one.
struct Probe<'p> {
    of_tables: &'p Cell<bool>,
}

impl<'i> SeqAccess<'i> for Probe<'_> {
    type Error = ReadError;

    fn next_element_seed<S: DeserializeSeed<'i>>(&mut self, seed: S) -> Result<Option<S::Value>, ReadError> {
        seed.deserialize(Probe { of_tables: self.of_tables }).map(Some)
    }
}

impl<'i> de::Deserializer<'i> for Probe<'_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'i>>(self, _: V) -> Result<V::Value, ReadError> {
        Err(de::Error::custom("only the type counts"))
    }

    fn deserialize_struct<V: Visitor<'i>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.of_tables.set(true);
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        <V: Visitor<'i>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
