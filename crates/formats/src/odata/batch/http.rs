//! The HTTP messages inside the parts: `application/http` (RFC 9112 section 10.2).

use super::parts::{Headers, Part, header, headers, line};
use crate::odata::Error;

/// One request of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// Upper case.
    pub method: String,
    /// As it was sent: absolute, an absolute path, relative, or `$1/…`.
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// What later requests of the change set name it by.
    pub content_id: Option<String>,
}

/// One answer of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub content_id: Option<String>,
}

impl Request {
    /// The first header field of that name, in whatever case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

impl Response {
    /// The first header field of that name, in whatever case.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

pub(super) fn read_request(part: &Part<'_>) -> Result<Request, Error> {
    let message = read(part)?;
    let wrong = || {
        Error::bad(format!(
            "'{}' is not the first line of a request.",
            crate::odata::error::clipped(&message.first)
        ))
    };
    let (method, rest) = message.first.split_once(' ').ok_or_else(wrong)?;
    // Some clients do not escape the spaces of a filter: the version is what follows the last one.
    let (url, version) = rest.trim().rsplit_once(' ').ok_or_else(wrong)?;
    let method_fits = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_alphabetic());
    let url = url.trim();
    if !method_fits || !version.starts_with("HTTP/") || url.is_empty() || url.chars().any(char::is_control) {
        return Err(wrong());
    }
    if url.len() > crate::odata::MAX_TEXT * 2 {
        return Err(Error::too_long("URL of a batch's request"));
    }
    Ok(Request {
        method: method.to_ascii_uppercase(),
        url: url.to_owned(),
        headers: message.headers,
        body: message.body,
        content_id: message.content_id,
    })
}

pub(super) fn read_response(part: &Part<'_>) -> Result<Response, Error> {
    let message = read(part)?;
    let mut words = message.first.split(' ');
    let version = words.next().filter(|version| version.starts_with("HTTP/"));
    let status =
        words.next().and_then(|status| status.parse().ok()).filter(|status| (100..600).contains(status));
    let (Some(_), Some(status)) = (version, status) else {
        let first = crate::odata::error::clipped(&message.first);
        return Err(Error::bad(format!("'{first}' is not the first line of a response.")));
    };
    Ok(Response { status, headers: message.headers, body: message.body, content_id: message.content_id })
}

struct Http {
    first: String,
    headers: Headers,
    body: Vec<u8>,
    content_id: Option<String>,
}

fn read(part: &Part<'_>) -> Result<Http, Error> {
    let kind = header(&part.headers, "Content-Type").unwrap_or_default().trim().to_ascii_lowercase();
    if !kind.starts_with("application/http") {
        let kind = crate::odata::error::clipped(&kind);
        return Err(Error::bad(format!(
            "A part of the batch is '{kind}': only application/http can be in it."
        )));
    }
    let mut bytes = part.body;
    // An empty line too many before the first line (RFC 9112 section 2.2).
    while let [b'\r' | b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    let (first, rest) = line(bytes);
    let first =
        std::str::from_utf8(first).map_err(|_| Error::bad("A URL of the batch is not UTF-8 text."))?;
    let (fields, body) = headers(rest)?;
    let content_id = header(&part.headers, "Content-ID").or_else(|| header(&fields, "Content-ID"));
    Ok(Http {
        first: first.trim().to_owned(),
        body: cut(&fields, body).to_vec(),
        content_id: content_id.map(str::to_owned),
        headers: fields,
    })
}

/// What Content-Length says, when it says less than there is: clients put empty lines before the boundary.
fn cut<'b>(fields: &Headers, body: &'b [u8]) -> &'b [u8] {
    let length = header(fields, "Content-Length").and_then(|length| length.parse::<usize>().ok());
    match length {
        Some(length) if length < body.len() => &body[..length],
        Some(_) => body,
        None if body.iter().all(|byte| matches!(byte, b'\r' | b'\n')) => &[],
        None => body,
    }
}

pub(super) fn write_request(to: &mut Vec<u8>, request: &Request) {
    envelope(to, request.content_id.as_deref());
    let (method, url) = (one_line(&request.method), one_line(&request.url).replace(' ', "%20"));
    to.extend_from_slice(format!("{method} {url} HTTP/1.1\r\n").as_bytes());
    message(to, &request.headers, &request.body);
}

pub(super) fn write_response(to: &mut Vec<u8>, response: &Response) {
    envelope(to, response.content_id.as_deref());
    to.extend_from_slice(format!("HTTP/1.1 {} {}\r\n", response.status, phrase(response.status)).as_bytes());
    message(to, &response.headers, &response.body);
}

fn envelope(to: &mut Vec<u8>, content_id: Option<&str>) {
    to.extend_from_slice(b"Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n");
    if let Some(id) = content_id {
        to.extend_from_slice(format!("Content-ID: {}\r\n", one_line(id)).as_bytes());
    }
    to.extend_from_slice(b"\r\n");
}

fn message(to: &mut Vec<u8>, headers: &[(String, String)], body: &[u8]) {
    for (name, value) in headers {
        to.extend_from_slice(format!("{}: {}\r\n", one_line(name), one_line(value)).as_bytes());
    }
    to.extend_from_slice(b"\r\n");
    to.extend_from_slice(body);
    to.extend_from_slice(b"\r\n");
}

/// A line end in a header would begin another one.
fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}

/// The words behind a status; clients look for ` 200 `, so there are always some.
pub fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        500..=599 => "Internal Server Error",
        _ => "Unknown",
    }
}
