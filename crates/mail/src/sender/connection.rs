//! A connection made ready for mail: reached, greeted, secured, signed in.

use std::io;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::fault::Step;
use super::offers::Offers;
use super::options::{Auth, Mechanism};
use super::stream::{Broken, Stream};
use super::tls::explain;
use super::wire::Reply;
use super::{Error, Options, Security};
use postroom_core::{Fingerprint, Secret};

/// A server that waits for MAIL.
pub(crate) struct Connection {
    pub options: Arc<Options>,
    pub stream: Stream,
    pub offers: Offers,
    /// Mails sent so far.
    pub mails: u32,
    pub since: Instant,
    /// The server is about to hang up, or did not answer RSET.
    pub spent: bool,
}

impl Connection {
    /// Reaches, secures and signs in.
    pub async fn open(options: Arc<Options>, tls: Option<Arc<ClientConfig>>) -> Result<Self, Error> {
        let stream = Stream::plain(reach(&options).await?);
        let (since, offers) = (Instant::now(), Offers::default());
        let mut connection = Connection { options, stream, offers, mails: 0, since, spent: false };
        match tls {
            Some(tls) if connection.options.security == Security::Implicit => {
                connection = Box::pin(connection.shake_hands(tls)).await?;
                connection.greet().await?;
            }
            Some(tls) => {
                connection.greet().await?;
                connection.ask_for_tls().await?;
                connection = Box::pin(connection.shake_hands(tls)).await?;
                connection.hello().await?;
            }
            None => connection.greet().await?,
        }
        if let Some(auth) = connection.options.auth.clone() {
            connection.sign_in(&auth).await?;
        }
        Ok(connection)
    }

    /// Where, how, as whom, and what the server can do.
    pub fn describe(&self) -> String {
        let options = &self.options;
        let protection = match self.stream.tls().map(|tls| tls.get_ref().1) {
            None => "without TLS, on this machine".to_owned(),
            Some(session) => {
                let version =
                    session.protocol_version().and_then(|version| version.as_str()).unwrap_or("TLS");
                let seen = session
                    .peer_certificates()
                    .and_then(|chain| chain.first())
                    .map(|certificate| Fingerprint::of(certificate));
                match seen {
                    Some(seen) => format!("{version}, certificate {seen}"),
                    None => version.to_owned(),
                }
            }
        };
        let user = match &options.auth {
            None => "not signed in".to_owned(),
            Some(auth) => format!("signed in as {}", auth.user),
        };
        format!("{}: {protection}; {user}; offers {}", options.server(), self.offers.describe())
    }

    /// Takes leave; whatever the server says to it does not matter any more.
    pub async fn quit(mut self) {
        let limit = self.options.limits.command.min(std::time::Duration::from_secs(5));
        self.stream.say("QUIT");
        if self.stream.flush(limit).await.is_ok() {
            let _ = self.stream.hear(limit).await;
        }
    }

    /// One command, its answer.
    pub async fn ask(&mut self, step: Step, command: &str) -> Result<Reply, Error> {
        self.stream.say(command);
        self.flush(step).await?;
        self.hear(step).await
    }

    pub async fn flush(&mut self, step: Step) -> Result<(), Error> {
        let limit = self.options.limits.command;
        self.stream.flush(limit).await.map_err(|broken| self.broken(step, broken))
    }

    pub async fn hear(&mut self, step: Step) -> Result<Reply, Error> {
        let limit = self.options.limits.command;
        self.stream.hear(limit).await.map_err(|broken| self.broken(step, broken))
    }

    /// The error for a connection that broke while nobody can have the mail.
    pub fn broken(&self, step: Step, broken: Broken) -> Error {
        let server = self.options.server();
        match broken {
            Broken::Io(source) => Error::Lost { server, step, source },
            Broken::Late => Error::Late { server, step },
            Broken::Foreign => Error::Foreign { server, step },
        }
    }

    async fn greet(&mut self) -> Result<(), Error> {
        let greeting = self.hear(Step::Greeting).await?;
        self.must_welcome(Step::Greeting, &greeting)?;
        self.hello().await
    }

    async fn hello(&mut self) -> Result<(), Error> {
        let name = self.options.hello.clone();
        let hello = self.ask(Step::Hello, &format!("EHLO {name}")).await?;
        if hello.is_ok() {
            self.offers = Offers::of(&hello);
            return Ok(());
        }
        // A server from before 1995, or one whose EHLO an old firewall blanks out.
        if matches!(hello.code, 500 | 502 | 504 | 550) {
            let hello = self.ask(Step::Hello, &format!("HELO {name}")).await?;
            return self.must_welcome(Step::Hello, &hello);
        }
        self.must_welcome(Step::Hello, &hello)
    }

    fn must_welcome(&self, step: Step, reply: &Reply) -> Result<(), Error> {
        match reply.is_ok() {
            true => Ok(()),
            false => Err(Error::Turned { server: self.options.server(), step, answer: reply.answer() }),
        }
    }

    async fn ask_for_tls(&mut self) -> Result<(), Error> {
        let server = self.options.server();
        if !self.offers.start_tls {
            return Err(Error::NoStartTls { server });
        }
        let go = self.ask(Step::StartTls, "STARTTLS").await?;
        if !go.is_ok() {
            return Err(Error::StartTls { server, answer: go.answer() });
        }
        // Words after this answer were not protected, and must not be taken for the server's (CVE-2021-38371 and its kin).
        if self.stream.has_more() { Err(Error::Injected { server }) } else { Ok(()) }
    }

    async fn shake_hands(mut self, tls: Arc<ClientConfig>) -> Result<Self, Error> {
        let server = self.options.server();
        let name = ServerName::try_from(self.options.host.clone())
            .map_err(|_| Error::Options { what: format!("the host {:?}", self.options.host) })?;
        let shake = Box::pin(self.stream.into_secure(TlsConnector::from(tls), name));
        self.stream = match timeout(self.options.limits.handshake, shake).await {
            Ok(shaken) => shaken.map_err(|source| Error::Tls { server, why: explain(&source), source })?,
            Err(_) => return Err(Error::Late { server, step: Step::Handshake }),
        };
        // What was promised in the clear does not count.
        self.offers = Offers::default();
        Ok(self)
    }

    async fn sign_in(&mut self, auth: &Auth) -> Result<(), Error> {
        let server = self.options.server();
        let Some(mechanism) = self.offers.mechanism(auth.mechanism) else {
            return Err(Error::NoMechanism { server });
        };
        let secret =
            auth.secret.token().await.map_err(|source| Error::Token { server: server.clone(), source })?;
        let mut reply = match mechanism {
            Mechanism::Login => self.login(&auth.user, &secret).await?,
            Mechanism::XOAuth2 => {
                let proof = format!("user={}\u{1}auth=Bearer {}\u{1}\u{1}", auth.user, secret.expose());
                self.ask(Step::Auth, &format!("AUTH XOAUTH2 {}", STANDARD.encode(proof))).await?
            }
            Mechanism::Plain | Mechanism::Password => {
                let proof = format!("\0{}\0{}", auth.user, secret.expose());
                self.ask(Step::Auth, &format!("AUTH PLAIN {}", STANDARD.encode(proof))).await?
            }
        };
        if reply.code == 334 && mechanism == Mechanism::XOAuth2 {
            // The reason in JSON, which wants an empty answer before the refusal comes.
            reply = self.ask(Step::Auth, "").await?;
        }
        if reply.is_ok() {
            return Ok(());
        }
        let renewed = reply.code >= 500 && auth.secret.refused(&secret).await;
        Err(Error::SignIn { server, step: Step::Auth, answer: reply.answer(), renewed })
    }

    /// Two questions, whatever their words: user, then password.
    async fn login(&mut self, user: &str, secret: &Secret) -> Result<Reply, Error> {
        let mut reply = self.ask(Step::Auth, "AUTH LOGIN").await?;
        for word in [user, secret.expose()] {
            if reply.code != 334 {
                break;
            }
            reply = self.ask(Step::Auth, &STANDARD.encode(word)).await?;
        }
        Ok(reply)
    }
}

/// The first address of the server that answers.
async fn reach(options: &Options) -> Result<TcpStream, Error> {
    let server = options.server();
    let lost = |source| Error::Unreachable { server: server.clone(), source };
    let look_up = timeout(options.limits.connect, lookup_host((options.host.as_str(), options.port)));
    let found: Vec<_> =
        look_up.await.map_err(|_| lost(io::ErrorKind::TimedOut.into()))?.map_err(lost)?.collect();
    if options.security == Security::None && !found.iter().all(|address| address.ip().is_loopback()) {
        return Err(Error::NotLocal { server });
    }
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in found {
        match timeout(options.limits.connect, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true).map_err(lost)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(lost(last))
}

impl Options {
    /// `host:port`, for messages.
    pub(super) fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}
