//! `RetrieveEntityChanges`: rows that changed since a version, and rows that went (dataverse.md A14).

use std::collections::HashMap;

use jiff::Timestamp;
use postroom_core::Value;
use postroom_formats::fetchxml::Cookie;
use postroom_formats::soap::names::{GENERIC, XRM_71};
use postroom_formats::soap::query::ColumnSet;
use postroom_formats::soap::request::Request;
use postroom_formats::soap::value::{Any, EntityReference};
use postroom_formats::xml::Element;

use super::call::Call;
use super::definitions::{needed, text};
use super::output::{self, Shape};
use super::stop::Stop;
use super::{parties, read};
use crate::changes::KEPT;
use crate::failure::Failure;
use crate::session::{Since, Start, Window};
use crate::webapi::{codes, columns, cookie};

const FORMAT: &str = "%m/%d/%Y %H:%M:%S";

pub(super) async fn answer(call: &Call<'_>, request: &Request) -> Result<Vec<(String, Any)>, Stop> {
    let table = call.table(needed(request, "EntityName")?)?;
    if !table.change_tracking {
        let text = format!("Entity: {} isn't enabled for change tracking", table.logical_name);
        return Err(Stop::coded(codes::NOT_TRACKED, text));
    }
    let wanted = match request.get("Columns") {
        Some(Any::ColumnSet(columns)) => columns.clone(),
        _ => ColumnSet::default(),
    };
    let mut names = wanted.into_columns();
    parties::wanted(table, names.as_mut());
    let wanted = columns(&call.schema, table, names.as_deref(), Vec::new());
    let info = match request.get("PageInfo") {
        Some(Any::Raw(info)) => Some(info),
        _ => None,
    };
    let (number, window, until) = page(call, info)?;
    let since = text(request, "DataVersion").map(|token| version(call, token)).transpose()?;
    let mut changed = call
        .session
        .changes(
            table.logical_name.clone(),
            Some(wanted.asked.clone()),
            Since { version: since, until },
            window,
        )
        .await?;
    output::bodies(call, &mut changed.page.records).await?;
    let shape = Shape::new(call, table, &wanted.asked, &HashMap::new(), &wanted.hidden);
    let names = read::names(call, &shape, &changed.page.records).await?;
    let rows = changed.page.records.iter().map(|record| {
        let entity = output::entity(call, &shape, record, &names, Vec::new());
        let any = Any::Entity(Box::new(entity)).write(XRM_71, "NewOrUpdatedEntity", call.wire());
        item("NewOrUpdatedItem", any, "NewOrUpdated")
    });
    let gone = changed.gone.iter().map(|id| {
        let any = Any::EntityReference(EntityReference::new(table.logical_name.as_str(), *id));
        item("RemovedOrDeletedItem", any.write(XRM_71, "RemovedItem", call.wire()), "RemoveOrDeleted")
    });
    let token = token(changed.until, call.session.now());
    let mut place = cookie(number, &changed.page).write();
    if let Some(end) = place.strip_prefix("<cookie ") {
        // The run goes up to the version that its first page saw.
        place = format!("<cookie until=\"{}\" {end}", changed.until);
    }
    let leaf = |name: &'static str, text: String| Element::leaf(XRM_71, name, text);
    let result = Element::new(GENERIC, "value")
        .kind(XRM_71, "BusinessEntityChanges")
        .with(Element::new(XRM_71, "Changes").with_all(rows).with_all(gone))
        .with(leaf("DataToken", token))
        .with(leaf("GlobalMetadataVersion", call.metadata.version.to_string()))
        .with(leaf("MoreRecords", changed.page.more.to_string()))
        .with(leaf("PagingCookie", place));
    Ok(vec![("EntityChanges".to_owned(), Any::Raw(result))])
}

fn item(class: &'static str, what: Element, kind: &str) -> Element {
    let mut what = what;
    what.kind = None;
    Element::new(XRM_71, "anyType").kind(XRM_71, class).with(what).with(Element::leaf(XRM_71, "Type", kind))
}

/// The page's number, where it begins, and the version that the run goes up to.
fn page(call: &Call<'_>, info: Option<&Element>) -> Result<(u32, Window, Option<i64>), Stop> {
    let most = call.door.settings.page;
    let number = |name: &str| info.and_then(|info| info.text_of(name)?.trim().parse::<u32>().ok());
    let size = number("Count").filter(|count| *count > 0).unwrap_or(most).min(most);
    let mut window = Window { size: Some(u64::from(size)), start: Start::First };
    let text = info.and_then(|info| info.text_of("PagingCookie")).filter(|text| !text.is_empty());
    let page = number("PageNumber").unwrap_or(1).max(1);
    let Some(text) = text.filter(|_| page > 1) else {
        let before = u64::from(page - 1) * u64::from(size);
        window.start = if before == 0 { Start::First } else { Start::Offset(before) };
        return Ok((page, window, None));
    };
    let cookie = Cookie::parse(text)?;
    let until = text.split_once("until=\"").and_then(|(_, rest)| rest.split('"').next()?.parse().ok());
    let last = cookie.keys.into_iter().map(|key| key.last.map_or(Value::Null, Value::Text));
    window.start = Start::After(last.collect());
    Ok((page, window, until))
}

/// `919042!08/22/2017 08:10:44`
fn token(version: i64, now: Timestamp) -> String {
    format!("{version}!{}", now.strftime(FORMAT))
}

/// The version of a token that is not too old.
fn version(call: &Call<'_>, token: &str) -> Result<i64, Stop> {
    let bad = || Stop::bad("Malformed DataVersion: send the DataToken of the run before as it is");
    let (version, time) = token.split_once('!').ok_or_else(bad)?;
    let time = jiff::civil::DateTime::strptime(FORMAT, time).map_err(|_| bad())?;
    let time = time.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| bad())?.timestamp();
    if time + KEPT < call.session.now() {
        return Err(Failure::expired().into());
    }
    version.parse().map_err(|_| bad())
}
