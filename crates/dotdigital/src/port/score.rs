//! Scores, by v2.

use async_trait::async_trait;
use jiff::Timestamp;
use postroom_core::Fault;
use postroom_core::marketing::{Ask as Part, ContactId, Page, Score, Scores};

use super::Dotdigital;
use super::list::PAGE;
use crate::ask::Ask;
use crate::date;
use crate::wire::Row;

#[async_trait]
impl Scores for Dotdigital {
    async fn scores(&self, since: Option<Timestamp>, ask: &Part) -> Result<Page<Score>, Fault> {
        let since = since.map(date::write);
        let question = || match &since {
            None => Ask::get("/v2/contacts/score", &[]),
            Some(since) => Ask::get("/v2/contacts/score/modified-since/{}", &[since]),
        };
        self.page(question, ask, PAGE, score).await
    }
}

fn score(row: &Row<'_>) -> Option<Score> {
    let points = |name: &str| u8::try_from(row.count(name)).unwrap_or(u8::MAX);
    Some(Score {
        contact: ContactId(row.id("contactId")?),
        email: row.string("email"),
        label: row.string("scoreLabel"),
        score: points("score"),
        engagement: points("engagement"),
        suitability: points("suitability"),
        modified: row.moment("dateModified"),
    })
}
