//! SQL text cut into words, signs and values.

use super::parse::Error;

/// The longest text that is read, in bytes.
const LONGEST: usize = 32 * 1024;

/// One piece. Keywords are names here: what a name means only the grammar knows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A bare name or keyword.
    Word(String),
    /// `[name]` or `"name"`: never a keyword.
    Name(String),
    Text(String),
    Number(String),
    Sign(&'static str),
}

const SIGNS: [&str; 15] = ["<>", "!=", "<=", ">=", "=", "<", ">", "(", ")", ",", ".", "*", ";", "+", "-"];

pub(super) fn cut(text: &str) -> Result<Vec<Token>, Error> {
    if text.len() > LONGEST {
        return Err(Error(format!("it is longer than {LONGEST} bytes")));
    }
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, behind) = match first {
            '\'' => quoted(&rest[1..], '\'').map(|(text, rest)| (Token::Text(text), rest))?,
            'N' | 'n' if rest[1..].starts_with('\'') => {
                quoted(&rest[2..], '\'').map(|(text, rest)| (Token::Text(text), rest))?
            }
            '"' => quoted(&rest[1..], '"').map(|(text, rest)| (Token::Name(text), rest))?,
            '[' => quoted(&rest[1..], ']').map(|(text, rest)| (Token::Name(text), rest))?,
            '0'..='9' => number(rest),
            '-' if rest.starts_with("--") => return Err(Error("comments are not taken".into())),
            letter if letter.is_alphabetic() || letter == '_' || letter == '@' => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '@');
                let (word, behind) = rest.split_at(end.unwrap_or(rest.len()));
                (Token::Word(word.to_owned()), behind)
            }
            other => {
                let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
                let sign = sign.ok_or_else(|| Error(format!("'{other}' means nothing here")))?;
                (Token::Sign(sign), &rest[sign.len()..])
            }
        };
        tokens.push(token);
        rest = behind.trim_start();
    }
    Ok(tokens)
}

/// Up to the closing sign; two of them are one in the text.
fn quoted(text: &str, close: char) -> Result<(String, &str), Error> {
    let mut found = String::new();
    let mut rest = text;
    loop {
        let end = rest.find(close).ok_or_else(|| Error(format!("a closing {close} is missing")))?;
        found.push_str(&rest[..end]);
        rest = &rest[end + close.len_utf8()..];
        if !rest.starts_with(close) {
            return Ok((found, rest));
        }
        found.push(close);
        rest = &rest[close.len_utf8()..];
    }
}

fn number(text: &str) -> (Token, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    (Token::Number(number.to_owned()), rest)
}
