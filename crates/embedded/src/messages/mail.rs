//! Mails on their way out: SendEmail, SendEmailFromTemplate, BackgroundSendEmail (dataverse.md B6, B9; protocol annex 7.3).
//!
//! Nothing is sent here: a mail becomes *Pending Send*, and whoever delivers takes it from there.

use postroom_core::{Change, ChangeSet, Filter, Query, Record, RecordRef, Value};
use uuid::Uuid;

use super::ask::{Ask, Given, unless_changed};
use super::{Parameter, Prepared, codes, refuse, template, tracking};
use crate::failure::Failure;

/// `participationtypemask`
pub(super) const FROM: i64 = 1;
pub(super) const TO: i64 = 2;
pub(super) const CC: i64 = 3;
pub(super) const BCC: i64 = 4;

const OPEN: i64 = 0;
const COMPLETED: i64 = 1;
const SENT: i64 = 3;
const PENDING: i64 = 6;
const SENDING: i64 = 7;

/// Mails handed out at once.
const HANDED: u64 = 1000;

/// SendEmail. Without a token the server makes one; an empty one means none, as the SDK's own samples send it.
pub(super) async fn send(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let at = ask.target("EmailId", "email")?;
    ask.need("IssueSend")?;
    let issue = ask.flag("IssueSend")?.unwrap_or(true);
    let row = ask.row(&at, &["subject", "statecode", "directioncode", "versionnumber"]).await?;
    if row.int("statecode") != Some(OPEN) {
        let text = "The e-mail is not a draft: only open e-mails can be sent.";
        return Err(refuse(codes::STATE, text));
    }
    let parties = parties(ask, at.id).await?;
    check_recipients(ask, &parties).await?;
    if issue {
        check_sender(ask, &parties).await?;
    }
    let subject = row.text("subject").unwrap_or_default();
    let token = token(ask, subject).await?;
    let subject = tracking::stamped(subject, &token);
    let change = sent(&at, &subject, &token, issue);
    Ok(Prepared::of(vec![unless_changed(&row, change)], vec![("Subject", Parameter::Text(subject))]))
}

/// The token that was given, one that is in the subject, or a fresh one when the organisation wants them.
async fn token(ask: &Ask<'_>, subject: &str) -> Result<String, Failure> {
    if let Some(token) = ask.text("TrackingToken")? {
        return Ok(token.to_owned());
    }
    let settings = tracking::Settings::read(ask).await?;
    match settings.find(subject) {
        _ if !settings.enabled => Ok(String::new()),
        Some(token) => Ok(token.to_owned()),
        None => tracking::make(ask, &settings).await,
    }
}

pub(super) fn sent(at: &RecordRef, subject: &str, token: &str, issue: bool) -> Record {
    let status = if issue { PENDING } else { SENT };
    let record = Record::new(at.clone())
        .with("subject", subject)
        .with("directioncode", true)
        .with("statecode", COMPLETED)
        .with("statuscode", status);
    // The column holds 50 characters; the subject holds the whole.
    match token.is_empty() || token.encode_utf16().count() > 50 {
        true => record,
        false => record.with("trackingtoken", token),
    }
}

async fn parties(ask: &Ask<'_>, email: Uuid) -> Result<Vec<Record>, Failure> {
    let query = Query::of("activityparty")
        .select(&["partyid", "addressused", "participationtypemask"])
        .filter(Filter::eq("activityid", RecordRef::new("email", email)));
    ask.session.all(query).await
}

fn is(party: &Record, masks: &[i64]) -> bool {
    party.int("participationtypemask").is_some_and(|mask| masks.contains(&mask))
}

/// Somebody gets it, and everybody can: has an address and takes e-mails.
async fn check_recipients(ask: &Ask<'_>, parties: &[Record]) -> Result<(), Failure> {
    let recipients: Vec<&Record> = parties.iter().filter(|party| is(party, &[TO, CC, BCC])).collect();
    if recipients.is_empty() {
        let text = "The e-mail must have at least one recipient before it can be sent";
        return Err(refuse(codes::NO_RECIPIENT, text));
    }
    let unresolved = recipients.iter().any(|party| party.lookup("partyid").is_none());
    if unresolved {
        let row = ask.organization(&["allowunresolvedpartiesonemailsend"]).await?;
        if row.get("allowunresolvedpartiesonemailsend").and_then(Value::as_bool) == Some(false) {
            let text = "The e-mail has an unresolved recipient, and the organization's setting \
                        AllowUnresolvedPartiesOnEmailSend is off.";
            return Err(refuse(codes::PARTY_WITHOUT_ADDRESS, text));
        }
    }
    if recipients.iter().any(|party| party.text("addressused").is_none()) {
        let text = "A recipient of the e-mail has no e-mail address.";
        return Err(refuse(codes::PARTY_WITHOUT_ADDRESS, text));
    }
    check_consent(ask, &recipients).await
}

/// Nobody among them has said that he wants no e-mails.
async fn check_consent(ask: &Ask<'_>, recipients: &[&Record]) -> Result<(), Failure> {
    for table in ["contact", "account", "lead"] {
        let ids =
            recipients.iter().filter_map(|party| party.lookup("partyid")).filter(|at| at.table == table);
        let ids: Vec<Value> = ids.map(|at| Value::Guid(at.id)).collect();
        if ids.is_empty() {
            continue;
        }
        let among = Filter::In(format!("{table}id"), ids);
        let filter = Filter::All(vec![among, Filter::eq("donotemail", true)]);
        if let Some(one) = ask.system(Query::of(table).select(&[]).filter(filter)).await?.first() {
            let text = format!("The recipient {} is marked as not allowing e-mails.", one.at);
            return Err(refuse(codes::PARTY_WITHOUT_ADDRESS, text));
        }
    }
    Ok(())
}

/// One sender, with an address, in whose name the caller may send.
async fn check_sender(ask: &Ask<'_>, parties: &[Record]) -> Result<(), Failure> {
    let senders: Vec<&Record> = parties.iter().filter(|party| is(party, &[FROM])).collect();
    let sender = match senders[..] {
        [sender] => sender,
        [] => {
            return Err(refuse(
                codes::SENDER_WITHOUT_ADDRESS,
                "The e-mail must have a sender before it can be sent",
            ));
        }
        _ => return Err(refuse(codes::SENDERS, "The e-mail must have only one sender.")),
    };
    if sender.text("addressused").is_none() {
        return Err(refuse(codes::SENDER_WITHOUT_ADDRESS, "The sender of the e-mail has no e-mail address."));
    }
    check_name(ask, sender.lookup("partyid")).await
}

/// A user or queue in whose name the caller may send.
pub(super) async fn check_name(ask: &Ask<'_>, sender: Option<&RecordRef>) -> Result<(), Failure> {
    match sender {
        Some(at) if at.table == "queue" => check_queue(ask, at).await,
        Some(at) if at.table == "systemuser" && at.id != ask.session.user() => check_send_as(ask, at).await,
        Some(at) if at.table == "systemuser" => Ok(()),
        _ => Err(refuse(codes::SENDER_WITHOUT_ADDRESS, "The sender of an e-mail is a user or a queue.")),
    }
}

async fn check_queue(ask: &Ask<'_>, queue: &RecordRef) -> Result<(), Failure> {
    let denied = |_| refuse(codes::SEND_AS_QUEUE, "The user may not send e-mails as this queue.");
    ask.row(queue, &[]).await.map(drop).map_err(denied)
}

/// The privilege, and the consent of the other user unless his settings say nothing.
async fn check_send_as(ask: &Ask<'_>, user: &RecordRef) -> Result<(), Failure> {
    let denied = || refuse(codes::SEND_AS, "The user lacks the privilege to send e-mails as another user.");
    ask.session.check_misc("prvSendAsUser").await.map_err(|_| denied())?;
    let query =
        Query::of("usersettings").select(&["issendasallowed"]).filter(Filter::eq("systemuserid", user.id));
    let allowed = ask.system(query).await?;
    match allowed.first().and_then(|row| row.get("issendasallowed")).and_then(Value::as_bool) {
        Some(false) => Err(denied()),
        _ => Ok(()),
    }
}

/// SendEmailFromTemplate: makes the mail given, with the template's subject and text, and sends it.
pub(super) async fn send_from_template(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let kind = ask.text("RegardingType")?.map(str::to_owned);
    let regarding = match ask.reference("Regarding", None)? {
        Some(at) => at,
        None => ask.needed("RegardingId", kind.as_deref())?,
    };
    let template = ask.needed("TemplateId", Some("template"))?;
    let Some(Given { record, parts }) = ask.given("Target")? else {
        return Err(ask.unfit("Target", "an e-mail with its parties"));
    };
    let text = template::filled(ask, &template, &regarding).await?;
    let id = if record.at.id.is_nil() { ask.ids.next() } else { record.at.id };
    let at = RecordRef::new("email", id);
    let parties: Vec<Record> = parts.into_iter().map(|part| owned(ask, part, &at)).collect();
    check_given(ask, &parties).await?;
    let settings = tracking::Settings::read(ask).await?;
    let token = if settings.enabled { tracking::make(ask, &settings).await? } else { String::new() };
    let mut email = sent(&at, &tracking::stamped(&text.subject, &token), &token, true)
        .with("description", text.body)
        .with("regardingobjectid", regarding);
    let own = ["subject", "description", "regardingobjectid", "statecode", "statuscode", "directioncode"];
    let more = record.columns.into_iter().filter(|(name, _)| !own.contains(&name.as_str()));
    email.columns.extend(more.filter(|(name, _)| name != "trackingtoken" && name != "activityid"));
    let mut changes = vec![Change::CreateNew(email)];
    changes.extend(parties.into_iter().map(Change::CreateNew));
    Ok(Prepared::of(changes, vec![("Id", Parameter::Guid(id))]))
}

/// A part of a mail that is about to be made.
fn owned(ask: &Ask<'_>, mut part: Record, email: &RecordRef) -> Record {
    if part.at.id.is_nil() {
        part.at.id = ask.ids.next();
    }
    part.columns.retain(|(name, _)| name != "activityid" && name != "objectid");
    let column = if part.at.table == "activityparty" { "activityid" } else { "objectid" };
    part.with(column, email.clone())
}

/// Parties that are not stored yet get their addresses when they are written; only who they are is checked.
pub(super) async fn check_given(ask: &Ask<'_>, parties: &[Record]) -> Result<(), Failure> {
    let recipients: Vec<&Record> = parties.iter().filter(|party| is(party, &[TO, CC, BCC])).collect();
    if recipients.is_empty() {
        let text = "The e-mail must have at least one recipient before it can be sent";
        return Err(refuse(codes::NO_RECIPIENT, text));
    }
    check_consent(ask, &recipients).await
}

/// BackgroundSendEmail: mails that wait to be sent become *Sending* and are answered, each to exactly one caller.
pub(super) async fn hand_out(ask: &Ask<'_>) -> Result<Prepared, Failure> {
    let query = match ask.get("Query") {
        None => Query::of("email"),
        Some(Parameter::Query(query)) if query.table == "email" && !query.computes() => (**query).clone(),
        Some(_) => return Err(ask.unfit("Query", "a query of the table email")),
    };
    let waiting = Filter::All(vec![
        query.filter.clone(),
        Filter::eq("statuscode", PENDING),
        Filter::eq("directioncode", true),
    ]);
    let mut query = Query { filter: waiting, top: Some(query.top.unwrap_or(HANDED).min(HANDED)), ..query };
    if let Some(columns) = &mut query.columns {
        let more = ["versionnumber", "attachmentcount"].map(str::to_owned);
        columns.extend(more.into_iter().filter(|name| !columns.contains(name)).collect::<Vec<_>>());
    }
    let rows = ask.session.all(query).await?;
    let take = |row: &Record| {
        let change = Record::new(row.at.clone()).with("statecode", COMPLETED).with("statuscode", SENDING);
        ChangeSet { changes: vec![unless_changed(row, change)] }
    };
    let taken = ask.session.apply(rows.iter().map(take).collect()).await;
    let mine: Vec<Record> =
        rows.into_iter().zip(taken).filter(|(_, taken)| taken.is_ok()).map(|(row, _)| row).collect();
    let attached =
        mine.iter().map(|row| Parameter::Bool(row.int("attachmentcount").unwrap_or(0) > 0)).collect();
    Ok(Prepared::answer(vec![
        ("EntityCollection", Parameter::Entities(mine)),
        ("HasAttachments", Parameter::List(attached)),
    ]))
}
