//! Reading: queries, single rows, properties, navigation, references and counts (dataverse.md A4, A7 to A9).

use std::collections::HashMap;

use http::StatusCode;
use postroom_core::metadata::{ColumnInfo, TableInfo};
use postroom_core::query::{Filter, Query};
use postroom_core::{Content, Record, RecordRef, Value};
use postroom_formats::odata::path::Segment;
use postroom_formats::odata::resolve::{self, Plan};
use uuid::Uuid;

use super::around::{self, Around};
use super::call::Call;
use super::dispatch::Place;
use super::expand::{self, Branch};
use super::json::Json;
use super::page::{self, Turn, columns};
use super::row::{self, Names, Shape, etag};
use super::{Problem, Reply, conditions, fetch, files, groups};
use crate::messages::blocks;
use crate::schema::Kind;
use crate::session::{COUNTED, Page};

/// The list of entity sets.
pub(crate) fn service_document(call: &Call<'_>) -> Result<Reply, Problem> {
    let mut json = Json::default();
    json.object(|json| {
        json.key("@odata.context").value(&format!("{}/$metadata", call.root));
        json.key("value").array(|json| {
            for table in &call.metadata.tables {
                json.object(|json| {
                    json.key("name").value(&table.entity_set);
                    json.key("kind").value("EntitySet");
                    json.key("url").value(&table.entity_set);
                });
            }
        });
    });
    Ok(Reply::json(StatusCode::OK, json.into_bytes()))
}

/// A GET of a set, a row, or something of a row.
pub(crate) async fn answer(call: &Call<'_>, place: &Place<'_>) -> Result<Reply, Problem> {
    match (&place.row, place.tail) {
        (None, []) => set(call, place.table, None).await,
        (None, [Segment::Count]) => count(call, place.table, None).await,
        (None, [Segment::Ref]) => around::references(call, place.table, None).await,
        (Some(_), []) => one(call, place).await,
        (Some(_), [segment @ Segment::Name { .. }, rest @ ..]) => within(call, place, segment, rest).await,
        (_, [other, ..]) => Err(Problem::no_resource(&shown(other))),
    }
}

pub(crate) fn shown(segment: &Segment) -> String {
    match segment {
        Segment::Name { name, .. } | Segment::Qualified { name, .. } => name.clone(),
        Segment::Value => "$value".into(),
        Segment::Ref => "$ref".into(),
        Segment::Count => "$count".into(),
        Segment::Metadata => "$metadata".into(),
        Segment::Batch => "$batch".into(),
        Segment::Content(id) => format!("${id}"),
    }
}

/// Rows of a set; `around` narrows it to those at the end of a navigation property.
pub(crate) async fn set(
    call: &Call<'_>,
    table: &TableInfo,
    around: Option<&Around<'_>>,
) -> Result<Reply, Problem> {
    if let Some(xml) = &call.options.fetch_xml {
        return Box::pin(fetch::answer(call, table, xml, around)).await;
    }
    if call.options.saved_query.is_some() || call.options.user_query.is_some() {
        return Box::pin(fetch::stored(call, table, around)).await;
    }
    let plan = resolve::plan(&call.metadata, &table.logical_name, &call.options)?;
    if plan.query.computes() {
        return Box::pin(groups::applied(call, table, plan, around)).await;
    }
    let turn = Turn::read(call, plan.query.top)?;
    let mut query = Query { top: None, ..around::narrowed(around, table, plan.query.clone()) };
    let wanted = columns(&call.schema, table, query.columns.as_deref(), expand::needed(&plan.expand));
    query.columns = Some(wanted.asked.clone());
    let page = call.session.page(query, turn.window.clone(), plan.count).await?;
    let next = turn.next(&page);
    let hidden: Vec<&str> = wanted.hidden.iter().map(String::as_str).collect();
    let shape = Shape::new(&call.metadata, table, &wanted.asked, &HashMap::new(), &hidden);
    let answer = Answer {
        context: call.context(&fragment(&table.entity_set, &plan)),
        link: next.map(|token| page::next(call, &around::url(around, table), &token)),
        extra: Vec::new(),
    };
    rows(call, &shape, page, &plan.expand, answer).await
}

/// What stands around the rows of an answer.
pub(crate) struct Answer {
    pub context: String,
    /// `@odata.nextLink` or `@odata.deltaLink`.
    pub link: Option<(&'static str, String)>,
    /// Annotations of the whole, as JSON texts.
    pub extra: Vec<(&'static str, String)>,
}

/// Writes an answer of rows with what was expanded.
pub(crate) async fn rows(
    call: &Call<'_>,
    shape: &Shape<'_>,
    mut page: Page,
    expand: &[resolve::Expansion],
    answer: Answer,
) -> Result<Reply, Problem> {
    bodies(call, &mut page.records).await?;
    let branches = Box::pin(expand::all(call, &page.records, expand)).await?;
    let ask = call.annotations();
    let names = names(call, shape, &page.records, &branches).await?;
    let mut json = Json::default();
    json.object(|json| {
        json.key("@odata.context").value(&answer.context);
        totals(json, call, page.total);
        for (name, value) in &answer.extra {
            json.key(name).number(value);
        }
        json.key("value").array(|json| {
            for (place, record) in page.records.iter().enumerate() {
                json.object(|json| {
                    shape.write(json, record, ask, &names);
                    branches.iter().for_each(|branch| branch.write(json, call, place, ask, &names));
                });
            }
        });
        if let Some((name, link)) = &answer.link {
            json.key(name).value(link);
        }
    });
    Ok(applied(call, Reply::json(StatusCode::OK, json.into_bytes())))
}

/// How many rows there are in all, where that was asked for.
pub(crate) fn totals(json: &mut Json, call: &Call<'_>, total: Option<u64>) {
    if let Some(total) = total {
        json.key("@odata.count").value(&total.min(COUNTED));
    }
    if call.prefer.includes("Microsoft.Dynamics.CRM.totalrecordcount") {
        let shown = total.map_or(-1, |total| total.min(COUNTED) as i64);
        json.key("@Microsoft.Dynamics.CRM.totalrecordcount").value(&shown);
        let over = total.is_some_and(|total| total > COUNTED);
        json.key("@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded").value(&over);
    }
}

/// Says which preferences were followed.
pub(crate) fn applied(call: &Call<'_>, reply: Reply) -> Reply {
    match call.prefer.is_empty() {
        true => reply,
        false => reply.header("preference-applied", &call.prefer.to_string()),
    }
}

/// The names of rows that lookups name, when formatted values are wanted.
pub(crate) async fn names(
    call: &Call<'_>,
    shape: &Shape<'_>,
    records: &[Record],
    branches: &[Branch<'_>],
) -> Result<Names, Problem> {
    if !call.annotations().names() {
        return Ok(Names::new());
    }
    let mut all = shape.named(records.iter());
    branches.iter().for_each(|branch| branch.named(&mut all));
    names_of(call, all).await
}

/// The primary names of rows.
pub(crate) async fn names_of(call: &Call<'_>, rows: Vec<RecordRef>) -> Result<Names, Problem> {
    let mut by_table: HashMap<String, Vec<Uuid>> = HashMap::new();
    for at in rows {
        by_table.entry(at.table).or_default().push(at.id);
    }
    let mut names = Names::new();
    for (table, ids) in by_table {
        let Some(info) = call.metadata.table(&table) else { continue };
        let Some(name) = &info.primary_name else { continue };
        for ids in ids.chunks(500) {
            let list = Filter::In(info.primary_id.clone(), ids.iter().copied().map(Value::Guid).collect());
            // A name that may not be read is left out.
            let Ok(found) = call.session.all(Query::of(&table).select(&[name.as_str()]).filter(list)).await
            else {
                continue;
            };
            for row in found {
                if let Some(text) = row.text(name) {
                    names.insert(row.at.clone(), text.to_owned());
                }
            }
        }
    }
    Ok(names)
}

/// Puts the bytes behind handles into the rows: text as text, files in base64.
pub(crate) async fn bodies(call: &Call<'_>, records: &mut [Record]) -> Result<(), Problem> {
    use base64::Engine as _;
    for record in records {
        let table = call.schema.table(&record.at.table).ok().cloned();
        for (name, value) in &mut record.columns {
            let Value::Content(content) = value else { continue };
            if files::is_file(call, &record.at.table, name) {
                *value = Value::Guid(blocks::file_id(record.at.id, name));
                continue;
            }
            let file = table
                .as_ref()
                .and_then(|table| table.column(name))
                .is_some_and(|column| column.kind == Kind::File);
            let bytes = match content {
                Content::Bytes(bytes) => bytes.clone(),
                content => postroom_core::Crm::read(call.session.crm(), content).await?,
            };
            *value = Value::Text(match file {
                true => base64::engine::general_purpose::STANDARD.encode(&bytes),
                false => String::from_utf8_lossy(&bytes).into_owned(),
            });
        }
    }
    Ok(())
}

/// `contacts(fullname,parentcustomerid_account(name))`.
fn fragment(set: &str, plan: &Plan) -> String {
    format!("{set}{}", list(plan.select.as_deref(), &plan.expand))
}

fn list(select: Option<&[String]>, expand: &[resolve::Expansion]) -> String {
    let mut parts: Vec<String> = select.unwrap_or_default().to_vec();
    for expansion in expand {
        let inner = list(expansion.select.as_deref(), &expansion.expand);
        let inner = if inner.is_empty() { "()".to_owned() } else { inner };
        parts.push(format!("{}{inner}", expansion.navigation));
    }
    if parts.is_empty() { String::new() } else { format!("({})", parts.join(",")) }
}

/// One row.
async fn one(call: &Call<'_>, place: &Place<'_>) -> Result<Reply, Problem> {
    page::plain(call)?;
    let row = place.row.as_ref().expect("asked only with a key");
    row_where(call, place.table, row.filter(place.table)).await?.ok_or_else(|| place.missing())
}

/// The only row that a condition chooses, as the request wants it; `None` when there is none.
pub(crate) async fn row_where(
    call: &Call<'_>,
    table: &TableInfo,
    filter: Filter,
) -> Result<Option<Reply>, Problem> {
    let plan = resolve::plan(&call.metadata, &table.logical_name, &call.options)?;
    let wanted = columns(&call.schema, table, plan.query.columns.as_deref(), expand::needed(&plan.expand));
    let query =
        Query { columns: Some(wanted.asked.clone()), top: Some(1), ..plan.query.clone() }.filter(filter);
    let mut records = call.session.all(query).await?;
    let Some(record) = records.first() else { return Ok(None) };
    let tag = record.int("versionnumber").map(etag);
    let known = record.int("versionnumber").is_some_and(|version| conditions::is_known(call, version));
    if known && plan.expand.is_empty() && call.prefer.annotations.is_none() {
        let tag = tag.unwrap_or_default();
        return Ok(Some(Reply::empty(StatusCode::NOT_MODIFIED).header("etag", &tag)));
    }
    bodies(call, &mut records).await?;
    let branches = Box::pin(expand::all(call, &records, &plan.expand)).await?;
    let hidden: Vec<&str> = wanted.hidden.iter().map(String::as_str).collect();
    let shape = Shape::new(&call.metadata, table, &wanted.asked, &HashMap::new(), &hidden);
    let (ask, names) = (call.annotations(), names(call, &shape, &records, &branches).await?);
    let mut json = Json::default();
    json.object(|json| {
        let context = format!("{}/$entity", fragment(&table.entity_set, &plan));
        json.key("@odata.context").value(&call.context(&context));
        shape.write(json, &records[0], ask, &names);
        branches.iter().for_each(|branch| branch.write(json, call, 0, ask, &names));
    });
    let reply = applied(call, Reply::json(StatusCode::OK, json.into_bytes()));
    Ok(Some(match tag {
        Some(tag) => reply.header("etag", &tag),
        None => reply,
    }))
}

/// Something of a row: a property, or what a navigation property leads to.
pub(crate) async fn within(
    call: &Call<'_>,
    place: &Place<'_>,
    segment: &Segment,
    rest: &[Segment],
) -> Result<Reply, Problem> {
    let (name, key) = (shown(segment), segment.key()?);
    let name = name.as_str();
    let id = place.id(call).await?.ok_or_else(|| place.missing())?;
    let at = RecordRef::new(&place.table.logical_name, id);
    if let Some(relation) = resolve::navigation(&call.metadata, &at.table, name) {
        return Box::pin(around::answer(call, &at, (name, key), relation, rest)).await;
    }
    if key.is_some() {
        return Err(Problem::no_resource(name));
    }
    let known = place.table.columns.iter().find(|column| row::property(column) == name);
    let column = known.or_else(|| place.table.column(name));
    let column = column.ok_or_else(|| Problem::no_resource(name))?;
    property(call, &at, place.table, column, rest).await
}

async fn property(
    call: &Call<'_>,
    at: &RecordRef,
    table: &TableInfo,
    column: &ColumnInfo,
    rest: &[Segment],
) -> Result<Reply, Problem> {
    page::plain(call)?;
    let query = Query::of(&at.table)
        .select(&[column.logical_name.as_str()])
        .filter(Filter::eq(table.primary_id.as_str(), at.id));
    let mut records = call.session.all(query).await?;
    bodies(call, &mut records).await?;
    let record = records.first().ok_or_else(|| Problem::no_row(&at.table, at.id))?;
    let value = &record.columns[0].1;
    match (rest, value) {
        (_, Value::Null) => Ok(Reply::empty(StatusCode::NO_CONTENT)),
        ([], value) => {
            let mut json = Json::default();
            json.object(|json| {
                let property = row::property(column);
                let context = format!("{}({})/{property}", table.entity_set, at.id);
                json.key("@odata.context").value(&call.context(&context));
                json.key("value");
                row::put(json, column, value);
            });
            Ok(Reply::json(StatusCode::OK, json.into_bytes()))
        }
        ([Segment::Value], value) => {
            let mut json = Json::default();
            row::put(&mut json, column, value);
            let text = match value {
                Value::Text(text) => text.clone(),
                _ => String::from_utf8(json.into_bytes()).unwrap_or_default().trim_matches('"').to_owned(),
            };
            let reply = Reply { body: text.into(), ..Reply::empty(StatusCode::OK) };
            Ok(reply.header("content-type", "text/plain; charset=utf-8"))
        }
        ([other, ..], _) => Err(Problem::no_resource(&shown(other))),
    }
}

/// How many rows, as text: at most 5000, as the platform counts.
pub(crate) async fn count(
    call: &Call<'_>,
    table: &TableInfo,
    around: Option<&Around<'_>>,
) -> Result<Reply, Problem> {
    page::plain(call)?;
    let plan = resolve::plan(&call.metadata, &table.logical_name, &call.options)?;
    let query = Query { columns: Some(Vec::new()), ..plan.query };
    let query = around::narrowed(around, table, query);
    let window = crate::session::Window { size: Some(1), ..Default::default() };
    let page = call.session.page(query, window, true).await?;
    Ok(number(page.total.unwrap_or_default().min(COUNTED)))
}

pub(crate) fn number(count: u64) -> Reply {
    let reply = Reply { body: count.to_string().into(), ..Reply::empty(StatusCode::OK) };
    reply.header("content-type", "text/plain")
}
