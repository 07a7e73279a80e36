//! A trace of system calls as `strace -f -y -xx -o` writes it (strace(1)), and the question whether what a mail's
//! acknowledgement promises was on the disk when it left.

use std::collections::{BTreeSet, HashMap};

/// How the answers begin that take a mail: of SMTP and LMTP, and of HTTP.
const ACKNOWLEDGED: [&[u8]; 2] = [b"250", b"HTTP/1.1 202"];

/// The calls that touched a file or socket, in the order in which they began.
pub struct Trace {
    events: Vec<Event>,
}

/// One call. Times are line numbers of the trace.
struct Event {
    began: usize,
    /// `usize::MAX` when the trace ends before the call does.
    returned: usize,
    call: Call,
    /// The file's path, or the socket.
    target: String,
    data: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Call {
    Read,
    Write,
    Sync,
}

impl Call {
    fn of(name: &str) -> Option<Call> {
        match name {
            "fsync" | "fdatasync" => Some(Call::Sync),
            "write" | "writev" | "pwrite64" | "pwritev" | "sendto" | "sendmsg" => Some(Call::Write),
            "read" | "readv" | "recvfrom" | "recvmsg" => Some(Call::Read),
            _ => None,
        }
    }
}

impl Trace {
    pub fn read(text: &str) -> Trace {
        let mut events: Vec<Event> = Vec::new();
        let mut open: HashMap<&str, usize> = HashMap::new();
        for (line, text) in text.lines().enumerate() {
            let Some((process, said)) = text.split_once(char::is_whitespace) else { continue };
            let said = said.trim_start();
            if let Some(rest) = said.strip_prefix("<... ") {
                if let Some(place) = open.remove(process) {
                    events[place].returned = line;
                    events[place].data.extend(quoted(rest));
                }
            } else if let Some(event) = event(said, line) {
                if said.ends_with("<unfinished ...>") {
                    open.insert(process, events.len());
                }
                events.push(event);
            }
        }
        Trace { events }
    }

    /// Whether the commit that holds this mail was synced to SQLite's log before the mail was acknowledged.
    pub fn synced_in_sqlite(&self, id: &str) -> Result<(), String> {
        let (_, acknowledged) = self.acknowledgement(id)?;
        let commit = self.commit_in_log(id).ok_or("it was never written to the log")?;
        self.sync_between("-wal", commit, acknowledged)
    }

    /// Whether PostgreSQL synced its log between the COMMIT of this mail and its own answer to it, and answered before the
    /// mail was acknowledged.
    pub fn synced_in_postgresql(&self, id: &str) -> Result<(), String> {
        let (received, acknowledged) = self.acknowledgement(id)?;
        let targets: BTreeSet<&str> = self.events.iter().map(|event| event.target.as_str()).collect();
        // A server's process reads COMMIT as a query; our own reads it as an answer only.
        let asked = targets.into_iter().filter_map(|target| {
            let rows = self.find(Call::Read, target, bare(id), received)?;
            let asked = self.find(Call::Read, target, b"Q\0\0\0\x0bCOMMIT\0", rows.began - 1)?;
            Some((target, asked))
        });
        let (target, asked) = asked.min_by_key(|(_, asked)| asked.began).ok_or("PostgreSQL never got it")?;
        let told = self
            .find(Call::Write, target, b"C\0\0\0\x0bCOMMIT\0", asked.returned)
            .ok_or("no answer to COMMIT")?;
        if told.began > acknowledged {
            return Err("it was acknowledged before PostgreSQL had committed".to_owned());
        }
        let log = self.after(asked.returned).filter(|event| event.target.contains("/pg_wal/"));
        let written = log.filter(|event| event.call == Call::Write).map(|event| event.returned).min();
        self.sync_between("/pg_wal/", written.ok_or("nothing was written to the log")?, told.began)
    }

    /// The call that brought the last of these bytes to or from a target, which may take several calls for them.
    fn find(&self, call: Call, target: &str, bytes: &[u8], after: usize) -> Option<&Event> {
        let mut tail: Vec<u8> = Vec::new();
        self.after(after).filter(|event| event.call == call && event.target == target).find(|event| {
            tail.extend(&event.data);
            let found = contains(&tail, bytes);
            tail.drain(..tail.len().saturating_sub(bytes.len() - 1));
            found
        })
    }

    /// When the first bytes of the mail had come in, and when the answer to it began to leave on the same connection.
    fn acknowledgement(&self, id: &str) -> Result<(usize, usize), String> {
        let came = self.events.iter().find(|event| event.call == Call::Read && holds(event, id));
        let came = came.ok_or("it never came in")?;
        let answer =
            self.after(came.returned).find(|event| event.call == Call::Write && event.target == came.target);
        match answer {
            Some(answer) if ACKNOWLEDGED.iter().any(|word| answer.data.starts_with(word)) => {
                Ok((came.returned, answer.began))
            }
            _ => Err("it was never acknowledged".to_owned()),
        }
    }

    /// When the last frame of the commit with this mail had been written to SQLite's log.
    ///
    /// A frame is a header of 24 bytes, then a page; in the last frame of a commit, the header's second word is not zero
    /// (SQLite's file format, section 4.1).
    fn commit_in_log(&self, id: &str) -> Option<usize> {
        let (mut found, mut last) = (false, false);
        let log =
            self.events.iter().filter(|event| event.call == Call::Write && event.target.ends_with("-wal"));
        for event in log {
            match event.data.as_slice() {
                header if header.len() == 24 => last = header[4..8] != [0; 4],
                page => {
                    found |= contains(page, bare(id));
                    if found && last {
                        return Some(event.returned);
                    }
                }
            }
        }
        None
    }

    fn sync_between(&self, file: &str, written: usize, left: usize) -> Result<(), String> {
        let syncs =
            self.events.iter().filter(|event| event.call == Call::Sync && event.target.contains(file));
        let mut in_time = syncs.filter(|event| event.began > written && event.returned < left);
        match in_time.next() {
            Some(_) => Ok(()),
            None => Err(format!("no sync returned between lines {written} and {left}")),
        }
    }

    fn after(&self, line: usize) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(move |event| event.began > line)
    }
}

fn event(said: &str, line: usize) -> Option<Event> {
    let (name, rest) = said.split_once('(')?;
    let call = Call::of(name)?;
    let (target, rest) = rest.split_once('<')?.1.split_once(['>'])?;
    let unfinished = said.ends_with("<unfinished ...>");
    let target = String::from_utf8_lossy(&unescaped(target)).into_owned();
    let returned = if unfinished { usize::MAX } else { line };
    Some(Event { began: line, returned, call, target, data: quoted(rest) })
}

/// The bytes of everything in quotes.
fn quoted(text: &str) -> Vec<u8> {
    text.split('"').skip(1).step_by(2).flat_map(unescaped).collect()
}

/// `\x41` is A; what is not escaped stands for itself.
fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4);
    let mut rest = text.as_bytes();
    while let Some(first) = rest.first() {
        let hex = rest.strip_prefix(b"\\x").and_then(|hex| std::str::from_utf8(hex.get(..2)?).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[4..];
            }
            None => {
                bytes.push(*first);
                rest = &rest[1..];
            }
        }
    }
    bytes
}

fn holds(event: &Event, id: &str) -> bool {
    contains(&event.data, bare(id))
}

fn bare(id: &str) -> &[u8] {
    id.trim_matches(['<', '>']).as_bytes()
}

fn contains(data: &[u8], part: &[u8]) -> bool {
    data.windows(part.len()).any(|window| window == part)
}

#[test]
fn the_order_of_sync_and_answer_is_seen() {
    let come = r#"7 recvfrom(9<socket:[5]>, "a@b", 99, 0, NULL, NULL) = 3"#;
    let header =
        r#"8 pwrite64(4</d/p.db-wal>, "\x00\x00\x00\x01\x00\x00\x00\x02................", 24, 0) = 24"#;
    let page = r#"8 pwrite64(4</d/p.db-wal>, "x\x61\x40\x62", 4, 24) = 4"#;
    let sync = "8 fdatasync(4</d/p.db-wal>) = 0";
    let (begin, end) = ("8 fdatasync(4</d/p.db-wal> <unfinished ...>", "8 <... fdatasync resumed>) = 0");
    let answer = r#"7 sendto(9<socket:[5]>, "250 2.0.0 Ok", 12, 0, NULL, 0) = 12"#;
    let check = |lines: &[&str], safe: bool| {
        let found = Trace::read(&lines.join("\n")).synced_in_sqlite("<a@b>");
        assert_eq!(found.is_ok(), safe, "{found:?}: {lines:#?}");
    };
    check(&[come, header, page, sync, answer], true);
    check(&[come, header, page, begin, end, answer], true);
    check(&[come, header, page, answer, sync], false);
    check(&[come, header, page, begin, answer, end], false);
    check(&[come, header, begin, page, end, answer], false);
    check(&[come, header, page, answer], false);
    check(&[come, sync, answer], false);
    // The page of the mail, then the last page of its commit: a sync between the two is too early.
    let more = header.replace(r"\x02", r"\x00");
    check(&[come, &more, page, sync, header, page, answer], false);
    check(&[come, &more, page, header, page, sync, answer], true);
}
