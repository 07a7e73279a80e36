//! Writing and answering mail for programs and commands: what is left out is filled in as the page's form begins, and what
//! is wrong is told field by field.

use postroom_core::{Code, Fault, MailId, RecordRef};
use postroom_tracking::writing::File;
use serde::Serialize;
use uuid::Uuid;

use crate::{Actor, Composed, FieldError, NewMail, Operations};

/// What a mail is written about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    Record(RecordRef),
    /// It answers this mail.
    Answer(MailId),
}

/// A mail to be written. What is `None` or empty is filled in where that can be done.
#[derive(Debug, Clone, Default)]
pub struct Letter {
    /// The e-mail's id to be: given twice, it makes one e-mail.
    pub id: Option<Uuid>,
    /// `TABLE/GUID` or address of a queue or user. Left out: whom the answered mail was sent to, else the first that may send.
    pub from: Option<String>,
    /// Addresses with commas between. Left out: who wrote the answered mail, else whom one writes to about the record.
    pub to: Option<String>,
    pub cc: String,
    /// Left out: that of the answered mail.
    pub subject: Option<String>,
    pub text: String,
    pub files: Vec<File>,
}

/// A mail that was written, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    pub email: RecordRef,
    /// False when it was written before.
    pub new: bool,
    pub dry_run: bool,
    /// `TABLE/GUID` or address, as it was given or found.
    pub from: String,
    pub to: String,
    pub cc: String,
    pub subject: String,
    /// The record that it is about.
    pub regarding: Option<RecordRef>,
    /// The e-mail that it answers.
    pub answers: Option<Uuid>,
    /// Names of the files with it.
    pub files: Vec<String>,
}

/// Why a mail was not written.
#[derive(Debug, thiserror::Error)]
pub enum Unwritten {
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The fields that have to be corrected; at least one.
    #[error("{}", sentence(.0))]
    Fields(Vec<FieldError>),
}

impl Operations {
    /// Writes a mail about a record, or answers one. It leaves as all of the CRM's mail does.
    pub async fn write_mail(
        &self,
        actor: &Actor,
        about: &About,
        letter: Letter,
        dry_run: bool,
    ) -> Result<Written, Unwritten> {
        let (at, answers) = match about {
            About::Record(record) => (record.clone(), None),
            About::Answer(id) => {
                let email = self.filed_as(actor, *id).await?;
                (RecordRef::new("email", email), Some(email))
            }
        };
        let draft = self.draft(actor, &at, answers).await?;
        let mail = NewMail {
            id: letter.id.unwrap_or(draft.id),
            from: letter.from.unwrap_or(draft.from),
            to: letter.to.unwrap_or(draft.to),
            cc: letter.cc,
            subject: letter.subject.unwrap_or(draft.subject),
            text: letter.text,
            answers,
            files: letter.files,
        };
        let (email, new) = match self.compose_mail(actor, &at, &mail, dry_run).await? {
            Composed::Made(email) | Composed::Would(email) => (email, true),
            Composed::Known(email) => (email, false),
            Composed::Refused(errors) => return Err(Unwritten::Fields(errors)),
        };
        let files = mail.files.into_iter().map(|file| file.name).collect();
        let (from, to, cc, subject) = (mail.from, mail.to, mail.cc, mail.subject);
        Ok(Written { email, new, dry_run, from, to, cc, subject, regarding: draft.regarding, answers, files })
    }

    /// The CRM's e-mail that a message is filed as.
    async fn filed_as(&self, actor: &Actor, id: MailId) -> Result<Uuid, Fault> {
        let message = self.message(actor, id).await?.message;
        message.activity_id.ok_or_else(|| {
            let text =
                format!("{id} is no e-mail of the CRM: it is {}; attach it to a record first", message.state);
            Fault::reject(Code::API_CONFLICT, text)
        })
    }
}

fn sentence(errors: &[FieldError]) -> String {
    let told: Vec<String> = errors.iter().map(|error| format!("{}: {}", error.field, error.text)).collect();
    told.join(" ")
}
