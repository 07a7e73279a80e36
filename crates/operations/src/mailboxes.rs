//! Mailboxes as configured, with what came through them.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::Fault;
use postroom_store::sql::{Expr, Func, Query};
use postroom_store::{Error, Row};
use postroom_tracking::rules::{Mailbox, OnUnmatched, Track};
use serde::Serialize;

use crate::{Actor, Operations, Permission};

/// One mailbox in a list.
#[derive(Debug, Clone, Serialize)]
pub struct MailboxView {
    pub name: String,
    pub addresses: Vec<String>,
    pub track: &'static str,
    pub on_unmatched: &'static str,
    pub record: Option<String>,
    /// `healthy`, or `waiting` while nothing has come yet.
    pub state: &'static str,
    pub messages: u64,
    pub last_received_at: Option<Timestamp>,
}

impl Operations {
    pub async fn mailboxes(&self, actor: &Actor) -> Result<Vec<MailboxView>, Fault> {
        actor.needs(Permission::Read)?;
        let select = Query::select()
            .column("mailbox")
            .expr(Func::count(Expr::col("id")))
            .expr(Func::max(Expr::col("received_at")))
            .from("message")
            .group_by_col("mailbox")
            .to_owned();
        let rows = self.0.store.read(move |tx| async move { tx.query(&select).await }.boxed()).await;
        let read = |row: &Row| -> Result<(String, u64, Option<Timestamp>), Error> {
            Ok((row.at(0)?, row.at(1)?, row.at(2)?))
        };
        let seen: Result<Vec<_>, Error> = rows.and_then(|rows: Vec<Row>| rows.iter().map(read).collect());
        let seen = seen.map_err(Fault::from)?;
        let rules = self.rules();
        let all = rules.mailboxes.iter().chain([&rules.fallback]);
        Ok(all.map(|mailbox| view(mailbox, seen.iter().find(|(name, ..)| *name == mailbox.name))).collect())
    }
}

fn view(mailbox: &Mailbox, seen: Option<&(String, u64, Option<Timestamp>)>) -> MailboxView {
    MailboxView {
        name: mailbox.name.clone(),
        addresses: mailbox.addresses.clone(),
        track: match mailbox.track {
            Track::All => "all",
            Track::Replies => "replies",
            Track::Known => "known",
            Track::None => "none",
        },
        on_unmatched: match mailbox.on_unmatched {
            OnUnmatched::Review => "review",
            OnUnmatched::Activity => "activity",
            OnUnmatched::CreateLead => "create_lead",
            OnUnmatched::CreateContact => "create_contact",
            OnUnmatched::Skip => "skip",
        },
        record: mailbox.record.as_ref().map(ToString::to_string),
        state: if seen.is_some() { "healthy" } else { "waiting" },
        messages: seen.map_or(0, |(_, count, _)| *count),
        last_received_at: seen.and_then(|(.., last)| *last),
    }
}
