//! One SMTP or LMTP connection of the sender.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::TcpStream;

use super::{Mailer, Protocol};

/// What one try to hand a mail over came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Acked,
    /// A 5yz reply.
    Refused(String),
    /// A 4yz reply: try later.
    Later,
    /// The connection broke before the server could have the whole mail.
    Unsent,
    /// The server had the whole mail, and its answer did not come.
    Lost,
}

pub(super) struct Session {
    reader: BufReader<TcpStream>,
    /// Whether another mail can go over this connection.
    pub usable: bool,
}

struct Reply {
    code: u16,
    text: String,
}

impl Reply {
    fn outcome(self) -> Outcome {
        match self.code {
            200..=399 => Outcome::Acked,
            500.. => Outcome::Refused(self.text),
            _ => Outcome::Later,
        }
    }
}

impl Session {
    pub fn open(mailer: &Mailer) -> io::Result<Session> {
        let stream = TcpStream::connect_timeout(&mailer.server, mailer.answer_within)?;
        stream.set_read_timeout(Some(mailer.answer_within))?;
        stream.set_write_timeout(Some(mailer.answer_within))?;
        stream.set_nodelay(true)?;
        let mut session = Session { reader: BufReader::new(stream), usable: true };
        let hello = match mailer.protocol {
            Protocol::Smtp => "EHLO sender.example",
            Protocol::Lmtp => "LHLO sender.example",
        };
        let greeting = session.reply()?;
        let welcome = session.ask(hello)?;
        match (greeting.code, welcome.code) {
            (220, 250) => Ok(session),
            _ => Err(io::Error::other("the server does not want us now")),
        }
    }

    /// Hands one mail over.
    pub fn send(&mut self, mailer: &Mailer, raw: &[u8]) -> Outcome {
        let accepted = match self.envelope(mailer) {
            Ok(Ok(accepted)) => accepted,
            Ok(Err(outcome)) => return outcome,
            Err(_) => return self.broken(Outcome::Unsent),
        };
        if self.reader.get_mut().write_all(&stuffed(raw)).is_err() {
            // The end of the mail is the last that is written: it did not get there.
            return self.broken(Outcome::Unsent);
        }
        let answers = if mailer.protocol == Protocol::Lmtp { accepted } else { 1 };
        let replies: io::Result<Vec<Reply>> = (0..answers).map(|_| self.reply()).collect();
        match replies {
            Ok(replies) => worst(replies),
            Err(_) => self.broken(Outcome::Lost),
        }
    }

    /// Everything up to the permission to send the text; answers the number of recipients that were taken.
    fn envelope(&mut self, mailer: &Mailer) -> io::Result<Result<usize, Outcome>> {
        let mail = self.ask(&format!("MAIL FROM:<{}>", mailer.sender))?;
        if mail.code != 250 {
            return Ok(Err(self.given_up(mail)?));
        }
        let (mut accepted, mut refusal) = (0, None);
        for recipient in &mailer.recipients {
            let reply = self.ask(&format!("RCPT TO:<{recipient}>"))?;
            match reply.code {
                250 | 251 => accepted += 1,
                _ => refusal = Some(reply),
            }
        }
        if let Some(reply) = refusal {
            return Ok(Err(self.given_up(reply)?));
        }
        let data = self.ask("DATA")?;
        Ok(if data.code == 354 { Ok(accepted) } else { Err(self.given_up(data)?) })
    }

    /// Leaves a transaction that cannot go on.
    fn given_up(&mut self, reply: Reply) -> io::Result<Outcome> {
        if reply.code == 421 {
            self.usable = false;
        } else {
            self.ask("RSET")?;
        }
        Ok(reply.outcome())
    }

    fn broken(&mut self, outcome: Outcome) -> Outcome {
        self.usable = false;
        outcome
    }

    fn ask(&mut self, line: &str) -> io::Result<Reply> {
        self.reader.get_mut().write_all(format!("{line}\r\n").as_bytes())?;
        self.reply()
    }

    /// Reads one reply of one or more lines (RFC 5321 section 4.2.1).
    fn reply(&mut self) -> io::Result<Reply> {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            text.push_str(line.trim_end());
            let code = line.get(..3).and_then(|code| code.parse().ok());
            let code = code.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "no reply code"))?;
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(Reply { code, text });
            }
            text.push('\n');
        }
    }
}

/// The text as it goes over the wire: leading dots doubled, a dot alone at the end (RFC 5321 section 4.5.2).
fn stuffed(raw: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(raw.len() + 8);
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            wire.push(b'.');
        }
        wire.extend_from_slice(line);
    }
    if !wire.ends_with(b"\r\n") {
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b".\r\n");
    wire
}

/// The mail is settled when it is for all recipients.
fn worst(replies: Vec<Reply>) -> Outcome {
    let mut worst = Outcome::Acked;
    for reply in replies {
        match reply.outcome() {
            Outcome::Later => return Outcome::Later,
            Outcome::Acked => {}
            refused => worst = refused,
        }
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, wire: &str) {
        assert_eq!(String::from_utf8(stuffed(raw.as_bytes())).unwrap(), wire);
    }

    #[test]
    fn dots_are_stuffed() {
        check("a\r\n", "a\r\n.\r\n");
        check(".\r\n..b\r\n", "..\r\n...b\r\n.\r\n");
        check("no end", "no end\r\n.\r\n");
        check("", "\r\n.\r\n");
    }
}
