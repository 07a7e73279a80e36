//! Programs: the service's own automations, and putting people into them.

use async_trait::async_trait;
use jiff::Timestamp;

use super::page::{Ask, ContactId, EnrolmentId, ListId, Page, ProgramId};
use super::send::Audience;
use super::word::words;
use crate::Fault;

words! {
    /// Whether a program takes people.
    ProgramStatus { Draft = "Draft", Deactivated = "Deactivated", Active = "Active", ReadOnly = "ReadOnly" }
}

/// A program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    pub id: ProgramId,
    pub name: String,
    pub status: ProgramStatus,
    pub created: Option<Timestamp>,
}

words! {
    /// Where an enrolment stands.
    EnrolmentStatus { Processing = "Processing", Finished = "Finished" }
}

/// People put into a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    pub id: EnrolmentId,
    pub program: ProgramId,
    pub status: EnrolmentStatus,
    pub created: Option<Timestamp>,
    pub people: Vec<ContactId>,
    pub lists: Vec<ListId>,
}

/// Somebody who was not put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentFault {
    pub contact: Option<ContactId>,
    pub email: String,
    /// As the service wrote it: `AlreadyInProgram`.
    pub reason: String,
}

/// Programs.
#[async_trait]
pub trait Programs: Send + Sync {
    async fn programs(&self, ask: &Ask) -> Result<Page<Program>, Fault>;

    /// Puts people and lists into a program; 20 calls in an hour are all that an account has, so put many in one. Made once: a
    /// lost answer is `Unknown`, and [`Programs::enrolments`] shows whether there is one of these people.
    ///
    /// # Errors
    /// [`crate::Code::MARKETING_STATE`] when the program is not active; [`crate::Code::MARKETING_LIMIT`] beyond 20.
    async fn enrol(&self, program: &ProgramId, who: &Audience) -> Result<Enrolment, Fault>;

    async fn enrolment(&self, id: &EnrolmentId) -> Result<Enrolment, Fault>;

    async fn enrolments(&self, status: &EnrolmentStatus, ask: &Ask) -> Result<Page<Enrolment>, Fault>;

    /// Who was not put in; `None` while it goes on.
    async fn enrolment_faults(&self, id: &EnrolmentId) -> Result<Option<Vec<EnrolmentFault>>, Fault>;
}
