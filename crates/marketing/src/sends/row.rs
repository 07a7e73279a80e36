//! A send as it is kept: what was asked for, how far it is, and who goes with it.
//!
//! Everything that changes a row counts its version up and names the one it read, so of two who work on one send only the
//! first writes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use postroom_core::RecordRef;
use postroom_core::marketing::{CampaignId, ContactId, ListId, SendOrder, SendTime, Split, SplitMetric};
use postroom_store::sql::{Expr, ExprTrait, Order, Query, SelectStatement};
use postroom_store::{Error, Insert, Row, Tx};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::state::{Event, State};

/// A send.
#[derive(Debug, Clone, PartialEq)]
pub struct CampaignSend {
    /// The request row's.
    pub id: Uuid,
    pub account: String,
    /// The service's campaign, once the request was read.
    pub campaign: Option<i64>,
    pub state: State,
    pub version: i64,
    /// The version that the CRM knows.
    pub told: i64,
    /// When to look at it next; `None` when something has to happen first.
    pub wake: Option<Timestamp>,
    /// The single-use list.
    pub list: Option<i64>,
    pub details: Details,
}

/// What only this module asks about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Details {
    pub request: Request,
    /// It names no list yet: its lists can be tied to it only once its row is there.
    pub awaits_lists: bool,
    /// Made before anything is done: names the single-use list.
    pub token: Uuid,
    /// The single-use list was asked for, and may be there.
    pub list_asked: bool,
    /// Members in all; `to_send` and `left_out` add up to it.
    pub members: u64,
    pub to_send: u64,
    pub left_out: BTreeMap<String, u64>,
    /// When the people on the single-use list were last compared with those meant.
    pub compared: Option<Timestamp>,
    /// Since when nothing but fresh opt-outs keeps it from going.
    pub ready: Option<Timestamp>,
    /// Who paused it.
    pub paused: Option<String>,
    pub approved: Option<Word>,
    /// The number of people that a person believes in, said after a question.
    pub expected: Option<u64>,
    /// What a person has to answer before it goes on.
    pub question: Option<String>,
    /// What went wrong last; cleared when it goes on.
    pub error: Option<String>,
    /// When the call was about to be made, by the service's clock.
    pub intent: Option<Timestamp>,
    pub service_send: Option<String>,
    pub sent: Option<Timestamp>,
    pub evidence: Option<Evidence>,
    /// Who decided about a lost answer.
    pub decided: Option<Word>,
    /// What the CRM's row was given as its status: another one there is a user's wish.
    pub told_status: Option<i32>,
    /// The number of people that the CRM's row was last known to say: another one there is a user's word.
    pub told_expected: Option<u64>,
    pub list_deleted: bool,
    /// Of a send to new members: since when it watches its lists, the sends that it made, and the last of them.
    pub watching: Option<Timestamp>,
    pub batches: u32,
    pub batch: Option<Uuid>,
    /// The send to new members that made this one.
    pub parent: Option<Uuid>,
    pub asked: Option<Timestamp>,
    pub ended: Option<Timestamp>,
}

/// What somebody said, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Word {
    pub who: String,
    pub at: Timestamp,
}

/// What the request row asks for, as it was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// The campaign's row in the CRM.
    pub campaign: Option<Uuid>,
    pub campaign_name: String,
    /// Who asks.
    pub actor: Option<Uuid>,
    pub lists: Vec<Target>,
    /// Not before; at once when it lies behind.
    pub due: Option<Timestamp>,
    pub optimised: bool,
    pub split: Option<SplitAsk>,
    pub expected: Option<u64>,
    /// Who was mailed by this campaign before is mailed again.
    pub repeats: bool,
    /// It goes to whoever joins the lists from now on.
    pub new_members: bool,
}

/// A marketing list of the CRM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub list: Uuid,
    pub name: String,
}

/// A split test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitAsk {
    pub metric: String,
    pub percent: u32,
    pub hours: u32,
}

/// What the service shows of a send whose answer was lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    pub looked: Timestamp,
    /// The service says that the campaign went to the single-use list: the send was made.
    pub list: bool,
    pub recipients: u64,
    pub first: Option<Timestamp>,
    pub campaign: String,
}

impl Evidence {
    /// Whether it shows that the send was made. That it does not proves nothing.
    pub fn shows(&self) -> bool {
        self.list || self.recipients > 0
    }
}

/// Where one person of a send stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// To be mailed.
    In,
    /// Opted out since; still to be taken off the single-use list.
    Leaving,
    Out,
}

impl Place {
    pub fn as_str(self) -> &'static str {
        match self {
            Place::In => "in",
            Place::Leaving => "leaving",
            Place::Out => "out",
        }
    }
}

/// One person of a send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// In normal form.
    pub address: String,
    pub at: RecordRef,
    /// The place of the list among those of the request.
    pub list: usize,
    /// Every list of the request that has the address: a [`bit`] for each.
    pub lists: u64,
    pub contact: Option<ContactId>,
}

/// The bit of a place among the lists of a request. Places that no number has room for share the last one.
pub(super) fn bit(place: usize) -> u64 {
    1 << place.min(62)
}

const COLUMNS: [&str; 9] =
    ["id", "account", "campaign", "state", "version", "told", "wake", "list", "details"];

/// The order in which addresses, or ids, come in one statement.
pub(super) const ASKED: usize = 256;

impl CampaignSend {
    /// Takes what happened; `false` when it cannot happen here, and then nothing changes.
    pub fn take(&mut self, event: Event) -> bool {
        match self.state.after(event) {
            None => false,
            Some(next) => {
                self.state = next;
                true
            }
        }
    }

    /// The value of `esc_sendstatus`: what holds it shows before where it is.
    pub fn status(&self) -> i32 {
        use crate::solution::options::Set;
        let label = match () {
            () if !self.state.is_harmless() => return self.state.status(),
            () if self.details.paused.is_some() => "Paused",
            () if self.details.question.is_some() => "Awaiting approval",
            () => return self.state.status(),
        };
        Set::SendStatus.value(label).expect("a label of the set")
    }

    /// The name of the single-use list: a lost answer is found again by it.
    pub fn list_name(&self) -> String {
        format!("postroom send {}", self.details.token)
    }

    pub fn expected(&self) -> Option<u64> {
        self.details.expected.or(self.details.request.expected)
    }

    /// The one call. `None` without a campaign or a list: there is nothing to be sent then.
    pub fn order(&self) -> Option<SendOrder> {
        let to = postroom_core::marketing::Audience::new(vec![ListId(self.list?)], Vec::new(), Vec::new())?;
        let split = self.details.request.split.as_ref().map(|ask| Split {
            metric: SplitMetric::from(ask.metric.as_str()),
            percent: ask.percent,
            hours: ask.hours,
        });
        let when = if self.details.request.optimised { SendTime::Optimised } else { SendTime::Now };
        Some(SendOrder { campaign: CampaignId(self.campaign?), to, when, split })
    }
}

/// A select over sends, to be narrowed by the caller.
pub fn select() -> SelectStatement {
    Query::select().columns(COLUMNS).from("campaign_send").to_owned()
}

pub async fn load(tx: &mut Tx, select: &SelectStatement) -> Result<Vec<CampaignSend>, Error> {
    tx.query(select).await?.iter().map(read).collect()
}

pub async fn one(tx: &mut Tx, id: Uuid) -> Result<Option<CampaignSend>, Error> {
    let mut by_id = select();
    by_id.and_where(Expr::col("id").eq(id));
    Ok(load(tx, &by_id).await?.pop())
}

fn read(row: &Row) -> Result<CampaignSend, Error> {
    let (state, details): (String, String) = (row.at(3)?, row.at(8)?);
    Ok(CampaignSend {
        id: row.at(0)?,
        account: row.at(1)?,
        campaign: row.at(2)?,
        state: State::of(&state),
        version: row.at(4)?,
        told: row.at(5)?,
        wake: row.at(6)?,
        list: row.at(7)?,
        details: serde_json::from_str(&details)
            .map_err(|_| Error::Cell { column: "details".to_owned(), wanted: "description of a send" })?,
    })
}

/// Writes sends that are new; those that are there stay.
pub async fn add(tx: &mut Tx, sends: &[CampaignSend]) -> Result<u64, Error> {
    let mut rows = Insert::into("campaign_send", &COLUMNS).or_skip();
    for send in sends {
        rows.row([
            send.id.into(),
            send.account.clone().into(),
            send.campaign.into(),
            send.state.as_str().into(),
            send.version.into(),
            send.told.into(),
            send.wake.map(Timestamp::as_microsecond).into(),
            send.list.into(),
            json(&send.details).into(),
        ]);
    }
    tx.insert(&rows).await
}

/// Writes a send that changed. Fails with [`Error::Conflict`], and so undoes the unit, when somebody else wrote it since it
/// was read.
pub async fn save(tx: &mut Tx, send: &mut CampaignSend) -> Result<(), Error> {
    let mut update = Query::update();
    update
        .table("campaign_send")
        .value("campaign", send.campaign)
        .value("state", send.state.as_str())
        .value("version", send.version + 1)
        .value("wake", send.wake.map(Timestamp::as_microsecond))
        .value("list", send.list)
        .value("details", json(&send.details))
        .and_where(Expr::col("id").eq(send.id))
        .and_where(Expr::col("version").eq(send.version));
    if tx.execute(&update).await? == 0 {
        return Err(Error::Conflict(format!("somebody else went on with send {}", send.id)));
    }
    send.version += 1;
    Ok(())
}

/// Notes that the CRM knows a version, and the status that it was given.
pub async fn told(tx: &mut Tx, send: &CampaignSend) -> Result<(), Error> {
    let mut update = Query::update();
    update
        .table("campaign_send")
        .value("told", send.version)
        .value("details", json(&send.details))
        .and_where(Expr::col("id").eq(send.id))
        .and_where(Expr::col("version").eq(send.version));
    tx.execute(&update).await.map(drop)
}

fn json(details: &Details) -> String {
    serde_json::to_string(details).expect("details are texts, numbers and moments")
}

/// Writes who a send goes to, in place of whoever stood there.
pub async fn put_recipients(tx: &mut Tx, send: Uuid, people: &[Recipient]) -> Result<(), Error> {
    let mut delete = Query::delete();
    delete.from_table("campaign_recipient").and_where(Expr::col("send").eq(send));
    tx.execute(&delete).await?;
    let columns =
        ["send", "address", "record_table", "record", "list", "lists", "contact", "state", "reason"];
    let mut rows = Insert::into("campaign_recipient", &columns);
    for person in people {
        rows.row([
            send.into(),
            person.address.as_str().into(),
            person.at.table.as_str().into(),
            person.at.id.into(),
            i64::try_from(person.list).unwrap_or(i64::MAX).into(),
            i64::try_from(person.lists).unwrap_or(i64::MAX).into(),
            person.contact.as_ref().map(|contact| contact.0).into(),
            Place::In.as_str().into(),
            Option::<String>::None.into(),
        ]);
    }
    tx.insert(&rows).await.map(drop)
}

/// The people of a send at one place, by address.
pub async fn recipients(tx: &mut Tx, send: Uuid, place: Place) -> Result<Vec<Recipient>, Error> {
    let select = Query::select()
        .columns(["address", "record_table", "record", "list", "contact", "lists"])
        .from("campaign_recipient")
        .and_where(Expr::col("send").eq(send))
        .and_where(Expr::col("state").eq(place.as_str()))
        .order_by("address", Order::Asc)
        .to_owned();
    let read = |row: &Row| {
        Ok(Recipient {
            address: row.at(0)?,
            at: RecordRef::new(row.at::<String>(1)?, row.at(2)?),
            list: usize::try_from(row.at::<i64>(3)?).unwrap_or(0),
            contact: row.at::<Option<i64>>(4)?.map(ContactId),
            lists: row.at::<Option<i64>>(5)?.and_then(|lists| u64::try_from(lists).ok()).unwrap_or(0),
        })
    };
    tx.query(&select).await?.iter().map(read).collect()
}

/// Moves people to another place.
pub async fn place(
    tx: &mut Tx,
    send: Uuid,
    addresses: &[String],
    place: Place,
    reason: Option<&str>,
) -> Result<(), Error> {
    for some in addresses.chunks(ASKED) {
        let mut update = Query::update();
        update
            .table("campaign_recipient")
            .value("state", place.as_str())
            .and_where(Expr::col("send").eq(send))
            .and_where(Expr::col("address").is_in(some.iter().map(String::as_str)));
        if let Some(reason) = reason {
            update.value("reason", reason);
        }
        tx.execute(&update).await?;
    }
    Ok(())
}

/// Notes the numbers that people have at the service.
pub async fn known_as(tx: &mut Tx, send: Uuid, people: &[(String, ContactId)]) -> Result<(), Error> {
    for (address, contact) in people {
        let mut update = Query::update();
        update
            .table("campaign_recipient")
            .value("contact", contact.0)
            .and_where(Expr::col("send").eq(send))
            .and_where(Expr::col("address").eq(address.as_str()));
        tx.execute(&update).await?;
    }
    Ok(())
}
