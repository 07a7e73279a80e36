//! Sockets: listening, TLS, HTTP/1.1 and HTTP/2, and a stop that lets requests end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use postroom_core::Clock;
use postroom_operations::Operations;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Layer;

use crate::app::{App, IsProxy, Metrics, Parts};
use crate::auth::Peer;
use crate::doors;
use crate::pages::render::Pages;
use crate::routes;

/// Connections served at once; more wait in the kernel's queue.
const CONNECTIONS: usize = 1024;
/// A TLS handshake and a request's headers each have this long.
const PATIENCE: Duration = Duration::from_secs(10);
/// Requests that run when the process stops have this long; `postroom serve` has 30 s in all.
const FAREWELL: Duration = Duration::from_secs(15);
/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 64;

/// Where to listen and what to take.
pub struct Options {
    /// Port 0 lets the kernel choose.
    pub listen: SocketAddr,
    /// What browsers type, when it differs from the address: `https://mail.example`.
    pub public_url: Option<String>,
    /// Without it plain HTTP is spoken; whether that is allowed on this address was decided by the caller.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Bytes of the largest mail that is taken.
    pub max_message: u64,
    /// Says which addresses are proxies of ours: what they say of their clients counts at the CRM's doors.
    pub is_proxy: IsProxy,
}

/// Why the HTTP server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "cannot listen on {address}: {source}; stop the program that uses it, or set another [http] listen"
    )]
    Listen { address: SocketAddr, source: io::Error },
    #[error("the page templates are broken, which is a bug of postroom's; report it: {0}")]
    Templates(#[from] minijinja::Error),
}

/// The HTTP server, bound but not yet running.
pub struct Web {
    listener: TcpListener,
    address: SocketAddr,
    base: String,
    tls: Option<TlsAcceptor>,
    app: App,
}

impl Web {
    /// Listens; requests are answered once [`Web::run`] runs. `metrics` renders the Prometheus text.
    pub async fn bind(options: Options, operations: Operations, metrics: Metrics) -> Result<Web, Error> {
        let failed = |source| Error::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let scheme = if options.tls.is_some() { "https" } else { "http" };
        let public = options.public_url.map(|url| url.trim_end_matches('/').to_owned());
        let base = public.clone().unwrap_or_else(|| format!("{scheme}://{address}"));
        let app = App::new(Parts {
            operations,
            metrics,
            pages: Pages::new()?,
            max_message: options.max_message,
            secure: base.starts_with("https://"),
            public_origin: public.map(|url| origin(&url)),
            tls: options.tls.is_some(),
            is_proxy: options.is_proxy,
            large_bodies: Semaphore::new(doors::LARGE_AT_ONCE),
            stopping: CancellationToken::new(),
            clock: Clock::system(),
        });
        Ok(Web { listener, address, base, tls: options.tls.map(acceptor), app })
    }

    /// The address listened on, with the port the kernel chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The link that a person opens to sign in with this one-time secret.
    pub fn sign_in_url(&self, secret: &str) -> String {
        format!("{}/sign-in?link={secret}", self.base)
    }

    /// Serves until `stop`; then requests under way may end.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Error> {
        let router = routes::router(self.app.clone());
        let (tasks, permits) = (TaskTracker::new(), Arc::new(Semaphore::new(CONNECTIONS)));
        let cut = CancellationToken::new();
        tracing::info!(event = "http.started", listen = %self.address, "HTTP listens on {}", self.address);
        loop {
            let permit = permits.clone().acquire_owned().await.expect("the semaphore is never closed");
            let (stream, peer) = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Out of descriptors, or a client that left: the next may fare better, but not at once.
                        tracing::warn!(event = "http.accept_failed", %error, "Cannot accept a connection: {error}");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
            };
            let connection = Connection { router: router.clone(), peer, stop: stop.clone() };
            let (tls, cut) = (self.tls.clone(), cut.clone());
            tasks.spawn(async move {
                tokio::select! {
                    () = cut.cancelled() => {}
                    () = connection.begin(stream, tls) => {}
                }
                drop(permit);
            });
        }
        self.app.stopping.cancel();
        tasks.close();
        if tokio::time::timeout(FAREWELL, tasks.wait()).await.is_err() {
            cut.cancel();
            tasks.wait().await;
        }
        Ok(())
    }
}

fn acceptor(config: Arc<rustls::ServerConfig>) -> TlsAcceptor {
    let mut config = rustls::ServerConfig::clone(&config);
    if config.alpn_protocols.is_empty() {
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    }
    TlsAcceptor::from(Arc::new(config))
}

/// Scheme and authority of a URL.
fn origin(url: &str) -> String {
    let after = url.find("://").map_or(0, |place| place + 3);
    let end = url[after..].find('/').map_or(url.len(), |place| after + place);
    url[..end].to_ascii_lowercase()
}

/// One client's connection.
struct Connection {
    router: Router,
    peer: SocketAddr,
    stop: CancellationToken,
}

impl Connection {
    async fn begin(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        // Answers are small: waiting for more to send only delays them.
        let _ = stream.set_nodelay(true);
        let Some(tls) = tls else { return self.serve(stream).await };
        match tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.serve(stream).await,
            Ok(Err(error)) => {
                tracing::debug!(event = "http.tls_failed", %error, "A TLS handshake failed: {error}")
            }
            Err(_) => tracing::debug!(event = "http.tls_slow", "A TLS handshake took too long"),
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) {
        let service = Extension(Peer(self.peer.ip())).layer(self.router);
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(64 * 1024);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .keep_alive_interval(Duration::from_secs(60));
        let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(event = "http.broken", %error, "A connection broke: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        assert_eq!(origin("https://Mail.example/post"), "https://mail.example");
        assert_eq!(origin("http://127.0.0.1:8025"), "http://127.0.0.1:8025");
    }
}
