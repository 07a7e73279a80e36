//! The solution put into a CRM, brought up to date there and taken away.
//!
//! The CRM's own import does the work, in one step that it makes whole or not at all: an organisation then has everything,
//! buttons and roles included, and can take it away again. A run that was cut is simply made again: each looks anew at what is
//! there. Data stays, but for uninstalling.

use jiff::Timestamp;
use postroom_core::{Change, ChangeSet, Code, Crm, Fault, Filter, Query, RecordRef, Value, Verdict};
use serde::Serialize;
use uuid::Uuid;

use super::look::{Standing, State, look, registered};
use super::mark::{self, Connector};
use super::package;

/// What an installation is told.
#[derive(Debug, Clone)]
pub struct Order {
    pub connector: Connector,
    pub now: Timestamp,
    /// The `importjobid` of this try: fresh, as the CRM takes none twice.
    pub job: Uuid,
    /// Puts this connector in the place of another one that works on the organisation.
    pub take_over: bool,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    Installed,
    Upgraded,
    /// What another solution's tables lacked was added to them; they stay as they are.
    Adopted,
    /// All of it was there.
    Unchanged,
}

/// How far an import is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress {
    pub percent: f64,
    pub done: bool,
}

/// How far the import is; `None` when none was begun.
///
/// # Errors
/// Those of the query.
pub async fn progress(crm: &dyn Crm, job: Uuid) -> Result<Option<Progress>, Fault> {
    let query =
        Query::of("importjob").select(&["progress", "completedon"]).filter(Filter::eq("importjobid", job));
    Ok(crm.query(&query).await?.first().map(|row| Progress {
        percent: match row.get("progress") {
            Some(Value::Float(percent)) => *percent,
            other => other.and_then(Value::as_int).map_or(0.0, |percent| percent as f64),
        },
        done: row.get("completedon").is_some_and(|value| *value != Value::Null),
    }))
}

/// Installs or upgrades what [`look`] found.
///
/// # Errors
/// What [`Standing::refuses`] says, another connector's mark, what the CRM says against the file;
/// [`Verdict::Unknown`] when the import may be going on: [`progress`] tells, and the same call again goes on.
pub async fn install(crm: &dyn Crm, standing: &Standing, order: &Order) -> Result<Done, Fault> {
    standing.refuses()?;
    if !order.take_over {
        order.connector.may_work(standing.mark.as_ref())?;
    }
    let done = match standing.state() {
        State::Absent => Done::Installed,
        State::Installed | State::Adopted => Done::Unchanged,
        State::Fitting => Done::Adopted,
        _ => Done::Upgraded,
    };
    if done != Done::Unchanged {
        let file = match standing.is_beside() {
            true => package::beside(standing.era, &standing.plan.steps, &standing.roles),
            false => package::file(standing.era, true),
        };
        crm.import_solution(file.into(), order.job).await?;
        made(crm, standing).await?;
    }
    mark::write(crm, &order.connector, order.now, order.take_over).await?;
    Ok(done)
}

/// That the CRM has it now is asked, not believed.
async fn made(crm: &dyn Crm, before: &Standing) -> Result<(), Fault> {
    let after = look(crm, Some(before.era)).await?;
    match after.state() {
        State::Installed | State::Adopted => Ok(()),
        state => {
            let first = after.plan.steps.first().map_or_else(|| format!("{state:?}"), |step| step.name());
            let text = format!(
                "the CRM took the solution file and lacks {first} all the same: look at its import job"
            );
            Err(Fault::new(Verdict::Hold, Code::CRM_REFUSED, text))
        }
    }
}

/// Takes the solution away, **with all its rows**. What is not there is a success: `false`. Tables of another solution stay,
/// with their rows; the columns that they were given go.
///
/// # Errors
/// Another connector's mark; an unmanaged solution, whose tables would stay; what the CRM says, such as that something else
/// needs one of the tables.
pub async fn uninstall(crm: &dyn Crm, standing: &Standing, order: &Order) -> Result<bool, Fault> {
    if !order.take_over {
        order.connector.may_work(standing.mark.as_ref())?;
    }
    let Some(known) = registered(crm).await? else { return Ok(false) };
    if !known.managed {
        let text = "the solution is here unmanaged: the CRM would keep its tables; delete them there, then the solution";
        return Err(Fault::reject(Code::CRM_SOLUTION, text));
    }
    let changes = vec![Change::Delete(RecordRef::new("solution", known.id))];
    let answers = crm.apply(vec![ChangeSet { changes }]).await;
    answers.into_iter().next().expect("one set gives one answer")?;
    Ok(true)
}
