//! The port through which names that are no internet addresses become some.

use std::collections::HashMap;

use async_trait::async_trait;

use crate::Fault;

/// Knows the internet addresses of an organisation's people by other names: a Notes name in any form, a short name, an
/// address that a gateway made up. Calls may run at once.
///
/// The answer has those of `names` that are known, spelt as asked, with their address; a name that fits several people is
/// not known. Errors carry the verdict `Retry` (away for now) or `Hold` (sign-in or configuration refused); a mail waits
/// for neither.
#[async_trait]
pub trait Directory: Send + Sync {
    async fn resolve(&self, names: &[String]) -> Result<HashMap<String, String>, Fault>;
}
