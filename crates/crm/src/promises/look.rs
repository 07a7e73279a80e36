//! Finding: ids in tables that are not known, addresses of people, and what stands where something is to be written.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use postroom_core::query::Filter;
use postroom_core::{AddressHit, Fault, Query, Record, RecordRef, Value, address};
use uuid::Uuid;

use super::{Reads, table};

/// The columns that say how a row stands, where its table has them.
const STANDING: &[&str] = &["statecode", "statuscode", "ownerid", "merged", "masterid"];
/// The tables with people and queues, and their address columns.
const ADDRESSES: &[(&str, &[&str])] = &[
    ("systemuser", &["internalemailaddress", "personalemailaddress"]),
    ("queue", &["emailaddress"]),
    ("contact", &["emailaddress1", "emailaddress2", "emailaddress3"]),
    ("lead", &["emailaddress1", "emailaddress2", "emailaddress3"]),
    ("account", &["emailaddress1", "emailaddress2", "emailaddress3"]),
];
/// What is known of rows; `None` is not there.
pub(crate) type Looked = HashMap<RecordRef, Option<Record>>;

/// The rows with these ids in any of these tables, and how they stand.
pub(crate) async fn find(reads: &impl Reads, tables: &[&str], ids: &[Uuid]) -> Result<Vec<Record>, Fault> {
    if tables.is_empty() || ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = ids.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let metadata = reads.metadata(tables).await?;
    let mut queries = Vec::new();
    for name in tables {
        let table = table(&metadata, name)?;
        let regarding = (*name == "email").then_some("regardingobjectid");
        let columns = STANDING.iter().copied().chain(regarding);
        let columns: Vec<&str> = columns.filter(|column| table.column(column).is_some()).collect();
        queries.extend(by_ids(reads, name, &table.primary_id, &columns, &ids));
    }
    Ok(reads.many(&queries).await?.into_iter().flatten().collect())
}

fn by_ids(reads: &impl Reads, table: &str, key: &str, columns: &[&str], ids: &[Uuid]) -> Vec<Query> {
    let one = |ids: &[Uuid]| {
        let list = Filter::In(key.to_owned(), ids.iter().copied().map(Value::Guid).collect());
        Query::of(table).select(columns).filter(list)
    };
    ids.chunks(reads.listed().ids).map(one).collect()
}

/// Who these addresses belong to.
pub(crate) async fn find_addresses(
    reads: &impl Reads,
    addresses: &[String],
) -> Result<Vec<AddressHit>, Fault> {
    let wanted: BTreeSet<&str> =
        addresses.iter().map(String::as_str).filter(|address| !address.is_empty()).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<&str> = ADDRESSES.iter().map(|(name, _)| *name).collect();
    let metadata = reads.metadata(&names).await?;
    let list: Vec<&str> = wanted.iter().copied().collect();
    let (mut queries, mut of) = (Vec::new(), Vec::new());
    for (name, columns) in ADDRESSES {
        let table = table(&metadata, name)?;
        let columns: Vec<&str> =
            columns.iter().copied().filter(|column| table.column(column).is_some()).collect();
        let besides = ["modifiedon", "statecode", "isdisabled", "ownerid"];
        let besides = besides.into_iter().filter(|column| table.column(column).is_some());
        let select: Vec<&str> = columns.iter().copied().chain(besides).collect();
        for chunk in list.chunks(reads.listed().addresses) {
            let values: Vec<Value> = chunk.iter().map(|address| Value::text(*address)).collect();
            let any = columns.iter().map(|column| Filter::In((*column).to_owned(), values.clone())).collect();
            queries.push(Query::of(*name).select(&select).filter(Filter::Any(any)));
            of.push(columns.clone());
        }
    }
    let mut hits = Vec::new();
    for (columns, rows) in of.iter().zip(reads.many(&queries).await?) {
        rows.iter().for_each(|row| hit(row, columns, &wanted, &mut hits));
    }
    // A row that two lists name comes twice.
    let mut once = HashSet::new();
    hits.retain(|hit| once.insert((hit.record.clone(), hit.column.clone())));
    Ok(hits)
}

/// The rows that are there of these, with these columns and their versions.
pub(crate) async fn look(
    reads: &impl Reads,
    wanted: &BTreeMap<RecordRef, BTreeSet<String>>,
) -> Result<Looked, Fault> {
    let mut by_table: BTreeMap<&str, (BTreeSet<&str>, Vec<Uuid>)> = BTreeMap::new();
    for (at, columns) in wanted {
        let (all, ids) = by_table.entry(at.table.as_str()).or_default();
        all.extend(columns.iter().map(String::as_str));
        ids.push(at.id);
    }
    let names: Vec<&str> = by_table.keys().copied().collect();
    let metadata = reads.metadata(&names).await?;
    let mut queries = Vec::new();
    for (name, (columns, ids)) in &by_table {
        let table = table(&metadata, name)?;
        let columns: Vec<&str> = columns
            .iter()
            .copied()
            .chain(["versionnumber"])
            .filter(|column| table.column(column).is_some_and(|column| column.valid_for_read))
            .collect();
        queries.extend(by_ids(reads, name, &table.primary_id, &columns, ids));
    }
    let mut looked: Looked = wanted.keys().map(|at| (at.clone(), None)).collect();
    for row in reads.many(&queries).await?.into_iter().flatten() {
        looked.insert(row.at.clone(), Some(row));
    }
    Ok(looked)
}

fn hit(row: &Record, columns: &[&str], wanted: &BTreeSet<&str>, hits: &mut Vec<AddressHit>) {
    for column in columns {
        let Some(found) = row.text(column).map(address::normal) else { continue };
        if !wanted.contains(found.as_str()) {
            continue;
        }
        let disabled = row.get("isdisabled").and_then(Value::as_bool).unwrap_or(false);
        hits.push(AddressHit {
            address: found,
            record: row.at.clone(),
            column: (*column).to_owned(),
            active: row.int("statecode").unwrap_or(0) == 0 && !disabled,
            owner: row.lookup("ownerid").cloned(),
            modified_on: match row.get("modifiedon") {
                Some(Value::Time(time)) => Some(*time),
                _ => None,
            },
        });
    }
}
