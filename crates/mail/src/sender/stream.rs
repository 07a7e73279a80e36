//! The bytes of one connection, plain or in TLS: what is written waits until it is flushed, every wait has its limit.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use super::wire::{Foreign, Reply, ReplyReader};

/// Room made for each read.
const READ: usize = 4096;
/// What is kept back at most before it is written.
const WRITE: usize = 64 * 1024;

pub(crate) enum Wire {
    Plain(TcpStream),
    Secure(Box<TlsStream<TcpStream>>),
}

/// Why no answer came.
#[derive(Debug)]
pub(crate) enum Broken {
    Io(io::Error),
    Late,
    Foreign,
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Broken::Io(error)
    }
}

impl From<Foreign> for Broken {
    fn from(Foreign: Foreign) -> Self {
        Broken::Foreign
    }
}

pub(crate) struct Stream {
    wire: Wire,
    input: BytesMut,
    output: Vec<u8>,
}

impl Stream {
    pub fn plain(stream: TcpStream) -> Self {
        Stream { wire: Wire::Plain(stream), input: BytesMut::new(), output: Vec::new() }
    }

    pub fn secure(stream: TlsStream<TcpStream>) -> Self {
        Stream { wire: Wire::Secure(Box::new(stream)), input: BytesMut::new(), output: Vec::new() }
    }

    /// Puts TLS over a plain connection. Words that came before it are the caller's to judge: see [`Stream::has_more`].
    pub async fn into_secure(self, connector: TlsConnector, name: ServerName<'static>) -> io::Result<Self> {
        match self.wire {
            Wire::Plain(stream) => Ok(Stream::secure(connector.connect(name, stream).await?)),
            Wire::Secure(_) => Ok(self),
        }
    }

    pub fn tls(&self) -> Option<&TlsStream<TcpStream>> {
        match &self.wire {
            Wire::Plain(_) => None,
            Wire::Secure(stream) => Some(stream),
        }
    }

    /// Whether bytes were read that belong to no answer yet.
    pub fn has_more(&self) -> bool {
        !self.input.is_empty()
    }

    /// Whether the server said nothing and is still there. Between mails it has nothing to say but goodbye.
    pub fn is_quiet(&mut self) -> bool {
        self.input.is_empty() && self.read().now_or_never().is_none()
    }

    /// Adds a command line.
    pub fn say(&mut self, command: &str) {
        self.output.extend_from_slice(command.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    /// Adds bytes of a mail; writes when much waits. What is passed here may have left on an error.
    pub async fn pour(&mut self, piece: &[u8], limit: Duration) -> Result<(), Broken> {
        for part in piece.chunks(WRITE) {
            if self.output.len() + part.len() > WRITE {
                self.flush(limit).await?;
            }
            self.output.extend_from_slice(part);
        }
        Ok(())
    }

    /// Adds bytes that will be written by the next flush and not before.
    pub fn append(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    /// Writes what waits.
    pub async fn flush(&mut self, limit: Duration) -> Result<(), Broken> {
        let output = std::mem::take(&mut self.output);
        let write = async {
            match &mut self.wire {
                Wire::Plain(stream) => stream.write_all(&output).await,
                Wire::Secure(stream) => {
                    stream.write_all(&output).await?;
                    stream.flush().await
                }
            }
        };
        timeout(limit, write).await.map_err(|_| Broken::Late)??;
        self.output = output;
        self.output.clear();
        Ok(())
    }

    /// The next answer.
    pub async fn hear(&mut self, limit: Duration) -> Result<Reply, Broken> {
        timeout(limit, self.next_reply()).await.map_err(|_| Broken::Late)?
    }

    async fn next_reply(&mut self) -> Result<Reply, Broken> {
        let mut reader = ReplyReader::default();
        loop {
            if let Some(reply) = reader.take(&mut self.input)? {
                return Ok(reply);
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> io::Result<()> {
        self.input.reserve(READ);
        let read = match &mut self.wire {
            Wire::Plain(stream) => stream.read_buf(&mut self.input).await?,
            Wire::Secure(stream) => stream.read_buf(&mut self.input).await?,
        };
        if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}
