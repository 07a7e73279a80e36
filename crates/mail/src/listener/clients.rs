//! Addresses and networks of clients.

use std::net::IpAddr;
use std::str::FromStr;

/// Those who may use a listener that others may not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clients(Vec<Network>);

/// A text that is no address and no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an address or network: write it as 127.0.0.1, 10.1.0.0/16 or 2001:db8::/32")]
pub struct NotAClient {
    text: String,
}

impl Clients {
    /// Reads `127.0.0.1`, `::1`, `10.1.0.0/16` and their like.
    pub fn read<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self, NotAClient> {
        texts.into_iter().map(|text| text.as_ref().parse()).collect::<Result<_, _>>().map(Clients)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `peer` is one of them. A socket that serves both families shows IPv4 clients as IPv6 ones.
    pub fn contains(&self, peer: IpAddr) -> bool {
        let (peer, width) = bits(peer.to_canonical());
        self.0.iter().any(|network| {
            let (address, of) = bits(network.address);
            let free = u32::from(width) - u32::from(network.prefix.min(width));
            width == of && (peer ^ address).checked_shr(free).unwrap_or(0) == 0
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    /// Leading bits that count.
    prefix: u8,
}

impl FromStr for Network {
    type Err = NotAClient;

    fn from_str(text: &str) -> Result<Self, NotAClient> {
        let wrong = || NotAClient { text: text.chars().take(60).collect() };
        let (address, prefix) =
            text.trim().split_once('/').map_or((text.trim(), None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let (_, width) = bits(address);
        let prefix = prefix.map_or(Ok(width), str::parse).map_err(|_| wrong())?;
        if prefix <= width { Ok(Network { address, prefix }) } else { Err(wrong()) }
    }
}

/// An address as a number, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (u32::from(address).into(), 32),
        IpAddr::V6(address) => (address.into(), 128),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(clients: &[&str], peer: &str, inside: bool) {
        assert_eq!(
            Clients::read(clients).unwrap().contains(peer.parse().unwrap()),
            inside,
            "{clients:?} {peer}"
        );
    }

    #[test]
    fn networks() {
        check(&["127.0.0.1"], "127.0.0.1", true);
        check(&["127.0.0.1"], "127.0.0.2", false);
        check(&["127.0.0.1"], "::ffff:127.0.0.1", true);
        check(&["127.0.0.1"], "::7f00:1", false);
        check(&["10.1.0.0/16", "::1"], "10.1.255.3", true);
        check(&["10.1.0.0/16", "::1"], "10.2.0.0", false);
        check(&["10.1.0.0/16", "::1"], "::1", true);
        check(&["10.1.2.3/8"], "10.9.9.9", true);
        check(&["2001:db8::/32"], "2001:db8:ffff::1", true);
        check(&["2001:db8::/32"], "2001:db9::1", false);
        check(&["0.0.0.0/0"], "192.0.2.1", true);
        check(&["0.0.0.0/0"], "2001:db8::1", false);
        check(&["::/0"], "2001:db8::1", true);
        check(&[], "127.0.0.1", false);
    }

    #[test]
    fn what_is_no_network_is_said() {
        for text in ["", "localhost", "127.0.0.1/33", "127.0.0.1/", "::1/129", "127.0.0.1/-1", "1.2.3"] {
            assert!(Clients::read([text]).is_err(), "{text}");
        }
    }
}
