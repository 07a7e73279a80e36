//! Programs and enrolments. Source: dotdigital.md A19.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Account;
use super::behaviour::Behaviour;
use super::contact::Status;
use super::import::Pace;
use super::sending::{MailKind, Mailing};

/// Enrolments that an account may make in an hour, over all programs.
pub const MOST_ENROLMENTS: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProgramStatus {
    Draft,
    Deactivated,
    Active,
    ReadOnly,
}

impl ProgramStatus {
    pub fn word(self) -> &'static str {
        match self {
            ProgramStatus::Draft => "Draft",
            ProgramStatus::Deactivated => "Deactivated",
            ProgramStatus::Active => "Active",
            ProgramStatus::ReadOnly => "ReadOnly",
        }
    }
}

/// A program: here, one campaign that each person gets when it enters.
#[derive(Debug, Serialize, Deserialize)]
pub struct Program {
    pub id: i32,
    pub name: String,
    pub status: ProgramStatus,
    pub created: Timestamp,
    pub campaign: Option<i32>,
    pub enrolled: BTreeSet<i32>,
}

/// An enrolment: a job.
#[derive(Debug, Serialize, Deserialize)]
pub struct Enrolment {
    pub id: Uuid,
    pub program: i32,
    pub contacts: Vec<i32>,
    pub lists: Vec<i32>,
    pub created: Timestamp,
    pub polls: u32,
    pub done: bool,
    /// Contact, address, number, reason.
    pub faults: Vec<(i32, String, String, String)>,
}

impl Account {
    /// Enrolments of the last hour.
    pub fn recent_enrolments(&self, now: Timestamp) -> usize {
        let recent = |made: Timestamp| now.duration_since(made) < SignedDuration::from_hours(1);
        self.enrolments.values().filter(|enrolment| recent(enrolment.created)).count()
    }

    /// Finishes the enrolments that are due.
    pub fn settle_enrolments(&mut self, pace: &Pace, behaviour: &Behaviour, now: Timestamp) {
        let due = |job: &&Enrolment| {
            let age = now.duration_since(job.created);
            !job.done
                && ((job.polls >= pace.polls && age >= pace.time) || age >= SignedDuration::from_mins(10))
        };
        let due: Vec<Uuid> = self.enrolments.values().filter(due).map(|job| job.id).collect();
        for id in due {
            let Some(mut enrolment) = self.enrolments.remove(&id) else { continue };
            self.enrol(&mut enrolment, behaviour, now);
            self.enrolments.insert(id, enrolment);
        }
    }

    fn enrol(&mut self, enrolment: &mut Enrolment, behaviour: &Behaviour, now: Timestamp) {
        enrolment.done = true;
        let mut people: BTreeMap<i32, Option<i32>> =
            enrolment.contacts.iter().map(|contact| (*contact, None)).collect();
        for list in &enrolment.lists {
            for contact in self.members(*list) {
                people.entry(contact).or_insert(Some(*list));
            }
        }
        for (contact, list) in people {
            let Some(known) = self.contacts.get(contact) else { continue };
            let (address, mobile) = (known.email.clone(), known.mobile.clone().unwrap_or_default());
            let email = address.as_deref().unwrap_or_default().to_owned();
            let status = self.status_of(&email);
            let Some(program) = self.programs.get_mut(&enrolment.program) else { return };
            let reason = match status {
                // The service's own spelling.
                Status::Unsubscribed => Some("Unsubcribed"),
                status if status.suppresses() => Some("Suppressed"),
                _ if !program.enrolled.insert(contact) => Some("AlreadyInProgram"),
                _ => None,
            };
            if let Some(reason) = reason {
                enrolment.faults.push((contact, email, mobile, reason.to_owned()));
                continue;
            }
            let campaign = program.campaign;
            if let (Some(campaign), Some(email)) = (campaign, address) {
                let mailing = Mailing {
                    at: now,
                    kind: MailKind::Program,
                    send: None,
                    campaign: Some(campaign),
                    contact,
                    email,
                    list,
                    suppressed: None,
                    departed: false,
                    mailed: true,
                };
                self.deliver(mailing, 0, behaviour);
            }
        }
    }
}
