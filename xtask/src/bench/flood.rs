//! Clients that ask one thing after another, each over one connection, without a pause.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::http::Connection;

/// What came back.
pub struct Flood {
    /// How long each answer took.
    pub times: Vec<Duration>,
    pub took: Duration,
    /// Answers that `good` liked.
    pub good: usize,
}

/// Asks `asks` times over `clients` connections; `ask` is told the number of the question.
///
/// # Errors
/// The first that a question fails with.
pub fn flood(
    address: SocketAddr,
    token: &str,
    clients: usize,
    asks: usize,
    ask: impl Fn(&mut Connection, usize) -> Result<String> + Sync,
    good: impl Fn(&str) -> bool + Sync,
) -> Result<Flood> {
    let (next, start) = (AtomicUsize::new(0), Instant::now());
    let client = || -> Result<(Vec<Duration>, usize)> {
        let mut connection = Connection::open(address, token)?;
        let (mut times, mut liked) = (Vec::new(), 0);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= asks {
                return Ok((times, liked));
            }
            let start = Instant::now();
            let answer = ask(&mut connection, number)?;
            times.push(start.elapsed());
            liked += usize::from(good(&answer));
        }
    };
    let answers = thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        let ended = threads.into_iter().map(|thread| thread.join().expect("a client does not panic"));
        ended.collect::<Result<Vec<_>>>()
    })?;
    let took = start.elapsed();
    let good = answers.iter().map(|(_, liked)| liked).sum();
    Ok(Flood { times: answers.into_iter().flat_map(|(times, _)| times).collect(), took, good })
}

/// `1 client`, `8 clients`
pub fn clients(count: usize) -> String {
    if count == 1 { "1 client".to_owned() } else { format!("{count} clients") }
}
