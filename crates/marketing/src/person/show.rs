//! Everything that is known of an address, from both sides and from here.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::address::normal;
use postroom_core::marketing::{Contact, Include, Person, Status};
use postroom_core::{Fault, Filter, Query as CrmQuery, Record, Value};
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::erased;
use crate::consent::gate::{self, Asked};
use crate::consent::ledger::{self, Noted};
use crate::consent::standing::{Purpose, blocks};
use crate::contacts::who;
use crate::engine::Engine;
use crate::people::TABLES;
use crate::people::links::{self, Link};
use crate::{events, forms, suppressions};

/// Events and responses that are shown.
const NEWEST: usize = 100;

/// The person at one account of the service.
#[derive(Debug, Clone, PartialEq)]
pub struct There {
    pub account: String,
    /// As the service has them now; `None` when it knows nobody of that address.
    pub contact: Option<Contact>,
    /// Why the service could not be asked.
    pub fault: Option<String>,
    /// Why no marketing mail goes there, weightiest first; empty when it may.
    pub blocks: Vec<String>,
}

/// A list that the person left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    pub account: String,
    pub list: i64,
    pub active: bool,
    pub status: Status,
    pub since: Timestamp,
}

/// Everything.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// In normal form.
    pub address: String,
    /// The CRM's records with the address, all their columns.
    pub records: Vec<Record>,
    pub there: Vec<There>,
    /// What ties records to people of the service, with their account.
    pub links: Vec<(String, Link)>,
    pub suppressions: Vec<suppressions::rows::Row>,
    pub left: Vec<Left>,
    pub ledger: Vec<Noted>,
    /// Newest first, with their account.
    pub events: Vec<(String, events::rows::Stored)>,
    pub responses: Vec<(String, forms::rows::Stored)>,
    /// When the person was erased.
    pub erased: Option<Timestamp>,
}

/// What is here.
struct Here {
    links: Vec<(String, Link)>,
    suppressions: Vec<suppressions::rows::Row>,
    left: Vec<Left>,
    ledger: Vec<Noted>,
    events: Vec<(String, events::rows::Stored)>,
    responses: Vec<(String, forms::rows::Stored)>,
    erased: Option<Timestamp>,
    blocks: Vec<Vec<String>>,
}

impl Engine {
    /// Shows a person by address: one call to each account, a few to the CRM. A service that cannot be asked is said so.
    ///
    /// # Errors
    /// The CRM's and the store's.
    pub async fn show_person(&self, address: &str) -> Result<Shown, Fault> {
        let address = normal(address);
        let names: Vec<String> = self.accounts.keys().cloned().collect();
        let (asked, of) = (address.clone(), names.clone());
        let read = self.store.read(move |tx| async move { here(tx, &asked, &of).await }.boxed()).await;
        let here: Result<Here, Error> = read;
        let here = here?;
        let mut there = Vec::new();
        for (account, blocks) in self.accounts.values().zip(here.blocks) {
            let include = Include {
                fields: vec![Include::ALL_FIELDS.to_owned()],
                channels: true,
                lists: true,
                preferences: true,
                consents: true,
            };
            let found = account.service.find_contacts(&[Person::Email(address.clone())], &include).await;
            let (contact, fault) = match found {
                Ok(mut found) => (found.pop().flatten(), None),
                Err(fault) => (None, Some(fault.to_string())),
            };
            there.push(There { account: account.name.clone(), contact, fault, blocks });
        }
        Ok(Shown {
            records: self.records_with(&address).await?,
            address,
            there,
            links: here.links,
            suppressions: here.suppressions,
            left: here.left,
            ledger: here.ledger,
            events: here.events,
            responses: here.responses,
            erased: here.erased,
        })
    }

    /// The CRM's records with an address, all columns.
    pub(super) async fn records_with(&self, address: &str) -> Result<Vec<Record>, Fault> {
        let hits = self.crm.find_addresses(&[address.to_owned()]).await?;
        let mut records = Vec::new();
        for table in TABLES {
            let of_table = hits.iter().filter(|hit| hit.record.table == table);
            let mut ids: Vec<Uuid> = of_table.map(|hit| hit.record.id).collect();
            ids.sort();
            ids.dedup();
            if ids.is_empty() {
                continue;
            }
            let ids = ids.into_iter().map(Value::Guid).collect();
            let query = CrmQuery::of(table).filter(Filter::In(format!("{table}id"), ids));
            records.extend(self.crm.query(&query).await?);
        }
        Ok(records)
    }
}

async fn here(tx: &mut Tx, address: &str, accounts: &[String]) -> Result<Here, Error> {
    let (mut suppressed, mut events, mut responses) = (Vec::new(), Vec::new(), Vec::new());
    let (mut reasons, mut ties) = (Vec::new(), Vec::new());
    for account in accounts {
        ties.extend(linked(tx, account, address).await?.into_iter().map(|link| (account.clone(), link)));
        let rows = suppressions::rows::load(tx, account, &[address.to_owned()]).await?;
        suppressed.extend(rows.into_values());
        let found = events::rows::newest(tx, account, address, NEWEST).await?;
        events.extend(found.into_iter().map(|row| (account.clone(), row)));
        let mut of_forms = forms::rows::select(account);
        of_forms.and_where(Expr::col("address").eq(address)).order_by("at", Order::Desc).limit(NEWEST as u64);
        let found = forms::rows::load(tx, &of_forms).await?;
        responses.extend(found.into_iter().map(|row| (account.clone(), row)));
        let asked = [Asked { address: address.to_owned(), member: None }];
        let known = gate::known(tx, account, &asked, None).await?;
        let of_known = known.iter().flat_map(|known| blocks(known, Purpose::Marketing));
        reasons.push(of_known.map(|block| block.sentence()).collect());
    }
    let erased = erased::among(tx, std::iter::once(address)).await?.remove(address);
    Ok(Here {
        links: ties,
        suppressions: suppressed,
        left: left(tx, address).await?,
        ledger: ledger::of(tx, address).await?,
        events,
        responses,
        erased,
        blocks: reasons,
    })
}

/// Of records that have the address now, and of those that had it when the service last took them.
async fn linked(tx: &mut Tx, account: &str, address: &str) -> Result<Vec<Link>, Error> {
    let holders = who::holders(tx, &[address.to_owned()]).await?;
    let mut found = links::of_records(tx, account, &holders).await?;
    for link in links::of_addresses(tx, account, &[address.to_owned()]).await? {
        found.insert(link.record.clone(), link);
    }
    let mut found: Vec<Link> = found.into_values().collect();
    found.sort_by(|one, other| one.record.cmp(&other.record));
    Ok(found)
}

async fn left(tx: &mut Tx, address: &str) -> Result<Vec<Left>, Error> {
    let select = Query::select()
        .columns(["account", "list", "active", "status", "since"])
        .from("list_opt_out")
        .and_where(Expr::col("address").eq(address))
        .to_owned();
    let left = |row: &postroom_store::Row| {
        let status: String = row.at(3)?;
        Ok(Left {
            account: row.at(0)?,
            list: row.at(1)?,
            active: row.at(2)?,
            status: Status::from(status.as_str()),
            since: row.at(4)?,
        })
    };
    tx.query(&select).await?.iter().map(left).collect()
}
