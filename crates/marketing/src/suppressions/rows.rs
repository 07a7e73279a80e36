//! The rows of `suppression`: what follows from the ledger now, for each account and address.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use postroom_core::Ids;
use postroom_core::address::normal;
use postroom_core::marketing::{ContactId, Status};
use postroom_store::sql::{Expr, ExprTrait, Query, Value};
use postroom_store::{Error, Insert, Row as Cells, Tx};

use crate::consent::by_address::ByAddress;
use crate::consent::carry;
use crate::consent::history::{Entry, Said, Scope};
use crate::consent::ledger::{self, Noted};
use crate::consent::reason::{Meaning, meaning};
use crate::consent::standing::Suppression;
use crate::sync::{Act, Sample, To};

/// Addresses of one statement.
const ASKED: usize = 256;

/// Where a suppression was said first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Crm,
    Service,
    /// At the service, of another list than the one in question: by the link of a mail to the single-use list of a send, or of a
    /// list that is gone. The service has yet to hear of this one.
    Elsewhere,
    /// By an operator here, or a file.
    Here,
}

impl Origin {
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Crm => "crm",
            Origin::Service => "service",
            Origin::Elsewhere => "elsewhere",
            Origin::Here => "here",
        }
    }

    pub(crate) fn of(text: &str) -> Origin {
        match text {
            "crm" => Origin::Crm,
            "service" => Origin::Service,
            "elsewhere" => Origin::Elsewhere,
            _ => Origin::Here,
        }
    }
}

/// An opt-out as somebody said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaidOut {
    pub address: String,
    pub status: Status,
    pub at: Timestamp,
    pub contact: Option<ContactId>,
    /// Where it stands: `contact/…`, `suppression list`.
    pub source: String,
    /// Who said it for the person; empty for the person.
    pub actor: String,
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub account: String,
    pub address: String,
    pub active: bool,
    pub status: Status,
    pub since: Timestamp,
    pub known: Timestamp,
    pub contact: Option<ContactId>,
    pub origin: Origin,
    pub told_crm: bool,
    pub told_service: bool,
    pub version: i64,
}

impl Row {
    /// Its values in the order of [`COLUMNS`].
    pub(crate) fn cells(self) -> [Value; 11] {
        [
            self.account.into(),
            self.address.into(),
            self.active.into(),
            self.status.as_str().into(),
            self.since.as_microsecond().into(),
            self.known.as_microsecond().into(),
            self.contact.map(|contact| contact.0).into(),
            self.origin.as_str().into(),
            self.told_crm.into(),
            self.told_service.into(),
            self.version.into(),
        ]
    }

    /// What a dry run shows of telling a side.
    pub(crate) fn sample(&self, to: To) -> Sample {
        let act = if self.active { Act::OptOut } else { Act::LetBack };
        Sample::of(to, act, &self.address).word("status", self.status.to_string())
    }

    /// What a dry run shows of telling whom it is to be told.
    pub(crate) fn untold(&self) -> impl Iterator<Item = Sample> + '_ {
        let sides = [(To::Crm, self.told_crm), (To::Service, self.told_service)];
        sides.into_iter().filter(|(_, told)| !told).map(|(to, _)| self.sample(to))
    }
}

pub const COLUMNS: [&str; 11] = [
    "account",
    "address",
    "active",
    "status",
    "since",
    "known",
    "contact",
    "origin",
    "told_crm",
    "told_service",
    "version",
];
const ROWS: ByAddress = ByAddress { table: "suppression", columns: &COLUMNS };

/// What writing opt-outs came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    pub new: u64,
    pub changed: u64,
    pub same: u64,
}

/// Takes opt-outs into the ledger and the table. `origin` has said it itself, so only the other side is to be told. What the
/// service says of an address counts as well for the addresses that the person has now.
pub async fn take(
    tx: &mut Tx,
    ids: &Ids,
    now: Timestamp,
    account: &str,
    origin: Origin,
    said: &[SaidOut],
) -> Result<Written, Error> {
    let written = write(tx, ids, now, account, origin, said).await?;
    if origin == Origin::Service {
        let more = carry::said_elsewhere(tx, account, said).await?;
        write(tx, ids, now, account, Origin::Crm, &more).await?;
    }
    Ok(written)
}

/// The same for these addresses alone.
pub(crate) async fn write(
    tx: &mut Tx,
    ids: &Ids,
    now: Timestamp,
    account: &str,
    origin: Origin,
    said: &[SaidOut],
) -> Result<Written, Error> {
    let entries: Vec<Noted> = said.iter().map(|said| noted(account, Scope::Account, now, said)).collect();
    ledger::add(tx, ids, &entries).await?;
    let addresses: Vec<String> = entries.iter().map(|noted| noted.address.clone()).collect();
    let mut rows = load(tx, account, &addresses).await?;
    let (written, changed) = fold(account, origin, now, said, &mut rows);
    put(tx, changed).await?;
    Ok(written)
}

/// The addresses of what was said, in normal form.
pub(crate) fn addresses(said: &[SaidOut]) -> Vec<String> {
    said.iter().map(|said| normal(&said.address)).collect()
}

/// What opt-outs make of the rows that are there, by address: the counts, and the rows that are to be written.
pub(crate) fn fold(
    account: &str,
    origin: Origin,
    now: Timestamp,
    said: &[SaidOut],
    rows: &mut HashMap<String, Row>,
) -> (Written, Vec<Row>) {
    let (mut written, mut touched) = (Written::default(), BTreeSet::new());
    for said in said {
        let address = normal(&said.address);
        let next = match rows.get(&address) {
            None => {
                written.new += 1;
                Some(fresh(account, address.clone(), origin, now, said))
            }
            Some(row) => {
                let next = after(row, origin, said);
                *(if next.is_some() { &mut written.changed } else { &mut written.same }) += 1;
                next
            }
        };
        if let Some(next) = next {
            rows.insert(address.clone(), next);
            touched.insert(address);
        }
    }
    let changed = touched.iter().filter_map(|address| rows.get(address).cloned()).collect();
    (written, changed)
}

pub(crate) fn noted(account: &str, scope: Scope, now: Timestamp, said: &SaidOut) -> Noted {
    let entry = Entry {
        scope,
        said: Said::Out(said.status.clone()),
        at: said.at,
        known: now,
        source: said.source.clone(),
        actor: said.actor.clone(),
        proof: String::new(),
    };
    Noted { account: account.to_owned(), address: normal(&said.address), entry }
}

fn fresh(account: &str, address: String, origin: Origin, now: Timestamp, said: &SaidOut) -> Row {
    Row {
        account: account.to_owned(),
        address,
        active: true,
        status: said.status.clone(),
        since: said.at,
        known: now,
        contact: said.contact.clone(),
        origin,
        told_crm: false,
        told_service: origin == Origin::Service,
        version: 0,
    }
}

/// The row after one more opt-out; `None` when it says nothing that changes it. What a person said outweighs what nobody
/// understands, and neither is replaced by something older.
fn after(row: &Row, origin: Origin, said: &SaidOut) -> Option<Row> {
    let heard = row.told_service || origin == Origin::Service;
    let contact = row.contact.clone().or_else(|| said.contact.clone());
    if row.active && row.status == said.status {
        // The service says what was told to it, or gives the person's number.
        let changed = heard != row.told_service || contact != row.contact;
        return changed.then(|| Row {
            told_service: heard,
            contact,
            version: row.version + 1,
            ..row.clone()
        });
    }
    if said.at <= row.since || (row.active && weight(&said.status) < weight(&row.status)) {
        let changed = row.active && heard != row.told_service;
        return changed.then(|| Row { told_service: heard, version: row.version + 1, ..row.clone() });
    }
    Some(Row {
        active: true,
        status: said.status.clone(),
        since: if row.active { row.since.min(said.at) } else { said.at },
        contact,
        origin,
        told_crm: false,
        told_service: if row.active { heard } else { origin == Origin::Service },
        version: row.version + 1,
        ..row.clone()
    })
}

fn weight(status: &Status) -> u8 {
    match meaning(status) {
        Meaning::Open => 0,
        Meaning::Unclear => 1,
        Meaning::Deliverability => 2,
        Meaning::Consent => 3,
    }
}

/// The rows of these addresses, by address.
pub async fn load(tx: &mut Tx, account: &str, addresses: &[String]) -> Result<HashMap<String, Row>, Error> {
    let rows = narrowed(tx, addresses, Expr::col("account").eq(account)).await?;
    Ok(rows.into_iter().map(|row| (row.address.clone(), row)).collect())
}

/// The rows of these addresses that stand, of every account.
pub(crate) async fn standing_of(tx: &mut Tx, addresses: &[String]) -> Result<Vec<Row>, Error> {
    narrowed(tx, addresses, Expr::col("active").eq(true)).await
}

async fn narrowed(tx: &mut Tx, addresses: &[String], condition: Expr) -> Result<Vec<Row>, Error> {
    ROWS.read(tx, addresses, condition, read).await
}

/// Who of these addresses gets no mail from the account, and since when: what a gate asks, in its own unit.
pub async fn standing(
    tx: &mut Tx,
    account: &str,
    addresses: &[String],
) -> Result<HashMap<String, Suppression>, Error> {
    let rows = load(tx, account, addresses).await?;
    let active = rows.into_iter().filter(|(_, row)| row.active);
    Ok(active.map(|(address, row)| (address, Suppression { status: row.status, since: row.since })).collect())
}

pub fn read(cells: &Cells) -> Result<Row, Error> {
    let (status, origin): (String, String) = (cells.at(3)?, cells.at(7)?);
    Ok(Row {
        account: cells.at(0)?,
        address: cells.at(1)?,
        active: cells.at(2)?,
        status: Status::from(status.as_str()),
        since: cells.at(4)?,
        known: cells.at(5)?,
        contact: cells.at::<Option<i64>>(6)?.map(ContactId),
        origin: Origin::of(&origin),
        told_crm: cells.at(8)?,
        told_service: cells.at(9)?,
        version: cells.at(10)?,
    })
}

/// Writes rows as they now are.
pub async fn put(tx: &mut Tx, rows: Vec<Row>) -> Result<(), Error> {
    let mut by_account: HashMap<String, Vec<Row>> = HashMap::new();
    for row in rows {
        by_account.entry(row.account.clone()).or_default().push(row);
    }
    for (account, rows) in by_account {
        let addresses: Vec<&str> = rows.iter().map(|row| row.address.as_str()).collect();
        ROWS.clear(tx, &addresses, Expr::col("account").eq(account)).await?;
        let mut insert = Insert::into(ROWS.table, &COLUMNS);
        for row in rows {
            insert.row(row.cells());
        }
        tx.insert(&insert).await?;
    }
    Ok(())
}

/// One of the two sides that are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Crm,
    Service,
}

impl Told {
    pub(crate) fn column(self) -> &'static str {
        match self {
            Told::Crm => "told_crm",
            Told::Service => "told_service",
        }
    }
}

/// Rows of which a side has yet to hear, behind an address.
pub async fn untold(
    tx: &mut Tx,
    account: &str,
    side: Told,
    after: &str,
    limit: u64,
) -> Result<Vec<Row>, Error> {
    let select = Query::select()
        .columns(COLUMNS)
        .from("suppression")
        .and_where(Expr::col(side.column()).eq(false))
        .and_where(Expr::col("account").eq(account))
        .and_where(Expr::col("address").gt(after))
        .order_by("address", postroom_store::sql::Order::Asc)
        .limit(limit)
        .to_owned();
    tx.query(&select).await?.iter().map(read).collect()
}

/// How many addresses a side has yet to hear of, of how many that people have.
pub(crate) async fn extent(tx: &mut Tx, account: &str, side: Told) -> Result<(u64, u64), Error> {
    let going = Query::select()
        .expr(Expr::col("address").count())
        .from("suppression")
        .and_where(Expr::col(side.column()).eq(false))
        .and_where(Expr::col("account").eq(account))
        .to_owned();
    let people = Query::select().expr(Expr::col("address").count()).from("person_address").to_owned();
    let count = |rows: Option<Cells>| rows.map_or(Ok(0), |row| row.at::<u64>(0));
    Ok((count(tx.query_one(&going).await?)?, count(tx.query_one(&people).await?)?))
}

/// The CRM is told once more of those of these addresses that are suppressed: there are records that do not say so.
pub async fn tell_again(tx: &mut Tx, account: &str, addresses: &[String]) -> Result<(), Error> {
    for some in addresses.chunks(ASKED) {
        let mut update = Query::update();
        update
            .table("suppression")
            .value("told_crm", false)
            .and_where(Expr::col("account").eq(account))
            .and_where(Expr::col("active").eq(true))
            .and_where(Expr::col("told_crm").eq(true))
            .and_where(Expr::col("address").is_in(some.iter().map(String::as_str)));
        tx.execute(&update).await?;
    }
    Ok(())
}

/// Notes that a side was told of these rows as they were.
pub async fn told(tx: &mut Tx, side: Told, rows: &[Row]) -> Result<(), Error> {
    for row in rows {
        let mut update = Query::update();
        update
            .table("suppression")
            .value(side.column(), true)
            .and_where(Expr::col("account").eq(row.account.as_str()))
            .and_where(Expr::col("address").eq(row.address.as_str()))
            .and_where(Expr::col("version").eq(row.version));
        tx.execute(&update).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u8) -> Timestamp {
        format!("2026-01-{day:02}T00:00:00Z").parse().unwrap()
    }

    fn said(status: Status, at: Timestamp) -> SaidOut {
        SaidOut {
            address: "a@x.example".into(),
            status,
            at,
            contact: None,
            source: "test".into(),
            actor: String::new(),
        }
    }

    fn row(status: Status, active: bool, since: u8) -> Row {
        let fresh = fresh("main", "a@x.example".into(), Origin::Crm, day(since), &said(status, day(since)));
        Row { active, told_crm: true, ..fresh }
    }

    /// The status, whether it is active, and whether the CRM is to be told.
    #[track_caller]
    fn check(row: &Row, origin: Origin, now: SaidOut, expected: Option<(Status, bool, bool)>) {
        let next = after(row, origin, &now).map(|row| (row.status, row.active, !row.told_crm));
        assert_eq!(next, expected);
    }

    #[test]
    fn said_again() {
        let before = row(Status::Unsubscribed, true, 5);
        check(&before, Origin::Crm, said(Status::Unsubscribed, day(6)), None);
        // The service has it now: it need not be told.
        let heard = after(&before, Origin::Service, &said(Status::Unsubscribed, day(6))).unwrap();
        assert!(heard.told_service && heard.since == day(5));
    }

    #[test]
    fn the_weightier_word_stays() {
        let before = row(Status::Unsubscribed, true, 5);
        check(&before, Origin::Crm, said(Status::HardBounced, day(6)), None);
        let bounced = row(Status::HardBounced, true, 5);
        let expected = Some((Status::Unsubscribed, true, true));
        check(&bounced, Origin::Service, said(Status::Unsubscribed, day(6)), expected);
    }

    #[test]
    fn a_lifted_one_comes_back_only_by_something_newer() {
        let lifted = row(Status::Unsubscribed, false, 9);
        check(&lifted, Origin::Service, said(Status::Unsubscribed, day(5)), None);
        check(&lifted, Origin::Service, said(Status::Unsubscribed, day(9)), None);
        let expected = Some((Status::Unsubscribed, true, true));
        check(&lifted, Origin::Service, said(Status::Unsubscribed, day(10)), expected);
    }
}
