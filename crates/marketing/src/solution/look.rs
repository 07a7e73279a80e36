//! What an organisation has of the solution, and what an installation would change: everything that is read before anything
//! is written.

use postroom_core::metadata::{ColumnKind, Metadata, OptionSet};
use postroom_core::{Code, Crm, Fault, Filter, Query, Record, Value};
use postroom_formats::solution::component;
use serde::Serialize;
use uuid::Uuid;

use super::mark::{self, Mark};
use super::plan::{Clash, Plan, beside, plan};
use super::roles::Role;
use super::{BESIDE_NAME, Era, UNIQUE_NAME, VERSION, extended, tables};

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
    /// Tables of these names belong to something else, most likely the vendor's own solution, and do not fit.
    Foreign,
    /// They belong to something else, and fit: they can be used as they are.
    Fitting,
    /// This version is there beside tables of something else, which are used as they are.
    Adopted,
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
    /// Those of them that another solution holds.
    pub theirs: Vec<&'static str>,
    /// Security roles of our names that somebody else made.
    pub roles: Vec<&'static str>,
}

impl Standing {
    pub fn state(&self) -> State {
        use std::cmp::Ordering::{Equal, Greater};
        if self.in_the_way().next().is_some() {
            return State::Foreign;
        }
        match &self.registered {
            None if self.own.is_empty() => State::Absent,
            None => State::Fitting,
            Some(known) if !known.managed => State::Unmanaged,
            Some(known) => match (numbers(&known.version).cmp(&numbers(VERSION)), self.plan.steps.is_empty())
            {
                (Greater, _) => State::Newer,
                (Equal, true) if self.is_beside() => State::Adopted,
                (Equal, true) => State::Installed,
                _ => State::Outdated,
            },
        }
    }

    /// Whether the tables of these names are, or would be, used as somebody else made them.
    pub fn is_beside(&self) -> bool {
        match &self.registered {
            None => !self.own.is_empty(),
            Some(known) => known.unique_name == BESIDE_NAME,
        }
    }

    /// What is somebody else's and does not fit.
    fn in_the_way(&self) -> impl Iterator<Item = &Clash> {
        self.plan.clashes.iter().filter(|clash| !clash.is_missing())
    }

    /// Why nothing may be installed here.
    ///
    /// # Errors
    /// [`Code::CRM_SOLUTION`], with the reasons and what to do about them.
    pub fn refuses(&self) -> Result<(), Fault> {
        let refused = |text: String| Err(Fault::reject(Code::CRM_SOLUTION, text));
        let missing: Vec<String> =
            self.plan.clashes.iter().filter(|clash| clash.is_missing()).map(ToString::to_string).collect();
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
            State::Absent | State::Outdated | State::Installed | State::Fitting | State::Adopted => Ok(()),
        }
    }

    fn foreign(&self) -> String {
        let by = match self.holders.as_slice() {
            [] => "no solution that names them".to_owned(),
            all => format!("the solution {}", all.join(" and ")),
        };
        let mut text = match self.own.as_slice() {
            [] => "columns of these names are there already".to_owned(),
            own => format!("{} tables of these names are there already ({}), of {by}", own.len(), first(own)),
        };
        for clash in self.in_the_way().take(SAID) {
            text.push_str(&format!(
                "; {} is {} and would have to be {}",
                clash.what, clash.found, clash.wanted
            ));
        }
        if let Some(more) = self.in_the_way().count().checked_sub(SAID).filter(|more| *more > 0) {
            text.push_str(&format!("; and {more} more: see postroom solution status"));
        }
        text.push_str(
            ". What another one made is never changed, so it cannot be used: remove its solution (after keeping what it holds), or \
             use another organisation",
        );
        text
    }
}

/// Definitions that do not fit which a refusal names; all of them are in [`Plan::clashes`].
const SAID: usize = 3;

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
    let is_ours = registered.as_ref().is_some_and(|known| known.unique_name == UNIQUE_NAME);
    let (mut holders, mut theirs, mut roles) = (Vec::new(), Vec::new(), Vec::new());
    if !is_ours && !own.is_empty() {
        (holders, theirs) = held(crm, &have, &own).await?;
        roles = others_roles(crm).await?;
    }
    let mark = mark_of(crm, &have).await?;
    let plan = match !is_ours && !own.is_empty() {
        true => beside(era, &have),
        false => plan(era, &have),
    };
    Ok(Standing { plan, server, era, registered, mark, holders, own, theirs, roles })
}

/// What definitions alone tell of whether an organisation has what is needed: for a user who may not read solutions.
///
/// # Errors
/// Those of reading definitions.
pub async fn fit(crm: &dyn Crm) -> Result<Plan, Fault> {
    let era = Era::of_version(&crm.capabilities().await?.version);
    let have = defined(crm, era).await?;
    let ours = plan(era, &have);
    match ours.clashes.is_empty() {
        true => Ok(ours),
        // Somebody else's may serve all the same.
        false => Ok(beside(era, &have)),
    }
}

/// The connector that works on the organisation. A row of settings that says nothing of installations is another program's.
async fn mark_of(crm: &dyn Crm, have: &Metadata) -> Result<Option<Mark>, Fault> {
    let table = "esc_emailcampaignconfiguration";
    match have.table(table) {
        None => Ok(None),
        Some(known) if known.column("esc_installationid").is_some() => mark::read(crm).await,
        Some(known) => {
            let rows = crm.query(&Query::of(table).select(&[known.primary_id.as_str()]).top(1)).await?;
            Ok(rows.first().map(|_| Mark::of_nobody()))
        }
    }
}

/// Our own solution's row; where there is none, that of what was added beside somebody else's tables.
///
/// # Errors
/// Those of the query.
pub async fn registered(crm: &dyn Crm) -> Result<Option<Registered>, Fault> {
    let names = [UNIQUE_NAME, BESIDE_NAME];
    let query = Query::of("solution")
        .select(&["uniquename", "version", "ismanaged"])
        .filter(Filter::In("uniquename".to_owned(), names.map(Value::text).into()));
    let rows = crm.query(&query).await?;
    let row = names.iter().find_map(|name| rows.iter().find(|row| row.text("uniquename") == Some(name)));
    Ok(row.map(|row| Registered {
        id: row.at.id,
        unique_name: row.text("uniquename").unwrap_or_default().to_owned(),
        version: row.text("version").unwrap_or_default().to_owned(),
        managed: row.get("ismanaged").and_then(Value::as_bool).unwrap_or(false),
    }))
}

/// Names of our roles that are given, and not to ours: a name is given once. Business units have copies of a role, under ids
/// of their own.
async fn others_roles(crm: &dyn Crm) -> Result<Vec<&'static str>, Fault> {
    let names = Role::ALL.iter().map(|role| Value::text(role.name())).collect();
    let query = Query::of("role").select(&["name"]).filter(Filter::In("name".to_owned(), names));
    let rows = crm.query(&query).await?;
    let is_others = |role: &&Role| {
        let mut same =
            rows.iter().filter(|row| row.text("name").and_then(Role::of_name) == Some(**role)).peekable();
        same.peek().is_some() && same.all(|row| row.at.id != role.id())
    };
    Ok(Role::ALL.iter().filter(is_others).map(|role| role.name()).collect())
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

/// The solutions that hold these tables, by name and version, and the tables that they hold; without ours, and without the
/// platform's own, which hold everything.
async fn held(
    crm: &dyn Crm,
    have: &Metadata,
    own: &[&'static str],
) -> Result<(Vec<String>, Vec<&'static str>), Fault> {
    let ids = own.iter().filter_map(|name| have.table(name)).map(|table| Value::Guid(table.id)).collect();
    let components =
        Query::of("solutioncomponent").select(&["solutionid", "objectid"]).filter(Filter::All(vec![
            Filter::In("objectid".to_owned(), ids),
            Filter::eq("componenttype", i64::from(component::ENTITY)),
        ]));
    let components: Vec<(Uuid, Option<Uuid>)> = crm
        .query(&components)
        .await?
        .iter()
        .filter_map(|row| Some((row.lookup("solutionid")?.id, guid(row.get("objectid")))))
        .collect();
    let mut solutions: Vec<Uuid> = components.iter().map(|(solution, _)| *solution).collect();
    solutions.sort();
    solutions.dedup();
    let ids = solutions.into_iter().map(Value::Guid).collect();
    let query = Query::of("solution")
        .select(&["uniquename", "version"])
        .filter(Filter::In("solutionid".to_owned(), ids));
    let others = |row: &&Record| {
        !matches!(row.text("uniquename"), Some("Active" | "Default" | "Basic" | "System" | BESIDE_NAME))
    };
    let rows = crm.query(&query).await?;
    let rows: Vec<&Record> = rows.iter().filter(others).collect();
    let name = |row: &&Record| {
        format!("{} {}", row.text("uniquename").unwrap_or_default(), row.text("version").unwrap_or_default())
    };
    let is_held = |table: &&str| {
        let id = have.table(table).map(|table| table.id);
        components.iter().any(|(solution, object)| {
            *object == id && id.is_some() && rows.iter().any(|row| row.at.id == *solution)
        })
    };
    Ok((rows.iter().map(name).collect(), own.iter().copied().filter(is_held).collect()))
}

fn guid(value: Option<&Value>) -> Option<Uuid> {
    match value? {
        Value::Guid(id) => Some(*id),
        Value::Lookup(at) => Some(at.id),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    }
}
