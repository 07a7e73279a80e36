//! A sender of mail that keeps books: for each mail whether the server acknowledged it, refused it, or was never heard
//! of again.
//!
//! It behaves as a mail server does that hands mail on (RFC 5321 section 4.5.4.1): what is refused for now, and what
//! could not be handed over, is tried again until the deadline. It lives outside the process under test, so its books
//! are right whatever becomes of that process. It is no model of a good client: no pipelining, no TLS.

mod book;
mod session;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use book::{Book, Entry, Fate};
use session::{Outcome, Session};

/// The pause before a connection is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// SMTP (RFC 5321), or LMTP (RFC 2033), which answers once for each recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Smtp,
    Lmtp,
}

/// What to do with a mail whose acknowledgement was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostAnswer {
    /// Send it again, as every mail server does.
    SendAgain,
    /// Leave it, to see what became of it.
    Leave,
}

/// One mail to send.
#[derive(Debug, Clone)]
pub struct Mail {
    /// Its name in the books.
    pub number: u64,
    /// With CRLF line ends; dots are stuffed on the way.
    pub raw: Vec<u8>,
}

/// Whom to send to, and how.
#[derive(Debug, Clone)]
pub struct Mailer {
    pub server: SocketAddr,
    pub protocol: Protocol,
    /// The reverse-path; empty for a bounce.
    pub sender: String,
    pub recipients: Vec<String>,
    /// How many connections send at once.
    pub connections: usize,
    pub lost_answer: LostAnswer,
    /// For one answer of the server.
    pub answer_within: Duration,
    /// For the whole run; what is not settled then stays as it is.
    pub deadline: Duration,
}

/// A run under way.
pub struct Run {
    state: Arc<State>,
    threads: Vec<JoinHandle<()>>,
}

struct State {
    mailer: Mailer,
    start: Instant,
    waiting: Mutex<VecDeque<Mail>>,
    book: Mutex<Book>,
}

impl Mailer {
    /// One connection, one recipient, half a minute; lost answers are sent again.
    pub fn new(protocol: Protocol, server: SocketAddr, recipient: impl Into<String>) -> Mailer {
        Mailer {
            server,
            protocol,
            sender: "sender@customer.example".to_owned(),
            recipients: vec![recipient.into()],
            connections: 1,
            lost_answer: LostAnswer::SendAgain,
            answer_within: Duration::from_secs(10),
            deadline: Duration::from_secs(30),
        }
    }

    /// Sends in the background.
    pub fn start(self, mails: Vec<Mail>) -> Run {
        let book = Mutex::new(Book::of(mails.iter().map(|mail| mail.number)));
        let (start, waiting) = (Instant::now(), Mutex::new(VecDeque::from(mails)));
        let connections = self.connections;
        let state = Arc::new(State { mailer: self, start, waiting, book });
        let connection = |_| {
            let state = Arc::clone(&state);
            std::thread::spawn(move || state.work())
        };
        let threads = (0..connections).map(connection).collect();
        Run { state, threads }
    }

    /// Sends, and answers the books when everything is settled or the deadline has passed.
    pub fn send(self, mails: Vec<Mail>) -> Book {
        self.start(mails).finish()
    }
}

impl Run {
    /// How many were acknowledged so far.
    pub fn acked(&self) -> usize {
        self.book().acked().count()
    }

    /// The books so far.
    pub fn book(&self) -> Book {
        locked(&self.state.book).clone()
    }

    /// Waits until everything is settled or the deadline has passed.
    ///
    /// # Panics
    /// When a sending thread did.
    pub fn finish(self) -> Book {
        for thread in self.threads {
            thread.join().expect("a sending thread does not panic");
        }
        locked(&self.state.book).clone()
    }
}

impl State {
    fn work(&self) {
        let mut session = None;
        while let Some(mail) = self.next() {
            let outcome = self.one(&mut session, &mail);
            if locked(&self.book).note(mail.number, &outcome, self.mailer.lost_answer) {
                locked(&self.waiting).push_back(mail);
            }
            if !matches!(outcome, Outcome::Acked | Outcome::Refused(_)) {
                std::thread::sleep(PAUSE);
            }
        }
    }

    fn next(&self) -> Option<Mail> {
        let early = self.start.elapsed() < self.mailer.deadline;
        early.then(|| locked(&self.waiting).pop_front()).flatten()
    }

    /// One try, over the session that is open or a new one.
    fn one(&self, session: &mut Option<Session>, mail: &Mail) -> Outcome {
        let open = match session.take() {
            Some(open) => Ok(open),
            None => Session::open(&self.mailer),
        };
        let Ok(mut open) = open else { return Outcome::Unsent };
        let outcome = open.send(&self.mailer, &mail.raw);
        if open.usable {
            *session = Some(open);
        }
        outcome
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `count` small mails from 1 on, each with its own Message-ID and its number in the subject.
pub fn numbered(count: u64, to: &str) -> Vec<Mail> {
    let mail = |number: u64| {
        let raw = format!(
            "From: Anna Adler <anna@customer.example>\r\nTo: <{to}>\r\nSubject: Mail number {number}\r\n\
             Message-ID: <number-{number}@customer.example>\r\nDate: Mon, 2 Nov 2026 10:00:00 +0000\r\n\
             MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThis is number {number}.\r\n"
        );
        Mail { number, raw: raw.into_bytes() }
    };
    (1..=count).map(mail).collect()
}
