//! FetchXML and stored views (dataverse.md A7, A10).

use std::collections::HashMap;

use postroom_core::metadata::TableInfo;
use postroom_core::query::Link;
use postroom_core::{Query, Value};
use postroom_formats::fetchxml::{self, Cookie, Fetch, Key};
use uuid::Uuid;

use super::around::{self, Around};
use super::call::Call;
use super::page::{self, Turn, marks};
use super::problem::Problem;
use super::read::{self, Answer};
use super::row::Shape;
use super::{Reply, beside, expand, groups};
use crate::session::{Page, Start, Window};

/// The rows that a FetchXML text asks for; `around` narrows it to those at the end of a navigation property.
pub(crate) async fn answer(
    call: &Call<'_>,
    table: &TableInfo,
    xml: &str,
    around: Option<&Around<'_>>,
) -> Result<Reply, Problem> {
    let options = &call.options;
    if options.fetch_xml.is_some() && (options.saved_query.is_some() || options.user_query.is_some()) {
        return Err(Problem::bad("Ask by fetchXml or by a view (savedQuery, userQuery), not by both"));
    }
    let fetch = fetchxml::parse(xml)?;
    if fetch.query.table != table.logical_name {
        return Err(Problem::bad(format!(
            "The FetchXML asks for '{}', but the URL for '{}'",
            fetch.query.table, table.entity_set
        )));
    }
    run(call, table, fetch, around).await
}

async fn run(
    call: &Call<'_>,
    table: &TableInfo,
    mut fetch: Fetch,
    around: Option<&Around<'_>>,
) -> Result<Reply, Problem> {
    let plan = beside::obey(call, table, &mut fetch)?;
    fetch.query = around::narrowed(around, table, fetch.query);
    let turn = turn(call, &fetch)?;
    let window = window(call, &fetch, turn.as_ref());
    let link = |page: &Page| {
        // A query that asks for so many rows and no more has no second page.
        let token = turn.as_ref().filter(|_| fetch.query.top.is_none())?.next(page)?;
        Some(page::next(call, &around::url(around, table), &token))
    };
    let context = call.context(&table.entity_set);
    if fetch.query.computes() {
        let page = call.session.page(fetch.query.clone(), window, fetch.total).await?;
        let answer = Answer { context, link: link(&page), extra: paging(call, &fetch, &page) };
        return groups::write(call, table, &fetch.query, page, answer).await;
    }
    let mut query = fetch.query.clone();
    let needed = expand::needed(&plan.expand);
    let wanted = page::columns(&call.schema, table, query.columns.as_deref(), needed);
    if !query.distinct {
        query.columns = Some(wanted.asked.clone());
    }
    let aliases = aliases(call, &mut query.links)?;
    let asked = asked(&query);
    let page = call.session.page(query, window, fetch.total).await?;
    let hidden: Vec<&str> = wanted.hidden.iter().map(String::as_str).collect();
    let shape = Shape::new(&call.metadata, table, &asked, &aliases, &hidden).renamed(&asked, &fetch.renamed);
    let answer = Answer { context, link: link(&page), extra: paging(call, &fetch, &page) };
    read::rows(call, &shape, page, &plan.expand, answer).await
}

/// The page of a view, which goes on by links; FetchXML says itself which page it wants.
fn turn(call: &Call<'_>, fetch: &Fetch) -> Result<Option<Turn>, Problem> {
    if call.options.fetch_xml.is_some() {
        return Ok(None);
    }
    let turn = Turn::read(call, None)?;
    Ok(Some(if fetch.query.distinct || fetch.query.computes() { turn.counted() } else { turn }))
}

fn window(call: &Call<'_>, fetch: &Fetch, turn: Option<&Turn>) -> Window {
    let said = match fetch.query.computes() {
        true => numbered(fetch, size(call), most(call)),
        false => start(fetch, size(call), most(call)),
    };
    match turn {
        Some(turn) if call.options.skip_token.is_some() => Window { size: said.size, ..turn.window.clone() },
        _ => said,
    }
}

/// The columns of a record in the order in which the engine answers them.
pub(crate) fn asked(query: &Query) -> Vec<String> {
    let mut all: Vec<String> = query.columns.clone().unwrap_or_default();
    fn walk(links: &[Link], all: &mut Vec<String>) {
        for link in links.iter().filter(|link| link.join.answers()) {
            let columns = link.columns.as_deref().unwrap_or_default();
            all.extend(columns.iter().map(|column| format!("{}.{column}", link.alias)));
            walk(&link.links, all);
        }
    }
    walk(&query.links, &mut all);
    all
}

/// Names the columns of links that want all of them, and says which table each alias means.
pub(crate) fn aliases<'c>(
    call: &'c Call<'_>,
    links: &mut [Link],
) -> Result<HashMap<String, &'c TableInfo>, Problem> {
    let mut all = HashMap::new();
    for link in links {
        let table = call.table(&link.table)?;
        if link.columns.is_none() {
            let columns = page::columns(&call.schema, table, None, Vec::new());
            link.columns =
                Some(columns.asked.into_iter().filter(|name| !columns.hidden.contains(name)).collect());
        }
        all.insert(link.alias.clone(), table);
        all.extend(aliases(call, &mut link.links)?);
    }
    Ok(all)
}

fn most(call: &Call<'_>) -> u32 {
    call.door.settings.page
}

fn size(call: &Call<'_>) -> u32 {
    call.prefer.max_page_size.unwrap_or(most(call))
}

/// Where a page begins: by the cookie when it fits, else by the page's number. `size` counts when the query names none.
pub(crate) fn start(fetch: &Fetch, size: u32, most: u32) -> Window {
    let window = numbered(fetch, size, most);
    let cookie = fetch.cookie.as_deref().and_then(|text| Cookie::parse(text).ok());
    match cookie {
        Some(cookie) if fetch.page > 1 && cookie.page + 1 == fetch.page && !fetch.query.distinct => {
            let last = cookie.keys.into_iter().map(|key| key.last.map_or(Value::Null, Value::Text));
            Window { start: Start::After(last.collect()), ..window }
        }
        _ => window,
    }
}

/// The same by the page's number alone.
pub(crate) fn numbered(fetch: &Fetch, size: u32, most: u32) -> Window {
    let size = u64::from(fetch.count.unwrap_or(size).clamp(1, most));
    let before = u64::from(fetch.page.saturating_sub(1)) * size;
    let start = if before == 0 { Start::First } else { Start::Offset(before) };
    Window { size: Some(size), start }
}

fn paging(call: &Call<'_>, fetch: &Fetch, page: &Page) -> Vec<(&'static str, String)> {
    let mut extra = Vec::new();
    let text = |text: &str| serde_json::to_string(text).expect("text has a JSON form");
    const COOKIE: &str = "@Microsoft.Dynamics.CRM.fetchxmlpagingcookie";
    const MORE: &str = "@Microsoft.Dynamics.CRM.morerecords";
    // Clients go on as long as there is a cookie.
    if page.more && fetch.query.top.is_none() && call.prefer.includes(COOKIE) {
        extra.push((COOKIE, text(&cookie(fetch.page, page).annotation())));
    }
    if call.prefer.includes(MORE) {
        extra.push((MORE, page.more.to_string()));
    }
    extra
}

/// Where a page ended. GUIDs stand in braces and upper case.
pub(crate) fn cookie(number: u32, page: &Page) -> Cookie {
    let shown = |(mark, value): (Option<String>, &Value)| match value {
        Value::Guid(_) | Value::Lookup(_) => mark.map(|id| format!("{{{}}}", id.to_uppercase())),
        _ => mark,
    };
    let last = marks(&page.last).into_iter().zip(&page.last).map(shown);
    let first = marks(&page.first).into_iter().zip(&page.first).map(shown);
    let keys = page.keys.iter().zip(last.zip(first));
    Cookie {
        page: number,
        keys: keys.map(|(column, (last, first))| Key { column: column.clone(), last, first }).collect(),
    }
}

/// A view of the organisation (`savedQuery`) or of a user (`userQuery`).
pub(crate) async fn stored(
    call: &Call<'_>,
    table: &TableInfo,
    around: Option<&Around<'_>>,
) -> Result<Reply, Problem> {
    let (view, id): (&str, Uuid) = match (call.options.saved_query, call.options.user_query) {
        (Some(_), Some(_)) => return Err(Problem::bad("Name one view: savedQuery or userQuery, not both")),
        (Some(id), None) => ("savedquery", id),
        (None, Some(id)) => ("userquery", id),
        (None, None) => return Err(Problem::bad("Name a view")),
    };
    let query =
        Query::of(view).select(&["fetchxml"]).filter(postroom_core::Filter::eq(format!("{view}id"), id));
    let mut rows = call.session.all(query).await?;
    read::bodies(call, &mut rows).await?;
    let row = rows.first().ok_or_else(|| Problem::no_row(view, id))?;
    let xml = row.text("fetchxml").ok_or_else(|| Problem::bad("The view has no FetchXML"))?;
    answer(call, table, xml, around).await
}
