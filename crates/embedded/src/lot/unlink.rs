//! What a deletion does to rows that stay in the database and are not loaded: parts go, lookups that named the row let go
//! of it, and parties of activities are marked. Each is one statement for 500 rows.

use postroom_core::Value;
use postroom_store::sql::{Expr, ExprTrait, Query, UpdateStatement};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::kin::{Kin, Tie, is_party};
use super::{Lot, VERSION};
use crate::changes;
use crate::row;
use crate::schema::{Column, Kind, Table, Targets, shape};

impl Lot {
    /// Rows of one table that go: at most [`super::load::CHUNK`].
    pub(super) async fn unlink(
        &self,
        tx: &mut Tx,
        kin: &Kin,
        parent: usize,
        ids: &[Uuid],
    ) -> Result<(), Error> {
        let name = self.schema.at(parent).name.clone();
        for (part, column) in kin.parts(parent) {
            let (part, column) = (self.schema.at(*part), *column);
            self.delete_parts(tx, part, &part.columns[column], &name, ids).await?;
        }
        // Rows that change alike in one unit may have one version: they are told apart by their ids.
        let version = tx.next_numbers(VERSION, 1).await?;
        for tie in kin.ties(parent) {
            let table = self.schema.at(tie.child);
            let column = &table.columns[tie.column];
            let Some(mut update) = self.changed(table, tie, column) else { continue };
            update.table(table.storage()).and_where(names_one(column, &name, ids));
            if table.column("versionnumber").is_some() {
                update.value("versionnumber", version);
            }
            tx.execute(&update).await?;
        }
        Ok(())
    }

    /// What a row loses with the row that it named.
    fn changed(&self, table: &Table, tie: &Tie, column: &Column) -> Option<UpdateStatement> {
        let mut update = Query::update();
        if is_party(&self.schema, tie) {
            update.value("ispartydeleted", true);
            return Some(update);
        }
        if !tie.lets_go() {
            return None;
        }
        let mut put = |column: &Column, value: Option<&Value>| {
            for (cell, value) in shape::cells(column).into_iter().zip(row::cells(column, value)) {
                update.value(cell, Expr::value(value));
            }
        };
        put(column, None);
        let audit = [
            ("modifiedon", Value::Time(self.writer.now)),
            ("modifiedby", Value::lookup("systemuser", self.writer.acting)),
        ];
        for (name, value) in &audit {
            if let Some(column) = table.column(name) {
                put(column, Some(value));
            }
        }
        Some(update)
    }

    async fn delete_parts(
        &self,
        tx: &mut Tx,
        part: &Table,
        column: &Column,
        parent: &str,
        ids: &[Uuid],
    ) -> Result<(), Error> {
        let named = || names_one(column, parent, ids);
        let select = Query::select()
            .column(part.primary_key.clone())
            .from(part.storage())
            .and_where(named())
            .to_owned();
        let rows = tx.query(&select).await?;
        let parts: Vec<Uuid> = rows.iter().map(|row| row.at(0)).collect::<Result<_, _>>()?;
        if parts.is_empty() {
            return Ok(());
        }
        changes::remember(tx, part, &parts, self.writer.now).await?;
        let delete = Query::delete().from_table(part.storage()).and_where(named()).to_owned();
        tx.execute(&delete).await.map(drop)
    }
}

/// The column names one of these rows of `parent`.
pub(super) fn names_one(column: &Column, parent: &str, ids: &[Uuid]) -> Expr {
    let named = Expr::col(column.name.clone()).is_in(ids.iter().copied());
    if column.kind != Kind::Lookup || !column.targets.several() {
        return named;
    }
    let kind = || Expr::col(format!("{}_type", column.name));
    // A lookup that was widened later has no type in its old rows: they mean the first target.
    let first = matches!(&column.targets, Targets::Named(tables) if tables.first().is_some_and(|first| first == parent));
    match first {
        true => named.and(kind().eq(parent).or(kind().is_null())),
        false => named.and(kind().eq(parent)),
    }
}
