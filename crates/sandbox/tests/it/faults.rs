//! What the Domino-like server does when it is told to fail.

use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use postroom_sandbox::domino::{Domino, Fault, Options, Quirks};

use crate::python;

fn server(options: Options) -> Domino {
    let domino = Domino::start(options);
    domino.add_account("anna", "pw");
    domino.deliver("anna", "Inbox", b"Subject: x\r\n\r\n");
    domino
}

/// Signs in, selects, fetches; answers how the fetch ended.
#[track_caller]
fn check(plan: impl Fn(&Domino), expected: &str) {
    let domino = server(Options::default());
    plan(&domino);
    let script = r#"
m = imaplib.IMAP4(HOST, PORT)
try:
    m.login('anna', 'pw')
    m.select('Inbox')
    print(m.uid('FETCH', '1', '(UID BODY.PEEK[])')[0])
except (imaplib.IMAP4.error, OSError) as error:
    print(type(error).__name__, error)
m2 = imaplib.IMAP4(HOST, PORT)
m2.login('anna', 'pw')
"#;
    let said = python::run(domino.address(), script);
    assert!(said.contains(expected), "{said:?} and not {expected:?}");
    assert_eq!(domino.connections(), 2);
}

#[test]
fn a_command_fails_as_planned() {
    check(|_| {}, "OK");
    // imaplib asks for capabilities first.
    check(|domino| domino.fail_command(4, Fault::No), "NO");
    check(|domino| domino.fail_command(4, Fault::Bad), "BAD");
    check(|domino| domino.fail_next("uid fetch", Fault::Bye), "shutting down");
    check(|domino| domino.fail_next("UID FETCH", Fault::Drop), "abort");
    check(|domino| domino.fail_next("SELECT", Fault::Unanswered), "abort");
    check(|domino| domino.fail_next("LOGIN", Fault::No), "busy");
}

#[test]
fn what_is_not_answered_is_carried_out() {
    let domino = server(Options::default());
    domino.fail_next("APPEND", Fault::Unanswered);
    let script = r#"
m = imaplib.IMAP4(HOST, PORT)
m.login('anna', 'pw')
try:
    m.append('Sent', None, None, b'x')
except (imaplib.IMAP4.error, OSError):
    pass
"#;
    python::run(domino.address(), script);
    assert_eq!(domino.messages("anna", "Sent").len(), 1);
}

#[test]
fn a_connection_drops_after_so_many_bytes() {
    let domino = server(Options::default());
    domino.drop_after(10);
    let mut said = String::new();
    TcpStream::connect(domino.address()).unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "* OK Domin");
}

#[test]
fn a_broken_message_has_no_body() {
    let domino = server(Options { quirks: Quirks::none(), ..Options::default() });
    let script = r#"
m = imaplib.IMAP4(HOST, PORT)
m.login('anna', 'pw')
m.select('Inbox')
print(m.uid('FETCH', '1', '(RFC822.SIZE BODY.PEEK[])'))
"#;
    domino.break_message("anna", "Inbox", 1, true);
    assert_eq!(python::run(domino.address(), script), "('OK', [b'1 (UID 1 RFC822.SIZE 14)'])\n");
    domino.break_message("anna", "Inbox", 1, false);
    assert!(python::run(domino.address(), script).contains("BODY[] {14}"));
}

#[test]
fn bodies_may_change_from_fetch_to_fetch() {
    let quirks = Quirks { changing_bodies: true, ..Quirks::none() };
    let domino = server(Options { quirks, ..Options::default() });
    let script = r#"
m = imaplib.IMAP4(HOST, PORT)
m.login('anna', 'pw')
m.select('Inbox')
print(*[len(m.fetch('1', '(BODY.PEEK[])')[1][0][1]) for _ in range(3)])
"#;
    assert_eq!(python::run(domino.address(), script), "14 16 14\n");
}

#[test]
fn answers_may_be_slow() {
    let domino = server(Options::default());
    domino.slow(Duration::from_millis(100));
    let start = Instant::now();
    python::run(domino.address(), "imaplib.IMAP4(HOST, PORT).login('anna', 'pw')");
    assert!(start.elapsed() >= Duration::from_millis(200), "two commands");
}

#[test]
fn sessions_are_capped_and_time_out() {
    let options =
        Options { max_sessions: Some(1), session_timeout: Duration::from_millis(300), ..Options::default() };
    let domino = server(options);
    let mut first = TcpStream::connect(domino.address()).unwrap();
    let mut said = [0; 4];
    first.read_exact(&mut said).unwrap();
    let mut second = String::new();
    TcpStream::connect(domino.address()).unwrap().read_to_string(&mut second).unwrap();
    assert!(second.starts_with("* BYE Maximum number of sessions"), "{second}");
    let mut rest = String::new();
    first.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("* BYE Session timed out\r\n"), "{rest}");
}

#[test]
fn a_fail_over_ends_all_sessions() {
    let domino = server(Options::default());
    let mut stream = TcpStream::connect(domino.address()).unwrap();
    stream.read_exact(&mut [0; 4]).unwrap();
    domino.fail_over();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("* BYE The server is shutting down\r\n"), "{rest}");
}

#[test]
fn the_server_ends_with_its_value() {
    let domino = server(Options::default());
    let mut stream = TcpStream::connect(domino.address()).unwrap();
    stream.read_exact(&mut [0; 4]).unwrap();
    let address = domino.address();
    drop(domino);
    assert!(TcpStream::connect(address).is_err());
    // The greeting, and then the end.
    let _ = stream.read_to_end(&mut Vec::new());
}
