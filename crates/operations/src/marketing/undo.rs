//! Taking back what a run wrote on the CRM's records: what it would do, ordering it, and the receipt.
//!
//! The order begins a run of its own, done by the server that stays; the receipt tells what it came to.

use futures_util::FutureExt;
use postroom_core::{Fault, RecordRef, RunId};
use postroom_marketing::sync::{Run, run};
use postroom_marketing::undo::{self, Kept, SHOWN, written};
use postroom_store::Error;
use serde::Serialize;

use super::Duty;
use super::views::CountsView;
use crate::{Actor, Operations, audit};

/// What an undo came to, or would.
#[derive(Debug, Clone, Serialize)]
pub struct UndoReport {
    /// The run that is taken back.
    pub run: RunId,
    pub account: String,
    #[serde(rename = "type")]
    pub sync_type: &'static str,
    /// The run that takes it back; null while nobody ordered one.
    pub undo: Option<RunId>,
    /// The state of that run.
    pub state: Option<&'static str>,
    /// Writes of the run that are kept; 0 when nothing can be taken back.
    pub kept: u64,
    /// False when the run wrote more than is kept.
    pub whole: bool,
    /// Null while nobody looked.
    pub counts: Option<CountsView>,
    /// Writes that stay as they are, at most 200; the counts say how many there are.
    pub left: Vec<LeftWrite>,
    /// What no undo takes back, in sentences.
    pub stays: Vec<String>,
    pub dry_run: bool,
}

/// A write that stays as it is.
#[derive(Debug, Clone, Serialize)]
pub struct LeftWrite {
    pub record: RecordRef,
    pub why: String,
}

impl Operations {
    /// Takes back what a run wrote on the CRM's records, where it still is what the run wrote. A trial reads the CRM and writes
    /// nothing.
    ///
    /// # Errors
    /// A refusal says why nothing of the run can be taken back, or that a run of its type is under way.
    pub async fn undo_run(&self, actor: &Actor, id: RunId, dry_run: bool) -> Result<UndoReport, Fault> {
        self.needs_duty(actor, Duty::Sync).await?;
        let found = self.run(actor, id).await?;
        let engine = self.of_account(&found.account)?;
        if dry_run {
            let would = engine.would_undo(id).await?;
            let mut report = self.undo_receipt(actor, id).await?;
            let left = would.left.into_iter().map(|left| LeftWrite { record: left.record, why: left.why });
            (report.left, report.counts) = (left.collect(), Some(CountsView::from(&would.counts)));
            (report.undo, report.state, report.dry_run) = (None, None, true);
            return Ok(report);
        }
        let begun = engine.undo(id, &actor.name).await?;
        let detail = format!("{} of {} by {begun}", found.sync_type, found.account);
        self.record_audit(audit::Entry::new(actor, engine.clock.now(), "marketing.undo", id, &detail))
            .await?;
        self.undo_receipt(actor, id).await
    }

    /// What the last undo of a run came to, and what of the run is kept for one.
    pub async fn undo_receipt(&self, actor: &Actor, id: RunId) -> Result<UndoReport, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        let of = self.run(actor, id).await?;
        let read = self.marketing()?.store.read(move |tx| {
            async move {
                let run = run::one(tx, id).await?;
                let by = undo::undone_by(tx, id).await?;
                let left = written::left(tx, id, SHOWN as u64).await?;
                Ok((run, by, left, written::kept(tx, id).await?))
            }
            .boxed()
        });
        type Found = (Option<Run>, Option<Run>, Vec<written::Row>, Option<Kept>);
        let found: Result<Found, Error> = read.await;
        let (run, by, left, kept) = found?;
        let left = left
            .into_iter()
            .map(|row| LeftWrite { record: row.write.record, why: row.why.unwrap_or_default() });
        Ok(UndoReport {
            run: id,
            account: of.account,
            sync_type: of.sync_type,
            undo: by.as_ref().map(|by| by.id),
            state: by.as_ref().map(|by| by.state.as_str()),
            kept: kept.map_or(0, |kept| kept.rows),
            whole: kept.is_none_or(|kept| kept.whole),
            counts: by.as_ref().map(|by| CountsView::from(&by.counts)),
            left: left.collect(),
            stays: run.as_ref().map(|run| stays(run, kept)).unwrap_or_default(),
            dry_run: false,
        })
    }
}

/// What no undo of this run takes back.
fn stays(run: &Run, kept: Option<Kept>) -> Vec<String> {
    let mut stays = Vec::new();
    let sent = run.counts.to_service.sent;
    if sent > 0 {
        stays.push(format!(
            "The run sent {sent} people to the service. What it overwrote there is not known, so it stays; the mapped fields that go back here go back there too."
        ));
    }
    stays.push("Opt-outs and opt-in types stay: what was said about consent is never taken back.".to_owned());
    if kept.is_some_and(|kept| !kept.whole) {
        stays.push(
            "The run wrote more than is kept (marketing.undo_rows): only its first writes can go back."
                .to_owned(),
        );
    }
    stays
}
