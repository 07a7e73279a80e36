//! What comes back about a mail: delivery reports, put to the recipients they are about. Only for mail that we sent.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{MailId, MailState, address};
use postroom_store::sql::{Expr, ExprTrait, Order};
use postroom_store::{Error, Store};

use super::entry::{Entry, Standing};
use super::ledger;

/// What a report says about one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// The address that we wrote to, else the one where delivery ended.
    pub address: String,
    pub what: Report,
    pub code: Option<u16>,
    pub status: Option<String>,
    /// One clause for a person.
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
    /// Original-Envelope-Id (RFC 3464): ours is the mail's id.
    pub envelope_id: Option<String>,
    /// The failed mail's Message-ID, normalised.
    pub message_id: Option<String>,
}

/// Puts a report to the mail it is about; answers which, or `None` when we sent no such mail or it names none of its
/// recipients. A repeat changes nothing. A mail whose every recipient bounced is `bounced`.
pub async fn reported(
    store: &Store,
    about: About,
    reports: Vec<Reported>,
    now: Timestamp,
) -> Result<Option<MailId>, Error> {
    let unit = store.write("mail.reported", move |tx| {
        async move {
            let mut select = ledger::select();
            match (envelope_id(&about), &about.message_id) {
                (Some(id), _) => select.and_where(Expr::col("id").eq(id)),
                (None, Some(id)) => select.and_where(Expr::col("header_id").eq(id.clone())),
                (None, None) => return Ok(None),
            };
            select.order_by("id", Order::Desc);
            // Only what went out can come back.
            let sent = ledger::load(tx, &select).await?.into_iter().find(|entry| entry.attempts > 0);
            let Some(entry) = sent else { return Ok(None) };
            let Some(after) = with(entry.clone(), &reports, now) else { return Ok(None) };
            if after != entry {
                ledger::put(tx, &entry, &after, &[entry.state]).await?;
            }
            Ok(Some(entry.id))
        }
        .boxed()
    });
    unit.await
}

fn envelope_id(about: &About) -> Option<uuid::Uuid> {
    let id = about.envelope_id.as_deref()?.trim();
    (id.len() == 32).then(|| uuid::Uuid::parse_str(id).ok())?
}

fn with(mut entry: Entry, reports: &[Reported], now: Timestamp) -> Option<Entry> {
    let mut hit = false;
    for report in reports {
        let wanted = address::normal(&report.address);
        let Some(one) = entry.recipients.iter_mut().find(|one| address::normal(&one.address) == wanted)
        else {
            continue;
        };
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
