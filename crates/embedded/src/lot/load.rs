//! Reads what a lot speaks of: one select a table and 500 ids.

use std::collections::HashMap;
use std::sync::Arc;

use postroom_core::Value;
use postroom_store::sql::{Expr, ExprTrait, Query, SelectStatement};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::gather::Wanted;
use super::keys::Keys;
use super::{Entry, Lot, Phase, Undo, Writer};
use crate::row::{self, Fields};
use crate::rules::attachments::Limits;
use crate::rules::defaults::{Facts, main_address};
use crate::schema::{Schema, Table};

/// Ids in one IN list.
pub(crate) const CHUNK: usize = 500;

pub(super) async fn load(
    tx: &mut Tx,
    schema: Arc<Schema>,
    writer: Writer,
    wanted: Wanted,
) -> Result<Lot, Error> {
    let mut lot = Lot {
        schema: schema.clone(),
        writer,
        known: HashMap::new(),
        rows: HashMap::new(),
        order: Vec::new(),
        recount: Vec::new(),
        keys: Keys::default(),
        kin: None,
        names: HashMap::new(),
        followers: Vec::new(),
        overflow: false,
        rights: None,
        limits: Limits::default(),
        strict: false,
        undo: Undo::default(),
    };
    for (place, (ids, columns)) in wanted.rows {
        let columns: Vec<usize> = columns.into_iter().collect();
        for (id, fields) in rows(tx, schema.at(place), &ids.into_iter().collect::<Vec<_>>(), &columns).await?
        {
            let entry = Entry { stored: true, phase: Phase::Loaded, fields, dirty: Vec::new() };
            lot.rows.insert((place, id), entry);
            lot.order.push((place, id));
        }
    }
    for (place, ids) in wanted.known {
        let missing: Vec<Uuid> = ids.into_iter().filter(|id| !lot.rows.contains_key(&(place, *id))).collect();
        let table = schema.at(place);
        let columns: Vec<usize> = fact_columns(table).collect();
        for (id, fields) in rows(tx, table, &missing, &columns).await? {
            lot.known.insert((place, id), facts(table, &fields));
        }
    }
    Ok(lot)
}

/// The rows of `table` with these ids, with these columns. Ids that name nothing are left out.
pub(crate) async fn rows(
    tx: &mut Tx,
    table: &Table,
    ids: &[Uuid],
    columns: &[usize],
) -> Result<Vec<(Uuid, Fields)>, Error> {
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(CHUNK) {
        for row in tx.query(&select(table, ids, columns)).await? {
            let mut fields = Fields::default();
            for (place, value) in columns.iter().zip(row::read(&row, 1, table, columns)?) {
                if value != Value::Null {
                    fields.set(*place, value);
                }
            }
            found.push((row.at(0)?, fields));
        }
    }
    Ok(found)
}

fn select(table: &Table, ids: &[Uuid], columns: &[usize]) -> SelectStatement {
    let mut select = Query::select();
    select.column(table.primary_key.clone());
    row::select(&mut select, table, columns);
    select.from(table.storage()).and_where(Expr::col(table.primary_key.clone()).is_in(ids.iter().copied()));
    select
}

fn fact_columns(table: &Table) -> impl Iterator<Item = usize> {
    let names =
        [Some("statecode"), Some("businessunitid"), main_address(&table.name), table.primary_name.as_deref()];
    names.into_iter().flatten().filter_map(|name| table.place(name))
}

pub(super) fn facts(table: &Table, fields: &Fields) -> Facts {
    let text = |column: &str| fields.text(table, column).map(str::to_owned);
    Facts {
        state: fields.int(table, "statecode"),
        unit: fields.lookup(table, "businessunitid").map(|unit| unit.id),
        address: main_address(&table.name).and_then(text),
        name: table.primary_name.as_deref().and_then(text),
    }
}
