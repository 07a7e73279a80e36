//! Scores: how likely the service thinks somebody is to buy.

use async_trait::async_trait;
use jiff::Timestamp;

use super::page::{Ask, ContactId, Page};
use crate::Fault;

/// A person's scores, each of 0 to 100, made once a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    pub contact: ContactId,
    pub email: String,
    /// `Cold`, `Warm` or the account's own words.
    pub label: String,
    pub score: u8,
    pub engagement: u8,
    pub suitability: u8,
    pub modified: Option<Timestamp>,
}

/// Scores.
#[async_trait]
pub trait Scores: Send + Sync {
    /// All, or those that changed at this moment or later.
    async fn scores(&self, since: Option<Timestamp>, ask: &Ask) -> Result<Page<Score>, Fault>;
}
