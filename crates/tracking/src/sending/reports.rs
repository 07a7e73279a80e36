//! What comes back about a mail: delivery reports, put to the recipients they are about. Only for mail that we sent.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{Ids, MailId, MailState, address};
use postroom_jobs as jobs;
use postroom_store::sql::{Expr, ExprTrait, Order};
use postroom_store::{Error, Store, Tx};
use uuid::Uuid;

use super::entry::{Entry, Recipient, Standing};
use super::{events, ledger};

/// What a report says about one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// The address that we wrote to, else the one where delivery ended. Empty where the report names none: then it is about a
    /// mail to one alone.
    pub address: String,
    pub what: Report,
    pub code: Option<u16>,
    pub status: Option<String>,
    /// Of a failure: whether sending again is of no use.
    pub hard: bool,
    /// Why in a word, and what the server said.
    pub text: String,
}

/// The kinds of report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// Not delivered, for good.
    Failed,
    /// Not delivered yet.
    Delayed,
    Delivered,
    /// Shown to its reader.
    Read,
}

/// Which mail a report is about: what the report gives, most reliable first.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// The activity in a signed id of ours: the address that the report went to, or an id in its text.
    pub activity: Option<Uuid>,
    /// Original-Envelope-Id (RFC 3464): ours is the mail's id.
    pub envelope_id: Option<String>,
    /// The failed mail's Message-ID, normalised.
    pub message_id: Option<String>,
}

/// Puts a report to the mail it is about; answers which, or `None` when we sent no such mail or it names none of its
/// recipients. A repeat changes nothing. A mail whose every recipient bounced is `bounced`, and of each that did the CRM is
/// told by the mail's job.
pub async fn reported(
    store: &Store,
    ids: &Ids,
    about: About,
    reports: Vec<Reported>,
    now: Timestamp,
) -> Result<Option<MailId>, Error> {
    let ids = ids.clone();
    let unit = store.write("mail.reported", move |tx| {
        async move {
            let Some(entry) = find(tx, &about).await? else { return Ok(None) };
            let Some(after) = with(entry.clone(), &reports, now) else { return Ok(None) };
            if after != entry {
                ledger::put(tx, &entry, &after, &[entry.state]).await?;
            }
            // One that is not at its end has a job, which tells that too.
            let is_over = matches!(after.state, MailState::Sent | MailState::Bounced);
            if is_over && after.bounced() > entry.bounced() {
                jobs::enqueue(tx, &ids, now, vec![after.job()]).await?;
            }
            Ok(Some((entry, after)))
        }
        .boxed()
    });
    let done: Result<Option<(Entry, Entry)>, Error> = unit.await;
    let Some((before, after)) = done? else { return Ok(None) };
    if before.state != after.state {
        events::stands(&after);
    }
    store.wake();
    Ok(Some(after.id))
}

/// The mail that a report is about. What is signed goes before what anybody can write: an envelope id counts only within the
/// signed activity.
async fn find(tx: &mut Tx, about: &About) -> Result<Option<Entry>, Error> {
    let named = envelope_id(about).map(|id| {
        let by_id = Expr::col("id").eq(id);
        about.activity.map_or(by_id.clone(), |activity| by_id.and(Expr::col("activity_id").eq(activity)))
    });
    let signed = about.activity.map(|activity| Expr::col("activity_id").eq(activity));
    let written = about.message_id.clone().map(|id| Expr::col("header_id").eq(id));
    for which in [named, signed, written].into_iter().flatten() {
        let mut select = ledger::select();
        select.and_where(which).order_by("id", Order::Desc);
        // Only what went out can come back.
        let sent = ledger::load(tx, &select).await?.into_iter().find(|entry| entry.attempts > 0);
        if sent.is_some() {
            return Ok(sent);
        }
    }
    Ok(None)
}

fn envelope_id(about: &About) -> Option<Uuid> {
    let id = about.envelope_id.as_deref()?.trim();
    (id.len() == 32).then(|| Uuid::parse_str(id).ok())?
}

/// The recipient that a report means. One that was erased has no address any more and is nobody's.
fn meant<'r>(recipients: &'r mut [Recipient], address: &str) -> Option<&'r mut Recipient> {
    let wanted = address::normal(address);
    let alone = recipients.len() == 1;
    let is_meant = |one: &&mut Recipient| {
        !one.address.is_empty() && (address::normal(&one.address) == wanted || alone && wanted.is_empty())
    };
    recipients.iter_mut().find(is_meant)
}

fn with(mut entry: Entry, reports: &[Reported], now: Timestamp) -> Option<Entry> {
    let mut hit = false;
    for report in reports {
        let Some(one) = meant(&mut entry.recipients, &report.address) else { continue };
        hit = true;
        let state = match report.what {
            Report::Failed => Standing::Bounced,
            Report::Delivered if one.state == Standing::Read => continue, // overtaken by its own receipt
            Report::Delivered => Standing::Delivered,
            Report::Read => Standing::Read,
            Report::Delayed if one.state == Standing::Accepted => Standing::Delayed,
            Report::Delayed => continue, // a late word about what is settled
        };
        if one.state != state {
            (one.state, one.code, one.status, one.at) = (state, report.code, report.status.clone(), now);
            one.hard = (state == Standing::Bounced).then_some(report.hard);
            one.text = report.text.chars().filter(|c| !c.is_control()).take(500).collect();
        }
    }
    let all_bounced =
        entry.recipients.iter().all(|one| matches!(one.state, Standing::Bounced | Standing::Refused));
    let bounced = entry.recipients.iter().filter(|one| one.state == Standing::Bounced).count();
    if matches!(entry.state, MailState::Sent | MailState::Bounced) && bounced > 0 {
        let reason = format!("It came back for {bounced} of {} recipients.", entry.recipients.len());
        let state = if all_bounced { MailState::Bounced } else { MailState::Sent };
        entry = entry.to(state, reason);
    }
    hit.then_some(entry)
}
