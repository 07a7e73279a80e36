//! Opt-outs from an account, both ways (marketing-sync.md 9; design.md P7).
//!
//! # Design
//!
//! The table `suppression` is what a gate reads; the ledger ([`crate::consent::ledger`]) is what was said. Each reading of a
//! side adds to both in one unit with its mark; telling the *other* side is a separate step, driven by the columns
//! `told_crm` and `told_service` of each row, so a crash between the two is no loss: the row is still to be told.
//!
//! 1. [`incoming`]: everything that the service suppressed since the mark less an overlap; the first time since 1970.
//! 2. [`gather`]: what the CRM says: rows of `esc_emailsupression` that users made, and records with `donotbulkemail`,
//!    `donotemail` or `donotsendmm`.
//!    A record that came to have a suppressed address is to be told as well.
//! 3. [`tell_crm`]: `donotbulkemail` on every record with the address, and a row of `esc_emailsupression`.
//! 4. [`tell_service`]: `unsubscribe`, which also takes addresses that the service does not know.
//! 5. The exchange is noted with the moment at which it *began*, by both clocks: what came later is not in it.
//!
//! What a person said of one address counts for those that the person has now ([`crate::consent::carry`]).
//!
//! A suppression is lifted only by explicit, newer, dated consent ([`lift`]), never because a row or flag is gone. A
//! service that keeps it all the same makes it active again. [`mod@file`] reads and writes lists of them.

pub mod file;
pub mod gather;
pub mod hand;
pub mod incoming;
mod let_back;
pub mod lift;
pub mod rows;
pub mod tell_crm;
pub mod tell_service;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_store::Error;
use postroom_store::sql::{Expr, ExprTrait, Query};

use crate::accounts;
use crate::people::Flags;
use crate::solution::options::Set;
use crate::sync::{Halt, Turn};

/// What a suppression changes on the CRM's records (`esc_onsuppress`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnSuppress {
    Nothing,
    #[default]
    BulkEmail,
    Email,
    Both,
}

impl OnSuppress {
    /// The columns that become true.
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            OnSuppress::Nothing => &[],
            OnSuppress::BulkEmail => &["donotbulkemail"],
            OnSuppress::Email => &["donotemail"],
            OnSuppress::Both => &["donotbulkemail", "donotemail"],
        }
    }

    /// The option of `esc_onsuppress`.
    pub fn option(self) -> i32 {
        let label = match self {
            OnSuppress::Nothing => "Do nothing",
            OnSuppress::BulkEmail => "Set donotbulkemail",
            OnSuppress::Email => "Set donotemail",
            OnSuppress::Both => "Set both",
        };
        Set::OnSuppress.value(label).expect("a label of the set")
    }

    /// Whether a record says all that a suppression would make it say.
    fn is_set(self, flags: Flags) -> bool {
        match self {
            OnSuppress::Nothing => true,
            OnSuppress::BulkEmail => flags.do_not_bulk_email,
            OnSuppress::Email => flags.do_not_email,
            OnSuppress::Both => flags.do_not_bulk_email && flags.do_not_email,
        }
    }
}

/// The flow: both sides read, both sides told.
///
/// # Errors
/// Faults of either side; what was stored until then stays. A question when very many would be told to a
/// side.
pub async fn run(turn: &mut Turn) -> Result<(), Halt> {
    let began = turn.now();
    let name = turn.account.name.clone();
    let known = turn.read(move |tx| async move { accounts::known(tx, &name).await }.boxed()).await?;
    let first = known.first_exchange.is_none();
    let there = incoming::read(turn).await?;
    turn.engine.read_people().await?;
    gather::rows(turn).await?;
    gather::flags(turn).await?;
    exchanged(turn, (began, there)).await?;
    // A question or fault of the one side keeps nothing from the other.
    let crm = tell_crm::run(turn, first).await;
    tell_service::run(turn).await?;
    crm
}

/// Notes that both sides have been read whole, as of `began`, by our clock and by the service's.
async fn exchanged(turn: &mut Turn, (began, there): (Timestamp, Timestamp)) -> Result<(), Error> {
    let name = turn.account.name.clone();
    let stored = turn.page("marketing.exchanged", move |tx, _| {
        async move {
            let began = began.as_microsecond();
            let mut update = Query::update();
            update
                .table("sync_account")
                .value("exchanged", began)
                .value("exchanged_there", there.as_microsecond())
                .and_where(Expr::col("name").eq(name.as_str()));
            tx.execute(&update).await?;
            let mut first = Query::update();
            first
                .table("sync_account")
                .value("first_exchange", began)
                .and_where(Expr::col("name").eq(name.as_str()))
                .and_where(Expr::col("first_exchange").is_null());
            tx.execute(&first).await.map(drop)
        }
        .boxed()
    });
    stored.await
}
