//! The order in which the activities of a lot are written: a parent before its answers, for a CRM refuses an activity
//! whose parent it does not have. In a lot the answer may well have come first.

use std::collections::HashMap;

use uuid::Uuid;

/// One activity's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Which of the activities that were given.
    pub place: usize,
    /// Its parent comes after it: the mails answer each other in a circle. It must be written without a parent.
    pub cut: bool,
}

/// Orders activities, each given as its id and its parent's: every parent that is among them comes before its answers,
/// and the rest stays as it was.
pub fn parents_first(activities: &[(Uuid, Option<Uuid>)]) -> Vec<Turn> {
    let places: HashMap<Uuid, usize> =
        activities.iter().enumerate().map(|(place, (id, _))| (*id, place)).collect();
    let parent = |place: usize| activities[place].1.and_then(|id| places.get(&id).copied());
    let mut ordered = Vec::with_capacity(activities.len());
    let mut seen = vec![false; activities.len()];
    for place in 0..activities.len() {
        let mut line = Vec::new(); // from the answer up to its first ancestor
        let mut next = Some(place);
        while let Some(place) = next.filter(|place| !seen[*place]) {
            seen[place] = true;
            line.push(place);
            next = parent(place);
        }
        let circle = next.is_some_and(|place| line.contains(&place));
        let first = line.len().saturating_sub(1);
        let turns = line.iter().enumerate().rev();
        ordered.extend(turns.map(|(rank, place)| Turn { place: *place, cut: circle && rank == first }));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each letter an activity; `ba` is b with the parent a. A turn that is cut gets an exclamation mark.
    #[track_caller]
    fn check(activities: &str, expected: &str) {
        let id = |letter: u8| Uuid::from_u128(u128::from(letter));
        let words: Vec<&[u8]> = activities.split(' ').map(str::as_bytes).collect();
        let given: Vec<_> = words.iter().map(|word| (id(word[0]), word.get(1).copied().map(id))).collect();
        let turn =
            |turn: Turn| format!("{}{}", char::from(words[turn.place][0]), if turn.cut { "!" } else { "" });
        let turns: Vec<String> = parents_first(&given).into_iter().map(turn).collect();
        assert_eq!(turns.join(" "), expected, "{activities}");
    }

    #[test]
    fn parents_come_before_their_answers() {
        check("a b c", "a b c");
        check("ba a", "a b");
        check("cb ba a", "a b c");
        check("cb a ba", "a b c");
        check("ba ca a", "a b c");
        check("bz a", "b a");
    }

    #[test]
    fn a_circle_is_cut_once() {
        check("ab ba", "b! a");
        check("aa b", "a! b");
        check("ab bc ca d", "c! b a d");
        check("xa ab ba", "b! a x");
    }
}
