//! `Under`, `Above` and their like, worked out before the query is translated: the ids are read level by level and take
//! the condition's place. Hierarchies: accounts, business units, users (their managers), campaigns have none.

use postroom_core::query::{Link, Operator};
use postroom_core::{Filter, Query, Value};
use postroom_store::Tx;
use postroom_store::sql::{Expr, ExprTrait, Query as Sql};
use uuid::Uuid;

use crate::failure::Failure;
use crate::rules::Refusal;
use crate::schema::Schema;

/// Table, and the lookup that names the row above.
const PARENTS: &[(&str, &str)] = &[
    ("account", "parentaccountid"),
    ("businessunit", "parentbusinessunitid"),
    ("systemuser", "parentsystemuserid"),
];
/// Levels that are followed; a circle ends here too.
const DEPTH: usize = 100;

/// The same query without conditions on hierarchies.
pub(crate) async fn resolve(tx: &mut Tx, schema: &Schema, query: &mut Query) -> Result<(), Failure> {
    let mut found = Vec::new();
    gather(&query.table, &mut query.filter, &mut found);
    links(&mut query.links, &mut found);
    for (table, filter) in found {
        let Filter::Operator(column, operator, values) = &*filter else { continue };
        let ids = ids(tx, schema, &table, column, *operator, values).await?;
        let list = Filter::In(column.clone(), ids.into_iter().map(Value::Guid).collect());
        *filter = if *operator == Operator::NotUnder { Filter::Not(Box::new(list)) } else { list };
    }
    Ok(())
}

fn links<'q>(all: &'q mut [Link], found: &mut Vec<(String, &'q mut Filter)>) {
    for link in all {
        gather(&link.table, &mut link.filter, found);
        links(&mut link.links, found);
    }
}

fn gather<'q>(table: &str, filter: &'q mut Filter, found: &mut Vec<(String, &'q mut Filter)>) {
    match filter {
        Filter::All(parts) | Filter::Any(parts) => {
            parts.iter_mut().for_each(|part| gather(table, part, found));
        }
        Filter::Not(part) => gather(table, part, found),
        Filter::Operator(
            _,
            Operator::Under
            | Operator::UnderOrEqual
            | Operator::NotUnder
            | Operator::Above
            | Operator::AboveOrEqual,
            _,
        ) => found.push((table.to_owned(), filter)),
        Filter::Linked(link) => links(std::slice::from_mut(link), found),
        _ => {}
    }
}

async fn ids(
    tx: &mut Tx,
    schema: &Schema,
    table: &str,
    column: &str,
    operator: Operator,
    values: &[Value],
) -> Result<Vec<Uuid>, Failure> {
    let table = schema.table(table)?;
    let column = &table.columns[table.known_place(column)?];
    let unfit = |what| Refusal::Use { table: table.name.clone(), column: column.name.clone(), what };
    // The key speaks of its own table, a lookup of the table it names.
    let hierarchy =
        if column.name == table.primary_key { Some(table.name.as_str()) } else { column.targets.only() };
    let parent = PARENTS.iter().find(|(name, _)| Some(*name) == hierarchy);
    let Some((name, parent)) = parent else {
        return Err(unfit("asked for by hierarchy: its table has none").into());
    };
    let start = match values.first() {
        Some(Value::Guid(id)) => Some(*id),
        Some(Value::Lookup(at)) => Some(at.id),
        Some(Value::Text(text)) => text.trim_matches(['{', '}']).parse().ok(),
        _ => None,
    };
    let Some(start) = start else { return Err(unfit("asked for by hierarchy without a row").into()) };
    let table = schema.table(name)?;
    let up = matches!(operator, Operator::Above | Operator::AboveOrEqual);
    let (known, wanted) = match up {
        true => (table.primary_key.as_str(), *parent),
        false => (*parent, table.primary_key.as_str()),
    };
    let mut all = Vec::new();
    let mut level = vec![start];
    for _ in 0..DEPTH {
        let select = Sql::select()
            .column(wanted.to_owned())
            .from(table.storage())
            .and_where(Expr::col(known.to_owned()).is_in(level))
            .and_where(Expr::col(wanted.to_owned()).is_not_null())
            .to_owned();
        level = Vec::new();
        for row in tx.query(&select).await? {
            let id: Uuid = row.at(0)?;
            if id != start && !all.contains(&id) {
                all.push(id);
                level.push(id);
            }
        }
        if level.is_empty() {
            break;
        }
    }
    if matches!(operator, Operator::UnderOrEqual | Operator::AboveOrEqual) {
        all.push(start);
    }
    Ok(all)
}
