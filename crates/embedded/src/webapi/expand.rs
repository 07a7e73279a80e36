//! `$expand`: the rows at the other end of navigation properties, fetched with one query for each property and level, not
//! one for each row. Of a collection, each row above has one page at most, and a link to the next where there are more.

use std::collections::HashMap;

use postroom_core::metadata::TableInfo;
use postroom_core::query::Link;
use postroom_core::{Filter, Query, Record, RecordRef, Value};
use postroom_formats::odata::resolve::{Expansion, Relation};
use uuid::Uuid;

use super::call::Call;
use super::json::Json;
use super::page::Token;
use super::row::{Annotations, Names, Shape};
use super::{Problem, page, read};
use crate::query::Each;
use crate::session::{COUNTED, First};

/// The rows of one navigation property for the rows above it.
pub(crate) struct Branch<'c> {
    navigation: String,
    single: bool,
    reference: bool,
    count: bool,
    table: &'c TableInfo,
    shape: Shape<'c>,
    rows: Vec<Record>,
    /// For each row above.
    of: Vec<Below>,
    below: Vec<Branch<'c>>,
}

/// The rows of one row above.
#[derive(Default)]
struct Below {
    /// Their places in the branch.
    places: Vec<usize>,
    /// How many there are in all, when that was asked for.
    total: u64,
    /// The sort keys of the last one, when there may be more.
    marks: Vec<Value>,
    /// Where the next page of them is.
    next: Option<String>,
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
    let (mut found, of) = match &expansion.relation {
        Relation::ManyToOne(relation) => up(call, rows, query, table, &relation.referencing_column).await?,
        _ => down(call, rows, query, expansion, table).await?,
    };
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

type Found = (Vec<Record>, Vec<Below>);

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
    let place = |row| named(row).and_then(|id| places.get(&id).copied());
    let below = |row| Below { places: place(row).into_iter().collect(), ..Below::default() };
    let of = rows.iter().map(below).collect();
    Ok((found, of))
}

/// The rows of a collection: those whose lookup names one of these rows, or that an intersect table ties to it.
async fn down(
    call: &Call<'_>,
    rows: &[Record],
    query: Query,
    expansion: &Expansion,
    table: &TableInfo,
) -> Result<Found, Problem> {
    let (query, column) = match &expansion.relation {
        Relation::ManyToMany { relation, near, far } => {
            let link = Link::new(&relation.intersect_table, &far.column, &table.primary_id, INTERSECT)
                .select(&[near.column.as_str()]);
            (query.link(link), format!("{INTERSECT}.{}", near.column))
        }
        Relation::OneToMany(relation) | Relation::ManyToOne(relation) => {
            (query, relation.referencing_column.clone())
        }
    };
    let size = page::window(call, None).size.unwrap_or_default();
    let part = Part { size: expansion.query.top.map_or(size, |top| top.min(size)), expansion };
    let above: HashMap<Uuid, usize> =
        rows.iter().enumerate().map(|(place, row)| (row.at.id, place)).collect();
    let mut found = (Vec::new(), rows.iter().map(|_| Below::default()).collect());
    let ids: Vec<Uuid> = rows.iter().map(|row| row.at.id).collect();
    for ids in ids.chunks(500) {
        // One more than is shown says whether there are more.
        let each = Each { column: column.clone(), rows: part.size + 1, count: expansion.count };
        for first in call.session.firsts(among(query.clone(), &column, ids), each).await? {
            let Some(place) = parent(&first.record, &column).and_then(|id| above.get(&id)) else { continue };
            part.take(call, &rows[*place], first, *place, &mut found);
        }
    }
    Ok(found)
}

/// The row above that a row names.
fn parent(row: &Record, column: &str) -> Option<Uuid> {
    match row.get(column)? {
        Value::Guid(id) => Some(*id),
        Value::Lookup(at) => Some(at.id),
        _ => None,
    }
}

/// How much of a collection is shown around each row.
struct Part<'c> {
    size: u64,
    expansion: &'c Expansion,
}

impl Part<'_> {
    fn take(&self, call: &Call<'_>, above: &Record, first: First, place: usize, found: &mut Found) {
        let (rows, of) = found;
        let below = &mut of[place];
        below.total = first.total;
        if first.number > self.size {
            let marks = std::mem::take(&mut below.marks);
            below.next = self.next(call, above, &marks);
            return;
        }
        below.marks = first.marks;
        below.places.push(rows.len());
        rows.push(first.record);
    }

    /// The link to the rows after these, as those of a request for this collection alone.
    fn next(&self, call: &Call<'_>, above: &Record, marks: &[Value]) -> Option<String> {
        let left = self.expansion.query.top.map(|top| top.saturating_sub(self.size));
        if left == Some(0) {
            return None;
        }
        // The pair's own id came last; there it is no key.
        let keys = match self.expansion.relation {
            Relation::ManyToMany { .. } => marks.len().saturating_sub(1),
            _ => marks.len(),
        };
        let token = Token { p: 2, m: page::marks(&marks[..keys]), l: left, ..Token::default() };
        let navigation = &self.expansion.navigation;
        let path = if self.expansion.reference { "/$ref" } else { "" };
        let url = format!("{}/{navigation}{path}", call.url_of(&above.at));
        let given = call.query.split('&').filter(|pair| pair.starts_with('@') || pair.starts_with("%40"));
        let mut pairs = vec![self.expansion.options()];
        pairs.extend(given.map(str::to_owned));
        pairs.push(format!("$skiptoken={}", token.write()));
        pairs.retain(|pair| !pair.is_empty());
        Some(format!("{url}?{}", pairs.join("&")))
    }
}

fn among(query: Query, column: &str, ids: &[Uuid]) -> Query {
    let list = Filter::In(column.to_owned(), ids.iter().copied().map(Value::Guid).collect());
    Query { filter: Filter::All(vec![query.filter.clone(), list]), ..query }
}

async fn by_ids(call: &Call<'_>, query: Query, column: &str, ids: &[Uuid]) -> Result<Vec<Record>, Problem> {
    let mut found = Vec::new();
    for ids in ids.chunks(500) {
        found.extend(call.session.all(among(query.clone(), column, ids)).await?);
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
        let below = &self.of[place];
        let places = &below.places;
        if self.count {
            json.key_of(&self.navigation, "@odata.count").value(&below.total.min(COUNTED));
        }
        json.key(&self.navigation);
        match (self.single, places.first()) {
            (true, None) => json.null(),
            (true, Some(first)) => self.one(json, call, *first, ask, names),
            (false, _) => json.array(|json| {
                places.iter().for_each(|place| self.one(json, call, *place, ask, names));
            }),
        }
        if let Some(next) = &below.next {
            json.key_of(&self.navigation, "@odata.nextLink").value(next);
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
