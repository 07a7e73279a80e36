//! One mail read: everything the decision and the activity need, owned, with no database asked.

use std::collections::HashSet;

use bytes::Bytes;
use jiff::Timestamp;
use postroom_core::mail::Authentication;
use postroom_core::{
    Address, BodyHash, Class, Content, Direction, Importance, MailId, MailState, Method, RecordRef, address,
};
use postroom_formats::{auth_results, dsn, html, mime, tnef};
use postroom_store::body::Body;
use uuid::Uuid;

use crate::classify::{self, OwnMarks, ReportedAs};
use crate::gather_text;
use crate::rules::Rules;
use crate::token::{self, FoundToken, Kind, Signer, Verification};

/// Where a signed id or address stood: among the recipients, in what a bounce returns, and in its words.
pub const RECIPIENT: &str = "recipient address";
pub(super) const RETURNED: &str = "returned";
const RETURNED_TEXT: &str = "returned text";

/// Why a mail can be read in part only: a limit of reading, or a container that cannot be unpacked.
pub const PARTLY: [&str; 4] = ["depth", "parts", "header_bytes", "tnef"];

/// A mail as the store knows it before it is read.
#[derive(Debug, Clone)]
pub struct Stored {
    pub id: MailId,
    pub key: Vec<u8>,
    pub header_id: Option<String>,
    pub subject: String,
    pub direction: Direction,
    pub state: MailState,
    pub method: Method,
    pub record: Option<RecordRef>,
    pub activity: Option<Uuid>,
    pub body: BodyHash,
    pub size: u64,
    pub received_at: Timestamp,
    pub sent_at: Option<Timestamp>,
    /// The names of the mailboxes that the ways in gave, over all sightings.
    pub mailboxes: Vec<String>,
    /// Mailbox and folder, over all sightings that had one, oldest first.
    pub folders: Vec<(String, String)>,
    pub conversation: Option<String>,
    pub authentication: Authentication,
    /// Nearest first.
    pub references: Vec<String>,
    pub envelope_from: Option<String>,
    /// Over all sightings.
    pub envelope_to: Vec<String>,
    /// Everybody in its headers, in normal form, as its row has them.
    pub parties: Vec<String>,
    /// All but its headers is gone.
    pub purged: bool,
}

/// A mail read.
#[derive(Debug, Clone)]
pub struct Reading {
    pub stored: Stored,
    pub class: Class,
    pub automatic: bool,
    pub from: Vec<Address>,
    pub to: Vec<Address>,
    pub cc: Vec<Address>,
    pub bcc: Vec<Address>,
    pub tokens: Vec<FoundToken>,
    pub near_misses: Vec<String>,
    /// The configured header: its value, and the GUID in it.
    pub header: Option<(String, Option<Uuid>)>,
    pub microsoft: Vec<String>,
    /// Ids and addresses of ours that verified: where, what, the kind and the id inside.
    pub signed: Vec<(String, String, Kind, Uuid)>,
    /// Ids that look like ours but do not verify.
    pub forged: Vec<String>,
    pub report: Option<Report>,
    pub attachments: Vec<Attached>,
    /// Bodies unpacked from containers, to be stored with the result.
    pub unpacked: Vec<Body>,
    pub description: Content,
    /// Things worth a look that decide nothing.
    pub flags: Vec<String>,
    /// Why a part of it could not be read: some of [`PARTLY`].
    pub partly: Vec<&'static str>,
    /// Why it is of its class.
    pub class_evidence: Vec<String>,
    /// The Sensitivity field (RFC 2156).
    pub sensitivity: Option<String>,
    pub importance: Importance,
    /// A directory found addresses of people that the mail's row does not have.
    pub named: bool,
}

/// What a delivery report says about the mail it is about.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Report {
    pub message_id: Option<String>,
    pub recipients: Vec<Failed>,
    #[serde(skip)]
    pub tokens: Vec<FoundToken>,
    /// What became of the mail; a failure when an older decision is read.
    #[serde(skip)]
    pub kind: Option<dsn::ReportKind>,
    #[serde(skip)]
    pub envelope_id: Option<String>,
}

/// One recipient of a delivery report (`interfaces.md`, "bounce").
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Failed {
    pub address: String,
    /// What became of the mail for this one; a failure when an older decision is read.
    #[serde(skip)]
    pub kind: Option<dsn::ReportKind>,
    /// The address that we wrote to, when delivery ended at another one.
    #[serde(skip)]
    pub original: Option<String>,
    pub hard: bool,
    pub status: Option<String>,
    pub code: Option<u16>,
    pub reason: String,
    /// The server's words.
    #[serde(skip)]
    pub diagnostic: Option<String>,
}

/// One attachment of the activity.
#[derive(Debug, Clone)]
pub struct Attached {
    pub name: String,
    pub content_type: String,
    pub content_id: Option<String>,
    pub content: Content,
}

/// Reads `raw`. Nothing in a mail makes this fail; what cannot be understood is flagged and kept.
pub fn read(stored: Stored, raw: &[u8], rules: &Rules, signer: Option<&Signer>) -> Reading {
    let mail = mime::Mail::parse(raw, &mime::Limits::default());
    let report = dsn::read(&mail);
    let own = OwnMarks { installation: rules.installation, signer };
    let reported = report.as_ref().map(|report| match report.kind {
        dsn::ReportKind::Feedback => ReportedAs::Feedback,
        dsn::ReportKind::Receipt => ReportedAs::Receipt,
        _ => ReportedAs::Bounce,
    });
    let envelope =
        postroom_core::Envelope { from: stored.envelope_from.clone(), to: stored.envelope_to.clone() };
    let class = classify::classify(&mail, &envelope, reported, &own);
    let mut reading = Reading {
        class: class.class,
        automatic: class.automatic,
        from: senders(&mail),
        to: mail.to.clone(),
        cc: mail.cc.clone(),
        bcc: mail.bcc.clone(),
        tokens: token::find_tokens(&mail.subject),
        near_misses: token::near_misses(&mail.subject).into_iter().map(|miss| miss.text).collect(),
        header: rules.header.as_deref().and_then(|name| header_guid(&mail, name)),
        microsoft: token::find_microsoft_tokens(&mail.subject, &rules.microsoft_prefix, 7..=20),
        signed: Vec::new(),
        forged: Vec::new(),
        report: report.map(report_of),
        attachments: Vec::new(),
        unpacked: Vec::new(),
        description: Content::MailBody { mail: stored.body },
        flags: Vec::new(),
        partly: Vec::new(),
        class_evidence: class.evidence,
        sensitivity: mail.header("Sensitivity"),
        importance: mail.header("Importance").map(|word| Importance::of(&word)).unwrap_or_default(),
        named: false,
        stored,
    };
    reading.trust_results(&mail, rules);
    if let Some(signer) = signer {
        reading.find_signed(signer);
    }
    reading.search_bounce_text(&mail, signer);
    reading.take_attachments(&mail);
    if let Some(limit) = mail.truncated {
        reading.flags.push(format!("only partly read: {limit:?}"));
        reading.partly.push(match limit {
            mime::Limit::Depth => "depth",
            mime::Limit::Parts => "parts",
            mime::Limit::HeaderBytes => "header_bytes",
        });
    }
    reading
}

/// Who wrote it: From, else Sender.
fn senders(mail: &mime::Mail<'_>) -> Vec<Address> {
    match mail.from.is_empty() {
        true => mail.sender.iter().cloned().collect(),
        false => mail.from.clone(),
    }
}

fn header_guid(mail: &mime::Mail<'_>, name: &str) -> Option<(String, Option<Uuid>)> {
    let value = mail.header(name)?;
    let guid = token::parse_guid(&value);
    Some((format!("{name}: {}", value.chars().take(120).collect::<String>()), guid))
}

pub(super) fn report_of(report: dsn::Report) -> Report {
    let failed = |recipient: dsn::Recipient| Failed {
        address: recipient.address,
        kind: Some(recipient.kind),
        original: recipient.original_address,
        hard: recipient.hard,
        status: recipient.status,
        code: recipient.code,
        reason: recipient.reason,
        diagnostic: recipient.diagnostic,
    };
    Report {
        message_id: report.original_message_id,
        kind: Some(report.kind),
        envelope_id: report.original_envelope_id,
        recipients: report.recipients.into_iter().map(failed).collect(),
        tokens: report.original_subject.as_deref().map(token::find_tokens).unwrap_or_default(),
    }
}

impl Reading {
    /// The activity of ours that a report is about, by an id in it that we signed: the address that it was sent to, or one in the
    /// words of a bounce.
    pub fn returned_activity(&self) -> Option<Uuid> {
        let at = |wanted: &str| {
            let mails = self.signed.iter().filter(|(.., kind, _)| *kind != Kind::Record);
            mails.filter(|(place, ..)| place == wanted).map(|(.., id)| *id).next()
        };
        at(RECIPIENT).or_else(|| at(RETURNED_TEXT))
    }

    /// Every address in the headers, in normal form.
    pub fn header_addresses(&self) -> impl Iterator<Item = String> + '_ {
        self.from.iter().chain(&self.to).chain(&self.cc).chain(&self.bcc).map(Address::normal)
    }

    /// Everyone it was sent to, by envelope and headers, in normal form, each once.
    pub fn recipients(&self) -> Vec<String> {
        let envelope = self.stored.envelope_to.iter().map(|to| address::normal(to));
        let headers = self.to.iter().chain(&self.cc).chain(&self.bcc).map(Address::normal);
        // A set: a hostile mail has tens of thousands.
        let mut seen = HashSet::new();
        let all = envelope.chain(headers).filter(|address| !address.is_empty());
        all.filter(|address| seen.insert(address.clone())).collect()
    }

    /// The sender's address in normal form; empty when there is none.
    pub fn sender(&self) -> String {
        self.from.first().map(Address::normal).unwrap_or_default()
    }

    /// The verdict of our own mail server, where the way in gave none. Only the topmost block under a configured name
    /// counts: anybody can write the others.
    fn trust_results(&mut self, mail: &mime::Mail<'_>, rules: &Rules) {
        if self.stored.authentication != Authentication::Unknown || rules.authserv_ids.is_empty() {
            return;
        }
        let servers: Vec<&str> = rules.authserv_ids.iter().map(String::as_str).collect();
        let results = auth_results::read(&mail.headers, &servers);
        self.stored.authentication = match results.and_then(|results| results.author_is_genuine()) {
            Some(true) => Authentication::Pass,
            Some(false) => Authentication::Fail,
            None => Authentication::Unknown,
        };
    }

    fn find_signed(&mut self, signer: &Signer) {
        let returned = self.report.as_ref().and_then(|report| report.message_id.clone());
        let ids = self
            .stored
            .references
            .iter()
            .enumerate()
            .map(|(n, id)| (format!("reference {}", n + 1), id.clone()));
        let ids = ids.chain(returned.map(|id| ("returned Message-ID".to_owned(), id)));
        let found = ids.map(|(place, id)| (place, signer.verify(&id), id)).collect::<Vec<_>>();
        let addresses = self.recipients().into_iter();
        let found = found
            .into_iter()
            .chain(addresses.map(|address| (RECIPIENT.to_owned(), signer.verify_address(&address), address)));
        for (place, verification, text) in found {
            match verification {
                Verification::Valid { kind, id, .. } => self.signed.push((place, text, kind, id)),
                Verification::Forged => self.forged.push(text),
                Verification::NotOurs => {}
            }
        }
    }

    /// A bounce without structure quotes the returned headers in its text; nothing else's text is searched.
    fn search_bounce_text(&mut self, mail: &mime::Mail<'_>, signer: Option<&Signer>) {
        let (Class::Bounce, Some(report)) = (self.class, &mut self.report) else { return };
        if report.message_id.is_some() || !report.tokens.is_empty() {
            return;
        }
        let text = mail.text_body().unwrap_or_default();
        match signer {
            None => report.tokens = token::find_tokens(&text),
            Some(signer) => {
                let named = gather_text::gather(&text, signer);
                report.tokens = named.tokens;
                let place = RETURNED_TEXT;
                self.signed
                    .extend(named.signed.into_iter().map(|id| (place.to_owned(), id.text, id.kind, id.id)));
                self.forged.extend(named.forged);
            }
        }
    }

    fn take_attachments(&mut self, mail: &mime::Mail<'_>) {
        for attachment in mail.attachments() {
            let body = &mail.parts[attachment.part as usize].body;
            if is_tnef(&attachment.content_type, &attachment.name) {
                self.unpack(body, mail);
            }
            let content =
                Content::MailPart { mail: self.stored.body, part: attachment.part, size: attachment.size };
            self.attachments.push(Attached {
                name: attachment.name,
                content_type: attachment.content_type,
                content_id: attachment.content_id,
                content,
            });
        }
    }

    /// Takes out what a TNEF container holds. The container itself stays an attachment too.
    fn unpack(&mut self, container: &[u8], mail: &mime::Mail<'_>) {
        let tnef = match tnef::decode(container, &tnef::Limits::default()) {
            Ok(tnef) => tnef,
            Err(error) => {
                self.partly.push("tnef");
                return self.flags.push(format!("winmail.dat could not be unpacked: {error}"));
            }
        };
        for file in tnef.attachments {
            let body = Body::prepare(&file.data);
            // Bytes: the activity is written before the body is, and a CRM outside reads it then.
            let content = Content::Bytes(Bytes::from(file.data));
            self.attachments.push(Attached {
                name: mime::safe_file_name(file.name.as_deref().unwrap_or_default()),
                content_type: file.content_type.unwrap_or_else(|| "application/octet-stream".into()),
                content_id: file.content_id,
                content,
            });
            self.unpacked.push(body);
        }
        if mail.body_parts().is_empty() {
            let shown =
                tnef.html.map(|text| html::clean(&text)).or(tnef.text.map(|text| html::from_text(&text)));
            if let Some(shown) = shown {
                self.description = Content::Bytes(Bytes::from(shown));
            }
        }
    }
}

/// The names of the bodies that reading this mail unpacks from containers.
pub(crate) fn unpacked(raw: &[u8]) -> Vec<BodyHash> {
    let mail = mime::Mail::parse(raw, &mime::Limits::default());
    let containers = mail.attachments().into_iter().filter(|file| is_tnef(&file.content_type, &file.name));
    let files = containers.filter_map(|file| {
        tnef::decode(&mail.parts.get(file.part as usize)?.body, &tnef::Limits::default()).ok()
    });
    files.flat_map(|tnef| tnef.attachments).map(|file| Body::prepare(&file.data).hash).collect()
}

fn is_tnef(content_type: &str, name: &str) -> bool {
    matches!(content_type, "application/ms-tnef" | "application/vnd.ms-tnef")
        || name.eq_ignore_ascii_case("winmail.dat")
}
