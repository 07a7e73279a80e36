//! The Web API door, asked as a client asks it: a request in, an answer out, no sockets.

mod abilities;
mod access_levels;
mod around;
pub mod batch;
mod changes;
mod columns;
mod csdl;
mod errors;
mod expand;
mod files;
mod grouping;
mod headers;
pub mod keys;
mod levels;
mod links;
mod mails;
mod messages;
mod metadata;
mod multiple;
mod paging;
mod read;
mod relating;
mod rights;
mod sql;
mod validating;
mod versions;
mod write;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use postroom_embedded::seed;
use postroom_embedded::session::Session;
use postroom_embedded::webapi::{Door, Request, Settings};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::bench::{Bench, On};

/// Where the door says that it is.
pub const ROOT: &str = "https://crm.example:8443/api/data/v9.2";

/// A door on a CRM of the test's own.
pub struct DoorBench {
    pub bench: Bench,
    pub door: Door,
    pub session: Session,
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// Null when the body is empty or no JSON.
    pub json: Json,
    pub text: String,
}

impl DoorBench {
    pub async fn new(on: On) -> Self {
        let bench = Bench::new(on).await;
        let door = Door::new(bench.ids.clone(), Settings::default());
        let session = bench.crm.session(seed::ADMINISTRATOR);
        DoorBench { bench, door, session }
    }

    /// From now on the door is another server.
    pub fn be(&mut self, settings: Settings) {
        self.door = Door::new(self.bench.ids.clone(), settings);
    }

    /// The same door, asked by another user.
    pub async fn another(&self, user: Uuid) -> Self {
        let bench = self.bench.again().await;
        let session = bench.crm.session(user);
        DoorBench { door: self.door.clone(), bench, session }
    }

    /// `url` begins at the version (`contacts?$top=1`), or with `/` at the host, or is whole.
    pub async fn ask(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let url = match url.starts_with('/') || url.starts_with("https:") {
            true => url.to_owned(),
            false => format!("/api/data/v9.2/{url}"),
        };
        let header = |(name, value): &(&str, &str)| {
            (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
        };
        let request = Request {
            method: method.parse().unwrap(),
            url,
            origin: "https://crm.example:8443".into(),
            headers: headers.iter().map(header).collect(),
            body: body.into(),
        };
        let reply = self.door.answer(&self.session, request).await;
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        Answer {
            status: reply.status.as_u16(),
            headers: reply.headers,
            json: serde_json::from_str(&text).unwrap_or_default(),
            text,
        }
    }

    pub async fn get(&self, url: &str) -> Answer {
        self.ask("GET", url, &[], "").await
    }

    pub async fn send(&self, method: &str, url: &str, body: Json) -> Answer {
        self.ask(method, url, &[("content-type", "application/json")], body.to_string()).await
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The id of the row that was made.
    #[track_caller]
    pub fn made(&self) -> Uuid {
        assert_eq!(self.status, 204, "{}", self.text);
        self.id()
    }

    /// The id at the end of `OData-EntityId`.
    #[track_caller]
    pub fn id(&self) -> Uuid {
        let url = self.header("odata-entityid");
        let id = url.strip_suffix(')').and_then(|url| url.rsplit_once('(')).map(|(_, id)| id);
        id.and_then(|id| id.parse().ok()).unwrap_or_else(|| panic!("no id in {url:?}: {}", self.text))
    }

    /// Asserts an error: its status, its code, and what its text says.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str, says: &str) {
        let error = &self.json["error"];
        let text = error["message"].as_str().unwrap_or_default();
        assert_eq!((self.status, error["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert!(text.contains(says), "{says:?} is not in {text:?}");
    }
}
