//! A lot of change sets in one unit of the store.
//!
//! Three steps: [`gather`] notes every row that the lot speaks of, [`load`] reads them with a few selects, then the sets
//! are applied one after the other to the rows in memory, each undone alone when it is refused, and [`write`] puts down
//! what came of it. So a refused set costs nothing and leaves its neighbours alone, and a later set sees the earlier ones.

mod assign;
mod attachments;
mod create;
mod delete;
pub(crate) mod descend;
mod gather;
mod inherit;
mod keys;
mod kin;
pub(crate) mod load;
mod parties;
mod rights;
mod unlink;
mod update;
mod write;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use postroom_core::{Change, ChangeSet, Outcome, RecordRef};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use crate::access::Caller;
use crate::failure::Failure;
use crate::row::Fields;
use crate::rules::Refusal;
use crate::rules::attachments::Limits;
use crate::rules::defaults::Facts;
use crate::schema::{Column, Schema, Table};
pub(crate) use kin::{Kin, Tie};

/// A row: the table's place in the schema, and its id.
pub(crate) type Key = (usize, Uuid);

/// The counter behind `versionnumber`.
pub(crate) const VERSION: &str = "crm_version";

/// Who writes, and when.
#[derive(Clone, Copy)]
pub(crate) struct Writer {
    pub acting: Uuid,
    pub now: Timestamp,
}

/// What is to be done with a row in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// As it is in the database.
    Loaded,
    Fresh,
    Changed,
    Gone,
}

#[derive(Debug, Clone)]
struct Entry {
    /// There is a row in the database.
    stored: bool,
    phase: Phase,
    fields: Fields,
    /// The columns of a stored row that changed.
    dirty: Vec<usize>,
}

/// What a set did, to be taken back when it is refused.
#[derive(Default)]
struct Undo {
    entries: Vec<(Key, Option<Entry>)>,
    recount: usize,
}

/// The rows of a lot.
pub(crate) struct Lot {
    schema: Arc<Schema>,
    writer: Writer,
    /// Rows that are only referred to, and are there.
    known: HashMap<Key, Facts>,
    rows: HashMap<Key, Entry>,
    /// The order in which rows were first touched: the order of their version numbers.
    order: Vec<Key>,
    /// Stored mails whose attachments changed in number.
    recount: Vec<Key>,
    keys: keys::Keys,
    /// What hangs on rows, when the lot deletes or assigns.
    kin: Option<Arc<Kin>>,
    /// Who names a row in a column, as far as it may matter.
    names: HashMap<(Uuid, usize), Vec<Key>>,
    /// Rows that no set names, loaded because they may have to follow one.
    followers: Vec<Key>,
    /// More hang on the rows than one unit takes.
    overflow: bool,
    /// Whose rights count for the rows that follow; nobody's when the platform itself writes.
    rights: Option<rights::Rights>,
    /// Which attachments the organisation takes.
    limits: Limits,
    /// A caller writes, who is told what is not taken.
    strict: bool,
    undo: Undo,
}

/// Applies every set; one that is refused leaves its neighbours alone. `caller` must be allowed to do to the rows that
/// follow what the sets do to theirs; what the sets say themselves was checked before.
pub(crate) async fn apply(
    tx: &mut Tx,
    schema: Arc<Schema>,
    writer: Writer,
    caller: Option<Arc<Caller>>,
    sets: Vec<ChangeSet>,
) -> Result<Vec<Result<Vec<Outcome>, Failure>>, Error> {
    begin(tx).await?;
    let wanted = gather::gather(&schema, writer.acting, &sets);
    let mut lot = load::load(tx, schema, writer, wanted).await?;
    descend::load(tx, &mut lot, &sets).await?;
    lot.strict = caller.is_some();
    lot.limits = attachments::limits(tx, &lot.schema, &sets).await?;
    lot.rights = rights::load(tx, &lot, caller).await?;
    keys::load(tx, &mut lot, &sets).await?;
    let answers = sets.into_iter().map(|set| lot.apply(set)).collect();
    inherit::settle(tx, &mut lot).await?;
    lot.write(tx).await?;
    Ok(answers)
}

/// Locks the counter's row until the unit ends: writers of the CRM go one after the other, also on PostgreSQL, so what is
/// read after it stays true until it is written.
pub(crate) async fn begin(tx: &mut Tx) -> Result<(), Error> {
    tx.next_numbers(VERSION, 1).await.map(drop)
}

/// What a set creates: its rows may refer to each other in any order.
struct Scope {
    created: HashSet<Key>,
}

impl Lot {
    fn apply(&mut self, set: ChangeSet) -> Result<Vec<Outcome>, Failure> {
        self.undo = Undo { entries: Vec::new(), recount: self.recount.len() };
        let scope = self.scope(&set);
        let outcomes: Result<Vec<Outcome>, Failure> =
            set.changes.into_iter().map(|change| self.change(&scope, change)).collect();
        let outcomes = outcomes.and_then(|outcomes| Ok(self.claim_keys().map(|()| outcomes)?));
        if outcomes.is_err() {
            self.take_back();
        }
        outcomes
    }

    fn scope(&self, set: &ChangeSet) -> Scope {
        let key = |change: &Change| match change {
            Change::Create(record) | Change::CreateNew(record) | Change::Upsert(record) => {
                self.schema.find(&record.at.table).map(|table| (table, record.at.id))
            }
            Change::Update(_) | Change::UpdateIf(..) | Change::Delete(_) | Change::DeleteIf(..) => None,
        };
        Scope { created: set.changes.iter().filter_map(key).collect() }
    }

    fn change(&mut self, scope: &Scope, change: Change) -> Result<Outcome, Failure> {
        match change {
            Change::Create(record) => Ok(self.create(scope, record)?),
            Change::Update(record) => self.update(scope, record),
            Change::Upsert(record) => match self.exists(self.key(&record.at)?) {
                true => self.update(scope, record),
                false => Ok(self.create(scope, record)?),
            },
            Change::Delete(at) => self.delete(&at),
            Change::CreateNew(record) => match self.exists(self.key(&record.at)?) {
                true => Err(Refusal::Duplicate(record.at).into()),
                false => Ok(self.create(scope, record)?),
            },
            Change::UpdateIf(record, version) => {
                self.unmoved(&record.at, Some(version))?;
                self.update(scope, record)
            }
            Change::DeleteIf(at, version) => {
                self.unmoved(&at, version)?;
                self.delete(&at)
            }
        }
    }

    /// The row is there, and nobody changed it since `version`.
    fn unmoved(&self, at: &RecordRef, version: Option<i64>) -> Result<(), Refusal> {
        let key = self.key(at)?;
        let entry = self.rows.get(&key).filter(|entry| entry.phase != Phase::Gone);
        let Some(entry) = entry else { return Err(Refusal::NotFound(at.clone())) };
        let changed = entry.phase != Phase::Loaded;
        let now = entry.fields.int(self.schema.at(key.0), "versionnumber");
        match version {
            Some(version) if changed || now != Some(version) => Err(Refusal::Version(at.clone())),
            _ => Ok(()),
        }
    }

    fn key(&self, at: &RecordRef) -> Result<Key, Refusal> {
        match self.schema.find(&at.table) {
            Some(table) => Ok((table, at.id)),
            None => Err(self.schema.unknown_table(&at.table)),
        }
    }

    fn table(&self, key: Key) -> Arc<Table> {
        self.schema.at(key.0).clone()
    }

    fn exists(&self, key: Key) -> bool {
        match self.rows.get(&key) {
            Some(entry) => entry.phase != Phase::Gone,
            None => self.known.contains_key(&key),
        }
    }

    /// What is known of a row that another one names.
    fn facts(&self, at: &RecordRef) -> Option<Facts> {
        let key = (self.schema.find(&at.table)?, at.id);
        let Some(entry) = self.rows.get(&key) else { return self.known.get(&key).cloned() };
        let table = self.schema.at(key.0);
        Some(load::facts(table, &entry.fields))
    }

    /// The row to change; remembers how it was.
    fn touch(&mut self, key: Key) -> &mut Entry {
        self.undo.entries.push((key, self.rows.get(&key).cloned()));
        self.rows.get_mut(&key).expect("rows to be changed were loaded or made before")
    }

    fn put(&mut self, key: Key, entry: Entry) {
        self.note(key, &entry.fields);
        let old = self.rows.insert(key, entry);
        if old.is_none() {
            self.order.push(key);
        }
        self.undo.entries.push((key, old));
    }

    fn take_back(&mut self) {
        let undo = std::mem::take(&mut self.undo);
        for (key, old) in undo.entries.into_iter().rev() {
            match old {
                Some(entry) => self.rows.insert(key, entry),
                None => self.rows.remove(&key),
            };
        }
        self.recount.truncate(undo.recount);
    }

    /// Checks that a lookup may name what it names and that this exists; settles which activity a general one means.
    fn refer(
        &self,
        scope: &Scope,
        table: &Table,
        column: &Column,
        at: &RecordRef,
    ) -> Result<RecordRef, Refusal> {
        let missing = || Refusal::Reference {
            table: table.name.clone(),
            column: column.name.clone(),
            target: at.clone(),
        };
        let target = self.actual(scope, at).ok_or_else(missing)?;
        let Some(place) = self.schema.find(&target.table) else { return Err(missing()) };
        if !self.schema.allows(&column.targets, self.schema.at(place)) {
            return Err(Refusal::Target {
                table: table.name.clone(),
                column: column.name.clone(),
                target: target.table,
                known: self.taken(column),
            });
        }
        let key = (place, target.id);
        match self.exists(key) || scope.created.contains(&key) {
            true => Ok(target),
            false => Err(missing()),
        }
    }

    /// `activitypointer/ID` names a row of whichever activity table has it.
    fn actual(&self, scope: &Scope, at: &RecordRef) -> Option<RecordRef> {
        if at.table != "activitypointer" {
            return Some(at.clone());
        }
        let has = |place: usize| self.exists((place, at.id)) || scope.created.contains(&(place, at.id));
        let found = self.schema.activities().find(|(place, _)| has(*place));
        found.map(|(_, table)| RecordRef::new(table.name.clone(), at.id))
    }

    fn taken(&self, column: &Column) -> String {
        let allowed = self.schema.tables().filter(|table| self.schema.allows(&column.targets, table));
        allowed.map(|table| table.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}
