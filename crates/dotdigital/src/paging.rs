//! Pages of v2: `select` and `skip` over rows that come and go while one reads.
//!
//! A row that is removed before our place moves everything one to the left, and the next page by number would miss a row.
//! So each page begins a little before the end of the last one, and carries *anchors*: what the last rows of that page were.
//! The rows after the anchors are new. When the anchors are not found, more went than the overlap holds: it looks further
//! back, a page at a time; and when they are not there either, it begins from the start once more, so that rows come twice
//! rather than never. A reading that never finds its place is put back.
//!
//! A place is text that the caller may keep: `s{skip}.{restarts}.{anchor}-{anchor}…`.

use std::fmt::Write as _;
use std::ops::Range;

use postroom_core::{Code, Fault};

use crate::wire::Row;

/// Rows that are remembered of a page.
const ANCHORS: usize = 4;
/// Pages that are looked back before it starts over.
const LOOK_BACK: u32 = 3;
/// Starts from the beginning in one reading.
const RESTARTS: u32 = 2;

/// Where a reading stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Rows before it, when the last page was read.
    skip: u64,
    restarts: u32,
    /// The last rows, in their order.
    anchors: Vec<u64>,
    back: u32,
}

/// What a page says about the place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// These rows of the page are new; the next page begins there, if there is one.
    New { rows: Range<usize>, next: Option<Place> },
    /// Ask for this instead.
    Elsewhere(Place),
}

impl Place {
    pub(crate) fn read(text: &str) -> Result<Place, Fault> {
        let broken = || Fault::bug("a place in a reading of Dotdigital cannot be read");
        let mut parts = text.strip_prefix('s').ok_or_else(broken)?.splitn(3, '.');
        let mut number = || parts.next().and_then(|part| part.parse::<u64>().ok()).ok_or_else(broken);
        let (skip, restarts) = (number()?, number()?);
        let anchors = parts.next().unwrap_or_default().split('-').filter(|part| !part.is_empty());
        let anchors = anchors.map(|part| u64::from_str_radix(part, 16).map_err(|_| broken()));
        let restarts = u32::try_from(restarts).map_err(|_| broken())?;
        Ok(Place { skip, restarts, anchors: anchors.collect::<Result<_, _>>()?, back: 0 })
    }

    pub(crate) fn write(&self) -> String {
        let mut text = format!("s{}.{}.", self.skip, self.restarts);
        for (number, anchor) in self.anchors.iter().enumerate() {
            let dash = if number == 0 { "" } else { "-" };
            write!(text, "{dash}{anchor:x}").expect("writing to a String cannot fail");
        }
        text
    }

    /// What to ask for: how many rows, and after how many. A page of the service holds `most`; the rows that are known come
    /// on top of the `size` that is wanted, as far as that leaves room.
    pub(crate) fn question(&self, size: u64, overlap: u64, most: u64) -> (u64, u64) {
        if self.anchors.is_empty() {
            return (size, self.skip);
        }
        let select = (size + overlap).min(most);
        let overlap = overlap.min(select / 2);
        (select, self.skip.saturating_sub(overlap + u64::from(self.back) * select))
    }

    /// Matches a page that was asked for by `question`; `rows` are its rows, by their keys.
    pub(crate) fn matched(&self, rows: &[u64], question: (u64, u64), size: u64) -> Result<Found, Fault> {
        let (select, skip) = question;
        let Some(seen) = seen(&self.anchors, rows) else {
            return self.astray(skip);
        };
        // Looking back found nothing new: what was astray once will be so again.
        let stuck = self.back > 0 && seen == rows.len();
        let restarts = self.restarts + u32::from(stuck);
        if restarts > RESTARTS {
            return Err(shifting());
        }
        let end = rows.len().min(seen + usize::try_from(size).unwrap_or(usize::MAX));
        let more = end < rows.len() || rows.len() as u64 >= select;
        let anchors = rows[end.saturating_sub(ANCHORS)..end].to_vec();
        let next = Place { skip: skip + end as u64, restarts, anchors, back: 0 };
        Ok(Found::New { rows: seen..end, next: more.then_some(next) })
    }

    fn astray(&self, skip: u64) -> Result<Found, Fault> {
        if skip > 0 && self.back < LOOK_BACK {
            return Ok(Found::Elsewhere(Place { back: self.back + 1, ..self.clone() }));
        }
        if self.restarts >= RESTARTS {
            return Err(shifting());
        }
        tracing::warn!(
            event = "dotdigital.rows_shifted",
            "Rows shifted while they were read: once more from the start"
        );
        Ok(Found::Elsewhere(Place { restarts: self.restarts + 1, ..Place::default() }))
    }
}

fn shifting() -> Fault {
    let text = "the rows of Dotdigital shift faster than they can be read; tried again later";
    Fault::retry(Code::MARKETING_BUSY, text)
}

/// How many of the rows come up to the anchors' last one that is there; `None` when none of them is. The longest run of anchors
/// decides, and the earliest of equal ones: rows that look the same (two clicks in one instant) rather come twice.
fn seen(anchors: &[u64], rows: &[u64]) -> Option<usize> {
    if anchors.is_empty() {
        return Some(0);
    }
    (1..=anchors.len()).rev().find_map(|length| {
        let anchors = &anchors[..length];
        let last = *anchors.last()?;
        let run = |end: usize| {
            let back = rows[..=end].iter().rev().zip(anchors.iter().rev());
            back.take_while(|(row, anchor)| row == anchor).count()
        };
        let ends = (0..rows.len()).filter(|end| rows[*end] == last);
        let best =
            ends.map(|end| (run(end), end)).reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.map(|(_, end)| end + 1)
    })
}

/// What a row is, whatever else of it changes meanwhile.
pub(crate) fn key(row: &Row<'_>) -> u64 {
    const NAMES: [&str; 13] = [
        "id",
        "contactId",
        "email",
        "name",
        "url",
        "dateClicked",
        "dateOpened",
        "dateViewed",
        "dateSent",
        "dateEntered",
        "dateRemoved",
        "markerName",
        "bookmarkName",
    ];
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |text: &str| {
        for byte in text.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for name in NAMES {
        add(row.get(name).map_or("", |value| value.get()));
    }
    if let Some(person) = row.row("suppressedContact") {
        ["id", "email"].into_iter().for_each(|name| add(&person.string(name)));
    }
    hash
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn places_are_kept_as_text() {
        for anchors in [vec![], vec![1], vec![0xffff_ffff_ffff_ffff, 2, 3, 4]] {
            let place = Place { skip: 17, restarts: 1, anchors, back: 0 };
            assert_eq!(Place::read(&place.write()).unwrap(), place);
        }
        for text in ["", "s", "s1", "s1.x.", "m17", "s1.1.zz", "s-1.0."] {
            assert!(Place::read(text).is_err(), "{text}");
        }
    }

    #[track_caller]
    fn check(anchors: &[u64], rows: &[u64], expected: Option<usize>) {
        assert_eq!(seen(anchors, rows), expected, "{anchors:?} in {rows:?}");
    }

    #[test]
    fn anchors_find_their_place() {
        check(&[], &[1, 2], Some(0));
        check(&[1, 2, 3], &[2, 3, 4], Some(2));
        check(&[1, 2, 3], &[1, 2, 3], Some(3));
        check(&[1, 2, 3], &[4, 5], None);
        check(&[1, 2, 3], &[], None);
        // The last one went: the one before it counts.
        check(&[1, 2, 3], &[1, 2, 4], Some(2));
        // Two that look the same, and only the first was seen.
        check(&[8, 9, 7], &[8, 9, 7, 7, 5], Some(3));
        check(&[9, 7, 7], &[9, 7, 7, 5], Some(3));
    }

    /// Reads all rows of a service on which things happen between the pages.
    fn read_all(
        rows: &mut Vec<u64>,
        size: u64,
        overlap: u64,
        mut meanwhile: impl FnMut(&mut Vec<u64>),
    ) -> Result<Vec<u64>, Fault> {
        let (mut place, mut found) = (Place::default(), Vec::new());
        loop {
            let (select, skip) = place.question(size, overlap, 10);
            let page: Vec<u64> = rows.iter().skip(skip as usize).take(select as usize).copied().collect();
            match place.matched(&page, (select, skip), size)? {
                Found::Elsewhere(other) => place = other,
                Found::New { rows: new, next } => {
                    assert!(new.len() as u64 <= size);
                    found.extend(&page[new]);
                    let Some(next) = next else { return Ok(found) };
                    place = Place::read(&next.write())?;
                    meanwhile(rows);
                }
            }
        }
    }

    #[test]
    fn nothing_is_read_twice_when_nothing_happens() {
        for count in [0, 1, 9, 10, 11, 100] {
            let mut rows: Vec<u64> = (0..count).collect();
            for size in [1, 2, 5, 10] {
                let found = read_all(&mut rows, size, 3, |_| {}).unwrap();
                assert_eq!(found, (0..count).collect::<Vec<_>>(), "{size} at a time");
            }
        }
    }

    #[test]
    fn many_rows_that_go_at_once_are_noticed() {
        let mut rows: Vec<u64> = (0..400).collect();
        let found = read_all(&mut rows, 10, 3, |rows| {
            if rows.len() == 400 {
                rows.drain(0..8);
            }
        });
        let found = found.unwrap();
        assert!((8..400).all(|row| found.contains(&row)));
    }

    #[test]
    fn a_reading_that_never_finds_its_place_is_put_back() {
        let mut rows: Vec<u64> = (0..100).collect();
        let mut next = 1000;
        let fault = read_all(&mut rows, 10, 3, |rows| {
            for row in rows.iter_mut() {
                next += 1;
                *row = next;
            }
        });
        assert_eq!(fault.unwrap_err().code, Code::MARKETING_BUSY);
    }

    proptest! {
        /// Whatever is removed and added meanwhile: what was there from the beginning to the end comes.
        #[test]
        fn what_stays_comes(
            count in 0_u64..120,
            events in prop::collection::vec((any::<bool>(), any::<u16>(), 1_usize..30), 0..12),
        ) {
            let mut rows: Vec<u64> = (0..count).collect();
            let mut next = 10_000;
            let mut events = events.into_iter();
            let found = read_all(&mut rows, 10, 3, |rows| {
                let Some((remove, at, many)) = events.next() else { return };
                let at = usize::from(at) % (rows.len() + 1);
                if remove {
                    let end = (at + many).min(rows.len());
                    rows.drain(at..end);
                } else {
                    for _ in 0..many {
                        next += 1;
                        rows.insert(at, next);
                    }
                }
            });
            if let Ok(found) = found {
                for row in rows.iter().filter(|row| **row < 10_000) {
                    prop_assert!(found.contains(row), "{row} never came: {found:?} of {rows:?}");
                }
            }
        }
    }
}
