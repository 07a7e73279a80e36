//! Which tables can have relationships, as designers of tables ask before they make one: CanBeReferenced, CanBeReferencing,
//! CanManyToMany, GetValidReferencedEntities, GetValidReferencingEntities, GetValidManyToMany.
//!
//! The parties of activities and rows that tie others together have none besides their own; every other table can stand on
//! any side of any kind.

use super::ask::{Ask, table};
use super::{Parameter, Prepared};
use crate::definitions::tables;
use crate::failure::Failure;
use crate::schema::Table;

fn is_open(table: &Table) -> bool {
    table.name != "activityparty" && !tables::is_intersect(table)
}

/// Whether the table `EntityName` can; the answer has the message's own name.
pub(super) async fn can(ask: &Ask<'_>, result: &'static str) -> Result<Prepared, Failure> {
    ask.need("EntityName")?;
    let name = ask.text("EntityName")?.unwrap_or_default();
    let open = is_open(&*table(ask.session, name).await?);
    Ok(Prepared::answer(vec![(result, Parameter::Bool(open))]))
}

/// The tables that can stand on the other side: of the table that `of` names, when there is one.
pub(super) async fn valid(ask: &Ask<'_>, of: Option<&str>) -> Result<Prepared, Failure> {
    let near = match of {
        Some(parameter) => ask.text(parameter)?.filter(|name| !name.is_empty()),
        None => None,
    };
    let none = match near {
        Some(name) => !is_open(&*table(ask.session, name).await?),
        None => false,
    };
    let schema = ask.session.crm().schema().await?;
    let open = schema.tables().filter(|table| !none && is_open(table));
    let names = open.map(|table| Parameter::Text(table.name.clone())).collect();
    Ok(Prepared::answer(vec![("EntityNames", Parameter::List(names))]))
}
