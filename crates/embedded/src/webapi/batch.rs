//! `$batch`: many requests in one (dataverse.md A12). They are done in their order; those of a change set are prepared one
//! after the other and then written as one set.

use std::collections::HashMap;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use postroom_core::{Change, ChangeSet, RecordRef};
use postroom_formats::odata::Error;
use postroom_formats::odata::batch::{self, BatchAnswer, BatchItem, Request as Part, Response};
use postroom_formats::odata::path::Segment;
use postroom_formats::odata::resolve::Row;

use super::call::Call;
use super::error_body::ErrorForm;
use super::in_solution::Joining;
use super::write::{self, Prepared, Then};
use super::{Problem, Reply, Request, actions, dispatch, level, preferences, read};
use crate::session::Session;

/// Answers a batch: 200, or 400 when it stopped at a request that failed.
pub(crate) async fn answer(outer: &Call<'_>) -> Result<Reply, Problem> {
    let content_type = outer.header("content-type").unwrap_or_default();
    let items = batch::read_requests(content_type, &outer.body)?;
    let go_on = outer.prefer.continue_on_error;
    let mut call = outer.clone();
    let mut status = StatusCode::OK;
    let mut answers = Vec::with_capacity(items.len());
    for item in items {
        let answer = match item {
            BatchItem::One(part) => {
                let (id, writes) = (part.content_id.clone(), part.method != "GET");
                let form = form(&call, [&part]);
                let reply = one(&call, part).await.unwrap_or_else(|problem| form.reply(problem));
                // It may have made a table, which the next requests may speak of.
                if writes {
                    call.refresh().await?;
                }
                BatchAnswer::One(response(&call, reply, id))
            }
            BatchItem::ChangeSet(parts) => {
                let form = form(&call, &parts);
                match change_set(&call, parts).await {
                    Ok(responses) => BatchAnswer::ChangeSet(responses),
                    // One answer for all of them: none was done.
                    Err(problem) => BatchAnswer::One(response(&call, form.reply(problem), None)),
                }
            }
        };
        let failed = matches!(&answer, BatchAnswer::One(response) if response.status >= 400);
        answers.push(answer);
        if failed && !go_on {
            status = StatusCode::BAD_REQUEST;
            break;
        }
    }
    let message = batch::write_responses(outer.door.ids.next(), &answers);
    let reply = Reply { body: message.body.into(), ..Reply::empty(status) };
    Ok(read::applied(outer, reply.header("content-type", &message.content_type)))
}

/// The form of the error of any of these requests; the first that asks for annotations asks for all.
fn form<'p>(call: &Call<'_>, parts: impl IntoIterator<Item = &'p Part>) -> ErrorForm {
    let all = parts.into_iter().map(|part| preferences::read(&headers(&part.headers)));
    let prefer = all.into_iter().find(|prefer| prefer.annotations.is_some()).unwrap_or_default();
    ErrorForm { version: call.version, prefer }
}

async fn one(call: &Call<'_>, part: Part) -> Result<Reply, Problem> {
    let inner = inner(call, part, HashMap::new())?;
    // A request within a request: its future has to stand somewhere of its own.
    Box::pin(dispatch::answer(&inner)).await
}

/// One request of a change set, read.
struct Ready<'a> {
    id: Option<String>,
    call: Call<'a>,
    then: Then,
    joining: Joining,
    /// How many of the set's changes are its own.
    count: usize,
}

/// All requests of a change set, or none.
async fn change_set(call: &Call<'_>, parts: Vec<Part>) -> Result<Vec<Response>, Problem> {
    let mut made: HashMap<String, RecordRef> = HashMap::new();
    let mut ready: Vec<Ready<'_>> = Vec::with_capacity(parts.len());
    let mut changes: Vec<Change> = Vec::new();
    let mut shares = Vec::new();
    for part in parts {
        let id = part.content_id.clone();
        let mut inner = inner(call, part, std::mem::take(&mut made))?;
        let one = prepared(&mut inner, &changes).await?;
        made = std::mem::take(&mut inner.made);
        if let (Some(id), Some(at)) = (&id, &one.made) {
            made.insert(id.clone(), at.clone());
        }
        let joining = Joining::of(&inner, &one.changes).await?;
        ready.push(Ready { id, call: inner, then: one.then, joining, count: one.changes.len() });
        shares.extend(one.share.map(|share| (changes.len(), share)));
        changes.extend(one.changes);
    }
    let mut outcomes = match changes.is_empty() && shares.is_empty() {
        true => Vec::new(),
        false => {
            let written = call.session.write_shared(ChangeSet { changes }, shares).await;
            written.map_err(|failure| {
                ready.iter().fold(failure.into(), |problem, one| write::refused(&one.call, problem))
            })?
        }
    };
    let mut responses = Vec::with_capacity(ready.len());
    for one in ready {
        let rest = outcomes.split_off(one.count);
        one.joining.join(&one.call).await?;
        let reply = level::apply(&one.call, write::finish(&one.call, one.then, &outcomes).await?);
        outcomes = rest;
        responses.push(response(call, reply, one.id));
    }
    Ok(responses)
}

/// A request of a change set, which sees the rows that it names as the requests before it leave them.
async fn prepared(inner: &mut Call<'_>, before: &[Change]) -> Result<Prepared, Problem> {
    if !names_one(inner, before) {
        return Box::pin(write::prepare(inner)).await;
    }
    let later = inner.session.after(before.to_vec());
    let session = std::mem::replace(&mut inner.session, later);
    let one = Box::pin(write::prepare(inner)).await;
    inner.session = session;
    let one = one?;
    Ok(Prepared { changes: Session::settle(before, one.changes), ..one })
}

/// Whether an action speaks of a row that an earlier request of the set makes or changes: by its path, by `$1` or its id in
/// the body.
fn names_one(inner: &Call<'_>, before: &[Change]) -> bool {
    if before.is_empty() || actions::named(inner).is_none() {
        return false;
    }
    let body = String::from_utf8_lossy(&inner.body).to_lowercase();
    let bound = match dispatch::place(inner).ok().and_then(|place| place.row) {
        Some(Row::Id(id)) => Session::names_one(before, &id.to_string()),
        // By an alternate key, which such a row may have.
        Some(Row::Alternate(_)) => true,
        None => false,
    };
    let by_reference = || inner.made.keys().any(|id| body.contains(&format!("\"${}\"", id.to_lowercase())));
    bound || by_reference() || Session::names_one(before, &body)
}

/// A request of the batch as one of its own.
fn inner<'a>(call: &Call<'a>, part: Part, made: HashMap<String, RecordRef>) -> Result<Call<'a>, Problem> {
    let url = match batch::reference(&part.url) {
        Some((id, rest)) => {
            let at = made.get(id).ok_or_else(|| Error::no_reference(id))?;
            let between = if rest.is_empty() || rest.starts_with('?') { "" } else { "/" };
            format!("{}{between}{rest}", call.url_of(at))
        }
        None => part.url,
    };
    let method = part.method.parse().map_err(|_| Problem::bad("A request of the batch has no method."))?;
    let origin = String::new();
    let mut inner =
        call.inner(Request { method, url, origin, headers: headers(&part.headers), body: part.body.into() })?;
    if inner.path.segments == [Segment::Batch] {
        return Err(Problem::bad("A batch cannot contain another batch."));
    }
    inner.made = made;
    Ok(inner)
}

fn headers(fields: &[(String, String)]) -> HeaderMap {
    let field = |(name, value): &(String, String)| {
        Some((name.parse::<HeaderName>().ok()?, value.trim().parse::<HeaderValue>().ok()?))
    };
    fields.iter().filter_map(field).collect()
}

/// Clients look for these as the platform writes them.
const SPELLED: &[(&str, &str)] = &[
    ("content-type", "Content-Type"),
    ("etag", "ETag"),
    ("location", "Location"),
    ("odata-entityid", "OData-EntityId"),
    ("preference-applied", "Preference-Applied"),
    ("retry-after", "Retry-After"),
];

fn response(call: &Call<'_>, reply: Reply, content_id: Option<String>) -> Response {
    let mut fields = vec![("OData-Version".to_owned(), "4.0".to_owned())];
    for (name, value) in &reply.headers {
        let spelled =
            SPELLED.iter().find(|(known, _)| name == known).map_or(name.as_str(), |(_, spelled)| spelled);
        if let Ok(value) = value.to_str() {
            fields.push((spelled.to_owned(), value.to_owned()));
        }
    }
    if reply.status.as_u16() >= 400 {
        fields.push(("REQ_ID".to_owned(), call.door.ids.next().to_string()));
    }
    Response { status: reply.status.as_u16(), headers: fields, body: reply.body.to_vec(), content_id }
}
