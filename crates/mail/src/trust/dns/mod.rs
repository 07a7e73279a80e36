//! The questions that sender authentication asks DNS, as a trait: [`System`] asks the machine's resolver, [`Zone`]
//! answers from a text.

mod bridge;
mod system;
mod zone;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use async_trait::async_trait;

pub(super) use bridge::Bridge;
pub use system::System;
pub use zone::{BadZone, Zone};

/// Why there is no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    #[error("no such name")]
    Name,
    #[error("the name has no such record")]
    Record,
    /// Nobody knows: the server failed or did not answer. Asking again may help.
    #[error("the name server failed: {0}")]
    Trouble(String),
}

/// Records by name. Names are absolute, without the last dot. Answers are never empty: see [`Missing`].
#[async_trait]
pub trait Dns: Send + Sync {
    /// Each record with its strings joined.
    async fn txt(&self, name: &str) -> Result<Vec<Vec<u8>>, Missing>;
    /// Preference and host.
    async fn mx(&self, name: &str) -> Result<Vec<(u16, String)>, Missing>;
    async fn a(&self, name: &str) -> Result<Vec<Ipv4Addr>, Missing>;
    async fn aaaa(&self, name: &str) -> Result<Vec<Ipv6Addr>, Missing>;
    async fn ptr(&self, address: IpAddr) -> Result<Vec<String>, Missing>;
}
