//! The tables of the operations: tokens, sessions, links, audit. Secrets are kept as SHA-256 hashes only.

use postroom_store::migrate::{Ddl, Migration};
use postroom_store::sql::{ColumnDef, Index, Table};

/// This area's steps.
pub const MIGRATIONS: &[Migration] = &[
    Migration { area: "operations", number: 1, name: "tokens, sessions, audit", statements: first },
    Migration { area: "operations", number: 2, name: "users of tokens", statements: second },
];

fn first() -> Vec<Ddl> {
    let token =
        table("api_token", &["name", "scope"], &["created_at", "expires_at"], &["last_used", "revoked_at"]);
    let session = table("session", &["name", "role", "csrf"], &["created_at", "last_used"], &[]);
    let link = table("sign_in_link", &["name", "role"], &["created_at", "expires_at"], &["used_at"]);
    let audit = Table::create()
        .table("audit")
        .col(ColumnDef::new("id").uuid().not_null().primary_key())
        .col(ColumnDef::new("at").big_integer().not_null())
        .col(ColumnDef::new("actor").text().not_null())
        .col(ColumnDef::new("door").text().not_null())
        .col(ColumnDef::new("action").text().not_null())
        .col(ColumnDef::new("object").text().not_null())
        .col(ColumnDef::new("detail").text().not_null())
        .to_owned();
    let by_object = Index::create().name("audit_object").table("audit").col("object").col("id").to_owned();
    let hash = |table: &'static str| {
        let name = format!("{table}_hash");
        Ddl::CreateIndex(Index::create().name(name).table(table).col("hash").unique().to_owned())
    };
    vec![
        token,
        session,
        link,
        Ddl::CreateTable(audit),
        Ddl::CreateIndex(by_object),
        hash("api_token"),
        hash("session"),
        hash("sign_in_link"),
    ]
}

/// A token of scope `crm` acts as a user of the embedded CRM; one made before this acts as the administrator.
fn second() -> Vec<Ddl> {
    let user = ColumnDef::new("acts_as").uuid().to_owned();
    vec![Ddl::AlterTable(Table::alter().table("api_token").add_column(user).to_owned())]
}

fn table(name: &'static str, texts: &[&'static str], times: &[&'static str], maybe: &[&'static str]) -> Ddl {
    let mut table = Table::create();
    table.table(name).col(ColumnDef::new("id").uuid().not_null().primary_key());
    table.col(ColumnDef::new("hash").binary().not_null());
    for text in texts {
        table.col(ColumnDef::new(*text).text().not_null());
    }
    for time in times {
        table.col(ColumnDef::new(*time).big_integer().not_null());
    }
    for time in maybe {
        table.col(ColumnDef::new(*time).big_integer());
    }
    Ddl::CreateTable(table)
}
