//! The rows of a mail that was taken: the mail, its parties, its attachments, its places in queues. One set.

use postroom_core::metadata::PrivilegeKind;
use postroom_core::{Change, Content, Filter, Query, Record, RecordRef, Value};
use uuid::Uuid;

use super::addresses::Addresses;
use super::{Judged, Mail};
use crate::failure::Failure;
use crate::messages::ask::{Ask, table};
use crate::messages::tracking::Match;
use crate::messages::{Parameter, Prepared, codes, mail, refuse};
use crate::rules::attachments::{Limits, SETTINGS};
use crate::seed;

const RECEIVED: i64 = 4;
const COMPLETED: i64 = 1;
/// `notifications`: some attachments were not saved.
const ATTACHMENTS_DROPPED: i64 = 1;
/// Without a setting: the platform's five megabytes.
const UPLOAD: i64 = 5_242_880;

/// The row that a mail becomes: made of the Message-ID, so that of two deliveries at once one makes the row and the other is
/// refused.
pub(super) fn place(ask: &Ask<'_>, mail: &Mail<'_>) -> RecordRef {
    let id = match mail.message_id {
        "" => ask.ids.next(),
        known => Uuid::new_v5(&seed::NAMESPACE, format!("incoming:{}", known.to_lowercase()).as_bytes()),
    };
    RecordRef::new("email", id)
}

pub(super) async fn delivered(
    ask: &Ask<'_>,
    mail: &Mail<'_>,
    judged: &Judged,
    (at, attachments): (RecordRef, Attachments),
) -> Result<Prepared, Failure> {
    let mut email = row(ask, mail, &judged.people, judged.matched.as_ref(), &at).await?;
    if attachments.dropped {
        email = email.with("notifications", ATTACHMENTS_DROPPED);
    }
    if let Some(owner) = owner(ask, &judged.accepting).await? {
        email = email.with("ownerid", owner);
    }
    let mut changes = vec![Change::CreateNew(ask.fitting(email).await?)];
    changes.extend(parties(ask, mail, &judged.people, &at).into_iter().map(Change::CreateNew));
    changes.extend(attachments.rows.into_iter().map(Change::CreateNew));
    for queue in judged.accepting.iter().filter(|at| at.table == "queue") {
        let item = RecordRef::new("queueitem", ask.ids.next());
        let item = Record::new(item)
            .with("objectid", at.clone())
            .with("queueid", queue.clone())
            .with("sender", cut(mail.from.first().map_or("", String::as_str), 250))
            .with("torecipients", cut(&joined(mail), 500));
        changes.push(Change::CreateNew(ask.fitting(item).await?));
    }
    Ok(Prepared::of(changes, vec![("EmailId", Parameter::Guid(at.id))]))
}

/// Gives the mail its body by a handle.
pub(super) fn put_body(prepared: &mut Prepared, email: &RecordRef, body: &Content) {
    for change in &mut prepared.changes {
        if let Change::CreateNew(row) = change
            && row.at == *email
        {
            row.columns.retain(|(name, _)| name != "description");
            row.columns.push(("description".into(), Value::Content(body.clone())));
        }
    }
}

/// The mail with this id, made or brought up to date. An unknown sender becomes a contact or lead when the caller wants it.
pub(super) async fn promoted(
    ask: &Ask<'_>,
    mail: &Mail<'_>,
    people: &Addresses,
    matched: Option<Match>,
    at: RecordRef,
) -> Result<Prepared, Failure> {
    let old = Query::of("email").select(&["statecode"]).filter(Filter::eq("activityid", at.id));
    let old = ask.session.all(old).await?.pop();
    let email = ask.fitting(row(ask, mail, people, matched.as_ref(), &at).await?).await?;
    let mut changes = Vec::new();
    if let Some(sender) = mail.from.first().filter(|sender| people.of(sender).next().is_none()) {
        changes.extend(new_person(ask, sender).await?);
    }
    match old {
        Some(_) => {
            let known = Query::of("activityparty").select(&[]).filter(Filter::All(vec![
                Filter::eq("activityid", at.clone()),
                Filter::In(
                    "participationtypemask".into(),
                    [mail::FROM, mail::TO, mail::CC, mail::BCC].map(Value::Int).to_vec(),
                ),
            ]));
            let known = ask.session.all(known).await?;
            changes.push(Change::Update(email));
            changes.extend(known.into_iter().map(|party| Change::Delete(party.at)));
        }
        None => {
            changes.push(Change::CreateNew(email));
            let attachments = attachments(ask, &at).await?;
            changes.extend(attachments.rows.into_iter().map(Change::CreateNew));
        }
    }
    let mut parties = parties(ask, mail, people, &at);
    if let Some(Change::CreateNew(person)) = changes.first().filter(|change| is_person(change)) {
        let own = parties.iter_mut().find(|party| party.int("participationtypemask") == Some(mail::FROM));
        if let Some(party) = own {
            party.columns.push(("partyid".into(), Value::Lookup(person.at.clone())));
        }
    }
    changes.extend(parties.into_iter().map(Change::CreateNew));
    Ok(Prepared::of(changes, vec![("EmailId", Parameter::Guid(at.id))]))
}

fn is_person(change: &Change) -> bool {
    matches!(change, Change::CreateNew(record) if ["contact", "lead"].contains(&record.at.table.as_str()))
}

/// The mail's own row.
async fn row(
    ask: &Ask<'_>,
    mail: &Mail<'_>,
    people: &Addresses,
    matched: Option<&Match>,
    at: &RecordRef,
) -> Result<Record, Failure> {
    let received = ask.time("ReceivedOn")?.unwrap_or_else(|| ask.session.now());
    let sender = mail.from.first().map_or("", String::as_str);
    let mut record = Record::new(at.clone())
        .with("subject", cut(mail.subject, 800))
        .with("description", ask.text("Body")?.map(str::to_owned))
        .with("directioncode", false)
        .with("sender", cut(sender, 250))
        .with("torecipients", cut(&joined(mail), 500))
        .with("submittedby", ask.text("SubmittedBy")?.map(|by| cut(by, 250)))
        .with("messageid", cut(mail.message_id, 320))
        .with("prioritycode", importance(ask.text("Importance")?))
        .with("actualend", received)
        .with("statecode", COMPLETED)
        .with("statuscode", RECEIVED)
        .with("isduplicatesenderunresolved", people.of(sender).count() > 1 && people.one(sender).is_none());
    if let Some(Match { mail: earlier, reply }) = matched {
        if let Some(regarding) = earlier.lookup("regardingobjectid") {
            record = record.with("regardingobjectid", regarding.clone());
        }
        record = record.with("correlatedactivityid", earlier.at.clone());
        if *reply {
            record = record.with("parentactivityid", earlier.at.clone());
        }
    }
    Ok(record)
}

/// `Low`, `Normal`, `High`, or their numbers.
fn importance(text: Option<&str>) -> i64 {
    match text.unwrap_or_default().to_ascii_lowercase().as_str() {
        "low" | "0" => 0,
        "high" | "2" => 2,
        _ => 1,
    }
}

fn joined(mail: &Mail<'_>) -> String {
    mail.recipients.first().map(|(_, list)| list.join(";")).unwrap_or_default()
}

fn cut(text: &str, units: usize) -> String {
    let mut used = 0;
    let fits = |letter: &char| {
        used += letter.len_utf16();
        used <= units
    };
    text.chars().take_while(fits).collect()
}

/// Everybody in the mail's head, resolved where one record has the address.
fn parties(ask: &Ask<'_>, mail: &Mail<'_>, people: &Addresses, at: &RecordRef) -> Vec<Record> {
    let from = (mail::FROM, mail.from.clone());
    let all = std::iter::once(&from).chain(&mail.recipients);
    let each = all.flat_map(|(mask, list)| list.iter().map(move |address| (*mask, address)));
    let party = |(mask, address): (i64, &String)| {
        let party = Record::new(RecordRef::new("activityparty", ask.ids.next()))
            .with("activityid", at.clone())
            .with("participationtypemask", mask)
            .with("addressused", address.as_str());
        match people.one(address) {
            Some(hit) => party.with("partyid", hit.record.clone()),
            None => party,
        }
    };
    each.map(party).collect()
}

/// The user who takes the mail, or the owner of the queue: only when the caller may hand rows to others.
async fn owner(ask: &Ask<'_>, accepting: &[RecordRef]) -> Result<Option<RecordRef>, Failure> {
    let caller = ask.session.caller().await?;
    let table = table(ask.session, "email").await?;
    if caller.may(PrivilegeKind::Assign, &table) == crate::access::Level::None {
        return Ok(None);
    }
    match accepting.first() {
        Some(at) if at.table == "systemuser" => Ok(Some(at.clone())),
        Some(at) => {
            let query = Query::of("queue").select(&["ownerid"]).filter(Filter::eq("queueid", at.id));
            Ok(ask.system(query).await?.first().and_then(|row| row.lookup("ownerid").cloned()))
        }
        None => Ok(None),
    }
}

/// `autocreatecontactonpromote` of the caller: 1 a contact, 2 a lead.
async fn new_person(ask: &Ask<'_>, sender: &str) -> Result<Option<Change>, Failure> {
    let query = Query::of("usersettings")
        .select(&["autocreatecontactonpromote"])
        .filter(Filter::eq("systemuserid", ask.session.user()));
    let wanted = ask.system(query).await?.first().and_then(|row| row.int("autocreatecontactonpromote"));
    let name = cut(sender.split('@').next().unwrap_or(sender), 50);
    let record = |table: &str| {
        Record::new(RecordRef::new(table, ask.ids.next()))
            .with("lastname", name.as_str())
            .with("emailaddress1", cut(sender, 100))
    };
    Ok(match wanted {
        Some(1) => Some(Change::CreateNew(record("contact"))),
        Some(2) => Some(Change::CreateNew(record("lead").with("subject", name.as_str()))),
        _ => None,
    })
}

pub(super) struct Attachments {
    pub rows: Vec<Record>,
    pub dropped: bool,
}

async fn limits(ask: &Ask<'_>) -> Result<Limits, Failure> {
    let [largest, blocked] = SETTINGS;
    let settings = ask.organization(&SETTINGS).await?;
    Ok(Limits::of(settings.int(largest), settings.text(blocked)))
}

/// The attachments, without those that the organisation blocks by name.
pub(super) async fn attachments(ask: &Ask<'_>, email: &RecordRef) -> Result<Attachments, Failure> {
    let mut found = Attachments { rows: Vec::new(), dropped: false };
    let given = match ask.get("Attachments") {
        None => return Ok(found),
        Some(Parameter::Entities(all)) => all,
        Some(_) => return Err(ask.unfit("Attachments", "a list of attachments")),
    };
    let limits = limits(ask).await?;
    for attachment in given {
        if limits.blocks(attachment.text("filename").unwrap_or_default()) {
            found.dropped = true;
            continue;
        }
        if size(attachment) > limits.largest.unwrap_or(UPLOAD) {
            let text = "The e-mail exceeds the organization's size limit for attachments.";
            return Err(refuse(codes::MAIL_TOO_LARGE, text));
        }
        found.rows.push(hung_on(ask, attachment, email));
    }
    Ok(found)
}

/// The same without those that are too large: what the port hands in stands in the stored mail all the same.
pub(super) async fn fitting_attachments(
    ask: &Ask<'_>,
    given: &[Record],
    email: &RecordRef,
) -> Result<Attachments, Failure> {
    if given.is_empty() {
        return Ok(Attachments { rows: Vec::new(), dropped: false });
    }
    let limits = limits(ask).await?;
    let fits = |row: &&Record| limits.check(row.text("filename").unwrap_or_default(), size(row)).is_ok();
    let rows: Vec<Record> = given.iter().filter(fits).map(|row| hung_on(ask, row, email)).collect();
    Ok(Attachments { dropped: rows.len() < given.len(), rows })
}

fn size(attachment: &Record) -> i64 {
    match attachment.get("body") {
        Some(Value::Content(Content::Bytes(bytes))) => bytes.len() as i64,
        Some(Value::Content(Content::MailPart { size, .. } | Content::Stored { size, .. })) => {
            i64::try_from(*size).unwrap_or(i64::MAX)
        }
        // Base64.
        Some(Value::Text(text)) => (text.len() / 4 * 3) as i64,
        _ => 0,
    }
}

fn hung_on(ask: &Ask<'_>, attachment: &Record, email: &RecordRef) -> Record {
    let mut row = attachment.clone();
    row.at = RecordRef::new("activitymimeattachment", ask.ids.next());
    row.columns.retain(|(name, _)| {
        !["objectid", "activityid", "objecttypecode", "activitymimeattachmentid"].contains(&name.as_str())
    });
    row.with("objectid", email.clone())
}
