//! A Windows sign-in in front of any handler: NTLM and Negotiate, one sign-in for each connection, as IIS does it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use postroom_core::Clock;
use postroom_formats::ntlm::key::{self, Side};
use postroom_formats::ntlm::message::{
    Authenticate, CHANNEL_BINDING, COMPUTER, Challenge, DOMAIN, HAS_INTEGRITY, Pairs, TIME, read_negotiate,
};
use postroom_formats::ntlm::spnego::{Opening, Reply, State};
use tokio::net::TcpStream;

use super::User;
use super::serve::answer;
use super::state::random;
use crate::thread::ServerThread;

/// What the front asks of its visitors.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub users: Vec<User>,
    /// Offers NTLM only.
    pub no_negotiate: bool,
    /// The hash of the certificate that the TLS in front shows: sign-ins must be bound to it.
    pub certificate_hash: Option<Vec<u8>>,
    /// Closes each connection after this many answers.
    pub close_after: Option<usize>,
}

/// A front that listens. It ends with this value.
pub struct Front {
    thread: ServerThread,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    sign_ins: AtomicUsize,
}

/// Who signed in, as the handler finds it among the request's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor(pub String);

impl Front {
    /// Listens on a free port of 127.0.0.1; `handler` sees the requests of those who signed in.
    pub fn start(options: Options, clock: Clock, handler: Router) -> Self {
        let counts = Arc::<Counts>::default();
        let (options, counted) = (Arc::new(options), Arc::clone(&counts));
        let thread = ServerThread::start("windows", move |stream| {
            counted.connections.fetch_add(1, Ordering::SeqCst);
            let gate = Gate {
                options: Arc::clone(&options),
                clock: clock.clone(),
                counts: Arc::clone(&counted),
                handler: handler.clone(),
                seat: Mutex::default(),
            };
            connection(stream, Arc::new(gate))
        });
        Front { thread, counts }
    }

    pub fn address(&self) -> SocketAddr {
        self.thread.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.thread.address)
    }

    pub fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    /// How many connections were signed in.
    pub fn sign_ins(&self) -> usize {
        self.counts.sign_ins.load(Ordering::SeqCst)
    }
}

/// One connection's gate.
struct Gate {
    options: Arc<Options>,
    clock: Clock,
    counts: Arc<Counts>,
    handler: Router,
    seat: Mutex<Seat>,
}

/// Where the connection stands.
#[derive(Default)]
struct Seat {
    answers: usize,
    at: At,
}

#[derive(Default, Clone)]
enum At {
    #[default]
    Stranger,
    Challenged {
        challenge: [u8; 8],
        first: Vec<u8>,
        second: Vec<u8>,
        mechanisms: Option<Vec<u8>>,
    },
    Known(Visitor),
}

/// What the gate says to one request.
enum Say {
    Enter(Visitor, Option<String>),
    Challenge(String),
    Ask,
}

async fn connection(stream: TcpStream, gate: Arc<Gate>) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let gate = Arc::clone(&gate);
        async move { gate.answer(request.map(Body::new)).await }
    });
    // A client that goes away is no failure of the server's.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

impl Gate {
    fn seat(&self) -> std::sync::MutexGuard<'_, Seat> {
        self.seat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, mut request: Request) -> Result<Response, Infallible> {
        let mut response = match self.judge(request.headers()) {
            Say::Enter(visitor, token) => {
                request.extensions_mut().insert(visitor);
                let mut response = answer(self.handler.clone(), request).await?;
                put(response.headers_mut(), token.into_iter().collect());
                response
            }
            refusal => {
                // The body must be read away, or the next request would begin in its middle.
                let _ = request.into_body().collect().await;
                self.refuse(refusal)
            }
        };
        let mut seat = self.seat();
        seat.answers += 1;
        if self.options.close_after.is_some_and(|most| seat.answers >= most) {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }

    fn refuse(&self, refusal: Say) -> Response {
        let mut response = Response::new(Body::from("sign in"));
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        let values = match refusal {
            Say::Challenge(token) => vec![token],
            _ if self.options.no_negotiate => vec!["NTLM".to_owned()],
            _ => vec!["Negotiate".to_owned(), "NTLM".to_owned()],
        };
        put(response.headers_mut(), values);
        response
    }

    fn judge(&self, headers: &HeaderMap) -> Say {
        let mut seat = self.seat();
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let said = match (given, seat.at.clone()) {
            (None, At::Known(visitor)) => return Say::Enter(visitor, None),
            (None, _) => None,
            (Some(given), at) => self.step(given, at),
        };
        match said {
            Some((at, say)) => {
                seat.at = at;
                say
            }
            None => {
                seat.at = At::Stranger;
                Say::Ask
            }
        }
    }

    fn step(&self, given: &str, at: At) -> Option<(At, Say)> {
        let (scheme, token) = given.split_once(' ')?;
        let token = STANDARD.decode(token.trim()).ok()?;
        let negotiate = match scheme {
            "Negotiate" if !self.options.no_negotiate => true,
            "NTLM" => false,
            _ => return None,
        };
        match at {
            At::Challenged { challenge, first, second, mechanisms } if mechanisms.is_some() == negotiate => {
                self.finish(&challenge, [&first, &second], mechanisms.as_deref(), &token)
            }
            _ => self.challenge(negotiate, &token),
        }
    }

    fn challenge(&self, negotiate: bool, token: &[u8]) -> Option<(At, Say)> {
        let (first, mechanisms) = match negotiate {
            true => {
                let opening = Opening::read(token).ok()?;
                (opening.token, Some(opening.mechanisms))
            }
            false => (token.to_vec(), None),
        };
        read_negotiate(&first).ok()?;
        let pairs = Pairs::default()
            .with_text(DOMAIN, "SANDBOX")
            .with_text(COMPUTER, "CRM")
            .with(TIME, file_time(self.clock.now()).to_le_bytes().to_vec());
        let challenge = random();
        let second = Challenge::new(challenge, pairs).write();
        let say = match negotiate {
            false => format!("NTLM {}", STANDARD.encode(&second)),
            true => {
                let (state, token) = (Some(State::Incomplete), Some(second.clone()));
                negotiated(&Reply { state, chosen: true, token, signature: None })
            }
        };
        Some((At::Challenged { challenge, first, second, mechanisms }, Say::Challenge(say)))
    }

    fn finish(
        &self,
        challenge: &[u8; 8],
        [first, second]: [&[u8]; 2],
        mechanisms: Option<&[u8]>,
        token: &[u8],
    ) -> Option<(At, Say)> {
        let reply = mechanisms.map(|_| Reply::read(token)).transpose().ok()?;
        let message = match &reply {
            Some(reply) => reply.token.clone()?,
            None => token.to_vec(),
        };
        let third = Authenticate::read(&message).ok()?;
        let user = self.user(&third)?;
        let (domain, name) = user.name.split_once('\\').unwrap_or(("", &user.name));
        // The client hashes the domain in the spelling that it sends.
        let domain = if domain.is_empty() { "" } else { third.domain.as_str() };
        let base = key::verify(&key::owner_key(name, domain, &user.password), challenge, &third.nt)?;
        let session = third.session(&base);
        let pairs = third.pairs().ok()?;
        // The challenge has a clock, so the check is not the client's to leave out.
        let whole =
            pairs.flags() & HAS_INTEGRITY != 0 && Authenticate::intact(&session, first, second, &message);
        let expected = self.options.certificate_hash.as_deref().map(key::channel_binding);
        let bound = expected.is_none_or(|expected| pairs.get(CHANNEL_BINDING) == Some(&expected));
        if !whole || !bound {
            return None;
        }
        let last = match (mechanisms, reply) {
            (Some(mechanisms), Some(reply)) => {
                let signed = key::sign(&session, Side::Client, mechanisms);
                if reply.signature.is_some_and(|given| !key::same(&given, &signed)) {
                    return None;
                }
                let signature = Some(key::sign(&session, Side::Server, mechanisms).to_vec());
                Some(negotiated(&Reply { state: Some(State::Completed), signature, ..Reply::default() }))
            }
            _ => None,
        };
        self.counts.sign_ins.fetch_add(1, Ordering::SeqCst);
        let visitor = Visitor(user.name.clone());
        Some((At::Known(visitor.clone()), Say::Enter(visitor, last)))
    }

    fn user(&self, third: &Authenticate) -> Option<&User> {
        let name = match third.domain.is_empty() {
            true => third.user.clone(),
            false => format!("{}\\{}", third.domain, third.user),
        };
        self.options.users.iter().find(|user| user.name.eq_ignore_ascii_case(&name))
    }
}

fn negotiated(reply: &Reply) -> String {
    format!("Negotiate {}", STANDARD.encode(reply.write()))
}

fn put(headers: &mut HeaderMap, values: Vec<String>) {
    for value in values {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.append(header::WWW_AUTHENTICATE, value);
        }
    }
}

/// 100 ns since 1601.
fn file_time(at: Timestamp) -> u64 {
    const TO_1970: i64 = 116_444_736_000_000_000;
    u64::try_from(at.as_microsecond() * 10 + TO_1970).unwrap_or_default()
}
