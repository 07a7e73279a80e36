//! Alternate keys: no two rows have the same values in the columns of one. A unique index says so in the end; asked
//! beforehand, only the set that would break it is refused, not its whole lot.
//!
//! One query for each key and lot finds the rows that hold a value which the lot speaks of; from there it is followed in
//! memory, set by set.

use std::collections::{BTreeSet, HashMap};

use postroom_core::{Change, ChangeSet, Filter, Query, Record, Value};
use postroom_store::sql::{Expr, ExprTrait, Query as Sql};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::load::CHUNK;
use super::{Key, Lot, Phase};
use crate::definitions::key_taken;
use crate::query::{self, Frame, Me, Window, all_visible};
use crate::row::{self, Fields};
use crate::rules::{Refusal, coerce};
use crate::schema::{Table, shape};

/// Conditions over several columns in one select: SQLite bounds the depth of an expression.
const CONDITIONS: usize = 100;

/// For each column of a key the values that one row may come to have.
type Wanted = Vec<Vec<Value>>;

/// Values of one key of one table, in comparable form.
type Claim = (usize, usize, Vec<String>);

/// Who holds which values.
#[derive(Default)]
pub(super) struct Keys {
    held: HashMap<Claim, Uuid>,
    /// Stored rows whose values went to others: they let go of them first.
    vacated: BTreeSet<Key>,
}

/// Finds the rows that hold values which the lot speaks of.
pub(super) async fn load(tx: &mut Tx, lot: &mut Lot, sets: &[ChangeSet]) -> Result<(), Error> {
    for ((place, number), wanted) in spoken_of(lot, sets) {
        let table = lot.table((place, Uuid::nil()));
        let key = &table.keys[number];
        let columns: Vec<&str> = key.columns.iter().map(String::as_str).collect();
        let size = if columns.len() == 1 { CHUNK } else { CONDITIONS };
        for wanted in wanted.chunks(size) {
            let query = Query::of(&table.name).select(&columns).filter(any_of(&columns, wanted));
            let frame = Frame {
                schema: &lot.schema,
                dialect: tx.dialect(),
                now: lot.writer.now,
                me: Me::default(),
                visible: &all_visible,
            };
            let plan = query::plan(&frame, &query, &Window::default())
                .expect("a key's columns are the table's, and the values were settled for them");
            let rows = tx.query(&plan.select).await?;
            for record in plan.records(&lot.schema, rows)? {
                let values: Option<Vec<String>> =
                    columns.iter().map(|column| record.get(column).and_then(comparable)).collect();
                if let Some(values) = values {
                    lot.keys.held.insert((place, number, values), record.at.id);
                }
            }
        }
    }
    Ok(())
}

/// Rows that have one of the values of each column.
fn any_of(columns: &[&str], wanted: &[Wanted]) -> Filter {
    if let [column] = columns {
        let values = wanted.iter().flat_map(|values| &values[0]);
        return Filter::In((*column).to_owned(), values.cloned().collect());
    }
    let each = |values: &Wanted| {
        let one = columns.iter().zip(values);
        Filter::All(one.map(|(column, values)| Filter::In((*column).to_owned(), values.clone())).collect())
    };
    Filter::Any(wanted.iter().map(each).collect())
}

/// For each table and key: what its columns may come to have, row by row.
fn spoken_of(lot: &Lot, sets: &[ChangeSet]) -> HashMap<(usize, usize), Vec<Wanted>> {
    let mut rows: HashMap<Key, HashMap<usize, Vec<Value>>> = HashMap::new();
    for record in sets.iter().flat_map(|set| &set.changes).filter_map(written) {
        let Some(place) = lot.schema.find(&record.at.table) else { continue };
        let table = lot.schema.at(place);
        if table.keys.is_empty() {
            continue;
        }
        let row = rows.entry((place, record.at.id)).or_default();
        for at in table.keys.iter().flat_map(|key| &key.columns).filter_map(|column| table.place(column)) {
            let column = &table.columns[at];
            let stored = lot.rows.get(&(place, record.at.id)).and_then(|entry| entry.fields.get(at)).cloned();
            let given = record.get(&column.name).and_then(|value| coerce(table, column, value.clone()).ok());
            let values = row.entry(at).or_default();
            for value in stored.into_iter().chain(given) {
                if value != Value::Null && !values.contains(&value) {
                    values.push(value);
                }
            }
        }
    }
    let mut wanted: HashMap<(usize, usize), Vec<Wanted>> = HashMap::new();
    for ((place, _), values) in rows {
        let table = lot.schema.at(place);
        for (number, key) in table.keys.iter().enumerate() {
            let of =
                |column: &String| values.get(&table.place(column)?).filter(|all| !all.is_empty()).cloned();
            // A row that lacks a value is free.
            let Some(all) = key.columns.iter().map(of).collect() else { continue };
            wanted.entry((place, number)).or_default().push(all);
        }
    }
    wanted
}

fn written(change: &Change) -> Option<&Record> {
    match change {
        Change::Create(record)
        | Change::CreateNew(record)
        | Change::Update(record)
        | Change::UpdateIf(record, _)
        | Change::Upsert(record) => Some(record),
        Change::Delete(_) | Change::DeleteIf(..) => None,
    }
}

/// As the platform compares: text without case, numbers by what they are.
fn comparable(value: &Value) -> Option<String> {
    Some(match value {
        Value::Null | Value::Content(_) => return None,
        Value::Text(text) => text.to_lowercase(),
        Value::Decimal(text) => match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text.clone(),
        },
        Value::Bool(value) => value.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Guid(id) => id.to_string(),
        Value::Time(time) => time.to_string(),
        Value::Lookup(at) => at.id.to_string(),
    })
}

fn claim(table: &Table, place: usize, number: usize, fields: &Fields) -> Option<Claim> {
    let value = |column: &String| fields.named(table, column).and_then(comparable);
    let values: Option<Vec<String>> = table.keys[number].columns.iter().map(value).collect();
    Some((place, number, values?))
}

impl Lot {
    /// After the changes of a set: no row of it has what another one holds.
    pub(super) fn claim_keys(&mut self) -> Result<(), Refusal> {
        let touched: BTreeSet<Key> = self.undo.entries.iter().map(|(key, _)| *key).collect();
        let mut claims: HashMap<Claim, Uuid> = HashMap::new();
        let mut vacated = Vec::new();
        for key in touched {
            let Some(entry) = self.rows.get(&key) else { continue };
            let table = self.schema.at(key.0);
            if !matches!(entry.phase, Phase::Fresh | Phase::Changed) {
                continue;
            }
            for number in 0..table.keys.len() {
                let Some(claim) = claim(table, key.0, number, &entry.fields) else { continue };
                let taken = || key_taken(table, &table.keys[number]);
                if let Some(owner) = self.keys.held.get(&claim).filter(|owner| **owner != key.1) {
                    if self.holds(*owner, &claim) {
                        return Err(taken());
                    }
                    vacated.push((key.0, *owner));
                }
                if claims.insert(claim, key.1).is_some() {
                    return Err(taken());
                }
            }
        }
        self.keys.held.extend(claims);
        self.keys.vacated.extend(vacated);
        Ok(())
    }

    fn holds(&self, owner: Uuid, wanted: &Claim) -> bool {
        let (place, number, _) = wanted;
        match self.rows.get(&(*place, owner)) {
            None => true,
            Some(entry) if entry.phase == Phase::Gone => false,
            Some(entry) => {
                claim(self.schema.at(*place), *place, *number, &entry.fields).as_ref() == Some(wanted)
            }
        }
    }

    /// Stored rows let go of values that others get in this lot: the index looks at every statement.
    pub(super) async fn vacate_keys(&self, tx: &mut Tx) -> Result<(), Error> {
        for key in &self.keys.vacated {
            let Some(entry) = self.rows.get(key).filter(|entry| entry.phase == Phase::Changed) else {
                continue;
            };
            let table = self.schema.at(key.0);
            let mut update = Sql::update();
            update.table(table.storage()).and_where(Expr::col(table.primary_key.clone()).eq(key.1));
            let in_key = |place: &&usize| {
                let name = &table.columns[**place].name;
                table.keys.iter().any(|key| key.columns.contains(name))
            };
            let places: BTreeSet<usize> = entry.dirty.iter().filter(in_key).copied().collect();
            for column in places.iter().map(|place| &table.columns[*place]) {
                for (cell, value) in shape::cells(column).into_iter().zip(row::cells(column, None)) {
                    update.value(cell, Expr::value(value));
                }
            }
            if !places.is_empty() {
                tx.execute(&update).await?;
            }
        }
        Ok(())
    }
}
