//! The tables of outgoing mail. Microseconds since 1970, as everywhere.
//!
//! `outgoing` is the CRM's wish to send one activity, and what became of it; its `id` is also that of the `message` row,
//! which is made when the mail is rendered. `claim` is the activity's id while the wish stands, and null once it failed, so
//! that the unique index lets a corrected e-mail be sent again. `outgoing_recipient` has a row for each forward-path.

use postroom_store::migrate::Ddl;
use postroom_store::sql::{ColumnDef, Table, TableCreateStatement};

use crate::schema::index;

pub(crate) fn tables() -> Vec<Ddl> {
    vec![
        Ddl::CreateTable(outgoing()),
        Ddl::CreateTable(recipient()),
        index("outgoing_claim", "outgoing", &["claim"], true),
        index("outgoing_activity", "outgoing", &["activity_id"], false),
        index("outgoing_state", "outgoing", &["state", "id"], false),
        index("outgoing_record", "outgoing", &["record_id", "first_at"], false),
        index("outgoing_header_id", "outgoing", &["header_id"], false),
        index("outgoing_recipient_place", "outgoing_recipient", &["outgoing", "place"], true),
        index("outgoing_recipient_address", "outgoing_recipient", &["address", "at"], false),
    ]
}

/// `send_attempt` has a row for each intent, completed by its answer; `answers` is JSON, by the recipients' places.
pub(crate) fn history() -> Vec<Ddl> {
    let mut table = Table::create();
    table.table("send_attempt").col(ColumnDef::new("outgoing").uuid().not_null());
    for name in ["number", "started"] {
        table.col(ColumnDef::new(name).big_integer().not_null());
    }
    for name in ["host", "text", "answers"] {
        table.col(ColumnDef::new(name).text().not_null());
    }
    table.col(ColumnDef::new("ended").big_integer()).col(ColumnDef::new("ending").text());
    vec![
        Ddl::CreateTable(table),
        index("send_attempt_number", "send_attempt", &["outgoing", "number"], true),
        index("send_attempt_started", "send_attempt", &["started"], false),
    ]
}

/// What comes back: whether for good, how many of those the CRM's notes tell, and whether a receipt is wanted.
pub(crate) fn returns() -> Vec<Ddl> {
    let add = |table: &'static str, column: &mut ColumnDef| {
        Ddl::AlterTable(Table::alter().table(table).add_column(column.to_owned()).to_owned())
    };
    vec![
        add("outgoing_recipient", ColumnDef::new("hard").boolean()),
        add("outgoing", ColumnDef::new("noted").big_integer().not_null().default(0)),
        add("outgoing", ColumnDef::new("receipt").boolean().not_null().default(false)),
    ]
}

fn outgoing() -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table("outgoing")
        .col(ColumnDef::new("id").uuid().not_null().primary_key())
        .col(ColumnDef::new("activity_id").uuid().not_null())
        .col(ColumnDef::new("claim").uuid())
        .col(ColumnDef::new("confirmed").boolean().not_null())
        .col(ColumnDef::new("body").binary())
        .col(ColumnDef::new("record_id").uuid());
    for name in ["state", "reason", "subject"] {
        table.col(ColumnDef::new(name).text().not_null());
    }
    for name in ["hold", "reverse_path", "header_id", "record_table"] {
        table.col(ColumnDef::new(name).text());
    }
    // `attempts` counts intents and guards every change; `tries` counts those that the server answered.
    for name in ["attempts", "tries", "first_at", "copied"] {
        table.col(ColumnDef::new(name).big_integer().not_null());
    }
    // `told` is the statuscode last written to the CRM, `told_tries` the deliveryattempts.
    for name in ["code", "next_try", "sending_at", "finished_at", "told", "told_tries"] {
        table.col(ColumnDef::new(name).big_integer());
    }
    table
}

fn recipient() -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table("outgoing_recipient")
        .col(ColumnDef::new("outgoing").uuid().not_null())
        .col(ColumnDef::new("place").big_integer().not_null())
        .col(ColumnDef::new("at").big_integer().not_null())
        .col(ColumnDef::new("code").big_integer());
    for name in ["address", "role", "state", "text"] {
        table.col(ColumnDef::new(name).text().not_null());
    }
    table.col(ColumnDef::new("status").text());
    table
}
