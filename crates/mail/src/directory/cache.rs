//! A directory that is asked again only after a while: addresses change seldom, and each mail has several names.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use postroom_core::{Clock, Directory, Fault};

use super::table::key;

/// Names kept; at more, all are forgotten.
const MOST: usize = 100_000;

/// How long answers are believed.
#[derive(Debug, Clone, Copy)]
pub struct Ages {
    /// An address. Too long and people who moved get their successor's mail.
    pub known: SignedDuration,
    /// That a name is not known. Too long and new people wait for their first mail to be placed.
    pub unknown: SignedDuration,
}

impl Default for Ages {
    fn default() -> Self {
        Ages { known: SignedDuration::from_hours(24), unknown: SignedDuration::from_hours(1) }
    }
}

/// A directory behind a cache.
pub struct Cached<D> {
    directory: D,
    clock: Clock,
    ages: Ages,
    answers: Mutex<HashMap<String, (Option<String>, Timestamp)>>,
}

impl<D: Directory> Cached<D> {
    pub fn new(directory: D, clock: Clock, ages: Ages) -> Self {
        Cached { directory, clock, ages, answers: Mutex::default() }
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<String, (Option<String>, Timestamp)>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer of before, while it counts.
    fn remembered(&self, name: &str) -> Option<Option<String>> {
        let answers = self.answers();
        let (address, since) = answers.get(&key(name))?;
        let age = if address.is_some() { self.ages.known } else { self.ages.unknown };
        (self.clock.now().duration_since(*since) < age).then(|| address.clone())
    }
}

#[async_trait]
impl<D: Directory> Directory for Cached<D> {
    async fn resolve(&self, names: &[String]) -> Result<HashMap<String, String>, Fault> {
        let (mut known, mut left) = (HashMap::new(), Vec::new());
        for name in names {
            match self.remembered(name) {
                Some(Some(address)) => {
                    known.insert(name.clone(), address);
                }
                Some(None) => {}
                None => left.push(name.clone()),
            }
        }
        if left.is_empty() {
            return Ok(known);
        }
        let found = self.directory.resolve(&left).await?;
        let now = self.clock.now();
        let mut answers = self.answers();
        if answers.len() + left.len() > MOST {
            answers.clear();
        }
        answers.extend(left.iter().map(|name| (key(name), (found.get(name).cloned(), now))));
        known.extend(found);
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Knows Anna, and counts the names it was asked for.
    #[derive(Default)]
    struct Counting(AtomicUsize);

    #[async_trait]
    impl Directory for Counting {
        async fn resolve(&self, names: &[String]) -> Result<HashMap<String, String>, Fault> {
            self.0.fetch_add(names.len(), Ordering::SeqCst);
            let anna = names.iter().filter(|name| name.starts_with("Anna"));
            Ok(anna.map(|name| (name.clone(), "anna@acme.example".to_owned())).collect())
        }
    }

    #[tokio::test]
    async fn answers_are_kept_for_their_time() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let cached = Cached::new(Counting::default(), clock.clone(), Ages::default());
        let names = ["Anna/Acme".to_owned(), "Bert/Acme".to_owned()];
        for (hours, asked) in [(0, 2), (0, 2), (1, 3), (23, 5)] {
            clock.advance(SignedDuration::from_hours(hours));
            assert_eq!(cached.resolve(&names).await.unwrap().len(), 1);
            assert_eq!(cached.directory.0.load(Ordering::SeqCst), asked, "after {hours} more hours");
        }
    }
}
