//! What a row of the CRM asks of whoever reads or imports it past the marketing half's own pages: the same duties.
//!
//! A row that asks for a send carries no proof of who asked: the CRM writes the connector's own user into `createdby`, whom
//! every check lets pass. So requests, and what only the connector writes, are imported by owners alone; rows that say which
//! user has which role as well.

use postroom_core::Fault;
use serde_json::Value;

use super::Duty;
use crate::{Actor, Operations, Permission, Role};

/// What it takes to write a row by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Right {
    Duty(Duty),
    /// Nobody but an owner.
    Owner,
}

impl Operations {
    /// `PR-8003` unless this caller may read rows of the table.
    pub(crate) async fn may_read_table(&self, actor: &Actor, table: &str) -> Result<(), Fault> {
        actor.needs(Permission::Read)?;
        match is_ours(table) {
            true => self.needs_duty(actor, Duty::View).await,
            false => Ok(()),
        }
    }

    /// `PR-8003` unless this caller may write each of these lines, `{"table","id","columns"}`.
    pub(crate) async fn may_import(&self, actor: &Actor, lines: &[String]) -> Result<(), Fault> {
        actor.needs(Permission::WriteRecords)?;
        if actor.role == Role::Owner {
            return Ok(()); // who may do everything
        }
        let mut asked: Vec<Right> = Vec::new();
        for line in lines {
            let wanted = rights_of(line).into_iter().filter(|right| !asked.contains(right));
            let new: Vec<Right> = wanted.collect();
            for right in new {
                match right {
                    Right::Duty(duty) => self.needs_duty(actor, duty).await?,
                    Right::Owner => actor.needs(Permission::Administer)?,
                }
                asked.push(right);
            }
        }
        Ok(())
    }
}

/// A table that the solution brings.
fn is_ours(table: &str) -> bool {
    table.to_ascii_lowercase().starts_with("esc_")
}

/// What one line takes. A line that is no row is refused by the CRM, which reads it the same way.
fn rights_of(line: &str) -> Vec<Right> {
    let row: Value = serde_json::from_str(line).unwrap_or_default();
    let Some(table) = row.get("table").and_then(Value::as_str) else { return Vec::new() };
    let table = table.to_ascii_lowercase();
    let columns = row.get("columns").and_then(Value::as_object);
    let columns = columns.into_iter().flat_map(|columns| columns.keys());
    of_table(&table).into_iter().chain(columns.filter_map(|column| of_column(&table, column))).collect()
}

fn of_table(table: &str) -> Option<Right> {
    use Duty::{Configure, Edit, Prefer, Suppress};
    let duty = match table {
        "systemuser" | "team" | "role" | "roleprivileges" | "systemuserroles" | "teamroles"
        | "teammembership" => return Some(Right::Owner),
        "esc_emailcampaign" => Edit,
        "esc_emailaccount"
        | "esc_emailcampaignconfiguration"
        | "esc_emailcampaigncustomfields"
        | "esc_emaildatamapping"
        | "esc_crmfield"
        | "esc_form"
        | "esc_formquestion"
        | "esc_formquestionoption" => Configure,
        "esc_marketingpreference"
        | "esc_marketingpreferencesubscription"
        | "esc_emailsubscriptiongroup"
        | "esc_emailsubscriptiongroupitem"
        | "esc_emailpreference" => Prefer,
        ours if ours.starts_with("esc_emailsupression") => Suppress,
        // Requests, behaviour, answers, and whatever comes to be.
        ours if is_ours(ours) => return Some(Right::Owner),
        _ => return None,
    };
    Some(Right::Duty(duty))
}

fn of_column(table: &str, column: &str) -> Option<Right> {
    let column = column.to_ascii_lowercase();
    let column = column.as_str();
    match table {
        ours if is_ours(ours) => None,
        _ if matches!(column, "donotbulkemail" | "donotemail" | "donotsendmm") => {
            Some(Right::Duty(Duty::Suppress))
        }
        "list" | "campaign" if is_ours(column) => Some(Right::Duty(Duty::Edit)),
        // Consent and status among them.
        _ if is_ours(column) => Some(Right::Duty(Duty::Suppress)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(table: &str, column: &str, expected: &[Right]) {
        let line = json!({ "table": table, "id": "x", "columns": { column: 1 } }).to_string();
        assert_eq!(rights_of(&line), expected, "{line}");
    }

    #[test]
    fn what_a_row_takes() {
        check("contact", "lastname", &[]);
        check("contact", "donotbulkemail", &[Right::Duty(Duty::Suppress)]);
        check("lead", "DoNotEmail", &[Right::Duty(Duty::Suppress)]);
        check("contact", "esc_optintype", &[Right::Duty(Duty::Suppress)]);
        check("list", "esc_activatedforemail", &[Right::Duty(Duty::Edit)]);
        check("esc_emaildatamapping", "esc_fieldpath", &[Right::Duty(Duty::Configure)]);
        check("esc_emailsupression", "esc_emailaddress", &[Right::Duty(Duty::Suppress)]);
        check("esc_emailpreference", "esc_name", &[Right::Duty(Duty::Prefer)]);
        check("esc_emailcampaign", "esc_name", &[Right::Duty(Duty::Edit)]);
        for request in ["esc_emailsend", "ESC_EmailSingleSend", "esc_messagequeue", "esc_emailsend_list"] {
            check(request, "esc_name", &[Right::Owner]);
        }
        check("esc_emailcampaigncontactclick", "esc_url", &[Right::Owner]);
        check("systemuserroles", "roleid", &[Right::Owner]);
        assert!(rights_of("not json").is_empty());
        let twice = r#"{"table":"contact","table":"esc_emailsend","id":"x"}"#;
        assert_eq!(rights_of(twice), [Right::Owner], "the last one counts, as it does for the CRM");
    }
}
