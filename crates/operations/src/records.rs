//! CRM records through the port: look, list, import. JSON in and out in the words of `interfaces.md`.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postroom_core::query::Filter;
use postroom_core::{
    Change, ChangeSet, Code, Content, Fault, Outcome, Query, Record, RecordRef, Value, record,
};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::{Actor, Operations, Permission};

/// Records written in one call.
const LOT: usize = 500;
/// Activities shown on one record.
const ACTIVITIES: u64 = 200;

/// A record with its activities.
#[derive(Debug, Clone, Serialize)]
pub struct RecordView {
    pub table: String,
    pub id: Uuid,
    pub columns: serde_json::Map<String, serde_json::Value>,
    pub activities: Vec<Activity>,
}

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
    pub at: Option<serde_json::Value>,
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
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub size: Option<i64>,
    pub content_id: Option<String>,
}

/// What an import did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ImportReport {
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub rejected: Vec<Rejected>,
}

/// One line that was not taken.
#[derive(Debug, Clone, Serialize)]
pub struct Rejected {
    pub line: u64,
    pub record: Option<String>,
    pub reason: String,
}

/// A value in JSON: lookups as `table/guid`, times as RFC 3339, money and decimals as text.
pub fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => json!(null),
        Value::Bool(value) => json!(value),
        Value::Int(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Decimal(text) | Value::Text(text) => json!(text),
        Value::Guid(id) => json!(id),
        Value::Time(time) => json!(time),
        Value::Lookup(record) => json!(record.to_string()),
        Value::Content(Content::Bytes(bytes)) => json!(String::from_utf8_lossy(bytes)),
        Value::Content(content) => json!(content.handle()),
    }
}

impl Operations {
    pub async fn record(&self, actor: &Actor, at: &RecordRef) -> Result<RecordView, Fault> {
        actor.needs(Permission::Read)?;
        let key = primary_key(&at.table);
        let query = Query::of(&at.table).filter(Filter::eq(key, at.id)).top(1);
        let found = self.0.crm.query(&query).await?.into_iter().next();
        let found = found.ok_or_else(|| Fault::reject(Code::CRM_NOT_FOUND, format!("no record {at}")))?;
        let activities = match at.table.as_str() {
            "activityparty" | "activitymimeattachment" => Vec::new(),
            _ => self.activities(at).await?,
        };
        let columns = self.columns(actor, &found).await?;
        Ok(RecordView { table: at.table.clone(), id: at.id, columns, activities })
    }

    /// The columns that have a value. Texts and files kept elsewhere are fetched for whoever may read bodies; others see
    /// their handle.
    async fn columns(
        &self,
        actor: &Actor,
        record: &Record,
    ) -> Result<serde_json::Map<String, serde_json::Value>, Fault> {
        let may_read = actor.needs(Permission::ReadBodies).is_ok();
        let mut columns = serde_json::Map::new();
        for (name, value) in record.columns.iter().filter(|(_, value)| *value != Value::Null) {
            let shown = match value {
                Value::Content(content) if may_read => {
                    let bytes = self.0.crm.read(content).await?;
                    // As `record import` takes them: files in base64, texts as they are.
                    if name == "body" {
                        json!(STANDARD.encode(bytes))
                    } else {
                        json!(String::from_utf8_lossy(&bytes))
                    }
                }
                value => to_json(value),
            };
            columns.insert(name.clone(), shown);
        }
        Ok(columns)
    }

    async fn activities(&self, at: &RecordRef) -> Result<Vec<Activity>, Fault> {
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

    /// Rows of a table, newest first.
    pub async fn records(
        &self,
        actor: &Actor,
        table: &str,
        filters: &[(String, Value)],
        limit: u64,
    ) -> Result<Vec<Record>, Fault> {
        actor.needs(Permission::Read)?;
        let filters = filters.iter().map(|(column, value)| match value {
            Value::Null => Filter::Null(column.clone()),
            value => Filter::eq(column.clone(), value.clone()),
        });
        let query = Query::of(table).filter(Filter::All(filters.collect()));
        let ordered = match table {
            "activityparty" | "activitymimeattachment" | "organization" => query,
            _ => query.order_by("createdon", true),
        };
        self.0.crm.query(&if limit > 0 { ordered.top(limit) } else { ordered }).await
    }

    /// Creates or changes records. `lines` carries each record's line number. A repeat changes nothing.
    pub async fn import_records(
        &self,
        actor: &Actor,
        lines: Vec<(u64, Record)>,
        report: &mut ImportReport,
    ) -> Result<(), Fault> {
        actor.needs(Permission::WriteRecords)?;
        for lot in lines.chunks(LOT) {
            let set =
                |(_, record): &(u64, Record)| ChangeSet { changes: vec![Change::Upsert(record.clone())] };
            let answers = self.0.crm.apply(lot.iter().map(set).collect()).await;
            for ((line, record), answer) in lot.iter().zip(answers) {
                match answer {
                    Ok(outcomes) if outcomes.contains(&Outcome::Created) => report.created += 1,
                    Ok(outcomes) if outcomes.contains(&Outcome::Updated) => report.updated += 1,
                    Ok(_) => report.unchanged += 1,
                    Err(fault) => report.rejected.push(Rejected {
                        line: *line,
                        record: Some(record.at.to_string()),
                        reason: fault.to_string(),
                    }),
                }
            }
        }
        Ok(())
    }

    /// What the CRM says of itself, or why it cannot be reached.
    pub async fn check_crm(&self, actor: &Actor) -> Result<String, Fault> {
        actor.needs(Permission::Read)?;
        self.0.crm.check().await
    }
}

/// The id column of a table: activities share one name.
fn primary_key(table: &str) -> String {
    match table {
        "email" | "task" | "appointment" | "phonecall" | "letter" | "fax" | "campaignactivity"
        | "campaignresponse" | "activitypointer" | "bulkoperation" => "activityid".into(),
        "usersettings" => "systemuserid".into(),
        _ => format!("{table}id"),
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
    let outgoing = email.get("directioncode").and_then(record::Value::as_bool).unwrap_or(true);
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
        at: email.get("actualend").or_else(|| email.get("createdon")).map(to_json),
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

fn attachment(row: &Record) -> Attachment {
    Attachment {
        id: row.at.id,
        name: row.text("filename").unwrap_or("attachment").into(),
        kind: row.text("mimetype").unwrap_or("application/octet-stream").into(),
        size: row.int("filesize"),
        content_id: row.text("attachmentcontentid").map(str::to_owned),
    }
}
