//! The second act of the demo: sales writes from the CRM, the world answers, and each answer comes home.
//!
//! Mail leaves by SMTP to a catcher, comes into a mailbox on a Domino-like server that is watched by IMAP, and comes back
//! by SMTP when it cannot be delivered. The programs outside do what real ones do to a mail.

use bytes::Bytes;
use postroom_core::{Change, ChangeSet, Fault, Filter, MailState, Query, Record, RecordRef, Value};
use postroom_embedded::demo::{Story, story};
use postroom_sandbox::catcher::Caught;
use postroom_tracking::sending::verbs;
use postroom_tracking::sending::{Entry, Recipient};
use postroom_tracking::token;
use uuid::Uuid;

use super::stage::{Stage, until};
use super::story::{End, date, message_id};
use crate::commands::actor;
use crate::report::CliError;

/// `email.statecode` and `statuscode` of *Pending Send*.
const PENDING_SEND: (i64, i64) = (1, 6);

/// An address of a customer that is no more.
const GONE: &str = "post.old@fjordbad.example";
/// Another, which the mail server knows to be no more.
const UNKNOWN: &str = "hola.old@costa-oliva.example";

/// Plays all of it.
pub async fn play(stage: &mut Stage<'_>) -> Result<(), CliError> {
    let known = story();
    let sent = sales_answers(stage, &known).await?;
    customer_replies(stage, &known, &sent).await?;
    address_is_refused(stage, &known).await?;
    mail_comes_back(stage, &known).await?;
    mail_is_moved(stage, &known).await?;
    next_reply_follows(stage, &known).await
}

/// A mail that somebody writes in the CRM.
struct Written<'a> {
    about: &'a RecordRef,
    subject: &'a str,
    text: &'a str,
    /// A record, or an address that the CRM does not know.
    to: Result<&'a RecordRef, &'a str>,
}

async fn sales_answers(stage: &mut Stage<'_>, known: &Story) -> Result<Caught, CliError> {
    stage.scene("9  Tom answers Anna from the CRM: an e-mail on the case, set to Pending Send.")?;
    let written = Written {
        about: &known.case_pump,
        subject: "Your mash pump",
        text: "<p>Hello Anna,</p><p>our technician comes on <b>Thursday</b> with a new shaft seal.</p><p>Tom</p>",
        to: Ok(&known.contact_anna),
    };
    let (entry, caught) = leaves(stage, known, &written).await?;
    let subject = header(&caught.raw, "Subject");
    let token = token::make(known.case_pump.id);
    stage.check(entry.state == MailState::Sent, &entry.state.to_string(), "sent")?;
    stage.check(
        subject.ends_with(&token) && subject.matches("CRM:").count() == 1,
        &format!("the subject is {subject:?}"),
        &format!("leaves with one token: {subject}"),
    )?;
    stage.reason(&entry.reason)?;
    Ok(caught)
}

async fn customer_replies(stage: &mut Stage<'_>, known: &Story, sent: &Caught) -> Result<(), CliError> {
    stage.scene(
        "10 Anna's mail program answers into the sales mailbox on a Domino server; it cut the subject and the token.",
    )?;
    let reply = Reply {
        name: "thursday",
        from: "Anna Adler <anna.adler@adler-brauerei.example>",
        subject: "Antw: Your mash p CRM: {6f1e",
        answers: header(&sent.raw, "Message-ID"),
        text: "Thursday suits us. Please ring at gate 2.\n\nAnna\n",
    };
    stage.world.deliver(reply.raw(stage));
    stage.ends(&message_id(reply.name, stage.run), &End::On(known.case_pump.clone())).await.map(drop)
}

async fn address_is_refused(stage: &mut Stage<'_>, known: &Story) -> Result<(), CliError> {
    stage.scene("11 Tom writes to an address that the customer's server does not take.")?;
    stage.world.catcher.refuse(UNKNOWN, "550 5.1.1 No such user");
    let written = Written {
        about: &known.lead_mira,
        subject: "Pump for the second mill",
        text: "<p>Hello,</p><p>here are the measurements.</p>",
        to: Err(UNKNOWN),
    };
    let id = write(stage, known, &written).await?;
    let entry = settled(stage, id, &[MailState::Failed, MailState::Sent]).await?;
    let (status, note) = (status(stage, id).await?, note(stage, id).await?);
    stage.check(
        entry.state == MailState::Failed && status == (0, 8) && note.contains("No such user"),
        &format!("it is {}, in the CRM {status:?}, with the note {note:?}", entry.state),
        "Failed in the CRM, with a note that says why",
    )?;
    stage.reason(&recipient(&entry).text)
}

async fn mail_comes_back(stage: &mut Stage<'_>, known: &Story) -> Result<(), CliError> {
    stage.scene("12 Another is taken at first; then the customer's server sends it back, by SMTP.")?;
    let written = Written {
        about: &known.opportunity_pool,
        subject: "Delivery of the three pumps",
        text: "<p>Hello,</p><p>we deliver in week 14.</p>",
        to: Err(GONE),
    };
    let (entry, caught) = leaves(stage, known, &written).await?;
    let returned = message_id("returned", stage.run);
    stage.hand_over("", &caught.from, &bounce(stage, &caught, &returned)).await?;
    stage.ends(&returned, &End::On(known.opportunity_pool.clone())).await?;
    let entry = settled(stage, entry.activity, &[MailState::Bounced]).await?;
    let one = recipient(&entry);
    let told = format!("shown on the outgoing e-mail: {} {}", one.address, one.state.as_str());
    stage.check(one.status.as_deref() == Some("5.1.1"), &format!("its status is {:?}", one.status), &told)
}

async fn mail_is_moved(stage: &mut Stage<'_>, known: &Story) -> Result<(), CliError> {
    stage.scene("13 Tom moves Ingrid's mail (number 4) from the quote to the opportunity by hand.")?;
    let ingrid = message_id("ingrid", stage.run);
    let message = stage.message(&ingrid).await?;
    stage.app.operations.place(&actor(), message.id, known.opportunity_pool.clone(), false).await?;
    stage.ends(&ingrid, &End::On(known.opportunity_pool.clone())).await.map(drop)
}

async fn next_reply_follows(stage: &mut Stage<'_>, known: &Story) -> Result<(), CliError> {
    stage.scene("14 Her colleague answers that mail, without a token. It follows.")?;
    let reply = Reply {
        name: "lars",
        from: "Lars =?utf-8?Q?Nyg=C3=A5rd?= <lars.nygard@fjordbad.example>",
        subject: "SV: bestilling",
        answers: format!("<{}>", message_id("ingrid", stage.run)),
        text: "Who fits the pumps, you or we?\n\nLars\n",
    };
    stage.world.deliver(reply.raw(stage));
    stage.ends(&message_id(reply.name, stage.run), &End::On(known.opportunity_pool.clone())).await.map(drop)
}

/// Writes a mail in the CRM and waits until the world has it and the books say so.
async fn leaves(
    stage: &Stage<'_>,
    known: &Story,
    written: &Written<'_>,
) -> Result<(Entry, Caught), CliError> {
    let id = write(stage, known, written).await?;
    let entry = settled(stage, id, &[MailState::Sent, MailState::Failed]).await?;
    let wanted = format!("<{}>", entry.message_id.as_deref().unwrap_or_default());
    let caught = until(written.subject, async || {
        let mails = stage.world.catcher.mails();
        Ok(mails.into_iter().find(|mail| header(&mail.raw, "Message-ID") == wanted))
    })
    .await?;
    Ok((entry, caught))
}

/// Creates the e-mail activity as a form in the CRM would.
async fn write(stage: &Stage<'_>, known: &Story, written: &Written<'_>) -> Result<Uuid, CliError> {
    let id = stage.app.ids.next();
    let email = Record::new(RecordRef::new("email", id))
        .with("subject", written.subject)
        .with("description", written.text)
        .with("directioncode", true)
        .with("regardingobjectid", written.about.clone())
        .with("statecode", PENDING_SEND.0)
        .with("statuscode", PENDING_SEND.1);
    let party = |mask: i64| {
        Record::new(RecordRef::new("activityparty", stage.app.ids.next()))
            .with("activityid", Value::lookup("email", id))
            .with("participationtypemask", mask)
    };
    let to = match written.to {
        Ok(record) => party(2).with("partyid", record.clone()),
        Err(address) => party(2).with("addressused", address),
    };
    let from = party(1).with("partyid", known.queue_sales.clone());
    let changes = [email, from, to].into_iter().map(Change::Create).collect();
    for answer in stage.app.filing.crm.apply(vec![ChangeSet { changes }]).await {
        answer?;
    }
    stage.app.store.wake();
    Ok(id)
}

/// Waits until an outgoing mail is in one of these states.
async fn settled(stage: &Stage<'_>, activity: Uuid, states: &[MailState]) -> Result<Entry, CliError> {
    until("an outgoing mail's end", async || {
        let wanted = verbs::Wanted { activity: Some(activity), limit: 1, ..verbs::Wanted::default() };
        let found = verbs::list(&stage.app.store, wanted).await.map_err(Fault::from)?;
        let over = |entry: &Entry| states.contains(&entry.state) || entry.state == MailState::Held;
        Ok(found.into_iter().next().filter(over))
    })
    .await
}

/// `statecode` and `statuscode` of an e-mail, once the CRM was told how it ended.
async fn status(stage: &Stage<'_>, activity: Uuid) -> Result<(i64, i64), CliError> {
    use postroom_core::{Filter, Query};
    let query =
        Query::of("email").select(&["statecode", "statuscode"]).filter(Filter::eq("activityid", activity));
    until("the e-mail's state in the CRM", async || {
        let row = stage.app.filing.crm.query(&query).await?.into_iter().next();
        let both = row.and_then(|row| row.int("statecode").zip(row.int("statuscode")));
        // 6 and 7 are Pending Send and Sending: it is not over.
        Ok(both.filter(|(_, status)| !matches!(status, 6 | 7)))
    })
    .await
}

/// The text of the first note on an e-mail.
async fn note(stage: &Stage<'_>, activity: Uuid) -> Result<String, CliError> {
    let of = Filter::eq("objectid", Value::lookup("email", activity));
    let rows = stage.app.filing.crm.query(&Query::of("annotation").filter(of)).await?;
    Ok(rows.first().and_then(|row| row.text("notetext")).unwrap_or_default().to_owned())
}

/// The only recipient of a mail of this act.
fn recipient(entry: &Entry) -> &Recipient {
    entry.recipients.first().expect("a mail that was rendered has a recipient")
}

/// What a mail program writes in answer.
struct Reply {
    name: &'static str,
    from: &'static str,
    subject: &'static str,
    /// The Message-ID, with brackets.
    answers: String,
    text: &'static str,
}

impl Reply {
    fn raw(&self, stage: &Stage<'_>) -> Bytes {
        let raw = format!(
            "From: {}\r\nTo: sales@demo.example\r\nSubject: {}\r\nDate: {}\r\nMessage-ID: <{}>\r\nIn-Reply-To: {answers}\r\n\
             References: {answers}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{}",
            self.from,
            self.subject,
            date(stage.app.clock.now()),
            message_id(self.name, stage.run),
            self.text.replace('\n', "\r\n"),
            answers = self.answers,
        );
        raw.into()
    }
}

/// The report of the customer's server (RFC 3464), with the head of the mail that it is about.
fn bounce(stage: &Stage<'_>, about: &Caught, message_id: &str) -> String {
    let envelope = about.from_parameters.split(' ').find_map(|word| word.strip_prefix("ENVID="));
    let envelope = envelope.map(|id| format!("Original-Envelope-Id: {id}\r\n")).unwrap_or_default();
    let head = String::from_utf8_lossy(&about.raw).split("\r\n\r\n").next().unwrap_or_default().to_owned();
    format!(
        "From: Mail Delivery System <MAILER-DAEMON@mx.fjordbad.example>\r\nTo: {}\r\n\
         Subject: Undelivered Mail Returned to Sender\r\nDate: {}\r\nMessage-ID: <{message_id}>\r\n\
         Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"b3\"\r\n\r\n\
         --b3\r\nContent-Type: text/plain\r\n\r\nThe mail could not be delivered: unknown user <{GONE}>\r\n\
         --b3\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.fjordbad.example\r\n{envelope}\r\n\
         Final-Recipient: rfc822; {GONE}\r\nAction: failed\r\nStatus: 5.1.1\r\n\
         Diagnostic-Code: smtp; 550 5.1.1 unknown user\r\n\r\n\
         --b3\r\nContent-Type: text/rfc822-headers\r\n\r\n{head}\r\n\r\n--b3--\r\n",
        about.from,
        date(stage.app.clock.now()),
    )
}

/// A header field unfolded, as it stands in the mail.
fn header(raw: &[u8], field: &str) -> String {
    let text = String::from_utf8_lossy(raw);
    let head = text.split("\r\n\r\n").next().unwrap_or_default().replace("\r\n ", " ").replace("\r\n\t", " ");
    let value = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case(field).then(|| value.trim().to_owned())
    });
    value.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_unfolded() {
        let raw = b"From: a\r\nsubject: one\r\n two\r\nMessage-ID: <x>\r\n\r\nSubject: body\r\n";
        assert_eq!(header(raw, "Subject"), "one two");
        assert_eq!(header(raw, "Message-ID"), "<x>");
        assert_eq!(header(raw, "To"), "");
    }
}
