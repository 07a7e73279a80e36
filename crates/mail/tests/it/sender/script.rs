//! A server on loopback that does what a script says at each command, and writes down what it heard.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// What to do at a command.
#[derive(Debug, Clone)]
pub enum Act {
    Say(String),
    /// Says so and hangs up.
    Last(String),
    Cut,
    /// Says nothing and reads on.
    Silence,
}

pub fn say(line: &str) -> Act {
    Act::Say(line.to_owned())
}

/// What a server in good order says. `hello`, `.` and the greeting are commands too.
pub fn usual(command: &str) -> Act {
    let verb = command.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
    say(match verb.as_str() {
        "GREETING" => "220 mx.example ESMTP",
        "EHLO" | "HELO" => "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-DSN\r\n250 8BITMIME",
        "MAIL" => "250 2.1.0 Ok",
        "RCPT" => "250 2.1.5 Ok",
        "DATA" => "354 Go on",
        "." => "250 2.0.0 Queued as 4711",
        "RSET" => "250 2.0.0 Flushed",
        "QUIT" => "221 2.0.0 Bye",
        "STARTTLS" => "220 2.0.0 Ready",
        _ => "502 5.5.2 What?",
    })
}

type Script = dyn Fn(usize, &str) -> Act + Send + Sync;

#[derive(Default)]
struct Book {
    /// `connection command`
    heard: Vec<String>,
    mails: Vec<Vec<u8>>,
    connections: usize,
}

pub struct Tls {
    pub config: Arc<ServerConfig>,
    pub implicit: bool,
}

pub struct Server {
    pub port: u16,
    book: Arc<Mutex<Book>>,
    task: JoinHandle<()>,
}

impl Server {
    /// `script` is asked with the connection's number from 0 and the command.
    pub async fn start(script: impl Fn(usize, &str) -> Act + Send + Sync + 'static) -> Self {
        Server::with(None, script).await
    }

    pub async fn with(tls: Option<Tls>, script: impl Fn(usize, &str) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (book, script, tls) = (Arc::new(Mutex::new(Book::default())), Arc::new(script), Arc::new(tls));
        let all = book.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = all.lock().unwrap().connections;
                all.lock().unwrap().connections += 1;
                let host = Host { number, script: script.clone(), book: all.clone() };
                let tls = tls.clone();
                tokio::spawn(async move { host.receive(stream, &tls).await });
            }
        });
        Server { port, book, task }
    }

    /// Commands of all connections: `0 EHLO crm.client.example`.
    pub fn heard(&self) -> Vec<String> {
        self.book.lock().unwrap().heard.clone()
    }

    pub fn mails(&self) -> Vec<String> {
        let book = self.book.lock().unwrap();
        book.mails.iter().map(|mail| String::from_utf8(mail.clone()).unwrap()).collect()
    }

    pub fn connections(&self) -> usize {
        self.book.lock().unwrap().connections
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Host {
    number: usize,
    script: Arc<Script>,
    book: Arc<Mutex<Book>>,
}

impl Host {
    async fn receive(self, stream: TcpStream, tls: &Option<Tls>) {
        match tls {
            Some(tls) if tls.implicit => {
                if let Ok(mut stream) = TlsAcceptor::from(tls.config.clone()).accept(stream).await {
                    self.greet(&mut stream).await;
                }
            }
            Some(tls) => {
                let mut stream = stream;
                if self.greet(&mut stream).await == Some(Next::Tls)
                    && let Ok(mut stream) = TlsAcceptor::from(tls.config.clone()).accept(stream).await
                {
                    self.talk(&mut stream).await;
                }
            }
            None => {
                let mut stream = stream;
                self.greet(&mut stream).await;
            }
        }
    }

    async fn greet(&self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Option<Next> {
        self.act(stream, "GREETING").await?;
        self.talk(stream).await
    }

    async fn talk(&self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Option<Next> {
        loop {
            let line = read_until(stream, b"\r\n").await?;
            let line = String::from_utf8(line).unwrap();
            let line = line.trim_end();
            self.book.lock().unwrap().heard.push(format!("{} {line}", self.number));
            let said = self.act(stream, line).await?;
            if line == "STARTTLS" && said.starts_with("220") {
                return Some(Next::Tls);
            }
            if line == "DATA" && said.starts_with("354") {
                let mail = read_until(stream, b"\r\n.\r\n").await?;
                self.book.lock().unwrap().mails.push(mail);
                self.act(stream, ".").await?;
            }
        }
    }

    /// `None` when the connection is over; else what was said.
    async fn act(&self, stream: &mut (impl AsyncWrite + Unpin), command: &str) -> Option<String> {
        match (self.script)(self.number, command) {
            Act::Say(text) => {
                stream.write_all(format!("{text}\r\n").as_bytes()).await.ok()?;
                stream.flush().await.ok()?;
                Some(text)
            }
            Act::Last(text) => {
                stream.write_all(format!("{text}\r\n").as_bytes()).await.ok()?;
                stream.shutdown().await.ok()?;
                None
            }
            Act::Cut => None,
            Act::Silence => Some(String::new()),
        }
    }
}

#[derive(PartialEq)]
enum Next {
    Tls,
}

async fn read_until(stream: &mut (impl AsyncRead + Unpin), end: &[u8]) -> Option<Vec<u8>> {
    let mut read = Vec::new();
    while !read.ends_with(end) {
        read.push(stream.read_u8().await.ok()?);
    }
    Some(read)
}
