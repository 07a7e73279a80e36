//! Runs through the changes of a table.
//!
//! * **Change tracking**: the server keeps account, with deletions. An account that is too old begins again with every row, and
//!   so does one that went back ([`went_back`]).
//! * **Without it**: [`poll`].

use std::sync::PoisonError;

use postroom_core::{ChangesAsk, Clock, CrmChanges, Fault, PeerAnswer, Query};
use serde::{Deserialize, Serialize};

use super::line::Trouble;
use super::{Client, Words};
use crate::promises::place::{known_columns, pack, unpack};
use crate::promises::poll::{self, Polled};
use crate::promises::table;
use crate::refusal::{Refusal, codes};

/// Where a run stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Token<R> {
    Tracked(R),
    Polled(Polled),
}

impl<W: Words> Client<W> {
    pub(super) async fn changes(&self, ask: &ChangesAsk, clock: &Clock) -> Result<CrmChanges, Fault> {
        match ask.since.as_deref().map(unpack::<Token<W::Run>>).transpose()? {
            Some(Token::Polled(run)) => poll::go_on(self, ask, run, clock).await.map(polled::<W::Run>),
            Some(Token::Tracked(run)) => match self.tracked(ask, Some(run)).await {
                Err(Trouble::Refused(refusal)) if refusal.code == codes::EXPIRED => {
                    tracing::info!(event = "crm.changes_expired", table = %ask.table, "The CRM no longer knows what changed in {} since the last run: every row is read", ask.table);
                    self.begin(ask, clock).await
                }
                Err(Trouble::Refused(refusal)) if self.words.no_account(&refusal) => {
                    self.not_tracked(&ask.table);
                    self.begin(ask, clock).await
                }
                answer => answer.map_err(Fault::from),
            },
            None => self.begin(ask, clock).await,
        }
    }

    async fn begin(&self, ask: &ChangesAsk, clock: &Clock) -> Result<CrmChanges, Fault> {
        let metadata = self.metadata(&[&ask.table]).await?;
        if self.tracks(&ask.table, table(&metadata, &ask.table)?.change_tracking) {
            match self.tracked(ask, None).await {
                Err(Trouble::Refused(refusal)) if self.words.no_account(&refusal) => {
                    self.not_tracked(&ask.table);
                }
                answer => return answer.map_err(Fault::from),
            }
        }
        poll::begin(self, ask, clock).await.map(polled::<W::Run>)
    }

    async fn tracked(&self, ask: &ChangesAsk, run: Option<W::Run>) -> Result<CrmChanges, Trouble> {
        let metadata = self.metadata(&[&ask.table]).await.map_err(Trouble::Fault)?;
        let query = Query { columns: ask.columns.clone(), ..Query::of(&ask.table) };
        let known = table(&metadata, &ask.table).and_then(|table| known_columns(table, &query));
        known.map_err(Trouble::Fault)?;
        let (changes, run) = self.words.tracked(&metadata, ask, run).await?;
        Ok(CrmChanges { token: pack(&Token::Tracked(run)), ..changes })
    }

    fn tracks(&self, table: &str, defined: bool) -> bool {
        let mut untracked = self.untracked.lock().unwrap_or_else(PoisonError::into_inner);
        match defined {
            true => untracked.defined.remove(table),
            false => untracked.defined.insert(table.to_owned()),
        };
        self.words.can().change_tracking && defined && !untracked.refused.contains(table)
    }

    /// Whether the server keeps account of every table, as far as is known.
    pub(super) fn tracks_all(&self) -> bool {
        let untracked = self.untracked.lock().unwrap_or_else(PoisonError::into_inner);
        let all = untracked.refused.is_empty() && untracked.defined.is_empty();
        self.words.can().change_tracking && all
    }

    fn not_tracked(&self, table: &str) {
        self.untracked.lock().unwrap_or_else(PoisonError::into_inner).refused.insert(table.to_owned());
    }
}

/// Refuses a token that is behind the one before it: the organisation was put back to an earlier copy, and what was said there
/// until we asked is not among its changes. Tokens begin with the version that the server is at (`919042!08/22/2017 08:10:44`,
/// dataverse.md A14); of others nothing is known.
pub(crate) fn went_back(before: &str, now: &str) -> Result<(), Trouble> {
    let version = |token: &str| token.split_once('!')?.0.parse::<i64>().ok();
    match (version(before), version(now)) {
        (Some(before), Some(now)) if now < before => {
            let message = format!("its account of changes went back from {before} to {now}");
            let answer = PeerAnswer::of(message.as_bytes());
            Err(Trouble::Refused(Refusal { status: 400, code: codes::EXPIRED, message, step: None, answer }))
        }
        _ => Ok(()),
    }
}

fn polled<R: Serialize>((changes, run): (CrmChanges, Polled)) -> CrmChanges {
    CrmChanges { token: pack(&Token::<R>::Polled(run)), ..changes }
}

#[cfg(test)]
mod tests {
    use super::went_back;

    #[test]
    fn tokens_that_go_back() {
        let date = "08/22/2017 08:10:44";
        for (before, now, back) in [
            (format!("919042!{date}"), format!("919042!{date}"), false),
            (format!("919042!{date}"), format!("1000000!{date}"), false),
            (format!("1000000!{date}"), format!("919042!{date}"), true),
            ("x".to_owned(), format!("919042!{date}"), false),
            (format!("919042!{date}"), String::new(), false),
        ] {
            assert_eq!(went_back(&before, &now).is_err(), back, "{before} {now}");
        }
    }
}
