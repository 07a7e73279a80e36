//! `CheckIncomingEmail` and `DeliverIncomingEmail` as messages of the Organization service, which every generation has; many
//! in one `ExecuteMultiple` where the server knows that.

use async_trait::async_trait;
use http::StatusCode;
use postroom_core::metadata::Metadata;
use postroom_core::{Code, Content, Fault, Record};
use postroom_formats::soap::operation::Answer;
use postroom_formats::soap::reply::{Item, Said};
use postroom_formats::soap::request::{Request, Response, Settings};
use postroom_formats::soap::value::{Any, Entity, EntityCollection};
use uuid::Uuid;

use super::ability::Ability;
use super::body;
use super::refusal::{self, unknown};
use super::service::{Service, strange};
use crate::client::line::Trouble;
use crate::promises::deliver::{Delivers, Handed, Ready};
use crate::promises::table;
use crate::promises::write::copy;
use crate::refusal::Refusal;

/// Bytes of one message, roughly; a single mail may be larger.
const BYTES: usize = 8 << 20;
const FILE: &str = "activitymimeattachment";

#[async_trait]
impl Delivers for Service {
    async fn check(&self, mails: &[&Ready]) -> Result<Vec<Result<(bool, i64), Refusal>>, Fault> {
        let requests = mails.iter().map(|ready| head("CheckIncomingEmail", ready)).collect();
        let answers = self.several(requests).await?;
        let read = |answer: Result<Said, Refusal>| match answer {
            Err(refusal) => Ok(Err(refusal)),
            Ok(Said::Answer(Answer::Execute(response))) => {
                match (response.get("ShouldDeliver"), response.get("ReasonCode")) {
                    (Some(Any::Boolean(taken)), Some(Any::Int(reason))) => {
                        Ok(Ok((*taken, i64::from(*reason))))
                    }
                    (Some(Any::Boolean(taken)), _) => Ok(Ok((*taken, -1))),
                    _ => Err(strange("CheckIncomingEmail")),
                }
            }
            Ok(_) => Err(strange("CheckIncomingEmail")),
        };
        answers.into_iter().map(read).collect()
    }

    async fn hand_in(&self, metadata: &Metadata, mails: &[&Ready]) -> Vec<Handed> {
        let mut said = Vec::with_capacity(mails.len());
        for ready in mails {
            match delivery(metadata, ready) {
                Ok(request) => said.push((size(ready), request)),
                Err(fault) => return mails.iter().map(|_| Handed::Not(copy(&fault))).collect(),
            }
        }
        let mut handed = Vec::with_capacity(mails.len());
        while handed.len() < said.len() {
            let rest = &said[handed.len()..];
            match self.alike_mails(rest) {
                0 | 1 => handed.push(self.hand_in_one(rest[0].1.clone()).await),
                count => match self.hand_in_many(&rest[..count]).await {
                    Some(answers) => handed.extend(answers),
                    // The server does not know the message.
                    None => continue,
                },
            }
        }
        handed
    }

    fn unknown(&self, refusal: &Refusal) -> bool {
        unknown(refusal)
    }
}

impl Service {
    /// How many of the first mails go in one message.
    fn alike_mails(&self, mails: &[(usize, Request)]) -> usize {
        if !self.abilities.has(Ability::Multiple) {
            return 0;
        }
        let mut bytes = 0;
        let fits = |mail: &&(usize, Request)| {
            bytes += mail.0;
            bytes <= BYTES
        };
        mails.iter().take(self.line.batch_size()).take_while(fits).count()
    }

    /// `None` when the server does not know `ExecuteMultiple`.
    async fn hand_in_many(&self, mails: &[(usize, Request)]) -> Option<Vec<Handed>> {
        let requests = mails.iter().map(|(_, request)| request.clone()).collect();
        let settings = Settings { continue_on_error: true, return_responses: true };
        Some(match self.multiple(requests, settings, false).await {
            Ok(items) => (0..mails.len()).map(|place| answered(&items, place)).collect(),
            Err(Trouble::Refused(refusal)) if unknown(&refusal) => {
                self.abilities.lose(Ability::Multiple);
                return None;
            }
            Err(Trouble::Refused(refusal)) => {
                mails.iter().map(|_| Handed::Refused(refusal.clone())).collect()
            }
            Err(Trouble::Lost(fault)) => mails.iter().map(|_| Handed::Lost(copy(&fault))).collect(),
            Err(Trouble::Fault(fault)) => mails.iter().map(|_| Handed::Not(copy(&fault))).collect(),
        })
    }

    async fn hand_in_one(&self, request: Request) -> Handed {
        match self.execute(request, false).await {
            Ok(response) => email_id(&response),
            Err(Trouble::Refused(refusal)) => Handed::Refused(refusal),
            Err(Trouble::Lost(fault)) => Handed::Lost(fault),
            Err(Trouble::Fault(fault)) => Handed::Not(fault),
        }
    }
}

/// What the server said of the mail at this place.
fn answered(items: &[Item], place: usize) -> Handed {
    let item = items.iter().find(|item| usize::try_from(item.index).ok() == Some(place));
    match item.map(|item| (&item.fault, &item.said)) {
        Some((Some(fault), _)) => Handed::Refused(refusal::of(fault, StatusCode::INTERNAL_SERVER_ERROR)),
        Some((None, Some(Said::Answer(Answer::Execute(response))))) => email_id(response),
        _ => Handed::Lost(Fault::retry(Code::CRM_AWAY, "the CRM left out the answer to a mail")),
    }
}

fn email_id(response: &Response) -> Handed {
    let id = response.get("EmailId").and_then(Any::as_guid);
    id.map_or_else(|| Handed::Lost(strange("DeliverIncomingEmail")), Handed::Done)
}

/// What both messages say of a mail.
fn head(message: &str, ready: &Ready) -> Request {
    let mail = &ready.mail;
    let text = |text: &str| Any::String(text.to_owned());
    let request = Request::new(message)
        .with("MessageId", text(&mail.message_id))
        .with("Subject", text(&mail.subject))
        .with("From", text(&mail.from))
        .with("To", text(&mail.to.join(";")))
        .with("Cc", text(&mail.cc.join(";")))
        .with("Bcc", text(&mail.bcc.join(";")));
    // The entity carries columns which the message has no parameter for (unverified: no Microsoft server was at hand).
    match mail.in_reply_to.as_ref().filter(|_| ready.threaded) {
        Some(parent) => {
            let extra = Entity::new("email", Uuid::nil()).with("inreplyto", text(parent));
            request.with("ExtraProperties", Any::Entity(Box::new(extra)))
        }
        None => request,
    }
}

fn delivery(metadata: &Metadata, ready: &Ready) -> Result<Request, Fault> {
    let mail = &ready.mail;
    let Content::Bytes(html) = &mail.body else {
        return Err(Fault::bug("a mail's body was not read before it was sent"));
    };
    let rows = mail.attachments.iter().map(|row| attachment(metadata, row));
    let files = EntityCollection::of(FILE, rows.collect::<Result<Vec<Entity>, Fault>>()?);
    Ok(head("DeliverIncomingEmail", ready)
        .with("ReceivedOn", Any::DateTime(mail.received_on))
        .with("SubmittedBy", Any::String(mail.submitted_by.clone()))
        .with("Importance", Any::String(mail.importance.as_str().to_owned()))
        .with("Body", Any::String(String::from_utf8_lossy(html).into_owned()))
        .with("Attachments", Any::EntityCollection(EntityCollection { min_row_version: None, ..files })))
}

fn attachment(metadata: &Metadata, row: &Record) -> Result<Entity, Fault> {
    let table = table(metadata, FILE)?;
    let mut entity = Entity::new(FILE, Uuid::nil());
    for (name, value) in &row.columns {
        if let Some(column) = table.column(name).filter(|column| column.valid_for_create) {
            entity.attributes.push((name.to_string(), body::any(table, column, value)?));
        }
    }
    Ok(entity)
}

/// Bytes, roughly.
fn size(ready: &Ready) -> usize {
    let body = |content: &Content| match content {
        Content::Bytes(bytes) => bytes.len(),
        _ => 0,
    };
    let files = ready.mail.attachments.iter().filter_map(|row| match row.get("body") {
        Some(postroom_core::Value::Content(content)) => Some(body(content) / 3 * 4 + 1000),
        _ => None,
    });
    files.sum::<usize>() + body(&ready.mail.body) + 2000
}
