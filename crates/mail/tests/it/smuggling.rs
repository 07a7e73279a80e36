//! SMTP smuggling: whatever stands in for CRLF, and however the bytes are cut, no second mail and no command appears.

use postroom_core::Incoming;
use proptest::prelude::*;

use crate::harness::{Shelf, Talk, answers, smtp};

const HEAD: &str = "EHLO c\r\nMAIL FROM:<anna@client.example>\r\nRCPT TO:<desk@ours.example>\r\nDATA\r\n";
const SMUGGLED: &str =
    "MAIL FROM:<ceo@ours.example>\r\nRCPT TO:<desk@ours.example>\r\nDATA\r\nSubject: pay\r\n.\r\n";

/// Every way of writing "a dot alone on its line" in which one end is not CRLF.
fn fake_ends() -> Vec<String> {
    let ends = ["\n", "\r", "\r\n", "\r\r\n", "\n\r"];
    let pairs = ends.iter().flat_map(|before| ends.iter().map(move |after| (before, after)));
    pairs
        .filter(|(before, after)| **before != "\r\n" || **after != "\r\n")
        .map(|(b, a)| format!("{b}.{a}"))
        .collect()
}

fn texts(mails: &[Incoming]) -> Vec<String> {
    mails.iter().map(|mail| String::from_utf8_lossy(&mail.raw).into_owned()).collect()
}

/// `\r\r\n.\r\n` ends in CRLF.CRLF, so by the book the mail ends there and what follows are commands.
fn ends_by_the_book(fake: &str) -> bool {
    format!("x{fake}").contains("\r\n.\r\n")
}

#[tokio::test]
async fn fake_ends_end_nothing() {
    for fake in fake_ends().iter().filter(|fake| !ends_by_the_book(fake)) {
        let shelf = Shelf::new();
        let session = format!("{HEAD}hello{fake}{SMUGGLED}QUIT\r\n");
        let out = answers(smtp(shelf.clone()), &session).await;
        assert_eq!(out, ["250", "250 2.1.0", "250 2.1.5", "354", "554 5.6.0", "221 2.0.0"], "{fake:?}");
        assert!(shelf.mails().is_empty(), "{fake:?}");
    }
}

#[tokio::test]
async fn a_double_cr_before_a_true_end_is_data() {
    let shelf = Shelf::new();
    let out = answers(smtp(shelf.clone()), format!("{HEAD}hello\r\r\n.\r\nQUIT\r\n")).await;
    assert_eq!(out.last().unwrap(), "221 2.0.0");
    assert_eq!(texts(&shelf.mails()), ["hello\r\r\n"]);
}

#[tokio::test]
async fn the_cuts_do_not_matter() {
    for fake in ["\n.\n", "\n.\r\n", "\r.\r\n"] {
        let session = format!("{HEAD}hello{fake}{SMUGGLED}QUIT\r\n");
        let from = session.find("hello").unwrap();
        for cut in from..from + 14 {
            let shelf = Shelf::new();
            let mut talk = Talk::open(smtp(shelf.clone()));
            talk.say(&session[..cut]).await;
            for _ in 0..5 {
                talk.hear().await; // the server has read up to the cut, at least to DATA
            }
            talk.say(&session[cut..]).await;
            let out = talk.hear_out().await;
            assert!(out.starts_with("554 5.6.0 ") && out.contains("\r\n221 "), "{fake:?} at {cut}: {out}");
            assert!(shelf.mails().is_empty());
        }
    }
}

#[tokio::test]
async fn bare_line_ends_in_commands_end_the_session() {
    for line in [
        "NOOP\nNOOP\r\n",
        "NOOP\rNOOP\r\n",
        "NOOP\n",
        "\n",
        "NOOP\r\r\n",
        "MAIL FROM:<a@b>\nRCPT TO:<desk@ours.example>\r\n",
    ] {
        let out = answers(smtp(Shelf::new()), format!("EHLO c\r\n{line}NOOP\r\n")).await;
        assert_eq!(out, ["250", "500 5.5.2"], "{line:?}");
    }
}

#[tokio::test]
async fn a_command_line_without_end_ends_the_session() {
    let out = answers(smtp(Shelf::new()), format!("EHLO c\r\nNOOP {}", "x".repeat(5000))).await;
    assert_eq!(out, ["250", "500 5.5.2"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// A mail that a strict client may send (its dots stuffed) never becomes two, and arrives as it was meant.
    #[test]
    fn a_stuffed_mail_is_one_mail(lines in proptest::collection::vec("[.a\u{e4}]{0,3}|MAIL FROM:<a@b>|QUIT", 0..12)) {
        let meant: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let sent: String = lines
            .iter()
            .map(|line| if line.starts_with('.') { format!(".{line}\r\n") } else { format!("{line}\r\n") })
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let shelf = Shelf::new();
        let out = runtime.block_on(answers(smtp(shelf.clone()), format!("{HEAD}{sent}.\r\nQUIT\r\n")));
        prop_assert_eq!(out.len(), 6);
        prop_assert_eq!(texts(&shelf.mails()), [meant]);
    }
}
