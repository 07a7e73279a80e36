//! Text in comparable form, and patterns.

use postroom_store::Dialect;
use postroom_store::letters::{capital, small};
use postroom_store::sql::{Expr, ExprTrait, Func, LikeExpr};

/// A text column and a wanted text in comparable form.
pub(crate) fn fold(dialect: Dialect, column: Expr, wanted: &str) -> (Expr, String) {
    let wanted: String = wanted.chars().map(small).collect();
    let pairs = pairs(&wanted);
    if wanted.is_ascii() && dialect == Dialect::Sqlite {
        return (column, wanted);
    }
    let lower: Expr = Func::lower(column).into();
    let folded = match dialect {
        _ if pairs.is_empty() => lower,
        Dialect::Postgres => {
            let (capitals, smalls): (String, String) = pairs.into_iter().unzip();
            Func::cust("translate").args([lower, Expr::val(capitals), Expr::val(smalls)]).into()
        }
        Dialect::Sqlite => pairs.into_iter().take(LETTERS).fold(lower, |column, (capital, small)| {
            let args = [column, Expr::val(capital.to_string()), Expr::val(small.to_string())];
            Func::cust("replace").args(args).into()
        }),
    };
    (folded, wanted)
}

/// The letters beyond ASCII of a text in small letters, each with its capital before it.
fn pairs(wanted: &str) -> Vec<(char, char)> {
    let mut pairs: Vec<(char, char)> =
        wanted.chars().filter_map(|letter| Some((other(letter)?, letter))).collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

/// Different letters beyond ASCII that one text may fold on SQLite; those after them compare as they stand.
const LETTERS: usize = 200;

/// Spellings that are looked up one by one; each letter beyond ASCII has two.
const SPELLINGS: usize = 4;

/// Equality that the column's plain index serves. It folds ASCII only, so a letter beyond it is looked for in both of its
/// forms.
pub(super) fn equals(dialect: Dialect, column: Expr, wanted: &str) -> Expr {
    if let Some(spelled) = spelled(wanted) {
        return fold(dialect, column, "").0.is_in(spelled);
    }
    let (folded, wanted) = fold(dialect, column.clone(), wanted);
    let compared = folded.eq(wanted.as_str());
    match begins(dialect, &column, &wanted) {
        Some(within) => compared.and(within),
        None => compared,
    }
}

/// All that equals this text without case, as the column's plain index compares; `None` when that is too much.
pub(super) fn spelled(wanted: &str) -> Option<Vec<String>> {
    let wanted: String = wanted.chars().map(small).collect();
    let (spellings, whole) = spellings(&wanted);
    whole.then_some(spellings)
}

/// As many values as a comparison with this text may bind.
pub(super) fn bound(wanted: &str, pattern: bool) -> usize {
    let wanted: String = wanted.chars().map(small).collect();
    let (spellings, whole) = spellings(&wanted);
    match (whole && !pattern, wanted.is_ascii()) {
        (true, true) => 1,
        (true, false) => spellings.len() + 1,
        (false, _) => 1 + 2 * pairs(&wanted).len().min(LETTERS) + 2 * spellings.len(),
    }
}

/// What every text lies in that begins with a text of small letters, said so that the column's plain index finds it;
/// `None` when that says nothing. It may hold more: whoever asks compares besides.
pub(super) fn begins(dialect: Dialect, column: &Expr, wanted: &str) -> Option<Expr> {
    let (column, _) = fold(dialect, column.clone(), "");
    let (spellings, _) = spellings(wanted);
    if spellings[0].is_empty() {
        return None;
    }
    let ranges = spellings.into_iter().map(|from| match beyond(&from) {
        Some(until) => column.clone().gte(from).and(column.clone().lt(until)),
        None => column.clone().gte(from),
    });
    ranges.reduce(|all, one| all.or(one))
}

/// The first text after all that begin with this one.
fn beyond(text: &str) -> Option<String> {
    let mut letters: Vec<char> = text.chars().collect();
    while let Some(last) = letters.pop() {
        if let Some(next) = (last..=char::MAX).nth(1) {
            letters.push(next);
            return Some(letters.into_iter().collect());
        }
    }
    None
}

/// The ways in which a text in small letters may be written, ASCII aside, up to the letter that would make too many; and
/// whether that is all of it.
fn spellings(wanted: &str) -> (Vec<String>, bool) {
    let mut all = vec![String::new()];
    for letter in wanted.chars() {
        match other(letter) {
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

/// The capital that a small letter beyond ASCII is folded from.
fn other(letter: char) -> Option<char> {
    capital(letter).filter(|capital| !letter.is_ascii() && small(*capital) == letter)
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
    let prefix: String = parts.iter().map_while(Part::letter).collect();
    let matches = matches(dialect, folded, &parts);
    match begins(dialect, &column, &prefix) {
        Some(within) => matches.and(within),
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
    /// Whether it is negated, and the ranges that stand between the brackets; a single letter is one.
    Set(bool, Vec<(char, char)>),
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
            Part::Set(not, ranges) => {
                // A sign that means something in brackets stands at their end, where it means itself.
                let mut ranges = ranges.clone();
                ranges.sort_by_key(|(low, high)| (*low == '^', *low == '-' && high == low));
                let each = ranges.iter().map(|(low, high)| match low == high {
                    true => low.to_string(),
                    false => format!("{low}-{high}"),
                });
                // One that would begin with `^` begins with another of its letters.
                let first = match ranges.first() {
                    Some(('^', high)) if !not => high.to_string(),
                    _ => String::new(),
                };
                format!("[{}{first}{}]", if *not { "^" } else { "" }, each.collect::<String>())
            }
        }
    }

    fn regex(&self) -> String {
        match self {
            Part::Any => ".*".into(),
            Part::One => ".".into(),
            Part::Letter(letter) if letter.is_ascii_alphanumeric() => letter.to_string(),
            Part::Letter(letter) => code(*letter),
            Part::Set(not, ranges) => {
                // A range that runs backwards holds nothing; PostgreSQL takes none, nor brackets that are empty.
                let forward = ranges.iter().filter(|(low, high)| low <= high);
                let each: String =
                    forward.map(|(low, high)| format!("{}-{}", code(*low), code(*high))).collect();
                match (not, each.as_str()) {
                    (true, "") => "[\\s\\S]".to_owned(),
                    (false, "") => "[^\\s\\S]".to_owned(),
                    (true, each) => format!("[^{each}]"),
                    (false, each) => format!("[{each}]"),
                }
            }
        }
    }
}

/// A letter in a regular expression that means nothing but itself.
fn code(letter: char) -> String {
    format!("\\U{:08X}", u32::from(letter))
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
                match (not, ranges(set).as_slice()) {
                    (false, [(low, high)]) if low == high => parts.push(Part::Letter(*low)),
                    (_, ranges) => parts.push(Part::Set(not, ranges.to_vec())),
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

/// `a-c` is a range, everything else stands for itself.
fn ranges(set: &str) -> Vec<(char, char)> {
    let letters: Vec<char> = set.chars().collect();
    let (mut rest, mut found) = (letters.as_slice(), Vec::new());
    while let [low, after @ ..] = rest {
        let (high, after) = match after {
            ['-', high, after @ ..] => (high, after),
            after => (low, after),
        };
        found.push((*low, *high));
        rest = after;
    }
    found
}

#[cfg(test)]
mod tests {
    use postroom_store::sql::{PostgresQueryBuilder, Query, SqliteQueryBuilder};

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

    #[test]
    fn conditions_name_the_column_as_its_index_does() {
        let check = |dialect: Dialect, condition: fn(Dialect, Expr) -> Expr, expected: &str| {
            let mut select = Query::select();
            select.expr(Expr::val(1)).from("t").and_where(condition(dialect, Expr::col("a")));
            let text = match dialect {
                Dialect::Sqlite => select.to_string(SqliteQueryBuilder),
                Dialect::Postgres => select.to_string(PostgresQueryBuilder),
            };
            assert_eq!(text.split_once(" WHERE ").unwrap().1, expected);
        };
        let (sqlite, postgres) = (Dialect::Sqlite, Dialect::Postgres);
        check(sqlite, |on, a| equals(on, a, "Kö"), r#""a" IN ('kö', 'kÖ')"#);
        check(postgres, |on, a| equals(on, a, "Kö"), r#"LOWER("a") IN ('kö', 'kÖ')"#);
        check(
            sqlite,
            |on, a| like(on, a, "Ab_"),
            r#""a" LIKE 'ab_' ESCAPE '\' AND ("a" >= 'ab' AND "a" < 'ac')"#,
        );
        check(
            postgres,
            |on, a| like(on, a, "Ab%"),
            r#"LOWER("a") LIKE 'ab%' ESCAPE E'\\' AND (LOWER("a") >= 'ab' AND LOWER("a") < 'ac')"#,
        );
    }

    #[test]
    fn what_comes_after_all_that_begin_so() {
        let check = |text: &str, after: Option<&str>| assert_eq!(beyond(text).as_deref(), after, "{text:?}");
        check("anna", Some("annb"));
        check("z", Some("{"));
        check("a\u{D7FF}", Some("a\u{E000}"));
        check("a\u{10FFFF}\u{10FFFF}", Some("b"));
        check("\u{10FFFF}", None);
    }
}
