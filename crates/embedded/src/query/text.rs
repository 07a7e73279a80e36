//! Text in comparable form, and patterns.

use postroom_store::Dialect;
use postroom_store::sql::{Expr, ExprTrait, Func, LikeExpr};

/// A text column and a wanted text in comparable form.
pub(crate) fn fold(dialect: Dialect, column: Expr, wanted: &str) -> (Expr, String) {
    let wanted: String = wanted.chars().flat_map(char::to_lowercase).collect();
    let mut beyond: Vec<char> = wanted.chars().filter(|letter| !letter.is_ascii()).collect();
    beyond.sort_unstable();
    beyond.dedup();
    if beyond.is_empty() && dialect == Dialect::Sqlite {
        return (column, wanted);
    }
    let lower: Expr = Func::lower(column).into();
    let folded = beyond.into_iter().fold(lower, |column, letter| match other_form(letter) {
        Some(upper) => {
            let args = [column, Expr::val(upper.to_string()), Expr::val(letter.to_string())];
            Func::cust("replace").args(args).into()
        }
        None => column,
    });
    (folded, wanted)
}

/// Spellings that are looked up one by one; each letter beyond ASCII has two.
const SPELLINGS: usize = 4;

/// What every match of a folded comparison lies in, said so that the column's plain index finds it: the text itself, or
/// all that begin with it. `None` when that says nothing.
///
/// The index folds ASCII only, so a letter beyond it is looked for in both of its forms.
pub(super) fn narrowed(dialect: Dialect, column: &Expr, wanted: &str, begins: bool) -> Option<Expr> {
    let column = match dialect {
        Dialect::Sqlite => column.clone(),
        Dialect::Postgres => Func::lower(column.clone()).into(),
    };
    let (spellings, whole) = spellings(wanted);
    if spellings[0].is_empty() {
        return None;
    }
    if whole && !begins {
        return Some(column.is_in(spellings));
    }
    let ranges = spellings.into_iter().map(|from| {
        let until = format!("{from}{}", char::MAX);
        column.clone().gte(from).and(column.clone().lt(until))
    });
    ranges.reduce(|all, one| all.or(one))
}

/// The ways in which a text in small letters may be written, ASCII aside, up to the letter that would make too many; and
/// whether that is all of it.
fn spellings(wanted: &str) -> (Vec<String>, bool) {
    let mut all = vec![String::new()];
    for letter in wanted.chars() {
        match other_form(letter) {
            Some(_) if all.len() * 2 > SPELLINGS => return (all, false),
            Some(upper) => {
                let more: Vec<String> = all.iter().map(|text| format!("{text}{upper}")).collect();
                all.iter_mut().for_each(|text| text.push(letter));
                all.extend(more);
            }
            None => all.iter_mut().for_each(|text| text.push(letter)),
        }
    }
    (all, true)
}

/// The capital letter that a letter beyond ASCII is folded from, when there is exactly one.
fn other_form(letter: char) -> Option<char> {
    let mut upper = letter.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) if upper != letter && !letter.is_ascii() => Some(upper),
        _ => None,
    }
}

/// `column LIKE pattern`, in which everything stands for itself.
pub(super) fn like_literal(column: Expr, before: &str, wanted: &str, after: &str) -> Expr {
    let escaped = wanted.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    column.like(LikeExpr::new(format!("{before}{escaped}{after}")).escape('\\'))
}

/// A pattern with SQL Server's wildcards. Sets of characters (`[a-c]`, `[^a]`) are GLOB on SQLite and a regular expression
/// on PostgreSQL; without them it is a plain LIKE.
pub(super) fn like(dialect: Dialect, column: Expr, pattern: &str) -> Expr {
    let (folded, pattern) = fold(dialect, column.clone(), pattern);
    let parts = parts(&pattern);
    let begins: String = parts.iter().map_while(Part::letter).collect();
    let matches = matches(dialect, folded, &parts);
    match narrowed(dialect, &column, &begins, true) {
        Some(narrowed) => matches.and(narrowed),
        None => matches,
    }
}

fn matches(dialect: Dialect, column: Expr, parts: &[Part]) -> Expr {
    let sets = parts.iter().any(|part| matches!(part, Part::Set(..)));
    match (sets, dialect) {
        (false, _) => {
            column.like(LikeExpr::new(parts.iter().map(Part::like).collect::<String>()).escape('\\'))
        }
        (true, Dialect::Sqlite) => {
            let lower: Expr = Func::lower(column).into();
            let glob: String = parts.iter().map(Part::glob).collect();
            // GLOB is the function glob(pattern, text).
            let call: Expr = Func::cust("glob").args([Expr::val(glob), lower]).into();
            call.eq(1)
        }
        (true, Dialect::Postgres) => {
            let regex: String = parts.iter().map(Part::regex).collect();
            let call: Expr = Func::cust("regexp_like").args([column, Expr::val(format!("^{regex}$"))]).into();
            call.eq(true)
        }
    }
}

enum Part {
    Any,
    One,
    Letter(char),
    /// Whether it is negated, and what stands between the brackets.
    Set(bool, String),
}

impl Part {
    fn letter(&self) -> Option<char> {
        match self {
            Part::Letter(letter) => Some(*letter),
            _ => None,
        }
    }

    fn like(&self) -> String {
        match self {
            Part::Any => "%".into(),
            Part::One => "_".into(),
            Part::Letter(letter @ ('%' | '_' | '\\')) => format!("\\{letter}"),
            Part::Letter(letter) => letter.to_string(),
            Part::Set(..) => unreachable!("patterns with sets are not made into LIKE"),
        }
    }

    fn glob(&self) -> String {
        match self {
            Part::Any => "*".into(),
            Part::One => "?".into(),
            Part::Letter(letter @ ('*' | '?' | '[')) => format!("[{letter}]"),
            Part::Letter(letter) => letter.to_string(),
            Part::Set(not, set) => format!("[{}{set}]", if *not { "^" } else { "" }),
        }
    }

    fn regex(&self) -> String {
        match self {
            Part::Any => ".*".into(),
            Part::One => ".".into(),
            Part::Letter(letter) if letter.is_alphanumeric() || *letter == ' ' => letter.to_string(),
            Part::Letter(letter) => format!("\\{letter}"),
            Part::Set(not, set) => {
                let set = set.replace('\\', "\\\\").replace('[', "\\[");
                format!("[{}{set}]", if *not { "^" } else { "" })
            }
        }
    }
}

fn parts(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        let set = rest.strip_prefix('[').and_then(|inner| inner.split_once(']'));
        rest = match (letter, set) {
            // `[%]` and its like: one character that stands for itself.
            ('[', Some((inner, after))) if !inner.is_empty() && inner != "^" => {
                let (not, set) = inner.strip_prefix('^').map_or((false, inner), |set| (true, set));
                let mut letters = set.chars();
                match (not, letters.next(), letters.next()) {
                    (false, Some(only), None) => parts.push(Part::Letter(only)),
                    _ => parts.push(Part::Set(not, set.to_owned())),
                }
                after
            }
            ('%', _) => {
                parts.push(Part::Any);
                &rest[1..]
            }
            ('_', _) => {
                parts.push(Part::One);
                &rest[1..]
            }
            (letter, _) => {
                parts.push(Part::Letter(letter));
                &rest[letter.len_utf8()..]
            }
        };
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(wanted: &str, expected: &[&str], whole: bool) {
        assert_eq!(spellings(wanted), (expected.iter().map(|text| (*text).to_owned()).collect(), whole));
    }

    #[test]
    fn letters_beyond_ascii_are_spelled_both_ways() {
        check("anna", &["anna"], true);
        check("köhler", &["köhler", "kÖhler"], true);
        check("äöx", &["äöx", "Äöx", "äÖx", "ÄÖx"], true);
        check("straße", &["straße"], true); // its capital is two letters
        check("äöü", &["äö", "Äö", "äÖ", "ÄÖ"], false);
        check("", &[""], true);
    }
}
