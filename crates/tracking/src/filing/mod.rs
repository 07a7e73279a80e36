//! From stored mail to activity: the job that reads, decides and files, a lot at a time.
//!
//! # Flow
//!
//! 1. [`load`]: the lot's rows.
//! 2. [`reading`]: each mail parsed, on blocking threads, in batches bounded by bytes.
//! 3. [`known`]: parents, records and people, asked in a few batches.
//! 4. [`signals`] and [`decide`], mail by mail in order of arrival, so that a reply sees the parent decided a moment
//!    before; whoever came before its parent is decided once more.
//! 5. [`write`]: [`activity`] makes one change set a mail, all handed to the CRM in one call; or [`deliver`] hands the mails
//!    to the server itself.
//! 6. [`outcome`]: everything that was decided, in one unit with the finished jobs.
//!
//! A crash between 5 and 6 repeats 5 with the same ids, which changes nothing; what the server delivered is found.

pub mod activity;
pub mod decide;
mod deliver;
pub mod known;
pub mod load;
mod names;
mod order;
pub mod outcome;
pub mod parties;
pub mod place;
mod policy;
pub mod reading;
mod returned;
pub mod signals;
mod write;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures_util::FutureExt;
use postroom_core::{
    Class, Clock, Crm, Directory, Fault, Ids, JobId, MailId, MailState, Method, Record, RecordRef, Value,
    Verdict,
};
use postroom_jobs::{Claim, Done, Worker};
use postroom_store::{Store, body};
use uuid::Uuid;

use decide::{Facts, Ruling};
use known::{Known, Parent};
use outcome::{Outcome, Settled};
use reading::{Reading, Stored};
use write::Written;

use crate::rules::{Mailbox, Rules};
use crate::token::Signer;

/// The job kind.
pub const KIND: &str = "mail.file";
/// Mails in one lot: enough that a commit is shared, few enough that a lot ends soon.
const LOT: usize = 128;
/// Raw bytes read at once. A lot with larger mails is worked in several batches.
const BATCH_BYTES: u64 = 12 * 1024 * 1024;

/// Files mail. One per process; cheap to clone.
#[derive(Clone)]
pub struct Filing {
    pub store: Store,
    pub clock: Clock,
    pub ids: Ids,
    pub crm: Arc<dyn Crm>,
    pub rules: Arc<Rules>,
    pub signer: Option<Arc<Signer>>,
    /// Knows Notes names, when one is configured.
    pub directory: Option<Arc<dyn Directory>>,
}

#[async_trait]
impl Worker for Filing {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn lot(&self) -> usize {
        LOT
    }

    async fn run(&self, lot: Vec<Claim>) -> Vec<(JobId, Result<Done, Fault>)> {
        let mut answers = Vec::with_capacity(lot.len());
        let (claims, unreadable): (Vec<Claim>, Vec<Claim>) =
            lot.into_iter().partition(|claim| mail_of(claim).is_some());
        answers.extend(unreadable.iter().map(|claim| (claim.id, Err(Fault::bug("the job names no mail")))));
        match self.batches(claims).await {
            Ok(batches) => {
                for batch in batches {
                    let ids: Vec<JobId> = batch.claims.iter().map(|claim| claim.id).collect();
                    match self.file(batch).await {
                        Ok(told) => answers.extend(told),
                        Err(fault) => answers.extend(ids.into_iter().map(|id| (id, Err(copy(&fault))))),
                    }
                }
            }
            Err((claims, fault)) => answers.extend(claims.iter().map(|claim| (claim.id, Err(copy(&fault))))),
        }
        answers
    }
}

/// Mails that are read, decided and written together.
struct Batch {
    claims: Vec<Claim>,
    stored: Vec<Stored>,
}

fn mail_of(claim: &Claim) -> Option<MailId> {
    claim.payload.get("message")?.as_str()?.parse().ok()
}

/// A fault for each job of a batch that failed as one.
fn copy(fault: &Fault) -> Fault {
    Fault::new(fault.verdict, fault.code, fault.message.clone())
}

impl Filing {
    /// Loads the lot's mails and parts them into batches. A job whose mail is gone finishes with the first batch.
    async fn batches(&self, claims: Vec<Claim>) -> Result<Vec<Batch>, (Vec<Claim>, Fault)> {
        let ids: Vec<MailId> = claims.iter().filter_map(mail_of).collect();
        let loaded = match load::load(&self.store, ids).await {
            Ok(loaded) => loaded,
            Err(error) => return Err((claims, error.into())),
        };
        let mut by_id: HashMap<MailId, Stored> =
            loaded.into_iter().map(|stored| (stored.id, stored)).collect();
        let mut batches = vec![Batch { claims: Vec::new(), stored: Vec::new() }];
        let mut bytes = 0;
        for claim in claims {
            let stored = mail_of(&claim).and_then(|id| by_id.remove(&id));
            let size = stored.as_ref().map_or(0, |stored| stored.size);
            let last = batches.last().expect("begins with one");
            if bytes + size > BATCH_BYTES && !last.claims.is_empty() {
                batches.push(Batch { claims: Vec::new(), stored: Vec::new() });
                bytes = 0;
            }
            bytes += size;
            let last = batches.last_mut().expect("begins with one");
            last.claims.push(claim);
            last.stored.extend(stored);
        }
        Ok(batches)
    }

    async fn file(&self, batch: Batch) -> Result<Vec<(JobId, Result<Done, Fault>)>, Fault> {
        let mut readings = self.read(batch.stored).await?;
        self.resolve_names(&mut readings).await?;
        let mut known = known::gather(&self.store, &*self.crm, &self.rules, &readings).await?;
        let mut rulings = self.decide_all(&readings, &mut known);
        self.tell_senders(&readings).await?;
        let mut written = self.write(&readings, &rulings, &known).await;
        deliver::heed(&readings, &mut rulings, &mut written);
        let mut answers = Vec::new();
        let mut claims = Vec::new();
        for claim in batch.claims {
            match mail_of(&claim).and_then(|id| written.failed.get(&id)) {
                Some(fault) => answers.push((claim.id, Err(copy(fault)))),
                None => claims.push(claim),
            }
        }
        answers.extend(claims.iter().map(|claim| (claim.id, Ok(Done::Finished))));
        let outcome = self.outcome(readings, rulings, written, claims);
        let (ids, now) = (self.ids.clone(), self.clock.now());
        self.store
            .write("mail.filed", move |tx| {
                async move { outcome::store(tx, outcome, &ids, now).await }.boxed()
            })
            .await?;
        self.store.wake(); // children may wait
        Ok(answers)
    }

    /// What would be decided about one mail, writing nothing.
    pub async fn rule(&self, reading: &Reading) -> Result<Ruling, Fault> {
        let known =
            known::gather(&self.store, &*self.crm, &self.rules, std::slice::from_ref(reading)).await?;
        let mut ruling = self.decide(reading, &known);
        self.ask_server(reading, &mut ruling, &known).await?;
        Ok(ruling)
    }

    /// Parses the mails of a batch on blocking threads.
    async fn read(&self, stored: Vec<Stored>) -> Result<Vec<Reading>, Fault> {
        let raws = body::take(&self.store, stored.iter().map(|stored| stored.body).collect()).await?;
        let (rules, signer) = (self.rules.clone(), self.signer.clone());
        let parse = move || {
            let (started, count) = (Instant::now(), stored.len());
            let pairs = stored.into_iter().zip(raws);
            let readings =
                pairs.map(|(stored, raw)| reading::read(stored, &raw, &rules, signer.as_deref())).collect();
            crate::events::parsed(count, started.elapsed());
            readings
        };
        tokio::task::spawn_blocking(parse)
            .await
            .map_err(|error| Fault::bug(format!("reading a mail panicked: {error}")))
    }

    /// Decides in order of arrival; then once more whoever came before its parent, until nothing changes.
    fn decide_all(&self, readings: &[Reading], known: &mut Known) -> Vec<Ruling> {
        let mut rulings: Vec<Ruling> = Vec::with_capacity(readings.len());
        for reading in readings {
            let ruling = self.decide(reading, known);
            self.learn(reading, &ruling, known);
            rulings.push(ruling);
        }
        let mut changed = true;
        while changed {
            changed = false;
            for (reading, ruling) in readings.iter().zip(&mut rulings) {
                let again = self.decide(reading, known);
                if ruling.record.is_none() && again.record.is_some() {
                    self.learn(reading, &again, known);
                    *ruling = again;
                    changed = true;
                }
            }
        }
        rulings
    }

    fn decide(&self, reading: &Reading, known: &Known) -> Ruling {
        if reading.stored.method == Method::Person {
            return standing(&reading.stored); // a person's word stands
        }
        let found = signals::gather(reading, known, &self.rules);
        let parties: Vec<String> = reading.header_addresses().collect();
        let mut mailbox = self.mailbox(reading).clone();
        if let Some(track) = known.policies.get(&mailbox.name) {
            mailbox.track = *track;
        }
        let facts = Facts {
            class: reading.class,
            automatic: reading.automatic,
            direction: reading.stored.direction,
            authentication: reading.stored.authentication,
            known_sender: is_known(reading, known),
            mailbox: &mailbox,
            trust: self.rules.trust,
            never: self.rules.never.reason(&parties, reading.sensitivity.as_deref()),
            only_open: known.only_open(reading),
        };
        let mut ruling = decide::decide(&facts, &found);
        ruling.flags.extend(reading.flags.iter().cloned());
        ruling.flags.extend(reading.near_misses.iter().map(|miss| format!("damaged token {miss:?}")));
        ruling.flags.extend(reading.forged.iter().map(|id| format!("forged id {id:?}")));
        if is_reused(reading, known) {
            ruling.flags.push("message_id_reused".into());
        }
        ruling
    }

    fn mailbox(&self, reading: &Reading) -> &Mailbox {
        signals::mailbox(reading, &self.rules).unwrap_or(&self.rules.fallback)
    }

    /// Later mails of the lot see this one as decided.
    fn learn(&self, reading: &Reading, ruling: &Ruling, known: &mut Known) {
        let stored = &reading.stored;
        let parent = Parent {
            id: stored.id,
            state: ruling.state,
            record: ruling.record.clone(),
            activity: (ruling.state == MailState::Tracked).then(|| activity::id_of(stored, &self.rules)),
            mailbox: self.mailbox(reading).name.clone(),
            parties: reading.header_addresses().collect(),
        };
        let names =
            [(&stored.header_id, &mut known.parents), (&stored.conversation, &mut known.conversations)];
        for (name, map) in names {
            let Some(name) = name else { continue };
            let list = map.entry(name.clone()).or_default();
            list.retain(|known| known.id != stored.id);
            list.push(parent.clone());
        }
    }

    fn outcome(
        &self,
        readings: Vec<Reading>,
        rulings: Vec<Ruling>,
        mut written: Written,
        claims: Vec<Claim>,
    ) -> Outcome {
        let now = self.clock.now();
        let seen: HashSet<Uuid> = readings.iter().map(|reading| reading.stored.id.0).collect();
        let mut results = Vec::with_capacity(readings.len());
        for (reading, ruling) in readings.into_iter().zip(rulings) {
            let id = reading.stored.id;
            if let Some(fault) = written.failed.get(&id) {
                results.extend(shelved(&reading, fault, &self.ids, now));
                continue;
            }
            let mailbox = self.mailbox(&reading).name.clone();
            let (activity, record) = match written.filed.remove(&id) {
                Some(filed) => (Some(filed.activity), filed.record),
                None => (reading.stored.activity, ruling.record.clone()),
            };
            let mut decision = outcome::decision(&self.ids, now, &ruling);
            decision.record = record.clone();
            decision.class_evidence = reading.class_evidence;
            let stored = &reading.stored;
            crate::events::filed(now.duration_since(stored.received_at));
            crate::events::came(mailbox.clone(), stored.direction.as_str(), ruling.state.as_str());
            crate::events::verified(reading.signed.len(), reading.forged.len());
            let unchanged = stored.state == ruling.state
                && stored.method == ruling.method
                && stored.record == record
                && !written.refused.contains_key(&id); // the reason may be another one
            results.push(Settled {
                id,
                header_id: stored.header_id.clone(),
                class: reading.class,
                automatic: reading.automatic,
                mailbox,
                activity,
                decision,
                moved: record.is_some() && stored.record != record,
                record,
                report: reading.report.filter(|_| reading.class == Class::Bounce),
                unpacked: reading.unpacked,
                unchanged,
            });
            crate::events::decided(id, &ruling);
        }
        Outcome { results, claims, seen }
    }
}

/// What already stands, as a ruling: for mail that a person has placed.
fn standing(stored: &Stored) -> Ruling {
    Ruling {
        state: stored.state,
        method: stored.method,
        record: stored.record.clone(),
        parent: None,
        create: None,
        reason: "A person placed it.".into(),
        signals: Vec::new(),
        flags: Vec::new(),
    }
}

/// A mail that the CRM refused for good shows it at once; one to be retried keeps its state.
fn shelved(reading: &Reading, fault: &Fault, ids: &Ids, now: jiff::Timestamp) -> Option<Settled> {
    if matches!(fault.verdict, Verdict::Retry { .. } | Verdict::Hold) {
        return None;
    }
    let mut ruling = standing(&reading.stored);
    ruling.state = MailState::Shelf;
    ruling.reason = format!("The CRM refused the activity: {fault}");
    Some(Settled {
        id: reading.stored.id,
        header_id: None,
        class: reading.class,
        automatic: reading.automatic,
        mailbox: reading.stored.mailboxes.first().cloned().unwrap_or_default(),
        record: None,
        activity: reading.stored.activity,
        decision: outcome::decision(ids, now, &ruling),
        report: None,
        unpacked: Vec::new(),
        moved: false,
        unchanged: false,
    })
}

/// The update of an activity whose record changed.
fn moved(id: Uuid, record: Option<&RecordRef>) -> Record {
    let regarding = record.cloned().map_or(Value::Null, Value::Lookup);
    Record::new(RecordRef::new("email", id)).with("regardingobjectid", regarding)
}

fn is_known(reading: &Reading, known: &Known) -> bool {
    known.who(&reading.sender()).iter().any(|hit| hit.active)
}

/// Another mail has used the same Message-ID. A report often re-uses the id of the mail it is about.
fn is_reused(reading: &Reading, known: &Known) -> bool {
    let Some(id) = &reading.stored.header_id else { return false };
    known.parents.get(id).is_some_and(|others| others.iter().any(|other| other.id != reading.stored.id))
}
