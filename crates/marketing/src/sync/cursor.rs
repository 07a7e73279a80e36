//! High-water marks: one for each stream of an account, moved in the unit that stores what was read.

use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Insert, Tx};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A stream's mark as it was read.
#[derive(Debug, Clone)]
pub struct Cursor<T> {
    account: String,
    stream: String,
    version: i64,
    pub place: T,
}

/// Reads a mark; one that was never set, or that another version of postroom cannot read, is the default.
pub async fn read<T: DeserializeOwned + Default>(
    tx: &mut Tx,
    account: &str,
    stream: &str,
) -> Result<Cursor<T>, Error> {
    let select = Query::select()
        .columns(["place", "version"])
        .from("sync_cursor")
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("stream").eq(stream))
        .to_owned();
    let (account, stream) = (account.to_owned(), stream.to_owned());
    match tx.query_one(&select).await? {
        None => Ok(Cursor { account, stream, version: 0, place: T::default() }),
        Some(row) => {
            let text: String = row.at(0)?;
            let place = serde_json::from_str(&text).unwrap_or_default();
            Ok(Cursor { account, stream, version: row.at(1)?, place })
        }
    }
}

impl<T: Serialize> Cursor<T> {
    /// Moves the mark to `place`. Fails with [`Error::Conflict`], and so undoes the unit, when another run moved it meanwhile.
    pub async fn write(&mut self, tx: &mut Tx) -> Result<(), Error> {
        let place = serde_json::to_string(&self.place)
            .map_err(|error| Error::Statement { sql: self.stream.clone(), reason: error.to_string() })?;
        let moved = match self.version {
            0 => {
                let mut row =
                    Insert::into("sync_cursor", &["account", "stream", "place", "version"]).or_skip();
                row.row([
                    self.account.clone().into(),
                    self.stream.clone().into(),
                    place.into(),
                    1_i64.into(),
                ]);
                tx.insert(&row).await?
            }
            version => {
                let mut update = Query::update();
                update
                    .table("sync_cursor")
                    .value("place", place)
                    .value("version", version + 1)
                    .and_where(Expr::col("account").eq(self.account.as_str()))
                    .and_where(Expr::col("stream").eq(self.stream.as_str()))
                    .and_where(Expr::col("version").eq(version));
                tx.execute(&update).await?
            }
        };
        match moved {
            0 => Err(Error::Conflict(format!("another run moved the mark of {}", self.stream))),
            _ => {
                self.version += 1;
                Ok(())
            }
        }
    }
}
