//! What the service says: everybody suppressed, or gone from one list, since the mark, less an overlap.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::address::normal;
use postroom_core::marketing::{ListId, Suppression};
use postroom_store::Error;

use super::rows::{self, Origin, SaidOut};
use crate::sync::cursor::{self, Cursor};
use crate::sync::forecast::Foretold;
use crate::sync::since::Since;
use crate::sync::{Halt, Turn};
use crate::unsubscribes::rows as departures;

/// Who was suppressed in the account; answers the service's time at which that was asked.
pub async fn read(turn: &mut Turn) -> Result<Timestamp, Halt> {
    stream(turn, None).await
}

/// Who left one list.
pub(crate) async fn of_list(turn: &mut Turn, list: &ListId) -> Result<(), Halt> {
    stream(turn, Some(list)).await.map(drop)
}

async fn stream(turn: &mut Turn, list: Option<&ListId>) -> Result<Timestamp, Halt> {
    let account = turn.account.name.clone();
    let name = list.map_or("suppressions".to_owned(), |list| format!("unsubscribes/{list}"));
    let mut cursor: Cursor<Since> =
        turn.read(move |tx| async move { cursor::read(tx, &account, &name).await }.boxed()).await?;
    let since = cursor.place.begin(turn.engine.rules.overlap).unwrap_or(Timestamp::UNIX_EPOCH);
    let latest = turn.account.service.server_time().await?;
    loop {
        let ask = cursor.place.ask();
        let page = match list {
            None => turn.account.service.suppressions(since, &ask).await?,
            Some(list) => turn.account.service.list_unsubscribes(list, since, &ask).await?,
        };
        let more = cursor.place.pass(page.rows.iter().filter_map(|row| row.at), latest, page.next);
        cursor = store(turn, list.cloned(), page.rows, latest, cursor).await?;
        if !more {
            return Ok(latest);
        }
    }
}

async fn store(
    turn: &mut Turn,
    list: Option<ListId>,
    page: Vec<Suppression>,
    latest: Timestamp,
    mut cursor: Cursor<Since>,
) -> Result<Cursor<Since>, Error> {
    let (ids, now, account, dry) = (turn.engine.ids.clone(), turn.now(), turn.account.name.clone(), turn.dry);
    let before = turn.counts.clone();
    let stored = turn.page("marketing.suppressed", move |tx, counts| {
        async move {
            let mut foretold = Foretold::default();
            let source = match list {
                None => "suppression list of the service",
                Some(_) => "unsubscribed list of the service",
            };
            let said: Vec<SaidOut> = page.iter().filter_map(|row| said(row, latest, source)).collect();
            counts.read += page.len() as u64;
            counts.skip("no address", (page.len() - said.len()) as u64);
            let written = match &list {
                None => rows::take(tx, &ids, now, &account, Origin::Service, &said).await?,
                Some(list) => {
                    let place = (account.as_str(), list.0);
                    departures::take(tx, &ids, now, place, Origin::Service, &said).await?
                }
            };
            counts.skip("known already", written.same);
            match (dry, &list) {
                (false, _) => cursor.write(tx).await?,
                (true, None) => {
                    let rows = rows::load(tx, &account, &rows::addresses(&said)).await?;
                    foretold.count(counts, rows.values().flat_map(rows::Row::untold));
                }
                (true, Some(list)) => {
                    departures::foretell(tx, (&account, list.0), &said, counts, &mut foretold).await?
                }
            }
            Ok((cursor, foretold))
        }
        .boxed()
    });
    let (cursor, foretold) = stored.await?;
    turn.foresee_told(foretold, &before);
    Ok(cursor)
}

/// A row without a moment counts from now on.
fn said(row: &Suppression, latest: Timestamp, source: &str) -> Option<SaidOut> {
    (!normal(&row.email).is_empty()).then(|| SaidOut {
        address: row.email.clone(),
        status: row.reason.clone(),
        at: row.at.unwrap_or(latest),
        contact: row.contact.clone(),
        source: source.to_owned(),
        actor: String::new(),
    })
}
