//! Forms of the service: what they ask, what was answered, and the record that each response made or found.

use std::collections::HashMap;

use jiff::Timestamp;
use postroom_core::{Fault, RecordRef};
use postroom_marketing::forms::look::{Asked, Listed, Shown};
use postroom_marketing::forms::rows::Stored;
use serde::Serialize;

use super::Duty;
use crate::{Actor, Operations};

/// A form.
#[derive(Debug, Clone, Serialize)]
pub struct FormView {
    pub account: String,
    /// At the service.
    pub number: i64,
    pub name: String,
    /// The service's word: `Active`, `Inactive`, …
    pub state: String,
    pub url: String,
    pub questions: i64,
    pub complete: i64,
    pub incomplete: i64,
    pub views: i64,
    /// What is made of somebody whom the CRM does not know: `contact`, `lead`, `account`; null makes nothing.
    pub makes: Option<String>,
    pub created: Option<Timestamp>,
    pub modified: Option<Timestamp>,
    /// When the CRM was last told of it.
    pub read: Option<Timestamp>,
}

/// A form with its questions and its newest responses.
#[derive(Debug, Clone, Serialize)]
pub struct FormDetail {
    #[serde(flatten)]
    pub form: FormView,
    pub asks: Vec<QuestionView>,
    /// Newest first.
    pub responses: Vec<ResponseView>,
}

/// A question.
#[derive(Debug, Clone, Serialize)]
pub struct QuestionView {
    /// At the service.
    pub number: i64,
    pub page: i64,
    pub text: String,
    /// The service's word for its kind.
    pub kind: String,
    pub required: bool,
    /// Its answer is consent to marketing mail, by the configuration.
    pub consent: bool,
    pub options: Vec<String>,
}

/// A response.
#[derive(Debug, Clone, Serialize)]
pub struct ResponseView {
    /// At the service.
    pub number: i64,
    pub account: String,
    pub form: i64,
    /// Empty when nobody said who it is from.
    pub address: String,
    pub at: Timestamp,
    pub complete: bool,
    /// How whoever answered was found: `Matched one`, `Created`, `Ambiguous`, …; null until the CRM was told.
    pub matched: Option<String>,
    /// The record that was made or found.
    pub record: Option<RecordRef>,
    pub told_crm: bool,
    pub answers: Vec<AnswerGiven>,
}

/// An answer.
#[derive(Debug, Clone, Serialize)]
pub struct AnswerGiven {
    pub question: String,
    pub answer: String,
}

impl Operations {
    /// The forms of all accounts, or of one.
    pub async fn forms(&self, actor: &Actor, account: Option<&str>) -> Result<Vec<FormView>, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        let mut all = Vec::new();
        for name in self.accounts_of(account)? {
            all.extend(self.of_account(&name)?.forms(&name).await?.into_iter().map(FormView::from));
        }
        Ok(all)
    }

    /// A form with its questions and its newest responses, at most `most`.
    pub async fn form(
        &self,
        actor: &Actor,
        account: &str,
        number: i64,
        most: u64,
    ) -> Result<FormDetail, Fault> {
        self.needs_duty(actor, Duty::View).await?;
        let Shown { form, questions, responses } =
            self.of_account(account)?.form(account, number, most).await?;
        let texts = Texts::of(&questions);
        let responses = responses.into_iter().map(|stored| response(account, stored, &texts)).collect();
        let asks = questions.into_iter().map(QuestionView::from).collect();
        Ok(FormDetail { form: FormView::from(form), asks, responses })
    }
}

/// What questions and their options say, by number.
#[derive(Default)]
pub(super) struct Texts {
    questions: HashMap<i64, String>,
    options: HashMap<(i64, String), String>,
}

impl Texts {
    fn of(questions: &[Asked]) -> Self {
        let options = questions.iter().flat_map(|question| {
            let of = question.number;
            question.options.iter().map(move |(number, text)| ((of, number.to_string()), text.clone()))
        });
        Texts {
            questions: questions.iter().map(|question| (question.number, question.text.clone())).collect(),
            options: options.collect(),
        }
    }
}

/// A response with its answers in words; a question that is not known keeps its number.
pub(super) fn response(account: &str, stored: Stored, texts: &Texts) -> ResponseView {
    let answer = |given: &postroom_marketing::forms::rows::Given| {
        let number = given.part.filter(|part| texts.questions.contains_key(part)).unwrap_or(given.field);
        let question = texts.questions.get(&number).cloned();
        let chosen = texts.options.get(&(number, given.value.trim().to_owned())).cloned();
        AnswerGiven {
            question: question.unwrap_or_else(|| format!("question {number}")),
            answer: chosen.unwrap_or_else(|| given.value.clone()),
        }
    };
    ResponseView {
        number: stored.response,
        account: account.to_owned(),
        form: stored.form,
        address: stored.address,
        at: stored.at,
        complete: stored.content.complete,
        answers: stored.content.answers.iter().map(answer).collect(),
        matched: stored.matched,
        record: stored.record,
        told_crm: stored.told_crm,
    }
}

impl From<Listed> for FormView {
    fn from(form: Listed) -> Self {
        FormView {
            account: form.account,
            number: form.number,
            name: form.name,
            state: form.state,
            url: form.url,
            questions: form.questions,
            complete: form.complete,
            incomplete: form.incomplete,
            views: form.views,
            makes: form.make.map(str::to_lowercase),
            created: form.created,
            modified: form.modified,
            read: form.read,
        }
    }
}

impl From<Asked> for QuestionView {
    fn from(asked: Asked) -> Self {
        QuestionView {
            number: asked.number,
            page: asked.page,
            text: asked.text,
            kind: asked.kind,
            required: asked.required,
            consent: asked.consent,
            options: asked.options.into_iter().map(|(_, text)| text).collect(),
        }
    }
}
