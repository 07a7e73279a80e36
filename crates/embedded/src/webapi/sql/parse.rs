//! One SELECT as a tree; names are not looked up.

use super::lex::{Token, cut};

/// Parentheses and NOTs in each other.
const DEPTH: usize = 50;
/// Columns, joins, values of a list.
const MOST: usize = 1000;

/// Why a text is no SELECT that is taken here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Error(pub String);

/// `alias.column`, or the column alone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Name {
    pub table: Option<String>,
    pub column: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sum {
    Count,
    Sum,
    Average,
    Min,
    Max,
}

/// What is selected.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    Column(Name),
    /// The column is `None` for `COUNT(*)`.
    Computed {
        sum: Sum,
        distinct: bool,
        column: Option<Name>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub what: What,
    pub alias: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    pub name: String,
    /// The name itself when none is given.
    pub alias: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Join {
    pub outer: bool,
    pub table: Table,
    pub on: (Name, Name),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// `=`, `<>`, `<`, `<=`, `>`, `>=`
    Compare(Name, &'static str, String),
    Columns(Name, &'static str, Name),
    Like(Name, String),
    In(Name, Vec<String>),
    Between(Name, String, String),
    Null(Name),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Select {
    pub top: Option<u64>,
    pub distinct: bool,
    pub items: Vec<Item>,
    pub from: Table,
    pub joins: Vec<Join>,
    pub filter: Option<Condition>,
    pub groups: Vec<Name>,
    pub orders: Vec<(Name, bool)>,
    pub offset: u64,
    pub fetch: Option<u64>,
}

/// Words that end what stands before them.
const KEYWORDS: &[&str] = &[
    "select",
    "top",
    "distinct",
    "from",
    "as",
    "inner",
    "left",
    "outer",
    "join",
    "on",
    "where",
    "and",
    "or",
    "not",
    "like",
    "in",
    "between",
    "is",
    "null",
    "group",
    "by",
    "order",
    "asc",
    "desc",
    "offset",
    "rows",
    "row",
    "fetch",
    "next",
    "first",
    "only",
    "union",
    "having",
    "right",
    "full",
    "cross",
    "with",
    "exists",
    "case",
    "except",
    "intersect",
    "for",
    "into",
    "limit",
];
/// What is refused by its name.
const REFUSED: &[&str] = &[
    "union",
    "having",
    "with",
    "right",
    "full",
    "cross",
    "exists",
    "case",
    "except",
    "intersect",
    "for",
    "into",
    "limit",
    "insert",
    "update",
    "delete",
    "drop",
    "create",
    "alter",
    "exec",
    "execute",
    "merge",
    "declare",
    "set",
];

pub(super) fn parse(text: &str) -> Result<Select, Error> {
    let mut parser = Parser { tokens: cut(text)?, at: 0 };
    let select = parser.select()?;
    parser.sign(";");
    match parser.peek() {
        None => Ok(select),
        Some(_) => Err(parser.unexpected("the end")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn is_word(&self, wanted: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(wanted))
    }

    fn word(&mut self, wanted: &str) -> bool {
        let found = self.is_word(wanted);
        self.at += usize::from(found);
        found
    }

    fn sign(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(sign)) if *sign == wanted);
        self.at += usize::from(found);
        found
    }

    fn expect_word(&mut self, wanted: &str) -> Result<(), Error> {
        if self.word(wanted) { Ok(()) } else { Err(self.unexpected(&wanted.to_uppercase())) }
    }

    fn expect(&mut self, wanted: &str) -> Result<(), Error> {
        if self.sign(wanted) { Ok(()) } else { Err(self.unexpected(&format!("'{wanted}'"))) }
    }

    fn unexpected(&self, wanted: &str) -> Error {
        let shown = match self.peek() {
            None => "the end".to_owned(),
            Some(Token::Word(word)) if REFUSED.contains(&word.to_ascii_lowercase().as_str()) => {
                return Error(format!("{} is not taken here", word.to_uppercase()));
            }
            Some(Token::Word(word) | Token::Name(word)) => format!("'{}'", short(word)),
            Some(Token::Text(_)) => "a text".to_owned(),
            Some(Token::Number(number)) => short(number),
            Some(Token::Sign(sign)) => format!("'{sign}'"),
        };
        Error(format!("{wanted} is expected, not {shown}"))
    }

    /// A name that is no keyword. Names have no case here.
    fn name(&mut self) -> Result<String, Error> {
        let name = match self.peek() {
            Some(Token::Name(name)) => name.to_lowercase(),
            Some(Token::Word(word)) if !KEYWORDS.contains(&word.to_lowercase().as_str()) => {
                word.to_lowercase()
            }
            _ => return Err(self.unexpected("a name")),
        };
        self.at += 1;
        Ok(name)
    }

    fn column(&mut self) -> Result<Name, Error> {
        if matches!(self.peek(), Some(Token::Sign("*"))) {
            return Err(Error("* is not taken here: name the columns".into()));
        }
        let first = self.name()?;
        match self.sign(".") {
            false => Ok(Name { table: None, column: first }),
            true if matches!(self.peek(), Some(Token::Sign("*"))) => {
                Err(Error("* is not taken here: name the columns".into()))
            }
            true => Ok(Name { table: Some(first), column: self.name()? }),
        }
    }

    fn number(&mut self) -> Result<u64, Error> {
        let number = match self.peek() {
            Some(Token::Number(number)) => number.parse().ok(),
            _ => None,
        };
        let number = number.ok_or_else(|| self.unexpected("a whole number"))?;
        self.at += 1;
        Ok(number)
    }

    fn select(&mut self) -> Result<Select, Error> {
        self.expect_word("select")?;
        let distinct = self.word("distinct");
        let top = self.top()?;
        let distinct = self.word("distinct") || distinct;
        let items = self.many(Self::item)?;
        self.expect_word("from")?;
        let from = self.table()?;
        let joins = self.joins()?;
        let filter = if self.word("where") { Some(self.any_of(DEPTH)?) } else { None };
        let groups = if self.by("group")? { self.many(Self::column)? } else { Vec::new() };
        let orders = if self.by("order")? { self.many(Self::ordered)? } else { Vec::new() };
        let (offset, fetch) = self.part()?;
        Ok(Select { top, distinct, items, from, joins, filter, groups, orders, offset, fetch })
    }

    fn by(&mut self, word: &str) -> Result<bool, Error> {
        let found = self.word(word);
        if found {
            self.expect_word("by")?;
        }
        Ok(found)
    }

    fn top(&mut self) -> Result<Option<u64>, Error> {
        if !self.word("top") {
            return Ok(None);
        }
        let open = self.sign("(");
        let top = self.number()?;
        if open {
            self.expect(")")?;
        }
        Ok(Some(top))
    }

    /// One or more with commas between them.
    fn many<T>(&mut self, one: impl Fn(&mut Self) -> Result<T, Error>) -> Result<Vec<T>, Error> {
        let mut all = vec![one(self)?];
        while self.sign(",") {
            all.push(one(self)?);
            if all.len() > MOST {
                return Err(Error(format!("a list has more than {MOST} parts")));
            }
        }
        Ok(all)
    }

    fn item(&mut self) -> Result<Item, Error> {
        let what = match self.computed()? {
            Some(what) => what,
            None => What::Column(self.column()?),
        };
        let alias = match self.word("as") {
            true => Some(self.name()?),
            false => self.name().ok(),
        };
        Ok(Item { what, alias })
    }

    fn computed(&mut self) -> Result<Option<What>, Error> {
        let sum = match self.peek() {
            Some(Token::Word(word)) => match word.to_ascii_lowercase().as_str() {
                "count" => Sum::Count,
                "sum" => Sum::Sum,
                "avg" => Sum::Average,
                "min" => Sum::Min,
                "max" => Sum::Max,
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        if self.tokens.get(self.at + 1) != Some(&Token::Sign("(")) {
            return Ok(None);
        }
        self.at += 2;
        let distinct = self.word("distinct");
        let column = match sum == Sum::Count && !distinct && self.sign("*") {
            true => None,
            false => Some(self.column()?),
        };
        self.expect(")")?;
        Ok(Some(What::Computed { sum, distinct, column }))
    }

    fn table(&mut self) -> Result<Table, Error> {
        if matches!(self.peek(), Some(Token::Sign("("))) {
            return Err(Error("subqueries are not taken here".into()));
        }
        let mut name = self.name()?;
        // `dbo.contact`
        if self.sign(".") {
            name = self.name()?;
        }
        let alias = match self.word("as") {
            true => self.name()?,
            false => self.name().unwrap_or_else(|_| name.clone()),
        };
        Ok(Table { name, alias })
    }

    fn joins(&mut self) -> Result<Vec<Join>, Error> {
        let mut joins = Vec::new();
        loop {
            let outer = match (self.word("inner"), self.word("left")) {
                (true, _) => false,
                (_, true) => {
                    self.word("outer");
                    true
                }
                _ if self.is_word("join") => false,
                _ => return Ok(joins),
            };
            self.expect_word("join")?;
            let table = self.table()?;
            self.expect_word("on")?;
            let open = self.sign("(");
            let left = self.column()?;
            self.expect("=")?;
            let on = (left, self.column()?);
            if open {
                self.expect(")")?;
            }
            if self.is_word("and") || self.is_word("or") {
                return Err(Error("a join takes one equality; put the rest into WHERE".into()));
            }
            joins.push(Join { outer, table, on });
            if joins.len() > DEPTH {
                return Err(Error(format!("there are more than {DEPTH} joins")));
            }
        }
    }

    fn ordered(&mut self) -> Result<(Name, bool), Error> {
        let name = self.column()?;
        let down = self.word("desc");
        if !down {
            self.word("asc");
        }
        Ok((name, down))
    }

    /// `OFFSET n ROWS FETCH NEXT m ROWS ONLY`
    fn part(&mut self) -> Result<(u64, Option<u64>), Error> {
        if !self.word("offset") {
            return Ok((0, None));
        }
        let offset = self.number()?;
        if !self.word("rows") {
            self.expect_word("row")?;
        }
        if !self.word("fetch") {
            return Ok((offset, None));
        }
        if !self.word("next") {
            self.expect_word("first")?;
        }
        let fetch = self.number()?;
        if !self.word("rows") {
            self.expect_word("row")?;
        }
        self.expect_word("only")?;
        Ok((offset, Some(fetch)))
    }

    fn any_of(&mut self, depth: usize) -> Result<Condition, Error> {
        let mut all = vec![self.all_of(depth)?];
        while self.word("or") {
            all.push(self.all_of(depth)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::Any(all) })
    }

    fn all_of(&mut self, depth: usize) -> Result<Condition, Error> {
        let mut all = vec![self.single(depth)?];
        while self.word("and") {
            all.push(self.single(depth)?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::All(all) })
    }

    fn single(&mut self, depth: usize) -> Result<Condition, Error> {
        let depth = depth.checked_sub(1).ok_or_else(|| Error(format!("it is nested deeper than {DEPTH}")))?;
        if self.word("not") {
            return Ok(Condition::Not(Box::new(self.single(depth)?)));
        }
        if self.sign("(") {
            if self.is_word("select") {
                return Err(Error("subqueries are not taken here".into()));
            }
            let inner = self.any_of(depth)?;
            self.expect(")")?;
            return Ok(inner);
        }
        let name = self.column()?;
        self.predicate(name)
    }

    fn predicate(&mut self, name: Name) -> Result<Condition, Error> {
        if self.word("is") {
            let not = self.word("not");
            self.expect_word("null")?;
            return Ok(negated(not, Condition::Null(name)));
        }
        let not = self.word("not");
        if self.word("like") {
            let pattern = self.value()?;
            return Ok(negated(not, Condition::Like(name, pattern)));
        }
        if self.word("in") {
            self.expect("(")?;
            if self.is_word("select") {
                return Err(Error("subqueries are not taken here".into()));
            }
            let values = self.many(Self::value)?;
            self.expect(")")?;
            return Ok(negated(not, Condition::In(name, values)));
        }
        if self.word("between") {
            let low = self.value()?;
            self.expect_word("and")?;
            let high = self.value()?;
            return Ok(negated(not, Condition::Between(name, low, high)));
        }
        if not {
            return Err(self.unexpected("LIKE, IN or BETWEEN"));
        }
        self.comparison(name)
    }

    fn comparison(&mut self, name: Name) -> Result<Condition, Error> {
        let sign = match self.peek() {
            Some(Token::Sign("!=")) => "<>",
            Some(Token::Sign(sign @ ("=" | "<>" | "<" | "<=" | ">" | ">="))) => sign,
            _ => return Err(self.unexpected("a comparison")),
        };
        self.at += 1;
        if self.is_word("null") {
            return Err(Error("nothing equals NULL: write IS NULL".into()));
        }
        match self.value() {
            Ok(value) => Ok(Condition::Compare(name, sign, value)),
            Err(_) if matches!(self.peek(), Some(Token::Sign("("))) => {
                Err(Error("subqueries and expressions are not taken here".into()))
            }
            Err(_) => Ok(Condition::Columns(name, sign, self.column()?)),
        }
    }

    /// A value as text: the column says what it means.
    fn value(&mut self) -> Result<String, Error> {
        let start = self.at;
        let minus = self.sign("-");
        let value = match self.peek() {
            Some(Token::Text(text)) if !minus => text.clone(),
            Some(Token::Number(number)) => format!("{}{number}", if minus { "-" } else { "" }),
            Some(Token::Word(word)) if !minus && word.eq_ignore_ascii_case("true") => "1".to_owned(),
            Some(Token::Word(word)) if !minus && word.eq_ignore_ascii_case("false") => "0".to_owned(),
            _ => {
                let error = self.unexpected("a value");
                self.at = start;
                return Err(error);
            }
        };
        self.at += 1;
        Ok(value)
    }
}

fn negated(not: bool, condition: Condition) -> Condition {
    if not { Condition::Not(Box::new(condition)) } else { condition }
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn refused(text: &str, says: &str) {
        let error = parse(text).expect_err(text).to_string();
        assert!(error.contains(says), "{text}: {error}");
    }

    #[test]
    fn what_is_not_taken_is_refused_by_name() {
        refused("SELECT * FROM contact", "name the columns");
        refused("SELECT c.* FROM contact c", "name the columns");
        refused("SELECT a FROM contact UNION SELECT b FROM lead", "UNION");
        refused("SELECT a FROM contact GROUP BY a HAVING a > 1", "HAVING");
        refused("WITH x AS (SELECT 1) SELECT a FROM x", "WITH");
        refused("SELECT a FROM (SELECT a FROM b) c", "subqueries");
        refused("SELECT a FROM b WHERE a IN (SELECT c FROM d)", "subqueries");
        refused("SELECT a FROM b WHERE (SELECT 1) = a", "subqueries");
        refused("SELECT a FROM b RIGHT JOIN c ON a = d", "RIGHT");
        refused("SELECT a FROM b; DROP TABLE b", "DROP");
        refused("DELETE FROM contact", "DELETE");
        refused("SELECT a FROM b WHERE a = NULL", "IS NULL");
        refused("SELECT a FROM b WHERE a = 'x", "closing '");
        refused("SELECT a FROM b -- x", "comments");
        refused("SELECT a FROM b JOIN c ON b.a = c.a AND c.d = 1", "WHERE");
        refused("SELECT", "a name");
        refused("", "SELECT");
        let deep = format!("SELECT a FROM b WHERE {}a = 1{}", "(".repeat(60), ")".repeat(60));
        refused(&deep, "nested");
        refused(&format!("SELECT a FROM b WHERE {} a = 1", "NOT ".repeat(60)), "nested");
        refused(&"x".repeat(40_000), "longer");
    }

    #[test]
    fn one_of_everything() {
        let select = parse(
            "select distinct top (5) c.fullname as Name, [lastname] from dbo.contact as c left outer join account a on \
             c.parentcustomerid = a.accountid where (c.lastname like 'O''B%' or not c.x in (1, -2.5, N'z')) and a.name is \
             not null and y between 1 and 2 order by c.fullname desc, lastname offset 10 rows fetch next 5 rows only;",
        )
        .unwrap();
        assert_eq!((select.top, select.distinct, select.offset, select.fetch), (Some(5), true, 10, Some(5)));
        assert_eq!((select.from.name.as_str(), select.from.alias.as_str()), ("contact", "c"));
        assert_eq!(select.items[0].alias.as_deref(), Some("name"));
        assert!(select.joins[0].outer);
        let Some(Condition::All(parts)) = &select.filter else { panic!("{:?}", select.filter) };
        assert_eq!(parts.len(), 3);
        assert_eq!(select.orders.iter().map(|(_, down)| *down).collect::<Vec<_>>(), [true, false]);
        let sums = parse(
            "SELECT COUNT(*) n, SUM(revenue), COUNT(DISTINCT lastname) AS d, x FROM account GROUP BY x",
        )
        .unwrap();
        assert_eq!((sums.items.len(), sums.groups.len()), (4, 1));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
            let _ = parse(&text);
        }

        #[test]
        fn any_mixture_of_its_words_is_read_or_refused(
            words in prop::collection::vec(
                prop::sample::select(vec![
                    "SELECT", "TOP", "DISTINCT", "FROM", "a", "b.c", "'x'", "7", "-", "=", "<>", "(", ")", ",", "*",
                    "JOIN", "LEFT", "ON", "WHERE", "AND", "OR", "NOT", "IN", "LIKE", "IS", "NULL", "BETWEEN", "GROUP",
                    "BY", "ORDER", "OFFSET", "ROWS", "FETCH", "NEXT", "ONLY", "COUNT(", "[", "]", "\"", "AS", ";",
                ]),
                0..40,
            )
        ) {
            let _ = parse(&words.join(" "));
        }
    }
}
