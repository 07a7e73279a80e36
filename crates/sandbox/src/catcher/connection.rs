//! One connection: commands in, replies out, faults on the way.

use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;

use super::Shared;
use super::session::{Reply, Session};
use crate::line::Wire;

pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let budget = {
        let mut state = shared.state();
        state.connections += 1;
        state.drop_after.pop_front()
    };
    let wire = Wire::new(stream, budget);
    // An error is a client that left, or a fault that was asked for.
    let _ = converse(wire, &shared).await;
}

async fn converse(mut wire: Wire, shared: &Arc<Shared>) -> io::Result<()> {
    let mut session = Session::new(Arc::clone(shared));
    let mut reply = Reply::Answer("220 catcher.example ESMTP".to_owned());
    loop {
        let pause = shared.state().pause;
        tokio::time::sleep(pause).await;
        reply = match reply {
            Reply::Drop => return Ok(()),
            Reply::Close(text) => return wire.say(format!("{text}\r\n").as_bytes()).await,
            Reply::Data(text) => {
                wire.say(format!("{text}\r\n").as_bytes()).await?;
                let raw = data(&mut wire).await?;
                session.data(raw)
            }
            Reply::Answer(text) => {
                wire.say(format!("{text}\r\n").as_bytes()).await?;
                let line = wire.line().await?;
                session.command(&String::from_utf8_lossy(&line))
            }
        };
    }
}

/// The mail up to the final dot, which only CRLF surrounds, dots unstuffed.
async fn data(wire: &mut Wire) -> io::Result<Vec<u8>> {
    let mut raw = Vec::new();
    loop {
        let piece = wire.piece().await?;
        let starts_line = raw.is_empty() || raw.ends_with(b"\r\n");
        if starts_line && piece == b".\r\n" {
            return Ok(raw);
        }
        let stuffed = starts_line && piece.starts_with(b".");
        raw.extend_from_slice(&piece[usize::from(stuffed)..]);
    }
}
