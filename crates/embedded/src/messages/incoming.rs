//! Mails coming in by the platform's own way: CheckIncomingEmail and DeliverIncomingEmail, CheckPromoteEmail and
//! DeliverPromoteEmail (dataverse.md B6 to B8).
//!
//! Acceptance comes first: a recipient who is a user or queue must want the mail by his filtering method. Then correlation:
//! the mail that it answers gives the regarding record. People are found by address among all rows, whatever the caller may
//! see, as the platform does it; what is written, is written with the caller's rights.
//!
//! Columns that the entity reference marks read-only (`inreplyto`, `correlationmethod`, …) stay empty here.

mod addresses;
mod write;

use postroom_core::{AddressHit, Crm, Filter, Query, RecordRef, Value};

use super::ask::Ask;
use super::tracking::{self, Match, Settings};
use super::{Parameter, Prepared, codes, refuse};
use crate::failure::Failure;
use addresses::{Addresses, list};

/// Why a mail is taken or not: `CheckIncomingEmailResponse.ReasonCode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
enum Reason {
    Duplicate = 0,
    NoCorrelationMatch = 1,
    CorrelationMatch = 2,
    NoRecipientMatch = 3,
    InternalEmailReject = 4,
    SenderMatch = 5,
    AcceptAll = 6,
    InvalidSender = 7,
}

/// `incomingemailfilteringmethod`
const ALL: i64 = 0;
const REPLIES: i64 = 1;
const PEOPLE: i64 = 2;
const ANY_RECORD: i64 = 3;

/// What was found out about a mail.
struct Judged {
    reason: Reason,
    deliver: bool,
    /// The users and queues that want it, in the order of the recipients.
    accepting: Vec<RecordRef>,
    matched: Option<Match>,
    people: Addresses,
}

/// The mail as the message describes it.
struct Mail<'a> {
    message_id: &'a str,
    subject: &'a str,
    from: Vec<String>,
    recipients: Vec<(i64, Vec<String>)>,
    in_reply_to: Option<String>,
}

impl<'a> Mail<'a> {
    fn read(ask: &'a Ask<'_>) -> Result<Self, Failure> {
        let all = |name| ask.text(name).map(|text| list(text.unwrap_or_default()));
        let extra = ask.given("ExtraProperties")?;
        Ok(Mail {
            message_id: ask.text("MessageId")?.unwrap_or_default().trim(),
            subject: ask.text("Subject")?.unwrap_or_default(),
            from: all("From")?,
            recipients: vec![
                (super::mail::TO, all("To")?),
                (super::mail::CC, all("Cc")?),
                (super::mail::BCC, all("Bcc")?),
            ],
            in_reply_to: extra.and_then(|extra| extra.record.text("inreplyto").map(str::to_owned)),
        })
    }

    fn everybody(&self) -> impl Iterator<Item = &String> {
        self.recipients.iter().flat_map(|(_, list)| list)
    }
}

pub(super) async fn check(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let mail = Mail::read(ask)?;
    let judged = judge(ask, &mail).await?;
    Ok(Prepared::answer(vec![
        ("ShouldDeliver", Parameter::Bool(judged.deliver)),
        ("ReasonCode", Parameter::Int(judged.reason as i64)),
    ]))
}

/// Someone tracks the mail by hand: only a mail that is there already is refused.
pub(super) async fn check_promote(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let id = ask.text("MessageId")?.unwrap_or_default().trim();
    let known = is_known(ask, id).await?;
    let reason = if known { Reason::Duplicate } else { Reason::AcceptAll };
    Ok(Prepared::answer(vec![
        ("ShouldPromote", Parameter::Bool(!known)),
        ("ReasonCode", Parameter::Int(reason as i64)),
    ]))
}

pub(super) async fn deliver(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    for name in ["MessageId", "From", "ReceivedOn"] {
        ask.need(name)?;
    }
    let mail = Mail::read(ask)?;
    let judged = judge(ask, &mail).await?;
    if !judged.deliver {
        let text = format!(
            "The e-mail cannot be delivered because it was refused by the rules of its recipients. Reason Code: {}.",
            judged.reason as i64
        );
        return Err(refuse(codes::CANNOT_ACCEPT, text));
    }
    write::delivered(ask, &mail, &judged).await
}

/// Tracks a mail: no rule of a recipient is asked.
pub(super) async fn promote(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let mail = Mail::read(ask)?;
    let people = people(ask, &mail).await?;
    let settings = Settings::read(ask).await?;
    let matched = tracking::correlate(ask, &settings, mail.subject, mail.in_reply_to.as_deref()).await?;
    let at = match (&ask.message.target, ask.guid("EmailId")?) {
        (Some(at), _) if at.table == "email" => at.clone(),
        (_, Some(id)) => RecordRef::new("email", id),
        _ => RecordRef::new("email", ask.ids.next()),
    };
    write::promoted(ask, &mail, &people, matched, at).await
}

async fn people(ask: &Ask<'_>, mail: &Mail<'_>) -> Result<Addresses, Failure> {
    let all: Vec<String> = mail.from.iter().chain(mail.everybody()).cloned().collect();
    let hits = Crm::find_addresses(ask.session.crm(), &all).await?;
    let row = ask.organization(&["unresolveemailaddressifmultiplematch"]).await?;
    let strict = row.get("unresolveemailaddressifmultiplematch").and_then(Value::as_bool);
    Ok(Addresses::new(hits, strict.unwrap_or(false)))
}

async fn is_known(ask: &Ask<'_>, message_id: &str) -> Result<bool, Failure> {
    if message_id.is_empty() {
        return Ok(false);
    }
    let query = Query::of("email").select(&[]).filter(Filter::eq("messageid", message_id)).top(1);
    Ok(!ask.system(query).await?.is_empty())
}

async fn judge(ask: &Ask<'_>, mail: &Mail<'_>) -> Result<Judged, Failure> {
    let people = people(ask, mail).await?;
    let settings = Settings::read(ask).await?;
    let matched = tracking::correlate(ask, &settings, mail.subject, mail.in_reply_to.as_deref()).await?;
    let no =
        |reason, people, matched| Judged { reason, deliver: false, accepting: Vec::new(), matched, people };
    if is_known(ask, mail.message_id).await? {
        return Ok(no(Reason::Duplicate, people, matched));
    }
    let [from] = &mail.from[..] else { return Ok(no(Reason::InvalidSender, people, matched)) };
    let ours: Vec<RecordRef> =
        people.of_all(mail.everybody()).filter(|hit| is_ours(hit)).map(|hit| hit.record.clone()).collect();
    if ours.is_empty() {
        return Ok(no(Reason::NoRecipientMatch, people, matched));
    }
    let senders: Vec<&AddressHit> = people.of(from).collect();
    let internal = senders.iter().any(|hit| hit.record.table == "systemuser");
    let ours = match internal && ignores_internal(ask).await? {
        // Mails to queues are let in all the same.
        true => ours.into_iter().filter(|at| at.table == "queue").collect(),
        false => ours,
    };
    if ours.is_empty() {
        return Ok(no(Reason::InternalEmailReject, people, matched));
    }
    let mut accepting: Vec<(RecordRef, Reason)> = Vec::new();
    for at in ours {
        let method = method(ask, &at).await?;
        if let Some(reason) = accepts(method, &senders, matched.is_some())
            && !accepting.iter().any(|(known, _)| *known == at)
        {
            accepting.push((at, reason));
        }
    }
    let Some((_, reason)) = accepting.first() else {
        let token = settings.find(mail.subject).is_some();
        let reason = if token { Reason::NoCorrelationMatch } else { Reason::NoRecipientMatch };
        return Ok(no(reason, people, matched));
    };
    let reason = *reason;
    let accepting = accepting.into_iter().map(|(at, _)| at).collect();
    Ok(Judged { reason, deliver: true, accepting, matched, people })
}

fn is_ours(hit: &AddressHit) -> bool {
    hit.active && ["systemuser", "queue"].contains(&hit.record.table.as_str())
}

async fn ignores_internal(ask: &Ask<'_>) -> Result<bool, Failure> {
    let row = ask.organization(&["ignoreinternalemail"]).await?;
    Ok(row.get("ignoreinternalemail").and_then(Value::as_bool).unwrap_or(false))
}

/// A user who never said anything wants replies only; a queue wants all.
async fn method(ask: &Ask<'_>, at: &RecordRef) -> Result<i64, Failure> {
    let (table, key, otherwise) = match at.table.as_str() {
        "queue" => ("queue", "queueid", ALL),
        _ => ("usersettings", "systemuserid", REPLIES),
    };
    let query =
        Query::of(table).select(&["incomingemailfilteringmethod"]).filter(Filter::eq(key, at.id)).top(1);
    let rows = ask.system(query).await?;
    Ok(rows.first().and_then(|row| row.int("incomingemailfilteringmethod")).unwrap_or(otherwise))
}

fn accepts(method: i64, senders: &[&AddressHit], correlated: bool) -> Option<Reason> {
    let person = |hit: &&AddressHit| ["contact", "account", "lead"].contains(&hit.record.table.as_str());
    match method {
        ALL if correlated => Some(Reason::CorrelationMatch),
        ALL => Some(Reason::AcceptAll),
        REPLIES => correlated.then_some(Reason::CorrelationMatch),
        PEOPLE => senders.iter().any(person).then_some(Reason::SenderMatch),
        ANY_RECORD => (!senders.is_empty()).then_some(Reason::SenderMatch),
        _ => None,
    }
}
