//! The questions of a form, flat: sub-questions are questions of their own, and the text beside *other* belongs to its question.

use std::collections::BTreeMap;

use jiff::Timestamp;
use postroom_core::marketing::{FormField, FormPage};

use crate::fields::{Number, convert};

/// A question as it stands on its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub field: FormField,
    /// From 1.
    pub page: usize,
    pub order: usize,
    /// The matrix that it is a row of.
    pub parent: Option<i64>,
}

/// All questions of a form by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Questions {
    by_id: BTreeMap<i64, Question>,
    /// Text fields that say what *other* is: the question and its choice.
    others: BTreeMap<i64, (i64, i64)>,
}

/// What an answer says, in the terms of its question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub question: i64,
    pub choice: Option<i64>,
    pub text: String,
}

impl Questions {
    pub fn of(pages: Vec<FormPage>) -> Self {
        let mut all = Questions::default();
        for (page, fields) in pages.into_iter().enumerate() {
            for (order, field) in fields.fields.into_iter().enumerate() {
                all.add(field, page + 1, order + 1, None);
            }
        }
        all
    }

    fn add(&mut self, mut field: FormField, page: usize, order: usize, parent: Option<i64>) {
        let id = field.id;
        for (order, part) in std::mem::take(&mut field.parts).into_iter().enumerate() {
            // A row offers what its matrix does when it says nothing itself.
            let choices = if part.choices.is_empty() { field.choices.clone() } else { part.choices.clone() };
            self.add(FormField { choices, ..part }, page, order + 1, Some(id));
        }
        if let Some((choice, text)) = field.other {
            self.others.insert(text, (id, choice));
        }
        self.by_id.insert(id, Question { field, page, order, parent });
    }

    pub fn get(&self, id: i64) -> Option<&Question> {
        self.by_id.get(&id)
    }

    /// Matrices before their rows.
    pub fn all(&self) -> impl Iterator<Item = &Question> {
        let whole = self.by_id.values().filter(|question| question.parent.is_none());
        whole.chain(self.by_id.values().filter(|question| question.parent.is_some()))
    }

    /// What an answer says; `None` when the form has no such question.
    pub fn said(&self, field: i64, part: Option<i64>, value: &str) -> Option<Said> {
        let id = part.filter(|part| self.by_id.contains_key(part)).unwrap_or(field);
        if let Some(question) = self.by_id.get(&id) {
            let choice = value.trim().parse::<i64>().ok();
            let chosen = question.field.choices.iter().find(|known| Some(known.id) == choice);
            let text = chosen.map_or(value, |chosen| chosen.text.as_str()).to_owned();
            return Some(Said { question: id, choice: chosen.map(|chosen| chosen.id), text });
        }
        let (question, choice) = self.others.get(&id)?;
        Some(Said { question: *question, choice: Some(*choice), text: value.to_owned() })
    }

    /// What a response says, one for each question and choice; the text beside *other* takes the place of its label. Answers
    /// to questions that are not there are counted.
    pub fn answers<'a>(&self, given: impl Iterator<Item = (i64, Option<i64>, &'a str)>) -> (Vec<Said>, u64) {
        let (mut said, mut unknown) = (BTreeMap::new(), 0);
        for (field, part, value) in given {
            let Some(answer) = self.said(field, part, value) else {
                unknown += 1;
                continue;
            };
            let typed = self.others.contains_key(&field) && !self.by_id.contains_key(&field);
            let place = (answer.question, answer.choice);
            if typed || !said.contains_key(&place) {
                said.insert(place, answer);
            }
        }
        (said.into_values().collect(), unknown)
    }
}

/// The number that an answer is, where its question asks for one.
pub fn number(kind: &str, text: &str) -> Option<String> {
    let asks = kind.to_lowercase().contains("num");
    let number = Number::of(text.trim()).filter(|_| asks)?;
    let (whole, part) = number.as_str().split_once('.').unwrap_or((number.as_str(), ""));
    (whole.len() <= 11 && part.len() <= 10).then(|| number.as_str().to_owned())
}

/// The moment that an answer is, where its question asks for a date.
pub fn moment(kind: &str, text: &str) -> Option<Timestamp> {
    kind.to_lowercase().contains("date").then(|| convert::moment(text)).flatten()
}

#[cfg(test)]
mod tests {
    use postroom_core::marketing::Choice;

    use super::*;

    fn questions() -> Questions {
        let choice = |id, text: &str| Choice { id, text: text.into() };
        let row = |id| FormField { id, text: format!("row {id}"), ..FormField::default() };
        let matrix = FormField {
            id: 2,
            choices: vec![choice(1, "good"), choice(2, "bad")],
            parts: vec![row(21), row(22)],
            ..FormField::default()
        };
        let pick = FormField {
            id: 3,
            choices: vec![choice(31, "red"), choice(39, "Other")],
            other: Some((39, 40)),
            ..FormField::default()
        };
        let text = FormField { id: 1, kind: "text".into(), ..FormField::default() };
        Questions::of(vec![FormPage { id: 1, name: String::new(), fields: vec![text, matrix, pick] }])
    }

    #[track_caller]
    fn check(field: i64, part: Option<i64>, value: &str, expected: Option<(i64, Option<i64>, &str)>) {
        let said = questions().said(field, part, value);
        let said = said.as_ref().map(|said| (said.question, said.choice, said.text.as_str()));
        assert_eq!(said, expected);
    }

    #[test]
    fn answers_in_the_terms_of_their_question() {
        check(1, None, "31", Some((1, None, "31")));
        check(3, None, "31", Some((3, Some(31), "red")));
        check(2, Some(21), "2", Some((21, Some(2), "bad")));
        check(40, None, "o'brien's", Some((3, Some(39), "o'brien's")));
        check(3, None, "77", Some((3, None, "77")));
        check(99, None, "x", None);
        let parents: Vec<_> = questions().all().map(|question| question.parent).collect();
        assert_eq!(parents, [None, None, None, Some(2), Some(2)]);
    }

    #[test]
    fn other_is_one_answer() {
        for given in [[(3, None, "39"), (40, None, "teal")], [(40, None, "teal"), (3, None, "39")]] {
            let (said, unknown) = questions().answers(given.into_iter());
            assert_eq!((said.len(), unknown), (1, 0));
            assert_eq!(said[0].text, "teal");
        }
        assert_eq!(questions().answers([(99, None, "x")].into_iter()), (vec![], 1));
    }

    #[test]
    fn typed_values() {
        assert_eq!(number("number", " 12.50 ").as_deref(), Some("12.5"));
        assert_eq!(number("text", "12"), None);
        assert_eq!(moment("date", "2026-05-01"), "2026-05-01T00:00:00Z".parse().ok());
        assert_eq!((moment("text", "2026-05-01"), moment("date", "soon")), (None, None));
    }
}
