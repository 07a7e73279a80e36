//! Binds the port, admits clients within the limits, and stops: no new clients, idle sessions told 421, running mails
//! finished within `Limits::stop`.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use postroom_core::{Clock, Ids, Inbox};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::reply::Reply;
use super::{Budget, Connection, DiskRoom, Door, Limits, Options, Protocol, events};

/// Breath taken when the system has no more files to give.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(100);

/// What a listener needs from the rest of the program. Cheap to clone.
#[derive(Clone)]
pub struct Ports {
    pub inbox: Arc<dyn Inbox>,
    pub disk: Arc<dyn DiskRoom>,
    /// Shared by all listeners.
    pub budget: Budget,
    pub clock: Clock,
    pub ids: Ids,
}

/// Why a listener cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot listen on {address}: stop the program that uses it, or set another address")]
    Bind { address: SocketAddr, source: io::Error },
    #[error(
        "max_message ({max_message} bytes) is larger than the memory for mail in flight ({budget} bytes): raise the memory or lower max_message"
    )]
    Budget { max_message: u64, budget: u64 },
    #[error(
        "max_commands ({max_commands}) must exceed max_recipients ({max_recipients}), or mails to many could not be sent"
    )]
    Commands { max_commands: u32, max_recipients: usize },
    #[error("nothing would be accepted: name at least one domain in accept_domains, or one mailbox")]
    Nobody,
}

/// A bound listener that does not serve yet.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    door: Arc<Door>,
    gate: Gate,
}

impl Listener {
    /// Checks the options and takes the port.
    pub async fn bind(options: Options, ports: Ports) -> Result<Self, Error> {
        check(&options, &ports)?;
        let wanted = options.listen;
        let fault = |source| Error::Bind { address: wanted, source };
        let socket = TcpListener::bind(wanted).await.map_err(fault)?;
        let address = socket.local_addr().map_err(fault)?;
        let door = Arc::new(Door { options: Arc::new(options), ports });
        Ok(Listener { socket, address, door, gate: Gate::default() })
    }

    /// Where it listens; the kernel's choice when port 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, and then as long as running mails need, at most `Limits::stop`.
    pub async fn run(self, stop: CancellationToken) {
        events::Listening { protocol: self.protocol(), address: self.address }.emit();
        let mut sessions = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = sessions.join_next() => self.mourn(&ended),
                accepted = self.socket.accept() => match accepted {
                    Ok((stream, peer)) => self.admit(stream, peer.ip(), &mut sessions, &stop),
                    Err(error) => {
                        events::AcceptFailed { protocol: self.protocol(), error: &error }.emit();
                        sleep(AFTER_FAILED_ACCEPT).await;
                    }
                },
            }
        }
        let Listener { socket, door, .. } = self;
        drop(socket); // refuse new clients while the others finish
        let all = async { while sessions.join_next().await.is_some() {} };
        if timeout(door.options.limits.stop, all).await.is_err() {
            // What is cut off here was never acknowledged.
            sessions.shutdown().await;
        }
    }

    fn protocol(&self) -> Protocol {
        self.door.options.protocol
    }

    fn admit(&self, stream: TcpStream, peer: IpAddr, sessions: &mut JoinSet<()>, stop: &CancellationToken) {
        let seat = match self.gate.enter(peer, &self.door.options.limits) {
            Ok(seat) => seat,
            Err(limit) => {
                events::TurnedAway { protocol: self.protocol(), peer, limit }.emit();
                return turn_away(stream);
            }
        };
        // Without it the kernel may keep our short answers back; failing to set it costs only time.
        let _ = stream.set_nodelay(true);
        let connection = Connection::new(self.door.clone(), stream, peer);
        let stop = stop.clone();
        sessions.spawn(async move {
            connection.run(stop).await;
            drop(seat);
        });
    }

    fn mourn(&self, ended: &Result<(), tokio::task::JoinError>) {
        if ended.is_err() {
            events::SessionBroke { protocol: self.protocol() }.emit();
        }
    }
}

fn check(options: &Options, ports: &Ports) -> Result<(), Error> {
    let Limits { max_message, max_commands, max_recipients, .. } = options.limits;
    let budget = ports.budget.limit();
    if max_message > budget {
        return Err(Error::Budget { max_message, budget });
    }
    if usize::try_from(max_commands).is_ok_and(|commands| commands <= max_recipients) {
        return Err(Error::Commands { max_commands, max_recipients });
    }
    if options.recipients.is_empty() { Err(Error::Nobody) } else { Ok(()) }
}

/// One line and goodbye, without waiting: a new socket has room for it.
fn turn_away(stream: TcpStream) {
    let mut line = Vec::new();
    Reply::too_many_connections().write(&mut line);
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write_all(&line);
    }
}

/// Who is inside.
#[derive(Default, Clone)]
struct Gate(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl Gate {
    /// A seat for one more client of `peer`, or the name of the limit that is reached.
    fn enter(&self, peer: IpAddr, limits: &Limits) -> Result<Seat, &'static str> {
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inside.values().sum::<usize>() >= limits.max_connections {
            return Err("max_connections");
        }
        let count = inside.entry(peer).or_default();
        if *count >= limits.max_connections_per_peer {
            return Err("max_connections_per_peer");
        }
        *count += 1;
        Ok(Seat { gate: self.clone(), peer })
    }
}

/// Dropping it leaves.
struct Seat {
    gate: Gate,
    peer: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut inside = self.gate.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = inside.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                inside.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_counted_by_peer_and_altogether() {
        let (gate, here, there) =
            (Gate::default(), IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let limits = Limits { max_connections: 3, max_connections_per_peer: 2, ..Limits::default() };
        let first = gate.enter(here, &limits).ok().unwrap();
        let _second = gate.enter(here, &limits).ok().unwrap();
        assert_eq!(gate.enter(here, &limits).err(), Some("max_connections_per_peer"));
        let _third = gate.enter(there, &limits).ok().unwrap();
        assert_eq!(gate.enter(there, &limits).err(), Some("max_connections"));
        drop(first);
        assert!(gate.enter(here, &limits).is_ok());
    }
}
