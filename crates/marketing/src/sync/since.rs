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
    /// A reading that goes on: its next page, the mark and the service's time it began with, and the newest moment that it met.
    page: Option<String>,
    since: Option<Timestamp>,
    began: Option<Timestamp>,
    newest: Option<Timestamp>,
    /// When the reading began that has just ended.
    #[serde(skip)]
    ended: Option<Timestamp>,
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

    /// Goes behind a page with rows of these moments; `latest` is the service's time, `next` where the next page begins. Answers
    /// whether there is one; without one the reading has ended, and the mark stands behind it. What changed after a reading began
    /// may stand on a page that was read before, so the mark never passes its begin, however long ago it was cut.
    pub fn pass(
        &mut self,
        moments: impl IntoIterator<Item = Timestamp>,
        latest: Timestamp,
        next: Option<String>,
    ) -> bool {
        let began = *self.began.get_or_insert(latest);
        self.newest = self.newest.max(moments.into_iter().filter(|at| *at <= began).max());
        self.page = next;
        if self.page.is_none() {
            *self = Since { until: self.until.max(self.newest), ended: Some(began), ..Since::default() };
        }
        self.page.is_some()
    }

    /// Behind a reading that has just ended: what changed longer than `late` before it began has been read. A mark that stayed
    /// where it is would have it read again and again, which is dear when it was an import of everybody.
    pub fn rest(&mut self, late: SignedDuration) {
        if let (Some(ended), Some(until)) = (self.ended.take(), self.until) {
            self.until = Some(until.max(ended.checked_sub(late).unwrap_or(until)));
        }
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

    const LATE: SignedDuration = SignedDuration::from_secs(30);

    #[test]
    fn the_mark_rests_when_nothing_came_for_long() {
        let mut place = Since::default();
        place.pass([], at(100), None);
        place.rest(LATE);
        assert_eq!(place.begin(OVERLAP), None, "nothing has been read");
        place.pass([at(50)], at(100), None);
        place.rest(LATE);
        assert_eq!(place.begin(OVERLAP), Some(at(60)));
        place.pass([at(80)], at(105), Some("2".into()));
        place.rest(LATE);
        assert_eq!(place.begin(OVERLAP), Some(at(60)), "a reading goes on");
        place.pass([], at(105), None);
        place.rest(LATE);
        assert_eq!(place.begin(OVERLAP), Some(at(70)), "a mark never goes back");
    }

    #[test]
    fn a_reading_that_was_cut_for_long_ends_as_of_its_begin() {
        let mut place = Since::default();
        place.begin(OVERLAP);
        place.pass([at(50)], at(100), Some("2".into()));
        // Hours later. Whoever was on the first page may have changed at 5000.
        place.begin(OVERLAP);
        place.pass([at(60), at(7000)], at(9000), None);
        place.rest(LATE);
        assert_eq!(place.begin(OVERLAP), Some(at(60)));
        // The next reading has a begin of its own.
        place.pass([at(7000)], at(9001), None);
        assert_eq!(place.begin(OVERLAP), Some(at(6990)));
    }

    #[test]
    fn a_mark_near_the_beginning_of_time() {
        let mut place = Since::default();
        place.pass([Timestamp::MIN], at(100), None);
        assert_eq!(place.begin(OVERLAP), Some(Timestamp::UNIX_EPOCH));
    }
}
