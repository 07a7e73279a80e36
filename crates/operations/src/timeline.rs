//! A record's activities, with their parties and attachments.

use std::collections::HashMap;

use postroom_core::query::Filter;
use postroom_core::{Fault, Query, Record, RecordRef, Value};
use postroom_tracking::display;
use serde::Serialize;
use uuid::Uuid;

use crate::Operations;

/// Activities shown on one record.
const ACTIVITIES: u64 = 200;

/// One activity on a record's timeline.
#[derive(Debug, Clone, Serialize)]
pub struct Activity {
    pub id: Uuid,
    #[serde(rename = "type")]
    pub kind: String,
    pub subject: String,
    /// `incoming` or `outgoing`.
    pub direction: String,
    /// `open`, `completed`, `canceled`.
    pub state: String,
    pub status: i64,
    pub at: Option<Value>,
    pub parties: Vec<PartyView>,
    pub attachments: Vec<Attachment>,
}

/// A party of an activity.
#[derive(Debug, Clone, Serialize)]
pub struct PartyView {
    /// `from`, `to`, `cc`, `bcc`, `regarding`, `owner`.
    pub role: &'static str,
    pub address: Option<String>,
    pub record: Option<String>,
}

/// An attachment of an activity.
#[derive(Debug, Clone, Serialize)]
pub struct Attachment {
    pub id: Uuid,
    /// Safe for any file system.
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub size: Option<i64>,
    pub content_id: Option<String>,
}

impl Operations {
    pub(crate) async fn activities(&self, at: &RecordRef) -> Result<Vec<Activity>, Fault> {
        let columns = ["subject", "directioncode", "statecode", "statuscode", "actualend", "createdon"];
        let emails = Query::of("email")
            .select(&columns)
            .filter(Filter::eq("regardingobjectid", at.clone()))
            .order_by("actualend", true)
            .top(ACTIVITIES);
        let emails = self.0.crm.query(&emails).await?;
        let ids: Vec<Value> = emails.iter().map(|email| Value::lookup("email", email.at.id)).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let parties = Query::of("activityparty")
            .select(&["activityid", "participationtypemask", "addressused", "partyid"])
            .filter(Filter::In("activityid".into(), ids.clone()))
            .order_by("participationtypemask", false);
        let attachments = Query::of("activitymimeattachment")
            .select(&[
                "objectid",
                "filename",
                "mimetype",
                "filesize",
                "attachmentcontentid",
                "attachmentnumber",
            ])
            .filter(Filter::In("objectid".into(), ids))
            .order_by("attachmentnumber", false);
        let parties = group(self.0.crm.query(&parties).await?, "activityid");
        let attachments = group(self.0.crm.query(&attachments).await?, "objectid");
        let none = Vec::new();
        let view = |email: &Record| {
            let id = email.at.id;
            activity(email, parties.get(&id).unwrap_or(&none), attachments.get(&id).unwrap_or(&none))
        };
        Ok(emails.iter().map(view).collect())
    }
}

fn group(rows: Vec<Record>, column: &str) -> HashMap<Uuid, Vec<Record>> {
    let mut groups: HashMap<Uuid, Vec<Record>> = HashMap::new();
    for row in rows {
        if let Some(of) = row.lookup(column).map(|of| of.id) {
            groups.entry(of).or_default().push(row);
        }
    }
    groups
}

fn activity(email: &Record, parties: &[Record], attachments: &[Record]) -> Activity {
    let outgoing = email.get("directioncode").and_then(Value::as_bool).unwrap_or(true);
    let state = match email.int("statecode") {
        Some(0) => "open",
        Some(1) => "completed",
        _ => "canceled",
    };
    Activity {
        id: email.at.id,
        kind: "email".into(),
        subject: email.text("subject").unwrap_or_default().into(),
        direction: if outgoing { "outgoing" } else { "incoming" }.into(),
        state: state.into(),
        status: email.int("statuscode").unwrap_or_default(),
        at: email.get("actualend").or_else(|| email.get("createdon")).cloned(),
        parties: parties.iter().map(party).collect(),
        attachments: attachments.iter().map(attachment).collect(),
    }
}

fn party(row: &Record) -> PartyView {
    let role = match row.int("participationtypemask") {
        Some(1) => "from",
        Some(2) => "to",
        Some(3) => "cc",
        Some(4) => "bcc",
        Some(8) => "regarding",
        Some(9) => "owner",
        _ => "other",
    };
    PartyView {
        role,
        address: row.text("addressused").map(str::to_owned),
        record: row.lookup("partyid").map(ToString::to_string),
    }
}

pub(crate) fn attachment(row: &Record) -> Attachment {
    Attachment {
        id: row.at.id,
        name: display::file_name(row.text("filename").unwrap_or_default()),
        kind: row.text("mimetype").unwrap_or("application/octet-stream").into(),
        size: row.int("filesize"),
        content_id: row.text("attachmentcontentid").map(str::to_owned),
    }
}
