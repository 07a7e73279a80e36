//! Marketing lists, who is on them on which side, and what people chose of what is offered to them.
//!
//! * `list_link`: a list of the CRM and the one of the service that it stands for. A row outlives the list in the CRM, so that
//!   the other one can follow; it carries account and id, as names are no one's own. `told` is a hash of what the list in the CRM
//!   was last told, `fingerprint` what both sides looked like when they last agreed.
//! * `list_record`: the members in the CRM as last read, each with its address. `list_member`: each address of a list, with
//!   what is so on either side: `there` is the reading of the service that saw it last (0 is not there), `agreed` that both
//!   sides had it, `todo` what the comparison found.
//! * `preference_choice`: what a person said of a preference, the newest word of both sides; the `told` columns are its outbox.
//! * `preference_list_choice`: the same where the service knows it of one list only, by the list's id there. The CRM has no place
//!   for it.
//! * `preference_tie`: the preference that a list of the CRM or a campaign of the service belongs to.

use postroom_store::migrate::Ddl;
use postroom_store::sql::Table;

use super::build::Holds::{Bytes, Int, Text, Uuid, Yes};
use super::build::{index, may, must, table, unique};

pub(super) fn tables() -> Vec<Ddl> {
    [lists(), preferences()].concat()
}

fn lists() -> Vec<Ddl> {
    vec![
        table(
            "list_link",
            2,
            &[
                must("account", Text),
                must("list", Uuid),
                may("service", Int),
                must("name", Text),
                must("visibility", Text),
                // The member table: contact, lead or account.
                must("member_table", Text),
                must("state", Text),
                must("made_here", Yes),
                must("told", Bytes),
                must("fingerprint", Text),
            ],
        ),
        unique("list_link_service", "list_link", &["account", "service"]),
        table(
            "list_record",
            3,
            &[
                must("account", Text),
                must("list", Uuid),
                must("record", Uuid),
                must("record_table", Text),
                must("address", Text),
                must("seen", Int),
            ],
        ),
        index("list_record_address", "list_record", &["account", "list", "address"]),
        index("list_record_record", "list_record", &["record"]),
        table(
            "list_member",
            3,
            &[
                must("account", Text),
                must("list", Uuid),
                must("address", Text),
                may("contact", Int),
                must("there", Int),
                must("agreed", Yes),
                must("todo", Text),
                // The record that stands for the address.
                may("record", Uuid),
            ],
        ),
        index("list_member_todo", "list_member", &["account", "list", "todo"]),
        index("list_member_address", "list_member", &["address"]),
    ]
}

fn preferences() -> Vec<Ddl> {
    vec![
        table(
            "preference_choice",
            3,
            &[
                must("account", Text),
                must("preference", Int),
                must("address", Text),
                must("chosen", Yes),
                must("at", Int),
                must("known", Int),
                must("origin", Text),
                must("told_crm", Yes),
                must("told_service", Yes),
                must("version", Int),
            ],
        ),
        index("preference_choice_address", "preference_choice", &["address"]),
        index("preference_choice_crm", "preference_choice", &["told_crm", "account"]),
        index("preference_choice_service", "preference_choice", &["told_service", "account"]),
        table(
            "preference_tie",
            3,
            &[must("account", Text), must("kind", Text), must("id", Int), must("preference", Int)],
        ),
    ]
}

/// Choices for one list; and ties anew, as a list is named by its id in the CRM.
pub(super) fn choices() -> Vec<Ddl> {
    vec![
        table(
            "preference_list_choice",
            4,
            &[
                must("account", Text),
                must("preference", Int),
                must("list", Int),
                must("address", Text),
                must("chosen", Yes),
                must("at", Int),
                must("known", Int),
                must("version", Int),
            ],
        ),
        index("preference_list_choice_address", "preference_list_choice", &["address"]),
        Ddl::DropTable(Table::drop().table("preference_tie").to_owned()),
        table(
            "preference_tie",
            3,
            &[must("account", Text), must("kind", Text), must("id", Text), must("preference", Int)],
        ),
    ]
}
