//! The state machine without a socket: every answer it can give, and when.

use std::sync::Arc;

use postroom_mail::listener::{
    Command, Enhanced, Malformed, Options, Protocol, Reply, Session, Shortage, Step,
};
use proptest::prelude::*;

use crate::harness::options;

/// Feeds lines; room is always found. Gives what the last step says.
fn last(options: Options, lines: &[&str]) -> String {
    let mut session = Session::new(Arc::new(options));
    lines.iter().map(|line| show(feed(&mut session, line))).last().unwrap()
}

fn feed(session: &mut Session, line: &str) -> Step {
    match session.line(line.as_bytes()) {
        Step::CheckRoom { .. } => Step::Reply(session.room(Ok(()))),
        step => step,
    }
}

fn show(step: Step) -> String {
    let (what, reply) = match step {
        Step::Reply(reply) => ("", reply),
        Step::ReadData(reply) => ("data ", reply),
        Step::ReadChunk { refusal: Some(reply), .. } => ("skip ", reply),
        Step::ReadChunk { size, last, refusal: None } => return format!("read {size} {last}"),
        Step::StartTls(reply) => ("tls ", reply),
        Step::Close(reply) => ("close ", reply),
        Step::CheckRoom { declared } => return format!("room {declared}"),
    };
    assert_eq!(reply.is_refusal(), reply.why.is_some(), "{reply:?}");
    let code = reply.code;
    match reply.enhanced {
        Some(Enhanced(class, subject, detail)) => {
            assert_eq!(u16::from(class), code / 100, "the class of both codes is the same");
            format!("{what}{code} {class}.{subject}.{detail}")
        }
        None => format!("{what}{code}"),
    }
}

#[track_caller]
fn smtp(lines: &[&str], expected: &str) {
    assert_eq!(last(options(Protocol::Smtp), lines), expected, "{lines:?}");
}

#[track_caller]
fn lmtp(lines: &[&str], expected: &str) {
    assert_eq!(last(options(Protocol::Lmtp), lines), expected, "{lines:?}");
}

const MAIL: &str = "MAIL FROM:<anna@client.example>";
const RCPT: &str = "RCPT TO:<desk@ours.example>";

#[test]
fn hellos() {
    smtp(&["EHLO x"], "250");
    smtp(&["HELO x"], "250");
    smtp(&["LHLO x"], "500 5.5.1");
    smtp(&["EHLO"], "501 5.5.4");
    lmtp(&["LHLO x"], "250");
    lmtp(&["EHLO x"], "500 5.5.1");
    lmtp(&["HELO x"], "500 5.5.1");
}

#[test]
fn small_commands() {
    smtp(&["NOOP"], "250 2.0.0");
    smtp(&["RSET"], "250 2.0.0");
    smtp(&["VRFY anna"], "252 2.5.0");
    smtp(&["HELP"], "214 2.0.0");
    smtp(&["QUIT"], "close 221 2.0.0");
    for line in ["EXPN staff", "ETRN ours.example", "AUTH PLAIN AA==", "TURN", "SEND FROM:<a@b>"] {
        smtp(&["EHLO x", line], "502 5.5.1");
    }
    smtp(&["XYZZY"], "500 5.5.2");
    smtp(&["QUIT now"], "501 5.5.4");
    smtp(&["NOOP\u{1}"], "500 5.5.2");
}

#[test]
fn mail_is_taken_or_refused() {
    smtp(&["EHLO x", MAIL], "250 2.1.0");
    smtp(&["HELO x", MAIL], "250 2.1.0");
    smtp(&["EHLO x", "MAIL FROM:<>"], "250 2.1.0");
    smtp(&["EHLO x", "MAIL FROM:<a@b> SIZE=36700160 BODY=8BITMIME"], "250 2.1.0");
    smtp(&[MAIL], "503 5.5.1");
    smtp(&["EHLO x", MAIL, MAIL], "503 5.5.1");
    smtp(&["EHLO x", "MAIL FROM:<a@b> SIZE=36700161"], "552 5.3.4");
    smtp(&["EHLO x", "MAIL FROM:<a@b> BODY=BINARYMIME"], "555 5.5.4");
    smtp(&["EHLO x", "MAIL FROM:<a@b> RET=FULL"], "555 5.5.4");
    smtp(&["EHLO x", "MAIL FROM:<nobody>"], "553 5.1.7");
    smtp(&["EHLO x", "MAIL FROM:anna@client.example"], "501 5.5.4");
    smtp(&["EHLO x", "MAIL FROM:<jürgen@client.example>"], "553 5.6.7");
    smtp(&["EHLO x", "MAIL FROM:<jürgen@client.example> SMTPUTF8"], "250 2.1.0");
}

#[test]
fn short_of_room() {
    let mut session = Session::new(Arc::new(options(Protocol::Smtp)));
    feed(&mut session, "EHLO x");
    let mut mail = |room| {
        assert_eq!(session.line(b"MAIL FROM:<a@b> SIZE=77"), Step::CheckRoom { declared: 77 });
        show(Step::Reply(session.room(room)))
    };
    assert_eq!(mail(Err(Shortage::Disk)), "452 4.3.1");
    assert_eq!(mail(Err(Shortage::Memory)), "452 4.3.1");
    assert_eq!(mail(Ok(())), "250 2.1.0", "a refused MAIL opened nothing");
}

#[test]
fn recipients_are_ours_or_refused() {
    let rcpt = |to: &str| last(options(Protocol::Smtp), &["EHLO x", MAIL, &format!("RCPT TO:<{to}>")]);
    for to in ["desk@ours.example", "SUPPORT@Part.Example", "postmaster", "postmaster@part.example"] {
        assert_eq!(rcpt(to), "250 2.1.5", "{to}");
    }
    for to in [
        "anna@else.example",
        "@ours.example:anna@else.example",
        "anna%else.example@ours.example",
        "else.example!anna@ours.example",
        "\"anna@else.example\"@ours.example",
        "anna@else.example@ours.example",
        "anna@[127.0.0.1]",
    ] {
        assert_eq!(rcpt(to), "550 5.7.1", "{to}");
    }
    assert_eq!(rcpt("sales@part.example"), "550 5.1.1");
    assert_eq!(rcpt("anna"), "553 5.1.3");
    assert_eq!(rcpt(""), "553 5.1.3");
    assert_eq!(rcpt("jürgen@ours.example"), "553 5.6.7");
    let utf8 = ["EHLO x", "MAIL FROM:<a@b> SMTPUTF8", "RCPT TO:<jürgen@ours.example>"];
    smtp(&utf8, "250 2.1.5");
    smtp(&["EHLO x", MAIL, "RCPT TO:<desk@ours.example> NOTIFY=NEVER"], "555 5.5.4");
    smtp(&["EHLO x", RCPT], "503 5.5.1");
    smtp(&["EHLO x", MAIL, "EHLO x", RCPT], "503 5.5.1");
    smtp(&["EHLO x", MAIL, "RSET", RCPT], "503 5.5.1");
}

#[test]
fn too_many_recipients() {
    let mut few = options(Protocol::Smtp);
    few.limits.max_recipients = 2;
    assert_eq!(last(few.clone(), &["EHLO x", MAIL, RCPT, RCPT]), "250 2.1.5");
    assert_eq!(last(few.clone(), &["EHLO x", MAIL, RCPT, RCPT, RCPT]), "452 4.5.3");
    assert_eq!(
        last(few, &["EHLO x", MAIL, RCPT, RCPT, RCPT, "DATA"]),
        "data 354",
        "the two still get the mail"
    );
}

#[test]
fn data_and_chunks() {
    smtp(&["EHLO x", MAIL, RCPT, "DATA"], "data 354");
    smtp(&["EHLO x", "DATA"], "503 5.5.1");
    smtp(&["EHLO x", MAIL, "DATA"], "554 5.5.1");
    smtp(&["EHLO x", MAIL, "RCPT TO:<a@else.example>", "DATA"], "554 5.5.1");
    lmtp(&["LHLO x", MAIL, "RCPT TO:<a@else.example>", "DATA"], "503 5.5.1");
    smtp(&["EHLO x", MAIL, RCPT, "BDAT 5"], "read 5 false");
    smtp(&["EHLO x", MAIL, RCPT, "BDAT 5", "BDAT 0 LAST"], "read 0 true");
    smtp(&["EHLO x", "BDAT 5 LAST"], "skip 503 5.5.1");
    smtp(&["EHLO x", MAIL, "BDAT 5 LAST"], "skip 554 5.5.1");
    lmtp(&["LHLO x", MAIL, "BDAT 5 LAST"], "skip 503 5.5.1");
    smtp(&["EHLO x", MAIL, RCPT, "BDAT 5", "DATA"], "503 5.5.1");
    smtp(&["EHLO x", MAIL, RCPT, "BDAT 5", RCPT], "503 5.5.1");
    smtp(&["EHLO x", MAIL, RCPT, "BDAT"], "close 501 5.5.4");
    smtp(&["EHLO x", MAIL, RCPT, "BDAT -1 LAST"], "close 501 5.5.4");
}

#[test]
fn start_tls_needs_a_certificate() {
    smtp(&["EHLO x", "STARTTLS"], "502 5.5.1");
}

#[test]
fn too_many_commands_or_errors_end_the_session() {
    let mut few = options(Protocol::Smtp);
    few.limits.max_commands = 3;
    assert_eq!(last(few.clone(), &["NOOP", "NOOP", "NOOP"]), "250 2.0.0");
    assert_eq!(last(few, &["NOOP", "NOOP", "NOOP", "NOOP"]), "close 421 4.7.0");
    let mut few = options(Protocol::Smtp);
    few.limits.max_errors = 1;
    assert_eq!(last(few.clone(), &["XYZZY", "NOOP"]), "250 2.0.0");
    assert_eq!(last(few, &["XYZZY", "EHLO x", MAIL, "RCPT TO:<a@else.example>"]), "close 421 4.7.0");
}

#[test]
fn a_mail_starts_the_counters_again() {
    let mut few = options(Protocol::Smtp);
    few.limits.max_commands = 4;
    let mut session = Session::new(Arc::new(few));
    feed(&mut session, "EHLO x");
    for number in 1..=5 {
        assert_eq!(show(feed(&mut session, MAIL)), "250 2.1.0");
        assert_eq!(show(feed(&mut session, RCPT)), "250 2.1.5");
        assert_eq!(show(feed(&mut session, "DATA")), "data 354");
        let transaction = session.take().unwrap();
        assert_eq!(
            (transaction.number, transaction.to.as_slice()),
            (number, &["desk@ours.example".to_owned()][..])
        );
        assert!(!session.is_open());
    }
}

#[test]
fn ehlo_announces_what_is_honoured() {
    let mut session = Session::new(Arc::new(options(Protocol::Smtp)));
    let Step::Reply(Reply { lines, .. }) = session.step(Ok(Command::Ehlo("x"))) else { panic!("a reply") };
    let expected = [
        "mx.ours.example",
        "PIPELINING",
        "SIZE 36700160",
        "8BITMIME",
        "SMTPUTF8",
        "CHUNKING",
        "ENHANCEDSTATUSCODES",
    ];
    assert_eq!(lines, expected);
    let Step::Reply(reply) = session.step(Ok(Command::Helo("x"))) else { panic!("a reply") };
    assert_eq!(reply.lines, ["mx.ours.example"]);
    assert!(matches!(session.step(Err(Malformed::Unknown)), Step::Reply(_)));
}

fn any_line() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("EHLO x".to_owned()),
        Just("LHLO x".to_owned()),
        Just("RSET".to_owned()),
        Just("DATA".to_owned()),
        Just("BDAT 3".to_owned()),
        Just("BDAT 3 LAST".to_owned()),
        Just(MAIL.to_owned()),
        Just(RCPT.to_owned()),
        Just("RCPT TO:<a@else.example>".to_owned()),
        "[A-Z]{4} [ -~]{0,20}",
    ]
}

proptest! {
    /// Whatever the order: bytes of a mail are read only for a sender after a hello and for a recipient of ours.
    #[test]
    fn no_order_of_commands_gets_a_mail_past_the_rules(lines in proptest::collection::vec(any_line(), 0..40)) {
        let mut session = Session::new(Arc::new(options(Protocol::Smtp)));
        let (mut greeted, mut sender, mut ours) = (false, false, false);
        for line in &lines {
            let step = feed(&mut session, line);
            let reading = matches!(step, Step::ReadData(_) | Step::ReadChunk { refusal: None, .. });
            prop_assert!(!reading || greeted && sender && ours, "{:?}", lines);
            let ok = matches!(&step, Step::Reply(reply) if reply.code == 250);
            match line.as_str() {
                "EHLO x" => (greeted, sender, ours) = (true, false, false),
                "RSET" => (sender, ours) = (false, false),
                MAIL => sender |= ok,
                RCPT => ours |= ok,
                _ if matches!(step, Step::ReadData(_) | Step::ReadChunk { last: true, refusal: None, .. }) => {
                    prop_assert!(session.take().is_some_and(|mail| mail.to.iter().all(|to| to == "desk@ours.example")));
                    (sender, ours) = (false, false);
                }
                _ => {}
            }
        }
    }
}
