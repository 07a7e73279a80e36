//! `contact_leaving`: people of the service for whom no record speaks any more. They wait until the flow of deletions has asked
//! its guard, and go when the service has deleted them.

use postroom_store::migrate::Ddl;

use super::build::Holds::{Int, Text, Uuid};
use super::build::{must, table};

pub(super) fn tables() -> Vec<Ddl> {
    vec![table(
        "contact_leaving",
        2,
        &[
            must("account", Text),
            must("contact", Int),
            must("address", Text),
            // Whom it named; the record's identifier is not free before it has gone.
            must("record_table", Text),
            must("record", Uuid),
            must("since", Int),
        ],
    )]
}
