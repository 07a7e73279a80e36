//! What a send would come to: the same code as the send itself, and nothing is kept of it.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use postroom_core::{Fault, Filter, Query, RecordRef, Value};
use postroom_store::Error;
use uuid::Uuid;

use super::members;
use super::request;
use super::snapshot::{self, Judge};
use crate::engine::{Engine, Rules};

/// People who are shown of those to be mailed.
const SHOWN: usize = 5;
/// Rows of one page of the service.
const PAGE: u64 = 1000;
/// People of one import: a file of them stays well below what the service takes.
const IMPORTED: u64 = 100_000;
/// Calls whatever the number of people: the campaign, the list made and later deleted, the clock, opt-outs read whole (two), up
/// to now and in the last moment, the send, where it stands, and who leaves by it.
const FIXED_CALLS: u64 = 11;
/// Calls for each list: who left it, before people are counted and before they are mailed, each with the clock.
const LIST_CALLS: u64 = 4;
/// Seconds that an answer takes, roughly: two calls in one.
const CALLS_IN_A_SECOND: u64 = 2;

/// Whom a send would mail, in numbers: `members` is `to_send` and everybody left out together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preview {
    pub members: u64,
    pub to_send: u64,
    pub left_out: BTreeMap<String, u64>,
    /// The largest send that needs no second person is smaller.
    pub needs_approval: bool,
    /// Opt-outs are fresh; else the numbers may still shrink.
    pub fresh: bool,
    /// The names of the lists, in their order.
    pub lists: Vec<String>,
    /// Some of those who would be mailed.
    pub samples: Vec<(RecordRef, String)>,
    /// Some of those who would not, each with the word of `left_out`.
    pub samples_left_out: Vec<(RecordRef, String, String)>,
    /// Calls of the service that the send takes.
    pub calls: u64,
    /// The time that it takes at least, from the request until it is handed over.
    pub seconds: u64,
}

impl Engine {
    /// What sending a campaign (its row in the CRM) to lists of the CRM would come to. People are read up to now; nothing else
    /// is written, and the service is not asked.
    ///
    /// # Errors
    /// A refusal says why the campaign or a list is unfit.
    pub async fn preview(&self, account: &str, campaign: Uuid, lists: &[Uuid]) -> Result<Preview, Fault> {
        let account = self.named(account)?.clone();
        let connected = self.connect(&account).await?;
        let turn = self.send_turn(account, connected, Uuid::nil());
        let row = request::campaign(&turn, campaign).await?;
        let ids = lists.iter().map(|id| Value::Guid(*id)).collect();
        let query = Query::of("list").filter(Filter::In("listid".to_owned(), ids));
        let targets = request::targets(&turn, &query).await?;
        self.read_people().await?;
        let members = members::of_lists(&turn, &targets).await?;
        let judge = Judge {
            account: turn.account.name.clone(),
            send: Uuid::nil(),
            campaign: request::service_id(&row)?.0,
            lists: targets.iter().map(|target| target.list).collect(),
            repeats: request::yes(&row, "esc_allowrepeatsends"),
        };
        let fresh = super::release::exchanged_since(&turn, None).await?;
        let read = self
            .store
            .read(move |tx| async move { snapshot::decide(tx, &judge, members).await }.boxed())
            .await;
        let (decided, people) = read.map_err(|error: Error| Fault::from(error))?;
        let to_send = people.len() as u64;
        let word = |reason| snapshot::word(reason).to_owned();
        let (calls, seconds) = cost(to_send, targets.len() as u64, &self.rules);
        Ok(Preview {
            members: decided.members,
            to_send,
            left_out: decided.left_out.iter().map(|(reason, number)| (word(*reason), *number)).collect(),
            needs_approval: to_send > self.rules.approval_over,
            fresh,
            lists: targets.into_iter().map(|target| target.name).collect(),
            samples: decided.mailed.into_iter().take(SHOWN).collect(),
            samples_left_out: decided
                .samples
                .into_iter()
                .map(|(at, address, reason)| (at, address, word(reason)))
                .collect(),
            calls,
            seconds,
        })
    }
}

/// Calls, and seconds at least, that a send to so many people of so many lists takes: each import is begun, asked about and its report read;
/// the list is read back once.
fn cost(people: u64, lists: u64, rules: &Rules) -> (u64, u64) {
    let imports = people.div_ceil(IMPORTED);
    let calls = FIXED_CALLS + LIST_CALLS * lists + 3 * imports + people.div_ceil(PAGE);
    let wait = u64::try_from(rules.polling.wait(0).as_secs()).unwrap_or(0);
    (calls, calls.div_ceil(CALLS_IN_A_SECOND) + imports * wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_send_costs_few_calls() {
        let rules = Rules::default();
        assert_eq!(cost(0, 1, &rules), (15, 8));
        assert_eq!(cost(500, 1, &rules), (19, 20));
        assert_eq!(cost(250_000, 2, &rules), (19 + 9 + 250, 139 + 30));
    }
}
