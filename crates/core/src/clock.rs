//! Time, ids and randomness, injected so that tests own them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// Where the time comes from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    /// Microseconds since 1970, moved by hand.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Clock(Source::System)
    }

    /// A clock that stands until [`Clock::advance`] moves it.
    pub fn manual(start: Timestamp) -> Self {
        Clock(Source::Manual(Arc::new(AtomicI64::new(start.as_microsecond()))))
    }

    /// Now, cut to microseconds (what the store keeps).
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    pub fn now(&self) -> Timestamp {
        let micros = match &self.0 {
            Source::System => Timestamp::now().as_microsecond(),
            Source::Manual(micros) => micros.load(Ordering::SeqCst),
        };
        Timestamp::from_microsecond(micros).expect("a clock's reading is within jiff's years -9999 to 9999")
    }

    /// Moves a manual clock; the system clock stays as it is.
    pub fn advance(&self, by: SignedDuration) {
        if let Source::Manual(micros) = &self.0 {
            micros.fetch_add(by.as_micros() as i64, Ordering::SeqCst);
        }
    }
}

/// Where ids come from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ids(IdSource);

#[derive(Clone, Debug)]
enum IdSource {
    Random,
    Counted(Arc<AtomicU64>),
}

impl Ids {
    /// UUIDv7 of the machine's clock and random generator.
    pub fn random() -> Self {
        Ids(IdSource::Random)
    }

    /// 1, 2, 3, …: the same in every run of a test.
    pub fn counted() -> Self {
        Ids(IdSource::Counted(Arc::new(AtomicU64::new(0))))
    }

    /// A new id for a row of ours; later ids sort after earlier ones.
    #[expect(clippy::disallowed_methods, reason = "the one place that makes ids")]
    pub fn next(&self) -> Uuid {
        match &self.0 {
            IdSource::Random => Uuid::now_v7(),
            IdSource::Counted(last) => {
                let n = last.fetch_add(1, Ordering::SeqCst) + 1;
                Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | u128::from(n))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manual_clock_moves_only_when_told() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
        clock.advance(SignedDuration::from_secs(90));
        assert_eq!(clock.now().as_second(), 90);
    }

    #[test]
    fn ids_rise() {
        for ids in [Ids::random(), Ids::counted()] {
            let (first, second) = (ids.next(), ids.next());
            assert!(first < second);
        }
    }
}
