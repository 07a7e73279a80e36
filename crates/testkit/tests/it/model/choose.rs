//! Filters and orders of the model, in three values: a comparison with null is neither true nor false.

use std::cmp::Ordering;

use postroom_core::query::Comparison;
use postroom_core::{Filter, Value};

use super::{Flaw, Row};

/// How rows are chosen: right, or wrong in one way.
#[derive(Clone, Copy)]
pub struct Chooser {
    pub flaw: Option<Flaw>,
}

impl Chooser {
    pub fn chooses(self, filter: &Filter, row: &Row) -> bool {
        self.answer(filter, row) == Some(true)
    }

    fn answer(self, filter: &Filter, row: &Row) -> Option<bool> {
        match filter {
            Filter::All(parts) => self.fold(parts, row, false),
            Filter::Any(parts) => self.fold(parts, row, true),
            Filter::Not(inner) => self.answer(inner, row).map(|answer| !answer),
            Filter::Null(column) => Some(row.get(column) == Value::Null),
            Filter::In(column, values) if values.is_empty() => {
                let _ = column;
                Some(false)
            }
            Filter::In(column, values) => {
                let any = values.iter().map(|value| self.compare(row.get(column), Comparison::Eq, value));
                any.reduce(|left, right| Some(left? || right?)).flatten()
            }
            Filter::Compare(column, comparison, value) => self.compare(row.get(column), *comparison, value),
            Filter::Columns(left, comparison, right) => match row.get(right) {
                Value::Null => None,
                right => self.compare(row.get(left), *comparison, &right),
            },
            Filter::Like(..) | Filter::Operator(..) | Filter::Linked(_) => {
                panic!("the model knows one table and plain text: {filter:?}")
            }
        }
    }

    /// And, or or; `settles` is the answer that one part alone can give.
    fn fold(self, parts: &[Filter], row: &Row, settles: bool) -> Option<bool> {
        let answers: Vec<Option<bool>> = parts.iter().map(|part| self.answer(part, row)).collect();
        if answers.contains(&Some(settles)) {
            return Some(settles);
        }
        (!answers.contains(&None)).then_some(!settles)
    }

    fn compare(self, found: Value, comparison: Comparison, value: &Value) -> Option<bool> {
        if found == Value::Null {
            return (self.flaw == Some(Flaw::NullIsAnotherValue)).then_some(comparison == Comparison::Ne);
        }
        if let (Value::Text(found), Value::Text(value)) = (&found, value) {
            let (found, value) = (self.folded(found), self.folded(value));
            match comparison {
                Comparison::StartsWith => return Some(found.starts_with(&value)),
                Comparison::EndsWith => return Some(found.ends_with(&value)),
                Comparison::Contains if value == "%" && self.flaw == Some(Flaw::Wildcards) => {
                    return Some(true);
                }
                Comparison::Contains => return Some(found.contains(&value)),
                _ => {}
            }
        }
        let order = self.order(&found, value);
        Some(match comparison {
            Comparison::Eq => order == Ordering::Equal,
            Comparison::Ne => order != Ordering::Equal,
            Comparison::Lt => order == Ordering::Less,
            Comparison::Le => order != Ordering::Greater,
            Comparison::Gt => order == Ordering::Greater,
            Comparison::Ge => order != Ordering::Less,
            Comparison::StartsWith | Comparison::EndsWith | Comparison::Contains => false,
        })
    }

    pub fn order(self, left: &Value, right: &Value) -> Ordering {
        match (left, right) {
            (Value::Text(left), Value::Text(right)) => self.folded(left).cmp(&self.folded(right)),
            (Value::Int(left), Value::Int(right)) => left.cmp(right),
            (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
            (Value::Time(left), Value::Time(right)) => left.cmp(right),
            (Value::Guid(left), Value::Guid(right)) => left.cmp(right),
            (Value::Lookup(left), Value::Lookup(right)) => left.id.cmp(&right.id),
            (Value::Decimal(left), Value::Decimal(right)) if self.flaw == Some(Flaw::DecimalsAsText) => {
                left.cmp(right)
            }
            (Value::Decimal(left), Value::Decimal(right)) => {
                let number = |text: &str| text.parse::<f64>().unwrap();
                number(left).total_cmp(&number(right))
            }
            _ => Ordering::Less,
        }
    }

    pub fn folded(self, text: &str) -> String {
        match self.flaw {
            Some(Flaw::CaseMatters) => text.to_owned(),
            Some(Flaw::CaseOfAsciiOnly) => text.to_ascii_lowercase(),
            _ => text.to_lowercase(),
        }
    }
}
