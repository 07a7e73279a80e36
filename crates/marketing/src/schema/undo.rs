//! What runs wrote on the CRM's records, so that it can be taken back.
//!
//! * `sync_run.undoes`: the run that this one takes back; `sync_run.undo_place` how far it is.
//! * `sync_written`: one write on one record, in the order of `place`; written before the CRM is. `was` and `now` are JSON of the
//!   columns, `outcome` what became of it when the run was taken back.
//! * `sync_written_run`: how much of a run is kept; `whole` is false when it wrote more than is kept.

use postroom_store::migrate::Ddl;
use postroom_store::sql::{ColumnDef, Table};

use super::build::Holds::{Int, Text, Uuid, Yes};
use super::build::{index, may, must, table};

pub(super) fn tables() -> Vec<Ddl> {
    let mut undoes = Table::alter();
    undoes.table("sync_run").add_column(ColumnDef::new("undoes").uuid());
    let mut place = Table::alter();
    place.table("sync_run").add_column(ColumnDef::new("undo_place").big_integer());
    vec![
        Ddl::AlterTable(undoes),
        Ddl::AlterTable(place),
        table(
            "sync_written",
            2,
            &[
                must("run", Uuid),
                must("place", Int),
                must("kind", Text),
                must("record_table", Text),
                must("record", Uuid),
                // The marketing list that was joined or left.
                may("list", Uuid),
                must("was", Text),
                must("now", Text),
                may("outcome", Text),
                may("why", Text),
            ],
        ),
        table(
            "sync_written_run",
            1,
            &[
                must("run", Uuid),
                must("account", Text),
                must("at", Int),
                must("rows", Int),
                must("whole", Yes),
            ],
        ),
        index("sync_run_undoes", "sync_run", &["undoes"]),
        index("sync_written_run_at", "sync_written_run", &["at"]),
    ]
}
