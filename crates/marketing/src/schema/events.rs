//! What people did, what they answered, and who was erased.
//!
//! * `event`: the inbox of behaviour, one row for each recipient, click, open, page view, reply, social total and mark. `key` is
//!   its natural key; `told_crm` is the outbox, `in_crm` says whether the CRM holds a row of it. `send`, `record_table` and
//!   `record` are what it was found to belong to.
//! * `event_campaign`: campaigns that a flow (`events`, `roi`) has yet to read; `event_send`: sends made at the service itself.
//! * `lead_contact`: what became of a qualified lead.
//! * `form`, `form_response`: forms and responses; `answers` are the ids of the answers that the CRM was last given.
//! * `erasure`: who was erased, as a hash. The address stands there only until the erasure is done.

use postroom_store::migrate::Ddl;

use super::build::Holds::{Bytes, Int, Text, Uuid, Yes};
use super::build::{index, may, must, table, unique};

pub(super) fn tables() -> Vec<Ddl> {
    [behaviour(), forms(), people()].concat()
}

fn behaviour() -> Vec<Ddl> {
    vec![
        table(
            "event",
            2,
            &[
                must("account", Text),
                must("key", Text),
                // The order in which the CRM is told.
                must("seq", Int),
                must("kind", Text),
                must("campaign", Int),
                must("contact", Int),
                must("address", Text),
                must("at", Int),
                // The link, page, network or marker; empty for the others.
                must("what", Text),
                must("machine", Yes),
                must("data", Text),
                may("send", Uuid),
                may("record_table", Text),
                may("record", Uuid),
                must("told_crm", Yes),
                must("in_crm", Yes),
                // The recipient's counter of replies rose: they are to be read.
                must("replies_due", Yes),
                must("version", Int),
            ],
        ),
        unique("event_seq", "event", &["seq"]),
        index("event_untold", "event", &["account", "told_crm", "seq"]),
        index("event_contact", "event", &["account", "campaign", "kind", "contact"]),
        index("event_address", "event", &["address"]),
        index("event_record", "event", &["record"]),
        index("event_replies", "event", &["account", "replies_due"]),
        index("event_at", "event", &["account", "at"]),
        table(
            "event_campaign",
            3,
            &[
                must("account", Text),
                must("flow", Text),
                must("campaign", Int),
                must("name", Text),
                must("kind", Text),
                must("status", Text),
                must("due", Yes),
                // Counts the times that the service named it.
                must("version", Int),
            ],
        ),
        index("event_campaign_due", "event_campaign", &["account", "flow", "due"]),
        table(
            "event_send",
            3,
            &[
                must("account", Text),
                must("campaign", Int),
                must("at", Int),
                must("row", Uuid),
                must("told_crm", Yes),
            ],
        ),
    ]
}

fn forms() -> Vec<Ddl> {
    vec![
        table(
            "form",
            2,
            &[
                must("account", Text),
                must("form", Int),
                must("name", Text),
                must("digest", Bytes),
                must("due", Yes),
                must("version", Int),
            ],
        ),
        index("form_due", "form", &["account", "due"]),
        table(
            "form_response",
            2,
            &[
                must("account", Text),
                must("response", Int),
                must("form", Int),
                must("address", Text),
                must("at", Int),
                must("data", Text),
                must("answers", Text),
                may("matched", Text),
                may("record_table", Text),
                may("record", Uuid),
                must("told_crm", Yes),
                must("version", Int),
            ],
        ),
        index("form_response_untold", "form_response", &["account", "told_crm", "response"]),
        index("form_response_address", "form_response", &["address"]),
        index("form_response_record", "form_response", &["record"]),
    ]
}

fn people() -> Vec<Ddl> {
    vec![
        table("lead_contact", 1, &[must("lead", Uuid), must("contact", Uuid)]),
        table(
            "person_erasure",
            1,
            &[
                must("id", Uuid),
                must("hash", Text),
                may("address", Text),
                must("actor", Text),
                must("asked", Int),
                may("done", Int),
                must("receipt", Text),
            ],
        ),
        index("person_erasure_hash", "person_erasure", &["hash"]),
    ]
}
