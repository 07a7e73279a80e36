//! Another subject for a finished mail, every other byte left as it is.
//!
//! A subject is stamped on its way, so what the mail was signed over matters: a DKIM signature (RFC 6376) names the
//! fields it covers, and a changed subject breaks it; so does one under an ARC-Message-Signature (RFC 8617) that covers
//! the subject. Such mail is refused here, and goes on as it is. S/MIME and PGP sign what is inside `multipart/signed`,
//! not the mail's own header, and do not mind.
//!
//! Not here: what the subject should be.

use std::borrow::Cow;

use crate::compose;
use crate::mime::{Fields, Header, scan_headers};

/// Why the subject of a mail is left alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unstampable {
    #[error("{field} covers the subject: stamp the mail before it is signed")]
    Signed { field: &'static str },
    #[error("the mail's header cannot be read whole: it is left as it is")]
    Header,
    #[error(
        "the new subject would not read back as given: it has a control character, or is itself an encoded word"
    )]
    Subject,
}

/// The mail with `new_subject` in place of its first Subject field: encoded (RFC 2047) and folded where it must be. A
/// mail without a Subject gets one behind its From or Date. Borrowed when the subject says so already.
///
/// # Errors
/// [`Unstampable`] when that would break a signature or more than the subject.
pub fn subject<'x>(raw: &'x [u8], new_subject: &str) -> Result<Cow<'x, [u8]>, Unstampable> {
    let fields = scan_headers(raw);
    if fields.truncated.is_some() || fields.headers.is_empty() {
        return Err(Unstampable::Header);
    }
    let old = position(&fields, "Subject");
    if old.is_some() && fields.subject == new_subject {
        return Ok(Cow::Borrowed(raw));
    }
    signed(&fields)?;
    if new_subject.chars().any(char::is_control) {
        return Err(Unstampable::Subject);
    }
    let field = compose::text_field("Subject", new_subject).map_err(|_| Unstampable::Subject)?;
    let stamped = match old {
        Some(at) => replaced(raw, &fields.headers[at], &field)?,
        None => added(raw, &fields, &field)?,
    };
    verify(&fields, old, &stamped, new_subject)?;
    Ok(Cow::Owned(stamped))
}

/// The first field of this name, by place.
fn position(fields: &Fields<'_>, name: &str) -> Option<usize> {
    fields.headers.iter().position(|header| header.name.eq_ignore_ascii_case(name))
}

/// Refuses mail whose subject somebody signed.
fn signed(fields: &Fields<'_>) -> Result<(), Unstampable> {
    // A DKIM signature without the subject is not worth having; some verifiers take a change for an attack all the same.
    for field in ["DKIM-Signature", "DomainKey-Signature"] {
        if position(fields, field).is_some() {
            return Err(Unstampable::Signed { field });
        }
    }
    let field = "ARC-Message-Signature";
    let mut seals = fields.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(field));
    match seals.any(|seal| covers_subject(&seal.text())) {
        true => Err(Unstampable::Signed { field }),
        false => Ok(()),
    }
}

/// Whether the `h=` tag of a signature lists the subject. A signature without a list might.
fn covers_subject(signature: &str) -> bool {
    let tags = signature.split(';').filter_map(|tag| tag.split_once('='));
    let mut listed = tags.filter(|(name, _)| name.trim() == "h").map(|(_, list)| list);
    listed.next().is_none_or(|list| list.split(':').any(|name| name.trim().eq_ignore_ascii_case("subject")))
}

/// Where a field stands: from its name to behind its line end, and that line end.
struct Place<'x> {
    start: usize,
    after: usize,
    end: &'x [u8],
}

fn place<'x>(raw: &'x [u8], header: &Header<'_>) -> Result<Place<'x>, Unstampable> {
    let offset = |part: &[u8]| part.as_ptr() as usize - raw.as_ptr() as usize;
    let (start, value) = (offset(header.name.as_bytes()), offset(header.value) + header.value.len());
    let after = memchr::memchr(b'\n', &raw[value..]).map_or(raw.len(), |length| value + length + 1);
    let end = &raw[value..after];
    // A mail with lone CR for line ends is read, but nobody sends one.
    let sound =
        end.iter().all(|byte| matches!(byte, b'\r' | b'\n')) && (end.is_empty() || end.ends_with(b"\n"));
    if sound { Ok(Place { start, after, end }) } else { Err(Unstampable::Header) }
}

fn replaced(raw: &[u8], old: &Header<'_>, field: &str) -> Result<Vec<u8>, Unstampable> {
    let place = place(raw, old)?;
    let field = with_line_ends(field, place.end);
    let field = if place.end.is_empty() { field.trim_end() } else { &field };
    Ok([&raw[..place.start], field.as_bytes(), &raw[place.after..]].concat())
}

fn added(raw: &[u8], fields: &Fields<'_>, field: &str) -> Result<Vec<u8>, Unstampable> {
    let neighbour = position(fields, "From").or_else(|| position(fields, "Date"));
    let neighbour = neighbour.map_or_else(|| fields.headers.last(), |at| fields.headers.get(at));
    let place = place(raw, neighbour.ok_or(Unstampable::Header)?)?;
    let between: &[u8] = if place.end.is_empty() { b"\r\n" } else { b"" };
    let field = with_line_ends(field, place.end);
    Ok([&raw[..place.after], between, field.as_bytes(), &raw[place.after..]].concat())
}

/// The field's lines end as those beside it do.
fn with_line_ends(field: &str, beside: &[u8]) -> String {
    if beside == b"\n" { field.replace("\r\n", "\n") } else { field.to_owned() }
}

/// Reads the mail again: the subject is the new one, and the other fields are what they were. Headers in the wild are
/// broken in ways that let one line change how the next is read.
fn verify(before: &Fields<'_>, old: Option<usize>, stamped: &[u8], subject: &str) -> Result<(), Unstampable> {
    let after = scan_headers(stamped);
    let Some(new) = position(&after, "Subject") else { return Err(Unstampable::Header) };
    let others = |fields: &Fields<'_>, but: Option<usize>| -> Vec<(String, Vec<u8>)> {
        let kept = fields.headers.iter().enumerate().filter(|(at, _)| Some(*at) != but);
        kept.map(|(_, header)| (header.name.to_owned(), header.value.to_vec())).collect()
    };
    if others(before, old) != others(&after, Some(new)) {
        return Err(Unstampable::Header);
    }
    if after.subject == subject { Ok(()) } else { Err(Unstampable::Subject) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mime::{Limits, Mail};

    const TOKEN: &str = " CRM:{0190f3c2-1111-2222-3333-444455556666}:MRC";

    #[track_caller]
    fn check(raw: &str, new: &str, expected: &str) {
        let stamped = subject(raw.as_bytes(), new).unwrap();
        assert_eq!(String::from_utf8_lossy(&stamped), expected);
        assert_eq!(scan_headers(&stamped).subject, new);
        if !raw.contains('\r') {
            let (raw, expected) = (raw.replace('\n', "\r\n"), expected.replace('\n', "\r\n"));
            assert_eq!(
                String::from_utf8_lossy(&subject(raw.as_bytes(), new).unwrap()),
                expected,
                "with CRLF"
            );
        }
    }

    #[track_caller]
    fn refused(raw: &str, new: &str, expected: Unstampable) {
        assert_eq!(subject(raw.as_bytes(), new), Err(expected), "{raw}");
    }

    #[test]
    fn the_first_subject_is_replaced() {
        check(
            "From: a@b\nSubject: x\nTo: c@d\n\nSubject: y\n",
            "x y",
            "From: a@b\nSubject: x y\nTo: c@d\n\nSubject: y\n",
        );
        check("subject : x\nSubject: z\n\n", "y", "Subject: y\nSubject: z\n\n");
        check("Subject:\n long\n\tsubject\nA: b\n\nx", "y", "Subject: y\nA: b\n\nx");
        check("Subject: =?utf-8?B?w6Q=?=\n\n", "ä z", "Subject: =?utf-8?B?w6Q=?= z\n\n");
        check("A: b\nSubject: x", "y", "A: b\nSubject: y");
        check("A: b\nSubject:", "y", "A: b\nSubject: y");
        // A fold that has lost its indent belongs to the subject, and goes with it.
        check("Subject: one\ntwo\nX-Y: z\n\nx", "y", "Subject: y\nX-Y: z\n\nx");
    }

    #[test]
    fn a_mail_without_one_gets_one() {
        check(
            "Date: d\nFrom: a@b,\n c@d\nTo: e@f\n\nx",
            "y",
            "Date: d\nFrom: a@b,\n c@d\nSubject: y\nTo: e@f\n\nx",
        );
        check("To: e@f\nDate: d\n\nx", "y", "To: e@f\nDate: d\nSubject: y\n\nx");
        check("To: e@f\nCc: g@h\n\nx", "y", "To: e@f\nCc: g@h\nSubject: y\n\nx");
        assert_eq!(subject(b"From: a@b", "y").unwrap(), &b"From: a@b\r\nSubject: y\r\n"[..]);
    }

    #[test]
    fn long_subjects_are_folded_and_the_token_stays_readable() {
        let words = "Offer for a number of things that take more than one line to tell, and then some more";
        let stamped = subject(b"Subject: x\r\n\r\nbody", &format!("{words}{TOKEN}")).unwrap().into_owned();
        let text = String::from_utf8(stamped).unwrap();
        assert!(text.lines().all(|line| line.len() <= 78) && text.contains(TOKEN.trim()), "{text}");
        assert!(text.ends_with("\r\n\r\nbody") && text.lines().count() > 3, "{text}");
    }

    #[test]
    fn the_same_subject_changes_nothing() {
        let raw = b"Subject: =?iso-8859-1?Q?=E4?=\r\n\r\n";
        assert!(matches!(subject(raw, "ä"), Ok(Cow::Borrowed(same)) if same == raw));
        // Not even a signature is in the way.
        assert!(matches!(subject(b"DKIM-Signature: x\r\nSubject: x\r\n\r\n", "x"), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn signed_subjects_are_left_alone() {
        let dkim = Unstampable::Signed { field: "DKIM-Signature" };
        refused("dkim-signature: v=1; h=from:to\nSubject: x\n\n", "y", dkim.clone());
        refused("Subject: x\nDKIM-Signature: v=1;\n h=from:subject\n\n", "y", dkim);
        let arc = Unstampable::Signed { field: "ARC-Message-Signature" };
        refused("ARC-Message-Signature: i=1; h=From:\n  Subject : To; b=x\nSubject: x\n\n", "y", arc.clone());
        refused("ARC-Message-Signature: i=1; b=x\nSubject: x\n\n", "y", arc);
        check(
            "ARC-Message-Signature: i=1; h=from:to\nSubject: x\n\n",
            "y",
            "ARC-Message-Signature: i=1; h=from:to\nSubject: y\n\n",
        );
        // What a forwarded mail inside was signed with is no matter; neither is S/MIME.
        let inside =
            "Content-Type: multipart/signed; boundary=b\nSubject: x\n\n--b\nDKIM-Signature: v=1\n\n--b--\n";
        check(inside, "y", &inside.replace("Subject: x", "Subject: y"));
    }

    #[test]
    fn what_cannot_be_done_well_is_not_done() {
        refused("", "y", Unstampable::Header);
        refused("just text\n", "y", Unstampable::Header);
        refused("A: b\rSubject: x\r\rbody", "y", Unstampable::Header);
        refused(&format!("Subject: x\nA: {}\nB: c\n\n", "b".repeat(300_000)), "y", Unstampable::Header);
        for new in ["x\r\nBcc: evil@x", "x\ny", "x\0", "x\ty", "=?utf-8?Q?x?="] {
            refused("Subject: x\n\n", new, Unstampable::Subject);
        }
        // The blank-looking fold hides where the body begins: without it "Hello" would become a field's.
        refused("A: b\nSubject: x\n \nHello\nX-Y: z\n\n", "y", Unstampable::Header);
    }

    proptest! {
        #[test]
        fn all_other_bytes_stay(
            before in "([A-Z][a-z]{1,8}: [ -~]{0,30}\r\n( [!-~]{1,30}\r\n)?){0,4}",
            after in "(X-[a-z]{1,8}: \\PC{0,30}\r\n){0,4}",
            old in proptest::option::of("\\PC{0,60}"),
            new in "[^\\p{Cc}\u{feff}]{0,120}",
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let field = old.as_ref().map(|old| format!("Subject: {old}\r\n")).unwrap_or_default();
            let raw = [format!("From: a@b.example\r\n{before}{field}{after}\r\n").as_bytes(), &body].concat();
            if let Ok(stamped) = subject(&raw, &new) {
                let mail = Mail::parse(&stamped, &Limits::default());
                prop_assert_eq!(&mail.subject, &new);
                let field = compose::text_field("Subject", &new).unwrap();
                let fits = (0..=stamped.len().saturating_sub(field.len())).any(|at| {
                    let (head, tail) = (&stamped[..at], &stamped[at..]);
                    tail.starts_with(field.as_bytes()) && without_subject(&raw) == [head, &tail[field.len()..]].concat()
                });
                prop_assert!(fits || stamped == raw, "{:?}", String::from_utf8_lossy(&stamped));
            } else {
                // Only a subject that is an encoded word itself, or what the old one's 8-bit text did to the block.
                prop_assert!(new.contains("=?") || before.contains("=?") || !raw.is_ascii());
            }
        }

        #[test]
        fn any_bytes(raw in proptest::collection::vec(any::<u8>(), 0..400), new in "\\PC{0,40}") {
            let _ = subject(&raw, &new);
        }
    }

    /// The mail without its first Subject field, which stands on one line.
    fn without_subject(raw: &[u8]) -> Vec<u8> {
        let fields = scan_headers(raw);
        let Some(at) = position(&fields, "Subject") else { return raw.to_vec() };
        let place = place(raw, &fields.headers[at]).unwrap();
        [&raw[..place.start], &raw[place.after..]].concat()
    }
}
