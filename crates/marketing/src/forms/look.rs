//! Forms as people look at them: the rows that the CRM was given, and the responses that are kept here.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use jiff::Timestamp;
use postroom_core::{Code, Fault, Filter, Query, Record, Value};
use postroom_store::Error;
use postroom_store::sql::{Expr, ExprTrait, Order};
use uuid::Uuid;

use super::definitions::{FORM, OPTION, QUESTION};
use super::rows::{self, Stored};
use crate::accounts::Connected;
use crate::engine::Engine;
use crate::mapping::book::option;
use crate::solution::options::Set;

const FORM_COLUMNS: [&str; 12] = [
    "esc_serviceformid",
    "esc_formname",
    "esc_url",
    "esc_state",
    "esc_createdremotely",
    "esc_modifiedremotely",
    "esc_fieldcount",
    "esc_completeresponses",
    "esc_incompleteresponses",
    "esc_views",
    "esc_createrecordas",
    "esc_lastsyncedon",
];

/// A form as the CRM has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    pub account: String,
    /// At the service.
    pub number: i64,
    pub name: String,
    pub url: String,
    /// The service's word; empty when it said none.
    pub state: String,
    pub created: Option<Timestamp>,
    pub modified: Option<Timestamp>,
    pub questions: i64,
    pub complete: i64,
    pub incomplete: i64,
    pub views: i64,
    /// What is made of somebody whom the CRM does not know; `None` makes nothing.
    pub make: Option<&'static str>,
    pub read: Option<Timestamp>,
}

/// A question with what it offers.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// At the service.
    pub number: i64,
    pub page: i64,
    pub order: i64,
    pub text: String,
    pub kind: String,
    pub required: bool,
    /// Its answer is consent to marketing mail.
    pub consent: bool,
    /// Number and text of each.
    pub options: Vec<(i64, String)>,
}

/// A form with its questions, and its newest responses.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    pub form: Listed,
    pub questions: Vec<Asked>,
    pub responses: Vec<Stored>,
}

impl Engine {
    /// The forms of an account by name.
    ///
    /// # Errors
    /// The CRM's; and a refusal when no account has this name.
    pub async fn forms(&self, account: &str) -> Result<Vec<Listed>, Fault> {
        let account = self.named(account)?;
        let connected = self.identity(account).await?;
        let own = Filter::eq("esc_emailaccountid", connected.row());
        let rows = self.crm.query(&Query::of(FORM).select(&FORM_COLUMNS).filter(own)).await?;
        let mut forms: Vec<Listed> = rows.iter().map(|row| listed(&account.name, row)).collect();
        forms.sort_by(|one, other| (&one.name, one.number).cmp(&(&other.name, other.number)));
        Ok(forms)
    }

    /// A form with its questions and its newest responses, at most `most`.
    ///
    /// # Errors
    /// The CRM's; and a refusal when the account has no such form.
    pub async fn form(&self, account: &str, number: i64, most: u64) -> Result<Shown, Fault> {
        let account = self.named(account)?;
        let connected = self.identity(account).await?;
        let id = connected.key.form(number).id(FORM);
        let query = Query::of(FORM).select(&FORM_COLUMNS).filter(Filter::eq("esc_formid", id));
        let form = self.crm.query(&query).await?.pop();
        let form = form.ok_or_else(|| {
            let text =
                format!("{} has no form {number}; look at: postroom marketing form list", account.name);
            Fault::reject(Code::API_NOT_FOUND, text)
        })?;
        let mut questions = self.questions(&connected, id).await?;
        for question in &mut questions {
            let mut consents = account.settings.forms.consent.iter();
            question.consent = consents.any(|one| (one.form, one.question) == (number, question.number));
        }
        let name = account.name.clone();
        let read = self.store.read(move |tx| {
            async move {
                let mut newest = rows::select(&name);
                newest.and_where(Expr::col("form").eq(number)).order_by("at", Order::Desc).limit(most);
                rows::load(tx, &newest).await
            }
            .boxed()
        });
        let responses: Result<Vec<Stored>, Error> = read.await;
        Ok(Shown { form: listed(&account.name, &form), questions, responses: responses? })
    }

    async fn questions(&self, connected: &Connected, form: Uuid) -> Result<Vec<Asked>, Fault> {
        let columns = [
            "esc_servicefieldid",
            "esc_pagenumber",
            "esc_order",
            "esc_text",
            "esc_questiontype",
            "esc_isrequired",
        ];
        let query = Query::of(QUESTION).select(&columns).filter(Filter::eq("esc_formid", form));
        let rows = self.crm.query(&query).await?;
        let ids: Vec<Value> = rows.iter().map(|row| Value::Guid(row.at.id)).collect();
        let mut options: BTreeMap<Uuid, Vec<(i64, i64, String)>> = BTreeMap::new();
        if !ids.is_empty() {
            let columns = ["esc_questionid", "esc_servicechoiceid", "esc_text", "esc_order"];
            let filter = Filter::All(vec![
                Filter::eq("esc_emailaccountid", connected.row()),
                Filter::In("esc_questionid".to_owned(), ids),
            ]);
            for row in self.crm.query(&Query::of(OPTION).select(&columns).filter(filter)).await? {
                let Some(question) = row.lookup("esc_questionid") else { continue };
                let own = options.entry(question.id).or_default();
                own.push((int(&row, "esc_order"), int(&row, "esc_servicechoiceid"), text(&row, "esc_text")));
            }
        }
        let mut questions: Vec<Asked> = rows
            .iter()
            .map(|row| {
                let mut own = options.remove(&row.at.id).unwrap_or_default();
                own.sort();
                asked(row, own.into_iter().map(|(_, number, text)| (number, text)).collect())
            })
            .collect();
        questions.sort_by_key(|question| (question.page, question.order, question.number));
        Ok(questions)
    }
}

fn asked(row: &Record, options: Vec<(i64, String)>) -> Asked {
    Asked {
        number: int(row, "esc_servicefieldid"),
        page: int(row, "esc_pagenumber"),
        order: int(row, "esc_order"),
        text: text(row, "esc_text"),
        kind: text(row, "esc_questiontype"),
        required: row.get("esc_isrequired").and_then(Value::as_bool) == Some(true),
        consent: false,
        options,
    }
}

fn listed(account: &str, row: &Record) -> Listed {
    let time = |column: &str| match row.get(column) {
        Some(Value::Time(at)) => Some(*at),
        _ => None,
    };
    Listed {
        account: account.to_owned(),
        number: int(row, "esc_serviceformid"),
        name: text(row, "esc_formname"),
        url: text(row, "esc_url"),
        state: option(row, "esc_state", Set::FormState).unwrap_or_default().to_owned(),
        created: time("esc_createdremotely"),
        modified: time("esc_modifiedremotely"),
        questions: int(row, "esc_fieldcount"),
        complete: int(row, "esc_completeresponses"),
        incomplete: int(row, "esc_incompleteresponses"),
        views: int(row, "esc_views"),
        make: option(row, "esc_createrecordas", Set::RecordType),
        read: time("esc_lastsyncedon"),
    }
}

fn int(row: &Record, column: &str) -> i64 {
    row.int(column).unwrap_or_default()
}

fn text(row: &Record, column: &str) -> String {
    row.text(column).unwrap_or_default().to_owned()
}
