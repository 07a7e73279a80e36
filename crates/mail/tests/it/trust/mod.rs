//! Sender authentication: mails signed by another implementation (`verify`), our own signatures (`sign`), and the word that
//! reaches the inbox (`door`).

mod door;
mod sign;
mod verify;

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use postroom_mail::trust::dns::Zone;
use postroom_mail::trust::{Evaluator, Options, Peer, Verdicts};

pub fn data(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/trust").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The zone of the mails in the data folder, and more lines.
pub fn zone(more: &str) -> Zone {
    Zone::parse(&(String::from_utf8(data("zone.txt")).unwrap() + more)).unwrap()
}

pub async fn evaluator(more: &str, options: Options) -> Evaluator {
    Evaluator::start(Arc::new(zone(more)), options).await.unwrap()
}

/// Acme's own server.
pub const ACME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 10));
/// Somebody else's.
pub const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 10));

/// What is found when `address` hands over a mail of `from`.
pub async fn found(more: &str, address: IpAddr, from: &str, mail: &[u8]) -> Verdicts {
    let evaluator = evaluator(more, Options::new("mx.ours.example")).await;
    evaluator.evaluate(Peer { address, hello: "mail.acme.example", from }, mail).await
}
