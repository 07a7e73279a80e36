//! The CRM's side, through the port: attachments deleted, texts and addresses replaced, where the CRM allows.

use futures_util::FutureExt;
use postroom_core::{
    Change, ChangeSet, Crm, Fault, Filter, Query as CrmQuery, Record, RecordRef, Value, Verdict, address,
};
use postroom_store::sql::{Expr, ExprTrait, Query};
use postroom_store::{Error, Tx};
use uuid::Uuid;

use super::Erasing;
use super::blank::ERASED;
use super::receipt::{self, Receipt, Refusal};
use crate::filing::activity::derived;

/// Activities told of at once.
const PAGE: u64 = 50;
/// The notes that sending writes on an e-mail, by the words their ids are made of.
const NOTES: [&str; 3] = ["failed", "partly", "late"];

/// An activity to be told of, and the mail that it shows.
#[derive(Clone, Copy)]
struct Todo {
    activity: Uuid,
    message: Uuid,
}

/// What the CRM has of these activities.
pub(super) struct There {
    pub emails: Vec<Uuid>,
    pub attachments: Vec<Record>,
}

/// Asks which of these e-mails are there, and for their attachments.
pub(super) async fn look(crm: &dyn Crm, activities: &[Uuid]) -> Result<There, Fault> {
    if activities.is_empty() {
        return Ok(There { emails: Vec::new(), attachments: Vec::new() });
    }
    let emails: Vec<Uuid> = crm.find(&["email"], activities).await?.iter().map(|row| row.at.id).collect();
    let attachments = parts(crm, "activitymimeattachment", "objectid", &["objectid"], &emails).await?;
    Ok(There { emails, attachments })
}

/// The rows of a table that belong to these e-mails.
async fn parts(
    crm: &dyn Crm,
    table: &str,
    parent: &str,
    columns: &[&str],
    emails: &[Uuid],
) -> Result<Vec<Record>, Fault> {
    if emails.is_empty() {
        return Ok(Vec::new());
    }
    let ids = emails.iter().map(|id| Value::lookup("email", *id)).collect();
    crm.query(&CrmQuery::of(table).select(columns).filter(Filter::In(parent.to_owned(), ids))).await
}

/// One thing asked of the CRM about one activity.
struct Ask {
    activity: Uuid,
    what: &'static str,
    changes: Vec<Change>,
}

impl Erasing {
    /// Works off what was noted. A CRM that is away ends it with its fault; the rest stays noted.
    pub(super) async fn tell_crm(&self, address: &str, receipt: &mut Receipt) -> Result<(), Fault> {
        loop {
            let erasure = receipt.id;
            let page = self.store.read(move |tx| async move { todo(tx, erasure).await }.boxed()).await;
            let page: Vec<Todo> = page.map_err(|error: Error| Fault::from(error))?;
            if page.is_empty() {
                return Ok(());
            }
            let there = look(&*self.crm, &page.iter().map(|one| one.activity).collect::<Vec<_>>()).await?;
            let asks = self.asks(&page, &there, address).await?;
            let mut after = receipt.clone();
            after.counts.activities += there.emails.len() as u64;
            self.ask(asks, &mut after).await?;
            self.told(page, after.clone()).await?;
            *receipt = after;
        }
    }

    async fn asks(&self, page: &[Todo], there: &There, address: &str) -> Result<Vec<Ask>, Fault> {
        let crm = &*self.crm;
        let parties = ["activityid", "addressused"];
        let parties = parts(crm, "activityparty", "activityid", &parties, &there.emails).await?;
        let queued = parts(crm, "queueitem", "objectid", &["objectid"], &there.emails).await?;
        let of = |rows: &[Record], column: &str, email: Uuid| -> Vec<RecordRef> {
            let theirs = rows.iter().filter(|row| row.lookup(column).is_some_and(|at| at.id == email));
            theirs.map(|row| row.at.clone()).collect()
        };
        let named: Vec<Record> = parties
            .into_iter()
            .filter(|row| row.text("addressused").is_some_and(|used| address::normal(used) == address))
            .collect();
        let mut asks = Vec::new();
        for todo in page.iter().filter(|todo| there.emails.contains(&todo.activity)) {
            let activity = todo.activity;
            let email = || Record::new(RecordRef::new("email", activity));
            let files =
                of(&there.attachments, "objectid", activity).into_iter().map(Change::Delete).collect();
            let text = email().with("subject", ERASED).with("description", ERASED);
            let addresses = email().with("sender", Value::Null).with("torecipients", Value::Null);
            let used = |at| Change::Update(Record::new(at).with("addressused", Value::Null));
            let item = |at| {
                let row = Record::new(at).with("title", ERASED);
                Change::Update(row.with("sender", Value::Null).with("torecipients", Value::Null))
            };
            let note = |word| derived(self.installation, word, todo.message.as_bytes());
            let notes = NOTES.map(|word| Change::Delete(RecordRef::new("annotation", note(word))));
            let all: [(&'static str, Vec<Change>); 6] = [
                ("attachments", files),
                ("text", vec![Change::Update(text)]),
                ("addresses", vec![Change::Update(addresses)]),
                ("parties", of(&named, "activityid", activity).into_iter().map(used).collect()),
                ("queue items", of(&queued, "objectid", activity).into_iter().map(item).collect()),
                ("notes", notes.to_vec()),
            ];
            let asked = all.into_iter().filter(|(_, changes)| !changes.is_empty());
            asks.extend(asked.map(|(what, changes)| Ask { activity, what, changes }));
        }
        Ok(asks)
    }

    /// Asks for all of it, each thing by itself: what is refused keeps nothing else from going.
    async fn ask(&self, asks: Vec<Ask>, receipt: &mut Receipt) -> Result<(), Fault> {
        let sets = asks.iter().map(|ask| ChangeSet { changes: ask.changes.clone() }).collect();
        for (ask, answer) in asks.iter().zip(self.crm.apply(sets).await) {
            match answer {
                Ok(outcomes) if ask.what == "attachments" => {
                    receipt.counts.attachments += outcomes.len() as u64
                }
                Ok(_) => {}
                Err(fault) if matches!(fault.verdict, Verdict::Reject | Verdict::Bug) => {
                    let (activity, what) = (ask.activity, ask.what.to_owned());
                    receipt.refusals.push(Refusal { activity, what, code: fault.code.to_string() });
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    async fn told(&self, page: Vec<Todo>, receipt: Receipt) -> Result<(), Fault> {
        let unit = self.store.write("erasing.told", move |tx| {
            async move {
                let activities = page.iter().map(|todo| todo.activity);
                let done = Query::delete()
                    .from_table("erasure_todo")
                    .and_where(Expr::col("erasure").eq(receipt.id))
                    .and_where(Expr::col("activity").is_in(activities))
                    .to_owned();
                tx.execute(&done).await?;
                receipt::put(tx, &receipt).await
            }
            .boxed()
        });
        unit.await.map_err(|error: Error| Fault::from(error))
    }
}

async fn todo(tx: &mut Tx, erasure: Uuid) -> Result<Vec<Todo>, Error> {
    let select = Query::select()
        .columns(["activity", "message"])
        .from("erasure_todo")
        .and_where(Expr::col("erasure").eq(erasure))
        .limit(PAGE)
        .to_owned();
    tx.query(&select)
        .await?
        .iter()
        .map(|row| Ok(Todo { activity: row.at(0)?, message: row.at(1)? }))
        .collect()
}
