//! Groups and what is computed over them: `$apply`, and FetchXML and SQL that aggregate (dataverse.md A11). They have no
//! keys, so their pages are counted; their order is total.

use http::StatusCode;
use postroom_core::Query;
use postroom_core::metadata::TableInfo;
use postroom_core::query::Function;
use postroom_formats::odata::resolve::Plan;

use super::around::{self, Around};
use super::call::Call;
use super::fetch;
use super::json::Json;
use super::page::{self, Turn};
use super::read::{self, Answer};
use super::row::Shape;
use super::{Problem, Reply};
use crate::session::Page;

/// `$apply`.
pub(crate) async fn applied(
    call: &Call<'_>,
    table: &TableInfo,
    plan: Plan,
    around: Option<&Around<'_>>,
) -> Result<Reply, Problem> {
    let turn = Turn::read(call, plan.query.top)?.counted();
    let query = Query { top: None, ..around::narrowed(around, table, plan.query) };
    let page = call.session.page(query.clone(), turn.window.clone(), plan.count).await?;
    let next = turn.next(&page).map(|token| page::next(call, &around::url(around, table), &token));
    let answer = Answer { context: call.context(&table.entity_set), link: next, extra: Vec::new() };
    write(call, table, &query, page, answer).await
}

/// Writes groups.
pub(crate) async fn write(
    call: &Call<'_>,
    table: &TableInfo,
    query: &Query,
    page: Page,
    answer: Answer,
) -> Result<Reply, Problem> {
    let mut links = query.links.clone();
    let aliases = fetch::aliases(call, &mut links)?;
    let of = |name: &str| {
        let (table, column) = match name.split_once('.') {
            Some((alias, column)) => (*aliases.get(alias)?, column),
            None => (table, name),
        };
        Some((table, table.column(column)?))
    };
    let groups = query
        .groups
        .iter()
        .map(|group| (group.alias.clone(), of(&group.column).filter(|_| group.part.is_none())));
    let aggregates = query.aggregates.iter().map(|one| {
        let same = matches!(one.function, Function::Min | Function::Max | Function::Sum);
        (one.alias.clone(), of(&one.column).filter(|_| same))
    });
    let columns: Vec<_> = groups.chain(aggregates).collect();
    let shape = Shape::computed(&call.metadata, &columns);
    let (ask, names) = (call.annotations(), read::names(call, &shape, &page.records, &[]).await?);
    let mut json = Json::default();
    json.object(|json| {
        json.key("@odata.context").value(&answer.context);
        read::totals(json, call, page.total);
        for (name, value) in &answer.extra {
            json.key(name).number(value);
        }
        json.key("value").array(|json| {
            for record in &page.records {
                json.object(|json| shape.write(json, record, ask, &names));
            }
        });
        if let Some((name, link)) = &answer.link {
            json.key(name).value(link);
        }
    });
    Ok(read::applied(call, Reply::json(StatusCode::OK, json.into_bytes())))
}
