//! The stand-in for the marketing service as a process of its own, for `cargo xtask bench marketing`: what it costs is on its
//! own account, and its door for those who play with it (`/_sandbox/…`) tells the calls.
//!
//! The limits in JSON on the first line of stdin, one line of JSON with the address on stdout. It ends when stdin does.

use std::io::{BufRead as _, Read as _};

use postroom_core::Clock;
use postroom_sandbox::dotdigital::{Dotdigital, Limit, Options, Pace, Region};
use serde::Deserialize;

/// How the account is limited, and how long its imports take.
#[derive(Deserialize)]
struct Ask {
    password: String,
    /// Calls in a minute for each tier.
    low: u32,
    medium: u32,
    high: u32,
    /// Seconds that an import takes at least.
    import: i64,
}

#[expect(clippy::print_stdout, reason = "the answer to the program that started this one")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let ask: Ask = serde_json::from_str(&line)?;
    let mut options = Options::one_account(&ask.password);
    let time = jiff::SignedDuration::from_secs(ask.import);
    options.pace = Pace { polls: 0, time, ..Pace::default() };
    for user in options.accounts.iter_mut().flat_map(|account| &mut account.users) {
        user.limit = Limit::Tiered { low: ask.low, medium: ask.medium, high: ask.high };
    }
    let service = Dotdigital::start(options, Clock::system());
    println!("{}", serde_json::json!({ "url": service.url(Region::R1) }));
    std::io::stdin().lock().read_to_end(&mut Vec::new())?;
    Ok(())
}
