//! The cursor of one folder while it is being read: pure bookkeeping, no server, no store.
//!
//! Invariant: the UID rises only over messages that were handed over, are gone, were not wanted, or stand in `waiting`.

use jiff::{SignedDuration, Timestamp};
use postroom_core::{Cursor, Waiting};

use super::super::account::Start;
use super::mark::Mark;

/// Minutes until the next try of a message that could not be read; after the last it waits for a person.
const PAUSES: [i64; 4] = [1, 5, 15, 60];
/// A server that fails with so many messages is broken itself; reading stops before they are all set aside.
const MOST_WAITING: usize = 500;
/// Clocks differ; mail of the minutes before first contact is rather seen once more.
const SKEW: SignedDuration = SignedDuration::from_mins(10);

/// What a folder said when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    pub uid_validity: u32,
    /// No message has this UID yet, nor a higher one.
    pub uid_next: u32,
    pub mod_seq: Option<u64>,
}

/// Why a folder is read from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anew {
    /// The server said so.
    UidValidity,
    /// It numbered anew and did not say so.
    Silent,
}

/// A cursor being moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    cursor: Cursor,
    mark: Mark,
    /// What the store has.
    stored: Option<Cursor>,
}

impl Ledger {
    /// Goes on where the store says, or begins anew when the numbers mean something else now.
    pub fn resume(stored: Cursor, opened: Opened) -> (Self, Option<Anew>) {
        let why = if stored.uid_validity != opened.uid_validity {
            Some(Anew::UidValidity)
        } else if opened.uid_next <= stored.uid {
            Some(Anew::Silent)
        } else {
            None
        };
        let mark = Mark::parse(stored.mark.as_deref());
        let cursor = Cursor { mod_seq: opened.mod_seq, ..stored.clone() };
        let mut ledger = Ledger { cursor, mark, stored: Some(stored) };
        if why.is_some() {
            ledger.begin_anew(opened);
        }
        (ledger, why)
    }

    /// First contact. `lowest` is the first message of interest when a date was asked for.
    pub fn first(opened: Opened, start: Start, lowest: Option<u32>, now: Timestamp) -> Self {
        let (since, uid, until) = match start {
            Start::Now => (now.checked_sub(SKEW).unwrap_or(now), opened.uid_next - 1, 0),
            Start::Since(since) => {
                let below = lowest.unwrap_or(opened.uid_next).clamp(1, opened.uid_next) - 1;
                (since, below, opened.uid_next - 1)
            }
        };
        let mark = Mark { message: None, since: Some(since), until };
        let cursor =
            Cursor { uid_validity: opened.uid_validity, uid, mod_seq: opened.mod_seq, ..Cursor::default() };
        Ledger { cursor, mark, stored: None }
    }

    /// First contact with a folder that turned up later than its mailbox: all of it is read, but for what is older than
    /// the mailbox's own beginning, if that counts here.
    pub fn late(opened: Opened, since: Option<Timestamp>) -> Self {
        let mark = Mark { message: None, since, until: since.map_or(0, |_| opened.uid_next - 1) };
        let cursor =
            Cursor { uid_validity: opened.uid_validity, mod_seq: opened.mod_seq, ..Cursor::default() };
        Ledger { cursor, mark, stored: None }
    }

    /// Everything is read again; what is known adds nothing.
    pub fn begin_anew(&mut self, opened: Opened) {
        self.mark = Mark { message: None, since: self.mark.since, until: opened.uid_next - 1 };
        self.cursor = Cursor {
            uid_validity: opened.uid_validity,
            uid: 0,
            mod_seq: opened.mod_seq,
            waiting: Vec::new(),
            mark: None,
        };
    }

    pub fn uid_validity(&self) -> u32 {
        self.cursor.uid_validity
    }

    pub fn uid(&self) -> u32 {
        self.cursor.uid
    }

    pub fn mark(&self) -> &Mark {
        &self.mark
    }

    /// The cursor to store, with its mark.
    pub fn cursor(&self) -> Cursor {
        Cursor { mark: Some(self.mark.write()), ..self.cursor.clone() }
    }

    /// Whether the store has another one.
    pub fn is_ahead(&self) -> bool {
        self.stored.as_ref() != Some(&self.cursor())
    }

    /// The store has it.
    pub fn is_stored(&mut self) {
        self.stored = Some(self.cursor());
    }

    /// Everything up to this UID is accounted for.
    pub fn reached(&mut self, uid: u32) {
        self.cursor.uid = self.cursor.uid.max(uid);
    }

    /// A message is handed over, or gone.
    pub fn settled(&mut self, uid: u32) {
        self.cursor.waiting.retain(|waiting| waiting.uid != uid);
    }

    /// A message with this fingerprint was handed over.
    pub fn remember(&mut self, uid: u32, hash: String) {
        if self.mark.message.as_ref().is_none_or(|(known, _)| *known <= uid) {
            self.mark.message = Some((uid, hash));
        }
    }

    /// The server's numbers still mean what they meant, but this message has another face now.
    pub fn forget_message(&mut self) {
        self.mark.message = None;
    }

    /// A message could not be read. It is tried again later; true when it was given up.
    pub fn failed(&mut self, uid: u32, error: &str, now: Timestamp) -> bool {
        let tries = self.tries(uid) + 1;
        let pause = usize::try_from(tries - 1).ok().and_then(|index| PAUSES.get(index));
        let due = pause.and_then(|minutes| now.checked_add(SignedDuration::from_mins(*minutes)).ok());
        self.set_aside(Waiting { uid, tries, due, error: error.to_owned() });
        due.is_none()
    }

    /// Says why a message that was counted as failed did fail; true when it was given up.
    pub fn explain(&mut self, uid: u32, error: &str) -> bool {
        let Some(waiting) = self.cursor.waiting.iter_mut().find(|waiting| waiting.uid == uid) else {
            return false;
        };
        error.clone_into(&mut waiting.error);
        waiting.due.is_none()
    }

    /// A message that will never be read.
    pub fn give_up(&mut self, uid: u32, error: &str) {
        let tries = self.tries(uid) + 1;
        self.set_aside(Waiting { uid, tries, due: None, error: error.to_owned() });
    }

    fn tries(&self, uid: u32) -> u32 {
        self.cursor.waiting.iter().find(|waiting| waiting.uid == uid).map_or(0, |waiting| waiting.tries)
    }

    fn set_aside(&mut self, waiting: Waiting) {
        self.settled(waiting.uid);
        self.cursor.waiting.push(waiting);
        self.cursor.waiting.sort_by_key(|waiting| waiting.uid);
    }

    /// Messages whose time has come.
    pub fn due(&self, now: Timestamp) -> Vec<u32> {
        let is_due = |waiting: &&Waiting| waiting.due.is_some_and(|due| settled(due, now) <= now);
        self.cursor.waiting.iter().filter(is_due).map(|waiting| waiting.uid).collect()
    }

    /// Whether too many messages wait for anything but the server to be to blame.
    pub fn is_overrun(&self) -> bool {
        self.cursor.waiting.iter().filter(|waiting| waiting.due.is_some()).count() >= MOST_WAITING
    }
}

/// When a message is to be tried again: at once when that is further away than any pause, for then the clock was set back
/// since.
pub fn settled(due: Timestamp, now: Timestamp) -> Timestamp {
    let longest = SignedDuration::from_mins(PAUSES[PAUSES.len() - 1]);
    if due.duration_since(now) > longest { now } else { due }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn opened(uid_validity: u32, uid_next: u32) -> Opened {
        Opened { uid_validity, uid_next, mod_seq: None }
    }

    #[track_caller]
    fn check(validity: u32, uid: u32, opened: Opened, expected: (u32, Option<Anew>)) {
        let stored = Cursor { uid_validity: validity, uid, ..Cursor::default() };
        let (ledger, why) = Ledger::resume(stored, opened);
        assert_eq!((ledger.uid(), why), expected);
    }

    #[test]
    fn where_reading_goes_on() {
        check(1, 9, opened(1, 10), (9, None));
        check(1, 9, opened(1, 12), (9, None));
        check(1, 9, opened(2, 12), (0, Some(Anew::UidValidity)));
        check(1, 9, opened(1, 9), (0, Some(Anew::Silent)));
        check(1, 9, opened(1, 1), (0, Some(Anew::Silent)));
        check(1, 0, opened(1, 1), (0, None));
    }

    #[test]
    fn first_contact() {
        assert_eq!(Ledger::first(opened(1, 10), Start::Now, None, NOW).uid(), 9);
        let since = |lowest| Ledger::first(opened(1, 10), Start::Since(NOW), lowest, NOW);
        assert_eq!(since(Some(4)).uid(), 3);
        assert_eq!(since(None).uid(), 9);
        assert_eq!(since(Some(4)).mark().until, 9);
    }

    #[test]
    fn a_folder_that_turns_up_later() {
        let since = "2026-11-21T12:00:00Z".parse().ok();
        let before = "2026-11-21T11:00:00Z".parse().ok();
        let late = Ledger::late(opened(1, 10), since);
        assert_eq!(late.uid(), 0);
        assert!(late.mark().passes_over(9, before) && !late.mark().passes_over(9, since));
        let tied = Ledger::late(opened(1, 10), None);
        assert!(tied.uid() == 0 && !tied.mark().passes_over(9, before));
    }

    #[test]
    fn a_folder_read_again_keeps_its_beginning() {
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let first = Ledger::first(opened(1, 10), Start::Now, None, now);
        let (again, _) = Ledger::resume(first.cursor(), opened(2, 30));
        let before = "2026-11-21T11:00:00Z".parse().ok();
        assert!(again.mark().passes_over(29, before), "it was there before us");
        assert!(!again.mark().passes_over(30, before), "it was moved in");
    }

    #[test]
    fn a_message_is_tried_five_times() {
        let mut ledger = Ledger::first(opened(1, 10), Start::Now, None, NOW);
        let mut now = NOW;
        for minutes in PAUSES {
            assert!(!ledger.failed(5, "NIL", now));
            assert!(ledger.due(now).is_empty());
            now = now.checked_add(SignedDuration::from_mins(minutes)).unwrap();
            assert_eq!(ledger.due(now), [5]);
        }
        assert!(ledger.failed(5, "NIL", now));
        assert!(ledger.due(Timestamp::MAX).is_empty());
        assert_eq!(ledger.cursor().waiting[0].tries, 5);
        ledger.settled(5);
        assert!(ledger.cursor().waiting.is_empty());
    }

    #[test]
    fn a_clock_that_is_set_back_holds_no_message_up() {
        let mut ledger = Ledger::first(opened(1, 10), Start::Now, None, NOW);
        let year = NOW.checked_add(SignedDuration::from_hours(365 * 24)).unwrap();
        ledger.failed(5, "NIL", year);
        assert_eq!(ledger.due(NOW), [5]);
    }

    proptest! {
        /// The UID never falls within one numbering, and what waits stands in order, each message once.
        #[test]
        fn the_cursor_rises(steps in proptest::collection::vec((0_u8..4, 1_u32..50), 0..60)) {
            let mut ledger = Ledger::first(opened(1, 5), Start::Now, None, NOW);
            ledger.is_stored();
            let mut floor = ledger.uid();
            for (step, uid) in steps {
                match step {
                    0 => ledger.reached(uid),
                    1 => { ledger.failed(uid, "x", NOW); }
                    2 => ledger.settled(uid),
                    _ => { ledger.is_stored(); prop_assert!(!ledger.is_ahead()); }
                }
                prop_assert!(ledger.uid() >= floor);
                floor = ledger.uid();
                prop_assert!(ledger.cursor().waiting.is_sorted_by(|a, b| a.uid < b.uid));
            }
        }
    }
}
