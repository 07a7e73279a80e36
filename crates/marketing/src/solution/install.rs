//! The solution put into a CRM, brought up to date there, looked at and taken away, through the port's definitions.
//!
//! A run that was cut is simply made again: each run compares anew and does what is missing. Data stays, but for uninstalling.

use postroom_core::metadata::Metadata;
use postroom_core::{Crm, Definition, Drop, Fault, Outcome};

use super::plan::{Clash, Plan, plan};
use super::{Era, PAIRINGS, definitions, extended};

/// Definitions in one call: few enough to see progress.
const LOT: usize = 50;

/// What became of a step.
#[derive(Debug)]
pub struct Stepped {
    /// `table esc_form`.
    pub what: String,
    pub outcome: Result<Outcome, Fault>,
}

/// What became of a run.
#[derive(Debug, Default)]
pub struct Installed {
    pub steps: Vec<Stepped>,
    /// Nothing was done because of these.
    pub clashes: Vec<Clash>,
    /// What was there already.
    pub present: usize,
}

impl Installed {
    pub fn complete(&self) -> bool {
        self.clashes.is_empty() && self.steps.iter().all(|step| step.outcome.is_ok())
    }
}

/// What the CRM says of the tables that matter.
async fn have(crm: &dyn Crm) -> Result<Metadata, Fault> {
    crm.metadata(&[]).await
}

/// What an installation would do.
///
/// # Errors
/// Those of reading the CRM's definitions.
pub async fn preview(crm: &dyn Crm, era: Era) -> Result<Plan, Fault> {
    Ok(plan(era, &have(crm).await?))
}

/// Installs or upgrades. `told` hears of each step as it is done. With a clash nothing is done; a refused step ends the run,
/// as later ones need it.
///
/// # Errors
/// Those of reading the CRM's definitions; a step's own stand in the answer.
pub async fn install(crm: &dyn Crm, era: Era, mut told: impl FnMut(&Stepped)) -> Result<Installed, Fault> {
    let Plan { steps, clashes, present } = preview(crm, era).await?;
    let mut done = Installed { present, clashes, ..Installed::default() };
    if !done.clashes.is_empty() {
        return Ok(done);
    }
    for lot in steps.chunks(LOT) {
        let names = lot.iter().map(Definition::name);
        for (what, outcome) in names.zip(crm.define(lot.to_vec()).await) {
            let step = Stepped { what, outcome };
            told(&step);
            done.steps.push(step);
        }
        if !done.complete() {
            break;
        }
    }
    Ok(done)
}

/// What an uninstallation takes away, in its order: relationships, columns of standard tables, tables, choices.
pub fn removal(era: Era) -> Vec<Drop> {
    let solution = definitions::metadata(era);
    let pairs = PAIRINGS.iter().map(|pairing| Drop::Relationship(pairing.name.to_owned()));
    let columns = extended::all().iter().flat_map(|extension| {
        extension
            .columns
            .iter()
            .map(|column| Drop::Column { table: extension.table.to_owned(), column: column.name.to_owned() })
    });
    let own: Vec<Drop> = solution
        .tables
        .iter()
        .rev()
        .filter(|table| table.is_custom)
        .map(|table| Drop::Table(table.logical_name.clone()))
        .collect();
    let sets = solution.option_sets.iter().map(|set| Drop::OptionSet(set.name.clone()));
    // A table that is named by lookups of others can go only after those.
    pairs.chain(columns).chain(own).chain(sets).collect()
}

/// Takes the solution away, **with all its rows**. A step that is refused leaves the rest of the way; making the run again goes
/// on.
pub async fn uninstall(crm: &dyn Crm, era: Era, mut told: impl FnMut(&Stepped)) -> Vec<Stepped> {
    let drops = removal(era);
    let mut done = Vec::with_capacity(drops.len());
    for lot in drops.chunks(LOT) {
        let names = lot.iter().map(Drop::name);
        for (what, outcome) in names.zip(crm.undefine(lot.to_vec()).await) {
            let step = Stepped { what, outcome };
            told(&step);
            done.push(step);
        }
    }
    done
}
