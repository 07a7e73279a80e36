//! The Web API door: OData 4 JSON as Dynamics speaks it, at `/api/data/` and an [`ApiVersion`] (dataverse.md part A).
//!
//! # Design
//!
//! * A [`Request`] goes in, a [`Reply`] comes out: no sockets here. Who asks was found out before ([`Session`]).
//! * Which server the door is, and what that one lacks, is a matter of its [`Settings`] ([`abilities`]).
//! * [`call`] reads a request: path, options, preferences, definitions. [`dispatch`] says whose it is.
//! * Of what a client would like, [`preferences`] says what is followed.
//! * [`read`] answers rows: queries, single rows, properties, navigation, pages ([`page`]), expansions ([`expand`]), FetchXML
//!   ([`fetch`], with [`beside`]), groups ([`groups`]), changes ([`delta`]); [`around`] what stands behind a navigation
//!   property. [`row`] and [`format`] write them, [`level`] with more or less about them.
//! * [`definitions`] are what is said of tables, columns, relationships and choices; [`csdl`] says all of it at once.
//! * Writes are *prepared* ([`write`]): a request becomes changes and a promise of what to answer, so that a change set of
//!   many requests ([`batch`]) is one set of changes. [`input`] reads bodies, [`value`] single values; [`parties`] and
//!   [`mod@reference`] tie rows together, [`multiple`] writes many.
//! * `If-Match` and `If-None-Match` are [`conditions`]; `MSCRM.SolutionUniqueName` is [`in_solution`].
//! * Every error is a [`Problem`] with the platform's own code and text, written by [`error_body`].
//!
//! # Headers that change nothing here
//!
//! They are taken, so that clients need no other settings than for the platform, and have nothing to act on:
//!
//! * `MSCRM.SuppressDuplicateDetection`: there are no duplicate rules; alternate keys always hold.
//! * `MSCRM.BypassCustomPluginExecution`, `MSCRM.BypassBusinessLogicExecution`, `MSCRM.BypassBusinessLogicExecutionStepIds`,
//!   `MSCRM.SuppressCallbackRegistrationExpanderJob`: there are no plug-ins and no flows, and so no right to pass them by.
//! * `Consistency`: every read sees what was written before it.
//! * `OData-MaxVersion`, `OData-Version`: 4.0 is spoken.
//! * `x-ms-client-request-id`, `x-ms-correlation-id`; in URLs `tag` and `partitionId`.
//!
//! `MSCRMCallerID` and `CallerObjectId` say who asks, and are read before a [`Session`] is made; what is left of a user's limits
//! (`x-ms-ratelimit-…`, `x-ms-dop-hint`) is said by who counts.

mod abilities;
mod actions;
mod around;
mod batch;
mod beside;
mod call;
mod conditions;
mod csdl;
mod definitions;
mod delta;
mod dispatch;
mod error_body;
mod expand;
mod fetch;
mod files;
mod format;
mod groups;
mod in_solution;
mod input;
mod json;
mod level;
mod multiple;
mod page;
mod parties;
mod preferences;
mod problem;
mod read;
mod reference;
mod row;
mod sql;
mod value;
mod version;
mod write;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use postroom_core::Ids;

pub use abilities::Ability;
use error_body::ErrorForm;
pub(crate) use fetch::{asked, cookie, numbered, start};
pub(crate) use format::{money, plain, value as formatted};
pub(crate) use page::{columns, marks};
pub use problem::Problem;
pub(crate) use problem::codes;
pub use version::ApiVersion;

use crate::session::Session;

/// The door. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    ids: Ids,
    settings: Arc<Settings>,
}

/// What an administrator may set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Rows in a page at most, and when the caller names no size: 5000 as the platform.
    pub page: u32,
    /// Which server the door is: this version of the Web API is its newest, and it answers older ones, too.
    pub version: ApiVersion,
    /// What that server lacks besides ([`abilities`]).
    pub without: Vec<Ability>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { page: 5000, version: ApiVersion::default(), without: Vec::new() }
    }
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: Method,
    /// Path and query as they stood in the request line.
    pub url: String,
    /// Scheme and authority as the caller wrote them: `https://crm.example:8443`.
    pub origin: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Door {
    /// `ids` makes the ids of new rows.
    pub fn new(ids: Ids, settings: Settings) -> Self {
        Door { ids, settings: Arc::new(settings) }
    }

    /// Answers a request of this caller.
    pub async fn answer(&self, session: &Session, request: Request) -> Reply {
        let form = ErrorForm::of(&request.url, &request.headers, self.settings.version);
        let answered = match call::Call::read(self, session, request).await {
            Ok(call) => dispatch::answer(&call).await,
            Err(problem) => Err(problem),
        };
        self.marked(answered.unwrap_or_else(|problem| form.reply(problem)))
    }

    /// Refuses a request that is not let in.
    pub fn refuse(&self, url: &str, headers: &HeaderMap, problem: Problem) -> Reply {
        self.marked(ErrorForm::of(url, headers, self.settings.version).reply(problem))
    }

    /// With the headers of every answer.
    fn marked(&self, reply: Reply) -> Reply {
        let id = self.ids.next().to_string();
        reply.header("odata-version", "4.0").header("x-ms-service-request-id", &id).header("req_id", &id)
    }
}

impl Reply {
    /// An answer without a body.
    pub fn empty(status: StatusCode) -> Self {
        Reply { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// An answer in JSON.
    pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        let reply = Reply { body: body.into(), ..Reply::empty(status) };
        reply.header("content-type", "application/json; odata.metadata=minimal")
    }

    /// The same with a header; one whose value cannot stand in a header is left out.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = value.parse() {
            self.headers.insert(name, value);
        }
        self
    }
}
