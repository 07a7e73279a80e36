//! What the shared rooms ask of this make.

use std::sync::Arc;

use async_trait::async_trait;
use postroom_core::metadata::Metadata;
use postroom_core::{CrmPage, Fault, Query, Record};

use super::client::Client;
use crate::promises::{Listed, Reads};

/// A URL inside a batch has 64 KB, one outside far less.
const IN_BATCH: Listed = Listed { ids: 300, addresses: 100 };
const PLAIN: Listed = Listed { ids: 25, addresses: 8 };

#[async_trait]
impl Reads for Client {
    async fn metadata(&self, tables: &[&str]) -> Result<Arc<Metadata>, Fault> {
        Client::metadata(self, tables).await
    }

    async fn all(&self, query: &Query) -> Result<Vec<Record>, Fault> {
        Client::all(self, query).await
    }

    async fn page(&self, query: &Query, size: u32, after: Option<&str>) -> Result<CrmPage, Fault> {
        Client::page(self, query, size, after).await
    }

    async fn many(&self, queries: &[Query]) -> Result<Vec<Vec<Record>>, Fault> {
        Client::many(self, queries).await
    }

    fn listed(&self) -> Listed {
        if self.batches() { IN_BATCH } else { PLAIN }
    }
}
