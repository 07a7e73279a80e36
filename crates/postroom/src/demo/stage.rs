//! What the acts of the demo play on: the parts that run, what is printed, and what ended where it should not.

use std::net::SocketAddr;
use std::time::Duration;

use postroom_core::{Code, Fault, MailState};
use postroom_operations::{Message, Wanted};
use uuid::Uuid;

use super::story::{End, hand_over};
use super::world::World;
use crate::app::App;
use crate::commands::actor;
use crate::report::{CliError, Output, one_line};

/// How long one step may take on a slow machine before something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

pub struct Stage<'a> {
    pub app: &'a App,
    pub world: &'a World,
    /// Where our listener is.
    pub smtp: SocketAddr,
    /// Makes the ids of this run's mails its own, so that a second run tells the story again.
    pub run: Uuid,
    pub out: &'a mut Output,
    /// What did not end where it should.
    pub wrong: Vec<String>,
}

impl Stage<'_> {
    /// Says what happens now.
    pub fn scene(&mut self, what: &str) -> Result<(), CliError> {
        self.out.text(&format!("  {what}"))?;
        Ok(self.out.flush()?)
    }

    /// Says how something ended, when it ended well; else what is the case instead, and remembers it.
    pub fn check(&mut self, well: bool, instead: &str, told: &str) -> Result<(), CliError> {
        match well {
            true => self.out.text(&format!("      -> {told}"))?,
            false => {
                self.out.text(&format!("      !! {instead}; expected: {told}"))?;
                self.wrong.push(format!("{instead}; expected: {told}"));
            }
        }
        Ok(())
    }

    pub fn reason(&mut self, reason: &str) -> Result<(), CliError> {
        Ok(self.out.text(&format!("         {}", one_line(reason)))?)
    }

    /// Waits for the mail and says where it ended.
    pub async fn ends(&mut self, message_id: &str, end: &End) -> Result<(), CliError> {
        let message = self.message(message_id).await?;
        let real = End::of(message.record.as_ref(), message.state);
        let marked = if message.automatic { " (automatic, never answered)" } else { "" };
        self.check(real == *end, &real.told(), &format!("{}{marked}", end.told()))?;
        self.reason(&message.reason)
    }

    /// A mail, once it has found its place.
    pub async fn message(&self, message_id: &str) -> Result<Message, CliError> {
        until(message_id, async || {
            let text = Some(message_id.to_owned());
            let wanted = Wanted { text, limit: 1, ..Wanted::default() };
            let found = self.app.operations.messages(&actor(), wanted).await?.into_iter().next();
            Ok(found.filter(|message| !matches!(message.state, MailState::Received | MailState::Parsed)))
        })
        .await
    }

    /// Hands a mail to our listener.
    pub async fn hand_over(&self, from: &str, to: &str, raw: &str) -> Result<(), CliError> {
        let sent = hand_over(self.smtp, from, to, raw.as_bytes()).await;
        Ok(sent.map_err(|error| Fault::retry(Code::STORE_AWAY, error.to_string()))?)
    }
}

/// Waits until `look` sees something.
pub async fn until<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<Option<T>, CliError>,
) -> Result<T, CliError> {
    let work = async {
        loop {
            if let Some(seen) = look().await? {
                return Ok(seen);
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let late = |_| CliError::new(Code::INTERNAL, format!("{what} did not come within a minute"));
    tokio::time::timeout(PATIENCE, work).await.map_err(late)?
}
