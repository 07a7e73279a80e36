//! The mark of the connector that works on an organisation: the one row of `esc_emailcampaignconfiguration`.
//!
//! Two connectors on one organisation would undo each other's work, so whoever comes second is refused, and told who was
//! first and how to take over. The row's id is the same everywhere, which makes the server the judge of two who come at once.

use jiff::Timestamp;
use postroom_core::{Change, ChangeSet, Code, Crm, Fault, Query, Record, RecordRef, Value};

use super::VERSION;
use super::options::Set;
use crate::keys::Key;

const TABLE: &str = "esc_emailcampaignconfiguration";

/// A connector: this one, or the one that an organisation is marked by.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Connector {
    /// The installation's id; empty in a row that another program wrote.
    pub id: String,
    /// What people call it: the address of its pages, or its host.
    pub name: String,
}

/// What the row says.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Mark {
    pub connector: Connector,
    /// When it last worked.
    pub heartbeat: Option<Timestamp>,
    /// The version that it installed.
    pub version: Option<String>,
}

impl Connector {
    /// # Errors
    /// [`Code::CRM_SOLUTION`] when another connector's mark stands in the organisation.
    pub fn may_work(&self, mark: Option<&Mark>) -> Result<(), Fault> {
        match mark {
            Some(mark) if !mark.connector.id.eq_ignore_ascii_case(&self.id) => Err(mark.refusal()),
            _ => Ok(()),
        }
    }
}

impl Mark {
    /// Of a connector that left none.
    pub fn of_nobody() -> Mark {
        let connector = Connector { id: String::new(), name: String::new() };
        Mark { connector, heartbeat: None, version: None }
    }

    fn refusal(&self) -> Fault {
        let Connector { id, name } = &self.connector;
        let last = self.heartbeat.map_or_else(|| "at an unknown time".to_owned(), |at| format!("at {at}"));
        let who = if id.is_empty() {
            "a connector without an id".to_owned()
        } else {
            format!("the connector {name} ({id})")
        };
        let text = format!(
            "this organisation belongs to {who}, which worked last {last}, and two connectors never work on one: stop that one, \
             then run: postroom solution install --take-over"
        );
        Fault::reject(Code::CRM_SOLUTION, text)
    }
}

fn row() -> RecordRef {
    RecordRef::new(TABLE, Key::configuration().id(TABLE))
}

/// The mark of an organisation that has the table. A row under another id than ours says that another program made it.
///
/// # Errors
/// Those of the query.
pub async fn read(crm: &dyn Crm) -> Result<Option<Mark>, Fault> {
    let rows = rows(crm).await?;
    let text = |row: &Record, name: &str| row.text(name).unwrap_or_default().to_owned();
    let one = |row: &Record| Mark {
        connector: Connector { id: text(row, "esc_installationid"), name: text(row, "esc_installationname") },
        heartbeat: match row.get("esc_heartbeaton") {
            Some(Value::Time(at)) => Some(*at),
            _ => None,
        },
        version: row.text("esc_solutionversion").map(str::to_owned),
    };
    let strange = rows.iter().find(|known| known.at != row());
    Ok(strange.or(rows.first()).map(one))
}

async fn rows(crm: &dyn Crm) -> Result<Vec<Record>, Fault> {
    let columns = ["esc_installationid", "esc_installationname", "esc_heartbeaton", "esc_solutionversion"];
    crm.query(&Query::of(TABLE).select(&columns)).await
}

/// Marks the organisation as this connector's, or says in its own row which version it has now.
///
/// # Errors
/// As [`Connector::may_work`]; with `take_over` another's mark is replaced.
pub async fn write(
    crm: &dyn Crm,
    connector: &Connector,
    now: Timestamp,
    take_over: bool,
) -> Result<(), Fault> {
    let said = |row: Record| {
        row.with("esc_installationid", connector.id.as_str())
            .with("esc_installationname", connector.name.as_str())
            .with("esc_solutionversion", VERSION)
            .with("esc_heartbeaton", now)
    };
    let fresh = said(Record::new(row()))
        .with("esc_name", "Connector")
        .with("esc_externalkey", Key::configuration().as_str())
        .with("esc_pollseconds", 60)
        .with("esc_accountsyncminutes", 60)
        .with("esc_campaigntargetminutes", 5)
        .with("esc_deletionscanenabled", true)
        .with("esc_deletionscanminutes", 60)
        .with("esc_loglevel", Set::LogLevel.value("Warning").map(i64::from).unwrap_or_default());
    if take_over {
        for strange in rows(crm).await?.into_iter().filter(|known| known.at != row()) {
            one(crm, Change::Delete(strange.at)).await?;
        }
    }
    match one(crm, Change::CreateNew(fresh)).await {
        Ok(()) => return Ok(()),
        Err(fault) if fault.code == Code::CRM_DUPLICATE => {}
        Err(fault) => return Err(fault),
    }
    if !take_over {
        connector.may_work(read(crm).await?.as_ref())?;
    }
    one(crm, Change::Update(said(Record::new(row())))).await
}

/// Says in this connector's own row that it works. What it installed is not touched.
///
/// # Errors
/// Those of the CRM.
pub async fn beat(crm: &dyn Crm, now: Timestamp) -> Result<(), Fault> {
    one(crm, Change::Update(Record::new(row()).with("esc_heartbeaton", now))).await
}

async fn one(crm: &dyn Crm, change: Change) -> Result<(), Fault> {
    let answers = crm.apply(vec![ChangeSet { changes: vec![change] }]).await;
    answers.into_iter().next().expect("one set gives one answer").map(drop)
}
