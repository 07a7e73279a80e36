//! What people chose at the service: the changes of one preference since its mark, less an overlap, the first time all.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::address::normal;
use postroom_core::marketing::{Ask, ListId, OptInChange, PreferenceId};
use postroom_store::Error;
use serde::{Deserialize, Serialize};

use super::choices::{self, SaidChoice, UNDATED};
use super::scoped;
use crate::suppressions::rows::Origin;
use crate::sync::cursor::{self, Cursor};
use crate::sync::forecast::Foretold;
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
    let before = turn.counts.clone();
    let stored = turn.page("marketing.preferences_read", move |tx, counts| {
        async move {
            let mut foretold = Foretold::default();
            // A person's other preferences come along.
            let own =
                |row: &&OptInChange| row.preference == preference && row.at.is_none_or(|at| at >= since);
            let mut everywhere = Vec::new();
            let mut by_list: BTreeMap<ListId, Vec<SaidChoice>> = BTreeMap::new();
            for row in rows.iter().filter(own) {
                counts.read += 1;
                match row.list.clone().filter(|list| list.0 != 0) {
                    Some(list) => by_list.entry(list).or_default().push(said(row, latest)),
                    None => everywhere.push(said(row, latest)),
                }
            }
            let place = (account.as_str(), preference.0);
            for (list, said) in by_list {
                let written = scoped::take(tx, now, place, &list, &said).await?;
                counts.skip("known already", written.same);
            }
            let (said, others) = choices::wanted(tx, &account, everywhere).await?;
            counts.skip("on no list", others);
            let written = choices::take(tx, &ids, now, place, Origin::Service, &said).await?;
            counts.skip("known already", written.same);
            match dry {
                false => cursor.write(tx).await?,
                true => choices::foretell(tx, place, &said, counts, &mut foretold).await?,
            }
            Ok((cursor, foretold))
        }
        .boxed()
    });
    let (cursor, foretold) = stored.await?;
    turn.foresee_told(foretold, &before);
    Ok(cursor)
}

/// A no without a moment counts from now on; a yes without one is older than everything else that was said.
fn said(row: &OptInChange, latest: Timestamp) -> SaidChoice {
    let undated = if row.opted_in { UNDATED } else { latest };
    SaidChoice {
        address: normal(&row.email),
        chosen: row.opted_in,
        at: row.at.unwrap_or(undated),
        source: "preferences at the service".to_owned(),
        actor: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yes_without_a_moment_outdoes_nothing() {
        let latest: Timestamp = "2026-01-05T00:00:00Z".parse().unwrap();
        let at = |opted_in| {
            let row = OptInChange {
                contact: None,
                email: "A@x.example".into(),
                preference: PreferenceId(1),
                list: None,
                opted_in,
                at: None,
            };
            said(&row, latest).at
        };
        assert_eq!((at(true), at(false)), (UNDATED, latest));
    }
}
