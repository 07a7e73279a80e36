//! Everything that the CRM and the store know about an e-mail to be sent, asked in a few calls.

use std::collections::HashMap;

use futures_util::FutureExt;
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

const EMAIL: [&str; 12] = [
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
    "prioritycode",
    "createdon",
];

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
    pub subject: String,
    pub description: String,
    pub regarding: Option<RecordRef>,
    pub parties: Vec<Party>,
    pub owner: Option<Party>,
    pub files: Vec<compose::File>,
    pub parent: Option<Parent>,
    pub by_workflow: bool,
    pub read_receipt: bool,
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

impl Sending {
    /// Reads an e-mail; `None` when it is gone or was taken back.
    pub(super) async fn gather(&self, id: Uuid) -> Result<Option<Activity>, Fault> {
        let query = CrmQuery::of("email").select(&EMAIL).filter(Filter::eq("activityid", id));
        let Some(email) = self.crm.query(&query).await?.into_iter().next() else { return Ok(None) };
        let status = email.int("statuscode").filter(|_| email.int("statecode") == Some(COMPLETED));
        if !matches!(status, Some(PENDING | SENDING)) {
            return Ok(None);
        }
        let (parties, owner) = self.parties(id, email.lookup("ownerid").cloned()).await?;
        let flag = |column: &str| email.get(column).and_then(Value::as_bool).unwrap_or(false);
        Ok(Some(Activity {
            id,
            status,
            subject: email.text("subject").unwrap_or_default().to_owned(),
            description: self.text(email.get("description")).await?,
            regarding: email.lookup("regardingobjectid").cloned(),
            parties,
            owner,
            files: self.files(id).await?,
            parent: self.parent(email.lookup("parentactivityid").map(|parent| parent.id)).await?,
            by_workflow: flag("isworkflowcreated"),
            read_receipt: flag("readreceiptrequested"),
            priority: email.int("prioritycode"),
        }))
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

    async fn parties(
        &self,
        id: Uuid,
        owner: Option<RecordRef>,
    ) -> Result<(Vec<Party>, Option<Party>), Fault> {
        let query = CrmQuery::of("activityparty")
            .select(&["participationtypemask", "partyid", "addressused"])
            .filter(Filter::eq("activityid", Value::lookup("email", id)))
            .order_by("activitypartyid", false);
        let rows = self.crm.query(&query).await?;
        let mut wanted: Vec<RecordRef> =
            rows.iter().filter_map(|row| row.lookup("partyid").cloned()).collect();
        wanted.extend(owner.clone());
        let people = self.people(wanted).await?;
        let parties = rows.iter().filter_map(|row| {
            let role = match row.int("participationtypemask")? {
                1 => Role::Sender,
                2 => Role::To,
                3 => Role::Cc,
                4 => Role::Bcc,
                _ => return None,
            };
            let used = row.text("addressused").unwrap_or_default();
            Some(party(role, used, row.lookup("partyid").cloned(), &people))
        });
        let owner = owner.filter(|owner| owner.table == "systemuser");
        let owner = owner.map(|owner| party(Role::Sender, "", Some(owner), &people));
        Ok((parties.collect(), owner))
    }

    async fn people(&self, wanted: Vec<RecordRef>) -> Result<HashMap<RecordRef, Record>, Fault> {
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
            let query = CrmQuery::of(table).select(&columns).filter(Filter::In(key.into(), ids));
            people.extend(self.crm.query(&query).await?.into_iter().map(|row| (row.at.clone(), row)));
        }
        Ok(people)
    }

    async fn files(&self, id: Uuid) -> Result<Vec<compose::File>, Fault> {
        let query = CrmQuery::of("activitymimeattachment")
            .select(&["filename", "mimetype", "attachmentcontentid", "body"])
            .filter(Filter::eq("objectid", Value::lookup("email", id)))
            .order_by("attachmentnumber", false);
        let mut files = Vec::new();
        for row in self.crm.query(&query).await? {
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

    /// The answered mail: out of the store when it is known there, else what the CRM has of it.
    async fn parent(&self, activity: Option<Uuid>) -> Result<Option<Parent>, Fault> {
        let Some(activity) = activity else { return Ok(None) };
        let stored: Result<Option<Parent>, Error> =
            self.store.read(move |tx| async move { stored(tx, activity).await }.boxed()).await;
        if let Some(parent) = stored? {
            return Ok(Some(parent));
        }
        let query = CrmQuery::of("email").select(&["messageid"]).filter(Filter::eq("activityid", activity));
        let rows = self.crm.query(&query).await?;
        let id = rows
            .first()
            .and_then(|row| row.text("messageid"))
            .and_then(postroom_formats::mime::normal_message_id);
        Ok(id.map(|message_id| Parent { message_id, ..Parent::default() }))
    }
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
