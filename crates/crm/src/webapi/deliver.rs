//! `CheckIncomingEmail` and `DeliverIncomingEmail` over the Web API: a function and an action bound to all e-mails, many in a
//! batch. Each stands alone in it: one that is refused leaves its neighbours alone, and they are done in their order.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use postroom_core::metadata::Metadata;
use postroom_core::{Code, Content, Fault, Record};
use postroom_formats::odata::batch::{BatchAnswer, BatchItem, Response};
use serde_json::Value as Json;
use uuid::Uuid;

use super::api::{Api, unreadable};
use super::body::{self, Body};
use super::refusal::Refusal;
use super::wire::{Ask, Reply};
use crate::client::line::Trouble;
use crate::promises::deliver::{Delivers, Handed, Ready};
use crate::promises::table;
use crate::promises::write::copy;

/// Bytes of one batch, roughly; a single mail may be larger.
const BYTES: usize = 8 << 20;
/// A question longer than this is not asked: some servers take no longer URLs, and the delivery answers it too.
const QUESTION: usize = 6000;

#[async_trait]
impl Delivers for Api {
    async fn check(&self, mails: &[&Ready]) -> Result<Vec<Result<(bool, i64), Refusal>>, Fault> {
        let paths: Vec<String> = mails.iter().map(|mail| question(mail)).collect();
        let asked: Vec<String> = paths.iter().filter(|path| path.len() <= QUESTION).cloned().collect();
        let mut said = self.get_many(&asked, "").await?.into_iter().peekable();
        let one = |path: &String| match said.next_if(|_| path.len() <= QUESTION) {
            Some(Ok(body)) => answer(&body).map(Ok),
            Some(Err(refusal)) => Ok(Err(refusal)),
            None => Ok(Ok(TAKEN)),
        };
        paths.iter().map(one).collect()
    }

    async fn hand_in(&self, metadata: &Metadata, mails: &[&Ready]) -> Vec<Handed> {
        let mut said = Vec::with_capacity(mails.len());
        for mail in mails {
            match body_of(metadata, mail) {
                Ok(body) => said.push(body),
                Err(fault) => return mails.iter().map(|_| Handed::Not(copy(&fault))).collect(),
            }
        }
        let path = match table(metadata, "email") {
            Ok(email) => format!("{}/Microsoft.Dynamics.CRM.DeliverIncomingEmail", email.entity_set),
            Err(fault) => return mails.iter().map(|_| Handed::Not(copy(&fault))).collect(),
        };
        let mut handed = Vec::with_capacity(mails.len());
        while handed.len() < said.len() {
            let rest = &said[handed.len()..];
            let batches = self.batches();
            let count = if batches { self.fitting_bodies(rest) } else { 1 };
            match batches {
                true => handed.extend(self.hand_in_batch(&path, &rest[..count]).await),
                false => handed.push(self.hand_in_one(&path, &rest[0]).await),
            }
        }
        handed
    }

    fn unknown(&self, refusal: &Refusal) -> bool {
        refusal.unknown_here()
    }
}

/// As if it had been asked.
const TAKEN: (bool, i64) = (true, -1);

impl Api {
    fn fitting_bodies(&self, bodies: &[Vec<u8>]) -> usize {
        let mut bytes = 0;
        let fits = |body: &&Vec<u8>| {
            bytes += body.len() + 300;
            bytes <= BYTES
        };
        bodies.iter().take(self.line.batch_size()).take_while(fits).count().max(1)
    }

    async fn hand_in_batch(&self, path: &str, bodies: &[Vec<u8>]) -> Vec<Handed> {
        let part = |body: &Vec<u8>| BatchItem::One(self.part("POST", path, "", body.clone()));
        let items: Vec<BatchItem> = bodies.iter().map(part).collect();
        match self.batch(&items, false).await {
            Ok(answers) => {
                let mut handed: Vec<Handed> = answers.into_iter().take(items.len()).map(read).collect();
                let cut = || {
                    Handed::Lost(Fault::retry(Code::CRM_AWAY, "the answer to a batch of mails was cut off"))
                };
                handed.resize_with(items.len(), cut);
                handed
            }
            Err(Trouble::Refused(refusal)) if refusal.unknown_here() => {
                self.no_batches();
                let mut handed = Vec::with_capacity(bodies.len());
                for body in bodies {
                    handed.push(self.hand_in_one(path, body).await);
                }
                handed
            }
            Err(Trouble::Refused(refusal)) => {
                bodies.iter().map(|_| Handed::Refused(refusal.clone())).collect()
            }
            Err(Trouble::Lost(fault)) => bodies.iter().map(|_| Handed::Lost(copy(&fault))).collect(),
            Err(Trouble::Fault(fault)) => bodies.iter().map(|_| Handed::Not(copy(&fault))).collect(),
        }
    }

    async fn hand_in_one(&self, path: &str, body: &[u8]) -> Handed {
        let headers = vec![("content-type", "application/json".to_owned())];
        let (url, body) = (self.url(path), Bytes::copy_from_slice(body));
        let ask = Ask { method: Method::POST, url, headers, body, repeatable: false, writes: 1 };
        match self.exchange(&ask).await {
            Ok(Reply { body, .. }) => email_id(&body),
            Err(Trouble::Refused(refusal)) => Handed::Refused(refusal),
            Err(Trouble::Lost(fault)) => Handed::Lost(fault),
            Err(Trouble::Fault(fault)) => Handed::Not(fault),
        }
    }
}

fn read(answer: BatchAnswer) -> Handed {
    match answer {
        BatchAnswer::One(Response { status, body, .. }) if status >= 400 => {
            Handed::Refused(Refusal::read(StatusCode::from_u16(status).unwrap_or_default(), &body))
        }
        BatchAnswer::One(response) => email_id(&response.body),
        BatchAnswer::ChangeSet(_) => {
            Handed::Lost(Fault::retry(Code::CRM_AWAY, "the CRM answered a mail with a change set"))
        }
    }
}

fn email_id(body: &[u8]) -> Handed {
    let json: Json = match serde_json::from_slice(body) {
        Ok(json) => json,
        Err(error) => return Handed::Lost(unreadable(error)),
    };
    let id = json["EmailId"].as_str().and_then(|id| id.parse::<Uuid>().ok());
    id.map_or_else(
        || Handed::Lost(Fault::retry(Code::CRM_AWAY, "the CRM delivered a mail and named no e-mail")),
        Handed::Done,
    )
}

fn answer(body: &[u8]) -> Result<(bool, i64), Fault> {
    let json: Json = serde_json::from_slice(body).map_err(unreadable)?;
    let strange = || Fault::retry(Code::CRM_AWAY, "the CRM's answer to CheckIncomingEmail is none");
    let taken = json["ShouldDeliver"].as_bool().ok_or_else(strange)?;
    Ok((taken, json["ReasonCode"].as_i64().unwrap_or(-1)))
}

/// The function's URL: texts behind aliases, so that they may hold anything.
fn question(ready: &Ready) -> String {
    let mail = &ready.mail;
    let text = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let mut parameters = vec![
        ("MessageId", text(&mail.message_id)),
        ("Subject", text(&mail.subject)),
        ("From", text(&mail.from)),
        ("To", text(&mail.to.join(";"))),
        ("Cc", text(&mail.cc.join(";"))),
        ("Bcc", text(&mail.bcc.join(";"))),
    ];
    parameters.extend(extra(ready).map(|extra| ("ExtraProperties", extra)));
    let names: Vec<String> =
        parameters.iter().enumerate().map(|(place, (name, _))| format!("{name}=@p{place}")).collect();
    let values = parameters
        .iter()
        .enumerate()
        .map(|(place, (_, value))| format!("@p{place}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
    format!("CheckIncomingEmail({})?{}", names.join(","), values.collect::<Vec<_>>().join("&"))
}

/// What the mail answers, in the entity that carries columns which the message has no parameter for (unverified: no
/// Microsoft server was at hand).
fn extra(ready: &Ready) -> Option<String> {
    let parent = ready.mail.in_reply_to.as_ref().filter(|_| ready.threaded)?;
    let mut extra = typed("email");
    extra.put("inreplyto", &body::quoted(parent));
    Some(extra.finish())
}

fn typed(table: &str) -> Body {
    let mut body = Body::default();
    body.put("@odata.type", &body::quoted(&format!("Microsoft.Dynamics.CRM.{table}")));
    body
}

fn body_of(metadata: &Metadata, ready: &Ready) -> Result<Vec<u8>, Fault> {
    let mail = &ready.mail;
    let text = match &mail.body {
        Content::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => return Err(Fault::bug("a mail's body was not read before it was sent")),
    };
    let mut body = Body::default();
    let texts = [
        ("MessageId", mail.message_id.as_str()),
        ("Subject", &mail.subject),
        ("From", &mail.from),
        ("To", &mail.to.join(";")),
        ("Cc", &mail.cc.join(";")),
        ("Bcc", &mail.bcc.join(";")),
        ("ReceivedOn", &mail.received_on.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        ("SubmittedBy", &mail.submitted_by),
        ("Importance", mail.importance.as_str()),
        ("Body", &text),
    ];
    texts.into_iter().for_each(|(name, text)| body.put(name, &body::quoted(text)));
    let rows = mail.attachments.iter().map(|row| attachment(metadata, row));
    let rows = rows.collect::<Result<Vec<String>, Fault>>()?;
    body.put("Attachments", &format!("[{}]", rows.join(",")));
    if let Some(extra) = extra(ready) {
        body.put("ExtraProperties", &extra);
    }
    Ok(body.finish().into_bytes())
}

fn attachment(metadata: &Metadata, row: &Record) -> Result<String, Fault> {
    let name = "activitymimeattachment";
    let table = table(metadata, name)?;
    let mut body = typed(name);
    for (name, value) in &row.columns {
        if let Some(column) = table.column(name).filter(|column| column.valid_for_create) {
            body.put(name, &body::json(table, column, value)?);
        }
    }
    Ok(body.finish())
}
