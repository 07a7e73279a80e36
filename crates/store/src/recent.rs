//! Bodies stored a moment ago, at hand for the worker that reads them next.
//!
//! A body is named by its content, so what stands here can never be stale; it is handed out once, and the oldest make
//! room for the newest.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use postroom_core::BodyHash;

/// Bytes kept in all.
const ROOM: usize = 8 * 1024 * 1024;

#[derive(Default)]
pub(crate) struct Recent(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    bytes: usize,
    /// Oldest first.
    bodies: VecDeque<(BodyHash, Bytes)>,
}

impl Recent {
    pub(crate) fn put(&self, hash: BodyHash, bytes: Bytes) {
        if bytes.len() > ROOM {
            return;
        }
        let mut kept = self.kept();
        kept.bytes += bytes.len();
        kept.bodies.push_back((hash, bytes));
        while kept.bytes > ROOM {
            let Some((_, oldest)) = kept.bodies.pop_front() else { break };
            kept.bytes -= oldest.len();
        }
    }

    pub(crate) fn take(&self, hash: BodyHash) -> Option<Bytes> {
        let mut kept = self.kept();
        let at = kept.bodies.iter().position(|(known, _)| *known == hash)?;
        let (_, bytes) = kept.bodies.remove(at)?;
        kept.bytes -= bytes.len();
        Some(bytes)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u8) -> BodyHash {
        BodyHash([number; 32])
    }

    #[test]
    fn a_body_is_handed_out_once() {
        let recent = Recent::default();
        recent.put(hash(1), Bytes::from_static(b"one"));
        assert_eq!(recent.take(hash(2)), None);
        assert_eq!(recent.take(hash(1)), Some(Bytes::from_static(b"one")));
        assert_eq!(recent.take(hash(1)), None);
    }

    #[test]
    fn the_oldest_make_room() {
        let recent = Recent::default();
        for number in 0..5 {
            recent.put(hash(number), Bytes::from(vec![number; ROOM / 4]));
        }
        recent.put(hash(9), Bytes::from(vec![9; ROOM + 1]));
        assert_eq!(recent.take(hash(0)), None);
        assert_eq!(recent.take(hash(9)), None);
        assert_eq!(recent.take(hash(1)).map(|bytes| bytes.len()), Some(ROOM / 4));
        assert_eq!(recent.kept().bytes, ROOM / 4 * 3);
    }
}
