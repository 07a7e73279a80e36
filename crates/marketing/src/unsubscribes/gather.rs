//! Rows of `esc_listunsubscriber` that users and workflows made. What the connector wrote itself says nothing new.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::address::normal;
use postroom_core::marketing::Status;
use postroom_core::{ChangesAsk, Record, RecordRef, Value};
use postroom_store::{Error, Tx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{rows, unlinked};
use crate::people;
use crate::solution::options::Set;
use crate::suppressions::rows::{Origin, SaidOut};
use crate::sync::cursor::{self, Cursor};
use crate::sync::forecast::Foretold;
use crate::sync::{Halt, Turn};

const TABLE: &str = "esc_listunsubscriber";
const COLUMNS: [&str; 11] = [
    "esc_emailaddress",
    "esc_listid",
    "esc_serviceaddressbookid",
    "esc_reason",
    "esc_isactive",
    "esc_emailaccountid",
    "esc_contactid",
    "esc_leadid",
    "esc_accountid",
    "createdon",
    "createdby",
];
const PAGE: u32 = 500;

/// How far the table has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Token(Option<String>);

/// What a row says: the list of the CRM or the list's id at the service, and who left it. One with records only is said of all
/// their addresses.
struct SaidLeft {
    list: Option<Uuid>,
    service: Option<i64>,
    records: Vec<RecordRef>,
    said: SaidOut,
}

pub async fn run(turn: &mut Turn) -> Result<(), Halt> {
    let account = turn.account.name.clone();
    let read =
        turn.read(move |tx| async move { cursor::read(tx, &account, "crm/unsubscribes").await }.boxed());
    let mut cursor: Cursor<Token> = read.await?;
    loop {
        let ask = ChangesAsk {
            table: TABLE.to_owned(),
            columns: Some(COLUMNS.map(str::to_owned).into()),
            since: cursor.place.0.clone(),
            size: PAGE,
        };
        let page = turn.engine.crm.changes(&ask).await?;
        let own = turn.connected.row().id;
        let now = turn.now();
        let said = page.records.iter().filter_map(|row| said(row, own, now)).collect();
        cursor.place = Token(Some(page.token));
        cursor = take(turn, page.records.len() as u64, said, cursor).await?;
        if !page.more {
            return Ok(());
        }
    }
}

/// An active row of this account, or of none, about a list.
fn said(row: &Record, own: Uuid, now: Timestamp) -> Option<SaidLeft> {
    let active = row.get("esc_isactive").and_then(Value::as_bool) != Some(false);
    let ours = row.lookup("esc_emailaccountid").is_none_or(|account| account.id == own);
    if !active || !ours {
        return None;
    }
    let list = row.lookup("esc_listid").map(|list| list.id);
    let service = row.int("esc_serviceaddressbookid");
    if list.is_none() && service.is_none() {
        return None;
    }
    let reason = row.int("esc_reason").and_then(|value| i32::try_from(value).ok());
    let status =
        reason.and_then(|value| Set::ContactStatus.option(value)).map_or(Status::Unsubscribed, Status::from);
    let records = ["esc_contactid", "esc_leadid", "esc_accountid"];
    let said = SaidOut {
        address: normal(row.text("esc_emailaddress").unwrap_or_default()),
        status,
        at: match row.get("createdon") {
            Some(Value::Time(at)) => *at,
            _ => now,
        },
        contact: None,
        source: row.at.to_string(),
        actor: row.lookup("createdby").map(ToString::to_string).unwrap_or_default(),
    };
    let records = records.into_iter().filter_map(|column| row.lookup(column).cloned()).collect();
    Some(SaidLeft { list, service, records, said })
}

async fn take(
    turn: &mut Turn,
    read: u64,
    said: Vec<SaidLeft>,
    mut cursor: Cursor<Token>,
) -> Result<Cursor<Token>, Error> {
    let (ids, now, account, dry) = (turn.engine.ids.clone(), turn.now(), turn.account.name.clone(), turn.dry);
    let before = turn.counts.clone();
    let stored = turn.page("marketing.list_opted_out", move |tx, counts| {
        async move {
            let mut foretold = Foretold::default();
            counts.read += read;
            for one in said {
                let (list, service) = (one.list, one.service);
                let all = everyone(tx, one).await?;
                let written = match (list, service) {
                    (Some(list), _) => {
                        unlinked::take(tx, &ids, now, (&account, list), Origin::Crm, &all).await?
                    }
                    (None, Some(service)) => {
                        rows::take(tx, &ids, now, (&account, service), Origin::Crm, &all).await?
                    }
                    (None, None) => continue,
                };
                counts.skip("known already", written.same);
                if let Some(service) = service.filter(|_| dry) {
                    rows::foretell(tx, (&account, service), &all, counts, &mut foretold).await?;
                }
            }
            if !dry {
                cursor.write(tx).await?;
            }
            Ok((cursor, foretold))
        }
        .boxed()
    });
    let (cursor, foretold) = stored.await?;
    turn.foresee_told(foretold, &before);
    Ok(cursor)
}

/// The address of a row, or those of its records.
async fn everyone(tx: &mut Tx, one: SaidLeft) -> Result<Vec<SaidOut>, Error> {
    if !one.said.address.is_empty() {
        return Ok(vec![one.said]);
    }
    let mut all = Vec::new();
    for record in &one.records {
        let addresses = people::addresses_of(tx, record).await?;
        all.extend(addresses.into_iter().map(|address| SaidOut { address, ..one.said.clone() }));
    }
    Ok(all)
}
