//! Change tracking (dataverse.md A14).
//!
//! A delta token is `version!time`: the version that the last run went up to, and when. Deleted rows are remembered for
//! seven days; an older token is refused, and so is one with a version that was not given out yet (the database was put back
//! to an earlier day): the client reads everything again.

use std::collections::HashMap;

use http::StatusCode;
use jiff::Timestamp;
use postroom_core::metadata::TableInfo;
use postroom_formats::odata::path::Segment;

use super::call::Call;
use super::dispatch::Place;
use super::json::Json;
use super::page::{self, Token, marks};
use super::problem::codes;
use super::row::Shape;
use super::{Problem, Reply, read};
use crate::changes::KEPT;
use crate::failure::Failure;
use crate::session::Since;

const FORMAT: &str = "%m/%d/%Y %H:%M:%S";

/// Answers a GET that asks for changes: by a token, by the preference, or by a link to the next page of such an answer, which
/// clients follow with the preference and without. `None` when it does not.
pub(crate) async fn answer(call: &Call<'_>, place: &Place<'_>) -> Option<Result<Reply, Problem>> {
    let token = call.options.delta_token.is_some();
    match (&place.row, place.tail) {
        (None, []) if token || call.prefer.track_changes || goes_on(call) => {
            Some(rows(call, place.table).await)
        }
        (None, [Segment::Count]) if token => Some(count(call, place.table).await),
        _ if token => Some(Err(unreadable("Changes are told of a whole entity set: contacts?$deltatoken=…"))),
        _ => None,
    }
}

fn goes_on(call: &Call<'_>) -> bool {
    let token = call.options.skip_token.as_deref().and_then(|text| Token::read(text).ok());
    token.is_some_and(|token| token.u.is_some())
}

/// Rows that changed since the token, or all rows with a token for the next time.
async fn rows(call: &Call<'_>, table: &TableInfo) -> Result<Reply, Problem> {
    check(call, table)?;
    let since = call.options.delta_token.as_deref().map(|text| version(call, text)).transpose()?;
    let token = call.options.skip_token.as_deref().map(Token::read).transpose()?;
    let select = call.options.wanted.select.as_deref();
    let plan = postroom_formats::odata::resolve::plan(&call.metadata, &table.logical_name, &call.options)?;
    let wanted = page::columns(&call.schema, table, plan.query.columns.as_deref(), Vec::new());
    let window = page::window(call, token.as_ref());
    let until = token.as_ref().and_then(|token| token.u);
    let asked = Some(wanted.asked.clone());
    let changed = call
        .session
        .changes(table.logical_name.clone(), asked, Since { version: since, until }, window)
        .await?;
    let mut page = changed.page;
    read::bodies(call, &mut page.records).await?;
    let hidden: Vec<&str> = wanted.hidden.iter().map(String::as_str).collect();
    let shape = Shape::new(&call.metadata, table, &wanted.asked, &HashMap::new(), &hidden);
    let ask = call.annotations();
    let names = match ask.names() {
        true => read::names_of(call, shape.named(page.records.iter())).await?,
        false => HashMap::new(),
    };
    let columns = select.map(|select| format!("({})", select.join(","))).unwrap_or_default();
    let set = &table.entity_set;
    let mut json = Json::default();
    json.object(|json| {
        let delta = if since.is_some() { "/$delta" } else { "" };
        json.key("@odata.context").value(&call.context(&format!("{set}{columns}{delta}")));
        json.key("value").array(|json| {
            for record in &page.records {
                json.object(|json| shape.write(json, record, ask, &names));
            }
            for id in &changed.gone {
                json.object(|json| {
                    json.key("@odata.context").value(&call.context(&format!("{set}/$deletedEntity")));
                    json.key("id").plain(id);
                    json.key("reason").value("deleted");
                });
            }
        });
        if page.more {
            let next = Token {
                p: token.as_ref().map_or(2, |token| token.p + 1),
                m: marks(&page.last),
                u: Some(changed.until),
                ..Token::default()
            };
            json.key("@odata.nextLink").value(&page::next_link(call, set, &call.query, &next));
        } else {
            json.key("@odata.deltaLink").value(&link(call, table, changed.until));
        }
    });
    Ok(read::applied(call, Reply::json(StatusCode::OK, json.into_bytes())))
}

/// How many rows changed.
async fn count(call: &Call<'_>, table: &TableInfo) -> Result<Reply, Problem> {
    check(call, table)?;
    let since = call.options.delta_token.as_deref().map(|text| version(call, text)).transpose()?;
    let since = Since { version: since, until: None };
    let changed =
        call.session.changes(table.logical_name.clone(), Some(Vec::new()), since, Default::default()).await?;
    Ok(read::number((changed.page.records.len() + changed.gone.len()) as u64))
}

fn check(call: &Call<'_>, table: &TableInfo) -> Result<(), Problem> {
    if !table.change_tracking {
        let text = format!("Entity: {} isn't enabled for change tracking", table.logical_name);
        return Err(Problem::new(StatusCode::BAD_REQUEST, codes::NOT_TRACKED, text));
    }
    let wanted = &call.options.wanted;
    let refused = [
        ("filter", wanted.filter.is_some()),
        ("orderby", !wanted.order.is_empty()),
        ("expand", !wanted.expand.is_empty()),
        ("top", wanted.top.is_some()),
        ("apply", call.options.apply.is_some()),
    ];
    let stored = call.options.saved_query.is_some() || call.options.user_query.is_some();
    if stored || call.options.fetch_xml.is_some() {
        return Err(unreadable("A stored query or FetchXML has no changes: ask for the entity set alone"));
    }
    match refused.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(Problem::bad(format!(
            "The \"${name}\" query parameter isn't supported when Change Tracking is enabled."
        ))),
        None => Ok(()),
    }
}

/// The version of a token that is not too old.
fn version(call: &Call<'_>, text: &str) -> Result<i64, Problem> {
    let bad = || unreadable("Malformed delta token: follow the deltaLink of the run before as it is");
    let (version, time) = text.split_once('!').ok_or_else(bad)?;
    let time = jiff::civil::DateTime::strptime(FORMAT, time).map_err(|_| bad())?;
    let time = time.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| bad())?.timestamp();
    let version: i64 = version.parse().map_err(|_| bad())?;
    if version < 0 {
        return Err(bad());
    }
    match time + KEPT < call.session.now() {
        true => Err(Failure::expired().into()),
        false => Ok(version),
    }
}

/// 400 for a part of the URL that cannot be read.
fn unreadable(text: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, codes::NO_RESOURCE, text)
}

fn link(call: &Call<'_>, table: &TableInfo, until: i64) -> String {
    let token = stamp(until, call.session.now());
    let select = call.options.wanted.select.as_deref();
    let select = select.map(|select| format!("$select={}&", select.join(","))).unwrap_or_default();
    format!("{}/{}?{select}$deltatoken={token}", call.root, table.entity_set)
}

/// The token as it stands in a link.
fn stamp(version: i64, now: Timestamp) -> String {
    let time = now.strftime(FORMAT).to_string();
    format!("{version}%21{}", time.replace('/', "%2f").replace(' ', "%20").replace(':', "%3a"))
}
