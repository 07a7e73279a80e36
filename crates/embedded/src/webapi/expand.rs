//! `$expand`: the rows at the other end of navigation properties, fetched with one query for each property and level, not
//! one for each row.

use std::collections::HashMap;

use postroom_core::metadata::TableInfo;
use postroom_core::query::Link;
use postroom_core::{Filter, Query, Record, RecordRef, Value};
use postroom_formats::odata::resolve::{Expansion, Relation};
use uuid::Uuid;

use super::call::Call;
use super::json::Json;
use super::row::{Annotations, Names, Shape};
use super::{Problem, page, read};

/// The rows of one navigation property for the rows above it.
pub(crate) struct Branch<'c> {
    navigation: String,
    single: bool,
    reference: bool,
    count: bool,
    table: &'c TableInfo,
    shape: Shape<'c>,
    rows: Vec<Record>,
    /// For each row above: the places of its rows here.
    of: Vec<Vec<usize>>,
    below: Vec<Branch<'c>>,
}

/// The alias of the intersect table.
const INTERSECT: &str = "_intersect";

/// The columns that following these properties needs of the table they start from.
pub(crate) fn needed(expand: &[Expansion]) -> Vec<String> {
    let lookup = |expansion: &Expansion| match &expansion.relation {
        Relation::ManyToOne(relation) => Some(relation.referencing_column.clone()),
        _ => None,
    };
    expand.iter().filter_map(lookup).collect()
}

async fn branch<'c>(
    call: &'c Call<'_>,
    rows: &[Record],
    expansion: &'c Expansion,
) -> Result<Branch<'c>, Problem> {
    let table = call.table(expansion.relation.target())?;
    let wanted = expansion.query.columns.as_deref();
    let mut more = needed(&expansion.expand);
    if let Relation::OneToMany(relation) = &expansion.relation {
        more.push(relation.referencing_column.clone());
    }
    let columns = page::columns(&call.schema, table, wanted, more);
    let hidden: Vec<&str> = columns.hidden.iter().map(String::as_str).collect();
    let shape = Shape::new(&call.metadata, table, &columns.asked, &HashMap::new(), &hidden);
    let query = Query { columns: Some(columns.asked.clone()), top: None, ..expansion.query.clone() };
    let (found, mut of) = match &expansion.relation {
        Relation::ManyToOne(relation) => up(call, rows, query, table, &relation.referencing_column).await?,
        Relation::OneToMany(relation) => down(call, rows, query, &relation.referencing_column).await?,
        Relation::ManyToMany { relation, near, far } => {
            let link = Link::new(&relation.intersect_table, &far.column, &table.primary_id, INTERSECT)
                .select(&[near.column.as_str()]);
            across(call, rows, query.link(link), &near.column).await?
        }
    };
    if let Some(top) = expansion.query.top {
        of.iter_mut().for_each(|places| places.truncate(top as usize));
    }
    let mut found = found;
    read::bodies(call, &mut found).await?;
    Ok(Branch {
        navigation: expansion.navigation.clone(),
        single: expansion.single,
        reference: expansion.reference,
        count: expansion.count,
        table,
        shape,
        below: Vec::new(),
        rows: found,
        of,
    })
}

type Found = (Vec<Record>, Vec<Vec<usize>>);

/// The rows that lookups name.
async fn up(
    call: &Call<'_>,
    rows: &[Record],
    query: Query,
    table: &TableInfo,
    lookup: &str,
) -> Result<Found, Problem> {
    // Users and teams are owners.
    let owner = table.logical_name == "owner";
    let named = |row: &Record| {
        row.lookup(lookup).filter(|at| owner || at.table == table.logical_name).map(|at| at.id)
    };
    let ids: Vec<Uuid> = rows.iter().filter_map(named).collect();
    let found = by_ids(call, query, &table.primary_id, &ids).await?;
    let places: HashMap<Uuid, usize> =
        found.iter().enumerate().map(|(place, row)| (row.at.id, place)).collect();
    let of = rows.iter().map(|row| named(row).and_then(|id| places.get(&id).copied()).into_iter().collect());
    Ok((found, of.collect()))
}

/// The rows whose lookup names one of these.
async fn down(call: &Call<'_>, rows: &[Record], query: Query, lookup: &str) -> Result<Found, Problem> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.at.id).collect();
    let found = by_ids(call, query, lookup, &ids).await?;
    let parent = |row: &Record| row.lookup(lookup).map(|at| at.id);
    Ok(grouped(rows, found, parent))
}

/// The rows tied to these by an intersect table.
async fn across(call: &Call<'_>, rows: &[Record], query: Query, near: &str) -> Result<Found, Problem> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.at.id).collect();
    let column = format!("{INTERSECT}.{near}");
    let found = by_ids(call, query, &column, &ids).await?;
    let parent = |row: &Record| match row.get(&column) {
        Some(Value::Guid(id)) => Some(*id),
        Some(Value::Lookup(at)) => Some(at.id),
        _ => None,
    };
    Ok(grouped(rows, found, parent))
}

fn grouped(rows: &[Record], found: Vec<Record>, parent: impl Fn(&Record) -> Option<Uuid>) -> Found {
    let above: HashMap<Uuid, usize> =
        rows.iter().enumerate().map(|(place, row)| (row.at.id, place)).collect();
    let mut of = vec![Vec::new(); rows.len()];
    for (place, row) in found.iter().enumerate() {
        if let Some(parent) = parent(row).and_then(|id| above.get(&id)) {
            of[*parent].push(place);
        }
    }
    (found, of)
}

async fn by_ids(call: &Call<'_>, query: Query, column: &str, ids: &[Uuid]) -> Result<Vec<Record>, Problem> {
    let mut found = Vec::new();
    for ids in ids.chunks(500) {
        let mut query = query.clone();
        let list = Filter::In(column.to_owned(), ids.iter().copied().map(Value::Guid).collect());
        query.filter = Filter::All(vec![query.filter, list]);
        found.extend(call.session.all(query).await?);
    }
    Ok(found)
}

impl<'c> Branch<'c> {
    /// Fetches what is below this branch's own rows.
    pub(crate) async fn deepen(
        branches: &mut [Branch<'c>],
        call: &'c Call<'_>,
        expand: &'c [Expansion],
    ) -> Result<(), Problem> {
        for (branch, expansion) in branches.iter_mut().zip(expand) {
            let below = Box::pin(load(call, &branch.rows, &expansion.expand)).await?;
            branch.below = below;
            Box::pin(Branch::deepen(&mut branch.below, call, &expansion.expand)).await?;
        }
        Ok(())
    }

    /// The rows that lookups here and below name.
    pub(crate) fn named(&self, all: &mut Vec<RecordRef>) {
        all.extend(self.shape.named(self.rows.iter()));
        self.below.iter().for_each(|branch| branch.named(all));
    }

    /// Writes the member for the row above at `place`.
    pub(crate) fn write(
        &self,
        json: &mut Json,
        call: &Call<'_>,
        place: usize,
        ask: Annotations,
        names: &Names,
    ) {
        let places = &self.of[place];
        if self.count {
            json.key_of(&self.navigation, "@odata.count").value(&places.len());
        }
        json.key(&self.navigation);
        match (self.single, places.first()) {
            (true, None) => json.null(),
            (true, Some(first)) => self.one(json, call, *first, ask, names),
            (false, _) => json.array(|json| {
                places.iter().for_each(|place| self.one(json, call, *place, ask, names));
            }),
        }
    }

    fn one(&self, json: &mut Json, call: &Call<'_>, place: usize, ask: Annotations, names: &Names) {
        let row = &self.rows[place];
        json.object(|json| {
            if self.reference {
                json.key("@odata.id").value(&call.url_of(&row.at));
                return;
            }
            self.shape.write(json, row, ask, names);
            self.below.iter().for_each(|branch| branch.write(json, call, place, ask, names));
        });
        debug_assert_eq!(row.at.table, self.table.logical_name);
    }
}

/// One level.
async fn load<'c>(
    call: &'c Call<'_>,
    rows: &[Record],
    expand: &'c [Expansion],
) -> Result<Vec<Branch<'c>>, Problem> {
    let mut branches = Vec::new();
    for expansion in expand {
        branches.push(branch(call, rows, expansion).await?);
    }
    Ok(branches)
}

/// Fetches everything that was asked to be expanded, level by level.
pub(crate) async fn all<'c>(
    call: &'c Call<'_>,
    rows: &[Record],
    expand: &'c [Expansion],
) -> Result<Vec<Branch<'c>>, Problem> {
    let mut branches = load(call, rows, expand).await?;
    Branch::deepen(&mut branches, call, expand).await?;
    Ok(branches)
}
