//! Loopback addresses.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// A port of 127.0.0.1 that nobody listens on now. Give it to a program that cannot ask the kernel itself; one of ours
/// should listen on port 0 instead.
///
/// # Panics
/// When the machine has no loopback interface.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port of 127.0.0.1 can be had");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// `127.0.0.1:port`.
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_can_be_bound() {
        TcpListener::bind(loopback(free_port())).unwrap();
    }
}
