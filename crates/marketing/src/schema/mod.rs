//! The tables of the marketing half. Microseconds since 1970, as everywhere; addresses in normal form.
//!
//! Each room of the crate has its own file here; together they are the steps of the area `marketing`.

mod build;
mod consent;
mod contacts;
mod events;
mod followed;
mod imports;
mod lists;
mod people;
mod sends;
mod sync;
mod undo;

use postroom_store::migrate::{Ddl, Migration};
use postroom_store::sql::{Expr, ExprTrait, Func, IntoColumnRef};

/// The area's steps, for [`postroom_store::Store::open`].
pub const MIGRATIONS: &[Migration] = &[
    Migration { area: "marketing", number: 1, name: "marketing", statements: first },
    Migration { area: "marketing", number: 2, name: "what runs wrote", statements: undo::tables },
    Migration { area: "marketing", number: 3, name: "sends to new members", statements: sends::newcomers },
    Migration { area: "marketing", number: 4, name: "opt-outs of lists without a link", statements: fourth },
    Migration { area: "marketing", number: 5, name: "opt-outs follow people", statements: followed::columns },
];

fn first() -> Vec<Ddl> {
    let rooms: &[fn() -> Vec<Ddl>] = &[
        sync::tables,
        people::tables,
        consent::tables,
        contacts::tables,
        events::tables,
        imports::tables,
        lists::tables,
        sends::tables,
    ];
    rooms.iter().flat_map(|tables| tables()).collect()
}

fn fourth() -> Vec<Ddl> {
    [consent::unlinked(), lists::choices(), sends::records()].concat()
}

/// That a row is an account's, as a condition that no index serves. SQLite keeps no figures of its tables here and takes an
/// account for as rare as an address or a record, though it may have all rows: beside such a condition this one only filters.
pub(crate) fn among(column: impl IntoColumnRef, account: &str) -> Expr {
    Expr::expr(Func::coalesce([Expr::col(column), "".into()])).eq(account)
}
