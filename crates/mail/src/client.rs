//! A small SMTP and LMTP client over plain TCP, for loopback: the demo's mails and the tests.
//!
//! It is not how postroom sends mail into the world (no TLS, no AUTH, no MX). It exists because `mail-send` rewrites bare
//! line ends and reads one answer after an LMTP mail; this one sends the bytes as they are (BDAT, where it is announced)
//! and gives one answer for each recipient.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use memchr::memmem;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// RFC 5321 4.5.3.2.6: a server may think this long about a mail.
const PATIENCE: Duration = Duration::from_secs(600);
/// Longest answer line read; RFC 5321 allows 512.
const MAX_LINE: u64 = 4096;

/// What a server said: the code, and its lines joined by line feeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub code: u16,
    pub text: String,
}

impl Answer {
    /// 2yz: done.
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.code)
    }
}

/// Why nothing is known about a mail. After one of these the connection is of no use.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot connect to {address}: check that the server runs and the address")]
    Connect { address: SocketAddr, source: io::Error },
    #[error("the connection to the mail server broke: send the mail again on a new one")]
    Connection(#[from] io::Error),
    #[error("the mail server did not answer in time: send the mail again on a new connection")]
    Late,
    #[error("the server does not speak SMTP: check the address")]
    Foreign,
    #[error("the server took no greeting (it said {}): try again later", .0.code)]
    Greeting(Answer),
}

/// One connection, for any number of mails.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
    lmtp: bool,
    /// The lines of the answer to EHLO or LHLO, in upper case.
    offers: Vec<String>,
}

impl Client {
    /// Connects and greets an SMTP server.
    pub async fn connect(address: SocketAddr) -> Result<Self, Error> {
        Client::greet(address, false).await
    }

    /// Connects and greets an LMTP server.
    pub async fn connect_lmtp(address: SocketAddr) -> Result<Self, Error> {
        Client::greet(address, true).await
    }

    /// Sends one mail and gives one answer for each recipient, in their order. In SMTP the accepted ones share theirs.
    pub async fn send(&mut self, from: &str, to: &[&str], mail: &[u8]) -> Result<Vec<Answer>, Error> {
        timeout(PATIENCE, self.transact(from, to, mail)).await.map_err(|_| Error::Late)?
    }

    /// Takes leave.
    pub async fn quit(mut self) -> Result<(), Error> {
        self.command("QUIT\r\n").await.map(|_| ())
    }

    async fn greet(address: SocketAddr, lmtp: bool) -> Result<Self, Error> {
        let fault = |source| Error::Connect { address, source };
        let connecting = timeout(PATIENCE, TcpStream::connect(address));
        let stream = connecting.await.map_err(|_| Error::Late)?.map_err(fault)?;
        stream.set_nodelay(true).map_err(fault)?;
        let mut client = Client { stream: BufReader::new(stream), lmtp, offers: Vec::new() };
        let greeting = client.answer().await?;
        if !greeting.is_ok() {
            return Err(Error::Greeting(greeting));
        }
        let hello = client.command(if lmtp { "LHLO localhost\r\n" } else { "EHLO localhost\r\n" }).await?;
        if !hello.is_ok() {
            return Err(Error::Greeting(hello));
        }
        client.offers = hello.text.lines().map(str::to_ascii_uppercase).collect();
        Ok(client)
    }

    async fn transact(&mut self, from: &str, to: &[&str], mail: &[u8]) -> Result<Vec<Answer>, Error> {
        let chunking = self.is_offered("CHUNKING");
        let mut commands = self.envelope(from, to, mail);
        match chunking {
            true => commands.push_str(&format!("BDAT {} LAST\r\n", mail.len())),
            false => commands.push_str("DATA\r\n"),
        }
        self.stream.write_all(commands.as_bytes()).await?;
        if chunking {
            self.stream.write_all(mail).await?;
        }
        self.stream.flush().await?;
        let sender = self.answer().await?;
        let mut answers = Vec::with_capacity(to.len());
        for _ in to {
            answers.push(self.answer().await?);
        }
        if !chunking {
            let go = self.answer().await?;
            if go.code != 354 {
                return Ok(settle(&sender, answers, &[go]));
            }
            self.stream.write_all(&stuffed(mail)).await?;
        }
        // RFC 2033 4.2: an answer for each accepted recipient; one for the command when there is none.
        let accepted = answers.iter().filter(|answer| answer.is_ok()).count();
        let mut last = vec![self.answer().await?];
        while self.lmtp && last.len() < accepted {
            last.push(self.answer().await?);
        }
        Ok(settle(&sender, answers, &last))
    }

    fn envelope(&self, from: &str, to: &[&str], mail: &[u8]) -> String {
        let mut commands = format!("MAIL FROM:<{from}>");
        if self.is_offered("SIZE") {
            commands.push_str(&format!(" SIZE={}", mail.len()));
        }
        if !mail.is_ascii() && self.is_offered("8BITMIME") {
            commands.push_str(" BODY=8BITMIME");
        }
        if !(from.is_ascii() && to.iter().all(|to| to.is_ascii())) {
            commands.push_str(" SMTPUTF8");
        }
        commands.push_str("\r\n");
        to.iter().for_each(|to| commands.push_str(&format!("RCPT TO:<{to}>\r\n")));
        commands
    }

    fn is_offered(&self, keyword: &str) -> bool {
        self.offers.iter().any(|line| line.split(' ').next() == Some(keyword))
    }

    async fn command(&mut self, command: &str) -> Result<Answer, Error> {
        self.stream.write_all(command.as_bytes()).await?;
        self.answer().await
    }

    async fn answer(&mut self) -> Result<Answer, Error> {
        timeout(PATIENCE, self.read_answer()).await.map_err(|_| Error::Late)?
    }

    async fn read_answer(&mut self) -> Result<Answer, Error> {
        let mut text = String::new();
        loop {
            let mut line = String::new();
            if (&mut self.stream).take(MAX_LINE).read_line(&mut line).await? == 0 {
                return Err(Error::Connection(io::ErrorKind::UnexpectedEof.into()));
            }
            let code = line.get(..3).and_then(|digits| digits.parse().ok()).ok_or(Error::Foreign)?;
            text.push_str(line.get(4..).unwrap_or_default().trim_end());
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(Answer { code, text });
            }
            text.push('\n');
        }
    }
}

/// Puts the answers after the mail in the place of those that accepted a recipient. A refused sender refuses them all.
fn settle(sender: &Answer, mut answers: Vec<Answer>, last: &[Answer]) -> Vec<Answer> {
    let mut settled = 0;
    for answer in &mut answers {
        if !sender.is_ok() {
            *answer = sender.clone();
        } else if answer.is_ok() {
            // One answer serves all in SMTP, and after a refused DATA.
            *answer = last[settled.min(last.len() - 1)].clone();
            settled += 1;
        }
    }
    answers
}

/// The mail as DATA wants it: a dot before each line that begins with one, CRLF.CRLF at the end.
fn stuffed(mail: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(mail.len() + 64);
    if mail.first() == Some(&b'.') {
        out.push(b'.');
    }
    let mut start = 0;
    for found in memmem::find_iter(mail, b"\r\n.") {
        out.extend_from_slice(&mail[start..found + 2]);
        out.push(b'.');
        start = found + 2;
    }
    out.extend_from_slice(&mail[start..]);
    if !mail.is_empty() && !mail.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_stuffed() {
        assert_eq!(stuffed(b""), b".\r\n");
        assert_eq!(stuffed(b".a\r\n.\r\nb."), b"..a\r\n..\r\nb.\r\n.\r\n");
    }

    #[test]
    fn answers_find_their_recipients() {
        let answer = |code| Answer { code, text: String::new() };
        let codes = |sender, rcpt: &[u16], last: &[u16]| -> Vec<u16> {
            let of = |codes: &[u16]| codes.iter().copied().map(answer).collect::<Vec<_>>();
            settle(&answer(sender), of(rcpt), &of(last)).iter().map(|answer| answer.code).collect()
        };
        assert_eq!(codes(250, &[250, 550, 250], &[250, 451]), [250, 550, 451]);
        assert_eq!(codes(250, &[250, 550, 250], &[554]), [554, 550, 554]);
        assert_eq!(codes(452, &[503, 503], &[503]), [452, 452]);
    }
}
