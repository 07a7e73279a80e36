//! The tables of the mail half.
//!
//! `message` is one mail, whatever the number of times it was seen; `sighting` is each time; `message_ref` holds the
//! Message-IDs it refers to, so that a parent finds its waiting children; `decision` is append-only.

use postroom_store::migrate::{Ddl, Migration};
use postroom_store::sql::{ColumnDef, Index, Table, TableCreateStatement};

/// This area's steps.
pub const MIGRATIONS: &[Migration] = &[
    Migration { area: "tracking", number: 1, name: "messages, sightings, decisions", statements: first },
    Migration {
        area: "tracking",
        number: 2,
        name: "outgoing mail",
        statements: crate::sending::schema::tables,
    },
    Migration {
        area: "tracking",
        number: 3,
        name: "watched mailboxes",
        statements: crate::watching::schema::tables,
    },
    Migration {
        area: "tracking",
        number: 4,
        name: "purged and erased mail",
        statements: crate::privacy::schema::tables,
    },
    Migration {
        area: "tracking",
        number: 5,
        name: "attempts to send",
        statements: crate::sending::schema::history,
    },
    Migration {
        area: "tracking",
        number: 6,
        name: "mail that comes back",
        statements: crate::sending::schema::returns,
    },
];

fn first() -> Vec<Ddl> {
    let mut all = vec![
        Ddl::CreateTable(message()),
        Ddl::CreateTable(message_ref()),
        Ddl::CreateTable(sighting()),
        Ddl::CreateTable(decision()),
        Ddl::CreateTable(setting()),
    ];
    let indexes: [(&str, &str, &[&str], bool); 10] = [
        ("message_key", "message", &["key"], true),
        ("message_header_id", "message", &["header_id"], false),
        ("message_state", "message", &["state", "id"], false),
        ("message_record", "message", &["record_id", "id"], false),
        ("message_from", "message", &["from_address", "id"], false),
        ("message_conversation", "message", &["conversation"], false),
        ("message_ref_ref", "message_ref", &["ref"], false),
        ("message_ref_message", "message_ref", &["message"], false),
        ("sighting_key", "sighting", &["key"], true),
        ("sighting_message", "sighting", &["message"], false),
    ];
    all.extend(indexes.iter().map(|(name, table, columns, unique)| index(name, table, columns, *unique)));
    all.push(index("decision_message", "decision", &["message", "id"], false));
    all
}

pub(crate) fn index(name: &str, table: &str, columns: &[&str], unique: bool) -> Ddl {
    let mut index = Index::create();
    index.name(name.to_owned()).table(table.to_owned());
    for column in columns {
        index.col((*column).to_owned());
    }
    if unique {
        index.unique();
    }
    Ddl::CreateIndex(index)
}

fn message() -> TableCreateStatement {
    let mut table = Table::create();
    table.table("message").col(ColumnDef::new("id").uuid().not_null().primary_key());
    for name in ["key", "body"] {
        table.col(ColumnDef::new(name).binary().not_null());
    }
    for name in
        ["subject", "from_address", "from_name", "direction", "state", "method", "reason", "mailbox", "flags"]
    {
        table.col(ColumnDef::new(name).text().not_null());
    }
    // `header_text` is the Message-ID as written, where that differs from `<header_id>`.
    // `parties` is every address in the headers, in normal form and parted by spaces: who was in a thread.
    for name in
        ["header_id", "class", "record_table", "conversation", "authentication", "parties", "header_text"]
    {
        table.col(ColumnDef::new(name).text());
    }
    for name in ["record_id", "activity_id", "decision_id"] {
        table.col(ColumnDef::new(name).uuid());
    }
    table.col(ColumnDef::new("automatic").boolean().not_null());
    for name in ["size", "received_at"] {
        table.col(ColumnDef::new(name).big_integer().not_null());
    }
    for name in ["sent_at", "decided_at"] {
        table.col(ColumnDef::new(name).big_integer());
    }
    table
}

fn message_ref() -> TableCreateStatement {
    Table::create()
        .table("message_ref")
        .col(ColumnDef::new("message").uuid().not_null())
        .col(ColumnDef::new("place").big_integer().not_null())
        .col(ColumnDef::new("ref").text().not_null())
        .to_owned()
}

fn sighting() -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table("sighting")
        .col(ColumnDef::new("id").uuid().not_null().primary_key())
        .col(ColumnDef::new("message").uuid().not_null())
        .col(ColumnDef::new("key").binary().not_null())
        .col(ColumnDef::new("body").binary().not_null())
        .col(ColumnDef::new("received_at").big_integer().not_null());
    for name in ["source", "direction", "recipients"] {
        table.col(ColumnDef::new(name).text().not_null());
    }
    for name in ["mailbox", "envelope_from", "source_id", "peer"] {
        table.col(ColumnDef::new(name).text());
    }
    table
}

fn decision() -> TableCreateStatement {
    Table::create()
        .table("decision")
        .col(ColumnDef::new("id").uuid().not_null().primary_key())
        .col(ColumnDef::new("message").uuid().not_null())
        .col(ColumnDef::new("at").big_integer().not_null())
        .col(ColumnDef::new("body").text().not_null())
        .to_owned()
}

/// Values that belong to the database rather than to the configuration: the installation's id, safe mode.
fn setting() -> TableCreateStatement {
    Table::create()
        .table("setting")
        .col(ColumnDef::new("name").text().not_null().primary_key())
        .col(ColumnDef::new("value").text().not_null())
        .to_owned()
}
