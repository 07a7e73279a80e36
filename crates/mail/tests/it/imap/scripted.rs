//! A server made of the faults of real ones: no IDLE, FETCH out of order, dates of the year 0, wrong sizes, bodies that
//! never come, connections that end at one message.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use postroom_core::WatchState;
use postroom_mail::imap::{Dialer, Sent, Watched, probe};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::book::{Book, Watching, account, mail, now, quick, wait_for};

/// What is odd about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Odd {
    Nothing,
    /// RFC822.SIZE is ten bytes too large.
    Size,
    Nil,
    Empty,
    /// OK without an answer.
    PassedOver,
    No,
    HangUp,
}

/// UID, bytes, and what is odd.
type Messages = Vec<(u32, Vec<u8>, Odd)>;

#[derive(Clone)]
struct Server {
    messages: Arc<Mutex<Messages>>,
}

impl Server {
    async fn start() -> (Self, std::net::SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server { messages: Arc::default() };
        let copy = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(copy.clone().serve(stream));
            }
        });
        (server, address)
    }

    fn add(&self, odd: Odd) -> Vec<u8> {
        let mut messages = self.messages.lock().unwrap();
        let raw = mail(messages.len() + 1);
        let uid = messages.len() as u32 + 1;
        messages.push((uid, raw.clone(), odd));
        raw
    }

    async fn serve(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let greeting = "* OK Domino IMAP4 Server Release 10.0.1FP3 ready\r\n";
        let _ = stream.write_all(greeting.as_bytes()).await;
        let mut line = String::new();
        while stream.read_line(&mut line).await.is_ok_and(|length| length > 0) {
            let said = line.trim_end().to_owned();
            line.clear();
            let (tag, command) = said.split_once(' ').unwrap_or(("x", &said));
            if command.starts_with("AUTHENTICATE") {
                let _ = stream.write_all(b"+ \r\n").await;
                let _ = stream.read_line(&mut line).await;
                line.clear();
            }
            let Some(answer) = self.answer(tag, command) else { return };
            if stream.write_all(&answer).await.is_err() {
                return;
            }
        }
    }

    /// `None` hangs up.
    fn answer(&self, tag: &str, command: &str) -> Option<Vec<u8>> {
        let next = self.messages.lock().unwrap().len() + 1;
        let mut out = match command.split(' ').next()? {
            "CAPABILITY" => {
                b"* CAPABILITY IMAP4rev1 AUTH=PLAIN LITERAL+ NAMESPACE QUOTA UIDPLUS\r\n".to_vec()
            }
            "NAMESPACE" => b"* NAMESPACE ((\"\" \"\\\\\")) ((\"Other\\\\\" \"\\\\\")) NIL\r\n".to_vec(),
            "LIST" if command.contains("Other") => {
                b"* LIST (\\Noselect) \"\\\\\" \"Other\\\\anna\"\r\n".to_vec()
            }
            "LIST" => b"* LIST (\\Noinferiors) \"\\\\\" Inbox\r\n* LIST () \"\\\\\" Sent\r\n".to_vec(),
            "STATUS" if command.contains("Sent") => {
                b"* STATUS Sent (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 5)\r\n".to_vec()
            }
            "STATUS" => {
                let count = next - 1;
                format!("* STATUS Inbox (MESSAGES {count} UIDNEXT {next} UIDVALIDITY 5)\r\n").into_bytes()
            }
            "EXAMINE" if command.contains("Sent") => {
                b"* 0 EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT 1] x\r\n".to_vec()
            }
            "EXAMINE" => format!(
                "* {} EXISTS\r\n* OK [UIDVALIDITY 5] x\r\n* OK [UIDNEXT {next}] x\r\njunk\r\n",
                next - 1
            )
            .into_bytes(),
            "UID" => return self.fetch(tag, command),
            _ => Vec::new(),
        };
        out.extend_from_slice(format!("{tag} OK done\r\n").as_bytes());
        Some(out)
    }

    fn fetch(&self, tag: &str, command: &str) -> Option<Vec<u8>> {
        let set = command.split(' ').nth(2)?;
        let messages = self.messages.lock().unwrap();
        let mut out = Vec::new();
        // Backwards, with extra parentheses, and with something that nobody asked for.
        for (uid, raw, odd) in messages.iter().rev().filter(|(uid, ..)| contains(set, *uid)) {
            if !command.contains("BODY.PEEK") {
                let size = raw.len() + if *odd == Odd::Size { 10 } else { 0 };
                out.extend_from_slice(format!("* {uid} FETCH (UID {uid} (ENVELOPE (NIL)) INTERNALDATE \"00-Jan-0000 00:00:00 +0000\" RFC822.SIZE {size})\r\n* 3 EXISTS\r\n").as_bytes());
                continue;
            }
            match odd {
                Odd::HangUp => return None,
                Odd::No => return Some(format!("{tag} NO cannot open the note\r\n").into_bytes()),
                Odd::PassedOver => {}
                Odd::Nil => {
                    out.extend_from_slice(format!("* {uid} FETCH (UID {uid} BODY[] NIL)\r\n").as_bytes())
                }
                Odd::Empty => {
                    out.extend_from_slice(format!("* {uid} FETCH (UID {uid} BODY[] \"\")\r\n").as_bytes())
                }
                Odd::Nothing | Odd::Size => {
                    out.extend_from_slice(format!("* {uid} FETCH (BODY[] {{{}}}\r\n", raw.len()).as_bytes());
                    out.extend_from_slice(raw);
                    out.extend_from_slice(format!(" UID {uid})\r\n").as_bytes());
                }
            }
        }
        out.extend_from_slice(format!("{tag} OK FETCH completed\r\n").as_bytes());
        Some(out)
    }
}

fn contains(set: &str, uid: u32) -> bool {
    set.split(',').any(|part| {
        let (low, high) = part.split_once(':').unwrap_or((part, part));
        (low.parse().unwrap_or(0)..=high.parse().unwrap_or(u32::MAX)).contains(&uid)
    })
}

/// One odd message between two good ones: these come, and the odd one waits with its reason.
async fn check(odd: Odd, why: Option<&str>) {
    let ((server, address), book) = (Server::start().await, Book::new());
    let _watching =
        Watching::start(&book, quick(), vec![Watched::new("desk", account(address, "desk", "x"))]);
    wait_for("the first look", || {
        book.last_report("desk").is_some_and(|report| report.state == WatchState::Watching)
    })
    .await;
    let good = [server.add(Odd::Nothing), server.add(odd), server.add(Odd::Nothing)];
    wait_for(&format!("the neighbours of {odd:?}"), || book.has(&good[0]) && book.has(&good[2])).await;
    wait_for("the cursor", || book.cursor_of("desk", "Inbox").is_some_and(|cursor| cursor.uid == 3)).await;
    let waiting = book.cursor_of("desk", "Inbox").unwrap().waiting;
    match why {
        None => assert!(waiting.is_empty() && book.has(&good[1]), "{odd:?}: {waiting:?}"),
        Some(why) => {
            assert_eq!(waiting.iter().map(|waiting| waiting.uid).collect::<Vec<_>>(), [2], "{odd:?}");
            assert!(waiting[0].error.contains(why) && waiting[0].due.is_some(), "{odd:?}: {waiting:?}");
        }
    }
    let quirks = book.last_report("desk").unwrap().quirks;
    assert!(quirks.iter().any(|quirk| quirk == "no IDLE"), "{quirks:?}");
}

#[tokio::test]
async fn odd_messages_hold_nobody_up() {
    check(Odd::Nothing, None).await;
    check(Odd::Size, None).await;
    check(Odd::Nil, Some("no body")).await;
    check(Odd::Empty, Some("empty body")).await;
    check(Odd::PassedOver, Some("passes it over")).await;
    check(Odd::No, Some("cannot open the note")).await;
    check(Odd::HangUp, Some("connection breaks")).await;
}

#[tokio::test]
async fn a_black_hole_does_not_slow_its_neighbour() {
    // Takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ((server, address), book) = (Server::start().await, Book::new());
    let bad =
        |index: usize| Watched::new(format!("bad{index}"), account(silent.local_addr().unwrap(), "bad", "x"));
    let mut mailboxes: Vec<Watched> = (0..20).map(bad).collect();
    mailboxes.push(Watched::new("good", account(address, "good", "x")));
    let _watching = Watching::start(&book, quick(), mailboxes);
    wait_for("the first look", || {
        book.last_report("good").is_some_and(|report| report.state == WatchState::Watching)
    })
    .await;
    let start = std::time::Instant::now();
    let raw = server.add(Odd::Nothing);
    wait_for("the mail", || book.has(&raw)).await;
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn the_probe_tells_what_to_set_on_domino() {
    let (server, address) = Server::start().await;
    server.add(Odd::Nothing);
    let account = account(address, "desk", "x");
    let steps = probe(&account, Sent::Watched, &Dialer::default(), &super::tls::NoNames, now()).await;
    let names: Vec<(&str, bool)> = steps.iter().map(|step| (step.name, step.ok)).collect();
    let expected = [
        ("dns", true),
        ("tcp", true),
        ("tls", true),
        ("sign_in", true),
        ("capabilities", true),
        ("namespaces", true),
        ("folders", true),
        ("folders", false),
        ("header", true),
    ];
    assert_eq!(names, expected, "{steps:?}");
    assert!(steps[5].text.contains("Other\\anna"), "{steps:?}");
    assert!(steps[7].fix.as_deref().is_some_and(|fix| fix.contains("EnableImapFolderSynch=1")), "{steps:?}");
}
