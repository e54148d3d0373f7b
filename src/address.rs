//! The address of a webhook. Whoever knows it whole may post there, so only its host is ever shown.

use std::fmt;

/// The hosts that are this machine: nobody listens in between.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// A checked address.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// Checks what is written. The problem tells no more of it than its host.
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

    /// The whole of it, for whoever posts there and for nobody else.
    pub fn whole(&self) -> &str {
        &self.0
    }
}

fn host_and_port(authority: &str) -> (&str, Option<&str>) {
    // The colons of an IPv6 address stand in brackets.
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

/// What may be shown of one that is meant as an address: nothing after the host, and no user's name.
pub fn shown(text: &str) -> String {
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, hidden) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
    format!("{scheme}{host}{}", if hidden.len() > 1 { "/…" } else { hidden })
}

/// A text without what it may hold of addresses after their hosts.
pub fn masked(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let from = rest[..at].rfind(|c: char| !c.is_ascii_alphanumeric()).map_or(0, |before| before + 1);
        let to = rest[at..].find([' ', '\n', '"', '`', '\'']).map_or(rest.len(), |end| at + end);
        kept.push_str(&rest[..from]);
        kept.push_str(&shown(&rest[from..to]));
        rest = &rest[to..];
    }
    kept + rest
}
