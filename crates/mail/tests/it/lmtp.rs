//! LMTP answers for each recipient (RFC 2033).

use std::sync::Arc;

use postroom_core::{Code, Fault, Source};

use crate::harness::{Shelf, answers, lmtp};

const ENVELOPE: &str = "LHLO c\r\nMAIL FROM:<anna@client.example>\r\nRCPT TO:<one@ours.example>\r\n\
                        RCPT TO:<no@else.example>\r\nRCPT TO:<two@ours.example>\r\nRCPT TO:<three@ours.example>\r\n";

fn refuses_two() -> Arc<Shelf> {
    Shelf::with(|mail| match mail.envelope.to == ["two@ours.example"] {
        true => Err(Fault::retry(Code::STORE_AWAY, "x")),
        false => Ok(()),
    })
}

#[tokio::test]
async fn each_accepted_recipient_gets_its_own_answer() {
    for mail in ["DATA\r\nhello\r\n.\r\n", "BDAT 7 LAST\r\nhello\r\n", "BDAT 4\r\nhellBDAT 3 LAST\r\no\r\n"] {
        let shelf = refuses_two();
        let out = answers(lmtp(shelf.clone()), format!("{ENVELOPE}{mail}QUIT\r\n")).await;
        let tail: Vec<_> = out[out.len() - 4..].iter().map(String::as_str).collect();
        assert_eq!(tail, ["250 2.0.0", "451 4.3.0", "250 2.0.0", "221 2.0.0"], "{out:?}");
        let mut mails = shelf.mails();
        mails.sort_by(|a, b| a.source_id.cmp(&b.source_id));
        let to: Vec<_> = mails.iter().flat_map(|mail| mail.envelope.to.clone()).collect();
        assert_eq!(to, ["one@ours.example", "three@ours.example"]);
        assert_ne!(mails[0].source_id, mails[1].source_id, "two sightings");
        assert!(mails.iter().all(|mail| mail.source == Source::Lmtp && &mail.raw[..] == b"hello\r\n"));
    }
}

#[tokio::test]
async fn a_refused_mail_is_refused_to_each() {
    let out = answers(lmtp(Shelf::new()), format!("{ENVELOPE}DATA\r\nx\n.\ny\r\n.\r\nQUIT\r\n")).await;
    assert_eq!(out[6..], ["354", "554 5.6.0", "554 5.6.0", "554 5.6.0", "221 2.0.0"]);
}

#[tokio::test]
async fn a_mailbox_named_twice_is_answered_twice() {
    let session = "LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@ours.example>\r\nRCPT TO:<a@ours.example>\r\nDATA\r\n.\r\nQUIT\r\n";
    let out = answers(lmtp(Shelf::new()), session).await;
    assert_eq!(out[4..], ["354", "250 2.0.0", "250 2.0.0", "221 2.0.0"]);
}
