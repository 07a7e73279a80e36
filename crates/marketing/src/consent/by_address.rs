//! The tables in which a row is what one address said (`suppression`, `list_opt_out`, `preference_choice`): read and cleared
//! for any number of addresses.

use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Row, Tx};

/// Addresses of one statement.
const ASKED: usize = 256;

/// One of them.
pub(crate) struct ByAddress {
    pub table: &'static str,
    pub columns: &'static [&'static str],
}

impl ByAddress {
    /// The rows of these addresses that meet the condition.
    pub async fn read<T>(
        &self,
        tx: &mut Tx,
        addresses: &[String],
        condition: Expr,
        read: impl Fn(&Row) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut found = Vec::new();
        for some in addresses.chunks(ASKED) {
            let select = Query::select()
                .columns(self.columns.iter().copied())
                .from(self.table)
                .and_where(condition.clone())
                .and_where(Expr::col("address").is_in(some.iter().map(String::as_str)))
                .to_owned();
            for row in tx.query(&select).await? {
                found.push(read(&row)?);
            }
        }
        Ok(found)
    }

    /// Takes them out.
    pub async fn clear(&self, tx: &mut Tx, addresses: &[&str], condition: Expr) -> Result<(), Error> {
        for some in addresses.chunks(ASKED) {
            let mut delete = Query::delete();
            delete
                .from_table(self.table)
                .and_where(condition.clone())
                .and_where(Expr::col("address").is_in(some.iter().copied()));
            tx.execute(&delete).await?;
        }
        Ok(())
    }
}
