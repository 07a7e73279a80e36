//! Openings: whoever reads a body, by whatever face and wherever it is kept, leaves one entry in the audit trail first.
//!
//! A mail's body read from its message is a `message.open` on the message. Read from a record it is a `record.open` on the
//! record and, when the record is a filed mail, a `message.open` on its message, so that both can be asked who looked.

use std::fmt;
use std::str::FromStr;

use futures_util::FutureExt;
use jiff::SignedDuration;
use postroom_core::{Fault, MailId, Record, RecordRef};
use postroom_store::sql::{Condition, Expr, ExprTrait, Query};
use postroom_store::{Error, Row};
use uuid::Uuid;

use crate::{Actor, Operations, audit};

pub(crate) const MESSAGE_OPEN: &str = "message.open";
const RECORD_OPEN: &str = "record.open";

/// How long the parts of an opened page may be fetched under the page's own entry: as long as an idle session lives.
const LIFE: SignedDuration = SignedDuration::from_mins(30);

/// An opening that stands in the audit trail. The requests for the parts of a page carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening(Uuid);

impl fmt::Display for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Opening {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Opening)
    }
}

impl Operations {
    /// The opening that reading `part` of a message belongs to: `under`, when this caller made it for this message not
    /// long ago; else a new one.
    pub(crate) async fn opening(
        &self,
        actor: &Actor,
        id: MailId,
        part: &str,
        under: Option<Opening>,
    ) -> Result<Opening, Fault> {
        if let Some(opening) = under
            && self.is_open(actor, id, opening).await?
        {
            return Ok(opening);
        }
        let opening = Opening(self.0.ids.next());
        let entry = audit::Entry::new(actor, self.0.clock.now(), MESSAGE_OPEN, id, part);
        self.record_audits(vec![(opening.0, entry)]).await?;
        Ok(opening)
    }

    async fn is_open(&self, actor: &Actor, id: MailId, opening: Opening) -> Result<bool, Fault> {
        let select = Query::select()
            .column("id")
            .from("audit")
            .and_where(Expr::col("id").eq(opening.0))
            .and_where(Expr::col("actor").eq(actor.name.clone()))
            .and_where(Expr::col("action").eq(MESSAGE_OPEN))
            .and_where(Expr::col("object").eq(id.to_string()))
            .and_where(Expr::col("at").gt((self.0.clock.now() - LIFE).as_microsecond()))
            .to_owned();
        let row = self.0.store.read(move |tx| async move { tx.query_one(&select).await }.boxed()).await;
        row.map(|row: Option<Row>| row.is_some()).map_err(|error: Error| Fault::from(error))
    }

    /// Notes that `columns` of a record are read. `email` is the row of the e-mail that the record is, or belongs to.
    pub(crate) async fn open_record(
        &self,
        actor: &Actor,
        at: &RecordRef,
        columns: &[&str],
        email: Option<&Record>,
    ) -> Result<(), Fault> {
        let (columns, now) = (columns.join(", "), self.0.clock.now());
        let mut entries = vec![(self.0.ids.next(), audit::Entry::new(actor, now, RECORD_OPEN, at, &columns))];
        let message = match email {
            Some(email) => self.message_filed_as(email).await?,
            None => None,
        };
        if let Some(message) = message {
            let detail = format!("{columns} of {at}");
            let entry = audit::Entry::new(actor, now, MESSAGE_OPEN, message, &detail);
            entries.push((self.0.ids.next(), entry));
        }
        self.record_audits(entries).await
    }

    /// The message whose activity this e-mail is. Asked by what is indexed: its Message-ID, or the record it is filed at.
    pub(crate) async fn message_filed_as(&self, email: &Record) -> Result<Option<MailId>, Fault> {
        let header = email.text("messageid").map(|id| id.trim_matches(['<', '>']).to_owned());
        let record = email.lookup("regardingobjectid").map(|record| record.id);
        if header.is_none() && record.is_none() {
            return Ok(None);
        }
        let mut known = Condition::any();
        if let Some(header) = header {
            known = known.add(Expr::col("header_id").eq(header));
        }
        if let Some(record) = record {
            known = known.add(Expr::col("record_id").eq(record));
        }
        let activity = Expr::col("activity_id").eq(email.at.id);
        let select = Query::select()
            .column("id")
            .from("message")
            .and_where(activity)
            .cond_where(known)
            .limit(1)
            .to_owned();
        let row = self.0.store.read(move |tx| async move { tx.query_one(&select).await }.boxed()).await;
        let id = row.and_then(|row: Option<Row>| row.map(|row| row.at(0)).transpose());
        Ok(id.map_err(|error: Error| Fault::from(error))?.map(MailId))
    }
}
