//! The tables of erasure, and when a mail lost its body. Microseconds since 1970.
//!
//! `erasure` is one request: a salted hash of the address, never the address, and the receipt so far. `erasure_todo` holds
//! the activities that the CRM must still be told of; a row goes when that is done. `erasure_body` holds the bodies that go
//! once the CRM has let go of them.

use postroom_store::migrate::Ddl;
use postroom_store::sql::{ColumnDef, Table};

use crate::schema::index;

pub(crate) fn tables() -> Vec<Ddl> {
    let add = |column: &'static str| {
        let column = ColumnDef::new(column).big_integer().to_owned();
        Ddl::AlterTable(Table::alter().table("message").add_column(column).to_owned())
    };
    let erasure = Table::create()
        .table("erasure")
        .col(ColumnDef::new("id").uuid().not_null().primary_key())
        .col(ColumnDef::new("at").big_integer().not_null())
        .col(ColumnDef::new("finished_at").big_integer())
        .col(ColumnDef::new("receipt").text().not_null())
        .to_owned();
    let todo = Table::create()
        .table("erasure_todo")
        .col(ColumnDef::new("erasure").uuid().not_null())
        .col(ColumnDef::new("activity").uuid().not_null())
        .col(ColumnDef::new("message").uuid().not_null())
        .to_owned();
    let body = Table::create()
        .table("erasure_body")
        .col(ColumnDef::new("erasure").uuid().not_null())
        .col(ColumnDef::new("hash").binary().not_null())
        .to_owned();
    vec![
        add("purged_at"),
        add("erased_at"),
        Ddl::CreateTable(erasure),
        Ddl::CreateTable(todo),
        index("erasure_todo_key", "erasure_todo", &["erasure", "activity"], true),
        Ddl::CreateTable(body),
        index("erasure_body_key", "erasure_body", &["erasure", "hash"], true),
    ]
}
