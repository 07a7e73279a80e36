//! Forms (surveys) and the answers to them. Source: dotdigital.md A18.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Account;
use super::contact::Key;
use super::writing::{Gate, Merge, Wanted, is_address};

/// A form.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Form {
    pub id: i32,
    pub name: String,
    pub created: Timestamp,
    pub modified: Timestamp,
    pub active: bool,
    /// Whether one person may answer more than once.
    pub multiple: bool,
    /// Who answers goes onto this list.
    pub list: Option<i32>,
    pub pages: Vec<Page>,
    pub responses: Vec<Response>,
}

impl Default for Form {
    fn default() -> Self {
        let epoch = Timestamp::UNIX_EPOCH;
        Form {
            id: 0,
            name: String::new(),
            created: epoch,
            modified: epoch,
            active: true,
            multiple: false,
            list: None,
            pages: Vec::new(),
            responses: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Page {
    pub id: i32,
    pub name: String,
    pub fields: Vec<Question>,
}

/// A field of a form; a matrix has one for each of its rows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Question {
    pub id: i32,
    /// `email`, `text`, `radiolist`, `matrix`, …
    pub kind: String,
    pub text: String,
    pub required: bool,
    pub choices: Vec<(i32, String)>,
    pub rows: Vec<Question>,
    /// The choice that means "other", and the field that holds what was typed.
    pub other: Option<(i32, i32)>,
    /// The contact data field that the answer goes to.
    pub data_field: Option<String>,
}

/// One person's way through a form.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Response {
    pub id: i32,
    pub email: String,
    pub started: Timestamp,
    pub completed: Option<Timestamp>,
    pub answers: Vec<Answer>,
}

impl Response {
    pub fn changed(&self) -> Timestamp {
        self.completed.unwrap_or(self.started)
    }
}

/// An answer: a text, or the number of a choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub field: i32,
    /// A row of a matrix.
    #[serde(default)]
    pub row: Option<i32>,
    pub value: Value,
}

impl Form {
    fn questions(&self) -> impl Iterator<Item = &Question> {
        self.pages.iter().flat_map(|page| &page.fields)
    }

    /// Whether this question is the one after the address.
    pub fn is_address(&self, field: i32) -> bool {
        self.questions().any(|question| question.id == field && question.kind == "email")
    }

    pub fn last(&self) -> Option<Timestamp> {
        self.responses.iter().map(Response::changed).max()
    }
}

impl Account {
    /// Begins, goes on with, or completes a form.
    pub fn answer(
        &mut self,
        form: i32,
        email: &str,
        answers: Vec<Answer>,
        complete: bool,
        at: Timestamp,
    ) -> Result<(), &'static str> {
        let next = self.next_id();
        let known = self.forms.get_mut(&form).ok_or("there is no such form")?;
        if !known.active {
            return Err("the form is not active");
        }
        let own = |response: &&mut Response| response.email.eq_ignore_ascii_case(email);
        let open = known.responses.iter_mut().filter(own).find(|response| response.completed.is_none());
        let response = match open {
            Some(open) => open,
            None => {
                let done = known.responses.iter().any(|response| response.email.eq_ignore_ascii_case(email));
                if done && !known.multiple {
                    return Err("the form was answered already");
                }
                let (started, email) = (at, email.to_owned());
                known.responses.push(Response {
                    id: next,
                    email,
                    started,
                    completed: None,
                    answers: Vec::new(),
                });
                known.responses.last_mut().expect("one was pushed")
            }
        };
        for answer in answers {
            response.answers.retain(|old| (old.field, old.row) != (answer.field, answer.row));
            response.answers.push(answer);
        }
        if !complete {
            return Ok(());
        }
        response.completed = Some(at);
        let answers = response.answers.clone();
        self.take_respondent(form, email, &answers, at)
    }

    /// A respondent becomes a contact, if the address allows it.
    fn take_respondent(
        &mut self,
        form: i32,
        email: &str,
        answers: &[Answer],
        at: Timestamp,
    ) -> Result<(), &'static str> {
        if !is_address(email) {
            return Ok(());
        }
        let known = self.forms.get(&form).ok_or("there is no such form")?;
        let value = |question: &Question| answers.iter().find(|answer| answer.field == question.id);
        let fields = known.questions().filter_map(|question| {
            let answer = value(question)?;
            let choice = |(id, _): &&(i32, String)| answer.value.as_i64() == Some(i64::from(*id));
            let text = question.choices.iter().find(choice).map(|(_, text)| Value::from(text.as_str()));
            Some((question.data_field.clone()?, text.unwrap_or_else(|| answer.value.clone())))
        });
        let wanted = Wanted {
            email: Some(email.to_owned()),
            fields: fields.collect(),
            lists: known.list.into_iter().collect(),
            ..Wanted::default()
        };
        let matched = self.contacts.find(&Key::Email(email.to_owned()));
        // What the account refuses (a suppressed person, a bad value) does not undo the answer.
        let _ = self.write(matched, &wanted, Merge::Overwrite, Gate::Closed, at);
        Ok(())
    }
}
