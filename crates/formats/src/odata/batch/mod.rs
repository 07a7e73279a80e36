//! `$batch`: many requests in one, and their answers (OData 4.0 part 1 section 11.7, RFC 2046; dataverse.md A12 and H).
//!
//! Reading takes what clients send: line ends of LF, an empty line before the first boundary, boundaries in quotes, URLs
//! of any form. Writing is strict: CRLF, one blank line where two would break a client. What the requests mean, the order
//! and atomicity of change sets and `$1` references are the door's; [`reference()`] finds those.

mod http;
mod parts;

pub use http::{Request, Response, phrase};
use parts::{Multipart, boundary_of, header};
use uuid::Uuid;

use super::Error;

/// Operations in one batch, those in change sets counted.
pub const MAX_OPERATIONS: usize = 1000;

/// A request of a batch, or several that succeed or fail together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchItem {
    One(Request),
    ChangeSet(Vec<Request>),
}

/// What a batch item got. A change set that failed answers with one response alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchAnswer {
    One(Response),
    ChangeSet(Vec<Response>),
}

/// A batch as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub content_type: String,
    pub body: Vec<u8>,
}

/// Reads a batch request. How large it may be is the caller's to say before.
///
/// # Errors
/// What is no multipart/mixed, ends before its closing boundary, nests batches, reads within change sets, repeats
/// Content-IDs within one, or has more than [`MAX_OPERATIONS`].
pub fn read_requests(content_type: &str, body: &[u8]) -> Result<Vec<BatchItem>, Error> {
    let mut count = 0;
    let mut items = Vec::new();
    for part in outer(content_type, body)? {
        let part = part?;
        let item = match inner(&part)? {
            None => {
                counted(&mut count)?;
                BatchItem::One(http::read_request(&part)?)
            }
            Some(parts) => {
                let mut set: Vec<Request> = Vec::new();
                for part in parts {
                    counted(&mut count)?;
                    let request = http::read_request(&part?)?;
                    fits_change_set(&request, &set)?;
                    set.push(request);
                }
                BatchItem::ChangeSet(set)
            }
        };
        items.push(item);
    }
    Ok(items)
}

/// Reads the answer to a batch.
///
/// # Errors
/// As with [`read_requests`].
pub fn read_responses(content_type: &str, body: &[u8]) -> Result<Vec<BatchAnswer>, Error> {
    let mut count = 0;
    let mut answers = Vec::new();
    for part in outer(content_type, body)? {
        let part = part?;
        counted(&mut count)?;
        answers.push(match inner(&part)? {
            None => BatchAnswer::One(http::read_response(&part)?),
            Some(parts) => {
                let read = |part: Result<parts::Part<'_>, Error>| {
                    counted(&mut count)?;
                    http::read_response(&part?)
                };
                BatchAnswer::ChangeSet(parts.map(read).collect::<Result<_, Error>>()?)
            }
        });
    }
    Ok(answers)
}

/// Writes a batch request; `id` makes its boundaries, so it must be random.
pub fn write_requests(id: Uuid, items: &[BatchItem]) -> Message {
    let mut body = Vec::new();
    let boundary = format!("batch_{id}");
    for (at, item) in items.iter().enumerate() {
        parts::open(&mut body, &boundary);
        match item {
            BatchItem::One(request) => http::write_request(&mut body, request),
            BatchItem::ChangeSet(set) => {
                let name = format!("changeset_{id}_{at}");
                change_set(&mut body, &name, set, http::write_request);
            }
        }
    }
    parts::close(&mut body, &boundary);
    Message { content_type: format!("multipart/mixed; boundary=\"{boundary}\""), body }
}

/// Writes the answer to a batch; `id` makes its boundaries, so it must be random.
pub fn write_responses(id: Uuid, answers: &[BatchAnswer]) -> Message {
    let mut body = Vec::new();
    let boundary = format!("batchresponse_{id}");
    for (at, answer) in answers.iter().enumerate() {
        parts::open(&mut body, &boundary);
        match answer {
            BatchAnswer::One(response) => http::write_response(&mut body, response),
            BatchAnswer::ChangeSet(set) => {
                let name = format!("changesetresponse_{id}_{at}");
                change_set(&mut body, &name, set, http::write_response);
            }
        }
    }
    parts::close(&mut body, &boundary);
    Message { content_type: format!("multipart/mixed; boundary={boundary}"), body }
}

/// The Content-ID at the start of a URL and what follows it: `$1/primarycontactid/$ref` is `1` and
/// `primarycontactid/$ref`.
pub fn reference(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix('/').unwrap_or(url).strip_prefix('$')?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (id, rest) = rest.split_at(end);
    let known = ["batch", "metadata", "count", "value", "ref", "entity", "all", "crossjoin"];
    let plain =
        !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    (plain && !known.contains(&id)).then_some((id, rest.strip_prefix('/').unwrap_or(rest)))
}

fn outer<'b>(content_type: &str, body: &'b [u8]) -> Result<Multipart<'b>, Error> {
    let boundary = boundary_of(content_type).ok_or_else(|| {
        Error::bad("The content type of a batch is multipart/mixed with a boundary, for instance multipart/mixed; boundary=batch_1")
    })?;
    Ok(Multipart::new(boundary, body))
}

/// The parts of a change set; `None` when the part is a request or response itself.
fn inner<'b>(part: &parts::Part<'b>) -> Result<Option<Multipart<'b>>, Error> {
    let content_type = header(&part.headers, "Content-Type").unwrap_or_default();
    if !content_type.trim_start().to_ascii_lowercase().starts_with("multipart/") {
        return Ok(None);
    }
    outer(content_type, part.body).map(Some)
}

fn counted(count: &mut usize) -> Result<(), Error> {
    *count += 1;
    match *count > MAX_OPERATIONS {
        false => Ok(()),
        true => Err(Error::bad(format!(
            "The current batch message contains too many parts. A maximum number of '{MAX_OPERATIONS}' operations are \
             allowed in a batch message."
        ))),
    }
}

fn fits_change_set(request: &Request, before: &[Request]) -> Result<(), Error> {
    if matches!(request.method.as_str(), "GET" | "HEAD") {
        return Err(Error::bad(format!(
            "An invalid HTTP method '{}' was detected for a request in a change set. Requests in change sets only support \
             the HTTP methods 'POST', 'PUT', 'DELETE', and 'PATCH'.",
            request.method
        )));
    }
    match &request.content_id {
        Some(id) if before.iter().any(|other| other.content_id.as_ref() == Some(id)) => {
            Err(Error::bad(format!(
                "The content ID '{}' was found more than once in the same change set. Content IDs have to be unique.",
                super::error::clipped(id)
            )))
        }
        _ => Ok(()),
    }
}

fn change_set<T>(body: &mut Vec<u8>, boundary: &str, set: &[T], write: fn(&mut Vec<u8>, &T)) {
    body.extend_from_slice(format!("Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n").as_bytes());
    for one in set {
        parts::open(body, boundary);
        write(body, one);
    }
    parts::close(body, boundary);
}

#[cfg(test)]
mod tests;
