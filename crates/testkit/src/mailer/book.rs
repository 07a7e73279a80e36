//! What the sender knows of each mail.

use std::collections::BTreeMap;

use super::LostAnswer;
use super::session::Outcome;

/// What became of a mail, as far as its sender can know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Not handed over: the server has not got it, or has but the answer was lost and it is to be sent again.
    Waiting,
    /// The server took it: it must be there, for ever.
    Acked,
    /// The server will not take it; the reply says why.
    Refused(String),
    /// Handed over whole, and no answer came. It may be there or not, but once at most.
    Unknown,
}

/// One mail in the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub fate: Fate,
    /// How often it was handed over whole and no answer came.
    pub lost_answers: u32,
    /// How often the server asked to come back (4yz).
    pub later: u32,
}

/// The books of a run, by the mails' numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Book {
    pub entries: BTreeMap<u64, Entry>,
}

impl Book {
    pub(super) fn of(numbers: impl Iterator<Item = u64>) -> Book {
        let fresh = Entry { fate: Fate::Waiting, lost_answers: 0, later: 0 };
        Book { entries: numbers.map(|number| (number, fresh.clone())).collect() }
    }

    /// Takes the outcome of one try down. True when the mail is to be sent again.
    pub(super) fn note(&mut self, number: u64, outcome: &Outcome, lost_answer: LostAnswer) -> bool {
        let entry = self.entries.get_mut(&number).expect("every mail was entered before the start");
        match outcome {
            Outcome::Acked => entry.fate = Fate::Acked,
            Outcome::Refused(reply) => entry.fate = Fate::Refused(reply.clone()),
            Outcome::Later => entry.later += 1,
            Outcome::Unsent => {}
            Outcome::Lost => {
                entry.lost_answers += 1;
                if lost_answer == LostAnswer::Leave {
                    entry.fate = Fate::Unknown;
                }
            }
        }
        entry.fate == Fate::Waiting
    }

    /// The mails that must be there.
    pub fn acked(&self) -> impl Iterator<Item = u64> + '_ {
        self.with(|entry| entry.fate == Fate::Acked)
    }

    /// The mails that must not be there.
    pub fn refused(&self) -> impl Iterator<Item = u64> + '_ {
        self.with(|entry| matches!(entry.fate, Fate::Refused(_)))
    }

    /// The mails that may be there: never acknowledged, but handed over whole once or more.
    pub fn unknown(&self) -> impl Iterator<Item = u64> + '_ {
        self.with(|entry| matches!(entry.fate, Fate::Unknown | Fate::Waiting) && entry.lost_answers > 0)
    }

    /// The mails that never left.
    pub fn unsent(&self) -> impl Iterator<Item = u64> + '_ {
        self.with(|entry| entry.fate == Fate::Waiting && entry.lost_answers == 0)
    }

    fn with<'a>(&'a self, wanted: impl Fn(&Entry) -> bool + 'a) -> impl Iterator<Item = u64> + 'a {
        self.entries.iter().filter(move |(_, entry)| wanted(entry)).map(|(number, _)| *number)
    }

    /// Compares the books with what is stored, given as the numbers found, one for each copy.
    ///
    /// # Errors
    /// Each mail that was acknowledged and is missing, is there twice, or was refused or never sent and is there.
    pub fn balance(&self, stored: impl IntoIterator<Item = u64>) -> Result<(), String> {
        let mut copies: BTreeMap<u64, u32> = BTreeMap::new();
        stored.into_iter().for_each(|number| *copies.entry(number).or_default() += 1);
        let mut wrong = Vec::new();
        for number in self.acked().filter(|number| !copies.contains_key(number)) {
            wrong.push(format!("{number} was acknowledged and is lost"));
        }
        for (number, count) in copies {
            match self.entries.get(&number) {
                None => wrong.push(format!("{number} is stored and was never written")),
                Some(Entry { fate: Fate::Refused(reply), .. }) => {
                    wrong.push(format!("{number} was refused ({reply}) and is stored"));
                }
                Some(Entry { fate: Fate::Waiting, lost_answers: 0, .. }) => {
                    wrong.push(format!("{number} was never handed over and is stored"));
                }
                Some(_) if count > 1 => wrong.push(format!("{number} is stored {count} times")),
                Some(_) => {}
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 acknowledged, 2 refused, 3 lost once and left, 4 never sent.
    fn book() -> Book {
        let mut book = Book::of(1..=4);
        assert!(!book.note(1, &Outcome::Acked, LostAnswer::SendAgain));
        assert!(!book.note(2, &Outcome::Refused("550 no".to_owned()), LostAnswer::SendAgain));
        assert!(!book.note(3, &Outcome::Lost, LostAnswer::Leave));
        assert!(book.note(4, &Outcome::Unsent, LostAnswer::SendAgain));
        book
    }

    #[track_caller]
    fn check(stored: &[u64], expected: &str) {
        let answer = book().balance(stored.iter().copied()).err().unwrap_or_default();
        assert_eq!(answer, expected);
    }

    #[test]
    fn books_balance_or_say_what_is_wrong() {
        check(&[1], "");
        check(&[1, 3], "");
        check(&[3], "1 was acknowledged and is lost");
        check(&[1, 1], "1 is stored 2 times");
        check(&[1, 3, 3], "3 is stored 2 times");
        check(&[1, 2], "2 was refused (550 no) and is stored");
        check(&[1, 4], "4 was never handed over and is stored");
        check(&[1, 9], "9 is stored and was never written");
    }

    #[test]
    fn a_lost_answer_is_sent_again_when_asked() {
        let mut book = Book::of(1..=1);
        assert!(book.note(1, &Outcome::Lost, LostAnswer::SendAgain));
        assert_eq!(book.unknown().collect::<Vec<_>>(), [1]);
        assert!(!book.note(1, &Outcome::Acked, LostAnswer::SendAgain));
        assert_eq!(book.unknown().count(), 0);
        assert_eq!(book.entries[&1].lost_answers, 1);
    }
}
