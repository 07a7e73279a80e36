//! Letters without case, alike on both databases. What they fold themselves is ASCII.
//!
//! A capital stands for its small letter where the two are a pair. `İ`, the Kelvin sign and the like have no small letter
//! that leads back to them, and stand for themselves: else no text would equal itself.

use std::sync::LazyLock;

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use sea_query::{Expr, Func};

use crate::Dialect;

/// The function that every SQLite connection of ours has.
const FUNCTION: &str = "postroom_small";

/// The small letter of a capital.
pub fn small(letter: char) -> char {
    match single(letter.to_lowercase()) {
        Some(small) if capital(small) == Some(letter) => small,
        _ => letter,
    }
}

/// The capital of a small letter, when it is one letter and another.
pub fn capital(letter: char) -> Option<char> {
    single(letter.to_uppercase()).filter(|capital| *capital != letter)
}

fn single(mut letters: impl Iterator<Item = char>) -> Option<char> {
    letters.next().filter(|_| letters.next().is_none())
}

/// A text in small letters, whatever letters it has.
pub fn lower(dialect: Dialect, text: Expr) -> Expr {
    match dialect {
        Dialect::Sqlite => Func::cust(FUNCTION).arg(text).into(),
        Dialect::Postgres => {
            let (capitals, smalls) = &*PAIRS;
            let args = [Func::lower(text).into(), Expr::val(capitals.as_str()), Expr::val(smalls.as_str())];
            Func::cust("translate").args(args).into()
        }
    }
}

/// All capitals beyond ASCII, and their small letters in the same order.
static PAIRS: LazyLock<(String, String)> = LazyLock::new(|| {
    let pairs = ('\u{80}'..=char::MAX).map(|letter| (letter, small(letter)));
    pairs.filter(|(letter, small)| letter != small).unzip()
});

/// Gives a connection the function.
pub(crate) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function(FUNCTION, 1, flags, folded)
}

fn folded(context: &Context<'_>) -> rusqlite::Result<Option<String>> {
    Ok(match context.get_raw(0) {
        ValueRef::Text(bytes) => Some(String::from_utf8_lossy(bytes).chars().map(small).collect()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_are_pairs() {
        let folded: String = "ÖMER ΩΜΈΓΑ Ж İ \u{212A} ẞ ß A".chars().map(small).collect();
        assert_eq!(folded, "ömer ωμέγα ж İ \u{212A} ẞ ß a");
        let (capitals, smalls) = &*PAIRS;
        assert_eq!(capitals.chars().count(), smalls.chars().count());
        assert!(capitals.contains('Ö') && !capitals.contains('A') && smalls.contains('ω'));
    }

    #[test]
    fn sqlite_knows_the_function() {
        let connection = Connection::open_in_memory().unwrap();
        register(&connection).unwrap();
        let check = |value: &str, expected: Option<&str>| {
            let sql = format!("SELECT {FUNCTION}({value})");
            let found: Option<String> = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
            assert_eq!(found.as_deref(), expected, "{value}");
        };
        check("'Straße ÄÖÜ'", Some("straße äöü"));
        check("NULL", None);
    }
}
