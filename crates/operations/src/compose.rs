//! Writing mail on our own pages: what a form starts with, and the *Pending Send* e-mail that it makes. It leaves as all of
//! the CRM's mail does.
//!
//! Only for the CRM inside postroom: users of another one write there, with its rights and templates.

use std::sync::Arc;

use postroom_core::query::Filter;
use postroom_core::{
    Address, Change, ChangeSet, Code, Fault, Outcome, Query, Record, RecordRef, Value, address,
};
use postroom_tracking::filing::parties;
use postroom_tracking::writing::{self, Email, File, Party, SUBJECT};
use serde::Serialize;
use uuid::Uuid;

use crate::records::primary_key;
use crate::{Actor, Operations, Parts, Permission, audit};

/// Whether mail can be written here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Writing {
    /// These addresses and domains, in normal form, may stand in From besides the tracked mailboxes' own.
    Ready { senders: Vec<String> },
    /// Nothing sends mail: it would wait for ever.
    #[default]
    NoWayOut,
    /// Another CRM keeps the records; its users write there.
    OtherCrm,
}

/// A queue or user that may stand in From.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sender {
    pub record: RecordRef,
    pub name: String,
    pub address: String,
}

/// What a form begins with.
#[derive(Debug, Clone, Serialize)]
pub struct Draft {
    /// The e-mail's id to be: sent twice, the form makes one e-mail.
    pub id: Uuid,
    pub senders: Vec<Sender>,
    /// `TABLE/GUID` of the sender that is chosen at first.
    pub from: String,
    pub to: String,
    pub subject: String,
    /// The record that it is about.
    pub regarding: Option<RecordRef>,
}

/// An e-mail as it was typed.
#[derive(Debug, Clone, Default)]
pub struct NewMail {
    /// From the [`Draft`].
    pub id: Uuid,
    /// `TABLE/GUID` of a queue or user, or its address.
    pub from: String,
    /// Addresses with commas between.
    pub to: String,
    pub cc: String,
    pub subject: String,
    pub text: String,
    /// The e-mail that it answers.
    pub answers: Option<Uuid>,
    pub files: Vec<File>,
}

/// What is wrong with one field, for the person who typed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// `from`, `to`, `cc`, `subject`, `text`, `files`.
    pub field: &'static str,
    pub text: String,
}

/// What became of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Composed {
    /// The e-mail waits to be sent.
    Made(RecordRef),
    /// This very form was sent before.
    Known(RecordRef),
    /// It would be made; this was a trial.
    Would(RecordRef),
    Refused(Vec<FieldError>),
}

/// Tables that may stand in From, with their name and address.
const SENDERS: [(&str, &str, &str); 2] =
    [("queue", "name", "emailaddress"), ("systemuser", "fullname", "internalemailaddress")];
/// Senders offered.
const OFFERED: u64 = 500;
/// Columns that lead from a record to whom one would write about it, the first that is set wins.
const TO: [&str; 4] = ["primarycontactid", "parentcontactid", "customerid", "parentaccountid"];
/// Bytes of all files of one mail: encoded, that is what most mail servers take.
const FILES: usize = 25 << 20;
/// UTF-16 units of a file's name in the CRM.
const FILE_NAME: usize = 255;
/// Tables whose rows may refuse e-mail.
const OPT_OUT: [&str; 3] = ["contact", "lead", "account"];

impl Operations {
    /// Says whether mail can be written on the pages.
    pub fn with_writing(self, writing: Writing) -> Self {
        let parts = Arc::unwrap_or_clone(self.0);
        Operations(Arc::new(Parts { writing, ..parts }))
    }

    /// Why no mail can be written here; `None` when it can.
    pub fn writing_refused(&self) -> Option<&'static str> {
        match &self.0.writing {
            Writing::Ready { .. } => None,
            Writing::NoWayOut => {
                Some("No outgoing mail server is configured: set [smtp_out], and mail can be written here.")
            }
            Writing::OtherCrm => Some("The records are kept by another CRM: write the e-mail there."),
        }
    }

    /// The beginning of a mail about `at`, or of the answer to the e-mail `answers`.
    pub async fn draft(&self, actor: &Actor, at: &RecordRef, answers: Option<Uuid>) -> Result<Draft, Fault> {
        actor.needs(Permission::WriteRecords)?;
        self.can_write()?;
        let row = self.row(at).await?;
        let regarding = regarding(&row);
        let (senders, id) = (self.senders().await?, self.0.ids.next());
        let first = senders.first().map(|sender| sender.record.to_string()).unwrap_or_default();
        let Some(answers) = answers else {
            let to = self.address_of(&row).await?;
            return Ok(Draft { id, senders, from: first, to, subject: String::new(), regarding });
        };
        let email = self.row(&RecordRef::new("email", answers)).await?;
        let parties = self.parties_of(answers).await?;
        let incoming = email.get("directioncode").and_then(Value::as_bool) == Some(false);
        let of = |masks: &[i64]| -> Vec<&str> {
            let named = parties
                .iter()
                .filter(|row| row.int("participationtypemask").is_some_and(|mask| masks.contains(&mask)));
            named.filter_map(|row| row.text("addressused")).filter(|address| !address.is_empty()).collect()
        };
        let (ours, theirs) = if incoming { (of(&[2, 3, 4]), of(&[1])) } else { (of(&[1]), of(&[2])) };
        let same = |sender: &&Sender| {
            ours.iter().any(|own| address::normal(own) == address::normal(&sender.address))
        };
        let from = senders.iter().find(same).map_or(first, |sender| sender.record.to_string());
        let subject = writing::answer_subject(email.text("subject").unwrap_or_default());
        Ok(Draft { id, from, to: theirs.join(", "), subject, regarding, senders })
    }

    /// Makes the e-mail that a form describes. It is about `at`, and leaves as soon as it is seen. With `dry_run` nothing is
    /// made.
    pub async fn compose_mail(
        &self,
        actor: &Actor,
        at: &RecordRef,
        mail: &NewMail,
        dry_run: bool,
    ) -> Result<Composed, Fault> {
        actor.needs(Permission::WriteRecords)?;
        self.can_write()?;
        let email_at = RecordRef::new("email", mail.id);
        if !self.0.crm.find(&["email"], &[mail.id]).await?.is_empty() {
            return Ok(Composed::Known(email_at));
        }
        let regarding = regarding(&self.row(at).await?);
        let (email, errors) = self.checked(mail, regarding).await?;
        if !errors.is_empty() {
            return Ok(Composed::Refused(errors));
        }
        if dry_run {
            return Ok(Composed::Would(email_at));
        }
        let about = email.regarding.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
        let detail = format!("about {about}, to {} recipients", email.to.len() + email.cc.len());
        let entry = audit::Entry::new(actor, self.0.clock.now(), "mail.compose", &email_at, &detail);
        self.record_audit(entry).await?;
        let set = writing::activity(&email, self.rules().installation);
        let made = self.apply_one(set).await?;
        self.0.store.wake();
        Ok(if made { Composed::Made(email_at) } else { Composed::Known(email_at) })
    }

    fn can_write(&self) -> Result<(), Fault> {
        match self.writing_refused() {
            None => Ok(()),
            Some(why) => Err(Fault::reject(Code::API_CONFLICT, why)),
        }
    }

    async fn apply_one(&self, set: ChangeSet) -> Result<bool, Fault> {
        debug_assert!(matches!(set.changes.first(), Some(Change::Create(row)) if row.at.table == "email"));
        let answer = self.0.crm.apply(vec![set]).await.pop();
        let outcomes = answer.ok_or_else(|| Fault::bug("the CRM answered nothing for a change set"))??;
        Ok(outcomes.first() == Some(&Outcome::Created))
    }

    /// The e-mail with its parties, and what is wrong with it.
    async fn checked(
        &self,
        mail: &NewMail,
        regarding: Option<RecordRef>,
    ) -> Result<(Email, Vec<FieldError>), Fault> {
        let mut errors = Vec::new();
        let mut wrong = |field: &'static str, text: String| errors.push(FieldError { field, text });
        let senders = self.senders().await?;
        let is_from = |sender: &Sender| {
            sender.record.to_string() == mail.from
                || address::normal(&sender.address) == address::normal(&mail.from)
        };
        let from = senders.into_iter().find(is_from);
        if from.is_none() {
            wrong("from", "Choose one of the senders: this one may not send.".into());
        }
        let mut read = |field: &'static str, line: &str| {
            writing::recipients(line).unwrap_or_else(|error| {
                wrong(field, error.to_string());
                Vec::new()
            })
        };
        let (to, cc) = (read("to", &mail.to), read("cc", &mail.cc));
        if to.is_empty() && mail.to.trim_matches([' ', ',', ';']).is_empty() {
            wrong("to", "Name at least one recipient.".into());
        }
        subject_fits(&mail.subject, &mut wrong);
        if mail.text.trim().is_empty() {
            wrong("text", "Write something: an empty mail is not sent.".into());
        }
        files_fit(&mail.files, &mut wrong);
        let to = self.parties(to, regarding.as_ref()).await?;
        let cc: Vec<Party> = self.parties(cc, regarding.as_ref()).await?;
        for (field, parties) in [("to", &to), ("cc", &cc)] {
            let refusing = self.opted_out(parties).await?;
            errors.extend(refusing.into_iter().map(|address| {
                let text = format!("{address} does not want e-mail: the CRM has it marked so.");
                FieldError { field, text }
            }));
        }
        let cc =
            cc.into_iter().filter(|party| to.iter().all(|known| known.address != party.address)).collect();
        let from = from.map(|from| Party { address: from.address, record: Some(from.record) });
        let from = from.unwrap_or_else(|| Party { address: String::new(), record: None });
        let (subject, text) = (mail.subject.trim().to_owned(), mail.text.clone());
        let (id, answers, files) = (mail.id, mail.answers, mail.files.clone());
        Ok((Email { id, from, to, cc, subject, text, regarding, answers, files }, errors))
    }

    /// Whom the addresses belong to, as for mail that comes in.
    async fn parties(
        &self,
        addresses: Vec<Address>,
        regarding: Option<&RecordRef>,
    ) -> Result<Vec<Party>, Fault> {
        let asked: Vec<String> = addresses.iter().map(Address::normal).collect();
        let hits = self.0.crm.find_addresses(&asked).await?;
        let party = |address: Address| {
            let normal = address.normal();
            let of_it: Vec<_> = hits.iter().filter(|hit| hit.address == normal).cloned().collect();
            let record = parties::pick(&of_it, regarding).map(|hit| hit.record.clone());
            Party { address: address.address, record }
        };
        Ok(addresses.into_iter().map(party).collect())
    }

    /// Those whose rows are marked as not allowing e-mail.
    async fn opted_out(&self, parties: &[Party]) -> Result<Vec<String>, Fault> {
        let mut refusing = Vec::new();
        for table in OPT_OUT {
            let of_table = |party: &&Party| party.record.as_ref().is_some_and(|record| record.table == table);
            let ids: Vec<Value> = parties
                .iter()
                .filter(of_table)
                .filter_map(|party| party.record.as_ref().map(|record| record.id.into()))
                .collect();
            if ids.is_empty() {
                continue;
            }
            let marked = vec![Filter::In(primary_key(table), ids), Filter::eq("donotemail", true)];
            let query = Query::of(table).select(&["donotemail"]).filter(Filter::All(marked));
            for row in self.0.crm.query(&query).await? {
                let of_row = parties.iter().filter(|party| party.record.as_ref() == Some(&row.at));
                refusing.extend(of_row.map(|party| party.address.clone()));
            }
        }
        Ok(refusing)
    }

    /// Queues and users whose address may stand in From.
    async fn senders(&self) -> Result<Vec<Sender>, Fault> {
        let mut senders = Vec::new();
        for (table, name, column) in SENDERS {
            let mut wanted = vec![Filter::Not(Box::new(Filter::Null(column.into())))];
            if table == "systemuser" {
                wanted.push(Filter::Not(Box::new(Filter::eq("isdisabled", true))));
            }
            let query = Query::of(table).select(&[name, column]).filter(Filter::All(wanted));
            let rows = self.0.crm.query(&query.order_by(name, false).top(OFFERED)).await?;
            let sender = |row: &Record| Sender {
                record: row.at.clone(),
                name: row.text(name).unwrap_or_default().to_owned(),
                address: row.text(column).unwrap_or_default().trim().to_owned(),
            };
            senders.extend(rows.iter().map(sender).filter(|sender| self.may_send(&sender.address)));
        }
        Ok(senders)
    }

    /// The same rule as the guard of the way out.
    fn may_send(&self, from: &str) -> bool {
        let from = address::normal(from);
        let domain = address::domain(&from).unwrap_or_default();
        let Writing::Ready { senders } = &self.0.writing else { return false };
        let listed = |allowed: &String| *allowed == from || allowed.trim_start_matches('@') == domain;
        let ours = self.rules().mailboxes.iter().any(|mailbox| mailbox.addresses.contains(&from));
        !from.is_empty() && (ours || senders.iter().any(listed))
    }

    async fn parties_of(&self, email: Uuid) -> Result<Vec<Record>, Fault> {
        let query = Query::of("activityparty")
            .select(&["participationtypemask", "addressused"])
            .filter(Filter::eq("activityid", Value::lookup("email", email)));
        self.0.crm.query(&query).await
    }

    /// Whom one would write to about a record.
    async fn address_of(&self, row: &Record) -> Result<String, Fault> {
        if let Some(address) = row.text("emailaddress1") {
            return Ok(address.to_owned());
        }
        let lead = TO.iter().find_map(|column| row.lookup(column));
        let Some(lead) = lead.filter(|lead| OPT_OUT.contains(&lead.table.as_str())) else {
            return Ok(String::new());
        };
        let row = self.row(lead).await?;
        Ok(row.text("emailaddress1").unwrap_or_default().to_owned())
    }
}

fn subject_fits(subject: &str, wrong: &mut impl FnMut(&'static str, String)) {
    if writing::forges(subject) {
        wrong(
            "subject",
            "Take out the line end or control character: it would forge a header of the mail.".into(),
        );
    } else if subject.trim().is_empty() {
        wrong("subject", "Give the mail a subject.".into());
    } else if subject.encode_utf16().count() > SUBJECT {
        wrong("subject", format!("Use {SUBJECT} characters at most."));
    }
}

fn files_fit(files: &[File], wrong: &mut impl FnMut(&'static str, String)) {
    for file in files {
        let length = file.name.encode_utf16().count();
        let is_name = (1..=FILE_NAME).contains(&length) && !writing::forges(&file.name);
        if !is_name || file.name.contains(['/', '\\']) {
            let name: String = file.name.chars().take(80).collect();
            wrong("files", format!("{name:?} is no file name: 1 to {FILE_NAME} characters, no slashes."));
        }
        if writing::forges(&file.content_type) {
            wrong("files", format!("The type of {:?} would forge a header of the mail.", file.name));
        }
    }
    let sum: usize = files.iter().map(|file| file.bytes.len()).sum();
    if sum > FILES {
        wrong("files", format!("The files are {sum} bytes together; {FILES} fit into a mail."));
    }
}

/// What a mail about a row is about: the row itself, or what the e-mail is about that it is.
fn regarding(row: &Record) -> Option<RecordRef> {
    match row.at.table.as_str() {
        "email" => row.lookup("regardingobjectid").cloned(),
        _ => Some(row.at.clone()),
    }
}
