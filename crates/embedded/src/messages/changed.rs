//! RetrieveEntityChanges: what changed in a table since a version (dataverse.md A14). The token is the version, as the Web
//! API's delta tokens have it; pages go on where the last one ended.

use super::ask::{Ask, member};
use super::{Parameter, Prepared};
use crate::failure::Failure;
use crate::session::{Since, Start, Window};

/// Rows in a page when the caller names no size.
const PAGE: u64 = 5000;

pub(super) async fn changes(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    ask.need("EntityName")?;
    let table = ask.text("EntityName")?.unwrap_or_default().to_owned();
    let version = token(ask, ask.text("DataVersion")?)?;
    let info = ask.get("PageInfo");
    let of = |name: &str| info.and_then(|info| member(info, name));
    let size = match of("Count") {
        Some(Parameter::Int(count)) if count > 0 => (count as u64).min(PAGE),
        _ => PAGE,
    };
    let (until, start) = match of("PagingCookie") {
        Some(Parameter::Text(cookie)) if !cookie.is_empty() => page(ask, &cookie)?,
        _ => (None, 0),
    };
    let window =
        Window { size: Some(size), start: if start == 0 { Start::First } else { Start::Offset(start) } };
    let since = Since { version, until };
    let changed = ask.session.changes(table, columns(ask), since, window).await?;
    let gone = changed.gone.iter().map(|id| Parameter::Guid(*id)).collect();
    let cookie = match changed.page.more {
        true => Parameter::Text(format!("{}/{}", changed.until, start + size)),
        false => Parameter::Null,
    };
    let answer = vec![
        ("MoreRecords".to_owned(), Parameter::Bool(changed.page.more)),
        ("PagingCookie".to_owned(), cookie),
        ("DataToken".to_owned(), Parameter::Text(changed.until.to_string())),
        ("NewOrUpdatedItems".to_owned(), Parameter::Entities(changed.page.records)),
        ("RemovedOrDeletedItems".to_owned(), Parameter::List(gone)),
    ];
    Ok(Prepared::answer(vec![("EntityChanges", Parameter::Members(answer))]))
}

/// `ColumnSet {AllColumns, Columns}`.
fn columns(ask: &Ask<'_>) -> Option<Vec<String>> {
    let set = ask.get("Columns")?;
    let Some(Parameter::List(names)) = member(set, "Columns") else { return None };
    if member(set, "AllColumns") == Some(Parameter::Bool(true)) {
        return None;
    }
    let name = |value: Parameter| match value {
        Parameter::Text(name) => Some(name),
        _ => None,
    };
    let mut names: Vec<String> = names.into_iter().filter_map(name).collect();
    names.push("versionnumber".to_owned());
    names.dedup();
    Some(names)
}

fn token(ask: &Ask<'_>, text: Option<&str>) -> Result<Option<i64>, Failure> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    // The Web API's tokens have the time behind the version.
    let version = text.split('!').next().and_then(|version| version.parse().ok());
    version.map(Some).ok_or_else(|| ask.unfit("DataVersion", "the DataToken of an earlier answer"))
}

fn page(ask: &Ask<'_>, cookie: &str) -> Result<(Option<i64>, u64), Failure> {
    let parts =
        cookie.split_once('/').and_then(|(until, start)| Some((until.parse().ok()?, start.parse().ok()?)));
    let (until, start) = parts.ok_or_else(|| ask.unfit("PageInfo", "the PagingCookie of the page before"))?;
    Ok((Some(until), start))
}
