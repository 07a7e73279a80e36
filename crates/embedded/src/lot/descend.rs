//! Reads what hangs on rows: level by level, one select a lookup and 500 ids, each row once. So a circle ends, and how deep a
//! family goes does not matter; how large one may be is bounded by [`MOST`].

use std::collections::{BTreeMap, HashSet};

use postroom_core::metadata::CascadeType;
use postroom_core::{Change, ChangeSet, RecordRef, Value};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::kin::{Kin, Tie};
use super::load::{CHUNK, rows};
use super::parties::{OWNER, REGARDING, party_id};
use super::{Entry, Key, Lot, Phase, gather};
use crate::row::{self, Fields};
use crate::schema::{Schema, Table};

/// Rows that follow the rows of one lot at most; parts are not counted.
pub(crate) const MOST: usize = 100_000;

/// The families of some rows.
pub(crate) struct Family<'a> {
    pub schema: &'a Schema,
    pub kin: &'a Kin,
}

/// Whether a row's own children are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goes {
    On,
    NoFurther,
}

impl Family<'_> {
    /// Finds the rows below `roots` by the ties that `by` wants; `found` says of each whether its own children follow too.
    /// False when there are more than [`MOST`].
    pub(crate) async fn walk(
        &self,
        tx: &mut Tx,
        roots: &[Key],
        by: impl Fn(&Tie) -> bool,
        mut found: impl FnMut(&Tie, Key, Key, Fields) -> Goes,
    ) -> Result<bool, Error> {
        let mut seen: HashSet<Key> = roots.iter().copied().collect();
        let mut level = by_table(roots.iter().copied());
        let mut count = 0;
        while !level.is_empty() {
            let mut next = Vec::new();
            for (parent, ids) in level {
                for tie in self.kin.ties(parent).iter().filter(|tie| by(tie)) {
                    for (key, above, fields) in self.children(tx, parent, tie, &ids).await? {
                        count += 1;
                        if found(tie, above, key, fields) == Goes::On && seen.insert(key) {
                            next.push(key);
                        }
                    }
                    if count > MOST {
                        return Ok(false);
                    }
                }
            }
            level = by_table(next.into_iter());
        }
        Ok(true)
    }

    /// The rows that name one of these by one lookup, each with the one that it names.
    async fn children(
        &self,
        tx: &mut Tx,
        parent: usize,
        tie: &Tie,
        ids: &[Uuid],
    ) -> Result<Vec<(Key, Key, Fields)>, Error> {
        let (table, above) = (self.schema.at(tie.child), &self.schema.at(parent).name);
        let columns = self.columns(tie.child);
        let mut found = Vec::new();
        for ids in ids.chunks(CHUNK) {
            let mut select = Query::select();
            select.column(table.primary_key.clone());
            row::select(&mut select, table, &columns);
            let name = table.columns[tie.column].name.clone();
            select
                .from(table.storage())
                .and_where(Expr::col(name).is_in(ids.iter().copied()))
                .limit(MOST as u64 + 1);
            for row in tx.query(&select).await? {
                let mut fields = Fields::default();
                for (place, value) in columns.iter().zip(row::read(&row, 1, table, &columns)?) {
                    if value != Value::Null {
                        fields.set(*place, value);
                    }
                }
                // Rows of other tables may have the same id.
                let named = fields.get(tie.column).and_then(Value::as_lookup);
                if let Some(at) = named.filter(|at| at.table == *above) {
                    found.push(((tie.child, row.at(0)?), (parent, at.id), fields));
                }
            }
        }
        Ok(found)
    }

    /// What rules look at, and the lookups by which the row hangs on others.
    fn columns(&self, child: usize) -> Vec<usize> {
        let table = self.schema.at(child);
        let mut columns = gather::watched_places(table);
        columns.extend(self.kin.hangs_by(child));
        columns.sort_unstable();
        columns.dedup();
        columns
    }
}

fn by_table(keys: impl Iterator<Item = Key>) -> BTreeMap<usize, Vec<Uuid>> {
    let mut tables: BTreeMap<usize, Vec<Uuid>> = BTreeMap::new();
    keys.for_each(|(table, id)| tables.entry(table).or_default().push(id));
    tables
}

/// Whether anything that hangs on a row may have to follow it.
pub(super) fn concerns(schema: &Schema, sets: &[ChangeSet]) -> bool {
    sets.iter().flat_map(|set| &set.changes).any(|change| match change {
        Change::Delete(_) | Change::DeleteIf(..) => true,
        Change::Update(record) | Change::UpdateIf(record, _) | Change::Upsert(record) => {
            record.get("ownerid").is_some() && schema.table(&record.at.table).is_ok()
        }
        Change::Create(_) | Change::CreateNew(_) => false,
    })
}

/// Loads the rows that follow those which the lot deletes or assigns.
pub(super) async fn load(tx: &mut Tx, lot: &mut Lot, sets: &[ChangeSet]) -> Result<(), Error> {
    let schema = lot.schema.clone();
    if !concerns(&schema, sets) {
        return Ok(());
    }
    let kin = Kin::of(&schema);
    lot.kin = Some(kin.clone());
    lot.note_all();
    let family = Family { schema: &schema, kin: &kin };
    let deleted = deleted(lot, sets);
    let goes = |tie: &Tie| matches!(tie.cascade.delete, CascadeType::Cascade | CascadeType::Restrict);
    let whole = family.walk(tx, &deleted, goes, |tie, _, key, fields| {
        lot.follow(key, fields);
        match tie.cascade.delete {
            CascadeType::Cascade => Goes::On,
            _ => Goes::NoFurther,
        }
    });
    let whole = whole.await?;
    let assigned = assigned(lot, sets);
    let moves = |tie: &Tie| tie.cascade.assign != CascadeType::NoCascade;
    let all = family.walk(tx, &assigned, moves, |_, _, key, fields| {
        lot.follow(key, fields);
        Goes::On
    });
    let all = all.await?;
    lot.overflow = !(whole && all);
    if !assigned.is_empty() {
        load_parties(tx, lot).await?;
    }
    Ok(())
}

/// Rows that may go: those that are deleted, and those that a set hangs on another row before.
fn deleted(lot: &Lot, sets: &[ChangeSet]) -> Vec<Key> {
    let changes = || sets.iter().flat_map(|set| &set.changes);
    let key = |at: &RecordRef| lot.schema.find(&at.table).map(|table| (table, at.id));
    let mut roots: Vec<Key> = changes()
        .filter_map(|change| match change {
            Change::Delete(at) | Change::DeleteIf(at, _) => key(at),
            _ => None,
        })
        .collect();
    if roots.is_empty() {
        return roots;
    }
    roots.extend(changes().filter_map(|change| match change {
        Change::Update(record) | Change::UpdateIf(record, _) | Change::Upsert(record) => {
            let hangs = record.columns.iter().any(|(_, value)| matches!(value, Value::Lookup(_)));
            key(&record.at).filter(|_| hangs)
        }
        _ => None,
    }));
    roots.retain(|key| lot.rows.contains_key(key));
    roots.sort_unstable();
    roots.dedup();
    roots
}

/// Stored rows that get another owner.
fn assigned(lot: &Lot, sets: &[ChangeSet]) -> Vec<Key> {
    let moved = |change: &Change| {
        let (Change::Update(record) | Change::UpdateIf(record, _) | Change::Upsert(record)) = change else {
            return None;
        };
        let key = (lot.schema.find(&record.at.table)?, record.at.id);
        let table = lot.schema.at(key.0);
        let have = lot.rows.get(&key)?.fields.lookup(table, "ownerid")?;
        let given = match record.get("ownerid")? {
            Value::Lookup(at) => at.id,
            Value::Guid(id) => *id,
            _ => return None,
        };
        (have.id != given).then_some(key)
    };
    sets.iter().flat_map(|set| &set.changes).filter_map(moved).collect()
}

/// The server's own party rows of the activities that follow.
async fn load_parties(tx: &mut Tx, lot: &mut Lot) -> Result<(), Error> {
    let schema = lot.schema.clone();
    let Some(parties) = schema.find("activityparty") else { return Ok(()) };
    let activities = lot.rows.keys().filter(|key| schema.at(key.0).activity);
    let ids = activities.flat_map(|key| [REGARDING, OWNER].map(|mask| party_id(key.1, mask)));
    let ids: Vec<Uuid> = ids.filter(|id| !lot.rows.contains_key(&(parties, *id))).collect();
    let table: &Table = schema.at(parties);
    for (id, fields) in rows(tx, table, &ids, &gather::watched_places(table)).await? {
        lot.follow((parties, id), fields);
    }
    Ok(())
}

impl Lot {
    /// A row that follows another one, as it is in the database.
    fn follow(&mut self, key: Key, fields: Fields) {
        let Some(entry) = self.rows.get_mut(&key) else {
            self.note(key, &fields);
            self.rows.insert(key, Entry { stored: true, phase: Phase::Loaded, fields, dirty: Vec::new() });
            self.order.push(key);
            self.followers.push(key);
            return;
        };
        // Loaded for what a set changes: with other columns.
        for (place, value) in fields.iter() {
            if entry.fields.get(place).is_none() {
                entry.fields.set(place, value.clone());
            }
        }
        self.followers.push(key);
        self.note(key, &fields);
    }

    /// Notes whom the rows name, so that they are found by it.
    fn note_all(&mut self) {
        let named: Vec<(Key, Fields)> =
            self.rows.iter().map(|(key, entry)| (*key, entry.fields.clone())).collect();
        named.iter().for_each(|(key, fields)| self.note(*key, fields));
    }

    /// Notes whom a row names. What is noted is looked at again before it is believed.
    pub(super) fn note(&mut self, key: Key, fields: &Fields) {
        let Some(kin) = self.kin.clone() else { return };
        for place in kin.links_by(key.0) {
            let id = match fields.get(*place) {
                Some(Value::Lookup(at)) => at.id,
                Some(Value::Guid(id)) => *id,
                _ => continue,
            };
            let named = self.names.entry((id, *place)).or_default();
            if named.last() != Some(&key) {
                named.push(key);
            }
        }
    }

    /// The rows that are there and name this one in a column.
    pub(super) fn naming(&self, parent: Key, (table, column): (usize, usize)) -> Vec<Key> {
        let name = &self.schema.at(parent.0).name;
        let names_it = |key: &Key| {
            let entry = self.rows.get(key).filter(|entry| entry.phase != Phase::Gone);
            entry.is_some_and(|entry| match entry.fields.get(column) {
                Some(Value::Lookup(at)) => at.id == parent.1 && at.table == *name,
                Some(Value::Guid(id)) => *id == parent.1,
                _ => false,
            })
        };
        let noted = self.names.get(&(parent.1, column));
        let mut found: Vec<Key> =
            noted.into_iter().flatten().filter(|key| key.0 == table && names_it(key)).copied().collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}
