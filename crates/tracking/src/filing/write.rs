//! Writing what was decided to the CRM: mails as rows, all in one call, or handed to the server ([`super::deliver`]).
//!
//! A lot goes in *stages*. Rows are even ones, deliveries odd ones, and a mail comes after the one that it answers: so the
//! server correlates with what this lot wrote, and a row can name what the server delivered. Mostly there is one stage; where
//! rows and deliveries answer each other in turn, there are as many as the answers.

use std::collections::{BTreeMap, HashMap};

use postroom_core::{
    Change, ChangeSet, Direction, Fault, MailId, MailState, Method, Outcome, ReasonCode, RecordRef,
};
use uuid::Uuid;

use super::activity::{self, Activity};
use super::decide::Ruling;
use super::known::Known;
use super::order::{self, Turn};
use super::reading::{Reading, Stored};
use super::{Filing, moved};
use crate::rules::{DeliveryBy, Rules};

/// What became of a lot's tracked mails, each in one of these.
#[derive(Default)]
pub(super) struct Written {
    pub filed: HashMap<MailId, Filed>,
    pub failed: HashMap<MailId, Fault>,
    /// What the server does not take by its own rules.
    pub refused: HashMap<MailId, ReasonCode>,
}

/// An activity, and the record it regards.
pub(super) struct Filed {
    pub activity: Uuid,
    pub record: Option<RecordRef>,
}

/// A tracked mail on its way.
#[derive(Clone)]
pub(super) struct Item<'l> {
    pub reading: &'l Reading,
    pub ruling: Ruling,
    /// The activity as this lot speaks of it before it is written.
    id: Uuid,
}

/// How a mail gets into the CRM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Rows,
    /// The server delivered it before: only its record may change.
    Update(Uuid),
    Server,
}

/// Outgoing mail was never received, so no server delivers it; and a person's word stands against the server's rules too.
pub(super) fn by(stored: &Stored, rules: &Rules) -> By {
    let received = stored.direction == Direction::Incoming && stored.method != Method::Person;
    match (activity::elsewhere(stored, rules), stored.activity) {
        (Some(id), _) => By::Update(id),
        (None, None) if rules.delivery == DeliveryBy::Server && received => By::Server,
        _ => By::Rows,
    }
}

impl Filing {
    /// Writes the activities of the tracked mails.
    pub(super) async fn write(&self, readings: &[Reading], rulings: &[Ruling], known: &Known) -> Written {
        let mut written = Written::default();
        let tracked = readings.iter().zip(rulings).filter(|(_, ruling)| ruling.state == MailState::Tracked);
        let items: Vec<Item<'_>> = tracked
            .map(|(reading, ruling)| {
                let id = activity::id_of(&reading.stored, &self.rules);
                Item { reading, ruling: ruling.clone(), id }
            })
            .collect();
        // What each activity of this lot became: the server chooses ids of its own.
        let mut became: HashMap<Uuid, Option<Uuid>> = HashMap::new();
        for (stage, turns) in self.stages(&items) {
            let mut now = Vec::new();
            for turn in turns {
                let mut item = items[turn.place].clone();
                let parent = item.ruling.parent.filter(|_| !turn.cut);
                let known = parent.and_then(|parent| became.get(&parent));
                item.ruling.parent = known.copied().unwrap_or(parent);
                match known {
                    // Decided again, it finds that its parent has no activity.
                    Some(None) if by(&item.reading.stored, &self.rules) == By::Server => {
                        let text = "the mail that it answers was not filed";
                        let fault = Fault::retry(postroom_core::Code::CRM_REFERENCE, text);
                        written.failed.insert(item.reading.stored.id, fault);
                        became.insert(item.id, None);
                    }
                    _ => now.push(item),
                }
            }
            match is_delivered(stage) {
                true => self.hand_in(&now, known, &mut written).await,
                false => self.write_rows(&now, known, &mut written).await,
            }
            for item in &now {
                let filed = written.filed.get(&item.reading.stored.id);
                became.insert(item.id, filed.map(|filed| filed.activity));
            }
        }
        written
    }

    /// The turns of each stage.
    fn stages(&self, items: &[Item<'_>]) -> BTreeMap<usize, Vec<Turn>> {
        let links: Vec<_> = items.iter().map(|item| (item.id, item.ruling.parent)).collect();
        let mut of: HashMap<Uuid, usize> = HashMap::new();
        let mut stages: BTreeMap<usize, Vec<Turn>> = BTreeMap::new();
        for turn in order::parents_first(&links) {
            let item = &items[turn.place];
            let delivered = by(&item.reading.stored, &self.rules) == By::Server;
            let parent = item.ruling.parent.filter(|_| !turn.cut).and_then(|parent| of.get(&parent));
            let stage = match parent {
                Some(stage) if is_delivered(*stage) == delivered => *stage,
                Some(stage) => stage + 1,
                None => usize::from(delivered),
            };
            of.insert(item.id, stage);
            stages.entry(stage).or_default().push(turn);
        }
        stages
    }

    async fn write_rows(&self, items: &[Item<'_>], known: &Known, written: &mut Written) {
        let made: Vec<Activity> = items.iter().map(|item| self.rows_of(item, known)).collect();
        let mut sets = Vec::new();
        let mut ends = Vec::new();
        for (item, made) in items.iter().zip(made) {
            sets.push(made.set);
            ends.push((item, made.id, made.record));
        }
        if sets.is_empty() {
            return;
        }
        let mut refused = Vec::new();
        for ((item, activity, record), answer) in ends.into_iter().zip(self.crm.apply(sets).await) {
            let mail = item.reading.stored.id;
            match answer {
                Ok(outcomes) => {
                    let new = outcomes.contains(&Outcome::Created);
                    tracing::debug!(event = "crm.filed", message_id = %mail, new, "Wrote an activity");
                    written.filed.insert(mail, Filed { activity, record });
                }
                Err(fault) => {
                    refused.push(activity);
                    let orphaned = item.ruling.parent.is_some_and(|parent| refused.contains(&parent));
                    // Decided again, it finds that its parent has no activity.
                    let fault = if orphaned { Fault::retry(fault.code, fault.message) } else { fault };
                    written.failed.insert(mail, fault);
                }
            }
        }
    }

    fn rows_of(&self, item: &Item<'_>, known: &Known) -> Activity {
        let Item { reading, ruling, .. } = item;
        let stored = &reading.stored;
        if let By::Update(id) = by(stored, &self.rules) {
            // What only the server's correlation found stays.
            let kept = stored.record.clone().filter(|_| ruling.create.is_none());
            let record = ruling.record.clone().or(kept);
            return self.update_of(id, reading, &Ruling { record, ..ruling.clone() }, known);
        }
        let mut made = activity::build(reading, ruling, known, &self.rules);
        if stored.activity.is_some() && stored.record != made.record {
            made.set.changes.push(Change::Update(moved(made.id, made.record.as_ref())));
        }
        made
    }

    /// The activity of a mail that the server delivered, brought to the record of this ruling.
    pub(super) fn update_of(&self, id: Uuid, reading: &Reading, ruling: &Ruling, known: &Known) -> Activity {
        let person = activity::person_of(reading, ruling, known, &self.rules);
        let record = person.as_ref().map(|person| person.at.clone()).or_else(|| ruling.record.clone());
        let mut set = ChangeSet { changes: person.map(Change::Create).into_iter().collect() };
        if reading.stored.record != record {
            set.changes.push(Change::Update(moved(id, record.as_ref())));
        }
        Activity { id, set, record }
    }
}

fn is_delivered(stage: usize) -> bool {
    stage % 2 == 1
}
