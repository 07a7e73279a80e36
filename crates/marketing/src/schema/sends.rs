//! Campaigns, sends and programs.
//!
//! * `campaign`: the service's campaigns with their figures; `told` is the outbox to the CRM.
//! * `campaign_send`: one send that somebody asked for; its id is the request row's, so one row asks for one send. `version`
//!   counts changes and is the fence: a step that was overtaken writes nothing. `told` is the version that the CRM knows.
//! * `campaign_recipient`: who a send goes to, written once; `state` says who was taken off again, `lists` is a bit for each list of
//!   the request that has the address.
//! * `send_member`: whom a send to new members has seen on its lists; `batch` is the send that mails those who joined since it
//!   began, and empty for those who were there.
//! * `campaign_mailed`: who was mailed by a campaign: one row each, so that two sends cannot both mail a person; by address, and
//!   by the record that stood for it.
//! * `single_send`: a mail to one person, or one person put into a program.
//! * `program`: the service's programs; `program_enrolment`: one call that puts people into one.

use postroom_store::migrate::Ddl;
use postroom_store::sql::{ColumnDef, Table};

use super::build::Holds::{Bytes, Int, Text, Uuid, Yes};
use super::build::{index, may, must, table};

pub(super) fn tables() -> Vec<Ddl> {
    [campaigns(), sends(), singles()].concat()
}

fn campaigns() -> Vec<Ddl> {
    vec![
        table(
            "campaign",
            2,
            &[
                must("account", Text),
                must("id", Int),
                must("name", Text),
                must("status", Text),
                may("sent", Int),
                // JSON of the header, and of the totals.
                must("header", Text),
                may("totals", Text),
                // When the totals were last asked for.
                may("counted", Int),
                must("gone", Yes),
                // The reading of all campaigns that saw it last.
                must("seen", Int),
                must("told", Yes),
                // The CRM has the row: what users fill in is left alone.
                must("made", Yes),
                must("version", Int),
            ],
        ),
        index("campaign_told", "campaign", &["account", "told"]),
    ]
}

fn sends() -> Vec<Ddl> {
    vec![
        table(
            "campaign_send",
            1,
            &[
                must("id", Uuid),
                must("account", Text),
                may("campaign", Int),
                must("state", Text),
                must("version", Int),
                must("told", Int),
                // When to look at it next; empty: when something happens.
                may("wake", Int),
                // The single-use list at the service.
                may("list", Int),
                must("details", Text),
            ],
        ),
        index("campaign_send_wake", "campaign_send", &["account", "wake"]),
        table(
            "campaign_recipient",
            2,
            &[
                must("send", Uuid),
                must("address", Text),
                must("record_table", Text),
                must("record", Uuid),
                must("list", Int),
                may("contact", Int),
                must("state", Text),
                may("reason", Text),
            ],
        ),
        index("campaign_recipient_state", "campaign_recipient", &["send", "state"]),
        table(
            "campaign_mailed",
            3,
            &[
                must("account", Text),
                must("campaign", Int),
                must("address", Text),
                // Empty when the service says so and no send of ours did it.
                may("send", Uuid),
                must("at", Int),
            ],
        ),
        index("campaign_mailed_send", "campaign_mailed", &["send"]),
    ]
}

/// On which lists a recipient is, and the record that was mailed.
pub(super) fn records() -> Vec<Ddl> {
    let add = |table: &'static str, column: &mut ColumnDef| {
        Ddl::AlterTable(Table::alter().table(table).add_column(column.to_owned()).to_owned())
    };
    vec![
        add("campaign_recipient", ColumnDef::new("lists").big_integer()),
        add("campaign_mailed", ColumnDef::new("record_table").text()),
        add("campaign_mailed", ColumnDef::new("record").uuid()),
        index("campaign_mailed_record", "campaign_mailed", &["account", "campaign", "record"]),
    ]
}

/// Sends to new members.
pub(super) fn newcomers() -> Vec<Ddl> {
    vec![
        table(
            "send_member",
            2,
            &[
                must("send", Uuid),
                must("record", Uuid),
                must("record_table", Text),
                // The place of the list among those of the request.
                must("list", Int),
                may("batch", Uuid),
            ],
        ),
        index("send_member_batch", "send_member", &["batch"]),
    ]
}

fn singles() -> Vec<Ddl> {
    vec![
        table(
            "single_send",
            1,
            &[
                must("id", Uuid),
                must("account", Text),
                must("kind", Text),
                // The address in normal form: mails to one person go one after another.
                must("person", Text),
                must("state", Text),
                must("version", Int),
                must("told", Int),
                may("wake", Int),
                may("enrolment", Uuid),
                must("details", Text),
            ],
        ),
        index("single_send_wake", "single_send", &["account", "wake"]),
        index("single_send_person", "single_send", &["account", "person"]),
        index("single_send_enrolment", "single_send", &["enrolment"]),
        table(
            "program",
            2,
            &[
                must("account", Text),
                must("id", Int),
                must("name", Text),
                must("status", Text),
                may("created", Int),
                must("gone", Yes),
                must("seen", Int),
            ],
        ),
        table(
            "program_enrolment",
            1,
            &[
                must("id", Uuid),
                must("account", Text),
                must("program", Int),
                must("state", Text),
                must("at", Int),
                may("service_id", Text),
                must("digest", Bytes),
                may("reason", Text),
            ],
        ),
        index("program_enrolment_state", "program_enrolment", &["account", "state"]),
    ]
}
