//! A table in a few lines: its columns by what they hold.

use postroom_store::migrate::Ddl;
use postroom_store::sql::{ColumnDef, Index, Table};

/// What a column holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Holds {
    Text,
    /// A number, a moment or a count.
    Int,
    Uuid,
    Bytes,
    Yes,
}

/// A column; those of `OPTIONAL` may be empty.
pub(super) type Column = (&'static str, Holds, bool);

pub(super) const fn must(name: &'static str, holds: Holds) -> Column {
    (name, holds, false)
}

pub(super) const fn may(name: &'static str, holds: Holds) -> Column {
    (name, holds, true)
}

/// A table whose first `key` columns are its primary key.
pub(super) fn table(name: &str, key: usize, columns: &[Column]) -> Ddl {
    let mut table = Table::create();
    table.table(name.to_owned());
    for (column, holds, optional) in columns {
        let mut made = ColumnDef::new(*column);
        match holds {
            Holds::Text => made.text(),
            Holds::Int => made.big_integer(),
            Holds::Uuid => made.uuid(),
            Holds::Bytes => made.binary(),
            Holds::Yes => made.boolean(),
        };
        if !optional {
            made.not_null();
        }
        table.col(made);
    }
    let mut primary = Index::create();
    for (column, _, _) in &columns[..key] {
        primary.col(*column);
    }
    table.primary_key(&mut primary);
    Ddl::CreateTable(table)
}

/// An index that lets equal rows be.
pub(super) fn index(name: &str, table: &str, columns: &[&'static str]) -> Ddl {
    Ddl::CreateIndex(made(name, table, columns))
}

/// An index that refuses a second row.
pub(super) fn unique(name: &str, table: &str, columns: &[&'static str]) -> Ddl {
    let mut index = made(name, table, columns);
    index.unique();
    Ddl::CreateIndex(index)
}

fn made(name: &str, table: &str, columns: &[&'static str]) -> postroom_store::sql::IndexCreateStatement {
    let mut index = Index::create();
    index.name(name.to_owned()).table(table.to_owned());
    for column in columns {
        index.col(*column);
    }
    index
}
