//! An inbox in memory that can refuse or hold back, and sessions over a stream in memory.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use postroom_core::{Accepted, Clock, Fault, Ids, Inbox, Incoming, MailId};
use postroom_mail::listener::{Budget, Connection, Door, Listener, Options, Ports, Protocol, Recipients};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const HOST: &str = "mx.ours.example";
/// Deadline of everything that should take milliseconds.
pub const SOON: Duration = Duration::from_secs(30);

/// Polls until `condition` holds; after [`SOON`] fails with what `explain` says.
#[track_caller]
pub fn until(condition: impl Fn() -> bool, explain: impl Fn() -> String) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let deadline = Instant::now() + SOON;
        while !condition() {
            assert!(Instant::now() < deadline, "{caller}: waited in vain: {}", explain());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

type Judge = Box<dyn Fn(&Incoming) -> Result<(), Fault> + Send + Sync>;

/// Keeps mails in memory.
pub struct Shelf {
    mails: Mutex<Vec<Incoming>>,
    judge: Judge,
    /// Each mail waits for a permit.
    permits: Semaphore,
    ids: Ids,
}

impl Shelf {
    pub fn new() -> Arc<Self> {
        Shelf::with(|_| Ok(()))
    }

    /// `judge` decides about each mail.
    pub fn with(judge: impl Fn(&Incoming) -> Result<(), Fault> + Send + Sync + 'static) -> Arc<Self> {
        let permits = Semaphore::new(Semaphore::MAX_PERMITS);
        Arc::new(Shelf { mails: Mutex::default(), judge: Box::new(judge), permits, ids: Ids::counted() })
    }

    /// Takes nothing until [`Shelf::release`].
    pub fn held() -> Arc<Self> {
        let permits = Semaphore::new(0);
        Arc::new(Shelf { mails: Mutex::default(), judge: Box::new(|_| Ok(())), permits, ids: Ids::counted() })
    }

    pub fn release(&self) {
        self.permits.add_permits(1);
    }

    pub fn mails(&self) -> Vec<Incoming> {
        self.mails.lock().unwrap().clone()
    }

    /// The bytes of the only mail.
    #[track_caller]
    pub fn only(&self) -> String {
        let mails = self.mails();
        assert_eq!(mails.len(), 1);
        String::from_utf8(mails[0].raw.to_vec()).unwrap()
    }
}

#[async_trait]
impl Inbox for Shelf {
    async fn accept(&self, mail: Incoming) -> Result<Accepted, Fault> {
        self.permits.acquire().await.unwrap().forget();
        (self.judge)(&mail)?;
        self.mails.lock().unwrap().push(mail);
        Ok(Accepted { id: MailId(self.ids.next()), new: true })
    }
}

pub fn recipients() -> Recipients {
    Recipients::new(["ours.example"], ["support@part.example"])
}

pub fn options(protocol: Protocol) -> Options {
    Options::new(protocol, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), HOST, recipients())
}

pub fn ports(inbox: Arc<dyn Inbox>) -> Ports {
    let disk = Arc::new(|| Ok(u64::MAX / 2));
    let clock = Clock::manual(Timestamp::UNIX_EPOCH);
    Ports { inbox, disk, budget: Budget::default(), clock, ids: Ids::counted() }
}

pub fn door(options: Options, ports: Ports) -> Arc<Door> {
    Arc::new(Door { options: Arc::new(options), ports })
}

pub fn smtp(inbox: Arc<dyn Inbox>) -> Arc<Door> {
    door(options(Protocol::Smtp), ports(inbox))
}

pub fn lmtp(inbox: Arc<dyn Inbox>) -> Arc<Door> {
    door(options(Protocol::Lmtp), ports(inbox))
}

/// One session over a stream in memory.
pub struct Talk {
    pub stream: DuplexStream,
    heard: Vec<u8>,
    pub stop: CancellationToken,
}

impl Talk {
    pub fn open(door: Arc<Door>) -> Self {
        let (stream, server) = tokio::io::duplex(1 << 20);
        let stop = CancellationToken::new();
        tokio::spawn(Connection::new(door, server, IpAddr::from([192, 0, 2, 1])).run(stop.clone()));
        Talk { stream, heard: Vec::new(), stop }
    }

    /// With the greeting and EHLO or LHLO done.
    pub async fn greeted(door: Arc<Door>) -> Self {
        let hello = if door.options.protocol == Protocol::Smtp { "EHLO" } else { "LHLO" };
        let mut talk = Talk::open(door);
        assert_eq!(talk.hear().await.0, 220);
        assert_eq!(talk.ask(&format!("{hello} client.example")).await.0, 250);
        talk
    }

    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// One command, one answer.
    pub async fn ask(&mut self, command: &str) -> (u16, String) {
        self.say(format!("{command}\r\n")).await;
        self.hear().await
    }

    /// The next answer: its code and its whole text.
    pub async fn hear(&mut self) -> (u16, String) {
        self.hear_within(SOON).await
    }

    pub async fn hear_within(&mut self, limit: Duration) -> (u16, String) {
        let answer = async {
            loop {
                if let Some(answer) = self.split_answer() {
                    return answer;
                }
                assert_ne!(self.stream.read_buf(&mut self.heard).await.unwrap(), 0, "the server hung up");
            }
        };
        tokio::time::timeout(limit, answer).await.expect("no answer came")
    }

    /// Everything until the server hangs up.
    pub async fn hear_out(mut self) -> String {
        self.stream.read_to_end(&mut self.heard).await.unwrap();
        String::from_utf8(self.heard).unwrap()
    }

    fn split_answer(&mut self) -> Option<(u16, String)> {
        let mut end = 0;
        loop {
            let line = end + self.heard[end..].windows(2).position(|two| two == b"\r\n")? + 2;
            let is_last = self.heard[end + 3] == b' ';
            end = line;
            if is_last {
                let text = String::from_utf8(self.heard.drain(..end).collect()).unwrap();
                return Some((text[..3].parse().unwrap(), text));
            }
        }
    }
}

/// Says everything at once, leaves, and gives all answers after the greeting, each cut to code and enhanced code.
pub async fn answers(door: Arc<Door>, input: impl AsRef<[u8]>) -> Vec<String> {
    let mut talk = Talk::open(door);
    talk.say(input).await;
    talk.stream.shutdown().await.unwrap();
    let out = talk.hear_out().await;
    out.lines().skip(1).filter(|line| line.as_bytes()[3] == b' ').map(short).collect()
}

/// `250 2.1.0 Sender ok` to `250 2.1.0`.
fn short(line: &str) -> String {
    let mut words = line.split(' ');
    let code = words.next().unwrap();
    match words.next().filter(|word| word.starts_with(&code[..1]) && word.matches('.').count() == 2) {
        Some(enhanced) => format!("{code} {enhanced}"),
        None => code.to_owned(),
    }
}

/// A listener on a port of the kernel's, stopped when dropped.
pub struct Running {
    pub address: SocketAddr,
    pub stop: CancellationToken,
    pub task: JoinHandle<()>,
}

impl Running {
    pub async fn start(options: Options, ports: Ports) -> Self {
        let listener = Listener::bind(options, ports).await.unwrap();
        let (address, stop) = (listener.local_addr(), CancellationToken::new());
        let task = tokio::spawn(listener.run(stop.clone()));
        Running { address, stop, task }
    }

    pub async fn smtp(inbox: Arc<dyn Inbox>) -> Self {
        Running::start(options(Protocol::Smtp), ports(inbox)).await
    }

    pub async fn lmtp(inbox: Arc<dyn Inbox>) -> Self {
        Running::start(options(Protocol::Lmtp), ports(inbox)).await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
