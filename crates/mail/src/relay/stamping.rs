//! Asking for the subject a mail should carry, and writing it. Never fails: the mail as it came is always an answer.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use postroom_core::{Address, Incoming, StampAsk, Stamper};
use postroom_formats::mime::{Fields, scan_headers};
use postroom_formats::restamp;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::events::{self, Stamping};

/// Fields whose mere presence says that no person is writing to a person.
const MACHINE: &[&str] = &["List-Id", "List-Unsubscribe", "X-Autoreply", "X-Autorespond", "X-Postroom-Loop"];

/// The mail as it should go on.
pub(super) async fn stamped(stamper: Arc<dyn Stamper>, patience: Duration, mail: &Incoming) -> Bytes {
    let started = Instant::now();
    let (bytes, what) = decide(stamper, patience, mail).await;
    events::Stamped { what, took: started.elapsed() }.emit();
    bytes
}

async fn decide(stamper: Arc<dyn Stamper>, patience: Duration, mail: &Incoming) -> (Bytes, Stamping) {
    let fields = scan_headers(&mail.raw);
    let unchanged = |what| (mail.raw.clone(), what);
    if is_automatic(&fields) {
        return unchanged(Stamping::Automatic);
    }
    let ask = ask(&fields, mail);
    // A task of its own: neither a panic in there nor a thread that it blocks is the user's problem.
    let thinking = AbortOnDropHandle::new(tokio::spawn(async move { stamper.stamp(ask).await }));
    let stamp = match timeout(patience, thinking).await {
        Ok(Ok(stamp)) => stamp,
        Ok(Err(_)) => return unchanged(Stamping::Broke),
        Err(_) => return unchanged(Stamping::Late),
    };
    if stamp.subject == fields.subject {
        return unchanged(Stamping::Unchanged);
    }
    match restamp::subject(&mail.raw, &stamp.subject) {
        Ok(Cow::Borrowed(_)) => unchanged(Stamping::Unchanged),
        Ok(Cow::Owned(stamped)) => (Bytes::from(stamped), Stamping::Stamped),
        Err(restamp::Unstampable::Signed { .. }) => unchanged(Stamping::Signed),
        Err(restamp::Unstampable::Header | restamp::Unstampable::Subject) => unchanged(Stamping::Unwritable),
    }
}

/// Whether a machine made it (RFC 3834, RFC 2919, RFC 6522), postroom included: its own mail has its token.
fn is_automatic(fields: &Fields<'_>) -> bool {
    fields.headers.iter().any(|header| {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        let first = || header.text().split([';', ' ', '/']).next().unwrap_or_default().to_ascii_lowercase();
        match () {
            () if is("Auto-Submitted") => first() != "no",
            () if is("Precedence") => matches!(first().as_str(), "bulk" | "list" | "junk" | "auto_reply"),
            () if is("Content-Type") => header.text().to_ascii_lowercase().starts_with("multipart/report"),
            () => MACHINE.iter().any(|name| is(name)),
        }
    })
}

fn ask(fields: &Fields<'_>, mail: &Incoming) -> StampAsk {
    let author = fields.from.first().or(fields.sender.as_ref()).map(|author| author.address.clone());
    let written = [&fields.to, &fields.cc, &fields.bcc].into_iter().flatten();
    let written = written.filter(|one: &&Address| !one.address.is_empty()).map(|one| one.address.clone());
    let mut seen = HashSet::new();
    StampAsk {
        subject: fields.subject.clone(),
        from: author.or_else(|| mail.envelope.from.clone()).unwrap_or_default(),
        to: mail
            .envelope
            .to
            .iter()
            .cloned()
            .chain(written)
            .filter(|to| seen.insert(to.to_lowercase()))
            .collect(),
        message_id: fields.message_id.clone(),
        in_reply_to: fields.in_reply_to.first().cloned(),
        references: fields.references.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(header: &str, automatic: bool) {
        assert_eq!(
            is_automatic(&scan_headers(format!("{header}\r\n\r\n").as_bytes())),
            automatic,
            "{header}"
        );
    }

    #[test]
    fn machines() {
        check("Auto-Submitted: auto-replied (vacation)", true);
        check("auto-submitted: NO", false);
        check("Auto-Submitted: no; x=y", false);
        check("Precedence: Bulk", true);
        check("Precedence: first-class", false);
        check("Content-Type: Multipart/Report; report-type=disposition-notification", true);
        check("Content-Type: multipart/mixed", false);
        check("List-Id: <x.y>", true);
        check("X-Postroom-Loop: 1; 1", true);
        check("Subject: Out of office", false);
    }
}
