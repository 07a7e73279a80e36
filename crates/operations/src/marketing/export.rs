//! All suppressed addresses as a file, page by page: there may be millions.

use postroom_core::{Code, Fault};
use postroom_marketing::suppressions::{file, rows};

use super::Duty;
use super::suppress::SuppressionsWanted;
use super::views::SuppressionView;
use crate::{Actor, Operations};

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportForm {
    /// A table that spreadsheets open and an import reads.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

impl ExportForm {
    /// What stands before the first row.
    pub fn head(self) -> String {
        match self {
            ExportForm::Csv => file::head(),
            ExportForm::Jsonl => String::new(),
        }
    }
}

impl std::str::FromStr for ExportForm {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        match text {
            "csv" => Ok(ExportForm::Csv),
            "jsonl" => Ok(ExportForm::Jsonl),
            _ => Err(Fault::reject(
                Code::API_INPUT,
                format!("{text:?} is no form of an export; use csv or jsonl"),
            )),
        }
    }
}

fn json_line(row: rows::Row) -> Result<String, Fault> {
    let line = serde_json::to_string(&SuppressionView::from(row));
    line.map(|line| line + "\n")
        .map_err(|error| Fault::bug(format!("a suppression cannot be written: {error}")))
}

impl Operations {
    /// The next lines of a file with all suppressions, and the last row's address and account; none when there are no more. A
    /// table's head is [`ExportForm::head`].
    pub async fn export_suppressions(
        &self,
        actor: &Actor,
        wanted: SuppressionsWanted,
        form: ExportForm,
    ) -> Result<Option<(String, (String, String))>, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        let rows = self.suppression_rows(wanted).await?;
        let Some(last) = rows.last() else { return Ok(None) };
        let last = (last.address.clone(), last.account.clone());
        let lines = match form {
            ExportForm::Csv => rows.iter().map(file::write).collect(),
            ExportForm::Jsonl => rows.into_iter().map(json_line).collect::<Result<_, _>>()?,
        };
        Ok(Some((lines, last)))
    }
}
