//! File and image columns: upload whole or in chunks, download whole or in ranges, deletion (dataverse.md A19).
//!
//! Chunks wait in this process's memory ([`crate::messages::blocks`]); with the last one the file is written. `/$value`
//! answers bytes, without it the same range comes as base64 in JSON, which is how [DWA] reads files. A row shows of a file
//! only its id. Attachments' `body` is no file column: it is read as any property.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::StatusCode;
use postroom_core::metadata::{ColumnInfo, ColumnKind};
use postroom_core::{Change, Crm, Filter, Query, RecordRef, Value};
use postroom_formats::odata::options;
use postroom_formats::odata::path::Segment;
use uuid::Uuid;

use super::call::Call;
use super::dispatch::Place;
use super::json::Json;
use super::write::{Prepared, Then};
use super::{Problem, Reply};
use crate::messages::blocks::{self, Goal, Upload};

/// What a chunk should hold: the platform's four megabytes.
const CHUNK: usize = 4 * 1024 * 1024;

/// The file column that a path names.
pub(crate) fn column<'p>(place: &Place<'p>) -> Option<&'p ColumnInfo> {
    let name = match (&place.row, place.tail) {
        (Some(_), [Segment::Name { name, .. }] | [Segment::Name { name, .. }, Segment::Value]) => name,
        _ => return None,
    };
    place.table.column(name).filter(|column| is_file_kind(&column.kind))
}

fn is_file_kind(kind: &ColumnKind) -> bool {
    matches!(kind, ColumnKind::File { .. } | ColumnKind::Image { .. })
}

/// Rows show the ids of files; pictures are shown themselves.
pub(crate) fn is_file(call: &Call<'_>, table: &str, name: &str) -> bool {
    let column = call.metadata.table(table).and_then(|table| table.column(name));
    column.is_some_and(|column| matches!(column.kind, ColumnKind::File { .. }))
}

async fn at(call: &Call<'_>, place: &Place<'_>) -> Result<RecordRef, Problem> {
    let id = place.id(call).await?.ok_or_else(|| place.missing())?;
    Ok(RecordRef::new(&place.table.logical_name, id))
}

/// A download.
pub(crate) async fn answer(
    call: &Call<'_>,
    place: &Place<'_>,
    column: &ColumnInfo,
) -> Result<Reply, Problem> {
    let at = at(call, place).await?;
    let name = column.logical_name.as_str();
    let beside = blocks::name_column(name);
    let stored = call.schema.table(&at.table)?;
    let mut columns = vec![name];
    columns.extend(stored.column(&beside).map(|_| beside.as_str()));
    let key = Filter::eq(place.table.primary_id.as_str(), at.id);
    let row = call.session.all(Query::of(&at.table).select(&columns).filter(key)).await?.pop();
    let row = row.ok_or_else(|| Problem::no_row(&at.table, at.id))?;
    let Some(Value::Content(content)) = row.get(name) else {
        return Ok(Reply::empty(StatusCode::NO_CONTENT));
    };
    let bytes = Crm::read(call.session.crm(), content).await?;
    let file = row.text(&beside).unwrap_or(name);
    let Some(range) = range(call.header("range"), bytes.len()) else {
        let whole = format!("bytes */{}", bytes.len());
        return Ok(Reply::empty(StatusCode::RANGE_NOT_SATISFIABLE).header("content-range", &whole));
    };
    let raw = matches!(place.tail, [_, Segment::Value]);
    let part = bytes.slice(range.0..range.1);
    let mut reply = match raw {
        true => {
            let reply = Reply { body: part, ..Reply::empty(StatusCode::OK) };
            reply.header("content-type", "application/octet-stream")
        }
        false => in_json(call, place, at.id, name, &part),
    };
    if call.header("range").is_some() && !bytes.is_empty() {
        reply.status = StatusCode::PARTIAL_CONTENT;
        let said = format!("bytes {}-{}/{}", range.0, range.1 - 1, bytes.len());
        reply = reply.header("content-range", &said);
    }
    let shown = ascii(file);
    Ok(reply
        .header("accept-ranges", "bytes")
        .header("content-disposition", &format!("attachment; filename={}", token(&shown)))
        .header("x-ms-file-name", &shown)
        .header("x-ms-file-size", &bytes.len().to_string()))
}

fn in_json(call: &Call<'_>, place: &Place<'_>, id: Uuid, name: &str, part: &Bytes) -> Reply {
    let mut json = Json::default();
    json.object(|json| {
        let context = format!("{}({id})/{name}", place.table.entity_set);
        json.key("@odata.context").value(&call.context(&context));
        json.key("value").plain(BASE64.encode(part));
    });
    Reply::json(StatusCode::OK, json.into_bytes())
}

/// The first byte and the one behind the last; the whole when nothing, or nothing readable, is asked for. `None` when it
/// begins behind the end.
fn range(header: Option<&str>, size: usize) -> Option<(usize, usize)> {
    let whole = Some((0, size));
    let Some((first, last)) = header.and_then(|text| text.trim().strip_prefix("bytes=")?.split_once('-'))
    else {
        return whole;
    };
    match (first.parse::<usize>(), last.parse::<usize>()) {
        _ if size == 0 => whole,
        (Ok(first), _) if first >= size => None,
        (Ok(first), Ok(last)) if last >= first => Some((first, last.saturating_add(1).min(size))),
        (Ok(first), Err(_)) if last.is_empty() => Some((first, size)),
        (Err(_), Ok(last)) if first.is_empty() => Some((size - last.min(size), size)),
        _ => whole,
    }
}

/// Headers hold ASCII: other letters are percent-encoded, and so are controls.
fn ascii(name: &str) -> String {
    let one = |byte: &u8| match byte {
        b' '..=b'~' => char::from(*byte).to_string(),
        other => format!("%{other:02X}"),
    };
    name.as_bytes().iter().map(one).collect()
}

/// Bare when it is a token: clients cut it out behind the equals sign.
fn token(name: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter);
    match name.chars().all(plain) {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

/// An upload, a chunk of one, or a deletion.
pub(crate) async fn prepare(
    call: &Call<'_>,
    place: &Place<'_>,
    column: &ColumnInfo,
) -> Result<Prepared, Problem> {
    let at = at(call, place).await?;
    let name = column.logical_name.as_str();
    if call.method == http::Method::DELETE {
        let change = blocks::empty_change(&call.session, &at, name).await?;
        return Ok(done(vec![change]));
    }
    if let Some(token) = other(call, "sessiontoken") {
        let token = options::guid(token).ok_or_else(|| Problem::bad("The session token is not one."))?;
        return chunk(call, token).await;
    }
    let chunked = call.header("x-ms-transfer-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("chunked"));
    match chunked {
        true => begin(call, place, at, name).await,
        false => {
            let file = file_name(call).unwrap_or("file");
            let change = blocks::file_change(&call.session, &at, name, file, call.body.clone()).await?;
            Ok(done(vec![change]))
        }
    }
}

fn done(changes: Vec<Change>) -> Prepared {
    Prepared { changes, share: None, made: None, then: Then::Nothing }
}

fn answered(reply: Reply) -> Prepared {
    Prepared { changes: Vec::new(), share: None, made: None, then: Then::Reply(reply) }
}

fn other<'c>(call: &'c Call<'_>, name: &str) -> Option<&'c str> {
    let found = call.options.others.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

fn file_name<'c>(call: &'c Call<'_>) -> Option<&'c str> {
    other(call, "x-ms-file-name").or_else(|| call.header("x-ms-file-name")).filter(|name| !name.is_empty())
}

/// The first request of an upload in chunks: it has no bytes.
async fn begin(call: &Call<'_>, place: &Place<'_>, at: RecordRef, name: &str) -> Result<Prepared, Problem> {
    let key = Filter::eq(place.table.primary_id.as_str(), at.id);
    if call.session.all(Query::of(&at.table).select(&[]).filter(key)).await?.is_empty() {
        return Err(Problem::no_row(&at.table, at.id));
    }
    let token = call.door.ids.next();
    let url = format!("{}/{name}?sessiontoken={token}", call.url_of(&at));
    let goal = Goal::Column { at, column: name.to_owned() };
    let file = file_name(call).unwrap_or("file");
    call.session.crm().uploads.begin(&call.session, goal, file, token)?;
    let reply = Reply::empty(StatusCode::OK)
        .header("location", &url)
        .header("x-ms-chunk-size", &CHUNK.to_string())
        .header("accept-ranges", "bytes");
    Ok(answered(reply))
}

/// `bytes 0-3/10`: the first byte, the one behind the last, all.
fn content_range(text: &str) -> Option<(usize, usize, usize)> {
    let (range, all) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (usize, i64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    // A file whose size is a multiple of the chunk's ends with `4-3/4`.
    let behind = usize::try_from(last.checked_add(1)?).ok()?;
    Some((first, behind, all.trim().parse().ok()?))
        .filter(|(first, behind, all)| first <= behind && behind <= all)
}

async fn chunk(call: &Call<'_>, token: Uuid) -> Result<Prepared, Problem> {
    let said = call.header("content-range").and_then(content_range);
    let (first, behind, all) = said.ok_or_else(|| {
        Problem::bad("A chunk needs a header such as Content-Range: bytes 0-4194303/9000000")
    })?;
    if behind - first != call.body.len() {
        return Err(Problem::bad(format!(
            "The Content-Range names {} bytes, but the chunk has {}.",
            behind - first,
            call.body.len()
        )));
    }
    let uploads = &call.session.crm().uploads;
    let (finished, have) = uploads.look(&call.session, token, |upload| (upload.is_done(), upload.size()))?;
    if finished {
        return Ok(done(Vec::new()));
    }
    if first > have {
        return Err(Problem::bad(format!(
            "The chunk begins at {first}, but only {have} bytes came before it."
        )));
    }
    // A chunk that is sent again takes the place of the first.
    uploads.put(&call.session, token, &first.to_string(), call.body.clone())?;
    let look = |upload: &Upload| (upload.size(), upload.goal.clone(), upload.name.clone());
    let (have, goal, name) = uploads.look(&call.session, token, look)?;
    if have < all {
        let next = format!("bytes=0-{}", have.saturating_sub(1));
        return Ok(answered(Reply::empty(StatusCode::PARTIAL_CONTENT).header("range", &next)));
    }
    let bytes = uploads.look(&call.session, token, Upload::whole)?;
    let Goal::Column { at, column } = goal else { return Err(Problem::bad("The session token is not one.")) };
    let change = blocks::file_change(&call.session, &at, &column, &name, bytes).await?;
    uploads.done(&call.session, token)?;
    Ok(done(vec![change]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (text, expected) in [
            (None, Some((0, 10))),
            (Some("bytes=0-3"), Some((0, 4))),
            (Some("bytes=4-"), Some((4, 10))),
            (Some("bytes=-3"), Some((7, 10))),
            (Some("bytes=0-4194303"), Some((0, 10))),
            (Some("bytes=10-"), None),
            (Some("bytes=5-2"), Some((0, 10))),
            (Some("lines=1-2"), Some((0, 10))),
        ] {
            assert_eq!(range(text, 10), expected, "{text:?}");
        }
        assert_eq!(range(Some("bytes=0-3"), 0), Some((0, 0)));
    }

    #[test]
    fn ranges_of_chunks() {
        for (text, expected) in [
            ("bytes 0-3/10", Some((0, 4, 10))),
            ("bytes 4-3/4", Some((4, 4, 4))),
            ("bytes 0--1/0", Some((0, 0, 0))),
            ("bytes 8-11/10", None),
            ("bytes 3-1/10", None),
            ("0-3/10", None),
        ] {
            assert_eq!(content_range(text), expected, "{text}");
        }
    }

    #[test]
    fn names_fit_into_headers() {
        assert_eq!(ascii("Gr\u{fc}n.txt"), "Gr%C3%BCn.txt");
        assert_eq!(token("a.txt"), "a.txt");
        assert_eq!(token("a \"b\".txt"), "\"a \\\"b\\\".txt\"");
    }
}
