//! One HTTP/1.1 connection to the CRM: through a proxy when one is set, in TLS when the address says so.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use postroom_core::{Code, Fault, Verdict};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::channel::certificate_hash;
use crate::sign_in::connection::{Connection, Proxy, causes, unreachable};

/// The largest answer that is taken.
const LARGEST: usize = 256 << 20;
/// The longest head of a proxy's answer.
const HEAD: usize = 16 << 10;

/// Where a line leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub host: String,
    port: u16,
    tls: bool,
}

/// An answer that did not come.
#[derive(Debug)]
pub(super) struct Lost {
    text: String,
    /// The request was not sent at all.
    pub untouched: bool,
}

impl Lost {
    pub fn fault(self, repeatable: bool) -> Fault {
        unreachable("the CRM", &self.text, repeatable || self.untouched)
    }
}

impl Target {
    pub fn of(uri: &Uri) -> Result<Self, Fault> {
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(address()),
        };
        let host = uri.host().ok_or_else(address)?.trim_matches(['[', ']']).to_owned();
        Ok(Target { host, port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }), tls })
    }

    /// `host:port`.
    fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

fn address() -> Fault {
    Fault::new(
        Verdict::Hold,
        Code::CONFIG_INVALID,
        "the CRM's address must begin with http:// or https:// and a host",
    )
}

/// One connection.
pub(super) struct Line {
    sender: SendRequest<Full<Bytes>>,
    /// Over TLS.
    pub certificate_hash: Option<Vec<u8>>,
    /// Plain HTTP through a proxy: the address travels whole, and these headers with it.
    relayed: Option<HeaderMap>,
    timeout: Duration,
}

impl Line {
    pub async fn open(
        target: &Target,
        connection: &Connection,
        tls: &Arc<ClientConfig>,
    ) -> Result<Self, Fault> {
        let opened = Line::connect(target, connection, tls);
        match tokio::time::timeout(connection.timeout, opened).await {
            Ok(line) => line,
            Err(_) => Err(unreachable("the CRM", "it did not answer in time", true)),
        }
    }

    async fn connect(
        target: &Target,
        connection: &Connection,
        tls: &Arc<ClientConfig>,
    ) -> Result<Self, Fault> {
        let gone = |error: std::io::Error| unreachable("the CRM", &causes(&error), true);
        let (stream, relayed) = match &connection.proxy {
            None => (TcpStream::connect((target.host.as_str(), target.port)).await.map_err(gone)?, None),
            Some(proxy) => {
                let mut stream = TcpStream::connect(proxy.host_and_port()?)
                    .await
                    .map_err(|error| unreachable("the proxy", &causes(&error), true))?;
                match target.tls {
                    true => tunnel(&mut stream, target, proxy).await.map(|()| (stream, None))?,
                    false => (stream, Some(proxy_headers(proxy)?)),
                }
            }
        };
        stream.set_nodelay(true).map_err(gone)?;
        let timeout = connection.timeout;
        if !target.tls {
            return Ok(Line { sender: speak(stream).await?, certificate_hash: None, relayed, timeout });
        }
        let name = ServerName::try_from(target.host.clone()).map_err(|_| address())?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await.map_err(gone)?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let certificate_hash = certificate.map(|certificate| certificate_hash(certificate));
        Ok(Line { sender: speak(stream).await?, certificate_hash, relayed, timeout })
    }

    /// Whether the other side has not closed it, as far as is known.
    pub fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Sends a request with more headers, and reads the whole answer: only then the line can take the next one.
    pub async fn send(&mut self, request: &Request<Bytes>, more: HeaderMap) -> Result<Response<Bytes>, Lost> {
        let made = self.request(request, more);
        let wait = self.timeout;
        match tokio::time::timeout(wait, self.exchange(made)).await {
            Ok(answer) => answer,
            Err(_) => Err(Lost { text: format!("no answer within {} s", wait.as_secs()), untouched: false }),
        }
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Lost> {
        let closed = |error: hyper::Error| Lost { text: causes(&error), untouched: true };
        self.sender.ready().await.map_err(closed)?;
        let sent = self.sender.try_send_request(request).await;
        let answer = sent.map_err(|mut error| {
            let untouched = error.take_message().is_some();
            Lost { text: causes(error.error()), untouched }
        })?;
        let (head, body) = answer.into_parts();
        let whole = Limited::new(body, LARGEST).collect().await;
        let whole = whole.map_err(|error| Lost { text: causes(&*error), untouched: false })?;
        Ok(Response::from_parts(head, whole.to_bytes()))
    }

    fn request(&self, from: &Request<Bytes>, more: HeaderMap) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(from.body().clone()));
        *request.method_mut() = from.method().clone();
        let path = from.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = match &self.relayed {
            Some(_) => from.uri().clone(),
            None => path.parse().unwrap_or_default(),
        };
        let headers = request.headers_mut();
        headers.clone_from(from.headers());
        let host = from.uri().authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok());
        headers.extend(host.map(|host| (HOST, host)));
        headers.extend(self.relayed.clone().unwrap_or_default());
        headers.extend(more);
        request
    }
}

/// Speaks HTTP/1.1 on a stream. The task that moves the bytes ends with the sender.
async fn speak<S>(stream: S) -> Result<SendRequest<Full<Bytes>>, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (sender, driver) = shaken.map_err(|error| unreachable("the CRM", &causes(&error), true))?;
    // Its errors reach the sender too.
    tokio::spawn(async { drop(driver.await) });
    Ok(sender)
}

fn proxy_headers(proxy: &Proxy) -> Result<HeaderMap, Fault> {
    let Some((user, password)) = &proxy.user else { return Ok(HeaderMap::new()) };
    let basic = STANDARD.encode(format!("{user}:{}", password.expose()));
    let mut value = HeaderValue::from_str(&format!("Basic {basic}"))
        .map_err(|_| Fault::bug("base64 is no header's value"))?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(PROXY_AUTHORIZATION, value)]))
}

/// Asks a proxy for a way through (RFC 9110 section 9.3.6).
async fn tunnel(stream: &mut TcpStream, target: &Target, proxy: &Proxy) -> Result<(), Fault> {
    let gone = |error: std::io::Error| unreachable("the proxy", &causes(&error), true);
    let to = target.authority();
    let mut ask = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n").into_bytes();
    for (name, value) in &proxy_headers(proxy)? {
        ask.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    ask.extend(b"\r\n");
    stream.write_all(&ask).await.map_err(gone)?;
    let mut head = Vec::new();
    // Byte by byte, because the first byte after the head is the CRM's.
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.map_err(gone)?);
        if head.len() > HEAD {
            return Err(unreachable("the proxy", "its answer is no HTTP", true));
        }
    }
    let line =
        String::from_utf8_lossy(head.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned();
    match line.split(' ').nth(1) {
        Some(code) if code.starts_with('2') => Ok(()),
        Some("407") => Err(Fault::new(
            Verdict::Hold,
            Code::CRM_SIGN_IN,
            "the proxy wants a user and password, or refused them: set the proxy's user",
        )),
        _ => Err(unreachable("the CRM", &format!("the proxy answered {line:?}"), true)),
    }
}
