//! The token that goes with each request. How it is got is the business of [`crate::sign_in`].

use async_trait::async_trait;
use postroom_core::{Fault, Secret};

pub use crate::sign_in::Token;

/// One token that never changes: tests, and a CRM of postroom's own.
pub struct Fixed(pub Secret);

#[async_trait]
impl Token for Fixed {
    async fn bearer(&self) -> Result<Secret, Fault> {
        Ok(self.0.clone())
    }
}
