//! A mail agent beside a mail server: hands letters in by HTTP, keeps books, and tries again whatever is not settled.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use postroom_testkit::mailer::{Book, Entry, Fate, Mail};
use postroom_testkit::poll;

use crate::load::{MAILBOX, PATIENCE};

const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A run under way.
pub struct Agent {
    thread: JoinHandle<Book>,
    acked: Arc<AtomicUsize>,
}

impl Agent {
    /// Hands the letters in, one after another, each until it is settled.
    pub fn start(server: SocketAddr, token: String, mails: Vec<Mail>) -> Agent {
        let acked = Arc::new(AtomicUsize::new(0));
        let count = acked.clone();
        let thread = std::thread::spawn(move || {
            let entries = mails.into_iter().map(|mail| {
                let entry = settle(server, &token, &mail.raw);
                count.fetch_add(usize::from(entry.fate == Fate::Acked), Ordering::SeqCst);
                (mail.number, entry)
            });
            Book { entries: entries.collect() }
        });
        Agent { thread, acked }
    }

    pub fn acked(&self) -> usize {
        self.acked.load(Ordering::SeqCst)
    }

    pub fn finish(self) -> Book {
        self.thread.join().expect("the agent does not panic")
    }
}

/// Tries until there is an answer that stands.
fn settle(server: SocketAddr, token: &str, raw: &[u8]) -> Entry {
    let mut entry = Entry { fate: Fate::Waiting, lost_answers: 0, later: 0 };
    let start = Instant::now();
    let _ = poll::until(PATIENCE * 2, || {
        match post(server, token, raw) {
            Ok(202) => entry.fate = Fate::Acked,
            Ok(429 | 500..) => entry.later += 1,
            Ok(status) => entry.fate = Fate::Refused(format!("HTTP {status} after {:?}", start.elapsed())),
            Err(Broken::Unsent) => {}
            Err(Broken::Lost) => entry.lost_answers += 1,
        }
        entry.fate != Fate::Waiting
    });
    entry
}

enum Broken {
    /// The server cannot have the whole letter.
    Unsent,
    /// It may have it.
    Lost,
}

/// One request on a connection of its own (RFC 9112); answers the status.
fn post(server: SocketAddr, token: &str, raw: &[u8]) -> Result<u16, Broken> {
    let mut stream = connect(server).map_err(|_| Broken::Unsent)?;
    let head = format!(
        "POST /agent/v1/messages?mailbox=support&from=anna@customer.example&to={MAILBOX} HTTP/1.1\r\n\
         Host: {server}\r\nAuthorization: Bearer {token}\r\nContent-Type: message/rfc822\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        raw.len()
    );
    let (last, rest) = raw.split_last().expect("a letter is not empty");
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(rest)).map_err(|_| Broken::Unsent)?;
    stream.write_all(&[*last]).map_err(|_| Broken::Lost)?;
    let mut answer = Vec::new();
    // A server that dies may reset the connection behind its answer.
    let _ = stream.read_to_end(&mut answer);
    let status = answer.strip_prefix(b"HTTP/1.1 ").and_then(|rest| std::str::from_utf8(rest.get(..3)?).ok());
    status.and_then(|status| status.parse().ok()).ok_or(Broken::Lost)
}

fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&server, ANSWER_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(ANSWER_WITHIN))?;
    Ok(stream)
}
