//! Reading a stream of the service on from a moment: since the mark less an overlap, page by page, and the mark behind it.
//!
//! The mark is the newest moment of a reading that *ended*, never later than the service's own time: a row of the future, which
//! may well come, must not hide what comes before it. A reading that is cut goes on with its page, and asks since the same moment.

use jiff::{SignedDuration, Timestamp};
use postroom_core::marketing::Ask;
use serde::{Deserialize, Serialize};

/// How far a stream has been read; a [`super::cursor::Cursor`]'s place, or a part of one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Since {
    /// The newest moment of a reading that ended; `None` reads all there is.
    until: Option<Timestamp>,
    /// A reading that goes on: its next page, the mark it began with, and the newest moment that it met.
    page: Option<String>,
    since: Option<Timestamp>,
    newest: Option<Timestamp>,
}

impl Since {
    /// Begins a reading, or goes on with the one that was cut; answers the moment to ask from. `None` asks for everything.
    pub fn begin(&mut self, overlap: SignedDuration) -> Option<Timestamp> {
        if self.page.is_none() {
            self.since = self.until;
        }
        self.since.map(|since| since.checked_sub(overlap).unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// The page to ask for.
    pub fn ask(&self) -> Ask {
        Ask { after: self.page.clone(), ..Ask::default() }
    }

    /// When no reading is under way: everything up to this moment has been read. What a mark stays behind is read again and again,
    /// which is dear when it was an import of everybody.
    pub fn rest(&mut self, at: Timestamp) {
        if self.page.is_none() && self.until.is_some() {
            self.until = self.until.max(Some(at));
        }
    }

    /// Goes behind a page with rows of these moments; `latest` is the service's time, `next` where the next page begins. Answers
    /// whether there is one; without one the reading has ended, and the mark stands behind it.
    pub fn pass(
        &mut self,
        moments: impl IntoIterator<Item = Timestamp>,
        latest: Timestamp,
        next: Option<String>,
    ) -> bool {
        self.newest = self.newest.max(moments.into_iter().filter(|at| *at <= latest).max());
        self.page = next;
        if self.page.is_none() {
            *self = Since { until: self.until.max(self.newest), ..Since::default() };
        }
        self.page.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVERLAP: SignedDuration = SignedDuration::from_secs(10);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_mark_moves_when_a_reading_ends() {
        let mut place = Since::default();
        assert_eq!(place.begin(OVERLAP), None);
        assert!(place.pass([at(50), at(40)], at(100), Some("2".into())));
        // Cut here: the next process asks for the next page, since the same moment.
        assert_eq!((place.begin(OVERLAP), place.ask().after), (None, Some("2".into())));
        assert!(!place.pass([at(60)], at(100), None));
        assert_eq!((place.begin(OVERLAP), place.ask().after), (Some(at(50)), None));
        // Nothing came: the mark stays.
        assert!(!place.pass([], at(200), None));
        assert_eq!(place.begin(OVERLAP), Some(at(50)));
    }

    #[test]
    fn a_moment_of_the_future_is_no_mark() {
        let mut place = Since::default();
        place.begin(OVERLAP);
        place.pass([at(30), at(9000)], at(100), None);
        assert_eq!(place.begin(OVERLAP), Some(at(20)));
    }

    #[test]
    fn the_mark_rests_when_nothing_came_for_long() {
        let mut place = Since::default();
        place.rest(at(70));
        assert_eq!(place.begin(OVERLAP), None, "nothing has been read");
        place.pass([at(50)], at(100), None);
        place.rest(at(70));
        assert_eq!(place.begin(OVERLAP), Some(at(60)));
        place.pass([at(80)], at(100), Some("2".into()));
        place.rest(at(90));
        assert_eq!(place.begin(OVERLAP), Some(at(60)), "a reading goes on");
        place.pass([], at(100), None);
        place.rest(at(30));
        assert_eq!(place.begin(OVERLAP), Some(at(70)), "a mark never goes back");
    }

    #[test]
    fn a_mark_near_the_beginning_of_time() {
        let mut place = Since::default();
        place.pass([Timestamp::MIN], at(100), None);
        assert_eq!(place.begin(OVERLAP), Some(Timestamp::UNIX_EPOCH));
    }
}
