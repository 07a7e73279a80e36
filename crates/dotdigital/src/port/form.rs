//! Forms, by v2: the service's API calls them surveys.

use async_trait::async_trait;
use jiff::Timestamp;
use postroom_core::Fault;
use postroom_core::marketing::{
    Answer, Ask as Part, Choice, Form, FormField, FormId, FormPage, Forms, Page, Response,
};

use super::Dotdigital;
use super::list::PAGE;
use crate::ask::Ask;
use crate::date;
use crate::wire::Row;

/// Where visitors come from: `source…Total`.
const SOURCES: [&str; 8] =
    ["Direct", "Email", "Embedded", "Popover", "Facebook", "Twitter", "GooglePlus", "Other"];

#[async_trait]
impl Forms for Dotdigital {
    async fn forms(&self, since: Option<Timestamp>, ask: &Part) -> Result<Page<Form>, Fault> {
        let since = since.map(date::write);
        let question = || match &since {
            None => Ask::get("/v2/surveys", &[]),
            Some(since) => Ask::get("/v2/surveys/with-activity-since/{}", &[since]),
        };
        self.page(question, ask, PAGE, form).await
    }

    async fn form_pages(&self, form: &FormId) -> Result<Vec<FormPage>, Fault> {
        self.all(Ask::get("/v2/surveys/{}/fields", &[&form.to_string()]), page).await
    }

    async fn responses(
        &self,
        form: &FormId,
        since: Option<Timestamp>,
        ask: &Part,
    ) -> Result<Page<Response>, Fault> {
        let (form, since) = (form.to_string(), since.map(date::write));
        let question = || match &since {
            None => Ask::get("/v2/surveys/{}/responses", &[&form]),
            Some(since) => Ask::get("/v2/surveys/{}/responses/with-activity-since/{}", &[&form, since]),
        };
        self.page(question, ask, PAGE, response).await
    }
}

fn form(row: &Row<'_>) -> Option<Form> {
    let sources = SOURCES.map(|source| (source.to_owned(), row.count(&format!("source{source}Total"))));
    Some(Form {
        id: row.id("id")?,
        name: row.string("name"),
        url: row.string("url"),
        state: row.word("state"),
        created: row.moment("dateSurveyCreated"),
        modified: row.moment("dateSurveyModified"),
        first_active: row.moment("firstActiveDate"),
        last_inactive: row.moment("lastInactiveDate"),
        first_response: row.moment("firstResponseDate"),
        last_response: row.moment("lastResponseDate"),
        complete_responses: row.count("totalCompleteResponses"),
        incomplete_responses: row.count("totalIncompleteResponses"),
        views: row.count("totalViews"),
        bounces: row.count("totalBounces"),
        list: row.id("assignedSpecificAddressBookId"),
        sources: sources.into_iter().filter(|(_, count)| *count > 0).collect(),
    })
}

fn page(row: &Row<'_>) -> Option<FormPage> {
    Some(FormPage {
        id: row.int("id").unwrap_or_default(),
        name: row.string("name"),
        fields: row.rows("fields").iter().filter_map(field).collect(),
    })
}

fn field(row: &Row<'_>) -> Option<FormField> {
    let choice = |choice: &Row<'_>| Some(Choice { id: choice.int("id")?, text: choice.string("text") });
    let other = || Some((row.id("otherOptionChoiceId")?, row.id("otherOptionTextFieldId")?));
    Some(FormField {
        id: row.int("id")?,
        kind: row.string("type"),
        text: row.string("text"),
        required: row.is("isRequired"),
        choices: row.rows("choices").iter().filter_map(choice).collect(),
        parts: row.rows("subFields").iter().filter_map(field).collect(),
        other: row.is("hasOtherOption").then(other).flatten(),
        data_field: row
            .is("isAssignedToContactDataField")
            .then(|| row.some_text("assignedContactDataFieldName"))
            .flatten(),
    })
}

fn response(row: &Row<'_>) -> Option<Response> {
    let answer = |answer: &Row<'_>| {
        Some(Answer {
            field: answer.int("fieldId")?,
            part: answer.id("subFieldId"),
            value: answer.string("value"),
        })
    };
    Some(Response {
        id: row.id("id")?,
        email: row.some_text("email"),
        started: row.moment("dateStarted"),
        complete: row.is("complete"),
        completed: row.moment("dateCompleted"),
        answers: row.rows("givenAnswers").iter().filter_map(answer).collect(),
    })
}
