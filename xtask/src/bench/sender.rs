//! The sender: many SMTP sessions that each hand over one mail after another, as a mail server does that has a queue.
//!
//! One connection for many mails, MAIL, RCPT and DATA in one write where PIPELINING is offered (RFC 2920), the text ready
//! for the wire beforehand, so that the sender costs little beside the server. No TLS.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::gauge;
use super::mails::Mail;

/// For one answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Before a mail is sent again that the server did not want yet.
const PAUSE: Duration = Duration::from_millis(20);

/// How a run went.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// From the first connection to the last acknowledgement.
    pub took: Duration,
    /// The CPU time of this process.
    pub cpu: Duration,
    /// How often the server asked to come again later (4yz).
    pub later: u64,
}

/// Sends every mail once over `sessions` connections, and answers when all are acknowledged.
///
/// # Errors
/// When a mail is refused for good, or the server is gone.
pub fn send(server: SocketAddr, mails: &[Mail], sessions: usize) -> Result<Sent> {
    let (next, later) = (AtomicUsize::new(0), AtomicU64::new(0));
    let (start, cpu) = (Instant::now(), gauge::own());
    thread::scope(|scope| {
        let sender = || -> Result<()> {
            let mut session = Session::open(server)?;
            while let Some(mail) = mails.get(next.fetch_add(1, Ordering::Relaxed)) {
                while !session.send(mail)? {
                    later.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(PAUSE);
                }
            }
            session.close()
        };
        let threads: Vec<_> = (0..sessions).map(|_| scope.spawn(sender)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a sender does not panic"))
    })?;
    Ok(Sent { took: start.elapsed(), cpu: gauge::own().saturating_sub(cpu), later: later.into_inner() })
}

struct Session {
    reader: BufReader<TcpStream>,
    pipelining: bool,
    line: String,
}

impl Session {
    fn open(server: SocketAddr) -> Result<Session> {
        let stream = TcpStream::connect(server).context("the server takes no connection")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut session = Session { reader: BufReader::new(stream), pipelining: false, line: String::new() };
        session.expect(220)?;
        session.write(b"EHLO sender.example\r\n")?;
        session.expect(250)?;
        Ok(session)
    }

    /// Hands one mail over. False when the server wants it later.
    fn send(&mut self, mail: &Mail) -> Result<bool> {
        let envelope = mail.envelope.as_bytes();
        let mut codes = Vec::with_capacity(3);
        if self.pipelining {
            self.write(envelope)?;
            for _ in 0..3 {
                codes.push(self.reply()?);
            }
        } else {
            for line in envelope.split_inclusive(|byte| *byte == b'\n') {
                self.write(line)?;
                codes.push(self.reply()?);
            }
        }
        if codes[2] == 354 {
            self.write(&mail.wire)?;
            codes.push(self.reply()?);
        }
        // What follows a refusal is refused as well, so the first one says why.
        match codes.into_iter().find(|code| !matches!(code, 250 | 354)) {
            None => Ok(true),
            Some(400..500) => {
                self.write(b"RSET\r\n")?;
                self.expect(250)?;
                Ok(false)
            }
            Some(code) => bail!("a mail was refused: {code}, then {}", self.line.trim_end()),
        }
    }

    fn close(mut self) -> Result<()> {
        self.write(b"QUIT\r\n")?;
        self.expect(221)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.reader.get_mut().write_all(bytes).context("the server closed the connection")
    }

    fn expect(&mut self, wanted: u16) -> Result<()> {
        let code = self.reply()?;
        ensure!(code == wanted, "expected {wanted}, and the server said {}", self.line.trim_end());
        Ok(())
    }

    /// Reads one reply of one or more lines (RFC 5321 section 4.2.1).
    fn reply(&mut self) -> Result<u16> {
        loop {
            self.line.clear();
            let read = self.reader.read_line(&mut self.line).context("the server does not answer")?;
            ensure!(read > 0, "the server closed the connection");
            let code = self.line.get(..3).and_then(|code| code.parse().ok());
            let code = code.with_context(|| format!("no reply of SMTP: {}", self.line.trim_end()))?;
            self.pipelining |= self.line.get(4..).is_some_and(|text| text.trim_end() == "PIPELINING");
            if self.line.as_bytes().get(3) != Some(&b'-') {
                return Ok(code);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers each line that ends a command with the next of the replies; answers what the client said.
    fn server(replies: &'static [&'static str]) -> (SocketAddr, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let (mut said, mut reader) = (Vec::new(), BufReader::new(stream));
            for reply in replies {
                reader.get_mut().write_all(reply.as_bytes()).unwrap();
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap() == 0 {
                    break;
                }
                said.push(line.trim_end().to_owned());
            }
            said
        });
        (address, thread)
    }

    fn mail() -> Mail {
        Mail::new("a@x.example", "b@y.example", b"Subject: x\r\n\r\n.dot\r\n")
    }

    const HELLO: &str = "250-here\r\n250-PIPELINING\r\n250 SIZE 1000\r\n";

    #[test]
    fn a_mail_goes_over_in_the_order_of_the_standard() {
        // One reply for each line read: after DATA nothing until the dot, so the text's lines get none.
        let (address, said) = server(&[
            "220 hi\r\n",
            HELLO,
            "250 a\r\n",
            "250 b\r\n",
            "354 go\r\n",
            "",
            "",
            "",
            "250 taken\r\n",
            "221 bye\r\n",
        ]);
        let sent = send(address, &[mail()], 1).unwrap();
        assert_eq!(sent.later, 0);
        let said = said.join().unwrap();
        assert_eq!(
            said[..4],
            ["EHLO sender.example", "MAIL FROM:<a@x.example>", "RCPT TO:<b@y.example>", "DATA"]
        );
        assert_eq!(said[4..], ["Subject: x", "", "..dot", ".", "QUIT"]);
    }

    #[test]
    fn a_mail_that_is_refused_for_good_ends_the_run() {
        let (address, _) =
            server(&["220 hi\r\n", HELLO, "250 a\r\n", "550 no such user\r\n", "503 no recipient\r\n"]);
        let error = send(address, &[mail()], 1).unwrap_err().to_string();
        assert!(error.contains("refused: 550"), "{error}");
    }
}
