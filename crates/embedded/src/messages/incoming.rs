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

use postroom_core::{
    AddressHit, Crm, Filter, Ids, IncomingMail, Query, ReasonCode, Record, RecordRef, Value,
};
use uuid::Uuid;

use super::ask::Ask;
use super::tracking::{self, Match, Settings};
use super::{Message, Parameter, Prepared, codes, refuse};
use crate::failure::Failure;
use crate::session::Session;
use addresses::{Addresses, list};

/// `incomingemailfilteringmethod`
const ALL: i64 = 0;
const REPLIES: i64 = 1;
const PEOPLE: i64 = 2;
const ANY_RECORD: i64 = 3;

/// What was found out about a mail.
struct Judged {
    reason: ReasonCode,
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
        ("ReasonCode", Parameter::Int(judged.reason.number())),
    ]))
}

/// Someone tracks the mail by hand: only a mail that is there already is refused.
pub(super) async fn check_promote(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let id = ask.text("MessageId")?.unwrap_or_default().trim();
    let known = is_known(ask, id).await?;
    let reason = if known { ReasonCode::Duplicate } else { ReasonCode::AcceptAll };
    Ok(Prepared::answer(vec![
        ("ShouldPromote", Parameter::Bool(!known)),
        ("ReasonCode", Parameter::Int(reason.number())),
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
            judged.reason.number()
        );
        return Err(refuse(codes::CANNOT_ACCEPT, text));
    }
    let at = write::place(ask, &mail);
    let attachments = write::attachments(ask, &at).await?;
    write::delivered(ask, &mail, &judged, (at, attachments)).await
}

/// A mail that the port hands in, ready to be written.
pub(crate) struct Taken {
    pub prepared: Prepared,
    pub email: RecordRef,
}

/// The same for the port, which speaks of bodies by handles and is told a refusal's reason. Attachments that are too large
/// stay behind, as they do when rows are written.
///
/// # Errors
/// What goes wrong while people and rules are looked up.
pub(crate) async fn hand_in(
    session: &Session,
    ids: &Ids,
    incoming: &IncomingMail,
) -> Result<Result<Taken, ReasonCode>, Failure> {
    let message = as_message(incoming);
    let ask = Ask { session, ids, message: &message };
    let mail = Mail::read(&ask)?;
    let judged = judge(&ask, &mail).await?;
    if !judged.deliver {
        return Ok(Err(judged.reason));
    }
    let email = write::place(&ask, &mail);
    let attachments = write::fitting_attachments(&ask, &incoming.attachments, &email).await?;
    let mut prepared = write::delivered(&ask, &mail, &judged, (email.clone(), attachments)).await?;
    write::put_body(&mut prepared, &email, &incoming.body);
    Ok(Ok(Taken { prepared, email }))
}

/// Whether a mail that the port asks about would be taken, and why.
///
/// # Errors
/// What goes wrong while people and rules are looked up.
pub(crate) async fn consider(
    session: &Session,
    ids: &Ids,
    incoming: &IncomingMail,
) -> Result<(bool, ReasonCode), Failure> {
    let message = as_message(incoming);
    let ask = Ask { session, ids, message: &message };
    let judged = judge(&ask, &Mail::read(&ask)?).await?;
    Ok((judged.deliver, judged.reason))
}

/// All but the body and the attachments.
fn as_message(mail: &IncomingMail) -> Message {
    let text = |name: &str, text: &str| (name.to_owned(), Parameter::Text(text.to_owned()));
    let mut parameters = vec![
        text("MessageId", &mail.message_id),
        text("Subject", &mail.subject),
        text("From", &mail.from),
        text("To", &mail.to.join(";")),
        text("Cc", &mail.cc.join(";")),
        text("Bcc", &mail.bcc.join(";")),
        text("SubmittedBy", &mail.submitted_by),
        text("Importance", mail.importance.as_str()),
        ("ReceivedOn".to_owned(), Parameter::Time(mail.received_on)),
    ];
    if let Some(parent) = &mail.in_reply_to {
        let extra = Record::new(RecordRef::new("email", Uuid::nil())).with("inreplyto", parent.as_str());
        parameters.push(("ExtraProperties".to_owned(), Parameter::Entity(extra)));
    }
    Message { name: "DeliverIncomingEmail".to_owned(), target: None, parameters }
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
        return Ok(no(ReasonCode::Duplicate, people, matched));
    }
    let [from] = &mail.from[..] else { return Ok(no(ReasonCode::InvalidSender, people, matched)) };
    let ours: Vec<RecordRef> =
        people.of_all(mail.everybody()).filter(|hit| is_ours(hit)).map(|hit| hit.record.clone()).collect();
    if ours.is_empty() {
        return Ok(no(ReasonCode::NoRecipientMatch, people, matched));
    }
    let senders: Vec<&AddressHit> = people.of(from).collect();
    let internal = senders.iter().any(|hit| hit.record.table == "systemuser");
    let ours = match internal && ignores_internal(ask).await? {
        // Mails to queues are let in all the same.
        true => ours.into_iter().filter(|at| at.table == "queue").collect(),
        false => ours,
    };
    if ours.is_empty() {
        return Ok(no(ReasonCode::InternalEmailReject, people, matched));
    }
    let approval = Approval::read(ask).await?;
    let mut accepting: Vec<(RecordRef, ReasonCode)> = Vec::new();
    for at in ours {
        if approval.lacks(ask, &at).await? {
            continue;
        }
        let method = method(ask, &at).await?;
        if let Some(reason) = accepts(method, &senders, matched.is_some())
            && !accepting.iter().any(|(known, _)| *known == at)
        {
            accepting.push((at, reason));
        }
    }
    let Some((_, reason)) = accepting.first() else {
        let token = settings.find(mail.subject).is_some();
        let reason = if token { ReasonCode::NoCorrelationMatch } else { ReasonCode::NoRecipientMatch };
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

/// Whose addresses an administrator must have approved before mail to them is taken.
struct Approval {
    users: bool,
    queues: bool,
}

/// `emailrouteraccessapproval`: Approved.
const APPROVED: i64 = 1;

impl Approval {
    async fn read(ask: &Ask<'_>) -> Result<Self, Failure> {
        let columns = ["requireapprovalforuseremail", "requireapprovalforqueueemail"];
        let row = ask.organization(&columns).await?;
        let asked = |column: &str| row.get(column).and_then(Value::as_bool).unwrap_or(false);
        Ok(Approval { users: asked(columns[0]), queues: asked(columns[1]) })
    }

    async fn lacks(&self, ask: &Ask<'_>, at: &RecordRef) -> Result<bool, Failure> {
        let (asked, key) = match at.table.as_str() {
            "queue" => (self.queues, "queueid"),
            _ => (self.users, "systemuserid"),
        };
        if !asked {
            return Ok(false);
        }
        let column = "emailrouteraccessapproval";
        let query = Query::of(&at.table).select(&[column]).filter(Filter::eq(key, at.id)).top(1);
        Ok(ask.system(query).await?.first().and_then(|row| row.int(column)) != Some(APPROVED))
    }
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

fn accepts(method: i64, senders: &[&AddressHit], correlated: bool) -> Option<ReasonCode> {
    let person = |hit: &&AddressHit| ["contact", "account", "lead"].contains(&hit.record.table.as_str());
    match method {
        ALL if correlated => Some(ReasonCode::CorrelationMatch),
        ALL => Some(ReasonCode::AcceptAll),
        REPLIES => correlated.then_some(ReasonCode::CorrelationMatch),
        PEOPLE => senders.iter().any(person).then_some(ReasonCode::SenderMatch),
        ANY_RECORD => (!senders.is_empty()).then_some(ReasonCode::SenderMatch),
        _ => None,
    }
}
