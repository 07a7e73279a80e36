//! Sends in a database that came from a backup. What stands there as not sent may have gone out since, and is not repeated: a
//! person looks at the service and says what became of it.
//!
//! A campaign's send begins anew and asks; when it goes on, it reads whom the service shows as mailed ([`super::mailed`]). A mail
//! to one person, or somebody put into a program, is *unknown*. The same goes for request rows that were made before the database
//! came back and are read only now.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{Fault, Ids, Record, Value};
use postroom_store::sql::{Expr, ExprTrait};
use postroom_store::{Error, Tx};
use serde::{Deserialize, Serialize};

use super::row::{self, CampaignSend};
use super::single::row::{self as singles, Single, State as SingleState};
use super::state::{Event, State};
use crate::engine::Engine;
use crate::sync::cursor::{self, Cursor};

const QUESTION: &str = "the database came back from a backup, and this send may have gone out since; look at the campaign's report at the service, then go on, or cancel it";
const ERROR: &str = "the database came back from a backup, and this may have been done since; look at the service, then say what became of it";
/// What waits for a person's word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Asked {
    pub sends: u64,
    pub singles: u64,
}

/// When the database came back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::sends) struct Restored(Option<Timestamp>);

impl Restored {
    /// Whether a request row was made before that.
    pub(in crate::sends) fn is_after(self, row: &Record) -> bool {
        match (self.0, row.get("createdon")) {
            (Some(restored), Some(Value::Time(made))) => *made <= restored,
            _ => false,
        }
    }
}

impl Engine {
    /// Makes everything that has not been sent ask first. Doing so again asks again.
    ///
    /// # Errors
    /// The store's.
    pub async fn ask_after_restore(&self) -> Result<Asked, Fault> {
        let (now, ids) = (self.clock.now(), self.ids.clone());
        let accounts: Vec<String> = self.accounts.keys().cloned().collect();
        let unit = self.store.write("marketing.restored", move |tx| {
            async move {
                let mut asked = Asked::default();
                for account in accounts {
                    let mut mark: Cursor<Restored> = cursor::read(tx, &account, "restored").await?;
                    mark.place = Restored(Some(now));
                    mark.write(tx).await?;
                    asked.sends += sends(tx, &ids, &account).await?;
                    asked.singles += of_singles(tx, &account).await?;
                }
                Ok(asked)
            }
            .boxed()
        });
        let asked: Result<Asked, Error> = unit.await;
        Ok(asked?)
    }
}

/// When the database of an account came back, if it ever did.
pub(in crate::sends) async fn when(tx: &mut Tx, account: &str) -> Result<Restored, Error> {
    let mark: Cursor<Restored> = cursor::read(tx, account, "restored").await?;
    Ok(mark.place)
}

async fn sends(tx: &mut Tx, ids: &Ids, account: &str) -> Result<u64, Error> {
    let harmless = State::ALL.into_iter().filter(|state| state.is_harmless());
    let mut open = row::select();
    open.and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("state").is_in(harmless.map(State::as_str)));
    let open = row::load(tx, &open).await?;
    let number = open.len() as u64;
    for mut send in open {
        ask(&mut send);
        // People may have been mailed by its list, and leave by the links of that mail: the list stays as it is.
        (send.list, send.details.list_asked, send.details.token) = (None, false, ids.next());
        row::save(tx, &mut send).await?;
    }
    Ok(number)
}

/// It begins anew, and asks.
pub(in crate::sends) fn ask(send: &mut CampaignSend) {
    send.take(Event::Restored);
    (send.details.question, send.details.ready) = (Some(QUESTION.to_owned()), None);
}

async fn of_singles(tx: &mut Tx, account: &str) -> Result<u64, Error> {
    let mut open = singles::select();
    open.and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("state").eq(SingleState::Requested.as_str()));
    let mut open = singles::load(tx, &open).await?;
    open.iter_mut().for_each(unknown);
    singles::save(tx, &mut open).await?;
    Ok(open.len() as u64)
}

pub(in crate::sends) fn unknown(single: &mut Single) {
    single.end(SingleState::Unknown, Some(ERROR.to_owned()));
}
