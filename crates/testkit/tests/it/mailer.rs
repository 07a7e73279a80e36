//! The sender's books, against a server that follows a script.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use postroom_testkit::mailer::{Book, Fate, LostAnswer, Mailer, Protocol, numbered};
use postroom_testkit::poll;

/// What the server does with a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Take,
    RefuseSender,
    RefuseRecipient,
    RefuseText,
    Later,
    /// Takes it, and closes the connection instead of answering.
    TakeAndDrop,
    /// Closes the connection in the middle of the text.
    DropText,
    SayGoodbye,
}

/// Answers the `n`th transaction by the `n`th act, then takes everything. Keeps the texts it took.
struct Script {
    address: SocketAddr,
    acts: Mutex<Vec<Act>>,
    taken: Mutex<Vec<String>>,
}

impl Script {
    fn start(acts: &[Act]) -> Arc<Script> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let acts = Mutex::new(acts.iter().rev().copied().collect());
        let script =
            Arc::new(Script { address: listener.local_addr().unwrap(), acts, taken: Mutex::default() });
        let server = Arc::clone(&script);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let server = Arc::clone(&server);
                std::thread::spawn(move || server.serve(stream.unwrap()));
            }
        });
        script
    }

    /// Ends with the connection, whoever closes it.
    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let say = |line: &str| (&stream).write_all(format!("{line}\r\n").as_bytes()).ok();
        say("220 script")?;
        let mut act = Act::Take;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            match (&line[..4], act) {
                ("MAIL", _) => {
                    act = self.acts.lock().unwrap().pop().unwrap_or(Act::Take);
                    match act {
                        Act::RefuseSender => say("550-not\r\n550 you")?,
                        Act::SayGoodbye => return say("421 goodbye"),
                        _ => say("250 sender")?,
                    }
                }
                ("RCPT", Act::RefuseRecipient) => say("550 nobody here")?,
                ("RCPT", Act::Later) => say("451 later")?,
                ("DATA", _) => {
                    say("354 go on")?;
                    self.text(&mut reader, act)?;
                    say(if act == Act::RefuseText { "554 not that" } else { "250 taken" })?;
                }
                ("EHLO" | "LHLO", _) => say("250-script\r\n250 8BITMIME")?,
                _ => say("250 ok")?,
            }
        }
    }

    fn text(&self, reader: &mut impl BufRead, act: Act) -> Option<()> {
        let mut text = String::new();
        while !text.ends_with("\r\n.\r\n") {
            if act == Act::DropText || reader.read_line(&mut text).ok()? == 0 {
                return None;
            }
        }
        if matches!(act, Act::Take | Act::TakeAndDrop) {
            self.taken.lock().unwrap().push(text);
        }
        (act != Act::TakeAndDrop).then_some(())
    }

    fn numbers(&self) -> Vec<u64> {
        let subject = "Subject: Mail number ";
        let number = |text: &String| text.lines().find_map(|line| line.strip_prefix(subject)?.parse().ok());
        let mut numbers: Vec<u64> = self.taken.lock().unwrap().iter().filter_map(number).collect();
        numbers.sort();
        numbers
    }
}

fn mailer(script: &Script, protocol: Protocol) -> Mailer {
    Mailer {
        deadline: Duration::from_secs(20),
        ..Mailer::new(protocol, script.address, "sales@ours.example")
    }
}

fn fates(book: &Book) -> Vec<Fate> {
    book.entries.values().map(|entry| entry.fate.clone()).collect()
}

#[test]
fn every_mail_is_acknowledged_over_several_connections() {
    for protocol in [Protocol::Smtp, Protocol::Lmtp] {
        let script = Script::start(&[]);
        let book =
            Mailer { connections: 3, ..mailer(&script, protocol) }.send(numbered(50, "sales@ours.example"));
        assert_eq!(book.acked().count(), 50);
        assert_eq!(script.numbers(), (1..=50).collect::<Vec<_>>());
        book.balance(script.numbers()).unwrap();
    }
}

#[test]
fn refusals_are_noted_and_not_repeated() {
    let script = Script::start(&[Act::RefuseSender, Act::RefuseRecipient, Act::RefuseText]);
    let book = mailer(&script, Protocol::Smtp).send(numbered(4, "sales@ours.example"));
    let refused = |text: &str| Fate::Refused(text.to_owned());
    let expected =
        [refused("550-not\n550 you"), refused("550 nobody here"), refused("554 not that"), Fate::Acked];
    assert_eq!(fates(&book), expected);
    assert_eq!(script.numbers(), [4]);
}

#[test]
fn what_was_not_taken_is_sent_again() {
    let script = Script::start(&[Act::Later, Act::DropText, Act::SayGoodbye]);
    let book = mailer(&script, Protocol::Smtp).send(numbered(3, "sales@ours.example"));
    assert_eq!(book.acked().count(), 3);
    assert_eq!(script.numbers(), [1, 2, 3]);
    assert_eq!(book.entries[&1].later, 1);
}

#[test]
fn a_lost_answer_is_sent_again_or_left() {
    let script = Script::start(&[Act::TakeAndDrop]);
    let book = mailer(&script, Protocol::Smtp).send(numbered(1, "sales@ours.example"));
    assert_eq!((fates(&book), script.numbers()), (vec![Fate::Acked], vec![1, 1]));
    assert_eq!(book.entries[&1].lost_answers, 1);

    let script = Script::start(&[Act::TakeAndDrop]);
    let leave = Mailer { lost_answer: LostAnswer::Leave, ..mailer(&script, Protocol::Smtp) };
    let book = leave.send(numbered(2, "sales@ours.example"));
    assert_eq!((fates(&book), script.numbers()), (vec![Fate::Unknown, Fate::Acked], vec![1, 2]));
    book.balance(script.numbers()).unwrap();
}

#[test]
fn a_run_ends_when_its_deadline_passes() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mailer = Mailer::new(Protocol::Smtp, nobody, "sales@ours.example");
    let run =
        Mailer { deadline: Duration::from_millis(200), ..mailer }.start(numbered(2, "sales@ours.example"));
    assert!(!poll::until(Duration::from_millis(50), || run.acked() > 0));
    assert_eq!(run.finish().unsent().collect::<Vec<_>>(), [1, 2]);
}
