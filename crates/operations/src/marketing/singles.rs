//! Mails to single people, and people put into programs: where each stands, and what became of one whose answer was lost.

use std::fmt;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{Code, Fault, RecordRef};
use postroom_marketing::sends::Decision;
use postroom_marketing::sends::single::row::{self, Kind, Single, State};
use postroom_store::Error;
use postroom_store::sql::{Expr, ExprTrait, Order};
use serde::Serialize;
use uuid::Uuid;

use super::Duty;
use crate::{Actor, Operations, audit};

/// What [`SingleView::state`] can be.
pub const SINGLE_STATES: [&str; 7] = ["requested", "intent", "made", "done", "blocked", "failed", "unknown"];

/// Which are listed, those asked for last first.
#[derive(Debug, Clone, Default)]
pub struct SinglesWanted {
    pub account: Option<String>,
    /// One of [`SINGLE_STATES`].
    pub state: Option<String>,
    /// Those behind this one.
    pub after: Option<Uuid>,
    pub limit: u64,
}

/// What a person found out about one whose answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SingleAnswer {
    /// It was done.
    Found,
    /// It was not.
    Unsent,
}

impl fmt::Display for SingleAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SingleAnswer::Found => "found",
            SingleAnswer::Unsent => "unsent",
        })
    }
}

/// One single send.
#[derive(Debug, Clone, Serialize)]
pub struct SingleView {
    /// The row `esc_emailsinglesend` in the CRM.
    pub id: Uuid,
    pub account: String,
    /// `marketing`, `transactional`, `program`.
    pub kind: &'static str,
    /// `requested`, `intent` (the call is being made), `made` (into a program, not confirmed yet), `done`, `blocked` (the person may
    /// not be mailed), `failed`, `unknown` (the answer was lost).
    pub state: &'static str,
    /// Where it stands, and why, in one sentence.
    pub text: String,
    /// Empty until it is known.
    pub address: String,
    pub record: Option<RecordRef>,
    /// The number of the campaign, or of the program.
    pub target: Option<i64>,
    /// When the call was about to be made.
    pub intent: Option<Timestamp>,
    /// Who said what became of a lost answer.
    pub decided_by: Option<String>,
    /// What may be ordered now: `found`, `unsent`.
    pub orders: Vec<&'static str>,
}

/// A decision that was carried out, or would be.
#[derive(Debug, Clone, Serialize)]
pub struct SingleChange {
    pub order: String,
    /// As it then stands.
    pub single: SingleView,
    pub dry_run: bool,
}

impl From<Single> for SingleView {
    fn from(single: Single) -> Self {
        let text = text(&single);
        let orders = if single.state == State::Unknown { vec!["found", "unsent"] } else { Vec::new() };
        SingleView {
            id: single.id,
            account: single.account,
            kind: single.kind.as_str(),
            state: single.state.as_str(),
            text,
            address: single.person,
            record: single.details.record,
            target: single.details.target,
            intent: single.details.intent,
            decided_by: single.details.decided,
            orders,
        }
    }
}

fn text(single: &Single) -> String {
    let program = single.kind == Kind::Program;
    let said = single.details.error.clone();
    match single.state {
        State::Requested => said.unwrap_or_else(|| "It goes as soon as it may.".to_owned()),
        State::Intent => "It is being handed over.".to_owned(),
        State::Made => "The service has yet to say whether the program took the person.".to_owned(),
        State::Done if program => "The person is in the program.".to_owned(),
        State::Done => "The service took it.".to_owned(),
        State::Blocked => said.unwrap_or_else(|| "The person may not be mailed.".to_owned()),
        State::Failed => said.unwrap_or_else(|| "It was not done.".to_owned()),
        State::Unknown => {
            let why = said.unwrap_or_else(|| "the answer was lost".to_owned());
            format!(
                "Nobody knows whether it was done: {why}. It is not repeated; look at the service, then say which."
            )
        }
    }
}

impl Operations {
    /// Single sends, those asked for last first.
    pub async fn singles(&self, actor: &Actor, wanted: SinglesWanted) -> Result<Vec<SingleView>, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        if let Some(account) = &wanted.account {
            self.of_account(account)?;
        }
        let read = self.marketing()?.store.read(move |tx| {
            async move {
                let mut select = row::select();
                select.order_by("id", Order::Desc).limit(wanted.limit);
                if let Some(account) = wanted.account {
                    select.and_where(Expr::col("account").eq(account));
                }
                if let Some(state) = wanted.state {
                    select.and_where(Expr::col("state").eq(state));
                }
                if let Some(after) = wanted.after {
                    select.and_where(Expr::col("id").lt(after));
                }
                row::load(tx, &select).await
            }
            .boxed()
        });
        let singles: Result<Vec<Single>, Error> = read.await;
        Ok(singles?.into_iter().map(SingleView::from).collect())
    }

    /// One single send.
    pub async fn single(&self, actor: &Actor, id: Uuid) -> Result<SingleView, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        Ok(self.known_single(id).await?.into())
    }

    /// Says what became of a single send whose answer was lost. Nothing is sent by it. Whoever may ask for such a send may
    /// decide about one.
    pub async fn decide_single(
        &self,
        actor: &Actor,
        id: Uuid,
        answer: SingleAnswer,
        dry_run: bool,
    ) -> Result<SingleChange, Fault> {
        self.needs_duty(actor, Duty::SendSingle).await?;
        if self.known_single(id).await?.kind != Kind::Marketing {
            self.needs_duty(actor, Duty::Send).await?;
        }
        let engine = self.marketing()?;
        let decision = match answer {
            SingleAnswer::Found => Decision::Found,
            SingleAnswer::Unsent => Decision::Unsent,
        };
        let decided = engine.decide_single(id, &actor.name, decision, dry_run).await?;
        if !dry_run {
            let action = format!("single.{answer}");
            self.record_audit(audit::Entry::new(actor, engine.clock.now(), &action, id, "")).await?;
        }
        Ok(SingleChange { order: answer.to_string(), single: decided.into(), dry_run })
    }

    async fn known_single(&self, id: Uuid) -> Result<Single, Fault> {
        let read = self.marketing()?.store.read(move |tx| async move { row::these(tx, &[id]).await }.boxed());
        let found: Result<Vec<Single>, Error> = read.await;
        found?.pop().ok_or_else(|| {
            let text = format!(
                "no single send {id}: one that was just asked for is there after the next run of sends"
            );
            Fault::reject(Code::API_NOT_FOUND, text)
        })
    }
}
