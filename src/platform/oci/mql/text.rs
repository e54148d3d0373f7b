//! A part of a query, and the same part with its quoted texts and predicates masked, because these may hold any character.

/// A part of a query.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueryText<'a> {
    /// As its author wrote it.
    pub(super) raw: &'a str,
    /// As long, in lower case. Predicates are blanks, quoted names are underscores.
    masked: &'a str,
}

/// The query with its quoted texts and predicates masked.
pub(super) fn mask(query: &str) -> String {
    let (mut quote, mut braces) = (None, 0_usize);
    let mut masked = String::with_capacity(query.len());
    for c in query.chars() {
        let sign = if let Some(open) = quote {
            quote = (c != open).then_some(open);
            '_'
        } else {
            match c {
                '"' | '\'' => {
                    quote = Some(c);
                    '_'
                }
                '{' => {
                    braces += 1;
                    ' '
                }
                '}' => {
                    braces = braces.saturating_sub(1);
                    ' '
                }
                _ if c.is_ascii() => c.to_ascii_lowercase(),
                _ => '_',
            }
        };
        let sign = if braces > 0 { ' ' } else { sign };
        masked.extend(std::iter::repeat_n(sign, c.len_utf8()));
    }
    masked
}

impl<'a> QueryText<'a> {
    /// The whole query, and its mask.
    pub(super) fn new(raw: &'a str, masked: &'a str) -> Self {
        Self { raw, masked }
    }

    /// The mask without blanks.
    pub(super) fn compact(self) -> String {
        self.masked.chars().filter(|c| !c.is_whitespace()).collect()
    }

    /// The part between two places; empty where there is none.
    fn part(self, from: usize, to: usize) -> Self {
        let (raw, masked) = (self.raw.get(from..to), self.masked.get(from..to));
        Self { raw: raw.unwrap_or_default(), masked: masked.unwrap_or_default() }
    }

    /// The part without parentheses around the whole of it.
    pub(super) fn bare(self) -> Self {
        let mut bare = self;
        while let Some(inside) = bare.parenthesized().filter(|inside| inside.rest.masked.trim().is_empty()) {
            bare = inside.inner;
        }
        bare
    }

    /// What is in parentheses at the beginning, and the rest behind them.
    pub(super) fn parenthesized(self) -> Option<Parenthesized<'a>> {
        let open = self.masked.find(|c: char| !c.is_whitespace())?;
        if !self.masked.get(open..)?.starts_with('(') {
            return None;
        }
        let mut depth = 0_usize;
        for (at, c) in self.masked.char_indices() {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.checked_sub(1)?,
                _ => {}
            }
            if c == ')' && depth == 0 {
                let inner = self.part(open + 1, at);
                return Some(Parenthesized { inner, rest: self.part(at + 1, self.masked.len()) });
            }
        }
        None
    }

    /// The places of a sign outside parentheses, with the length that it has there; 0 where it is not there.
    fn places(self, length_of: fn(&str) -> usize) -> Vec<(usize, usize)> {
        let (mut depth, mut end) = (0_usize, 0);
        let mut places = Vec::new();
        for (at, c) in self.masked.char_indices() {
            match c {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            let length = self.masked.get(at..).map_or(0, length_of);
            if depth == 0 && at >= end && length > 0 {
                places.push((at, length));
                end = at + length;
            }
        }
        places
    }

    /// The parts that `&&` and `||` join; the whole alone where they join none.
    pub(super) fn joined(self) -> Vec<Self> {
        let joins = |text: &str| if text.starts_with("&&") || text.starts_with("||") { 2 } else { 0 };
        let mut parts = Vec::new();
        let mut begin = 0;
        for (at, length) in self.places(joins) {
            parts.push(self.part(begin, at));
            begin = at + length;
        }
        parts.push(self.part(begin, self.masked.len()));
        parts
    }

    /// The two sides of the only comparison outside parentheses, and its sign.
    pub(super) fn compared(self) -> Option<ComparedText<'a>> {
        let sign = |text: &str| {
            let long = [">=", "<=", "==", "!="].iter().any(|sign| text.starts_with(sign));
            if long { 2 } else { usize::from(text.starts_with(['<', '>', '=', '!'])) }
        };
        let places = self.places(sign);
        let [(at, length)] = places.as_slice() else { return None };
        let right = at + length;
        Some(ComparedText {
            left: self.part(0, *at),
            sign: self.masked.get(*at..right)?,
            right: self.part(right, self.masked.len()),
        })
    }

    /// The two sides of the last `*` or `/` outside parentheses.
    pub(super) fn scaled(self) -> Option<[Self; 2]> {
        let sign = |text: &str| usize::from(text.starts_with(['*', '/']));
        let (at, length) = self.places(sign).pop()?;
        Some([self.part(0, at), self.part(at + length, self.masked.len())])
    }
}

/// A text in parentheses at the beginning of another.
pub(super) struct Parenthesized<'a> {
    /// Between the parentheses.
    pub(super) inner: QueryText<'a>,
    /// Behind them.
    pub(super) rest: QueryText<'a>,
}

/// A comparison.
pub(super) struct ComparedText<'a> {
    /// What is left of the sign.
    pub(super) left: QueryText<'a>,
    /// The sign between the two.
    pub(super) sign: &'a str,
    /// What is right of the sign.
    pub(super) right: QueryText<'a>,
}
