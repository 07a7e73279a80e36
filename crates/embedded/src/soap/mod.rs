//! The SOAP door: the Organization service of 2011 and its Discovery service (dataverse.md part E, protocol-annex.md 1 and 2).
//!
//! # Design
//!
//! * A [`Request`] goes in, a [`Reply`] comes out: no sockets here. Who asks was found out before ([`Session`]).
//! * [`place`] says what a URL means; [`wsdl`] answers the anonymous GETs that describe the service.
//! * [`execute`] says whose a message is: rows are read by [`read`] and written by [`write`] and [`relate`], definitions by
//!   [`definitions`] and [`define`], many messages at once by [`several`]; [`message`] hands every other message on.
//! * [`input`] makes rows of entities, [`output`] entities of rows, [`parties`] both for party lists.
//! * Writes are *prepared*: a message becomes changes and what to answer, so that an `ExecuteTransaction` is one set.
//! * [`Generation`] is who the door says it is: what that server did not have, it refuses as that server did.
//! * Every error is a [`stop::Stop`]: the platform's code and text, or a fault of the channel below it.

mod call;
mod changes;
mod define;
mod definitions;
mod deployment;
mod execute;
mod generation;
mod input;
mod message;
mod metadata_query;
mod organization;
mod output;
mod parties;
mod place;
mod read;
mod relate;
mod related;
mod several;
mod stop;
mod write;
mod wsdl;

use std::sync::Arc;

use http::{Method, StatusCode};
use jiff::SignedDuration;
use postroom_core::Ids;
use postroom_formats::soap::envelope::{Envelope, Headers, Soap};
use postroom_formats::soap::operation::{Answer, Operation};
use postroom_formats::soap::{discovery, names, trust};
use postroom_formats::xml::{Element, Limits};

pub use deployment::Deployment;
pub use generation::{Ability, Generation};

use crate::session::Session;
use crate::webapi::{Reply, Request};
use call::Call;
use place::{Place, Service};
use stop::Stop;

/// The action of a fault that no operation answers.
const CHANNEL_FAULT: &str =
    "http://schemas.microsoft.com/net/2005/12/windowscommunicationfoundation/dispatcher/fault";
/// How long the time stamp of an answer holds.
const STAMP: SignedDuration = SignedDuration::from_mins(5);
/// Bodies above this are read on a thread of their own.
const LARGE: usize = 256 * 1024;

/// The door. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    ids: Ids,
    settings: Arc<Settings>,
    described: wsdl::Described,
}

/// What an administrator may set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which server the door is.
    pub generation: Generation,
    /// What that server lacks besides: it is refused as an older server refuses it.
    pub without: Vec<Ability>,
    /// What the description says of signing in.
    pub deployment: Deployment,
    /// Rows in a page at most, and when the caller names no size: 5000 as the platform.
    pub page: u32,
    /// Bytes of a request at most.
    pub body: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            generation: Generation::Dataverse,
            without: Vec::new(),
            deployment: Deployment::None,
            page: 5000,
            body: 64 << 20,
        }
    }
}

impl Settings {
    /// Whether the server has this message.
    fn knows(&self, message: &str) -> bool {
        let taken = self.without.iter().any(|ability| ability.messages().contains(&message));
        self.generation.knows(message) && !taken
    }

    /// Whether it has one of what came with keys.
    fn has(&self, ability: Ability) -> bool {
        self.generation.is_keyed() && !self.without.contains(&ability)
    }
}

/// What goes back: what stands in the body, and the action that says what it is.
struct Said {
    action: String,
    body: Body,
}

enum Body {
    /// Written straight to text: it may hold thousands of rows.
    Answer(Answer),
    Element(Element),
}

impl Door {
    /// `ids` makes the ids of new rows.
    pub fn new(ids: Ids, settings: Settings) -> Self {
        Door { ids, settings: Arc::new(settings), described: wsdl::Described::default() }
    }

    /// Answers an anonymous GET: the description of the service at this URL. `None` when the URL asks for something else.
    /// `origin` is scheme and authority as the caller wrote them.
    pub fn describe(&self, url: &str, origin: &str) -> Option<Reply> {
        wsdl::answer(self, &Place::of(url)?, origin)
    }

    /// Answers a request of this caller.
    pub async fn answer(&self, session: &Session, request: Request) -> Reply {
        let Some(place) = Place::of(&request.url) else { return Reply::empty(StatusCode::NOT_FOUND) };
        if request.method != Method::POST {
            return Reply::empty(StatusCode::METHOD_NOT_ALLOWED).header("allow", "GET, POST");
        }
        let envelope = match self.read(&request).await {
            Ok(envelope) => envelope,
            Err(stop) => {
                let soap = said_version(&request);
                return self.refuse(session, soap, Headers::default(), CHANNEL_FAULT, &stop);
            }
        };
        let Envelope { soap, headers, body } = envelope;
        let answered = match place.service {
            Service::Organization => self.organization(session, &request, &place, &headers, &body).await,
            Service::Discovery => self.discovery(session, &request, &place, &body).await,
        };
        match answered {
            Ok(said) => {
                let answer = self.headers(session, soap, &headers, &said.action);
                let wire = self.settings.generation.wire();
                let text = match said.body {
                    Body::Answer(said) => Envelope::answer(soap, &answer, &said, wire),
                    Body::Element(body) => Envelope::new(soap, answer, body).write(),
                };
                written(StatusCode::OK, soap, text)
            }
            Err((action, stop)) => self.refuse(session, soap, headers, &action, &stop),
        }
    }

    async fn read(&self, request: &Request) -> Result<Envelope, Stop> {
        if request.body.len() > self.settings.body {
            return Err(Stop::too_large(request.body.len(), self.settings.body));
        }
        let limits = Limits { bytes: self.settings.body, ..Limits::default() };
        let body = request.body.clone();
        let read = move || {
            let text = std::str::from_utf8(&body).map_err(|_| Stop::not_utf8())?;
            Ok(Envelope::read(text.trim_start_matches('\u{feff}'), &limits)?)
        };
        match request.body.len() > LARGE {
            true => tokio::task::spawn_blocking(read).await.map_err(|_| Stop::internal())?,
            false => read(),
        }
    }

    async fn organization(
        &self,
        session: &Session,
        request: &Request,
        place: &Place,
        headers: &Headers,
        body: &Element,
    ) -> Result<Said, (String, Stop)> {
        if let Err(stop) = self.known(body) {
            return Err((CHANNEL_FAULT.to_owned(), stop));
        }
        let operation = Operation::read(body).map_err(|error| {
            let stop = Stop::from(error);
            let action = match &stop {
                Stop::Problem { .. } => fault_action(body),
                _ => CHANNEL_FAULT.to_owned(),
            };
            (action, stop)
        })?;
        let action = operation.fault_action();
        let answered = async {
            let session = call::caller(session, headers).await?;
            let call = Call::new(self, &session, place, &request.origin).await?;
            execute::operation(&call, operation).await
        };
        let answer: Answer = answered.await.map_err(|stop| (action, stop))?;
        Ok(Said { action: answer.action(), body: Body::Answer(answer) })
    }

    /// A server cannot read a message of a class that it does not have.
    fn known(&self, body: &Element) -> Result<(), Stop> {
        let class = body.child("request").and_then(|request| request.kind.as_ref());
        let name = class.and_then(|class| class.local.strip_suffix("Request"));
        match name.filter(|name| !self.settings.knows(name)) {
            Some(name) => Err(Stop::unknown_class(name)),
            None => Ok(()),
        }
    }

    async fn discovery(
        &self,
        session: &Session,
        request: &Request,
        place: &Place,
        body: &Element,
    ) -> Result<Said, (String, Stop)> {
        let failed = |stop| (organization::FAULT_ACTION.to_owned(), stop);
        if body.name.local != "Execute" || body.name.ns != *names::DISCOVERY {
            let stop = Stop::no_operation(&body.name.local);
            return Err((CHANNEL_FAULT.to_owned(), stop));
        }
        let question = discovery::Question::read(body).map_err(|error| failed(error.into()))?;
        let call = Call::new(self, session, place, &request.origin).await.map_err(failed)?;
        let body = organization::answer(&call, &question).await.map_err(failed)?;
        Ok(Said { action: discovery::ANSWER_ACTION.to_owned(), body: Body::Element(body) })
    }

    /// The headers of an answer: SOAP 1.1 has none.
    fn headers(&self, session: &Session, soap: Soap, to: &Headers, action: &str) -> Headers {
        if soap == Soap::V11 {
            return Headers::default();
        }
        let now = session.now();
        // Who signs his time stamp wants one in the answer.
        let security = to
            .security
            .as_ref()
            .map(|_| trust::stamped(trust::Lifetime { created: now, expires: now + STAMP }));
        Headers { correlation: Some(self.ids.next()), security, ..to.answer(action) }
    }

    fn refuse(&self, session: &Session, soap: Soap, to: Headers, action: &str, stop: &Stop) -> Reply {
        let fault = stop.fault(self.ids.next(), session.now());
        let headers = self.headers(session, soap, &to, action);
        let mut envelope = Envelope::fault(soap, headers, &fault, self.settings.generation.wire());
        if action == organization::FAULT_ACTION {
            organization::name_fault(&mut envelope.body);
        }
        let reply = written(stop.status(), soap, envelope.write());
        match fault.retry_after {
            Some(wait) => reply.header("retry-after", &wait.as_secs().to_string()),
            None => reply,
        }
    }
}

/// The version that the request says it is in, for one that cannot be read.
fn said_version(request: &Request) -> Soap {
    let kind = request.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match kind.trim_start().to_ascii_lowercase().starts_with("application/soap+xml") {
        true => Soap::V12,
        false => Soap::V11,
    }
}

/// The action of a fault in answer to a body's element that names an operation but cannot be read.
fn fault_action(body: &Element) -> String {
    format!("{}/IOrganizationService/{}OrganizationServiceFaultFault", names::SERVICES, body.name.local)
}

fn written(status: StatusCode, soap: Soap, text: String) -> Reply {
    let mut reply = Reply::empty(status).header("content-type", soap.content_type());
    reply.body = text.into();
    reply
}
