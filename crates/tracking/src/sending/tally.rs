//! How many outgoing mails stand where, as far as that is of interest: what has its end is counted only where it ended badly
//! lately.

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use postroom_core::MailState;
use postroom_store::sql::{Expr, ExprTrait, Func, Query};
use postroom_store::{Error, Row, Store};
use serde::Serialize;

use super::entry::Hold;

/// What failed before that is old news: the CRM's users were told of it.
const LATELY: SignedDuration = SignedDuration::from_hours(24);

/// The outgoing mails that are not at their end, and those that ended badly within a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub queued: u64,
    /// Until a person releases them, or safe mode ends.
    pub held: u64,
    /// Left to whoever serves their senders.
    pub foreign: u64,
    pub sending: u64,
    /// Whether they arrived is not known.
    pub unknown: u64,
    /// Within a day.
    pub failed: u64,
    /// Within a day after they were sent: every recipient bounced.
    pub bounced: u64,
}

impl Tally {
    /// Each count with its name.
    pub fn each(&self) -> [(&'static str, u64); 7] {
        [
            ("queued", self.queued),
            ("held", self.held),
            ("foreign", self.foreign),
            ("sending", self.sending),
            ("unknown", self.unknown),
            ("failed", self.failed),
            ("bounced", self.bounced),
        ]
    }
}

/// Counts them.
pub async fn tally(store: &Store, now: Timestamp) -> Result<Tally, Error> {
    let since = now.checked_sub(LATELY).unwrap_or(Timestamp::MIN).as_microsecond();
    let open = [MailState::Queued, MailState::Held, MailState::Sending, MailState::Unknown];
    let over = [MailState::Failed, MailState::Bounced];
    let words = |states: &[MailState]| states.iter().map(|state| state.as_str()).collect::<Vec<_>>();
    let lately = Expr::col("state").is_in(words(&over)).and(Expr::col("finished_at").gt(since));
    let select = Query::select()
        .columns(["state", "hold"])
        .expr(Func::count(Expr::col("id")))
        .from("outgoing")
        .and_where(Expr::col("state").is_in(words(&open)).or(lately))
        .group_by_columns(["state", "hold"])
        .to_owned();
    let rows: Vec<Row> = store.read(move |tx| async move { tx.query(&select).await }.boxed()).await?;
    let mut tally = Tally::default();
    for row in &rows {
        let (state, hold, count): (String, Option<String>, u64) = (row.at(0)?, row.at(1)?, row.at(2)?);
        let is_foreign = hold.as_deref() == Some(Hold::Foreign.as_str());
        match state.parse() {
            Ok(MailState::Queued) => tally.queued += count,
            Ok(MailState::Held) if is_foreign => tally.foreign += count,
            Ok(MailState::Held) => tally.held += count,
            Ok(MailState::Sending) => tally.sending += count,
            Ok(MailState::Unknown) => tally.unknown += count,
            Ok(MailState::Failed) => tally.failed += count,
            Ok(MailState::Bounced) => tally.bounced += count,
            _ => {}
        }
    }
    Ok(tally)
}
