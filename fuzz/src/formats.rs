//! Entry points into `postroom-formats`. A stable test replays every corpus through them.

use std::io::Cursor;

use jiff::{SignedDuration, Timestamp};
use postroom_formats::csv::{self, Table};
use postroom_formats::mbox::{Mbox, Quoting};
use postroom_formats::mime::{Limits, Mail, scan_headers};
use postroom_formats::notes_name::NotesName;
use postroom_formats::ntlm::message::{Authenticate, Challenge, Pairs, read_negotiate};
use postroom_formats::ntlm::spnego::{Opening, Reply};
use postroom_formats::odata::{MAX_TEXT, batch, options::Options, path, prefer::Preferences};
use postroom_formats::soap::envelope::Envelope;
use postroom_formats::soap::operation::{Answer, Operation};
use postroom_formats::soap::reply;
use postroom_formats::soap::{Generation, crm4, discovery, dotdigital, fault::Fault, metadata, trust};
use postroom_formats::x509::Certificate;
use postroom_formats::{auth_results, dsn, fetchxml, gzip, html, journal, restamp, solution, tnef, xml};

/// What the fuzzer calls with its bytes.
pub type Entry = fn(&[u8]);

/// The targets by name: how a corpus folder finds its function.
pub const TARGETS: &[(&str, Entry)] = &[
    ("mime", mime),
    ("headers", headers),
    ("mbox", mbox),
    ("dsn", report),
    ("tnef", winmail),
    ("html", markup),
    ("odata", web_api),
    ("fetchxml", fetch),
    ("soap", soap),
    ("trust", tokens),
    ("ntlm", ntlm),
    ("gzip", packed),
    ("journal", journalled),
    ("results", results),
    ("restamp", restamped),
    ("csv", table),
    ("notes", names),
    ("x509", certificate),
    ("solution", archive),
];

/// Reads a mail and everything that can be asked of it.
pub fn mime(data: &[u8]) {
    let mail = Mail::parse(data, &Limits::default());
    let (_, _) = (mail.text_body(), mail.html_body());
    for attachment in mail.attachments() {
        assert!(!attachment.name.is_empty(), "an attachment has a name");
        assert!(!attachment.name.contains(['/', '\\', '\0']), "an attachment's name is no path");
    }
    for part in &mail.parts {
        let _ = mail.part_text(part.index);
        assert!(part.parent.is_none_or(|parent| parent < part.index), "a part stands behind its parent");
    }
}

/// Reads the header fields alone; they are those of the whole mail.
pub fn headers(data: &[u8]) {
    let (fields, mail) = (scan_headers(data), Mail::parse(data, &Limits::default()));
    assert_eq!(fields.message_id, mail.message_id, "both ways of reading find the same Message-ID");
    assert_eq!(fields.date, mail.date, "both ways of reading find the same date");
}

/// Reads a mailbox file to its end.
pub fn mbox(data: &[u8]) {
    for quoting in [Quoting::Mboxrd, Quoting::Mboxo] {
        let mut last = None;
        for message in Mbox::new(Cursor::new(data), quoting, 1 << 20).flatten() {
            assert!(last.is_none_or(|last| last < message.offset), "offsets rise");
            last = Some(message.offset);
        }
    }
}

/// Reads a report about an earlier mail.
pub fn report(data: &[u8]) {
    let _ = dsn::read(&Mail::parse(data, &Limits::default()));
}

/// Decodes a winmail.dat.
pub fn winmail(data: &[u8]) {
    let limits = tnef::Limits::default();
    assert!(tnef::is_tnef(data) || tnef::decode(data, &limits).is_err(), "what is no TNEF file is refused");
}

/// Cleans HTML; what is clean stays as it is, and nothing that runs is left.
pub fn markup(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let clean = html::clean(&text);
    assert!(!clean.to_ascii_lowercase().contains("<script"), "no script is left: {clean}");
    let _ = html::to_text(&clean);
}

/// The Web API's language: the bytes are a URL, a preference, and a batch with its content type as the first line.
pub fn web_api(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let resource = path::resource(&text);
    if let Ok(path) = path::Path::parse(resource.path) {
        let keys = path.segments.iter().filter_map(|segment| segment.key().ok().flatten());
        for key in keys {
            // Escaping may make it longer than what is read.
            let url = format!("x{}", key.to_url());
            let again = path::Path::parse(&url);
            assert!(again.is_ok() || url.len() > MAX_TEXT, "a key that was read can be written");
        }
    }
    let _ = (Options::parse(resource.query), Preferences::parse([text.as_ref()]).to_string());
    if let Some(end) = data.iter().position(|byte| *byte == b'\n') {
        let (kind, body) = (String::from_utf8_lossy(&data[..end]), &data[end + 1..]);
        let _ = (batch::read_requests(&kind, body), batch::read_responses(&kind, body));
    }
}

/// FetchXML and its paging cookies. What was read and can be written reads back as something that writes the same.
pub fn fetch(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = (fetchxml::Cookie::parse(&text), fetchxml::from_annotation(&text));
    let Ok(fetch) = fetchxml::parse(&text) else { return };
    let Ok(written) = fetchxml::write(&fetch) else { return };
    let again = fetchxml::parse(&written).map(|again| fetchxml::write(&again));
    assert_eq!(again, Ok(Ok(written)), "FetchXML that was written reads back");
}

/// Limits of a fuzzer: large inputs find nothing that small ones do not.
const SMALL: xml::Limits = xml::Limits { bytes: 1 << 20, nodes: 20_000, depth: 64 };

/// A SOAP message of either side: envelope, operations and answers of both services, rows, values, faults, metadata; those of the marketing service.
pub fn soap(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = dotdigital::read_request(&text, &SMALL);
    for operation in dotdigital::OPERATIONS {
        let _ = dotdigital::read_answer(operation, &text, &SMALL);
    }
    let reply = reply::Reply::read(&text, &SMALL);
    let Ok(envelope) = Envelope::read(&text, &SMALL) else { return };
    let answered = Answer::read(&envelope.body).is_ok();
    assert!(!answered || reply.is_ok(), "what the tree takes, a client reads: {reply:?}");
    // Signs that XML cannot hold are read, and written as what stands for them.
    let written = envelope.write();
    let again = Envelope::read(&written, &xml::Limits::default()).map(|again| again.write());
    assert_eq!(again, Ok(written), "a message that was read can be written");
    let body = &envelope.body;
    for generation in [Generation::Crm2011, Generation::Dataverse] {
        if let Ok(operation) = Operation::read(body) {
            let written = xml::write(&operation.write(generation));
            assert!(xml::read(&written, &xml::Limits::default()).is_ok(), "an operation is XML: {written}");
        }
        if let Ok(answer) = Answer::read(body) {
            let written = xml::write(&answer.write(generation));
            assert!(xml::read(&written, &xml::Limits::default()).is_ok(), "an answer is XML: {written}");
        }
    }
    let _ = (Fault::read(body), discovery::Question::read(body), discovery::read_answer(body));
    let _ = (crm4::Question::read(body), crm4::Answer::read(body), crm4::Token::read(body));
    let _ = (metadata::table(body), metadata::relations(body), metadata::column(body));
    let _ = (metadata::option_set(body), metadata::one_to_many(body), metadata::many_to_many(body));
}

/// WS-Trust: requests and answers with tokens, and signed headers, of which none fits an unknown secret.
pub fn tokens(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let checked = trust::verify(
        &text,
        &SMALL,
        |_| Some(b"secret".to_vec()),
        Timestamp::UNIX_EPOCH,
        SignedDuration::ZERO,
    );
    assert!(checked.is_err(), "nobody knows the secret");
    let Ok(envelope) = Envelope::read(&text, &SMALL) else { return };
    if let Some(security) = &envelope.headers.security {
        let _ = trust::TokenRequest::read(&envelope.body, security);
    }
    if let Ok(token) = trust::Token::read(&envelope.body) {
        let written = xml::write(&token.write());
        assert!(xml::read(&written, &xml::Limits::default()).is_ok(), "a token is XML: {written}");
    }
}

/// NTLM's three messages and SPNEGO's tokens around them.
pub fn ntlm(data: &[u8]) {
    let _ = read_negotiate(data);
    if let Ok(challenge) = Challenge::read(data) {
        let again = Challenge::read(&challenge.write());
        assert_eq!(
            again.map(|again| again.pairs),
            Ok(challenge.pairs),
            "a challenge that was read can be written"
        );
    }
    if let Ok(proof) = Authenticate::read(data) {
        let _ = proof.pairs();
    }
    if let Ok(pairs) = Pairs::read(data) {
        assert_eq!(Pairs::read(&pairs.write()), Ok(pairs), "pairs that were read can be written");
    }
    if let Ok(opening) = Opening::read(data) {
        assert_eq!(Opening::read(&opening.write()), Ok(opening), "an opening that was read can be written");
    }
    if let Ok(reply) = Reply::read(data) {
        assert_eq!(Reply::read(&reply.write()), Ok(reply), "a reply that was read can be written");
    }
}

/// Unpacks an answer, with room for much and for little: what fits into little is the same with much.
pub fn packed(data: &[u8]) {
    let (much, little) = (gzip::unpack(data, 1 << 20), gzip::unpack(data, 1 << 10));
    assert!(much.as_ref().map_or(0, Vec::len) <= 1 << 20, "no more is unpacked than is wanted");
    match little {
        Ok(content) => assert_eq!(much, Ok(content), "what is small needs no more room"),
        Err(gzip::Error::Large(_)) => {
            assert!(much.as_ref().map_or(usize::MAX, Vec::len) > 1 << 10, "what is large is large")
        }
        Err(gzip::Error::Broken) => assert_eq!(much, Err(gzip::Error::Broken), "what is broken stays so"),
    }
}

/// A mail in a journal: what it was sent with, and the mail itself.
pub fn journalled(data: &[u8]) {
    let Some(found) = journal::unwrap(data) else { return };
    let addresses = found.to.iter().chain(&found.from);
    for address in addresses {
        assert!(!address.contains(['\r', '\n']), "an address is one line: {address:?}");
    }
}

/// What a server says of a mail's sender.
pub fn results(data: &[u8]) {
    let fields = scan_headers(data);
    let found = auth_results::read(&fields.headers, &["mx.corp.example"]);
    let genuine = found.map(|found| (found.server.to_ascii_lowercase(), found.author_is_genuine()));
    assert!(
        genuine.is_none_or(|(server, _)| server == "mx.corp.example"),
        "only the named server is believed"
    );
}

/// Gives a mail another subject. Doing it twice changes nothing more.
pub fn restamped(data: &[u8]) {
    let Ok(stamped) = restamp::subject(data, "Offer [CRM:1]") else { return };
    let again = restamp::subject(&stamped, "Offer [CRM:1]");
    assert_eq!(again.as_deref(), Ok(stamped.as_ref()), "a stamped mail is as it is to be");
}

/// A table in a file: each of its rows, written, reads back.
pub fn table(data: &[u8]) {
    let table = Table::read(data);
    // A row of one empty cell is a blank line, which is none, and a mark of the byte order at the begin is none of the text.
    let sound = |cells: &&Vec<String>| cells.len() > 1 && !cells[0].starts_with('\u{feff}');
    for cells in table.rows.iter().filter(sound) {
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        let again = Table::read(csv::row(&cells).as_bytes());
        assert_eq!(again.head, cells, "a row that was read can be written");
    }
}

/// A name of Notes in any of its forms; they are names of one person.
pub fn names(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Some(name) = NotesName::parse(&text) else { return };
    let _ = (name.common().len(), name.domain().map(str::len), name.abbreviated(), name.ldap());
    assert!(!name.key().is_empty(), "a name has a key");
}

/// A server's certificate.
pub fn certificate(data: &[u8]) {
    let read = Certificate::read(data);
    assert_eq!(read.days_left(Timestamp::UNIX_EPOCH).is_some(), read.not_after.is_some());
}

/// A solution file.
pub fn archive(data: &[u8]) {
    let limits = solution::Limits::default();
    let _ = solution::read(data, &limits);
}
