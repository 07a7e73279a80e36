//! The body of a large request in a file without a name: in memory it would weigh more than all that a synchronisation holds
//! besides. The file is gone with its last reader, also when the process is killed.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use postroom_core::marketing::Parcel;
use postroom_core::{Code, Fault};

/// Bytes of a parcel that are kept in memory; what is more goes into its file.
const MUCH: usize = 1024 * 1024;
/// Bytes that are read at once.
const PIECE: u64 = 256 * 1024;

/// Bytes of a parcel, wherever they are.
pub(crate) fn size(parcel: &Parcel) -> usize {
    let put_away = parcel.put_away.as_ref().map_or(0, |(_, size)| *size);
    usize::try_from(put_away).unwrap_or(usize::MAX).saturating_add(parcel.body.len())
}

/// Puts what is packed into the parcel's file once it is much.
///
/// # Errors
/// There is no room for a temporary file, or no place: nothing has been sent, and the run is tried again.
pub(crate) fn keep_little(parcel: &mut Parcel) -> Result<(), Fault> {
    match parcel.body.len() >= MUCH {
        true => put_away(parcel),
        false => Ok(()),
    }
}

/// All of a parcel that has a file.
///
/// # Errors
/// Those of [`keep_little`].
pub(crate) fn whole(parcel: &mut Parcel) -> Result<Spooled, Fault> {
    put_away(parcel)?;
    let (file, size) = parcel.put_away.take().ok_or_else(|| Fault::bug("a parcel lost its file"))?;
    Ok(Spooled { file: Arc::new(file), size })
}

fn put_away(parcel: &mut Parcel) -> Result<(), Fault> {
    let (mut file, mut size) = match parcel.put_away.take() {
        Some(begun) => begun,
        None => (tempfile::tempfile().map_err(no_room)?, 0),
    };
    file.write_all(&parcel.body).map_err(no_room)?;
    size += parcel.body.len() as u64;
    parcel.body.clear();
    parcel.put_away = Some((file, size));
    Ok(())
}

fn no_room(error: io::Error) -> Fault {
    let message = "an import could not be written to a temporary file; make room where TMPDIR points (/tmp, when it is not set)";
    Fault::retry(Code::STORE_FULL, message).with_source(error)
}

/// A body in a file; each reading begins at its start.
#[derive(Debug, Clone)]
pub(crate) struct Spooled {
    file: Arc<File>,
    size: u64,
}

impl Spooled {
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
