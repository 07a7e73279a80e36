//! Records whose flags are about to be taken back, as the CRM has them now: a no that somebody said since people were read is
//! heard first, and is never overwritten unseen.

use std::collections::HashMap;

use futures_util::FutureExt;
use postroom_core::{Filter, Query, Record, RecordRef, Value};
use postroom_store::sql::{Expr, ExprTrait, Query as Sql};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use crate::people::{Flags, TABLES};
use crate::sync::{Halt, Turn};

/// Records of one question.
const ASKED: usize = 256;

/// What is known of each.
#[derive(Debug, Default)]
pub(super) struct LetBack(HashMap<RecordRef, Standing>);

#[derive(Debug)]
struct Standing {
    version: Option<i64>,
    /// It says no since it was read last.
    unheard: bool,
}

impl LetBack {
    /// The first of these that says no since it was read last.
    pub fn unheard<'r>(&self, records: &'r [RecordRef]) -> Option<&'r RecordRef> {
        records.iter().find(|record| self.0.get(record).is_some_and(|standing| standing.unheard))
    }

    /// With which a write meets the record as it was looked at, where the CRM says so.
    pub fn version(&self, record: &RecordRef) -> Option<i64> {
        self.0.get(record)?.version
    }
}

/// Asks the CRM about records.
///
/// # Errors
/// The CRM's and the store's.
pub(super) async fn read(turn: &Turn, records: Vec<RecordRef>) -> Result<LetBack, Halt> {
    let columns = turn.account.settings.on_suppress.columns();
    if records.is_empty() || columns.is_empty() {
        return Ok(LetBack::default());
    }
    let mut asked = vec!["versionnumber"];
    asked.extend(columns);
    let mut there = Vec::with_capacity(records.len());
    for table in TABLES {
        let ids: Vec<Uuid> =
            records.iter().filter(|record| record.table == table).map(|record| record.id).collect();
        for some in ids.chunks(ASKED) {
            let these = some.iter().map(|id| Value::Guid(*id)).collect();
            let query = Query::of(table).select(&asked).filter(Filter::In(format!("{table}id"), these));
            there.extend(turn.engine.crm.query(&query).await?);
        }
    }
    let known = turn.read(move |tx| async move { flags(tx, &records).await }.boxed()).await?;
    let standing = |record: &Record| {
        let before = known.get(&record.at).copied().unwrap_or_default();
        let says = |column: &str| record.get(column).and_then(Value::as_bool) == Some(true);
        let unheard = columns.iter().any(|column| {
            let said = if *column == "donotemail" { before.do_not_email } else { before.do_not_bulk_email };
            says(column) && !said
        });
        Standing { version: record.int("versionnumber"), unheard }
    };
    Ok(LetBack(there.iter().map(|record| (record.at.clone(), standing(record))).collect()))
}

/// The flags of records as they were last read.
async fn flags(tx: &mut Tx, records: &[RecordRef]) -> Result<HashMap<RecordRef, Flags>, Error> {
    let mut found = HashMap::with_capacity(records.len());
    for some in records.chunks(ASKED) {
        let select = Sql::select()
            .columns(["record_table", "record", "flags"])
            .from("person")
            .and_where(Expr::col("record_table").is_in(TABLES))
            .and_where(Expr::col("record").is_in(some.iter().map(|record| record.id)))
            .to_owned();
        for row in tx.query(&select).await? {
            let at = RecordRef::new(row.at::<String>(0)?, row.at(1)?);
            found.insert(at, Flags::of_bits(row.at(2)?));
        }
    }
    Ok(found)
}
