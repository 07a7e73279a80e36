//! The operators of conditions that are the query tree's own forms, by their names in FetchXML and in the SDK.
//!
//! The platform's own ones (`last-x-days`, `eq-userid`) are in [`Operator`].

use postroom_core::Value;
use postroom_core::query::{Comparison, Filter, Join, Operator};

use super::Error;

/// A form of the tree, and whether it is negated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Compare(Comparison),
    NotCompare(Comparison),
    Like(bool),
    In(bool),
    Between(bool),
    Null(bool),
    Own(Operator),
}

/// FetchXML's name, the SDK's name, the form. Of two names for one form the first is written.
const FORMS: &[(&str, &str, Form)] = &[
    ("eq", "Equal", Form::Compare(Comparison::Eq)),
    ("ne", "NotEqual", Form::Compare(Comparison::Ne)),
    ("neq", "NotEqual", Form::Compare(Comparison::Ne)),
    ("lt", "LessThan", Form::Compare(Comparison::Lt)),
    ("le", "LessEqual", Form::Compare(Comparison::Le)),
    ("gt", "GreaterThan", Form::Compare(Comparison::Gt)),
    ("ge", "GreaterEqual", Form::Compare(Comparison::Ge)),
    ("begins-with", "BeginsWith", Form::Compare(Comparison::StartsWith)),
    ("not-begin-with", "DoesNotBeginWith", Form::NotCompare(Comparison::StartsWith)),
    ("ends-with", "EndsWith", Form::Compare(Comparison::EndsWith)),
    ("not-end-with", "DoesNotEndWith", Form::NotCompare(Comparison::EndsWith)),
    ("like", "Like", Form::Like(true)),
    ("not-like", "NotLike", Form::Like(false)),
    ("in", "In", Form::In(true)),
    ("not-in", "NotIn", Form::In(false)),
    ("between", "Between", Form::Between(true)),
    ("not-between", "NotBetween", Form::Between(false)),
    ("null", "Null", Form::Null(true)),
    ("not-null", "NotNull", Form::Null(false)),
];

impl Form {
    pub(crate) fn from_fetch(name: &str) -> Option<Form> {
        let own = FORMS.iter().find(|(fetch, _, _)| *fetch == name).map(|(_, _, form)| *form);
        own.or_else(|| Operator::from_fetch_name(name).map(Form::Own))
    }

    /// `Contains` and `DoesNotContain` exist in the SDK alone.
    pub(crate) fn from_sdk(name: &str) -> Option<Form> {
        let own = FORMS.iter().find(|(_, sdk, _)| *sdk == name).map(|(_, _, form)| *form);
        let own = own.or(match name {
            "Contains" => Some(Form::Compare(Comparison::Contains)),
            "DoesNotContain" => Some(Form::NotCompare(Comparison::Contains)),
            _ => None,
        });
        own.or_else(|| Operator::from_name(name).map(Form::Own))
    }

    pub(crate) fn fetch_name(self) -> Option<&'static str> {
        match self {
            Form::Own(operator) => Some(operator.fetch_name()),
            form => FORMS.iter().find(|(_, _, known)| *known == form).map(|(fetch, _, _)| *fetch),
        }
    }

    pub(crate) fn sdk_name(self) -> Option<&'static str> {
        match self {
            Form::Own(operator) => Some(operator.name()),
            Form::Compare(Comparison::Contains) => Some("Contains"),
            Form::NotCompare(Comparison::Contains) => Some("DoesNotContain"),
            form => FORMS.iter().find(|(_, _, known)| *known == form).map(|(_, sdk, _)| *sdk),
        }
    }

    /// How many values it takes, in words; `None` when `found` is right.
    pub(crate) fn refuses(self, found: usize) -> Option<&'static str> {
        match self {
            Form::Compare(_) | Form::NotCompare(_) | Form::Like(_) => (found != 1).then_some("one value"),
            Form::Between(_) => (found != 2).then_some("two values"),
            Form::Null(_) => (found != 0).then_some("no value"),
            Form::In(_) | Form::Own(_) => None,
        }
    }

    /// The filter, of as many values as the form takes.
    pub(crate) fn filter(self, column: String, values: Vec<Value>) -> Filter {
        let not = |filter: Filter| Filter::Not(Box::new(filter));
        let mut one = values.clone().into_iter();
        let mut next = || one.next().unwrap_or(Value::Null);
        match self {
            Form::Compare(comparison) => Filter::Compare(column, comparison, next()),
            Form::NotCompare(comparison) => not(Filter::Compare(column, comparison, next())),
            Form::Like(true) => Filter::Like(column, text(&next())),
            Form::Like(false) => not(Filter::Like(column, text(&next()))),
            Form::In(true) => Filter::In(column, values),
            Form::In(false) => not(Filter::In(column, values)),
            Form::Between(inside) => {
                let low = Filter::Compare(column.clone(), Comparison::Ge, next());
                let between = Filter::All(vec![low, Filter::Compare(column, Comparison::Le, next())]);
                if inside { between } else { not(between) }
            }
            Form::Null(true) => Filter::Null(column),
            Form::Null(false) => not(Filter::Null(column)),
            Form::Own(operator) => Filter::Operator(column, operator, values),
        }
    }

    /// The condition that a filter is, if it is one: its column, form and values. Filters of filters are none.
    pub(crate) fn of(filter: &Filter) -> Option<(&str, Form, Vec<Value>)> {
        match filter {
            Filter::Compare(column, Comparison::Ne, Value::Null) => {
                Some((column, Form::Null(false), Vec::new()))
            }
            Filter::Compare(column, Comparison::Eq, Value::Null) => {
                Some((column, Form::Null(true), Vec::new()))
            }
            Filter::Compare(column, comparison, value) => {
                Some((column, Form::Compare(*comparison), vec![value.clone()]))
            }
            Filter::Like(column, pattern) => {
                Some((column, Form::Like(true), vec![Value::Text(pattern.clone())]))
            }
            Filter::In(column, values) => Some((column, Form::In(true), values.clone())),
            Filter::Null(column) => Some((column, Form::Null(true), Vec::new())),
            Filter::Operator(column, operator, values) => {
                Some((column, Form::Own(*operator), values.clone()))
            }
            Filter::Not(inner) => Form::negated(inner),
            Filter::All(parts) => Form::between(parts),
            Filter::Any(_) | Filter::Columns(..) | Filter::Linked(_) => None,
        }
    }

    fn between(parts: &[Filter]) -> Option<(&str, Form, Vec<Value>)> {
        match parts {
            [Filter::Compare(column, Comparison::Ge, low), Filter::Compare(other, Comparison::Le, high)]
                if column == other =>
            {
                Some((column, Form::Between(true), vec![low.clone(), high.clone()]))
            }
            _ => None,
        }
    }

    fn negated(inner: &Filter) -> Option<(&str, Form, Vec<Value>)> {
        let (column, form, values) = Form::of(inner)?;
        let opposite = match form {
            Form::Compare(comparison) => match opposite(comparison) {
                Some(comparison) => Form::Compare(comparison),
                None => Form::NotCompare(comparison),
            },
            Form::NotCompare(comparison) => Form::Compare(comparison),
            Form::Like(straight) => Form::Like(!straight),
            Form::In(straight) => Form::In(!straight),
            Form::Between(straight) => Form::Between(!straight),
            Form::Null(straight) => Form::Null(!straight),
            Form::Own(operator) => Form::Own(other(operator)?),
        };
        Some((column, opposite, values))
    }
}

/// The comparison that is true where this one is false; nulls satisfy neither.
fn opposite(comparison: Comparison) -> Option<Comparison> {
    match comparison {
        Comparison::Eq => Some(Comparison::Ne),
        Comparison::Ne => Some(Comparison::Eq),
        Comparison::Lt => Some(Comparison::Ge),
        Comparison::Le => Some(Comparison::Gt),
        Comparison::Gt => Some(Comparison::Le),
        Comparison::Ge => Some(Comparison::Lt),
        Comparison::StartsWith | Comparison::EndsWith | Comparison::Contains => None,
    }
}

/// The platform's condition that says the opposite, where it has one.
fn other(operator: Operator) -> Option<Operator> {
    const PAIRS: &[(Operator, Operator)] = &[
        (Operator::On, Operator::NotOn),
        (Operator::EqualUserId, Operator::NotEqualUserId),
        (Operator::EqualBusinessId, Operator::NotEqualBusinessId),
        (Operator::UnderOrEqual, Operator::NotUnder),
        (Operator::ContainValues, Operator::DoesNotContainValues),
    ];
    PAIRS.iter().find_map(|(a, b)| match operator {
        operator if operator == *a => Some(*b),
        operator if operator == *b => Some(*a),
        _ => None,
    })
}

/// A filter that is true where this one is false, without a negation in front: De Morgan, because the platform negates
/// conditions only. True under SQL's three values too.
pub(crate) fn opposite_of(filter: &Filter) -> Result<Filter, Error> {
    let not = |filters: &[Filter]| -> Vec<Filter> {
        filters.iter().map(|filter| Filter::Not(Box::new(filter.clone()))).collect()
    };
    Ok(match filter {
        Filter::All(parts) if !parts.is_empty() => Filter::Any(not(parts)),
        Filter::Any(parts) if !parts.is_empty() => Filter::All(not(parts)),
        Filter::Not(inner) => (**inner).clone(),
        Filter::Columns(column, comparison, other) => {
            let refused = || Error::Unsupported(format!("{column:?} does not begin or end with a column"));
            Filter::Columns(column.clone(), opposite(*comparison).ok_or_else(refused)?, other.clone())
        }
        Filter::Linked(link) => {
            let mut link = link.clone();
            link.join = match link.join {
                Join::Any => Join::NotAny,
                Join::NotAny => Join::Any,
                other => other,
            };
            Filter::Linked(link)
        }
        Filter::Operator(column, operator, _) => {
            return Err(Error::Unsupported(format!("{column:?} is not {}", operator.fetch_name())));
        }
        _ => {
            return Err(Error::Unsupported(
                "the opposite of a condition that is always or never true".into(),
            ));
        }
    })
}

/// A value as the wire's text.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null | Value::Content(_) => String::new(),
        Value::Bool(yes) => if *yes { "1" } else { "0" }.to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Decimal(text) | Value::Text(text) => text.clone(),
        Value::Guid(id) => id.to_string(),
        Value::Time(time) => time.to_string(),
        Value::Lookup(at) => at.id.to_string(),
    }
}

/// A text that a pattern finds as it stands.
pub(crate) fn literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '%' | '_' | '[' => pattern.extend(['[', c, ']']),
            c => pattern.push(c),
        }
    }
    pattern
}
