//! Erasure, in an order in which a crash at any place leaves nobody mailable and nothing forgotten half-way: asking again goes on.
//!
//! 1. What is to be done is written down, with an opt-out of every account, in one unit: from here on the gate is shut.
//! 2. Each account of the service: opted out, then deleted. Its suppression stays.
//! 3. The CRM's rows of the connector about the person go, the suppression's excepted.
//! 4. What is here: addresses, links and responses go; events lose whose they are; the ledger keeps a hash. The receipt is kept.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::address::normal;
use postroom_core::marketing::{DeletionId, Person, Status};
use postroom_core::{Change, ChangeSet, Code, Fault, Filter, Ids, Query as CrmQuery, RecordRef, Value};
use postroom_store::sql::{Expr, ExprTrait, LikeExpr, Order, Query};
use postroom_store::{Error, Insert, Tx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::consent::ledger::hashed;
use crate::engine::Engine;
use crate::events;
use crate::solution::tables;
use crate::suppressions::rows::{self, Origin, SaidOut};

/// Rows of one lot.
const LOT: u64 = 500;
/// How often a removal that goes on at the service is asked for, before the erasure waits for being asked again.
const ASKED: usize = 5;
/// An opt-out must outlive the person's data.
const STAYS: &str = "esc_emailsupression";

/// Tables whose rows about an address go: table, column, and the name in the receipt. Opt-outs are not among them.
const GOES: &[(&str, &str, &str)] = &[
    ("person_address", "address", "addresses"),
    ("form_response", "address", "responses"),
    ("list_record", "address", "list members"),
    ("list_member", "address", "list members"),
    ("preference_choice", "address", "preferences"),
    ("preference_list_choice", "address", "preferences"),
    ("import_row", "address", "import rows"),
    ("single_send", "person", "single sends"),
];

/// What an erasure did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Receipt {
    /// Of the address.
    pub hash: String,
    pub actor: String,
    pub asked: Option<Timestamp>,
    /// `None` while it goes on: ask again.
    pub done: Option<Timestamp>,
    /// Rows by table; `service NAME` for an account.
    pub counts: BTreeMap<String, u64>,
    /// What was left, and what a person has to do about it.
    pub remains: Vec<String>,
    /// Removals that the service goes on with, by account.
    pub deletions: BTreeMap<String, String>,
}

impl Engine {
    /// What erasing an address would do. Nothing is written.
    ///
    /// # Errors
    /// Faults of either side.
    pub async fn rehearse_erasure(&self, address: &str) -> Result<Receipt, Fault> {
        let address = normal(address);
        let mut receipt = Receipt { hash: hashed(&address), ..Receipt::default() };
        for account in self.accounts.values() {
            let who = [Person::Email(address.clone())];
            let found = account.service.find_contacts(&who, &Default::default()).await?;
            receipt.counts.insert(format!("service {}", account.name), found.iter().flatten().count() as u64);
        }
        for (table, rows) in self.rows_of(&address).await? {
            receipt.counts.insert(table, rows.len() as u64);
        }
        let asked = address.clone();
        let unit = self.store.rehearse(move |tx| async move { forget(tx, &asked).await }.boxed());
        let counts: Result<BTreeMap<String, u64>, Error> = unit.await;
        receipt.counts.extend(counts?);
        receipt.remains = self.remaining(&address).await?;
        Ok(receipt)
    }

    /// Erases a person by address. Asking again goes on with what was cut, or erases once more what came since.
    ///
    /// # Errors
    /// Faults of either side; the opt-out holds by then, and asking again goes on. A refusal of what is no address.
    pub async fn erase_person(&self, address: &str, actor: &str) -> Result<Receipt, Fault> {
        let address = normal(address);
        if !address.contains('@') {
            let text = format!("{address:?} is no address; write the whole of it, as in anna@example.com");
            return Err(Fault::reject(Code::CONFIG_INVALID, text));
        }
        self.may_work_now().await?;
        let (id, mut receipt) = self.begin_erasure(&address, actor).await?;
        let settled = self.erase_at_services(&address, &mut receipt).await?;
        self.erase_at_crm(&address, &mut receipt).await?;
        receipt.remains = self.remaining(&address).await?;
        if !settled {
            self.keep_erasure(id, &receipt).await?;
            return Ok(receipt);
        }
        self.finish_erasure(id, &address, receipt).await
    }

    /// Step 1, or the erasure of this address that was begun before.
    async fn begin_erasure(&self, address: &str, actor: &str) -> Result<(Uuid, Receipt), Fault> {
        let (ids, now) = (self.ids.clone(), self.clock.now());
        let accounts: Vec<String> = self.accounts.keys().cloned().collect();
        let (address, actor) = (address.to_owned(), actor.to_owned());
        let unit = self.store.write("marketing.erasure_begun", move |tx| {
            async move {
                if let Some(begun) = begun(tx, &address).await? {
                    return Ok(begun);
                }
                let receipt = Receipt {
                    hash: hashed(&address),
                    actor: actor.clone(),
                    asked: Some(now),
                    ..Receipt::default()
                };
                let id = write(tx, &ids, &address, now, &receipt).await?;
                shut(tx, &ids, now, &accounts, &address, &actor, id).await?;
                Ok((id, receipt))
            }
            .boxed()
        });
        let begun: Result<(Uuid, Receipt), Error> = unit.await;
        Ok(begun?)
    }

    /// Step 2; false when a removal still goes on.
    async fn erase_at_services(&self, address: &str, receipt: &mut Receipt) -> Result<bool, Fault> {
        let mut settled = true;
        for account in self.accounts.values() {
            match account.service.unsubscribe(address).await {
                Ok(_) => {}
                Err(fault) if fault.code == Code::MARKETING_SUPPRESSED => {}
                Err(fault) => return Err(fault),
            }
            let id = match receipt.deletions.get(&account.name) {
                Some(id) => DeletionId(id.clone()),
                None => account.service.delete_contacts(&[Person::Email(address.to_owned())]).await?,
            };
            let mut ended = None;
            for _ in 0..ASKED {
                let deletion = account.service.deletion(&id).await?;
                if deletion.done || deletion.failed {
                    ended = Some(deletion);
                    break;
                }
            }
            match ended {
                None => {
                    settled = false;
                    receipt.deletions.insert(account.name.clone(), id.0);
                }
                // Asking again begins another one.
                Some(deletion) if deletion.failed => {
                    settled = false;
                    receipt.deletions.remove(&account.name);
                }
                Some(deletion) => {
                    receipt.deletions.remove(&account.name);
                    let counted = receipt.counts.entry(format!("service {}", account.name)).or_default();
                    *counted += deletion.deleted.unwrap_or_default();
                }
            }
        }
        Ok(settled)
    }

    /// Step 3.
    async fn erase_at_crm(&self, address: &str, receipt: &mut Receipt) -> Result<(), Fault> {
        loop {
            let found = self.rows_of(address).await?;
            let rows: Vec<RecordRef> = found.into_values().flatten().collect();
            if rows.is_empty() {
                return Ok(());
            }
            let tables: Vec<String> = rows.iter().map(|row| row.table.clone()).collect();
            let sets = rows.into_iter().map(|row| ChangeSet { changes: vec![Change::Delete(row)] });
            let mut refused = None;
            for (table, answer) in tables.into_iter().zip(self.crm.apply(sets.collect()).await) {
                match answer {
                    Ok(_) => *receipt.counts.entry(table).or_default() += 1,
                    Err(fault) => refused = Some(fault),
                }
            }
            if let Some(fault) = refused {
                return Err(fault);
            }
        }
    }

    /// Rows of the connector's tables that name an address, at most [`LOT`] of each; answers before their response.
    async fn rows_of(&self, address: &str) -> Result<BTreeMap<String, Vec<RecordRef>>, Fault> {
        let named: Vec<&str> = tables::all()
            .filter(|table| {
                table.name != STAYS && table.columns().any(|column| column.name == "esc_emailaddress")
            })
            .map(|table| table.name)
            .collect();
        let there = self.crm.metadata(&named).await?;
        let mut found = BTreeMap::new();
        for table in named.into_iter().filter(|table| there.table(table).is_some()) {
            let query = CrmQuery::of(table)
                .select(&["esc_emailaddress"])
                .filter(Filter::eq("esc_emailaddress", address))
                .top(LOT);
            let rows: Vec<RecordRef> = self.crm.query(&query).await?.into_iter().map(|row| row.at).collect();
            if table == "esc_response" && !rows.is_empty() {
                let ids = rows.iter().map(|row| Value::Guid(row.id)).collect();
                let answers = CrmQuery::of("esc_formanswer")
                    .select(&["esc_responseid"])
                    .filter(Filter::In("esc_responseid".into(), ids))
                    .top(LOT);
                let answers = self.crm.query(&answers).await?;
                if !answers.is_empty() {
                    found
                        .insert("esc_formanswer".to_owned(), answers.into_iter().map(|row| row.at).collect());
                    // They hang on the response: it goes in the next round, when the last of them has gone.
                    continue;
                }
            }
            if !rows.is_empty() {
                found.insert(table.to_owned(), rows);
            }
        }
        Ok(found)
    }

    /// What an erasure leaves, for a person.
    async fn remaining(&self, address: &str) -> Result<Vec<String>, Fault> {
        let mut remains: Vec<String> = self
            .records_with(address)
            .await?
            .into_iter()
            .map(|record| {
                format!("{} has the address in the CRM; delete the record or empty the column", record.at)
            })
            .collect();
        remains.push(
            "the suppression of the address stays, here, in the CRM and in the service, so that nobody mails it again"
                .to_owned(),
        );
        Ok(remains)
    }

    async fn keep_erasure(&self, id: Uuid, receipt: &Receipt) -> Result<(), Fault> {
        let text = json(receipt);
        let unit = self.store.write("marketing.erasure_goes_on", move |tx| {
            async move {
                let mut update = Query::update();
                update.table("person_erasure").value("receipt", text).and_where(Expr::col("id").eq(id));
                tx.execute(&update).await.map(drop)
            }
            .boxed()
        });
        let kept: Result<(), Error> = unit.await;
        Ok(kept?)
    }

    /// Step 4.
    async fn finish_erasure(&self, id: Uuid, address: &str, receipt: Receipt) -> Result<Receipt, Fault> {
        let (now, address) = (self.clock.now(), address.to_owned());
        let unit = self.store.write("marketing.erased", move |tx| {
            async move {
                let mut receipt = Receipt { done: Some(now), ..receipt };
                receipt.counts.extend(forget(tx, &address).await?);
                let mut update = Query::update();
                update
                    .table("person_erasure")
                    .value("address", Option::<String>::None)
                    .value("done", now.as_microsecond())
                    .value("receipt", json(&receipt))
                    .and_where(Expr::col("id").eq(id));
                tx.execute(&update).await?;
                Ok(receipt)
            }
            .boxed()
        });
        let done: Result<Receipt, Error> = unit.await;
        Ok(done?)
    }

    /// Erasures, newest first: the proof that one was done, and those that wait for being asked again.
    ///
    /// # Errors
    /// The store's.
    pub async fn erasures(&self, limit: u64) -> Result<Vec<Receipt>, Fault> {
        let read = self.store.read(move |tx| {
            async move {
                let select = Query::select()
                    .column("receipt")
                    .from("person_erasure")
                    .order_by("asked", Order::Desc)
                    .limit(limit)
                    .to_owned();
                let texts = tx.query(&select).await?;
                texts.iter().map(|row| Ok(receipt(&row.at::<String>(0)?))).collect()
            }
            .boxed()
        });
        let read: Result<Vec<Receipt>, Error> = read.await;
        Ok(read?)
    }
}

fn json(receipt: &Receipt) -> String {
    serde_json::to_string(receipt).expect("a receipt is texts and numbers under names")
}

fn receipt(text: &str) -> Receipt {
    serde_json::from_str(text).unwrap_or_default()
}

async fn begun(tx: &mut Tx, address: &str) -> Result<Option<(Uuid, Receipt)>, Error> {
    let select = Query::select()
        .columns(["id", "receipt"])
        .from("person_erasure")
        .and_where(Expr::col("hash").eq(hashed(address)))
        .and_where(Expr::col("done").is_null())
        .to_owned();
    let Some(row) = tx.query_one(&select).await? else { return Ok(None) };
    Ok(Some((row.at(0)?, receipt(&row.at::<String>(1)?))))
}

async fn write(
    tx: &mut Tx,
    ids: &Ids,
    address: &str,
    now: Timestamp,
    receipt: &Receipt,
) -> Result<Uuid, Error> {
    let id = ids.next();
    let mut row = Insert::into("person_erasure", &["id", "hash", "address", "actor", "asked", "receipt"]);
    row.row([
        id.into(),
        receipt.hash.as_str().into(),
        address.into(),
        receipt.actor.as_str().into(),
        now.as_microsecond().into(),
        json(receipt).into(),
    ]);
    tx.insert(&row).await?;
    Ok(id)
}

/// An opt-out of every account.
async fn shut(
    tx: &mut Tx,
    ids: &Ids,
    now: Timestamp,
    accounts: &[String],
    address: &str,
    actor: &str,
    id: Uuid,
) -> Result<(), Error> {
    let said = SaidOut {
        address: address.to_owned(),
        status: Status::Suppressed,
        at: now,
        contact: None,
        source: format!("erasure {id}"),
        actor: actor.to_owned(),
    };
    for account in accounts {
        rows::take(tx, ids, now, account, Origin::Here, std::slice::from_ref(&said)).await?;
    }
    Ok(())
}

/// Takes an address out of everything here; answers what went, by table.
async fn forget(tx: &mut Tx, address: &str) -> Result<BTreeMap<String, u64>, Error> {
    let mut counts = BTreeMap::new();
    let by_address = || Expr::col("address").eq(address);
    let holders = Query::select().column("record").from("person_address").and_where(by_address()).to_owned();
    let mut people = Query::update();
    // Nothing is equal to an empty digest: a record that is still in the CRM is read again when it changes.
    people
        .table("person")
        .value("fields", "{}")
        .value("digest", Vec::<u8>::new())
        .and_where(Expr::col("record").in_subquery(holders.clone()));
    counts.insert("people".to_owned(), tx.execute(&people).await?);
    // What runs wrote on the person's records cannot be taken back any more.
    let mut writes = Query::delete();
    writes.from_table("sync_written").and_where(Expr::col("record").in_subquery(holders.clone()));
    counts.insert("writes".to_owned(), tx.execute(&writes).await?);
    let mut links = Query::delete();
    links.from_table("person_link").and_where(by_address().or(Expr::col("record").in_subquery(holders)));
    counts.insert("links".to_owned(), tx.execute(&links).await?);
    for (table, column, name) in GOES {
        let mut delete = Query::delete();
        delete.from_table(*table).and_where(Expr::col(*column).eq(address));
        *counts.entry((*name).to_owned()).or_default() += tx.execute(&delete).await?;
    }
    // Somebody who was erased before and came back: one row says it.
    let again = Query::select().column("campaign").from("campaign_mailed").and_where(by_address()).to_owned();
    let mut before = Query::delete();
    before
        .from_table("campaign_mailed")
        .and_where(Expr::col("address").eq(hashed(address)))
        .and_where(Expr::col("campaign").in_subquery(again));
    tx.execute(&before).await?;
    // That somebody was mailed stays, so that nobody is mailed twice; who it was does not.
    for table in ["campaign_recipient", "campaign_mailed"] {
        let mut mailed = Query::update();
        mailed.table(table).value("address", hashed(address)).and_where(by_address());
        *counts.entry("mailings".to_owned()).or_default() += tx.execute(&mailed).await?;
    }
    counts.insert("events".to_owned(), nameless(tx, address).await?);
    let mut ledger = Query::update();
    ledger.table("consent_entry").value("address", hashed(address)).and_where(by_address());
    counts.insert("ledger".to_owned(), tx.execute(&ledger).await?);
    counts.insert("rejected rows".to_owned(), rejects(tx, address).await?);
    Ok(counts)
}

/// Events stay as figures without a person: neither address nor number, and no key that holds one.
async fn nameless(tx: &mut Tx, address: &str) -> Result<u64, Error> {
    let select = Query::select()
        .columns(["account", "key", "kind", "data"])
        .from("event")
        .and_where(Expr::col("address").eq(address))
        .to_owned();
    let rows = tx.query(&select).await?;
    for row in &rows {
        let (account, key, kind, data): (String, String, String, String) =
            (row.at(0)?, row.at(1)?, row.at(2)?, row.at(3)?);
        let mut update = Query::update();
        update
            .table("event")
            .value("key", hashed(&key))
            .value("contact", 0)
            .value("address", "")
            .value("data", events::facts::nameless(&data))
            .value("record_table", Option::<String>::None)
            .value("record", Option::<Uuid>::None)
            .value("told_crm", true)
            .value("in_crm", false)
            .value("replies_due", false)
            .and_where(Expr::col("account").eq(account.as_str()))
            .and_where(Expr::col("key").eq(key.as_str()));
        if kind == events::Kind::Reply.as_str() {
            // Nothing is left of a reply without what it says.
            let mut delete = Query::delete();
            delete
                .from_table("event")
                .and_where(Expr::col("account").eq(account))
                .and_where(Expr::col("key").eq(key));
            tx.execute(&delete).await?;
        } else {
            tx.execute(&update).await?;
        }
    }
    Ok(rows.len() as u64)
}

/// Rejected rows keep that they were, not what they said.
async fn rejects(tx: &mut Tx, address: &str) -> Result<u64, Error> {
    let escaped: String = address
        .chars()
        .flat_map(|character| {
            let escape = matches!(character, '%' | '_' | '\\').then_some('\\');
            escape.into_iter().chain([character])
        })
        .collect();
    let holds =
        |column: &'static str| Expr::col(column).like(LikeExpr::new(format!("%{escaped}%")).escape('\\'));
    let mut update = Query::update();
    update
        .table("sync_reject")
        .value("subject", hashed(address))
        .value("sent", "")
        .value("received", "")
        .and_where(holds("subject").or(holds("sent")).or(holds("received")));
    tx.execute(&update).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_names_nobody() {
        let receipt = Receipt { hash: hashed("o'brien+x@example.com"), ..Receipt::default() };
        let text = json(&receipt);
        assert!(!text.contains("brien") && text.contains("sha256:"), "{text}");
        assert_eq!(super::receipt(&text), receipt);
        assert_eq!(super::receipt("later version"), Receipt::default());
    }
}
