//! The gauges that need a look at the store: backlog, review, shelf, outgoing mail, mailboxes, safe mode, readiness.

use metrics::gauge;
use postroom_core::{Fault, MailState};
use postroom_jobs::counts::{self, Gauges};
use postroom_tracking::messages;

use crate::Operations;

impl Operations {
    /// Sets every gauge. Call it every few seconds; `gauges` remembers what was shown before.
    pub async fn publish_gauges(&self, gauges: &mut Gauges) -> Result<(), Fault> {
        let backlog = counts::backlog(&self.0.store).await.map_err(Fault::from)?;
        gauges.publish(&backlog, self.0.clock.now());
        let counted = messages::counts(&self.0.store).await.map_err(Fault::from)?;
        let of = |state: MailState| {
            counted.iter().find(|(known, _)| *known == state).map_or(0, |(_, count)| *count)
        };
        gauge!("postroom_review_items").set(of(MailState::Review) as f64);
        for (state, count) in &counted {
            gauge!("postroom_messages", "state" => state.as_str()).set(*count as f64);
        }
        for (state, count) in self.outgoing_tally().await?.each() {
            gauge!("postroom_outgoing_mails", "state" => state).set(count as f64);
        }
        // The watcher sets it again when it has read everything.
        for mailbox in self.unread().await? {
            let lag = mailbox.lag_seconds.unwrap_or_default();
            gauge!("postroom_imap_lag_seconds", "mailbox" => mailbox.name).set(lag as f64);
        }
        gauge!("postroom_safe_mode").set(f64::from(u8::from(self.safe_mode().await?)));
        gauge!("postroom_ready").set(1.0);
        if let Some(size) = self.0.store.path().and_then(|path| std::fs::metadata(path).ok()) {
            gauge!("postroom_journal_bytes").set(size.len() as f64);
        }
        Ok(())
    }
}
