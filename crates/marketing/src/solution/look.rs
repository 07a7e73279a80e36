//! What an organisation has of the solution, and what an installation would change: everything that is read before anything
//! is written.

use postroom_core::metadata::{ColumnKind, Metadata, OptionSet};
use postroom_core::{Code, Crm, Fault, Filter, Query, Record, Value};
use postroom_formats::solution::component;
use serde::Serialize;
use uuid::Uuid;

use super::mark::{self, Mark};
use super::plan::{Plan, plan};
use super::{Era, UNIQUE_NAME, VERSION, extended, tables};

/// A solution that an organisation has registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Registered {
    pub id: Uuid,
    pub unique_name: String,
    pub version: String,
    pub managed: bool,
}

/// How an organisation stands to the solution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Absent,
    /// An older version is there, or something of this one was taken away.
    Outdated,
    Installed,
    /// A newer version than this program's.
    Newer,
    /// This version, imported from an unmanaged file: somebody works on it in the CRM.
    Unmanaged,
    /// Tables of these names belong to something else, most likely the vendor's own solution.
    Foreign,
}

/// What was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The server's version, and the generation that it makes.
    pub server: String,
    pub era: Era,
    pub registered: Option<Registered>,
    pub plan: Plan,
    pub mark: Option<Mark>,
    /// Solutions, not ours, that hold tables of our names.
    pub holders: Vec<String>,
    /// Tables of our names that are there.
    pub own: Vec<&'static str>,
}

impl Standing {
    pub fn state(&self) -> State {
        match &self.registered {
            None if self.own.is_empty() => State::Absent,
            None => State::Foreign,
            Some(_) if !self.plan.clashes.is_empty() => State::Foreign,
            Some(known) if !known.managed => State::Unmanaged,
            Some(known) => match (numbers(&known.version).cmp(&numbers(VERSION)), self.plan.steps.is_empty())
            {
                (std::cmp::Ordering::Greater, _) => State::Newer,
                (std::cmp::Ordering::Equal, true) => State::Installed,
                _ => State::Outdated,
            },
        }
    }

    /// Why nothing may be installed here.
    ///
    /// # Errors
    /// [`Code::CRM_SOLUTION`], with the reasons and what to do about them.
    pub fn refuses(&self) -> Result<(), Fault> {
        let refused = |text: String| Err(Fault::reject(Code::CRM_SOLUTION, text));
        let missing: Vec<String> = self
            .plan
            .clashes
            .iter()
            .filter(|clash| clash.what.starts_with("table "))
            .map(ToString::to_string)
            .collect();
        if !missing.is_empty() {
            return refused(missing.join("; "));
        }
        match self.state() {
            State::Foreign => refused(self.foreign()),
            State::Newer => refused(format!(
                "the organisation has version {} of the solution, and this program brings {VERSION}: update this program",
                self.registered.as_ref().map(|known| known.version.as_str()).unwrap_or_default(),
            )),
            State::Unmanaged => refused(
                "the solution is here unmanaged: import the unmanaged file of `postroom solution export` in the CRM, or delete it \
                 there with its tables first"
                    .to_owned(),
            ),
            State::Absent | State::Outdated | State::Installed => Ok(()),
        }
    }

    fn foreign(&self) -> String {
        let by = match self.holders.as_slice() {
            [] => "no solution that names them".to_owned(),
            all => format!("the solution {}", all.join(" and ")),
        };
        let mut text = format!(
            "{} tables of these names are there already ({}), of {by}",
            self.own.len(),
            first(&self.own)
        );
        for clash in self.plan.clashes.iter().take(3) {
            text.push_str(&format!(
                "; {} is {} and would have to be {}",
                clash.what, clash.found, clash.wanted
            ));
        }
        text.push_str(
            ". Rows of another connector are not taken over: remove its solution (after keeping what it holds), or use another \
             organisation",
        );
        text
    }
}

/// The first names of a list.
fn first(names: &[&str]) -> String {
    let shown = names.iter().take(3).copied().collect::<Vec<_>>().join(", ");
    if names.len() > 3 { format!("{shown}, …") } else { shown }
}

/// `1.0.0.10` is newer than `1.0.0.9`.
fn numbers(version: &str) -> Vec<u64> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

/// Reads it all. `era` says for which generation the solution is meant; else it is the server's own.
///
/// # Errors
/// Those of reading definitions and rows.
pub async fn look(crm: &dyn Crm, era: Option<Era>) -> Result<Standing, Fault> {
    let server = crm.capabilities().await?.version;
    let era = era.unwrap_or_else(|| Era::of_version(&server));
    let have = defined(crm, era).await?;
    let own: Vec<&'static str> =
        tables::all().map(|table| table.name).filter(|name| have.table(name).is_some()).collect();
    let registered = registered(crm).await?;
    let ours = registered.iter().any(|known| known.unique_name == UNIQUE_NAME);
    let holders = if ours || own.is_empty() { Vec::new() } else { holders(crm, &have, &own).await? };
    let marked = have
        .table("esc_emailcampaignconfiguration")
        .is_some_and(|table| table.column("esc_installationid").is_some());
    let mark = if marked { mark::read(crm).await? } else { None };
    Ok(Standing { plan: plan(era, &have), server, era, registered, mark, holders, own })
}

/// Our own solution's row.
///
/// # Errors
/// Those of the query.
pub async fn registered(crm: &dyn Crm) -> Result<Option<Registered>, Fault> {
    let query = Query::of("solution")
        .select(&["uniquename", "version", "ismanaged"])
        .filter(Filter::eq("uniquename", UNIQUE_NAME));
    Ok(crm.query(&query).await?.first().map(|row| Registered {
        id: row.at.id,
        unique_name: UNIQUE_NAME.to_owned(),
        version: row.text("version").unwrap_or_default().to_owned(),
        managed: row.get("ismanaged").and_then(Value::as_bool).unwrap_or(false),
    }))
}

/// The definitions that matter. Each table is asked for by itself: all that an organisation has are hundreds.
async fn defined(crm: &dyn Crm, era: Era) -> Result<Metadata, Fault> {
    let mut have = Metadata::default();
    let own = tables::all().filter(|table| table.is_in(era)).map(|table| table.name);
    for name in own.chain(extended::all().iter().map(|extension| extension.table)) {
        let found = match crm.metadata(&[name]).await {
            Ok(found) => found,
            Err(fault) if fault.code == Code::CRM_UNKNOWN_COLUMN => continue,
            Err(fault) => return Err(fault),
        };
        have.tables.extend(found.tables.into_iter().filter(|table| table.logical_name == name));
        have.one_to_many.extend(found.one_to_many);
        have.many_to_many.extend(found.many_to_many);
        have.option_sets.extend(found.option_sets);
    }
    have.option_sets = sets(&have);
    Ok(have)
}

/// The global option sets, those that only columns tell of included.
fn sets(have: &Metadata) -> Vec<OptionSet> {
    let of_columns =
        have.tables.iter().flat_map(|table| &table.columns).filter_map(|column| match &column.kind {
            ColumnKind::Picklist { options, .. } if options.is_global => Some(options),
            _ => None,
        });
    let mut all: Vec<OptionSet> = Vec::new();
    for set in have.option_sets.iter().chain(of_columns) {
        if !all.iter().any(|known| known.name == set.name) {
            all.push(set.clone());
        }
    }
    all
}

/// The solutions that hold these tables, by name and version; without the platform's own, which hold everything.
async fn holders(crm: &dyn Crm, have: &Metadata, own: &[&str]) -> Result<Vec<String>, Fault> {
    let ids = own.iter().filter_map(|name| have.table(name)).map(|table| Value::Guid(table.id)).collect();
    let components = Query::of("solutioncomponent").select(&["solutionid"]).filter(Filter::All(vec![
        Filter::In("objectid".to_owned(), ids),
        Filter::eq("componenttype", i64::from(component::ENTITY)),
    ]));
    let mut solutions: Vec<Uuid> = crm
        .query(&components)
        .await?
        .iter()
        .filter_map(|row| row.lookup("solutionid"))
        .map(|at| at.id)
        .collect();
    solutions.sort();
    solutions.dedup();
    let ids = solutions.into_iter().map(Value::Guid).collect();
    let query = Query::of("solution")
        .select(&["uniquename", "version"])
        .filter(Filter::In("solutionid".to_owned(), ids));
    let name = |row: &Record| {
        format!("{} {}", row.text("uniquename").unwrap_or_default(), row.text("version").unwrap_or_default())
    };
    let rows = crm.query(&query).await?;
    let system =
        |row: &&Record| !matches!(row.text("uniquename"), Some("Active" | "Default" | "Basic" | "System"));
    Ok(rows.iter().filter(system).map(name).collect())
}
