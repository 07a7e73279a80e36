//! One person on both sides and here: shown, proved, and two records of one person made one. Erasing is
//! [`crate::Operations::erase_person`], which takes the mail with it.

use jiff::Timestamp;
use postroom_core::{Code, Fault, Record, RecordRef, Value};
use postroom_marketing::Engine;
use postroom_marketing::consent::history::Scope;
use postroom_marketing::person::show::{Left, There};
use postroom_marketing::person::{Proof, Shown};
use postroom_tracking::messages::{Message, Wanted};
use serde::Serialize;

use super::Duty;
use super::forms::{ResponseView, Texts, response};
use super::mapping::{FieldPair, shown};
use super::suppress::{entry, usable};
use super::views::{EntryView, SuppressionView};
use crate::{Actor, Operations, Permission, audit};

/// Mails that are shown of a person.
const MAILS: u64 = 50;

/// Everything that is known of an address.
#[derive(Debug, Clone, Serialize)]
pub struct PersonView {
    /// In normal form.
    pub address: String,
    /// The CRM's records with the address.
    pub records: Vec<PersonRecord>,
    /// The person at each account of the service.
    pub accounts: Vec<PersonAccount>,
    /// What ties records to people of the service.
    pub ties: Vec<Tie>,
    pub suppressions: Vec<SuppressionView>,
    /// Lists that the person left.
    pub left: Vec<LeftView>,
    /// The consent ledger, oldest first.
    pub entries: Vec<EntryView>,
    /// What the person did with what was sent, newest first.
    pub events: Vec<EventView>,
    pub responses: Vec<ResponseView>,
    /// Mail from or to the address, newest first.
    pub mail: Vec<Message>,
    /// When the marketing half was erased.
    pub erased: Option<Timestamp>,
}

/// A record of the CRM with the address.
#[derive(Debug, Clone, Serialize)]
pub struct PersonRecord {
    pub record: RecordRef,
    pub name: String,
    pub active: bool,
    /// Columns that forbid mail: `donotbulkemail`, `donotemail`, `donotsendmm`.
    pub forbids: Vec<String>,
}

/// The person at one account.
#[derive(Debug, Clone, Serialize)]
pub struct PersonAccount {
    pub account: String,
    /// The person's number at the service; null when it knows nobody.
    pub contact: Option<i64>,
    /// The service's word for whether the address may be mailed.
    pub status: Option<String>,
    pub opt_in: Option<String>,
    /// Names of the service's lists that the person is on.
    pub lists: Vec<String>,
    /// Why the service could not be asked.
    pub fault: Option<String>,
    /// Why no marketing mail goes there, weightiest first; empty when it may.
    pub blocks: Vec<String>,
    /// The mapped fields of each record beside the service's.
    pub fields: Vec<RecordFields>,
    /// Why the mappings could not be read.
    pub fields_fault: Option<String>,
}

/// The mapped fields of a record.
#[derive(Debug, Clone, Serialize)]
pub struct RecordFields {
    pub record: RecordRef,
    pub fields: Vec<FieldPair>,
}

/// A record and the person of the service that it stands for.
#[derive(Debug, Clone, Serialize)]
pub struct Tie {
    pub account: String,
    pub record: RecordRef,
    /// Null until the service has named it.
    pub contact: Option<i64>,
}

/// A list that the person left.
#[derive(Debug, Clone, Serialize)]
pub struct LeftView {
    pub account: String,
    /// At the service.
    pub list: i64,
    /// False when the person came back.
    pub active: bool,
    pub reason: String,
    pub since: Timestamp,
}

/// What the person did.
#[derive(Debug, Clone, Serialize)]
pub struct EventView {
    pub account: String,
    /// `recipient`, `click`, `open`, `page_view`, `reply`, `social`, `roi`.
    pub kind: &'static str,
    pub at: Timestamp,
    /// At the service.
    pub campaign: i64,
    /// The link, page or marker; empty for the others.
    pub what: String,
    /// A machine did it: a scanner, a proxy.
    pub machine: bool,
}

/// Whether an address could be mailed on a day, and why.
#[derive(Debug, Clone, Serialize)]
pub struct ProofView {
    pub account: String,
    pub address: String,
    /// `account`, `list 12`, `preference 3`.
    pub scope: String,
    pub on: Timestamp,
    /// From what was known then: what a send of that day had to go by.
    pub could: bool,
    /// From all that is known now about that day.
    pub in_truth: bool,
    /// One sentence.
    pub text: String,
    /// The entry that decides, of what was known then.
    pub by: Option<EntryView>,
    /// Everything that was said, oldest first.
    pub entries: Vec<EntryView>,
}

/// What somebody asks to be proved.
#[derive(Debug, Clone, Default)]
pub struct ProofWanted {
    pub address: String,
    /// Left out, every account.
    pub account: Option<String>,
    /// `account`, `list 12`, `preference 3`; left out, `account`.
    pub scope: Option<String>,
    /// Left out, now.
    pub on: Option<Timestamp>,
}

/// What went from one record to another, or would go.
#[derive(Debug, Clone, Serialize)]
pub struct PeopleMerged {
    pub from: RecordRef,
    pub into: RecordRef,
    pub links: u64,
    pub events: u64,
    pub responses: u64,
    pub dry_run: bool,
}

/// What erasing did in the marketing half, or would do.
#[derive(Debug, Clone, Serialize)]
pub struct MarketingErased {
    /// Null while the service goes on with it, and for a trial: ask again.
    pub done: Option<Timestamp>,
    pub counts: Vec<ErasedCount>,
    /// What was left, and what a person has to do about it.
    pub remains: Vec<String>,
}

/// Rows of one kind.
#[derive(Debug, Clone, Serialize)]
pub struct ErasedCount {
    /// A table, or `service NAME` for people at an account.
    pub of: String,
    pub number: u64,
}

impl From<postroom_marketing::person::Receipt> for MarketingErased {
    fn from(receipt: postroom_marketing::person::Receipt) -> Self {
        let counts = receipt.counts.into_iter().map(|(of, number)| ErasedCount { of, number });
        MarketingErased { done: receipt.done, counts: counts.collect(), remains: receipt.remains }
    }
}

impl Operations {
    /// Everything that is known of an address: both sides, what is kept here, and mail for whoever may read it.
    pub async fn person(&self, actor: &Actor, address: &str) -> Result<PersonView, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        let (engine, address) = (self.marketing()?, usable(address)?);
        let shown = engine.show_person(&address).await?;
        let mut accounts = Vec::new();
        for there in shown.there.iter().cloned() {
            accounts.push(account(engine, there, &shown.records).await);
        }
        let mail = match actor.needs(Permission::Read) {
            Ok(()) => {
                let wanted = Wanted { text: Some(address), limit: MAILS, ..Wanted::default() };
                self.messages(actor, wanted).await?
            }
            Err(_) => Vec::new(),
        };
        Ok(view(shown, accounts, mail))
    }

    /// Whether an address could be mailed on a day, and why: from the consent ledger, for each account that is asked about.
    pub async fn prove_consent(&self, actor: &Actor, wanted: &ProofWanted) -> Result<Vec<ProofView>, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        let (engine, address) = (self.marketing()?, usable(&wanted.address)?);
        let scope = scope(wanted.scope.as_deref())?;
        let on = wanted.on.unwrap_or_else(|| engine.clock.now());
        let mut proofs = Vec::new();
        for account in self.accounts_of(wanted.account.as_deref())? {
            let proof = engine.prove_consent(&account, &address, &scope, on).await?;
            proofs.push(ProofView::from(proof));
        }
        Ok(proofs)
    }

    /// Gives everything that is known of one record to another of the same person. The CRM's records themselves are merged
    /// there.
    pub async fn merge_people(
        &self,
        actor: &Actor,
        from: &RecordRef,
        into: &RecordRef,
        dry_run: bool,
    ) -> Result<PeopleMerged, Fault> {
        self.needs_duty(actor, Duty::Configure).await?;
        let engine = self.marketing()?;
        let mut moved = engine.rehearse_merge(from, into).await?;
        self.row(into).await?;
        if !dry_run {
            let detail = format!("into {into}");
            let entry = audit::Entry::new(actor, engine.clock.now(), "person.merge", from, &detail);
            self.record_audit(entry).await?;
            moved = engine.merge_people(from, into).await?;
        }
        let (from, into) = (from.clone(), into.clone());
        let postroom_marketing::person::merge::Moved { links, events, responses } = moved;
        Ok(PeopleMerged { from, into, links, events, responses, dry_run })
    }

    /// The marketing half of an erasure; `None` where no account is configured.
    pub(crate) async fn erase_marketing(
        &self,
        actor: &Actor,
        address: &str,
        dry_run: bool,
    ) -> Result<Option<MarketingErased>, Fault> {
        if !self.has_marketing() {
            return Ok(None);
        }
        self.needs_duty(actor, Duty::Configure).await?;
        let engine = self.marketing()?;
        let receipt = match dry_run {
            true => engine.rehearse_erasure(address).await?,
            false => engine.erase_person(address, &actor.name).await?,
        };
        Ok(Some(MarketingErased::from(receipt)))
    }
}

async fn account(engine: &Engine, there: There, records: &[Record]) -> PersonAccount {
    let contact = there.contact.as_ref();
    let sampled = match engine.named(&there.account) {
        Ok(account) => engine.samples(account, records, contact).await,
        Err(fault) => Err(fault),
    };
    let (fields, fields_fault) = match sampled {
        Err(fault) => (Vec::new(), Some(fault.message)),
        Ok(samples) => {
            let of_record = records.iter().zip(samples).map(|(record, samples)| RecordFields {
                record: record.at.clone(),
                fields: samples.into_iter().map(FieldPair::from).collect(),
            });
            (of_record.collect(), None)
        }
    };
    let channel = contact.and_then(|contact| contact.email.as_ref());
    let lists = contact.and_then(|contact| contact.lists.as_ref()).into_iter().flatten();
    PersonAccount {
        contact: contact.map(|contact| contact.id.0),
        status: contact.map(|contact| channel.map_or(&contact.status, |own| &own.status).to_string()),
        opt_in: channel.map(|channel| channel.opt_in.to_string()),
        lists: lists.map(|list| list.name.clone()).collect(),
        account: there.account,
        fault: there.fault,
        blocks: there.blocks,
        fields,
        fields_fault,
    }
}

fn view(shown: Shown, accounts: Vec<PersonAccount>, mail: Vec<Message>) -> PersonView {
    let tie = |(account, link): (String, postroom_marketing::people::links::Link)| Tie {
        account,
        record: link.record,
        contact: link.contact.map(|contact| contact.0),
    };
    let event = |(account, stored): (String, postroom_marketing::events::rows::Stored)| EventView {
        account,
        kind: stored.event.facts.kind().as_str(),
        at: stored.event.at,
        campaign: stored.event.campaign,
        what: stored.event.what,
        machine: stored.event.machine,
    };
    PersonView {
        address: shown.address,
        records: shown.records.iter().map(record).collect(),
        accounts,
        ties: shown.links.into_iter().map(tie).collect(),
        suppressions: shown.suppressions.into_iter().map(SuppressionView::from).collect(),
        left: shown.left.into_iter().map(LeftView::from).collect(),
        entries: shown.ledger.into_iter().map(|noted| entry(noted.account, noted.entry)).collect(),
        events: shown.events.into_iter().map(event).collect(),
        responses: shown
            .responses
            .into_iter()
            .map(|(account, stored)| response(&account, stored, &Texts::default()))
            .collect(),
        mail,
        erased: shown.erased,
    }
}

fn record(record: &Record) -> PersonRecord {
    let name = ["fullname", "name", "companyname"].iter().find_map(|column| record.get(column));
    let forbids = ["donotbulkemail", "donotemail", "donotsendmm"].into_iter();
    let forbids = forbids.filter(|column| record.get(column).and_then(Value::as_bool) == Some(true));
    PersonRecord {
        record: record.at.clone(),
        name: name.map(shown).unwrap_or_default(),
        active: record.int("statecode").unwrap_or(0) == 0,
        forbids: forbids.map(str::to_owned).collect(),
    }
}

impl From<Left> for LeftView {
    fn from(left: Left) -> Self {
        LeftView {
            account: left.account,
            list: left.list,
            active: left.active,
            reason: left.status.to_string(),
            since: left.since,
        }
    }
}

impl From<Proof> for ProofView {
    fn from(proof: Proof) -> Self {
        let account = proof.account;
        let entries = proof.entries.into_iter().map(|said| entry(account.clone(), said)).collect();
        ProofView {
            address: proof.address,
            scope: scope_name(&proof.scope),
            on: proof.on,
            could: proof.then,
            in_truth: proof.in_truth,
            text: proof.sentence,
            by: proof.by.map(|said| entry(account.clone(), said)),
            entries,
            account,
        }
    }
}

/// `account`, `list 12`, `preference 3`.
pub(super) fn scope_name(scope: &Scope) -> String {
    match scope {
        Scope::Account => "account".to_owned(),
        Scope::List(id) => format!("list {id}"),
        Scope::Preference(id) => format!("preference {id}"),
    }
}

fn scope(text: Option<&str>) -> Result<Scope, Fault> {
    let text = text.unwrap_or("account").trim();
    let (word, number) = text.split_once([' ', ':']).unwrap_or((text, ""));
    match (word, number.trim().parse::<i64>()) {
        ("account" | "", _) => Ok(Scope::Account),
        ("list", Ok(id)) => Ok(Scope::List(id)),
        ("preference", Ok(id)) => Ok(Scope::Preference(id)),
        _ => {
            let text = format!("{text:?} is no scope: write account, list:NUMBER or preference:NUMBER");
            Err(Fault::reject(Code::API_INPUT, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_as_they_are_shown() {
        for one in [Scope::Account, Scope::List(12), Scope::Preference(3)] {
            assert_eq!(scope(Some(&scope_name(&one))).unwrap(), one);
        }
        assert_eq!(scope(Some("list:7")).unwrap(), Scope::List(7));
        assert_eq!(scope(None).unwrap(), Scope::Account);
        assert!(scope(Some("list")).is_err() && scope(Some("everybody")).is_err());
    }
}
