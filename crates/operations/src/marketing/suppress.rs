//! Who gets no marketing mail: entered, looked up and lifted by people and programs.

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::marketing::Status;
use postroom_core::{Code, Fault};
use postroom_marketing::consent::gate::{self, Asked};
use postroom_marketing::consent::history::{Entry, Said};
use postroom_marketing::consent::ledger::{self, Noted};
use postroom_marketing::consent::standing::{Block, Purpose, blocks};
use postroom_marketing::suppressions::file;
use postroom_marketing::suppressions::hand::{self, Consent, Lifted};
use postroom_marketing::suppressions::rows::{self, Origin, SaidOut, Written};
use postroom_marketing::sync::SyncType;
use postroom_store::{Error, Tx};
use serde::Serialize;

use super::Duty;
use super::people::scope_name;
use super::views::{Checked, EntryView, Reason, RefusedLine, SuppressionView};
use crate::{Actor, Operations, audit};

pub use hand::Wanted as SuppressionsWanted;

/// Rows of a file that are written in one unit.
const LOT: usize = 1000;

/// An opt-out that somebody enters.
#[derive(Debug, Clone, Default)]
pub struct Asking {
    pub address: String,
    /// Left out, every account.
    pub account: Option<String>,
    /// The service's word; left out, `Unsubscribed`.
    pub reason: Option<String>,
}

/// What was written, or would be.
#[derive(Debug, Clone, Serialize)]
pub struct SuppressReport {
    pub accounts: Vec<String>,
    /// Rows: one for each address and account.
    pub new: u64,
    pub changed: u64,
    /// Suppressed already.
    pub same: u64,
    pub rejected: Vec<RefusedLine>,
    pub dry_run: bool,
}

/// A suppression that somebody lifts.
#[derive(Debug, Clone)]
pub struct Lifting {
    pub address: String,
    /// Left out, every account.
    pub account: Option<String>,
    /// What shows that the person wants mail again: a page, a document, a ticket.
    pub proof: String,
    /// When the person said so. An opt-out that is as new or newer stands, also one that is read only later.
    pub at: Timestamp,
}

/// What lifting did, or would do.
#[derive(Debug, Clone, Serialize)]
pub struct LiftReport {
    pub address: String,
    /// The accounts in which it was lifted.
    pub lifted: Vec<String>,
    /// Why no mail goes there all the same. What a suppression marks on the CRM's records is taken back by the next exchange; any
    /// other mark a person clears in the CRM.
    pub still: Vec<Reason>,
    pub dry_run: bool,
}

impl Operations {
    /// Suppressions by address.
    pub async fn suppressions(
        &self,
        actor: &Actor,
        wanted: SuppressionsWanted,
    ) -> Result<Vec<SuppressionView>, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        let rows = self.suppression_rows(wanted).await?;
        Ok(rows.into_iter().map(SuppressionView::from).collect())
    }

    pub(super) async fn suppression_rows(&self, wanted: SuppressionsWanted) -> Result<Vec<rows::Row>, Fault> {
        let read =
            self.marketing()?.store.read(move |tx| async move { hand::list(tx, &wanted).await }.boxed());
        let rows: Result<_, Error> = read.await;
        Ok(rows?)
    }

    /// Holds mail to an address back. What is suppressed already stays as it is.
    pub async fn suppress(
        &self,
        actor: &Actor,
        asking: &Asking,
        dry_run: bool,
    ) -> Result<SuppressReport, Fault> {
        self.needs_duty(actor, Duty::Suppress).await?;
        let address = usable(&asking.address)?;
        let status = asking.reason.as_deref().map_or(Status::Unsubscribed, Status::from);
        if status.mailable() {
            let text = format!("{status} is no reason to hold mail back: use Unsubscribed, HardBounced, …");
            return Err(Fault::reject(Code::API_INPUT, text));
        }
        let said = SaidOut {
            address: address.clone(),
            status,
            at: self.marketing()?.clock.now(),
            contact: None,
            source: "entered here".to_owned(),
            actor: actor.name.clone(),
        };
        let accounts = self.accounts_of(asking.account.as_deref())?;
        let entry = (address, said.status.to_string());
        let written =
            self.take(actor, &accounts, vec![said], ("suppression.add", &entry.0, &entry.1), dry_run).await?;
        self.tell(actor, &accounts, dry_run).await?;
        Ok(report(accounts, written, Vec::new(), dry_run))
    }

    /// Takes a file of opt-outs (CSV). A line that cannot be used leaves its neighbours alone.
    pub async fn import_suppressions(
        &self,
        actor: &Actor,
        bytes: &[u8],
        name: &str,
        account: Option<&str>,
        dry_run: bool,
    ) -> Result<SuppressReport, Fault> {
        self.needs_duty(actor, Duty::Suppress).await?;
        let accounts = self.accounts_of(account)?;
        let now = self.marketing()?.clock.now();
        let read = file::read(bytes, now, &format!("file {name}"), &actor.name)
            .map_err(|text| Fault::reject(Code::API_INPUT, text))?;
        let mut written = Written::default();
        let (all, detail) = (read.said, format!("{} refused", read.refused.len()));
        for lot in all.chunks(LOT) {
            let entry = ("suppression.import", name, detail.as_str());
            let more = self.take(actor, &accounts, lot.to_vec(), entry, dry_run).await?;
            written.new += more.new;
            written.changed += more.changed;
            written.same += more.same;
        }
        self.tell(actor, &accounts, dry_run).await?;
        let refused =
            read.refused.into_iter().map(|one| RefusedLine { line: one.line, reason: one.reason }).collect();
        Ok(report(accounts, written, refused, dry_run))
    }

    /// Lifts a suppression: with proof that the person wants mail again, and since when. The next exchange takes
    /// back what the suppression marked on the CRM's records.
    pub async fn lift_suppression(
        &self,
        actor: &Actor,
        lifting: &Lifting,
        dry_run: bool,
    ) -> Result<LiftReport, Fault> {
        self.needs_duty(actor, Duty::Suppress).await?;
        let (engine, address) = (self.marketing()?, usable(&lifting.address)?);
        let now = engine.clock.now();
        let consent = consent(actor, lifting, &address, now)?;
        let accounts = self.accounts_of(lifting.account.as_deref())?;
        let (ids, names) = (engine.ids.clone(), accounts.clone());
        let entry = audit::Entry::new(actor, now, "suppression.lift", &address, &consent.proof);
        let unit = self.unit("operations.suppression_lifted", dry_run, move |tx| {
            async move {
                let mut answers = Vec::new();
                for name in &names {
                    answers.push((name.clone(), hand::lift(tx, &ids, now, name, &consent).await?));
                }
                if answers.iter().any(|(_, answer)| matches!(answer, Lifted::Done(_))) {
                    audit::append(tx, &ids, now, &entry).await?;
                }
                Ok(answers)
            }
            .boxed()
        });
        let lifted = lifted(&address, unit.await?)?;
        self.tell(actor, &lifted, dry_run).await?;
        let mut still = self.reasons(&address, &lifted).await?.0;
        if dry_run {
            still.retain(|reason| !reason.text.starts_with("the address is suppressed"));
        }
        Ok(LiftReport { address, lifted, still, dry_run })
    }

    /// Whether mail to an address is held back, and everything that was said about it.
    pub async fn check_suppression(
        &self,
        actor: &Actor,
        address: &str,
        account: Option<&str>,
    ) -> Result<Checked, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        let address = usable(address)?;
        let accounts = self.accounts_of(account)?;
        let (reasons, entries) = self.reasons(&address, &accounts).await?;
        let entries = entries.into_iter().map(|noted| entry(noted.account, noted.entry)).collect();
        Ok(Checked { address, suppressed: !reasons.is_empty(), reasons, entries })
    }

    /// The same with everything that was said about the address.
    async fn reasons(&self, address: &str, accounts: &[String]) -> Result<(Vec<Reason>, Vec<Noted>), Fault> {
        let (address, accounts) = (address.to_owned(), accounts.to_vec());
        let read = self.marketing()?.store.read(move |tx| {
            async move { Ok((reasons_in(tx, &address, &accounts).await?, ledger::of(tx, &address).await?)) }
                .boxed()
        });
        let found: Result<_, Error> = read.await;
        Ok(found?)
    }

    async fn take(
        &self,
        actor: &Actor,
        accounts: &[String],
        said: Vec<SaidOut>,
        (action, object, detail): (&str, &str, &str),
        dry_run: bool,
    ) -> Result<Written, Fault> {
        let engine = self.marketing()?;
        let (ids, now, accounts) = (engine.ids.clone(), engine.clock.now(), accounts.to_vec());
        let entry = audit::Entry::new(actor, now, action, object, detail);
        let unit = self.unit("operations.suppressed", dry_run, move |tx| {
            async move {
                let mut written = Written::default();
                for account in &accounts {
                    let more = rows::take(tx, &ids, now, account, Origin::Here, &said).await?;
                    written.new += more.new;
                    written.changed += more.changed;
                    written.same += more.same;
                }
                audit::append(tx, &ids, now, &entry).await?;
                Ok(written)
            }
            .boxed()
        });
        unit.await
    }

    /// Both sides are to hear of it soon.
    async fn tell(&self, actor: &Actor, accounts: &[String], dry_run: bool) -> Result<(), Fault> {
        for account in accounts.iter().filter(|_| !dry_run) {
            self.marketing()?.ask(account, SyncType::Suppressions, &actor.name).await?;
        }
        Ok(())
    }

    /// The account that was named, or all of them.
    pub(super) fn accounts_of(&self, account: Option<&str>) -> Result<Vec<String>, Fault> {
        match account {
            Some(name) => self.of_account(name).map(|_| vec![name.to_owned()]),
            None => {
                let names: Vec<String> = self.marketing()?.accounts.keys().cloned().collect();
                let none = || {
                    let text = "no account is configured; postroom marketing account add NAME makes one";
                    Fault::reject(Code::API_NOT_FOUND, text)
                };
                if names.is_empty() { Err(none()) } else { Ok(names) }
            }
        }
    }
}

/// Why accounts send no marketing mail to an address, in the caller's unit. That nobody has it is no opt-out.
pub(super) async fn reasons_in(
    tx: &mut Tx,
    address: &str,
    accounts: &[String],
) -> Result<Vec<Reason>, Error> {
    let mut reasons = Vec::new();
    for account in accounts {
        let asked = [Asked { address: address.to_owned(), member: None }];
        for known in gate::known(tx, account, &asked, None).await? {
            let found = blocks(&known, Purpose::Marketing).into_iter();
            let found = found.filter(|block| !matches!(block, Block::Inactive(_)));
            reasons.extend(found.map(|block| Reason { account: account.clone(), text: block.sentence() }));
        }
    }
    Ok(reasons)
}

/// An address in normal form.
pub(super) fn usable(text: &str) -> Result<String, Fault> {
    file::usable(text).map_err(|text| Fault::reject(Code::API_INPUT, text))
}

fn consent(actor: &Actor, lifting: &Lifting, address: &str, now: Timestamp) -> Result<Consent, Fault> {
    let refused = |text: &str| Err(Fault::reject(Code::API_INPUT, text));
    let (proof, at) = (lifting.proof.trim(), lifting.at);
    if proof.is_empty() {
        return refused("say what shows that the person wants mail again: a page, a document, a ticket");
    }
    if at > now {
        return refused("the consent is dated in the future");
    }
    Ok(Consent { address: address.to_owned(), at, actor: actor.name.clone(), proof: proof.to_owned() })
}

/// The accounts in which it was lifted; a fault when there are none.
fn lifted(address: &str, answers: Vec<(String, Lifted)>) -> Result<Vec<String>, Fault> {
    let (mut done, mut newer, mut refused) = (Vec::new(), None, None);
    for (account, answer) in answers {
        match answer {
            Lifted::Done(_) => done.push(account),
            Lifted::NotSuppressed => {}
            Lifted::Newer(since) => newer = Some(since),
            Lifted::Refused(reason) => refused = Some(reason),
        }
    }
    if let Some(reason) = refused.filter(|_| done.is_empty()) {
        return Err(Fault::reject(Code::API_CONFLICT, reason));
    }
    match (done.is_empty(), newer) {
        (false, _) => Ok(done),
        (true, Some(since)) => {
            let text = format!("the opt-out of {since} is as new as the consent, or newer: it stands");
            Err(Fault::reject(Code::API_CONFLICT, text))
        }
        (true, None) => {
            Err(Fault::reject(Code::API_NOT_FOUND, format!("no suppression of {address} to lift")))
        }
    }
}

fn report(
    accounts: Vec<String>,
    written: Written,
    rejected: Vec<RefusedLine>,
    dry_run: bool,
) -> SuppressReport {
    let Written { new, changed, same } = written;
    SuppressReport { accounts, new, changed, same, rejected, dry_run }
}

/// An entry of the ledger as it is shown.
pub(super) fn entry(account: String, entry: Entry) -> EntryView {
    EntryView {
        account,
        scope: scope_name(&entry.scope),
        said: match entry.said {
            Said::In => "opted in".to_owned(),
            Said::Out(status) => status.to_string(),
        },
        at: entry.at,
        known: entry.known,
        source: entry.source,
        actor: entry.actor,
        proof: entry.proof,
    }
}
