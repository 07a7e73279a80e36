//! Taking back what a run wrote on the CRM's records (`marketing sync undo`).
//!
//! # Design
//!
//! * [`written`] is the ledger. A flow that is about to change columns, make records or change memberships says so first
//!   ([`written::intend`]); how much is kept, and how long, are [`crate::engine::Rules::undo_rows`] and `undo_age`.
//! * An undo is a run of its own, of the same sync type, so that it never works beside one ([`Engine::undo`]). It goes through the
//!   ledger from the end ([`back`]): a value goes back only if the record still has what the run wrote ([`compare`]), and only
//!   if nobody changes the record meanwhile. What was changed since is left, and said. It keeps its own writes in the
//!   ledger: an undo can be undone.
//! * Mapped fields go back at the service, too ([`service`]); memberships travel there with the next run of `lists`. What a run sent
//!   to the service over something else is not known, and stays.
//! * Consent never goes back (P6, P7): neither opt-outs nor opt-in types, and nobody who opted out joins a list again. Records that
//!   the run made stay: deleting them would delete the people at the service with the next run.

mod back;
mod compare;
mod members;
mod service;
pub mod written;

use futures_util::FutureExt;
use postroom_core::{Code, Fault, RecordRef, RunId};
use postroom_store::sql::{Expr, ExprTrait, Order};
use postroom_store::{Error, Tx};

use crate::engine::Engine;
use crate::sync::run::{self, Run, RunState};
use crate::sync::{Counts, Halt, SyncType, Turn, plan};
pub use written::Kept;

/// Writes that are shown one by one.
pub const SHOWN: usize = 200;

/// A write that stays as it is, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    pub record: RecordRef,
    pub why: String,
}

/// What an undo came to, or would.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Undone {
    pub counts: Counts,
    /// At most [`SHOWN`]; the counts say how many there are.
    pub left: Vec<Left>,
}

/// The flow of a run that takes another one back.
///
/// # Errors
/// Those of both sides and of the store. What was taken back until then stays so, and the same order again goes on.
pub(crate) async fn run(turn: &mut Turn, undone: RunId) -> Result<(), Halt> {
    Box::pin(back::run(turn, undone)).await.map(drop)
}

impl Engine {
    /// What taking back a run would do. Nothing is written; the CRM is read.
    ///
    /// # Errors
    /// A refusal says why the run cannot be taken back; else those of the CRM and of the store.
    pub async fn would_undo(&self, id: RunId) -> Result<Undone, Fault> {
        let run = self.store.read(move |tx| async move { fit(tx, id).await }.boxed());
        let run: Result<Result<Run, Fault>, Error> = run.await;
        let run = run??;
        let mut turn = self.trial(&run.account, run.sync_type).await?;
        match Box::pin(back::run(&mut turn, id)).await {
            Ok(left) => Ok(Undone { counts: turn.counts, left }),
            Err(Halt::Fault(fault)) => Err(fault),
            Err(Halt::Asks(question)) => Err(Fault::reject(Code::MARKETING_STATE, question)),
        }
    }

    /// Begins a run that takes another one back, in the name of `who`.
    ///
    /// # Errors
    /// A refusal says why that cannot be, or that a run of the kind is on its way.
    pub async fn undo(&self, id: RunId, who: &str) -> Result<RunId, Fault> {
        let (ids, now, who) = (self.ids.clone(), self.clock.now(), who.to_owned());
        let unit = self.store.write("marketing.undo_asked", move |tx| {
            async move {
                let undone = match fit(tx, id).await? {
                    Ok(undone) => undone,
                    Err(refusal) => return Ok(Err(refusal)),
                };
                let fresh = plan::fresh(&ids, &undone.account, undone.sync_type, who, now);
                let undo = Run { undoes: Some(id), ..fresh };
                Ok(match plan::start(tx, &ids, now, &undo).await? {
                    true => Ok(undo.id),
                    false => Err(Fault::reject(
                        Code::MARKETING_STATE,
                        format!(
                            "a run of {} is on its way; order the undo again when it has ended",
                            undone.sync_type
                        ),
                    )),
                })
            }
            .boxed()
        });
        let begun: Result<Result<RunId, Fault>, Error> = unit.await;
        let begun = begun??;
        self.store.wake();
        Ok(begun)
    }
}

/// The run, if it can be taken back.
async fn fit(tx: &mut Tx, id: RunId) -> Result<Result<Run, Fault>, Error> {
    let refused = |text: String| Ok(Err(Fault::reject(Code::MARKETING_STATE, text)));
    let Some(run) = run::one(tx, id).await? else {
        return Ok(Err(Fault::reject(Code::API_NOT_FOUND, format!("no run {id}"))));
    };
    if run.state == RunState::Running {
        return refused(format!("{id} still runs: wait until it has ended"));
    }
    if written::kept(tx, id).await?.is_none() {
        return refused(format!("nothing of {id} can be taken back: {}", nothing(&run)));
    }
    Ok(Ok(run))
}

/// Why nothing of a run is kept.
fn nothing(run: &Run) -> &'static str {
    match run.sync_type {
        SyncType::Suppressions | SyncType::Unsubscribes | SyncType::Preferences => {
            "opt-outs and other words about consent are only ever added to"
        }
        SyncType::Contacts | SyncType::Lists | SyncType::Forms => {
            "it changed no record of the CRM, or what it wrote is older or more than `marketing.undo_age` and `marketing.undo_rows` keep"
        }
        _ => {
            "it writes the connector's own rows and the service's figures only, which the next run writes again"
        }
    }
}

/// The run that took this one back last, of those that are kept.
///
/// # Errors
/// The store's.
pub async fn undone_by(tx: &mut Tx, id: RunId) -> Result<Option<Run>, Error> {
    let mut by = run::select();
    by.clear_order_by().order_by("id", Order::Desc).and_where(Expr::col("undoes").eq(id.0)).limit(1);
    Ok(run::load(tx, &by).await?.pop())
}

/// The undo of a run that came before this one.
async fn undo_before(tx: &mut Tx, undone: RunId, own: RunId) -> Result<Option<RunId>, Error> {
    let mut by = run::select();
    by.clear_order_by().order_by("id", Order::Desc).and_where(Expr::col("undoes").eq(undone.0));
    by.and_where(Expr::col("id").lt(own.0)).limit(1);
    Ok(run::load(tx, &by).await?.pop().map(|run| run.id))
}
