//! From a claimed e-mail to frozen bytes: read, set to Sending, guard, render.

use futures_util::FutureExt;
use jiff::SignedDuration;
use postroom_core::{Code, Fault, MailState};
use postroom_formats::compose::ComposeError;
use postroom_jobs::{Claim, Done};
use postroom_store::sql::{Expr, ExprTrait, Func, Query, SelectStatement};
use postroom_store::{Error, Tx};

use super::gather::{Activity, PENDING, SENDING};
use super::guard::{self, Rates, Stop};
use super::ledger::{Entry, Hold, Then};
use super::worker::Next;
use super::{Sending, render};
use crate::settings;

/// Recipients whose rate is counted, the first ones.
const COUNTED: usize = 50;

impl Sending {
    /// Renders a mail, or says why not.
    pub(super) async fn prepare(&self, claim: &Claim, entry: Entry) -> Result<Next, Fault> {
        if self.is_safe_mode().await? {
            return self.hold_for_safe_mode(claim, entry).await;
        }
        let Some(activity) = self.gather(entry.activity).await? else {
            let reason = "The e-mail was changed or deleted in the CRM before it left.";
            let after = entry.clone().to(MailState::Suppressed, reason);
            return self.set_aside(claim, &entry, after).await;
        };
        let entry = self.take(entry, &activity).await?;
        let rates = self.rates(&entry, &activity).await?;
        let (rules, signer, options) = (&self.rules, &self.signer, &self.options);
        if let Some(stop) = guard::check(&activity, rules, signer, options, rates, entry.confirmed) {
            return self.stop(claim, entry, stop).await;
        }
        let now = self.clock.now();
        let Some(rendered) = render::render(&activity, rules.installation, signer, options, now) else {
            return self.stop(claim, entry, unwritable("It has no sender or recipient.".into())).await;
        };
        let built = tokio::task::spawn_blocking(move || (rendered.draft.build(), rendered)).await;
        let (built, rendered) =
            built.map_err(|error| Fault::bug(format!("rendering a mail stopped: {error}")))?;
        let raw = match built {
            Ok(built) => built.raw,
            Err(error @ ComposeError::Injection { .. }) => {
                let stop = Stop::Hold(Code::OUT_INJECTION, error.to_string());
                return self.stop(claim, entry, stop).await;
            }
            Err(error) => return self.stop(claim, entry, unwritable(error.to_string())).await,
        };
        if raw.len() > options.max_bytes && !entry.confirmed {
            let why = format!("It has {} bytes; more than {} need a release.", raw.len(), options.max_bytes);
            return self.stop(claim, entry, Stop::Hold(Code::OUT_TOO_MANY, why)).await;
        }
        let raw = match &self.sign {
            Some(sign) => sign(&raw)?,
            None => raw,
        };
        self.freeze(entry, &activity, rendered, raw).await?;
        Ok(Next::Look)
    }

    /// Sets the e-mail to Sending in the CRM, so that nobody changes it meanwhile and no other program takes it.
    async fn take(&self, entry: Entry, activity: &Activity) -> Result<Entry, Fault> {
        if activity.status == Some(PENDING) {
            self.set_status(&entry, SENDING).await?;
        }
        let tries = entry.told.map_or(0, |(_, tries)| tries);
        Ok(Entry { told: Some((SENDING, tries)), record: activity.regarding.clone(), ..entry })
    }

    async fn stop(&self, claim: &Claim, entry: Entry, stop: Stop) -> Result<Next, Fault> {
        let after = match stop {
            Stop::Hold(code, reason) => entry.clone().held(Hold::Rule, Some(code), reason),
            Stop::Fail(code, reason) => {
                let mut after = entry.clone().to(MailState::Failed, reason);
                (after.code, after.finished_at) = (Some(code.0), Some(self.clock.now()));
                self.change("mail.refused", &entry, after, Then::Stay).await?;
                return Ok(Next::Look); // the CRM has to be told
            }
        };
        self.set_aside(claim, &entry, after).await
    }

    async fn set_aside(&self, claim: &Claim, entry: &Entry, after: Entry) -> Result<Next, Fault> {
        self.change("mail.held", entry, after, Then::Finish(claim.clone())).await?;
        Ok(Next::Done(Done::Finished))
    }

    pub(super) async fn hold_for_safe_mode(&self, claim: &Claim, entry: Entry) -> Result<Next, Fault> {
        let reason =
            "This database came from a backup: nothing leaves until the reconciliation is confirmed.";
        let after = entry.clone().held(Hold::SafeMode, Some(Code::SAFE_MODE), reason);
        self.set_aside(claim, &entry, after).await
    }

    pub(super) async fn is_safe_mode(&self) -> Result<bool, Fault> {
        Ok(settings::get(&self.store, settings::SAFE_MODE).await?.as_deref() == Some("on"))
    }

    async fn rates(&self, entry: &Entry, activity: &Activity) -> Result<Rates, Fault> {
        let since =
            self.clock.now().checked_sub(SignedDuration::from_hours(1)).unwrap_or(jiff::Timestamp::MIN);
        let since = since.as_microsecond();
        let record = activity.regarding.as_ref().map(|record| {
            count("outgoing")
                .and_where(Expr::col("record_id").eq(record.id))
                .and_where(Expr::col("first_at").gt(since))
                .and_where(Expr::col("id").ne(entry.id.0))
                .and_where(Expr::col("body").is_not_null())
                .to_owned()
        });
        let addresses: Vec<String> = activity
            .recipients()
            .filter_map(|party| postroom_formats::compose::wire_address(&party.address.address))
            .map(|(address, _)| address)
            .take(COUNTED)
            .collect();
        let recipient = count("outgoing_recipient")
            .and_where(Expr::col("address").is_in(addresses))
            .and_where(Expr::col("at").gt(since))
            .and_where(Expr::col("outgoing").ne(entry.id.0))
            .group_by_col("address")
            .to_owned();
        let read = self.store.read(move |tx| {
            async move {
                let record = match record {
                    Some(record) => largest(tx, &record).await?,
                    None => 0,
                };
                Ok(Rates { record, recipient: largest(tx, &recipient).await? })
            }
            .boxed()
        });
        let rates: Result<Rates, Error> = read.await;
        Ok(rates?)
    }
}

fn unwritable(why: String) -> Stop {
    Stop::Fail(Code::OUT_UNWRITABLE, why)
}

fn count(table: &'static str) -> SelectStatement {
    Query::select().expr(Func::count(Expr::col(postroom_store::sql::Asterisk))).from(table).to_owned()
}

async fn largest(tx: &mut Tx, select: &SelectStatement) -> Result<u64, Error> {
    let counts: Vec<u64> = tx.query(select).await?.iter().map(|row| row.at(0)).collect::<Result<_, _>>()?;
    Ok(counts.into_iter().max().unwrap_or(0))
}
