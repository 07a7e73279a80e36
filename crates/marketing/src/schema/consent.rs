//! Consent: what was said (only ever added to), and what follows from it now.
//!
//! * `consent_entry`: the ledger. `key` is a hash of what was said, so that a page read twice adds it once.
//! * `suppression`: who gets no marketing mail from an account. A row is never deleted: lifting it makes it inactive. The
//!   two `told` columns are the outbox: which side has yet to hear of it.
//! * `list_opt_out`: who left one list, by its id at the service.
//! * `list_opt_out_unlinked`: who left a list of the CRM that the service has none for, until there is one.

use postroom_store::migrate::Ddl;

use super::build::Holds::{Bytes, Int, Text, Uuid, Yes};
use super::build::{index, may, must, table, unique};

pub(super) fn tables() -> Vec<Ddl> {
    vec![
        table(
            "consent_entry",
            1,
            &[
                must("id", Uuid),
                must("key", Bytes),
                must("account", Text),
                must("address", Text),
                must("scope", Text),
                must("said", Text),
                must("at", Int),
                must("known", Int),
                must("source", Text),
                must("actor", Text),
                must("proof", Text),
            ],
        ),
        unique("consent_entry_key", "consent_entry", &["key"]),
        index("consent_entry_address", "consent_entry", &["address", "at"]),
        table(
            "suppression",
            2,
            &[
                must("account", Text),
                must("address", Text),
                must("active", Yes),
                must("status", Text),
                must("since", Int),
                must("known", Int),
                may("contact", Int),
                must("origin", Text),
                must("told_crm", Yes),
                must("told_service", Yes),
                // Counts changes: what was told is noted only when nothing else was said meanwhile.
                must("version", Int),
            ],
        ),
        index("suppression_address", "suppression", &["address"]),
        index("suppression_crm", "suppression", &["told_crm", "account"]),
        index("suppression_service", "suppression", &["told_service", "account"]),
        table(
            "list_opt_out",
            3,
            &[
                must("account", Text),
                must("list", Int),
                must("address", Text),
                must("active", Yes),
                must("status", Text),
                must("since", Int),
                must("known", Int),
                may("contact", Int),
                must("origin", Text),
                must("told_crm", Yes),
                must("told_service", Yes),
                must("version", Int),
            ],
        ),
        index("list_opt_out_address", "list_opt_out", &["address"]),
        index("list_opt_out_crm", "list_opt_out", &["told_crm", "account"]),
        index("list_opt_out_service", "list_opt_out", &["told_service", "account"]),
    ]
}

/// Opt-outs of lists that are not linked.
pub(super) fn unlinked() -> Vec<Ddl> {
    vec![
        table(
            "list_opt_out_unlinked",
            3,
            &[
                must("account", Text),
                must("list", Uuid),
                must("address", Text),
                must("status", Text),
                must("at", Int),
                may("contact", Int),
                must("origin", Text),
                must("source", Text),
                must("actor", Text),
            ],
        ),
        index("list_opt_out_unlinked_address", "list_opt_out_unlinked", &["address"]),
    ]
}
