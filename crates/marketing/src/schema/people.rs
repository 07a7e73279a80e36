//! People: the CRM's contacts, leads and accounts as they were last read, and who they are at each account of the service.
//!
//! * `person`: a record of the CRM. `flags` are the bits of [`crate::people::Flags`], `fields` JSON of the mapped columns,
//!   `seq` the place of its last change among all.
//! * `person_address`: each of its addresses; what a gate asks for *every* record with an address.
//! * `person_link`: the same record at one account: the address and digest that the service last took, and the base that
//!   both sides last agreed on.

use postroom_store::migrate::Ddl;

use super::build::Holds::{Bytes, Int, Text, Uuid, Yes};
use super::build::{index, may, must, table, unique};

pub(super) fn tables() -> Vec<Ddl> {
    vec![
        table(
            "person",
            2,
            &[
                must("record_table", Text),
                must("record", Uuid),
                must("seq", Int),
                must("active", Yes),
                must("flags", Int),
                // Left the CRM: the row stays, so that what belongs to it can follow.
                must("gone", Yes),
                // A merge's survivor.
                may("master", Uuid),
                may("modified", Int),
                must("fields", Text),
                must("digest", Bytes),
                // The reading of the whole table that saw it last.
                must("seen", Int),
            ],
        ),
        unique("person_seq", "person", &["seq"]),
        table(
            "person_address",
            3,
            &[must("record", Uuid), must("place", Int), must("record_table", Text), must("address", Text)],
        ),
        index("person_address_address", "person_address", &["address"]),
        table(
            "person_link",
            3,
            &[
                must("account", Text),
                must("record_table", Text),
                must("record", Uuid),
                must("address", Text),
                may("contact", Int),
                // Of what the service last took, or refused for what it holds.
                may("digest", Bytes),
                may("base", Text),
            ],
        ),
        index("person_link_address", "person_link", &["account", "address"]),
        index("person_link_contact", "person_link", &["account", "contact"]),
    ]
}
