//! Conditions of any shape on accounts, and how OData writes them.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::naive::Value;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Int,
    Choice,
    Money,
    Double,
    Bool,
    Time,
    Day,
    Id,
}

pub type Columns = &'static [(&'static str, Kind)];

/// The name of a lookup's value and of the key are what OData calls them.
pub const ACCOUNT: Columns = &[
    ("name", Kind::Text),
    ("accountnumber", Kind::Text),
    ("numberofemployees", Kind::Int),
    ("sharesoutstanding", Kind::Int),
    ("industrycode", Kind::Choice),
    ("revenue", Kind::Money),
    ("marketcap", Kind::Money),
    ("address1_latitude", Kind::Double),
    ("creditonhold", Kind::Bool),
    ("lastonholdtime", Kind::Time),
    ("accountid", Kind::Id),
    ("_primarycontactid_value", Kind::Id),
];

pub const CONTACT: Columns = &[
    ("firstname", Kind::Text),
    ("jobtitle", Kind::Text),
    ("numberofchildren", Kind::Int),
    ("gendercode", Kind::Choice),
    ("annualincome", Kind::Money),
    ("donotemail", Kind::Bool),
    ("lastonholdtime", Kind::Time),
    ("birthdate", Kind::Day),
    ("contactid", Kind::Id),
    ("_parentcustomerid_value", Kind::Id),
];

/// Where a condition stands: on which rows, and through which lookup it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    Account,
    Contact,
}

impl Table {
    pub fn columns(self) -> Columns {
        match self {
            Table::Account => ACCOUNT,
            Table::Contact => CONTACT,
        }
    }

    /// The other table, and the lookup that leads to it.
    pub fn lookup(self) -> (Table, &'static str) {
        match self {
            Table::Account => (Table::Contact, "primarycontactid"),
            Table::Contact => (Table::Account, "parentcustomerid_account"),
        }
    }
}

/// A column of the row, or of the row that its lookup names.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub through: bool,
    pub place: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Contains,
    StartsWith,
    EndsWith,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Date {
    On,
    NotOn,
    OnOrAfter,
    OnOrBefore,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Near {
    Today,
    ThisMonth,
    LastXDays,
    NextXDays,
    OlderThanXDays,
    LastXHours,
}

#[derive(Debug, Clone)]
pub enum Test {
    Compare(Column, Sign, Value),
    /// The value stands first.
    Turned(Value, Sign, Column),
    Columns(Column, Sign, Column),
    Null(Column, bool),
    Is(Column),
    Match(How, Column, String),
    /// As the query function of the same meaning; negated.
    Function(How, Column, String, bool),
    In(Column, Vec<Value>, bool),
    Between(Column, Value, Value, bool),
    Date(Date, Column, String),
    Near(Near, Column, i64),
}

#[derive(Debug, Clone)]
pub enum Tree {
    And(Vec<Tree>),
    Or(Vec<Tree>),
    Not(Box<Tree>),
    Test(Table, Test),
    /// `contact_customer_accounts/any(…)`, or `all`; without a condition: that there is one.
    Contacts(bool, Option<Box<Tree>>),
}

/// A condition on accounts.
pub fn tree() -> impl Strategy<Value = Tree> {
    let contacts = grown(test(Table::Contact).prop_map(|test| Tree::Test(Table::Contact, test)).boxed(), 8);
    let lambda = (any::<bool>(), proptest::option::weighted(0.9, contacts))
        .prop_map(|(all, body)| Tree::Contacts(all && body.is_some(), body.map(Box::new)));
    let leaf = prop_oneof![
        4 => test(Table::Account).prop_map(|test| Tree::Test(Table::Account, test)),
        1 => lambda,
    ];
    grown(leaf.boxed(), 16)
}

fn grown(leaf: BoxedStrategy<Tree>, size: u32) -> BoxedStrategy<Tree> {
    leaf.prop_recursive(3, size, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..4).prop_map(Tree::And),
            vec(inner.clone(), 1..4).prop_map(Tree::Or),
            inner.prop_map(|inner| Tree::Not(Box::new(inner))),
        ]
    })
    .boxed()
}

fn column(table: Table, wanted: &'static [Kind]) -> impl Strategy<Value = (Column, Kind)> {
    let all: Vec<(Column, Kind)> = [false, true]
        .into_iter()
        .flat_map(|through| {
            let of = if through { table.lookup().0 } else { table };
            let fits = of.columns().iter().enumerate().filter(|(_, (_, kind))| wanted.contains(kind));
            fits.map(move |(place, (_, kind))| (Column { through, place }, *kind)).collect::<Vec<_>>()
        })
        .collect();
    select(all)
}

const ALL: &[Kind] = &[
    Kind::Text,
    Kind::Int,
    Kind::Choice,
    Kind::Money,
    Kind::Double,
    Kind::Bool,
    Kind::Time,
    Kind::Day,
    Kind::Id,
];
const ORDERED: &[Kind] = &[Kind::Int, Kind::Choice, Kind::Money, Kind::Double, Kind::Time, Kind::Day];
const LISTED: &[Kind] = &[Kind::Text, Kind::Int, Kind::Choice, Kind::Money, Kind::Time, Kind::Id, Kind::Bool];

fn test(table: Table) -> impl Strategy<Value = Test> {
    let with = move |kinds: &'static [Kind]| {
        column(table, kinds).prop_flat_map(|(column, kind)| (Just(column), value(kind)))
    };
    let equal = (with(ALL), select(vec![Sign::Eq, Sign::Ne]))
        .prop_map(|((column, value), sign)| (column, value, sign));
    let ordered = (with(ORDERED), sign()).prop_map(|((column, value), sign)| (column, value, sign));
    // The order of letters is a database's own: those of ASCII are the same everywhere.
    let text = (column(table, &[Kind::Text]), select(ASCII), sign())
        .prop_map(|((column, _), text, sign)| (column, Value::Text(text.to_owned()), sign));
    let between_integers = (column(table, &[Kind::Int]), sign())
        .prop_map(|((column, _), sign)| (column, Value::Double(2.5), sign));
    let compare = prop_oneof![4 => equal, 4 => ordered, 4 => text, 1 => between_integers];
    let list = column(table, LISTED)
        .prop_flat_map(|(column, kind)| (Just(column), vec(value(kind), 0..5), any::<bool>()));
    let between = column(table, ORDERED)
        .prop_flat_map(|(column, kind)| (Just(column), value(kind), value(kind), any::<bool>()));
    let how = || select(vec![How::Contains, How::StartsWith, How::EndsWith]);
    prop_oneof![
        6 => compare.clone().prop_map(|(column, value, sign)| Test::Compare(column, sign, value)),
        1 => compare.prop_map(|(column, value, sign)| Test::Turned(value, sign, column)),
        2 => pair(table),
        2 => (column(table, ALL), any::<bool>()).prop_map(|((column, _), not)| Test::Null(column, not)),
        1 => column(table, &[Kind::Bool]).prop_map(|(column, _)| Test::Is(column)),
        3 => (how(), column(table, &[Kind::Text]), select(PIECES))
            .prop_map(|(how, (column, _), text)| Test::Match(how, column, text.to_owned())),
        2 => (how(), column(table, &[Kind::Text]), select(PIECES), any::<bool>())
            .prop_map(|(how, (column, _), text, not)| Test::Function(how, column, text.to_owned(), not)),
        3 => list.prop_map(|(column, values, not)| Test::In(column, values, not)),
        2 => between.prop_map(|(column, low, high, not)| Test::Between(column, low, high, not)),
        1 => (date(), column(table, &[Kind::Time]), select(DAYS))
            .prop_map(|(date, (column, _), day)| Test::Date(date, column, day.to_owned())),
        2 => (near(), column(table, &[Kind::Time]), 1..400_i64)
            .prop_map(|(near, (column, _), number)| Test::Near(near, column, number)),
    ]
}

/// Two columns of one kind, both of the row itself.
fn pair(table: Table) -> impl Strategy<Value = Test> {
    let columns = table.columns();
    let mut pairs = Vec::new();
    for (left, (_, kind)) in columns.iter().enumerate() {
        let fits = |(right, (_, other)): &(usize, &(&str, Kind))| *right != left && other == kind;
        let comparable = matches!(kind, Kind::Text | Kind::Int | Kind::Money | Kind::Time);
        let rights = columns.iter().enumerate().filter(fits).filter(|_| comparable);
        pairs.extend(rights.map(|(right, _)| (left, right)));
    }
    let own = |place| Column { through: false, place };
    (select(pairs), sign()).prop_map(move |((left, right), sign)| Test::Columns(own(left), sign, own(right)))
}

fn sign() -> impl Strategy<Value = Sign> + Clone {
    select(vec![Sign::Eq, Sign::Ne, Sign::Lt, Sign::Le, Sign::Gt, Sign::Ge])
}

fn date() -> impl Strategy<Value = Date> {
    select(vec![Date::On, Date::NotOn, Date::OnOrAfter, Date::OnOrBefore])
}

fn near() -> impl Strategy<Value = Near> {
    use Near::{LastXDays, LastXHours, NextXDays, OlderThanXDays, ThisMonth, Today};
    select(vec![Today, ThisMonth, LastXDays, NextXDays, OlderThanXDays, LastXHours])
}

/// Values of texts: letters of many scripts, and every sign that means something to somebody on the way.
pub const TEXTS: &[&str] = &[
    "Anna",
    "ANNA",
    "anna k",
    "Ömer",
    "ÖMER",
    "ömer 2",
    "Straße",
    "O'Brien",
    "o''brien",
    "100%",
    "100x",
    "a_b",
    "axb",
    "back\\slash",
    "x'); DROP TABLE a;--",
    "佐藤",
    "🙂 smile",
    "Ωμέγα",
    "ΩΜΈΓΑ",
    "a+b&c=d#e?f",
    "semi;colon",
    "Z",
    "null",
    "true",
    "<b>&amp;</b>",
    "{guid}",
    "a,b",
    "x (y)",
    "-5",
    "NaN",
    "\u{202e}rtl",
    "two  spaces",
    "$filter",
    "@p1",
    "tab\tin",
];

const ASCII: &[&str] =
    &["Anna", "ANNA", "b", "O'Brien", "100%", "a_b", "Z", "null", "x (y)", "zzz", "-5", "0"];

/// What is searched for; `%`, `_` and sets are patterns.
const PIECES: &[&str] = &[
    "an",
    "ANN",
    "ö",
    "ÖM",
    "ß",
    "'",
    "''",
    "00%",
    "0_",
    "a_b",
    "_",
    "%",
    "\\",
    "[a-c]",
    "[^a]",
    "[%]",
    "[_]x",
    "a[_]b",
    "🙂",
    "ω",
    "藤",
    "+b&c",
    ";",
    ")",
    "<b>",
    "\u{202e}",
    "  ",
    "DROP",
    "ll",
    "x'); DROP",
    "$",
    "@p",
    "[0-9]0",
    "e]",
];

pub const DAYS: &[&str] =
    &["2026-11-02", "2026-11-01", "2026-10-31", "2026-10-01", "2025-11-02", "2027-01-01", "1999-12-31"];

/// Beside the clock of the tests, 2026-11-02T08:00:00Z.
const TIMES: &[&str] = &[
    "2026-11-02T08:00:00Z",
    "2026-11-02T07:59:59Z",
    "2026-11-02T00:00:00Z",
    "2026-11-01T23:59:59Z",
    "2026-11-02T09:00:00Z",
    "2026-11-03T00:00:00Z",
    "2026-10-31T12:00:00Z",
    "2026-10-26T08:00:00Z",
    "2026-11-20T08:00:00Z",
    "2025-11-02T08:00:00Z",
    "2027-02-01T00:00:00Z",
    "1999-12-31T23:59:59Z",
];

/// A value that a row may have too.
pub fn value(kind: Kind) -> BoxedStrategy<Value> {
    match kind {
        Kind::Text => select(TEXTS).prop_map(|text| Value::Text(text.to_owned())).boxed(),
        Kind::Int => select(vec![0, 1, 2, 3, 10, 250, 1_000_000_000]).prop_map(Value::Int).boxed(),
        Kind::Choice => (1..3_i64).prop_map(Value::Int).boxed(),
        Kind::Money => select(vec![0, 100, 250_000, 1_000_000, 1_000_100, 99_999_900, 123_456_789_012_500])
            .prop_map(Value::Money)
            .boxed(),
        Kind::Double => (-6..6_i32).prop_map(|half| Value::Double(f64::from(half) / 2.0)).boxed(),
        Kind::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Kind::Time => select(TIMES).prop_map(|time| Value::Time(time.parse().expect("a time"))).boxed(),
        Kind::Day => select(DAYS).prop_map(|day| Value::Day(day.parse().expect("a day"))).boxed(),
        Kind::Id => (0..40_u64).prop_map(|number| Value::Id(super::world::id(number))).boxed(),
    }
}

impl Tree {
    /// The text of `$filter`.
    pub fn odata(&self) -> String {
        self.text("")
    }

    fn text(&self, variable: &str) -> String {
        let joined = |parts: &[Tree], word: &str| {
            let each: Vec<String> = parts.iter().map(|part| format!("({})", part.text(variable))).collect();
            each.join(word)
        };
        match self {
            Tree::And(parts) => joined(parts, " and "),
            Tree::Or(parts) => joined(parts, " or "),
            Tree::Not(inner) => format!("not ({})", inner.text(variable)),
            Tree::Test(table, test) => test.text(*table, variable),
            Tree::Contacts(_, None) => "contact_customer_accounts/any()".to_owned(),
            Tree::Contacts(all, Some(body)) => {
                let how = if *all { "all" } else { "any" };
                format!("contact_customer_accounts/{how}(c:{})", body.text("c/"))
            }
        }
    }
}

impl Test {
    fn text(&self, table: Table, variable: &str) -> String {
        let name = |column: &Column| table.name(column);
        let property = |column: &Column| format!("{variable}{}", table.name(column));
        let call = |function: &str, column: &Column, rest: &str| {
            format!("{variable}Microsoft.Dynamics.CRM.{function}(PropertyName='{}'{rest})", name(column))
        };
        match self {
            Test::Compare(column, sign, value) => {
                format!("{} {} {}", property(column), sign.word(), value.literal())
            }
            Test::Turned(value, sign, column) => {
                format!("{} {} {}", value.literal(), sign.word(), property(column))
            }
            Test::Columns(left, sign, right) => {
                format!("{} {} {}", property(left), sign.word(), property(right))
            }
            Test::Null(column, not) => {
                format!("{} {} null", property(column), if *not { "ne" } else { "eq" })
            }
            Test::Is(column) => property(column),
            Test::Match(how, column, text) => {
                format!("{}({},{})", how.word(), property(column), quoted(text))
            }
            Test::Function(how, column, text, not) => {
                let function = match (how, not) {
                    (How::Contains, false) => "Contains",
                    (How::Contains, true) => "DoesNotContain",
                    (How::StartsWith, false) => "BeginsWith",
                    (How::StartsWith, true) => "DoesNotBeginWith",
                    (How::EndsWith, false) => "EndsWith",
                    (How::EndsWith, true) => "DoesNotEndWith",
                };
                call(function, column, &format!(",PropertyValue={}", quoted(text)))
            }
            Test::In(column, values, not) => {
                let each: Vec<String> = values.iter().map(|value| quoted(&value.plain())).collect();
                let function = if *not { "NotIn" } else { "In" };
                call(function, column, &format!(",PropertyValues=[{}]", each.join(",")))
            }
            Test::Between(column, low, high, not) => {
                let (low, high) = (quoted(&low.plain()), quoted(&high.plain()));
                let function = if *not { "NotBetween" } else { "Between" };
                call(function, column, &format!(",PropertyValues=[{low},{high}]"))
            }
            Test::Date(date, column, day) => {
                call(&format!("{date:?}"), column, &format!(",PropertyValue='{day}'"))
            }
            Test::Near(near @ (Near::Today | Near::ThisMonth), column, _) => {
                call(&format!("{near:?}"), column, "")
            }
            Test::Near(near, column, number) => {
                call(&format!("{near:?}"), column, &format!(",PropertyValue={number}"))
            }
        }
    }
}

impl Table {
    fn name(self, column: &Column) -> String {
        match column.through {
            false => self.columns()[column.place].0.to_owned(),
            true => {
                let (table, lookup) = self.lookup();
                format!("{lookup}/{}", table.columns()[column.place].0)
            }
        }
    }
}

impl Sign {
    fn word(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

impl How {
    fn word(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Value {
    fn literal(&self) -> String {
        match self {
            Value::Text(text) => quoted(text),
            other => other.plain(),
        }
    }

    /// Without quotes.
    pub fn plain(&self) -> String {
        match self {
            Value::Null => "null".to_owned(),
            Value::Text(text) => text.clone(),
            Value::Int(number) => number.to_string(),
            Value::Money(number) => format!("{}.{:04}", number / 10_000, number % 10_000),
            Value::Double(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            Value::Time(time) => time.to_string(),
            Value::Day(day) => day.to_string(),
            Value::Id(id) => id.to_string(),
        }
    }
}
