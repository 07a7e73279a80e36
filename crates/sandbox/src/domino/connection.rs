//! One connection: commands in, answers out, faults on the way.

use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::watch;

use super::session::{Reply, Session};
use super::state::State;
use super::syntax::Raw;
use super::{Fault, Shared};
use crate::line::Wire;

/// The longest literal.
const LONGEST: usize = 64 * 1024 * 1024;

pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let mut kicks = shared.kicks.subscribe();
    let (greeting, welcome, budget) = greeting(&mut shared.state());
    let mut wire = Wire::new(stream, budget);
    if wire.say(greeting.as_bytes()).await.is_ok() && welcome {
        let session = Session::new(Arc::clone(&shared));
        // An error is a client that left, or a fault that was asked for.
        let _ = converse(&mut wire, session, &shared, &mut kicks).await;
    }
    shared.state().sessions -= 1;
}

fn greeting(state: &mut State) -> (String, bool, Option<u64>) {
    state.connections += 1;
    state.sessions += 1;
    let budget = state.drop_after.pop_front();
    if state.options.max_sessions.is_some_and(|most| state.sessions > most) {
        return ("* BYE Maximum number of sessions reached, try later\r\n".to_owned(), false, budget);
    }
    let now = state.options.clock.now().strftime("%a, %d %b %Y %H:%M:%S +0000").to_string();
    let release = &state.options.release;
    (format!("* OK Domino IMAP4 Server Release {release} ready {now}\r\n"), true, budget)
}

async fn converse(
    wire: &mut Wire,
    mut session: Session,
    shared: &Shared,
    kicks: &mut watch::Receiver<u64>,
) -> io::Result<()> {
    let timeout = shared.state().options.session_timeout;
    loop {
        let raw = tokio::select! {
            raw = tokio::time::timeout(timeout, command(wire)) => raw,
            _ = kicks.changed() => return wire.say(b"* BYE The server is shutting down\r\n").await,
        };
        let Ok(raw) = raw else { return wire.say(b"* BYE Session timed out\r\n").await };
        let raw = raw?;
        let (tag, text) = spoken(&raw);
        let (fault, pause) = {
            let mut state = shared.state();
            state.commands.push(without_password(&text));
            (state.fault(&text), state.pause)
        };
        tokio::time::sleep(pause).await;
        match fault {
            Some(Fault::No) => wire.say(format!("{tag} NO The server is busy\r\n").as_bytes()).await?,
            Some(Fault::Bad) => wire.say(format!("{tag} BAD The server is confused\r\n").as_bytes()).await?,
            Some(Fault::Bye) => return wire.say(b"* BYE The server is shutting down\r\n").await,
            Some(Fault::Drop) => return Ok(()),
            Some(Fault::Unanswered) => {
                session.command(&raw);
                return Ok(());
            }
            None => {
                if !carry_out(wire, &mut session, &raw).await? {
                    return Ok(());
                }
            }
        }
    }
}

/// False when the session is over.
async fn carry_out(wire: &mut Wire, session: &mut Session, raw: &Raw) -> io::Result<bool> {
    let mut reply = session.command(raw);
    loop {
        match reply {
            Reply::Answer(bytes) => {
                wire.say(&bytes).await?;
                return Ok(true);
            }
            Reply::Challenge(bytes) => {
                wire.say(&bytes).await?;
                let line = wire.line().await?;
                reply = session.credentials(&line);
            }
            Reply::Close(bytes) => {
                wire.say(&bytes).await?;
                return Ok(false);
            }
        }
    }
}

/// A whole command with its literals. A NUL stands for each of them in the line.
async fn command(wire: &mut Wire) -> io::Result<Raw> {
    let mut raw = Raw::default();
    loop {
        let mut line = wire.line().await?;
        if line.contains(&0) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let Some((start, length, waits)) = literal(&line) else {
            raw.line.extend(line);
            return Ok(raw);
        };
        if length > LONGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if waits {
            wire.say(b"+ Ready for argument\r\n").await?;
        }
        line.truncate(start);
        raw.line.extend(line);
        raw.line.push(0);
        raw.literals.push(wire.exactly(length).await?);
    }
}

/// Where the announcement of a literal starts, how long the literal is, and whether the client waits for our word
/// (RFC 7888).
fn literal(line: &[u8]) -> Option<(usize, usize, bool)> {
    let inner = line.strip_suffix(b"}")?;
    let start = inner.iter().rposition(|byte| *byte == b'{')?;
    let number = std::str::from_utf8(&inner[start + 1..]).ok()?;
    let (number, waits) = number.strip_suffix('+').map_or((number, true), |number| (number, false));
    Some((start, number.parse().ok()?, waits))
}

/// The tag, and the command without it.
fn spoken(raw: &Raw) -> (String, String) {
    let line = String::from_utf8_lossy(&raw.line).replace('\0', "{}");
    let (tag, rest) = line.split_once(' ').unwrap_or((&line, ""));
    (tag.to_owned(), rest.to_owned())
}

fn without_password(command: &str) -> String {
    let mut words = command.split(' ');
    match words.next() {
        Some(word) if word.eq_ignore_ascii_case("login") => {
            format!("{word} {} ***", words.next().unwrap_or_default())
        }
        _ => command.to_owned(),
    }
}
