//! The marketing service's stand-in, asked over HTTP as a connector would.

mod acts;
mod contacts;
mod contract;
mod faults;
mod imports;
mod limits;
mod lists;
mod schemathesis;
mod sends;
mod suppressions;

use std::io::{Read, Write};
use std::net::TcpStream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::{SignedDuration, Timestamp};
use postroom_core::Clock;
use postroom_sandbox::dotdigital::{Dotdigital, Options, Region};
use serde_json::{Value, json};

const USER: &str = "apiuser-demo@apiconnector.com";
const PASSWORD: &str = "a good one";

/// An answer as it came over the wire.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// Names as they were sent.
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// All bytes came that the head promised.
    pub whole: bool,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

/// One request on a connection of its own. None when the connection ends without an answer.
pub fn request(base: &str, method: &str, path: &str, head: &str, body: &str) -> Option<Reply> {
    let host = base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    let length = body.len();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n{head}\r\n{body}"
    );
    stream.write_all(text.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    // A connection that is reset has said what it had to say.
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers: Vec<_> = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let promised = headers.iter().find(|(name, _)| name == "content-length");
    let whole = promised.is_none_or(|(_, length)| length.parse() == Ok(body.len()));
    Some(Reply { status, headers, body: body.to_owned(), whole })
}

pub fn basic(user: &str, password: &str) -> String {
    format!("authorization: Basic {}\r\n", BASE64.encode(format!("{user}:{password}")))
}

/// A service with one account, whose time stands until it is moved.
pub struct Service {
    pub sandbox: Dotdigital,
    pub base: String,
}

pub fn start() -> Service {
    service(Options::one_account(PASSWORD))
}

/// A Monday morning.
pub fn monday() -> Timestamp {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

pub fn service(options: Options) -> Service {
    let sandbox = Dotdigital::start(options, Clock::manual(monday()));
    let base = sandbox.url(Region::R1);
    Service { sandbox, base }
}

impl Service {
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Option<Reply> {
        let head = basic(USER, PASSWORD) + "content-type: application/json\r\n";
        let body = if body.is_null() { String::new() } else { body.to_string() };
        request(&self.base, method, path, &head, &body)
    }

    /// Asks, and expects this status.
    #[track_caller]
    pub fn call(&self, method: &str, path: &str, body: Value, status: u16) -> Value {
        let reply = self.ask(method, path, &body).unwrap_or_else(|| panic!("no answer to {method} {path}"));
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.body);
        serde_json::from_str(&reply.body).unwrap_or(Value::String(reply.body))
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        self.call("GET", path, Value::Null, 200)
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: Value, status: u16) -> Value {
        self.call("POST", path, body, status)
    }

    /// Expects a refusal with this status and code.
    #[track_caller]
    pub fn refuses(&self, method: &str, path: &str, body: Value, status: u16, code: &str) {
        let answer = self.call(method, path, body, status);
        let text = answer["message"].as_str().or(answer["errorCode"].as_str()).unwrap_or_default();
        assert!(text.ends_with(code), "{method} {path}: {answer}");
    }

    #[track_caller]
    pub fn contact(&self, email: &str) -> i64 {
        self.post("/v2/contacts", json!({ "email": email }), 201)["id"].as_i64().unwrap()
    }

    #[track_caller]
    pub fn list(&self, name: &str) -> i64 {
        self.post("/v2/address-books", json!({ "name": name }), 201)["id"].as_i64().unwrap()
    }

    /// A contact on a list.
    #[track_caller]
    pub fn member(&self, list: i64, email: &str) -> i64 {
        let path = format!("/v2/address-books/{list}/contacts");
        self.post(&path, json!({ "email": email }), 200)["id"].as_i64().unwrap()
    }

    #[track_caller]
    pub fn campaign(&self, name: &str) -> i64 {
        let body = json!({
            "name": name, "subject": "Spring", "fromName": "Shop", "htmlContent": "<p>@FIRSTNAME@</p>",
            "plainTextContent": "Hello",
        });
        self.post("/v2/campaigns", body, 201)["id"].as_i64().unwrap()
    }

    #[track_caller]
    pub fn send(&self, campaign: i64, lists: &[i64]) -> String {
        let body = json!({ "campaignId": campaign, "addressBookIds": lists });
        self.post("/v2/campaigns/send", body, 202)["id"].as_str().unwrap().to_owned()
    }

    pub fn pass(&self, hours: i64) {
        self.sandbox.advance(SignedDuration::from_hours(hours));
    }

    /// Addresses that were mailed, in the order of time.
    pub fn mailed(&self) -> Vec<String> {
        self.sandbox.log(1).iter().filter(|mail| mail.mailed).map(|mail| mail.email.to_string()).collect()
    }
}

/// The texts under this key.
pub fn pluck<'a>(rows: &'a Value, key: &str) -> Vec<&'a str> {
    rows.as_array().unwrap().iter().map(|row| row[key].as_str().unwrap_or("")).collect()
}
