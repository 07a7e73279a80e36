//! What a row inherits from those that it hangs on by a relationship whose `Reparent` says so (the platform's *Parental*):
//! the owner of the row above may do everything with it but make it, and with whom the row above is shared, that one has it,
//! too. It stands in `principalobjectaccess.inheritedaccessrightsmask`, beside what was shared of the row itself.
//!
//! It is worked out anew, from all rows above, when a row is made under another or gets another one above it; then for the
//! rows below, as far down as something changes. So moving a row away takes what came from where it was. Levels are read
//! with a few selects for 500 rows, and there may be any number of them.
//!
//! Not here: what a row loses when the row above is deleted and the link alone goes (`unlink`), and an owner of the row above
//! who changes (`assign` gives its rows to the new one).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use postroom_core::{RecordRef, Value};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::kin::Kin;
use super::load::{CHUNK, rows};
use super::{Entry, Key, Lot, Phase};
use crate::row::Fields;
use crate::schema::{Kind, Ownership, Schema, Table};

/// All rights but Create: what the owner of the row above has.
const EVERYTHING: i64 = 851_991;
/// Set in every mask that was inherited, as the platform does it.
const INHERITED: i64 = 0x0800_0000;
/// How often a row is worked out at most: rows may hang on each other in a circle.
const TURNS: u8 = 3;

/// What a user or team has of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    /// The id of the row that says so; `None` while there is none.
    id: Option<Uuid>,
    principal: RecordRef,
    own: i64,
    inherited: i64,
}

/// What is known of the rows around those that moved.
#[derive(Default)]
struct Known {
    fields: HashMap<Key, Fields>,
    shares: HashMap<Key, BTreeMap<Uuid, Held>>,
    /// Rows whose inherited rights changed.
    changed: BTreeSet<(Key, Uuid)>,
    turns: HashMap<Key, u8>,
}

/// Works out what the rows of the lot inherit that hang on another row since.
pub(super) async fn settle(tx: &mut Tx, lot: &mut Lot) -> Result<(), Error> {
    if !lot.order.iter().any(|key| lot.may_move(*key)) {
        return Ok(());
    }
    let (schema, kin) = (lot.schema.clone(), Kin::of(&lot.schema));
    let mut level: Vec<Key> = lot.order.iter().copied().filter(|key| lot.reparented(&kin, *key)).collect();
    let made_below = lot.below(&kin, &level);
    let mut known = Known::default();
    while !level.is_empty() {
        level.sort_unstable();
        level.dedup();
        known.read(tx, lot, &kin, &level).await?;
        let mut next = Vec::new();
        for key in level {
            let turns = known.turns.entry(key).or_default();
            *turns += 1;
            if *turns <= TURNS && known.work_out(&schema, &kin, key) {
                next.push(key);
            }
        }
        level = children(tx, &schema, &kin, &next).await?;
        level.extend(next.iter().filter_map(|key| made_below.get(key)).flatten());
    }
    lot.put_down(known);
    Ok(())
}

impl Lot {
    /// Whether a row changed a lookup that might be one of those: what nearly all rows are spared by.
    fn may_move(&self, key: Key) -> bool {
        let table = self.schema.at(key.0);
        table.ownership == Ownership::User
            && self.changed_places(key).any(|place| {
                let column = &table.columns[place];
                column.kind == Kind::Lookup && !column.read_only && column.name != "ownerid"
            })
    }

    /// The columns of a row that this lot writes.
    fn changed_places(&self, key: Key) -> impl Iterator<Item = usize> {
        let entry = self.rows.get(&key);
        let (fresh, dirty) = match entry.map(|entry| entry.phase) {
            Some(Phase::Fresh) => (entry, None),
            Some(Phase::Changed) => (None, entry),
            _ => (None, None),
        };
        fresh
            .into_iter()
            .flat_map(|entry| entry.fields.places())
            .chain(dirty.into_iter().flat_map(|entry| entry.dirty.iter().copied()))
    }

    fn reparented(&self, kin: &Kin, key: Key) -> bool {
        let parental = kin.inherits_by(key.0);
        !parental.is_empty()
            && self.changed_places(key).any(|place| parental.iter().any(|(_, tie)| tie.column == place))
    }

    /// The rows of this lot that hang on others of it.
    fn below(&self, kin: &Kin, moved: &[Key]) -> HashMap<Key, Vec<Key>> {
        let mut below: HashMap<Key, Vec<Key>> = HashMap::new();
        for key in moved {
            for parent in above(&self.schema, kin, *key, &self.rows[key].fields) {
                below.entry(parent.0).or_default().push(*key);
            }
        }
        below
    }

    /// Rows of `principalobjectaccess` as they shall be.
    fn put_down(&mut self, known: Known) {
        let Some(place) = self.schema.find("principalobjectaccess") else { return };
        let table = self.table((place, Uuid::nil()));
        for (of, principal) in known.changed {
            let held = &known.shares[&of][&principal];
            // One row for a pair, whoever makes it and however often.
            let id = held.id.unwrap_or_else(|| Uuid::new_v5(&of.1, principal.as_bytes()));
            let (key, nothing) = ((place, id), held.own == 0 && held.inherited == 0);
            if nothing && held.id.is_none() {
                continue;
            }
            let mut fields = Fields::default();
            let mut set = |name: &str, value: Value| {
                if let Some(place) = table.place(name) {
                    fields.set(place, value);
                }
            };
            set("objectid", Value::Guid(of.1));
            set("objecttypecode", Value::text(self.schema.at(of.0).name.as_str()));
            set("principalid", Value::Guid(principal));
            set("principaltypecode", Value::text(held.principal.table.as_str()));
            set("accessrightsmask", Value::Int(held.own));
            set("inheritedaccessrightsmask", Value::Int(held.inherited));
            let known = self.rows.get(&key).map(|entry| (entry.stored, entry.phase));
            let stored = known.map_or(held.id.is_some(), |(stored, _)| stored);
            let phase = match known {
                _ if nothing => Phase::Gone,
                Some((_, Phase::Fresh | Phase::Gone)) => Phase::Fresh,
                _ if stored => Phase::Changed,
                _ => Phase::Fresh,
            };
            let dirty = fields.places().collect();
            self.put(key, Entry { stored, phase, fields, dirty });
        }
    }
}

/// The rows above one that it may inherit from, with the tie.
fn above<'k>(
    schema: &'k Schema,
    kin: &'k Kin,
    key: Key,
    fields: &'k Fields,
) -> impl Iterator<Item = (Key, &'k super::Tie)> {
    kin.inherits_by(key.0).iter().filter_map(move |(parent, tie)| {
        let at = fields.get(tie.column).and_then(Value::as_lookup)?;
        (schema.at(*parent).name == at.table).then_some(((*parent, at.id), tie))
    })
}

impl Known {
    /// Reads the rows, those above them, and what is shared of both.
    async fn read(&mut self, tx: &mut Tx, lot: &Lot, kin: &Kin, level: &[Key]) -> Result<(), Error> {
        self.read_rows(tx, lot, kin, level).await?;
        let parents: BTreeSet<Key> = level
            .iter()
            .flat_map(|key| above(&lot.schema, kin, *key, &self.fields[key]))
            .map(|(parent, _)| parent)
            .collect();
        let parents: Vec<Key> = parents.into_iter().collect();
        self.read_rows(tx, lot, kin, &parents).await?;
        let all: Vec<Key> = level.iter().chain(&parents).copied().collect();
        self.read_shares(tx, lot, &all).await
    }

    /// As the lot leaves them.
    async fn read_rows(&mut self, tx: &mut Tx, lot: &Lot, kin: &Kin, keys: &[Key]) -> Result<(), Error> {
        let mut wanted: BTreeMap<usize, Vec<Uuid>> = BTreeMap::new();
        for key in keys {
            if self.fields.contains_key(key) {
                continue;
            }
            let entry = lot.rows.get(key);
            self.fields.insert(*key, entry.map(|entry| entry.fields.clone()).unwrap_or_default());
            if entry.is_none_or(|entry| entry.phase != Phase::Fresh) {
                wanted.entry(key.0).or_default().push(key.1);
            }
        }
        for (place, ids) in wanted {
            let table = lot.schema.at(place);
            let columns = columns(table, kin, place);
            for (id, fields) in rows(tx, table, &ids, &columns).await? {
                let have = self.fields.entry((place, id)).or_default();
                let given: BTreeSet<usize> = match lot.rows.get(&(place, id)) {
                    Some(entry) => entry.dirty.iter().copied().collect(),
                    None => BTreeSet::new(),
                };
                for (column, value) in fields.iter().filter(|(column, _)| !given.contains(column)) {
                    have.set(column, value.clone());
                }
            }
        }
        Ok(())
    }

    async fn read_shares(&mut self, tx: &mut Tx, lot: &Lot, keys: &[Key]) -> Result<(), Error> {
        let new: Vec<Key> = keys.iter().filter(|key| !self.shares.contains_key(key)).copied().collect();
        let mut places: HashMap<(&str, Uuid), Key> = HashMap::new();
        for key in &new {
            self.shares.entry(*key).or_default();
            places.insert((lot.schema.at(key.0).name.as_str(), key.1), *key);
        }
        let ids: BTreeSet<Uuid> = new.iter().map(|key| key.1).collect();
        for ids in ids.into_iter().collect::<Vec<_>>().chunks(CHUNK) {
            let select = Query::select()
                .columns([
                    "objecttypecode",
                    "objectid",
                    "principalobjectaccessid",
                    "principaltypecode",
                    "principalid",
                ])
                .columns(["accessrightsmask", "inheritedaccessrightsmask"])
                .from("crm_principalobjectaccess")
                .and_where(Expr::col("objectid").is_in(ids.iter().copied()))
                .to_owned();
            for row in tx.query(&select).await? {
                let text = |at| row.at::<Option<String>>(at).map(Option::unwrap_or_default);
                let mask = |at| row.at::<Option<i64>>(at).map(Option::unwrap_or_default);
                let table = text(0)?;
                let Some(key) = places.get(&(table.as_str(), row.at(1)?)) else { continue };
                let held = Held {
                    id: Some(row.at(2)?),
                    principal: RecordRef::new(text(3)?, row.at(4)?),
                    own: mask(5)?,
                    inherited: mask(6)?,
                };
                self.shares.entry(*key).or_default().insert(held.principal.id, held);
            }
        }
        self.lay_over(lot, &places);
        Ok(())
    }

    /// What this lot itself says of who shares what.
    fn lay_over(&mut self, lot: &Lot, places: &HashMap<(&str, Uuid), Key>) {
        let Some(place) = lot.schema.find("principalobjectaccess") else { return };
        let table = lot.schema.at(place);
        for (at, entry) in lot.rows.iter().filter(|(at, entry)| at.0 == place && entry.phase != Phase::Loaded)
        {
            let guid = |column: &str| match entry.fields.named(table, column) {
                Some(Value::Guid(id)) => *id,
                _ => Uuid::nil(),
            };
            let text = |column: &str| entry.fields.text(table, column).unwrap_or_default();
            let of = places.get(&(text("objecttypecode"), guid("objectid")));
            let Some(shares) = of.and_then(|of| self.shares.get_mut(of)) else {
                self.shares.values_mut().for_each(|shares| {
                    shares.retain(|_, held| entry.phase != Phase::Gone || held.id != Some(at.1))
                });
                continue;
            };
            let mask = |column: &str| entry.fields.int(table, column).unwrap_or(0);
            let principal = RecordRef::new(text("principaltypecode"), guid("principalid"));
            let held = Held {
                id: Some(at.1),
                principal,
                own: mask("accessrightsmask"),
                inherited: mask("inheritedaccessrightsmask"),
            };
            match entry.phase {
                Phase::Gone => drop(shares.remove(&held.principal.id)),
                _ => drop(shares.insert(held.principal.id, held)),
            }
        }
    }

    /// Works out what one row inherits; whether that is something else than before.
    fn work_out(&mut self, schema: &Schema, kin: &Kin, key: Key) -> bool {
        let table = schema.at(key.0);
        let fields = &self.fields[&key];
        let owner = fields.lookup(table, "ownerid").map(|owner| owner.id);
        let mut wanted: BTreeMap<Uuid, (RecordRef, i64)> = BTreeMap::new();
        for (parent, tie) in above(schema, kin, key, fields) {
            let of_parent = self.fields[&parent].named(schema.at(parent.0), "ownerid");
            if !tie.takes(tie.cascade.reparent, table, fields, of_parent.unwrap_or(&Value::Null)) {
                continue;
            }
            let of_parent = of_parent.and_then(Value::as_lookup);
            let all = of_parent.map(|owner| (owner.clone(), EVERYTHING));
            let shared =
                self.shares[&parent].values().map(|held| (held.principal.clone(), held.own | held.inherited));
            for (principal, mask) in all.into_iter().chain(shared) {
                // Who owns the row needs nobody's leave.
                if Some(principal.id) != owner && mask & !INHERITED != 0 {
                    wanted.entry(principal.id).or_insert((principal, INHERITED)).1 |= mask;
                }
            }
        }
        let shares = self.shares.entry(key).or_default();
        for (id, (principal, _)) in &wanted {
            let new = || Held { id: None, principal: principal.clone(), own: 0, inherited: 0 };
            shares.entry(*id).or_insert_with(new);
        }
        let mut changed = false;
        for (id, held) in shares.iter_mut() {
            let mask = wanted.get(id).map_or(0, |(_, mask)| *mask);
            if held.inherited != mask {
                held.inherited = mask;
                self.changed.insert((key, *id));
                changed = true;
            }
        }
        changed
    }
}

/// Who owns a row, whether it is active, and what it hangs on.
fn columns(table: &Table, kin: &Kin, place: usize) -> Vec<usize> {
    let named = ["ownerid", "statecode"].into_iter().filter_map(|name| table.place(name));
    let ties = kin.inherits_by(place).iter().map(|(_, tie)| tie.column);
    let columns: BTreeSet<usize> = named.chain(ties).collect();
    columns.into_iter().collect()
}

/// The rows of the database that may inherit from these.
async fn children(tx: &mut Tx, schema: &Schema, kin: &Kin, parents: &[Key]) -> Result<Vec<Key>, Error> {
    let mut by_table: BTreeMap<usize, Vec<Uuid>> = BTreeMap::new();
    parents.iter().for_each(|(place, id)| by_table.entry(*place).or_default().push(*id));
    let mut found = Vec::new();
    for (parent, ids) in by_table {
        for tie in kin.ties(parent).iter().filter(|tie| kin.inherits(tie)) {
            let table = schema.at(tie.child);
            let column = &table.columns[tie.column];
            for ids in ids.chunks(CHUNK) {
                let named = super::unlink::names_one(column, &schema.at(parent).name, ids);
                let select = Query::select()
                    .column(table.primary_key.clone())
                    .from(table.storage())
                    .and_where(named)
                    .to_owned();
                for row in tx.query(&select).await? {
                    found.push((tie.child, row.at(0)?));
                }
            }
        }
    }
    Ok(found)
}
