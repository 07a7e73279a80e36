//! Which stored bodies the rows refer to: asked before a body is removed.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use postroom_core::{BodyHash, Content};
use postroom_store::doomed::Holder;
use postroom_store::sql::{Condition, Expr, ExprTrait, Query, SelectStatement};
use postroom_store::{Error, Tx};

use crate::Embedded;
use crate::schema::{Kind, Table, shape};

/// Where the hash begins in a handle, counted from 1: after `part:` and `body:`, and after `stored:`.
const PLACES: [usize; 2] = [6, 8];
/// Hexadecimal digits of a hash.
const DIGITS: usize = 64;

impl Holder for Embedded {
    fn held<'t>(
        &'t self,
        tx: &'t mut Tx,
        among: &'t [BodyHash],
    ) -> BoxFuture<'t, Result<Vec<BodyHash>, Error>> {
        async move {
            let schema = self.cache.current(tx).await?;
            let mut held = Vec::new();
            for table in schema.tables() {
                for handles in handle_cells(table) {
                    for row in tx.query(&select(table, &handles, among)).await? {
                        held.extend(named(&row.at::<String>(0)?));
                    }
                }
            }
            held.sort_unstable();
            held.dedup();
            Ok(held)
        }
        .boxed()
    }
}

/// The cells of a table that hold handles: the second one of each body.
fn handle_cells(table: &Table) -> impl Iterator<Item = String> + '_ {
    let bodies = table.columns.iter().filter(|column| matches!(column.kind, Kind::Body | Kind::File));
    bodies.filter_map(|column| shape::cells(column).into_iter().nth(1))
}

/// The handles that name one of these bodies. Reads the whole table: nothing but this asks for handles, so that no index
/// makes every mail dearer.
fn select(table: &Table, cell: &str, among: &[BodyHash]) -> SelectStatement {
    let names: Vec<String> = among.iter().map(ToString::to_string).collect();
    let mut any = Condition::any();
    for place in PLACES {
        // The name of a column of ours: lower-case letters, digits and _.
        let hash = Expr::cust(format!("substr(\"{cell}\", {place}, {DIGITS})"));
        any = any.add(hash.is_in(names.iter().cloned()));
    }
    Query::select()
        .distinct()
        .column(cell.to_owned())
        .from(table.storage())
        .and_where(Expr::col(cell.to_owned()).is_not_null())
        .cond_where(any)
        .to_owned()
}

fn named(handle: &str) -> Option<BodyHash> {
    match Content::from_handle(handle)? {
        Content::Bytes(_) => None,
        Content::MailPart { mail, .. } | Content::MailBody { mail } => Some(mail),
        Content::Stored { body, .. } => Some(body),
    }
}
