//! A unit's view of the database: one transaction, or a reader's snapshot.

use sea_query::{QueryStatementWriter, SelectStatement, Value};

use crate::postgres::PgTx;
use crate::sqlite::SqliteTx;
use crate::statement::Ddl;
use crate::{Dialect, Error, Insert, Row};

/// An open transaction. An error of a statement ends the unit: PostgreSQL refuses everything after one, so guard with
/// [`Insert::or_skip`] instead of catching conflicts. A unit that swallows one and returns `Ok` is rolled back too.
pub struct Tx {
    pub(crate) driver: Driver,
    /// A statement of this unit failed: there is nothing left that could be committed.
    pub(crate) failed: bool,
}

pub(crate) enum Driver {
    Sqlite(SqliteTx),
    Postgres(PgTx),
}

impl Tx {
    pub(crate) fn new(driver: Driver) -> Self {
        Tx { driver, failed: false }
    }

    /// Refuses the answer of a unit that went on after a statement of its own had failed. PostgreSQL would answer its
    /// COMMIT with a silent rollback.
    pub(crate) fn honest<T, E: From<Error>>(&self, step: &str, outcome: Result<T, E>) -> Result<T, E> {
        match outcome {
            Ok(_) if self.failed => Err(E::from(Error::Statement {
                sql: step.to_owned(),
                reason: "the unit went on after one of its statements had failed".to_owned(),
            })),
            other => other,
        }
    }

    pub fn dialect(&self) -> Dialect {
        match &self.driver {
            Driver::Sqlite(_) => Dialect::Sqlite,
            Driver::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Runs an insert, update or delete; answers how many rows it touched.
    pub async fn execute(&mut self, statement: &(impl QueryStatementWriter + Sync)) -> Result<u64, Error> {
        let (sql, values) = self.dialect().render(statement);
        self.run(&sql, &values.0).await
    }

    /// Inserts many rows; answers how many were new.
    pub async fn insert(&mut self, insert: &Insert) -> Result<u64, Error> {
        if insert.rows.is_empty() {
            return Ok(0);
        }
        let done = match &mut self.driver {
            Driver::Sqlite(tx) => tx.insert(insert),
            Driver::Postgres(tx) => tx.insert(insert).await,
        };
        self.noted(done)
    }

    pub async fn query(&mut self, select: &SelectStatement) -> Result<Vec<Row>, Error> {
        self.returning(select).await
    }

    /// The first row, when there is one.
    pub async fn query_one(&mut self, select: &SelectStatement) -> Result<Option<Row>, Error> {
        Ok(self.query(select).await?.into_iter().next())
    }

    /// Runs a statement that answers rows: a select, or a write with a RETURNING clause.
    pub async fn returning(
        &mut self,
        statement: &(impl QueryStatementWriter + Sync),
    ) -> Result<Vec<Row>, Error> {
        let (sql, values) = self.dialect().render(statement);
        let done = match &mut self.driver {
            Driver::Sqlite(tx) => tx.query(&sql, &values.0),
            Driver::Postgres(tx) => tx.query(&sql, &values.0).await,
        };
        self.noted(done)
    }

    /// Changes the shape of the database, inside the transaction.
    pub async fn shape(&mut self, ddl: &Ddl) -> Result<(), Error> {
        let sql = ddl.render(self.dialect());
        self.run(&sql, &[]).await.map(drop)
    }

    /// The next `count` numbers of a named counter: answers the first. The counter's row stays locked until the unit
    /// ends, so numbers become visible in the order in which they were taken.
    pub async fn next_numbers(&mut self, counter: &str, count: u64) -> Result<i64, Error> {
        use sea_query::{Expr, ExprTrait, OnConflict, Query};
        let count = i64::try_from(count).expect("a lot has fewer than 2^63 rows");
        let mut statement = Query::insert();
        statement
            .into_table("counter")
            .columns(["name", "value"])
            .values_panic([counter.into(), count.into()])
            .on_conflict(
                OnConflict::column("name")
                    .value("value", Expr::col(("counter", "value")).add(count))
                    .to_owned(),
            )
            .returning_col("value");
        let rows = self.returning(&statement).await?;
        let last: i64 = rows.first().expect("an upsert returns its row").at(0)?;
        Ok(last - count + 1)
    }

    /// The last number of a counter that was given out and is visible here; 0 when none was.
    pub async fn last_number(&mut self, counter: &str) -> Result<i64, Error> {
        use sea_query::{Expr, ExprTrait, Query};
        let select = Query::select()
            .column("value")
            .from("counter")
            .and_where(Expr::col("name").eq(counter))
            .to_owned();
        self.query_one(&select).await?.map_or(Ok(0), |row| row.at(0))
    }

    pub(crate) async fn run(&mut self, sql: &str, values: &[Value]) -> Result<u64, Error> {
        let done = match &mut self.driver {
            Driver::Sqlite(tx) => tx.execute(sql, values),
            Driver::Postgres(tx) => tx.execute(sql, values).await,
        };
        self.noted(done)
    }

    fn noted<T>(&mut self, done: Result<T, Error>) -> Result<T, Error> {
        self.failed |= done.is_err();
        done
    }
}
