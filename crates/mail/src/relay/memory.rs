//! Who has a mail already that its client was not told to be done with, so that the repeat does not go to them again.
//!
//! In memory only: after a restart a repeat reaches everybody again, with the same Message-ID, and nothing is lost.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use postroom_core::Incoming;
use sha2::{Digest, Sha256};

/// Recipients remembered at most. When it is full the oldest half goes: a server that refuses in such numbers is broken.
const MOST: usize = 100_000;

/// What makes a repeat the same mail: its Message-ID and reverse-path; without an id, its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

impl Key {
    pub fn new(message_id: Option<&str>, mail: &Incoming) -> Key {
        let mut hasher = Sha256::new();
        let from = mail.envelope.from.as_deref().unwrap_or_default();
        hasher.update((from.len() as u64).to_le_bytes());
        hasher.update(from.as_bytes());
        hasher.update([u8::from(message_id.is_some())]);
        hasher.update(message_id.map_or(&mail.raw[..], str::as_bytes));
        Key(hasher.finalize().into())
    }
}

/// The recipients, by mail, with the time of the last try.
pub(super) struct Delivered {
    remember: SignedDuration,
    book: Mutex<HashMap<(Key, String), Timestamp>>,
}

impl Delivered {
    pub fn new(remember: Duration) -> Self {
        let remember = SignedDuration::try_from(remember).unwrap_or(SignedDuration::MAX);
        Delivered { remember, book: Mutex::default() }
    }

    /// Those who have the mail, and those who have not. A try keeps the memory fresh.
    pub fn split(&self, key: &Key, to: Vec<String>, now: Timestamp) -> (Vec<String>, Vec<String>) {
        let mut book = self.lock();
        to.into_iter().partition(|to| match book.get_mut(&(key.clone(), to.clone())) {
            Some(last) if now.duration_since(*last) <= self.remember => {
                *last = now;
                true
            }
            _ => false,
        })
    }

    pub fn remember(&self, key: &Key, to: &[String], now: Timestamp) {
        let mut book = self.lock();
        if book.len() + to.len() > MOST {
            prune(&mut book, now, self.remember);
        }
        book.extend(to.iter().map(|to| ((key.clone(), to.clone()), now)));
    }

    /// The client is done with these.
    pub fn forget(&self, key: &Key, to: &[String]) {
        let mut book = self.lock();
        for to in to {
            book.remove(&(key.clone(), to.clone()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Key, String), Timestamp>> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops what is too old, and the older half of the rest when that is not enough.
fn prune(book: &mut HashMap<(Key, String), Timestamp>, now: Timestamp, remember: SignedDuration) {
    book.retain(|_, last| now.duration_since(*last) <= remember);
    if book.len() > MOST / 2 {
        let mut times: Vec<Timestamp> = book.values().copied().collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        book.retain(|_, last| *last > median);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> Key {
        Key([number; 32])
    }

    fn who(to: &[&str]) -> Vec<String> {
        to.iter().map(|&to| to.to_owned()).collect()
    }

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(hours * 3600).unwrap()
    }

    #[test]
    fn each_try_keeps_the_memory_fresh() {
        let book = Delivered::new(Duration::from_secs(3 * 3600));
        book.remember(&key(1), &who(&["a"]), at(0));
        let (a, b) = (who(&["a"]), who(&["b"]));
        for hour in [2, 4, 6] {
            assert_eq!(book.split(&key(1), who(&["a", "b"]), at(hour)), (a.clone(), b.clone()));
        }
        assert_eq!(book.split(&key(2), a.clone(), at(6)), (vec![], a.clone()), "another mail");
        assert_eq!(book.split(&key(1), a.clone(), at(10)), (vec![], a.clone()), "too long ago");
        book.remember(&key(1), &a, at(10));
        book.forget(&key(1), &a);
        assert_eq!(book.split(&key(1), a.clone(), at(10)), (vec![], a));
    }

    #[test]
    fn memory_is_bounded_and_keeps_the_newest() {
        let book = Delivered::new(Duration::from_secs(3600));
        for number in 0..=MOST {
            let now = Timestamp::from_millisecond(number as i64).unwrap();
            book.remember(&key(1), &[number.to_string()], now);
        }
        assert!(book.lock().len() <= MOST / 2 + 1, "{}", book.lock().len());
        let newest = vec![MOST.to_string()];
        assert_eq!(book.split(&key(1), newest.clone(), at(0)), (newest, vec![]));
    }
}
