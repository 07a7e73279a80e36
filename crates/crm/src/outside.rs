//! What more than the port asks is known of a CRM that is reached over a network: whom one is signed in as, what that user
//! may do, and what answers say beside themselves. [`crate::probe`] tells an administrator of it.
//!
//! Every make here is one. Nothing of it decides how mail is filed.

use async_trait::async_trait;
use http::HeaderMap;
use jiff::Timestamp;
use postroom_core::{Crm, Fault};
use uuid::Uuid;

/// A CRM outside.
#[async_trait]
pub trait Outside: Crm {
    /// Signs in, and asks as whom (`WhoAmI`).
    ///
    /// # Errors
    /// What stands in the way: the connection, the sign-in, a user that the organisation does not know.
    async fn who(&self) -> Result<Who, Fault>;

    /// The privileges that a user has by his roles and teams (`RetrieveUserPrivileges`); `None` when the server is too old
    /// to tell.
    async fn privileges(&self, user: Uuid) -> Result<Option<Vec<Held>>, Fault>;

    /// What the last answer said beside itself.
    fn seen(&self) -> Seen;
}

/// The user that a connection acts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who {
    pub user: Uuid,
    pub organization: Uuid,
}

/// One privilege of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub privilege: Uuid,
    /// It counts for the rows of the whole organisation. What comes from a team is never said to (protocol-annex.md 8.2).
    pub whole: bool,
}

/// What stood beside an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// The server's clock (`Date`).
    pub date: Option<Timestamp>,
    /// Requests that this user has left of the window's (`x-ms-ratelimit-burst-remaining-xrm-requests`).
    pub requests_left: Option<u32>,
    /// How many requests at once the server recommends (`x-ms-dop-hint`).
    pub at_once: Option<usize>,
}

impl Seen {
    /// What stands beside an answer.
    pub(crate) fn beside(headers: &HeaderMap) -> Seen {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let date = |text: &str| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
        Seen {
            date: text("date").and_then(date),
            requests_left: text("x-ms-ratelimit-burst-remaining-xrm-requests")
                .and_then(|text| text.parse().ok()),
            at_once: text("x-ms-dop-hint").and_then(|text| text.parse().ok()),
        }
    }
}
