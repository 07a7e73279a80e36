//! What people chose at the service: the changes of one preference since its mark, less an overlap, the first time all.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::address::normal;
use postroom_core::marketing::{Ask, OptInChange, PreferenceId};
use postroom_store::Error;
use serde::{Deserialize, Serialize};

use super::choices::{self, SaidChoice};
use crate::suppressions::rows::Origin;
use crate::sync::cursor::{self, Cursor};
use crate::sync::{Halt, Turn};

/// How far a preference has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    until: Option<Timestamp>,
}

/// Reads one preference.
///
/// # Errors
/// The service's; what was stored until then stays, and is read again.
pub async fn read(turn: &mut Turn, preference: &PreferenceId) -> Result<(), Halt> {
    let (account, stream) = (turn.account.name.clone(), format!("preferences/{preference}"));
    let mut cursor: Cursor<Place> =
        turn.read(move |tx| async move { cursor::read(tx, &account, &stream).await }.boxed()).await?;
    let overlap = turn.engine.rules.overlap;
    let until = cursor.place.until;
    let since = until.and_then(|until| until.checked_sub(overlap).ok()).unwrap_or(Timestamp::UNIX_EPOCH);
    // A moment of the future must not hide what comes before it.
    let latest = turn.account.service.server_time().await?;
    let (mut ask, mut newest) = (Ask::default(), until);
    loop {
        let page = turn.account.service.opt_in_changes(preference, since, &ask).await?;
        let met = page.rows.iter().filter_map(|row| row.at).filter(|at| *at <= latest).max();
        newest = newest.max(met);
        if page.next.is_none() {
            // Pages are in the order of people, not of time: the mark moves when all of them are here.
            cursor.place.until = newest;
        }
        cursor = store(turn, preference, page.rows, (since, latest), cursor).await?;
        match page.next {
            Some(next) => ask = ask.after(next),
            None => return Ok(()),
        }
    }
}

async fn store(
    turn: &mut Turn,
    preference: &PreferenceId,
    rows: Vec<OptInChange>,
    (since, latest): (Timestamp, Timestamp),
    mut cursor: Cursor<Place>,
) -> Result<Cursor<Place>, Error> {
    let (ids, now, account, dry) = (turn.engine.ids.clone(), turn.now(), turn.account.name.clone(), turn.dry);
    let preference = preference.clone();
    let stored = turn.page("marketing.preferences_read", move |tx, counts| {
        async move {
            // A person's other preferences come along; a list's own are that list's.
            let own = |row: &&OptInChange| {
                row.preference == preference
                    && row.list.as_ref().is_none_or(|list| list.0 == 0)
                    && row.at.is_none_or(|at| at >= since)
            };
            let said: Vec<SaidChoice> = rows.iter().filter(own).map(|row| said(row, latest)).collect();
            let addresses: Vec<String> = said.iter().map(|said| said.address.clone()).collect();
            let listed = choices::listed(tx, &account, &addresses).await?;
            counts.read += said.len() as u64;
            let (said, others): (Vec<_>, Vec<_>) =
                said.into_iter().partition(|said| listed.binary_search(&said.address).is_ok());
            counts.skip("on no list", others.len() as u64);
            let place = (account.as_str(), preference.0);
            let written = choices::take(tx, &ids, now, place, Origin::Service, &said).await?;
            counts.skip("known already", written.same);
            if !dry {
                cursor.write(tx).await?;
            }
            Ok(cursor)
        }
        .boxed()
    });
    stored.await
}

fn said(row: &OptInChange, latest: Timestamp) -> SaidChoice {
    SaidChoice {
        address: normal(&row.email),
        chosen: row.opted_in,
        at: row.at.unwrap_or(latest),
        source: "preferences at the service".to_owned(),
        actor: String::new(),
    }
}
