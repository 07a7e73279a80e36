//! The embedded CRM's doors: who may come in, how much, and what is counted.
//!
//! # Design
//!
//! * Behind the port [`CrmDoors`] lies the CRM; here stands who asks. A program comes with an API token of scope `crm`, or
//!   with an access token got for one ([`access`]); either way it acts as the user that the API token names.
//! * **An access token is nothing of its own**: every request looks the API token up again, so revoking it, or its end,
//!   ends what was given out for it at once, in every process.
//! * What that user may do is asked inside the CRM, with every row.
//! * [`protection`]: the platform's service-protection limits, when they are switched on. [`attempts`]: wrong secrets.
//! * Every request is counted by door, operation and status; never by what it names.

mod access;
mod attempts;
mod operation;
mod protection;
mod user;

use std::sync::Arc;

use http::StatusCode;
use jiff::Timestamp;
use metrics::{counter, histogram};
use postroom_core::{CrmDoors, DoorKind, DoorRefusal, DoorReply, DoorRequest, Fault, TokenId};
use uuid::Uuid;

pub use access::{Access, Grant, NoAccess};
use attempts::Attempts;
pub use protection::Limits;
use protection::Protection;

use crate::{Operations, Scope};

/// What an administrator may set, and the key of access tokens.
#[derive(Clone)]
pub struct DoorSettings {
    /// Signs access tokens. The same in every process on one database.
    pub key: [u8; 32],
    /// The platform's limits for each user; `None` is no limits.
    pub protection: Option<Limits>,
    /// Bytes of the largest request that is taken.
    pub max_request: u64,
}

/// What operations know of the doors.
pub(crate) struct Doors {
    port: Arc<dyn CrmDoors>,
    settings: DoorSettings,
    protection: Option<Arc<Protection>>,
    attempts: Attempts,
}

/// Somebody who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorUser {
    /// The `systemuserid`.
    pub user: Uuid,
    /// The API token that stands behind it.
    pub token: TokenId,
}

/// Why somebody was not let in.
#[derive(Debug)]
pub enum Stranger {
    /// No token, or one that is unknown, expired or revoked.
    Unknown,
    /// A good token for something else.
    Scope(Scope),
    /// It could not be found out.
    Fault(Fault),
}

impl Operations {
    /// Opens the doors of the embedded CRM.
    pub fn with_doors(self, port: Arc<dyn CrmDoors>, settings: DoorSettings) -> Self {
        let parts = Arc::unwrap_or_clone(self.0);
        let protection =
            settings.protection.map(|limits| Arc::new(Protection::new(limits, parts.clock.clone())));
        let doors = Doors { port, settings, protection, attempts: Attempts::default() };
        Operations(Arc::new(crate::Parts { doors: Some(Arc::new(doors)), ..parts }))
    }

    /// Whether the doors are open: they are when the CRM is the embedded one.
    pub fn has_doors(&self) -> bool {
        self.0.doors.is_some()
    }

    /// The organisation, as the tenant that its clients sign in to.
    pub fn door_tenant(&self) -> Uuid {
        self.0.doors.as_ref().map_or(Uuid::nil(), |doors| doors.port.tenant())
    }

    /// The user of tokens that name none.
    pub(crate) fn door_administrator(&self) -> Option<Uuid> {
        self.0.doors.as_ref().map(|doors| doors.port.administrator())
    }

    /// Bytes of the largest request that the doors take.
    pub fn door_max_request(&self) -> u64 {
        self.0.doors.as_ref().map_or(0, |doors| doors.settings.max_request)
    }

    /// Who a bearer stands for: an API token of scope `crm`, or an access token got for one.
    pub async fn door_user(&self, bearer: &str) -> Result<DoorUser, Stranger> {
        let doors = self.0.doors.as_ref().ok_or(Stranger::Unknown)?;
        let found = match access::read(&doors.settings.key, bearer, self.0.clock.now()) {
            Some(token) => self.token_by_id(token).await,
            None => self.token_by_text(bearer).await,
        };
        let token = found.map_err(Stranger::Fault)?.ok_or(Stranger::Unknown)?;
        let now = self.0.clock.now();
        if !token.is_good(now) {
            return Err(Stranger::Unknown);
        }
        if token.scope != Scope::Crm.as_str() {
            return Err(token.scope.parse().map_or(Stranger::Unknown, Stranger::Scope));
        }
        self.touch_token(&token, now).await.map_err(Stranger::Fault)?;
        Ok(DoorUser { user: token.user.unwrap_or(doors.port.administrator()), token: token.id })
    }

    /// Answers a request of a user: within the limits, counted, timed.
    pub async fn through_door(&self, who: &DoorUser, request: DoorRequest) -> DoorReply {
        let Some(doors) = &self.0.doors else { return closed() };
        let operation = operation::of(&request);
        let (kind, began) = (request.kind, self.0.clock.now());
        let pass = doors.protection.as_ref().map(|protection| protection.enter(who.user));
        let reply = match pass {
            None => doors.port.answer(who.user, request).await,
            Some(Err(refusal)) => doors.port.refuse(&request, &refusal),
            Some(Ok(pass)) => pass.mark(doors.port.answer(who.user, request).await),
        };
        count(kind, operation, reply.status, Some((began, self.0.clock.now())));
        reply
    }

    /// What the door tells everybody.
    pub fn describe_door(&self, request: &DoorRequest) -> Option<DoorReply> {
        let reply = self.0.doors.as_ref()?.port.describe(request)?;
        count(request.kind, "describe", reply.status, None);
        Some(reply)
    }

    /// A refusal in the door's own form.
    pub fn refuse_at_door(&self, request: &DoorRequest, refusal: &DoorRefusal) -> DoorReply {
        let Some(doors) = &self.0.doors else { return closed() };
        let reply = doors.port.refuse(request, refusal);
        count(request.kind, operation::of(request), reply.status, None);
        reply
    }
}

/// Without doors nothing leads here.
fn closed() -> DoorReply {
    DoorReply { status: StatusCode::NOT_FOUND, headers: http::HeaderMap::new(), body: bytes::Bytes::new() }
}

fn count(kind: DoorKind, operation: &'static str, status: StatusCode, took: Option<(Timestamp, Timestamp)>) {
    let door = kind.as_str();
    let status = status.as_u16().to_string();
    counter!("postroom_crm_door_requests_total", "door" => door, "operation" => operation, "status" => status)
        .increment(1);
    if let Some((began, ended)) = took {
        let seconds = ended.duration_since(began).as_secs_f64();
        histogram!("postroom_crm_door_seconds", "door" => door, "operation" => operation).record(seconds);
    }
}
