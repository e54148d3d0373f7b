//! The address of a webhook, which is a secret: only its host is ever printed.

use std::fmt;
use std::ops::Range;

/// The names of this machine. Traffic to them never leaves it, so plain HTTP is safe.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// A valid address.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// Validates an address. The error message contains no more of it than its host.
    pub fn checked(text: &str) -> Result<Self, String> {
        let shown = shown(text);
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let (host, port) = host_and_port(authority);
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains(['"', '<', '>', '\\', '#', '`'])
        {
            return Err(format!("`{shown}` has a character in it that no address of a webhook has"));
        }
        if authority.contains('@') {
            return Err(format!(
                "`{shown}` holds a user's name: expected none, nothing would log in with it"
            ));
        }
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        let is_host = host == "[::1]" || !host.is_empty() && host.chars().all(named);
        if !is_host || port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
            return Err(format!("`{shown}` has no host that can be called: expected `https://<host>/…`"));
        }
        match scheme {
            "https" => Ok(Self(text.to_owned())),
            "http" if LOOPBACK.contains(&host) => Ok(Self(text.to_owned())),
            _ => Err(format!("`{shown}` can be read on its way: expected `https://…`")),
        }
    }

    /// The complete address. Only the client that posts to it may use this.
    pub fn whole(&self) -> &str {
        &self.0
    }
}

fn host_and_port(authority: &str) -> (&str, Option<&str>) {
    // An IPv6 address has its colons in brackets.
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// The part of an address that is safe to print: no user name, and no path or query.
pub fn shown(text: &str) -> String {
    let (scheme, rest) = match text.find("://") {
        Some(at) => text.split_at(at + "://".len()),
        None => ("", text),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, hidden) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}{host}{}", if hidden.len() > 1 { "/…" } else { hidden })
}

/// A text without what it may hold of addresses after their hosts.
pub fn masked(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(mark) = rest.find("://") {
        let (before, after) = rest.split_at(mark);
        let scheme = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric()).len();
        let end = mark + after.find(ENDS).unwrap_or(after.len());
        kept.push_str(rest.get(..scheme).unwrap_or_default());
        kept.push_str(&shown(rest.get(scheme..end).unwrap_or_default()));
        rest = rest.get(end..).unwrap_or_default();
    }
    kept + rest
}

/// What an address ends at in a text.
const ENDS: [char; 7] = [' ', '\t', '\n', '\r', '"', '`', '\''];

/// A document with stars over the secrets of its addresses; everything else keeps its place. Secret are users' names, and
/// what follows the host: in every address, and in the value of every key `to`.
pub fn hidden(document: &str) -> String {
    let mut secret: Vec<Range<usize>> = Vec::new();
    for (at, scheme) in document.match_indices("://") {
        let begin = at + scheme.len();
        let rest = document.get(begin..).unwrap_or_default();
        let address = rest.split(ENDS).next().unwrap_or_default();
        secret.extend(secrets(address).into_iter().map(|part| begin + part.start..begin + part.end));
    }
    let mut line_start = 0;
    for line in document.split_inclusive('\n') {
        for value in values_of_to(line) {
            let text = line.get(value.clone()).unwrap_or_default();
            let begin = line_start + value.start + text.find("://").map_or(0, |at| at + "://".len());
            let end = line_start + value.end;
            let address = document.get(begin..end).unwrap_or_default();
            secret.extend(secrets(address).into_iter().map(|part| begin + part.start..begin + part.end));
        }
        line_start += line.len();
    }
    let mut kept = String::with_capacity(document.len());
    for (at, c) in document.char_indices() {
        let is_secret = !c.is_whitespace() && secret.iter().any(|part| part.contains(&at));
        if is_secret { (0..c.len_utf8()).for_each(|_| kept.push('*')) } else { kept.push(c) }
    }
    kept
}

/// The secret parts of an address without its scheme.
fn secrets(address: &str) -> [Range<usize>; 2] {
    let host_ends = address.find(['/', '?', '#', '\\']).unwrap_or(address.len());
    let user_ends = address.get(..host_ends).and_then(|authority| authority.rfind('@')).unwrap_or(0);
    [0..user_ends, (host_ends + 1).min(address.len())..address.len()]
}

/// The values that keys `to` have on a line, without their quotes.
fn values_of_to(line: &str) -> Vec<Range<usize>> {
    let mut values = Vec::new();
    for (at, key) in line.match_indices("to") {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        let before = line.get(..at).unwrap_or_default();
        let after = line.get(at + key.len()..).unwrap_or_default();
        let value = after.trim_start_matches(['"', '\'']).trim_start().strip_prefix('=').map(str::trim_start);
        let Some(value) = value.filter(|_| !before.ends_with(is_part)) else { continue };
        let unquoted = value.trim_start_matches(['"', '\'']);
        let quote = value.chars().next().filter(|_| unquoted.len() < value.len());
        let length = quote.and_then(|quote| unquoted.find(quote)).unwrap_or(unquoted.len());
        let begin = line.len() - unquoted.len();
        values.push(begin..begin + length);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_of_an_address_than_its_host_is_shown_in_any_text() {
        let rows = [
            ("é://x.example/SECRET", "é://x.example/…"),
            ("ünknown https://x.example/SECRET` here", "ünknown https://x.example/…` here"),
            ("ähttps://me:SECRET@x.example/SECRET", "ähttps://x.example/…"),
            ("日本://日本/SECRET://é/SECRET", "日本://日本/…"),
            ("://", "://"),
            ("é://", "é://"),
            ("nothing", "nothing"),
        ];
        for (text, expected) in rows {
            assert_eq!(masked(text), expected, "{text}");
        }
    }

    #[test]
    fn the_rest_of_a_document_stays_where_it_is() {
        let rows = [
            ("to = \"https://x.example/SECRET\"\nform = 1", "to = \"https://x.example/******\"\nform = 1"),
            ("to = \"x.example/SECRET\", form = 1", "to = \"x.example/******\", form = 1"),
            ("to=https:\\\\x\\SECRET", "to=https:\\*********"),
            ("[{ \"to\" = 'me:SECRET@x' }]", "[{ \"to\" = '*********@x' }]"),
            ("a = \"ß://x/ß\" # é", "a = \"ß://x/**\" # é"),
            ("auto = \"a/b\"", "auto = \"a/b\""),
            ("to = \"arn:x:y\"", "to = \"arn:x:y\""),
        ];
        for (text, expected) in rows {
            assert_eq!(hidden(text), expected, "{text}");
            assert_eq!(hidden(text).len(), text.len(), "{text}");
        }
    }
}
