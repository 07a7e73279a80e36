//! What every handler can reach.

use std::net::IpAddr;
use std::sync::Arc;

use postroom_core::Clock;
use postroom_operations::Operations;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::pages::render::Pages;

/// Renders the metrics of the process.
pub(crate) type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// Whether an address is a proxy of ours, whose word on its clients counts.
pub type IsProxy = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// Cheap to clone: the state of the router.
#[derive(Clone)]
pub(crate) struct App(Arc<Parts>);

pub(crate) struct Parts {
    pub operations: Operations,
    pub metrics: Metrics,
    pub pages: Pages,
    /// Bytes of the largest mail that is taken.
    pub max_message: u64,
    /// Whether browsers reach us by TLS: then cookies are `Secure` and HSTS is sent.
    pub secure: bool,
    /// `https://mail.example`, as browsers write it in `Origin`, when a proxy stands before us.
    pub public_origin: Option<String>,
    /// Whether this listener itself speaks TLS.
    pub tls: bool,
    pub is_proxy: IsProxy,
    /// Turns for reading large bodies at the CRM's doors.
    pub large_bodies: Semaphore,
    /// Cancelled when the process stops: from then on we are not ready.
    pub stopping: CancellationToken,
    /// Only for words such as "3 min ago".
    pub clock: Clock,
}

impl App {
    pub fn new(parts: Parts) -> Self {
        App(Arc::new(parts))
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
