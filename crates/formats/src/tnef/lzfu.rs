//! Compressed RTF (MS-OXRTFCP): LZ77 over a ring of 4096 bytes that starts out with common RTF words.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Error {
    Broken,
    TooLarge,
}

const RING: usize = 4096;
const START: &[u8] =
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \
\\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \
\\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";
const COMPRESSED: [u8; 4] = *b"LZFu";
const UNCOMPRESSED: [u8; 4] = *b"MELA";

/// The RTF bytes, at most `limit` of them. The checksum is not checked: what is broken shows in the RTF, and half a body
/// is worth more than none.
pub(super) fn decompress(data: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
    let (head, body) = data.split_first_chunk::<16>().ok_or(Error::Broken)?;
    let raw_size = super::stream::number(&head[4..8]) as usize;
    match [head[8], head[9], head[10], head[11]] {
        UNCOMPRESSED if raw_size.min(body.len()) <= limit => Ok(body[..raw_size.min(body.len())].to_vec()),
        UNCOMPRESSED => Err(Error::TooLarge),
        COMPRESSED => expand(body, limit),
        _ => Err(Error::Broken),
    }
}

fn expand(body: &[u8], limit: usize) -> Result<Vec<u8>, Error> {
    let mut ring = [b' '; RING];
    ring[..START.len()].copy_from_slice(START);
    let mut write = START.len();
    let mut out = Vec::new();
    let mut bytes = body.iter().copied();
    let mut push = |out: &mut Vec<u8>, ring: &mut [u8; RING], byte: u8| {
        ring[write] = byte;
        write = (write + 1) % RING;
        out.push(byte);
        write
    };
    let mut at = START.len();
    while let Some(control) = bytes.next() {
        for bit in 0..8 {
            let Some(first) = bytes.next() else { return Ok(out) };
            if control >> bit & 1 == 0 {
                at = push(&mut out, &mut ring, first);
                continue;
            }
            let Some(second) = bytes.next() else { return Err(Error::Broken) };
            let (offset, length) = reference(first, second);
            if offset == at {
                return Ok(out);
            }
            for step in 0..length {
                let byte = ring[(offset + step) % RING];
                at = push(&mut out, &mut ring, byte);
            }
            if out.len() > limit {
                return Err(Error::TooLarge);
            }
        }
    }
    Ok(out)
}

/// Twelve bits of offset, four of length less two.
fn reference(first: u8, second: u8) -> (usize, usize) {
    let number = usize::from(first) << 8 | usize::from(second);
    (number >> 4, (number & 0xf) + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hex: &str, expected: &[u8]) {
        let bytes: Vec<u8> =
            hex.split_whitespace().map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect();
        assert_eq!(decompress(&bytes, 1000), Ok(expected.to_vec()));
    }

    /// The two examples of MS-OXRTFCP section 4.
    #[test]
    fn published_examples() {
        check(
            "2d 00 00 00 2b 00 00 00 4c 5a 46 75 f1 c5 c7 a7 03 00 0a 00 72 63 70 67 31 32 35 42 32 0a f3 20 68 65 6c \
             09 00 20 62 77 05 b0 6c 64 7d 0a 80 0f a0",
            b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n",
        );
        check(
            "1a 00 00 00 1c 00 00 00 4c 5a 46 75 e2 d4 4b 51 41 00 04 20 57 58 59 5a 0d 6e 7d 01 0e b0",
            b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}",
        );
    }

    #[test]
    fn start_of_the_ring_has_its_published_length() {
        assert_eq!(START.len(), 207);
    }

    #[test]
    fn a_bomb_is_stopped() {
        // Every reference copies 17 bytes from the start of the ring.
        let mut bytes = b"\0\0\0\0\0\0\0\0LZFu\0\0\0\0".to_vec();
        for _ in 0..10_000 {
            bytes.push(0xff);
            bytes.extend([0x00, 0x0f].repeat(8));
        }
        assert_eq!(decompress(&bytes, 10_000), Err(Error::TooLarge));
    }
}
