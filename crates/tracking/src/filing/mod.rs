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
//! The lots themselves, and the one bad mail that must not stop its neighbours: `lots`. What stopped for good shows it:
//! [`shelved`].

pub mod activity;
pub mod decide;
mod deliver;
pub mod known;
pub mod load;
mod lots;
mod names;
mod order;
pub mod outcome;
pub mod parties;
pub mod place;
mod policy;
pub mod reading;
mod returned;
pub mod shelved;
pub mod signals;
mod write;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use postroom_core::{
    Class, Clock, Crm, Directory, Fault, Ids, JobId, MailState, Method, Record, RecordRef, Value,
};
use postroom_jobs::{Claim, Done};
use postroom_store::{Store, body};
use uuid::Uuid;

use decide::{Facts, Ruling};
use known::{Known, Parent};
use lots::{Batch, copy, mail_of};
use outcome::{Outcome, Settled};
use reading::{Reading, Stored};
use write::Written;

use crate::rules::{Mailbox, Rules};
use crate::token::Signer;

/// The job kind.
pub const KIND: &str = "mail.file";

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

impl Filing {
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

    /// What would be decided about one mail, writing nothing. The names that the directory knows are resolved in it.
    pub async fn rule(&self, reading: &mut Reading) -> Result<Ruling, Fault> {
        self.resolve_names(std::slice::from_mut(reading)).await?;
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
        if matches!(ruling.state, MailState::Tracked | MailState::Review) {
            ruling.flags.extend(parties::doubts(reading, known));
        }
        mark_purged(&reading.stored, &mut ruling);
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
            if written.failed.contains_key(&id) {
                continue; // its job fails, and shows it
            }
            let mailbox = self.mailbox(&reading).name.clone();
            let (activity, record) = match written.filed.remove(&id) {
                Some(filed) => (Some(filed.activity), filed.record),
                None => (reading.stored.activity, ruling.record.clone()),
            };
            let mut decision = outcome::decision(&self.ids, now, &ruling);
            decision.record = record.clone();
            decision.class_evidence = reading.class_evidence;
            let parties = reading.named.then(|| reading.stored.parties.join(" "));
            let stored = &reading.stored;
            crate::events::filed(now.duration_since(stored.received_at));
            crate::events::came(mailbox.clone(), stored.direction.as_str(), ruling.state.as_str());
            crate::events::verified(reading.signed.len(), reading.forged.len());
            crate::events::partly_read(id, &reading.partly);
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
                parties,
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

/// Says of a mail that is filed without its text and files that they were purged before.
fn mark_purged(stored: &Stored, ruling: &mut Ruling) {
    if stored.purged && ruling.state == MailState::Tracked {
        ruling.flags.push("body_purged".into());
        ruling.reason.push_str(" Its text and files were purged before: the e-mail has its headers only.");
    }
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
