//! The doors of the embedded CRM behind the port that the HTTP listener knows.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::SignedDuration;
use postroom_core::query::Comparison;
use postroom_core::{
    Clock, Crm, CrmDoors, DoorKind, DoorRefusal, DoorReply, DoorRequest, Fault, Filter, Ids, Query, Value,
};
use postroom_embedded::session::Session;
use postroom_embedded::soap::Deployment;
use postroom_embedded::webapi::{self, Problem};
use postroom_embedded::{Embedded, seed};
use postroom_formats::soap::envelope::{Envelope, Headers, Soap};
use postroom_formats::soap::{self, Generation};
use postroom_operations::{DoorSettings, Limits};
use postroom_tracking::settings::Installation;
use sha2::Sha256;
use uuid::Uuid;

use crate::config::Config;

/// What access tokens are signed for, so that no other signature of the installation can be taken for one.
const PURPOSE: &[u8] = b"access tokens of the crm doors";

/// The doors of one embedded CRM.
pub struct Doors {
    crm: Embedded,
    web_api: webapi::Door,
    soap: postroom_embedded::soap::Door,
    clock: Clock,
    ids: Ids,
}

impl Doors {
    /// `deployment` is what the SOAP description says of signing in.
    pub fn new(crm: Embedded, clock: Clock, ids: Ids, deployment: Deployment) -> Self {
        let web_api = webapi::Door::new(ids.clone(), webapi::Settings::default());
        let settings = postroom_embedded::soap::Settings { deployment, ..Default::default() };
        let soap = postroom_embedded::soap::Door::new(ids.clone(), settings);
        Doors { crm, web_api, soap, clock, ids }
    }

    /// The caller, or whoever the caller asks to act for.
    async fn session(&self, user: Uuid, headers: &HeaderMap) -> Result<Session, Problem> {
        let named =
            |name: &str| match headers.get(name).map(|value| value.to_str().unwrap_or_default().trim()) {
                None | Some("") => Ok(None),
                Some(text) => Uuid::parse_str(text)
                    .map(Some)
                    .map_err(|_| Problem::bad(format!("{name} must be a GUID"))),
            };
        if let Some(other) = named("MSCRMCallerID")? {
            return Ok(self.crm.session_as(user, other));
        }
        match named("CallerObjectId")? {
            Some(object) => Ok(self.crm.session_as(user, self.user_of(object).await?)),
            None => Ok(self.crm.session(user)),
        }
    }

    /// The user with this id in the directory.
    async fn user_of(&self, object: Uuid) -> Result<Uuid, Problem> {
        let is_it =
            Filter::Compare("azureactivedirectoryobjectid".into(), Comparison::Eq, Value::from(object));
        let query = Query { top: Some(1), ..Query::of("systemuser").select(&["systemuserid"]).filter(is_it) };
        let found = self.crm.query(&query).await?;
        found.first().map(|row| row.at.id).ok_or_else(|| {
            let text = format!("The user (CallerObjectId = {object}) is not a member of the organization.");
            Problem::new(StatusCode::FORBIDDEN, 0x8007_2560, text)
        })
    }

    /// A SOAP fault. Over HTTP all faults are 500, but for what HTTP itself has to say.
    fn fault(&self, request: &DoorRequest, refusal: &DoorRefusal) -> DoorReply {
        let kind = request.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let version = if kind.contains("soap+xml") { Soap::V12 } else { Soap::V11 };
        let mut fault = soap::fault::Fault::new(refusal.code.cast_signed(), refusal.message.clone());
        fault.retry_after = refusal
            .retry_after
            .and_then(|seconds| i64::try_from(seconds).ok())
            .map(SignedDuration::from_secs);
        fault.at = Some(self.clock.now());
        fault.activity = Some(self.ids.next());
        let text = Envelope::fault(version, Headers::default(), &fault, Generation::Dataverse).write();
        let status = match refusal.status {
            own @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PAYLOAD_TOO_LARGE) => own,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(version.content_type()));
        if let Some(seconds) = refusal.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        DoorReply { status, headers, body: Bytes::from(text) }
    }

    async fn web_api(&self, user: Uuid, request: DoorRequest) -> webapi::Reply {
        let session = match self.session(user, &request.headers).await {
            Ok(session) => session,
            Err(problem) => return self.web_api.refuse(&request.url, &request.headers, problem),
        };
        self.web_api.answer(&session, asked(request)).await
    }
}

#[async_trait]
impl CrmDoors for Doors {
    fn tenant(&self) -> Uuid {
        seed::ORGANIZATION
    }

    fn administrator(&self) -> Uuid {
        seed::ADMINISTRATOR
    }

    async fn admits(&self, user: Uuid) -> Result<(), Fault> {
        self.crm.session(user).caller().await.map(drop).map_err(Fault::from)
    }

    async fn answer(&self, user: Uuid, request: DoorRequest) -> DoorReply {
        match request.kind {
            DoorKind::WebApi => reply(self.web_api(user, request).await),
            // Whom the caller acts for stands in the envelope.
            DoorKind::Soap => {
                let session = self.crm.session(user);
                reply(self.soap.answer(&session, asked(request)).await)
            }
        }
    }

    fn describe(&self, request: &DoorRequest) -> Option<DoorReply> {
        match (request.kind, &request.method) {
            (DoorKind::Soap, &http::Method::GET) => {
                self.soap.describe(&request.url, &request.origin).map(reply)
            }
            _ => None,
        }
    }

    fn refuse(&self, request: &DoorRequest, refusal: &DoorRefusal) -> DoorReply {
        match request.kind {
            DoorKind::WebApi => {
                let problem = Problem::new(refusal.status, refusal.code, refusal.message.clone());
                let problem = Problem { retry_after: refusal.retry_after, ..problem };
                reply(self.web_api.refuse(&request.url, &request.headers, problem))
            }
            DoorKind::Soap => self.fault(request, refusal),
        }
    }
}

fn asked(request: DoorRequest) -> webapi::Request {
    let DoorRequest { method, url, origin, headers, body, .. } = request;
    webapi::Request { method, url, origin, headers, body }
}

fn reply(webapi::Reply { status, headers, body }: webapi::Reply) -> DoorReply {
    DoorReply { status, headers, body }
}

/// The doors of the embedded CRM.
pub fn open(
    config: &Config,
    installation: &Installation,
    embedded: &Embedded,
    clock: &Clock,
    ids: &Ids,
) -> (Arc<dyn CrmDoors>, DoorSettings) {
    let settings = DoorSettings {
        key: key(installation),
        protection: config.crm.service_protection.then(Limits::default),
        max_request: config.crm.max_request.get(),
    };
    let deployment = config.crm.deployment();
    (Arc::new(Doors::new(embedded.clone(), clock.clone(), ids.clone(), deployment)), settings)
}

/// A key of its own for access tokens, made from the installation's newest.
fn key(installation: &Installation) -> [u8; 32] {
    let newest = installation.keys.last().expect("an installation has a key from its first start on");
    let mut mac = Hmac::<Sha256>::new_from_slice(&newest.secret).expect("HMAC takes keys of any length");
    mac.update(PURPOSE);
    mac.finalize().into_bytes().into()
}
