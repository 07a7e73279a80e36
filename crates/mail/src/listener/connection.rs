//! Drives one [`Session`] over one stream: reads lines and mails, does what the session's steps say, keeps to the times,
//! and writes the answers to pipelined commands together. What is decided is decided in `session`; here is only how.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::delivery::{self, Sender};
use super::reply::{Enhanced, Reply, Why};
use super::wire::{DataEnd, DataReader, Line, take_line};
use super::{Lease, Options, Ports, Session, Shortage, Step, Transaction, events};

/// Room made for each read.
const READ: usize = 16 * 1024;
/// Answers kept back before they are written, so that a client that never reads cannot fill our memory.
const MAX_OUTPUT: usize = 64 * 1024;
/// Set aside for a mail of undeclared size.
const MIN_LEASE: u64 = 64 * 1024;
/// The client's other answers wait so long for the inbox.
const PROMPT: Duration = Duration::from_millis(100);
/// After our last word, how long and how much we listen on: hanging up on unread bytes would destroy that word (TCP RST).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1024 * 1024;

/// What all sessions of a listener share.
pub struct Door {
    pub options: Arc<Options>,
    pub ports: Ports,
}

impl Door {
    /// Whether the disk can keep `size` more bytes.
    pub(crate) fn room(&self, size: u64) -> Result<(), Shortage> {
        let free = self.ports.disk.free().unwrap_or_else(|error| {
            events::DiskUnreadable { error: &error }.emit();
            0
        });
        if free < self.options.limits.disk_reserve.saturating_add(size) {
            Err(Shortage::Disk)
        } else {
            Ok(())
        }
    }
}

/// One client.
pub struct Connection<S> {
    door: Arc<Door>,
    stream: Stream<S>,
    peer: IpAddr,
    id: Uuid,
    session: Session,
    input: BytesMut,
    output: Vec<u8>,
    chunks: Option<Chunks>,
}

enum Stream<S> {
    Plain(S),
    Secure(Box<TlsStream<S>>),
    /// The handshake failed.
    Gone,
}

/// A mail that comes in chunks.
struct Chunks {
    lease: Lease,
    bytes: BytesMut,
    deadline: Instant,
}

/// Why a session ended.
enum End {
    /// We said our last word: QUIT, a limit, a line that cannot be followed.
    Said(&'static str),
    /// The client is gone.
    Lost,
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        End::Lost
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<S> {
    /// A client at `peer`, not greeted yet.
    pub fn new(door: Arc<Door>, stream: S, peer: IpAddr) -> Self {
        let (session, id) = (Session::new(door.options.clone()), door.ports.ids.next());
        let stream = Stream::Plain(stream);
        Connection {
            door,
            stream,
            peer,
            id,
            session,
            input: BytesMut::new(),
            output: Vec::new(),
            chunks: None,
        }
    }

    /// Serves the client until it leaves, breaks a rule, or `stop` fires while no mail is being read.
    pub async fn run(mut self, stop: CancellationToken) {
        let (protocol, session, peer) = (self.door.options.protocol, self.id, self.peer);
        events::Opened { protocol, session, peer }.emit();
        let served = match self.door.options.recipients.admits(peer) {
            true => {
                self.answer(&self.session.greeting());
                self.serve(&stop).await
            }
            false => Err(self.last_word(&Reply::stranger(), "stranger")),
        };
        let why = match served {
            Ok(never) => match never {},
            Err(End::Lost) => "lost",
            Err(End::Said(why)) => {
                self.hang_up().await;
                why
            }
        };
        events::Closed { protocol, session, peer, why }.emit();
    }

    async fn serve(&mut self, stop: &CancellationToken) -> Result<std::convert::Infallible, End> {
        let mut deadline = Instant::now() + self.door.options.limits.idle;
        loop {
            if stop.is_cancelled() {
                return Err(self.last_word(&Reply::stopping(), "stopping"));
            }
            match take_line(&mut self.input) {
                Line::Whole(line) => {
                    self.obey(&line).await?;
                    deadline = Instant::now() + self.door.options.limits.idle;
                }
                Line::Partial => {
                    self.flush().await?; // not in the select below, which may drop what it does half-way
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => {}
                        read = self.read(deadline) => read?,
                    }
                }
                Line::BareEnd => return Err(self.broken_line("Lines end with CRLF, closing")),
                Line::TooLong => return Err(self.broken_line("Line is too long, closing")),
            }
        }
    }

    async fn obey(&mut self, line: &[u8]) -> Result<(), End> {
        let step = self.session.line(line);
        if !self.session.is_open() {
            self.chunks = None; // RSET or a new hello in the middle of a mail
        }
        match step {
            Step::Reply(reply) => self.answer(&reply),
            Step::CheckRoom { declared } => {
                let room = self.room(declared);
                let reply = self.session.room(room);
                self.answer(&reply);
            }
            Step::ReadData(reply) => self.data(&reply).await?,
            Step::ReadChunk { size, refusal: Some(reply), .. } => {
                self.skip(size, self.data_deadline()).await?;
                self.answer(&reply);
            }
            Step::ReadChunk { size, last, refusal: None } => self.chunk(size, last).await?,
            Step::StartTls(reply) => self.start_tls(&reply).await?,
            Step::Close(reply) => {
                return Err(self.last_word(&reply, if reply.code == 221 { "quit" } else { "limit" }));
            }
        }
        if self.output.len() > MAX_OUTPUT { self.flush().await } else { Ok(()) }
    }

    /// Whether a mail of this size could be taken now.
    fn room(&self, declared: u64) -> Result<(), Shortage> {
        self.door.room(declared)?;
        if self.door.ports.budget.has_room(declared) { Ok(()) } else { Err(Shortage::Memory) }
    }

    async fn data(&mut self, go: &Reply) -> Result<(), End> {
        let Some(mut lease) = self.lease(0) else {
            self.session.take();
            self.answer(&Reply::busy());
            return Ok(());
        };
        self.answer(go);
        let end = self.read_data(&mut lease).await?;
        let transaction = self.transaction();
        match end {
            DataEnd::Whole(mail) => self.deliver(transaction, mail, lease).await?,
            DataEnd::Smuggling => self.refuse(&transaction, &Reply::smuggling()),
            DataEnd::TooLarge => self.refuse(&transaction, &Reply::too_large()),
            DataEnd::GivenUp => self.refuse(&transaction, &Reply::busy()),
        }
        Ok(())
    }

    async fn read_data(&mut self, lease: &mut Lease) -> Result<DataEnd, End> {
        let deadline = self.data_deadline();
        let mut reader = DataReader::new(self.door.options.limits.max_message);
        loop {
            match reader.take(&mut self.input) {
                Some(DataEnd::Whole(mail)) if !lease.cover(mail.len() as u64) => return Ok(DataEnd::GivenUp),
                Some(end) => return Ok(end),
                None if lease.cover(self.input.len() as u64) => {}
                None => reader.give_up(&mut self.input),
            }
            self.read(deadline).await?;
        }
    }

    async fn chunk(&mut self, size: u64, last: bool) -> Result<(), End> {
        let so_far = self.chunks.as_ref().map_or(0, |chunks| chunks.bytes.len() as u64);
        let total = so_far.saturating_add(size);
        let refusal = match total > self.door.options.limits.max_message {
            true => Err(Reply::too_large()),
            false => self.make_room_for_chunk(total),
        };
        let mut chunks = match refusal {
            Ok(chunks) => chunks,
            Err(reply) => {
                self.skip(size, self.data_deadline()).await?;
                let transaction = self.transaction();
                match last {
                    true => self.refuse(&transaction, &reply),
                    false => self.answer(&reply),
                }
                return Ok(());
            }
        };
        let size = usize::try_from(size).expect("not over max_message, whose bytes fit the memory budget");
        while self.input.len() < size {
            self.read(chunks.deadline).await?;
        }
        let chunk = self.input.split_to(size);
        match chunks.bytes.is_empty() {
            true => chunks.bytes = chunk, // the usual case, one chunk, needs no copy
            false => chunks.bytes.extend_from_slice(&chunk),
        }
        if last {
            let transaction = self.transaction();
            self.deliver(transaction, chunks.bytes.freeze(), chunks.lease).await?;
        } else {
            self.chunks = Some(chunks);
            self.answer(&Reply::ok(250, Enhanced(2, 0, 0), "Chunk received"));
        }
        Ok(())
    }

    /// The mail in chunks, with a lease that covers `total` bytes.
    fn make_room_for_chunk(&mut self, total: u64) -> Result<Chunks, Reply> {
        let Some(mut chunks) = self.chunks.take() else {
            let lease = self.lease(total).ok_or_else(Reply::busy)?;
            return Ok(Chunks { lease, bytes: BytesMut::new(), deadline: self.data_deadline() });
        };
        if chunks.lease.cover(total) { Ok(chunks) } else { Err(Reply::busy()) }
    }

    /// Reads bytes that nobody wants.
    async fn skip(&mut self, mut size: u64, deadline: Instant) -> Result<(), End> {
        loop {
            let here = usize::try_from(size).unwrap_or(usize::MAX).min(self.input.len());
            self.input.advance(here);
            size -= here as u64;
            if size == 0 {
                return Ok(());
            }
            self.read(deadline).await?;
        }
    }

    async fn start_tls(&mut self, go: &Reply) -> Result<(), End> {
        self.answer(go);
        self.flush().await?;
        // Anything the client (or somebody between) sent before the handshake must not be obeyed after it.
        self.input.clear();
        let config = self.door.options.tls.clone().expect("STARTTLS is a step only with a certificate");
        let Stream::Plain(stream) = std::mem::replace(&mut self.stream, Stream::Gone) else {
            return Err(End::Lost);
        };
        let handshake = Box::pin(TlsAcceptor::from(config).accept(stream));
        let secure =
            timeout(self.door.options.limits.handshake, handshake).await.map_err(|_| End::Lost)??;
        self.stream = Stream::Secure(Box::new(secure));
        self.session.secured();
        Ok(())
    }

    /// Hands the mail over and answers; its lease ends when the inbox has answered. Answers that wait go out together
    /// with this one, unless the inbox takes its time.
    async fn deliver(&mut self, transaction: Transaction, mail: Bytes, lease: Lease) -> Result<(), End> {
        let hello = self.session.client().unwrap_or_default().to_owned();
        let (door, sender) = (self.door.clone(), Sender { session: self.id, address: self.peer, hello });
        let mut delivery = Box::pin(delivery::deliver(&door, &sender, transaction, mail));
        let replies = match timeout(PROMPT, &mut delivery).await {
            Ok(replies) => replies,
            Err(_) => {
                // Even when the client is gone by now the inbox is heard out.
                let (replies, flushed) = tokio::join!(delivery, self.flush());
                flushed?;
                replies
            }
        };
        drop(lease);
        replies.iter().for_each(|reply| self.answer(reply));
        Ok(())
    }

    fn refuse(&mut self, transaction: &Transaction, reply: &Reply) {
        delivery::refuse_all(&self.door, transaction, reply).iter().for_each(|reply| self.answer(reply));
    }

    fn transaction(&mut self) -> Transaction {
        self.session.take().expect("mails are read only with an open transaction")
    }

    fn lease(&self, size: u64) -> Option<Lease> {
        let budget = &self.door.ports.budget;
        let usual = self.session.declared().max(MIN_LEASE.min(budget.limit() / 2));
        budget.lease(usual.max(size))
    }

    fn data_deadline(&self) -> Instant {
        Instant::now() + self.door.options.limits.data
    }

    fn answer(&mut self, reply: &Reply) {
        reply.write(&mut self.output);
        if let Some(why) = reply.why {
            let (protocol, session) = (self.door.options.protocol, self.id);
            events::Refused { protocol, session, reply: reply.code, why }.emit();
        }
    }

    fn last_word(&mut self, reply: &Reply, why: &'static str) -> End {
        self.answer(reply);
        End::Said(why)
    }

    fn broken_line(&mut self, text: &'static str) -> End {
        self.last_word(&Reply::refuse(Why::Syntax, 500, Enhanced(5, 5, 2), text), "broken_line")
    }

    /// Adds what the client sends next, at the latest at `deadline` and never waiting longer than `idle`. Answers that
    /// wait are written first: the client may be waiting for them too.
    async fn read(&mut self, deadline: Instant) -> Result<(), End> {
        self.flush().await?;
        self.input.reserve(READ);
        let deadline = deadline.min(Instant::now() + self.door.options.limits.idle);
        let input = &mut self.input;
        let read = async {
            match &mut self.stream {
                Stream::Plain(stream) => stream.read_buf(input).await,
                Stream::Secure(stream) => stream.read_buf(input).await,
                Stream::Gone => Ok(0),
            }
        };
        match timeout_at(deadline, read).await {
            Ok(Ok(0)) => Err(End::Lost),
            Ok(read) => Ok(read.map(|_| ())?),
            Err(_) => Err(self.last_word(&Reply::idle(), "idle")),
        }
    }

    /// Writes the answers that wait.
    async fn flush(&mut self) -> Result<(), End> {
        if self.output.is_empty() {
            return Ok(());
        }
        let output = &self.output;
        let write = async {
            match &mut self.stream {
                Stream::Plain(stream) => stream.write_all(output).await,
                Stream::Secure(stream) => {
                    stream.write_all(output).await?;
                    stream.flush().await
                }
                Stream::Gone => Err(io::ErrorKind::NotConnected.into()),
            }
        };
        timeout(self.door.options.limits.idle, write).await.map_err(|_| End::Lost)??;
        self.output.clear();
        Ok(())
    }

    async fn hang_up(&mut self) {
        if self.flush().await.is_err() {
            return;
        }
        let closing = async {
            match &mut self.stream {
                Stream::Plain(stream) => stream.shutdown().await?,
                Stream::Secure(stream) => stream.shutdown().await?,
                Stream::Gone => return Ok(()),
            }
            self.input.clear();
            let mut heard = 0;
            while heard < LINGER_BYTES {
                self.input.clear();
                self.input.reserve(READ);
                let read = match &mut self.stream {
                    Stream::Plain(stream) => stream.read_buf(&mut self.input).await?,
                    Stream::Secure(stream) => stream.read_buf(&mut self.input).await?,
                    Stream::Gone => 0,
                };
                if read == 0 {
                    break;
                }
                heard += read;
            }
            io::Result::Ok(())
        };
        // The client left first, or did not leave in time: all the same to us now.
        let _ = timeout(LINGER, closing).await;
    }
}
