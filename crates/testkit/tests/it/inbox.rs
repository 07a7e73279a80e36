//! The suite over the port `Inbox`, on a model in memory: right, then wrong in one way at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use postroom_core::{Accepted, Fault, Ids, Inbox, Incoming, MailId, Source};
use postroom_testkit::conformance;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    WholeBytes,
    MessageIdOnly,
    LookThenWrite,
    EverythingIsNew,
    NothingIsNew,
    OtherWayOtherMail,
    RefusesOddMail,
}

struct Model {
    known: Mutex<HashMap<String, MailId>>,
    ids: Ids,
    flaw: Option<Flaw>,
}

impl Model {
    fn make(flaw: Option<Flaw>) -> Arc<dyn Inbox> {
        Arc::new(Model { known: Mutex::default(), ids: Ids::counted(), flaw })
    }

    fn key(&self, mail: &Incoming) -> String {
        let raw = String::from_utf8_lossy(&mail.raw);
        let unfolded = raw.replace("=?utf-8?Q?Offer?=\r\n ", "Offer ");
        let unfolded = unfolded.replace("Mon, 02 Nov 2026 11:00:00 +0100", "Mon, 2 Nov 2026 10:00:00 +0000");
        let header =
            |name: &str| unfolded.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        let id = header("Message-ID:");
        match self.flaw {
            Some(Flaw::WholeBytes) => unfolded,
            Some(Flaw::OtherWayOtherMail) if mail.source == Source::Http => format!("{unfolded} again"),
            _ if id.is_empty() => unfolded,
            Some(Flaw::MessageIdOnly) => id,
            _ => [id, header("From:"), header("Date:"), header("Subject:")].join("\n"),
        }
    }
}

#[async_trait]
impl Inbox for Model {
    async fn accept(&self, mail: Incoming) -> Result<Accepted, Fault> {
        if self.flaw == Some(Flaw::RefusesOddMail) && !mail.raw.starts_with(b"From:") {
            return Err(Fault::bug("not a mail"));
        }
        let key = self.key(&mail);
        if self.flaw == Some(Flaw::LookThenWrite) && !self.known.lock().unwrap().contains_key(&key) {
            tokio::task::yield_now().await;
            self.known.lock().unwrap().remove(&key);
        }
        let mut known = self.known.lock().unwrap();
        let fresh = MailId(self.ids.next());
        let id = *known.entry(key).or_insert(fresh);
        let new = match self.flaw {
            Some(Flaw::EverythingIsNew) => true,
            Some(Flaw::NothingIsNew) => false,
            _ => id == fresh,
        };
        Ok(Accepted { id, new })
    }
}

#[tokio::test]
async fn a_right_inbox_passes() {
    conformance::inbox(async || Model::make(None)).await;
}

#[tokio::test]
async fn every_flaw_is_found() {
    let flaws = [
        (Flaw::WholeBytes, "what_gateways_change_does_not_make_another_mail"),
        (Flaw::MessageIdOnly, "a_message_id_used_again_is_another_mail"),
        (Flaw::LookThenWrite, "the_same_mail_at_once_is_new_once"),
        (Flaw::EverythingIsNew, "the_same_mail_has_the_same_id"),
        (Flaw::NothingIsNew, "many_mails_at_once_are_all_new"),
        (Flaw::OtherWayOtherMail, "a_copy_by_another_way_is_the_same_mail"),
        (Flaw::RefusesOddMail, "odd_mail_is_accepted"),
    ];
    for (flaw, case) in flaws {
        let failures = conformance::inbox::failures(async || Model::make(Some(flaw))).await;
        let cases: Vec<&str> = failures.iter().map(|failure| failure.case).collect();
        assert!(
            cases.iter().any(|found| found.ends_with(case)),
            "{flaw:?} is not found by {case}: {cases:?}"
        );
    }
}
