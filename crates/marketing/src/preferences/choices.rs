//! What people chose: one row for each preference and address, the newest word of both sides.

use std::collections::HashMap;

use jiff::Timestamp;
use postroom_core::Ids;
use postroom_core::marketing::Status;
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Insert, Row, Tx};

use crate::consent::by_address::ByAddress;
use crate::consent::carry;
use crate::consent::history::{Entry, Said, Scope};
use crate::consent::ledger::{self, Noted};
use crate::schema::among;
use crate::suppressions::rows::{Origin, Told, Written};
use crate::sync::forecast::Foretold;
use crate::sync::{Act, Counts, Sample, To};

const ASKED: usize = 256;
const COLUMNS: [&str; 10] = [
    "account",
    "preference",
    "address",
    "chosen",
    "at",
    "known",
    "origin",
    "told_crm",
    "told_service",
    "version",
];

const ROWS: ByAddress = ByAddress { table: "preference_choice", columns: &COLUMNS };

/// The moment of a yes that nobody dated.
pub const UNDATED: Timestamp = Timestamp::UNIX_EPOCH;

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub account: String,
    pub preference: i64,
    /// In normal form.
    pub address: String,
    pub chosen: bool,
    pub at: Timestamp,
    pub known: Timestamp,
    pub origin: Origin,
    pub told_crm: bool,
    pub told_service: bool,
    pub version: i64,
}

impl Choice {
    /// What a dry run shows of telling a side.
    pub(crate) fn sample(&self, to: To) -> Sample {
        let word = if self.chosen { "yes" } else { "no" };
        Sample::of(to, Act::Change, &self.address).word(&format!("preference {}", self.preference), word)
    }
}

/// A choice as one side says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaidChoice {
    pub address: String,
    pub chosen: bool,
    pub at: Timestamp,
    pub source: String,
    pub actor: String,
}

/// Takes choices of one preference into the ledger and the table; the side that has not said it, or said something older, is to
/// be told ([`Written::same`] counts what changes nothing).
pub async fn take(
    tx: &mut Tx,
    ids: &Ids,
    now: Timestamp,
    (account, preference): (&str, i64),
    origin: Origin,
    said: &[SaidChoice],
) -> Result<Written, Error> {
    let written = write(tx, ids, now, (account, preference), origin, said).await?;
    if origin == Origin::Service {
        // What the service says of an address counts as well for those that the person has now.
        let declined: Vec<&SaidChoice> = said.iter().filter(|said| !said.chosen).collect();
        let asked: Vec<_> = declined.iter().map(|said| (said.address.clone(), None)).collect();
        let moves = carry::elsewhere(tx, account, &asked).await?;
        let more = declined.into_iter().flat_map(|said| {
            let moves = moves.get(&said.address).into_iter().flatten();
            moves.map(|one| SaidChoice { address: one.to.clone(), ..said.clone() })
        });
        let more: Vec<SaidChoice> = more.collect();
        write(tx, ids, now, (account, preference), Origin::Crm, &more).await?;
    }
    Ok(written)
}

/// Of a dry run: what either side would be told of these people, after [`take`].
pub(crate) async fn foretell(
    tx: &mut Tx,
    (account, preference): (&str, i64),
    said: &[SaidChoice],
    counts: &mut Counts,
    foretold: &mut Foretold,
) -> Result<(), Error> {
    let addresses: Vec<String> = said.iter().map(|said| said.address.clone()).collect();
    for row in load(tx, account, preference, &addresses).await?.values() {
        let sides = [(To::Crm, row.told_crm), (To::Service, row.told_service)];
        foretold.count(counts, sides.into_iter().filter(|(_, told)| !told).map(|(to, _)| row.sample(to)));
    }
    Ok(())
}

/// The same for these addresses alone.
pub(crate) async fn write(
    tx: &mut Tx,
    ids: &Ids,
    now: Timestamp,
    (account, preference): (&str, i64),
    origin: Origin,
    said: &[SaidChoice],
) -> Result<Written, Error> {
    let entries: Vec<Noted> = said.iter().map(|said| noted(account, preference, now, said)).collect();
    ledger::add(tx, ids, &entries).await?;
    let addresses: Vec<String> = said.iter().map(|said| said.address.clone()).collect();
    let mut rows = load(tx, account, preference, &addresses).await?;
    let (mut written, mut changed) = (Written::default(), HashMap::new());
    for said in said {
        let next = match rows.get(&said.address) {
            None => {
                written.new += 1;
                Some(fresh(account, preference, origin, now, said))
            }
            Some(row) => {
                let next = after(row, origin, said);
                let counted = if next.is_some() { &mut written.changed } else { &mut written.same };
                *counted += 1;
                next
            }
        };
        if let Some(next) = next {
            changed.insert(next.address.clone(), next.clone());
            rows.insert(next.address.clone(), next);
        }
    }
    put(tx, account, preference, changed.into_values().collect()).await?;
    Ok(written)
}

fn noted(account: &str, preference: i64, now: Timestamp, said: &SaidChoice) -> Noted {
    let (word, proof) = match said.chosen {
        true => (Said::In, said.source.clone()),
        false => (Said::Out(Status::Unsubscribed), String::new()),
    };
    let entry = Entry {
        scope: Scope::Preference(preference),
        said: word,
        at: said.at,
        known: now,
        source: said.source.clone(),
        actor: said.actor.clone(),
        proof,
    };
    Noted { account: account.to_owned(), address: said.address.clone(), entry }
}

fn fresh(account: &str, preference: i64, origin: Origin, now: Timestamp, said: &SaidChoice) -> Choice {
    Choice {
        account: account.to_owned(),
        preference,
        address: said.address.clone(),
        chosen: said.chosen,
        at: said.at,
        known: now,
        origin,
        // Other records may have the address, and the row of the one that said it keeps what both sides agreed on.
        told_crm: false,
        told_service: origin == Origin::Service,
        version: 0,
    }
}

/// The row after one more word; `None` when that changes nothing. The newer one counts, of two at the same moment the opt-out;
/// a side whose word was the older one is told.
fn after(row: &Choice, origin: Origin, said: &SaidChoice) -> Option<Choice> {
    let wins = said.at > row.at || (said.at == row.at && !said.chosen);
    if said.chosen == row.chosen {
        let heard = row.told_service || origin == Origin::Service;
        let changed = heard != row.told_service;
        return changed.then(|| Choice { told_service: heard, version: row.version + 1, ..row.clone() });
    }
    if wins {
        return Some(Choice {
            chosen: said.chosen,
            at: said.at,
            origin,
            told_crm: false,
            told_service: origin == Origin::Service,
            version: row.version + 1,
            ..row.clone()
        });
    }
    let (told_crm, told_service) = match origin {
        Origin::Service => (row.told_crm, false),
        Origin::Crm | Origin::Elsewhere | Origin::Here => (false, row.told_service),
    };
    // A word that was outdone already, and of which the side was told, comes again with an overlap: that is no news.
    let changed = told_crm != row.told_crm || told_service != row.told_service;
    changed.then(|| Choice { told_crm, told_service, version: row.version + 1, ..row.clone() })
}

async fn load(
    tx: &mut Tx,
    account: &str,
    preference: i64,
    addresses: &[String],
) -> Result<HashMap<String, Choice>, Error> {
    let own = Expr::col("account").eq(account).and(Expr::col("preference").eq(preference));
    let rows = narrowed(tx, addresses, own).await?;
    Ok(rows.into_iter().map(|row| (row.address.clone(), row)).collect())
}

/// The preferences that these addresses said no to, of every account.
pub(crate) async fn declined_by(tx: &mut Tx, addresses: &[String]) -> Result<Vec<Choice>, Error> {
    narrowed(tx, addresses, Expr::col("chosen").eq(false)).await
}

async fn narrowed(tx: &mut Tx, addresses: &[String], condition: Expr) -> Result<Vec<Choice>, Error> {
    ROWS.read(tx, addresses, condition, read).await
}

fn read(cells: &Row) -> Result<Choice, Error> {
    let origin: String = cells.at(6)?;
    Ok(Choice {
        account: cells.at(0)?,
        preference: cells.at(1)?,
        address: cells.at(2)?,
        chosen: cells.at(3)?,
        at: cells.at(4)?,
        known: cells.at(5)?,
        origin: Origin::of(&origin),
        told_crm: cells.at(7)?,
        told_service: cells.at(8)?,
        version: cells.at(9)?,
    })
}

async fn put(tx: &mut Tx, account: &str, preference: i64, rows: Vec<Choice>) -> Result<(), Error> {
    let own = Expr::col("account").eq(account).and(Expr::col("preference").eq(preference));
    let addresses: Vec<&str> = rows.iter().map(|row| row.address.as_str()).collect();
    ROWS.clear(tx, &addresses, own).await?;
    let mut insert = Insert::into(ROWS.table, &COLUMNS);
    for row in rows {
        insert.row([
            row.account.into(),
            row.preference.into(),
            row.address.into(),
            row.chosen.into(),
            row.at.as_microsecond().into(),
            row.known.as_microsecond().into(),
            row.origin.as_str().into(),
            row.told_crm.into(),
            row.told_service.into(),
            row.version.into(),
        ]);
    }
    tx.insert(&insert).await.map(drop)
}

/// Of what people said, what is to be taken: every no, and each yes of those whom an activated list knows. The second is the number
/// of the others.
pub async fn wanted(
    tx: &mut Tx,
    account: &str,
    said: Vec<SaidChoice>,
) -> Result<(Vec<SaidChoice>, u64), Error> {
    let addresses: Vec<String> =
        said.iter().filter(|said| said.chosen).map(|said| said.address.clone()).collect();
    let listed = listed(tx, account, &addresses).await?;
    let before = said.len();
    let wanted: Vec<SaidChoice> =
        said.into_iter().filter(|said| !said.chosen || listed.binary_search(&said.address).is_ok()).collect();
    let others = (before - wanted.len()) as u64;
    Ok((wanted, others))
}

/// Choices of which a side has yet to hear, behind an address and preference; those of one address come together. Of somebody whom
/// no activated list knows, nobody hears.
pub async fn untold(
    tx: &mut Tx,
    account: &str,
    side: Told,
    after: &(String, i64),
    limit: u64,
) -> Result<Vec<Choice>, Error> {
    let behind = Expr::col("address")
        .gt(after.0.as_str())
        .or(Expr::col("address").eq(after.0.as_str()).and(Expr::col("preference").gt(after.1)));
    let select = Query::select()
        .columns(COLUMNS)
        .from("preference_choice")
        .and_where(Expr::col(side.column()).eq(false))
        .and_where(Expr::col("account").eq(account))
        .and_where(behind)
        .and_where(known_by("list_member", account).or(known_by("person_link", account)))
        .order_by("address", Order::Asc)
        .order_by("preference", Order::Asc)
        .limit(limit)
        .to_owned();
    tx.query(&select).await?.iter().map(read).collect()
}

/// That a choice's address is in a table of the account.
fn known_by(table: &'static str, account: &str) -> Expr {
    // Only the second table has an index that begins with the account and goes on with the address.
    let of_account = match table {
        "person_link" => Expr::col((table, "account")).eq(account),
        _ => among((table, "account"), account),
    };
    let row = Query::select()
        .expr(Expr::val(1))
        .from(table)
        .and_where(of_account)
        .and_where(Expr::col((table, "address")).equals(("preference_choice", "address")))
        .to_owned();
    Expr::exists(row)
}

/// Those of these choices that nothing was said about since they were read.
pub(crate) async fn as_they_were(
    tx: &mut Tx,
    account: &str,
    rows: Vec<Choice>,
) -> Result<Vec<Choice>, Error> {
    let mut by_preference: HashMap<i64, Vec<String>> = HashMap::new();
    for row in &rows {
        by_preference.entry(row.preference).or_default().push(row.address.clone());
    }
    let mut now = HashMap::new();
    for (preference, addresses) in by_preference {
        now.insert(preference, load(tx, account, preference, &addresses).await?);
    }
    let version = |row: &Choice| Some(now.get(&row.preference)?.get(&row.address)?.version);
    Ok(rows.into_iter().filter(|row| version(row) == Some(row.version)).collect())
}

/// Notes that a side was told of these choices as they were.
pub async fn told(tx: &mut Tx, side: Told, rows: &[Choice]) -> Result<(), Error> {
    for row in rows {
        let mut update = Query::update();
        update
            .table("preference_choice")
            .value(side.column(), true)
            .and_where(Expr::col("account").eq(row.account.as_str()))
            .and_where(Expr::col("preference").eq(row.preference))
            .and_where(Expr::col("address").eq(row.address.as_str()))
            .and_where(Expr::col("version").eq(row.version));
        tx.execute(&update).await?;
    }
    Ok(())
}

/// Which of these addresses an activated list knows, or knew: on a list now, or written to the service once.
pub async fn listed(tx: &mut Tx, account: &str, addresses: &[String]) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for some in addresses.chunks(ASKED) {
        for table in ["list_member", "person_link"] {
            let select = Query::select()
                .column("address")
                .distinct()
                .from(table)
                .and_where(Expr::col("account").eq(account))
                .and_where(Expr::col("address").is_in(some.iter().map(String::as_str)))
                .to_owned();
            for row in tx.query(&select).await? {
                found.push(row.at::<String>(0)?);
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u8) -> Timestamp {
        format!("2026-01-{day:02}T00:00:00Z").parse().unwrap()
    }

    fn said(chosen: bool, on: u8) -> SaidChoice {
        SaidChoice {
            address: "a@x.example".into(),
            chosen,
            at: day(on),
            source: "test".into(),
            actor: String::new(),
        }
    }

    fn row(chosen: bool, on: u8) -> Choice {
        let fresh = fresh("main", 7, Origin::Service, day(on), &said(chosen, on));
        Choice { told_crm: true, told_service: true, ..fresh }
    }

    /// What is chosen then, and which sides are to be told.
    #[track_caller]
    fn check(before: &Choice, origin: Origin, now: SaidChoice, expected: Option<(bool, bool, bool)>) {
        let next = after(before, origin, &now).map(|row| (row.chosen, !row.told_crm, !row.told_service));
        assert_eq!(next, expected);
    }

    #[test]
    fn the_newest_word_counts() {
        check(&row(true, 5), Origin::Crm, said(false, 6), Some((false, true, true)));
        check(&row(true, 5), Origin::Service, said(false, 6), Some((false, true, false)));
        check(&row(true, 5), Origin::Crm, said(true, 6), None);
    }

    #[test]
    fn an_older_word_is_answered() {
        check(&row(true, 5), Origin::Crm, said(false, 4), Some((true, true, false)));
        check(&row(true, 5), Origin::Service, said(false, 4), Some((true, false, true)));
    }

    #[test]
    fn at_one_moment_the_opt_out_counts() {
        check(&row(true, 5), Origin::Crm, said(false, 5), Some((false, true, true)));
        check(&row(false, 5), Origin::Crm, said(true, 5), Some((false, true, false)));
    }
}
