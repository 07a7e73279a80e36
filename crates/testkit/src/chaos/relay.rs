//! The proxy's thread: takes connections and carries bytes, as each connection's script says.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use super::{Cut, Order, Script, Shared, Side, Told, lock};

/// How many lines of a connection are kept, and how much of each.
const LINES: usize = 1000;
const LINE: usize = 1000;

/// How long a cut connection is still read from, so that what was passed on is not lost to a reset.
const FAREWELL: Duration = Duration::from_secs(2);

pub(super) struct Proxy {
    pub address: SocketAddr,
    pub shared: Arc<Shared>,
    pub told: mpsc::UnboundedReceiver<Told>,
}

/// How one direction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The sender said all it had to say.
    Said,
    Cut,
}

impl Proxy {
    pub fn run(self, listener: std::net::TcpListener) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be made").block_on(self.serve(listener));
    }

    async fn serve(mut self, listener: std::net::TcpListener) {
        listener.set_nonblocking(true).expect("a listener can be asynchronous");
        let mut listener = Some(TcpListener::from_std(listener).expect("the runtime has IO"));
        let (cut, heard) = watch::channel(());
        loop {
            let accepted = async {
                match &listener {
                    Some(listener) => listener.accept().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                told = self.told.recv() => {
                    let Some((order, done)) = told else { return };
                    match order {
                        Order::Refuse => listener = None,
                        Order::Accept if listener.is_none() => listener = Some(self.listen().await),
                        Order::Accept => {}
                        Order::CutAll => { cut.send_replace(()); }
                    }
                    let _ = done.send(());
                }
                accepted = accepted => if let Ok((client, _)) = accepted {
                    tokio::spawn(connection(client, Arc::clone(&self.shared), heard.clone()));
                }
            }
        }
    }

    async fn listen(&self) -> TcpListener {
        TcpListener::bind(self.address).await.expect("the port that we had is still free")
    }
}

async fn connection(mut client: TcpStream, shared: Arc<Shared>, mut cut: watch::Receiver<()>) {
    let (number, script) = shared.arrived();
    cut.mark_unchanged();
    let server = match &script {
        Script::BlackHole => None,
        _ => {
            let upstream = *lock(&shared.upstream);
            TcpStream::connect(upstream).await.ok()
        }
    };
    let end = match server {
        Some(mut server) => {
            let end = carry(&mut client, &mut server, &shared, (number, &script), cut).await;
            shared.open.fetch_sub(1, Ordering::SeqCst);
            if end == End::Cut {
                part(&mut client, &mut server).await;
            }
            end
        }
        None => {
            if script == Script::BlackHole {
                until_cut(drain(&mut client), cut).await;
            }
            shared.open.fetch_sub(1, Ordering::SeqCst);
            End::Said
        }
    };
    if end == End::Cut {
        shared.cut.fetch_add(1, Ordering::SeqCst);
    }
}

/// Carries bytes both ways until both sides said all, or the script or the owner ends it.
async fn carry(
    client: &mut TcpStream,
    server: &mut TcpStream,
    shared: &Shared,
    (number, script): (usize, &Script),
    cut: watch::Receiver<()>,
) -> End {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let swallow = AtomicBool::new(false);
    let up = Up { from: from_client, to: to_server, script, shared, number, swallow: &swallow };
    let both = async {
        let (up, down) = (pin!(up.run()), pin!(down(from_server, to_client, script, &swallow)));
        both_ways(up, down).await
    };
    until_cut(both, cut).await.unwrap_or(End::Cut)
}

async fn both_ways(
    up: impl Future<Output = io::Result<End>>,
    down: impl Future<Output = io::Result<End>>,
) -> End {
    let (mut up, mut down) = (pin!(up), pin!(down));
    // A reset by either side is an end like any other: the other side hears of it.
    let (first, other_is_down) = tokio::select! {
        end = &mut up => (end.unwrap_or(End::Cut), true),
        end = &mut down => (end.unwrap_or(End::Cut), false),
    };
    match (first, other_is_down) {
        (End::Cut, _) => End::Cut,
        (End::Said, true) => down.await.unwrap_or(End::Said),
        (End::Said, false) => up.await.unwrap_or(End::Said),
    }
}

/// `None` when the owner ended it first.
async fn until_cut<T>(work: impl Future<Output = T>, mut cut: watch::Receiver<()>) -> Option<T> {
    tokio::select! {
        done = work => Some(done),
        _ = cut.changed() => None,
    }
}

/// Closes both sides; what they still say is read and thrown away.
async fn part(client: &mut TcpStream, server: &mut TcpStream) {
    let _ = (client.shutdown().await, server.shutdown().await);
    let drained = async { tokio::join!(drain(client), drain(server)) };
    let _ = tokio::time::timeout(FAREWELL, drained).await;
}

async fn drain(stream: &mut TcpStream) {
    let mut buffer = vec![0; 4096];
    while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
}

/// From the client to the server.
struct Up<'a> {
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    script: &'a Script,
    shared: &'a Shared,
    number: usize,
    /// Set when the server's next bytes end the connection.
    swallow: &'a AtomicBool,
}

impl Up<'_> {
    async fn run(mut self) -> io::Result<End> {
        let (mut buffer, mut partial, mut lines) = (vec![0; 8192], Vec::new(), 0);
        let mut budget = Budget::of(self.script, Side::Client);
        loop {
            let count = self.from.read(&mut buffer).await?;
            if count == 0 {
                self.to.write_all(if self.by_line() { &partial } else { &[] }).await?;
                self.to.shutdown().await?;
                return Ok(End::Said);
            }
            let mut rest = &buffer[..count];
            if !self.by_line() && budget.pass(&mut self.to, rest).await? {
                return Ok(End::Cut);
            }
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                partial.extend_from_slice(&rest[..=end]);
                rest = &rest[end + 1..];
                lines += 1;
                if self.line(lines, &partial).await? {
                    return Ok(End::Cut);
                }
                partial.clear();
            }
            partial.extend_from_slice(rest);
        }
    }

    /// Whether only whole lines are passed on.
    fn by_line(&self) -> bool {
        matches!(self.script, Script::CutAt(..))
    }

    /// Keeps a line, and passes it on when nothing else does. True when the connection ends here.
    async fn line(&mut self, count: usize, bytes: &[u8]) -> io::Result<bool> {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end_matches(['\r', '\n']);
        if count <= LINES {
            let kept = text.chars().take(LINE).collect();
            lock(&self.shared.lines)[self.number].push(kept);
        }
        let Script::CutAt(cut, line) = self.script else { return Ok(false) };
        let here = line.matches(count, text) && !self.swallow.load(Ordering::SeqCst);
        if here && *cut == Cut::Before {
            return Ok(true);
        }
        if here && *cut == Cut::Unanswered {
            self.swallow.store(true, Ordering::SeqCst);
        }
        self.to.write_all(bytes).await?;
        Ok(here && *cut == Cut::After)
    }
}

/// From the server to the client.
async fn down(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    script: &Script,
    swallow: &AtomicBool,
) -> io::Result<End> {
    let mut buffer = vec![0; 8192];
    let mut budget = Budget::of(script, Side::Server);
    loop {
        let count = from.read(&mut buffer).await?;
        if swallow.load(Ordering::SeqCst) {
            return Ok(End::Cut);
        }
        if count == 0 {
            to.shutdown().await?;
            return Ok(End::Said);
        }
        if let Script::Delay(by) = script {
            tokio::time::sleep(*by).await;
        }
        if budget.pass(&mut to, &buffer[..count]).await? {
            return Ok(End::Cut);
        }
    }
}

/// How many bytes of one side may still pass, and what happens then.
struct Budget {
    left: u64,
    /// Else nothing more passes.
    cut: bool,
}

impl Budget {
    fn of(script: &Script, side: Side) -> Budget {
        match script {
            Script::CutAfter(of, left) if *of == side => Budget { left: *left, cut: true },
            Script::Stall(of, left) if *of == side => Budget { left: *left, cut: false },
            _ => Budget { left: u64::MAX, cut: false },
        }
    }

    /// Passes on what may pass. True when the connection ends here.
    async fn pass(&mut self, to: &mut WriteHalf<'_>, bytes: &[u8]) -> io::Result<bool> {
        let passing = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        to.write_all(&bytes[..passing]).await?;
        self.left = self.left.saturating_sub(passing as u64);
        Ok(self.cut && self.left == 0)
    }
}
