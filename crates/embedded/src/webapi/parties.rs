//! Party lists: who sends, gets and attends (dataverse.md B3, B4). They are rows of `activityparty` that stand and fall with
//! their activity; `PUT emails(id)/email_activity_parties` puts others in their place.

use http::StatusCode;
use postroom_core::metadata::{OneToMany, TableInfo};
use postroom_core::{Change, Filter, Query, Record, RecordRef, Value};
use serde_json::Value as Json;

use super::call::Call;
use super::input;
use super::problem::{Problem, codes};

/// The rows that the server keeps itself: the regarding record and the owner.
const SERVER: [i64; 2] = [8, 9];

/// Whether its rows are parties. (`is_activity_party` says that its rows may *be* a party's person.)
pub(crate) fn is_party(table: &TableInfo) -> bool {
    table.logical_name == "activityparty"
}

/// The parties in a body.
pub(crate) async fn read(
    call: &Call<'_>,
    activity: &RecordRef,
    relation: &OneToMany,
    rows: &[Json],
) -> Result<Vec<Record>, Problem> {
    let table = call.table("activityparty")?;
    let mut parties = Vec::with_capacity(rows.len());
    for row in rows {
        let members = row.as_object().ok_or_else(|| Problem::payload("A party is an object."))?;
        // Those that are sent back with their ids are made anew.
        let at = RecordRef::new(&table.logical_name, call.door.ids.next());
        let mut given = Box::pin(input::new_row(call, at, members)).await?;
        input::put(&mut given.record, &relation.referencing_column, Value::Lookup(activity.clone()));
        check(&given.record)?;
        if !given.more.is_empty() {
            return Err(Problem::payload("A party has no rows within it."));
        }
        parties.push(given.record);
    }
    Ok(parties)
}

/// A party says what it did in its activity.
pub(crate) fn check(party: &Record) -> Result<(), Problem> {
    match party.int("participationtypemask") {
        Some(1..=12) => Ok(()),
        _ => Err(Problem::new(
            StatusCode::BAD_REQUEST,
            codes::PARTY,
            "Invalid party mapping: participationtypemask is a number from 1 (Sender) to 12.",
        )),
    }
}

/// What puts these parties in the place of others: of all, or of those with the same masks.
pub(crate) async fn replace(
    call: &Call<'_>,
    activity: &RecordRef,
    parties: Vec<Record>,
    all: bool,
) -> Result<Vec<Change>, Problem> {
    let query = Query::of("activityparty")
        .select(&["participationtypemask"])
        .filter(Filter::eq("activityid", activity.clone()));
    let masks: Vec<i64> = parties.iter().filter_map(|party| party.int("participationtypemask")).collect();
    let goes = |party: &Record| {
        let mask = party.int("participationtypemask").unwrap_or_default();
        !SERVER.contains(&mask) && (all || masks.contains(&mask))
    };
    let old = call.session.all(query).await?.into_iter().filter(goes);
    let mut changes: Vec<Change> = old.map(|party| Change::Delete(party.at)).collect();
    changes.extend(parties.into_iter().map(Change::CreateNew));
    Ok(changes)
}
