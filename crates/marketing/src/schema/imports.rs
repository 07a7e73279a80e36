//! Imports into the service: what was handed over, and what is still to be heard of it.
//!
//! * `import_job`: one import. `service_id` is empty while nobody knows whether the service took it; `state` says where it
//!   is, `counts` what its report said.
//! * `import_row`: who is in an import that has not been settled. Rows go when it is.
//! * `import_stopped`: whom the service's filter against abuse stopped; `mark` is a hash of what was sent.

use postroom_store::migrate::Ddl;

use super::build::Holds::{Bytes, Int, Text, Uuid, Yes};
use super::build::{index, may, must, table};

pub(super) fn tables() -> Vec<Ddl> {
    vec![
        table(
            "import_job",
            1,
            &[
                must("id", Uuid),
                must("account", Text),
                must("purpose", Text),
                must("run", Uuid),
                must("state", Text),
                may("service_id", Text),
                // Whether its people join a list: a refusal may then be about the list only.
                must("to_list", Yes),
                must("people", Int),
                must("begun", Int),
                may("ended", Int),
                may("status", Text),
                may("counts", Text),
                // People that the report does not account for; 0 when the books balance.
                may("missing", Int),
            ],
        ),
        index("import_job_purpose", "import_job", &["account", "purpose", "state"]),
        table(
            "import_row",
            2,
            &[
                must("job", Uuid),
                must("place", Int),
                must("record_table", Text),
                must("record", Uuid),
                must("address", Text),
                // Finds the person in the report when the address does not.
                may("contact", Int),
                may("digest", Bytes),
                may("base", Text),
                must("mark", Bytes),
            ],
        ),
        table(
            "import_stopped",
            3,
            &[
                must("account", Text),
                must("record_table", Text),
                must("record", Uuid),
                must("mark", Bytes),
                must("at", Int),
            ],
        ),
    ]
}
