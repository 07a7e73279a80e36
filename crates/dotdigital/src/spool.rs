//! The body of a large request in a file without a name: in memory it would weigh more than all that a synchronisation holds
//! besides. The file is gone with its last reader, also when the process is killed.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// Bytes that are read at once.
const PIECE: u64 = 256 * 1024;

/// A body in a file; each reading begins at its start.
#[derive(Debug, Clone)]
pub(crate) struct Spooled {
    file: Arc<File>,
    size: u64,
}

impl Spooled {
    /// The first `size` bytes of a file.
    pub(crate) fn new(file: File, size: u64) -> Self {
        Spooled { file: Arc::new(file), size }
    }

    /// The body for one request. The service is told its size, as it is of a body in memory.
    pub(crate) fn body(&self) -> reqwest::Body {
        reqwest::Body::wrap(Reading { file: self.file.clone(), at: 0, size: self.size })
    }
}

struct Reading {
    file: Arc<File>,
    at: u64,
    size: u64,
}

impl Reading {
    /// It was written a moment ago, so no disk is waited for.
    fn piece(&mut self) -> io::Result<Bytes> {
        let length = PIECE.min(self.size - self.at);
        let mut piece = vec![0; usize::try_from(length).expect("a piece is small")];
        self.file.read_exact_at(&mut piece, self.at)?;
        self.at += length;
        Ok(piece.into())
    }
}

impl http_body::Body for Reading {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(self.piece().map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.at == self.size
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.size - self.at)
    }
}
