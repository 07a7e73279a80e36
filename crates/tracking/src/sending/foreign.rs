//! Mail of senders that somebody else serves: Microsoft's server-side synchronisation sends for some users while postroom sends
//! for others, and both find what they send in *Pending Send*.
//!
//! Such a mail is held by a row of ours, so that it is seen and not read again with every look, and nothing of it is written to
//! the CRM. The row goes as soon as the CRM wants the mail sent no more, and is judged anew when the senders that are ours
//! change.

use std::collections::HashSet;

use futures_util::FutureExt;
use postroom_core::{Fault, MailState};
use postroom_store::Error;
use postroom_store::sql::{Expr, ExprTrait, Query};
use uuid::Uuid;

use super::entry::{Entry, Hold};
use super::{Sending, guard, ledger};
use crate::settings;

/// The setting that keeps by which senders they were judged.
const SENDERS: &str = "outgoing_senders";

/// Judges them anew when other senders are ours than before.
pub(super) async fn reconsider(sending: &Sending) -> Result<(), Fault> {
    let mark = guard::senders_mark(&sending.rules, &sending.options);
    if settings::get(&sending.store, SENDERS).await?.as_ref() == Some(&mark) {
        return Ok(());
    }
    sending.free(Hold::Foreign, "The senders that are ours have changed.").await?;
    settings::set(&sending.store, SENDERS, mark).await?;
    Ok(())
}

/// Forgets those that are not among `pending`, all that the CRM wants sent: somebody has sent them, or taken them back.
pub(super) async fn forget(sending: &Sending, pending: HashSet<Uuid>) -> Result<(), Fault> {
    let held = held(sending, Hold::Foreign).await?;
    let gone: Vec<Uuid> =
        held.iter().filter(|entry| !pending.contains(&entry.activity)).map(|entry| entry.id.0).collect();
    if gone.is_empty() {
        return Ok(());
    }
    let unit = sending.store.write("mail.foreign_gone", move |tx| {
        async move {
            for some in gone.chunks(256) {
                let delete = Query::delete()
                    .from_table("outgoing")
                    .and_where(Expr::col("id").is_in(ledger::padded(some.to_vec())))
                    .and_where(Expr::col("state").eq(MailState::Held.as_str()))
                    .and_where(Expr::col("hold").eq(Hold::Foreign.as_str()))
                    .to_owned();
                tx.execute(&delete).await?;
            }
            Ok(())
        }
        .boxed()
    });
    let forgotten: Result<(), Error> = unit.await;
    Ok(forgotten?)
}

/// The mails that are held for this reason.
pub(super) async fn held(sending: &Sending, hold: Hold) -> Result<Vec<Entry>, Fault> {
    let mut select = ledger::select();
    select
        .and_where(Expr::col("state").eq(MailState::Held.as_str()))
        .and_where(Expr::col("hold").eq(hold.as_str()));
    let held: Result<Vec<Entry>, Error> =
        sending.store.read(move |tx| async move { ledger::load(tx, &select).await }.boxed()).await;
    Ok(held?)
}
