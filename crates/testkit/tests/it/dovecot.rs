//! Dovecot: users read their mail, it survives restarts, and folders change as real ones do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, SystemTime};

use postroom_testkit::peers::{Certificate, Dovecot, DovecotOptions, PASSWORD, Validity};

const MAIL: &[u8] = b"Subject: Pump\r\n\r\nText\r\n";

/// Says one command after the other on one connection; answers all lines.
fn say(to: SocketAddr, commands: &[&str]) -> String {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut said = String::new();
    reader.read_line(&mut said).unwrap();
    for (number, command) in commands.iter().enumerate() {
        (&stream).write_all(format!("a{number} {command}\r\n").as_bytes()).unwrap();
        let start = said.len();
        while !said[start..].contains(&format!("a{number} ")) {
            assert_ne!(reader.read_line(&mut said).unwrap(), 0, "hung up after:\n{said}");
        }
    }
    said
}

fn sign_in(user: &str, password: &str) -> String {
    format!("LOGIN \"{user}\" \"{password}\"")
}

#[test]
fn users_find_what_was_put_in_and_sign_in_with_a_password() {
    let dovecot = Dovecot::start(DovecotOptions::users(["anna", "bert"]));
    dovecot.deliver("anna", "INBOX", MAIL);
    assert_eq!(dovecot.append("anna", "INBOX", b"Subject: two\r\n\r\n{5}\r\n"), 2);
    dovecot.deliver("anna", "Sent", MAIL);
    dovecot.deliver("anna", "Auftr\u{e4}ge/2026", MAIL);
    let said = say(dovecot.imap(), &[&sign_in("anna@ours.example", PASSWORD), "LIST \"\" *", "SELECT INBOX"]);
    for expected in
        ["a0 OK", "* 2 EXISTS", "\\Sent) \"/\" Sent", "Auftr&AOQ-ge/2026", " IDLE ", " CONDSTORE QRESYNC "]
    {
        assert!(said.contains(expected), "no {expected} in:\n{said}");
    }
    assert!(say(dovecot.imap(), &[&sign_in("bert", "wrong")]).contains("a0 NO [AUTHENTICATIONFAILED]"));
    let messages = dovecot.messages("anna", "INBOX");
    assert_eq!(messages, [(1, MAIL.to_vec()), (2, b"Subject: two\r\n\r\n{5}\r\n".to_vec())]);
    assert_eq!(dovecot.messages("bert", "INBOX"), []);
}

#[test]
fn mail_has_the_time_it_came() {
    let dovecot = Dovecot::start(DovecotOptions::users(["anna"]));
    dovecot.deliver_at("anna", "INBOX", MAIL, SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000));
    let said = dovecot.run("anna", &["SELECT INBOX", "FETCH 1 INTERNALDATE"]);
    assert!(said[0].contains("\"09-Sep-2001 01:46:40 +0000\""), "{said:?}");
}

#[test]
fn mail_survives_a_kill_and_a_restart() {
    let dovecot = Dovecot::start(DovecotOptions::users(["anna"]));
    dovecot.append("anna", "INBOX", MAIL);
    dovecot.kill();
    assert!(TcpStream::connect(dovecot.imap()).is_err(), "a killed server listens");
    dovecot.start_again();
    dovecot.restart();
    assert_eq!(dovecot.messages("anna", "INBOX").len(), 1);
    let folder = dovecot.folder().to_owned();
    drop(dovecot);
    assert!(!folder.exists());
}

#[test]
fn uid_validity_changes() {
    let dovecot = Dovecot::start(DovecotOptions::users(["anna"]));
    dovecot.append("anna", "INBOX", MAIL);
    let first = dovecot.uid_validity("anna", "INBOX");
    assert_eq!(dovecot.bump_uidvalidity("anna", "INBOX"), first + 1);
    let said = dovecot.run("anna", &["EXAMINE INBOX"]).join("\n");
    assert!(said.contains(&format!("[UIDVALIDITY {}]", first + 1)), "{said}");
}

#[test]
fn folders_are_counted_anew() {
    let dovecot = Dovecot::start(DovecotOptions::users(["anna"]));
    for number in 1..=3 {
        dovecot.append("anna", "INBOX", format!("Subject: {number}\r\n\r\n\r\n").as_bytes());
    }
    dovecot.run("anna", &["SELECT INBOX", "STORE 1 +FLAGS.SILENT \\Deleted", "EXPUNGE"]);
    let first = dovecot.uid_validity("anna", "INBOX");
    for (validity, expected) in [(Validity::Kept, first), (Validity::Changed, first + 1)] {
        dovecot.renumber("anna", "INBOX", validity);
        let messages = dovecot.messages("anna", "INBOX");
        let uids: Vec<u32> = messages.iter().map(|(uid, _)| *uid).collect();
        assert_eq!(uids, [1, 2]);
        assert!(messages[0].1.starts_with(b"Subject: 2"), "the second became the first");
        assert_eq!(dovecot.uid_validity("anna", "INBOX"), expected);
    }
}

#[test]
fn one_account_reads_others_mailboxes() {
    let master = Some(("desk".to_owned(), "master's".to_owned()));
    let dovecot = Dovecot::start(DovecotOptions {
        master,
        shared: true,
        ..DovecotOptions::users(["anna", "bert", "carl"])
    });
    dovecot.deliver("anna", "INBOX", MAIL);
    dovecot.deliver("anna", "Sent", MAIL);
    let said = say(dovecot.imap(), &[&sign_in("anna*desk", "master's"), "EXAMINE INBOX"]);
    assert!(said.contains("* 1 EXISTS"), "{said}");
    dovecot.share("anna", "bert");
    let commands = [
        &sign_in("bert", PASSWORD),
        "NAMESPACE",
        "LIST \"\" user/*",
        "EXAMINE user/anna",
        "EXAMINE user/anna/Sent",
    ];
    let said = say(dovecot.imap(), &commands);
    assert!(said.contains("((\"user/\" \"/\"))") && said.contains("\"/\" user/anna/Sent"), "{said}");
    assert_eq!(said.matches("* 1 EXISTS").count(), 2, "{said}");
    let said = say(dovecot.imap(), &[&sign_in("carl", PASSWORD), "EXAMINE user/anna"]);
    assert!(said.contains("a1 NO"), "{said}");
}

#[test]
fn tls_may_be_required() {
    let tls = Some(Certificate::local());
    let dovecot =
        Dovecot::start(DovecotOptions { tls, tls_required: true, ..DovecotOptions::users(["anna"]) });
    let said = say(dovecot.imap(), &["CAPABILITY", &sign_in("anna", PASSWORD), "STARTTLS"]);
    for expected in ["LOGINDISABLED", "a1 NO [PRIVACYREQUIRED]", "a2 OK"] {
        assert!(said.contains(expected), "no {expected} in:\n{said}");
    }
    assert_eq!(dovecot.append("anna", "INBOX", MAIL), 1);
    // At the other port a client that speaks no TLS hears nothing.
    let mut stream = TcpStream::connect(dovecot.imaps()).unwrap();
    stream.write_all(b"a1 CAPABILITY\r\n").unwrap();
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    assert!(!said.starts_with(b"*"), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn fifty_users_are_no_trouble() {
    let names: Vec<String> = (1..=50).map(|number| format!("user{number}")).collect();
    let dovecot = Dovecot::start(DovecotOptions::users(names.clone()));
    for name in &names {
        dovecot.deliver(name, "INBOX", MAIL);
    }
    let connections: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(dovecot.imap()).unwrap()).collect();
    let said = say(dovecot.imap(), &[&sign_in("user50", PASSWORD), "SELECT INBOX"]);
    assert!(said.contains("* 1 EXISTS"), "{said}");
    drop(connections);
}
