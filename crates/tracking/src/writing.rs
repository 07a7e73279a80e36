//! An e-mail that a person writes on our own pages: from what was typed to an activity in *Pending Send*. Pure.
//!
//! From there it goes the way of all the CRM's mail ([`crate::sending`]); nothing here sends.

use bytes::Bytes;
use postroom_core::{Address, Change, ChangeSet, Content, Record, RecordRef, Value, address};
use postroom_formats::compose::wire_address;
use uuid::Uuid;

use crate::filing::activity::derived;
use crate::filing::parties::Role;
use crate::prefix::is_reply_prefix;
use crate::token::without_tokens;

/// UTF-16 units of an e-mail's subject (dataverse.md B1).
pub const SUBJECT: usize = 800;

/// statecode Completed, statuscode Pending Send (dataverse.md B2).
const COMPLETED: i64 = 1;
const PENDING: i64 = 6;

/// Why a line of recipients cannot be read, for the person who typed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    #[error("Take out the line end or control character: it would forge a header of the mail.")]
    Control,
    #[error(
        "{0:?} is no e-mail address. Write name@example.com, or Name <name@example.com>, with commas between."
    )]
    Address(String),
}

/// A party of the e-mail: its address, and the record it belongs to when there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    pub address: String,
    pub record: Option<RecordRef>,
}

/// A file that goes with an e-mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub name: String,
    /// `type/subtype`; empty when it is not known.
    pub content_type: String,
    pub bytes: Bytes,
}

/// An e-mail to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    pub id: Uuid,
    /// A queue or a user.
    pub from: Party,
    pub to: Vec<Party>,
    pub cc: Vec<Party>,
    pub subject: String,
    /// Plain, as typed.
    pub text: String,
    pub regarding: Option<RecordRef>,
    /// The e-mail that this one answers.
    pub answers: Option<Uuid>,
    pub files: Vec<File>,
}

/// Whether a line that becomes a header could end it, and begin another.
pub fn forges(line: &str) -> bool {
    line.chars().any(char::is_control)
}

/// The addresses of a line of recipients: `a@x.example, Anna Adler <b@x.example>; c@x.example`. Each once; none is no error.
pub fn recipients(line: &str) -> Result<Vec<Address>, LineError> {
    if forges(line) {
        return Err(LineError::Control);
    }
    let mut found: Vec<Address> = Vec::new();
    for part in parts(line).into_iter().map(str::trim).filter(|part| !part.is_empty()) {
        let (name, address) = match part.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
            Some((name, address)) => (name.trim().trim_matches('"'), address.trim()),
            None => ("", part),
        };
        let wire = wire_address(address).filter(|_| !address.contains(['<', '>']));
        let Some((address, _)) = wire else {
            return Err(LineError::Address(part.chars().take(80).collect()));
        };
        if !found.iter().any(|known| known.normal() == address::normal(&address)) {
            found.push(Address::new(name, address));
        }
    }
    Ok(found)
}

/// The line cut at its commas and semicolons, but not inside quotes or angle brackets.
fn parts(line: &str) -> Vec<&str> {
    let (mut quoted, mut angled, mut from) = (false, false, 0);
    let mut parts = Vec::new();
    for (at, c) in line.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '<' if !quoted => angled = true,
            '>' if !quoted => angled = false,
            ',' | ';' if !quoted && !angled => {
                parts.push(&line[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&line[from..]);
    parts
}

/// The subject of an answer: without the token, which is put in anew, and with one `Re:`.
pub fn answer_subject(subject: &str) -> String {
    let bare = without_tokens(subject);
    match is_reply_prefix(&bare) {
        true => bare,
        false => format!("Re: {bare}"),
    }
}

/// What was typed, as the HTML that the CRM keeps: a paragraph for each block, a break for each line.
pub fn html(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let blocks = text.split("\n\n").map(|block| block.trim_matches('\n')).filter(|block| !block.is_empty());
    let paragraph = |block: &str| {
        let shown =
            block.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        format!("<p>{}</p>", shown.replace('\n', "<br>"))
    };
    blocks.map(paragraph).collect()
}

/// The change set of an e-mail. Its ids follow from the e-mail's own, so a repeat changes nothing.
pub fn activity(email: &Email, installation: Uuid) -> ChangeSet {
    let mut row = Record::new(RecordRef::new("email", email.id))
        .with("subject", email.subject.clone())
        .with("description", html(&email.text))
        .with("directioncode", true)
        .with("statecode", COMPLETED)
        .with("statuscode", PENDING);
    if let Some(regarding) = &email.regarding {
        row = row.with("regardingobjectid", regarding.clone());
    }
    if let Some(answers) = email.answers {
        row = row.with("parentactivityid", Value::lookup("email", answers));
    }
    if let Some(owner) = email.from.record.as_ref().filter(|from| from.table == "systemuser") {
        row = row.with("ownerid", owner.clone());
    }
    let to = email.to.iter().map(|party| (Role::To, party));
    let cc = email.cc.iter().map(|party| (Role::Cc, party));
    let parties = std::iter::once((Role::Sender, &email.from)).chain(to).chain(cc);
    let parties = parties.enumerate().map(|(place, (role, party))| {
        let key = [email.id.as_bytes().as_slice(), &(place as u32).to_be_bytes()].concat();
        let row = Record::new(RecordRef::new("activityparty", derived(installation, "written party", &key)))
            .with("activityid", Value::lookup("email", email.id))
            .with("participationtypemask", role as i64)
            .with("addressused", party.address.clone());
        let row = match &party.record {
            Some(record) => row.with("partyid", record.clone()),
            None => row,
        };
        Change::Create(row)
    });
    let files = email.files.iter().enumerate();
    let files = files.map(|(place, file)| Change::Create(attachment(email.id, place, file, installation)));
    let changes = std::iter::once(Change::Create(row)).chain(parties).chain(files).collect();
    ChangeSet { changes }
}

fn attachment(email: Uuid, place: usize, file: &File, installation: Uuid) -> Record {
    let key = [email.as_bytes().as_slice(), &(place as u32).to_be_bytes()].concat();
    let at = RecordRef::new("activitymimeattachment", derived(installation, "written attachment", &key));
    let row = Record::new(at)
        .with("objectid", Value::lookup("email", email))
        .with("objecttypecode", "email")
        .with("subject", file.name.clone())
        .with("filename", file.name.clone())
        .with("attachmentnumber", place as i64 + 1)
        .with("body", Content::Bytes(file.bytes.clone()));
    match file.content_type.as_str() {
        "" => row,
        kind => row.with("mimetype", kind),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let found = recipients(line)
            .map(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | "));
        assert_eq!(found.unwrap_or_else(|error| error.to_string()), expected, "{line}");
    }

    #[test]
    fn lines_of_recipients() {
        check("", "");
        check(" ; , ", "");
        check("a@x.example", "a@x.example");
        check("a@x.example, b@x.example;c@x.example", "a@x.example | b@x.example | c@x.example");
        check("Anna Adler <a@x.example>", "Anna Adler <a@x.example>");
        check("\"Adler, Anna\" <a@x.example>, b@x.example", "Adler, Anna <a@x.example> | b@x.example");
        check("a@x.example, A@X.example", "a@x.example");
        check("a@bücher.example", "a@xn--bcher-kva.example");
    }

    #[track_caller]
    fn refused(line: &str, control: bool) {
        let error = recipients(line).unwrap_err();
        assert_eq!(error == LineError::Control, control, "{line:?}: {error}");
    }

    #[test]
    fn lines_that_are_refused() {
        for line in ["a@x.example\r\nBcc: all@x.example", "a@x.example\0", "\u{85}a@x.example"] {
            refused(line, true);
        }
        for line in
            ["anna", "a@", "Anna <a@x.example> b", "<<a@x.example>>", "a b@x.example", "Anna <a@x.example"]
        {
            refused(line, false);
        }
    }

    #[test]
    fn subjects_of_answers() {
        assert_eq!(answer_subject("The pump leaks"), "Re: The pump leaks");
        assert_eq!(answer_subject("AW: The pump leaks"), "AW: The pump leaks");
        let token = crate::token::make(Uuid::from_u128(7));
        assert_eq!(answer_subject(&format!("Re: The pump leaks {token}")), "Re: The pump leaks");
    }

    #[test]
    fn typed_text_is_no_markup() {
        assert_eq!(
            html("Dear Anna,\r\n\r\n1 < 2 & so on\r\nInes\r\n"),
            "<p>Dear Anna,</p><p>1 &lt; 2 &amp; so on<br>Ines</p>"
        );
        assert_eq!(html("\n\n"), "");
    }

    #[test]
    fn an_email_waits_to_be_sent() {
        let party = |address: &str| Party { address: address.into(), record: None };
        let email = Email {
            id: Uuid::from_u128(1),
            from: Party {
                address: "s@us.example".into(),
                record: Some(RecordRef::new("queue", Uuid::from_u128(2))),
            },
            to: vec![party("a@x.example")],
            cc: vec![party("b@x.example")],
            subject: "Pump".into(),
            text: "Hello".into(),
            regarding: Some(RecordRef::new("incident", Uuid::from_u128(3))),
            answers: None,
            files: vec![File {
                name: "list.pdf".into(),
                content_type: "application/pdf".into(),
                bytes: Bytes::from_static(b"%PDF"),
            }],
        };
        let set = activity(&email, Uuid::nil());
        assert_eq!(set, activity(&email, Uuid::nil()), "the same ids again");
        let rows: Vec<&Record> = set
            .changes
            .iter()
            .map(|change| match change {
                Change::Create(row) => row,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!((rows[0].int("statecode"), rows[0].int("statuscode")), (Some(1), Some(6)));
        let roles: Vec<Option<i64>> = rows[1..4].iter().map(|row| row.int("participationtypemask")).collect();
        assert_eq!(roles, [Some(1), Some(2), Some(3)]);
        let file = rows[4];
        assert_eq!((file.text("filename"), file.int("attachmentnumber")), (Some("list.pdf"), Some(1)));
    }

    proptest! {
        #[test]
        fn what_is_read_can_be_written(line in "[ab@.<>\", ;x\\r\\n]{0,40}") {
            for address in recipients(&line).unwrap_or_default() {
                prop_assert!(wire_address(&address.address).is_some());
                prop_assert!(!forges(&address.address) && !forges(&address.name));
            }
        }

        #[test]
        fn no_markup_gets_through(text in any::<String>()) {
            let bare = html(&text).replace("<p>", "").replace("</p>", "").replace("<br>", "");
            prop_assert!(!bare.contains(['<', '>']));
        }
    }
}
