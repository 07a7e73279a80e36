//! A bad line between a client and a server: a TCP proxy that cuts, delays, swallows or refuses where its script says.
//!
//! The same script does the same each time: it acts at a byte or at a line, never at a time. A cut closes both sides; what
//! was passed on before it arrives. It sees lines only where they are not encrypted.

mod relay;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Client,
    Server,
}

/// Which line of the client. Case does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// The whole line, without its end: `.` is the end of a mail's data.
    Is(String),
    Starts(String),
    Contains(String),
    /// Counted from 1.
    Number(usize),
}

/// What becomes of the line at which the connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The server does not get it.
    Before,
    /// The server gets it, and the connection ends at once.
    After,
    /// The server gets it and answers; the client does not get the answer.
    Unanswered,
}

/// What happens to one connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Script {
    /// Nothing.
    #[default]
    Pass,
    /// The line ends after so many bytes of one side; those are passed on.
    CutAfter(Side, u64),
    /// The line ends at the first line of the client that matches.
    CutAt(Cut, Line),
    /// After so many bytes of one side nothing more of that side is passed on, and the connection stays open.
    Stall(Side, u64),
    /// The server's bytes come this much later, each batch of them.
    Delay(Duration),
    /// The connection is taken, and nobody ever answers; the server does not hear of it.
    BlackHole,
}

/// A running proxy. Its connections end with this value.
pub struct Chaos {
    address: SocketAddr,
    shared: Arc<Shared>,
    // Dropped to end the proxy.
    orders: Option<mpsc::UnboundedSender<Told>>,
    thread: Option<JoinHandle<()>>,
}

/// What the owner tells the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Refuse,
    Accept,
    CutAll,
}

/// An order, and whom to tell that it was carried out.
type Told = (Order, std::sync::mpsc::Sender<()>);

/// What the proxy's thread and its owner both see.
struct Shared {
    upstream: Mutex<SocketAddr>,
    usual: Mutex<Script>,
    next: Mutex<VecDeque<Script>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    cut: AtomicUsize,
    /// For each connection, in the order of arrival.
    lines: Mutex<Vec<Vec<String>>>,
}

impl Chaos {
    /// Listens on a port of its own and passes everything on to `upstream`, until it is told otherwise.
    ///
    /// # Panics
    /// When the machine has no port or thread to spare.
    pub fn start(upstream: SocketAddr) -> Chaos {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port of 127.0.0.1 can be had");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared::new(upstream));
        let (orders, told) = mpsc::unbounded_channel();
        let proxy = relay::Proxy { address, shared: Arc::clone(&shared), told };
        let thread = std::thread::Builder::new().name("chaos".to_owned()).spawn(move || proxy.run(listener));
        let thread = Some(thread.expect("a thread can be started"));
        Chaos { address, shared, orders: Some(orders), thread }
    }

    /// Where the client connects.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Another server for the connections to come.
    pub fn set_upstream(&self, upstream: SocketAddr) {
        *lock(&self.shared.upstream) = upstream;
    }

    /// What happens to the connections to come.
    pub fn always(&self, script: Script) {
        *lock(&self.shared.usual) = script;
    }

    /// What happens to the next connection only; several wait in line, one for each connection.
    pub fn once(&self, script: Script) {
        lock(&self.shared.next).push_back(script);
    }

    /// Nothing happens to the connections to come.
    pub fn calm(&self) {
        lock(&self.shared.next).clear();
        self.always(Script::Pass);
    }

    /// Ends all connections now.
    pub fn cut_all(&self) {
        self.order(Order::CutAll);
    }

    /// From now on connections are refused, as by a machine on which nobody listens. Those that are open go on.
    pub fn refuse(&self) {
        self.order(Order::Refuse);
    }

    /// Takes connections again.
    pub fn accept(&self) {
        self.order(Order::Accept);
    }

    /// How many connections came so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many are open now.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// How many a script has cut so far.
    pub fn cuts(&self) -> usize {
        self.shared.cut.load(Ordering::SeqCst)
    }

    /// What the clients said, a list of lines for each connection in the order of arrival; the first 1000 lines of each.
    pub fn lines(&self) -> Vec<Vec<String>> {
        lock(&self.shared.lines).clone()
    }

    fn order(&self, order: Order) {
        let (done, carried_out) = std::sync::mpsc::channel();
        let orders = self.orders.as_ref().expect("it is taken only when the proxy ends");
        orders.send((order, done)).expect("the proxy's thread runs as long as this value");
        carried_out.recv().expect("the proxy carries out each order");
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        self.orders = None;
        let ended = self.thread.take().is_none_or(|thread| thread.join().is_ok());
        assert!(ended || std::thread::panicking(), "the proxy's thread panicked");
    }
}

impl Shared {
    fn new(upstream: SocketAddr) -> Shared {
        Shared {
            upstream: Mutex::new(upstream),
            usual: Mutex::default(),
            next: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            cut: AtomicUsize::new(0),
            lines: Mutex::default(),
        }
    }

    /// The script of a connection that just came, and its number.
    fn arrived(&self) -> (usize, Script) {
        let script = lock(&self.next).pop_front();
        let script = script.unwrap_or_else(|| lock(&self.usual).clone());
        lock(&self.lines).push(Vec::new());
        self.open.fetch_add(1, Ordering::SeqCst);
        (self.connections.fetch_add(1, Ordering::SeqCst), script)
    }
}

impl Line {
    /// Whether the client's line of this number is the one.
    fn matches(&self, number: usize, line: &str) -> bool {
        let (line, lower) = (line.to_lowercase(), str::to_lowercase);
        match self {
            Line::Is(text) => line == lower(text),
            Line::Starts(text) => line.starts_with(&lower(text)),
            Line::Contains(text) => line.contains(&lower(text)),
            Line::Number(wanted) => number == *wanted,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
