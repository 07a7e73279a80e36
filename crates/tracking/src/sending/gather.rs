//! Everything that the CRM and the store know about an e-mail to be sent, asked in a few calls.

use std::collections::{HashMap, HashSet};

use futures_util::{FutureExt, StreamExt, stream};
use postroom_core::{
    Address, Content, Fault, Filter, MailId, Query as CrmQuery, Record, RecordRef, Value, address,
};
use postroom_formats::compose;
use postroom_store::sql::{Expr, ExprTrait, Order, Query};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::Sending;
use crate::filing::parties::Role;

/// statecode Completed; statuscode Pending Send and Sending (dataverse.md B2).
pub(super) const COMPLETED: i64 = 1;
pub(super) const PENDING: i64 = 6;
pub(super) const SENDING: i64 = 7;

const EMAIL: [&str; 15] = [
    "versionnumber",
    "trackingtoken",
    "subject",
    "description",
    "statecode",
    "statuscode",
    "directioncode",
    "regardingobjectid",
    "parentactivityid",
    "ownerid",
    "isworkflowcreated",
    "readreceiptrequested",
    "deliveryreceiptrequested",
    "prioritycode",
    "createdon",
];

/// Ids in one question.
const ASKED: usize = 100;
/// E-mails whose texts and files are read at once.
const ABREAST: usize = 8;

/// Tables that a party may be in, with their id, name and main address.
const PEOPLE: [(&str, &str, &str, &str); 5] = [
    ("systemuser", "systemuserid", "fullname", "internalemailaddress"),
    ("queue", "queueid", "name", "emailaddress"),
    ("contact", "contactid", "fullname", "emailaddress1"),
    ("lead", "leadid", "fullname", "emailaddress1"),
    ("account", "accountid", "name", "emailaddress1"),
];

/// One party of the e-mail.
#[derive(Debug, Clone)]
pub(super) struct Party {
    pub role: Role,
    /// Empty when neither the party nor its record has one.
    pub address: Address,
    pub record: Option<RecordRef>,
    pub do_not_email: bool,
}

/// The mail that this one answers.
#[derive(Debug, Clone, Default)]
pub(super) struct Parent {
    pub message_id: String,
    /// Oldest first.
    pub references: Vec<String>,
    /// A machine wrote it.
    pub automatic: bool,
}

/// An e-mail of the CRM with all that goes into the mail.
#[derive(Debug, Clone)]
pub(super) struct Activity {
    pub id: Uuid,
    /// Whether it still waits to be sent, and whether somebody set it to Sending.
    pub status: Option<i64>,
    /// Of the row as it was read, where the server tells.
    pub version: Option<i64>,
    /// The mark of whoever set it to Sending.
    pub taker: Option<String>,
    pub subject: String,
    pub description: String,
    pub regarding: Option<RecordRef>,
    pub parties: Vec<Party>,
    pub owner: Option<Party>,
    pub files: Vec<compose::File>,
    pub parent: Option<Parent>,
    pub by_workflow: bool,
    pub read_receipt: bool,
    pub delivery_receipt: bool,
    pub priority: Option<i64>,
}

impl Activity {
    pub(super) fn sender(&self) -> Option<&Party> {
        let named = self.parties.iter().find(|party| party.role == Role::Sender);
        named.or(self.owner.as_ref()).filter(|party| !party.address.address.is_empty())
    }

    pub(super) fn recipients(&self) -> impl Iterator<Item = &Party> {
        self.parties.iter().filter(|party| party.role != Role::Sender)
    }
}

/// What was found of one e-mail that is to be sent.
pub(super) enum Found {
    Wanted(Box<Activity>),
    /// It is gone, or was taken back.
    Gone,
}

/// The rows that hang on the e-mails of a lot, by e-mail.
struct Beside {
    parties: HashMap<Uuid, Vec<Record>>,
    people: HashMap<RecordRef, Record>,
    files: HashMap<Uuid, Vec<Record>>,
    parents: HashMap<Uuid, Parent>,
}

impl Sending {
    /// Reads e-mails, with a few calls for all of them and then each one's texts and files. Files beyond `room` bytes are not
    /// read: their e-mails are left out of the answer, but for the first.
    pub(super) async fn gather(
        &self,
        ids: &[Uuid],
        room: i64,
    ) -> Result<HashMap<Uuid, Result<Found, Fault>>, Fault> {
        let wanted = ids.iter().map(|id| Value::from(*id)).collect();
        let query = CrmQuery::of("email").select(&EMAIL).filter(Filter::In("activityid".into(), wanted));
        let emails = self.crm.query(&query).await?;
        let mut found: HashMap<Uuid, Result<Found, Fault>> =
            ids.iter().map(|id| (*id, Ok(Found::Gone))).collect();
        let emails: Vec<Record> = emails.into_iter().filter(|email| status(email).is_some()).collect();
        if emails.is_empty() {
            return Ok(found);
        }
        let beside = self.beside(&emails).await?;
        let (now, later) = within(emails, &beside.files, room);
        later.iter().for_each(|email| drop(found.remove(&email.at.id)));
        let each: Vec<_> = now.iter().map(|email| self.one(email, &beside).boxed()).collect();
        let read: Vec<Result<Activity, Fault>> = stream::iter(each).buffered(ABREAST).collect().await;
        for (email, activity) in now.iter().zip(read) {
            found.insert(email.at.id, activity.map(|activity| Found::Wanted(Box::new(activity))));
        }
        Ok(found)
    }

    async fn beside(&self, emails: &[Record]) -> Result<Beside, Fault> {
        let of = |email: &Record| Value::from(email.at.id);
        let parties = CrmQuery::of("activityparty")
            .select(&["activityid", "participationtypemask", "partyid", "addressused"])
            .filter(Filter::In("activityid".into(), emails.iter().map(of).collect()))
            .order_by("activitypartyid", false);
        let parties = by_email(self.crm.query(&parties).await?, "activityid");
        let files = CrmQuery::of("activitymimeattachment")
            .select(&["objectid", "filename", "mimetype", "attachmentcontentid", "filesize", "body"])
            .filter(Filter::In("objectid".into(), emails.iter().map(of).collect()))
            .order_by("attachmentnumber", false);
        let files = by_email(self.crm.query(&files).await?, "objectid");
        let named = parties.values().flatten().filter_map(|row| row.lookup("partyid"));
        let owners = emails.iter().filter_map(|email| email.lookup("ownerid"));
        let people = self.people(named.chain(owners).cloned().collect()).await?;
        let parents = emails.iter().filter_map(|email| email.lookup("parentactivityid"));
        let parents = self.parents(parents.map(|parent| parent.id).collect()).await?;
        Ok(Beside { parties, people, files, parents })
    }

    async fn one(&self, email: &Record, beside: &Beside) -> Result<Activity, Fault> {
        let id = email.at.id;
        let rows = beside.parties.get(&id).map(Vec::as_slice).unwrap_or_default();
        let owner = email.lookup("ownerid").filter(|owner| owner.table == "systemuser").cloned();
        let flag = |column: &str| email.get(column).and_then(Value::as_bool).unwrap_or(false);
        let parent = email.lookup("parentactivityid");
        Ok(Activity {
            id,
            status: status(email),
            version: email.int("versionnumber"),
            taker: email.text("trackingtoken").map(str::to_owned),
            subject: email.text("subject").unwrap_or_default().to_owned(),
            description: self.text(email.get("description")).await?,
            regarding: email.lookup("regardingobjectid").cloned(),
            parties: rows.iter().filter_map(|row| named(row, &beside.people)).collect(),
            owner: owner.map(|owner| party(Role::Sender, "", Some(owner), &beside.people)),
            files: self.files(beside.files.get(&id).map(Vec::as_slice).unwrap_or_default()).await?,
            parent: parent.and_then(|parent| beside.parents.get(&parent.id).cloned()),
            by_workflow: flag("isworkflowcreated"),
            read_receipt: flag("readreceiptrequested"),
            delivery_receipt: flag("deliveryreceiptrequested"),
            priority: email.int("prioritycode"),
        })
    }

    async fn text(&self, value: Option<&Value>) -> Result<String, Fault> {
        match value {
            Some(Value::Text(text)) => Ok(text.clone()),
            Some(Value::Content(content)) => {
                let bytes = self.crm.read(content).await?;
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            _ => Ok(String::new()),
        }
    }

    async fn people(&self, wanted: HashSet<RecordRef>) -> Result<HashMap<RecordRef, Record>, Fault> {
        let mut people = HashMap::new();
        for (table, key, name, main) in PEOPLE {
            let ids: Vec<Value> =
                wanted.iter().filter(|record| record.table == table).map(|record| record.id.into()).collect();
            if ids.is_empty() {
                continue;
            }
            let mut columns = vec![name, main];
            if matches!(table, "contact" | "lead" | "account") {
                columns.push("donotemail");
            }
            for ids in ids.chunks(ASKED) {
                let query = CrmQuery::of(table).select(&columns).filter(Filter::In(key.into(), ids.to_vec()));
                people.extend(self.crm.query(&query).await?.into_iter().map(|row| (row.at.clone(), row)));
            }
        }
        Ok(people)
    }

    async fn files(&self, rows: &[Record]) -> Result<Vec<compose::File>, Fault> {
        let mut files = Vec::with_capacity(rows.len());
        for row in rows {
            let bytes = match row.get("body") {
                Some(Value::Content(content)) => self.crm.read(content).await?,
                _ => self.crm.read(&Content::Bytes(bytes::Bytes::new())).await?,
            };
            files.push(compose::File {
                name: row.text("filename").unwrap_or_default().to_owned(),
                content_type: row.text("mimetype").unwrap_or_default().to_owned(),
                content_id: row.text("attachmentcontentid").map(str::to_owned),
                bytes,
            });
        }
        Ok(files)
    }

    /// The answered mails by activity: out of the store when they are known there, else what the CRM has of them.
    async fn parents(&self, activities: HashSet<Uuid>) -> Result<HashMap<Uuid, Parent>, Fault> {
        if activities.is_empty() {
            return Ok(HashMap::new());
        }
        let asked: Vec<Uuid> = activities.iter().copied().collect();
        let stored: Result<HashMap<Uuid, Parent>, Error> = self
            .store
            .read(move |tx| {
                async move {
                    let mut known = HashMap::new();
                    for activity in asked {
                        known.extend(stored(tx, activity).await?.map(|parent| (activity, parent)));
                    }
                    Ok(known)
                }
                .boxed()
            })
            .await;
        let mut parents = stored?;
        let left: Vec<Value> =
            activities.iter().filter(|id| !parents.contains_key(id)).map(|id| (*id).into()).collect();
        if left.is_empty() {
            return Ok(parents);
        }
        let query =
            CrmQuery::of("email").select(&["messageid"]).filter(Filter::In("activityid".into(), left));
        for row in self.crm.query(&query).await? {
            let id = row.text("messageid").and_then(postroom_formats::mime::normal_message_id);
            let parent = id.map(|message_id| Parent { message_id, ..Parent::default() });
            parents.extend(parent.map(|parent| (row.at.id, parent)));
        }
        Ok(parents)
    }
}

/// The statuscode of an e-mail that is to be sent, or that somebody set to Sending.
fn status(email: &Record) -> Option<i64> {
    let status = email.int("statuscode").filter(|_| email.int("statecode") == Some(COMPLETED));
    status.filter(|status| matches!(*status, PENDING | SENDING))
}

fn by_email(rows: Vec<Record>, column: &str) -> HashMap<Uuid, Vec<Record>> {
    let mut sorted: HashMap<Uuid, Vec<Record>> = HashMap::new();
    for row in rows {
        if let Some(email) = row.lookup(column).map(|email| email.id) {
            sorted.entry(email).or_default().push(row);
        }
    }
    sorted
}

/// The e-mails whose files fit into `room` bytes, one at least, and the others.
fn within(emails: Vec<Record>, files: &HashMap<Uuid, Vec<Record>>, room: i64) -> (Vec<Record>, Vec<Record>) {
    let (mut used, mut first) = (0, true);
    emails.into_iter().partition(|email| {
        let sizes = files.get(&email.at.id).into_iter().flatten().filter_map(|file| file.int("filesize"));
        used += sizes.sum::<i64>();
        std::mem::take(&mut first) || used <= room
    })
}

fn named(row: &Record, people: &HashMap<RecordRef, Record>) -> Option<Party> {
    let role = match row.int("participationtypemask")? {
        1 => Role::Sender,
        2 => Role::To,
        3 => Role::Cc,
        4 => Role::Bcc,
        _ => return None,
    };
    let used = row.text("addressused").unwrap_or_default();
    Some(party(role, used, row.lookup("partyid").cloned(), people))
}

fn party(role: Role, used: &str, record: Option<RecordRef>, people: &HashMap<RecordRef, Record>) -> Party {
    let row = record.as_ref().and_then(|record| people.get(record));
    let columns = record.as_ref().and_then(|record| PEOPLE.iter().find(|(table, ..)| *table == record.table));
    let of = |column: Option<&str>| column.and_then(|column| row?.text(column)).unwrap_or_default();
    let main = of(columns.map(|(.., main)| *main));
    let chosen = if used.trim().is_empty() { main } else { used };
    Party {
        role,
        address: Address::new(of(columns.map(|(_, _, name, _)| *name)), chosen.trim()),
        do_not_email: row.and_then(|row| row.get("donotemail")?.as_bool()).unwrap_or(false),
        record,
    }
}

/// What the store has of an activity's mail.
async fn stored(tx: &mut Tx, activity: Uuid) -> Result<Option<Parent>, Error> {
    let select = Query::select()
        .columns(["id", "header_id", "automatic"])
        .from("message")
        .and_where(Expr::col("activity_id").eq(activity))
        .and_where(Expr::col("header_id").is_not_null())
        .order_by("id", Order::Desc)
        .limit(1)
        .to_owned();
    let Some(row) = tx.query_one(&select).await? else { return Ok(None) };
    let (id, message_id, automatic): (Uuid, String, bool) = (row.at(0)?, row.at(1)?, row.at(2)?);
    let select = Query::select()
        .column("ref")
        .from("message_ref")
        .and_where(Expr::col("message").eq(MailId(id).0))
        .order_by("place", Order::Desc)
        .to_owned();
    let references = tx.query(&select).await?.iter().map(|row| row.at(0)).collect::<Result<_, _>>()?;
    Ok(Some(Parent { message_id, references, automatic }))
}

/// Whether two addresses are one.
pub(super) fn same(one: &str, other: &str) -> bool {
    address::normal(one) == address::normal(other)
}
