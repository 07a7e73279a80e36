//! What runs, when, how far it came, and what it met.
//!
//! * `sync_account`: an account of the configuration, and what the service said of it.
//! * `sync_plan`: when each sync type of an account is due; `asked` is set by *sync now* and names who asked.
//! * `sync_cursor`: one high-water mark for each stream, moved in the unit that stores the page.
//! * `sync_run`: each run with its counts; `sync_reject`: the rows that it could not take over.

use postroom_store::migrate::Ddl;

use super::build::Holds::{Int, Text, Uuid, Yes};
use super::build::{index, may, must, table};

pub(super) fn tables() -> Vec<Ddl> {
    vec![
        table(
            "sync_account",
            1,
            &[
                must("name", Text),
                may("region", Text),
                may("service_id", Int),
                may("endpoint", Text),
                must("state", Text),
                may("reason", Text),
                may("paused", Text),
                // When the first whole exchange of opt-outs ended, and when the last one began that ended.
                may("first_exchange", Int),
                may("exchanged", Int),
                may("checked", Int),
            ],
        ),
        table(
            "sync_plan",
            2,
            &[
                must("account", Text),
                must("sync_type", Text),
                may("asked", Text),
                may("last", Int),
                must("paused", Yes),
            ],
        ),
        table(
            "sync_cursor",
            2,
            &[must("account", Text), must("stream", Text), must("place", Text), must("version", Int)],
        ),
        table(
            "sync_run",
            1,
            &[
                must("id", Uuid),
                must("account", Text),
                must("sync_type", Text),
                must("asked", Text),
                must("dry", Yes),
                must("confirmed", Yes),
                must("state", Text),
                must("started", Int),
                may("ended", Int),
                must("counts", Text),
                may("code", Int),
                may("reason", Text),
            ],
        ),
        index("sync_run_account", "sync_run", &["account", "sync_type", "started"]),
        index("sync_run_state", "sync_run", &["state", "started"]),
        table(
            "sync_reject",
            1,
            &[
                must("id", Uuid),
                must("run", Uuid),
                must("account", Text),
                must("sync_type", Text),
                must("subject", Text),
                may("code", Int),
                must("reason", Text),
                must("sent", Text),
                must("received", Text),
                must("at", Int),
                // When it was put right, replayed or dropped, and how.
                may("settled", Int),
                may("settled_how", Text),
            ],
        ),
        index("sync_reject_run", "sync_reject", &["run"]),
        index("sync_reject_open", "sync_reject", &["account", "sync_type", "settled", "at"]),
        index("sync_reject_subject", "sync_reject", &["account", "subject"]),
    ]
}
