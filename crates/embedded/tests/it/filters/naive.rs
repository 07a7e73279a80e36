//! What a condition means, row by row, with nothing clever: comparisons in three values (nothing compares with null; only
//! `eq null` and `ne null` ask for it), text without case, patterns as SQL Server reads them (dataverse.md A7).

use jiff::civil::Date as Day;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use uuid::Uuid;

use super::tree::{Column, Date, How, Near, Sign, Table, Test, Tree};

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Text(String),
    Int(i64),
    /// Ten-thousandths.
    Money(i64),
    Double(f64),
    Bool(bool),
    Time(Timestamp),
    Day(Day),
    Id(Uuid),
}

#[derive(Debug, Clone)]
pub struct Row {
    pub id: Uuid,
    /// In the order of the table's columns.
    pub values: Vec<Value>,
    /// The place of the row that its lookup names.
    pub other: Option<usize>,
}

#[derive(Debug, Clone)]
pub struct Rows {
    pub accounts: Vec<Row>,
    pub contacts: Vec<Row>,
}

/// The clock of the tests.
fn now() -> Timestamp {
    "2026-11-02T08:00:00Z".parse().expect("a time")
}

pub fn midnight(day: Day) -> Timestamp {
    TimeZone::UTC.to_timestamp(day.to_datetime(Default::default())).expect("a day of this age")
}

impl Rows {
    /// The ids of the accounts that a condition chooses, sorted.
    pub fn chosen(&self, tree: &Tree) -> Vec<Uuid> {
        let chosen = self.accounts.iter().filter(|row| self.answer(tree, row) == Some(true));
        let mut ids: Vec<Uuid> = chosen.map(|row| row.id).collect();
        ids.sort();
        ids
    }

    /// One line for each row.
    pub fn listed(&self) -> String {
        let line = |(place, row): (usize, &Row)| format!("{place}: {:?} of {:?}", row.values, row.other);
        let each = |rows: &[Row]| rows.iter().enumerate().map(line).collect::<Vec<_>>().join("\n");
        format!("accounts\n{}\ncontacts\n{}", each(&self.accounts), each(&self.contacts))
    }

    pub fn names(&self, ids: &[Uuid]) -> Vec<usize> {
        ids.iter().filter_map(|id| self.accounts.iter().position(|row| row.id == *id)).collect()
    }

    fn answer(&self, tree: &Tree, row: &Row) -> Option<bool> {
        match tree {
            Tree::And(parts) => self.fold(parts, row, false),
            Tree::Or(parts) => self.fold(parts, row, true),
            Tree::Not(inner) => self.answer(inner, row).map(|answer| !answer),
            Tree::Test(table, test) => self.test(*table, test, row),
            Tree::Contacts(all, body) => {
                let place = self.accounts.iter().position(|account| account.id == row.id);
                let mut contacts = self.contacts.iter().filter(|contact| contact.other == place);
                let is = |contact: &Row| body.as_ref().map_or(Some(true), |body| self.answer(body, contact));
                Some(match all {
                    // Everything is so when nothing is otherwise.
                    true => !contacts.any(|contact| is(contact) == Some(false)),
                    false => contacts.any(|contact| is(contact) == Some(true)),
                })
            }
        }
    }

    fn fold(&self, parts: &[Tree], row: &Row, settles: bool) -> Option<bool> {
        let answers: Vec<Option<bool>> = parts.iter().map(|part| self.answer(part, row)).collect();
        if answers.contains(&Some(settles)) {
            return Some(settles);
        }
        (!answers.contains(&None)).then_some(!settles)
    }

    fn value(&self, table: Table, column: Column, row: &Row) -> Value {
        let rows = match table {
            Table::Account => &self.contacts,
            Table::Contact => &self.accounts,
        };
        match (column.through, row.other) {
            (false, _) => row.values[column.place].clone(),
            (true, Some(other)) => rows[other].values[column.place].clone(),
            (true, None) => Value::Null,
        }
    }

    fn test(&self, table: Table, test: &Test, row: &Row) -> Option<bool> {
        let value = |column: &Column| self.value(table, *column, row);
        match test {
            Test::Compare(column, sign, other) => compare(&value(column), *sign, other),
            Test::Turned(other, sign, column) => compare(other, *sign, &value(column)),
            Test::Columns(left, sign, right) => compare(&value(left), *sign, &value(right)),
            Test::Null(column, not) => Some((value(column) == Value::Null) != *not),
            Test::Is(column) => compare(&value(column), Sign::Eq, &Value::Bool(true)),
            Test::Match(how, column, text) => matches(&value(column), *how, text),
            Test::Function(how, column, text, not) => {
                matches(&value(column), *how, text).map(|answer| answer != *not)
            }
            Test::In(_, values, not) if values.is_empty() => Some(*not),
            Test::In(column, values, not) => {
                let found = value(column);
                let any = values.iter().map(|one| compare(&found, Sign::Eq, one));
                any.reduce(|left, right| Some(left? || right?)).flatten().map(|answer| answer != *not)
            }
            Test::Between(column, low, high, not) => {
                let found = value(column);
                let inside = compare(&found, Sign::Ge, low)? && compare(&found, Sign::Le, high)?;
                Some(inside != *not)
            }
            Test::Date(date, column, day) => on(&value(column), *date, day.parse().expect("a day")),
            Test::Near(near, column, number) => near_now(&value(column), *near, *number),
        }
    }
}

fn compare(left: &Value, sign: Sign, right: &Value) -> Option<bool> {
    let order = match (left, right) {
        (Value::Null, _) | (_, Value::Null) => return None,
        (Value::Text(left), Value::Text(right)) => folded(left).cmp(&folded(right)),
        (Value::Int(left), Value::Int(right)) | (Value::Money(left), Value::Money(right)) => left.cmp(right),
        (Value::Double(left), Value::Double(right)) => left.total_cmp(right),
        // A number with a point is no integer, but it is more or less than one.
        (Value::Int(left), Value::Double(right)) => (*left as f64).total_cmp(right),
        (Value::Double(left), Value::Int(right)) => left.total_cmp(&(*right as f64)),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::Time(left), Value::Time(right)) => left.cmp(right),
        (Value::Day(left), Value::Day(right)) => left.cmp(right),
        (Value::Id(left), Value::Id(right)) => left.cmp(right),
        (left, right) => panic!("{left:?} beside {right:?}"),
    };
    Some(match sign {
        Sign::Eq => order.is_eq(),
        Sign::Ne => order.is_ne(),
        Sign::Lt => order.is_lt(),
        Sign::Le => order.is_le(),
        Sign::Gt => order.is_gt(),
        Sign::Ge => order.is_ge(),
    })
}

fn folded(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

fn matches(value: &Value, how: How, text: &str) -> Option<bool> {
    let Value::Text(found) = value else { return None };
    let pattern = match how {
        How::Contains => format!("%{text}%"),
        How::StartsWith => format!("{text}%"),
        How::EndsWith => format!("%{text}"),
    };
    let (found, pattern): (Vec<char>, Vec<char>) =
        (folded(found).chars().collect(), folded(&pattern).chars().collect());
    Some(like(&found, &pattern))
}

/// SQL Server's LIKE: `%`, `_`, `[abc]`, `[a-c]`, `[^a]`.
fn like(text: &[char], pattern: &[char]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return text.is_empty() };
    if *first == '%' {
        return (0..=text.len()).any(|start| like(&text[start..], rest));
    }
    let Some((letter, after)) = text.split_first() else { return false };
    match first {
        '_' => like(after, rest),
        '[' if rest.contains(&']') => {
            let end = rest.iter().position(|sign| *sign == ']').expect("it is there");
            in_set(&rest[..end], *letter) && like(after, &rest[end + 1..])
        }
        sign => sign == letter && like(after, rest),
    }
}

fn in_set(set: &[char], letter: char) -> bool {
    let (not, set) = match set {
        ['^', set @ ..] => (true, set),
        set => (false, set),
    };
    let (mut rest, mut found) = (set, false);
    while let [first, after @ ..] = rest {
        (found, rest) = match after {
            ['-', high, after @ ..] => (found || (*first..=*high).contains(&letter), after),
            after => (found || *first == letter, after),
        };
    }
    found != not
}

fn on(value: &Value, date: Date, day: Day) -> Option<bool> {
    let Value::Time(time) = value else { return None };
    let (from, until) = (midnight(day), midnight(day.tomorrow().expect("a day of this age")));
    Some(match date {
        Date::On => (from..until).contains(time),
        Date::NotOn => !(from..until).contains(time),
        Date::OnOrAfter => *time >= from,
        Date::OnOrBefore => *time < until,
    })
}

/// Last and next begin and end at midnight on their far side, and at this moment on the near one.
fn near_now(value: &Value, near: Near, number: i64) -> Option<bool> {
    let Value::Time(time) = value else { return None };
    let today = TimeZone::UTC.to_datetime(now()).date();
    let day = |days: i64| midnight(today.checked_add(days.days()).expect("a day of this age"));
    Some(match near {
        Near::Today => (day(0)..day(1)).contains(time),
        Near::ThisMonth => {
            let first = today.first_of_month();
            (midnight(first)..midnight(first.checked_add(1.months()).expect("a month"))).contains(time)
        }
        Near::LastXDays => (day(-number)..now()).contains(time),
        Near::NextXDays => (now()..day(number + 1)).contains(time),
        Near::OlderThanXDays => *time < day(-number),
        Near::LastXHours => (now() - number.hours()..now()).contains(time),
    })
}
