//! A command as it was sent, taken apart: words, texts and lists (RFC 3501 section 9), and sets of numbers.

use std::ops::RangeInclusive;

/// A command line whose literals stand apart: each left a NUL behind, which no command may hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Raw {
    pub line: Vec<u8>,
    pub literals: Vec<Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// An atom; what stands in brackets belongs to it.
    Word(String),
    /// A quoted string or a literal.
    Text(Vec<u8>),
    List(Vec<Token>),
}

impl Token {
    pub fn text(&self) -> Option<String> {
        match self {
            Token::Word(word) => Some(word.clone()),
            Token::Text(bytes) => String::from_utf8(bytes.clone()).ok(),
            Token::List(_) => None,
        }
    }

    /// A word in capitals.
    pub fn keyword(&self) -> Option<String> {
        match self {
            Token::Word(word) => Some(word.to_uppercase()),
            _ => None,
        }
    }
}

/// `None` when the brackets do not match, or a quoted string has no end.
pub(super) fn tokens(raw: &Raw) -> Option<Vec<Token>> {
    let mut reader = Reader { rest: &raw.line, literals: raw.literals.iter() };
    let tokens = reader.list()?;
    reader.rest.is_empty().then_some(tokens)
}

struct Reader<'a> {
    rest: &'a [u8],
    literals: std::slice::Iter<'a, Vec<u8>>,
}

impl Reader<'_> {
    /// Up to the end or a closing parenthesis, which stays.
    fn list(&mut self) -> Option<Vec<Token>> {
        let mut tokens = Vec::new();
        loop {
            match self.rest.first() {
                None | Some(b')') => return Some(tokens),
                Some(b' ') => self.rest = &self.rest[1..],
                Some(b'(') => {
                    self.rest = &self.rest[1..];
                    tokens.push(Token::List(self.list()?));
                    self.rest = self.rest.strip_prefix(b")")?;
                }
                Some(b'"') => tokens.push(self.quoted()?),
                Some(0) => {
                    self.rest = &self.rest[1..];
                    tokens.push(Token::Text(self.literals.next()?.clone()));
                }
                Some(_) => tokens.push(self.word()?),
            }
        }
    }

    fn quoted(&mut self) -> Option<Token> {
        let mut text = Vec::new();
        let mut index = 1;
        loop {
            match self.rest.get(index)? {
                b'"' => break,
                b'\\' => {
                    index += 1;
                    text.push(*self.rest.get(index)?);
                }
                byte => text.push(*byte),
            }
            index += 1;
        }
        self.rest = &self.rest[index + 1..];
        Some(Token::Text(text))
    }

    fn word(&mut self) -> Option<Token> {
        let mut depth = 0_u32;
        let ends = |byte: &u8| {
            match byte {
                b'[' => depth += 1,
                b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && matches!(byte, b' ' | b'(' | b')' | b'"' | 0)
        };
        let end = self.rest.iter().position(ends).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        // A quote or parenthesis glued to a word is a new token; an empty word cannot be.
        (!word.is_empty()).then_some(Token::Word(String::from_utf8(word.to_vec()).ok()?))
    }
}

/// `1,3:5,7:*`; `*` stands for `last`.
pub(super) fn set(text: &str, last: u32) -> Option<Vec<RangeInclusive<u32>>> {
    let number = |text: &str| match text {
        "*" => Some(last),
        text => text.parse().ok().filter(|number| *number > 0),
    };
    let range = |part: &str| {
        let (from, to) = part.split_once(':').unwrap_or((part, part));
        let (from, to) = (number(from)?, number(to)?);
        Some(from.min(to)..=from.max(to))
    };
    text.split(',').map(range).collect()
}

pub(super) fn holds(set: &[RangeInclusive<u32>], number: u32) -> bool {
    set.iter().any(|range| range.contains(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Token {
        Token::Word(text.to_owned())
    }

    fn text(text: &str) -> Token {
        Token::Text(text.as_bytes().to_vec())
    }

    #[track_caller]
    fn check(line: &str, expected: Option<Vec<Token>>) {
        let raw = Raw { line: line.as_bytes().to_vec(), literals: vec![b"a literal".to_vec()] };
        assert_eq!(tokens(&raw), expected, "{line}");
    }

    #[test]
    fn commands_are_taken_apart() {
        check("NOOP", Some(vec![word("NOOP")]));
        check(r#"LIST "" "Other\\%""#, Some(vec![word("LIST"), text(""), text(r"Other\%")]));
        check("LOGIN a \0", Some(vec![word("LOGIN"), word("a"), text("a literal")]));
        let items = vec![word("UID"), word("BODY.PEEK[HEADER.FIELDS (A B)]<0.10>")];
        check(
            "FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (A B)]<0.10>)",
            Some(vec![word("FETCH"), word("1:*"), Token::List(items)]),
        );
        check("FETCH (a", None);
        check("FETCH a)", None);
        check("LIST \"a", None);
    }

    #[test]
    fn sets_of_numbers() {
        assert_eq!(set("1,3:5", 9), Some(vec![1..=1, 3..=5]));
        assert_eq!(set("7:*,5:3", 4), Some(vec![4..=7, 3..=5]));
        for bad in ["", "0", "a", "1:", "1,,2"] {
            assert_eq!(set(bad, 9), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_can_be_read(line: Vec<u8>) {
            let _ = tokens(&Raw { line, literals: vec![Vec::new()] });
        }
    }
}
