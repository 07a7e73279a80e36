//! What is known of a row when somebody wants to do something with it: the row that decides, its owner, unit and shares.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use postroom_core::metadata::PrivilegeKind;
use postroom_core::{RecordRef, Value};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::caller::Caller;
use super::govern::{Governed, Parent, governed};
use super::privilege;
use super::{AccessError, AccessRights, Level};
use crate::lot::load::{CHUNK, rows};
use crate::row::Fields;
use crate::schema::{Schema, Table};

/// The row that decides: the row itself, or the one that it is a part of.
#[derive(Debug, Clone)]
pub struct RowFacts {
    pub at: RecordRef,
    /// The table of `at`.
    pub table: Arc<Table>,
    pub owner: Option<RecordRef>,
    pub unit: Option<Uuid>,
    /// What is shared of it with the caller and his teams.
    pub shared: AccessRights,
}

impl RowFacts {
    /// A row that is about to be made.
    pub fn new(id: Uuid, table: Arc<Table>, owner: Option<RecordRef>, unit: Option<Uuid>) -> Self {
        let at = RecordRef::new(table.name.clone(), id);
        RowFacts { at, table, owner, unit, shared: AccessRights::NONE }
    }
}

/// Reads what decides over these rows. Rows that are not there are left out; a part whose parent is gone decides by itself,
/// so that only a System Administrator reaches it. `activitypointer/ID` is answered by the activity's own table.
pub async fn facts(
    tx: &mut Tx,
    caller: &Caller,
    wanted: &[RecordRef],
) -> Result<HashMap<RecordRef, RowFacts>, AccessError> {
    let schema = caller.schema.clone();
    let mut found = HashMap::new();
    let mut parents: HashMap<RecordRef, RecordRef> = HashMap::new();
    for (table, ids) in grouped(&schema, wanted) {
        let columns = columns(&table);
        for (id, fields) in rows(tx, &table, &ids, &columns).await? {
            let at = RecordRef::new(table.name.clone(), id);
            if let Some(parent) = parent_of(&table, id, &fields) {
                parents.insert(at.clone(), parent);
            }
            found.insert(at, of_fields(&table, id, &fields));
        }
    }
    above(tx, &schema, &mut found, parents).await?;
    shares(tx, caller, &mut found).await?;
    answer_pointers(wanted, &mut found);
    Ok(found)
}

/// By table; a pointer asks every activity table.
fn grouped(schema: &Schema, wanted: &[RecordRef]) -> Vec<(Arc<Table>, Vec<Uuid>)> {
    let mut groups: HashMap<usize, HashSet<Uuid>> = HashMap::new();
    for at in wanted {
        if at.table == "activitypointer" {
            for (place, _) in schema.activities() {
                groups.entry(place).or_default().insert(at.id);
            }
        } else if let Some(place) = schema.find(&at.table) {
            groups.entry(place).or_default().insert(at.id);
        }
    }
    groups.into_iter().map(|(place, ids)| (schema.at(place).clone(), ids.into_iter().collect())).collect()
}

fn columns(table: &Table) -> Vec<usize> {
    let names: Vec<&str> = match governed(table) {
        Governed::Owner => vec!["ownerid", "owningbusinessunit"],
        Governed::Unit => vec!["businessunitid"],
        Governed::Parents(parents) => parents.iter().map(|parent| parent.column).collect(),
        Governed::Organization | Governed::Open | Governed::Closed => Vec::new(),
    };
    let mut places: Vec<usize> = names.into_iter().filter_map(|name| table.place(name)).collect();
    places.sort_unstable();
    places.dedup();
    places
}

fn of_fields(table: &Arc<Table>, id: Uuid, fields: &Fields) -> RowFacts {
    let unit = |column| fields.lookup(table, column).map(|unit| unit.id);
    let unit = match governed(table) {
        Governed::Unit if table.name == "businessunit" => Some(id),
        Governed::Unit => unit("businessunitid"),
        _ => unit("owningbusinessunit"),
    };
    RowFacts::new(id, table.clone(), fields.lookup(table, "ownerid").cloned(), unit)
}

/// The row that this one is a part of.
fn parent_of(table: &Table, id: Uuid, fields: &Fields) -> Option<RecordRef> {
    let Governed::Parents(parents) = governed(table) else { return None };
    let by = |parent: &Parent| match fields.named(table, parent.column) {
        _ if table.primary_key == parent.column => Some(RecordRef::new(parent.table, id)),
        Some(Value::Lookup(at)) => Some(at.clone()),
        Some(Value::Guid(id)) => Some(RecordRef::new(parent.table, *id)),
        _ => None,
    };
    parents.iter().find_map(by)
}

/// Puts the parents' facts in the place of their parts'.
async fn above(
    tx: &mut Tx,
    schema: &Arc<Schema>,
    found: &mut HashMap<RecordRef, RowFacts>,
    parents: HashMap<RecordRef, RecordRef>,
) -> Result<(), Error> {
    let wanted: Vec<RecordRef> = parents.values().cloned().collect();
    let mut facts = HashMap::new();
    for (table, ids) in grouped(schema, &wanted) {
        for (id, fields) in rows(tx, &table, &ids, &columns(&table)).await? {
            facts.insert(id, of_fields(&table, id, &fields));
        }
    }
    for (part, parent) in parents {
        let is_it = |above: &&RowFacts| {
            above.at.table == parent.table || parent.table == "activitypointer" && above.table.activity
        };
        if let Some(above) = facts.get(&parent.id).filter(is_it) {
            found.insert(part, above.clone());
        }
    }
    Ok(())
}

async fn shares(tx: &mut Tx, caller: &Caller, found: &mut HashMap<RecordRef, RowFacts>) -> Result<(), Error> {
    if caller.shares.is_empty() {
        return Ok(());
    }
    let ids: HashSet<Uuid> = found.values().map(|facts| facts.at.id).collect();
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let principals: Vec<Uuid> = caller.principals().collect();
    let mut masks: HashMap<(Uuid, String), i64> = HashMap::new();
    for ids in ids.chunks(CHUNK) {
        let select = Query::select()
            .columns(["objectid", "objecttypecode", "accessrightsmask", "inheritedaccessrightsmask"])
            .from("crm_principalobjectaccess")
            .and_where(Expr::col("objectid").is_in(ids.iter().copied()))
            .and_where(Expr::col("principalid").is_in(principals.iter().copied()))
            .to_owned();
        for row in tx.query(&select).await? {
            let table = row.at::<Option<String>>(1)?.unwrap_or_default();
            let mask = |place| row.at::<Option<i64>>(place).map(Option::unwrap_or_default);
            *masks.entry((row.at(0)?, table)).or_default() |= mask(2)? | mask(3)?;
        }
    }
    for facts in found.values_mut() {
        let mask = masks.get(&(facts.at.id, facts.at.table.clone()));
        facts.shared = AccessRights(mask.copied().unwrap_or(0));
    }
    Ok(())
}

fn answer_pointers(wanted: &[RecordRef], found: &mut HashMap<RecordRef, RowFacts>) {
    for at in wanted.iter().filter(|at| at.table == "activitypointer") {
        if found.contains_key(at) {
            continue;
        }
        let own = found.values().find(|facts| facts.at.id == at.id && facts.table.activity).cloned();
        if let Some(facts) = own {
            found.insert(at.clone(), facts);
        }
    }
}

/// Who is to own a row of `table` must be able to read it: the platform refuses owners who could not.
pub async fn check_new_owner(
    tx: &mut Tx,
    schema: &Arc<Schema>,
    table: &Table,
    owner: &RecordRef,
) -> Result<(), AccessError> {
    let holder = match owner.table.as_str() {
        "systemuser" => Caller::load(tx, schema, owner.id, None).await?,
        "team" => Caller::of_team(tx, schema, owner.id).await?,
        _ => return Err(AccessError::Principal(owner.clone())),
    };
    match privilege::of(PrivilegeKind::Read, table) {
        Some(read) if holder.level(&read) == Level::None => {
            Err(holder.missing(read, Some(table.name.clone())))
        }
        _ => Ok(()),
    }
}
