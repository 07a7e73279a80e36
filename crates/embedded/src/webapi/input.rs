//! JSON bodies to rows: names by the definitions, values in their columns' forms, references looked up, and rows within
//! rows (dataverse.md A4, A8, B4).
//!
//! Annotations are ignored but for `@odata.bind` and `@odata.type`. Columns that the server keeps are passed over, as the
//! platform does when a client sends back what it read; `_x_value` is refused. Rows within a row become changes of the same
//! set.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use postroom_core::metadata::{ColumnInfo, OneToMany, TableInfo};
use postroom_core::{Change, Query, Record, RecordRef, Value};
use postroom_formats::odata::path::{self, Path, Segment};
use postroom_formats::odata::resolve::{self, Relation, Row};
use postroom_formats::odata::{Error, batch};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::call::Call;
use super::{Ability, Problem, parties, reference, value};
use crate::schema::Kind;

/// The members of a JSON object.
pub(crate) type Members = Map<String, Json>;

/// A row as it was given.
pub(crate) struct Given {
    pub record: Record,
    /// Rows within it, and rows that are to name it.
    pub more: Vec<Change>,
    /// The parties that are to stand instead of those it has.
    pub parties: Option<Vec<Record>>,
}

/// The object in the body of a request.
pub(crate) fn object(call: &Call<'_>) -> Result<Members, Problem> {
    let text = call.body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&call.body);
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(Problem::payload("The request has no body; send a JSON object."));
    }
    match serde_json::from_slice(text) {
        Ok(Json::Object(members)) => Ok(members),
        Ok(_) => Err(Problem::payload("The body is no JSON object.")),
        Err(error) => Err(Problem::payload(format!("The body is not valid JSON: {error}"))),
    }
}

/// The id that a new row brings along, else a fresh one.
pub(crate) fn new_id(call: &Call<'_>, table: &TableInfo, members: &Members) -> Result<Uuid, Problem> {
    match own_id(table, members)? {
        Some(id) => Ok(id),
        None => Ok(call.door.ids.next()),
    }
}

/// The primary key in a body.
pub(crate) fn own_id(table: &TableInfo, members: &Members) -> Result<Option<Uuid>, Problem> {
    let name = table.primary_id.as_str();
    match members.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => match value::guid(text) {
            Some(id) if id.is_nil() => Ok(None),
            Some(id) => Ok(Some(id)),
            None => Err(value::unfit(text, "Edm.Guid")),
        },
        Some(other) => Err(value::unfit(&other.to_string(), "Edm.Guid")),
    }
}

/// A row that is to be made.
pub(crate) async fn new_row(call: &Call<'_>, at: RecordRef, members: &Members) -> Result<Given, Problem> {
    read(call, at, members, Purpose::New, 0).await
}

/// What is to be changed in a row.
pub(crate) async fn changed_row(call: &Call<'_>, at: RecordRef, members: &Members) -> Result<Given, Problem> {
    read(call, at, members, Purpose::Change, 0).await
}

/// A row that a message is told of, as it was given: what the message does not take, it refuses itself.
pub(crate) async fn told_row(call: &Call<'_>, at: RecordRef, members: &Members) -> Result<Given, Problem> {
    read(call, at, members, Purpose::Message, 0).await
}

/// What a row is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    New,
    Change,
    Message,
}

impl Purpose {
    /// Whether a column that the server keeps in part is taken; others are passed over, as the platform does when a client
    /// sends back what it read.
    fn takes(self, column: &ColumnInfo) -> bool {
        match self {
            Purpose::New => column.valid_for_create,
            Purpose::Change => column.valid_for_update,
            Purpose::Message => true,
        }
    }

    /// Rows may stand within the row.
    fn deep(self) -> bool {
        self != Purpose::Change
    }
}

/// Rows within rows that one body may have, one within the other: each costs stack.
const LEVELS: usize = 20;

async fn read(
    call: &Call<'_>,
    at: RecordRef,
    members: &Members,
    purpose: Purpose,
    level: usize,
) -> Result<Given, Problem> {
    if level > LEVELS {
        let text =
            format!("The rows of the body are nested more than {LEVELS} deep; create them one by one.");
        return Err(Problem::payload(text));
    }
    let given = Given { record: Record::new(at.clone()), more: Vec::new(), parties: None };
    let mut reader = Reader { call, table: call.table(&at.table)?, at, purpose, level, given };
    for (name, json) in members {
        match name.split_once('@') {
            Some((property, "odata.bind")) => reader.bind(property, json).await?,
            Some(("", "odata.type")) => reader.typed(json)?,
            Some(_) => {}
            None => reader.member(name, json).await?,
        }
    }
    Ok(reader.given)
}

/// Reads one object.
struct Reader<'r, 'c> {
    call: &'r Call<'c>,
    table: &'r TableInfo,
    at: RecordRef,
    purpose: Purpose,
    /// How many rows this one is within.
    level: usize,
    given: Given,
}

impl Reader<'_, '_> {
    fn typed(&self, json: &Json) -> Result<(), Problem> {
        match json.as_str().and_then(type_name) {
            Some(name) if name == self.table.logical_name => Ok(()),
            _ => Err(Problem::payload(format!(
                "The type {json} is not that of the row: it is 'Microsoft.Dynamics.CRM.{}'.",
                self.table.logical_name
            ))),
        }
    }

    async fn member(&mut self, name: &str, json: &Json) -> Result<(), Problem> {
        let table = self.table;
        let column = table.column(name);
        // Most members are plain columns: only what is none may be a navigation property.
        if column.is_none_or(is_lookup)
            && let Some(relation) = resolve::navigation(&self.call.metadata, &table.logical_name, name)
        {
            return self.navigation(name, relation, json).await;
        }
        let Some(column) = column else { return Err(self.unknown(name)) };
        if is_lookup(column) {
            return match json {
                Json::Null => {
                    put(&mut self.given.record, name, Value::Null);
                    Ok(())
                }
                _ => Err(self.unknown(name)),
            };
        }
        if !self.purpose.takes(column) || column.is_primary_id {
            return Ok(());
        }
        let stored = self.call.schema.table(&table.logical_name)?.column(name);
        let kind = stored.map_or(Kind::PartyList, |column| column.kind);
        if kind == Kind::PartyList {
            return Err(self.unknown(name));
        }
        let value = value::read(column, kind, json)?;
        put(&mut self.given.record, name, value);
        Ok(())
    }

    fn unknown(&self, name: &str) -> Problem {
        let lookup = name.strip_prefix('_').and_then(|name| name.strip_suffix("_value"));
        if lookup.and_then(|name| self.table.column(name)).is_some() {
            return Problem::payload(
                "CRM do not support direct update of Entity Reference properties, Use Navigation properties instead.",
            );
        }
        Problem::payload(Error::no_property(name, &self.table.logical_name).message)
    }

    async fn bind(&mut self, name: &str, json: &Json) -> Result<(), Problem> {
        let table = &self.table.logical_name;
        let relation =
            resolve::navigation(&self.call.metadata, table, name).ok_or_else(|| undeclared(name))?;
        match (&relation, json) {
            (Relation::ManyToOne(relation), Json::Null) => self.point(name, relation, None),
            (Relation::ManyToOne(relation), Json::String(uri)) => {
                let to = target(self.call, uri).await?;
                fits(self.call, name, &relation.referenced_table, &to)?;
                self.point(name, relation, Some(to))
            }
            (Relation::ManyToOne(_), _) => {
                Err(Problem::payload(format!("'{name}@odata.bind' takes one URI.")))
            }
            (_, Json::Array(uris)) if self.purpose.deep() => {
                for uri in uris {
                    let uri = uri.as_str().ok_or_else(|| {
                        Problem::payload(format!("'{name}@odata.bind' takes a list of URIs."))
                    })?;
                    let to = target(self.call, uri).await?;
                    fits(self.call, name, relation.target(), &to)?;
                    if let Relation::ManyToMany { .. } = relation {
                        reference::there(self.call, &to).await?;
                    }
                    let change = reference::tie(self.call, &relation, &self.at, &to);
                    self.given.more.push(change);
                }
                Ok(())
            }
            (_, Json::Array(_)) => Err(no_deep_update(name)),
            _ => Err(Problem::payload(format!("'{name}@odata.bind' takes a list of URIs."))),
        }
    }

    fn point(&mut self, name: &str, relation: &OneToMany, to: Option<RecordRef>) -> Result<(), Problem> {
        let column = self.table.column(&relation.referencing_column);
        // What every activity is besides has no column of its own.
        let column = column.filter(|column| is_lookup(column)).ok_or_else(|| undeclared(name))?;
        if column.valid_for_create {
            put(&mut self.given.record, &column.logical_name, to.map_or(Value::Null, Value::Lookup));
        }
        Ok(())
    }

    /// A navigation property without `@odata.bind`: rows within the row, or null.
    async fn navigation(&mut self, name: &str, relation: Relation, json: &Json) -> Result<(), Problem> {
        match (&relation, json) {
            (Relation::ManyToOne(relation), Json::Null) => self.point(name, relation, None),
            (_, Json::Object(_) | Json::Array(_)) if self.lacks_deep_insert(&relation) => {
                Err(no_deep_insert(name))
            }
            (Relation::ManyToOne(relation), Json::Object(members)) if self.purpose.deep() => {
                let to = self.within(&relation.referenced_table, members, |_, _| {}).await?;
                self.point(name, relation, Some(to))
            }
            (Relation::OneToMany(relation), Json::Array(rows))
                if is_parties(relation) && !self.purpose.deep() =>
            {
                let list = parties::read(self.call, &self.at, relation, rows).await?;
                self.given.parties = Some(list);
                Ok(())
            }
            (Relation::OneToMany(_) | Relation::ManyToMany { .. }, Json::Array(rows))
                if self.purpose.deep() =>
            {
                for row in rows {
                    let members = row.as_object().ok_or_else(|| not_rows(name))?;
                    self.below(&relation, members).await?;
                }
                Ok(())
            }
            (_, Json::Object(_) | Json::Array(_)) if !self.purpose.deep() => Err(no_deep_update(name)),
            (Relation::ManyToOne(_), _) => Err(Problem::payload(
                "A 'PrimitiveValue' node with non-null value was found when trying to read the value of a navigation \
                 property; however, a 'StartArray' node, a 'StartObject' node, or a 'PrimitiveValue' node with null \
                 value was expected.",
            )),
            _ => Err(not_rows(name)),
        }
    }

    /// Parties come with their activity at every server.
    fn lacks_deep_insert(&self, relation: &Relation) -> bool {
        let parties = matches!(relation, Relation::OneToMany(relation) if is_parties(relation));
        self.purpose == Purpose::New && !parties && !self.call.door.settings.has(Ability::DeepInsert)
    }

    /// One row of a collection-valued navigation property.
    async fn below(&mut self, relation: &Relation, members: &Members) -> Result<(), Problem> {
        let owner = self.at.clone();
        match relation {
            Relation::OneToMany(relation) => {
                let column = relation.referencing_column.as_str();
                let name = |_: &TableInfo, record: &mut Record| {
                    put(record, column, Value::Lookup(owner));
                };
                self.within(&relation.referencing_table, members, name).await.map(drop)
            }
            relation => {
                let to = self.within(relation.target(), members, |_, _| {}).await?;
                self.given.more.push(reference::tie(self.call, relation, &owner, &to));
                Ok(())
            }
        }
    }

    /// A new row within this one.
    async fn within(
        &mut self,
        target: &str,
        members: &Members,
        finish: impl FnOnce(&TableInfo, &mut Record),
    ) -> Result<RecordRef, Problem> {
        let table = actual(self.call, target, members)?;
        let at = RecordRef::new(&table.logical_name, new_id(self.call, table, members)?);
        let mut given = boxed(self.call, at.clone(), members, self.level + 1).await?;
        finish(table, &mut given.record);
        if parties::is_party(table) {
            parties::check(&given.record)?;
        }
        self.given.more.push(Change::CreateNew(given.record));
        self.given.more.extend(given.more);
        Ok(at)
    }
}

/// Rows within rows within rows.
fn boxed<'f>(
    call: &'f Call<'_>,
    at: RecordRef,
    members: &'f Members,
    level: usize,
) -> BoxFuture<'f, Result<Given, Problem>> {
    read(call, at, members, Purpose::New, level).boxed()
}

/// The table of a row within a row: an activity says which one it is.
fn actual<'c>(call: &'c Call<'_>, target: &str, members: &Members) -> Result<&'c TableInfo, Problem> {
    let table = call.table(target)?;
    let said = members.get("@odata.type").and_then(Json::as_str).and_then(type_name);
    match said.and_then(|name| call.metadata.table(name)) {
        Some(said) if target == "activitypointer" && said.is_activity => Ok(said),
        _ => Ok(table),
    }
}

/// `#Microsoft.Dynamics.CRM.contact` is a contact.
pub(crate) fn type_name(text: &str) -> Option<&str> {
    path::unqualified(text.strip_prefix('#').unwrap_or(text))
}

/// Sets a column. A lookup with several navigation properties may be emptied by one and filled by another.
pub(crate) fn put(record: &mut Record, name: &str, value: Value) {
    match record.columns.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) if value != Value::Null => *old = value,
        Some(_) => {}
        None => record.columns.push((name.into(), value)),
    }
}

pub(crate) fn is_lookup(column: &ColumnInfo) -> bool {
    use postroom_core::metadata::ColumnKind as Kind;
    matches!(column.kind, Kind::Lookup { .. } | Kind::Customer { .. } | Kind::Owner { .. })
}

pub(crate) fn is_parties(relation: &OneToMany) -> bool {
    relation.referencing_table == "activityparty" && relation.referencing_column == "activityid"
}

pub(crate) fn undeclared(name: &str) -> Problem {
    Problem::payload(format!(
        "An undeclared property '{}' which only has property annotations in the payload but no property value was found \
         in the payload. In OData, only declared navigation properties and declared named streams can be represented as \
         properties without values.",
        value::clipped(name)
    ))
}

fn not_rows(name: &str) -> Problem {
    Problem::payload(format!("The navigation property '{name}' takes a list of objects."))
}

fn no_deep_insert(name: &str) -> Problem {
    Problem::payload(format!("Deep insert is not supported: create the rows of '{name}' by themselves."))
}

fn no_deep_update(name: &str) -> Problem {
    Problem::payload(format!(
        "Deep update is not supported: change the rows of '{name}' by themselves, or by $ref."
    ))
}

/// The row that a URI in a body names: relative, absolute, by alternate key, or `$1`.
///
/// Whatever stands before `/api/data/vX.Y/` counts for nothing: clients write it in odd ways.
pub(crate) async fn target(call: &Call<'_>, uri: &str) -> Result<RecordRef, Problem> {
    let uri = uri.trim();
    if let Some((id, "")) = batch::reference(uri) {
        return call.made.get(id).cloned().ok_or_else(|| Error::no_reference(id).into());
    }
    let path = Path::parse(path::resource(uri).path)?;
    let [segment @ Segment::Name { name, .. }] = path.segments.as_slice() else {
        return Err(no_row_uri(uri));
    };
    let table = call.metadata.by_entity_set(name).ok_or_else(|| Problem::no_resource(name))?;
    let key = segment.key()?.ok_or_else(|| no_row_uri(uri))?;
    match resolve::row(&call.metadata, &table.logical_name, &key)? {
        Row::Id(id) => Ok(RecordRef::new(&table.logical_name, id)),
        row => {
            let query = Query::of(&table.logical_name).select(&[]).filter(row.filter(table)).top(1);
            let found = call.session.all(query).await?.into_iter().next();
            found.map(|row| row.at).ok_or_else(|| Problem::no_key(&table.logical_name))
        }
    }
}

fn no_row_uri(uri: &str) -> Problem {
    let uri = value::clipped(uri);
    Problem::payload(format!(
        "'{uri}' names no row: a URI such as /contacts(00000000-0000-0000-0000-000000000001) does."
    ))
}

/// A navigation property leads to rows of one table.
pub(crate) fn fits(call: &Call<'_>, name: &str, wanted: &str, to: &RecordRef) -> Result<(), Problem> {
    let activity = || call.metadata.table(&to.table).is_some_and(|table| table.is_activity);
    let fits = match wanted {
        "owner" => ["systemuser", "team"].contains(&to.table.as_str()),
        "activitypointer" => activity(),
        wanted => to.table == wanted || to.table == "activitypointer" && call.table(wanted)?.is_activity,
    };
    match fits {
        true => Ok(()),
        false => Err(Problem::payload(format!(
            "The navigation property '{name}' leads to rows of {wanted}, not of {}.",
            to.table
        ))),
    }
}
