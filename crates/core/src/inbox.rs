//! The port through which every way in hands over a raw mail.

use async_trait::async_trait;

use crate::{Fault, Incoming, MailId};

/// What became of a mail at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    pub id: MailId,
    /// False when this mail was known already; the sighting was added, or was known too.
    pub new: bool,
}

/// Takes raw mail. `Ok` means durable: only then may the caller answer 250 or 202, or move a cursor.
///
/// Calls may run at once, and the store commits those that meet in one group. Handing the same mail over again is safe:
/// it answers the same id and adds nothing but a sighting.
///
/// Errors carry the verdict `Retry` (the disk is short, the store is away) or `Reject` (too large).
#[async_trait]
pub trait Inbox: Send + Sync {
    async fn accept(&self, mail: Incoming) -> Result<Accepted, Fault>;
}
