//! The gauges that need a look at the store: backlog, review, shelf, outgoing mail, mailboxes, safe mode, readiness, what waits and
//! for how long; and which certificates end when.

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use metrics::{counter, gauge};
use postroom_core::{Fault, MailState};
use postroom_jobs::counts;
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Row};
use postroom_tracking::messages;

use crate::Operations;

/// What was shown before. Keep one for all calls.
#[derive(Debug, Default)]
pub struct Gauges {
    jobs: counts::Gauges,
    /// When what is shown more rarely was read.
    rarely: Option<Timestamp>,
}

/// Stages of a message's way, each with the states that it waits in.
const STAGES: [(&str, &[MailState]); 4] = [
    ("filing", &[MailState::Received, MailState::Parsed]),
    ("review", &[MailState::Review]),
    ("shelf", &[MailState::Shelf]),
    ("sending", &[MailState::Queued, MailState::Held, MailState::Sending, MailState::Unknown]),
];
/// Sends are counted whole and certificates are read from their files, so less often.
const RARELY: SignedDuration = SignedDuration::from_mins(1);
/// States that a send does not leave: their numbers only grow.
const ENDED: [&str; 5] = ["sent", "done", "failed", "cancelled", "blocked"];
const UNKNOWN: &str = "unknown";

impl Operations {
    /// Sets every gauge. Call it every few seconds; `gauges` remembers what was shown before.
    pub async fn publish_gauges(&self, gauges: &mut Gauges) -> Result<(), Fault> {
        let now = self.0.clock.now();
        let backlog = counts::backlog(&self.0.store).await.map_err(Fault::from)?;
        gauges.jobs.publish(&backlog, now);
        let counted = messages::counts(&self.0.store).await.map_err(Fault::from)?;
        let of = |state: MailState| {
            counted.iter().find(|(known, _)| *known == state).map_or(0, |(_, count)| *count)
        };
        gauge!("postroom_review_items").set(of(MailState::Review) as f64);
        gauge!("postroom_outcomes_unknown", "peer" => "smtp_out").set(of(MailState::Unknown) as f64);
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
        for (stage, states) in STAGES {
            let oldest = messages::oldest(&self.0.store, states).await.map_err(Fault::from)?;
            let oldest = oldest.into_iter().filter_map(|(_, since)| since).min();
            let age = oldest.map_or(0.0, |since| now.duration_since(since).as_secs_f64().max(0.0));
            gauge!("postroom_oldest_item_seconds", "stage" => stage).set(age);
        }
        if gauges.rarely.is_none_or(|then| now.duration_since(then).abs() >= RARELY) {
            self.publish_sends().await?;
            self.publish_credentials().await;
            gauges.rarely = Some(now);
        }
        gauge!("postroom_safe_mode").set(f64::from(u8::from(self.safe_mode().await?)));
        gauge!("postroom_ready").set(f64::from(u8::from(self.health().await.ready)));
        if let Some(size) = self.0.store.path().and_then(|path| std::fs::metadata(path).ok()) {
            gauge!("postroom_journal_bytes").set(size.len() as f64);
        }
        Ok(())
    }

    /// Sends to lists and to single people.
    async fn publish_sends(&self) -> Result<(), Fault> {
        let mut unknown = 0;
        for (class, table) in [("campaign", "campaign_send"), ("single", "single_send")] {
            let select = Query::select()
                .column("state")
                .expr(Expr::col("id").count())
                .from(table)
                .group_by_col("state")
                .to_owned();
            let rows = self.0.store.read(move |tx| async move { tx.query(&select).await }.boxed()).await;
            for row in rows.map_err(|error: Error| Fault::from(error))? {
                let (state, count) = state_of(&row)?;
                if let Some(state) = ENDED.iter().find(|ended| **ended == state) {
                    counter!("postroom_sends_total", "class" => class, "state" => *state).absolute(count);
                }
                unknown += if state == UNKNOWN { count } else { 0 };
            }
        }
        gauge!("postroom_outcomes_unknown", "peer" => "dotdigital").set(unknown as f64);
        Ok(())
    }
}

fn state_of(row: &Row) -> Result<(String, u64), Fault> {
    let read = || Ok::<_, Error>((row.at(0)?, row.at(1)?));
    read().map_err(Fault::from)
}
