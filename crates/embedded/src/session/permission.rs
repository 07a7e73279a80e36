//! What a caller may see and do, asked in the unit that does it.
//!
//! Reading: a table of which the caller may read nothing refuses the query; of others only the rows that he may see are
//! there. Columns that he may not read are empty, and no condition or order may name them. Writing: each change is checked
//! against the row as it stands, or as it will stand; a set with a change that is refused is not done, its neighbours are.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use postroom_core::metadata::PrivilegeKind;
use postroom_core::query::{Filter, Link};
use postroom_core::{Change, ChangeSet, Outcome, Query, Record, RecordRef, Value};
use postroom_store::body::{self, Body};
use postroom_store::{Error, Tx};

use super::Asks;
use crate::access::{self, AccessError, Caller, RowFacts, lookup_is_checked};
use crate::failure::Failure;
use crate::lot::{self, Writer};
use crate::schema::registry::Cache;
use crate::schema::{Kind, Schema, Table};

/// Nothing of a lot was done.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The caller may do nothing at all.
    Denied(AccessError),
    Store(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Stopped::Store(error)
    }
}

type Done = (Arc<Schema>, Arc<Caller>, Vec<Result<Vec<Outcome>, Failure>>);

/// Applies the sets that the caller may apply.
pub(super) async fn put(
    tx: &mut Tx,
    cache: Cache,
    asks: Asks,
    writer: Writer,
    files: Vec<Body>,
    sets: Vec<ChangeSet>,
) -> Result<Done, Stopped> {
    let schema = cache.current(tx).await?;
    let caller = asks.caller(tx, &schema).await.map_err(|error| match error {
        AccessError::Store(error) => Stopped::Store(error),
        denied => Stopped::Denied(denied),
    })?;
    body::put(tx, files).await?;
    // Writers go one after the other from here on, so what is checked stays true until it is written.
    lot::begin(tx).await?;
    let refused = match caller.administrates() {
        true => HashMap::new(),
        false => refused(tx, &schema, &caller, &sets).await?,
    };
    let mut refused = refused;
    let mut kept = Vec::new();
    let mut places = Vec::new();
    for (place, set) in sets.into_iter().enumerate() {
        if !refused.contains_key(&place) {
            kept.push(set);
            places.push(place);
        }
    }
    let count = places.len() + refused.len();
    let applied = lot::apply(tx, schema.clone(), writer, Some(caller.clone()), kept).await?;
    let mut done: HashMap<usize, _> = places.into_iter().zip(applied).collect();
    let answers = (0..count).map(|place| match refused.remove(&place) {
        Some(error) => Err(Failure::from(error)),
        None => done.remove(&place).expect("each set was refused or applied"),
    });
    let answers = answers.collect();
    Ok((schema, caller, answers))
}

/// The sets that the caller may not apply.
async fn refused(
    tx: &mut Tx,
    schema: &Arc<Schema>,
    caller: &Caller,
    sets: &[ChangeSet],
) -> Result<HashMap<usize, AccessError>, Error> {
    let wanted: HashSet<RecordRef> =
        sets.iter().flat_map(|set| &set.changes).flat_map(|change| named(schema, change)).collect();
    let wanted: Vec<RecordRef> = wanted.into_iter().collect();
    let facts = match access::facts(tx, caller, &wanted).await {
        Ok(facts) => facts,
        Err(AccessError::Store(error)) => return Err(error),
        // Names that mean nothing: the lot says so better.
        Err(_) => HashMap::new(),
    };
    let mut refused = HashMap::new();
    for (place, set) in sets.iter().enumerate() {
        if let Err(error) = (Checker { schema, caller, facts: &facts, made: HashMap::new() }).set(set) {
            refused.insert(place, error);
        }
    }
    Ok(refused)
}

/// The rows that a change touches or refers to.
fn named(schema: &Schema, change: &Change) -> Vec<RecordRef> {
    let (at, record) = of(change);
    let mut all = vec![at.clone()];
    let Some(record) = record else { return all };
    let table = schema.table(&record.at.table).ok();
    for (name, value) in &record.columns {
        all.extend(reference(table.map(Arc::as_ref), name, value));
    }
    all
}

fn reference(table: Option<&Table>, column: &str, value: &Value) -> Option<RecordRef> {
    match value {
        Value::Lookup(at) => Some(at.clone()),
        Value::Guid(id) => {
            let column = table?.column(column).filter(|column| column.kind == Kind::Lookup)?;
            Some(RecordRef::new(column.targets.only()?, *id))
        }
        _ => None,
    }
}

/// The row that a change is about, and what it says of it.
pub(super) fn of(change: &Change) -> (&RecordRef, Option<&Record>) {
    match change {
        Change::Create(record)
        | Change::CreateNew(record)
        | Change::Update(record)
        | Change::UpdateIf(record, _)
        | Change::Upsert(record) => (&record.at, Some(record)),
        Change::Delete(at) | Change::DeleteIf(at, _) => (at, None),
    }
}

/// Checks one set after the other change of it: rows made by it are known to later changes.
struct Checker<'a> {
    schema: &'a Arc<Schema>,
    caller: &'a Caller,
    facts: &'a HashMap<RecordRef, RowFacts>,
    made: HashMap<RecordRef, RowFacts>,
}

impl Checker<'_> {
    fn set(mut self, set: &ChangeSet) -> Result<(), AccessError> {
        // Rows may refer to rows that come later in the set.
        for change in &set.changes {
            if let (at, Some(record)) = of(change)
                && !matches!(change, Change::Update(_) | Change::UpdateIf(..))
                && !self.facts.contains_key(at)
                && let Some(facts) = self.new_row(record)
            {
                self.made.insert(at.clone(), facts);
            }
        }
        set.changes.iter().try_for_each(|change| self.change(change))
    }

    fn change(&self, change: &Change) -> Result<(), AccessError> {
        let (at, record) = of(change);
        let Ok(table) = self.schema.table(&at.table) else { return Ok(()) };
        match (change, self.facts.get(at)) {
            // A repeat does nothing; that there is such a row is no secret to one who knows its id and could make it.
            (Change::Create(_), Some(_)) => self.caller.check_table(PrivilegeKind::Create, table),
            (Change::CreateNew(_), Some(_)) => self.caller.check_table(PrivilegeKind::Create, table),
            (Change::Delete(_) | Change::DeleteIf(..), Some(row)) => {
                self.caller.check(PrivilegeKind::Delete, table, row)
            }
            (Change::Delete(_) | Change::DeleteIf(..), None) => {
                self.caller.check_table(PrivilegeKind::Delete, table)
            }
            (Change::Update(_) | Change::UpdateIf(..), None) => {
                self.caller.check_table(PrivilegeKind::Write, table)
            }
            (_, Some(row)) => self.update(table, row, record.expect("an update has a record")),
            (_, None) => self.create(table, record.expect("a new row has a record")),
        }
    }

    fn create(&self, table: &Arc<Table>, record: &Record) -> Result<(), AccessError> {
        if table.intersect.is_some() {
            return self.tie(table, record);
        }
        let parts = self.parent(table, record);
        let own = self.made.get(&record.at).cloned().or_else(|| self.new_row(record));
        let Some(row) = parts.or(own) else { return self.caller.check_table(PrivilegeKind::Create, table) };
        self.caller.check_create(table, &row)?;
        self.columns(table, &row, record, true)
    }

    /// Two rows tied together: Append on the one, AppendTo on the other.
    fn tie(&self, table: &Table, record: &Record) -> Result<(), AccessError> {
        let ends = record.columns.iter().filter_map(|(name, value)| reference(Some(table), name, value));
        let ends: Vec<&RowFacts> =
            ends.filter_map(|at| self.facts.get(&at).or_else(|| self.made.get(&at))).collect();
        match ends[..] {
            [first, second] => self.caller.check_link(first, second),
            _ => self.caller.check_table(PrivilegeKind::Create, table),
        }
    }

    fn update(&self, table: &Arc<Table>, row: &RowFacts, record: &Record) -> Result<(), AccessError> {
        let assigned = record.get("ownerid").is_some_and(|value| {
            let id = match value {
                Value::Lookup(at) => Some(at.id),
                Value::Guid(id) => Some(*id),
                _ => None,
            };
            id != row.owner.as_ref().map(|owner| owner.id)
        });
        if assigned {
            self.caller.check(PrivilegeKind::Assign, table, row)?;
        }
        if record.columns.iter().any(|(name, _)| name != "ownerid") || !assigned {
            self.caller.check_write(PrivilegeKind::Write, table, row)?;
        }
        self.columns(table, row, record, false)
    }

    fn columns(
        &self,
        table: &Table,
        row: &RowFacts,
        record: &Record,
        create: bool,
    ) -> Result<(), AccessError> {
        self.caller.check_columns(table, record.columns.iter().map(|(name, _)| name.as_str()), create)?;
        for (name, value) in &record.columns {
            let Some(column) = table.column(name).filter(|column| lookup_is_checked(table, column)) else {
                continue;
            };
            let target = reference(Some(table), &column.name, value);
            if let Some(target) = target.and_then(|at| self.facts.get(&at).or_else(|| self.made.get(&at))) {
                self.caller.check_link(row, target)?;
            }
        }
        Ok(())
    }

    /// A row that is about to be made, with the owner it will have.
    fn new_row(&self, record: &Record) -> Option<RowFacts> {
        let table = self.schema.table(&record.at.table).ok()?;
        let given = match record.get("ownerid") {
            Some(Value::Lookup(at)) => Some(at.clone()),
            Some(Value::Guid(id)) => Some(RecordRef::new("systemuser", *id)),
            _ => None,
        };
        let own = RecordRef::new("systemuser", self.caller.user);
        let unit = match &given {
            Some(owner) if owner.id != self.caller.user => self.facts.get(owner).and_then(|owner| owner.unit),
            _ => Some(self.caller.unit),
        };
        Some(RowFacts::new(record.at.id, table.clone(), Some(given.unwrap_or(own)), unit))
    }

    /// For a part of another row: that row.
    fn parent(&self, table: &Table, record: &Record) -> Option<RowFacts> {
        let columns = access::parents(table);
        columns.into_iter().find_map(|column| {
            let at = reference(Some(table), column, record.get(column)?)?;
            let real = |at: &RecordRef| self.facts.get(at).or_else(|| self.made.get(at)).cloned();
            real(&at).or_else(|| {
                let activity = |table: &Arc<Table>| real(&RecordRef::new(table.name.clone(), at.id));
                self.schema.activities().find_map(|(_, table)| activity(table))
            })
        })
    }
}

/// Refuses a query of tables of which the caller may read nothing, and conditions and orders on columns hidden from him.
pub(super) fn check_query(caller: &Caller, schema: &Schema, query: &Query) -> Result<(), Failure> {
    if caller.administrates() {
        return Ok(());
    }
    let table = schema.table(&query.table)?;
    caller.check_table(PrivilegeKind::Read, table)?;
    let mut scope = Named { caller, schema, aliases: HashMap::new() };
    scope.links(&query.links)?;
    scope.filter(table, &query.filter)?;
    let orders = query.order.iter().map(|order| &order.column);
    let groups = query.groups.iter().map(|group| &group.column);
    let aggregates = query.aggregates.iter().map(|aggregate| &aggregate.column);
    orders.chain(groups).chain(aggregates).try_for_each(|column| scope.column(table, column))
}

/// The tables of a query and what is named of them.
struct Named<'a> {
    caller: &'a Caller,
    schema: &'a Schema,
    aliases: HashMap<String, Arc<Table>>,
}

impl Named<'_> {
    fn links(&mut self, links: &[Link]) -> Result<(), Failure> {
        for link in links {
            let table = self.schema.table(&link.table)?.clone();
            self.caller.check_table(PrivilegeKind::Read, &table)?;
            self.aliases.insert(link.alias.clone(), table.clone());
            self.filter(&table, &link.filter)?;
            link.order.iter().try_for_each(|order| self.column(&table, &order.column))?;
            self.links(&link.links)?;
        }
        Ok(())
    }

    fn filter(&mut self, table: &Table, filter: &Filter) -> Result<(), Failure> {
        match filter {
            Filter::All(parts) | Filter::Any(parts) => {
                parts.iter().try_for_each(|part| self.filter(table, part))
            }
            Filter::Not(part) => self.filter(table, part),
            Filter::Compare(column, ..)
            | Filter::In(column, _)
            | Filter::Null(column)
            | Filter::Like(column, _)
            | Filter::Operator(column, ..) => self.column(table, column),
            Filter::Columns(left, _, right) => {
                self.column(table, left).and_then(|()| self.column(table, right))
            }
            Filter::Linked(link) => self.links(std::slice::from_ref(link)),
        }
    }

    fn column(&self, table: &Table, name: &str) -> Result<(), Failure> {
        let (table, column) = match name.split_once('.') {
            Some((alias, column)) => match self.aliases.get(alias) {
                Some(table) => (table.as_ref(), column),
                None => return Ok(()),
            },
            None => (table, name),
        };
        match self.caller.secured(table).hidden.contains(column) {
            true => Err(AccessError::Hidden { table: table.name.clone(), column: column.to_owned() }.into()),
            false => Ok(()),
        }
    }
}

/// Empties the columns that the caller may not read.
pub(super) fn hide<'r>(
    caller: &Caller,
    schema: &Schema,
    query: &Query,
    records: impl Iterator<Item = &'r mut Record>,
) {
    if caller.administrates() {
        return;
    }
    let mut hidden = HashSet::new();
    let mut note = |alias: &str, table: &str| {
        let Ok(table) = schema.table(table) else { return };
        for column in caller.secured(table).hidden {
            hidden.insert(if alias.is_empty() { column } else { format!("{alias}.{column}") });
        }
    };
    note("", &query.table);
    joined(&query.links, &mut note);
    if hidden.is_empty() {
        return;
    }
    for (_, value) in
        records.flat_map(|row| &mut row.columns).filter(|(name, _)| hidden.contains(name.as_str()))
    {
        *value = Value::Null;
    }
}

fn joined(links: &[Link], note: &mut impl FnMut(&str, &str)) {
    for link in links.iter().filter(|link| link.join.answers()) {
        note(&link.alias, &link.table);
        joined(&link.links, note);
    }
}
