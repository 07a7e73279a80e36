//! An identity provider: OAuth 2 like Microsoft's platform and like AD FS, WS-Trust like AD FS, and a Windows sign-in
//! (NTLM, Negotiate) in front of any handler.
//!
//! * `/TENANT/oauth2/v2.0/token` (scope) and `/TENANT/oauth2/token` (resource): client credentials by secret and by
//!   certificate, whose assertion is checked with the public key; `/TENANT/v2.0/.well-known/openid-configuration` and
//!   `/TENANT/discovery/v2.0/keys` beside them. Errors have Microsoft's numbers.
//! * `/adfs/oauth2/token`: the password grant. `/adfs/services/trust/13/usernamemixed`: tokens for SOAP;
//!   `/adfs/services/trust/mex` says so.
//! * [`windows`]: one sign-in for each connection.
//!
//! It keeps what it issued, by an injected clock, and can be told to misbehave ([`Trouble`]). Access tokens are JWTs signed
//! with ES256 (Microsoft's are RS256); no client reads them. Not here: users at a browser, refresh tokens, consent.
//! Sources: dataverse.md D, protocol-annex.md 3.2 and 6.

mod answer;
mod assertion;
mod jwt;
mod oauth;
mod serve;
mod state;
mod trust;
pub mod windows;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use postroom_core::Clock;

use crate::thread::ServerThread;
use state::State;

/// Who may sign in, and to what.
#[derive(Debug, Clone)]
pub struct Options {
    pub tenant: String,
    pub applications: Vec<Application>,
    /// For AD FS.
    pub users: Vec<User>,
    /// The CRMs that tokens may be for; a slash at the end does not count.
    pub resources: Vec<String>,
    pub token_life: SignedDuration,
}

/// A registered application.
#[derive(Clone)]
pub struct Application {
    pub client_id: String,
    pub secret: Option<String>,
    /// Certificates in DER.
    pub certificates: Vec<Vec<u8>>,
}

impl std::fmt::Debug for Application {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Application {:?}", self.client_id)
    }
}

/// A user of the directory.
#[derive(Clone)]
pub struct User {
    /// `DOMAIN\user` or `user@realm`; case does not count.
    pub name: String,
    pub password: String,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "User {:?}", self.name)
    }
}

/// What the provider does wrong, until it is told otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The secret has run out.
    ExpiredSecret,
    /// This status, with `Retry-After: 7`, and no JSON.
    Failing(u16),
    /// A page where JSON must stand.
    Nonsense,
    /// Each answer takes this long.
    Slow(Duration),
}

/// A provider that listens. It ends with this value.
pub struct Identity {
    state: Arc<State>,
    thread: ServerThread,
}

impl Identity {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// When the machine has no port, thread or random numbers to spare.
    pub fn start(options: Options, clock: Clock) -> Self {
        let state = Arc::new(State::new(options, clock));
        let router = serve::router(Arc::clone(&state));
        let thread = ServerThread::start("identity", move |stream| serve::connection(stream, router.clone()));
        Identity { state, thread }
    }

    pub fn address(&self) -> SocketAddr {
        self.thread.address
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.thread.address)
    }

    /// The WSDL of a CRM that wants this provider's tokens in its messages. It names the provider by its description
    /// (`/adfs/services/trust/mex`) only: the identifier beside it is an address inside somebody's network.
    pub fn policy(&self) -> String {
        trust::policy(&self.url())
    }

    /// From now on misbehaves like this, or no longer.
    pub fn trouble(&self, trouble: Option<Trouble>) {
        self.state.set_trouble(trouble);
    }

    /// From now on its clock is ahead of the injected one by this.
    pub fn skew(&self, skew: SignedDuration) {
        self.state.set_skew(skew);
    }

    /// How many tokens were issued, of all kinds.
    pub fn issued(&self) -> usize {
        self.state.issued()
    }

    /// How many requests for a token came, the refused ones too.
    pub fn asked(&self) -> usize {
        self.state.asked()
    }

    /// The client or user of an `Authorization` header's value whose token holds for `resource` now.
    pub fn bearer(&self, authorization: &str, resource: &str) -> Option<String> {
        self.state.bearer(authorization.strip_prefix("Bearer ")?, resource)
    }

    /// Takes back every token that was issued.
    pub fn revoke_all(&self) {
        self.state.revoke_all();
    }

    /// The user whose token signed a SOAP message for `service`, when its header holds now.
    pub fn signer(
        &self,
        message: &str,
        service: &str,
    ) -> Result<String, postroom_formats::soap::trust::Refusal> {
        trust::signer(&self.state, message, service)
    }

    /// The provider's time.
    pub fn now(&self) -> Timestamp {
        self.state.now()
    }
}
