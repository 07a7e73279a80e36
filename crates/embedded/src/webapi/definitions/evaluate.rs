//! `$filter`, `$orderby`, `$top`, `$select` and `$expand` over definitions. There are some thousands of them at most, in
//! memory, so each is looked at.
//!
//! Names are those of a list's type or of the types made of it; texts compare with case, as the platform compares them.

use std::cmp::Ordering;

use postroom_core::metadata::Metadata;
use postroom_formats::odata::options::{Expand, Expr, Literal, Match, Operand, OrderBy, Sign, Wanted};
use postroom_formats::odata::{self, path};
use serde_json::{Map, Value};

use super::node::{Node, Related};
use super::types::Type;
use crate::webapi::Problem;

/// The rows of a list, and how many there are without `$top`.
pub(super) struct Listed {
    pub rows: Vec<Value>,
    pub count: usize,
}

pub(super) fn list<'m>(
    metadata: &'m Metadata,
    nodes: Vec<Node<'m>>,
    kind: &'static Type,
    wanted: &Wanted,
) -> Result<Listed, Problem> {
    check(kind, wanted)?;
    let mut kept = Vec::new();
    for node in nodes {
        if wanted.filter.as_ref().map_or(Ok(true), |filter| holds(filter, &Scope::of(metadata, node)))? {
            kept.push(node);
        }
    }
    sort(metadata, &mut kept, &wanted.order);
    let count = kept.len();
    kept.truncate(wanted.top.and_then(|top| usize::try_from(top).ok()).unwrap_or(usize::MAX));
    let rows = kept.into_iter().map(|node| row(metadata, node, kind, wanted).map(Value::Object));
    Ok(Listed { rows: rows.collect::<Result<_, _>>()?, count })
}

/// One definition with what was asked of it.
pub(super) fn one(
    metadata: &Metadata,
    node: Node<'_>,
    kind: &'static Type,
    wanted: &Wanted,
) -> Result<Map<String, Value>, Problem> {
    check(kind, wanted)?;
    row(metadata, node, kind, wanted)
}

fn row(
    metadata: &Metadata,
    node: Node<'_>,
    kind: &'static Type,
    wanted: &Wanted,
) -> Result<Map<String, Value>, Problem> {
    let select = wanted.select.as_ref().map(|names| names.iter().map(|name| root(name)).collect::<Vec<_>>());
    let mut row = node.row(metadata, select.as_deref());
    for expand in &wanted.expand {
        self::expand(metadata, node, kind, expand, &mut row)?;
    }
    Ok(row)
}

fn expand(
    metadata: &Metadata,
    node: Node<'_>,
    kind: &'static Type,
    expand: &Expand,
    row: &mut Map<String, Value>,
) -> Result<(), Problem> {
    let name = &expand.navigation;
    let Some(related) = node.related(metadata, name) else {
        // What some clients expand is a list in the row, such as Privileges.
        if let Some(value) = node.value(metadata, name) {
            row.insert(name.clone(), value);
        }
        return Ok(());
    };
    let target = target(kind, name)?;
    let value = match related {
        Related::One(node) => {
            check(target, &expand.wanted)?;
            let related = node.map(|node| self::row(metadata, node, target, &expand.wanted)).transpose()?;
            related.map_or(Value::Null, Value::Object)
        }
        Related::Many(nodes) => {
            let listed = list(metadata, nodes, target, &expand.wanted)?;
            if expand.wanted.count {
                row.insert(format!("{name}@odata.count"), listed.count.into());
            }
            Value::Array(listed.rows)
        }
    };
    row.insert(name.clone(), value);
    Ok(())
}

/// What a navigation property of a type, or of one made of it, leads to.
pub(super) fn target(kind: &'static Type, name: &str) -> Result<&'static Type, Problem> {
    let found = kind.navigation(name).or_else(|| kind.family().find_map(|one| one.navigation(name)));
    let missing = || Problem::from(odata::Error::no_property(name, kind.name));
    found.and_then(|found| super::types::find(found.target)).ok_or_else(missing)
}

/// The property that a path begins with: `Microsoft.Dynamics.CRM.X/MaxLength` is `MaxLength`.
fn root(path: &str) -> String {
    let mut names = path.split('/');
    let first = names.next().unwrap_or_default();
    match path::unqualified(first) {
        Some(_) => names.next().unwrap_or_default().to_owned(),
        None => first.to_owned(),
    }
}

/// Refuses names that the type, and those made of it, do not have.
fn check(kind: &'static Type, wanted: &Wanted) -> Result<(), Problem> {
    let property = |name: &str| kind.family().any(|one| one.property(name).is_some());
    let navigation = |name: &str| kind.family().any(|one| one.navigation(name).is_some());
    let missing = |name: &str| Err(odata::Error::no_property(name, kind.name).into());
    for name in wanted.select.iter().flatten().map(|name| root(name)) {
        if !property(&name) && !navigation(&name) {
            return missing(&name);
        }
    }
    let mut roots = Vec::new();
    wanted.filter.iter().for_each(|filter| named(filter, &mut roots));
    roots.extend(wanted.order.iter().filter_map(|key| key.path.first()));
    for name in roots {
        if !property(name) {
            return missing(name);
        }
    }
    for expand in &wanted.expand {
        if !property(&expand.navigation) && !navigation(&expand.navigation) {
            return missing(&expand.navigation);
        }
    }
    Ok(())
}

/// The properties that a condition names; variables of lambdas are none.
fn named<'e>(expr: &'e Expr, names: &mut Vec<&'e String>) {
    let mut operand = |operand: &'e Operand| {
        if let Operand::Path(path) = operand {
            names.extend(path.first());
        }
    };
    match expr {
        Expr::And(parts) | Expr::Or(parts) => parts.iter().for_each(|part| named(part, names)),
        Expr::Not(part) => named(part, names),
        Expr::Compare(left, _, right) => [left, right].into_iter().for_each(operand),
        Expr::Is(one) => operand(one),
        Expr::Match { subject, pattern, .. } => [subject, pattern].into_iter().for_each(operand),
        Expr::Lambda { path, .. } | Expr::Function { path, .. } => names.extend(path.first()),
    }
}

/// Where names of a condition are looked up: a definition, or a lambda's variable.
enum Scope<'s> {
    Node(&'s Metadata, Node<'s>),
    Variable { name: &'s str, value: &'s Value, outer: &'s Scope<'s> },
}

impl<'s> Scope<'s> {
    fn of(metadata: &'s Metadata, node: Node<'s>) -> Self {
        Scope::Node(metadata, node)
    }

    fn value(&self, path: &[String]) -> Value {
        let Some((first, rest)) = path.split_first() else { return Value::Null };
        match self {
            Scope::Node(metadata, node) => within(node.value(metadata, first).unwrap_or_default(), rest),
            Scope::Variable { name, value, .. } if first == name => within((*value).clone(), rest),
            Scope::Variable { outer, .. } => outer.value(path),
        }
    }

    fn operand(&self, operand: &Operand) -> Result<Value, Problem> {
        match operand {
            Operand::Path(path) => Ok(self.value(path)),
            Operand::Literal(literal) => literal_value(literal),
        }
    }
}

/// What stands at the end of a path within a value.
pub(super) fn within(value: Value, path: &[String]) -> Value {
    path.iter().fold(value, |mut value, name| value.get_mut(name).map(Value::take).unwrap_or_default())
}

fn literal_value(literal: &Literal) -> Result<Value, Problem> {
    Ok(match literal {
        Literal::Null => Value::Null,
        Literal::Bool(value) => (*value).into(),
        Literal::Int(number) => (*number).into(),
        Literal::Number(text) => text.parse::<f64>().map_or(Value::Null, Value::from),
        Literal::Text(text) => text.as_str().into(),
        Literal::Guid(id) => id.to_string().into(),
        Literal::Time(time) => time.to_string().into(),
        Literal::Date(date) => format!("{date}T00:00:00Z").into(),
        // Members of enumerations are written bare, too.
        Literal::Enum(_, member) => member.as_str().into(),
        Literal::List(_) | Literal::Json(_) | Literal::Alias(_) => {
            return Err(Problem::bad("Definitions are compared with single values only"));
        }
    })
}

fn holds(expr: &Expr, scope: &Scope<'_>) -> Result<bool, Problem> {
    match expr {
        Expr::And(parts) => all(parts, scope, true),
        Expr::Or(parts) => all(parts, scope, false),
        Expr::Not(part) => Ok(!holds(part, scope)?),
        Expr::Compare(left, sign, right) => {
            Ok(compares(&scope.operand(left)?, *sign, &scope.operand(right)?))
        }
        Expr::Is(one) => Ok(scope.operand(one)? == Value::Bool(true)),
        Expr::Match { how, subject, pattern } => {
            let (subject, pattern) = (scope.operand(subject)?, scope.operand(pattern)?);
            Ok(found(*how, subject.as_str().unwrap_or_default(), pattern.as_str().unwrap_or_default()))
        }
        Expr::Lambda { path, all, variable, body } => {
            let list = scope.value(path);
            let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
            for item in items {
                let inner = Scope::Variable { name: variable, value: item, outer: scope };
                if body.as_ref().map_or(Ok(true), |body| holds(body, &inner))? != *all {
                    return Ok(!*all);
                }
            }
            Ok(*all)
        }
        Expr::Function { name, .. } => {
            Err(Problem::bad(format!("The query function '{name}' is not supported for definitions")))
        }
    }
}

/// Whether all parts hold, or any of them.
fn all(parts: &[Expr], scope: &Scope<'_>, wanted: bool) -> Result<bool, Problem> {
    for part in parts {
        if holds(part, scope)? != wanted {
            return Ok(!wanted);
        }
    }
    Ok(wanted)
}

fn found(how: Match, subject: &str, pattern: &str) -> bool {
    match how {
        Match::Contains => subject.contains(pattern),
        Match::StartsWith => subject.starts_with(pattern),
        Match::EndsWith => subject.ends_with(pattern),
    }
}

pub(super) fn compares(left: &Value, sign: Sign, right: &Value) -> bool {
    let order = order(left, right);
    match sign {
        Sign::Eq => order == Some(Ordering::Equal),
        Sign::Ne => order != Some(Ordering::Equal),
        Sign::Gt => order == Some(Ordering::Greater),
        Sign::Ge => order.is_some_and(Ordering::is_ge),
        Sign::Lt => order == Some(Ordering::Less),
        Sign::Le => order.is_some_and(Ordering::is_le),
    }
}

/// `None` for values that do not compare.
fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        (Value::String(left), Value::String(right)) => Some(match (odata_guid(left), odata_guid(right)) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => left.cmp(right),
        }),
        _ => None,
    }
}

fn odata_guid(text: &str) -> Option<uuid::Uuid> {
    postroom_formats::odata::options::guid(text)
}

fn sort(metadata: &Metadata, nodes: &mut [Node<'_>], keys: &[OrderBy]) {
    if keys.is_empty() {
        return;
    }
    nodes.sort_by_cached_key(|node| Sorted {
        values: keys
            .iter()
            .map(|key| (Scope::of(metadata, *node).value(&key.path), key.descending))
            .collect(),
    });
}

/// Values of sort keys; what is missing comes first.
#[derive(PartialEq)]
struct Sorted {
    values: Vec<(Value, bool)>,
}

impl Eq for Sorted {}

impl PartialOrd for Sorted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sorted {
    fn cmp(&self, other: &Self) -> Ordering {
        let pairs = self.values.iter().zip(&other.values);
        let orders = pairs.map(|((left, descending), (right, _))| {
            let there = |value: &Value| !value.is_null();
            let order = order(left, right).unwrap_or_else(|| there(left).cmp(&there(right)));
            if *descending { order.reverse() } else { order }
        });
        orders.fold(Ordering::Equal, Ordering::then)
    }
}
