//! What is inside a mail, for people: text, cleaned HTML, attachments. Each opening needs its permission and is audited.

use bytes::Bytes;
use postroom_core::{Code, Fault, MailId};
use postroom_tracking::display::{self, FileView, MailView};

use crate::{Actor, Opening, Operations};

/// Above this, reading a mail leaves the async threads.
const HEAVY: usize = 256 * 1024;

impl Operations {
    /// A mail to look at. A page fetches its formatted part by a request of its own: that one names the page's opening as
    /// `under`, and is no second opening.
    pub async fn message_view(
        &self,
        actor: &Actor,
        id: MailId,
        under: Option<Opening>,
    ) -> Result<(MailView, Opening), Fault> {
        let (raw, opening) = self.message_opened(actor, id, "shown", under).await?;
        Ok((read(raw, display::view).await?, opening))
    }

    /// One attachment with its bytes; `part` is its number in [`Operations::message_view`].
    pub async fn message_part(
        &self,
        actor: &Actor,
        id: MailId,
        part: u32,
    ) -> Result<(FileView, Bytes), Fault> {
        let (raw, _) = self.message_opened(actor, id, &format!("attachment {part}"), None).await?;
        let found = read(raw, move |raw| display::file(raw, part)).await?;
        found.ok_or_else(|| Fault::reject(Code::API_NOT_FOUND, format!("{id} has no attachment {part}")))
    }
}

async fn read<T: Send + 'static>(
    raw: Bytes,
    view: impl FnOnce(&[u8]) -> T + Send + 'static,
) -> Result<T, Fault> {
    if raw.len() <= HEAVY {
        return Ok(view(&raw));
    }
    let reading = tokio::task::spawn_blocking(move || view(&raw));
    reading.await.map_err(|error| Fault::bug(format!("reading a mail for display stopped: {error}")))
}
