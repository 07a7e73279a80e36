//! Puts a lot down: deletes first, then new rows (one statement a table), then changed ones, then counts.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use postroom_core::Value;
use postroom_store::sql::{Expr, ExprTrait, Func, Query, SelectStatement, UpdateStatement};
use postroom_store::{Dialect, Error, Insert, Tx};
use uuid::Uuid;

use super::load::CHUNK;
use super::{Key, Lot, Phase, VERSION};
use crate::access;
use crate::changes;
use crate::row;
use crate::schema::{Table, shape};

impl Lot {
    pub(super) async fn write(mut self, tx: &mut Tx) -> Result<(), Error> {
        let keys = self.touched();
        self.number(tx, &keys).await?;
        self.note_rights(tx, &keys).await?;
        self.delete_rows(tx, &keys).await?;
        self.vacate_keys(tx).await?;
        self.insert_rows(tx, &keys).await?;
        self.update_rows(tx, &keys).await?;
        self.count_attachments(tx).await
    }

    /// Every row once, in the order of the sets.
    fn touched(&self) -> Vec<Key> {
        let mut seen = HashSet::new();
        self.order.iter().filter(|key| self.rows.contains_key(key) && seen.insert(**key)).copied().collect()
    }

    /// `versionnumber` rises with every row that changes.
    async fn number(&mut self, tx: &mut Tx, keys: &[Key]) -> Result<(), Error> {
        let written = |key: &&Key| matches!(self.rows[key].phase, Phase::Fresh | Phase::Changed);
        let written: Vec<Key> = keys.iter().filter(written).copied().collect();
        if written.is_empty() {
            return Ok(());
        }
        let first = tx.next_numbers(VERSION, written.len() as u64).await?;
        for (number, key) in (first..).zip(written) {
            let Some(place) = self.schema.at(key.0).place("versionnumber") else { continue };
            let entry = self.rows.get_mut(&key).expect("listed from these rows");
            entry.fields.set(place, Value::Int(number));
            entry.dirty.push(place);
        }
        Ok(())
    }

    /// Whoever keeps what somebody may do reads it again.
    async fn note_rights(&self, tx: &mut Tx, keys: &[Key]) -> Result<(), Error> {
        let decides = |key: &Key| {
            self.rows[key].phase != Phase::Loaded
                && access::tables::DECIDING.contains(&self.schema.at(key.0).name.as_str())
        };
        if keys.iter().any(decides) || self.shares_anew(tx, keys).await? {
            tx.next_numbers(access::VERSION, 1).await?;
        }
        Ok(())
    }

    /// Whether somebody gets rights over rows of a table in a way that he has over none of them yet. What he has over others
    /// already, a kept caller looks for in the rows.
    async fn shares_anew(&self, tx: &mut Tx, keys: &[Key]) -> Result<bool, Error> {
        let Some(place) = self.schema.find("principalobjectaccess") else { return Ok(false) };
        let table = self.schema.at(place);
        let written =
            |key: &&Key| key.0 == place && matches!(self.rows[key].phase, Phase::Fresh | Phase::Changed);
        let mut seen = HashSet::new();
        for key in keys.iter().filter(written) {
            let fields = &self.rows[key].fields;
            let mask = |column: &str| fields.int(table, column).unwrap_or(0);
            let (Some(Value::Guid(holder)), Some(kind)) =
                (fields.named(table, "principalid"), fields.text(table, "objecttypecode"))
            else {
                return Ok(true);
            };
            for mask in [mask("accessrightsmask"), mask("inheritedaccessrightsmask")] {
                if mask != 0 && seen.insert((*holder, kind, mask)) && !holds(tx, *holder, kind, mask).await? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Rows that went, those that went and came again, and what hung on both.
    async fn delete_rows(&self, tx: &mut Tx, keys: &[Key]) -> Result<(), Error> {
        let kin = self.kin.clone();
        let mut gone: BTreeMap<usize, Vec<Uuid>> = BTreeMap::new();
        for key in keys {
            let entry = &self.rows[key];
            if entry.stored && matches!(entry.phase, Phase::Gone | Phase::Fresh) {
                gone.entry(key.0).or_default().push(key.1);
            }
        }
        for (place, ids) in gone {
            let table = self.schema.at(place);
            for ids in ids.chunks(CHUNK) {
                changes::remember(tx, table, ids, self.writer.now).await?;
                delete_where(tx, table, &table.primary_key, ids).await?;
                if let Some(kin) = &kin {
                    self.unlink(tx, kin, place, ids).await?;
                }
            }
        }
        Ok(())
    }

    async fn insert_rows(&self, tx: &mut Tx, keys: &[Key]) -> Result<(), Error> {
        let mut fresh: BTreeMap<usize, Vec<Key>> = BTreeMap::new();
        for key in keys.iter().filter(|key| self.rows[key].phase == Phase::Fresh) {
            fresh.entry(key.0).or_default().push(*key);
        }
        for (place, keys) in fresh {
            tx.insert(&self.insert(self.schema.at(place), &keys)).await?;
        }
        Ok(())
    }

    /// All rows with the columns that any of them has, so that one statement serves.
    fn insert(&self, table: &Table, keys: &[Key]) -> Insert {
        let places: BTreeSet<usize> = keys.iter().flat_map(|key| self.rows[key].fields.places()).collect();
        let mut names = vec![table.primary_key.clone()];
        names.extend(places.iter().flat_map(|place| shape::cells(&table.columns[*place])));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut insert = Insert::into(&table.storage(), &names);
        // The server's own party rows are not looked for before they are made again. Everything else was: a row that is
        // there after all ends the unit instead of vanishing.
        if table.name == "activityparty" {
            insert = insert.or_skip();
        }
        for key in keys {
            let fields = &self.rows[key].fields;
            let cells =
                places.iter().flat_map(|place| row::cells(&table.columns[*place], fields.get(*place)));
            insert.row(std::iter::once(key.1.into()).chain(cells));
        }
        insert
    }

    /// Rows of a table in which the same columns changed.
    async fn update_rows(&self, tx: &mut Tx, keys: &[Key]) -> Result<(), Error> {
        let mut alike: BTreeMap<(usize, BTreeSet<usize>), Vec<Key>> = BTreeMap::new();
        for key in keys.iter().filter(|key| self.rows[key].phase == Phase::Changed) {
            let dirty = self.rows[key].dirty.iter().copied().collect();
            alike.entry((key.0, dirty)).or_default().push(*key);
        }
        for ((place, dirty), keys) in alike {
            let table = self.schema.at(place);
            match (tx.dialect(), keys.as_slice()) {
                // One way to the server for all: every writer of the CRM waits meanwhile. They are there, and locked.
                (Dialect::Postgres, [_, _, ..]) => {
                    tx.insert(&self.rewritten(table, &dirty, &keys)).await?;
                }
                _ => {
                    for key in keys {
                        tx.execute(&self.update_of(table, &dirty, key)).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The new values of these rows, written over the old ones.
    fn rewritten(&self, table: &Table, dirty: &BTreeSet<usize>, keys: &[Key]) -> Insert {
        let cells = dirty.iter().flat_map(|place| shape::cells(&table.columns[*place]));
        let names: Vec<String> = std::iter::once(table.primary_key.clone()).chain(cells).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut insert = Insert::into(&table.storage(), &names).or_replace(&table.primary_key);
        for key in keys {
            let fields = &self.rows[key].fields;
            let cells = dirty.iter().flat_map(|place| row::cells(&table.columns[*place], fields.get(*place)));
            insert.row(std::iter::once(key.1.into()).chain(cells));
        }
        insert
    }

    fn update_of(&self, table: &Table, dirty: &BTreeSet<usize>, key: Key) -> UpdateStatement {
        let mut update = Query::update();
        update.table(table.storage()).and_where(Expr::col(table.primary_key.clone()).eq(key.1));
        for place in dirty {
            let (column, value) = (&table.columns[*place], self.rows[&key].fields.get(*place));
            for (cell, value) in shape::cells(column).into_iter().zip(row::cells(column, value)) {
                update.value(cell, Expr::value(value));
            }
        }
        update
    }

    /// Mails that were there before the lot: their attachments are counted where they are.
    async fn count_attachments(&self, tx: &mut Tx) -> Result<(), Error> {
        let mails: BTreeSet<Key> = self.recount.iter().copied().collect();
        for key in mails {
            let table = self.schema.at(key.0);
            let mut update = Query::update();
            update
                .table(table.storage())
                .value("attachmentcount", Expr::SubQuery(None, Box::new(attachments_of(key.1).into())))
                .and_where(Expr::col(table.primary_key.clone()).eq(key.1));
            tx.execute(&update).await?;
        }
        Ok(())
    }
}

/// Whether a user or team has these rights over any row of the table.
async fn holds(tx: &mut Tx, holder: Uuid, kind: &str, mask: i64) -> Result<bool, Error> {
    let either = Expr::col("accessrightsmask").eq(mask).or(Expr::col("inheritedaccessrightsmask").eq(mask));
    let select = Query::select()
        .expr(Expr::val(1))
        .from("crm_principalobjectaccess")
        .and_where(Expr::col("principalid").eq(holder))
        .and_where(Expr::col("objecttypecode").eq(kind))
        .and_where(either)
        .limit(1)
        .to_owned();
    Ok(tx.query_one(&select).await?.is_some())
}

fn attachments_of(mail: Uuid) -> SelectStatement {
    let mut select = Query::select();
    select
        .expr(Func::count(Expr::col("activitymimeattachmentid")))
        .from("crm_activitymimeattachment")
        .and_where(Expr::col("objectid").eq(mail));
    select
}

async fn delete_where(tx: &mut Tx, table: &Table, column: &str, ids: &[Uuid]) -> Result<(), Error> {
    let by_ids = Expr::col(column.to_owned()).is_in(ids.iter().copied());
    let delete = Query::delete().from_table(table.storage()).and_where(by_ids).to_owned();
    tx.execute(&delete).await.map(drop)
}
