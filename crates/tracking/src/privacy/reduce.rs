//! What is left of a mail's bytes, and which bodies were made of them.

use postroom_core::{BodyHash, Fault};
use postroom_formats::mime;
use postroom_store::body::{self, Body};
use postroom_store::{Error, Store};

use crate::filing::reading;

/// One form of a mail's bytes.
pub(super) struct Form {
    pub hash: BodyHash,
    /// Its header block.
    pub headers: Body,
    /// Bodies that were unpacked from it.
    pub unpacked: Vec<BodyHash>,
    /// Bytes behind the headers.
    pub beyond: u64,
}

/// Reads these bodies one by one: the largest sets the memory that is needed. One that is gone has nothing to lose.
pub(super) async fn forms(store: &Store, hashes: &[BodyHash]) -> Result<Vec<Form>, Fault> {
    let mut forms = Vec::with_capacity(hashes.len());
    for hash in hashes {
        let raw = match body::get(store, vec![*hash]).await {
            Ok(mut bodies) => bodies.pop().unwrap_or_default(),
            Err(Error::NoBody(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        let hash = *hash;
        let read = tokio::task::spawn_blocking(move || form(hash, &raw)).await;
        forms.push(read.map_err(|error| Fault::bug(format!("reading a mail stopped: {error}")))?);
    }
    Ok(forms)
}

fn form(hash: BodyHash, raw: &[u8]) -> Form {
    let headers = mime::header_block(raw);
    Form {
        hash,
        headers: Body::prepare(headers),
        unpacked: reading::unpacked(raw),
        beyond: (raw.len() - headers.len()) as u64,
    }
}
