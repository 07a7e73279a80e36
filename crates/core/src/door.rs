//! The port to the doors of the embedded CRM: the Web API and the Organization service, as requests and answers.
//!
//! Who asks is found out before; sockets, sign-in and limits are on this side of the port, what a request means is on the
//! other. Not here: the pages and the REST API of postroom itself.

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use uuid::Uuid;

use crate::Fault;

/// Which protocol a door speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DoorKind {
    /// OData 4 JSON below `/api/data`.
    WebApi,
    /// SOAP below `/XRMServices/2011`.
    Soap,
}

impl DoorKind {
    pub fn as_str(self) -> &'static str {
        match self {
            DoorKind::WebApi => "webapi",
            DoorKind::Soap => "soap",
        }
    }

    /// The door that a path leads to, with an organisation's name before it or without. The two words of a door are
    /// written in any case, as IIS takes them.
    pub fn of(path: &str) -> Option<DoorKind> {
        let words: Vec<&str> = path.strip_prefix('/')?.splitn(4, '/').collect();
        let at = |place: usize| Some((*words.get(place)?, *words.get(place + 1)?));
        [0, 1].into_iter().filter_map(at).find_map(|pair| match pair {
            (first, second) if is(first, "api") && is(second, "data") => Some(DoorKind::WebApi),
            (first, second) if is(first, "xrmservices") && second == "2011" => Some(DoorKind::Soap),
            _ => None,
        })
    }
}

fn is(word: &str, known: &str) -> bool {
    word.eq_ignore_ascii_case(known)
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct DoorRequest {
    pub kind: DoorKind,
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
pub struct DoorReply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Why a request does not get as far as the CRM. The door says it in its own form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorRefusal {
    pub status: StatusCode,
    /// The platform's number, such as 0x80072322.
    pub code: u32,
    /// One sentence for the caller.
    pub message: String,
    /// Seconds after which to come again.
    pub retry_after: Option<u64>,
}

impl DoorRefusal {
    pub fn new(status: StatusCode, code: u32, message: impl Into<String>) -> Self {
        DoorRefusal { status, code, message: message.into(), retry_after: None }
    }
}

/// The doors of one organisation.
#[async_trait]
pub trait CrmDoors: Send + Sync {
    /// The organisation, which is the tenant that its clients sign in to.
    fn tenant(&self) -> Uuid;

    /// The user that a token stands for which names none.
    fn administrator(&self) -> Uuid;

    /// Whether this user may come in at all: known and enabled.
    async fn admits(&self, user: Uuid) -> Result<(), Fault>;

    /// Answers a request of this user. Headers that ask to act for another user are the door's.
    async fn answer(&self, user: Uuid, request: DoorRequest) -> DoorReply;

    /// What a door tells everybody, such as a WSDL. `None` when the request is for users.
    fn describe(&self, request: &DoorRequest) -> Option<DoorReply>;

    /// A refusal in the door's form.
    fn refuse(&self, request: &DoorRequest, refusal: &DoorRefusal) -> DoorReply;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Option<DoorKind>) {
        assert_eq!(DoorKind::of(path), expected, "{path}");
    }

    #[test]
    fn paths_lead_to_doors() {
        check("/api/data/v9.2/contacts", Some(DoorKind::WebApi));
        check("/api/data", Some(DoorKind::WebApi));
        check("/Contoso/api/data/v8.2/", Some(DoorKind::WebApi));
        check("/XRMServices/2011/Organization.svc/web", Some(DoorKind::Soap));
        check("/contoso/xrmservices/2011/Discovery.svc", Some(DoorKind::Soap));
        check("/api/v1/messages", None);
        check("/api/database", None);
        check("/a/b/api/data/v9.2", None);
        check("/records/api", None);
        check("", None);
    }
}
