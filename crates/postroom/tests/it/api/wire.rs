//! Just enough HTTP/1.1 for a test: one request, one connection, the whole answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::house::PATIENCE;

/// An answer.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A request to be sent.
pub struct Request<'r> {
    method: &'r str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

pub fn get(path: impl Into<String>) -> Request<'static> {
    Request { method: "GET", path: path.into(), headers: Vec::new(), body: Vec::new() }
}

pub fn post(path: impl Into<String>, content_type: &str, body: impl Into<Vec<u8>>) -> Request<'static> {
    let request = Request { method: "POST", path: path.into(), headers: Vec::new(), body: body.into() };
    request.header("Content-Type", content_type)
}

/// A request with any method.
pub fn request(method: &str, path: impl Into<String>, body: impl Into<Vec<u8>>) -> Request<'_> {
    Request { method, path: path.into(), headers: Vec::new(), body: body.into() }
}

impl Request<'_> {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// Sends it, and reads until the server hangs up.
    #[track_caller]
    pub fn to(self, server: SocketAddr) -> Answer {
        let mut stream = TcpStream::connect(server).expect("the server takes us");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a time-out");
        let mut head =
            format!("{} {} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n", self.method, self.path);
        self.headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        head.push_str(&format!("Content-Length: {}\r\n\r\n", self.body.len()));
        // A server that refuses a large body may answer before it has read it all.
        drop(stream.write_all(&[head.as_bytes(), &self.body].concat()));
        let mut raw = Vec::new();
        drop(stream.read_to_end(&mut raw));
        Answer::read(&raw)
    }
}

impl Answer {
    #[track_caller]
    fn read(raw: &[u8]) -> Answer {
        let end = raw.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer has a head");
        let head = String::from_utf8_lossy(&raw[..end]);
        let mut lines = head.lines();
        let status =
            lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status line");
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        let body = &raw[end + 4..];
        Answer { status, headers, body: if chunked { joined(body) } else { body.to_vec() } }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Checks the status, showing everything when it is another.
    #[track_caller]
    pub fn answers(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// A refusal as RFC 9457 has it, with this status.
    #[track_caller]
    pub fn refuses(self, status: u16) -> Value {
        let answer = self.answers(status);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{}", answer.text());
        answer.json()
    }
}

/// A body in chunks (RFC 9112 section 7.1).
fn joined(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(String::from_utf8_lossy(&rest[..end]).trim(), 16).unwrap_or(0);
        if size == 0 {
            break;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
    body
}
