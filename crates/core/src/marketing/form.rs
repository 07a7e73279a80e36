//! Forms on the web: their questions, and what people answered.

use async_trait::async_trait;
use jiff::Timestamp;

use super::page::{Ask, FormId, Page};
use super::word::words;
use crate::Fault;

words! {
    /// Whether a form can be answered.
    FormState {
        Active = "Active",
        Inactive = "Inactive",
        Pending = "Pending",
        Expired = "Expired",
        FeatureDisabled = "SurveyFeatureDisabled",
    }
}

/// A form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    pub id: i64,
    pub name: String,
    pub url: String,
    pub state: FormState,
    pub created: Option<Timestamp>,
    pub modified: Option<Timestamp>,
    pub first_active: Option<Timestamp>,
    pub last_inactive: Option<Timestamp>,
    pub first_response: Option<Timestamp>,
    pub last_response: Option<Timestamp>,
    pub complete_responses: u64,
    pub incomplete_responses: u64,
    pub views: u64,
    pub bounces: u64,
    /// The list whose people it is for, when it is for one.
    pub list: Option<i64>,
    /// Where answers came from: `Direct`, `Email`, …
    pub sources: std::collections::BTreeMap<String, u64>,
}

/// A page of a form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormPage {
    pub id: i64,
    pub name: String,
    pub fields: Vec<FormField>,
}

/// A question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormField {
    pub id: i64,
    /// `email`, `radiolist`, … as the service writes it.
    pub kind: String,
    pub text: String,
    pub required: bool,
    pub choices: Vec<Choice>,
    /// The rows of a matrix.
    pub parts: Vec<FormField>,
    /// The choice that stands for something else, and the field that holds its text.
    pub other: Option<(i64, i64)>,
    /// The data field that its answers go to.
    pub data_field: Option<String>,
}

/// What can be chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    pub id: i64,
    pub text: String,
}

/// What somebody sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    pub id: i64,
    pub email: Option<String>,
    pub started: Option<Timestamp>,
    pub complete: bool,
    pub completed: Option<Timestamp>,
    pub answers: Vec<Answer>,
}

/// One answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    pub field: i64,
    /// The row of a matrix.
    pub part: Option<i64>,
    /// The text, or the id of the choice.
    pub value: String,
}

/// Forms. Reads only; `since: None` reads all.
#[async_trait]
pub trait Forms: Send + Sync {
    /// Forms, or those to which something happened at this moment or later.
    async fn forms(&self, since: Option<Timestamp>, ask: &Ask) -> Result<Page<Form>, Fault>;

    async fn form_pages(&self, form: &FormId) -> Result<Vec<FormPage>, Fault>;

    /// A response that was not finished comes again when it is.
    async fn responses(
        &self,
        form: &FormId,
        since: Option<Timestamp>,
        ask: &Ask,
    ) -> Result<Page<Response>, Fault>;
}
