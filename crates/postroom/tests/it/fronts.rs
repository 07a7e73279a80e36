//! What stands before a Dynamics, before the doors of a postroom that keeps a CRM: IIS with its Windows sign-in, Microsoft's
//! platform or AD FS whose tokens are asked for, the token service whose claims sign the messages. Who is not let in is
//! refused as these do it; the others go on with the doors' own token.
//! Source: dataverse.md D; protocol-annex.md 1 and 3.2.

use std::net::TcpListener;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Response, StatusCode, header};
use jiff::SignedDuration;
use postroom_core::Clock;
use postroom_crm::soap::Settings;
use postroom_formats::soap::Generation;
use postroom_formats::soap::envelope::{Envelope, Headers, Soap};
use postroom_formats::soap::fault::Fault;
use postroom_sandbox::identity::windows::{Front as WindowsFront, Options as WindowsOptions};
use postroom_sandbox::identity::{Application, Identity, Options, User};

use crate::api::wire;
use crate::make::Place;

/// Headers that belong to one connection, or say who asks.
const OWN: [&str; 5] = ["host", "authorization", "content-length", "connection", "transfer-encoding"];

/// A CRM that believes the tokens of one identity provider. It listens until the test program ends.
pub struct Front {
    pub origin: String,
    pub identity: Arc<Identity>,
}

/// The answer to those who may not come in.
type Judge = Arc<dyn Fn(&Parts, &[u8]) -> Option<Response<Body>> + Send + Sync>;

impl Front {
    /// Each request has a token of the provider's for this address. Without one, the answer says where it is to be had.
    pub fn with_tokens(crm: Place, application: Application, user: User) -> Front {
        Front::before(
            crm,
            |origin| (vec![application], user, origin.to_owned()),
            |identity, origin| {
                Arc::new(move |parts, _| {
                    match identity.bearer(text(&parts.headers, "authorization"), &origin) {
                        Some(_) => None,
                        None => Some(challenge(&identity, &origin)),
                    }
                })
            },
        )
    }

    /// Each message is signed with a token of the provider's; the WSDL says which provider.
    pub fn with_claims(crm: Place, user: User) -> Front {
        let service = |origin: &str| Settings::new(origin).expect("an address of this machine").service();
        Front::before(
            crm,
            |origin| (Vec::new(), user, service(origin)),
            move |identity, origin| {
                let service = service(&origin);
                Arc::new(move |parts, body| {
                    if parts.uri.query() == Some("wsdl") {
                        return Some(answer(StatusCode::OK, "text/xml; charset=utf-8", identity.policy()));
                    }
                    let signed = identity.signer(&String::from_utf8_lossy(body), &service).is_ok();
                    (!signed || !service.ends_with(parts.uri.path())).then(unsigned)
                })
            },
        )
    }

    fn before(
        crm: Place,
        directory: impl FnOnce(&str) -> (Vec<Application>, User, String),
        judge: impl FnOnce(Arc<Identity>, String) -> Judge,
    ) -> Front {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("it is bound"));
        let (applications, user, resource) = directory(&origin);
        let options = Options {
            tenant: "ours".into(),
            applications,
            users: vec![user],
            resources: vec![resource],
            token_life: SignedDuration::from_hours(1),
        };
        let identity = Arc::new(Identity::start(options, Clock::system()));
        serve(listener, guarded(crm, judge(Arc::clone(&identity), origin.clone())));
        Front { origin, identity }
    }

    /// Where names and passwords are taken for claims.
    pub fn token_service(&self) -> String {
        format!("{}/adfs/services/trust/13/usernamemixed", self.identity.url())
    }
}

/// A CRM that signs connections in with a Windows account. It listens as long as the value lives.
pub fn windows(crm: Place, user: User) -> WindowsFront {
    let options = WindowsOptions { users: vec![user], ..WindowsOptions::default() };
    WindowsFront::start(options, Clock::system(), guarded(crm, Arc::new(|_, _| None)))
}

fn serve(listener: TcpListener, router: Router) {
    listener.set_nonblocking(true).expect("a socket may be asked not to block");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be made").block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("it does not block");
            drop(axum::serve(listener, router).await);
        });
    });
}

fn guarded(crm: Place, judge: Judge) -> Router {
    Router::new().fallback(move |request: Request| {
        let (crm, judge) = (crm.clone(), Arc::clone(&judge));
        async move {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, usize::MAX).await.expect("the whole request comes");
            match judge(&parts, &body) {
                None => passed(crm, parts, body).await,
                Some(refusal) => refusal,
            }
        }
    })
}

async fn passed(crm: Place, parts: Parts, body: Bytes) -> Response<Body> {
    let asked = tokio::task::spawn_blocking(move || {
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = wire::request(parts.method.as_str(), path, body);
        for name in parts.headers.keys().filter(|name| !OWN.contains(&name.as_str())) {
            request = request.header(name.as_str(), text(&parts.headers, name.as_str()));
        }
        let server = crm.origin.trim_start_matches("http://").parse().expect("an address");
        request.bearer(&crm.token).to(server)
    });
    let said = asked.await.expect("the doors answer");
    let mut response = Response::builder().status(said.status);
    for (name, value) in said.headers.iter().filter(|(name, _)| !OWN.contains(&name.as_str())) {
        response = response.header(name, value);
    }
    response.body(Body::from(said.body)).expect("the doors' answer is one")
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn answer(status: StatusCode, kind: &str, body: String) -> Response<Body> {
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, kind);
    response.body(Body::from(body)).expect("a good answer")
}

/// The Web API's 401.
fn challenge(identity: &Identity, origin: &str) -> Response<Body> {
    let place = format!("{}/adfs/oauth2/authorize", identity.url());
    let value = format!("Bearer authorization_uri={place}, resource_id={origin}/");
    let response =
        Response::builder().status(StatusCode::UNAUTHORIZED).header(header::WWW_AUTHENTICATE, value);
    response.body(Body::empty()).expect("a good answer")
}

/// The Organization Service's fault for messages that nobody signed.
fn unsigned() -> Response<Body> {
    let fault = Fault { subcode: Some("FailedAuthentication".into()), ..Fault::new(0, "no") };
    let envelope = Envelope::fault(Soap::V12, Headers::default(), &fault, Generation::Dataverse);
    answer(StatusCode::INTERNAL_SERVER_ERROR, Soap::V12.content_type(), envelope.write())
}
