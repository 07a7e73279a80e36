//! Whether the books balance: accepted = tracked + review + shelf + not tracked + still to do, each once, and every
//! tracked mail has its one activity. The books of outgoing mail: [`outgoing`].

mod outgoing;

use std::collections::HashSet;

use futures_util::FutureExt;
use postroom_core::{Crm, Fault, MailId, MailState};
use postroom_store::sql::{Asterisk, Expr, ExprTrait, Func, Order, Query};
use postroom_store::{Error, Store, Tx};
use serde::Serialize;
use uuid::Uuid;

use crate::filing::{self, activity};
use crate::watching;

/// Messages looked at in one go.
const PAGE: u64 = 1000;
/// Findings named one by one; more are only counted.
const NAMED: usize = 50;

/// What was counted, and what does not balance.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Books {
    pub messages: u64,
    pub sightings: u64,
    pub received: u64,
    pub tracked: u64,
    pub not_tracked: u64,
    pub review: u64,
    pub shelf: u64,
    pub other: u64,
    pub activities: u64,
    pub jobs: u64,
    /// Mails that the CRM wanted sent, whatever became of them.
    pub outgoing: u64,
    /// Mails that a watcher met and could not read yet, or gave up: on the server, and not in these books. At most the
    /// first fifty.
    pub unread: Vec<String>,
    pub unread_count: u64,
    /// Empty when all is well; at most the first fifty.
    pub findings: Vec<String>,
    pub finding_count: u64,
}

impl Books {
    pub fn balance(&self) -> bool {
        self.finding_count == 0
    }

    fn find(&mut self, what: String) {
        self.finding_count += 1;
        if self.findings.len() < NAMED {
            self.findings.push(what);
        }
    }

    fn unread(&mut self, what: String) {
        self.unread_count += 1;
        if self.unread.len() < NAMED {
            self.unread.push(what);
        }
    }

    fn count(&mut self, state: MailState) {
        let field = match state {
            MailState::Received | MailState::Parsed => &mut self.received,
            MailState::Tracked => &mut self.tracked,
            MailState::NotTracked => &mut self.not_tracked,
            MailState::Review => &mut self.review,
            MailState::Shelf => &mut self.shelf,
            _ => &mut self.other,
        };
        *field += 1;
        self.messages += 1;
    }
}

/// One message, as far as the books need it.
struct Entry {
    id: MailId,
    key: Vec<u8>,
    state: MailState,
    activity: Option<Uuid>,
    decision: Option<Uuid>,
}

/// Goes through every message. Reads only; other processes may work meanwhile.
pub async fn verify(store: &Store, crm: &dyn Crm, installation: Uuid) -> Result<Books, Fault> {
    let mut books = Books::default();
    let mut after = None;
    let mut expected = HashSet::new();
    loop {
        let page =
            store.read(move |tx| async move { page(tx, after).await }.boxed()).await.map_err(Fault::from)?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        check_page(&page, store, crm, installation, &mut books, &mut expected).await?;
    }
    orphans(store, &mut books).await?;
    outgoing::check(store, &mut books).await?;
    unread(store, &mut books).await?;
    Ok(books)
}

/// What the watchers' cursors moved past without having it.
async fn unread(store: &Store, books: &mut Books) -> Result<(), Fault> {
    for (mailbox, overview) in watching::overview(store).await.map_err(Fault::from)? {
        for place in overview.folders {
            for mail in &place.cursor.waiting {
                let next = match mail.due {
                    Some(due) => format!("tried again at {due}"),
                    None => "given up until a person looks".to_owned(),
                };
                books.unread(format!(
                    "message {} of {} in mailbox {mailbox} on {}: {}; tried {} times, {next}",
                    mail.uid, place.folder, place.server, mail.error, mail.tries
                ));
            }
        }
    }
    Ok(())
}

async fn page(tx: &mut Tx, after: Option<MailId>) -> Result<Vec<Entry>, Error> {
    let mut select = Query::select();
    select.columns(["id", "key", "state", "activity_id", "decision_id"]).from("message");
    if let Some(after) = after {
        select.and_where(Expr::col("id").gt(after.0));
    }
    select.order_by("id", Order::Asc).limit(PAGE);
    let rows = tx.query(&select).await?;
    let entry = |row: &postroom_store::Row| {
        let state: String = row.at(2)?;
        let state = state.parse().unwrap_or(MailState::Received);
        Ok(Entry {
            id: MailId(row.at(0)?),
            key: row.at(1)?,
            state,
            activity: row.at(3)?,
            decision: row.at(4)?,
        })
    };
    rows.iter().map(entry).collect()
}

async fn check_page(
    page: &[Entry],
    store: &Store,
    crm: &dyn Crm,
    installation: Uuid,
    books: &mut Books,
    expected: &mut HashSet<Uuid>,
) -> Result<(), Fault> {
    let ours: Vec<Uuid> =
        page.iter().map(|entry| activity::derived(installation, "email", &entry.key)).collect();
    // What the server delivered has an id of its own.
    let others = page.iter().zip(&ours).filter_map(|(entry, own)| entry.activity.filter(|id| id != own));
    let asked: Vec<Uuid> = ours.iter().copied().chain(others).collect();
    let there: HashSet<Uuid> =
        crm.find(&["email"], &asked).await?.iter().map(|record| record.at.id).collect();
    let waiting = waiting(store, page).await?;
    for (entry, own) in page.iter().zip(ours) {
        books.count(entry.state);
        let activity = entry.activity.unwrap_or(own);
        if activity != own && there.contains(&own) {
            books.find(format!("{} has two activities: {own} and {activity}", entry.id));
        }
        books.activities += u64::from(there.contains(&activity));
        let id = entry.id;
        match entry.state {
            MailState::Tracked if entry.activity.is_none() => {
                books.find(format!("{id} is tracked, but its row names no activity"));
            }
            MailState::Tracked if !there.contains(&activity) => {
                books.find(format!("{id} is tracked, but the CRM has no activity {activity}"));
            }
            MailState::Received | MailState::Parsed if !waiting.contains(&id.0) => {
                books.find(format!("{id} is {}, but no job is left to file it", entry.state));
            }
            _ => {}
        }
        if entry.decision.is_none() && !matches!(entry.state, MailState::Received | MailState::Parsed) {
            books.find(format!("{id} is {} without a decision", entry.state));
        }
        if !expected.insert(activity) {
            books.find(format!("{id} shares its activity with another mail"));
        }
    }
    Ok(())
}

/// The mails of a page that a job will still file, or that a job on the shelf names.
async fn waiting(store: &Store, page: &[Entry]) -> Result<HashSet<Uuid>, Fault> {
    let lanes: Vec<String> = page.iter().map(|entry| entry.id.0.simple().to_string()).collect();
    let select = Query::select()
        .distinct()
        .column("lane")
        .from("job")
        .and_where(Expr::col("kind").eq(filing::KIND))
        .and_where(Expr::col("lane").is_in(lanes))
        .to_owned();
    let rows =
        store.read(move |tx| async move { tx.query(&select).await }.boxed()).await.map_err(Fault::from)?;
    let lane =
        |row: &postroom_store::Row| row.at::<String>(0).ok().and_then(|lane| Uuid::parse_str(&lane).ok());
    Ok(rows.iter().filter_map(lane).collect())
}

/// Rows that point at nothing: bodies and sightings.
async fn orphans(store: &Store, books: &mut Books) -> Result<(), Fault> {
    let missing_body = |table: &'static str| {
        let bodies = Query::select()
            .expr(Expr::cust("1"))
            .from("body")
            .and_where(Expr::col(("body", "hash")).equals((table, "body")))
            .to_owned();
        count_of(table, Some(Expr::exists(bodies).not()))
    };
    let no_message = Query::select()
        .expr(Expr::cust("1"))
        .from("message")
        .and_where(Expr::col(("message", "id")).equals(("sighting", "message")))
        .to_owned();
    let unsent_bytes = Query::select()
        .expr(Expr::cust("1"))
        .from("body")
        .and_where(Expr::col(("body", "hash")).equals(("outgoing", "body")))
        .to_owned();
    let unsent_bytes = Expr::col("body").is_not_null().and(Expr::exists(unsent_bytes).not());
    let questions = [
        (count_of("sighting", None), ""),
        (count_of("job", None), ""),
        (missing_body("message"), "messages whose bytes are gone"),
        (missing_body("sighting"), "sightings whose bytes are gone"),
        (count_of("sighting", Some(Expr::exists(no_message).not())), "sightings of no message"),
        (count_of("outgoing", Some(unsent_bytes)), "outgoing mails whose bytes are gone"),
    ];
    let (selects, names): (Vec<_>, Vec<_>) = questions.into_iter().unzip();
    let counts = store
        .read(move |tx| {
            async move {
                let mut counts: Vec<u64> = Vec::new();
                for select in &selects {
                    counts.push(tx.query_one(select).await?.map_or(Ok(0), |row| row.at(0))?);
                }
                Ok::<_, Error>(counts)
            }
            .boxed()
        })
        .await
        .map_err(Fault::from)?;
    (books.sightings, books.jobs) = (counts[0], counts[1]);
    for (count, name) in counts.into_iter().zip(names).skip(2).filter(|(count, _)| *count > 0) {
        books.find(format!("{count} {name}"));
    }
    Ok(())
}

fn count_of(
    table: &'static str,
    filter: Option<postroom_store::sql::Expr>,
) -> postroom_store::sql::SelectStatement {
    let mut select = Query::select();
    select.expr(Func::count(Expr::col(Asterisk))).from(table);
    if let Some(filter) = filter {
        select.and_where(filter);
    }
    select
}
