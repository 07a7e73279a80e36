//! The Domino-like server, as Python's imaplib sees it and as the transcripts of real servers show it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use jiff::Timestamp;
use postroom_core::Clock;
use postroom_sandbox::domino::{Access, Domino, Options, Quirks};

use crate::python;

const MAIL: &[u8] = b"From: a@customer.example\r\nSubject: Pump\r\nDate: x\r\n\r\nText\r\n";

/// With Anna and the desk, who may sign in with the password `pw`.
fn server(options: Options) -> Domino {
    let domino = Domino::start(options);
    domino.add_account("anna", "pw");
    domino.add_account("desk", "pw");
    domino
}

/// Without the quirks, as far as a case is not about them.
fn plain() -> Domino {
    server(Options { quirks: Quirks::none(), ..Options::default() })
}

/// Says commands over a plain socket; answers all lines, greeting first.
fn say(domino: &Domino, commands: &[&str]) -> Vec<String> {
    let stream = TcpStream::connect(domino.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let mut said = vec![lines.next().unwrap()];
    for command in commands {
        (&stream).write_all(format!("A######## {command}\r\n").as_bytes()).unwrap();
        for line in lines.by_ref() {
            let last = line.starts_with("A########");
            said.push(line);
            if last {
                break;
            }
        }
    }
    said
}

/// The transcript of a real server: its lines.
fn transcript(text: &str) -> Vec<&str> {
    text.lines().collect()
}

#[test]
fn it_greets_as_in_the_transcript() {
    let real = transcript(include_str!("../data/domino-imap/greeting.txt"));
    let clock = Clock::manual("2018-12-14T07:38:25Z".parse::<Timestamp>().unwrap());
    let domino = server(Options { clock, release: "9.0.1FP9".to_owned(), ..Options::default() });
    let ours = say(&domino, &[])[0].replace("07:38:25 +0000", "08:38:25 +0100");
    assert_eq!(ours, real[0]);
}

#[test]
fn it_answers_as_in_the_transcripts() {
    let domino = server(Options::default());
    for (command, real) in [
        ("CAPABILITY", include_str!("../data/domino-imap/capability.txt")),
        ("NAMESPACE", include_str!("../data/domino-imap/namespace.txt")),
        ("LIST \"\" INBOX", include_str!("../data/domino-imap/list-inbox.txt")),
    ] {
        assert_eq!(say(&domino, &["LOGIN anna pw", command])[2..], transcript(real), "{command}");
    }
}

/// The order within four differs from group to group there; the form is the same.
#[test]
fn it_fetches_as_in_the_transcript() {
    let real = transcript(include_str!("../data/domino-imap/fetch-extra-parens.txt"));
    let domino = server(Options::default());
    domino.fail_over();
    for _ in 1..real.len() {
        domino.deliver("anna", "Inbox", MAIL);
    }
    let ours = say(&domino, &["LOGIN anna pw", "SELECT INBOX", "FETCH 1:* (UID ENVELOPE BODYSTRUCTURE)"]);
    let ours = &ours[ours.len() - real.len()..];
    assert_eq!(ours[..4], real[..4], "out of order, and in the same order");
    let sorted = |lines: &[&str]| {
        let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&ours.iter().map(String::as_str).collect::<Vec<_>>()), sorted(&real));
}

#[test]
fn imaplib_reads_appends_copies_and_removes() {
    let domino = plain();
    domino.deliver("anna", "Inbox", MAIL);
    let said = python::run(
        domino.address(),
        r#"
m = imaplib.IMAP4(HOST, PORT)
assert 'IDLE' not in m.capabilities and 'UIDPLUS' in m.capabilities, m.capabilities
m.login('anna', 'pw')
print(m.append('Sent', r'(\Seen)', '"17-Jul-1996 02:44:25 -0700"', b'Subject: two\r\n\r\n.\r\n'))
print(m.select('Sent'), m.untagged_responses['UIDNEXT'])
print(m.fetch('1', '(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])'))
print(m.uid('COPY', '1', 'Inbox'))
print(m.select('INBOX'))
print(m.uid('SEARCH', 'UID 2:*'), m.uid('SEARCH', None, 'SINCE', '1-Jan-2000'))
print(m.uid('FETCH', '1', '(BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[TEXT]<1.2>)'))
print(m.uid('STORE', '1', '+FLAGS', r'(\Deleted)'), m.expunge(), m.search(None, 'ALL'))
print(m.status('Inbox', '(MESSAGES UIDNEXT UNSEEN)'), m.logout())
"#,
    );
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "('OK', [b'[APPENDUID 1413000004 1] APPEND completed'])");
    assert_eq!(lines[1], "('OK', [b'1']) [b'2']");
    assert!(lines[2].contains(r#"b'1 (UID 1 FLAGS (\\Seen) INTERNALDATE "17-Jul-1996 09:44:25 +0000" RFC822.SIZE 19 BODY[] {19}', b'Subject: two\r\n\r\n.\r\n'"#), "{said}");
    assert_eq!(lines[3], "('OK', [None])");
    assert_eq!(lines[4], "('OK', [b'2'])");
    assert_eq!(lines[5], "('OK', [b'2']) ('OK', [b'1'])");
    assert!(
        lines[6].contains(r"b'1 (UID 1 BODY[HEADER.FIELDS (SUBJECT)] {17}', b'Subject: Pump\r\n\r\n'")
            && lines[6].contains("b'ex'"),
        "{said}"
    );
    assert_eq!(lines[7], r"('OK', [b'1 (UID 1 FLAGS (\\Deleted))']) ('OK', [b'1']) ('OK', [b'1'])");
    assert!(lines[8].starts_with("('OK', [b'Inbox (MESSAGES 1 UIDNEXT 3 UNSEEN 0)'])"), "{said}");
    assert_eq!(domino.messages("anna", "Inbox").len(), 1);
    assert!(domino.commands().iter().any(|said| said == "LOGIN anna ***"), "{:?}", domino.commands());
}

/// imaplib keeps COPYUID to itself.
#[test]
fn a_copy_tells_its_uid() {
    let domino = plain();
    for _ in 1..=3 {
        domino.deliver("anna", "Inbox", MAIL);
    }
    let said = say(
        &domino,
        &["LOGIN anna pw", "SELECT Inbox", "UID COPY 1,3 Trash", "UID COPY 9 Trash", "COPY 1 None"],
    );
    let last: Vec<&str> = said[said.len() - 3..].iter().map(|line| &line[10..]).collect();
    assert_eq!(last[0], "OK [COPYUID 1413000005 1,3 1,2] UID COPY completed");
    assert_eq!(last[1], "OK UID COPY completed");
    assert_eq!(last[2], "NO [TRYCREATE] No such folder");
}

#[test]
fn peeking_does_not_mark() {
    let domino = plain();
    domino.deliver("anna", "Inbox", MAIL);
    let flags = |command: &str| {
        say(&domino, &["LOGIN anna pw", "SELECT Inbox", command]);
        domino.flags("anna", "Inbox", 1, "anna")
    };
    assert!(flags("FETCH 1 BODY.PEEK[]").is_empty());
    assert!(flags("FETCH 1 RFC822.HEADER").is_empty());
    assert_eq!(flags("FETCH 1 BODY[]"), ["\\Seen"]);
}

#[test]
fn authenticate_plain() {
    let domino = plain();
    python::run(
        domino.address(),
        r#"
m = imaplib.IMAP4(HOST, PORT)
m.authenticate('PLAIN', lambda _: b'\0anna\0pw')
m.select()
for wrong in [b'\0anna\0no', b'anna\0desk\0pw', b'junk']:
    try:
        imaplib.IMAP4(HOST, PORT).authenticate('PLAIN', lambda _: wrong)
        raise SystemExit('it let me in')
    except imaplib.IMAP4.error as error:
        assert 'AUTHENTICATE failed' in str(error), error
"#,
    );
    assert_eq!(say(&domino, &["LOGIN anna no"])[1], "A######## NO LOGIN failed");
}

#[test]
fn what_it_does_not_have_is_refused() {
    let domino = plain();
    for command in [
        "IDLE",
        "MOVE 1 Sent",
        "UID MOVE 1 Sent",
        "ENABLE QRESYNC",
        "ID NIL",
        "UNSELECT",
        "STARTTLS",
        "SELECT Inbox (CONDSTORE)",
        "SORT (DATE) UTF-8 ALL",
        "UID SEARCH SUBJECT x",
        "SEARCH UNSEEN",
        "SEARCH SMALLER 9",
    ] {
        let said = say(&domino, &["LOGIN anna pw", "SELECT Inbox", command]);
        let last = said.last().unwrap();
        assert!(last.starts_with("A######## BAD") || last.starts_with("A######## NO"), "{command}: {last}");
    }
}

#[test]
fn long_sequence_sets_are_refused() {
    let domino = plain();
    let set: Vec<String> = (1..=51).map(|uid| (uid * 2).to_string()).collect();
    let fetch = |parts: usize| format!("UID FETCH {} FLAGS", set[..parts].join(","));
    let last = |parts: usize| say(&domino, &["LOGIN anna pw", "SELECT Inbox", &fetch(parts)]).pop().unwrap();
    assert!(last(50).contains("OK") && last(51).contains("BAD"));
}

#[test]
fn others_mail_is_seen_when_delegated() {
    let domino = plain();
    domino.add_account("Bert Busch/Acme", "pw");
    domino.deliver("Bert Busch/Acme", "Inbox", MAIL);
    domino.deliver("Bert Busch/Acme", "Auftr\u{e4}ge\\2026", MAIL);
    let signed = |commands: &[&str]| say(&domino, &[&["LOGIN desk pw"], commands].concat())[2..].to_vec();
    let inbox = r#"SELECT "Other\\Bert Busch/Acme\\INBOX""#;
    assert_eq!(signed(&[inbox]), ["A######## NO You may not open this folder"]);
    assert_eq!(signed(&[r#"LIST "" "Other\\%""#]), ["A######## OK LIST completed"]);
    domino.delegate("Bert Busch/Acme", "Desk");
    assert_eq!(
        signed(&[r#"LIST "" "Other\\%""#])[0],
        r#"* LIST (\Noselect \HasChildren) "\\" "Other\\Bert Busch/Acme""#
    );
    let below = signed(&[r#"LIST "" "Other\\Bert Busch/Acme\\*""#]);
    assert_eq!(below.len(), 6, "{below:?}");
    assert_eq!(below[0], r#"* LIST (\HasNoChildren) "\\" "Other\\Bert Busch/Acme\\Auftr&AOQ-ge\\2026""#);
    assert!(below.contains(
        &r#"* LIST (\Noinferiors \HasNoChildren) "\\" "Other\\Bert Busch/Acme\\Inbox""#.to_owned()
    ));
    assert_eq!(signed(&[r#"LIST "" *"#]).len(), 5, "others' folders show only when asked for");
    let said = signed(&[inbox, "FETCH 1 BODY[]", "STORE 1 +FLAGS \\Deleted", "STORE 1 +FLAGS \\Seen"]);
    assert!(
        said.contains(&"* 1 EXISTS".to_owned())
            && said.contains(&"A######## OK [READ-ONLY] SELECT completed".to_owned()),
        "{said:?}"
    );
    assert!(said.contains(&"A######## NO You may only read this folder".to_owned()));
    assert_eq!(domino.flags("Bert Busch/Acme", "Inbox", 1, "desk"), ["\\Seen"]);
    assert!(
        domino.flags("Bert Busch/Acme", "Inbox", 1, "Bert Busch/Acme").is_empty(),
        "unread marks are one's own"
    );
    let append = r#"APPEND "Other\\Bert Busch/Acme\\Sent" {1+}"#;
    assert!(signed(&[&format!("{append}\r\nx")]).last().unwrap().contains("NO"));
    domino.delegate_as("Bert Busch/Acme", "desk", Access::Editor);
    assert!(signed(&[&format!("{append}\r\nx")]).last().unwrap().contains("APPENDUID"));
    domino.withdraw("Bert Busch/Acme", "desk");
    assert!(signed(&[inbox]).last().unwrap().contains("NO"));
}

#[test]
fn sent_is_empty_until_it_is_kept_in_step() {
    let domino = plain();
    domino.send_as("anna", MAIL);
    assert!(domino.messages("anna", "Sent").is_empty());
    domino.enable_imap_folder_synch();
    domino.send_as("anna", MAIL);
    assert_eq!(domino.messages("anna", "Sent").len(), 2);
}

#[test]
fn another_replica_has_other_numbers() {
    let domino = plain();
    let texts: Vec<Vec<u8>> =
        (1..=3).map(|number| format!("Subject: {number}\r\n\r\n").into_bytes()).collect();
    for text in &texts {
        domino.deliver("anna", "Inbox", text);
    }
    let before = (domino.uid_validity("anna", "Inbox"), domino.messages("anna", "Inbox"));
    domino.fail_over();
    assert_ne!(domino.uid_validity("anna", "Inbox"), before.0);
    let after = domino.messages("anna", "Inbox");
    assert_eq!(after.iter().map(|(uid, _)| *uid).collect::<Vec<_>>(), [14_934, 14_935, 14_936]);
    assert_eq!(after[0].1, texts[2], "the youngest was counted first");
    domino.deliver("anna", "Inbox", MAIL);
    domino.fail_over();
    let back = domino.messages("anna", "Inbox");
    assert_eq!(back[..3], before.1[..]);
    assert_eq!((domino.uid_validity("anna", "Inbox"), back[3].0), (before.0, 4));
}

#[test]
fn some_messages_have_no_date() {
    let domino = server(Options::default());
    for _ in 1..=5 {
        domino.deliver("anna", "Inbox", MAIL);
    }
    let said = say(&domino, &["LOGIN anna pw", "SELECT Inbox", "UID FETCH 5 INTERNALDATE"]);
    assert!(
        said.contains(&r#"* 5 FETCH (UID 5 INTERNALDATE "00-Jan-0000 00:00:00 +0000")"#.to_owned()),
        "{said:?}"
    );
}

/// EXISTS tells the lower number first: a client that takes it for the truth loses count.
#[test]
fn news_of_a_message_that_went() {
    for (quirks, expected) in [(Quirks::all(), "* 2 EXISTS|* 2 EXPUNGE|"), (Quirks::none(), "* 2 EXPUNGE|")] {
        let domino = server(Options { quirks, ..Options::default() });
        for _ in 0..3 {
            domino.deliver("anna", "Inbox", MAIL);
        }
        let stream = TcpStream::connect(domino.address()).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
        let mut ask = |command: &str| {
            (&stream).write_all(format!("a {command}\r\n").as_bytes()).unwrap();
            lines
                .by_ref()
                .take_while(|line| !line.starts_with("a "))
                .map(|line| line + "|")
                .collect::<String>()
        };
        ask("LOGIN anna pw");
        ask("SELECT Inbox");
        assert!(domino.expunge("anna", "Inbox", 2));
        assert_eq!(ask("UID FETCH 2 FLAGS"), "", "no answer, no error, no EXPUNGE in between");
        assert_eq!(ask("NOOP"), expected);
        assert_eq!(ask("NOOP"), "");
        let uid = domino.move_message("anna", "Inbox", 3, "Done").unwrap();
        assert_eq!((uid, domino.deliver("anna", "Inbox", MAIL)), (1, 4));
        assert!(ask("NOOP").ends_with("* 2 EXPUNGE|* 2 EXISTS|* 0 RECENT|"));
    }
}

#[test]
fn folders_are_made_renamed_and_deleted() {
    let domino = plain();
    python::run(
        domino.address(),
        r#"
m = imaplib.IMAP4(HOST, PORT)
m.login('anna', 'pw')
assert m.create('"Projects\\\\One"')[0] == 'OK'
assert m.create('Inbox\\\\Below')[0] == 'NO'
assert m.create('Sent')[0] == 'NO'
assert m.rename('"Projects\\\\One"', 'Two')[0] == 'OK'
assert m.subscribe('Two')[0] == 'OK' and m.subscribe('Three')[0] == 'NO'
assert m.list(pattern='T*')[1] == [b'(\\HasNoChildren) "\\\\" Trash', b'(\\HasNoChildren) "\\\\" Two'], m.list(pattern='T*')
assert m.delete('Two')[0] == 'OK' and m.delete('Inbox')[0] == 'NO'
assert m.select('Two')[0] == 'NO'
assert m.getquotaroot('Inbox')[0] == 'OK'
"#,
    );
}
