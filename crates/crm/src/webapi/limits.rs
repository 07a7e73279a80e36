//! The organisation's limits, asked once.

use postroom_core::Fault;

use super::client::Client;
pub(crate) use crate::promises::limits::Limits;
use crate::promises::limits::ask;

impl Client {
    /// Asked once.
    pub(crate) async fn limits(&self) -> Result<&Limits, Fault> {
        self.limits.get_or_try_init(|| ask(self)).await
    }
}
