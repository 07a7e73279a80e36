//! The state machine of one session: a command in, a [`Step`] out. No socket, no clock, no store: the driver
//! (`connection`) does what a step says and tells the session how it went.

use std::sync::Arc;

use super::reply::{Enhanced, Reply, Why};
use super::{Command, Malformed, Options, Protocol, Refusal, path};

/// What the driver must do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Answer and read the next command.
    Reply(Reply),
    /// See whether a mail of this size (0: not declared) can be kept, then call [`Session::room`].
    CheckRoom { declared: u64 },
    /// Answer, read to CRLF.CRLF, take the transaction with [`Session::take`], answer each recipient (LMTP) or once.
    ReadData(Reply),
    /// Read so many bytes. With an open transaction they belong to its mail; after the last chunk it is taken as after
    /// DATA. `refusal` means: skip the bytes, then answer with it.
    ReadChunk { size: u64, last: bool, refusal: Option<Reply> },
    /// Answer, throw away what was received already, shake hands, then call [`Session::secured`].
    StartTls(Reply),
    /// Answer and hang up.
    Close(Reply),
}

/// Why a mail cannot be kept now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    Disk,
    Memory,
}

/// A mail that is being handed over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transaction {
    /// Empty for a bounce.
    pub from: String,
    /// The accepted recipients, as given; several of one mailbox stay several, because LMTP answers each.
    pub to: Vec<String>,
    /// What SIZE said, else 0.
    pub declared: u64,
    /// Counts the session's mails from 1.
    pub number: u64,
    utf8: bool,
    chunked: bool,
}

/// One session.
#[derive(Debug)]
pub struct Session {
    options: Arc<Options>,
    secure: bool,
    /// The name the client gave itself.
    client: Option<String>,
    /// MAIL was read and waits for the driver's word on room.
    waiting: Option<Transaction>,
    open: Option<Transaction>,
    mails: u64,
    commands: u32,
    errors: u32,
}

const DONE: Enhanced = Enhanced(2, 0, 0);

impl Session {
    pub fn new(options: Arc<Options>) -> Self {
        Session {
            options,
            secure: false,
            client: None,
            waiting: None,
            open: None,
            mails: 0,
            commands: 0,
            errors: 0,
        }
    }

    /// What is said first.
    pub fn greeting(&self) -> Reply {
        let protocol = match self.options.protocol {
            Protocol::Smtp => "ESMTP",
            Protocol::Lmtp => "LMTP",
        };
        Reply::plain(220, format!("{} {protocol} postroom", self.options.host))
    }

    /// The name the client gave itself, if it did.
    pub fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// Whether a mail is open: after MAIL, before its end, RSET or a new hello.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// What SIZE said of the open mail; 0 without.
    pub fn declared(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.declared)
    }

    /// Feeds one command line (without CRLF).
    pub fn line(&mut self, line: &[u8]) -> Step {
        self.step(Command::parse(line))
    }

    /// Feeds one command.
    pub fn step(&mut self, command: Result<Command<'_>, Malformed>) -> Step {
        self.commands += 1;
        if self.commands > self.options.limits.max_commands {
            return Step::Close(Reply::refuse(
                Why::Commands,
                421,
                Enhanced(4, 7, 0),
                "Too many commands, closing",
            ));
        }
        let step = match command {
            Ok(command) => self.obey(command),
            Err(malformed) => self.complain(malformed),
        };
        match &step {
            Step::Reply(reply) | Step::ReadChunk { refusal: Some(reply), .. } if reply.is_refusal() => {
                self.refused(step)
            }
            _ => step,
        }
    }

    /// The driver's answer to [`Step::CheckRoom`].
    pub fn room(&mut self, room: Result<(), Shortage>) -> Reply {
        let waiting = self.waiting.take();
        match room {
            Ok(()) => {
                self.open = waiting;
                Reply::ok(250, Enhanced(2, 1, 0), "Sender ok")
            }
            Err(Shortage::Disk) => Reply::disk_short(),
            Err(Shortage::Memory) => Reply::busy(),
        }
    }

    /// Ends the open transaction and hands it over; the counters start again.
    pub fn take(&mut self) -> Option<Transaction> {
        (self.commands, self.errors) = (0, 0);
        self.open.take()
    }

    /// The handshake is done: what the client said in the clear is forgotten (RFC 3207 section 4.2).
    pub fn secured(&mut self) {
        self.secure = true;
        self.client = None;
        self.open = None;
    }

    fn obey(&mut self, command: Command<'_>) -> Step {
        Step::Reply(match command {
            Command::Ehlo(name) if self.options.protocol == Protocol::Smtp => self.hello(name, true),
            Command::Helo(name) if self.options.protocol == Protocol::Smtp => self.hello(name, false),
            Command::Lhlo(name) if self.options.protocol == Protocol::Lmtp => self.hello(name, true),
            Command::Ehlo(_) | Command::Helo(_) | Command::Lhlo(_) => self.other_protocol(),
            Command::Mail { from, size, utf8 } => return self.mail(from, size, utf8),
            Command::Rcpt { to } => self.rcpt(to),
            Command::Data => return self.data(),
            Command::Bdat { size, last } => return self.chunk(size, last),
            Command::StartTls => return self.start_tls(),
            Command::Quit => return Step::Close(Reply::ok(221, DONE, "Bye")),
            Command::Rset => {
                self.open = None;
                Reply::ok(250, DONE, "Forgotten")
            }
            Command::Noop => Reply::ok(250, DONE, "Ok"),
            Command::Vrfy => Reply::ok(252, Enhanced(2, 5, 0), "Send mail there and see"),
            Command::Help => Reply::ok(214, DONE, "See RFC 5321; mail for own domains only"),
            Command::NotOffered => {
                Reply::refuse(Why::NotOffered, 502, Enhanced(5, 5, 1), "Command is not offered here")
            }
        })
    }

    fn complain(&self, malformed: Malformed) -> Step {
        let syntax =
            |code, detail, text: &'static str| Reply::refuse(Why::Syntax, code, Enhanced(5, 5, detail), text);
        match malformed {
            Malformed::Unknown => Step::Reply(syntax(500, 2, "Command is not known")),
            Malformed::Arguments => Step::Reply(syntax(501, 4, "Arguments cannot be read")),
            Malformed::Parameter => Step::Reply(Reply::refuse(
                Why::Parameter,
                555,
                Enhanced(5, 5, 4),
                "Parameter was not announced or is not known",
            )),
            Malformed::Chunk => {
                Step::Close(syntax(501, 4, "BDAT without a size cannot be followed, closing"))
            }
        }
    }

    /// Counts a refusal; too many end the session.
    fn refused(&mut self, step: Step) -> Step {
        self.errors += 1;
        if self.errors > self.options.limits.max_errors {
            return Step::Close(Reply::refuse(
                Why::Commands,
                421,
                Enhanced(4, 7, 0),
                "Too many errors, closing",
            ));
        }
        step
    }

    fn hello(&mut self, name: &str, extended: bool) -> Reply {
        self.client = Some(name.to_owned());
        self.open = None;
        let mut reply = Reply::plain(250, self.options.host.clone());
        if extended {
            let size = format!("SIZE {}", self.options.limits.max_message);
            reply.lines.extend(["PIPELINING".into(), size.into(), "8BITMIME".into(), "SMTPUTF8".into()]);
            reply.lines.extend(["CHUNKING".into(), "ENHANCEDSTATUSCODES".into()]);
            if self.options.tls.is_some() && !self.secure {
                reply.lines.push("STARTTLS".into());
            }
        }
        reply
    }

    fn other_protocol(&self) -> Reply {
        let text = match self.options.protocol {
            Protocol::Smtp => "This is SMTP: say EHLO",
            Protocol::Lmtp => "This is LMTP: say LHLO",
        };
        Reply::refuse(Why::Syntax, 500, Enhanced(5, 5, 1), text)
    }

    fn mail(&mut self, from: &str, size: Option<u64>, utf8: bool) -> Step {
        if self.client.is_none() {
            return Step::Reply(out_of_order("Say hello first"));
        }
        if self.open.is_some() {
            return Step::Reply(out_of_order("A mail is open already; RSET forgets it"));
        }
        if !utf8 && !from.is_ascii() {
            return Step::Reply(needs_utf8());
        }
        if !path::reverse_is_sound(from) {
            return Step::Reply(Reply::refuse(
                Why::Address,
                553,
                Enhanced(5, 1, 7),
                "Sender is not an address",
            ));
        }
        let declared = size.unwrap_or(0);
        if declared > self.options.limits.max_message {
            return Step::Reply(Reply::too_large());
        }
        self.waiting = Some(Transaction {
            from: from.to_owned(),
            declared,
            utf8,
            number: self.mails + 1,
            ..Default::default()
        });
        Step::CheckRoom { declared }
    }

    fn rcpt(&mut self, to: &str) -> Reply {
        let Some(open) = self.open.as_mut().filter(|open| !open.chunked) else {
            return out_of_order("MAIL comes first");
        };
        if !open.utf8 && !to.is_ascii() {
            return needs_utf8();
        }
        match self.options.recipients.check(to) {
            Err(Refusal::Relay) => {
                return Reply::refuse(
                    Why::Relay,
                    550,
                    Enhanced(5, 7, 1),
                    "Relay denied: not a recipient of ours",
                );
            }
            Err(Refusal::Unknown) => {
                return Reply::refuse(Why::Unknown, 550, Enhanced(5, 1, 1), "No such mailbox here");
            }
            Err(Refusal::Syntax) => {
                return Reply::refuse(Why::Address, 553, Enhanced(5, 1, 3), "Recipient is not an address");
            }
            Ok(()) => {}
        }
        if open.to.len() >= self.options.limits.max_recipients {
            return Reply::refuse(
                Why::Recipients,
                452,
                Enhanced(4, 5, 3),
                "Too many recipients, send again to the rest",
            );
        }
        open.to.push(to.to_owned());
        Reply::ok(250, Enhanced(2, 1, 5), "Recipient ok")
    }

    fn data(&mut self) -> Step {
        match &self.open {
            Some(open) if open.chunked => Step::Reply(out_of_order("BDAT was begun; DATA cannot follow it")),
            Some(open) if !open.to.is_empty() => {
                self.mails += 1;
                Step::ReadData(Reply::plain(354, "Send the mail, end with CRLF.CRLF"))
            }
            _ => Step::Reply(self.nobody()),
        }
    }

    fn chunk(&mut self, size: u64, last: bool) -> Step {
        let refusal = match &mut self.open {
            Some(open) if !open.to.is_empty() => {
                self.mails += u64::from(!open.chunked);
                open.chunked = true;
                None
            }
            _ => Some(self.nobody()),
        };
        Step::ReadChunk { size, last, refusal }
    }

    /// There is no accepted recipient. RFC 2033 section 4.2 wants 503 from LMTP, RFC 5321 3.3 knows 554 for SMTP.
    fn nobody(&self) -> Reply {
        match (&self.open, self.options.protocol) {
            (Some(_), Protocol::Smtp) => {
                Reply::refuse(Why::Sequence, 554, Enhanced(5, 5, 1), "No valid recipients")
            }
            _ => out_of_order("MAIL and RCPT come first"),
        }
    }

    fn start_tls(&mut self) -> Step {
        if self.options.tls.is_none() {
            return Step::Reply(Reply::refuse(
                Why::NotOffered,
                502,
                Enhanced(5, 5, 1),
                "STARTTLS is not offered here",
            ));
        }
        if self.secure {
            return Step::Reply(out_of_order("TLS is active already"));
        }
        Step::StartTls(Reply::ok(220, DONE, "Go on"))
    }
}

fn out_of_order(text: &'static str) -> Reply {
    Reply::refuse(Why::Sequence, 503, Enhanced(5, 5, 1), text)
}

fn needs_utf8() -> Reply {
    Reply::refuse(Why::Address, 553, Enhanced(5, 6, 7), "Address is not ASCII: MAIL needs SMTPUTF8")
}
