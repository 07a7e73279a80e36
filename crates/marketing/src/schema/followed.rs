//! What opt-outs need to follow people: whom a record was merged into, when it began to say no and who wrote that, and the
//! service's own time of the last exchange.

use postroom_store::migrate::Ddl;
use postroom_store::sql::{ColumnDef, Table};

use super::build::index;

pub(super) fn columns() -> Vec<Ddl> {
    let more = |table: &str, mut column: ColumnDef| {
        let mut alter = Table::alter();
        alter.table(table.to_owned()).add_column(&mut column);
        Ddl::AlterTable(alter)
    };
    vec![
        // The change that first said what `flags` says.
        more("person", ColumnDef::new("flagged").big_integer().to_owned()),
        more("person", ColumnDef::new("flagged_by").text().to_owned()),
        index("person_master", "person", &["master", "record_table"]),
        more("sync_account", ColumnDef::new("exchanged_there").big_integer().to_owned()),
    ]
}
