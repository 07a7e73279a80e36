//! Whole sessions over a stream in memory.

use std::time::Duration;

use postroom_core::{Code, Direction, Fault, Source};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use crate::harness::{Shelf, Talk, answers, smtp};

const ENVELOPE: &str = "MAIL FROM:<anna@client.example>\r\nRCPT TO:<desk@ours.example>\r\n";

#[tokio::test]
async fn a_mail_comes_in_with_what_the_transport_knew() {
    let shelf = Shelf::new();
    let mut talk = Talk::greeted(smtp(shelf.clone())).await;
    assert_eq!(talk.ask("MAIL FROM:<Anna@Client.example> SIZE=40").await.0, 250);
    assert_eq!(talk.ask("RCPT TO:<Desk@ours.example>").await.0, 250);
    assert_eq!(talk.ask("RCPT TO:<anna@else.example>").await.0, 550);
    assert_eq!(talk.ask("RCPT TO:<\"desk\"@ours.example>").await.0, 250);
    assert_eq!(talk.ask("DATA").await.0, 354);
    let (code, text) = talk.ask("Subject: x\r\n\r\n..dot\r\n8bit \u{e4}\r\n.").await;
    assert!(code == 250 && text.starts_with("250 2.0.0 Stored as msg_"), "{text}");
    assert_eq!(talk.ask("QUIT").await.0, 221);

    let mail = &shelf.mails()[0];
    assert_eq!(&mail.raw[..], "Subject: x\r\n\r\n.dot\r\n8bit \u{e4}\r\n".as_bytes());
    assert_eq!(mail.envelope.from.as_deref(), Some("Anna@Client.example"));
    assert_eq!(mail.envelope.to, ["Desk@ours.example", "\"desk\"@ours.example"]);
    assert_eq!(
        (mail.source, mail.direction, mail.mailbox.clone()),
        (Source::Smtp, Direction::Incoming, None)
    );
    assert_eq!(mail.peer.as_deref(), Some("client.example [192.0.2.1]"));
    assert_eq!(mail.source_id.as_deref(), Some("01900000-0000-7000-8000-000000000001:1"));
}

#[tokio::test]
async fn pipelined_commands_are_answered_in_order() {
    let shelf = Shelf::new();
    let session = format!(
        "EHLO c\r\n{ENVELOPE}RCPT TO:<a@else.example>\r\nDATA\r\nfirst\r\n.\r\n\
         {ENVELOPE}DATA\r\nsecond\r\n.\r\nMAIL FROM:<>\r\nRSET\r\nNOOP\r\nQUIT\r\n"
    );
    let expected = [
        "250",
        "250 2.1.0",
        "250 2.1.5",
        "550 5.7.1",
        "354",
        "250 2.0.0",
        "250 2.1.0",
        "250 2.1.5",
        "354",
        "250 2.0.0",
        "250 2.1.0",
        "250 2.0.0",
        "250 2.0.0",
        "221 2.0.0",
    ];
    assert_eq!(answers(smtp(shelf.clone()), &session).await, expected);
    let mails = shelf.mails();
    assert_eq!((&mails[0].raw[..], &mails[1].raw[..]), (&b"first\r\n"[..], &b"second\r\n"[..]));
    assert_ne!(mails[0].source_id, mails[1].source_id);
}

#[tokio::test]
async fn pipelined_answers_come_in_one_write() {
    let mut talk = Talk::greeted(smtp(Shelf::new())).await;
    talk.say(format!("{ENVELOPE}DATA\r\n")).await;
    let mut buffer = [0; 4096];
    let read = talk.stream.read(&mut buffer).await.unwrap();
    assert_eq!(buffer[..read].iter().filter(|byte| **byte == b'\n').count(), 3);
}

#[tokio::test]
async fn chunks_make_a_mail() {
    let shelf = Shelf::new();
    let session = format!(
        "EHLO c\r\n{ENVELOPE}BDAT 8\r\nA: b\r\n\r\nBDAT 4\r\n.\r\n\nBDAT 0 LAST\r\n{ENVELOPE}BDAT 3 LAST\r\nabcQUIT\r\n"
    );
    let expected = [
        "250",
        "250 2.1.0",
        "250 2.1.5",
        "250 2.0.0",
        "250 2.0.0",
        "250 2.0.0",
        "250 2.1.0",
        "250 2.1.5",
        "250 2.0.0",
        "221 2.0.0",
    ];
    assert_eq!(answers(smtp(shelf.clone()), &session).await, expected);
    let mails = shelf.mails();
    assert_eq!(&mails[0].raw[..], b"A: b\r\n\r\n.\r\n\n", "chunks know neither dots nor lines");
    assert_eq!(&mails[1].raw[..], b"abc");
}

#[tokio::test]
async fn chunks_without_a_recipient_are_skipped_not_obeyed() {
    let shelf = Shelf::new();
    let session = "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@else.example>\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n";
    let expected = ["250", "250 2.1.0", "550 5.7.1", "554 5.5.1", "250 2.0.0"];
    assert_eq!(answers(smtp(shelf.clone()), session).await, expected);
    assert!(shelf.mails().is_empty());
}

/// A client may send BDAT with its other commands and look at their answers before it sends the bytes.
#[tokio::test]
async fn answers_are_not_kept_back_while_a_chunk_is_awaited() {
    let mut talk = Talk::greeted(smtp(Shelf::new())).await;
    talk.say(format!("{ENVELOPE}BDAT 3 LAST\r\n")).await;
    assert_eq!((talk.hear().await.0, talk.hear().await.0), (250, 250));
    talk.say("abc").await;
    assert_eq!(talk.hear().await.0, 250);
}

#[tokio::test]
async fn a_reset_in_the_middle_of_chunks_forgets_them() {
    let shelf = Shelf::new();
    let session = format!("EHLO c\r\n{ENVELOPE}BDAT 3\r\nabcRSET\r\n{ENVELOPE}BDAT 3 LAST\r\nxyzQUIT\r\n");
    answers(smtp(shelf.clone()), &session).await;
    assert_eq!(shelf.only(), "xyz");
}

#[tokio::test]
async fn nothing_is_acknowledged_before_the_inbox_has_it() {
    let shelf = Shelf::held();
    let mut talk = Talk::greeted(smtp(shelf.clone())).await;
    for command in ["MAIL FROM:<>", "RCPT TO:<desk@ours.example>", "DATA"] {
        assert!(talk.ask(command).await.0 < 400);
    }
    talk.say("x\r\n.\r\n").await;
    let early = timeout(Duration::from_millis(200), talk.hear()).await;
    assert!(early.is_err(), "answered {early:?} although nothing is stored");
    assert!(shelf.mails().is_empty());
    shelf.release();
    assert_eq!(talk.hear().await.0, 250);
    assert_eq!(shelf.only(), "x\r\n");
}

#[tokio::test]
async fn a_mail_cut_off_is_no_mail() {
    for cut in [
        "DATA\r\nx",
        "DATA\r\nx\r\n",
        "DATA\r\nx\r\n.",
        "DATA\r\nx\r\n.\r",
        "BDAT 5 LAST\r\nabcd",
        "BDAT 2\r\nab",
    ] {
        let shelf = Shelf::new();
        let out = answers(smtp(shelf.clone()), format!("EHLO c\r\n{ENVELOPE}{cut}")).await;
        assert!(out.len() <= 4, "{out:?}");
        assert!(shelf.mails().is_empty(), "{cut}");
    }
}

#[tokio::test]
async fn faults_of_the_inbox_become_answers_and_the_session_goes_on() {
    for (fault, expected) in [
        (Fault::retry(Code::STORE_AWAY, "x"), "451 4.3.0"),
        (Fault::retry(Code::STORE_FULL, "x"), "452 4.3.1"),
        (Fault::reject(Code::MAIL_TOO_LARGE, "x"), "552 5.3.4"),
        (Fault::reject(Code::MAIL_UNREADABLE, "x"), "554 5.6.0"),
        (Fault::bug("x"), "451 4.3.0"),
    ] {
        let (verdict, code) = (fault.verdict, fault.code);
        let shelf = Shelf::with(move |mail| match mail.raw.starts_with(b"bad") {
            true => Err(Fault::new(verdict, code, "x")),
            false => Ok(()),
        });
        let session =
            format!("EHLO c\r\n{ENVELOPE}DATA\r\nbad\r\n.\r\n{ENVELOPE}DATA\r\ngood\r\n.\r\nQUIT\r\n");
        let out = answers(smtp(shelf.clone()), &session).await;
        assert_eq!((out[4].as_str(), out[8].as_str()), (expected, "250 2.0.0"), "{out:?}");
        assert_eq!(shelf.only(), "good\r\n");
    }
}

#[tokio::test]
async fn mail_loops_are_cut() {
    let shelf = Shelf::new();
    let mail = |hops: usize| format!("{ENVELOPE}DATA\r\n{}\r\nx\r\n.\r\n", "Received: by a\r\n".repeat(hops));
    let out = answers(smtp(shelf.clone()), format!("EHLO c\r\n{}{}QUIT\r\n", mail(51), mail(50))).await;
    assert_eq!((out[4].as_str(), out[8].as_str()), ("554 5.4.6", "250 2.0.0"));
    assert_eq!(shelf.mails().len(), 1);
}

#[tokio::test]
async fn stopping_says_so_to_an_idle_session() {
    let talk = Talk::greeted(smtp(Shelf::new())).await;
    talk.stop.cancel();
    assert!(talk.hear_out().await.starts_with("421 4.3.2 "));
}

#[tokio::test]
async fn stopping_lets_a_mail_in_flight_finish() {
    let shelf = Shelf::new();
    let mut talk = Talk::greeted(smtp(shelf.clone())).await;
    for command in ["MAIL FROM:<>", "RCPT TO:<desk@ours.example>", "DATA"] {
        talk.ask(command).await;
    }
    talk.say("first half\r\n").await;
    talk.stop.cancel();
    assert_eq!(talk.ask("second half\r\n.").await.0, 250);
    assert_eq!(talk.hear().await.0, 421);
    assert_eq!(shelf.only(), "first half\r\nsecond half\r\n");
}
