//! `MSCRM.SolutionUniqueName`: what a request makes or changes becomes part of that unmanaged solution, when it is a component
//! of one: views, forms, roles and the like here, definitions where they are written. For other rows the header says nothing.
//!
//! The solution is asked for before anything is written, so that a wrong name changes nothing.

use postroom_core::Change;

use super::Problem;
use super::call::Call;
use crate::solutions::{self, Component};

/// The header.
pub(crate) fn header<'c>(call: &'c Call<'_>) -> Option<&'c str> {
    call.header("mscrm.solutionuniquename").map(str::trim)
}

/// What is to become part of a solution once it is written.
#[derive(Default)]
pub(crate) struct Joining {
    components: Vec<Component>,
}

impl Joining {
    /// # Errors
    /// A solution that is not there or is managed, and a caller who may not customize.
    pub(crate) async fn of(call: &Call<'_>, changes: &[Change]) -> Result<Joining, Problem> {
        let Some(name) = solutions::own(header(call)) else { return Ok(Joining::default()) };
        let components: Vec<Component> = changes.iter().filter_map(component).collect();
        if !components.is_empty() {
            call.session.check_misc("prvWriteEntity").await?;
            solutions::named(&call.session, name).await?;
        }
        Ok(Joining { components })
    }

    pub(crate) async fn join(self, call: &Call<'_>) -> Result<(), Problem> {
        match solutions::own(header(call)) {
            Some(name) if !self.components.is_empty() => {
                Ok(solutions::add(&call.session, name, self.components).await.map(drop)?)
            }
            _ => Ok(()),
        }
    }
}

fn component(change: &Change) -> Option<Component> {
    match change {
        Change::Create(row)
        | Change::CreateNew(row)
        | Change::Update(row)
        | Change::UpdateIf(row, _)
        | Change::Upsert(row) => solutions::of_row(&row.at),
        _ => None,
    }
}
