//! Where a query goes on, as a text that the caller keeps; and what a query names.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use postroom_core::metadata::TableInfo;
use postroom_core::query::{Filter, Link};
use postroom_core::{Code, Fault, Query};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Every table that a query names.
pub(crate) fn tables(query: &Query) -> Vec<&str> {
    let mut tables = vec![query.table.as_str()];
    name_tables(&query.links, &mut tables);
    name_filtered(&query.filter, &mut tables);
    tables
}

fn name_tables<'q>(links: &'q [Link], tables: &mut Vec<&'q str>) {
    for link in links {
        tables.push(&link.table);
        name_filtered(&link.filter, tables);
        name_tables(&link.links, tables);
    }
}

fn name_filtered<'q>(filter: &'q Filter, tables: &mut Vec<&'q str>) {
    match filter {
        Filter::All(parts) | Filter::Any(parts) => parts.iter().for_each(|part| name_filtered(part, tables)),
        Filter::Not(inner) => name_filtered(inner, tables),
        Filter::Linked(link) => name_tables(std::slice::from_ref(link), tables),
        _ => {}
    }
}

/// Columns that the table does not have are refused here, by name: what the server would say differs between versions.
pub(crate) fn known_columns(table: &TableInfo, query: &Query) -> Result<(), Fault> {
    let mut names: Vec<&str> = query.columns.iter().flatten().map(String::as_str).collect();
    if !query.computes() {
        names.extend(query.order.iter().map(|order| order.column.as_str()));
    }
    filtered(&query.filter, &mut names);
    match names.into_iter().find(|name| !name.contains('.') && table.column(name).is_none()) {
        None => Ok(()),
        Some(name) => {
            let text = format!("{} has no column {name}", query.table);
            Err(Fault::reject(Code::CRM_UNKNOWN_COLUMN, text))
        }
    }
}

fn filtered<'q>(filter: &'q Filter, names: &mut Vec<&'q str>) {
    match filter {
        Filter::All(parts) | Filter::Any(parts) => parts.iter().for_each(|part| filtered(part, names)),
        Filter::Not(inner) => filtered(inner, names),
        Filter::Compare(column, ..)
        | Filter::In(column, _)
        | Filter::Null(column)
        | Filter::Like(column, _)
        | Filter::Operator(column, ..) => names.push(column),
        Filter::Columns(left, _, right) => names.extend([left.as_str(), right.as_str()]),
        Filter::Linked(link) => names.push(&link.to),
    }
}

pub(crate) fn pack(what: &impl Serialize) -> String {
    BASE64.encode(serde_json::to_vec(what).expect("plain data has a JSON form"))
}

pub(crate) fn unpack<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    let wrong = || Fault::reject(Code::CRM_REFUSED, "this is no place to go on from; begin again");
    let bytes = BASE64.decode(text).map_err(|_| wrong())?;
    serde_json::from_slice(&bytes).map_err(|_| wrong())
}
