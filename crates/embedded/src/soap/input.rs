//! Entities to rows: values in their columns' forms, references looked up, party lists and rows within rows.
//!
//! Columns that the server keeps are passed over, as the platform does when a client sends back what it read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use postroom_core::metadata::{ColumnKind, TableInfo};
use postroom_core::{Change, Content, Record, RecordRef, Value};
use postroom_formats::soap::value::{Any, Entity, Relationship, boolean, guid, time};
use uuid::Uuid;

use super::Ability;
use super::call::Call;
use super::relate::{self, Relation};
use super::stop::Stop;
use super::{parties, write};
use crate::pairs::Pair;
use crate::schema::Kind;

/// A row as it was given.
pub(super) struct Given {
    pub record: Record,
    /// Rows within it, and what ties them to it.
    pub more: Vec<Change>,
    /// Party lists: their masks, and the rows that are to stand in them.
    pub lists: Vec<(i64, Vec<Record>)>,
}

/// The id that an entity has: its own, or that in its key's attribute.
pub(super) fn own_id(table: &TableInfo, entity: &Entity) -> Option<Uuid> {
    let attribute = || entity.get(&table.primary_id).and_then(Any::as_guid);
    Some(entity.id).filter(|id| !id.is_nil()).or_else(attribute).filter(|id| !id.is_nil())
}

/// Reads an entity that is to be the row `at`.
pub(super) async fn row(call: &Call<'_>, at: RecordRef, entity: &Entity, new: bool) -> Result<Given, Stop> {
    let table = call.table(&at.table)?;
    let mut given = Given { record: Record::new(at.clone()), more: Vec::new(), lists: Vec::new() };
    for (name, any) in &entity.attributes {
        let column = table.column(name).ok_or_else(|| Stop::no_column(&table.logical_name, name))?;
        if let ColumnKind::PartyList { .. } = column.kind {
            let mask = parties::mask(table, name)?;
            given.lists.push((mask, parties::read(call, &at, name, mask, any).await?));
            continue;
        }
        if !new && name == "statecode" && !call.has(Ability::StateByUpdate) {
            let text =
                format!("The state of a {} cannot be changed by Update. Use the SetState message.", at.table);
            return Err(Stop::bad(text));
        }
        let writable = if new { column.valid_for_create } else { column.valid_for_update };
        if writable && !column.is_primary_id {
            let value = value(call, table, name, any).await?;
            put(&mut given.record, name, value);
        }
    }
    for (relationship, rows) in &entity.related {
        related(call, &mut given, relationship, &rows.entities).await?;
    }
    Ok(given)
}

/// Sets a column once; the last word counts.
pub(super) fn put(record: &mut Record, name: &str, value: Value) {
    match record.columns.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => *old = value,
        None => record.columns.push((name.into(), value)),
    }
}

/// One value in the form of its column; the rules of the CRM say the rest.
pub(super) async fn value(call: &Call<'_>, table: &TableInfo, name: &str, any: &Any) -> Result<Value, Stop> {
    let wrong = || Stop::bad(format!("Incorrect attribute value type for {}.{name}", table.logical_name));
    let kind = call.stored(&table.logical_name)?.column(name).map(|column| column.kind);
    let plain = match any {
        Any::EntityReference(to) => {
            let mut to = to.clone();
            if to.table.is_empty() {
                to.table = only_target(table, name).ok_or_else(wrong)?;
            }
            Value::Lookup(call.row(&to).await?)
        }
        Any::Binary(bytes) => Value::Content(Content::Bytes(bytes.clone().into())),
        // BooleanManagedProperty
        Any::Raw(element) if !element.children.is_empty() => {
            let inner = element.text_of("Value").ok_or_else(wrong)?;
            Value::Bool(boolean(inner).map_err(|_| wrong())?)
        }
        any => any.to_value().ok_or_else(wrong)?,
    };
    Ok(match (kind, plain) {
        (Some(Kind::Time), Value::Text(text)) => Value::Time(time(&text).map_err(|_| wrong())?),
        (Some(Kind::Guid | Kind::Id | Kind::Lookup), Value::Text(text)) => {
            Value::Guid(guid(&text).map_err(|_| wrong())?)
        }
        (Some(Kind::Guid | Kind::Id), Value::Lookup(at)) => Value::Guid(at.id),
        (Some(Kind::File), Value::Text(text)) if !text.is_empty() => {
            let packed: String = text.split_ascii_whitespace().collect();
            Value::Content(Content::Bytes(BASE64.decode(packed).map_err(|_| wrong())?.into()))
        }
        (_, value) => value,
    })
}

fn only_target(table: &TableInfo, name: &str) -> Option<String> {
    match &table.column(name)?.kind {
        ColumnKind::Lookup { targets } if targets.len() == 1 => targets.first().cloned(),
        _ => None,
    }
}

/// Rows within a row: made with it and tied to it. In an update, those with ids are changed.
async fn related(
    call: &Call<'_>,
    given: &mut Given,
    relationship: &str,
    rows: &[Entity],
) -> Result<(), Stop> {
    let of = Relationship { schema_name: relationship.to_owned(), role: None };
    let relation = relate::relation(call, &given.record.at.table, &of)?;
    for entity in rows {
        let table = if entity.logical_name.is_empty() { relation.target() } else { &entity.logical_name };
        let info = call.table(table)?;
        let known = own_id(info, entity).filter(|_| entity.state.as_deref() == Some("Changed"));
        let id = own_id(info, entity).unwrap_or_else(|| call.id());
        let at = RecordRef::new(table, id);
        let mut inner = boxed(call, at.clone(), entity, known.is_none()).await?;
        match &relation {
            Relation::Children(lookup) => {
                let owner = Value::Lookup(given.record.at.clone());
                put(&mut inner.record, &lookup.referencing_column, owner);
            }
            Relation::Parent(lookup) => {
                put(&mut given.record, &lookup.referencing_column, Value::Lookup(at.clone()));
            }
            Relation::Pairs { .. } => {}
        }
        match known {
            Some(_) => given.more.extend(write::changed(call, inner).await?),
            None => given.more.extend(write::made(inner)),
        }
        if let Relation::Pairs { pairs, near, far } = &relation {
            let pair = Pair { relation: pairs, near: (near, &given.record.at), far: (far, &at) };
            given.more.push(Change::CreateNew(pair.row(&call.schema)));
        }
    }
    Ok(())
}

fn boxed<'f>(
    call: &'f Call<'_>,
    at: RecordRef,
    entity: &'f Entity,
    new: bool,
) -> BoxFuture<'f, Result<Given, Stop>> {
    row(call, at, entity, new).boxed()
}
