//! One write as a request of the Web API.

use postroom_core::metadata::Metadata;
use postroom_core::{Code, Fault, Record};

use super::body::{self, Body};
use crate::promises::lot::Step;
use crate::promises::table;

/// One request.
#[derive(Debug)]
pub(crate) struct Op {
    pub method: &'static str,
    /// Below the root.
    pub path: String,
    /// `If-Match`.
    pub condition: Option<(&'static str, String)>,
    pub body: Vec<u8>,
    /// The URL of the row that it makes: how it is taken back.
    pub makes: Option<String>,
}

/// `compares`: whether the server takes conditions on versions of a table's rows. Where it does not it is told of none, and the row was
/// read before.
pub(super) fn of(metadata: &Metadata, step: Step, compares: impl Fn(&str) -> bool) -> Result<Op, Fault> {
    let etag = |table: &str, version: Option<i64>| {
        version.filter(|_| compares(table)).map(|version| format!("W/\"{version}\""))
    };
    Ok(match step {
        Step::Create { row, parties, .. } => {
            let mut body = body::columns(metadata, &row, true)?;
            if let Some(first) = parties.first() {
                let rows = parties.iter().map(|party| Ok(body::columns(metadata, party, true)?.finish()));
                let rows = rows.collect::<Result<Vec<String>, Fault>>()?;
                let list = party_list(metadata, &row, first)?;
                body.put(list, &format!("[{}]", rows.join(",")));
            }
            let path = table(metadata, &row.at.table)?.entity_set.clone();
            Op { makes: Some(body::row_url(metadata, &row.at)?), ..op("POST", path, None, Some(body)) }
        }
        Step::Update { row, version } => {
            // Without a condition a change of what is not there would make it.
            let condition = etag(&row.at.table, version).unwrap_or_else(|| "*".to_owned());
            let body = body::columns(metadata, &row, false)?;
            op("PATCH", body::row_url(metadata, &row.at)?, Some(condition), Some(body))
        }
        Step::Delete { at, version } => {
            op("DELETE", body::row_url(metadata, &at)?, etag(&at.table, version), None)
        }
    })
}

fn op(method: &'static str, path: String, condition: Option<String>, body: Option<Body>) -> Op {
    let body = body.map_or_else(Vec::new, |body| body.finish().into_bytes());
    Op { method, path, condition: condition.map(|value| ("If-Match", value)), body, makes: None }
}

/// The property of an activity that its parties stand in.
fn party_list<'m>(metadata: &'m Metadata, activity: &'m Record, party: &Record) -> Result<&'m str, Fault> {
    let table = &activity.at.table;
    let list = metadata
        .one_to_many_of(table)
        .find(|one| one.referencing_table == party.at.table && one.referencing_column == "activityid");
    let none = || Fault::reject(Code::CRM_UNKNOWN_COLUMN, format!("{table} has no parties"));
    Ok(&list.ok_or_else(none)?.referenced_navigation)
}
