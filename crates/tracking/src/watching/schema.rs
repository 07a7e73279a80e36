//! The tables of watched mailboxes. Cursors and reports are JSON: their shape is the port's.

use postroom_store::migrate::Ddl;
use postroom_store::sql::{ColumnDef, Table};

use crate::schema::index;

pub(crate) fn tables() -> Vec<Ddl> {
    let folder = Table::create()
        .table("watch_folder")
        .col(ColumnDef::new("mailbox").text().not_null())
        .col(ColumnDef::new("server").text().not_null())
        .col(ColumnDef::new("folder").text().not_null())
        .col(ColumnDef::new("cursor").text().not_null())
        .col(ColumnDef::new("at").big_integer().not_null())
        .to_owned();
    let mailbox = Table::create()
        .table("watch_mailbox")
        .col(ColumnDef::new("mailbox").text().not_null().primary_key())
        .col(ColumnDef::new("paused").boolean().not_null())
        .col(ColumnDef::new("rescan").text())
        .col(ColumnDef::new("rescan_since").big_integer())
        .col(ColumnDef::new("report").text())
        .col(ColumnDef::new("at").big_integer().not_null())
        .to_owned();
    let seen_in = Table::alter().table("sighting").add_column(ColumnDef::new("folder").text()).to_owned();
    vec![
        Ddl::CreateTable(folder),
        index("watch_folder_key", "watch_folder", &["mailbox", "server", "folder"], true),
        Ddl::CreateTable(mailbox),
        Ddl::AlterTable(seen_in),
    ]
}
