//! The token that goes with each request. How it is got is the business of signing in; here is only what the client asks.

use async_trait::async_trait;
use postroom_core::{Fault, Secret};

/// Where tokens come from.
#[async_trait]
pub trait Token: Send + Sync {
    /// A token that is good for at least another minute: a fresh one is fetched when the last one ends.
    ///
    /// # Errors
    /// `Hold` for credentials that are refused, `Retry` when the token server cannot be reached.
    async fn bearer(&self) -> Result<Secret, Fault>;

    /// The CRM refused this token (401): the next [`Token::bearer`] fetches another one.
    async fn refused(&self, _token: &Secret) {}
}

/// One token that never changes: tests, and a CRM of postroom's own.
pub struct Fixed(pub Secret);

#[async_trait]
impl Token for Fixed {
    async fn bearer(&self) -> Result<Secret, Fault> {
        Ok(self.0.clone())
    }
}
