//! What people chose in the CRM: rows of `esc_marketingpreferencesubscription` whose value is not what both sides agreed on.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{ChangesAsk, Record, RecordRef, Value};
use postroom_store::Error;
use serde::{Deserialize, Serialize};

use super::choices::{self, SaidChoice};
use super::definitions::Tree;
use crate::people;
use crate::suppressions::rows::Origin;
use crate::sync::cursor::{self, Cursor};
use crate::sync::forecast::Foretold;
use crate::sync::{Halt, Turn};

pub const TABLE: &str = "esc_marketingpreferencesubscription";
const PAGE: u32 = 500;
const COLUMNS: [&str; 10] = [
    "esc_marketingpreferenceid",
    "esc_isoptedin",
    "esc_lastsyncedvalue",
    "esc_lastsyncedon",
    "esc_crmmodifiedon",
    "esc_contactid",
    "esc_leadid",
    "esc_accountid",
    "modifiedon",
    "modifiedby",
];

/// How far the table has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Token(Option<String>);

/// A row that a person changed.
struct Changed {
    preference: i64,
    records: Vec<RecordRef>,
    said: SaidChoice,
}

pub async fn run(turn: &mut Turn, tree: &Tree) -> Result<(), Halt> {
    let account = turn.account.name.clone();
    let read =
        turn.read(move |tx| async move { cursor::read(tx, &account, "crm/preferences").await }.boxed());
    let mut cursor: Cursor<Token> = read.await?;
    loop {
        let ask = ChangesAsk {
            table: TABLE.to_owned(),
            columns: Some(COLUMNS.map(str::to_owned).into()),
            since: cursor.place.0.clone(),
            size: PAGE,
        };
        let page = turn.engine.crm.changes(&ask).await?;
        let now = turn.now();
        let said = page.records.iter().filter_map(|row| changed(row, tree, now)).collect();
        cursor.place = Token(Some(page.token));
        cursor = take(turn, page.records.len() as u64, said, cursor).await?;
        if !page.more {
            return Ok(());
        }
    }
}

fn changed(row: &Record, tree: &Tree, now: Timestamp) -> Option<Changed> {
    let yes = |column: &str| row.get(column).and_then(Value::as_bool) == Some(true);
    let time = |column: &str| match row.get(column) {
        Some(Value::Time(at)) => Some(*at),
        _ => None,
    };
    // What the connector wrote last, and nobody changed.
    let echo = time("esc_lastsyncedon").is_some() && yes("esc_isoptedin") == yes("esc_lastsyncedvalue");
    let preference = row.lookup("esc_marketingpreferenceid").and_then(|at| tree.of_row(at.id));
    let preference = preference.filter(|_| !echo)?.0;
    let records = ["esc_contactid", "esc_leadid", "esc_accountid"];
    let said = SaidChoice {
        address: String::new(),
        chosen: yes("esc_isoptedin"),
        at: time("esc_crmmodifiedon").max(time("modifiedon")).unwrap_or(now).min(now),
        source: row.at.to_string(),
        actor: row.lookup("modifiedby").map(ToString::to_string).unwrap_or_default(),
    };
    let records = records.into_iter().filter_map(|column| row.lookup(column).cloned()).collect();
    Some(Changed { preference, records, said })
}

async fn take(
    turn: &mut Turn,
    read: u64,
    said: Vec<Changed>,
    mut cursor: Cursor<Token>,
) -> Result<Cursor<Token>, Error> {
    let (ids, now, account, dry) = (turn.engine.ids.clone(), turn.now(), turn.account.name.clone(), turn.dry);
    let before = turn.counts.clone();
    let stored = turn.page("marketing.preferences_chosen", move |tx, counts| {
        async move {
            let mut foretold = Foretold::default();
            counts.read += read;
            for one in said {
                let mut all = Vec::new();
                for record in &one.records {
                    let addresses = people::addresses_of(tx, record).await?;
                    let said =
                        addresses.into_iter().map(|address| SaidChoice { address, ..one.said.clone() });
                    let (wanted, others) = choices::wanted(tx, &account, said.collect()).await?;
                    counts.skip("on no list", others);
                    all.extend(wanted);
                }
                let place = (account.as_str(), one.preference);
                let written = choices::take(tx, &ids, now, place, Origin::Crm, &all).await?;
                counts.skip("known already", written.same);
                if dry {
                    choices::foretell(tx, place, &all, counts, &mut foretold).await?;
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
