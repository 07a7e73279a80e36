//! Lines of a text protocol with a limit on their length, and bytes after them.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// The longest line, end included.
const LONGEST: u64 = 64 * 1024;

/// One connection.
pub(crate) struct Wire {
    from: BufReader<OwnedReadHalf>,
    to: OwnedWriteHalf,
    /// How many bytes may still be written before the connection is dropped.
    budget: Option<u64>,
}

impl Wire {
    pub fn new(stream: TcpStream, budget: Option<u64>) -> Wire {
        let (from, to) = stream.into_split();
        Wire { from: BufReader::new(from), to, budget }
    }

    /// A line without its end; an error when the client is gone.
    pub async fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        (&mut self.from).take(LONGEST).read_until(b'\n', &mut line).await?;
        if line.pop() != Some(b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(line)
    }

    /// A line with its end, or the beginning of one that is too long, to be followed by the rest.
    pub async fn piece(&mut self) -> io::Result<Vec<u8>> {
        let mut piece = Vec::new();
        (&mut self.from).take(LONGEST).read_until(b'\n', &mut piece).await?;
        match piece.is_empty() {
            true => Err(io::ErrorKind::UnexpectedEof.into()),
            false => Ok(piece),
        }
    }

    pub async fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.from.read_exact(&mut bytes).await?;
        Ok(bytes)
    }

    /// Writes; an error when the budget is used up.
    pub async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(left) = &mut self.budget else { return self.to.write_all(bytes).await };
        let passing = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
        *left -= passing as u64;
        self.to.write_all(&bytes[..passing]).await?;
        match passing == bytes.len() {
            true => Ok(()),
            false => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }
}
