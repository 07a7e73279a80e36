//! Text to tokens. One pass, no copies but of quoted text.

use super::literal::{self, Literal};
use crate::odata::Error;

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token<'t> {
    /// A name, a qualified name or a keyword: `name`, `Microsoft.Dynamics.CRM.In`, `eq`.
    Word(&'t str),
    /// `$count`, with its sign.
    Dollar(&'t str),
    Literal(Literal),
    /// `@p1`, without its sign.
    Alias(&'t str),
    /// One of `( ) , / : ; = * [ ]`.
    Sign(char),
    End,
}

/// Reads tokens off a text.
#[derive(Debug)]
pub(crate) struct Lexer<'t> {
    pub text: &'t str,
    at: usize,
}

fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}

impl<'t> Lexer<'t> {
    pub fn new(text: &'t str) -> Self {
        Lexer { text, at: 0 }
    }

    /// The next token and the byte it starts at.
    pub fn next(&mut self) -> Result<(usize, Token<'t>), Error> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
        let start = self.at;
        let Some(first) = self.text[start..].chars().next() else { return Ok((start, Token::End)) };
        Ok((start, self.token(first)?))
    }

    fn token(&mut self, first: char) -> Result<Token<'t>, Error> {
        if let Some(id) = self.guid() {
            return Ok(Token::Literal(id));
        }
        match first {
            '(' | ')' | ',' | '/' | ':' | ';' | '=' | '*' | '[' | ']' => {
                self.at += 1;
                Ok(Token::Sign(first))
            }
            '\'' => self.text_literal().map(|text| Token::Literal(Literal::Text(text))),
            '"' => self.json_string().map(|text| Token::Literal(Literal::Text(text))),
            '{' => self.json_object().map(|json| Token::Literal(Literal::Json(json))),
            '$' => self.after_sign().map(Token::Dollar).map_or_else(|| self.invalid(first), Ok),
            '@' => {
                self.after_sign().map(|word| Token::Alias(&word[1..])).map_or_else(|| self.invalid(first), Ok)
            }
            '-' | '0'..='9' => self.number().map(Token::Literal),
            'A'..='Z' | 'a'..='z' | '_' => self.word(),
            _ => self.invalid(first),
        }
    }

    fn invalid<T>(&self, c: char) -> Result<T, Error> {
        let what = format!("Syntax error: character '{}' is not valid", c.escape_debug());
        Err(Error::at(&what, self.text, self.at))
    }

    /// The longest run of characters, taken.
    fn run(&mut self, belongs: impl Fn(char) -> bool) -> &'t str {
        let rest = &self.text[self.at..];
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// A guid may start with a letter, so it is looked for before words are.
    fn guid(&mut self) -> Option<Literal> {
        let rest = &self.text[self.at..];
        let candidate = rest.get(..36).filter(|text| text.as_bytes()[8] == b'-')?;
        let id = literal::guid(candidate)?;
        if rest[36..].starts_with(|c| in_word(c) || c == '-') {
            return None;
        }
        self.at += 36;
        Some(Literal::Guid(id))
    }

    /// `$word` or `@word`, with the sign; `None` when there is no word.
    fn after_sign(&mut self) -> Option<&'t str> {
        let rest = &self.text[self.at..];
        let end = rest[1..].find(|c| !in_word(c)).map_or(rest.len(), |end| end + 1);
        let word = (end > 1).then(|| &rest[..end])?;
        self.at += end;
        Some(word)
    }

    fn number(&mut self) -> Result<Literal, Error> {
        let start = self.at;
        let word = self.run(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '+' | '-'));
        literal::bare(word).ok_or_else(|| Error::syntax(self.text, start))
    }

    fn word(&mut self) -> Result<Token<'t>, Error> {
        let start = self.at;
        let word = self.run(in_word);
        match word {
            "true" | "false" => return Ok(Token::Literal(Literal::Bool(word == "true"))),
            "null" => return Ok(Token::Literal(Literal::Null)),
            _ => {}
        }
        if !self.text[self.at..].starts_with('\'') {
            return Ok(Token::Word(word));
        }
        let text = self.text_literal()?;
        let literal = literal::prefixed(word, text);
        literal.map(Token::Literal).ok_or_else(|| Error::syntax(self.text, start))
    }

    /// `'O''Brien'`.
    fn text_literal(&mut self) -> Result<String, Error> {
        let start = self.at;
        let mut text = String::new();
        self.at += 1;
        loop {
            let Some(end) = self.text[self.at..].find('\'') else {
                return Err(Error::at("There is an unterminated string literal", self.text, start));
            };
            text.push_str(&self.text[self.at..self.at + end]);
            self.at += end + 1;
            if !self.text[self.at..].starts_with('\'') {
                return Ok(text);
            }
            text.push('\'');
            self.at += 1;
        }
    }

    fn json_string(&mut self) -> Result<String, Error> {
        let start = self.at;
        let end = json_string_end(&self.text[start..]);
        let string =
            end.and_then(|end| serde_json::from_str(&self.text[start..start + end]).ok().zip(Some(end)));
        let Some((string, end)) = string else {
            return Err(Error::at("There is an unterminated string literal", self.text, start));
        };
        self.at += end;
        Ok(string)
    }

    fn json_object(&mut self) -> Result<String, Error> {
        let start = self.at;
        let object = object(&self.text[start..]);
        let valid = object.filter(|(json, _)| serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok());
        let (json, end) = valid.ok_or_else(|| Error::syntax(self.text, start))?;
        self.at += end;
        Ok(json)
    }
}

/// Behind the closing quote of the JSON string that `text` starts with.
fn json_string_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The object that `text` starts with, as JSON, and where it ends. Strings may be single-quoted, as the platform's own
/// documents write entity references: `{'@odata.id':'accounts(…)'}`.
fn object(text: &str) -> Option<(String, usize)> {
    let (mut json, mut at, mut open) = (String::new(), 0, 0_usize);
    loop {
        let rest = &text[at..];
        let end = match rest.chars().next()? {
            '"' => json_string_end(rest)?,
            '\'' => {
                let mut inner = Lexer::new(rest);
                json.push_str(&serde_json::Value::String(inner.text_literal().ok()?).to_string());
                at += inner.at;
                continue;
            }
            c => {
                open += usize::from(c == '{');
                open -= usize::from(c == '}');
                c.len_utf8()
            }
        };
        json.push_str(&rest[..end]);
        at += end;
        if open == 0 {
            return Some((json, at));
        }
    }
}
