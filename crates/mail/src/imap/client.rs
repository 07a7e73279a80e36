//! One connection to one server: commands out, responses in, each with a time limit.
//!
//! It holds no opinion about mail. Commands are in `session`, the bytes in `command` and `wire`.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use postroom_formats::x509::Certificate;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout, timeout_at};

use super::account::{Account, TlsMode};
use super::command::{Command, Piece};
use super::data;
use super::dial::{Dialer, Stream};
use super::error::Error;
use super::wire::{Condition, Limits, Malformed, Reader, Response, Status};

/// How long a server may be silent during a command, and how long a command may take altogether.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    pub silence: Duration,
    pub command: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { silence: Duration::from_secs(60), command: Duration::from_secs(600) }
    }
}

/// The most that the responses to one command may hold together, in bytes.
const LARGEST_ANSWER: usize = 64 << 20;
/// Room made for reading at once.
const LEAST_ROOM: usize = 2 << 10;
const MOST_ROOM: usize = 256 << 10;

/// A connection that was greeted. Dropping it hangs up.
pub struct Client {
    stream: Box<dyn Stream>,
    reader: Reader,
    input: BytesMut,
    limits: Limits,
    patience: Patience,
    last_tag: u32,
    /// In upper case.
    pub(super) capabilities: Vec<String>,
    pub(super) greeting: String,
    pub(super) certificate: Option<Certificate>,
    /// The server told of a change in the open folder.
    pub(super) news: bool,
    /// QRESYNC was enabled: the server tells of lost messages by VANISHED.
    pub(super) qresync: bool,
    /// What the server did otherwise than the standard says.
    pub(super) quirks: Vec<&'static str>,
    bye: Option<String>,
    /// The tag of the IDLE that is under way.
    pub(super) idling: Option<String>,
}

impl Client {
    /// Connects, and secures the connection as the account demands. Not signed in.
    pub async fn connect(account: &Account, dialer: &Dialer, patience: Patience) -> Result<Self, Error> {
        let (client, _) = Client::connect_seeing(account, dialer, patience).await;
        client
    }

    /// The same; the certificate comes back also when it was not trusted.
    pub async fn connect_seeing(
        account: &Account,
        dialer: &Dialer,
        patience: Patience,
    ) -> (Result<Self, Error>, Option<Certificate>) {
        let tcp: Box<dyn Stream> = match dialer.tcp(account).await {
            Ok(tcp) => Box::new(tcp),
            Err(error) => return (Err(error), None),
        };
        match account.tls.mode {
            TlsMode::None => (Client::greet(tcp, patience).await, None),
            TlsMode::Implicit => {
                let (secured, certificate) = dialer.tls(account, tcp).await;
                let greeted = match secured {
                    Ok(stream) => Client::greet(stream, patience).await,
                    Err(error) => Err(error),
                };
                (greeted.map(|client| Client { certificate, ..client }), certificate)
            }
            TlsMode::StartTls => {
                let mut client = match Client::greet(tcp, patience).await {
                    Ok(client) => client,
                    Err(error) => return (Err(error), None),
                };
                if let Err(error) = client.ask_for_tls(account).await {
                    return (Err(error), None);
                }
                let Client { stream, greeting, .. } = client;
                let (secured, certificate) = dialer.tls(account, stream).await;
                // What was said in the clear does not count: capabilities and buffered bytes are forgotten.
                let made =
                    secured.map(|stream| Client { greeting, certificate, ..Client::over(stream, patience) });
                (made, certificate)
            }
        }
    }

    /// Speaks over any stream, and reads the greeting.
    pub async fn greet(stream: Box<dyn Stream>, patience: Patience) -> Result<Self, Error> {
        let mut client = Client::over(stream, patience);
        let greeting = timeout(patience.silence, client.response()).await;
        match greeting.map_err(|_| Error::Late { command: "the connection with a greeting" })?? {
            Response::Status(Status {
                condition: Condition::Ok | Condition::Preauth, code, text, ..
            }) => {
                client.greeting = text;
                client.learn(&code);
                Ok(client)
            }
            Response::Status(Status { text, .. }) => Err(Error::Busy { text }),
            _ => {
                Err(Error::Incomplete { command: "the connection", what: "an IMAP greeting: check the port" })
            }
        }
    }

    fn over(stream: Box<dyn Stream>, patience: Patience) -> Self {
        let limits = Limits::default();
        Client {
            stream,
            reader: Reader::new(limits),
            input: BytesMut::new(),
            limits,
            patience,
            last_tag: 0,
            capabilities: Vec::new(),
            greeting: String::new(),
            certificate: None,
            news: false,
            qresync: false,
            quirks: Vec::new(),
            bye: None,
            idling: None,
        }
    }

    async fn ask_for_tls(&mut self, account: &Account) -> Result<(), Error> {
        self.capability().await?;
        let refused = || Error::NoStartTls { server: account.server() };
        if !self.can("STARTTLS") {
            return Err(refused());
        }
        match self.run("STARTTLS", Command::new("STARTTLS"), &mut |_| ()).await {
            Ok(_) => Ok(()),
            Err(Error::Refused { .. }) => Err(refused()),
            Err(error) => Err(error),
        }
    }

    /// What the server can; in upper case.
    pub fn capabilities(&self) -> &[String] {
        &self.capabilities
    }

    /// Whether the server offers this.
    pub fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|known| known == capability)
    }

    /// The server's first words.
    pub fn greeting(&self) -> &str {
        &self.greeting
    }

    /// The server's certificate; `None` without TLS.
    pub fn certificate(&self) -> Option<Certificate> {
        self.certificate
    }

    /// What the server did otherwise than the standard says.
    pub fn quirks(&self) -> &[&'static str] {
        &self.quirks
    }

    pub(super) fn note(&mut self, quirk: &'static str) {
        if !self.quirks.contains(&quirk) {
            self.quirks.push(quirk);
        }
    }

    /// Asks what the server can, unless it said so by itself.
    pub(super) async fn capability(&mut self) -> Result<(), Error> {
        if self.capabilities.is_empty() {
            self.run("CAPABILITY", Command::new("CAPABILITY"), &mut |_| ()).await?;
        }
        Ok(())
    }

    fn learn(&mut self, code: &[String]) {
        if code.first().is_some_and(|name| name == "CAPABILITY") {
            self.capabilities = code[1..].iter().map(|word| word.to_ascii_uppercase()).collect();
        }
    }

    /// Runs a command to its end. `on` gets every untagged response of it.
    pub(super) async fn run(
        &mut self,
        name: &'static str,
        command: Command,
        on: &mut (dyn FnMut(&Response) + Send),
    ) -> Result<Status, Error> {
        let end = Instant::now() + self.patience.command;
        match timeout_at(end, self.run_to_end(name, command, on)).await {
            Ok(result) => result,
            Err(_) => Err(Error::Late { command: name }),
        }
    }

    async fn run_to_end(
        &mut self,
        name: &'static str,
        command: Command,
        on: &mut (dyn FnMut(&Response) + Send),
    ) -> Result<Status, Error> {
        let tag = self.tag();
        let mut line = BytesMut::from(format!("{tag} ").as_bytes());
        let at_once = self.can("LITERAL+");
        for piece in command.into_pieces() {
            match piece {
                Piece::Bytes(bytes) => line.extend_from_slice(&bytes),
                Piece::Literal(bytes) => {
                    let plus = if at_once { "+" } else { "" };
                    line.extend_from_slice(format!("{{{}{plus}}}\r\n", bytes.len()).as_bytes());
                    if !at_once {
                        self.send(name, &line).await?;
                        line.clear();
                        if let Some(status) = self.until_ready(name, &tag, on).await? {
                            return judge(name, status);
                        }
                    }
                    self.send(name, &line).await?;
                    self.send(name, &bytes).await?;
                    line.clear();
                }
            }
        }
        line.extend_from_slice(b"\r\n");
        self.send(name, &line).await?;
        self.finish(name, &tag, on).await
    }

    /// Reads to the end of a command.
    pub(super) async fn finish(
        &mut self,
        name: &'static str,
        tag: &str,
        on: &mut (dyn FnMut(&Response) + Send),
    ) -> Result<Status, Error> {
        loop {
            match self.until_ready(name, tag, on).await? {
                Some(status) => return judge(name, status),
                // A server that asks for more when we have said all gets an empty line, and then refuses.
                None => self.send(name, b"\r\n").await?,
            }
        }
    }

    /// Reads until the server waits for us (`None`) or ends the command.
    pub(super) async fn until_ready(
        &mut self,
        name: &'static str,
        tag: &str,
        on: &mut (dyn FnMut(&Response) + Send),
    ) -> Result<Option<Status>, Error> {
        let mut size = 0_usize;
        loop {
            let next = timeout(self.patience.silence, self.response()).await;
            let response = next.map_err(|_| Error::Late { command: name })??;
            size += weight(&response);
            if size > LARGEST_ANSWER {
                return Err(Malformed::Response(LARGEST_ANSWER).into());
            }
            match &response {
                Response::Continue(_) => return Ok(None),
                Response::Status(status) if status.tag.as_deref() == Some(tag) => {
                    self.learn(&status.code);
                    return Ok(Some(status.clone()));
                }
                Response::Junk => self.note("sends lines that are no responses"),
                _ => on(&response),
            }
        }
    }

    /// The next response; what concerns the connection itself is noted on the way. May be dropped and called again.
    pub(super) async fn response(&mut self) -> Result<Response, Error> {
        loop {
            if let Some(response) = self.reader.take(&mut self.input)? {
                self.observe(&response);
                return Ok(response);
            }
            let room = self.reader.missing(&self.input).clamp(LEAST_ROOM, MOST_ROOM.min(self.limits.literal));
            self.input.reserve(room);
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(match self.bye.take() {
                    Some(text) => Error::Bye { text },
                    None => Error::Broken(io::ErrorKind::UnexpectedEof.into()),
                });
            }
        }
    }

    fn observe(&mut self, response: &Response) {
        match response {
            Response::Status(status) if status.tag.is_none() => {
                self.learn(&status.code);
                if status.condition == Condition::Bye {
                    self.bye = Some(status.text.clone());
                }
            }
            Response::Data(tokens) => {
                if let Some(capabilities) = data::capabilities(tokens) {
                    self.capabilities = capabilities;
                } else if matches!(data::change(tokens), Some((_, "EXISTS" | "EXPUNGE")))
                    || data::vanished(tokens).is_some()
                {
                    self.news = true;
                }
            }
            _ => {}
        }
    }

    pub(super) async fn send(&mut self, name: &'static str, bytes: &[u8]) -> Result<(), Error> {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        // A mail of many megabytes over a slow line is not silence: the command's own limit holds.
        timeout(self.patience.command, sent).await.map_err(|_| Error::Late { command: name })??;
        Ok(())
    }

    pub(super) fn tag(&mut self) -> String {
        self.last_tag = self.last_tag.wrapping_add(1);
        format!("p{}", self.last_tag)
    }

    /// Gives back memory before a long wait.
    pub(super) fn rest(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
    }
}

fn weight(response: &Response) -> usize {
    match response {
        Response::Data(tokens) => {
            tokens.iter().map(|token| 24 + token.bytes().map_or(0, bytes::Bytes::len)).sum()
        }
        _ => 64,
    }
}

pub(super) fn judge(name: &'static str, status: Status) -> Result<Status, Error> {
    match status.condition {
        Condition::Ok => Ok(status),
        _ => {
            let missing = matches!(status.code_name(), "TRYCREATE" | "NONEXISTENT");
            Err(Error::Refused { command: name, text: status.text, missing })
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("greeting", &self.greeting).finish_non_exhaustive()
    }
}
