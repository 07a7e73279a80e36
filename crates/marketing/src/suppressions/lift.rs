//! Letting an address back: only by explicit consent that is newer than the opt-out, dated and shown, never because a row or a
//! flag is gone. What is a matter of deliverability, a person must have looked at.
//!
//! The ledger decides ([`crate::consent::history::on`]); the row only follows it. Both sides are told by the suppressions' own
//! steps: the CRM takes back the flags that a suppression sets, the service subscribes the address again without asking the
//! person once more.

use jiff::Timestamp;
use postroom_core::Ids;
use postroom_core::address::normal;
use postroom_store::{Error, Tx};

use super::rows::{self, Origin, Row};
use crate::consent::history::{self, Entry, Said, Scope};
use crate::consent::ledger::{self, Noted};
use crate::contacts::outgoing::touch;

/// Explicit consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Yes {
    /// When the person said so.
    pub at: Timestamp,
    /// Where: `form 12`, `letter`.
    pub source: String,
    /// Who says so for the person, and looked at the mailbox where it bounced; empty for the person.
    pub actor: String,
    /// What shows it; without it nothing is lifted.
    pub proof: String,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lifted {
    Done(Row),
    /// Nothing holds mail to this address back in this account.
    NotSuppressed,
    /// The opt-out is as new as the consent, or newer.
    Newer(Timestamp),
    /// It stays opted out; the text says what is missing.
    Refused(String),
}

/// Adds the consent to the ledger, and lifts the suppression of an account if that follows. What is refused is in the ledger,
/// too: somebody said so.
///
/// # Errors
/// The store's.
pub async fn lift(
    tx: &mut Tx,
    ids: &Ids,
    now: Timestamp,
    account: &str,
    origin: Origin,
    address: &str,
    yes: &Yes,
) -> Result<Lifted, Error> {
    let address = normal(address);
    let row = rows::load(tx, account, std::slice::from_ref(&address)).await?.remove(&address);
    let Some(row) = row.filter(|row| row.active) else { return Ok(Lifted::NotSuppressed) };
    if yes.at <= row.since {
        return Ok(Lifted::Newer(row.since));
    }
    if let Some(missing) = missing(now, yes) {
        return Ok(Lifted::Refused(missing.to_owned()));
    }
    let entry = Entry {
        scope: Scope::Account,
        said: Said::In,
        at: yes.at,
        known: now,
        source: yes.source.clone(),
        actor: yes.actor.clone(),
        proof: yes.proof.clone(),
    };
    let noted = Noted { account: account.to_owned(), address: address.clone(), entry };
    ledger::add(tx, ids, &[noted]).await?;
    let all = ledger::of(tx, &address).await?;
    let own = all.into_iter().filter(|noted| noted.account.is_empty() || noted.account == account);
    let entries: Vec<Entry> = own.map(|noted| noted.entry).collect();
    let answer = history::on(&entries, &Scope::Account, now.max(yes.at), now);
    if !answer.open {
        let by = answer.by.map(|entry| format!("{} of {}", entry.source, entry.at)).unwrap_or_default();
        let text = format!(
            "what stands against it is not lifted by this ({by}): a bounce or complaint is lifted only by a person who has looked at the mailbox"
        );
        return Ok(Lifted::Refused(text));
    }
    let lifted = Row {
        active: false,
        // Nothing that was said before comes back.
        since: yes.at,
        known: now,
        origin,
        told_crm: false,
        // A service that never heard of the opt-out has nothing to take back.
        told_service: origin == Origin::Service || !(row.told_service || row.origin == Origin::Service),
        version: row.version + 1,
        ..row
    };
    rows::put(tx, vec![lifted.clone()]).await?;
    touch(tx, &[address]).await?;
    Ok(Lifted::Done(lifted))
}

/// What keeps a consent from counting at all.
fn missing(now: Timestamp, yes: &Yes) -> Option<&'static str> {
    match () {
        () if yes.proof.trim().is_empty() => {
            Some("there is no proof; say what shows the consent: a page, a text, a document's number")
        }
        () if yes.at > now => Some("the consent lies in the future; correct its date"),
        () => None,
    }
}
