//! The receipt: what went, in numbers, without a word that says whose it was.

use jiff::Timestamp;
use postroom_store::sql::{Expr, ExprTrait, OnConflict, Order, Query};
use postroom_store::{Error, Tx};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::find::Found;

/// One request to erase a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub id: Uuid,
    pub at: Timestamp,
    /// Null while some of it is left to do.
    pub finished_at: Option<Timestamp>,
    /// SHA-256 of `salt` and the address in normal form, in hex: whoever knows the address can check that it is meant.
    pub address_hash: String,
    pub salt: Uuid,
    /// Nothing was done: the numbers say what would be.
    pub dry_run: bool,
    #[serde(flatten)]
    pub counts: Counts,
    /// What the CRM did not let go.
    pub refusals: Vec<Refusal>,
}

/// How much went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub messages: u64,
    pub sightings: u64,
    /// Those of the messages that the CRM sent, or wanted to.
    pub outgoing: u64,
    /// Those of the messages that waited for a person.
    pub review_closed: u64,
    pub activities: u64,
    pub attachments: u64,
    pub bodies_removed: u64,
    /// Bodies that other mail or other CRM rows refer to.
    pub bodies_kept: u64,
}

/// A change that the CRM refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub activity: Uuid,
    /// `attachments`, `text`, `addresses`, `parties`, `queue items`, `notes`.
    pub what: String,
    /// `PR-nnnn`.
    pub code: String,
}

impl Counts {
    pub(super) fn add(&mut self, found: &Found) {
        self.messages += 1;
        self.sightings += found.sightings;
        self.outgoing += u64::from(found.sends.is_some());
        self.review_closed += u64::from(found.state == postroom_core::MailState::Review);
    }
}

impl Receipt {
    pub(super) fn new(id: Uuid, salt: Uuid, address: &str, at: Timestamp) -> Receipt {
        Receipt {
            id,
            at,
            finished_at: None,
            address_hash: hash(salt, address),
            salt,
            dry_run: false,
            counts: Counts::default(),
            refusals: Vec::new(),
        }
    }

    /// Whether it is about this address, in normal form.
    pub fn is_of(&self, address: &str) -> bool {
        self.address_hash == hash(self.salt, address)
    }
}

fn hash(salt: Uuid, address: &str) -> String {
    let digest = Sha256::new().chain_update(salt.as_bytes()).chain_update(address).finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) async fn put(tx: &mut Tx, receipt: &Receipt) -> Result<(), Error> {
    let text = serde_json::to_string(receipt).expect("a receipt is plain data");
    let mut upsert = Query::insert();
    upsert
        .into_table("erasure")
        .columns(["id", "at", "finished_at", "receipt"])
        .values_panic([
            receipt.id.into(),
            receipt.at.as_microsecond().into(),
            receipt.finished_at.map(Timestamp::as_microsecond).into(),
            text.into(),
        ])
        .on_conflict(OnConflict::column("id").update_columns(["finished_at", "receipt"]).to_owned());
    tx.execute(&upsert).await.map(drop)
}

/// Those that a crash left, oldest first.
pub(super) async fn unfinished(tx: &mut Tx) -> Result<Vec<Receipt>, Error> {
    let select = Query::select()
        .column("receipt")
        .from("erasure")
        .and_where(Expr::col("finished_at").is_null())
        .order_by("at", Order::Asc)
        .to_owned();
    let mut all = Vec::new();
    for row in tx.query(&select).await? {
        let text: String = row.at(0)?;
        all.extend(serde_json::from_str(&text).ok());
    }
    Ok(all)
}
