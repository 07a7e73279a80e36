//! The content coding `gzip` of HTTP, undone in one go.
//!
//! An answer that is read whole is unpacked whole, into the memory that it is read from. Piece by piece each byte is copied
//! three times more (window, piece, whole), which with pages of rows in XML costs as much as the unpacking.
//!
//! Not here: packing, streams. Source: RFC 9110 section 8.4.1.3, RFC 1952.

use flate2::{Decompress, FlushDecompress, Status};

/// Bits of the largest window that there is.
const WINDOW: u8 = 15;
/// Deflate makes no more of a byte than this.
const MOST_OF_A_BYTE: usize = 1032;
/// Room for bytes when nothing is known of how many come.
const SOME: usize = 16 * 1024;

/// Why bytes cannot be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the bytes are no whole gzip; ask for them again, or without compression")]
    Broken,
    #[error("there is more than {0} bytes in the gzip; ask for less at once")]
    Large(usize),
}

/// What is packed in `packed`, at most so many bytes. Members that follow one another are one content.
///
/// # Errors
/// What is cut off, damaged, or followed by something else; more than `most`.
pub fn unpack(packed: &[u8], most: usize) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(said(packed).min(most) + 1);
    let mut rest = packed;
    while !rest.is_empty() {
        rest = member(rest, &mut out, most)?;
    }
    Ok(out)
}

/// The size that the last member says it has, which is not believed when it cannot be.
fn said(packed: &[u8]) -> usize {
    let said = packed.last_chunk().map_or(0, |size| u32::from_le_bytes(*size) as usize);
    said.min(packed.len().saturating_mul(MOST_OF_A_BYTE))
}

/// Unpacks one member; answers what stands behind it.
fn member<'p>(packed: &'p [u8], out: &mut Vec<u8>, most: usize) -> Result<&'p [u8], Error> {
    let mut inflate = Decompress::new_gzip(WINDOW);
    loop {
        let read = |inflate: &Decompress| usize::try_from(inflate.total_in()).unwrap_or(usize::MAX);
        let rest = packed.get(read(&inflate)..).ok_or(Error::Broken)?;
        if out.len() == out.capacity() {
            out.reserve_exact(out.len().max(SOME).min(most + 1 - out.len()));
        }
        let status = inflate.decompress_vec(rest, out, FlushDecompress::None).map_err(|_| Error::Broken)?;
        if out.len() > most {
            return Err(Error::Large(most));
        }
        match status {
            Status::StreamEnd => return packed.get(read(&inflate)..).ok_or(Error::Broken),
            Status::Ok | Status::BufError if out.len() == out.capacity() => {}
            // There was room: the bytes ended before the member did.
            Status::Ok | Status::BufError => return Err(Error::Broken),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn pack(content: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(content).unwrap();
        packer.finish().unwrap()
    }

    #[track_caller]
    fn check(packed: &[u8], most: usize, expected: Result<&[u8], Error>) {
        assert_eq!(unpack(packed, most).as_deref(), expected.as_ref().copied());
    }

    #[test]
    fn members_are_unpacked_one_after_the_other() {
        let (some, long) = (pack(b"rows"), vec![b'x'; 3_000_000]);
        check(b"", 10, Ok(b""));
        check(&pack(b""), 10, Ok(b""));
        check(&some, 10, Ok(b"rows"));
        check(&pack(&long), 3_000_000, Ok(&long));
        check(&[some.clone(), some].concat(), 10, Ok(b"rowsrows"));
    }

    #[test]
    fn no_more_is_unpacked_than_is_wanted() {
        let bomb = pack(&vec![0; 3_000_000]);
        check(&pack(b"rows"), 4, Ok(b"rows"));
        check(&pack(b"rows"), 3, Err(Error::Large(3)));
        check(&pack(b"rows"), 0, Err(Error::Large(0)));
        check(&bomb, 100_000, Err(Error::Large(100_000)));
        // One that says it holds little.
        let tail = bomb.len() - 4;
        check(&[&bomb[..tail], &7_u32.to_le_bytes()].concat(), 100_000, Err(Error::Large(100_000)));
    }

    #[test]
    fn what_is_cut_off_or_changed_is_refused() {
        let packed = pack(b"a row, and another row, and a row");
        for end in 1..packed.len() {
            check(&packed[..end], 100, Err(Error::Broken));
        }
        for at in [0, 1, packed.len() - 8, packed.len() - 4] {
            let mut changed = packed.clone();
            changed[at] ^= 1;
            check(&changed, 100, Err(Error::Broken));
        }
        check(&[packed.as_slice(), b"rows"].concat(), 100, Err(Error::Broken));
        check(b"{\"value\":[]}", 100, Err(Error::Broken));
    }

    proptest! {
        #[test]
        fn what_was_packed_is_what_is_unpacked(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 0..4)) {
            let packed: Vec<u8> = parts.iter().flat_map(|part| pack(part)).collect();
            prop_assert_eq!(unpack(&packed, 8000), Ok(parts.concat()));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), head in any::<bool>()) {
            let packed = if head { [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], bytes.as_slice()].concat() } else { bytes };
            let _ = unpack(&packed, 100_000);
        }
    }
}
