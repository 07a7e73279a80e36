//! `?sql=`: one SELECT, as [PY] sends it (dataverse.md A20). [`lex`] cuts the text, [`parse`] reads it, [`plan`] makes a
//! query of it, and the rows are answered as any query's.
//!
//! Taken: columns with aliases, COUNT, SUM, AVG, MIN, MAX, DISTINCT, TOP, INNER and LEFT JOIN on equal columns, WHERE with
//! AND, OR, NOT, comparisons, LIKE, IN, BETWEEN and IS NULL, GROUP BY, ORDER BY, OFFSET with FETCH NEXT. Nothing else is:
//! subqueries, UNION, WITH, HAVING and `*` are refused by name.

mod lex;
mod parse;
mod plan;

use postroom_core::Query;
use postroom_core::metadata::TableInfo;
use postroom_core::query::Link;

use super::call::Call;
use super::dispatch::Place;
use super::page::{self, Token, marks};
use super::read::{self, Answer};
use super::row::Shape;
use super::{Problem, Reply, fetch, groups};
use crate::session::{Page, Start, Window};
use plan::Planned;

/// Answers the rows of a SELECT; its first table is the one of the URL.
pub(crate) async fn answer(call: &Call<'_>, place: &Place<'_>, text: &str) -> Result<Reply, Problem> {
    if place.row.is_some() || !place.tail.is_empty() {
        return Err(Problem::bad("The query option sql stands behind an entity set: contacts?sql=…"));
    }
    let select =
        parse::parse(text).map_err(|error| Problem::bad(format!("The SQL cannot be read: {error}")))?;
    let planned = plan::plan(&call.metadata, &select)?;
    let table = place.table;
    if planned.query.table != table.logical_name {
        return Err(Problem::bad(format!(
            "The SQL asks for '{}', but the URL for '{}'",
            planned.query.table, table.entity_set
        )));
    }
    let token = call.options.skip_token.as_deref().map(Token::read).transpose()?;
    let window = window(call, &planned, token.as_ref());
    if planned.query.computes() {
        let page = call.session.page(planned.query.clone(), window, false).await?;
        let link = next(call, table, &planned, token, &page);
        let answer = Answer { context: call.context(&table.entity_set), link, extra: Vec::new() };
        return groups::write(call, table, &planned.query, page, answer).await;
    }
    rows(call, place, planned, window, token).await
}

/// By the keys of the last row; behind an OFFSET, and where equal rows come once, by their number.
fn window(call: &Call<'_>, planned: &Planned, token: Option<&Token>) -> Window {
    let most = page::window(call, None).size;
    let size = [most, planned.fetch, planned.query.top].into_iter().flatten().min();
    match token {
        Some(token) if by_number(planned) => {
            Window { size, start: Start::Offset(token.o.unwrap_or(planned.offset)) }
        }
        Some(token) => Window { size, start: token.start() },
        None if planned.offset > 0 => Window { size, start: Start::Offset(planned.offset) },
        None => Window { size, start: Start::First },
    }
}

fn by_number(planned: &Planned) -> bool {
    planned.offset > 0 || planned.query.distinct || planned.query.computes()
}

/// The link to the next page, when there is one and the SELECT does not say how many rows it wants.
fn next(
    call: &Call<'_>,
    table: &TableInfo,
    planned: &Planned,
    token: Option<Token>,
    page: &Page,
) -> Option<(&'static str, String)> {
    if !page.more || planned.query.top.is_some() || planned.fetch.is_some() {
        return None;
    }
    let before = token.as_ref().and_then(|token| token.o).unwrap_or(planned.offset);
    let by_number = by_number(planned);
    let token = Token {
        p: token.map_or(2, |token| token.p.saturating_add(1)),
        m: if by_number { Vec::new() } else { marks(&page.last) },
        o: by_number.then(|| before.saturating_add(page.records.len() as u64)),
        ..Token::default()
    };
    Some(page::next(call, &table.entity_set, &token))
}

async fn rows(
    call: &Call<'_>,
    place: &Place<'_>,
    planned: Planned,
    window: Window,
    token: Option<Token>,
) -> Result<Reply, Problem> {
    let table = place.table;
    let mut query: Query = planned.query.clone();
    let wanted = query.columns.clone().unwrap_or_default();
    let hidden: Vec<String> = match query.distinct {
        true => Vec::new(),
        false => {
            let columns = page::columns(&call.schema, table, Some(&wanted), Vec::new());
            query.columns = Some(columns.asked.clone());
            columns.asked.into_iter().filter(|name| !wanted.contains(name)).collect()
        }
    };
    let mut links: Vec<Link> = std::mem::take(&mut query.links);
    let aliases = fetch::aliases(call, &mut links)?;
    query.links = links;
    let asked = fetch::asked(&query);
    let page = call.session.page(query, window, false).await?;
    let link = next(call, table, &planned, token, &page);
    let hidden: Vec<&str> = hidden.iter().map(String::as_str).collect();
    let shape = Shape::new(&call.metadata, table, &asked, &aliases, &hidden).renamed(&asked, &planned.names);
    let answer = Answer { context: call.context(&table.entity_set), link, extra: Vec::new() };
    read::rows(call, &shape, page, &[], answer).await
}
