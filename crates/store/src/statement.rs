//! Statements in the builder's form, rendered for the database at hand.

use sea_query::{
    IndexCreateStatement, IndexDropStatement, OnConflict as SeaOnConflict, PostgresQueryBuilder, Query,
    QueryStatementWriter, SqliteQueryBuilder, TableAlterStatement, TableCreateStatement, TableDropStatement,
    Value, Values,
};

/// Which database a statement is for. Only the store and migrations need to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    pub(crate) fn render(self, statement: &impl QueryStatementWriter) -> (String, Values) {
        match self {
            Dialect::Sqlite => statement.build(SqliteQueryBuilder),
            Dialect::Postgres => statement.build(PostgresQueryBuilder),
        }
    }
}

/// A statement that changes the shape of the database.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a few dozen are made, once, when the store opens")]
pub enum Ddl {
    CreateTable(TableCreateStatement),
    AlterTable(TableAlterStatement),
    DropTable(TableDropStatement),
    CreateIndex(IndexCreateStatement),
    DropIndex(IndexDropStatement),
}

impl Ddl {
    /// The statement as this database is given it.
    pub fn render(&self, dialect: Dialect) -> String {
        macro_rules! both {
            ($statement:expr) => {
                match dialect {
                    Dialect::Sqlite => $statement.to_string(SqliteQueryBuilder),
                    Dialect::Postgres => $statement.to_string(PostgresQueryBuilder),
                }
            };
        }
        match self {
            Ddl::CreateTable(statement) => both!(statement),
            Ddl::AlterTable(statement) => both!(statement),
            Ddl::DropTable(statement) => both!(statement),
            Ddl::CreateIndex(statement) => both!(statement),
            Ddl::DropIndex(statement) => both!(statement),
        }
    }
}

/// What an insert does when a row with the same unique key is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnConflict {
    /// The unit fails with `Error::Conflict`.
    Fail,
    /// That row is left as it is.
    Skip,
    /// The row with the same values in these columns, which have a unique index, takes the other values. PostgreSQL refuses two
    /// rows of one insert that meet so.
    Replace(Vec<String>),
}

/// Many rows for one table. SQLite runs one prepared statement per row, PostgreSQL one statement per thousand values.
#[derive(Debug, Clone)]
pub struct Insert {
    pub table: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
    pub on_conflict: OnConflict,
}

impl Insert {
    pub fn into(table: &str, columns: &[&str]) -> Self {
        Insert {
            table: table.to_owned(),
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            rows: Vec::new(),
            on_conflict: OnConflict::Fail,
        }
    }

    /// Leaves rows that are there already.
    pub fn or_skip(mut self) -> Self {
        self.on_conflict = OnConflict::Skip;
        self
    }

    /// Gives the values to rows that are there already by this column, and makes the others.
    pub fn or_replace(self, unique: &str) -> Self {
        self.or_replace_by(&[unique])
    }

    /// The same by several columns.
    pub fn or_replace_by(mut self, unique: &[&str]) -> Self {
        self.on_conflict = OnConflict::Replace(unique.iter().map(|column| (*column).to_owned()).collect());
        self
    }

    /// Adds a row; its values stand in the order of the columns.
    pub fn row(&mut self, values: impl IntoIterator<Item = Value>) -> &mut Self {
        let row: Vec<Value> = values.into_iter().collect();
        assert_eq!(row.len(), self.columns.len(), "a row for {} has as many values as columns", self.table);
        self.rows.push(row);
        self
    }

    /// The text of one statement for this many rows. The values are bound from the rows themselves, without a copy:
    /// some of them are whole bodies.
    pub(crate) fn text(&self, dialect: Dialect, rows: usize) -> String {
        let mut statement = Query::insert();
        statement.into_table(self.table.clone()).columns(self.columns.iter().cloned());
        for _ in 0..rows {
            statement.values_panic(self.columns.iter().map(|_| sea_query::Expr::value(0)));
        }
        match &self.on_conflict {
            OnConflict::Fail => {}
            OnConflict::Skip => {
                statement.on_conflict(SeaOnConflict::new().do_nothing().to_owned());
            }
            OnConflict::Replace(unique) => {
                let others = self.columns.iter().filter(|column| !unique.contains(column)).cloned();
                let found = SeaOnConflict::columns(unique.iter().cloned());
                statement.on_conflict(found.clone().update_columns(others).to_owned());
            }
        }
        dialect.render(&statement).0
    }
}
