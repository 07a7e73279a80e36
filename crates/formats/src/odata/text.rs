//! Percent signs: how text gets into URLs and out of them (RFC 3986 sections 2.1 and 3.4).

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::Error;

/// What stands unescaped in a query value or a key. `;`, `&`, `+`, `#`, `=` and `%` never do, and neither does the slash
/// of a key.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'$')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b',')
    .remove(b':')
    .remove(b'@')
    .remove(b'*');

/// `%41` is `A`; broken escapes stay as they are.
///
/// # Errors
/// When the bytes are not UTF-8.
pub(super) fn decode(text: &str) -> Result<Cow<'_, str>, Error> {
    percent_decode_str(text).decode_utf8().map_err(|_| Error::bad("The URL is not UTF-8 text."))
}

/// The same in a query string, where `+` is a space.
///
/// # Errors
/// When the bytes are not UTF-8.
pub(super) fn decode_query(text: &str) -> Result<String, Error> {
    let spaced = text.replace('+', " ");
    decode(&spaced).map(Cow::into_owned)
}

pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// `O'Brien` as a literal: `'O''Brien'`.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
