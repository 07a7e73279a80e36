//! The list of messages: search, state chips, older and newer.

use axum::extract::State;
use axum::response::Html;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use postroom_core::{MailId, MailState, RecordRef};
use postroom_operations::Wanted;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::render::page;
use crate::app::App;
use crate::auth::SignedIn;
use crate::input::Query;
use crate::problem::Problem;

const PAGE: usize = 50;
/// The states worth a chip; mail out has its own page one day.
const CHIPS: [MailState; 5] =
    [MailState::Tracked, MailState::Review, MailState::NotTracked, MailState::Received, MailState::Shelf];
/// Cursors of pages that were left by "older", so that "newer" finds back.
const TRAIL: usize = 40;

#[derive(Deserialize, Serialize, Default, Clone)]
#[serde(deny_unknown_fields)]
pub(super) struct Filters {
    #[serde(default)]
    q: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    record: String,
    #[serde(default)]
    mailbox: String,
    #[serde(default)]
    cursor: String,
    /// The cursors before this one, joined by dots.
    #[serde(default)]
    trail: String,
}

#[derive(Serialize)]
struct Chip {
    word: &'static str,
    url: String,
    chosen: bool,
}

pub(super) async fn list(
    State(app): State<App>,
    SignedIn(session): SignedIn,
    Query(filters): Query<Filters>,
) -> Result<Html<String>, Problem> {
    let mut found = app.operations.messages(&session.actor, filters.wanted()?).await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let older = found.last().filter(|_| more).map(|last| filters.older(last.id));
    let values = json!({
        "here": "messages",
        "messages": found,
        "filters": filters,
        "filtered": filters.narrowed(),
        "chips": filters.chips(),
        "older": older,
        "newer": filters.newer(),
    });
    page(&app, &session, "messages.html", values)
}

impl Filters {
    fn wanted(&self) -> Result<Wanted, Problem> {
        let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let state = some(&self.state).map(|state| state.parse::<MailState>()).transpose();
        let record = some(&self.record).map(|record| record.parse::<RecordRef>()).transpose();
        let cursor = some(&self.cursor).map(|cursor| cursor.parse::<MailId>()).transpose();
        Ok(Wanted {
            state: state.map_err(|error| Problem::input(error.to_string()))?,
            record: record.map_err(|error| Problem::input(error.to_string()))?,
            before: cursor.map_err(|error| Problem::input(error.to_string()))?,
            mailbox: some(&self.mailbox),
            text: some(&self.q),
            limit: PAGE as u64 + 1,
        })
    }

    fn narrowed(&self) -> bool {
        [&self.q, &self.state, &self.record, &self.mailbox].iter().any(|text| !text.is_empty())
    }

    fn url(&self) -> String {
        let pairs = [
            ("q", &self.q),
            ("state", &self.state),
            ("record", &self.record),
            ("mailbox", &self.mailbox),
            ("cursor", &self.cursor),
            ("trail", &self.trail),
        ];
        let given = pairs.iter().filter(|(_, value)| !value.is_empty());
        let pairs: Vec<String> = given
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
            .collect();
        if pairs.is_empty() { "/messages".into() } else { format!("/messages?{}", pairs.join("&")) }
    }

    fn first_page(&self) -> Filters {
        Filters { cursor: String::new(), trail: String::new(), ..self.clone() }
    }

    fn chips(&self) -> Vec<Chip> {
        let chip = |word: &'static str| {
            let chosen = self.state == word;
            let url = Filters { state: word.into(), ..self.first_page() }.url();
            Chip { word, url, chosen }
        };
        [""].into_iter().chain(CHIPS.iter().map(|state| state.as_str())).map(chip).collect()
    }

    fn older(&self, last: MailId) -> String {
        let mut trail: Vec<&str> = self.trail.split('.').filter(|cursor| !cursor.is_empty()).collect();
        if !self.cursor.is_empty() {
            trail.push(&self.cursor);
        }
        let from = trail.len().saturating_sub(TRAIL);
        Filters { cursor: last.to_string(), trail: trail[from..].join("."), ..self.clone() }.url()
    }

    /// The page before; `None` on the first.
    fn newer(&self) -> Option<String> {
        if self.cursor.is_empty() {
            return None;
        }
        let (trail, cursor) = match self.trail.rsplit_once('.') {
            Some((trail, cursor)) => (trail.to_owned(), cursor.to_owned()),
            None => (String::new(), self.trail.clone()),
        };
        Some(Filters { cursor, trail, ..self.clone() }.url())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(cursor: &str, trail: &str) -> Filters {
        Filters { q: "a b".into(), cursor: cursor.into(), trail: trail.into(), ..Filters::default() }
    }

    #[test]
    fn older_and_newer_are_inverse() {
        assert_eq!(at("", "").newer(), None);
        assert_eq!(at("c1", "").newer().as_deref(), Some("/messages?q=a%20b"));
        assert_eq!(at("c2", "c1").newer().as_deref(), Some("/messages?q=a%20b&cursor=c1"));
        assert_eq!(at("c3", "c1.c2").newer().as_deref(), Some("/messages?q=a%20b&cursor=c2&trail=c1"));
        let older = at("c2", "c1").older(MailId(uuid::Uuid::nil()));
        assert!(older.ends_with("&trail=c1%2Ec2"), "{older}");
    }

    #[test]
    fn chips_keep_the_search() {
        let chips = at("c1", "c0").chips();
        assert_eq!(chips[0].url, "/messages?q=a%20b");
        assert!(chips[0].chosen);
        assert_eq!(chips[1].url, "/messages?q=a%20b&state=tracked");
    }
}
