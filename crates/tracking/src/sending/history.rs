//! The history of attempts: a row for each intent, completed by its answer.
//!
//! It is written in the units of the steps that exist, so it says nothing that the mail's own row does not stand for. A row
//! without an end is an attempt whose answer is lost, or still on its way.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::MailId;
use postroom_store::sql::{Asterisk, Expr, ExprTrait, Func, Order, Query, Value};
use postroom_store::{Error, Store, Tx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::entry::{Entry, Recipient};
use super::ledger::upsert;

/// Characters of a server's words that are kept of one recipient.
const TEXT: usize = 200;
/// Recipients whose answers are kept of one attempt, the first ones.
const ANSWERS: usize = 100;
/// Attempts that are shown, the newest.
const SHOWN: u64 = 100;

/// How an attempt ended, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The mail server answered for each recipient; what it said stands there.
    Answered,
    /// Nobody has the mail: no connection, no sign-in, or it was not taken at all.
    Failed,
    /// Somebody may have it: the answer is lost.
    Unknown,
}

impl Ending {
    pub fn as_str(self) -> &'static str {
        match self {
            Ending::Answered => "answered",
            Ending::Failed => "failed",
            Ending::Unknown => "unknown",
        }
    }

    fn of(text: &str) -> Option<Ending> {
        [Ending::Answered, Ending::Failed, Ending::Unknown].into_iter().find(|ending| ending.as_str() == text)
    }
}

/// What one recipient was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The recipient's place in the mail. No address: it stands with the recipients, and is erased there.
    pub place: usize,
    pub code: Option<u16>,
    pub status: Option<String>,
    pub text: String,
}

/// One attempt to hand a mail over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub mail: MailId,
    /// From 1.
    pub number: u32,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
    /// The mail server asked.
    pub host: String,
    /// `None` while nothing is known.
    pub ending: Option<Ending>,
    /// What went wrong, when no recipient was answered.
    pub text: String,
    pub answers: Vec<Said>,
}

impl Attempt {
    /// The intent, as `entry` has it.
    pub(super) fn begun(entry: &Entry, host: String) -> Attempt {
        Attempt {
            mail: entry.id,
            number: entry.attempts,
            started: entry.sending_at.unwrap_or(entry.first_at),
            ended: None,
            host,
            ending: None,
            text: String::new(),
            answers: Vec::new(),
        }
    }

    pub(super) fn ended(self, ending: Ending, at: Timestamp, text: &str) -> Attempt {
        let text = text.chars().filter(|c| !c.is_control()).take(TEXT).collect();
        Attempt { ending: Some(ending), ended: Some(at), text, ..self }
    }

    /// Nobody knows when it ended, or how.
    pub(super) fn unanswered(self, why: &str) -> Attempt {
        Attempt { ending: Some(Ending::Unknown), text: why.to_owned(), ..self }
    }

    /// With what the recipients that were asked for in this attempt were answered.
    pub(super) fn answered(self, before: &[Recipient], after: &[Recipient], at: Timestamp) -> Attempt {
        let asked = before.iter().zip(after).enumerate().filter(|(_, (before, _))| before.state.is_open());
        let answers = asked.map(|(place, (_, one))| Said {
            place,
            code: one.code,
            status: one.status.clone(),
            text: one.text.chars().take(TEXT).collect(),
        });
        Attempt { answers: answers.take(ANSWERS).collect(), ..self.ended(Ending::Answered, at, "") }
    }
}

const COLUMNS: [&str; 8] = ["outgoing", "number", "started", "ended", "host", "ending", "text", "answers"];

/// Writes attempts, each over its own intent.
pub(super) async fn put<'a>(tx: &mut Tx, attempts: impl Iterator<Item = &'a Attempt>) -> Result<(), Error> {
    let row = |attempt: &Attempt| -> Vec<Value> {
        let answers = serde_json::to_string(&attempt.answers).expect("numbers and texts have a JSON form");
        vec![
            attempt.mail.0.into(),
            i64::from(attempt.number).into(),
            attempt.started.as_microsecond().into(),
            attempt.ended.map(Timestamp::as_microsecond).into(),
            attempt.host.clone().into(),
            attempt.ending.map(|ending| ending.as_str().to_owned()).into(),
            attempt.text.clone().into(),
            answers.into(),
        ]
    };
    upsert(tx, "send_attempt", &COLUMNS, 2, attempts.map(row).collect()).await
}

/// The attempts of a mail, newest first.
pub async fn attempts(store: &Store, mail: MailId) -> Result<Vec<Attempt>, Error> {
    let select = Query::select()
        .columns(COLUMNS)
        .from("send_attempt")
        .and_where(Expr::col("outgoing").eq(mail.0))
        .order_by("number", Order::Desc)
        .limit(SHOWN)
        .to_owned();
    let read = store.read(move |tx| {
        async move {
            let mut found = Vec::new();
            for row in tx.query(&select).await? {
                let (ending, answers): (Option<String>, String) = (row.at(5)?, row.at(7)?);
                found.push(Attempt {
                    mail: MailId(row.at(0)?),
                    number: row.at(1)?,
                    started: row.at(2)?,
                    ended: row.at(3)?,
                    host: row.at(4)?,
                    ending: ending.and_then(|ending| Ending::of(&ending)),
                    text: row.at(6)?,
                    answers: serde_json::from_str(&answers).unwrap_or_default(),
                });
            }
            Ok(found)
        }
        .boxed()
    });
    read.await
}

/// How many attempts began before `before`.
pub(crate) async fn count(tx: &mut Tx, before: Timestamp) -> Result<u64, Error> {
    let select = Query::select()
        .expr(Func::count(Expr::col(Asterisk)))
        .from("send_attempt")
        .and_where(Expr::col("started").lt(before.as_microsecond()))
        .to_owned();
    tx.query_one(&select).await?.map_or(Ok(0), |row| row.at(0))
}

/// Removes the attempts of an erased mail: what was said of its recipients may name them.
pub(crate) async fn erase(tx: &mut Tx, mail: Uuid) -> Result<(), Error> {
    let delete =
        Query::delete().from_table("send_attempt").and_where(Expr::col("outgoing").eq(mail)).to_owned();
    tx.execute(&delete).await.map(drop)
}

/// Removes attempts that began before `before`; answers how many.
pub(crate) async fn purge(tx: &mut Tx, before: Timestamp) -> Result<u64, Error> {
    let delete = Query::delete()
        .from_table("send_attempt")
        .and_where(Expr::col("started").lt(before.as_microsecond()))
        .to_owned();
    tx.execute(&delete).await
}
