//! Merge: two rows of a table become one. The subordinate stays, inactive, and names its master; whatever named it names the
//! master from then on.

use postroom_core::{Change, Filter, Query, Record, RecordRef, Value};

use crate::definitions;
use crate::failure::Failure;
use crate::messages::ask::{Ask, unless_changed};
use crate::messages::{Prepared, codes, refuse};

/// Rows that are moved at most: all in one set.
const MOST: usize = 5000;
/// Tables whose rows are merged.
const MERGED: [&str; 4] = ["account", "contact", "lead", "incident"];
/// Relations that are about the rows themselves.
const OWN: [&str; 3] = ["masterid", "existingcase", "parentcaseid"];

pub(crate) async fn merge(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let target = ask.needed("Target", None)?;
    let name = if ask.get("Subordinate").is_some() { "Subordinate" } else { "SubordinateId" };
    let other = ask.needed(name, Some(&target.table))?;
    if !MERGED.contains(&target.table.as_str()) || target == other {
        let text = "Accounts, contacts, leads and cases are merged, two different ones of one table.";
        return Err(refuse(codes::INVALID_ARGUMENT, text));
    }
    let columns = ["statecode", "merged", "versionnumber"];
    let (master, subordinate) = (ask.row(&target, &columns).await?, ask.row(&other, &columns).await?);
    for row in [&master, &subordinate] {
        if row.get("merged").and_then(Value::as_bool) == Some(true) || row.int("statecode") != Some(0) {
            return Err(refuse(codes::STATE, format!("{} is inactive or was merged before.", row.at)));
        }
    }
    let mut changes = Vec::new();
    if let Some(content) = ask.given("UpdateContent")?.filter(|content| !content.record.columns.is_empty()) {
        let change = Record { at: target.clone(), columns: content.record.columns };
        changes.push(unless_changed(&master, change));
    }
    changes.extend(moved(ask, &other, &target).await?);
    let state = if ["lead", "incident"].contains(&other.table.as_str()) { 2 } else { 1 };
    let closed =
        Record::new(other.clone()).with("merged", true).with("masterid", target).with("statecode", state);
    let closed = match other.table.as_str() {
        "incident" => closed.with("statuscode", 2000),
        _ => closed,
    };
    changes.push(unless_changed(&subordinate, ask.fitting(closed).await?));
    Ok(Prepared::of(changes, Vec::new()))
}

/// Every lookup that names the subordinate, as far as the caller sees its rows.
async fn moved(ask: &Ask<'_>, from: &RecordRef, to: &RecordRef) -> Result<Vec<Change>, Failure> {
    let schema = ask.session.crm().schema().await?;
    let metadata = definitions::metadata(&schema);
    let mut changes: Vec<Change> = Vec::new();
    for relation in metadata.one_to_many_of(&from.table) {
        let (table, column) = (relation.referencing_table.as_str(), relation.referencing_column.as_str());
        let stored = schema.table(table).ok().and_then(|table| table.column(column));
        let writable = stored.is_some_and(|column| !column.read_only);
        // Pointers are seen as the activities that they are.
        if !writable || OWN.contains(&column) || table == "activitypointer" {
            continue;
        }
        let mut filter = vec![Filter::eq(column, from.clone())];
        if table == "activityparty" {
            // The server keeps the rows of the regarding record and the owner.
            let own = Filter::In("participationtypemask".into(), vec![Value::Int(8), Value::Int(9)]);
            filter.push(Filter::Not(Box::new(own)));
        }
        let query = Query::of(table).select(&[]).filter(Filter::All(filter)).top(MOST as u64 + 1);
        // What the caller may not read stays where it is.
        let Ok(rows) = ask.session.all(query).await else { continue };
        changes
            .extend(rows.into_iter().map(|row| Change::Update(Record::new(row.at).with(column, to.clone()))));
        if changes.len() > MOST {
            let text = format!("More than {MOST} rows belong to {from}: move some of them first.");
            return Err(refuse(codes::INVALID_ARGUMENT, text));
        }
    }
    Ok(changes)
}
