//! CRM records through the port: look, list, import. JSON in and out in the words of `interfaces.md`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use postroom_core::query::Filter;
use postroom_core::{Code, Content, Fault, Outcome, Query, Record, RecordRef, Value, Verdict};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use crate::timeline::{self, Activity, Attachment};
use crate::{Actor, Operations, Permission, audit};

/// A record with its activities.
#[derive(Debug, Clone, Serialize)]
pub struct RecordView {
    pub table: String,
    pub id: Uuid,
    pub columns: serde_json::Map<String, serde_json::Value>,
    pub activities: Vec<Activity>,
}

/// What an import did.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ImportReport {
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub rejected: Vec<Rejected>,
    /// What it would do, when nothing was done.
    pub dry_run: bool,
}

/// One line that was not taken.
#[derive(Debug, Clone, Serialize)]
pub struct Rejected {
    pub line: u64,
    pub record: Option<String>,
    pub reason: String,
}

impl Operations {
    /// One record. Reading the bodies it keeps is an opening, for whoever may; others see their handles.
    pub async fn record(&self, actor: &Actor, at: &RecordRef) -> Result<RecordView, Fault> {
        self.may_read_table(actor, &at.table).await?;
        let found = self.row(at).await?;
        let activities = match at.table.as_str() {
            "activityparty" | ATTACHMENT => Vec::new(),
            _ => self.activities(at).await?,
        };
        let columns = self.columns(actor, &found).await?;
        Ok(RecordView { table: at.table.clone(), id: at.id, columns, activities })
    }

    /// The row, closed.
    pub(crate) async fn row(&self, at: &RecordRef) -> Result<Record, Fault> {
        let query = Query::of(&at.table).filter(Filter::eq(primary_key(&at.table), at.id)).top(1);
        let found = self.0.crm.query(&query).await?.into_iter().next();
        found.map(closed).ok_or_else(|| Fault::reject(Code::CRM_NOT_FOUND, format!("no record {at}")))
    }

    /// The columns that have a value.
    async fn columns(
        &self,
        actor: &Actor,
        record: &Record,
    ) -> Result<serde_json::Map<String, serde_json::Value>, Fault> {
        let is_body = |value: &Value| matches!(value, Value::Content(_));
        let bodies: Vec<&str> = record
            .columns
            .iter()
            .filter(|(_, value)| is_body(value))
            .map(|(name, _)| name.as_str())
            .collect();
        let email = self.email_of(record).await;
        let opens = !bodies.is_empty() && self.may_open_row(actor, email.as_ref()).await?;
        if opens {
            self.open_record(actor, &record.at, &bodies, email.as_ref()).await?;
        }
        let mut columns = serde_json::Map::new();
        for (name, value) in record.columns.iter().filter(|(_, value)| *value != Value::Null) {
            let shown = match value {
                Value::Content(content) if opens => {
                    let bytes = self.0.crm.read(content).await?;
                    // As `record import` takes them: files in base64, texts as they are.
                    if name == "body" {
                        json!(STANDARD.encode(bytes))
                    } else {
                        json!(String::from_utf8_lossy(&bytes))
                    }
                }
                value => json!(value),
            };
            columns.insert(name.to_string(), shown);
        }
        Ok(columns)
    }

    /// The e-mail that the row is, or belongs to.
    async fn email_of(&self, record: &Record) -> Option<Record> {
        match (record.at.table.as_str(), record.lookup("objectid")) {
            ("email", _) => Some(record.clone()),
            (ATTACHMENT, Some(of)) if of.table == "email" => self.row(of).await.ok(),
            _ => None,
        }
    }

    /// An attachment of an activity with its bytes. The opening is audited.
    pub async fn attachment(&self, actor: &Actor, id: Uuid) -> Result<(Attachment, Bytes), Fault> {
        actor.needs(Permission::Read)?;
        let row = self.row(&RecordRef::new(ATTACHMENT, id)).await;
        if row.is_err() {
            actor.needs(Permission::ReadBodies)?; // a stranger does not learn what there is
        }
        let row = row?;
        let email = self.email_of(&row).await;
        if !self.may_open_row(actor, email.as_ref()).await? {
            actor.needs(Permission::ReadBodies)?;
            let text = format!("{} is no reader of the mailbox of this mail", actor.role.as_str());
            return Err(Fault::reject(Code::API_DENIED, text));
        }
        let Some(Value::Content(content)) = row.get("body") else {
            return Err(Fault::reject(Code::CRM_NOT_FOUND, format!("the attachment {id} has no content")));
        };
        self.open_record(actor, &row.at, &["body"], email.as_ref()).await?;
        Ok((timeline::attachment(&row), self.0.crm.read(content).await?))
    }

    /// Rows of a table, newest first, with the handles of their bodies.
    pub async fn records(
        &self,
        actor: &Actor,
        table: &str,
        filters: &[(String, Value)],
        limit: u64,
    ) -> Result<Vec<Record>, Fault> {
        self.may_read_table(actor, table).await?;
        let filters = filters.iter().map(|(column, value)| match value {
            Value::Null => Filter::Null(column.clone()),
            value => Filter::eq(column.clone(), value.clone()),
        });
        let query = Query::of(table).filter(Filter::All(filters.collect()));
        let ordered = match self.has_age(table).await {
            true => query.order_by("createdon", true),
            false => query,
        };
        let rows = self.0.crm.query(&if limit > 0 { ordered.top(limit) } else { ordered }).await?;
        Ok(rows.into_iter().map(closed).collect())
    }

    /// Whether rows of a table tell when they were made. Tables that only tie others do not, nor do some of the platform's.
    async fn has_age(&self, table: &str) -> bool {
        match self.0.crm.metadata(&[table]).await {
            Ok(described) => described.table(table).is_none_or(|table| table.column("createdon").is_some()),
            Err(_) => !matches!(table, "activityparty" | ATTACHMENT | "organization"),
        }
    }

    /// Creates or changes a record for each line of JSON; lines come with their numbers, empty ones are passed over. A
    /// repeat changes nothing. With `dry_run` the report says what would be done, and nothing is. When one line takes more than
    /// the caller may, none is imported.
    pub async fn import_records(
        &self,
        actor: &Actor,
        lines: Vec<(u64, String)>,
        dry_run: bool,
        report: &mut ImportReport,
    ) -> Result<(), Fault> {
        let (numbers, lines): (Vec<u64>, Vec<String>) =
            lines.into_iter().filter(|(_, line)| !line.trim().is_empty()).unzip();
        self.may_import(actor, &lines).await?;
        report.dry_run = dry_run;
        let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else { return Ok(()) };
        if !dry_run {
            let detail = format!("lines {first} to {last}");
            let entry = audit::Entry::new(actor, self.0.clock.now(), "record.import", "records", &detail);
            self.record_audit(entry).await?;
        }
        for (line, imported) in numbers.iter().zip(self.0.crm.import(lines, dry_run).await?) {
            match imported.outcome {
                Ok(Outcome::Created) => report.created += 1,
                Ok(Outcome::Updated) => report.updated += 1,
                Ok(_) => report.unchanged += 1,
                Err(fault) if fault.verdict == Verdict::Reject => report.rejected.push(Rejected {
                    line: *line,
                    record: imported.record.map(|record| record.to_string()),
                    reason: fault.to_string(),
                }),
                // The CRM is away or full: nothing is wrong with the line, and the next would fail too.
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }
}

/// The table of the files that belong to an activity.
const ATTACHMENT: &str = "activitymimeattachment";

/// A row in which no body stands as plain text: a body leaves only through an opening, also one that is short or was
/// written by hand.
fn closed(mut record: Record) -> Record {
    if record.at.table == "email" {
        for (_, value) in record.columns.iter_mut().filter(|(column, _)| column == "description") {
            if let Value::Text(text) = value {
                *value = Value::Content(Content::Bytes(Bytes::from(std::mem::take(text))));
            }
        }
    }
    record
}

/// The id column of a table: activities share one name.
pub(crate) fn primary_key(table: &str) -> String {
    match table {
        "email" | "task" | "appointment" | "phonecall" | "letter" | "fax" | "campaignactivity"
        | "campaignresponse" | "activitypointer" | "bulkoperation" => "activityid".into(),
        "usersettings" => "systemuserid".into(),
        _ => format!("{table}id"),
    }
}
